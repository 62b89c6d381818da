//! EventStoreDB's own documents, as it serves them, with what only it has: positions of 32 digits, streams of its own,
//! numbers that were scavenged, tombstones, links, events before the settings that bring their stream back.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;

use serde_json::{Value, json};

use super::check_done;
use super::eventstore::{take_over, told};
use crate::support::TestServer;
use crate::support::store::check_sound;

const TOMBSTONE: u64 = i64::MAX as u64;
/// `admin:changeit`
const AUTHORIZATION: &str = "Basic YWRtaW46Y2hhbmdlaXQ=";

/// What a recorded server answers, by path. Whoever is nobody is told so, as since version 23.6.
struct Recorded {
    address: SocketAddr,
}

impl Recorded {
    fn serve(documents: impl FnOnce(&str) -> HashMap<String, (&'static str, Vec<u8>)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let documents = Arc::new(documents(&format!("http://{address}")));
        thread::spawn(move || {
            for mut socket in listener.incoming().map_while(Result::ok) {
                let documents = documents.clone();
                thread::spawn(move || {
                    let mut lines = BufReader::new(socket.try_clone().expect("it is open")).lines();
                    let request = lines.next().and_then(Result::ok).unwrap_or_default();
                    let head: Vec<String> = lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
                    let target = request.split(' ').nth(1).unwrap_or_default();
                    let path = target.split('?').next().unwrap_or_default();
                    let is_known = head.iter().any(|line| {
                        line.to_ascii_lowercase().starts_with("authorization:") && line.ends_with(AUTHORIZATION)
                    });
                    let (status, media_type, body) = match documents.get(path) {
                        _ if !is_known => ("401 Unauthorized", "text/plain", b"".as_slice()),
                        Some((media_type, body)) => ("200 OK", *media_type, &body[..]),
                        None => ("404 Not Found", "text/plain", b"".as_slice()),
                    };
                    let length = body.len();
                    let head = format!(
                        "HTTP/1.1 {status}\r\nContent-Type: {media_type}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
                    );
                    let _ = socket.write_all(&[head.as_bytes(), body].concat());
                    let _ = socket.read(&mut [0; 1]);
                });
            }
        });
        Self { address }
    }
}

/// An event, as an entry with `embed=body` shows it.
struct Entry {
    stream: &'static str,
    number: u64,
    id: u128,
    event_type: &'static str,
    /// None if they are not JSON: then they are not shown.
    data: Option<&'static str>,
    minute: u32,
}

impl Entry {
    fn json(&self, base: &str) -> Value {
        let Self { stream, number, id, event_type, data, minute } = self;
        let url = format!("{base}/streams/{}/{number}", stream.replace('$', "%24"));
        let id = uuid::Uuid::from_u128(*id);
        json!({
            "title": format!("{number}@{stream}"), "id": url, "updated": format!("2019-05-01T10:{minute:02}:00.1234567Z"),
            "author": { "name": "EventStore" }, "summary": event_type, "retryCount": null, "content": null,
            "eventId": id, "eventType": event_type, "eventNumber": number, "data": data, "metaData": null,
            "linkMetaData": null, "streamId": stream, "isJson": data.is_some(), "isMetaData": false,
            "isLinkMetaData": false, "positionEventNumber": number, "positionStreamId": stream,
            "links": [{ "uri": url, "relation": "edit", "type": null }, { "uri": url, "relation": "alternate", "type": null }],
        })
    }
}

/// A page, newest first, with these links.
fn page(base: &str, stream: Option<&str>, entries: &[Value], links: &[(&str, String)]) -> (&'static str, Vec<u8>) {
    let entries: Vec<&Value> = entries.iter().rev().collect();
    let links: Vec<Value> =
        links.iter().map(|(relation, uri)| json!({ "uri": uri, "relation": relation, "type": null })).collect();
    let id = format!("{base}/streams/{}", stream.unwrap_or("$all").replace('$', "%24"));
    let feed = json!({
        "title": "All events", "id": id, "updated": "2019-05-01T10:00:00Z", "streamId": stream,
        "author": { "name": "EventStore" }, "headOfStream": false, "selfUrl": null, "eTag": null,
        "links": links, "entries": entries,
    });
    ("application/vnd.eventstore.atom+json; charset=utf-8", feed.to_string().into_bytes())
}

/// A feed of several pages, from the oldest one on.
fn feed(base: &str, stream: Option<&str>, pages: &[Vec<Value>]) -> HashMap<String, (&'static str, Vec<u8>)> {
    let path = format!("/streams/{}", stream.unwrap_or("$all").replace('$', "%24"));
    let place = |index: usize| match stream {
        None => format!("{path}/{0:016X}{0:016X}/forward/20", index * 0xABC0),
        Some(_) => format!("{path}/{}/forward/20", index * 20),
    };
    let mut documents = HashMap::new();
    for (index, entries) in pages.iter().enumerate() {
        let newer = ("previous", format!("{base}{}", place(index + 1)));
        documents.insert(place(index), page(base, stream, entries, &[newer]));
    }
    documents.insert(place(pages.len()), page(base, stream, &[], &[]));
    let links = [("last", format!("{base}{}", place(0))), ("previous", format!("{base}{}", place(pages.len())))];
    documents.insert(path, page(base, stream, pages.last().map_or(&[], |page| page), &links));
    documents
}

fn all(base: &str) -> HashMap<String, (&'static str, Vec<u8>)> {
    let entry = |stream, number, id, event_type, data, minute| {
        Entry { stream, number, id, event_type, data, minute }.json(base)
    };
    let mut documents = feed(
        base,
        None,
        &[
            vec![
                entry("$stats-0.0.0.0:2113", 0, 1, "$statsCollected", Some("{}"), 0),
                entry("$users", 0, 2, "$UserCreated", Some("{}"), 0),
                // Scavenged up to number 5; and its data are not laid out as anybody else would.
                entry("orders", 5, 3, "Placed", Some("{ \"total\":\t12.50 }"), 1),
                entry("$ce-orders", 0, 4, "$>", None, 1),
                entry("$$orders", 0, 5, "$metadata", Some("{\"$maxCount\":100,\"own\":[1]}"), 2),
                entry("orders", 6, 6, "Placed", Some("[1]"), 1),
            ],
            vec![
                entry("pictures", 0, 7, "Taken", None, 3),
                entry("picks", 0, 8, "$>", None, 3),
                entry("picks", 1, 9, "$>", None, 3),
                entry("broken", 0, 10, "Sent", Some("{no json"), 3),
                // A stream that is deleted, and written to before the settings that bring it back.
                entry("reborn", 0, 11, "First", Some("1"), 4),
                entry("$$reborn", 0, 12, "$metadata", Some("{\"$tb\":9223372036854775807}"), 4),
                entry("reborn", 1, 13, "Again", Some("2"), 5),
                entry("reborn", 2, 14, "Again", Some("3"), 5),
                entry("$$reborn", 1, 15, "$metadata", Some("{\"$tb\":1}"), 5),
                // Deleted for ever, and all else of it scavenged.
                entry("gone", TOMBSTONE, 16, "$streamDeleted", None, 6),
            ],
        ],
    );
    documents.insert("/streams/pictures/0".into(), ("application/octet-stream", vec![0xFF, 0, 1]));
    documents.insert("/streams/picks/0".into(), ("application/octet-stream", b"{ \"total\":\t12.50 }".to_vec()));
    // What a link leads to, in its own stream: with its target, and without.
    let mut link = entry("orders", 5, 3, "Placed", Some("{ \"total\":\t12.50 }"), 3);
    link["positionEventNumber"] = json!(0);
    link["positionStreamId"] = json!("picks");
    documents.insert("/streams/picks/0/forward/1".into(), page(base, Some("picks"), std::slice::from_ref(&link), &[]));
    let dangling = json!({
        "title": "1@orders", "id": format!("{base}/streams/orders/1"), "updated": "2019-05-01T10:03:00Z",
        "author": { "name": "EventStore" }, "summary": "$>",
        "links": [{ "uri": format!("{base}/streams/orders/1"), "relation": "alternate" }],
    });
    documents
        .insert("/streams/picks/1/forward/1".into(), page(base, Some("picks"), std::slice::from_ref(&dangling), &[]));
    documents.extend(feed(base, Some("picks"), &[vec![link, dangling]]));
    documents
}

fn texts(lines: &[Value], member: &str) -> Vec<String> {
    lines.iter().map(|line| line[member].as_str().unwrap_or_default().to_string()).collect()
}

#[test]
fn what_eventstore_serves_becomes_a_log_with_its_numbers() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name);
    let source = Recorded::serve(all);
    let url = format!("http://{}", source.address);
    let nobody = take_over(&url, &path("copy"), &[]);
    assert_eq!(nobody.code, 1);
    assert!(nobody.errors.contains("/streams/%24all: 401"), "{}", nobody.errors);
    std::fs::write(path("user"), "admin:changeit\n").expect("written");
    let user = format!("@{}", path("user").display());
    let run = take_over(&url, &path("copy"), &["--user", &user]);
    check_done(&run);
    for remark in [
        "everfeed: 1 events of statistics left out",
        "everfeed: 1 links of system projections left out",
        "everfeed: 1 events of other streams of the system left out",
        "everfeed: 5 numbers whose events the source has no more",
        "everfeed: 1 events whose data are not the JSON that they are said to be",
        "everfeed: 18 events imported",
    ] {
        assert!(run.errors.contains(remark), "{remark}: {}", run.errors);
    }
    check_sound(&path("copy"));
    let copy = TestServer::start(&path("copy"), &[]);

    let orders = told(&copy, "orders");
    assert_eq!(orders.len(), 7);
    assert_eq!(texts(&orders, "type"), ["$lost", "$lost", "$lost", "$lost", "$lost", "Placed", "Placed"]);
    assert_eq!(copy.get("/streams/orders/5/data", &[]).text(), "{ \"total\":\t12.50 }");
    assert_eq!(orders[5]["id"], "00000000-0000-0000-0000-000000000003");
    assert_eq!(orders[5]["time"], "2019-05-01T10:01:00.123456Z");
    // Its own time is before that of the event before it in the log.
    assert_eq!(orders[6]["time"], "2019-05-01T10:02:00.123456Z");
    assert_eq!(told(&copy, "%24%24orders")[0]["data"], json!({ "$maxCount": 100, "own": [1] }));

    assert_eq!(copy.get("/streams/pictures/0/data", &[]).body, [0xFF, 0, 1]);
    assert_eq!(texts(&told(&copy, "picks"), "type"), ["$>", "$>"]);
    assert_eq!(copy.get("/streams/picks/0/data", &[]).text(), "5@orders");
    assert_eq!(copy.get("/streams/picks/1/data", &[]).text(), "1@orders");
    let broken = copy.get("/streams/broken/0/data", &[]);
    assert_eq!((broken.text(), broken.header("content-type")), ("{no json", Some("application/octet-stream")));

    let reborn = told(&copy, "reborn");
    assert_eq!(texts(&reborn, "type"), ["Again", "Again"], "those of its second life");
    assert_eq!(copy.get("/streams/reborn/1/data", &[]).text(), "2");
    assert_eq!(copy.get("/streams/gone", &[]).status, 410);
    let all = told(&copy, "%24all");
    assert_eq!(texts(&all, "type").last().map(String::as_str), Some("$streamDeleted"));
    assert_eq!(all.last().expect("a row")["number"], 0);
}

#[test]
fn a_stream_whose_links_the_source_always_resolves_holds_the_links() {
    let dir = tempfile::tempdir().expect("a directory");
    let source = Recorded::serve(all);
    let url = format!("http://{}", source.address);
    let data = dir.path().join("copy");
    let text = data.to_str().expect("UTF-8").to_string();
    let arguments = ["import", "--from-eventstore", &url, "--data", &text, "--stream", "picks"];
    let run = crate::support::everfeed(&arguments).set("EVERFEED_USER", "admin").run();
    assert_eq!(run.code, 2);
    assert!(run.errors.contains("only at a terminal the password is asked for"), "{}", run.errors);
    check_done(&crate::support::everfeed(&arguments).set("EVERFEED_USER", "admin:changeit").run());
    check_sound(&data);
    let copy = TestServer::start(&data, &[]);
    assert_eq!(texts(&told(&copy, "picks"), "type"), ["$>", "$>"]);
    assert_eq!(copy.get("/streams/picks/0/data", &[]).text(), "5@orders");
    assert_eq!(copy.get("/streams/picks/1/data", &[]).text(), "1@orders");
}
