//! Many readers of event streams, slow ones and dead ones: each gets every event once, and no append waits for any.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Instant;

use crate::support::{PATIENCE, TestServer, check};

use super::{LINES, append, ids, listen, refusal, start};

/// A connection whose reader has asked and takes nothing of what it is sent.
fn dead_reader(server: &TestServer, path: &str) -> TcpStream {
    let mut socket = TcpStream::connect(server.address).expect("it listens");
    write!(socket, "GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n").expect("it reads");
    socket
}

/// Appends events that are as large together.
fn append_large(server: &TestServer, stream: &str, count: usize, bytes: usize) {
    let body = vec![b'x'; bytes];
    for _ in 0..count {
        assert_eq!(server.post(&format!("/streams/{stream}"), &[("Content-Type", "text/plain")], &body).status, 201);
    }
}

/// What the server's process takes of memory.
fn resident_bytes(server: &TestServer) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("it runs");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a line");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("a number") << 10
}

/// Producers append all the while; readers come at any place, go away and come again. Nobody misses an event or gets one
/// twice.
#[test]
fn at_the_seam_nothing_is_missing_and_nothing_comes_twice() {
    let (_data, server) = start(&[]);
    append(&server, "s", 50);
    let (producers, appends, events) = (4, 60, 50 + 4 * 60 * 3);
    let server = &server;
    thread::scope(|scope| {
        for _ in 0..producers {
            scope.spawn(|| {
                for _ in 0..appends {
                    append(server, "s", 3);
                    append(server, "other", 1);
                }
            });
        }
        for reader in 0..8_u64 {
            scope.spawn(move || {
                let mut next = reader * 7;
                // Every visit takes a few more, so the last ones go on to what is appended while they last.
                for visit in 1.. {
                    let last = next.checked_sub(1).map_or("-1".to_string(), |last| last.to_string());
                    let mut listener = listen(server, "/streams/s", &[("Last-Event-ID", &last)]);
                    let wanted = (visit * visit * (reader + 1)).min(events - next);
                    let got = ids(&listener.take(wanted as usize));
                    assert_eq!(got, (next..next + wanted).collect::<Vec<_>>(), "reader {reader}, visit {visit}");
                    next += wanted;
                    if next == events {
                        break;
                    }
                }
            });
        }
    });
}

#[test]
fn hundreds_who_listen_are_all_told_everything() {
    let (_data, server) = start(&[]);
    let mut listeners: Vec<_> = (0..300).map(|_| listen(&server, "/streams/s", &[])).collect();
    for _ in 0..10 {
        append(&server, "s", 2);
    }
    for listener in &mut listeners {
        assert_eq!(ids(&listener.take(20)), (0..20).collect::<Vec<_>>());
    }
    server.assert_no_panic();
}

/// Each of them is sent 8 MB, from an event of its own on, of which the sockets take a part. If what they do not take were
/// kept for them, it would be hundreds of megabytes.
#[test]
fn dead_readers_hold_no_memory_and_delay_nobody() {
    let (_data, server) = start(&[("timeouts.stalled_reader", "600s")]);
    let line = format!("{{\"type\":\"t\",\"data\":\"{}\"}}\n", "x".repeat(500));
    for _ in 0..16 {
        assert_eq!(server.post("/streams/s", &[LINES], line.repeat(1_000).as_bytes()).status, 201);
    }
    let mut alive = listen(&server, "/streams/s", &[]);
    let before = resident_bytes(&server);
    let ask = |first| dead_reader(&server, &format!("/streams/s?last-event-id={first}"));
    let dead: Vec<TcpStream> = (0..200).map(ask).collect();
    server.wait_for_listeners(201);
    for number in 16_000..16_200 {
        append(&server, "s", 1);
        assert_eq!(alive.next().expect("an event").id, number);
    }
    let grown = resident_bytes(&server).saturating_sub(before);
    assert!(grown < 64 << 20, "{grown} bytes more for 200 who read nothing");
    drop(dead);
    server.wait_for_listeners(1);
}

#[test]
fn a_slow_reader_gets_everything_in_order() {
    let (_data, server) = start(&[]);
    append_large(&server, "s", 40, 256 << 10);
    let mut slow = dead_reader(&server, "/streams/s?last-event-id=-1");
    slow.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let mut received = Vec::new();
    let mut buffer = vec![0; 300_000];
    for number in 40..60 {
        append(&server, "s", 1);
        let bytes = slow.read(&mut buffer).expect("some more");
        received.extend_from_slice(&buffer[..bytes]);
        assert!(!String::from_utf8_lossy(&received).contains(&format!("id: {number}\n")));
    }
    while !received.ends_with(b"\n\n\r\n") || !String::from_utf8_lossy(&received).contains("id: 59\n") {
        let bytes = slow.read(&mut buffer).expect("some more");
        assert!(bytes > 0, "it goes on");
        received.extend_from_slice(&buffer[..bytes]);
    }
    let text = String::from_utf8_lossy(&received);
    let got: Vec<u64> = text.lines().filter_map(|line| line.strip_prefix("id: ")?.parse().ok()).collect();
    assert_eq!(got, (0..60).collect::<Vec<_>>());
}

#[test]
fn a_reader_that_takes_nothing_is_cut_off_in_the_end() {
    let (_data, server) = start(&[("timeouts.stalled_reader", "500ms")]);
    append_large(&server, "s", 10, 1 << 20);
    let mut dead = dead_reader(&server, "/streams/s?last-event-id=-1");
    let mut alive = listen(&server, "/streams/s", &[]);
    dead.read_exact(&mut [0; 12]).expect("it is answered");
    // It is not the one that only has nothing to read.
    server.wait_for_listeners(1);
    append(&server, "s", 1);
    assert_eq!(alive.next().expect("an event").id, 10);
    drop(dead);
}

#[test]
fn as_many_listen_as_may_in_all_and_from_one_address() {
    for limit in ["limits.waits", "limits.waits_per_address"] {
        let (_data, server) = start(&[(limit, "2")]);
        let one = listen(&server, "/streams/s", &[]);
        let _other = listen(&server, "/streams/t", &[]);
        assert_eq!(refusal(&server, "/streams/s", &[]), (503, "too-many-waits".to_string()));
        let poll = server.get("/streams/s?wait=60", &[]);
        check(&poll, "a long poll");
        assert_eq!(poll.status, 503, "long polls wait in the same places");
        drop(one);
        server.wait_for_listeners(1);
        listen(&server, "/streams/s", &[]);
    }
    let (_data, server) = start(&[("limits.waits", "2")]);
    let started = Instant::now();
    // Whoever goes away leaves its place, again and again.
    for _ in 0..50 {
        drop(listen(&server, "/streams/s", &[]));
        while server.get("/metrics", &[]).text().contains("everfeed_listeners 2") {
            assert!(started.elapsed() < PATIENCE, "its place is free again");
        }
    }
}
