//! What may not be mixed: other logs, other histories, and a source that has lost what its mirror has.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::{JSON, caught_up, command, mirror, pages, serve, shop};
use crate::support::store::{chunk_files, sled_file};
use crate::support::{TestServer, everfeed};

/// Runs a mirror that must end, and returns its log.
#[track_caller]
pub(super) fn ends(source: &TestServer, data: &Path) -> String {
    let ended = command(source, data).stderr(std::process::Stdio::piped()).output().expect("it starts");
    let log = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(1), "{log}");
    log
}

fn append(server: &TestServer, events: u32) {
    for n in 0..events {
        assert_eq!(server.post("/streams/s", &[JSON], n.to_string().as_bytes()).status, 201);
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("made");
    for entry in fs::read_dir(from).expect("it is there") {
        let entry = entry.expect("it is read");
        let to = to.join(entry.file_name());
        if entry.file_type().expect("it has one").is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).expect("copied");
        }
    }
}

/// Damages a block of a chunk, and the groups in sled's file that hold its events, and some that come after it.
fn lose(data: &Path) {
    const MAGIC: &[u8] = b"EVFGROUP";
    let flip = |path: &Path, at: u64| {
        let file = fs::OpenOptions::new().read(true).write(true).open(path).expect("opened");
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).expect("read");
        file.write_all_at(&[byte[0] ^ 1], at).expect("written");
    };
    let chunk = data.join("chunks/160.0");
    assert!(chunk_files(data).contains(&chunk));
    flip(&chunk, 120);
    let sled = fs::read(sled_file(data)).expect("it is read");
    for at in memchr::memmem::find_iter(&sled, MAGIC) {
        let first = u64::from_be_bytes(sled[at + 16..at + 24].try_into().expect("eight bytes"));
        if (140..=215).contains(&first) {
            flip(&sled_file(data), at as u64);
        }
    }
}

#[test]
fn a_mirror_stops_at_another_log_and_at_a_source_that_lacks_what_it_has() {
    let dirs = tempfile::tempdir().expect("a directory");
    let dir = |name: &str| dirs.path().join(name);
    let source = serve(&dir("source"));
    append(&source, 3);
    assert_eq!(source.stop(), Some(0));
    copy(&dir("source"), &dir("older"));
    copy(&dir("source"), &dir("forked"));
    let source = serve(&dir("source"));
    append(&source, 2);
    let replica = mirror(&source, &dir("replica"));
    caught_up(&source, &replica);
    assert_eq!(replica.stop(), Some(0));

    let another = serve(&dir("another"));
    append(&another, 9);
    let log = ends(&another, &dir("replica"));
    assert!(log.contains("this is a replica of the log"), "{log}");
    let older = serve(&dir("older"));
    let log = ends(&older, &dir("replica"));
    assert!(log.contains("lacks what was mirrored"), "{log}");
    let forked = serve(&dir("forked"));
    append(&forked, 4);
    let log = ends(&forked, &dir("replica"));
    assert!(log.contains("has another history"), "{log}");

    // None of this has changed anything.
    append(&source, 1);
    let replica = mirror(&source, &dir("replica"));
    caught_up(&source, &replica);
    assert_eq!(replica.get("/streams/s/5/data", &[]).text(), "0");
}

#[test]
fn a_new_epoch_with_the_same_history_is_followed_and_one_that_has_lost_something_is_not() {
    let dirs = tempfile::tempdir().expect("a directory");
    let dir = |name: &str| dirs.path().join(name);
    let repair = |from: &str, into: &str| {
        let path = |name: &str| dir(name).to_str().expect("a path").to_string();
        let run = everfeed(&["repair", "--data", &path(from), "--into", &path(into)]).run();
        assert_eq!(run.code, 0, "{}", run.errors);
        run.output
    };
    let source = serve(&dir("source"));
    shop::open(&source);
    let replica = mirror(&source, &dir("replica"));
    caught_up(&source, &replica);

    // Not closed in order: the repair cannot prove that it has everything, so an epoch begins.
    source.kill();
    assert!(repair("source", "whole").contains(" 0 of them lost; epoch 1"));
    assert_eq!(replica.stop(), Some(0));
    let whole = serve(&dir("whole"));
    shop::go_on(&whole, 1);
    let replica = mirror(&whole, &dir("replica"));
    caught_up(&whole, &replica);
    assert_eq!(replica.get("/info", &[]).json()["epoch"], 1);
    pages::check_same(&whole, &replica);
    assert_eq!((replica.stop(), whole.stop()), (Some(0), Some(0)));

    lose(&dir("whole"));
    let report = repair("whole", "lossy");
    assert!(report.contains("lost: ") && report.contains("epoch 2"), "{report}");
    // Settings that began new lives are among what is lost. The repair once kept the lives that events had by these, so
    // that their entity tags were others than a mirror's, and repeats of them were not recognised.
    let lossy = serve(&dir("lossy"));
    shop::go_on(&lossy, 2);
    let log = ends(&lossy, &dir("replica"));
    assert!(log.contains("two histories"), "{log}");
    let replica = mirror(&lossy, &dir("new replica"));
    caught_up(&lossy, &replica);
    pages::check_same(&lossy, &replica);
    assert_eq!(replica.stop(), Some(0));
    // Whoever mirrors a replica by mistake learns what it lacks.
    let replica = serve(&dir("replica"));
    let log = ends(&replica, &dir("new replica"));
    assert!(log.contains("older history"), "{log}");
}
