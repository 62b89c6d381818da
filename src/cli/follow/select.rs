//! Which events are handed on. The others are read and count as seen.

use crate::feed::read::page::Event;

/// One of the things that were asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Selection {
    key: Key,
    value: String,
    /// Whatever begins with the value will do.
    is_beginning: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Type,
    Stream,
}

impl Selection {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (key, value) = match text.split_once('=') {
            Some(("type", value)) if !value.is_empty() => (Key::Type, value),
            Some(("stream", value)) if !value.is_empty() => (Key::Stream, value),
            _ => return Err("type=NAME or stream=NAME is expected".into()),
        };
        let beginning = value.strip_suffix('*');
        Ok(Self { key, value: beginning.unwrap_or(value).to_string(), is_beginning: beginning.is_some() })
    }

    fn fits(&self, event: &Event) -> bool {
        let text = self.key.of(event);
        if self.is_beginning { text.starts_with(&self.value) } else { text == self.value }
    }
}

impl Key {
    fn of(self, event: &Event) -> &str {
        match self {
            Self::Type => &event.event_type,
            Self::Stream => &event.stream,
        }
    }
}

/// All that was asked for.
#[derive(Debug, Clone, Default)]
pub(super) struct Selections(Vec<Selection>);

impl Selections {
    pub(super) fn new(selections: &[Selection]) -> Self {
        Self(selections.to_vec())
    }

    /// For each key that was named, one of its values has to fit. What its reader may not see is handed on to nobody.
    pub(super) fn take(&self, event: &Event) -> bool {
        !event.is_hidden()
            && [Key::Type, Key::Stream].into_iter().all(|key| {
                let mut of_key = self.0.iter().filter(|selection| selection.key == key).peekable();
                of_key.peek().is_none() || of_key.any(|selection| selection.fits(event))
            })
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::event::Timestamp;
    use crate::feed::read::page::{EventContent, EventId};

    #[track_caller]
    fn check(selections: &[&str], expected: &[(&str, &str, bool)]) {
        let parsed: Result<Vec<Selection>, String> = selections.iter().map(|text| Selection::parse(text)).collect();
        let selections = Selections::new(&parsed.expect("they are sound"));
        for (stream, event_type, is_taken) in expected {
            let event = Event {
                id: EventId::Uuid(Uuid::from_u128(1)),
                stream: (*stream).into(),
                number: None,
                position: None,
                place: None,
                event_type: (*event_type).into(),
                time: Timestamp::default(),
                trace_parent: None,
                content: EventContent::Removed { digest: None, correlation: None },
            };
            assert_eq!(selections.take(&event), *is_taken, "{stream} {event_type}");
        }
    }

    #[test]
    fn one_value_of_each_key_has_to_fit() {
        check(&[], &[("a", "Placed", true)]);
        check(
            &["type=Placed", "type=Paid"],
            &[("a", "Placed", true), ("b", "Paid", true), ("a", "PlacedTwice", false)],
        );
        check(
            &["type=Order*", "stream=orders"],
            &[("orders", "OrderPlaced", true), ("orders", "Paid", false), ("other", "OrderPlaced", false)],
        );
        check(&["stream=*"], &[("", "x", true), ("a", "x", true)]);
        for text in ["", "type", "type=", "number=7", "Type=a"] {
            assert!(Selection::parse(text).is_err(), "{text}");
        }
    }
}
