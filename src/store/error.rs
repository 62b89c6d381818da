//! What can go wrong, by what its reader can do about it.

use std::path::PathBuf;

use crate::event::{Position, Refusal, StreamName};

use super::door::{Cause, Failure};

/// Why an append did not happen, or may not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// By the rules. Nothing was written.
    #[error(transparent)]
    Refused(Refusal),
    /// The append queue is full. Nothing was written; it may be tried again.
    #[error("too many appends are waiting")]
    Overloaded,
    /// The disk is nearly full. Nothing was written; appends are taken again once there is space.
    #[error("the disk is nearly full")]
    DiskFull,
    /// The store takes no writes: by a setting, or after a failed sync. Nothing was written.
    #[error("the store takes no writes: {0}")]
    ReadOnly(String),
    /// The store takes its events from another log alone. Nothing was written.
    #[error(
        "this is a replica of {0}, which takes its events from there alone; `everfeed promote` ends that, and then it \
         takes appends"
    )]
    Replica(String),
    /// The sync that this append waited for failed: it may or may not be there after the next start. To repeat
    /// it with the same ids is safe.
    #[error("the outcome is unknown: {0}")]
    OutcomeUnknown(String),
    /// The event ids could not be looked up. Nothing was written.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl AppendError {
    /// Whether anybody who writes now would be told the same.
    #[must_use]
    pub fn is_for_everybody(&self) -> bool {
        match self {
            Self::Overloaded | Self::DiskFull | Self::ReadOnly(_) | Self::Replica(_) => true,
            Self::Refused(_) | Self::OutcomeUnknown(_) | Self::Read(_) => false,
        }
    }
}

/// Why events could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// What lies there fails its checksum, or is not what the index says.
    #[error("damaged: {0}")]
    Damaged(String),
    /// The operating system refused.
    #[error("cannot be read: {0}")]
    Io(String),
    /// A derived stream whose kind was switched on a while ago: its index is still being built.
    #[error("{stream} is still being built: {done} of {of} events are indexed")]
    Indexing {
        /// The stream.
        stream: StreamName,
        /// As many events of the log are indexed.
        done: Position,
        /// As many are to be.
        of: Position,
    },
}

impl From<Failure> for ReadError {
    fn from(failure: Failure) -> Self {
        match failure.cause {
            Cause::Damage => Self::Damaged(failure.to_string()),
            Cause::Io(_) | Cause::InUse => Self::Io(failure.to_string()),
        }
    }
}

/// Why a store could not be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("{} is in use by process {process}", path.display())]
    InUse {
        /// The data directory.
        path: PathBuf,
        /// The process id that the lock file names.
        process: String,
    },
    /// Made by a later release.
    #[error("the store has format {found}; this release knows formats up to {known}")]
    NewerFormat {
        /// The store's.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// It cannot be opened as it is; `everfeed repair` can rebuild it.
    #[error("the store is damaged: {what}")]
    Damaged {
        /// What was found.
        what: String,
    },
    /// The operating system refused.
    #[error("{0}")]
    Storage(String),
}

impl From<Failure> for OpenError {
    fn from(failure: Failure) -> Self {
        match failure.cause {
            Cause::Damage => Self::Damaged { what: failure.to_string() },
            Cause::Io(_) | Cause::InUse => Self::Storage(failure.to_string()),
        }
    }
}
