//! EventStore's dialect: what its clients send and expect, in the words of its own tests, under both families
//! of names.

use serde_json::{Value, json};

use crate::support::{Reply, TestServer};

/// The two spellings of media types and headers, in which everything here is done once each.
const FAMILIES: [Family; 2] =
    [Family { media: "eventstore", header: "ES" }, Family { media: "kurrent", header: "Kurrent" }];

#[derive(Clone, Copy)]
struct Family {
    media: &'static str,
    header: &'static str,
}

impl Family {
    fn media_type(self, kind: &str) -> String {
        format!("application/vnd.{}.{kind}", self.media)
    }

    fn header(self, name: &str) -> String {
        format!("{}-{name}", self.header)
    }
}

/// A server, and the data that it forgets at the end.
struct Place {
    server: TestServer,
    _data: tempfile::TempDir,
}

impl Place {
    fn start() -> Self {
        let data = tempfile::tempdir().expect("a directory");
        Self { server: TestServer::start(data.path(), &[]), _data: data }
    }

    fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        self.server.post(path, headers, body.as_bytes())
    }

    fn post_batch(&self, path: &str, family: Family, events: &Value) -> Reply {
        self.post(path, &[("Content-Type", &family.media_type("events+json"))], &events.to_string())
    }

    /// Appends one event with these headers of EventStore's besides its type and media type.
    fn append(&self, path: &str, family: Family, headers: &[(&str, &str)]) -> Reply {
        let named: Vec<(String, &str)> = headers.iter().map(|(name, value)| (family.header(name), *value)).collect();
        let event_type = family.header("EventType");
        let mut all = vec![("Content-Type", "application/json"), (event_type.as_str(), "t")];
        all.extend(named.iter().map(|(name, value)| (name.as_str(), *value)));
        self.post(path, &all, "{\"a\":1}")
    }

    fn get(&self, path: &str, accept: &str) -> Reply {
        self.server.get(path, &[("Accept", accept)])
    }

    fn feed(&self, path: &str, family: Family) -> Value {
        let reply = self.get(path, &family.media_type("atom+json"));
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        reply.json()
    }

    /// How many events a stream has.
    fn count(&self, path: &str) -> u64 {
        let reply = self.get(path, "application/json");
        if reply.status == 404 {
            return 0;
        }
        let title = reply.json()["entries"][0]["title"].as_str().expect("a title").to_string();
        title.split('@').next().expect("a number").parse::<u64>().expect("a number") + 1
    }

    /// Path and query of a URL of this server.
    fn path(&self, url: &str) -> String {
        let base = format!("http://{}", self.server.address);
        url.strip_prefix(&base).unwrap_or_else(|| panic!("{url} is not under {base}")).to_string()
    }

    fn location(&self, reply: &Reply) -> String {
        self.path(reply.header("location").expect("a Location"))
    }
}

fn id(number: u32) -> String {
    format!("0190c6a4-7b1e-7f5e-9a52-{number:012x}")
}

fn events(count: u32) -> Value {
    (0..count).map(|number| json!({"eventId": id(number + 1), "eventType": "t", "data": {"n": number}})).collect()
}

fn check_created(reply: &Reply, at: &str) {
    assert_eq!((reply.status, reply.reason.as_str()), (201, "Created"), "{}", reply.text());
    let location = reply.header("location").expect("a Location");
    assert!(location.ends_with(at), "{location} does not end with {at}");
}

/// The stream's version after or instead of an append, in both headers.
fn check_version(reply: &Reply, status: u16, version: &str) {
    assert_eq!(reply.status, status, "{}", reply.text());
    for header in ["es-currentversion", "kurrent-currentversion"] {
        assert_eq!(reply.header(header), Some(version), "{header}");
    }
    if status == 400 {
        assert_eq!(reply.reason, "Wrong expected EventNumber");
    }
}

/// The URL of a link; none if there is no such link.
fn link<'a>(document: &'a Value, relation: &str) -> Option<&'a str> {
    let links = document["links"].as_array().expect("links");
    links.iter().find(|link| link["relation"] == relation).map(|link| link["uri"].as_str().expect("a URL"))
}

fn titles(document: &Value) -> Vec<&str> {
    let entries = document["entries"].as_array().expect("entries");
    entries.iter().map(|entry| entry["title"].as_str().expect("a title")).collect()
}

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

/// What is no batch and no event's data is never stored, and the answer says what to send.
#[test]
fn documents_and_malformed_batches_are_refused_and_nothing_is_written() {
    let place = Place::start();
    for family in FAMILIES {
        let path = format!("/streams/refused-{}", family.media);
        let media_type = family.media_type("events+json");
        for (content_type, body, status) in [
            (family.media_type("atom+json"), "{}", 415),
            (family.media_type("events+xml"), "<events/>", 415),
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
