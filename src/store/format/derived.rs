//! An index file: the derived streams of one kind, as far as their events lie in one chunk.
//!
//! ```text
//! header      68 bytes, see [`Header`]
//! blocks      each 20 bytes of header (see [`encode_block`]) and a payload
//! ```
//!
//! It names events by their offset from the chunk's first position, and these never change; so it stays as it is
//! when the chunk is written anew. Streams lie in the order of their keys: a key is what the stream's name has
//! behind the prefix of its kind. No stream is in two blocks.

use bytes::Bytes;
use uuid::Uuid;

use crate::event::{Derived, Number, Position};

use super::codec::{put_bytes, put_varint};
use super::{Malformed, Reader, decompress};

pub(crate) const HEADER_BYTES: usize = 68;
pub(crate) const BLOCK_HEADER_BYTES: usize = 20;
const MAGIC: &[u8; 8] = b"EVFINDEX";
const BLOCK_MAGIC: &[u8; 4] = b"EVFI";
const VERSION: u32 = 1;

/// What a block holds before it is compressed, about: a stream of a whole chunk, or many small ones.
const BLOCK_BYTES: usize = 32 << 10;
/// The most that it can hold: keys have at most 512 bytes, offsets at most three.
const BLOCK_BYTES_MAX: usize = 1 << 20;
const LEVEL: i32 = 1;

/// What the file is. Written as: magic (8), version u32, code (4, see [`code`]), log (16), first u64, end u64,
/// streams u32, events u32, bytes u64, crc-32c of all before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: Derived,
    pub(crate) log: Uuid,
    /// The first position of the chunk.
    pub(crate) first: Position,
    /// The position after its last event.
    pub(crate) end: Position,
    pub(crate) streams: u32,
    /// How many events they refer to, all streams together.
    pub(crate) events: u32,
    /// The length of the file.
    pub(crate) bytes: u64,
}

/// A derived stream in a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: Box<str>,
    /// Its first number here.
    pub(crate) first: Number,
    /// Its events, counted from the chunk's first position, rising; at least one.
    pub(crate) offsets: Vec<u16>,
}

/// Where a block lies in the file, its header included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct BlockPlace {
    pub(crate) offset: u32,
    pub(crate) bytes: u32,
}

/// What a kind is called in names of files, in keys, and in headers.
pub(crate) const fn code(kind: Derived) -> &'static str {
    match kind {
        Derived::Category => "ce",
        Derived::EventType => "et",
        Derived::Streams => "streams",
        Derived::Correlation => "bc",
    }
}

/// The kind that is called so.
pub(crate) fn kind(code: &str) -> Option<Derived> {
    Derived::ALL.into_iter().find(|kind| self::code(*kind) == code)
}

/// The first four bytes of the code; what is shorter is filled up with zeros.
fn header_code(kind: Derived) -> [u8; 4] {
    let mut out = [0; 4];
    for (to, from) in out.iter_mut().zip(code(kind).bytes()) {
        *to = from;
    }
    out
}

impl Header {
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER_BYTES);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_be_bytes());
        out.extend_from_slice(&header_code(self.kind));
        out.extend_from_slice(self.log.as_bytes());
        out.extend_from_slice(&self.first.get().to_be_bytes());
        out.extend_from_slice(&self.end.get().to_be_bytes());
        out.extend_from_slice(&self.streams.to_be_bytes());
        out.extend_from_slice(&self.events.to_be_bytes());
        out.extend_from_slice(&self.bytes.to_be_bytes());
        let crc = crc32c::crc32c(&out);
        out.extend_from_slice(&crc.to_be_bytes());
        out
    }

    /// The header at the start of `bytes`, which may go on after it.
    pub(crate) fn decode(bytes: &Bytes) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let head = reader.peek(HEADER_BYTES - 4)?;
        if crc32c::crc32c(head) != reader.u32()? {
            return Err(Malformed("index header: its checksum is wrong"));
        }
        let mut reader = Reader::new(bytes);
        if reader.array::<8>()? != *MAGIC {
            return Err(Malformed("index: no magic number"));
        }
        if reader.u32()? != VERSION {
            return Err(Malformed("index: of a later version"));
        }
        let code = reader.array::<4>()?;
        let kind = Derived::ALL.into_iter().find(|kind| header_code(*kind) == code);
        let kind = kind.ok_or(Malformed("index: kind"))?;
        let log = Uuid::from_bytes(reader.array()?);
        let first = Position::new(reader.u64()?).map_err(|_| Malformed("index: position"))?;
        let end = Position::new(reader.u64()?).map_err(|_| Malformed("index: position"))?;
        Ok(Self { kind, log, first, end, streams: reader.u32()?, events: reader.u32()?, bytes: reader.u64()? })
    }
}

