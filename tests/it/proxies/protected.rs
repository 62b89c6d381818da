//! What not everybody may read, behind the real proxies: whoever has no right to it never gets it, whoever asked before;
//! and what everybody may read is kept for all, whoever asks.

use std::fs;

use serde_json::json;
use tempfile::TempDir;

use super::{ATOM, cache_status, get_until};
use crate::support::proxy::{Kind, Proxy};
use crate::support::relay::Relay;
use crate::support::{Reply, TestServer, WithAccess};

/// Stands in each event of the protected stream, and nowhere else.
const CANARY: &str = "nobody-else-may-see-this";

const EVENTSTORE: (&str, &str) = ("Accept", "application/vnd.eventstore.atom+json");

struct Setting {
    // In this order they end.
    proxy: Proxy,
    relay: Relay,
    server: WithAccess,
    _data: TempDir,
}

impl Setting {
    /// A stream that `ann` may read, and others may not; another that everybody may, as well as what is made of all.
    fn new(kind: Kind) -> Self {
        let data = tempfile::tempdir().expect("a directory");
        let rules = data.path().join("access.toml");
        let open = |stream| format!("[[rule]]\nstreams = \"{stream}\"\nread = \"$all\"\n");
        fs::write(&rules, ["$ce-*", "$all"].map(open).concat()).expect("it is written");
        let settings = [("access.anonymous", "read"), ("access.rules", rules.to_str().expect("a path in UTF-8"))];
        let users: &[(&str, &[&str])] = &[("ann", &["shop"]), ("bob", &[])];
        let server = TestServer::start_with_access(&data.path().join("data"), &settings, users);
        let relay = Relay::before(server.address);
        let proxy = Proxy::start(kind, relay.address);
        server.set("secret", &json!({ "$acl": { "$r": "shop", "$mr": "shop" }, "name": CANARY }));
        for _ in 0..25 {
            let event = format!("{{\"said\": \"{CANARY}\"}}");
            assert_eq!(server.append_as("ann", "secret", &event).status, 201);
            assert_eq!(server.append_as("ann", "open", "{\"said\": \"hello\"}").status, 201);
        }
        Self { proxy, relay, server, _data: data }
    }

    /// Through the proxy, by a user; by nobody in particular if the name is empty.
    fn get(&self, user: &str, path: &str, headers: &[(&str, &str)]) -> Reply {
        let authorization = self.server.authorization(user);
        let mut all = headers.to_vec();
        all.extend(authorization.as_deref().map(|value| ("Authorization", value)));
        self.proxy.get(path, &all)
    }
}

/// An address, the headers that it is asked with, and what `ann` gets for it.
type Document = (&'static str, &'static [(&'static str, &'static str)], u16);

/// Each kind of document of the protected stream.
const DOCUMENTS: &[Document] = &[
    ("/streams/secret", &[ATOM], 200),
    ("/streams/secret?format=atom", &[], 200),
    ("/streams/secret", &[EVENTSTORE], 200),
    ("/streams/secret?embed=body", &[EVENTSTORE], 200),
    ("/streams/secret/head/backward/20", &[EVENTSTORE], 200),
    ("/streams/secret/0/forward/20.atom", &[], 200),
    ("/streams/secret/0/forward/20.ndjson", &[], 200),
    ("/streams/secret/0/forward/20", &[ATOM], 200),
    ("/streams/secret/0/forward/20", &[EVENTSTORE], 200),
    ("/streams/secret/0/forward/20?embed=body", &[EVENTSTORE], 200),
    ("/streams/secret/7/backward/5.atom", &[], 200),
    ("/streams/secret/25/forward/25.atom", &[], 200),
    ("/streams/secret/3", &[("Accept", "application/json")], 200),
    ("/streams/secret/3.atom", &[], 200),
    ("/streams/secret/3/data", &[], 200),
    ("/streams/secret/head", &[("Accept", "application/json")], 200),
    ("/streams/secret/head/data", &[], 200),
    ("/streams/secret/metadata", &[("Accept", "application/json")], 200),
    ("/streams/$$secret/0/data", &[], 200),
    ("/streams/$$secret", &[ATOM], 200),
    ("/streams/secret/categories", &[], 200),
    ("/ui/streams/secret", &[], 200),
    ("/ui/streams/secret/3", &[], 200),
    ("/streams/secret/99", &[("Accept", "application/json")], 404),
    ("/streams/secret/99/data", &[], 404),
    ("/ui/streams/secret/99", &[], 404),
];

