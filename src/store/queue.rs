//! What waits for the writer: appends, bounded, and chunks that were sealed or indexed.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::event::{Deletion, Digest, Number, Receipt};
use crate::event::{ExpectedVersion, Known, NewEvent, StreamName, Timestamp};

use crate::event::limits::SETTINGS_BYTES_MAX;

use super::AppendError;
use super::chunk_file::Written;
use super::compaction::Compaction;
use super::derived::WrittenIndex;
use super::ids::Fingerprint;
use super::replicate::{Rows, Turn};
use super::scavenger::Rewritten;
use super::view::State;

/// What may wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct QueueLimits {
    /// Appends.
    pub(crate) appends_max: usize,
    /// Data and metadata of their events; an append that is larger waits alone.
    pub(crate) bytes_max: usize,
}

/// Appends that wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queued {
    /// How many.
    pub appends: usize,
    /// Data and metadata of their events.
    pub bytes: usize,
}

/// The most groups of another log's events that wait: whoever sends them makes the next ones meanwhile, no more.
const ROWS_MAX: usize = 8;

/// Ids, digests and integers of a row.
const ROW_OVERHEAD_BYTES_ABOUT: usize = 72;

/// What is asked of the writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Intent {
    /// To append the request's events.
    Append,
    /// The same, of what has to be told before anything may be done.
    Record,
    /// To delete the stream.
    Delete(Deletion),
    /// To truncate the stream: events below this number are too old.
    Truncate(Number),
    /// To erase the content of the stream's event with this number.
    Erase(Number),
}

/// A request with all that can be found out before it is decided.
pub(crate) struct Request {
    pub(crate) stream: StreamName,
    pub(crate) intent: Intent,
    pub(crate) events: Vec<NewEvent>,
    pub(crate) digests: Vec<Digest>,
    pub(crate) fingerprints: Vec<Fingerprint>,
    /// What the chunks of `looked_up` know of each id.
    pub(crate) known: Vec<Option<Known>>,
    pub(crate) expected: ExpectedVersion,
    pub(crate) ids_alone: bool,
    pub(crate) now: Timestamp,
    /// When it came to wait for the writer.
    pub(crate) queued: Instant,
    /// The view that the look-up was made in. It also holds the segments of its tail, which may be sealed since.
    pub(crate) looked_up: std::sync::Arc<State>,
    pub(crate) answer: tokio::sync::oneshot::Sender<Result<Receipt, AppendError>>,
}

impl Request {
    /// One that brings no events of its own.
    pub(crate) fn without_events(
        stream: StreamName,
        intent: Intent,
        expected: ExpectedVersion,
        now: Timestamp,
        looked_up: std::sync::Arc<State>,
        answer: tokio::sync::oneshot::Sender<Result<Receipt, AppendError>>,
    ) -> Self {
        let (events, digests, fingerprints, known) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (ids_alone, queued) = (false, Instant::now());
        Self {
            stream,
            intent,
            events,
            digests,
            fingerprints,
            known,
            expected,
            ids_alone,
            now,
            queued,
            looked_up,
            answer,
        }
    }

    /// About what its events take as rows.
    pub(crate) fn row_bytes_about(&self) -> usize {
        let text = |event: &NewEvent| event.event_type.as_str().len() + event.content.media_type.as_str().len();
        let names: usize = self.events.iter().map(text).sum();
        self.bytes() + names + self.events.len() * (self.stream.as_str().len() + ROW_OVERHEAD_BYTES_ABOUT)
    }

    /// Data and metadata of its events, or of the event that the server writes for it.
    pub(crate) fn bytes(&self) -> usize {
        match self.intent {
            Intent::Append | Intent::Record => self.events.iter().map(|event| event.content.len()).sum(),
            Intent::Delete(_) | Intent::Truncate(_) | Intent::Erase(_) => SETTINGS_BYTES_MAX,
        }
    }
}

/// What the writer does next.
pub(crate) enum Work {
    /// These appends, in one group.
    Appends(Vec<Request>),
    /// These events of another log, in one group.
    Rows(Rows),
    /// The store's role changes.
    Turn(Turn),
    /// A chunk's file is written and synced.
    Sealed(Box<Written>),
    /// The index files of derived streams for a chunk, built in the background, are written and synced.
    Indexed(Vec<WrittenIndex>),
    /// A chunk's next generation is written and synced.
    Rewritten(Box<Rewritten>),
    /// Sled's part is written anew.
    Compact(Compaction),
    /// Nothing more comes.
    Close,
}

pub(crate) struct Queue {
    limits: QueueLimits,
    waiting: Mutex<Waiting>,
    bell: Condvar,
}

#[derive(Default)]
struct Waiting {
    appends: VecDeque<Request>,
    bytes: usize,
    rows: VecDeque<Rows>,
    turns: VecDeque<Turn>,
    sealed: VecDeque<Box<Written>>,
    indexed: VecDeque<Vec<WrittenIndex>>,
    rewritten: VecDeque<Box<Rewritten>>,
    compactions: VecDeque<Compaction>,
    closed: bool,
    writer_sleeps: bool,
}

