//! Scripts of other sites: what browsers are told that they may do, and that caches still keep one copy for all.

use crate::support::{Reply, TestServer, check, request};

fn start(origins: &str) -> (tempfile::TempDir, TestServer) {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start_with(data.path(), &[("cors.origins", origins)]);
    assert_eq!(server.post("/streams/s", &[("Content-Type", "application/json")], b"{}").status, 201);
    (data, server)
}

/// Every kind of answer: method, path.
const ANSWERS: [(&str, &str); 8] = [
    ("GET", "/streams/s"),
    ("GET", "/streams/s/0"),
    ("GET", "/streams/s/0/data"),
    ("GET", "/streams/none"),
    ("HEAD", "/streams/s"),
    ("POST", "/streams/s"),
    ("PUT", "/streams/s"),
    ("GET", "/info"),
];

fn from(server: &TestServer, origin: Option<&str>, method: &str, path: &str) -> Reply {
    let mut headers = vec![("Content-Type", "application/json")];
    headers.extend(origin.map(|origin| ("Origin", origin)));
    let reply = request(server.address, method, path, &headers, if method == "POST" { b"{}" } else { b"" });
    check(&reply, path);
    reply
}

#[test]
fn by_default_scripts_of_every_site_are_let_in_with_the_same_headers_for_all() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(data.path(), &[]);
    server.post("/streams/s", &[("Content-Type", "application/json")], b"{}");
    for (method, path) in ANSWERS {
        for origin in [None, Some("https://a.example"), Some("null")] {
            let reply = from(&server, origin, method, path);
            assert_eq!(reply.header("access-control-allow-origin"), Some("*"), "{method} {path}");
            let exposed = reply.header("access-control-expose-headers").expect("what may be read");
            for name in ["ETag", "Link", "Location", "ES-CurrentVersion", "Kurrent-Position", "Everfeed-Log"] {
                assert!(exposed.split(", ").any(|exposed| exposed == name), "{name}: {exposed}");
            }
            assert!(!reply.header("vary").unwrap_or_default().contains("Origin"), "{method} {path}");
            assert_eq!(reply.header("access-control-allow-credentials"), None);
        }
    }
    let tag = from(&server, None, "GET", "/streams/s").header("etag").expect("a tag").to_string();
    let unchanged = server.get("/streams/s", &[("If-None-Match", &tag)]);
    assert_eq!((unchanged.status, unchanged.header("access-control-allow-origin")), (304, Some("*")));
}

#[test]
fn a_preflight_is_told_the_methods_of_its_address_and_for_how_long() {
    let (_data, server) = start("*");
    for (path, methods) in [
        ("/streams/s", "GET, HEAD, OPTIONS, POST"),
        ("/streams/s/0", "GET, HEAD, OPTIONS"),
        ("/streams/not-yet", "GET, HEAD, OPTIONS, POST"),
    ] {
        let headers = [
            ("Origin", "https://a.example"),
            ("Access-Control-Request-Method", "POST"),
            ("Access-Control-Request-Headers", "content-type,es-eventtype"),
        ];
        let reply = request(server.address, "OPTIONS", path, &headers, b"");
        check(&reply, path);
        assert_eq!((reply.status, reply.body.len()), (204, 0));
        assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
        assert_eq!(reply.header("access-control-allow-methods"), Some(methods));
        let allow = reply.header("allow").expect("what HTTP allows");
        assert_eq!(allow.replace("DELETE, ", ""), methods, "nobody's page may delete");
        assert_eq!(reply.header("access-control-max-age"), Some("86400"));
        let allowed = reply.header("access-control-allow-headers").expect("what may be sent");
        for name in ["Content-Type", "If-None-Match", "ES-EventType", "Kurrent-ExpectedVersion", "Idempotency-Key", "*"]
        {
            assert!(allowed.split(", ").any(|allowed| allowed == name), "{name}: {allowed}");
        }
    }
}

