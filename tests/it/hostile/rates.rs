//! Those who ask or append faster than they may, and streams without number.

use super::{Attacked, TEXT};
use crate::support::wait_until;
use crate::support::{Reply, check, request};

#[track_caller]
fn check_too_fast(reply: &Reply) {
    check(reply, "too fast");
    assert_eq!(reply.status, 429, "{}", reply.text());
    assert!(reply.text().contains("/ui/problems/too-fast"), "{}", reply.text());
    let seconds: u64 = reply.header("retry-after").expect("when").parse().expect("in seconds");
    assert!(seconds >= 1);
}

#[test]
fn whoever_asks_too_fast_waits_and_health_is_never_too_much() {
    let attacked = Attacked::new(&[("rates.requests", "5"), ("rates.burst", "2s")]);
    let server = &attacked.server;
    let mut refused = None;
    wait_until("one is too fast", || {
        let reply = server.get("/streams/s", &[]);
        refused = (reply.status != 200).then_some(reply);
        refused.is_some()
    });
    check_too_fast(&refused.expect("one was"));
    for path in ["/health/live", "/health/ready", "/metrics", "/ping"] {
        for _ in 0..20 {
            assert_eq!(server.get(path, &[]).status, 200, "{path}");
        }
    }
    let head = || request(server.address, "HEAD", "/streams/s", &[], b"");
    wait_until("asking for heads alone is no way around it", || head().status == 429);
    wait_until("its time comes again", || server.get("/streams/s", &[]).status == 200);
    server.assert_no_panic();
}

/// The story: all who came through a trusted proxy had one account, so that one of them could use it up for all.
#[test]
fn behind_a_trusted_proxy_each_client_has_an_account_of_its_own() {
    let settings = [("rates.requests", "5"), ("rates.burst", "2s"), ("trusted_proxies", "127.0.0.1")];
    let attacked = Attacked::new(&settings);
    let from = |client: &str| attacked.server.get("/streams/s", &[("X-Forwarded-For", client)]).status;
    wait_until("one is too fast", || from("192.0.2.1") == 429);
    assert_eq!(from("192.0.2.2"), 200, "another one is not");
    attacked.server.assert_no_panic();
}

#[test]
fn whoever_appends_too_much_waits_and_reads_meanwhile() {
    let attacked = Attacked::new(&[("rates.events", "10"), ("rates.bytes", "1 MiB"), ("rates.burst", "1s")]);
    let server = &attacked.server;
    let batch = format!("[{}]", vec![r#"{"eventType":"t"}"#; 500].join(","));
    let batch =
        || server.post("/streams/b", &[("Content-Type", "application/vnd.eventstore.events+json")], batch.as_bytes());
    assert_eq!(batch().status, 201, "a large batch is taken");
    check_too_fast(&batch());
    check_too_fast(&server.post("/streams/s", &[TEXT], b"y"));
    assert_eq!(server.get("/streams/b", &[]).status, 200);
    attacked.check_unharmed_with(501, 32);

    let attacked = Attacked::new(&[("rates.bytes", "1 MiB"), ("rates.burst", "1s")]);
    assert_eq!(attacked.server.post("/streams/s", &[TEXT], &vec![b'x'; 4 << 20]).status, 201);
    check_too_fast(&attacked.server.post("/streams/s", &[TEXT], b"y"));
    attacked.check_unharmed_with(2, 64);

    let attacked = Attacked::new(&[("rates.bytes", "1 MiB"), ("rates.burst", "1s")]);
    let events = ("Content-Type", "application/vnd.eventstore.events+json");
    assert_eq!(attacked.server.post("/streams/s", &[events], &vec![b'x'; 4 << 20]).status, 400);
    check_too_fast(&attacked.server.post("/streams/s", &[TEXT], b"what could not be read was sent all the same"));
}

#[test]
fn no_more_streams_begin_than_may_and_those_that_are_there_go_on() {
    let attacked = Attacked::new(&[("limits.streams", "3")]);
    let post = |stream: &str| attacked.server.post(&format!("/streams/{stream}"), &[TEXT], stream.as_bytes());
    assert_eq!((post("two").status, post("three").status), (201, 201));
    let refused = post("four");
    check(&refused, "one more");
    assert_eq!(refused.status, 507);
    assert!(refused.text().contains("/ui/problems/too-many-streams"), "{}", refused.text());
    assert_eq!(attacked.server.get("/streams/four", &[]).status, 404);
    assert_eq!((post("two").status, post("s").status), (201, 201), "streams that are there");
    let settings = attacked.server.post("/streams/two/metadata", &[("Content-Type", "application/json")], b"{}");
    assert_eq!(settings.status, 201, "their settings are no streams of their own");
    attacked.check_unharmed_with(6, 32);
}
