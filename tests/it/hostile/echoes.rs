//! What comes back of what was sent: never a header of its own, never another stream, never a file.

use super::{Attacked, HOST, TEXT};
use crate::support::{check, exchange};

/// Ends of lines, in the spellings that somebody may take for one.
const ENDS: [&str; 9] =
    ["%0d%0a", "%0D%0A", "%0a", "%0d", "%00", "%E2%80%A8", "%C2%85", "%250d%250a", "%E5%98%8D%E5%98%8A"];

#[test]
fn no_value_becomes_a_header() {
    let attacked = Attacked::new(&[]);
    let server = &attacked.server;
    let mut written = 1;
    for end in ENDS {
        let name = format!("a{end}X-Injected:%20yes");
        let get = |path: &str| server.get(path, &[]);
        for reply in [
            get(&format!("/streams/{name}")),
            get(&format!("/streams/{name}/")),
            get(&format!("/streams/s/{name}")),
            get(&format!("/streams/s?format={name}")),
            get(&format!("/streams/s?embed={name}")),
            get(&format!("/{name}")),
            get(&format!("/ui/streams/{name}")),
            get(&format!("/ui/problems/{name}")),
            server.post("/streams/slug", &[TEXT, ("Slug", &name)], end.as_bytes()),
            server.post(&format!("/streams/{name}"), &[TEXT], end.as_bytes()),
            server.post("/streams/s", &[TEXT, ("ES-EventId", &name)], b"x"),
            server.post("/streams/s", &[TEXT, ("ES-ExpectedVersion", &name)], b"x"),
            server.post("/streams/type", &[TEXT, ("ES-EventType", &name)], end.as_bytes()),
            server.post("/streams/key", &[TEXT, ("Idempotency-Key", &name)], end.as_bytes()),
        ] {
            check(&reply, end);
            assert_eq!(reply.header("x-injected"), None, "{end}");
            assert!(reply.headers.iter().all(|(_, value)| !value.contains("X-Injected: yes")), "{end} {reply:#?}");
            written += u64::from(reply.status == 201);
        }
    }
    // In a header itself such an end is one, or breaks it: then it is refused.
    for raw in [
        "Slug: a\rX-Injected: yes\r\n",
        "Slug: a\0b\r\n",
        "Slug: a\r\n folded\r\n",
        "Slug: \u{2028}\r\n",
        "Slug: \u{85}X-Injected: yes\r\n",
    ] {
        let raw =
            format!("POST /streams/raw HTTP/1.1\r\n{HOST}Content-Type: text/plain\r\nContent-Length: 1\r\n{raw}\r\nx");
        let reply = exchange(server.address, raw.as_bytes()).expect("an answer");
        check(&reply, &raw);
        assert!(matches!(reply.status, 201 | 400) && reply.header("x-injected").is_none(), "{raw:?} {}", reply.status);
        written += u64::from(reply.status == 201);
    }
    let long = "x".repeat(30_000);
    let reply = server.post("/streams/slug", &[TEXT, ("Slug", &long)], b"long");
    check(&reply, "a slug of 30 kB");
    written += u64::from(reply.status == 201);
    attacked.check_unharmed_with(written, 32);
}

#[test]
fn a_name_is_one_name_however_it_is_spelt() {
    let attacked = Attacked::new(&[]);
    let get = |path: &str| {
        let raw = format!("GET {path} HTTP/1.1\r\n{HOST}Accept: application/atom+xml\r\n\r\n");
        let reply = exchange(attacked.server.address, raw.as_bytes()).expect("an answer");
        check(&reply, path);
        reply.status
    };
    for (path, status) in [
        ("/streams/s", 200),
        ("/streams/%73", 200),
        ("/streams/%2573", 404),
        ("/streams/s%00", 400),
        ("/streams/s%2500", 404),
        ("/streams/.", 400),
        ("/streams/..", 400),
        ("/streams/%2e", 400),
        ("/streams/%2e%2e", 400),
        ("/streams/%2E%2E%2Fs", 400),
        ("/streams/x/../s", 404),
        ("/streams/x/%2e%2e/s", 404),
        ("/../streams/s", 404),
        ("/./streams/s", 404),
        ("//streams/s", 404),
        ("/streams//s", 400),
        ("/streams/s//0", 404),
        ("/streams/%252e%252e", 404),
        ("/streams/..%5C..%5Cetc", 404),
        ("/streams/%2Fetc%2Fpasswd", 404),
        ("/streams/..%2F..%2Fetc%2Fpasswd", 400),
        ("/streams/%c0%ae%c0%ae", 400),
        ("/streams/%c0%af", 400),
        ("/streams/s;x=y", 404),
        ("/streams/s%3Fformat=atom", 404),
        ("/streams/s%23", 404),
        ("/streams/S", 404),
        ("/streams/s%20", 404),
        ("/streams/%20s", 404),
        ("/streams/s.", 404),
        ("/STREAMS/s", 404),
        ("/%73treams/s", 200),
        ("/streams/%u0073", 400),
        ("/streams/s/0/data/../../../info", 404),
        ("/ui/../info", 404),
        ("/ui/%2e%2e/info", 404),
        ("/ui/static/../../data", 404),
    ] {
        let got = get(path);
        // What is no address of ours and what is no name are both refused; which of them it is does no harm.
        assert!(got == status || (status != 200 && matches!(got, 400 | 404)), "{path} {got}");
    }
    attacked.check_unharmed(16);
}
