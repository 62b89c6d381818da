//! What the writer does for the scavenger: sled names a chunk's next generation, then views show it.

use std::sync::Arc;
use std::sync::mpsc::Sender;

use super::super::door::{Batch, Failure};
use super::super::failpoint;
use super::super::format::{ChunkRecord, Key};
use super::super::view::{Sealed, State};
use super::super::writer::Writer;

/// A chunk's next generation, complete and synced.
pub(crate) struct Rewritten {
    pub(crate) record: ChunkRecord,
    /// Hears when views show it.
    pub(crate) switched: Sender<()>,
}

impl Writer {
    /// Lets sled name the generation, and publishes it. The file that it replaces goes with the last view of it.
    pub(crate) fn switch(&mut self, chunk: Rewritten) -> Result<(), Failure> {
        let Rewritten { record, switched } = chunk;
        let mut batch = Batch::default();
        batch.insert(Key::Chunk { first: record.first }.encode(), record.encode());
        self.door.write(batch)?;
        failpoint::reached("scavenge.named");
        self.door.sync()?;
        failpoint::reached("scavenge.named_synced");

        let state = self.shared.state.load_full();
        let mut sealed = Sealed::clone(&state.sealed);
        sealed.replace(record, &self.shared.chunks);
        self.shared.state.store(Arc::new(State { sealed: Arc::new(sealed), ..State::clone(&state) }));
        drop(state);
        failpoint::reached("scavenge.published");
        // The scavenger may have gone; the switch stays.
        let _ = switched.send(());
        Ok(())
    }
}
