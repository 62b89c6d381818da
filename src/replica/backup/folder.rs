//! The directory of a backup: what lies where, and when which file may go.

use std::collections::{HashMap, HashSet};
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use super::BackupError;
use super::manifest::{Chunk, Facts, Fault, Head, Manifest, line, read};
use crate::store::failpoint;

const MANIFEST: &str = "manifest";
const UNFINISHED: &str = "unfinished";
const CHUNKS: &str = "chunks";
const LOCK: &str = "lock";
const TAIL: &str = "tail.";
const USERS: &str = "users.";
const PART: &str = ".part";

/// The directory of a backup, for the one command that works in it.
pub struct Folder {
    root: PathBuf,
    /// Locked until it is dropped. None where nothing can be written, so that nobody else does either.
    _lock: Option<File>,
    manifest: Option<Manifest>,
}

impl Folder {
    /// To back up to. It is made if it is not there; what is in it may only be a backup.
    ///
    /// # Errors
    /// When something else is in it, or it cannot be written.
    pub fn to_write(root: &Path) -> Result<Self, BackupError> {
        // What is in there is nobody else's to read.
        let chunks = root.join(CHUNKS);
        check_ours(root)?;
        DirBuilder::new().recursive(true).mode(0o700).create(&chunks).map_err(BackupError::file(&chunks))?;
        let path = root.join(LOCK);
        let lock = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let lock = lock.map_err(BackupError::file(&path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(BackupError::InUse(root.to_path_buf())),
            Err(TryLockError::Error(error)) => return Err(BackupError::File { path, error }),
        }
        let manifest = read_manifest(root)?;
        Ok(Self { root: root.to_path_buf(), _lock: Some(lock), manifest })
    }

    /// To read from: what the backup there holds.
    ///
    /// # Errors
    /// When there is none, or a backup is being made there.
    pub fn to_read(root: &Path) -> Result<(Self, Manifest), BackupError> {
        // It may lie where nothing can be written.
        let lock = File::open(root.join(LOCK)).ok();
        match lock.as_ref().map(File::try_lock_shared) {
            Some(Err(TryLockError::WouldBlock)) => return Err(BackupError::InUse(root.to_path_buf())),
            None | Some(Ok(()) | Err(TryLockError::Error(_))) => {}
        }
        let manifest = read_manifest(root)?.ok_or_else(|| BackupError::NoBackup(root.to_path_buf()))?;
        Ok((Self { root: root.to_path_buf(), _lock: lock, manifest: Some(manifest.clone()) }, manifest))
    }

    /// Where it is.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The complete backup that is there.
    #[must_use]
    pub fn manifest(&self) -> Option<&Manifest> {
        self.manifest.as_ref()
    }

    pub(super) fn chunk(&self, facts: &Facts) -> PathBuf {
        self.root.join(CHUNKS).join(facts.file_name())
    }

    pub(super) fn part(&self, facts: &Facts) -> PathBuf {
        self.root.join(CHUNKS).join(facts.file_name() + PART)
    }

    /// The name of the tail of the backup with this number.
    pub(super) fn tail_name(number: u64) -> String {
        format!("{TAIL}{number}")
    }

    /// The name of the file of users of the backup with this number.
    pub(super) fn users_name(number: u64) -> String {
        format!("{USERS}{number}")
    }

    /// Which chunks are here whole, by first position and generation: those of the backup, and those that one which was
    /// cut short has copied. Each with the epoch in which it was copied.
    pub(super) fn known(&self) -> HashMap<(u64, u32), (Chunk, u32)> {
        let of_backup = self
            .manifest
            .iter()
            .flat_map(|manifest| manifest.chunks.iter().map(|chunk| (chunk.clone(), manifest.head.epoch)));
        let unfinished = read_unfinished(&self.root.join(UNFINISHED));
        let of_unfinished = unfinished.into_iter().flat_map(|(head, chunks)| {
            let is_of_this_log = self.manifest.as_ref().is_none_or(|manifest| manifest.head.log == head.log);
            let chunks = if is_of_this_log { chunks } else { Vec::new() };
            chunks.into_iter().map(move |chunk| (chunk, head.epoch))
        });
        let is_here =
            |chunk: &Chunk| fs::metadata(self.chunk(&chunk.facts)).is_ok_and(|file| file.len() == chunk.facts.bytes);
        let known = of_unfinished.chain(of_backup).filter(|(chunk, _)| is_here(chunk));
        known.map(|(chunk, epoch)| ((chunk.facts.first, chunk.facts.generation), (chunk, epoch))).collect()
    }

    /// The log of a backup that was cut short here before any was complete.
    pub(super) fn log(&self) -> Option<uuid::Uuid> {
        let unfinished = || read_unfinished(&self.root.join(UNFINISHED)).map(|(head, _)| head.log);
        self.manifest.as_ref().map(|manifest| manifest.head.log).or_else(unfinished)
    }

    /// Begins, or goes on with, the list of what is copied before the manifest says so.
    pub(super) fn list_unfinished(&self, head: &Head) -> Result<File, BackupError> {
        let path = self.root.join(UNFINISHED);
        let is_of_the_same =
            read_unfinished(&path).is_some_and(|(known, _)| (known.log, known.epoch) == (head.log, head.epoch));
        let opened = OpenOptions::new().create(true).append(true).open(&path).and_then(|mut file| {
            if !is_of_the_same {
                file.set_len(0)?;
                file.write_all(&line(head))?;
            } else if fs::read(&path)?.last() != Some(&b'\n') {
                // A crash may have cut the last line short.
                file.write_all(b"\n")?;
            }
            Ok(file)
        });
        opened.map_err(BackupError::file(&path))
    }

    /// Makes this the backup that is there: all that it names has been synced. What no longer belongs to it goes then.
    pub(super) fn finish(&mut self, manifest: Manifest) -> Result<(), BackupError> {
        let chunks = self.root.join(CHUNKS);
        sync_dir(&chunks).map_err(BackupError::file(&chunks))?;
        let (path, new) = (self.root.join(MANIFEST), self.root.join("manifest.new"));
        let written = File::create(&new).and_then(|mut file| {
            file.write_all(&manifest.encode())?;
            file.sync_all()
        });
        written.map_err(BackupError::file(&new))?;
        failpoint::reached("backup.manifest_written");
        // The directory too, so that whatever the manifest names has its name before the manifest has its own.
        sync_dir(&self.root).map_err(BackupError::file(&self.root))?;
        fs::rename(&new, &path).and_then(|()| sync_dir(&self.root)).map_err(BackupError::file(&path))?;
        failpoint::reached("backup.manifest_named");
        self.manifest = Some(manifest);
        self.tidy()
    }

    /// Removes what the manifest does not name.
    fn tidy(&self) -> Result<(), BackupError> {
        let Some(manifest) = &self.manifest else { return Ok(()) };
        let named: HashSet<String> = manifest.chunks.iter().map(|chunk| chunk.facts.file_name()).collect();
        let is_left = |name: &str| !named.contains(name);
        remove(&self.root.join(CHUNKS), |name| is_chunk(name.strip_suffix(PART).unwrap_or(name)) && is_left(name))?;
        failpoint::reached("backup.chunks_tidied");
        let users = manifest.head.users.as_ref().map(|users| &*users.file);
        let is_named = |name: &str| name == manifest.tail.tail || users == Some(name);
        remove(&self.root, |name| name == UNFINISHED || (is_numbered(name) && !is_named(name)))
    }
}

fn remove(dir: &Path, which: impl Fn(&str) -> bool) -> Result<(), BackupError> {
    for name in names(dir).map_err(BackupError::file(dir))? {
        if which(&name) {
            let path = dir.join(name);
            fs::remove_file(&path).map_err(BackupError::file(&path))?;
        }
    }
    Ok(())
}

fn names(dir: &Path) -> io::Result<Vec<String>> {
    fs::read_dir(dir)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

fn is_chunk(name: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    name.split_once('.').is_some_and(|(first, generation)| is_number(first) && is_number(generation))
}

/// A file that every backup writes anew.
fn is_numbered(name: &str) -> bool {
    let number = name.strip_prefix(TAIL).or_else(|| name.strip_prefix(USERS));
    number.is_some_and(|number| number.parse::<u64>().is_ok())
}

/// Nobody wants a backup among other files.
fn check_ours(root: &Path) -> Result<(), BackupError> {
    const OURS: [&str; 5] = [MANIFEST, "manifest.new", UNFINISHED, CHUNKS, LOCK];
    let names = match names(root) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        names => names.map_err(BackupError::file(root))?,
    };
    match names.into_iter().find(|name| !OURS.contains(&name.as_str()) && !is_numbered(name)) {
        Some(found) => Err(BackupError::NotOurs { path: root.to_path_buf(), found }),
        None => Ok(()),
    }
}

fn read_manifest(root: &Path) -> Result<Option<Manifest>, BackupError> {
    let path = root.join(MANIFEST);
    let bytes = match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        bytes => bytes.map_err(BackupError::file(&path))?,
    };
    match Manifest::decode(&bytes) {
        Ok(manifest) if manifest.head.format > crate::store::FORMAT => Err(BackupError::Newer(root.to_path_buf())),
        Ok(manifest) => Ok(Some(manifest)),
        Err(Fault::Newer) => Err(BackupError::Newer(root.to_path_buf())),
        Err(Fault::Damaged(why)) => Err(BackupError::Damaged { file: MANIFEST.into(), why }),
    }
}

/// What a backup that was cut short has copied: each line was written once its file was on the disk. One that a crash cut
/// short itself is passed over.
fn read_unfinished(path: &Path) -> Option<(Head, Vec<Chunk>)> {
    let bytes = fs::read(path).ok()?;
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
    let head: Head = read(lines.next()?).ok()?;
    Some((head, lines.filter_map(|line| read(line).ok()).collect()))
}

pub(super) fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
