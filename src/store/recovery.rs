//! Opening a store: what sled and the chunk files hold becomes the first view.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use uuid::Uuid;

use crate::event::{Effect, Erasure, LogHead, Number, Position, Status, StreamHead, StreamName, Timestamp};

use super::chunk_file;
use super::chunks::Chunks;
use super::derived::{Kinds, read_indexed};
use super::directory::{self, Directory, Ending, LOCK_RETRY, Marker};
use super::disk;
use super::door::{self, Batch, Cause, Door};
use super::erasures::Erasures;
use super::format::group::{self, Part};
use super::format::retention::decode_retention;
use super::format::{
    ChunkRecord, Closed, FORMAT, Key, Malformed, Meta, RunRecord, all_runs_prefix, chunk_prefix, erased_prefix,
    group_prefix, retention_prefix, run_prefix,
};
use super::ids::Fingerprints;
use super::leftovers::Leftovers;
use super::migration::{migrate, steps};
use super::names::{Names, SealedNames};
use super::registry;
use super::retentions::Retentions;
use super::segment::Cut;
use super::tail::Tail;
use super::view::{Sealed, State};
use super::writer::Extent;
use super::{OpenError, Options};

/// A store that has been read, before anything runs on it.
pub(crate) struct Opened {
    pub(crate) directory: Directory,
    pub(crate) door: Door,
    pub(crate) writer: door::Writer,
    pub(crate) meta: Meta,
    /// See [`NewStore::replica_of`].
    pub(crate) replica_of: Option<String>,
    pub(crate) chunks: Arc<Chunks>,
    pub(crate) names: Names,
    pub(crate) state: State,
    /// The size of each segment of the tail.
    pub(crate) cuts: VecDeque<Cut>,
    pub(crate) groups: VecDeque<Extent>,
    pub(crate) leftovers: Leftovers,
    pub(crate) replayed_events: u64,
    pub(crate) replayed_bytes: u64,
}

/// What a store gets when it is made.
#[derive(Debug, Clone)]
pub struct NewStore {
    /// Which log it is.
    pub log: Uuid,
    /// Which unbroken history of it; 0 for a log of its own.
    pub epoch: u32,
    /// The clock.
    pub created: Timestamp,
    /// What it is a replica of, for people: a URL, or a file. None for a store that takes appends.
    pub replica_of: Option<String>,
}

/// Opens the store in `options.data` for serving, or makes one there.
pub(crate) fn open(options: &Options, new: &NewStore) -> Result<Opened, OpenError> {
    let directory = Directory::take(&options.data)?;
    let marker = check_marker(&directory)?;
    let is_new = marker.is_none();
    if is_new {
        clear_unfinished(&directory)?;
    }
    directory.end_compaction().map_err(storage)?;
    let replica_of = marker.as_ref().map_or(&new.replica_of, |marker| &marker.replica_of).clone();
    let mut opened = read(directory, options.block_cache_bytes, options.derived, marker.as_ref(), new)?;
    opened.replica_of = replica_of;
    if let Some(marker) = &marker {
        let root = opened.directory.root().to_path_buf();
        migrate(&mut opened, marker, &steps(), |marker| directory::mark(&root, marker).map_err(storage))?;
    }
    opened.meta.opening = opened.meta.opening.saturating_add(1);
    let mut batch = Batch::default();
    batch.insert(Key::Meta.encode(), opened.meta.encode());
    opened.directory.forget_closed().map_err(storage)?;
    opened.writer.write(batch)?;
    opened.writer.sync()?;
    if is_new {
        let Opened { meta, replica_of, .. } = &opened;
        let marker = Marker { format: FORMAT, log: meta.log, replica_of: replica_of.clone() };
        opened.directory.finish(&marker).map_err(storage)?;
    }
    std::mem::take(&mut opened.leftovers).remove(&mut opened.writer)?;
    // A full disk costs the ballast, never the start.
    if let Err(error) = disk::set_ballast(&opened.directory.ballast(), options.free_space_floor_bytes) {
        tracing::warn!(%error, "no ballast could be set aside");
    }
    Ok(opened)
}

/// Opens an existing store to look at it; nothing of it is changed.
pub(crate) fn inspect(directory: Directory) -> Result<Opened, OpenError> {
    let Some(marker) = check_marker(&directory)? else {
        return Err(OpenError::Storage(format!("{} holds no store", directory.root().display())));
    };
    let new = NewStore { log: marker.log, epoch: 0, created: Timestamp::default(), replica_of: None };
    let opened = read(directory, INSPECT_CACHE_BYTES, Kinds::NONE, Some(&marker), &new)?;
    Ok(Opened { replica_of: marker.replica_of, ..opened })
}

