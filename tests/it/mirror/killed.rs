//! kill −9 of a mirror under load, wherever it is just then: it goes on after what it has, and ends up the same.
//!
//! `EVERFEED_CRASH_MIRRORS` sets how often, `EVERFEED_SEED` from which seed.

use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::{JSON, caught_up, command, mirror, pages, serve};
use crate::support::store::check_sound;
use crate::support::{TestServer, request};
use crate::workload::{Random, setting};

const KILLS: u64 = 6;
const LIFE_MILLIS_MAX: u64 = 700;

/// Appends, settings and deletions, until told to stop.
fn load(source: &TestServer, random: &mut Random, stopped: &AtomicBool) {
    const BATCH: (&str, &str) = ("Content-Type", "application/vnd.eventstore.events+json");
    while !stopped.load(Ordering::Relaxed) {
        let stream = format!("order-{}", random.below(7));
        let reply = match random.below(40) {
            0 => request(source.address, "DELETE", &format!("/streams/{stream}"), &[], b""),
            1 => {
                let settings = json!({ "$maxCount": random.below(30) + 1 }).to_string();
                source.post(&format!("/streams/{stream}/metadata"), &[JSON], settings.as_bytes())
            }
            _ => {
                let event = |_| json!({ "eventId": random.uuid(), "eventType": "Placed", "data": random.next() });
                let batch = Value::from((0..20).map(event).collect::<Vec<_>>());
                source.post(&format!("/streams/{stream}"), &[BATCH], batch.to_string().as_bytes())
            }
        };
        // A stream that is not there cannot be deleted.
        assert!(matches!(reply.status, 201 | 204 | 400), "{} {}", reply.status, reply.text());
        thread::sleep(Duration::from_millis(3));
    }
}

#[test]
fn a_mirror_that_is_killed_again_and_again_ends_up_with_the_same_pages() {
    let kills = setting("EVERFEED_CRASH_MIRRORS").map_or(KILLS, |kills| kills.parse().expect("a number"));
    let mut random = Random::seeded("mirror");
    let (here, there) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    let source = serve(here.path());
    let stopped = AtomicBool::new(false);
    let mut loads = Random::new(random.next());
    thread::scope(|scope| {
        scope.spawn(|| load(&source, &mut loads, &stopped));
        for _ in 0..kills {
            let mut child = command(&source, there.path()).stderr(Stdio::null()).spawn().expect("it starts");
            thread::sleep(Duration::from_millis(random.below(LIFE_MILLIS_MAX)));
            child.kill().expect("it runs");
            child.wait().expect("it ends");
        }
        stopped.store(true, Ordering::Relaxed);
    });
    let replica = mirror(&source, there.path());
    caught_up(&source, &replica);
    println!("{kills} kills, {} events", source.events());
    // Chance decides how much of it was truncated or deleted.
    pages::check_same_but(&source, &replica, |_| ());
    assert_eq!(replica.stop(), Some(0));
    check_sound(there.path());
}
