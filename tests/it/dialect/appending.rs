//! What EventStore's clients send.

use serde_json::json;

use super::{FAMILIES, Place, check_created, check_version, events, id};

#[test]
fn a_batch_is_found_at_its_first_event() {
    let place = Place::start();
    for family in FAMILIES {
        let path = format!("/streams/batch-{}", family.media);
        check_created(&place.post_batch(&path, family, &events(1)), "/0");
        let two = json!([
            {"eventId": id(11), "eventType": "a", "data": {"which": "first"}},
            {"eventId": id(12), "eventType": "b", "data": "second", "metadata": {"by": "me"}},
        ]);
        let reply = place.post_batch(&path, family, &two);
        check_created(&reply, "/1");
        assert_eq!(place.get(&place.location(&reply), "application/json").json(), json!({"which": "first"}));
        assert_eq!(place.get(&format!("{path}/2"), "application/json").text(), "\"second\"");

        let refused = place.post_batch(&path, family, &json!([{"eventId": id(13), "data": {}}]));
        assert_eq!(refused.status, 400, "no eventType: {}", refused.text());
        let refused = place.post(&path, &[("Content-Type", &family.media_type("events+json"))], "");
        assert_eq!(refused.status, 400, "no body: {}", refused.text());
        assert_eq!(place.count(&path), 3);
    }
}

#[test]
fn incoming_takes_one_event_and_no_batch() {
    let place = Place::start();
    for family in FAMILIES {
        let path = format!("/streams/incoming-{}", family.media);
        let incoming = format!("{path}/incoming/{}", id(1));
        assert_eq!(place.post_batch(&incoming, family, &events(1)).status, 415);
        let reply = place.append(&incoming, family, &[]);
        check_created(&reply, "/0");
        assert_eq!(place.get(&place.location(&reply), "application/json").text(), "{\"a\":1}");
        assert_eq!(place.post(&format!("{path}/incoming/nonsense"), &[], "{}").status, 400);
    }
}

#[test]
fn bytes_of_any_kind_come_back_as_they_were() {
    let place = Place::start();
    let png = b"\x89PNG\r\n\x1a\n\0\xff\xfe";
    let reply = place.server.post("/streams/images", &[("Content-Type", "image/png"), ("ES-EventType", "t")], png);
    check_created(&reply, "/0");
    let reply = place.get("/streams/images/0/data", "*/*");
    assert_eq!((reply.header("content-type"), &reply.body[..]), (Some("image/png"), &png[..]));
    assert_eq!(place.get("/streams/images/0", "application/json").status, 406, "it is no JSON");
}

#[test]
fn a_slash_at_the_end_leads_to_the_stream() {
    let place = Place::start();
    place.post_batch("/streams/slash", FAMILIES[0], &events(1));
    let post = place.post("/streams/slash/", &[("Content-Type", "application/json")], "{}");
    for reply in [post, place.get("/streams/slash/", "*/*"), place.get("/streams/$all/", "*/*")] {
        assert_eq!(reply.status, 307);
        assert_eq!(reply.header("cache-control"), Some("max-age=31536000, public"));
        assert!(!reply.header("location").expect("a Location").ends_with('/'));
    }
}

#[test]
fn an_expected_version_is_met_or_refused_and_the_current_one_is_told() {
    let place = Place::start();
    for family in FAMILIES {
        let path = |name: &str| format!("/streams/{name}-{}", family.media);
        let append = |name: &str, version: &str| place.append(&path(name), family, &[("ExpectedVersion", version)]);
        check_version(&append("a", "-1"), 201, "0");
        check_version(&append("a", "-1"), 400, "0");
        check_version(&append("a", "0"), 201, "1");
        check_version(&append("a", "0"), 400, "1");
        check_version(&append("a", "7"), 400, "1");
        check_version(&append("a", "-2"), 201, "2");
        check_version(&append("a", "-4"), 201, "3");
        assert_eq!(place.count(&path("a")), 4, "what was refused was not written");

        check_version(&append("b", "-4"), 400, "-1");
        check_version(&append("b", "3"), 400, "-1");
        assert_eq!(place.count(&path("b")), 0);
        check_version(&append("b", "-2"), 201, "0");
        for nonsense in ["-3", "-5", "one"] {
            assert_eq!(append("b", nonsense).status, 400, "{nonsense}");
        }
        assert_eq!(place.count(&path("b")), 1);
    }
}

#[test]
fn an_event_sent_again_is_found_where_it_was_put_first() {
    let place = Place::start();
    for family in FAMILIES {
        let path = |name: &str| format!("/streams/{name}-{}", family.media);
        let event = |kind: &str| json!([{"eventId": id(1), "eventType": kind, "data": {"a": 1}}]);

        let incoming = format!("{}/incoming/{}", path("incoming"), id(1));
        for _ in 0..3 {
            check_created(&place.append(&incoming, family, &[]), "/0");
        }
        check_created(&place.post_batch(&path("incoming"), family, &event("t")), "/0");
        assert_eq!(place.count(&path("incoming")), 1);

        for _ in 0..3 {
            check_created(&place.append(&path("raw"), family, &[("EventId", &id(1))]), "/0");
        }
        check_created(&place.post_batch(&path("raw"), family, &event("t")), "/0");
        assert_eq!(place.count(&path("raw")), 1);

        for attempt in 0..3 {
            let reply = place.post_batch(&path("batch"), family, &events(3));
            check_created(&reply, "/0");
            assert_eq!(reply.header("everfeed-repeat"), (attempt > 0).then_some("true"));
        }
        assert_eq!(place.count(&path("batch")), 3);

        let other = place.post_batch(&path("raw"), family, &event("another type"));
        assert_eq!((other.status, other.reason.as_str()), (400, "Wrong expected EventNumber"), "{}", other.text());
        assert_eq!(place.count(&path("raw")), 1, "one id is one event");
    }
}

/// What is no batch and no event's data is never stored, and the answer says what to send.
#[test]
fn documents_and_malformed_batches_are_refused_and_nothing_is_written() {
    let place = Place::start();
    for family in FAMILIES {
        let path = format!("/streams/refused-{}", family.media);
        let media_type = family.media_type("events+json");
        for (content_type, body, status) in [
            (family.media_type("atom+json"), "{}", 415),
            (family.media_type("events+xml"), "<events/>", 400),
            (family.media_type("streamdesc+json"), "{}", 415),
            (format!("{media_type}; charset=utf-16"), "[]", 415),
            (media_type.clone(), "[]", 400),
            (media_type.clone(), "{\"eventType\":\"t\"}", 400),
            (media_type.clone(), "[{\"eventType\":\"t\"},\n{\"eventType\":}]", 400),
            (media_type.clone(), "[{'eventType':'t'}]", 400),
            ("application/json".to_string(), "{\"a\":", 400),
        ] {
            let reply = place.post(&path, &[("Content-Type", &content_type)], body);
            assert_eq!(reply.status, status, "{content_type} {body}: {}", reply.text());
            assert_eq!(reply.header("content-type"), Some("application/problem+json"));
            assert!(reply.json()["detail"].as_str().is_some_and(|detail| detail.len() > 20), "{}", reply.text());
        }
        let placed = place.post(&path, &[("Content-Type", &media_type)], "[{\"eventType\":\"t\"},\n{\"eventType\":}]");
        assert_eq!((&placed.json()["line"], &placed.json()["column"]), (&json!(2), &json!(14)));
        assert_eq!(place.post(&path, &[], "{}").status, 415, "no Content-Type");
        assert_eq!(place.count(&path), 0);
    }
}
