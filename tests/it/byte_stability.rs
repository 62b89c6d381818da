//! The bytes that caches keep for a year are the same for ever: digests of every document of a fixed store equal a
//! list that no later release may change, whatever the page size, and after sealing, kill −9 and a repair.

use std::collections::BTreeMap;
use std::path::Path;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use everfeed::event::{Content, EventId, EventType, ExpectedVersion, MediaType, NewEvent, StreamName, Timestamp};
use everfeed::store::{Append, Options, Store, repair};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::support::TestServer;
use crate::support::store::chunk_files;

const GOLDEN: &str = "tests/data/golden-digests.txt";
const ORDERS: u64 = 40;
const CHUNK_EVENTS: u64 = 16;

pub(crate) const FEEDS: [(&str, &str); 13] = [
    ("", "application/atom+xml"),
    (".atom", "*/*"),
    (".atom?embed=none", "*/*"),
    ("", "application/vnd.eventstore.atom+json"),
    ("?embed=content", "application/vnd.eventstore.atom+json"),
    ("?embed=rich", "application/vnd.kurrent.atom+json"),
    ("?embed=body", "application/json"),
    ("?embed=pretty", "application/vnd.eventstore.atom+json"),
    ("?embed=tryharder", "application/vnd.eventstore.atom+json"),
    ("", "application/vnd.eventstore.events+json"),
    ("", "application/cloudevents-batch+json"),
    ("", "application/vnd.eventstore.events+xml"),
    ("?format=ndjson", "*/*"),
];

pub(crate) const EVENTS: [(&str, &str); 7] = [
    (".atom", "*/*"),
    ("", "application/vnd.eventstore.atom+json"),
    ("", "application/vnd.kurrent.event+json"),
    ("", "application/vnd.eventstore.event+xml"),
    ("?format=cloudevents", "*/*"),
    ("", "application/x-ndjson"),
    ("/data", "*/*"),
];

/// Of every kind that documents write differently.
pub(crate) fn contents() -> Vec<(&'static str, &'static str, Bytes, Option<&'static str>)> {
    let text = |text: &'static str| Bytes::from_static(text.as_bytes());
    vec![
        ("Json", "application/json", text("{\"total\": 12.50, \"name\": \"Zoë & <co>\"}"), Some("{\"by\":\"shop\"}")),
        ("JsonArray", "application/json", text("[1, 2.0, \"three\"]"), None),
        ("Text", "text/plain", text("plain ]]> text\r\nwith <marks> & \u{1F4E6}"), None),
        ("Html", "text/html", text("<p>one<br>two"), None),
        ("Xml", "application/xml", text("<order xmlns=\"urn:x\"><line n='1'>a &amp; b</line></order>"), None),
        ("IllFormedXml", "application/xml", text("<order><line></order>"), None),
        ("Bytes", "application/octet-stream", Bytes::from_static(&[0, 1, 2, 0xFF, 0xFE, 0x0A]), None),
        ("Control", "text/plain", text("bell \u{7} and nul \u{0}"), None),
        ("Long", "text/plain", Bytes::from(vec![b'x'; (64 << 10) + 1]), None),
        ("Größe <&\">", "application/json", text("null"), Some("{\"$correlationId\":\"c-1\"}")),
        ("Empty", "text/plain", Bytes::new(), None),
        ("Own", "application/vnd.example+json; version=2", text("{\"own\":true}"), None),
    ]
}

/// The same store every time: identity, clock and ids are fixed.
fn make(data: &Path) {
    let micros = |n: u64| Timestamp::from_micros(1_795_430_400_000_000 + (n * 1_234_567).cast_signed());
    let (store, _) = Store::open(&Options::new(data), Uuid::from_u128(0xE7E4_FEED), micros(0)).expect("it opens");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mut n = 0;
    let mut append = |stream: &str, event_type: &str, media_type: &str, data: Bytes, metadata: Option<&'static str>| {
        n += 1;
        let content = Content {
            media_type: MediaType::parse(media_type).expect("a media type"),
            data,
            metadata: metadata.map(|text| Bytes::from_static(text.as_bytes())),
            trace_parent: None,
        };
        let event = NewEvent {
            id: EventId::new(Uuid::from_u128(u128::from(n) << 64 | 7)).expect("not nil"),
            id_is_fresh: false,
            event_type: EventType::parse(event_type).expect("a type"),
            content,
        };
        let stream = StreamName::parse(stream).expect("a name");
        let append =
            Append { stream, events: vec![event], expected: ExpectedVersion::Any, ids_alone: false, now: micros(n) };
        runtime.block_on(store.append(append)).expect("appended");
    };
    let mut contents = contents().into_iter();
    for number in 0..ORDERS {
        let data = format!("{{\"order\":{number},\"lines\":[{{\"sku\":\"a-{number}\",\"price\":{number}.99}}]}}");
        append("orders", "OrderPlaced", "application/json", data.into(), None);
        if let Some((event_type, media_type, data, metadata)) = contents.next() {
            append("of every kind/ä & b", event_type, media_type, data, metadata);
        }
    }
    store.close();
}

