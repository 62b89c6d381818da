//! `/admin/backups`: who may, what is on record, and that nothing is kept for a client that has gone.

use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

use serde_json::{Value, json};

use super::{JSON, done, path, restore, verify};
use crate::mirror::{serve, shop, url};
use crate::support::store::chunk_files;
use crate::support::{PATIENCE, Reply, TestServer, WithAccess, check, everfeed, request};

fn begin(server: &TestServer) -> Value {
    let begun = server.post("/admin/backups", &[], b"");
    assert_eq!(begun.status, 201, "{}", begun.text());
    assert_eq!(begun.header("cache-control"), Some("no-store"));
    let location = begun.header("location").expect("where it is").to_string();
    let manifest = begun.json();
    let below = format!("/admin/backups/{}", manifest["id"].as_str().expect("an id"));
    assert!(location.ends_with(&below), "{location}");
    assert_eq!(server.get(&below, &[]).json(), manifest);
    manifest
}

fn ask(server: &TestServer, manifest: &Value, method: &str, below: &str) -> Reply {
    let reply = request(
        server.address,
        method,
        &format!("/admin/backups/{}{below}", manifest["id"].as_str().expect("an id")),
        &[],
        b"",
    );
    if method == "GET" {
        check(&reply, below);
    }
    reply
}

#[test]
fn what_is_being_copied_stays_readable_whatever_becomes_of_the_store_until_it_is_let_go() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = serve(dir.path());
    shop::open(&server);
    let manifest = begin(&server);
    let files = chunk_files(dir.path());
    let before: Vec<Vec<u8>> = files.iter().map(|file| std::fs::read(file).expect("it is read")).collect();
    shop::scavenge(&server);
    let chunks = manifest["chunks"].as_array().expect("a list");
    assert!(files.len() == chunks.len() && chunk_files(dir.path()).len() > files.len(), "both generations are there");
    for (chunk, file) in chunks.iter().zip(chunks.iter().map(|chunk| {
        let name = format!("{}.{}", chunk["first"], chunk["generation"]);
        let at = files.iter().position(|file| file.ends_with(&name)).expect("it is there");
        &before[at]
    })) {
        let name = format!("/chunks/{}.{}", chunk["first"], chunk["generation"]);
        let piece = ask(&server, &manifest, "GET", &format!("{name}/0"));
        assert_eq!((piece.status, piece.header("content-type")), (200, Some("application/octet-stream")));
        assert!(&piece.body == file && chunk["bytes"] == file.len(), "{name}");
        assert!(piece.header("content-digest").is_some_and(|digest| digest.starts_with("sha-256=:")));
        let rest = ask(&server, &manifest, "GET", &format!("{name}/100"));
        assert!(rest.body == file[100..], "{name}");
        assert_eq!(ask(&server, &manifest, "GET", &format!("{name}/{}", file.len())).status, 404);
        assert_eq!(
            ask(&server, &manifest, "GET", &format!("{name}/digest")).json()["sha256"].as_str().map(str::len),
            Some(64)
        );
    }
    for nothing in ["/chunks/1.0/0", "/chunks/0.7/0", "/tail/0", "/chunks/0.7/digest"] {
        let reply = ask(&server, &manifest, "GET", nothing);
        assert_eq!((reply.status, reply.json()["title"].as_str().is_some()), (404, true), "{nothing}");
    }
    let listed = server.get("/admin/backups", &[]).json();
    assert_eq!(listed["backups"][0]["id"], manifest["id"]);
    assert_eq!(ask(&server, &manifest, "DELETE", "").status, 204);
    assert_eq!(ask(&server, &manifest, "DELETE", "").status, 404);
    assert_eq!(server.get("/admin/backups", &[]).json()["backups"], json!([]));
    let started = Instant::now();
    while chunk_files(dir.path()).len() > files.len() {
        assert!(started.elapsed() < PATIENCE, "what was written anew goes with its last reader");
    }
    server.assert_no_panic();
}

#[test]
fn the_tail_comes_in_groups_until_the_chunks_are_asked_for() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = serve(dir.path());
    shop::open(&server);
    let manifest = begin(&server);
    let tail = format!("/tail/{}", manifest["tailFirst"]);
    let group = ask(&server, &manifest, "GET", &tail);
    assert!(group.status == 200 && group.body.starts_with(b"EVFGROUP"));
    assert_eq!(ask(&server, &manifest, "GET", &tail).body, group.body, "as often as one likes");
    assert_eq!(ask(&server, &manifest, "GET", &format!("/tail/{}", manifest["events"])).status, 404);
    assert_eq!(ask(&server, &manifest, "GET", "/chunks/0.0/0").status, 200);
    assert_eq!(ask(&server, &manifest, "GET", &tail).status, 404, "its memory is dear");
}