/// The whole file, and where each entry's block lies. Of `header`, `streams`, `events` and `bytes` are set here.
/// Entries are in the order of their keys.
pub(crate) fn encode(mut header: Header, entries: &[Entry]) -> std::io::Result<(Vec<u8>, Vec<BlockPlace>)> {
    let mut compressor = zstd::bulk::Compressor::new(LEVEL)?;
    let mut out = vec![0; HEADER_BYTES];
    let mut places = Vec::with_capacity(entries.len());
    let (mut raw, mut streams, mut events) = (Vec::new(), 0, 0);
    for (index, entry) in entries.iter().enumerate() {
        encode_entry(entry, &mut raw);
        streams += 1;
        events += entry.offsets.len() as u32;
        if raw.len() >= BLOCK_BYTES || index + 1 == entries.len() {
            let start = out.len();
            encode_block(&mut compressor, streams, &raw, &mut out)?;
            let place = BlockPlace { offset: start as u32, bytes: (out.len() - start) as u32 };
            places.resize(index + 1, place);
            raw.clear();
            streams = 0;
        }
    }
    header.streams = entries.len() as u32;
    header.events = events;
    header.bytes = out.len() as u64;
    out[..HEADER_BYTES].copy_from_slice(&header.encode());
    Ok((out, places))
}

/// Key (bytes), first number (varint), number of events (varint), then for each how far its offset lies from the
/// one that would follow the event before it, the first from 0 (varints). So a stream of all events is all zeros.
fn encode_entry(entry: &Entry, out: &mut Vec<u8>) {
    put_bytes(out, entry.key.as_bytes());
    put_varint(out, entry.first.get());
    put_varint(out, entry.offsets.len() as u64);
    let mut expected = 0;
    for offset in &entry.offsets {
        put_varint(out, u64::from(u32::from(*offset) - expected));
        expected = u32::from(*offset) + 1;
    }
}

/// A block: "EVFI", bytes of the payload u32, its raw bytes u32, streams u32, crc-32c u32 of the 16 bytes before it
/// and the payload; then the payload: one zstd frame of the entries.
fn encode_block(
    compressor: &mut zstd::bulk::Compressor<'_>,
    streams: u32,
    raw: &[u8],
    out: &mut Vec<u8>,
) -> std::io::Result<()> {
    let payload = compressor.compress(raw)?;
    let start = out.len();
    out.extend_from_slice(BLOCK_MAGIC);
    for value in [payload.len() as u32, raw.len() as u32, streams] {
        out.extend_from_slice(&value.to_be_bytes());
    }
    let crc = crc32c::crc32c_append(crc32c::crc32c(&out[start..]), &payload);
    out.extend_from_slice(&crc.to_be_bytes());
    out.extend_from_slice(&payload);
    Ok(())
}

/// The entries of the block at the start of `bytes`, which may go on after it, and how long the block is.
pub(crate) fn decode_block(bytes: &Bytes) -> Result<(Vec<Entry>, usize), Malformed> {
    let mut reader = Reader::new(bytes);
    let head = reader.clone().peek(16)?;
    if reader.array::<4>()? != *BLOCK_MAGIC {
        return Err(Malformed("index block: no magic number"));
    }
    let (payload_bytes, raw_bytes, streams) = (reader.u32()? as usize, reader.u32()? as usize, reader.u32()?);
    let crc = reader.u32()?;
    let payload = reader.peek(payload_bytes)?;
    if crc32c::crc32c_append(crc32c::crc32c(head), payload) != crc {
        return Err(Malformed("index block: its checksum is wrong"));
    }
    if raw_bytes > BLOCK_BYTES_MAX {
        return Err(Malformed("index block: too large"));
    }
    let raw = decompress(payload, raw_bytes as u64, "index block: not zstd")?;
    let mut reader = Reader::new(&raw);
    let entries = (0..streams).map(|_| decode_entry(&mut reader)).collect::<Result<Vec<_>, _>>()?;
    if reader.is_at_end() {
        Ok((entries, BLOCK_HEADER_BYTES + payload_bytes))
    } else {
        Err(Malformed("index block: more than its streams"))
    }
}

fn decode_entry(reader: &mut Reader<'_>) -> Result<Entry, Malformed> {
    let key = reader.text()?.into();
    let first = Number::new(reader.varint()?).map_err(|_| Malformed("index: number"))?;
    let events = reader.varint_u32()?;
    let mut offsets = Vec::with_capacity((events as usize).min(1 << 16));
    let mut expected = 0_u32;
    for _ in 0..events {
        let offset = expected.checked_add(reader.varint_u32()?);
        let offset = offset.and_then(|offset| u16::try_from(offset).ok()).ok_or(Malformed("index: offset"))?;
        offsets.push(offset);
        expected = u32::from(offset) + 1;
    }
    if offsets.is_empty() {
        Err(Malformed("index: a stream without events"))
    } else {
        Ok(Entry { key, first, offsets })
    }
}

