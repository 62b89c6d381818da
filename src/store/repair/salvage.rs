//! Finding what can still be read: blocks in chunk files, groups in the raw bytes of sled's file.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use memchr::memmem;
use uuid::Uuid;

use crate::event::{Event, Number, Position, StreamName};

use super::super::chunk_file::{self, parse_name};
use super::super::directory::Directory;
use super::super::format::chunk::{HEADER_BYTES, Header};
use super::super::format::group::{self, Part};
use super::remains::{Index, read_blocks};

/// One position of the log, as far as it could be read.
#[derive(Debug, Clone)]
pub(super) enum Salvage {
    Event(Box<Event>),
    Lost { position: Position, known: Option<(StreamName, Number)> },
}

impl Salvage {
    pub(super) fn position(&self) -> Position {
        match self {
            Self::Event(event) => event.position,
            Self::Lost { position, .. } => *position,
        }
    }
}

/// The most positions in a row that can be lost before a group. More, and it is none of this log's: a tail is far shorter,
/// and so are all chunks that anybody has lost together.
const GAP_MAX: u64 = 1 << 26;

/// No store has had more epochs, nor been opened more often. Whatever says so would be newer than every group of ours.
const ORIGIN_MAX: u32 = 1 << 30;

/// Whether a part can be ours. What producers sent can look like one.
fn is_plausible(part: &Part) -> bool {
    part.origin.epoch <= ORIGIN_MAX && part.origin.opening <= ORIGIN_MAX
}

/// Parts of groups, by first position, epoch and opening.
type Parts = HashMap<(Position, u32, u32), BTreeMap<u16, Part>>;

/// All that was found of a store.
#[derive(Default)]
pub(super) struct Sources {
    /// The generations of each chunk file, by first position, oldest first. There are several only after a crash, and
    /// the newest need not be whole then.
    chunks: BTreeMap<Position, BTreeMap<u32, PathBuf>>,
    /// Complete groups, by first position.
    groups: BTreeMap<Position, Vec<Part>>,
    /// Where each of them whose header is whole ends.
    pub(super) ranges: BTreeMap<Position, Position>,
    pub(super) log: Option<Uuid>,
    /// The highest that was seen.
    pub(super) epoch: u32,
    pub(super) opening: u32,
    /// Where the log ends, if the store was closed in order.
    closed: Option<Position>,
    unreadable: RefCell<Vec<String>>,
    /// The group that was asked for last, decoded.
    at_hand: RefCell<Option<(Position, Vec<Event>)>>,
}

impl Sources {
    pub(super) fn find(directory: &Directory, closed: Option<Position>) -> io::Result<Self> {
        let mut sources = Self { closed, ..Self::default() };
        for entry in std::fs::read_dir(directory.chunks())? {
            let entry = entry?;
            let Some((first, generation)) = entry.file_name().to_str().and_then(parse_name) else { continue };
            sources.chunks.entry(first).or_default().insert(generation, entry.path());
            if let Some(header) = chunk_file::read_header(&entry.path()) {
                sources.ranges.insert(header.first, header.end);
                sources.log = sources.log.or(Some(header.log));
                sources.epoch = sources.epoch.max(header.epoch);
            }
        }
        sources.find_groups(&directory.sled().join("db"))?;
        Ok(sources)
    }

    /// Looks for group parts in the raw bytes. Where a later opening began to write, all that earlier ones had
    /// written from there on was left by a crash: it was never acknowledged, and the log went on without it.
    fn find_groups(&mut self, path: &Path) -> io::Result<()> {
        const WINDOW_BYTES: usize = 64 << 20;
        const OVERLAP_BYTES: usize = 2 * super::super::format::VALUE_BYTES_MAX;
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let mut parts = Parts::new();
        let mut window: Vec<u8> = Vec::new();
        let mut searched_to = 0;
        loop {
            let read = Read::by_ref(&mut file).take(WINDOW_BYTES as u64).read_to_end(&mut window)?;
            let bytes = Bytes::from(std::mem::take(&mut window));
            self.search(&bytes, &mut searched_to, &mut parts);
            if read == 0 {
                break;
            }
            let kept_from = bytes.len().saturating_sub(OVERLAP_BYTES);
            searched_to = searched_to.saturating_sub(kept_from);
            window = bytes[kept_from..].to_vec();
            if read < WINDOW_BYTES {
                break;
            }
        }
        self.choose(parts);
        Ok(())
    }

