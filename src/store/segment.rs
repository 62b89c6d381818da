//! A segment of the tail: the events that will be one chunk, in memory, with their index.
//!
//! It only grows, and is cut where its chunk will be cut. Readers bound what they see by the head of their
//! view; a view that is older than the chunk still holds the segment.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use crate::event::{
    Derived, Event, EventType, Known, Life, LogHead, Number, Position, Source, StreamHead, StreamName, Timestamp,
};

use super::derived::{Kinds, Places, key_in};
use super::failpoint;
use super::format::{CHUNK_BYTES_MAX, row};
use super::ids::Fingerprint;
use super::names::SealedStream;

/// What an event takes in memory besides its own bytes, about.
const EVENT_OVERHEAD_BYTES: u64 = 320;

pub(crate) struct Segment {
    first: Position,
    contents: RwLock<Contents>,
}

struct Contents {
    events: Vec<Event>,
    fingerprints: Vec<Fingerprint>,
    runs: HashMap<StreamName, Run>,
    /// The newest use of each id, as an offset.
    ids: HashMap<Fingerprint, u32>,
    /// The first events of streams, as offsets.
    begun: Vec<u16>,
    derived: Places,
}

/// The events of one stream in this segment; their numbers follow each other.
struct Run {
    first: Number,
    offsets: Vec<u32>,
    /// The lives that the run belongs to, each with its first number.
    lives: Vec<(Number, Life)>,
}

/// Where chunks are cut: a function of the events alone as they came, never of time or of grouping.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Cut {
    events: u32,
    bytes: u64,
}

impl Cut {
    /// Whether an event of this weight still belongs to the chunk. The first always does.
    pub(crate) fn takes(&self, weight: u64) -> bool {
        self.events == 0 || (self.events < failpoint::chunk_events_max() && self.bytes + weight <= CHUNK_BYTES_MAX)
    }

    pub(crate) fn add(&mut self, weight: u64) {
        self.events += 1;
        self.bytes += weight;
    }

    /// About what the events take in memory.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.bytes + u64::from(self.events) * EVENT_OVERHEAD_BYTES
    }
}

/// An event on its way into the tail.
#[derive(Debug, Clone)]
pub(crate) struct Placed {
    pub(crate) event: Event,
    pub(crate) fingerprint: Fingerprint,
    /// The first number of the life that it belongs to.
    pub(crate) life_start: Number,
}

impl Segment {
    /// `kinds`: of which derived streams it keeps the places.
    pub(crate) fn new(first: Position, kinds: Kinds) -> Self {
        let contents = Contents {
            events: Vec::new(),
            fingerprints: Vec::new(),
            runs: HashMap::new(),
            ids: HashMap::new(),
            begun: Vec::new(),
            derived: Places::new(kinds),
        };
        Self { first, contents: RwLock::new(contents) }
    }

    fn read(&self) -> RwLockReadGuard<'_, Contents> {
        // Pushing cannot panic half way: what it needs is allocated by then or the process is gone.
        self.contents.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn first(&self) -> Position {
        self.first
    }

    /// The position after its last event.
    pub(crate) fn end(&self) -> Position {
        self.first.plus(self.read().events.len() as u64)
    }

    /// Adds the next events. They are seen by views whose head is beyond them.
    pub(crate) fn push(&self, placed: impl IntoIterator<Item = Placed>) {
        let mut contents = self.contents.write().unwrap_or_else(PoisonError::into_inner);
        let contents = &mut *contents;
        for Placed { event, fingerprint, life_start } in placed {
            let offset = contents.events.len() as u32;
            debug_assert_eq!(event.position, self.first.plus(u64::from(offset)));
            let run = contents.runs.entry(event.stream.clone()).or_insert_with(|| Run {
                first: event.number,
                offsets: Vec::new(),
                lives: Vec::new(),
            });
            run.offsets.push(offset);
            if run.lives.last().is_none_or(|(_, life)| *life != event.life) {
                run.lives.push((life_start, event.life));
            }
            if event.number == Number::ZERO {
                contents.begun.push(offset as u16);
            }
            contents.derived.push(&event, offset as u16);
            contents.ids.insert(fingerprint, offset);
            contents.fingerprints.push(fingerprint);
            contents.events.push(event);
        }
    }

    /// The head of a stream that has events here, below `log.next`.
    pub(crate) fn head(&self, stream: &StreamName, log: LogHead) -> Option<StreamHead> {
        let contents = self.read();
        let run = contents.runs.get(stream)?;
        let visible = run.visible(self.first, log);
        let last = run.first.plus(visible.checked_sub(1)? as u64);
        let (life_start, life) = *run.lives.iter().rev().find(|(start, _)| *start <= last)?;
        Some(StreamHead {
            next: last.plus(1),
            life,
            life_start,
            status: crate::event::Status::Live,
            first_visible: Number::ZERO,
        })
    }

