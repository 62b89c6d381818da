//! An event as a follower hands it over: what the feed says of it, and where following goes on after it.

use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;
use serde::de::DeserializeOwned;

use super::{Checkpoint, Log};
use crate::feed::read::page;

/// An event that was followed. It is all that the feed says of it ([`page::Event`]) and knows its checkpoint.
#[derive(Debug, Clone)]
pub struct Event {
    event: page::Event,
    origin: Arc<Origin>,
}

/// What all events of a page share.
#[derive(Debug)]
pub(super) struct Origin {
    /// The URL that following began with.
    pub(super) feed: Arc<str>,
    pub(super) page: Arc<str>,
    pub(super) log: Option<Log>,
    pub(super) feed_id: Option<Arc<str>>,
}

impl Event {
    pub(super) fn new(event: page::Event, origin: Arc<Origin>) -> Self {
        Self { event, origin }
    }

    /// Where what it carries is, and its media type as far as the feed says; none if it is here.
    pub(super) fn elsewhere(&self) -> Option<(&str, Option<&str>)> {
        match &self.event.content {
            page::EventContent::Elsewhere { url, media_type, .. } => Some((url, media_type.as_deref())),
            page::EventContent::Here { .. } | page::EventContent::Removed { .. } => None,
        }
    }

    /// What was found there: none if it was removed.
    pub(super) fn put(&mut self, found: Option<(Option<Arc<str>>, Bytes)>) {
        let page::EventContent::Elsewhere { media_type, metadata, .. } = &mut self.event.content else { return };
        self.event.content = match found {
            Some((said, data)) => page::EventContent::Here {
                media_type: media_type.take().or(said).unwrap_or_else(|| "application/octet-stream".into()),
                data,
                metadata: metadata.take(),
            },
            None => page::EventContent::Removed { digest: None, correlation: None },
        };
    }

    /// The place right after this event: whoever starts there goes on with the next.
    #[must_use]
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            feed: self.origin.feed.to_string(),
            page: self.origin.page.to_string(),
            event: self.event.id.to_string(),
            place: self.event.place,
            time_micros: self.event.time.micros(),
            log: self.origin.log,
            feed_id: self.origin.feed_id.as_deref().map(str::to_string),
        }
    }

    /// Which log it is from, where the server says so.
    #[must_use]
    pub fn log(&self) -> Option<Log> {
        self.origin.log
    }

    /// All that the feed says of it, to keep.
    #[must_use]
    pub fn into_page_event(self) -> page::Event {
        self.event
    }

    /// What it carries; none if that was truncated, deleted or erased.
    #[must_use]
    pub fn data(&self) -> Option<&Bytes> {
        match &self.event.content {
            page::EventContent::Here { data, .. } => Some(data),
            page::EventContent::Elsewhere { .. } | page::EventContent::Removed { .. } => None,
        }
    }

    /// JSON about the event.
    #[must_use]
    pub fn metadata(&self) -> Option<&Bytes> {
        match &self.event.content {
            page::EventContent::Here { metadata, .. } | page::EventContent::Elsewhere { metadata, .. } => {
                metadata.as_ref()
            }
            page::EventContent::Removed { .. } => None,
        }
    }

    /// How to read [`data`](Self::data), parameters included.
    #[must_use]
    pub fn media_type(&self) -> Option<&str> {
        match &self.event.content {
            page::EventContent::Here { media_type, .. } => Some(media_type),
            page::EventContent::Elsewhere { media_type, .. } => media_type.as_deref(),
            page::EventContent::Removed { .. } => None,
        }
    }

    /// The data, read as JSON. Those of a removed event read as `null`.
    ///
    /// # Errors
    /// When they are not JSON, or not of this shape.
    pub fn json<T: DeserializeOwned>(&self) -> serde_json::Result<T> {
        serde_json::from_slice(self.data().map_or(b"null", |data| &data[..]))
    }

    /// Whether what it carried was truncated, deleted or erased; so it seems too where it [is hidden](page::Event::is_hidden).
    #[must_use]
    pub fn is_removed(&self) -> bool {
        matches!(self.event.content, page::EventContent::Removed { .. })
    }
}

impl Deref for Event {
    type Target = page::Event;

    fn deref(&self) -> &page::Event {
        &self.event
    }
}
