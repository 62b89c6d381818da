//! Why a body cannot become events, said so that the producer finds the place.

use std::fmt;

use crate::event::limits::{BATCH_EVENTS_MAX, EVENT_BYTES_MAX, XML_ELEMENTS_MAX};
use crate::event::{InvalidMediaType, InvalidName, NilEventId};
use crate::feed::atom_entry::InvalidEntry;
use crate::feed::cloudevent::AttributeFault;
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
    /// Its media type is XML.
    #[error("the body is not the XML that its media type says: {0}")]
    NotXml(String),
    /// One shape for one thing: a single event is an array too, or is sent in its own media type.
    #[error("the body is not an array; a batch is a JSON array of events, also when it is only one: [{{…}}]")]
    NotAnArray,
    /// An append has at least one event.
    #[error("the batch is empty; an append has at least one event")]
    NoEvents,
    /// Over the limit.
    #[error("the batch has more than {BATCH_EVENTS_MAX} events; send them in several requests")]
    TooManyEvents,
    /// Over the limit: elements take far more memory than bytes.
    #[error("the batch has more than {XML_ELEMENTS_MAX} elements and attributes; send it in several requests")]
    TooManyElements,
    /// Over the limit.
    #[error("data and metadata of an event are at most {EVENT_BYTES_MAX} bytes together, not {bytes}")]
    EventTooLarge {
        /// How large it is.
        bytes: usize,
    },
    /// A member of an array, or a line; the sentence says what it is.
    #[error("{0}")]
    NotAnObject(&'static str),
    /// Readers differ in which one they believe.
    #[error("{0} stands twice in one event")]
    Twice(String),
    /// Only strings are.
    #[error("{0} is a string")]
    NotAString(&'static str),
    /// An event in a batch has a type of its own.
    #[error("the event has no {0}")]
    NoEventType(&'static str),
    /// A name that cannot be one.
    #[error("{0} cannot be that text: {1}")]
    InvalidEventType(&'static str, InvalidName),
    /// The media type stands in for a type that is not given.
    #[error("without ES-EventType the media type is the event's type, and it cannot be: {0}")]
    InvalidDefaultType(InvalidName),
    /// Its media type is that of an Atom entry.
    #[error("the body is not the Atom entry that its media type says: {0}")]
    InvalidEntry(InvalidEntry),
    /// A category names the event's type.
    #[error(
        "without ES-EventType an entry's category of the scheme urn:everfeed:type, or else its first, is the event's \
         type, and it cannot be: {0}"
    )]
    InvalidCategory(InvalidName),
    /// Not a UUID.
    #[error("{0} is a UUID, such as 0190c6a4-7b1e-7f5e-9a52-1f6f2d3c4b5a")]
    InvalidEventId(&'static str),
    /// All zeros.
    #[error("{0} cannot be that one: {1}")]
    NilEventId(&'static str, NilEventId),
    /// An append has at least one event.
    #[error("the body has no lines; an append has at least one event")]
    NoLines,
    /// The rows that our own pages show of removed events have none.
    #[error("the event has neither data nor dataBase64; one whose content was removed cannot be appended")]
    NoData,
    /// Readers differ in which one they believe.
    #[error("the event has both {0} and {1}; one of the two says it")]
    Both(&'static str, &'static str),
    /// A media type that cannot be one.
    #[error("mediaType cannot be that text: {0}")]
    InvalidMediaType(InvalidMediaType),
    /// Base64 (RFC 4648 §4) with its padding.
    #[error("{0} is base64, with `=` at its end where that is due")]
    NotBase64(&'static str),
    /// JSON is exchanged in UTF-8 (RFC 8259 §8.1).
    #[error("JSON is kept in UTF-8; its media type has no charset, or charset=utf-8, and not charset={0}")]
    Charset(String),
    /// Only JSON has a form of its own in JSON.
    #[error("data of the media type {0} is a string if it is text in UTF-8; anything else goes in {1}")]
    NotText(String, &'static str),
    /// An attribute that a CloudEvent cannot have, or one that it has to have.
    #[error(transparent)]
    CloudEvent(#[from] AttributeFault),
}

impl UnreadableBody {
    /// With the place, given in bytes from the start of the body.
    pub(super) fn at(body: &[u8], at: usize, fault: BodyFault) -> Self {
        Self { fault, index: None, place: Some(BodyPlace::of(body, at)) }
    }

    /// Whether a limit was passed (413), rather than something malformed (400).
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        matches!(self.fault, BodyFault::TooManyEvents | BodyFault::TooManyElements | BodyFault::EventTooLarge { .. })
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
