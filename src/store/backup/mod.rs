//! Copying a whole store while it runs: what a copy is made from, and what is made of one.
//!
//! Reading order: here (the store as of one moment, its files in pieces), `history` (whether events make a log), `reading`
//! (what a copy holds), `restore` (a store made of it).
//!
//! A chunk's file never changes: what is written anew is a file of another name. So whoever has a file has it for good,
//! and the next copy takes what is new alone. The tail is small, and is taken whole each time.

mod history;
mod reading;
mod restore;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crate::event::{Event, LogHead, Position, Timestamp};

use super::chunk_file;
use super::format::group::{Encoder, Origin};
use super::format::{ChunkRecord, row};
use super::view::{Sealed, View};
use super::{Identity, ReadError, Store, failpoint};

pub use reading::{BackupReader, Group, check_bytes};
pub use restore::Restore;

/// A file is handed out in pieces of so many bytes, the last one apart.
pub const PIECE_BYTES: usize = 4 << 20;

/// About how many bytes of rows of the tail go into one group.
const GROUP_BYTES: usize = 1 << 20;

/// As many events of the tail are looked at at once.
const SLICE_EVENTS: u64 = 128;

/// A chunk, as the store's registry names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedChunk {
    /// Its first position.
    pub first: Position,
    /// The position after its last event.
    pub end: Position,
    /// How often it was written anew.
    pub generation: u32,
    /// The time of its newest event.
    pub time: Timestamp,
    /// The length of its file.
    pub bytes: u64,
    /// What its events weighed when they came.
    pub raw_bytes: u64,
    /// How many of its events had no content any more when its file was written.
    pub removed_events: u64,
}

impl SealedChunk {
    /// The name of its file.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{}.{}", self.first, self.generation)
    }

    fn record(&self) -> ChunkRecord {
        let Self { first, end, generation, time, bytes: file_bytes, raw_bytes, removed_events } = *self;
        ChunkRecord { first, end, generation, time, file_bytes, raw_bytes, removed_events }
    }
}

impl From<&ChunkRecord> for SealedChunk {
    fn from(record: &ChunkRecord) -> Self {
        let ChunkRecord { first, end, generation, time, file_bytes: bytes, raw_bytes, removed_events } = *record;
        Self { first, end, generation, time, bytes, raw_bytes, removed_events }
    }
}

/// A store as of one moment: nothing of it changes or goes while this is there.
///
/// It keeps files that were written anew since, and the tail of that moment in memory, so it should not be there for ever.
pub struct Snapshot {
    identity: Identity,
    replica_of: Option<Arc<String>>,
    log: LogHead,
    sealed: Arc<Sealed>,
    dir: PathBuf,
    /// Until it is let go.
    tail: Mutex<Option<View>>,
}

impl Store {
    /// The store as of now, to be copied.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let view = self.view();
        Snapshot {
            identity: view.identity(),
            replica_of: self.replica_of(),
            log: view.log(),
            sealed: view.state.sealed.clone(),
            dir: view.shared.chunks.dir().to_path_buf(),
            tail: Mutex::new(Some(view)),
        }
    }
}

impl Snapshot {
    /// Which log it is.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// What it is a replica of; none if it takes appends.
    #[must_use]
    pub fn replica_of(&self) -> Option<&str> {
        self.replica_of.as_deref().map(String::as_str)
    }

    /// Where the log stood.
    #[must_use]
    pub fn log(&self) -> LogHead {
        self.log
    }

    /// Its chunks, oldest first, without gaps from the first event on.
    pub fn chunks(&self) -> impl Iterator<Item = SealedChunk> {
        self.sealed.chunks.iter().map(SealedChunk::from)
    }

    /// The first position that is in no chunk: the tail begins there, and ends where the log does.
    #[must_use]
    pub fn tail_first(&self) -> Position {
        self.sealed.end()
    }