    /// The first number that the stream has here.
    pub(crate) fn first_number(&self, stream: &StreamName) -> Option<Number> {
        self.read().runs.get(stream).map(|run| run.first)
    }

    /// Passes the stream's events from `first` to `last` that are below `log.next`, oldest first.
    pub(crate) fn stream_events(
        &self,
        stream: &StreamName,
        first: Number,
        last: Number,
        log: LogHead,
        out: &mut Vec<Event>,
    ) {
        let contents = self.read();
        let Some(run) = contents.runs.get(stream) else { return };
        let start = first.get().saturating_sub(run.first.get()) as usize;
        let Some(end) = (last.get() + 1).checked_sub(run.first.get()) else { return };
        let end = run.visible(self.first, log).min(end as usize);
        if let Some(offsets) = run.offsets.get(start..end) {
            out.extend(offsets.iter().map(|offset| contents.events[*offset as usize].clone()));
        }
    }

    /// Adds the types of the stream's events below `log.next`.
    pub(crate) fn types(&self, stream: &StreamName, log: LogHead, types: &mut BTreeSet<EventType>) {
        let contents = self.read();
        let Some(run) = contents.runs.get(stream) else { return };
        for offset in &run.offsets[..run.visible(self.first, log)] {
            let event_type = &contents.events[*offset as usize].event_type;
            if !types.contains(event_type) {
                types.insert(event_type.clone());
            }
        }
    }

    /// Passes the events from position `first` to `last` that are here, oldest first. The caller keeps to its head.
    pub(crate) fn log_events(&self, first: Position, last: Position, out: &mut Vec<Event>) {
        let contents = self.read();
        let start = first.get().saturating_sub(self.first.get()) as usize;
        let Some(end) = (last.get() + 1).checked_sub(self.first.get()) else { return };
        if let Some(events) = contents.events.get(start..(end as usize).min(contents.events.len())) {
            out.extend_from_slice(events);
        }
    }

    /// Whether the stream has an event here below `log.next`.
    pub(crate) fn shows(&self, stream: &StreamName, log: LogHead) -> bool {
        self.read().runs.get(stream).is_some_and(|run| run.visible(self.first, log) > 0)
    }

    /// The streams that began here from this position on, each with the position of its first event, at most
    /// `count_max` of them; and up to which position that is all of them.
    pub(crate) fn begun(
        &self,
        from: Position,
        log: LogHead,
        count_max: usize,
    ) -> (Vec<(StreamName, Position)>, Position) {
        let contents = self.read();
        let end = self.first.plus(contents.events.len() as u64).min(log.next);
        let position = |offset: u16| self.first.plus(u64::from(offset));
        let start = contents.begun.partition_point(|offset| position(*offset) < from);
        let begun = contents.begun[start..].iter().take_while(|offset| position(**offset) < end);
        let name = |offset: &u16| (contents.events[usize::from(*offset)].stream.clone(), position(*offset));
        let begun: Vec<_> = begun.take(count_max).map(name).collect();
        let until = match begun.last() {
            Some((_, last)) if begun.len() == count_max => last.plus(1),
            _ => end,
        };
        (begun, until)
    }

    /// The streams whose newest event here lies below this position, each with that event's position, newest first, at
    /// most `count_max` of them; and down to which position that is all of them. Not all that can be told is told at
    /// once: appends wait meanwhile.
    pub(crate) fn newest_below(
        &self,
        below: Position,
        log: LogHead,
        count_max: usize,
    ) -> (Vec<(StreamName, Position)>, Position) {
        /// As many streams are gone through all together, or as many events one by one.
        const AT_ONCE: usize = 1_024;
        let contents = self.read();
        let end = contents.events.len().min(below.min(log.next).get().saturating_sub(self.first.get()) as usize);
        let position = |offset: u32| self.first.plus(u64::from(offset));
        let newest = |run: &Run| run.visible(self.first, log).checked_sub(1).map(|last| run.offsets[last]);
        let (mut found, mut until) = (Vec::new(), self.first);
        if contents.runs.len() <= AT_ONCE {
            for (stream, run) in &contents.runs {
                found.extend(newest(run).filter(|newest| (*newest as usize) < end).map(|newest| (stream, newest)));
            }
            found.sort_unstable_by_key(|(_, newest)| std::cmp::Reverse(*newest));
            if found.len() > count_max {
                found.truncate(count_max);
                until = found.last().map_or(until, |(_, last)| position(*last));
            }
        } else {
            let start = end.saturating_sub(AT_ONCE);
            until = position(start as u32);
            for offset in (start..end).rev() {
                let stream = &contents.events[offset].stream;
                if contents.runs.get(stream).and_then(newest) == Some(offset as u32) {
                    found.push((stream, offset as u32));
                    if found.len() == count_max {
                        until = position(offset as u32);
                        break;
                    }
                }
            }
        }
        (found.into_iter().map(|(stream, newest)| (stream.clone(), position(newest))).collect(), until)
    }

