//! Feeds that keep what is past in archive documents (RFC 5005 §4) and name no oldest page: back from the subscription
//! document, archive by archive, then forwards by the list that was kept, and then the subscription document again and
//! again. It may still hold what an archive holds already: an entry that was seen is known by its id.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use http::HeaderValue;
use reqwest::Url;
use tokio::time::Instant;

use super::super::fetch::{Fetched, Fetcher};
use super::super::retry::Trouble;
use super::super::task::Task;
use super::super::transport::{self, Ask, Reply};
use super::super::{Checkpoint, FollowError};
use super::{Ended, Step, Walk, resume};
use crate::event::Timestamp;
use crate::feed::read::page::{Event, EventId};

/// How many archives may be ahead. Their addresses are kept until they are read.
const ARCHIVES_MAX: usize = 250_000;

/// How many of them are fetched ahead.
const AHEAD: usize = 8;

/// How many entries may be known by their ids beside those of the subscription document.
const SEEN_MAX: usize = 100_000;

/// How far back to begin.
#[derive(Debug, Clone, Copy)]
pub(super) enum Since<'a> {
    Oldest,
    Time(Timestamp),
    After(&'a Checkpoint),
    Now,
}

/// So often an archive is asked for that is not there: for about a minute.
const ARCHIVE_ATTEMPTS_MAX: u32 = 8;

/// How far such a feed has been read.
struct Reader<'a> {
    walk: &'a Walk,
    /// The newest archive that was read, if there is one; that and all before it are done with.
    newest: Option<Url>,
    /// Entries that were handed on and may be met again.
    seen: HashSet<EventId>,
}

/// Hands on all entries from there on, given the subscription document as it is now.
pub(super) async fn walk(walk: &Walk, current: Fetched, since: Since<'_>) -> Result<(), Ended> {
    let mut reader = Reader { walk, newest: None, seen: HashSet::new() };
    let mut due = Vec::new();
    match since {
        Since::Now => reader.skip(&current, current.page.events.len()),
        Since::Oldest | Since::Time(_) => due = reader.archives_before(&current, since).await?.0,
        Since::After(checkpoint) => match current.page.events.iter().position(|event| checkpoint.is_of(event)) {
            Some(at) => {
                let read = read_before(&current, at, checkpoint);
                reader.skip(&current, read);
                reader.seen.insert(current.page.events[at].id.clone());
            }
            None => {
                let (newer, found) = reader.archives_before(&current, since).await?;
                let Some(mut found) = found else { return Err(resume::missing(walk, checkpoint, &current).into()) };
                let at = found.page.events.iter().position(|event| checkpoint.is_of(event));
                found.page.events.drain(..=at.expect("it was found there"));
                due = newer;
                reader.archive(found, &current).await?;
            }
        },
    }
    let url = Url::parse(&current.url).expect("it was fetched");
    let tag = current.head.tag.clone();
    reader.take(current, due).await?;
    reader.poll(url, tag).await
}

/// Hands on a page that has entries and leads to no newer ones, so that it is the one that goes on changing.
pub(super) async fn go_on(walk: &Walk, current: Fetched) -> Result<(), Ended> {
    let mut reader = Reader { walk, newest: None, seen: HashSet::new() };
    reader.skip(&current, current.page.events.len());
    let url = Url::parse(&current.url).expect("it was fetched");
    let tag = current.head.tag.clone();
    walk.hand_on(Step::Page(Box::new(current))).await?;
    reader.poll(url, tag).await
}

