//! Deciding an append: the only code that gives out numbers and positions.
//!
//! Pure: the time, the ids and what is known of them come in with the proposal. Whoever applies the same
//! proposals in the same order to the same heads gets the same outcomes, on any machine.

use super::settings::InvalidSettings;
use super::{Digest, EventId, ExpectedVersion, Life, NewEvent, Number, Position, Timestamp, Visible};

/// Where the log stands: what the next event gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogHead {
    /// The first position not assigned yet.
    pub next: Position,
    /// The time of the newest event; no later event has an earlier one.
    pub time: Timestamp,
}

/// Where one stream stands. The default is a stream that was never written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StreamHead {
    /// The first number not assigned yet.
    pub next: Number,
    /// The present life.
    pub life: Life,
    /// The first number of the present life.
    pub life_start: Number,
    /// Whether it is there.
    pub status: Status,
    /// The first number that is not truncated or deleted; it may be above all that are assigned.
    pub first_visible: Number,
}

/// Whether a stream is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Status {
    /// It can be read and written (also before its first event).
    #[default]
    Live,
    /// Deleted; an append begins a new life.
    SoftDeleted,
    /// Deleted for ever.
    HardDeleted,
}

impl StreamHead {
    /// The newest number that was ever assigned.
    #[must_use]
    pub const fn last(&self) -> Option<Number> {
        self.next.before()
    }

    /// The numbers that there are to be seen.
    #[must_use]
    pub fn visible(&self) -> Visible {
        Visible { from: self.first_visible.min(self.next), next: self.next }
    }

    /// Whether the stream has an event in its present life.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.status == Status::Live && self.next > self.life_start
    }
}

/// An event of this stream, in any of its lives, that already has one of the proposed ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Its number.
    pub number: Number,
    /// Its position.
    pub position: Position,
    /// The life it belongs to.
    pub life: Life,
    /// Its digest.
    pub digest: Digest,
}

/// What a producer proposes.
#[derive(Debug, Clone, Copy)]
pub struct Proposal<'a> {
    /// At least one event, to be appended together.
    pub events: &'a [NewEvent],
    /// The digest of each event.
    pub digests: &'a [Digest],
    /// For each event, what is known of its id in this stream: the newest use of it.
    pub known: &'a [Option<Known>],
    /// What the producer expects.
    pub expected: ExpectedVersion,
    /// A repeat is told by its ids, whatever its types and data (EventStore's rule).
    pub ids_alone: bool,
    /// The clock, read by the caller.
    pub now: Timestamp,
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The events have their places; the heads have moved on.
    Appended(Receipt),
    /// The same events are here already; nothing is written.
    Repeated(Receipt),
    /// Nothing is written.
    Refused(Refusal),
}

/// Where an append went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// The number of its first event.
    pub first: Number,
    /// The number of its last event.
    pub last: Number,
    /// The position of its last event.
    pub position: Position,
    /// Whether an earlier request had appended it.
    pub repeat: bool,
}

/// Why an append was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// An append has at least one event.
    #[error("there is no event in it")]
    NoEvents,
    /// The stream was deleted for ever.
    #[error("the stream was deleted for ever")]
    HardDeleted,
    /// An existing stream was expected, and this one is deleted.
    #[error("the stream is deleted, and an existing one was expected")]
    SoftDeleted,
    /// The id is in this life of the stream already, and this append does not repeat the earlier one.
    #[error("event id {id} is already in the stream, as number {number}, and this append is no repeat of that one")]
    IdTaken {
        /// The id.
        id: EventId,
        /// Where it is.
        number: Number,
    },
    /// The id stands twice in this append.
    #[error("event id {id} stands twice in this append, at index {first} and at index {second}")]
    IdTwice {
        /// The id.
        id: EventId,
        /// Where it stands first, from 0.
        first: usize,
        /// Where it stands again.
        second: usize,
    },
    /// Only the server writes events of this type.
    #[error("event {index} has the type `$streamDeleted`, which only a deletion writes: send DELETE instead")]
    ReservedType {
        /// Where it stands in the append, from 0.
        index: usize,
    },
    /// The stream holds settings, and this is none.
    #[error("event {index}: {why}")]
    InvalidSettings {
        /// Where it stands in the append, from 0.
        index: usize,
        /// What is wrong with it.
        why: InvalidSettings,
    },
    /// There is no such event to be erased.
    #[error("the stream has no event {number} yet")]
    NoSuchEvent {
        /// The number that was named.
        number: Number,
    },
    /// What the server keeps itself says what all else is, so nothing of it is erased.
    #[error("the stream belongs to the server, and nothing of it can be erased")]
    OfServer,
    /// The stream is not at the version that was expected.
    #[error("{expected} was expected, and the stream {}", match .current {
        Some(number) => format!("is at version {number}"),
        None => "has no events".to_string(),
    })]
    WrongVersion {
        /// What was expected.
        expected: ExpectedVersion,
        /// The newest number; none if the stream was never written.
        current: Option<Number>,
    },
}

