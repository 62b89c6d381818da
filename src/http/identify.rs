//! Who is asking: what a request says of that, which address it came from, and how to answer who has not said enough.

use std::net::{IpAddr, SocketAddr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{AUTHORIZATION, FORWARDED, HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;

use crate::access::{Caller, Credentials, Unidentified};
use crate::address::BaseUrl;

use super::problem::{Kind, Problem};
use super::{Ends, Served};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_REQUESTED_WITH: HeaderName = HeaderName::from_static("x-requested-with");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// How to say who one is (RFC 7617, RFC 6750).
const CHALLENGE: HeaderValue = HeaderValue::from_static("Basic realm=\"everfeed\", charset=\"UTF-8\", Bearer");

/// The same to scripts: at a scheme that it does not know a browser asks nobody for a password, and leaves the answer to
/// the script. EventStore's clients know this one.
const CHALLENGE_TO_SCRIPTS: HeaderValue = HeaderValue::from_static("X-Basic realm=\"everfeed\", Bearer");

impl Served {
    /// Who is asking. On a server that is open nobody is asked, and what requests say of it means nothing.
    ///
    /// # Errors
    /// 401 for credentials that do not count, also where everybody may do what is asked for: whoever sends them believes
    /// to be somebody. 429 after too many tries, 503 when too many are being checked.
    pub(super) async fn identify(&self, headers: &HeaderMap, address: IpAddr, ends: &Ends) -> Result<Caller, Problem> {
        let Some(identities) = &self.identities else { return Ok(Caller::anonymous()) };
        let credentials = match (credentials(headers)?, &ends.user) {
            (Credentials::None, None) => return Ok(Caller::anonymous()),
            (Credentials::None, Some(user)) => Credentials::Certificate { user: user.to_string() },
            // Whoever sends a name with every request means that one.
            (said, _) => said,
        };
        match identities.identify(credentials, address, (self.ambient.now)()).await {
            Ok(caller) => Ok(caller),
            Err(unidentified) => {
                if !matches!(unidentified, Unidentified::Busy { .. }) {
                    self.record_refused_log_in(address).await;
                }
                Err(unidentified.into())
            }
        }
    }

    /// Refuses what a page of another site makes a browser write: in the name of its user, since browsers add a stored
    /// password or a certificate by themselves (a token never), or in nobody's, where whoever reaches the server may
    /// write, as the browser of somebody on this machine does. Such a page may append events, if any site's may and the
    /// browser asked first; it deletes nothing, and changes no settings.
    pub(super) fn check_site(
        &self,
        headers: &HeaderMap,
        own: &BaseUrl,
        ends: &Ends,
        appends_events: bool,
    ) -> Result<(), Problem> {
        let cors = &self.settings.cors;
        if !cors.is_from_elsewhere(headers, own) {
            return Ok(());
        }
        let authorization = headers.get(AUTHORIZATION);
        let is_in_a_users_name = ends.user.is_some() || authorization.is_some_and(is_basic);
        if self.access.is_open() || !is_in_a_users_name && authorization.is_none() {
            return if appends_events && cors.lets_append(headers) { Ok(()) } else { Err(Problem::foreign_script()) };
        }
        if is_in_a_users_name { Err(Problem::forged()) } else { Ok(()) }
    }

    /// The address of whoever asks, as far as it is known.
    pub(super) fn client_address(&self, headers: &HeaderMap, peer: SocketAddr) -> IpAddr {
        client_address(headers, &self.settings.hosts.trusted_proxies, peer)
    }
}

/// How to answer who has to say who they are.
pub(super) fn challenge(headers: &HeaderMap) -> HeaderValue {
    let is_navigating = headers.get(SEC_FETCH_MODE).is_none_or(|mode| mode == "navigate");
    if is_navigating && !headers.contains_key(X_REQUESTED_WITH) { CHALLENGE } else { CHALLENGE_TO_SCRIPTS }
}

/// What the Authorization header says.
pub(super) fn credentials(headers: &HeaderMap) -> Result<Credentials, Problem> {
    let wrong = |why: &str| Problem::new(Kind::WrongCredentials, format!("the Authorization header {why}"));
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(Credentials::None) };
    if values.next().is_some() {
        return Err(wrong("is there twice"));
    }
    let text = value.to_str().map_err(|_| wrong("is not ASCII"))?.trim();
    let (scheme, rest) = text.split_once(' ').unwrap_or((text, ""));
    let rest = rest.trim_start_matches(' ');
    if scheme.eq_ignore_ascii_case("basic") {
        let (name, password) = basic(rest).ok_or_else(|| {
            wrong("is no `Basic` with the Base64 of a name, a colon and a password in UTF-8 (RFC 7617)")
        })?;
        Ok(Credentials::Basic { name, password })
    } else if scheme.eq_ignore_ascii_case("bearer") {
        if !is_token(rest) {
            return Err(wrong("is no `Bearer` with a token (RFC 6750)"));
        }
        Ok(Credentials::Bearer(rest.to_string()))
    } else {
        Err(wrong("names a scheme that is neither `Basic` nor `Bearer`"))
    }
}

fn is_basic(value: &HeaderValue) -> bool {
    value.as_bytes().get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"basic "))
}

