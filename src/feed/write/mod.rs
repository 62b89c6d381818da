//! Documents, written piece by piece straight into bytes.

mod atom_content;
#[cfg(test)]
mod atom_tests;
mod atom_xml;
mod cloudevents;
mod event_json;
mod event_stream;
mod event_xml;
mod eventstore_json;
mod followed;
mod json;
#[cfg(test)]
mod json_tests;
pub(in crate::feed) mod json_xml;
mod ndjson;
mod posted;
#[cfg(test)]
mod posted_tests;
mod service;
mod text;

pub use event_stream::message;
pub use followed::{LineFor, followed_line};
#[cfg(feature = "server")]
pub(crate) use json::indented;
pub use service::{CATEGORIES_TYPE, SERVICE_TYPE, categories, service};

use uuid::Uuid;

use crate::address::{BaseUrl, Embed, Shape};
use crate::event::{Count, Event, Number, Source, StreamName, Timestamp, Visible};

use super::{Representation, xml};

/// What a feed document says of itself.
#[derive(Debug, Clone, Copy)]
pub struct Feed<'a> {
    /// The base URL it was asked for under.
    pub base: &'a BaseUrl,
    /// The log's identity.
    pub log: Uuid,
    /// Whose events it shows.
    pub source: &'a Source,
    /// What it was asked as.
    pub shape: &'a Shape,
    /// The numbers that there are to be seen.
    pub visible: Visible,
    /// The server's page size.
    pub page_size: Count,
    /// The oldest and the newest time among the events shown; none on an empty page.
    pub times: Option<(Timestamp, Timestamp)>,
    /// The time of the source's first event.
    pub created: Timestamp,
    /// The document's entity tag without quotes, for the head feed as EventStore JSON.
    pub etag: Option<&'a str>,
}

/// Where a link event leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkTarget {
    /// To an event that is there to be read.
    Event(Box<Event>),
    /// To one that is not: it was removed, or never written.
    Gone {
        /// The stream that the link names.
        stream: StreamName,
        /// And the number in it.
        number: Number,
    },
}

/// A feed on its way out: `begin`, then `entry` for each event in [`Representation::order`], then `end`. In
/// pieces, so that a page of huge events is never in memory whole.
pub trait Document {
    /// Writes what comes before the first event.
    fn begin(&mut self, out: &mut Vec<u8>);
    /// Writes one event. `place` is its number in the feed's source, which in `$all` and in derived streams is
    /// not its own.
    fn entry(&mut self, event: &Event, place: Number, out: &mut Vec<u8>);
    /// Writes that an event was truncated or deleted. Where there is no other way to say so, as an event without
    /// content.
    fn deleted(&mut self, event: &Event, place: Number, out: &mut Vec<u8>) {
        self.entry(event, place, out);
    }
    /// Writes what a link event leads to. Where links are not resolved, as any event.
    fn link(&mut self, link: &Event, place: Number, target: &LinkTarget, out: &mut Vec<u8>) {
        let _ = target;
        self.entry(link, place, out);
    }
    /// Writes what comes after the last event.
    fn end(&mut self, out: &mut Vec<u8>);
}

/// The document of a feed.
#[must_use]
pub fn feed<'a>(representation: Representation, feed: &'a Feed<'a>) -> Box<dyn Document + Send + 'a> {
    match representation {
        Representation::Atom { content } | Representation::Xml { content, .. } => {
            Box::new(atom_xml::FeedXml::new(content, feed))
        }
        Representation::EventStore { embed, .. } => Box::new(eventstore_json::FeedJson::new(embed, feed)),
        Representation::Envelope { .. } | Representation::SingularEnvelopes { .. } => {
            Box::new(event_json::Array::of(feed.source, event_json::entry))
        }
        Representation::EnvelopeXml { .. } => Box::new(event_xml::Events::of(feed.source)),
        Representation::CloudEvents => {
            Box::new(event_json::Array::of(feed.source, |event, _, out| cloudevents::entry(event, out)))
        }
        Representation::Ndjson => Box::new(ndjson::Lines { source: feed.source }),
        Representation::Data | Representation::Bytes => Box::new(eventstore_json::FeedJson::new(Embed::None, feed)),
    }
}

/// Writes one event as a document of its own. `place` is its number in the source that it was asked for in.
pub fn entry(
    representation: Representation,
    base: &BaseUrl,
    log: Uuid,
    source: &Source,
    event: &Event,
    place: Number,
    out: &mut Vec<u8>,
) {
    match representation {
        Representation::Atom { content } => atom_xml::entry(content, base, log, place_in(source, place), event, out),
        Representation::EventStore { embed, .. } => eventstore_json::entry(embed, base, event, out),
        Representation::Envelope { .. } | Representation::SingularEnvelopes { .. } => {
            event_json::entry(event, place_in(source, place), out);
        }
        Representation::Xml { .. } => event_xml::data(event, out),
        Representation::EnvelopeXml { .. } => event_xml::entry(event, place_in(source, place), out),
        Representation::CloudEvents => cloudevents::entry(event, out),
        Representation::Ndjson => ndjson::entry(event, place_in(source, place), out),
        Representation::Data | Representation::Bytes => {
            if let Some(content) = &event.content {
                out.extend_from_slice(&content.data);
            }
        }
    }
}

/// Writes one event as a line of JSON, as it stands in the feed of its own stream.
pub fn line(event: &Event, out: &mut Vec<u8>) {
    ndjson::entry(event, None, out);
}

/// Writes what a link event leads to as a document of its own, in EventStore's JSON.
pub fn link(representation: Representation, base: &BaseUrl, link: &Event, target: &LinkTarget, out: &mut Vec<u8>) {
    let embed = match representation {
        Representation::EventStore { embed, .. } => embed,
        _ => Embed::None,
    };
    eventstore_json::link(embed, base, link, target, out);
}

/// The place that a document tells beside the event's own number and position: wherever it is not shown in its own
/// stream. So a reader needs to know nothing of the feed to know the place: it is the one that is told, else the number.
fn place_in(source: &Source, place: Number) -> Option<Number> {
    source.is_derived().then_some(place)
}
