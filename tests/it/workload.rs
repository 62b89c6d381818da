//! What the tests of the store share: events whose content follows from their id, a seeded source of chance, and
//! this test binary as a child process.

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, Hasher};
use std::io::Write;
use std::path::Path;
use std::process::Command;

use everfeed::event::{
    Content, Digest, Event, EventId, EventType, ExpectedVersion, MediaType, NewEvent, Number, Order, Receipt, Source,
    StreamName, Timestamp,
};
use everfeed::store::{Append, AppendError, Kinds, OpenError, Options, Store};
use uuid::Uuid;

/// Chance that a seed brings back.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// From `EVERFEED_SEED`, or a new one; printed, so that a failure can be had again.
    pub(crate) fn seeded(test: &str) -> Self {
        let seed = match setting("EVERFEED_SEED") {
            Some(seed) => seed.parse().expect("EVERFEED_SEED is a number"),
            None => std::hash::RandomState::new().build_hasher().finish(),
        };
        println!("{test}: EVERFEED_SEED={seed}");
        Self::new(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        value ^ (value >> 31)
    }

    /// From 0 up to, not including, `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// One of these.
    pub(crate) fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len() as u64) as usize]
    }

    pub(crate) fn uuid(&mut self) -> Uuid {
        Uuid::from_u64_pair(self.next(), self.next())
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..count.div_ceil(8)).flat_map(|_| self.next().to_le_bytes()).collect();
        bytes.truncate(count);
        bytes
    }
}

/// What the environment tells a test.
#[expect(clippy::disallowed_methods, reason = "a test and its child processes, not the program's settings")]
pub(crate) fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// This test binary, to run one test of it alone: a test that acts as the child when `variable` is set.
pub(crate) fn child(test: &str, variable: &str, value: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this binary is there"));
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]).env(variable, value);
    command
}

/// The kinds of work that write a chunk's file.
const WRITES_CHUNKS: [&str; 2] = ["seal", "scavenge"];

/// Every fail point of this kind of work that the sources name: `{work}.{step}`.
pub(crate) fn fail_points(work: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut dirs = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).expect("it is there") {
            let path = entry.expect("it is read").path();
            if path.is_dir() {
                dirs.push(path);
                continue;
            }
            let text = std::fs::read_to_string(path).expect("it is text");
            let named = |call: &str| text.split(call).skip(1).map(first_text).collect::<Vec<_>>();
            names.extend(
                named("failpoint::reached(\"").into_iter().filter(|name| name.starts_with(&format!("{work}."))),
            );
            if WRITES_CHUNKS.contains(&work) {
                names.extend(named("failpoint::reached_in(work, \"").into_iter().map(|step| format!("{work}.{step}")));
            }
        }
    }
    names
}

fn first_text(call: &str) -> String {
    call.split('"').next().expect("it ends").to_string()
}

/// One append: its events' ids say what they hold, where in the append they stand, and of how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Batch {
    /// Tells the appends of one test apart.
    pub(crate) serial: u64,
    pub(crate) size: Size,
    pub(crate) events: u16,
}

/// How much an event holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Size {
    /// Some hundred bytes of JSON.
    Small,
    /// 600 kB that do not compress.
    Large,
    /// A hundred bytes that do not compress.
    Tiny,
    /// As much as one event may hold, and none of it compresses.
    Limit,
}

impl Batch {
    pub(crate) fn id(&self, index: u16) -> EventId {
        let size = match self.size {
            Size::Small => 1_u128,
            Size::Large => 2,
            Size::Tiny => 3,
            Size::Limit => 4,
        };
        let id = size << 96 | u128::from(self.serial) << 32 | u128::from(self.events) << 16 | u128::from(index);
        EventId::new(Uuid::from_u128(id)).expect("a size is not 0")
    }

