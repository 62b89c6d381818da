//! Following feeds into a state, for ever and exactly once.

mod error;
mod handle;
mod merge;
mod pump;
mod status;
mod worker;

#[cfg(test)]
mod tests;

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

pub use self::error::{AggregateError, PoisonEvent};
pub use self::handle::Handle;
use self::handle::with;
pub use self::merge::Order;
use self::merge::{Arrived, Batch, Merge};
use self::pump::{Feed, Pump};
pub use self::status::{FeedStatus, Progress, Status};
use self::worker::{Failed, Worker};
use super::{Aggregate, Checkpoint, FollowError, Following, Start, StateStore};

/// Events of one transaction while catching up. Once caught up a transaction has what has arrived since the last.
const EVENTS_PER_TRANSACTION: usize = 4096;

/// How long to wait before an event is tried again: at first, and at most.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(10);

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
    pub async fn run_until<T>(mut self, stop: impl Future<Output = T>) -> Result<Ended, AggregateError> {
        let mut stop = pin!(stop);
        let mut merge = self.start().await?;
        loop {
            let batch = tokio::select! {
                biased;
                _ = &mut stop => return Ok(Ended::Stopped),
                batch = merge.next(EVENTS_PER_TRANSACTION) => batch,
            };
            let batch = match batch {
                Some(Ok(batch)) => batch,
                Some(Err((feed, error))) => return Err(self.follow_error(feed, error)),
                None => {
                    self.take_place().await?;
                    self.status.tell();
                    return Ok(Ended::AtTheEnd);
                }
            };
            if self.take(batch, stop.as_mut()).await? == Taken::Stopped {
                return Ok(Ended::Stopped);
            }
            self.status.tell_when_due();
        }
    }

    async fn start(&mut self) -> Result<Merge, AggregateError> {
        let feeds = std::mem::take(&mut self.feeds);
        let (names, opens): (Vec<String>, Vec<Open>) = feeds.into_iter().unzip();
        if names.is_empty() {
            return Err(AggregateError::Usage("an aggregator without a feed has nothing to do".to_string()));
        }
        if let Some(twice) = names.iter().enumerate().find_map(|(at, name)| names[..at].contains(name).then_some(name))
        {
            return Err(AggregateError::Usage(format!("{twice} is followed twice")));
        }
        let status = self.status.clone();
        let opened = with(&self.worker, move |worker| {
            let checkpoints = worker.open(&names.iter().map(|name| &**name).collect::<Vec<_>>())?;
            let events = (0..names.len()).map(|feed| worker.events(feed)).collect::<Vec<_>>();
            status.start(names.into_iter().zip(events), worker.parked()?.len() as u64);
            Ok::<_, AggregateError>(checkpoints)
        });
        let checkpoints = opened.await??;
        let mut pumps = Vec::new();
        for (feed, (open, checkpoint)) in opens.into_iter().zip(checkpoints).enumerate() {
            pumps.push(open(checkpoint).map_err(|error| self.follow_error(feed, error))?);
        }
        Ok(Merge::new(self.order, pumps))
    }

    /// Applies a batch, and takes the place of another state when that was all.
    async fn take<T>(
        &mut self,
        batch: Batch,
        stop: Pin<&mut impl Future<Output = T>>,
    ) -> Result<Taken, AggregateError> {
        if self.apply(batch.events, stop).await? == Taken::Stopped {
            return Ok(Taken::Stopped);
        }
        let (was_caught_up, feeds) = (self.status.progress().is_caught_up, batch.lags.len());
        for (feed, (lag, is_caught_up)) in batch.lags.into_iter().zip(batch.is_caught_up).enumerate() {
            self.status.change(feed, |status| (status.lag, status.is_caught_up) = (lag, is_caught_up));
        }
        if batch.is_all {
            self.take_place().await?;
        }
        if !was_caught_up && self.status.progress().is_caught_up {
            tracing::info!(feeds, "caught up");
        }
        Ok(Taken::All)
    }

    async fn apply<T>(
        &mut self,
        events: Vec<Arrived>,
        mut stop: Pin<&mut impl Future<Output = T>>,
    ) -> Result<Taken, AggregateError> {
        let events: Arc<[Arrived]> = events.into();
        let (mut next, mut attempts) = (0, 0);
        while next < events.len() {
            if is_ready(stop.as_mut()).await {
                return Ok(Taken::Stopped);
            }
            // What failed is tried alone: the others shall not be applied again and again with it.
            let until = if attempts == 0 { events.len() } else { next + 1 };
            let these = events.clone();
            let done = with(&self.worker, move |worker| worker.apply(&these[next..until])).await??;
            let Failed { index, reason } = match done {
                Ok(applied) => {
                    self.count(&events[next..next + applied]);
                    (next, attempts) = (next + applied, 0);
                    continue;
                }
                Err(failed) => failed,
            };
            self.count(&events[next..next + index]);
            (next, attempts) = (next + index, if index == 0 { attempts + 1 } else { 1 });
            let (attempts_max, parks) = match self.poison {
                Poison::Stop { attempts } => (attempts, false),
                Poison::Park { attempts } => (attempts, true),
            };
            let event = &events[next].event;
            tracing::warn!(id = %event.id, place = event.place, attempts, %reason, "an event could not be applied");
            if attempts < attempts_max {
                tokio::select! {
                    _ = &mut stop => return Ok(Taken::Stopped),
                    () = tokio::time::sleep(retry_after(attempts)) => {}
                }
            } else if parks {
                let these = events.clone();
                with(&self.worker, move |worker| worker.park(&these[next], &reason, attempts)).await??;
                self.count(&events[next..=next]);
                self.status.change_parked(|parked| parked + 1);
                (next, attempts) = (next + 1, 0);
            } else {
                return Err(self.poison_error(&events[next], attempts, reason));
            }
        }
        Ok(Taken::All)
    }

    /// These are in the state, or parked.
    fn count(&self, events: &[Arrived]) {
        for feed in 0..self.status.feeds().len() {
            let of_feed = events.iter().filter(|arrived| arrived.feed == feed).count() as u64;
            self.status.change(feed, |status| status.events += of_feed);
        }
    }

    async fn take_place(&mut self) -> Result<(), AggregateError> {
        let Some(place) = self.place.take() else { return Ok(()) };
        let placed = tokio::task::spawn_blocking(place).await.map_err(io::Error::other).flatten();
        placed.map_err(AggregateError::Place)?;
        tracing::info!(events = self.status.progress().events, "the state has taken its place");
        Ok(())
    }

    fn follow_error(&self, feed: usize, error: FollowError) -> AggregateError {
        AggregateError::Follow { feed: self.name_of(feed), error }
    }

    fn poison_error(&self, arrived: &Arrived, attempts: u32, reason: super::Failure) -> AggregateError {
        let event = &arrived.event;
        AggregateError::Poison(Box::new(PoisonEvent {
            feed: self.name_of(arrived.feed),
            place: event.place,
            id: event.id.to_string(),
            event_type: event.event_type.to_string(),
            attempts,
            reason,
        }))
    }

    fn name_of(&self, feed: usize) -> String {
        self.status.feeds().swap_remove(feed).feed
    }
}

impl<S, A> std::fmt::Debug for Aggregator<S, A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Aggregator").field("order", &self.order).field("poison", &self.poison).finish_non_exhaustive()
    }
}

/// How far the applying of events got.
#[derive(Debug, PartialEq, Eq)]
enum Taken {
    All,
    Stopped,
}

/// Whether it is ready by now. If so it must not be asked again.
async fn is_ready(mut future: Pin<&mut impl Future>) -> bool {
    std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_ready())).await
}

/// Between half of the wait and all of it, so that aggregators that failed together do not try again together.
fn retry_after(attempts: u32) -> Duration {
    let wait = RETRY_FIRST.saturating_mul(2_u32.saturating_pow(attempts.saturating_sub(1))).min(RETRY_MAX);
    wait.mul_f64(fastrand::f64().mul_add(0.5, 0.5))
}
