//! A crash at every named point of compacting, and while events are erased: what was acknowledged as erased is gone, all
//! else is there, and the next pass leaves no trace of it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use everfeed::event::{
    Content, EventId, EventType, ExpectedVersion, MediaType, NewEvent, Number, Order, Source, Timestamp,
};
use everfeed::store::{Append, Store, Thoroughness, repair, verify};
use uuid::Uuid;

use crate::support::traces;
use crate::workload::{self, Random};

const DATA: &str = "EVERFEED_ERASE_CRASH_DATA";
const CHUNK_EVENTS: &str = "60";
const SIGABRT: i32 = 6;
const ROUNDS: u64 = 3;
const EVENTS_A_ROUND: u64 = 100;

/// The child process: appends, erases, tells what is acknowledged, and compacts, until it aborts at its fail point.
#[test]
fn child() {
    let Some(data) = workload::setting(DATA).map(PathBuf::from) else { return };
    let store = workload::open(&data).expect("it opens");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        for round in 0..ROUNDS {
            for number in round * EVENTS_A_ROUND..(round + 1) * EVENTS_A_ROUND {
                append(&store, number).await;
            }
            for number in (round * EVENTS_A_ROUND..(round + 1) * EVENTS_A_ROUND).step_by(3) {
                let (stream, place) = (workload::stream("s"), Number::new(number).expect("in range"));
                store.erase(stream, place, Timestamp::from_micros(1_000_000)).await.expect("erased");
                std::io::stdout().write_all(format!("erased {number}\n").as_bytes()).expect("the parent reads");
            }
            compact(&store).await;
        }
    });
}

async fn append(store: &Store, number: u64) {
    let event = NewEvent {
        id: EventId::new(Uuid::from_u128(u128::from(number) + 1)).expect("not nil"),
        id_is_fresh: true,
        event_type: EventType::parse("t").expect("a type"),
        content: Content {
            media_type: MediaType::octet_stream(),
            data: noise(number).into(),
            metadata: None,
            trace_parent: None,
        },
    };
    let (stream, now) = (workload::stream("s"), Timestamp::from_micros(1_000_000));
    let append = Append { stream, events: vec![event], expected: ExpectedVersion::Any, ids_alone: false, now };
    store.append(append).await.expect("appended");
}

async fn compact(store: &Store) {
    let id = Uuid::from_u128(u128::from(store.view().log().next.get()));
    store.scavenge(id, Timestamp::from_micros(1), Thoroughness::NoTrace).expect("taken");
    while store.scavenging().last.is_none_or(|last| last.id != id) {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let last = store.scavenging().last.expect("it has ended");
    assert_eq!((last.ended_early, last.chunks, last.sled_bytes.is_some()), (None, Some(last.chunks_rewritten), true));
}

/// It does not compress, so it lies in files as it is.
fn noise(number: u64) -> Vec<u8> {
    Random::new(number * 2 + 1).bytes(400)
}

#[test]
fn a_crash_at_any_step_of_compacting_or_erasing_loses_nothing_and_brings_nothing_back() {
    let names = workload::fail_points("compact");
    assert!(names.len() >= 6, "{names:?}");
    let compacting = names.iter().flat_map(|name| [1, 2].map(|times| format!("{name}:{times}")));
    // Every append is a group of its own here, and so is every erasure after them.
    let erasing = ["append.written", "append.synced"].map(|name| format!("{name}:{}", EVENTS_A_ROUND + 7));
    for point in compacting.chain(erasing) {
        crash_at(&point);
    }
}

fn crash_at(point: &str) {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    let mut command = workload::child("erase_crash::child", DATA, &data);
    command.env("EVERFEED_CHUNK_EVENTS", CHUNK_EVENTS).env("EVERFEED_FAILPOINT", point);
    let output = command.stdin(Stdio::null()).output().expect("it starts");
    let complained = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.signal(), Some(SIGABRT), "{point} was not reached: {complained}");
    let said = String::from_utf8_lossy(&output.stdout);
    // The first line begins with what the test harness says.
    let erased = said.lines().filter_map(|line| line.split_once("erased ")?.1.parse().ok());
    let erased: BTreeSet<u64> = erased.collect();

    let crashed = verify(&data, &mut |_, _| {}).expect("it opens");
    assert!(crashed.is_sound(), "{point}: {crashed}");
    let rebuilt = dir.path().join("rebuilt");
    let report = repair(&data, &rebuilt, &mut |_, _| {}).expect("it is rebuilt");
    assert!(report.lost.is_empty() && report.events == crashed.events, "{point}: {report}");
    let store = workload::open(&data).expect("it opens");
    let before = contents(&store);
    let repaired = workload::open(&rebuilt).expect("it opens");
    assert_eq!(contents(&repaired), before, "{point}: what was repaired shows the same");
    repaired.close();
    drop(repaired);

    let gone: BTreeSet<u64> =
        before.iter().filter(|(_, content)| content.is_none()).map(|(number, _)| *number).collect();
    assert!(erased.is_subset(&gone), "{point}: {erased:?} {gone:?}");
    assert!(gone.len() <= erased.len() + 1, "{point}: one may have been under way: {erased:?} {gone:?}");
    for (number, content) in &before {
        let is_its_own = content.as_ref().is_none_or(|content| content.data == noise(*number));
        assert!(is_its_own, "{point}: event {number}");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(compact(&store));
    assert_eq!(contents(&store), before, "{point}: compacting again changes nothing that is seen");
    for number in before.keys() {
        assert_eq!(lies_in(&data, *number), !gone.contains(number), "{point}: event {number}");
    }
    store.close();
    drop(store);
    let cleaned = verify(&data, &mut |_, _| {}).expect("it opens");
    assert!(cleaned.is_sound() && cleaned.leftovers == 0, "{point}: {cleaned}");
    for name in ["sled.next", "sled.old"] {
        assert!(!data.join(name).exists(), "{point}: {name}");
    }
}

fn lies_in(data: &Path, number: u64) -> bool {
    traces::lie_in(data, &noise(number)[180..220])
}

/// What is seen of every event of the stream.
fn contents(store: &Store) -> BTreeMap<u64, Option<Content>> {
    let (view, source) = (store.view(), Source::Stream(workload::stream("s")));
    let events = view.read_blocking(&source, Number::ZERO, Number::MAX, Order::OldestFirst, usize::MAX);
    events.expect("it reads").into_iter().map(|event| (event.number.get(), event.content)).collect()
}