/// Every page, event and, last, head feed: its address, and whether the server's page size shapes it.
fn addresses() -> Vec<(String, &'static str, bool)> {
    let kinds = contents().len() as u64;
    let streams = [("orders", ORDERS), ("of%20every%20kind%2F%C3%A4%20%26%20b", kinds), ("%24all", ORDERS + kinds)];
    let mut addresses = Vec::new();
    for (stream, events) in streams {
        let pages = [7, 20].iter().flat_map(|count| {
            let forward = (0..events).step_by(*count).map(move |first| format!("{first}/forward/{count}"));
            forward.chain([format!("{}/backward/{count}", events - 1), format!("3/forward/{count}")])
        });
        for page in pages {
            addresses.extend(FEEDS.map(|(form, accept)| (format!("/streams/{stream}/{page}{form}"), accept, false)));
        }
        for number in 0..events {
            let event = |(form, accept)| (format!("/streams/{stream}/{number}{form}"), accept, false);
            addresses.extend(EVENTS.map(event));
        }
        let heads = FEEDS.into_iter().filter(|(form, _)| !form.starts_with('.'));
        addresses.extend(heads.map(|(form, accept)| (format!("/streams/{stream}{form}"), accept, true)));
    }
    addresses
}

/// For each document its digest and its tag.
fn digests(server: &TestServer, of_page_size: bool) -> BTreeMap<String, String> {
    let mut digests = BTreeMap::new();
    for (path, accept, is_head) in addresses() {
        if is_head && !of_page_size {
            continue;
        }
        let reply = server.get(&path, &[("Accept", accept), ("Accept-Encoding", "identity")]);
        assert_eq!(reply.status, 200, "{path} {accept}: {}", reply.text());
        let digest: String = Sha256::digest(&reply.body).iter().map(|byte| format!("{byte:02x}")).collect();
        let tag = reply.header("etag").expect("a tag").to_string();
        assert_eq!(digests.insert(format!("{path} {accept}"), format!("{digest} {tag}")), None, "{path} {accept}");
    }
    digests
}

fn golden() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(GOLDEN)).unwrap_or_default();
    let line = |line: &str| {
        let mut parts = line.splitn(3, ' ');
        let (digest, tag, address) = (parts.next()?, parts.next()?, parts.next()?);
        Some((address.to_string(), format!("{digest} {tag}")))
    };
    text.lines().filter_map(line).collect()
}

#[track_caller]
fn check(found: &BTreeMap<String, String>, what: &str) {
    let golden = golden();
    let differ: Vec<&String> =
        found.iter().filter(|(key, value)| golden.get(*key) != Some(value)).map(|(key, _)| key).collect();
    if differ.is_empty() {
        return;
    }
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("golden-digests.txt");
    let list: String = found.iter().map(|(address, digest)| format!("{digest} {address}\n")).collect();
    std::fs::write(&path, list).expect("written");
    panic!(
        "{what}: {} documents have other bytes or tags than caches were promised for a year, first {}. If that is meant, \
         raise the revision of the representation (src/feed/representation.rs), write a release note, and put {} in \
         the place of {GOLDEN}",
        differ.len(),
        differ[0],
        path.display()
    );
}

fn start(data: &Path, page_size: &str, chunk_events: Option<u64>) -> TestServer {
    let mut command = TestServer::command(data, &["--public-url", "http://feeds.example"]);
    command.env("EVERFEED_PAGE_SIZE", page_size);
    if let Some(events) = chunk_events {
        command.env("EVERFEED_CHUNK_EVENTS", events.to_string());
    }
    TestServer::spawn(command).unwrap_or_else(|log| panic!("{log:#?}"))
}

#[test]
fn documents_have_the_bytes_that_caches_were_promised() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    make(&data);

    let server = start(&data, "20", None);
    let found = digests(&server, true);
    assert_eq!(found.len(), addresses().len());
    check(&found, "as made");
    assert!(golden().len() == found.len(), "the list names documents that are no more");
    assert_eq!(server.stop(), Some(0));

    let server = start(&data, "100", None);
    check(&digests(&server, false), "with another page size");
    server.kill();

    // Chunks of a few events: all but the newest are sealed by this start.
    let server = start(&data, "20", Some(CHUNK_EVENTS));
    check(&digests(&server, true), "after a kill, while sealing");
    let chunks = ((ORDERS + contents().len() as u64 - 1) / CHUNK_EVENTS) as usize;
    for _ in 0..1_200 {
        if chunk_files(&data).len() == chunks {
            break;
        }
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(chunk_files(&data).len(), chunks);
    check(&digests(&server, true), "sealed");
    server.kill();

    let server = start(&data, "20", None);
    check(&digests(&server, true), "after a kill, sealed");
    assert_eq!(server.stop(), Some(0));

    let repaired = dir.path().join("repaired");
    let report = repair(&data, &repaired, &mut |_, _| {}).expect("it is repaired");
    assert!(report.lost.is_empty(), "{report}");
    let server = start(&repaired, "20", None);
    check(&digests(&server, true), "repaired");
    assert_eq!(server.stop(), Some(0));
}
