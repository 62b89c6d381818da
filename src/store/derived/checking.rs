//! Checking indexes for `verify`: against the events of their chunks, and against what sled names.

use std::collections::HashMap;

use crate::event::{Derived, Event, Number, StreamName};

use super::super::OpenError;
use super::super::format::derived::{Entry, code};
use super::super::format::{ChunkRecord, DerivedRecord, Key};
use super::super::recovery::Opened;
use super::opening::recorded;
use super::{Indexed, Indexes, Kinds, Places, files};

/// Goes through the chunks in order.
pub(crate) struct Checker<'a> {
    opened: &'a Opened,
    recorded: Indexed,
    indexes: Indexes,
    /// The number that each derived stream goes on with.
    next: HashMap<StreamName, Number>,
    /// A chunk could not be read, so later numbers are not known.
    has_gap: bool,
}

impl<'a> Checker<'a> {
    pub(crate) fn new(opened: &'a Opened) -> Result<Self, OpenError> {
        let indexes = Indexes::new(opened.directory.chunks());
        Ok(Self { opened, recorded: recorded(&opened.door)?, indexes, next: HashMap::new(), has_gap: false })
    }

    /// What is wrong with the indexes of the next chunk. `events` are all of it, in any order; none if some of them
    /// cannot be read.
    pub(crate) fn chunk(&mut self, record: &ChunkRecord, events: Option<&[Event]>) -> Vec<String> {
        let indexed: Kinds =
            Derived::ALL.into_iter().filter(|kind| record.first < self.recorded.until(*kind)).collect();
        self.has_gap |= events.is_none();
        let Some(events) = events.filter(|_| !self.has_gap) else { return Vec::new() };
        let mut places = Places::new(indexed);
        for event in events {
            places.push(event, (event.position.get().wrapping_sub(record.first.get())) as u16);
        }
        indexed.iter().filter_map(|kind| self.index(kind, record, &places).err()).collect()
    }

    fn index(&mut self, kind: Derived, record: &ChunkRecord, places: &Places) -> Result<(), String> {
        let name = format!("chunks/{}.{}", record.first, code(kind));
        let mut expected = Vec::new();
        for (key, mut offsets) in places.sorted(kind) {
            offsets.sort_unstable();
            let stream = StreamName::parse(&[kind.prefix(), &key].concat()).expect("only names are taken in");
            let first = self.next.get(&stream).copied().unwrap_or_default();
            self.next.insert(stream.clone(), first.plus(offsets.len() as u64));
            expected.push((stream, Entry { key, first, offsets }));
        }
        if self.opened.state.sealed.indexed.until(kind) <= record.first {
            return Err(format!("{name}: it is not whole, or one before it is not; the server builds it anew"));
        }
        let (_, found) =
            files::read(&self.opened.directory.chunks(), record.first, kind).map_err(|error| error.to_string())?;
        if !found.iter().eq(expected.iter().map(|(_, entry)| entry)) {
            return Err(format!("{name}: it does not fit the events"));
        }
        for (stream, entry) in expected {
            let named = self.opened.door.get(&Key::Derived { stream: stream.clone(), first: entry.first }.encode());
            let named = named.map_err(|error| error.to_string())?.and_then(|value| DerivedRecord::decode(&value).ok());
            let is_right = named.is_some_and(|run| {
                let is_there = |run| self.indexes.offsets(kind, &entry.key, entry.first, run, |_| ()).is_ok();
                (run.chunk, run.events as usize) == (record.first, entry.offsets.len()) && is_there(&run)
            });
            if !is_right {
                return Err(format!("{name}: sled has no such run of {stream}"));
            }
        }
        Ok(())
    }
}
