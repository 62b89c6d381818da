//! What the headers of an answer say: what it is, where it leads, which log it is of, and how long it is good for.

use std::time::Duration;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, DATE, ETAG, HeaderMap, HeaderName, HeaderValue, LINK, RETRY_AFTER};
use reqwest::Url;

use crate::client::Log;
use crate::feed::read::page::{Form, Links, UnknownForm, link_header};

const EVERFEED_LOG: HeaderName = HeaderName::from_static("everfeed-log");

/// Whoever lets caches keep a page for an hour does not expect it to change.
const SETTLED_FROM: Duration = Duration::from_secs(3600);

/// The head of a page.
#[derive(Debug, Clone)]
pub(in crate::client) struct Head {
    /// Where it came from in the end: what relative links are relative to.
    pub(in crate::client) base: Url,
    /// How the page is written.
    pub(in crate::client) form: Result<Form, UnknownForm>,
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
            form: Form::of(text(headers, CONTENT_TYPE).unwrap_or_default()),
            links: link_header(headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok())),
            log: text(headers, EVERFEED_LOG).and_then(log),
            tag: headers.get(ETAG).cloned(),
            max_age: max_age(headers),
        }
    }

    /// Whether it is EventStore's JSON.
    pub(in crate::client) fn is_eventstore(&self) -> bool {
        matches!(self.form, Ok(Form::EventStore))
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
    let wanted = text(headers, RETRY_AFTER)?.trim();
    if let Ok(seconds) = wanted.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let moment = |text| chrono::DateTime::parse_from_rfc2822(text).ok();
    let pause = moment(wanted)? - moment(text(headers, DATE)?)?;
    pause.to_std().ok()
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}
