//! Events that are hard to write: what the property tests of both directions draw from.

use bytes::Bytes;
use proptest::prelude::*;
use uuid::Uuid;

use crate::event::{
    Content, Digest, Event, EventId, EventType, Life, MediaType, Number, Position, StreamName, Timestamp,
};

/// Any JSON, written in odd but correct ways.
pub(crate) fn any_json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_string()),
        any::<f64>().prop_filter("JSON has no other numbers", |n| n.is_finite()).prop_map(|n| format!("{n:e}")),
        any::<String>().prop_map(|text| serde_json::json!(text).to_string()),
        Just("\"\\ud83e\\udd80\\u0000\\/\"".to_string()),
        Just("123456789012345678901234567890.5".to_string()),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|values| format!("[ {} ]", values.join(" ,\n"))),
            prop::collection::vec((any::<String>(), inner), 0..4).prop_map(|members| {
                let members: Vec<_> =
                    members.iter().map(|(name, value)| format!("{} :\t{value}", serde_json::json!(name))).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

/// What can be the name of a stream or a type, with everything in it that documents have to escape.
pub(crate) fn any_name() -> impl Strategy<Value = String> {
    prop_oneof!["[^\\p{C}/.]{1,20}", "[-\"\\\\'<>&%$@?# é\u{2028}]{1,10}"]
}

/// JSON, text and bytes that are neither, also some that are not what their media type says.
fn any_content() -> impl Strategy<Value = Content> {
    let media_type =
        prop::sample::select(vec!["application/json", "application/vnd.shop+json; v=\"2\"", "text/plain", "image/png"]);
    let data = prop_oneof![
        3 => any_json().prop_map(String::into_bytes),
        1 => any::<String>().prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ];
    (media_type, data, prop::option::of(any_json())).prop_map(|(media_type, data, metadata)| Content {
        media_type: MediaType::parse(media_type).expect("a media type"),
        data: data.into(),
        metadata: metadata.map(Bytes::from),
    })
}

/// Any event that a store could hold.
pub(crate) fn any_event() -> impl Strategy<Value = Event> {
    let place = (0_u64..=i64::MAX as u64, 0_u64..=i64::MAX as u64, any::<i64>(), 1_u128..);
    (any_name(), any_name(), place, prop::option::weighted(0.9, any_content())).prop_map(
        |(stream, event_type, (number, position, time, id), content)| Event {
            stream: StreamName::parse(&stream).expect("a name"),
            number: Number::new(number).expect("in range"),
            position: Position::new(position).expect("in range"),
            life: Life(0),
            time: Timestamp::from_micros(time),
            id: EventId::new(Uuid::from_u128(id)).expect("not nil"),
            event_type: EventType::parse(&event_type).expect("a type"),
            digest: Digest([0; 16]),
            content,
            kept_correlation: None,
        },
    )
}
