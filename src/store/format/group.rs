//! A group: the rows that one sync made durable, cut into values that sled keeps safely.
//!
//! Every part describes itself, so that a repair finds it in the raw bytes of sled's file:
//!
//! ```text
//!  0  "EVFGROUP"
//!  8  version      u8   1
//!  9  flags        u8   bit 0: the payload is one zstd frame
//! 10  part         u16
//! 12  parts        u16
//! 14  zero         u16
//! 16  first        u64  position of the first event
//! 24  events       u32
//! 28  raw bytes    u32  of the whole payload, decompressed
//! 32  bytes        u32  of the payload in this part
//! 36  epoch        u32
//! 40  opening      u32  how often the store had been opened
//! 44  crc-32c      u32  of bytes 0 to 43, and of everything after 47
//! 48  only in part 0: identity (16 bytes) and offset (u64) of an external ordered log; zero without one
//! 72  payload (48 in other parts): rows, one after the other
//! ```
//!
//! A group is there if its part 0 is. Part 0 is written last, so a group that needs more than one sync
//! becomes real at once.

use bytes::{Bytes, BytesMut};

use crate::event::{Event, Position};

use super::{Malformed, Reader, VALUE_BYTES_MAX, decompress, row};

/// What every part begins with.
pub(crate) const MAGIC: &[u8; 8] = b"EVFGROUP";
const VERSION: u8 = 1;
const ZSTD: u8 = 1;
const HEADER_BYTES: usize = 48;
const EXTERNAL_BYTES: usize = 24;

/// Payloads below this are kept as they are: too small for compression to be worth its time.
const COMPRESS_FROM_BYTES: usize = 4 << 10;
const LEVEL: i32 = 1;

/// For how many events there is room before the first is read; a batch has no more, a group seldom.
const EVENTS_EXPECTED_MAX: usize = 16 << 10;

/// Where and when a group was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) epoch: u32,
    pub(crate) opening: u32,
}

/// One part, decoded and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) part: u16,
    pub(crate) parts: u16,
    pub(crate) first: Position,
    pub(crate) events: u32,
    pub(crate) origin: Origin,
    raw_bytes: u32,
    compressed: bool,
    payload: Bytes,
}

impl Part {
    /// The same part with bytes of its own, when what it was read from is to be let go.
    pub(crate) fn detached(mut self) -> Self {
        self.payload = Bytes::copy_from_slice(&self.payload);
        self
    }
}

/// Makes the parts of groups; keeps its buffers from one to the next.
pub(crate) struct Encoder {
    compressor: zstd::bulk::Compressor<'static>,
    compressed: Vec<u8>,
}

impl Encoder {
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(Self { compressor: zstd::bulk::Compressor::new(LEVEL)?, compressed: Vec::new() })
    }

    /// The parts of the group whose `events` rows are in `rows`, part 0 first.
    pub(crate) fn encode(&mut self, origin: Origin, first: Position, events: u32, rows: &[u8]) -> Vec<Vec<u8>> {
        let compressed = rows.len() >= COMPRESS_FROM_BYTES && self.compress(rows);
        let payload = if compressed { &self.compressed } else { rows };
        let first_bytes = payload.len().min(VALUE_BYTES_MAX - HEADER_BYTES - EXTERNAL_BYTES);
        let (start, rest) = payload.split_at(first_bytes);
        let pieces = std::iter::once(start).chain(rest.chunks(VALUE_BYTES_MAX - HEADER_BYTES));
        let parts = u16::try_from(pieces.clone().count()).expect("an append is far below 4 GiB");
        let raw_bytes = u32::try_from(rows.len()).expect("an append is far below 4 GiB");
        pieces
            .zip(0..)
            .map(|(piece, part): (&[u8], u16)| {
                let mut out = Vec::with_capacity(HEADER_BYTES + EXTERNAL_BYTES + piece.len());
                out.extend_from_slice(MAGIC);
                out.extend_from_slice(&[VERSION, u8::from(compressed) * ZSTD]);
                out.extend_from_slice(&part.to_be_bytes());
                out.extend_from_slice(&parts.to_be_bytes());
                out.extend_from_slice(&[0; 2]);
                out.extend_from_slice(&first.get().to_be_bytes());
                out.extend_from_slice(&events.to_be_bytes());
                out.extend_from_slice(&raw_bytes.to_be_bytes());
                out.extend_from_slice(&(piece.len() as u32).to_be_bytes());
                out.extend_from_slice(&origin.epoch.to_be_bytes());
                out.extend_from_slice(&origin.opening.to_be_bytes());
                out.extend_from_slice(&[0; 4]);
                if part == 0 {
                    out.extend_from_slice(&[0; EXTERNAL_BYTES]);
                }
                out.extend_from_slice(piece);
                let crc = checksum(&out);
                out[44..48].copy_from_slice(&crc.to_be_bytes());
                out
            })
            .collect()
    }

    /// Whether it became smaller.
    fn compress(&mut self, rows: &[u8]) -> bool {
        self.compressed.clear();
        self.compressed.reserve(zstd::zstd_safe::compress_bound(rows.len()));
        match self.compressor.compress_to_buffer(rows, &mut self.compressed) {
            Ok(bytes) => bytes < rows.len(),
            Err(_) => false,
        }
    }
}

