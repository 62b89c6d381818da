//! The representations of feeds and events: their names, and what follows from each.

use crate::address::{At, BaseUrl, Embed, Paging, Suffix};
use crate::event::{Count, Order, Source};

/// A way to write a feed or an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Representation {
    /// Atom XML (RFC 4287).
    Atom {
        /// Where the content of its entries is.
        content: AtomContent,
    },
    /// EventStore's JSON form of Atom.
    EventStore {
        /// The name it is asked for and served by.
        label: Label,
        /// How much of the events it holds.
        embed: Embed,
    },
    /// Events with their envelopes; a page is an array of them.
    Envelope {
        /// The name it is asked for and served by.
        label: Label,
    },
    /// A page of those under the name of one (`event+json`).
    SingularEnvelopes {
        /// The name it is asked for and served by.
        label: Label,
    },
    /// A page as Atom XML, and the data of one event as XML, under the names of XML itself.
    Xml {
        /// The name it is asked for and served by.
        label: XmlLabel,
        /// Where the content of a page's entries is.
        content: AtomContent,
    },
    /// Events with their envelopes as XML.
    EnvelopeXml {
        /// The name it is asked for and served by.
        named: NamedFor,
    },
    /// The data of one event as bytes of which nothing is known (`application/octet-stream`). Pages have no such
    /// form.
    Bytes,
    /// CloudEvents 1.0 as JSON; a page is an array of them.
    CloudEvents,
    /// Events as lines of JSON.
    Ndjson,
    /// The data of one event, in its own media type. A page has no such form: as one, it is EventStore's JSON
    /// under the plain label, as there.
    Data,
}

/// Where the content of an Atom entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AtomContent {
    /// In the entry, unless it is too large or cannot be written there.
    Inline,
    /// At its own address, always (`?embed=none`).
    OutOfLine,
}

/// The families of media types that one JSON document is served under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Label {
    /// `application/vnd.eventstore.…`
    EventStore,
    /// `application/vnd.kurrent.…`
    Kurrent,
    /// `application/json`
    Plain,
}

/// The media types of XML itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum XmlLabel {
    /// `text/xml`
    Text,
    /// `application/xml`
    Application,
}

/// Of how many events the name of a media type speaks. Pages go by both names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NamedFor {
    /// `application/vnd.eventstore.event+xml`
    One,
    /// `application/vnd.eventstore.events+xml`
    Many,
}