    /// The append that an event belongs to, and its place in it.
    pub(crate) fn of(id: EventId) -> Option<(Self, u16)> {
        let id = id.uuid().as_u128();
        let size = match id >> 96 {
            1 => Size::Small,
            2 => Size::Large,
            3 => Size::Tiny,
            4 => Size::Limit,
            _ => return None,
        };
        Some((Self { serial: (id >> 32) as u64, size, events: (id >> 16) as u16 }, id as u16))
    }

    pub(crate) fn events(&self) -> Vec<NewEvent> {
        let event = |index| NewEvent {
            id: self.id(index),
            id_is_fresh: false,
            event_type: EventType::parse("t").expect("a type"),
            content: self.content(index),
        };
        (0..self.events).map(event).collect()
    }

    fn content(&self, index: u16) -> Content {
        let mut random = Random::new(self.serial.wrapping_mul(65_537) + u64::from(index));
        let data = match self.size {
            Size::Small => {
                let line = format!("{{\"sku\":\"{:x}\",\"quantity\":6}},", random.next());
                format!("{{\"order\":\"{}\",\"lines\":[{}0]}}", self.id(index), line.repeat(random.below(40) as usize))
                    .into_bytes()
            }
            Size::Large => random.bytes(600_000),
            Size::Tiny => random.bytes(100),
            Size::Limit => random.bytes(4 << 20),
        };
        Content { media_type: MediaType::json(), data: data.into(), metadata: None, trace_parent: None }
    }
}

/// Whether the event holds what its id says.
pub(crate) fn is_genuine(event: &Event) -> bool {
    let Some((batch, index)) = Batch::of(event.id) else { return false };
    let content = batch.content(index);
    index < batch.events
        && Digest::of(&event.event_type, &content) == event.digest
        && event.content.as_ref() == Some(&content)
}

pub(crate) fn stream(name: &str) -> StreamName {
    StreamName::parse(name).expect("a name")
}

/// On a disk of any size.
pub(crate) fn options(data: &Path) -> Options {
    Options { free_space_floor_bytes: 0, ..Options::new(data) }
}

pub(crate) fn open(data: &Path) -> Result<Store, OpenError> {
    open_with(data, Options::new(data).derived)
}

/// With these kinds of derived streams switched on.
pub(crate) fn open_with(data: &Path, derived: Kinds) -> Result<Store, OpenError> {
    let options = Options { derived, ..options(data) };
    Store::open(&options, Uuid::from_u128(42), Timestamp::from_micros(1)).map(|(store, _)| store)
}

/// Copies a data directory: all but the ballast, which only takes time.
pub(crate) fn copy_store(from: &Path, to: &Path) {
    std::fs::create_dir(to).expect("made");
    for entry in std::fs::read_dir(from).expect("it is there") {
        let path = entry.expect("it is read").path();
        let name = path.file_name().expect("it has one");
        if path.is_dir() {
            copy_store(&path, &to.join(name));
        } else if name != "ballast" {
            std::fs::copy(&path, to.join(name)).expect("copied");
        }
    }
}

pub(crate) async fn append(store: &Store, name: &str, batch: &Batch) -> Result<Receipt, AppendError> {
    let now = Timestamp::from_micros(1_000_000);
    let append =
        Append { stream: stream(name), events: batch.events(), expected: ExpectedVersion::Any, ids_alone: false, now };
    store.append(append).await
}

/// Appends, and tells the parent process on stdout once it is acknowledged.
pub(crate) async fn append_and_tell(store: &Store, name: &str, batch: &Batch) -> Result<(), AppendError> {
    let receipt = append(store, name, batch).await?;
    let line = format!("ack {name} {} {} {}\n", receipt.first, receipt.position, batch.id(0).uuid().as_u128());
    // One write: half a line tells nothing.
    std::io::stdout().write_all(line.as_bytes()).expect("the parent reads");
    Ok(())
}

/// An append that was acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Acknowledged {
    pub(crate) stream: String,
    pub(crate) first: u64,
    /// Of its last event.
    pub(crate) position: u64,
    pub(crate) batch: Batch,
}

