//! The store, the aggregate, and how far it has come with each feed: everything that happens in transactions.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::AggregateError;
use super::merge::Arrived;
use crate::client::{Aborted, Aggregate, Checkpoint, Failure, Parked, Records, StateError, StateStore, panic_text};

/// Names of records.
const VERSION: &str = "version";
const FEED: &str = "feed ";
const PARKED: &str = "parked ";

/// How long events are applied before what they came to is committed: however slow an aggregate is, no more is lost
/// when it dies, and others see what it does.
const TRANSACTION_MAX: Duration = Duration::from_millis(250);

pub(super) struct Worker<S, A> {
    store: S,
    aggregate: A,
    feeds: Vec<Followed>,
}

/// A feed, and how far it has been followed.
struct Followed {
    name: String,
    progress: Progress,
}

/// What is kept of a feed beside the state.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Progress {
    /// So many events have been applied or parked.
    events: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    checkpoint: Option<Checkpoint>,
}

/// An event that could not be applied, after all before it were.
pub(super) struct Failed {
    /// Which of the events.
    pub(super) index: usize,
    pub(super) reason: Failure,
}

impl<S: StateStore, A: Aggregate<S>> Worker<S, A> {
    pub(super) fn new(store: S, aggregate: A) -> Self {
        Self { store, aggregate, feeds: Vec::new() }
    }

    /// Makes the state ready, or finds out how far it has come: for each of these feeds, where it goes on.
    pub(super) fn open(&mut self, names: &[&str]) -> Result<Vec<Option<Checkpoint>>, AggregateError> {
        let expected = self.aggregate.version();
        match self.store.records(VERSION)?.pop() {
            None => self.begin(expected)?,
            Some((_, found)) => {
                if found != expected.to_string() {
                    return Err(AggregateError::AnotherVersion { expected, found });
                }
            }
        }
        let mut known = self.progress()?;
        let feeds: Vec<Followed> = names
            .iter()
            .map(|name| Followed { name: (*name).to_string(), progress: known.remove(*name).unwrap_or_default() })
            .collect();
        // Its events are in the state. Under another name they would be followed from the first on, and count again.
        if let Some(feed) = known.into_keys().next() {
            return Err(AggregateError::NotFollowed { feed });
        }
        self.feeds = feeds;
        Ok(self.feeds.iter().map(|feed| feed.progress.checkpoint.clone()).collect())
    }

    fn begin(&mut self, version: u32) -> Result<(), AggregateError> {
        let aggregate = &self.aggregate;
        let begun = self.store.transaction(|state| {
            guarded(|| aggregate.begin(state))?;
            let mut records = Records::default();
            records.put(VERSION.to_string(), version.to_string());
            Ok(records)
        });
        begun.map_err(|aborted| match aborted {
            Aborted::Apply(reason) => AggregateError::Begin(reason),
            Aborted::Store(error) => error.into(),
        })
    }

    fn progress(&self) -> Result<BTreeMap<String, Progress>, StateError> {
        let records = self.store.records(FEED)?.into_iter();
        records
            .map(|(name, value)| {
                let progress = serde_json::from_str(&value).map_err(StateError::new)?;
                Ok((name[FEED.len()..].to_string(), progress))
            })
            .collect()
    }

    /// How many events of a feed are in the state.
    pub(super) fn events(&self, feed: usize) -> u64 {
        self.feeds[feed].progress.events
    }

    /// Applies events in one transaction, as many as it takes well; answers how many. If one fails, those before it are
    /// applied, and it is not.
    pub(super) fn apply(&mut self, events: &[Arrived]) -> Result<Result<usize, Failed>, StateError> {
        let mut failed = match self.try_to_apply(events)? {
            Ok(applied) => return Ok(Ok(applied)),
            Err(failed) => failed,
        };
        // A transaction that failed has left nothing, so those before the failure are applied anew. One of them may fail
        // now that did not before: then fewer are left, until they are applied or there are none.
        while 0 < failed.index {
            match self.try_to_apply(&events[..failed.index])? {
                Ok(applied) if applied < failed.index => return Ok(Ok(applied)),
                Ok(_) => break,
                Err(earlier) => failed = earlier,
            }
        }
        Ok(Err(failed))
    }

