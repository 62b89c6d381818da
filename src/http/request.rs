//! A request as handlers see it: parsed, named, and with what its answer may depend on.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hyper::header::HeaderMap;

use crate::address::{BaseUrl, Target};

use super::problem::Problem;

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
