//! Requests put together at random, from a seed: every answer satisfies what every answer must, nothing
//! panics, and exactly what was answered 201 is there afterwards.

use crate::support::{TestServer, check, exchange};

const REQUESTS: u32 = 3_000;

/// A small generator of numbers (SplitMix64), so that a seed says everything.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

const METHODS: &[&str] =
    &["GET", "GET", "GET", "GET", "POST", "POST", "POST", "HEAD", "OPTIONS", "PUT", "get", "TRACE"];
const STREAMS: &[&str] = &[
    "a",
    "b",
    "c%2Fd",
    "%C3%A9",
    "a b",
    "$all",
    "%24all",
    "$settings",
    "$$a",
    "$ce-x",
    "%",
    "%FF",
    "..",
    "",
    "%00",
    "a.atom",
    "a%20b",
    "é",
    "a;b",
    "0",
];
const PARTS: &[&str] = &[
    "0",
    "1",
    "7",
    "head",
    "metadata",
    "data",
    "forward",
    "backward",
    "incoming",
    "20",
    "4096",
    "4097",
    "-1",
    "01",
    "9223372036854775807",
    "9223372036854775808",
    "0.atom",
    "20.json",
    "20.atom",
    "x",
    "",
    "00000000000000010000000000000001",
    "11111111-1111-4111-8111-111111111111",
];
const QUERIES: &[&str] = &[
    "embed=none",
    "embed=body",
    "embed=tryharder",
    "embed=no",
    "format=atom",
    "format=json",
    "format=xml",
    "format=ndjson",
    "format=cloudevents",
    "wait=0",
    "from=1",
    "wait=1x",
    "x=y",
    "&&",
    "embed=body&embed=rich",
    "format=",
    "%00",
    "%zz=%",
];
const HEADERS: &[&str] = &[
    "Accept: application/atom+xml",
    "Accept: application/json",
    "Accept: application/vnd.eventstore.atom+json",
    "Accept: application/vnd.kurrent.events+json;q=0.5, */*;q=0.1",
    "Accept: application/cloudevents+json, application/cloudevents-batch+json",
    "Accept: application/x-ndjson",
    "Accept: image/png",
    "Accept: text/html, */*;q=0.8",
    "Accept: ;q=",
    "Accept: */*;q=0",
    "Accept-Encoding: gzip",
    "Accept-Encoding: zstd",
    "Accept-Encoding: identity;q=0, *;q=0",
    "Accept-Encoding: ,;q=9",
    "If-None-Match: *",
    "If-None-Match: \"0-1\", W/\"x",
    "If-Match: *",
    "If-Match: \"0;1\"",
    "If-Modified-Since: Tue, 24 Nov 2099 00:00:00 GMT",
    "If-Modified-Since: soon",
    "ES-ExpectedVersion: -1",
    "ES-ExpectedVersion: 0",
    "Kurrent-ExpectedVersion: -4",
    "ES-ExpectedVersion: x",
    "ES-EventType: T",
    "ES-EventType: ",
    "ES-EventId: 22222222-2222-4222-8222-222222222222",
    "Kurrent-EventId: nil",
    "Idempotency-Key: k",
    "ce-specversion: 1.0\r\nce-id: 1\r\nce-source: /s\r\nce-type: t",
    "ce-specversion: 1.0",
    "ce-id: \"%zz%ff\\",
    "ES-LongPoll: 0",
    "Prefer: wait=x",
    "ES-ResolveLinkTos: true",
    "Range: bytes=0-1",
    "Cookie: a=b",
    "X-Forwarded-Host: evil.example",
    "Forwarded: host=evil.example",
    "Expect: x",
    "Upgrade: h2c",
    "Connection: upgrade",
    "Content-Encoding: gzip",
    "Slug: S%C3%A8te",
    "Host: evil.example",
    "X: \u{e9}\u{ff}",
    "Accept: \u{e9}",
];
const TYPES: &[&str] = &[
    "application/json",
    "application/json",
    "text/plain",
    "application/octet-stream",
    "application/vnd.eventstore.events+json",
    "application/vnd.kurrent.events+json",
    "application/atom+xml",
    "application/atom+xml;type=entry",
    "image/png",
    "application/cloudevents+json",
    "application/cloudevents-batch+json",
    "application/x-ndjson",
    "x",
];
const BODIES: &[&str] = &[
    "{\"a\": 1}",
    "[]",
    "[{\"eventType\":\"t\",\"data\":{\"a\":1}}]",
    "[{\"eventType\":\"t\"},{\"eventType\":\"u\",\"metadata\":{}}]",
    "[{\"eventId\":\"33333333-3333-4333-8333-333333333333\",\"eventType\":\"t\"}]",
    "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\",\"data_base64\":\"AA==\"}",
    "[{\"specversion\":\"1.0\",\"id\":\"2\",\"source\":\"/s\",\"type\":\"t\"}]",
    "{\"type\":\"t\",\"data\":1}\n{\"type\":\"t\",\"mediaType\":\"image/png\",\"dataBase64\":\"AA==\"}\n",
    "",
    "nonsense",
    "\u{0}",
    "{",
    "\"\u{7f}\"",
    "<entry xmlns='http://www.w3.org/2005/Atom'/>",
    "<a:entry xmlns:a='http://www.w3.org/2005/Atom' xml:base='../x'><a:id>tag:a,2026:b</a:id><a:title>t</a:title></a:entry>",
    "<entry xmlns='http://www.w3.org/2005/Atom'><content type='xhtml'/></entry>",
    "<entry",
];

