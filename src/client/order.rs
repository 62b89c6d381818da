//! What must be true of the pages of a walk, one after the other: that they are of one log, of one history of it, and
//! that nothing between them is missing or comes twice.

use std::sync::Arc;

use super::event::{Event, Origin};
use super::fetch::{Fetched, Fetcher};
use super::{Checkpoint, FollowError, Log};
use crate::client::transport::Ask;
use crate::event::Timestamp;
use crate::feed::read::page;
use reqwest::Url;

/// What has been read so far.
pub(super) struct Order {
    fetcher: Arc<Fetcher>,
    feed: Arc<str>,
    log: Option<Log>,
    feed_id: Option<Arc<str>>,
    /// Right after the last event.
    last: Option<Checkpoint>,
    /// The page of the last event may have been cut on its way here without a trace.
    may_be_cut: bool,
    /// Up to this place events have been read before their turn.
    ahead_to: Option<u64>,
    /// Nothing older counts.
    since: Option<Timestamp>,
    skips_truncated: bool,
}

impl Order {
    pub(super) fn new(
        fetcher: Arc<Fetcher>,
        feed: &str,
        last: Option<Checkpoint>,
        since: Option<Timestamp>,
        skips_truncated: bool,
    ) -> Self {
        Self {
            fetcher,
            feed: feed.into(),
            log: last.as_ref().and_then(|last| last.log),
            feed_id: last.as_ref().and_then(|last| last.feed_id.as_deref().map(Arc::from)),
            last,
            may_be_cut: false,
            ahead_to: None,
            since,
            skips_truncated,
        }
    }

    /// Right after what was read last.
    pub(super) fn last(&self) -> Option<&Checkpoint> {
        self.last.as_ref()
    }

    /// Adds the events of the next page, as far as they may come next.
    pub(super) async fn check(&mut self, mut fetched: Fetched, events: &mut Vec<Event>) -> Result<(), FollowError> {
        if self.is_of_an_older_epoch(&fetched) {
            fetched = self.as_it_is_now(&fetched).await?;
        }
        self.check_log(&fetched).await?;
        let may_be_cut = fetched.may_be_cut();
        let origin = self.origin(&fetched);
        let page = &mut fetched.page;
        if let Some(since) = self.since {
            let older = page.events.iter().take_while(|event| event.time < since).count();
            page.events.drain(..older);
        }
        if let Some(ahead_to) = self.ahead_to {
            let known =
                page.events.iter().take_while(|event| event.place.is_some_and(|place| place <= ahead_to)).count();
            page.events.drain(..known);
        }
        self.may_be_cut = may_be_cut;
        let Some(first) = page.events.first() else { return Ok(()) };
        self.since = None;
        if let Some((expected, found)) = self.jump(first) {
            // Whatever lies between may have been cut from the page before on its way here.
            self.read_again(expected, found, events).await?;
        }
        self.take(std::mem::take(&mut page.events), &origin, events)
    }

    /// Adds what is missing from the page of the last event, when nothing comes after it.
    ///
    /// Lines of JSON are whole wherever a line ends. A cache that took a broken connection for the end of a page would
    /// hide the rest of it until the next event.
    pub(super) async fn at_the_end(&mut self, events: &mut Vec<Event>) -> Result<(), FollowError> {
        if std::mem::take(&mut self.may_be_cut)
            && let Some(last) = self.last.as_ref().and_then(|last| last.place)
        {
            self.read_again(last + 1, u64::MAX, events).await?;
            // They may have happened since, and come once more from the page where they belong.
            self.ahead_to = self.last.as_ref().and_then(|last| last.place);
        }
        Ok(())
    }

    /// A cache may hold it from a history that has not been gone on with.
    fn is_of_an_older_epoch(&self, fetched: &Fetched) -> bool {
        let epochs = self.log.zip(fetched.head.log);
        epochs.is_some_and(|(expected, found)| expected.id == found.id && found.epoch < expected.epoch)
    }

    /// The page, past all caches. A server that is itself in an older epoch has another history.
    async fn as_it_is_now(&self, fetched: &Fetched) -> Result<Fetched, FollowError> {
        let another = |why: String, log| FollowError::AnotherHistory { url: self.feed.to_string(), why, log };
        let url = Url::parse(&fetched.url).map_err(|error| FollowError::Usage(error.to_string()))?;
        let now = self.fetcher.page(&Ask { past_caches: true, ..self.fetcher.ask(&url) }).await?;
        match now {
            Some(now) if !self.is_of_an_older_epoch(&now) => Ok(now),
            Some(now) => {
                Err(another("it is in an older epoch than the one that was followed".to_string(), now.head.log))
            }
            None => Err(another(format!("{url} is there in an older epoch alone"), fetched.head.log)),
        }
    }

