//! `$audit`: what was done that has to be accounted for, on record before it was done.

use std::time::{Duration, Instant};

use everfeed::access::users::{self, UsersFile};
use everfeed::event::Timestamp;
use everfeed::store::{NewStore, Options, Store};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{PATIENCE, TestServer, WithAccess, basic, everfeed, request};

/// What is on record: the type of each event, and what it tells.
fn recorded(server: &WithAccess) -> Vec<(String, Value)> {
    let page = server.get_as("admin", "/streams/$audit/0/forward/100.ndjson", &[]);
    assert_eq!(page.status, 200, "{}", page.text());
    let lines = page.text().lines().map(|line| serde_json::from_str::<Value>(line).expect("a line of JSON"));
    lines.map(|event| (event["type"].as_str().expect("a type").to_string(), event["data"].clone())).collect()
}

#[test]
fn settings_deletions_users_and_operations_are_on_record() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start_with_access(data.path(), &[], &[("ann", &["shop"])]);
    let json = ("Content-Type", "application/json");
    assert_eq!(server.append_as("ann", "orders", r#"{"a":1}"#).status, 201);
    server.set("orders", &json!({ "$acl": { "$d": "ann" } }));
    assert_eq!(server.post_as("admin", "/streams/$settings", &[json, ("ES-EventType", "x")], b"{}").status, 201);
    assert_eq!(server.send_as("ann", "DELETE", "/streams/orders", &[("ES-HardDelete", "true")], b"").status, 204);
    assert_eq!(server.send_as("ann", "DELETE", "/streams/none", &[], b"").status, 400);
    let reset = br#"{"newPassword":"hunter2-hunter2"}"#;
    assert_eq!(server.post_as("admin", "/users/ann/command/reset-password", &[json], reset).status, 200);
    assert_eq!(server.post_as("admin", "/users/bob/command/disable", &[], b"").status, 404);
    assert_eq!(server.post_as("ops", "/admin/scavenge", &[], b"").status, 200);
    assert_eq!(server.post_as("ops", "/admin/promote", &[], b"").status, 409);
    // What nobody may do was not about to be done.
    assert_eq!(server.send_as("ops", "DELETE", "/users/ann", &[], b"").status, 403);

    let recorded = recorded(&server);
    let types: Vec<&str> = recorded.iter().map(|(event_type, _)| event_type.as_str()).collect();
    assert_eq!(
        types,
        [
            "create-user",
            "write-settings",
            "write-settings",
            "delete-stream",
            "reset-password",
            "disable-user",
            "refused",
            "scavenge",
            "promote",
            "refused",
        ]
    );
    let mut requests: Vec<String> = Vec::new();
    let told: Vec<Value> = recorded
        .into_iter()
        .map(|(_, mut told)| {
            requests.push(told["request"].take().as_str().expect("the id of a request").to_string());
            told
        })
        .collect();
    let by = |who: &str| json!({ "who": who, "address": "127.0.0.1", "request": null });
    let about = |who: &str, what: &str, name: &str| {
        let mut told = by(who);
        told[what] = name.into();
        told
    };
    let with = |mut told: Value, what: &str, value: Value| {
        told[what] = value;
        told
    };
    let refused = |deed: &str, problem: &str, status: u16| json!({ "request": null, "deed": deed, "problem": problem, "status": status });
    assert_eq!(
        told,
        [
            with(about("admin", "user", "ann"), "groups", json!(["shop"])),
            about("admin", "stream", "orders"),
            about("admin", "stream", "$settings"),
            with(about("ann", "stream", "orders"), "hard", json!(true)),
            about("admin", "user", "ann"),
            about("admin", "user", "bob"),
            refused("disable-user", "user-not-found", 404),
            by("ops"),
            by("ops"),
            refused("promote", "no-replica", 409),
        ]
    );
    assert!(requests[5] == requests[6] && requests[3] != requests[4], "{requests:?}");
    for (user, expected) in [("ann", 401), ("ops", 403), ("", 401)] {
        assert_eq!(server.get_as(user, "/streams/$audit", &[]).status, expected, "{user}");
    }
    let forged = server.post_as("admin", "/streams/$audit", &[json, ("ES-EventType", "x")], b"{}");
    assert_eq!(forged.status, 403, "nobody writes there: {}", forged.text());
    assert_eq!(server.send_as("admin", "DELETE", "/streams/$audit", &[], b"").status, 403);
}

#[test]
fn it_is_on_record_what_was_granted_and_by_which_token() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start_with_access(data.path(), &[], &[("ann", &["shop"]), ("root", &["$admins"])]);
    let directory = data.path().to_str().expect("a path of text");
    let created = everfeed(&["token", "create", "robot", "--user", "root", "--operate", "--data", directory]).run();
    assert_eq!(created.code, 0, "{}", created.errors);
    let bearer = format!("Bearer {}", created.output.trim());
    let update = |authorization: &str, groups: Value| {
        let headers = [("Content-Type", "application/json"), ("Authorization", authorization)];
        let body = json!({ "fullName": "Ann", "groups": groups }).to_string();
        request(server.address, "PUT", "/users/ann", &headers, body.as_bytes()).status
    };
    let started = Instant::now();
    while update(&bearer, json!(["shop", "$ops"])) != 200 {
        assert!(started.elapsed() < PATIENCE, "the server sees the token");
        std::thread::sleep(Duration::from_millis(20));
    }
    let admin = server.authorization("admin").expect("there is one");
    assert_eq!(update(&admin, json!([])), 200);
    let recorded = recorded(&server);
    let told = |name: &str| {
        recorded.iter().filter(|(event_type, _)| event_type == name).map(|(_, told)| told).collect::<Vec<_>>()
    };
    let [first, second] = told("update-user")[..] else { panic!("{recorded:?}") };
    assert_eq!((&first["who"], &first["token"]), (&json!("root"), &json!("robot")));
    assert_eq!((&first["groupsBefore"], &first["groups"]), (&json!(["shop"]), &json!(["shop", "$ops"])));
    assert_eq!((&second["who"], second.get("token")), (&json!("admin"), None));
    assert_eq!((&second["groupsBefore"], &second["groups"]), (&json!(["shop", "$ops"]), &json!([])));
    let granted: Vec<&Value> = told("create-user").into_iter().map(|told| &told["groups"]).collect();
    assert_eq!(granted, [&json!(["shop"]), &json!(["$admins"])]);
}

