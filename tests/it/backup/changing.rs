//! A backup of a server that is written to, and gives space back, at that moment: it holds the beginning of the log, all
//! of it, as of one moment.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::json;

use super::{JSON, backup, done, events, restore, told, verify};
use crate::mirror::{serve, shop};
use crate::support::TestServer;
use crate::support::store::check_sound;

const ROUNDS: usize = 6;

fn write(server: &TestServer, round: u64) {
    let batch: Vec<_> = (0..30)
        .map(|n| json!({ "eventType": "t", "data": { "round": round, "n": n, "filling": "x".repeat(300) } }))
        .collect();
    let body = json!(batch).to_string();
    let batch = ("Content-Type", "application/vnd.eventstore.events+json");
    for stream in ["fast", "truncated"] {
        assert_eq!(server.post(&format!("/streams/{stream}"), &[batch], body.as_bytes()).status, 201);
    }
    let settings = json!({ "$tb": round * 25 }).to_string();
    assert_eq!(server.post("/streams/truncated/metadata", &[JSON], settings.as_bytes()).status, 201);
}

#[test]
fn backups_while_events_are_appended_and_space_is_given_back_hold_beginnings_of_the_log() {
    let dir = tempfile::tempdir().expect("a directory");
    let [data, copy] = ["data", "backup"].map(|name| dir.path().join(name));
    let source = serve(&data);
    let ends = AtomicBool::new(false);
    let restored = thread::scope(|scope| {
        scope.spawn(|| {
            let mut round = 0;
            while !ends.load(Ordering::SeqCst) {
                write(&source, round);
                round += 1;
            }
        });
        scope.spawn(|| {
            while !ends.load(Ordering::SeqCst) {
                shop::scavenge(&source);
            }
        });
        let restored: Vec<_> = (0..ROUNDS)
            .map(|round| {
                let at_least = source.events();
                let [events, ..] = told(backup(&source, &copy));
                assert!(at_least <= events, "what was acknowledged before is in it");
                done(verify(&copy));
                let there = dir.path().join(format!("restored-{round}"));
                done(restore(&copy, &there, &[]));
                (there, events)
            })
            .collect();
        ends.store(true, Ordering::SeqCst);
        restored
    });
    source.assert_no_panic();
    assert_eq!(source.stop(), Some(0));
    check_sound(&data);
    let log = events(&data);
    for (there, count) in restored {
        check_sound(&there);
        let beginning = events(&there);
        assert_eq!(beginning.len() as u64, count);
        for (there, here) in beginning.iter().zip(&log) {
            let facts = |event: &everfeed::event::Event| {
                (event.position, event.number, event.stream.clone(), event.id, event.time, event.digest, event.life)
            };
            assert_eq!(facts(there), facts(here));
            // What was truncated later is in it still.
            assert!(here.content.is_none() || here.content == there.content, "{}@{}", here.number, here.stream);
        }
    }
}
