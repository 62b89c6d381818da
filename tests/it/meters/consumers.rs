//! Consumers as they are seen: who reads which stream, how far, and how far behind.

use std::time::Instant;

use serde_json::{Value, json};

use super::{append, start, stats};
use crate::support::{PATIENCE, TestServer, WithAccess, everfeed, request};

fn consumers(server: &TestServer) -> Vec<Value> {
    stats(server, "/admin/stats")["consumers"].as_array().expect("a list").clone()
}

/// The one that calls itself so.
#[track_caller]
fn consumer(server: &TestServer, name: &str) -> Value {
    let all = consumers(server);
    let mut found = all.iter().filter(|consumer| consumer["name"] == name);
    let one = found.next().unwrap_or_else(|| panic!("{name} is not there: {all:#?}"));
    assert_eq!(found.next(), None, "{name} is there once");
    one.clone()
}

#[test]
fn whoever_goes_from_page_to_page_is_where_its_last_answer_ended() {
    let (_data, server) = start();
    append(&server, "orders", 0..5, &[]);
    let agent = ("User-Agent", "search/1.0");
    assert_eq!(server.get("/streams/orders/0/forward/2.atom", &[agent]).status, 200);
    let seen = consumer(&server, "search/1.0");
    assert_eq!((&seen["stream"], &seen["next"], &seen["eventsBehind"]), (&json!("orders"), &json!(2), &json!(3)));
    assert_eq!((&seen["way"], &seen["named"], &seen["user"]), (&json!("poll"), &json!(false), &Value::Null));
    assert_eq!((&seen["address"], &seen["answers"]), (&json!("127.0.0.1"), &json!(1)));
    assert!(seen["secondsBehind"].as_f64().is_some_and(|seconds| seconds > 0.0), "{seen}");

    let page = server.get("/streams/orders/2/forward/2.atom", &[agent]);
    let tag = page.header("etag").expect("a tag");
    let unchanged = server.get("/streams/orders/2/forward/2.atom", &[agent, ("If-None-Match", tag)]);
    assert_eq!(unchanged.status, 304);
    assert_eq!(consumer(&server, "search/1.0")["next"], 4, "it has what it asked whether it has changed");
    assert_eq!(server.get("/streams/orders/5/forward/20?wait=0", &[agent]).status, 200);
    let seen = consumer(&server, "search/1.0");
    assert_eq!((&seen["next"], &seen["eventsBehind"], &seen["secondsBehind"]), (&json!(5), &json!(0), &json!(0)));
    assert_eq!(seen["answers"], 4);
}

#[test]
fn what_says_nothing_of_how_far_somebody_is_makes_nobody_a_consumer() {
    let (_data, server) = start();
    append(&server, "orders", 0..5, &[]);
    for path in [
        "/streams/orders/4/backward/2",
        "/streams/orders/1",
        "/streams/orders/1/data",
        "/streams/orders/metadata",
        "/ui/streams/orders",
        "/streams/missing/0/forward/20",
    ] {
        server.get(path, &[]);
    }
    assert_eq!(request(server.address, "HEAD", "/streams/orders/0/forward/2", &[], b"").status, 200);
    assert_eq!(consumers(&server), Vec::<Value>::new());
    server.get("/streams/orders", &[]);
    let seen = &consumers(&server)[0];
    assert_eq!((&seen["name"], &seen["way"], &seen["next"]), (&json!(""), &json!("newest"), &json!(5)));
}

#[test]
fn a_name_of_its_own_tells_programs_apart_that_are_the_same() {
    let (_data, server) = start();
    append(&server, "orders", 0..5, &[]);
    let agent = ("User-Agent", "curl/8");
    for (name, count) in [("search", 2), ("reporting", 4)] {
        server.get(&format!("/streams/orders/0/forward/{count}"), &[agent, ("Everfeed-Consumer", name)]);
    }
    assert_eq!(consumer(&server, "search")["next"], 2);
    assert_eq!(consumer(&server, "reporting")["next"], 4);
    assert_eq!(consumer(&server, "reporting")["named"], true);
    assert_eq!(consumers(&server).len(), 2);
}

#[test]
fn who_follows_under_a_name_is_known_by_it() {
    let (_data, server) = start();
    append(&server, "orders", 0..5, &[]);
    let url = format!("http://{}", server.address);
    let follow =
        |name| everfeed(&["follow", "orders", "--server", &url, "--name", name, "--until-end", "--quiet"]).run();
    let run = follow("search");
    assert_eq!((run.code, run.output.lines().count()), (0, 5), "{run:?}");
    let seen = consumer(&server, "search");
    assert_eq!((&seen["next"], &seen["eventsBehind"], &seen["named"]), (&json!(5), &json!(0), &json!(true)));
    assert_eq!(follow("a\nb").code, 2, "that would be two headers");
}

#[test]
fn a_listener_is_where_it_was_sent_to() {
    let (_data, server) = start();
    append(&server, "orders", 0..5, &[]);
    let (accept, agent) = (("Accept", "text/event-stream"), ("User-Agent", "dashboard/2"));
    std::thread::scope(|scope| {
        // It goes on until the server is told to stop.
        let listening = scope.spawn(|| server.get("/streams/orders", &[accept, agent, ("Last-Event-ID", "1")]));
        let wait_until = |next: u64| {
            let started = Instant::now();
            while !consumers(&server).iter().any(|consumer| consumer["way"] == "listen" && consumer["next"] == next) {
                assert!(started.elapsed() < PATIENCE, "{:#?}", consumers(&server));
            }
        };
        wait_until(5);
        append(&server, "orders", 5..8, &[]);
        wait_until(8);
        assert_eq!(consumer(&server, "dashboard/2")["eventsBehind"], 0);
        server.terminate();
        assert_eq!(listening.join().expect("it does not panic").status, 200);
    });
}

#[test]
fn operators_are_told_of_consumers_of_streams_that_they_may_read() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start_with_access(data.path(), &[], &[("ann", &["shop"])]);
    for stream in ["open", "secret"] {
        assert_eq!(server.append_as("ann", stream, "{}").status, 201);
    }
    server.set("secret", &json!({ "$acl": { "$r": "shop" } }));
    for stream in ["open", "secret"] {
        assert_eq!(server.get_as("ann", &format!("/streams/{stream}/0/forward/20"), &[]).status, 200);
    }
    let told = |user: &str| {
        let reply = server.get_as(user, "/admin/stats", &[]);
        assert_eq!((reply.status, reply.header("cache-control")), (200, Some("no-store")));
        let mut streams = Vec::new();
        for consumer in reply.json()["consumers"].as_array().expect("a list") {
            assert_eq!(consumer["user"], "ann");
            streams.push(consumer["stream"].as_str().expect("a name").to_string());
        }
        streams.sort_unstable();
        streams
    };
    assert_eq!(told("admin"), ["open", "secret"]);
    assert_eq!(told("ops"), ["open"]);
    assert!(!server.get_as("ops", "/admin/stats", &[]).text().contains("secret"));
    for path in ["/admin/stats", "/admin/stats/seconds", "/admin/stats/minutes"] {
        assert_eq!(statuses(&server, path), [401, 403, 200, 200], "{path}");
    }
}

fn statuses(server: &WithAccess, path: &str) -> [u16; 4] {
    ["", "ann", "ops", "admin"].map(|user| server.send_as(user, "GET", path, &[], b"").status)
}
