//! Replicas: whatever happened to a log, a replica of it shows the same; and it takes nothing else.

use std::path::Path;
use std::sync::Arc;

use uuid::Uuid;

use super::super::tests_support::{append, new_event, open, options, read, sealed, stream};
use super::super::{
    AppendError, Delete, Left, NewStore, OpenError, ReplicateError, Role, Row, Store, Thoroughness, verify,
};
use crate::event::{
    Deletion, Event, EventType, ExpectedVersion, MediaType, Number, Position, Receipt, Source, Timestamp,
};

const SOURCE: &str = "http://source.example";

/// A replica of the log that all stores of the tests have.
fn try_replica(data: &Path) -> Result<Store, OpenError> {
    let new = NewStore {
        log: Uuid::from_u128(42),
        epoch: 3,
        created: Timestamp::from_micros(1),
        replica_of: Some(SOURCE.into()),
    };
    Store::open_or_make(&options(data), &new).map(|(store, _)| store)
}

fn replica(data: &Path) -> Store {
    try_replica(data).expect("it opens")
}

/// What a feed tells of an event.
fn row(event: Event) -> Row {
    let Event { stream, number, position, time, id, event_type, digest, content, kept_correlation, .. } = event;
    let left = match content {
        Some(content) => Left::Content(content),
        None => Left::Removed { digest, correlation: kept_correlation },
    };
    Row { stream, number, position, time, id, event_type, left }
}

/// All of a log, as its feed shows it now.
fn rows(store: &Store) -> Vec<Row> {
    read(store, &Source::All).into_iter().map(row).collect()
}

async fn set(store: &Store, name: &str, id: u128, settings: &'static str) {
    let mut event = new_event(id, settings);
    event.event_type = EventType::parse("$metadata").expect("a type");
    event.content.media_type = MediaType::json();
    append(store, &format!("$${name}"), vec![event]).await.expect("set");
}

async fn delete(store: &Store, name: &str, deletion: Deletion) {
    let now = Timestamp::from_micros(2_000_000);
    let delete = Delete { stream: stream(name), deletion, expected: ExpectedVersion::Any, now };
    store.delete(delete).await.expect("deleted");
}

/// Everything that a reader could see of both.
fn check_same(source: &Store, replica: &Store) {
    let (here, there) = (source.view(), replica.view());
    let all = read(source, &Source::All);
    assert_eq!(read(replica, &Source::All), all);
    assert_eq!(here.log(), there.log());
    assert_eq!(here.has_links(), there.has_links());
    let mut streams: Vec<_> = all.iter().map(|event| event.stream.clone()).collect();
    streams.sort_unstable();
    streams.dedup();
    for stream in streams {
        assert_eq!(here.retention(&stream), there.retention(&stream), "{stream}");
        let source = Source::Stream(stream);
        assert_eq!(here.head(&source), there.head(&source), "{source}");
    }
    for name in ["$streams", "$ce-s", "$et-t"] {
        let source = Source::named(stream(name));
        let (here, there) = (here.head(&source).expect("a head"), there.head(&source).expect("a head"));
        assert_eq!(here, there, "{name}");
    }
}

