//! Backups: the whole log of a server that runs, as files in a directory that a store is made of again.
//!
//! ```text
//! manifest                          what the backup holds, a JSON object a line; see [`Manifest`]. It is replaced at once, and
//!                                   only when all that it names is on the disk: what it says is always there whole
//! chunks/{first}.{generation}       the store's own files, as they are. None ever changes; what the store has written anew is
//!                                   a file of another name
//! tail.{number}                     the events that were in no chunk yet, as groups in the store's own format
//! users.{number}                    who may log in, if that was asked for
//! chunks/{first}.{generation}.part  a file that is being copied
//! unfinished                        which files a backup that was cut short has copied already
//! lock                              held while a command works here
//! ```
//!
//! Reading order: `manifest`, `folder` (the directory), `remote` (the server), `writing` (what came, on the disk), `copy`
//! (a backup), `check` (is it whole?), `restore` (a store made of it).

mod check;
mod copy;
mod folder;
mod manifest;
mod remote;
mod restore;
mod writing;

use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::client::FollowError;
use crate::store::{OpenError, ReadError};

pub use check::{Checked, check};
pub use copy::{Copied, copy};
pub use folder::Folder;
pub use manifest::{Chunk, Head, Manifest, Tail, Users};
pub use restore::{Restored, restore};

/// Why there is no backup, or nothing was made of it.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Another command works there.
    #[error("another backup or restore works in {}", .0.display())]
    InUse(PathBuf),
    /// There is something else in the directory.
    #[error("{} is neither empty nor a backup: it holds {found}", path.display())]
    NotOurs {
        /// The directory.
        path: PathBuf,
        /// The name of something in it.
        found: String,
    },
    /// There is no complete backup in the directory.
    #[error("{} holds no complete backup", .0.display())]
    NoBackup(PathBuf),
    /// A later release made it.
    #[error("{} was made by a later release", .0.display())]
    Newer(PathBuf),
    /// The backup is of another log.
    #[error("{} holds a backup of the log {here}, and the server has the log {there}", path.display())]
    AnotherLog {
        /// The directory.
        path: PathBuf,
        /// The log of the backup.
        here: Uuid,
        /// The log of the server.
        there: Uuid,
    },
    /// The backup has what the server does not have.
    #[error(
        "{} holds a backup of another history of this log ({why}): the server was restored or repaired since. Back it up \
         to another directory",
        path.display()
    )]
    AnotherHistory {
        /// The directory.
        path: PathBuf,
        /// What differs.
        why: String,
    },
    /// A file of the backup is not what was copied.
    #[error("the backup is damaged: {file}: {why}")]
    Damaged {
        /// Which file, below the directory.
        file: String,
        /// What is wrong with it.
        why: String,
    },
    /// The server has files that are not what it wrote.
    #[error("the server's data are damaged, so there is no new backup; the one before it, if any, stays as it was: {}", .0.join("; "))]
    DamagedThere(Vec<String>),
    /// A file cannot be read or written here.
    #[error("{}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// The server cannot be asked.
    #[error(transparent)]
    Ask(#[from] FollowError),
    /// The server does not answer, or refuses.
    #[error("{url}: {why}")]
    Refused {
        /// What was asked for.
        url: String,
        /// Why it did not come.
        why: String,
    },
    /// The server no longer keeps what is being copied. Another backup goes on with what has come.
    #[error("the server has given the backup up")]
    Ended,
    /// The new store cannot be made.
    #[error(transparent)]
    Store(#[from] OpenError),
}

impl BackupError {
    fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |error| Self::File { path, error }
    }

    /// A file here fails its checksum, or cannot be read.
    fn of_file(folder: &Path, file: &str, error: ReadError) -> Self {
        match error {
            ReadError::Damaged(why) => Self::Damaged { file: file.to_string(), why: without_name(&why, file) },
            ReadError::Io(why) => Self::File { path: folder.join(file), error: std::io::Error::other(why) },
            indexing @ ReadError::Indexing { .. } => unreachable!("no derived stream is read here: {indexing}"),
        }
    }
}

/// What was found, once where it says itself in which file.
fn without_name(why: &str, file: &str) -> String {
    why.strip_prefix(file).and_then(|rest| rest.strip_prefix(": ")).unwrap_or(why).to_string()
}
