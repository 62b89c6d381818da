//! A state in sled: keys and values of bytes, in a directory, without a library in C.

use std::collections::BTreeMap;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ::sled::{Config, Db, Error, Mode};
use bytes::Bytes;

use super::{Aborted, Records, StateError, StateStore};
use crate::client::{Failure, panic_text};

/// Part of how a store is made; fixed with it. Leaves below a quarter of it stay out of sled's blob files, which sled
/// never syncs.
const SEGMENT_BYTES: usize = 8 << 20;
const CACHE_BYTES: u64 = 64 << 20;

/// What one key and its value may have together: sixteen of them in a leaf stay out of the blob files.
const ENTRY_BYTES_MAX: usize = 64 << 10;

/// A record that is longer, as an event that is parked may be, lies in parts: under its name, and under its name, a zero
/// byte, and the part's number.
const RECORD_PART_BYTES: usize = 32 << 10;

/// sled overwrites segments that only it believes stable, so about this much, and no more than twice of it, is written
/// to its log between two syncs.
const LOG_BYTES_PER_TRANSACTION: usize = 2 << 20;

/// What an insert may cost in sled's log, in multiples of its length: itself, and its share of its leaf written anew.
const LOG_COST_OF_INSERT: usize = 3;
const LOG_COST_OF_CHANGE: usize = 256;

/// A process that was killed may hold sled's lock for a moment longer.
const LOCKED_WAIT: Duration = Duration::from_secs(5);

/// What the keys of the aggregate begin with in sled, and what the records' do.
const STATE: u8 = b's';
const RECORD: u8 = b'r';

/// What stands between the name of a record and the number of its part. Names hold no such byte.
const PART: u8 = 0;

/// A state of keys and values in sled.
///
/// A transaction gathers its changes, each key once however often it was changed, and writes them and the records as
/// one batch, which sled keeps whole or not at all. Before the next transaction the batch is on stable storage: sled's
/// own flush, and then an `fdatasync` of its file. Less would do for counting once, since what is lost is applied
/// again; but without the second, sled does not survive a power cut.
///
/// One process has it open at a time.
#[derive(Debug)]
pub struct Sled {
    inner: Arc<Inner>,
}

/// Reads a state in sled while events are applied, from any thread. It sees each transaction as a whole in every single
/// call, and keeps the store open.
#[derive(Debug, Clone)]
pub struct SledReader {
    inner: Arc<Inner>,
}

/// What an aggregate changes: the state as the transactions before left it, under the changes of this one.
#[derive(Debug)]
pub struct SledState<'t> {
    inner: &'t Inner,
    changes: BTreeMap<Bytes, Option<Bytes>>,
    log_bytes: usize,
}

/// A key and its value are more than the 64 KiB that sled keeps safely.
#[derive(Debug, thiserror::Error)]
#[error("a key of {key_bytes} and a value of {value_bytes} bytes are more than {ENTRY_BYTES_MAX} together")]
pub struct TooLarge {
    key_bytes: usize,
    value_bytes: usize,
}

struct Inner {
    /// None only while it is dropped.
    db: Option<Db>,
    /// sled's own file, for syncing.
    file: File,
    failed: AtomicBool,
}

impl Sled {
    /// Opens or makes a state in a directory of its own. It waits some seconds for a process that has it open.
    ///
    /// # Errors
    ///
    /// It is in use, damaged, or cannot be made.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, StateError> {
        let dir = dir.as_ref();
        std::fs::create_dir_all(dir).map_err(StateError::new)?;
        let path = dir.join("db");
        if let Ok(file) = File::open(&path) {
            file.sync_all().map_err(StateError::new)?;
        }
        let db = open_when_free(dir)?;
        // sled syncs neither the file that says how it was made nor the directory that names it.
        for made in [&dir.join("conf"), dir, dir.parent().unwrap_or(dir)] {
            let is_here = made.as_os_str().is_empty();
            let made = if is_here { Path::new(".") } else { made };
            File::open(made).and_then(|made| made.sync_all()).map_err(StateError::new)?;
        }
        let file = File::open(&path).map_err(StateError::new)?;
        Ok(Self { inner: Arc::new(Inner { db: Some(db), file, failed: AtomicBool::new(false) }) })
    }

    /// Whoever wants to read it while events are applied.
    #[must_use]
    pub fn reader(&self) -> SledReader {
        SledReader { inner: self.inner.clone() }
    }
}

