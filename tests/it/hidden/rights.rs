//! Readers with different rights: what each of them gets, and who may keep it.

use serde_json::json;

use super::{HIDDEN, SECRET, Shop, assert_nothing_of_it};

const PAGE: &str = "/streams/%24ce-shop/0/forward/5.atom";
const OF_READER: Option<&str> = Some("private, no-cache");

#[test]
fn who_may_read_it_sees_all_of_it_and_who_sees_the_same_gets_the_same_tag() {
    let shop = Shop::open();
    for path in [PAGE, "/streams/%24ce-shop", "/streams/%24ce-shop/1.atom", "/"] {
        let [nobody, bob, ann, admin] = ["", "bob", "ann", "admin"].map(|user| shop.get(user, path, &[]));
        for reply in [&nobody, &bob, &ann, &admin] {
            assert_eq!((reply.status, reply.header("cache-control")), (200, OF_READER), "{path}");
            assert_eq!(reply.header("last-modified"), None, "{path}: rights change no date");
        }
        assert_ne!(bob.header("etag"), ann.header("etag"), "{path}");
        assert_eq!(nobody.header("etag"), bob.header("etag"), "{path}");
        assert_eq!(ann.header("etag"), admin.header("etag"), "{path}");
        assert_eq!((&nobody.body, &ann.body), (&bob.body, &admin.body), "{path}");
        // Nobody can find out with the tag of another what that one sees.
        let tag = ann.header("etag").expect("a tag");
        assert_eq!(shop.get("bob", path, &[("If-None-Match", tag)]).status, 200, "{path}");
    }
    let lines = shop.lines("ann", "/streams/%24ce-shop/0/forward/20");
    let of_secret: Vec<u64> =
        (0..).zip(&lines).filter(|(_, line)| line["stream"] == SECRET).map(|(at, _)| at).collect();
    assert_eq!(of_secret, HIDDEN);
    assert!(lines.iter().all(|line| line.get("removed").is_none()));
    assert_eq!(lines[1]["data"], json!({ "is": "canarydata" }));
}

#[test]
fn a_page_of_streams_that_everybody_may_read_is_public() {
    let shop = Shop::open();
    for number in 0..5 {
        shop.sell("fair-open", &json!({ "eventType": "Sold", "data": number }));
    }
    for path in ["/streams/%24ce-fair/0/forward/5.atom", "/streams/%24et-Sold/0/forward/5.atom"] {
        let replies = ["", "bob", "admin"].map(|user| shop.get(user, path, &[]));
        for reply in &replies {
            assert_eq!(reply.header("cache-control"), Some("public, max-age=31536000, immutable"), "{path}");
            assert!(reply.header("last-modified").is_some(), "{path}");
            assert_eq!(reply.header("etag"), replies[0].header("etag"), "{path}");
        }
    }
    let event = shop.get("", "/streams/%24ce-shop/0.atom", &[]);
    assert_eq!(event.header("cache-control"), Some("public, max-age=31536000, immutable"), "this one may be read");
}

#[test]
fn a_change_of_rights_holds_for_the_next_request() {
    let shop = Shop::open();
    for number in 0..4 {
        shop.sell(
            ["fair-1", "fair-2"][number % 2],
            &json!({ "eventType": "Sold", "data": { "is": "canarydata", "n": number } }),
        );
    }
    let (page, event) = ("/streams/%24ce-fair/0/forward/4.atom", "/streams/%24ce-fair/1.atom");
    let open = [page, event].map(|path| shop.get("", path, &[]));
    assert!(open.iter().all(|reply| reply.header("cache-control").is_some_and(|value| value.starts_with("public"))));
    shop.protect("fair-2");
    shop.protect("fair-1");
    let closed = [page, event].map(|path| shop.get("", path, &[]));
    for (closed, open) in closed.iter().zip(&open) {
        assert_eq!((closed.status, closed.header("cache-control")), (200, OF_READER));
        assert_ne!(closed.header("etag"), open.header("etag"));
        assert_nothing_of_it(closed, "after the change");
    }
    for (path, reply) in [page, event].into_iter().zip(&open) {
        let tag = reply.header("etag").expect("a tag");
        let since = reply.header("last-modified").expect("a date");
        for conditional in [("If-None-Match", tag), ("If-Modified-Since", since)] {
            let again = shop.get("", path, &[conditional]);
            assert_eq!(again.status, 200, "{path} {conditional:?}: what was kept is not what there is now");
            assert_nothing_of_it(&again, path);
        }
    }
    for stream in ["fair-1", "fair-2"] {
        shop.server.set(stream, &json!({}));
    }
    let again = [page, event].map(|path| shop.get("", path, &[]));
    for (again, open) in again.iter().zip(&open) {
        assert_eq!((again.header("etag"), &again.body), (open.header("etag"), &open.body));
        assert_eq!(again.header("cache-control"), open.header("cache-control"));
    }
}

#[test]
fn a_stream_of_many_streams_is_read_under_its_own_right() {
    let of_one = "[[rule]]\nstreams = \"$ce-shop\"\nread = \"insiders\"\n";
    let shop = Shop::open_with(&[of_one, super::RULES].concat());
    for (user, status) in [("", 401), ("bob", 403), ("ann", 200)] {
        for path in [PAGE, "/streams/%24ce-shop", "/streams/%24ce-shop/0", "/ui/streams/%24ce-shop/0"] {
            assert_eq!(shop.get(user, path, &[]).status, status, "{user} {path}");
        }
    }
    assert_eq!(shop.get("bob", "/streams/%24all", &[]).status, 200);
}

#[test]
fn what_is_deleted_and_truncated_behind_the_scenes_changes_nothing_that_is_shown() {
    let shop = Shop::open();
    let before = shop.get("bob", PAGE, &[]);
    let deleted = shop.server.send_as("admin", "DELETE", &format!("/streams/{SECRET}"), &[], b"");
    assert_eq!(deleted.status, 204, "{}", deleted.text());
    let after = shop.get("bob", PAGE, &[]);
    assert_eq!((before.header("etag"), &before.body), (after.header("etag"), &after.body));
    assert_nothing_of_it(&shop.get("bob", "/streams/%24all", &[]), "after the deletion");
}
