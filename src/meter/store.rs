//! What a store counts of itself.

use super::{Counter, Gauge, Histogram};

/// Counted since the store was opened.
#[derive(Debug)]
pub struct StoreMeters {
    /// Events that were made durable: appended, written by the server itself, or taken in from another log.
    pub events: Counter,
    /// Data and metadata of these events, in bytes.
    pub bytes: Counter,
    /// What became of appends, deletions and truncations.
    pub answered: Tally,
    /// From the queue to the answer, in microseconds; of what was written, repeated or refused by its stream.
    pub append_micros: Histogram,
    /// What it took to make a group durable (sled's flush and the `fdatasync` behind it), in microseconds.
    pub sync_micros: Histogram,
    /// Events of a group.
    pub group_events: Histogram,
    /// Rows of a group, before they are compressed, in bytes.
    pub group_bytes: Histogram,
    /// What the tail takes in memory, in bytes.
    pub tail_bytes: Gauge,
    /// What it took to write the file of a chunk that was complete, in microseconds.
    pub seal_micros: Histogram,
}

/// How appends ended.
#[derive(Debug, Default)]
pub struct Tally {
    /// Written now.
    pub written: Counter,
    /// Written before: repeats.
    pub repeated: Counter,
    /// Refused, by the rules or since nothing is written now.
    pub refused: Counter,
    /// The write or the sync failed.
    pub failed: Counter,
}

impl Default for StoreMeters {
    fn default() -> Self {
        Self {
            events: Counter::default(),
            bytes: Counter::default(),
            answered: Tally::default(),
            append_micros: Histogram::new(Histogram::MICROS),
            sync_micros: Histogram::new(Histogram::MICROS),
            group_events: Histogram::new(Histogram::COUNTS),
            group_bytes: Histogram::new(Histogram::BYTES),
            tail_bytes: Gauge::default(),
            seal_micros: Histogram::new(Histogram::MICROS),
        }
    }
}

impl Tally {
    /// Each name and its count, as a label has them.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let Self { written, repeated, refused, failed } = self;
        let named = [("written", written), ("repeated", repeated), ("refused", refused), ("failed", failed)];
        named.into_iter().map(|(name, counter)| (name, counter.get()))
    }
}
