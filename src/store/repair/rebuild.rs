//! Writing a store from a list of events, without a server: chunks as they fill, the rest as groups.

use std::collections::BTreeMap;
use std::path::Path;

use crate::event::{Effect, Event, LogHead, Position, StreamName, life_of};

use super::super::chunk_file;
use super::super::derived::Kinds;
use super::super::directory::{Directory, Marker};
use super::super::door::{self, Batch, Door};
use super::super::format::chunk::Header;
use super::super::format::group::{Encoder, Origin};
use super::super::format::{Closed, FORMAT, Key, Meta, row};
use super::super::ids::Fingerprints;
use super::super::registry::{self, Named};
use super::super::retentions::Retentions;
use super::super::segment::Segment;
use super::super::tail::Tail;
use super::OpenError;

/// About how many bytes of rows go into one group.
const GROUP_BYTES: usize = 512 << 10;

pub(super) struct Rebuild {
    directory: Directory,
    door: Door,
    writer: door::Writer,
    meta: Meta,
    replica_of: Option<String>,
    tail: Tail,
}

impl Rebuild {
    /// `chunks`: those of the damaged store, each with the position after its last event.
    pub(super) fn begin(
        into: &Path,
        meta: Meta,
        replica_of: Option<String>,
        chunks: BTreeMap<Position, Position>,
    ) -> Result<Self, OpenError> {
        let directory = Directory::take(into)?;
        let (door, mut writer) = Door::open(&directory.sled())?;
        let mut batch = Batch::default();
        batch.insert(Key::Meta.encode(), meta.encode());
        writer.write(batch)?;
        // Derived streams are indexed anew by the server, once it runs.
        let (log, retentions) = (LogHead::default(), Retentions::default());
        let tail = Tail::new(Fingerprints::new(meta.log), Kinds::NONE, log, retentions).with_chunks(chunks);
        Ok(Self { directory, door, writer, meta, replica_of, tail })
    }

    /// Adds the next event of the log.
    ///
    /// Which life of its stream it belongs to follows from what is there: should the settings that began one be lost, it
    /// never was. So new events and repeats find the same lives as the old ones, and so does whoever copies the log.
    pub(super) fn push(&mut self, mut event: Event) -> Result<(), OpenError> {
        let head = self.tail.head(&event.stream).unwrap_or_default();
        let retention = self.tail.retentions.get(&event.stream).copied().unwrap_or_default();
        event.life = life_of(&event.event_type, retention.status, retention.life);
        let effect = Effect::of(&event);
        let (position, time) = (event.position, event.time);
        self.tail.push(event, head)?;
        if let Some((stream, effect)) = effect {
            let next = self.tail.head(&stream).unwrap_or_default().next;
            self.tail.retentions.take(stream, effect, next, position, time);
        }
        if self.tail.segments.len() > 1 {
            let complete = self.tail.segments.remove(0);
            self.tail.cuts.pop_front();
            self.seal(&complete)?;
        }
        Ok(())
    }

    fn seal(&mut self, segment: &Segment) -> Result<(), OpenError> {
        let (events, fingerprints) = segment.contents();
        let header = Header {
            log: self.meta.log,
            epoch: self.meta.epoch,
            generation: 0,
            first: segment.first(),
            end: segment.end(),
        };
        let chunks = self.directory.chunks();
        let written = chunk_file::write(&chunks, header, &events, &fingerprints, &segment.life_starts())
            .map_err(|error| OpenError::Storage(error.to_string()))?;
        let retention = |stream: StreamName| {
            let retention = *self.tail.retentions.get(&stream)?;
            Some((stream, retention))
        };
        let named = Named {
            record: &written.record,
            runs: written.runs,
            retentions: written.retained.into_iter().filter_map(retention).collect(),
            erased: written.erased,
            has_links: written.has_links,
        };
        Ok(registry::name(&mut self.writer, named)?)
    }

    /// Writes the rest as groups, and makes the store whole.
    pub(super) fn finish(mut self) -> Result<(), OpenError> {
        let storage = |error: std::io::Error| OpenError::Storage(error.to_string());
        let mut encoder = Encoder::new().map_err(storage)?;
        let events: Vec<Event> = self.tail.segments.iter().flat_map(|segment| segment.contents().0).collect();
        let (mut rows, mut first, mut count) = (Vec::new(), Position::ZERO, 0_u32);
        for (index, event) in events.iter().enumerate() {
            if count == 0 {
                first = event.position;
            }
            row::encode(event, &mut rows);
            count += 1;
            if rows.len() >= GROUP_BYTES || index + 1 == events.len() {
                let origin = Origin { epoch: self.meta.epoch, opening: self.meta.opening };
                let parts = encoder.encode(origin, first, count, &rows);
                for (part, value) in parts.into_iter().enumerate() {
                    let mut batch = Batch::default();
                    batch.insert(Key::Group { first, part: part as u16 }.encode(), value);
                    self.writer.write(batch)?;
                }
                rows.clear();
                count = 0;
            }
        }
        self.writer.sync()?;
        let marker = Marker { format: FORMAT, log: self.meta.log, replica_of: self.replica_of };
        self.directory.finish(&marker).map_err(storage)?;
        let closed = Closed { next: self.tail.log.next, registry: Some(registry::checksum(&self.door)?) };
        self.directory.note_closed(&closed).map_err(storage)
    }
}
