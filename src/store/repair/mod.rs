//! Rebuilding a store, in a new directory, from whatever of a damaged one can be read.
//!
//! Nothing of the damaged store is changed. Events come from the chunk files, block by block, and from the
//! groups that lie in the raw bytes of sled's file; each of these describes itself and carries its checksum.
//! What is missing keeps its position and, as far as can be told, its stream and number, as an event of type
//! `$lost` without content; where its stream is lost too it goes to one named `$lost-{epoch}`. Unless the log is proved to be complete, a new epoch begins.

mod rebuild;
mod remains;
mod salvage;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::path::Path;

use uuid::Uuid;

use crate::event::{Digest, Event, EventId, EventType, Life, Number, Position, StreamName, Timestamp};

use super::OpenError;
use super::directory::{Directory, Ending};
use super::format::Meta;
use rebuild::Rebuild;
use salvage::{Salvage, Sources};

#[cfg(feature = "fuzzing")]
pub(super) use self::{remains::read_blocks, salvage::fuzzing::groups_in};

/// The type of the events that stand for what is lost.
pub(crate) const LOST_TYPE: &str = "$lost";

/// What the name of their stream begins with where their own is lost too; the epoch follows.
pub(crate) const UNPLACED_PREFIX: &str = "$lost-";

/// What was rebuilt, and what could not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepairReport {
    /// Events in the new store, the lost ones included.
    pub events: u64,
    /// Which ones are lost.
    pub lost: Vec<Lost>,
    /// Files and parts that could not be read.
    pub unreadable: Vec<String>,
    /// The epoch of the new store.
    pub epoch: u32,
    /// Whether the store was closed in order, and ends where it was closed.
    pub is_complete: bool,
}

/// An event that is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// Its position.
    pub position: Position,
    /// Its stream; `$lost-{epoch}` if that is lost too.
    pub stream: StreamName,
    /// Its number.
    pub number: Number,
}

impl fmt::Display for RepairReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for what in &self.unreadable {
            writeln!(f, "unreadable: {what}")?;
        }
        for lost in &self.lost {
            writeln!(f, "lost: {}@{} at position {}", lost.number, lost.stream, lost.position)?;
        }
        writeln!(f, "{} events, {} of them lost; epoch {}", self.events, self.lost.len(), self.epoch)?;
        if self.is_complete {
            write!(f, "the log ends where it was closed")
        } else {
            write!(f, "the store was not closed in order, so events after the last one found may be missing")
        }
    }
}

/// Rebuilds the store at `from` in the empty or new directory `into`. `progress` hears of positions written and
/// positions in all.
///
/// # Errors
/// When `from` is in use or of a newer format, `into` is not empty, or the new store cannot be written.
pub fn repair(from: &Path, into: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<RepairReport, OpenError> {
    let source = Directory::take(from)?;
    let marker = match source.marker() {
        Ok(Some(marker)) if marker.format > super::format::FORMAT => {
            return Err(OpenError::NewerFormat { found: marker.format, known: super::format::FORMAT });
        }
        Ok(marker) => marker,
        Err(OpenError::Damaged { .. }) => None,
        Err(other) => return Err(other),
    };
    if std::fs::read_dir(into).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(OpenError::Storage(format!("{} is not empty", into.display())));
    }
    let storage = |error: std::io::Error| OpenError::Storage(error.to_string());
    let closed = source.read_ending().ok().and_then(Ending::closed).map(|closed| closed.next);
    let sources = Sources::find(&source, closed).map_err(storage)?;
    let log = marker.as_ref().map(|marker| marker.log).or(sources.log).unwrap_or_else(Uuid::nil);
    if log.is_nil() {
        return Err(OpenError::Damaged {
            what: "neither `everfeed` nor a chunk names the log; nothing can be rebuilt".into(),
        });
    }

    let mut survey = Survey::default();
    sources.walk(&mut |salvaged| survey.see(&salvaged)).map_err(storage)?;
    let is_complete = closed == Some(survey.next);
    let has_lost = survey.unplaced > 0 || survey.known_lost > 0;
    // Without the file `everfeed` nobody knows whether the store took its events from elsewhere, and so whether another
    // one goes on with the same epoch.
    let epoch = sources.epoch + u32::from(has_lost || !is_complete || marker.is_none());

    let meta = Meta { log, epoch, opening: sources.opening, created: Timestamp::default() };
    let replica_of = marker.and_then(|marker| marker.replica_of);
    let mut rebuild = Rebuild::begin(into, meta, replica_of, sources.ranges.clone())?;
    let mut lost = Vec::new();
    let mut placer = Placer { places: survey.places, unplaced: 0, time: Timestamp::default(), log, epoch };
    let total = survey.next.get();
    let mut failed = None;
    sources
        .walk(&mut |salvaged| {
            if failed.is_some() {
                return;
            }
            let position = salvaged.position();
            let (event, is_lost) = placer.place(salvaged);
            if is_lost {
                lost.push(Lost { position, stream: event.stream.clone(), number: event.number });
            }
            failed = rebuild.push(event).err();
            if position.get().is_multiple_of(4096) {
                progress(position.get(), total);
            }
        })
        .map_err(storage)?;
    if let Some(error) = failed {
        return Err(error);
    }
    rebuild.finish()?;
    progress(total, total);
    Ok(RepairReport { events: total, lost, unreadable: sources.unreadable(), epoch, is_complete })
}

