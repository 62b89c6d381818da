//! EventStore's paging to the letter: windows that start at whatever number was asked for, and 20 events on
//! the head feed. Its clients compute with these links, so their conditions are kept exactly.

use crate::address::{Direction, PageRequest, Place};
use crate::event::{Count, Number, Position, Source, Visible};

use super::{Extent, Links, Shape, run};

/// The head feed holds this many events, whatever the server's page size.
const HEAD_COUNT: u64 = 20;

/// What a request reads, in numbers that all kinds of places come down to.
struct Read {
    direction: Direction,
    /// Forward: the lowest number wanted. Backward: one above the highest.
    edge: u64,
    count: Count,
    /// Asked for by number: it does not move with the head.
    is_fixed: bool,
}

impl Read {
    fn new(source: &Source, shape: &Shape, next: Number) -> Self {
        let PageRequest { from, direction, count } = match shape {
            Shape::Head => PageRequest {
                from: Place::Head,
                direction: Direction::Backward,
                count: Count::new(HEAD_COUNT).expect("20 is in range"),
            },
            Shape::Page(request) => *request,
        };
        let edge = match (from, direction) {
            (Place::Head, _) => next.get(),
            (Place::Number(number), Direction::Forward) => number.get(),
            (Place::Number(number), Direction::Backward) => number.get() + 1,
            (Place::Hex(position), _) => position.get(),
        };
        // Its positions have gaps, so that reading back from beyond the end of `$all` finds the newest events.
        let edge = if *source == Source::All && direction == Direction::Backward { edge.min(next.get()) } else { edge };
        Self { direction, edge, count, is_fixed: from != Place::Head }
    }
}

pub(super) fn extent(source: &Source, shape: &Shape, visible: Visible) -> Extent {
    let Visible { from, next } = visible;
    let Read { direction, edge, count, is_fixed } = Read::new(source, shape, next);
    let (first, end) = match direction {
        Direction::Forward => (edge, edge + count.get()),
        Direction::Backward => (edge.saturating_sub(count.get()), edge),
    };
    let is_complete = match direction {
        // A page that ends at the head says so (`headOfStream`), which an append changes.
        Direction::Forward => end < next.get(),
        Direction::Backward => end <= next.get(),
    };
    // A page of which nothing is left leads to the first visible event, and that moves.
    let is_left = from.get() < end;
    Extent {
        shown: run(first.max(from.get()), end.min(next.get())),
        gone: None,
        is_complete: is_fixed && is_complete && is_left,
        is_canonical: is_fixed,
    }
}

pub(super) fn links(shape: &Shape, visible: Visible, links: &mut Links<'_>) {
    let Visible { from, next } = visible;
    let source = links.at.source;
    let Read { direction, edge, count, is_fixed: _ } = Read::new(source, shape, next);
    let (c, n, floor) = (count.get(), next.get(), from.get());
    let page = |edge: u64, direction| PageRequest { from: place(source, edge, direction), direction, count };

    // Where the older page ends, unless this is the end of the stream: its beginning, or what is truncated.
    let older = match (direction, source) {
        (Direction::Forward, _) => Some(edge).filter(|edge| *edge > floor),
        (Direction::Backward, Source::All) => edge.checked_sub(c),
        (Direction::Backward, Source::Stream(_) | Source::Derived(..)) => {
            edge.checked_sub(c).filter(|edge| *edge > floor)
        }
    };
    // Where the newer page starts. Nobody has to walk through what is truncated.
    let newer = match direction {
        Direction::Forward => (edge < n).then(|| (edge + c).clamp(floor, n)),
        Direction::Backward => Some(edge.clamp(floor, n)),
    };

    links.push("self", links.path.as_str().to_string());
    links.page("first", &PageRequest { from: Place::Head, direction: Direction::Backward, count });
    if let Some(older) = older {
        links.page("last", &page(0, Direction::Forward));
        links.page("next", &page(older, Direction::Backward));
    }
    if let Some(newer) = newer {
        links.page("previous", &page(newer, Direction::Forward));
    }
    links.metadata();
}

/// How a place is written: in `$all` as 32 digits, which lie between events.
fn place(source: &Source, edge: u64, direction: Direction) -> Place {
    match (source, direction) {
        (Source::All, _) => Place::Hex(Position::new(edge).expect("at most the head")),
        (Source::Stream(_) | Source::Derived(..), Direction::Forward) => {
            Place::Number(Number::new(edge).expect("at most the head"))
        }
        (Source::Stream(_) | Source::Derived(..), Direction::Backward) => {
            Place::Number(Number::new(edge - 1).expect("below what was asked for"))
        }
    }
}
