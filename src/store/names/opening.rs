//! The names of sealed streams, as sled's index of runs has them when a store is opened.

use crate::event::{Position, StreamName};

use super::super::chunks::Chunks;
use super::super::format::{ChunkRecord, Malformed, RunRecord, run_of_key};
use super::shelf::Shelf;

/// Gathers them, by the keys of their runs, which come in order.
#[derive(Default)]
pub(crate) struct SealedNames {
    /// All but the last are full.
    shelves: Vec<Shelf>,
}

impl SealedNames {
    /// Takes in the next run. Where in its chunk its newest event lies is known by its ordinal alone; see
    /// [`Self::by_place`].
    pub(crate) fn take(&mut self, key: &[u8], run: &RunRecord) -> Result<(), Malformed> {
        let (name, _) = run_of_key(key)?;
        let ordinal = u64::from(run.ordinal) + u64::from(run.events).saturating_sub(1);
        let newest = run.chunk.plus(ordinal);
        match self.shelves.last() {
            Some(shelf) if shelf.last_name() == Some(name) => shelf.set_newest(shelf.len() - 1, newest),
            last => {
                StreamName::parse(name).map_err(|_| Malformed("key: stream name"))?;
                if last.is_none_or(Shelf::is_full) {
                    self.shelves.push(Shelf::default());
                }
                self.shelves.last_mut().expect("one was there or has just been pushed").push(name, newest);
            }
        }
        Ok(())
    }

    /// All of them in the order of where their newest events were taken to be, so that chunk by chunk positions can be
    /// put where ordinals stand.
    pub(crate) fn by_place(&self) -> ByPlace<'_> {
        let mut places = Vec::with_capacity(self.shelves.iter().map(Shelf::len).sum());
        for (shelf, names) in (0_u16..).zip(&self.shelves) {
            places.extend((0..names.len()).map(|index| (names.newest(index), index as u32, shelf)));
        }
        places.sort_unstable();
        ByPlace { shelves: &self.shelves, places }
    }

    pub(super) fn into_shelves(mut self) -> Vec<Shelf> {
        self.shelves.iter_mut().for_each(Shelf::shrink);
        self.shelves
    }
}

/// See [`SealedNames::by_place`].
pub(crate) struct ByPlace<'a> {
    shelves: &'a [Shelf],
    /// The place, the index of the name, and its shelf.
    places: Vec<(Position, u32, u16)>,
}

impl ByPlace<'_> {
    /// Settles the streams that end in this chunk. One that cannot be read keeps its ordinals: they lie in the same
    /// chunk, so its streams come in another order among themselves, and nothing else is wrong.
    pub(crate) fn settle(&self, record: &ChunkRecord, chunks: &Chunks) {
        let before = |end: Position| self.places.partition_point(|(place, ..)| *place < end);
        let here = &self.places[before(record.first)..before(record.end)];
        if here.is_empty() {
            return;
        }
        let Ok(Some(offsets)) = chunks.offsets(record) else { return };
        for (place, index, shelf) in here {
            let ordinal = (place.get() - record.first.get()) as usize;
            if let Some(offset) = offsets.get(ordinal) {
                self.shelves[usize::from(*shelf)].set_newest(*index as usize, record.first.plus(u64::from(*offset)));
            }
        }
    }
}
