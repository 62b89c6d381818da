//! `traceparent`: kept with each event, told in the representations that have a place for it, and a part of nothing else.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::listener::Listener;
use crate::support::store::chunk_files;
use crate::support::{PATIENCE, Reply, TestServer, check, everfeed};

const JSON: (&str, &str) = ("Content-Type", "application/json");
const LINES: (&str, &str) = ("Content-Type", "application/x-ndjson");
const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const OTHER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

fn start() -> (tempfile::TempDir, TestServer) {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(data.path(), &[]);
    (data, server)
}

#[track_caller]
fn append(server: &TestServer, stream: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    let reply = server.post(&format!("/streams/{stream}"), headers, body.as_bytes());
    check(&reply, stream);
    assert_eq!(reply.status, 201, "{}", reply.text());
    reply
}

/// The lines of a stream.
#[track_caller]
fn lines(server: &TestServer, stream: &str) -> Vec<Value> {
    let page = server.get(&format!("/streams/{stream}/0/forward/100.ndjson"), &[]);
    assert_eq!(page.status, 200, "{}", page.text());
    page.text().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn traces(server: &TestServer, stream: &str) -> Vec<Option<String>> {
    lines(server, stream).iter().map(|line| line["traceparent"].as_str().map(str::to_string)).collect()
}

#[test]
fn an_event_that_came_in_a_trace_says_so_where_there_is_a_place_for_it() {
    let (_data, server) = start();
    append(&server, "s", &[JSON, ("traceparent", TRACE)], "{\"order\":1}");
    append(&server, "s", &[JSON], "{\"order\":1}");
    assert_eq!(traces(&server, "s"), [Some(TRACE.to_string()), None]);
    assert_eq!(lines(&server, "s")[0].get("metadata"), None, "what its producer said stays as it was");

    let get = |path: &str, accept: &str| {
        let reply = server.get(path, &[("Accept", accept)]);
        check(&reply, path);
        assert_eq!(reply.status, 200, "{path}");
        reply.text().to_string()
    };
    let atom = get("/streams/s/0.atom", "*/*");
    assert!(atom.contains(&format!(" position=\"0\" traceparent=\"{TRACE}\"/>")), "{atom}");
    let event: Value = serde_json::from_str(&get("/streams/s/0", "application/cloudevents+json")).expect("JSON");
    assert_eq!(event["traceparent"], TRACE);
    assert_eq!(event.get("evfmetadata"), None);
    let binary = server.get("/streams/s/0/data", &[]);
    assert_eq!(binary.header("ce-traceparent"), Some(TRACE));
    let mut listener = Listener::open(server.address, "/streams/s", &[("Last-Event-ID", "-1")]);
    let told: Value = serde_json::from_str(&listener.next().expect("an event").data).expect("JSON");
    assert_eq!(told["traceparent"], TRACE);
    // EventStore's own documents have no word for it, and an event without a trace says nothing of one.
    for (path, accept) in [
        ("/streams/s/0", "application/vnd.eventstore.atom+json"),
        ("/streams/s/0", "application/vnd.eventstore.event+json"),
        ("/streams/s/0?embed=tryharder", "application/vnd.eventstore.atom+json"),
        ("/streams/s/1.atom", "*/*"),
        ("/streams/s/1", "application/cloudevents+json"),
        ("/streams/s/1.ndjson", "*/*"),
    ] {
        assert!(!get(path, accept).contains("traceparent"), "{path} {accept}");
    }
}

#[test]
fn a_repeat_may_come_in_another_trace_and_the_first_one_stays() {
    let (_data, server) = start();
    let id = ("ES-EventId", "0190c6a4-7b1e-7f5e-9a52-000000000001");
    let first = append(&server, "s", &[JSON, id, ("traceparent", TRACE)], "1");
    for again in [&[JSON, id, ("traceparent", OTHER)][..], &[JSON, id]] {
        let reply = append(&server, "s", again, "1");
        assert_eq!(reply.header("everfeed-repeat"), Some("true"));
        assert_eq!(reply.header("location"), first.header("location"));
    }
    assert_eq!(traces(&server, "s"), [Some(TRACE.to_string())]);
}

#[test]
fn what_says_nothing_that_counts_is_passed_over() {
    let (_data, server) = start();
    for header in ["", "nonsense", &TRACE.to_uppercase(), "00-00000000000000000000000000000000-b7ad6b7169203331-01"] {
        append(&server, "s", &[JSON, ("traceparent", header)], "1");
    }
    append(&server, "s", &[JSON, ("traceparent", TRACE), ("traceparent", OTHER)], "1");
    append(&server, "s", &[LINES], "{\"type\":\"t\",\"data\":1,\"traceparent\":\"nonsense\"}\n");
    append(&server, "s", &[LINES], "{\"type\":\"t\",\"data\":1,\"traceparent\":7}\n");
    assert_eq!(traces(&server, "s"), [const { None }; 7]);
}

#[test]
fn of_many_events_each_has_that_of_the_request_unless_it_says_its_own() {
    let (_data, server) = start();
    let batch = r#"[{"eventType":"t","data":1},{"eventType":"t","data":2}]"#;
    let eventstore = ("Content-Type", "application/vnd.eventstore.events+json");
    append(&server, "batch", &[eventstore, ("traceparent", TRACE)], batch);
    assert_eq!(traces(&server, "batch"), [Some(TRACE.to_string()), Some(TRACE.to_string())]);

    let own = format!("{{\"type\":\"t\",\"data\":1,\"traceparent\":\"{OTHER}\"}}\n{{\"type\":\"t\",\"data\":2}}\n");
    append(&server, "lines", &[LINES, ("traceparent", TRACE)], &own);
    assert_eq!(traces(&server, "lines"), [Some(OTHER.to_string()), Some(TRACE.to_string())]);

    // What an event says of itself is kept as it was told, and counts more than who carried it here.
    let event = |trace: &str| format!(r#"{{"specversion":"1.0","id":"1","source":"/s","type":"t"{trace},"data":1}}"#);
    let cloudevent = ("Content-Type", "application/cloudevents+json");
    let said = format!(",\"traceparent\":\"{OTHER}\"");
    append(&server, "said", &[cloudevent, ("traceparent", TRACE)], &event(&said));
    append(&server, "unsaid", &[cloudevent, ("traceparent", TRACE)], &event(""));
    append(&server, "odd", &[cloudevent, ("traceparent", TRACE)], &event(",\"traceparent\":\"odd\""));
    for (stream, stored, shown) in [("said", OTHER, OTHER), ("unsaid", TRACE, TRACE), ("odd", TRACE, "odd")] {
        assert_eq!(traces(&server, stream), [Some(stored.to_string())], "{stream}");
        let reply = server.get(&format!("/streams/{stream}/0"), &[("Accept", "application/cloudevents+json")]);
        assert_eq!(reply.json()["traceparent"], shown, "{stream}");
    }
}

#[test]
fn it_outlives_sealing_giving_space_back_a_repair_an_export_and_an_import() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name).to_str().expect("UTF-8").to_string();
    let serve = |name: &str| {
        let mut command = TestServer::command(dir.path().join(name).as_path(), &[]);
        command.env("EVERFEED_CHUNK_EVENTS", "20");
        TestServer::spawn(command).unwrap_or_else(|log| panic!("the server did not start: {log:#?}"))
    };
    let server = serve("data");
    let url = format!("http://{}", server.address);
    let trace = |n: usize| format!("00-{:032x}-{:016x}-01", n + 1, n + 1);
    for n in 0..50 {
        for stream in ["s", "cut"] {
            append(&server, stream, &[JSON, ("traceparent", &trace(n))], &n.to_string());
        }
    }
    append(&server, "cut/metadata", &[JSON], r#"{"$tb":40}"#);
    let started = Instant::now();
    while chunk_files(&dir.path().join("data")).len() < 4 {
        assert!(started.elapsed() < PATIENCE, "nothing is sealed");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(everfeed(&["scavenge", "--wait", "--server", &url]).run().code, 0);
    let expected: Vec<Option<String>> = (0..50).map(|n| Some(trace(n))).collect();
    assert_eq!(traces(&server, "s"), expected);
    assert_eq!(traces(&server, "cut")[..], expected[40..], "and what is gone takes it along");
    let pages: Vec<String> = ["s", "cut", "%24all"]
        .map(|stream| server.get(&format!("/streams/{stream}/0/forward/100.ndjson"), &[]).text().to_string())
        .into();

    assert_eq!(everfeed(&["export", &path("log.ndjson"), "--server", &url]).run().code, 0);
    assert_eq!(server.stop(), Some(0));
    assert_eq!(everfeed(&["repair", "--data", &path("data"), "--into", &path("repaired")]).run().code, 0);
    assert_eq!(everfeed(&["import", &path("log.ndjson"), "--data", &path("imported")]).run().code, 0);
    for name in ["data", "repaired", "imported"] {
        let server = serve(name);
        for (stream, page) in ["s", "cut", "%24all"].iter().zip(&pages) {
            let read = server.get(&format!("/streams/{stream}/0/forward/100.ndjson"), &[]);
            assert_eq!(read.text(), page, "{name}: {stream}");
        }
    }
}
