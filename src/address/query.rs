//! The query parameters that mean something; all others are ignored.

/// The known parameters, but for `format`, which stands beside the suffix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Query {
    /// `?embed=`: how much of its events a feed holds.
    pub embed: Option<Embed>,
    /// `?wait=`: how long an answer may wait for an event, in seconds as asked for.
    pub wait_seconds: Option<u64>,
}

/// How much of its events a feed holds, in the words of `?embed=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Embed {
    /// `none`: in Atom XML, all content is linked; in EventStore JSON, plain entries (also its default).
    None,
    /// `content`
    Content,
    /// `rich`
    Rich,
    /// `body`
    Body,
    /// `pretty`, also `PrettyBody`
    Pretty,
    /// `tryharder`
    TryHarder,
}

/// A representation that an address itself names: by suffix (`.atom`, `.json`) or by `?format=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// `atom`: `application/atom+xml`
    Atom,
    /// `json`: `application/json`
    Json,
    /// `xml`: `text/xml`
    Xml,
    /// `text`: `text/plain`
    Text,
    /// `atomxj`: `application/vnd.eventstore.atom+json`
    AtomJson,
    /// `atomsvc`: `application/atomsvc+xml`
    Service,
    /// `atomsvcxj`: `application/vnd.eventstore.atomsvc+json`
    ServiceJson,
}
