//! Pages of feeds, as a reader gets them: the events in them, oldest first, and the links that lead on.
//!
//! Three forms come to the same: Atom of any origin (RFC 4287, RFC 5005), EventStore's JSON feed, and our own lines
//! of JSON. What a form does not say is absent, never guessed.
//!
//! A page comes from the network: whatever its bytes are, reading it ends in a page or in an error, within the limits
//! that the rest of the program has.

mod atom;
mod eventstore;
mod form;
mod lines;
mod link_header;
#[cfg(test)]
mod tests;
mod time;
mod unreadable;
mod value_end;

use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;

pub use form::{Form, UnknownForm};
pub use lines::line;
pub use link_header::link_header;
pub use unreadable::{PageFault, UnreadablePage};

use crate::event::{Digest, HIDDEN_TYPE, Source, StreamName, Timestamp, TraceParent};

/// Reads a page. `header` is what its `Link` headers say; where it and the document name a relation both, the document
/// counts.
///
/// # Errors
/// When the body is not what its form says, is cut short, or is over a limit.
pub fn read(form: Form, header: &Links, body: &Bytes) -> Result<Page, UnreadablePage> {
    let mut page = match form {
        Form::Atom => atom::read(body)?,
        Form::EventStore => eventstore::read(body)?,
        // Lines say nothing of their page, but what it leads to is in the header: and of all documents only archives
        // name the archive after them (RFC 5005 §4).
        Form::Ndjson => {
            Page { events: lines::read(body)?, is_archive: header.get("next-archive").is_some(), ..Page::default() }
        }
    };
    page.links.0.extend_from_slice(&header.0);
    Ok(page)
}

/// One page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// The feed's own `id`: the same on each of its pages, and another for each other feed. Lines of JSON do not have it.
    pub feed: Option<Arc<str>>,
    /// Where it leads.
    pub links: Links,
    /// It says that it never changes again (RFC 5005 §4, `fh:archive`).
    pub is_archive: bool,
    /// Oldest first, whichever order the document has.
    pub events: Vec<Event>,
}

/// Links by their relation, as they stand in a document or in its `Link` header: absolute, or relative to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Links(Vec<(Arc<str>, Arc<str>)>);

/// One event, as a feed publishes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What names it.
    pub id: EventId,
    /// Its own stream. In a feed that knows no streams it is empty.
    pub stream: Arc<str>,
    /// Its number in its own stream.
    pub number: Option<u64>,
    /// Its place in the whole log.
    pub position: Option<u64>,
    /// Its place in the feed that it was read from: the number there, in `$all` the position.
    ///
    /// Our own documents say it of every event that is shown in another feed than that of its own stream: in `$all`
    /// too, where it is the position once more. Where they say nothing, it is the event's number. So it needs no
    /// knowledge of which feed was asked for. In feeds of other servers that have no numbers it is absent.
    pub place: Option<u64>,
    /// What happened: the type, or the term of the first category, or `entry`.
    pub event_type: Arc<str>,
    /// When, as the feed has it (`updated` of an Atom entry).
    pub time: Timestamp,
    /// Which operation of its producer it came out of, where that was told and our own documents say it.
    pub trace_parent: Option<TraceParent>,
    /// What it carries.
    pub content: EventContent,
}

/// What names an event: where producers name events it is a UUID, in other feeds the `id` of the Atom entry.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum EventId {
    /// The event's own id.
    Uuid(Uuid),
    /// RFC 4287 §4.2.6.
    Iri(Arc<str>),
}

/// What an event carries, or where that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventContent {
    /// All of it.
    Here {
        /// How to read `data`, parameters included.
        media_type: Arc<str>,
        /// The very bytes.
        data: Bytes,
        /// JSON about the event.
        metadata: Option<Bytes>,
    },
    /// At an address of its own (RFC 4287 §4.1.3.2).
    Elsewhere {
        /// How to read it, as far as the feed says.
        media_type: Option<Arc<str>>,
        /// Absolute, or relative to the page.
        url: Arc<str>,
        /// JSON about the event.
        metadata: Option<Bytes>,
    },
    /// It was truncated, deleted or erased; that the event was there is all that is left.
    Removed {
        /// What repeats are told by, where the form says it.
        digest: Option<Digest>,
        /// The `$correlationId` that it had.
        correlation: Option<Arc<str>>,
    },
}

impl Event {
    /// Whether it stands for an event that its reader may not see: its own stream is one that this reader has no right to,
    /// and the feed says of it where it is and when it came, and nothing else.
    #[must_use]
    pub fn is_hidden(&self) -> bool {
        matches!(self.content, EventContent::Removed { .. }) && stands_for_hidden(&self.stream, &self.event_type)
    }
}

/// Only a server can say so: streams of many streams take no events.
fn stands_for_hidden(stream: &str, event_type: &str) -> bool {
    event_type == HIDDEN_TYPE && StreamName::parse(stream).is_ok_and(|stream| Source::named(stream).is_derived())
}

impl Links {
    /// Where this relation leads. Of several with one relation the first counts.
    #[must_use]
    pub fn get(&self, rel: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| &**known == rel).map(|(_, href)| &**href)
    }

    /// Adds one.
    pub fn add(&mut self, rel: &str, href: &str) {
        self.0.push((rel.into(), href.into()));
    }

    /// Whether it leads nowhere.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A name that neighbours have in common, kept once.
#[derive(Debug, Default)]
struct Shared(Arc<str>);

impl Shared {
    /// The name; most of the time it is that of the event before.
    fn of(&mut self, name: &str) -> Arc<str> {
        if *self.0 != *name {
            self.0 = name.into();
        }
        self.0.clone()
    }
}

impl std::fmt::Display for EventId {
    /// The UUID with hyphens, or the IRI.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Uuid(uuid) => uuid.fmt(f),
            Self::Iri(iri) => f.write_str(iri),
        }
    }
}
