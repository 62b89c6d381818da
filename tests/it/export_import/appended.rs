//! Into a running server: events are appended under their own ids, so that a repeat changes nothing.

use std::path::Path;

use super::history::{make, serve};
use super::{check_done, export};
use crate::support::{Run, TestServer, everfeed};

fn append(file: &Path, server: &TestServer, more: &[&str]) -> Run {
    let url = format!("http://{}", server.address);
    everfeed(&[&["import", file.to_str().expect("UTF-8"), "--server", &url], more].concat()).run()
}

/// Ids, types and data of a stream, without their places.
fn told(server: &TestServer, stream: &str) -> Vec<serde_json::Value> {
    let page = server.get(&format!("/streams/{stream}/0/forward/1000.ndjson"), &[]);
    assert_eq!(page.status, 200, "{}", page.text());
    let lines = page.text().lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
    lines
        .map(|mut line| {
            for place in ["stream", "number", "position", "place", "time"] {
                line.as_object_mut().expect("an object").remove(place);
            }
            line
        })
        .collect()
}

#[test]
fn one_stream_is_appended_elsewhere_once_however_often_that_is_asked() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name);
    let source = serve(&path("source"));
    make(&source);
    check_done(&export(&source, &path("kinds"), &["--stream", "kinds/ä"]));
    let refused = super::import(&path("kinds"), &path("copy"), &[]);
    assert_eq!(refused.code, 2);
    assert!(refused.errors.contains("holds the stream `kinds/ä` alone"), "{}", refused.errors);
    assert!(!path("copy").exists());

    let other = TestServer::start(&path("other"), &[]);
    assert_eq!(other.post("/streams/before", &[("Content-Type", "text/plain")], b"there").status, 201);
    let run = append(&path("kinds"), &other, &[]);
    check_done(&run);
    assert_eq!(run.errors, "everfeed: 12 events appended, 0 were there already\n");
    assert_eq!(append(&path("kinds"), &other, &[]).errors, "everfeed: 0 events appended, 12 were there already\n");
    assert_eq!(told(&other, "kinds%2F%C3%A4"), told(&source, "kinds%2F%C3%A4"));
    check_done(&append(&path("kinds"), &other, &["--stream", "under another name"]));
    assert_eq!(told(&other, "under%20another%20name"), told(&source, "kinds%2F%C3%A4"));
}

#[test]
fn a_history_is_merged_into_a_server_without_what_belonged_to_the_other_one() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name);
    let source = serve(&path("source"));
    make(&source);
    check_done(&export(&source, &path("log.zst"), &[]));
    let other = TestServer::start(&path("other"), &[]);
    // Some of it is there, by other batches.
    check_done(&export(&source, &path("orders"), &["--stream", "orders-2", "--from", "20"]));
    let run = append(&path("orders"), &other, &[]);
    assert_eq!(run.errors, "everfeed: 8 events appended, 0 were there already\n");
    let left_out = "left out: 4 in streams of the system; left out: 1 that deleted their stream; left out: 83 without \
                    content";
    for counts in ["85 events appended, 8 were there already", "0 events appended, 93 were there already"] {
        let run = append(&path("log.zst"), &other, &[]);
        check_done(&run);
        assert_eq!(run.errors, format!("everfeed: {counts}; {left_out}\n"));
    }
    let mut orders = told(&source, "orders-2");
    orders.rotate_left(20);
    assert_eq!(told(&other, "orders-2"), orders, "those that had come first are first");
    for stream in ["orders-1", "kinds%2F%C3%A4", "links"] {
        assert_eq!(told(&other, stream), told(&source, stream));
    }
}
