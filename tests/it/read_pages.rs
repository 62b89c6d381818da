//! Pages as the server sends them, read in each of the forms that they come in: of the same events all say the same.

use std::path::Path;

use bytes::Bytes;
use everfeed::feed::read::page::{self, Event, EventContent, EventId, Form, Page};

use crate::support::{TestServer, check};

const NDJSON: &str = "application/x-ndjson";
const ATOM: &str = "application/atom+xml";
const EVENTSTORE: &str = "application/vnd.eventstore.atom+json";

/// Events of every kind in two streams of one category, the first of one of them truncated.
fn filled(data: &Path) -> TestServer {
    let server = TestServer::start_with(data, &[("page_size", "5")]);
    let entry = b"<entry xmlns='http://www.w3.org/2005/Atom'><title>t</title><id>urn:x:1</id>\
        <updated>2026-01-01T00:00:00Z</updated><author><name>a</name></author><summary>Said</summary></entry>";
    for (stream, media_type, body) in [
        ("order-1", "application/json", &b"{\"total\": 1.10, \"of\": [\"}\"]}"[..]),
        ("order-2", "application/json", b"[]"),
        ("order-1", "text/plain", b"5 < 6 & 7\r\n"),
        ("order-2", "application/octet-stream", b"\0\xff"),
        ("order-1", "image/png", b"\x89PNG\r\n"),
        ("order-2", "text/plain", b"not for XML: \x01"),
        ("order-1", "application/atom+xml;type=entry", entry),
        ("order-2", "application/json", b"{\"last\":true}"),
    ] {
        let headers = [("Content-Type", media_type), ("ES-EventType", "Said")];
        let reply = server.post(&format!("/streams/{stream}"), &headers, body);
        assert_eq!(reply.status, 201, "{}", reply.text());
    }
    let settings = [("Content-Type", "application/json"), ("ES-EventType", "$metadata")];
    let reply = server.post("/streams/order-2/metadata", &settings, b"{\"$maxCount\":2}");
    assert_eq!(reply.status, 201, "{}", reply.text());
    server
}

fn read(server: &TestServer, path: &str, accept: &str) -> Page {
    let reply = server.get(path, &[("Host", "localhost:2113"), ("Accept", accept)]);
    check(&reply, path);
    let form = Form::of(reply.header("content-type").expect("it says so")).expect("a form of feeds");
    let links = page::link_header(reply.headers.iter().filter(|(name, _)| name == "link").map(|(_, value)| &**value));
    page::read(form, &links, &Bytes::from(reply.body)).unwrap_or_else(|error| panic!("{path} {accept}: {error}"))
}

/// What every form says of an event.
fn told(event: &Event) -> (&EventId, &str, Option<u64>, &str, i64) {
    (&event.id, &event.stream, event.number, &event.event_type, event.time.micros())
}

fn is_removed(event: &Event) -> bool {
    matches!(event.content, EventContent::Removed { .. })
}

#[test]
fn every_form_says_the_same_of_the_same_events() {
    let data = tempfile::tempdir().expect("a directory");
    let server = filled(data.path());
    for (stream, removed) in [("order-1", 0), ("$all", 2), ("$ce-order", 2), ("$streams", 1)] {
        let path = format!("/streams/{stream}/0/forward/20");
        let lines = read(&server, &path, NDJSON);
        let entries = read(&server, &path, ATOM);
        let feed = read(&server, &format!("{path}?embed=body"), EVENTSTORE);
        for page in [&lines, &entries] {
            assert_eq!(page.events.iter().filter(|event| is_removed(event)).count(), removed, "{stream}");
        }
        assert_eq!(lines.events.len(), entries.events.len(), "{stream}");
        assert_eq!(lines.events.len(), feed.events.len(), "{stream}");
        for ((line, entry), of_feed) in lines.events.iter().zip(&entries.events).zip(&feed.events) {
            assert_eq!((told(line), line.position, line.place), (told(entry), entry.position, entry.place), "{stream}");
            assert_eq!(told(line), told(of_feed), "{stream}");
            // In `$all` EventStore's documents have no places.
            assert_eq!(of_feed.place, line.place.filter(|_| stream != "$all"), "{stream}");
            check_content(&server, line, entry);
            check_content(&server, line, of_feed);
        }
        let places: Vec<u64> = lines.events.iter().filter_map(|event| event.place).collect();
        assert_eq!(places, (0..lines.events.len() as u64).collect::<Vec<_>>(), "{stream}");
        assert_eq!(
            entries.links.get("self"),
            Some(&*format!("http://localhost:2113{}.atom", path.replace('$', "%24")))
        );
        assert_eq!(lines.links.get("previous").is_some(), entries.links.get("previous").is_some(), "{stream}");
    }
    server.assert_no_panic();
}

/// What is there is what the line has, byte for byte; what is elsewhere can be had there.
fn check_content(server: &TestServer, line: &Event, other: &Event) {
    let EventContent::Here { media_type, data, .. } = &line.content else { return };
    // This one is an entry wherever there are entries.
    if media_type.starts_with(ATOM) {
        return;
    }
    match &other.content {
        EventContent::Here { data: found, .. } => assert_eq!(found, data, "{media_type}"),
        EventContent::Elsewhere { url, .. } => {
            let path = url.strip_prefix("http://localhost:2113").expect("at the same server");
            let path = if path.ends_with("/data") { path.to_string() } else { format!("{path}/data") };
            assert_eq!(server.get(&path, &[("Host", "localhost:2113")]).body, data[..], "{media_type}");
        }
        EventContent::Removed { .. } => panic!("{other:?} is there"),
    }
}

/// Atom has words for it (RFC 6721). In lines the first event that is there comes first, and its number says it.
#[test]
fn of_what_its_own_stream_has_lost_atom_says_so_and_lines_begin_after_it() {
    let data = tempfile::tempdir().expect("a directory");
    let server = filled(data.path());
    let shown = |form| {
        let page = read(&server, "/streams/order-2/0/forward/20", form);
        page.events.iter().map(|event| (event.place, is_removed(event))).collect::<Vec<_>>()
    };
    let there = [(Some(2), false), (Some(3), false)];
    assert_eq!(shown(NDJSON), there);
    assert_eq!(shown(EVENTSTORE), there);
    assert_eq!(shown(ATOM), [&[(Some(0), true), (Some(1), true)], &there[..]].concat());
    server.assert_no_panic();
}

#[test]
fn a_page_says_of_itself_that_it_is_complete() {
    let data = tempfile::tempdir().expect("a directory");
    let server = filled(data.path());
    for form in [NDJSON, ATOM] {
        let complete = read(&server, "/streams/$all/0/forward/5", form);
        assert!(complete.is_archive && complete.links.get("next-archive").is_some(), "{form}");
        assert!(!read(&server, "/streams/$all/5/forward/5", form).is_archive, "{form}");
        assert!(!read(&server, "/streams/$all", form).is_archive, "{form}");
    }
    server.assert_no_panic();
}
