//! Which numbers a document shows and which documents it links to.

use crate::event::{Count, Number, Source};

use super::{BaseUrl, Embed, Link, PageRequest, Suffix};

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
    /// The numbers that a document shows when `next` is the first number not assigned yet.
    #[must_use]
    pub fn extent(&self, source: &Source, shape: &Shape, next: Number) -> Extent {
        let _ = (source, shape, next);
        Extent { shown: None, is_complete: false, is_canonical: false }
    }

    /// The links of a document when `next` is the first number not assigned yet, `self` first.
    #[must_use]
    pub fn links(&self, at: &At<'_>, shape: &Shape, next: Number) -> Vec<Link> {
        let _ = (at, shape, next);
        Vec::new()
    }
}
