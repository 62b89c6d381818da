//! Every kind of refusal, provoked and held to a golden file, and the page behind each `type`.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::time::Instant;

use everfeed::event::{Digest, EventId, EventType, Number, Position, StreamName, Timestamp};
use everfeed::store::{Left, NewStore, Options, Row, Store};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{PATIENCE, Reply, TestServer, check, exchange, request};

/// What no request can bring about here, and why.
const NOT_PROVOKED: &[(&str, &str)] = &[
    ("stream-being-built", "needs a long history: derived.rs"),
    ("too-many-large-pages", "needs slow readers: large_pages.rs"),
    ("too-many-bodies", "needs slow senders: limits.rs"),
    ("too-much-unsent", "needs slow readers: limits.rs"),
    ("append-queue-full", "needs a slow disk"),
    ("outcome-unknown", "needs a disk that fails"),
    ("rights-unknown", "needs a damaged store"),
    ("damaged", "needs a damaged store"),
    ("unreadable", "needs a disk that cannot be read"),
    ("internal", "needs a fault of ours"),
    ("starting", "needs a store that takes long to open: health.rs"),
];

/// The answers, by the kind that they name, with what differs from run to run taken out.
#[derive(Default)]
struct Gathered(BTreeMap<String, Value>);

impl Gathered {
    #[track_caller]
    fn add(&mut self, server: &TestServer, expected: &str, reply: &Reply) {
        check(reply, expected);
        let mut problem = reply.json();
        let kind = problem["type"].as_str().expect("a type").rsplit('/').next().expect("a kind").to_string();
        assert_eq!(kind, expected, "{problem}");
        if let Some(id) = problem.get_mut("requestId") {
            *id = "ID".into();
        }
        let body = problem.to_string().replace(&server.address.to_string(), "HOST");
        let body: Value = serde_json::from_str(&body).expect("it still is JSON");
        let headers: serde_json::Map<String, Value> = reply
            .headers
            .iter()
            .filter(|(name, _)| !matches!(name.as_str(), "date" | "content-length" | "connection"))
            // They are the same in every answer, and cors.rs holds them.
            .filter(|(name, _)| !name.starts_with("access-control-"))
            // These too, and `check` holds them.
            .filter(|(name, _)| {
                !matches!(name.as_str(), "content-security-policy" | "cross-origin-resource-policy" | "referrer-policy")
            })
            .map(|(name, value)| (name.clone(), value.as_str().into()))
            .collect();
        let status = format!("{} {}", reply.status, reply.reason);
        self.0.insert(kind, json!({ "status": status, "headers": headers, "problem": body }));
    }
}

fn start(settings: &[(&str, &str)]) -> (tempfile::TempDir, TestServer) {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start_with(data.path(), settings);
    (data, server)
}

/// All kinds, as the page of one that there is not lists them.
fn kinds(server: &TestServer) -> Vec<String> {
    let unheard_of = server.get("/ui/problems/unheard-of", &[]);
    check(&unheard_of, "unheard-of");
    assert_eq!(unheard_of.status, 404);
    let listed = unheard_of.text().split("The kinds of problems are ").nth(1).and_then(|rest| rest.split(".<").next());
    listed.expect("a list").split(", ").map(str::to_string).collect()
}