    /// Takes up the parts in these bytes.
    fn search(&mut self, bytes: &Bytes, searched_to: &mut usize, parts: &mut Parts) {
        // Producers can send bytes that look like a part of ours; what lies inside of one that is whole is theirs.
        while let Some(found) = memmem::find(&bytes[*searched_to..], group::MAGIC) {
            let at = *searched_to + found;
            *searched_to = at + 1;
            let part = group::decode_part(&bytes.slice(at..));
            if let Some(part) = part.ok().filter(is_plausible) {
                *searched_to = at + part.stored_bytes();
                self.epoch = self.epoch.max(part.origin.epoch);
                self.opening = self.opening.max(part.origin.opening);
                let key = (part.first, part.origin.epoch, part.origin.opening);
                // The window is let go; a part keeps its own bytes.
                parts.entry(key).or_default().insert(part.part, part.detached());
            }
        }
    }

    /// Keeps the groups that are whole and were not written anew by a later opening.
    fn choose(&mut self, parts: Parts) {
        let mut newest_first: Vec<_> = parts.into_iter().collect();
        newest_first.sort_unstable_by_key(|((first, epoch, opening), _)| Reverse((*epoch, *opening, *first)));
        let mut limit = self.closed.unwrap_or(Position::MAX);
        let (mut of_opening, mut lowest) = (None, limit);
        for ((first, epoch, opening), parts) in newest_first {
            if of_opening.replace((epoch, opening)) != Some((epoch, opening)) {
                limit = lowest;
            }
            let parts: Vec<Part> = parts.into_values().collect();
            let end = first.plus(u64::from(parts[0].events));
            if end <= limit && group::decode(&parts).is_ok() {
                lowest = lowest.min(first);
                self.groups.insert(first, parts);
            }
        }
        self.leave_out_far_ones();
    }

    /// Leaves out groups that lie further beyond all else than a log can have lost: nobody waits for so many lost events.
    fn leave_out_far_ones(&mut self) {
        let known = self.chunks.keys().chain(self.ranges.values()).chain(&self.closed);
        let mut end = known.max().copied().unwrap_or_default();
        let unreadable = self.unreadable.get_mut();
        self.groups.retain(|first, parts| {
            let is_near = *first <= end.plus(GAP_MAX);
            if is_near {
                end = end.max(first.plus(u64::from(parts[0].events)));
            } else {
                unreadable.push(format!("a group at position {first}, far beyond everything else"));
            }
            is_near
        });
    }

    /// What was found unreadable in the walks.
    pub(super) fn unreadable(&self) -> Vec<String> {
        let mut unreadable = self.unreadable.borrow().clone();
        unreadable.dedup();
        unreadable.sort();
        unreadable.dedup();
        unreadable
    }

    /// Passes every position of the log, in order.
    pub(super) fn walk(&self, each: &mut dyn FnMut(Salvage)) -> io::Result<()> {
        let mut next = Position::ZERO;
        loop {
            if self.closed == Some(next) {
                return Ok(());
            }
            if let Some(generations) = self.chunks.get(&next) {
                next = self.walk_chunk(next, generations, each)?;
            } else if let Some(events) = self.group_at(next) {
                let from = next;
                for event in events.into_iter().filter(|event| event.position >= from) {
                    next = event.position.plus(1);
                    each(Salvage::Event(Box::new(event)));
                }
            } else {
                let after = |first: &Position| *first > next;
                let chunk = self.chunks.keys().find(|first| after(first));
                let group = self.groups.keys().find(|first| after(first));
                let closed = self.closed.as_ref().filter(|closed| after(closed));
                let Some(until) = chunk.into_iter().chain(group).chain(closed).min() else { return Ok(()) };
                for position in next.get()..until.get() {
                    each(Salvage::Lost { position: place(position), known: None });
                }
                next = *until;
            }
        }
    }

