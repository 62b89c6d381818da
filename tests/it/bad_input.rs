//! Any request whatever gets an answer that says what is wrong, and changes nothing.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use crate::support::{PATIENCE, Reply, TestServer, check, exchange};

const HOST: &str = "Host: 127.0.0.1\r\n";

/// Sends these bytes on a connection of their own; the answer must satisfy what every answer must.
#[track_caller]
fn check_raw(server: &TestServer, raw: &[u8]) -> Reply {
    let shown = String::from_utf8_lossy(&raw[..raw.len().min(300)]).into_owned();
    let reply = exchange(server.address, raw).unwrap_or_else(|error| panic!("{error}: {shown:?}"));
    check(&reply, &shown);
    reply
}

#[track_caller]
fn check_refused(server: &TestServer, raw: &[u8], status: u16, kind: &str) {
    let reply = check_raw(server, raw);
    let shown = String::from_utf8_lossy(&raw[..raw.len().min(300)]).into_owned();
    assert_eq!(reply.status, status, "{shown:?} {}", reply.text());
    let problem = reply.json();
    assert!(problem["type"].as_str().is_some_and(|url| url.ends_with(&format!("/{kind}"))), "{shown:?} {problem}");
}

fn server() -> (tempfile::TempDir, TestServer) {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(data.path(), &[]);
    let reply = server.post("/streams/s", &[("Content-Type", "application/json")], b"1");
    assert_eq!(reply.status, 201, "{}", reply.text());
    (data, server)
}

#[test]
fn what_is_not_http_is_refused_as_a_problem_like_all_else() {
    let (_data, server) = server();
    for raw in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS client\r\n\r\n"[..],
        b"hello\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /ping\r\n\r\n",
        b"GET /ping HTTP/3.0\r\nHost: localhost\r\n\r\n",
        b"GET /ping FTP/1.1\r\n\r\n",
        b"GET  /ping HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /pi ng HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /ping HTTP/1.1\r\nHost: localhost\r\nfoo : bar\r\n\r\n",
        b"GET /ping HTTP/1.1\r\nHost: localhost\r\nfoo\r\n\r\n",
        b"GET /ping HTTP/1.1\r\nHost: localhost\r\nA: b\r\n folded\r\n\r\n",
        b"GET /ping HTTP/1.1\r\nHost: localhost\r\nA: b\0c\r\n\r\n",
        b"GET /pi\0ng HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /ping HTTP/1.1\r\nHost: localhost\rA: b\r\n\r\n",
        b"G\xffT /ping HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\0\0\0\0\0\0\0\0\r\n\r\n",
    ] {
        check_refused(&server, raw, 400, "malformed-request");
    }
    server.assert_no_panic();
}

#[test]
fn framing_that_could_be_read_in_two_ways_is_refused() {
    let (_data, server) = server();
    let post = |headers: &str, body: &str| {
        format!("POST /streams/s HTTP/1.1\r\n{HOST}Content-Type: text/plain\r\n{headers}\r\n{body}").into_bytes()
    };
    for (headers, body) in [
        ("Content-Length: 3\r\nContent-Length: 4\r\n", "abcd"),
        ("Content-Length: 3, 3\r\n", "abc"),
        ("Content-Length: +3\r\n", "abc"),
        ("Content-Length: -3\r\n", "abc"),
        ("Content-Length: 0x3\r\n", "abc"),
        ("Content-Length: \r\n", "abc"),
        ("Content-Length: 99999999999999999999999\r\n", "abc"),
        ("Transfer-Encoding: gzip\r\n", "abc"),
        ("Transfer-Encoding: chunked, gzip\r\n", "abc"),
        ("Transfer-Encoding: gzip, chunked\r\n", "3\r\nabc\r\n0\r\n\r\n"),
        ("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked, chunked\r\n", "3\r\nabc\r\n0\r\n\r\n"),
        ("Transfer-Encoding: identity\r\n", "abc"),
    ] {
        check_refused(&server, &post(headers, body), 400, "malformed-request");
    }
    let old = b"POST /streams/s HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    check_refused(&server, old, 400, "malformed-request");
    for body in
        ["z\r\nabc\r\n0\r\n\r\n", "3\r\nabcd\r\n0\r\n\r\n", "-1\r\n", "ffffffffffffffffff\r\n", "3;\nabc\r\n0\r\n\r\n"]
    {
        check_refused(&server, &post("Transfer-Encoding: chunked\r\n", body), 400, "incomplete-body");
    }
    assert_eq!(server.events(), 1, "nothing was written");
    server.assert_no_panic();
}

