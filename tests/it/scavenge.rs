//! Space is given back while the server runs: from the files, for whoever asks by command or by HTTP, and to nobody's
//! notice.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};

use crate::support::{PATIENCE, Reply, TestServer, chunks, everfeed, request, wait_until};

const JSON: (&str, &str) = ("Content-Type", "application/json");
const CHUNK_EVENTS: u64 = 40;

fn start(data: &Path, settings: &[(&str, &str)]) -> TestServer {
    let mut command = TestServer::command(data, &["--public-url", "http://feeds.example"]);
    command.env("EVERFEED_CHUNK_EVENTS", CHUNK_EVENTS.to_string());
    for (name, value) in settings {
        command.env(name, value);
    }
    TestServer::spawn(command).unwrap_or_else(|log| panic!("{log:#?}"))
}

fn append(server: &TestServer, stream: &str, numbers: Range<u64>) {
    for number in numbers {
        let body = json!({ "mark": mark(stream, number), "filling": "x".repeat(500) }).to_string();
        let reply = server.post(&format!("/streams/{stream}"), &[JSON, ("ES-EventType", "t")], body.as_bytes());
        assert_eq!(reply.status, 201, "{}", reply.text());
    }
}

fn mark(stream: &str, number: u64) -> String {
    format!("<{stream} number {number}>")
}

fn set(server: &TestServer, stream: &str, settings: &Value) {
    let reply = server.post(&format!("/streams/{stream}/metadata"), &[JSON], settings.to_string().as_bytes());
    assert_eq!(reply.status, 201, "{}", reply.text());
}

/// Waits until the newest events alone are not in chunks.
fn wait_until_sealed(server: &TestServer) {
    wait_for(server, |status| status["tail"].as_f64().expect("a number") <= CHUNK_EVENTS as f64);
}

