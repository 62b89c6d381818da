//! Who gets which status: by what a request says of who it comes from, and by what that user may do.

use serde_json::json;

use crate::support::{TestServer, WithAccess, basic, check};

const USERS: &[(&str, &[&str])] = &[("ann", &["shop"]), ("bob", &[])];

fn start(settings: &[(&str, &str)]) -> (tempfile::TempDir, WithAccess) {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start_with_access(data.path(), settings, USERS);
    (data, server)
}

#[track_caller]
fn check_status(server: &WithAccess, user: &str, method: &str, path: &str, expected: u16) {
    let headers: &[_] = if method == "POST" { &[("Content-Type", "application/json")] } else { &[] };
    let reply = server.send_as(user, method, path, headers, if method == "POST" { b"{}" } else { b"" });
    let what = format!("{method} {path} by {user:?}");
    assert_eq!(reply.status, expected, "{what}: {}", reply.text());
    check(&reply, &what);
}

#[test]
fn who_may_not_is_refused_and_who_is_unknown_is_asked() {
    let (_data, server) = start(&[]);
    assert_eq!(server.append_as("ann", "open", "{}").status, 201);
    assert_eq!(server.append_as("ann", "shop", "{}").status, 201);
    server.set(
        "shop",
        &json!({ "$acl": { "$r": "shop", "$w": "ann", "$d": "$admins", "$mr": "shop", "$mw": "$admins" } }),
    );
    for (user, method, path, expected) in [
        ("", "GET", "/streams/open", 401),
        ("bob", "GET", "/streams/open", 200),
        ("bob", "POST", "/streams/open", 201),
        ("", "GET", "/streams/shop", 401),
        ("", "GET", "/streams/missing", 401),
        ("ann", "GET", "/streams/shop", 200),
        ("bob", "GET", "/streams/shop", 403),
        ("bob", "GET", "/streams/shop/0", 403),
        ("bob", "GET", "/streams/shop/0/data", 403),
        ("bob", "GET", "/streams/shop/0/forward/20", 403),
        ("bob", "GET", "/streams/shop/metadata", 403),
        ("bob", "GET", "/streams/$$shop", 403),
        ("bob", "GET", "/streams/shop/categories", 403),
        ("bob", "GET", "/ui/streams/shop", 403),
        ("bob", "POST", "/streams/shop", 403),
        ("ann", "POST", "/streams/shop", 201),
        ("ann", "POST", "/streams/shop/metadata", 403),
        ("", "POST", "/streams/shop/metadata", 401),
        ("bob", "DELETE", "/streams/shop", 403),
        ("ann", "DELETE", "/streams/shop", 403),
        ("", "DELETE", "/streams/shop", 401),
        ("ann", "GET", "/streams/$all", 403),
        ("admin", "GET", "/streams/$all", 200),
        ("", "GET", "/metrics", 401),
        ("ann", "GET", "/metrics", 403),
        ("ops", "GET", "/metrics", 200),
        ("admin", "GET", "/metrics", 200),
        ("", "GET", "/admin/scavenge", 401),
        ("ann", "GET", "/admin/scavenge", 403),
        ("ops", "GET", "/admin/scavenge", 200),
        ("ann", "POST", "/admin/scavenge", 403),
        ("ops", "POST", "/admin/scavenge", 200),
        ("", "GET", "/admin/streams", 401),
        ("bob", "GET", "/admin/streams", 200),
        ("bob", "GET", "/admin/streams/shop", 403),
        ("ann", "GET", "/admin/streams/shop", 200),
        ("", "POST", "/admin/promote", 401),
        ("ann", "POST", "/admin/promote", 403),
        ("ops", "POST", "/admin/promote", 409),
        ("", "GET", "/ping", 200),
        ("", "GET", "/info", 200),
        ("", "GET", "/health/live", 200),
        ("", "GET", "/health/ready", 200),
        ("", "GET", "/ui/problems/forbidden", 200),
        ("", "GET", "/ui/everfeed.css", 200),
        ("admin", "DELETE", "/streams/shop", 204),
    ] {
        check_status(&server, user, method, path, expected);
    }
    server.assert_no_panic();
}

