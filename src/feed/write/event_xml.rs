//! Events as XML: with their envelopes, one (`event+xml`) or a page (`events+xml`, oldest first), and the data of
//! one event alone (`text/xml`).
//!
//! The names are those of the JSON form (`event_json`), and so is what stands where. In `data` stand
//!
//! - JSON as elements (`json_xml`);
//! - an XML document as its root element, if that says all that the document says;
//! - other text as text;
//! - all else in base64, and the element says so: `encoding="base64"`.

use crate::event::{Content, Event, MediaType, Number, Source};

use super::atom_content::is_utf8;
use super::json_xml::{push_element, push_text_element};
use super::text::{push_base64, push_decimal, push_time};
use super::{Document, place_in, xml};

const DECLARATION: &[u8] = b"<?xml version=\"1.0\" encoding=\"utf-8\"?>\n";

/// A page as `events`.
#[derive(Debug)]
pub(super) struct Events<'a> {
    source: &'a Source,
}

impl<'a> Events<'a> {
    pub(super) fn of(source: &'a Source) -> Self {
        Self { source }
    }
}

impl Document for Events<'_> {
    fn begin(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(DECLARATION);
        out.extend_from_slice(b"<events>\n");
    }

    fn entry(&mut self, event: &Event, place: Number, out: &mut Vec<u8>) {
        push_event(event, place_in(self.source, place), out);
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"</events>\n");
    }
}

/// One event with its envelope.
pub(super) fn entry(event: &Event, place: Option<Number>, out: &mut Vec<u8>) {
    out.extend_from_slice(DECLARATION);
    push_event(event, place, out);
}

/// The data alone. An event whose content was removed has none.
pub(super) fn data(event: &Event, out: &mut Vec<u8>) {
    out.extend_from_slice(DECLARATION);
    match &event.content {
        Some(content) => push_data(content, out),
        None => out.extend_from_slice(b"<data/>"),
    }
    out.push(b'\n');
}

fn push_event(event: &Event, place: Option<Number>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"<event>");
    push_text_element("eventStreamId", event.stream.as_str(), out);
    push_number("eventNumber", event.number.get(), out);
    push_text_element("eventType", event.event_type.as_str(), out);
    push_text_element("eventId", &event.id.to_string(), out);
    push_number("position", event.position.get(), out);
    if let Some(place) = place {
        push_number("place", place.get(), out);
    }
    out.extend_from_slice(b"<time>");
    push_time(event.time, out);
    out.extend_from_slice(b"</time>");
    if let Some(content) = &event.content {
        if content.media_type != MediaType::json() {
            push_text_element("mediaType", content.media_type.as_str(), out);
        }
        push_data(content, out);
        match &content.metadata {
            Some(metadata) => push_json("metadata", metadata, out),
            None => out.extend_from_slice(b"<metadata/>"),
        }
    }
    out.extend_from_slice(b"</event>\n");
}

fn push_number(name: &str, value: u64, out: &mut Vec<u8>) {
    let mut digits = Vec::with_capacity(20);
    push_decimal(value, &mut digits);
    push_text_element(name, std::str::from_utf8(&digits).expect("digits"), out);
}

fn push_data(content: &Content, out: &mut Vec<u8>) {
    if content.media_type.is_json() {
        return push_json("data", &content.data, out);
    }
    match root_element(content) {
        Some(element) => {
            out.extend_from_slice(b"<data>");
            out.extend_from_slice(element.as_bytes());
            out.extend_from_slice(b"</data>");
        }
        None => push_bytes("data", &content.data, out),
    }
}

/// The root element of an XML document, if that says all that the document says.
fn root_element(content: &Content) -> Option<&str> {
    let Content { media_type, data, .. } = content;
    let text = xml::text(data).filter(|_| media_type.is_xml() && is_utf8(media_type))?;
    let outline = xml::outline(text).ok().filter(|outline| outline.is_root_alone)?;
    Some(&text[outline.root])
}

/// JSON is checked when it is taken in; what slipped through would spoil the document, and is written as text.
fn push_json(name: &str, json: &[u8], out: &mut Vec<u8>) {
    if push_element(name, json, out).is_none() {
        push_bytes(name, json, out);
    }
}

