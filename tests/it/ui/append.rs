//! The form that appends an event: what it sends, and that no other site's form can.

use super::{check_page, page, start};
use crate::support::{Reply, TestServer, basic, check, request};

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");
const TYPED: &[u8] = b"type=Order+Placed&media=application%2Fjson&data=%7B%0D%0A++%22order%22%3A+1%0D%0A%7D";

#[track_caller]
fn post(server: &TestServer, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    let reply = server.post(path, headers, body);
    check(&reply, path);
    if reply.status != 303 {
        check_page(&reply, path);
    }
    reply
}

#[test]
fn what_is_typed_into_the_form_is_an_event() {
    let (_data, server) = start();
    assert_eq!(server.post("/streams/orders", &[("Content-Type", "text/plain")], b"first").status, 201);
    let form = page(&server, "/ui/streams/orders", 200);
    for part in
        ["action=\"../../ui/streams/orders\" method=\"post\"", "name=\"type\"", "name=\"media\"", "name=\"data\""]
    {
        assert!(form.text().contains(part), "{part}");
    }
    let origin = format!("http://{}", server.address);
    let reply = post(&server, "/ui/streams/orders", &[FORM, ("Origin", &origin)], TYPED);
    let expected = format!("{origin}/ui/streams/orders/1");
    assert_eq!((reply.status, reply.header("location")), (303, Some(expected.as_str())));
    let event = server.get("/streams/orders/1", &[("Accept", "application/vnd.eventstore.event+json")]).json();
    assert_eq!(event["eventType"], "Order Placed");
    let data = server.get("/streams/orders/1/data", &[]);
    assert_eq!(data.text(), "{\n  \"order\": 1\n}", "as it was typed");
    assert_eq!(data.header("content-type"), Some("application/json"));
    // A newer browser says itself that its page is of this site, also where a proxy gave it another name.
    let behind = [FORM, ("Origin", "https://feeds.example"), ("Sec-Fetch-Site", "same-origin")];
    assert_eq!(post(&server, "/ui/streams/new", &behind, TYPED).status, 303, "a stream begins with its first event");
    // The first page asks for the stream too.
    assert!(page(&server, "/ui/", 200).text().contains("name=\"stream\" value=\"greetings\""));
    let named = [b"stream=a%2Fb+c&", TYPED].concat();
    let reply = post(&server, "/ui/", &[FORM, ("Origin", &origin)], &named);
    let expected = format!("{origin}/ui/streams/a%2Fb%20c/0");
    assert_eq!((reply.status, reply.header("location")), (303, Some(expected.as_str())));
}

#[test]
fn what_cannot_be_an_event_is_refused_with_a_page() {
    let (_data, server) = start();
    let origin = format!("http://{}", server.address);
    let ours = [FORM, ("Origin", origin.as_str())];
    for (body, status, says) in [
        (&b"type=t&media=application%2Fjson&data=%7B"[..], 400, "The body cannot be read"),
        (b"type=&media=text%2Fplain&data=x", 400, "cannot be the type of an event"),
        (b"type=t&media=text&data=x", 415, "media type"),
        (b"type=t&media=application%2Fvnd.eventstore.events%2Bjson&data=%5B%5D", 415, "media type"),
        (b"type=t&media=text%2Fplain&data=%ff", 400, "not UTF-8"),
        (b"", 415, "media type"),
    ] {
        let reply = post(&server, "/ui/streams/s", &ours, body);
        assert_eq!(reply.status, status, "{}", reply.text());
        assert!(reply.text().contains(says), "{says}: {}", reply.text());
    }
    for (path, body, status) in [
        ("/ui/streams/$all", TYPED.to_vec(), 403),
        // Who changes settings is on record, by the address of settings.
        ("/ui/streams/$$s", TYPED.to_vec(), 403),
        ("/ui/", [b"stream=%24%24s&", TYPED].concat(), 403),
        ("/ui/", TYPED.to_vec(), 400),
    ] {
        let reply = post(&server, path, &ours, &body);
        assert_eq!(reply.status, status, "{path}: {}", reply.text());
    }
    let json = [("Content-Type", "application/json"), ("Origin", origin.as_str())];
    assert_eq!(post(&server, "/ui/streams/s", &json, b"{}").status, 415, "a page is no stream");
    assert_eq!(server.events(), 0, "nothing was written");
}

#[test]
fn no_form_of_another_site_appends() {
    let (_data, server) = start();
    let other = format!("http://localhost:{}", server.address.port());
    for headers in [
        &[][..],
        &[("Origin", "https://evil.example")],
        &[("Origin", "null")],
        &[("Origin", other.as_str())],
        &[("Sec-Fetch-Site", "cross-site")],
        &[("Sec-Fetch-Site", "same-site")],
        &[("Sec-Fetch-Site", "none")],
        // What a browser says of the page outweighs whatever else is there.
        &[("Sec-Fetch-Site", "cross-site"), ("Origin", other.as_str())],
    ] {
        let all = [&[FORM][..], headers].concat();
        let reply = post(&server, "/ui/streams/s", &all, TYPED);
        assert_eq!(reply.status, 403, "{headers:?}: {}", reply.text());
    }
    assert_eq!(server.events(), 0);
}

#[test]
fn the_form_is_for_those_who_may_append() {
    let data = tempfile::tempdir().expect("a directory");
    let settings = [("access.anonymous", "read")];
    let server = TestServer::start_with_access(data.path(), &settings, &[("ann", &["shop"]), ("bob", &[])]);
    server.set("shop", &serde_json::json!({ "$acl": { "$r": "$all", "$w": "shop" } }));
    assert_eq!(server.append_as("ann", "shop", "{}").status, 201);
    let path = "/ui/streams/shop";
    for (user, may) in [("ann", true), ("admin", true), ("bob", false), ("", false)] {
        let reply = server.get_as(user, path, &[("Accept", "text/html")]);
        check_page(&reply, path);
        assert_eq!(reply.text().contains("method=\"post\""), may, "{user:?}");
        assert_eq!(reply.text().contains("append to it"), may, "{user:?}");
    }
    let origin = format!("http://{}", server.address);
    let send = |user: &str, origin: &str| server.post_as(user, path, &[FORM, ("Origin", origin)], TYPED).status;
    assert_eq!(["ann", "bob", ""].map(|user| send(user, &origin)), [303, 403, 401]);
    assert_eq!(send("ann", "https://evil.example"), 403, "a browser adds a password by itself");
    let wrong = basic("ann", "wrong");
    let headers = [FORM, ("Origin", origin.as_str()), ("Authorization", wrong.as_str())];
    assert_eq!(request(server.address, "POST", path, &headers, TYPED).status, 401);
}
