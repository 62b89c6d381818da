//! Link events to what not everybody may read.

use serde_json::json;

use super::{SECRET, Shop};

const FEED: (&str, &str) = ("Accept", "application/vnd.eventstore.atom+json");

/// A stream with a link to an open event and one to a protected one.
fn linked(shop: &Shop, stream: &str) {
    for target in [
        "0@shop-open".to_string(),
        format!("0@{SECRET}"),
        format!("1@{SECRET}"),
        "77@shop-open".to_string(),
        "1@shop-open".to_string(),
    ] {
        shop.post(stream, &[("Content-Type", "text/plain"), ("ES-EventType", "$>")], &target);
    }
}

#[test]
fn on_a_stream_open_to_all_a_link_to_what_is_not_leads_nowhere_for_anybody() {
    let shop = Shop::open();
    linked(&shop, "links");
    let page = "/streams/links/0/forward/4?embed=body";
    let replies = ["", "bob", "ann", "admin"].map(|user| shop.get(user, page, &[FEED]));
    for reply in &replies {
        assert_eq!((reply.header("etag"), &reply.body), (replies[0].header("etag"), &replies[0].body));
        assert!(reply.header("cache-control").is_some_and(|value| value.contains("public")), "{reply:?}");
        assert!(!reply.text().contains("canarydata") && !reply.text().contains("canarytype"), "{}", reply.text());
        let entries = reply.json()["entries"].as_array().expect("entries").clone();
        assert_eq!(entries.len(), 4);
        assert_eq!(entries[3]["eventType"], "Placed", "what everybody may read is shown");
        // What is hidden and what never was look the same.
        let shape =
            |entry: &serde_json::Value| entry.as_object().expect("an entry").keys().cloned().collect::<Vec<_>>();
        assert_eq!(shape(&entries[1]), shape(&entries[0]));
    }
    for (number, status) in [(0, 200), (1, 404), (3, 404)] {
        for user in ["", "ann"] {
            let reply = shop.get(user, &format!("/streams/links/{number}"), &[FEED]);
            assert_eq!(reply.status, status, "{number} {user}: {}", reply.text());
        }
    }
}

#[test]
fn elsewhere_a_link_leads_those_who_may_read_what_it_leads_to() {
    let shop = Shop::open();
    shop.server.set("memos", &json!({ "$acl": { "$r": ["insiders", "outsiders"] } }));
    linked(&shop, "memos");
    let page = "/streams/memos/0/forward/4?embed=body";
    let [bob, ann] = ["bob", "ann"].map(|user| shop.get(user, page, &[FEED]));
    assert!(ann.text().contains("canarydata"), "{}", ann.text());
    assert!(!bob.text().contains("canarydata") && !bob.text().contains("canarytype"), "{}", bob.text());
    assert_ne!(bob.header("etag"), ann.header("etag"));
    for reply in [&bob, &ann] {
        assert_eq!(reply.header("cache-control"), Some("private, no-cache"));
    }
    for (user, status) in [("bob", 404), ("ann", 200)] {
        assert_eq!(shop.get(user, "/streams/memos/1", &[("Accept", "application/json")]).status, status, "{user}");
    }
    // In a stream of many streams the links themselves may be hidden.
    let all = [FEED, ("ES-ResolveLinkTos", "True")];
    let nobody = shop.get("", "/streams/%24all/0/forward/100?embed=body", &all);
    super::assert_nothing_of_it(&nobody, "links of a protected stream");
}
