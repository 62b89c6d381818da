//! The access log: one line for each request, if somebody wants it.

use std::time::Instant;

use serde_json::Value;

use crate::support::listener::Listener;
use crate::support::{PATIENCE, TestServer, request};

const JSON: (&str, &str) = ("Content-Type", "application/json");
const TRACE: (&str, &str) = ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");

/// The lines so far, once there are this many.
#[track_caller]
fn lines(server: &TestServer, count: usize) -> Vec<Value> {
    let started = Instant::now();
    loop {
        let lines: Vec<Value> = server
            .log()
            .iter()
            .filter(|line| line.contains("everfeed::request"))
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        if lines.len() >= count {
            assert_eq!(lines.len(), count, "{lines:#?}");
            return lines;
        }
        assert!(started.elapsed() < PATIENCE, "{count} lines: {lines:#?}");
        std::thread::yield_now();
    }
}

/// The last line of so many.
#[track_caller]
fn last(server: &TestServer, count: usize) -> Value {
    lines(server, count).pop().expect("there is one")
}

#[test]
fn a_line_tells_who_asked_for_what_and_what_came_of_it() {
    let data = tempfile::tempdir().expect("a directory");
    let settings = [("log.access", "true"), ("access.anonymous", "read")];
    let server = TestServer::start_with_access(data.path(), &settings, &[("ann", &[])]);
    // Making the user was a request as well.
    let mut count = 1;
    let mut next = |server: &TestServer| {
        count += 1;
        last(server, count)
    };
    let posted = server.post_as("ann", "/streams/a%2Fb?token=secret", &[JSON, TRACE], b"{\"n\":1}");
    assert_eq!(posted.status, 201, "{}", posted.text());
    let line = next(&server);
    for (name, value) in [
        ("level", Value::from("INFO")),
        ("message", "request".into()),
        ("method", "POST".into()),
        ("path", "/streams/a%2Fb".into()),
        ("route", "/streams/{stream}".into()),
        ("status", 201.into()),
        ("bytes", 0.into()),
        ("whole", true.into()),
        ("user", "ann".into()),
        ("client", "127.0.0.1".into()),
        ("trace", "0af7651916cd43dd8448eb211c80319c".into()),
    ] {
        assert_eq!(line[name], value, "{name}: {line}");
    }
    assert!(line["micros"].is_u64() && line["peer"].as_str().is_some_and(|peer| peer.starts_with("127.0.0.1:")));
    assert!(!line.to_string().contains("secret"), "{line}");

    let page = "/streams/a%2Fb/0/forward/1.atom";
    for cache in ["miss", "hit"] {
        let reply = server.get_as("ann", page, &[]);
        assert_eq!(reply.status, 200, "{}", reply.text());
        let line = next(&server);
        assert_eq!((&line["status"], &line["cache"]), (&200.into(), &cache.into()), "{line}");
        assert_eq!(line["bytes"], reply.body.len(), "{line}");
        assert_eq!(
            (line["route"].as_str(), line.get("trace")),
            (Some("/streams/{stream}/{number}/forward/{count}"), None)
        );
    }
    let tag = server.get_as("ann", page, &[]).header("etag").map(str::to_string).expect("a tag");
    next(&server);
    assert_eq!(server.get_as("ann", page, &[("If-None-Match", &tag)]).status, 304);
    let line = next(&server);
    assert_eq!((&line["status"], &line["bytes"], line.get("cache")), (&304.into(), &0.into(), None), "{line}");

    let refused = request(server.address, "GET", "/streams/a%2Fb", &[("Authorization", "Basic eDp5")], b"");
    assert_eq!(refused.status, 401);
    let line = next(&server);
    assert_eq!((&line["status"], line.get("user")), (&401.into(), None), "{line}");
    assert_eq!(line["request"], refused.json()["requestId"], "the name by which a problem is found");
    assert_eq!(server.get("/nowhere", &[]).status, 404);
    assert_eq!(next(&server).get("route"), None);
}

#[test]
fn what_was_given_up_is_a_line_when_it_is() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start_with(data.path(), &[("log.access", "true")]);
    assert_eq!(server.post("/streams/s", &[JSON], b"1").status, 201);
    lines(&server, 1);
    let mut listener = Listener::open(server.address, "/streams/s", &[("Last-Event-ID", "-1")]);
    assert!(listener.next().is_some());
    assert_eq!(lines(&server, 1).len(), 1, "it goes on");
    drop(listener);
    let line = last(&server, 2);
    assert_eq!((&line["status"], &line["whole"]), (&200.into(), &false.into()), "{line}");
    assert!(line["bytes"].as_u64().is_some_and(|bytes| bytes > 0), "{line}");
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn it_is_off_unless_it_is_asked_for() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start_with(data.path(), &[("log.level", "debug")]);
    assert_eq!(server.get("/ping", &[]).status, 200);
    assert_eq!(server.get("/info", &[]).status, 200);
    // The last line of the log comes after all that there would have been.
    server.terminate();
    server.logged("stopped");
    assert!(server.log().iter().all(|line| !line.contains("everfeed::request")), "{:#?}", server.log());
}