fn nobody_gets_from_a_cache_what_they_may_not_read(kind: Kind) {
    let setting = Setting::new(kind);
    for (path, headers, expected) in DOCUMENTS {
        // Whoever comes first, and however often: nothing that one gets is given to another.
        for user in ["", "ann", "", "bob", "ann", "ann", "bob", ""] {
            let reply = setting.get(user, path, headers);
            let status = match user {
                "ann" => *expected,
                "bob" => 403,
                _ => 401,
            };
            assert_eq!(reply.status, status, "{path} by {user:?}: {reply:#?}");
            let cache_control = reply.header("cache-control").unwrap_or_default();
            let is_kept_from_others = cache_control.contains("private") || cache_control == "no-store";
            assert!(is_kept_from_others && !cache_control.contains("public"), "{path} by {user:?}: {cache_control}");
            assert_ne!(cache_status(&reply), "HIT", "{path} by {user:?}");
            if user != "ann" {
                assert_eq!(cache_control, "no-store", "{path} by {user:?}");
                assert!(!String::from_utf8_lossy(&reply.body).contains(CANARY), "{path} by {user:?}");
            }
        }
    }
    // Each of these was asked of the server, by whoever it was.
    for path in ["/streams/secret/0/forward/20.atom", "/streams/secret/3/data", "/streams/secret?format=atom"] {
        let seen = setting.relay.seen_of(path);
        let authorized = seen.iter().filter(|seen| seen.header("authorization").is_some()).count();
        assert_eq!((seen.len(), authorized), (8, 5), "{path}");
    }
    // A reader who has the newest page is told so in a few bytes.
    let head = setting.get("ann", "/streams/secret?format=atom", &[]);
    let tag = ("If-None-Match", head.header("etag").expect("a tag"));
    let again = setting.get("ann", "/streams/secret?format=atom", &[tag]);
    assert_eq!((again.status, again.header("cache-control")), (304, Some("private, no-cache")));
    assert_eq!(setting.get("bob", "/streams/secret?format=atom", &[tag]).status, 403);
    assert_eq!(setting.get("", "/streams/secret?format=atom", &[tag]).status, 401);
}

fn an_address_that_looks_like_a_file_shows_nothing_to_others(kind: Kind) {
    let setting = Setting::new(kind);
    for path in [
        "/streams/secret/0.css",
        "/streams/secret/0/forward/20.css",
        "/streams/secret/0/forward/20.atom.css",
        "/streams/secret/0/data.css",
        "/streams/secret/0/data/x.css",
        "/streams/secret/metadata.css",
        "/streams/secret/0;x.css",
        "/streams/secret/0%2Fx.css",
        "/streams/secret%2F0.css",
        "/streams/secret.css",
        "/ui/streams/secret/0/x.css",
        "/metrics.css",
        "/metrics/x.css",
        "/admin/x.css",
        "/admin/scavenge.css",
        "/info/x.css",
    ] {
        for user in ["ann", "", "admin", "", "bob"] {
            let reply = setting.get(user, path, &[]);
            assert!((400..500).contains(&reply.status), "{path} by {user:?}: {}", reply.status);
            assert!(!String::from_utf8_lossy(&reply.body).contains(CANARY), "{path} by {user:?}");
        }
    }
    // What is another spelling of the same is the same to the rights.
    for path in
        ["/streams/secret/3.json?x=.css", "/streams/secret/3/data?x.css", "/streams/secret/0/forward/20.atom?.css"]
    {
        for (user, status) in [("ann", 200), ("", 401), ("bob", 403), ("ann", 200), ("", 401)] {
            let reply = setting.get(user, path, &[]);
            assert_eq!(reply.status, status, "{path} by {user:?}");
            assert!(!reply.header("cache-control").unwrap_or_default().contains("public"), "{path} by {user:?}");
        }
    }
}

