//! Erasing the content of one event. As whatever changes a later answer it is an event itself, in [`ERASURES`].

use super::{Event, Number, StreamHead, StreamName};

/// The type of the events that say which event was erased, in [`ERASURES`].
pub const ERASURE_TYPE: &str = "$erased";

/// The stream of the events that say which events were erased.
pub const ERASURES: &str = "$erasures";

/// An event whose content was erased. Its row stays, as that of every event that was removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    /// Its stream.
    pub stream: StreamName,
    /// Its place there.
    pub number: Number,
}

/// An erasure, as its event says it.
#[derive(serde::Serialize, serde::Deserialize)]
struct Said<'a> {
    #[serde(borrow)]
    stream: std::borrow::Cow<'a, str>,
    number: u64,
}

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErasureOutcome {
    /// The event that says so is to be written.
    Erased,
    /// Its content has gone already; nothing is written.
    Gone,
    /// There is no such event yet; nothing is written.
    Unwritten,
}

/// Decides whether the event at `number` of the stream with this head is erased. `is_erased`: it was before.
///
/// What is truncated or deleted never comes back, so there is nothing left to be erased.
#[must_use]
pub fn erase(head: &StreamHead, number: Number, is_erased: bool) -> ErasureOutcome {
    if head.next <= number {
        ErasureOutcome::Unwritten
    } else if is_erased || number < head.first_visible {
        ErasureOutcome::Gone
    } else {
        ErasureOutcome::Erased
    }
}

impl Erasure {
    /// What this event says was erased; none for nearly all events.
    #[must_use]
    pub fn of(event: &Event) -> Option<Self> {
        if event.event_type.as_str() != ERASURE_TYPE || event.stream.as_str() != ERASURES {
            return None;
        }
        let Said { stream, number } = serde_json::from_slice(&event.content.as_ref()?.data).ok()?;
        Some(Self { stream: StreamName::parse(&stream).ok()?, number: Number::new(number).ok()? })
    }

    /// The data of the event that says so.
    #[must_use]
    pub fn data(&self) -> Vec<u8> {
        let said = Said { stream: self.stream.as_str().into(), number: self.number.get() };
        serde_json::to_vec(&said).expect("texts and numbers are always JSON")
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::event::{Content, Digest, EventId, EventType, Life, MediaType, Position, Status, Timestamp};

    #[test]
    fn an_event_says_what_was_erased_and_no_other_event_does() {
        let erasure = Erasure { stream: StreamName::parse("a\"ä").expect("a name"), number: Number::from(7) };
        let event_type = EventType::parse(ERASURE_TYPE).expect("a type");
        let content =
            Content { media_type: MediaType::json(), data: erasure.data().into(), metadata: None, trace_parent: None };
        let event = Event {
            stream: StreamName::parse(ERASURES).expect("a name"),
            number: Number::ZERO,
            position: Position::ZERO,
            life: Life(0),
            time: Timestamp::default(),
            id: EventId::new(Uuid::from_u128(1)).expect("not nil"),
            digest: Digest::of(&event_type, &content),
            event_type,
            content: Some(content),
            kept_correlation: None,
        };
        assert_eq!(
            event.content.as_ref().map(|content| &content.data[..]),
            Some("{\"stream\":\"a\\\"ä\",\"number\":7}".as_bytes())
        );
        assert_eq!(Erasure::of(&event), Some(erasure));
        let elsewhere = Event { stream: StreamName::parse("orders").expect("a name"), ..event.clone() };
        let other = Event { event_type: EventType::parse("$truncated").expect("a type"), ..event };
        assert_eq!((Erasure::of(&elsewhere), Erasure::of(&other)), (None, None));
    }

    #[test]
    fn what_is_written_and_not_gone_is_erased_once() {
        use ErasureOutcome::{Erased, Gone, Unwritten};
        let head = StreamHead { next: 5.into(), first_visible: 2.into(), ..StreamHead::default() };
        let deleted = StreamHead { status: Status::SoftDeleted, first_visible: 5.into(), ..head };
        for (head, number, is_erased, outcome) in [
            (head, 1, false, Gone),
            (head, 2, false, Erased),
            (head, 4, false, Erased),
            (head, 4, true, Gone),
            (head, 5, false, Unwritten),
            (deleted, 4, false, Gone),
            (deleted, 5, false, Unwritten),
            (StreamHead::default(), 0, false, Unwritten),
        ] {
            assert_eq!(erase(&head, number.into(), is_erased), outcome, "{head:?} {number}");
        }
    }
}
