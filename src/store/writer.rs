//! The one thread that writes: it has decided what is queued, makes it durable in one group, publishes it, and
//! answers. It also names the chunks that the sealer has written.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Instant;

use crate::event::{Content, Erasure, Position, Receipt};
use crate::meter::{StoreMeters, Tally};

use super::chunk_file::Written;
use super::clock::ClockGuard;
use super::decide::Group;
use super::door::{self, Batch, Failure};
use super::format::group::{Encoder, Origin};
use super::format::{Key, Meta, RunRecord, retention, row};
use super::queue::{Request, Work};
use super::replicate::Turn;
use super::segment::{Cut, Segment};
use super::view::{Sealed, State, View};
use super::waiters::News;
use super::{AppendError, Shared, failpoint};

/// About how many bytes of events one sync makes durable, if as many wait.
const GROUP_BYTES: usize = 1 << 20;

/// Appends wait while the tail takes more than this in memory.
const TAIL_BYTES_MAX: u64 = 128 << 20;

/// So many of sled's pages are moved after a group, at most: about a millisecond.
const TIDY_PAGES: u32 = 64;

/// A group that sled holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    pub(crate) first: Position,
    /// The position after its last event.
    pub(crate) end: Position,
    pub(crate) parts: u16,
    /// What its parts take together.
    pub(crate) bytes: usize,
}

impl Extent {
    /// About what one part takes: all but two are full.
    pub(crate) fn part_bytes(&self) -> usize {
        self.bytes.div_ceil(usize::from(self.parts.max(1)))
    }
}

pub(crate) struct Writer {
    pub(crate) shared: Arc<Shared>,
    pub(crate) door: door::Writer,
    pub(crate) encoder: Encoder,
    pub(crate) meta: Meta,
    /// Says in the data directory what the store is.
    pub(crate) mark: PathBuf,
    /// Oldest first.
    pub(crate) groups: VecDeque<Extent>,
    /// The size of each segment of the tail, oldest first.
    pub(crate) cuts: VecDeque<Cut>,
    /// How many of sled's pages are still to be moved for chunks that were named.
    pub(crate) untidied: u32,
    /// Takes segments that are complete and durable.
    pub(crate) sealer: Sender<Arc<Segment>>,
    /// Looks whether derived streams are to be built.
    pub(crate) builder: Sender<()>,
    pub(crate) clock: ClockGuard,
}

type Answer = tokio::sync::oneshot::Sender<Result<Receipt, AppendError>>;

impl Writer {
    /// Works until the queue is closed and empty.
    pub(crate) fn run(mut self) -> door::Writer {
        let _alarm = Alarm(self.shared.clone());
        loop {
            let tail_bytes: u64 = self.cuts.iter().map(Cut::memory_bytes).sum();
            self.shared.meters.tail_bytes.set(tail_bytes);
            // What is to be refused need not wait for room.
            let has_room = || tail_bytes < TAIL_BYTES_MAX || self.shared.refuses_everything().is_some();
            match self.shared.queue.next(GROUP_BYTES, has_room) {
                Work::Appends(requests) => self.append(requests),
                Work::Rows(rows) => self.take_rows(rows),
                Work::Turn(Turn { role, answer }) => {
                    // Whoever asked may have gone away; what was decided stays.
                    let _ = answer.send(self.turn(role));
                }
                Work::Sealed(chunk) => self.unless_stopped(|writer| writer.name_chunk(*chunk)),
                Work::Indexed(indexes) => self.unless_stopped(|writer| writer.take_in(indexes)),
                Work::Rewritten(chunk) => self.unless_stopped(|writer| writer.switch(*chunk)),
                Work::Compact(compaction) => self.unless_stopped(|writer| writer.compact(compaction)),
                Work::Close => return self.door,
            }
        }
    }

    /// Does what serves nobody in particular, unless nothing may be written any more.
    fn unless_stopped(&mut self, work: impl FnOnce(&mut Self) -> Result<(), Failure>) {
        if self.shared.is_writable()
            && let Err(failure) = work(self)
        {
            self.shared.stop_writing(&failure.to_string());
        }
    }

    fn append(&mut self, mut requests: Vec<Request>) {
        if self.shared.refusal().is_some() {
            requests = self.refuse(requests);
        }
        if requests.is_empty() {
            return;
        }

        let row_bytes_about = requests.iter().map(Request::row_bytes_about).sum();
        let mut group = Group::new(self.shared.state.load().log, row_bytes_about);
        let view = View { state: self.shared.state.load_full(), shared: self.shared.clone() };
        let mut answers = Vec::with_capacity(requests.len());
        for mut request in requests {
            self.clock.look(request.now, group.log.time);
            let result = group.decide(&view, &mut request);
            answers.push((request.answer, request.queued, result));
        }
        if let Err(failure) = self.commit(group) {
            // Refusals and repeats too: they may rest on what was not made durable.
            self.shared.meters.answered.failed.add(answers.len() as u64);
            for (to, _, _) in answers {
                answer(to, Err(AppendError::OutcomeUnknown(failure.to_string())));
            }
            return;
        }
        let now = Instant::now();
        for (to, queued, result) in answers {
            let waited = now.saturating_duration_since(queued);
            self.shared.meters.append_micros.take(waited.as_micros() as u64);
            tally(&self.shared.meters.answered, &result);
            answer(to, result);
        }
        self.tidy();
    }

