//! `eventstore.strict`: the few answers that only EventStore's own clients expect.

use serde_json::json;

use super::{FAMILIES, Place, check_created, events, id};
use crate::support::TestServer;

fn strict() -> Place {
    let data = tempfile::tempdir().expect("a directory");
    Place { server: TestServer::start_with(data.path(), &[("eventstore.strict", "true")]), _data: data }
}

#[test]
fn whoever_names_no_format_gets_a_description_as_a_refusal() {
    let place = strict();
    place.post_batch("/streams/s", FAMILIES[0], &events(3));
    for headers in [vec![], vec![("Accept", "*/*")], vec![("Accept", "application/json;q=0.5, */*")]] {
        for path in ["/streams/s", "/streams/none", "/streams/%24ce-s"] {
            let reply = place.server.get(path, &headers);
            assert_eq!((reply.status, reply.reason.as_str()), (406, "Description Document"), "{path} {headers:?}");
            assert!(reply.json()["_links"]["stream"]["href"].is_string());
            assert_eq!(reply.header("cache-control"), Some("no-store"));
        }
        for path in ["/streams/s/0/forward/20", "/streams/%24all", "/streams/s/0", "/streams/s?format=atom"] {
            assert_eq!(place.server.get(path, &headers).status, 200, "{path}");
        }
    }
    assert_eq!(place.get("/streams/s", "application/vnd.eventstore.atom+json").status, 200);
    assert_eq!(place.get("/streams/s", "application/*").status, 200);
    let usual = place.get("/streams/s", "application/json, text/plain, */*");
    assert_eq!(usual.status, 200, "what comes first is what is meant");
}

#[test]
fn an_event_without_an_id_is_sent_to_an_address_with_one() {
    let place = strict();
    let json = ("Content-Type", "application/json");
    for family in FAMILIES {
        let event_type = family.header("EventType");
        let version = family.header("ExpectedVersion");
        let path = format!("/streams/{}%2Fa", family.media);
        // Before the expected version is looked at, so that the second request says it.
        let reply = place.post(&path, &[json, (&event_type, "t"), (&version, "7")], "{\"a\":1}");
        assert_eq!((reply.status, reply.text()), (307, "Forwarding to idempotent URI"));
        let incoming = place.location(&reply);
        assert!(incoming.starts_with(&format!("{path}/incoming/")), "{incoming}");
        for _ in 0..2 {
            check_created(&place.post(&incoming, &[json, (&event_type, "t")], "{\"a\":1}"), "/0");
        }
        assert_ne!(place.location(&place.post(&path, &[json, (&event_type, "t")], "{}")), incoming, "an id of its own");
        check_created(&place.append(&path, family, &[("EventId", &id(5))]), "/1");

        for path in [&path, &incoming] {
            let reply = place.post(path, &[json], "{}");
            assert_eq!(reply.status, 400);
            assert!(reply.reason.starts_with("Must include an event type"), "{}", reply.reason);
        }
    }
    let reply = place.post("/streams/s", &[("Content-Type", "text/xml"), ("ES-EventType", "t")], "<a/>");
    assert_eq!(reply.status, 307);
    check_created(&place.post_batch("/streams/s", FAMILIES[0], &json!([{"eventType": "t", "data": 1}])), "/0");
    let metadata = place.post("/streams/s/metadata", &[json], "{\"$maxCount\": 5}");
    assert_eq!(metadata.status, 201, "settings have no such address: {}", metadata.text());
}

#[test]
fn a_repeat_is_told_by_its_ids_alone() {
    let place = strict();
    for family in FAMILIES {
        let path = format!("/streams/repeat-{}", family.media);
        check_created(&place.post_batch(&path, family, &events(2)), "/0");
        let other = json!([
            {"eventId": id(1), "eventType": "other", "data": {"n": "other"}},
            {"eventId": id(2), "eventType": "t", "data": null},
        ]);
        let reply = place.post_batch(&path, family, &other);
        check_created(&reply, "/0");
        assert_eq!(reply.header("everfeed-repeat"), Some("true"));
        assert_eq!(place.count(&path), 2);
        assert_eq!(place.get(&format!("{path}/0"), "application/json").text(), "{\"n\":0}", "the first one stays");
        let reversed = json!([{"eventId": id(2), "eventType": "t"}, {"eventId": id(1), "eventType": "t"}]);
        assert_eq!(place.post_batch(&path, family, &reversed).status, 400, "another order is no repeat");
    }
}
