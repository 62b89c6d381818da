//! What users may do with which streams: by the streams' own settings, by rules, by `$settings`, and by itself.

use std::fs;
use std::time::Instant;

use serde_json::{Value, json};

use crate::support::store::chunk_files;
use crate::support::{PATIENCE, Reply, TestServer, WithAccess, check, chunks, wait_until};

const USERS: &[(&str, &[&str])] = &[("ann", &["shop"]), ("bob", &[]), ("eve", &["audit"])];

const JSON: (&str, &str) = ("Content-Type", "application/json");

fn start(settings: &[(&str, &str)]) -> (tempfile::TempDir, WithAccess) {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start_with_access(data.path(), settings, USERS);
    (data, server)
}

/// Starts a server with these rules.
fn start_with_rules(rules: &str) -> (tempfile::TempDir, WithAccess) {
    let data = tempfile::tempdir().expect("a directory");
    let file = data.path().join("access.toml");
    fs::write(&file, rules).expect("it is written");
    let settings = [("access.rules", file.to_str().expect("a path in UTF-8"))];
    let server = TestServer::start_with_access(&data.path().join("data"), &settings, USERS);
    (data, server)
}

/// The newest event of `$settings`.
#[track_caller]
fn set_defaults(server: &WithAccess, defaults: &Value) {
    let headers = [JSON, ("ES-EventType", "update-default-acl")];
    let reply = server.post_as("admin", "/streams/$settings", &headers, defaults.to_string().as_bytes());
    assert_eq!(reply.status, 201, "{}", reply.text());
}

fn ask(server: &WithAccess, user: &str, asked: &str) -> Reply {
    let (method, path) = asked.split_once(' ').expect("a method and a path");
    match method {
        "POST" => server.post_as(user, path, &[JSON], b"{}"),
        _ => server.send_as(user, method, path, &[], b""),
    }
}

/// Asserts which of the users get what they ask for; the others are refused as those who have not got the right.
#[track_caller]
fn check_who_may(server: &WithAccess, asked: &str, expected: &[&str]) {
    let who_may: Vec<&str> = ["admin", "ann", "bob", "eve"]
        .into_iter()
        .filter(|user| {
            let reply = ask(server, user, asked);
            check(&reply, &format!("{asked} by {user}"));
            assert!(matches!(reply.status, 200 | 201 | 403), "{asked} by {user}: {reply:#?}");
            reply.status != 403
        })
        .collect();
    assert_eq!(who_may, expected, "{asked}");
}

/// Waits until so many chunks are sealed, so that what is in them is read from files.
fn wait_for_chunks(data: &std::path::Path, count: usize) {
    wait_until("the chunks are sealed", || chunk_files(data).len() >= count);
}

#[test]
fn by_itself_everybody_may_do_everything_with_streams_of_users_and_administrators_with_those_of_the_server() {
    let (_data, server) = start(&[]);
    let (everybody, admin) = (["admin", "ann", "bob", "eve"], ["admin"]);
    check_who_may(&server, "POST /streams/orders-1", &everybody);
    for asked in [
        "GET /streams/orders-1",
        "GET /streams/orders-1/0",
        "GET /streams/orders-1/0/forward/20",
        "GET /streams/orders-1/metadata",
        "GET /streams/orders-1/categories",
        "GET /ui/streams/orders-1",
        "POST /streams/orders-1/metadata",
    ] {
        check_who_may(&server, asked, &everybody);
    }
    for asked in
        ["GET /streams/$all", "GET /streams/$all/0/forward/20", "GET /streams/$ce-orders", "GET /ui/streams/$all"]
    {
        check_who_may(&server, asked, &admin);
    }
    set_defaults(&server, &json!({}));
    check_who_may(&server, "GET /streams/$settings", &admin);
    check_who_may(&server, "POST /streams/$settings", &admin);
}

