//! What settings and deletions leave of streams, for those that ever had any: all in memory, since every read and
//! every append asks for it.

use crate::event::{Effect, Event, Number, Position, Retention, Status, StreamHead, StreamName, Timestamp};

/// As of one view. Cheap to clone: views share what did not change.
#[derive(Clone, Default)]
pub(crate) struct Retentions {
    streams: imbl::HashMap<StreamName, Retention>,
    may_hide: bool,
    /// The position after the event that changed any of them last.
    known_to: Position,
}

impl Retentions {
    pub(crate) fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    /// Whether anything of any stream may be gone.
    pub(crate) fn may_hide(&self) -> bool {
        self.may_hide
    }

    /// As long as this is the same, nothing has changed of any stream.
    pub(crate) fn known_to(&self) -> Position {
        self.known_to
    }

    pub(crate) fn get(&self, stream: &StreamName) -> Option<&Retention> {
        self.streams.get(stream)
    }

    pub(crate) fn insert(&mut self, stream: StreamName, retention: Retention) {
        self.may_hide |= retention.may_hide();
        self.known_to = self.known_to.max(retention.known_to);
        self.streams.insert(stream, retention);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&StreamName, &Retention)> {
        self.streams.iter()
    }

    /// Takes in what an event says; `next` is the first number of that stream not assigned by then.
    pub(crate) fn take(
        &mut self,
        stream: StreamName,
        effect: Effect,
        next: Number,
        position: Position,
        time: Timestamp,
    ) {
        let mut retention = self.streams.get(&stream).copied().unwrap_or_default();
        retention.take(effect, next, position, time);
        self.insert(stream, retention);
    }

    /// What of a stream's head they decide. Settings go with their stream when that is deleted for ever.
    pub(crate) fn decide(&self, stream: &StreamName, head: &mut StreamHead) {
        if self.is_empty() {
            return;
        }
        if let Some(retention) = self.get(stream) {
            retention.decide(head);
        }
        let deletes = |stream: StreamName| self.get(&stream).is_some_and(|kept| kept.status == Status::HardDeleted);
        if stream.is_system() && stream.with_settings().is_some_and(deletes) {
            head.status = Status::HardDeleted;
        }
    }
}

/// The streams of which these events change what is left.
pub(crate) fn changed_by(events: &[Event]) -> Vec<StreamName> {
    let mut streams: Vec<StreamName> = events.iter().filter_map(Effect::of).map(|(stream, _)| stream).collect();
    streams.sort_unstable();
    streams.dedup();
    streams
}
