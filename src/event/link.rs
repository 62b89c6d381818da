//! Link events: events that lead to others. Producers post them; what they lead to is shown where a reader asks.

use std::borrow::Cow;

use super::{Event, Number, StreamName};

/// The type of link events.
pub const LINK_TYPE: &str = "$>";

/// Where a link event leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// To an event of this stream.
    pub stream: StreamName,
    /// With this number.
    pub number: Number,
}

impl Link {
    /// Where this event leads: its data are `{number}@{stream}`, or the same as a JSON string, which is how they come
    /// in a batch. None if it is no link, or leads nowhere that could be; then it is an event like others.
    #[must_use]
    pub fn of(event: &Event) -> Option<Self> {
        if event.event_type.as_str() != LINK_TYPE {
            return None;
        }
        let data = &event.content.as_ref()?.data;
        let data = match data.first()? {
            b'"' => Cow::from(serde_json::from_slice::<String>(data).ok()?),
            _ => Cow::from(std::str::from_utf8(data).ok()?),
        };
        // A stream's name may hold an @ itself.
        let (number, stream) = data.split_once('@')?;
        let is_decimal = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let number = Number::new(number.parse().ok().filter(|_| is_decimal)?).ok()?;
        Some(Self { stream: StreamName::parse(stream).ok()?, number })
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::event::{Content, Digest, EventId, EventType, Life, MediaType, Position, Timestamp};

    fn of(event_type: &str, data: &str) -> Option<(u64, String)> {
        let event = Event {
            stream: StreamName::parse("links").expect("a name"),
            number: Number::ZERO,
            position: Position::ZERO,
            life: Life(0),
            time: Timestamp::from_micros(0),
            id: EventId::new(uuid::Uuid::from_u128(1)).expect("not nil"),
            event_type: EventType::parse(event_type).expect("a type"),
            digest: Digest([0; 16]),
            content: Some(Content {
                media_type: MediaType::json(),
                data: Bytes::copy_from_slice(data.as_bytes()),
                metadata: None,
                trace_parent: None,
            }),
            kept_correlation: None,
        };
        Link::of(&event).map(|link| (link.number.get(), link.stream.to_string()))
    }

    #[test]
    fn a_link_names_a_number_and_a_stream() {
        assert_eq!(of("$>", "7@orders"), Some((7, "orders".to_string())));
        assert_eq!(of("$>", "0@a@b"), Some((0, "a@b".to_string())));
        assert_eq!(of("$>", r#""1@Zo\u00eb""#), Some((1, "Zoë".to_string())));
        for (event_type, data) in [
            ("t", "7@orders"),
            ("$>", "7"),
            ("$>", "@orders"),
            ("$>", "+7@orders"),
            ("$>", "7@"),
            ("$>", "-1@a"),
            ("$>", ""),
            ("$>", "\"1@a"),
        ] {
            assert_eq!(of(event_type, data), None, "{data}");
        }
    }
}