const INSPECT_CACHE_BYTES: u64 = 16 << 20;

fn check_marker(directory: &Directory) -> Result<Option<Marker>, OpenError> {
    match directory.marker()? {
        Some(marker) if marker.format > FORMAT => Err(OpenError::NewerFormat { found: marker.format, known: FORMAT }),
        marker => Ok(marker),
    }
}

/// A directory without its marker was never made whole, so nothing in it was ever acknowledged; unless the
/// marker was lost.
fn clear_unfinished(directory: &Directory) -> Result<(), OpenError> {
    if directory.is_half_restored() {
        return Err(damaged("a restore of it was cut short; `everfeed restore` goes on with it"));
    }
    let holds_chunks = std::fs::read_dir(directory.chunks()).map_err(storage)?.next().is_some();
    let db = std::fs::read(directory.sled().join("db")).unwrap_or_default();
    if holds_chunks || memchr::memmem::find(&db, group::MAGIC).is_some() {
        return Err(damaged("the file `everfeed` is missing, and there are events"));
    }
    match std::fs::remove_dir_all(directory.sled()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(storage(error)),
        _ => Ok(()),
    }
}

fn open_sled(directory: &Directory) -> Result<(Door, door::Writer), OpenError> {
    let started = Instant::now();
    loop {
        match Door::open(&directory.sled()) {
            Err(failure)
                if failure.cause == Cause::Io(io::ErrorKind::StorageFull)
                    && disk::drop_ballast(&directory.ballast()) =>
            {
                tracing::warn!("the disk is full; the ballast was given up to open the store");
            }
            // Our own lock may be let go a moment before sled's, by a process that is ending or by a late view.
            Err(failure) if failure.cause == Cause::InUse && started.elapsed() < LOCK_RETRY => {
                std::thread::sleep(Duration::from_millis(50));
            }
            Err(failure) if failure.cause == Cause::InUse => {
                return Err(OpenError::InUse { path: directory.root().to_path_buf(), process: "unknown".into() });
            }
            other => return Ok(other?),
        }
    }
}

fn read(
    directory: Directory,
    block_cache_bytes: u64,
    kinds: Kinds,
    marker: Option<&Marker>,
    new: &NewStore,
) -> Result<Opened, OpenError> {
    let ending = directory.read_ending()?;
    if ending == Ending::Unreadable {
        tracing::warn!("the file `closed` cannot be read; it would tell whether the end of the log is missing");
    }
    let (door, writer) = open_sled(&directory)?;
    let meta = match (door.get(&Key::Meta.encode())?, marker) {
        (Some(value), _) => Meta::decode(&value).map_err(malformed)?,
        (None, None) => Meta { log: new.log, epoch: new.epoch, opening: 0, created: new.created },
        (None, Some(_)) => return Err(damaged("sled's part of the store holds nothing")),
    };
    if marker.is_some_and(|marker| marker.log != meta.log) {
        return Err(damaged("the file `everfeed` and sled's part are of different logs"));
    }
    let chunks = Arc::new(Chunks::new(directory.chunks(), block_cache_bytes));
    let (mut sealed, names) = read_sealed(&door, &chunks, &directory)?;
    sealed.indexed = read_indexed(&door, chunks.dir(), meta.log, &sealed)?;
    let retentions = read_retentions(&door)?;
    let erasures = read_erasures(&door)?;
    let has_links = door.get(&Key::Links.encode())?.is_some();
    let mut opened = Opened {
        directory,
        door,
        writer,
        meta,
        replica_of: None,
        chunks,
        names,
        state: State {
            log: LogHead { next: sealed.end(), time: sealed.chunks.last().map(|chunk| chunk.time).unwrap_or_default() },
            sealed: Arc::new(sealed),
            tail: Arc::new([]),
            retentions,
            erasures,
            has_links,
        },
        cuts: VecDeque::new(),
        groups: VecDeque::new(),
        leftovers: Leftovers::default(),
        replayed_events: 0,
        replayed_bytes: 0,
    };
    opened.read_tail(kinds)?;
    opened.leftovers.find_files(&opened.directory, &opened.state.sealed, opened.state.log.next)?;
    match ending.closed() {
        Some(closed) if opened.state.log.next != closed.next => {
            let found = opened.state.log.next;
            Err(damaged(&format!("the log ends at position {found}, but was closed at position {}", closed.next)))
        }
        Some(Closed { registry: Some(noted), .. }) if registry::checksum(&opened.door)? != noted => {
            Err(damaged("sled's part does not hold what it held when the store was closed"))
        }
        _ => Ok(opened),
    }
}

