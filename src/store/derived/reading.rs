//! What views show of derived streams: the sealed part by the index, the tail from memory.

use std::cmp::Ordering;

use crate::event::{Derived, Event, LogHead, Number, Order, Position, Source, StreamHead, StreamName};

use super::super::format::{DerivedRecord, Key, Malformed, derived_prefix};
use super::super::runs::{SealedRun, runs_from};
use super::super::{ReadError, View};
use super::key_in;

impl View {
    /// Where a derived stream stands. One of a kind that is not kept is as one without events.
    pub(crate) fn derived_head(&self, kind: Derived, name: &StreamName) -> Result<StreamHead, ReadError> {
        if !self.shared.kinds.contains(kind) {
            return Ok(StreamHead::default());
        }
        let sealed = self.derived_sealed_next(kind, name)?;
        Ok(StreamHead { next: self.plus_tail(kind, name, sealed, self.state.log), ..StreamHead::default() })
    }

    /// The number with which a derived stream goes on behind the chunks.
    pub(crate) fn derived_sealed_next(&self, kind: Derived, name: &StreamName) -> Result<Number, ReadError> {
        let (done, of) = (self.state.sealed.indexed.until(kind), self.state.sealed.end());
        if done < of {
            return Err(ReadError::Indexing { stream: name.clone(), done, of });
        }
        self.derived_indexed_next(kind, name, of)
    }

    /// The number with which a derived stream goes on at a segment of the tail.
    pub(super) fn derived_next_before(
        &self,
        kind: Derived,
        name: &StreamName,
        first: Position,
    ) -> Result<Number, ReadError> {
        let sealed = self.derived_sealed_next(kind, name)?;
        Ok(self.plus_tail(kind, name, sealed, LogHead { next: first, ..self.state.log }))
    }

