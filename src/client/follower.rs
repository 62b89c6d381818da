//! The follower as its user holds it; the work is done by tasks that end with it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use futures_core::Stream;
use reqwest::Url;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::FollowError;
use super::event::Event;
use super::fetch::{Fetched, Fetcher};
use super::lag::{Lag, Progress};
use super::options::{Following, Start};
use super::order::Order;
use super::task::Task;
use super::transport::Ask;
use super::walk::{ROOM_KIB, Step, Walk};
use crate::event::Timestamp;

/// How many pages wait to be taken, beside those that are fetched ahead.
const READY_PAGES_MAX: usize = 2;

/// When the newest event is looked at first, and how often while there is something to be caught up with.
const LOOK_FIRST: Duration = Duration::from_secs(1);
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How often that is worth a line in the log: once a minute.
const LOOKS_PER_LINE: u32 = 12;

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
    progress: Arc<Progress>,
    taken: u64,
    time: Option<Timestamp>,
    /// It ends when this is dropped.
    work: Option<Task<()>>,
}

/// The events of a page that have not been taken.
#[derive(Debug, Default)]
struct Batch {
    events: std::vec::IntoIter<Event>,
    /// Their memory; given back with the last of them.
    room: Option<OwnedSemaphorePermit>,
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
        if !home.username().is_empty() || home.password().is_some() {
            // It would be written into every checkpoint.
            return Err(usage("who follows is said by `credentials`, not by the URL".into()));
        }
        let (last, since) = match &mut following.start {
            Start::After(checkpoint) => {
                let of = checkpoint.feed.clone();
                let moved = checkpoint.clone().moved_to(home.as_str());
                *checkpoint = moved.ok_or_else(|| usage(format!("the checkpoint is one of {of}, not of {home}")))?;
                (Some(checkpoint.clone()), None)
            }
            Start::Since(time) => (None, Some(*time)),
            Start::Beginning | Start::Page(_) | Start::New => (None, None),
        };
        let progress = last.as_ref().map_or_else(Progress::default, |last| {
            Progress::after(last.place, Timestamp::from_micros(last.time_micros))
        });
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
        let progress = Arc::new(progress);
        let (sender, ready) = mpsc::channel(READY_PAGES_MAX);
        let walk = Task::spawn(walk.run(following.start));
        let work = Work { walk, path, order, fetcher: fetcher.clone(), sender, progress: progress.clone() };
        let looking = look(fetcher, home, progress.clone());
        let work = Task::spawn(async move {
            tokio::select! { () = work.run() => (), () = looking => () }
        });
        Ok(Self { ready, current: Batch::default(), failed: None, progress, taken: 0, time: None, work: Some(work) })
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
        self.progress.lag(self.taken, self.time, Instant::now())
    }

    /// Whether all events there were have been taken, when the feed was last looked at.
    #[must_use]
    pub fn is_caught_up(&self) -> bool {
        self.progress.is_at_the_end() && self.progress.handed_over() == self.taken
    }

    fn take(&mut self) -> Option<Event> {
        let event = self.current.events.next()?;
        if self.current.events.len() == 0 {
            self.current.room = None;
        }
        self.taken += 1;
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
                None => {
                    // A panic there is one here, and no end.
                    if let Some(work) = &mut self.work {
                        ready!(Pin::new(work).poll(context));
                        self.work = None;
                    }
                    return Poll::Ready(None);
                }
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
    fetcher: Arc<Fetcher>,
    sender: mpsc::Sender<Result<Batch, FollowError>>,
    progress: Arc<Progress>,
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
        let may_change = !page.is_settled();
        let mut events = Vec::with_capacity(page.page.events.len());
        let checked = self.order.check(page, &mut events).await;
        // What came before something that is wrong is right.
        let taken = self.send(events, room, may_change).await?;
        checked.map(|()| taken)
    }

    /// None when nobody takes it.
    async fn at_the_end(&mut self) -> Result<Option<()>, FollowError> {
        let mut events = Vec::new();
        let checked = self.order.at_the_end(&mut events).await;
        let taken = self.send(events, None, true).await?;
        self.progress.at_the_end();
        checked.map(|()| taken)
    }

    /// Hands events over, in pieces where they carry much that is elsewhere. None when nobody takes them.
    async fn send(
        &self,
        events: Vec<Event>,
        mut room: Option<OwnedSemaphorePermit>,
        is_at_the_end: bool,
    ) -> Result<Option<()>, FollowError> {
        let mut events = events.into_iter();
        while events.len() > 0 {
            let piece = self.fetcher.with_content(&mut events).await?;
            let Some(last) = piece.last() else { break };
            let is_last = events.len() == 0;
            self.progress.hand_over(piece.len(), last.place, last.time, is_at_the_end && is_last, Instant::now());
            let batch = Batch { events: piece.into_iter(), room: room.take() };
            if self.sender.send(Ok(batch)).await.is_err() {
                return Ok(None);
            }
        }
        Ok(Some(()))
    }
}

/// Looks at the newest event now and then, as long as there is something to be caught up with, and says how much that is.
async fn look(fetcher: Arc<Fetcher>, home: Url, progress: Arc<Progress>) {
    tokio::time::sleep(LOOK_FIRST).await;
    let mut looks = 0_u32;
    loop {
        if !progress.is_at_the_end() {
            // Whatever is wrong with the feed is found by the walk.
            if let Ok(Some(head)) = fetcher.page(&Ask { past_caches: true, ..fetcher.ask(&home) }).await
                && let Some(newest) = head.page.events.last()
            {
                progress.seen(newest.place, newest.time, Instant::now());
            }
            if looks.is_multiple_of(LOOKS_PER_LINE) && !progress.is_at_the_end() {
                let Lag { events, seconds } = progress.lag(progress.handed_over(), None, Instant::now());
                tracing::info!(feed = %home, events, seconds, "this far behind");
            }
            looks = looks.wrapping_add(1);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
