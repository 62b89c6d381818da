//! Where it is a secret which streams there are, hidden and missing ones are the same, byte by byte.

use serde_json::json;

use crate::support::{Reply, TestServer, WithAccess, request};

/// The status line, the headers but for the date, and the body.
fn bytes_of(reply: &Reply) -> (u16, String, Vec<(String, String)>, String) {
    let headers = reply.headers.iter().filter(|(name, _)| name != "date").cloned().collect();
    (reply.status, reply.reason.clone(), headers, String::from_utf8_lossy(&reply.body).into_owned())
}

/// A server with streams that `bob` may not read: one with events, one whose events were deleted. `seen` he may read.
fn start() -> (tempfile::TempDir, WithAccess) {
    let data = tempfile::tempdir().expect("a directory");
    let settings = [("access.secret_existence", "true"), ("timeouts.wait", "1s")];
    let server = TestServer::start_with_access(data.path(), &settings, &[("bob", &[])]);
    for stream in ["hidden-a", "hidden-b", "seen", "gone-ab"] {
        assert_eq!(server.append_as("admin", stream, "{}").status, 201);
    }
    for stream in ["hidden-a", "hidden-b"] {
        server.set(
            stream,
            &json!({ "$acl": { "$r": "admin", "$w": "admin", "$d": "admin", "$mr": "admin", "$mw": "admin" } }),
        );
    }
    server.set("seen", &json!({ "$acl": { "$w": "admin", "$d": "admin", "$mw": "admin" } }));
    for stream in ["hidden-b", "gone-ab"] {
        assert_eq!(server.send_as("admin", "DELETE", &format!("/streams/{stream}"), &[], b"").status, 204);
    }
    (data, server)
}

#[test]
fn hidden_missing_and_deleted_streams_are_told_in_the_same_bytes() {
    let (_data, server) = start();
    // What is wrong with a request is told whatever is there, under the request's own id.
    for headers in [("Accept", "image/png"), ("ES-LongPoll", "0"), ("Last-Event-ID", "x")] {
        let ask = |stream: &str| {
            let listening = ("Accept", "text/event-stream");
            let headers = if headers.0 == "Last-Event-ID" { vec![listening, headers] } else { vec![headers] };
            let mut problem = server.get_as("bob", &format!("/streams/{stream}"), &headers).json();
            assert!(problem["requestId"].take().is_string(), "{problem}");
            problem
        };
        assert!(ask("missing1")["status"].as_u64().is_some_and(|status| matches!(status, 400 | 406)), "{headers:?}");
        assert_eq!(ask("hidden-a"), ask("missing1"), "{headers:?}");
    }
    let html = ("Accept", "text/html");
    let described = ("Accept", "application/vnd.eventstore.streamdesc+json");
    for (tail, headers) in [
        ("", &[][..]),
        ("", &[("Accept", "application/vnd.eventstore.atom+json")]),
        ("", &[("If-None-Match", "*")]),
        ("?format=json", &[]),
        ("?wait=1", &[]),
        ("/0", &[]),
        ("/0.json", &[]),
        ("/head", &[]),
        ("/0/data", &[]),
        ("/head/data", &[]),
        ("/0/forward/20", &[]),
        ("/0/forward/20.ndjson", &[]),
        ("/head/backward/20", &[]),
        ("/metadata", &[]),
        ("/metadata/0", &[]),
        ("/categories", &[]),
    ] {
        let ask = |stream: &str| bytes_of(&server.get_as("bob", &format!("/streams/{stream}{tail}"), headers));
        let missing = ask("missing1");
        let what = format!("{tail} {headers:?}");
        assert_eq!((missing.0, missing.1.as_str()), (404, "Not Found"), "{what}");
        assert!(missing.2.contains(&("cache-control".into(), "no-store".into())), "{what}: {missing:?}");
        assert!(!missing.3.contains("missing1") && !missing.3.contains("requestId"), "{what}: {missing:?}");
        for stream in ["hidden-a", "hidden-b", "gone-ab"] {
            // That it was deleted is in its settings, and those he may read.
            if stream != "gone-ab" || !tail.starts_with("/metadata") {
                assert_eq!(ask(stream), missing, "{stream} {what}");
            }
        }
    }
    // What holds a name holds the one that was asked for, and says nothing of what is there.
    for (path, headers) in [("/streams/NAME", html), ("/streams/NAME", described)] {
        let ask = |stream: &str| {
            let mut told = bytes_of(&server.get_as("bob", &path.replace("NAME", stream), &[headers]));
            told.2.iter_mut().for_each(|(_, value)| *value = value.replace(stream, "NAME"));
            (told.0, told.2, told.3.replace(stream, "NAME"))
        };
        let missing = ask("missing1");
        assert!(missing.0 < 400, "{missing:?}");
        for stream in ["hidden-a", "hidden-b"] {
            assert_eq!(ask(stream), missing, "{stream} {headers:?}");
        }
    }
    for tail in ["", "/0", "?from=0"] {
        let ask = |stream: &str| bytes_of(&server.get_as("bob", &format!("/ui/streams/{stream}{tail}"), &[]));
        assert_eq!(ask("missing1").0, 404);
        assert_eq!(ask("hidden-a"), ask("missing1"), "{tail}");
    }
    let head = |stream: &str| bytes_of(&server.send_as("bob", "HEAD", &format!("/streams/{stream}/0"), &[], b""));
    assert_eq!(head("hidden-a"), head("missing1"));
    assert_eq!(server.get_as("admin", "/streams/hidden-a", &[]).status, 200, "whoever may read it sees it");
    server.assert_no_panic();
}

