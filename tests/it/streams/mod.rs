//! `/admin/streams`: every stream that is there and may be read, by activity, by name, and by what people type.

mod model;
mod rights;

use serde_json::Value;

use crate::support::{Reply, TestServer, check};

/// All pages of a list, from this one on: the names that are shown.
#[track_caller]
fn walk(get: impl Fn(&str) -> Reply, first: &str) -> Vec<String> {
    /// No list of these tests is longer.
    const PAGES_MAX: usize = 200;
    let (mut path, mut names) = (first.to_string(), Vec::new());
    for _ in 0..PAGES_MAX {
        let reply = get(&path);
        check(&reply, &path);
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        let page = reply.json();
        names.extend(names_of(&page));
        match page["next"].as_str() {
            Some(next) => {
                assert_eq!(page["complete"], false, "{path}");
                assert_eq!(reply.header("link"), Some(&*format!("<{next}>; rel=\"next\"")), "{path}");
                let at = next.find("/admin/").expect("it leads to a list");
                path = next[at..].to_string();
            }
            None => {
                assert_eq!(page["complete"], true, "{path}");
                return names;
            }
        }
    }
    panic!("{first} has no end");
}

fn names_of(page: &Value) -> Vec<String> {
    let name = |stream: &Value| stream["stream"].as_str().expect("a name").to_string();
    page["streams"].as_array().expect("a list").iter().map(name).collect()
}

fn time_of(server: &TestServer, stream: &str, number: u64) -> String {
    let event = server.get(&format!("/streams/{stream}/{number}/forward/1.ndjson"), &[]).json();
    event["time"].as_str().expect("a time").to_string()
}

fn append(server: &TestServer, stream: &str, event_type: &str) -> u64 {
    let headers = [("Content-Type", "application/json"), ("ES-EventType", event_type)];
    let reply = server.post(&format!("/streams/{stream}"), &headers, b"{}");
    assert_eq!(reply.status, 201, "{}", reply.text());
    reply.header("es-position").and_then(|position| position.parse().ok()).expect("a position")
}

#[test]
fn a_list_says_of_each_stream_where_it_stands() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(data.path(), &[]);
    append(&server, "orders", "Placed");
    append(&server, "a%20b%2Fc", "Made");
    append(&server, "orders", "Paid");
    let settings = [("Content-Type", "application/json")];
    assert_eq!(server.post("/streams/orders/metadata", &settings, b"{\"$maxCount\":1}").status, 201);
    let reply = server.get("/admin/streams", &[("Host", "localhost:2113")]);
    check(&reply, "the list");
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let page = reply.json();
    assert_eq!(names_of(&page), ["orders", "a b/c"], "settings are no streams of their own");
    let orders = &page["streams"][0];
    assert_eq!(
        (&orders["events"], &orders["head"]["number"], &orders["head"]["type"]),
        (&1.into(), &1.into(), &"Paid".into())
    );
    assert_eq!(
        (&orders["head"]["position"], &orders["head"]["time"]),
        (&2.into(), &time_of(&server, "orders", 1).into())
    );
    assert_eq!(page["streams"][1]["url"], format!("http://localhost:2113/streams/a%20b%2Fc"));
    assert_eq!(
        names_of(&server.get("/admin/streams?search=%24%24", &[]).json()),
        ["$$orders"],
        "unless they are asked for"
    );
}

#[test]
fn one_stream_tells_how_it_grew_and_what_came_at_a_time() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(data.path(), &[]);
    for _ in 0..5 {
        append(&server, "orders", "Placed");
        append(&server, "others", "Placed");
    }
    let one = |path: &str| {
        let reply = server.get(path, &[]);
        check(&reply, path);
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()
    };
    let orders = one("/admin/streams/orders");
    let in_list = &server.get("/admin/streams?search=orders", &[]).json()["streams"][0];
    for key in ["stream", "url", "events", "bytesAbout", "head"] {
        assert_eq!((&orders[key], orders[key].is_null()), (&in_list[key], false), "{key}");
    }
    let growth = orders["growth"].as_array().expect("moments");
    assert_eq!(growth.last().expect("one")["events"], 5);
    assert_eq!(growth.last().expect("one")["time"], orders["head"]["time"]);
    let times = |key: &str| growth.iter().map(|moment| moment[key].to_string()).collect::<Vec<_>>();
    assert!(times("time").is_sorted() && times("events").is_sorted(), "{growth:?}");
    for number in [0, 3] {
        let at = time_of(&server, "orders", number);
        assert_eq!(one(&format!("/admin/streams/orders?at={at}"))["at"]["number"], number, "{at}");
    }
    assert_eq!(one("/admin/streams/orders?at=2019-01-01T00:00:00%2B01:00")["at"]["number"], 0);
    assert!(one("/admin/streams/orders?at=9999-01-01T00:00:00Z")["at"]["number"].is_null());
    let all = one("/admin/streams/%24all");
    assert_eq!((&all["events"], &all["head"]["number"], all["bytesAbout"].is_null()), (&10.into(), &9.into(), true));
    assert_eq!(server.get("/admin/streams/none", &[]).status, 404);
    assert_eq!(server.get("/admin/streams/orders?at=today", &[]).status, 400);
}

#[test]
fn what_cannot_be_listed_is_refused_with_what_can() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(data.path(), &[]);
    for query in ["order=size", "limit=0", "limit=1001", "limit=x", "before=x", "before=-1"] {
        let reply = server.get(&format!("/admin/streams?{query}"), &[]);
        check(&reply, query);
        assert_eq!(reply.status, 400, "{query}");
        let detail = reply.json()["detail"].to_string();
        let (parameter, _) = query.split_once('=').expect("a parameter");
        assert!(detail.contains(&format!("`{parameter}`")), "{query}: {detail}");
    }
    for query in ["", "?search=", "?search=nothing", "?order=name&after=z", "?before=0", "?search=%00", "?search=%FF"] {
        let reply = server.get(&format!("/admin/streams{query}"), &[]);
        assert_eq!((reply.status, reply.text()), (200, r#"{"streams":[],"complete":true}"#), "{query}");
    }
    assert_eq!(server.post("/admin/streams", &[], b"{}").status, 405);
    server.assert_no_panic();
}
