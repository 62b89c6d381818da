//! Which page comes next: by links alone, from wherever following begins, for ever.
//!
//! A walk only finds pages and hands them on in their order. Whether they fit together is for [`super::order`] to say.

mod linked;
mod archives;
mod resume;
mod events;
mod messages;

use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::Instant;

use self::archives::Since;
use super::fetch::{Fetched, Fetcher};
use super::options::{Live, Start};
use super::task::Task;
use super::transport::{Ask, Reply};
use super::{Checkpoint, FollowError};
use crate::event::Timestamp;

/// How long a server is asked to wait for news. Proxies close what is silent for a minute.
const WAIT: Duration = Duration::from_secs(30);

/// How soon a server that does not wait is asked again, unless it says how long its answers are good for; and how long
/// that is believed.
const POLL_MIN: Duration = Duration::from_secs(1);
const POLL_MAX: Duration = Duration::from_secs(60);

/// How much may be there without having been taken. With what is parsed of it a follower stays well below 64 MiB.
pub(super) const ROOM_KIB: u32 = 16 << 10;

/// What a walk hands on.
pub(super) enum Step {
    /// The next page.
    Page(Box<Fetched>),
    /// The next page, which is still on its way. None if it was not there after all.
    Coming(Task<Result<Option<Fetched>, FollowError>>),
    /// All there is has been handed on.
    AtTheEnd,
    /// How far is it? Answered when all steps before have been looked at.
    Where(oneshot::Sender<Option<Checkpoint>>),
}

/// What a walk needs on its way.
#[derive(Clone)]
pub(super) struct Walk {
    pub(super) fetcher: Arc<Fetcher>,
    /// The feed's own URL.
    pub(super) home: Url,
    pub(super) live: Live,
    pub(super) ends_at_the_end: bool,
    /// How many KiB of pages may be there without having been taken.
    pub(super) room: Arc<Semaphore>,
    pub(super) steps: mpsc::Sender<Step>,
}

/// Nobody wants to know any more.
pub(super) struct Stopped;

/// Why a walk ends before its end.
pub(super) enum Ended {
    Stopped,
    Failed(FollowError),
}

impl From<FollowError> for Ended {
    fn from(error: FollowError) -> Self {
        Self::Failed(error)
    }
}

impl From<Stopped> for Ended {
    fn from(_: Stopped) -> Self {
        Self::Stopped
    }
}

impl Walk {
    /// Walks until the end, if there is to be one.
    pub(super) async fn run(self, start: Start) -> Result<(), FollowError> {
        match self.walk(start).await {
            Ok(()) | Err(Ended::Stopped) => Ok(()),
            Err(Ended::Failed(error)) => Err(error),
        }
    }

    async fn walk(&self, start: Start) -> Result<(), Ended> {
        if let Start::After(checkpoint) = start {
            return resume::walk(self, &checkpoint).await;
        }
        if let Start::Page(url) = start {
            let url = Url::parse(&url).map_err(|error| FollowError::Usage(format!("{url}: {error}")))?;
            let (page, _) = self.await_page(&url, false).await?;
            return linked::go_on(self, page).await;
        }
        let (mut head, was_there) = self.await_page(&self.home, matches!(start, Start::New)).await?;
        let start = match start {
            // All that is in it has happened since.
            Start::New if !was_there => Start::Beginning,
            start => start,
        };
        let leads_on = head.link("previous").is_some();
        match start {
            Start::After(_) | Start::Page(_) | Start::Beginning => match head.link("last") {
                Some(oldest) => linked::walk(self, oldest, true).await,
                None if leads_on && head.link("prev-archive").is_none() => linked::go_on(self, head).await,
                None => archives::walk(self, head, Since::Oldest).await,
            },
            Start::Since(time) if leads_on => linked::go_on(self, self.back_to(head, time).await?).await,
            Start::Since(time) => archives::walk(self, head, Since::Time(time)).await,
            Start::New if leads_on => {
                head.page.events.clear();
                linked::go_on(self, head).await
            }
            Start::New => archives::walk(self, head, Since::Now).await,
        }
    }

    /// A page that has to be there, or to come; and whether it was there at once.
    async fn await_page(&self, url: &Url, past_caches: bool) -> Result<(Fetched, bool), Ended> {
        let mut ask = Ask { past_caches, ..self.fetcher.ask(url) };
        let mut was_there = true;
        loop {
            let asked_at = Instant::now();
            match self.fetcher.open(&ask).await? {
                Reply::Page(opened) => {
                    if let Some(fetched) = self.fetcher.read(&ask, *opened).await? {
                        return Ok((fetched, was_there));
                    }
                }
                Reply::Unchanged(_) => (),
                Reply::Absent(why) if self.ends_at_the_end => {
                    return Err(FollowError::Refused { url: url.to_string(), status: 404, why }.into());
                }
                Reply::Absent(why) if was_there => tracing::info!(%url, why, "it is not there yet, and is waited for"),
                Reply::Absent(_) => (),
            }
            was_there = false;
            self.hand_on(Step::AtTheEnd).await?;
            self.pause(&ask, asked_at, Duration::ZERO).await;
            ask = self.ask_for_news(url, false);
        }
    }

    /// The newest page with something older than this time in it, or else the oldest page.
    async fn back_to(&self, head: Fetched, time: Timestamp) -> Result<Fetched, Ended> {
        let mut page = head;
        loop {
            let begins_before = page.page.events.first().is_some_and(|oldest| oldest.time < time);
            let Some(older) = page.link("next").filter(|_| !begins_before) else { return Ok(page) };
            match self.fetcher.page(&self.fetcher.ask(&older)).await? {
                Some(older) => page = older,
                None => return Ok(page),
            }
        }
    }

    /// Asking for a page that is expected to change, and for nothing that a cache may hold. Whoever is going to listen
    /// waits only for what is not there yet.
    fn ask_for_news(&self, url: &Url, is_there: bool) -> Ask {
        let waits = match self.live {
            Live::LongPoll => true,
            Live::Sse => !is_there,
            Live::Poll(_) => false,
        };
        let wait = Some(WAIT).filter(|_| waits && !self.ends_at_the_end);
        Ask { past_caches: true, wait, ..self.fetcher.ask(url) }
    }

    /// Between an answer with nothing new in it and the next question: nothing if the server waited, or was not asked to.
    async fn pause(&self, ask: &Ask, asked_at: Instant, max_age: Duration) {
        let pause = match self.live {
            Live::Poll(every) => every,
            Live::LongPoll | Live::Sse if ask.wait.is_none() || WAIT / 2 < asked_at.elapsed() => return,
            Live::LongPoll | Live::Sse => max_age.clamp(POLL_MIN, POLL_MAX),
        };
        tokio::time::sleep(pause).await;
    }

    /// Waits until there is room for so much more. A page that is larger than all of it waits until it is the only one.
    async fn room(&self, bytes: usize) -> OwnedSemaphorePermit {
        self.room.clone().acquire_many_owned(kib(bytes)).await.expect("it is never closed")
    }

    /// The same, if there is room now.
    fn room_now(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        self.room.clone().try_acquire_many_owned(kib(bytes)).ok()
    }

    async fn hand_on(&self, step: Step) -> Result<(), Stopped> {
        self.steps.send(step).await.map_err(|_| Stopped)
    }
}

/// The share of the room that so much takes.
fn kib(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX).clamp(1, ROOM_KIB)
}
