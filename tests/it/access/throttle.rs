//! Too many wrong log-ins, from whichever address they come.

use crate::support::{TestServer, check};

const GUESSED: (&str, &str) = ("Authorization", "Bearer guessed");

#[test]
fn behind_a_trusted_proxy_each_address_counts_for_itself_and_a_forged_one_for_nothing() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start_with_access(data.path(), &[("trusted_proxies", "127.0.0.1")], &[]);
    let from = |forwarded: &str| server.get("/ping", &[GUESSED, ("X-Forwarded-For", forwarded)]);
    let refused = (0..1_000).map(|forged| from(&format!("10.0.{}.{}, 192.0.2.1", forged / 250, forged % 250)));
    let refused = refused.into_iter().find(|reply| reply.status != 401).expect("an end of it");
    check(&refused, "too many");
    assert_eq!(refused.status, 429, "what a stranger wrote before its own address is no other address");
    assert_eq!(from("192.0.2.2").status, 401, "another address is not kept out");
    let own = server.authorization("admin").expect("there is one");
    let right = server.get("/users/$current", &[("Authorization", &own), ("X-Forwarded-For", "192.0.2.2")]);
    assert_eq!(right.status, 200);
}

#[test]
fn nobody_who_is_no_trusted_proxy_names_another_address() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start_with_access(data.path(), &[], &[]);
    let from = |last: u16| {
        server.get("/ping", &[GUESSED, ("X-Forwarded-For", &format!("192.0.{}.{}", last / 250, last % 250))])
    };
    assert!((0..1_000).any(|last| from(last).status == 429), "the throttle is never reset");
    server.assert_no_panic();
}
