//! A chunk file: a run of old events that never changes, with its index.
//!
//! ```text
//! header      64 bytes, see [`Header`]
//! blocks      each 24 bytes of header (see [`super::block`]) and a payload
//! sections    the index, see [`Section`]
//! directory   count u32, then for each section: kind u32, offset u64, bytes u64, raw bytes u64, crc-32c u32
//! trailer     directory offset u64, directory bytes u32, directory crc-32c u32, "EVFCEND\n"
//! ```
//!
//! Events lie in the order of *ordinals*: grouped by stream, streams in the order of their first event in the
//! chunk, each stream by number. So one of a thousand interleaved streams reads a block or two per chunk, and
//! a log of many short streams, or of one long stream, lies in the order of positions.

use bytes::Bytes;
use uuid::Uuid;

use crate::event::{EventType, Life, Number, Position, StreamName};

use super::block::BlockSize;
use super::codec::{put_bytes, put_varint};
use super::{Malformed, Reader};

pub(crate) const HEADER_BYTES: usize = 64;
pub(crate) const TRAILER_BYTES: usize = 24;
const MAGIC: &[u8; 8] = b"EVFCHUNK";
const END_MAGIC: &[u8; 8] = b"EVFCEND\n";
const VERSION: u32 = 1;
const DIRECTORY_ENTRY_BYTES: usize = 32;

/// What the file is. Written as: magic (8), version u32, generation u32, log (16), epoch u32, first u64,
/// end u64, eight zero bytes, crc-32c of all before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) log: Uuid,
    pub(crate) epoch: u32,
    pub(crate) generation: u32,
    pub(crate) first: Position,
    /// The position after the last event.
    pub(crate) end: Position,
}

/// The parts of the index. Kinds that a reader does not know are passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    /// zstd: for each block: bytes of its payload, number of its events, both varints.
    Blocks = 1,
    /// zstd: for each stream: name (bytes), first number, number of events, life, first number of that life (varints).
    Streams = 2,
    /// zstd: for each position its ordinal, u16. Empty when both orders are the same.
    Order = 3,
    /// For each of 256 buckets: how many ids u32, crc-32c of the bucket u32.
    IdBuckets = 4,
    /// For each event, sorted: fingerprint u64, ordinal u16. Bucket: the first byte of the fingerprint.
    Ids = 5,
    /// zstd: the Bloom filter over all fingerprints, see [`super::super::ids`].
    Filter = 6,
    /// zstd: how many event types (varint) and the types (bytes); then for each stream, in the order of
    /// [`Section::Streams`], how many types its events have and which (varints).
    Types = 7,
}

impl Section {
    /// All of them.
    pub(crate) const ALL: [Self; 7] =
        [Self::Blocks, Self::Streams, Self::Order, Self::IdBuckets, Self::Ids, Self::Filter, Self::Types];
}

/// Where a section is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) kind: u32,
    pub(crate) offset: u64,
    pub(crate) bytes: u64,
    pub(crate) raw_bytes: u64,
    pub(crate) crc: u32,
}

/// A stream's run in this chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) stream: StreamName,
    pub(crate) first: Number,
    pub(crate) events: u32,
    pub(crate) life: Life,
    pub(crate) life_start: Number,
}

impl Header {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER_BYTES);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_be_bytes());
        out.extend_from_slice(&self.generation.to_be_bytes());
        out.extend_from_slice(self.log.as_bytes());
        out.extend_from_slice(&self.epoch.to_be_bytes());
        out.extend_from_slice(&self.first.get().to_be_bytes());
        out.extend_from_slice(&self.end.get().to_be_bytes());
        out.resize(HEADER_BYTES - 4, 0);
        let crc = crc32c::crc32c(&out);
        out.extend_from_slice(&crc.to_be_bytes());
        out
    }

    pub(crate) fn decode(bytes: &Bytes) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        if reader.array::<8>()? != *MAGIC {
            return Err(Malformed("chunk: no magic number"));
        }
        if bytes.len() != HEADER_BYTES || crc32c::crc32c(&bytes[..60]).to_be_bytes() != bytes[60..] {
            return Err(Malformed("chunk header: its checksum is wrong"));
        }
        if reader.u32()? != VERSION {
            return Err(Malformed("chunk: of a later version"));
        }
        let generation = reader.u32()?;
        let log = Uuid::from_bytes(reader.array()?);
        let epoch = reader.u32()?;
        let first = Position::new(reader.u64()?).map_err(|_| Malformed("chunk: position"))?;
        let end = Position::new(reader.u64()?).map_err(|_| Malformed("chunk: position"))?;
        if first < end {
            Ok(Self { log, epoch, generation, first, end })
        } else {
            Err(Malformed("chunk: without events"))
        }
    }
}

