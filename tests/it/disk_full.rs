//! A disk that fills up: appends stop before it is full, reads go on, writing resumes by itself; and a disk that
//! is full to the last byte costs the ballast, not the start.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use everfeed::event::{Number, Order, Source, Timestamp};
use everfeed::store::{AppendError, Availability, Options, Store};
use uuid::Uuid;

use crate::loop_disk::LoopDisk;
use crate::workload::{self, Batch, Seen, Size};

const FLOOR_BYTES: u64 = 48 << 20;

fn open(data: &Path, free_space_floor_bytes: u64) -> Store {
    let options = Options { free_space_floor_bytes, ..Options::new(data) };
    Store::open(&options, Uuid::from_u128(42), Timestamp::from_micros(1)).expect("it opens").0
}

fn batch(serial: u64) -> Batch {
    Batch { serial, size: Size::Small, events: 10 }
}

fn events(store: &Store) -> usize {
    let view = store.view();
    view.read_blocking(&Source::All, Number::ZERO, Number::MAX, Order::OldestFirst, usize::MAX).expect("it reads").len()
}

/// Takes all the space that is left, but for `spare_bytes`.
pub(crate) fn fill(path: &Path, spare_bytes: usize) {
    let mut file = File::create(path).expect("created");
    for piece in [1 << 20, 4 << 10] {
        while file.write_all(&vec![1; piece]).and_then(|()| file.sync_data()).is_ok() {}
    }
    let length = file.metadata().expect("it is there").len();
    file.set_len(length.saturating_sub(spare_bytes as u64)).expect("shortened");
    file.sync_all().expect("synced");
}

async fn appends_again(store: &Store, serial: u64) {
    for _ in 0..200 {
        match workload::append(store, "a", &batch(serial)).await {
            Ok(_) => return,
            Err(AppendError::DiskFull) => tokio::time::sleep(Duration::from_millis(50)).await,
            Err(other) => panic!("{other}"),
        }
    }
    panic!("there is space, and still nothing can be appended");
}

#[tokio::test]
async fn below_the_floor_appends_are_refused_and_reads_go_on_and_writing_resumes_by_itself() {
    let Some(disk) = LoopDisk::make_or_skip("the free-space floor", 256) else { return };
    let data = disk.path().join("data");
    let filler = disk.path().join("filler");
    let store = open(&data, FLOOR_BYTES);
    workload::append(&store, "a", &batch(1)).await.expect("appended");

    fill(&filler, FLOOR_BYTES as usize / 2);
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!(workload::append(&store, "a", &batch(2)).await, Err(AppendError::DiskFull));
    assert!(matches!(store.availability(), Availability::ReadOnly { reason } if reason.contains("full")));
    assert_eq!(events(&store), 10);

    std::fs::remove_file(&filler).expect("removed");
    appends_again(&store, 2).await;
    assert_eq!(store.availability(), Availability::Writable);
    assert_eq!(events(&store), 20);
}

#[tokio::test]
async fn a_store_on_a_disk_that_is_full_to_the_last_byte_opens_and_reads() {
    let Some(disk) = LoopDisk::make_or_skip("the ballast", 256) else { return };
    let data = disk.path().join("data");
    let filler = disk.path().join("filler");
    let store = open(&data, FLOOR_BYTES);
    workload::append(&store, "a", &batch(1)).await.expect("appended");
    store.close();
    drop(store);
    assert!(data.join("ballast").exists());

    fill(&filler, 0);
    let store = open(&data, FLOOR_BYTES);
    assert_eq!(events(&store), 10);
    assert_eq!(workload::append(&store, "a", &batch(2)).await, Err(AppendError::DiskFull));
    store.close();
    drop(store);

    let store = open(&data, FLOOR_BYTES);
    assert_eq!(events(&store), 10);
    std::fs::remove_file(&filler).expect("removed");
    appends_again(&store, 2).await;
    assert_eq!(events(&store), 20);
}

/// Without a floor the disk does fill up under the store: a failed write, and from then on no appends.
#[tokio::test]
async fn what_was_acknowledged_before_the_disk_was_full_is_there_once_there_is_space() {
    let Some(disk) = LoopDisk::make_or_skip("a full disk", 192) else { return };
    let data = disk.path().join("data");
    let filler = disk.path().join("filler");
    let store = open(&data, 0);
    fill(&filler, 24 << 20);
    let mut acknowledged = 0;
    let refused = loop {
        let batch = Batch { serial: acknowledged, size: Size::Large, events: 2 };
        match workload::append(&store, "a", &batch).await {
            Ok(_) => acknowledged += 1,
            Err(error) => break error,
        }
        assert!(acknowledged < 1_000, "the disk does not fill up");
    };
    assert!(matches!(refused, AppendError::OutcomeUnknown(_)), "{refused}");
    assert!(matches!(workload::append(&store, "a", &batch(9_999)).await, Err(AppendError::ReadOnly(_))));
    assert_eq!(events(&store) as u64, acknowledged * 2);
    store.close();
    drop(store);

    std::fs::remove_file(&filler).expect("removed");
    // This process keeps a database that failed; another one would not. Here a copy stands for that.
    let copy = disk.path().join("copy");
    workload::copy_store(&data, &copy);
    let store = open(&copy, 0);
    // Of the append whose outcome was unknown there may be all or nothing.
    let mut seen = Seen::default();
    seen.read_on(&store, 0).expect("it is whole");
    assert!(acknowledged * 2 <= seen.events(), "{} of {}", seen.events(), acknowledged * 2);
    workload::append(&store, "a", &batch(9_999)).await.expect("appended");
}
