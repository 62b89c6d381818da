//! What sled holds beside events: how a chunk gets into it, and all of it as one checksum.
//!
//! sled notices a changed bit, and then may go on without what it cannot read: from a page as it was earlier, or without
//! all that was written later. Of events and chunks that is seen, since they follow each other without gaps. Of the rest
//! only this tells: what was taken down when the store was closed is compared when it is opened.

use crate::event::{Erasure, Retention, StreamName};

use super::door::{Batch, Door, Failure, Writer};
use super::format::chunk::Run;
use super::format::{ChunkRecord, Key, RunRecord, registry_prefixes, retention};

/// A chunk whose file is complete and synced, with all that sled is to know of it.
pub(crate) struct Named<'a> {
    pub(crate) record: &'a ChunkRecord,
    /// Each stream's run, with its first ordinal.
    pub(crate) runs: Vec<(Run, u32)>,
    /// What is left of the streams of which its events tell.
    pub(crate) retentions: Vec<(StreamName, Retention)>,
    /// What its events say was erased.
    pub(crate) erased: Vec<Erasure>,
    pub(crate) has_links: bool,
}

/// Lets sled name a chunk of a store that nobody reads yet. Durable when it returns.
pub(crate) fn name(writer: &mut Writer, chunk: Named<'_>) -> Result<(), Failure> {
    let first = chunk.record.first;
    let mut batch = Batch::default();
    for (run, ordinal) in chunk.runs {
        let (life, life_start) = (run.life, run.life_start);
        let record = RunRecord { chunk: first, events: run.events, ordinal, life, life_start };
        batch.insert(Key::Run { stream: run.stream, first: run.first }.encode(), record.encode());
        if batch.is_full() {
            writer.write(std::mem::take(&mut batch))?;
        }
    }
    for (stream, retention) in &chunk.retentions {
        batch.insert(Key::Retention { stream: stream.clone() }.encode(), retention::encode(retention));
        if batch.is_full() {
            writer.write(std::mem::take(&mut batch))?;
        }
    }
    for Erasure { stream, number } in chunk.erased {
        batch.insert(Key::Erased { stream, number }.encode(), Vec::new());
        if batch.is_full() {
            writer.write(std::mem::take(&mut batch))?;
        }
    }
    if chunk.has_links {
        batch.insert(Key::Links.encode(), Vec::new());
    }
    batch.insert(Key::Chunk { first }.encode(), chunk.record.encode());
    writer.write(batch)?;
    writer.sync()
}

pub(crate) fn checksum(door: &Door) -> Result<u32, Failure> {
    let mut crc = 0;
    for prefix in registry_prefixes() {
        door.scan(&prefix, &prefix, |key, value| {
            // The key's length, so that no byte of a value passes for one of a key.
            crc = crc32c::crc32c_append(crc, &(key.len() as u32).to_be_bytes());
            crc = crc32c::crc32c_append(crc, key);
            crc = crc32c::crc32c_append(crc, value);
            true
        })?;
    }
    Ok(crc)
}
