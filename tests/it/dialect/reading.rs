//! What EventStore's clients read: events, feeds, their links and tags.

use serde_json::json;

use super::{FAMILIES, Place, check_created, events, id, link, titles};
use crate::support::TestServer;

#[test]
fn what_a_producer_sent_is_what_every_form_of_an_event_holds() {
    let place = Place::start();
    let data = r#"{"$type": "Shop.Order, Shop", "at": "2013-05-03T00:00:00+02:00", "n": 1.10, "big": 12345678901234567890123}"#;
    let metadata = r#"{"$type": "Shop.Meta, Shop", "at": "2013-05-03T00:00:00+02:00"}"#;
    for family in FAMILIES {
        let path = format!("/streams/whole-{}", family.media);
        let body = format!(r#"[{{"eventId":"{}","eventType":"t","data":{data},"metadata":{metadata}}}]"#, id(1));
        let reply = place.post(&path, &[("Content-Type", &family.media_type("events+json"))], &body);
        check_created(&reply, "/0");
        let event = place.location(&reply);
        for accept in [family.media_type("atom+json"), family.media_type("event+json")] {
            let reply = place.get(&event, &accept);
            assert!(reply.header("content-type").is_some_and(|kind| kind.starts_with(&accept)), "{accept}");
            let text = reply.text();
            assert!(text.contains(data) && text.contains(metadata), "{accept}: {text}");
        }
        let entry = place.get(&event, &family.media_type("atom+json")).json();
        assert_eq!(entry["content"]["eventType"], "t");
        assert_eq!(entry["content"]["eventId"], id(1));
        assert_eq!(entry["content"]["eventStreamId"], path.trim_start_matches("/streams/"));
        assert_eq!(place.get(&event, "application/json").text(), data);

        let body = place.feed(&format!("{path}?embed=body"), family);
        assert_eq!(body["entries"][0]["data"], data, "as a string");
        let content = place.feed(&format!("{path}?embed=content"), family);
        assert_eq!(content["entries"][0]["content"]["data"]["$type"], "Shop.Order, Shop");
    }
}

#[test]
fn the_head_of_25_events_is_linked_as_eventstore_links_it() {
    let place = Place::start();
    for family in FAMILIES {
        let path = format!("/streams/linked@{}", family.media);
        place.post_batch(&path, family, &events(25));
        let stream = format!("/streams/linked%40{}", family.media);
        let head = place.feed(&path, family);
        for (relation, to) in [
            ("self", ""),
            ("first", "/head/backward/20"),
            ("last", "/0/forward/20"),
            ("next", "/4/backward/20"),
            ("previous", "/25/forward/20"),
            ("metadata", "/metadata"),
        ] {
            let url = link(&head, relation).unwrap_or_else(|| panic!("no {relation}"));
            assert_eq!(place.path(url), format!("{stream}{to}"), "{relation}");
        }
        assert_eq!(head["title"], format!("Event stream 'linked@{}'", family.media));
        assert_eq!(place.path(head["id"].as_str().expect("an id")), stream);
        assert_eq!(head["headOfStream"], true);
        assert_eq!(titles(&head).len(), 20);
        assert_eq!(titles(&head)[0], format!("24@linked@{}", family.media));

        let older = place.feed(&place.path(link(&head, "next").expect("older ones")), family);
        assert_eq!(titles(&older).len(), 5);
        assert_eq!(link(&older, "next"), None, "the oldest is reached");
    }
}

#[test]
fn whoever_follows_previous_gets_exactly_what_is_new() {
    let place = Place::start();
    for family in FAMILIES {
        let path = format!("/streams/followed-{}", family.media);
        place.post_batch(&path, family, &events(25));
        let head = place.feed(&path, family);
        let newer = place.path(link(&head, "previous").expect("a link"));
        let reply = place.get(&newer, &family.media_type("atom+json"));
        let page = reply.json();
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("cache-control"), Some("max-age=0, no-cache, must-revalidate"));
        assert_eq!(page["entries"], json!([]));
        assert_eq!(link(&page, "previous"), None);
        for relation in ["next", "self", "first", "last"] {
            assert!(link(&page, relation).is_some(), "{relation}");
        }

        place.append(&path, family, &[("EventId", &id(99))]);
        let page = place.feed(&format!("{newer}?embed=rich"), family);
        let ids: Vec<_> = page["entries"].as_array().expect("entries").iter().map(|entry| &entry["eventId"]).collect();
        assert_eq!(ids, [&json!(id(99))]);
    }
}

#[test]
fn head_of_stream_is_true_when_a_forward_page_reaches_the_end() {
    let place = Place::start();
    for family in FAMILIES {
        let path = format!("/streams/ends-{}", family.media);
        place.post_batch(&path, family, &events(25));
        for (count, reaches) in [(24, false), (25, true), (26, true)] {
            let page = place.feed(&format!("{path}/0/forward/{count}"), family);
            assert_eq!(page["headOfStream"], reaches, "{count} asked for");
            assert_eq!(titles(&page).len(), count.min(25));
        }
    }
}

