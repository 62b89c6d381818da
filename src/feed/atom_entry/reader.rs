//! From a document to an entry.

use crate::event::limits::ENTRY_ELEMENTS_MAX;
use std::collections::HashSet;

use quick_xml::escape::unescape;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{PrefixDeclaration, ResolveResult};
use quick_xml::{NsReader, XmlVersion};

use super::held::{Check, Held, Vocabulary, is_blank, trimmed};
use super::{APP, ATOM, EVERFEED, Element, Entry, Fault, InvalidEntry, Kind, Link, Scope};
use crate::feed::xml;

/// The namespaces that are told apart.
const KNOWN: [(&str, Vocabulary); 4] = [
    (ATOM, Vocabulary::Atom),
    (APP, Vocabulary::App),
    (EVERFEED, Vocabulary::Everfeed),
    ("http://www.w3.org/1999/xhtml", Vocabulary::Xhtml),
];
const BYTE_ORDER_MARK: &str = "\u{FEFF}";

/// What a relation may be called instead of by its short name (RFC 4287 §4.2.7.2).
const RELATIONS: &str = "http://www.iana.org/assignments/relation/";

/// Reads a whole document.
///
/// # Errors
/// When it is not well-formed, over a limit, or no entry as RFC 4287 has it. What the server says of every event
/// by itself (id, title, time, author) may be missing.
pub(crate) fn read(data: &[u8]) -> Result<Entry<'_>, Fault> {
    let text =
        std::str::from_utf8(data).map_err(|error| Fault { at: error.valid_up_to(), why: InvalidEntry::NotUtf8 })?;
    xml::outline(text)?;
    let start = if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
    let mut parser = NsReader::from_str(&text[start..]);
    let mut walk =
        Walk { text, depth: 0, scope: Scope::default(), elements: Vec::new(), alternates: HashSet::new(), open: None };
    loop {
        let at = start + parser.buffer_position() as usize;
        let place = |why| Fault { at, why };
        // What is well-formed and within our limits it reads; but that is for it to say.
        let (vocabulary, event) = match parser.read_resolved_event() {
            Ok((namespace, event)) => (vocabulary(&namespace), event),
            Err(_) => return Err(place(InvalidEntry::IllFormed("it cannot be parsed"))),
        };
        let end = start + parser.buffer_position() as usize;
        match event {
            Event::Start(tag) => walk.start(at, vocabulary, &tag).map_err(place)?,
            Event::Empty(tag) => {
                walk.start(at, vocabulary, &tag).map_err(place)?;
                walk.end(end)?;
            }
            Event::End(_) => walk.end(end)?,
            Event::Text(text) => walk.text(&text).map_err(place)?,
            Event::CData(text) => walk.text(&text).map_err(place)?,
            Event::GeneralRef(_) => {
                walk.text(&unescape(&text[at..end]).expect("references were checked")).map_err(place)?;
            }
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
            Event::Eof => return Ok(Entry { scope: walk.scope, elements: walk.elements }),
        }
    }
}

/// Where the reader is.
struct Walk<'a> {
    text: &'a str,
    /// How many elements are open.
    depth: usize,
    scope: Scope,
    elements: Vec<Element<'a>>,
    /// Of all alternate links, which must differ.
    alternates: HashSet<Link>,
    /// The element of the entry that is open.
    open: Option<Open>,
}

/// An element of the entry, before its end has been seen.
struct Open {
    at: usize,
    kind: Kind,
    name_end: usize,
    declares: Vec<String>,
    held: Held,
}

/// The attributes of an element that count in an entry.
#[derive(Default)]
struct Attributes {
    scope: Scope,
    kind: Option<String>,
    src: Option<String>,
    href: Option<String>,
    rel: Option<String>,
    hreflang: Option<String>,
    term: Option<String>,
    scheme: Option<String>,
}

impl<'a> Walk<'a> {
    fn start(&mut self, at: usize, vocabulary: Vocabulary, tag: &BytesStart<'_>) -> Result<(), InvalidEntry> {
        let attributes = Attributes::read(tag)?;
        let local_name = tag.local_name();
        let name = local_name.as_ref();
        match self.depth {
            0 => match (vocabulary, name) {
                (Vocabulary::Atom, "entry") => self.scope = attributes.scope,
                (Vocabulary::Atom, "feed") => return Err(InvalidEntry::Feed),
                _ => return Err(InvalidEntry::NoEntry),
            },
            1 => {
                if self.elements.len() == ENTRY_ELEMENTS_MAX {
                    return Err(InvalidEntry::TooManyElements);
                }
                let declares = attributes.scope.namespaces.iter().map(|(prefix, _)| prefix.clone()).collect();
                let (kind, held) = attributes.into_kind(vocabulary, name)?;
                self.check_alone(&kind)?;
                self.open = Some(Open { at, kind, name_end: 1 + tag.name().as_ref().len(), declares, held });
            }
            2 => {
                if let Some(open) = &mut self.open {
                    open.held.element(vocabulary, name)?;
                }
            }
            _ => {}
        }
        self.depth += 1;
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), InvalidEntry> {
        match (self.depth, &mut self.open) {
            (2, Some(open)) => open.held.text(text),
            (1, _) if !is_blank(text) => Err(InvalidEntry::StrayText),
            _ => Ok(()),
        }
    }