/// RFC 7617 §2. Whatever stands behind the first colon is the password.
fn basic(encoded: &str) -> Option<(String, String)> {
    let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (name, password) = text.split_once(':')?;
    let is_text = !text.chars().any(char::is_control);
    (is_text && !name.is_empty()).then(|| (name.to_string(), password.to_string()))
}

/// RFC 6750 §2.1.
fn is_token(text: &str) -> bool {
    let token = text.trim_end_matches('=');
    !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte))
}

/// The address that a request came from. Proxies add to what strangers may have written, each at the end, so the last
/// one counts that is not a trusted proxy itself; whatever stands before it proves nothing. Where the two headers
/// differ, one of them came from a stranger and nobody can say which.
pub(super) fn client_address(headers: &HeaderMap, proxies: &[IpNet], peer: SocketAddr) -> IpAddr {
    let peer = peer.ip().to_canonical();
    let is_proxy = |address: &IpAddr| proxies.iter().any(|network| network.contains(address));
    if !is_proxy(&peer) {
        return peer;
    }
    let behind = |named: Vec<Option<IpAddr>>| {
        let mut nearest = peer;
        for address in named.into_iter().rev() {
            match address {
                Some(address) => nearest = address,
                None => return nearest,
            }
            if !is_proxy(&nearest) {
                return nearest;
            }
        }
        nearest
    };
    let lines = |name: &HeaderName| {
        headers.get_all(name).iter().map(|line| line.to_str().unwrap_or_default().to_string()).collect::<Vec<_>>()
    };
    let listed = |lines: &[String], read: fn(&str) -> Option<IpAddr>| {
        (!lines.is_empty()).then(|| behind(lines.iter().flat_map(|line| line.split(',')).map(read).collect()))
    };
    let old = listed(&lines(&X_FORWARDED_FOR), address);
    let new = listed(&lines(&FORWARDED), forwarded_for);
    match (old, new) {
        (Some(one), Some(other)) if one != other => peer,
        (one, other) => one.or(other).unwrap_or(peer),
    }
}

/// The `for` of one element (RFC 7239 §5.2).
fn forwarded_for(element: &str) -> Option<IpAddr> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| address(value.trim().trim_matches('"')))?
    })
}

