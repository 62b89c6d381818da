//! What readers see: an immutable view of the log up to its newest durable event.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::event::{
    Content, Event, EventType, Known, LogHead, Number, Order, Position, Retention, Source, Status, StreamHead,
    StreamName,
};

use super::chunks::Chunks;
use super::derived::Indexed;
use super::door::Door;
use super::format::{ChunkRecord, Key, RunRecord, run_prefix};
use super::ids::{Filters, Fingerprint};
use super::keeper::Keeper;
use super::retentions::Retentions;
use super::segment::Segment;
use super::{ReadError, Shared};

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

/// How an event was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// Truncated, or gone with an earlier life of its stream.
    Alone,
    /// Its stream is deleted.
    WithItsStream,
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

    /// The head of a stream as the chunks have it.
    pub(crate) fn sealed_head(&self, stream: &StreamName) -> Result<StreamHead, ReadError> {
        let newest = self.runs_down_from(stream, Number::MAX)?;
        Ok(newest.map_or_else(StreamHead::default, |(first, run)| StreamHead {
            next: first.plus(u64::from(run.events)),
            life: run.life,
            life_start: run.life_start,
            status: crate::event::Status::Live,
            first_visible: Number::ZERO,
        }))
    }

    /// The stream's newest run that begins at or below `number`. Runs of a chunk that is not named yet are
    /// passed over: they are written just before it is.
    fn runs_down_from(&self, stream: &StreamName, number: Number) -> Result<Option<(Number, RunRecord)>, ReadError> {
        if self.state.sealed.chunks.is_empty() {
            return Ok(None);
        }
        let mut found = Ok(None);
        let to = Key::Run { stream: stream.clone(), first: number }.encode();
        self.shared.door.scan_down(&run_prefix(stream), &to, |key, value| match decode_run(key, value) {
            Ok((_, run)) if run.chunk >= self.state.sealed.end() => true,
            other => {
                found = other.map(Some);
                false
            }
        })?;
        found
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

    /// What settings and deletions leave of a stream; none for a stream that never had any.
    #[must_use]
    pub fn retention(&self, stream: &StreamName) -> Option<Retention> {
        self.state.retentions.get(stream).copied()
    }

    /// Every stream that ever had settings or was deleted, with what is left of it.
    pub fn retentions(&self) -> impl Iterator<Item = (&StreamName, &Retention)> {
        self.state.retentions.iter()
    }

    /// Whether an event that has no content was removed, and how; none if it was lost otherwise.
    ///
    /// # Errors
    /// When the store's index cannot be read.
    pub fn removal(&self, event: &Event) -> Result<Option<Removal>, ReadError> {
        if event.content.is_some() || self.state.retentions.get(&event.stream).is_none() {
            return Ok(None);
        }
        let head = self.head(&Source::Stream(event.stream.clone()))?;
        Ok(match head.status {
            Status::SoftDeleted | Status::HardDeleted => Some(Removal::WithItsStream),
            Status::Live => (event.number < head.first_visible).then_some(Removal::Alone),
        })
    }

    /// The places from `first` to `last` in a source of many streams whose events have no content, and how they were
    /// removed.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn removed(
        &self,
        source: &Source,
        first: Number,
        last: Number,
    ) -> Result<Vec<(Number, Option<Removal>)>, ReadError> {
        let mut gone = Vec::new();
        if self.state.retentions.may_hide() {
            self.scan(source, first, last, |place, event| {
                if event.content.is_none() {
                    gone.push((place, self.removal(event)?));
                }
                Ok(())
            })
            .await?;
        }
        Ok(gone)
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

    /// Takes away what is truncated or deleted, whether its space was given back already or not: what a view
    /// shows follows from the log alone.
    fn leave_out_removed(&self, events: &mut [Event]) -> Result<(), ReadError> {
        if !self.state.retentions.may_hide() {
            return Ok(());
        }
        let mut known: Option<(StreamName, Number)> = None;
        for event in events {
            if self.state.retentions.get(&event.stream).is_none() {
                continue;
            }
            let first_visible = match &known {
                Some((stream, first_visible)) if *stream == event.stream => *first_visible,
                _ => self.head(&Source::Stream(event.stream.clone()))?.first_visible,
            };
            if event.number < first_visible && event.content.is_some() {
                event.remove_content();
            }
            known = Some((event.stream.clone(), first_visible));
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

    fn fetch_sealed(
        &self,
        stream: &StreamName,
        first: Number,
        last: Number,
        out: &mut Vec<Event>,
    ) -> Result<(), ReadError> {
        for (run_first, run) in self.sealed_runs(stream, first, last)? {
            let skipped = first.get().saturating_sub(run_first.get()).min(u64::from(run.events));
            let wanted = (last.get() + 1).saturating_sub(run_first.get()).min(u64::from(run.events));
            let (start, end) = (run.ordinal + skipped as u32, run.ordinal + wanted as u32);
            let before = out.len();
            self.shared.chunks.events(self.chunk_of(stream, &run)?, start..end, out)?;
            let as_asked = out[before..]
                .iter()
                .zip(run_first.get() + skipped..)
                .all(|(event, number)| event.stream == *stream && event.number.get() == number);
            if !as_asked {
                return Err(ReadError::Damaged(format!("{stream}: another event lies in its run")));
            }
        }
        Ok(())
    }

    /// The chunk that a run lies in.
    fn chunk_of(&self, stream: &StreamName, run: &RunRecord) -> Result<&ChunkRecord, ReadError> {
        let sealed = &self.state.sealed;
        let chunk = sealed.chunk_index(run.chunk).map(|index| &sealed.chunks[index]);
        chunk.ok_or_else(|| ReadError::Damaged(format!("{stream}: its run names no chunk")))
    }

    /// The types of the stream's events, each once, sorted. Truncated events count as long as they share a chunk with
    /// others.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn types(&self, stream: &StreamName) -> Result<Vec<EventType>, ReadError> {
        let (view, stream) = (self.clone(), stream.clone());
        let gather = move || {
            let mut types = BTreeSet::new();
            let head = view.head(&Source::Stream(stream.clone()))?;
            for (_, run) in view.sealed_runs(&stream, head.visible().from, Number::MAX)? {
                types.extend(view.shared.chunks.types(view.chunk_of(&stream, &run)?, run.ordinal)?);
            }
            for segment in view.state.tail.iter() {
                segment.types(&stream, view.state.log, &mut types);
            }
            Ok(types.into_iter().collect())
        };
        tokio::task::spawn_blocking(gather).await.map_err(|error| ReadError::Io(error.to_string()))?
    }

    /// The stream's runs in chunks that hold numbers from `first` to `last`, each with its first number.
    fn sealed_runs(
        &self,
        stream: &StreamName,
        first: Number,
        last: Number,
    ) -> Result<Vec<(Number, RunRecord)>, ReadError> {
        let Some((start, _)) = self.runs_down_from(stream, first)? else { return Ok(Vec::new()) };
        let sealed = &self.state.sealed;
        let from = Key::Run { stream: stream.clone(), first: start }.encode();
        let is_wanted = |number, run: &RunRecord| number <= last && run.chunk < sealed.end();
        runs_from(&self.shared.door, &run_prefix(stream), &from, decode_run, is_wanted)
    }

    /// What the chunks from position `from` on know of an id: its newest use in the stream.
    pub(crate) fn sealed_known(
        &self,
        fingerprint: Fingerprint,
        stream: &StreamName,
        id: crate::event::EventId,
        from: Position,
    ) -> Result<Option<Known>, ReadError> {
        let sealed = &self.state.sealed;
        if sealed.end() <= from {
            return Ok(None);
        }
        let candidates = sealed.filters.candidates(fingerprint).into_iter().map(|index| &sealed.chunks[index]);
        for chunk in candidates.filter(|chunk| from <= chunk.first) {
            let known = self.shared.chunks.known(chunk, fingerprint, stream, id)?;
            if known.is_some() {
                return Ok(known);
            }
        }
        Ok(None)
    }
}

/// The runs under a prefix, each with its first number, from this key on as long as they are wanted.
pub(crate) fn runs_from<R>(
    door: &Door,
    prefix: &[u8],
    from: &[u8],
    decode: impl Fn(&[u8], &[u8]) -> Result<(Number, R), ReadError>,
    is_wanted: impl Fn(Number, &R) -> bool,
) -> Result<Vec<(Number, R)>, ReadError> {
    let mut runs = Vec::new();
    let mut failed = None;
    door.scan(prefix, from, |key, value| match decode(key, value) {
        Ok((number, run)) if is_wanted(number, &run) => {
            runs.push((number, run));
            true
        }
        Ok(_) => false,
        Err(error) => {
            failed = Some(error);
            false
        }
    })?;
    failed.map_or(Ok(runs), Err)
}

fn number(value: u64) -> Number {
    Number::new(value).expect("it lies between two numbers")
}

pub(crate) fn decode_run(key: &[u8], value: &[u8]) -> Result<(Number, RunRecord), ReadError> {
    let damaged = |error: super::format::Malformed| ReadError::Damaged(format!("the index of streams: {error}"));
    match Key::decode(key).map_err(damaged)? {
        Key::Run { first, .. } => Ok((first, RunRecord::decode(value).map_err(damaged)?)),
        Key::Meta
        | Key::Group { .. }
        | Key::Chunk { .. }
        | Key::Retention { .. }
        | Key::Links
        | Key::Derived { .. }
        | Key::Index { .. } => Err(ReadError::Damaged("the index of streams".into())),
    }
}
