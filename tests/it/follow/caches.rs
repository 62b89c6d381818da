//! Caches on the way: complete pages come from nginx with the shipped configuration, or from disk, and the server does
//! not see who reads them.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use everfeed::client::{Follower, Following, Prefer};

use super::{append, next, number, rest};
use crate::support::proxy::{Kind, Proxy};
use crate::support::relay::{Relay, Seen};
use crate::support::{PATIENCE, TestServer};

const EVENTS: u64 = 1050;

async fn check_all(following: Following) {
    let events = rest(following.ends_at_the_end().start().expect("it starts")).await;
    assert_eq!(events.iter().map(number).collect::<Vec<_>>(), (0..EVENTS).collect::<Vec<_>>());
}

/// The complete pages that the server was asked for since then.
fn complete_pages(relay: &Relay, since: usize) -> Vec<Seen> {
    relay.seen().split_off(since).into_iter().filter(Seen::is_complete_page).collect()
}

#[tokio::test]
async fn through_nginx_with_a_warm_cache_the_server_sees_no_request_for_a_complete_page() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(data.path(), &[]);
    append(&server, "numbers", 0..EVENTS);
    let relay = Relay::before(server.address);
    let nginx = Proxy::start(Kind::Nginx, relay.address);
    let url = format!("{}/streams/numbers", nginx.url());
    for form in [Prefer::Lines, Prefer::Atom, Prefer::EventStore] {
        let before = relay.seen().len();
        check_all(Follower::of(&url).form(form)).await;
        // EventStore's windows begin wherever the reader began, and so do not lie on our grid; there are as many.
        let (before, cold) = (relay.seen().len(), complete_pages(&relay, before).len());
        assert!((10..=11).contains(&cold) || form == Prefer::EventStore && cold > 40, "{form:?}: {cold}");
        check_all(Follower::of(&url).form(form)).await;
        let seen = complete_pages(&relay, before);
        assert!(seen.is_empty(), "{form:?}: {seen:#?}");
    }
    // And what happens next comes through it at once.
    let mut follower = Follower::of(&url).start().expect("it starts");
    for expected in 0..EVENTS {
        assert_eq!(number(&next(&mut follower).await), expected);
    }
    append(&server, "numbers", EVENTS..EVENTS + 60);
    for expected in EVENTS..EVENTS + 60 {
        assert_eq!(number(&next(&mut follower).await), expected);
    }
}

#[tokio::test]
async fn complete_pages_that_are_on_disk_are_read_from_there_and_damaged_ones_are_asked_for_again() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(data.path(), &[]);
    append(&server, "numbers", 0..EVENTS);
    let relay = Relay::before(server.address);
    let url = format!("http://{}/streams/numbers", relay.address);
    let directory = tempfile::tempdir().expect("a directory");
    let following = || Follower::of(&url).cache(directory.path());
    for form in [Prefer::Lines, Prefer::Atom] {
        let before = relay.seen().len();
        check_all(following().form(form)).await;
        assert_eq!(complete_pages(&relay, before).len(), 10);
        let before = relay.seen().len();
        check_all(following().form(form)).await;
        assert!(complete_pages(&relay, before).is_empty());
        // The open page is good for a second; then it is only asked whether it is what it was.
        let is_renewed = |seen: &Seen| seen.path.contains("/1000/forward/") && seen.status() == Some(304);
        let started = Instant::now();
        while !relay.seen().split_off(before).iter().any(is_renewed) {
            assert!(started.elapsed() < PATIENCE, "{:#?}", relay.seen().split_off(before));
            tokio::time::sleep(Duration::from_millis(200)).await;
            check_all(following().form(form)).await;
        }
    }
    let before = relay.seen().len();
    damage(&directory.path().join("content-v2"));
    check_all(following()).await;
    assert_eq!(complete_pages(&relay, before).len(), 10);
    let before = relay.seen().len();
    check_all(following()).await;
    assert!(complete_pages(&relay, before).is_empty(), "what was damaged has been replaced");
}

/// Flips a bit in the middle of every file.
fn damage(path: &Path) {
    for entry in fs::read_dir(path).expect("it is there") {
        let path = entry.expect("it is read").path();
        if path.is_dir() {
            damage(&path);
        } else {
            let mut bytes = fs::read(&path).expect("it is there");
            let middle = bytes.len() / 2;
            if let Some(byte) = bytes.get_mut(middle) {
                *byte ^= 1;
            }
            fs::write(&path, bytes).expect("it can be written");
        }
    }
}
