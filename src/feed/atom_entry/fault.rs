//! Why a document is no valid Atom entry.

use crate::event::limits::ENTRY_ELEMENTS_MAX;

use super::super::xml::IllFormed;

/// A fault, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// In bytes from the start of the text.
    pub(crate) at: usize,
    pub(crate) why: InvalidEntry,
}

/// Why a text is no Atom entry that can be taken in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEntry {
    /// Atom is exchanged in UTF-8 here.
    #[error("it is not UTF-8")]
    NotUtf8,
    /// XML 1.0 with namespaces, within the limits.
    #[error("it is not well-formed: {0}")]
    IllFormed(&'static str),
    /// Beyond what anybody writes.
    #[error("a namespace of Atom's or of this server is written with references")]
    OddNamespace,
    /// Some other document.
    #[error("its root element is not the `entry` of http://www.w3.org/2005/Atom")]
    NoEntry,
    /// A whole feed.
    #[error(
        "it is a feed; one entry is one event, and a feed that is to be kept as the data of an event is sent as \
         application/atom+xml;type=feed"
    )]
    Feed,
    /// In memory each element takes far more than its bytes.
    #[error("it consists of more than {ENTRY_ELEMENTS_MAX} elements")]
    TooManyElements,
    /// Nothing says what it would mean.
    #[error("there is text between the elements of the entry")]
    StrayText,
    /// What Atom has is listed in RFC 4287.
    #[error("an entry has no such element of Atom's")]
    UnknownElement,
    /// Readers differ in which one they believe.
    #[error("{0} stands twice")]
    Twice(&'static str),
    /// RFC 4287 §4.1.2.
    #[error("two alternate links have the same type and language")]
    AlternateTwice,
    /// RFC 4287 §4.2.
    #[error("{element} has no {missing}")]
    Lacks {
        /// Where something is missing.
        element: &'static str,
        /// What is missing.
        missing: &'static str,
    },
    /// RFC 4287 §4.2.6.
    #[error("an id is an absolute IRI, such as urn:uuid:0190c6a4-7b1e-7f5e-9a52-1f6f2d3c4b5a")]
    InvalidId,
    /// RFC 4287 §3.3.
    #[error("{0} is a time such as 2026-01-31T12:00:00Z")]
    InvalidTime(&'static str),
    /// RFC 4287 §3.1.1.
    #[error("the type of {0} is text, html or xhtml")]
    InvalidTextType(&'static str),
    /// RFC 4287 §4.1.3.1.
    #[error("the type of content is text, html, xhtml or a media type that is not made of parts")]
    InvalidContentType,
    /// RFC 4287 §§3.1.1 and 4.1.3.3.
    #[error("what this type holds is text, and in it there is an element; escape its markup")]
    Markup,
    /// RFC 4287 §3.1.1.3.
    #[error("what type xhtml holds is one div of http://www.w3.org/1999/xhtml, and nothing beside it")]
    NoDiv,
    /// RFC 4287 §4.1.3.2.
    #[error("content that has a src is empty, and its type is a media type")]
    BesideSource,
    /// RFC 4287 §4.1.3.3.
    #[error("content of this media type is base64, and this is not")]
    NotBase64,
}

impl From<IllFormed> for Fault {
    fn from(ill_formed: IllFormed) -> Self {
        Self { at: ill_formed.at, why: InvalidEntry::IllFormed(ill_formed.what) }
    }
}