/// A whole file, taken apart.
pub(crate) fn decode(file: &Bytes) -> Result<(Header, Vec<Entry>), Malformed> {
    let header = Header::decode(file)?;
    if header.bytes != file.len() as u64 {
        return Err(Malformed("index: its length is not what it says"));
    }
    let mut entries = Vec::new();
    let mut at = HEADER_BYTES;
    while at < file.len() {
        let (more, bytes) = decode_block(&file.slice(at..))?;
        entries.extend(more);
        at += bytes;
    }
    let events: usize = entries.iter().map(|entry| entry.offsets.len()).sum();
    if (entries.len(), events) == (header.streams as usize, header.events as usize) {
        Ok((header, entries))
    } else {
        Err(Malformed("index: it does not hold what it says"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn header(kind: Derived) -> Header {
        let (first, end) = (Position::from(65_536), Position::from(131_072));
        Header { kind, log: Uuid::from_u128(5), first, end, streams: 0, events: 0, bytes: 0 }
    }

    prop_compose! {
        fn any_entries()(
            streams in prop::collection::btree_map(
                "[a-z é]{1,300}",
                (0..i64::MAX as u64, prop::collection::btree_set(any::<u16>(), 1..200)),
                0..120,
            ),
        ) -> Vec<Entry> {
            let entry = |(key, (first, offsets)): (String, (u64, _))| {
                let offsets = std::collections::BTreeSet::into_iter(offsets).collect();
                Entry { key: key.into(), first: Number::new(first).expect("in range"), offsets }
            };
            BTreeMap::into_iter(streams).map(entry).collect()
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn an_index_comes_back_and_each_stream_is_in_the_block_that_is_told(entries in any_entries()) {
            let (bytes, places) = encode(header(Derived::EventType), &entries).expect("memory");
            let bytes = Bytes::from(bytes);
            let (found, decoded) = decode(&bytes)?;
            prop_assert_eq!((found.kind, found.log), (Derived::EventType, Uuid::from_u128(5)));
            prop_assert_eq!(&decoded, &entries);
            prop_assert_eq!(places.len(), entries.len());
            for (entry, place) in entries.iter().zip(places) {
                let start = place.offset as usize;
                let (block, length) = decode_block(&bytes.slice(start..start + place.bytes as usize))?;
                prop_assert_eq!(length, place.bytes as usize);
                prop_assert!(block.contains(entry));
            }
        }

        #[test]
        fn a_changed_bit_is_seen(entries in any_entries(), bit: prop::sample::Index) {
            let (mut bytes, _) = encode(header(Derived::Category), &entries).expect("memory");
            let bit = bit.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(decode(&bytes.into()).is_err());
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&Bytes::copy_from_slice(&bytes));
            let _ = decode_block(&Bytes::from([BLOCK_MAGIC.as_slice(), &bytes].concat()));
            let _ = decode_entry(&mut Reader::new(&Bytes::from(bytes)));
        }
    }

    #[test]
    fn a_stream_of_a_whole_chunk_takes_next_to_nothing() {
        let entry = Entry { key: "orders".into(), first: Number::ZERO, offsets: (0..=u16::MAX).collect() };
        let (bytes, _) = encode(header(Derived::Category), std::slice::from_ref(&entry)).expect("memory");
        assert!(bytes.len() < 200, "{} bytes", bytes.len());
        assert_eq!(decode(&bytes.into()).map(|(_, entries)| entries), Ok(vec![entry]));
    }

    #[test]
    fn the_bytes_of_an_index_are_part_of_the_format() {
        let entry = Entry { key: "a".into(), first: Number::from(300), offsets: vec![2, 3, 500] };
        let mut raw = Vec::new();
        encode_entry(&entry, &mut raw);
        assert_eq!(raw, b"\x01a\xac\x02\x03\x02\x00\xf0\x03");
        let (bytes, places) = encode(header(Derived::Streams), &[entry]).expect("memory");
        let mut golden = b"EVFINDEX\0\0\0\x01stre".to_vec();
        golden.extend([0; 15]);
        golden.extend(b"\x05\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\x01\0\0\0\x03");
        assert_eq!(bytes[..56], golden);
        assert_eq!(&bytes[HEADER_BYTES..HEADER_BYTES + 4], BLOCK_MAGIC);
        assert_eq!(bytes[HEADER_BYTES + 8..HEADER_BYTES + 16], [0, 0, 0, 9, 0, 0, 0, 1]);
        assert_eq!(places, [BlockPlace { offset: 68, bytes: bytes.len() as u32 - 68 }]);
        assert_eq!(Derived::ALL.map(code), ["ce", "et", "streams", "bc"]);
    }
}
