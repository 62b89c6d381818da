//! Verifying a store: every checksum, every gap, every index entry. It changes nothing.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::path::Path;

use crate::event::{Digest, ERASURES, Effect, Erasure, Event, Number, Position, StreamName, TRUNCATIONS, Timestamp};

use super::OpenError;
use super::chunk_file::{self, types_of};
use super::chunks::Chunk;
use super::derived::checking::Checker;
use super::directory::{Directory, Ending};
use super::format::chunk::{Run, Section, encode_types};
use super::format::{ChunkRecord, Key, RunRecord, all_runs_prefix};
use super::ids::{Fingerprints, encode_filter};
use super::recovery::{self, Opened};
use super::repair::{LOST_TYPE, UNPLACED_PREFIX};
use super::retentions::Retentions;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Events that were read.
    pub events: u64,
    /// Chunk files that were read.
    pub chunks: usize,
    /// Groups in the tail.
    pub groups: usize,
    /// What a crash left behind: it belongs to nothing, and the next start removes it.
    pub leftovers: usize,
    /// What is wrong, one sentence each.
    pub problems: Vec<String>,
}

impl VerifyReport {
    /// Nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }
}

impl fmt::Display for VerifyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} events in {} chunks and {} groups of the tail", self.events, self.chunks, self.groups)?;
        if self.leftovers > 0 {
            writeln!(f, "{} leftovers of a crash, which the next start removes", self.leftovers)?;
        }
        for problem in &self.problems {
            writeln!(f, "problem: {problem}")?;
        }
        match self.problems.len() {
            0 => write!(f, "every checksum, gap and index entry is right"),
            1 => write!(f, "1 problem; `everfeed repair` rebuilds the store in a new directory"),
            count => write!(f, "{count} problems; `everfeed repair` rebuilds the store in a new directory"),
        }
    }
}

/// Reads everything in the store at `data`, which no server may have open. `progress` hears of events read and
/// events in all.
///
/// # Errors
/// When the store cannot be opened at all.
pub fn verify(data: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<VerifyReport, OpenError> {
    let directory = Directory::take(data)?;
    let ending = directory.read_ending()?;
    let opened = recovery::inspect(directory)?;
    let mut check = Check {
        fingerprints: Fingerprints::new(opened.meta.log),
        report: VerifyReport {
            groups: opened.groups.len(),
            leftovers: opened.leftovers.count(),
            ..VerifyReport::default()
        },
        next: HashMap::new(),
        gone: HashMap::new(),
        lost: HashSet::new(),
        time: Timestamp::default(),
        runs: 0,
        left: Left::default(),
        derived: Checker::new(&opened)?,
        opened: &opened,
    };
    if ending == Ending::Unreadable {
        check.problem("closed: it cannot be read; it would tell whether the end of the log is missing");
    }
    let total = opened.state.log.next.get();
    for record in &opened.state.sealed.chunks {
        check.chunk(record);
        progress(check.report.events, total);
    }
    check.sled_runs();
    // Positions, numbers and times of the tail were checked when it was replayed.
    for segment in opened.state.tail.iter() {
        for event in segment.contents().0 {
            check.content(&event);
            check.left.take(&event);
            check.report.events += 1;
        }
    }
    check.removals();
    check.retentions();
    progress(check.report.events, total);
    Ok(check.report)
}

struct Check<'a> {
    opened: &'a Opened,
    fingerprints: Fingerprints,
    report: VerifyReport,
    /// The number that each stream goes on with.
    next: HashMap<StreamName, Number>,
    /// The newest event of each stream whose content is gone.
    gone: HashMap<StreamName, Number>,
    /// The streams of which a repair could not bring everything back.
    lost: HashSet<StreamName>,
    time: Timestamp,
    runs: u64,
    left: Left,
    derived: Checker<'a>,
}

/// What is left of streams, as the events themselves say it.
#[derive(Default)]
struct Left {
    next: HashMap<StreamName, Number>,
    retentions: Retentions,
    erasures: BTreeSet<(StreamName, Number)>,
    /// A part of the events could not be read, so it is not known.
    is_unknown: bool,
}

impl Left {
    /// Takes in the next event of the log.
    fn take(&mut self, event: &Event) {
        match self.next.get_mut(&event.stream) {
            Some(next) => *next = event.number.plus(1),
            None => {
                self.next.insert(event.stream.clone(), event.number.plus(1));
            }
        }
        self.erasures.extend(Erasure::of(event).map(|Erasure { stream, number }| (stream, number)));
        if let Some((stream, effect)) = Effect::of(event) {
            let next = self.next.get(&stream).copied().unwrap_or_default();
            self.retentions.take(stream, effect, next, event.position, event.time);
        }
    }
}

