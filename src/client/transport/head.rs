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

/// How long caches may keep it.
pub(in crate::client) fn max_age(headers: &HeaderMap) -> Duration {
    let values = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let mut directives = values.flat_map(|value| value.split(',')).map(str::trim);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let header = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value"))
        };
        pairs.iter().map(header).collect()
    }

    #[test]
    fn a_server_may_want_to_be_asked_again_in_some_seconds_or_at_some_time() {
        let after = |pairs: &[(&'static str, &str)]| retry_after(&headers(pairs)).map(|time| time.as_secs());
        assert_eq!(after(&[("retry-after", "7")]), Some(7));
        let at = ("retry-after", "Tue, 24 Nov 2026 21:44:10 GMT");
        assert_eq!(after(&[at, ("date", "Tue, 24 Nov 2026 21:43:00 GMT")]), Some(70));
        // That time is over.
        assert_eq!(after(&[at, ("date", "Tue, 24 Nov 2026 21:45:00 GMT")]), None);
        // Only the server's own clock says when its time is.
        assert_eq!(after(&[at]), None);
        for nothing in ["", "soon", "-1", "1.5"] {
            assert_eq!(after(&[("retry-after", nothing)]), None, "{nothing}");
        }
    }

    #[test]
    fn a_log_has_an_id_and_an_epoch() {
        let id = "0193f1de-5d2c-7000-8000-000000000001";
        let expected = Some(Log { id: id.parse().expect("a UUID"), epoch: 3 });
        assert_eq!(log(&format!("{id}; epoch=3")), expected);
        assert_eq!(log(&format!("{id};later=x; epoch=3")), expected);
        for nothing in ["", "x; epoch=3", id, &format!("{id}; epoch=x"), &format!("{id}; epoch=-1")] {
            assert_eq!(log(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn what_caches_may_keep_for_an_hour_is_settled_and_so_is_an_archive() {
        let url = Url::parse("http://a/streams/x").expect("a URL");
        let is_settled = |pairs: &[(&'static str, &str)]| Head::read(url.clone(), &headers(pairs)).is_settled();
        assert!(is_settled(&[("cache-control", "public, max-age=31536000, immutable")]));
        assert!(is_settled(&[("cache-control", "private, Max-Age=\"3600\"")]));
        assert!(is_settled(&[("link", "</1>; rel=\"next-archive\"")]));
        assert!(!is_settled(&[("cache-control", "public, max-age=1, stale-if-error=86400")]));
        assert!(!is_settled(&[("cache-control", "no-store")]));
        assert!(!is_settled(&[]));
    }
}
