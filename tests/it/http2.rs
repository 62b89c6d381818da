//! HTTP/2 with prior knowledge: the same answers, many at once on one connection.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::SendRequest;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::{PATIENCE, Reply, TestServer, check};

const TEXT: (&str, &str) = ("content-type", "text/plain");

fn start(settings: &[(&str, &str)]) -> (tempfile::TempDir, TestServer) {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start_with(data.path(), settings);
    (data, server)
}

async fn connect(server: &TestServer) -> SendRequest<Full<Bytes>> {
    let socket = TcpStream::connect(server.address).await.expect("it listens");
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(socket)).await.expect("HTTP/2");
    tokio::spawn(connection);
    sender
}

/// One request on the connection. The answer must satisfy what every answer must.
async fn ask(
    sender: &SendRequest<Full<Bytes>>,
    method: Method,
    url: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Reply {
    let mut request = Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::copy_from_slice(body))).expect("a request");
    let answer = async {
        let response = sender.clone().send_request(request).await.unwrap_or_else(|error| panic!("{url}: {error}"));
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap_or_else(|error| panic!("{url}: {error}")).to_bytes();
        (parts, body)
    };
    let (parts, body) = timeout(PATIENCE, answer).await.expect("an answer in time");
    let text = |value: &hyper::header::HeaderValue| value.to_str().expect("text").to_string();
    let reply = Reply {
        status: parts.status.as_u16(),
        reason: String::new(),
        headers: parts.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
        body: body.to_vec(),
    };
    check(&reply, url);
    reply
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answers_are_those_of_http_1() {
    let (_data, server) = start(&[]);
    let sender = connect(&server).await;
    let base = format!("http://{}", server.address);
    let posted = ask(&sender, Method::POST, &format!("{base}/streams/s"), &[TEXT], b"x").await;
    assert_eq!((posted.status, posted.header("location")), (201, Some(format!("{base}/streams/s/0").as_str())));
    for path in [
        "/streams/s",
        "/streams/s/0.atom",
        "/streams/s/0/data",
        "/streams/s/0/forward/1.atom",
        "/streams/none",
        "/nothing",
    ] {
        let here = ask(&sender, Method::GET, &format!("{base}{path}"), &[("accept-encoding", "gzip")], b"").await;
        let there = server.get(path, &[("Accept-Encoding", "gzip")]);
        assert_eq!(here.status, there.status, "{path}");
        assert!(here.status >= 400 || here.body == there.body, "{path}");
        for name in ["etag", "cache-control", "vary", "content-type", "link", "last-modified", "content-encoding"] {
            assert_eq!(here.header(name), there.header(name), "{name} of {path}");
        }
        let head = ask(&sender, Method::HEAD, &format!("{base}{path}"), &[], b"").await;
        assert_eq!((head.status, head.body.len()), (there.status, 0));
    }
    let refused =
        ask(&sender, Method::POST, &format!("{base}/streams/s"), &[TEXT, ("es-expectedversion", "7")], b"x").await;
    assert_eq!(refused.status, 400);
    let unknown = ask(&sender, Method::GET, "http://evil.example/ping", &[], b"").await;
    assert_eq!(unknown.status, 421);
    let refused = ask(&sender, Method::PATCH, &format!("{base}/streams/s"), &[], b"").await;
    assert_eq!((refused.status, refused.header("allow")), (405, Some("DELETE, GET, HEAD, OPTIONS, POST")));
    server.assert_no_panic();
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_hold_on_each_stream() {
    let (_data, server) = start(&[("limits.body", "1 KiB"), ("limits.head", "8 KiB")]);
    let sender = connect(&server).await;
    let url = format!("http://{}/streams/s", server.address);
    let wide = "x".repeat(9_000);
    assert_eq!(ask(&sender, Method::GET, &url, &[("x", &wide)], b"").await.status, 431);
    let long = format!("{url}?{}", "x".repeat(9_000));
    assert_eq!(ask(&sender, Method::GET, &long, &[], b"").await.status, 414);
    assert_eq!(ask(&sender, Method::POST, &url, &[TEXT], &[b'x'; 1_025]).await.status, 413);
    assert_eq!(ask(&sender, Method::POST, &url, &[TEXT], &[b'x'; 1_024]).await.status, 201, "the connection goes on");
    assert_eq!(server.events(), 1);
    server.assert_no_panic();
}

#[tokio::test(flavor = "multi_thread")]
async fn many_appends_and_reads_share_a_connection() {
    let (_data, server) = start(&[]);
    let sender = connect(&server).await;
    let base = format!("http://{}", server.address);
    let mut asked = tokio::task::JoinSet::new();
    for n in 0..300 {
        let (sender, base) = (sender.clone(), base.clone());
        asked.spawn(async move {
            let url = format!("{base}/streams/s{}", n % 3);
            assert_eq!(ask(&sender, Method::POST, &url, &[TEXT], n.to_string().as_bytes()).await.status, 201);
            assert_eq!(ask(&sender, Method::GET, &url, &[], b"").await.status, 200);
        });
    }
    while let Some(done) = asked.join_next().await {
        done.expect("an answer");
    }
    assert_eq!(server.events(), 300);
    server.assert_no_panic();
}

#[tokio::test(flavor = "multi_thread")]
async fn waits_share_a_connection_with_the_append_that_ends_them() {
    let (_data, server) = start(&[("timeouts.idle", "1s"), ("timeouts.head", "1s")]);
    let sender = connect(&server).await;
    let base = format!("http://{}", server.address);
    assert_eq!(ask(&sender, Method::POST, &format!("{base}/streams/s"), &[TEXT], b"x").await.status, 201);
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (sender, url) = (sender.clone(), format!("{base}/streams/s/1/forward/10.atom?wait=60"));
        waiting.spawn(async move { ask(&sender, Method::GET, &url, &[], b"").await });
    }
    // Longer than a connection may be idle: one with waits on it is not.
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert_eq!(ask(&sender, Method::POST, &format!("{base}/streams/s"), &[TEXT], b"y").await.status, 201);
    while let Some(reply) = waiting.join_next().await {
        assert!(reply.expect("an answer").text().contains("1@s"));
    }
    server.assert_no_panic();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_page_is_streamed() {
    let (_data, server) = start(&[]);
    for n in 0..5_u8 {
        let reply = server.post("/streams/s", &[("Content-Type", "application/octet-stream")], &vec![n; 4 << 20]);
        assert_eq!(reply.status, 201);
    }
    let sender = connect(&server).await;
    let url = format!("http://{}/streams/s/0/forward/5", server.address);
    let headers = [("accept", "application/vnd.eventstore.events+json")];
    let page = ask(&sender, Method::GET, &url, &headers, b"").await;
    assert_eq!(page.status, StatusCode::OK.as_u16());
    assert!(page.body.len() > 20 << 20, "{}", page.body.len());
    assert_eq!(page.json().as_array().map(Vec::len), Some(5));
    server.assert_no_panic();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_takes_nothing_is_cut_off_and_its_connection_goes_on() {
    let (_data, server) = start(&[("timeouts.stalled_reader", "500ms")]);
    for _ in 0..8 {
        assert_eq!(server.post("/streams/s", &[("Content-Type", "text/plain")], &vec![b'x'; 1 << 20]).status, 201);
    }
    let sender = connect(&server).await;
    let base = format!("http://{}", server.address);
    let request =
        Request::builder().uri(format!("{base}/streams/s?last-event-id=-1")).header("accept", "text/event-stream");
    let request = request.body(Full::new(Bytes::new())).expect("a request");
    let dead = sender.clone().send_request(request).await.expect("an answer");
    assert_eq!(dead.status(), StatusCode::OK);
    tokio::task::block_in_place(|| server.wait_for_listeners(0));
    assert!(dead.into_body().collect().await.is_err(), "what was cut off does not look whole");
    assert_eq!(ask(&sender, Method::GET, &format!("{base}/streams/s/0"), &[], b"").await.status, 200);
    server.assert_no_panic();
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_ends_the_connection_after_its_requests() {
    let (_data, server) = start(&[]);
    let sender = connect(&server).await;
    let url = format!("http://{}/streams/s/0/forward/10?wait=60", server.address);
    let waiting = tokio::spawn(async move { ask(&sender, Method::GET, &url, &[], b"").await });
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    server.terminate();
    assert_eq!(waiting.await.expect("an answer").status, 404);
    assert_eq!(tokio::task::spawn_blocking(|| server.wait()).await.expect("it ends"), Some(0));
}