impl Check<'_> {
    fn problem(&mut self, what: impl fmt::Display) {
        self.report.problems.push(what.to_string());
    }

    fn content(&mut self, event: &Event) {
        match &event.content {
            Some(content) if Digest::of(&event.event_type, content) != event.digest => {
                self.problem(format_args!("event {}@{}: its digest is wrong", event.number, event.stream));
            }
            None if event.event_type.as_str() == LOST_TYPE => {
                self.lost.insert(event.stream.clone());
            }
            None if self.opened.state.erasures.contains(&event.stream, event.number) => {}
            None => {
                let newest = self.gone.entry(event.stream.clone()).or_insert(event.number);
                *newest = event.number.max(*newest);
            }
            Some(_) => {}
        }
    }

    /// That only events which are truncated, deleted or erased are without content.
    fn removals(&mut self) {
        // What removed them may not have come yet, if another log tells of it.
        if self.left.is_unknown || self.opened.replica_of.is_some() {
            return;
        }
        for (stream, newest) in std::mem::take(&mut self.gone) {
            let next = self.left.next.get(&stream).copied().unwrap_or_default();
            let retention = self.left.retentions.get(&stream);
            let is_shown = retention.is_none_or(|retention| retention.first_visible(next) <= newest);
            if is_shown && !self.may_have_lost_what_removes(&stream) {
                self.problem(format_args!("event {newest}@{stream}: its content is missing, and nothing removed it"));
            }
        }
    }

    /// Whether settings, a deletion or a truncation of this stream may be among what is lost.
    fn may_have_lost_what_removes(&self, stream: &StreamName) -> bool {
        let settings = stream.settings();
        let is_unplaced = |lost: &StreamName| lost.as_str().starts_with(UNPLACED_PREFIX);
        let tells =
            |lost: &StreamName| lost == stream || *lost == settings || [TRUNCATIONS, ERASURES].contains(&lost.as_str());
        self.lost.iter().any(|lost| tells(lost) || is_unplaced(lost))
    }

    fn chunk(&mut self, record: &ChunkRecord) {
        self.report.chunks += 1;
        let path = chunk_file::path(&self.opened.directory.chunks(), record.first, record.generation);
        let name = format!("chunks/{}.{}", record.first, record.generation);
        let chunk = match Chunk::open(&path) {
            Ok(chunk) => chunk,
            Err(error) => {
                self.derived.chunk(record, None);
                return self.problem(error);
            }
        };
        if (chunk.header.first, chunk.header.end, chunk.header.log) != (record.first, record.end, self.opened.meta.log)
        {
            self.problem(format_args!("{name}: it is not the chunk that is registered"));
        }
        let mut events: Vec<Event> = Vec::new();
        let mut whole = true;
        for (index, place) in chunk.blocks().iter().enumerate() {
            let block = chunk.read_block(index);
            let read = block.and_then(|block| {
                (place.ordinal..place.ordinal + place.events)
                    .map(|ordinal| {
                        let event = block.event(ordinal, None);
                        event.map_err(|error| super::ReadError::Damaged(format!("{name}: {error}")))
                    })
                    .collect::<Result<Vec<_>, _>>()
            });
            match read {
                Ok(read) => events.extend(read),
                Err(error) => {
                    whole = false;
                    self.problem(format_args!(
                        "{error} (block {index}, events {} to {} of the chunk)",
                        place.ordinal,
                        place.ordinal + place.events - 1
                    ));
                }
            }
        }
        self.report.events += events.len() as u64;
        for event in &events {
            self.content(event);
        }
        match chunk.runs() {
            Ok(runs) => self.runs(&name, record, &runs, whole.then_some(&events)),
            Err(error) => self.problem(error),
        }
        if whole {
            self.index(&name, &chunk, record, &events);
            events.sort_by_key(|event| event.position);
            events.iter().for_each(|event| self.left.take(event));
        } else {
            self.left.is_unknown = true;
        }
        self.report.problems.extend(self.derived.chunk(record, whole.then_some(&events)));
    }

    /// That sled knows what settings and deletions leave of each stream.
    fn retentions(&mut self) {
        if self.left.is_unknown {
            return;
        }
        let Left { retentions, erasures, .. } = std::mem::take(&mut self.left);
        let known = self.opened.state.erasures.iter();
        let known: BTreeSet<_> =
            known.flat_map(|(stream, numbers)| numbers.iter().map(|number| (stream.clone(), *number))).collect();
        for (stream, number) in erasures.symmetric_difference(&known) {
            self.problem(format_args!("event {number}@{stream}: whether it was erased does not follow from the log"));
        }
        let known = &self.opened.state.retentions;
        let streams: BTreeSet<&StreamName> = retentions.iter().chain(known.iter()).map(|(stream, _)| stream).collect();
        for stream in streams {
            if retentions.get(stream) != known.get(stream) {
                self.problem(format_args!(
                    "{stream}: what is left of it does not follow from its settings and deletions"
                ));
            }
        }
    }

    /// The streams' runs: that they follow each other, that sled has them, that the events are theirs.
    fn runs(&mut self, name: &str, record: &ChunkRecord, runs: &[Run], events: Option<&Vec<Event>>) {
        let mut ordinal = 0;
        for run in runs {
            self.runs += 1;
            let next = self.next.insert(run.stream.clone(), run.first.plus(u64::from(run.events)));
            if next.unwrap_or_default() != run.first {
                self.problem(format_args!("{name}: {} jumps to number {}", run.stream, run.first));
            }
            let key = Key::Run { stream: run.stream.clone(), first: run.first }.encode();
            let expected = RunRecord {
                chunk: record.first,
                events: run.events,
                ordinal,
                life: run.life,
                life_start: run.life_start,
            };
            match self.opened.door.get(&key) {
                Ok(Some(value)) if RunRecord::decode(&value).as_ref() == Ok(&expected) => {}
                Ok(_) => self.problem(format_args!("{name}: sled has no such run of {}", run.stream)),
                Err(error) => self.problem(error),
            }
            if let Some(events) = events {
                let here = events.iter().skip(ordinal as usize).take(run.events as usize);
                let fits = here
                    .zip(run.first.get()..)
                    .all(|(event, number)| event.stream == run.stream && event.number.get() == number);
                if !fits {
                    self.problem(format_args!("{name}: other events lie in the run of {}", run.stream));
                }
            }
            ordinal += run.events;
        }
        if u64::from(ordinal) != record.end.get() - record.first.get() {
            self.problem(format_args!("{name}: the runs of its streams do not hold its events"));
        }
    }

    /// Positions, times, ids and the filter, against the events.
    fn index(&mut self, name: &str, chunk: &Chunk, record: &ChunkRecord, events: &[Event]) {
        let mut times = vec![None; events.len()];
        for (event, ordinal) in events.iter().zip(0_u32..) {
            let offset = event.position.get().wrapping_sub(record.first.get()) as usize;
            match times.get_mut(offset) {
                Some(time) if chunk.ordinal(offset as u32) == ordinal => *time = Some(event.time),
                _ => {
                    return self
                        .problem(format_args!("{name}: position {} is not where its index says", event.position));
                }
            }
        }
        for (time, position) in times.into_iter().zip(record.first.get()..) {
            match time {
                Some(time) if self.time <= time => self.time = time,
                Some(_) => self.problem(format_args!("{name}: time goes back at position {position}")),
                None => self.problem(format_args!("{name}: position {position} is missing")),
            }
        }
        if self.time != record.time {
            self.problem(format_args!("{name}: its newest time is not the registered one"));
        }
        let stored = |event: &Event| self.fingerprints.of(&event.stream, event.id).stored();
        let mut ids: Vec<(u64, u16)> = events.iter().zip(0..=u16::MAX).map(|(event, at)| (stored(event), at)).collect();
        ids.sort_unstable();
        let filter = encode_filter(ids.iter().map(|(id, _)| *id));
        let run_events = chunk.runs().unwrap_or_default().into_iter().map(|run| run.events);
        let types = encode_types(&types_of(run_events, events.iter()));
        let (buckets, ids) = chunk_file::encode_ids(&ids);
        for (section, expected) in
            [(Section::IdBuckets, buckets), (Section::Ids, ids), (Section::Filter, filter), (Section::Types, types)]
        {
            match chunk.section(section) {
                Ok(found) if found == expected => {}
                Ok(_) => self.problem(format_args!("{name}: the section {section:?} does not fit the events")),
                Err(error) => self.problem(error),
            }
        }
    }

    /// That sled has no runs beside those of the chunks.
    fn sled_runs(&mut self) {
        let end: Position = self.opened.state.sealed.end();
        let mut found = 0;
        let scanned = self.opened.door.scan(&all_runs_prefix(), &all_runs_prefix(), |_, value| {
            // Runs of a chunk that was not named before a crash are written again when it is.
            found += u64::from(RunRecord::decode(value).is_ok_and(|run| run.chunk < end));
            true
        });
        if let Err(error) = scanned {
            self.problem(error);
        }
        if found != self.runs {
            let runs = self.runs;
            self.problem(format_args!("sled has {found} runs of streams, and the chunks have {runs}"));
        }
    }
}
