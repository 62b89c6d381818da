//! Events as they happen (`text/event-stream`), once all that were there have been read.
//!
//! A checkpoint names a page, and an event that comes alone says none. So the page at the end counts as the page of what
//! comes after, and is left for the next one now and then; whoever resumes walks on from it to the event.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use reqwest::Url;
use tokio::sync::oneshot;

use super::super::fetch::Fetched;
use super::super::retry::Trouble;
use super::super::transport::{Ask, Head, Opened, Reply};
use super::super::{Checkpoint, FollowError};
use super::messages::{Message, Messages};
use super::{Ended, Step, Walk};
use crate::feed::read::page::{self, Page};

const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Ours says something every 15 seconds, were it only a comment.
const SILENCE_MAX: Duration = Duration::from_secs(45);

/// The largest event of ours in base64, and what stands around it.
const MESSAGE_BYTES_MAX: usize = 8 << 20;

/// After how many events the page is looked for that they are on.
const EVENTS_PER_PAGE: usize = 100;

/// Hands on events as they happen, given the page at the end.
///
/// Comes back when the server has no event stream, or no more: with the last event that was handed on, if there is one.
pub(super) async fn listen(walk: &Walk, mut end: Fetched) -> Result<Option<Checkpoint>, Ended> {
    let mut attempts = walk.fetcher.attempts(&walk.home);
    loop {
        let Some(last) = walk.last().await? else { return Ok(None) };
        let Some(place) = last.place else { return Ok(Some(last)) };
        let ask = Ask {
            past_caches: true,
            headers: HeaderMap::from_iter([(LAST_EVENT_ID, HeaderValue::from(place))]),
            ..Ask::of(walk.home.clone(), EVENT_STREAM)
        };
        let trouble = match walk.fetcher.transport.open(&ask).await {
            Ok(Reply::Page(opened))
                if opened.media_type().is_some_and(|said| said.starts_with("text/event-stream")) =>
            {
                walk.fetcher.succeeded(&walk.home);
                attempts = walk.fetcher.attempts(&walk.home);
                match hear(walk, &mut end, *opened).await {
                    Err(Lost::Trouble(trouble)) => trouble,
                    Err(Lost::Ended(ended)) => return Err(ended),
                    Ok(never) => match never {},
                }
            }
            Ok(_) | Err(Trouble::Final(_)) => {
                tracing::info!(url = %walk.home, "it has no event stream; long polls do instead");
                return Ok(Some(last));
            }
            Err(trouble) => trouble,
        };
        attempts.failed(trouble).await?;
    }
}

/// Why an event stream ended.
enum Lost {
    Trouble(Trouble),
    Ended(Ended),
}

impl From<Trouble> for Lost {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl<T: Into<Ended>> From<T> for Lost {
    fn from(ended: T) -> Self {
        Self::Ended(ended.into())
    }
}

async fn hear(walk: &Walk, end: &mut Fetched, mut opened: Opened) -> Result<std::convert::Infallible, Lost> {
    let head = Head { base: end.head.base.clone(), links: end.head.links.clone(), ..opened.head.clone() };
    // Whether the log is still the same is seen before anything happens in it.
    hand_on(walk, end, &head, Vec::new()).await?;
    let mut messages = Messages::default();
    let mut on_this_page = 0;
    loop {
        let piece = tokio::time::timeout(SILENCE_MAX, opened.piece()).await;
        let piece = piece.map_err(|_| Trouble::passing(format!("nothing came in {} s", SILENCE_MAX.as_secs())))??;
        let piece = piece.ok_or_else(|| Trouble::passing("the event stream ended"))?;
        let events = messages.take(&piece).into_iter().map(event).collect::<Result<Vec<_>, _>>();
        let events = events.map_err(|why| FollowError::Unreadable { url: walk.home.to_string(), why })?;
        if MESSAGE_BYTES_MAX < messages.bytes() {
            return Err(Trouble::passing(format!("an event is larger than {MESSAGE_BYTES_MAX} bytes")).into());
        }
        if events.is_empty() {
            continue;
        }
        on_this_page += events.len();
        hand_on(walk, end, &head, events).await?;
        if EVENTS_PER_PAGE <= on_this_page {
            on_this_page = 0;
            move_on(walk, end).await?;
        }
    }
}

fn event(message: Message) -> Result<page::Event, String> {
    let event = page::line(&Bytes::from(message.data)).map_err(|error| error.to_string())?;
    let place = message.id.and_then(|id| id.parse().ok()).or(event.place);
    Ok(page::Event { place, ..event })
}

/// To the newest page, if the one that was the newest is complete by now.
async fn move_on(walk: &Walk, end: &mut Fetched) -> Result<(), Lost> {
    loop {
        let url = Url::parse(&end.url).map_err(|error| FollowError::Usage(error.to_string()))?;
        let Some(page) = walk.fetcher.page(&Ask { past_caches: true, ..walk.fetcher.ask(&url) }).await? else { break };
        let Some(newer) = page.link("previous").filter(|_| page.head.is_archive()) else { break };
        *end = Fetched { url: newer.as_str().into(), page: Page::default(), ..page };
    }
    Ok(())
}

async fn hand_on(walk: &Walk, end: &Fetched, head: &Head, events: Vec<page::Event>) -> Result<(), Lost> {
    let page = Page { feed: end.page.feed.clone(), events, ..Page::default() };
    let fetched = Fetched { url: end.url.clone(), head: head.clone(), page, past_caches: true, bytes: 0, room: None };
    Ok(walk.hand_on(Step::Page(Box::new(fetched))).await?)
}

impl Walk {
    /// Right after what was handed on last, once all of it has been looked at.
    async fn last(&self) -> Result<Option<Checkpoint>, Ended> {
        let (sender, last) = oneshot::channel();
        self.hand_on(Step::Where(sender)).await?;
        last.await.map_err(|_| Ended::Stopped)
    }
}
