//! What readers see: an immutable view of the log up to its newest durable event.

use std::sync::Arc;

use crate::event::{Content, Event, LogHead, Number, Order, Position, Source, StreamHead, StreamName};

use super::chunks::Chunks;
use super::derived::Indexed;
use super::erasures::Erasures;
use super::format::ChunkRecord;
use super::ids::Filters;
use super::keeper::Keeper;
use super::retentions::Retentions;
use super::segment::Segment;
use super::{Identity, ReadError, Shared};

/// How large a log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// All events.
    pub events: u64,
    /// Those of them that are not in chunks yet.
    pub tail_events: u64,
    /// Chunks.
    pub chunks: u64,
    /// What their files take on the disk.
    pub chunk_bytes: u64,
}

/// The parts of a view; replaced, never changed.
#[derive(Clone)]
pub(crate) struct State {
    /// What is visible: every event below `log.next`.
    pub(crate) log: LogHead,
    pub(crate) sealed: Arc<Sealed>,
    /// One segment for each chunk to come, oldest first; the first one starts where the chunks end.
    pub(crate) tail: Arc<[Arc<Segment>]>,
    pub(crate) retentions: Retentions,
    pub(crate) erasures: Erasures,
    /// Whether anybody ever wrote a link event.
    pub(crate) has_links: bool,
}

impl State {
    /// The position after all that this state has seen, or will see: its last segment goes on growing.
    pub(crate) fn end(&self) -> Position {
        self.tail.last().map_or_else(|| self.sealed.end(), |segment| segment.end())
    }
}

/// The chunks, in the order of positions, without gaps.
#[derive(Clone, Default)]
pub(crate) struct Sealed {
    pub(crate) chunks: Vec<ChunkRecord>,
    pub(crate) filters: Filters,
    /// How far their derived streams are indexed.
    pub(crate) indexed: Indexed,
    /// One for each chunk.
    keepers: Vec<Arc<Keeper>>,
}

impl Sealed {
    /// The first position that is not in a chunk.
    pub(crate) fn end(&self) -> Position {
        self.chunks.last().map_or(Position::ZERO, |chunk| chunk.end)
    }

    /// Adds the next chunk. `None` for a filter that cannot be read.
    pub(crate) fn push(&mut self, record: ChunkRecord, filter: Option<&[u8]>, chunks: &Arc<Chunks>) {
        self.filters.push(filter, (record.end.get() - record.first.get()) as u32);
        self.keepers.push(Keeper::new(chunks, &record));
        self.chunks.push(record);
    }

    /// Puts a chunk's next generation in its place, and lets the old one go.
    pub(crate) fn replace(&mut self, record: ChunkRecord, chunks: &Arc<Chunks>) {
        let index = self.chunk_index(record.first).expect("a chunk is never given up, only written anew");
        self.keepers[index].supersede();
        self.keepers[index] = Keeper::new(chunks, &record);
        self.chunks[index] = record;
    }

    pub(crate) fn chunk_index(&self, position: Position) -> Option<usize> {
        let index = self.chunks.partition_point(|chunk| chunk.end <= position);
        (index < self.chunks.len()).then_some(index)
    }
}

/// An immutable view of the log: it never changes, and never shows what is not durable.
///
/// Cheap to clone. A view keeps what it shows readable, so it should not be kept for long.
#[derive(Clone)]
pub struct View {
    pub(crate) state: Arc<State>,
    pub(crate) shared: Arc<Shared>,
}

