//! The access log: one line for each request, written once its answer is with whoever asked, or was given up.
//!
//! Off by default (`log.access`), and then it costs nothing. A line tells who asked for what, what came of it, how many
//! bytes were sent and how long that took: of the address the path alone, since a query may hold what is nobody's business,
//! and of the headers `traceparent` alone. The path is as it was sent, percent-encoded, so a line stays one.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use hyper::header::HeaderMap;
use hyper::{Method, StatusCode, Uri};

use crate::address::{Route, Target};
use crate::event::TraceParent;

use super::request::{RequestId, trace_parent};

/// Under this name the lines can be told from all others.
const TARGET: &str = "everfeed::request";

/// Whether anybody reads it.
pub(crate) fn is_on() -> bool {
    tracing::enabled!(target: TARGET, tracing::Level::INFO)
}

/// Where a document came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PageCache {
    /// It was kept.
    Hit,
    /// It was made.
    Miss,
}

impl PageCache {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
        }
    }
}

/// What is known of a request before it is answered.
pub(super) struct Asked {
    started: Instant,
    id: RequestId,
    method: Method,
    path: String,
    route: Option<Route>,
    peer: SocketAddr,
    client: IpAddr,
    trace_parent: Option<TraceParent>,
}

/// What is known of an answer that is on its way. Dropped when there is nothing more to know, and then it is a line.
#[derive(Debug)]
pub(crate) struct Line {
    started: Instant,
    id: RequestId,
    method: Method,
    path: String,
    route: Option<Route>,
    peer: SocketAddr,
    client: IpAddr,
    trace_parent: Option<TraceParent>,
    user: Option<String>,
    status: StatusCode,
    cache: Option<PageCache>,
    bytes: u64,
    is_whole: bool,
}

impl Asked {
    /// None while nobody reads it. `client` is the address that the request came from, as far as that can be believed.
    pub(super) fn begin(
        started: Instant,
        id: &RequestId,
        (method, uri, headers): (&Method, &Uri, &HeaderMap),
        peer: SocketAddr,
        client: IpAddr,
    ) -> Option<Self> {
        is_on().then(|| Self {
            started,
            id: id.clone(),
            method: method.clone(),
            path: uri.path().to_string(),
            route: Target::parse(uri.path(), None).ok().map(|target| target.address.route()),
            peer,
            client,
            trace_parent: trace_parent(headers),
        })
    }

    /// This is the answer; now it is sent.
    pub(super) fn answered(self, status: StatusCode, cache: Option<PageCache>, user: Option<&str>) -> Box<Line> {
        let Self { started, id, method, path, route, peer, client, trace_parent } = self;
        Box::new(Line {
            started,
            id,
            method,
            path,
            route,
            peer,
            client,
            trace_parent,
            user: user.map(str::to_string),
            status,
            cache,
            bytes: 0,
            is_whole: false,
        })
    }
}

impl Line {
    /// So many bytes more were taken.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    /// That was all.
    pub(crate) fn ended(&mut self) {
        self.is_whole = true;
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        tracing::info!(
            target: TARGET,
            request = %self.id,
            peer = %self.peer,
            client = %self.client,
            user = self.user.as_deref(),
            method = %self.method,
            path = self.path,
            route = self.route.map(Route::template),
            status = self.status.as_u16(),
            bytes = self.bytes,
            whole = self.is_whole,
            micros = self.started.elapsed().as_micros() as u64,
            cache = self.cache.map(PageCache::as_str),
            trace = self.trace_parent.map(TraceParent::trace),
            "request"
        );
    }
}
