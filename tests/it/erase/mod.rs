//! `everfeed erase`: what one event carried is unreadable at once, in every form; its row stays.

mod compact;
mod rights;

use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::byte_stability::{EVENTS, FEEDS};
use crate::support::listener::Listener;
use crate::support::store::check_sound;
use crate::support::{PATIENCE, Reply, TestServer, check, everfeed, request};

const LINES: (&str, &str) = ("Content-Type", "application/x-ndjson");
const EVENTS_IN_STREAM: u64 = 25;
const ERASED: u64 = 13;

/// Small chunks: some of the events are in one, some in the tail.
fn start(data: &Path) -> TestServer {
    let settings =
        ["--public-url", "http://feeds.example", "--set", "page_size=10", "--set", "derived.correlation=true"];
    let mut command = TestServer::command(data, &settings);
    command.env("EVERFEED_CHUNK_EVENTS", "4");
    TestServer::spawn(command).unwrap_or_else(|log| panic!("{log:#?}"))
}

/// What an event carries, and nothing else does.
fn data(number: u64) -> String {
    format!("{{\"card\":\"{}\"}}", secret(number))
}

fn secret(number: u64) -> String {
    format!("{:016x}", (number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

fn fill(server: &TestServer) {
    for number in 0..EVENTS_IN_STREAM {
        let event = json!({
            "type": "Paid", "metadata": { "$correlationId": "c", "told": secret(number + 1_000) },
            "data": { "card": secret(number) },
        });
        let reply = server.post("/streams/order-1", &[LINES], format!("{event}\n").as_bytes());
        assert_eq!(reply.status, 201, "{}", reply.text());
    }
}

fn erase(server: &TestServer, path: &str) -> Reply {
    request(server.address, "DELETE", path, &[], b"")
}

/// Whether a document shows what the event carried, in any spelling.
fn shows(document: &[u8], number: u64) -> bool {
    let base64 = STANDARD.encode(data(number));
    [secret(number), secret(number + 1_000), base64]
        .iter()
        .any(|text| memchr::memmem::find(document, text.as_bytes()).is_some())
}

/// Every document that may show the event: pages of every source on the grid and off it, heads, and itself.
fn documents() -> Vec<(String, &'static str)> {
    let sources = ["order-1", "%24all", "%24ce-order", "%24et-Paid", "%24bc-c"];
    let mut documents = Vec::new();
    for source in sources {
        let pages = ["10/forward/10", "12/forward/20", "20/backward/20", "0/forward/4096"];
        for page in pages {
            documents.extend(FEEDS.map(|(form, accept)| (format!("/streams/{source}/{page}{form}"), accept)));
        }
        let heads = FEEDS.into_iter().filter(|(form, _)| !form.starts_with('.'));
        documents.extend(heads.map(|(form, accept)| (format!("/streams/{source}{form}"), accept)));
        documents.extend(EVENTS.map(|(form, accept)| (format!("/streams/{source}/{ERASED}{form}"), accept)));
    }
    documents
}

/// Derived streams are built anew in the background after a repair.
fn wait_until_built(server: &TestServer) {
    let started = Instant::now();
    while ["$ce-order", "$et-Paid", "$bc-c"]
        .iter()
        .any(|name| server.get(&format!("/streams/{name}"), &[]).status != 200)
    {
        assert!(started.elapsed() < PATIENCE, "derived streams are built");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn read(server: &TestServer, (path, accept): &(String, &str)) -> Reply {
    let reply = server.get(path, &[("Accept", accept), ("Accept-Encoding", "identity")]);
    check(&reply, path);
    reply
}

#[test]
fn what_is_erased_is_unreadable_at_once_in_every_form_and_stays_so() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = start(dir.path());
    fill(&server);
    let documents = documents();
    let before: Vec<Reply> = documents.iter().map(|document| read(&server, document)).collect();
    let shown: Vec<usize> = (0..before.len()).filter(|index| shows(&before[*index].body, ERASED)).collect();
    assert!(shown.len() > before.len() / 2, "{} of {}", shown.len(), before.len());

    let erased = erase(&server, &format!("/streams/order-1/{ERASED}"));
    assert_eq!(erased.status, 200, "{}", erased.text());
    let answer = erased.json();
    assert_eq!(
        (&answer["stream"], &answer["number"], &answer["already"]),
        (&json!("order-1"), &json!(ERASED), &json!(false))
    );
    let after: Vec<Reply> = documents.iter().map(|document| read(&server, document)).collect();
    for index in 0..documents.len() {
        assert!(!shows(&after[index].body, ERASED), "{:?}: {}", documents[index], after[index].text());
        for other in (0..EVENTS_IN_STREAM).filter(|other| *other != ERASED) {
            // The head of the log moves on: the erasure is an event of its own.
            if documents[index].0.split('?').next() != Some("/streams/%24all") {
                let (before, after) = (&before[index].body, &after[index].body);
                assert_eq!(shows(after, other), shows(before, other), "{:?}", documents[index]);
            }
        }
    }
    for index in shown {
        let (path, accept) = &documents[index];
        let tag = before[index].header("etag").expect("a tag");
        assert_ne!(after[index].header("etag"), Some(tag), "{path} {accept}");
        let conditional = server.get(path, &[("Accept", accept), ("If-None-Match", tag)]);
        assert_ne!(conditional.status, 304, "{path} {accept}: nobody is told that it is as before");
    }

    let mut listener = Listener::open(server.address, "/streams/order-1?last-event-id=-1", &[]);
    let heard = listener.take(EVENTS_IN_STREAM as usize);
    assert!(heard.iter().all(|message| !shows(message.data.as_bytes(), ERASED)));
    assert!(heard[ERASED as usize].data.contains("\"removed\":true"), "{:?}", heard[ERASED as usize]);

    // The same after a kill, after a repair, and when what says so is in a chunk.
    server.kill();
    let server = start(dir.path());
    let same = |server: &TestServer, what: &str| {
        for (document, after) in documents.iter().zip(&after) {
            let now = read(server, document);
            assert_eq!((now.status, now.header("etag")), (after.status, after.header("etag")), "{what}: {document:?}");
            // A problem tells the id of its request.
            assert!(now.status == 404 || now.body == after.body, "{what}: {document:?}: {}", now.text());
        }
    };
    same(&server, "after a kill");
    assert_eq!(server.stop(), Some(0));
    check_sound(dir.path());
    let (export, imported) = (dir.path().join("export"), dir.path().join("imported"));
    let text = |path: &Path| path.to_str().expect("a path").to_string();
    let run = everfeed(&["export", &text(&export), "--data", &text(dir.path())]).run();
    assert_eq!(run.code, 0, "{}", run.errors);
    let run = everfeed(&["import", &text(&export), "--data", &text(&imported)]).run();
    assert_eq!(run.code, 0, "{}", run.errors);
    check_sound(&imported);
    let repaired = dir.path().join("repaired");
    let report = everfeed::store::repair(dir.path(), &repaired, &mut |_, _| {}).expect("it is repaired");
    assert!(report.lost.is_empty(), "{report}");
    check_sound(&repaired);
    let server = start(&repaired);
    wait_until_built(&server);
    same(&server, "after a repair");
    assert_eq!(server.stop(), Some(0));
    // An import is a history of its own, with tags of its own.
    let server = start(&imported);
    wait_until_built(&server);
    for (document, after) in documents.iter().zip(&after) {
        let now = read(&server, document);
        assert!(now.status == after.status && !shows(&now.body, ERASED), "{document:?}: {}", now.text());
    }
    assert_eq!(server.stop(), Some(0));
    let server = start(dir.path());
    let filling = json!({ "type": "Paid", "data": 1 }).to_string() + "\n";
    assert_eq!(server.post("/streams/later", &[LINES], filling.repeat(20).as_bytes()).status, 201);
    let compacted = everfeed(&["compact", "--server", &format!("http://{}", server.address)]).run();
    assert_eq!(compacted.code, 0, "{}", compacted.errors);
    assert_eq!(server.get(&format!("/streams/order-1/{ERASED}"), &[]).status, 404);
    assert_eq!(server.stop(), Some(0));
    check_sound(dir.path());
    let server = start(dir.path());
    for document in documents.iter().filter(|(path, _)| path.starts_with("/streams/order-1/")) {
        assert!(!shows(&read(&server, document).body, ERASED), "{document:?}");
    }
}

#[test]
fn the_row_stays_and_a_page_says_itself_that_an_event_of_it_is_gone() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = start(dir.path());
    fill(&server);
    let before = server.get("/streams/order-1/10/forward/10.atom", &[]);
    let next_page = server.get("/streams/order-1/0/forward/10.atom", &[]);
    assert_eq!(erase(&server, &format!("/streams/order-1/{ERASED}")).status, 200);
    let page = server.get("/streams/order-1/10/forward/10.atom", &[]);
    assert_eq!(page.text().matches("<entry>").count(), 9);
    let tombstone = page.text().split_once("<at:deleted-entry ").expect("RFC 6721").1.split_once("</at:deleted-entry>");
    assert!(tombstone.is_some_and(|(entry, _)| entry.contains(&format!("number=\"{ERASED}\""))), "{}", page.text());
    assert_eq!(page.header("cache-control"), before.header("cache-control"), "it is complete, and stays as it is now");
    assert_eq!(page.header("last-modified"), None, "its date would hide that something is gone");
    let untouched = server.get("/streams/order-1/0/forward/10.atom", &[]);
    assert_eq!((untouched.header("etag"), &untouched.body), (next_page.header("etag"), &next_page.body));

    let entries = server.get("/streams/order-1/10/forward/10", &[("Accept", "application/vnd.eventstore.atom+json")]);
    assert_eq!(entries.json()["entries"].as_array().map(Vec::len), Some(10), "numbers never close up");
    let lines = server.get("/streams/order-1/10/forward/10.ndjson", &[]);
    let line: Value = serde_json::from_str(lines.text().lines().nth(3).expect("a line")).expect("JSON");
    assert_eq!(
        (&line["number"], &line["removed"], &line["correlationId"]),
        (&json!(ERASED), &json!(true), &json!("c"))
    );
    assert_eq!(line["data"], Value::Null);
    for path in ["", "/data", ".atom", ".json"] {
        let gone = server.get(&format!("/streams/order-1/{ERASED}{path}"), &[]);
        assert_eq!(gone.status, 404, "{path}");
        assert!(gone.text().contains("event-removed"), "{path}: {}", gone.text());
    }
    let told = server.get("/streams/%24erasures/0/data", &[]);
    assert_eq!(told.json(), json!({ "stream": "order-1", "number": ERASED }), "it is on record");
    // A repeat of the append is still known as one.
    let id = line["id"].as_str().expect("an id");
    let again = server.post(
        "/streams/order-1",
        &[("Content-Type", "application/json"), ("ES-EventType", "Paid"), ("ES-EventId", id)],
        data(ERASED).as_bytes(),
    );
    assert_eq!((again.status, again.header("everfeed-repeat")), (201, Some("true")), "{}", again.text());
}

#[test]
fn the_newest_event_can_be_erased_and_a_producer_that_knew_its_tag_goes_on() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = start(dir.path());
    fill(&server);
    let newest = EVENTS_IN_STREAM - 1;
    assert_eq!(erase(&server, &format!("/streams/order-1/{newest}")).status, 200);
    assert_eq!(server.get("/streams/order-1/head", &[]).status, 404);
    for accept in ["application/atom+xml", "application/vnd.eventstore.atom+json"] {
        let head = server.get("/streams/order-1", &[("Accept", accept)]);
        let tag = head.header("etag").expect("a tag").to_string();
        let json = [("Content-Type", "application/json"), ("ES-EventType", "t"), ("If-Match", tag.as_str())];
        assert_eq!(server.post("/streams/order-1", &json, b"{}").status, 201, "{accept}");
        assert_eq!(server.post("/streams/order-1", &json, b"{}").status, 412, "{accept}");
    }
}

#[test]
fn to_erase_again_changes_nothing_and_what_cannot_be_erased_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = start(dir.path());
    fill(&server);
    assert_eq!(erase(&server, "/streams/order-1/3").json()["already"], json!(false));
    let events = server.events();
    assert_eq!(erase(&server, "/streams/order-1/3").json()["already"], json!(true));
    let settings = json!({ "$tb": 2 }).to_string();
    let set = server.post("/streams/order-1/metadata", &[("Content-Type", "application/json")], settings.as_bytes());
    assert_eq!(set.status, 201);
    assert_eq!(erase(&server, "/streams/order-1/1").json()["already"], json!(true), "it was truncated");
    assert_eq!(server.events(), events + 1, "nothing was written");

    let refused = |path: &str| {
        let reply = erase(&server, path);
        check(&reply, path);
        let kind = reply.json()["type"].as_str().and_then(|kind| kind.rsplit('/').next()).expect("a type").to_string();
        (reply.status, kind, reply.json())
    };
    assert_eq!(refused("/streams/order-1/25").0, 404);
    assert_eq!(refused("/streams/order-1/25").1, "event-not-found");
    assert_eq!(refused("/streams/nowhere/0").1, "stream-not-found");
    assert_eq!(refused("/streams/order-1/head").1, "invalid-address");
    assert_eq!(refused("/streams/%24%24order-1/0").1, "reserved-stream");
    assert_eq!(refused("/streams/%24erasures/0").1, "reserved-stream");
    let (status, kind, problem) = refused("/streams/%24ce-order/7");
    assert_eq!((status, kind.as_str()), (403, "reserved-stream"));
    assert_eq!(
        (&problem["stream"], &problem["number"], &problem["url"]),
        (&json!("order-1"), &json!(7), &json!("http://feeds.example/streams/order-1/7"))
    );
    assert_eq!(refused("/streams/%24all/26").1, "reserved-stream", "the erasure itself");
    assert_eq!(refused("/streams/order-1/5/data").0, 405);
    let allowed = request(server.address, "OPTIONS", "/streams/order-1/5", &[], b"");
    assert_eq!(allowed.header("allow"), Some("DELETE, GET, HEAD, OPTIONS"));
}

/// A cache that purges by the keys that are told has nothing left that shows the event.
#[test]
fn all_that_showed_the_event_can_be_purged_by_what_is_told() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = start(dir.path());
    fill(&server);
    let shown: Vec<_> = documents()
        .into_iter()
        .map(|document| (read(&server, &document), document))
        .filter(|(reply, _)| shows(&reply.body, ERASED))
        .collect();
    let url = format!("http://{}", server.address);
    let run = everfeed(&["erase", "order-1", &ERASED.to_string(), "--server", &url, "--json"]).run();
    assert_eq!(run.code, 0, "{}", run.errors);
    let answer: Value = serde_json::from_str(&run.output).expect("JSON");
    let texts = |list: &Value| -> Vec<String> {
        list.as_array().expect("a list").iter().map(|text| text.as_str().expect("a text").to_string()).collect()
    };
    let (keys, urls) = (texts(&answer["purge"]["keys"]), texts(&answer["purge"]["urls"]));
    for (reply, (path, accept)) in &shown {
        let carried = reply.header("surrogate-key").expect("keys");
        assert!(carried.split(' ').any(|key| keys.iter().any(|told| told == key)), "{path} {accept}: {carried}");
    }
    for path in ["/streams/order-1/13", "/streams/order-1/10/forward/10.atom", "/streams/%24ce-order/10/forward/10"] {
        assert!(urls.contains(&format!("http://feeds.example{path}")), "{path}: {urls:#?}");
    }
    let again = everfeed(&["erase", &format!("{url}/streams/order-1"), &ERASED.to_string()]).run();
    assert!(again.code == 0 && again.output.contains("had gone before"), "{}{}", again.output, again.errors);
    let nothing = everfeed(&["erase", "order-1", "99", "--server", &url]).run();
    assert!(nothing.code == 1 && nothing.errors.contains("event 99"), "{}", nothing.errors);
}