#[test]
fn a_client_that_has_gone_keeps_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = TestServer::start_with(dir.path(), &[("timeouts.backup", "100ms"), ("limits.backups", "1")]);
    let manifest = begin(&server);
    let started = Instant::now();
    while server.get("/admin/backups", &[]).json()["backups"] != json!([]) {
        assert!(started.elapsed() < PATIENCE, "it is kept for ever");
    }
    let gone = ask(&server, &manifest, "GET", "");
    assert_eq!(gone.status, 404);
    assert!(gone.text().contains("/ui/problems/backup-not-found"), "{}", gone.text());
    assert!(server.logged("a backup was given up")["id"] == manifest["id"]);
    begin(&server);
}

#[test]
fn operators_alone_may_and_it_is_on_record() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    let server = TestServer::start_with_access(&data, &[], &[("ann", &["shop"])]);
    assert_eq!(server.append_as("ann", "orders", "{}").status, 201);
    let id = "fbf4a1a1-b4a3-4dfe-a01f-ec52c34e16e4";
    for path in ["/admin/backups".to_string(), format!("/admin/backups/{id}"), format!("/admin/backups/{id}/tail/0")] {
        assert_eq!(server.get(&path, &[]).status, 401, "{path}");
        assert_eq!(server.get_as("ann", &path, &[]).status, 403, "{path}");
    }
    assert_eq!(server.post_as("ann", "/admin/backups", &[JSON], b"").status, 403);
    let (url, into) = (url(&server), dir.path().join("backup"));
    let run = |user: &str| {
        let password = server.authorization(user).expect("a header");
        let decoded = base64_decoded(password.strip_prefix("Basic ").expect("it is"));
        everfeed(&["backup", &url, path(&into), "--user", &decoded]).run()
    };
    let refused = run("ann");
    assert!(refused.code == 1 && refused.errors.contains("403"), "{}", refused.errors);
    let ran = run("ops");
    assert_eq!(ran.code, 0, "{}", ran.errors);
    let record = server.get_as("admin", "/streams/$audit/0/forward/100.ndjson", &[]);
    let told: Vec<Value> = record.text().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let told: Vec<&Value> = told.iter().filter(|event| event["type"] == "backup").collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["data"]["who"], "ops");
    let manifest = begin_as(&server, "ops");
    let users = format!("/admin/backups/{}/users", manifest["id"].as_str().expect("an id"));
    assert_eq!(server.get_as("ops", &users, &[]).status, 403, "to operate is not to manage users");
    assert_eq!(server.get_as("admin", &users, &[]).status, 200);
    // It is on record before it is done, so it is in the backup itself.
    let events: u64 = ran.output.split(' ').next().expect("a number").parse().expect("a number");
    let later = ["backup", "backup-users"];
    let info = server.get_as("admin", "/info", &[]).json();
    assert_eq!(events + later.len() as u64, info["events"].as_u64().expect("a number"));
}

#[test]
fn whoever_could_log_in_can_log_in_to_a_server_that_was_restored_with_users() {
    let dir = tempfile::tempdir().expect("a directory");
    let [data, into, there] = ["data", "backup", "restored"].map(|name| dir.path().join(name));
    let server = TestServer::start_with_access(&data, &[], &[("ann", &["shop"])]);
    assert_eq!(server.append_as("ann", "orders", "{}").status, 201);
    let (url, admin) = (url(&server), server.authorization("admin").expect("a header"));
    let ann = server.authorization("ann").expect("a header");
    let as_admin = base64_decoded(admin.strip_prefix("Basic ").expect("it is"));
    let run = everfeed(&["backup", &url, path(&into), "--users", "--user", &as_admin]).run();
    assert_eq!(run.code, 0, "{}", run.errors);
    done(verify(&into));
    assert!(done(restore(&into, &there, &[])).ends_with("; users.json with who may log in\n"));
    let mode = std::fs::metadata(there.join("users.json")).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let restored = TestServer::start_with(&there, &[("access.enabled", "true")]);
    let get = |user: &str| restored.get("/streams/orders/0", &[("Authorization", user)]).status;
    assert_eq!((get(&ann), get("Basic YW5uOndyb25n")), (200, 401));

    // The next one without them has none, and none are restored.
    let run = everfeed(&["backup", &url, path(&into), "--user", &as_admin]).run();
    assert_eq!(run.code, 0, "{}", run.errors);
    assert!(!into.join("users.1").exists());
    let without = dir.path().join("without");
    done(restore(&into, &without, &[]));
    assert!(!without.join("users.json").exists());
}

fn begin_as(server: &WithAccess, user: &str) -> Value {
    let begun = server.post_as(user, "/admin/backups", &[], b"");
    assert_eq!(begun.status, 201, "{}", begun.text());
    begun.json()
}

fn base64_decoded(text: &str) -> String {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).expect("base64");
    String::from_utf8(bytes).expect("text")
}
