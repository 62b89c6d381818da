//! Lines of JSON over HTTP: pages out, thousands of events in, and nothing lost from the one to the other.

use serde_json::{Value, json};

use crate::support::{Reply, TestServer, check, request};

const NDJSON: &str = "application/x-ndjson";

fn server() -> (tempfile::TempDir, TestServer) {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(data.path(), &[]);
    (data, server)
}

/// Appends lines; the answer must satisfy what every answer must, and have this status.
#[track_caller]
fn post(server: &TestServer, path: &str, headers: &[(&str, &str)], body: &[u8], status: u16) -> Reply {
    let headers = [&[("Content-Type", NDJSON)], headers].concat();
    let reply = server.post(path, &headers, body);
    check(&reply, &format!("POST {path}"));
    assert_eq!(reply.status, status, "{path} {}", String::from_utf8_lossy(&reply.body));
    reply
}

#[track_caller]
fn get(server: &TestServer, path: &str) -> Reply {
    let reply = server.get(path, &[("Accept", NDJSON)]);
    check(&reply, path);
    assert_eq!((reply.status, reply.header("content-type")), (200, Some(NDJSON)), "{path} {}", reply.text());
    reply
}

/// Without what is decided anew as a line is appended.
fn lines(reply: &Reply) -> Vec<Value> {
    let line = |line: &str| {
        let mut line: Value = serde_json::from_str(line).expect("JSON");
        for member in ["stream", "number", "position", "time"] {
            line.as_object_mut().expect("an object").remove(member).expect(member);
        }
        line
    };
    reply.text().lines().map(line).collect()
}

