//! Events: as a producer proposes them, and as the log keeps them.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::{EventId, EventType, Life, MediaType, Number, Position, StreamName, Timestamp};

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
    /// The digest of an event with this type and content. Metadata is not part of it.
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

impl Event {
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
    fn the_digest_is_part_of_the_format() {
        let event_type = EventType::parse("OrderPlaced").expect("a type");
        let content =
            |metadata| Content { media_type: MediaType::json(), data: Bytes::from_static(b"{\"total\":1}"), metadata };
        let digest = Digest::of(&event_type, &content(None));
        assert_eq!(
            digest,
            Digest::of(&event_type, &content(Some(Bytes::from_static(b"{}")))),
            "metadata is not compared"
        );
        assert_eq!(uuid::Uuid::from_bytes(digest.0).simple().to_string(), "3bcc59406a2f3e7a66c2e345d6864c6d");
    }
}