#[test]
fn a_list_lets_in_its_members_alone_and_answers_say_that_they_depend_on_who_asks() {
    let (_data, server) = start("https://a.example, http://localhost:3000");
    for (method, path) in ANSWERS {
        for (origin, allowed) in [
            (None, None),
            (Some("https://a.example"), Some("https://a.example")),
            (Some("http://localhost:3000"), Some("http://localhost:3000")),
            (Some("https://evil.example"), None),
            (Some("null"), None),
        ] {
            let reply = from(&server, origin, method, path);
            assert_eq!(reply.header("access-control-allow-origin"), allowed, "{method} {path} {origin:?}");
            let vary = reply.header("vary").unwrap_or_default();
            assert!(vary.split(", ").any(|name| name == "Origin"), "{method} {path}: {vary}");
        }
    }
    let feed = from(&server, None, "GET", "/streams/s");
    assert_eq!(feed.header("vary"), Some("Accept, Accept-Encoding, Origin"));
    let none = from(&server, None, "GET", "/streams/none");
    assert_eq!((none.status, none.header("vary")), (404, Some("Accept, Origin")));
    let preflight = from(&server, Some("https://a.example"), "OPTIONS", "/streams/s");
    let methods = preflight.header("access-control-allow-methods");
    assert_eq!(methods, Some("DELETE, GET, HEAD, OPTIONS, POST"), "a site that is listed may");
}

#[test]
fn an_empty_list_lets_nobody_in() {
    let (_data, server) = start("");
    for (method, path) in ANSWERS.into_iter().chain([("OPTIONS", "/streams/s")]) {
        let reply = from(&server, Some("https://a.example"), method, path);
        assert!(reply.headers.iter().all(|(name, _)| !name.starts_with("access-control-")), "{method} {path}");
        assert!(!reply.header("vary").unwrap_or_default().contains("Origin"));
    }
}

/// Whoever opens a page of a stranger has a browser that reaches the server on their own machine. The story: a form
/// could append to any stream, truncate it by `$maxCount`, and begin to give its space back.
#[test]
fn a_page_of_another_site_sends_no_forms_and_changes_no_settings() {
    let (_data, server) = start("*");
    let json = ("Content-Type", "application/json");
    let text = ("Content-Type", "text/plain");
    let settings = ("Content-Type", "application/vnd.eventstore.events+json");
    let keep_one =
        br#"[{"eventId":"0f9fad5b-d9cb-469f-a165-70867728950e","eventType":"$metadata","data":{"$maxCount":1}}]"#;
    for site in [("Origin", "https://evil.example"), ("Origin", "null"), ("Sec-Fetch-Site", "cross-site")] {
        for (path, headers, body, status) in [
            ("/streams/s", vec![json], &b"{}"[..], 201),
            ("/streams/s", vec![text], b"{}", 403),
            ("/streams/s", vec![], b"{}", 403),
            ("/streams/s/incoming/0f9fad5b-d9cb-469f-a165-70867728950f", vec![text], b"{}", 403),
            ("/streams/s/metadata", vec![settings], keep_one, 403),
            ("/streams/$$s", vec![settings], keep_one, 403),
            ("/streams/$settings", vec![json], b"{}", 403),
            ("/admin/scavenge", vec![], b"", 403),
        ] {
            let reply = server.post(path, &[&headers[..], &[site]].concat(), body);
            check(&reply, path);
            assert_eq!(reply.status, status, "{site:?} {path} {headers:?}: {}", reply.text());
            assert_eq!(reply.text().contains("foreign-script"), status == 403, "{path}");
        }
    }
    // A page of our own, and a program, may all of that.
    let own = format!("http://{}", server.address);
    for origin in [None, Some(("Origin", own.as_str()))] {
        let headers: Vec<_> = [Some(settings), origin].into_iter().flatten().collect();
        assert_eq!(server.post("/streams/s/metadata", &headers, keep_one).status, 201);
    }
    let (_data, listed) = start("https://a.example");
    let reply = listed.post("/streams/s", &[text, ("Origin", "https://a.example")], b"{}");
    assert_eq!(reply.status, 201, "a site that is listed may all that a program may");
}
