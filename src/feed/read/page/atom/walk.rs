//! The way through a document: which elements count, and what each holds.

use std::ops::Range;

use bytes::Bytes;
use quick_xml::events::BytesStart;

use super::attributes::{Attributes, Vocabulary};
use super::content::{self, Written};
use super::entry::{Entry, Names, Place};
use super::{Page, PageFault};
use crate::event::limits::PAGE_EVENTS_MAX;
use crate::feed::base::resolve;
use crate::feed::read::page::link_header::short;
use crate::feed::read::page::time::time;
use crate::feed::xml;

/// Where the reader is. Below a feed and its entries every element is a leaf, whatever there is in it.
pub(super) struct Walk<'a> {
    body: &'a Bytes,
    text: &'a str,
    pub(super) page: Page,
    /// How many elements are open.
    depth: usize,
    /// What holds inside each of the open ones, down to the leaf.
    scopes: Vec<Scope>,
    entry: Option<Entry>,
    leaf: Option<Leaf>,
    names: Names,
}

/// What an element's attributes say for everything inside it.
struct Scope {
    base: String,
    namespaces: Vec<(String, String)>,
}

/// An element that is read as a whole.
struct Leaf {
    is: Is,
    /// How many elements it is in, with it.
    depth: usize,
    text: String,
    first: Option<Element>,
}

/// What a leaf is to be taken for.
enum Is {
    FeedId,
    Id,
    Updated,
    Published,
    Title(Written),
    Summary(Written),
    Content(Written),
    Metadata {
        is_base64: bool,
    },
    /// Nothing that is read, or its attributes say it all.
    Nothing,
}

/// The first element in a leaf.
struct Element {
    range: Range<usize>,
    name_end: usize,
    declares: Vec<(String, String)>,
}

impl<'a> Walk<'a> {
    pub(super) fn over(body: &'a Bytes, text: &'a str) -> Self {
        let (page, names) = (Page::default(), Names::default());
        Self { body, text, page, depth: 0, scopes: Vec::new(), entry: None, leaf: None, names }
    }

    pub(super) fn start(&mut self, at: usize, vocabulary: Vocabulary, tag: &BytesStart<'_>) -> Result<(), PageFault> {
        self.depth += 1;
        let attributes = Attributes::of(tag)?;
        if let Some(leaf) = &mut self.leaf {
            if leaf.depth + 1 == self.depth && leaf.first.is_none() {
                let name_end = at + 1 + tag.name().as_ref().len();
                leaf.first = Some(Element { range: at..at, name_end, declares: attributes.namespaces });
            }
            return Ok(());
        }
        let outer = self.scopes.last().map_or("", |scope| &scope.base);
        let base = attributes.base.as_ref().map_or_else(|| outer.to_string(), |base| resolve(outer, base.trim()));
        let is = match (self.depth, vocabulary, tag.local_name().as_ref()) {
            (1, Vocabulary::Atom, "feed") => None,
            (1, ..) => return Err(PageFault::NotAFeed),
            (2, Vocabulary::Atom, "entry") => {
                self.entry = Some(Entry::default());
                None
            }
            (2, Vocabulary::Tombstones, "deleted-entry") => {
                self.entry = Some(Entry::deleted(&attributes)?);
                None
            }
            (2, vocabulary, name) => Some(self.of_feed(vocabulary, name, &attributes, &base)),
            (_, vocabulary, name) => Some(self.of_entry(vocabulary, name, &attributes, &base)?),
        };
        self.leaf = is.map(|is| Leaf { is, depth: self.depth, text: String::new(), first: None });
        self.scopes.push(Scope { base, namespaces: attributes.namespaces });
        Ok(())
    }

    /// What an element of the feed is.
    fn of_feed(&mut self, vocabulary: Vocabulary, name: &str, attributes: &Attributes, base: &str) -> Is {
        match (vocabulary, name) {
            (Vocabulary::Atom, "id") => return Is::FeedId,
            (Vocabulary::Atom, "link") => {
                if let Some((rel, href)) = link(attributes, base) {
                    self.page.links.add(&rel, &href);
                }
            }
            (Vocabulary::History, "archive") => self.page.is_archive = true,
            _ => {}
        }
        Is::Nothing
    }

    /// What an element of an entry is.
    fn of_entry(
        &mut self,
        vocabulary: Vocabulary,
        name: &str,
        attributes: &Attributes,
        base: &str,
    ) -> Result<Is, PageFault> {
        let Some(entry) = &mut self.entry else { return Ok(Is::Nothing) };
        let kind = attributes.get("type");
        Ok(match (vocabulary, name) {
            (Vocabulary::Atom, "id") => Is::Id,
            (Vocabulary::Atom, "updated") => Is::Updated,
            (Vocabulary::Atom, "published") => Is::Published,
            (Vocabulary::Atom, "title") => Is::Title(Written::of_text(kind)),
            (Vocabulary::Atom, "summary") => Is::Summary(Written::of_text(kind)),
            (Vocabulary::Atom, "content") => match attributes.get("src") {
                None => Is::Content(Written::of(kind)?),
                Some(src) => {
                    let url = resolve(base, src.trim());
                    let elsewhere = Place::Elsewhere { media_type: kind.map(ToString::to_string), url };
                    once(&mut entry.content, elsewhere, "content")?;
                    Is::Nothing
                }
            },
            (Vocabulary::Atom, "category") => {
                entry.category(attributes);
                Is::Nothing
            }
            (Vocabulary::Atom, "link") => {
                if let Some((_, href)) = link(attributes, base).filter(|(rel, _)| rel == "alternate") {
                    entry.alternate.get_or_insert((kind.map(ToString::to_string), href));
                }
                Is::Nothing
            }
            (Vocabulary::Everfeed, "event") => {
                entry.identity(attributes)?;
                Is::Nothing
            }
            (Vocabulary::Everfeed, "metadata") => {
                Is::Metadata { is_base64: attributes.get("encoding") == Some("base64") }
            }
            _ => Is::Nothing,
        })
    }

