//! Whether two servers answer alike: every page of every stream in every representation, single events, settings, and
//! what is not there.

use std::collections::BTreeSet;
use std::thread;

use serde_json::Value;

use crate::support::{Reply, TestServer};

/// The numbers that one page of a stream holds; of the log a page has fewer, so that it has many.
const PAGE: u64 = 10;

const FEED_FORMS: &[(&str, &str)] = &[
    (".atom", ""),
    (".ndjson", ""),
    ("", "application/json"),
    ("?embed=body", "application/vnd.eventstore.atom+json"),
    ("?embed=rich", "application/vnd.eventstore.atom+json"),
    ("", "application/vnd.eventstore.events+json"),
    ("", "application/cloudevents-batch+json"),
    ("?embed=none", "application/atom+xml"),
];

const EVENT_FORMS: &[(&str, &str)] = &[
    (".atom", ""),
    ("", "application/json"),
    ("", "application/vnd.eventstore.atom+json"),
    ("", "application/vnd.eventstore.event+json"),
    ("", "text/xml"),
    ("", "application/cloudevents+json"),
    ("/data", ""),
];

/// The names of all streams there are, as the log has them, and of those that are kept by reference.
fn streams(server: &TestServer) -> BTreeSet<String> {
    let mut names = BTreeSet::from(["$all", "$streams", "$ce-order", "$et-Placed", "$bc-c", "none"].map(String::from));
    let mut position = 0;
    while position < server.events() {
        let page = server.get(&format!("/streams/$all/{position}/forward/100.ndjson"), &[]);
        for line in page.text().lines() {
            let row: Value = serde_json::from_str(line).expect("a row");
            names.insert(row["stream"].as_str().expect("a name").to_string());
        }
        position += 100;
    }
    names
}

/// What to ask for: a path, and what to accept.
fn questions(server: &TestServer) -> Vec<(String, String)> {
    let mut asked = Vec::new();
    let events = server.events();
    for stream in streams(server) {
        let path = format!("/streams/{}", stream.replace('/', "%2F").replace(' ', "%20"));
        let mut ask = |path: String, accept: &str| asked.push((path, accept.to_string()));
        let last = if stream == "$all" { events } else { 4 * PAGE };
        for (suffix, accept) in FEED_FORMS {
            for first in (0..last).step_by(PAGE as usize) {
                ask(format!("{path}/{first}/forward/{PAGE}{suffix}"), accept);
            }
            ask(format!("{path}/head/backward/{PAGE}{suffix}"), accept);
        }
        for (suffix, accept) in EVENT_FORMS {
            for number in [0, 4, 11, last - 1] {
                ask(format!("{path}/{number}{suffix}"), accept);
            }
        }
        ask(path.clone(), "application/atom+xml");
        ask(path.clone(), "application/vnd.eventstore.atom+json");
        ask(format!("{path}/metadata"), "application/json");
        ask(format!("{path}/categories"), "");
    }
    asked
}

/// Every answer, with what differs from run to run taken out, and what may differ besides.
fn answers(server: &TestServer, questions: &[(String, String)], but_for: fn(&mut Reply)) -> Vec<Reply> {
    let ask = |(path, accept): &(String, String)| {
        let accept = if accept.is_empty() { "*/*" } else { accept };
        let mut reply = server.get(path, &[("Host", "localhost"), ("Accept", accept)]);
        reply.headers.retain(|(name, _)| !matches!(name.as_str(), "date" | "content-length"));
        if reply.status >= 400 {
            let mut problem = reply.json();
            problem.as_object_mut().expect("an object").remove("requestId");
            reply.body = problem.to_string().into_bytes();
        }
        but_for(&mut reply);
        reply
    };
    questions.iter().map(ask).collect()
}

/// Asks both for everything. Neither may be written to meanwhile.
#[track_caller]
pub(crate) fn check_same(source: &TestServer, mirror: &TestServer) {
    let (complete, deleted) = check_same_but(source, mirror, |_| ());
    assert!(complete > 50 && deleted > 50, "too little of either kind was looked at");
}

/// The same, where something in the answers may differ. How many of them are for ever, and how many of what is not there.
#[track_caller]
pub(crate) fn check_same_but(source: &TestServer, mirror: &TestServer, but_for: fn(&mut Reply)) -> (usize, usize) {
    let questions = questions(source);
    let (there, here) = thread::scope(|scope| {
        let there = scope.spawn(|| answers(source, &questions, but_for));
        let here = answers(mirror, &questions, but_for);
        (there.join().expect("it asks"), here)
    });
    let mut complete = 0;
    for ((question, there), here) in questions.iter().zip(&there).zip(&here) {
        assert_eq!((here.status, &here.headers), (there.status, &there.headers), "{question:?}");
        assert!(here.body == there.body, "{question:?}:\n{}\n{}", here.text(), there.text());
        complete += usize::from(here.header("cache-control").is_some_and(|value| value.contains("31536000")));
    }
    let deleted = here.iter().filter(|reply| matches!(reply.status, 404 | 410)).count();
    println!("{} answers are the same, {complete} of them for ever, {deleted} of what is not there", here.len());
    (complete, deleted)
}
