//! Which representation and which coding is sent, what else exists, and which methods an address takes.

use crate::support::{Reply, TestServer, check, request};

const ALL: &[&str] = &[
    "application/atom+xml",
    "application/vnd.eventstore.atom+json",
    "application/vnd.kurrent.atom+json",
    "application/json",
    "application/vnd.eventstore.events+json",
    "application/vnd.kurrent.events+json",
    "application/cloudevents-batch+json",
    "application/x-ndjson",
    "application/vnd.eventstore.event+json",
    "application/vnd.kurrent.event+json",
    "text/xml",
    "application/xml",
    "application/vnd.eventstore.events+xml",
    "application/vnd.eventstore.event+xml",
];

fn server() -> (tempfile::TempDir, TestServer) {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(data.path(), &[]);
    for (media_type, body) in [("application/json", &b" {\"a\":1}"[..]), ("text/plain", b"text")] {
        assert_eq!(server.post("/streams/s", &[("Content-Type", media_type)], body).status, 201);
    }
    (data, server)
}

#[track_caller]
fn get(server: &TestServer, path: &str, headers: &[(&str, &str)]) -> Reply {
    let reply = server.get(path, headers);
    check(&reply, &format!("{path} {headers:?}"));
    reply
}

fn essence(reply: &Reply) -> &str {
    reply.header("content-type").unwrap_or_default().split(';').next().unwrap_or_default()
}

#[test]
fn rfc9110_accept_decides_by_quality_precision_and_order() {
    let (_data, server) = server();
    for (accept, expected) in [
        ("*/*", "application/atom+xml"),
        ("", "application/atom+xml"),
        ("application/*", "application/atom+xml"),
        ("text/html;q=0.1, */*", "application/atom+xml"),
        ("application/json", "application/json"),
        ("Application/JSON", "application/json"),
        ("application/json, text/plain, */*", "application/json"),
        ("application/json;q=0.5, application/atom+xml;q=0.4", "application/json"),
        ("application/json; charset=utf-8; q=0.9, application/atom+xml; q=0.1", "application/json"),
        ("application/atom+xml;q=0, */*", "application/vnd.eventstore.atom+json"),
        ("application/atom+xml;type=feed", "application/atom+xml"),
        ("application/vnd.kurrent.atom+json", "application/vnd.kurrent.atom+json"),
        ("application/vnd.kurrent.events+json", "application/vnd.kurrent.events+json"),
        ("application/cloudevents-batch+json", "application/cloudevents-batch+json"),
        ("application/x-ndjson, */*;q=0.1", "application/x-ndjson"),
        ("application/cloudevents+json, application/x-ndjson;q=0.1", "application/x-ndjson"),
    ] {
        for path in ["/streams/s", "/streams/s/0/forward/10", "/streams/%24all"] {
            let reply = get(&server, path, &[("Accept", accept)]);
            assert_eq!((reply.status, essence(&reply)), (200, expected), "{path} {accept:?}");
            assert_eq!(reply.header("vary"), Some("Accept, Accept-Encoding"));
        }
    }
    let reply = get(&server, "/streams/s", &[]);
    assert_eq!(essence(&reply), "application/atom+xml", "no Accept at all");
    let reply = get(&server, "/streams/s", &[("Accept", "image/png"), ("Accept", "application/json")]);
    assert_eq!(essence(&reply), "application/json", "in several lines");
}

#[test]
fn what_does_not_exist_is_406_and_lists_what_does() {
    let (_data, server) = server();
    let at_a_stream = [ALL, &["text/event-stream"]].concat();
    for (path, available) in [("/streams/s", &at_a_stream[..]), ("/streams/s/0/forward/10", ALL)] {
        for accept in ["image/png", "application/json;q=0", "image/*", "*/*;q=0", "nonsense"] {
            let reply = get(&server, path, &[("Accept", accept)]);
            assert_eq!(reply.status, 406, "{path} {accept}");
            assert_eq!(reply.json()["available"], serde_json::json!(available));
        }
    }
    let reply = get(&server, "/streams/s/1", &[("Accept", "application/json")]);
    assert_eq!(reply.status, 406, "an event that is not JSON has no JSON form");
    let reply = get(&server, "/streams/s?format=text", &[]);
    assert_eq!(reply.status, 406);
    // The bytes are what they are.
    let reply = get(&server, "/streams/s/1/data", &[("Accept", "application/json")]);
    assert_eq!((reply.status, essence(&reply)), (200, "text/plain"));
}

#[test]
fn a_suffix_or_format_decides_whatever_accept_says() {
    let (_data, server) = server();
    for (path, expected) in [
        ("/streams/s?format=atom", "application/atom+xml"),
        ("/streams/s?format=json", "application/json"),
        ("/streams/s?format=atomxj", "application/vnd.eventstore.atom+json"),
        ("/streams/s/0/forward/10.atom", "application/atom+xml"),
        ("/streams/s/0/forward/10.json", "application/json"),
        ("/streams/s/0.atom", "application/atom+xml"),
        ("/streams/s/0.json", "application/json"),
        ("/streams/s/0?format=atom", "application/atom+xml"),
        ("/streams/s?format=ndjson", "application/x-ndjson"),
        ("/streams/s/0/forward/10?format=ndjson", "application/x-ndjson"),
        ("/streams/s/0?format=ndjson", "application/x-ndjson"),
        ("/streams/s/0/forward/10?format=cloudevents", "application/cloudevents-batch+json"),
        ("/streams/s/1?format=cloudevents", "application/cloudevents+json"),
    ] {
        let bodies: Vec<Vec<u8>> = ["application/json", "application/atom+xml", "image/png", "*/*;q=0"]
            .iter()
            .map(|accept| {
                let reply = get(&server, path, &[("Accept", accept)]);
                assert_eq!((reply.status, essence(&reply)), (200, expected), "{path} {accept}");
                let vary = reply.header("vary");
                assert!(matches!(vary, Some("Accept-Encoding") | None), "{path} does not vary by Accept: {vary:?}");
                reply.body
            })
            .collect();
        assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]), "{path}");
    }
    assert_eq!(get(&server, "/streams/s/0.json", &[]).body, b" {\"a\":1}", "byte for byte");
}

