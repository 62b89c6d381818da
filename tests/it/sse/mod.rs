//! Event streams: events as they come, from wherever the reader has come to, in the words that browsers understand.

mod ends;
mod readers;

use crate::support::listener::{Listener, Message};
use crate::support::{TestServer, check, request};

const LINES: (&str, &str) = ("Content-Type", "application/x-ndjson");

fn start(settings: &[(&str, &str)]) -> (tempfile::TempDir, TestServer) {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start_with(data.path(), settings);
    (data, server)
}

/// Appends so many events at once.
#[track_caller]
fn append(server: &TestServer, stream: &str, count: usize) {
    let body = r#"{"type":"Said","data":{"to":"all"}}"#.to_string() + "\n";
    let reply = server.post(&format!("/streams/{stream}"), &[LINES], body.repeat(count).as_bytes());
    assert_eq!(reply.status, 201, "{}", reply.text());
}

#[track_caller]
fn listen(server: &TestServer, path: &str, headers: &[(&str, &str)]) -> Listener {
    let listener = Listener::open(server.address, path, headers);
    assert_eq!((listener.status, listener.header("content-type")), (200, Some("text/event-stream")), "{path}");
    listener
}

/// The lines of a page, which the data of messages are equal to.
fn page(server: &TestServer, path: &str) -> Vec<String> {
    let reply = server.get(path, &[]);
    check(&reply, path);
    reply.text().lines().map(str::to_string).collect()
}

fn ids(messages: &[Message]) -> Vec<u64> {
    messages.iter().map(|message| message.id).collect()
}

fn data(messages: Vec<Message>) -> Vec<String> {
    messages.into_iter().map(|message| message.data).collect()
}

/// The status of a request that is refused, and the kind of problem.
#[track_caller]
fn refusal(server: &TestServer, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let reply = server.get(path, &[&[("Accept", "text/event-stream")], headers].concat());
    check(&reply, path);
    let kind = reply.json()["type"].as_str().and_then(|kind| kind.rsplit('/').next()).expect("a type").to_string();
    (reply.status, kind)
}

#[test]
fn what_is_new_comes_as_it_happens_and_nothing_before_it() {
    let (_data, server) = start(&[]);
    append(&server, "s", 3);
    let mut listener =
        listen(&server, "/streams/s", &[("Accept-Encoding", "gzip, zstd"), ("Origin", "https://a.example")]);
    for (name, value) in [
        ("cache-control", Some("no-store")),
        ("x-accel-buffering", Some("no")),
        ("vary", Some("Accept")),
        ("content-encoding", None),
        ("content-length", None),
        ("access-control-allow-origin", Some("*")),
        ("everfeed-log", server.get("/streams/s", &[]).header("everfeed-log")),
    ] {
        assert_eq!(listener.header(name), value, "{name}");
    }
    for number in 3..6 {
        append(&server, "elsewhere", 1);
        append(&server, "s", 1);
        let message = listener.next().expect("an event");
        assert_eq!(message.id, number);
        assert_eq!([message.data], page(&server, &format!("/streams/s/{number}.ndjson"))[..]);
    }
    assert_eq!(listener.retry, Some(2_000));
}

#[test]
fn whoever_names_the_last_event_gets_all_after_it_and_then_what_comes() {
    let (_data, server) = start(&[]);
    append(&server, "s", 300);
    for (query, header, first) in [
        ("", Some("0"), 1),
        ("", Some("-1"), 0),
        ("", Some("298"), 299),
        ("?last-event-id=7", None, 8),
        ("?lastEventId=-1", None, 0),
        // A browser that comes again asks at the same address, and says in the header how far it has come.
        ("?last-event-id=7", Some("20"), 21),
    ] {
        let headers: Vec<_> = header.map(|last| ("Last-Event-ID", last)).into_iter().collect();
        let mut listener = listen(&server, &format!("/streams/s{query}"), &headers);
        let messages = listener.take(300 - first);
        assert_eq!(ids(&messages), (first as u64..300).collect::<Vec<_>>(), "{query} {header:?}");
        assert_eq!(data(messages), page(&server, "/streams/s/0/forward/4096.ndjson")[first..]);
    }
    let mut listener = listen(&server, "/streams/s", &[("Last-Event-ID", "299")]);
    append(&server, "s", 2);
    assert_eq!(ids(&listener.take(2)), [300, 301]);
}

#[test]
fn an_id_beyond_the_end_waits_until_events_are_beyond_it() {
    let (_data, server) = start(&[]);
    append(&server, "s", 1);
    let mut listener = listen(&server, "/streams/s", &[("Last-Event-ID", "3")]);
    let last = (i64::MAX as u64).to_string();
    let mut never = listen(&server, "/streams/s", &[("Last-Event-ID", &last)]);
    for _ in 0..5 {
        append(&server, "s", 1);
    }
    assert_eq!(ids(&listener.take(2)), [4, 5]);
    assert_eq!(server.stop(), Some(0));
    assert_eq!(never.next(), None);
}