#[test]
fn what_settings_say_takes_the_place_of_that_and_a_streams_own_takes_its_place_for_each_right_alone() {
    let (_data, server) = start(&[]);
    for stream in ["open", "own"] {
        assert_eq!(server.append_as("ann", stream, "{}").status, 201);
    }
    set_defaults(
        &server,
        &json!({ "$userStreamAcl": { "$r": "shop", "$w": ["bob", "ann"] }, "$systemStreamAcl": { "$r": "audit" } }),
    );
    check_who_may(&server, "GET /streams/open", &["admin", "ann"]);
    check_who_may(&server, "POST /streams/open", &["admin", "ann", "bob"]);
    check_who_may(&server, "GET /streams/open/metadata", &["admin", "ann", "bob", "eve"]);
    check_who_may(&server, "GET /streams/$all", &["admin", "eve"]);

    server.set("own", &json!({ "$acl": { "$r": "bob" } }));
    check_who_may(&server, "GET /streams/own", &["admin", "bob"]);
    check_who_may(&server, "POST /streams/own", &["admin", "ann", "bob"]);
    server.set("own", &json!({ "$acl": { "$w": [] } }));
    check_who_may(&server, "GET /streams/own", &["admin", "ann"]);
    check_who_may(&server, "POST /streams/own", &["admin"]);

    // The newest counts, and what it leaves out is left out.
    set_defaults(&server, &json!({ "$userStreamAcl": { "$r": "$all" } }));
    check_who_may(&server, "GET /streams/own", &["admin", "ann", "bob", "eve"]);
    check_who_may(&server, "POST /streams/open", &["admin", "ann", "bob", "eve"]);
    check_who_may(&server, "GET /streams/$all", &["admin"]);
}

#[test]
fn settings_that_are_none_are_refused_and_change_nothing() {
    let (_data, server) = start(&[]);
    assert_eq!(server.append_as("ann", "orders", "{}").status, 201);
    set_defaults(&server, &json!({ "$userStreamAcl": { "$r": "shop" } }));
    for wrong in ["[]", "7", "{\"$userStreamAcl\": []}", "{\"$systemStreamAcl\": {\"$w\": [1]}}"] {
        let reply = server.post_as("admin", "/streams/$settings", &[JSON], wrong.as_bytes());
        assert_eq!(reply.status, 400, "{wrong}: {}", reply.text());
        let reply = server.post_as("admin", "/streams/orders/metadata", &[JSON], b"{\"$acl\": {\"$r\": 7}}");
        assert_eq!(reply.status, 400, "{}", reply.text());
        check_who_may(&server, "GET /streams/orders", &["admin", "ann"]);
    }
}

#[test]
fn settings_are_read_and_written_by_rights_of_their_own() {
    let (_data, server) = start(&[]);
    assert_eq!(server.append_as("ann", "orders", "{}").status, 201);
    server.set("orders", &json!({ "$acl": { "$r": "$admins", "$mr": "bob", "$mw": ["eve"] } }));
    for asked in [
        "GET /streams/orders/metadata",
        "GET /streams/$$orders",
        "GET /streams/$$orders/0",
        "GET /streams/$$orders/0/data",
        "GET /streams/$$orders/0/forward/20",
        "GET /streams/orders/metadata/0",
    ] {
        check_who_may(&server, asked, &["admin", "bob"]);
    }
    check_who_may(&server, "GET /streams/orders", &["admin"]);
    for user in ["ann", "bob"] {
        assert_eq!(ask(&server, user, "POST /streams/orders/metadata").status, 403, "{user}");
        assert_eq!(ask(&server, user, "POST /streams/$$orders").status, 403, "{user}");
    }
    // Whoever may write settings may give themselves what they say.
    let own = json!({ "$acl": { "$r": "eve", "$mw": "eve" } }).to_string();
    let written = server.post_as("eve", "/streams/orders/metadata", &[JSON], own.as_bytes());
    assert_eq!(written.status, 201);
    let purged = written.header("surrogate-key").expect("what caches have to forget");
    let page = server.get_as("eve", "/streams/orders", &[]);
    let keys: Vec<&str> = page.header("surrogate-key").expect("keys").split(' ').collect();
    assert!(keys.contains(&purged), "{keys:?} and {purged}");
    check_who_may(&server, "GET /streams/orders", &["admin", "eve"]);
}

