//! Link events of EventStore's clients: kept as events, shown as what they lead to where a reader wants that.

use serde_json::{Value, json};

use crate::support::{Reply, TestServer, request};

const FEED: &str = "application/vnd.eventstore.atom+json";

struct Place {
    server: TestServer,
    _data: tempfile::TempDir,
}

impl Place {
    /// A stream whose name holds an `@`, and one of links to its first two events.
    fn start() -> Self {
        let data = tempfile::tempdir().expect("a directory");
        let place = Self { server: TestServer::start(data.path(), &[]), _data: data };
        for number in 0..3 {
            place.append("orders@home", "Placed", &json!({ "n": number }).to_string());
        }
        place.append("links", "$>", "0@orders@home");
        place.append("links", "$>", "1@orders@home");
        place
    }

    fn append(&self, stream: &str, event_type: &str, data: &str) {
        let media_type = if event_type == "$>" { "text/plain" } else { "application/json" };
        let headers = [("Content-Type", media_type), ("ES-EventType", event_type)];
        let appended = self.server.post(&format!("/streams/{stream}"), &headers, data.as_bytes());
        assert_eq!(appended.status, 201, "{}", appended.text());
    }

    fn feed(&self, path: &str, resolve: Option<&str>) -> Reply {
        let mut headers = vec![("Accept", FEED)];
        headers.extend(resolve.map(|value| ("ES-ResolveLinkTos", value)));
        let feed = self.server.get(path, &headers);
        assert_eq!(feed.status, 200, "{path} {}", feed.text());
        feed
    }
}

fn titles(feed: &Reply) -> Vec<String> {
    let entries = feed.json()["entries"].as_array().expect("entries").clone();
    entries.iter().map(|entry| entry["title"].as_str().expect("a title").to_string()).collect()
}

fn check_links(entry: &Value, end: &str) {
    for (index, relation) in ["edit", "alternate"].iter().enumerate() {
        assert_eq!(entry["links"][index]["relation"], *relation);
        let uri = entry["links"][index]["uri"].as_str().expect("a URL");
        assert!(uri.ends_with(end), "{uri}");
    }
}

