//! Pages of many megabytes are sent as they are made, in every coding, and only so many at once.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::support::{PATIENCE, Reply, TestServer, check, request};

const EVENTS: &str = "application/vnd.eventstore.events+json";
const COUNT: u8 = 6;
const EVENT_BYTES: usize = 4 << 20;

/// Six events of 4 MiB, which no coding makes much smaller.
fn start() -> (tempfile::TempDir, TestServer) {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(data.path(), &[]);
    let mut state = 1_u64;
    for _ in 0..COUNT {
        let body: Vec<u8> = (0..EVENT_BYTES / 8)
            .flat_map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 8).to_le_bytes()
            })
            .collect();
        let reply = server.post("/streams/s", &[("Content-Type", "application/octet-stream")], &body);
        assert_eq!(reply.status, 201, "{}", reply.text());
    }
    (data, server)
}

fn get(server: &TestServer, path: &str, headers: &[(&str, &str)]) -> Reply {
    let reply = server.get(path, headers);
    check(&reply, path);
    reply
}

#[test]
fn a_page_over_16_mib_is_streamed_in_every_coding() {
    let (_data, server) = start();
    for (path, accept) in [
        ("/streams/s/0/forward/6", EVENTS),
        ("/streams/s/0/forward/6", "application/x-ndjson"),
        ("/streams/%24all/0/forward/6.atom", "application/atom+xml"),
    ] {
        let plain = get(&server, path, &[("Accept", accept)]);
        assert_eq!(plain.status, 200);
        let is_large = plain.header("content-length").is_none();
        assert!(is_large, "{path} is sent in pieces");
        for coding in ["gzip", "zstd"] {
            let reply = get(&server, path, &[("Accept", accept), ("Accept-Encoding", coding)]);
            assert_eq!(reply.header("content-encoding"), Some(coding));
            let mut decoded = Vec::new();
            match coding {
                "gzip" => drop(flate2::read::GzDecoder::new(&reply.body[..]).read_to_end(&mut decoded).expect("gzip")),
                _ => decoded = zstd::stream::decode_all(&reply.body[..]).expect("zstd"),
            }
            assert!(decoded == plain.body, "{path} {coding}");
            let tag = reply.header("etag").expect("a tag");
            let again = get(&server, path, &[("Accept", accept), ("Accept-Encoding", coding), ("If-None-Match", tag)]);
            assert_eq!(again.status, 304);
            let head = request(server.address, "HEAD", path, &[("Accept", accept), ("Accept-Encoding", coding)], b"");
            check(&head, path);
            assert_eq!((head.status, head.header("etag")), (200, Some(tag)));
            assert_eq!(head.header("cache-control"), reply.header("cache-control"));
        }
    }
    let page = get(&server, "/streams/s/0/forward/6", &[("Accept", EVENTS)]);
    let numbers: Vec<u64> = page
        .json()
        .as_array()
        .expect("an array")
        .iter()
        .map(|event| event["eventNumber"].as_u64().expect("a number"))
        .collect();
    assert_eq!(numbers, (0..COUNT.into()).collect::<Vec<u64>>());
    server.assert_no_panic();
}

#[test]
fn eight_at_once_and_no_more() {
    let (_data, server) = start();
    let ask = || {
        let mut socket = TcpStream::connect(server.address).expect("it listens");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let head = format!("Host: localhost\r\nAccept: {EVENTS}\r\nConnection: close\r\n\r\n");
        write!(socket, "GET /streams/s/0/forward/6 HTTP/1.1\r\n{head}").expect("it reads");
        let mut some = [0; 12];
        socket.read_exact(&mut some).expect("an answer");
        assert_eq!(&some, b"HTTP/1.1 200");
        socket
    };
    // Nobody reads on, so all of them stay under way.
    let mut readers: Vec<TcpStream> = (0..8).map(|_| ask()).collect();
    let ninth = get(&server, "/streams/s/0/forward/6", &[("Accept", EVENTS)]);
    assert_eq!(ninth.status, 503);
    assert!(ninth.text().contains("/ui/problems/too-many-large-pages"), "{}", ninth.text());
    // Other pages, appends and questions about it are not affected.
    assert_eq!(get(&server, "/streams/s/0/forward/1.atom", &[]).status, 200);
    assert_eq!(get(&server, "/streams/s/0/forward/6", &[("Accept", EVENTS), ("If-None-Match", "*")]).status, 304);
    for reader in &mut readers {
        let mut received = 0;
        let mut buffer = vec![0; 1 << 20];
        while let Ok(bytes @ 1..) = reader.read(&mut buffer) {
            received += bytes;
        }
        assert!(received > usize::from(COUNT) * EVENT_BYTES, "each of them gets all of it: {received}");
    }
    assert_eq!(get(&server, "/streams/s/0/forward/6", &[("Accept", EVENTS)]).status, 200);
    server.assert_no_panic();
}
