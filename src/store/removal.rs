//! What views leave out: events that are truncated or deleted, whether their space was given back already or not.

use crate::event::{Event, Number, Position, Retention, Source, Status, StreamName};

use super::{LOST_TYPE, ReadError, View};

/// How an event was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// Truncated, or gone with an earlier life of its stream.
    Alone,
    /// Its stream is deleted.
    WithItsStream,
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

    /// Takes away what is truncated or deleted, whether its space was given back already or not: what a view
    /// shows follows from the log alone.
    pub(super) fn leave_out_removed(&self, events: &mut [Event]) -> Result<(), ReadError> {
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
}
