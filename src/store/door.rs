//! The one small door to sled. Nothing else names it, so another ordered key-value engine could stand behind.
//!
//! sled's own flush does not survive a power cut; ours is flush, then `fdatasync` of its file through a handle
//! of our own. A panic inside sled is a storage failure like any other. After a failure the database is
//! leaked, never dropped: its drop would flush once more, and might make real what was answered as unknown.

use std::fs::File;
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use bytes::Bytes;

use super::failpoint;
use super::format::VALUE_BYTES_MAX;

/// Part of how a store is made; fixed with it. Leaves below a quarter of it stay out of sled's blob files.
const SEGMENT_BYTES: usize = 8 << 20;
const CACHE_BYTES: u64 = 64 << 20;

/// sled overwrites segments that only it believes stable, so no more than this may be written to its log
/// between two fdatasyncs.
const LOG_BYTES_UNSYNCED_MAX: usize = 4 << 20;

/// What a value may cost in sled's log, in multiples of its length: itself, and its leaf written anew.
const LOG_COST_OF_INSERT: usize = 3;

/// What a removal may cost in sled's log, in multiples of the value's length: its share of a leaf that is
/// written anew, with what is left in it.
const LOG_COST_OF_REMOVE: usize = 2;

/// What it may cost to move a page: a leaf of small records, and the one that is written anew for it.
const LOG_COST_OF_TIDYING: usize = 64 << 10;

/// After so many changes sled writes a leaf anew.
const CHANGES_PER_LEAF: u32 = 11;

/// Behind all other keys, so its leaf holds nothing larger than a record. Its value says nothing.
const TIDY_KEY: &[u8] = b"z";

/// What any change costs besides.
const LOG_COST_OF_CHANGE: usize = 256;

/// sled or its file failed. What was being written may or may not be there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub(crate) struct Failure {
    pub(crate) cause: Cause,
    text: String,
}

impl Failure {
    /// What was to be done to the files, and why the operating system refused.
    pub(crate) fn of_io(what: &str, error: &io::Error) -> Self {
        failure(what, error)
    }
}

/// Why it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The operating system refused.
    Io(io::ErrorKind),
    /// Somebody else has the files open.
    InUse,
    /// sled found, or stumbled over, what it did not expect in its files.
    Damage,
}

/// Reads, from any thread.
#[derive(Clone)]
pub(crate) struct Door {
    /// All clones share it, so that all of them see what takes its place.
    inner: Arc<ArcSwap<Inner>>,
}

struct Inner {
    /// None only while it is dropped.
    db: Option<sled::Db>,
    /// sled's own file, for syncing.
    file: File,
    failed: AtomicBool,
}

/// Writes; there is one, and one thread has it.
pub(crate) struct Writer {
    door: Door,
    log_bytes_unsynced: usize,
    /// Made to the one leaf that is written anew for tidying.
    changes: u64,
}

/// Changes that become visible together.
#[derive(Default)]
pub(crate) struct Batch {
    batch: sled::Batch,
    log_bytes: usize,
}

impl Batch {
    pub(crate) fn insert(&mut self, key: Vec<u8>, value: Vec<u8>) {
        debug_assert!(value.len() <= VALUE_BYTES_MAX, "sled would put it into a file that it never syncs");
        self.log_bytes += LOG_COST_OF_INSERT * (key.len() + value.len()) + LOG_COST_OF_CHANGE;
        self.batch.insert(key, value);
    }

    /// `value_bytes`: how long the value is that goes.
    pub(crate) fn remove(&mut self, key: Vec<u8>, value_bytes: usize) {
        self.log_bytes += LOG_COST_OF_REMOVE * (key.len() + value_bytes) + LOG_COST_OF_CHANGE;
        self.batch.remove(key);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.log_bytes == 0
    }

    /// Whether the batch takes about all that may be written between two syncs.
    pub(crate) fn is_full(&self) -> bool {
        self.log_bytes >= LOG_BYTES_UNSYNCED_MAX / 2
    }
}

