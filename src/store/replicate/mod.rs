//! Taking in another log's events exactly as they are: nothing is decided here, everything is checked.
//!
//! Reading order: here (what is asked of a store), `taking` (what the writer does for it).
//!
//! A store is either a replica, which takes its events from one other log alone, or it takes appends; never both. So
//! whatever is in a replica the other log has as well, until its role changes for good.

mod taking;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::event::{
    Content, Digest, Event, EventId, EventType, Life, LogHead, Number, Order, Position, Source, StreamName, Timestamp,
    life_of,
};

use super::decide::Group;
use super::ids::Fingerprint;
use super::view::View;
use super::{AppendError, Identity, ReadError, Store};

/// One event of another log, with the places it has there. What follows from the log itself is not told but worked
/// out: the digest of what it carries, and the life of its stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its stream.
    pub stream: StreamName,
    /// Its place in the stream.
    pub number: Number,
    /// Its place in the log.
    pub position: Position,
    /// When it was appended.
    pub time: Timestamp,
    /// Its id.
    pub id: EventId,
    /// What happened.
    pub event_type: EventType,
    /// What is left of what it carried.
    pub left: Left,
}

/// What is left of what an event carried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Left {
    /// All of it.
    Content(Content),
    /// Nothing: it was truncated, deleted or lost.
    Removed {
        /// What repeats are told by.
        digest: Digest,
        /// The `$correlationId` that it had.
        correlation: Option<Arc<str>>,
    },
}

/// What becomes of a replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// It goes on as one.
    Replica {
        /// Of what, for people: a URL, or a file.
        of: String,
        /// The epoch of the other log.
        epoch: u32,
    },
    /// It takes appends from now on, in the same history: the other log is written to no more.
    Complete,
    /// It takes appends from now on, in a new epoch: the other log may be written to as well.
    Promoted,
}

/// Why rows were not taken in. Nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplicateError {
    /// The store takes appends.
    #[error("this is no replica (any more): it takes appends")]
    NoReplica,
    /// The log goes on elsewhere.
    #[error("position {expected} is next in the log, and the event sent has position {found}")]
    Position {
        /// What is next.
        expected: Position,
        /// What came.
        found: Position,
    },
    /// The stream goes on elsewhere.
    #[error(
        "at position {position}: number {expected} is next in the stream `{stream}`, and the event sent has {found}"
    )]
    Number {
        /// The event's position.
        position: Position,
        /// Its stream.
        stream: StreamName,
        /// What is next.
        expected: Number,
        /// What came.
        found: Number,
    },
    /// Times never go back in a log.
    #[error("at position {position}: the event is dated {found}, and the one before it {previous}")]
    Time {
        /// The event's position.
        position: Position,
        /// The time of the event before it.
        previous: Timestamp,
        /// Its own.
        found: Timestamp,
    },
    /// There is another event in this place already.
    #[error("at position {position} this store has the event {here}, and the other log {there}: two histories")]
    AnotherHistory {
        /// Where.
        position: Position,
        /// What is here: number, stream and id.
        here: String,
        /// What came.
        there: String,
    },
    /// As with appends.
    #[error(transparent)]
    Store(#[from] AppendError),
}

impl ReplicateError {
    /// Whether the same rows may be taken in later: nothing at all can be written now.
    #[must_use]
    pub fn passes(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_for_everybody())
    }
}

impl From<ReadError> for ReplicateError {
    fn from(error: ReadError) -> Self {
        Self::Store(error.into())
    }
}

/// Events on their way to the writer, with what can be found out before.
pub(crate) struct Rows {
    pub(crate) events: Vec<Event>,
    pub(crate) fingerprints: Vec<Fingerprint>,
    pub(crate) answer: tokio::sync::oneshot::Sender<Result<Position, ReplicateError>>,
}

/// A change of role on its way to the writer.
pub(crate) struct Turn {
    pub(crate) role: Role,
    pub(crate) answer: tokio::sync::oneshot::Sender<Result<Identity, ReplicateError>>,
}

impl Row {
    /// As the log keeps it. Its life is known once its stream's head is.
    fn into_event(self) -> Event {
        let Self { stream, number, position, time, id, event_type, left } = self;
        let (digest, content, kept_correlation) = match left {
            Left::Content(content) => (Digest::of(&event_type, &content), Some(content), None),
            Left::Removed { digest, correlation } => (digest, None, correlation),
        };
        let life = Life(0);
        Event { stream, number, position, life, time, id, event_type, digest, content, kept_correlation }
    }
}

impl Rows {
    /// About what they take as rows.
    pub(crate) fn row_bytes_about(&self) -> usize {
        const OVERHEAD_BYTES_ABOUT: usize = 128;
        let content = |event: &Event| event.content.as_ref().map_or(0, Content::len);
        self.events.iter().map(|event| content(event) + event.stream.as_str().len() + OVERHEAD_BYTES_ABOUT).sum()
    }
}

