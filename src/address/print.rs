//! Addresses, printed: one spelling for each.

use std::fmt;
use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::event::{Number, Source};

use super::parse::CURRENT;
use super::{Address, BackupPart, Begin, Direction, Embed, Form, Format, Look, PageRequest, Place, Ui};

/// All but RFC 3986's unreserved characters.
pub(super) const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What the server is called from outside: `http://host:port`, perhaps with a path, without a slash at its end.
///
/// Only characters that stand for themselves in URLs, XML, JSON and headers alike. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BaseUrl(Arc<str>);

/// Why a text is not a base URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBaseUrl {
    /// Neither HTTP nor HTTPS.
    #[error("it does not start with http:// or https://")]
    Scheme,
    /// No host, or one that cannot be.
    #[error("after the scheme a host is expected, perhaps with a port: http://feeds.example.org:2113")]
    Host,
    /// A character that would need escaping in a URL, in XML or in a header.
    #[error("it holds {0:?}; letters, digits and -._~/:%[] are allowed")]
    Character(char),
}

/// How the links in a document say which representation they lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Suffix {
    /// They do not: Accept decides.
    None,
    /// Pages and entries end in `.atom`, the head feed and the settings in `?format=atom`.
    Atom,
    /// As [`Suffix::Atom`], with `ndjson`.
    Ndjson,
}

impl Suffix {
    /// What pages and entries end in.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Atom => ".atom",
            Self::Ndjson => ".ndjson",
        }
    }

    /// What the links mean by it.
    const fn format(self) -> Option<Format> {
        match self {
            Self::None => None,
            Self::Atom => Some(Format::Atom),
            Self::Ndjson => Some(Format::Ndjson),
        }
    }

    /// The media type of what the links lead to, if they say so.
    #[must_use]
    pub const fn media_type(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Atom => Some("application/atom+xml"),
            Self::Ndjson => Some("application/x-ndjson"),
        }
    }
}

/// `/streams/{stream}`, encoded once for a whole document, and what lies below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamPath(String);

impl StreamPath {
    /// The path alone, for a Location on this server: it goes behind a base URL.
    #[must_use]
    pub fn of(stream: &str) -> Self {
        Self::behind("", stream)
    }

    /// The absolute URL.
    #[must_use]
    pub fn under(base: &BaseUrl, stream: &str) -> Self {
        Self::behind(base.as_str(), stream)
    }

    fn behind(base: &str, stream: &str) -> Self {
        let mut path = String::with_capacity(base.len() + "/streams/".len() + stream.len() + 8);
        path.push_str(base);
        path.push_str("/streams/");
        path.extend(utf8_percent_encode(stream, RESERVED));
        Self(path)
    }

    /// The stream's own address, without a word about the representation.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The head feed.
    #[must_use]
    pub fn feed(&self, suffix: Suffix, embed: Option<Embed>) -> String {
        let mut path = self.0.clone();
        push_query(&mut path, suffix, embed);
        path
    }

    /// A page.
    #[must_use]
    pub fn page(&self, request: &PageRequest, suffix: Suffix, embed: Option<Embed>) -> String {
        let PageRequest { from, direction, count } = request;
        let mut path = format!("{self}/{from}/{direction}/{}{}", count.get(), suffix.as_str());
        push_query(&mut path, Suffix::None, embed);
        path
    }

    /// One event.
    #[must_use]
    pub fn event(&self, place: Place, suffix: Suffix) -> String {
        format!("{self}/{place}{}", suffix.as_str())
    }

    /// The bytes of one event.
    #[must_use]
    pub fn data(&self, place: Place) -> String {
        format!("{self}/{place}/data")
    }

    /// The settings.
    #[must_use]
    pub fn metadata(&self, suffix: Suffix) -> String {
        let mut path = format!("{self}/metadata");
        push_query(&mut path, suffix, None);
        path
    }
}

fn push_query(path: &mut String, suffix: Suffix, embed: Option<Embed>) {
    let format = suffix.format().map(|format| ("format", format.as_str()));
    let parameters = [format, embed.map(|embed| ("embed", embed.as_str()))];
    for ((name, value), separator) in parameters.into_iter().flatten().zip(['?', '&']) {
        path.push(separator);
        path.push_str(name);
        path.push('=');
        path.push_str(value);
    }
}

