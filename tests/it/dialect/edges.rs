//! What no test of EventStore's ever held: the edges of its API.

use serde_json::{Value, json};

use super::{FAMILIES, Place, check_created, events, id, link, titles};
use crate::support::{Reply, TestServer, check, request};

/// The names of an object's members, in order.
fn keys(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

const PLAIN: [&str; 6] = ["title", "id", "updated", "author", "summary", "links"];
const RICH: [&str; 9] = [
    "eventId",
    "eventType",
    "eventNumber",
    "streamId",
    "isJson",
    "isMetaData",
    "isLinkMetaData",
    "positionEventNumber",
    "positionStreamId",
];

#[test]
fn every_embed_level_adds_its_members_in_their_order() {
    let place = Place::start();
    let family = FAMILIES[0];
    let headers = [("Content-Type", "application/octet-stream"), ("ES-EventType", "raw"), ("ES-EventId", &*id(9))];
    place.post("/streams/e", &headers, "{\"hidden\":1}");
    place.post("/streams/e", &[("Content-Type", "text/plain"), ("ES-EventType", "text")], "[1]");
    let json = json!([{"eventId": id(1), "eventType": "t", "data": {"a": [1, {}]}, "metadata": {"m": 1}}]);
    place.post_batch("/streams/e", family, &json);
    let entries = |embed: &str| -> Vec<Value> {
        let feed = place.feed(&format!("/streams/e?embed={embed}"), family);
        assert_eq!(
            keys(&feed),
            ["title", "id", "updated", "streamId", "author", "headOfStream", "selfUrl", "eTag", "links", "entries"]
        );
        let mut entries = feed["entries"].as_array().expect("entries").clone();
        entries.reverse();
        entries
    };
    let with = |more: &[&'static str]| -> Vec<&'static str> {
        let mut keys: Vec<_> = RICH.to_vec();
        keys.splice(3..3, more.iter().copied());
        keys.into_iter().chain(PLAIN).collect()
    };
    for embed in ["none", "NONE"] {
        assert!(entries(embed).iter().all(|entry| keys(entry) == PLAIN), "{embed}");
    }
    let content = entries("content");
    assert_eq!(keys(&content[0]), PLAIN, "it is no JSON");
    assert_eq!(keys(&content[2]), ["title", "id", "updated", "author", "summary", "content", "links"]);
    assert_eq!(
        keys(&content[2]["content"]),
        ["eventStreamId", "eventNumber", "eventType", "eventId", "data", "metadata"]
    );
    let rich = entries("Rich");
    assert!(rich.iter().all(|entry| keys(entry) == with(&[])));
    assert_eq!((&rich[2]["isJson"], &rich[2]["isMetaData"]), (&json!(true), &json!(false)));
    assert_eq!((&rich[0]["isJson"], &rich[0]["positionEventNumber"]), (&json!(false), &json!(0)));
    let body = entries("body");
    assert_eq!(keys(&body[0]), with(&[]));
    assert_eq!(keys(&body[2]), with(&["data", "metaData"]));
    assert_eq!(body[2]["data"], "{\"a\":[1,{}]}");
    assert_eq!((&body[2]["metaData"], &body[2]["isMetaData"]), (&json!("{\"m\":1}"), &json!(true)));
    for embed in ["pretty", "PrettyBody"] {
        let pretty = entries(embed);
        assert_eq!(pretty[2]["data"], "{\n  \"a\": [\n    1,\n    {}\n  ]\n}");
        assert_eq!(keys(&pretty[1]), with(&[]), "{embed}");
    }
    let harder = entries("tryharder");
    assert_eq!((&harder[0]["data"], &harder[0]["isJson"]), (&json!("{\n  \"hidden\": 1\n}"), &json!(true)));
    assert_eq!((&harder[1]["data"], &harder[1]["isJson"]), (&json!("[1]"), &json!(false)), "no object");
    let links = json!([
        {"uri": harder[2]["id"], "relation": "edit"},
        {"uri": harder[2]["id"], "relation": "alternate"},
    ]);
    assert_eq!(harder[2]["links"], links);
    assert_eq!(place.get("/streams/e?embed=everything", "application/json").status, 400);
}

#[test]
fn a_page_has_4096_events_at_most() {
    let place = Place::start();
    place.post_batch("/streams/c", FAMILIES[0], &events(5));
    for path in ["/streams/c/0/forward", "/streams/c/4/backward", "/streams/c/head/backward", "/streams/c/4"] {
        for (count, status) in [("1", 200), ("4096", 200), ("4097", 400), ("0", 400), ("-1", 400), ("x", 400)] {
            let reply = place.get(&format!("{path}/{count}"), "application/vnd.eventstore.atom+json");
            check(&reply, path);
            assert_eq!(reply.status, status, "{path}/{count}");
        }
    }
    assert_eq!(place.get("/streams/c/head/forward/20", "application/json").status, 400);
}

#[test]
fn data_of_any_json_type_is_kept_digit_for_digit() {
    let place = Place::start();
    for family in FAMILIES {
        let path = format!("/streams/scalars-{}", family.media);
        let values =
            ["1", "-0.0", "1e400", "12345678901234567890.10", "true", "null", "\"\\u00e9\"", "[ 1, [] ]", "{ }"];
        let members: Vec<String> =
            values.iter().map(|data| format!("{{\"eventType\":\"t\",\"data\":{data}}}")).collect();
        let body = format!("[{}]", members.join(","));
        check_created(&place.post(&path, &[("Content-Type", &family.media_type("events+json"))], &body), "/0");
        for (number, value) in values.iter().enumerate() {
            assert_eq!(place.get(&format!("{path}/{number}"), "application/json").text(), *value);
            let entry = place.get(&format!("{path}/{number}"), &family.media_type("atom+json"));
            assert!(entry.text().contains(&format!("\"data\": {value},")), "{}", entry.text());
        }
    }
}

#[test]
fn an_id_twice_in_a_batch_and_a_part_of_a_batch_again() {
    let place = Place::start();
    for family in FAMILIES {
        let path = format!("/streams/again-{}", family.media);
        let event = |number: u32| json!({"eventId": id(number), "eventType": "t", "data": {"n": number - 1}});
        let twice = place.post_batch(&path, family, &json!([event(1), event(1)]));
        assert_eq!((twice.status, twice.reason.as_str()), (400, "Wrong expected EventNumber"));
        assert_eq!(place.get(&path, "application/json").status, 404, "nothing of it was written");

        check_created(&place.post_batch(&path, family, &events(4)), "/0");
        check_created(&place.post_batch(&path, family, &json!([event(2), event(3)])), "/1");
        check_created(&place.post_batch(&path, family, &json!([event(4)])), "/3");
        for other in [json!([event(4), event(5)]), json!([event(5), event(4)]), json!([event(1), event(3)])] {
            let reply = place.post_batch(&path, family, &other);
            assert_eq!((reply.status, reply.reason.as_str()), (400, "Wrong expected EventNumber"), "{other}");
        }
        assert_eq!(place.count(&path), 4);
    }
}

#[test]
fn a_repeat_is_known_after_a_restart_and_in_each_stream_for_itself() {
    let data = tempfile::tempdir().expect("a directory");
    let send = |server: &TestServer, path: &str| {
        let body = events(3).to_string();
        server.post(path, &[("Content-Type", "application/vnd.eventstore.events+json")], body.as_bytes())
    };
    let server = TestServer::start(data.path(), &[]);
    for path in ["/streams/one", "/streams/two"] {
        check_created(&send(&server, path), "/0");
    }
    server.kill();
    let server = TestServer::start(data.path(), &[]);
    for path in ["/streams/one", "/streams/two"] {
        let reply = send(&server, path);
        check_created(&reply, "/0");
        assert_eq!(reply.header("everfeed-repeat"), Some("true"), "{path}");
    }
    assert_eq!(server.events(), 6);
}

/// What clients make of a tag: quoted or not, in a list, made weak by a proxy.
#[test]
fn a_tag_is_recognised_as_clients_and_proxies_send_it() {
    let place = Place::start();
    place.post_batch("/streams/tag", FAMILIES[0], &events(3));
    let accept = "application/vnd.eventstore.atom+json";
    let tag = place.get("/streams/tag", accept).header("etag").expect("a tag").to_string();
    for (condition, status) in [
        (tag.clone(), 304),
        (format!("W/{tag}"), 304),
        (format!("\"1;2\", {tag}"), 304),
        ("*".to_string(), 304),
        (tag.replace("\"2;", "\"1;"), 200),
    ] {
        for coding in ["gzip", "gzip, deflate, br", "identity"] {
            let headers = [("Accept", accept), ("If-None-Match", condition.as_str()), ("Accept-Encoding", coding)];
            let reply = place.server.get("/streams/tag", &headers);
            check(&reply, &condition);
            assert_eq!(reply.status, status, "{condition} {coding}");
            assert_eq!(reply.header("etag"), Some(tag.as_str()));
            assert_eq!(reply.header("cache-control"), Some("max-age=0, no-cache, must-revalidate"));
            assert!(reply.header("vary").is_some_and(|vary| vary.contains("Accept-Encoding")));
        }
    }
}

#[test]
fn a_client_that_knows_long_polls_alone_misses_nothing() {
    let place = Place::start();
    for family in FAMILIES {
        let path = format!("/streams/polled-{}", family.media);
        let poll = family.header("LongPoll");
        let accept = family.media_type("atom+json");
        let get = |url: &str| place.server.get(url, &[("Accept", &accept), (&poll, "1")]);
        assert_eq!(get(&format!("{path}/0/forward/20")).status, 404, "it waits for a stream that never comes");
        place.post_batch(&path, family, &events(3));
        let mut url = format!("{path}/0/forward/2");
        let mut seen = Vec::new();
        for _ in 0..3 {
            let page = get(&url).json();
            seen.extend(titles(&page).into_iter().rev().map(str::to_string));
            let Some(newer) = link(&page, "previous") else { break };
            url = place.path(newer);
        }
        let name = path.trim_start_matches("/streams/");
        assert_eq!(seen, (0..3).map(|number| format!("{number}@{name}")).collect::<Vec<_>>());
        let reply = get(&url);
        assert_eq!((reply.status, reply.json()["entries"].clone()), (200, json!([])), "at the end, after a second");
        for nonsense in ["0", "-1", "soon"] {
            let reply = place.server.get(&path, &[(&*poll, nonsense)]);
            assert_eq!(reply.status, 400, "{nonsense}");
        }
    }
}

#[test]
fn head_and_options_say_what_get_would() {
    let place = Place::start();
    place.post_batch("/streams/h", FAMILIES[0], &events(3));
    for path in ["/streams/h", "/streams/h/0", "/streams/h/0/forward/2", "/streams/h/metadata", "/streams/%24all"] {
        let headers = [("Accept", "application/vnd.eventstore.atom+json")];
        let head = request(place.server.address, "HEAD", path, &headers, b"");
        let get = place.server.get(path, &headers);
        assert_eq!((head.status, head.header("etag")), (get.status, get.header("etag")), "{path}");
        let put = request(place.server.address, "PUT", path, &[], b"");
        assert_eq!(put.status, 405);
        assert!(put.header("allow").is_some_and(|allow| allow.contains("HEAD")), "{put:?}");
    }
}

#[test]
fn headers_are_known_in_both_spellings_in_any_case_and_together_if_they_agree() {
    let place = Place::start();
    let json = ("Content-Type", "application/json");
    let deleted = |path: &str, headers: &[(&str, &str)]| request(place.server.address, "DELETE", path, headers, b"");
    for (one, other) in [("ES", "Kurrent"), ("es", "KURRENT")] {
        let path = format!("/streams/spelled-{one}");
        let named = |name: &str| [format!("{one}-{name}"), format!("{other}-{name}")];
        let [event_type, same_type] = named("EventType");
        let [event_id, same_id] = named("EventId");
        let [version, same_version] = named("ExpectedVersion");
        let headers = [json, (&*event_type, "t"), (&*same_type, "t"), (&*event_id, &*id(1)), (&*same_version, "-1")];
        check_created(&place.post(&path, &headers, "{}"), "/0");
        check_created(&place.post(&path, &[json, (&*same_type, "t"), (&*same_id, &*id(1))], "{}"), "/0");
        for (name, differing) in [(&version, &same_version), (&event_type, &same_type)] {
            let reply = place.post(&path, &[json, (&**name, "1"), (&**differing, "2")], "{}");
            assert_eq!(reply.status, 400, "which of the two was meant? {}", reply.text());
        }
        let [resolve, same_resolve] = named("ResolveLinkTos");
        let feed = ("Accept", "application/vnd.eventstore.atom+json");
        for (name, value, status) in [(&resolve, "TRUE", 200), (&same_resolve, "false", 200), (&resolve, "maybe", 400)]
        {
            assert_eq!(place.server.get(&path, &[feed, (&**name, value)]).status, status, "{name}: {value}");
        }
        let [hard, same_hard] = named("HardDelete");
        assert_eq!(deleted(&path, &[(&*hard, "yes")]).status, 400);
        assert_eq!(deleted(&path, &[(&*hard, "True"), (&*same_hard, "False")]).status, 400);
        check_refused(&deleted(&path, &[(&*same_version, "5")]), "Wrong expected EventNumber");
        assert_eq!(deleted(&path, &[(&*same_hard, "true"), (&*version, "0")]).reason, "Stream deleted");
        assert_eq!(place.server.get(&path, &[feed]).reason, "Deleted");
    }
}

fn check_refused(reply: &Reply, reason: &str) {
    check(reply, reason);
    assert_eq!((reply.status, reply.reason.as_str()), (400, reason));
    for header in ["es-currentversion", "kurrent-currentversion"] {
        assert_eq!(reply.header(header), Some("0"));
    }
}