impl View {
    /// Which log this is.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.shared.identity()
    }

    /// Where the log stands.
    #[must_use]
    pub fn log(&self) -> LogHead {
        self.state.log
    }

    /// How large the log is, and how much of it lies where.
    #[must_use]
    pub fn sizes(&self) -> Sizes {
        let sealed = &self.state.sealed;
        Sizes {
            events: self.state.log.next.get(),
            tail_events: self.state.log.next.get() - sealed.end().get(),
            chunks: sealed.chunks.len() as u64,
            chunk_bytes: sealed.chunks.iter().map(|chunk| chunk.file_bytes).sum(),
        }
    }

    /// Chunks that are complete and not yet in their files.
    #[must_use]
    pub fn chunks_due(&self) -> usize {
        // The newest segment still grows.
        self.state.tail.len().saturating_sub(1)
    }

    /// Where a source stands. In `$all` numbers are positions. A stream that was never written has the default
    /// head.
    ///
    /// # Errors
    /// When the store's index cannot be read.
    pub fn head(&self, source: &Source) -> Result<StreamHead, ReadError> {
        match source {
            Source::Derived(kind, name) => self.derived_head(*kind, name),
            Source::All => Ok(StreamHead { next: self.state.log.next.into(), ..StreamHead::default() }),
            Source::Stream(stream) => {
                let in_tail = self.state.tail.iter().rev().find_map(|segment| segment.head(stream, self.state.log));
                let mut head = match in_tail {
                    Some(head) => head,
                    None => self.sealed_head(stream)?,
                };
                self.state.retentions.decide(stream, &mut head);
                Ok(head)
            }
        }
    }

    /// Events `first` to `last` (both included, as far as they exist), in this order, up to and including the
    /// one that brings their content over `bytes_max`; so at least one if there is any.
    ///
    /// Events of the tail come from memory. For what is in chunks files are read, on a thread for blocking work.
    ///
    /// # Errors
    /// When a part of a chunk is damaged or cannot be read.
    pub async fn read(
        &self,
        source: &Source,
        first: Number,
        last: Number,
        order: Order,
        bytes_max: usize,
    ) -> Result<Vec<Event>, ReadError> {
        let needs_files = match source {
            Source::Derived(kind, name) => {
                self.shared.kinds.contains(*kind) && first < self.derived_sealed_next(*kind, name)?
            }
            Source::All => Position::from(first) < self.state.sealed.end(),
            Source::Stream(stream) => {
                let tail_first = self.state.tail.iter().find_map(|segment| segment.first_number(stream));
                tail_first.is_none_or(|tail_first| first < tail_first) && !self.state.sealed.chunks.is_empty()
            }
        };
        if !needs_files {
            return self.read_blocking(source, first, last, order, bytes_max);
        }
        let (view, source) = (self.clone(), source.clone());
        tokio::task::spawn_blocking(move || view.read_blocking(&source, first, last, order, bytes_max))
            .await
            .map_err(|error| ReadError::Io(error.to_string()))?
    }

    /// As [`Self::read`], on the calling thread.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_blocking(
        &self,
        source: &Source,
        first: Number,
        last: Number,
        order: Order,
        bytes_max: usize,
    ) -> Result<Vec<Event>, ReadError> {
        /// Events are fetched in slices, so that a page of huge events is never in memory whole: first a few, then as
        /// many as hold about so much if they are like those.
        const SLICE_BYTES: usize = 1 << 20;
        const FIRST_SLICE_EVENTS: u64 = 16;
        const SLICE_EVENTS_MAX: u64 = 128;
        let mut slice_events = FIRST_SLICE_EVENTS;
        let head = self.head(source)?;
        let Some(newest) = head.last() else { return Ok(Vec::new()) };
        let last = last.min(newest);
        let mut events = Vec::new();
        let mut bytes = 0;
        let (mut low, mut high) = (first.get(), last.get());
        while low <= high {
            let slice = match order {
                Order::OldestFirst => (low, high.min(low + slice_events - 1)),
                Order::NewestFirst => (low.max((high + 1).saturating_sub(slice_events)), high),
            };
            let mut fetched = Vec::with_capacity((slice.1 - slice.0 + 1) as usize);
            self.fetch(source, number(slice.0), number(slice.1), &mut fetched)?;
            if fetched.len() as u64 != slice.1 - slice.0 + 1 {
                return Err(ReadError::Damaged(format!(
                    "{source}: an event from {} to {} is missing",
                    slice.0, slice.1
                )));
            }
            self.leave_out_removed(&mut fetched)?;
            let fetched_bytes: usize =
                fetched.iter().filter_map(|event| event.content.as_ref()).map(Content::len).sum();
            let about = fetched_bytes / fetched.len() + 1;
            slice_events = ((SLICE_BYTES / about) as u64).clamp(1, SLICE_EVENTS_MAX);
            if order == Order::NewestFirst {
                fetched.reverse();
            }
            for event in fetched {
                bytes += event.content.as_ref().map_or(0, Content::len);
                events.push(event);
                if bytes > bytes_max {
                    return Ok(events);
                }
            }
            match order {
                Order::OldestFirst => low = slice.1 + 1,
                Order::NewestFirst if slice.0 == 0 => break,
                Order::NewestFirst => high = slice.0 - 1,
            }
        }
        Ok(events)
    }

    /// Whether there may be link events anywhere in the log.
    #[must_use]
    pub fn has_links(&self) -> bool {
        self.state.has_links
    }

    /// Passes the events from `first` to `last`, oldest first, each with its place; in slices, so that they are never
    /// in memory all at once.
    ///
    /// # Errors
    /// As [`Self::read`], and what `each` returns.
    pub async fn scan(
        &self,
        source: &Source,
        first: Number,
        last: Number,
        mut each: impl FnMut(Number, &Event) -> Result<(), ReadError>,
    ) -> Result<(), ReadError> {
        const SLICE_BYTES: usize = 1 << 20;
        let mut place = first.get();
        while place <= last.get() {
            let events = self.read(source, number(place), last, Order::OldestFirst, SLICE_BYTES).await?;
            if events.is_empty() {
                break;
            }
            for event in &events {
                each(number(place), event)?;
                place += 1;
            }
        }
        Ok(())
    }

    /// Appends events `first` to `last`, oldest first; the caller keeps to the head.
    fn fetch(&self, source: &Source, first: Number, last: Number, out: &mut Vec<Event>) -> Result<(), ReadError> {
        match source {
            Source::Derived(kind, name) => self.fetch_derived(*kind, name, first, last, out),
            Source::All => self.fetch_log(first.into(), last.into(), out),
            Source::Stream(stream) => self.fetch_stream(stream, first, last, out),
        }
    }

    fn fetch_log(&self, first: Position, last: Position, out: &mut Vec<Event>) -> Result<(), ReadError> {
        let sealed = &self.state.sealed;
        let mut from = first;
        while let Some(index) = sealed.chunk_index(from).filter(|_| from <= last) {
            let chunk = &sealed.chunks[index];
            let to = last.min(chunk.end.before().unwrap_or_default());
            self.shared.chunks.log_events(chunk, from, to, out)?;
            from = to.plus(1);
        }
        for segment in self.state.tail.iter() {
            segment.log_events(first.max(segment.first()), last, out);
        }
        Ok(())
    }

    fn fetch_stream(
        &self,
        stream: &StreamName,
        first: Number,
        last: Number,
        out: &mut Vec<Event>,
    ) -> Result<(), ReadError> {
        let tail_first = self.state.tail.iter().find_map(|segment| segment.first_number(stream));
        if tail_first.is_none_or(|tail_first| first < tail_first) {
            self.fetch_sealed(stream, first, last, out)?;
        }
        for segment in self.state.tail.iter() {
            segment.stream_events(stream, first, last, self.state.log, out);
        }
        Ok(())
    }
}

fn number(value: u64) -> Number {
    Number::new(value).expect("it lies between two numbers")
}
