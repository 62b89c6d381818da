//! A store made of a backup. Nothing of the backup is changed; every file is compared with its digest on the way.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::BackupError;
use super::folder::{Folder, sync_dir};
use super::manifest::{Chunk, Manifest, Tail, Users, hex};
use crate::event::Timestamp;
use crate::replica::import::Epoch;
use crate::store::{Group, Identity, NewStore, ReadError, Restore, failpoint, file_digest};

/// Where a server looks for who may log in, unless its settings name another file.
const USERS: &str = "users.json";

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// How many events.
    pub events: u64,
    /// Which log the store is now.
    pub identity: Identity,
    /// What it is a replica of, if the store that was backed up was one.
    pub replica_of: Option<String>,
    /// Whether who may log in was restored too.
    pub has_users: bool,
}

/// Makes a store in the directory `into`, which is empty or not there yet. `progress` hears of bytes written, and bytes in
/// all.
///
/// The server that was backed up may have acknowledged events since, which are lost here: so a new epoch begins, unless it
/// is said that it took none. A replica has lost nothing, since the server that it follows has it all, and stays what it is.
///
/// # Errors
/// When the backup is not whole, or the store cannot be made. To restore again goes on.
pub fn restore(
    root: &Path,
    into: &Path,
    epoch: Epoch,
    now: Timestamp,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Restored, BackupError> {
    let (folder, Manifest { head, chunks, tail }) = Folder::to_read(root)?;
    let begins_new = epoch == Epoch::New && head.replica_of.is_none();
    let identity = Identity { log: head.log, epoch: head.epoch.saturating_add(u32::from(begins_new)) };
    let new = NewStore { log: head.log, epoch: identity.epoch, created: now, replica_of: head.replica_of.clone() };
    let mut restore = Restore::begin(into, &new)?;
    let total = chunks.iter().map(Chunk::bytes).sum::<u64>() + tail.bytes;
    let mut done = 0;
    for chunk in &chunks {
        let damaged = |why: String| BackupError::Damaged { file: chunk.path(), why };
        let sealed = chunk.facts.sealed().map_err(|error| damaged(error.to_string()))?;
        let to = restore.path(&sealed);
        if !is_here(&to, chunk) {
            copy(&folder.chunk(&chunk.facts), &to, chunk)?;
        }
        failpoint::reached("restore.chunk_copied");
        restore.chunk(&sealed)?;
        done += chunk.bytes();
        progress(done, total);
    }
    remove_others(into, &chunks)?;
    groups(root, &tail, |group| Ok(restore.group(group)?))?;
    if let Some(users) = &head.users {
        put_users(root, users, &into.join(USERS))?;
    }
    failpoint::reached("restore.tail_taken");
    let events = restore.finish()?;
    progress(total, total);
    Ok(Restored { events, identity, replica_of: head.replica_of, has_users: head.users.is_some() })
}

/// Whether a restore that was cut short has copied the file.
fn is_here(path: &Path, chunk: &Chunk) -> bool {
    fs::metadata(path).is_ok_and(|file| file.len() == chunk.bytes())
        && file_digest(path).is_ok_and(|digest| hex(&digest) == chunk.sha256)
}

/// Copies a file, synced, if it is what it should be.
fn copy(from: &Path, to: &Path, chunk: &Chunk) -> Result<(), BackupError> {
    let mut input = File::open(from).map_err(|error| unopened(from, chunk.path(), error))?;
    let mut output = File::create(to).map_err(BackupError::file(to))?;
    let (mut hasher, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        match input.read(&mut buffer).map_err(BackupError::file(from))? {
            0 => break,
            bytes => {
                hasher.update(&buffer[..bytes]);
                output.write_all(&buffer[..bytes]).map_err(BackupError::file(to))?;
            }
        }
    }
    if hex(&hasher.finalize()) != chunk.sha256 {
        let why = "it is not what was copied: its SHA-256 is another".into();
        return Err(BackupError::Damaged { file: chunk.path(), why });
    }
    output.sync_all().map_err(BackupError::file(to))
}

/// A file that is not there is damage; one that cannot be read may be read later.
fn unopened(path: &Path, file: String, error: std::io::Error) -> BackupError {
    match error.kind() {
        std::io::ErrorKind::NotFound => BackupError::Damaged { file, why: "it is missing".into() },
        _ => BackupError::File { path: path.to_path_buf(), error },
    }
}

/// What a restore of another backup left here goes.
fn remove_others(into: &Path, chunks: &[Chunk]) -> Result<(), BackupError> {
    let dir = into.join("chunks");
    let named: std::collections::HashSet<String> = chunks.iter().map(|chunk| chunk.facts.file_name()).collect();
    for entry in fs::read_dir(&dir).map_err(BackupError::file(&dir))? {
        let entry = entry.map_err(BackupError::file(&dir))?;
        if !named.contains(&*entry.file_name().to_string_lossy()) {
            fs::remove_file(entry.path()).map_err(BackupError::file(&entry.path()))?;
        }
    }
    sync_dir(&dir).map_err(BackupError::file(&dir))
}

/// Copies who may log in, for the eyes of the owner alone.
fn put_users(root: &Path, users: &Users, to: &Path) -> Result<(), BackupError> {
    let bytes = whole(root, &users.file, users.bytes, &users.sha256)?;
    let written =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(to).and_then(|mut file| {
            file.write_all(&bytes)?;
            file.sync_all()
        });
    written.map_err(BackupError::file(to))
}

/// A small file, if it is what was copied.
fn whole(root: &Path, file: &str, bytes: u64, sha256: &str) -> Result<Bytes, BackupError> {
    let path = root.join(file);
    let found = fs::read(&path).map_err(|error| unopened(&path, file.into(), error))?;
    if found.len() as u64 == bytes && hex(&Sha256::digest(&found)) == sha256 {
        return Ok(found.into());
    }
    let why = "it is not what was copied: its SHA-256 is another".into();
    Err(BackupError::Damaged { file: file.into(), why })
}

/// Passes the groups of the tail, in order.
fn groups(
    root: &Path,
    tail: &Tail,
    mut each: impl FnMut(&Group) -> Result<(), BackupError>,
) -> Result<(), BackupError> {
    let mut bytes = whole(root, &tail.tail, tail.bytes, &tail.sha256)?;
    while !bytes.is_empty() {
        let group = Group::read(&bytes).map_err(|error: ReadError| BackupError::of_file(root, &tail.tail, error))?;
        each(&group)?;
        bytes = bytes.slice(group.bytes()..);
    }
    Ok(())
}
