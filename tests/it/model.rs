//! Random appends, reads and restarts, while chunks are sealed, against a plain model in memory.
//!
//! `EVERFEED_SEED` brings a failing run back.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Stdio;

use bytes::Bytes;
use everfeed::event::{
    Content, Derived, Event, EventId, EventType, ExpectedVersion, MediaType, NewEvent, Number, Order, Position,
    Receipt, Refusal, Source, StreamName, Timestamp, TraceParent,
};
use everfeed::store::{Append, AppendError, Kinds, ReadError, Store, View, verify};
use uuid::Uuid;

use crate::support::store::chunk_files;
use crate::workload::{self, Random};

const DATA: &str = "EVERFEED_MODEL_DATA";
const CHUNK_EVENTS: &str = "100";
const RUNS: u64 = 8;
const STEPS: u32 = 700;

/// The child process, since the size of chunks is a matter of the whole process: one run.
#[test]
fn child() {
    let Some(data) = workload::setting(DATA).map(PathBuf::from) else { return };
    let random = Random::seeded("one run of the model");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(Run::new(data, random).run());
}

#[test]
fn the_store_does_what_a_plain_model_does() {
    let mut random = Random::seeded("model");
    let seeds: Vec<u64> = match workload::setting("EVERFEED_SEED") {
        Some(seed) => vec![seed.parse().expect("a number")],
        None => (0..RUNS).map(|_| random.next()).collect(),
    };
    for seed in seeds {
        let dir = tempfile::tempdir().expect("a directory");
        let mut command = workload::child("model::child", DATA, dir.path().join("data"));
        command.env("EVERFEED_CHUNK_EVENTS", CHUNK_EVENTS).env("EVERFEED_SEED", seed.to_string());
        let output = command.stdin(Stdio::null()).output().expect("it starts");
        let complained = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "EVERFEED_SEED={seed}: {complained}");
    }
}

/// What an append has to say, in either world.
type Outcome = Result<Receipt, Refusal>;

/// The log as a list.
#[derive(Default)]
struct Model {
    log: Vec<Event>,
    streams: HashMap<StreamName, Vec<usize>>,
}

impl Model {
    fn of<'a>(&'a self, source: &'a Source) -> Vec<&'a Event> {
        match source {
            Source::All => self.log.iter().collect(),
            Source::Stream(stream) => {
                self.streams.get(stream).into_iter().flatten().map(|position| &self.log[*position]).collect()
            }
            Source::Derived(derived, name) => {
                self.log.iter().filter(|event| derived.stream_of(event).as_ref() == Some(name)).collect()
            }
        }
    }

    fn append(&mut self, append: &Append) -> Outcome {
        let source = Source::Stream(append.stream.clone());
        let stream = self.of(&source);
        let current = stream.last().map(|event| event.number);
        let wrong_version = Err(Refusal::WrongVersion { expected: append.expected, current });
        let known = |new: &NewEvent| stream.iter().find(|event| event.id == new.id).copied();

        let first = match append.events.first() {
            None => return Err(Refusal::NoEvents),
            Some(first) => known(first),
        };
        let is_repeat = first.is_some_and(|first| {
            append.events.iter().zip(first.number.get()..).all(|(new, number)| {
                known(new).is_some_and(|event| event.number.get() == number && event.digest == new.digest())
            })
        });
        if let Some(first) = first.filter(|_| is_repeat) {
            let last = stream[first.number.get() as usize + append.events.len() - 1];
            let could_have_been_expected = match append.expected {
                ExpectedVersion::Any | ExpectedVersion::Exists => true,
                ExpectedVersion::NoStream => first.number == Number::ZERO,
                ExpectedVersion::Exactly(number) => Some(number) == first.number.before() || Some(number) == current,
            };
            let receipt = Receipt { first: first.number, last: last.number, position: last.position, repeat: true };
            return if could_have_been_expected { Ok(receipt) } else { wrong_version };
        }
        for (index, new) in append.events.iter().enumerate() {
            if let Some(event) = known(new) {
                return Err(Refusal::IdTaken { id: new.id, number: event.number });
            }
            if let Some(first) = append.events[..index].iter().position(|earlier| earlier.id == new.id) {
                return Err(Refusal::IdTwice { id: new.id, first, second: index });
            }
        }
        let is_as_expected = match append.expected {
            ExpectedVersion::Any => true,
            ExpectedVersion::NoStream => current.is_none(),
            ExpectedVersion::Exists => current.is_some(),
            ExpectedVersion::Exactly(number) => Some(number) == current,
        };
        if !is_as_expected {
            return wrong_version;
        }

        let first = number(stream.len() as u64);
        let time = self.log.last().map_or(append.now, |event| event.time.max(append.now));
        for (new, number) in append.events.iter().zip(first.get()..) {
            let position = self.log.len();
            self.streams.entry(append.stream.clone()).or_default().push(position);
            self.log.push(Event {
                stream: append.stream.clone(),
                number: self::number(number),
                position: Position::new(position as u64).expect("in range"),
                life: everfeed::event::Life(0),
                time,
                id: new.id,
                event_type: new.event_type.clone(),
                digest: new.digest(),
                content: Some(new.content.clone()),
                kept_correlation: None,
            });
        }
        let last = self.log.last().expect("one was appended");
        Ok(Receipt { first, last: last.number, position: last.position, repeat: false })
    }

