//! `/users`, with the bodies that EventStore's clients send and read.

use serde_json::{Value, json};

use crate::support::{Reply, TestServer, WithAccess, basic};

fn start() -> (tempfile::TempDir, WithAccess) {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start_with_access(data.path(), &[], &[("ann", &["shop"])]);
    (data, server)
}

fn send(server: &WithAccess, user: &str, method: &str, path: &str, body: &Value) -> Reply {
    let json = [("Content-Type", "application/json; charset=utf-8")];
    server.send_as(user, method, path, &json, body.to_string().as_bytes())
}

#[track_caller]
fn assert_done(reply: &Reply, status: u16, login: &str) {
    assert_eq!(reply.status, status, "{}", reply.text());
    assert_eq!(reply.json(), json!({ "loginName": login, "success": true, "error": "Success", "msgTypeId": 0 }));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
}

/// Whether somebody gets in with this password.
fn gets_in(server: &WithAccess, name: &str, password: &str) -> bool {
    let reply = server.get("/users/$current", &[("Authorization", &basic(name, password))]);
    assert!(matches!(reply.status, 200 | 401), "{}", reply.text());
    reply.status == 200
}

#[test]
fn users_come_change_and_go() {
    let (_data, server) = start();
    let carl =
        json!({ "loginName": "carl c", "fullName": "Carl", "groups": ["shop", "$ops"], "password": "first password" });
    let made = send(&server, "admin", "POST", "/users", &carl);
    assert_done(&made, 201, "carl c");
    let url = format!("http://{}/users/carl%20c", server.address);
    assert_eq!(made.header("location"), Some(url.as_str()));
    assert_done(&send(&server, "admin", "POST", "/users", &carl), 201, "carl c");
    let mut other = carl.clone();
    other["password"] = "another password".into();
    assert_eq!(send(&server, "admin", "POST", "/users", &other).status, 409);
    assert!(gets_in(&server, "carl c", "first password") && !gets_in(&server, "carl c", "another password"));

    let details = server.get_as("admin", "/users/carl%20c", &[]).json();
    assert_eq!((&details["success"], &details["error"]), (&json!(true), &json!("Success")));
    let mut data = details["data"].clone();
    assert!(data["dateLastUpdated"].take().as_str().is_some_and(|time| time.ends_with('Z')), "{details}");
    let link = |tail: &str, rel: &str| json!({ "href": format!("{url}{tail}"), "rel": rel });
    assert_eq!(
        data,
        json!({
            "loginName": "carl c",
            "fullName": "Carl",
            "groups": ["shop", "$ops"],
            "dateLastUpdated": null,
            "disabled": false,
            "links": [
                link("/command/reset-password", "reset-password"),
                link("/command/change-password", "change-password"),
                link("", "edit"),
                link("", "delete"),
                link("/command/disable", "disable"),
            ],
        })
    );

    let path = "/users/carl%20c";
    let command =
        |command: &str, body: Value| send(&server, "admin", "POST", &format!("{path}/command/{command}"), &body);
    assert_done(&send(&server, "admin", "PUT", path, &json!({ "fullName": "Carl C.", "groups": [] })), 200, "carl c");
    let changed = server.get_as("admin", path, &[]).json();
    assert_eq!((&changed["data"]["fullName"], &changed["data"]["groups"]), (&json!("Carl C."), &json!([])));
    assert_done(&server.post_as("admin", &format!("{path}/command/disable"), &[], b""), 200, "carl c");
    let disabled = server.get_as("admin", path, &[]).json();
    assert_eq!((&disabled["data"]["disabled"], &disabled["data"]["links"][4]["rel"]), (&json!(true), &json!("enable")));
    assert!(!gets_in(&server, "carl c", "first password"));
    assert_done(&command("enable", json!({})), 200, "carl c");
    assert!(gets_in(&server, "carl c", "first password"));
    assert_done(&command("reset-password", json!({ "newPassword": "second password" })), 200, "carl c");
    assert!(!gets_in(&server, "carl c", "first password") && gets_in(&server, "carl c", "second password"));

    let own = |current: &str, new: &str| {
        let body = json!({ "currentPassword": current, "newPassword": new }).to_string();
        let headers = [("Content-Type", "application/json"), ("Authorization", &*basic("carl c", "second password"))];
        server.post(&format!("{path}/command/change-password"), &headers, body.as_bytes())
    };
    assert_eq!(own("wrong password", "third password").status, 401);
    assert_eq!(own("second password", "short").status, 400);
    assert_done(&own("second password", "third password"), 200, "carl c");
    assert!(!gets_in(&server, "carl c", "second password") && gets_in(&server, "carl c", "third password"));

    let listed = server.get_as("admin", "/users", &[]).json();
    let names: Vec<_> = listed["data"].as_array().expect("a list").iter().map(|user| &user["loginName"]).collect();
    assert_eq!(names, ["admin", "ann", "carl c", "ops"]);
    assert_done(&server.send_as("admin", "DELETE", path, &[], b""), 200, "carl c");
    for (method, path) in [("GET", path), ("DELETE", path), ("POST", "/users/carl%20c/command/enable")] {
        assert_eq!(server.send_as("admin", method, path, &[], b"").status, 404, "{method} {path}");
    }
    assert!(!gets_in(&server, "carl c", "third password"));
    server.assert_no_panic();
}

