//! One chunk, written anew: every row as it was and where it was, without the contents that go.

use std::collections::HashMap;
use std::io;

use crate::event::Event;

use super::super::chunk_file;
use super::super::chunks::Chunk;
use super::super::format::chunk::Header;
use super::super::format::{ChunkRecord, chunk};
use super::super::removal::is_strippable;
use super::super::{ReadError, Shared};
use super::plan::Plan;

/// Why a chunk stays as it is.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unwritten {
    #[error(transparent)]
    Unreadable(#[from] ReadError),
    #[error("its next generation: {0}")]
    Io(#[from] io::Error),
    #[error("its next generation would have another index")]
    OtherIndex,
}

/// Writes the chunk's next generation, synced; returns its record.
pub(super) fn rewrite(
    shared: &Shared,
    record: &ChunkRecord,
    plan: &Plan,
    removed_events: u64,
) -> Result<ChunkRecord, Unwritten> {
    let dir = shared.chunks.dir();
    // Past the caches: what is read here nobody asked for.
    let chunk = Chunk::open(&chunk_file::path(dir, record.first, record.generation))?;
    let runs = chunk.runs()?;
    let mut events = read_events(&chunk, record)?;
    for event in &mut events {
        // What says how much is left stays whole: a repair has nothing else to know it by.
        if event.content.is_some() && plan.removes(event) && is_strippable(event) {
            event.remove_content();
        }
    }
    let fingerprints: Vec<_> = events.iter().map(|event| shared.fingerprints.of(&event.stream, event.id)).collect();
    let life_starts: HashMap<_, _> = runs.iter().map(|run| (run.stream.clone(), run.life_start)).collect();
    let header = Header { generation: record.generation + 1, ..chunk.header };
    let written = chunk_file::write(dir, header, &events, &fingerprints, &life_starts)?;
    let same: Vec<&chunk::Run> = written.runs.iter().map(|(run, _)| run).collect();
    if !same.into_iter().eq(&runs) {
        std::fs::remove_file(chunk_file::path(dir, header.first, header.generation))?;
        return Err(Unwritten::OtherIndex);
    }
    Ok(ChunkRecord { raw_bytes: record.raw_bytes, removed_events, ..written.record })
}

/// All events of the chunk, in the order of positions.
pub(in crate::store) fn read_events(chunk: &Chunk, record: &ChunkRecord) -> Result<Vec<Event>, ReadError> {
    let damaged = |what: &str| ReadError::Damaged(format!("chunks/{}.{}: {what}", record.first, record.generation));
    let mut events: Vec<Event> = Vec::with_capacity((record.end.get() - record.first.get()) as usize);
    for (index, place) in chunk.blocks().iter().enumerate() {
        let block = chunk.read_block(index)?;
        for ordinal in place.ordinal..place.ordinal + place.events {
            let event = block.event(ordinal, events.last()).map_err(|error| damaged(&error.to_string()))?;
            events.push(event);
        }
    }
    events.sort_unstable_by_key(|event| event.position);
    let follow = events.iter().zip(record.first.get()..).all(|(event, position)| event.position.get() == position);
    if follow && events.len() as u64 == record.end.get() - record.first.get() {
        Ok(events)
    } else {
        Err(damaged("its events do not follow each other"))
    }
}