/// Decides `proposal` and, if it is appended, moves both heads on. DESIGN's order of deciding.
pub fn apply(log: &mut LogHead, stream: &mut StreamHead, proposal: &Proposal<'_>) -> Outcome {
    if proposal.events.is_empty() {
        return Outcome::Refused(Refusal::NoEvents);
    }
    if stream.status == Status::HardDeleted {
        return Outcome::Refused(Refusal::HardDeleted);
    }
    let wrong_version = Refusal::WrongVersion { expected: proposal.expected, current: stream.last() };
    if let Some(receipt) = repeat_of(stream, proposal) {
        return if could_have_expected(stream, &receipt, proposal.expected) {
            Outcome::Repeated(receipt)
        } else {
            Outcome::Refused(wrong_version)
        };
    }
    if let Some(refusal) = taken_id(stream, proposal) {
        return Outcome::Refused(refusal);
    }
    if stream.status == Status::SoftDeleted && proposal.expected == ExpectedVersion::Exists {
        return Outcome::Refused(Refusal::SoftDeleted);
    }
    if !proposal.expected.is_met_by(stream) {
        return Outcome::Refused(wrong_version);
    }

    if stream.status == Status::SoftDeleted {
        stream.status = Status::Live;
        stream.life = Life(stream.life.0 + 1);
        stream.life_start = stream.next;
    }
    let events = proposal.events.len() as u64;
    let first = stream.next;
    let first_position = log.next;
    stream.next = first.plus(events);
    log.next = first_position.plus(events);
    log.time = log.time.max(proposal.now);
    Outcome::Appended(Receipt {
        first,
        last: first.plus(events - 1),
        position: first_position.plus(events - 1),
        repeat: false,
    })
}

/// The receipt of an earlier append with the same events: every id in this life of the stream, in this
/// order, next to each other, with the same type, media type and data unless ids alone count.
fn repeat_of(stream: &StreamHead, proposal: &Proposal<'_>) -> Option<Receipt> {
    let first = in_this_life(stream, proposal.known.first()?.as_ref())?;
    let mut last = *first;
    for (index, (known, digest)) in proposal.known.iter().zip(proposal.digests).enumerate() {
        let known = in_this_life(stream, known.as_ref())?;
        let is_same = proposal.ids_alone || known.digest == *digest;
        if known.number != first.number.plus(index as u64) || !is_same {
            return None;
        }
        last = *known;
    }
    Some(Receipt { first: first.number, last: last.number, position: last.position, repeat: true })
}

/// A soft delete ends the life of a stream's ids too.
fn in_this_life<'a>(stream: &StreamHead, known: Option<&'a Known>) -> Option<&'a Known> {
    known.filter(|known| stream.status == Status::Live && known.life == stream.life)
}

/// Whether the append that wrote `receipt`, or one now, could have had this expectation.
fn could_have_expected(stream: &StreamHead, receipt: &Receipt, expected: ExpectedVersion) -> bool {
    match expected {
        ExpectedVersion::Any | ExpectedVersion::Exists => true,
        ExpectedVersion::NoStream => receipt.first == stream.life_start,
        ExpectedVersion::Exactly(number) => Some(number) == receipt.first.before() || Some(number) == stream.last(),
    }
}

