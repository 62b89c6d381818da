//! CloudEvents: each comes out as it came in, and so does every other event as one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::super::{BodyFault, BodyFormat};
use super::{cloudevent, is_sound, read, stored, written};
use crate::event::{EventId, MediaType, NewEvent};
use crate::feed::Representation;
use crate::feed::tests_support::{any_event, any_json, any_name};

/// What comes out for what came in.
fn again(body: &Value) -> Value {
    let event = stored(cloudevent(body).unwrap_or_else(|error| panic!("{error}: {body}")));
    serde_json::from_slice(&written(Representation::CloudEvents, &event)).expect("JSON")
}

fn metadata(event: &NewEvent) -> &str {
    std::str::from_utf8(event.content.metadata.as_deref().unwrap_or_default()).expect("UTF-8")
}

#[test]
fn a_cloudevent_becomes_an_event_that_keeps_what_it_does_not_say_itself() {
    let body = r#"{"specversion":"1.0","type":"com.shop.placed","source":"/shop","id":"order-1","time":"2026-11-24T18:30:00+01:00",
        "datacontenttype":"application/json","subject":"4711","priority":5,"urgent":true,"gone":null,"data": {"total" : 1.10e2} }"#;
    let event = &read(&BodyFormat::CloudEvent, body.as_bytes()).expect("a CloudEvent")[0];
    assert_eq!(event.event_type.as_str(), "com.shop.placed");
    assert_eq!((event.id, event.id_is_fresh), (EventId::from_cloudevent("/shop", "order-1"), false));
    assert_eq!(event.content.media_type, MediaType::json());
    assert_eq!(&event.content.data[..], br#"{"total" : 1.10e2}"#, "byte for byte");
    assert_eq!(
        metadata(event),
        r#"{"cloudevent":{"specversion":"1.0","source":"/shop","id":"order-1","time":"2026-11-24T18:30:00+01:00","subject":"4711","priority":5,"urgent":true}}"#
    );
    let smallest =
        json!({"specversion": "1.0", "id": "0190c6a4-7b1e-7f5e-9a52-1f6f2d3c4b5a", "source": "a", "type": "t"});
    let event = cloudevent(&smallest).expect("a CloudEvent");
    assert_eq!(event.id.to_string(), "0190c6a4-7b1e-7f5e-9a52-1f6f2d3c4b5a");
    assert_eq!(&event.content.data[..], b"null");
    let kept = r#"{"cloudevent":{"specversion":"1.0","source":"a","datacontenttype":null,"data":"absent"}}"#;
    assert_eq!(metadata(&event), kept);
}

#[test]
fn every_form_of_data_comes_out_as_it_came_in() {
    let with = |members: Value| {
        let mut event = json!({"specversion": "1.0", "id": "1", "source": "/s", "type": "t"});
        let more = members.as_object().expect("members").clone();
        event.as_object_mut().expect("an object").extend(more);
        event
    };
    for members in [
        json!({}),
        json!({"datacontenttype": "application/json"}),
        json!({"datacontenttype": "text/plain"}),
        json!({"data": null}),
        json!({"data": "a string", "datacontenttype": "application/vnd.shop+json"}),
        json!({"data": "<a/>", "datacontenttype": "application/xml"}),
        json!({"data": "text \u{1F980}\n", "datacontenttype": "text/plain; charset=UTF-8"}),
        json!({"data": "", "datacontenttype": "text/plain"}),
        json!({"data_base64": "dGV4dA==", "datacontenttype": "text/plain"}),
        json!({"data_base64": "e30=", "datacontenttype": "application/json"}),
        json!({"data_base64": "/9k="}),
        json!({"data_base64": "", "datacontenttype": "image/png"}),
        json!({"data_base64": "6Q==", "datacontenttype": "text/plain; charset=iso-8859-1"}),
        json!({"datacontenttype": " text/plain "}),
        json!({"id": "0190C6A4-7B1E-7F5E-9A52-1F6F2D3C4B5A"}),
    ] {
        let sent = with(members);
        assert_eq!(again(&sent), sent);
    }
}