#[test]
fn complete_pages_and_events_are_cached_for_a_year() {
    let place = Place::start();
    let family = FAMILIES[0];
    place.post_batch("/streams/cached", family, &events(25));
    for (path, cached) in [
        ("/streams/cached/0/forward/20", true),
        ("/streams/cached/24/backward/20", true),
        ("/streams/cached/3", true),
        ("/streams/cached/0/forward/25", false),
        ("/streams/cached/head/backward/20", false),
        ("/streams/cached/1000/backward/20", false),
        ("/streams/cached", false),
    ] {
        let reply = place.get(path, &family.media_type("atom+json"));
        let rule = if cached { "max-age=31536000, public" } else { "max-age=0, no-cache, must-revalidate" };
        assert_eq!((reply.status, reply.header("cache-control")), (200, Some(rule)), "{path}");
    }
}

#[test]
fn the_tag_in_the_body_is_the_one_to_ask_with() {
    let place = Place::start();
    for family in FAMILIES {
        let path = format!("/streams/tagged-{}", family.media);
        place.post_batch(&path, family, &events(3));
        let accept = family.media_type("atom+json");
        let reply = place.get(&path, &accept);
        let quoted = format!("\"{}\"", reply.json()["eTag"].as_str().expect("a tag"));
        assert_eq!(reply.header("etag"), Some(quoted.as_str()));
        assert!(quoted.starts_with("\"2;"), "{quoted}");
        let again = || place.server.get(&path, &[("Accept", &accept), ("If-None-Match", &quoted)]);
        let unchanged = again();
        assert_eq!((unchanged.status, unchanged.body.len()), (304, 0));
        place.append(&path, family, &[]);
        assert_eq!(again().status, 200, "there is something new");
    }
}

#[test]
fn all_is_walked_by_its_own_positions_and_holds_every_event_once() {
    let place = Place::start();
    let family = FAMILIES[0];
    for name in ["one", "two", "three"] {
        place.post_batch(&format!("/streams/{name}"), family, &events(15));
    }
    let head = place.feed("/streams/%24all", family);
    assert_eq!((&head["title"], &head["headOfStream"]), (&json!("All events"), &json!(false)));
    for absent in ["streamId", "selfUrl", "eTag"] {
        assert_eq!(head.get(absent), None, "{absent}");
    }
    assert_eq!(place.path(link(&head, "first").expect("a link")), "/streams/%24all/head/backward/20");
    let zeros = "0".repeat(32);
    let last = place.path(link(&head, "last").expect("a link"));
    assert_eq!(last, format!("/streams/%24all/{zeros}/forward/20"));

    let mut down = Vec::new();
    let mut page = head;
    for _ in 0..10 {
        down.extend(titles(&page).into_iter().map(str::to_string));
        let Some(next) = link(&page, "next") else { break };
        page = place.feed(&place.path(next), family);
    }
    let mut up = Vec::new();
    let mut page = place.feed(&last, family);
    for _ in 0..10 {
        up.extend(titles(&page).into_iter().rev().map(str::to_string));
        let Some(previous) = link(&page, "previous") else { break };
        page = place.feed(&place.path(previous), family);
    }
    let written: Vec<String> =
        ["one", "two", "three"].iter().flat_map(|name| (0..15).map(move |n| format!("{n}@{name}"))).collect();
    assert_eq!(up, written);
    down.reverse();
    assert_eq!(down, written);
}

#[test]
fn a_page_of_envelopes_is_an_array_oldest_first() {
    let place = Place::start();
    for family in FAMILIES {
        let path = format!("/streams/array-{}", family.media);
        place.post_batch(&path, family, &events(25));
        let reply = place.get(&format!("{path}/0/forward/10"), &family.media_type("events+json"));
        let page = reply.json();
        let numbers: Vec<_> =
            page.as_array().expect("an array").iter().map(|event| event["eventNumber"].as_u64()).collect();
        assert_eq!(numbers, (0..10).map(Some).collect::<Vec<_>>());
        assert_eq!(page[3]["data"], json!({"n": 3}));
        assert!(reply.header("link").expect("its links").contains("/10/forward/10"), "{:?}", reply.header("link"));
    }
}

#[test]
fn behind_a_prefix_every_link_has_it() {
    let data = tempfile::tempdir().expect("a directory");
    let base = "https://feeds.example/es";
    let server = TestServer::start_with(data.path(), &[("public_url", base)]);
    let place = Place { server, _data: data };
    let family = FAMILIES[0];
    let created = place.post_batch("/streams/p", family, &events(25));
    assert_eq!(created.header("location"), Some("https://feeds.example/es/streams/p/0"));
    let head = place.feed("/streams/p", family);
    for (relation, to) in [
        ("self", ""),
        ("first", "/head/backward/20"),
        ("previous", "/25/forward/20"),
        ("next", "/4/backward/20"),
        ("last", "/0/forward/20"),
    ] {
        assert_eq!(link(&head, relation), Some(&*format!("{base}/streams/p{to}")), "{relation}");
    }
    assert_eq!(head["entries"][0]["links"][0]["uri"], format!("{base}/streams/p/24"));
    let slash = place.post("/streams/p/?embed=rich", &[], "{}");
    assert_eq!(slash.header("location"), Some("https://feeds.example/es/streams/p?embed=rich"));
    let description = place.get("/streams/p", "application/vnd.eventstore.streamdesc+json").json();
    assert_eq!(description["_links"]["stream"]["href"], "/es/streams/p");
}
