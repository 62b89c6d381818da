//! The thread that indexes chunks which were sealed while a kind of derived streams was off: oldest first, in the
//! background, from their files. It never writes to sled; the writer takes in what it has written.

use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use crate::event::{Derived, Position};

use super::super::chunk_file;
use super::super::chunks::Chunk;
use super::super::format::ChunkRecord;
use super::super::format::derived::code;
use super::super::{ReadError, Shared, View};
use super::files::WrittenIndex;
use super::index::{self, IndexError};
use super::{Kinds, Places};

/// How long to wait before a chunk that could not be indexed (a full disk, say) is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How often the log hears how far it is.
const REPORT_AFTER: Duration = Duration::from_secs(5);

/// Builds what is missing whenever it is nudged, until the store is closed.
pub(crate) fn run(shared: &Arc<Shared>, nudges: &Receiver<()>) {
    let view = || View { state: shared.state.load_full(), shared: shared.clone() };
    let mut reported: Option<Instant> = None;
    while nudges.recv().is_ok() {
        loop {
            let view = view();
            let Some((kinds, chunk)) = missing(&view) else { break };
            if shared.is_closing() {
                return;
            }
            if reported.is_none_or(|reported| reported.elapsed() >= REPORT_AFTER) {
                report(&view, kinds, chunk);
                reported = Some(Instant::now());
            }
            let written = if shared.disk.is_low() { None } else { warned(index_chunk(&view, kinds, chunk), chunk) };
            let Some(written) = written else {
                std::thread::sleep(RETRY_AFTER);
                continue;
            };
            shared.queue.indexed(written);
            while shared.state.load().sealed.indexed == view.state.sealed.indexed {
                // Until the writer has taken it in: the next chunk's numbers follow from it.
                if nudges.recv().is_err() {
                    return;
                }
            }
        }
        if reported.take().is_some() {
            tracing::info!("all derived streams are complete");
        }
    }
}

/// The oldest chunk that is not indexed, and for which kinds.
fn missing(view: &View) -> Option<(Kinds, &ChunkRecord)> {
    let sealed = &view.state.sealed;
    let until = |kind: &Derived| sealed.indexed.until(*kind);
    let oldest = view.shared.kinds.iter().map(|kind| until(&kind)).min()?;
    let chunk = &sealed.chunks[sealed.chunk_index(oldest)?];
    Some((view.shared.kinds.iter().filter(|kind| until(kind) == oldest).collect(), chunk))
}

fn report(view: &View, kinds: Kinds, chunk: &ChunkRecord) {
    let kinds: Vec<&str> = kinds.iter().map(code).collect();
    let (indexed, events) = (chunk.first.get(), view.state.sealed.end().get());
    tracing::info!(kinds = kinds.join(","), indexed, events, "derived streams are being built");
}

fn warned(written: Result<Vec<WrittenIndex>, IndexError>, chunk: &ChunkRecord) -> Option<Vec<WrittenIndex>> {
    written
        .inspect_err(|error| tracing::warn!(%error, first = %chunk.first, "a chunk could not be indexed; trying again"))
        .ok()
}

/// Writes the index files of these kinds for a chunk.
fn index_chunk(view: &View, kinds: Kinds, record: &ChunkRecord) -> Result<Vec<WrittenIndex>, IndexError> {
    let places = places(view, kinds, record)?;
    let write = |kind| index::of_places(view, kind, record.first, record.end, &places);
    kinds.iter().map(write).collect()
}

/// Reads a chunk's file from end to end, past the cache: readers are at other places.
fn places(view: &View, kinds: Kinds, record: &ChunkRecord) -> Result<Places, ReadError> {
    let chunk = Chunk::open(&chunk_file::path(view.shared.chunks.dir(), record.first, record.generation))?;
    let mut places = Places::new(kinds);
    for (index, place) in chunk.blocks().iter().enumerate() {
        let block = chunk.read_block(index)?;
        for ordinal in place.ordinal..place.ordinal + place.events {
            let event = chunk.event(&block, ordinal)?;
            places.push(&event, offset(record.first, event.position)?);
        }
    }
    Ok(places)
}

fn offset(first: Position, position: Position) -> Result<u16, ReadError> {
    let offset = position.get().checked_sub(first.get()).and_then(|offset| u16::try_from(offset).ok());
    offset.ok_or_else(|| ReadError::Damaged(format!("position {position} lies in the chunk at position {first}")))
}