impl Store {
    /// What the store is a replica of; none if it takes appends.
    #[must_use]
    pub fn replica_of(&self) -> Option<Arc<String>> {
        self.running.shared.replica_of.load_full()
    }

    /// Returns when the store takes appends.
    pub async fn until_no_replica(&self) {
        let shared = &self.running.shared;
        loop {
            let turned = shared.turned.notified();
            if shared.replica_of.load().is_none() {
                return;
            }
            turned.await;
        }
    }

    /// Takes in the next rows of the log that the store is a replica of, all of them or none, and returns once they
    /// are on stable storage: the position that comes next.
    ///
    /// Rows that are here already are passed over, so that after a crash they may be sent again; they must be the same.
    ///
    /// # Errors
    /// When the rows do not continue the log, or the store is no replica. Nothing was written, unless it is
    /// [`AppendError::OutcomeUnknown`].
    pub async fn replicate(&self, rows: Vec<Row>) -> Result<Position, ReplicateError> {
        let view = self.view();
        let next = view.log().next;
        let mut events: Vec<Event> = rows.into_iter().map(Row::into_event).collect();
        let repeated = events.iter().take_while(|event| event.position < next).count();
        if repeated > 0 {
            let repeats: Vec<Event> = events.drain(..repeated).collect();
            let compared = tokio::task::spawn_blocking(move || are_here(&view, &repeats)).await;
            compared.map_err(|error| ReadError::Io(error.to_string()))??;
        }
        if events.is_empty() {
            return Ok(next);
        }
        let shared = &self.running.shared;
        let fingerprints = events.iter().map(|event| shared.fingerprints.of(&event.stream, event.id)).collect();
        let (answer, answered) = tokio::sync::oneshot::channel();
        shared.queue.rows(Rows { events, fingerprints, answer }).map_err(|_| self.is_closing())?;
        answered.await.unwrap_or_else(|_| Err(self.is_closing()))
    }

    /// Changes what the store is: it goes on as a replica, or ends that. Durable when it returns.
    ///
    /// # Errors
    /// When it is no replica, or cannot be written to.
    pub async fn turn(&self, role: Role) -> Result<Identity, ReplicateError> {
        let (answer, answered) = tokio::sync::oneshot::channel();
        self.running.shared.queue.turn(Turn { role, answer }).map_err(|_| self.is_closing())?;
        answered.await.unwrap_or_else(|_| Err(self.is_closing()))
    }

    #[expect(clippy::unused_self, reason = "it is the store that closes")]
    fn is_closing(&self) -> ReplicateError {
        AppendError::OutcomeUnknown("the store was closed before it answered".into()).into()
    }
}

/// That the log has exactly these events, which follow each other.
fn are_here(view: &View, events: &[Event]) -> Result<(), ReplicateError> {
    let (Some(first), Some(last)) = (events.first(), events.last()) else { return Ok(()) };
    let (first, last) = (first.position.into(), last.position.into());
    let here = view.read_blocking(&Source::All, first, last, Order::OldestFirst, usize::MAX)?;
    let place = |event: &Event| format!("{}@{} ({})", event.number, event.stream, event.id);
    for (index, event) in events.iter().enumerate() {
        let expected = Position::from(first).plus(index as u64);
        if event.position != expected {
            return Err(ReplicateError::Position { expected, found: event.position });
        }
        let known = here.get(index).ok_or_else(|| ReadError::Damaged(format!("position {expected} is missing")))?;
        let facts = |event: &Event| (event.number, event.time, event.id, event.digest);
        let is_same = facts(known) == facts(event);
        if !is_same || known.stream != event.stream || known.event_type != event.event_type {
            let (here, there) = (place(known), place(event));
            return Err(ReplicateError::AnotherHistory { position: expected, here, there });
        }
    }
    Ok(())
}

impl Group {
    /// Adds an event that has its place, if that is the next one.
    pub(crate) fn take_in(
        &mut self,
        view: &View,
        mut event: Event,
        fingerprint: Fingerprint,
    ) -> Result<(), ReplicateError> {
        let position = event.position;
        if position != self.log.next {
            return Err(ReplicateError::Position { expected: self.log.next, found: position });
        }
        if event.time < self.log.time {
            return Err(ReplicateError::Time { position, previous: self.log.time, found: event.time });
        }
        let mut head = self.head(view, &event.stream)?;
        if event.number != head.next {
            let (stream, expected, found) = (event.stream, head.next, event.number);
            return Err(ReplicateError::Number { position, stream, expected, found });
        }
        event.life = life_of(&event.event_type, head.status, head.life);
        let life_start = if event.life == head.life { head.life_start } else { event.number };
        head.next = event.number.plus(1);
        self.heads.insert(event.stream.clone(), head);
        self.log = LogHead { next: position.plus(1), time: event.time };
        Ok(self.place(view, event, fingerprint, life_start)?)
    }
}
