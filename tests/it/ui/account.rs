//! Logging in and out, with nothing but what browsers do by themselves.

use super::check_page;
use crate::support::{TestServer, basic, check};

#[test]
fn a_browser_is_asked_who_its_user_is_and_forgets_it_when_it_is_refused() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start_with_access(data.path(), &[("access.anonymous", "read")], &[("ann b", &[])]);
    let overview = server.get("/ui/", &[]);
    check_page(&overview, "/ui/");
    assert!(overview.text().contains("<a href=\"../ui/log-in\">Log in</a>"), "{}", overview.text());
    assert_eq!(overview.header("cache-control"), Some("private, no-cache"), "it says who is looking");
    let home = format!("http://{}/ui/", server.address);
    let challenged = |user: &str, path: &str, headers: &[(&str, &str)]| {
        let reply = server.get_as(user, path, headers);
        check(&reply, path);
        match reply.status {
            401 => {
                check_page(&reply, path);
                assert_eq!(reply.header("cache-control"), Some("no-store"));
                let challenge = reply.header("www-authenticate").expect("a challenge");
                assert!(challenge.starts_with("Basic realm=\"everfeed\""), "{challenge}");
                true
            }
            303 => {
                assert_eq!(reply.header("location"), Some(home.as_str()));
                false
            }
            other => panic!("{path} {other}"),
        }
    };
    assert!(challenged("", "/ui/log-in", &[]), "a browser asks");
    assert!(!challenged("ann b", "/ui/log-in", &[]), "and is sent on once it has an answer");
    let page = server.get_as("ann b", "/ui/", &[]);
    check_page(&page, "/ui/");
    assert!(page.text().contains("<bdi>ann b</bdi> <a href=\"../ui/log-out?user=ann%20b\">Log out</a>"));
    assert!(challenged("ann b", "/ui/log-out?user=ann%20b", &[]), "it drops what is refused");
    assert!(challenged("ann b", "/ui/log-out", &[]));
    assert!(!challenged("", "/ui/log-out?user=ann%20b", &[]), "who is gone need not leave");
    assert!(!challenged("admin", "/ui/log-out?user=ann%20b", &[]), "who came instead need not either");
    let wrong = basic("ann b", "wrong");
    assert!(challenged("", "/ui/log-in", &[("Authorization", &wrong)]), "and asks again");
}

#[test]
fn a_server_that_asks_nobody_has_nothing_to_log_in_to() {
    let (_data, server) = super::start();
    for path in ["/ui/log-in", "/ui/log-out?user=ann"] {
        let reply = server.get(path, &[]);
        check(&reply, path);
        assert_eq!(reply.status, 404, "{path}");
    }
    let overview = server.get("/ui/", &[]);
    assert!(!overview.text().contains("Log in") && !overview.text().contains("log-out"));
}

#[test]
fn a_page_says_what_its_reader_may_do() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start_with_access(data.path(), &[("access.anonymous", "read")], &[("ann", &["shop"])]);
    server.set("shop", &serde_json::json!({ "$acl": { "$w": "shop", "$d": "$admins", "$mw": "$admins" } }));
    server.set("desk", &serde_json::json!({ "$acl": { "$r": "shop", "$w": "$admins", "$d": "$admins", "$mr": "$admins", "$mw": "$admins" } }));
    for stream in ["shop", "desk"] {
        assert_eq!(server.append_as("admin", stream, "{}").status, 201);
    }
    for (user, stream, sentence) in [
        ("", "shop", "You may read it and read its settings. Everybody may read it."),
        ("ann", "shop", "You may read it, append to it and read its settings. Everybody may read it."),
        ("ann", "desk", "You may read it. Not everybody may read it."),
        (
            "admin",
            "desk",
            "You may read it, append to it, delete it, read its settings and change its settings. \
             Not everybody may read it.",
        ),
        ("admin", "%24all", "You may read it. Not everybody may read it."),
    ] {
        let path = format!("/ui/streams/{stream}");
        let reply = server.get_as(user, &path, &[]);
        check_page(&reply, &path);
        assert!(reply.text().contains(sentence), "{user} {stream}: {}", reply.text());
    }
    assert_eq!(server.get("/ui/streams/desk", &[]).status, 401);
}
