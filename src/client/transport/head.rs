//! What the headers of an answer say: what it is, where it leads, which log it is of, and how long it is good for.

use std::time::Duration;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, DATE, ETAG, HeaderMap, HeaderName, HeaderValue, LINK, RETRY_AFTER};
use reqwest::Url;

use crate::client::Log;
use crate::client::stand_in::Form;
use crate::feed::read::page::Links;

const EVERFEED_LOG: HeaderName = HeaderName::from_static("everfeed-log");

/// Whoever lets caches keep a page for an hour does not expect it to change.
const SETTLED_FROM: Duration = Duration::from_secs(3600);

/// The head of a page.
#[derive(Debug, Clone)]
pub(in crate::client) struct Head {
    /// Where it came from in the end: what relative links are relative to.
    pub(in crate::client) base: Url,
    /// Which form the page has, or what it is if it is none.
    pub(in crate::client) form: Result<Form, String>,
    pub(in crate::client) links: Links,
    pub(in crate::client) log: Option<Log>,
    pub(in crate::client) tag: Option<HeaderValue>,
    /// How long caches may keep it.
    pub(in crate::client) max_age: Duration,
}

impl Head {
    pub(in crate::client) fn read(base: Url, headers: &HeaderMap) -> Self {
        Self {
            base,
            form: form(headers),
            links: links(headers),
            log: headers.get(EVERFEED_LOG).and_then(|value| log(value.to_str().ok()?)),
            tag: headers.get(ETAG).cloned(),
            max_age: max_age(headers),
        }
    }

    /// Whether the page is not expected to change.
    pub(in crate::client) fn is_settled(&self) -> bool {
        self.is_archive() || SETTLED_FROM <= self.max_age
    }

    /// Where this relation leads by the `Link` header, as an absolute URL.
    pub(in crate::client) fn link(&self, rel: &str) -> Option<Url> {
        self.links.get(rel).and_then(|href| self.base.join(href).ok())
    }

    /// An archive document (RFC 5005 §4) never changes: so whatever is read of it later fits what its head says now.
    pub(in crate::client) fn is_archive(&self) -> bool {
        self.links.get("next-archive").is_some()
    }
}

fn form(headers: &HeaderMap) -> Result<Form, String> {
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/x-ndjson" => Ok(Form::Lines),
        "application/vnd.eventstore.atom+json" | "application/vnd.kurrent.atom+json" | "application/json" => {
            Ok(Form::EventStore)
        }
        // Servers of files know Atom by its file's name at best.
        "application/atom+xml" | "application/xml" | "text/xml" | "application/octet-stream" | "" => Ok(Form::Atom),
        other => Err(other.to_string()),
    }
}

/// `Everfeed-Log: {uuid}; epoch={n}`.
fn log(value: &str) -> Option<Log> {
    let (id, parameters) = value.split_once(';')?;
    let epoch = parameters.split(';').find_map(|parameter| parameter.trim().strip_prefix("epoch="))?;
    Some(Log { id: id.trim().parse().ok()?, epoch: epoch.parse().ok()? })
}

fn max_age(headers: &HeaderMap) -> Duration {
    let values = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let mut directives = values.flat_map(|value| value.split(',')).map(|directive| directive.trim());
    let seconds = directives.find_map(|directive| {
        let (name, value) = directive.split_once('=')?;
        name.eq_ignore_ascii_case("max-age").then(|| value.trim_matches('"').parse().ok())?
    });
    Duration::from_secs(seconds.unwrap_or(0))
}

/// When the server wants to be asked again: a number of seconds, or a moment by the server's own clock.
pub(in crate::client) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok();
    let wanted = text(RETRY_AFTER)?.trim();
    if let Ok(seconds) = wanted.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let moment = |text| chrono::DateTime::parse_from_rfc2822(text).ok();
    let pause = moment(wanted)? - moment(text(DATE)?)?;
    pause.to_std().ok()
}

/// The `Link` headers (RFC 8288): links separated by commas, each with its relations.
fn links(headers: &HeaderMap) -> Links {
    let mut links = Links::default();
    for value in headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok()) {
        let mut rest = value;
        while let Some((href, after)) = rest.split_once('<').and_then(|(_, after)| after.split_once('>')) {
            let end = end_of_parameters(after);
            for rel in relations(&after[..end]) {
                links.add(rel, href.trim());
            }
            rest = &after[end..];
        }
    }
    links
}

/// The first comma that is not in a quoted string.
fn end_of_parameters(text: &str) -> usize {
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            b',' if !is_quoted => return at,
            _ => (),
        }
    }
    text.len()
}

/// The relations in `; rel="prev previous"; type="…"`. The first `rel` counts (RFC 8288 §3.3).
fn relations(parameters: &str) -> impl Iterator<Item = &str> {
    let rel = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("rel").then(|| value.trim().trim_matches('"'))
    });
    rel.unwrap_or_default().split_ascii_whitespace()
}
