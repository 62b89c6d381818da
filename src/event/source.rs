//! Whose events a feed shows, and in which order.

use std::fmt;

use super::{Derived, Number, StreamName};

/// A run of numbers in one stream, of positions in the whole log, or of places in a derived stream.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Source {
    /// `$all`: every event of the log; its number there is its position.
    All,
    /// One stream.
    Stream(StreamName),
    /// A stream that the server keeps by reference: `$ce-orders`, `$streams`, ….
    Derived(Derived, StreamName),
}

/// In which order events are read, or stand in a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Order {
    /// By rising numbers.
    OldestFirst,
    /// By falling numbers.
    NewestFirst,
}

/// Which numbers of a source there are to be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Visible {
    /// The first number that is not truncated or deleted; at most `next`.
    pub from: Number,
    /// The first number not assigned yet.
    pub next: Number,
}

impl Source {
    /// The source that goes by this name.
    #[must_use]
    pub fn named(name: StreamName) -> Self {
        if name.is_all() {
            return Self::All;
        }
        match Derived::named(&name) {
            Some(derived) => Self::Derived(derived, name),
            None => Self::Stream(name),
        }
    }

    /// The stream that it goes by; `$all` and derived streams are streams by name.
    #[must_use]
    pub fn stream(&self) -> StreamName {
        match self {
            Self::All => StreamName::all(),
            Self::Stream(stream) | Self::Derived(_, stream) => stream.clone(),
        }
    }

    /// The name that it goes by.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::All => "$all",
            Self::Stream(stream) | Self::Derived(_, stream) => stream.as_str(),
        }
    }

    /// Whether its events are of many streams.
    #[must_use]
    pub const fn is_derived(&self) -> bool {
        match self {
            Self::All | Self::Derived(..) => true,
            Self::Stream(_) => false,
        }
    }
}

impl Visible {
    /// Everything below `next`.
    #[must_use]
    pub const fn all_below(next: Number) -> Self {
        Self { from: Number::ZERO, next }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