impl Door {
    /// Opens or makes the database in `dir`. After an unclean stop its file is synced and its cached pages are
    /// dropped first, so that what is read, and published, is what the disk holds.
    pub(crate) fn open(dir: &Path) -> Result<(Self, Writer), Failure> {
        let path = dir.join("db");
        if let Ok(file) = File::open(&path) {
            file.sync_all().map_err(|error| failure("sync", &error))?;
            // Advice; where the kernel does not take it, the pages it holds are the ones just synced.
            let _ = rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed);
        }
        read_through(dir).map_err(|error| failure("read", &error))?;
        let config = sled::Config::default()
            .path(dir)
            .mode(sled::Mode::HighThroughput)
            .segment_size(SEGMENT_BYTES)
            .cache_capacity(CACHE_BYTES)
            .flush_every_ms(None);
        let db = guarded(|| config.open())?;
        let file = File::open(&path).map_err(|error| failure("open", &error))?;
        let inner = Inner { db: Some(db), file, failed: AtomicBool::new(false) };
        let door = Self { inner: Arc::new(ArcSwap::from_pointee(inner)) };
        Ok((door.clone(), Writer { door, log_bytes_unsynced: 0, changes: 0 }))
    }

    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Bytes>, Failure> {
        Ok(guarded(|| self.inner.load().db().get(key))?.map(|value| Bytes::copy_from_slice(&value)))
    }

    /// The keys and values that begin with `prefix`, in order, from `from` on, until `each` returns false.
    pub(crate) fn scan(
        &self,
        prefix: &[u8],
        from: &[u8],
        mut each: impl FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), Failure> {
        guarded(|| {
            let inner = self.inner.load_full();
            for pair in inner.db().range(from..) {
                let (key, value) = pair?;
                if !key.starts_with(prefix) || !each(&key, &value) {
                    break;
                }
            }
            Ok(())
        })
    }

    /// As [`Self::scan`], downwards, from `to` (included) on.
    pub(crate) fn scan_down(
        &self,
        prefix: &[u8],
        to: &[u8],
        mut each: impl FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), Failure> {
        guarded(|| {
            let inner = self.inner.load_full();
            for pair in inner.db().range(..=to).rev() {
                let (key, value) = pair?;
                if !key.starts_with(prefix) || !each(&key, &value) {
                    break;
                }
            }
            Ok(())
        })
    }
}

impl Writer {
    /// Writes a batch, syncing before it if it would be too much since the last sync. Not durable yet.
    pub(crate) fn write(&mut self, batch: Batch) -> Result<(), Failure> {
        if self.log_bytes_unsynced > 0 && self.log_bytes_unsynced + batch.log_bytes > LOG_BYTES_UNSYNCED_MAX {
            self.sync()?;
        }
        self.log_bytes_unsynced += batch.log_bytes;
        let written = guarded(|| self.door.inner.load().db().apply_batch(batch.batch));
        self.noticing(written)
    }

    /// Makes all that was written durable.
    pub(crate) fn sync(&mut self) -> Result<(), Failure> {
        let flushed = guarded(|| self.door.inner.load().db().flush());
        self.noticing(flushed)?;
        if !failpoint::skips("skip.fdatasync") {
            let synced = self.door.inner.load().file.sync_data().map_err(|error| failure("fdatasync", &error));
            self.noticing(synced)?;
        }
        self.log_bytes_unsynced = 0;
        Ok(())
    }

    /// Lets sled move this many pages out of its oldest segments, so that these can be used again.
    ///
    /// sled moves one page for each leaf that it writes anew, and leaves the rest to its flusher, which we do not
    /// run since it syncs beside us: what little is alive of a segment would keep the whole of it, nearly one for
    /// every chunk. So one small leaf is written anew again and again.
    pub(crate) fn tidy(&mut self, pages: u32) -> Result<(), Failure> {
        if pages == 0 {
            return Ok(());
        }
        let log_bytes = LOG_COST_OF_TIDYING * pages as usize;
        if self.log_bytes_unsynced > 0 && self.log_bytes_unsynced + log_bytes > LOG_BYTES_UNSYNCED_MAX {
            self.sync()?;
        }
        self.log_bytes_unsynced += log_bytes;
        let first = self.changes;
        self.changes += u64::from(pages * CHANGES_PER_LEAF);
        let inner = self.door.inner.load_full();
        let tidied = guarded(|| {
            // Each with another value: sled passes over a change that changes nothing.
            for change in first..self.changes {
                inner.db().insert(TIDY_KEY, &change.to_be_bytes())?;
            }
            Ok(())
        });
        self.noticing(tidied)
    }

    fn noticing<T>(&self, result: Result<T, Failure>) -> Result<T, Failure> {
        if result.is_err() {
            self.door.inner.load().failed.store(true, Ordering::SeqCst);
        }
        result
    }

