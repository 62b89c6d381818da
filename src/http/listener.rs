//! Accepting connections, within limits, until told to stop; then letting what is under way come to its end.

use std::any::Any;
use std::collections::HashMap;
use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body as _, Incoming};
use hyper::{Request, Response};
use hyper_util::rt::TokioTimer;
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tower::ServiceBuilder;
use tower_http::catch_panic::{CatchPanicLayer, ResponseForPanic};

use crate::access::network;
use crate::meter::HttpMeters;

use super::connection::{Clock, Deadlines, Watched};
use super::multiplexed::Executor;
use super::problem::{Kind, Problem};
use super::reply::{Body, Reply};
use super::socket::Socket;
use super::tls::{Secured, Tls};
use super::{Ends, Served, Settings};

/// hyper's own limits lie above ours, which come with an explanation.
const HEADERS_MAX_OF_HYPER: usize = 1_024;
const HEAD_BYTES_MAX_OF_HYPER: usize = 256 << 10;

/// How long to wait when the system has no more sockets for us.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// How long a connection that is one too many may take to be told.
const REFUSAL_TIME_MAX: Duration = Duration::from_secs(1);

/// Accepts connections and serves them until `served` drains, then waits for what is under way, up to a limit.
/// Returns whether all of it came to its end.
pub async fn serve(listener: TcpListener, tls: Option<Arc<Tls>>, served: Arc<Served>, settings: &Settings) -> bool {
    let graceful = GracefulShutdown::new();
    let connections = Connections::new(settings, served.metering.http.clone());
    let deadlines = Deadlines {
        head: settings.head_time_max,
        idle: settings.idle_time_max,
        stalled_reader: settings.stalled_reader_time_max,
    };
    let serving = Arc::new(Serving { served: served.clone(), builder: builder(settings), deadlines });
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = served.draining() => break,
        };
        let (socket, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_RETRY).await;
                continue;
            }
        };
        served.metering.http.accepted.add_one();
        let Some(place) = connections.take(peer.ip()) else {
            served.metering.http.problems.at(Kind::TooManyConnections as usize).add_one();
            // Without TLS it could not read why.
            if tls.is_none() {
                tokio::spawn(timeout(REFUSAL_TIME_MAX, refuse(socket)));
            }
            continue;
        };
        // Answers are written whole, so waiting for more to send with them only delays them.
        let (Ok(local), Ok(())) = (socket.local_addr(), socket.set_nodelay(true)) else { continue };
        let ends = Ends { local, peer, is_secure: tls.is_some(), user: None };
        let (serving, tls, watcher) = (serving.clone(), tls.clone(), graceful.watcher());
        tokio::spawn(async move {
            let _place = place;
            match tls {
                None => serving.serve(socket, ends, watcher).await,
                Some(tls) => serving.secure(&tls, socket, ends, watcher).await,
            }
        });
    }
    drop(listener);
    timeout(settings.drain_time_max, graceful.shutdown()).await.is_ok()
}

/// What all connections share.
struct Serving {
    served: Arc<Served>,
    builder: Builder<Executor>,
    deadlines: Deadlines,
}

impl Serving {
    /// Secures a connection and serves it.
    async fn secure(&self, tls: &Tls, socket: TcpStream, ends: Ends, watcher: Watcher) {
        let secured = tokio::select! {
            secured = tls.accept(socket, self.deadlines.head) => secured,
            () = self.served.draining() => return,
        };
        match secured {
            Ok(Secured { socket, user }) => self.serve(socket, Ends { user, ..ends }, watcher).await,
            Err(error) => tracing::debug!(peer = %ends.peer, %error, "a connection could not be secured"),
        }
    }

    /// Serves a connection until it ends, or has to.
    async fn serve<S: Socket>(&self, socket: S, ends: Ends, watcher: Watcher) {
        let (clock, peer) = (Clock::new(), ends.peer);
        let answering = Answering { served: self.served.clone(), ends, clock: clock.clone() };
        let service = ServiceBuilder::new().layer(CatchPanicLayer::custom(Panicked)).service(answering);
        let watched = Watched::new(socket, clock.clone(), explain);
        let connection = self.builder.serve_connection(watched, TowerToHyperService::new(service));
        tokio::select! {
            ended = watcher.watch(connection) => {
                if let Err(error) = ended {
                    tracing::debug!(%peer, %error, "a connection ended");
                }
            }
            why = clock.expired(&self.deadlines) => tracing::debug!(%peer, why, "a connection was closed"),
        }
    }
}

/// What a client may send of bodies over one HTTP/2 connection before somebody has read it: that lies in memory while it is
/// found out who asks, and no other limit counts it.
const HTTP2_WINDOW_BYTES: u32 = 256 << 10;

