//! Walking: by links alone every event is met exactly once and in order, while others append.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::link::{Links, in_atom, in_eventstore_json, in_header, link};
use crate::support::{Reply, TestServer, check};

const ATOM: &str = "application/atom+xml";
const EVENTSTORE: &str = "application/vnd.eventstore.atom+json";
const EVENTS: &str = "application/vnd.eventstore.events+json";

fn start(page_size: &str) -> (tempfile::TempDir, TestServer) {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start_with(data.path(), &[("page_size", page_size)]);
    (data, server)
}

fn append(server: &TestServer, stream: &str, count: usize) {
    let body = format!("[{}]", vec![r#"{"eventType":"t"}"#; count].join(","));
    let reply = server.post(&format!("/streams/{stream}"), &[("Content-Type", EVENTS)], body.as_bytes());
    assert_eq!(reply.status, 201, "{}", reply.text());
}

#[track_caller]
fn get(server: &TestServer, url: &str, accept: &str) -> Reply {
    let path = url.strip_prefix(&format!("http://{}", server.address)).unwrap_or(url);
    let reply = server.get(path, &[("Accept", accept)]);
    check(&reply, path);
    reply
}

/// A page: its links and the numbers of its events, oldest first.
#[track_caller]
fn page(server: &TestServer, url: &str, accept: &str) -> (Links, Vec<u64>) {
    let reply = get(server, url, accept);
    assert_eq!(reply.status, 200, "{url} {}", reply.text());
    let number = |title: &String| title.split('@').next().and_then(|number| number.parse().ok()).expect("a number");
    match accept {
        ATOM => {
            let (links, titles) = in_atom(&reply);
            assert_eq!(links, in_header(&reply), "the header has the same links as the document");
            (links, titles.iter().rev().map(number).collect())
        }
        EVENTSTORE => {
            let (links, titles) = in_eventstore_json(&reply);
            (links, titles.iter().rev().map(number).collect())
        }
        _ => {
            let events = reply.json();
            let events = events.as_array().expect("an array").clone();
            let numbers = events.iter().map(|event| event["eventNumber"].as_u64().expect("a number")).collect();
            (in_header(&reply), numbers)
        }
    }
}

#[test]
fn previous_from_last_meets_every_event_once_and_in_order_while_others_append() {
    let (_data, server) = start("10");
    append(&server, "s", 3);
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..60 {
                append(&server, "s", 1 + round % 13);
                append(&server, "other", 1);
            }
            is_over.store(true, Ordering::SeqCst);
        });
        let walkers: Vec<_> = [ATOM, EVENTSTORE, EVENTS]
            .map(|accept| {
                let (server, is_over) = (&server, &is_over);
                scope.spawn(move || {
                    let (links, _) = page(server, "/streams/s", accept);
                    // EventStore's head has no `last` while one page holds everything.
                    let mut url = link(&links, "last").unwrap_or("/streams/s/0/forward/10").to_string();
                    let mut next = 0;
                    loop {
                        let was_over = is_over.load(Ordering::SeqCst);
                        let (links, numbers) = page(server, &url, accept);
                        for number in &numbers {
                            assert_eq!(*number, next, "nothing twice, nothing left out: {url}");
                            next += 1;
                        }
                        match link(&links, "previous") {
                            Some(previous) => url = previous.to_string(),
                            None if was_over => return next,
                            None => {}
                        }
                    }
                })
            })
            .into_iter()
            .collect();
        let head = 3 + (0..60).map(|round| 1 + round % 13).sum::<u64>();
        for walker in walkers {
            assert_eq!(walker.join().expect("it arrives"), head);
        }
    });
    server.assert_no_panic();
}

#[test]
fn next_from_anywhere_meets_every_older_event_once_and_in_order() {
    let (_data, server) = start("7");
    append(&server, "s", 100);
    for accept in [ATOM, EVENTSTORE, EVENTS] {
        for start in [
            "/streams/s",
            "/streams/s/head/backward/7",
            "/streams/s/99/backward/9",
            "/streams/s/50/forward/3",
            "/streams/s/77/backward/40",
            "/streams/s/100/forward/10",
        ] {
            let (mut links, mut numbers) = page(&server, start, accept);
            let mut below = numbers.first().copied().unwrap_or(100);
            let mut steps = 0;
            while let Some(next) = link(&links, "next").map(str::to_string) {
                (links, numbers) = page(&server, &next, accept);
                for number in numbers.iter().rev() {
                    below -= 1;
                    assert_eq!(*number, below, "{accept} from {start}: {next}");
                }
                append(&server, "s", 1);
                steps += 1;
                assert!(steps < 200, "the walk ends");
            }
            assert_eq!(below, 0, "{accept} from {start}");
        }
    }
}

