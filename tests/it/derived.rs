//! Derived streams: paged, cached and waited for like any other, each a setting.

use crate::support::{Reply, TestServer, check, everfeed};

const ATOM: &str = "application/atom+xml";
const EVENTSTORE: &str = "application/vnd.eventstore.atom+json";
const EVENTS: &str = "application/vnd.eventstore.events+json";
const EVENT: &str = "application/vnd.eventstore.event+json";

const ALL_ON: &[(&str, &str)] = &[("derived.correlation", "true"), ("page_size", "5")];

/// Twelve events in turn over `order-1`, `order-2` and `invoice-1`.
fn fill(server: &TestServer) {
    for n in 0..12 {
        let stream = ["order-1", "order-2", "invoice-1"][n % 3];
        let event_type = if n < 3 { "Begun" } else { "Changed" };
        let metadata = if n % 2 == 0 { r#","metadata":{"$correlationId":"c 7"}"# } else { "" };
        let body = format!(r#"[{{"eventType":"{event_type}","data":{{"n":{n}}}{metadata}}}]"#);
        let reply = server.post(&format!("/streams/{stream}"), &[("Content-Type", EVENTS)], body.as_bytes());
        assert_eq!(reply.status, 201, "{}", reply.text());
    }
}

#[track_caller]
fn get(server: &TestServer, path: &str, accept: &str) -> Reply {
    let reply = server.get(path, &[("Host", "localhost:2113"), ("Accept", accept)]);
    check(&reply, &format!("{path} {accept}"));
    reply
}

/// What a page shows, oldest first: the number of each event, the stream it is of, and its place.
fn shown(server: &TestServer, path: &str) -> Vec<(u64, String, u64)> {
    let reply = get(server, path, EVENTS);
    assert_eq!(reply.status, 200, "{path}: {}", reply.text());
    let text = |value: &serde_json::Value| value.as_str().expect("a text").to_string();
    let number = |value: &serde_json::Value| value.as_u64().expect("a number");
    let events = reply.json();
    let events = events.as_array().expect("an array");
    events.iter().map(|e| (number(&e["eventNumber"]), text(&e["eventStreamId"]), number(&e["place"]))).collect()
}

fn row(number: u64, stream: &str, place: u64) -> (u64, String, u64) {
    (number, stream.to_string(), place)
}

#[test]
fn each_kind_shows_its_events_under_their_own_numbers_and_with_their_places() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start_with(data.path(), ALL_ON);
    fill(&server);
    let category = shown(&server, "/streams/$ce-order/0/forward/5");
    let expected = [(0, 1), (0, 2), (1, 1), (1, 2), (2, 1)];
    let expected: Vec<_> =
        expected.iter().zip(0..).map(|((number, of), place)| row(*number, &format!("order-{of}"), place)).collect();
    assert_eq!(category, expected);
    assert_eq!(
        shown(&server, "/streams/$et-Begun/0/forward/10"),
        [row(0, "order-1", 0), row(0, "order-2", 1), row(0, "invoice-1", 2)]
    );
    assert_eq!(shown(&server, "/streams/$streams"), shown(&server, "/streams/$et-Begun"));
    assert_eq!(shown(&server, "/streams/$bc-c%207/2/forward/2"), [row(1, "order-2", 2), row(2, "order-1", 3)]);
    assert_eq!(get(&server, "/streams/$ce-none", ATOM).status, 404);
    server.assert_no_panic();
}

#[test]
fn a_derived_stream_is_read_from_the_command_line() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start_with(data.path(), ALL_ON);
    fill(&server);
    let at = format!("http://{}", server.address);
    let read = everfeed(&["read", "$ce-order", "--from", "3", "--server", &at]).run();
    assert_eq!((read.code, read.errors.as_str()), (0, ""));
    let places = read.output.lines().map(|line| {
        let event: serde_json::Value = serde_json::from_str(line).expect("an event a line");
        event["place"].as_u64().expect("a place")
    });
    assert_eq!(places.collect::<Vec<_>>(), [3, 4, 5, 6, 7]);
}

#[test]
fn pages_are_linked_and_cached_as_those_of_any_stream() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start_with(data.path(), ALL_ON);
    fill(&server);
    let complete = get(&server, "/streams/%24ce-order/0/forward/5.atom", "*/*");
    assert_eq!(complete.header("cache-control"), Some("public, max-age=31536000, immutable"));
    let links = complete.header("link").expect("links");
    assert!(
        links.contains("<http://localhost:2113/streams/%24ce-order/5/forward/5.atom>; rel=\"previous\""),
        "{links}"
    );
    let open = get(&server, "/streams/%24ce-order/5/forward/5.atom", "*/*");
    assert_eq!(open.text().matches("<entry>").count(), 3);
    let live = "public, max-age=1, stale-while-revalidate=2, stale-if-error=86400";
    assert_eq!(open.header("cache-control"), Some(live));
    let tag = open.header("etag").expect("a tag");
    let again =
        server.get("/streams/%24ce-order/5/forward/5.atom", &[("Host", "localhost:2113"), ("If-None-Match", tag)]);
    assert_eq!(again.status, 304);
    assert!(complete.text().contains(" place=\"4\""), "{}", complete.text());
    assert!(complete.text().contains("<title>2@order-1</title>"), "{}", complete.text());

    let rich = get(&server, "/streams/$ce-order/4/backward/2?embed=rich", EVENTSTORE).json();
    let newest = &rich["entries"][0];
    assert_eq!((newest["eventNumber"].as_u64(), newest["streamId"].as_str()), (Some(2), Some("order-1")));
    assert_eq!(newest["positionEventNumber"], 4);
    assert_eq!(newest["positionStreamId"], "$ce-order");
    assert_eq!(rich["title"], "Event stream '$ce-order'");

    let event = get(&server, "/streams/$ce-order/4", EVENT).json();
    assert_eq!((event["eventStreamId"].as_str(), event["place"].as_u64()), (Some("order-1"), Some(4)));
    assert_eq!(get(&server, "/streams/$ce-order/8", EVENT).status, 404);
    let data = get(&server, "/streams/$ce-order/4/data", "*/*");
    assert_eq!(data.text(), "{\"n\":6}");
}

