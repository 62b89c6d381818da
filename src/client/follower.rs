//! The follower as its user holds it; the work is done by tasks that end with it.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use reqwest::Url;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::FollowError;
use super::event::Event;
use super::fetch::{Fetched, Fetcher};
use super::lag::{LOOK_EVERY, Lag, Newest};
use super::options::{Following, Start};
use super::order::Order;
use super::task::Task;
use super::walk::{ROOM_KIB, Step, Walk};
use crate::event::Timestamp;

/// How many pages wait to be taken, beside those that are fetched ahead.
const READY_PAGES_MAX: usize = 2;

/// Follows a feed: a stream of its events, each once and in order.
///
/// Dropping it ends it. What was taken from it counts as seen; where to go on is said by the checkpoint of the last event
/// that was dealt with ([`Event::checkpoint`]).
#[derive(Debug)]
pub struct Follower {
    ready: mpsc::Receiver<Result<Batch, FollowError>>,
    current: Batch,
    /// What ended it, until that is told.
    failed: Option<FollowError>,
    shared: Arc<Shared>,
    taken: u64,
    place: Option<u64>,
    time: Option<Timestamp>,
    /// It ends when this is dropped.
    _work: Task<()>,
}

/// The events of a page that have not been taken.
#[derive(Debug, Default)]
struct Batch {
    events: std::vec::IntoIter<Event>,
    /// Their memory; given back with the last of them.
    room: Option<OwnedSemaphorePermit>,
}

/// What the follower and its tasks know of each other.
#[derive(Debug, Default)]
struct Shared {
    newest: Newest,
    /// How many events have been handed over.
    handed_over: AtomicU64,
    /// There was nothing after them.
    is_at_the_end: AtomicBool,
}

impl Follower {
    /// Follows the feed at this URL, once it is started.
    pub fn of(url: &str) -> Following {
        Following::new(url)
    }

    pub(super) fn start(mut following: Following) -> Result<Self, FollowError> {
        let usage = |why: String| FollowError::Usage(why);
        tokio::runtime::Handle::try_current().map_err(|error| usage(error.to_string()))?;
        let home = Url::parse(&following.url).map_err(|error| usage(format!("{}: {error}", following.url)))?;
        if !matches!(home.scheme(), "http" | "https") {
            return Err(usage(format!("{home} is neither http nor https")));
        }
        let (last, since) = match &mut following.start {
            Start::After(checkpoint) => {
                let of = checkpoint.feed.clone();
                let moved = checkpoint.clone().moved_to(home.as_str());
                *checkpoint = moved.ok_or_else(|| usage(format!("the checkpoint is one of {of}, not of {home}")))?;
                (Some(checkpoint.clone()), None)
            }
            Start::Since(time) => (None, Some(*time)),
            Start::Beginning | Start::New => (None, None),
        };
        let place = last.as_ref().and_then(|last| last.place);
        let time = last.as_ref().map(|last| Timestamp::from_micros(last.time_micros));
        let fetcher = Arc::new(Fetcher::new(&following, &home)?);
        let order = Order::new(fetcher.clone(), home.as_str(), last, since, following.skips_truncated);
        let (steps, path) = mpsc::channel(following.prefetch_pages);
        let walk = Walk {
            fetcher: fetcher.clone(),
            home: home.clone(),
            live: following.live,
            ends_at_the_end: following.ends_at_the_end,
            room: Arc::new(Semaphore::new(ROOM_KIB as usize)),
            steps,
        };
        let shared = Arc::new(Shared::default());
        let (sender, ready) = mpsc::channel(READY_PAGES_MAX);
        let work = Work { walk: Task::spawn(walk.run(following.start)), path, order, sender, shared: shared.clone() };
        let looking = look(fetcher, home, shared.clone());
        let work = Task::spawn(async move {
            tokio::select! { () = work.run() => (), () = looking => () }
        });
        Ok(Self { ready, current: Batch::default(), failed: None, shared, taken: 0, place, time, _work: work })
    }

    /// The next event, as soon as there is one. None when it ended: at the end of the feed, if it was told to end there,
    /// or with an error.
    pub async fn next(&mut self) -> Option<Result<Event, FollowError>> {
        std::future::poll_fn(|context| self.poll_event(context)).await
    }

    /// At least one event, as soon as there is one, and all others that are ready, up to a maximum. An error comes alone,
    /// after all events before it.
    pub async fn next_batch(&mut self, events_max: usize) -> Option<Result<Vec<Event>, FollowError>> {
        let first = match self.next().await? {
            Ok(event) => event,
            Err(error) => return Some(Err(error)),
        };
        let mut events = Vec::with_capacity(events_max.min(self.current.events.len() + 1));
        events.push(first);
        while events.len() < events_max {
            match self.take() {
                Some(event) => events.push(event),
                None => match self.ready.try_recv() {
                    Ok(Ok(batch)) => self.current = batch,
                    Ok(Err(error)) => {
                        self.failed = Some(error);
                        break;
                    }
                    Err(_) => break,
                },
            }
        }
        Some(Ok(events))
    }

