//! What is asked of the writer: to append, to delete, to truncate, to erase. What the chunks know of an append's ids is found out
//! here, before it is queued.

use std::time::Instant;

use crate::event::{
    self, Deletion, Digest, ExpectedVersion, NewEvent, Number, Position, Receipt, Refusal, StreamName, Timestamp,
};

use super::queue::{Intent, Request};
use super::{AppendError, ReadError, Store};

/// Events to be appended together, in this order.
#[derive(Debug, Clone)]
pub struct Append {
    /// Where to.
    pub stream: StreamName,
    /// At least one.
    pub events: Vec<NewEvent>,
    /// What the producer expects of the stream.
    pub expected: ExpectedVersion,
    /// A repeat is told by its ids, whatever its types and data (EventStore's rule).
    pub ids_alone: bool,
    /// The clock. An event's time is the later of this and the previous event's.
    pub now: Timestamp,
}

/// A stream to be deleted.
#[derive(Debug, Clone)]
pub struct Delete {
    /// Which one.
    pub stream: StreamName,
    /// In which way.
    pub deletion: Deletion,
    /// What the caller expects of the stream.
    pub expected: ExpectedVersion,
    /// The clock.
    pub now: Timestamp,
}

type Answered = tokio::sync::oneshot::Receiver<Result<Receipt, AppendError>>;

impl Store {
    /// Appends all of the events or none, and returns once that is on stable storage.
    ///
    /// Dropping the future does not take the append back.
    ///
    /// # Errors
    /// See [`AppendError`]: only with [`AppendError::OutcomeUnknown`] something may have been written.
    pub async fn append(&self, append: Append) -> Result<Receipt, AppendError> {
        self.add(append, Intent::Append).await
    }

    /// The same for what has to be on record before anything may be done. As deletions, which it may be about, it goes on
    /// a little longer than appends while the disk fills up.
    ///
    /// # Errors
    /// As [`Store::append`].
    pub async fn record(&self, append: Append) -> Result<Receipt, AppendError> {
        self.add(append, Intent::Record).await
    }

    async fn add(&self, append: Append, intent: Intent) -> Result<Receipt, AppendError> {
        if let Some(error) = self.running.shared.refuses(intent) {
            return Err(error);
        }
        event::check(&append.stream, &append.events).map_err(AppendError::Refused)?;
        let (mut request, answered) = self.look_up(append).await?;
        request.intent = intent;
        self.queue(request, answered).await
    }

    /// Deletes a stream, and returns once that is on stable storage. The receipt is that of the event that says
    /// so: new settings, or the stream's own last event.
    ///
    /// # Errors
    /// As [`Store::append`].
    pub async fn delete(&self, delete: Delete) -> Result<Receipt, AppendError> {
        let Delete { stream, deletion, expected, now } = delete;
        self.ask(stream, Intent::Delete(deletion), expected, now).await
    }

    /// Truncates a stream: its events below this number are too old. Returns once that is on stable storage.
    ///
    /// # Errors
    /// As [`Store::append`].
    pub async fn truncate(&self, stream: StreamName, before: Number, now: Timestamp) -> Result<Receipt, AppendError> {
        self.ask(stream, Intent::Truncate(before), ExpectedVersion::Any, now).await
    }

    /// Erases the content of one event: from then on no view shows it. Returns once that is on stable storage. The receipt
    /// is that of the event that says so; it is a repeat if the content had gone already.
    ///
    /// The bytes stay on the disk until [`Store::scavenge`] has been through.
    ///
    /// # Errors
    /// As [`Store::append`]; also for an event that is not there, and for those of the server's own streams.
    pub async fn erase(&self, stream: StreamName, number: Number, now: Timestamp) -> Result<Receipt, AppendError> {
        if stream.is_system() {
            return Err(AppendError::Refused(Refusal::OfServer));
        }
        self.ask(stream, Intent::Erase(number), ExpectedVersion::Any, now).await
    }

    /// A request without events of its own.
    async fn ask(
        &self,
        stream: StreamName,
        intent: Intent,
        expected: ExpectedVersion,
        now: Timestamp,
    ) -> Result<Receipt, AppendError> {
        if let Some(error) = self.running.shared.refuses(intent) {
            return Err(error);
        }
        let (answer, answered) = tokio::sync::oneshot::channel();
        let looked_up = self.view().state;
        let request = Request::without_events(stream, intent, expected, now, looked_up, answer);
        self.queue(request, answered).await
    }

    /// Finds out, before it is queued, what the chunks know of an append's ids.
    pub(super) async fn look_up(&self, append: Append) -> Result<(Request, Answered), AppendError> {
        let shared = &self.running.shared;
        let Append { stream, events, expected, ids_alone, now } = append;
        let digests: Vec<Digest> = events.iter().map(NewEvent::digest).collect();
        let fingerprints: Vec<_> = events.iter().map(|event| shared.fingerprints.of(&stream, event.id)).collect();
        let view = self.view();
        let mut known = vec![None; events.len()];
        let hits: Vec<usize> = (0..events.len())
            .filter(|index| {
                let hit = || !view.state.sealed.filters.candidates(fingerprints[*index]).is_empty();
                !events[*index].id_is_fresh && hit()
            })
            .collect();
        if !hits.is_empty() {
            let wanted: Vec<_> = hits.iter().map(|index| (*index, fingerprints[*index], events[*index].id)).collect();
            let (view, stream) = (view.clone(), stream.clone());
            let look_up = move || {
                wanted
                    .into_iter()
                    .map(|(index, fingerprint, id)| {
                        Ok((index, view.sealed_known(fingerprint, &stream, id, Position::ZERO)?))
                    })
                    .collect::<Result<Vec<_>, ReadError>>()
            };
            let found = tokio::task::spawn_blocking(look_up).await.map_err(|error| ReadError::Io(error.to_string()))?;
            for (index, found) in found? {
                known[index] = found;
            }
        }
        let (answer, answered) = tokio::sync::oneshot::channel();
        let looked_up = view.state;
        let intent = Intent::Append;
        let request = Request {
            stream,
            intent,
            events,
            digests,
            fingerprints,
            known,
            expected,
            ids_alone,
            now,
            queued: Instant::now(),
            looked_up,
            answer,
        };
        Ok((request, answered))
    }

    pub(super) async fn queue(&self, request: Request, answered: Answered) -> Result<Receipt, AppendError> {
        let shared = &self.running.shared;
        if shared.queue.push(request).is_err() {
            let closing = || AppendError::ReadOnly("the server is shutting down".into());
            return Err(if shared.is_closing() { closing() } else { AppendError::Overloaded });
        }
        let lost = || AppendError::OutcomeUnknown("the store was closed before it answered".into());
        answered.await.unwrap_or_else(|_| Err(lost()))
    }
}
