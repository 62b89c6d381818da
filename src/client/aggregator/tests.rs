//! Aggregators over feeds that are played to them: what is applied, in which order, and what happens to events that
//! cannot be.

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use proptest::prelude::*;

use super::*;
use crate::client::event::Origin;
use crate::client::{Event, Failure, Lag, Memory, Reader, Records, Sled, SledState, StateError};
use crate::event::Timestamp;
use crate::feed::read::page;

/// A feed that has these events, a few at a time, and what comes after them.
struct Played {
    events: VecDeque<Event>,
    events_per_batch: usize,
    then: Then,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Then {
    Ends,
    /// It is caught up with.
    Waits,
    Fails,
}

impl Feed for Played {
    async fn next_batch(&mut self, events_max: usize) -> Option<Result<Vec<Event>, FollowError>> {
        if self.events.is_empty() {
            return match self.then {
                Then::Ends => None,
                Then::Waits => std::future::pending().await,
                Then::Fails => Some(Err(FollowError::Usage("it is broken".to_string()))),
            };
        }
        let count = self.events.len().min(self.events_per_batch).min(events_max);
        Some(Ok(self.events.drain(..count).collect()))
    }

    fn lag(&self) -> Lag {
        Lag { events: Some(self.events.len() as u64), seconds: self.events.len() as f64 }
    }