#[test]
fn rules_stand_between_a_streams_own_settings_and_those_of_all_streams() {
    let (_data, server) = start_with_rules(
        "[[rule]]\nstreams = \"orders-*\"\nread = [\"shop\", \"eve\"]\nwrite = \"shop\"\n\
         [[rule]]\nstreams = \"orders-eu*\"\nread = \"bob\"\ndelete = []\n\
         [[rule]]\nstreams = \"$ce-orders\"\nread = \"audit\"\n\
         [[rule]]\nstreams = \"*\"\nread = \"bob\"\n",
    );
    for stream in ["orders-1", "orders-eu-1", "other"] {
        assert_eq!(server.append_as("admin", stream, "{}").status, 201);
    }
    set_defaults(&server, &json!({ "$userStreamAcl": { "$r": "$all", "$mr": "eve" } }));
    check_who_may(&server, "GET /streams/orders-1", &["admin", "ann", "eve"]);
    check_who_may(&server, "GET /streams/orders-eu-1", &["admin", "ann", "eve"]);
    check_who_may(&server, "POST /streams/orders-eu-1", &["admin", "ann"]);
    assert_eq!(ask(&server, "ann", "DELETE /streams/orders-eu-1").status, 403);
    check_who_may(&server, "GET /streams/other", &["admin", "bob"]);
    check_who_may(&server, "GET /streams/other/metadata", &["admin", "eve"]);
    // A star alone says nothing of the server's own streams.
    check_who_may(&server, "GET /streams/$all", &["admin"]);
    check_who_may(&server, "GET /streams/$ce-orders", &["admin", "eve"]);
    server.set("orders-1", &json!({ "$acl": { "$r": "bob" } }));
    check_who_may(&server, "GET /streams/orders-1", &["admin", "bob"]);
    check_who_may(&server, "POST /streams/orders-1", &["admin", "ann"]);
}

#[test]
fn a_change_of_rights_counts_for_the_very_next_request() {
    let (_data, server) = start(&[("access.anonymous", "read")]);
    assert_eq!(server.append_as("ann", "orders", "{}").status, 201);
    let page = "/streams/orders/0/forward/1.atom";
    for round in 0..40 {
        let (acl, status) = if round % 2 == 0 { (json!({ "$r": "shop" }), 403) } else { (json!({}), 200) };
        match round % 4 {
            0 | 1 => server.set("orders", &json!({ "$acl": acl })),
            _ => set_defaults(&server, &json!({ "$userStreamAcl": acl })),
        }
        let reply = server.get_as("bob", page, &[]);
        assert_eq!(reply.status, status, "round {round}");
        let cache_control = reply.header("cache-control").unwrap_or_default();
        assert_eq!(cache_control.starts_with("public"), status == 200, "round {round}: {cache_control}");
        let shop = server.get_as("ann", page, &[]);
        let expected = if status == 200 { "public" } else { "private" };
        assert!(shop.header("cache-control").is_some_and(|value| value.starts_with(expected)), "round {round}");
        let unknown = server.get_as("", page, &[]);
        assert_eq!(unknown.status, if status == 200 { 200 } else { 401 }, "round {round}");
    }
}

#[test]
fn a_stream_can_be_protected_before_it_is_there_and_stays_so_when_it_is_deleted_and_after_a_restart() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start_with_access(data.path(), &[("chunk_events", "4")], USERS);
    let own = json!({ "$acl": { "$r": "ann", "$w": "ann", "$d": "ann" } });
    for stream in ["soft", "hard", "kept"] {
        server.set(stream, &own);
        assert_eq!(server.append_as("bob", stream, "{}").status, 403, "nobody else begins it");
        assert_eq!(server.get_as("bob", &format!("/streams/{stream}"), &[]).status, 403);
        assert_eq!(server.get_as("ann", &format!("/streams/{stream}"), &[]).status, 404);
        assert_eq!(server.append_as("ann", stream, "{}").status, 201);
    }
    assert_eq!(ask(&server, "bob", "DELETE /streams/soft").status, 403);
    assert_eq!(ask(&server, "ann", "DELETE /streams/soft").status, 204);
    let hard = [("ES-HardDelete", "true")];
    assert_eq!(server.send_as("bob", "DELETE", "/streams/hard", &hard, b"").status, 403);
    assert_eq!(server.send_as("ann", "DELETE", "/streams/hard", &hard, b"").status, 204);

    let check_all = |ask: &dyn Fn(&str, &str) -> Reply| {
        for (user, path, status) in [
            ("ann", "/streams/soft", 404),
            ("bob", "/streams/soft", 403),
            ("ann", "/streams/hard", 410),
            ("bob", "/streams/hard", 403),
            ("ann", "/streams/kept", 200),
            ("bob", "/streams/kept", 403),
        ] {
            let reply = ask(user, path);
            assert_eq!(reply.status, status, "{path} by {user}: {}", reply.text());
            let cache_control = reply.header("cache-control").unwrap_or_default();
            let is_kept_from_others = cache_control.contains("private") || cache_control == "no-store";
            assert!(is_kept_from_others, "{path} by {user}: {cache_control}");
        }
    };
    check_all(&|user, path| server.get_as(user, path, &[]));
    wait_for_chunks(data.path(), 2);
    let server = server.restart(data.path(), &[("chunk_events", "4")]);
    check_all(&|user, path| server.get_as(user, path, &[]));
    assert_eq!(server.append_as("bob", "soft", "{}").status, 403, "a new life is not for others");
    assert_eq!(server.append_as("ann", "soft", "{}").status, 201);
    assert_eq!(server.get_as("bob", "/streams/soft", &[]).status, 403);
}