    /// An element ends here.
    fn end(&mut self, end: usize) -> Result<(), Fault> {
        self.depth -= 1;
        let ended = if self.depth == 1 { self.open.take() } else { None };
        let Some(Open { at, kind, name_end, declares, held }) = ended else { return Ok(()) };
        held.end().map_err(|why| Fault { at, why })?;
        let kind = match (kind, held) {
            (Kind::Id(_), Held::Checked { text, .. }) => Kind::Id(trimmed(&text).to_string()),
            (Kind::Source { .. }, Held::Source { has_author }) => Kind::Source { has_author },
            (kind, _) => kind,
        };
        self.elements.push(Element { kind, text: &self.text[at..end], name_end, declares });
        Ok(())
    }

    /// RFC 4287 §4.1.2: what an entry has at most one of.
    fn check_alone(&mut self, kind: &Kind) -> Result<(), InvalidEntry> {
        let name = match kind {
            Kind::Id(_) => "id",
            Kind::Title => "title",
            Kind::Summary => "summary",
            Kind::Content { .. } => "content",
            Kind::Rights => "rights",
            Kind::Published => "published",
            Kind::Updated => "updated",
            Kind::Source { .. } => "source",
            Kind::Link(link) if link.is_alternate() => {
                let is_new = self.alternates.insert(link.clone());
                return if is_new { Ok(()) } else { Err(InvalidEntry::AlternateTwice) };
            }
            Kind::Author
            | Kind::Contributor
            | Kind::Category { .. }
            | Kind::Link(_)
            | Kind::OfServer
            | Kind::Foreign => return Ok(()),
        };
        let is_of_this_kind =
            |earlier: &Element<'_>| std::mem::discriminant(&earlier.kind) == std::mem::discriminant(kind);
        if self.elements.iter().any(is_of_this_kind) { Err(InvalidEntry::Twice(name)) } else { Ok(()) }
    }
}

impl Attributes {
    fn read(tag: &BytesStart<'_>) -> Result<Self, InvalidEntry> {
        let mut read = Self::default();
        // What stands twice the strict check has refused.
        for attribute in tag.attributes().with_checks(false).flatten() {
            let name = attribute.key.as_ref();
            let value = || {
                let value = attribute.normalized_value(XmlVersion::Implicit1_0);
                value.expect("references were checked").into_owned()
            };
            if let Some(declaration) = attribute.key.as_namespace_binding() {
                // The parser compares namespaces as they are written, so it would not know these.
                let namespace = value();
                if attribute.value != namespace && KNOWN.iter().any(|(known, _)| *known == namespace) {
                    return Err(InvalidEntry::OddNamespace);
                }
                let prefix = match declaration {
                    PrefixDeclaration::Default => "",
                    PrefixDeclaration::Named(prefix) => prefix,
                };
                read.scope.namespaces.push((prefix.to_string(), namespace));
                continue;
            }
            let kept = match name {
                "type" => &mut read.kind,
                "src" => &mut read.src,
                "href" => &mut read.href,
                "rel" => &mut read.rel,
                "hreflang" => &mut read.hreflang,
                "term" => &mut read.term,
                "scheme" => &mut read.scheme,
                "xml:base" => &mut read.scope.base,
                "xml:lang" | "xml:space" => {
                    read.scope.of_text.push((name.to_string(), value()));
                    continue;
                }
                _ => continue,
            };
            *kept = Some(value());
        }
        Ok(read)
    }

    /// What an element of an entry with these attributes says, and what it may hold.
    fn into_kind(self, vocabulary: Vocabulary, name: &str) -> Result<(Kind, Held), InvalidEntry> {
        match vocabulary {
            Vocabulary::Atom => {}
            Vocabulary::App | Vocabulary::Everfeed => return Ok((Kind::OfServer, Held::Anything)),
            Vocabulary::Xhtml | Vocabulary::Other => return Ok((Kind::Foreign, Held::Anything)),
        }
        let lacks = |element, missing| InvalidEntry::Lacks { element, missing };
        let kind = self.kind.as_deref();
        Ok(match name {
            "id" => (Kind::Id(String::new()), Held::checked(Check::Iri)),
            "published" => (Kind::Published, Held::checked(Check::Time("published"))),
            "updated" => (Kind::Updated, Held::checked(Check::Time("updated"))),
            "title" => (Kind::Title, Held::of_text("title", kind)?),
            "summary" => (Kind::Summary, Held::of_text("summary", kind)?),
            "rights" => (Kind::Rights, Held::of_text("rights", kind)?),
            "content" => {
                let held = Held::of_content(kind, self.src.is_some())?;
                (Kind::Content { needs_summary: matches!(held, Held::Nothing | Held::Checked { .. }) }, held)
            }
            "author" => (Kind::Author, Held::person("an author")),
            "contributor" => (Kind::Contributor, Held::person("a contributor")),
            "source" => (Kind::Source { has_author: false }, Held::Source { has_author: false }),
            "category" => {
                let term = self.term.ok_or(lacks("a category", "term"))?;
                (Kind::Category { scheme: self.scheme, term }, Held::Anything)
            }
            "link" => {
                self.href.ok_or(lacks("a link", "href"))?;
                let rel = self.rel.as_deref().unwrap_or("alternate");
                let rel = rel.strip_prefix(RELATIONS).unwrap_or(rel).to_ascii_lowercase();
                (Kind::Link(Link { rel, media_type: self.kind, language: self.hreflang }), Held::Anything)
            }
            _ => return Err(InvalidEntry::UnknownElement),
        })
    }
}

fn vocabulary(namespace: &ResolveResult<'_>) -> Vocabulary {
    let ResolveResult::Bound(namespace) = namespace else { return Vocabulary::Other };
    let known = KNOWN.iter().find(|(known, _)| *known == namespace.as_ref());
    known.map_or(Vocabulary::Other, |(_, vocabulary)| *vocabulary)
}