/// Every way in which a CloudEvent can be wrong beyond its attributes, each with the sentence that its sender reads.
#[test]
fn what_is_no_cloudevent_says_what_and_where() {
    let refused = [
        ("1", "a CloudEvent is an object, with its attributes and its data as members (line 1, column 1)"),
        (
            r#"{"specversion":"1.0","id":"1","type":"t"}"#,
            "a CloudEvent has an attribute source, and this one has none (line 1, column 1)",
        ),
        (
            "{\"specversion\":\"1.0\",\n\"id\":\"1\",\"source\":\"/s\",\"type\":null}",
            "a CloudEvent has an attribute type, and this one has none (line 1, column 1)",
        ),
        ("{\"specversion\":\n\"0.3\"}", "specversion is \"1.0\", not \"0.3\" (line 2, column 1)"),
        ("{\"id\":[1,{}]}", "id is a string that is not empty, without control characters (line 1, column 7)"),
        (
            "{\"myExt\":1}",
            "\"myExt\" is no name of an attribute; names consist of the letters a to z and digits (line 1, column 10)",
        ),
        ("{\"id\":\"1\",\"id\":\"1\"}", "id stands twice in one CloudEvent (line 1, column 16)"),
        ("{\"data\":1,\"data\":1}", "data stands twice in one event (line 1, column 11)"),
        (
            "{\"data\":1,\"data_base64\":\"\"}",
            "the event has both data and data_base64; one of the two says it (line 1, column 25)",
        ),
        ("{\"data_base64\":1}", "data_base64 is a string (line 1, column 16)"),
        ("{\"data_base64\":\"a\"}", "data_base64 is base64, with `=` at its end where that is due (line 1, column 16)"),
        (
            "{\"datacontenttype\":\"text/plain\",\"data\":{}}",
            "data of the media type text/plain is a string if it is text in UTF-8; anything else goes in data_base64 (line 1, column 40)",
        ),
        (
            "{\"data\":\"x\",\"datacontenttype\":\"text/plain; charset=latin1\"}",
            "data of the media type text/plain; charset=latin1 is a string if it is text in UTF-8; anything else goes in data_base64 (line 1, column 9)",
        ),
        (
            r#"{"specversion":"1.0","id":"1","source":"/s","type":"t","datacontenttype":"application/json","data_base64":"fQ=="}"#,
            "the body is not the JSON that its media type says: a JSON value should stand here (line 1, column 1)",
        ),
        (
            r#"{"specversion":"1.0","id":"1","source":"/s","type":"t","datacontenttype":"a/b+json; charset=x","data":1}"#,
            "JSON is kept in UTF-8; its media type has no charset, or charset=utf-8, and not charset=x (line 1, column 1)",
        ),
        ("{} {}", "a CloudEvent has an attribute specversion, and this one has none (line 1, column 1)"),
    ];
    for (body, sentence) in refused {
        let error = read(&BodyFormat::CloudEvent, body.as_bytes()).expect_err(body);
        assert_eq!(error.to_string(), sentence);
    }
    let batch = br#"[{"specversion":"1.0","id":"1","source":"/s","type":"t"},{}]"#;
    let error = read(&BodyFormat::CloudEvents, batch).expect_err("the second is none");
    assert_eq!(error.index, Some(1));
    assert_eq!(read(&BodyFormat::CloudEvents, b"[]").expect_err("empty").fault, BodyFault::NoEvents);
}

/// Metadata are free text, and anybody can write what looks like a CloudEvent.
#[test]
fn metadata_that_would_make_no_cloudevent_make_none() {
    let genuine = cloudevent(&json!({"specversion": "1.0", "id": "1", "source": "/s", "type": "t", "data": {}}));
    let genuine = genuine.expect("a CloudEvent");
    for forged in [
        r#"{"cloudevent":{}}"#,
        r#"{"cloudevent":7}"#,
        r#"{"cloudevent":{"specversion":"1.0","source":"a b"}}"#,
        r#"{"cloudevent":{"specversion":"1.0","source":"/s","type":"other"}}"#,
        r#"{"cloudevent":{"specversion":"1.0","source":"/s","data":"absent"}}"#,
        r#"{"cloudevent":{"specversion":"1.0","source":"/s","data":"text"}}"#,
        r#"{"cloudevent":{"specversion":"1.0","source":"/s","data":{}}}"#,
        r#"{"cloudevent":{"specversion":"1.0","source":"/s","datacontenttype":"text/plain"}}"#,
        r#"{"cloudevent":{"specversion":"1.0","source":"/s","Name":1}}"#,
        r#"{"cloudevent":{"specversion":"1.0","source":"/s","ext":{}}}"#,
    ] {
        let mut event = stored(genuine.clone());
        event.content.as_mut().expect("it has some").metadata = Some(Bytes::from_static(forged.as_bytes()));
        let written: Value = serde_json::from_slice(&written(Representation::CloudEvents, &event)).expect("JSON");
        assert_eq!(written["source"], "/streams/s", "{forged}");
        assert_eq!(written["evfmetadata"], forged);
        assert_eq!(cloudevent(&written).map(drop), Ok(()), "{written}");
    }
}