#[test]
fn what_cannot_be_recorded_is_not_done() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start_with_access(data.path(), &[("read_only", "true")], &[]);
    let body = json!({ "loginName": "ann", "password": "some password" }).to_string();
    let reply = server.post_as("admin", "/users", &[("Content-Type", "application/json")], body.as_bytes());
    assert!(reply.status == 503 && reply.text().contains("unrecorded"), "{}", reply.text());
    assert_eq!(server.get_as("admin", "/users/ann", &[]).status, 404);
    assert_eq!(server.send_as("admin", "DELETE", "/users/ops", &[], b"").status, 503);
    assert_eq!(server.get_as("ops", "/users/$current", &[]).status, 200);
}

#[test]
fn refused_log_ins_are_on_record_once_for_many() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start_with_access(data.path(), &[], &[]);
    let wrong = basic("admin", "not the password");
    for _ in 0..3 {
        assert_eq!(server.get("/streams/s", &[("Authorization", &wrong)]).status, 401);
    }
    assert_eq!(recorded(&server), [("log-ins-refused".to_string(), json!({ "address": "127.0.0.1", "count": 1 }))]);
}

/// Whoever may settle what holds for a stream, or has a password to change, could once fill the record by what was never
/// about to be done, two events a try; and what is in it stays for ever.
#[test]
fn what_is_refused_before_it_could_be_done_leaves_no_record_of_its_own() {
    let data = tempfile::tempdir().expect("a directory");
    let rates = [("rates.events", "1"), ("rates.burst", "4s")];
    let server = TestServer::start_with_access(data.path(), &rates, &[("ann", &[])]);
    let json = ("Content-Type", "application/json");
    for (user, path, wrong) in [
        ("ann", "/streams/own/metadata", r#"{"$maxCount":"many"}"#),
        ("admin", "/streams/$settings", r#"{"$userStreamAcl":7}"#),
    ] {
        for body in ["{", "[]", wrong] {
            let refused = server.post_as(user, path, &[json, ("ES-EventType", "$metadata")], body.as_bytes());
            assert_eq!(refused.status, 400, "{path} {body}: {}", refused.text());
        }
    }
    let set = |_| server.post_as("ann", "/streams/own/metadata", &[json], b"{}").status;
    let set: Vec<u16> = (0..20).map(set).collect();
    let done = set.iter().filter(|status| **status == 201).count();
    assert!((1..20).contains(&done) && set.iter().all(|status| matches!(status, 201 | 429)), "{set:?}");
    let change = |current: &str, new: &str| {
        let body = json!({ "currentPassword": current, "newPassword": new }).to_string();
        server.post_as("ann", "/users/ann/command/change-password", &[json], body.as_bytes()).status
    };
    assert_eq!([(); 5].map(|()| change("a wrong password", "some password")), [401; 5]);
    assert_eq!(change("ann's own password", "short"), 400);
    assert_eq!(server.send_as("ann", "DELETE", "/streams/none", &[], b"").status, 400);
    let mut expected = vec!["create-user"];
    expected.extend(vec!["write-settings"; done]);
    expected.push("log-ins-refused");
    let recorded = recorded(&server);
    assert_eq!(recorded.iter().map(|(event_type, _)| event_type.as_str()).collect::<Vec<_>>(), expected);
}

#[test]
fn a_replica_writes_nothing_itself_and_its_record_begins_with_its_promotion() {
    let data = tempfile::tempdir().expect("a directory");
    let replica_of = Some("http://127.0.0.1:2113".into());
    let new = NewStore { log: Uuid::from_u128(1), epoch: 0, created: Timestamp::default(), replica_of };
    let (store, _) = Store::open_or_make(&Options::new(data.path()), &new).expect("it opens");
    store.close();
    drop(store);
    let server = TestServer::start_with_access(data.path(), &[], &[("ann", &[])]);
    let told = server.logged("done at a replica");
    assert_eq!((&told["deed"], &told["outcome"]), (&json!("create-user"), &json!("done")), "{told}");
    assert_eq!(server.get_as("admin", "/info", &[]).json()["events"], 0);
    // How long the log is, is for those who may read it.
    assert_eq!(server.get("/info", &[]).json()["events"], serde_json::Value::Null);
    assert_eq!(server.get_as("ann", "/users/$current", &[]).status, 200);
    assert_eq!(server.post_as("ann", "/admin/promote", &[], b"").status, 403);
    assert_eq!(server.post_as("ops", "/admin/promote", &[], b"").status, 200);
    let recorded = recorded(&server);
    assert!(recorded.len() == 1 && recorded[0].0 == "promote" && recorded[0].1["who"] == "ops", "{recorded:?}");
}

#[test]
fn what_commands_change_in_the_file_of_users_is_on_record_as_well() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start_with_access(data.path(), &[], &[("ann", &[])]);
    let file = UsersFile::new(data.path().join("users.json"));
    file.change::<_, users::Error>(|users| Ok(users.set_disabled("ann", true, Timestamp::default())?))
        .expect("changed");
    let started = Instant::now();
    while recorded(&server).len() < 2 && started.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(20));
    }
    let recorded = recorded(&server);
    let types: Vec<&str> = recorded.iter().map(|(event_type, _)| event_type.as_str()).collect();
    assert_eq!(types, ["create-user", "disable-user"]);
    assert_eq!(recorded[1].1, json!({ "by": "the file of users", "user": "ann" }));
}

