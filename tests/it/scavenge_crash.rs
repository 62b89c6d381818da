//! A crash at every named point of scavenging: nothing that stays is lost, what goes is gone, nothing is left behind.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use everfeed::event::{
    Content, EventId, EventType, ExpectedVersion, MediaType, NewEvent, Number, Order, Source, Timestamp,
};
use everfeed::store::{Append, Store, Thoroughness, repair, verify};
use uuid::Uuid;

use crate::support::chunks;
use crate::workload;

const DATA: &str = "EVERFEED_SCAVENGE_CRASH_DATA";
const CHUNK_EVENTS: &str = "200";
const SIGABRT: i32 = 6;
const ROUNDS: u64 = 3;
const EVENTS_A_ROUND: u64 = 600;

/// The child process: truncates and scavenges until it aborts at its fail point.
#[test]
fn child() {
    let Some(data) = workload::setting(DATA).map(PathBuf::from) else { return };
    let store = workload::open(&data).expect("it opens");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        for round in 0..ROUNDS {
            for number in 0..EVENTS_A_ROUND {
                let (stream, other) = if number % 2 == 0 { ("goes", 0) } else { ("stays", 1) };
                append(&store, stream, "t", format!("\"{}\"", mark(other, round * EVENTS_A_ROUND + number))).await;
            }
            // Of each round half of what goes.
            append(&store, "$$goes", "$metadata", format!("{{\"$tb\":{}}}", (round + 1) * EVENTS_A_ROUND / 4)).await;
            scavenge(&store).await;
        }
    });
}

async fn append(store: &Store, stream: &str, event_type: &str, data: String) {
    let event = NewEvent {
        id: EventId::new(Uuid::from_u128(u128::from(store.view().log().next.get()) + 1)).expect("not nil"),
        id_is_fresh: true,
        event_type: EventType::parse(event_type).expect("a type"),
        content: Content { media_type: MediaType::json(), data: data.into(), metadata: None, trace_parent: None },
    };
    let (stream, now) = (workload::stream(stream), Timestamp::from_micros(1_000_000));
    let append = Append { stream, events: vec![event], expected: ExpectedVersion::Any, ids_alone: false, now };
    store.append(append).await.expect("appended");
}

async fn scavenge(store: &Store) {
    while store.view().chunks_due() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let id = Uuid::from_u128(u128::from(store.view().log().next.get()));
    store.scavenge(id, Timestamp::from_micros(1), Thoroughness::Everything).expect("taken");
    while store.scavenging().last.is_none_or(|last| last.id != id) {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(store.scavenging().last.and_then(|last| last.ended_early), None);
}

fn mark(stream: u64, number: u64) -> String {
    format!("<{:016x}>", (number * 2 + stream + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

#[test]
fn a_crash_at_any_step_of_scavenging_loses_nothing_and_leaves_nothing_behind() {
    let names = workload::fail_points("scavenge");
    assert!(names.len() >= 9, "{names:?}");
    for name in names {
        for times in [1, 4] {
            crash_at(&format!("{name}:{times}"));
        }
    }
}

fn crash_at(point: &str) {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    let mut command = workload::child("scavenge_crash::child", DATA, &data);
    command.env("EVERFEED_CHUNK_EVENTS", CHUNK_EVENTS).env("EVERFEED_FAILPOINT", point);
    let output = command.stdin(Stdio::null()).output().expect("it starts");
    let complained = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.signal(), Some(SIGABRT), "{point} was not reached: {complained}");

    let crashed = verify(&data, &mut |_, _| {}).expect("it opens");
    assert!(crashed.is_sound(), "{point}: {crashed}");
    // A generation that a crash cut short takes nothing from a repair either.
    let rebuilt = dir.path().join("rebuilt");
    let report = repair(&data, &rebuilt, &mut |_, _| {}).expect("it is rebuilt");
    assert!(report.lost.is_empty() && report.events == crashed.events, "{point}: {report}");

    let store = workload::open(&data).expect("it opens");
    let before = contents(&store);
    let repaired = workload::open(&rebuilt).expect("it opens");
    assert_eq!(contents(&repaired), before, "{point}: what was repaired shows the same");
    repaired.close();
    drop(repaired);
    assert!(verify(&rebuilt, &mut |_, _| {}).expect("it opens").is_sound(), "{point}");
    let ranges =
        |data: &Path| chunks::read_all(data).iter().map(|file| (file.first, file.end)).collect::<BTreeSet<_>>();
    assert_eq!(ranges(&rebuilt), ranges(&data), "{point}: chunks are cut where they were");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(scavenge(&store));
    assert_eq!(contents(&store), before, "{point}: scavenging again changes nothing that is seen");
    store.close();
    drop(store);

    let floor = before["goes"].iter().take_while(|content| content.is_none()).count() as u64;
    assert!(floor > 0 && before["goes"][floor as usize..].iter().all(Option::is_some), "{point}");
    assert!(before["stays"].iter().all(Option::is_some), "{point}");
    let files = chunks::read_all(&data);
    for (number, place) in (0..before["goes"].len() as u64).zip((0..).step_by(2)) {
        let is_held = files.iter().any(|file| file.holds(mark(0, place).as_bytes()));
        let is_sealed = is_sealed(&files, number, EVENTS_A_ROUND / 2);
        assert_eq!(is_held, is_sealed && floor <= number, "{point}: event {number}");
    }
    let cleaned = verify(&data, &mut |_, _| {}).expect("it opens");
    assert!(cleaned.is_sound(), "{point}: {cleaned}");
    assert_eq!((cleaned.leftovers, cleaned.events), (0, crashed.events), "{point}");
    assert_eq!(files.len(), cleaned.chunks, "{point}");
    println!("{point}: {} leftovers removed, {cleaned}", crashed.leftovers);
}

/// Whether the event of `goes` with this number lies in a chunk: the streams take turns, and settings come between
/// rounds.
fn is_sealed(files: &[chunks::ChunkBytes], number: u64, events_a_round: u64) -> bool {
    let position = number * 2 + number / events_a_round;
    files.iter().any(|file| (file.first..file.end).contains(&position))
}

/// What is seen of every event, by stream.
fn contents(store: &Store) -> BTreeMap<String, Vec<Option<Content>>> {
    let view = store.view();
    let events = view.read_blocking(&Source::All, Number::ZERO, Number::MAX, Order::OldestFirst, usize::MAX);
    let mut contents: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for event in events.expect("it reads") {
        contents.entry(event.stream.to_string()).or_default().push(event.content);
    }
    contents
}
