//! Another server's events, by its AtomPub API: our own in its strict dialect.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::check_done;
use super::history::make;
use crate::support::store::check_sound;
use crate::support::{Run, TestServer, everfeed};
use crate::workload::Random;

pub(super) fn take_over(url: &str, data: &Path, more: &[&str]) -> Run {
    let data = data.to_str().expect("UTF-8");
    everfeed(&[&["import", "--from-eventstore", url, "--data", data], more].concat()).run()
}

/// The events of a stream, but for where they stand in the log and what is said of media.
pub(super) fn told(server: &TestServer, stream: &str) -> Vec<Value> {
    let page = server.get(&format!("/streams/{stream}/0/forward/4000.ndjson"), &[]);
    assert_eq!(page.status, 200, "{}", page.text());
    let lines = page.text().lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    lines
        .map(|mut line| {
            for own in ["position", "place", "mediaType"] {
                line.as_object_mut().expect("an object").remove(own);
            }
            line
        })
        .collect()
}

fn strict(data: &Path) -> TestServer {
    TestServer::start_with(data, &[("eventstore.strict", "true")])
}

#[test]
fn a_server_is_taken_over_with_numbers_ids_times_settings_and_deletions() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name);
    let source = TestServer::start(&path("source"), &[]);
    make(&source);
    source.stop();
    let source = strict(&path("source"));
    let run = take_over(&format!("http://{}", source.address), &path("copy"), &[]);
    check_done(&run);
    assert!(!path("copy").join("import-checkpoints").exists());
    check_sound(&path("copy"));
    let copy = TestServer::start(&path("copy"), &[]);
    assert_ne!(copy.get("/info", &[]).json()["log"], source.get("/info", &[]).json()["log"]);
    assert_eq!(copy.events(), source.events(), "{}", run.errors);
    for stream in ["orders-1", "orders-2", "%24%24counted", "%24%24reborn", "links"] {
        assert_eq!(told(&copy, stream), told(&source, stream), "{stream}");
    }
    // A medium that is not JSON is told as bytes; the bytes are the same.
    for number in 0..12 {
        let data = |server: &TestServer| server.get(&format!("/streams/kinds%2F%C3%A4/{number}/data"), &[]).body;
        assert_eq!(data(&copy), data(&source), "{number}");
    }
    // What is seen of streams of which something is gone.
    for stream in ["counted", "cut", "reborn"] {
        assert_eq!(told(&copy, stream), told(&source, stream), "{stream}");
        for path in ["0", "head", "0/forward/20"] {
            let status = |server: &TestServer| server.get(&format!("/streams/{stream}/{path}.atom"), &[]).status;
            assert_eq!(status(&copy), status(&source), "{stream}/{path}");
        }
    }
    assert_eq!(copy.get("/streams/gone", &[]).status, 410);
    let reply = copy.post("/streams/reborn", &[("Content-Type", "application/json")], b"1");
    assert!(reply.header("location").is_some_and(|location| location.ends_with("/reborn/30")), "{reply:?}");
    // It is no import any more, but a server.
    copy.stop();
    let again = take_over(&format!("http://{}", source.address), &path("copy"), &[]);
    assert_eq!(again.code, 2);
    assert!(again.errors.contains("the store there is no unfinished import from"), "{}", again.errors);
}

#[test]
fn single_streams_are_taken_over_merged_by_their_times() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name);
    let source = strict(&path("source"));
    for n in 0..6 {
        let headers = [
            ("Content-Type", "application/json"),
            ("ES-EventType", "t"),
            ("ES-EventId", &*format!("0190c6a4-7b1e-7f5e-9a52-{n:012x}")),
        ];
        let stream = ["a", "b", "c"][n % 3];
        assert_eq!(source.post(&format!("/streams/{stream}"), &headers, format!("{n}").as_bytes()).status, 201);
    }
    let url = format!("http://{}", source.address);
    check_done(&take_over(&url, &path("copy"), &["--stream", "b", "--stream", "a"]));
    let copy = TestServer::start(&path("copy"), &[]);
    let data: Vec<Value> = told(&copy, "%24all").into_iter().map(|line| line["data"].clone()).collect();
    assert_eq!(data, [json!(0), json!(1), json!(3), json!(4)]);
    let none = take_over(&url, &path("none"), &["--stream", "none"]);
    assert_eq!(none.code, 1);
    assert!(none.errors.contains("/streams/none: 404"), "{}", none.errors);
}

#[test]
fn an_import_that_is_killed_goes_on_without_a_gap_or_a_repeat() {
    let mut random = Random::seeded("take_over");
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name);
    let source = strict(&path("source"));
    for batch in 0..6 {
        let events: Vec<Value> = (0..1000)
            .map(|n| json!({ "eventId": random.uuid(), "eventType": "t", "data": { "n": batch * 1000 + n } }))
            .collect();
        let headers = [("Content-Type", "application/vnd.eventstore.events+json")];
        let body = json!(events).to_string();
        assert_eq!(source.post(&format!("/streams/s-{}", batch % 2), &headers, body.as_bytes()).status, 201);
    }
    let url = format!("http://{}", source.address);
    let mut killed = 0;
    let data = path("copy");
    for _ in 0..8 {
        let mut command = Command::new(env!("CARGO_BIN_EXE_everfeed"));
        command.args(["import", "--from-eventstore", &url, "--data"]).arg(&data);
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary is there");
        std::thread::sleep(Duration::from_millis(100 + random.below(900)));
        let has_ended = child.try_wait().expect("it can be asked").is_some();
        let _ = child.kill();
        child.wait().expect("it ends");
        if has_ended {
            break;
        }
        killed += 1;
        // It is good for time alone.
        if random.below(3) == 0 {
            let _ = fs::write(data.join("import-checkpoints"), "{\"torn");
        }
    }
    let run = take_over(&url, &data, &[]);
    println!("killed {killed} times; {}", run.errors);
    assert!(run.code == 0 || run.errors.contains("no unfinished import"), "{}", run.errors);
    check_sound(&data);
    let copy = TestServer::start(&data, &[]);
    assert_eq!(copy.events(), 6_000);
    for stream in ["s-0", "s-1"] {
        assert!(told(&copy, stream) == told(&source, stream), "{stream}");
    }
}