fn builder(settings: &Settings) -> Builder<Executor> {
    let mut builder = Builder::new(Executor { stalled_reader_time_max: settings.stalled_reader_time_max });
    builder
        .http1()
        .timer(TokioTimer::new())
        // Our own deadlines take its place.
        .header_read_timeout(None)
        .max_headers(HEADERS_MAX_OF_HYPER)
        .max_buf_size(HEAD_BYTES_MAX_OF_HYPER);
    builder
        .http2()
        .timer(TokioTimer::new())
        .initial_connection_window_size(HTTP2_WINDOW_BYTES)
        .initial_stream_window_size(HTTP2_WINDOW_BYTES)
        .max_concurrent_streams(settings.http2_streams_max)
        .max_pending_accept_reset_streams(settings.http2_resets_max)
        .max_local_error_reset_streams(settings.http2_errors_max)
        .max_header_list_size(HEAD_BYTES_MAX_OF_HYPER as u32)
        .keep_alive_interval(Some(settings.idle_time_max))
        .keep_alive_timeout(settings.head_time_max);
    builder
}

/// Answers the requests of one connection.
#[derive(Clone)]
struct Answering {
    served: Arc<Served>,
    ends: Ends,
    clock: Arc<Clock>,
}

impl tower::Service<Request<Incoming>> for Answering {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        let (served, ends, clock, in_flight) =
            (self.served.clone(), self.ends.clone(), self.clock.clone(), self.clock.request());
        Box::pin(async move {
            let has_body = !request.body().is_end_stream();
            let response = served.answer(request, ends, in_flight).await;
            if has_body && !response.status().is_success() {
                clock.leave_body_unread();
            }
            Ok(response)
        })
    }
}

/// A panic is a fault of ours; whoever asked is told so, and the connection goes on.
#[derive(Debug, Clone, Copy)]
struct Panicked;

impl ResponseForPanic for Panicked {
    type ResponseBody = Body;

    fn response_for_panic(&mut self, panic: Box<dyn Any + Send>) -> Response<Body> {
        let what = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
        tracing::error!(panic = what.unwrap_or("no message"), "a request made the server panic");
        let problem = Problem::new(Kind::Internal, "the server came to a state that it should never be in");
        Reply::problem(problem, None, None).into_response(None, None, None)
    }
}

/// Tells a connection that it is one too many. Nothing was read of it, so the answer is written as it is.
async fn refuse(mut socket: TcpStream) {
    let problem = Problem::too_many_connections();
    let answer = Reply::problem(problem, None, None).into_bytes();
    // Whoever goes away sooner does not need it.
    let _ = socket.write_all(&answer).await;
    let _ = socket.shutdown().await;
}

/// What hyper refuses before there is a request, and with which status, as a problem.
fn explain(status: u16) -> Option<Vec<u8>> {
    let problem = match status {
        400 => Problem::new(
            Kind::MalformedRequest,
            "what arrived cannot be read as HTTP/1.1 (RFC 9112): its request line, a header, or the length that it \
             announces for its body breaks the rules",
        ),
        414 => Problem::new(Kind::UriTooLong, "the request line is far longer than the server takes"),
        431 => Problem::new(Kind::HeadersTooLarge, "the headers are far more, or far longer, than the server takes"),
        _ => return None,
    };
    Some(Reply::problem(problem, None, None).into_bytes())
}

/// Counts connections.
struct Connections {
    max: usize,
    max_per_address: usize,
    open: Mutex<Open>,
    meters: Arc<HttpMeters>,
}

#[derive(Default)]
struct Open {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// A place among the connections.
struct Place {
    connections: Arc<Connections>,
    address: IpAddr,
}

impl Connections {
    fn new(settings: &Settings, meters: Arc<HttpMeters>) -> Arc<Self> {
        let (max, max_per_address) = (settings.connections_max, settings.connections_max_per_address);
        Arc::new(Self { max, max_per_address, open: Mutex::default(), meters })
    }

    fn take(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let address = network(address);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let open = &mut *open;
        let here = open.by_address.get(&address).copied().unwrap_or_default();
        if open.all >= self.max || here >= self.max_per_address {
            return None;
        }
        open.all += 1;
        open.by_address.insert(address, here + 1);
        self.meters.connections.rise();
        Some(Place { connections: self.clone(), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.connections.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.all -= 1;
        self.connections.meters.connections.fall();
        if let Some(here) = open.by_address.get_mut(&self.address) {
            *here -= 1;
            if *here == 0 {
                open.by_address.remove(&self.address);
            }
        }
    }
}
