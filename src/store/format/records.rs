//! The small records: what store this is, which chunks it has, and where each stream lies in them.

use bytes::Bytes;
use uuid::Uuid;

use crate::event::{Life, Number, Position, Timestamp};

use super::codec::put_varint;
use super::derived::BlockPlace;
use super::{Malformed, Reader};

/// The version byte of each record below; a later version is a newer format.
const VERSION: u8 = 1;

/// What store this is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Meta {
    /// Which log; shared by its backups and mirrors.
    pub(crate) log: Uuid,
    /// Which unbroken history of it.
    pub(crate) epoch: u32,
    /// How often the store was opened. A group carries it, so that of two groups found at one position the
    /// one that a crash had left behind is known.
    pub(crate) opening: u32,
    /// When the store was made.
    pub(crate) created: Timestamp,
}

/// A chunk file that is part of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChunkRecord {
    pub(crate) first: Position,
    /// The position after its last event.
    pub(crate) end: Position,
    /// Counts how often the chunk was written anew.
    pub(crate) generation: u32,
    /// The time of its newest event.
    pub(crate) time: Timestamp,
    /// The length of its file.
    pub(crate) file_bytes: u64,
    /// The sum of its events' weights, as they were appended or came from another log.
    pub(crate) raw_bytes: u64,
    /// How many of its events had no content any more when this generation was written; 0 in the first one, unless
    /// they came so from another log.
    pub(crate) removed_events: u64,
}

/// A stream's run of consecutive numbers in one chunk; its first number is in the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RunRecord {
    /// The first position of the chunk.
    pub(crate) chunk: Position,
    /// How many numbers.
    pub(crate) events: u32,
    /// Where in the chunk the run begins; it is contiguous there.
    pub(crate) ordinal: u32,
    /// The stream's life at the end of the run.
    pub(crate) life: Life,
    /// The first number of that life.
    pub(crate) life_start: Number,
}

/// A derived stream's run of consecutive numbers in one chunk; its first number is in the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DerivedRecord {
    /// The first position of the chunk.
    pub(crate) chunk: Position,
    /// How many numbers.
    pub(crate) events: u32,
    /// The block of the index file that has their offsets.
    pub(crate) block: BlockPlace,
}

/// How far the chunks are indexed for a kind of derived streams. What lies beyond is not there, whatever the other
/// records say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IndexRecord {
    /// The position after the last event that is indexed; the end of a chunk.
    pub(crate) until: Position,
}

/// What the store held when it was closed in order. One that opens with something else has lost something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Closed {
    /// The log's head.
    pub(crate) next: Position,
    /// The checksum of all that sled holds beside events; notes of the first stores were without it.
    pub(crate) registry: Option<u32>,
}

impl Meta {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = versioned();
        out.extend_from_slice(self.log.as_bytes());
        put_varint(&mut out, u64::from(self.epoch));
        put_varint(&mut out, u64::from(self.opening));
        put_varint(&mut out, self.created.micros() as u64);
        sealed(out)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        decode(bytes, |reader| {
            Ok(Self {
                log: Uuid::from_bytes(reader.array()?),
                epoch: reader.varint_u32()?,
                opening: reader.varint_u32()?,
                created: time(reader)?,
            })
        })
    }
}

impl ChunkRecord {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = versioned();
        for value in [self.first.get(), self.end.get(), u64::from(self.generation)] {
            put_varint(&mut out, value);
        }
        put_varint(&mut out, self.time.micros() as u64);
        put_varint(&mut out, self.file_bytes);
        put_varint(&mut out, self.raw_bytes);
        // Chunks that were never written anew keep the bytes that their records always had.
        if self.removed_events > 0 {
            put_varint(&mut out, self.removed_events);
        }
        sealed(out)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        decode(bytes, |reader| {
            Ok(Self {
                first: position(reader)?,
                end: position(reader)?,
                generation: reader.varint_u32()?,
                time: time(reader)?,
                file_bytes: reader.varint()?,
                raw_bytes: reader.varint()?,
                removed_events: if reader.is_at_end() { 0 } else { reader.varint()? },
            })
        })
    }
}

impl RunRecord {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = versioned();
        put_varint(&mut out, self.chunk.get());
        put_varint(&mut out, u64::from(self.events));
        put_varint(&mut out, u64::from(self.ordinal));
        put_varint(&mut out, u64::from(self.life.0));
        put_varint(&mut out, self.life_start.get());
        sealed(out)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        decode(bytes, |reader| {
            Ok(Self {
                chunk: position(reader)?,
                events: reader.varint_u32()?,
                ordinal: reader.varint_u32()?,
                life: Life(reader.varint_u32()?),
                life_start: position(reader)?.into(),
            })
        })
    }
}

impl DerivedRecord {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        put_varint(&mut out, self.chunk.get());
        for value in [self.events, self.block.offset, self.block.bytes] {
            put_varint(&mut out, u64::from(value));
        }
        sealed(out)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        decode(bytes, |reader| {
            Ok(Self {
                chunk: position(reader)?,
                events: reader.varint_u32()?,
                block: BlockPlace { offset: reader.varint_u32()?, bytes: reader.varint_u32()? },
            })
        })
    }
}

