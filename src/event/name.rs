//! Names of streams and of event types: any text that is safe to show and to put into a URL.

use std::fmt;
use std::sync::Arc;

use super::HIDDEN_TYPE;
use super::limits::{EVENT_TYPE_BYTES_MAX, STREAM_NAME_BYTES_MAX, STREAM_NAME_BYTES_MAX_PREFIXED};

/// The name of a stream, compared byte for byte. Slashes, spaces and any Unicode are plain data.
///
/// Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamName(Arc<str>);

/// The type of an event, such as `OrderPlaced`; the same rules as for names.
///
/// Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventType(Arc<str>);

/// Why a text is not a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// Names have at least one character.
    #[error("it is empty")]
    Empty,
    /// Over the limit, in bytes of UTF-8.
    #[error("it is {bytes} bytes long; at most {bytes_max} are allowed")]
    TooLong {
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        bytes_max: usize,
    },
    /// Control characters would break headers, logs and XML 1.0.
    #[error("it holds the control character U+{:04X}", u32::from(*.0))]
    ControlCharacter(char),
    /// U+FFFE and U+FFFF are not characters of XML 1.0, so no feed could show them.
    #[error("it holds U+{:04X}, which is not a character", u32::from(*.0))]
    NotACharacter(char),
    /// `.` and `..` as a whole, or as a part between slashes, are rewritten by clients and proxies.
    #[error("it has `.` or `..` as a part of its own, which proxies and clients rewrite")]
    DotSegment,
}

fn check(text: &str, bytes_max: usize) -> Result<(), InvalidName> {
    if text.is_empty() {
        return Err(InvalidName::Empty);
    }
    if text.len() > bytes_max {
        return Err(InvalidName::TooLong { bytes: text.len(), bytes_max });
    }
    if let Some(control) = text.chars().find(|c| c.is_control()) {
        return Err(InvalidName::ControlCharacter(control));
    }
    if let Some(noncharacter) = text.chars().find(|c| matches!(c, '\u{FFFE}' | '\u{FFFF}')) {
        return Err(InvalidName::NotACharacter(noncharacter));
    }
    if text.split('/').any(|part| part == "." || part == "..") {
        return Err(InvalidName::DotSegment);
    }
    Ok(())
}

impl StreamName {
    /// Checks a name that a client sent. The server's own prefixes do not count towards the length.
    ///
    /// # Errors
    /// When the text is not a name; the error says why.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let bytes_max = if text.starts_with('$') { STREAM_NAME_BYTES_MAX_PREFIXED } else { STREAM_NAME_BYTES_MAX };
        check(text, bytes_max)?;
        Ok(Self(text.into()))
    }

    /// `$all`: every event of the log, in the order of positions.
    #[must_use]
    pub fn all() -> Self {
        Self("$all".into())
    }

    /// `$streams`: the first event of every stream.
    #[must_use]
    pub fn streams() -> Self {
        Self("$streams".into())
    }

    /// `$settings`: what holds for the rights of all streams.
    #[must_use]
    pub fn server_settings() -> Self {
        Self("$settings".into())
    }

    /// `$audit`: what was done that has to be accounted for.
    #[must_use]
    pub fn audit() -> Self {
        Self("$audit".into())
    }

    /// `$nothing`, which nobody ever writes to: what a stream looks like that is not there.
    #[must_use]
    pub fn nothing() -> Self {
        Self("$nothing".into())
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Names that begin with `$` belong to the server.
    #[must_use]
    pub fn is_system(&self) -> bool {
        self.0.starts_with('$')
    }

    /// The stream that holds this one's settings.
    #[must_use]
    pub fn settings(&self) -> Self {
        Self(["$$", self.as_str()].concat().into())
    }

    /// The stream whose settings this one holds.
    #[must_use]
    pub fn with_settings(&self) -> Option<Self> {
        self.0.strip_prefix("$$").and_then(|name| Self::parse(name).ok())
    }

    /// Whether this is `$all`.
    #[must_use]
    pub fn is_all(&self) -> bool {
        &*self.0 == "$all"
    }
}

impl EventType {
    /// Checks a type that a client sent.
    ///
    /// # Errors
    /// When the text is not a type; the error says why.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        check(text, EVENT_TYPE_BYTES_MAX)?;
        Ok(Self(text.into()))
    }

    /// The type of what stands for an event that its reader may not see.
    #[must_use]
    pub fn hidden() -> Self {
        Self(HIDDEN_TYPE.into())
    }

    /// The type as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_printable_text_is_a_name() {
        for name in ["orders", "a/b", "a b", "Ünï/çødé", "100%", "?#", "...", "a/.../b", "$all", "🦀", "-", ".a", "a."]
        {
            assert_eq!(StreamName::parse(name).map(|n| n.to_string()), Ok(name.to_string()));
        }
    }

    #[test]
    fn what_would_break_a_url_or_a_document_is_refused() {
        use InvalidName::{ControlCharacter, DotSegment, Empty, NotACharacter};
        let refused = [
            ("", Empty),
            (".", DotSegment),
            ("..", DotSegment),
            ("a/..", DotSegment),
            ("./a", DotSegment),
            ("a/./b", DotSegment),
            ("a\nb", ControlCharacter('\n')),
            ("a\u{0}", ControlCharacter('\u{0}')),
            ("\u{85}", ControlCharacter('\u{85}')),
            ("\u{FFFF}", NotACharacter('\u{FFFF}')),
        ];
        for (name, why) in refused {
            assert_eq!(StreamName::parse(name), Err(why), "{name:?}");
        }
    }

    #[test]
    fn a_name_is_at_most_500_bytes_and_a_prefixed_one_512() {
        assert!(StreamName::parse(&"é".repeat(250)).is_ok());
        assert!(StreamName::parse(&format!("{}a", "é".repeat(250))).is_err());
        assert!(StreamName::parse(&format!("$ce-{}", "a".repeat(508))).is_ok());
        assert!(StreamName::parse(&format!("$ce-{}", "a".repeat(509))).is_err());
        assert!(EventType::parse(&"t".repeat(500)).is_ok());
        assert!(EventType::parse(&"t".repeat(501)).is_err());
    }
}
