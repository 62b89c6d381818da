//! The thread that turns complete segments of the tail into chunk files. It never writes to sled.

use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use super::Shared;
use super::chunk_file::{self, Written};
use super::format::chunk::Header;
use super::segment::Segment;

/// How long to wait before a chunk that could not be written (a full disk, say) is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Seals until no more segments come, or the store is closed.
pub(crate) fn run(shared: &Shared, segments: &Receiver<Arc<Segment>>) {
    while let Ok(segment) = segments.recv() {
        let chunk = loop {
            if shared.is_closing() {
                return;
            }
            match seal(shared, &segment) {
                Ok(chunk) => break chunk,
                Err(error) => {
                    tracing::warn!(%error, first = %segment.first(), "a chunk could not be written; trying again");
                    std::thread::sleep(RETRY_AFTER);
                }
            }
        };
        shared.queue.sealed(Box::new(chunk));
    }
}

fn seal(shared: &Shared, segment: &Segment) -> std::io::Result<Written> {
    let (events, fingerprints) = segment.contents();
    let header = Header {
        log: shared.identity.log,
        epoch: shared.identity.epoch,
        generation: 0,
        first: segment.first(),
        end: segment.end(),
    };
    chunk_file::write(shared.chunks.dir(), header, &events, &fingerprints, &segment.life_starts())
}