    /// All or nothing: none of them is applied when one fails.
    fn try_to_apply(&mut self, events: &[Arrived]) -> Result<Result<usize, Failed>, StateError> {
        let (aggregate, feeds) = (&self.aggregate, &self.feeds);
        let (mut applied, mut advanced) = (0, Vec::new());
        let began = Instant::now();
        let done = self.store.transaction(|state| {
            for arrived in events {
                // Of what its reader may not see there is nothing to apply; following goes on behind it.
                if !arrived.event.is_hidden() {
                    guarded(|| aggregate.apply(state, &arrived.event))?;
                }
                applied += 1;
                if S::is_full(state) || TRANSACTION_MAX <= began.elapsed() {
                    break;
                }
            }
            advanced = after(feeds, &events[..applied]);
            records(feeds, &advanced)
        });
        match done {
            Ok(()) => {
                self.advance(advanced);
                Ok(Ok(applied))
            }
            Err(Aborted::Apply(reason)) => Ok(Err(Failed { index: applied, reason })),
            Err(Aborted::Store(error)) => Err(error),
        }
    }

    /// Puts an event aside: the state stays as it is, and following goes on behind it.
    pub(super) fn park(&mut self, arrived: &Arrived, reason: &Failure, attempts: u32) -> Result<Parked, StateError> {
        let seen: u64 = self.feeds.iter().map(|feed| feed.progress.events).sum();
        let parked = Parked::new(seen + 1, &self.feeds[arrived.feed].name, &arrived.event, reason, attempts);
        let advanced = after(&self.feeds, std::slice::from_ref(arrived));
        let feeds = &self.feeds;
        let done = self.store.transaction(|_| {
            let mut records = records(feeds, &advanced)?;
            records.put(parked_name(parked.number), serde_json::to_string(&parked)?);
            Ok(records)
        });
        done.map_err(of_store)?;
        self.advance(advanced);
        Ok(parked)
    }

    /// What is parked, oldest first.
    pub(super) fn parked(&self) -> Result<Vec<Parked>, StateError> {
        let records = self.store.records(PARKED)?.into_iter();
        records.map(|(_, value)| serde_json::from_str(&value).map_err(StateError::new)).collect()
    }

    /// Applies a parked event after all and forgets that it was parked, in one transaction. False if there is none.
    pub(super) fn replay(&mut self, number: u64) -> Result<bool, Aborted> {
        let Some((name, value)) = self.store.records(&parked_name(number))?.pop() else { return Ok(false) };
        let parked: Parked = serde_json::from_str(&value).map_err(StateError::new)?;
        let event = parked.event().map_err(StateError::new)?;
        let aggregate = &self.aggregate;
        self.store.transaction(|state| {
            guarded(|| aggregate.apply(state, &event))?;
            let mut records = Records::default();
            records.remove(name);
            Ok(records)
        })?;
        Ok(true)
    }

    /// Forgets a parked event for good. False if there is none.
    pub(super) fn discard(&mut self, number: u64) -> Result<bool, StateError> {
        let Some((name, _)) = self.store.records(&parked_name(number))?.pop() else { return Ok(false) };
        let done = self.store.transaction(|_| {
            let mut records = Records::default();
            records.remove(name);
            Ok(records)
        });
        done.map_err(of_store).map(|()| true)
    }

    fn advance(&mut self, advanced: Vec<(usize, Progress)>) {
        for (feed, progress) in advanced {
            self.feeds[feed].progress = progress;
        }
    }
}

/// How far the feeds have come after these events: those that have changed.
fn after(feeds: &[Followed], events: &[Arrived]) -> Vec<(usize, Progress)> {
    let of_feed = |feed| events.iter().filter(move |arrived| arrived.feed == feed);
    let advanced = feeds.iter().enumerate().filter_map(|(index, feed)| {
        let last = of_feed(index).next_back()?;
        let events = feed.progress.events + of_feed(index).count() as u64;
        Some((index, Progress { events, checkpoint: Some(last.event.checkpoint()) }))
    });
    advanced.collect()
}

fn records(feeds: &[Followed], advanced: &[(usize, Progress)]) -> Result<Records, Failure> {
    let mut records = Records::default();
    for (feed, progress) in advanced {
        records.put(format!("{FEED}{}", feeds[*feed].name), serde_json::to_string(progress)?);
    }
    Ok(records)
}

/// With leading zeros, so that names have the order of numbers.
fn parked_name(number: u64) -> String {
    format!("{PARKED}{number:020}")
}

/// Of a transaction that does not touch the state.
fn of_store(aborted: Aborted) -> StateError {
    match aborted {
        Aborted::Apply(reason) => StateError::new(reason),
        Aborted::Store(error) => error,
    }
}

/// A panic is a failure like another: the aggregate cannot change itself, and what it has changed of the state is taken
/// back, so nothing is left half-done.
fn guarded(work: impl FnOnce() -> Result<(), Failure>) -> Result<(), Failure> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|panic| Err(format!("it panicked: {}", panic_text(&*panic)).into()))
}
