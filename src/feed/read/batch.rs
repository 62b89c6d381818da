//! EventStore's batch: a JSON array of events, cut out of the body without copying.

use std::ops::Range;

use bytes::Bytes;

use super::members::{Placed, array, event_id, event_type, fields};
use super::{BodyFault, UnreadableBody, identify};
use crate::event::limits::EVENT_BYTES_MAX;
use crate::event::{Content, EventId, EventType, MediaType, NewEvent};
use crate::feed::json::Scanner;

/// What an event may say.
const NAMES: [(&str, usize); 4] = [("eventId", 0), ("eventType", 1), ("data", 2), ("metadata", 3)];

/// What is said of a member of the array that is no object.
const WHAT: &str = "an event in a batch is an object with eventId, eventType, data and metadata";

/// Reads a batch. Made ids are asked for in the order of the events.
pub(super) fn events(
    body: &Bytes,
    idempotency_key: Option<&[u8]>,
    new_id: &mut dyn FnMut() -> EventId,
) -> Result<Vec<NewEvent>, UnreadableBody> {
    let media_type = MediaType::json();
    let read = |scanner: &mut Scanner<'_>, index| {
        let member = Member::read(scanner, body)?;
        let (id, id_is_fresh) = identify(member.id, idempotency_key, index, new_id);
        let (data, metadata) = (member.data, member.metadata);
        let content = Content { media_type: media_type.clone(), data, metadata, trace_parent: None };
        Ok(NewEvent { id, id_is_fresh, event_type: member.event_type, content })
    };
    array(body, read).map_err(|placed| placed.in_body(body))
}

/// One event of the array.
struct Member {
    id: Option<EventId>,
    event_type: EventType,
    data: Bytes,
    metadata: Option<Bytes>,
}

impl Member {
    fn read(scanner: &mut Scanner<'_>, body: &Bytes) -> Result<Self, Placed> {
        let start = scanner.at();
        let [id, event_type, data, metadata] = fields(scanner, WHAT, &NAMES)?;
        let says_nothing = |range: &Range<usize>| matches!(&body[range.clone()], b"null" | b"\"\"");
        // What is not given is `null`, so that whatever is stored as JSON is JSON.
        let data = data.map_or(Bytes::from_static(b"null"), |range| body.slice(range));
        // EventStore's clients send both forms where they have none.
        let metadata = metadata.filter(|range| !says_nothing(range)).map(|range| body.slice(range));
        let bytes = data.len() + metadata.as_ref().map_or(0, Bytes::len);
        if EVENT_BYTES_MAX < bytes {
            return Err(Placed::at(start, BodyFault::EventTooLarge { bytes }));
        }
        let id = id.filter(|range| &body[range.clone()] != b"null");
        let id = id.map(|range| event_id(scanner, "eventId", range)).transpose()?;
        let event_type = event_type.filter(|range| !says_nothing(range));
        let event_type = event_type.ok_or(Placed::at(start, BodyFault::NoEventType("eventType")))?;
        Ok(Self { id, event_type: self::event_type(scanner, "eventType", event_type)?, data, metadata })
    }
}
