//! One event as it came out of a feed, as a line of JSON: what `ndjson` writes of events of our own store, for events of
//! any feed.
//!
//! What the feed does not say is left out, and the place stands where it is not the number.

use super::json::{Layout, Object};
use super::ndjson::{is_one_line, put, put_digest};
use crate::event::MediaType;
use crate::feed::read::page::{Event, EventContent};

/// For whom a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineFor {
    /// A server that is to append the event: byte for byte what it was, in base64 where need be.
    Servers,
    /// People, and programs that look into the data: JSON stands as JSON, without the line breaks that a producer put
    /// between its parts, and text as text.
    Readers,
}

/// Adds the line of this event, and the line break.
pub fn followed_line(event: &Event, line_for: LineFor, out: &mut Vec<u8>) {
    let mut object = Object::open(out, Layout::Line);
    if !event.stream.is_empty() {
        object.text("stream", &event.stream);
    }
    for (name, number) in [("number", event.number), ("position", event.position)] {
        if let Some(number) = number {
            object.number(name, number);
        }
    }
    if let Some(place) = event.place.filter(|_| event.place != event.number) {
        object.number("place", place);
    }
    object.text("id", &event.id.to_string());
    object.text("type", &event.event_type);
    match &event.content {
        EventContent::Here { media_type, data, metadata } => {
            object.text("mediaType", media_type);
            object.time("time", event.time);
            put_trace(&mut object, event);
            put_metadata(&mut object, metadata.as_deref());
            put_data(&mut object, media_type, data, line_for);
        }
        EventContent::Elsewhere { media_type, url, metadata } => {
            if let Some(media_type) = media_type {
                object.text("mediaType", media_type);
            }
            object.time("time", event.time);
            put_trace(&mut object, event);
            put_metadata(&mut object, metadata.as_deref());
            object.text("src", url);
        }
        EventContent::Removed { digest, correlation } => {
            object.time("time", event.time);
            object.fact("removed", true);
            if let Some(digest) = digest {
                put_digest(&mut object, digest);
            }
            if let Some(correlation) = correlation {
                object.text("correlationId", correlation);
            }
        }
    }
    object.close();
    out.push(b'\n');
}

fn put_trace(object: &mut Object<'_>, event: &Event) {
    if let Some(trace_parent) = event.trace_parent {
        object.text("traceparent", &trace_parent.to_string());
    }
}

fn put_metadata(object: &mut Object<'_>, metadata: Option<&[u8]>) {
    if let Some(metadata) = metadata {
        // A reader takes `null` and `""` for none.
        let says_something = !matches!(metadata, b"null" | b"\"\"");
        put(object, ["metadata", "metadataBase64"], metadata, says_something && is_one_line(metadata));
    }
}

fn put_data(object: &mut Object<'_>, media_type: &str, data: &[u8], line_for: LineFor) {
    const NAMES: [&str; 2] = ["data", "dataBase64"];
    let kind = Kind::of(media_type);
    match (line_for, kind) {
        (_, Kind::Json) if is_one_line(data) => put(object, NAMES, data, true),
        (LineFor::Readers, Kind::Json) => {
            // They stand between the parts of JSON alone: strings hold none.
            let joined: Vec<u8> = data.iter().copied().filter(|byte| !matches!(byte, b'\n' | b'\r')).collect();
            let joined = joined.trim_ascii();
            put(object, NAMES, if is_one_line(joined) { joined } else { data }, is_one_line(joined));
        }
        (LineFor::Readers, Kind::Text) => match std::str::from_utf8(data) {
            Ok(text) => object.text("data", text),
            Err(_) => put(object, NAMES, data, false),
        },
        (LineFor::Servers, Kind::Json | Kind::Text) | (_, Kind::Other) => put(object, NAMES, data, false),
    }
}

/// What data of a media type are to whoever reads them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Json,
    Text,
    Other,
}

