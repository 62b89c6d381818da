//! The attributes of an element, and the vocabularies that are told apart.

use quick_xml::XmlVersion;
use quick_xml::events::BytesStart;
use quick_xml::name::{PrefixDeclaration, ResolveResult};

use super::PageFault;
use crate::feed::atom_entry::{ATOM, EVERFEED};

/// Whose an element is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Vocabulary {
    Atom,
    /// RFC 5005.
    History,
    /// RFC 6721.
    Tombstones,
    Everfeed,
    Other,
}

const KNOWN: [(&str, Vocabulary); 4] = [
    (ATOM, Vocabulary::Atom),
    ("http://purl.org/syndication/history/1.0", Vocabulary::History),
    ("http://purl.org/atompub/tombstones/1.0", Vocabulary::Tombstones),
    (EVERFEED, Vocabulary::Everfeed),
];

/// What an element's attributes say.
#[derive(Debug, Default)]
pub(super) struct Attributes {
    /// Name and value of those without a prefix.
    plain: Vec<(String, String)>,
    /// `xml:base`
    pub(super) base: Option<String>,
    /// Prefix and namespace of each declaration; the prefix of the default namespace is empty.
    pub(super) namespaces: Vec<(String, String)>,
}

impl Vocabulary {
    pub(super) fn of(namespace: &ResolveResult<'_>) -> Self {
        let ResolveResult::Bound(namespace) = namespace else { return Self::Other };
        let known = KNOWN.iter().find(|(known, _)| *known == namespace.as_ref());
        known.map_or(Self::Other, |(_, vocabulary)| *vocabulary)
    }
}

impl Attributes {
    pub(super) fn of(tag: &BytesStart<'_>) -> Result<Self, PageFault> {
        let mut read = Self::default();
        // What stands twice the strict check has refused.
        for attribute in tag.attributes().with_checks(false).flatten() {
            let value =
                attribute.normalized_value(XmlVersion::Implicit1_0).expect("references were checked").into_owned();
            if let Some(declaration) = attribute.key.as_namespace_binding() {
                // The parser compares namespaces as they are written, so it would not know these.
                if attribute.value != value && KNOWN.iter().any(|(known, _)| *known == value) {
                    return Err(PageFault::OddNamespace);
                }
                let prefix = match declaration {
                    PrefixDeclaration::Default => "",
                    PrefixDeclaration::Named(prefix) => prefix,
                };
                read.namespaces.push((prefix.to_string(), value));
            } else if attribute.key.as_ref() == "xml:base" {
                read.base = Some(value);
            } else if attribute.key.prefix().is_none() {
                read.plain.push((attribute.key.as_ref().to_string(), value));
            }
        }
        Ok(read)
    }

    /// The value of one without a prefix.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.plain.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}
