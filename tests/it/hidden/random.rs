//! Whatever the rights are: each reader gets exactly what they say.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::support::WithAccess;
use crate::support::{TestServer, check};

const STREAMS: usize = 5;
const READERS: [(&str, &[&str]); 5] =
    [("", &[]), ("ann", &["a"]), ("bob", &["b"]), ("cat", &["a", "b"]), ("admin", &[])];
const ACCEPTED: [&str; 6] = [
    "application/x-ndjson",
    "application/atom+xml",
    "application/vnd.eventstore.atom+json",
    "application/vnd.eventstore.events+json",
    "application/vnd.eventstore.events+xml",
    "application/cloudevents-batch+json",
];

/// Who may read a stream: the roles of its `$acl`.
fn roles() -> impl Strategy<Value = Vec<&'static str>> {
    prop::sample::subsequence(vec!["$all", "a", "b", "ann", "bob"], 0..=2)
}

fn may_read(roles: &[&str], (name, groups): (&str, &[&str])) -> bool {
    name == "admin" || roles.iter().any(|role| *role == "$all" || *role == name || groups.contains(role))
}

fn word(stream: usize) -> String {
    format!("canary{stream}x")
}

fn start(data: &std::path::Path) -> WithAccess {
    let users: Vec<(&str, &[&str])> = READERS[1..4].to_vec();
    let settings = [("access.anonymous", "read")];
    let server = TestServer::start_with_access(data, &settings, &users);
    let json = [("Content-Type", "application/json")];
    let open = r#"{"$systemStreamAcl":{"$r":"$all"}}"#;
    assert_eq!(server.post_as("admin", "/streams/%24settings", &json, open.as_bytes()).status, 201);
    for number in 0..STREAMS * 3 {
        let stream = number % STREAMS;
        let (path, word) = (format!("/streams/r-{}", word(stream)), word(stream));
        let headers = [("Content-Type", "application/json"), ("ES-EventType", "Told")];
        let body = json!({ "word": word, "n": number }).to_string();
        assert_eq!(server.post_as("admin", &path, &headers, body.as_bytes()).status, 201);
    }
    server
}

/// What every reader gets of `$ce-r` under these rights.
fn check_all(server: &WithAccess, rights: &[Vec<&str>]) {
    for (stream, roles) in rights.iter().enumerate() {
        server.set(&format!("r-{}", word(stream)), &json!({ "$acl": { "$r": roles, "$mr": "nobody" } }));
    }
    for page in ["/streams/%24ce-r/0/forward/5", "/streams/%24ce-r/7/forward/100", "/streams/%24ce-r/head/backward/4"] {
        let mut seen: Vec<(Vec<bool>, &str, Option<String>)> = Vec::new();
        for (reader, accept) in READERS.into_iter().flat_map(|reader| ACCEPTED.map(|accept| (reader, accept))) {
            let reply = server.get_as(reader.0, page, &[("Accept", accept)]);
            check(&reply, page);
            assert_eq!(reply.status, 200, "{page}");
            let sees: Vec<bool> = rights.iter().map(|roles| may_read(roles, reader)).collect();
            let all: String = reply.headers.iter().map(|(_, value)| value.as_str()).collect::<String>() + reply.text();
            for (stream, sees) in sees.iter().enumerate() {
                assert!(*sees || !all.contains(&word(stream)), "{reader:?} sees {stream} {accept}: {all}");
            }
            let places = places_of(page, accept);
            let is_public = places.clone().all(|place| rights[place % STREAMS].contains(&"$all"));
            let control = reply.header("cache-control").expect("it has one");
            assert_eq!(control == "private, no-cache", !is_public, "{control} {reader:?} {rights:?}");
            if accept == ACCEPTED[0] {
                let lines = reply.text().lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
                for (line, place) in lines.zip(places) {
                    assert_eq!(line["place"], place);
                    let expected = if sees[place % STREAMS] { word(place % STREAMS).into() } else { Value::Null };
                    assert_eq!(line["data"]["word"], expected, "{reader:?} {line}");
                }
            }
            let tag = reply.header("etag").map(str::to_string);
            for (others, of, other) in seen.iter().filter(|(_, of, _)| *of == accept) {
                let differs = places_of(page, accept).any(|place| others[place % STREAMS] != sees[place % STREAMS]);
                assert_eq!(tag != *other, differs, "{of} {others:?} {sees:?}");
            }
            seen.push((sees, accept, tag));
        }
    }
}

/// The places that a page shows, oldest first. EventStore's pages go back a whole count, ours to a multiple of it.
fn places_of(page: &str, accept: &str) -> std::ops::Range<usize> {
    match page.rsplit_once("r/").expect("a page").1 {
        "0/forward/5" => 0..5,
        "7/forward/100" => 7..15,
        _ if accept.ends_with("atom+json") => 11..15,
        _ => 12..15,
    }
}

#[test]
fn each_reader_sees_what_the_rights_say_and_nothing_else() {
    let data = tempfile::tempdir().expect("a directory");
    let server = start(data.path());
    let mut runner = TestRunner::new(Config { cases: 8, failure_persistence: None, ..Config::default() });
    let tested = runner.run(&prop::collection::vec(roles(), STREAMS), |rights| {
        check_all(&server, &rights);
        Ok(())
    });
    tested.unwrap_or_else(|failed| panic!("{failed}"));
    server.assert_no_panic();
}
