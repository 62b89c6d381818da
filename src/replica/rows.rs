//! From events as a feed publishes them to rows of a log.

use std::sync::Arc;

use crate::event::{Content, EventId, EventType, MediaType, Number, Position, StreamName};
use crate::feed::read::page::{self, EventContent};
use crate::store::{Left, Row};

/// Makes rows of events, one after the other. Names that are the same from event to event are read once.
#[derive(Debug, Default)]
pub struct Rows {
    stream: Option<StreamName>,
    event_type: Option<EventType>,
    media_type: Option<MediaType>,
}

/// Why a published event is no row of a log: its feed does not say all that there is to know, or says what cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("event {event}: {why}")]
pub struct NoRow {
    /// Which one.
    pub event: String,
    /// What is missing or wrong.
    pub why: String,
}

/// What stands for an event must never be kept as if it were the event.
const HIDDEN: &str = "its stream is hidden: the credentials that were used may not read everything, and a copy would lack \
                      what they may not read; use those of a user who may read every stream";

impl Rows {
    /// The row that this event is.
    ///
    /// # Errors
    /// When the event does not say where it belongs, or what was in it.
    pub fn of(&mut self, event: page::Event) -> Result<Row, NoRow> {
        let name = event.id.to_string();
        self.read(event).map_err(|why| NoRow { event: name, why })
    }

    fn read(&mut self, event: page::Event) -> Result<Row, String> {
        if event.is_hidden() {
            return Err(HIDDEN.into());
        }
        let page::Event { id, stream, number, position, event_type, time, trace_parent, content, .. } = event;
        let id = match id {
            page::EventId::Uuid(id) => EventId::new(id).map_err(|error| error.to_string())?,
            page::EventId::Iri(_) => return Err("its id is no UUID".into()),
        };
        let number = number.ok_or("its number is missing")?;
        let position = position.ok_or("its position is missing")?;
        let event_type = known(&mut self.event_type, &event_type, EventType::as_str, EventType::parse)?;
        let left = match content {
            EventContent::Here { media_type, data, metadata } => {
                let media_type = known(&mut self.media_type, &media_type, MediaType::as_str, MediaType::parse)?;
                Left::Content(Content { media_type, data, metadata, trace_parent })
            }
            EventContent::Removed { digest: Some(digest), correlation } => Left::Removed { digest, correlation },
            EventContent::Removed { digest: None, .. } => return Err("its digest is missing".into()),
            EventContent::Elsewhere { url, .. } => return Err(format!("its data are elsewhere ({url})")),
        };
        Ok(Row {
            stream: known(&mut self.stream, &stream, StreamName::as_str, StreamName::parse)?,
            number: Number::new(number).map_err(|error| error.to_string())?,
            position: Position::new(position).map_err(|error| error.to_string())?,
            time,
            id,
            event_type,
            left,
        })
    }
}

/// The value that this text is: the one before, if it is the same.
fn known<T: Clone, E: std::fmt::Display>(
    before: &mut Option<T>,
    text: &Arc<str>,
    as_text: impl Fn(&T) -> &str,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<T, String> {
    if let Some(before) = before.as_ref().filter(|before| as_text(before) == &**text) {
        return Ok(before.clone());
    }
    let parsed = parse(text).map_err(|error| error.to_string())?;
    *before = Some(parsed.clone());
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::event::{Digest, Timestamp};

    fn event() -> page::Event {
        page::Event {
            id: page::EventId::Uuid(Uuid::from_u128(7)),
            stream: "orders".into(),
            number: Some(3),
            position: Some(5),
            place: Some(5),
            event_type: "t".into(),
            time: Timestamp::from_micros(9),
            trace_parent: None,
            content: EventContent::Removed { digest: Some(Digest([1; 16])), correlation: Some("c".into()) },
        }
    }

    #[test]
    fn an_event_that_says_everything_is_a_row_and_no_other() {
        let row = Rows::default().of(event()).expect("a row");
        assert_eq!((row.stream.as_str(), row.number.get(), row.position.get()), ("orders", 3, 5));
        assert_eq!(row.left, Left::Removed { digest: Digest([1; 16]), correlation: Some("c".into()) });
        type Change = fn(&mut page::Event);
        let changes: [(Change, &str); 7] = [
            (|event| (event.stream, event.event_type) = ("$all".into(), "$hidden".into()), "may not read everything"),
            (|event| event.id = page::EventId::Iri("tag:x".into()), "no UUID"),
            (|event| event.number = None, "number is missing"),
            (|event| event.position = None, "position is missing"),
            (|event| event.stream = "".into(), "empty"),
            (|event| event.content = EventContent::Removed { digest: None, correlation: None }, "digest is missing"),
            (
                |event| {
                    let url = "/data".into();
                    event.content = EventContent::Elsewhere { media_type: None, url, metadata: None };
                },
                "elsewhere (/data)",
            ),
        ];
        for (change, why) in changes {
            let mut event = event();
            change(&mut event);
            let refusal = Rows::default().of(event).expect_err(why).to_string();
            assert!(refusal.contains(why), "{refusal}");
        }
    }
}
