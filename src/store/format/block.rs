//! A block of a chunk: some events, compressed together, and what tells whether they are whole.

use bytes::Bytes;

use crate::event::Event;

use super::codec::put_varint;
use super::{CHUNK_EVENTS_MAX, Malformed, Reader, decompress, row};

pub(crate) const BLOCK_HEADER_BYTES: usize = 24;
/// What every block begins with; a repair finds blocks by it.
pub(crate) const BLOCK_MAGIC: &[u8; 4] = b"EVFB";

/// Bytes of a block's payload, and how many events it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockSize {
    pub(crate) bytes: u32,
    pub(crate) events: u32,
}

/// What a block's header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockHeader {
    pub(crate) bytes: u32,
    pub(crate) raw_bytes: u32,
    pub(crate) ordinal: u32,
    pub(crate) events: u32,
}

/// A block: "EVFB", bytes of the payload u32, its raw bytes u32, first ordinal u32, events u32, crc-32c u32 of
/// the 20 bytes before it and the payload; then the payload: one zstd frame of the length of each row
/// (varints), then the rows.
pub(crate) fn encode_block(
    compressor: &mut zstd::bulk::Compressor<'_>,
    ordinal: u32,
    row_bytes: &[usize],
    rows: &[u8],
    out: &mut Vec<u8>,
) -> std::io::Result<BlockSize> {
    let mut raw = Vec::with_capacity(rows.len() + row_bytes.len() * 3);
    for bytes in row_bytes {
        put_varint(&mut raw, *bytes as u64);
    }
    raw.extend_from_slice(rows);
    let payload = compressor.compress(&raw)?;
    let size = BlockSize { bytes: payload.len() as u32, events: row_bytes.len() as u32 };
    let start = out.len();
    out.extend_from_slice(BLOCK_MAGIC);
    for value in [size.bytes, raw.len() as u32, ordinal, size.events] {
        out.extend_from_slice(&value.to_be_bytes());
    }
    let crc = crc32c::crc32c_append(crc32c::crc32c(&out[start..]), &payload);
    out.extend_from_slice(&crc.to_be_bytes());
    out.extend_from_slice(&payload);
    Ok(size)
}

/// The header of the block at the start of `bytes`, not yet checked against its checksum.
pub(crate) fn decode_block_header(bytes: &Bytes) -> Result<BlockHeader, Malformed> {
    let mut reader = Reader::new(bytes);
    if reader.array::<4>()? != *BLOCK_MAGIC {
        return Err(Malformed("block: no magic number"));
    }
    Ok(BlockHeader { bytes: reader.u32()?, raw_bytes: reader.u32()?, ordinal: reader.u32()?, events: reader.u32()? })
}

/// A block's events, in the order of ordinals, with where each row lies, ready to be decoded one by one.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    pub(crate) header: BlockHeader,
    raw: Bytes,
    /// The end of each row in `raw`; the first row starts at `rows_start`.
    row_ends: Vec<u32>,
    rows_start: u32,
}

/// The header and the payload of the block at the start of `bytes`, as they were written.
fn checked(bytes: &Bytes) -> Result<(BlockHeader, &[u8]), Malformed> {
    let header = decode_block_header(bytes)?;
    let mut reader = Reader::new(bytes);
    let head = reader.peek(20)?;
    let crc = reader.u32()?;
    let payload = reader.peek(header.bytes as usize)?;
    if crc32c::crc32c_append(crc32c::crc32c(head), payload) == crc {
        Ok((header, payload))
    } else {
        Err(Malformed("block: its checksum is wrong"))
    }
}

impl Block {
    /// That the block at the start of `bytes` is as it was written; it is not decompressed.
    pub(crate) fn check(bytes: &Bytes) -> Result<BlockHeader, Malformed> {
        checked(bytes).map(|(header, _)| header)
    }