#[test]
fn every_kind_of_problem_is_as_the_golden_file_has_it() {
    let mut gathered = Gathered::default();
    let text = ("Content-Type", "text/plain");
    let json = ("Content-Type", "application/json");

    let (_data, server) = start(&[("limits.waits", "0"), ("timeouts.body", "300ms"), ("limits.body", "100 kB")]);
    let id = ("Idempotency-Key", "k");
    assert_eq!(server.post("/streams/s", &[text, id], b"x").status, 201);
    let raw = |raw: &str| exchange(server.address, raw.as_bytes()).expect("an answer");
    let long = format!("/streams/{}", "a".repeat(9_000));
    let wide = "x".repeat(33_000);
    let zeros = zstd::bulk::compress(&[0; 100_000], 3).expect("memory takes every write");
    for (kind, reply) in [
        ("malformed-request", raw("hello\r\n\r\n")),
        ("uri-too-long", server.get(&long, &[])),
        ("headers-too-large", server.get("/ping", &[("X", &wide)])),
        ("missing-host", raw("GET /ping HTTP/1.1\r\n\r\n")),
        ("unknown-host", server.get("/ping", &[("Host", "evil.example")])),
        ("unknown-address", server.get("/nothing", &[])),
        ("invalid-address", server.get("/streams/s/0/forward/0", &[])),
        ("method-not-allowed", raw("PUT /streams/s HTTP/1.1\r\nHost: localhost\r\n\r\n")),
        ("invalid-header", server.post("/streams/s", &[text, ("ES-EventId", "x")], b"x")),
        ("not-acceptable", server.get("/streams/s", &[("Accept", "image/png")])),
        ("unsupported-media-type", server.post("/streams/s", &[], b"x")),
        ("invalid-body", server.post("/streams/s", &[json], b"{\n\"a\": tru}")),
        (
            "incomplete-body",
            raw("POST /streams/s HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nTransfer-Encoding: \
                 chunked\r\n\r\nx\r\n"),
        ),
        (
            "slow-body",
            raw("POST /streams/s HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: \
                 2\r\n\r\nx"),
        ),
        ("unsupported-content-coding", server.post("/streams/s", &[text, ("Content-Encoding", "br")], b"x")),
        ("body-expands-too-far", server.post("/streams/s", &[text, ("Content-Encoding", "zstd")], &zeros)),
        ("body-too-large", server.post("/streams/s", &[text], &[b'x'; 100_001])),
        ("reserved-stream", server.post("/streams/$all", &[text], b"x")),
        ("stream-not-found", server.get("/streams/none", &[])),
        ("event-not-found", server.get("/streams/s/7", &[])),
        ("wrong-expected-version", server.post("/streams/s", &[text, ("ES-ExpectedVersion", "7")], b"x")),
        ("event-id-taken", server.post("/streams/s", &[text, id], b"y")),
        ("too-many-waits", server.get("/streams/none?wait=1", &[])),
        ("no-replica", server.post("/admin/promote", &[], b"")),
        ("backup-not-found", server.get(&format!("/admin/backups/{}", Uuid::nil()), &[])),
        ("foreign-script", server.post("/admin/promote", &[("Origin", "https://elsewhere.example")], b"")),
    ] {
        gathered.add(&server, kind, &reply);
    }
    assert_eq!(server.events(), 1);
    assert_eq!(server.post("/streams/s/metadata", &[json], b"{\"$tb\":1}").status, 201);
    gathered.add(&server, "event-removed", &server.get("/streams/s/0", &[]));
    let hard = [("ES-HardDelete", "True")];
    assert_eq!(request(server.address, "DELETE", "/streams/s", &hard, b"").status, 204);
    gathered.add(&server, "stream-deleted", &server.get("/streams/s", &[]));
    server.assert_no_panic();

    let (_data, server) = start(&[("limits.connections", "1")]);
    let mut first = TcpStream::connect(server.address).expect("it listens");
    first.write_all(b"GET /ping HTTP/1.1\r\n").expect("it reads");
    let reply = exchange(server.address, b"GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("an answer");
    gathered.add(&server, "too-many-connections", &reply);

    let (_data, server) = start(&[("limits.requests", "1")]);
    let mut first = TcpStream::connect(server.address).expect("it listens");
    first.write_all(b"GET /streams/s?wait=60 HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("it reads");
    let started = Instant::now();
    let reply = loop {
        let reply = server.get("/info", &[]);
        if reply.status == 503 {
            break reply;
        }
        assert!(started.elapsed() < PATIENCE, "one is under way, and it may be one");
    };
    gathered.add(&server, "too-busy", &reply);
    assert_eq!(server.get("/health/ready", &[]).status, 200, "whether it is well can be asked");

    let (_data, server) = start(&[("limits.streams", "1"), ("rates.events", "1"), ("rates.burst", "1h")]);
    assert_eq!(server.post("/streams/s", &[text], b"x").status, 201);
    gathered.add(&server, "too-many-streams", &server.post("/streams/t", &[text], b"x"));
    let many = vec![r#"{"eventType":"t"}"#; 5_000].join(",");
    let batch = ("Content-Type", "application/vnd.eventstore.events+json");
    assert_eq!(server.post("/streams/s", &[batch], format!("[{many}]").as_bytes()).status, 201);
    let mut reply = server.post("/streams/s", &[text], b"x");
    let seconds = reply.headers.iter_mut().find(|(name, _)| name == "retry-after").expect("when");
    assert!((1_000..1_402).contains(&seconds.1.parse::<u32>().expect("seconds")), "{seconds:?}");
    seconds.1 = "1400".into();
    gathered.add(&server, "too-fast", &reply);

    let (_data, server) = start(&[("read_only", "true"), ("limits.backups", "0")]);
    gathered.add(&server, "too-many-backups", &server.post("/admin/backups", &[], b""));
    gathered.add(&server, "read-only", &server.post("/streams/s", &[text], b"x"));

    let data = tempfile::tempdir().expect("a directory");
    let replica_of = Some("http://127.0.0.1:2113".into());
    let new = NewStore { log: Uuid::from_u128(1), epoch: 0, created: Timestamp::default(), replica_of };
    let (store, _) = Store::open_or_make(&Options::new(data.path()), &new).expect("it opens");
    let removed = Row {
        stream: StreamName::parse("s").expect("a name"),
        number: Number::ZERO,
        position: Position::ZERO,
        time: Timestamp::default(),
        id: EventId::new(Uuid::from_u128(2)).expect("not nil"),
        event_type: EventType::parse("t").expect("a type"),
        left: Left::Removed { digest: Digest([0; 16]), correlation: None },
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(store.replicate(vec![removed])).expect("it is taken in");
    store.close();
    drop(store);
    let server = TestServer::start(data.path(), &[]);
    gathered.add(&server, "catching-up", &server.get("/streams/s/0/forward/1", &[]));
    gathered.add(&server, "replica", &server.post("/streams/s", &[text], b"x"));

    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start_with_access(data.path(), &[], &[("ann", &[])]);
    let ann = br#"{"loginName":"ann","password":"another one"}"#;
    for (kind, reply) in [
        ("unauthenticated", server.get("/streams/s", &[])),
        ("forbidden", server.get_as("ann", "/streams/$all", &[])),
        ("wrong-credentials", server.get("/streams/s", &[("Authorization", "Basic")])),
        ("user-not-found", server.get_as("admin", "/users/bob", &[])),
        ("user-exists", server.post_as("admin", "/users", &[json], ann)),
    ] {
        gathered.add(&server, kind, &reply);
    }
    let guess = || server.get("/streams/s", &[("Authorization", "Bearer guessed")]);
    let refused = (0..1_000).map(|_| guess()).find(|reply| reply.status != 401).expect("an end of it");
    gathered.add(&server, "too-many-tries", &refused);

    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start_with_access(data.path(), &[("read_only", "true")], &[]);
    gathered.add(&server, "unrecorded", &server.post_as("ops", "/admin/scavenge", &[], b""));

    let (_data, server) = start(&[("disk.floor", "1048576 MiB")]);
    gathered.add(&server, "disk-full", &server.post("/streams/s", &[text], b"x"));

    let mut listed = kinds(&server);
    let mut known: Vec<&str> = NOT_PROVOKED.iter().map(|(kind, _)| *kind).collect();
    known.extend(gathered.0.keys().map(String::as_str));
    known.sort_unstable();
    listed.sort_unstable();
    assert_eq!(known, listed, "every kind is provoked, or it says why not");

    let actual = serde_json::to_string_pretty(&gathered.0).expect("it is JSON") + "\n";
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/problems.json");
    let found = std::fs::read_to_string(&golden).unwrap_or_default();
    if found != actual {
        let proposed = Path::new(env!("CARGO_TARGET_TMPDIR")).join("problems.json");
        std::fs::write(&proposed, &actual).expect("it is written");
        panic!("{} differs from what is answered now: {}", golden.display(), proposed.display());
    }
}

#[test]
fn every_type_is_a_page_that_explains_it() {
    let (_data, server) = start(&[]);
    for kind in kinds(&server) {
        let page = server.get(&format!("/ui/problems/{kind}"), &[]);
        check(&page, &kind);
        assert_eq!(page.status, 200);
        assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
        assert!(page.header("content-security-policy").is_some());
        assert!(page.text().contains(&format!("· {kind}</p>")), "{}", page.text());
        let tag = page.header("etag").expect("a tag").to_string();
        let again = server.get(&format!("/ui/problems/{kind}"), &[("If-None-Match", &tag)]);
        check(&again, &kind);
        assert_eq!(again.status, 304);
    }
    // A type names the host that it was asked under.
    let problem = server.get("/streams/none", &[("Host", "localhost")]).json();
    assert_eq!(problem["type"], "http://localhost/ui/problems/stream-not-found");
}

#[test]
fn a_problem_is_found_in_the_log_by_its_id() {
    let (_data, server) = start(&[("read_only", "true"), ("log.level", "info,everfeed::request=debug")]);
    let problem = server.post("/streams/s", &[("Content-Type", "text/plain")], b"x").json();
    let id = problem["requestId"].as_str().expect("an id");
    // The log is read on another thread, so it may be a moment behind.
    let lines = || server.log().into_iter().filter(|line| line.contains(id)).collect::<Vec<_>>();
    let started = std::time::Instant::now();
    while lines().len() < 2 && started.elapsed() < crate::support::PATIENCE {
        std::thread::yield_now();
    }
    let lines = lines();
    assert!(lines.iter().any(|line| line.contains("\"refused\"") && line.contains("read-only")), "{lines:#?}");
    let access = lines.iter().find(|line| line.contains("everfeed::request")).expect("one line for each request");
    for part in ["\"POST\"", "/streams/s", "503"] {
        assert!(access.contains(part), "{access}");
    }
}