impl Representation {
    /// The media type of a feed. Not `type=feed`, which RFC 5023 §12.1 leaves open: proxies compare the whole
    /// type when they decide what to compress.
    #[must_use]
    pub fn feed_type(&self) -> &'static str {
        match self {
            Self::Atom { .. } => "application/atom+xml; charset=utf-8",
            Self::EventStore { label: Label::EventStore, .. } => "application/vnd.eventstore.atom+json; charset=utf-8",
            Self::EventStore { label: Label::Kurrent, .. } => "application/vnd.kurrent.atom+json; charset=utf-8",
            Self::Envelope { label: Label::EventStore } => "application/vnd.eventstore.events+json; charset=utf-8",
            Self::Envelope { label: Label::Kurrent } => "application/vnd.kurrent.events+json; charset=utf-8",
            Self::CloudEvents => "application/cloudevents-batch+json; charset=utf-8",
            Self::Ndjson => "application/x-ndjson",
            Self::EventStore { label: Label::Plain, .. } | Self::Envelope { label: Label::Plain } | Self::Data => {
                "application/json; charset=utf-8"
            }
            Self::SingularEnvelopes { .. } | Self::Xml { .. } | Self::EnvelopeXml { .. } | Self::Bytes => {
                self.entry_type()
            }
        }
    }

    /// The media type of one event. For [`Representation::Data`] the event's own takes its place; this one is
    /// for events of which it is no longer known.
    #[must_use]
    pub fn entry_type(&self) -> &'static str {
        match self {
            Self::Atom { .. } => "application/atom+xml; type=entry; charset=utf-8",
            Self::EventStore { label: Label::EventStore, .. } => "application/vnd.eventstore.atom+json; charset=utf-8",
            Self::EventStore { label: Label::Kurrent, .. } => "application/vnd.kurrent.atom+json; charset=utf-8",
            Self::CloudEvents => "application/cloudevents+json; charset=utf-8",
            Self::Ndjson => "application/x-ndjson",
            Self::Envelope { label: Label::EventStore } | Self::SingularEnvelopes { label: Label::EventStore } => {
                "application/vnd.eventstore.event+json; charset=utf-8"
            }
            Self::Envelope { label: Label::Kurrent } | Self::SingularEnvelopes { label: Label::Kurrent } => {
                "application/vnd.kurrent.event+json; charset=utf-8"
            }
            Self::EventStore { label: Label::Plain, .. }
            | Self::Envelope { label: Label::Plain }
            | Self::SingularEnvelopes { label: Label::Plain } => "application/json; charset=utf-8",
            Self::Xml { label: XmlLabel::Text, .. } => "text/xml; charset=utf-8",
            Self::Xml { label: XmlLabel::Application, .. } => "application/xml; charset=utf-8",
            Self::EnvelopeXml { named: NamedFor::One } => "application/vnd.eventstore.event+xml; charset=utf-8",
            Self::EnvelopeXml { named: NamedFor::Many } => "application/vnd.eventstore.events+xml; charset=utf-8",
            Self::Data | Self::Bytes => "application/octet-stream",
        }
    }

    /// Counts the changes to this representation's bytes. It is part of every ETag: raising it tells all caches
    /// that the same events are now written otherwise, and is a release note.
    #[must_use]
    pub const fn revision(&self) -> u32 {
        match self {
            // 2: removed entries (RFC 6721), the way to the service document, the collection in the head feed; media are
            // out of line.
            // 3: the place of events in `$all`; of removed ones, that they are, and their type.
            Self::Atom { .. } | Self::Xml { .. } => 3,
            // 2: the place of events in `$all`; of lines, in every feed that is not the event's own stream, and their
            // links lead to lines.
            Self::Envelope { .. } | Self::SingularEnvelopes { .. } | Self::EnvelopeXml { .. } | Self::Ndjson => 2,
            Self::EventStore { .. } | Self::CloudEvents | Self::Bytes | Self::Data => 1,
        }
    }

    /// The order of the events in a feed.
    #[must_use]
    pub const fn order(&self) -> Order {
        match self {
            Self::Atom { .. } | Self::Xml { .. } | Self::EventStore { .. } | Self::Data | Self::Bytes => {
                Order::NewestFirst
            }
            Self::Envelope { .. }
            | Self::SingularEnvelopes { .. }
            | Self::EnvelopeXml { .. }
            | Self::CloudEvents
            | Self::Ndjson => Order::OldestFirst,
        }
    }

    /// How its feeds are paged and linked.
    #[must_use]
    pub const fn paging(&self, page_size: Count) -> Paging {
        match self {
            Self::Atom { .. }
            | Self::Xml { .. }
            | Self::Envelope { .. }
            | Self::SingularEnvelopes { .. }
            | Self::EnvelopeXml { .. }
            | Self::CloudEvents
            | Self::Ndjson => Paging::Grid { page_size },
            Self::EventStore { .. } | Self::Data | Self::Bytes => Paging::EventStore,
        }
    }

    /// How its links say that they lead to this representation.
    #[must_use]
    pub const fn suffix(&self) -> Suffix {
        match self {
            Self::Atom { .. } | Self::Xml { .. } => Suffix::Atom,
            Self::Ndjson => Suffix::Ndjson,
            Self::EventStore { .. }
            | Self::Envelope { .. }
            | Self::SingularEnvelopes { .. }
            | Self::EnvelopeXml { .. }
            | Self::CloudEvents
            | Self::Data
            | Self::Bytes => Suffix::None,
        }
    }

    /// Where its documents stand: what [`Paging::links`] needs to know.
    #[must_use]
    pub const fn at<'a>(&self, base: &'a BaseUrl, source: &'a Source) -> At<'a> {
        let embed = match self {
            Self::Atom { content: AtomContent::OutOfLine } | Self::Xml { content: AtomContent::OutOfLine, .. } => {
                Some(Embed::None)
            }
            Self::Atom { content: AtomContent::Inline }
            | Self::Xml { content: AtomContent::Inline, .. }
            | Self::EventStore { .. }
            | Self::Envelope { .. }
            | Self::SingularEnvelopes { .. }
            | Self::EnvelopeXml { .. }
            | Self::CloudEvents
            | Self::Ndjson
            | Self::Data
            | Self::Bytes => None,
        };
        At { base, source, suffix: self.suffix(), embed }
    }
}