#[test]
fn an_event_ends_the_wait_of_whoever_waits_for_its_derived_streams() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start_with(data.path(), ALL_ON);
    fill(&server);
    for path in ["$ce-order/8/forward/5", "$et-Changed/10/forward/5", "$bc-c%207/8/forward/5", "$streams/3/forward/5"] {
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| server.get(&format!("/streams/{path}?wait=60"), &[("Accept", EVENTS)]));
            std::thread::sleep(std::time::Duration::from_millis(200));
            assert!(!waiting.is_finished(), "{path}: it waits");
            let body = br#"[{"eventType":"Changed","data":1,"metadata":{"$correlationId":"c 7"}}]"#;
            let stream = if path.starts_with("$streams") { "order-3" } else { "order-2" };
            let posted = server.post(&format!("/streams/{stream}"), &[("Content-Type", EVENTS)], body);
            assert_eq!(posted.status, 201);
            let reply = waiting.join().expect("an answer");
            check(&reply, path);
            assert!(reply.text().contains(stream), "{path}: {}", reply.text());
        });
    }
}

#[test]
fn a_kind_that_is_off_is_as_if_it_had_no_events_and_nobody_appends_to_any() {
    let data = tempfile::tempdir().expect("a directory");
    let off = [("derived.category", "false"), ("derived.streams", "false")];
    let server = TestServer::start_with(data.path(), &off);
    fill(&server);
    for path in ["/streams/$ce-order", "/streams/$ce-order/0/forward/10", "/streams/$ce-order/0", "/streams/$streams"] {
        let reply = get(&server, path, ATOM);
        assert_eq!((reply.status, reply.header("cache-control")), (404, Some("public, max-age=1")), "{path}");
    }
    assert_eq!(get(&server, "/streams/$bc-c%207", ATOM).status, 404, "it is off unless it is switched on");
    assert_eq!(shown(&server, "/streams/$et-Begun").len(), 3);
    for stream in ["$ce-order", "$et-Begun", "$streams", "$bc-x"] {
        let reply = server.post(&format!("/streams/{stream}"), &[("Content-Type", "text/plain")], b"x");
        assert_eq!(reply.status, 403, "{stream}");
    }
}

/// Sealed events need a chunk; a test makes small ones.
fn start_with_small_chunks(data: &std::path::Path, category: &str) -> TestServer {
    let mut command = TestServer::command(data, &[]);
    command.env("EVERFEED_CHUNK_EVENTS", "2000").env("EVERFEED_DERIVED__CATEGORY", category);
    TestServer::spawn(command).expect("it starts")
}

fn append_many(server: &TestServer, events: usize) {
    let body = vec![r#"{"eventType":"t","data":{}}"#; 1_000].join(",");
    for batch in 0..events / 1_000 {
        let stream = format!("/streams/order-{}", batch % 7);
        let reply = server.post(&stream, &[("Content-Type", EVENTS)], format!("[{body}]").as_bytes());
        assert_eq!(reply.status, 201, "{}", reply.text());
    }
}

#[test]
fn a_kind_that_is_switched_on_later_is_built_and_says_so_meanwhile() {
    let data = tempfile::tempdir().expect("a directory");
    let server = start_with_small_chunks(data.path(), "true");
    append_many(&server, 60_000);
    let page = "/streams/%24ce-order/31000/forward/100.atom";
    let host = ("Host", "localhost:2113");
    let before = server.get(page, &[host]);
    assert_eq!(before.status, 200);
    assert_eq!(server.stop(), Some(0));

    // As if it had never been on: its index is gone, and what sled says of it counts no longer.
    for entry in std::fs::read_dir(data.path().join("chunks")).expect("it is there") {
        let path = entry.expect("it is read").path();
        if path.extension().is_some_and(|kind| kind == "ce") {
            std::fs::remove_file(path).expect("removed");
        }
    }
    let server = start_with_small_chunks(data.path(), "false");
    assert_eq!(get(&server, "/streams/$ce-order", ATOM).status, 404);
    append_many(&server, 10_000);
    assert_eq!(server.stop(), Some(0));

    let server = start_with_small_chunks(data.path(), "true");
    let asked = std::time::Instant::now();
    let after = loop {
        let reply = server.get(page, &[host]);
        check(&reply, page);
        match reply.status {
            200 => break reply,
            503 => {
                let problem = reply.json();
                let (indexed, events) = (problem["indexed"].as_u64(), problem["events"].as_u64());
                assert!(indexed < events && problem["stream"] == "$ce-order", "{problem}");
                assert_eq!(reply.header("retry-after"), Some("5"));
            }
            status => panic!("{status}: {}", reply.text()),
        }
        assert!(asked.elapsed() < crate::support::PATIENCE, "it is never built");
    };
    assert_eq!(
        (after.text(), after.header("etag")),
        (before.text(), before.header("etag")),
        "its numbers are the same"
    );
    for line in ["derived streams are being built", "all derived streams are complete"] {
        while !server.log().iter().any(|logged| logged.contains(line)) {
            assert!(asked.elapsed() < crate::support::PATIENCE, "{line}: {:#?}", server.log());
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }
}
