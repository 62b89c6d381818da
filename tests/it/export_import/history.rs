//! A server with a history that has everything in it, and all that a reader can see of one.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::byte_stability::{EVENTS, FEEDS, contents};
use crate::support::{Reply, TestServer, everfeed, request};

/// The name under which every server is asked, so that all have the same links.
const HOST: (&str, &str) = ("Host", "localhost:2113");

const STREAMS: [&str; 12] = [
    "orders-1",
    "orders-2",
    "kinds%2F%C3%A4",
    "counted",
    "cut",
    "reborn",
    "gone",
    "links",
    "%24%24counted",
    "%24%24reborn",
    "%24ce-orders",
    "%24et-Placed",
];

/// Chunks are small, so that some are sealed.
pub(super) fn serve(data: &Path) -> TestServer {
    let mut command = TestServer::command(data, &[]);
    command.env("EVERFEED_CHUNK_EVENTS", "16");
    TestServer::spawn(command).expect("it starts")
}

fn post(server: &TestServer, stream: &str, lines: &[Value]) {
    let body: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let reply =
        server.post(&format!("/streams/{stream}"), &[("Content-Type", "application/x-ndjson")], body.as_bytes());
    assert_eq!(reply.status, 201, "{}", reply.text());
}

fn numbered(events: u64) -> Vec<Value> {
    (0..events)
        .map(|n| json!({ "type": "Placed", "data": { "n": n }, "metadata": { "$correlationId": n % 3 } }))
        .collect()
}

fn set(server: &TestServer, stream: &str, settings: &Value) {
    let path = format!("/streams/{stream}/metadata");
    let reply = server.post(&path, &[("Content-Type", "application/json")], settings.to_string().as_bytes());
    assert_eq!(reply.status, 201, "{}", reply.text());
}

fn delete(server: &TestServer, stream: &str, headers: &[(&str, &str)]) {
    let reply = request(server.address, "DELETE", &format!("/streams/{stream}"), headers, b"");
    assert_eq!(reply.status, 204, "{}", reply.text());
}

/// All kinds of data, settings, truncation, deletions of both kinds, a stream in its second life, links, and rows whose
/// content was given back before and after what follows them.
pub(super) fn make(server: &TestServer) {
    for (event_type, media_type, data, metadata) in contents() {
        let metadata = metadata.map(|text| STANDARD.encode(text));
        let mut line = json!({ "type": event_type, "mediaType": media_type, "dataBase64": STANDARD.encode(&data) });
        if let Some(metadata) = metadata {
            line["metadataBase64"] = metadata.into();
        }
        post(server, "kinds%2F%C3%A4", &[line]);
    }
    for stream in ["orders-1", "orders-2", "counted", "cut", "reborn", "gone"] {
        post(server, stream, &numbered(25));
    }
    set(server, "counted", &json!({ "$maxCount": 4, "own": "kept" }));
    set(server, "cut", &json!({ "$tb": 7 }));
    delete(server, "reborn", &[]);
    delete(server, "gone", &[("ES-HardDelete", "true")]);
    let run = everfeed(&["scavenge", "--wait", "--server", &format!("http://{}", server.address)]).run();
    assert_eq!(run.code, 0, "{}", run.errors);
    post(server, "reborn", &numbered(5));
    post(server, "counted", &numbered(5));
    post(server, "links", &[json!({ "type": "$>", "mediaType": "text/plain", "data": "3@orders-1" })]);
    post(server, "orders-2", &numbered(3));
}

/// An answer, but for what no two answers have in common.
#[derive(Debug, PartialEq)]
struct Seen {
    asked: String,
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

/// Everything that a reader can see: each answer whole.
fn seen(server: &TestServer) -> Vec<Seen> {
    let mut addresses = Vec::new();
    for stream in STREAMS.iter().chain(&["%24all"]) {
        for (query, accept) in FEEDS {
            addresses.push((format!("/streams/{stream}{}", query.trim_start_matches(".atom")), accept));
            for first in (0..220).step_by(10).take(if *stream == "%24all" { 22 } else { 4 }) {
                addresses.push((format!("/streams/{stream}/{first}/forward/10{query}"), accept));
            }
        }
        for (query, accept) in EVENTS {
            addresses.extend([0, 3, 8, 24].map(|number| (format!("/streams/{stream}/{number}{query}"), accept)));
        }
    }
    let ask = |(path, accept): (String, &str)| {
        let Reply { status, mut headers, body, .. } = server.get(&path, &[HOST, ("Accept", accept)]);
        // A problem names its request.
        headers.retain(|(name, _)| name != "date" && (status == 200 || name != "content-length"));
        let body = if status == 200 { String::from_utf8_lossy(&body).into_owned() } else { String::new() };
        Seen { asked: format!("{path} as {accept}"), status, headers, body }
    };
    addresses.into_iter().map(ask).collect()
}

/// Both show the same, tags included.
#[track_caller]
pub(super) fn check_same(here: &TestServer, there: &TestServer) {
    assert_eq!(here.get("/info", &[]).json(), there.get("/info", &[]).json());
    let (here, there) = (seen(here), seen(there));
    assert!(here.iter().filter(|seen| seen.status == 200).count() > 500, "there is something to compare");
    for (here, there) in here.into_iter().zip(there) {
        assert!(here == there, "{here:#?}\nis not\n{there:#?}");
    }
}
