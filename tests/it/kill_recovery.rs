//! kill −9 of a server that is just starting after a kill −9, several times in a row: recovery can be cut short anywhere,
//! and in the end everything that was acknowledged is there.
//!
//! `EVERFEED_CRASH_RECOVERIES` sets how often, `EVERFEED_SEED` from which seed.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::support::TestServer;
use crate::support::store::{check_no_blobs, check_sound, chunk_files};
use crate::workload::{Random, setting};

const KILLS: u64 = 15;
const KILLS_IN_A_ROW_MAX: u64 = 6;
const POSTS_A_ROUND: u64 = 60;
/// So few that there are chunks to be finished, and leftovers to be removed, by every start.
const CHUNK_EVENTS: u64 = 25;
/// About as long as a start takes.
const START_MAX: Duration = Duration::from_millis(250);

fn serve(data: &Path) -> Command {
    let mut command = TestServer::command(data, &[]);
    command.env("EVERFEED_CHUNK_EVENTS", CHUNK_EVENTS.to_string());
    command
}

fn text(number: u64) -> String {
    format!("event {number} {}", "x".repeat((number % 700) as usize))
}

#[test]
fn a_server_that_is_killed_while_it_recovers_loses_nothing() {
    let kills = setting("EVERFEED_CRASH_RECOVERIES").map_or(KILLS, |kills| kills.parse().expect("a number"));
    let mut random = Random::seeded("kills during recovery");
    let dir = tempfile::tempdir().expect("a directory");
    let mut acknowledged: BTreeMap<u64, String> = BTreeMap::new();
    let (mut number, mut killed, mut rounds) = (0, 0, 0);
    while killed < kills {
        let server = TestServer::spawn(serve(dir.path())).unwrap_or_else(|log| panic!("{log:#?}"));
        check(&server, &acknowledged, random.below(7));
        for _ in 0..POSTS_A_ROUND {
            let id = uuid::Uuid::from_u128(u128::from(number) + 1).to_string();
            let headers = [("Content-Type", "text/plain"), ("ES-EventId", &*id)];
            let reply = server.post(&format!("/streams/s-{}", number % 5), &headers, text(number).as_bytes());
            assert_eq!(reply.status, 201, "{}", reply.text());
            let location = reply.header("location").expect("it has one");
            let at = location.find("/streams/").expect("a stream's");
            acknowledged.insert(number, location[at..].to_string());
            number += 1;
        }
        server.kill();
        for _ in 0..=random.below(KILLS_IN_A_ROW_MAX) {
            let mut child = serve(dir.path())
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("the binary is there");
            thread::sleep(Duration::from_micros(random.below(START_MAX.as_micros() as u64)));
            child.kill().expect("it is ours");
            child.wait().expect("it ends");
            killed += 1;
        }
        check_no_blobs(dir.path());
        rounds += 1;
        if rounds % 5 == 1 {
            check_sound(dir.path());
        }
    }
    let server = TestServer::spawn(serve(dir.path())).unwrap_or_else(|log| panic!("{log:#?}"));
    check(&server, &acknowledged, 0);
    assert_eq!(server.events(), number);
    assert_eq!(server.stop(), Some(0));
    check_sound(dir.path());
    println!(
        "{killed} kills during recovery, {rounds} of a server, {number} events, {} chunks",
        chunk_files(dir.path()).len()
    );
}

/// What was acknowledged is there; from the beginning, or of every so many one.
fn check(server: &TestServer, acknowledged: &BTreeMap<u64, String>, passed_over: u64) {
    for (number, path) in acknowledged.iter().step_by(passed_over as usize * 3 + 1) {
        let reply = server.get(&format!("{path}/data"), &[]);
        assert_eq!((reply.status, reply.text()), (200, &*text(*number)), "{path}");
    }
    assert_eq!(server.events(), acknowledged.len() as u64);
}
