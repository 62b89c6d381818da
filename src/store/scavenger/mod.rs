//! Giving space back: the thread that writes chunks anew without the contents of events that are truncated,
//! deleted or erased. Rows, places and ids stay as they are, so nothing that a view shows changes by it.
//!
//! Reading order: `plan` (what is to be done), `rewrite` (one chunk), `switch` (what the writer does for it), `progress`.

mod plan;
mod progress;
mod rewrite;
mod switch;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::event::{Position, Timestamp};

use super::chunk_file::parse_name;
use super::compaction::Compaction;
use super::view::View;
use super::{AppendError, ReadError, Shared};
use plan::Plan;
use progress::Progress;

pub use progress::{Pass, Scavenging};
pub(super) use rewrite::read_events;
pub(crate) use switch::Rewritten;

/// How much must be gone of a chunk before it is written anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Thoroughness {
    /// A fifth of its events: what costs less than it brings.
    Worthwhile,
    /// Anything.
    Everything,
    /// Anything, and what lingers of it in sled's file.
    NoTrace,
}

/// Gentle to all that matters more: the lowest priority that there is for the processor.
const NICENESS: i32 = 19;

/// How often to look whether what is complete is sealed, and what was replaced is gone.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How long a reader may keep a file that was replaced before the pass says so.
const LET_GO_TIME_MAX: Duration = Duration::from_secs(60);

/// What the scavenger is asked for, and what it has done.
#[derive(Default)]
pub(crate) struct Scavenger {
    state: Mutex<State>,
    bell: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Option<Asked>,
    progress: Progress,
    closed: bool,
}

#[derive(Clone, Copy)]
struct Asked {
    id: Uuid,
    at: Timestamp,
    thoroughness: Thoroughness,
}

impl Scavenger {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for a pass that begins after now; returns the id of the one that does.
    pub(crate) fn ask(&self, id: Uuid, at: Timestamp, thoroughness: Thoroughness) -> Uuid {
        let mut state = self.state();
        let asked = state.waiting.get_or_insert(Asked { id, at, thoroughness });
        asked.thoroughness = asked.thoroughness.max(thoroughness);
        let id = asked.id;
        drop(state);
        self.bell.notify_all();
        id
    }

    pub(crate) fn progress(&self) -> Scavenging {
        let state = self.state();
        state.progress.report(state.waiting.map(|asked| asked.id))
    }

    pub(crate) fn close(&self) {
        self.state().closed = true;
        self.bell.notify_all();
    }

