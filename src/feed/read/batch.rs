//! EventStore's batch: a JSON array of events, cut out of the body without copying.

use std::ops::Range;

use bytes::Bytes;
use uuid::Uuid;

use super::{BodyFault, UnreadableBody, identify};
use crate::event::limits::{BATCH_EVENTS_MAX, EVENT_BYTES_MAX};
use crate::event::{Content, EventId, EventType, MediaType, NewEvent};
use crate::feed::json::{Fault, Scanner};

/// What an event may say. Compared without regard to case, as EventStore does; other names are passed over.
const NAMES: [&str; 4] = ["eventId", "eventType", "data", "metadata"];

/// A fault, and where it is: in bytes from the start of the body, and in which event.
struct Placed {
    at: usize,
    index: Option<usize>,
    fault: BodyFault,
}

impl Placed {
    fn at(at: usize, fault: impl Into<BodyFault>) -> Self {
        Self { at, index: None, fault: fault.into() }
    }
}

impl From<Fault> for Placed {
    fn from(fault: Fault) -> Self {
        Self::at(fault.at, fault.why)
    }
}

/// Reads a batch. Made ids are asked for in the order of the events.
pub(super) fn events(
    body: &Bytes,
    idempotency_key: Option<&[u8]>,
    new_id: &mut dyn FnMut() -> EventId,
) -> Result<Vec<NewEvent>, UnreadableBody> {
    let mut identify = |given, index| identify(given, idempotency_key, index, new_id);
    read(body, &mut identify)
        .map_err(|placed| UnreadableBody { index: placed.index, ..UnreadableBody::at(body, placed.at, placed.fault) })
}

/// An event's id, and whether it was made just now, from the id that is given and the event's index.
type Identify<'a> = dyn FnMut(Option<EventId>, usize) -> (EventId, bool) + 'a;

fn read(body: &Bytes, identify: &mut Identify<'_>) -> Result<Vec<NewEvent>, Placed> {
    let mut scanner = Scanner::new(body)?;
    let start = scanner.at();
    if !scanner.take(b'[') {
        // Whoever sent no JSON at all is told that first.
        scanner.value()?;
        return Err(Placed::at(start, BodyFault::NotAnArray));
    }
    if scanner.take(b']') {
        return Err(Placed::at(start, BodyFault::NoEvents));
    }
    let media_type = MediaType::json();
    let mut events = Vec::new();
    loop {
        let index = events.len();
        if index == BATCH_EVENTS_MAX {
            return Err(Placed::at(scanner.at(), BodyFault::TooManyEvents));
        }
        let member = Member::read(&mut scanner, body).map_err(|placed| Placed { index: Some(index), ..placed })?;
        let (id, id_is_fresh) = identify(member.id, index);
        let content = Content { media_type: media_type.clone(), data: member.data, metadata: member.metadata };
        events.push(NewEvent { id, id_is_fresh, event_type: member.event_type, content });
        if !scanner.take(b',') {
            scanner.expect(b']', "`,` or `]`")?;
            scanner.end()?;
            return Ok(events);
        }
    }
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
        let [id, event_type, data, metadata] = fields(scanner)?;
        let says_nothing = |range: &Range<usize>| matches!(&body[range.clone()], b"null" | b"\"\"");
        // What is not given is `null`, so that whatever is stored as JSON is JSON.
        let data = data.map_or(Bytes::from_static(b"null"), |range| body.slice(range));
        // EventStore's clients send both forms where they have none.
        let metadata = metadata.filter(|range| !says_nothing(range)).map(|range| body.slice(range));
        let bytes = data.len() + metadata.as_ref().map_or(0, Bytes::len);
        if EVENT_BYTES_MAX < bytes {
            return Err(Placed::at(start, BodyFault::EventTooLarge { bytes }));
        }
        let id = match id.filter(|range| &body[range.clone()] != b"null") {
            Some(range) => Some(event_id(scanner, range)?),
            None => None,
        };
        let event_type = event_type.filter(|range| !says_nothing(range));
        let event_type = event_type.ok_or(Placed::at(start, BodyFault::NoEventType))?;
        Ok(Self { id, event_type: self::event_type(scanner, event_type)?, data, metadata })
    }
}

/// Where the values of [`NAMES`] stand in the object that comes next.
fn fields(scanner: &mut Scanner<'_>) -> Result<[Option<Range<usize>>; 4], Placed> {
    let start = scanner.at();
    let mut fields = [const { None }; 4];
    if !scanner.take(b'{') {
        scanner.value()?;
        return Err(Placed::at(start, BodyFault::NotAnObject));
    }
    if scanner.take(b'}') {
        return Ok(fields);
    }
    loop {
        let name = scanner.member_name()?;
        let at = name.start;
        let name = scanner.string(name).unwrap_or_default();
        let value = scanner.value()?;
        if let Some(field) = NAMES.iter().position(|known| known.eq_ignore_ascii_case(&name))
            && fields[field].replace(value).is_some()
        {
            return Err(Placed::at(at, BodyFault::Twice(NAMES[field])));
        }
        if !scanner.take(b',') {
            scanner.expect(b'}', "`,` or `}`")?;
            return Ok(fields);
        }
    }
}

fn event_id(scanner: &Scanner<'_>, range: Range<usize>) -> Result<EventId, Placed> {
    let at = range.start;
    let text = scanner.string(range).ok_or(Placed::at(at, BodyFault::NotAString("eventId")))?;
    let uuid = Uuid::try_parse(&text).map_err(|_| Placed::at(at, BodyFault::InvalidEventId))?;
    EventId::new(uuid).map_err(|nil| Placed::at(at, nil))
}

fn event_type(scanner: &Scanner<'_>, range: Range<usize>) -> Result<EventType, Placed> {
    let at = range.start;
    let text = scanner.string(range).ok_or(Placed::at(at, BodyFault::NotAString("eventType")))?;
    EventType::parse(&text).map_err(|why| Placed::at(at, BodyFault::InvalidEventType(why)))
}
