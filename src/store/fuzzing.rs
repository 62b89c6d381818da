//! Everything that is stored, as it is fuzzed: what is decoded is the same once it is encoded and decoded again.
//!
//! Bytes at random never have the right checksums, so these are put right first: a disk seldom makes such bytes, but
//! whoever hands a data directory on may, and a repair looks for groups and blocks in what producers sent.

mod sealing;

use std::collections::BTreeMap;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::PathBuf;

use bytes::Bytes;
use rustix::fs::{MemfdFlags, memfd_create};

use crate::event::Position;

use super::chunks::Chunk;
use super::chunks::ChunkFile;
use super::directory::Marker;
use super::format::block::Block;
use super::format::chunk::{self, Section};
use super::format::group::{self, Encoder, Origin};
use super::format::retention::{self, decode_retention};
use super::format::{
    ChunkRecord, Closed, DerivedRecord, IndexRecord, Key, Malformed, Meta, Reader, RunRecord, derived, row,
};
use super::repair;

/// More positions than a case has, and few enough to look at each.
const POSITIONS_MAX: u64 = 1 << 16;

/// A key of sled's tree.
pub(crate) fn key(case: &[u8]) {
    if let Ok(key) = Key::decode(case) {
        assert_eq!(key.encode(), case, "{key:?} is written in one way");
    }
}

/// A small record: the first byte says which, the others are what its checksum is of.
pub(crate) fn record(case: &[u8]) {
    let Some((kind, content)) = case.split_first() else { return };
    let bytes = sealing::record(content);
    match kind % 7 {
        0 => check(Meta::decode(&bytes), Meta::encode, Meta::decode),
        1 => check(ChunkRecord::decode(&bytes), ChunkRecord::encode, ChunkRecord::decode),
        2 => check(RunRecord::decode(&bytes), RunRecord::encode, RunRecord::decode),
        3 => check(DerivedRecord::decode(&bytes), DerivedRecord::encode, DerivedRecord::decode),
        4 => check(IndexRecord::decode(&bytes), IndexRecord::encode, IndexRecord::decode),
        5 => check(Closed::decode(&bytes), Closed::encode, Closed::decode),
        _ => check(decode_retention(&bytes), retention::encode, decode_retention),
    }
    let _ = Meta::decode(content);
}

/// What was decoded is the same once it was encoded and decoded again.
fn check<T: PartialEq + std::fmt::Debug>(
    decoded: Result<T, Malformed>,
    encode: impl Fn(&T) -> Vec<u8>,
    decode: impl Fn(&[u8]) -> Result<T, Malformed>,
) {
    if let Ok(value) = decoded {
        assert_eq!(decode(&encode(&value)).as_ref(), Ok(&value));
    }
}

/// Rows, one after the other.
pub(crate) fn row(case: &[u8]) {
    let bytes = Bytes::copy_from_slice(case);
    let mut reader = Reader::new(&bytes);
    let mut previous = None;
    while let Ok(event) = row::decode(&mut reader, previous.as_ref()) {
        let mut encoded = Vec::new();
        row::encode(&event, &mut encoded);
        let encoded = Bytes::from(encoded);
        let mut again = Reader::new(&encoded);
        assert_eq!(row::decode(&mut again, None).as_ref(), Ok(&event), "no row needs the one before it");
        assert!(again.is_at_end());
        previous = Some(event);
    }
}

/// The parts of a group.
pub(crate) fn group(case: &[u8]) {
    let bytes = sealing::sealed(case);
    let (mut parts, mut at) = (Vec::new(), 0);
    while let Ok(part) = group::decode_part(&bytes.slice(at..)) {
        at += part.stored_bytes();
        assert!(at <= bytes.len());
        parts.push(part);
    }
    let Ok(events) = group::decode(&parts) else { return };
    let (first, count) = (parts[0].first, parts[0].events);
    assert_eq!(events.len(), count as usize);
    let mut rows = Vec::new();
    for event in &events {
        row::encode(event, &mut rows);
    }
    let again = Encoder::new().expect("zstd").encode(parts[0].origin, first, count, &rows);
    let again: Result<Vec<_>, _> = again.into_iter().map(|part| group::decode_part(&part.into())).collect();
    assert_eq!(group::decode(&again.expect("our own parts are read")), Ok(events));
}

/// A block of a chunk.
pub(crate) fn block(case: &[u8]) {
    let Ok(block) = Block::decode(&sealing::sealed(case)) else { return };
    let (first, events) = (block.header.ordinal, block.header.events);
    for ordinal in first..first + events {
        let _ = block.event(ordinal, None);
    }
    assert!(block.event(first + events, None).is_err(), "there are no more");
    assert!(first.checked_sub(1).is_none_or(|before| block.event(before, None).is_err()), "nor others");
    assert!(block.memory_bytes() > 0);
}