impl Reader<'_> {
    /// So many entries of this document, and all archives before it, are done with.
    fn skip(&mut self, current: &Fetched, entries: usize) {
        self.newest = current.link("prev-archive");
        self.seen.extend(current.page.events[..entries].iter().map(|event| event.id.clone()));
    }

    /// Hands on these archives, oldest last in the list, and then the subscription document.
    async fn take(&mut self, mut current: Fetched, mut due: Vec<String>) -> Result<(), Ended> {
        let mut coming = VecDeque::new();
        let mut bytes_expected = current.bytes;
        loop {
            while coming.len() < AHEAD && !due.is_empty() {
                // What waits here to be handed on holds room itself: so for more than one page it is not waited for.
                let room = match self.walk.room_now(bytes_expected) {
                    Some(room) => room,
                    None if coming.is_empty() => self.walk.room(bytes_expected).await,
                    None => break,
                };
                let url = due.pop().expect("there is one");
                let (url, fetcher) = (Url::parse(&url).expect("it was one"), self.walk.fetcher.clone());
                coming.push_back(Task::spawn(async move {
                    let page = archive_at(&fetcher, &url).await?;
                    Ok::<_, FollowError>(Fetched { room: Some(room), ..page })
                }));
            }
            let Some(page) = coming.pop_front() else { break };
            let page = page.await?;
            bytes_expected = page.bytes;
            self.archive(page, &current).await?;
        }
        let ids: HashSet<EventId> = current.page.events.iter().map(|event| event.id.clone()).collect();
        current.page.events.retain(|event| !self.seen.contains(&event.id));
        if SEEN_MAX < self.seen.len() {
            self.seen.clear();
        }
        self.seen.extend(ids);
        Ok(self.walk.hand_on(Step::Page(Box::new(current))).await?)
    }

    /// Hands on an archive, given the subscription document that will be read after it.
    async fn archive(&mut self, mut page: Fetched, current: &Fetched) -> Result<(), Ended> {
        self.newest = Some(Url::parse(&page.url).expect("it was fetched"));
        let comes_again = |event: &Event| current.page.events.iter().any(|other| other.id == event.id);
        page.page.events.retain(|event| {
            // An archive is read once: what was seen before it was archived will not come again.
            let is_new = !self.seen.remove(&event.id);
            if comes_again(event) {
                self.seen.insert(event.id.clone());
            }
            is_new
        });
        Ok(self.walk.hand_on(Step::Page(Box::new(page))).await?)
    }

    /// The archives before the subscription document that are still to be read, newest first; and the last one looked at,
    /// if what is looked for is in it.
    async fn archives_before(
        &self,
        current: &Fetched,
        since: Since<'_>,
    ) -> Result<(Vec<String>, Option<Fetched>), Ended> {
        let mut archives: Vec<String> = Vec::new();
        let mut next = current.link("prev-archive");
        let begins_before = |page: &Fetched, time| page.page.events.first().is_some_and(|oldest| oldest.time < time);
        if matches!(since, Since::Time(time) if begins_before(current, time)) {
            next = None;
        }
        while let Some(url) = next.take().filter(|url| self.newest.as_ref() != Some(url)) {
            if archives.len() == ARCHIVES_MAX {
                let why = format!("there are more than {ARCHIVES_MAX} archives before it");
                return Err(FollowError::Unreadable { url: current.url.to_string(), why }.into());
            }
            let page = archive_at(&self.walk.fetcher, &url).await?;
            next = page.link("prev-archive");
            match since {
                Since::After(checkpoint) if page.page.events.iter().any(|event| checkpoint.is_of(event)) => {
                    return Ok((archives, Some(page)));
                }
                // Where it was, it is no more.
                Since::After(checkpoint) if checkpoint.page == *page.url => return Ok((archives, None)),
                Since::Time(time) if begins_before(&page, time) => next = None,
                Since::After(_) | Since::Time(_) | Since::Oldest | Since::Now => (),
            }
            archives.push(url.into());
        }
        Ok((archives, None))
    }

    /// Asks for the subscription document again and again.
    async fn poll(mut self, url: Url, mut tag: Option<HeaderValue>) -> Result<(), Ended> {
        // What was read may have taken long: so the first time, nothing is waited for.
        let mut ask = Ask { past_caches: true, known: tag.clone(), ..self.walk.fetcher.ask(&url) };
        let mut is_told = false;
        loop {
            let asked_at = Instant::now();
            let mut max_age = Duration::ZERO;
            let mut is_news = false;
            match self.walk.fetcher.open(&ask).await? {
                Reply::Page(opened) => {
                    if let Some(current) = self.walk.fetcher.read(&ask, *opened).await? {
                        (tag, max_age) = (current.head.tag.clone(), current.head.max_age);
                        is_news = current.page.events.iter().any(|event| !self.seen.contains(&event.id));
                        let due = self.archives_before(&current, Since::Oldest).await?.0;
                        self.take(current, due).await?;
                    }
                }
                Reply::Unchanged(headers) => max_age = transport::max_age(&headers),
                Reply::Absent(_) => (),
            }
            if is_news {
                is_told = false;
            } else if self.walk.ends_at_the_end {
                return Ok(());
            } else {
                if !is_told {
                    is_told = true;
                    self.walk.hand_on(Step::AtTheEnd).await?;
                }
                self.walk.pause(&ask, asked_at, max_age).await;
            }
            ask = Ask { known: tag.clone(), ..self.walk.ask_for_news(&url, false) };
        }
    }
}

/// How many entries of a document were read by then. One that was edited since has moved behind others that were not.
fn read_before(current: &Fetched, at: usize, checkpoint: &Checkpoint) -> usize {
    let events = &current.page.events;
    if events[at].time.micros() == checkpoint.time_micros {
        return at + 1;
    }
    events.iter().take_while(|event| event.time.micros() <= checkpoint.time_micros).count()
}

/// An archive. A publisher may show the feed that leads to a new one a moment before it, so it is asked for again.
async fn archive_at(fetcher: &Fetcher, url: &Url) -> Result<Fetched, FollowError> {
    const WHY: &str = "the archive is not there, although its feed leads to it";
    let mut attempts = fetcher.attempts(url);
    for _ in 0..ARCHIVE_ATTEMPTS_MAX {
        if let Some(page) = fetcher.page(&fetcher.ask(url)).await? {
            return Ok(page);
        }
        attempts.failed(Trouble::passing(WHY)).await?;
    }
    Err(FollowError::Unreadable { url: url.to_string(), why: WHY.into() })
}
