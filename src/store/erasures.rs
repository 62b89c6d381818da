//! Which events were erased: all in memory, since every read asks for it. There are few, or there should be.

use crate::event::{Erasure, Event, Number, StreamName};

/// As of one view. Cheap to clone: views share what did not change.
#[derive(Clone, Default)]
pub(crate) struct Erasures {
    streams: imbl::HashMap<StreamName, imbl::OrdSet<Number>>,
    count: u64,
}

impl Erasures {
    pub(crate) fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn contains(&self, stream: &StreamName, number: Number) -> bool {
        self.streams.get(stream).is_some_and(|numbers| numbers.contains(&number))
    }

    /// Those of a stream between these numbers, both included, lowest first.
    pub(crate) fn between(&self, stream: &StreamName, first: Number, last: Number) -> impl Iterator<Item = Number> {
        let numbers = self.streams.get(stream).filter(|_| first <= last);
        numbers.into_iter().flat_map(move |numbers| numbers.range(first..=last).copied())
    }

    /// What was erased already counts once.
    pub(crate) fn insert(&mut self, Erasure { stream, number }: Erasure) {
        if self.streams.entry(stream).or_default().insert(number).is_none() {
            self.count += 1;
        }
    }

    /// Every stream of which something was erased, with its numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&StreamName, &imbl::OrdSet<Number>)> {
        self.streams.iter()
    }
}

/// What these events say was erased.
pub(crate) fn said_by(events: &[Event]) -> Vec<Erasure> {
    events.iter().filter_map(Erasure::of).collect()
}