/// The chunks that sled names; their files must be there, and follow each other. Of their streams the names.
fn read_sealed(door: &Door, chunks: &Arc<Chunks>, directory: &Directory) -> Result<(Sealed, Names), OpenError> {
    let records = read_records(door)?;
    let names = read_names(door, &records)?;
    let by_place = names.by_place();
    let mut sealed = Sealed::default();
    for record in records {
        let path = chunk_file::path(&directory.chunks(), record.first, record.generation);
        let name = format!("chunks/{}.{}", record.first, record.generation);
        match std::fs::metadata(path) {
            Ok(file) if file.len() == record.file_bytes => {}
            Ok(file) => {
                return Err(damaged(&format!("{name} has {} bytes instead of {}", file.len(), record.file_bytes)));
            }
            Err(error) => return Err(damaged(&format!("{name}: {error}"))),
        }
        let filter = chunks.filter(&record);
        if let Err(error) = &filter {
            tracing::error!(%error, "the id filter of a chunk cannot be read; its ids are looked up in the file");
        }
        by_place.settle(&record, chunks);
        sealed.push(record, filter.ok().as_deref(), chunks);
    }
    let end = sealed.end();
    Ok((sealed, Names::new(names, end)))
}

fn read_records(door: &Door) -> Result<Vec<ChunkRecord>, OpenError> {
    let mut records: Vec<Result<ChunkRecord, Malformed>> = Vec::new();
    door.scan(&chunk_prefix(), &chunk_prefix(), |_, value| {
        records.push(ChunkRecord::decode(value));
        true
    })?;
    let records = records.into_iter().collect::<Result<Vec<_>, _>>().map_err(malformed)?;
    let mut end = Position::ZERO;
    for record in &records {
        if record.first != end || record.end <= record.first {
            return Err(damaged(&format!("the chunk before position {} is not named", record.first)));
        }
        end = record.end;
    }
    Ok(records)
}

/// What settings and deletions leave of streams, as far as the events that say so are sealed.
fn read_retentions(door: &Door) -> Result<Retentions, OpenError> {
    let mut retentions = Retentions::default();
    let mut failed = None;
    door.scan(&retention_prefix(), &retention_prefix(), |key, value| {
        match Key::decode(key).and_then(|key| Ok((key, decode_retention(value)?))) {
            Ok((Key::Retention { stream }, retention)) => retentions.insert(stream, retention),
            Ok(_) => failed = Some(Malformed("key")),
            Err(error) => failed = Some(error),
        }
        failed.is_none()
    })?;
    failed.map_or(Ok(retentions), |error| Err(malformed(error)))
}

/// Which events were erased, as far as the events that say so are sealed.
fn read_erasures(door: &Door) -> Result<Erasures, OpenError> {
    let mut erasures = Erasures::default();
    let mut failed = None;
    door.scan(&erased_prefix(), &erased_prefix(), |key, _| {
        match Key::decode(key) {
            Ok(Key::Erased { stream, number }) => erasures.insert(Erasure { stream, number }),
            Ok(_) => failed = Some(Malformed("key")),
            Err(error) => failed = Some(error),
        }
        failed.is_none()
    })?;
    failed.map_or(Ok(erasures), |error| Err(malformed(error)))
}

/// The names of all streams, by their runs. sled must have all of these: should it have lost some without a word, their
/// streams would look as if they ended earlier, and would give out numbers again.
fn read_names(door: &Door, chunks: &[ChunkRecord]) -> Result<SealedNames, OpenError> {
    let mut missing: Vec<u64> = chunks.iter().map(|chunk| chunk.end.get() - chunk.first.get()).collect();
    let mut names = SealedNames::default();
    let mut failed = None;
    door.scan(&all_runs_prefix(), &all_runs_prefix(), |key, value| {
        let taken = RunRecord::decode(value).and_then(|run| {
            // Runs of a chunk that is not named yet are passed over.
            let index = chunks.partition_point(|chunk| chunk.end <= run.chunk);
            let Some(missing) = missing.get_mut(index) else { return Ok(()) };
            *missing = missing.wrapping_sub(u64::from(run.events));
            names.take(key, &run)
        });
        failed = taken.err();
        failed.is_none()
    })?;
    if let Some(error) = failed {
        return Err(malformed(error));
    }
    match missing.iter().zip(chunks).find(|(missing, _)| **missing != 0) {
        Some((_, chunk)) => {
            Err(damaged(&format!("sled's part lacks streams of the chunk at position {}", chunk.first)))
        }
        None => Ok(names),
    }
}