/// Waits until the metrics are as wanted, by their last parts: `tail`, `rewritten`.
fn wait_for(server: &TestServer, is_there: impl Fn(&Value) -> bool) {
    let started = Instant::now();
    loop {
        let metrics = metrics(server);
        let status = json!({
            "tail": metrics["everfeed_tail_events"],
            "rewritten": metrics["everfeed_scavenge_chunks_rewritten_total"],
        });
        if is_there(&status) {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "{metrics:?}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// Every sample of `/metrics` without labels.
fn metrics(server: &TestServer) -> BTreeMap<String, f64> {
    let reply = server.get("/metrics", &[]);
    let lines = reply.text().lines().filter(|line| !line.starts_with('#') && !line.contains('{'));
    let sample = |line: &str| {
        let (name, value) = line.split_once(' ').expect("a name and a value");
        (name.to_string(), value.parse().expect("a number"))
    };
    lines.map(sample).collect()
}

fn scavenge(server: &TestServer) -> String {
    let url = format!("http://{}", server.address);
    let run = everfeed(&["scavenge", "--wait", "--server", &url]).run();
    assert_eq!(run.code, 0, "{}", run.errors);
    run.output
}

fn is_held(data: &Path, text: &str) -> bool {
    chunks::read_all(data).iter().any(|chunk| chunk.holds(text.as_bytes()))
}

#[test]
fn space_is_given_back_and_what_is_left_keeps_its_bytes() {
    let data = tempfile::tempdir().expect("a directory");
    let server = start(data.path(), &[]);
    for first in (0..100).step_by(10) {
        append(&server, "gone", first..first + 10);
        append(&server, "kept", first..first + 10);
    }
    append(&server, "deleted", 0..10);
    append(&server, "filling", 0..CHUNK_EVENTS);
    set(&server, "gone", &json!({"$tb": 90}));
    assert_eq!(request(server.address, "DELETE", "/streams/deleted", &[], b"").status, 204);
    append(&server, "filling", CHUNK_EVENTS..3 * CHUNK_EVENTS);
    wait_until_sealed(&server);

    // Pages of all forms: those of the stream itself, and `$all` with what is gone in between.
    let paths = [
        "/streams/kept/0/forward/20.atom",
        "/streams/kept/80/forward/20",
        "/streams/kept/99/data",
        "/streams/gone/90/forward/10.atom",
        "/streams/gone/80/forward/20.atom",
        "/streams/$all/0/forward/100.atom",
        "/streams/$all/0/forward/100.json?embed=body",
        "/streams/$$gone/0/forward/1.atom",
    ];
    let read = |server: &TestServer| -> Vec<(Option<String>, bytes::Bytes)> {
        let get = |path: &&str| server.get(path, &[("Accept-Encoding", "identity")]);
        let seen = |reply: Reply| (reply.header("etag").map(str::to_string), reply.body.into());
        paths.iter().map(get).map(seen).collect()
    };
    let before = read(&server);
    assert!(is_held(data.path(), &mark("gone", 3)), "it is hidden, and its space still taken");
    let sizes = metrics(&server);

    let said = scavenge(&server);
    assert!(said.contains(" chunks written anew, ") && !said.starts_with('0'), "{said}");
    for number in 0..10 {
        assert!(!is_held(data.path(), &mark("deleted", number)));
        assert!(is_held(data.path(), &mark("kept", number)));
    }
    assert!(!is_held(data.path(), &mark("gone", 89)) && is_held(data.path(), &mark("gone", 90)));
    assert_eq!(read(&server), before);
    let after = metrics(&server);
    let rewritten = after["everfeed_scavenge_chunks_rewritten_total"];
    let given_back = after["everfeed_scavenge_reclaimed_bytes_total"];
    assert!(rewritten >= 5.0);
    assert_eq!(after["everfeed_chunk_bytes"] + given_back, sizes["everfeed_chunk_bytes"]);
    assert_eq!(after["everfeed_events_total"], sizes["everfeed_events_total"], "no event is lost");
    assert!(after["everfeed_scavenge_running"] == 0.0 && after["everfeed_writable"] == 1.0);

    assert!(scavenge(&server).starts_with("0 chunks"), "there is nothing more to be had");
    let status = server.get("/admin/scavenge", &[]).json();
    assert_eq!(status["last"]["chunksRewritten"], 0);
    assert_eq!(
        (&status["last"]["endedEarly"], &status["running"], &status["waiting"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    assert_eq!(status["bytesGivenBack"].as_f64(), Some(given_back));
    server.kill();

    let server = start(data.path(), &[]);
    assert_eq!(read(&server), before, "after a kill");
    assert_eq!(server.stop(), Some(0));
    crate::support::store::check_sound(data.path());
}

#[test]
fn a_pass_has_an_id_and_one_that_waits_already_is_joined() {
    let data = tempfile::tempdir().expect("a directory");
    let server = start(data.path(), &[]);
    let asked = server.post("/admin/scavenge", &[], b"");
    let id = asked.json()["scavengeId"].as_str().and_then(|id| id.parse::<uuid::Uuid>().ok());
    assert!(asked.status == 200 && id.is_some(), "{}", asked.text());
    assert_eq!(server.stop(), Some(0));

    let server = start(data.path(), &[("EVERFEED_READ_ONLY", "true")]);
    let refused = server.post("/admin/scavenge", &[], b"");
    assert_eq!(refused.status, 503, "{}", refused.text());
    let url = format!("http://{}", server.address);
    let run = everfeed(&["scavenge", "--server", &url]).run();
    assert_eq!(run.code, 1, "{}", run.errors);
    assert_eq!(everfeed(&["scavenge", "--server", "nowhere"]).run().code, 2);
}

#[test]
fn a_server_gives_space_back_and_truncates_by_age_by_itself() {
    let data = tempfile::tempdir().expect("a directory");
    let settings = [("EVERFEED_SCAVENGE__INTERVAL", "50ms"), ("EVERFEED_MAX_AGE__INTERVAL", "50ms")];
    let server = start(data.path(), &settings);
    append(&server, "aged", 0..2 * CHUNK_EVENTS);
    append(&server, "filling", 0..2 * CHUNK_EVENTS);
    set(&server, "aged", &json!({"$maxAge": 1}));
    wait_until("all of it is too old by now", || !server.get("/streams/aged", &[]).text().contains("<entry>"));
    wait_for(&server, |metrics| metrics["rewritten"].as_f64() >= Some(2.0));
    assert_eq!(server.get("/streams/aged/0", &[]).status, 404);
    let truncations = server.get("/streams/$truncations", &[("Accept", "application/vnd.eventstore.events+json")]);
    assert!(!truncations.json().as_array().expect("events").is_empty(), "the log says so");
    assert_eq!(server.stop(), Some(0));

    let server = start(data.path(), &[]);
    assert_eq!(server.get("/streams/aged/0", &[]).status, 404, "after a restart, without a look");
    scavenge(&server);
    assert_eq!(server.stop(), Some(0));
    assert!(!is_held(data.path(), &mark("aged", 0)) && is_held(data.path(), &mark("filling", 0)));
}
