//! A store made of a copy: chunk files as they are, and all that sled has to know of them worked out anew.
//!
//! A directory that is being restored says so until it is whole, so that no server takes what is half there for a store,
//! and the next restore goes on. Indexes of derived streams are not copied: the server builds them when it runs.

use std::path::{Path, PathBuf};

use crate::event::{Event, StreamName};

use super::super::chunk_file;
use super::super::directory::{self, Directory, Marker};
use super::super::door::{self, Batch, Door};
use super::super::erasures::said_by;
use super::super::format::group::{Encoder, Origin};
use super::super::format::{Closed, FORMAT, Key, Meta, row};
use super::super::recovery::{damaged, storage};
use super::super::registry::{self, Named};
use super::super::{NewStore, OpenError, ReadError, failpoint};
use super::history::History;
use super::reading;
use super::{Group, SealedChunk};

/// A store that is being restored.
pub struct Restore {
    directory: Directory,
    door: Door,
    writer: door::Writer,
    meta: Meta,
    replica_of: Option<String>,
    history: History,
    encoder: Encoder,
}

impl Restore {
    /// Begins in a directory that is empty or not there, or in which a restore was cut short.
    ///
    /// # Errors
    /// When something else is there, or it cannot be written.
    pub fn begin(into: &Path, what: &NewStore) -> Result<Self, OpenError> {
        if !directory::begin_restoring(into).map_err(storage)? {
            return Err(OpenError::Storage(format!("{} is not empty", into.display())));
        }
        let directory = Directory::take(into)?;
        // What sled had been told is told anew, from the files.
        directory.forget_registry().map_err(storage)?;
        failpoint::reached("restore.begun");
        let (door, mut writer) = Door::open(&directory.sled())?;
        let meta = Meta { log: what.log, epoch: what.epoch, opening: 0, created: what.created };
        let mut batch = Batch::default();
        batch.insert(Key::Meta.encode(), meta.encode());
        writer.write(batch)?;
        let (history, encoder) = (History::default(), Encoder::new().map_err(storage)?);
        Ok(Self { directory, door, writer, meta, replica_of: what.replica_of.clone(), history, encoder })
    }

    /// Where the file of a chunk belongs. Whoever puts it there syncs it.
    #[must_use]
    pub fn path(&self, chunk: &SealedChunk) -> PathBuf {
        chunk_file::path(&self.directory.chunks(), chunk.first, chunk.generation)
    }

    /// Takes in the next chunk, whose file is at its place.
    ///
    /// # Errors
    /// When it is not what it should be, or does not continue the log.
    pub fn chunk(&mut self, chunk: &SealedChunk) -> Result<(), OpenError> {
        let (opened, events) = reading::read(&self.path(chunk), chunk, self.meta.log).map_err(unreadable)?;
        let mut retained: Vec<StreamName> = Vec::new();
        for event in &events {
            let changed = self.history.take(event);
            retained.extend(changed.map_err(|why| damaged(&format!("chunks/{}: {why}", chunk.file_name())))?);
        }
        retained.sort_unstable();
        retained.dedup();
        let mut ordinal = 0;
        let runs = opened.runs().map_err(unreadable)?.into_iter().map(|run| {
            let first = ordinal;
            ordinal += run.events;
            (run, first)
        });
        let retentions = retained.into_iter().filter_map(|stream| {
            let retention = *self.history.retentions.get(&stream)?;
            Some((stream, retention))
        });
        let named = Named {
            record: &chunk.record(),
            runs: runs.collect(),
            retentions: retentions.collect(),
            erased: said_by(&events),
            has_links: events.iter().any(chunk_file::is_link),
        };
        registry::name(&mut self.writer, named)?;
        failpoint::reached("restore.chunk_named");
        Ok(())
    }

    /// Takes in what comes next of the tail.
    ///
    /// # Errors
    /// When it does not continue the log.
    pub fn group(&mut self, group: &Group) -> Result<(), OpenError> {
        let mut rows = Vec::new();
        for event in &group.events {
            self.history.take(event).map_err(|why| damaged(&format!("the tail: {why}")))?;
            row::encode(event, &mut rows);
        }
        let origin = Origin { epoch: self.meta.epoch, opening: self.meta.opening };
        let (first, events): (_, &[Event]) = (group.first(), &group.events);
        for (value, part) in self.encoder.encode(origin, first, events.len() as u32, &rows).into_iter().zip(0..) {
            let mut batch = Batch::default();
            batch.insert(Key::Group { first, part }.encode(), value);
            self.writer.write(batch)?;
        }
        Ok(())
    }

    /// Makes the store whole, and returns how many events it has.
    ///
    /// # Errors
    /// When that cannot be made durable.
    pub fn finish(mut self) -> Result<u64, OpenError> {
        let next = self.history.head.next;
        self.writer.sync()?;
        let closed = Closed { next, registry: Some(registry::checksum(&self.door)?) };
        self.directory.note_closed(&closed).map_err(storage)?;
        failpoint::reached("restore.closed");
        let marker = Marker { format: FORMAT, log: self.meta.log, replica_of: self.replica_of };
        self.directory.finish(&marker).map_err(storage)?;
        failpoint::reached("restore.marked");
        self.directory.end_restoring().map_err(storage)?;
        Ok(next.get())
    }
}

fn unreadable(error: ReadError) -> OpenError {
    match error {
        ReadError::Damaged(what) => damaged(&what),
        other => OpenError::Storage(other.to_string()),
    }
}
