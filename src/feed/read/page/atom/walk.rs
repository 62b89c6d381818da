//! The way through a document: which elements count, and what each holds.

use std::ops::Range;
use std::sync::Arc;

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
    /// See [`Walk::spend`].
    written_out: usize,
}

/// How much larger than the document all addresses and namespaces may be that are written out for its entries. In
/// feeds that are not made for it they are a fraction.
const WRITTEN_OUT_SHARE_MAX: usize = 4;
/// Documents that are very small have more.
const WRITTEN_OUT_BYTES_MIN: usize = 64 << 10;

/// What an element's attributes say for everything inside it.
struct Scope {
    base: Arc<str>,
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
        Self { body, text, page, depth: 0, scopes: Vec::new(), entry: None, leaf: None, names, written_out: 0 }
    }

    pub(super) fn start(&mut self, at: usize, vocabulary: Vocabulary, tag: &BytesStart<'_>) -> Result<(), PageFault> {
        self.depth += 1;
        if let Some(leaf) = &mut self.leaf {
            if leaf.depth + 1 == self.depth && leaf.first.is_none() {
                let name_end = at + 1 + tag.name().as_ref().len();
                leaf.first = Some(Element { range: at..at, name_end, declares: Attributes::of(tag)?.namespaces });
            }
            return Ok(());
        }
        let attributes = Attributes::of(tag)?;
        let outer = self.scopes.last().map_or_else(Arc::default, |scope| scope.base.clone());
        let base = match &attributes.base {
            None => outer,
            Some(base) => self.resolved(&outer, base)?.into(),
        };
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
            (2, vocabulary, name) => Some(self.of_feed(vocabulary, name, &attributes, &base)?),
            (_, vocabulary, name) => Some(self.of_entry(vocabulary, name, &attributes, &base)?),
        };
        self.leaf = is.map(|is| Leaf { is, depth: self.depth, text: String::new(), first: None });
        self.scopes.push(Scope { base, namespaces: attributes.namespaces });
        Ok(())
    }

    /// What an element of the feed is.
    fn of_feed(
        &mut self,
        vocabulary: Vocabulary,
        name: &str,
        attributes: &Attributes,
        base: &str,
    ) -> Result<Is, PageFault> {
        match (vocabulary, name, attributes.get("href")) {
            (Vocabulary::Atom, "id", _) => return Ok(Is::FeedId),
            (Vocabulary::Atom, "link", Some(href)) => {
                let href = self.resolved(base, href)?;
                self.page.links.add(&relation(attributes), &href);
            }
            (Vocabulary::History, "archive", _) => self.page.is_archive = true,
            _ => {}
        }
        Ok(Is::Nothing)
    }

    /// What an element of an entry is.
    fn of_entry(
        &mut self,
        vocabulary: Vocabulary,
        name: &str,
        attributes: &Attributes,
        base: &str,
    ) -> Result<Is, PageFault> {
        let kind = attributes.get("type");
        let leads_to = match (vocabulary, name) {
            (Vocabulary::Atom, "content") => attributes.get("src"),
            (Vocabulary::Atom, "link") if relation(attributes) == "alternate" => attributes.get("href"),
            _ => None,
        };
        let leads_to = leads_to.map(|reference| self.resolved(base, reference)).transpose()?;
        let Some(entry) = &mut self.entry else { return Ok(Is::Nothing) };
        Ok(match (vocabulary, name) {
            (Vocabulary::Atom, "id") => Is::Id,
            (Vocabulary::Atom, "updated") => Is::Updated,
            (Vocabulary::Atom, "published") => Is::Published,
            (Vocabulary::Atom, "title") => Is::Title(Written::of_text(kind)),
            (Vocabulary::Atom, "summary") => Is::Summary(Written::of_text(kind)),
            (Vocabulary::Atom, "content") => match leads_to {
                None => Is::Content(Written::of(kind)?),
                Some(url) => {
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
                if let Some(url) = leads_to {
                    entry.alternate.get_or_insert((kind.map(ToString::to_string), url));
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

    /// A reference as it leads from this base.
    fn resolved(&mut self, base: &str, reference: &str) -> Result<String, PageFault> {
        let resolved = resolve(base, reference.trim());
        self.spend(resolved.len())?;
        Ok(resolved)
    }

    /// What stands once around many entries is written out for each of them: so many bytes now.
    fn spend(&mut self, bytes: usize) -> Result<(), PageFault> {
        self.written_out += bytes;
        let most = WRITTEN_OUT_BYTES_MIN + WRITTEN_OUT_SHARE_MAX * self.text.len();
        if self.written_out <= most { Ok(()) } else { Err(PageFault::TooMuchWrittenOut) }
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
        let element = match (&is, first) {
            (Is::Title(_) | Is::Summary(_) | Is::Content(_), Some(first)) => Some(self.document(&first)?),
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
    fn document(&mut self, element: &Element) -> Result<Bytes, PageFault> {
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
            return Ok(self.body.slice(range.clone()));
        }
        self.spend(declarations.len())?;
        rest = of_none.unwrap_or(rest);
        Ok([name.as_bytes(), &declarations, rest.as_bytes()].concat().into())
    }
}

fn push_declaration(name: &str, namespace: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(format!(" {name}=\"").as_bytes());
    xml::push_attribute(namespace, out);
    out.push(b'"');
}

/// The relation of a link.
fn relation(attributes: &Attributes) -> String {
    short(attributes.get("rel").unwrap_or("alternate").trim())
}

/// RFC 4287 §4.1.2: readers differ in which one they believe.
fn once<T>(said: &mut Option<T>, more: T, name: &'static str) -> Result<(), PageFault> {
    if said.replace(more).is_some() { Err(PageFault::Twice(name)) } else { Ok(()) }
}

/// Without the white space that documents are laid out with.
fn trimmed(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\n', '\r'])
}