/// Any CloudEvent, with every kind of attribute and of data.
pub(super) fn any_cloudevent() -> impl Strategy<Value = Value> {
    let text = "[^\\p{C}]{1,12}";
    let extension = prop_oneof![
        text.prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from)
    ];
    let id = prop_oneof![text.prop_map(String::from), any::<u128>().prop_map(|id| Uuid::from_u128(id).to_string())];
    let required = (id, "[a-z:/?#%._-]{1,12}", any_name());
    let optional = (
        prop::option::of(text),
        prop::option::of(Just("2026-11-24T18:30:00.5-07:00")),
        prop::option::of(Just("https://shop.example/schema#1")),
        prop::collection::btree_map("x[a-z0-9]{1,8}", extension, 0..4),
    );
    let json = any_json().prop_map(|json| serde_json::from_str(&json).unwrap_or(Value::Null));
    let data = prop_oneof![
        Just(json!({})),
        (json, prop::option::of(Just("application/vnd.shop+json; v=\"2\"")))
            .prop_map(|(data, media_type)| json!({"data": data, "datacontenttype": media_type})),
        (any::<String>(), prop::sample::select(vec!["text/html", "application/xml", "image/svg+xml; charset=utf-8"]))
            .prop_map(|(data, media_type)| json!({"data": data, "datacontenttype": media_type})),
        (
            prop::collection::vec(any::<u8>(), 0..20),
            prop::option::of(prop::sample::select(vec!["text/html", "image/png"]))
        )
            .prop_map(
                |(data, media_type)| json!({"data_base64": STANDARD.encode(&data), "datacontenttype": media_type})
            ),
        Just(json!({"data_base64": STANDARD.encode(b" {} "), "datacontenttype": "application/json"})),
    ];
    (required, optional, data).prop_map(|((id, source, event_type), (subject, time, dataschema, extensions), data)| {
        let mut event = Map::new();
        for (name, value) in [
            ("specversion", json!("1.0")),
            ("id", json!(id)),
            ("source", json!(source)),
            ("type", json!(event_type)),
            ("subject", json!(subject)),
            ("time", json!(time)),
            ("dataschema", json!(dataschema)),
        ] {
            event.insert(name.to_string(), value);
        }
        event.extend(extensions);
        event.extend(data.as_object().expect("members").clone());
        let is_data = |name: &str| name.starts_with("data") && !name.starts_with("datac") && !name.starts_with("datas");
        event.retain(|name, value| !value.is_null() || is_data(name));
        Value::Object(event)
    })
}

proptest! {
    #[test]
    fn whatever_came_in_as_a_cloudevent_goes_out_as_the_same(sent in any_cloudevent()) {
        // Numbers are read as the judge reads them.
        let judged: Value = serde_json::from_str(&sent.to_string()).expect("JSON");
        prop_assert_eq!(again(&sent), judged);
        let batch = read(&BodyFormat::CloudEvents, json!([sent]).to_string().as_bytes());
        prop_assert_eq!(batch.map(|events| events[0].clone()).map_err(|error| error.to_string()), cloudevent(&sent));
    }

    #[test]
    fn every_event_goes_out_as_a_cloudevent_that_can_come_in_elsewhere_with_the_same_data(event in any_event()) {
        let body = written(Representation::CloudEvents, &event);
        let written: Value = serde_json::from_slice(&body).expect("JSON");
        prop_assert_eq!(&written["evfnumber"], &json!(event.number.to_string()));
        prop_assert_eq!(&written["evfposition"], &json!(event.position.to_string()));
        prop_assert_eq!(&written["evfstream"], event.stream.as_str());
        prop_assert_eq!(written.get("evfremoved").is_some(), event.content.is_none());
        if event.content.is_some() && !is_sound(&event) {
            return Ok(());
        }
        let elsewhere = &read(&BodyFormat::CloudEvent, &body).expect("a CloudEvent")[0];
        prop_assert_eq!(elsewhere.id, event.id);
        prop_assert_eq!(&elsewhere.event_type, &event.event_type);
        if let Some(content) = &event.content {
            prop_assert_eq!(&elsewhere.content.media_type, &content.media_type);
            let is_json = content.media_type.is_json();
            let data = if is_json { content.data.trim_ascii() } else { &content.data };
            prop_assert_eq!(&elsewhere.content.data[..], data);
        }
    }
}
