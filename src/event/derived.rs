//! Derived streams: which events each of them refers to. Pure functions of what stays of an event for ever, so
//! that one that is switched off and on again, or built later, has the same numbers.

use super::{Event, Number, StreamName};

/// The kinds of streams that the server keeps by reference. `$all` needs no keeping: it is the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Derived {
    /// `$ce-{x}`: events of streams that do not begin with `$`; x is the text before the first `-`.
    Category,
    /// `$et-{t}`: events of streams that do not begin with `$`, by type.
    EventType,
    /// `$streams`: the first event of every stream that does not begin with `$`.
    Streams,
    /// `$bc-{id}`: events with this `$correlationId` in their metadata.
    Correlation,
}

/// Types over this many bytes have no derived stream.
const EVENT_TYPE_BYTES_MAX: usize = 256;

impl Derived {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Category, Self::EventType, Self::Streams, Self::Correlation];

    /// What the names of its streams begin with; of `$streams`, which there is only one of, the whole name.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Category => "$ce-",
            Self::EventType => "$et-",
            Self::Streams => "$streams",
            Self::Correlation => "$bc-",
        }
    }

    /// The kind of the derived stream with this name, if it can be one.
    #[must_use]
    pub fn named(name: &StreamName) -> Option<Self> {
        Self::ALL.into_iter().find(|derived| match (derived, name.as_str().strip_prefix(derived.prefix())) {
            (_, None) => false,
            (Self::Streams, Some(rest)) => rest.is_empty(),
            (Self::Category | Self::EventType | Self::Correlation, Some(rest)) => !rest.is_empty(),
        })
    }

    /// What the name of the event's stream of this kind has behind [`Self::prefix`]; none if the event is in no
    /// such stream. For [`Self::Streams`] it is empty.
    #[must_use]
    pub fn key_of(self, event: &Event) -> Option<std::borrow::Cow<'_, str>> {
        use std::borrow::Cow;
        if self != Self::Correlation && event.stream.is_system() {
            return None;
        }
        let key: Cow<'_, str> = match self {
            Self::Category => event.stream.as_str().split_once('-')?.0.into(),
            Self::EventType => event.event_type.as_str().into(),
            Self::Streams => return (event.number == Number::ZERO).then_some("".into()),
            Self::Correlation => event.correlation()?,
        };
        let is_short = self != Self::EventType || key.len() <= EVENT_TYPE_BYTES_MAX;
        (!key.is_empty() && is_short).then_some(key)
    }

    /// The event's stream of this kind. None as well if its name would be none: a category that ends in `/.`,
    /// say.
    #[must_use]
    pub fn stream_of(self, event: &Event) -> Option<StreamName> {
        let key = self.key_of(event)?;
        StreamName::parse(&[self.prefix(), &key].concat()).ok()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::event::{Content, Digest, EventId, EventType, Life, MediaType, Position, Timestamp};

    fn event(stream: &str, number: u32, event_type: &str, metadata: Option<&'static str>) -> Event {
        Event {
            stream: StreamName::parse(stream).expect("a name"),
            number: number.into(),
            position: Position::ZERO,
            life: Life(0),
            time: Timestamp::from_micros(0),
            id: EventId::new(uuid::Uuid::from_u128(1)).expect("not nil"),
            event_type: EventType::parse(event_type).expect("a type"),
            digest: Digest([0; 16]),
            content: Some(Content {
                media_type: MediaType::json(),
                data: Bytes::new(),
                metadata: metadata.map(|text| Bytes::from_static(text.as_bytes())),
                trace_parent: None,
            }),
            kept_correlation: None,
        }
    }

    fn streams_of(event: &Event) -> Vec<String> {
        Derived::ALL.into_iter().filter_map(|derived| derived.stream_of(event)).map(|name| name.to_string()).collect()
    }

    #[test]
    fn an_event_is_in_the_streams_of_its_category_type_and_correlation() {
        let metadata = Some(r#"{"a":1,"$correlationId":"c 7"}"#);
        assert_eq!(streams_of(&event("order-1-2", 3, "Placed", metadata)), ["$ce-order", "$et-Placed", "$bc-c 7"]);
        assert_eq!(streams_of(&event("orders", 0, "Placed", None)), ["$et-Placed", "$streams"]);
        assert_eq!(streams_of(&event("-x", 1, &"t".repeat(257), Some("{"))), [""; 0]);
        assert_eq!(streams_of(&event("$$order-1", 0, "$metadata", metadata)), ["$bc-c 7"]);
        assert_eq!(streams_of(&event("a/.-b", 1, "t", Some(r#"{"$correlationId":7}"#))), ["$et-t"]);
    }

    #[test]
    fn names_tell_the_kind() {
        let named = |name| Derived::named(&StreamName::parse(name).expect("a name"));
        assert_eq!(named("$ce-a"), Some(Derived::Category));
        assert_eq!(named("$streams"), Some(Derived::Streams));
        for name in ["$ce-", "$et", "$streamsx", "$all", "ce-a", "$$ce-a"] {
            assert_eq!(named(name), None, "{name}");
        }
    }
}
