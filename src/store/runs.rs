//! The sealed part of streams: where their runs lie in the chunks, by sled's index.

use std::collections::BTreeSet;

use crate::event::{Event, EventType, Known, Number, Position, Source, StreamHead, StreamName};

use super::door::Door;
use super::format::{ChunkRecord, Key, RunRecord, run_prefix};
use super::ids::Fingerprint;
use super::{ReadError, View};

/// Some consecutive numbers of a source, all in one chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SealedRun {
    pub(super) first: u64,
    pub(super) events: u64,
    /// The index of the chunk.
    pub(super) chunk: usize,
    /// Where in the chunk a stream's run begins; it is contiguous there. None of what is scattered over the chunk.
    pub(super) ordinal: Option<u32>,
}

impl SealedRun {
    /// The number after it.
    pub(super) fn next(&self) -> u64 {
        self.first + self.events
    }
}

impl View {
    /// The newest runs of a source in chunks, at most so many, oldest first.
    pub(super) fn newest_runs(&self, source: &Source, count_max: usize) -> Result<Vec<SealedRun>, ReadError> {
        let sealed = &self.state.sealed;
        let mut runs = Vec::new();
        match source {
            Source::All => {
                let run = |(chunk, record): (usize, &ChunkRecord)| SealedRun {
                    first: record.first.get(),
                    events: record.end.get() - record.first.get(),
                    chunk,
                    ordinal: Some(0),
                };
                runs.extend(sealed.chunks.iter().enumerate().rev().take(count_max).map(run));
            }
            Source::Stream(stream) => {
                let to = Key::Run { stream: stream.clone(), first: Number::MAX }.encode();
                let decoded = self.runs_down(&run_prefix(stream), &to, decode_run, |run| run.chunk, count_max)?;
                let run = |(first, run, chunk): (Number, RunRecord, usize)| SealedRun {
                    first: first.get(),
                    events: run.events.into(),
                    chunk,
                    ordinal: Some(run.ordinal),
                };
                runs.extend(decoded.into_iter().map(run));
            }
            Source::Derived(kind, name) => runs = self.newest_derived_runs(*kind, name, count_max)?,
        }
        runs.reverse();
        Ok(runs)
    }

    /// The newest runs under a prefix, newest first, of chunks that are named, each with the index of its chunk.
    pub(super) fn runs_down<R>(
        &self,
        prefix: &[u8],
        to: &[u8],
        decode: impl Fn(&[u8], &[u8]) -> Result<(Number, R), ReadError>,
        chunk: impl Fn(&R) -> Position,
        count_max: usize,
    ) -> Result<Vec<(Number, R, usize)>, ReadError> {
        let sealed = &self.state.sealed;
        let (mut runs, mut failed) = (Vec::new(), None);
        if !sealed.chunks.is_empty() {
            self.shared.door.scan_down(prefix, to, |key, value| {
                match decode(key, value) {
                    // Of a chunk that is not named yet it is passed over.
                    Ok((first, run)) => runs.extend(sealed.chunk_index(chunk(&run)).map(|chunk| (first, run, chunk))),
                    Err(error) => failed = Some(error),
                }
                failed.is_none() && runs.len() < count_max
            })?;
        }
        failed.map_or(Ok(runs), Err)
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
    pub(super) fn runs_down_from(
        &self,
        stream: &StreamName,
        number: Number,
    ) -> Result<Option<(Number, RunRecord)>, ReadError> {
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

    pub(super) fn fetch_sealed(
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

    /// The first position of the chunk that a stream's number lies in; none if it is in the tail.
    pub(crate) fn chunk_of_number(&self, stream: &StreamName, number: Number) -> Result<Option<Position>, ReadError> {
        let run = self.runs_down_from(stream, number)?;
        let is_in = |(first, run): &(Number, RunRecord)| number < first.plus(u64::from(run.events));
        Ok(run.filter(is_in).map(|(_, run)| run.chunk))
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
        | Key::Erased { .. }
        | Key::Index { .. } => Err(ReadError::Damaged("the index of streams".into())),
    }
}
