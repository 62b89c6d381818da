//! Whose events a feed shows, and in which order.

use std::fmt;

use super::StreamName;

/// A run of numbers in one stream, or of positions in the whole log.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Source {
    /// `$all`: every event of the log; its number there is its position.
    All,
    /// One stream.
    Stream(StreamName),
}

/// In which order events are read, or stand in a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Order {
    /// By rising numbers.
    OldestFirst,
    /// By falling numbers.
    NewestFirst,
}

impl Source {
    /// The source that goes by this name.
    #[must_use]
    pub fn named(name: StreamName) -> Self {
        if name.is_all() { Self::All } else { Self::Stream(name) }
    }

    /// The stream that it goes by; `$all` is one by name.
    #[must_use]
    pub fn stream(&self) -> StreamName {
        match self {
            Self::All => StreamName::all(),
            Self::Stream(stream) => stream.clone(),
        }
    }

    /// The name that it goes by.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::All => "$all",
            Self::Stream(stream) => stream.as_str(),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
