//! Damage: flipped bits, truncated files and zeroed blocks anywhere in a store. It is opened only if no wrong byte
//! can come of it, and a repair brings back everything but what it names as lost.

use std::collections::BTreeMap;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use everfeed::event::{Event, Number, Order, Source, StreamHead, StreamName};
use everfeed::store::{OpenError, RepairReport, Store, repair, verify};

use crate::support::store::chunk_files;
use crate::workload::{self, Batch, Random, Size};

const DATA: &str = "EVERFEED_REPAIR_DATA";
const ENDING: &str = "EVERFEED_REPAIR_ENDING";
const CHUNK_EVENTS: u64 = 1_000;

/// The child process: makes a store with several chunks and a tail.
#[test]
fn child() {
    let Some(data) = workload::setting(DATA).map(PathBuf::from) else { return };
    let store = workload::open(&data).expect("it opens");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        for serial in 0..500_u64 {
            let batch = Batch { serial, size: Size::Small, events: (serial % 17 + 1) as u16 };
            workload::append(&store, &format!("s-{}", serial % 23), &batch).await.expect("appended");
            // Sealing keeps up, so that most of the events lie in chunks.
            while store.view().log().next.get() > CHUNK_EVENTS * (chunks(&data).len() as u64 + 1) + 100 {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        }
        let batch = Batch { serial: 1_000, size: Size::Large, events: 2 };
        workload::append(&store, "large", &batch).await.expect("appended");
    });
    match workload::setting(ENDING).as_deref() {
        Some("killed") => std::process::abort(),
        _ => store.close(),
    }
}

fn chunks(data: &Path) -> Vec<PathBuf> {
    chunk_files(data)
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> =
        std::fs::read_dir(dir).expect("it is there").map(|entry| entry.expect("read").path()).collect();
    files.retain(|path| path.is_file());
    files.sort();
    files
}

/// How the store's process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Closed,
    Killed,
}

/// A store, and all that it holds.
struct Original {
    ending: Ending,
    dir: tempfile::TempDir,
    events: Vec<Event>,
    heads: BTreeMap<StreamName, StreamHead>,
}

impl Original {
    fn make(ending: Ending) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let data = dir.path().join("data");
        let mut command = workload::child("repair::child", DATA, &data);
        command.env("EVERFEED_CHUNK_EVENTS", CHUNK_EVENTS.to_string());
        if ending == Ending::Killed {
            command.env(ENDING, "killed");
        }
        let made = command.stdin(Stdio::null()).output().expect("it starts");
        let ended = made.status.success() == (ending == Ending::Closed)
            && data.join("closed").exists() == made.status.success();
        assert!(ended, "{}", String::from_utf8_lossy(&made.stderr));
        let copy = dir.path().join("to-read");
        workload::copy_store(&data, &copy);
        let store = workload::open(&copy).expect("it opens");
        let events = read_all(&store).into_iter().map(|event| event.expect("it is sound")).collect();
        assert!(chunks(&data).len() >= 3);
        let mut original = Self { ending, dir, events, heads: BTreeMap::new() };
        for event in &original.events {
            let source = Source::Stream(event.stream.clone());
            original.heads.entry(event.stream.clone()).or_insert_with(|| store.view().head(&source).expect("a head"));
        }
        original
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn copy(&self) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a directory");
        workload::copy_store(&self.data(), &dir.path().join("damaged"));
        dir
    }
}

/// Every event by position, or why it cannot be read.
fn read_all(store: &Store) -> Vec<Result<Event, String>> {
    let view = store.view();
    let read = |first: u64, last: u64| {
        let number = |value| Number::new(value).expect("in range");
        view.read_blocking(&Source::All, number(first), number(last), Order::OldestFirst, usize::MAX)
    };
    let mut all = Vec::new();
    let next = view.log().next.get();
    for first in (0..next).step_by(50) {
        let last = (first + 49).min(next - 1);
        match read(first, last) {
            Ok(events) => all.extend(events.into_iter().map(Ok)),
            Err(_) => all.extend((first..=last).map(|position| {
                let events = read(position, position).map_err(|error| error.to_string())?;
                Ok(events.into_iter().next().expect("it is below the head"))
            })),
        }
    }
    all
}

/// What was done to a file of a store.
#[derive(Debug, Clone, Copy)]
enum Damage {
    FlippedBit,
    Truncated,
    ZeroedBlock,
}

impl Damage {
    /// Does it somewhere in the store; tells where.
    fn strike(self, data: &Path, random: &mut Random) -> String {
        let mut candidates = [files(data), files(&data.join("sled")), chunks(data)].concat();
        candidates.retain(|path| !path.ends_with("lock") && path.metadata().is_ok_and(|file| file.len() > 0));
        let path = &candidates[random.below(candidates.len() as u64) as usize];
        let file = std::fs::OpenOptions::new().read(true).write(true).open(path).expect("it opens");
        let length = file.metadata().expect("it is there").len();
        let at = random.below(length);
        match self {
            Self::FlippedBit => {
                let mut byte = [0];
                file.read_exact_at(&mut byte, at).expect("read");
                byte[0] ^= 1 << random.below(8);
                file.write_all_at(&byte, at).expect("written");
            }
            Self::Truncated => file.set_len(at).expect("truncated"),
            Self::ZeroedBlock => {
                let start = at - at % 4096;
                let zeros = vec![0; 4096.min(length - start) as usize];
                file.write_all_at(&zeros, start).expect("written");
            }
        }
        format!("{self:?} at {at} of {length} in {}", path.strip_prefix(data).expect("inside").display())
    }
}

