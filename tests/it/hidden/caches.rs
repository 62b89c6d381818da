//! Pages that not everybody sees the same, behind the real nginx.

use super::{Shop, assert_nothing_of_it};
use crate::support::proxy::{Kind, Proxy};

fn nobody_gets_the_page_of_another(kind: Kind) {
    let shop = Shop::open();
    let proxy = Proxy::start(kind, shop.server.address);
    let paths = [
        "/streams/%24ce-shop/0/forward/5.atom",
        "/streams/%24ce-shop/0/forward/5.ndjson",
        "/streams/%24all/0/forward/10.atom",
        "/streams/%24ce-shop",
        "/streams/%24ce-shop/1.atom",
        "/streams/%24ce-shop/1/data",
        "/ui/streams/%24ce-shop",
        "/ui/",
        "/",
    ];
    for path in paths {
        // Whoever sees all of it asks first, in between, and last.
        for user in ["ann", "", "bob", "ann", "", "admin", "bob"] {
            let authorization = shop.server.authorization(user);
            let headers: Vec<(&str, &str)> =
                authorization.as_deref().map(|value| ("Authorization", value)).into_iter().collect();
            let reply = proxy.get(path, &headers);
            let sees_all = user == "ann" || user == "admin";
            if sees_all {
                assert_eq!(reply.status, 200, "{path} {user}");
                assert!(reply.text().contains("canary"), "{path} {user}: {}", reply.text());
            } else {
                assert_nothing_of_it(&reply, &format!("{path} as {user:?} behind {kind:?}"));
            }
        }
    }
}

#[test]
fn behind_nginx_nobody_gets_the_page_of_another() {
    nobody_gets_the_page_of_another(Kind::Nginx);
}

#[test]
fn behind_varnish_nobody_gets_the_page_of_another() {
    nobody_gets_the_page_of_another(Kind::Varnish);
}
