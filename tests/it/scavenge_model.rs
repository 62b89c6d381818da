//! Random appends, settings, deletions, erasures, scavenges, compactions and restarts, against a plain model: content is gone exactly where it
//! should be, from what views show and from the files; nothing else of any row ever changes. A replica, whatever it was
//! fed in, shows the same.
//!
//! `EVERFEED_SEED` brings a failing run back.

mod replica;

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use everfeed::event::{
    Content, Deletion, Event, EventId, EventType, ExpectedVersion, MediaType, NewEvent, Number, Order, Source,
    Timestamp,
};
use everfeed::store::{Append, AppendError, Delete, Store, Thoroughness, View, verify};
use uuid::Uuid;

use self::replica::Replica;
use crate::support::chunks;
use crate::workload::{self, Random};

const DATA: &str = "EVERFEED_SCAVENGE_MODEL_DATA";
const CHUNK_EVENTS: &str = "60";
const RUNS: u64 = 6;
const STEPS: u32 = 500;
const STREAMS: u64 = 7;

/// The child process, since the size of chunks is a matter of the whole process: one run.
#[test]
fn child() {
    let Some(data) = workload::setting(DATA).map(PathBuf::from) else { return };
    let random = Random::seeded("one run of the model");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(Run::new(data, random).run());
}

#[test]
fn content_is_gone_exactly_where_it_should_be_and_rows_never_change() {
    let mut random = Random::seeded("scavenge model");
    let seeds: Vec<u64> = match workload::setting("EVERFEED_SEED") {
        Some(seed) => vec![seed.parse().expect("a number")],
        None => (0..RUNS).map(|_| random.next()).collect(),
    };
    for seed in seeds {
        let dir = tempfile::tempdir().expect("a directory");
        let mut command = workload::child("scavenge_model::child", DATA, dir.path().join("data"));
        command.env("EVERFEED_CHUNK_EVENTS", CHUNK_EVENTS).env("EVERFEED_SEED", seed.to_string());
        let output = command.stdin(Stdio::null()).output().expect("it starts");
        let complained = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "EVERFEED_SEED={seed}: {complained}");
    }
}

/// What is left of one stream, told in the plainest way.
#[derive(Debug, Clone, Default)]
struct Left {
    length: u64,
    /// What was ever gone stays gone.
    floor: u64,
    count: Option<u64>,
    before: u64,
    is_soft_deleted: bool,
    is_hard_deleted: bool,
    /// Single events that were erased.
    erased: BTreeSet<u64>,
}

impl Left {
    fn lacks(&self, number: Number) -> bool {
        number.get() < self.floor || self.erased.contains(&number.get())
    }

    fn settle(&mut self) {
        if self.is_hard_deleted {
            // The event that says so stays.
            self.floor = self.length - 1;
            return;
        }
        let counted = self.count.map_or(0, |count| self.length.saturating_sub(count));
        let gone = counted.max(self.before.min(self.length));
        self.floor = self.floor.max(if self.is_soft_deleted { self.length } else { gone });
    }
}

struct Run {
    data: PathBuf,
    random: Random,
    store: Store,
    left: HashMap<String, Left>,
    /// As they were appended.
    log: Vec<Event>,
    /// Kept from some time ago, with what was left then.
    kept: Option<(View, HashMap<String, Left>)>,
    replica: Option<Replica>,
    fresh: u128,
}

impl Run {
    fn new(data: PathBuf, random: Random) -> Self {
        let store = workload::open(&data).expect("it opens");
        let replica = Some(Replica::new(data.with_extension("replica")));
        Self { data, random, store, left: HashMap::new(), log: Vec::new(), kept: None, replica, fresh: 0 }
    }

    async fn run(mut self) {
        for step in 0..STEPS {
            match self.random.below(100) {
                0..57 => self.append().await,
                57..62 => self.erase().await,
                62..76 => self.set().await,
                76..80 => self.delete(Deletion::Soft).await,
                80..81 => self.delete(Deletion::Hard).await,
                81..89 => self.scavenge(false).await,
                89..91 => self.kept = Some((self.store.view(), self.left.clone())),
                91..92 => self.restart(),
                _ => self.replicate(step).await,
            }
            if self.random.below(4) == 0 {
                self.check_views(step);
            }
        }
        self.scavenge(true).await;
        self.check_views(STEPS);
        self.check_replica(STEPS).await;
        self.restart_replica();
        self.check_replica(STEPS + 1).await;
        // A view keeps what it shows, also in files.
        self.kept = None;
        self.check_files();
        self.restart();
        self.check_views(STEPS + 1);
        let Self { data, store, replica, .. } = self;
        drop(replica);
        store.close();
        drop(store);
        let report = verify(&data, &mut |_, _| {}).expect("it opens");
        assert!(report.is_sound(), "{report}");
        assert_eq!(report.leftovers, 0);
    }