#[test]
fn all_events_of_all_streams_are_walked_by_position() {
    let (_data, server) = start("5");
    for round in 0..20 {
        append(&server, "a", 1 + round % 2);
        append(&server, "b", 1);
    }
    let total = server.events();
    let mut positions = Vec::new();
    let (links, _) = page(&server, "/streams/$all", ATOM);
    let mut url = link(&links, "last").expect("a last page").to_string();
    loop {
        let reply = get(&server, &url, ATOM);
        let (links, _) = in_atom(&reply);
        let document = roxmltree::Document::parse(reply.text()).expect("XML");
        let mut found: Vec<u64> = document
            .descendants()
            .filter(|node| node.has_tag_name(("urn:everfeed:1", "event")))
            .map(|event| event.attribute("position").and_then(|text| text.parse().ok()).expect("a position"))
            .collect();
        found.reverse();
        positions.extend(found);
        match link(&links, "previous") {
            Some(previous) => url = previous.to_string(),
            None => break,
        }
    }
    assert_eq!(positions, (0..total).collect::<Vec<_>>());

    // EventStore's clients walk back from the head, in its own arithmetic.
    let mut titles = Vec::new();
    let mut url = "/streams/$all".to_string();
    loop {
        let (links, found) = in_eventstore_json(&get(&server, &url, EVENTSTORE));
        titles.extend(found);
        match link(&links, "next") {
            Some(next) => url = next.to_string(),
            None => break,
        }
        assert!(titles.len() <= total as usize, "the walk ends");
    }
    assert_eq!(titles.len(), total as usize);
    titles.sort();
    titles.dedup();
    assert_eq!(titles.len(), total as usize, "every event once");
}

#[test]
fn the_head_feed_holds_the_open_page_and_the_complete_one_before_it() {
    let (_data, server) = start("5");
    for total in 1..=23_u64 {
        append(&server, "s", 1);
        let (links, numbers) = page(&server, "/streams/s", ATOM);
        let first = (total - total % 5).saturating_sub(5);
        assert_eq!(numbers, (first..total).collect::<Vec<_>>());
        assert!(total < 5 || (5..10).contains(&numbers.len()), "S to 2S - 1");
        let base = format!("http://{}/streams/s", server.address);
        assert_eq!(link(&links, "self"), Some(format!("{base}?format=atom").as_str()));
        assert_eq!(link(&links, "previous"), Some(format!("{base}/{total}/forward/5.atom").as_str()));
        let next = first.checked_sub(5).map(|older| format!("{base}/{older}/forward/5.atom"));
        assert_eq!(link(&links, "next"), next.as_deref());
        assert_eq!(link(&links, "prev-archive"), next.as_deref());
    }
}

#[test]
fn a_page_never_crosses_its_grid() {
    let (_data, server) = start("100");
    append(&server, "s", 250);
    for (path, first, last) in [
        ("/streams/s/137/forward/100", 137, 199),
        ("/streams/s/136/backward/100", 100, 136),
        ("/streams/s/136/100", 100, 136),
        ("/streams/s/200/forward/100", 200, 249),
        ("/streams/s/head/backward/100", 200, 249),
        ("/streams/s/0/forward/4096", 0, 249),
        ("/streams/s/999/backward/4096", 0, 249),
        ("/streams/s/7/backward/1", 7, 7),
        ("/streams/s/7/forward/1", 7, 7),
    ] {
        let (_, numbers) = page(&server, path, ATOM);
        assert_eq!(numbers, (first..=last).collect::<Vec<_>>(), "{path}");
    }
}

#[test]
fn the_edges_of_a_stream() {
    let (_data, server) = start("5");
    append(&server, "s", 12);
    // Beyond the end forward there is but the page at the end, which has nothing newer.
    for path in ["/streams/s/12/forward/5", "/streams/s/13/forward/5", "/streams/s/9223372036854775807/forward/5"] {
        let (links, numbers) = page(&server, path, ATOM);
        assert_eq!(numbers, [0_u64; 0]);
        assert_eq!(
            link(&links, "self"),
            Some(format!("http://{}/streams/s/12/forward/5.atom", server.address).as_str())
        );
        assert_eq!(link(&links, "previous"), None);
        assert!(link(&links, "next").is_some());
    }
    // Backward from beyond the end: what there is of that page.
    let (_, numbers) = page(&server, "/streams/s/13/backward/5", ATOM);
    assert_eq!(numbers, [10, 11]);
    for path in [
        "/streams/none",
        "/streams/none/0",
        "/streams/none/0/forward/5",
        "/streams/none/head",
        "/streams/none/metadata",
    ] {
        for accept in [ATOM, EVENTSTORE] {
            let reply = server.get(path, &[("Accept", accept)]);
            check(&reply, path);
            assert_eq!(reply.status, 404, "{path} {accept}");
        }
    }
    let empty = tempfile::tempdir().expect("a directory");
    let fresh = TestServer::start(empty.path(), &[]);
    let reply = fresh.get("/streams/$all", &[]);
    check(&reply, "$all of an empty log");
    assert_eq!(reply.status, 404);
}

#[test]
fn complete_canonical_pages_are_archives() {
    let (_data, server) = start("5");
    append(&server, "s", 12);
    let is_archive = |path: &str| get(&server, path, ATOM).text().contains("http://purl.org/syndication/history/1.0");
    let archive = |path: &str| get(&server, path, ATOM).text().contains("archive/>");
    assert!(is_archive("/streams/s/0/forward/5") && archive("/streams/s/0/forward/5"));
    assert!(!archive("/streams/s/10/forward/5") && !archive("/streams/s"));
    let (links, _) = page(&server, "/streams/s/0/forward/5", ATOM);
    assert_eq!(link(&links, "prev-archive"), None);
    assert!(link(&links, "next-archive").is_some_and(|next| next.ends_with("/streams/s/5/forward/5.atom")));
    assert!(link(&links, "current").is_some());
    let (links, _) = page(&server, "/streams/s/5/forward/5", ATOM);
    assert!(link(&links, "prev-archive").is_some_and(|older| older.ends_with("/streams/s/0/forward/5.atom")));
}
