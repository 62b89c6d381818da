//! Addresses, printed: one spelling for each.

use std::fmt;
use std::sync::Arc;

use crate::event::{Number, Source};

use super::{Embed, PageRequest};

/// What the server is called from outside: `http://host:port`, perhaps with a path, without a slash at its end.
///
/// Only characters that stand for themselves in URLs, XML and headers alike. Cheap to clone.
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
}

/// `/streams/{stream}`, encoded once for a whole document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamPath(String);

impl StreamPath {
    /// The path of this stream's head feed.
    #[must_use]
    pub fn of(stream: &str) -> Self {
        Self(format!("/streams/{stream}"))
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl BaseUrl {
    /// Checks a base URL; a slash at its end is dropped, scheme and host become lower case.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(text: &str) -> Result<Self, InvalidBaseUrl> {
        Ok(Self(text.trim_end_matches('/').into()))
    }

    /// The base URL as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The head feed of a source.
    #[must_use]
    pub fn stream(&self, source: &Source, suffix: Suffix, embed: Option<Embed>) -> String {
        let _ = (suffix, embed);
        format!("{self}{}", StreamPath::of(source.name()).as_str())
    }

    /// A page.
    #[must_use]
    pub fn page(&self, source: &Source, request: &PageRequest, suffix: Suffix, embed: Option<Embed>) -> String {
        let _ = request;
        self.stream(source, suffix, embed)
    }

    /// One event.
    #[must_use]
    pub fn event(&self, source: &Source, number: Number, suffix: Suffix) -> String {
        format!("{}/{number}", self.stream(source, suffix, None))
    }

    /// The bytes of one event.
    #[must_use]
    pub fn data(&self, source: &Source, number: Number) -> String {
        format!("{}/data", self.event(source, number, Suffix::None))
    }

    /// The settings of a stream.
    #[must_use]
    pub fn metadata(&self, source: &Source, suffix: Suffix) -> String {
        format!("{}/metadata", self.stream(source, suffix, None))
    }

    /// The explanation of a kind of problem.
    #[must_use]
    pub fn problem(&self, kind: &str) -> String {
        format!("{self}/ui/problems/{kind}")
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
