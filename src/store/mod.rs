//! Durable events: every append is persisted in sled before it is acknowledged; what has grown old moves, in
//! large pieces, into immutable files that sled names. The only module that names sled.
//!
//! Reading order: `format` (what is on disk), `door` (sled), `registry` (what it holds beside events), `derived` (streams
//! kept by reference), `segment` (the tail in memory), `chunk_file` and `chunks` (old events), `ids` (event ids for ever),
//! `names` (of all streams), `retentions` (what settings and deletions leave), `erasures`, `keeper`, `view` (what readers
//! see; `removal`, what it leaves out; `runs`, its sealed part; `times`, what came when; `growth`, `size`, `summary` and
//! `related`, what people ask), `shared`, `queue`, `decide` and `replicate` (what becomes a group), `writer` and `sealer`
//! (the two threads), `scavenger` (a third), `compaction`, `aging`, `recovery`, `tail`, `leftovers` and `migration`
//! (opening), `verify`, `repair` and `backup`.
//!
//! One append on its way: [`Store::append`] looks its ids up in the chunks and queues it; the writer thread
//! decides it together with what else waits, encodes the group, writes it to sled, flushes and syncs, publishes
//! the new view, wakes waiters and answers. When a segment of the tail is complete the sealer writes it as a
//! chunk file; the writer lets sled name the file, publishes the view without the segment, and deletes its groups.
//! Of what is truncated, deleted or erased later the scavenger gives the space back: it writes the chunk's next generation.

mod error;
mod format;
mod door;
mod registry;
mod ids;
mod names;
mod derived;
mod segment;
mod chunk_file;
mod chunks;
mod retentions;
mod erasures;
mod keeper;
mod view;
mod removal;
mod runs;
mod times;
mod growth;
mod size;
mod summary;
mod related;
mod waiters;
mod shared;
mod queue;
mod verbs;
mod disk;
mod clock;
mod directory;
mod recovery;
mod tail;
mod leftovers;
mod migration;
mod decide;
mod replicate;
mod writer;
mod sealer;
mod scavenger;
mod compaction;
mod aging;
pub(crate) mod failpoint;
mod verify;
mod repair;
mod backup;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod tests_support;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::event::{Derived, Source, Timestamp};
use crate::meter::StoreMeters;

use self::clock::ClockGuard;
use self::derived::Indexes;
use self::disk::DiskGuard;
use self::format::Closed;
use self::format::group::Encoder;
use self::ids::Fingerprints;
use self::queue::{Queue, QueueLimits};
use self::recovery::Opened;
use self::scavenger::Scavenger;
use self::shared::Shared;
use self::waiters::Waiters;
use self::writer::Writer;

pub use aging::Aging;
pub use backup::{BackupReader, Group, PIECE_BYTES, Restore, SealedChunk, Snapshot, check_bytes, file_digest};
pub use derived::Kinds;
pub use directory::holds_store;
pub use disk::{Reserve, Space};
pub use error::{AppendError, OpenError, ReadError};
pub use format::FORMAT;
pub use growth::{Milestone, Spans};
pub use names::Found;
pub use queue::Queued;
pub use recovery::NewStore;
pub use related::{Reach, Related};
pub use removal::Removal;
pub(crate) use repair::LOST_TYPE;
pub use repair::{RepairReport, repair};
pub use replicate::{Left, ReplicateError, Role, Row};
pub use scavenger::{Pass, Scavenging, Thoroughness};
pub use summary::Summary;
pub use verbs::{Append, Delete};
pub use verify::{VerifyReport, verify};
pub use view::{Sizes, View};
pub use waiters::Watch;

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// Its directory; made if it is not there.
    pub data: PathBuf,
    /// Refuse all appends.
    pub read_only: bool,
    /// Memory for decompressed blocks of chunks.
    pub block_cache_bytes: u64,
    /// Appends are refused while less than this is free on the disk.
    pub free_space_floor_bytes: u64,
    /// How many appends may wait for the writer.
    pub queued_appends_max: usize,
    /// What their events may take together, in bytes.
    pub queued_bytes_max: usize,
    /// The derived streams that are kept.
    pub derived: Kinds,
}

impl Options {
    /// The defaults, for a store in this directory.
    #[must_use]
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            data: data.into(),
            read_only: false,
            block_cache_bytes: 96 << 20,
            free_space_floor_bytes: 128 << 20,
            queued_appends_max: 1_000,
            queued_bytes_max: 64 << 20,
            derived: [Derived::Category, Derived::EventType, Derived::Streams].into_iter().collect(),
        }
    }
}

