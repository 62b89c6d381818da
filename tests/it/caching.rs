//! The whole caching rule, row by row: what an answer is decides who may keep it, and nothing else does.

use sha2::{Digest as _, Sha256};

use crate::support::{Reply, TestServer, check};

const FROZEN: &str = "public, max-age=31536000, immutable";
const OFF_GRID: &str = "public, max-age=3600";
const LIVE: &str = "public, max-age=1, stale-while-revalidate=2, stale-if-error=86400";
const EVENTSTORE_FROZEN: &str = "max-age=31536000, public";
const EVENTSTORE_LIVE: &str = "max-age=0, no-cache, must-revalidate";

const ATOM: &str = "application/atom+xml";
const EVENTSTORE: &str = "application/vnd.eventstore.atom+json";
const KURRENT: &str = "application/vnd.kurrent.atom+json";
const EVENTS: &str = "application/vnd.eventstore.events+json";
const EVENT: &str = "application/vnd.eventstore.event+json";
const JSON: &str = "application/json";
const NDJSON: &str = "application/x-ndjson";
const CLOUDEVENTS: &str = "application/cloudevents-batch+json";
const CLOUDEVENT: &str = "application/cloudevents+json";

/// Twelve events, pages of five: two complete pages and an open one.
fn start(data: &std::path::Path, page_size: &str) -> TestServer {
    TestServer::start_with(data, &[("page_size", page_size)])
}

