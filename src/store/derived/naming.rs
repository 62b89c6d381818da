//! What the writer does for derived streams: it lets sled name the runs of index files that are complete.

use std::sync::Arc;

use super::super::door::{Batch, Failure};
use super::super::failpoint;
use super::super::format::{IndexRecord, Key};
use super::super::view::{Sealed, State};
use super::super::writer::Writer;
use super::Indexed;
use super::files::WrittenIndex;

impl Writer {
    /// Writes the runs of an index, and last, into `batch`, how far its kind is indexed now. Runs beyond that are
    /// passed over, and written again should we die here. An index is passed over whole, if those of the chunks before
    /// it are not there: then it has its turn after them.
    pub(crate) fn name_index(
        &mut self,
        index: WrittenIndex,
        indexed: &mut Indexed,
        batch: &mut Batch,
    ) -> Result<(), Failure> {
        let WrittenIndex { kind, first, end, runs } = index;
        if indexed.until(kind) != first {
            return Ok(());
        }
        self.untidied = self.untidied.saturating_add(2 * runs.len() as u32);
        for (stream, first, record) in runs {
            batch.insert(Key::Derived { stream, first }.encode(), record.encode());
            if batch.is_full() {
                self.door.write(std::mem::take(batch))?;
                self.door.sync()?;
                failpoint::reached("index.runs_synced");
            }
        }
        batch.insert(Key::Index { kind }.encode(), IndexRecord { until: end }.encode());
        indexed.set(kind, end);
        Ok(())
    }

    /// Takes in what was built in the background for a chunk that is sealed.
    pub(crate) fn take_in(&mut self, indexes: Vec<WrittenIndex>) -> Result<(), Failure> {
        let state = self.shared.state.load_full();
        let mut sealed = Sealed::clone(&state.sealed);
        let mut batch = Batch::default();
        for index in indexes {
            self.name_index(index, &mut sealed.indexed, &mut batch)?;
        }
        self.door.write(batch)?;
        failpoint::reached("index.named");
        self.door.sync()?;
        failpoint::reached("index.named_synced");
        self.shared.state.store(Arc::new(State { sealed: Arc::new(sealed), ..State::clone(&state) }));
        self.nudge_builder();
        Ok(())
    }

    /// Lets the builder look whether anything is missing.
    pub(crate) fn nudge_builder(&self) {
        // Without a builder (the store is closing) it is built after the next start.
        let _ = self.builder.send(());
    }
}
