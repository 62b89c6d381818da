//! A log, event by event: whether each continues it, and what settings and deletions leave of its streams.

use std::collections::HashMap;

use crate::event::{Effect, Event, LogHead, Number, StreamName};

use super::super::retentions::Retentions;

/// The log as far as it was taken in.
#[derive(Default)]
pub(super) struct History {
    pub(super) head: LogHead,
    pub(super) retentions: Retentions,
    /// The number that each stream goes on with.
    next: HashMap<StreamName, Number>,
}

impl History {
    /// Takes in the next event. The stream of which it changes what is left, if it does.
    ///
    /// # Errors
    /// When it is not the next one, in a sentence.
    pub(super) fn take(&mut self, event: &Event) -> Result<Option<StreamName>, String> {
        let (position, number) = (event.position, event.number);
        if position != self.head.next {
            return Err(format!("position {} comes next, and position {position} is there", self.head.next));
        }
        if event.time < self.head.time {
            return Err(format!("time goes back at position {position}"));
        }
        let expected = match self.next.get_mut(&event.stream) {
            Some(next) => std::mem::replace(next, number.plus(1)),
            None => self.next.insert(event.stream.clone(), number.plus(1)).unwrap_or_default(),
        };
        if number != expected {
            return Err(format!(
                "at position {position}: number {expected} comes next in {}, and {number} is there",
                event.stream
            ));
        }
        self.head = LogHead { next: position.plus(1), time: event.time };
        let Some((stream, effect)) = Effect::of(event) else { return Ok(None) };
        let next = self.next.get(&stream).copied().unwrap_or_default();
        self.retentions.take(stream.clone(), effect, next, position, event.time);
        Ok(Some(stream))
    }
}