    /// Text in an element, references resolved.
    pub(super) fn text(&mut self, more: &str) {
        if let Some(leaf) = self.leaf.as_mut().filter(|leaf| leaf.depth == self.depth) {
            leaf.text.push_str(more);
        }
    }

    /// An element ends here.
    pub(super) fn end(&mut self, end: usize) -> Result<(), PageFault> {
        self.depth -= 1;
        match self.leaf.take() {
            Some(mut leaf) if leaf.depth <= self.depth => {
                let first = leaf.first.as_mut().filter(|first| leaf.depth == self.depth && first.range.is_empty());
                if let Some(first) = first {
                    first.range.end = end;
                }
                self.leaf = Some(leaf);
                return Ok(());
            }
            Some(leaf) => self.take(leaf)?,
            None => {
                if let Some(entry) = self.entry.take() {
                    if self.page.events.len() == PAGE_EVENTS_MAX {
                        return Err(PageFault::TooManyEvents);
                    }
                    self.page.events.push(entry.event(&mut self.names)?);
                }
            }
        }
        self.scopes.pop();
        Ok(())
    }

    /// A leaf is there as a whole.
    fn take(&mut self, leaf: Leaf) -> Result<(), PageFault> {
        let Leaf { is, text, first, .. } = leaf;
        let element = match is {
            Is::Title(_) | Is::Summary(_) | Is::Content(_) => first.map(|first| self.document(&first)),
            _ => None,
        };
        let Some(entry) = &mut self.entry else {
            if let Is::FeedId = is {
                self.page.feed = Some(trimmed(&text).into());
            }
            return Ok(());
        };
        let moment =
            |name| time(trimmed(&text)).ok_or(PageFault::Invalid { name, what: "a time such as 2026-01-31T12:00:00Z" });
        match is {
            Is::FeedId | Is::Nothing => Ok(()),
            Is::Id => once(&mut entry.id, trimmed(&text).to_string(), "id"),
            Is::Updated => once(&mut entry.updated, moment("updated")?, "updated"),
            Is::Published => once(&mut entry.published, moment("published")?, "published"),
            Is::Title(written) => once(&mut entry.title, written.read(text, element)?, "title"),
            Is::Summary(written) => once(&mut entry.summary, written.read(text, element)?, "summary"),
            Is::Content(written) => once(&mut entry.content, Place::Here(written.read(text, element)?), "content"),
            Is::Metadata { is_base64: false } => once(&mut entry.metadata, text.into(), "metadata"),
            Is::Metadata { is_base64: true } => {
                let metadata = content::base64(&text).ok_or(PageFault::Invalid { name: "metadata", what: "base64" })?;
                once(&mut entry.metadata, metadata, "metadata")
            }
        }
    }

    /// An element as a document of its own: with the namespaces that it has from around it, as far as it uses them.
    fn document(&self, element: &Element) -> Bytes {
        let Element { range, name_end, declares } = element;
        let (name, mut rest) = self.text[range.clone()].split_at(name_end - range.start);
        let mut declarations = Vec::new();
        let mut known: Vec<&str> = declares.iter().map(|(prefix, _)| prefix.as_str()).chain(["xml"]).collect();
        for (prefix, namespace) in self.scopes.iter().rev().flat_map(|scope| &scope.namespaces) {
            if known.contains(&prefix.as_str()) {
                continue;
            }
            known.push(prefix);
            if prefix.is_empty() && !namespace.is_empty() {
                push_declaration("xmlns", namespace, &mut declarations);
            } else if !prefix.is_empty() && self.text[range.clone()].contains(&format!("{prefix}:")) {
                push_declaration(&format!("xmlns:{prefix}"), namespace, &mut declarations);
            }
        }
        // What our server puts there, so that the element is none of Atom's. In a document of its own it says nothing.
        let of_none = rest.strip_prefix(" xmlns=\"\"");
        if declarations.is_empty() && of_none.is_none() {
            return self.body.slice(range.clone());
        }
        rest = of_none.unwrap_or(rest);
        [name.as_bytes(), &declarations, rest.as_bytes()].concat().into()
    }
}

fn push_declaration(name: &str, namespace: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(format!(" {name}=\"").as_bytes());
    xml::push_attribute(namespace, out);
    out.push(b'"');
}

/// Relation and address of a link; none if it leads nowhere.
fn link(attributes: &Attributes, base: &str) -> Option<(String, String)> {
    let href = attributes.get("href")?;
    Some((short(attributes.get("rel").unwrap_or("alternate").trim()), resolve(base, href.trim())))
}

/// RFC 4287 §4.1.2: readers differ in which one they believe.
fn once<T>(said: &mut Option<T>, more: T, name: &'static str) -> Result<(), PageFault> {
    if said.replace(more).is_some() { Err(PageFault::Twice(name)) } else { Ok(()) }
}

/// Without the white space that documents are laid out with.
fn trimmed(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\n', '\r'])
}