    fn is_caught_up(&self) -> bool {
        self.events.is_empty() && self.then != Then::Fails
    }
}

/// Events of one feed at these times; what they carry is `{feed}{place}`.
fn events(feed: &str, times: impl IntoIterator<Item = i64>) -> Vec<Event> {
    let origin = Arc::new(Origin { feed: feed.into(), page: format!("{feed}/0").into(), log: None, feed_id: None });
    let events = times.into_iter().enumerate().map(|(place, time)| page::Event {
        id: page::EventId::Iri(format!("urn:{feed}:{place}").into()),
        stream: feed.into(),
        number: Some(place as u64),
        position: None,
        place: Some(place as u64),
        event_type: "Counted".into(),
        time: Timestamp::from_micros(time),
        trace_parent: None,
        content: page::EventContent::Here {
            media_type: "text/plain".into(),
            data: format!("{feed}{place}").into(),
            metadata: None,
        },
    });
    events.map(|event| Event::new(event, origin.clone())).collect()
}

fn text(event: &Event) -> String {
    String::from_utf8(event.data().expect("it has data").to_vec()).expect("text")
}

type List = Vec<String>;

fn list(list: &mut List, event: &Event) -> Result<(), Failure> {
    list.push(text(event));
    Ok(())
}

impl<S: StateStore, A: Aggregate<S>> Aggregator<S, A> {
    /// Follows what is played, after the checkpoint if there is one.
    fn play(self, events: &[Event], events_per_batch: usize, then: Then) -> Self {
        let name = events.first().map_or_else(|| "empty".to_string(), |event| event.stream.to_string());
        let events = events.to_vec();
        self.feed(&name, move |checkpoint| {
            let from = checkpoint.map_or(0, |checkpoint| checkpoint.place.expect("it has one") as usize + 1);
            Ok(Played { events: events[from..].iter().cloned().collect(), events_per_batch, then })
        })
    }
}

fn in_memory() -> (Memory<List>, Reader<List>) {
    let store = Memory::new(List::new());
    let reader = store.reader();
    (store, reader)
}

#[tokio::test]
async fn events_of_several_feeds_come_by_their_times_while_catching_up() {
    let (store, reader) = in_memory();
    let ended = Aggregator::of(store, list)
        .play(&events("a", [1, 4, 4, 9]), 1, Then::Ends)
        .play(&events("b", [2, 3, 4, 5, 6, 7, 8]), 3, Then::Ends)
        .run()
        .await;
    assert_eq!(ended.expect("it ends"), Ended::AtTheEnd);
    assert_eq!(reader.snapshot().join(" "), "a0 b0 b1 a1 a2 b2 b3 b4 b5 b6 a3");
}

/// An aggregate once failed at one event, and then, when those before it were applied anew, at an earlier one: all that the
/// second failure had rolled back was counted as applied, and never came again.
#[tokio::test]
async fn what_two_failures_after_each_other_roll_back_is_applied_in_the_end() {
    let (store, reader) = in_memory();
    let failing = std::sync::Mutex::new(vec![1, 3, 5]);
    let flaky = move |state: &mut List, event: &Event| -> Result<(), Failure> {
        let mut failing = failing.lock().expect("nobody panicked");
        if failing.last().copied() == event.place {
            failing.pop();
            return Err("not yet".into());
        }
        list(state, event)
    };
    let ended = Aggregator::of(store, flaky).play(&events("a", [1; 8]), 8, Then::Ends).run().await;
    assert_eq!(ended.expect("it ends"), Ended::AtTheEnd);
    assert_eq!(reader.snapshot().join(" "), "a0 a1 a2 a3 a4 a5 a6 a7");
}

#[tokio::test]
async fn feeds_in_turn_come_one_after_the_other() {
    let (store, reader) = in_memory();
    let aggregator = Aggregator::of(store, list).order(Order::InTurn);
    let ended = aggregator
        .play(&events("a", [5, 6, 7]), 1, Then::Ends)
        .play(&events("b", [1, 2, 3]), 3, Then::Ends)
        .run()
        .await;
    assert_eq!(ended.expect("it ends"), Ended::AtTheEnd);
    assert_eq!(reader.snapshot().join(" "), "a0 a1 a2 b0 b1 b2");
}

#[tokio::test]
async fn a_feed_that_is_caught_up_with_holds_no_other_up_and_the_state_takes_its_place_once() {
    for order in [crate::client::Order::ByTime, crate::client::Order::InTurn] {
        let (store, reader) = in_memory();
        let placed = Arc::new(AtomicU32::new(0));
        let (count, (told, caught_up)) = (placed.clone(), tokio::sync::oneshot::channel());
        let aggregator = Aggregator::of(store, list)
            .order(order)
            .play(&[], 1, Then::Waits)
            .play(&events("b", [1, 2, 3]), 1, Then::Waits)
            .takes_its_place(move || {
                count.fetch_add(1, Ordering::SeqCst);
                told.send(()).map_err(|()| io::Error::other("nobody waits"))
            });
        let status = aggregator.handle().status();
        assert_eq!(aggregator.run_until(caught_up).await.expect("it stops"), Ended::Stopped);
        assert_eq!(reader.snapshot().join(" "), "b0 b1 b2");
        assert_eq!(placed.load(Ordering::SeqCst), 1);
        assert!(status.progress().is_caught_up, "{status:?}");
    }
}

#[tokio::test]
async fn an_event_that_cannot_be_applied_stops_it_loudly_after_those_before_it() {
    let (store, reader) = in_memory();
    let aggregator = Aggregator::of(store, |state: &mut List, event: &Event| {
        list(state, event)?;
        if text(event) == "a2" { Err("two is no number".into()) } else { Ok(()) }
    });
    let handle = aggregator.handle();
    let stopped =
        aggregator.poison(Poison::Stop { attempts: 2 }).play(&events("a", [1, 2, 3, 4]), 4, Then::Ends).run().await;
    let text = "event urn:a:2 (Counted, at 2 of a) could not be applied at 2 attempts: two is no number";
    assert_eq!(stopped.expect_err("it fails").to_string(), text);
    assert_eq!(reader.snapshot().join(" "), "a0 a1");
    assert_eq!(handle.status().feeds()[0].events, 2);
    assert_eq!(handle.parked().await.expect("it is read"), []);
}

#[tokio::test]
async fn what_fails_once_is_tried_again() {
    let (store, reader) = in_memory();
    let has_failed = AtomicBool::new(false);
    let aggregator = Aggregator::of(store, move |state: &mut List, event: &Event| {
        list(state, event)?;
        if text(event) == "a1" && !has_failed.swap(true, Ordering::SeqCst) { Err("not yet".into()) } else { Ok(()) }
    });
    aggregator.play(&events("a", [1, 2, 3]), 3, Then::Ends).run().await.expect("it ends");
    assert_eq!(reader.snapshot().join(" "), "a0 a1 a2");
}

#[tokio::test]
async fn what_is_parked_can_be_listed_applied_after_all_and_dropped() {
    let (store, reader) = in_memory();
    let is_mended = Arc::new(AtomicBool::new(false));
    let mended = is_mended.clone();
    let aggregator = Aggregator::of(store, move |state: &mut List, event: &Event| {
        list(state, event)?;
        match &*text(event) {
            "a1" if !mended.load(Ordering::SeqCst) => Err("not yet".into()),
            "a3" => panic!("three is too much"),
            _ => Ok(()),
        }
    });
    let handle = aggregator.handle();
    let aggregator = aggregator.poison(Poison::Park { attempts: 1 });
    aggregator.play(&events("a", [1, 2, 3, 4, 5]), 5, Then::Ends).run().await.expect("it ends");
    assert_eq!(reader.snapshot().join(" "), "a0 a2 a4");
    assert_eq!((handle.status().feeds()[0].events, handle.status().parked()), (5, 2));

    let parked = handle.parked().await.expect("it is read");
    let told: Vec<_> = parked.iter().map(|parked| (parked.number, &*parked.id, &*parked.reason)).collect();
    assert_eq!(told, [(2, "urn:a:1", "not yet"), (4, "urn:a:3", "it panicked: three is too much")]);
    handle.replay(2).await.expect_err("it still cannot be applied");
    is_mended.store(true, Ordering::SeqCst);
    assert!(handle.replay(2).await.expect("it can be applied now"));
    assert!(!handle.replay(2).await.expect("it is not there any more"));
    assert!(handle.discard(4).await.expect("it is dropped"));
    assert_eq!(handle.parked().await.expect("it is read"), []);
    assert_eq!(reader.snapshot().join(" "), "a0 a2 a4 a1");
    assert_eq!(handle.status().parked(), 0);
}

#[tokio::test]
async fn a_feed_that_fails_ends_it_after_its_events_whatever_others_have_to_say() {
    for order in [crate::client::Order::ByTime, crate::client::Order::InTurn] {
        let (store, reader) = in_memory();
        let aggregator = Aggregator::of(store, list).order(order);
        let failed =
            aggregator.play(&events("a", [1, 2]), 1, Then::Fails).play(&events("b", [3]), 1, Then::Waits).run().await;
        assert_eq!(failed.expect_err("it fails").to_string(), "a: it is broken");
        assert_eq!(reader.snapshot()[..2], ["a0", "a1"]);
    }
}

#[tokio::test]
async fn it_can_be_stopped_while_it_waits_to_try_an_event_again() {
    let (store, reader) = in_memory();
    let (tried, is_tried) = tokio::sync::mpsc::unbounded_channel();
    let aggregator = Aggregator::of(store, move |state: &mut List, event: &Event| {
        list(state, event)?;
        if text(event) == "a0" { Ok(()) } else { Err(tried.send(()).map_or("nobody waits", |()| "never").into()) }
    });
    let aggregator = aggregator.poison(Poison::Stop { attempts: u32::MAX }).play(&events("a", [1, 2]), 2, Then::Ends);
    let mut is_tried = is_tried;
    let three_times = async {
        for _ in 0..3 {
            is_tried.recv().await;
        }
    };
    assert_eq!(aggregator.run_until(three_times).await.expect("it stops"), Ended::Stopped);
    assert_eq!(reader.snapshot().join(" "), "a0");
}

/// A store whose disk is full from the second transaction on.
struct Full(Memory<List>, u32);

impl StateStore for Full {
    type State<'t> = List;

