//! Finding events in a stream: by type, by number, by time; and that the address keeps what was looked for.

use super::{append, link, links, page, start};
use crate::support::{Reply, TestServer};

fn numbers(reply: &Reply, path: &str) -> Vec<u64> {
    let events =
        links(reply, path).into_iter().filter_map(|(_, href)| href.strip_prefix("/ui/streams/s/")?.parse().ok());
    events.collect()
}

#[test]
fn events_of_one_type_are_found_page_by_page() {
    let (_data, server) = start();
    let event = |number: u32| {
        let event_type = if number % 250 == 7 { "Rare & odd" } else { "Common" };
        format!("{{\"type\": \"{event_type}\", \"data\": {number}}}\n")
    };
    let lines: String = (0..1_100).map(event).collect();
    let posted = server.post("/streams/s", &[("Content-Type", "application/x-ndjson")], lines.as_bytes());
    assert_eq!(posted.status, 201, "{}", posted.text());
    let mut path = "/ui/streams/s?type=Rare+%26+odd".to_string();
    let mut found = Vec::new();
    loop {
        let reply = page(&server, &path, 200);
        assert!(reply.text().contains("value=\"Rare &#38; odd\""), "the form keeps it: {}", reply.text());
        found.extend(numbers(&reply, &path));
        match links(&reply, &path).into_iter().find(|(words, _)| words == "Older") {
            Some((_, older)) => path = older,
            None => break,
        }
    }
    assert_eq!(found, [1_007, 757, 507, 257, 7]);
    assert!(path.contains("type=Rare%20%26%20odd&from="), "{path}");
    let reply = page(&server, &path, 200);
    assert!(reply.text().contains("1 event of the type Rare &#38; odd among numbers 0 to 99."), "{}", reply.text());
    assert_eq!(link(&reply, &path, "All types"), path.replace("type=Rare%20%26%20odd&", ""));
    // A page of a type that there are many of is full, and the next one begins right below it.
    let common = page(&server, "/ui/streams/s?type=Common", 200);
    assert_eq!(numbers(&common, "/ui/streams/s").len(), 20);
    assert_eq!(link(&common, "/ui/streams/s", "Older"), "/ui/streams/s?type=Common&from=1079");
    let none = page(&server, "/ui/streams/s?type=None", 200);
    assert!(none.text().contains("0 events of the type None among numbers 100 to 1099."), "{}", none.text());
}

#[test]
fn a_time_leads_to_the_newest_event_that_is_not_newer() {
    let (_data, server) = start();
    for _ in 0..50 {
        append(&server, "/streams/s", "text/plain", "t", b"x");
    }
    let time = |number: u64| {
        let event = server.get(&format!("/streams/s/{number}"), &[("Accept", "application/x-ndjson")]).json();
        event["time"].as_str().expect("a time").to_string()
    };
    for number in [0, 7, 48, 49] {
        let path = format!("/ui/streams/s?at={}", time(number).replace(':', "%3A"));
        assert_eq!(numbers(&page(&server, &path, 200), &path)[0], number, "{path}");
    }
    // A day is meant to its end, and before all of them is the first.
    let today = &time(0)[..10];
    for (at, newest) in [(today, 49), ("9999-12-31", 49), ("1999-01-01T00:00", 0)] {
        let path = format!("/ui/streams/s?at={at}");
        assert_eq!(numbers(&page(&server, &path, 200), &path)[0], newest, "{path}");
    }
    let wrong = page(&server, "/ui/streams/s?at=yesterday", 400);
    assert!(wrong.text().contains("is no time"), "{}", wrong.text());
    let both = page(&server, "/ui/streams/s?at=1999-01-01&from=30", 200);
    assert_eq!(numbers(&both, "/ui/streams/s")[0], 30, "a number says more");
}

#[test]
fn a_type_that_its_reader_may_not_see_is_not_found_by_it() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start_with_access(data.path(), &[("access.anonymous", "read")], &[("ann", &["shop"])]);
    server.set("open-1", &serde_json::json!({}));
    server.set("secret", &serde_json::json!({ "$acl": { "$r": "shop", "$w": "$all" } }));
    let settings = serde_json::json!({ "$systemStreamAcl": { "$r": "$all" } }).to_string();
    let json = [("Content-Type", "application/json"), ("ES-EventType", "settings")];
    assert_eq!(server.post_as("admin", "/streams/$settings", &json, settings.as_bytes()).status, 201);
    for stream in ["open-1", "secret"] {
        let headers = [("Content-Type", "text/plain"), ("ES-EventType", "Canary")];
        assert_eq!(server.post_as("admin", &format!("/streams/{stream}"), &headers, b"x").status, 201);
    }
    for (user, found) in [("", 1), ("ann", 2)] {
        let path = "/ui/streams/%24all?type=Canary";
        let reply = server.get_as(user, path, &[]);
        super::check_page(&reply, path);
        let says = format!("{} of the type Canary among", if found == 1 { "1 event" } else { "2 events" });
        assert!(reply.text().contains(&says), "{user}: {}", reply.text());
        // What stands for it has a type too, which is no event's.
        let hidden = server.get_as(user, "/ui/streams/%24all?type=%24hidden", &[]);
        assert!(hidden.text().contains("0 events of the type $hidden"), "{}", hidden.text());
    }
}
