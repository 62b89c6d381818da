//! The store as a whole: append, seal, close, open, read.

use std::sync::Arc;

use crate::event::{ExpectedVersion, Number, Order, Receipt, Refusal, Source, Timestamp};

use super::tests_support::{append, new_event, noise, open, read, sealed, stream, try_open};
use super::{Append, AppendError, Availability, OpenError, verify};

fn data(n: u128) -> String {
    format!("{{\"order\":{n},\"lines\":[{}]}}", "{\"sku\":\"85123A\",\"quantity\":6},".repeat(n as usize % 7) + "{}")
}

/// Three chunks and a rest, over 50 streams, in batches.
async fn fill(store: &super::Store, events: u128) {
    let mut next = 0_u128;
    let mut batch = 0_u128;
    while next < events {
        let size = (batch * 7 % 400 + 1).min(events - next);
        let batch_events = (next..next + size).map(|n| new_event(n + 1, data(n))).collect();
        append(store, &format!("s-{}", batch % 50), batch_events).await.expect("appended");
        next += size;
        batch += 1;
    }
}

#[tokio::test]
async fn what_was_appended_is_read_back_from_the_tail_and_from_chunks_and_after_opening() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    fill(&store, 150_000).await;
    sealed(&store, 2).await;
    let all = read(&store, &Source::All);
    assert_eq!(all.len(), 150_000);
    for (event, position) in all.iter().zip(0..) {
        assert_eq!(event.position.get(), position);
        assert_eq!(event.id.uuid().as_u128(), u128::from(position) + 1);
        assert_eq!(event.content.as_ref().expect("content").data, data(u128::from(position)));
    }
    for n in 0..50 {
        let source = Source::Stream(stream(&format!("s-{n}")));
        let events = read(&store, &source);
        let expected: Vec<_> = all.iter().filter(|event| event.stream.as_str() == format!("s-{n}")).cloned().collect();
        assert_eq!(events, expected);
        assert!(events.iter().zip(0..).all(|(event, number)| event.number.get() == number));
        let view = store.view();
        assert_eq!(view.head(&source).expect("a head").next.get(), events.len() as u64);
        let mut newest_first = view
            .read_blocking(&source, Number::from(7), Number::from(900), Order::NewestFirst, usize::MAX)
            .expect("reads");
        newest_first.reverse();
        assert_eq!(newest_first, expected[7..=900]);
    }
    store.close();
    drop(store);
    let report = verify(dir.path(), &mut |_, _| {}).expect("it opens");
    assert!(report.is_sound(), "{report}");
    assert_eq!((report.events, report.chunks), (150_000, 2));
    let store = open(dir.path());
    assert_eq!(read(&store, &Source::All), all);
    assert_eq!(std::fs::read_dir(dir.path().join("sled/blobs")).expect("sled makes it").count(), 0);
}

#[tokio::test]
async fn an_id_is_known_for_ever_in_the_tail_and_in_chunks_and_after_opening() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut store = open(dir.path());
    fill(&store, 140_000).await;
    sealed(&store, 2).await;
    for round in 0..2 {
        for position in [0_u64, 1, 65_535, 65_536, 131_071, 131_072, 139_999] {
            let number = Number::new(position).expect("in range");
            let view = store.view();
            let events =
                view.read_blocking(&Source::All, number, number, Order::OldestFirst, usize::MAX).expect("reads");
            let event = &events[0];
            let id = u128::from(position) + 1;
            let again = append(&store, event.stream.as_str(), vec![new_event(id, data(u128::from(position)))]).await;
            let receipt = Receipt { first: event.number, last: event.number, position: event.position, repeat: true };
            assert_eq!(again, Ok(receipt), "round {round}");
            let other = append(&store, event.stream.as_str(), vec![new_event(id, "{}")]).await;
            assert!(matches!(other, Err(AppendError::Refused(Refusal::IdTaken { .. }))), "{other:?}");
        }
        assert_eq!(store.view().log().next.get(), 140_000);
        store.close();
        drop(store);
        store = open(dir.path());
    }
    let elsewhere = append(&store, "elsewhere", vec![new_event(1, data(0))]).await;
    assert_eq!(elsewhere.map(|receipt| receipt.first), Ok(Number::ZERO), "ids are unique in a stream, not in the log");
}

/// A look-up on a slow disk once ended after its id had come, been sealed, and left the tail again; the writer
/// looked in the tail alone, and took the repeat for new.
#[tokio::test]
async fn a_repeat_is_known_when_its_chunk_was_sealed_between_its_look_up_and_its_turn() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    let proposal = || Append {
        stream: stream("a"),
        events: vec![new_event(1_000_000, "1")],
        expected: ExpectedVersion::Any,
        ids_alone: false,
        now: Timestamp::from_micros(1_000_000),
    };
    let (request, answered) = store.look_up(proposal()).await.expect("looked up");
    let first = store.append(proposal()).await.expect("appended");
    fill(&store, 66_000).await;
    sealed(&store, 1).await;
    let again = store.queue(request, answered).await;
    assert_eq!(again, Ok(Receipt { repeat: true, ..first }));
}

