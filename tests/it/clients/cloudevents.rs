//! The CloudEvents SDK for Python: what it sends in any mode is kept without loss, and every event is one to it.

use serde_json::{Value, json};

use super::{Client, Place};

/// Attributes and data of events of every kind that there is: JSON, text and bytes, with and without the optional
/// attributes, with an id that is no UUID, with an extension.
fn events() -> [(Value, Value); 4] {
    [
        (
            json!({
                "specversion": "1.0",
                "id": "0190c6a4-7b1e-7f5e-9a52-000000000001",
                "source": "https://shop.example.org/orders",
                "type": "org.example.OrderPlaced",
                "subject": "orders/4711",
                "time": "2026-01-02T03:04:05.678901+00:00",
                "datacontenttype": "application/json",
                "dataschema": "https://shop.example.org/schema",
                "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            }),
            json!({"order": 4711, "name": "Zoë 🦀"}),
        ),
        (
            json!({
                "specversion": "1.0",
                "id": "order 4712, Zoë",
                "source": "/shop",
                "type": "t",
                "time": "2026-01-02T03:04:05+00:00",
                "datacontenttype": "text/plain",
            }),
            json!("5 < 6 & Zoë"),
        ),
        (
            json!({
                "specversion": "1.0",
                "id": "3",
                "source": "/shop",
                "type": "t",
                "time": "2026-01-02T03:04:05+00:00",
                "datacontenttype": "application/octet-stream",
            }),
            json!([0, 1, 254, 255]),
        ),
        (
            json!({
                "specversion": "1.0",
                "id": "4",
                "source": "/shop",
                "type": "without data",
                "time": "2026-01-02T03:04:05+00:00",
            }),
            Value::Null,
        ),
    ]
}

/// All that was sent is there; what the server adds of its own does no harm.
#[track_caller]
fn assert_came_back(read: &Value, (attributes, data): &(Value, Value)) {
    for (name, value) in attributes.as_object().expect("an object") {
        assert_eq!(&read["attributes"][name], value, "{name}: {read}");
    }
    assert_eq!(&read["data"], data, "{read}");
}

#[test]
fn what_it_sends_in_any_mode_comes_back_without_loss() {
    let place = Place::start();
    let url = |mode: &str| place.url(&format!("/streams/{mode}"));
    let mut calls = Vec::new();
    for mode in ["binary", "structured"] {
        calls.extend(events().map(|(attributes, data)| json!(["send", mode, url(mode), attributes, data])));
    }
    calls.push(json!(["send_batch", url("batch"), events()]));
    for answer in Client::Cloudevents.run(&place.server, &Value::from(calls)) {
        assert_eq!(answer["status"], 201, "{answer}");
    }

    for mode in ["binary", "structured", "batch"] {
        let mut calls = vec![json!(["read_batch", url(mode)])];
        calls.extend((0..4).map(|number| json!(["read", url(mode) + &format!("/{number}")])));
        let answers = Client::Cloudevents.run(&place.server, &Value::from(calls));
        for ((number, sent), alone) in events().iter().enumerate().zip(&answers[1..]) {
            assert_came_back(alone, sent);
            assert_eq!(&answers[0][number], alone, "the same in a page as on its own: {mode}");
        }
    }
}

#[test]
fn what_it_sends_twice_is_written_once() {
    let place = Place::start();
    let calls =
        events().map(|(attributes, data)| json!(["send", "structured", place.url("/streams/s"), attributes, data]));
    let twice: Value = calls.iter().chain(&calls).cloned().collect();
    let answers = Client::Cloudevents.run(&place.server, &twice);
    for (first, second) in answers[..4].iter().zip(&answers[4..]) {
        assert_eq!(second["headers"]["everfeed-repeat"], "true", "{second}");
        assert_eq!(first["headers"]["location"], second["headers"]["location"]);
    }
    assert_eq!(place.server.events(), 4);
}

#[test]
fn an_event_of_any_origin_is_one_to_it() {
    let place = Place::start();
    let sent: [(&str, &str, &[u8]); 5] = [
        ("application/json", "OrderPlaced", b"{\"order\":4711}"),
        ("application/json", "a \"type\" of <Zoë>", b"[]"),
        ("text/plain; charset=utf-8", "t", b"5 < 6"),
        ("application/octet-stream", "t", b"\x00\xff"),
        ("application/vnd.example+json", "t", b"{\"a\":null}"),
    ];
    for (media_type, event_type, data) in sent {
        place.append("/streams/a%3Cb%3E%20%26%20%C3%BC", media_type, event_type, data);
    }
    for page in ["/streams/a%3Cb%3E%20%26%20%C3%BC", "/streams/$all"] {
        let read = &Client::Cloudevents.run(&place.server, &json!([["read_batch", place.url(page)]]))[0];
        let read = read.as_array().expect("an array");
        assert_eq!(read.len(), sent.len());
        for (event, (media_type, event_type, _)) in read.iter().zip(sent) {
            assert_eq!(
                (&event["attributes"]["type"], &event["attributes"]["datacontenttype"]),
                (&json!(event_type), &json!(media_type))
            );
        }
        let data = [json!({"order": 4711}), json!([]), json!("5 < 6"), json!([0, 255]), json!({"a": null})];
        assert_eq!(read.iter().map(|event| event["data"].clone()).collect::<Vec<_>>(), data);
    }
}
