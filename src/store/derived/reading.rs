//! What views show of derived streams: the sealed part by the index, the tail from memory.

use crate::event::{Derived, Event, Number, StreamHead, StreamName};

use super::super::{ReadError, View};
use super::key_in;

impl View {
    /// Where a derived stream stands. One of a kind that is not kept is as one without events.
    pub(crate) fn derived_head(&self, kind: Derived, name: &StreamName) -> Result<StreamHead, ReadError> {
        if !self.shared.kinds.contains(kind) {
            return Ok(StreamHead::default());
        }
        let key = key_in(kind, name);
        let log = self.state.log;
        let in_tail: usize = self.state.tail.iter().map(|segment| segment.derived_events(kind, key, log)).sum();
        let next = self.derived_sealed_next(kind, name)?.plus(in_tail as u64);
        Ok(StreamHead { next, ..StreamHead::default() })
    }

    /// The number with which a derived stream goes on behind the chunks.
    pub(crate) fn derived_sealed_next(&self, kind: Derived, name: &StreamName) -> Result<Number, ReadError> {
        let (done, of) = (self.state.sealed.indexed.until(kind), self.state.sealed.end());
        if done < of {
            return Err(ReadError::Indexing { stream: name.clone(), done, of });
        }
        Ok(Number::ZERO)
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
        let mut next = self.derived_sealed_next(kind, name)?.get();
        for segment in self.state.tail.iter() {
            let wanted = first.get().saturating_sub(next)..(last.get() + 1).saturating_sub(next);
            next += segment.read_derived(kind, key, wanted, self.state.log, out) as u64;
        }
        Ok(())
    }
}