pub(crate) fn encode_blocks(blocks: &[BlockSize]) -> Vec<u8> {
    let mut out = Vec::new();
    for block in blocks {
        put_varint(&mut out, u64::from(block.bytes));
        put_varint(&mut out, u64::from(block.events));
    }
    out
}

pub(crate) fn decode_blocks(bytes: &Bytes) -> Result<Vec<BlockSize>, Malformed> {
    let mut reader = Reader::new(bytes);
    let mut blocks = Vec::new();
    while !reader.is_at_end() {
        blocks.push(BlockSize { bytes: reader.varint_u32()?, events: reader.varint_u32()? });
    }
    Ok(blocks)
}

pub(crate) fn encode_runs(runs: &[Run]) -> Vec<u8> {
    let mut out = Vec::new();
    for run in runs {
        put_bytes(&mut out, run.stream.as_str().as_bytes());
        put_varint(&mut out, run.first.get());
        put_varint(&mut out, u64::from(run.events));
        put_varint(&mut out, u64::from(run.life.0));
        put_varint(&mut out, run.life_start.get());
    }
    out
}

pub(crate) fn decode_runs(bytes: &Bytes) -> Result<Vec<Run>, Malformed> {
    let number = |value| Number::new(value).map_err(|_| Malformed("run: number"));
    let mut reader = Reader::new(bytes);
    let mut runs = Vec::new();
    while !reader.is_at_end() {
        runs.push(Run {
            stream: StreamName::parse(reader.text()?).map_err(|_| Malformed("run: stream name"))?,
            first: number(reader.varint()?)?,
            events: reader.varint_u32()?,
            life: Life(reader.varint_u32()?),
            life_start: number(reader.varint()?)?,
        });
    }
    Ok(runs)
}

/// The types of each run's events: [`Section::Types`].
pub(crate) fn encode_types(runs: &[Vec<EventType>]) -> Vec<u8> {
    let mut types: Vec<&EventType> = runs.iter().flatten().collect();
    types.sort_unstable();
    types.dedup();
    let mut out = Vec::new();
    put_varint(&mut out, types.len() as u64);
    for event_type in &types {
        put_bytes(&mut out, event_type.as_str().as_bytes());
    }
    for run in runs {
        put_varint(&mut out, run.len() as u64);
        for event_type in run {
            let index = types.binary_search(&event_type).expect("all of them are in the list");
            put_varint(&mut out, index as u64);
        }
    }
    out
}

/// The types of the run at this place among the runs.
pub(crate) fn decode_types(bytes: &Bytes, run: usize) -> Result<Vec<EventType>, Malformed> {
    let mut reader = Reader::new(bytes);
    let count = reader.varint_u32()?;
    let mut types = Vec::new();
    for _ in 0..count {
        types.push(EventType::parse(reader.text()?).map_err(|_| Malformed("types: event type"))?);
    }
    for _ in 0..run {
        for _ in 0..reader.varint_u32()? {
            reader.varint_u32()?;
        }
    }
    let mut found = Vec::new();
    for _ in 0..reader.varint_u32()? {
        let index = reader.varint_u32()? as usize;
        found.push(types.get(index).cloned().ok_or(Malformed("types: one that is not in the list"))?);
    }
    Ok(found)
}

/// The ordinal of each position, counted from the chunk's first; empty when both orders are the same.
pub(crate) fn encode_order(ordinals: &[u16]) -> Vec<u8> {
    if ordinals.iter().zip(0..).all(|(ordinal, offset): (&u16, usize)| usize::from(*ordinal) == offset) {
        return Vec::new();
    }
    ordinals.iter().flat_map(|ordinal| ordinal.to_be_bytes()).collect()
}

pub(crate) fn decode_order(bytes: &Bytes) -> Result<Option<Vec<u16>>, Malformed> {
    if bytes.is_empty() {
        return Ok(None);
    }
    if !bytes.len().is_multiple_of(2) {
        return Err(Malformed("order: length"));
    }
    Ok(Some(bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect()))
}

/// The directory and the trailer, as they end the file. `offset` is where they begin.
pub(crate) fn encode_directory(places: &[Place], offset: u64) -> Vec<u8> {
    let mut out = (places.len() as u32).to_be_bytes().to_vec();
    for place in places {
        out.extend_from_slice(&place.kind.to_be_bytes());
        for value in [place.offset, place.bytes, place.raw_bytes] {
            out.extend_from_slice(&value.to_be_bytes());
        }
        out.extend_from_slice(&place.crc.to_be_bytes());
    }
    let (bytes, crc) = (out.len() as u32, crc32c::crc32c(&out));
    out.extend_from_slice(&offset.to_be_bytes());
    out.extend_from_slice(&bytes.to_be_bytes());
    out.extend_from_slice(&crc.to_be_bytes());
    out.extend_from_slice(END_MAGIC);
    out
}

