//! Every limit of size, number and time, on both sides of it. What is over one is refused, and not written.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::support::socket::{connect, rest_as_text as rest};
use crate::support::{PATIENCE, Reply, TestServer, check, exchange, request, wait_until};

const TEXT: (&str, &str) = ("Content-Type", "text/plain");

fn start(settings: &[(&str, &str)]) -> (tempfile::TempDir, TestServer) {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start_with(data.path(), settings);
    (data, server)
}

#[track_caller]
fn check_status(reply: &Reply, status: u16, what: &str) {
    check(reply, what);
    assert_eq!(reply.status, status, "{what} {}", String::from_utf8_lossy(&reply.body));
}

#[test]
fn request_lines_and_headers() {
    let (_data, server) = start(&[("limits.request_line", "256"), ("limits.head", "8 KiB"), ("limits.headers", "16")]);
    let raw = |head: String| exchange(server.address, head.as_bytes()).expect("an answer");
    let line = |bytes: usize| {
        let target = format!("/ping?{}", "x".repeat(bytes - "GET /ping? HTTP/1.1".len()));
        raw(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n"))
    };
    check_status(&line(256), 200, "a line of 256 bytes");
    check_status(&line(257), 414, "a line of 257 bytes");
    check_status(&line(60_000), 414, "a line of 60 kB");
    check_status(&line(70_000), 414, "a line that hyper does not take either");

    // With ": " and the end of the line.
    let sized = |bytes: usize| {
        let value = "x".repeat(bytes - "Host: localhost\r\n".len() - "X: \r\n".len());
        raw(format!("GET /ping HTTP/1.1\r\nHost: localhost\r\nX: {value}\r\n\r\n"))
    };
    check_status(&sized(8 << 10), 200, "headers of 8 KiB");
    check_status(&sized((8 << 10) + 1), 431, "headers of a byte more");
    check_status(&sized(200_000), 431, "headers of 200 kB");
    check_status(&sized(1_000_000), 431, "headers that hyper does not take either");

    let counted = |count: usize| {
        let headers: String = (1..count).map(|n| format!("X-{n}: y\r\n")).collect();
        raw(format!("GET /ping HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n"))
    };
    check_status(&counted(16), 200, "16 headers");
    check_status(&counted(17), 431, "17 headers");
    check_status(&counted(3_000), 431, "more headers than hyper takes");
    server.assert_no_panic();
}

#[test]
fn bodies_events_and_batches() {
    let (_data, server) = start(&[("limits.body", "1 KiB")]);
    check_status(&server.post("/streams/s", &[TEXT], &[b'x'; 1_024]), 201, "1 KiB");
    check_status(&server.post("/streams/s", &[TEXT], &[b'x'; 1_025]), 413, "a byte more");
    check_status(&server.post("/streams/s", &[TEXT], &vec![b'x'; 5 << 20]), 413, "5 MiB");

    // Without a length, and without an end: refused as soon as it is too large, and told so.
    let mut socket = connect(&server);
    write!(socket, "POST /streams/s HTTP/1.1\r\nHost: localhost\r\n").expect("it reads");
    write!(socket, "Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n").expect("it reads");
    let chunk = format!("100\r\n{}\r\n", "x".repeat(256));
    let started = std::time::Instant::now();
    while socket.write_all(chunk.as_bytes()).is_ok() {
        assert!(started.elapsed() < PATIENCE, "it stops listening");
    }
    let answer = rest(&mut socket);
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("/ui/problems/body-too-large"), "{answer}");
    assert_eq!(server.events(), 1, "nothing else was written");
    server.assert_no_panic();

    let (_data, server) = start(&[]);
    check_status(&server.post("/streams/s", &[TEXT], &vec![b'x'; 4 << 20]), 201, "an event of 4 MiB");
    check_status(&server.post("/streams/s", &[TEXT], &vec![b'x'; (4 << 20) + 1]), 413, "a byte more");
    check_status(&server.post("/streams/s", &[TEXT], &vec![b'x'; (16 << 20) + 1]), 413, "a body over 16 MiB");
    let batch = |count: usize| {
        let body = format!("[{}]", vec![r#"{"eventType":"t"}"#; count].join(","));
        server.post("/streams/b", &[("Content-Type", "application/vnd.eventstore.events+json")], body.as_bytes())
    };
    check_status(&batch(10_000), 201, "10,000 events");
    check_status(&batch(10_001), 413, "10,001 events");
    assert_eq!(server.events(), 10_001);
    server.assert_no_panic();
}

/// Sixteen bodies of 16 MiB that never end are as much as is taken; one more, and one of them is refused.
#[test]
fn all_bodies_together() {
    let (_data, server) = start(&[]);
    let length = 16 << 20;
    let begin = || {
        let mut socket = connect(&server);
        write!(socket, "POST /streams/s HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n")
            .expect("it reads");
        write!(socket, "Content-Length: {length}\r\n\r\n").expect("it reads");
        let _ = socket.write_all(&vec![b'x'; length - 1]);
        socket
    };
    let mut held: Vec<TcpStream> = (0..17).map(|_| begin()).collect();
    let started = std::time::Instant::now();
    let refused = loop {
        let mut byte = [0];
        let answered = held.iter().position(|socket| {
            socket.set_nonblocking(true).expect("it is open");
            socket.peek(&mut byte).is_ok()
        });
        if let Some(index) = answered {
            break index;
        }
        assert!(started.elapsed() < PATIENCE, "one is refused");
    };
    held[refused].set_nonblocking(false).expect("it is open");
    let answer = rest(&mut held[refused]);
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("/ui/problems/too-many-bodies"), "{answer}");
    held.clear();
    wait_until("the room is free again", || server.post("/streams/s", &[TEXT], &vec![b'x'; 4 << 20]).status == 201);
    assert_eq!(server.events(), 1);
}

#[test]
fn connections_in_all_and_from_one_address() {
    for setting in ["limits.connections", "limits.connections_per_address"] {
        let (_data, server) = start(&[(setting, "2")]);
        // Who was there just now may still have a place for a moment.
        let stay = || {
            let mut socket = connect(&server);
            write!(socket, "GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("it reads");
            let mut some = [0; 12];
            socket.read_exact(&mut some).expect("an answer");
            (&some == b"HTTP/1.1 200").then_some(socket)
        };
        let (mut first, mut second) = (None, None);
        wait_until("a first has a place", || {
            first = stay();
            first.is_some()
        });
        wait_until("a second has one, too", || {
            second = stay();
            second.is_some()
        });
        let reply = exchange(server.address, b"GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("an answer");
        check_status(&reply, 503, "a third");
        assert!(reply.text().contains("/ui/problems/too-many-connections"));
        // A place that is given up can be taken again, once the server has noticed.
        drop((first, second));
        wait_until("the places are free again", || server.get("/ping", &[]).status == 200);
    }
}

#[test]
fn waits_in_all_and_from_one_address() {
    for setting in ["limits.waits", "limits.waits_per_address"] {
        let (_data, server) = start(&[(setting, "1")]);
        std::thread::scope(|scope| {
            let first = scope.spawn(|| {
                // Whichever of the two comes first has the place; this one comes back until it does.
                loop {
                    let reply = server.get("/streams/s?wait=60", &[]);
                    if reply.status != 503 {
                        return reply;
                    }
                }
            });
            let started = std::time::Instant::now();
            loop {
                let reply = server.get("/streams/other?wait=1", &[]);
                check(&reply, "a second wait");
                if reply.status == 503 {
                    assert!(reply.text().contains("/ui/problems/too-many-waits"), "{}", reply.text());
                    break;
                }
                assert!(started.elapsed() < PATIENCE, "the first one waits");
            }
            check_status(&server.post("/streams/s", &[TEXT], b"x"), 201, "an append");
            check_status(&first.join().expect("an answer"), 200, "the first");
        });
        wait_until("the place is free again", || server.get("/streams/other?wait=1", &[]).status == 404);
    }
}

#[test]
fn the_time_for_a_head() {
    let (_data, server) = start(&[("timeouts.head", "300ms"), ("timeouts.idle", "60s")]);
    for start in ["", "G", "GET /ping HTTP/1.1\r\nHost: localhost\r\n"] {
        let mut socket = connect(&server);
        write!(socket, "{start}").expect("it is open");
        assert_eq!(rest(&mut socket), "", "closed without an answer: {start:?}");
    }
    // Bytes that drip in buy no time.
    let mut socket = connect(&server);
    let mut bytes = 0;
    while bytes < 1_000 && socket.write_all(b"G").is_ok() {
        bytes += 1;
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(bytes < 1_000, "it was closed");
    // Between requests, and while one is answered, another limit counts.
    let mut socket = connect(&server);
    let mut answer = [0; 12];
    write!(socket, "GET /streams/s?wait=1 HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("it is open");
    socket.read_exact(&mut answer).expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 404");
    std::thread::sleep(Duration::from_millis(900));
    write!(socket, "GET /ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").expect("it is open");
    assert!(rest(&mut socket).contains("HTTP/1.1 200 "));
}

#[test]
fn the_time_between_requests() {
    let (_data, server) = start(&[("timeouts.idle", "300ms")]);
    let mut socket = connect(&server);
    for _ in 0..2 {
        // A wait that is longer than the limit is no idleness.
        write!(socket, "GET /streams/s?wait=1 HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("it is open");
    }
    let answers = rest(&mut socket);
    assert_eq!(answers.matches("HTTP/1.1 404 ").count(), 2, "{answers}");
}

#[test]
fn the_time_and_the_rate_of_a_body() {
    let head =
        "POST /streams/s HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 10000000\r\n\r\n";
    for settings in [
        &[("timeouts.body", "300ms")][..],
        // The rate counts after ten seconds.
        &[("timeouts.body", "600s"), ("timeouts.body_rate", "1 MiB")],
    ] {
        let (_data, server) = start(settings);
        let mut socket = connect(&server);
        write!(socket, "{head}").expect("it is open");
        // Bytes that drip in buy no time.
        let mut drips = 0;
        while drips < 1_000 && socket.write_all(b"xxxx").is_ok() {
            drips += 1;
            std::thread::sleep(Duration::from_millis(50));
        }
        assert!(drips < 1_000, "it stops listening");
        let answer = rest(&mut socket);
        assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("/ui/problems/slow-body"), "{answer}");
        assert_eq!(server.events(), 0);
        check_status(&server.post("/streams/s", &[TEXT], b"in time"), 201, "a body in time");
    }
}

#[test]
fn the_patience_with_a_reader_that_takes_nothing() {
    let (_data, server) = start(&[("timeouts.stalled_reader", "500ms")]);
    for _ in 0..6 {
        check_status(&server.post("/streams/s", &[TEXT], &vec![b'x'; 4 << 20]), 201, "an event");
    }
    let ask = |socket: &mut TcpStream| {
        let head = "Accept: application/vnd.eventstore.events+json\r\nConnection: close\r\n\r\n";
        write!(socket, "GET /streams/s/0/forward/6 HTTP/1.1\r\nHost: localhost\r\n{head}").expect("it is open");
    };
    let mut stalled = connect(&server);
    ask(&mut stalled);
    // One who reads slowly, but reads, gets all of it.
    let mut slow = connect(&server);
    ask(&mut slow);
    let mut received = 0_u64;
    let mut buffer = vec![0; 1 << 20];
    loop {
        match slow.read(&mut buffer).expect("it is open") {
            0 => break,
            bytes => received += bytes as u64,
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(received > 24 << 20, "{received}");
    std::thread::sleep(Duration::from_secs(2));
    let cut = rest(&mut stalled).len() as u64;
    assert!(cut < 24 << 20, "{cut}: what nobody took was given up");
    server.assert_no_panic();
}

/// What one reader does not take is in memory for as long as it may be; so it counts, and others are told to come later.
#[test]
fn answers_on_their_way_together() {
    let (_data, server) = start(&[("limits.unsent", "1 MiB")]);
    for stream in ["s", "t"] {
        for _ in 0..3 {
            check_status(&server.post(&format!("/streams/{stream}"), &[TEXT], &vec![b'x'; 4 << 20]), 201, "an event");
        }
    }
    let accept = [("Accept", "application/vnd.eventstore.events+json")];
    let page = |stream: &str| server.get(&format!("/streams/{stream}/0/forward/3"), &accept);
    check_status(&page("t"), 200, "one alone is always sent");
    let mut stalled = connect(&server);
    let head = "Host: localhost\r\nAccept: application/vnd.eventstore.events+json\r\n\r\n";
    write!(stalled, "GET /streams/s/0/forward/3 HTTP/1.1\r\n{head}").expect("it reads");
    let mut byte = [0];
    stalled.peek(&mut byte).expect("it begins to come");
    let refused = page("t");
    check_status(&refused, 503, "beside one that nobody takes");
    assert!(refused.text().contains("/ui/problems/too-much-unsent"), "{}", refused.text());
    check_status(
        &server.get("/streams/t", &[("Accept", "application/vnd.eventstore.atom+json")]),
        200,
        "what is small",
    );
    let head = request(server.address, "HEAD", "/streams/t/0/forward/3", &accept, b"");
    check_status(&head, 200, "what has no body");
    drop(stalled);
    wait_until("the room is free again", || page("t").status == 200);
    server.assert_no_panic();
}

#[test]
fn compressed_bodies_are_what_they_come_to() {
    let settings = [("limits.body", "100 kB"), ("limits.compressed_body", "10 kB"), ("limits.compression_ratio", "50")];
    let (_data, server) = start(&settings);
    let zstd = |body: &[u8]| zstd::bulk::compress(body, 3).expect("memory takes every write");
    let gzip = |body: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(body).and_then(|()| encoder.finish()).expect("memory takes every write")
    };
    let post = |coding: &str, body: &[u8]| server.post("/streams/s", &[TEXT, ("Content-Encoding", coding)], body);
    // Fifteen kilobytes that come to a little more than half of it, and a hundred that come to a twentieth.
    let mut seed = 1_u64;
    let mut digit = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        b"0123456789abcdef"[(seed >> 60) as usize]
    };
    let noise: Vec<u8> = (0..15_000).map(|_| digit()).collect();
    let text = noise[..5_000].repeat(20);
    for (number, (coding, body, packed)) in
        [("zstd", &noise, zstd(&noise)), ("gzip", &noise, gzip(&noise)), ("zstd", &text, zstd(&text))]
            .iter()
            .enumerate()
    {
        assert!(packed.len() < 10_000, "{}", packed.len());
        check_status(&post(coding, packed), 201, coding);
        let read = server.get(&format!("/streams/s/{number}/data"), &[]);
        assert!(read.body == **body && read.header("content-encoding").is_none());
    }
    for (coding, body, status, kind) in [
        ("zstd", zstd(&[&text[..], b"x"].concat()), 413, "body-too-large"),
        ("zstd", vec![b'x'; 10_001], 413, "body-too-large"),
        ("gzip", gzip(&[b'x'; 90_000]), 413, "body-expands-too-far"),
        ("zstd", zstd(&[b'x'; 90_000]), 413, "body-expands-too-far"),
        ("gzip", gzip(&noise)[..5_000].to_vec(), 400, "invalid-body"),
        ("gzip", [gzip(&noise[..500]), b"x".to_vec()].concat(), 400, "invalid-body"),
        ("gzip", zstd(&noise), 400, "invalid-body"),
        ("gzip", Vec::new(), 400, "invalid-body"),
        ("br", b"x".to_vec(), 415, "unsupported-content-coding"),
        ("gzip, gzip", gzip(&gzip(b"x")), 415, "unsupported-content-coding"),
    ] {
        let refused = post(coding, &body);
        check_status(&refused, status, coding);
        assert!(refused.text().contains(&format!("/ui/problems/{kind}")), "{} {}", kind, refused.text());
        let offered = (status == 415).then_some("gzip, zstd");
        assert_eq!(refused.header("accept-encoding"), offered);
    }
    assert_eq!(server.events(), 3);
    server.assert_no_panic();
}