    /// A chunk's file from this byte on, [`PIECE_BYTES`] of it or what there is. None if there is no such file, or it ends
    /// before.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn piece(&self, first: Position, generation: u32, offset: u64) -> Result<Option<Bytes>, ReadError> {
        let Some((path, bytes)) = self.file(first, generation) else { return Ok(None) };
        let Some(left) = bytes.checked_sub(offset).filter(|left| *left > 0) else { return Ok(None) };
        let mut piece = vec![0; left.min(PIECE_BYTES as u64) as usize];
        failpoint::reached("snapshot.piece");
        let read = File::open(&path).and_then(|file| file.read_exact_at(&mut piece, offset));
        read.map_err(|error| unreadable(&path, &error))?;
        Ok(Some(piece.into()))
    }

    /// SHA-256 of a chunk's file; none if there is no such file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn digest(&self, first: Position, generation: u32) -> Result<Option<[u8; 32]>, ReadError> {
        let Some((path, _)) = self.file(first, generation) else { return Ok(None) };
        file_digest(&path).map(Some).map_err(|error| unreadable(&path, &error))
    }

    /// The events of the tail from this position on, about a mebibyte of them, as a group in the store's own format. None
    /// where the tail has nothing, and once it was let go.
    ///
    /// What is truncated, deleted or erased goes without its content, as it would in a chunk that is written anew.
    ///
    /// # Errors
    /// When the store's index cannot be read.
    pub fn group(&self, from: Position) -> Result<Option<Bytes>, ReadError> {
        let Some(view) = self.tail().clone() else { return Ok(None) };
        if from < self.tail_first() || self.log.next <= from {
            return Ok(None);
        }
        let (mut rows, mut count, mut next) = (Vec::new(), 0_u32, from);
        while next < self.log.next && rows.len() < GROUP_BYTES {
            let last = next.plus(SLICE_EVENTS - 1).min(self.log.next.before().unwrap_or_default());
            for event in tail_events(&view, next, last)? {
                row::encode(&event, &mut rows);
                count += 1;
                next = event.position.plus(1);
                if rows.len() >= GROUP_BYTES {
                    break;
                }
            }
        }
        let mut encoder = Encoder::new().map_err(|error| ReadError::Io(error.to_string()))?;
        let origin = Origin { epoch: self.identity.epoch, opening: 0 };
        Ok(Some(encoder.encode(origin, from, count, &rows).concat().into()))
    }

    /// The tail is no longer wanted: its memory goes as soon as the store has sealed it.
    pub fn let_go_of_tail(&self) {
        *self.tail() = None;
    }

    fn tail(&self) -> MutexGuard<'_, Option<View>> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn file(&self, first: Position, generation: u32) -> Option<(PathBuf, u64)> {
        let chunk = &self.sealed.chunks[self.sealed.chunk_index(first)?];
        let is_it = (chunk.first, chunk.generation) == (first, generation);
        is_it.then(|| (chunk_file::path(&self.dir, first, generation), chunk.file_bytes))
    }
}

/// The events of the tail at these positions, without what is gone.
fn tail_events(view: &View, first: Position, last: Position) -> Result<Vec<Event>, ReadError> {
    let mut events = Vec::new();
    for segment in view.state.tail.iter() {
        segment.log_events(first.max(segment.first()), last, &mut events);
    }
    view.strip(&mut events)?;
    let follow = events.iter().zip(first.get()..).all(|(event, position)| event.position.get() == position);
    match events.last() {
        Some(newest) if follow && newest.position == last => Ok(events),
        _ => Err(ReadError::Damaged(format!("an event from position {first} to {last} is missing in the tail"))),
    }
}

/// SHA-256 of a file.
///
/// # Errors
/// When it cannot be read.
pub fn file_digest(path: &Path) -> io::Result<[u8; 32]> {
    let mut file = File::open(path)?;
    let (mut hasher, mut buffer) = (Sha256::new(), vec![0; 256 << 10]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finalize().into()),
            bytes => hasher.update(&buffer[..bytes]),
        }
    }
}

fn unreadable(path: &Path, error: &io::Error) -> ReadError {
    ReadError::Io(format!("chunks/{}: {error}", path.file_name().unwrap_or_default().to_string_lossy()))
}
