//! Importing: the rows of an export into a store, which becomes the log that was exported.
//!
//! The store is a replica until the last row of the last file is in it: it takes no appends, and the same import goes on
//! where it stopped, whenever that was. Then it is turned. The server that was exported may have gone on, and both would
//! give out the same numbers for different events: so a new epoch begins, unless it is said that the other one has ended.

use std::path::{Path, PathBuf};

use tokio::sync::mpsc;

use super::interchange::{Block, Fault, Header, Reader};
use super::{NoRow, Rows};
use crate::event::{Position, Timestamp};
use crate::store::{Identity, NewStore, OpenError, Options, ReplicateError, Role, Row, Store};

/// How many blocks are read ahead.
const BLOCKS_AHEAD: usize = 2;

/// How the store goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Epoch {
    /// In a new epoch: the other log may go on as well.
    New,
    /// In the same epoch: the other log has ended.
    Same,
}

/// Why an export was not imported, or not to its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// The file is not what was exported. What was right before that has been taken in.
    #[error("{}: {fault}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        fault: Fault,
    },
    /// A row that says too little.
    #[error(transparent)]
    NoRow(#[from] NoRow),
    /// A log is rebuilt from all of its streams.
    #[error("{} holds the stream `{stream}` alone, and a store is rebuilt from all; append it to a server (--server)", path.display())]
    OneStream {
        /// The file.
        path: PathBuf,
        /// Whose events it holds.
        stream: String,
    },
    /// There is something in the directory that is no store.
    #[error("{} is neither empty nor a store: it holds {found}", path.display())]
    NotEmpty {
        /// The directory.
        path: PathBuf,
        /// The name of something in it.
        found: String,
    },
    /// The store is another log.
    #[error("{} holds the log {here}, and the export is of the log {there}", path.display())]
    AnotherLog {
        /// The directory.
        path: PathBuf,
        /// Its log.
        here: uuid::Uuid,
        /// The log of the export.
        there: uuid::Uuid,
    },
    /// Something is missing in between.
    #[error("the store ends before position {next}, and the export begins at {from}: what is between them is missing")]
    Gap {
        /// What comes next in the store.
        next: Position,
        /// The first position of the export.
        from: u64,
    },
    /// What is here is of another epoch, and the export does not begin where both can be compared.
    #[error(
        "the store is in epoch {here} and the export in epoch {there}, so it has to begin at position 0: only then it is \
         seen whether both have the same history"
    )]
    AnotherEpoch {
        /// The epoch of the store.
        here: u32,
        /// The epoch of the export.
        there: u32,
    },
    /// Something else is being taken in there.
    #[error("{} is a replica of {of}, and not what an export is imported into", .path.display())]
    OtherReplica {
        /// The directory.
        path: PathBuf,
        /// What it is a replica of.
        of: String,
    },
    /// The store cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The store does not take the rows.
    #[error(transparent)]
    Replicate(#[from] ReplicateError),
}

/// What a store says it is a replica of until it has all of an export.
const EXPORT: &str = "the export ";

/// Opens the store in this directory, or makes one there, that becomes what this export is of. It may have been `opened`
/// for an export before it.
///
/// # Errors
/// When something else is there.
pub fn open(
    data: &Path,
    file: &Path,
    header: &Header,
    now: Timestamp,
    opened: Option<&Store>,
) -> Result<Store, ImportError> {
    if let Some(stream) = &header.stream {
        return Err(ImportError::OneStream { path: file.to_path_buf(), stream: stream.clone() });
    }
    let store = match opened {
        Some(opened) => opened.clone(),
        None => {
            check_empty(data)?;
            let of = format!("{EXPORT}{}", file.display());
            let new = NewStore { log: header.log, epoch: header.epoch, created: now, replica_of: Some(of) };
            Store::open_or_make(&Options::new(data), &new)?.0
        }
    };
    if let Some(of) = store.replica_of().filter(|of| !of.starts_with(EXPORT)) {
        return Err(ImportError::OtherReplica { path: data.to_path_buf(), of: of.to_string() });
    }
    let here = store.identity().log;
    if here != header.log {
        return Err(ImportError::AnotherLog { path: data.to_path_buf(), here, there: header.log });
    }
    Ok(store)
}

/// Nobody wants a store among other files.
pub(super) fn check_empty(data: &Path) -> Result<(), ImportError> {
    /// What there may be: a store, or the beginning of one.
    const OURS: [&str; 7] = ["lock", "sled", "chunks", "everfeed", "everfeed.new", "closed", "ballast"];
    let Ok(entries) = std::fs::read_dir(data) else { return Ok(()) };
    let mut names = entries.filter_map(Result::ok).map(|entry| entry.file_name().to_string_lossy().into_owned());
    match names.find(|name| !OURS.contains(&name.as_str())) {
        Some(found) if !data.join("everfeed").exists() => {
            Err(ImportError::NotEmpty { path: data.to_path_buf(), found })
        }
        _ => Ok(()),
    }
}

/// Takes in all rows of an export; those that are here already are compared. `progress` hears the position that comes
/// next. Returns that after the last row.
///
/// # Errors
/// When the file is not what was exported, or is not of this log.
pub async fn take_in(
    store: &Store,
    file: &Path,
    reader: Reader,
    mut progress: impl FnMut(Position),
) -> Result<Position, ImportError> {
    let header = reader.header().clone();
    let next = store.view().log().next;
    if next.get() < header.from {
        return Err(ImportError::Gap { next, from: header.from });
    }
    let (here, there) = (store.identity().epoch, header.epoch);
    let is_replica = store.replica_of().is_some();
    if is_replica && here != there && (header.from > 0 || there < here) {
        return Err(ImportError::AnotherEpoch { here, there });
    }
    let (known, mut is_of_its_epoch) = (next, here == there || !is_replica);
    let mut blocks = read_ahead(reader);
    let mut rows = Rows::default();
    let mut next = next;
    while let Some(block) = blocks.recv().await {
        let block = block.map_err(|fault| ImportError::Unreadable { path: file.to_path_buf(), fault })?;
        let block: Result<Vec<Row>, NoRow> = block.events.into_iter().map(|event| rows.of(event)).collect();
        let block = block?;
        let end = block.last().map_or(Position::ZERO, |row| row.position.plus(1));
        next = store.replicate(block).await?;
        if !is_of_its_epoch && known <= end {
            // Up to its own end it has the same history.
            let of = format!("{EXPORT}{}", file.display());
            store.turn(Role::Replica { of, epoch: there }).await?;
            is_of_its_epoch = true;
        }
        progress(next);
    }
    Ok(next)
}

/// All files are in the store: it takes appends from now on.
///
/// # Errors
/// When that cannot be made durable.
pub async fn finish(store: &Store, epoch: Epoch) -> Result<Identity, ImportError> {
    if store.replica_of().is_none() {
        // It was turned by an import that was run before.
        return Ok(store.identity());
    }
    let role = match epoch {
        Epoch::New => Role::Promoted,
        Epoch::Same => Role::Complete,
    };
    Ok(store.turn(role).await?)
}

/// Reads an export on a thread of its own, ahead of who takes its blocks.
pub fn read_ahead(mut reader: Reader) -> mpsc::Receiver<Result<Block, Fault>> {
    let (sender, receiver) = mpsc::channel(BLOCKS_AHEAD);
    tokio::task::spawn_blocking(move || {
        while let Some(block) = reader.next_block().transpose() {
            let is_last = block.is_err();
            // Nobody waits for it any more if the import has failed.
            if sender.blocking_send(block).is_err() || is_last {
                break;
            }
        }
    });
    receiver
}