/// Closing once waited for ever: the writer waited for room in the tail, and the sealer, which makes room, had
/// ended because the store was closing.
#[tokio::test]
async fn closing_does_what_is_queued_also_while_the_tail_is_full() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    let append = Append {
        stream: stream("a"),
        events: vec![new_event(1, "1")],
        expected: ExpectedVersion::Any,
        ids_alone: false,
        now: Timestamp::default(),
    };
    let (request, _answered) = store.look_up(append).await.expect("looked up");
    let queue = super::queue::Queue::new(super::queue::QueueLimits { appends_max: 1, bytes_max: 1 });
    assert!(queue.push(request).is_ok());
    queue.close();
    let no_room = || false;
    assert!(matches!(queue.next(1, no_room), super::queue::Work::Appends(requests) if requests.len() == 1));
    assert!(matches!(queue.next(1, no_room), super::queue::Work::Close));
}

#[tokio::test]
async fn a_large_append_needs_several_syncs_and_is_still_one() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    let events: Vec<_> = (1..=5).map(|n| new_event(n, noise(n as u64, 3_000_000))).collect();
    let expected: Vec<_> = events.iter().map(|event| event.content.data.clone()).collect();
    append(&store, "large", events).await.expect("appended");
    store.close();
    drop(store);
    let store = open(dir.path());
    let read: Vec<_> =
        read(&store, &Source::All).into_iter().map(|event| event.content.expect("content").data).collect();
    assert_eq!(read, expected);
    assert_eq!(std::fs::read_dir(dir.path().join("sled/blobs")).expect("sled makes it").count(), 0);
}

#[tokio::test]
async fn appends_at_once_get_every_number_once_and_each_stays_whole() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Arc::new(open(dir.path()));
    let tasks: Vec<_> = (0..16_u128)
        .map(|task| {
            let store = store.clone();
            tokio::spawn(async move {
                for n in 0..50_u128 {
                    let id = (task * 1_000 + n) * 10 + 1;
                    let events = (0..3).map(|part| new_event(id + part, format!("[{task},{n},{part}]"))).collect();
                    append(&store, "shared", events).await.expect("appended");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("it ran");
    }
    let events = read(&store, &Source::Stream(stream("shared")));
    assert_eq!(events.len(), 16 * 50 * 3);
    for whole in events.chunks(3) {
        let ids: Vec<_> = whole.iter().map(|event| event.id.uuid().as_u128()).collect();
        assert_eq!(ids, [ids[0], ids[0] + 1, ids[0] + 2]);
    }
}

#[tokio::test]
async fn a_view_never_changes_and_keeps_what_it_shows_while_chunks_take_its_place() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    fill(&store, 60_000).await;
    let view = store.view();
    let source = Source::Stream(stream("s-3"));
    let whole = |view: &super::View| {
        view.read_blocking(&source, Number::ZERO, Number::MAX, Order::OldestFirst, usize::MAX).expect("reads")
    };
    let before = whole(&view);
    let more = (1_000_000..1_020_000_u128).map(|n| new_event(n, data(n))).collect::<Vec<_>>();
    for batch in more.chunks(2_000) {
        append(&store, "s-3", batch.to_vec()).await.expect("appended");
    }
    sealed(&store, 1).await;
    assert_eq!(whole(&view), before);
    assert_eq!(view.head(&source).expect("a head").next.get(), before.len() as u64);
    assert_eq!(whole(&store.view()).len(), before.len() + 20_000);
}

/// A connection reads into a buffer of many kilobytes; a small event once kept all of it for as long as it was in
/// the tail.
#[tokio::test]
async fn the_tail_keeps_an_event_and_not_the_buffer_that_it_came_in() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    let buffer = bytes::Bytes::from(vec![b'1'; 1 << 20]);
    let mut event = new_event(1, buffer.slice(..10));
    event.content.metadata = Some(buffer.slice(..5));
    append(&store, "a", vec![event]).await.expect("appended");
    assert!(buffer.is_unique(), "somebody still holds the buffer");
    let content = read(&store, &Source::All).remove(0).content.expect("content");
    assert_eq!((&content.data[..], content.metadata.as_deref()), (&b"1111111111"[..], Some(&b"11111"[..])));
}

#[tokio::test]
async fn a_watch_made_before_the_append_wakes_after_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    for source in [Source::All, Source::Stream(stream("a"))] {
        let mut watch = store.watch(&source);
        let mut other = store.watch(&Source::Stream(stream("b")));
        let next = store.view().log().next.get();
        append(&store, "a", vec![new_event(u128::from(next) + 1, "1")]).await.expect("appended");
        tokio::time::timeout(std::time::Duration::from_secs(20), watch.changed()).await.expect("it wakes");
        let silent = tokio::time::timeout(std::time::Duration::from_millis(50), other.changed()).await;
        assert!(silent.is_err(), "nothing was appended there");
    }
}

