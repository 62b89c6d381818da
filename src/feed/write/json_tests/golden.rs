//! Golden documents, in `tests/data/eventstore/`: each is byte for byte what it always was.

use std::path::Path;

use bytes::Bytes;
use serde_json::Value;
use uuid::Uuid;

use super::{EMBEDS, envelope, eventstore, page, stream, written, written_entry};
use crate::address::{Direction, Embed, PageRequest, Place, Shape};
use crate::event::{Content, Digest, Event, EventId, EventType, Life, MediaType, Number, Position, Source, Timestamp};

/// Event `number` of a stream that was written a second apart from 2026-11-23T09:30:00.25Z on.
pub(super) fn event(
    name: &str,
    number: u32,
    event_type: &str,
    media_type: &str,
    data: &[u8],
    metadata: Option<&str>,
) -> Event {
    Event {
        stream: stream(name),
        number: number.into(),
        position: (number + 100).into(),
        life: Life(0),
        time: Timestamp::from_micros(1_795_426_200_250_000 + i64::from(number) * 1_000_000),
        id: EventId::new(Uuid::from_u128(0x0190_c6a4_7b1e_7f5e_9a52_0000_0000_0001 + u128::from(number)))
            .expect("not nil"),
        event_type: EventType::parse(event_type).expect("a type"),
        kept_correlation: None,
        digest: Digest([0; 16]),
        content: Some(Content {
            media_type: MediaType::parse(media_type).expect("a media type"),
            data: Bytes::copy_from_slice(data),
            metadata: metadata.map(|metadata| Bytes::copy_from_slice(metadata.as_bytes())),
            trace_parent: None,
        }),
    }
}

/// Events of every kind, oldest first.
pub(super) fn kinds() -> Vec<Event> {
    let orders = |number, event_type, media_type, data: &[u8], metadata| {
        event("orders", number, event_type, media_type, data, metadata)
    };
    let placed = br#"{"total": 1.10, "lines":[{"sku":"\u0041", "n":12345678901234567890}],"total": 2}"#;
    let mut removed = orders(5, "OrderPlaced", "application/json", b"{}", None);
    removed.content = None;
    vec![
        orders(0, "OrderPlaced", "application/json", placed, Some(r#"{"by":"é"}"#)),
        orders(1, "Numbers", "application/vnd.shop+json", b"[1 , 2e400]", None),
        orders(2, "Note", "text/plain", "said \"yes\"\n\u{1F980}".as_bytes(), None),
        orders(3, "Hidden", "application/octet-stream", br#"{"a":{}}"#, Some("[]")),
        orders(4, "Label", "image/png", b"\x89PNG\r\n\xff\0", None),
        removed,
    ]
}

/// A stream as it was when these 25 events were in it.
fn twenty_five() -> Vec<Event> {
    (0..25).map(|number| event("foo", number, "t", "application/json", b"{}", None)).collect()
}

/// A document is byte for byte the one that is stored under this name.
fn check_golden(name: &str, document: &str) {
    check_golden_in("eventstore", name, document);
}

/// The same, in another folder of the tests' data.
pub(super) fn check_golden_in(folder: &str, name: &str, document: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(folder).join(name);
    let golden = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}\n{document}"));
    assert_eq!(document, golden, "{name} is another document now:\n{document}");
}

#[test]
fn every_embed_level_is_written_as_it_always_was() {
    let source = Source::Stream(stream("orders"));
    let shape = page(Place::Number(5.into()), Direction::Backward, 6);
    for (embed, name) in EMBEDS.into_iter().zip(["none", "content", "rich", "body", "pretty", "tryharder"]) {
        let document = written(eventstore(embed), &source, &shape, 6, &kinds());
        check_golden(&format!("embed-{name}.json"), &document);
    }
}

#[test]
fn feeds_of_each_shape_are_written_as_they_always_were() {
    let source = Source::Stream(stream("a@b/c \"d\""));
    let events: Vec<_> =
        (0..3).map(|number| event("a@b/c \"d\"", number, "t", "application/json", b"{}", None)).collect();
    let none = eventstore(Embed::None);
    let zero = Place::Number(Number::ZERO);
    check_golden("head.json", &written(none, &source, &Shape::Head, 3, &events));
    check_golden(
        "head-backward.json",
        &written(none, &source, &page(Place::Head, Direction::Backward, 2), 3, &events[1..]),
    );
    check_golden(
        "backward.json",
        &written(none, &source, &page(Place::Number(1.into()), Direction::Backward, 1), 3, &events[1..2]),
    );
    check_golden("forward.json", &written(none, &source, &page(zero, Direction::Forward, 2), 3, &events[..2]));
    check_golden(
        "forward-end.json",
        &written(none, &source, &page(Place::Number(3.into()), Direction::Forward, 2), 3, &[]),
    );
    check_golden("all-head.json", &written(eventstore(Embed::Rich), &Source::All, &Shape::Head, 103, &events[1..]));
    check_golden(
        "all-forward.json",
        &written(none, &Source::All, &page(Place::Hex(Position::from(101)), Direction::Forward, 2), 103, &events[1..]),
    );
}

#[test]
fn single_events_are_written_as_they_always_were() {
    for (event, name) in kinds().iter().zip(["json", "json-array", "text", "hidden-json", "bytes", "removed"]) {
        check_golden(&format!("entry-{name}.json"), &written_entry(eventstore(Embed::None), event));
        check_golden(&format!("event-{name}.json"), &written_entry(envelope(), event));
    }
    for (event, name) in kinds()[2..5].iter().zip(["text", "hidden-json", "bytes"]) {
        check_golden(&format!("entry-{name}-tryharder.json"), &written_entry(eventstore(Embed::TryHarder), event));
    }
    let source = Source::Stream(stream("orders"));
    let shape = page(Place::Number(Number::ZERO), Direction::Forward, 6);
    check_golden("events.json", &written(envelope(), &source, &shape, 6, &kinds()));
    assert_eq!(written(envelope(), &source, &shape, 0, &[]), "[]");
}

/// The example of 25 events, page by page.
#[test]
fn a_stream_of_25_events_is_linked_as_eventstore_links_it() {
    let events = twenty_five();
    let source = Source::Stream(stream("foo"));
    let links = |document: &Value| -> Vec<(String, String)> {
        let links = document["links"].as_array().expect("links").iter();
        let text = |value: &Value| value.as_str().expect("text").replace("http://127.0.0.1:2113/streams/foo", "");
        links.map(|link| (text(&link["relation"]), text(&link["uri"]))).collect()
    };
    let parsed = |shape: &Shape, events: &[Event]| -> Value {
        serde_json::from_str(&written(eventstore(Embed::None), &source, shape, 25, events)).expect("JSON")
    };
    let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(rel, href)| ((*rel).to_string(), (*href).to_string())).collect()
    };

    let head = parsed(&Shape::Head, &events[5..]);
    assert_eq!(
        links(&head),
        pairs(&[
            ("self", ""),
            ("first", "/head/backward/20"),
            ("last", "/0/forward/20"),
            ("next", "/4/backward/20"),
            ("previous", "/25/forward/20"),
            ("metadata", "/metadata"),
        ])
    );
    assert_eq!((&head["headOfStream"], &head["eTag"]), (&Value::Bool(true), &Value::from("24;1234")));
    assert_eq!(head["updated"], "2026-11-23T09:30:24.25Z", "the newest event");

    let oldest = parsed(&page(Place::Number(Number::ZERO), Direction::Forward, 20), &events[..20]);
    assert_eq!(
        links(&oldest),
        pairs(&[
            ("self", ""),
            ("first", "/head/backward/20"),
            ("previous", "/20/forward/20"),
            ("metadata", "/metadata")
        ])
    );
    assert_eq!(oldest["updated"], "2026-11-23T09:30:00.25Z", "the oldest event");
    assert_eq!(oldest["headOfStream"], false);

    let polled = parsed(&page(Place::Number(25.into()), Direction::Forward, 20), &[]);
    let rels: Vec<_> = links(&polled).into_iter().map(|(rel, _)| rel).collect();
    assert_eq!(rels, ["self", "first", "last", "next", "metadata"], "its own URL is the one to ask again");
    assert_eq!(polled["updated"], "2026-11-23T09:30:00Z", "when the stream began");
    assert_eq!(polled["entries"], Value::Array(vec![]));
}

