//! What a producer expects a stream to be when its append is decided.

use std::fmt;

use super::{Number, StreamHead};

/// An expectation about a stream, checked at the moment an append is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExpectedVersion {
    /// Anything goes (−2, and the default).
    #[default]
    Any,
    /// The stream has no event in its present life (−1).
    NoStream,
    /// The stream has an event (−4).
    Exists,
    /// The newest event has this number.
    Exactly(Number),
}

/// An integer that names no expectation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is no expected version: a number from 0, -1 (no stream), -2 (any) or -4 (exists) is")]
pub struct InvalidExpectedVersion(pub i64);

impl ExpectedVersion {
    /// From the integers of the `ES-ExpectedVersion` header.
    ///
    /// # Errors
    /// For −3 and everything below −4.
    pub fn from_integer(value: i64) -> Result<Self, InvalidExpectedVersion> {
        match value {
            -1 => Ok(Self::NoStream),
            -2 => Ok(Self::Any),
            -4 => Ok(Self::Exists),
            _ => match u64::try_from(value).map(Number::new) {
                Ok(Ok(number)) => Ok(Self::Exactly(number)),
                _ => Err(InvalidExpectedVersion(value)),
            },
        }
    }

    /// Whether a stream with this head is what was expected.
    #[must_use]
    pub fn is_met_by(self, head: &StreamHead) -> bool {
        match self {
            Self::Any => true,
            Self::NoStream => !head.exists(),
            Self::Exists => head.exists(),
            // A recreated stream goes on counting, so the number before its deletion is still its version.
            Self::Exactly(number) => head.last() == Some(number),
        }
    }
}

impl fmt::Display for ExpectedVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any version"),
            Self::NoStream => f.write_str("no stream"),
            Self::Exists => f.write_str("an existing stream"),
            Self::Exactly(number) => write!(f, "version {number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_integers_are_those_of_the_header() {
        use ExpectedVersion::{Any, Exactly, Exists, NoStream};
        for (integer, expected) in
            [(-1, NoStream), (-2, Any), (-4, Exists), (0, Exactly(Number::ZERO)), (7, Exactly(Number::from(7)))]
        {
            assert_eq!(ExpectedVersion::from_integer(integer), Ok(expected));
        }
        for integer in [-3, -5, i64::MIN] {
            assert_eq!(ExpectedVersion::from_integer(integer), Err(InvalidExpectedVersion(integer)));
        }
    }
}
