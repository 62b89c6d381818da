//! Those who wait and those who listen.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{HIDDEN, PLACES, SECRET, Shop, assert_no_canary, assert_nothing_of_it};
use crate::support::listener::Listener;
use crate::support::{PATIENCE, wait_until};

/// Listens as somebody.
fn listen(shop: &Shop, user: &str, path: &str) -> Listener {
    let authorization = shop.server.authorization(user);
    let headers: Vec<(&str, &str)> =
        authorization.as_deref().map(|value| ("Authorization", value)).into_iter().collect();
    let listener = Listener::open(shop.server.address, path, &headers);
    assert_eq!(listener.status, 200, "{path}");
    listener
}

/// Waits until so many requests wait for an event.
#[track_caller]
fn wait_for_waits(shop: &Shop, count: usize) {
    let wanted = format!("\neverfeed_waits {count}\n");
    wait_until(&wanted, || shop.get("admin", "/metrics", &[]).text().contains(&wanted));
}

#[test]
fn who_listens_hears_that_there_was_something_and_nothing_of_it() {
    let shop = Shop::open();
    let path = "/streams/%24ce-shop?last-event-id=-1";
    // Both at once, so that what is made for one could reach the other.
    let mut listeners = ["", "ann", "bob"].map(|user| (user, listen(&shop, user, path)));
    for round in 0..2 {
        let expected: Vec<u64> = if round == 0 { (0..PLACES).collect() } else { vec![PLACES, PLACES + 1] };
        for (user, listener) in &mut listeners {
            for (message, place) in listener.take(expected.len()).iter().zip(&expected) {
                assert_eq!(message.id, *place);
                let line: Value = serde_json::from_str(&message.data).expect("a line");
                let is_secret = HIDDEN.contains(place) || *place == PLACES;
                assert_eq!(line["type"] == "$hidden", is_secret && *user != "ann", "{user}: {}", message.data);
                if *user != "ann" {
                    assert_no_canary(&message.data, "a message");
                }
            }
        }
        if round == 0 {
            shop.sell(SECRET, &json!({ "eventType": "canarytype", "data": "canarydata" }));
            shop.sell("shop-open", &json!({ "eventType": "Placed", "data": "seen" }));
        }
    }
}

#[test]
fn it_ends_for_those_whose_right_ends() {
    let shop = Shop::open();
    let mut nobody = listen(&shop, "", "/streams/shop-open");
    let mut ann = listen(&shop, "ann", "/streams/shop-open");
    shop.sell("shop-open", &json!({ "eventType": "Placed", "data": 1 }));
    let numbers = [&mut nobody, &mut ann].map(|listener| listener.next().expect("an event").id);
    assert_eq!(numbers, [PLACES / 2; 2]);
    shop.protect("shop-open");
    shop.sell("shop-open", &json!({ "eventType": "Placed", "data": "canarydata" }));
    assert_eq!(nobody.next(), None, "it ends as it should, without what came after");
    assert_eq!(ann.next().map(|message| message.id), Some(PLACES / 2 + 1));
    // Also when nothing happens there any more.
    shop.server.set("shop-open", &json!({ "$acl": { "$r": "nobody" } }));
    assert_eq!(ann.next(), None);
}

#[test]
fn who_waits_gets_what_may_be_seen_when_it_comes() {
    let shop = Shop::open();
    let wait = |user: &'static str, path: &'static str| {
        let (to, authorization) = (shop.server.address, shop.server.authorization(user));
        std::thread::spawn(move || {
            let headers: Vec<(&str, &str)> =
                authorization.as_deref().map(|value| ("Authorization", value)).into_iter().collect();
            crate::support::request(to, "GET", path, &headers, b"")
        })
    };
    let end = "/streams/%24ce-shop/10/forward/5.ndjson?wait=60";
    let (bob, ann) = (wait("bob", end), wait("ann", end));
    wait_for_waits(&shop, 2);
    shop.sell(SECRET, &json!({ "eventType": "canarytype", "data": "canarydata" }));
    let (bob, ann) = (bob.join().expect("an answer"), ann.join().expect("an answer"));
    assert_eq!((bob.status, ann.status), (200, 200));
    assert!(bob.text().contains("$hidden") && ann.text().contains("canarydata"));
    assert_nothing_of_it(&bob, end);
    for reply in [&bob, &ann] {
        assert_eq!(reply.header("cache-control"), Some("no-store"));
    }
    // Whoever may not read it any more when it comes does not get it.
    let open = "/streams/shop-open/5/forward/5.ndjson?wait=60";
    let nobody = wait("", open);
    wait_for_waits(&shop, 1);
    shop.protect("shop-open");
    shop.sell("shop-open", &json!({ "eventType": "Placed", "data": "canarydata" }));
    let nobody = nobody.join().expect("an answer");
    assert_eq!(nobody.status, 401);
    assert_nothing_of_it(&nobody, open);
}

/// A new password ended nothing that had begun with the old one: whoever had stolen that went on listening.
#[test]
fn it_ends_for_a_user_who_is_kept_out_or_has_another_password_now() {
    let shop = Shop::open();
    let [ann, mut bob, ops] = ["ann", "bob", "ops"].map(|user| listen(&shop, user, "/streams/shop-open"));
    let disabled = shop.server.post_as("admin", "/users/ann/command/disable", &[], b"");
    assert_eq!(disabled.status, 200, "{}", disabled.text());
    let json_type = [("Content-Type", "application/json")];
    let new = json!({ "newPassword": "another password" }).to_string();
    let changed = shop.server.post_as("admin", "/users/ops/command/reset-password", &json_type, new.as_bytes());
    assert_eq!(changed.status, 200, "{}", changed.text());
    let (mut kept_out, started) = (vec![ann, ops], Instant::now());
    // It takes a few seconds until they are looked for again.
    loop {
        shop.sell("shop-open", &json!({ "eventType": "Placed", "data": started.elapsed().as_micros() as u64 }));
        assert!(bob.next().is_some(), "others hear it all");
        kept_out.retain_mut(|listener| listener.next().is_some());
        if kept_out.is_empty() {
            break;
        }
        assert!(started.elapsed() < PATIENCE, "they still hear it");
        std::thread::sleep(Duration::from_millis(200));
    }
}
