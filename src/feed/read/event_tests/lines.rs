//! Lines: what our pages hold is taken in as it was, and what is wrong is named by its line.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::{BodyFault, BodyFormat};
use super::{is_sound, read, written};
use crate::event::Content;
use crate::event::limits::BATCH_EVENTS_MAX;
use crate::feed::Representation;
use crate::feed::tests_support::any_event;

#[test]
fn lines_are_events_in_our_words_and_in_those_of_batches() {
    let body = concat!(
        "{\"stream\":\"s\",\"number\":7,\"position\":9,\"id\":\"00000000-0000-0000-0000-000000000009\",\"type\":\"A\",\"mediaType\":\"application/vnd.shop+json\",",
        "\"time\":\"2026-11-23T09:30:00.250000Z\",\"metadata\":{ \"by\" : 1},\"data\":{ \"n\" : 1.10e2}}\r\n",
        "\n \t\r\n",
        "{\"eventType\":\"B\",\"eventId\":null,\"data\":null,\"metadata\":\"\"}\n",
        "{\"type\":\"C\",\"mediaType\":\"text/plain\",\"data\":\"a\\nb\"}\n",
        "{\"type\":\"D\",\"mediaType\":\"image/png\",\"dataBase64\":\"/9k=\",\"metadataBase64\":\"Cnt9\"}",
    );
    let events = read(&BodyFormat::Lines, body.as_bytes()).expect("lines");
    let told: Vec<_> = events
        .iter()
        .map(|event| {
            let Content { media_type, data, metadata, .. } = &event.content;
            let id = event.id.uuid().as_u128();
            (event.event_type.as_str(), id, event.id_is_fresh, media_type.as_str(), &data[..], metadata.as_deref())
        })
        .collect();
    assert_eq!(
        told,
        [
            ("A", 9, false, "application/vnd.shop+json", &b"{ \"n\" : 1.10e2}"[..], Some(&b"{ \"by\" : 1}"[..])),
            ("B", 1, true, "application/json", b"null", None),
            ("C", 2, true, "text/plain", b"a\nb", None),
            ("D", 3, true, "image/png", b"\xFF\xD9", Some(b"\n{}")),
        ]
    );
}

#[test]
fn lines_that_are_wrong_are_named() {
    let refused = [
        ("", "the body has no lines; an append has at least one event"),
        (" \r\n\n", "the body has no lines; an append has at least one event"),
        (
            "{\"type\":\"t\",\"data\":1}\n{\"type\":\"t\",\"data\":}",
            "the body is not the JSON that its media type says: a JSON value should stand here (line 2, column 20, in the event at index 1)",
        ),
        (
            "{\"type\":\"t\",\"data\":1}{}",
            "the body is not the JSON that its media type says: the end of the JSON should stand here (line 1, column 22, in the event at index 0)",
        ),
        (
            "\n[]",
            "a line is an object with type and data, and perhaps id, mediaType and metadata (line 2, column 1, in the event at index 0)",
        ),
        ("{\"data\":1}", "the event has no type (line 1, column 1, in the event at index 0)"),
        ("{\"type\":7,\"data\":1}", "type is a string (line 1, column 9, in the event at index 0)"),
        (
            "{\"type\":\"..\",\"data\":1}",
            "type cannot be that text: it has `.` or `..` as a part of its own, which proxies and clients rewrite (line 1, column 9, in the event at index 0)",
        ),
        (
            "{\"type\":\"t\",\"eventType\":\"t\"}",
            "eventType stands twice in one event (line 1, column 13, in the event at index 0)",
        ),
        (
            "{\"type\":\"t\",\"removed\":true,\"digest\":\"00\"}",
            "the event has neither data nor dataBase64; one whose content was removed cannot be appended (line 1, column 1, in the event at index 0)",
        ),
        (
            "{\"type\":\"t\",\"id\":\"7\"}",
            "id is a UUID, such as 0190c6a4-7b1e-7f5e-9a52-1f6f2d3c4b5a (line 1, column 18, in the event at index 0)",
        ),
        (
            "{\"type\":\"t\",\"mediaType\":\"json\"}",
            "mediaType cannot be that text: it is not of the form `type/subtype; name=value` (line 1, column 25, in the event at index 0)",
        ),
        (
            "{\"type\":\"t\",\"mediaType\":\"application/json; charset=utf-16\"}",
            "JSON is kept in UTF-8; its media type has no charset, or charset=utf-8, and not charset=utf-16 (line 1, column 25, in the event at index 0)",
        ),
        (
            "{\"type\":\"t\",\"mediaType\":\"text/plain; charset=latin1\",\"data\":\"\"}",
            "data of the media type text/plain; charset=latin1 is a string if it is text in UTF-8; anything else goes in dataBase64 (line 1, column 61, in the event at index 0)",
        ),
        (
            "{\"type\":\"t\",\"data\":1,\"dataBase64\":\"\"}",
            "the event has both data and dataBase64; one of the two says it (line 1, column 35, in the event at index 0)",
        ),
        (
            "{\"type\":\"t\",\"dataBase64\":\"Zg\"}",
            "dataBase64 is base64, with `=` at its end where that is due (line 1, column 26, in the event at index 0)",
        ),
        (
            "{\"type\":\"t\",\"dataBase64\":\"Zg==\"}",
            "the body is not the JSON that its media type says: a JSON value should stand here (line 1, column 26, in the event at index 0)",
        ),
        (
            "{\"type\":\"t\",\"mediaType\":\"text/plain\",\"data\":7}",
            "data of the media type text/plain is a string if it is text in UTF-8; anything else goes in dataBase64 (line 1, column 45, in the event at index 0)",
        ),
    ];
    for (body, sentence) in refused {
        let error = read(&BodyFormat::Lines, body.as_bytes()).expect_err(body);
        assert_eq!(error.to_string(), sentence);
    }
    let many = "{\"type\":\"t\",\"data\":1}\n".repeat(BATCH_EVENTS_MAX);
    assert_eq!(read(&BodyFormat::Lines, many.as_bytes()).map(|events| events.len()), Ok(BATCH_EVENTS_MAX));
    let error = read(&BodyFormat::Lines, format!("{many}{{}}").as_bytes()).expect_err("one too many");
    assert_eq!((error.fault, error.place.map(|place| place.line)), (BodyFault::TooManyEvents, Some(10_001)));
}

proptest! {
    #[test]
    fn whatever_an_event_holds_its_line_gives_it_back(events in prop::collection::vec(any_event().prop_filter("sound", is_sound), 1..5)) {
        let lines: Vec<u8> = events.iter().flat_map(|event| written(Representation::Ndjson, event)).collect();
        let parsed: Vec<Value> = lines
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).expect("JSON"))
            .collect();
        let read = read(&BodyFormat::Lines, &lines).expect("lines of ours");
        prop_assert_eq!((read.len(), parsed.len()), (events.len(), events.len()), "each is one line");
        for ((read, parsed), event) in read.iter().zip(&parsed).zip(&events) {
            prop_assert_eq!((read.id, read.id_is_fresh), (event.id, false));
            prop_assert_eq!(&read.event_type, &event.event_type);
            prop_assert_eq!(Some(&read.content), event.content.as_ref());
            prop_assert_eq!(&parsed["stream"], event.stream.as_str());
            prop_assert_eq!(&parsed["number"], event.number.get());
            prop_assert_eq!(&parsed["position"], event.position.get());
            prop_assert_eq!(&parsed["time"], &json!(event.time.to_string()));
        }
    }
}
