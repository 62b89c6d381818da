//! Patterns of stream names: text in which `*` stands for any text, also none.

use std::fmt;
use std::sync::Arc;

use crate::event::StreamName;

/// The longest pattern, in bytes.
const BYTES_MAX: usize = 1_024;

/// A pattern of stream names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pattern(Arc<str>);

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a pattern of stream names has 1 to {BYTES_MAX} bytes, not {0}")]
pub struct InvalidPattern(usize);

impl Pattern {
    /// Reads a pattern. Every text of a sensible length is one.
    ///
    /// # Errors
    /// When it is empty or too long.
    pub fn parse(text: &str) -> Result<Self, InvalidPattern> {
        if text.is_empty() || text.len() > BYTES_MAX { Err(InvalidPattern(text.len())) } else { Ok(Self(text.into())) }
    }

    /// The pattern as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a name fits. The parts between the stars are looked for from left to right, each once, so that no pattern
    /// makes it slow.
    #[must_use]
    pub fn fits(&self, name: &str) -> bool {
        let Some((start, rest)) = self.0.split_once('*') else { return *self.0 == *name };
        let Some(mut name) = name.strip_prefix(start) else { return false };
        let (between, end) = rest.rsplit_once('*').unwrap_or(("", rest));
        for part in between.split('*').filter(|part| !part.is_empty()) {
            match name.find(part) {
                Some(at) => name = &name[at + part.len()..],
                None => return false,
            }
        }
        name.ends_with(end)
    }
}

impl Pattern {
    /// Whether it is about a stream. A star at the beginning takes in no name of the server's own: whoever writes `*`
    /// thinks of their streams, and not of the log of what was done to them.
    #[must_use]
    pub fn is_about(&self, stream: &StreamName) -> bool {
        (!stream.is_system() || self.as_str().starts_with('$')) && self.fits(stream.as_str())
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fits(pattern: &str, name: &str) -> bool {
        Pattern::parse(pattern).expect("a pattern").fits(name)
    }

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, name, expected) in [
            ("orders", "orders", true),
            ("orders", "orders-1", false),
            ("orders-*", "orders-", true),
            ("orders-*", "orders-1-2", true),
            ("orders-*", "xorders-1", false),
            ("*", "", true),
            ("*-eu", "orders-eu", true),
            ("*-eu", "orders-eu-1", false),
            ("a*b*c", "a1b2c", true),
            ("a*b*c", "acb", false),
            ("ab*ba", "aba", false),
            ("**", "x", true),
            ("a**", "a", true),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
        assert_eq!(Pattern::parse(""), Err(InvalidPattern(0)));
        assert!(Pattern::parse(&"x".repeat(BYTES_MAX + 1)).is_err());
    }

    /// The plain definition, which tries every length for every star.
    fn by_definition(pattern: &[char], name: &[char]) -> bool {
        match pattern.split_first() {
            None => name.is_empty(),
            Some(('*', rest)) => (0..=name.len()).any(|skipped| by_definition(rest, &name[skipped..])),
            Some((first, rest)) => {
                name.split_first().is_some_and(|(start, name)| first == start && by_definition(rest, name))
            }
        }
    }

    proptest! {
        #[test]
        fn it_is_what_the_plain_definition_says(pattern in "[ab*]{1,8}", name in "[ab]{0,10}") {
            let (one, other): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
            prop_assert_eq!(fits(&pattern, &name), by_definition(&one, &other));
        }
    }
}
