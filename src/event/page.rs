//! Pages and the grid: which run of numbers a page holds, and which pages lie before and after it.
//!
//! The grid of a page is the multiples of its own count, so no setting can ever change what a URL means.
//! A page never crosses its grid. Whoever starts anywhere and follows the links is on the grid after at
//! most two steps, and so all consumers share the same pages.

use super::Number;
use super::limits::{COUNT_MAX, NUMBER_MAX};

/// How many numbers a page asks for: 1 to 4096. Also the spacing of its grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Count(u32);

/// A count of 0 or over 4096.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a page holds 1 to {COUNT_MAX} events, not {0}")]
pub struct CountOutOfRange(pub u64);

/// A page: a run of consecutive numbers, `first` to `last`, both included, on one side of every grid line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    first: Number,
    last: Number,
    count: Count,
    canonical: bool,
}

impl Count {
    /// # Errors
    /// Outside 1 to 4096.
    pub const fn new(value: u64) -> Result<Self, CountOutOfRange> {
        if value == 0 || value > COUNT_MAX as u64 { Err(CountOutOfRange(value)) } else { Ok(Self(value as u32)) }
    }

    /// The count as an integer.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0 as u64
    }
}

impl Window {
    /// `/n/forward/c`: from `n` to the number before the next grid line.
    #[must_use]
    pub fn forward(n: Number, count: Count) -> Self {
        let grid = n.get() - n.get() % count.get();
        let last = Number::new((grid + (count.get() - 1)).min(NUMBER_MAX)).expect("the minimum is in range");
        Self { first: n, last, count, canonical: grid == n.get() }
    }

    /// `/n/backward/c`: from the grid line at or below `n` up to `n`. Never canonical, even where it
    /// holds a whole page: one page has one canonical URL, the forward one.
    #[must_use]
    pub fn backward(n: Number, count: Count) -> Self {
        let first = Number::new(n.get() - n.get() % count.get()).expect("below n");
        Self { first, last: n, count, canonical: false }
    }

    /// The lowest number of the page.
    #[must_use]
    pub const fn first(&self) -> Number {
        self.first
    }

    /// The highest number that the page will ever hold.
    #[must_use]
    pub const fn last(&self) -> Number {
        self.last
    }

    /// The count that the page was asked with.
    #[must_use]
    pub const fn count(&self) -> Count {
        self.count
    }

    /// Whether this is a forward page that starts on the grid: the one URL that all consumers share.
    #[must_use]
    pub const fn is_canonical(&self) -> bool {
        self.canonical
    }

    /// Whether every number of the page has been assigned, `next` being the first that has not.
    /// A complete page never changes.
    #[must_use]
    pub fn is_complete(&self, next: Number) -> bool {
        self.last < next
    }

    /// The page of newer events (`previous`). `next` is the first number not assigned yet. None only on
    /// an empty page at the end: its own URL is the one to ask again.
    #[must_use]
    pub fn newer(&self, next: Number) -> Option<Self> {
        if self.is_complete(next) {
            Some(Self::forward(self.last.plus(1), self.count))
        } else if self.first < next {
            Some(Self::forward(next, self.count))
        } else {
            None
        }
    }

    /// The page of older events (`next`). None when this page starts at number 0.
    #[must_use]
    pub fn older(&self) -> Option<Self> {
        let below = self.first.before()?;
        let c = self.count.get();
        if self.first.get().is_multiple_of(c) {
            let start = Number::new(self.first.get() - c).expect("a grid line above 0 has one below it");
            Some(Self::forward(start, self.count))
        } else {
            Some(Self::backward(below, self.count))
        }
    }

