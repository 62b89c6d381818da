//! The real nginx and the real Varnish before the real server, with the configurations that are shipped.

/// Each rule is held by both proxies.
macro_rules! before_both {
    ($($rule:ident)*) => {
        mod nginx {
            $(#[test] fn $rule() { super::$rule(super::Kind::Nginx); })*
        }
        mod varnish {
            $(#[test] fn $rule() { super::$rule(super::Kind::Varnish); })*
        }
    };
}

mod protected;

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::retail::{STREAMS, aggregate, direct_sum, post_sample};
use crate::support::listener::Listener;
use crate::support::proxy::{Kind, Proxy};
use crate::support::relay::{Relay, Seen};
use crate::support::{PATIENCE, Reply, TestServer, exchange};

/// A server, a relay that takes down what it is asked, and a proxy before both.
struct Setting {
    // In this order they end.
    proxy: Proxy,
    relay: Relay,
    server: TestServer,
    _data: TempDir,
}

impl Setting {
    fn new(kind: Kind) -> Self {
        let data = tempfile::tempdir().expect("a directory");
        // As the shipped configurations ask for it.
        let server = TestServer::start_with(data.path(), &[("trusted_proxies", "127.0.0.1")]);
        let relay = Relay::before(server.address);
        let proxy = Proxy::start(kind, relay.address);
        Self { proxy, relay, server, _data: data }
    }

    /// Appends one event through the proxy.
    fn append(&self, stream: &str, data: &str) {
        let headers = [("Content-Type", "application/json"), ("ES-EventType", "Said")];
        let reply = self.proxy.post(&format!("/streams/{stream}"), &headers, data.as_bytes());
        assert_eq!(reply.status, 201, "{}", reply.text());
    }
}

/// Asks again until the answer is as wanted.
fn get_until(proxy: &Proxy, path: &str, headers: &[(&str, &str)], wanted: impl Fn(&Reply) -> bool) -> Reply {
    let started = Instant::now();
    loop {
        let reply = proxy.get(path, headers);
        if wanted(&reply) {
            return reply;
        }
        assert!(started.elapsed() < PATIENCE, "{path}: {reply:#?}");
        thread::sleep(Duration::from_millis(50));
    }
}

const ATOM: (&str, &str) = ("Accept", "application/atom+xml");

fn cache_status(reply: &Reply) -> &str {
    reply.header("x-cache-status").unwrap_or("not said")
}

/// How often the server was asked for each page that can never change.
fn complete_pages(seen: &[Seen]) -> BTreeMap<String, usize> {
    let mut pages = BTreeMap::new();
    for seen in seen.iter().filter(|seen| seen.is_complete_page()) {
        *pages.entry(seen.path.clone()).or_default() += 1;
    }
    pages
}

fn three_aggregators_replay_and_the_origin_sees_each_page_once(kind: Kind) {
    let setting = Setting::new(kind);
    let url = setting.proxy.url();
    let (events, expected) = direct_sum();
    assert_eq!(post_sample(&url).events, events.iter().sum::<usize>());

    let replay_by_three = || {
        thread::scope(|scope| {
            let aggregators = [(); 3].map(|()| scope.spawn(|| aggregate(&url, false)));
            aggregators.map(|one| one.join().expect("no panic").expect("it can be read"))
        })
    };
    for totals in replay_by_three() {
        assert_eq!(totals, expected);
    }

    // Orders were read as Atom, a hundred on a page; the others as EventStore's JSON, twenty on a page, and there the
    // newest page is not complete before there is something newer.
    let pages = |stream: usize, count: usize, suffix: &str, events: usize| {
        let path = format!("/streams/{}", STREAMS[stream]);
        (0..events / count)
            .map(move |page| (format!("{path}/{}/forward/{count}{suffix}", page * count), 1))
            .collect::<Vec<_>>()
    };
    let [orders, cancellations, stock] = events;
    let each_once: BTreeMap<String, usize> = [
        pages(0, 100, ".atom", orders),
        // One order is so long that its entry only links to it.
        vec![("/streams/orders/967/data".to_string(), 1)],
        pages(1, 20, "?embed=body", cancellations - 1),
        pages(2, 20, "?embed=body", stock - 1),
    ]
    .concat()
    .into_iter()
    .collect();
    assert!(each_once.len() > 40, "there is something to replay");
    assert_eq!(complete_pages(&setting.relay.seen()), each_once);

    // Another replay, and the origin is not asked for any of them.
    assert_eq!(aggregate(&url, false).expect("it can be read"), expected);
    assert_eq!(complete_pages(&setting.relay.seen()), each_once);
    for page in each_once.keys().filter(|page| page.ends_with(".atom")) {
        assert_eq!(cache_status(&setting.proxy.get(page, &[])), "HIT", "{page}");
    }

    // The nginx configuration ignores `Vary`, because its key holds all that can stand there.
    for seen in setting.relay.seen() {
        let vary = seen.answer.as_ref().and_then(|answer| answer.header("vary")).unwrap_or_default();
        for name in vary.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let known = ["accept", "accept-encoding", "es-resolvelinktos", "kurrent-resolvelinktos"];
            assert!(known.contains(&name.to_ascii_lowercase().as_str()), "{} varies by {name}", seen.path);
        }
    }
}

fn a_head_is_kept_for_a_second_and_then_asked_after(kind: Kind) {
    let setting = Setting::new(kind);
    setting.append("talk", r#""first""#);
    let head = setting.proxy.get("/streams/talk", &[ATOM]);
    assert_eq!(head.header("cache-control"), Some("public, max-age=1, stale-while-revalidate=2, stale-if-error=86400"));
    let tag = head.header("etag").expect("a head has a tag").to_string();

    // Polls, until the proxy has asked whether its copy still holds.
    let is_revalidated = || setting.relay.seen_of("/streams/talk").iter().any(|seen| seen.status() == Some(304));
    get_until(&setting.proxy, "/streams/talk", &[ATOM], |reply| {
        assert_eq!((reply.status, &reply.body), (200, &head.body));
        is_revalidated()
    });
    let asked = setting.relay.seen_of("/streams/talk");
    let gets: Vec<_> = asked.iter().filter(|seen| seen.method == "GET").collect();
    assert_eq!(gets.iter().filter(|seen| seen.status() == Some(200)).count(), 1, "one body crossed: {gets:#?}");
    assert!(gets[1..].iter().all(|seen| seen.header("if-none-match").is_some()));

    // A reader that has the page gets a 304 too.
    let again = setting.proxy.get("/streams/talk", &[ATOM, ("If-None-Match", &tag)]);
    assert_eq!((again.status, again.body.len()), (304, 0));

    // And news arrives.
    setting.append("talk", r#""second""#);
    let news = get_until(&setting.proxy, "/streams/talk", &[ATOM], |reply| reply.body != head.body);
    assert!(news.text().contains("1@talk"), "{}", news.text());
}

fn a_long_poll_ends_with_the_event_and_is_not_kept(kind: Kind) {
    let setting = Setting::new(kind);
    let forms: [(&str, &[(&str, &str)]); 4] = [
        ("?wait=60", &[]),
        ("", &[("Prefer", "respond-async, wait=60")]),
        ("", &[("ES-LongPoll", "60")]),
        ("", &[("Kurrent-LongPoll", "60")]),
    ];
    for (place, (query, headers)) in forms.into_iter().enumerate() {
        // The same wait where nothing comes, begun before: while it lasts, no other has ended by its time.
        let silent = format!("/streams/silent-{place}{query}");
        let unanswered = begin(&setting, &silent, headers);
        let stream = format!("talk-{place}");
        setting.append(&stream, "0");
        let path = format!("/streams/{stream}/1/forward/100.atom{query}");
        let polled = begin(&setting, &path, headers);
        assert!(!polled.is_finished(), "there is nothing to tell yet");
        setting.append(&stream, r#"{"said": "hello"}"#);

        let reply = polled.join().expect("no panic").expect("an answer");
        assert!(!unanswered.is_finished(), "only time ends this wait");
        assert_eq!((reply.status, reply.header("cache-control")), (200, Some("no-store")));
        assert!(reply.text().contains(&format!("1@{stream}")), "{}", reply.text());

        // Nothing was kept: who asks again, asks the server.
        let again = setting.proxy.get(&path, headers);
        assert_eq!((again.status, cache_status(&again)), (200, "PASS"));
        assert_eq!(setting.relay.seen_of(&path).len(), 2);
    }
}

/// Sends a request, and waits only until the server has it.
fn begin(setting: &Setting, path: &str, headers: &[(&str, &str)]) -> thread::JoinHandle<std::io::Result<Reply>> {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let address = setting.proxy.address;
    let raw = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}\r\n");
    let request = thread::spawn(move || exchange(address, raw.as_bytes()));
    setting.relay.wait_until(|seen| seen.iter().any(|seen| seen.path == path));
    request
}

fn an_event_stream_comes_through_as_it_happens(kind: Kind) {
    // Without the relay, which hands on answers in whole.
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(data.path(), &[]);
    let proxy = Proxy::start(kind, server.address);
    let append = || assert_eq!(server.post("/streams/talk", &[("Content-Type", "text/plain")], b"hello").status, 201);
    append();
    let listen = |query: &str, headers: &[(&str, &str)]| {
        let headers = [&[("Accept-Encoding", "gzip, deflate, br, zstd")], headers].concat();
        let listener = Listener::open(proxy.address, &format!("/streams/talk{query}"), &headers);
        assert_eq!((listener.status, listener.header("content-type")), (200, Some("text/event-stream")));
        let how = (listener.header("content-encoding"), listener.header("cache-control"));
        assert_eq!(how, (None, Some("no-store")), "neither compressed nor kept");
        listener
    };
    let mut listener = listen("", &[]);
    assert_eq!(listener.line().as_deref(), Some("retry: 2000"), "the first words come before anything happens");
    for number in 1..6 {
        append();
        assert_eq!(listener.next().expect("it goes on").id, number);
    }
    for mut again in [listen("", &[("Last-Event-ID", "2")]), listen("?last-event-id=2", &[])] {
        let ids: Vec<u64> = again.take(3).iter().map(|message| message.id).collect();
        assert_eq!(ids, [3, 4, 5]);
    }
    let document = proxy.get("/streams/talk", &[ATOM]);
    assert!(document.text().contains("5@talk"), "who wants a document gets one: {}", document.text());
    // Whoever goes away from the proxy has gone from the server.
    drop(listener);
    server.wait_for_listeners(0);

    let mut last = listen("", &[]);
    server.terminate();
    assert_eq!(last.next(), None, "it ends as it should");
    assert_eq!(server.wait(), Some(0));
}

fn what_must_not_be_kept_reaches_the_origin_each_time(kind: Kind) {
    let setting = Setting::new(kind);
    setting.append("talk", "1");
    setting.append("talk", "1");
    let posts = setting.relay.seen_of("/streams/talk");
    assert_eq!(posts.iter().map(Seen::status).collect::<Vec<_>>(), [Some(201), Some(201)]);

    let problem = "/streams/talk/0/forward/5000";
    let authorized = "/streams/talk?format=atom";
    let newest = "/streams/talk/head/backward/20";
    for _ in 0..2 {
        // EventStore's JSON of what may change, as its API has it.
        let reply = setting.proxy.get(newest, &[("Accept", "application/vnd.eventstore.atom+json")]);
        let expected = Some("max-age=0, no-cache, must-revalidate");
        assert_eq!((reply.header("cache-control"), cache_status(&reply)), (expected, "PASS"));
        let reply = setting.proxy.get(problem, &[]);
        assert_eq!((reply.status, reply.header("cache-control")), (400, Some("no-store")));
        let reply = setting.proxy.get("/health/ready", &[]);
        assert_eq!((reply.status, reply.header("cache-control")), (200, Some("no-store")));
        // What may change, for those who say who they are.
        setting.proxy.get(authorized, &[("Authorization", "Basic bm9ib2R5OnNlY3JldA==")]);
    }
    for path in [newest, problem, "/health/ready", authorized] {
        assert_eq!(setting.relay.seen_of(path).len(), 2, "{path}");
    }

    // What does not exist yet is found soon after it does.
    let missing = setting.proxy.get("/streams/later", &[ATOM]);
    assert_eq!((missing.status, missing.header("cache-control")), (404, Some("public, max-age=1")));
    setting.append("later", "1");
    get_until(&setting.proxy, "/streams/later", &[ATOM], |reply| reply.status == 200);
}

fn strangers_cannot_change_a_page(kind: Kind) {
    let setting = Setting::new(kind);
    setting.append("talk", "1");
    let page = "/streams/talk/0/forward/1.atom";
    let forged = [
        ("Forwarded", "host=evil.example;proto=https"),
        ("X-Forwarded-For", "192.0.2.1"),
        ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-Port", "666"),
        ("X-Forwarded-Prefix", "/evil"),
        ("X-Forwarded-Proto", "gopher"),
        ("Cookie", "evil=yes"),
    ];
    let first = setting.proxy.get(page, &forged);
    assert_eq!(first.status, 200);
    let seen = setting.relay.seen_of(page);
    for (name, _) in forged {
        // Who asks is told by the proxy itself.
        let told = (name == "X-Forwarded-For").then_some("127.0.0.1");
        assert_eq!(seen[0].header(&name.to_ascii_lowercase()), told, "{name} was passed on");
    }
    assert_eq!(first.body, setting.server.get(page, &[("Host", &setting.proxy.address.to_string())]).body);
    let second = setting.proxy.get(page, &[]);
    assert_eq!((cache_status(&second), &second.body), ("HIT", &first.body));

    // However the host is spelled, it is one page; a host that is not ours gets none.
    let port = setting.proxy.address.port();
    let spelled = setting.proxy.get(page, &[("Host", &format!("LOCALHOST:{port}"))]);
    assert_eq!((cache_status(&spelled), &spelled.body), ("HIT", &first.body));
    assert_eq!(setting.proxy.get(page, &[("Host", "evil.example")]).status, 421);
    assert_eq!(setting.relay.seen_of(page).len(), 1);
}

fn a_page_is_kept_once_for_all_readers(kind: Kind) {
    let setting = Setting::new(kind);
    for _ in 0..100 {
        setting.append("talk", r#"{"said": "the same again"}"#);
    }
    let encodings = ["gzip", "gzip, deflate", "gzip, deflate, br, zstd", "br;q=1.0, gzip;q=0.8", "identity", ""];
    let accepts = ["application/atom+xml", "*/*", "text/html,application/xml;q=0.9,*/*;q=0.8"];
    for page in ["/streams/talk/0/forward/100.atom", "/streams/talk/0/forward/100.ndjson"] {
        for encoding in encodings {
            for accept in accepts {
                let reply = setting.proxy.get(page, &[("Accept-Encoding", encoding), ("Accept", accept)]);
                assert_eq!(reply.status, 200);
                let coding = encoding.contains("gzip").then_some("gzip");
                assert_eq!(reply.header("content-encoding"), coding, "for {encoding:?}");
                let tag = reply.header("etag").expect("a tag");
                let again = setting.proxy.get(page, &[("Accept-Encoding", encoding), ("If-None-Match", tag)]);
                assert_eq!(again.status, 304, "for {encoding:?}, {tag}");
            }
        }
        // Whoever says who they are gets it from there, too.
        let known = setting.proxy.get(page, &[("Authorization", "Basic bm9ib2R5OnNlY3JldA==")]);
        assert_eq!((known.status, cache_status(&known)), (200, "HIT"));
        assert_eq!(setting.relay.seen_of(page).len(), 1, "{page}");
    }

    // Where the URL leaves the form open, everyone gets what they asked for.
    let event = "/streams/talk/7";
    for _ in 0..2 {
        for (accept, expected) in [
            ("application/atom+xml", "application/atom+xml"),
            ("application/json", "application/json"),
            ("application/vnd.eventstore.event+json", "application/vnd.eventstore.event+json"),
        ] {
            let reply = setting.proxy.get(event, &[("Accept", accept)]);
            let media_type = reply.header("content-type").unwrap_or_default();
            assert!(reply.status == 200 && media_type.starts_with(expected), "{accept}: {media_type}");
        }
    }
    assert_eq!(setting.relay.seen_of(event).len(), 3);
}

fn reads_go_on_when_the_server_is_gone(kind: Kind) {
    let setting = Setting::new(kind);
    setting.append("talk", "1");
    let page = setting.proxy.get("/streams/talk/0/forward/1.atom", &[]);
    let head = setting.proxy.get("/streams/talk", &[ATOM]);
    let Setting { proxy, relay, server, _data } = setting;
    server.kill();

    // Until the proxy has asked after its copy of the head, and has learned that nobody answers.
    let failed = || relay.seen_of("/streams/talk").iter().any(|seen| seen.answer.is_none());
    get_until(&proxy, "/streams/talk", &[ATOM], |_| failed());
    let stale = get_until(&proxy, "/streams/talk", &[ATOM], |reply| reply.status == 200);
    assert_eq!(stale.body, head.body);
    assert_eq!(proxy.get("/streams/talk/0/forward/1.atom", &[]).body, page.body);
}

before_both! {
    three_aggregators_replay_and_the_origin_sees_each_page_once
    a_head_is_kept_for_a_second_and_then_asked_after
    a_long_poll_ends_with_the_event_and_is_not_kept
    an_event_stream_comes_through_as_it_happens
    what_must_not_be_kept_reaches_the_origin_each_time
    strangers_cannot_change_a_page
    a_page_is_kept_once_for_all_readers
    reads_go_on_when_the_server_is_gone
}