impl Acknowledged {
    /// From what [`append_and_tell`] wrote; none for other lines. A line that was cut short is passed over.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let mut words = line.strip_suffix('\n')?.strip_prefix("ack ")?.split(' ');
        let stream = words.next()?.to_string();
        let first = words.next()?.parse().ok()?;
        let position = words.next()?.parse().ok()?;
        let id = EventId::new(Uuid::from_u128(words.next()?.parse().ok()?)).ok()?;
        Some(Self { stream, first, position, batch: Batch::of(id)?.0 })
    }
}

/// A log as far as a test has read it.
#[derive(Default)]
pub(crate) struct Seen {
    rows: Vec<(EventId, StreamName, Number)>,
    next: HashMap<StreamName, Number>,
    used: HashMap<EventId, u64>,
}

impl Seen {
    pub(crate) fn events(&self) -> u64 {
        self.rows.len() as u64
    }

    /// Reads on from `from`, and tells the first thing that is wrong: an event that was seen before has changed
    /// or is gone, a gap, an id twice, a content that is not its own, an append in part.
    pub(crate) fn read_on(&mut self, store: &Store, from: u64) -> Result<(), String> {
        let view = store.view();
        let next = view.log().next.get();
        if next < self.events() {
            return Err(format!("the log ends at {next}; {} events had been read from it", self.events()));
        }
        let mut at = from.min(self.events());
        while at < next {
            let to = Number::new((at + 9_999).min(next - 1)).expect("in range");
            let from = Number::new(at).expect("in range");
            let events = view
                .read_blocking(&Source::All, from, to, Order::OldestFirst, usize::MAX)
                .map_err(|error| format!("position {at}: {error}"))?;
            for event in events {
                if event.position.get() != at {
                    return Err(format!("position {at} holds the event of position {}", event.position));
                }
                self.see(&event).map_err(|what| format!("position {at}: {what}"))?;
                at += 1;
            }
        }
        match self.rows.last().and_then(|(id, _, _)| Batch::of(*id)) {
            Some((batch, index)) if index + 1 != batch.events => Err(format!("the log ends within {batch:?}")),
            _ => Ok(()),
        }
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        let at = event.position.get();
        let row = (event.id, event.stream.clone(), event.number);
        if !is_genuine(event) {
            return Err("its content is not its own".into());
        }
        if let Some(known) = self.rows.get(at as usize) {
            return if *known == row { Ok(()) } else { Err(format!("it was {known:?}, and is {row:?} now")) };
        }
        let next = self.next.entry(event.stream.clone()).or_default();
        if event.number != *next {
            return Err(format!("{} goes on with number {} instead of {next}", event.stream, event.number));
        }
        *next = next.plus(1);
        if let Some(other) = self.used.insert(event.id, at) {
            return Err(format!("it is at position {other} too"));
        }
        let (batch, index) = Batch::of(event.id).expect("it is genuine");
        let expected = match self.rows.last().and_then(|(id, _, _)| Batch::of(*id)) {
            Some((before, last)) if last + 1 < before.events => (before, last + 1),
            _ => (batch, 0),
        };
        if (batch, index) != expected {
            return Err(format!("event {index} of {batch:?} stands where event {} should", expected.1));
        }
        self.rows.push(row);
        Ok(())
    }

    /// Tells the first acknowledged append that is not there as it was acknowledged.
    pub(crate) fn holds(&self, acknowledged: &[Acknowledged]) -> Result<(), String> {
        for ack in acknowledged {
            for index in 0..ack.batch.events {
                let position = ack.position + u64::from(index) + 1 - u64::from(ack.batch.events);
                let number = Number::new(ack.first + u64::from(index)).expect("in range");
                let expected = (ack.batch.id(index), stream(&ack.stream), number);
                match self.rows.get(position as usize) {
                    Some(row) if *row == expected => {}
                    found => return Err(format!("{ack:?}, its event {index}: {found:?} is there")),
                }
            }
        }
        Ok(())
    }
}