#[test]
fn who_may_neither_write_nor_read_learns_nothing_from_trying() {
    let (_data, server) = start();
    let json = ("Content-Type", "application/json");
    let incoming = "/incoming/fbf4a1a1-b4a3-4dfe-a01f-ec52c34e16e4";
    for (method, tail) in [("POST", ""), ("POST", incoming), ("POST", "/metadata"), ("DELETE", "")] {
        // Nobody who is unknown may do anything here, whether there is such a stream or not.
        let ask = |user: &str, stream: &str| {
            bytes_of(&server.send_as(user, method, &format!("/streams/{stream}{tail}"), &[json], b"{}"))
        };
        let missing = ask("", "missing1");
        assert_eq!(missing.0, 404, "{method} {tail}");
        for stream in ["hidden-a", "hidden-b", "gone-ab", "seen", "$$hidden-a"] {
            if stream.starts_with('$') && (method == "DELETE" || tail == "/metadata") {
                continue;
            }
            assert_eq!(ask("", stream), missing, "{method} {stream}{tail}");
        }
        assert_eq!(ask("bob", "hidden-a"), missing, "{method} {tail}");
        assert_eq!(ask("bob", "hidden-b"), missing, "{method} {tail}");
        let seen = ask("bob", "seen");
        assert_eq!(seen.0, 403, "what he can read is no secret: {seen:?}");
    }
    // Without the setting it is told.
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start_with_access(data.path(), &[], &[("bob", &[])]);
    server.set("hidden", &json!({ "$acl": { "$r": "admin" } }));
    assert_eq!(server.get_as("bob", "/streams/hidden", &[]).status, 403);
    assert_eq!(server.get_as("bob", "/streams/missing", &[]).status, 404);
    assert!(server.get_as("bob", "/streams/missing", &[]).text().contains("missing"));
}

#[test]
fn listening_to_what_is_hidden_is_listening_to_nothing() {
    let (_data, server) = start();
    let accept = ("Accept", "text/event-stream");
    let authorization = server.authorization("bob").expect("he has one");
    let ask = |stream: &str| {
        let headers = [accept, ("Authorization", authorization.as_str())];
        bytes_of(&request(server.address, "HEAD", &format!("/streams/{stream}"), &headers, b""))
    };
    assert_eq!(ask("missing1").0, 200);
    assert_eq!(ask("hidden-a"), ask("missing1"));
}
