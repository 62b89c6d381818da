//! Whether a backup is whole: every file by its digest, every event in it by its own.

use std::path::Path;

use bytes::Bytes;

use super::BackupError;
use super::folder::Folder;
use super::manifest::{Manifest, hex};
use crate::store::{BackupReader, Group, ReadError, file_digest};

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// What the backup holds, by its manifest.
    pub manifest: Manifest,
    /// What is wrong, one sentence each, beginning with the name of the file.
    pub problems: Vec<String>,
}

/// Reads everything in the backup at `root`. `progress` hears of bytes read, and bytes in all.
///
/// # Errors
/// When there is no complete backup.
pub fn check(root: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<Checked, BackupError> {
    let (folder, manifest) = Folder::to_read(root)?;
    let mut problems = Vec::new();
    let (mut done, total) = (0, manifest.bytes());
    let mut reader = BackupReader::new(manifest.head.log);
    // After a file that is not whole nobody knows what the next one has to go on with.
    let mut is_followed = true;
    for chunk in &manifest.chunks {
        let path = folder.chunk(&chunk.facts);
        let read = is_file(&path, chunk.bytes(), &chunk.sha256).and_then(|()| {
            let sealed = chunk.facts.sealed().map_err(|error| error.to_string())?;
            if !is_followed {
                return Ok(());
            }
            reader.chunk(&path, &sealed).map_err(|error| said(&error))
        });
        if let Err(why) = read {
            problems.push(format!("{}: {}", chunk.path(), super::without_name(&why, &chunk.path())));
            is_followed = false;
        }
        done += chunk.bytes();
        progress(done, total);
    }
    let path = root.join(&manifest.tail.tail);
    let read = is_file(&path, manifest.tail.bytes, &manifest.tail.sha256)
        .and_then(|()| if is_followed { tail(&path, &mut reader) } else { Ok(()) });
    if let Err(why) = read {
        problems.push(format!("{}: {why}", manifest.tail.tail));
    } else if is_followed && reader.next().get() != manifest.head.events {
        problems.push(format!("{}: it ends before position {}", manifest.tail.tail, manifest.head.events));
    }
    if let Some(users) = &manifest.head.users
        && let Err(why) = is_file(&root.join(&users.file), users.bytes, &users.sha256)
    {
        problems.push(format!("{}: {why}", users.file));
    }
    progress(total, total);
    Ok(Checked { manifest, problems })
}

fn tail(path: &Path, reader: &mut BackupReader) -> Result<(), String> {
    let mut bytes = Bytes::from(std::fs::read(path).map_err(|error| error.to_string())?);
    while !bytes.is_empty() {
        let group = Group::read(&bytes).map_err(|error| said(&error))?;
        reader.group(&group).map_err(|error| said(&error))?;
        bytes = bytes.slice(group.bytes()..);
    }
    Ok(())
}

/// That a file is the one that was copied.
fn is_file(path: &Path, bytes: u64, sha256: &str) -> Result<(), String> {
    let found = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if found != bytes {
        return Err(format!("it has {found} bytes instead of {bytes}"));
    }
    let digest = file_digest(path).map_err(|error| error.to_string())?;
    if hex(&digest) == sha256 { Ok(()) } else { Err("it is not what was copied: its SHA-256 is another".into()) }
}

fn said(error: &ReadError) -> String {
    match error {
        ReadError::Damaged(why) => why.clone(),
        other => other.to_string(),
    }
}

impl std::fmt::Display for Checked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Manifest { head, chunks, .. } = &self.manifest;
        writeln!(
            f,
            "backup {} of the log {}, epoch {}, taken {}: {} events in {} chunks and a tail",
            head.number,
            head.log,
            head.epoch,
            head.taken,
            head.events,
            chunks.len()
        )?;
        for problem in &self.problems {
            writeln!(f, "problem: {problem}")?;
        }
        match self.problems.len() {
            0 => write!(f, "every file and every event in it is what was copied"),
            1 => write!(f, "1 problem; the next `everfeed backup` to a new directory makes a whole one"),
            count => write!(f, "{count} problems; the next `everfeed backup` to a new directory makes a whole one"),
        }
    }
}