    fn stream(&mut self) -> String {
        format!("s-{}", self.random.below(STREAMS))
    }

    fn left(&mut self, stream: &str) -> &mut Left {
        self.left.entry(stream.to_string()).or_default()
    }

    /// Takes in what the log got since: events of ours, and those that the store wrote for us.
    fn take_new(&mut self) {
        let from = Number::new(self.log.len() as u64).expect("in range");
        let view = self.store.view();
        let events = view.read_blocking(&Source::All, from, Number::MAX, Order::OldestFirst, usize::MAX).expect("read");
        for event in events {
            self.left(event.stream.as_str()).length += 1;
            self.log.push(event);
        }
        self.left.values_mut().for_each(Left::settle);
    }

    async fn append_events(&mut self, stream: &str, events: Vec<NewEvent>) -> Result<(), AppendError> {
        let stream = workload::stream(stream);
        let now = Timestamp::from_micros(1_000_000);
        self.store
            .append(Append { stream, events, expected: ExpectedVersion::Any, ids_alone: false, now })
            .await
            .map(drop)
    }

    fn new_event(&mut self, event_type: &str, data: String) -> NewEvent {
        self.fresh += 1;
        let correlated = (self.random.below(3) == 0).then(|| format!("{{\"$correlationId\":\"c-{}\"}}", self.fresh));
        NewEvent {
            id: EventId::new(Uuid::from_u128(self.fresh)).expect("not nil"),
            id_is_fresh: false,
            event_type: EventType::parse(event_type).expect("a type"),
            content: Content {
                media_type: MediaType::json(),
                data: data.into(),
                metadata: correlated.map(Into::into),
                trace_parent: None,
            },
        }
    }

    async fn append(&mut self) {
        let stream = self.stream();
        let count = 1 + self.random.below(12);
        let events = (0..count)
            .map(|_| {
                let data = format!("{{\"mark\":\"{}\"}}", mark(self.fresh + 1));
                self.new_event("t", data)
            })
            .collect();
        let appended = self.append_events(&stream, events).await;
        assert_eq!(appended.is_err(), self.left(&stream).is_hard_deleted, "{appended:?}");
        if appended.is_ok() {
            // A new life begins where the old one ended, whose limits the store keeps but for `$tb`.
            let left = self.left(&stream);
            if left.is_soft_deleted {
                left.is_soft_deleted = false;
                left.before = left.length;
            }
            self.take_new();
        }
    }

    async fn set(&mut self) {
        let stream = self.stream();
        if self.left(&stream).is_hard_deleted {
            return;
        }
        let length = self.left(&stream).length;
        let before = (self.random.below(2) == 0).then(|| self.random.below(length + 4));
        let count = (self.random.below(3) == 0).then(|| 1 + self.random.below(length + 1));
        let document = serde_json::json!({ "$tb": before, "$maxCount": count }).to_string();
        let event = self.new_event("$metadata", document);
        self.append_events(&format!("$${stream}"), vec![event]).await.expect("settings");
        let left = self.left(&stream);
        (left.before, left.count, left.is_soft_deleted) = (before.unwrap_or(0), count, false);
        self.take_new();
    }

    async fn delete(&mut self, deletion: Deletion) {
        let stream = self.stream();
        let now = Timestamp::from_micros(1_000_000);
        let delete = Delete { stream: workload::stream(&stream), deletion, expected: ExpectedVersion::Any, now };
        if self.store.delete(delete).await.is_ok() {
            let left = self.left(&stream);
            match deletion {
                Deletion::Soft => left.is_soft_deleted = true,
                Deletion::Hard => left.is_hard_deleted = true,
            }
            self.take_new();
        }
    }

    async fn erase(&mut self) {
        let stream = self.stream();
        let (length, now) = (self.left(&stream).length, Timestamp::from_micros(1_000_000));
        let number = Number::new(self.random.below(length + 2)).expect("in range");
        let erased = self.store.erase(workload::stream(&stream), number, now).await;
        let left = self.left(&stream);
        assert_eq!(erased.is_ok(), number.get() < left.length, "{erased:?}");
        if let Ok(receipt) = erased {
            assert_eq!(receipt.repeat, left.lacks(number), "what has gone already is not erased once more");
            if !left.lacks(number) {
                left.erased.insert(number.get());
            }
            self.take_new();
        }
    }

