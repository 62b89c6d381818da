//! Event ids for ever: whether a stream has had an event with this id, at two bytes of memory an event.
//!
//! Every chunk has a Bloom filter of 2²⁰ bits over the fingerprints of its events (16 bits an event when it is
//! full). In memory the filters lie across each other: one 64-bit word holds the same bit of 64 columns. So a
//! look-up reads six words for every 64 columns, not six for every chunk. A hit (about one look-up in a
//! thousand for each column) is checked against the ids in the chunk's file.

use std::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher24};
use uuid::Uuid;

use crate::event::{EventId, StreamName};

/// Bits in the filter of a column.
const BITS: usize = 1 << 20;
/// The length of an encoded filter.
pub(crate) const FILTER_BYTES: usize = BITS / 8;
/// Bits that one fingerprint sets.
const PROBES: usize = 6;
/// Columns in a slab: the bits of a word.
const COLUMNS: usize = 64;
/// As many fingerprints as a filter takes before hits that are none become frequent.
const COLUMN_EVENTS_MAX: u32 = 65_536;

/// Tells (stream, id) pairs apart in memory; its upper half is what chunks and filters hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Fingerprint(u128);

/// Makes fingerprints. The key comes from the log's identity, so it is the same wherever the log goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fingerprints {
    key: (u64, u64),
}

impl Fingerprints {
    pub(crate) fn new(log: Uuid) -> Self {
        Self { key: log.as_u64_pair() }
    }

    /// Part of the format: SipHash-2-4 with 128 bits, keyed with the log's identity, over the id and the name.
    pub(crate) fn of(&self, stream: &StreamName, id: EventId) -> Fingerprint {
        let mut hasher = SipHasher24::new_with_keys(self.key.0, self.key.1);
        hasher.write(id.uuid().as_bytes());
        hasher.write(stream.as_str().as_bytes());
        Fingerprint(hasher.finish128().as_u128())
    }
}

impl Fingerprint {
    /// The half that is stored.
    pub(crate) const fn stored(self) -> u64 {
        (self.0 >> 64) as u64
    }
}

/// The bits that a stored fingerprint sets. Part of the format.
fn bits(stored: u64) -> [usize; PROBES] {
    const ODD: [u64; PROBES] = [
        0x9E37_79B9_7F4A_7C15,
        0xC2B2_AE3D_27D4_EB4F,
        0x1656_67B1_9E37_79F9,
        0xD6E8_FEB8_6659_FD93,
        0xA076_1D64_78BD_642F,
        0xE703_7ED1_A0B4_28DB,
    ];
    // Multiplication carries low bits up only; folding the halves first lets every bit count.
    let folded = stored ^ (stored >> 32);
    ODD.map(|odd| (folded.wrapping_mul(odd) >> 44) as usize)
}

/// The filter of one chunk, as its file holds it: bit `b` is bit `b % 8` of byte `b / 8`.
pub(crate) fn encode_filter(stored: impl Iterator<Item = u64>) -> Vec<u8> {
    let mut filter = vec![0; FILTER_BYTES];
    for fingerprint in stored {
        for bit in bits(fingerprint) {
            filter[bit / 8] |= 1 << (bit % 8);
        }
    }
    filter
}

/// The filters of all chunks, in the order of positions.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filters {
    slabs: Vec<std::sync::Arc<Slab>>,
    columns: Vec<Column>,
}

#[derive(Debug, Clone)]
struct Slab {
    /// `words[b]`: bit `b` of each of the slab's columns.
    words: Vec<u64>,
}

/// One column stands for one chunk, or for several that follow each other and together are small.
#[derive(Debug, Clone)]
struct Column {
    chunks: std::ops::Range<usize>,
    events: u32,
}