    /// Waits for the next pass that is asked for; none when the store is closing.
    fn next(&self) -> Option<Asked> {
        let mut state = self.state();
        loop {
            if state.closed {
                return None;
            }
            if let Some(asked) = state.waiting.take() {
                state.progress.begin(asked.id, asked.at);
                return Some(asked);
            }
            state = self.bell.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Sleeps, unless the store is closing.
    fn rest(&self, time: Duration) {
        let until = Instant::now() + time;
        let mut state = self.state();
        while !state.closed {
            let Some(left) = until.checked_duration_since(Instant::now()) else { return };
            state = self.bell.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// Why a pass ended before it was through.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("{0}")]
    Index(#[from] ReadError),
    #[error("there is not enough free space to write a chunk anew")]
    NoRoom,
    #[error("the store takes no more writes")]
    NoWrites,
    #[error("the store was closed")]
    Closing,
    #[error("{0}")]
    Uncompacted(String),
    #[error("somebody is still reading a file that was replaced; it goes when that is over")]
    Held,
}

/// Scavenges when asked, until the store is closed.
pub(crate) fn run(shared: &Arc<Shared>) {
    // Where it is refused the rests alone must do.
    let _ = rustix::process::nice(NICENESS);
    while let Some(asked) = shared.scavenger.next() {
        let ended = pass(shared, asked.thoroughness);
        if let Err(why @ (Ended::Index(_) | Ended::NoRoom | Ended::NoWrites | Ended::Uncompacted(_) | Ended::Held)) =
            &ended
        {
            tracing::warn!(%why, "scavenging ended early");
        }
        let pass = shared.scavenger.state().progress.end(ended.err().map(|why| why.to_string()));
        if let Some(Pass { chunks_rewritten, bytes_given_back, .. }) = pass.filter(|pass| pass.chunks_rewritten > 0) {
            tracing::info!(chunks_rewritten, bytes_given_back, "scavenged");
        }
    }
}

fn pass(shared: &Arc<Shared>, thoroughness: Thoroughness) -> Result<(), Ended> {
    if thoroughness == Thoroughness::NoTrace {
        until_sealed(shared)?;
    }
    // The view goes when the plan is made: it would keep every file that is replaced.
    let plan = Plan::of(&View { state: shared.state.load_full(), shared: shared.clone() }, thoroughness)?;
    shared.scavenger.state().progress.found(plan.chunks.len());
    for (first, removed_events) in &plan.chunks {
        let started = Instant::now();
        chunk(shared, &plan, *first, *removed_events)?;
        // Half of the time at most, so that whatever else needs the disk gets it.
        shared.scavenger.rest(started.elapsed());
    }
    if thoroughness == Thoroughness::NoTrace {
        compact(shared)?;
        until_let_go(shared)?;
    }
    Ok(())
}

/// Waits until nobody reads the files that were replaced any more, and so they are gone.
fn until_let_go(shared: &Shared) -> Result<(), Ended> {
    let started = Instant::now();
    while is_any_superseded(shared) {
        if LET_GO_TIME_MAX < started.elapsed() {
            return Err(Ended::Held);
        }
        may_go_on(shared)?;
        shared.scavenger.rest(LOOK_EVERY);
    }
    Ok(())
}

/// Whether there is a file of a chunk that sled names another generation of.
fn is_any_superseded(shared: &Shared) -> bool {
    let sealed = shared.state.load().sealed.clone();
    let names = std::fs::read_dir(shared.chunks.dir()).into_iter().flatten().flatten().map(|entry| entry.file_name());
    let is_superseded = |(first, generation)| {
        let named = sealed.chunk_index(first).map(|index| &sealed.chunks[index]);
        named.is_some_and(|named| named.first == first && generation < named.generation)
    };
    names.filter_map(|name| parse_name(name.to_str()?)).any(is_superseded)
}

/// Waits until the segments that are complete now are sealed: one that is being sealed may be written as it was before
/// the latest removals.
fn until_sealed(shared: &Shared) -> Result<(), Ended> {
    let complete = shared.state.load().tail.last().map_or(Position::ZERO, |newest| newest.first());
    while shared.state.load().sealed.end() < complete {
        may_go_on(shared)?;
        shared.scavenger.rest(LOOK_EVERY);
    }
    Ok(())
}

/// Has sled's part written anew, and waits until that is done.
fn compact(shared: &Shared) -> Result<(), Ended> {
    may_go_on(shared)?;
    let (done, told) = std::sync::mpsc::channel();
    shared.queue.compact(Compaction { done }).map_err(|_| Ended::Closing)?;
    // The writer drops its end of it when it fails.
    let sled_bytes = told.recv().map_err(|_| Ended::NoWrites)?.map_err(Ended::Uncompacted)?;
    shared.scavenger.state().progress.compacted(sled_bytes);
    Ok(())
}

fn may_go_on(shared: &Shared) -> Result<(), Ended> {
    match (shared.is_closing(), shared.is_writable()) {
        (true, _) => Err(Ended::Closing),
        (false, false) => Err(Ended::NoWrites),
        (false, true) => Ok(()),
    }
}

/// Writes one chunk anew and waits until that is what readers see.
fn chunk(shared: &Shared, plan: &Plan, first: Position, removed_events: u64) -> Result<(), Ended> {
    may_go_on(shared)?;
    let sealed = shared.state.load().sealed.clone();
    let Some(index) = sealed.chunk_index(first) else { return Ok(()) };
    let record = &sealed.chunks[index];
    if !shared.disk.has_room_to_scavenge(record.file_bytes) {
        return Err(Ended::NoRoom);
    }
    let written = match rewrite::rewrite(shared, record, plan, removed_events) {
        Ok(written) => written,
        Err(error) => {
            // What is damaged is left to `repair`, which finds the more the less was changed since.
            tracing::error!(%error, %first, "a chunk could not be written anew");
            shared.scavenger.state().progress.passed_over();
            return Ok(());
        }
    };
    let given_back = record.file_bytes.saturating_sub(written.file_bytes);
    let (switched, done) = std::sync::mpsc::channel();
    let path = super::chunk_file::path(shared.chunks.dir(), first, written.generation);
    if shared.queue.rewritten(Box::new(Rewritten { record: written, switched })).is_err() {
        // Should it stay, the next start removes it.
        let _ = std::fs::remove_file(path);
        return Err(Ended::Closing);
    }
    // The writer drops its end of it when it fails.
    done.recv().map_err(|_| Ended::NoWrites)?;
    // Held until here, so that the file goes on this thread, and not on the one that writes.
    drop(sealed);
    shared.scavenger.state().progress.rewrote(given_back);
    Ok(())
}

impl Shared {
    /// Asks for a pass of the scavenger.
    pub(crate) fn scavenge(&self, id: Uuid, now: Timestamp, thoroughness: Thoroughness) -> Result<Uuid, AppendError> {
        match self.refuses_everything() {
            // Giving space back may be the only way out.
            None | Some(AppendError::DiskFull) => Ok(self.scavenger.ask(id, now, thoroughness)),
            Some(other) => Err(other),
        }
    }
}
