//! Derived streams: what the server keeps by reference. The events of such a stream are named by their positions,
//! which never change, so its index is apart from the chunks, and a chunk may be written anew beneath it.
//!
//! For every chunk and kind there is one immutable index file, written when the chunk is sealed, or by `build` when the
//! kind was off at that time; sled names each stream's run in it, and says for each kind how far the chunks are indexed.
//! A kind that is switched off keeps what it has, and costs nothing more.
//!
//! Reading order: `places` (in the tail), `files` (index files), `index` (writing them), `naming` (what the writer does
//! for them), `build` (the background), `reading` (what views show), `opening`, `checking` (for `verify`).

mod places;
pub(crate) mod files;
mod index;
mod naming;
pub(crate) mod build;
mod reading;
mod opening;
#[cfg(test)]
mod tests;
pub(crate) mod checking;

pub(crate) use files::{Indexes, WrittenIndex};
pub(crate) use index::{IndexError, of_segment};
pub(crate) use opening::read_indexed;
pub(crate) use places::Places;

use crate::event::{Derived, Position};

/// How many kinds there are.
const KINDS: usize = Derived::ALL.len();

/// Some of the kinds of derived streams: those that a store keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Kinds([bool; KINDS]);

impl Kinds {
    /// None of them.
    pub const NONE: Self = Self([false; KINDS]);

    /// Whether it is one of these.
    #[must_use]
    pub const fn contains(self, kind: Derived) -> bool {
        self.0[kind as usize]
    }

    /// These kinds.
    pub fn iter(self) -> impl Iterator<Item = Derived> {
        Derived::ALL.into_iter().filter(move |kind| self.contains(*kind))
    }
}

impl FromIterator<Derived> for Kinds {
    fn from_iter<I: IntoIterator<Item = Derived>>(kinds: I) -> Self {
        let mut set = Self::NONE;
        for kind in kinds {
            set.0[kind as usize] = true;
        }
        set
    }
}

/// How far the chunks are indexed for each kind: the position after the last event that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Indexed([Position; KINDS]);

impl Indexed {
    pub(crate) fn until(&self, kind: Derived) -> Position {
        self.0[kind as usize]
    }

    pub(crate) fn set(&mut self, kind: Derived, until: Position) {
        self.0[kind as usize] = until;
    }
}

/// What a derived stream's name has behind its kind's prefix.
pub(crate) fn key_in(kind: Derived, name: &crate::event::StreamName) -> &str {
    name.as_str().strip_prefix(kind.prefix()).expect("the kind was told by the name")
}