#[tokio::test]
async fn a_read_only_store_refuses_appends_and_reads_go_on() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    append(&store, "a", vec![new_event(1, "1")]).await.expect("appended");
    drop(store);
    let options = super::Options { read_only: true, ..super::tests_support::options(dir.path()) };
    let (store, _) = super::Store::open(&options, uuid::Uuid::nil(), Timestamp::default()).expect("it opens");
    assert!(matches!(store.availability(), Availability::ReadOnly { .. }));
    assert!(matches!(append(&store, "a", vec![new_event(2, "2")]).await, Err(AppendError::ReadOnly(_))));
    assert_eq!(read(&store, &Source::All).len(), 1);
}

#[tokio::test]
async fn a_directory_is_used_by_one_store_at_a_time_and_a_newer_format_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    assert!(matches!(try_open(dir.path()), Err(OpenError::InUse { .. })));
    drop(store);
    std::fs::write(dir.path().join("everfeed"), "everfeed format 3\n").expect("written");
    assert_eq!(try_open(dir.path()).err(), Some(OpenError::NewerFormat { found: 3, known: 2 }));
}

#[tokio::test]
async fn a_store_that_lost_the_end_of_its_log_does_not_open() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    append(&store, "a", vec![new_event(1, "1")]).await.expect("appended");
    store.close();
    drop(store);
    let closed = super::format::Closed { next: crate::event::Position::from(2), registry: None };
    std::fs::write(dir.path().join("closed"), closed.encode()).expect("written");
    assert!(matches!(try_open(dir.path()), Err(OpenError::Damaged { .. })));
}

/// sled once went on without its newest writes after a bit had flipped in the header of a segment. Events are missed,
/// since positions follow each other; settings and what was sealed are not.
#[tokio::test]
async fn a_store_that_lost_what_is_no_event_does_not_open() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    append(&store, "a", vec![new_event(1, "1")]).await.expect("appended");
    store.close();
    drop(store);
    let (door, mut writer) = super::door::Door::open(&dir.path().join("sled")).expect("it opens");
    let key = super::format::Key::Links.encode();
    let mut batch = super::door::Batch::default();
    batch.insert(key.clone(), Vec::new());
    writer.write(batch).expect("written");
    writer.sync().expect("synced");
    drop((door, writer));
    assert!(matches!(try_open(dir.path()), Err(OpenError::Damaged { .. })));

    let (door, mut writer) = super::door::Door::open(&dir.path().join("sled")).expect("it opens");
    let mut batch = super::door::Batch::default();
    batch.remove(key, 0);
    writer.write(batch).expect("written");
    writer.sync().expect("synced");
    drop((door, writer));
    assert_eq!(read(&open(dir.path()), &Source::All).len(), 1);
}

#[tokio::test]
async fn time_never_goes_back_in_the_log_and_an_expectation_is_checked_at_the_head() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    let at = |micros, id, expected| Append {
        stream: stream("a"),
        events: vec![new_event(id, "1")],
        expected,
        ids_alone: false,
        now: Timestamp::from_micros(micros),
    };
    store.append(at(500, 1, ExpectedVersion::NoStream)).await.expect("appended");
    store.append(at(100, 2, ExpectedVersion::Exactly(Number::ZERO))).await.expect("appended");
    let refused = store.append(at(900, 3, ExpectedVersion::NoStream)).await;
    assert!(matches!(refused, Err(AppendError::Refused(Refusal::WrongVersion { .. }))));
    let times: Vec<_> = read(&store, &Source::All).iter().map(|event| event.time.micros()).collect();
    assert_eq!(times, [500, 500]);
}

/// A repair looks for groups in the raw bytes, and producers choose some of these.
#[tokio::test]
async fn data_that_look_like_a_group_of_ours_are_data_to_a_repair_too() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(&dir.path().join("store"));
    append(&store, "s", vec![new_event(1, "before")]).await.expect("appended");
    let forged = {
        let mut event = read(&store, &Source::All).remove(0);
        event.content.as_mut().expect("content").data = "forged".into();
        let mut rows = Vec::new();
        super::format::row::encode(&event, &mut rows);
        let origin = super::format::group::Origin { epoch: 7, opening: u32::MAX };
        let mut encoder = super::format::group::Encoder::new().expect("an encoder");
        encoder.encode(origin, event.position, 1, &rows).remove(0)
    };
    append(&store, "s", vec![new_event(2, forged)]).await.expect("appended");
    append(&store, "s", vec![new_event(3, "after")]).await.expect("appended");
    let all = read(&store, &Source::All);
    store.close();
    drop(store);
    // As after a crash: nothing says where the log ended.
    std::fs::remove_file(dir.path().join("store/closed")).expect("it was there");
    let into = dir.path().join("repaired");
    let report = super::repair(&dir.path().join("store"), &into, &mut |_, _| {}).expect("it repairs");
    assert!(report.lost.is_empty(), "{report:?}");
    let repaired = open(&into);
    assert_eq!(read(&repaired, &Source::All), all);
    repaired.close();
}
