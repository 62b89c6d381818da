//! kill −9 of a follower, again and again: a file and a table have each event exactly once.
//!
//! `EVERFEED_CRASH_ROUNDS` sets how often, `EVERFEED_SEED` from which seed.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::thread;
use std::time::Duration;

use everfeed::client::rusqlite::Connection;

use super::{check_done, follow, follow_to_the_end, numbers, server_with, text};
use crate::support::TestServer;
use crate::workload::{Random, setting};

const EVENTS: u64 = 2_000;
const ROUNDS: u64 = 10;

/// Follows to this place and is killed, until it has all or the rounds are over; then follows to the end. How often it
/// was killed when it had some events and not all.
fn kill_again_and_again(server: &TestServer, to: &str, seen: impl Fn() -> u64, random: &mut Random) -> u64 {
    let rounds = setting("EVERFEED_CRASH_ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().expect("a number"));
    let mut cut_short = 0;
    let mut before = 0;
    for _ in 0..rounds {
        // Small batches: there is much to do between them, and so much to be cut short in.
        let mut follower = follow(server, &["--to", to, "--batch", "10"]);
        let wanted = before + 1 + random.below(EVENTS / rounds);
        for _ in 0..5_000 {
            if wanted <= seen() {
                break;
            }
            thread::sleep(Duration::from_micros(500 + random.below(1_000)));
        }
        follower.kill().expect("it runs");
        follower.wait().expect("it ends");
        before = seen();
        cut_short += u64::from(0 < before && before < EVENTS);
    }
    check_done(&follow_to_the_end(server, &["--to", to]));
    cut_short
}

#[test]
fn a_file_has_each_event_once_whenever_the_follower_was_killed() {
    let dir = tempfile::tempdir().unwrap();
    let server = server_with(&dir.path().join("data"), EVENTS);
    let path = dir.path().join("events.ndjson");
    let lines = || fs::read(&path).map_or(0, |bytes| memchr::memchr_iter(b'\n', &bytes).count() as u64);
    let mut random = Random::seeded("follow to a file");
    let cut_short = kill_again_and_again(&server, &format!("file:{}", text(&path)), lines, &mut random);
    println!("killed {cut_short} times in between");
    assert!(0 < cut_short, "nothing was tried");
    assert_eq!(numbers(&fs::read_to_string(&path).unwrap()), (0..EVENTS).collect::<Vec<_>>());
}

#[test]
fn a_table_has_each_event_once_whenever_the_follower_was_killed() {
    let dir = tempfile::tempdir().unwrap();
    let server = server_with(&dir.path().join("data"), EVENTS);
    let path = dir.path().join("events.db");
    let rows = || count(&path).map_or(0, i64::unsigned_abs);
    let mut random = Random::seeded("follow to a table");
    let cut_short = kill_again_and_again(&server, &format!("sqlite:{}", text(&path)), rows, &mut random);
    println!("killed {cut_short} times in between");
    assert!(0 < cut_short, "nothing was tried");
    let tables = Connection::open(&path).unwrap();
    let mut query = tables.prepare("SELECT place, json_extract(data, '$.n') FROM json_events ORDER BY place").unwrap();
    let rows: Vec<(i64, i64)> =
        query.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect();
    assert_eq!(rows, (0..EVENTS as i64).map(|n| (n, n)).collect::<Vec<_>>());
}

/// None while there is no table yet.
fn count(path: &Path) -> Option<i64> {
    if !path.exists() {
        return None;
    }
    let tables = Connection::open(path).ok()?;
    tables.busy_timeout(Duration::from_secs(10)).ok()?;
    tables.query_row("SELECT count(*) FROM events", [], |row| row.get(0)).ok()
}

#[test]
fn what_was_written_after_the_checkpoint_is_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let server = server_with(&dir.path().join("data"), 3);
    let path = dir.path().join("events.ndjson");
    let to = format!("file:{}", text(&path));
    check_done(&follow_to_the_end(&server, &["--to", &to]));
    // As a kill leaves it between the write and the checkpoint, in the middle of a line.
    let mut file = OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(b"{\"stream\":\"orders\",\"num").unwrap();
    drop(file);
    crate::follow::append(&server, "orders", 3..5);
    check_done(&follow_to_the_end(&server, &["--to", &to]));
    assert_eq!(numbers(&fs::read_to_string(&path).unwrap()), [0, 1, 2, 3, 4]);
}

#[test]
fn all_that_is_known_of_an_event_is_a_column_and_what_is_no_json_is_a_blob() {
    let dir = tempfile::tempdir().unwrap();
    let server = server_with(&dir.path().join("data"), 1);
    let headers = [("Content-Type", "text/plain"), ("ES-EventType", "Note")];
    assert_eq!(server.post("/streams/orders", &headers, b"no json").status, 201);
    let path = dir.path().join("events.db");
    check_done(&follow_to_the_end(&server, &["--to", &format!("sqlite:{}", text(&path))]));
    let tables = Connection::open(&path).unwrap();
    let columns = "stream || number || position || type || media_type || typeof(data) || length(time) || length(id)";
    let mut query = tables.prepare(&format!("SELECT {columns} FROM events ORDER BY place")).unwrap();
    let rows: Vec<String> = query.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert_eq!(rows, ["orders00countedapplication/jsontext2736", "orders11Notetext/plainblob2736"]);
    let of_json: i64 = tables.query_row("SELECT count(*) FROM json_events", [], |row| row.get(0)).unwrap();
    assert_eq!(of_json, 1);
}