    /// Goes on with another database, which holds the same; all readers do. What is not synced yet of this one is given up
    /// with it.
    pub(crate) fn replace(&mut self, (door, writer): (Door, Self)) {
        self.door.inner.store(door.inner.load_full());
        let Self { log_bytes_unsynced, changes, .. } = writer;
        (self.log_bytes_unsynced, self.changes) = (log_bytes_unsynced, changes);
    }
}

impl Inner {
    fn db(&self) -> &sled::Db {
        self.db.as_ref().expect("it is there until it is dropped")
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(db) = self.db.take() {
            if self.failed.load(Ordering::SeqCst) {
                std::mem::forget(db);
            } else {
                // Its drop flushes; a panic in it must not take down whoever closes the store.
                let _ = catch_unwind(AssertUnwindSafe(|| drop(db)));
            }
        }
    }
}

/// Reads all of sled's files once. What it cannot read sled takes for the end of its log, and what comes behind that it
/// overwrites; so a disk that fails for a moment would cost what it holds.
fn read_through(dir: &Path) -> io::Result<()> {
    const PIECE_BYTES: usize = 1 << 20;
    let entries = match std::fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    let mut piece = vec![0; PIECE_BYTES];
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            let mut file = File::open(entry.path())?;
            while file.read(&mut piece)? > 0 {}
        }
    }
    Ok(())
}

fn guarded<T>(call: impl FnOnce() -> sled::Result<T>) -> Result<T, Failure> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => Ok(value),
        // The kind of this error is `Other`; only its text tells.
        Ok(Err(sled::Error::Io(error))) if error.to_string().contains("could not acquire lock") => {
            Err(Failure { cause: Cause::InUse, text: format!("sled: {error}") })
        }
        Ok(Err(sled::Error::Io(error))) => Err(failure("use", &error)),
        Ok(Err(error)) => Err(Failure { cause: Cause::Damage, text: format!("sled: {error}") }),
        Err(panic) => {
            let text = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("no message");
            let text = format!("sled panicked: {}", text.lines().next().unwrap_or_default());
            Err(Failure { cause: Cause::Damage, text })
        }
    }
}

fn failure(what: &str, error: &io::Error) -> Failure {
    Failure { cause: Cause::Io(error.kind()), text: format!("{what} of sled's file: {error}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests_support::noise;

    /// sled moves leaves of 2 MiB and more into files that it never syncs; one lost file once lost a store.
    #[test]
    fn values_at_the_limit_never_reach_the_blob_files_that_sled_does_not_sync() {
        let dir = tempfile::tempdir().expect("a directory");
        let (door, mut writer) = Door::open(dir.path()).expect("opens");
        let key = |n: u64| n.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes().to_vec();
        for round in 0..6 {
            for start in (0..240).step_by(20) {
                let mut batch = Batch::default();
                for n in start..start + 20 {
                    batch.insert(key(n), noise(n + round * 1_000, VALUE_BYTES_MAX));
                }
                writer.write(batch).expect("writes");
            }
            let mut batch = Batch::default();
            for n in (0..240).filter(|n| n % 7 != round) {
                batch.remove(key(n), VALUE_BYTES_MAX);
            }
            writer.write(batch).expect("removes");
            writer.sync().expect("syncs");
            assert_eq!(std::fs::read_dir(dir.path().join("blobs")).expect("sled makes it").count(), 0);
        }
        let mut keys = 0;
        door.scan(&[], &[], |_, value| {
            keys += 1;
            assert_eq!(value.len(), VALUE_BYTES_MAX);
            true
        })
        .expect("scans");
        assert_eq!(keys, (0..240).filter(|n| n % 7 == 5).count());
    }

    #[test]
    fn scans_keep_to_their_prefix_and_stop_when_told() {
        let dir = tempfile::tempdir().expect("a directory");
        let (door, mut writer) = Door::open(dir.path()).expect("opens");
        let mut batch = Batch::default();
        for key in [&b"a1"[..], b"a2", b"a3", b"b1"] {
            batch.insert(key.to_vec(), key.to_vec());
        }
        writer.write(batch).expect("writes");
        let mut seen = Vec::new();
        door.scan(b"a", b"a2", |key, _| {
            seen.push(key.to_vec());
            true
        })
        .expect("scans");
        door.scan_down(b"a", b"a\xff", |key, _| {
            seen.push(key.to_vec());
            key != b"a2"
        })
        .expect("scans");
        assert_eq!(seen, [b"a2", b"a3", b"a3", b"a2"]);
    }
}
