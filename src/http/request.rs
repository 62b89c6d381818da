//! A request as handlers see it: parsed, named, and with what its answer may depend on.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hyper::header::{EXPECT, HeaderMap, TRANSFER_ENCODING};
use hyper::{Request, StatusCode};

use crate::access::Caller;
use crate::address::{BaseUrl, Target};
use crate::event::TraceParent;
use crate::meter::Resource;

use super::header::TRACE_PARENT;
use super::problem::{Kind, Problem};
use super::settings::Limits;

/// What handlers are given.
pub(crate) struct Asked<'a> {
    pub(crate) id: &'a RequestId,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) target: &'a Target,
    /// What links begin with.
    pub(crate) base: &'a BaseUrl,
    /// Where it came from, as far as that can be believed.
    pub(crate) address: IpAddr,
    /// HEAD never waits.
    pub(crate) is_head: bool,
}

/// What is found out about a request on its way, whatever becomes of it.
pub(super) struct Found {
    pub(super) caller: Caller,
    pub(super) resource: Resource,
}

/// Names requests, so that a problem that somebody reports is found in the log.
#[derive(Debug)]
pub(crate) struct RequestIds {
    /// Tells this run of the server from others.
    run: Arc<str>,
    next: AtomicU64,
}

impl RequestIds {
    pub(crate) fn new(run: &uuid::Uuid) -> Self {
        let run = run.simple().to_string();
        Self { run: run[run.len() - 8..].into(), next: AtomicU64::new(1) }
    }

    pub(crate) fn next(&self) -> RequestId {
        RequestId { run: self.run.clone(), number: self.next.fetch_add(1, Ordering::Relaxed) }
    }
}

/// The name of one request.
#[derive(Debug, Clone)]
pub(crate) struct RequestId {
    run: Arc<str>,
    number: u64,
}

impl std::fmt::Display for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.run, self.number)
    }
}

/// Which operation of its caller a request is part of. None if it does not say so in one header that counts.
pub(crate) fn trace_parent(headers: &HeaderMap) -> Option<TraceParent> {
    let mut values = headers.get_all(TRACE_PARENT).iter();
    let value = values.next().filter(|_| values.next().is_none())?;
    TraceParent::parse(value.to_str().ok()?)
}

/// A header that EventStore's clients send in an older and a newer spelling.
///
/// # Errors
/// When it is not text, or both are sent and differ.
pub(crate) fn dialect_header<'a>(headers: &'a HeaderMap, older: &str, newer: &str) -> Result<Option<&'a str>, Problem> {
    let read = |name: &str| -> Result<Option<&'a str>, Problem> {
        let mut values = headers.get_all(name).iter();
        let Some(value) = values.next() else { return Ok(None) };
        if values.any(|other| other != value) {
            return Err(Problem::invalid_header(name, "it was sent twice, with different values"));
        }
        let text =
            std::str::from_utf8(value.as_bytes()).map_err(|_| Problem::invalid_header(name, "it is not UTF-8"))?;
        // Only these two are white space around a value (RFC 9110 §5.6.3); the rest of Unicode's belongs to it.
        Ok(Some(text.trim_matches([' ', '\t'])))
    };
    match (read(older)?, read(newer)?) {
        (Some(one), Some(other)) if one != other => {
            Err(Problem::invalid_header(newer, format!("it differs from {older}")))
        }
        (one, other) => Ok(other.or(one)),
    }
}
/// What hyper lets through and we do not. Its own limits lie above ours, so that ours can be explained.
pub(super) fn check_head<B>(request: &Request<B>, limits: &Limits) -> Result<(), Problem> {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    let line = target + request.method().as_str().len() + " HTTP/1.1 ".len();
    let limit = limits.request_line_bytes_max;
    if line > limit {
        let detail = format!("the request line has {line} bytes; {limit} are allowed");
        return Err(Problem::new(Kind::UriTooLong, detail).member("limit", limit));
    }
    let (count, limit) = (request.headers().len(), limits.headers_max);
    if count > limit {
        let detail = format!("there are {count} headers; {limit} are allowed");
        return Err(Problem::new(Kind::HeadersTooLarge, detail).member("limit", limit));
    }
    let bytes: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    let limit = limits.head_bytes_max;
    if bytes > limit {
        let detail = format!("the headers have {bytes} bytes; {limit} are allowed");
        return Err(Problem::new(Kind::HeadersTooLarge, detail).member("limit", limit));
    }
    // hyper sees to it that the last coding is `chunked`; others it would hand on undecoded.
    let mut codings = request.headers().get_all(TRANSFER_ENCODING).iter();
    if codings.next().is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"chunked"))
        || codings.next().is_some()
    {
        let detail = "the only Transfer-Encoding that the server takes is `chunked`, once";
        return Err(Problem::new(Kind::MalformedRequest, detail));
    }
    if request.headers().get(EXPECT).is_some_and(|expected| !expected.as_bytes().eq_ignore_ascii_case(b"100-continue"))
    {
        let problem = Problem::invalid_header("Expect", "the only expectation that there is is 100-continue");
        return Err(problem.status(StatusCode::EXPECTATION_FAILED));
    }
    Ok(())
}
