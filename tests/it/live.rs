//! Waiting for the next event: answered as soon as it is there, or with the quiet answer at the end.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::support::{PATIENCE, Reply, TestServer, check, request, wait_until};

const ATOM: &str = "application/atom+xml";

/// Well before the end of any wait here that is meant to be cut short.
const SOON: Duration = Duration::from_secs(20);

fn start() -> (tempfile::TempDir, TestServer) {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(data.path(), &[]);
    append(&server, "s");
    (data, server)
}

fn append(server: &TestServer, stream: &str) {
    let reply = server.post(&format!("/streams/{stream}"), &[("Content-Type", "text/plain")], b"x");
    assert_eq!(reply.status, 201, "{}", reply.text());
}

/// Asks, appends once the request waits, and gives the answer.
fn wait_and_append(server: &TestServer, path: &str, headers: &[(&str, &str)], to: &str) -> Reply {
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let asked = Instant::now();
            let reply = server.get(path, headers);
            assert!(asked.elapsed() < SOON, "{path}: it did not wait for the end");
            reply
        });
        // Whether the append comes before or after the request, the answer is the same; this makes it after.
        std::thread::sleep(Duration::from_millis(200));
        assert!(!waiting.is_finished(), "{path} {headers:?}: it waits");
        append(server, to);
        let reply = waiting.join().expect("an answer");
        check(&reply, path);
        reply
    })
}

#[test]
fn a_wait_ends_with_the_event_in_each_of_its_three_ways() {
    let (_data, server) = start();
    let mut next = 1;
    for (query, header) in [
        ("?wait=60", None),
        ("?wait=999999999999999999999999", None),
        ("", Some(("ES-LongPoll", "60"))),
        ("", Some(("Kurrent-LongPoll", "60"))),
        ("", Some(("Prefer", "wait=60"))),
        ("", Some(("Prefer", "respond-async, wait=\"60\""))),
    ] {
        for accept in [ATOM, "application/vnd.eventstore.atom+json", "application/vnd.eventstore.events+json"] {
            let path = format!("/streams/s/{next}/forward/10{query}");
            let mut headers = vec![("Accept", accept)];
            headers.extend(header);
            let reply = wait_and_append(&server, &path, &headers, "s");
            assert_eq!((reply.status, reply.header("cache-control")), (200, Some("no-store")), "{path} {header:?}");
            assert!(reply.header("etag").is_some());
            let text = reply.text();
            let is_in_it = text.contains(&format!("{next}@s")) || text.contains(&format!("\"eventNumber\":{next},"));
            assert!(is_in_it, "{path}: {text}");
            next += 1;
        }
    }
}

#[test]
fn whoever_has_the_head_waits_for_another() {
    let (_data, server) = start();
    for accept in [ATOM, "application/vnd.eventstore.atom+json", "application/json"] {
        let before = server.get("/streams/s", &[("Accept", accept)]);
        let tag = before.header("etag").expect("a tag");
        let reply = wait_and_append(&server, "/streams/s?wait=60", &[("Accept", accept), ("If-None-Match", tag)], "s");
        assert_eq!((reply.status, reply.header("cache-control")), (200, Some("no-store")));
        assert_ne!(reply.header("etag"), Some(tag));
    }
}

#[test]
fn whoever_is_too_early_waits_for_the_first() {
    let (_data, server) = start();
    for path in ["/streams/new1", "/streams/new2/0/forward/10"] {
        let stream = path.split('/').nth(2).expect("a stream").to_string();
        let reply = wait_and_append(&server, &format!("{path}?wait=60"), &[], &stream);
        assert_eq!((reply.status, reply.header("cache-control")), (200, Some("no-store")));
    }
}

#[test]
fn the_whole_log_can_be_waited_for() {
    let (_data, server) = start();
    for (path, stream) in [("/streams/$all/1/forward/10", "a"), ("/streams/%24all/2/forward/10.atom", "b")] {
        let reply = wait_and_append(&server, &format!("{path}?wait=60"), &[], stream);
        assert!(reply.text().contains(&format!("/streams/{stream}/0")), "{}", reply.text());
    }
    let path = "/streams/$all/00000000000000030000000000000003/forward/10";
    let headers = [("Accept", "application/vnd.eventstore.atom+json"), ("ES-LongPoll", "60")];
    let reply = wait_and_append(&server, path, &headers, "c");
    assert_eq!(reply.json()["entries"].as_array().map(Vec::len), Some(1));
}

#[test]
fn an_event_elsewhere_ends_no_wait() {
    let (_data, server) = start();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| server.get("/streams/s/1/forward/10?wait=2", &[]));
        while !waiting.is_finished() {
            append(&server, "elsewhere");
        }
        let reply = waiting.join().expect("an answer");
        check(&reply, "a wait");
        assert!(!reply.text().contains("<entry>"), "{}", reply.text());
    });
}

