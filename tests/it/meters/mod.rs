//! What a server says of itself: in OpenMetrics for programs, as JSON for operators, on a screen for whoever looks.

mod board;
mod consumers;
mod top;

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::{Value, json};

use crate::support::{PATIENCE, TestServer, check, request};

const EVENTS: (&str, &str) = ("Content-Type", "application/vnd.eventstore.events+json");

fn start() -> (tempfile::TempDir, TestServer) {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(data.path(), &[]);
    (data, server)
}

/// Appends so many events at once, with ids that follow from their numbers.
fn append(server: &TestServer, stream: &str, numbers: std::ops::Range<u32>, headers: &[(&str, &str)]) -> u16 {
    let event = |number: u32| {
        let id = format!("00000000-0000-4000-8000-{number:012}");
        json!({ "eventId": id, "eventType": "T", "data": { "number": number } })
    };
    let body = Value::Array(numbers.map(event).collect()).to_string();
    server.post(&format!("/streams/{stream}"), &[&[EVENTS], headers].concat(), body.as_bytes()).status
}

/// Every sample of `/metrics`, by its name with its labels.
fn metrics(server: &TestServer) -> BTreeMap<String, f64> {
    let reply = server.get("/metrics", &[]);
    check(&reply, "/metrics");
    let lines = reply.text().lines().filter(|line| !line.starts_with('#'));
    let sample = |line: &str| {
        let (name, value) = line.rsplit_once(' ').expect("a name and a value");
        (name.to_string(), value.parse().expect("a number"))
    };
    lines.map(sample).collect()
}

