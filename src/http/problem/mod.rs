//! Refusals: RFC 9457 problem details, one kind each. The only place that maps a refusal to a status.
//!
//! A problem says what was wrong and what would be right, to whoever can mend it; the cause, where it is ours,
//! goes to the log under the same request id.

mod kinds;
mod told;
mod from;

use hyper::StatusCode;
use hyper::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use serde_json::{Map, Value};

use crate::access::Audience;

use super::cache_policy::Freshness;

pub(crate) use kinds::Kind;

/// A refusal.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub(crate) kind: Kind,
    pub(crate) status: StatusCode,
    /// What was wrong here, and what would be right.
    pub(crate) detail: String,
    /// What the log gets and the caller does not.
    pub(crate) cause: Option<String>,
    /// For HTTP/1.1, where clients of EventStore look at it.
    pub(crate) reason: Option<&'static str>,
    pub(crate) freshness: Freshness,
    /// Who else may be told.
    pub(crate) audience: Audience,
    pub(crate) headers: HeaderMap,
    pub(crate) members: Map<String, Value>,
}

impl Problem {
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            status: kind.status(),
            detail: detail.into(),
            cause: None,
            reason: None,
            freshness: Freshness::Never,
            audience: Audience::Everybody,
            headers: HeaderMap::new(),
            members: Map::new(),
        }
    }

    pub(crate) fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    pub(crate) fn reason(mut self, reason: &'static str) -> Self {
        self.reason = Some(reason);
        self
    }

    pub(crate) fn freshness(mut self, freshness: Freshness) -> Self {
        self.freshness = freshness;
        self
    }

    /// For those alone who may know; nobody who was left out before is let in.
    pub(crate) fn to(self, audience: Audience) -> Self {
        Self { audience: self.audience.max(audience), ..self }
    }

    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// A member of its own, beside those of RFC 9457.
    pub(crate) fn member(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_string(), value.into());
        self
    }

    /// Whether somebody on the way may have read the request in another way, and may take its rest for another one: then
    /// nothing that follows on the connection is to be trusted (RFC 9112 §11.2).
    pub(crate) const fn could_hide_another(&self) -> bool {
        matches!(self.kind, Kind::MalformedRequest | Kind::MissingHost)
    }

    fn cause(mut self, cause: impl Into<String>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    fn retry_after_seconds(self, seconds: u16) -> Self {
        self.header(RETRY_AFTER, seconds.into())
    }
}
