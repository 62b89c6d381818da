//! Scripts of other sites: what browsers let them do here, by the Fetch standard. The only place that knows of it.
//!
//! With any origin allowed the headers are the same in every answer, so caches keep one copy for all. With a list
//! an answer depends on who asks, and says so: `Vary: Origin`.

use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ALLOW, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
    ORIGIN, VARY,
};

use crate::address::BaseUrl;

use super::browser::CROSS_ORIGIN_RESOURCE_POLICY;

/// What a page may send to any site without asking it first.
const OF_FORMS: [&[u8]; 3] = [b"application/x-www-form-urlencoded", b"multipart/form-data", b"text/plain"];

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What requests may carry. The star takes in the rest, such as the attributes of CloudEvents; browsers that do not
/// know it go by the names.
const REQUEST_HEADERS: HeaderValue = HeaderValue::from_static(
    "Accept, Authorization, Cache-Control, Content-Type, Idempotency-Key, If-Match, If-Modified-Since, If-None-Match, \
     Last-Event-ID, Prefer, Slug, X-Requested-With, ES-EventId, ES-EventType, ES-ExpectedVersion, ES-HardDelete, \
     ES-LongPoll, ES-RequireLeader, ES-RequireMaster, ES-ResolveLinkTos, Kurrent-EventId, Kurrent-EventType, \
     Kurrent-ExpectedVersion, Kurrent-HardDelete, Kurrent-LongPoll, Kurrent-RequireLeader, Kurrent-ResolveLinkTos, *",
);

/// What scripts may read of an answer, beyond what every script may.
const ANSWER_HEADERS: HeaderValue = HeaderValue::from_static(
    "Allow, Content-Location, ETag, Link, Location, Retry-After, ES-CurrentVersion, ES-Position, \
     Kurrent-CurrentVersion, Kurrent-Position, Everfeed-Log, Everfeed-Repeat, *",
);

/// How long a browser may keep what an OPTIONS request told it, in seconds. (Browsers cut it down to their own
/// limits.)
const MAX_AGE_SECONDS: HeaderValue = HeaderValue::from_static("86400");

/// The scripts of which sites may read here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cors {
    Nobody,
    Anybody,
    /// As browsers write them: `https://shop.example.org`.
    Listed(Vec<String>),
}

impl Cors {
    /// From the setting: origins, `*` for any.
    pub(crate) fn new(origins: &[String]) -> Self {
        match origins {
            [] => Self::Nobody,
            _ if origins.iter().any(|origin| origin == "*") => Self::Anybody,
            _ => Self::Listed(origins.to_vec()),
        }
    }

    /// Whether it names the site that this page is of. Browsers say that with every request that writes, also where they
    /// do not ask first; programs that are no browsers name none.
    fn names(&self, origin: &HeaderValue) -> bool {
        matches!(self, Self::Listed(origins) if origins.iter().any(|listed| listed == origin))
    }

    /// Whether a browser may have been made to send this by a page of another site. `own` is our own base URL. A browser
    /// names the page's site with whatever writes, or says at least how it is related to ours.
    pub(crate) fn is_from_elsewhere(&self, headers: &HeaderMap, own: &BaseUrl) -> bool {
        match (headers.get(SEC_FETCH_SITE), headers.get(ORIGIN)) {
            // Also where a proxy gave the page another name than we know.
            (Some(site), _) if site == "same-origin" => false,
            (_, Some(origin)) => !self.names(origin) && origin.as_bytes() != own.origin().as_bytes(),
            (Some(site), None) => site != "none",
            (None, None) => false,
        }
    }

    /// Whether a browser says that a page of this server made it send this. `own` is our own base URL. No page of another
    /// site can make a browser say so.
    pub(crate) fn is_from_own_page(headers: &HeaderMap, own: &BaseUrl) -> bool {
        let is_own = |origin: &HeaderValue| origin.as_bytes() == own.origin().as_bytes();
        match headers.get(SEC_FETCH_SITE) {
            Some(site) => site == "same-origin",
            None => headers.get(ORIGIN).is_some_and(is_own),
        }
    }

    /// Whether scripts of any site may append here, as this request does. A browser asks first before it sends any other
    /// media type than those of forms; what it sends without asking, the page may have sent for somebody who never meant
    /// to.
    pub(crate) fn lets_append(&self, headers: &HeaderMap) -> bool {
        let media_type = headers.get(CONTENT_TYPE).map_or(&[][..], |value| value.as_bytes());
        let essence = media_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        let is_of_forms = essence.is_empty() || OF_FORMS.iter().any(|of_forms| essence.eq_ignore_ascii_case(of_forms));
        *self == Self::Anybody && !is_of_forms
    }