    /// Makes a group durable, and then visible.
    pub(super) fn commit(&mut self, group: Group) -> Result<(), Failure> {
        if group.placed.is_empty() {
            return Ok(());
        }
        if let Err(failure) = self.make_durable(&group) {
            self.shared.stop_writing(&failure.to_string());
            return Err(failure);
        }
        failpoint::reached("append.synced");
        count(&self.shared.meters, &group);
        self.publish(group);
        Ok(())
    }

    /// Lets sled move some of its pages.
    pub(super) fn tidy(&mut self) {
        let pages = self.untidied.min(TIDY_PAGES);
        self.untidied -= pages;
        if let Err(failure) = self.door.tidy(pages) {
            self.shared.stop_writing(&failure.to_string());
        }
    }

    /// Refuses what is not to be written now; returns the rest.
    fn refuse(&self, requests: Vec<Request>) -> Vec<Request> {
        let mut rest = Vec::new();
        for request in requests {
            match self.shared.refuses(request.intent) {
                Some(error) => {
                    self.shared.meters.answered.refused.add_one();
                    answer(request.answer, Err(error));
                }
                None => rest.push(request),
            }
        }
        rest
    }

    fn make_durable(&mut self, group: &Group) -> Result<(), Failure> {
        let first = group.placed[0].event.position;
        let events = group.placed.len() as u32;
        let origin = Origin { epoch: self.meta.epoch, opening: self.meta.opening };
        let mut parts = self.encoder.encode(origin, first, events, &group.rows);
        let bytes = parts.iter().map(Vec::len).sum();
        let extent = Extent { first, end: first.plus(u64::from(events)), parts: parts.len() as u16, bytes };
        let key = |part: usize| Key::Group { first, part: part as u16 }.encode();

        let mut batch = Batch::default();
        for part in (1..parts.len()).rev() {
            batch.insert(key(part), std::mem::take(&mut parts[part]));
            if batch.is_full() {
                self.door.write(std::mem::take(&mut batch))?;
                self.door.sync()?;
                failpoint::reached("append.part_synced");
            }
        }
        // Part 0 makes the group real; whatever it needs is in the same batch or durable already.
        batch.insert(key(0), std::mem::take(&mut parts[0]));
        self.door.write(batch)?;
        failpoint::reached("append.written");
        let started = Instant::now();
        self.door.sync()?;
        self.shared.meters.sync_micros.take(started.elapsed().as_micros() as u64);
        self.groups.push_back(extent);
        Ok(())
    }

    /// Makes a durable group visible.
    fn publish(&mut self, mut group: Group) {
        group.settle();
        let state = self.shared.state.load_full();
        let mut tail = state.tail.to_vec();
        let mut complete = Vec::new();
        let mut rest = group.placed.into_iter().peekable();
        while let Some(next) = rest.peek() {
            let weight = row::weight(&next.event);
            match self.cuts.back() {
                Some(cut) if cut.takes(weight) => {}
                full => {
                    if full.is_some() {
                        complete.extend(tail.last().cloned());
                    }
                    tail.push(Arc::new(Segment::new(next.event.position, self.shared.kinds)));
                    self.cuts.push_back(Cut::default());
                }
            }
            let cut = self.cuts.back_mut().expect("one was there or has just been pushed");
            let segment = tail.last().expect("there is a segment for each cut");
            let mut here = Vec::new();
            while let Some(placed) = rest.next_if(|placed| cut.takes(row::weight(&placed.event))) {
                cut.add(row::weight(&placed.event));
                here.push(placed);
            }
            segment.push(here);
        }
        let mut retentions = state.retentions.clone();
        for (stream, retention) in &group.retentions {
            retentions.insert(stream.clone(), *retention);
        }
        let mut erasures = state.erasures.clone();
        for erasure in group.erasures {
            erasures.insert(erasure);
        }
        let (first, log, sealed) = (state.log.next, group.log, state.sealed.clone());
        let has_links = state.has_links || group.has_links;
        let state = Arc::new(State { log, sealed, tail: tail.into(), retentions, erasures, has_links });
        self.shared.state.store(state.clone());
        // Whoever waits for a stream that was deleted learns it too.
        let streams = group.heads.into_keys().chain(group.retentions.into_keys());
        self.shared.waiters.published(|| News::Published { streams: streams.collect(), state, first });
        for segment in complete {
            // Without a sealer (the store is closing) the segment is sealed after the next start.
            let _ = self.sealer.send(segment);
        }
    }

