//! What a copy holds: chunk files and groups, read and checked down to the last event.

use std::path::Path;

use bytes::Bytes;
use uuid::Uuid;

use crate::event::{Digest, Event, Position};

use super::super::chunks::Chunk;
use super::super::format::Malformed;
use super::super::format::group::{self, Part};
use super::super::scavenger::read_events;
use super::super::{LOST_TYPE, ReadError};
use super::SealedChunk;
use super::history::History;

/// That every byte of a chunk's file is as it was written, by the checksums in it. It is quick: nothing is unpacked.
///
/// # Errors
/// When it is not, or is another chunk's.
pub fn check_bytes(path: &Path, chunk: &SealedChunk, log: Uuid) -> Result<(), ReadError> {
    open(path, chunk, log)?.check_bytes()
}

pub(super) fn open(path: &Path, chunk: &SealedChunk, log: Uuid) -> Result<Chunk, ReadError> {
    let opened = Chunk::open(path)?;
    let header = opened.header;
    let found = (header.log, header.first, header.end, header.generation);
    if found == (log, chunk.first, chunk.end, chunk.generation) {
        Ok(opened)
    } else {
        Err(ReadError::Damaged(format!("chunks/{}: it is another chunk, or of another log", chunk.file_name())))
    }
}

/// A chunk's file, and its events in the order of positions.
pub(super) fn read(path: &Path, chunk: &SealedChunk, log: Uuid) -> Result<(Chunk, Vec<Event>), ReadError> {
    let opened = open(path, chunk, log)?;
    let events = read_events(&opened, &chunk.record())?;
    Ok((opened, events))
}

/// Some events of the tail, as [`super::Snapshot::group`] makes them.
#[derive(Debug, Clone)]
pub struct Group {
    pub(super) events: Vec<Event>,
    bytes: usize,
}

impl Group {
    /// Reads the group at the start of these bytes, which may go on after it.
    ///
    /// # Errors
    /// When there is none, or it is damaged.
    pub fn read(bytes: &Bytes) -> Result<Self, ReadError> {
        let damaged = |error: Malformed| ReadError::Damaged(error.to_string());
        let mut parts: Vec<Part> = Vec::new();
        let mut end = 0;
        while parts.first().is_none_or(|first| parts.len() < usize::from(first.parts)) {
            let part = group::decode_part(&bytes.slice(end..)).map_err(damaged)?;
            end += part.stored_bytes();
            parts.push(part);
        }
        Ok(Self { events: group::decode(&parts).map_err(damaged)?, bytes: end })
    }

    /// The position of its first event.
    #[must_use]
    pub fn first(&self) -> Position {
        self.events.first().map(|event| event.position).unwrap_or_default()
    }

    /// The position after its last event.
    #[must_use]
    pub fn end(&self) -> Position {
        self.events.last().map(|event| event.position.plus(1)).unwrap_or_default()
    }

    /// How many bytes it took.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Reads a copy from its first event to its last, and tells whether they make a log.
pub struct BackupReader {
    log: Uuid,
    history: History,
}

impl BackupReader {
    /// Of this log.
    #[must_use]
    pub fn new(log: Uuid) -> Self {
        Self { log, history: History::default() }
    }

    /// Reads the next chunk.
    ///
    /// # Errors
    /// When it cannot be read, is not what was written, or does not continue the log.
    pub fn chunk(&mut self, path: &Path, chunk: &SealedChunk) -> Result<(), ReadError> {
        let (opened, events) = read(path, chunk, self.log)?;
        let damaged = |why: String| ReadError::Damaged(format!("chunks/{}: {why}", chunk.file_name()));
        opened.check_bytes()?;
        self.take(&events).map_err(damaged)?;
        if self.history.head.time == chunk.time {
            Ok(())
        } else {
            Err(damaged("its newest time is not the registered one".into()))
        }
    }

    /// Reads what comes next of the tail.
    ///
    /// # Errors
    /// When it does not continue the log, or is not what was written.
    pub fn group(&mut self, group: &Group) -> Result<(), ReadError> {
        self.take(&group.events).map_err(ReadError::Damaged)
    }

    /// The position that comes next.
    #[must_use]
    pub fn next(&self) -> Position {
        self.history.head.next
    }

    fn take(&mut self, events: &[Event]) -> Result<(), String> {
        for event in events {
            self.history.take(event)?;
            let is_whole = event.content.as_ref().is_none_or(|content| {
                event.event_type.as_str() == LOST_TYPE || Digest::of(&event.event_type, content) == event.digest
            });
            if !is_whole {
                return Err(format!("event {}@{}: its digest is wrong", event.number, event.stream));
            }
        }
        Ok(())
    }
}
