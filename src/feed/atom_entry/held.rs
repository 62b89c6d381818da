//! What an element of an entry holds, and whether it may.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::InvalidEntry;
use crate::event::MediaType;

/// As RFC 4648 §4 has it. Whether it is padded tells nobody anything.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// What an element holds, as far as it was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// No elements.
    Text,
    /// No elements, and text that is looked at in the end.
    Checked { text: String, as_what: Check },
    /// One `div`, and nothing beside it.
    Div { is_there: bool },
    /// Nothing at all.
    Nothing,
    /// A person: what was said of it.
    Person { element: &'static str, name: bool, uri: bool, email: bool },
    /// The metadata of a feed.
    Source { has_author: bool },
    /// Whatever there may be.
    Anything,
}

/// What a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    Iri,
    Time(&'static str),
    Base64,
}

/// The vocabularies that are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Vocabulary {
    Atom,
    App,
    Everfeed,
    Xhtml,
    Other,
}

impl Held {
    pub(super) const fn checked(as_what: Check) -> Self {
        Self::Checked { text: String::new(), as_what }
    }

    pub(super) const fn person(element: &'static str) -> Self {
        Self::Person { element, name: false, uri: false, email: false }
    }

    /// RFC 4287 §3.1: a text construct of this type.
    pub(super) fn of_text(element: &'static str, kind: Option<&str>) -> Result<Self, InvalidEntry> {
        match kind {
            None | Some("text" | "html") => Ok(Self::Text),
            Some("xhtml") => Ok(Self::Div { is_there: false }),
            Some(_) => Err(InvalidEntry::InvalidTextType(element)),
        }
    }

    /// RFC 4287 §4.1.3: content of this type, here or elsewhere.
    pub(super) fn of_content(kind: Option<&str>, is_elsewhere: bool) -> Result<Self, InvalidEntry> {
        match (kind, is_elsewhere) {
            (None, true) => Ok(Self::Nothing),
            (Some("text" | "html" | "xhtml"), true) => Err(InvalidEntry::BesideSource),
            (None | Some("text" | "html"), false) => Ok(Self::Text),
            (Some("xhtml"), false) => Ok(Self::Div { is_there: false }),
            (Some(media_type), is_elsewhere) => {
                let media_type = MediaType::parse(media_type).map_err(|_| InvalidEntry::InvalidContentType)?;
                if media_type.is_composite() {
                    return Err(InvalidEntry::InvalidContentType);
                }
                Ok(if is_elsewhere {
                    Self::Nothing
                } else if media_type.is_xml() {
                    Self::Anything
                } else if media_type.is_text() {
                    Self::Text
                } else {
                    Self::checked(Check::Base64)
                })
            }
        }
    }

    /// An element stands in it.
    pub(super) fn element(&mut self, vocabulary: Vocabulary, name: &str) -> Result<(), InvalidEntry> {
        match self {
            Self::Text | Self::Checked { .. } => Err(InvalidEntry::Markup),
            Self::Nothing => Err(InvalidEntry::BesideSource),
            Self::Div { is_there } => {
                let is_first = !std::mem::replace(is_there, true);
                let is_div = vocabulary == Vocabulary::Xhtml && name == "div";
                if is_first && is_div { Ok(()) } else { Err(InvalidEntry::NoDiv) }
            }
            Self::Person { name: has_name, uri, email, .. } if vocabulary == Vocabulary::Atom => {
                let (has, what) = match name {
                    "name" => (has_name, "the name of a person"),
                    "uri" => (uri, "the uri of a person"),
                    "email" => (email, "the email of a person"),
                    _ => return Err(InvalidEntry::UnknownElement),
                };
                if std::mem::replace(has, true) { Err(InvalidEntry::Twice(what)) } else { Ok(()) }
            }
            Self::Source { has_author } => {
                *has_author |= vocabulary == Vocabulary::Atom && name == "author";
                Ok(())
            }
            Self::Person { .. } | Self::Anything => Ok(()),
        }
    }

    /// Text stands in it.
    pub(super) fn text(&mut self, more: &str) -> Result<(), InvalidEntry> {
        match self {
            Self::Checked { text, .. } => text.push_str(more),
            Self::Div { .. } if !is_blank(more) => return Err(InvalidEntry::NoDiv),
            // An empty element may be written with a line break in it.
            Self::Nothing if !is_blank(more) => return Err(InvalidEntry::BesideSource),
            Self::Text
            | Self::Div { .. }
            | Self::Nothing
            | Self::Person { .. }
            | Self::Source { .. }
            | Self::Anything => {}
        }
        Ok(())
    }

    /// It ends; what it holds is all there.
    pub(super) fn end(&self) -> Result<(), InvalidEntry> {
        match self {
            Self::Div { is_there: false } => Err(InvalidEntry::NoDiv),
            Self::Person { element, name: false, .. } => Err(InvalidEntry::Lacks { element, missing: "name" }),
            Self::Checked { text, as_what } => {
                let is_right = match as_what {
                    Check::Iri => is_absolute(trimmed(text)),
                    Check::Time(_) => chrono::DateTime::parse_from_rfc3339(trimmed(text)).is_ok(),
                    Check::Base64 => {
                        let text: Vec<u8> = text.bytes().filter(|byte| !is_space(char::from(*byte))).collect();
                        BASE64.decode(text).is_ok()
                    }
                };
                match as_what {
                    _ if is_right => Ok(()),
                    Check::Iri => Err(InvalidEntry::InvalidId),
                    Check::Time(element) => Err(InvalidEntry::InvalidTime(element)),
                    Check::Base64 => Err(InvalidEntry::NotBase64),
                }
            }
            Self::Text
            | Self::Div { .. }
            | Self::Nothing
            | Self::Person { .. }
            | Self::Source { .. }
            | Self::Anything => Ok(()),
        }
    }
}

/// White space of XML's.
pub(super) const fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

pub(super) fn is_blank(text: &str) -> bool {
    text.chars().all(is_space)
}

/// Without the white space that documents are laid out with.
pub(super) fn trimmed(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// RFC 3987 §2.2, as far as it tells an absolute IRI from other texts: a scheme, and no white space or control
/// characters.
fn is_absolute(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    is_scheme && !rest.is_empty() && !text.chars().any(|c| c.is_whitespace() || c.is_control())
}