#[test]
fn an_id_that_is_no_number_is_refused() {
    let (_data, server) = start(&[]);
    append(&server, "s", 1);
    for id in ["", "x", "1.5", "-2", "+1", "007", "9223372036854775808", "\u{e9}"] {
        let refused = refusal(&server, "/streams/s", &[("Last-Event-ID", id)]);
        assert_eq!(refused, (400, "invalid-header".to_string()), "{id}");
    }
    for id in ["x", "1.5", "-2", "+1", "007", "9223372036854775808"] {
        let refused = refusal(&server, &format!("/streams/s?last-event-id={id}"), &[]);
        assert_eq!(refused, (400, "invalid-address".to_string()), "{id}");
    }
}

#[test]
fn in_all_ids_are_positions_and_in_derived_streams_places() {
    let (_data, server) = start(&[("derived.correlation", "true")]);
    let sources = ["%24all", "%24ce-order", "%24et-Said", "%24streams"];
    let mut live: Vec<Listener> =
        sources.iter().map(|name| listen(&server, &format!("/streams/{name}"), &[])).collect();
    for stream in ["order-1", "invoice-1", "order-2", "order-1"] {
        append(&server, stream, 2);
    }
    for (source, live) in sources.iter().zip(&mut live) {
        let lines = page(&server, &format!("/streams/{source}/0/forward/100.ndjson"));
        let mut replayed = listen(&server, &format!("/streams/{source}?last-event-id=-1"), &[]);
        for listener in [live, &mut replayed] {
            let messages = listener.take(lines.len());
            assert_eq!(ids(&messages), (0..lines.len() as u64).collect::<Vec<_>>(), "{source}");
            assert_eq!(data(messages), lines, "{source}");
        }
    }
}

#[test]
fn it_is_for_those_who_accept_it_more_than_any_document() {
    let (_data, server) = start(&[]);
    append(&server, "s", 1);
    let media_type = |path: &str, accept: &str| {
        let listener = Listener::open(server.address, path, &[("Accept", accept)]);
        (listener.status, listener.header("content-type").unwrap_or_default().to_string())
    };
    let events = (200, "text/event-stream".to_string());
    let atom = (200, "application/atom+xml; charset=utf-8".to_string());
    // The first of two lines of Accept is that of everyone who listens here; both together are one list.
    assert_eq!(media_type("/streams/s", "application/atom+xml;q=0.9, */*;q=0.1"), events);
    assert_eq!(media_type("/streams/s?format=atom", "*/*"), atom, "an address that names the format is heeded");
    let refused = [
        ("/streams/s/0/forward/20", 406),
        ("/streams/s/head/backward/20", 406),
        ("/streams/s/0", 406),
        ("/", 406),
        ("/streams/s/categories", 406),
    ];
    for (path, status) in refused {
        assert_eq!(refusal(&server, path, &[]), (status, "not-acceptable".to_string()), "{path}");
    }
    for (accept, is_event_stream) in [
        ("text/event-stream;q=0.5, application/atom+xml;q=0.4", true),
        ("text/event-stream;q=0.4, application/atom+xml;q=0.5", false),
        ("text/event-stream;q=0.4, text/html", false),
    ] {
        let head = request(server.address, "HEAD", "/streams/s", &[("Accept", accept)], b"");
        check(&head, accept);
        let found = head.header("content-type") == Some("text/event-stream");
        assert_eq!(found, is_event_stream, "{accept}: {head:?}");
    }
    let none = server.get("/streams/s", &[("Accept", "image/png")]);
    let available = none.json()["available"].to_string();
    assert!(available.contains("text/event-stream"), "{available}");
}

#[test]
fn head_has_its_headers_and_never_waits() {
    let (_data, server) = start(&[]);
    for path in ["/streams/none", "/streams/%24all?last-event-id=0"] {
        let head = request(server.address, "HEAD", path, &[("Accept", "text/event-stream")], b"");
        check(&head, path);
        let told = (head.status, head.header("content-type"), head.header("cache-control"));
        assert_eq!(told, (200, Some("text/event-stream"), Some("no-store")), "{path}");
    }
}

#[test]
fn who_hears_nothing_for_a_while_gets_a_comment() {
    let (_data, server) = start(&[]);
    let mut listener = listen(&server, "/streams/none", &[]);
    while listener.line().expect("it goes on") != ":" {}
    append(&server, "none", 1);
    assert_eq!(listener.next().expect("an event").id, 0);
}

#[test]
fn browsers_of_strict_servers_listen_as_well() {
    let (_data, server) = start(&[("eventstore.strict", "true")]);
    let mut listener = listen(&server, "/streams/s", &[]);
    append(&server, "s", 1);
    assert_eq!(listener.next().expect("an event").id, 0);
}