#[tokio::test]
async fn a_replica_shows_what_its_source_shows_also_of_what_was_removed() {
    let (here, there) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    let source = open(here.path());
    for name in ["s-counted", "s-cut", "s-reborn", "s-gone", "s-aged", "s-whole"] {
        let events = (1..=10).map(|id| new_event(id, format!("{{\"n\":{id}}}"))).collect();
        append(&source, name, events).await.expect("appended");
    }
    let mut correlated = new_event(50, "{}");
    correlated.content.metadata = Some(r#"{"$correlationId":"c"}"#.into());
    append(&source, "s-cut", vec![correlated]).await.expect("appended");
    set(&source, "s-counted", 1, r#"{"$maxCount":3}"#).await;
    set(&source, "s-cut", 1, r#"{"$tb":11,"own":1}"#).await;
    source.truncate(stream("s-aged"), Number::from(4), Timestamp::from_micros(3_000_000)).await.expect("truncated");
    delete(&source, "s-reborn", Deletion::Soft).await;
    append(&source, "s-reborn", vec![new_event(1, "again"), new_event(99, "new")]).await.expect("a new life");
    delete(&source, "s-gone", Deletion::Hard).await;
    // The copy of such a stream's last event once had the life before it, and with it another entity tag.
    append(&source, "s-both", vec![new_event(7, "{}")]).await.expect("appended");
    delete(&source, "s-both", Deletion::Soft).await;
    delete(&source, "s-both", Deletion::Hard).await;
    let mut link = new_event(60, "3@s-whole");
    link.event_type = EventType::parse("$>").expect("a type");
    append(&source, "s-links", vec![link]).await.expect("appended");

    let mirror = replica(there.path());
    let all = rows(&source);
    for batch in all.chunks(7) {
        mirror.replicate(batch.to_vec()).await.expect("taken in");
    }
    check_same(&source, &mirror);
    mirror.close();
    drop(mirror);
    assert!(verify(there.path(), &mut |_, _| {}).expect("it opens").is_sound());
    let mirror = replica(there.path());
    check_same(&source, &mirror);

    let identity = mirror.turn(Role::Promoted).await.expect("promoted");
    assert_eq!((identity.epoch, mirror.replica_of()), (4, None));
    // A repeat gets the first receipt in the stream's present life, whatever was removed since.
    for (name, id, data, number) in
        [("s-whole", 4, "{\"n\":4}", 3_u32), ("s-reborn", 99, "new", 11), ("s-cut", 2, "{\"n\":2}", 1)]
    {
        let first = append(&source, name, vec![new_event(id, data.to_string())]).await.expect("a repeat");
        assert_eq!((first.first, first.repeat), (number.into(), true));
        assert_eq!(append(&mirror, name, vec![new_event(id, data.to_string())]).await, Ok(first));
    }
    let reborn = append(&mirror, "s-reborn", vec![new_event(2, "{\"n\":2}")]).await.expect("an id of an earlier life");
    assert_eq!((reborn.first.get(), reborn.repeat), (12, false));
    assert!(matches!(append(&mirror, "s-gone", vec![new_event(7, "1")]).await, Err(AppendError::Refused(_))));
}

#[tokio::test]
async fn rows_that_do_not_continue_the_log_are_refused_and_repeats_are_passed_over() {
    let (here, there) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    let source = open(here.path());
    append(&source, "a", (1..=4).map(|id| new_event(id, "1")).collect()).await.expect("appended");
    let all = rows(&source);
    let mirror = replica(there.path());
    let next = |position: u32| Ok(Position::from(position));
    assert_eq!(mirror.replicate(Vec::new()).await, next(0));
    assert_eq!(mirror.replicate(all[..2].to_vec()).await, next(2));
    assert_eq!(mirror.replicate(all[..3].to_vec()).await, next(3), "two of them are here");
    assert_eq!(mirror.replicate(all[1..2].to_vec()).await, next(3));

    let changed = |change: &dyn Fn(&mut Row)| {
        let mut row = all[3].clone();
        change(&mut row);
        vec![row]
    };
    let refused = [
        changed(&|row| row.position = Position::from(4)),
        changed(&|row| row.number = Number::from(4)),
        changed(&|row| row.stream = stream("b")),
        changed(&|row| row.time = Timestamp::from_micros(7)),
        changed(&|row| row.position = Position::from(2)),
        vec![all[3].clone(), all[3].clone()],
    ];
    for rows in refused {
        let refusal = mirror.replicate(rows).await.expect_err("refused");
        assert!(!matches!(refusal, ReplicateError::Store(_)), "{refusal}");
        assert_eq!(read(&mirror, &Source::All).len(), 3, "{refusal}: nothing is written");
    }
    let another = changed(&|row| (row.position, row.number) = (Position::from(2), Number::from(2)));
    let refusal = mirror.replicate(another).await.expect_err("refused").to_string();
    assert!(refusal.contains("two histories"), "{refusal}");
    assert_eq!(mirror.replicate(all.clone()).await, next(4));
    check_same(&source, &mirror);
}

#[tokio::test]
async fn a_replica_takes_no_appends_and_a_store_that_takes_appends_no_rows_whatever_is_restarted() {
    let (here, there) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    let source = open(here.path());
    append(&source, "a", vec![new_event(1, "1"), new_event(2, "2")]).await.expect("appended");
    let all = rows(&source);
    assert_eq!(source.replicate(all.clone()).await, Ok(Position::from(2)), "nothing new");
    let mut more = all[1].clone();
    (more.position, more.number) = (Position::from(2), Number::from(2));
    assert_eq!(source.replicate(vec![more]).await, Err(ReplicateError::NoReplica));
    assert_eq!(source.turn(Role::Promoted).await, Err(ReplicateError::NoReplica));

    let refused = Err(AppendError::Replica(SOURCE.into()));
    let now = Timestamp::from_micros(1);
    for part in all.chunks(1) {
        let mirror = replica(there.path());
        mirror.replicate(part.to_vec()).await.expect("taken in");
        assert_eq!(append(&mirror, "a", vec![new_event(9, "9")]).await, refused);
        assert_eq!(mirror.truncate(stream("a"), Number::from(1), now).await, refused);
        let delete = Delete { stream: stream("a"), deletion: Deletion::Soft, expected: ExpectedVersion::Any, now };
        assert_eq!(mirror.delete(delete).await, refused);
        assert!(mirror.scavenge(Uuid::from_u128(1), now, Thoroughness::Everything).is_ok(), "space is its own");
        mirror.close();
    }
    // Whoever opens it.
    let mirror = open(there.path());
    assert_eq!(mirror.replica_of(), Some(Arc::new(SOURCE.into())));
    assert_eq!(append(&mirror, "a", vec![new_event(9, "9")]).await, refused);
    let role = Role::Replica { of: "http://moved.example".into(), epoch: 5 };
    assert_eq!(mirror.turn(role).await.expect("it moved").epoch, 5);
    mirror.close();
    drop(mirror);
    let mirror = open(there.path());
    assert_eq!(mirror.replica_of(), Some(Arc::new("http://moved.example".into())));
    assert_eq!(mirror.turn(Role::Complete).await.expect("complete").epoch, 5);
    let receipt = Receipt { first: 2_u32.into(), last: 2_u32.into(), position: Position::from(2), repeat: false };
    assert_eq!(append(&mirror, "a", vec![new_event(9, "9")]).await, Ok(receipt));
    assert_eq!(mirror.turn(Role::Promoted).await, Err(ReplicateError::NoReplica));
    mirror.close();
    drop(mirror);
    let mirror = open(there.path());
    assert_eq!((mirror.replica_of(), mirror.identity().epoch), (None, 5));
}

#[tokio::test]
async fn a_replica_seals_chunks_of_its_own_and_finds_ids_in_them() {
    let (here, there) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    let source = open(here.path());
    for batch in 0..70_u128 {
        let events = (1..=1_000).map(|id| new_event(batch * 1_000 + id, "{}")).collect();
        append(&source, &format!("s-{}", batch % 7), events).await.expect("appended");
    }
    set(&source, "s-3", 1, r#"{"$tb":5000}"#).await;
    sealed(&source, 1).await;
    let mirror = replica(there.path());
    for batch in rows(&source).chunks(3_000) {
        mirror.replicate(batch.to_vec()).await.expect("taken in");
    }
    sealed(&mirror, 1).await;
    check_same(&source, &mirror);
    mirror.turn(Role::Promoted).await.expect("promoted");
    let first = append(&source, "s-3", vec![new_event(3_001, "{}")]).await.expect("a repeat");
    assert!(first.repeat);
    assert_eq!(append(&mirror, "s-3", vec![new_event(3_001, "{}")]).await, Ok(first));
}