impl Address {
    /// The path in the one spelling that links use, to go behind a base URL.
    #[must_use]
    pub fn path(&self) -> String {
        match self {
            Self::Home => "/".to_string(),
            Self::Feed(source) => StreamPath::of(source.name()).0,
            Self::Page { source, request } => StreamPath::of(source.name()).page(request, Suffix::None, None),
            Self::Event { source, place } => StreamPath::of(source.name()).event(*place, Suffix::None),
            Self::Data { source, place } => StreamPath::of(source.name()).data(*place),
            Self::Incoming { stream, id } => format!("{}/incoming/{id}", StreamPath::of(stream.as_str())),
            Self::Metadata { stream } => StreamPath::of(stream.as_str()).metadata(Suffix::None),
            Self::Categories { stream } => format!("{}/categories", StreamPath::of(stream.as_str())),
            Self::Info => "/info".to_string(),
            Self::Ping => "/ping".to_string(),
            Self::Live => "/health/live".to_string(),
            Self::Ready => "/health/ready".to_string(),
            Self::Metrics => "/metrics".to_string(),
            Self::Stats => "/admin/stats".to_string(),
            Self::History(by) => format!("/admin/stats/{}", by.as_str()),
            Self::OpenApi => "/openapi.json".to_string(),
            Self::Scavenge => "/admin/scavenge".to_string(),
            Self::Compact => "/admin/compact".to_string(),
            Self::Promote => "/admin/promote".to_string(),
            Self::Streams(list) => list.path(),
            Self::Stream { source, at } => {
                let stream = utf8_percent_encode(source.name(), RESERVED);
                let at = at.map(|at| format!("?at={}", utf8_percent_encode(&at.to_string(), RESERVED)));
                format!("/admin/streams/{stream}{}", at.unwrap_or_default())
            }
            Self::Backups => "/admin/backups".to_string(),
            Self::Backup { id, part } => format!("/admin/backups/{id}{part}"),
            Self::Users => "/users".to_string(),
            Self::CurrentUser => format!("/users/{}", utf8_percent_encode(CURRENT, RESERVED)),
            Self::User { login } => format!("/users/{}", utf8_percent_encode(login, RESERVED)),
            Self::UserCommand { login, command } => {
                format!("/users/{}/command/{}", utf8_percent_encode(login, RESERVED), command.as_str())
            }
            Self::Ui(ui) => ui.path(),
            Self::Problem { kind } => format!("/ui/problems/{}", utf8_percent_encode(kind, RESERVED)),
            Self::Asset(asset) => format!("/ui/{}", asset.file()),
        }
    }
}

impl std::fmt::Display for BackupPart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Manifest => Ok(()),
            Self::Piece { first, generation, offset } => write!(f, "/chunks/{first}.{generation}/{offset}"),
            Self::Digest { first, generation } => write!(f, "/chunks/{first}.{generation}/digest"),
            Self::Group { from } => write!(f, "/tail/{from}"),
            Self::Users => f.write_str("/users"),
        }
    }
}

impl Ui {
    fn path(&self) -> String {
        match self {
            Self::Overview { search } => with_query("/ui/".to_string(), [("search", search.clone())]),
            Self::Stream { source, look: Look { from, event_type } } => {
                let from = match from {
                    Begin::Newest => ("from", None),
                    Begin::Number(number) => ("from", Some(number.to_string())),
                    Begin::Time(time) => ("at", Some(time.to_string())),
                };
                let event_type = ("type", event_type.as_ref().map(|event_type| event_type.as_str().to_string()));
                with_query(StreamPath::behind("/ui", source.name()).0, [event_type, from])
            }
            Self::Event { source, place, form } => {
                let path = StreamPath::behind("/ui", source.name()).event(*place, Suffix::None);
                with_query(path, [("as", (*form != Form::default()).then(|| form.as_str().to_string()))])
            }
            Self::News { source } => format!("/ui/news/{}", utf8_percent_encode(source.name(), RESERVED)),
            Self::LogIn => "/ui/log-in".to_string(),
            Self::LogOut { user } => with_query("/ui/log-out".to_string(), [("user", user.clone())]),
        }
    }
}