/// What opening found, for one log line.
#[derive(Debug, Clone, Copy)]
pub struct Recovery {
    /// All events of the log.
    pub events: u64,
    /// Those of them that were replayed from the tail.
    pub replayed_events: u64,
    /// Bytes that the tail's groups take in sled.
    pub replayed_bytes: u64,
    /// Sealed chunks.
    pub chunks: usize,
    /// How long it took.
    pub elapsed: Duration,
}

/// Which log this is, and which unbroken history of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The log; shared by its backups and mirrors.
    pub log: Uuid,
    /// A restore or repair that may lack something begins a new one.
    pub epoch: u32,
}

/// Whether appends are accepted, and why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Availability {
    /// They are.
    Writable,
    /// They are not; reads go on.
    ReadOnly {
        /// In a sentence.
        reason: String,
    },
}

/// What keeps appends off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unwritable {
    /// A setting.
    BySetting,
    /// The store takes its events from another log.
    Replica,
    /// Less space is free than is kept in reserve.
    DiskReserve,
    /// A write or a sync failed; the next start recovers.
    StorageFailed,
}

/// A store that is open. Cheap to clone; closed by [`Store::close`], or when the last clone is dropped.
#[derive(Clone)]
pub struct Store {
    running: Arc<Running>,
}

struct Running {
    shared: Arc<Shared>,
    threads: Mutex<Option<Threads>>,
}

struct Threads {
    writer: JoinHandle<door::Writer>,
    sealer: JoinHandle<()>,
    builder: JoinHandle<()>,
    scavenger: JoinHandle<()>,
    ringer: JoinHandle<()>,
    directory: directory::Directory,
}

impl Store {
    /// Opens the store, or makes one in an empty directory. Blocks; a large store takes seconds.
    ///
    /// `new_log` and `now` become the identity and the creation time of a store that is made.
    ///
    /// # Errors
    /// When the directory is in use, of a newer format, damaged, or cannot be used.
    pub fn open(options: &Options, new_log: Uuid, now: Timestamp) -> Result<(Self, Recovery), OpenError> {
        Self::open_or_make(options, &NewStore { log: new_log, epoch: 0, created: now, replica_of: None })
    }

