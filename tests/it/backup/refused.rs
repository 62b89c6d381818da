//! What a backup and a restore do not touch: other people's files, other logs, other histories.

use super::{JSON, backup, done, path, restore, told, verify};
use crate::mirror::{serve, shop, url};
use crate::support::{TestServer, everfeed};

#[test]
fn nothing_is_written_among_other_files_or_over_another_log() {
    let dir = tempfile::tempdir().expect("a directory");
    let [one, two, copy, mine] = ["one", "two", "backup", "mine"].map(|name| dir.path().join(name));
    let first = serve(&one);
    assert_eq!(first.post("/streams/s", &[JSON], b"1").status, 201);
    std::fs::create_dir(&mine).expect("it is made");
    std::fs::write(mine.join("photo.jpg"), "x").expect("it is written");
    let refused = backup(&first, &mine);
    assert!(refused.code == 2 && refused.errors.contains("photo.jpg"), "{}", refused.errors);
    assert_eq!(backup(&first, &one).code, 2, "a data directory is no place for a backup");
    told(backup(&first, &copy));

    let second = serve(&two);
    assert_eq!(second.post("/streams/s", &[JSON], b"1").status, 201);
    let refused = backup(&second, &copy);
    assert!(
        refused.code == 2 && refused.errors.contains("another log") | refused.errors.contains("has the log"),
        "{}",
        refused.errors
    );
    done(verify(&copy));
    for into in [&mine, &one] {
        let refused = restore(&copy, into, &[]);
        assert!(refused.code == 2 && refused.errors.contains("is not empty"), "{}", refused.errors);
    }
    assert_eq!(restore(&mine, &dir.path().join("new"), &[]).code, 2);
    assert!(!dir.path().join("new").exists(), "nothing was begun");
    assert_eq!(everfeed(&["backup", "nowhere", path(&copy)]).run().code, 2);
}

#[test]
fn a_server_that_was_restored_from_an_older_backup_is_not_copied_over_the_newer_one() {
    let dir = tempfile::tempdir().expect("a directory");
    let [here, old, new, there] = ["data", "old", "new", "restored"].map(|name| dir.path().join(name));
    let source = serve(&here);
    shop::open(&source);
    told(backup(&source, &old));
    for round in 1..4 {
        shop::go_on(&source, round);
    }
    told(backup(&source, &new));
    assert_eq!(source.stop(), Some(0));
    done(restore(&old, &there, &[]));
    let restored = serve(&there);
    for round in 11..15 {
        shop::go_on(&restored, round);
    }
    let refused = backup(&restored, &new);
    assert!(refused.code == 2 && refused.errors.contains("another history"), "{}", refused.errors);
    done(verify(&new));
    // Into the one that it was restored from it goes, and what both have is not copied again.
    let [_, files, all, _] = told(backup(&restored, &old));
    assert!(0 < files && files < all, "{files} of {all}");
    done(verify(&old));
}

#[test]
fn a_replica_that_is_backed_up_is_restored_as_one() {
    let dir = tempfile::tempdir().expect("a directory");
    let [here, mirrored, copy, there] = ["data", "mirror", "backup", "restored"].map(|name| dir.path().join(name));
    let source = serve(&here);
    assert_eq!(source.post("/streams/s", &[JSON], b"1").status, 201);
    let command = |data: &std::path::Path| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_everfeed"));
        command.args(["mirror", &url(&source), "--listen", "127.0.0.1:0", "--data"]).arg(data);
        command
    };
    let replica = TestServer::spawn(command(&mirrored)).unwrap_or_else(|log| panic!("{log:#?}"));
    let caught_up = |replica: &TestServer| {
        while replica.events() < source.events() {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    };
    caught_up(&replica);
    told(backup(&replica, &copy));
    let said = done(restore(&copy, &there, &[]));
    assert!(said.contains(", epoch 0; a replica of http://"), "{said}");
    assert_eq!(source.post("/streams/s", &[JSON], b"2").status, 201);
    let restored = TestServer::spawn(command(&there)).unwrap_or_else(|log| panic!("{log:#?}"));
    caught_up(&restored);
    assert_eq!(restored.post("/streams/s", &[JSON], b"3").status, 503);
}