    /// The place in a derived stream of the event at this position; none if the stream is not kept, or has no such event.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn place_in(&self, name: &StreamName, position: Position) -> Result<Option<Number>, ReadError> {
        let (view, source) = (self.clone(), Source::named(name.clone()));
        let search = move || {
            let (mut low, mut high) = (0, view.head(&source)?.next.get());
            while low < high {
                let middle = Number::new(low + (high - low) / 2).expect("between two numbers");
                let event = view.read_blocking(&source, middle, middle, Order::OldestFirst, 1)?.pop();
                let event = event.ok_or_else(|| ReadError::Damaged(format!("{source}: event {middle} is missing")))?;
                match event.position.cmp(&position) {
                    Ordering::Less => low = middle.get() + 1,
                    Ordering::Equal => return Ok(Some(middle)),
                    Ordering::Greater => high = middle.get(),
                }
            }
            Ok(None)
        };
        tokio::task::spawn_blocking(search).await.map_err(|error| ReadError::Io(error.to_string()))?
    }

    fn plus_tail(&self, kind: Derived, name: &StreamName, sealed: Number, log: LogHead) -> Number {
        let key = key_in(kind, name);
        let in_tail: usize = self.state.tail.iter().map(|segment| segment.derived_events(kind, key, log)).sum();
        sealed.plus(in_tail as u64)
    }

    /// The number with which a derived stream goes on at this chunk; those before it are indexed.
    pub(super) fn derived_indexed_next(
        &self,
        kind: Derived,
        name: &StreamName,
        chunk: Position,
    ) -> Result<Number, ReadError> {
        let newest = self.derived_run_down_from(kind, name, Number::MAX, chunk)?;
        Ok(newest.map_or(Number::ZERO, |(first, run)| first.plus(u64::from(run.events))))
    }

    /// The stream's newest run that begins at or below `number` in a chunk before `until`. Others are passed over:
    /// they are written just before their chunk is named.
    fn derived_run_down_from(
        &self,
        kind: Derived,
        name: &StreamName,
        number: Number,
        until: Position,
    ) -> Result<Option<(Number, DerivedRecord)>, ReadError> {
        let until = until.min(self.state.sealed.indexed.until(kind));
        if until == Position::ZERO {
            return Ok(None);
        }
        let mut found = Ok(None);
        let to = Key::Derived { stream: name.clone(), first: number }.encode();
        self.shared.door.scan_down(&derived_prefix(name), &to, |key, value| match decode_run(key, value) {
            Ok((_, run)) if until <= run.chunk => true,
            other => {
                found = other.map(Some);
                false
            }
        })?;
        found
    }

    /// The newest runs of a derived stream in chunks, at most so many, newest first.
    pub(in crate::store) fn newest_derived_runs(
        &self,
        kind: Derived,
        name: &StreamName,
        count_max: usize,
    ) -> Result<Vec<SealedRun>, ReadError> {
        if !self.shared.kinds.contains(kind) {
            return Ok(Vec::new());
        }
        let to = Key::Derived { stream: name.clone(), first: Number::MAX }.encode();
        let runs = self.runs_down(&derived_prefix(name), &to, decode_run, |run| run.chunk, count_max)?;
        let run = |(first, run, chunk): (Number, DerivedRecord, usize)| SealedRun {
            first: first.get(),
            events: run.events.into(),
            chunk,
            ordinal: None,
        };
        Ok(runs.into_iter().map(run).collect())
    }

    /// Appends events `first` to `last` of a derived stream, oldest first; the caller keeps to the head.
    pub(crate) fn fetch_derived(
        &self,
        kind: Derived,
        name: &StreamName,
        first: Number,
        last: Number,
        out: &mut Vec<Event>,
    ) -> Result<(), ReadError> {
        let key = key_in(kind, name);
        let sealed_next = self.derived_sealed_next(kind, name)?;
        if first < sealed_next {
            self.fetch_derived_sealed(kind, name, first, last, out)?;
        }
        let mut next = sealed_next.get();
        for segment in self.state.tail.iter() {
            let wanted = first.get().saturating_sub(next)..(last.get() + 1).saturating_sub(next);
            next += segment.read_derived(kind, key, wanted, self.state.log, out) as u64;
        }
        Ok(())
    }

    fn fetch_derived_sealed(
        &self,
        kind: Derived,
        name: &StreamName,
        first: Number,
        last: Number,
        out: &mut Vec<Event>,
    ) -> Result<(), ReadError> {
        let sealed = &self.state.sealed;
        let start = self.derived_run_down_from(kind, name, first, sealed.end())?;
        let Some((start, _)) = start else { return Ok(()) };
        let from = Key::Derived { stream: name.clone(), first: start }.encode();
        let is_wanted = |number, run: &DerivedRecord| number <= last && run.chunk < sealed.end();
        let runs = runs_from(&self.shared.door, &derived_prefix(name), &from, decode_run, is_wanted)?;
        let key = key_in(kind, name);
        for (run_first, run) in runs {
            let skipped = first.get().saturating_sub(run_first.get()).min(u64::from(run.events)) as usize;
            let wanted = (last.get() + 1).saturating_sub(run_first.get()).min(u64::from(run.events)) as usize;
            let chunk = sealed.chunk_index(run.chunk).map(|index| &sealed.chunks[index]);
            let chunk = chunk.ok_or_else(|| ReadError::Damaged(format!("{name}: its run names no chunk")))?;
            let take = |offsets: &[u16]| offsets[skipped..wanted].to_vec();
            let offsets = self.shared.indexes.offsets(kind, key, run_first, &run, take)?;
            let before = out.len();
            self.shared.chunks.events_at(chunk, offsets.into_iter().map(u32::from), out)?;
            let is_in_it = |event: &Event| kind.key_of(event).is_some_and(|of_event| of_event == key);
            if !out[before..].iter().all(is_in_it) {
                return Err(ReadError::Damaged(format!("{name}: another event lies in its run")));
            }
        }
        Ok(())
    }
}

fn decode_run(key: &[u8], value: &[u8]) -> Result<(Number, DerivedRecord), ReadError> {
    let damaged = |error: Malformed| ReadError::Damaged(format!("the index of derived streams: {error}"));
    match Key::decode(key).map_err(damaged)? {
        Key::Derived { first, .. } => Ok((first, DerivedRecord::decode(value).map_err(damaged)?)),
        Key::Meta
        | Key::Group { .. }
        | Key::Chunk { .. }
        | Key::Run { .. }
        | Key::Links
        | Key::Erased { .. }
        | Key::Retention { .. }
        | Key::Index { .. } => Err(damaged(Malformed("key"))),
    }
}
