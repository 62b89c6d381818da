//! Under which name a request came, and so the base URL of every link in its answer.
//!
//! Pages carry absolute links and shared caches keep them, so a name that is not known to be ours is refused:
//! otherwise anybody could plant links to elsewhere.

use std::net::{IpAddr, SocketAddr};

use hyper::header::{FORWARDED, HOST, HeaderMap, HeaderName};
use hyper::http::uri::Authority;
use hyper::{Request, Version};
use ipnet::IpNet;

use crate::address::BaseUrl;

use super::Ends;
use super::problem::{Kind, Problem};

const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const X_FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// Which names are ours.
#[derive(Debug, Clone, Default)]
pub struct Hosts {
    /// What links begin with, whatever name a request came under.
    pub public_url: Option<BaseUrl>,
    /// Further names (`host`, `host:port`) or base URLs that are ours.
    pub allowed: Vec<String>,
    /// Proxies whose forwarding headers are believed.
    pub trusted_proxies: Vec<IpNet>,
}

/// The base URL for the links of an answer.
///
/// # Errors
/// 400 when the request names no host or two, 421 when it names one that is not ours.
pub(super) fn base_url<B>(request: &Request<B>, hosts: &Hosts, ends: &Ends) -> Result<BaseUrl, Problem> {
    let authority = authority(request, ends.local)?;
    if !is_ours(&authority, hosts, ends.local) {
        return Err(Problem::new(
            Kind::UnknownHost,
            format!(
                "the request was sent to `{authority}`, and this server does not know that name as its own; set \
                 `public_url` to the URL that clients use, or add the name to `allowed_hosts`"
            ),
        ));
    }
    let scheme = if ends.is_secure { "https" } else { "http" };
    // A host that could not stand in a link is none, whatever links begin with here.
    let named = BaseUrl::parse(&format!("{scheme}://{authority}"))
        .map_err(|error| Problem::new(Kind::MissingHost, format!("`{authority}` is no host: {error}")))?;
    if let Some(forwarded) = forwarded(request.headers(), hosts, ends.peer, scheme, &authority) {
        return Ok(forwarded);
    }
    Ok(hosts.public_url.clone().unwrap_or(named))
}

/// The one host that a request names (RFC 9112 §3.2).
fn authority<B>(request: &Request<B>, local: SocketAddr) -> Result<Authority, Problem> {
    let missing = |detail: &str| Problem::new(Kind::MissingHost, detail);
    let mut values = request.headers().get_all(HOST).iter();
    let (first, second) = (values.next(), values.next());
    if second.is_some() {
        return Err(missing("there are two Host headers"));
    }
    let named = match first {
        Some(value) => {
            let text = value.to_str().map_err(|_| missing("the Host header is not text"))?;
            let parsed: Result<Authority, _> = text.parse();
            Some(
                parsed
                    .ok()
                    .filter(|host| !host.as_str().contains('@'))
                    .ok_or_else(|| missing("the Host header is no host"))?,
            )
        }
        None => None,
    };
    // An absolute target may name more than a host, and then it is none of ours.
    let scheme = request.uri().scheme_str();
    if scheme.is_some_and(|scheme| !["http", "https"].contains(&scheme)) {
        return Err(missing("the request line names a scheme that is neither http nor https"));
    }
    if request.uri().authority().is_some_and(|target| target.as_str().contains('@')) {
        return Err(missing("the request line names a user"));
    }
    match (request.uri().authority(), named) {
        (Some(target), Some(named)) if !target.as_str().eq_ignore_ascii_case(named.as_str()) => {
            Err(missing("the Host header and the request line name different hosts"))
        }
        (Some(target), _) => Ok(target.clone()),
        (None, Some(named)) => Ok(named),
        (None, None) if request.version() <= Version::HTTP_10 => {
            Ok(local.to_string().parse().expect("a socket address is an authority"))
        }
        (None, None) => Err(missing("HTTP/1.1 asks for a Host header, and there is none")),
    }
}

fn is_ours(authority: &Authority, hosts: &Hosts, local: SocketAddr) -> bool {
    let host = authority.host();
    let address: Option<IpAddr> = host.trim_start_matches('[').trim_end_matches(']').parse().ok();
    match address {
        Some(address) if address.is_loopback() || address.to_canonical() == local.ip().to_canonical() => return true,
        None if host.eq_ignore_ascii_case("localhost") => return true,
        _ => {}
    }
    let public = hosts.public_url.as_ref().and_then(|url| authority_of(url.as_str()));
    public.into_iter().chain(hosts.allowed.iter().map(|allowed| authority_of(allowed).unwrap_or(allowed))).any(
        |known| {
            // A name without a port stands for every port.
            known.eq_ignore_ascii_case(authority.as_str()) || known.eq_ignore_ascii_case(host)
        },
    )
}

fn authority_of(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    rest.split('/').next()
}