#[test]
fn a_wait_without_events_ends_with_the_quiet_answer() {
    let (_data, server) = start();
    let tag = server.get("/streams/s", &[]).header("etag").expect("a tag").to_string();
    let asked = Instant::now();
    for (path, headers, status) in [
        ("/streams/s/1/forward/10", &[][..], 200),
        ("/streams/s", &[("If-None-Match", tag.as_str())][..], 304),
        ("/streams/none", &[], 404),
        ("/streams/none/0/forward/10", &[], 404),
    ] {
        let quiet = server.get(path, headers);
        let reply = server.get(&format!("{path}?wait=1"), headers);
        check(&reply, path);
        assert_eq!((reply.status, reply.header("cache-control")), (status, Some("no-store")), "{path}");
        assert_eq!((quiet.status, quiet.header("etag")), (reply.status, reply.header("etag")), "{path}");
        if status == 200 {
            assert_eq!(quiet.body, reply.body);
        }
    }
    assert!(asked.elapsed() >= Duration::from_secs(4), "each of them waited");
}

#[test]
fn what_is_there_already_is_sent_at_once() {
    let (_data, server) = start();
    let asked = Instant::now();
    let headers = [("Prefer", "wait=60"), ("ES-LongPoll", "60")];
    for path in [
        "/streams/s",
        "/streams/s?wait=60",
        "/streams/s/0/forward/10?wait=60",
        "/streams/s/0/forward/1?wait=60",
        "/streams/s/head/backward/10?wait=60",
        "/streams/%24all?wait=60",
        // These never wait.
        "/streams/s/0?wait=60",
        "/streams/s/7?wait=60",
        "/streams/s/0/data?wait=60",
        "/streams/none/0?wait=60",
        "/ping?wait=60",
    ] {
        check(&server.get(path, &headers), path);
    }
    let complete = server.get("/streams/s/0/forward/1", &[]);
    let tag = complete.header("etag").expect("a tag");
    let reply = server.get("/streams/s/0/forward/1?wait=60", &[("If-None-Match", tag)]);
    assert_eq!(reply.status, 304, "a complete page never changes, so nothing is waited for");
    for path in ["/streams/s/1/forward/10?wait=60", "/streams/none?wait=60", "/streams/s?wait=60"] {
        let reply = request(server.address, "HEAD", path, &[("If-None-Match", "*")], b"");
        check(&reply, path);
        assert_eq!(reply.header("cache-control"), Some("no-store"), "HEAD has the headers of GET");
    }
    assert!(asked.elapsed() < SOON, "nothing waited");
}

#[test]
fn times_that_mean_nothing_are_refused_or_passed_over() {
    let (_data, server) = start();
    for (path, header) in [
        ("/streams/s?wait=soon", ("X", "y")),
        ("/streams/s?wait=1.5", ("X", "y")),
        ("/streams/s?wait=-1", ("X", "y")),
        ("/streams/s?wait=+1", ("X", "y")),
        ("/streams/s", ("ES-LongPoll", "0")),
        ("/streams/s", ("ES-LongPoll", "soon")),
        ("/streams/s", ("Kurrent-LongPoll", "-1")),
        ("/streams/s", ("ES-LongPoll", "")),
    ] {
        let reply = server.get(path, &[header]);
        check(&reply, path);
        assert_eq!(reply.status, 400, "{path} {header:?}");
    }
    let both = [("ES-LongPoll", "1"), ("Kurrent-LongPoll", "2")];
    assert_eq!(server.get("/streams/s", &both).status, 400, "they contradict each other");
    // RFC 7240 §2: a preference that cannot be read is as good as none.
    for preference in ["wait=soon", "wait", "wait=", "wait=-1", "nothing"] {
        let reply = server.get("/streams/s/1/forward/10", &[("Prefer", preference)]);
        assert_eq!(reply.status, 200, "{preference}");
        assert_ne!(reply.header("cache-control"), Some("no-store"), "{preference}");
    }
}

#[test]
fn a_waiter_that_goes_away_is_forgotten() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start_with(data.path(), &[("limits.waits", "5")]);
    append(&server, "s");
    for _ in 0..50 {
        let mut socket = TcpStream::connect(server.address).expect("it listens");
        write!(socket, "GET /streams/s/1/forward/10?wait=60 HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("it reads");
    }
    wait_until("their places are free again", || server.get("/streams/s/1/forward/10?wait=1", &[]).status != 503);
}

#[test]
fn hundreds_who_wait_are_all_told() {
    let (_data, server) = start();
    let mut waiting: Vec<TcpStream> = (0..500)
        .map(|_| {
            let mut socket = TcpStream::connect(server.address).expect("it listens");
            socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
            let head = "Host: localhost\r\nConnection: close\r\n\r\n";
            write!(socket, "GET /streams/s/1/forward/10.atom?wait=60 HTTP/1.1\r\n{head}").expect("it reads");
            socket
        })
        .collect();
    append(&server, "s");
    for socket in &mut waiting {
        let mut answer = String::new();
        socket.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("1@s"), "{answer}");
    }
    server.assert_no_panic();
}