#[test]
fn credentials_that_do_not_count_are_refused_also_where_everybody_may_read() {
    let (_data, server) = start(&[("access.anonymous", "read")]);
    assert_eq!(server.append_as("ann", "open", "{}").status, 201);
    check_status(&server, "", "GET", "/streams/open", 200);
    check_status(&server, "", "POST", "/streams/open", 401);
    let right = server.authorization("ann").expect("she has one");
    let wrong_password = basic("ann", "something else");
    let nobody = basic("nobody", "something else");
    for value in [&wrong_password, &nobody, "Basic", "Basic !", "Bearer nothing", "Digest a=b", "", "Negotiate"] {
        let reply = server.get("/streams/open", &[("Authorization", value)]);
        check(&reply, value);
        assert_eq!((reply.status, reply.header("cache-control")), (401, Some("no-store")), "{value}");
        assert!(reply.json()["type"].as_str().expect("a type").ends_with("/wrong-credentials"), "{value}");
    }
    let reply = server.get("/streams/open", &[("Authorization", &right), ("Authorization", &right)]);
    assert_eq!(reply.status, 401, "twice is once too often");
    // A name that nobody has and a wrong password are told in the same words.
    let told = |value: &str| {
        let mut problem = server.get("/streams/open", &[("Authorization", value)]).json();
        problem["requestId"].take();
        problem
    };
    assert_eq!(told(&wrong_password), told(&nobody));
}

#[test]
fn people_are_asked_by_their_browser_and_scripts_ask_themselves() {
    let (_data, server) = start(&[]);
    let challenge = |headers: &[(&str, &str)]| {
        let reply = server.get("/streams/open", headers);
        assert_eq!(reply.status, 401);
        reply.header("www-authenticate").expect("a challenge").to_string()
    };
    let to_people = "Basic realm=\"everfeed\", charset=\"UTF-8\", Bearer";
    assert_eq!(challenge(&[]), to_people);
    assert_eq!(challenge(&[("Sec-Fetch-Mode", "navigate")]), to_people);
    for script in [("Sec-Fetch-Mode", "cors"), ("X-Requested-With", "XMLHttpRequest")] {
        assert_eq!(challenge(&[script]), "X-Basic realm=\"everfeed\", Bearer");
    }
}

#[test]
fn pages_of_other_sites_write_in_nobodys_name() {
    let (_data, server) = start(&[("cors.origins", "https://shop.example")]);
    let own = format!("http://{}", server.address);
    for (name, value, expected) in [
        ("Origin", "https://evil.example", 403),
        ("Origin", "null", 403),
        ("Sec-Fetch-Site", "cross-site", 403),
        ("Origin", "https://shop.example", 201),
        ("Origin", &own, 201),
        ("Sec-Fetch-Site", "same-origin", 201),
        ("Sec-Fetch-Site", "none", 201),
    ] {
        let headers = [("Content-Type", "application/json"), (name, value)];
        let reply = server.post_as("ann", "/streams/open", &headers, b"{}");
        assert_eq!(reply.status, expected, "{name}: {value} {}", reply.text());
        check(&reply, value);
    }
    for (method, path) in
        [("DELETE", "/streams/open"), ("POST", "/users/ann/command/disable"), ("DELETE", "/users/ann")]
    {
        let reply = server.send_as("admin", method, path, &[("Origin", "https://evil.example")], b"");
        assert!(reply.status == 403 && reply.text().contains("foreign-script"), "{method} {path}: {}", reply.text());
    }
    assert_eq!(
        server.get_as("ann", "/streams/open", &[("Origin", "https://evil.example")]).status,
        200,
        "reading is for CORS"
    );
}

#[test]
fn a_server_without_access_asks_nobody() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(data.path(), &[]);
    let anything = ("Authorization", "Nonsense of any kind");
    let json = ("Content-Type", "application/json");
    assert_eq!(server.post("/streams/s", &[json, anything, ("Origin", "https://evil.example")], b"{}").status, 201);
    assert_eq!(server.get("/streams/s", &[anything]).status, 200);
    assert_eq!(server.get("/metrics", &[anything]).status, 200);
    for path in ["/users", "/users/$current", "/users/admin"] {
        let reply = server.get(path, &[anything]);
        check(&reply, path);
        assert_eq!(reply.status, 404, "{path}");
    }
    let info = server.get("/info", &[]).json();
    assert_eq!(info["features"]["userManagement"], false);
    assert!(info.get("authentication").is_none());
    assert_eq!(server.post("/streams/s/metadata", &[json], b"{}").status, 201);
    assert_eq!(server.get("/streams/$audit", &[]).status, 404, "nothing is recorded");
    assert!(!data.path().join("users.json").exists());
}
