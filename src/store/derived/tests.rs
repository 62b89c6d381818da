//! Derived streams in a store: from the tail, from chunks, after opening, switched off and on, built later.

use std::collections::HashMap;
use std::path::Path;

use bytes::Bytes;
use uuid::Uuid;

use super::super::tests_support::{append, new_event, open, options, read, sealed};
use super::super::{OpenError, Options, ReadError, Store, View, repair, verify};
use super::{Kinds, files};
use crate::event::{Derived, Event, EventType, NewEvent, Number, Order, Position, Source, StreamName, Timestamp};

/// Two chunks and a rest.
const EVENTS: u64 = 140_000;

/// An event of one of seven types, every third with one of many correlation ids.
fn event(n: u64) -> NewEvent {
    let mut event = new_event(u128::from(n) + 1, n.to_string());
    event.event_type = EventType::parse(&format!("t{}", n % 7)).expect("a type");
    let correlation = || Bytes::from(format!("{{\"$correlationId\":\"c {}\"}}", n % 3_000 / 3));
    event.content.metadata = n.is_multiple_of(3).then(correlation);
    event
}

/// Over 300 streams of three categories and one of none, in batches.
async fn fill(store: &Store, events: std::ops::Range<u64>) {
    let mut next = events.start;
    while next < events.end {
        let size = (next % 400 + 1).min(events.end - next);
        let stream = match next % 4 {
            3 => "plain".to_string(),
            category => format!("c{category}-{}", next % 100),
        };
        append(store, &stream, (next..next + size).map(event).collect()).await.expect("appended");
        next += size;
    }
}

fn open_with(data: &Path, kinds: Kinds) -> Store {
    let options = Options { derived: kinds, ..options(data) };
    Store::open(&options, Uuid::from_u128(42), Timestamp::from_micros(1)).expect("it opens").0
}

fn all() -> Kinds {
    Derived::ALL.into_iter().collect()
}

/// Every derived stream of these kinds, by the rule, from the log.
fn expected(store: &Store, kinds: Kinds) -> HashMap<(Derived, StreamName), Vec<Event>> {
    let mut streams: HashMap<_, Vec<Event>> = HashMap::new();
    for event in read(store, &Source::All) {
        for kind in kinds.iter() {
            if let Some(name) = kind.stream_of(&event) {
                streams.entry((kind, name)).or_default().push(event.clone());
            }
        }
    }
    streams
}

#[track_caller]
fn check(store: &Store, kinds: Kinds) {
    let expected = expected(store, kinds);
    assert!(kinds.iter().all(|kind| expected.keys().any(|(of, _)| *of == kind)));
    let view = store.view();
    for ((kind, name), events) in expected {
        let source = Source::Derived(kind, name);
        assert_eq!(view.head(&source).expect("a head").next.get(), events.len() as u64, "{source}");
        let last = events.len() as u64 - 1;
        // All of it where it is short; else around both ends, and where a chunk ends.
        for (from, to) in
            if last < 500 { vec![(0, last)] } else { vec![(0, 150), (last - 90, last), (last / 2, last / 2 + 200)] }
        {
            let (from, to) = (number(from), number(to));
            let found = view.read_blocking(&source, from, to, Order::OldestFirst, usize::MAX).expect("reads");
            assert!(found == events[from.get() as usize..=to.get() as usize], "{source} {from} to {to}");
        }
    }
}

fn number(value: u64) -> Number {
    Number::new(value).expect("in range")
}

/// Waits until everything is built.
async fn built(store: &Store) {
    for _ in 0..6_000 {
        let state = store.view().state;
        if store.running.shared.kinds.iter().all(|kind| state.sealed.indexed.until(kind) == state.sealed.end()) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("it was not built");
}

fn check_sound(data: &Path) {
    let report = verify(data, &mut |_, _| {}).expect("it opens");
    assert!(report.is_sound(), "{report}");
    assert_eq!(report.leftovers, 0);
}

fn close(store: Store) {
    store.close();
    drop(store);
}

#[tokio::test]
async fn a_derived_stream_is_the_same_from_the_tail_from_chunks_and_after_opening() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open_with(dir.path(), all());
    fill(&store, 0..60_000).await;
    check(&store, all());
    let early = store.view();
    fill(&store, 60_000..EVENTS).await;
    sealed(&store, 2).await;
    check(&store, all());
    let source = Source::named(StreamName::parse("$et-t1").expect("a name"));
    assert_eq!(early.head(&source).expect("a head").next.get(), 60_000_u64.div_ceil(7), "a view never changes");
    close(store);
    drop(early);
    check_sound(dir.path());
    let store = open_with(dir.path(), all());
    check(&store, all());
    let events = read_named(&store.view(), "$ce-c1", Order::NewestFirst);
    assert!(events.windows(2).all(|pair| pair[1].position < pair[0].position));
}

fn read_named(view: &View, name: &str, order: Order) -> Vec<Event> {
    let source = Source::named(StreamName::parse(name).expect("a name"));
    view.read_blocking(&source, Number::ZERO, Number::MAX, order, usize::MAX).expect("reads")
}