    fn records(&self, prefix: &str) -> Result<Vec<(String, String)>, StateError> {
        self.0.records(prefix)
    }

    fn transaction(
        &mut self,
        work: impl FnOnce(&mut List) -> Result<Records, Failure>,
    ) -> Result<(), crate::client::Aborted> {
        self.1 += 1;
        if self.1 == 1 { self.0.transaction(work) } else { Err(StateError::new("the disk is full").into()) }
    }
}

#[tokio::test]
async fn a_store_that_fails_ends_it_and_parks_nothing() {
    let (store, reader) = in_memory();
    let aggregator = Aggregator::of(Full(store, 0), list).poison(Poison::Park { attempts: 1 });
    let handle = aggregator.handle();
    let failed = aggregator.play(&events("a", [1, 2]), 2, Then::Ends).run().await;
    assert!(matches!(failed, Err(AggregateError::Store(_))), "{failed:?}");
    assert_eq!(handle.parked().await.expect("it is read"), []);
    assert_eq!(reader.snapshot().len(), 0);
}

/// A list in sled, of a version.
struct Versioned(u32);

impl Aggregate<Sled> for Versioned {
    fn version(&self) -> u32 {
        self.0
    }

    fn begin(&self, state: &mut SledState<'_>) -> Result<(), Failure> {
        Ok(state.put(b"count", 0_u64.to_be_bytes().to_vec())?)
    }

