//! The scavenger beside readers, and on a disk that is nearly full.

use std::path::{Path, PathBuf};
use std::time::Duration;

use uuid::Uuid;

use crate::event::{Deletion, EventType, ExpectedVersion, Number, Order, Source, Timestamp};

use super::super::chunk_file::parse_name;
use super::super::tests_support::{append, new_event, noise, open, options, read, sealed, stream};
use super::super::{Append, AppendError, Delete, Store, Thoroughness};

/// The files of chunks; the indexes beside them are none.
fn files(data: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(data.join("chunks")).expect("it is there");
    let is_chunk = |path: &PathBuf| path.file_name().is_some_and(|name| parse_name(&name.to_string_lossy()).is_some());
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("it is read").path()).filter(is_chunk).collect();
    files.sort();
    files
}

async fn scavenge(store: &Store) {
    let id = Uuid::from_u128(1);
    store.scavenge(id, Timestamp::from_micros(1), Thoroughness::Everything).expect("it is taken");
    while store.scavenging().last.is_none_or(|last| last.id != id) {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(store.scavenging().last.and_then(|last| last.ended_early), None);
}

async fn truncate(store: &Store, name: &str, before: u64) {
    let mut event = new_event(u128::MAX, format!("{{\"$tb\":{before}}}"));
    event.event_type = EventType::parse("$metadata").expect("a type");
    let (stream, now) = (stream(&format!("$${name}")), Timestamp::from_micros(1_000_000));
    let append = Append { stream, events: vec![event], expected: ExpectedVersion::Any, ids_alone: false, now };
    store.append(append).await.expect("appended");
}

fn delete(name: &str) -> Delete {
    let now = Timestamp::from_micros(1_000_000);
    Delete { stream: stream(name), deletion: Deletion::Soft, expected: ExpectedVersion::Any, now }
}

#[tokio::test]
async fn a_view_that_is_older_reads_its_own_file_which_goes_with_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    let mark = noise(7, 100_000);
    append(&store, "s", vec![new_event(1, mark.clone())]).await.expect("appended");
    for first in (2..66_002).step_by(1_000) {
        append(&store, "s", (first..first + 1_000).map(|id| new_event(id, "{}")).collect()).await.expect("appended");
    }
    sealed(&store, 1).await;
    let old = store.view();
    truncate(&store, "s", 60_000).await;
    let holds_mark =
        |file: &Path| memchr::memmem::find(&std::fs::read(file).expect("read"), &mark[5_000..6_000]).is_some();
    assert!(files(dir.path()).iter().any(|file| holds_mark(file)), "what does not compress lies there as it is");

    scavenge(&store).await;
    let [first, second] = &files(dir.path())[..] else { panic!("two generations") };
    assert!(holds_mark(first) && !holds_mark(second), "{first:?} {second:?}");
    // Nothing of it was read before, so it comes from the file.
    let source = Source::Stream(stream("s"));
    let events = old.read_blocking(&source, Number::ZERO, Number::ZERO, Order::OldestFirst, usize::MAX).expect("read");
    assert_eq!(events[0].content.as_ref().map(|content| &content.data[..]), Some(&mark[..]));
    let new = read(&store, &source);
    let gone = new.iter().take_while(|event| event.content.is_none()).count();
    assert_eq!((gone, new.len()), (60_000, 66_001));
    drop(old);
    assert_eq!(files(dir.path()), std::slice::from_ref(second), "it went with the last view of it");
    store.close();
}

#[tokio::test]
async fn on_a_disk_that_is_nearly_full_only_what_makes_room_is_taken() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    append(&store, "s", vec![new_event(1, "{}")]).await.expect("appended");
    store.close();
    drop(store);
    let disk = rustix::fs::statvfs(dir.path()).expect("it is asked");
    let free_bytes = disk.f_bavail * disk.f_frsize;
    for (floor, is_taken) in [(free_bytes * 2, true), (free_bytes * 8, false)] {
        let options = super::super::Options { free_space_floor_bytes: floor, ..options(dir.path()) };
        let (store, _) = Store::open(&options, Uuid::from_u128(42), Timestamp::from_micros(1)).expect("it opens");
        assert_eq!(append(&store, "s", vec![new_event(2, "{}")]).await, Err(AppendError::DiskFull));
        assert_eq!(store.delete(delete("s")).await.is_ok(), is_taken);
        scavenge(&store).await;
        store.close();
        drop(store);
    }
}