fn fill(server: &TestServer) {
    let events: Vec<String> = (0..12).map(|n| format!(r#"{{"eventType":"t","data":{{"n":{n}}}}}"#)).collect();
    let body = format!("[{}]", events.join(","));
    assert_eq!(server.post("/streams/s", &[("Content-Type", EVENTS)], body.as_bytes()).status, 201);
}

/// Asks under a name that stays the same when the port does not.
#[track_caller]
fn get(server: &TestServer, path: &str, accept: &str, coding: &str) -> Reply {
    let reply = server.get(path, &[("Host", "localhost:2113"), ("Accept", accept), ("Accept-Encoding", coding)]);
    check(&reply, &format!("{path} {accept}"));
    reply
}

/// All headers that say something of the document.
fn facts(reply: &Reply) -> Vec<(String, String)> {
    reply.headers.iter().filter(|(name, _)| !matches!(name.as_str(), "date" | "connection")).cloned().collect()
}

fn decoded(reply: &Reply) -> Vec<u8> {
    use std::io::Read;
    let mut decoded = Vec::new();
    match reply.header("content-encoding") {
        None => reply.body.clone(),
        Some("gzip") => {
            flate2::read::GzDecoder::new(&reply.body[..]).read_to_end(&mut decoded).expect("gzip");
            decoded
        }
        Some("zstd") => zstd::stream::decode_all(&reply.body[..]).expect("zstd"),
        Some(other) => panic!("{other}"),
    }
}

#[test]
fn each_answer_has_the_cache_control_of_what_it_is() {
    let data = tempfile::tempdir().expect("a directory");
    let server = start(data.path(), "5");
    fill(&server);
    let both = Some("Accept, Accept-Encoding");
    let coding = Some("Accept-Encoding");
    for (path, accept, cache_control, is_dated, vary) in [
        // Ours, by suffix and by Accept.
        ("/streams/s", ATOM, LIVE, false, both),
        ("/streams/s?format=atom", ATOM, LIVE, false, coding),
        ("/streams/s/0/forward/5.atom", JSON, FROZEN, true, coding),
        ("/streams/s/0/forward/5", ATOM, FROZEN, true, both),
        ("/streams/s/5/forward/5", EVENTS, FROZEN, true, both),
        ("/streams/s/5/forward/5", NDJSON, FROZEN, true, both),
        ("/streams/s/5/forward/5", CLOUDEVENTS, FROZEN, true, both),
        ("/streams/s/5/forward/5?format=ndjson", ATOM, FROZEN, true, coding),
        ("/streams/s/5/forward/5.ndjson", ATOM, FROZEN, true, coding),
        ("/streams/s/10/forward/5.ndjson", ATOM, LIVE, false, coding),
        ("/streams/s/3.ndjson", ATOM, FROZEN, true, coding),
        ("/streams/s?format=ndjson", ATOM, LIVE, false, coding),
        ("/streams/s/5/forward/5.atom?embed=none", ATOM, FROZEN, true, coding),
        ("/streams/s/10/forward/5.atom", ATOM, LIVE, false, coding),
        ("/streams/s/12/forward/5.atom", ATOM, LIVE, false, coding),
        ("/streams/s/99/forward/5.atom", ATOM, LIVE, false, coding),
        ("/streams/s/2/forward/5.atom", ATOM, OFF_GRID, true, coding),
        ("/streams/s/10/forward/5", NDJSON, LIVE, false, both),
        ("/streams/s", CLOUDEVENTS, LIVE, false, both),
        ("/streams/s/2/forward/5", EVENTS, OFF_GRID, true, both),
        ("/streams/s/2/forward/5", CLOUDEVENTS, OFF_GRID, true, both),
        ("/streams/s/4/backward/5.atom", ATOM, OFF_GRID, true, coding),
        ("/streams/s/13/backward/5.atom", ATOM, LIVE, false, coding),
        ("/streams/s/head/backward/5.atom", ATOM, LIVE, false, coding),
        ("/streams/s/3.atom", ATOM, FROZEN, true, coding),
        ("/streams/s/3", ATOM, FROZEN, true, both),
        ("/streams/s/3", EVENT, FROZEN, true, both),
        ("/streams/s/3", CLOUDEVENT, FROZEN, true, both),
        ("/streams/s/3", NDJSON, FROZEN, true, both),
        ("/streams/s/head", CLOUDEVENT, LIVE, false, both),
        ("/streams/s/head.atom", ATOM, LIVE, false, coding),
        ("/streams/s/3/data", ATOM, FROZEN, true, None),
        ("/streams/s/head/data", ATOM, LIVE, false, None),
        ("/streams/%24all/0/forward/5.atom", ATOM, FROZEN, true, coding),
        ("/streams/%24all", ATOM, LIVE, false, both),
        ("/streams/s/metadata", ATOM, LIVE, false, Some("Accept")),
        ("/ui/everfeed.css", ATOM, "public, max-age=60", false, None),
        // EventStore's.
        ("/streams/s", EVENTSTORE, EVENTSTORE_LIVE, false, both),
        ("/streams/s", JSON, EVENTSTORE_LIVE, false, both),
        ("/streams/s/0/forward/5", EVENTSTORE, EVENTSTORE_FROZEN, true, both),
        ("/streams/s/0/forward/5", KURRENT, EVENTSTORE_FROZEN, true, both),
        ("/streams/s/0/forward/5?embed=body", EVENTSTORE, EVENTSTORE_FROZEN, true, both),
        ("/streams/s/7/forward/4", EVENTSTORE, EVENTSTORE_FROZEN, true, both),
        // It ends at the head and says so, which an append changes.
        ("/streams/s/7/forward/5", EVENTSTORE, EVENTSTORE_LIVE, false, both),
        ("/streams/s/12/forward/5", EVENTSTORE, EVENTSTORE_LIVE, false, both),
        ("/streams/s/11/backward/5", EVENTSTORE, EVENTSTORE_FROZEN, true, both),
        ("/streams/s/head/backward/5", EVENTSTORE, EVENTSTORE_LIVE, false, both),
        ("/streams/s/3", EVENTSTORE, EVENTSTORE_FROZEN, true, both),
        ("/streams/s/head", EVENTSTORE, EVENTSTORE_LIVE, false, both),
        ("/streams/s/3", JSON, EVENTSTORE_FROZEN, true, Some("Accept")),
    ] {
        let reply = get(&server, path, accept, "identity");
        assert_eq!(reply.status, 200, "{path} {accept} {}", reply.text());
        assert_eq!(reply.header("cache-control"), Some(cache_control), "{path} {accept}");
        assert_eq!(reply.header("vary"), vary, "{path} {accept}");
        // A date would say too little of what changes twice in a second.
        assert_eq!(reply.header("last-modified").is_some(), is_dated, "{path} {accept}");
    }
    for (path, status, cache_control) in [
        ("/streams/none", 404, "public, max-age=1"),
        ("/streams/s/12", 404, "public, max-age=1"),
        ("/nothing", 404, "no-store"),
        ("/streams/s/0/forward/0", 400, "no-store"),
        ("/streams/s/", 307, EVENTSTORE_FROZEN),
        ("/info", 200, "no-store"),
        ("/ping", 200, "no-store"),
        ("/health/live", 200, "no-store"),
        ("/health/ready", 200, "no-store"),
        ("/metrics", 200, "no-store"),
        ("/admin/stats", 200, "no-store"),
        ("/admin/scavenge", 200, "no-store"),
    ] {
        let reply = get(&server, path, ATOM, "identity");
        assert_eq!((reply.status, reply.header("cache-control")), (status, Some(cache_control)), "{path}");
        assert_eq!(reply.header("etag"), None, "{path}");
    }
}

#[test]
fn every_answer_with_events_says_of_which_log_they_are() {
    let data = tempfile::tempdir().expect("a directory");
    let server = start(data.path(), "5");
    fill(&server);
    let info = server.get("/info", &[]).json();
    let log = format!("{}; epoch={}", info["log"].as_str().expect("a log"), info["epoch"]);
    for (path, accept) in [
        ("/streams/s", ATOM),
        ("/streams/s?wait=1", EVENTSTORE),
        ("/streams/s/0/forward/5", NDJSON),
        ("/streams/s/12/forward/5", EVENTS),
        ("/streams/%24all/0/forward/5.atom", ATOM),
        ("/streams/s/3", ATOM),
        ("/streams/s/3", JSON),
        ("/streams/s/3/data", ATOM),
    ] {
        let reply = get(&server, path, accept, "gzip");
        assert_eq!((reply.status, reply.header("everfeed-log")), (200, Some(log.as_str())), "{path} {accept}");
        let tag = reply.header("etag").expect("a tag");
        let host = ("Host", "localhost:2113");
        let asked = [host, ("Accept", accept), ("Accept-Encoding", "gzip"), ("If-None-Match", tag)];
        let unchanged = server.get(path, &asked);
        assert_eq!((unchanged.status, unchanged.header("everfeed-log")), (304, Some(log.as_str())), "{path} {accept}");
    }
    for path in ["/info", "/", "/streams/s/metadata"] {
        assert_eq!(get(&server, path, ATOM, "identity").header("everfeed-log"), None, "{path}");
    }
}

#[test]
fn what_waited_is_for_nobody_else() {
    let data = tempfile::tempdir().expect("a directory");
    let server = start(data.path(), "5");
    fill(&server);
    for path in ["/streams/s?wait=1", "/streams/s/0/forward/5?wait=1", "/streams/s/12/forward/5?wait=1"] {
        let reply = get(&server, path, ATOM, "identity");
        assert_eq!((reply.status, reply.header("cache-control")), (200, Some("no-store")), "{path}");
        assert!(reply.header("etag").is_some());
    }
}

#[test]
fn another_spelling_gets_the_same_bytes_and_cannot_fill_caches() {
    let data = tempfile::tempdir().expect("a directory");
    let server = start(data.path(), "5");
    fill(&server);
    for (ours, accept, theirs) in [
        (
            "/streams/s/0/forward/5.atom",
            ATOM,
            &[
                "/streams/%73/0/forward/5.atom",
                "/streams/s/0/forward/5.atom?x=y",
                "/streams/s/0/forward/5.atom?format=atom",
                "/streams/s/0/forward/5.atom?",
                "/streams/s/%30/forward/5.atom",
                "/streams/s/0/forward/5.atom?wait=0&wait=0",
            ][..],
        ),
        ("/streams/%24all/0/forward/5.atom", ATOM, &["/streams/$all/0/forward/5.atom"]),
        ("/streams/s/3.atom", ATOM, &["/streams/s/3.atom?cachebuster=1", "/streams/%73/3.atom"]),
        ("/streams/s/3/data", ATOM, &["/streams/s/3/data?x"]),
        ("/streams/s/2/forward/5.atom", ATOM, &["/streams/s/2/forward/5.atom?x"]),
        ("/streams/s/0/forward/5", EVENTSTORE, &["/streams/s/0/forward/5?x", "/streams/%73/0/forward/5"]),
    ] {
        let expected = get(&server, ours, accept, "gzip");
        for path in theirs {
            let reply = get(&server, path, accept, "gzip");
            assert_eq!(reply.body, expected.body, "{path}");
            assert_eq!(reply.header("etag"), expected.header("etag"), "{path}");
            let brief = if accept == EVENTSTORE { EVENTSTORE_LIVE } else { LIVE };
            assert_eq!(reply.header("cache-control"), Some(brief), "{path}");
        }
    }
}

#[test]
fn a_complete_page_is_the_same_for_ever() {
    let data = tempfile::tempdir().expect("a directory");
    let server = start(data.path(), "5");
    fill(&server);
    let mut pages = Vec::new();
    for path in [
        "/streams/s/0/forward/5.atom",
        "/streams/s/5/forward/5.atom",
        "/streams/s/5/forward/5.atom?embed=none",
        "/streams/s/2/forward/5.atom",
        "/streams/s/3.atom",
        "/streams/s/3/data",
        "/streams/%24all/0/forward/5.atom",
        "/streams/s/0/forward/5",
        "/streams/s/7/forward/4?embed=tryharder",
    ] {
        for accept in [ATOM, EVENTSTORE, EVENTS] {
            for coding in ["identity", "gzip", "zstd"] {
                pages.push((path, accept, coding, get(&server, path, accept, coding)));
            }
        }
    }
    for (path, accept, coding, reply) in &pages {
        let plain = get(&server, path, accept, "identity");
        assert_eq!(decoded(reply), plain.body, "{path} {accept} {coding}");
    }
    assert_eq!(server.stop(), Some(0));
    let server = start(data.path(), "7");
    for round in 0..2 {
        for (path, accept, coding, before) in &pages {
            let after = get(&server, path, accept, coding);
            assert_eq!(facts(&after), facts(before), "{path} {accept} {coding}");
            assert!(after.body == before.body, "{path} {accept} {coding}, round {round}");
        }
        fill(&server);
    }
    server.kill();
    let server = start(data.path(), "5");
    for (path, accept, coding, before) in &pages {
        let after = get(&server, path, accept, coding);
        assert_eq!(facts(&after), facts(before), "{path} {accept} {coding}");
        assert!(after.body == before.body, "{path} {accept} {coding}, after kill -9");
    }
}

#[test]
fn a_header_that_means_nothing_here_changes_nothing() {
    let data = tempfile::tempdir().expect("a directory");
    let server = start(data.path(), "5");
    fill(&server);
    let path = "/streams/s/0/forward/5.atom";
    let plain = server.get(path, &[("Host", "localhost:2113")]);
    for header in [
        ("Cookie", "a=b"),
        ("Range", "bytes=0-9"),
        ("Authorization", "Basic YTpi"),
        ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-Proto", "https"),
        ("Forwarded", "host=evil.example;proto=https"),
        ("X-Original-URL", "/info"),
        ("X-HTTP-Method-Override", "DELETE"),
        ("User-Agent", "x"),
        ("Cache-Control", "no-cache"),
        ("Content-Type", "text/plain"),
        ("ES-ResolveLinkTos", "true"),
        ("Upgrade", "h2c"),
    ] {
        let reply = server.get(path, &[("Host", "localhost:2113"), header]);
        assert_eq!((facts(&reply), &reply.body), (facts(&plain), &plain.body), "{header:?}");
    }
}

#[test]
fn caches_that_purge_by_key_find_a_streams_pages() {
    let data = tempfile::tempdir().expect("a directory");
    let server = start(data.path(), "5");
    fill(&server);
    let digest = Sha256::digest(b"s");
    let stream: String = digest[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    let mut pages = Vec::new();
    for path in ["/streams/s", "/streams/s/0/forward/5.atom", "/streams/s/5/forward/5.atom", "/streams/s/3.atom"] {
        let reply = get(&server, path, ATOM, "identity");
        let keys = reply.header("surrogate-key").expect("keys").to_string();
        assert_eq!(reply.header("xkey"), Some(keys.as_str()));
        let (of_stream, of_page) = keys.split_once(' ').expect("two keys");
        assert_eq!(of_stream, format!("s-{stream}"));
        pages.push(of_page.to_string());
    }
    pages.sort();
    pages.dedup();
    assert_eq!(pages.len(), 4, "each page has its own");
}
