//! Events with their envelopes as JSON: one (`event+json`), or a page as an array (`events+json`), oldest first.
//!
//! The names are EventStore's (`eventStreamId`, `eventNumber`, `eventType`, `eventId`, `data`, `metadata`, the
//! last `""` when there is none); `position`, `time` and `place` (in derived
//! streams: the event's number there) are ours, and so is what keeps all data whole:
//!
//! - `mediaType` stands wherever it is not `application/json`;
//! - `data` of a JSON media type is that JSON, byte for byte as it was sent;
//! - other data is a string in `data` when it is UTF-8, else base64 in `dataBase64`;
//! - an event whose content was removed has none of `data`, `dataBase64`, `metadata` and `mediaType`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::event::{Content, Event, MediaType, Number, Source};

use super::json::{Layout, Object, put_text};
use super::{Document, place_in};

/// A page as an array of events, one a line.
#[derive(Debug)]
pub(super) struct Array<'a> {
    source: &'a Source,
    entry: Entry,
    has_entries: bool,
}

/// Writes one event; its place in a derived stream, if it is shown in one, comes with it.
type Entry = fn(&Event, Option<Number>, &mut Vec<u8>);

impl<'a> Array<'a> {
    /// Of a source's events, which are written so.
    pub(super) fn of(source: &'a Source, entry: Entry) -> Self {
        Self { source, entry, has_entries: false }
    }
}

impl Document for Array<'_> {
    fn begin(&mut self, out: &mut Vec<u8>) {
        out.push(b'[');
    }

    fn entry(&mut self, event: &Event, place: Number, out: &mut Vec<u8>) {
        out.extend_from_slice(if self.has_entries { b",\n" } else { b"\n" });
        self.has_entries = true;
        (self.entry)(event, place_in(self.source, place), out);
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(if self.has_entries { b"\n]" } else { b"]" });
    }
}

/// One event with its envelope, on one line but for line breaks in its own JSON.
pub(super) fn entry(event: &Event, place: Option<Number>, out: &mut Vec<u8>) {
    let mut object = Object::open(out, Layout::Line);
    put_identity(&mut object, event);
    object.number("position", event.position.get());
    if let Some(place) = place {
        object.number("place", place.get());
    }
    object.time("time", event.time);
    if let Some(content) = &event.content {
        if content.media_type != MediaType::json() {
            object.text("mediaType", content.media_type.as_str());
        }
        put_data(&mut object, content);
        put_metadata(&mut object, content);
    }
    object.close();
}

/// Which event it is, as EventStore says it.
pub(super) fn put_identity(object: &mut Object<'_>, event: &Event) {
    object.text("eventStreamId", event.stream.as_str());
    object.number("eventNumber", event.number.get());
    object.text("eventType", event.event_type.as_str());
    object.text("eventId", &event.id.to_string());
}

fn put_data(object: &mut Object<'_>, content: &Content) {
    if content.media_type.is_json() {
        object.raw("data", &content.data);
    } else if let Ok(text) = std::str::from_utf8(&content.data) {
        object.text("data", text);
    } else {
        put_text(object.member("dataBase64"), &STANDARD.encode(&content.data));
    }
}

/// Metadata as it was sent, or EventStore's sign that there is none.
pub(super) fn put_metadata(object: &mut Object<'_>, content: &Content) {
    object.raw("metadata", content.metadata.as_deref().unwrap_or(b"\"\""));
}