    /// The oldest page (`last`).
    #[must_use]
    pub fn oldest(count: Count) -> Self {
        Self::forward(Number::ZERO, count)
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use proptest::prelude::*;

    use super::*;

    fn count(value: u64) -> Count {
        Count::new(value).expect("in range")
    }

    fn number(value: u64) -> Number {
        Number::new(value).expect("in range")
    }

    /// The numbers a page shows when `next` is the first number not assigned.
    fn shown(page: &Window, next: u64) -> Range<u64> {
        page.first().get()..(page.last().get() + 1).min(next).max(page.first().get())
    }

    #[test]
    fn a_page_runs_to_its_grid_line_and_never_across() {
        let bounds = |page: Window| (page.first().get(), page.last().get());
        assert_eq!(bounds(Window::forward(number(137), count(100))), (137, 199));
        assert_eq!(bounds(Window::backward(number(136), count(100))), (100, 136));
        assert_eq!(bounds(Window::forward(number(100), count(100))), (100, 199));
        assert_eq!(bounds(Window::backward(number(0), count(7))), (0, 0));
        assert_eq!(bounds(Window::forward(Number::MAX, count(4096))), (Number::MAX.get(), Number::MAX.get()));
    }

    #[test]
    fn counts_are_1_to_4096() {
        assert_eq!(Count::new(0), Err(CountOutOfRange(0)));
        assert_eq!(Count::new(4097), Err(CountOutOfRange(4097)));
        assert!(Count::new(1).is_ok() && Count::new(4096).is_ok());
    }

    #[test]
    fn only_an_empty_page_at_the_end_has_nothing_newer() {
        assert_eq!(Window::forward(number(25), count(20)).newer(number(25)), None);
        assert_eq!(
            Window::forward(number(20), count(20)).newer(number(25)),
            Some(Window::forward(number(25), count(20)))
        );
        assert_eq!(
            Window::forward(number(0), count(20)).newer(number(25)),
            Some(Window::forward(number(20), count(20)))
        );
    }

    proptest! {
        /// The consumer's walk: from the oldest page through `previous`, while producers append.
        #[test]
        fn walking_to_newer_pages_visits_every_event_once_and_in_order(
            c in 1_u64..200,
            start in 0_u64..500,
            appends in prop::collection::vec(0_u64..150, 1..40),
        ) {
            let mut next = start;
            let mut seen = 0_u64;
            let mut page = Window::oldest(count(c));
            for appended in appends {
                // Two steps between appends; what a page showed before it was left counts as seen.
                for _ in 0..2 {
                    let on_page = shown(&page, next);
                    prop_assert!(on_page.start <= seen, "no gap");
                    seen = seen.max(on_page.end);
                    match page.newer(number(next)) {
                        Some(newer) => {
                            prop_assert_eq!(newer.first().get(), seen, "nothing twice, nothing left out");
                            page = newer;
                        }
                        None => prop_assert_eq!(seen, next),
                    }
                }
                next += appended;
            }
            let mut steps = 0;
            while seen < next {
                seen = seen.max(shown(&page, next).end);
                page = page.newer(number(next)).unwrap_or(page);
                steps += 1;
                prop_assert!(steps < 20_000, "the walk ends");
            }
            prop_assert_eq!(seen, next);
        }

        /// The archive walk: from any page through `next`, down to number 0.
        #[test]
        fn walking_to_older_pages_visits_every_event_once_and_in_order(
            c in 1_u64..200, n in 0_u64..5_000, backward in any::<bool>(),
        ) {
            let start = if backward { Window::backward(number(n), count(c)) } else { Window::forward(number(n), count(c)) };
            let mut below = start.first().get();
            let mut page = start;
            let mut steps = 0;
            while let Some(older) = page.older() {
                prop_assert_eq!(older.last().get() + 1, below);
                below = older.first().get();
                page = older;
                steps += 1;
                if steps >= 2 {
                    prop_assert!(page.is_canonical(), "after two steps every page is canonical");
                }
            }
            prop_assert_eq!(below, 0);
        }

        #[test]
        fn after_two_steps_towards_newer_every_complete_page_is_canonical(c in 1_u64..200, n in 0_u64..5_000, backward in any::<bool>()) {
            let next = number(1_000_000);
            let mut page = if backward { Window::backward(number(n), count(c)) } else { Window::forward(number(n), count(c)) };
            for _ in 0..2 {
                page = page.newer(next).expect("far from the end");
            }
            prop_assert!(page.is_canonical());
        }
    }
}
