//! Settings, truncation and deletion over HTTP: what goes, what stays, what is said of it; and the same after a
//! restart, once the events that say so are sealed.

use serde_json::{Value, json};

use crate::support::{Reply, TestServer, request};

const JSON: (&str, &str) = ("Content-Type", "application/json");
const EVENTSTORE: (&str, &str) = ("Accept", "application/vnd.eventstore.atom+json");

struct Place {
    server: TestServer,
    data: tempfile::TempDir,
    settings: Vec<(&'static str, &'static str)>,
}

impl Place {
    fn start() -> Self {
        Self::start_with(&[])
    }

    /// Chunks are tiny here, so that what says that something is gone is soon sealed itself.
    fn start_with(settings: &[(&'static str, &'static str)]) -> Self {
        let data = tempfile::tempdir().expect("a directory");
        let server = Self::serve(data.path(), settings);
        Self { server, data, settings: settings.to_vec() }
    }

    fn serve(data: &std::path::Path, settings: &[(&str, &str)]) -> TestServer {
        let mut command = TestServer::command(data, &[]);
        command.env("EVERFEED_CHUNK_EVENTS", "2");
        for (name, value) in settings {
            command.env(format!("EVERFEED_{}", name.replace('.', "__").to_uppercase()), value);
        }
        TestServer::spawn(command).expect("it starts")
    }

    /// Stopped, verified, started again.
    fn restart(self) -> Self {
        let Self { server, data, settings } = self;
        assert_eq!(server.stop(), Some(0));
        let report = everfeed::store::verify(data.path(), &mut |_, _| {}).expect("it opens");
        assert!(report.is_sound(), "{report}");
        let server = Self::serve(data.path(), &settings);
        Self { server, data, settings }
    }

    fn append(&self, stream: &str, count: usize) -> Reply {
        let mut last = None;
        for number in 0..count {
            let body = format!("{{\"n\":{number}}}");
            let reply =
                self.server.post(&format!("/streams/{stream}"), &[JSON, ("ES-EventType", "t")], body.as_bytes());
            assert_eq!(reply.status, 201, "{}", reply.text());
            last = Some(reply);
        }
        last.expect("at least one was asked for")
    }

    fn set(&self, stream: &str, settings: &Value) -> Reply {
        self.server.post(&format!("/streams/{stream}/metadata"), &[JSON], settings.to_string().as_bytes())
    }

    fn delete(&self, stream: &str, headers: &[(&str, &str)]) -> Reply {
        request(self.server.address, "DELETE", &format!("/streams/{stream}"), headers, b"")
    }

    fn status(&self, path: &str) -> u16 {
        self.server.get(path, &[]).status
    }

    /// The numbers that a page of EventStore's JSON shows, newest first.
    fn numbers(&self, path: &str) -> Vec<u64> {
        let page = self.server.get(path, &[EVENTSTORE]);
        assert_eq!(page.status, 200, "{path}: {}", page.text());
        let entries = page.json()["entries"].as_array().expect("entries").clone();
        let title = |entry: &Value| entry["title"].as_str().expect("a title").split('@').next().map(str::to_string);
        entries.iter().map(|entry| title(entry).expect("a number").parse().expect("a number")).collect()
    }

    fn link(&self, path: &str, rel: &str) -> Option<String> {
        let page = self.server.get(path, &[]);
        let wanted = format!("<link rel=\"{rel}\"");
        let link = page.text().split_once(&wanted)?.1.split_once("href=\"")?.1.split_once('"')?.0.to_string();
        Some(link.split_once("/streams/").expect("a stream's").1.to_string())
    }
}

