//! What tells a page that there is something new: numbers, and nothing of the events.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use super::{append, page, start};
use crate::support::{PATIENCE, TestServer, check};

/// A listener, with what it was told of the answer.
fn listen(server: &TestServer, path: &str) -> (Vec<String>, impl Iterator<Item = String>) {
    let mut socket = TcpStream::connect(server.address).expect("it listens");
    socket.set_read_timeout(Some(PATIENCE)).expect("a time");
    write!(socket, "GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", server.address).expect("it is sent");
    let mut lines = BufReader::new(socket).lines().map_while(Result::ok);
    let head = lines.by_ref().take_while(|line| !line.is_empty()).map(|line| line.to_ascii_lowercase()).collect();
    (head, lines)
}

#[test]
fn a_page_hears_of_new_events_and_not_what_they_are() {
    let (_data, server) = start();
    append(&server, "/streams/s", "text/plain", "t", b"0");
    let head = page(&server, "/ui/streams/s", 200);
    assert!(head.text().contains("data-news=\"../../ui/news/s?last-event-id=0\""), "{}", head.text());
    assert!(!page(&server, "/ui/streams/s?from=0", 200).text().contains("data-news"), "nothing new would be seen");
    // What came between the page and the first question is told at once.
    append(&server, "/streams/s", "text/plain", "Canary", b"canary");
    let (head, mut lines) = listen(&server, "/ui/news/s?last-event-id=0");
    assert_eq!(head[0], "http/1.1 200 ok");
    for expected in ["content-type: text/event-stream", "cache-control: no-store", "x-accel-buffering: no"] {
        assert!(head.iter().any(|line| line == expected), "{expected} in {head:#?}");
    }
    let mut told = || {
        let lines: Vec<String> =
            lines.by_ref().take_while(|line| line.is_empty() || !line.starts_with("data:")).collect();
        assert!(!lines.concat().contains("anary"), "{lines:?}");
        lines.iter().rev().find_map(|line| line.strip_prefix("id: ")?.parse::<u64>().ok()).expect("a number")
    };
    assert_eq!(told(), 1);
    for _ in 0..50 {
        append(&server, "/streams/s", "text/plain", "Canary", b"canary");
    }
    // However many come at once, it is told seldom.
    let mut messages = 0;
    while told() != 51 {
        messages += 1;
    }
    assert!(messages < 50, "{messages}");
}

#[test]
fn whoever_may_not_read_a_stream_hears_nothing_of_it() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start_with_access(data.path(), &[], &[("bob", &[])]);
    server.set("secret", &serde_json::json!({ "$acl": { "$r": "$admins" } }));
    assert_eq!(server.append_as("admin", "secret", "{}").status, 201);
    for (user, status) in [("", 401), ("bob", 403)] {
        let reply = server.get_as(user, "/ui/news/secret", &[]);
        check(&reply, user);
        assert_eq!(reply.status, status);
    }
    let head = server.send_as("admin", "HEAD", "/ui/news/secret", &[], b"");
    assert_eq!((head.status, head.header("content-type")), (200, Some("text/event-stream")));
}
