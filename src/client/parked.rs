//! Events that could not be applied and were put aside, each with its reason, so that the others could go on.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::event::Origin;
use super::{Checkpoint, Event, Failure};
use crate::event::{Timestamp, TraceParent};
use crate::feed::read::page;

/// One of them, with all that is needed to apply it later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parked {
    /// What it is called by here: with it the state had seen so many events.
    pub number: u64,
    /// The feed that it came from, as the aggregator names it.
    pub feed: String,
    /// Why it could not be applied, at the last attempt.
    pub reason: String,
    /// How often it was tried.
    pub attempts: u32,
    /// The event's id.
    pub id: String,
    /// Its own stream.
    pub stream: String,
    /// Its number there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream_number: Option<u64>,
    /// Its place in the whole log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u64>,
    /// What happened.
    pub event_type: String,
    /// When, in microseconds since 1970.
    pub time_micros: i64,
    /// Which operation of its producer it came out of (`traceparent`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_parent: Option<String>,
    /// How to read its data; none if it was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data: Option<Bytes>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    metadata: Option<Bytes>,
    /// The place in the feed right after it.
    pub checkpoint: Checkpoint,
}

/// What an event carries: as text where it is text, so that people can read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Bytes {
    Text(String),
    Base64(String),
}

impl Parked {
    pub(crate) fn new(number: u64, feed: &str, event: &Event, reason: &Failure, attempts: u32) -> Self {
        Self {
            number,
            feed: feed.to_string(),
            reason: reason.to_string(),
            attempts,
            id: event.id.to_string(),
            stream: event.stream.to_string(),
            stream_number: event.number,
            position: event.position,
            event_type: event.event_type.to_string(),
            time_micros: event.time.micros(),
            trace_parent: event.trace_parent.map(|trace_parent| trace_parent.to_string()),
            media_type: event.media_type().map(str::to_string),
            data: event.data().map(|data| Bytes::of(data)),
            metadata: event.metadata().map(|metadata| Bytes::of(metadata)),
            checkpoint: event.checkpoint(),
        }
    }

    /// The event as it was read.
    pub(crate) fn event(&self) -> Result<Event, Failure> {
        let content = match (&self.media_type, &self.data) {
            (Some(media_type), Some(data)) => page::EventContent::Here {
                media_type: media_type.as_str().into(),
                data: data.bytes()?,
                metadata: self.metadata.as_ref().map(Bytes::bytes).transpose()?,
            },
            _ => page::EventContent::Removed { digest: None, correlation: None },
        };
        let event = page::Event {
            id: self.id.parse().map_or_else(|_| page::EventId::Iri(self.id.as_str().into()), page::EventId::Uuid),
            stream: self.stream.as_str().into(),
            number: self.stream_number,
            position: self.position,
            place: self.checkpoint.place,
            event_type: self.event_type.as_str().into(),
            time: Timestamp::from_micros(self.time_micros),
            trace_parent: self.trace_parent.as_deref().and_then(TraceParent::parse),
            content,
        };
        let origin = Origin {
            feed: self.checkpoint.feed.as_str().into(),
            page: self.checkpoint.page.as_str().into(),
            log: self.checkpoint.log,
            feed_id: self.checkpoint.feed_id.as_deref().map(Into::into),
        };
        Ok(Event::new(event, Arc::new(origin)))
    }
}

impl Bytes {
    fn of(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.to_string()),
            Err(_) => Self::Base64(STANDARD.encode(bytes)),
        }
    }

    fn bytes(&self) -> Result<bytes::Bytes, Failure> {
        Ok(match self {
            Self::Text(text) => text.clone().into(),
            Self::Base64(text) => STANDARD.decode(text)?.into(),
        })
    }
}