fn what_everybody_may_read_is_kept_for_everybody_whoever_asks(kind: Kind) {
    let setting = Setting::new(kind);
    for (first, (path, headers)) in [
        ("ann", ("/streams/open/0/forward/20.atom", &[][..])),
        ("", ("/streams/open/0/forward/20.ndjson", &[])),
        ("bob", ("/streams/open/0/forward/20?embed=body", &[EVENTSTORE])),
        ("bob", ("/streams/open/3", &[("Accept", "application/json")])),
        ("ann", ("/streams/open/3/data", &[])),
        ("", ("/streams/open/3.atom", &[])),
    ] {
        let reply = setting.get(first, path, headers);
        let cache_control = reply.header("cache-control").unwrap_or_default();
        assert_eq!(reply.status, 200, "{path}");
        assert!(cache_control.contains("public") && cache_control.contains("max-age=31536000"), "{cache_control}");
        // nginx has sent an answer a moment before it has it in its cache.
        get_until(&setting.proxy, path, headers, |reply| cache_status(reply) == "HIT");
        let asked = setting.relay.seen_of(path).len();
        for user in ["", "ann", "bob", "admin", ""] {
            let again = setting.get(user, path, headers);
            assert_eq!((again.status, cache_status(&again)), (200, "HIT"), "{path} by {user:?} after {first:?}");
            assert_eq!(again.body, reply.body);
        }
        assert_eq!(setting.relay.seen_of(path).len(), asked, "{path}");
    }
    let head = setting.get("", "/streams/open?format=atom", &[]);
    assert_eq!(head.header("cache-control"), Some("public, max-age=1, stale-while-revalidate=2, stale-if-error=86400"));
    // Those who say who they are get the newest, and what they get says the same.
    let head = setting.get("ann", "/streams/open?format=atom", &[]);
    assert_eq!(head.header("cache-control"), Some("public, max-age=1, stale-while-revalidate=2, stale-if-error=86400"));
}

fn a_page_of_many_streams_shows_each_what_they_may_see(kind: Kind) {
    let setting = Setting::new(kind);
    setting.server.set("mix-secret", &json!({ "$acl": { "$r": "shop", "$mr": "shop" } }));
    for _ in 0..5 {
        for (stream, said) in [("mix-open", "hello"), ("mix-secret", CANARY), ("same-1", "hello"), ("same-2", "hello")]
        {
            assert_eq!(setting.server.append_as("ann", stream, &format!("{{\"said\": \"{said}\"}}")).status, 201);
        }
    }
    let pages: &[(&str, &[(&str, &str)])] = &[
        ("/streams/%24ce-mix/0/forward/10.atom", &[]),
        ("/streams/%24ce-mix/0/forward/10.ndjson", &[]),
        ("/streams/%24ce-mix/0/forward/8?embed=body", &[EVENTSTORE]),
        ("/streams/$ce-mix?format=atom", &[]),
        ("/streams/%24all/0/forward/4096.ndjson", &[]),
    ];
    for (path, headers) in pages {
        let hides = |body: &[u8]| {
            !["mix-secret", "bWl4LXNlY3JldA", CANARY].iter().any(|word| String::from_utf8_lossy(body).contains(word))
        };
        for user in ["", "ann", "", "bob", "ann", "bob", ""] {
            let reply = setting.get(user, path, headers);
            assert_eq!(reply.status, 200, "{path} by {user:?}");
            assert_eq!(reply.header("cache-control"), Some("private, no-cache"), "{path} by {user:?}");
            assert_ne!(cache_status(&reply), "HIT", "{path} by {user:?}");
            assert_eq!(hides(&reply.body), user != "ann", "{path} by {user:?}");
        }
    }
    // Where everybody may read all that is on it, it is one page for all.
    let page = "/streams/%24ce-same/0/forward/10.atom";
    assert_eq!(cache_status(&setting.get("ann", page, &[])), "MISS");
    get_until(&setting.proxy, page, &[], |reply| cache_status(reply) == "HIT");
    for user in ["ann", "", "bob"] {
        let reply = setting.get(user, page, &[]);
        assert_eq!((reply.status, cache_status(&reply)), (200, "HIT"), "by {user:?}");
        assert_eq!(reply.header("cache-control"), Some("public, max-age=31536000, immutable"), "by {user:?}");
    }
}

before_both! {
    a_page_of_many_streams_shows_each_what_they_may_see
    nobody_gets_from_a_cache_what_they_may_not_read
    an_address_that_looks_like_a_file_shows_nothing_to_others
    what_everybody_may_read_is_kept_for_everybody_whoever_asks
}