#[tokio::test]
async fn a_kind_that_is_switched_on_later_gets_the_numbers_it_would_have_had() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open_with(dir.path(), Kinds::NONE);
    fill(&store, 0..70_000).await;
    sealed(&store, 1).await;
    let off = Source::named(StreamName::parse("$ce-c1").expect("a name"));
    assert!(!store.view().head(&off).expect("a head").exists(), "it is off");
    close(store);
    check_sound(dir.path());

    // On, while more chunks are sealed.
    let some: Kinds = [Derived::Category, Derived::Streams].into_iter().collect();
    let store = open_with(dir.path(), some);
    fill(&store, 70_000..EVENTS).await;
    sealed(&store, 2).await;
    built(&store).await;
    check(&store, some);
    close(store);
    check_sound(dir.path());
    let before = std::fs::metadata(files::path(&dir.path().join("chunks"), Position::ZERO, Derived::Category));

    // Off, and on again with the others: what is there already is not built again.
    let store = open_with(dir.path(), Kinds::NONE);
    fill(&store, EVENTS..200_000).await;
    sealed(&store, 3).await;
    close(store);
    let store = open_with(dir.path(), all());
    built(&store).await;
    check(&store, all());
    close(store);
    check_sound(dir.path());
    let after = std::fs::metadata(files::path(&dir.path().join("chunks"), Position::ZERO, Derived::Category));
    let written =
        |metadata: std::io::Result<std::fs::Metadata>| metadata.expect("it is there").modified().expect("a time");
    assert_eq!(written(before), written(after));
}

#[tokio::test]
async fn what_is_not_built_yet_says_how_far_it_is() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open_with(dir.path(), Kinds::NONE);
    fill(&store, 0..70_000).await;
    sealed(&store, 1).await;
    close(store);
    let options = Options { read_only: true, derived: all(), ..options(dir.path()) };
    let (store, _) = Store::open(&options, Uuid::nil(), Timestamp::default()).expect("it opens");
    let name = StreamName::parse("$ce-c1").expect("a name");
    let head = store.view().head(&Source::named(name.clone()));
    assert_eq!(head, Err(ReadError::Indexing { stream: name, done: Position::ZERO, of: Position::from(65_536) }));
}

#[tokio::test]
async fn an_index_that_is_lost_or_cut_short_is_built_anew_and_damage_is_never_served() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    fill(&store, 0..EVENTS).await;
    sealed(&store, 2).await;
    close(store);
    let chunks = dir.path().join("chunks");
    std::fs::remove_file(files::path(&chunks, Position::ZERO, Derived::EventType)).expect("removed");
    std::fs::write(files::path(&chunks, Position::from(65_536), Derived::Streams), b"EVF").expect("written");
    let report = verify(dir.path(), &mut |_, _| {}).expect("it opens");
    assert_eq!(report.problems.len(), 3, "{report}");
    let store = open(dir.path());
    built(&store).await;
    check(&store, options(dir.path()).derived);
    close(store);
    check_sound(dir.path());

    let path = files::path(&chunks, Position::ZERO, Derived::Category);
    let mut bytes = std::fs::read(&path).expect("it is read");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&path, bytes).expect("written");
    let report = verify(dir.path(), &mut |_, _| {}).expect("it opens");
    assert_eq!(report.problems.len(), 1, "{report}");
    let store = open(dir.path());
    let source = Source::named(StreamName::parse("$ce-c1").expect("a name"));
    let found = store.view().read_blocking(&source, Number::ZERO, Number::from(9), Order::OldestFirst, usize::MAX);
    assert!(matches!(found, Err(ReadError::Damaged(_))), "{found:?}");
}

#[tokio::test]
async fn a_repaired_store_builds_its_derived_streams_anew() {
    let dir = tempfile::tempdir().expect("a directory");
    let (damaged, repaired) = (dir.path().join("damaged"), dir.path().join("repaired"));
    let store = open(&damaged);
    fill(&store, 0..70_000).await;
    sealed(&store, 1).await;
    close(store);
    repair(&damaged, &repaired, &mut |_, _| {}).expect("it is repaired");
    check_sound(&repaired);
    let store = open(&repaired);
    built(&store).await;
    check(&store, options(&repaired).derived);
    close(store);
    check_sound(&repaired);
}

#[tokio::test]
async fn an_unfinished_index_is_removed_at_the_next_start() -> Result<(), OpenError> {
    let dir = tempfile::tempdir().expect("a directory");
    close(open(dir.path()));
    for name in ["0.ce", "0.et.new", "65536.bc"] {
        std::fs::write(dir.path().join("chunks").join(name), b"EVFINDEX").expect("written");
    }
    let report = verify(dir.path(), &mut |_, _| {})?;
    assert_eq!(report.leftovers, 3);
    close(open(dir.path()));
    check_sound(dir.path());
    assert_eq!(std::fs::read_dir(dir.path().join("chunks")).expect("it is there").count(), 0);
    Ok(())
}
