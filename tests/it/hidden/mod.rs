//! Events of streams that not everybody may read, seen from where everybody looks: in streams of many streams, in lists, by
//! links, by those who wait and listen, and in copies.
//!
//! A protected stream has canaries in everything that is its own. They must not come out anywhere but to those who may read
//! it.

mod caches;
mod copies;
mod links;
mod live;
mod random;
mod rights;
mod sweep;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::support::WithAccess;
use crate::support::{Reply, TestServer, check};

/// The protected stream, and what its events have.
const SECRET: &str = "shop-canaryname";
const CANARY_ID: &str = "ca9a27c0-ffee-4bad-8f00-0123456789ab";

/// So many events are in `$ce-shop`, and these of them are of the protected stream.
const PLACES: u64 = 10;
const HIDDEN: [u64; 5] = [1, 3, 5, 7, 9];

/// Everybody may read what is derived, but for the record of who did what, which tells of streams.
const RULES: &str = "[[rule]]\nstreams = \"$audit\"\nread = []\n[[rule]]\nstreams = \"$*\"\nread = \"$all\"\n";

/// Members of `insiders` may read the protected stream. Everybody may read all others, also those of many streams.
struct Shop {
    server: WithAccess,
    _data: tempfile::TempDir,
}

impl Shop {
    fn open() -> Self {
        Self::open_with(RULES)
    }

    fn open_with(rules: &str) -> Self {
        let data = tempfile::tempdir().expect("a directory");
        let file = data.path().join("rules.toml");
        std::fs::write(&file, rules).expect("it can be written");
        let file = file.to_str().expect("a path");
        let settings = [("access.anonymous", "read"), ("access.rules", file), ("derived.correlation", "true")];
        let users: &[(&str, &[&str])] = &[("ann", &["insiders"]), ("bob", &["outsiders"])];
        let shop =
            Self { server: TestServer::start_with_access(&data.path().join("store"), &settings, users), _data: data };
        shop.protect(SECRET);
        for number in 0..PLACES / 2 {
            shop.sell(
                "shop-open",
                &json!({ "eventType": "Placed", "data": { "n": number },
                "metadata": { "$correlationId": "flow" } }),
            );
            shop.tell_secret(number);
        }
        shop
    }

    fn protect(&self, stream: &str) {
        let acl = json!({ "$r": ["insiders"], "$mr": ["insiders"] });
        self.server.set(stream, &json!({ "$acl": acl, "note": "canarysetting" }));
    }

    /// As an administrator.
    #[track_caller]
    fn post(&self, stream: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let headers = if headers.iter().any(|(name, _)| *name == "Content-Type") {
            headers.to_vec()
        } else {
            [&[("Content-Type", "application/json")], headers].concat()
        };
        let reply = self.server.post_as("admin", &format!("/streams/{stream}"), &headers, body.as_bytes());
        assert_eq!(reply.status, 201, "{stream}: {}", reply.text());
        reply
    }

    #[track_caller]
    fn sell(&self, stream: &str, event: &Value) {
        let mut event = event.clone();
        event["eventId"] = event.get("eventId").cloned().unwrap_or_else(|| random_id(&event.to_string()).into());
        let batch = json!([event]).to_string();
        self.post(stream, &[("Content-Type", "application/vnd.eventstore.events+json")], &batch);
    }

    /// Events of every kind that a producer can send.
    #[track_caller]
    fn tell_secret(&self, number: u64) {
        let metadata = json!({ "$correlationId": "flow", "by": "canarymeta" });
        match number {
            0 => self.sell(
                SECRET,
                &json!({ "eventId": CANARY_ID, "eventType": "canarytype",
                "data": { "is": "canarydata" }, "metadata": metadata }),
            ),
            1 => self.sell(SECRET, &json!({ "eventType": "Placed", "data": "canarydata", "metadata": metadata })),
            2 => {
                let headers = [("Content-Type", "text/x-canarymedia"), ("ES-EventType", "canarytype")];
                self.post(SECRET, &headers, "canarydata");
            }
            3 => {
                let entry = "<entry xmlns='http://www.w3.org/2005/Atom'><title>canarytitle</title><id>urn:canaryid</id>\
                             <author><name>canaryauthor</name></author><updated>2026-01-01T00:00:00Z</updated>\
                             <category term='canarycategory'/><content>canarydata</content></entry>";
                self.post(SECRET, &[("Content-Type", "application/atom+xml;type=entry")], entry);
            }
            _ => {
                let event = json!({ "specversion": "1.0", "id": "canaryid", "source": "/canarysource",
                    "type": "canarytype", "subject": "canarysubject", "data": "canarydata" });
                self.post(SECRET, &[("Content-Type", "application/cloudevents+json")], &event.to_string());
            }
        }
    }

    /// What somebody gets; `""` is nobody in particular.
    #[track_caller]
    fn get(&self, user: &str, path: &str, headers: &[(&str, &str)]) -> Reply {
        let reply = self.server.get_as(user, path, headers);
        check(&reply, path);
        reply
    }

    /// The lines of a page.
    #[track_caller]
    fn lines(&self, user: &str, path: &str) -> Vec<Value> {
        let reply = self.get(user, path, &[("Accept", "application/x-ndjson")]);
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        reply.text().lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    }
}

/// Some id that is the same for the same text.
fn random_id(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}

/// Fails if something of the protected stream is in an answer: a word of its events, their ids or digests, or the name of
/// the stream in any form.
#[track_caller]
fn assert_nothing_of_it(reply: &Reply, what: &str) {
    let headers: String = reply.headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
    assert_no_canary(&headers, what);
    assert_no_canary(&String::from_utf8_lossy(&reply.body), what);
}

#[track_caller]
fn assert_no_canary(text: &str, what: &str) {
    let lower = text.to_ascii_lowercase();
    let purge_key: String = Sha256::digest(SECRET)[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    // What stands in base64 stands there in one of three ways, by where it begins.
    let encoded = ["canarydata", "\"canarydata", "{\"is\":\"canarydata"].map(|data| {
        let whole = STANDARD.encode(data);
        whole[..whole.len() / 4 * 4 - 4].to_ascii_lowercase()
    });
    let secrets = ["canary", CANARY_ID, &purge_key].map(str::to_string);
    for secret in secrets.iter().chain(&encoded) {
        assert!(!lower.contains(secret.as_str()), "{secret} came out: {what}\n{text}");
    }
}
