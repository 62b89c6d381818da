//! A group in the making: requests decided one after the other, each on top of those before it. The rules are
//! `event`'s; here they meet what the store knows.

use std::collections::HashMap;

use bytes::Bytes;

use crate::event::{
    self, Content, Deletion, DeletionOutcome, Digest, ERASURE_TYPE, ERASURES, Effect, Erasure, ErasureOutcome, Event,
    EventId, EventType, ExpectedVersion, HARD_DELETION_TYPE, Known, LogHead, MediaType, NewEvent, Number, Order,
    Outcome, Position, Proposal, Receipt, Refusal, Retention, SETTINGS_TYPE, Source, Status, StreamHead, StreamName,
    TRUNCATION_TYPE, TRUNCATIONS, apply,
};

use super::AppendError;
use super::chunk_file::is_link;
use super::format::row;
use super::ids::Fingerprint;
use super::queue::{Intent, Request};
use super::segment::Placed;
use super::view::{State, View};

/// A group in the making. Nothing of it is seen before it is durable.
pub(crate) struct Group {
    pub(crate) log: LogHead,
    pub(crate) heads: HashMap<StreamName, StreamHead>,
    ids: HashMap<Fingerprint, Known>,
    /// What is left of the streams of which the group changes that.
    pub(crate) retentions: HashMap<StreamName, Retention>,
    /// What it erases.
    pub(crate) erasures: Vec<Erasure>,
    /// Where in `placed` the newest settings of a stream are, by the stream that holds them.
    settings: HashMap<StreamName, usize>,
    pub(crate) has_links: bool,
    pub(crate) rows: Vec<u8>,
    pub(crate) placed: Vec<Placed>,
    /// Where the bytes of each event lie in `rows`.
    spans: Vec<row::Spans>,
}

impl Group {
    pub(crate) fn new(log: LogHead, row_bytes_about: usize) -> Self {
        Self {
            log,
            heads: HashMap::new(),
            ids: HashMap::new(),
            retentions: HashMap::new(),
            erasures: Vec::new(),
            settings: HashMap::new(),
            has_links: false,
            rows: Vec::with_capacity(row_bytes_about),
            placed: Vec::new(),
            spans: Vec::new(),
        }
    }

    /// Decides one request on top of what the group has so far, and adds its events to the self.
    pub(crate) fn decide(&mut self, view: &View, request: &mut Request) -> Result<Receipt, AppendError> {
        let head = self.head(view, &request.stream)?;
        match request.intent {
            Intent::Append | Intent::Record => self.decide_append(view, head, request),
            Intent::Delete(deletion) => self.decide_deletion(view, &head, deletion, request),
            Intent::Truncate(before) => {
                let stream = StreamName::parse(TRUNCATIONS).expect("a name");
                self.write_own(view, &stream, TRUNCATION_TYPE, Effect::truncation(&request.stream, before), request)
            }
            Intent::Erase(number) => self.decide_erasure(view, &head, number, request),
        }
    }

    fn decide_append(
        &mut self,
        view: &View,
        mut head: StreamHead,
        request: &mut Request,
    ) -> Result<Receipt, AppendError> {
        for (index, fingerprint) in request.fingerprints.iter().enumerate() {
            if request.events[index].id_is_fresh {
                continue;
            }
            let mut known = known_since(self, &view.state, &request.looked_up, *fingerprint);
            if known.is_none() {
                let unseen = request.looked_up.end();
                known = view.sealed_known(*fingerprint, &request.stream, request.events[index].id, unseen)?;
            }
            if known.is_some() {
                request.known[index] = known;
            }
        }
        let proposal = Proposal {
            events: &request.events,
            digests: &request.digests,
            known: &request.known,
            expected: request.expected,
            ids_alone: request.ids_alone,
            now: request.now,
        };
        if head.status == Status::SoftDeleted {
            // The new life begins with settings that say so, if it begins at all.
            let (mut log, mut trial) = (self.log, head);
            if matches!(apply(&mut log, &mut trial, &proposal), Outcome::Appended(_)) {
                self.write_settings(view, &request.stream, head.next, request)?;
                head = self.head(view, &request.stream)?;
            }
        }
        match apply(&mut self.log, &mut head, &proposal) {
            Outcome::Refused(refusal) => Err(AppendError::Refused(refusal)),
            Outcome::Repeated(receipt) => Ok(receipt),
            Outcome::Appended(receipt) => {
                let events = std::mem::take(&mut request.events);
                self.add(view, &request.stream, events, &request.digests, &request.fingerprints, &receipt, head)?;
                Ok(receipt)
            }
        }
    }