#[test]
fn codings_decode_to_the_identity_bytes() {
    use std::io::Read;
    let (_data, server) = server();
    for path in ["/streams/s", "/streams/s/0/forward/2.atom", "/streams/s/0.atom", "/streams/s/0?format=ndjson"] {
        let plain = get(&server, path, &[]);
        assert_eq!(plain.header("content-encoding"), None);
        for (accepted, expected) in [
            ("gzip", Some("gzip")),
            ("zstd", Some("zstd")),
            ("gzip, deflate, br, zstd", Some("zstd")),
            ("zstd;q=0.1, gzip;q=0.9", Some("gzip")),
            ("*", Some("zstd")),
            ("br", None),
            ("identity", None),
            ("gzip;q=0", None),
            ("nonsense;q=x", None),
        ] {
            let reply = get(&server, path, &[("Accept-Encoding", accepted)]);
            assert_eq!(reply.header("content-encoding"), expected, "{accepted}");
            assert!(reply.header("vary").is_some_and(|vary| vary.contains("Accept-Encoding")));
            let decoded = match expected {
                Some("gzip") => {
                    let mut decoded = Vec::new();
                    flate2::read::GzDecoder::new(&reply.body[..]).read_to_end(&mut decoded).expect("gzip");
                    decoded
                }
                Some(_) => zstd::stream::decode_all(&reply.body[..]).expect("zstd"),
                None => reply.body.clone(),
            };
            assert!(decoded == plain.body, "{path} {accepted}");
            let has_its_own_tag = reply.header("etag") != plain.header("etag");
            assert_eq!(has_its_own_tag, expected.is_some(), "{path} {accepted}");
        }
    }
}

#[test]
fn options_and_405_name_the_methods_of_every_address() {
    let (_data, server) = server();
    let id = "11111111-1111-4111-8111-111111111111";
    let incoming = format!("/streams/s/incoming/{id}");
    let read = "GET, HEAD, OPTIONS";
    let event = "DELETE, GET, HEAD, OPTIONS";
    let form = "GET, HEAD, OPTIONS, POST";
    for (path, allowed) in [
        ("/streams/s", "DELETE, GET, HEAD, OPTIONS, POST"),
        ("/streams/none", "DELETE, GET, HEAD, OPTIONS, POST"),
        ("/streams/%24all", "DELETE, GET, HEAD, OPTIONS, POST"),
        (&incoming, "OPTIONS, POST"),
        ("/streams/s/0", event),
        ("/streams/s/0.atom", event),
        ("/streams/s/0/data", read),
        ("/streams/s/head", event),
        ("/streams/s/0/forward/10", read),
        ("/streams/s/head/backward/10.atom", read),
        ("/streams/s/0/10", read),
        ("/streams/s/metadata", "GET, HEAD, OPTIONS, POST"),
        ("/info", read),
        ("/ping", read),
        ("/health/live", read),
        ("/health/ready", read),
        ("/metrics", read),
        ("/admin/stats", read),
        ("/admin/stats/seconds", read),
        ("/admin/scavenge", "GET, HEAD, OPTIONS, POST"),
        ("/admin/compact", "GET, HEAD, OPTIONS, POST"),
        ("/admin/promote", "OPTIONS, POST"),
        ("/admin/streams", read),
        ("/admin/streams/s", read),
        ("/ui/", form),
        ("/ui/streams/s", form),
        ("/ui/streams/s/0", read),
        ("/ui/problems/too-busy", read),
        ("/ui/everfeed.css", read),
    ] {
        let reply = request(server.address, "OPTIONS", path, &[], b"");
        check(&reply, path);
        assert_eq!((reply.status, reply.header("allow")), (204, Some(allowed)), "{path}");
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "get"] {
            let is_allowed = allowed.split(", ").any(|allowed| allowed == method);
            let reply = request(server.address, method, path, &[], b"");
            check(&reply, &format!("{method} {path}"));
            assert_eq!(reply.status == 405, !is_allowed, "{method} {path} {}", reply.status);
            if !is_allowed {
                assert_eq!(reply.header("allow"), Some(allowed));
            }
        }
    }
}

#[test]
fn a_slash_too_many_is_taken_away() {
    let (_data, server) = server();
    for (path, location) in [
        ("/streams/s/", "/streams/s"),
        ("/streams/$all/?embed=body&x=%22y", "/streams/%24all?embed=body&x=%22y"),
        ("/streams/a%2fb/", "/streams/a%2Fb"),
        ("/streams/s/0/forward/10.atom/", "/streams/s/0/forward/10.atom"),
        ("/streams/s/0/", "/streams/s/0"),
        ("/ping/", "/ping"),
        ("/streams/s/?x=%3Cscript%3E", "/streams/s?x=%3Cscript%3E"),
    ] {
        let reply = get(&server, path, &[]);
        assert_eq!(reply.status, 307, "{path}");
        let expected = format!("http://{}{location}", server.address);
        assert_eq!(reply.header("location"), Some(expected.as_str()), "{path}");
    }
    let reply = get(&server, "//evil.example/", &[]);
    assert_eq!(reply.status, 404);
}