/// The first walk: finds for lost positions of which nothing is known the streams and numbers that are missing.
#[derive(Default)]
struct Survey {
    next: Position,
    streams: HashMap<StreamName, Seen>,
    /// Lost positions that have no stream yet.
    open: BTreeSet<Position>,
    /// The streams and numbers that were found for lost positions.
    places: BTreeMap<Position, (StreamName, Number)>,
    unplaced: u64,
    known_lost: u64,
}

struct Seen {
    next: Number,
    position: Position,
}

impl Survey {
    fn see(&mut self, salvaged: &Salvage) {
        let position = salvaged.position();
        self.next = position.plus(1);
        let (stream, number) = match salvaged {
            Salvage::Event(event) => (&event.stream, event.number),
            Salvage::Lost { known: Some((stream, number)), .. } => {
                self.known_lost += 1;
                (stream, *number)
            }
            Salvage::Lost { known: None, .. } => {
                self.unplaced += 1;
                self.open.insert(position);
                return;
            }
        };
        let (expected, after) =
            self.streams.get(stream).map_or((Number::ZERO, None), |seen| (seen.next, Some(seen.position)));
        for missing in expected.get()..number.get() {
            // A number that was jumped over lies between the stream's last event and this one.
            let from = after.map_or(Position::ZERO, |after: Position| after.plus(1));
            if let (Some(open), Ok(missing)) = (self.open.range(from..).next().copied(), Number::new(missing)) {
                self.open.remove(&open);
                self.places.insert(open, (stream.clone(), missing));
            }
        }
        self.streams.insert(stream.clone(), Seen { next: number.plus(1), position });
    }
}

/// The second walk: gives every lost position an event.
struct Placer {
    places: BTreeMap<Position, (StreamName, Number)>,
    /// How many lost events have no stream of their own.
    unplaced: u64,
    time: Timestamp,
    log: Uuid,
    epoch: u32,
}

impl Placer {
    /// The event, and whether it is lost.
    fn place(&mut self, salvaged: Salvage) -> (Event, bool) {
        let (event, is_lost) = match salvaged {
            Salvage::Event(event) => (*event, false),
            Salvage::Lost { position, known } => {
                let known = known.or_else(|| self.places.remove(&position));
                let (stream, number) = known.unwrap_or_else(|| {
                    // A name of its own for each repair: what an earlier one had lost is an event now.
                    let stream = StreamName::parse(&format!("{UNPLACED_PREFIX}{}", self.epoch)).expect("a name");
                    self.unplaced += 1;
                    (stream, Number::ZERO.plus(self.unplaced - 1))
                });
                (self.lost(position, stream, number), true)
            }
        };
        self.time = event.time;
        (event, is_lost)
    }

    fn lost(&self, position: Position, stream: StreamName, number: Number) -> Event {
        Event {
            stream,
            number,
            position,
            life: Life::default(),
            time: self.time,
            id: EventId::of_lost(self.log, position),
            event_type: EventType::parse(LOST_TYPE).expect("a type"),
            digest: Digest([0; 16]),
            content: None,
            kept_correlation: None,
        }
    }
}
