//! A proxy that does to answers what networks, overloaded servers and broken caches do: late, cut, twice, or not at all.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{CACHE_CONTROL, CONTENT_LENGTH, HeaderName, HeaderValue, RETRY_AFTER, TRANSFER_ENCODING};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};

/// What happens to one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Nothing,
    Late(Duration),
    /// An error of the server, or of a proxy before it.
    Status(u16),
    /// 503, and when to come again.
    Overloaded {
        seconds: u64,
    },
    /// No answer at all.
    HangUp,
    /// The connection ends in the middle of the body, of which so many thousandths have come.
    Break(usize),
    /// So many thousandths of the body as if it were all of it, cut within a line.
    Shorten(usize),
    /// The same, cut at the end of a line: what a cache may make of a broken connection.
    ShortenToALine(usize),
    /// What was answered to this request the first time, whatever has changed since.
    Again,
}

type Decide = dyn Fn(&str, bool) -> Fault + Send + Sync;
type Whole = (StatusCode, hyper::HeaderMap, Bytes);

/// Listens on a port of its own until it is dropped.
pub(crate) struct Faults {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    runtime: Option<tokio::runtime::Runtime>,
}

struct Shared {
    client: Client<HttpConnector, Full<Bytes>>,
    server: Mutex<SocketAddr>,
    decide: Box<Decide>,
    /// Headers that answers get in the place of their own.
    headers: Mutex<Vec<(HeaderName, HeaderValue)>>,
    first: Mutex<HashMap<String, Whole>>,
    seen: Mutex<Vec<(String, Fault)>>,
}

impl Faults {
    /// `decide` is asked with the path of each request, and whether it is to be answered past all caches.
    pub(crate) fn before(server: SocketAddr, decide: impl Fn(&str, bool) -> Fault + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        listener.set_nonblocking(true).expect("it can");
        let shared = Arc::new(Shared {
            client: Client::builder(TokioExecutor::new()).build_http(),
            server: Mutex::new(server),
            decide: Box::new(decide),
            headers: Mutex::default(),
            first: Mutex::default(),
            seen: Mutex::default(),
        });
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        runtime.spawn(listen(listener, shared.clone()));
        Self { address, shared, runtime: Some(runtime) }
    }

    /// From now on another server is behind it.
    pub(crate) fn turn_to(&self, server: SocketAddr) {
        *self.shared.server.lock().expect("nobody panics with it") = server;
    }

    /// From now on answers have this header, whatever the server says there.
    pub(crate) fn say(&self, name: &'static str, value: &str) {
        let header = (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value"));
        self.shared.headers.lock().expect("nobody panics with it").push(header);
    }

    /// What was asked for, and what became of it.
    pub(crate) fn seen(&self) -> Vec<(String, Fault)> {
        self.shared.seen.lock().expect("nobody panics with it").clone()
    }
}

impl Drop for Faults {
    fn drop(&mut self) {
        // Tests that are tasks themselves may not wait for it.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn listen(listener: TcpListener, shared: Arc<Shared>) {
    let listener = tokio::net::TcpListener::from_std(listener).expect("it does not block");
    while let Ok((socket, _)) = listener.accept().await {
        let shared = shared.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| answer(shared.clone(), request));
            // A connection that is hung up ends with an error, as it is meant to.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(socket), service).await;
        });
    }
}

#[derive(Debug, thiserror::Error)]
#[error("hung up")]
struct HungUp;

type Body = http_body_util::combinators::BoxBody<Bytes, HungUp>;

async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Body>, HungUp> {
    let path = request.uri().path_and_query().map_or_else(String::new, ToString::to_string);
    let past_caches = request.headers().get(CACHE_CONTROL).is_some_and(|value| value == "no-cache");
    let fault = (shared.decide)(&path, past_caches);
    shared.seen.lock().expect("nobody panics with it").push((path.clone(), fault));
    let refusal = |status: u16, retry_after: Option<u64>| {
        let mut refusal = Response::new(whole(Bytes::new()));
        *refusal.status_mut() = StatusCode::from_u16(status).expect("a status");
        if let Some(seconds) = retry_after {
            refusal.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        Ok(refusal)
    };
    match fault {
        Fault::Status(status) => return refusal(status, None),
        Fault::Overloaded { seconds } => return refusal(503, Some(seconds)),
        Fault::HangUp => return Err(HungUp),
        Fault::Late(time) => tokio::time::sleep(time).await,
        Fault::Nothing | Fault::Break(_) | Fault::Shorten(_) | Fault::ShortenToALine(_) | Fault::Again => (),
    }
    let server = *shared.server.lock().expect("nobody panics with it");
    let streams = request.headers().get("accept").is_some_and(|accept| accept == "text/event-stream");
    let (mut head, _) = request.into_parts();
    head.uri = format!("http://{server}{path}").parse().expect("a URI");
    let Ok(reply) = shared.client.request(Request::from_parts(head, Full::default())).await else {
        return refusal(502, None);
    };
    let (mut head, body) = reply.into_parts();
    for (name, value) in shared.headers.lock().expect("nobody panics with it").iter() {
        head.headers.insert(name, value.clone());
    }
    if streams {
        return Ok(Response::from_parts(head, body.map_err(|_| HungUp).boxed()));
    }
    let body = body.collect().await.map_err(|_| HungUp)?.to_bytes();
    let mut whole_reply = (head.status, head.headers, body);
    {
        let mut first = shared.first.lock().expect("nobody panics with it");
        let first = first.entry(path).or_insert_with(|| whole_reply.clone());
        if fault == Fault::Again {
            whole_reply = first.clone();
        }
    }
    let (status, mut headers, body) = whole_reply;
    headers.remove(TRANSFER_ENCODING);
    headers.remove(CONTENT_LENGTH);
    let part = |thousandths: usize| body.len() * thousandths / 1000;
    let body = match fault {
        Fault::Break(thousandths) if part(thousandths) < body.len() => {
            headers.insert(CONTENT_LENGTH, body.len().into());
            broken(body.slice(..part(thousandths)))
        }
        Fault::Shorten(thousandths) => {
            let end = part(thousandths);
            let is_within_a_line = body[..end].last().is_some_and(|byte| *byte != b'\n');
            whole(if is_within_a_line { body.slice(..end) } else { body })
        }
        Fault::ShortenToALine(thousandths) => {
            let end = body[..part(thousandths)].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            whole(body.slice(..end))
        }
        _ => whole(body),
    };
    let mut reply = Response::new(body);
    (*reply.status_mut(), *reply.headers_mut()) = (status, headers);
    Ok(reply)
}

fn whole(body: Bytes) -> Body {
    Full::new(body).map_err(|never: Infallible| match never {}).boxed()
}

/// A body that ends before it has come in whole.
fn broken(part: Bytes) -> Body {
    let mut frames = vec![Err(HungUp), Ok(Frame::data(part))];
    BodyExt::boxed(StreamBody::new(Frames(std::iter::from_fn(move || frames.pop()))))
}

/// Frames that are all there.
struct Frames<I>(I);

impl<I: Iterator + Unpin> futures_core::Stream for Frames<I> {
    type Item = I::Item;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<I::Item>> {
        std::task::Poll::Ready(self.0.next())
    }
}
