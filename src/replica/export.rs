//! Exporting: the events of a server, or of a store that no server has open, into a file.
//!
//! A file has its name once it is whole. Until then it is called `{name}.part`, and the next export of the same events
//! goes on with it after its last mark.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::interchange::{Fault, Unfinished, Writer};
use super::{NoRow, Rows};
use crate::client::{FollowError, Follower, Log};
use crate::event::{Digest, Event, Life, Number, Order, Source};
use crate::store::{Left, ReadError, Row, View};

/// How many events are taken over at a time.
const EVENTS_AT_ONCE: usize = 1024;
const BYTES_AT_ONCE: usize = 1 << 20;

/// Why nothing, or not everything, was exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// Nothing is overwritten.
    #[error("{} is there already", .0.display())]
    Exists(PathBuf),
    /// Somebody else is at it.
    #[error("another export writes {}", .0.display())]
    InUse(PathBuf),
    /// What is there under the name of an unfinished export is none.
    #[error("{} is no unfinished export ({fault}); delete it to begin anew", path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        fault: Fault,
    },
    /// The unfinished export is one of other events.
    #[error(
        "{} is an unfinished export of other events, or of another epoch of this log; delete it to begin anew",
        .0.display()
    )]
    OfOthers(PathBuf),
    /// The file cannot be written.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// What was read cannot be written.
    #[error(transparent)]
    Write(#[from] io::Error),
    /// The server does not say everything.
    #[error(transparent)]
    NoRow(#[from] NoRow),
    /// The server cannot be followed.
    #[error(transparent)]
    Follow(#[from] FollowError),
    /// The store cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The server has another log now.
    #[error("the server has another log, or another epoch of it, than when the export was begun")]
    AnotherHistory,
}

/// A file that is being exported to.
#[derive(Debug)]
pub struct Target {
    path: PathBuf,
    part: PathBuf,
    /// Locked until it is dropped.
    file: File,
}

impl Target {
    /// Finds what there is of the file.
    ///
    /// # Errors
    /// When it is there already, is being written by somebody else, or cannot be written.
    pub fn find(path: &Path, is_compressed: bool) -> Result<(Self, Option<Unfinished>), ExportError> {
        if path.exists() {
            return Err(ExportError::Exists(path.to_path_buf()));
        }
        let mut part = path.as_os_str().to_os_string();
        part.push(".part");
        let part = PathBuf::from(part);
        let io = |error| ExportError::File { path: part.clone(), error };
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&part);
        let mut file = file.map_err(io)?;
        match file.try_lock() {
            Ok(()) => (),
            Err(TryLockError::WouldBlock) => return Err(ExportError::InUse(part)),
            Err(TryLockError::Error(error)) => return Err(io(error)),
        }
        let unfinished = Unfinished::find(&mut file, is_compressed);
        let unfinished = unfinished.map_err(|fault| ExportError::NotOurs { path: part.clone(), fault })?;
        let end = unfinished.as_ref().map_or(0, |unfinished| unfinished.end);
        file.set_len(end).and_then(|()| file.seek(SeekFrom::Start(end))).map_err(io)?;
        Ok((Self { path: path.to_path_buf(), part, file }, unfinished))
    }

    /// The unfinished file cannot be gone on with.
    #[must_use]
    pub fn is_of_others(&self) -> ExportError {
        ExportError::OfOthers(self.part.clone())
    }

    /// To write to it.
    #[must_use]
    pub fn out(&self) -> impl Write + Send + use<'_> {
        &self.file
    }

    /// It is whole: gives it its name.
    ///
    /// # Errors
    /// When that cannot be made durable.
    pub fn finish(self) -> Result<(), ExportError> {
        let Self { path, part, file } = &self;
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let done = file.sync_all().and_then(|()| std::fs::rename(part, path));
        let done = done.and_then(|()| File::open(directory)?.sync_all());
        done.map_err(|error| ExportError::File { path: path.clone(), error })
    }
}

/// Writes what is in a store, from this place in the source up to its end. `progress` hears the place that comes next.
///
/// # Errors
/// When it cannot be read or written.
pub async fn from_store<W: Write>(
    view: &View,
    source: &Source,
    from: Number,
    writer: &mut Writer<W>,
    mut progress: impl FnMut(u64),
) -> Result<(), ExportError> {
    let next = view.head(source)?.next;
    let mut place = from;
    while let Some(last) = next.before().filter(|last| place <= *last) {
        let events = view.read(source, place, last, Order::OldestFirst, BYTES_AT_ONCE).await?;
        for event in &events {
            writer.push(event)?;
        }
        place = place.plus(events.len() as u64);
        progress(place.get());
    }
    Ok(())
}

/// Writes what a follower of this log reads, but for what is before this place, until it ends. `progress` hears the place
/// that comes next.
///
/// # Errors
/// When it cannot be read or written, or is of another log.
pub async fn from_server<W: Write>(
    mut follower: Follower,
    log: Log,
    from: u64,
    writer: &mut Writer<W>,
    mut progress: impl FnMut(u64),
) -> Result<(), ExportError> {
    let mut rows = Rows::default();
    while let Some(events) = follower.next_batch(EVENTS_AT_ONCE).await {
        let events = events?;
        // Pages of an older epoch, which caches may hold, are of the same history: the follower sees to that.
        let is_another = |found: Log| found.id != log.id || log.epoch < found.epoch;
        if events.last().is_some_and(|event| event.checkpoint().log.is_some_and(is_another)) {
            return Err(ExportError::AnotherHistory);
        }
        for event in events {
            let place = event.place;
            let row = rows.of((*event).clone())?;
            let place = place.unwrap_or(row.position.get());
            if from <= place {
                writer.push(&shown(row))?;
                progress(place + 1);
            }
        }
    }
    Ok(())
}

/// The event that a row is, as far as lines show it: of one with content neither its life nor its digest.
fn shown(row: Row) -> Event {
    let Row { stream, number, position, time, id, event_type, left } = row;
    let (digest, content, kept_correlation) = match left {
        Left::Content(content) => (Digest([0; 16]), Some(content), None),
        Left::Removed { digest, correlation } => (digest, None, correlation),
    };
    Event { stream, number, position, life: Life(0), time, id, event_type, digest, content, kept_correlation }
}