    fn decide_deletion(
        &mut self,
        view: &View,
        head: &StreamHead,
        deletion: Deletion,
        request: &Request,
    ) -> Result<Receipt, AppendError> {
        match event::delete(head, deletion, request.expected) {
            DeletionOutcome::Refused(refusal) => Err(AppendError::Refused(refusal)),
            DeletionOutcome::Repeated => {
                let last = head.last().unwrap_or_default();
                Ok(Receipt { first: last, last, position: Position::ZERO, repeat: true })
            }
            DeletionOutcome::Deleted => match deletion {
                Deletion::Soft => self.write_settings(view, &request.stream, Number::MAX, request),
                Deletion::Hard => self.write_own(view, &request.stream, HARD_DELETION_TYPE, b"{}".to_vec(), request),
            },
        }
    }

    fn decide_erasure(
        &mut self,
        view: &View,
        head: &StreamHead,
        number: Number,
        request: &Request,
    ) -> Result<Receipt, AppendError> {
        let erasure = Erasure { stream: request.stream.clone(), number };
        let is_erased = view.is_erased(&erasure.stream, number) || self.erasures.contains(&erasure);
        match event::erase(head, number, is_erased) {
            ErasureOutcome::Unwritten => Err(AppendError::Refused(Refusal::NoSuchEvent { number })),
            ErasureOutcome::Gone => Ok(Receipt { first: number, last: number, position: Position::ZERO, repeat: true }),
            ErasureOutcome::Erased => {
                let stream = StreamName::parse(ERASURES).expect("a name");
                self.write_own(view, &stream, ERASURE_TYPE, erasure.data(), request)
            }
        }
    }

    /// Writes a stream's settings with another `$tb`.
    fn write_settings(
        &mut self,
        view: &View,
        stream: &StreamName,
        truncate_before: Number,
        request: &Request,
    ) -> Result<Receipt, AppendError> {
        let settings = stream.settings();
        let present = match self.settings.get(&settings) {
            Some(index) => self.placed[*index].event.content.clone(),
            None => {
                let source = Source::Stream(settings.clone());
                let newest = match view.head(&source)?.last() {
                    Some(last) => view.read_blocking(&source, last, last, Order::OldestFirst, usize::MAX)?.pop(),
                    None => None,
                };
                newest.and_then(|event| event.content)
            }
        };
        let present = present.as_ref().map(|content| &content.data[..]);
        let document = event::with_truncate_before(present, truncate_before);
        self.write_own(view, &settings, SETTINGS_TYPE, document, request)
    }

    /// Adds an event of the server's own to the self.
    fn write_own(
        &mut self,
        view: &View,
        stream: &StreamName,
        event_type: &str,
        data: Vec<u8>,
        request: &Request,
    ) -> Result<Receipt, AppendError> {
        let mut head = self.head(view, stream)?;
        let new = NewEvent {
            id: EventId::of_server(stream, head.next),
            id_is_fresh: true,
            event_type: EventType::parse(event_type).expect("a type"),
            content: Content { media_type: MediaType::json(), data: data.into(), metadata: None, trace_parent: None },
        };
        let (digest, fingerprint) = (new.digest(), view.shared.fingerprints.of(stream, new.id));
        let proposal = Proposal {
            events: std::slice::from_ref(&new),
            digests: &[digest],
            known: &[None],
            expected: ExpectedVersion::Any,
            ids_alone: false,
            now: request.now,
        };
        match apply(&mut self.log, &mut head, &proposal) {
            Outcome::Refused(refusal) => Err(AppendError::Refused(refusal)),
            Outcome::Repeated(receipt) => Ok(receipt),
            Outcome::Appended(receipt) => {
                self.add(view, stream, vec![new], &[digest], &[fingerprint], &receipt, head)?;
                Ok(receipt)
            }
        }
    }

