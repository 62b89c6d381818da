//! A store of everything that a store can hold, and every document that it gave while it was sound.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{PATIENCE, Reply, TestServer, everfeed, request, wait_until};
use crate::workload::{Random, copy_store};

const CHUNK_EVENTS: u64 = 64;
const PAGE: u64 = 20;

/// Each with what a page of it is asked as, beside Atom.
const STREAMS: [&str; 7] = ["shop-orders", "shop-stock", "trimmed", "reborn", "erased", "links", "large"];
const DERIVED: [&str; 6] = ["$all", "$ce-shop", "$et-Placed", "$et-Paid", "$streams", "$$trimmed"];

const EVENTSTORE: &str = "application/vnd.eventstore.atom+json";

/// What every answer to one question must be.
#[derive(Debug, PartialEq, Eq, Clone)]
pub(super) struct Document {
    pub(super) status: u16,
    /// Those that depend on the document alone.
    pub(super) headers: Vec<(&'static str, Option<String>)>,
    pub(super) body: Vec<u8>,
}

/// How the store came to be. Both give the same documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Made {
    /// By a server: sled's file still has, in space that is free, what is in chunks now.
    Served,
    /// By a repair: what is in a chunk is nowhere else.
    Rebuilt,
}

impl Made {
    pub(super) const BOTH: [Self; 2] = [Self::Served, Self::Rebuilt];

    fn name(self) -> &'static str {
        match self {
            Self::Served => "served",
            Self::Rebuilt => "rebuilt",
        }
    }
}

/// A question: its path, and what is accepted.
pub(super) type Question = (String, &'static str);

pub(super) struct Original {
    dir: tempfile::TempDir,
    pub(super) documents: BTreeMap<Question, Document>,
    /// What each stream's next number is, for those that take appends.
    pub(super) next: BTreeMap<&'static str, u64>,
    /// Every event as a line of NDJSON, by position.
    pub(super) rows: Vec<Value>,
}

/// Waits until no derived stream is being built any more.
pub(super) fn wait_until_indexed(server: &TestServer) {
    wait_until("the derived streams are built", || DERIVED.iter().all(|stream| next_of(server, stream).is_some()));
}

/// The server over a store of this kind.
pub(super) fn serve(data: &Path) -> Command {
    let mut command = TestServer::command(data, &["--public-url", "http://feeds.example"]);
    command.env("EVERFEED_CHUNK_EVENTS", CHUNK_EVENTS.to_string());
    command
}

impl Original {
    pub(super) fn make() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let data = dir.path().join(Made::Served.name());
        let server = TestServer::spawn(serve(&data)).unwrap_or_else(|log| panic!("{log:#?}"));
        fill(&server);
        wait_until_sealed(&server);
        let url = format!("http://{}", server.address);
        let scavenged = everfeed(&["scavenge", "--wait", "--server", &url]).run();
        assert!(scavenged.code == 0 && !scavenged.output.starts_with("0 chunks"), "{scavenged:?}");
        append(&server, "shop-orders", 100..110);
        assert_eq!(server.stop(), Some(0));

        // Its derived streams are indexed by the first server that has it.
        let rebuilt = dir.path().join(Made::Rebuilt.name());
        let report = everfeed::store::repair(&data, &rebuilt, &mut |_, _| {}).expect("it is sound");
        assert!(report.lost.is_empty() && report.epoch == 0, "{report}");
        let server = TestServer::spawn(serve(&rebuilt)).unwrap_or_else(|log| panic!("{log:#?}"));
        wait_until_indexed(&server);
        let documents = questions(&server).into_iter().map(|question| {
            let reply = ask(&server, &question);
            assert!(reply.status < 500, "{question:?}: {}", reply.text());
            (question, Document::of(&reply))
        });
        let documents = documents.collect();
        let next = STREAMS.iter().filter_map(|stream| Some((*stream, next_of(&server, stream)?))).collect();
        let rows = rows(&server).expect("they can be read");
        assert_eq!(server.stop(), Some(0));
        Self { dir, documents, next, rows }
    }

    /// Another directory with the same in it.
    pub(super) fn copy(&self, made: Made) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::remove_dir(dir.path()).expect("it is empty");
        copy_store(&self.dir.path().join(made.name()), dir.path());
        dir
    }
}

impl Document {
    pub(super) fn of(reply: &Reply) -> Self {
        let header = |name: &'static str| (name, reply.header(name).map(str::to_string));
        let headers = ["etag", "last-modified", "cache-control", "link", "content-type", "vary", "surrogate-key"];
        // A refusal names the request, so it is another one each time.
        let body = if reply.status < 400 { reply.body.clone() } else { Vec::new() };
        Self { status: reply.status, headers: headers.map(header).to_vec(), body }
    }

    /// Without the tag, which another epoch changes; EventStore's documents have it inside as well.
    pub(super) fn content(&self) -> (u16, Vec<&[u8]>) {
        let lines = self.body.split(|byte| *byte == b'\n');
        (self.status, lines.filter(|line| !line.trim_ascii_start().starts_with(b"\"eTag\": ")).collect())
    }
}