impl IndexRecord {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        put_varint(&mut out, self.until.get());
        sealed(out)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        decode(bytes, |reader| Ok(Self { until: position(reader)? }))
    }
}

impl Closed {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = versioned();
        put_varint(&mut out, self.next.get());
        if let Some(registry) = self.registry {
            out.extend_from_slice(&registry.to_be_bytes());
        }
        sealed(out)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        decode(bytes, |reader| {
            let next = position(reader)?;
            let registry = if reader.is_at_end() { None } else { Some(reader.u32()?) };
            Ok(Self { next, registry })
        })
    }
}

/// The beginning of every record.
pub(super) fn versioned() -> Vec<u8> {
    vec![VERSION]
}

/// Adds the checksum that every record ends with.
pub(super) fn sealed(mut out: Vec<u8>) -> Vec<u8> {
    let crc = crc32c::crc32c(&out);
    out.extend_from_slice(&crc.to_be_bytes());
    out
}

/// Checks the checksum and the version, and that the body ends where the record does.
pub(super) fn decode<T>(
    bytes: &[u8],
    body: impl FnOnce(&mut Reader<'_>) -> Result<T, Malformed>,
) -> Result<T, Malformed> {
    let split = bytes.len().checked_sub(4).ok_or(Malformed("record: it ends early"))?;
    let (content, crc) = bytes.split_at(split);
    if crc32c::crc32c(content).to_be_bytes() != crc {
        return Err(Malformed("record: its checksum is wrong"));
    }
    let content = Bytes::copy_from_slice(content);
    let mut reader = Reader::new(&content);
    if reader.u8()? != VERSION {
        return Err(Malformed("record: of a later version"));
    }
    let value = body(&mut reader)?;
    if reader.is_at_end() { Ok(value) } else { Err(Malformed("record: it goes on after its end")) }
}

pub(super) fn number(reader: &mut Reader<'_>) -> Result<Number, Malformed> {
    position(reader).map(Number::from)
}

pub(super) fn position(reader: &mut Reader<'_>) -> Result<Position, Malformed> {
    Position::new(reader.varint()?).map_err(|_| Malformed("position"))
}

pub(super) fn time(reader: &mut Reader<'_>) -> Result<Timestamp, Malformed> {
    let micros = i64::try_from(reader.varint()?).map_err(|_| Malformed("time"))?;
    Ok(Timestamp::from_micros(micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_and_a_changed_bit_is_seen() {
        let meta = Meta { log: Uuid::from_u128(7), epoch: 1, opening: 300, created: Timestamp::from_micros(1 << 50) };
        let chunk = ChunkRecord {
            first: Position::from(65_536),
            end: Position::from(131_072),
            generation: 2,
            time: Timestamp::from_micros(9),
            file_bytes: 1 << 33,
            raw_bytes: 5,
            removed_events: 0,
        };
        let scavenged = ChunkRecord { generation: 3, removed_events: 300, ..chunk.clone() };
        let run = RunRecord {
            chunk: Position::from(65_536),
            events: 65,
            ordinal: 130,
            life: Life(1),
            life_start: Number::from(9),
        };
        let closed = Closed { next: Position::MAX, registry: Some(0) };
        let without = Closed { registry: None, ..closed.clone() };
        let derived = DerivedRecord {
            chunk: Position::from(65_536),
            events: 65_536,
            block: BlockPlace { offset: 68, bytes: 1 << 20 },
        };
        let index = IndexRecord { until: Position::from(131_072) };
        assert_eq!(DerivedRecord::decode(&derived.encode()), Ok(derived.clone()));
        assert_eq!(IndexRecord::decode(&index.encode()), Ok(index));
        assert_eq!(Meta::decode(&meta.encode()), Ok(meta.clone()));
        assert_eq!(ChunkRecord::decode(&chunk.encode()), Ok(chunk.clone()));
        assert_eq!(ChunkRecord::decode(&scavenged.encode()), Ok(scavenged));
        assert_eq!(RunRecord::decode(&run.encode()), Ok(run.clone()));
        assert_eq!(Closed::decode(&closed.encode()), Ok(closed));
        assert_eq!(Closed::decode(&without.encode()), Ok(without));
        for bit in 0..chunk.encode().len() * 8 {
            let mut bytes = chunk.encode();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(ChunkRecord::decode(&bytes).is_err());
        }
    }

    #[test]
    fn the_bytes_of_a_record_are_part_of_the_format() {
        let run =
            RunRecord { chunk: Position::from(300), events: 2, ordinal: 3, life: Life(0), life_start: Number::ZERO };
        assert_eq!(run.encode()[..7], [1, 0xac, 0x02, 2, 3, 0, 0]);
        let block = BlockPlace { offset: 68, bytes: 300 };
        let derived = DerivedRecord { chunk: Position::from(300), events: 2, block };
        assert_eq!(derived.encode()[..7], [1, 0xac, 0x02, 2, 68, 0xac, 0x02]);
        assert_eq!(IndexRecord { until: Position::from(300) }.encode()[..3], [1, 0xac, 0x02]);
    }
}