/// The sections of a chunk's index: the first byte says which.
pub(crate) fn sections(case: &[u8]) {
    let Some((kind, content)) = case.split_first() else { return };
    let bytes = Bytes::copy_from_slice(content);
    let of = |encoded: Vec<u8>| Bytes::from(encoded);
    match kind % 4 {
        0 => {
            if let Ok(blocks) = chunk::decode_blocks(&bytes) {
                assert_eq!(chunk::decode_blocks(&of(chunk::encode_blocks(&blocks))), Ok(blocks));
            }
        }
        1 => {
            if let Ok(runs) = chunk::decode_runs(&bytes) {
                assert_eq!(chunk::decode_runs(&of(chunk::encode_runs(&runs))), Ok(runs));
            }
        }
        2 => {
            let runs: Vec<_> = (0..4).map_while(|run| chunk::decode_types(&bytes, run).ok()).collect();
            let again = of(chunk::encode_types(&runs));
            for (index, run) in runs.iter().enumerate() {
                assert_eq!(chunk::decode_types(&again, index).as_ref(), Ok(run));
            }
        }
        _ => {
            if let Ok(Some(order)) = chunk::decode_order(&bytes) {
                let again = chunk::decode_order(&of(chunk::encode_order(&order))).expect("our own order is read");
                assert!(again.is_none_or(|again| again == order), "an order that says nothing is left out");
            }
        }
    }
}

/// A chunk's file: opened, read through, and looked through as a repair does.
pub(crate) fn chunk(case: &[u8]) {
    let bytes = sealing::chunk(case);
    let file = std::fs::File::from(memfd_create("chunk", MemfdFlags::CLOEXEC).expect("memory"));
    (&file).write_all(&bytes).expect("memory takes every write");
    let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    let mut salvaged = BTreeMap::new();
    repair::read_blocks(&bytes, Position::ZERO, &mut salvaged);
    for section in [Section::Streams, Section::Types, Section::IdBuckets, Section::Ids, Section::Filter] {
        let _ = ChunkFile::open(&path).and_then(|file| file.section(section));
    }
    let Ok(chunk) = Chunk::open(&path) else { return };
    let _ = chunk.runs();
    for index in 0..chunk.blocks().len() {
        let Ok(block) = chunk.read_block(index) else { continue };
        for ordinal in block.header.ordinal..block.header.ordinal + block.header.events {
            if let Ok(event) = chunk.event(&block, ordinal) {
                assert!(salvaged.contains_key(&event.position), "what can be read a repair finds");
            }
        }
    }
}

/// An index file of derived streams.
pub(crate) fn index(case: &[u8]) {
    let Ok((header, entries)) = derived::decode(&sealing::index(case)) else { return };
    let (again, places) = derived::encode(header, &entries).expect("memory takes every write");
    assert_eq!(places.len(), entries.len());
    assert_eq!(derived::decode(&again.into()).map(|(_, entries)| entries), Ok(entries));
}

/// The file that says what a directory is.
pub(crate) fn marker(case: &[u8]) {
    let Ok(text) = std::str::from_utf8(case) else { return };
    for text in [text.to_string(), sealing::marker(text)] {
        if let Some(marker) = Marker::parse(&text).filter(|marker| marker.format <= super::format::FORMAT) {
            assert_eq!(Marker::parse(&marker.to_string()), Some(marker));
        }
    }
}

/// The raw bytes of sled's file, in which a repair looks for groups. Whatever they are, each position of the log is told
/// once and in order, and an event where it says that it is.
pub(crate) fn salvage(case: &[u8]) {
    let Some(found) = repair::groups_in(&sealing::sealed(case), POSITIONS_MAX) else { return };
    for ((position, event), expected) in found.iter().zip(0..) {
        assert_eq!(position.get(), expected);
        assert!(event.as_ref().is_none_or(|event| event.position == *position));
    }
    let origin = Origin { epoch: 1, opening: 1 };
    for (position, event) in found.iter().filter_map(|(position, event)| Some((position, event.as_ref()?))).take(4) {
        let mut rows = Vec::new();
        row::encode(event, &mut rows);
        let parts = Encoder::new().expect("zstd").encode(origin, *position, 1, &rows).concat();
        let again = repair::groups_in(&parts.into(), POSITIONS_MAX).expect("it is not too much");
        assert_eq!(again.last(), Some(&(*position, Some(event.clone()))), "what was salvaged is salvaged again");
    }
}