    /// The list itself says whether an event was left out or came twice.
    fn apply(&self, state: &mut SledState<'_>, event: &Event) -> Result<(), Failure> {
        let count = state.get(b"count")?.ok_or("it has not begun")?;
        let count = u64::from_be_bytes(count[..].try_into()?);
        state.put(&[b"event ", &count.to_be_bytes()[..]].concat(), event.data().cloned().unwrap_or_default())?;
        Ok(state.put(b"count", (count + 1).to_be_bytes().to_vec())?)
    }
}

fn sled_list(store: &Sled) -> List {
    let list = store.reader().scan(b"event ").expect("it is read");
    list.iter().map(|(_, text)| String::from_utf8(text.to_vec()).expect("text")).collect()
}

#[tokio::test]
async fn a_state_of_another_version_or_of_other_feeds_is_not_gone_on_with() {
    let dir = tempfile::tempdir().expect("a directory");
    let open = || Sled::open(dir.path()).expect("it opens");
    Aggregator::of(open(), Versioned(1)).play(&events("a", [1]), 1, Then::Ends).run().await.expect("it ends");

    let newer = Aggregator::of(open(), Versioned(2)).play(&events("a", [1]), 1, Then::Ends).run().await;
    let text = "the state was made by version 1 of the aggregate, and this is version 2: build it anew";
    assert_eq!(newer.expect_err("it is refused").to_string(), text);

    let other = Aggregator::of(open(), Versioned(1)).play(&events("b", [1]), 1, Then::Ends).run().await;
    assert_eq!(other.expect_err("it is refused").to_string(), "the state has events of a, which is not followed now");

    let twice = Aggregator::of(open(), Versioned(1)).play(&events("a", [1]), 1, Then::Ends).play(
        &events("a", [1]),
        1,
        Then::Ends,
    );
    assert_eq!(twice.run().await.expect_err("it is refused").to_string(), "a is followed twice");

    let none = Aggregator::of(open(), Versioned(1)).run().await;
    assert!(matches!(none, Err(AggregateError::Usage(_))), "{none:?}");
    assert_eq!(sled_list(&open()), ["a0"]);
}

#[tokio::test]
async fn metrics_tell_how_far_it_is_behind() {
    let (store, _) = in_memory();
    let aggregator = Aggregator::of(store, list).named("list \"1\"");
    let status = aggregator.handle().status();
    aggregator.play(&events("a", [1, 2]), 1, Then::Ends).run().await.expect("it ends");
    let expected = r#"# TYPE everfeed_aggregator_events counter
everfeed_aggregator_events_total{aggregator="list \"1\"",feed="a"} 2
# TYPE everfeed_aggregator_lag_events gauge
everfeed_aggregator_lag_events{aggregator="list \"1\"",feed="a"} 0
# TYPE everfeed_aggregator_lag_seconds gauge
everfeed_aggregator_lag_seconds{aggregator="list \"1\"",feed="a"} 0
# TYPE everfeed_aggregator_caught_up gauge
everfeed_aggregator_caught_up{aggregator="list \"1\"",feed="a"} 1
# TYPE everfeed_aggregator_parked_events gauge
everfeed_aggregator_parked_events{aggregator="list \"1\""} 0
# EOF
"#;
    assert_eq!(status.openmetrics(), expected);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    /// However few events of a feed come at once, and however its own times jump: of all that are next in their feeds the
    /// oldest comes first, and of those of one time that of the feed that was named first.
    #[test]
    fn the_order_by_time_does_not_depend_on_how_events_come_in(
        feeds in prop::collection::vec((prop::collection::vec(0_i64..20, 1..30), 1_usize..10), 1..4),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (store, reader) = in_memory();
        let mut aggregator = Aggregator::of(store, list);
        let mut next: Vec<VecDeque<(i64, String)>> = Vec::new();
        for (name, (times, events_per_batch)) in ["a", "b", "c"].into_iter().zip(&feeds) {
            let events = events(name, times.iter().copied());
            next.push(events.iter().map(|event| (event.time.micros(), text(event))).collect());
            aggregator = aggregator.play(&events, *events_per_batch, Then::Ends);
        }
        let mut expected = List::new();
        while let Some(feed) = (0..next.len()).filter(|feed| !next[*feed].is_empty()).min_by_key(|feed| next[*feed][0].0) {
            expected.extend(next[feed].pop_front().map(|(_, text)| text));
        }
        runtime.block_on(aggregator.run()).expect("it ends");
        prop_assert_eq!(&*reader.snapshot(), &expected);
    }

    /// Stopped anywhere and started again, as often as chance will have it.
    #[test]
    fn each_event_counts_once_however_often_it_is_stopped(
        times in prop::collection::vec(prop::collection::vec(0_i64..50, 1..40), 1..4),
        stops in prop::collection::vec((1_usize..10, 0_u32..30), 0..6),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let dir = tempfile::tempdir().expect("a directory");
        let feeds: Vec<Vec<Event>> = times.into_iter().zip(["a", "b", "c"]).map(|(mut times, name)| {
            times.sort_unstable();
            events(name, times)
        }).collect();
        let last = (3, u32::MAX);
        for (events_per_batch, turns) in stops.into_iter().chain([last]) {
            let store = Sled::open(dir.path()).expect("it opens");
            let mut aggregator = Aggregator::of(store, Versioned(1));
            for feed in &feeds {
                aggregator = aggregator.play(feed, events_per_batch, Then::Ends);
            }
            let stop = async {
                for _ in 0..turns {
                    tokio::task::yield_now().await;
                }
            };
            let stop: Pin<Box<dyn Future<Output = ()>>> =
                if turns == u32::MAX { Box::pin(std::future::pending()) } else { Box::pin(stop) };
            runtime.block_on(aggregator.run_until(stop)).expect("it ends, or is stopped");
        }
        let list = sled_list(&Sled::open(dir.path()).expect("it opens"));
        let mut by_feed = BTreeMap::<&str, Vec<&str>>::new();
        for text in &list {
            by_feed.entry(&text[..1]).or_default().push(text);
        }
        prop_assert_eq!(list.len(), feeds.iter().map(Vec::len).sum::<usize>());
        for feed in &feeds {
            let expected: Vec<String> = feed.iter().map(text).collect();
            prop_assert_eq!(&by_feed[&*feed[0].stream], &expected);
        }
    }
}

#[tokio::test]
async fn what_is_hidden_is_not_applied_and_following_goes_on_behind_it() {
    let origin = Arc::new(Origin { feed: "$all".into(), page: "$all/0".into(), log: None, feed_id: None });
    let hide = |(place, event): (usize, Event)| match place % 2 {
        0 => event,
        _ => {
            let content = page::EventContent::Removed { digest: None, correlation: None };
            let hidden = page::Event { event_type: "$hidden".into(), content, ..event.into_page_event() };
            Event::new(hidden, origin.clone())
        }
    };
    let shown: Vec<Event> = events("$all", 0..4).into_iter().enumerate().map(hide).collect();
    let (store, reader) = in_memory();
    let aggregator = Aggregator::of(store, list).play(&shown, 1, Then::Ends);
    let handle = aggregator.handle();
    assert_eq!(aggregator.run().await.expect("it ends"), Ended::AtTheEnd);
    assert_eq!(*reader.snapshot(), ["$all0", "$all2"]);
    assert_eq!(handle.status().progress().events, 4, "it has come behind the last one, which was hidden");
}