/// Where the directory lies (offset, bytes, crc-32c), by the file's last [`TRAILER_BYTES`].
pub(crate) fn decode_trailer(bytes: &Bytes) -> Result<(u64, u32, u32), Malformed> {
    let mut reader = Reader::new(bytes);
    let place = (reader.u64()?, reader.u32()?, reader.u32()?);
    if reader.array::<8>()? == *END_MAGIC { Ok(place) } else { Err(Malformed("chunk: it has no end")) }
}

pub(crate) fn decode_directory(bytes: &Bytes, crc: u32) -> Result<Vec<Place>, Malformed> {
    if crc32c::crc32c(bytes) != crc {
        return Err(Malformed("chunk directory: its checksum is wrong"));
    }
    let mut reader = Reader::new(bytes);
    let count = reader.u32()? as usize;
    if bytes.len() != 4 + count * DIRECTORY_ENTRY_BYTES {
        return Err(Malformed("chunk directory: length"));
    }
    (0..count)
        .map(|_| {
            Ok(Place {
                kind: reader.u32()?,
                offset: reader.u64()?,
                bytes: reader.u64()?,
                raw_bytes: reader.u64()?,
                crc: reader.u32()?,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header() -> Header {
        Header {
            log: Uuid::from_u128(5),
            epoch: 1,
            generation: 2,
            first: Position::from(65_536),
            end: Position::from(131_072),
        }
    }

    #[test]
    fn the_bytes_of_a_header_are_part_of_the_format() {
        let bytes = header().encode();
        assert_eq!(bytes.len(), HEADER_BYTES);
        assert_eq!(&bytes[..16], b"EVFCHUNK\0\0\0\x01\0\0\0\x02");
        assert_eq!(Header::decode(&Bytes::from(bytes)), Ok(header()));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn the_index_comes_back(
            sizes in prop::collection::vec((any::<u32>(), any::<u32>()), 0..20),
            names in prop::collection::btree_set("[a-z]{1,8}", 0..20),
            ordinals in prop::collection::vec(any::<u16>(), 0..50),
            first in 0..i64::MAX as u64,
        ) {
            let blocks: Vec<_> = sizes.iter().map(|(bytes, events)| BlockSize { bytes: *bytes, events: *events }).collect();
            prop_assert_eq!(decode_blocks(&encode_blocks(&blocks).into())?, blocks);
            let first = Number::new(first).expect("in range");
            let runs: Vec<_> = names
                .iter()
                .map(|name| Run { stream: StreamName::parse(name).expect("a name"), first, events: 3, life: Life(1), life_start: first })
                .collect();
            prop_assert_eq!(decode_runs(&encode_runs(&runs).into())?, runs);
            let decoded = decode_order(&encode_order(&ordinals).into())?;
            let identity = || (0..ordinals.len() as u16).collect();
            prop_assert_eq!(decoded.unwrap_or_else(identity), ordinals.clone());
            let places: Vec<_> = sizes
                .iter()
                .map(|(kind, crc)| Place { kind: *kind, offset: 1, bytes: 2, raw_bytes: 3, crc: *crc })
                .collect();
            let end = encode_directory(&places, 99);
            let (directory, trailer) = end.split_at(end.len() - TRAILER_BYTES);
            let (offset, bytes, crc) = decode_trailer(&Bytes::copy_from_slice(trailer))?;
            prop_assert_eq!((offset, bytes as usize), (99, directory.len()));
            prop_assert_eq!(decode_directory(&Bytes::copy_from_slice(directory), crc)?, places);
        }

        #[test]
        fn types_come_back(runs in prop::collection::vec(prop::collection::btree_set("[a-z]{1,3}", 1..5), 1..10), run: prop::sample::Index) {
            let event_type = |text: &String| EventType::parse(text).expect("a type");
            let runs: Vec<Vec<EventType>> = runs.iter().map(|types| types.iter().map(event_type).collect()).collect();
            let run = run.index(runs.len());
            prop_assert_eq!(&decode_types(&encode_types(&runs).into(), run)?, &runs[run]);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let bytes = Bytes::from(bytes);
            let _ = Header::decode(&bytes);
            let _ = decode_blocks(&bytes);
            let _ = decode_runs(&bytes);
            let _ = decode_types(&bytes, 3);
            let _ = decode_order(&bytes);
            let _ = decode_trailer(&bytes);
            let _ = decode_directory(&bytes, crc32c::crc32c(&bytes));
        }
    }
}
