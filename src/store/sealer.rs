//! The thread that turns complete segments of the tail into chunk files. It never writes to sled.

use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use super::chunk_file::{self, Written};
use super::derived::{self, IndexError};
use super::format::ChunkRecord;
use super::format::chunk::Header;
use super::format::row;
use super::segment::Segment;
use super::{Shared, View};

/// How long to wait before a chunk that could not be written (a full disk, say) is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Seals until no more segments come, or the store is closed.
pub(crate) fn run(shared: &Arc<Shared>, segments: &Receiver<Arc<Segment>>) {
    while let Ok(segment) = segments.recv() {
        let mut started = Instant::now();
        let chunk = loop {
            if shared.is_closing() {
                return;
            }
            match seal(shared, &segment) {
                Ok(chunk) => break chunk,
                Err(error) => {
                    tracing::warn!(%error, first = %segment.first(), "a chunk could not be written; trying again");
                    std::thread::sleep(RETRY_AFTER);
                    started = Instant::now();
                }
            }
        };
        shared.meters.seal_micros.take(started.elapsed().as_micros() as u64);
        // Before any view shows the chunk.
        shared.names.shelve(segment.streams(), segment.end());
        shared.queue.sealed(Box::new(chunk));
    }
}

fn seal(shared: &Arc<Shared>, segment: &Segment) -> Result<Written, IndexError> {
    let (mut events, fingerprints) = segment.contents();
    let raw_bytes = events.iter().map(row::weight).sum();
    let header = Header {
        log: shared.log,
        epoch: shared.identity().epoch,
        generation: 0,
        first: segment.first(),
        end: segment.end(),
    };
    let view = View { state: shared.state.load_full(), shared: shared.clone() };
    let indexes = derived::of_segment(&view, segment)?;
    // What has gone by now is not written once more, to be taken out again.
    view.strip(&mut events)?;
    let written = chunk_file::write(shared.chunks.dir(), header, &events, &fingerprints, &segment.life_starts())?;
    let record = ChunkRecord { raw_bytes, ..written.record };
    Ok(Written { record, indexes, ..written })
}