    /// Opens the store, or makes this one in an empty directory.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_or_make(options: &Options, new: &NewStore) -> Result<(Self, Recovery), OpenError> {
        let started = Instant::now();
        let opened = recovery::open(options, new)?;
        let recovery = Recovery {
            events: opened.state.log.next.get(),
            replayed_events: opened.replayed_events,
            replayed_bytes: opened.replayed_bytes,
            chunks: opened.state.sealed.chunks.len(),
            elapsed: started.elapsed(),
        };
        let storage = |error: std::io::Error| OpenError::Storage(error.to_string());
        Ok((Self::start(opened, options).map_err(storage)?, recovery))
    }

    fn start(opened: Opened, options: &Options) -> std::io::Result<Self> {
        let Opened { directory, door, writer, meta, replica_of, chunks, names, state, cuts, groups, .. } = opened;
        let (waiters, rung) = Waiters::new();
        let availability = if options.read_only {
            Availability::ReadOnly { reason: "the setting read_only is on".into() }
        } else {
            Availability::Writable
        };
        // A store that is not written to has no chunks named, so it seals nothing either.
        let complete: Vec<_> = match options.read_only {
            true => Vec::new(),
            false => state.tail.iter().rev().skip(1).rev().cloned().collect(),
        };
        let shared = Arc::new(Shared {
            log: meta.log,
            epoch: AtomicU32::new(meta.epoch),
            replica_of: ArcSwapOption::new(replica_of.map(Arc::new)),
            turned: Notify::new(),
            state: ArcSwap::from_pointee(state),
            door,
            chunks,
            kinds: options.derived,
            indexes: Indexes::new(directory.chunks()),
            names,
            queue: Queue::new(QueueLimits {
                appends_max: options.queued_appends_max,
                bytes_max: options.queued_bytes_max,
            }),
            scavenger: Scavenger::default(),
            waiters: waiters.clone(),
            meters: StoreMeters::default(),
            fingerprints: Fingerprints::new(meta.log),
            disk: DiskGuard::new(&options.data, options.free_space_floor_bytes),
            writable: AtomicBool::new(availability == Availability::Writable),
            availability: Mutex::new(availability),
            failed: AtomicBool::new(false),
            closing: AtomicBool::new(false),
        });
        let (sealer, segments) = channel();
        let (builder, nudges) = channel();
        for segment in complete {
            // The receiver lives until the thread below has taken it.
            let _ = sealer.send(segment);
        }
        let writer = Writer {
            shared: shared.clone(),
            door: writer,
            encoder: Encoder::new()?,
            meta,
            mark: directory.root().to_path_buf(),
            groups,
            cuts,
            untidied: 0,
            sealer,
            builder,
            clock: ClockGuard::default(),
        };
        if !options.read_only {
            writer.nudge_builder();
        }
        let (for_sealer, for_builder, for_scavenger) = (shared.clone(), shared.clone(), shared.clone());
        let thread = |name: &str| std::thread::Builder::new().name(name.to_string());
        let threads = Threads {
            writer: thread("writer").spawn(move || writer.run())?,
            sealer: thread("sealer").spawn(move || sealer::run(&for_sealer, &segments))?,
            builder: thread("builder").spawn(move || derived::build::run(&for_builder, &nudges))?,
            scavenger: thread("scavenger").spawn(move || scavenger::run(&for_scavenger))?,
            ringer: thread("ringer").spawn(move || waiters.ring(&rung))?,
            directory,
        };
        Ok(Self { running: Arc::new(Running { shared, threads: Mutex::new(Some(threads)) }) })
    }

    /// Which log this is.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.running.shared.identity()
    }

    /// What is durable now.
    #[must_use]
    pub fn view(&self) -> View {
        View { state: self.running.shared.state.load_full(), shared: self.running.shared.clone() }
    }

    /// Whether appends are accepted: not by a setting, after a failure, or while the disk is nearly full.
    #[must_use]
    pub fn availability(&self) -> Availability {
        self.running.shared.availability()
    }

    /// What keeps appends off now, if anything does.
    #[must_use]
    pub fn unwritable(&self) -> Option<Unwritable> {
        self.running.shared.unwritable()
    }

    /// How much space is free on the disk, and how much is kept in reserve; none if the system does not say.
    #[must_use]
    pub fn reserve(&self) -> Option<Reserve> {
        self.running.shared.disk.reserve()
    }

    /// Whether a write or a sync failed: then nothing more is acknowledged until the store is opened again.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.running.shared.failed.load(Ordering::SeqCst)
    }

    /// Tells when the source gets an event newer than now. Make the watch before the view that decides whether
    /// to wait; then nothing is missed.
    #[must_use]
    pub fn watch(&self, source: &Source) -> Watch {
        self.running.shared.waiters.watch(source)
    }

    /// Asks for space to be given back, in the background, by a pass that begins after now. Returns its id: this one, or
    /// that of a pass that waited already.
    ///
    /// # Errors
    /// When nothing may be written; a disk that is nearly full is no reason.
    pub fn scavenge(&self, id: Uuid, now: Timestamp, thoroughness: Thoroughness) -> Result<Uuid, AppendError> {
        self.running.shared.scavenge(id, now, thoroughness)
    }

    /// What space was given back, and how far that has come.
    #[must_use]
    pub fn scavenging(&self) -> Scavenging {
        self.running.shared.scavenger.progress()
    }

    /// What was counted since it was opened.
    #[must_use]
    pub fn meters(&self) -> &StoreMeters {
        &self.running.shared.meters
    }

    /// What waits for the writer.
    #[must_use]
    pub fn queued(&self) -> Queued {
        self.running.shared.queue.queued()
    }

    /// What the store takes on its disk, and what is free there. Blocks: it looks at every file.
    ///
    /// # Errors
    /// When the operating system does not say.
    pub fn space(&self) -> std::io::Result<Space> {
        self.running.shared.disk.space()
    }

    /// Does what is queued, then closes. Blocks. Views stay readable.
    pub fn close(&self) {
        self.running.close();
    }
}

impl Running {
    fn close(&self) {
        let Some(threads) = self.threads.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        self.shared.closing.store(true, Ordering::SeqCst);
        self.shared.queue.close();
        self.shared.waiters.close();
        self.shared.scavenger.close();
        let writer = threads.writer.join();
        // The writer held the senders of what the sealer and the builder wait for, so they end too.
        let joined = [threads.sealer, threads.builder, threads.ringer].map(JoinHandle::join);
        self.note_closed(writer, &threads.directory);
        // Last: it may have some seconds to go, which nobody else has to wait for.
        if joined.iter().any(Result::is_err) || threads.scavenger.join().is_err() {
            tracing::error!("a thread of the store panicked");
        }
    }

    /// Notes that everything was written in order, so that the next start can tell whether something is missing.
    fn note_closed(&self, writer: std::thread::Result<door::Writer>, directory: &directory::Directory) {
        let Ok(mut door) = writer else {
            tracing::error!("the writer panicked; the next start recovers");
            return;
        };
        if self.shared.failed.load(Ordering::SeqCst) || door.sync().is_err() {
            return;
        }
        let Ok(registry) = registry::checksum(&self.shared.door) else {
            tracing::error!("what sled holds cannot be read any more; `everfeed verify` tells more");
            return;
        };
        let closed = Closed { next: self.shared.state.load().log.next, registry: Some(registry) };
        if let Err(error) = directory.note_closed(&closed) {
            tracing::warn!(%error, "could not note that the store was closed in order");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.close();
    }
}
