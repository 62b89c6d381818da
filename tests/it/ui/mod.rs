//! The pages for people: who is sent to them, what they say, and that nothing a stranger writes becomes a part of them.

mod account;
mod append;
mod filters;
mod follow;
mod hostile;
mod news;
mod overview;
mod pages;
mod redirects;

use crate::support::{Reply, TestServer, check};

/// What a browser sends.
const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8";

/// A page of ordinary events is no larger.
const PAGE_BYTES_MAX: usize = 15_000;

/// However hostile its content, no page is larger.
const HOSTILE_PAGE_BYTES_MAX: usize = 80_000;

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

/// What can stand in a page of ours; a stranger's would be none of these.
const ELEMENTS: &str = "html head meta title link script body header nav main footer section aside div h1 h2 h3 p span \
                        strong a bdi time code pre ol ul li dl dt dd table caption thead tbody tr th td figure figcaption \
                        form label input textarea button datalist option svg path circle";

#[track_caller]
fn check_page(reply: &Reply, path: &str) {
    assert_eq!(reply.header("content-type"), Some("text/html; charset=utf-8"), "{path}");
    assert_eq!(
        reply.header("content-security-policy"),
        Some(
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
             form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        )
    );
    assert_eq!(reply.header("referrer-policy"), Some("same-origin"));
    let options = roxmltree::ParsingOptions { allow_dtd: true, ..roxmltree::ParsingOptions::default() };
    let document = roxmltree::Document::parse_with_options(reply.text(), options)
        .unwrap_or_else(|error| panic!("{path}: {error}\n{}", reply.text()));
    let all = |name: &str| document.descendants().filter(|node| node.has_tag_name(name)).count();
    // Without these, screen readers are lost.
    assert_eq!(document.root_element().attribute("lang"), Some("en"));
    for name in ["title", "h1", "main", "header", "footer"] {
        assert_eq!(all(name), 1, "{path}: <{name}>");
    }
    for node in document.descendants().filter(roxmltree::Node::is_element) {
        let name = node.tag_name().name();
        assert!(ELEMENTS.split_whitespace().any(|known| known == name), "{path}: <{name}>");
        for attribute in node.attributes() {
            let attribute = attribute.name();
            assert!(!attribute.starts_with("on") && attribute != "style", "{path}: {attribute}");
            assert!(attribute != "src" || name == "script", "{path}: {attribute} of <{name}>");
        }
        for link in ["href", "src", "action", "data-news"].into_iter().filter_map(|name| node.attribute(name)) {
            assert!(
                link.starts_with("../") || link.starts_with('#'),
                "{path}: pages link relatively, and {link} is not"
            );
        }
        assert!(name != "script" || node.text().is_none(), "{path}: no script stands in a page");
        let is_there = |id: &str| document.descendants().any(|other| other.attribute("id") == Some(id));
        let is_labelled = |id: &str| {
            document.descendants().any(|other| other.has_tag_name("label") && other.attribute("for") == Some(id))
        };
        if let Some(id) = node.attribute("aria-labelledby") {
            assert!(is_there(id), "{path}: {id}");
        }
        if let Some(id) = node.attribute("href").and_then(|href| href.strip_prefix('#')) {
            assert!(is_there(id), "{path}: {id}");
        }
        if matches!(name, "input" | "textarea" | "select") {
            assert!(node.attribute("id").is_some_and(is_labelled), "{path}: a field without a label");
        }
        if name == "table" {
            assert!(node.children().any(|child| child.has_tag_name("caption")), "{path}: a table without a caption");
        }
    }
    let mut ids: Vec<&str> = document.descendants().filter_map(|node| node.attribute("id")).collect();
    ids.sort_unstable();
    assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "{path}: an id twice in {ids:?}");
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
    let is_elsewhere = |href: &str| !href.starts_with('#');
    let anchors = document.descendants().filter(|node| node.attribute("href").is_some_and(is_elsewhere));
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