/// Over all of a part but the checksum itself.
fn checksum(part: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&part[..44]), &part[48..])
}

/// Reads the part at the start of `bytes`, which may go on after it.
pub(crate) fn decode_part(bytes: &Bytes) -> Result<Part, Malformed> {
    let mut reader = Reader::new(bytes);
    if reader.array::<8>()? != *MAGIC {
        return Err(Malformed("group: no magic number"));
    }
    let version = reader.u8()?;
    let flags = reader.u8()?;
    let part = reader.u16()?;
    let parts = reader.u16()?;
    let zero = reader.u16()?;
    let first = reader.u64()?;
    let events = reader.u32()?;
    let raw_bytes = reader.u32()?;
    let payload_bytes = reader.u32()? as usize;
    let origin = Origin { epoch: reader.u32()?, opening: reader.u32()? };
    let crc = reader.u32()?;
    if part == 0 {
        reader.peek(EXTERNAL_BYTES)?;
    }
    let payload = reader.take(payload_bytes)?;
    let end = HEADER_BYTES + if part == 0 { EXTERNAL_BYTES } else { 0 } + payload_bytes;
    if checksum(&bytes[..end]) != crc {
        return Err(Malformed("group: its checksum is wrong"));
    }
    if version != VERSION || flags & !ZSTD != 0 || zero != 0 {
        return Err(Malformed("group: of a later version"));
    }
    if part >= parts || events == 0 {
        return Err(Malformed("group: part"));
    }
    let first = Position::new(first).map_err(|_| Malformed("group: position"))?;
    Ok(Part { part, parts, first, events, origin, raw_bytes, compressed: flags & ZSTD != 0, payload })
}

impl Part {
    /// How many bytes it takes as it is stored.
    pub(crate) fn stored_bytes(&self) -> usize {
        HEADER_BYTES + if self.part == 0 { EXTERNAL_BYTES } else { 0 } + self.payload.len()
    }
}

