//! What a browser could be made to run, and is not: every document says what may be done with it.

use super::Attacked;
use crate::support::{Reply, TestServer, check};

const SANDBOX: &str = "default-src 'none'; frame-ancestors 'none'; sandbox";
const PAGE: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
                    form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Of an answer: its policy, from where it may be taken in, and whether it is a file.
fn told(reply: &Reply) -> (Option<&str>, Option<&str>, Option<&str>) {
    let header = |name| reply.header(name);
    (header("content-security-policy"), header("cross-origin-resource-policy"), header("content-disposition"))
}

fn get(server: &TestServer, path: &str, accept: &str) -> Reply {
    let reply = server.get(path, &[("Accept", accept)]);
    check(&reply, path);
    assert_eq!(reply.status, 200, "{path}");
    reply
}

#[test]
fn an_events_data_never_becomes_a_page_of_ours() {
    let attacked = Attacked::new(&[]);
    let server = &attacked.server;
    let script = b"<html xmlns='http://www.w3.org/1999/xhtml'><script>alert(1)</script></html>";
    let styled = b"<?xml-stylesheet type='text/xsl' href='/streams/s/0/data'?><a/>";
    let file = Some("attachment");
    let cases: [(&str, &[u8], Option<&str>); 15] = [
        ("text/html", script, file),
        ("text/html;charset=utf-7", b"+ADw-script+AD4-alert(1)+ADw-/script+AD4-", file),
        ("TEXT/HTML", script, file),
        ("image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", file),
        ("application/xhtml+xml", script, file),
        ("text/xml", styled, file),
        ("application/xml", script, file),
        ("application/pdf", b"%PDF-1.7", file),
        ("text/javascript", b"alert(1)", file),
        ("application/octet-stream", script, file),
        ("application/x-shockwave-flash", b"FWS", file),
        ("text/plain", script, None),
        ("application/json", b"{\"a\":\"<script>alert(1)</script>\"}", None),
        ("image/png", script, None),
        ("video/mp4", script, None),
    ];
    for (number, (media_type, data, disposition)) in cases.iter().enumerate() {
        let posted = server.post("/streams/data", &[("Content-Type", media_type)], data);
        assert_eq!(posted.status, 201, "{media_type}");
        let path = format!("/streams/data/{number}/data");
        let reply = get(server, &path, "*/*");
        assert_eq!(told(&reply), (Some(SANDBOX), Some("same-origin"), *disposition), "{media_type}");
        assert_eq!((reply.header("content-type"), &reply.body[..]), (Some(*media_type), *data));
        let head = crate::support::request(server.address, "HEAD", &path, &[], b"");
        assert_eq!(told(&head), told(&reply), "{media_type}");
    }
    // What names no type, or is none, is not taken: there is nothing to be guessed later.
    for media_type in ["", "text", "text/", "/html", "text/html/x", "text /html", "a b/c"] {
        let refused = server.post("/streams/data", &[("Content-Type", media_type)], script);
        check(&refused, media_type);
        assert!(matches!(refused.status, 400 | 415), "{media_type} {}", refused.status);
    }
    attacked.check_unharmed_with(1 + cases.len() as u64, 64);
}

#[test]
fn feeds_and_refusals_run_nothing_either() {
    let attacked = Attacked::new(&[]);
    let server = &attacked.server;
    let script = b"<script xmlns='http://www.w3.org/1999/xhtml'>alert(1)</script>";
    assert_eq!(server.post("/streams/x", &[("Content-Type", "application/xml")], script).status, 201);
    let shared = (Some(SANDBOX), Some("cross-origin"), None);
    for (path, accept) in [
        ("/streams/x", "application/atom+xml"),
        ("/streams/x", "application/vnd.eventstore.atom+json"),
        ("/streams/x/0/forward/1.atom", "*/*"),
        ("/streams/x/0/forward/1", "application/x-ndjson"),
        ("/streams/x/0.atom", "*/*"),
        ("/streams/x/0", "text/xml"),
        ("/streams/x/0", "application/vnd.eventstore.event+xml"),
        ("/streams/$all/0/forward/1.atom", "*/*"),
        ("/", "application/atomsvc+xml"),
    ] {
        assert_eq!(told(&get(server, path, accept)), shared, "{path} {accept}");
    }
    let page = get(server, "/streams/x/0/forward/1.atom", "*/*");
    assert!(!page.text().contains("<?xml-stylesheet"), "no instruction of a stranger's");
    let refused = server.get("/streams/none", &[]);
    assert_eq!(told(&refused), shared);
    for path in ["/ui/", "/ui/streams/x", "/ui/streams/x/0", "/ui/problems/too-busy"] {
        assert_eq!(told(&get(server, path, "text/html")), (Some(PAGE), Some("same-origin"), None), "{path}");
    }
    let missing = server.get("/ui/streams/none", &[("Accept", "text/html")]);
    assert_eq!((missing.status, told(&missing)), (404, (Some(PAGE), Some("same-origin"), None)));
    // Whoever has it already is told nothing new.
    let tag = page.header("etag").expect("a tag");
    let same = server.get("/streams/x/0/forward/1.atom", &[("If-None-Match", tag)]);
    assert_eq!((same.status, told(&same).0, same.header("referrer-policy")), (304, None, None));

    // Where no script may read, no page may take in.
    let closed = Attacked::new(&[("cors.origins", "")]);
    assert_eq!(told(&get(&closed.server, "/streams/s", "*/*")).1, Some("same-origin"));
    let listed = Attacked::new(&[("cors.origins", "https://shop.example")]);
    assert_eq!(told(&get(&listed.server, "/streams/s", "*/*")).1, Some("same-origin"));
}
