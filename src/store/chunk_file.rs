//! Writing a chunk's file: in one go, synced, its directory too. Nothing refers to it until sled names it.

use std::collections::{BTreeSet, HashMap};
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::event::{Erasure, Event, EventType, LINK_TYPE, Number, Position, StreamName};

use super::derived::WrittenIndex;
use super::erasures::said_by;
use super::failpoint;
use super::format::block::{BlockSize, encode_block};
use super::format::chunk::{self, HEADER_BYTES, Header, Place, Run, Section};
use super::format::{BLOCK_BYTES, ChunkRecord, row};
use super::ids::{Fingerprint, encode_filter};
use super::repair::LOST_TYPE;
use super::retentions::changed_by;

const LEVEL: i32 = 1;

/// A chunk whose file is complete and synced.
pub(crate) struct Written {
    pub(crate) record: ChunkRecord,
    /// Each stream's run, with its first ordinal.
    pub(crate) runs: Vec<(Run, u32)>,
    pub(crate) filter: Vec<u8>,
    /// The streams of which its events change what is left.
    pub(crate) retained: Vec<StreamName>,
    /// What its events say was erased.
    pub(crate) erased: Vec<Erasure>,
    /// There are link events in it.
    pub(crate) has_links: bool,
    /// The indexes of its derived streams that were written with it.
    pub(crate) indexes: Vec<WrittenIndex>,
}

/// Whether an event may lead to another.
pub(crate) fn is_link(event: &Event) -> bool {
    event.event_type.as_str() == LINK_TYPE
}

/// Whether its content had gone already when it came here. What is lost was not removed.
fn is_removed(event: &&Event) -> bool {
    event.content.is_none() && event.event_type.as_str() != LOST_TYPE
}

/// `chunks/{first position}.{generation}`
pub(crate) fn path(dir: &Path, first: Position, generation: u32) -> PathBuf {
    dir.join(format!("{first}.{generation}"))
}

/// What a file's name says, if it is one of ours.
pub(crate) fn parse_name(name: &str) -> Option<(Position, u32)> {
    let (first, generation) = name.split_once('.')?;
    let first = Position::new(first.parse().ok()?).ok()?;
    let generation = generation.parse().ok()?;
    (format!("{first}.{generation}") == name).then_some((first, generation))
}

/// What a chunk's file says of itself; none if that cannot be read.
pub(crate) fn read_header(path: &Path) -> Option<Header> {
    let mut bytes = vec![0; HEADER_BYTES];
    File::open(path).ok()?.read_exact(&mut bytes).ok()?;
    Header::decode(&bytes.into()).ok()
}

/// Where each event lies: streams in the order of their first event, each stream's events together.
struct Layout {
    /// The offset of the event at each ordinal.
    offsets: Vec<u32>,
    runs: Vec<(Run, u32)>,
}

impl Layout {
    fn of(events: &[Event], life_starts: &HashMap<StreamName, Number>) -> Self {
        let mut places: HashMap<&StreamName, usize> = HashMap::new();
        let mut grouped: Vec<Vec<u32>> = Vec::new();
        for (event, offset) in events.iter().zip(0..) {
            let place = *places.entry(&event.stream).or_insert_with(|| {
                grouped.push(Vec::new());
                grouped.len() - 1
            });
            grouped[place].push(offset);
        }
        let mut ordinal = 0;
        let runs = grouped
            .iter()
            .map(|offsets| {
                let first = &events[offsets[0] as usize];
                let last = &events[offsets[offsets.len() - 1] as usize];
                let run = Run {
                    stream: first.stream.clone(),
                    first: first.number,
                    events: offsets.len() as u32,
                    life: last.life,
                    life_start: life_starts.get(&first.stream).copied().unwrap_or_default(),
                };
                let start = ordinal;
                ordinal += run.events;
                (run, start)
            })
            .collect();
        Self { offsets: grouped.into_iter().flatten().collect(), runs }
    }
}