impl Kind {
    fn of(media_type: &str) -> Self {
        // Most events are this, and it need not be taken apart.
        if media_type == "application/json" {
            return Self::Json;
        }
        match MediaType::parse(media_type) {
            Ok(parsed) if parsed.is_json() => Self::Json,
            Ok(parsed) if parsed.other_charset().is_some() => Self::Other,
            Ok(parsed) if parsed.is_xml() || parsed.essence().to_ascii_lowercase().starts_with("text/") => Self::Text,
            Ok(_) | Err(_) => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use uuid::Uuid;

    use super::*;
    use crate::event::{Digest, Timestamp};
    use crate::feed::read::page::EventId;

    fn event(media_type: &str, data: &'static [u8]) -> Event {
        Event {
            id: EventId::Uuid(Uuid::from_u128(7)),
            stream: "orders".into(),
            number: Some(3),
            position: Some(9),
            place: Some(3),
            event_type: "Order\"Placed".into(),
            time: Timestamp::from_micros(1_000_001),
            trace_parent: None,
            content: EventContent::Here {
                media_type: media_type.into(),
                data: Bytes::from_static(data),
                metadata: Some(Bytes::from_static(b"{\"by\":1}")),
            },
        }
    }

    fn written(event: &Event, line_for: LineFor) -> String {
        let mut out = Vec::new();
        followed_line(event, line_for, &mut out);
        String::from_utf8(out).expect("lines are UTF-8")
    }

    const HEAD: &str = concat!(
        r#"{"stream":"orders","number":3,"position":9,"id":"00000000-0000-0000-0000-000000000007","#,
        r#""type":"Order\"Placed","mediaType":"#,
    );
    const TIME: &str = r#","time":"1970-01-01T00:00:01.000001Z","metadata":{"by":1},"#;

    #[track_caller]
    fn check_data(media_type: &str, data: &'static [u8], servers: &str, readers: &str) {
        let event = event(media_type, data);
        for (line_for, expected) in [(LineFor::Servers, servers), (LineFor::Readers, readers)] {
            let expected = format!("{HEAD}{media_type:?}{TIME}{expected}}}\n");
            assert_eq!(written(&event, line_for), expected, "{line_for:?}");
        }
    }

    #[test]
    fn data_stand_as_a_server_or_a_reader_needs_them() {
        let same = r#""data":{ "a" : 1.50 }"#;
        check_data("application/json", b"{ \"a\" : 1.50 }", same, same);
        check_data("application/json", b"{\n\"a\":1}\n", r#""dataBase64":"ewoiYSI6MX0K""#, r#""data":{"a":1}"#);
        let broken = r#""dataBase64":"eyJhIg==""#;
        check_data("application/json", b"{\"a\"", broken, broken);
        check_data("text/plain", b"a\nb", r#""dataBase64":"YQpi""#, r#""data":"a\nb""#);
        check_data("application/atom+xml", b"<a/>", r#""dataBase64":"PGEvPg==""#, r#""data":"<a/>""#);
        let bytes = r#""dataBase64":"/w==""#;
        check_data("text/plain", b"\xff", bytes, bytes);
        check_data("application/octet-stream", b"\xff", bytes, bytes);
    }

    #[test]
    fn what_a_feed_does_not_say_is_not_said() {
        let mut event = event("application/json", b"1");
        event.id = EventId::Iri("tag:a".into());
        (event.stream, event.number, event.position, event.place) = ("".into(), None, None, None);
        event.content = EventContent::Removed { digest: None, correlation: None };
        let expected = r#"{"id":"tag:a","type":"Order\"Placed","time":"1970-01-01T00:00:01.000001Z","removed":true}"#;
        assert_eq!(written(&event, LineFor::Readers), format!("{expected}\n"));
        event.place = Some(8);
        event.content = EventContent::Removed { digest: Some(Digest([0xAB; 16])), correlation: Some("c".into()) };
        let line: serde_json::Value = serde_json::from_str(&written(&event, LineFor::Servers)).expect("JSON");
        assert_eq!((&line["place"], &line["correlationId"]), (&8.into(), &"c".into()));
        assert_eq!(line["digest"], "ab".repeat(16));
    }
}