fn stats(server: &TestServer, path: &str) -> Value {
    let reply = server.get(path, &[]);
    check(&reply, path);
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

#[test]
fn metrics_tell_what_happened_and_stats_tell_the_same() {
    let (_data, server) = start();
    assert_eq!(append(&server, "orders", 0..3, &[]), 201);
    assert_eq!(append(&server, "orders", 3..4, &[]), 201);
    assert_eq!(append(&server, "orders", 0..3, &[]), 201, "a repeat");
    assert_eq!(append(&server, "orders", 8..9, &[("ES-ExpectedVersion", "7")]), 400);
    let page = "/streams/orders/0/forward/2.atom";
    let first = server.get(page, &[]);
    assert_eq!(server.get(page, &[]).body, first.body);
    let tag = first.header("etag").expect("a tag");
    assert_eq!(server.get(page, &[("If-None-Match", tag)]).status, 304);
    assert_eq!(server.get("/streams/missing", &[]).status, 404);
    assert_eq!(server.get("/streams/orders/1/data", &[]).status, 200);
    assert_eq!(request(server.address, "DELETE", "/streams/orders", &[], b"").status, 204);

    let now = metrics(&server);
    let is = |name: &str, value: f64| assert_eq!(now.get(name), Some(&value), "{name}");
    // The fifth is the settings that say that the stream is deleted.
    is("everfeed_events_total", 5.0);
    is("everfeed_appended_events_total", 5.0);
    assert!(now["everfeed_appended_bytes_total"] >= (4 * "{\"number\":0}".len()) as f64);
    is("everfeed_appends_total{outcome=\"written\"}", 3.0);
    is("everfeed_appends_total{outcome=\"repeated\"}", 1.0);
    is("everfeed_appends_total{outcome=\"refused\"}", 1.0);
    is("everfeed_appends_total{outcome=\"failed\"}", 0.0);
    is("everfeed_append_seconds_count", 5.0);
    is("everfeed_append_seconds_bucket{le=\"+Inf\"}", 5.0);
    is("everfeed_sync_seconds_count", now["everfeed_group_events_count"]);
    is("everfeed_group_events_sum", 5.0);
    is("everfeed_group_bytes_count", now["everfeed_group_events_count"]);
    is("everfeed_tail_events", 5.0);
    is("everfeed_requests_total{resource=\"append\",status=\"2xx\"}", 3.0);
    is("everfeed_requests_total{resource=\"append\",status=\"4xx\"}", 1.0);
    is("everfeed_requests_total{resource=\"page\",status=\"2xx\"}", 2.0);
    is("everfeed_requests_total{resource=\"page\",status=\"3xx\"}", 1.0);
    is("everfeed_requests_total{resource=\"head\",status=\"4xx\"}", 1.0);
    is("everfeed_requests_total{resource=\"event\",status=\"2xx\"}", 1.0);
    is("everfeed_requests_total{resource=\"delete\",status=\"2xx\"}", 1.0);
    is("everfeed_request_seconds_count{resource=\"page\"}", 3.0);
    is("everfeed_not_modified_total", 1.0);
    is("everfeed_page_cache_misses_total", 1.0);
    is("everfeed_page_cache_hits_total", 1.0);
    is("everfeed_refused_total{problem=\"stream-not-found\"}", 1.0);
    is("everfeed_refused_total{problem=\"wrong-expected-version\"}", 1.0);
    assert!(now["everfeed_response_bytes_total"] >= 2.0 * first.body.len() as f64);
    assert!(now["everfeed_accepted_connections_total"] >= 11.0 && now["everfeed_connections"] >= 1.0);
    is("everfeed_writable", 1.0);
    is("everfeed_replica", 0.0);
    assert!(now["process_start_time_seconds"] > 1.7e9);

    let said = stats(&server, "/admin/stats");
    let appends = &said["appends"];
    assert_eq!(appends["outcomes"], json!({ "written": 3, "repeated": 1, "refused": 1, "failed": 0 }));
    assert_eq!((&appends["events"], &appends["micros"]["count"]), (&json!(5), &json!(5)));
    assert_eq!(appends["groupEvents"]["count"], appends["syncMicros"]["count"]);
    assert!(appends["micros"]["p99"].as_f64() >= appends["micros"]["p50"].as_f64());
    assert_eq!(said["requests"]["byResource"]["page"]["3xx"], 1);
    assert_eq!(said["readers"]["pageCache"]["hits"], 1);
    assert_eq!(said["storage"]["events"], 5);
    assert_eq!(said["problems"]["counts"], json!({ "stream-not-found": 1, "wrong-expected-version": 1 }));
    assert_eq!(said["problems"]["recent"], json!([]), "nobody who runs the server has to mend any of these");
    server.assert_no_panic();
}

#[test]
fn what_the_system_says_and_what_came_second_by_second_is_kept() {
    let (_data, server) = start();
    assert_eq!(append(&server, "orders", 0..7, &[]), 201);
    let started = Instant::now();
    let seconds = loop {
        let seconds = stats(&server, "/admin/stats/seconds");
        let all: u64 = seconds["events"].as_array().expect("a column").iter().filter_map(Value::as_u64).sum();
        if all == 7 {
            break seconds;
        }
        assert!(all == 0 && started.elapsed() < PATIENCE, "{seconds}");
        std::thread::sleep(std::time::Duration::from_millis(50));
    };
    let columns = seconds.as_object().expect("columns");
    let lengths: Vec<_> = columns.values().map(|column| column.as_array().expect("a column").len()).collect();
    assert!(lengths.iter().all(|length| *length == lengths[0]) && lengths[0] > 0, "{lengths:?}");
    let minutes = stats(&server, "/admin/stats/minutes");
    assert!(minutes.as_object().expect("columns").keys().eq(columns.keys()), "both tell the same");
    let said = stats(&server, "/admin/stats");
    assert!(said["seconds"].as_object().expect("columns").keys().eq(columns.keys()));
    let machine = &said["machine"];
    for known in [
        "residentBytes",
        "openFiles",
        "openFilesMax",
        "processorSeconds",
        "diskUsedBytes",
        "diskFreeBytes",
        "diskFloorBytes",
    ] {
        assert!(machine[known].as_f64().is_some_and(|value| value >= 0.0), "{known}: {machine}");
    }
    assert_eq!(machine["diskDaysLeft"], Value::Null, "nobody knows that after a second");
    let now = metrics(&server);
    for known in
        ["process_resident_memory_bytes", "process_open_fds", "everfeed_disk_used_bytes", "everfeed_disk_free_bytes"]
    {
        assert!(now[known] > 0.0, "{known}");
    }
    assert!(!now.contains_key("everfeed_disk_left_seconds"));
}

#[test]
fn who_waits_and_who_listens_is_told_apart_and_a_limit_that_is_reached_is_on_the_list() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start_with(data.path(), &[("limits.waits", "1")]);
    assert_eq!(append(&server, "orders", 0..1, &[]), 201);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| server.get("/streams/orders/1/forward/20?wait=30", &[]));
        let started = Instant::now();
        while metrics(&server)["everfeed_waits"] < 1.0 {
            assert!(started.elapsed() < PATIENCE);
        }
        assert_eq!(server.get("/streams/orders/1/forward/20?wait=30", &[]).status, 503);
        assert_eq!(append(&server, "orders", 1..2, &[]), 201);
        assert_eq!(waiting.join().expect("it does not panic").status, 200);
    });
    let now = metrics(&server);
    assert_eq!(now["everfeed_requests_total{resource=\"wait\",status=\"2xx\"}"], 1.0);
    assert_eq!(now["everfeed_requests_total{resource=\"wait\",status=\"5xx\"}"], 1.0);
    assert_eq!(now["everfeed_refused_total{problem=\"too-many-waits\"}"], 1.0);
    assert_eq!(now["everfeed_waits"], 0.0);
    let recent = &stats(&server, "/admin/stats")["problems"]["recent"];
    assert_eq!((&recent[0]["problem"], &recent[0]["status"]), (&json!("too-many-waits"), &json!(503)), "{recent}");
    let named = recent[0]["request"].as_str().expect("a request's name");
    assert_eq!(server.logged("too-many-waits")["request"], *named, "the log says more under that name");
}