fn taken_id(stream: &StreamHead, proposal: &Proposal<'_>) -> Option<Refusal> {
    let mut seen =
        std::collections::HashMap::with_capacity(if proposal.events.len() > 1 { proposal.events.len() } else { 0 });
    for (index, (event, known)) in proposal.events.iter().zip(proposal.known).enumerate() {
        if let Some(known) = in_this_life(stream, known.as_ref()) {
            return Some(Refusal::IdTaken { id: event.id, number: known.number });
        }
        if proposal.events.len() > 1
            && let Some(first) = seen.insert(event.id, index)
        {
            return Some(Refusal::IdTwice { id: event.id, first, second: index });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use uuid::Uuid;

    use super::*;
    use crate::event::{Content, EventType, MediaType};

    fn event(id: u128, data: &'static str) -> NewEvent {
        NewEvent {
            id: EventId::new(Uuid::from_u128(id)).expect("not nil"),
            id_is_fresh: false,
            event_type: EventType::parse("t").expect("a type"),
            content: Content {
                media_type: MediaType::json(),
                data: Bytes::from_static(data.as_bytes()),
                metadata: None,
                trace_parent: None,
            },
        }
    }

    /// One stream in one log, with the look-ups that a store would do.
    #[derive(Default)]
    struct Model {
        log: LogHead,
        stream: StreamHead,
        known: Vec<(EventId, Known)>,
    }

    impl Model {
        fn append(&mut self, events: &[NewEvent], expected: ExpectedVersion) -> Outcome {
            self.propose(events, expected, false)
        }

        fn propose(&mut self, events: &[NewEvent], expected: ExpectedVersion, ids_alone: bool) -> Outcome {
            let digests: Vec<_> = events.iter().map(NewEvent::digest).collect();
            let known: Vec<_> = events
                .iter()
                .map(|event| self.known.iter().rev().find(|(id, _)| *id == event.id).map(|(_, known)| *known))
                .collect();
            let now = Timestamp::from_micros(7);
            let proposal = Proposal { events, digests: &digests, known: &known, expected, ids_alone, now };
            let outcome = apply(&mut self.log, &mut self.stream, &proposal);
            if let Outcome::Appended(receipt) = &outcome {
                for (index, event) in events.iter().enumerate() {
                    let number = receipt.first.plus(index as u64);
                    let position = Position::new(receipt.position.get() + index as u64 + 1 - events.len() as u64)
                        .expect("in range");
                    self.known
                        .push((event.id, Known { number, position, life: self.stream.life, digest: event.digest() }));
                }
            }
            outcome
        }

        fn delete(&mut self, status: Status) {
            self.stream.status = status;
        }
    }

    fn receipt(first: u32, last: u32, repeat: bool) -> Receipt {
        Receipt { first: first.into(), last: last.into(), position: last.into(), repeat }
    }

    use ExpectedVersion::{Any, Exactly, Exists, NoStream};

    #[test]
    fn numbers_and_positions_follow_each_other_without_gaps() {
        let mut model = Model::default();
        assert_eq!(model.append(&[event(1, "a"), event(2, "b")], Any), Outcome::Appended(receipt(0, 1, false)));
        assert_eq!(model.append(&[event(3, "c")], Exactly(Number::from(1))), Outcome::Appended(receipt(2, 2, false)));
        assert_eq!(model.log.next, Position::from(3));
    }

    #[test]
    fn a_repeat_gets_the_first_receipt_under_every_expectation_it_could_have_had() {
        let mut model = Model::default();
        model.append(&[event(1, "a")], NoStream);
        model.append(&[event(2, "b"), event(3, "c")], Any);
        model.append(&[event(4, "d")], Any);
        let repeat = [event(2, "b"), event(3, "c")];
        for expected in [Any, Exists, Exactly(Number::from(0)), Exactly(Number::from(3))] {
            assert_eq!(model.append(&repeat, expected), Outcome::Repeated(receipt(1, 2, true)), "{expected}");
        }
        for expected in [NoStream, Exactly(Number::from(1)), Exactly(Number::from(9))] {
            assert!(
                matches!(model.append(&repeat, expected), Outcome::Refused(Refusal::WrongVersion { .. })),
                "{expected}"
            );
        }
        assert_eq!(model.append(&[event(1, "a")], NoStream), Outcome::Repeated(receipt(0, 0, true)));
        assert_eq!(model.log.next, Position::from(4), "nothing was written");
    }

    #[test]
    fn an_id_used_in_any_other_way_is_refused() {
        let mut model = Model::default();
        model.append(&[event(1, "a"), event(2, "b"), event(3, "c")], Any);
        for other in [
            vec![event(1, "other data")],
            vec![event(1, "a"), event(3, "c")],
            vec![event(2, "b"), event(1, "a")],
            vec![event(3, "c"), event(4, "d")],
            vec![event(4, "d"), event(3, "c")],
        ] {
            assert!(matches!(model.append(&other, Any), Outcome::Refused(Refusal::IdTaken { .. })), "{other:?}");
        }
        let twice = model.append(&[event(8, "x"), event(9, "y"), event(8, "x")], Any);
        assert_eq!(twice, Outcome::Refused(Refusal::IdTwice { id: event(8, "x").id, first: 0, second: 2 }));
    }

    #[test]
    fn by_ids_alone_other_types_and_data_are_a_repeat_but_another_order_is_not() {
        let mut model = Model::default();
        model.append(&[event(1, "a"), event(2, "b")], Any);
        let other = NewEvent { event_type: EventType::parse("other").expect("a type"), ..event(2, "other data") };
        let repeat = [event(1, "x"), other];
        assert_eq!(model.propose(&repeat, Any, true), Outcome::Repeated(receipt(0, 1, true)));
        assert!(matches!(model.propose(&repeat, Any, false), Outcome::Refused(Refusal::IdTaken { .. })));
        let reversed = model.propose(&[event(2, "b"), event(1, "a")], Any, true);
        assert!(matches!(reversed, Outcome::Refused(Refusal::IdTaken { .. })));
    }

    #[test]
    fn an_expectation_that_is_not_met_says_what_is() {
        let mut model = Model::default();
        let refused = |expected, current| Outcome::Refused(Refusal::WrongVersion { expected, current });
        assert_eq!(model.append(&[event(1, "a")], Exists), refused(Exists, None));
        assert_eq!(model.append(&[event(1, "a")], Exactly(Number::ZERO)), refused(Exactly(Number::ZERO), None));
        model.append(&[event(1, "a")], NoStream);
        assert_eq!(model.append(&[event(2, "b")], NoStream), refused(NoStream, Some(Number::ZERO)));
        assert_eq!(
            model.append(&[event(2, "b")], Exactly(Number::from(1))),
            refused(Exactly(Number::from(1)), Some(Number::ZERO))
        );
    }

    #[test]
    fn a_soft_delete_ends_a_life_and_its_ids_but_numbers_go_on() {
        for expected in [Any, NoStream, Exactly(Number::ZERO)] {
            let mut model = Model::default();
            model.append(&[event(1, "a")], Any);
            model.delete(Status::SoftDeleted);
            assert_eq!(model.append(&[event(1, "a")], Exists), Outcome::Refused(Refusal::SoftDeleted));
            assert_eq!(model.append(&[event(1, "a")], expected), Outcome::Appended(receipt(1, 1, false)));
            assert_eq!((model.stream.life, model.stream.life_start), (Life(1), Number::from(1)));
            assert_eq!(
                model.append(&[event(1, "a")], expected),
                Outcome::Repeated(receipt(1, 1, true)),
                "now in the new life"
            );
        }
    }

    #[test]
    fn a_hard_deleted_stream_takes_nothing_not_even_a_repeat() {
        let mut model = Model::default();
        model.append(&[event(1, "a")], Any);
        model.delete(Status::HardDeleted);
        for expected in [Any, NoStream, Exists, Exactly(Number::ZERO)] {
            assert_eq!(model.append(&[event(1, "a")], expected), Outcome::Refused(Refusal::HardDeleted));
        }
    }

    #[test]
    fn time_never_goes_back() {
        let mut model = Model::default();
        model.log.time = Timestamp::from_micros(100);
        model.append(&[event(1, "a")], Any);
        assert_eq!(model.log.time, Timestamp::from_micros(100));
    }
}
