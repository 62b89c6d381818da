//! Messages of event streams, made once for all who listen at the same place: thousands who are woken by an event cost
//! one rendering.

use std::sync::Arc;

use bytes::Bytes;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::event::{Content, Event, Number, Order, Source, StreamHead};
use crate::feed;
use crate::store::{ReadError, View};

use super::mark::Mark;
use super::sight::{Reader, Sight, Streams};

/// A piece ends behind the event that brings its content over this.
const PIECE_BYTES: usize = 64 << 10;

/// Memory for pieces that others may want too.
const CACHE_BYTES: u64 = 8 << 20;

/// The messages of a few events that follow each other.
#[derive(Debug)]
pub(crate) struct Messages {
    pub(crate) bytes: Bytes,
    /// The number after the last of them.
    pub(crate) next: Number,
}

/// What was made lately.
#[derive(Debug)]
pub(crate) struct RecentMessages {
    cache: Cache<Key, Arc<Messages>, ByBytes>,
    /// What messages are made of, where readers see different things.
    pieces: Cache<Key, Arc<Piece>, ByBytes>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    source: Source,
    from: Number,
    /// How far there was something to show. What is truncated of a stream goes from its beginning, so nothing that is
    /// shown changes; in derived streams it does with every event elsewhere that removes some.
    as_of: Number,
    /// How many events had been erased by then.
    erasures: u64,
    /// What is hidden from the reader.
    sight: Mark,
}

/// Events that follow each other, and the streams that they are of.
#[derive(Debug)]
struct Piece {
    events: Vec<Event>,
    streams: Streams,
}

#[derive(Debug, Clone)]
struct ByBytes;

impl Weighter<Key, Arc<Messages>> for ByBytes {
    fn weight(&self, _: &Key, messages: &Arc<Messages>) -> u64 {
        messages.bytes.len() as u64 + 256
    }
}

impl Weighter<Key, Arc<Piece>> for ByBytes {
    fn weight(&self, _: &Key, piece: &Arc<Piece>) -> u64 {
        let bytes = |event: &Event| event.content.as_ref().map_or(0, Content::len) as u64 + 512;
        piece.events.iter().map(bytes).sum::<u64>() + 256
    }
}

impl RecentMessages {
    pub(crate) fn new() -> Self {
        let pieces_about = (CACHE_BYTES / 4_096) as usize;
        Self {
            cache: Cache::with_weighter(pieces_about, CACHE_BYTES, ByBytes),
            pieces: Cache::with_weighter(pieces_about, CACHE_BYTES, ByBytes),
        }
    }

    /// The messages of the events from `from` on, as this reader sees them, as many as one piece holds. There is at least
    /// one.
    ///
    /// # Errors
    /// As [`View::read`].
    pub(crate) async fn get(
        &self,
        view: &View,
        source: &Source,
        from: Number,
        head: &StreamHead,
        reader: Option<Reader<'_>>,
    ) -> Result<Arc<Messages>, ReadError> {
        let as_of = match source {
            Source::Stream(_) => head.next,
            Source::All | Source::Derived(..) => view.log().next.into(),
        };
        let key = Key { source: source.clone(), from, as_of, erasures: view.erasures(), sight: Mark::NONE };
        let Some(reader) = reader.filter(|_| source.is_derived()) else {
            let make = async { Ok(Arc::new(messages(source, from, &read(view, source, from, head).await?))) };
            return self.cache.get_or_insert_async(&key, make).await;
        };
        let piece = async {
            let events = read(view, source, from, head).await?;
            let mut streams = Streams::default();
            events.iter().zip(0..).for_each(|(event, offset)| streams.push(from.plus(offset), event));
            Ok::<_, ReadError>(Arc::new(Piece { events, streams }))
        };
        let piece = self.pieces.get_or_insert_async(&key, piece).await?;
        let sight = Sight::of(reader, &piece.streams).await?;
        let make = async {
            let shown = piece.events.iter().cloned().zip(0..);
            let shown: Vec<Event> =
                shown.map(|(event, offset)| sight.shown(view, source, from.plus(offset), event)).collect();
            Ok(Arc::new(messages(source, from, &shown)))
        };
        self.cache.get_or_insert_async(&Key { sight: sight.mark(), ..key }, make).await
    }
}

async fn read(view: &View, source: &Source, from: Number, head: &StreamHead) -> Result<Vec<Event>, ReadError> {
    view.read(source, from, head.last().unwrap_or_default(), Order::OldestFirst, PIECE_BYTES).await
}

fn messages(source: &Source, from: Number, events: &[Event]) -> Messages {
    let mut bytes = Vec::new();
    for (event, offset) in events.iter().zip(0..) {
        feed::message(source, event, from.plus(offset), &mut bytes);
    }
    Messages { bytes: bytes.into(), next: from.plus(events.len() as u64) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Deletion, ExpectedVersion, Timestamp};
    use crate::store::Delete;
    use crate::store::tests_support::{append, new_event, open, stream};

    #[tokio::test]
    async fn they_are_made_once_for_all_and_anew_when_an_event_in_them_was_removed() {
        let dir = tempfile::tempdir().expect("a directory");
        let (store, recent) = (open(dir.path()), RecentMessages::new());
        append(&store, "s", vec![new_event(1, "1"), new_event(2, "2")]).await.expect("appended");
        let get = async || {
            let view = store.view();
            let head = view.head(&Source::All).expect("a head");
            recent.get(&view, &Source::All, Number::ZERO, &head, None).await.expect("it reads")
        };
        let first = get().await;
        assert!(Arc::ptr_eq(&first, &get().await));
        assert_eq!(first.next, Number::from(2));
        let now = Timestamp::from_micros(2_000_000);
        let (deletion, expected) = (Deletion::Soft, ExpectedVersion::Any);
        store.delete(Delete { stream: stream("s"), deletion, expected, now }).await.expect("deleted");
        let removed = get().await;
        assert_eq!(removed.next, Number::from(3), "the deletion is an event too");
        let text = std::str::from_utf8(&removed.bytes).expect("text");
        assert_eq!(text.matches("\"removed\":true").count(), 2, "{text}");
    }
}