#[test]
fn head_of_stream_self_url_and_etag_stand_where_they_mean_something() {
    let events = twenty_five();
    let source = Source::Stream(stream("foo"));
    let backward = |from| page(from, Direction::Backward, 20);
    let forward = |from: u32, count| page(Place::Number(from.into()), Direction::Forward, count);
    for (shape, head_of_stream, has_self_url, has_etag) in [
        (Shape::Head, true, true, true),
        (backward(Place::Head), true, true, true),
        (backward(Place::Number(24.into())), false, true, false),
        (forward(0, 24), false, false, false),
        (forward(0, 25), true, false, false),
        (forward(0, 26), true, false, false),
        (forward(24, 1), true, false, false),
        (forward(25, 1), true, false, false),
    ] {
        let document: Value =
            serde_json::from_str(&written(eventstore(Embed::None), &source, &shape, 25, &events)).expect("JSON");
        assert_eq!(document["headOfStream"], head_of_stream, "{shape:?}");
        assert_eq!(document.get("selfUrl").is_some(), has_self_url, "{shape:?}");
        assert_eq!(document.get("eTag").is_some(), has_etag, "{shape:?}");

        let document: Value =
            serde_json::from_str(&written(eventstore(Embed::None), &Source::All, &shape, 25, &events)).expect("JSON");
        let is_asked_by_position = matches!(shape, Shape::Page(PageRequest { from: Place::Number(_), .. }));
        let in_all = head_of_stream && is_asked_by_position;
        assert_eq!(document["headOfStream"], in_all, "{shape:?}: in $all only by decimal positions");
        for absent in ["streamId", "selfUrl", "eTag"] {
            assert_eq!(document.get(absent), None, "{absent} in $all");
        }
    }
}
