//! A backup, and a restore, that are killed at any step: what was there before is whole, and the next one goes on.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

use everfeed::event::Event;

use super::{backup, done, events, files, manifest, path, restore, told, verify};
use crate::mirror::{serve, shop, url};
use crate::support::store::check_sound;
use crate::support::{TestServer, everfeed};
use crate::workload;

const SIGABRT: i32 = 6;

/// Runs a command that is to die at this point. Whether it did; else it came to its end before.
#[track_caller]
fn dies_at(point: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(env!("CARGO_BIN_EXE_everfeed"));
    let output = command.args(arguments).env("EVERFEED_FAILPOINT", point).output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.signal() == Some(SIGABRT) || output.status.success(), "{point}: {said}");
    !output.status.success()
}

/// What a store that is restored from the backup holds.
#[track_caller]
fn restored(copy: &Path) -> Vec<Event> {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    done(restore(copy, &data, &["--same-epoch"]));
    check_sound(&data);
    events(&data)
}

#[test]
fn a_backup_that_is_killed_at_any_step_leaves_the_one_before_it_whole_and_is_gone_on_with() {
    let dir = tempfile::tempdir().expect("a directory");
    // Each command that is killed leaves a backup behind that the server keeps for a while.
    let mut command = TestServer::command(&dir.path().join("data"), &["--set", "limits.backups=1000"]);
    command.args(["--set", "max_age.interval=200ms"]).env("EVERFEED_CHUNK_EVENTS", "40");
    let source = TestServer::spawn(command).unwrap_or_else(|log| panic!("{log:#?}"));
    shop::open(&source);
    let earlier = dir.path().join("earlier");
    let [before, ..] = told(backup(&source, &earlier));
    shop::go_on(&source, 1);
    shop::scavenge(&source);
    let whole = dir.path().join("whole");
    let [now, ..] = told(backup(&source, &whole));
    let expected = restored(&whole);

    let names = workload::fail_points("backup");
    assert!(names.len() >= 9, "{names:?}");
    for name in names {
        for (times, has_earlier) in [(1, true), (2, true), (2, false)] {
            let point = format!("{name}:{times}");
            let copy = dir.path().join(format!("{point}-{has_earlier}"));
            if has_earlier {
                copy_dir(&earlier, &copy);
            }
            let died = dies_at(&point, &["backup", &url(&source), path(&copy)]);
            assert!(died || times > 1, "{point} was not reached");
            if has_earlier {
                done(verify(&copy));
                let events = restored(&copy);
                assert!(events.len() as u64 == before || events == expected, "{point}: {} events", events.len());
            } else if died && !copy.join("manifest").exists() {
                let none = restore(&copy, &dir.path().join("none"), &[]);
                assert_eq!(
                    (none.code, none.errors.contains("no complete backup")),
                    (2, true),
                    "{point}: {}",
                    none.errors
                );
            }
            let listed = std::fs::read_to_string(copy.join("unfinished")).unwrap_or_default();
            let [events, files_copied, all, _] = told(backup(&source, &copy));
            let finished = listed.lines().skip(1).filter(|line| line.ends_with('}')).count() as u64;
            assert!(
                events == now && files_copied + finished <= all,
                "{point}: {files_copied} of {all}, {finished} were here"
            );
            done(verify(&copy));
            assert!(restored(&copy) == expected, "{point}");
            let named = manifest(&copy).len() - 3;
            assert_eq!(
                files(&copy).len(),
                named + 3,
                "{point}: chunks, a tail, a manifest and a lock: {:?}",
                files(&copy)
            );
            std::fs::remove_dir_all(&copy).expect("it is removed");
        }
    }
    assert_eq!(source.stop(), Some(0));
}

#[test]
fn a_restore_that_is_killed_at_any_step_is_no_store_until_it_is_gone_on_with() {
    let dir = tempfile::tempdir().expect("a directory");
    let source = serve(&dir.path().join("data"));
    shop::open(&source);
    let copy = dir.path().join("backup");
    told(backup(&source, &copy));
    assert_eq!(source.stop(), Some(0));
    let expected = restored(&copy);
    let names = workload::fail_points("restore");
    assert!(names.len() >= 6, "{names:?}");
    for name in names {
        let data = dir.path().join(&name);
        assert!(dies_at(&name, &["restore", path(&copy), path(&data), "--same-epoch"]), "{name} was not reached");
        if name == "restore.marked" {
            check_sound(&data);
            assert_eq!(restore(&copy, &data, &["--same-epoch"]).code, 2, "it is a store already");
        } else {
            let log = TestServer::spawn(TestServer::command(&data, &[])).err().expect("it does not start").join("\n");
            assert!(log.contains("a restore of it was cut short"), "{name}: {log}");
            let refused = everfeed(&["verify", "--data", path(&data)]).run();
            assert_ne!(refused.code, 0, "{name}");
            done(restore(&copy, &data, &["--same-epoch"]));
        }
        check_sound(&data);
        assert!(events(&data) == expected, "{name}");
    }
}

#[test]
fn a_server_that_dies_meanwhile_and_comes_back_is_backed_up_all_the_same() {
    let dir = tempfile::tempdir().expect("a directory");
    let [data, copy] = ["data", "backup"].map(|name| dir.path().join(name));
    let source = serve(&data);
    shop::open(&source);
    let events = source.events();
    assert_eq!(source.stop(), Some(0));

    let mut command = TestServer::command(&data, &[]);
    command.env("EVERFEED_CHUNK_EVENTS", "40").env("EVERFEED_FAILPOINT", "snapshot.piece:3");
    let source = TestServer::spawn(command).unwrap_or_else(|log| panic!("{log:#?}"));
    let address = source.address.to_string();
    let (url, into) = (url(&source), copy.clone());
    let backup = std::thread::spawn(move || everfeed(&["backup", &url, path(&into)]).run());
    assert_eq!(source.wait(), None, "it was killed by its third piece");
    let mut command = Command::new(env!("CARGO_BIN_EXE_everfeed"));
    command.args(["serve", "--listen", &address, "--data"]).arg(&data).env("EVERFEED_CHUNK_EVENTS", "40");
    let source = TestServer::spawn(command).unwrap_or_else(|log| panic!("{log:#?}"));
    let [copied, files, all, _] = told(backup.join().expect("it runs"));
    assert_eq!(copied, events);
    assert!(files < all, "what had come was not copied again: {files} of {all}");
    done(verify(&copy));
    assert_eq!(source.stop(), Some(0));
    assert_eq!(restored(&copy).len() as u64, events);
}

fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("it is made");
    for entry in std::fs::read_dir(from).expect("it is there") {
        let entry = entry.expect("it is read");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("it is copied");
        }
    }
}