/// An address, perhaps in brackets, perhaps with a port.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let with_port = || text.parse::<SocketAddr>().map(|address| address.ip()).ok();
    let in_brackets = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    text.parse().ok().or_else(with_port).or_else(in_brackets).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn said(values: &[&str]) -> Result<Credentials, Problem> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_str(value).expect("a value"));
        }
        credentials(&headers)
    }

    fn password(name: &str, password: &str) -> Credentials {
        Credentials::Basic { name: name.to_string(), password: password.to_string() }
    }

    #[test]
    fn a_request_says_who_it_is_from_in_one_way_or_not_at_all() {
        assert_eq!(said(&[]).expect("nothing"), Credentials::None);
        // The examples of RFC 7617.
        assert_eq!(said(&["Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="]).ok(), Some(password("Aladdin", "open sesame")));
        assert_eq!(said(&["bAsIc  dGVzdDoxMjPCow=="]).ok(), Some(password("test", "123£")));
        // "a:b:c", "a:"
        assert_eq!(said(&["Basic YTpiOmM="]).ok(), Some(password("a", "b:c")));
        assert_eq!(said(&["Basic YTo="]).ok(), Some(password("a", "")));
        assert_eq!(said(&["Bearer mF_9.B5f-4.1JqM"]).ok(), Some(Credentials::Bearer("mF_9.B5f-4.1JqM".into())));
        for wrong in [
            &["Basic"][..],
            &["Basic "],
            &["Basic not base64"],
            &["Basic YWI="],     // no colon
            &["Basic OmI="],     // no name
            &["Basic YTr/"],     // no UTF-8
            &["Basic YTpiCg=="], // a line feed
            &["Basic YTpiOmM"],  // no padding
            &["Bearer"],
            &["Bearer a b"],
            &["Bearer ="],
            &["Bearer a=b"],
            &["Digest username=\"a\""],
            &[""],
            &["Basic YTpi", "Basic YTpi"],
        ] {
            let problem = said(wrong).expect_err("it is refused");
            assert_eq!((problem.kind, problem.status.as_u16()), (Kind::WrongCredentials, 401), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_a_name_and_a_password_hold_comes_back(name in "[^:\\p{Cc}]{1,20}", secret in "[^\\p{Cc}]{0,20}") {
            let value = format!("Basic {}", STANDARD.encode(format!("{name}:{secret}")));
            prop_assert_eq!(said(&[&value]).ok(), Some(password(&name, &secret)));
        }

        #[test]
        fn no_value_makes_it_panic(value in "[ -~]{0,60}") {
            let _ = said(&[&value]);
        }
    }

    fn from(peer: &str, headers: &[(&'static str, &str)]) -> String {
        let proxies: Vec<IpNet> = ["10.0.0.0/8", "::1/128"].iter().map(|net| net.parse().expect("a network")).collect();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_str(value).expect("a value"));
        }
        client_address(&map, &proxies, peer.parse().expect("an address")).to_string()
    }

    #[test]
    fn only_what_trusted_proxies_added_counts() {
        let spoofed = ("x-forwarded-for", "198.51.100.7");
        assert_eq!(from("192.0.2.1:80", &[spoofed]), "192.0.2.1");
        assert_eq!(from("10.0.0.1:80", &[]), "10.0.0.1");
        assert_eq!(from("10.0.0.1:80", &[("x-forwarded-for", "198.51.100.7, 192.0.2.1, 10.0.0.2")]), "192.0.2.1");
        assert_eq!(from("10.0.0.1:80", &[spoofed, ("x-forwarded-for", "192.0.2.1")]), "192.0.2.1");
        assert_eq!(from("10.0.0.1:80", &[("x-forwarded-for", "192.0.2.1, unknown")]), "10.0.0.1");
        assert_eq!(from("[::ffff:10.0.0.1]:80", &[("x-forwarded-for", "[2001:db8::1]:4711")]), "2001:db8::1");
        let new = ("forwarded", "for=198.51.100.7, for=\"[2001:db8::2]\";proto=https, for=10.3.3.3");
        assert_eq!(from("[::1]:80", &[new]), "2001:db8::2");
        assert_eq!(from("10.0.0.1:80", &[("forwarded", "for=_hidden")]), "10.0.0.1");
        assert_eq!(from("10.0.0.1:80", &[new, ("x-forwarded-for", "2001:db8::2")]), "2001:db8::2");
        assert_eq!(from("10.0.0.1:80", &[new, spoofed]), "10.0.0.1", "one of them is a stranger's");
    }

    #[test]
    fn scripts_get_a_challenge_that_browsers_show_nobody() {
        let challenged = |name: &'static str, value: &'static str| {
            challenge(&HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_static(value))]))
        };
        assert_eq!(challenge(&HeaderMap::new()), CHALLENGE);
        assert_eq!(challenged("sec-fetch-mode", "navigate"), CHALLENGE);
        assert_eq!(challenged("sec-fetch-mode", "cors"), CHALLENGE_TO_SCRIPTS);
        assert_eq!(challenged("x-requested-with", "XMLHttpRequest"), CHALLENGE_TO_SCRIPTS);
    }
}
