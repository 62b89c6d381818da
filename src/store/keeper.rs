//! Keeps a chunk's file as long as somebody may read it: a view that is older than the file's next generation still
//! names this one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::chunks::Chunks;
use super::failpoint;
use super::format::ChunkRecord;

/// One generation of a chunk. All views that name it share it; it goes with the last of them.
pub(crate) struct Keeper {
    chunks: Arc<Chunks>,
    record: ChunkRecord,
    superseded: AtomicBool,
}

impl Keeper {
    pub(crate) fn new(chunks: &Arc<Chunks>, record: &ChunkRecord) -> Arc<Self> {
        Arc::new(Self { chunks: chunks.clone(), record: record.clone(), superseded: AtomicBool::new(false) })
    }

    /// sled names another generation by now, durably: this one may go.
    pub(crate) fn supersede(&self) {
        self.superseded.store(true, Ordering::SeqCst);
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if !self.superseded.load(Ordering::SeqCst) {
            return;
        }
        match self.chunks.remove(&self.record) {
            Ok(()) => failpoint::reached("scavenge.old_removed"),
            // The next start removes it.
            Err(error) => tracing::warn!(%error, first = %self.record.first, "a chunk file could not be removed"),
        }
    }
}