    async fn check_log(&mut self, fetched: &Fetched) -> Result<(), FollowError> {
        let another =
            |expected: String, found: String| FollowError::AnotherLog { url: self.feed.to_string(), expected, found };
        if let Some(found) = &fetched.page.feed {
            match &self.feed_id {
                Some(expected) if expected != found => return Err(another(expected.to_string(), found.to_string())),
                Some(_) => (),
                None => self.feed_id = Some(found.clone()),
            }
        }
        let Some(found) = fetched.head.log else { return Ok(()) };
        match self.log {
            Some(expected) if expected.id != found.id => {
                return Err(another(expected.id.to_string(), found.id.to_string()));
            }
            // What was read so far has to be part of the history that goes on here.
            Some(expected) if expected.epoch < found.epoch => self.verify(found).await?,
            Some(_) | None => (),
        }
        self.log = Some(found);
        Ok(())
    }

    /// The event that was read last has to be where it was.
    async fn verify(&self, found: Log) -> Result<(), FollowError> {
        let Some(last) = &self.last else { return Ok(()) };
        let page = self.page_of(last).await?;
        let is_same = |event: &page::Event| last.is_of(event) && event.time.micros() == last.time_micros;
        if page.is_some_and(|page| page.page.events.iter().any(is_same)) {
            tracing::info!(feed = %self.feed, epoch = found.epoch, "a new epoch goes on with the same history");
            return Ok(());
        }
        Err(FollowError::AnotherHistory {
            url: self.feed.to_string(),
            why: format!("the event {} that was read last is not on {}", last.event, last.page),
            log: Some(found),
        })
    }

    async fn page_of(&self, last: &Checkpoint) -> Result<Option<Fetched>, FollowError> {
        let url = Url::parse(&last.page).map_err(|error| FollowError::Usage(error.to_string()))?;
        self.fetcher.page(&Ask { past_caches: true, ..self.fetcher.ask(&url) }).await
    }

    /// The place that should come next and the one that does, if events are missing between them.
    fn jump(&self, event: &page::Event) -> Option<(u64, u64)> {
        let (last, found) = (self.last.as_ref()?.place?, event.place?);
        (last + 1 < found).then_some((last + 1, found))
    }

    /// Reads again, past all caches, from the page of the last event on, for events that are missing from there.
    async fn read_again(&mut self, from: u64, before: u64, events: &mut Vec<Event>) -> Result<(), FollowError> {
        let Some(last) = &self.last else { return Ok(()) };
        let mut url = Url::parse(&last.page).ok();
        while let Some(page) = url.take() {
            let ask = Ask { past_caches: true, ..self.fetcher.ask(&page) };
            let Some(again) = self.fetcher.page(&ask).await? else { break };
            self.check_log(&again).await?;
            let newest = again.page.events.last().and_then(|event| event.place);
            if newest.is_some_and(|newest| newest + 1 < before) {
                url = again.link("previous");
            }
            let origin = self.origin(&again);
            let missing = again.page.events.into_iter();
            let missing = missing.filter(|event| event.place.is_some_and(|place| from <= place && place < before));
            self.take(missing.collect(), &origin, events)?;
        }
        Ok(())
    }

    fn origin(&self, page: &Fetched) -> Arc<Origin> {
        Arc::new(Origin {
            feed: self.feed.clone(),
            page: page.url.clone(),
            log: page.head.log,
            feed_id: self.feed_id.clone(),
        })
    }

    /// Takes these events as the next.
    fn take(
        &mut self,
        found: Vec<page::Event>,
        origin: &Arc<Origin>,
        events: &mut Vec<Event>,
    ) -> Result<(), FollowError> {
        let mut next = self.last.as_ref().and_then(|last| last.place).map(|place| place + 1);
        for event in found {
            if let (Some(expected), Some(found)) = (next, event.place)
                && expected != found
            {
                if found < expected {
                    return Err(self.another_history(&event, expected));
                }
                if !self.skips_truncated {
                    return Err(FollowError::Truncated { url: self.feed.to_string(), expected, found });
                }
                tracing::warn!(feed = %self.feed, expected, found, "events were truncated before they were read");
            }
            next = event.place.map(|place| place + 1);
            events.push(Event::new(event, origin.clone()));
        }
        if let Some(last) = events.last() {
            self.last = Some(last.checkpoint());
        }
        Ok(())
    }

    fn another_history(&self, event: &page::Event, expected: u64) -> FollowError {
        FollowError::AnotherHistory {
            url: self.feed.to_string(),
            why: format!("the event {} has the place {:?} where {expected} comes next", event.id, event.place),
            log: self.log,
        }
    }
}