fn request(random: &mut Random) -> Vec<u8> {
    let method = random.pick(METHODS);
    let mut path = match random.below(12) {
        0 => random
            .pick(&[
                "/",
                "/info",
                "/ping",
                "/health/live",
                "/health/ready",
                "/metrics",
                "/admin/stats",
                "/admin/scavenge",
                "/ui/",
                "/ui/everfeed.css",
                "/x",
                "*",
            ])
            .to_string(),
        1 => "/ui/problems/too-busy".to_string(),
        2..6 => format!("/streams/{}", random.pick(STREAMS)),
        _ => format!("/streams/{}", random.pick(&["a", "b"])),
    };
    // Half of what lies below a stream makes sense.
    if random.one_in(3) {
        path.push_str(random.pick(&[
            "/0",
            "/1.atom",
            "/0/data",
            "/0/forward/2",
            "/head/backward/3",
            "/1/2.json",
            "/metadata",
        ]));
    }
    // People may look at all of it.
    if random.one_in(6) && path.starts_with('/') {
        path.insert_str(0, "/ui");
    }
    let parts = if random.one_in(3) { random.below(4) } else { 0 };
    for _ in 0..parts {
        path.push('/');
        path.push_str(random.pick(PARTS));
    }
    if random.one_in(3) {
        path.push('?');
        path.push_str(random.pick(QUERIES));
    }
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
    for _ in 0..random.below(4) {
        head.push_str(random.pick(HEADERS));
        head.push_str("\r\n");
    }
    let mut body = Vec::new();
    if method == "POST" || random.one_in(10) {
        head.push_str(&format!("Content-Type: {}\r\n", random.pick(TYPES)));
        body = random.pick(BODIES).as_bytes().to_vec();
        if random.one_in(4) {
            head.push_str("Transfer-Encoding: chunked\r\n");
            let chunk = if body.is_empty() {
                Vec::new()
            } else {
                [format!("{:x}\r\n", body.len()).as_bytes(), &body, b"\r\n"].concat()
            };
            body = [&chunk, &b"0\r\n\r\n"[..]].concat();
        } else {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
    }
    let mut raw = head.into_bytes();
    raw.extend_from_slice(b"\r\n");
    // Now and then some byte of the head is another one; but for the length, which would only make it wait.
    if random.one_in(6) {
        let place = random.below(raw.len().min(40));
        raw[place] = random.next() as u8;
    }
    raw.extend_from_slice(&body);
    raw
}

#[test]
fn whatever_is_sent_every_answer_is_whole_and_only_what_was_acknowledged_is_written() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(data.path(), &[]);
    let seed = std::process::id().into();
    println!("seed {seed}");
    let mut random = Random(seed);
    let (mut statuses, mut written) = (std::collections::BTreeMap::<u16, u32>::new(), 0);
    for index in 0..REQUESTS {
        let raw = request(&mut random);
        let what = format!("seed {seed}, request {index}: {:?}", String::from_utf8_lossy(&raw));
        let reply = exchange(server.address, &raw).unwrap_or_else(|error| panic!("{error}: {what}"));
        check(&reply, &what);
        *statuses.entry(reply.status).or_default() += 1;
        if reply.status == 201 && reply.header("everfeed-repeat").is_none() {
            let number = |text: Option<&str>| text.and_then(|text| text.rsplit('/').next()?.parse::<u64>().ok());
            let (first, last) = (number(reply.header("location")), number(reply.header("es-currentversion")));
            written += last.expect("a version") - first.expect("a number") + 1;
        }
    }
    println!("{statuses:?}");
    assert_eq!(server.events(), written, "seed {seed}");
    assert!([200, 201, 400, 404, 405].iter().all(|status| statuses.contains_key(status)), "{statuses:?}");
    server.assert_no_panic();
    assert_eq!(server.stop(), Some(0));
}