#[test]
fn where_settings_cannot_be_read_nobody_has_rights_by_them() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start_with_access(data.path(), &[("chunk_events", "8")], USERS);
    let canary = "in the settings of the protected stream";
    server.set("secret", &json!({ "$acl": { "$r": "shop" }, "about": canary }));
    assert_eq!(server.append_as("ann", "secret", "{}").status, 201);
    // One chunk behind it, so that the store has taken note of the one that holds them.
    let sealed = || {
        let chunks = chunks::read_all(data.path());
        chunks.iter().position(|chunk| chunk.holds(canary.as_bytes())).is_some_and(|place| place + 2 < chunks.len())
    };
    let started = Instant::now();
    while !sealed() {
        assert!(started.elapsed() < PATIENCE, "the settings are not sealed");
        assert_eq!(server.append_as("ann", "other", "{}").status, 201);
    }
    let page = "/streams/secret/0/forward/20.atom";
    assert_eq!(server.get_as("ann", page, &[]).status, 200);
    let files = chunk_files(data.path());
    let server = server.restarted_after(data.path(), &[("chunk_events", "8")], || {
        let holding = chunks::read_all(data.path()).iter().position(|chunk| chunk.holds(canary.as_bytes()));
        let file = &files[holding.expect("it was there a moment ago")];
        let mut bytes = fs::read(file).expect("it is read");
        // In the first block, behind the headers of the file and of the block.
        bytes[64 + 24 + 16] ^= 1;
        fs::write(file, bytes).expect("it is written");
    });
    for user in ["bob", "ann", "admin", "", "bob"] {
        for path in
            [page, "/streams/secret", "/streams/secret/0/data", "/streams/secret/metadata", "/ui/streams/secret"]
        {
            let reply = server.get_as(user, path, &[]);
            assert_eq!((reply.status, reply.header("cache-control")), (503, Some("no-store")), "{path} by {user:?}");
        }
        assert_eq!(server.append_as(user, "secret", "{}").status, 503, "{user:?}");
    }
    let reply = server.get_as("bob", page, &[]);
    assert!(reply.json()["type"].as_str().is_some_and(|kind| kind.ends_with("/rights-unknown")), "{}", reply.text());
    assert_eq!(server.append_as("bob", "another", "{}").status, 201, "other streams are not concerned");
}

#[test]
fn the_page_for_people_says_how_a_stream_is_set_to_those_who_may_read_its_settings() {
    let (_data, server) = start(&[("access.anonymous", "read")]);
    assert_eq!(server.append_as("admin", "s", "{}").status, 201);
    let says = |user: &str| {
        let page = server.get_as(user, "/ui/streams/s", &[]);
        assert_eq!(page.status, 200, "{}", page.text());
        page.text().contains("Keeps its newest 777 events")
    };
    server.set("s", &json!({ "$maxCount": 777, "$acl": { "$r": "$all", "$mr": "ann" } }));
    assert_eq!(["", "bob", "ann"].map(says), [false, false, true]);
    server.set("s", &json!({ "$maxCount": 777, "$acl": { "$r": ["ann", "bob"], "$mr": "ann" } }));
    assert_eq!(["bob", "ann"].map(says), [false, true]);
    server.set("s", &json!({ "$maxCount": 777, "$acl": { "$r": "$all", "$mr": "$all" } }));
    assert_eq!(["", "bob", "ann"].map(says), [true; 3]);
}
