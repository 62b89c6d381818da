//! Events for a server, by POST: each with its own media type, or, where the server is an Everfeed, many as lines of
//! JSON. Both carry the ids, so that a server that knows them appends nothing twice.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use super::super::Failure;
use super::command::within;
use super::offer::Refusal;
use crate::address::Address;
use crate::client::{Credentials, Event, Tls, connection};
use crate::event;
use crate::feed::read::page::EventId;
use crate::feed::write::{LineFor, followed_line};

/// What a server takes in one request by default is 16 MiB, and base64 is longer than what it stands for.
const BATCH_BYTES_MAX: usize = 4 << 20;

/// How long a server may take for one request.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(90);

const ES_EVENT_ID: HeaderName = HeaderName::from_static("es-eventid");
const ES_EVENT_TYPE: HeaderName = HeaderName::from_static("es-eventtype");
const TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Where to.
pub(super) struct Post {
    http: reqwest::Client,
    url: String,
    /// Whether it takes lines; not known before it was asked.
    takes_lines: Option<bool>,
}

/// As much of `/info` as tells what a server is.
#[derive(Deserialize)]
struct Info {
    name: String,
}

impl Post {
    pub(super) fn to(url: &str) -> Result<Self, Failure> {
        Ok(Self {
            http: connection::open(url, &Tls::default(), &Credentials::None)?,
            url: url.to_string(),
            takes_lines: None,
        })
    }

    pub(super) fn events_at_once(&self, events: &[Event]) -> usize {
        if self.takes_lines == Some(true) { within(events, BATCH_BYTES_MAX) } else { 1 }
    }

    pub(super) async fn offer(&mut self, events: &[Event]) -> Result<(), Refusal> {
        let takes_lines = match self.takes_lines {
            Some(takes_lines) => takes_lines,
            None => *self.takes_lines.insert(self.is_everfeed().await?),
        };
        // Of what was removed there is nothing to send.
        let left = events.iter().filter(|event| event.data().is_some());
        if !takes_lines {
            for event in left {
                self.send(headers(event), event.data().cloned().unwrap_or_default()).await?;
            }
            return Ok(());
        }
        let mut body = Vec::new();
        left.for_each(|event| followed_line(&named(event), LineFor::Servers, &mut body));
        if body.is_empty() {
            return Ok(());
        }
        let lines = HeaderValue::from_static("application/x-ndjson");
        self.send(HeaderMap::from_iter([(CONTENT_TYPE, lines)]), body.into()).await
    }

    /// Whether the URL is a stream of a server that says that it is one.
    async fn is_everfeed(&self) -> Result<bool, Refusal> {
        let Some((base, _)) = self.url.split_once("/streams/") else { return Ok(false) };
        let answer = self.http.get(format!("{base}{}", Address::Info.path())).timeout(ANSWER_TIME_MAX).send().await;
        let answer = answer.map_err(|error| self.unreachable(&error))?;
        let info: Option<Info> = answer.bytes().await.ok().and_then(|body| serde_json::from_slice(&body).ok());
        Ok(info.is_some_and(|info| info.name == "everfeed"))
    }

    async fn send(&self, headers: HeaderMap, body: Bytes) -> Result<(), Refusal> {
        let request = self.http.post(&self.url).headers(headers).body(body).timeout(ANSWER_TIME_MAX);
        let answer = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let retry_after = connection::retry_after(answer.headers());
        let why = format!("{}: {status}: {}", self.url, connection::said(answer).await);
        let passes = status.is_server_error()
            || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS);
        Err(if passes { Refusal::Passing { why, retry_after } } else { Refusal::Refused(why) })
    }

    fn unreachable(&self, error: &reqwest::Error) -> Refusal {
        let why = format!("{}: {}", self.url, connection::cause(error));
        if error.is_builder() { Refusal::Refused(why) } else { Refusal::Passing { why, retry_after: None } }
    }
}

/// Lines name events by UUIDs: one that has another name gets the one that it would get as an Atom entry.
fn named(event: &Event) -> crate::feed::read::page::Event {
    let mut event = (**event).clone();
    if let EventId::Iri(iri) = &event.id {
        event.id = EventId::Uuid(event::EventId::from_atom_id(iri).uuid());
    }
    event
}

/// What a request says of the event that it carries. What no header can hold is not said.
fn headers(event: &Event) -> HeaderMap {
    let id = event.id.to_string();
    let uuid = if let EventId::Uuid(_) = event.id { Some(&*id) } else { None };
    let trace_parent = event.trace_parent.map(|trace_parent| trace_parent.to_string());
    let said = [
        (CONTENT_TYPE, Some(event.media_type().unwrap_or("application/octet-stream"))),
        (ES_EVENT_ID, uuid),
        (ES_EVENT_TYPE, Some(&*event.event_type)),
        (IDEMPOTENCY_KEY, Some(&*id)),
        (TRACE_PARENT, trace_parent.as_deref()),
    ];
    said.into_iter()
        .filter_map(|(name, value)| Some((name, HeaderValue::from_bytes(value?.as_bytes()).ok()?)))
        .collect()
}