impl Queue {
    pub(crate) fn new(limits: QueueLimits) -> Self {
        Self { limits, waiting: Mutex::default(), bell: Condvar::new() }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an append at the end, or gives it back: too much waits already, or the store is closing.
    pub(crate) fn push(&self, request: Request) -> Result<(), Box<Request>> {
        let bytes = request.bytes();
        let mut waiting = self.waiting();
        let QueueLimits { appends_max, bytes_max } = self.limits;
        let full = waiting.appends.len() >= appends_max || (waiting.bytes > 0 && waiting.bytes + bytes > bytes_max);
        if full || waiting.closed {
            return Err(Box::new(request));
        }
        waiting.bytes += bytes;
        waiting.appends.push_back(request);
        self.wake(waiting);
        Ok(())
    }

    pub(crate) fn queued(&self) -> Queued {
        let waiting = self.waiting();
        Queued { appends: waiting.appends.len(), bytes: waiting.bytes }
    }

    /// Puts events of another log at the end, or gives them back: too much waits already, or the store is closing.
    pub(crate) fn rows(&self, rows: Rows) -> Result<(), Box<Rows>> {
        let mut waiting = self.waiting();
        if waiting.rows.len() >= ROWS_MAX || waiting.closed {
            return Err(Box::new(rows));
        }
        waiting.rows.push_back(rows);
        self.wake(waiting);
        Ok(())
    }

    /// Changes the store's role, after what waits now; or gives it back, since the store is closing.
    pub(crate) fn turn(&self, turn: Turn) -> Result<(), Turn> {
        let mut waiting = self.waiting();
        if waiting.closed {
            return Err(turn);
        }
        waiting.turns.push_back(turn);
        self.wake(waiting);
        Ok(())
    }

    pub(crate) fn sealed(&self, chunk: Box<Written>) {
        let mut waiting = self.waiting();
        waiting.sealed.push_back(chunk);
        self.wake(waiting);
    }

    pub(crate) fn indexed(&self, indexes: Vec<WrittenIndex>) {
        let mut waiting = self.waiting();
        waiting.indexed.push_back(indexes);
        self.wake(waiting);
    }

    /// Hands over a chunk's next generation, or gives it back: the store is closing.
    pub(crate) fn rewritten(&self, chunk: Box<Rewritten>) -> Result<(), Box<Rewritten>> {
        let mut waiting = self.waiting();
        if waiting.closed {
            return Err(chunk);
        }
        waiting.rewritten.push_back(chunk);
        self.wake(waiting);
        Ok(())
    }

    /// Has sled's part written anew, or gives it back: the store is closing.
    pub(crate) fn compact(&self, compaction: Compaction) -> Result<(), Compaction> {
        let mut waiting = self.waiting();
        if waiting.closed {
            return Err(compaction);
        }
        waiting.compactions.push_back(compaction);
        self.wake(waiting);
        Ok(())
    }

    /// No more appends are taken; what waits is still done.
    pub(crate) fn close(&self) {
        let mut waiting = self.waiting();
        waiting.closed = true;
        self.wake(waiting);
    }

    /// Nobody will take what waits; those who asked learn that its outcome is unknown.
    pub(crate) fn abandon(&self) {
        let mut waiting = self.waiting();
        waiting.closed = true;
        waiting.appends.clear();
        waiting.rows.clear();
        waiting.turns.clear();
        waiting.rewritten.clear();
        waiting.compactions.clear();
    }

    fn wake(&self, waiting: MutexGuard<'_, Waiting>) {
        let sleeps = waiting.writer_sleeps;
        drop(waiting);
        if sleeps {
            self.bell.notify_one();
        }
    }

    /// Waits for something to do. Sealed chunks come first; appends up to about `group_bytes` come together,
    /// and only if the tail `has_room`, or if nothing more comes.
    pub(crate) fn next(&self, group_bytes: usize, has_room: impl Fn() -> bool) -> Work {
        let mut waiting = self.waiting();
        loop {
            if let Some(sealed) = waiting.sealed.pop_front() {
                return Work::Sealed(sealed);
            }
            if let Some(indexed) = waiting.indexed.pop_front() {
                return Work::Indexed(indexed);
            }
            if let Some(rewritten) = waiting.rewritten.pop_front() {
                return Work::Rewritten(rewritten);
            }
            if let Some(compaction) = waiting.compactions.pop_front() {
                return Work::Compact(compaction);
            }
            // A queue that is closed is emptied whatever the tail takes: the sealer that made room may have ended.
            if !waiting.rows.is_empty()
                && (waiting.closed || has_room())
                && let Some(rows) = waiting.rows.pop_front()
            {
                return Work::Rows(rows);
            }
            // A turn comes after all rows that were sent before it.
            if waiting.rows.is_empty()
                && let Some(turn) = waiting.turns.pop_front()
            {
                return Work::Turn(turn);
            }
            if !waiting.appends.is_empty() && (waiting.closed || has_room()) {
                let mut taken = Vec::new();
                let mut bytes = 0;
                while let Some(request) = waiting.appends.front() {
                    let more = request.bytes();
                    if bytes > 0 && bytes + more > group_bytes {
                        break;
                    }
                    bytes += more.max(1);
                    waiting.bytes -= more;
                    taken.extend(waiting.appends.pop_front());
                }
                return Work::Appends(taken);
            }
            if waiting.closed && waiting.appends.is_empty() && waiting.rows.is_empty() {
                return Work::Close;
            }
            waiting.writer_sleeps = true;
            waiting = self.bell.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            waiting.writer_sleeps = false;
        }
    }
}
