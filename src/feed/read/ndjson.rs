//! Events as lines of JSON, each as our own pages write it: what was read in one place can be appended in another.

use std::ops::Range;

use bytes::Bytes;

use super::members::{Placed, decoded, event_id, event_type, fields, text};
use super::{BodyFault, UnreadableBody, check_charset, identify};
use crate::event::limits::{BATCH_EVENTS_MAX, EVENT_BYTES_MAX};
use crate::event::{Content, EventId, EventType, MediaType, NewEvent, TraceParent};
use crate::feed::json::{self, Scanner};

/// What an event may say, in our words and in those of EventStore's batches. Where it once stood (`stream`, `number`,
/// `position`, `time`) is passed over: where it will stand is decided as it is appended.
const NAMES: [(&str, usize); 10] = [
    ("id", 0),
    ("eventId", 0),
    ("type", 1),
    ("eventType", 1),
    ("mediaType", 2),
    ("metadata", 3),
    ("metadataBase64", 4),
    ("data", 5),
    ("dataBase64", 6),
    ("traceparent", 7),
];

/// What is said of a line that is something else.
const WHAT: &str = "a line is an object with type and data, and perhaps id, mediaType and metadata";

/// Reads the lines. Those without anything on them are passed over.
pub(super) fn events(
    body: &Bytes,
    idempotency_key: Option<&[u8]>,
    new_id: &mut dyn FnMut() -> EventId,
) -> Result<Vec<NewEvent>, UnreadableBody> {
    let mut events = Vec::new();
    let mut start = 0;
    while start < body.len() {
        let end = memchr::memchr(b'\n', &body[start..]).map_or(body.len(), |length| start + length);
        let line = body.slice(start..end);
        if !line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r')) {
            let index = events.len();
            let read = if index == BATCH_EVENTS_MAX {
                Err(Placed::at(0, BodyFault::TooManyEvents))
            } else {
                Line::read(&line)
            };
            let Line { id, event_type, content } =
                read.map_err(|placed| placed.in_event(index, start).in_body(body))?;
            let (id, id_is_fresh) = identify(id, idempotency_key, index, new_id);
            events.push(NewEvent { id, id_is_fresh, event_type, content });
        }
        start = end + 1;
    }
    if events.is_empty() { Err(BodyFault::NoLines.into()) } else { Ok(events) }
}

/// One event.
struct Line {
    id: Option<EventId>,
    event_type: EventType,
    content: Content,
}

impl Line {
    fn read(line: &Bytes) -> Result<Self, Placed> {
        let mut scanner = Scanner::new(line)?;
        let start = scanner.at();
        let [id, event_type, media_type, metadata, metadata_base64, data, data_base64, trace_parent] =
            fields(&mut scanner, WHAT, &NAMES)?;
        scanner.end()?;
        // `null` says as much as nothing, but for data, which are JSON.
        let told = |field: Option<Range<usize>>| field.filter(|range| &line[range.clone()] != b"null");
        let id = told(id).map(|range| event_id(&scanner, "id", range)).transpose()?;
        let event_type = told(event_type).ok_or(Placed::at(start, BodyFault::NoEventType("type")))?;
        let event_type = self::event_type(&scanner, "type", event_type)?;
        let media_type = told(media_type).map_or(Ok(MediaType::json()), |range| self::media_type(&scanner, range))?;
        let content = Content {
            data: data_of(&scanner, line, &media_type, start, data, data_base64)?,
            metadata: metadata_of(&scanner, line, told(metadata), told(metadata_base64))?,
            media_type,
            // As the header: what says nothing that counts is passed over.
            trace_parent: trace_parent.and_then(|range| TraceParent::parse(&scanner.string(range)?)),
        };
        if EVENT_BYTES_MAX < content.len() {
            return Err(Placed::at(start, BodyFault::EventTooLarge { bytes: content.len() }));
        }
        Ok(Self { id, event_type, content })
    }
}

fn media_type(scanner: &Scanner<'_>, range: Range<usize>) -> Result<MediaType, Placed> {
    let at = range.start;
    let text = text(scanner, "mediaType", range)?;
    let media_type = MediaType::parse(&text).map_err(|why| Placed::at(at, BodyFault::InvalidMediaType(why)))?;
    check_charset(&media_type).map_err(|fault| Placed::at(at, fault))?;
    Ok(media_type)
}

/// JSON is kept byte for byte; of another media type, a string is the text that it says.
fn data_of(
    scanner: &Scanner<'_>,
    line: &Bytes,
    media_type: &MediaType,
    start: usize,
    plain: Option<Range<usize>>,
    base64: Option<Range<usize>>,
) -> Result<Bytes, Placed> {
    match (plain, base64) {
        (None, None) => Err(Placed::at(start, BodyFault::NoData)),
        (Some(_), Some(base64)) => Err(Placed::at(base64.start, BodyFault::Both("data", "dataBase64"))),
        (Some(range), None) if media_type.is_json() => Ok(line.slice(range)),
        (Some(range), None) => {
            let at = range.start;
            let text = scanner.string(range).filter(|_| media_type.other_charset().is_none());
            let data = text.map(|text| text.into_owned().into_bytes().into());
            data.ok_or_else(|| Placed::at(at, BodyFault::NotText(media_type.to_string(), "dataBase64")))
        }
        (None, Some(range)) if media_type.is_json() => decoded_json(scanner, "dataBase64", range),
        (None, Some(range)) => decoded(scanner, "dataBase64", range),
    }
}

fn metadata_of(
    scanner: &Scanner<'_>,
    line: &Bytes,
    plain: Option<Range<usize>>,
    base64: Option<Range<usize>>,
) -> Result<Option<Bytes>, Placed> {
    match (plain, base64) {
        (None, None) => Ok(None),
        (Some(_), Some(base64)) => Err(Placed::at(base64.start, BodyFault::Both("metadata", "metadataBase64"))),
        // EventStore's clients send it where they have none.
        (Some(range), None) => Ok(Some(line.slice(range)).filter(|metadata| metadata != "\"\"")),
        (None, Some(range)) => decoded_json(scanner, "metadataBase64", range).map(Some),
    }
}

/// What the string at this place stands for, where only JSON may.
fn decoded_json(scanner: &Scanner<'_>, name: &'static str, range: Range<usize>) -> Result<Bytes, Placed> {
    let at = range.start;
    let json = decoded(scanner, name, range)?;
    json::check(&json).map_err(|fault| Placed::at(at, fault.why))?;
    Ok(json)
}
