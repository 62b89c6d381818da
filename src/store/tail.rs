//! Building the tail from events, when a store is opened or rebuilt: the same segments as when they were appended.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use crate::event::{Event, LogHead, Number, Position, Status, StreamHead, StreamName};

use super::OpenError;
use super::derived::Kinds;
use super::format::row;
use super::ids::Fingerprints;
use super::recovery::damaged;
use super::retentions::Retentions;
use super::segment::{Cut, Placed, Segment};

/// Builds the segments of a tail from its events.
pub(crate) struct Tail {
    fingerprints: Fingerprints,
    kinds: Kinds,
    pub(crate) log: LogHead,
    pub(crate) segments: Vec<Arc<Segment>>,
    pub(crate) cuts: VecDeque<Cut>,
    heads: HashMap<StreamName, StreamHead>,
    /// See [`Self::with_chunks`].
    chunks: BTreeMap<Position, Position>,
    pub(crate) retentions: Retentions,
}

impl Tail {
    /// `retentions` is what the events before the tail leave of streams, and perhaps some of the tail's own.
    pub(crate) fn new(fingerprints: Fingerprints, kinds: Kinds, log: LogHead, retentions: Retentions) -> Self {
        Self {
            fingerprints,
            kinds,
            log,
            segments: Vec::new(),
            cuts: VecDeque::new(),
            heads: HashMap::new(),
            chunks: BTreeMap::new(),
            retentions,
        }
    }

    /// With chunks (first position, and the one after the last) that are known already: there the cuts stay where they
    /// were. Events that have lost their content since no longer tell.
    pub(crate) fn with_chunks(self, chunks: BTreeMap<Position, Position>) -> Self {
        Self { chunks, ..self }
    }

    /// Whether an event of this weight belongs to the newest segment.
    fn takes(&self, position: Position, weight: u64) -> bool {
        let Some(cut) = self.cuts.back() else { return false };
        match self.chunks.range(..=position).next_back() {
            Some((first, end)) if position == *first || position == *end => false,
            Some((_, end)) if position < *end => true,
            _ => cut.takes(weight),
        }
    }

    /// The head of a stream that has events in the tail.
    pub(crate) fn head(&self, stream: &StreamName) -> Option<StreamHead> {
        self.heads.get(stream).copied()
    }

    /// Adds the next event of the log; `head` is where its stream stood before it.
    pub(crate) fn push(&mut self, event: Event, head: StreamHead) -> Result<(), OpenError> {
        if event.position != self.log.next {
            let (expected, found) = (self.log.next, event.position);
            return Err(damaged(&format!("the log jumps from position {expected} to {found}")));
        }
        if event.number != head.next || event.time < self.log.time {
            return Err(damaged(&format!("event {}@{} does not follow the one before it", event.number, event.stream)));
        }
        let life_start = if event.life == head.life { head.life_start } else { event.number };
        let after = StreamHead {
            next: event.number.plus(1),
            life: event.life,
            life_start,
            status: Status::Live,
            first_visible: Number::ZERO,
        };
        let weight = row::weight(&event);
        if !self.takes(event.position, weight) {
            self.segments.push(Arc::new(Segment::new(event.position, self.kinds)));
            self.cuts.push_back(Cut::default());
        }
        if let (Some(cut), Some(segment)) = (self.cuts.back_mut(), self.segments.last()) {
            cut.add(weight);
            self.log = LogHead { next: event.position.plus(1), time: event.time };
            self.heads.insert(event.stream.clone(), after);
            let fingerprint = self.fingerprints.of(&event.stream, event.id);
            segment.push([Placed { event, fingerprint, life_start }]);
        }
        Ok(())
    }
}
