//! Requests that two readers could read in two ways: each is answered once, and what hides behind it is never asked.

use std::io::Write;

use super::{Attacked, HOST};
use crate::support::socket::{connect, rest};

/// What somebody hopes will be taken for a request of its own.
const HIDDEN: &str = "POST /streams/smuggled HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx";

/// Requests as they are sent, and which statuses are right. None of them gets a second answer.
pub(super) fn cases() -> Vec<(String, Vec<u8>, &'static [u16])> {
    let mut cases = Vec::new();
    let hidden_length = HIDDEN.len() + 5;
    // Two lengths, or a length in a form that not everybody reads alike.
    for length in [
        "Content-Length: 0\r\nContent-Length: 5\r\n".to_string(),
        format!("Content-Length: 5\r\nContent-Length: {hidden_length}\r\n"),
        "Content-Length: 5, 5\r\n".into(),
        "Content-Length: +5\r\n".into(),
        "Content-Length: -5\r\n".into(),
        "Content-Length: 0x5\r\n".into(),
        "Content-Length: 5 0\r\n".into(),
        "Content-Length: 5;\r\n".into(),
        "Content-Length: \"5\"\r\n".into(),
        "Content-Length:\r\n".into(),
        "Content-Length: 18446744073709551621\r\n".into(),
        "Content-Length : 5\r\n".into(),
        "Content-Length\t: 5\r\n".into(),
        "Content-Length: 5\r\n Content-Length: 0\r\n".into(),
        "Content-Length: \r\n 5\r\n".into(),
        "Content-Length: 5\rContent-Length: 0\r\n".into(),
        "Content-Length: 5\0\r\n".into(),
    ] {
        cases.push((length.clone(), with(&length, &format!("hello{HIDDEN}")), &[400][..]));
    }
    // A coding in a form that only one of two readers takes for `chunked`.
    for coding in [
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: identity, chunked\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: \"chunked\"\r\n",
        "Transfer-Encoding: chunked;q=1\r\n",
        "Transfer-Encoding: 'chunked'\r\n",
        "Transfer-Encoding:\r\n",
        "Transfer-Encoding: ,chunked\r\n",
        "Transfer-Encoding: chunked,\r\n",
        "Transfer-Encoding: chu\0nked\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding: \r\n chunked\r\n",
        "X: y\r\n Transfer-Encoding: chunked\r\n",
        "X: y\rTransfer-Encoding: chunked\r\n",
        "Transfer_Encoding: chunked\r\nContent-Length: x\r\n",
        "Transfer-Encoding: \u{b}chunked\r\n",
        "Transfer-Encoding: chunked\u{a0}\r\n",
    ] {
        cases.push((coding.into(), with(coding, &format!("0\r\n\r\n{HIDDEN}")), &[400]));
    }
    // Chunks that are none.
    for chunks in [
        "5\nhello\n0\n\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        " 5\r\nhello\r\n0\r\n\r\n",
        "-1\r\n\r\n",
        "10000000000000005\r\nhello\r\n0\r\n\r\n",
        "5\r\nhelloX\r\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5;\nx\r\nhello\r\n0\r\n\r\n",
        "5;a=\"\n\"\r\nhello\r\n0\r\n\r\n",
        "\r\n5\r\nhello\r\n0\r\n\r\n",
        "g\r\n",
    ] {
        let raw = with("Transfer-Encoding: chunked\r\n", &format!("{chunks}{HIDDEN}"));
        cases.push((format!("chunks {chunks:?}"), raw, &[400]));
    }
    // A length beside `chunked`: that counts, and the connection ends.
    let both = with(
        &format!("Content-Length: {hidden_length}\r\nTransfer-Encoding: chunked\r\n"),
        &format!("0\r\n\r\n{HIDDEN}"),
    );
    cases.push(("both".into(), both, &[201, 400]));
    // Lines and hosts that are none, or too many.
    for (what, raw) in [
        ("no host", "POST /streams/f HTTP/1.1\r\nContent-Length: 0\r\n\r\n".to_string()),
        ("two hosts", format!("GET /ping HTTP/1.1\r\n{HOST}{HOST}\r\n")),
        ("many hosts", format!("GET /ping HTTP/1.1\r\n{}\r\n", HOST.repeat(40))),
        ("a list of hosts", "GET /ping HTTP/1.1\r\nHost: localhost, evil.example\r\n\r\n".into()),
        ("a host with a path", "GET /ping HTTP/1.1\r\nHost: localhost/evil\r\n\r\n".into()),
        ("a host with a user", "GET /ping HTTP/1.1\r\nHost: evil@localhost\r\n\r\n".into()),
        ("another host in the target", format!("GET http://evil.example/ping HTTP/1.1\r\n{HOST}\r\n")),
        ("a folded line", format!("GET /ping HTTP/1.1\r\n{HOST}X: y\r\n\tz\r\n\r\n")),
        ("a folded host", "GET /ping HTTP/1.1\r\nHost:\r\n localhost\r\n\r\n".into()),
        ("a space before the first header", format!("GET /ping HTTP/1.1\r\n X: y\r\n{HOST}\r\n")),
        ("a header without a name", format!("GET /ping HTTP/1.1\r\n: y\r\n{HOST}\r\n")),
        ("a header without a colon", format!("GET /ping HTTP/1.1\r\nX\r\n{HOST}\r\n")),
        ("a space in the target", format!("GET /ping x HTTP/1.1\r\n{HOST}\r\n")),
        ("HTTP/1.2 and more", format!("GET /ping HTTP/1.1 HTTP/1.1\r\n{HOST}\r\n")),
        ("no version", format!("GET /ping\r\n{HOST}\r\n")),
        ("HTTP/3", format!("GET /ping HTTP/3.0\r\n{HOST}\r\n")),
    ] {
        cases.push((what.into(), [raw.as_bytes(), HIDDEN.as_bytes()].concat(), &[400, 421]));
    }
    cases
}