fn push_bytes(name: &str, bytes: &[u8], out: &mut Vec<u8>) {
    match std::str::from_utf8(bytes) {
        Ok(text) => push_text_element(name, text, out),
        Err(_) => {
            out.push(b'<');
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b" encoding=\"base64\">");
            push_base64(bytes, out);
            out.extend_from_slice(b"</");
            out.extend_from_slice(name.as_bytes());
            out.push(b'>');
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::event::{Digest, EventId, EventType, Life, Position, StreamName, Timestamp};
    use crate::feed::tests_support::any_event;

    fn event(media_type: &str, data: &'static [u8], metadata: Option<&'static str>) -> Event {
        Event {
            stream: StreamName::parse("a<b").expect("a name"),
            number: Number::from(7),
            position: Position::from(9),
            life: Life(0),
            time: Timestamp::from_micros(1_795_426_200_250_000),
            id: EventId::new(Uuid::from_u128(0x0190_c6a4_7b1e_7f5e_9a52_0000_0000_0001)).expect("not nil"),
            event_type: EventType::parse("Order & more").expect("a type"),
            kept_correlation: None,
            digest: Digest([0; 16]),
            content: Some(Content {
                media_type: MediaType::parse(media_type).expect("a media type"),
                data: Bytes::from_static(data),
                metadata: metadata.map(Bytes::from),
                trace_parent: None,
            }),
        }
    }

    fn written(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("documents are UTF-8")
    }

    #[test]
    fn the_envelope_says_all_that_is_known_of_an_event() {
        let json = event("application/json", b"{\"total\": 1.10}", Some("{\"$by\":\"me\"}"));
        let identity = "<event><eventStreamId>a&lt;b</eventStreamId><eventNumber>7</eventNumber>\
                        <eventType>Order &amp; more</eventType><eventId>0190c6a4-7b1e-7f5e-9a52-000000000001</eventId>\
                        <position>9</position><time>2026-11-23T09:30:00.250000Z</time>";
        let declaration = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n";
        assert_eq!(
            written(|out| entry(&json, None, out)),
            format!(
                "{declaration}{identity}<data><total>1.10</total></data>\
                 <metadata><_x0024_by>me</_x0024_by></metadata></event>\n"
            )
        );
        let mut removed = event("text/plain", b"x", None);
        let typed = "<mediaType>text/plain</mediaType><data>x</data><metadata/></event>\n";
        assert_eq!(written(|out| entry(&removed, None, out)), format!("{declaration}{identity}{typed}"));
        removed.content = None;
        assert_eq!(written(|out| entry(&removed, None, out)), format!("{declaration}{identity}</event>\n"));
        let page = written(|out| {
            let source = Source::named(StreamName::parse("$ce-a").expect("a name"));
            let mut page = Events::of(&source);
            page.begin(out);
            page.entry(&removed, Number::from(3), out);
            page.end(out);
        });
        let placed = identity.replace("<time>", "<place>3</place><time>");
        assert_eq!(page, format!("{declaration}<events>\n{placed}</event>\n</events>\n"));
    }

    #[test]
    fn data_stand_in_one_element_whatever_they_are() {
        for (media_type, bytes, expected) in [
            ("application/json", &b"{"[..], "<data>{</data>"),
            ("text/xml", b"<?xml version=\"1.0\"?>\n<a b='c'/>\n", "<data><a b='c'/></data>"),
            ("text/xml", b"<!-- beside --><a/>", "<data>&lt;!-- beside --&gt;&lt;a/&gt;</data>"),
            ("text/xml; charset=utf-16", b"<a/>", "<data>&lt;a/&gt;</data>"),
            ("text/xml", b"<a>", "<data>&lt;a&gt;</data>"),
            ("text/plain", b"\x07", "<data encoding=\"base64\">Bw==</data>"),
            ("image/png", b"\xff", "<data encoding=\"base64\">/w==</data>"),
            ("text/plain", b"", "<data></data>"),
        ] {
            let document = written(|out| data(&event(media_type, bytes, None), out));
            assert_eq!(document.lines().skip(1).collect::<String>(), expected, "{media_type}");
        }
    }

    proptest! {
        #[test]
        fn whatever_the_event_is_the_documents_are_well_formed(event in any_event()) {
            for document in [written(|out| entry(&event, None, out)), written(|out| data(&event, out))] {
                prop_assert!(roxmltree::Document::parse(&document).is_ok(), "{document}");
            }
        }
    }
}
