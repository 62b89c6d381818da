//! Our own paging: every page ends at the next multiple of its own count, so that whoever starts anywhere
//! walks the same pages as everybody else after at most two steps. Complete canonical pages are archive
//! documents (RFC 5005 §4).

use crate::address::{Direction, PageRequest, Place};
use crate::event::{Count, Number, Visible, Window};

use super::{Extent, Links, Shape, run};

/// A document on the grid, for the first number not assigned yet.
enum Sheet {
    /// The head feed: the open page and the complete page before it.
    Head { first: Number },
    /// A page by number.
    Page { window: Window, direction: Direction },
    /// The newest events, as a page: it moves with every append.
    Newest { window: Window },
    /// Backward from before everything.
    Nothing,
}

impl Sheet {
    fn new(page_size: Count, shape: &Shape, next: Number) -> Self {
        let PageRequest { from, direction, count } = match shape {
            Shape::Head => {
                let open = next.get() - next.get() % page_size.get();
                let first = Number::new(open.saturating_sub(page_size.get())).expect("not above the head");
                return Self::Head { first };
            }
            Shape::Page(request) => *request,
        };
        match (direction, from) {
            // Beyond the end there is but one page: the empty one at the end.
            (Direction::Forward, Place::Number(number)) => {
                Self::Page { window: Window::forward(number.min(next), count), direction }
            }
            (Direction::Forward, Place::Hex(position)) => {
                Self::Page { window: Window::forward(Number::from(position).min(next), count), direction }
            }
            (Direction::Backward, Place::Number(number)) => {
                Self::Page { window: Window::backward(number, count), direction }
            }
            (Direction::Backward, Place::Hex(position)) => match Number::from(position).before() {
                Some(number) => Self::Page { window: Window::backward(number, count), direction },
                None => Self::Nothing,
            },
            (_, Place::Head) => match next.before() {
                Some(newest) => Self::Newest { window: Window::backward(newest, count) },
                None => Self::Nothing,
            },
        }
    }
}

pub(super) fn extent(page_size: Count, shape: &Shape, visible: Visible) -> Extent {
    let Visible { from, next } = visible;
    let open = |first: Number, end: u64| Extent {
        shown: run(first.max(from).get(), end.min(next.get())),
        gone: None,
        is_complete: false,
        is_canonical: false,
    };
    match Sheet::new(page_size, shape, next) {
        Sheet::Head { first } => open(first, next.get()),
        Sheet::Newest { window } => open(window.first(), next.get()),
        Sheet::Nothing => open(Number::ZERO, 0),
        Sheet::Page { window, direction: _ } => Extent {
            // A page of which nothing is left leads to the first visible one, and that moves.
            is_complete: window.is_complete(next) && from <= window.last(),
            is_canonical: is_canonical(&window, shape),
            gone: run(window.first().get(), from.get()).filter(|_| from <= window.last() && from < next),
            ..open(window.first(), window.last().get() + 1)
        },
    }
}

/// By 32 digits a page is one more spelling of the one that has its number.
fn is_canonical(window: &Window, shape: &Shape) -> bool {
    let is_by_number = matches!(shape, Shape::Page(PageRequest { from: Place::Number(_), .. }));
    window.is_canonical() && is_by_number
}

pub(super) fn links(page_size: Count, shape: &Shape, visible: Visible, links: &mut Links<'_>) {
    let Visible { next, .. } = visible;
    let count = match shape {
        Shape::Head => page_size,
        Shape::Page(request) => request.count,
    };
    let sheet = Sheet::new(page_size, shape, next);
    let neighbours = Neighbours::of(&sheet, shape, visible, count);
    let forward = |from| PageRequest { from: Place::Number(from), direction: Direction::Forward, count };

    match (&sheet, shape) {
        (
            Sheet::Page { window, direction: Direction::Forward },
            Shape::Page(PageRequest { from: Place::Number(_), .. }),
        ) => {
            links.page("self", &forward(window.first()));
        }
        (_, Shape::Page(request)) => links.page("self", request),
        (_, Shape::Head) => links.feed("self"),
    }
    links.feed("first");
    if let Some(newer) = neighbours.newer {
        links.page("previous", &forward(newer));
    }
    if let Some(older) = &neighbours.older {
        links.page("next", older);
    }
    links.page("last", &forward(Number::ZERO));
    if let (Some(older), true) = (&neighbours.older, neighbours.follows_an_archive) {
        links.page("prev-archive", older);
    }
    if let (Some(newer), true) = (neighbours.newer, neighbours.is_archive) {
        links.page("next-archive", &forward(newer));
    }
    if neighbours.has_current {
        links.feed("current");
    }
    links.service();
    // Settings have no settings of their own.
    if !links.at.source.name().starts_with("$$") {
        links.metadata();
    }
}

/// Which pages lie around a document.
struct Neighbours {
    /// Where the forward page of newer events starts.
    newer: Option<Number>,
    /// The page of older events.
    older: Option<PageRequest>,
    /// The older page is an archive document, and nothing lies between it and this one.
    follows_an_archive: bool,
    /// This is an archive document.
    is_archive: bool,
    /// It links to the head feed as the document that goes on changing.
    has_current: bool,
}

impl Neighbours {
    fn of(sheet: &Sheet, shape: &Shape, visible: Visible, count: Count) -> Self {
        let Visible { from, next } = visible;
        let older = |window: &Window| {
            window.older().map(|older| {
                let (from, direction) = if older.is_canonical() {
                    (older.first(), Direction::Forward)
                } else {
                    (older.last(), Direction::Backward)
                };
                PageRequest { from: Place::Number(from), direction, count }
            })
        };
        // An open page says where the archive before it is only if it begins where that one ends. Unlike a
        // complete one it may change, so it leads to older pages only as long as there is something to be seen.
        let open = |window: &Window, newer| Self {
            newer,
            older: older(window).filter(|_| from < window.first()),
            follows_an_archive: window.first().get().is_multiple_of(count.get()),
            is_archive: false,
            has_current: true,
        };
        match sheet {
            Sheet::Head { first } => Self { has_current: false, ..open(&Window::forward(*first, count), Some(next)) },
            Sheet::Newest { window } => open(window, Some(next)),
            Sheet::Nothing => {
                Self { follows_an_archive: false, ..open(&Window::forward(Number::ZERO, count), Some(Number::ZERO)) }
            }
            // Nothing is left of it: straight to the first page of which something is.
            Sheet::Page { window, .. } if window.is_complete(next) && window.last() < from => {
                let first_visible = if from < next { Window::backward(from, count).first() } else { next };
                Self {
                    newer: Some(first_visible),
                    older: None,
                    follows_an_archive: false,
                    is_archive: false,
                    has_current: true,
                }
            }
            Sheet::Page { window, .. } if window.is_complete(next) => {
                let is_archive = is_canonical(window, shape);
                Self {
                    newer: window.newer(next).map(|newer| newer.first()),
                    older: older(window),
                    follows_an_archive: is_archive,
                    is_archive,
                    has_current: is_archive,
                }
            }
            Sheet::Page { window, direction: Direction::Forward } => {
                open(window, window.newer(next).map(|newer| newer.first()))
            }
            // The URL of an empty backward page is not the one to ask again: it stays below what comes.
            Sheet::Page { window, direction: Direction::Backward } => {
                let end = Window::forward(next, count);
                open(if window.first() < next { window } else { &end }, Some(next))
            }
        }
    }
}
