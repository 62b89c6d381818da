//! Media types (RFC 9110 §8.3.1), as far as an event feed needs them: kept as sent, and sorted into kinds.

use std::fmt;
use std::sync::Arc;

use super::limits::MEDIA_TYPE_BYTES_MAX;

/// The media type of an event's data, kept as the producer wrote it.
///
/// Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct MediaType(Arc<str>);

/// Why a text is not a media type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMediaType {
    /// Over the limit.
    #[error("it is {0} bytes long; at most {MEDIA_TYPE_BYTES_MAX} are allowed")]
    TooLong(usize),
    /// Not `type/subtype` with optional parameters.
    #[error("it is not of the form `type/subtype; name=value`")]
    Malformed,
}

impl MediaType {
    /// # Errors
    /// When the text is not a media type.
    pub fn parse(text: &str) -> Result<Self, InvalidMediaType> {
        let text = text.trim_matches([' ', '\t']);
        if text.len() > MEDIA_TYPE_BYTES_MAX {
            return Err(InvalidMediaType::TooLong(text.len()));
        }
        let (essence, parameters) = text.split_once(';').unwrap_or((text, ""));
        let (kind, subtype) = essence.split_once('/').ok_or(InvalidMediaType::Malformed)?;
        let visible = |c: char| c == ' ' || c == '\t' || c.is_ascii_graphic();
        if is_token(kind) && is_token(subtype.trim_end_matches([' ', '\t'])) && parameters.chars().all(visible) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidMediaType::Malformed)
        }
    }

    /// `application/json`.
    #[must_use]
    pub fn json() -> Self {
        Self("application/json".into())
    }

    /// `application/octet-stream`: bytes of which nothing is known.
    #[must_use]
    pub fn octet_stream() -> Self {
        Self("application/octet-stream".into())
    }

    /// `application/atom+xml;type=entry`: one Atom entry (RFC 5023 §12).
    #[must_use]
    pub fn atom_entry() -> Self {
        Self("application/atom+xml;type=entry".into())
    }

    /// As it was sent, parameters included.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `type/subtype`, without parameters, as it was sent.
    #[must_use]
    pub fn essence(&self) -> &str {
        self.0.split(';').next().unwrap_or_default().trim_end_matches([' ', '\t'])
    }

    /// The value of a parameter, without quotes. Names are compared without regard to case.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.0.split(';').skip(1).find_map(|parameter| {
            let (key, value) = parameter.split_once('=')?;
            key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"'))
        })
    }

    /// The charset that it names, unless that is UTF-8.
    #[must_use]
    pub fn other_charset(&self) -> Option<&str> {
        self.parameter("charset")
            .filter(|charset| !["utf-8", "utf8"].iter().any(|utf8| charset.eq_ignore_ascii_case(utf8)))
    }

    /// `application/json` or anything that ends in `+json`.
    #[must_use]
    pub fn is_json(&self) -> bool {
        let essence = self.essence();
        essence.eq_ignore_ascii_case("application/json") || ends_with_ignore_case(essence, "+json")
    }

    /// An XML media type by RFC 4287 §4.1.3: `…/xml` or `…+xml`.
    #[must_use]
    pub fn is_xml(&self) -> bool {
        let essence = self.essence();
        ends_with_ignore_case(essence, "/xml") || ends_with_ignore_case(essence, "+xml")
    }

    /// RFC 6838 §4.2.6: made of parts.
    #[must_use]
    pub fn is_composite(&self) -> bool {
        self.is_one_of(&["multipart", "message"])
    }

    /// What people look at or listen to, as it is: images, sound, moving pictures, fonts.
    #[must_use]
    pub fn is_media(&self) -> bool {
        self.is_one_of(&["image", "audio", "video", "font"])
    }

    /// See [`MediaType::atom_entry`].
    #[must_use]
    pub fn is_atom_entry(&self) -> bool {
        self.essence().eq_ignore_ascii_case("application/atom+xml")
            && self.parameter("type").is_some_and(|kind| kind.eq_ignore_ascii_case("entry"))
    }

    /// Any `text/…`.
    #[must_use]
    pub fn is_text(&self) -> bool {
        self.is_one_of(&["text"])
    }

    /// Whether what stands before the slash is one of these.
    fn is_one_of(&self, kinds: &[&str]) -> bool {
        let kind = self.0.split('/').next().unwrap_or_default();
        kinds.iter().any(|one| one.eq_ignore_ascii_case(kind))
    }
}

fn ends_with_ignore_case(text: &str, end: &str) -> bool {
    text.len() >= end.len() && text.as_bytes()[text.len() - end.len()..].eq_ignore_ascii_case(end.as_bytes())
}

/// RFC 9110 §5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_by_the_essence() {
        let media_type = |text| MediaType::parse(text).expect("a media type");
        assert!(media_type("application/json; charset=utf-8").is_json());
        assert!(media_type("application/vnd.shop+JSON").is_json());
        assert!(media_type("text/xml").is_xml() && media_type("text/xml").is_text());
        assert!(media_type("image/svg+xml").is_xml());
        assert!(!media_type("application/octet-stream").is_text());
        assert!(media_type("Image/svg+xml").is_media() && media_type("font/woff2").is_media());
        assert!(!media_type("application/pdf").is_media() && !media_type("imagery/png").is_media());
        assert!(media_type("multipart/mixed; boundary=x").is_composite() && !media_type("text/plain").is_composite());
        assert!(
            MediaType::atom_entry().is_atom_entry() && media_type("application/ATOM+xml; Type=Entry").is_atom_entry()
        );
        assert!(!media_type("application/atom+xml").is_atom_entry());
        assert_eq!(media_type("text/plain ; Charset=\"utf-8\"").parameter("charset"), Some("utf-8"));
        assert_eq!(media_type("text/plain; charset=Latin1").other_charset(), Some("Latin1"));
        assert_eq!(media_type("text/plain; charset=\"UTF-8\"").other_charset(), None);
        assert_eq!(media_type("text/plain").other_charset(), None);
        assert_eq!(media_type("text/plain ;a=b").essence(), "text/plain");
    }

    #[test]
    fn what_is_no_media_type_is_refused() {
        for text in ["", "json", "/", "a/", "/b", "a b/c", "a/b c", "a/b; x=\u{1}", "a/b;é"] {
            assert_eq!(MediaType::parse(text), Err(InvalidMediaType::Malformed), "{text:?}");
        }
        assert_eq!(MediaType::parse(&format!("a/{}", "b".repeat(254))), Err(InvalidMediaType::TooLong(256)));
    }
}