/// The types of each run's events, sorted. `run_events` is how many each run has, `events` all of them in the order of
/// ordinals.
pub(crate) fn types_of<'e>(
    run_events: impl Iterator<Item = u32>,
    mut events: impl Iterator<Item = &'e Event>,
) -> Vec<Vec<EventType>> {
    let mut of_run = |count: u32| {
        let types: BTreeSet<&EventType> = events.by_ref().take(count as usize).map(|event| &event.event_type).collect();
        types.into_iter().cloned().collect()
    };
    run_events.map(&mut of_run).collect()
}

/// Writes the file for these events, which follow each other from `header.first` to `header.end`.
pub(crate) fn write(
    dir: &Path,
    header: Header,
    events: &[Event],
    fingerprints: &[Fingerprint],
    life_starts: &HashMap<StreamName, Number>,
) -> io::Result<Written> {
    let path = path(dir, header.first, header.generation);
    let written = write_to(&path, dir, header, events, fingerprints, life_starts);
    if written.is_err() {
        // What a full disk cut short must not take the space that sled needs.
        let _ = std::fs::remove_file(path);
    }
    written
}

fn write_to(
    path: &Path,
    dir: &Path,
    header: Header,
    events: &[Event],
    fingerprints: &[Fingerprint],
    life_starts: &HashMap<StreamName, Number>,
) -> io::Result<Written> {
    let layout = Layout::of(events, life_starts);
    // What a crash test calls it.
    let work = if header.generation == 0 { "seal" } else { "scavenge" };
    let mut out = Counted {
        file: BufWriter::with_capacity(1 << 20, OpenOptions::new().write(true).create(true).truncate(true).open(path)?),
        bytes: 0,
        unsynced: (header.generation > 0).then_some(0),
    };
    failpoint::reached_in(work, "file_created");
    out.write(&header.encode())?;
    let blocks = write_blocks(&mut out, events, &layout)?;
    failpoint::reached_in(work, "blocks_written");

    let mut ordinals = vec![0_u16; events.len()];
    for (offset, ordinal) in layout.offsets.iter().zip(0_usize..) {
        // A chunk has at most 65,536 events, so every ordinal fits.
        ordinals[*offset as usize] = ordinal as u16;
    }
    let mut ids: Vec<(u64, u16)> = fingerprints.iter().map(|id| id.stored()).zip(ordinals.iter().copied()).collect();
    ids.sort_unstable();
    let (buckets, ids) = encode_ids(&ids);
    let filter = encode_filter(fingerprints.iter().map(|id| id.stored()));
    let runs: Vec<Run> = layout.runs.iter().map(|(run, _)| run.clone()).collect();
    let in_order = layout.offsets.iter().map(|offset| &events[*offset as usize]);
    let types = types_of(runs.iter().map(|run| run.events), in_order);

    let mut places = Vec::new();
    for (section, raw, compressed) in [
        (Section::Blocks, chunk::encode_blocks(&blocks), true),
        (Section::Streams, chunk::encode_runs(&runs), true),
        (Section::Order, chunk::encode_order(&ordinals), true),
        (Section::IdBuckets, buckets, false),
        (Section::Ids, ids, false),
        (Section::Filter, filter.clone(), true),
        (Section::Types, chunk::encode_types(&types), true),
    ] {
        let stored = if compressed { zstd::bulk::compress(&raw, LEVEL)? } else { raw.clone() };
        places.push(Place {
            kind: section as u32,
            offset: out.bytes,
            bytes: stored.len() as u64,
            raw_bytes: raw.len() as u64,
            crc: crc32c::crc32c(&stored),
        });
        out.write(&stored)?;
    }
    let directory_offset = out.bytes;
    out.write(&chunk::encode_directory(&places, directory_offset))?;
    let file = out.file.into_inner().map_err(io::IntoInnerError::into_error)?;
    failpoint::reached_in(work, "file_written");
    file.sync_all()?;
    failpoint::reached_in(work, "file_synced");
    File::open(dir)?.sync_all()?;
    failpoint::reached_in(work, "directory_synced");

    let record = ChunkRecord {
        first: header.first,
        end: header.end,
        generation: header.generation,
        time: events.last().map(|event| event.time).unwrap_or_default(),
        file_bytes: out.bytes,
        raw_bytes: events.iter().map(row::weight).sum(),
        removed_events: events.iter().filter(is_removed).count() as u64,
    };
    Ok(Written {
        record,
        runs: layout.runs,
        filter,
        retained: changed_by(events),
        erased: said_by(events),
        has_links: events.iter().any(is_link),
        indexes: Vec::new(),
    })
}

