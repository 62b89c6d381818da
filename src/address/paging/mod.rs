//! Which numbers a document shows and which documents it links to: two arithmetics behind one interface.

mod eventstore;
mod grid;
#[cfg(test)]
mod walks;

use crate::event::{Count, Number, Source, Visible};

use super::{Address, BaseUrl, Embed, Link, PageRequest, StreamPath, Suffix};

/// What a feed document was asked as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shape {
    /// The head feed: the newest events.
    Head,
    /// A page.
    Page(PageRequest),
}

/// Which numbers a document shows, and whether that can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Extent {
    /// The lowest and the highest number, both included; none when it shows nothing.
    pub shown: Option<(Number, Number)>,
    /// The numbers below these that belong to the page too and are truncated or deleted.
    pub gone: Option<(Number, Number)>,
    /// No later append can change the document.
    pub is_complete: bool,
    /// This is the one URL at which every consumer meets these events. On the grid: a forward page that starts
    /// on it. EventStore's pages have no such thing, so there every page by number is its own.
    pub is_canonical: bool,
}

/// The two ways of paging.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Paging {
    /// Ours: a page never crosses the multiples of its own count, so that all consumers share the same pages.
    Grid {
        /// The count of the pages that the head feed links to.
        page_size: Count,
    },
    /// EventStore's arithmetic to the letter: windows that start anywhere, 20 events on the head feed.
    EventStore,
}

/// Where a document stands.
#[derive(Debug, Clone, Copy)]
pub struct At<'a> {
    /// Under which base URL it was asked for.
    pub base: &'a BaseUrl,
    /// Whose events it shows.
    pub source: &'a Source,
    /// How its links name the representation.
    pub suffix: Suffix,
    /// The `?embed=` that its links pass on.
    pub embed: Option<Embed>,
}

impl Paging {
    /// The numbers that a document shows when these are to be seen.
    #[must_use]
    pub fn extent(&self, source: &Source, shape: &Shape, visible: Visible) -> Extent {
        match self {
            Self::Grid { page_size } => grid::extent(*page_size, shape, visible),
            Self::EventStore => eventstore::extent(source, shape, visible),
        }
    }

    /// The links of a document when these numbers are to be seen, `self` first.
    #[must_use]
    pub fn links(&self, at: &At<'_>, shape: &Shape, visible: Visible) -> Vec<Link> {
        let mut links = Links::new(at);
        match self {
            Self::Grid { page_size } => grid::links(*page_size, shape, visible, &mut links),
            Self::EventStore => eventstore::links(shape, visible, &mut links),
        }
        links.links
    }
}

/// The numbers from `first` up to, not including, `end`.
fn run(first: u64, end: u64) -> Option<(Number, Number)> {
    let number = |value| Number::new(value).expect("numbers below one that is assigned next");
    (first < end).then(|| (number(first), number(end - 1)))
}

/// The links of one document, as they are gathered.
struct Links<'a> {
    at: &'a At<'a>,
    path: StreamPath,
    links: Vec<Link>,
}

impl<'a> Links<'a> {
    fn new(at: &'a At<'a>) -> Self {
        Self { at, path: StreamPath::under(at.base, at.source.name()), links: Vec::with_capacity(10) }
    }

    fn push(&mut self, rel: &'static str, href: String) {
        self.links.push(Link { rel, href, media_type: self.at.suffix.media_type() });
    }

    fn feed(&mut self, rel: &'static str) {
        self.push(rel, self.path.feed(self.at.suffix, self.at.embed));
    }

    fn page(&mut self, rel: &'static str, request: &PageRequest) {
        self.push(rel, self.path.page(request, self.at.suffix, self.at.embed));
    }

    /// RFC 5023 §8.1: where a client learns what else there is.
    fn service(&mut self) {
        let href = self.at.base.url(&Address::Home);
        self.links.push(Link { rel: "service", href, media_type: Some("application/atomsvc+xml") });
    }

    fn metadata(&mut self) {
        self.push("metadata", self.path.metadata(self.at.suffix));
    }
}
