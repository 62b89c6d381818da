//! Syncs that fail under a running server, at any step of appending, sealing and giving space back: what was acknowledged
//! is there after the next start, and after the failure nothing is acknowledged any more.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::faulty_disk::{EIO, ENOSPC, Fault, FaultyDisk};
use crate::support::store::{check_sound, chunk_files};
use crate::support::{PATIENCE, Reply, TestServer};

const CHUNK_EVENTS: u64 = 20;
/// Enough for several chunks.
const POSTS: u64 = 120;

fn serve(data: &Path) -> Command {
    let mut command = TestServer::command(data, &[]);
    command.env("EVERFEED_CHUNK_EVENTS", CHUNK_EVENTS.to_string());
    command
}

fn start(disk: &FaultyDisk, data: &Path) -> TestServer {
    let mut command = serve(data);
    disk.under(&mut command);
    TestServer::spawn(command).unwrap_or_else(|log| panic!("{log:#?}"))
}

fn post(server: &TestServer, number: u64) -> Reply {
    let id = uuid::Uuid::from_u128(u128::from(number) + 1).to_string();
    let headers = [("Content-Type", "text/plain"), ("ES-EventId", &*id)];
    server.post(&format!("/streams/s-{}", number % 3), &headers, text(number).as_bytes())
}

fn text(number: u64) -> String {
    format!("event {number} {}", "x".repeat(300))
}

fn kind(reply: &Reply) -> String {
    let json = reply.json();
    json["type"].as_str().and_then(|url| url.rsplit('/').next()).unwrap_or_default().to_string()
}

/// Where each post was acknowledged to be.
type Acknowledged = BTreeMap<u64, String>;

/// Posts until one is not acknowledged; none if all are.
fn post_on(server: &TestServer, acknowledged: &mut Acknowledged) -> Option<Reply> {
    for number in acknowledged.len() as u64..POSTS {
        let reply = post(server, number);
        if reply.status != 201 {
            return Some(reply);
        }
        let location = reply.header("location").expect("it has one");
        let path = location.find("/streams/").map(|at| location[at..].to_string()).expect("a stream's");
        acknowledged.insert(number, path);
    }
    None
}

fn check_reads(server: &TestServer, acknowledged: &Acknowledged) {
    for (number, path) in acknowledged {
        let reply = server.get(&format!("{path}/data"), &[]);
        assert_eq!((reply.status, reply.text()), (200, &*text(*number)), "{path}");
    }
}

/// A sync of sled's file that fails ends writing, whatever it was for.
fn check_failure(fault: &Fault) {
    let dir = tempfile::tempdir().expect("a directory");
    let disk = FaultyDisk::new();
    let server = start(&disk, dir.path());
    let mut acknowledged = Acknowledged::new();
    disk.fail(std::slice::from_ref(fault));
    let refused = post_on(&server, &mut acknowledged).unwrap_or_else(|| panic!("{fault:?} did not strike"));
    // Who waited for the sync is told that nobody knows, who came after it that nothing is written.
    let kind_of = |reply: &Reply| (reply.status, kind(reply));
    assert!(
        matches!(&kind_of(&refused), (503, kind) if kind == "outcome-unknown" || kind == "read-only"),
        "{refused:?}"
    );
    disk.mend();
    for number in [POSTS + 1, 0] {
        assert_eq!(kind_of(&post(&server, number)), (503, "read-only".to_string()), "{fault:?}");
    }
    assert_eq!(server.get("/health/ready", &[]).status, 503);
    check_reads(&server, &acknowledged);
    assert_eq!(server.stop(), Some(12), "{fault:?}");

    check_sound(dir.path());
    let server = start(&disk, dir.path());
    check_reads(&server, &acknowledged);
    // Also the one of which nobody knew: a repeat of it is one.
    assert_eq!(post_on(&server, &mut acknowledged).map(|reply| reply.status), None, "{fault:?}");
    check_reads(&server, &acknowledged);
    assert_eq!(server.events(), POSTS, "{fault:?}");
    assert_eq!(server.stop(), Some(0));
    check_sound(dir.path());
    println!("{fault:?}: done");
}

#[test]
fn after_a_sync_of_sleds_file_has_failed_nothing_is_acknowledged_and_nothing_is_lost() {
    // Of an append, of a chunk's name, of the groups that it replaces: each syncs for itself.
    for (first, error) in [(1, EIO), (21, ENOSPC), (22, EIO), (23, EIO), (45, ENOSPC)] {
        check_failure(&Fault { first, count: 1, ..Fault::always("fdatasync", error, "/sled/db") });
    }
    check_failure(&Fault { first: 9, count: 1, ..Fault::always("write", EIO, "/sled/db") });
    check_failure(&Fault { first: 30, count: 1, ..Fault::always("write", ENOSPC, "/sled/db") });
}

/// What is written to a chunk's file, to the index of a derived stream, or to their directory is in sled still: it is
/// written anew until that succeeds.
#[test]
fn a_chunk_whose_sync_fails_is_written_anew_and_appends_go_on() {
    for (call, error, path) in [
        ("fsync", EIO, "/chunks/0.0"),
        ("fsync", ENOSPC, "/chunks/20.0"),
        ("fsync", EIO, "/chunks"),
        ("fsync", EIO, "/chunks/20.streams"),
        ("write", ENOSPC, "/chunks/40.0"),
    ] {
        let dir = tempfile::tempdir().expect("a directory");
        let disk = FaultyDisk::new();
        let server = start(&disk, dir.path());
        let mut acknowledged = Acknowledged::new();
        disk.fail(&[Fault { count: 2, ..Fault::always(call, error, path) }]);
        assert_eq!(post_on(&server, &mut acknowledged).map(|reply| reply.status), None, "{call} {path}");
        let started = Instant::now();
        while chunk_files(dir.path()).len() < (POSTS / CHUNK_EVENTS - 1) as usize {
            assert!(started.elapsed() < PATIENCE, "{call} {path}: {:#?}", server.log());
            thread::sleep(Duration::from_millis(20));
        }
        assert!(server.log().iter().any(|line| line.contains("trying again")), "{call} {path} did not strike");
        check_reads(&server, &acknowledged);
        assert_eq!(server.stop(), Some(0));
        check_sound(dir.path());
        let server = start(&disk, dir.path());
        check_reads(&server, &acknowledged);
        assert_eq!(server.stop(), Some(0));
    }
}