    /// Adds to an answer what a browser looks for in it.
    pub(crate) fn apply(&self, origin: Option<&HeaderValue>, is_options: bool, headers: &mut HeaderMap) {
        let allowed = match self {
            Self::Nobody => return,
            Self::Anybody => {
                // What scripts may read anyway, pages may take in as well; except what says otherwise.
                let everywhere = HeaderValue::from_static("cross-origin");
                headers.entry(CROSS_ORIGIN_RESOURCE_POLICY).or_insert(everywhere);
                HeaderValue::from_static("*")
            }
            Self::Listed(origins) => {
                let vary = match headers.get(VARY).and_then(|value| value.to_str().ok()) {
                    Some(other) => HeaderValue::from_str(&format!("{other}, Origin")).expect("names of headers"),
                    None => HeaderValue::from_static("Origin"),
                };
                headers.insert(VARY, vary);
                match origin.filter(|origin| origins.iter().any(|listed| listed == *origin)) {
                    Some(origin) => origin.clone(),
                    None => return,
                }
            }
        };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, ANSWER_HEADERS);
        if is_options && let Some(methods) = headers.get(ALLOW) {
            let methods = match self {
                // What cannot be taken back is not for just any page that somebody looks at.
                Self::Anybody => without_deletion(methods),
                Self::Nobody | Self::Listed(_) => methods.clone(),
            };
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS);
            headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE_SECONDS);
        }
    }
}

fn without_deletion(methods: &HeaderValue) -> HeaderValue {
    let methods = methods.to_str().unwrap_or_default().split(", ").filter(|method| *method != "DELETE");
    HeaderValue::from_str(&methods.collect::<Vec<_>>().join(", ")).expect("methods are tokens")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(origins: &[&str], origin: &'static str) -> (Option<HeaderValue>, Option<HeaderValue>) {
        let origins: Vec<String> = origins.iter().map(ToString::to_string).collect();
        let mut headers = HeaderMap::new();
        Cors::new(&origins).apply(Some(&HeaderValue::from_static(origin)), false, &mut headers);
        (headers.remove(ACCESS_CONTROL_ALLOW_ORIGIN), headers.remove(VARY))
    }

    #[test]
    fn a_list_is_echoed_to_its_members_alone_and_a_star_is_for_all() {
        let value = |text| Some(HeaderValue::from_static(text));
        let listed = ["https://a.example", "http://localhost:3000"];
        assert_eq!(allowed(&listed, "https://a.example"), (value("https://a.example"), value("Origin")));
        assert_eq!(allowed(&listed, "https://evil.example"), (None, value("Origin")));
        assert_eq!(allowed(&listed, "https://a.example.evil"), (None, value("Origin")));
        assert_eq!(allowed(&["https://a.example", "*"], "https://b.example"), (value("*"), None));
        assert_eq!(allowed(&[], "https://a.example"), (None, None));
    }

    #[test]
    fn what_a_form_can_send_appends_nothing() {
        let sent = |media_type: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            headers.extend(media_type.map(|media_type| (CONTENT_TYPE, HeaderValue::from_static(media_type))));
            headers
        };
        for media_type in
            [None, Some("text/plain; charset=utf-8"), Some("TEXT/plain"), Some(""), Some("multipart/form-data")]
        {
            assert!(!Cors::Anybody.lets_append(&sent(media_type)), "{media_type:?}");
        }
        let json = sent(Some("application/json"));
        assert!(Cors::Anybody.lets_append(&json) && !Cors::Nobody.lets_append(&json));
    }

    #[test]
    fn a_page_of_another_site_is_told_from_our_own_and_from_programs() {
        let own = BaseUrl::parse("https://feeds.example/behind").expect("a URL");
        let listed = Cors::Listed(vec!["https://a.example".to_string()]);
        for (name, value, is_from_elsewhere, is_ours) in [
            ("origin", "https://feeds.example", false, true),
            ("origin", "https://a.example", false, false),
            ("origin", "https://b.example", true, false),
            ("origin", "null", true, false),
            ("sec-fetch-site", "cross-site", true, false),
            ("sec-fetch-site", "same-site", true, false),
            ("sec-fetch-site", "same-origin", false, true),
            ("sec-fetch-site", "none", false, false),
            ("user-agent", "curl", false, false),
        ] {
            let headers = HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_static(value))]);
            assert_eq!(listed.is_from_elsewhere(&headers, &own), is_from_elsewhere, "{name}: {value}");
            assert_eq!(Cors::is_from_own_page(&headers, &own), is_ours, "{name}: {value}");
        }
        let origin = HeaderMap::from_iter([(ORIGIN, HeaderValue::from_static("https://a.example"))]);
        assert!(Cors::Anybody.is_from_elsewhere(&origin, &own), "whoever may read may not write in somebody's name");
    }
}
