//! Events: as a producer proposes them, and as the log keeps them.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{EventId, EventType, Life, MediaType, Number, Position, Source, StreamName, Timestamp, TraceParent};

/// An event before it has a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// Unique in a life of its stream.
    pub id: EventId,
    /// Ids that the server has just made cannot have been used before, so they are not looked up.
    pub id_is_fresh: bool,
    /// What happened.
    pub event_type: EventType,
    /// What it carries.
    pub content: Content,
}

/// What an event carries. It can be removed (truncated, deleted, erased); the rest of the event stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// How to read `data`.
    pub media_type: MediaType,
    /// The bytes, exactly as they were sent.
    pub data: Bytes,
    /// JSON about the event, exactly as it was sent.
    pub metadata: Option<Bytes>,
    /// Which operation of its producer it came out of, if that was told.
    pub trace_parent: Option<TraceParent>,
}

/// One immutable record of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its stream.
    pub stream: StreamName,
    /// Its place in the stream.
    pub number: Number,
    /// Its place in the log.
    pub position: Position,
    /// The life of the stream that it belongs to.
    pub life: Life,
    /// When it was appended: never before the event at the position before it.
    pub time: Timestamp,
    /// Its id.
    pub id: EventId,
    /// What happened.
    pub event_type: EventType,
    /// Tells a repeat from another event under the same id, also when the content is gone.
    pub digest: Digest,
    /// None once it was removed.
    pub content: Option<Content>,
    /// The `$correlationId` of an event whose content was removed: it names a derived stream, so it stays.
    pub kept_correlation: Option<Arc<str>>,
}

/// The first 16 bytes of SHA-256 over type, media type and data, each preceded by its length (64 bits,
/// big-endian). Part of the stored format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 16]);

impl Digest {
    /// The digest of an event with this type and content. Metadata and trace are not part of it.
    #[must_use]
    pub fn of(event_type: &EventType, content: &Content) -> Self {
        let mut hash = Sha256::new();
        for part in [event_type.as_str().as_bytes(), content.media_type.as_str().as_bytes(), &content.data] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let mut digest = [0; 16];
        digest.copy_from_slice(&hash.finalize()[..16]);
        Self(digest)
    }
}

/// The type of what stands for an event that its reader may not see.
pub const HIDDEN_TYPE: &str = "$hidden";

impl Event {
    /// What stands for it at its place in a source of many streams, for those who may not read its own: where it is and
    /// when it came, and nothing else that is its own. It is as an event of that source itself, so that whatever is
    /// written of it, names and links too, leads back to the same place there.
    #[must_use]
    pub fn hidden(&self, log: Uuid, source: &Source, place: Number) -> Self {
        Self {
            stream: source.stream(),
            number: place,
            position: self.position,
            life: Life(0),
            time: self.time,
            id: EventId::of_hidden(log, self.position),
            event_type: EventType::hidden(),
            digest: Digest([0; 16]),
            content: None,
            kept_correlation: None,
        }
    }

    /// Whether it stands for an event that its reader may not see. Nobody can make another such event: the streams that
    /// these are of take none.
    #[must_use]
    pub fn is_hidden(&self) -> bool {
        self.event_type.as_str() == HIDDEN_TYPE
            && self.content.is_none()
            && Source::named(self.stream.clone()).is_derived()
    }

    /// Takes its content away. What names a derived stream stays.
    pub fn remove_content(&mut self) {
        self.kept_correlation = self.correlation().map(|id| id.as_ref().into());
        self.content = None;
    }

    /// The `$correlationId` in its metadata, if that is a text; also when the content is gone.
    #[must_use]
    pub fn correlation(&self) -> Option<Cow<'_, str>> {
        /// What is looked for in metadata; everything else in them is passed over.
        #[derive(serde::Deserialize)]
        struct Correlated<'a> {
            #[serde(rename = "$correlationId", borrow)]
            id: Cow<'a, str>,
        }
        match &self.content {
            None => self.kept_correlation.as_deref().map(Cow::Borrowed),
            Some(content) => {
                let metadata = content.metadata.as_deref()?;
                // Nearly all metadata go without, and need not be parsed to know that.
                memchr::memmem::find(metadata, b"$correlationId")?;
                Some(serde_json::from_slice::<Correlated<'_>>(metadata).ok()?.id)
            }
        }
    }
}

impl NewEvent {
    /// See [`Digest`].
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.event_type, &self.content)
    }
}

impl Content {
    /// Data and metadata together, in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.data.len() + self.metadata.as_ref().map_or(0, Bytes::len)
    }

    /// Neither data nor metadata.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_hidden_event_only_the_place_and_the_time_are_left() {
        let mut event = Event {
            stream: StreamName::parse("salaries-7").expect("a name"),
            number: Number::from(3),
            position: Position::from(9),
            life: Life(2),
            time: Timestamp::from_micros(5),
            id: EventId::new(Uuid::from_u128(1)).expect("not nil"),
            event_type: EventType::parse("Raised").expect("a type"),
            digest: Digest([7; 16]),
            content: None,
            kept_correlation: Some("c".into()),
        };
        let (log, category) = (Uuid::from_u128(2), Source::named(StreamName::parse("$ce-salaries").expect("a name")));
        let hidden = event.hidden(log, &category, Number::from(1));
        let expected = Event {
            stream: category.stream(),
            number: Number::from(1),
            life: Life(0),
            id: EventId::of_hidden(log, Position::from(9)),
            event_type: EventType::parse(HIDDEN_TYPE).expect("a type"),
            digest: Digest([0; 16]),
            kept_correlation: None,
            ..event.clone()
        };
        assert_eq!(hidden, expected);
        assert!(hidden.is_hidden() && !event.is_hidden());
        event.event_type = hidden.event_type;
        assert!(!event.is_hidden(), "producers may call their events so");
    }

    #[test]
    fn the_digest_is_part_of_the_format() {
        let event_type = EventType::parse("OrderPlaced").expect("a type");
        let content = |metadata, trace_parent| Content {
            media_type: MediaType::json(),
            data: Bytes::from_static(b"{\"total\":1}"),
            metadata,
            trace_parent,
        };
        let digest = Digest::of(&event_type, &content(None, None));
        let traced = TraceParent::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        assert_eq!(
            digest,
            Digest::of(&event_type, &content(Some(Bytes::from_static(b"{}")), traced)),
            "neither metadata nor the trace is compared"
        );
        assert_eq!(uuid::Uuid::from_bytes(digest.0).simple().to_string(), "3bcc59406a2f3e7a66c2e345d6864c6d");
    }
}