    /// How far it is behind.
    #[must_use]
    pub fn lag(&self) -> Lag {
        if self.is_caught_up() {
            let events = self.place.map(|_| 0);
            return Lag { events, seconds: 0.0 };
        }
        self.shared.newest.lag(self.place, self.time)
    }

    /// Whether all events there were have been taken, when the feed was last looked at.
    #[must_use]
    pub fn is_caught_up(&self) -> bool {
        self.shared.is_at_the_end.load(Ordering::Acquire)
            && self.shared.handed_over.load(Ordering::Acquire) == self.taken
    }

    fn take(&mut self) -> Option<Event> {
        let event = self.current.events.next()?;
        if self.current.events.len() == 0 {
            self.current.room = None;
        }
        self.taken += 1;
        self.place = event.place;
        self.time = Some(event.time);
        Some(event)
    }

    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Event, FollowError>>> {
        loop {
            if let Some(event) = self.take() {
                return Poll::Ready(Some(Ok(event)));
            }
            if let Some(error) = self.failed.take() {
                return Poll::Ready(Some(Err(error)));
            }
            match ready!(self.ready.poll_recv(context)) {
                Some(Ok(batch)) => self.current = batch,
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
    }
}

impl Stream for Follower {
    type Item = Result<Event, FollowError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_event(context)
    }
}

/// Takes the steps of a walk in their order, and hands over what may come next.
struct Work {
    walk: Task<Result<(), FollowError>>,
    path: mpsc::Receiver<Step>,
    order: Order,
    sender: mpsc::Sender<Result<Batch, FollowError>>,
    shared: Arc<Shared>,
}

impl Work {
    async fn run(mut self) {
        if let Err(error) = self.work().await {
            // Whoever dropped the follower does not want to know.
            let _ = self.sender.send(Err(error)).await;
        }
    }

    async fn work(&mut self) -> Result<(), FollowError> {
        while let Some(step) = self.path.recv().await {
            let page = match step {
                Step::Page(page) => Some(*page),
                Step::Coming(page) => page.await?,
                Step::AtTheEnd => {
                    if self.at_the_end().await?.is_none() {
                        return Ok(());
                    }
                    continue;
                }
                Step::Where(answer) => {
                    // A walk that is over does not want to know.
                    let _ = answer.send(self.order.last().cloned());
                    continue;
                }
            };
            if let Some(page) = page
                && self.hand_over(page).await?.is_none()
            {
                return Ok(());
            }
        }
        (&mut self.walk).await
    }

    /// None when nobody takes it.
    async fn hand_over(&mut self, mut page: Fetched) -> Result<Option<()>, FollowError> {
        let room = page.room.take();
        let may_change = !page.head.is_settled();
        let mut events = Vec::with_capacity(page.page.events.len());
        let checked = self.order.check(page, &mut events).await;
        // What came before something that is wrong is right.
        let taken = self.send(events, room, may_change).await;
        checked.map(|()| taken)
    }

    /// None when nobody takes it.
    async fn at_the_end(&mut self) -> Result<Option<()>, FollowError> {
        let mut events = Vec::new();
        let checked = self.order.at_the_end(&mut events).await;
        let taken = self.send(events, None, true).await;
        self.shared.is_at_the_end.store(true, Ordering::Release);
        checked.map(|()| taken)
    }

    async fn send(&self, events: Vec<Event>, room: Option<OwnedSemaphorePermit>, is_at_the_end: bool) -> Option<()> {
        let Some(newest) = events.last() else { return Some(()) };
        self.shared.newest.seen(newest.place, newest.time);
        self.shared.handed_over.fetch_add(events.len() as u64, Ordering::AcqRel);
        // A page that is still being written to was the end of the feed when it was sent.
        self.shared.is_at_the_end.store(is_at_the_end, Ordering::Release);
        self.sender.send(Ok(Batch { events: events.into_iter(), room })).await.ok()
    }
}

/// Looks at the newest event now and then, as long as there is something to be caught up with.
async fn look(fetcher: Arc<Fetcher>, home: Url, shared: Arc<Shared>) {
    loop {
        if !shared.is_at_the_end.load(Ordering::Acquire) {
            // Whatever is wrong with the feed is found by the walk.
            if let Ok(Some(head)) = fetcher.page(&fetcher.ask(&home)).await
                && let Some(newest) = head.page.events.last()
            {
                shared.newest.seen(newest.place, newest.time);
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