    /// How many of a source's events here, below `log.next`, are older than each of these moments.
    pub(crate) fn older(&self, source: &Source, log: LogHead, moments: &[Timestamp]) -> Vec<u64> {
        let contents = self.read();
        let visible_events = log.next.get().saturating_sub(self.first.get()).min(contents.events.len() as u64);
        let time = |offset: usize| contents.events[offset].time;
        let older = |moment: Timestamp| match source {
            Source::All => contents.events[..visible_events as usize].partition_point(|event| event.time < moment),
            Source::Stream(stream) => contents.runs.get(stream).map_or(0, |run| {
                let offsets = &run.offsets[..run.visible(self.first, log)];
                offsets.partition_point(|offset| time(*offset as usize) < moment)
            }),
            Source::Derived(kind, name) => {
                let offsets = contents.derived.of(*kind, key_in(*kind, name));
                let offsets = &offsets[..visible(offsets, self.first, log)];
                offsets.partition_point(|offset| time(usize::from(*offset)) < moment)
            }
        };
        moments.iter().map(|moment| older(*moment) as u64).collect()
    }

    /// What the newest of a source's events here, below `log.next`, weigh, and how many they are: at most `count_max` of
    /// them are looked at.
    pub(crate) fn weights(&self, stream: &StreamName, log: LogHead, count_max: usize) -> (u64, u64) {
        let contents = self.read();
        let Some(run) = contents.runs.get(stream) else { return (0, 0) };
        let offsets = run.offsets[..run.visible(self.first, log)].iter().rev().take(count_max);
        offsets.fold((0, 0), |(bytes, events), offset| {
            (bytes + row::weight(&contents.events[*offset as usize]), events + 1)
        })
    }

    /// Every stream that has an event here, of a segment that is complete.
    pub(crate) fn streams(&self) -> Vec<SealedStream> {
        let stream = |(name, run): (&StreamName, &Run)| SealedStream {
            name: name.clone(),
            begins_here: run.first == Number::ZERO,
            newest: self.first.plus(run.offsets.last().copied().map_or(0, u64::from)),
        };
        self.read().runs.iter().map(stream).collect()
    }

    /// How many events a derived stream has here, below `log.next`.
    pub(crate) fn derived_events(&self, kind: Derived, key: &str, log: LogHead) -> usize {
        visible(self.read().derived.of(kind, key), self.first, log)
    }

    /// Passes those of a derived stream's events here that are `wanted` and below `log.next`, oldest first, and says
    /// how many there are here.
    pub(crate) fn read_derived(
        &self,
        kind: Derived,
        key: &str,
        wanted: Range<u64>,
        log: LogHead,
        out: &mut Vec<Event>,
    ) -> usize {
        let contents = self.read();
        let offsets = contents.derived.of(kind, key);
        let offsets = &offsets[..visible(offsets, self.first, log)];
        let end = offsets.len().min(wanted.end as usize);
        if let Some(wanted) = offsets.get(wanted.start as usize..end) {
            out.extend(wanted.iter().map(|offset| contents.events[usize::from(*offset)].clone()));
        }
        offsets.len()
    }

    /// Every derived stream of a kind that has events here, with their offsets, in the order of keys.
    pub(crate) fn derived_streams(&self, kind: Derived) -> Vec<(Box<str>, Vec<u16>)> {
        self.read().derived.sorted(kind)
    }

    /// The newest use of an id.
    pub(crate) fn known(&self, fingerprint: Fingerprint) -> Option<Known> {
        let contents = self.read();
        let event = &contents.events[*contents.ids.get(&fingerprint)? as usize];
        Some(Known { number: event.number, position: event.position, life: event.life, digest: event.digest })
    }

    /// Everything, for sealing.
    pub(crate) fn contents(&self) -> (Vec<Event>, Vec<Fingerprint>) {
        let contents = self.read();
        (contents.events.clone(), contents.fingerprints.clone())
    }

    /// The first number of the life that the stream's newest event here belongs to.
    pub(crate) fn life_starts(&self) -> HashMap<StreamName, Number> {
        let start = |run: &Run| run.lives.last().map_or(run.first, |(start, _)| *start);
        self.read().runs.iter().map(|(stream, run)| (stream.clone(), start(run))).collect()
    }
}

impl Run {
    /// How many of its events lie below the head.
    fn visible(&self, first: Position, log: LogHead) -> usize {
        visible(&self.offsets, first, log)
    }
}

/// How many of these offsets lie below the head.
fn visible<T: Copy + Into<u64>>(offsets: &[T], first: Position, log: LogHead) -> usize {
    let limit = log.next.get().saturating_sub(first.get());
    match offsets.last() {
        Some(last) if (*last).into() < limit => offsets.len(),
        _ => offsets.partition_point(|offset| (*offset).into() < limit),
    }
}