    /// Where a stream stands after what the group has so far.
    pub(super) fn head(&self, view: &View, stream: &StreamName) -> Result<StreamHead, AppendError> {
        let mut head = match self.heads.get(stream) {
            Some(head) => *head,
            None => view.head(&Source::Stream(stream.clone()))?,
        };
        if let Some(retention) = self.retentions.get(stream) {
            retention.decide(&mut head);
        }
        let deletes = |stream: StreamName| {
            self.retentions.get(&stream).is_some_and(|retention| retention.status == Status::HardDeleted)
        };
        if stream.is_system() && stream.with_settings().is_some_and(deletes) {
            head.status = Status::HardDeleted;
        }
        Ok(head)
    }

    /// Adds events that were decided; `head` is where their stream stands after them.
    #[expect(clippy::too_many_arguments, reason = "each of them is one thing, known in one place")]
    fn add(
        &mut self,
        view: &View,
        stream: &StreamName,
        events: Vec<NewEvent>,
        digests: &[Digest],
        fingerprints: &[Fingerprint],
        receipt: &Receipt,
        head: StreamHead,
    ) -> Result<(), AppendError> {
        self.heads.insert(stream.clone(), head);
        let first_position = receipt.position.get() + 1 - events.len() as u64;
        for (index, new) in events.into_iter().enumerate() {
            let NewEvent { id, event_type, content, .. } = new;
            let position = Position::new(first_position + index as u64).expect("at or below the receipt's");
            let number: Number = receipt.first.plus(index as u64);
            let digest = digests[index];
            let event = Event {
                stream: stream.clone(),
                number,
                position,
                life: head.life,
                time: self.log.time,
                id,
                event_type,
                digest,
                content: Some(content),
                kept_correlation: None,
            };
            self.place(view, event, fingerprints[index], head.life_start)?;
        }
        Ok(())
    }

    /// Adds an event that has its place, and takes in what it changes.
    pub(super) fn place(
        &mut self,
        view: &View,
        event: Event,
        fingerprint: Fingerprint,
        life_start: Number,
    ) -> Result<(), AppendError> {
        self.spans.push(row::encode(&event, &mut self.rows));
        let Event { number, position, life, digest, .. } = event;
        self.ids.insert(fingerprint, Known { number, position, life, digest });
        let effect = Effect::of(&event);
        self.erasures.extend(Erasure::of(&event));
        self.has_links |= is_link(&event);
        self.placed.push(Placed { event, fingerprint, life_start });
        match effect {
            Some((changed, effect)) => self.take(view, changed, effect),
            None => Ok(()),
        }
    }

    /// Takes in what the event that was placed last changes about a stream.
    fn take(&mut self, view: &View, changed: StreamName, effect: Effect) -> Result<(), AppendError> {
        let next = self.head(view, &changed)?.next;
        let index = self.placed.len() - 1;
        let Event { stream, position, time, .. } = &self.placed[index].event;
        if matches!(effect, Effect::Settings(_)) {
            self.settings.insert(stream.clone(), index);
        }
        let known = self.retentions.get(&changed).or_else(|| view.state.retentions.get(&changed));
        let mut retention = known.copied().unwrap_or_default();
        retention.take(effect, next, *position, *time);
        self.retentions.insert(changed, retention);
        Ok(())
    }

    /// Gives the events bytes of their own. What they came in may be far larger than they are (a connection's
    /// buffer, a batch with all its names), and would stay in memory as long as the tail holds them.
    pub(crate) fn settle(&mut self) {
        // The buffer was made for these rows; only where much was refused or repeated is it too large to keep.
        let rows = std::mem::take(&mut self.rows);
        let rows = if rows.capacity() / 2 > rows.len() { Bytes::copy_from_slice(&rows) } else { rows.into() };
        for (placed, spans) in self.placed.iter_mut().zip(&self.spans) {
            if let Some(content) = &mut placed.event.content {
                content.data = rows.slice(spans.data.clone());
                if let Some(metadata) = &mut content.metadata {
                    *metadata = rows.slice(spans.metadata.clone());
                }
            }
        }
    }
}

/// The newest use of an id that the look-up in `looked_up`'s chunks could not see.
fn known_since(group: &Group, now: &State, looked_up: &State, fingerprint: Fingerprint) -> Option<Known> {
    let in_tail = |state: &State| state.tail.iter().rev().find_map(|segment| segment.known(fingerprint));
    group.ids.get(&fingerprint).copied().or_else(|| in_tail(now)).or_else(|| {
        // Segments that were sealed since the look-up are still in its view.
        (looked_up.sealed.end() < now.sealed.end()).then(|| in_tail(looked_up)).flatten()
    })
}