#[test]
fn that_other_rules_were_read_is_on_record_and_that_the_same_were_is_not() {
    let data = tempfile::tempdir().expect("a directory");
    let rules = data.path().join("rules.toml");
    let rule = |reader: &str| {
        std::fs::write(&rules, format!("[[rule]]\nstreams = \"s\"\nread = \"{reader}\"\n")).expect("written");
    };
    rule("ann");
    let settings = [("access.rules", rules.to_str().expect("a path of text"))];
    let server = TestServer::start_with_access(&data.path().join("data"), &settings, &[("ann", &[])]);
    assert_eq!(server.append_as("admin", "s", "{}").status, 201);
    let reload = || {
        let pid = rustix::process::Pid::from_raw(server.pid().cast_signed()).expect("it runs");
        rustix::process::kill_process(pid, rustix::process::Signal::HUP).expect("it runs");
    };
    reload();
    server.logged("reloaded");
    rule("bob");
    reload();
    let started = Instant::now();
    while recorded(&server).len() < 2 && started.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(server.get_as("ann", "/streams/s", &[]).status, 403);
    let recorded = recorded(&server);
    assert_eq!(recorded.len(), 2, "{recorded:?}");
    assert_eq!(recorded[1], ("change-rules".to_string(), json!({ "by": "the file of rules" })));
}
