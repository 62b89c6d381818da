//! Events as lines of JSON, oldest first: everything there is to know of each, so that what is read here can be
//! appended elsewhere without loss.
//!
//! The members and their order never change: `stream`, `number`, `position`, `place`, `id`, `type`, `mediaType`,
//! `time`, `traceparent`, `metadata`, `data`. The place is that in the feed, and stands wherever that is not the feed of the event's
//! own stream. JSON stands in `metadata` and `data` byte for byte as it was sent; what is not JSON, or has line
//! breaks or white space around it, stands in `metadataBase64` and `dataBase64`. An event whose content was removed
//! has neither these nor `mediaType`, but `"removed":true`, its `digest` in hex, and the `correlationId` that it
//! keeps if it had one. What stands for an event that its reader may not see has no digest, so nobody takes it for one.

use super::json::{Layout, Object};
use super::text::push_base64;
use super::{Document, place_in};
use crate::event::{Content, Digest, Event, Number, Source};
use crate::feed::json;

/// A page.
#[derive(Debug)]
pub(super) struct Lines<'a> {
    pub(super) source: &'a Source,
}

impl Document for Lines<'_> {
    fn begin(&mut self, _: &mut Vec<u8>) {}

    fn entry(&mut self, event: &Event, place: Number, out: &mut Vec<u8>) {
        entry(event, place_in(self.source, place), out);
    }

    fn end(&mut self, _: &mut Vec<u8>) {}
}

/// One event, with the line break at its end.
pub(super) fn entry(event: &Event, place: Option<Number>, out: &mut Vec<u8>) {
    let mut object = Object::open(out, Layout::Line);
    object.text("stream", event.stream.as_str());
    object.number("number", event.number.get());
    object.number("position", event.position.get());
    if let Some(place) = place {
        object.number("place", place.get());
    }
    object.text("id", &event.id.to_string());
    object.text("type", event.event_type.as_str());
    if let Some(content) = &event.content {
        object.text("mediaType", content.media_type.as_str());
    }
    object.time("time", event.time);
    if let Some(trace_parent) = event.content.as_ref().and_then(|content| content.trace_parent) {
        object.text("traceparent", &trace_parent.to_string());
    }
    match &event.content {
        Some(content) => put_content(&mut object, content),
        None => put_removed(&mut object, event),
    }
    object.close();
    out.push(b'\n');
}

fn put_content(object: &mut Object<'_>, Content { media_type, data, metadata, .. }: &Content) {
    if let Some(metadata) = metadata {
        // A reader takes `null` and `""` for none.
        let says_something = !matches!(&metadata[..], b"null" | b"\"\"");
        put(object, ["metadata", "metadataBase64"], metadata, says_something && is_one_line(metadata));
    }
    put(object, ["data", "dataBase64"], data, media_type.is_json() && is_one_line(data));
}

/// JSON under the first name, or anything under the second.
pub(super) fn put(object: &mut Object<'_>, [plain, base64]: [&str; 2], value: &[u8], is_plain: bool) {
    if is_plain {
        object.member(plain).extend_from_slice(value);
    } else {
        let out = object.member(base64);
        out.push(b'"');
        push_base64(value, out);
        out.push(b'"');
    }
}

pub(super) fn put_digest(object: &mut Object<'_>, digest: &Digest) {
    let hex: String = digest.0.iter().map(|byte| format!("{byte:02x}")).collect();
    object.text("digest", &hex);
}

/// Whether a reader that cuts lines, and values out of them, gets these very bytes.
pub(super) fn is_one_line(value: &[u8]) -> bool {
    memchr::memchr2(b'\n', b'\r', value).is_none()
        && value.trim_ascii().len() == value.len()
        && json::check(value).is_ok()
}

fn put_removed(object: &mut Object<'_>, event: &Event) {
    object.fact("removed", true);
    if event.is_hidden() {
        return;
    }
    put_digest(object, &event.digest);
    if let Some(correlation) = &event.kept_correlation {
        object.text("correlationId", correlation);
    }
}