    /// The events of the group that holds this position.
    fn group_at(&self, position: Position) -> Option<Vec<Event>> {
        let (first, parts) = self.groups.range(..=position).next_back()?;
        let events = u64::from(parts.first()?.events);
        (position < first.plus(events)).then(|| group::decode(parts).ok())?
    }

    /// The event at this position, if a group holds it.
    fn in_group(&self, position: Position) -> Option<Event> {
        let mut at_hand = self.at_hand.borrow_mut();
        let (first, _) = self.groups.range(..=position).next_back()?;
        if at_hand.as_ref().is_none_or(|(known, _)| known != first) {
            *at_hand = Some((*first, self.group_at(position)?));
        }
        let (first, events) = at_hand.as_ref()?;
        events.get((position.get() - first.get()) as usize).cloned()
    }

    /// Passes the positions of a chunk; returns the position after it.
    ///
    /// What cannot be read in one generation may be whole in another; of what can be read in both the newer counts,
    /// from which more may have been removed.
    fn walk_chunk(
        &self,
        first: Position,
        generations: &BTreeMap<u32, PathBuf>,
        each: &mut dyn FnMut(Salvage),
    ) -> io::Result<Position> {
        let mut events: BTreeMap<Position, Event> = BTreeMap::new();
        let (mut header, mut index) = (None, None);
        for path in generations.values() {
            let file = Bytes::from(std::fs::read(path)?);
            read_blocks(&file, first, &mut events);
            let bytes = file.get(..HEADER_BYTES).map(Bytes::copy_from_slice);
            header = bytes.and_then(|bytes| Header::decode(&bytes).ok()).or(header);
            index = Index::read(path).or(index);
        }
        let newest = generations.keys().next_back().copied().unwrap_or_default();
        let name = format!("chunks/{first}.{newest}");
        if header.is_none() || index.is_none() {
            self.unreadable
                .borrow_mut()
                .push(format!("{name}: its {}", if header.is_none() { "header" } else { "index" }));
        }
        let found_end = events.keys().next_back().map_or(first, |last| last.plus(1));
        let end = header
            .map(|header| header.end)
            .or_else(|| index.as_ref().map(|index| first.plus(index.positions())))
            .unwrap_or(found_end);
        let mut lost = 0_u64;
        for position in first.get()..end.get() {
            let position = place(position);
            let event = events.remove(&position).or_else(|| {
                lost += 1;
                self.in_group(position)
            });
            each(match event {
                Some(event) => Salvage::Event(Box::new(event)),
                None => Salvage::Lost { position, known: index.as_ref().and_then(|index| index.at(position, first)) },
            });
        }
        if lost > 0 {
            self.unreadable.borrow_mut().push(format!("{name}: blocks with {lost} events"));
        }
        // A file without a header, an index and blocks tells nothing; go on after its first position.
        Ok(if end > first { end } else { self.lost_first(first, each) })
    }

    fn lost_first(&self, first: Position, each: &mut dyn FnMut(Salvage)) -> Position {
        match self.in_group(first) {
            Some(event) => each(Salvage::Event(Box::new(event))),
            None => each(Salvage::Lost { position: first, known: None }),
        }
        first.plus(1)
    }
}

fn place(value: u64) -> Position {
    Position::new(value).expect("it lies between two positions")
}

#[cfg(feature = "fuzzing")]
pub(super) mod fuzzing;
#[cfg(test)]
mod tests;