impl Opened {
    /// Replays the groups that are not sealed.
    fn read_tail(&mut self, kinds: Kinds) -> Result<(), OpenError> {
        let mut pending: Vec<(Vec<u8>, Bytes)> = Vec::new();
        let mut groups: Vec<Vec<(Vec<u8>, Bytes)>> = Vec::new();
        self.door.scan(&group_prefix(), &group_prefix(), |key, value| {
            // Keys sort by position, then part: a new position ends the group before it.
            let same = pending.last().is_some_and(|(last, _)| last[..9] == key[..9]);
            if !same && !pending.is_empty() {
                groups.push(std::mem::take(&mut pending));
            }
            pending.push((key.to_vec(), Bytes::copy_from_slice(value)));
            true
        })?;
        if !pending.is_empty() {
            groups.push(pending);
        }
        let sealed_end = self.state.sealed.end();
        let retentions = std::mem::take(&mut self.state.retentions);
        let mut tail = Tail::new(Fingerprints::new(self.meta.log), kinds, self.state.log, retentions);
        for parts in groups {
            let Key::Group { first, part } = Key::decode(&parts[0].0).map_err(malformed)? else {
                return Err(damaged("sled holds a key of an unknown kind"));
            };
            if part != 0 {
                // An append that a crash cut short: its part 0 was never written.
                self.leftovers.add_parts(parts);
                continue;
            }
            let bytes: usize = parts.iter().map(|(_, value)| value.len()).sum();
            let decoded: Result<Vec<Part>, _> = parts.iter().map(|(_, value)| group::decode_part(value)).collect();
            let decoded = decoded.map_err(malformed)?;
            let end = first.plus(u64::from(decoded[0].events));
            let extent = Extent { first, end, parts: parts.len() as u16, bytes };
            if extent.end <= sealed_end {
                self.leftovers.add_parts(parts);
                continue;
            }
            for event in group::decode(&decoded).map_err(malformed)? {
                if event.position < sealed_end {
                    continue;
                }
                let head = match tail.head(&event.stream) {
                    Some(head) => head,
                    None => sealed_head(&self.door, &event.stream, sealed_end)?,
                };
                let effect = Effect::of(&event);
                if let Some(erasure) = Erasure::of(&event) {
                    self.state.erasures.insert(erasure);
                }
                self.state.has_links |= chunk_file::is_link(&event);
                let (position, time) = (event.position, event.time);
                tail.push(event, head)?;
                if let Some((stream, effect)) = effect {
                    let head = match tail.head(&stream) {
                        Some(head) => head,
                        None => sealed_head(&self.door, &stream, sealed_end)?,
                    };
                    tail.retentions.take(stream, effect, head.next, position, time);
                }
            }
            self.groups.push_back(extent);
            self.replayed_bytes += bytes as u64;
        }
        self.replayed_events = tail.log.next.get() - sealed_end.get();
        self.state.log = tail.log;
        self.state.retentions = tail.retentions;
        self.state.tail = tail.segments.into();
        self.cuts = tail.cuts;
        Ok(())
    }
}

/// The head of a stream as the chunks have it: the run with its highest number.
fn sealed_head(door: &Door, stream: &StreamName, sealed_end: Position) -> Result<StreamHead, OpenError> {
    let mut found: Result<StreamHead, Malformed> = Ok(StreamHead::default());
    let to = Key::Run { stream: stream.clone(), first: Number::MAX }.encode();
    door.scan_down(&run_prefix(stream), &to, |key, value| {
        let run = Key::decode(key).and_then(|key| Ok((key, RunRecord::decode(value)?)));
        match run {
            Ok((_, run)) if run.chunk >= sealed_end => return true,
            Ok((Key::Run { first, .. }, run)) => {
                found = Ok(StreamHead {
                    next: first.plus(u64::from(run.events)),
                    life: run.life,
                    life_start: run.life_start,
                    status: Status::Live,
                    first_visible: Number::ZERO,
                });
            }
            Ok(_) => found = Err(Malformed("key")),
            Err(error) => found = Err(error),
        }
        false
    })?;
    found.map_err(malformed)
}

pub(crate) fn damaged(what: &str) -> OpenError {
    OpenError::Damaged { what: what.to_string() }
}

fn malformed(error: Malformed) -> OpenError {
    OpenError::Damaged { what: error.to_string() }
}

#[expect(clippy::needless_pass_by_value, reason = "map_err hands it over")]
pub(crate) fn storage(error: io::Error) -> OpenError {
    OpenError::Storage(error.to_string())
}