impl SledReader {
    /// The value of a key, after the last transaction.
    ///
    /// # Errors
    ///
    /// sled failed.
    pub fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StateError> {
        self.inner.get(STATE, key)
    }

    /// All keys that begin with `prefix`, in order, and their values. A transaction may come in between.
    ///
    /// # Errors
    ///
    /// sled failed.
    pub fn scan(&self, prefix: &[u8]) -> Result<Vec<(Bytes, Bytes)>, StateError> {
        self.inner.scan(STATE, prefix)
    }
}

impl SledState<'_> {
    /// The value of a key.
    ///
    /// # Errors
    ///
    /// sled failed.
    pub fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StateError> {
        match self.changes.get(key) {
            Some(changed) => Ok(changed.clone()),
            None => self.inner.get(STATE, key),
        }
    }

    /// Sets the value of a key.
    ///
    /// # Errors
    ///
    /// Both are more than 64 KiB together.
    pub fn put(&mut self, key: &[u8], value: impl Into<Bytes>) -> Result<(), TooLarge> {
        let value = value.into();
        if key.len() + value.len() > ENTRY_BYTES_MAX {
            return Err(TooLarge { key_bytes: key.len(), value_bytes: value.len() });
        }
        self.change(key, Some(value));
        Ok(())
    }

    /// Removes a key; it need not be there.
    pub fn remove(&mut self, key: &[u8]) {
        self.change(key, None);
    }

    /// All keys that begin with `prefix`, in order, and their values.
    ///
    /// # Errors
    ///
    /// sled failed.
    pub fn scan(&self, prefix: &[u8]) -> Result<Vec<(Bytes, Bytes)>, StateError> {
        let mut found: BTreeMap<Bytes, Bytes> = self.inner.scan(STATE, prefix)?.into_iter().collect();
        let from = Bytes::copy_from_slice(prefix);
        for (key, value) in self.changes.range(from..).take_while(|(key, _)| key.starts_with(prefix)) {
            match value {
                Some(value) => found.insert(key.clone(), value.clone()),
                None => found.remove(key),
            };
        }
        Ok(found.into_iter().collect())
    }

    fn change(&mut self, key: &[u8], value: Option<Bytes>) {
        let value_bytes = value.as_ref().map_or(0, Bytes::len);
        if let Some(changed) = self.changes.get_mut(key) {
            let before = changed.as_ref().map_or(0, Bytes::len);
            self.log_bytes += LOG_COST_OF_INSERT * value_bytes.saturating_sub(before);
            *changed = value;
            return;
        }
        self.log_bytes += LOG_COST_OF_INSERT * (key.len() + value_bytes) + LOG_COST_OF_CHANGE;
        self.changes.insert(Bytes::copy_from_slice(key), value);
    }
}

impl StateStore for Sled {
    type State<'t> = SledState<'t>;

    fn records(&self, prefix: &str) -> Result<Vec<(String, String)>, StateError> {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).map_err(StateError::new);
        let mut records: Vec<(Bytes, Vec<u8>)> = Vec::new();
        for (name, value) in self.inner.scan(RECORD, prefix.as_bytes())? {
            match name.iter().position(|byte| *byte == PART) {
                None => records.push((name, value.to_vec())),
                // Parts come right after what they belong to. Those of a record that was never completed belong to none.
                Some(end) => {
                    if let Some((_, whole)) = records.last_mut().filter(|(known, _)| *known == name[..end]) {
                        whole.extend_from_slice(&value);
                    }
                }
            }
        }
        records.into_iter().map(|(name, value)| Ok((text(name.to_vec())?, text(value)?))).collect()
    }

    fn transaction(
        &mut self,
        work: impl FnOnce(&mut SledState<'_>) -> Result<Records, Failure>,
    ) -> Result<(), Aborted> {
        let mut state = SledState { inner: &self.inner, changes: BTreeMap::new(), log_bytes: 0 };
        let records = work(&mut state).map_err(Aborted::blaming)?;
        let mut batch = ::sled::Batch::default();
        for (key, value) in &state.changes {
            change(&mut batch, stored(STATE, key), value.as_deref());
        }
        for (name, value) in records.changes() {
            self.inner.change_record(&mut batch, name, value.map(str::as_bytes))?;
        }
        Ok(self.inner.write(batch)?)
    }

    fn is_full(state: &SledState<'_>) -> bool {
        LOG_BYTES_PER_TRANSACTION <= state.log_bytes
    }
}

