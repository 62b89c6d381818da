//! Appending: every kind of body, what a producer may expect, repeats, ids, and the answer.

use crate::support::{Reply, TestServer, check};

const ONE: &str = "11111111-1111-4111-8111-111111111111";
const TWO: &str = "22222222-2222-4222-8222-222222222222";
const BATCH: (&str, &str) = ("Content-Type", "application/vnd.eventstore.events+json");
const TEXT: (&str, &str) = ("Content-Type", "text/plain");

fn server() -> (tempfile::TempDir, TestServer) {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(data.path(), &[]);
    (data, server)
}

/// Appends; the answer must satisfy what every answer must, and have this status.
#[track_caller]
fn post(server: &TestServer, path: &str, headers: &[(&str, &str)], body: &str, status: u16) -> Reply {
    let reply = server.post(path, headers, body.as_bytes());
    check(&reply, &format!("POST {path} {headers:?}"));
    assert_eq!(reply.status, status, "{path} {headers:?} {reply:?} {}", String::from_utf8_lossy(&reply.body));
    reply
}

#[track_caller]
fn data(server: &TestServer, path: &str) -> (String, Vec<u8>) {
    let reply = server.get(path, &[]);
    check(&reply, path);
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    (reply.header("content-type").unwrap_or_default().to_string(), reply.body)
}

#[test]
fn a_body_of_any_media_type_is_kept_byte_for_byte() {
    let (_data, server) = server();
    let bodies: [(&str, &[u8]); 6] = [
        ("application/json", b" {\"b\" : 1.10e2,\n\"a\":\"\\u00e9\"}\n"),
        ("text/plain; charset=iso-8859-1", b"caf\xe9"),
        ("application/octet-stream", &[0, 255, 1, 254]),
        ("text/html", b"<script>alert(1)</script>"),
        ("image/svg+xml", b"<svg/>"),
        ("text/plain", b""),
    ];
    for (number, (media_type, body)) in bodies.iter().enumerate() {
        let reply = server.post("/streams/kinds", &[("Content-Type", media_type)], body);
        check(&reply, media_type);
        assert_eq!(reply.status, 201, "{media_type} {}", reply.text());
        let location = format!("http://{}/streams/kinds/{number}", server.address);
        assert_eq!(reply.header("location"), Some(location.as_str()));
        assert_eq!(data(&server, &format!("/streams/kinds/{number}/data")), (media_type.to_string(), body.to_vec()));
    }
    let page = server.get("/streams/kinds/3/data", &[]);
    assert_eq!(
        page.header("content-security-policy"),
        Some("default-src 'none'; frame-ancestors 'none'; sandbox"),
        "it never runs as ours"
    );
}

