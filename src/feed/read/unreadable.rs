//! Why a body cannot become events, said so that the producer finds the place.

use std::fmt;

use crate::event::limits::{BATCH_EVENTS_MAX, EVENT_BYTES_MAX};
use crate::event::{InvalidName, NilEventId};
use crate::feed::json::NotJson;

/// Why a body cannot become events: what is wrong, in which event, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadableBody {
    /// What is wrong.
    pub fault: BodyFault,
    /// In which event of a batch, from 0.
    pub index: Option<usize>,
    /// Where in the body, if it is in one place.
    pub place: Option<BodyPlace>,
}

/// A place in a body that is text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyPlace {
    /// The line, from 1.
    pub line: usize,
    /// The character of the line, from 1; of a line that is not UTF-8, the byte.
    pub column: usize,
}

/// What is wrong with a body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyFault {
    /// Its media type is JSON.
    #[error("the body is not the JSON that its media type says: {0}")]
    NotJson(#[from] NotJson),
    /// One shape for one thing: a single event is an array too, or is sent in its own media type.
    #[error("the body is not an array; a batch is a JSON array of events, also when it is only one: [{{…}}]")]
    NotAnArray,
    /// An append has at least one event.
    #[error("the array is empty; an append has at least one event")]
    NoEvents,
    /// Over the limit.
    #[error("the batch has more than {BATCH_EVENTS_MAX} events; send them in several requests")]
    TooManyEvents,
    /// Over the limit.
    #[error("data and metadata of an event are at most {EVENT_BYTES_MAX} bytes together, not {bytes}")]
    EventTooLarge {
        /// How large it is.
        bytes: usize,
    },
    /// A member of the array.
    #[error("an event in a batch is an object with eventId, eventType, data and metadata")]
    NotAnObject,
    /// Readers differ in which one they believe.
    #[error("{0} stands twice in one event")]
    Twice(&'static str),
    /// Only strings are.
    #[error("{0} is a string")]
    NotAString(&'static str),
    /// An event in a batch has a type of its own.
    #[error("the event has no eventType")]
    NoEventType,
    /// A name that cannot be one.
    #[error("eventType cannot be that text: {0}")]
    InvalidEventType(InvalidName),
    /// The media type stands in for a type that is not given.
    #[error("without ES-EventType the media type is the event's type, and it cannot be: {0}")]
    InvalidDefaultType(InvalidName),
    /// Not a UUID.
    #[error("eventId is a UUID, such as 0190c6a4-7b1e-7f5e-9a52-1f6f2d3c4b5a")]
    InvalidEventId,
    /// All zeros.
    #[error("eventId cannot be that one: {0}")]
    NilEventId(#[from] NilEventId),
}

impl UnreadableBody {
    /// With the place, given in bytes from the start of the body.
    pub(super) fn at(body: &[u8], at: usize, fault: BodyFault) -> Self {
        Self { fault, index: None, place: Some(BodyPlace::of(body, at)) }
    }

    /// Whether a limit was passed (413), rather than something malformed (400).
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        matches!(self.fault, BodyFault::TooManyEvents | BodyFault::EventTooLarge { .. })
    }
}

impl From<BodyFault> for UnreadableBody {
    fn from(fault: BodyFault) -> Self {
        Self { fault, index: None, place: None }
    }
}

impl BodyPlace {
    fn of(body: &[u8], at: usize) -> Self {
        let before = &body[..at.min(body.len())];
        let start = memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1);
        let on_line = &before[start..];
        let characters = std::str::from_utf8(on_line).map_or(on_line.len(), |text| text.chars().count());
        Self { line: memchr::memchr_iter(b'\n', before).count() + 1, column: characters + 1 }
    }
}

impl fmt::Display for UnreadableBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fault.fmt(f)?;
        match (self.place, self.index) {
            (Some(place), Some(index)) => write!(f, " ({place}, in the event at index {index})"),
            (Some(place), None) => write!(f, " ({place})"),
            (None, Some(index)) => write!(f, " (in the event at index {index})"),
            (None, None) => Ok(()),
        }
    }
}

impl std::error::Error for UnreadableBody {}

impl fmt::Display for BodyPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}
