//! What there is, as RFC 5023 tells it: the service document, categories, and the ways to them.

use crate::support::{TestServer, check, request};

const JSON: (&str, &str) = ("Content-Type", "application/json");
const OVERVIEW: &str = "public, max-age=10, stale-while-revalidate=60, stale-if-error=86400";

fn append(server: &TestServer, stream: &str, event_type: &str) {
    let appended = server.post(&format!("/streams/{stream}"), &[JSON, ("ES-EventType", event_type)], b"{}");
    assert_eq!(appended.status, 201, "{}", appended.text());
}

/// The values of an attribute on all elements of this name.
fn attributes(document: &str, element: &str, attribute: &str) -> Vec<String> {
    let document = roxmltree::Document::parse(document).expect("well-formed");
    let elements = document.descendants().filter(|node| node.tag_name().name() == element);
    elements.filter_map(|node| node.attribute(attribute)).map(str::to_string).collect()
}

#[test]
fn the_service_document_leads_to_every_stream_that_is_there() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(data.path(), &[]);
    let empty = server.get("/", &[]);
    check(&empty, "/");
    assert_eq!(empty.header("content-type"), Some("application/atomsvc+xml; charset=utf-8"));
    assert_eq!(empty.header("cache-control"), Some(OVERVIEW));
    assert_eq!(attributes(empty.text(), "collection", "href"), [""; 0]);

    for stream in ["orders", "a%2Fb", "gone"] {
        append(&server, stream, "t");
    }
    assert_eq!(request(server.address, "DELETE", "/streams/gone", &[], b"").status, 204);
    let service = server.get("/", &[("Accept", "application/atomsvc+xml, */*;q=0.1")]);
    let base = format!("http://{}", server.address);
    let hrefs = attributes(service.text(), "collection", "href");
    assert_eq!(hrefs, [format!("{base}/streams/a%2Fb"), format!("{base}/streams/orders")], "the newest first");
    assert_ne!(service.header("etag"), empty.header("etag"));
    let tag = service.header("etag").expect("a tag");
    assert_eq!(server.get("/", &[("If-None-Match", tag)]).status, 304);
    assert_eq!(server.get("/", &[("Accept", "image/png")]).status, 406);
    assert_eq!(server.get("/?format=atomsvc", &[("Accept", "image/png")]).status, 200);

    for stream in 0..200 {
        append(&server, &format!("s{stream}"), "t");
    }
    let newest = server.get("/", &[]);
    assert_eq!(attributes(newest.text(), "collection", "href").len(), 200);
    assert!(newest.text().contains("/streams/%24streams?format=atom"), "and the way to all others");
}

#[test]
fn categories_are_the_types_of_a_stream_and_its_head_feed_leads_there() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(data.path(), &[]);
    assert_eq!(server.get("/streams/orders/categories", &[]).status, 404);
    for event_type in ["Placed", "Paid", "Placed", "a<b"] {
        append(&server, "orders", event_type);
    }
    append(&server, "others", "Other");
    let head = server.get("/streams/orders", &[]);
    let href = attributes(head.text(), "categories", "href").pop().expect("a collection in the head feed");
    let categories = server.get(href.strip_prefix(&format!("http://{}", server.address)).expect("ours"), &[]);
    check(&categories, &href);
    assert_eq!(categories.header("content-type"), Some("application/atomcat+xml; charset=utf-8"));
    assert_eq!(categories.header("cache-control"), Some(OVERVIEW));
    assert_eq!(attributes(categories.text(), "category", "term"), ["Paid", "Placed", "a<b"]);
    assert!(head.text().contains("<link rel=\"service\" type=\"application/atomsvc+xml\""));
    let complete = server.get("/streams/orders/0/forward/2.atom", &[]);
    assert_eq!(attributes(complete.text(), "collection", "href"), [""; 0], "only the head feed is the collection");
}
