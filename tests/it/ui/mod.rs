//! The pages for people: who is sent to them, what they say, and that nothing a stranger writes becomes a part of them.

mod hostile;
mod pages;
mod redirects;

use crate::support::{Reply, TestServer, check};

/// What a browser sends.
const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8";

/// A page of ordinary events is no larger.
const PAGE_BYTES_MAX: usize = 15_000;

/// However hostile its content, no page is larger.
const HOSTILE_PAGE_BYTES_MAX: usize = 60_000;

fn start() -> (tempfile::TempDir, TestServer) {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(data.path(), &[]);
    (data, server)
}

#[track_caller]
fn append(server: &TestServer, path: &str, media_type: &str, event_type: &str, data: &[u8]) {
    let reply = server.post(path, &[("Content-Type", media_type), ("ES-EventType", event_type)], data);
    check(&reply, path);
    assert_eq!(reply.status, 201, "{path}");
}

fn order(server: &TestServer, number: u32) {
    let data = format!(
        r#"{{"order": {number}, "total": 12.50, "lines": [{{"article": "85123A", "quantity": 6, "price": 2.55}}]}}"#
    );
    append(server, "/streams/orders", "application/json", "OrderPlaced", data.as_bytes());
}

/// A page, checked for what holds for all of them.
#[track_caller]
fn page(server: &TestServer, path: &str, status: u16) -> Reply {
    let reply = server.get(path, &[]);
    check(&reply, path);
    assert_eq!(reply.status, status, "{path}");
    check_page(&reply, path);
    reply
}

#[track_caller]
fn check_page(reply: &Reply, path: &str) {
    assert_eq!(reply.header("content-type"), Some("text/html; charset=utf-8"), "{path}");
    assert_eq!(
        reply.header("content-security-policy"),
        Some("default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
    );
    assert_eq!(reply.header("referrer-policy"), Some("no-referrer"));
    let options = roxmltree::ParsingOptions { allow_dtd: true, ..roxmltree::ParsingOptions::default() };
    let document = roxmltree::Document::parse_with_options(reply.text(), options)
        .unwrap_or_else(|error| panic!("{path}: {error}\n{}", reply.text()));
    let all = |name: &str| document.descendants().filter(|node| node.has_tag_name(name)).count();
    // Without these, screen readers are lost.
    assert_eq!(document.root_element().attribute("lang"), Some("en"));
    for name in ["title", "h1", "main", "header"] {
        assert_eq!(all(name), 1, "{path}: <{name}>");
    }
    // What can stand in a page of ours; a stranger's would be none of these.
    for node in document.descendants().filter(roxmltree::Node::is_element) {
        let name = node.tag_name().name();
        assert!(
            matches!(
                name,
                "html"
                    | "head"
                    | "meta"
                    | "title"
                    | "link"
                    | "body"
                    | "header"
                    | "nav"
                    | "a"
                    | "main"
                    | "h1"
                    | "h2"
                    | "p"
                    | "span"
                    | "strong"
                    | "dl"
                    | "div"
                    | "dt"
                    | "dd"
                    | "section"
                    | "code"
                    | "pre"
                    | "ol"
                    | "li"
                    | "bdi"
                    | "time"
            ),
            "{path}: <{name}>"
        );
        for attribute in node.attributes() {
            let name = attribute.name();
            assert!(!name.starts_with("on") && name != "style" && name != "src", "{path}: {name}");
        }
        if let Some(href) = node.attribute("href") {
            assert!(href.starts_with("../"), "{path}: pages link relatively, and {href} is not");
        }
        if let Some(id) = node.attribute("aria-labelledby") {
            assert!(document.descendants().any(|other| other.attribute("id") == Some(id)), "{path}: {id}");
        }
    }
}

/// Where a relative link on the page at `path` leads.
fn resolved(path: &str, href: &str) -> String {
    let path = path.split('?').next().unwrap_or_default();
    let mut steps: Vec<&str> = path.split('/').collect();
    steps.pop();
    let mut rest = href;
    while let Some(after) = rest.strip_prefix("../") {
        steps.pop();
        rest = after;
    }
    format!("{}/{rest}", steps.join("/"))
}

/// The addresses that the page at `path` links to, each with its words.
fn links(reply: &Reply, path: &str) -> Vec<(String, String)> {
    let options = roxmltree::ParsingOptions { allow_dtd: true, ..roxmltree::ParsingOptions::default() };
    let document = roxmltree::Document::parse_with_options(reply.text(), options).expect("checked before");
    let anchors = document.descendants().filter(|node| node.attribute("href").is_some());
    anchors
        .map(|node| {
            let words = node.descendants().filter_map(|node| node.text().filter(|_| node.is_text()));
            (words.collect(), resolved(path, node.attribute("href").unwrap_or_default()))
        })
        .collect()
}

/// The address behind these words.
#[track_caller]
fn link(reply: &Reply, path: &str, words: &str) -> String {
    let links = links(reply, path);
    let found = links.iter().find(|(other, _)| other == words);
    found.map(|(_, href)| href.clone()).unwrap_or_else(|| panic!("{path}: no {words:?} in {links:#?}"))
}