/// The path with those of the parameters that there are.
fn with_query<const N: usize>(mut path: String, parameters: [(&str, Option<String>); N]) -> String {
    let mut separator = '?';
    for (name, value) in parameters {
        let Some(value) = value.filter(|value| !value.is_empty()) else { continue };
        path.push(separator);
        path.push_str(name);
        path.push('=');
        path.extend(utf8_percent_encode(&value, RESERVED));
        separator = '&';
    }
    path
}

impl BaseUrl {
    /// Checks a base URL; slashes at its end are dropped, scheme and host become lower case.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(text: &str) -> Result<Self, InvalidBaseUrl> {
        let text = text.trim_end_matches('/');
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-._~/:%[]".contains(c);
        if let Some(other) = text.chars().find(|c| !allowed(*c)) {
            return Err(InvalidBaseUrl::Character(other));
        }
        let (scheme, rest) = text.split_once("://").ok_or(InvalidBaseUrl::Scheme)?;
        let scheme = scheme.to_ascii_lowercase();
        if scheme != "http" && scheme != "https" {
            return Err(InvalidBaseUrl::Scheme);
        }
        let (authority, prefix) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if !is_authority(authority) {
            return Err(InvalidBaseUrl::Host);
        }
        Ok(Self(format!("{scheme}://{}{prefix}", authority.to_ascii_lowercase()).into()))
    }

    /// The base URL as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Scheme, host and port, as browsers name the site that a page is of.
    #[must_use]
    pub fn origin(&self) -> &str {
        let behind_scheme = self.0.find("://").map_or(0, |at| at + 3);
        let end = self.0[behind_scheme..].find('/').map_or(self.0.len(), |at| behind_scheme + at);
        &self.0[..end]
    }

    /// The absolute URL of anything.
    #[must_use]
    pub fn url(&self, address: &Address) -> String {
        format!("{self}{}", address.path())
    }

    /// The head feed of a source.
    #[must_use]
    pub fn stream(&self, source: &Source, suffix: Suffix, embed: Option<Embed>) -> String {
        StreamPath::under(self, source.name()).feed(suffix, embed)
    }

    /// A page.
    #[must_use]
    pub fn page(&self, source: &Source, request: &PageRequest, suffix: Suffix, embed: Option<Embed>) -> String {
        StreamPath::under(self, source.name()).page(request, suffix, embed)
    }

    /// One event.
    #[must_use]
    pub fn event(&self, source: &Source, number: Number, suffix: Suffix) -> String {
        StreamPath::under(self, source.name()).event(Place::Number(number), suffix)
    }

    /// The bytes of one event.
    #[must_use]
    pub fn data(&self, source: &Source, number: Number) -> String {
        StreamPath::under(self, source.name()).data(Place::Number(number))
    }

    /// The settings of a source.
    #[must_use]
    pub fn metadata(&self, source: &Source, suffix: Suffix) -> String {
        StreamPath::under(self, source.name()).metadata(suffix)
    }

    /// The explanation of a kind of problem.
    #[must_use]
    pub fn problem(&self, kind: &str) -> String {
        format!("{self}/ui/problems/{}", utf8_percent_encode(kind, RESERVED))
    }
}

/// A host, or an IPv6 address in brackets, and perhaps a port.
fn is_authority(text: &str) -> bool {
    let (host, rest) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) => {
            if address.parse::<std::net::Ipv6Addr>().is_err() {
                return false;
            }
            ("[]", rest)
        }
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let is_name = host == "[]" || (!host.is_empty() && !host.contains(['[', ']', '%', ':']));
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    is_name && (rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port))
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for StreamPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head => f.write_str("head"),
            Self::Number(number) => number.fmt(f),
            Self::Hex(position) => write!(f, "{0:016X}{0:016X}", position.get()),
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Forward => "forward",
            Self::Backward => "backward",
        })
    }
}