#[test]
fn a_batch_is_one_append_in_both_families_of_media_types() {
    let (_data, server) = server();
    for (stream, media_type) in [
        ("a", "application/vnd.eventstore.events+json"),
        ("b", "application/vnd.eventstore.event+json"),
        ("c", "application/vnd.kurrent.events+json; charset=utf-8"),
        ("d", "application/vnd.kurrent.event+json"),
    ] {
        let path = format!("/streams/{stream}");
        let body = r#"[{"eventType":"A","data":{"n" : 1}},{"eventType":"B","data":"two","metadata":{"by":"me"}}]"#;
        let reply = post(&server, &path, &[("Content-Type", media_type)], body, 201);
        assert!(reply.header("location").is_some_and(|location| location.ends_with(&format!("/{stream}/0"))));
        assert_eq!(reply.header("es-currentversion"), Some("1"));
        assert_eq!(reply.header("es-currentversion"), reply.header("kurrent-currentversion"));
        assert_eq!(reply.header("es-position"), reply.header("kurrent-position"));
        assert_eq!(data(&server, &format!("{path}/0/data")), ("application/json".into(), br#"{"n" : 1}"#.to_vec()));
        assert_eq!(data(&server, &format!("{path}/1/data")).1, br#""two""#);
    }
    assert_eq!(server.events(), 8);
    let thousands: Vec<String> = (0..10_000).map(|n| format!(r#"{{"eventType":"t","data":{n}}}"#)).collect();
    let reply = post(&server, "/streams/many", &[BATCH], &format!("[{}]", thousands.join(",")), 201);
    assert_eq!(reply.header("es-currentversion"), Some("9999"));
    assert_eq!(data(&server, "/streams/many/9999/data").1, b"9999");
}

#[test]
fn headers_name_the_event_in_either_spelling() {
    let (_data, server) = server();
    post(&server, "/streams/s", &[TEXT, ("ES-EventType", "Old"), ("ES-EventId", ONE)], "a", 201);
    post(&server, "/streams/s", &[TEXT, ("Kurrent-EventType", "Nëw"), ("Kurrent-EventId", TWO)], "b", 201);
    post(&server, "/streams/s", &[("Content-Type", "text/csv; header=present")], "c", 201);
    let events = server.get("/streams/s/0/forward/10", &[("Accept", "application/vnd.eventstore.events+json")]);
    check(&events, "events");
    let events = events.json();
    let told: Vec<_> = events.as_array().expect("an array").iter().map(|event| &event["eventType"]).collect();
    assert_eq!(told, ["Old", "Nëw", "text/csv"], "{events}");
    assert_eq!((&events[0]["eventId"], &events[1]["eventId"]), (&ONE.into(), &TWO.into()));
}

#[test]
fn names_are_plain_data_however_they_are_spelled() {
    let (_data, server) = server();
    for (sent, link) in [
        ("a%2Fb", "a%2Fb"),
        ("a%20b%3F%23", "a%20b%3F%23"),
        ("%C3%BC", "%C3%BC"),
        ("%61%62", "ab"),
        ("a!b", "a%21b"),
        ("%F0%9F%A6%80", "%F0%9F%A6%80"),
    ] {
        let reply = post(&server, &format!("/streams/{sent}"), &[TEXT], "x", 201);
        let location = format!("http://{}/streams/{link}/0", server.address);
        assert_eq!(reply.header("location"), Some(location.as_str()));
        assert_eq!(data(&server, &format!("/streams/{link}/0/data")).1, b"x");
    }
    for name in ["a".repeat(500), "é".repeat(250)] {
        let encoded: String = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
        post(&server, &format!("/streams/{encoded}"), &[TEXT], "x", 201);
    }
}

#[test]
fn streams_of_the_server_take_no_appends() {
    let (_data, server) = server();
    for stream in ["$all", "%24all", "$$$ce-orders", "$truncations", "$ce-orders", "$et-x", "$streams", "$mine"] {
        let reply = post(&server, &format!("/streams/{stream}"), &[TEXT], "x", 403);
        assert!(reply.text().contains("/ui/problems/reserved-stream"));
        post(&server, &format!("/streams/{stream}/incoming/{ONE}"), &[TEXT], "x", 403);
    }
    assert_eq!(server.events(), 0);
}

#[test]
fn an_expected_version_is_met_or_the_append_is_refused_with_the_current_one() {
    let (_data, server) = server();
    let expect = |stream: &str, name: &str, version: &str, status: u16| {
        let reply = post(&server, &format!("/streams/{stream}"), &[TEXT, (name, version)], "x", status);
        if status == 400 {
            assert_eq!(reply.reason, "Wrong expected EventNumber");
        }
        reply
    };
    let reply = expect("s", "ES-ExpectedVersion", "0", 400);
    assert_eq!((reply.header("es-currentversion"), reply.header("kurrent-currentversion")), (Some("-1"), Some("-1")));
    expect("s", "ES-ExpectedVersion", "-4", 400);
    expect("s", "ES-ExpectedVersion", "-1", 201);
    let reply = expect("s", "Kurrent-ExpectedVersion", "-1", 400);
    assert_eq!(reply.header("es-currentversion"), Some("0"));
    assert_eq!(reply.json()["currentVersion"], 0);
    expect("s", "ES-ExpectedVersion", "0", 201);
    expect("s", "ES-ExpectedVersion", "0", 400);
    expect("s", "ES-ExpectedVersion", "2", 400);
    expect("s", "ES-ExpectedVersion", "9223372036854775807", 400);
    expect("s", "Kurrent-ExpectedVersion", "-4", 201);
    expect("s", "ES-ExpectedVersion", "-2", 201);
    expect("other", "ES-ExpectedVersion", "-2", 201);
    assert_eq!(server.events(), 5, "only what was answered 201");
}

#[test]
fn the_conditional_headers_of_http_say_the_same_and_fail_with_412() {
    let (_data, server) = server();
    let refused = |headers: &[(&str, &str)]| {
        let reply = post(&server, "/streams/s", &[&[TEXT], headers].concat(), "x", 412);
        assert!(reply.text().contains("/ui/problems/wrong-expected-version"), "{}", reply.text());
        assert!(reply.header("es-currentversion").is_some());
    };
    refused(&[("If-Match", "*")]);
    refused(&[("If-Match", "\"0-0123456789abcdef\"")]);
    post(&server, "/streams/s", &[TEXT, ("If-None-Match", "*")], "x", 201);
    refused(&[("If-None-Match", "*")]);
    post(&server, "/streams/s", &[TEXT, ("If-Match", "*")], "x", 201);
    post(&server, "/streams/s", &[TEXT, ("If-None-Match", "*"), ("ES-ExpectedVersion", "-1")], "x", 412);
    post(&server, "/streams/s", &[TEXT, ("If-Match", "*"), ("ES-ExpectedVersion", "-4")], "x", 201);
    assert_eq!(server.events(), 3);
}

#[test]
fn the_heads_tag_is_an_expectation_in_every_representation_and_coding() {
    let (_data, server) = server();
    post(&server, "/streams/s", &[TEXT], "x", 201);
    let mut appended = 1;
    let mut stale = Vec::new();
    for accept in [
        "application/atom+xml",
        "application/vnd.eventstore.atom+json",
        "application/vnd.kurrent.atom+json",
        "application/json",
        "application/vnd.eventstore.events+json",
        "application/vnd.kurrent.events+json",
        "application/vnd.kurrent.event+json",
        "text/xml",
        "application/xml",
        "application/vnd.eventstore.events+xml",
        "application/vnd.eventstore.event+xml",
    ] {
        for coding in ["identity", "gzip", "zstd"] {
            for embed in ["", "?embed=none", "?embed=body"] {
                let headers = [("Accept", accept), ("Accept-Encoding", coding)];
                let head = server.get(&format!("/streams/s{embed}"), &headers);
                check(&head, accept);
                let tag = head.header("etag").expect("a tag").to_string();
                let weak = format!("W/{tag}");
                post(&server, "/streams/s", &[TEXT, ("If-Match", &weak)], "x", 412);
                let listed = format!("\"9-1\", {tag}");
                post(&server, "/streams/s", &[TEXT, ("If-Match", &listed)], "x", 201);
                appended += 1;
                stale.push(tag);
            }
        }
    }
    for tag in stale {
        post(&server, "/streams/s", &[TEXT, ("If-Match", &tag)], "x", 412);
    }
    assert_eq!(server.events(), appended);
}

#[test]
fn a_repeat_gets_the_first_receipt_and_writes_nothing() {
    let (_data, server) = server();
    let body =
        format!(r#"[{{"eventId":"{ONE}","eventType":"A","data":1}},{{"eventId":"{TWO}","eventType":"B","data":2}}]"#);
    post(&server, "/streams/s", &[TEXT], "before", 201);
    let tag = server.get("/streams/s", &[]).header("etag").expect("a tag").to_string();
    let first = post(&server, "/streams/s", &[BATCH, ("If-Match", &tag)], &body, 201);
    assert_eq!(first.header("everfeed-repeat"), None);
    post(&server, "/streams/s", &[TEXT], "after", 201);
    for headers in [
        &[][..],
        &[("ES-ExpectedVersion", "0")],
        &[("ES-ExpectedVersion", "-2")],
        &[("ES-ExpectedVersion", "-4")],
        &[("Kurrent-ExpectedVersion", "3")],
        // What was right when it was first sent is right for its repeat.
        &[("If-Match", &tag)],
        &[("If-Match", "*")],
    ] {
        let repeat = post(&server, "/streams/s", &[&[BATCH], headers].concat(), &body, 201);
        assert_eq!(repeat.header("everfeed-repeat"), Some("true"), "{headers:?}");
        for name in ["location", "es-currentversion", "es-position", "kurrent-currentversion", "kurrent-position"] {
            assert_eq!(repeat.header(name), first.header(name), "{name}");
        }
    }
    for version in ["-1", "1", "2", "7"] {
        post(&server, "/streams/s", &[BATCH, ("ES-ExpectedVersion", version)], &body, 400);
    }
    assert_eq!(server.events(), 4);
    post(&server, "/streams/t", &[BATCH], &body, 201);
    assert_eq!(server.events(), 6, "an id is taken in its own stream alone");
}

#[test]
fn an_id_that_is_taken_otherwise_is_refused_naming_it() {
    let (_data, server) = server();
    let event =
        |id: &str, kind: &str, data: &str| format!(r#"[{{"eventId":"{id}","eventType":"{kind}","data":{data}}}]"#);
    post(&server, "/streams/s", &[BATCH], &event(ONE, "A", "1"), 201);
    // In EventStore's dialect the status is that API's.
    for body in [event(ONE, "B", "1"), event(ONE, "A", "2")] {
        let reply = post(&server, "/streams/s", &[BATCH], &body, 400);
        assert_eq!(reply.reason, "Wrong expected EventNumber");
        let problem = reply.json();
        assert_eq!((&problem["eventId"], &problem["number"]), (&ONE.into(), &0.into()), "{problem}");
    }
    let json = ("Content-Type", "application/json");
    let path = format!("/streams/s/incoming/{ONE}");
    let reply = post(&server, &path, &[json], "2", 409);
    assert!(reply.text().contains("/ui/problems/event-id-taken"));
    let reply = post(&server, &path, &[json, ("ES-EventType", "B")], "1", 400);
    assert_eq!(reply.reason, "Wrong expected EventNumber");
    assert_eq!(server.events(), 1);
}

#[test]
fn an_idempotency_key_stands_for_an_id() {
    let (_data, server) = server();
    let key = ("Idempotency-Key", "order 7");
    let first = post(&server, "/streams/s", &[TEXT, key], "x", 201);
    let repeat = post(&server, "/streams/s", &[TEXT, key], "x", 201);
    assert_eq!((first.header("everfeed-repeat"), repeat.header("everfeed-repeat")), (None, Some("true")));
    assert_eq!(first.header("location"), repeat.header("location"));
    post(&server, "/streams/s", &[TEXT, key], "y", 409);
    post(&server, "/streams/s", &[TEXT, ("Idempotency-Key", "order 8")], "y", 201);
    let batch = r#"[{"eventType":"A"},{"eventType":"B"}]"#;
    post(&server, "/streams/b", &[BATCH, key], batch, 201);
    assert_eq!(post(&server, "/streams/b", &[BATCH, key], batch, 201).header("everfeed-repeat"), Some("true"));
    assert_eq!(server.events(), 4);
}

#[test]
fn incoming_names_the_id_of_its_event() {
    let (_data, server) = server();
    let path = format!("/streams/s/incoming/{ONE}");
    post(&server, &path, &[TEXT], "x", 201);
    assert_eq!(post(&server, &path, &[TEXT], "x", 201).header("everfeed-repeat"), Some("true"));
    assert_eq!(post(&server, &path, &[TEXT, ("ES-EventId", ONE)], "x", 201).header("everfeed-repeat"), Some("true"));
    post(&server, "/streams/s", &[TEXT, ("Kurrent-EventId", ONE)], "x", 201);
    assert_eq!(server.events(), 1);
    let reply = server.get(&path, &[]);
    check(&reply, &path);
    assert_eq!((reply.status, reply.header("allow")), (405, Some("OPTIONS, POST")));
}

#[test]
fn what_was_acknowledged_is_there_after_kill_9() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(data.path(), &[]);
    for n in 0..20 {
        post(&server, "/streams/s", &[TEXT], &n.to_string(), 201);
    }
    server.kill();
    let server = TestServer::start(data.path(), &[]);
    for n in 0..20 {
        let reply = server.get(&format!("/streams/s/{n}/data"), &[]);
        assert_eq!(reply.text(), n.to_string());
    }
    assert_eq!(post(&server, "/streams/s", &[TEXT], "x", 201).header("es-currentversion"), Some("20"));
}