#[test]
fn content_length_beside_chunked_ends_the_connection_so_that_nothing_can_follow_it() {
    let (_data, server) = server();
    let raw = format!(
        "POST /streams/both HTTP/1.1\r\n{HOST}Content-Type: text/plain\r\nContent-Length: 60\r\nTransfer-Encoding: \
         chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nPOST /streams/smuggled HTTP/1.1\r\n{HOST}Content-Type: text/plain\r\n\
         Content-Length: 1\r\n\r\nx"
    );
    let mut socket = TcpStream::connect(server.address).expect("it listens");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    socket.write_all(raw.as_bytes()).expect("it reads");
    let mut answers = Vec::new();
    let _ = socket.read_to_end(&mut answers);
    assert_eq!(String::from_utf8_lossy(&answers).matches("HTTP/1.1").count(), 1);
    assert_eq!(server.get("/streams/smuggled", &[]).status, 404);
    server.assert_no_panic();
}

#[test]
fn a_body_that_ends_too_soon_is_not_written() {
    let (_data, server) = server();
    for headers in ["Content-Length: 10\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n10\r\nabc"] {
        let mut socket = TcpStream::connect(server.address).expect("it listens");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        write!(socket, "POST /streams/s HTTP/1.1\r\n{HOST}Content-Type: text/plain\r\n{headers}").expect("it reads");
        socket.shutdown(Shutdown::Write).expect("it is open");
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).expect("an answer");
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("/ui/problems/incomplete-body"), "{answer}");
    }
    assert_eq!(server.events(), 1);
    server.assert_no_panic();
}

#[test]
fn garbage_behind_a_good_request_is_answered_after_it() {
    let (_data, server) = server();
    let mut socket = TcpStream::connect(server.address).expect("it listens");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    write!(socket, "GET /ping HTTP/1.1\r\n{HOST}\r\nGARBAGE\r\n\r\n").expect("it reads");
    let mut answers = Vec::new();
    socket.read_to_end(&mut answers).expect("answers");
    let answers = String::from_utf8_lossy(&answers);
    let (first, second) = answers.split_at(answers.rfind("HTTP/1.1 400").expect("an answer"));
    assert!(first.starts_with("HTTP/1.1 200"), "{answers}");
    assert!(second.starts_with("HTTP/1.1 400") && second.contains("/ui/problems/malformed-request"), "{answers}");
    server.assert_no_panic();
}

/// What looks like hyper's own refusal inside of somebody's data is data.
#[test]
fn data_that_reads_like_a_refusal_is_sent_as_it_is() {
    let (_data, server) = server();
    let refusal = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
    let posted = server.post("/streams/refusal", &[("Content-Type", "text/plain")], refusal);
    assert_eq!(posted.status, 201);
    assert_eq!(server.get("/streams/refusal/0/data", &[]).body, refusal);
}