/// Opening a damaged store fails and says so, or serves what it held before, but for what it says is damaged.
/// Returns whether it opened, and how many events could not be read.
fn check_open(original: &Original, data: &Path) -> Result<Option<usize>, String> {
    let store = match workload::open(data) {
        Ok(store) => store,
        Err(OpenError::Damaged { .. }) => return Ok(None),
        Err(other) => return Err(format!("opening says: {other}")),
    };
    let all = read_all(&store);
    // That the end of the log is missing can be known only of a store that was closed.
    if all.len() > original.events.len() || original.ending == Ending::Closed && all.len() < original.events.len() {
        return Err(format!("it opens with {} events instead of {}", all.len(), original.events.len()));
    }
    let is_shorter = all.len() < original.events.len();
    let mut unreadable = 0;
    for (found, event) in all.iter().zip(&original.events) {
        match found {
            Ok(found) if found == event => {}
            Ok(found) => return Err(format!("a wrong event is served: {found:?} instead of {event:?}")),
            Err(_) => unreadable += 1,
        }
    }
    for (stream, head) in &original.heads {
        let source = Source::Stream(stream.clone());
        if !is_shorter && store.view().head(&source).as_ref() != Ok(head) {
            return Err(format!("the head of {stream} is wrong"));
        }
        let read = store.view().read_blocking(&source, Number::ZERO, Number::MAX, Order::NewestFirst, usize::MAX);
        if let Ok(events) = read {
            let expected = original.events[..all.len()].iter().rev().filter(|event| event.stream == *stream);
            if !events.iter().eq(expected) {
                return Err(format!("{stream} is not what it was"));
            }
        }
    }
    store.close();
    Ok(Some(unreadable))
}

/// The repaired store is sound, and is the original but for what the report names.
fn check_repair(original: &Original, data: &Path, into: &Path) -> Result<RepairReport, String> {
    let report = repair(data, into, &mut |_, _| {}).map_err(|error| format!("repair: {error}"))?;
    let sound = verify(into, &mut |_, _| {}).map_err(|error| format!("verify after repair: {error}"))?;
    if !sound.is_sound() {
        return Err(format!("after repair: {sound}"));
    }
    let store = workload::open(into).map_err(|error| format!("opening what was repaired: {error}"))?;
    if store.identity().log != uuid::Uuid::from_u128(42) || store.identity().epoch != report.epoch {
        return Err(format!("it became {:?}", store.identity()));
    }
    let all = read_all(&store);
    // Of a store that was killed the end may be missing without anybody knowing, also once it was opened again.
    let is_known_to_be_whole = report.is_complete && original.ending == Ending::Closed;
    if is_known_to_be_whole && all.len() < original.events.len() || all.len() > original.events.len() {
        return Err(format!("{} events instead of {}", all.len(), original.events.len()));
    }
    let mut lost = report.lost.iter();
    for (found, event) in all.iter().zip(&original.events) {
        let found = found.as_ref().map_err(|error| format!("after repair: {error}"))?;
        if found == event {
            continue;
        }
        let is_named = lost.next().is_some_and(|lost| {
            (lost.position, &lost.stream, lost.number) == (found.position, &found.stream, found.number)
        });
        if found.content.is_some() || !is_named {
            return Err(format!("{found:?} stands where {event:?} did, and is not named as lost"));
        }
    }
    match lost.next() {
        Some(lost) => Err(format!("{lost:?} is there")),
        None => Ok(report),
    }
}

fn check(originals: &[Original], damage: Damage, count: usize, random: &mut Random) {
    let (mut opened, mut refused, mut lost_in_all, mut failed) = (0, 0, 0, Vec::new());
    for round in 0..count {
        let original = &originals[round % originals.len()];
        let dir = original.copy();
        let data = dir.path().join("damaged");
        let what = damage.strike(&data, random);
        // A repair comes after somebody tried to open it, or before.
        let opens_first = (round / originals.len()).is_multiple_of(2);
        let mut outcome = if opens_first { check_open(original, &data) } else { Ok(None) };
        let report = check_repair(original, &data, &dir.path().join("repaired"));
        if !opens_first {
            outcome = check_open(original, &data);
        }
        match (outcome, report) {
            (Ok(outcome), Ok(report)) => {
                match outcome {
                    Some(unreadable) if unreadable as u64 > CHUNK_EVENTS => {
                        failed.push(format!("{what}: {unreadable} events cannot be read"));
                    }
                    Some(_) => opened += 1,
                    None => refused += 1,
                }
                lost_in_all += report.lost.len();
                if report.lost.len() as u64 > CHUNK_EVENTS {
                    failed.push(format!("{what}: {} events are lost", report.lost.len()));
                }
            }
            (outcome, report) => failed.extend(
                [outcome.err(), report.err()]
                    .into_iter()
                    .flatten()
                    .map(|why| format!("{:?}, {what}, opened first: {opens_first}: {why}", original.ending)),
            ),
        }
    }
    println!("{damage:?}: {opened} opened, {refused} said to be damaged, {lost_in_all} events lost in {count} stores");
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn what_can_be_read_of_a_damaged_store_is_repaired_and_what_cannot_is_named() {
    let mut random = Random::seeded("repair");
    let originals = [Ending::Closed, Ending::Closed, Ending::Killed].map(Original::make);
    check(&originals, Damage::FlippedBit, 100, &mut random);
    check(&originals, Damage::Truncated, 20, &mut random);
    check(&originals, Damage::ZeroedBlock, 20, &mut random);
}