    /// Lets sled name a chunk, publishes it in place of its segment, and deletes the groups that it replaces.
    fn name_chunk(&mut self, chunk: Written) -> Result<(), Failure> {
        let Written { record, runs, filter, retained, erased, has_links, indexes } = chunk;
        // The records of its streams are in as many leaves at worst, each of them also where it was before, and
        // each keeps a segment of sled's alive; so do the last traces of its groups.
        self.untidied = self.untidied.saturating_add(2 * runs.len() as u32 + 64);
        let mut batch = Batch::default();
        for (run, ordinal) in runs {
            let value = RunRecord {
                chunk: record.first,
                events: run.events,
                ordinal,
                life: run.life,
                life_start: run.life_start,
            };
            batch.insert(Key::Run { stream: run.stream, first: run.first }.encode(), value.encode());
            if batch.is_full() {
                // Runs of a chunk that is not named yet are passed over, and written again should we die here.
                self.door.write(std::mem::take(&mut batch))?;
                self.door.sync()?;
                failpoint::reached("seal.runs_synced");
            }
        }
        let state = self.shared.state.load_full();
        for stream in retained {
            // As it is now: what later events say of it is durable as well, and counts once.
            if let Some(retention) = state.retentions.get(&stream) {
                batch.insert(Key::Retention { stream }.encode(), retention::encode(retention));
            }
            if batch.is_full() {
                self.door.write(std::mem::take(&mut batch))?;
                self.door.sync()?;
            }
        }
        for Erasure { stream, number } in erased {
            batch.insert(Key::Erased { stream, number }.encode(), Vec::new());
            if batch.is_full() {
                self.door.write(std::mem::take(&mut batch))?;
                self.door.sync()?;
            }
        }
        if has_links {
            batch.insert(Key::Links.encode(), Vec::new());
        }
        let mut sealed = Sealed::clone(&state.sealed);
        for index in indexes {
            self.name_index(index, &mut sealed.indexed, &mut batch)?;
        }
        batch.insert(Key::Chunk { first: record.first }.encode(), record.encode());
        self.door.write(batch)?;
        failpoint::reached("seal.named");
        self.door.sync()?;
        failpoint::reached("seal.named_synced");

        let end = record.end;
        sealed.push(record, Some(&filter), &self.shared.chunks);
        let tail = state.tail.iter().skip(1).cloned().collect();
        self.cuts.pop_front();
        let is_behind = self.shared.kinds.iter().any(|kind| sealed.indexed.until(kind) < end);
        self.shared.state.store(Arc::new(State { sealed: Arc::new(sealed), tail, ..State::clone(&state) }));
        if is_behind {
            self.nudge_builder();
        }

        let mut batch = Batch::default();
        while let Some(group) = self.groups.front().filter(|group| group.end <= end) {
            // Part 0 first: what is left of a group without it is known to be nothing.
            for part in 0..group.parts {
                batch.remove(Key::Group { first: group.first, part }.encode(), group.part_bytes());
                if batch.is_full() {
                    self.door.write(std::mem::take(&mut batch))?;
                    failpoint::reached("seal.groups_deleting");
                }
            }
            self.groups.pop_front();
        }
        if !batch.is_empty() {
            self.door.write(batch)?;
        }
        self.door.sync()?;
        failpoint::reached("seal.groups_deleted");
        Ok(())
    }
}

/// Should the writer panic, nobody waits for it in vain.
struct Alarm(Arc<Shared>);

impl Drop for Alarm {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop_writing("the writer panicked");
            self.0.queue.abandon();
        }
    }
}

/// What a durable group has brought.
fn count(meters: &StoreMeters, group: &Group) {
    let bytes = group.placed.iter().filter_map(|placed| placed.event.content.as_ref()).map(Content::len).sum::<usize>();
    meters.events.add(group.placed.len() as u64);
    meters.bytes.add(bytes as u64);
    meters.group_events.take(group.placed.len() as u64);
    meters.group_bytes.take(group.rows.len() as u64);
}

fn tally(tally: &Tally, result: &Result<Receipt, AppendError>) {
    let counter = match result {
        Ok(receipt) if receipt.repeat => &tally.repeated,
        Ok(_) => &tally.written,
        Err(_) => &tally.refused,
    };
    counter.add_one();
}

fn answer(to: Answer, result: Result<Receipt, AppendError>) {
    // Whoever asked may have gone away; what was decided stays.
    let _ = to.send(result);
}
