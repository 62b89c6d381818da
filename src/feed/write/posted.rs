//! What an event that was POSTed as an Atom entry says in its own words: its elements, put into our entry as they
//! are, with the namespaces, the language and the base that they had where they came from.

use crate::event::limits::INLINE_CONTENT_BYTES_MAX;
use crate::event::{Content, Event};
use crate::feed::atom_entry::{self, APP, ATOM, EVERFEED, Element, Entry, Kind, Scope, TYPE_SCHEME};
use crate::feed::{AtomContent, base};

use super::{atom_content, xml};

/// The prefixes that our documents bind. Declared anew on an entry they would change what our own elements in it
/// are, so it is each element of the author's that gets its own meaning of them back.
const OURS: [(&str, &str); 3] = [("", ATOM), ("app", APP), ("ef", EVERFEED)];

/// What a declaration takes besides its namespace: ` xmlns:app=""`.
const DECLARATION_BYTES: usize = 13;

/// The relations that say where our own entry is, or what can be done there.
const RELATIONS_OF_SERVER: [&str; 3] = ["edit", "edit-media", "self"];

/// The entry that an event was POSTed as.
pub(super) struct Posted<'a> {
    entry: Entry<'a>,
    event_type: &'a str,
    /// Where the document is that was sent: its event's data.
    address: String,
    /// What each of its elements needs to be told again: prefix and namespace.
    declarations: Vec<(&'static str, String)>,
}

impl<'a> Posted<'a> {
    /// None for an event of another kind, and for an entry that is no valid one, or that is too large for a page,
    /// with all declarations that it takes there: these are written as any event of their media type.
    pub(super) fn of(event: &'a Event, data_url: &[&str]) -> Option<Self> {
        let content = event.content.as_ref()?;
        if !content.media_type.is_atom_entry() || INLINE_CONTENT_BYTES_MAX < content.data.len() {
            return None;
        }
        let entry = atom_entry::read(&content.data).ok()?;
        let declarations = declarations(&entry.scope);
        let bytes_each: usize = declarations.iter().map(|(_, namespace)| namespace.len() + DECLARATION_BYTES).sum();
        if INLINE_CONTENT_BYTES_MAX < content.data.len() + bytes_each * entry.elements.len() {
            return None;
        }
        Some(Self { entry, event_type: event.event_type.as_str(), address: data_url.concat(), declarations })
    }

    /// Whether one of its elements says this, so that we need not.
    pub(super) fn says(&self, is: impl Fn(&Kind) -> bool) -> bool {
        self.entry.has(is)
    }

    /// Whether it has a summary, or may be without one.
    pub(super) fn is_summed_up(&self, wanted: AtomContent) -> bool {
        let needs_summary = |kind: &Kind| match kind {
            Kind::Content { needs_summary } => *needs_summary || wanted == AtomContent::OutOfLine,
            _ => false,
        };
        self.says(|kind| matches!(kind, Kind::Summary)) || !self.says(needs_summary)
    }

    /// Whether it has a category that names the event's type.
    pub(super) fn says_type(&self) -> bool {
        self.entry.has(|kind| self.is_type(kind))
    }

    /// The type may have been named otherwise when the entry was sent.
    fn is_type(&self, kind: &Kind) -> bool {
        matches!(kind, Kind::Category { scheme, term }
            if scheme.as_deref() == Some(TYPE_SCHEME) && term == self.event_type)
    }

    /// Writes the attributes that our `entry` element needs for what will stand in it.
    pub(super) fn push_scope(&self, out: &mut Vec<u8>) {
        let scope = &self.entry.scope;
        let base = scope.base.as_deref().unwrap_or_default();
        push_attribute("xml:base", &base::resolve(&self.address, base), out);
        for (name, value) in &scope.of_text {
            push_attribute(name, value, out);
        }
        for (prefix, namespace) in &scope.namespaces {
            // `xml` is bound everywhere.
            if prefix != "xml" && !OURS.iter().any(|(ours, _)| ours == prefix) {
                push_declaration(prefix, namespace, out);
            }
        }
    }

    /// Writes its elements, but for those whose place is taken by our own.
    pub(super) fn push(&self, kept: &Content, wanted: AtomContent, out: &mut Vec<u8>) {
        for element in &self.entry.elements {
            let is_kept = match &element.kind {
                Kind::Id(_) | Kind::Published | Kind::Updated | Kind::OfServer => false,
                Kind::Content { .. } if wanted == AtomContent::OutOfLine => {
                    atom_content::push(kept, wanted, &[&self.address], out);
                    false
                }
                Kind::Category { scheme, .. } => scheme.as_deref() != Some(TYPE_SCHEME) || self.is_type(&element.kind),
                Kind::Link(link) => !RELATIONS_OF_SERVER.contains(&link.rel.as_str()),
                Kind::Title
                | Kind::Content { .. }
                | Kind::Summary
                | Kind::Rights
                | Kind::Author
                | Kind::Contributor
                | Kind::Source { .. }
                | Kind::Foreign => true,
            };
            if is_kept {
                self.push_element(element, out);
            }
        }
    }

    fn push_element(&self, element: &Element<'_>, out: &mut Vec<u8>) {
        let (name, rest) = element.text.split_at(element.name_end);
        out.extend_from_slice(name.as_bytes());
        for (prefix, namespace) in &self.declarations {
            if !element.declares.iter().any(|declared| declared == prefix) {
                push_declaration(prefix, namespace, out);
            }
        }
        out.extend_from_slice(rest.as_bytes());
    }
}

/// What our prefixes mean in an entry, where that is not what they mean in our documents.
fn declarations(scope: &Scope) -> Vec<(&'static str, String)> {
    let theirs = |prefix: &str| {
        let bound = scope.namespaces.iter().find(|(bound, _)| bound == prefix);
        // A prefix that is bound to nothing there is used by nothing there; no prefix at all then means no namespace.
        bound.map(|(_, namespace)| namespace.clone()).or(prefix.is_empty().then(String::new))
    };
    let declarations = OURS.into_iter().filter_map(|(prefix, ours)| Some((prefix, ours, theirs(prefix)?)));
    declarations.filter(|(_, ours, theirs)| ours != theirs).map(|(prefix, _, theirs)| (prefix, theirs)).collect()
}

fn push_declaration(prefix: &str, namespace: &str, out: &mut Vec<u8>) {
    if prefix.is_empty() {
        push_attribute("xmlns", namespace, out);
    } else {
        push_attribute(&format!("xmlns:{prefix}"), namespace, out);
    }
}

fn push_attribute(name: &str, value: &str, out: &mut Vec<u8>) {
    out.push(b' ');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"=\"");
    xml::push_attribute(value, out);
    out.push(b'"');
}
