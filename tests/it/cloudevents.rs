//! CloudEvents 1.0 over HTTP, in every mode: what comes in goes out again, and what is no CloudEvent is refused.

use serde_json::{Value, json};

use crate::support::{Reply, TestServer, check, request};

const STRUCTURED: &str = "application/cloudevents+json";
const BATCH: &str = "application/cloudevents-batch+json";

fn server() -> (tempfile::TempDir, TestServer) {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(data.path(), &[]);
    (data, server)
}

/// Appends; the answer must satisfy what every answer must, and have this status.
#[track_caller]
fn post(server: &TestServer, path: &str, headers: &[(&str, &str)], body: &[u8], status: u16) -> Reply {
    let reply = server.post(path, headers, body);
    check(&reply, &format!("POST {path} {headers:?}"));
    assert_eq!(reply.status, status, "{path} {headers:?} {reply:?} {}", String::from_utf8_lossy(&reply.body));
    reply
}

#[track_caller]
fn get(server: &TestServer, path: &str, accept: &str) -> Reply {
    let reply = server.get(path, &[("Accept", accept)]);
    check(&reply, &format!("{path} {accept}"));
    reply
}

/// The detail of a refusal.
fn detail(reply: &Reply) -> String {
    reply.json()["detail"].as_str().unwrap_or_default().to_string()
}

fn events() -> Vec<Value> {
    vec![
        json!({
            "specversion": "1.0", "type": "com.shop.placed", "source": "/shop/1", "id": "order-1", "subject": "4711",
            "time": "2026-11-24T18:30:00+01:00", "dataschema": "https://shop.example/order.json", "priority": 5,
            "urgent": true, "note": "Gr\u{F6}\u{DF}e \"L\"", "datacontenttype": "application/json", "data": {"total": 12.5},
        }),
        json!({"specversion": "1.0", "type": "t", "source": "s", "id": "2"}),
        json!({
            "specversion": "1.0", "type": "t", "source": "s", "id": "0190c6a4-7b1e-7f5e-9a52-1f6f2d3c4b5a",
            "datacontenttype": "text/plain", "data": "two\nlines",
        }),
        json!({"specversion": "1.0", "type": "t", "source": "s", "id": "4", "datacontenttype": "image/png", "data_base64": "iVBORw0K/wA="}),
    ]
}