    /// What a view with `next` as the end of its log shows.
    fn read(
        &self,
        source: &Source,
        next: u64,
        first: Number,
        last: Number,
        order: Order,
        bytes_max: usize,
    ) -> Vec<Event> {
        let visible = self.of(source).into_iter().filter(|event| event.position.get() < next);
        let wanted = (0_u64..).zip(visible).filter(|(place, _)| (first.get()..=last.get()).contains(place));
        let mut wanted: Vec<&Event> = wanted.map(|(_, event)| event).collect();
        if order == Order::NewestFirst {
            wanted.reverse();
        }
        let mut bytes = 0;
        let mut read = Vec::new();
        for event in wanted {
            read.push(event.clone());
            bytes += event.content.as_ref().expect("all have content").len();
            if bytes > bytes_max {
                break;
            }
        }
        read
    }
}

fn number(value: u64) -> Number {
    Number::new(value).expect("in range")
}

/// The store and the model side by side.
struct Run {
    data: PathBuf,
    random: Random,
    store: Store,
    /// The derived streams that are on; another choice at every restart.
    kinds: Kinds,
    model: Model,
    appended: Vec<Append>,
    /// Kept from some time ago, and what it showed.
    view: View,
    fresh: u128,
}

impl Run {
    fn new(data: PathBuf, random: Random) -> Self {
        let kinds = Derived::ALL.into_iter().collect();
        let store = workload::open_with(&data, kinds).expect("it opens");
        let view = store.view();
        Self { data, random, store, kinds, model: Model::default(), appended: Vec::new(), view, fresh: 0 }
    }

    async fn run(mut self) {
        for step in 0..STEPS {
            match self.random.below(100) {
                0..60 => self.append(step).await,
                60..95 => self.read(step).await,
                95..97 => self.view = self.store.view(),
                97..98 => self.restart(),
                _ => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
            }
        }
        self.restart();
        assert_eq!(self.store.view().log().next.get(), self.model.log.len() as u64);
        let chunks = chunk_files(&self.data).len();
        assert!(chunks >= 5, "{chunks} chunks were sealed");
        let Self { data, store, view, .. } = self;
        store.close();
        drop((store, view));
        let report = verify(&data, &mut |_, _| {}).expect("it opens");
        assert!(report.is_sound(), "{report}");
    }

    fn restart(&mut self) {
        self.store.close();
        // A view keeps sled open; each variable lets go of it before the store is opened anew.
        let elsewhere = tempfile::tempdir().expect("a directory");
        let other = workload::open(elsewhere.path()).expect("it opens");
        self.view = other.view();
        self.store = other;
        let is_on = |_: &Derived| self.random.below(3) > 0;
        self.kinds = Derived::ALL.into_iter().filter(is_on).collect();
        self.store = workload::open_with(&self.data, self.kinds).expect("it opens again");
        self.view = self.store.view();
    }

    fn stream(&mut self) -> StreamName {
        workload::stream(&format!("s-{}", self.random.below(6)))
    }

    fn derived(&mut self) -> Source {
        let of = self.random.below(3);
        let name = match self.random.below(4) {
            0 => "$ce-s".to_string(),
            1 => format!("$et-t-{of}"),
            2 => "$streams".to_string(),
            _ => format!("$bc-c{of}"),
        };
        Source::named(workload::stream(&name))
    }

    fn new_event(&mut self) -> NewEvent {
        self.fresh += 1;
        let size = match self.random.below(40) {
            0 => 70_000,
            1..5 => 3_000,
            _ => self.random.below(60) as usize,
        };
        let data = self.random.bytes(size);
        NewEvent {
            id: EventId::new(Uuid::from_u128(self.fresh)).expect("not nil"),
            id_is_fresh: false,
            event_type: EventType::parse(&format!("t-{}", self.random.below(3))).expect("a type"),
            content: Content {
                media_type: MediaType::parse("application/octet-stream").expect("a media type"),
                metadata: match self.random.below(6) {
                    0 => Some(Bytes::from_static(b"{\"by\":1}")),
                    of @ 1..3 => Some(format!("{{\"$correlationId\":\"c{of}\"}}").into()),
                    _ => None,
                },
                trace_parent: match self.random.below(4) {
                    0 => TraceParent::parse(&format!("00-{:032x}-00000000000000aa-01", self.fresh)),
                    _ => None,
                },
                data: data.into(),
            },
        }
    }