fn fill(server: &TestServer) {
    for start in (0..100).step_by(20) {
        append(server, "shop-orders", start..start + 20);
        append(server, "trimmed", start / 2..start / 2 + 10);
        append(server, "shop-stock", start * 4 / 5..start * 4 / 5 + 16);
        append(server, "links", start / 5..start / 5 + 4);
    }
    append(server, "large", 0..2);
    append(server, "reborn", 0..10);
    append(server, "erased", 0..8);
    let set = server.post("/streams/trimmed/metadata", &[JSON], br#"{"$maxCount": 10, "owner": "tests"}"#);
    assert_eq!(set.status, 201, "{}", set.text());
    let gone = request(server.address, "DELETE", "/streams/reborn", &[], b"");
    assert_eq!(gone.status, 204, "{}", gone.text());
    let erased = request(server.address, "DELETE", "/streams/erased", &[("ES-HardDelete", "true")], b"");
    assert_eq!(erased.status, 204, "{}", erased.text());
    append(server, "reborn", 10..15);
    // What was removed is sealed as well, and something stays in the tail.
    append(server, "shop-stock", 80..140);
}

const JSON: (&str, &str) = ("Content-Type", "application/json");

fn append(server: &TestServer, stream: &str, numbers: std::ops::Range<u64>) {
    let event = |number: u64| {
        let id = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, format!("{number}@{stream}").as_bytes()).to_string();
        let event_type = if number.is_multiple_of(2) { "Placed" } else { "Paid" };
        let mut random = Random::new(number);
        match stream {
            "links" => json!({ "eventId": id, "eventType": "$>", "data": format!("{number}@shop-orders") }),
            "large" => json!({ "eventId": id, "eventType": "Large", "data": hex(&random.bytes(90_000)) }),
            _ => json!({
                "eventId": id,
                "eventType": event_type,
                "data": { "of": stream, "number": number, "noise": hex(&random.bytes(150)) },
                "metadata": { "by": "tests" },
            }),
        }
    };
    let batch: Vec<Value> = numbers.map(event).collect();
    let headers = [("Content-Type", "application/vnd.eventstore.events+json")];
    let body = serde_json::to_vec(&batch).expect("JSON");
    let reply = server.post(&format!("/streams/{stream}"), &headers, &body);
    assert_eq!(reply.status, 201, "{stream}: {}", reply.text());
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn wait_until_sealed(server: &TestServer) {
    let started = Instant::now();
    let tail = || {
        let metrics = server.get("/metrics", &[]);
        let tail =
            metrics.text().lines().find_map(|line| line.strip_prefix("everfeed_tail_events ")?.parse::<u64>().ok());
        tail.expect("it is told")
    };
    while tail() > CHUNK_EVENTS {
        assert!(started.elapsed() < PATIENCE, "it does not seal");
        thread::sleep(Duration::from_millis(10));
    }
}

pub(super) fn ask(server: &TestServer, (path, accept): &Question) -> Reply {
    server.get(path, &[("Accept", accept), ("Accept-Encoding", "identity")])
}

/// Every page of every stream, as it is linked to, as Atom and as EventStore JSON, and every tenth event.
fn questions(server: &TestServer) -> Vec<Question> {
    let mut questions = Vec::new();
    for stream in STREAMS.iter().chain(&DERIVED) {
        let events = next_of(server, stream).unwrap_or(10);
        let at = |rest: String| format!("/streams/{}{rest}", stream.replace('$', "%24"));
        questions.push((at(String::new()), "application/atom+xml"));
        questions.push((at("?embed=body".into()), EVENTSTORE));
        for first in (0..events).step_by(PAGE as usize) {
            questions.push((at(format!("/{first}/forward/{PAGE}.atom")), "*/*"));
            questions.push((at(format!("/{first}/forward/{PAGE}?embed=tryharder")), EVENTSTORE));
        }
        for number in (0..events).step_by(10) {
            questions.push((at(format!("/{number}/data")), "*/*"));
        }
    }
    questions
}

/// The number that a stream goes on with; none if it cannot be read.
pub(super) fn next_of(server: &TestServer, stream: &str) -> Option<u64> {
    let path = format!("/streams/{}/head/backward/1?format=ndjson", stream.replace('$', "%24"));
    let reply = server.get(&path, &[]);
    if reply.status != 200 {
        return None;
    }
    let row: Value = serde_json::from_str(reply.text().lines().next()?).ok()?;
    let name = match stream {
        "$all" => "position",
        _ if stream.starts_with("$$") || !stream.starts_with('$') => "number",
        _ => "place",
    };
    Some(row[name].as_u64().unwrap_or_else(|| panic!("no {name}: {row}")) + 1)
}

/// Every event of the log, or what was answered instead.
pub(super) fn rows(server: &TestServer) -> Result<Vec<Value>, String> {
    let mut rows: Vec<Value> = Vec::new();
    loop {
        let path = format!("/streams/%24all/{}/forward/64?format=ndjson", rows.len());
        let reply = server.get(&path, &[]);
        if reply.status != 200 {
            return Err(format!("{path}: {} {}", reply.status, reply.text()));
        }
        let before = rows.len();
        rows.extend(reply.text().lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON")));
        if rows.len() == before {
            return Ok(rows);
        }
    }
}
