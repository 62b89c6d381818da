//! What the first page says of streams, and to whom.

use serde_json::json;

use super::{PAGE_BYTES_MAX, append, check_page, link, links, page, start};
use crate::support::{Reply, TestServer};

fn listed(reply: &Reply) -> Vec<String> {
    let streams = links(reply, "/ui/").into_iter().filter_map(|(words, href)| {
        let place = href.strip_prefix("/ui/streams/")?;
        (!place.contains('/') && !place.starts_with("%24")).then_some(words)
    });
    streams.collect()
}

#[test]
fn streams_are_found_by_what_people_type() {
    let (_data, server) = start();
    for stream in ["orders", "ORDER-2", "reorder", "shipments", "a%20%26%20b"] {
        append(&server, &format!("/streams/{stream}"), "text/plain", "t", b"x");
    }
    let found = page(&server, "/ui/?search=order", 200);
    assert_eq!(listed(&found), ["ORDER-2", "orders", "reorder"], "the best come first");
    assert!(found.text().contains("3 streams have order in their names."), "{}", found.text());
    assert!(found.text().contains("name=\"search\" value=\"order\""), "the field keeps it");
    let one = page(&server, "/ui/?search=a+%26+b", 200);
    assert_eq!(listed(&one), ["a & b"]);
    assert!(one.text().contains("One stream has a &#38; b in its name."), "{}", one.text());
    let none = page(&server, "/ui/?search=%3Cb%3E", 200);
    assert_eq!(listed(&none), [""; 0]);
    assert!(none.text().contains("No stream has &#60;b&#62; in its name."), "{}", none.text());
    assert_eq!(listed(&page(&server, "/ui/?search=", 200)).len(), 5, "who types nothing sees all");
}

#[test]
fn a_list_of_ordinary_streams_has_its_curves_and_is_no_larger_than_a_page_may_be() {
    let (_data, server) = start();
    for stream in 0..20 {
        for event in 0..3 {
            let path = format!("/streams/customer-orders-{stream:06}");
            append(&server, &path, "application/json", "CustomerOrderWasPlaced", format!("[{event}]").as_bytes());
        }
    }
    let reply = page(&server, "/ui/", 200);
    assert_eq!(listed(&reply).len(), 16);
    assert!(reply.body.len() < PAGE_BYTES_MAX, "{}", reply.body.len());
    // One for each stream, and one for all events together.
    assert_eq!(reply.text().matches("<svg class=\"spark\"").count(), 17, "{}", reply.text());
    for fact in ["<dt>Events</dt><dd>60</dd>", "<dt>Streams</dt><dd>20</dd>", "<dt>Events a second</dt>"] {
        assert!(reply.text().contains(fact), "{fact}: {}", reply.text());
    }
    assert_eq!(link(&reply, "/ui/", "customer-orders-000019"), "/ui/streams/customer-orders-000019");
    let all = page(&server, "/ui/streams/%24all", 200);
    assert!(all.body.len() < PAGE_BYTES_MAX, "{}", all.body.len());
    assert!(all.text().contains("<figure class=\"plot\">"), "how it grew");
}

#[test]
fn nobody_finds_a_stream_that_they_may_not_read() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start_with_access(data.path(), &[("access.anonymous", "read")], &[("ann", &["shop"])]);
    server.set("canary-1", &json!({ "$acl": { "$r": "shop" } }));
    for stream in ["canary-1", "canary-2"] {
        assert_eq!(server.append_as("admin", stream, "{}").status, 201);
    }
    for (user, expected) in [("", &["canary-2"][..]), ("ann", &["canary-1", "canary-2"])] {
        for path in ["/ui/?search=canary", "/ui/?search=canary-", "/ui/"] {
            let reply = server.get_as(user, path, &[]);
            check_page(&reply, path);
            let mut found = listed(&reply);
            found.sort_unstable();
            assert_eq!(found, expected, "{user:?} {path}");
            // How much there is of what they may not read either is no business of theirs.
            assert!(!reply.text().contains("<dt>Events</dt>"), "{user:?} {path}: {}", reply.text());
        }
        let hidden = server.get_as(user, "/ui/?search=canary-1", &[]);
        assert_eq!(hidden.text().contains("No stream has canary-1"), user.is_empty(), "{user:?}");
    }
}

#[test]
fn events_of_the_same_correlation_are_shown_to_those_who_may_read_them() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start_with_access(data.path(), &[("access.anonymous", "read")], &[("ann", &["shop"])]);
    server.set("secret", &json!({ "$acl": { "$r": "shop", "$w": "$all" } }));
    for (stream, id) in [("orders", "cart 7"), ("secret", "cart 7"), ("orders", "other"), ("shipments", "cart 7")] {
        let event = json!({ "type": format!("Of{stream}"), "data": 1, "metadata": { "$correlationId": id } });
        let lines = format!("{event}\n");
        let ndjson = [("Content-Type", "application/x-ndjson")];
        let posted = server.post_as("admin", &format!("/streams/{stream}"), &ndjson, lines.as_bytes());
        assert_eq!(posted.status, 201, "{}", posted.text());
    }
    let path = "/ui/streams/orders/0";
    for (user, sees) in [("", false), ("ann", true)] {
        let reply = server.get_as(user, path, &[]);
        check_page(&reply, path);
        assert!(reply.text().contains("<bdi>cart 7</bdi>"), "{}", reply.text());
        assert_eq!(link(&reply, path, "Ofshipments, 0@shipments"), "/ui/streams/shipments/0");
        assert_eq!(reply.text().contains("secret"), sees, "{user:?}: {}", reply.text());
        let neighbour = "Newer: 1, Oforders";
        assert_eq!(link(&reply, path, neighbour), "/ui/streams/orders/1", "a neighbour, and no relative");
    }
    let alone = server.get_as("", "/ui/streams/orders/1", &[]);
    assert!(alone.text().contains("No other event near it has the same."), "{}", alone.text());
}