    /// Asks for a pass; waits for its end now and then.
    async fn scavenge(&mut self, is_last: bool) {
        if is_last {
            while self.store.view().chunks_due() > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        let id = Uuid::from_u128(u128::from(self.random.next()) + 1);
        let thoroughness = match self.random.below(3) {
            0 if !is_last => Thoroughness::Worthwhile,
            1 if !is_last => Thoroughness::Everything,
            _ => Thoroughness::NoTrace,
        };
        // It waits for those who still read what it replaces.
        if thoroughness == Thoroughness::NoTrace {
            self.kept = None;
        }
        let id = self.store.scavenge(id, Timestamp::from_micros(1), thoroughness).expect("it is taken");
        if is_last || self.random.below(2) == 0 {
            while self.store.scavenging().last.is_none_or(|last| last.id != id) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
    }

    /// Feeds the replica, by what the store shows now or showed a while ago.
    async fn replicate(&mut self, step: u32) {
        let replica = self.replica.as_ref().expect("it is open");
        let view = match &self.kept {
            Some((kept, _)) if self.random.below(2) == 0 => kept.clone(),
            _ => self.store.view(),
        };
        match self.random.below(8) {
            0 => self.restart_replica(),
            1 => replica.scavenge(Uuid::from_u128(u128::from(self.random.next()) + 1)),
            2 => self.check_replica(step).await,
            _ => replica.take(&view, &mut self.random).await,
        }
    }

    /// Once it has everything, it shows what the store shows.
    async fn check_replica(&mut self, step: u32) {
        let replica = self.replica.as_ref().expect("it is open");
        replica.catch_up(&self.store.view(), &mut self.random).await;
        check_view(&replica.view(), &self.left, &self.log, step);
    }

    fn restart_replica(&mut self) {
        self.replica = self.replica.take().map(Replica::restart);
    }

    fn restart(&mut self) {
        self.store.close();
        self.kept = None;
        // Each variable lets go of sled before the store is opened anew.
        let elsewhere = tempfile::tempdir().expect("a directory");
        self.store = workload::open(elsewhere.path()).expect("it opens");
        self.store = workload::open(&self.data).expect("it opens again");
    }

    fn check_views(&self, step: u32) {
        check_view(&self.store.view(), &self.left, &self.log, step);
        if let Some((view, left)) = &self.kept {
            check_view(view, left, &self.log, step);
        }
    }

    /// What is gone is gone from the files as well, once all of it was to be given back.
    fn check_files(&self) {
        let mut generations = 0;
        let mut gone = 0;
        for chunk in chunks::read_all(&self.data) {
            generations = generations.max(chunk.generation);
            for event in &self.log[chunk.first as usize..chunk.end as usize] {
                let is_marked = event.event_type.as_str() == "t";
                let is_gone = self.left[event.stream.as_str()].lacks(event.number);
                if is_marked {
                    gone += u64::from(is_gone);
                    let is_held = chunk.holds(mark(event.id.uuid().as_u128()).as_bytes());
                    assert_eq!(is_held, !is_gone, "{}@{}", event.number, event.stream);
                }
            }
        }
        assert!(generations > 1 && gone > 100, "{gone} contents were removed in {generations} generations");
    }
}

/// What tells an event's content from all others.
fn mark(id: u128) -> String {
    format!("<{:016x}>", (id as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

fn check_view(view: &View, left: &HashMap<String, Left>, log: &[Event], step: u32) {
    let read =
        view.read_blocking(&Source::All, Number::ZERO, Number::MAX, Order::OldestFirst, usize::MAX).expect("read");
    assert_eq!(read.len() as u64, view.log().next.get());
    for (read, appended) in read.iter().zip(log) {
        let is_gone = left[read.stream.as_str()].lacks(read.number);
        let mut expected = appended.clone();
        if is_gone {
            expected.remove_content();
        }
        assert_eq!(*read, expected, "step {step}: {}@{}", read.number, read.stream);
    }
    for (stream, left) in left.iter().filter(|(stream, _)| !stream.starts_with('$')) {
        let source = Source::Stream(workload::stream(stream));
        let head = view.head(&source).expect("a head");
        assert_eq!(head.next.get(), left.length, "step {step}: {stream}");
        assert_eq!(head.first_visible.get().min(left.length), left.floor, "step {step}: {stream}");
        let of_stream = view.read_blocking(&source, Number::ZERO, Number::MAX, Order::OldestFirst, usize::MAX);
        let expected: Vec<&Event> = read.iter().filter(|event| event.stream.as_str() == stream).collect();
        assert!(of_stream.expect("read").iter().eq(expected), "step {step}: {stream}");
    }
}