#[test]
fn hosts_are_one_and_ours_or_refused() {
    let (_data, server) = server();
    let ok = |raw: &str| assert_eq!(check_raw(&server, raw.as_bytes()).status, 200, "{raw}");
    ok("GET /ping HTTP/1.0\r\n\r\n");
    ok("GET /ping HTTP/1.0\r\nHost: localhost\r\n\r\n");
    ok("GET http://localhost:99/ping HTTP/1.1\r\nHost: localhost:99\r\n\r\n");
    // RFC 9112 §2.2 lets a server take a bare line feed for the end of a line.
    ok("GET /ping HTTP/1.1\nHost: localhost\n\n");
    for (raw, status, kind) in [
        ("GET /ping HTTP/1.1\r\n\r\n", 400, "missing-host"),
        ("GET /ping HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", 400, "missing-host"),
        ("GET /ping HTTP/1.1\r\nHost: \r\n\r\n", 400, "missing-host"),
        ("GET /ping HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "missing-host"),
        ("GET /ping HTTP/1.1\r\nHost: user@localhost\r\n\r\n", 400, "missing-host"),
        ("GET /ping HTTP/1.1\r\nHost: localhost/path\r\n\r\n", 400, "missing-host"),
        ("GET /ping HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421, "unknown-host"),
        ("GET http://evil.example/ping HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "missing-host"),
        ("GET http://evil.example/ping HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421, "unknown-host"),
    ] {
        check_refused(&server, raw.as_bytes(), status, kind);
    }
    server.assert_no_panic();
}

#[test]
fn methods_that_no_address_takes_are_told_which_it_does() {
    let (_data, server) = server();
    for method in ["PUT", "PATCH", "TRACE", "get", "Post", "PROPFIND", "X", "M-SEARCH", &"A".repeat(300)] {
        for path in ["/streams/s", "/streams/s/0", "/ping", "/streams/s/0/forward/10", "/streams/s/metadata", "*"] {
            let raw = format!("{method} {path} HTTP/1.1\r\n{HOST}\r\n");
            check_refused(&server, raw.as_bytes(), 405, "method-not-allowed");
        }
    }
    check_refused(&server, b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80\r\n\r\n", 405, "method-not-allowed");
    check_refused(&server, format!("GET * HTTP/1.1\r\n{HOST}\r\n").as_bytes(), 405, "method-not-allowed");
    let reply = check_raw(&server, format!("OPTIONS * HTTP/1.1\r\n{HOST}\r\n").as_bytes());
    assert_eq!((reply.status, reply.header("allow")), (204, Some("DELETE, GET, HEAD, OPTIONS, POST, PUT")));
    server.assert_no_panic();
}

#[test]
fn an_expectation_of_the_protocol_is_100_continue_or_refused() {
    let (_data, server) = server();
    let raw = format!("GET /ping HTTP/1.1\r\n{HOST}Expect: nonsense\r\n\r\n");
    check_refused(&server, raw.as_bytes(), 417, "invalid-header");

    let mut socket = TcpStream::connect(server.address).expect("it listens");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let head = "Content-Type: text/plain\r\nContent-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n";
    write!(socket, "POST /streams/continued HTTP/1.1\r\n{HOST}{head}").expect("it reads");
    let mut interim = [0; 25];
    socket.read_exact(&mut interim).expect("an interim answer");
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    socket.write_all(b"ok").expect("it reads");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
}

#[test]
fn paths_that_address_nothing_say_why() {
    let (_data, server) = server();
    let long = format!("/streams/{}", "a".repeat(501));
    let digits = "٣";
    let arabic: String = digits.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let arabic = format!("/streams/s/{arabic}");
    for (path, status, kind) in [
        ("/nothing", 404, "unknown-address"),
        ("/streams", 404, "unknown-address"),
        ("/streams/s/0/sideways/10", 404, "unknown-address"),
        ("/streams/s/0/forward/10/more", 404, "unknown-address"),
        ("/problems/unheard-of", 404, "unknown-address"),
        ("/streams/", 400, "invalid-address"),
        ("/streams//0", 400, "invalid-address"),
        ("/streams/%FF", 400, "invalid-address"),
        ("/streams/%C3%28", 400, "invalid-address"),
        ("/streams/%ED%A0%80", 400, "invalid-address"),
        ("/streams/%", 400, "invalid-address"),
        ("/streams/%4", 400, "invalid-address"),
        ("/streams/%zz", 400, "invalid-address"),
        ("/streams/a%00b", 400, "invalid-address"),
        ("/streams/a%0Ab", 400, "invalid-address"),
        ("/streams/..", 400, "invalid-address"),
        ("/streams/a%2F..%2Fb", 400, "invalid-address"),
        (&long, 400, "invalid-address"),
        (&arabic, 400, "invalid-address"),
        ("/streams/s/-1", 400, "invalid-address"),
        ("/streams/s/+1", 400, "invalid-address"),
        ("/streams/s/01", 400, "invalid-address"),
        ("/streams/s/1e3", 400, "invalid-address"),
        ("/streams/s/1.5", 400, "invalid-address"),
        ("/streams/s/0x10", 400, "invalid-address"),
        ("/streams/s/9223372036854775807", 404, "event-not-found"),
        ("/streams/s/9223372036854775808", 400, "invalid-address"),
        ("/streams/s/18446744073709551616", 400, "invalid-address"),
        ("/streams/s/99999999999999999999999999999999999", 400, "invalid-address"),
        ("/streams/s/0/forward/0", 400, "invalid-address"),
        ("/streams/s/0/forward/4097", 400, "invalid-address"),
        ("/streams/s/0/forward/1000000000", 400, "invalid-address"),
        ("/streams/s/0/forward/18446744073709551616", 400, "invalid-address"),
        ("/streams/s/0/forward/-1", 400, "invalid-address"),
        ("/streams/s/0/backward/0", 400, "invalid-address"),
        ("/streams/s/0/0", 400, "invalid-address"),
        ("/streams/s/head/forward/10", 400, "invalid-address"),
        ("/streams/$all/0000000000000000000000000000000A", 400, "invalid-address"),
        ("/streams/$all/0000000000000001000000000000000A/forward/10", 400, "invalid-address"),
        ("/streams/$all/FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF/forward/10", 400, "invalid-address"),
        ("/streams/s?embed=some", 400, "invalid-address"),
        ("/streams/s?format=pdf", 400, "invalid-address"),
        ("/streams/s?wait=soon", 400, "invalid-address"),
        ("/streams/s?wait=-1", 400, "invalid-address"),
        ("/streams/s?wait=%D9%A3", 400, "invalid-address"),
    ] {
        check_refused(&server, format!("GET {path} HTTP/1.1\r\n{HOST}\r\n").as_bytes(), status, kind);
    }
    for path in [
        "/streams/s/0/forward/4096",
        "/streams/s/9223372036854775807/forward/4096",
        "/streams/s/9223372036854775807/backward/4096",
        "/streams/$all/7FFFFFFFFFFFFFFF7FFFFFFFFFFFFFFF/backward/4096",
        "/streams/$all/7fffffffffffffff7fffffffffffffff/forward/4096",
        "/streams/s?wait=0",
        "/streams/s?unknown=%FF&%zz",
    ] {
        for accept in ["application/atom+xml", "application/vnd.eventstore.atom+json"] {
            let raw = format!("GET {path} HTTP/1.1\r\n{HOST}Accept: {accept}\r\n\r\n");
            assert_eq!(check_raw(&server, raw.as_bytes()).status, 200, "{path}");
        }
    }
    server.assert_no_panic();
}

#[test]
fn bytes_of_a_path_that_are_no_text_are_refused() {
    let (_data, server) = server();
    for path in [&b"/streams/\xff"[..], b"/streams/\xc3", b"/streams/a?\xff", b"/streams/a#b"] {
        let raw = [b"GET ", path, b" HTTP/1.1\r\nHost: localhost\r\n\r\n"].concat();
        let reply = check_raw(&server, &raw);
        assert!(matches!(reply.status, 400 | 404), "{} {}", reply.status, reply.text());
    }
    server.assert_no_panic();
}

#[test]
fn bodies_that_are_not_what_they_say_are_refused_with_the_place() {
    let (_data, server) = server();
    let batch = "application/vnd.eventstore.events+json";
    for (media_type, body, line, column) in [
        ("application/json", &b"{\n  \"a\": tru\n}"[..], 2, 8),
        ("application/json", b"", 1, 1),
        ("application/json", b"[1,]", 1, 4),
        ("application/json", b"1 2", 1, 3),
        ("application/json", b"\"\xff\"", 1, 2),
        ("application/vnd.shop.order+json", b"nope", 1, 1),
        (batch, b"{\"eventType\":\"t\"}", 1, 1),
        (batch, b"[]", 1, 1),
        (batch, b"[\n{\"eventType\":\"t\",\n\"data\":}]", 3, 8),
        (batch, b"[{\"eventId\":\"no\",\"eventType\":\"t\"}]", 1, 13),
    ] {
        let reply = server.post("/streams/s", &[("Content-Type", media_type)], body);
        check(&reply, media_type);
        assert_eq!(reply.status, 400, "{}", reply.text());
        let problem = reply.json();
        let place = (problem["line"].as_u64(), problem["column"].as_u64());
        assert_eq!(place, (Some(line), Some(column)), "{problem}");
    }
    let deep = "[".repeat(100_000);
    let reply = server.post("/streams/s", &[("Content-Type", "application/json")], deep.as_bytes());
    check(&reply, "deep");
    assert_eq!(reply.status, 400);
    let twice = "{\"eventId\":\"11111111-1111-4111-8111-111111111111\",\"eventType\":\"t\"}";
    let reply = server.post("/streams/s", &[("Content-Type", batch)], format!("[{twice},{twice}]").as_bytes());
    check(&reply, "twice");
    assert_eq!((reply.status, reply.reason.as_str()), (400, "Wrong expected EventNumber"));
    assert_eq!(server.events(), 1, "nothing was written");
    server.assert_no_panic();
}

#[test]
fn media_types_that_cannot_be_taken_are_refused() {
    let (_data, server) = server();
    for media_type in [
        "nonsense",
        "application/",
        "application/vnd.eventstore.atom+json",
        "application/vnd.kurrent.whatever",
        "application/atom+xml;type=entry;charset=utf-16",
        "application/cloudevents+xml",
        "application/x-ndjson; charset=latin1",
        "application/json; charset=utf-16",
    ] {
        let reply = server.post("/streams/s", &[("Content-Type", media_type)], b"1");
        check(&reply, media_type);
        assert_eq!(reply.status, 415, "{media_type}");
    }
    let reply = server.post("/streams/s", &[], b"1");
    check(&reply, "none");
    assert_eq!(reply.status, 415);
    let batch = [("Content-Type", "application/vnd.eventstore.events+json")];
    let reply = server.post("/streams/s/incoming/11111111-1111-4111-8111-111111111111", &batch, b"[]");
    check(&reply, "a batch");
    assert_eq!(reply.status, 415);
    assert_eq!(server.events(), 1);
    server.assert_no_panic();
}

#[test]
fn headers_that_contradict_each_other_or_mean_nothing_are_refused() {
    let (_data, server) = server();
    let (one, two) = ("11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222");
    let long_type = "t".repeat(501);
    for headers in [
        &[("ES-EventId", "no uuid")][..],
        &[("ES-EventId", "00000000-0000-0000-0000-000000000000")],
        &[("ES-EventId", one), ("Kurrent-EventId", two)],
        &[("ES-EventId", one), ("ES-EventId", two)],
        &[("ES-EventId", one), ("Idempotency-Key", "k")],
        &[("Idempotency-Key", "")],
        &[("ES-EventType", &long_type)],
        &[("ES-EventType", "")],
        &[("ES-EventType", "a"), ("Kurrent-EventType", "b")],
        &[("ES-ExpectedVersion", "soon")],
        &[("ES-ExpectedVersion", "-3")],
        &[("ES-ExpectedVersion", "-5")],
        &[("ES-ExpectedVersion", "9223372036854775808")],
        &[("ES-ExpectedVersion", "0"), ("Kurrent-ExpectedVersion", "1")],
        &[("ES-ExpectedVersion", "0"), ("If-None-Match", "*")],
        &[("If-Match", "*"), ("If-None-Match", "*")],
        &[("If-None-Match", "\"0-1\"")],
        &[("If-Match", "no quotes")],
        &[("If-Match", "*, \"0-1\"")],
        &[("ES-EventType", "t\u{85}")],
    ] {
        let mut all = vec![("Content-Type", "text/plain")];
        all.extend_from_slice(headers);
        let reply = server.post("/streams/s", &all, b"x");
        check(&reply, &format!("{headers:?}"));
        assert_eq!(reply.status, 400, "{headers:?} {}", reply.text());
        assert!(reply.text().contains("/ui/problems/invalid-header"), "{}", reply.text());
    }
    let path = format!("/streams/s/incoming/{one}");
    let reply = server.post(&path, &[("Content-Type", "text/plain"), ("ES-EventId", two)], b"x");
    assert_eq!(reply.status, 400, "{}", reply.text());
    for id in ["no", "00000000-0000-0000-0000-000000000000"] {
        let reply = server.post(&format!("/streams/s/incoming/{id}"), &[("Content-Type", "text/plain")], b"x");
        check(&reply, id);
        assert_eq!(reply.status, 400);
    }
    assert_eq!(server.events(), 1);
    server.assert_no_panic();
}