    fn earlier(&mut self) -> Option<Append> {
        let index = self.random.below(self.appended.len().max(1) as u64) as usize;
        self.appended.get(index).cloned()
    }

    /// New events most of the time; else a repeat, or ids that are used in some wrong way.
    fn proposal(&mut self) -> (StreamName, Vec<NewEvent>) {
        let is_large = self.random.below(9) == 0;
        let count = 1 + self.random.below(if is_large { 120 } else { 8 });
        let fresh: Vec<_> = (0..count).map(|_| self.new_event()).collect();
        let Some(Append { stream, mut events, .. }) = self.earlier() else { return (self.stream(), fresh) };
        let index = self.random.below(events.len() as u64) as usize;
        match self.random.below(20) {
            0..3 => {}
            3 => events.truncate(index),
            4 => drop(events.drain(..index)),
            5 => events.reverse(),
            6 => events[index].content.data = Bytes::from_static(b"other"),
            7 => events[index].content.metadata = None,
            8 => events.push(fresh[0].clone()),
            9 => events.insert(0, fresh[0].clone()),
            10 => events = vec![fresh[0].clone(), fresh[0].clone()],
            // The same ids in another stream are new there.
            11 => return (self.stream(), events),
            _ => return (self.stream(), fresh),
        }
        (stream, events)
    }

    async fn append(&mut self, step: u32) {
        let (stream, events) = self.proposal();
        let length = self.model.streams.get(&stream).map_or(0, Vec::len) as u64;
        let expected = match self.random.below(10) {
            0 => ExpectedVersion::NoStream,
            1 => ExpectedVersion::Exists,
            2 => ExpectedVersion::Exactly(number(self.random.below(length + 2))),
            3 => ExpectedVersion::Exactly(number(length.saturating_sub(1))),
            _ => ExpectedVersion::Any,
        };
        let now = Timestamp::from_micros(1_000_000 + i64::from(step) * 10 - self.random.below(30) as i64);
        let append = Append { stream, events, expected, ids_alone: false, now };
        let outcome = match self.store.append(append.clone()).await {
            Ok(receipt) => Ok(receipt),
            Err(AppendError::Refused(refusal)) => Err(refusal),
            Err(other) => panic!("step {step}: {other}"),
        };
        assert_eq!(outcome, self.model.append(&append), "step {step}: {append:?}");
        if outcome.is_ok_and(|receipt| !receipt.repeat) {
            self.appended.push(append);
        }
    }

    async fn read(&mut self, step: u32) {
        let source = match self.random.below(5) {
            0 => Source::All,
            1 | 2 => self.derived(),
            _ => Source::Stream(self.stream()),
        };
        let view = if self.random.below(3) == 0 { self.view.clone() } else { self.store.view() };
        let is_on = match &source {
            Source::All | Source::Stream(_) => true,
            Source::Derived(kind, _) => self.kinds.contains(*kind),
        };
        let head = match view.head(&source) {
            Err(ReadError::Indexing { .. }) => return,
            head => head.expect("a head").next.get(),
        };
        if !is_on {
            return assert_eq!(head, 0, "step {step}: {source} is off");
        }
        let length = self.model.of(&source).len() as u64;
        let first = number(self.random.below(length + 3));
        let last = match self.random.below(4) {
            0 => Number::MAX,
            1 => number(self.random.below(length + 3)),
            _ => first.plus(self.random.below(300)),
        };
        let order = if self.random.below(2) == 0 { Order::OldestFirst } else { Order::NewestFirst };
        let bytes_max = if self.random.below(2) == 0 { usize::MAX } else { self.random.below(20_000) as usize };
        let next = view.log().next.get();
        let expected = self.model.read(&source, next, first, last, order, bytes_max);
        let read = view.read(&source, first, last, order, bytes_max).await.expect("it reads");
        assert!(read == expected, "step {step}: {source} from {first} to {last}, {order:?}, below {next}");
        let visible = self.model.of(&source).into_iter().filter(|event| event.position.get() < next).count();
        assert_eq!(head, visible as u64, "step {step}: the head of {source}");
    }
}