#[test]
fn administrators_manage_users_and_everybody_sees_who_they_are() {
    let (_data, server) = start();
    let new = json!({ "loginName": "x", "password": "some password" });
    for (method, path, body) in [
        ("GET", "/users", json!({})),
        ("POST", "/users", new),
        ("GET", "/users/ann", json!({})),
        ("PUT", "/users/ann", json!({ "fullName": "", "groups": ["$admins"] })),
        ("DELETE", "/users/ops", json!({})),
        ("POST", "/users/ann/command/enable", json!({})),
        ("POST", "/users/ops/command/disable", json!({})),
        ("POST", "/users/ann/command/reset-password", json!({ "newPassword": "some password" })),
        (
            "POST",
            "/users/admin/command/change-password",
            json!({ "currentPassword": "a", "newPassword": "some password" }),
        ),
    ] {
        for (user, expected) in [("", 401), ("ann", 403), ("ops", 403)] {
            let reply = send(&server, user, method, path, &body);
            assert_eq!(reply.status, expected, "{method} {path} by {user:?}: {}", reply.text());
        }
    }
    let own = server.get_as("ann", "/users/$current", &[]).json();
    assert_eq!((&own["data"]["loginName"], &own["data"]["groups"]), (&json!("ann"), &json!(["shop"])));
    assert_eq!(server.get("/users/%24current", &[]).status, 401);
    let info = server.get("/info", &[]).json();
    assert_eq!(info["features"]["userManagement"], true);
    assert_eq!(info["authentication"], json!({ "type": "internal", "properties": {} }));
}

#[test]
fn what_is_no_user_is_refused_and_no_form_makes_one() {
    let (_data, server) = start();
    let json = ("Content-Type", "application/json");
    for body in [
        "",
        "[]",
        "{",
        r#"{"loginName":"x"}"#,
        r#"{"loginName":"x","password":7}"#,
        r#"{"loginName":"","password":"some password"}"#,
        r#"{"loginName":"$x","password":"some password"}"#,
        r#"{"loginName":"a:b","password":"some password"}"#,
        r#"{"loginName":"a\nb","password":"some password"}"#,
        r#"{"loginName":"x","password":"short"}"#,
        r#"{"loginName":"x","groups":["$all"],"password":"some password"}"#,
    ] {
        let reply = server.post_as("admin", "/users", &[json], body.as_bytes());
        assert_eq!(reply.status, 400, "{body}: {}", reply.text());
        assert!(!reply.text().contains("some password") && !reply.text().contains("short\""), "{}", reply.text());
    }
    for form in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
        let body = br#"{"loginName":"x","password":"some password"}"#;
        assert_eq!(server.post_as("admin", "/users", &[("Content-Type", form)], body).status, 415, "{form}");
    }
    assert_eq!(server.send_as("admin", "PUT", "/users", &[json], b"{}").status, 405);
    assert_eq!(server.send_as("admin", "PUT", "/streams/s", &[json], b"{}").status, 405);
    assert_eq!(server.get_as("admin", "/users", &[]).json()["data"].as_array().map(Vec::len), Some(3));
}