#[test]
fn a_page_of_links_shows_what_they_lead_to() {
    let place = Place::start();
    let feed = place.feed("/streams/links", None);
    assert_eq!(titles(&feed), ["1@orders@home", "0@orders@home"]);
    let entry = &feed.json()["entries"][0];
    check_links(entry, "/streams/orders%40home/1");
    assert_eq!(entry["summary"], "$>");

    let rich = place.feed("/streams/links?embed=body", None);
    let entry = &rich.json()["entries"][0];
    assert_eq!((&entry["eventType"], &entry["eventNumber"]), (&json!("Placed"), &json!(1)));
    assert_eq!(entry["data"], r#"{"n":1}"#);
    assert_eq!((&entry["positionStreamId"], &entry["positionEventNumber"]), (&json!("links"), &json!(1)));

    let one = place.server.get("/streams/links/0", &[("Accept", "application/json")]);
    assert_eq!(one.text(), r#"{"n":0}"#);
    let one = place.server.get("/streams/links/0", &[("Accept", FEED)]);
    assert_eq!(one.json()["content"]["data"], json!({ "n": 0 }));
}

#[test]
fn whoever_wants_links_as_they_are_gets_them_so() {
    let place = Place::start();
    let feed = place.feed("/streams/links", Some("False"));
    assert_eq!(titles(&feed), ["1@links", "0@links"]);
    assert_eq!(titles(&place.feed("/streams/$all", None))[..2], ["1@links", "0@links"]);
    assert_eq!(titles(&place.feed("/streams/$all", Some("true")))[..2], ["1@orders@home", "0@orders@home"]);
    let atom = place.server.get("/streams/links", &[("ES-ResolveLinkTos", "True")]);
    assert!(atom.text().contains("<title>1@links</title>"), "Atom shows the log as it is");
    assert_eq!(atom.header("vary"), Some("Accept, Accept-Encoding"));
    let senseless = place.server.get("/streams/links", &[("Accept", FEED), ("Kurrent-ResolveLinkTos", "maybe")]);
    assert_eq!(senseless.status, 400);
}

#[test]
fn caches_learn_that_a_page_of_links_depends_on_more() {
    let place = Place::start();
    place.append("links", "t", "{}");
    let path = "/streams/links/0/forward/2";
    let resolved = place.feed(path, None);
    assert_eq!(resolved.header("vary"), Some("Accept, Accept-Encoding, ES-ResolveLinkTos, Kurrent-ResolveLinkTos"));
    assert_eq!(resolved.header("cache-control"), Some("public, max-age=3600"));
    let as_they_are = place.feed(path, Some("False"));
    assert_ne!(resolved.header("etag"), as_they_are.header("etag"));
    assert_eq!(request(place.server.address, "DELETE", "/streams/orders@home", &[], b"").status, 204);
    assert_ne!(place.feed(path, None).header("etag"), resolved.header("etag"), "what it leads to is gone");
    assert_eq!(place.feed(path, Some("False")).header("etag"), as_they_are.header("etag"));
    let others = place.feed("/streams/links/2/forward/1", None);
    assert_eq!(others.header("vary"), Some("Accept, Accept-Encoding"), "no link on it");
}

#[test]
fn a_link_to_something_gone_is_an_entry_without_content() {
    let place = Place::start();
    place.append("links", "$>", "7@nowhere");
    place.append("links", "$>", "this leads nowhere");
    let settings = place.server.post(
        "/streams/orders@home/metadata",
        &[("Content-Type", "application/json")],
        br#"{"$maxCount":2}"#,
    );
    assert_eq!(settings.status, 201);
    for path in ["/streams/links", "/streams/links/0/forward/20", "/streams/links?embed=content"] {
        let feed = place.feed(path, None);
        assert_eq!(titles(&feed), ["3@links", "7@nowhere", "1@orders@home", "0@orders@home"], "{path}");
        let gone = &feed.json()["entries"][3];
        check_links(gone, "/streams/orders%40home/0");
        assert_eq!((gone.get("content"), gone.get("data")), (None, None));
    }
    let rich = place.feed("/streams/links?embed=rich", None);
    assert_eq!(rich.json()["entries"][3].get("eventId"), None, "only a plain entry");
    for accept in [FEED, "application/json"] {
        assert_eq!(place.server.get("/streams/links/0", &[("Accept", accept)]).status, 404, "truncated");
        assert_eq!(place.server.get("/streams/links/2", &[("Accept", accept)]).status, 404, "never written");
        assert_eq!(place.server.get("/streams/links/1", &[("Accept", accept)]).status, 200);
    }
}

#[test]
fn the_tag_of_a_head_that_shows_links_can_be_expected() {
    let place = Place::start();
    let tag = place.feed("/streams/links", None).header("etag").expect("a tag").to_string();
    let headers = [("Content-Type", "text/plain"), ("ES-EventType", "$>"), ("If-Match", tag.as_str())];
    assert_eq!(place.server.post("/streams/links", &headers, b"2@orders@home").status, 201);
    assert_eq!(place.server.post("/streams/links", &headers, b"0@orders@home").status, 412);
}

#[test]
fn many_links_to_much_are_sent_as_they_are_read() {
    let place = Place::start();
    let large = serde_json::to_string(&"x".repeat(2 << 20)).expect("JSON");
    place.append("large", "t", &large);
    for _ in 0..12 {
        place.append("many", "$>", "0@large");
    }
    let feed = place.feed("/streams/many/0/forward/20?embed=body", None);
    let entries = feed.json()["entries"].as_array().expect("entries").clone();
    assert_eq!(entries.len(), 12);
    assert!(entries.iter().all(|entry| entry["data"].as_str().is_some_and(|data| data.len() == large.len())));
}