impl Inner {
    fn db(&self) -> &Db {
        self.db.as_ref().expect("it is there until it is dropped")
    }

    fn get(&self, kind: u8, key: &[u8]) -> Result<Option<Bytes>, StateError> {
        let found = guarded(|| self.db().get(stored(kind, key)))?;
        Ok(found.map(|value| Bytes::copy_from_slice(&value)))
    }

    fn scan(&self, kind: u8, prefix: &[u8]) -> Result<Vec<(Bytes, Bytes)>, StateError> {
        guarded(|| {
            let found = self.db().scan_prefix(stored(kind, prefix));
            found.map(|pair| pair.map(|(key, value)| (copied(&key[1..]), copied(&value)))).collect()
        })
    }

    /// Adds the change of a record to the batch that makes it real. Its further parts are made durable before: not much
    /// may lie between two syncs, and without the first one they are nothing.
    fn change_record(&self, batch: &mut ::sled::Batch, name: &str, value: Option<&[u8]>) -> Result<(), StateError> {
        let mut parts = value.map(|value| value.chunks(RECORD_PART_BYTES)).into_iter().flatten();
        let first = value.map(|_| parts.next().unwrap_or_default());
        let mut count = 0;
        let (mut before, mut bytes) = (::sled::Batch::default(), 0);
        for part in parts {
            count += 1;
            before.insert(part_name(name, count), part);
            bytes += LOG_COST_OF_INSERT * part.len();
            if LOG_BYTES_PER_TRANSACTION <= bytes {
                self.write(std::mem::take(&mut before))?;
                bytes = 0;
            }
        }
        if 0 < bytes {
            self.write(before)?;
        }
        // Of a longer one that was there before.
        for (known, _) in self.scan(RECORD, &[name.as_bytes(), &[PART]].concat())? {
            let key = stored(RECORD, &known);
            if part_name(name, count) < key || value.is_none() {
                batch.remove(key);
            }
        }
        change(batch, stored(RECORD, name.as_bytes()), first);
        Ok(())
    }

    /// Writes a batch and makes it durable.
    fn write(&self, batch: ::sled::Batch) -> Result<(), StateError> {
        if self.failed.load(Ordering::SeqCst) {
            return Err(StateError::new("sled failed before, and was not opened again"));
        }
        let written = guarded(|| self.db().apply_batch(batch))
            .and_then(|()| guarded(|| self.db().flush()))
            .and_then(|_| self.file.sync_data().map_err(StateError::new));
        if written.is_err() {
            self.failed.store(true, Ordering::SeqCst);
        }
        written
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(db) = self.db.take() {
            if self.failed.load(Ordering::SeqCst) {
                // Its drop flushes, and would end in a panic.
                std::mem::forget(db);
            } else {
                let _ = catch_unwind(AssertUnwindSafe(|| drop(db)));
            }
        }
    }
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner").field("failed", &self.failed).finish_non_exhaustive()
    }
}

fn open_when_free(dir: &Path) -> Result<Db, StateError> {
    let config = Config::default()
        .path(dir)
        .mode(Mode::HighThroughput)
        .segment_size(SEGMENT_BYTES)
        .cache_capacity(CACHE_BYTES)
        .flush_every_ms(None);
    let started = Instant::now();
    loop {
        match guarded(|| config.open()) {
            // The kind of this error is `Other`; only its text tells.
            Err(error) if error.to_string().contains("could not acquire lock") && started.elapsed() < LOCKED_WAIT => {
                thread::sleep(Duration::from_millis(50));
            }
            opened => return opened,
        }
    }
}

/// Of the further parts, which are counted from 1.
fn part_name(name: &str, part: u32) -> Vec<u8> {
    stored(RECORD, &[name.as_bytes(), &[PART], &part.to_be_bytes()].concat())
}

fn stored(kind: u8, key: &[u8]) -> Vec<u8> {
    [&[kind], key].concat()
}

fn copied(bytes: &[u8]) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

fn change(batch: &mut ::sled::Batch, key: Vec<u8>, value: Option<&[u8]>) {
    match value {
        Some(value) => batch.insert(key, value),
        None => batch.remove(key),
    }
}

/// sled panics over files that it did not expect.
fn guarded<T>(call: impl FnOnce() -> Result<T, Error>) -> Result<T, StateError> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => result.map_err(StateError::new),
        Err(panic) => Err(StateError::new(format!("sled panicked: {}", panic_text(&*panic)))),
    }
}
