use bytes::Bytes;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::event::limits::{BATCH_EVENTS_MAX, JSON_DEPTH_MAX};
use crate::event::{InvalidName, NilEventId};
use crate::feed::tests_support::{any_json, any_name};

/// Ids made by the server: 1, 2, 3, ….
fn made(count: u128) -> EventId {
    EventId::new(Uuid::from_u128(count)).expect("not nil")
}

fn read(format: &BodyFormat, body: &[u8], heading: &Heading) -> Result<Vec<NewEvent>, UnreadableBody> {
    let mut count = 0;
    let mut new_id = || {
        count += 1;
        made(count)
    };
    events(format, Bytes::copy_from_slice(body), heading, &mut new_id)
}

fn batch(body: &str) -> Result<Vec<NewEvent>, UnreadableBody> {
    read(&BodyFormat::Batch, body.as_bytes(), &Heading::default())
}

fn opaque(media_type: &str, body: &[u8], heading: &Heading) -> Result<NewEvent, UnreadableBody> {
    let format = body_format(Some(media_type)).expect("a type that is taken");
    read(&format, body, heading).map(|events| events.into_iter().next().expect("one event"))
}

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

#[test]
fn a_batch_is_kept_byte_for_byte() {
    let body = r#" [
        {"eventId": "fbf4a1a1-b4a3-4dfe-a01f-ec52c34e16e4", "eventType": "OrderPlaced",
         "data": { "total" : 1.10e2, "n": 12345678901234567890123, "total": 2, "\u00e9": "\/" }, "metadata": {"by": "é"}},
        {"EVENTTYPE": "\u0041", "eventid": null, "Data": "{\"a\":1}", "MetaData": "", "isJson": [1, {"x": 2}]},
        {"eventType": "B", "data": -0.0, "metadata": null},
        {"eventType": "C", "metadata": [ ]}
    ] "#;
    let events = batch(body).expect("a batch");
    let told: Vec<_> = events
        .iter()
        .map(|event| {
            let content = &event.content;
            assert_eq!(content.media_type, MediaType::json());
            (event.event_type.as_str(), event.id, event.id_is_fresh, content.data.clone(), content.metadata.clone())
        })
        .collect();
    let given = EventId::new(Uuid::from_u128(0xfbf4a1a1_b4a3_4dfe_a01f_ec52c34e16e4)).expect("not nil");
    let first = r#"{ "total" : 1.10e2, "n": 12345678901234567890123, "total": 2, "\u00e9": "\/" }"#;
    assert_eq!(
        told,
        [
            ("OrderPlaced", given, false, bytes(first), Some(bytes(r#"{"by": "é"}"#))),
            ("A", made(1), true, bytes(r#""{\"a\":1}""#), None),
            ("B", made(2), true, bytes("-0.0"), None),
            ("C", made(3), true, bytes("null"), Some(bytes("[ ]"))),
        ]
    );
}

#[test]
fn data_and_metadata_are_slices_of_the_body() {
    let body = bytes(r#"[{"eventType":"t","data":{"a":1},"metadata":{"b":2}}]"#);
    let events = events(&BodyFormat::Batch, body.clone(), &Heading::default(), &mut || made(1)).expect("a batch");
    let content = &events[0].content;
    for part in [&content.data, content.metadata.as_ref().expect("it has some")] {
        assert!(body.as_ptr_range().contains(&part.as_ptr()), "not copied");
    }
}

/// Every way in which a batch can be wrong, each with the sentence that the producer reads.
#[test]
fn a_batch_that_is_wrong_says_what_and_where() {
    let refused = [
        (
            "",
            "the body is not the JSON that its media type says: it ends where a JSON value should stand (line 1, column 1)",
        ),
        (
            "[{\"eventType\":\"t\",\n \"é\": tru}]",
            "the body is not the JSON that its media type says: a JSON value should stand here (line 2, column 7, in the event at index 0)",
        ),
        (
            "[{\"eventType\":\"t\"} {",
            "the body is not the JSON that its media type says: `,` or `]` should stand here (line 1, column 20)",
        ),
        (
            "[{\"eventType\":\"t\"}] []",
            "the body is not the JSON that its media type says: the end of the JSON should stand here (line 1, column 21)",
        ),
        (
            "[{'eventType':'t'}]",
            "the body is not the JSON that its media type says: a name in double quotes should stand here (line 1, column 3, in the event at index 0)",
        ),
        (
            " {\"eventType\":\"t\"}",
            "the body is not an array; a batch is a JSON array of events, also when it is only one: [{…}] (line 1, column 2)",
        ),
        ("[]", "the batch is empty; an append has at least one event (line 1, column 1)"),
        (
            "[{\"eventType\":\"t\"},\n1]",
            "an event in a batch is an object with eventId, eventType, data and metadata (line 2, column 1, in the event at index 1)",
        ),
        ("[{}]", "the event has no eventType (line 1, column 2, in the event at index 0)"),
        ("[{\"eventType\":null}]", "the event has no eventType (line 1, column 2, in the event at index 0)"),
        ("[{\"eventType\":\"\"}]", "the event has no eventType (line 1, column 2, in the event at index 0)"),
        ("[{\"eventType\":1}]", "eventType is a string (line 1, column 15, in the event at index 0)"),
        (
            "[{\"eventType\":\"a\\u0000\"}]",
            "eventType cannot be that text: it holds the control character U+0000 (line 1, column 15, in the event at index 0)",
        ),
        (
            "[{\"eventType\":\"t\",\"data\":1,\"DATA\":2}]",
            "data stands twice in one event (line 1, column 28, in the event at index 0)",
        ),
        ("[{\"eventType\":\"t\",\"eventId\":7}]", "eventId is a string (line 1, column 29, in the event at index 0)"),
        (
            "[{\"eventType\":\"t\",\"eventId\":\"\"}]",
            "eventId is a UUID, such as 0190c6a4-7b1e-7f5e-9a52-1f6f2d3c4b5a (line 1, column 29, in the event at index 0)",
        ),
        (
            "[{\"eventType\":\"t\",\"eventId\":\"00000000-0000-0000-0000-000000000000\"}]",
            "eventId cannot be that one: the nil UUID (all zeros) is no event id (line 1, column 29, in the event at index 0)",
        ),
    ];
    for (body, sentence) in refused {
        let error = batch(body).expect_err(body);
        assert_eq!(error.to_string(), sentence);
        assert!(!error.is_too_large());
    }
    let not_utf8 = read(&BodyFormat::Batch, b"[\n{\"\xff\":1}]", &Heading::default()).expect_err("not UTF-8");
    assert_eq!(not_utf8.fault, BodyFault::NotJson(crate::feed::json::NotJson::NotUtf8));
    assert_eq!(not_utf8.place, Some(BodyPlace { line: 2, column: 3 }));
}

#[test]
fn a_batch_has_at_most_10_000_events_of_4_mib() {
    let of = |count: usize| format!("[{}]", vec![r#"{"eventType":"t"}"#; count].join(","));
    assert_eq!(batch(&of(BATCH_EVENTS_MAX)).map(|events| events.len()), Ok(BATCH_EVENTS_MAX));
    let error = batch(&of(BATCH_EVENTS_MAX + 1)).expect_err("one too many");
    assert_eq!(error.fault, BodyFault::TooManyEvents);
    assert!(error.is_too_large());

    let sized = |data: usize| format!(r#"[{{"eventType":"t","data":"{}","metadata":[]}}]"#, "x".repeat(data - 4));
    assert!(batch(&sized(EVENT_BYTES_MAX)).is_ok());
    let error = batch(&sized(EVENT_BYTES_MAX + 1)).expect_err("one byte too many");
    assert_eq!((error.fault.clone(), error.index), (BodyFault::EventTooLarge { bytes: EVENT_BYTES_MAX + 1 }, Some(0)));
    assert!(error.is_too_large());
}

#[test]
fn data_in_a_batch_may_be_128_deep() {
    let nested = |depth| format!(r#"[{{"eventType":"t","data":{}{}}}]"#, "[".repeat(depth), "]".repeat(depth));
    assert!(batch(&nested(JSON_DEPTH_MAX)).is_ok());
    let error = batch(&nested(JSON_DEPTH_MAX + 1)).expect_err("too deep");
    assert_eq!(error.fault, BodyFault::NotJson(crate::feed::json::NotJson::TooDeep));
}

#[test]
fn an_idempotency_key_gives_the_same_ids_each_time() {
    let heading = Heading { idempotency_key: Some(bytes("order-1")), ..Heading::default() };
    let body = br#"[{"eventType":"a","eventId":"00000000-0000-0000-0000-000000000009"},{"eventType":"b"}]"#;
    let ids: Vec<_> = read(&BodyFormat::Batch, body, &heading)
        .expect("a batch")
        .iter()
        .map(|event| (event.id, event.id_is_fresh))
        .collect();
    assert_eq!(ids, [(made(9), false), (EventId::from_idempotency_key(b"order-1", 1), false)]);

    let event = opaque("text/plain", b"x", &heading).expect("an event");
    assert_eq!((event.id, event.id_is_fresh), (EventId::from_idempotency_key(b"order-1", 0), false));
    let heading = Heading { event_id: Some(made(7)), ..heading };
    assert_eq!(opaque("text/plain", b"x", &heading).expect("an event").id, made(7), "an id says more than a key");
}

#[test]
fn a_body_of_any_other_type_is_one_event_as_sent() {
    let event_type = EventType::parse("Scanned").expect("a type");
    let heading = Heading { event_type: Some(event_type.clone()), ..Heading::default() };
    let event = opaque("image/png; x=y", b"\x89PNG\xff\0", &heading).expect("an event");
    assert_eq!(event.event_type, event_type);
    assert_eq!((event.id, event.id_is_fresh), (made(1), true));
    assert_eq!(event.content.media_type.as_str(), "image/png; x=y");
    assert_eq!(&event.content.data[..], b"\x89PNG\xff\0");
    assert_eq!(event.content.metadata, None);

    let unnamed = opaque("Application/JSON; charset=utf-8", b" {\"a\" : 1.0}\n", &Heading::default());
    let unnamed = unnamed.expect("an event");
    assert_eq!(unnamed.event_type.as_str(), "Application/JSON", "the media type stands in for a type");
    assert_eq!(&unnamed.content.data[..], b" {\"a\" : 1.0}\n");
}

#[test]
fn a_single_event_that_cannot_be_kept_is_refused() {
    let refused = [
        (
            "application/json",
            "",
            "the body is not the JSON that its media type says: it ends where a JSON value should stand (line 1, column 1)",
        ),
        (
            "application/vnd.shop+json",
            "{\n\"a\":}",
            "the body is not the JSON that its media type says: a JSON value should stand here (line 2, column 5)",
        ),
        (
            "application/..",
            "x",
            "without ES-EventType the media type is the event's type, and it cannot be: it has `.` or `..` as a part of its own, which proxies and clients rewrite",
        ),
    ];
    for (media_type, body, sentence) in refused {
        let error = opaque(media_type, body.as_bytes(), &Heading::default()).expect_err(media_type);
        assert_eq!(error.to_string(), sentence);
    }
    assert!(opaque("text/plain", b"", &Heading::default()).is_ok(), "other types may be empty");
    let large = opaque("text/plain", &vec![b'x'; EVENT_BYTES_MAX + 1], &Heading::default()).expect_err("too large");
    assert!(large.is_too_large() && large.place.is_none());
}

proptest! {
    #[test]
    fn whatever_json_is_sent_is_kept(
        sent in prop::collection::vec((any_name(), any_json(), prop::option::of(any_json())), 1..8),
    ) {
        let members: Vec<_> = sent
            .iter()
            .map(|(event_type, data, metadata)| {
                let metadata = metadata.as_ref().map_or(String::new(), |json| format!(",\"metadata\":{json}"));
                format!("{{\"data\": {data} {metadata}, \"eventType\":{}}}", serde_json::json!(event_type))
            })
            .collect();
        let read = batch(&format!("[{}]", members.join(","))).expect("a batch");
        prop_assert_eq!(read.len(), sent.len());
        for (event, (event_type, data, metadata)) in read.iter().zip(&sent) {
            prop_assert_eq!(event.event_type.as_str(), event_type);
            prop_assert_eq!(&event.content.data, &bytes(data));
            let kept = metadata.as_deref().filter(|metadata| !matches!(*metadata, "null" | "\"\""));
            prop_assert_eq!(event.content.metadata.clone(), kept.map(bytes));
        }
    }

    #[test]
    fn arbitrary_bodies_never_panic(
        body in prop::collection::vec(any::<u8>(), 0..80),
        start in prop::sample::select(vec!["", "[", "[{", "[{\"eventType\":\"t\",", "[{\"eventId\":\""]),
    ) {
        let body = [start.as_bytes(), &body].concat();
        for format in [BodyFormat::Batch, BodyFormat::Opaque(MediaType::json())] {
            if let Err(error) = read(&format, &body, &Heading::default()) {
                prop_assert!(!error.to_string().is_empty());
            }
        }
    }

    #[test]
    fn arbitrary_content_types_never_panic(content_type in any::<String>()) {
        for format in [body_format(Some(&content_type)), body_format_of_cloudevent(Some(&content_type))] {
            if let Err(error) = format {
                prop_assert!(!error.to_string().is_empty());
            }
        }
    }

    /// A batch that is cut anywhere, or has one byte changed, is refused or says something; it never panics.
    #[test]
    fn a_damaged_batch_is_no_panic(at in 0_usize..100, byte in any::<u8>(), cut in any::<bool>()) {
        let mut body = br#"[{"eventId":"fbf4a1a1-b4a3-4dfe-a01f-ec52c34e16e4","eventType":"\u0041","data":[1,{"a":"b"}]}]"#.to_vec();
        if cut {
            body.truncate(at.min(body.len() - 1));
            prop_assert!(read(&BodyFormat::Batch, &body, &Heading::default()).is_err(), "a part is no batch");
        } else if let Some(target) = body.get_mut(at) {
            *target = byte;
            if let Ok(events) = read(&BodyFormat::Batch, &body, &Heading::default()) {
                prop_assert_eq!(events.len(), 1);
            }
        }
    }
}

#[test]
fn names_are_checked_by_the_rules_for_names() {
    assert_eq!(
        batch(r#"[{"eventType":".."}]"#).map_err(|error| error.fault),
        Err(BodyFault::InvalidEventType("eventType", InvalidName::DotSegment))
    );
    assert_eq!(
        batch(r#"[{"eventType":"t","eventId":"{00000000-0000-0000-0000-000000000000}"}]"#).map_err(|error| error.fault),
        Err(BodyFault::NilEventId("eventId", NilEventId))
    );
}
