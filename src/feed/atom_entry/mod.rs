//! An Atom entry as its author wrote it (RFC 4287 §4.1.2): which elements it has, and where they stand.
//!
//! Nothing is taken apart that need not be. Elements are slices of the document, so that they can be put into
//! another one as they are, whatever they hold. A document is first held to our own strict check, so that the
//! lenient parser which then reads it meets nothing that it could understand in its own way.
//!
//! What is a valid entry here decides how it is written in feeds, so whoever changes a rule raises the render
//! revision of Atom.

mod fault;
mod held;
mod reader;
#[cfg(test)]
mod tests;

pub(crate) use fault::{Fault, InvalidEntry};
pub(crate) use reader::read;

/// The namespace of Atom (RFC 4287 §1.2).
pub(crate) const ATOM: &str = "http://www.w3.org/2005/Atom";
/// The namespace of AtomPub (RFC 5023 §1.3).
pub(crate) const APP: &str = "http://www.w3.org/2007/app";
/// The namespace of what only this server says of an event.
pub(crate) const EVERFEED: &str = "urn:everfeed:1";
/// The scheme of the category that names an event's type.
pub(crate) const TYPE_SCHEME: &str = "urn:everfeed:type";

/// A valid entry.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    /// What the root element says for everything inside it.
    pub(crate) scope: Scope,
    /// Its elements, in order. Comments and instructions between them are no part of it.
    pub(crate) elements: Vec<Element<'a>>,
}

/// What an element's attributes say for everything inside it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Scope {
    /// `xml:base`
    pub(crate) base: Option<String>,
    /// `xml:lang` and `xml:space`, with their values.
    pub(crate) of_text: Vec<(String, String)>,
    /// Prefix and namespace of each declaration; the prefix of the default namespace is empty.
    pub(crate) namespaces: Vec<(String, String)>,
}

/// An element of an entry.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Element<'a> {
    /// What it says.
    pub(crate) kind: Kind,
    /// As it stands in the document, from `<` to `>`.
    pub(crate) text: &'a str,
    /// Where its name ends in there: more attributes can be put in.
    pub(crate) name_end: usize,
    /// The prefixes that it declares itself.
    pub(crate) declares: Vec<String>,
}

/// What an element of an entry says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `id`, without the white space around it.
    Id(String),
    /// `title`
    Title,
    /// `summary`
    Summary,
    /// `content`
    Content {
        /// RFC 4287 §4.1.2: its own form tells a reader nothing, so that a summary has to.
        needs_summary: bool,
    },
    /// `rights`
    Rights,
    /// `published`
    Published,
    /// `updated`
    Updated,
    /// `author`
    Author,
    /// `contributor`
    Contributor,
    /// `category`
    Category {
        /// Whose categories these are.
        scheme: Option<String>,
        /// The category.
        term: String,
    },
    /// `link`
    Link(Link),
    /// `source`: where the entry was copied from.
    Source {
        /// Its author is then the entry's.
        has_author: bool,
    },
    /// An element of AtomPub or of this server: what it says is the server's to say.
    OfServer,
    /// An element of another vocabulary.
    Foreign,
}

/// What a link says, besides where it leads.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Link {
    /// In its short form.
    pub(crate) rel: String,
    /// `type`
    pub(crate) media_type: Option<String>,
    /// `hreflang`
    pub(crate) language: Option<String>,
}

impl Entry<'_> {
    /// Whether it has an element of which this is true.
    pub(crate) fn has(&self, is: impl Fn(&Kind) -> bool) -> bool {
        self.elements.iter().any(|element| is(&element.kind))
    }

    /// Its `id`.
    pub(crate) fn id(&self) -> Option<&str> {
        self.elements.iter().find_map(|element| match &element.kind {
            Kind::Id(id) => Some(id.as_str()),
            _ => None,
        })
    }

    /// The categories, in order: scheme and term.
    pub(crate) fn categories(&self) -> impl Iterator<Item = (Option<&str>, &str)> {
        self.elements.iter().filter_map(|element| match &element.kind {
            Kind::Category { scheme, term } => Some((scheme.as_deref(), term.as_str())),
            _ => None,
        })
    }
}

impl Kind {
    /// RFC 4287 §4.2.12 lets one author's entry stand in another's feed; its author comes with it.
    pub(crate) const fn names_author(&self) -> bool {
        matches!(self, Self::Author | Self::Source { has_author: true })
    }
}

impl Link {
    /// RFC 4287 §4.1.2 allows one of these for each media type and language.
    pub(crate) fn is_alternate(&self) -> bool {
        self.rel == "alternate"
    }

    /// One without either.
    pub(crate) fn is_plain_alternate(&self) -> bool {
        self.is_alternate() && self.media_type.is_none() && self.language.is_none()
    }
}