/// The base URL that a trusted proxy says it was asked under, if that is one of ours as a whole.
fn forwarded(
    headers: &HeaderMap,
    hosts: &Hosts,
    peer: SocketAddr,
    scheme: &str,
    authority: &Authority,
) -> Option<BaseUrl> {
    if !hosts.trusted_proxies.iter().any(|network| network.contains(&peer.ip().to_canonical())) {
        return None;
    }
    let first = |name: &HeaderName| {
        let text = headers.get(name)?.to_str().ok()?;
        text.split(',').next().map(str::trim).filter(|text| !text.is_empty())
    };
    let element = first(&FORWARDED).unwrap_or_default();
    let parameter = |wanted: &str| {
        element.split(';').find_map(|pair| {
            let (name, value) = pair.split_once('=')?;
            name.trim().eq_ignore_ascii_case(wanted).then(|| value.trim().trim_matches('"'))
        })
    };
    let proto = parameter("proto").or_else(|| first(&X_FORWARDED_PROTO));
    let host = parameter("host").or_else(|| first(&X_FORWARDED_HOST));
    let port = first(&X_FORWARDED_PORT).filter(|port| port.parse::<u16>().is_ok());
    let prefix = first(&X_FORWARDED_PREFIX);
    if [proto, host, port, prefix].iter().all(Option::is_none) {
        return None;
    }
    let host = host.unwrap_or(authority.as_str());
    let host = match port {
        Some(port) => format!("{}:{port}", host.parse::<Authority>().ok()?.host()),
        None => host.to_string(),
    };
    let prefix = prefix.unwrap_or_default().trim_matches('/');
    let slash = if prefix.is_empty() { "" } else { "/" };
    let made = BaseUrl::parse(&format!("{}://{host}{slash}{prefix}", proto.unwrap_or(scheme))).ok()?;
    let is_known = hosts.public_url.as_ref() == Some(&made)
        || hosts.allowed.iter().any(|allowed| BaseUrl::parse(allowed).is_ok_and(|allowed| allowed == made));
    is_known.then_some(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(is_secure: bool) -> Ends {
        let (local, peer) = (SocketAddr::from(([10, 0, 0, 1], 2113)), SocketAddr::from(([10, 0, 0, 7], 40_000)));
        Ends { local, peer, is_secure, user: None }
    }

    fn ask(headers: &[(&str, &str)], hosts: &Hosts) -> Result<String, u16> {
        ask_over(false, headers, hosts)
    }

    fn ask_over(is_secure: bool, headers: &[(&str, &str)], hosts: &Hosts) -> Result<String, u16> {
        let mut request = Request::builder().uri("/streams/a");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(()).expect("a request");
        base_url(&request, hosts, &ends(is_secure))
            .map(|base| base.as_str().to_string())
            .map_err(|problem| problem.status.as_u16())
    }

    #[test]
    fn only_names_that_are_known_to_be_ours_get_into_links() {
        let hosts = Hosts { allowed: vec!["feeds.example".into(), "other.example:81".into()], ..Hosts::default() };
        for (host, expected) in [
            ("localhost:2113", Ok("http://localhost:2113")),
            ("127.0.0.1", Ok("http://127.0.0.1")),
            ("[::1]:2113", Ok("http://[::1]:2113")),
            ("10.0.0.1:2113", Ok("http://10.0.0.1:2113")),
            ("feeds.example", Ok("http://feeds.example")),
            ("FEEDS.example:99", Ok("http://feeds.example:99")),
            ("other.example:81", Ok("http://other.example:81")),
            ("other.example", Err(421)),
            ("evil.example", Err(421)),
            ("10.0.0.2", Err(421)),
            ("a b", Err(400)),
            ("me@localhost", Err(400)),
        ] {
            assert_eq!(ask(&[("host", host)], &hosts), expected.map(str::to_string), "{host}");
        }
        assert_eq!(ask(&[], &hosts), Err(400));
        assert_eq!(ask(&[("host", "localhost"), ("host", "localhost")], &hosts), Err(400));
    }

    #[test]
    fn links_are_as_secure_as_the_connection_that_they_are_given_on() {
        let secure = ask_over(true, &[("host", "localhost:2113")], &Hosts::default());
        assert_eq!(secure, Ok("https://localhost:2113".into()));
    }

    #[test]
    fn the_public_url_is_what_links_begin_with_under_every_known_name() {
        let public_url = Some(BaseUrl::parse("https://feeds.example/shop").expect("a base"));
        let hosts = Hosts { public_url, ..Hosts::default() };
        assert_eq!(ask(&[("host", "localhost:2113")], &hosts), Ok("https://feeds.example/shop".into()));
        assert_eq!(ask(&[("host", "feeds.example")], &hosts), Ok("https://feeds.example/shop".into()));
        assert_eq!(ask(&[("host", "evil.example")], &hosts), Err(421));
    }

    #[test]
    fn forwarding_headers_count_from_trusted_proxies_and_only_if_the_whole_is_ours() {
        let forwarded = [
            ("host", "localhost:2113"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "feeds.example"),
            ("x-forwarded-prefix", "/shop/"),
        ];
        let mut hosts = Hosts { allowed: vec!["https://feeds.example/shop".into()], ..Hosts::default() };
        assert_eq!(ask(&forwarded, &hosts), Ok("http://localhost:2113".into()), "nobody is trusted");
        hosts.trusted_proxies = vec!["10.0.0.0/24".parse().expect("a network")];
        assert_eq!(ask(&forwarded, &hosts), Ok("https://feeds.example/shop".into()));
        let standard = [
            ("host", "localhost:2113"),
            ("forwarded", "for=1.2.3.4;proto=https;host=feeds.example"),
            ("x-forwarded-prefix", "shop"),
        ];
        assert_eq!(ask(&standard, &hosts), Ok("https://feeds.example/shop".into()));
        hosts.allowed = vec!["https://feeds.example".into()];
        assert_eq!(ask(&forwarded, &hosts), Ok("http://localhost:2113".into()), "another prefix is not ours");
    }
}
