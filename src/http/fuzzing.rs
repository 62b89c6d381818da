//! Headers, as they are fuzzed: a case is lines of `name: value`, of which those that no connection lets in are left
//! out.

use std::net::SocketAddr;
use std::time::Duration;

use hyper::Request;
use hyper::header::{ACCEPT, ACCEPT_ENCODING, FORWARDED, HeaderMap, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH};

use crate::access::Credentials;
use crate::address::BaseUrl;
use crate::event::Timestamp;

use super::conditional::{self, Precondition, Validators};
use super::host::{self, Hosts};
use super::live::{self, WaitLimits};
use super::negotiate::{self, Asked};
use super::problem::Problem;
use super::{Ends, cloudevent, identify, slug};

/// More lines than a request may have.
const LINES_MAX: usize = 64;

fn headers(case: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in case.split(|byte| *byte == b'\n').take(LINES_MAX) {
        let Some(colon) = memchr::memchr(b':', line) else { continue };
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(&line[..colon]), value) {
            headers.append(name, value);
        }
    }
    headers
}

/// The same headers with all lines of each list as one (RFC 9110 §5.3).
fn joined(headers: &HeaderMap, lists: &[HeaderName]) -> HeaderMap {
    let mut joined = headers.clone();
    for name in lists {
        let lines: Vec<&[u8]> =
            headers.get_all(name).iter().filter(|line| line.to_str().is_ok()).map(HeaderValue::as_bytes).collect();
        joined.remove(name);
        if !lines.is_empty() {
            joined.insert(name, HeaderValue::from_bytes(&lines.join(&b", "[..])).expect("values make a value"));
        }
    }
    joined
}

/// A refusal says what was wrong without repeating what would do something in a log or in a terminal.
fn check_refusal(problem: &Problem) {
    assert!(problem.status.is_client_error(), "{problem:?}");
    assert!(!problem.detail.contains(char::is_control), "{:?}", problem.detail);
}

/// Accept and Accept-Encoding.
pub(crate) fn accept(case: &[u8]) {
    let headers = headers(case);
    let joined = joined(&headers, &[ACCEPT, ACCEPT_ENCODING]);
    for asked in [Asked::Stream, Asked::Page, Asked::Event] {
        let chosen = negotiate::representation(&headers, asked, None, None);
        let alike = negotiate::representation(&joined, asked, None, None);
        match (chosen, alike) {
            (Ok(chosen), Ok(alike)) => {
                assert_eq!(chosen, alike, "lines of a list are one list");
                assert!(chosen.varies_by_accept);
            }
            (Err(problem), Err(_)) => check_refusal(&problem),
            (chosen, alike) => panic!("lines of a list are one list: {chosen:?}, {alike:?}"),
        }
        let html = negotiate::prefers_html(&headers, negotiate::media_types(asked));
        assert_eq!(html, negotiate::prefers_html(&joined, negotiate::media_types(asked)));
    }
    assert_eq!(negotiate::coding(&headers), negotiate::coding(&joined));
    assert_eq!(negotiate::wants_events(&headers), negotiate::wants_events(&joined));
    assert_eq!(negotiate::description(&headers), negotiate::description(&joined));
    if let Err(problem) = negotiate::check(&headers, "application/atomsvc+xml") {
        check_refusal(&problem);
    }
    let _ = negotiate::begins_with_anything(&headers, &["application/json", "text/xml"]);
}

/// If-Match, If-None-Match and If-Modified-Since.
pub(crate) fn conditional(case: &[u8]) {
    let headers = headers(case);
    let modified = Timestamp::from_micros(1_000_000_000_000_000);
    let validators =
        Validators { tag: "\"7-0123456789abcdef-gz\"", identity_tag: "\"7-0123456789abcdef\"", last_modified: None };
    let dated = Validators { last_modified: Some(modified), ..validators };
    let unchanged = conditional::is_not_modified(&headers, &validators);
    if headers.contains_key(IF_NONE_MATCH) {
        assert_eq!(unchanged, conditional::is_not_modified(&headers, &dated), "a date says nothing beside a tag");
    } else {
        assert!(!unchanged, "without a tag and without a date nothing is known");
    }
    if unchanged || conditional::is_not_modified(&headers, &dated) {
        assert!(conditional::is_conditional(&headers));
    }
    match conditional::precondition(&headers) {
        Ok(Some(Precondition::OneOf(tags))) => {
            assert!(!tags.is_empty() && headers.contains_key(IF_MATCH));
            for tag in tags {
                let opaque = tag.strip_prefix("W/").unwrap_or(&tag);
                assert!(opaque.len() >= 2 && opaque.starts_with('"') && opaque.ends_with('"'), "{tag:?}");
                assert!(!opaque[1..opaque.len() - 1].contains('"'), "{tag:?} is one tag");
            }
        }
        Ok(Some(Precondition::Exists)) => assert!(headers.contains_key(IF_MATCH)),
        Ok(Some(Precondition::DoesNotExist)) => assert!(headers.contains_key(IF_NONE_MATCH)),
        Ok(None) => assert!(!headers.contains_key(IF_MATCH) && !headers.contains_key(IF_NONE_MATCH)),
        Err(problem) => check_refusal(&problem),
    }
}

