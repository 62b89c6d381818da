//! A running aggregator: events come in, are applied in transactions, and are tried again or put aside when they cannot
//! be.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use super::handle::with;
use super::merge::{Arrived, Batch, Merge};
use super::worker::Failed;
use super::{AggregateError, Aggregator, Ended, Open, Poison, PoisonEvent};
use crate::client::{Aggregate, Failure, FollowError, StateStore};

/// Events of one transaction while catching up. Once caught up a transaction has what has arrived since the last.
const EVENTS_PER_TRANSACTION: usize = 4096;

/// How long to wait before an event is tried again: at first, and at most.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(10);

/// Runs until the end, or until `stop` is ready.
pub(super) async fn run<S: StateStore, A: Aggregate<S>, T>(
    mut aggregator: Aggregator<S, A>,
    mut stop: Pin<&mut impl Future<Output = T>>,
) -> Result<Ended, AggregateError> {
    let mut merge = aggregator.start().await?;
    loop {
        let batch = tokio::select! {
            biased;
            _ = &mut stop => return Ok(Ended::Stopped),
            batch = merge.next(EVENTS_PER_TRANSACTION) => batch,
        };
        let batch = match batch {
            Some(Ok(batch)) => batch,
            Some(Err((feed, error))) => return Err(aggregator.follow_error(feed, error)),
            None => {
                aggregator.take_place().await?;
                aggregator.status.tell();
                return Ok(Ended::AtTheEnd);
            }
        };
        if aggregator.take(batch, stop.as_mut()).await? == Taken::Stopped {
            return Ok(Ended::Stopped);
        }
        aggregator.status.tell_when_due();
    }
}

impl<S: StateStore, A: Aggregate<S>> Aggregator<S, A> {
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

    fn poison_error(&self, arrived: &Arrived, attempts: u32, reason: Failure) -> AggregateError {
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
