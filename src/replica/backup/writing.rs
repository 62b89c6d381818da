//! What comes of chunk files, written as it comes: on a thread of its own, so that the next piece is on its way meanwhile.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::BackupError;
use super::folder::Folder;
use super::manifest::{Chunk, Facts, hex, line};
use crate::store::{self, ReadError, failpoint};

/// What is written is synced in pieces of about this size: the syncs that others wait for come behind it in the file
/// system's journal, and would wait for all of it.
const UNSYNCED_BYTES_MAX: u64 = 4 << 20;

/// A file that is to be copied.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) facts: Facts,
    /// As many bytes of it are here already.
    pub(super) from: u64,
    /// What it has to come to, where a part of it was copied earlier.
    pub(super) sha256: Option<String>,
}

/// A piece that came, of the file at this place among the plans.
pub(super) struct Piece {
    pub(super) plan: usize,
    pub(super) bytes: Bytes,
}

/// What became of the files.
#[derive(Default)]
pub(super) struct Written {
    pub(super) chunks: Vec<Chunk>,
    /// What is wrong at the server, one sentence each.
    pub(super) damaged: Vec<String>,
}

/// Writes the files, one after the other, in the order of the plans.
pub(super) fn write(
    folder: &Folder,
    log: Uuid,
    plans: &[Plan],
    mut list: File,
    mut pieces: mpsc::Receiver<Piece>,
) -> Result<Written, BackupError> {
    let mut written = Written::default();
    for (index, plan) in plans.iter().enumerate() {
        let part = folder.part(&plan.facts);
        let mut file = Unfinished::open(&part, plan.from).map_err(BackupError::file(&part))?;
        while file.bytes < plan.facts.bytes {
            // Whoever sends them has failed, and says why.
            let Some(piece) = pieces.blocking_recv() else { return Err(BackupError::Ended) };
            assert_eq!(piece.plan, index, "pieces are sent in the order of the plans");
            file.write(&piece.bytes).map_err(BackupError::file(&part))?;
            failpoint::reached("backup.piece_written");
        }
        let sha256 = file.finish().map_err(BackupError::file(&part))?;
        failpoint::reached("backup.chunk_synced");
        match check(&part, plan, log, &sha256) {
            Ok(()) => {}
            Err(Unlike::Torn) => {
                // What was here of it was no part of it. Without it the next attempt begins anew.
                fs::remove_file(&part).map_err(BackupError::file(&part))?;
                return Err(BackupError::Ended);
            }
            Err(Unlike::Damaged(why)) => {
                fs::remove_file(&part).map_err(BackupError::file(&part))?;
                written.damaged.push(why);
                continue;
            }
            Err(Unlike::Unreadable(error)) => return Err(BackupError::File { path: part, error }),
        }
        let path = folder.chunk(&plan.facts);
        fs::rename(&part, &path).map_err(BackupError::file(&path))?;
        failpoint::reached("backup.chunk_named");
        let chunk = Chunk { facts: plan.facts.clone(), sha256 };
        list.write_all(&line(&chunk)).map_err(BackupError::file(folder.root()))?;
        failpoint::reached("backup.chunk_listed");
        written.chunks.push(chunk);
    }
    Ok(written)
}

/// How a file is not what it should be.
enum Unlike {
    /// A part of it is of another file.
    Torn,
    /// It is so at the server.
    Damaged(String),
    Unreadable(io::Error),
}

fn check(part: &Path, plan: &Plan, log: Uuid, sha256: &str) -> Result<(), Unlike> {
    if plan.sha256.as_ref().is_some_and(|expected| expected != sha256) {
        return Err(Unlike::Torn);
    }
    let chunk = plan.facts.sealed().map_err(|error| Unlike::Damaged(error.to_string()))?;
    store::check_bytes(part, &chunk, log).map_err(|error| match error {
        ReadError::Damaged(why) => Unlike::Damaged(why.replace(".part", "")),
        other => Unlike::Unreadable(io::Error::other(other.to_string())),
    })
}

/// A file that is being written, and the digest of what is in it.
pub(super) struct Unfinished {
    file: File,
    hasher: Sha256,
    pub(super) bytes: u64,
    unsynced: u64,
}

impl Unfinished {
    /// Goes on with a file after its first `from` bytes.
    pub(super) fn open(path: &Path, from: u64) -> io::Result<Self> {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        file.set_len(from)?;
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; 256 << 10];
        file.seek(SeekFrom::Start(0))?;
        loop {
            match file.read(&mut buffer)? {
                0 => break,
                bytes => hasher.update(&buffer[..bytes]),
            }
        }
        Ok(Self { file, hasher, bytes: from, unsynced: 0 })
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hasher.update(bytes);
        self.file.write_all(bytes)?;
        self.bytes += bytes.len() as u64;
        self.unsynced += bytes.len() as u64;
        if UNSYNCED_BYTES_MAX <= self.unsynced {
            self.unsynced = 0;
            self.file.sync_data()?;
        }
        Ok(())
    }

    /// Syncs it; its SHA-256, in hexadecimal digits.
    pub(super) fn finish(self) -> io::Result<String> {
        self.file.sync_all()?;
        Ok(hex(&self.hasher.finalize()))
    }
}
