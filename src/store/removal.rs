//! What views leave out: events that are truncated, deleted or erased, whether their space was given back already or not.

use crate::event::{Effect, Erasure, Event, Number, Position, Retention, Source, Status, StreamName};

use super::{LOST_TYPE, ReadError, View};

/// How an event was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// Truncated, or gone with an earlier life of its stream.
    Alone,
    /// Its stream is deleted.
    WithItsStream,
    /// Its content was erased.
    Erased,
}

impl View {
    /// What settings and deletions leave of a stream; none for a stream that never had any.
    #[must_use]
    pub fn retention(&self, stream: &StreamName) -> Option<Retention> {
        self.state.retentions.get(stream).copied()
    }

    /// The position after the event that changed any stream's settings last, or deleted one.
    #[must_use]
    pub fn retentions_known_to(&self) -> Position {
        self.state.retentions.known_to()
    }

    /// Every stream that ever had settings or was deleted, with what is left of it.
    pub fn retentions(&self) -> impl Iterator<Item = (&StreamName, &Retention)> {
        self.state.retentions.iter()
    }

    /// Whether this event was erased.
    #[must_use]
    pub fn is_erased(&self, stream: &StreamName, number: Number) -> bool {
        self.state.erasures.contains(stream, number)
    }

    /// The numbers from `first` to `last`, both included, of a stream's events that were erased, lowest first.
    pub fn erased(&self, stream: &StreamName, first: Number, last: Number) -> impl Iterator<Item = Number> {
        self.state.erasures.between(stream, first, last)
    }

    /// How many events were ever erased.
    #[must_use]
    pub fn erasures(&self) -> u64 {
        self.state.erasures.count()
    }

    /// Whether anything at all may have been removed.
    fn may_leave_out(&self) -> bool {
        self.state.retentions.may_hide() || !self.state.erasures.is_empty()
    }

    /// Whether an event that has no content was removed, and how; none if it was lost otherwise.
    ///
    /// # Errors
    /// When the store's index cannot be read.
    pub fn removal(&self, event: &Event) -> Result<Option<Removal>, ReadError> {
        if event.content.is_some() {
            return Ok(None);
        }
        if self.state.retentions.get(&event.stream).is_some() {
            let head = self.head(&Source::Stream(event.stream.clone()))?;
            match head.status {
                Status::SoftDeleted | Status::HardDeleted => return Ok(Some(Removal::WithItsStream)),
                Status::Live if event.number < head.first_visible => return Ok(Some(Removal::Alone)),
                Status::Live => {}
            }
        }
        Ok(self.is_erased(&event.stream, event.number).then_some(Removal::Erased))
    }

    /// Whether events between these places have come without content, and what removed it has not come yet: a replica
    /// that has not caught up hears of a removal after the events that it removed.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn is_unexplained(&self, source: &Source, first: Number, last: Number) -> Result<bool, ReadError> {
        let mut is_unexplained = false;
        if self.shared.replica_of.load().is_some() {
            self.scan(source, first, last, |_, event| {
                let is_removed = event.content.is_none() && event.event_type.as_str() != LOST_TYPE;
                is_unexplained |= is_removed && self.removal(event)?.is_none();
                Ok(())
            })
            .await?;
        }
        Ok(is_unexplained)
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
        if self.may_leave_out() {
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

    /// Takes away what is truncated, deleted or erased, whether its space was given back already or not: what a view
    /// shows follows from the log alone.
    pub(super) fn leave_out_removed(&self, events: &mut [Event]) -> Result<(), ReadError> {
        self.leave_out(events, |_| true)
    }

    /// The same of what is written to the disk. There, what says how much is left stays whole: a repair has nothing else
    /// to know it by.
    pub(super) fn strip(&self, events: &mut [Event]) -> Result<(), ReadError> {
        self.leave_out(events, is_strippable)
    }

    fn leave_out(&self, events: &mut [Event], may_go: impl Fn(&Event) -> bool) -> Result<(), ReadError> {
        if !self.may_leave_out() {
            return Ok(());
        }
        let mut known: Option<(StreamName, Number)> = None;
        for event in events {
            if event.content.is_none() {
                continue;
            }
            let mut is_gone = self.is_erased(&event.stream, event.number);
            if !is_gone && self.state.retentions.get(&event.stream).is_some() {
                let first_visible = match &known {
                    Some((stream, first_visible)) if *stream == event.stream => *first_visible,
                    _ => self.head(&Source::Stream(event.stream.clone()))?.first_visible,
                };
                is_gone = event.number < first_visible;
                known = Some((event.stream.clone(), first_visible));
            }
            if is_gone && may_go(event) {
                event.remove_content();
            }
        }
        Ok(())
    }
}

/// Whether nothing else follows from what this event carries.
pub(super) fn is_strippable(event: &Event) -> bool {
    Effect::of(event).is_none() && Erasure::of(event).is_none()
}
