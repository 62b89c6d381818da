//! Numbers and positions: places in a stream and in the log, counted from 0 without gaps.

use std::fmt;

use super::limits::NUMBER_MAX;

/// An event's place in its stream: 0, 1, 2, … without gaps. At most 2⁶³ − 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Number(u64);

/// An event's place in the whole log: 0, 1, 2, … without gaps. At most 2⁶³ − 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Position(u64);

/// What a stream is between two deletions: 0 for its first life, 1 for the one after its first deletion, ….
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Life(pub u32);

/// A number or position above 2⁶³ − 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is over 9223372036854775807, the largest number there is")]
pub struct NumberOutOfRange(pub u64);

macro_rules! place {
    ($name:ident) => {
        impl $name {
            /// The first place.
            pub const ZERO: Self = Self(0);
            /// The last place there can be.
            pub const MAX: Self = Self(NUMBER_MAX);

            /// # Errors
            /// Above 2⁶³ − 1.
            pub const fn new(value: u64) -> Result<Self, NumberOutOfRange> {
                if value > NUMBER_MAX { Err(NumberOutOfRange(value)) } else { Ok(Self(value)) }
            }

            /// The place as an integer.
            #[must_use]
            pub const fn get(self) -> u64 {
                self.0
            }

            /// The place `count` later, or the last one there can be.
            #[must_use]
            pub const fn plus(self, count: u64) -> Self {
                let sum = self.0.saturating_add(count);
                Self(if sum > NUMBER_MAX { NUMBER_MAX } else { sum })
            }

            /// The place before this one; none before the first.
            #[must_use]
            pub const fn before(self) -> Option<Self> {
                match self.0.checked_sub(1) {
                    Some(value) => Some(Self(value)),
                    None => None,
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<u32> for $name {
            fn from(value: u32) -> Self {
                Self(u64::from(value))
            }
        }
    };
}

place!(Number);
place!(Position);

impl From<Position> for Number {
    /// In `$all` the number is the position.
    fn from(position: Position) -> Self {
        Self(position.0)
    }
}

impl From<Number> for Position {
    /// In `$all` the number is the position.
    fn from(number: Number) -> Self {
        Self(number.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_end_at_two_to_the_63_minus_one() {
        assert_eq!(Number::new(NUMBER_MAX), Ok(Number::MAX));
        assert_eq!(Number::new(NUMBER_MAX + 1), Err(NumberOutOfRange(NUMBER_MAX + 1)));
        assert_eq!(Number::MAX.plus(1), Number::MAX);
        assert_eq!(Number::ZERO.before(), None);
    }
}
