//! What is left of a damaged chunk file: the blocks that are whole, and the index that says what lay where.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use memchr::memmem;

use crate::event::{Event, Number, Position, StreamName};

use super::super::chunks::ChunkFile;
use super::super::format::block::{BLOCK_HEADER_BYTES, BLOCK_MAGIC, Block};
use super::super::format::chunk::{self, Section};

/// The events of the blocks that are whole, from position `first` on.
pub(in crate::store) fn read_blocks(file: &Bytes, first: Position, events: &mut BTreeMap<Position, Event>) {
    let mut searched_to = 0;
    while let Some(found) = memmem::find(&file[searched_to..], BLOCK_MAGIC) {
        let at = searched_to + found;
        searched_to = at + 1;
        let Ok(block) = Block::decode(&file.slice(at..)) else { continue };
        // What lies inside of a whole block is what producers sent, whatever it looks like.
        searched_to = at + BLOCK_HEADER_BYTES + block.header.bytes as usize;
        let ordinals = block.header.ordinal..block.header.ordinal + block.header.events;
        for event in ordinals.filter_map(|ordinal| block.event(ordinal, None).ok()) {
            if event.position >= first {
                events.insert(event.position, event);
            }
        }
    }
}

/// Which stream and number lies at each position of a chunk, by its index.
pub(super) struct Index {
    ordinals: Vec<u32>,
    /// By first ordinal.
    runs: BTreeMap<u32, chunk::Run>,
}

impl Index {
    /// None if it cannot be read.
    pub(super) fn read(path: &Path) -> Option<Self> {
        let chunk = ChunkFile::open(path).ok()?;
        let mut ordinal = 0;
        let mut runs = BTreeMap::new();
        for run in chunk.runs().ok()? {
            let events = run.events;
            runs.insert(ordinal, run);
            ordinal += events;
        }
        let order = chunk::decode_order(&chunk.section(Section::Order).ok()?).ok()?;
        let ordinals = match order {
            Some(order) => order.into_iter().map(u32::from).collect(),
            None => (0..ordinal).collect(),
        };
        Some(Self { ordinals, runs })
    }

    /// How many positions it knows.
    pub(super) fn positions(&self) -> u64 {
        self.ordinals.len() as u64
    }

    /// None for a position that the index does not know.
    pub(super) fn at(&self, position: Position, first: Position) -> Option<(StreamName, Number)> {
        let ordinal = *self.ordinals.get((position.get() - first.get()) as usize)?;
        let (start, run) = self.runs.range(..=ordinal).next_back()?;
        Some((run.stream.clone(), run.first.plus(u64::from(ordinal - start))))
    }
}