#[test]
fn what_is_read_in_one_place_can_be_appended_in_another() {
    let (_data, server) = server();
    for (media_type, data) in [
        ("application/json", &b"{\"n\" : 1.10e2}"[..]),
        ("application/vnd.shop+json", b" {\"on\":\n\"two lines\"} "),
        ("text/plain; charset=utf-8", b"said \"yes\"\n"),
        ("image/png", b"\x89PNG\xFF"),
        ("application/octet-stream", b""),
    ] {
        let reply = server.post("/streams/from", &[("Content-Type", media_type), ("ES-EventType", "T \u{E9}")], data);
        assert_eq!(reply.status, 201, "{}", reply.text());
    }
    let batch = json!([{"eventType": "M", "data": 1, "metadata": {"by": "me"}}]).to_string();
    let of_batch = [("Content-Type", "application/vnd.eventstore.events+json")];
    assert_eq!(server.post("/streams/from", &of_batch, batch.as_bytes()).status, 201);

    let page = get(&server, "/streams/from/0/forward/100");
    let first = page.text().lines().next().expect("a line");
    assert!(first.starts_with(r#"{"stream":"from","number":0,"position":0,"id":""#), "{first}");
    assert!(first.ends_with(r#","data":{"n" : 1.10e2}}"#), "{first}");
    let reply = post(&server, "/streams/to", &[("ES-ExpectedVersion", "-1")], &page.body, 201);
    assert_eq!(reply.header("es-currentversion"), Some("5"));
    assert_eq!(lines(&get(&server, "/streams/to")), lines(&page));
    for number in 0..6 {
        let path = |stream: &str| format!("/streams/{stream}/{number}");
        let (from, to) =
            (server.get(&format!("{}/data", path("from")), &[]), server.get(&format!("{}/data", path("to")), &[]));
        assert_eq!((from.header("content-type"), &from.body), (to.header("content-type"), &to.body), "{number}");
        assert_eq!(lines(&get(&server, &path("to"))), lines(&get(&server, &path("from"))), "{number}");
    }
    let again = post(&server, "/streams/to", &[], &page.body, 201);
    assert_eq!(again.header("everfeed-repeat"), Some("true"), "they have the same ids");
    let all = get(&server, "/streams/%24all/0/forward/20");
    assert_eq!(all.text().lines().count(), 12);
}

#[test]
fn ten_thousand_lines_are_one_append() {
    let (_data, server) = server();
    let body: String = (0..10_000).map(|n| format!("{{\"type\":\"t\",\"data\":{n}}}\n")).collect();
    let key = [("Idempotency-Key", "import-1")];
    let reply = post(&server, "/streams/many", &key, body.as_bytes(), 201);
    assert_eq!(reply.header("es-currentversion"), Some("9999"));
    assert_eq!(post(&server, "/streams/many", &key, body.as_bytes(), 201).header("everfeed-repeat"), Some("true"));
    let page = get(&server, "/streams/many/8192/forward/4096");
    let numbers: Vec<u64> = lines(&page).iter().map(|line| line["data"].as_u64().expect("a number")).collect();
    assert_eq!(numbers, (8_192..10_000).collect::<Vec<_>>(), "oldest first");
    let link = page.header("link").expect("links");
    assert!(link.contains("/streams/many/10000/forward/4096.ndjson>; rel=\"previous\""), "{link}");
    assert_eq!(get(&server, "/streams/many/10000/forward/4096").body, b"", "an empty page has no lines");
}

#[test]
fn links_of_lines_lead_to_lines_whatever_is_accepted_there() {
    let (_data, server) = server();
    let body: String = (0..25).map(|n| format!("{{\"type\":\"t\",\"data\":{n}}}\n")).collect();
    post(&server, "/streams/s", &[], body.as_bytes(), 201);
    let base = format!("http://{}", server.address);
    let linked = |reply: &Reply, rel: &str| -> Option<String> {
        let wanted = format!("; rel=\"{rel}\"; type=\"{NDJSON}\"");
        let links = reply.header("link").expect("links").split(", ");
        let link = links.map(str::to_string).find(|link| link.ends_with(&wanted))?;
        Some(link.split(['<', '>']).nth(1).expect("an address").trim_start_matches(&base).to_string())
    };
    let head = get(&server, "/streams/s");
    assert_eq!(linked(&head, "first").as_deref(), Some("/streams/s?format=ndjson"));
    assert_eq!(linked(&head, "last").as_deref(), Some("/streams/s/0/forward/100.ndjson"));
    let (mut path, mut read) = ("/streams/s/0/forward/10".to_string(), Vec::new());
    for _ in 0..4 {
        let page = get(&server, &path);
        read.extend(lines(&page).iter().map(|line| line["data"].as_u64().expect("a number")));
        path = linked(&page, "previous").unwrap_or_default();
        if !path.is_empty() {
            let other = server.get(&path, &[("Accept", "application/atom+xml")]);
            check(&other, &path);
            assert_eq!((other.header("content-type"), other.header("vary")), (Some(NDJSON), Some("Accept-Encoding")));
        }
    }
    assert_eq!(path, "", "the empty page at the end has no newer one");
    assert_eq!(read, (0..25).collect::<Vec<_>>());
}

#[test]
fn a_line_that_is_wrong_is_named_and_nothing_is_written() {
    let (_data, server) = server();
    let good = r#"{"type":"t","data":1}"#;
    for (bad, line, problem) in [
        ("{", 3, "a name in double quotes"),
        ("{\"data\":1}", 3, "the event has no type"),
        ("{\"type\":\"t\",\"removed\":true}", 3, "one whose content was removed cannot be appended"),
        ("{\"type\":\"t\",\"dataBase64\":\"?\"}", 3, "dataBase64 is base64"),
        ("[1]", 3, "a line is an object"),
    ] {
        let reply = post(&server, "/streams/s", &[], format!("{good}\n\n{bad}\n{good}").as_bytes(), 400);
        let told = reply.json();
        assert_eq!(told["line"], line, "{told}");
        assert!(told["detail"].as_str().is_some_and(|detail| detail.contains(problem)), "{told}");
        assert!(told["detail"].as_str().is_some_and(|detail| detail.contains("in the event at index 1")), "{told}");
    }
    let empty = post(&server, "/streams/s", &[], b"\n", 400);
    assert!(empty.text().contains("the body has no lines"), "{}", empty.text());
    let many = format!("{good}\n").repeat(10_001);
    assert_eq!(post(&server, "/streams/s", &[], many.as_bytes(), 413).json()["line"], 10_001);
    let large = format!("{{\"type\":\"t\",\"data\":\"{}\"}}", "x".repeat(4 << 20));
    post(&server, "/streams/s", &[], large.as_bytes(), 413);
    let incoming = "/streams/s/incoming/11111111-1111-4111-8111-111111111111";
    post(&server, incoming, &[], good.as_bytes(), 415);
    assert_eq!(server.events(), 0);
    server.assert_no_panic();
}

#[test]
fn rows_whose_content_was_removed_have_a_line_too() {
    let (_data, server) = server();
    post(&server, "/streams/s", &[], b"{\"type\":\"t\",\"data\":1,\"metadata\":{\"by\":2}}", 201);
    let line =
        |reply: &Reply| -> Value { serde_json::from_str(reply.text().lines().next().expect("a line")).expect("JSON") };
    let before = line(&get(&server, "/streams/%24all/0/forward/10"));
    let deleted = request(server.address, "DELETE", "/streams/s", &[], b"");
    assert_eq!(deleted.status, 204, "{deleted:?}");
    let after = line(&get(&server, "/streams/%24all/0/forward/10"));
    for member in ["stream", "number", "position", "id", "type", "time"] {
        assert_eq!(after[member], before[member], "{member}");
    }
    assert_eq!(after["removed"], true);
    assert_eq!(after["digest"].as_str().map(str::len), Some(32));
    for member in ["mediaType", "data", "metadata"] {
        assert_eq!(after.get(member), None, "{member}");
    }
    let batch = server.get("/streams/%24all/0/forward/10?format=cloudevents", &[]).json();
    assert_eq!((&batch[0]["evfremoved"], batch[0].get("data")), (&Value::Bool(true), None), "{batch}");
}

#[test]
fn head_and_conditional_requests_need_no_lines() {
    let (_data, server) = server();
    post(&server, "/streams/s", &[], b"{\"type\":\"t\",\"data\":1}\n{\"type\":\"t\",\"data\":2}", 201);
    for path in ["/streams/s", "/streams/s/0/forward/2", "/streams/s/1", "/streams/s?format=ndjson"] {
        let reply = get(&server, path);
        let tag = reply.header("etag").expect("a tag");
        let head = request(server.address, "HEAD", path, &[("Accept", NDJSON)], b"");
        check(&head, path);
        for header in ["etag", "content-length", "content-type", "link", "cache-control"] {
            assert_eq!(head.header(header), reply.header(header), "{header} {path}");
        }
        let again = server.get(path, &[("Accept", NDJSON), ("If-None-Match", tag)]);
        check(&again, path);
        assert_eq!((again.status, again.header("etag")), (304, Some(tag)), "{path}");
        let atom = server.get(path, &[("Accept", "application/atom+xml"), ("If-None-Match", tag)]);
        assert_eq!(atom.status == 304, path.contains("format"), "another document has another tag: {path}");
    }
    let tag = get(&server, "/streams/s").header("etag").expect("a tag").to_string();
    post(&server, "/streams/s", &[("If-Match", &tag)], b"{\"type\":\"t\",\"data\":3}", 201);
    post(&server, "/streams/s", &[("If-Match", &tag)], b"{\"type\":\"t\",\"data\":4}", 412);
}