    /// Checks and decompresses the block at the start of `bytes`, which may go on after it.
    pub(crate) fn decode(bytes: &Bytes) -> Result<Self, Malformed> {
        let (header, payload) = checked(bytes)?;
        if header.ordinal.checked_add(header.events).is_none_or(|end| end > CHUNK_EVENTS_MAX) {
            return Err(Malformed("block: ordinals that no chunk has"));
        }
        let raw = decompress(payload, u64::from(header.raw_bytes), "block: not zstd, or too large")?;
        // Each row has a length, and that takes a byte.
        if raw.len() < header.events as usize {
            return Err(Malformed("block: row lengths"));
        }
        let mut reader = Reader::new(&raw);
        let mut lengths = Vec::with_capacity(header.events as usize);
        let mut rows_bytes = 0_u64;
        for _ in 0..header.events {
            let bytes = reader.varint_u32()?;
            rows_bytes += u64::from(bytes);
            lengths.push(bytes);
        }
        let rows_start = (raw.len() as u64).checked_sub(rows_bytes).ok_or(Malformed("block: row lengths"))? as u32;
        let mut end = rows_start;
        for length in &mut lengths {
            end += *length;
            *length = end;
        }
        Ok(Self { header, raw, row_ends: lengths, rows_start })
    }

    /// The event at `ordinal`, which lies in this block.
    pub(crate) fn event(&self, ordinal: u32, previous: Option<&Event>) -> Result<Event, Malformed> {
        const OUTSIDE: Malformed = Malformed("block: an ordinal that is not in it");
        let index = ordinal.checked_sub(self.header.ordinal).ok_or(OUTSIDE)? as usize;
        let end = *self.row_ends.get(index).ok_or(OUTSIDE)? as usize;
        let start = if index == 0 { self.rows_start } else { self.row_ends[index - 1] } as usize;
        let row = self.raw.slice(start..end);
        let mut reader = Reader::new(&row);
        let event = row::decode(&mut reader, previous)?;
        if reader.is_at_end() { Ok(event) } else { Err(Malformed("block: more than a row")) }
    }

    /// What it takes in memory, in bytes.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.raw.len() + self.row_ends.len() * 4 + 64
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::row::tests::any_event;
    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn blocks_come_back_and_a_changed_bit_is_seen(events in prop::collection::vec(any_event(), 1..20), ordinal in 0_u32..60_000, bit: prop::sample::Index) {
            let (mut rows, mut lengths) = (Vec::new(), Vec::new());
            for event in &events {
                let start = rows.len();
                row::encode(event, &mut rows);
                lengths.push(rows.len() - start);
            }
            let mut out = Vec::new();
            let mut compressor = zstd::bulk::Compressor::new(1).expect("zstd");
            encode_block(&mut compressor, ordinal, &lengths, &rows, &mut out).expect("memory");
            let block = Block::decode(&Bytes::copy_from_slice(&out))?;
            for (index, event) in (ordinal..).zip(&events) {
                prop_assert_eq!(&block.event(index, None)?, event);
            }
            prop_assert!(block.event(ordinal + events.len() as u32, None).is_err());
            let bit = bit.index(out.len() * 8);
            out[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(Block::decode(&Bytes::from(out)).is_err());
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let bytes = Bytes::from(bytes);
            let _ = Block::decode(&bytes);
            let _ = Block::decode(&Bytes::from([BLOCK_MAGIC.as_slice(), &bytes].concat()));
        }
    }

    /// A repair looks for blocks in bytes that producers sent, and such a header once asked for all memory there is.
    #[test]
    fn what_a_block_says_of_itself_is_bounded() {
        let block = |raw_bytes: u32, ordinal: u32, events: u32| {
            let payload = zstd::bulk::compress(&[1; 9], 1).expect("memory");
            let mut out = BLOCK_MAGIC.to_vec();
            for value in [payload.len() as u32, raw_bytes, ordinal, events] {
                out.extend_from_slice(&value.to_be_bytes());
            }
            out.extend_from_slice(&crc32c::crc32c_append(crc32c::crc32c(&out), &payload).to_be_bytes());
            Block::decode(&[out, payload].concat().into()).map(|block| block.header.events)
        };
        assert_eq!(block(9, 0, 3), Ok(3));
        for (raw_bytes, ordinal, events) in [(u32::MAX, 0, 3), (9, 0, u32::MAX), (9, u32::MAX, 3), (9, 0, 10)] {
            assert!(block(raw_bytes, ordinal, events).is_err(), "{raw_bytes}, {ordinal}, {events}");
        }
    }
}
