//! EventStore's dialect: what its clients send and expect, in the words of its own tests, under both families
//! of names.

mod appending;
mod edges;
mod forms;
mod reading;
mod strict;

use serde_json::{Value, json};

use crate::support::{Reply, TestServer};

/// The two spellings of media types and headers, in which everything here is done once each.
const FAMILIES: [Family; 2] =
    [Family { media: "eventstore", header: "ES" }, Family { media: "kurrent", header: "Kurrent" }];

#[derive(Clone, Copy)]
struct Family {
    media: &'static str,
    header: &'static str,
}

impl Family {
    fn media_type(self, kind: &str) -> String {
        format!("application/vnd.{}.{kind}", self.media)
    }

    fn header(self, name: &str) -> String {
        format!("{}-{name}", self.header)
    }
}

/// A server, and the data that it forgets at the end.
struct Place {
    server: TestServer,
    _data: tempfile::TempDir,
}

impl Place {
    fn start() -> Self {
        let data = tempfile::tempdir().expect("a directory");
        Self { server: TestServer::start(data.path(), &[]), _data: data }
    }

    fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        self.server.post(path, headers, body.as_bytes())
    }

    fn post_batch(&self, path: &str, family: Family, events: &Value) -> Reply {
        self.post(path, &[("Content-Type", &family.media_type("events+json"))], &events.to_string())
    }

    /// Appends one event with these headers of EventStore's besides its type and media type.
    fn append(&self, path: &str, family: Family, headers: &[(&str, &str)]) -> Reply {
        let named: Vec<(String, &str)> = headers.iter().map(|(name, value)| (family.header(name), *value)).collect();
        let event_type = family.header("EventType");
        let mut all = vec![("Content-Type", "application/json"), (event_type.as_str(), "t")];
        all.extend(named.iter().map(|(name, value)| (name.as_str(), *value)));
        self.post(path, &all, "{\"a\":1}")
    }

    fn get(&self, path: &str, accept: &str) -> Reply {
        self.server.get(path, &[("Accept", accept)])
    }

    fn feed(&self, path: &str, family: Family) -> Value {
        let reply = self.get(path, &family.media_type("atom+json"));
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        reply.json()
    }

    /// How many events a stream has.
    fn count(&self, path: &str) -> u64 {
        let reply = self.get(path, "application/json");
        if reply.status == 404 {
            return 0;
        }
        let title = reply.json()["entries"][0]["title"].as_str().expect("a title").to_string();
        title.split('@').next().expect("a number").parse::<u64>().expect("a number") + 1
    }

    /// Path and query of a URL of this server.
    fn path(&self, url: &str) -> String {
        let base = format!("http://{}", self.server.address);
        url.strip_prefix(&base).unwrap_or_else(|| panic!("{url} is not under {base}")).to_string()
    }

    fn location(&self, reply: &Reply) -> String {
        self.path(reply.header("location").expect("a Location"))
    }
}

fn id(number: u32) -> String {
    format!("0190c6a4-7b1e-7f5e-9a52-{number:012x}")
}

fn events(count: u32) -> Value {
    (0..count).map(|number| json!({"eventId": id(number + 1), "eventType": "t", "data": {"n": number}})).collect()
}

fn check_created(reply: &Reply, at: &str) {
    assert_eq!((reply.status, reply.reason.as_str()), (201, "Created"), "{}", reply.text());
    let location = reply.header("location").expect("a Location");
    assert!(location.ends_with(at), "{location} does not end with {at}");
}

/// The stream's version after or instead of an append, in both headers.
fn check_version(reply: &Reply, status: u16, version: &str) {
    assert_eq!(reply.status, status, "{}", reply.text());
    for header in ["es-currentversion", "kurrent-currentversion"] {
        assert_eq!(reply.header(header), Some(version), "{header}");
    }
    if status == 400 {
        assert_eq!(reply.reason, "Wrong expected EventNumber");
    }
}

/// The URL of a link; none if there is no such link.
fn link<'a>(document: &'a Value, relation: &str) -> Option<&'a str> {
    let links = document["links"].as_array().expect("links");
    links.iter().find(|link| link["relation"] == relation).map(|link| link["uri"].as_str().expect("a URL"))
}

fn titles(document: &Value) -> Vec<&str> {
    let entries = document["entries"].as_array().expect("entries");
    entries.iter().map(|entry| entry["title"].as_str().expect("a title")).collect()
}