fn write_blocks(out: &mut Counted, events: &[Event], layout: &Layout) -> io::Result<Vec<BlockSize>> {
    let mut compressor = zstd::bulk::Compressor::new(LEVEL)?;
    let mut blocks = Vec::new();
    let (mut rows, mut row_bytes, mut block) = (Vec::with_capacity(2 * BLOCK_BYTES), Vec::new(), Vec::new());
    let mut first = 0;
    for (offset, ordinal) in layout.offsets.iter().zip(0_u32..) {
        let start = rows.len();
        row::encode(&events[*offset as usize], &mut rows);
        row_bytes.push(rows.len() - start);
        if rows.len() >= BLOCK_BYTES || ordinal as usize + 1 == layout.offsets.len() {
            blocks.push(encode_block(&mut compressor, first, &row_bytes, &rows, &mut block)?);
            out.write(&block)?;
            first = ordinal + 1;
            rows.clear();
            row_bytes.clear();
            block.clear();
        }
    }
    Ok(blocks)
}

/// The sections [`Section::IdBuckets`] and [`Section::Ids`].
pub(crate) fn encode_ids(sorted: &[(u64, u16)]) -> (Vec<u8>, Vec<u8>) {
    let mut ids = Vec::with_capacity(sorted.len() * ID_BYTES);
    let mut buckets = Vec::with_capacity(256 * 8);
    let mut rest = sorted;
    for bucket in 0..=255_u8 {
        let (here, after) = rest.split_at(rest.partition_point(|(id, _)| (id >> 56) as u8 == bucket));
        rest = after;
        let start = ids.len();
        for (id, ordinal) in here {
            ids.extend_from_slice(&id.to_be_bytes());
            ids.extend_from_slice(&ordinal.to_be_bytes());
        }
        buckets.extend_from_slice(&(here.len() as u32).to_be_bytes());
        buckets.extend_from_slice(&crc32c::crc32c(&ids[start..]).to_be_bytes());
    }
    (buckets, ids)
}

/// A fingerprint and an ordinal.
pub(crate) const ID_BYTES: usize = 10;

/// Counts what it writes.
struct Counted {
    file: BufWriter<File>,
    bytes: u64,
    /// Bytes since the last sync, of a file that is written without haste.
    unsynced: Option<usize>,
}

/// What is written without haste is synced in pieces of this size: the syncs that appends wait for come behind it in
/// the file system's journal, and would wait for all of it.
const UNHURRIED_BYTES: usize = 1 << 20;

impl Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.bytes += bytes.len() as u64;
        if let Some(unsynced) = &mut self.unsynced {
            *unsynced += bytes.len();
            if *unsynced >= UNHURRIED_BYTES {
                *unsynced = 0;
                let started = Instant::now();
                self.file.flush()?;
                self.file.get_ref().sync_data()?;
                std::thread::sleep(started.elapsed());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_file_names_are_read() {
        assert_eq!(parse_name("65536.2"), Some((Position::from(65_536), 2)));
        for name in ["", "1", "01.0", "1.00", "1.0.tmp", "-1.0", "a.b", "1."] {
            assert_eq!(parse_name(name), None, "{name}");
        }
    }
}
