//! `everfeed compact`: nothing of what was erased, truncated or deleted is left in any file.

use std::path::Path;

use serde_json::json;

use super::erase;
use crate::support::store::check_sound;
use crate::support::{TestServer, everfeed, request, traces};
use crate::workload::Random;

const BYTES: (&str, &str) = ("Content-Type", "application/octet-stream");

/// What an event carries: it does not compress, so it lies in files as it is.
fn noise(seed: u64) -> Vec<u8> {
    Random::new(2 * seed).bytes(1_500)
}

/// Whether the middle of it lies in any file below the directory.
fn lies_in(dir: &Path, seed: u64) -> bool {
    traces::lie_in(dir, &noise(seed)[700..764])
}

/// Chunks of twenty events.
fn start(data: &Path) -> TestServer {
    let mut command = TestServer::command(data, &[]);
    command.env("EVERFEED_CHUNK_EVENTS", "20");
    TestServer::spawn(command).unwrap_or_else(|log| panic!("{log:#?}"))
}

fn append(server: &TestServer, stream: &str, seeds: std::ops::Range<u64>) {
    for seed in seeds {
        let reply = server.post(&format!("/streams/{stream}"), &[BYTES, ("ES-EventType", "t")], &noise(seed));
        assert_eq!(reply.status, 201, "{}", reply.text());
    }
}

fn compact(server: &TestServer) -> String {
    let run = everfeed(&["compact", "--server", &format!("http://{}", server.address)]).run();
    assert_eq!(run.code, 0, "{}", run.errors);
    run.output
}

#[test]
fn nothing_of_what_was_removed_is_left_in_any_file() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = start(dir.path());
    append(&server, "kept", 0..30);
    append(&server, "erased", 100..130);
    append(&server, "truncated", 200..230);
    append(&server, "deleted", 300..310);
    // These are in the tail still.
    append(&server, "kept", 30..34);
    append(&server, "erased", 130..134);
    append(&server, "truncated", 230..234);
    let gone: Vec<u64> = [103, 127, 131, 133].into_iter().chain(200..232).chain(300..310).collect();
    assert!(gone.iter().all(|seed| lies_in(dir.path(), *seed)), "the search finds what is there");

    for number in [3, 27, 31, 33] {
        assert_eq!(erase(&server, &format!("/streams/erased/{number}")).status, 200);
    }
    let settings = json!({ "$tb": 32 }).to_string();
    let json = [("Content-Type", "application/json")];
    assert_eq!(server.post("/streams/truncated/metadata", &json, settings.as_bytes()).status, 201);
    assert_eq!(request(server.address, "DELETE", "/streams/deleted", &[], b"").status, 204);
    assert!(gone.iter().any(|seed| lies_in(dir.path(), *seed)), "only readers see nothing of it yet");

    let said = compact(&server);
    assert!(said.contains("sled's part written anew"), "{said}");
    let kept: Vec<u64> = (0..34).chain([100, 102, 104, 130, 132, 232, 233]).collect();
    let check = |server: &TestServer, what: &str| {
        let left: Vec<&u64> = gone.iter().filter(|seed| lies_in(dir.path(), **seed)).collect();
        assert!(left.is_empty(), "{what}: {left:?}");
        for (stream, first, seeds) in [("kept", 0, 0..34), ("erased", 100, 100..134), ("truncated", 200, 232..234)] {
            for seed in seeds.filter(|seed| kept.contains(seed)) {
                let reply = server.get(&format!("/streams/{stream}/{}/data", seed - first), &[]);
                assert_eq!((reply.status, &reply.body), (200, &noise(seed)), "{what}: {seed}");
            }
        }
    };
    check(&server, "compacted");
    // What is in memory still does not come back when it is sealed.
    append(&server, "later", 400..460);
    compact(&server);
    check(&server, "sealed");
    server.kill();
    let server = start(dir.path());
    check(&server, "after a kill");
    assert_eq!(server.stop(), Some(0));
    check_sound(dir.path());
    let server = start(dir.path());
    append(&server, "erased", 134..135);
    check(&server, "after a restart");
}

#[test]
fn an_append_of_many_parts_is_compacted_whole() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(dir.path(), &[]);
    // Several megabytes that do not compress, in one group of many values.
    let large = |seed: u64| Random::new(2 * seed).bytes(1_200_000);
    let events: Vec<serde_json::Value> = (0..4)
        .map(|seed| {
            use base64::Engine as _;
            json!({ "type": "t", "mediaType": "application/octet-stream",
                "dataBase64": base64::engine::general_purpose::STANDARD.encode(large(seed)) })
        })
        .collect();
    let lines: String = events.iter().map(|event| format!("{event}\n")).collect();
    let reply = server.post("/streams/s", &[("Content-Type", "application/x-ndjson")], lines.as_bytes());
    assert_eq!(reply.status, 201, "{}", reply.text());
    assert_eq!(erase(&server, "/streams/s/2").status, 200);
    compact(&server);
    let found = |seed: u64| {
        let db = std::fs::read(dir.path().join("sled/db")).expect("it is read");
        memchr::memmem::find(&db, &large(seed)[600_000..600_064]).is_some()
    };
    assert_eq!([0, 1, 2, 3].map(found), [true, true, false, true]);
    server.kill();
    let server = TestServer::start(dir.path(), &[]);
    for seed in [0, 1, 3] {
        assert_eq!(server.get(&format!("/streams/s/{seed}/data"), &[]).body, large(seed));
    }
    assert_eq!(server.get("/streams/s/2/data", &[]).status, 404);
    assert_eq!(server.stop(), Some(0));
    check_sound(dir.path());
}
