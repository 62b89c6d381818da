//! Names of headers that have no constant elsewhere. EventStore's come in two spellings; both are always sent.

use hyper::header::HeaderName;

pub(crate) const ES_CURRENT_VERSION: HeaderName = HeaderName::from_static("es-currentversion");
pub(crate) const KURRENT_CURRENT_VERSION: HeaderName = HeaderName::from_static("kurrent-currentversion");
pub(crate) const ES_POSITION: HeaderName = HeaderName::from_static("es-position");
pub(crate) const KURRENT_POSITION: HeaderName = HeaderName::from_static("kurrent-position");

/// Said of a repeat, which got the receipt of the first append.
pub(crate) const REPEAT: HeaderName = HeaderName::from_static("everfeed-repeat");

/// Which log an answer shows, and which unbroken history of it: a follower that finds another has another history.
pub(crate) const LOG: HeaderName = HeaderName::from_static("everfeed-log");

/// What a consumer calls itself to whoever looks after the server.
pub(crate) const CONSUMER: HeaderName = HeaderName::from_static("everfeed-consumer");

pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
pub(crate) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
pub(crate) const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
pub(crate) const PREFER: HeaderName = HeaderName::from_static("prefer");

/// Which operation of its caller a request is part of (W3C Trace Context).
pub(crate) const TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");

/// By which caches that can purge by key find all pages of a stream, in the two spellings that are in use.
pub(crate) const SURROGATE_KEY: HeaderName = HeaderName::from_static("surrogate-key");
pub(crate) const XKEY: HeaderName = HeaderName::from_static("xkey");

/// SHA-256 of what an answer carries (RFC 9530 §2).
pub(crate) const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");

/// What a producer would call what it sends (RFC 5023 §9.7).
pub(crate) const SLUG: HeaderName = HeaderName::from_static("slug");