/// Puts the parts of one group, in order and complete, together again.
pub(crate) fn decode(parts: &[Part]) -> Result<Vec<Event>, Malformed> {
    let head = parts.first().ok_or(Malformed("group: no parts"))?;
    let in_order = parts.iter().zip(0..).all(|(part, index)| {
        part.part == index && part.parts == head.parts && part.first == head.first && part.origin == head.origin
    });
    if !in_order || parts.len() != usize::from(head.parts) {
        return Err(Malformed("group: a part is missing"));
    }
    let payload = match parts {
        [only] => only.payload.clone(),
        _ => {
            let mut whole = BytesMut::with_capacity(parts.iter().map(|part| part.payload.len()).sum());
            for part in parts {
                whole.extend_from_slice(&part.payload);
            }
            whole.freeze()
        }
    };
    let raw_bytes = head.raw_bytes as usize;
    let rows = if head.compressed {
        decompress(&payload, u64::from(head.raw_bytes), "group: not zstd, or too large")?
    } else {
        payload
    };
    if rows.len() != raw_bytes {
        return Err(Malformed("group: length"));
    }
    // Each row takes some bytes, and there is memory for no more of them.
    if rows.len() < head.events as usize {
        return Err(Malformed("group: more events than bytes"));
    }
    let mut reader = Reader::new(&rows);
    let mut events: Vec<Event> = Vec::with_capacity((head.events as usize).min(EVENTS_EXPECTED_MAX));
    for index in 0..head.events {
        let event = row::decode(&mut reader, events.last())?;
        if event.position != head.first.plus(u64::from(index)) {
            return Err(Malformed("group: positions with gaps"));
        }
        events.push(event);
    }
    if reader.is_at_end() { Ok(events) } else { Err(Malformed("group: more than its events")) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::row::tests::any_event;
    use super::*;

    const ORIGIN: Origin = Origin { epoch: 3, opening: 9 };

    fn encode(events: &mut [Event], first: u64) -> Vec<Vec<u8>> {
        let mut rows = Vec::new();
        for (index, event) in events.iter_mut().enumerate() {
            event.position = Position::new(first + index as u64).expect("in range");
            row::encode(event, &mut rows);
        }
        let first = Position::new(first).expect("in range");
        Encoder::new().expect("zstd").encode(ORIGIN, first, events.len() as u32, &rows)
    }

    fn decode_all(parts: &[Vec<u8>]) -> Result<Vec<Event>, Malformed> {
        let parts: Result<Vec<_>, _> = parts.iter().map(|part| decode_part(&Bytes::copy_from_slice(part))).collect();
        decode(&parts?)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn groups_come_back(mut events in prop::collection::vec(any_event(), 1..40), first in 0_u64..1 << 40) {
            let parts = encode(&mut events, first);
            prop_assert_eq!(decode_all(&parts)?, events);
        }

        #[test]
        fn a_changed_bit_is_seen(mut events in prop::collection::vec(any_event(), 1..4), bit: prop::sample::Index) {
            let mut parts = encode(&mut events, 0);
            let bit = bit.index(parts[0].len() * 8);
            parts[0][bit / 8] ^= 1 << (bit % 8);
            prop_assert!(decode_all(&parts).is_err());
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode_part(&Bytes::from([MAGIC.as_slice(), &bytes].concat()));
        }
    }

    #[test]
    fn a_large_group_is_cut_into_values_that_sled_keeps_safely_and_each_part_is_needed() {
        let mut event = crate::store::tests_support::event("orders", 0, 0);
        event.content.as_mut().expect("content").data = crate::store::tests_support::noise(7, 300_000).into();
        let parts = encode(std::slice::from_mut(&mut event), 77);
        assert_eq!(parts.len(), 5);
        assert!(parts.iter().all(|part| part.len() <= VALUE_BYTES_MAX));
        assert_eq!(decode_all(&parts).expect("whole"), [event]);
        for missing in 0..parts.len() {
            let mut parts = parts.clone();
            parts.remove(missing);
            assert!(decode_all(&parts).is_err());
        }
    }

    /// A repair looks for groups in bytes that producers sent, and such a header once asked for all memory there is.
    #[test]
    fn what_a_group_says_of_itself_is_bounded() {
        let mut events = vec![crate::store::tests_support::event("orders", 0, 0); 60];
        let whole = encode(&mut events, 0).remove(0);
        assert_eq!(whole[9], ZSTD);
        let changed = |at: usize| {
            let mut part = whole.clone();
            part[at..at + 4].copy_from_slice(&u32::MAX.to_be_bytes());
            let crc = checksum(&part);
            part[44..48].copy_from_slice(&crc.to_be_bytes());
            decode_all(&[part])
        };
        assert_eq!(decode_all(std::slice::from_ref(&whole)).map(|events| events.len()), Ok(60));
        assert_eq!(changed(24), Err(Malformed("group: more events than bytes")));
        assert_eq!(changed(28), Err(Malformed("group: not zstd, or too large")));
    }
}