#[test]
fn settings_are_events_of_their_own_and_the_newest_counts() {
    let place = Place::start();
    assert_eq!(place.status("/streams/s/metadata"), 404, "nobody knows the stream");
    place.append("s", 1);
    let none = place.server.get("/streams/s/metadata", &[("Accept", "application/json")]);
    assert_eq!((none.status, none.text()), (200, "{}"));
    assert_eq!(place.server.get("/streams/s/metadata", &[]).body, b"");

    let first = place.set("s", &json!({"$maxCount": 5, "own": [1.5]}));
    assert_eq!(first.status, 201, "{}", first.text());
    assert!(first.header("location").is_some_and(|location| location.ends_with("/streams/%24%24s/0")));
    assert!(first.header("surrogate-key").is_some(), "caches can be told");
    let second = place.set("s", &json!({"$maxCount": 4}));
    assert!(second.header("location").is_some_and(|location| location.ends_with("/streams/%24%24s/1")));

    let place = place.restart();
    let newest = place.server.get("/streams/s/metadata", &[("Accept", "application/json")]);
    assert_eq!(newest.text(), r#"{"$maxCount":4}"#);
    let history = place.server.get("/streams/s/metadata/0", &[("Accept", "application/json")]);
    assert_eq!(history.json(), json!({"$maxCount": 5, "own": [1.5]}));
    assert_eq!(place.numbers("/streams/s/metadata/0/forward/20"), [1, 0]);
    let entry = place.server.get("/streams/s/metadata", &[("Accept", "application/vnd.eventstore.event+json")]);
    assert_eq!(entry.json()["eventType"], "$metadata");
}

#[test]
fn settings_that_would_be_misunderstood_are_refused() {
    let place = Place::start();
    for (settings, named) in
        [("{\"$maxAge\":\"1\"}", "$maxAge"), ("[]", "JSON object"), ("{\"$acl\":{\"$r\":1}}", "$acl"), ("{", "")]
    {
        let refused = place.server.post("/streams/s/metadata", &[JSON], settings.as_bytes());
        assert_eq!(refused.status, 400, "{settings}: {}", refused.text());
        assert!(refused.text().contains(named), "{settings}: {}", refused.text());
    }
    let typed = place.server.post("/streams/s/metadata", &[JSON, ("ES-EventType", "t")], b"{}");
    assert_eq!(typed.status, 400);
    let expected = [JSON, ("ES-ExpectedVersion", "3")];
    let wrong = place.server.post("/streams/s/metadata", &expected, b"{}");
    assert_eq!((wrong.status, wrong.header("es-currentversion")), (400, Some("-1")));
    assert_eq!(place.server.events(), 0, "nothing was written");
    let reserved = place.server.post("/streams/s", &[JSON, ("ES-EventType", "$streamDeleted")], b"{}");
    assert_eq!(reserved.status, 400, "{}", reserved.text());
}

#[test]
fn settings_cannot_be_deleted_apart_from_their_stream() {
    let place = Place::start();
    place.append("s", 1);
    place.set("s", &json!({"own": 1}));
    for headers in [vec![], vec![("ES-HardDelete", "True")]] {
        assert_eq!(place.delete("$$s", &headers).status, 403);
    }
    assert_eq!(place.delete("s", &[]).status, 204);
    place.append("s", 1);
    let settings = place.server.get("/streams/s/metadata", &[("Accept", "application/json")]).json();
    assert_eq!(settings, json!({"own": 1, "$tb": 1}));
    let large = json!({"own": "x".repeat(64 << 10)});
    assert_eq!(place.set("s", &large).status, 400, "every deletion would write them again");
}

#[test]
fn a_date_does_not_hide_that_something_was_removed() {
    let place = Place::start();
    place.append("s", 4);
    let path = "/streams/$all/0/forward/4.atom";
    let date = place.server.get(path, &[]).header("last-modified").expect("a date").to_string();
    let since = [("If-Modified-Since", date.as_str())];
    assert_eq!(place.server.get(path, &since).status, 304);
    place.set("s", &json!({"$tb": 2}));
    assert_eq!(place.server.get(path, &since).status, 200);
}

#[test]
fn what_is_truncated_is_gone_from_every_page_and_links_jump_over_it() {
    let place = Place::start_with(&[("page_size", "10"), ("public_url", "http://feeds.example.org")]);
    place.append("s", 35);
    let before = place.server.get("/streams/s/0/forward/10.atom", &[]);
    let later = place.server.get("/streams/s/20/forward/10.atom", &[]);
    assert_eq!(before.header("cache-control"), Some("public, max-age=31536000, immutable"));
    assert_eq!(place.set("s", &json!({"$tb": 13})).status, 201);

    let place = place.restart();
    let chunks = std::fs::read_dir(place.data.path().join("chunks")).expect("a directory").count();
    assert!(chunks > 0, "its settings may be in a chunk already");
    assert_eq!(place.status("/streams/s/12"), 404);
    assert_eq!(place.status("/streams/s/12/data"), 404);
    assert_eq!(place.status("/streams/s/13"), 200);
    let empty = place.server.get("/streams/s/0/forward/10.atom", &[]);
    assert_eq!(empty.status, 200);
    assert!(!empty.text().contains("<entry>"), "{}", empty.text());
    assert!(empty.header("cache-control").is_some_and(|value| value.starts_with("public, max-age=1,")));
    assert_ne!(empty.header("etag"), before.header("etag"));
    assert_eq!(place.link("/streams/s/0/forward/10.atom", "previous").as_deref(), Some("s/10/forward/10.atom"));
    assert_eq!(place.link("/streams/s/0/forward/10.atom", "next"), None);
    let partly = place.server.get("/streams/s/10/forward/10.atom", &[]);
    assert_eq!(partly.text().matches("<entry>").count(), 7);
    assert_eq!(partly.text().matches("<at:deleted-entry ").count(), 3, "it says what is gone");
    assert_eq!(partly.header("cache-control"), Some("public, max-age=3600"));
    let same = place.server.get("/streams/s/20/forward/10.atom", &[]);
    assert_eq!((same.header("etag"), &same.body), (later.header("etag"), &later.body), "this page lost nothing");

    assert_eq!(place.numbers("/streams/s/0/forward/20"), [19, 18, 17, 16, 15, 14, 13]);
    assert_eq!(place.numbers("/streams/s/14/backward/20"), [14, 13]);
    assert!(place.numbers("/streams/s/0/forward/5").is_empty());
    let all = place.server.get("/streams/$all/0/forward/4096.atom", &[]);
    assert_eq!(all.text().matches("<ef:event ").count(), 36, "in the log every event keeps its place");
    assert_eq!(all.text().matches("<content").count(), 23, "what is truncated has no content there either");
    assert_eq!(all.text().matches("<at:deleted-entry ").count(), 13);
}

#[test]
fn a_count_moves_with_the_head() {
    let place = Place::start();
    place.append("s", 3);
    assert_eq!(place.set("s", &json!({"$maxCount": 2, "$cacheControl": 7})).status, 201);
    assert_eq!(place.numbers("/streams/s"), [2, 1]);
    let tag = place.server.get("/streams/s/0/forward/2.atom", &[]).header("etag").map(str::to_string);
    place.append("s", 1);
    assert_eq!(place.numbers("/streams/s"), [3, 2]);
    assert_ne!(place.server.get("/streams/s/0/forward/2.atom", &[]).header("etag").map(str::to_string), tag);
    assert_eq!(place.server.get("/streams/s", &[]).header("cache-control"), Some("public, max-age=7"));
    assert_eq!(place.server.get("/streams/s", &[EVENTSTORE]).header("cache-control"), Some("public, max-age=7"));
    let head = place.server.get("/streams/s", &[]).header("etag").map(str::to_string).expect("a tag");
    let conditional = [JSON, ("ES-EventType", "t"), ("If-Match", head.as_str())];
    assert_eq!(place.server.post("/streams/s", &conditional, b"{}").status, 201, "the tag of a truncated head");
    assert_eq!(place.server.post("/streams/s", &conditional, b"{}").status, 412);
}

#[test]
fn a_deleted_stream_is_not_found_until_an_append_begins_its_next_life() {
    let place = Place::start();
    assert_eq!(place.delete("s", &[]).header("es-currentversion"), Some("-1"), "there is nothing to delete");
    let first = place.append("s", 2);
    assert_eq!(place.set("s", &json!({"own": "kept", "$maxCount": 9})).status, 201);
    let wrong = place.delete("s", &[("ES-ExpectedVersion", "0")]);
    assert_eq!((wrong.status, wrong.header("es-currentversion")), (400, Some("1")));
    let deleted = place.delete("s", &[("ES-ExpectedVersion", "1")]);
    assert_eq!((deleted.status, deleted.reason.as_str()), (204, "Stream deleted"));
    assert_eq!(place.delete("s", &[]).status, 204, "again");
    let key = deleted.header("surrogate-key").expect("a key to purge by");
    let all = place.server.get("/streams/$all/0/forward/20.atom", &[]);
    assert!(all.header("surrogate-key").is_some_and(|keys| keys.contains(key)), "a page of many streams names them");

    let place = place.restart();
    for path in ["/streams/s", "/streams/s/0", "/streams/s/head", "/streams/s/0/forward/20", "/streams/s/0/data"] {
        assert_eq!(place.status(path), 404, "{path}");
    }
    let gone = place.server.get("/streams/s", &[]);
    assert!(gone.text().contains("was deleted; an append begins it anew"), "{}", gone.text());
    let settings = place.server.get("/streams/s/metadata", &[("Accept", "application/json")]).json();
    assert_eq!(settings, json!({"own": "kept", "$maxCount": 9, "$tb": i64::MAX}), "the others are kept");
    let exists = [JSON, ("ES-EventType", "t"), ("ES-ExpectedVersion", "-4")];
    let gone = place.server.post("/streams/s", &exists, b"{}");
    assert_eq!(gone.status, 410, "{}", gone.text());

    let again = place.server.post("/streams/s", &[JSON, ("ES-ExpectedVersion", "-1")], b"{}");
    assert_eq!(again.status, 201, "{}", again.text());
    assert!(again.header("location").is_some_and(|location| location.ends_with("/streams/s/2")), "numbers go on");
    assert_ne!(again.header("location"), first.header("location"));
    assert_eq!(place.numbers("/streams/s"), [2]);
    let settings = place.server.get("/streams/s/metadata", &[("Accept", "application/json")]).json();
    assert_eq!(settings, json!({"own": "kept", "$maxCount": 9, "$tb": 2}));
    let place = place.restart();
    assert_eq!(place.numbers("/streams/s"), [2]);
    assert_eq!(place.status("/streams/s/1"), 404);
}

#[test]
fn an_id_is_new_again_in_the_next_life() {
    let place = Place::start();
    let id = "3d9b8a40-4c7c-4a2e-9d2c-1f1f6a1c9a01";
    let append = || place.server.post("/streams/s", &[JSON, ("ES-EventType", "t"), ("ES-EventId", id)], b"{}");
    assert_eq!(append().status, 201);
    assert_eq!(append().header("everfeed-repeat"), Some("true"));
    assert_eq!(place.delete("s", &[]).status, 204);
    let again = append();
    assert_eq!((again.status, again.header("everfeed-repeat")), (201, None));
    assert_eq!(append().header("everfeed-repeat"), Some("true"));
    assert_eq!(place.numbers("/streams/s"), [1]);
}

#[test]
fn new_settings_alone_bring_a_deleted_stream_back_empty() {
    let place = Place::start();
    place.append("s", 2);
    assert_eq!(place.set("s", &json!({"$tb": i64::MAX})).status, 201, "this deletes, as in EventStore");
    assert_eq!(place.status("/streams/s"), 404);
    assert_eq!(place.set("s", &json!({})).status, 201);
    assert_eq!(place.status("/streams/s"), 404, "a stream with settings alone");
    place.append("s", 1);
    assert_eq!(place.numbers("/streams/s"), [2]);
}

#[test]
fn a_stream_that_is_deleted_for_ever_is_gone_in_every_form() {
    let place = Place::start();
    place.append("s", 2);
    place.append("other", 1);
    let hard = [("ES-HardDelete", "True")];
    assert_eq!(place.delete("s", &hard).status, 204);
    let place = place.restart();
    for path in ["/streams/s", "/streams/s/0", "/streams/s/head", "/streams/s/0/forward/20", "/streams/s/metadata"] {
        let gone = place.server.get(path, &[]);
        assert_eq!((gone.status, gone.reason.as_str()), (410, "Deleted"), "{path}");
        assert_eq!(gone.header("cache-control"), Some("public, max-age=60"));
    }
    for expected in ["-2", "-1", "5"] {
        let headers = [JSON, ("ES-EventType", "t"), ("ES-ExpectedVersion", expected)];
        let gone = place.server.post("/streams/s", &headers, b"{}");
        assert_eq!((gone.status, gone.reason.as_str()), (410, "Stream deleted"));
    }
    assert_eq!(place.delete("s", &[]).status, 410);
    assert_eq!(place.set("s", &json!({})).status, 410);
    assert_eq!(place.delete("other", &[("Kurrent-HardDelete", "maybe")]).status, 400);
    let all = place.server.get("/streams/$all/0/forward/20", &[("Accept", "application/vnd.eventstore.events+json")]);
    let types: Vec<String> =
        all.json().as_array().expect("events").iter().map(|e| e["eventType"].to_string()).collect();
    assert_eq!(types, ["\"t\"", "\"t\"", "\"t\"", "\"$streamDeleted\""]);
}

#[test]
fn the_stream_of_streams_tells_which_were_deleted_and_categories_keep_every_place() {
    let place = Place::start();
    for stream in ["order-1", "order-2", "order-3"] {
        place.append(stream, 2);
    }
    assert_eq!(place.set("order-1", &json!({"$tb": 1})).status, 201);
    let before = place.server.get("/streams/$ce-order/0/forward/6.atom", &[]).header("etag").map(str::to_string);
    assert_eq!(place.delete("order-2", &[]).status, 204);
    let place = place.restart();
    let streams = place.server.get("/streams/$streams/0/forward/3.atom", &[]);
    let text = streams.text();
    assert_eq!(text.matches("<entry>").count(), 2, "one is only truncated: {text}");
    let deleted = text.split_once("<at:deleted-entry ").expect("it says so").1;
    assert!(deleted.split_once("</at:deleted-entry>").expect("an end").0.contains("stream=\"order-2\""));
    let told = streams.header("etag").map(str::to_string);
    place.append("order-2", 1);
    let again = place.server.get("/streams/$streams/0/forward/3.atom", &[]);
    assert_eq!(again.text().matches("<entry>").count(), 3, "it is there again");
    assert_ne!(again.header("etag").map(str::to_string), told);
    let category = place.server.get("/streams/$ce-order/0/forward/6.atom", &[]);
    assert_ne!(category.header("etag").map(str::to_string), before);
    assert_eq!(category.text().matches("<at:deleted-entry ").count(), 3);
    let places = category.text().matches(" place=\"").count();
    assert_eq!(places, 6, "whoever counts places misses none");
    let json = place.server.get("/streams/$ce-order/0/forward/20?embed=body", &[EVENTSTORE]).json();
    let listed: Vec<&Value> =
        json["entries"].as_array().expect("entries").iter().map(|entry| &entry["positionEventNumber"]).collect();
    assert_eq!(listed, [6, 5, 4, 3, 2, 1, 0]);
    assert_eq!(json["entries"][3].get("data"), None, "an entry without content");
}