/// Prefer, ES-LongPoll and Last-Event-ID.
pub(crate) fn wait(case: &[u8]) {
    let headers = headers(case);
    let limits = WaitLimits { time_max: Duration::from_secs(60), waits_max: 1, waits_max_per_address: 1 };
    match live::wait_asked(&headers, Some(u64::MAX), &limits) {
        Ok(time) => assert!(time.is_none_or(|time| !time.is_zero() && time <= limits.time_max), "{time:?}"),
        Err(problem) => check_refusal(&problem),
    }
    if let Err(problem) = live::last_event_id(&headers, None) {
        check_refusal(&problem);
    }
}

/// Host, Forwarded and X-Forwarded-*.
pub(crate) fn host(case: &[u8]) {
    let public = BaseUrl::parse("https://feeds.example/shop").expect("a base URL");
    let strangers = Hosts {
        public_url: None,
        allowed: vec!["other.example:81".into(), "https://feeds.example/shop".into()],
        trusted_proxies: Vec::new(),
    };
    let trusting = Hosts { trusted_proxies: vec!["10.0.0.0/24".parse().expect("a network")], ..strangers.clone() };
    let under_one = Hosts { public_url: Some(public.clone()), ..strangers.clone() };
    let mut request = Request::new(());
    *request.headers_mut() = headers(case);
    let (local, peer) = (SocketAddr::from(([10, 0, 0, 1], 2113)), SocketAddr::from(([10, 0, 0, 7], 40_000)));
    let ends = Ends { local, peer, is_secure: false, user: None };
    let base = |hosts: &Hosts| host::base_url(&request, hosts, &ends);
    let own = base(&strangers);
    match &own {
        Ok(base) => check_own(base),
        Err(problem) => check_refusal(problem),
    }
    if let Ok(base) = base(&under_one) {
        assert_eq!(base, public, "whatever name a request comes under");
    }
    match (base(&trusting), own) {
        (Ok(base), Ok(own)) => assert!(base == own || base == public, "{base} is what a proxy made up"),
        (Err(_), Err(_)) => {}
        (trusting, own) => panic!("what a proxy says lets nobody in or out: {trusting:?}, {own:?}"),
    }
}

/// A base URL under a name that is ours: everything else could lead elsewhere.
fn check_own(base: &BaseUrl) {
    assert_eq!(BaseUrl::parse(base.as_str()).as_ref(), Ok(base));
    let authority = base.as_str().strip_prefix("http://").expect("that is how it came");
    let host =
        authority.rsplit_once(':').map_or(authority, |(host, port)| if port.contains(']') { authority } else { host });
    let host = host.trim_matches(['[', ']']).to_ascii_lowercase();
    let address = host.parse::<std::net::IpAddr>().ok().map(|address| address.to_canonical());
    let is_own = address.is_some_and(|address| address.is_loopback() || address.to_string() == "10.0.0.1");
    assert!(is_own || matches!(&*host, "localhost" | "feeds.example" | "other.example"), "{base} is somewhere else");
}

/// Authorization, and the headers in which proxies say whom they speak for.
pub(crate) fn who(case: &[u8]) {
    let headers = headers(case);
    match identify::credentials(&headers) {
        Ok(credentials) => {
            let printed = format!("{credentials:?}");
            match &credentials {
                Credentials::None => {}
                Credentials::Basic { name, password } => {
                    assert!(!name.is_empty() && !name.contains([':', '\n', '\r', '\0']), "{name:?}");
                    check_secret(&printed, password);
                }
                Credentials::Bearer(token) => {
                    assert!(!token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()));
                    check_secret(&printed, token);
                }
                Credentials::Certificate { .. } => panic!("no header is a certificate"),
            }
        }
        Err(problem) => check_refusal(&problem),
    }
    let _ = identify::challenge(&headers);
    let (stranger, proxy) = (SocketAddr::from(([192, 0, 2, 7], 1)), SocketAddr::from(([10, 0, 0, 7], 1)));
    let trusted = ["10.0.0.0/24".parse().expect("a network")];
    assert_eq!(identify::client_address(&headers, &trusted, stranger), stranger.ip(), "a stranger speaks for nobody");
    let joined = joined(&headers, &[FORWARDED, HeaderName::from_static("x-forwarded-for")]);
    let behind = identify::client_address(&headers, &trusted, proxy);
    if headers.values().all(|value| value.to_str().is_ok()) {
        assert_eq!(behind, identify::client_address(&joined, &trusted, proxy), "lines of a list are one list");
    }
}

/// What is printed of credentials gives nothing away. A secret of a letter or two stands in every text.
fn check_secret(printed: &str, secret: &str) {
    assert!(secret.len() < 12 || !printed.contains(secret), "{printed}");
}

/// What the headers of an append say of its event: Slug, and the attributes of a CloudEvent.
pub(crate) fn headers_of_appends(case: &[u8]) {
    let headers = headers(case);
    if let Some(slug) = slug::slug(&headers) {
        assert!(!slug.is_empty());
        let kept = serde_json::json!({ "slug": slug }).to_string();
        assert_eq!(serde_json::from_str::<serde_json::Value>(&kept).expect("JSON")["slug"], slug);
    }
    match cloudevent::attributes(&headers) {
        Ok(attributes) => {
            let names: Vec<&str> = attributes.iter().map(|(name, _)| name).collect();
            for required in ["specversion", "id", "source", "type"] {
                assert!(names.contains(&required), "{required} is missing");
            }
            assert!(names.len() <= crate::event::limits::CLOUDEVENT_ATTRIBUTES_MAX);
        }
        Err(problem) => check_refusal(&problem),
    }
}
