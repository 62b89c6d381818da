//! A sync that fails under a running server: nothing more is promised, reading goes on, and the next start knows.

use crate::strace::Strace;
use crate::support::store::{check_no_blobs, check_sound};
use crate::support::{Reply, TestServer};

fn post(server: &TestServer, number: u64) -> Reply {
    let id = uuid::Uuid::from_u128(u128::from(number) + 1).to_string();
    let headers = [("Content-Type", "text/plain"), ("ES-EventId", &*id)];
    server.post("/streams/orders", &headers, format!("order {number}").as_bytes())
}

fn kind(reply: &Reply) -> String {
    let json = reply.json();
    json["type"].as_str().and_then(|url| url.rsplit('/').next()).unwrap_or_default().to_string()
}

#[test]
fn after_a_failed_sync_nothing_is_acknowledged_until_the_next_start() {
    const ACKNOWLEDGED: u64 = 20;
    let dir = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(dir.path(), &[]);
    for number in 0..ACKNOWLEDGED {
        assert_eq!(post(&server, number).status, 201);
    }

    let strace = Strace::attach(&server, &["-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO"]);
    let unknown = post(&server, ACKNOWLEDGED);
    assert_eq!((unknown.status, &*kind(&unknown)), (503, "outcome-unknown"), "{}", unknown.text());
    drop(strace);

    // Syncs would work again, and yet: nobody knows what the disk holds.
    let refused = post(&server, ACKNOWLEDGED + 1);
    assert_eq!((refused.status, &*kind(&refused)), (503, "read-only"), "{}", refused.text());
    let repeat = post(&server, 0);
    assert_eq!((repeat.status, &*kind(&repeat)), (503, "read-only"), "{}", repeat.text());
    let ready = server.get("/health/ready", &[]);
    assert_eq!(ready.status, 503);
    assert_eq!((&ready.json()["ready"], &ready.json()["read_only"]), (&false.into(), &true.into()));
    assert!(ready.json()["reason"].as_str().is_some_and(|reason| reason.contains("fdatasync")), "{}", ready.text());
    assert_eq!(server.get("/health/live", &[]).status, 200);
    check_events(&server, ACKNOWLEDGED);
    let unseen = server.get(&format!("/streams/orders/{ACKNOWLEDGED}/data"), &[]);
    assert_eq!(unseen.status, 404, "what may not be there is not shown");
    assert_eq!(server.stop(), Some(12));
    check_no_blobs(dir.path());
    check_sound(dir.path());

    let server = TestServer::start(dir.path(), &[]);
    check_events(&server, ACKNOWLEDGED);
    let again = post(&server, ACKNOWLEDGED);
    assert_eq!((again.status, again.header("es-currentversion")), (201, Some("20")), "{}", again.text());
    check_events(&server, ACKNOWLEDGED + 1);
    assert_eq!(server.get(&format!("/streams/orders/{}", ACKNOWLEDGED + 1), &[]).status, 404);
    assert_eq!(server.get("/health/ready", &[]).status, 200);
    assert_eq!(server.stop(), Some(0));
}

fn check_events(server: &TestServer, events: u64) {
    for number in 0..events {
        let data = server.get(&format!("/streams/orders/{number}/data"), &[]);
        assert_eq!((data.status, data.text()), (200, &*format!("order {number}")));
    }
}