/// An append with these headers and this body, on a connection that could go on.
fn with(headers: &str, body: &str) -> Vec<u8> {
    format!("POST /streams/f HTTP/1.1\r\n{HOST}Content-Type: text/plain\r\n{headers}\r\n{body}").into_bytes()
}

/// How many answers these bytes hold, and the status of the first.
pub(super) fn answers(bytes: &[u8]) -> (usize, Option<u16>) {
    let text = String::from_utf8_lossy(bytes);
    let status = text.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).and_then(|digits| digits.parse().ok());
    let is_status = |rest: &&str| rest.as_bytes().first().is_some_and(u8::is_ascii_digit);
    (text.split("HTTP/1.1 ").skip(1).filter(is_status).count(), status)
}

#[test]
fn what_can_be_read_in_two_ways_has_one_answer_and_hides_nothing() {
    let attacked = Attacked::new(&[("timeouts.idle", "1s"), ("timeouts.head", "1s"), ("timeouts.body", "1s")]);
    let cases = cases();
    assert!(cases.len() >= 50, "{}", cases.len());
    let mut written = 1;
    for (what, raw, statuses) in &cases {
        let mut socket = connect(&attacked.server);
        // Who refuses early may close before all is written.
        let _ = socket.write_all(raw);
        let received = rest(&mut socket);
        let (count, status) = answers(&received);
        assert!(
            count == 1 && status.is_some_and(|status| statuses.contains(&status)),
            "{what:?}: {}",
            String::from_utf8_lossy(&received)
        );
        written += u64::from(status == Some(201));
        assert_eq!(attacked.server.get("/streams/smuggled", &[]).status, 404, "{what:?}");
    }
    attacked.check_unharmed_with(written, 32);
}

/// A line may end in LF alone (RFC 9112 §2.2); what it says is then read as if it ended in both.
#[test]
fn bare_line_feeds_end_a_line_and_nothing_else() {
    let attacked = Attacked::new(&[]);
    let mut socket = connect(&attacked.server);
    let raw = "GET /ping HTTP/1.1\nHost: localhost\nConnection: close\n\n";
    socket.write_all(raw.as_bytes()).expect("it reads");
    assert_eq!(answers(&rest(&mut socket)), (1, Some(200)));
    attacked.check_unharmed(16);
}

/// The target names the host as well (RFC 9112 §3.2.2), and both must be ours.
#[test]
fn an_absolute_target_is_its_path_if_its_host_is_ours() {
    let attacked = Attacked::new(&[]);
    for (target, host, status) in [
        ("http://localhost/ping", "localhost", 200),
        ("http://localhost/streams/s", "localhost", 200),
        ("http://LOCALHOST/ping", "localhost", 200),
        ("http://localhost/ping", "127.0.0.1", 400),
        ("http://evil.example/ping", "localhost", 400),
        ("http://localhost/ping", "evil.example", 400),
        ("http://evil.example/ping", "evil.example", 421),
        ("http://user@localhost/ping", "localhost", 400),
        ("ftp://localhost/ping", "localhost", 400),
        ("http:///ping", "localhost", 400),
        ("localhost:80", "localhost", 400),
    ] {
        let mut socket = connect(&attacked.server);
        write!(socket, "GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").expect("it reads");
        let received = rest(&mut socket);
        assert_eq!(answers(&received), (1, Some(status)), "{target} {host} {}", String::from_utf8_lossy(&received));
    }
    attacked.check_unharmed(16);
}
