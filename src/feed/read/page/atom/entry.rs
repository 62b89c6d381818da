//! An entry, as far as it has been read, and the event that it is.

use bytes::Bytes;
use uuid::Uuid;

use super::PageFault;
use super::attributes::Attributes;
use super::content::Content;
use crate::event::limits::NUMBER_MAX;
use crate::event::{Timestamp, TraceParent};
use crate::feed::atom_entry::TYPE_SCHEME;
use crate::feed::read::page::time::time;
use crate::feed::read::page::{Event, EventContent, EventId, Shared};

/// What an entry has said so far.
#[derive(Debug, Default)]
pub(super) struct Entry {
    /// It tells that there was an entry (RFC 6721).
    pub(super) is_deleted: bool,
    pub(super) id: Option<String>,
    pub(super) updated: Option<Timestamp>,
    pub(super) published: Option<Timestamp>,
    pub(super) title: Option<Content>,
    pub(super) summary: Option<Content>,
    pub(super) content: Option<Place>,
    pub(super) metadata: Option<Bytes>,
    /// The first link of this relation: media type and address.
    pub(super) alternate: Option<(Option<String>, String)>,
    /// The first category, and the first of those that name the event's type.
    category: Option<String>,
    event_type: Option<String>,
    ours: Option<Ours>,
}

/// Where the content of an entry is.
#[derive(Debug)]
pub(super) enum Place {
    Here(Content),
    Elsewhere { media_type: Option<String>, url: String },
}

/// What our own server says of an event.
#[derive(Debug)]
struct Ours {
    id: Uuid,
    stream: String,
    number: u64,
    position: u64,
    place: Option<u64>,
    is_removed: bool,
    trace_parent: Option<TraceParent>,
    /// Of removed ones: in a deleted entry no category says it.
    event_type: Option<String>,
}

/// What neighbours have in common.
#[derive(Debug, Default)]
pub(super) struct Names {
    stream: Shared,
    event_type: Shared,
    media_type: Shared,
}

impl Entry {
    /// RFC 6721 §3.
    pub(super) fn deleted(attributes: &Attributes) -> Result<Self, PageFault> {
        let when = attributes.get("when").and_then(time);
        Ok(Self {
            is_deleted: true,
            id: Some(attributes.get("ref").ok_or(PageFault::Lacks("ref"))?.to_string()),
            updated: Some(when.ok_or(PageFault::Lacks("time at which it was deleted"))?),
            ..Self::default()
        })
    }

    pub(super) fn category(&mut self, attributes: &Attributes) {
        let Some(term) = attributes.get("term") else { return };
        if attributes.get("scheme") == Some(TYPE_SCHEME) {
            self.event_type.get_or_insert_with(|| term.to_string());
        }
        self.category.get_or_insert_with(|| term.to_string());
    }

    /// The `event` of our own vocabulary.
    pub(super) fn identity(&mut self, attributes: &Attributes) -> Result<(), PageFault> {
        const OF: &str = "an attribute of our `event`";
        let text = |name| attributes.get(name).map(ToString::to_string);
        let number = |name| match attributes.get(name) {
            None => Ok(None),
            Some(digits) => {
                let number = digits.parse().ok().filter(|number| *number <= NUMBER_MAX && digits.as_bytes()[0] != b'+');
                number.map(Some).ok_or(PageFault::Invalid { name: OF, what: "a whole number below 2^63" })
            }
        };
        let id = attributes.get("id").ok_or(PageFault::Lacks("id"))?;
        let ours = Ours {
            id: Uuid::try_parse(id).map_err(|_| PageFault::Invalid { name: OF, what: "a UUID" })?,
            stream: text("stream").ok_or(PageFault::Lacks("stream"))?,
            number: number("number")?.ok_or(PageFault::Lacks("number"))?,
            position: number("position")?.ok_or(PageFault::Lacks("position"))?,
            place: number("place")?,
            is_removed: attributes.get("removed") == Some("true"),
            trace_parent: attributes.get("traceparent").and_then(TraceParent::parse),
            event_type: text("type"),
        };
        if self.ours.replace(ours).is_some() { Err(PageFault::Twice("our `event`")) } else { Ok(()) }
    }

    /// All of it has been read.
    pub(super) fn event(mut self, names: &mut Names) -> Result<Event, PageFault> {
        let time = self.updated.or(self.published).ok_or(PageFault::Lacks("updated"))?;
        let content = self.content(names);
        let ours = self.ours;
        let event_type = [self.event_type, ours.as_ref().and_then(|ours| ours.event_type.clone()), self.category];
        let event_type = event_type.iter().flatten().next().map_or("entry", String::as_str);
        Ok(Event {
            stream: names.stream.of(ours.as_ref().map_or("", |ours| &ours.stream)),
            number: ours.as_ref().map(|ours| ours.number),
            position: ours.as_ref().map(|ours| ours.position),
            place: ours.as_ref().map(|ours| ours.place.unwrap_or(ours.number)),
            event_type: names.event_type.of(event_type),
            time,
            trace_parent: ours.as_ref().and_then(|ours| ours.trace_parent),
            content,
            id: match ours {
                Some(ours) => EventId::Uuid(ours.id),
                None => EventId::Iri(self.id.filter(|id| !id.is_empty()).ok_or(PageFault::Lacks("id"))?.into()),
            },
        })
    }

    /// An entry without content is what it links to, or what its summary or its title says.
    fn content(&mut self, names: &mut Names) -> EventContent {
        let metadata = self.metadata.take();
        let is_gone = self.is_deleted || self.ours.as_ref().is_some_and(|ours| ours.is_removed);
        match self.content.take() {
            _ if is_gone => EventContent::Removed { digest: None, correlation: None },
            Some(Place::Elsewhere { media_type, url }) => EventContent::Elsewhere {
                media_type: media_type.map(|media_type| names.media_type.of(&media_type)),
                url: url.into(),
                metadata,
            },
            Some(Place::Here(Content { media_type, data })) => {
                EventContent::Here { media_type: names.media_type.of(&media_type), data, metadata }
            }
            None => match (self.summary.take(), self.alternate.take(), self.title.take()) {
                (None, Some((media_type, url)), _) => {
                    EventContent::Elsewhere { media_type: media_type.map(Into::into), url: url.into(), metadata }
                }
                (Some(Content { media_type, data }), _, _) | (None, None, Some(Content { media_type, data })) => {
                    EventContent::Here { media_type: names.media_type.of(&media_type), data, metadata }
                }
                (None, None, None) => {
                    EventContent::Here { media_type: names.media_type.of("text/plain"), data: Bytes::new(), metadata }
                }
            },
        }
    }
}
