//! Golden CloudEvents and lines, in `tests/data/cloudevents/` and `tests/data/ndjson/`.

use super::golden::{check_golden_in, event, kinds};
use super::{page, stream, written, written_entry};
use crate::address::{Direction, Place};
use crate::event::{Event, Number, Source};
use crate::feed::Representation;

/// Events of every kind that these forms write differently, oldest first.
fn events() -> Vec<Event> {
    let came_in = r#"{"cloudevent":{"specversion":"1.0","source":"/shop","id":"order-1","time":"2026-11-23T10:30:00+01:00","subject":"4711","priority":5,"urgent":true,"data":"text"}}"#;
    let lines = b"{\n\"total\": 1\n}";
    let mut events = kinds();
    events.extend([
        event("a b/\"\u{E9}\"", 6, "Lines", "application/json", lines, Some("{\n}")),
        event("orders", 7, "com.shop.placed", "application/xml", b"<a>\n</a>", Some(came_in)),
        event("orders", 8, "Empty", "text/plain", b"", None),
        Event {
            content: None,
            kept_correlation: Some("c-1".into()),
            ..event("orders", 9, "com.shop.placed", "application/json", b"{}", None)
        },
    ]);
    events
}

#[test]
fn cloudevents_are_written_as_they_always_were() {
    check("cloudevents", Representation::CloudEvents, "batch.json");
    assert_eq!(empty(Representation::CloudEvents), "[]");
}

#[test]
fn lines_are_written_as_they_always_were() {
    check("ndjson", Representation::Ndjson, "page.ndjson");
    assert_eq!(empty(Representation::Ndjson), "");
}

/// The page is the stored one, and each event alone is what stands for it in the page.
fn check(folder: &str, representation: Representation, name: &str) {
    let source = Source::Stream(stream("orders"));
    let shape = page(Place::Number(Number::ZERO), Direction::Forward, 10);
    let document = written(representation, &source, &shape, 10, &events());
    check_golden_in(folder, name, &document);
    for event in events() {
        let alone = written_entry(representation, &event);
        assert!(document.contains(&alone), "{alone}");
    }
}

fn empty(representation: Representation) -> String {
    let shape = page(Place::Number(9.into()), Direction::Forward, 10);
    written(representation, &Source::All, &shape, 9, &[])
}