#[test]
fn structured_ones_go_out_as_they_came_in() {
    let (_data, server) = server();
    for (number, sent) in events().iter().enumerate() {
        let headers = [("Content-Type", "application/cloudevents+json; charset=UTF-8")];
        let reply = post(&server, "/streams/s", &headers, sent.to_string().as_bytes(), 201);
        assert_eq!(reply.header("es-currentversion"), Some(number.to_string().as_str()));
        let path = format!("/streams/s/{number}");
        let reply = get(&server, &path, STRUCTURED);
        assert_eq!(reply.header("content-type"), Some("application/cloudevents+json; charset=utf-8"));
        assert_eq!(reply.json(), *sent);
        let head = request(server.address, "HEAD", &path, &[("Accept", STRUCTURED)], b"");
        assert_eq!(
            (head.header("etag"), head.header("content-length")),
            (reply.header("etag"), reply.header("content-length"))
        );
        let tag = reply.header("etag").expect("a tag");
        let again = server.get(&path, &[("Accept", STRUCTURED), ("If-None-Match", tag)]);
        check(&again, "it is there already");
        assert_eq!(again.status, 304);
    }
    let reply = get(&server, "/streams/s", BATCH);
    assert_eq!(reply.header("content-type"), Some("application/cloudevents-batch+json; charset=utf-8"));
    assert_eq!(reply.json(), Value::Array(events()), "oldest first");
    assert_eq!(get(&server, "/streams/s/0/data", "*/*").body, br#"{"total":12.5}"#);
    let atom = get(&server, "/streams/s/0.atom", "*/*");
    assert!(atom.text().contains("com.shop.placed"), "{}", atom.text());
}

#[test]
fn a_batch_is_one_append_and_is_recognised_when_it_is_repeated() {
    let (_data, server) = server();
    let body = Value::Array(events()).to_string();
    let first = post(&server, "/streams/s", &[("Content-Type", BATCH)], body.as_bytes(), 201);
    assert_eq!(first.header("es-currentversion"), Some("3"));
    assert_eq!(first.header("everfeed-repeat"), None);
    let again = post(&server, "/streams/s", &[("Content-Type", BATCH)], body.as_bytes(), 201);
    assert_eq!(again.header("everfeed-repeat"), Some("true"));
    assert_eq!(again.header("location"), first.header("location"));
    let one = post(&server, "/streams/s", &[("Content-Type", STRUCTURED)], events()[1].to_string().as_bytes(), 201);
    assert_eq!(one.header("everfeed-repeat"), Some("true"), "the same id and source");
    let mut other = events()[1].clone();
    other["source"] = "elsewhere".into();
    let new = post(&server, "/streams/s", &[("Content-Type", STRUCTURED)], other.to_string().as_bytes(), 201);
    assert_eq!(new.header("everfeed-repeat"), None, "the same id from elsewhere");
    other["data"] = 1.into();
    let refused = post(&server, "/streams/s", &[("Content-Type", STRUCTURED)], other.to_string().as_bytes(), 409);
    assert!(detail(&refused).contains("already in the stream"), "{}", refused.text());
    assert_eq!(server.events(), 5);
}

#[test]
fn binary_ones_go_out_as_they_came_in() {
    let (_data, server) = server();
    let headers = [
        ("ce-specversion", "1.0"),
        ("ce-type", "com.shop.scanned"),
        ("ce-source", "/scanner"),
        ("ce-id", "scan 1"),
        ("ce-subject", "caf%C3%A9%20%25"),
        ("ce-priority", "\"5\""),
    ];
    let with = |more: &[(&'static str, &'static str)]| [&headers[..], more].concat();
    post(&server, "/streams/s", &with(&[("Content-Type", "image/png")]), b"\x89PNG", 201);
    let json = br#"{"n" : 1.0}"#;
    let of_json = [("Content-Type", "application/json"), ("ce-id", "scan 2")];
    post(&server, "/streams/s", &[&headers[..3], &of_json, &headers[4..]].concat(), json, 201);
    let structured = get(&server, "/streams/s/0", STRUCTURED).json();
    assert_eq!(
        structured,
        json!({
            "specversion": "1.0", "type": "com.shop.scanned", "source": "/scanner", "id": "scan 1",
            "subject": "caf\u{E9} %", "priority": "5", "datacontenttype": "image/png", "data_base64": "iVBORw==",
        })
    );
    let reply = get(&server, "/streams/s/0/data", "*/*");
    assert_eq!((reply.header("content-type"), &reply.body[..]), (Some("image/png"), &b"\x89PNG"[..]));
    for (name, value) in [
        ("ce-specversion", "1.0"),
        ("ce-type", "com.shop.scanned"),
        ("ce-source", "/scanner"),
        ("ce-id", "scan%201"),
        ("ce-subject", "caf%C3%A9%20%25"),
        ("ce-priority", "5"),
    ] {
        assert_eq!(reply.header(name), Some(value), "{name}");
    }
    assert_eq!(reply.header("ce-datacontenttype"), None, "Content-Type says it");
    assert_eq!(get(&server, "/streams/s/1/data", "*/*").body, json, "byte for byte");

    // Without a body, and so without a media type.
    let nothing = [&headers[..3], &[("ce-id", "scan 3")]].concat();
    post(&server, "/streams/s", &nothing, b"", 201);
    let expected = json!({"specversion": "1.0", "type": "com.shop.scanned", "source": "/scanner", "id": "scan 3"});
    assert_eq!(get(&server, "/streams/s/2", STRUCTURED).json(), expected);
    let again = post(&server, "/streams/s", &nothing, b"", 201);
    assert_eq!(again.header("everfeed-repeat"), Some("true"));
}

#[test]
fn any_other_event_goes_out_as_one_about_itself() {
    let (_data, server) = server();
    let stream = "/streams/a%20b%2Fc";
    let headers = [
        ("Content-Type", "application/json"),
        ("ES-EventType", "OrderPlaced"),
        ("ES-EventId", "0190c6a4-7b1e-7f5e-9a52-1f6f2d3c4b5a"),
    ];
    post(&server, stream, &headers, br#"{"total" : 1.10e2}"#, 201);
    let reply = get(&server, &format!("{stream}/0"), STRUCTURED);
    assert!(reply.text().ends_with(r#","data":{"total" : 1.10e2}}"#), "byte for byte: {}", reply.text());
    let mut event = reply.json();
    let time = event["time"].take();
    assert!(time.as_str().is_some_and(|time| time.ends_with('Z')), "{time}");
    assert_eq!(
        event,
        json!({
            "specversion": "1.0", "id": "0190c6a4-7b1e-7f5e-9a52-1f6f2d3c4b5a", "source": stream, "type": "OrderPlaced",
            "datacontenttype": "application/json", "time": null, "evfstream": "a b/c", "evfnumber": "0",
            "evfposition": "0", "data": {"total": 110.0},
        })
    );
    let data = get(&server, &format!("{stream}/0/data"), "*/*");
    assert_eq!(data.header("ce-source"), Some("/streams/a%2520b%252Fc"), "a value in which `%` is data");
    assert_eq!(data.header("ce-evfstream"), Some("a%20b/c"));

    // What comes out of one stream can go into another, and says there where it came from.
    post(&server, "/streams/copy", &[("Content-Type", STRUCTURED)], &reply.body, 201);
    assert_eq!(get(&server, "/streams/copy/0", STRUCTURED).json(), reply.json());

    // Attributes that are too long for headers are told in the other modes alone.
    let long = json!([{"eventType": "t", "metadata": {"by": "x".repeat(4_000)}}]).to_string();
    post(&server, "/streams/long", &[("Content-Type", "application/vnd.eventstore.events+json")], long.as_bytes(), 201);
    let data = get(&server, "/streams/long/0/data", "*/*");
    assert!(!data.headers.iter().any(|(name, _)| name.starts_with("ce-")), "{data:?}");
    let metadata = get(&server, "/streams/long/0", STRUCTURED).json()["evfmetadata"].clone();
    assert!(metadata.as_str().is_some_and(|metadata| metadata.len() > 4_000));
}

#[test]
fn pages_link_to_each_other_in_the_header() {
    let (_data, server) = server();
    let batch: Vec<Value> = (0..12)
        .map(|n| json!({"specversion": "1.0", "type": "t", "source": "s", "id": n.to_string(), "data": n}))
        .collect();
    post(&server, "/streams/s", &[("Content-Type", BATCH)], Value::Array(batch.clone()).to_string().as_bytes(), 201);
    let mut walked = Vec::new();
    let mut path = "/streams/s/0/forward/5".to_string();
    for _ in 0..10 {
        let reply = get(&server, &path, BATCH);
        let page = reply.json();
        let page = page.as_array().expect("an array");
        if page.is_empty() {
            break;
        }
        walked.extend(page.clone());
        let link = reply.header("link").expect("links");
        let newer = link.split(", ").find(|link| link.contains("rel=\"previous\"")).expect("a link to what is newer");
        let url = newer.trim_start_matches('<').split('>').next().expect("a URL");
        path = url.split_once(&server.address.to_string()).expect("on this server").1.to_string();
        assert!(!path.contains('.'), "it leads to whatever is asked for: {path}");
    }
    assert_eq!(walked, batch);
}

#[test]
fn what_is_no_cloudevent_is_refused() {
    let (_data, server) = server();
    for (body, problem) in [
        ("", "it ends where a JSON value should stand"),
        ("[]", "a CloudEvent is an object"),
        (r#"{"type":"t"}"#, "a CloudEvent has an attribute specversion, and this one has none"),
        (r#"{"specversion":"0.3"}"#, "specversion is \"1.0\", not \"0.3\""),
        (r#"{"specversion":"1.0","id":"1","source":"/s"}"#, "a CloudEvent has an attribute type"),
        (r#"{"id":1}"#, "id is a string"),
        (r#"{"time":"now"}"#, "time is a time by RFC 3339"),
        (r#"{"my_ext":1}"#, "\"my_ext\" is no name of an attribute"),
        (r#"{"data":1,"data_base64":"MQ=="}"#, "the event has both data and data_base64"),
    ] {
        let reply = post(&server, "/streams/s", &[("Content-Type", STRUCTURED)], body.as_bytes(), 400);
        assert!(detail(&reply).contains(problem), "{body}: {}", reply.text());
        assert!(reply.json()["line"].is_u64(), "{body}: {}", reply.text());
    }
    let one = [("ce-specversion", "1.0"), ("ce-type", "t"), ("ce-source", "s"), ("ce-id", "1")];
    let json = ("Content-Type", "application/json");
    for (headers, body, header, problem) in [
        (vec![("ce-specversion", "0.3"), json], "1", "ce-specversion", "specversion is \"1.0\""),
        (one[..3].to_vec(), "", "ce-id", "a CloudEvent has an attribute id, and this one has none"),
        ([&one[..], &[("ce-my-ext", "1")]].concat(), "", "ce-my-ext", "\"my-ext\" is no name of an attribute"),
        ([&one[..], &[("ce-ext", "%FF")]].concat(), "", "ce-ext", "it is not UTF-8"),
        ([&one[..], &[("ce-type", "t")]].concat(), "", "ce-type", "type stands twice"),
        (
            [&one[..], &[("ce-datacontenttype", "text/plain")]].concat(),
            "",
            "ce-datacontenttype",
            "Content-Type says it",
        ),
        (
            [("ce-type", "..")].into_iter().chain(one).filter(|pair| *pair != one[1]).collect(),
            "",
            "ce-type",
            "type cannot be",
        ),
    ] {
        let reply = post(&server, "/streams/s", &headers, body.as_bytes(), 400);
        assert_eq!(reply.json()["header"], header, "{}", reply.text());
        assert!(detail(&reply).contains(problem), "{headers:?}: {}", reply.text());
    }
    let reply = post(&server, "/streams/s", &[&one[..], &[json]].concat(), b"{", 400);
    assert!(detail(&reply).contains("not the JSON that its media type says"), "{}", reply.text());
    for (headers, status) in [
        ([&one[..], &[("Content-Type", "application/vnd.eventstore.events+json")]].concat(), 415),
        ([&one[..], &[("Content-Type", "application/x-ndjson")]].concat(), 415),
        (vec![("Content-Type", "application/cloudevents+xml")], 415),
        (vec![("Content-Type", "application/cloudevents+json; charset=utf-16")], 415),
    ] {
        post(&server, "/streams/s", &headers, b"[]", status);
    }
    let incoming = "/streams/s/incoming/11111111-1111-4111-8111-111111111111";
    post(&server, incoming, &[("Content-Type", STRUCTURED)], events()[0].to_string().as_bytes(), 415);
    assert_eq!(server.events(), 0);
    assert_eq!(get(&server, "/streams/s", BATCH).status, 404);
    post(&server, "/streams/s", &[("Content-Type", BATCH)], Value::Array(events()).to_string().as_bytes(), 201);
    assert_eq!(get(&server, "/streams/s", STRUCTURED).status, 406, "a page is a batch");
    assert_eq!(get(&server, "/streams/s/0", BATCH).status, 406, "an event is none");
    server.assert_no_panic();
}
