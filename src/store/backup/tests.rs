//! A snapshot, and a store made of it, in one process.

use uuid::Uuid;

use super::super::tests_support::{append, new_event, noise, open, read, stream, try_open};
use super::*;
use crate::event::{Deletion, ExpectedVersion, Number, Source};
use crate::store::{Delete, NewStore, OpenError};

/// All groups of the tail, and where each ends.
fn groups(snapshot: &Snapshot) -> Vec<Group> {
    let mut groups = Vec::new();
    let mut next = snapshot.tail_first();
    while let Some(bytes) = snapshot.group(next).expect("it reads") {
        let group = Group::read(&bytes).expect("it is a group");
        assert_eq!((group.first(), group.bytes()), (next, bytes.len()));
        next = group.end();
        groups.push(group);
    }
    assert_eq!(next, snapshot.log().next);
    groups
}

fn new(snapshot: &Snapshot, epoch: u32) -> NewStore {
    NewStore { log: snapshot.identity().log, epoch, created: Timestamp::from_micros(5), replica_of: None }
}

#[tokio::test]
async fn a_store_made_of_a_snapshot_shows_what_it_showed_and_no_more() {
    let dir = tempfile::tempdir().expect("a directory");
    let [here, there] = ["here", "there"].map(|name| dir.path().join(name));
    let store = open(&here);
    for number in 0..5 {
        append(&store, "large", vec![new_event(number + 1, noise(number as u64, 500_000))]).await.expect("appended");
    }
    append(&store, "gone", vec![new_event(1, "secret")]).await.expect("appended");
    let now = Timestamp::from_micros(1_000_000);
    let delete = Delete { stream: stream("gone"), deletion: Deletion::Soft, expected: ExpectedVersion::Any, now };
    store.delete(delete).await.expect("deleted");
    append(&store, "gone", vec![new_event(1, "anew")]).await.expect("appended");
    let snapshot = store.snapshot();
    let expected = read(&store, &Source::All);
    append(&store, "later", vec![new_event(1, "x")]).await.expect("appended");

    let groups = groups(&snapshot);
    assert!(groups.len() > 1, "half a mebibyte each, so they are several");
    let copied: Vec<_> = groups.iter().flat_map(|group| &group.events).collect();
    assert!(copied.iter().zip(&expected).all(|(copied, expected)| copied.digest == expected.digest));
    let secret = copied.iter().find(|event| event.stream == stream("gone")).expect("its row is there");
    assert_eq!(secret.content, None, "what is gone is in no backup");

    let mut restore = Restore::begin(&there, &new(&snapshot, 7)).expect("it begins");
    groups.iter().for_each(|group| restore.group(group).expect("it continues"));
    assert_eq!(restore.finish().expect("it is whole"), expected.len() as u64);
    let restored = open(&there);
    assert_eq!(restored.identity(), Identity { log: store.identity().log, epoch: 7 });
    assert_eq!(read(&restored, &Source::All), expected);
    let head = restored.view().head(&Source::Stream(stream("gone"))).expect("a head");
    assert_eq!(head, snapshot_head(&store, "gone"));
    let receipt = append(&restored, "gone", vec![new_event(1, "anew")]).await.expect("known");
    assert!(receipt.repeat, "it is the id of the present life");
    restored.close();
    drop(restored);
    assert!(crate::store::verify(&there, &mut |_, _| {}).expect("it opens").is_sound());
}

fn snapshot_head(store: &Store, name: &str) -> crate::event::StreamHead {
    store.view().head(&Source::Stream(stream(name))).expect("a head")
}

#[tokio::test]
async fn what_does_not_continue_the_log_is_refused_and_half_a_restore_is_no_store() {
    let dir = tempfile::tempdir().expect("a directory");
    let [here, there] = ["here", "there"].map(|name| dir.path().join(name));
    let store = open(&here);
    for number in 0..5 {
        append(&store, "s", vec![new_event(number + 1, noise(number as u64, 500_000))]).await.expect("appended");
    }
    let snapshot = store.snapshot();
    let groups = groups(&snapshot);
    let mut restore = Restore::begin(&there, &new(&snapshot, 0)).expect("it begins");
    let refused = restore.group(&groups[1]).expect_err("the first is missing").to_string();
    assert!(refused.contains("position 0 comes next"), "{refused}");
    drop(restore);
    let OpenError::Damaged { what } = try_open(&there).err().expect("it is no store") else { panic!("it is damaged") };
    assert!(what.contains("everfeed restore"), "{what}");

    let mut reader = BackupReader::new(snapshot.identity().log);
    groups.iter().for_each(|group| reader.group(group).expect("it continues"));
    assert_eq!(reader.next(), snapshot.log().next);
    assert!(reader.group(&groups[0]).is_err(), "once");
    let mut altered = groups[0].clone();
    altered.events[0].digest.0[3] ^= 1;
    let said = BackupReader::new(Uuid::nil()).group(&altered).expect_err("it is altered").to_string();
    assert!(said.contains("event 0@s: its digest is wrong"), "{said}");
    let mut gap = groups[0].clone();
    gap.events[0].number = Number::from(1);
    assert!(BackupReader::new(Uuid::nil()).group(&gap).is_err());
}

#[test]
fn a_directory_with_anything_else_in_it_is_not_restored_to() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("photo.jpg"), "x").expect("it is written");
    let new = NewStore { log: Uuid::from_u128(1), epoch: 0, created: Timestamp::default(), replica_of: None };
    let refused = Restore::begin(dir.path(), &new).err().expect("it is refused").to_string();
    assert!(refused.contains("is not empty"), "{refused}");
    assert_eq!(std::fs::read_dir(dir.path()).expect("it is there").count(), 1);
}
