//! What is hidden from whoever asks is as if it were not there: in no list, and not in what leads from one to the next.

use serde_json::json;

use super::{names_of, walk};
use crate::support::{Reply, TestServer, WithAccess, check};

const USERS: &[(&str, &[&str])] = &[("ann", &["insiders"]), ("bob", &["outsiders"])];

/// Thirty streams; every second one is secret.
fn start(settings: &[(&str, &str)]) -> (tempfile::TempDir, WithAccess) {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start_with_access(data.path(), settings, USERS);
    for number in 10..40 {
        let stream = if number % 2 == 0 { format!("shop-{number}-canary") } else { format!("shop-{number}-open") };
        if number % 2 == 0 {
            server.set(&stream, &json!({ "$acl": { "$r": ["insiders"] } }));
        }
        assert_eq!(server.append_as("admin", &stream, "{}").status, 201);
    }
    (data, server)
}

const LISTS: [&str; 5] = [
    "/admin/streams?limit=4",
    "/admin/streams?order=name&limit=4",
    "/admin/streams?order=name&prefix=shop-&limit=3",
    "/admin/streams?before=60&limit=2",
    "/admin/streams?search=shop&limit=100",
];

#[track_caller]
fn assert_nothing_hidden(reply: &Reply, what: &str) {
    let headers = reply.headers.iter().map(|(_, value)| value.as_str());
    for text in headers.chain([reply.text()]) {
        assert!(!text.contains("canary"), "{what}: {text}");
    }
}

#[test]
fn a_hidden_stream_is_in_no_list_and_in_no_link() {
    for secret in ["false", "true"] {
        let (_data, server) = start(&[("access.anonymous", "read"), ("access.secret_existence", secret)]);
        for user in ["", "bob"] {
            for list in LISTS {
                let get = |path: &str| {
                    let reply = server.get_as(user, path, &[]);
                    assert_nothing_hidden(&reply, path);
                    assert!(reply.header("cache-control").is_some_and(|policy| policy.contains("no-store")), "{path}");
                    reply
                };
                let names = walk(get, list);
                assert!(names.len() > 1 && names.iter().all(|name| name.ends_with("-open")), "{list}: {names:?}");
            }
            let hidden = server.get_as(user, "/admin/streams/shop-10-canary", &[]);
            let expected = if secret == "true" {
                404
            } else if user.is_empty() {
                401
            } else {
                403
            };
            assert_eq!(hidden.status, expected, "{}", hidden.text());
            for text in ["canary", "shop-10-canary", "10-c"] {
                let reply = server.get_as(user, &format!("/admin/streams?search={text}"), &[]);
                assert_eq!(reply.text(), r#"{"streams":[],"complete":true}"#, "{text} as {user:?}");
            }
        }
        let found = |user| names_of(&server.get_as(user, "/admin/streams?search=canary&limit=20", &[]).json()).len();
        assert_eq!((found("ann"), found("admin")), (15, 15));
        assert_eq!(walk(|path| server.get_as("ann", path, &[]), LISTS[0]).len(), 30);
        server.assert_no_panic();
    }
}

#[test]
fn rights_that_are_taken_take_the_stream_off_all_lists_at_once() {
    let (_data, server) = start(&[("access.anonymous", "read")]);
    let found = |user| names_of(&server.get_as(user, "/admin/streams?search=shop-11", &[]).json());
    assert_eq!(found("bob"), ["shop-11-open"]);
    server.set("shop-11-open", &json!({ "$acl": { "$r": ["insiders"] } }));
    assert_eq!((found("bob"), found("ann")), (vec![], vec!["shop-11-open".to_string()]));
    server.set("shop-11-open", &json!({}));
    assert_eq!(found("bob"), ["shop-11-open"]);
}

#[test]
fn who_is_unknown_lists_only_where_these_may_read() {
    let (_data, server) = start(&[("access.anonymous", "none")]);
    let reply = server.get("/admin/streams", &[]);
    check(&reply, "a list for nobody in particular");
    assert_eq!(reply.status, 401);
    assert_nothing_hidden(&reply, "a refusal");
    assert_eq!(server.get_as("bob", "/admin/streams", &[]).status, 200);
}
