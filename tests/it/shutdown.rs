//! Stopping: nothing new begins, what is under way comes to its end, and nothing that was acknowledged is lost.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::support::socket::{connect, rest_as_text as rest};
use crate::support::{TestServer, wait_until};

const TEXT: (&str, &str) = ("Content-Type", "text/plain");

/// Returns once the server has said that it is stopping.
fn terminate(server: &TestServer) {
    server.terminate();
    wait_until("it stops", || server.log().iter().any(|line| line.contains("stopping")));
}

#[test]
fn whoever_waits_is_answered_at_once_and_nobody_new_is_served() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(data.path(), &[]);
    assert_eq!(server.post("/streams/s", &[TEXT], b"x").status, 201);
    let mut waiting: Vec<TcpStream> = ["/streams/s/1/forward/10", "/streams/none", "/streams/%24all/1/forward/10.atom"]
        .iter()
        .map(|path| {
            let mut socket = connect(&server);
            write!(socket, "GET {path}?wait=60 HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("it reads");
            socket
        })
        .collect();
    let mut idle = connect(&server);
    write!(idle, "GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("it reads");
    let mut some = [0; 12];
    idle.read_exact(&mut some).expect("an answer");
    std::thread::sleep(Duration::from_millis(200));

    let told = Instant::now();
    terminate(&server);
    let statuses: Vec<String> = waiting.iter_mut().map(|socket| rest(socket)[9..12].to_string()).collect();
    assert_eq!(statuses, ["200", "404", "200"]);
    rest(&mut idle);
    let address = server.address;
    assert_eq!(server.wait(), Some(0));
    assert!(told.elapsed() < Duration::from_secs(20), "well before the waits would have ended");
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn an_append_under_way_is_finished_and_there_after_the_next_start() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(data.path(), &[]);
    let mut appending = connect(&server);
    let head = "Host: localhost\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\n";
    write!(appending, "POST /streams/s HTTP/1.1\r\n{head}ab").expect("it reads");
    std::thread::sleep(Duration::from_millis(200));
    terminate(&server);
    appending.write_all(b"cd").expect("it still listens");
    let answer = rest(&mut appending);
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    assert_eq!(server.wait(), Some(0));

    let server = TestServer::start(data.path(), &[]);
    assert_eq!(server.get("/streams/s/0/data", &[]).body, b"abcd");
    let log = server.log().join("\n");
    assert!(log.contains("\"replayed_events\"") && !log.contains("WARN"), "it opens clean: {log}");
}

#[test]
fn many_appends_under_way_are_finished_or_not_acknowledged() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(data.path(), &[]);
    let address = server.address;
    let acknowledged: Vec<u64> = std::thread::scope(|scope| {
        let producers: Vec<_> = (0..8)
            .map(|producer| {
                scope.spawn(move || {
                    let mut socket = TcpStream::connect(address).expect("it listens");
                    let path = format!("POST /streams/s{producer} HTTP/1.1\r\n");
                    let request =
                        format!("{path}Host: localhost\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n\r\nx");
                    let (mut count, mut answer) = (0, [0; 4096]);
                    while socket.write_all(request.as_bytes()).is_ok() {
                        match socket.read(&mut answer) {
                            Ok(bytes) if answer[..bytes].starts_with(b"HTTP/1.1 201 ") => count += 1,
                            _ => break,
                        }
                    }
                    count
                })
            })
            .collect();
        std::thread::sleep(Duration::from_millis(500));
        terminate(&server);
        producers.into_iter().map(|producer| producer.join().expect("it ends")).collect()
    });
    assert_eq!(server.wait(), Some(0));
    assert!(acknowledged.iter().all(|count| *count > 0), "{acknowledged:?}");
    let server = TestServer::start(data.path(), &[]);
    for (producer, count) in acknowledged.iter().enumerate() {
        let last = server.get(&format!("/streams/s{producer}/{}", count - 1), &[]);
        assert_eq!(last.status, 200, "all {count} of producer {producer} are there");
    }
}

#[test]
fn what_does_not_end_is_ended_after_the_time_for_it() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start_with(data.path(), &[("timeouts.drain", "500ms"), ("timeouts.body", "600s")]);
    let mut endless = connect(&server);
    let head = "Host: localhost\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\n";
    write!(endless, "POST /streams/s HTTP/1.1\r\n{head}ab").expect("it reads");
    std::thread::sleep(Duration::from_millis(200));
    let told = Instant::now();
    server.terminate();
    assert_eq!(server.wait(), Some(0));
    assert!(told.elapsed() < Duration::from_secs(20));
    let server = TestServer::start(data.path(), &[]);
    assert_eq!(server.events(), 0);
}

#[test]
fn readiness_says_whether_writes_are_taken_and_why_not() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(data.path(), &[]);
    let ready = server.get("/health/ready", &[]);
    assert_eq!(ready.status, 200);
    let told = |ready: &crate::support::Reply| {
        let ready = ready.json();
        ["ready", "read_only", "reason"].map(|name| ready[name].clone())
    };
    assert_eq!(told(&ready), [true.into(), false.into(), serde_json::Value::Null]);
    assert_eq!(server.post("/streams/s", &[TEXT], b"x").status, 201);
    // While it drains it says so to whoever holds a connection; nobody else gets one.
    let mut held = connect(&server);
    let mut waiting = connect(&server);
    let head = "Host: localhost\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n\r\n";
    write!(waiting, "POST /streams/s HTTP/1.1\r\n{head}").expect("it reads");
    write!(held, "GET /health/ready HTTP/1.1\r\nHost: localhost\r\n").expect("it reads");
    std::thread::sleep(Duration::from_millis(200));
    terminate(&server);
    let _ = write!(held, "\r\n");
    let answer = rest(&mut held);
    assert!(answer.is_empty() || answer.contains("the server is shutting down"), "{answer}");
    waiting.write_all(b"x").expect("it still listens");
    rest(&mut waiting);
    assert_eq!(server.wait(), Some(0));

    for (settings, reason) in [
        (("read_only", "true"), "the setting read_only is on"),
        (("disk.floor", "1048576 MiB"), "the disk is nearly full"),
    ] {
        let server = TestServer::start_with(data.path(), &[settings]);
        let ready = server.get("/health/ready", &[]);
        assert_eq!(ready.status, 503, "{reason}");
        assert_eq!(told(&ready), [false.into(), true.into(), serde_json::Value::from(reason)]);
        assert_eq!(server.get("/health/live", &[]).status, 200);
        assert_eq!(server.get("/streams/s/0/data", &[]).body, b"x", "reads go on");
        assert!(matches!(server.post("/streams/s", &[TEXT], b"x").status, 503 | 507));
        assert_eq!(server.stop(), Some(0));
    }
}
