//! Following feeds into a state, for ever and exactly once.

mod run;
mod pump;
mod merge;
mod worker;
mod status;
mod handle;
mod error;

#[cfg(test)]
mod tests;

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex};

pub use self::error::{AggregateError, PoisonEvent};
pub use self::handle::Handle;
pub use self::merge::Order;
use self::pump::{Feed, Pump};
pub use self::status::{FeedStatus, Progress, Status};
use self::worker::Worker;
use super::{Aggregate, Checkpoint, FollowError, Following, Start, StateStore};

/// One state, one aggregate, and the feeds whose events it is made of.
///
/// ```no_run
/// use everfeed::client::{Aggregator, Event, Follower, Memory};
///
/// # async fn run() -> Result<(), everfeed::client::AggregateError> {
/// let store = Memory::new(0_u64);
/// let reader = store.reader();
/// Aggregator::of(store, |orders: &mut u64, _: &Event| {
///     *orders += 1;
///     Ok(())
/// })
/// .follow(Follower::of("http://127.0.0.1:2113/streams/orders").ends_at_the_end())
/// .run()
/// .await?;
/// println!("{} orders", reader.snapshot());
/// # Ok(())
/// # }
/// ```
#[must_use = "it does nothing until it runs"]
pub struct Aggregator<S, A> {
    worker: Shared<S, A>,
    feeds: Vec<(String, Open)>,
    order: Order,
    poison: Poison,
    place: Option<Place>,
    status: Status,
}

type Shared<S, A> = Arc<Mutex<Worker<S, A>>>;

/// Starts a feed after a checkpoint, or at its beginning.
type Open = Box<dyn FnOnce(Option<Checkpoint>) -> Result<Pump, FollowError> + Send>;

/// Lets the state take the place of the one before.
type Place = Box<dyn FnOnce() -> io::Result<()> + Send>;

/// What to do with an event that cannot be applied. It is tried again, after a wait that doubles each time: what is wrong
/// may pass. The events before it are in the state by then, and those after it wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Poison {
    /// The aggregator ends with [`AggregateError::Poison`]; when it is started again, that event comes first.
    Stop {
        /// How often it is tried.
        attempts: u32,
    },
    /// It is put aside with its reason, in the same transaction as the place in the feed, and the next event follows.
    /// Whatever is parked can be listed, applied after all, and dropped, by a [`Handle`].
    Park {
        /// How often it is tried.
        attempts: u32,
    },
}

impl Default for Poison {
    fn default() -> Self {
        Self::Stop { attempts: 5 }
    }
}

/// Why an aggregator has ended without an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// All feeds have ended, and all their events are in the state.
    AtTheEnd,
    /// It was told to stop. What was being applied is in the state.
    Stopped,
}

impl<S: StateStore, A: Aggregate<S>> Aggregator<S, A> {
    /// Of this state and this aggregate. What a store already has is gone on with.
    pub fn of(store: S, aggregate: A) -> Self {
        Self {
            worker: Arc::new(Mutex::new(Worker::new(store, aggregate))),
            feeds: Vec::new(),
            order: Order::default(),
            poison: Poison::default(),
            place: None,
            status: Status::new(),
        }
    }

    /// Follows this feed, by its URL as its name. It begins where the state left off; a feed that is new to the state
    /// begins where the follower was told to, and its old events come after those that the state has already.
    pub fn follow(self, feed: Following) -> Self {
        let name = feed.url().to_string();
        self.follow_as(&name, feed)
    }

    /// Follows this feed under a name that stays the same when its URL does not.
    pub fn follow_as(self, name: &str, feed: Following) -> Self {
        self.feed(name, |checkpoint| match checkpoint {
            Some(checkpoint) => feed.from(Start::After(checkpoint)).start(),
            None => feed.start(),
        })
    }

    fn feed<F: Feed>(
        mut self,
        name: &str,
        open: impl FnOnce(Option<Checkpoint>) -> Result<F, FollowError> + Send + 'static,
    ) -> Self {
        self.feeds.push((name.to_string(), Box::new(|checkpoint| open(checkpoint).map(pump::start))));
        self
    }

    /// In which order the events of several feeds are applied. Default: [`Order::ByTime`].
    pub fn order(self, order: Order) -> Self {
        Self { order, ..self }
    }

    /// What to do with an event that cannot be applied. Default: to try it five times, and then to stop.
    pub fn poison(self, poison: Poison) -> Self {
        Self { poison, ..self }
    }

    /// What metrics and the log call it. Default: `aggregator`.
    pub fn named(self, name: &str) -> Self {
        self.status.rename(name);
        self
    }

    /// Does this once all feeds have been caught up with: lets the state, which was built beside an earlier one, take its
    /// place. [`Views::place`](super::Views::place) makes one of these for states in files,
    /// [`Reader::switch_to`](super::Reader::switch_to) is one for those in memory.
    pub fn takes_its_place(self, place: impl FnOnce() -> io::Result<()> + Send + 'static) -> Self {
        Self { place: Some(Box::new(place)), ..self }
    }

    /// A way to it while it runs.
    pub fn handle(&self) -> Handle<S, A> {
        Handle { worker: self.worker.clone(), status: self.status.clone() }
    }

    /// Runs until all feeds have ended: for ever, unless their followers were told otherwise. Runs on a tokio runtime
    /// with time and I/O.
    ///
    /// # Errors
    ///
    /// [`AggregateError`] says what can end it.
    pub async fn run(self) -> Result<Ended, AggregateError> {
        self.run_until(std::future::pending::<()>()).await
    }

    /// Runs until all feeds have ended or `stop` is ready, whichever is first: `tokio::signal::ctrl_c()`, say. A
    /// transaction that has begun is finished.
    ///
    /// # Errors
    ///
    /// [`AggregateError`] says what can end it.
    pub async fn run_until<T>(self, stop: impl Future<Output = T>) -> Result<Ended, AggregateError> {
        run::run(self, pin!(stop)).await
    }
}

impl<S, A> std::fmt::Debug for Aggregator<S, A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Aggregator").field("order", &self.order).field("poison", &self.poison).finish_non_exhaustive()
    }
}
