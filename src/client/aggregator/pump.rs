//! Reading a feed ahead of whoever applies its events, on a task of its own.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::client::{Event, FollowError, Follower, Lag};

/// Events that are taken from a follower, and handed over, at once: so many, or about so many bytes of them.
const EVENTS_PER_BATCH: usize = 1024;
const BYTES_PER_BATCH: usize = 2 << 20;

/// Batches of one feed that wait to be applied.
const BATCHES_WAITING: usize = 2;

/// While a feed has nothing new, so often it is looked at whether that is because all is read, and how old that is.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Where events come from, in order.
pub(crate) trait Feed: Send + 'static {
    /// At least one event and at most so many; none when the feed has ended. Nothing is lost if it is dropped before it
    /// is ready.
    fn next_batch(&mut self, events_max: usize)
    -> impl Future<Output = Option<Result<Vec<Event>, FollowError>>> + Send;

    fn lag(&self) -> Lag;

    fn is_caught_up(&self) -> bool;
}

/// What a feed has come to.
#[derive(Debug)]
pub(super) struct Pumped {
    /// In order; none if only the rest has changed.
    pub(super) events: Vec<Event>,
    /// After these.
    pub(super) lag: Lag,
    pub(super) is_caught_up: bool,
}

/// What has been read; none at the end of the feed. Without that the reading was cut off.
pub(super) type Pump = mpsc::Receiver<Result<Option<Pumped>, FollowError>>;

/// Reads on until the feed ends, fails, or nobody is left to read for.
pub(super) fn start(feed: impl Feed) -> Pump {
    let (sender, receiver) = mpsc::channel(BATCHES_WAITING);
    tokio::spawn(run(feed, sender));
    receiver
}

async fn run(mut feed: impl Feed, sender: mpsc::Sender<Result<Option<Pumped>, FollowError>>) {
    // As many as are not too much, if they are like those before.
    let mut events_max = 1;
    loop {
        let batch = tokio::time::timeout(LOOK_AGAIN, feed.next_batch(events_max)).await;
        let events = match batch {
            Ok(Some(Ok(events))) => events,
            Ok(Some(Err(error))) => {
                let _ = sender.send(Err(error)).await;
                return;
            }
            Ok(None) => {
                let _ = sender.send(Ok(None)).await;
                return;
            }
            Err(_nothing_yet) => Vec::new(),
        };
        if !events.is_empty() {
            let bytes: usize = events.iter().map(bytes_of).sum();
            events_max = (BYTES_PER_BATCH * events.len() / bytes).clamp(1, EVENTS_PER_BATCH);
        }
        let pumped = Pumped { events, lag: feed.lag(), is_caught_up: feed.is_caught_up() };
        if sender.send(Ok(Some(pumped))).await.is_err() {
            return;
        }
    }
}

/// What it takes in memory, about.
pub(super) fn bytes_of(event: &Event) -> usize {
    size_of::<Event>() + event.data().map_or(0, Bytes::len) + event.metadata().map_or(0, Bytes::len)
}

impl Feed for Follower {
    fn next_batch(
        &mut self,
        events_max: usize,
    ) -> impl Future<Output = Option<Result<Vec<Event>, FollowError>>> + Send {
        self.next_batch(events_max)
    }

    fn lag(&self) -> Lag {
        self.lag()
    }

    fn is_caught_up(&self) -> bool {
        self.is_caught_up()
    }
}