impl Filters {
    /// Adds the filter of the next chunk. `None` for a filter that cannot be read: then every look-up hits.
    pub(crate) fn push(&mut self, filter: Option<&[u8]>, events: u32) {
        let chunk = self.columns.last().map_or(0, |column| column.chunks.end);
        match self.columns.last_mut() {
            Some(column) if column.events + events <= COLUMN_EVENTS_MAX => {
                column.chunks.end += 1;
                column.events += events;
            }
            _ => self.columns.push(Column { chunks: chunk..chunk + 1, events }),
        }
        let column = self.columns.len() - 1;
        if column / COLUMNS == self.slabs.len() {
            self.slabs.push(std::sync::Arc::new(Slab { words: vec![0; BITS] }));
        }
        let slab = std::sync::Arc::make_mut(&mut self.slabs[column / COLUMNS]);
        let mask = 1_u64 << (column % COLUMNS);
        match filter {
            Some(filter) => {
                // The filter of a small chunk is empty nearly everywhere.
                let bytes = filter.iter().zip(slab.words.chunks_exact_mut(8)).filter(|(byte, _)| **byte != 0);
                for (byte, words) in bytes {
                    for (bit, word) in words.iter_mut().enumerate() {
                        // Without a branch: half of the bits of a full filter are set, in no order.
                        *word |= mask & 0_u64.wrapping_sub(u64::from(byte >> bit & 1));
                    }
                }
            }
            None => slab.words.iter_mut().for_each(|word| *word |= mask),
        }
    }

    /// The chunks (by index, newest first) that may hold the fingerprint.
    pub(crate) fn candidates(&self, fingerprint: Fingerprint) -> Vec<usize> {
        let bits = bits(fingerprint.stored());
        let mut found = Vec::new();
        for (index, slab) in self.slabs.iter().enumerate().rev() {
            let mut hits = bits.iter().fold(u64::MAX, |hits, bit| hits & slab.words[*bit]);
            while hits != 0 {
                let column = 63 - hits.leading_zeros() as usize;
                hits &= !(1 << column);
                found.extend(self.columns[index * COLUMNS + column].chunks.clone().rev());
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fingerprint(n: u128) -> Fingerprint {
        let stream = StreamName::parse("orders").expect("a name");
        Fingerprints::new(Uuid::from_u128(42)).of(&stream, EventId::new(Uuid::from_u128(n + 1)).expect("not nil"))
    }

    #[test]
    fn what_is_there_is_found_and_what_is_not_is_rarely_looked_for() {
        let mut filters = Filters::default();
        for chunk in 0..70_u128 {
            let stored = (0..65_536).map(|n| fingerprint(chunk * 65_536 + n).stored());
            // Small chunks would share a column; full ones do not.
            filters.push(Some(&encode_filter(stored)), 65_536);
        }
        for n in (0..70 * 65_536).step_by(9_973) {
            assert!(filters.candidates(fingerprint(n)).contains(&((n / 65_536) as usize)));
        }
        let false_hits: usize = (0..10_000).map(|n| filters.candidates(fingerprint(100_000_000 + n)).len()).sum();
        assert!(false_hits < 10_000 * 70 / 500, "{false_hits} false hits in 10,000 look-ups over 70 chunks");
    }

    #[test]
    fn small_chunks_share_a_column_and_an_unreadable_filter_always_hits() {
        let mut filters = Filters::default();
        filters.push(Some(&encode_filter([fingerprint(0).stored()].into_iter())), 30_000);
        filters.push(Some(&encode_filter([fingerprint(1).stored()].into_iter())), 30_000);
        filters.push(None, 30_000);
        assert_eq!(filters.candidates(fingerprint(0)), [2, 1, 0]);
        assert_eq!(filters.candidates(fingerprint(7)), [2]);
    }

    #[test]
    fn fingerprints_are_part_of_the_format() {
        assert_eq!(fingerprint(0).stored(), 2_887_174_338_283_989_508);
        assert_eq!(bits(1), [648_055, 797_482, 91_494, 880_271, 657_249, 946_231]);
    }
}
