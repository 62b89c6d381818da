//! Asking again: 304 for what the client has, in all the forms that RFC 9110 knows, and HEAD.

use crate::support::{Reply, TestServer, check, request};

const ATOM: &str = "application/atom+xml";
const EVENTSTORE: &str = "application/vnd.eventstore.atom+json";
const EVENTS: &str = "application/vnd.eventstore.events+json";

fn server() -> (tempfile::TempDir, TestServer) {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start_with(data.path(), &[("page_size", "5")]);
    append(&server, 12);
    (data, server)
}

fn append(server: &TestServer, count: usize) {
    let body = format!("[{}]", vec![r#"{"eventType":"t","data":{}}"#; count].join(","));
    assert_eq!(server.post("/streams/s", &[("Content-Type", EVENTS)], body.as_bytes()).status, 201);
}

#[track_caller]
fn get(server: &TestServer, path: &str, headers: &[(&str, &str)]) -> Reply {
    let reply = server.get(path, headers);
    check(&reply, &format!("{path} {headers:?}"));
    reply
}

/// Every kind of document with a tag: path and Accept.
const DOCUMENTS: &[(&str, &str)] = &[
    ("/streams/s", ATOM),
    ("/streams/s", EVENTSTORE),
    ("/streams/s", EVENTS),
    ("/streams/s/0/forward/5", ATOM),
    ("/streams/s/0/forward/5.atom", ATOM),
    ("/streams/s/0/forward/5", EVENTSTORE),
    ("/streams/s/0/forward/5", "text/xml"),
    ("/streams/s/0/forward/5", "application/vnd.eventstore.events+xml"),
    ("/streams/s/2/forward/5.atom", ATOM),
    ("/streams/s/10/forward/5.atom", ATOM),
    ("/streams/s/12/forward/5.atom", ATOM),
    ("/streams/s/3", ATOM),
    ("/streams/s/3", EVENTSTORE),
    ("/streams/s/3", "application/json"),
    ("/streams/s/3", "application/xml"),
    ("/streams/s/3", "application/octet-stream"),
    ("/streams/s/head.atom", ATOM),
    ("/streams/s/3/data", ATOM),
    ("/streams/s/head/data", ATOM),
    ("/streams/%24all", ATOM),
    ("/streams/%24all/0/forward/5.atom", ATOM),
    ("/streams/s/metadata", ATOM),
    ("/ui/everfeed.css", ATOM),
];

#[test]
fn rfc9110_if_none_match_in_all_its_forms() {
    let (_data, server) = server();
    for (path, accept) in DOCUMENTS {
        for coding in ["identity", "gzip", "zstd"] {
            let base = [("Accept", *accept), ("Accept-Encoding", coding)];
            let whole = get(&server, path, &base);
            assert_eq!(whole.status, 200, "{path}");
            let plain = get(&server, path, &[("Accept", accept)]);
            let tag = whole.header("etag").expect("a tag");
            let identity_tag = plain.header("etag").expect("a tag");
            for condition in [
                tag.to_string(),
                identity_tag.to_string(),
                format!("W/{tag}"),
                format!("\"a\", \"b,c\" , W/{tag}"),
                format!(",, {tag},"),
                "*".to_string(),
            ] {
                let reply = get(&server, path, &[base[0], base[1], ("If-None-Match", &condition)]);
                assert_eq!(reply.status, 304, "{path} {accept} {coding} {condition}");
                for name in ["etag", "cache-control", "vary"] {
                    assert_eq!(reply.header(name), whole.header(name), "{name} {path} {accept}");
                }
                assert_eq!(reply.header("content-length"), None);
            }
            for condition in ["\"x\"", "", "no quotes", &tag.replace('"', ""), &format!("x{tag}")] {
                let reply = get(&server, path, &[base[0], base[1], ("If-None-Match", condition)]);
                assert_eq!((reply.status, &reply.body), (200, &whole.body), "{path} {condition}");
            }
        }
    }
}

#[test]
fn a_304_has_no_body_and_the_connection_goes_on() {
    let (_data, server) = server();
    let get = "GET /streams/s HTTP/1.1\r\nHost: localhost\r\n";
    let raw = format!("{get}If-None-Match: *\r\n\r\n{get}If-None-Match: *\r\nConnection: close\r\n\r\n");
    let mut socket = std::net::TcpStream::connect(server.address).expect("it listens");
    std::io::Write::write_all(&mut socket, raw.as_bytes()).expect("it reads");
    let mut answers = String::new();
    std::io::Read::read_to_string(&mut socket, &mut answers).expect("answers");
    let answers: Vec<&str> = answers.split_terminator("\r\n\r\n").collect();
    assert_eq!(answers.len(), 2, "{answers:?}");
    assert!(answers.iter().all(|answer| answer.starts_with("HTTP/1.1 304 ")), "{answers:?}");
}

#[test]
fn a_tag_changes_with_what_it_stands_for_and_only_then() {
    let (_data, server) = server();
    let tags = || -> Vec<String> {
        let tag = |(path, accept): &(&str, &str)| {
            get(&server, path, &[("Accept", accept)]).header("etag").expect("a tag").to_string()
        };
        DOCUMENTS.iter().map(tag).collect()
    };
    let before = tags();
    let reply = server.post("/streams/other", &[("Content-Type", "text/plain")], b"x");
    assert_eq!(reply.status, 201);
    let changed = |before: &[String], after: &[String]| -> Vec<&'static str> {
        let pairs = before.iter().zip(after).zip(DOCUMENTS);
        pairs.filter(|((one, other), _)| one != other).map(|(_, (path, _))| *path).collect()
    };
    let between = tags();
    assert_eq!(changed(&before, &between), ["/streams/%24all"], "an append elsewhere");
    append(&server, 1);
    let after = tags();
    assert_eq!(
        changed(&between, &after),
        [
            "/streams/s",
            "/streams/s",
            "/streams/s",
            "/streams/s/10/forward/5.atom",
            "/streams/s/12/forward/5.atom",
            "/streams/s/head.atom",
            "/streams/s/head/data",
            "/streams/%24all",
        ]
    );
    // The names that clients of EventStore take apart: the newest number comes first.
    let head = get(&server, "/streams/s", &[("Accept", EVENTSTORE)]);
    assert!(head.header("etag").is_some_and(|tag| tag.starts_with("\"12;")), "{head:?}");
    assert_eq!(head.json()["eTag"], head.header("etag").unwrap_or_default().trim_matches('"'));
}

#[test]
fn tags_of_one_event_differ_by_representation() {
    let (_data, server) = server();
    let others = ["application/vnd.kurrent.event+json", "application/cloudevents+json", "application/x-ndjson"];
    let mut tags: Vec<String> = [ATOM, EVENTSTORE, "application/json"]
        .into_iter()
        .chain(others)
        .flat_map(|accept| ["identity", "gzip", "zstd"].map(|coding| (accept, coding)))
        .map(|(accept, coding)| {
            let reply = get(&server, "/streams/s/3", &[("Accept", accept), ("Accept-Encoding", coding)]);
            format!("{} {}", reply.header("etag").expect("a tag"), reply.header("content-encoding").unwrap_or_default())
        })
        .collect();
    tags.sort();
    tags.dedup();
    // JSON data are sent as they are, whatever the coding.
    assert_eq!(tags.len(), 16, "{tags:#?}");
}

#[test]
fn dates_count_on_what_never_changes_and_nowhere_else() {
    let (_data, server) = server();
    let future = "Tue, 01 Jan 2199 00:00:00 GMT";
    for (path, accept) in DOCUMENTS {
        let whole = get(&server, path, &[("Accept", accept)]);
        let expected = if whole.header("last-modified").is_some() { 304 } else { 200 };
        let reply = get(&server, path, &[("Accept", accept), ("If-Modified-Since", future)]);
        assert_eq!(reply.status, expected, "{path} {accept}");
        if let Some(date) = whole.header("last-modified") {
            let date = date.to_string();
            let reply = get(&server, path, &[("Accept", accept), ("If-Modified-Since", &date)]);
            assert_eq!(reply.status, 304, "{path} {accept}");
        }
        for date in ["Thu, 01 Jan 1970 00:00:00 GMT", "yesterday", ""] {
            let reply = get(&server, path, &[("Accept", accept), ("If-Modified-Since", date)]);
            assert_eq!(reply.status, 200, "{path} {date}");
        }
        let both = [("Accept", *accept), ("If-Modified-Since", future), ("If-None-Match", "\"x\"")];
        assert_eq!(get(&server, path, &both).status, 200, "a tag says more than a date");
    }
    let moving = ["/streams/s", "/streams/s/10/forward/5.atom", "/streams/s/head.atom", "/streams/s/head/data"];
    for path in moving {
        assert_eq!(get(&server, path, &[("Accept", ATOM)]).header("last-modified"), None, "{path}");
    }
}

#[test]
fn head_has_the_headers_of_get_and_no_body() {
    let (_data, server) = server();
    let others = [
        ("/streams/s?wait=1", ATOM),
        ("/streams/s/12/forward/5?wait=30", ATOM),
        ("/streams/none", ATOM),
        ("/streams/s", "image/png"),
        ("/streams/s/", ATOM),
        ("/info", ATOM),
        ("/health/ready", ATOM),
        ("/nothing", ATOM),
    ];
    for (path, accept) in DOCUMENTS.iter().chain(&others) {
        for extra in [("X", "y"), ("Accept-Encoding", "gzip"), ("If-None-Match", "*")] {
            let headers = [("Accept", *accept), extra];
            let head = request(server.address, "HEAD", path, &headers, b"");
            check(&head, &format!("HEAD {path} {headers:?}"));
            if path.ends_with("wait=30") {
                assert_eq!(head.header("cache-control"), Some("no-store"));
                continue;
            }
            let get = get(&server, path, &headers);
            assert_eq!(head.status, get.status, "{path} {headers:?}");
            let facts = |reply: &Reply| -> Vec<(String, String)> {
                let is_of_the_moment = |name: &str| name == "date" || (name == "content-length" && reply.status >= 400);
                let mut facts: Vec<_> =
                    reply.headers.iter().filter(|(name, _)| !is_of_the_moment(name)).cloned().collect();
                facts.sort();
                facts
            };
            assert_eq!(facts(&head), facts(&get), "{path} {headers:?}");
        }
    }
}
