//! Names of streams in the order of their bytes, each with where the chunks have its newest event.

use std::cmp::Ordering;
use std::sync::atomic::{self, AtomicU64};

use crate::event::Position;

use super::text::{BYTES_MAX, Text, partition};

#[derive(Debug, Default)]
pub(crate) struct Shelf {
    names: Text,
    newest: Vec<AtomicU64>,
}

impl Shelf {
    pub(super) fn names(&self) -> &Text {
        &self.names
    }

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Gives back the memory that growing took in advance.
    pub(super) fn shrink(&mut self) {
        self.names.shrink();
        self.newest.shrink_to_fit();
    }

    /// Whether another name would be too much for it.
    pub(super) fn is_full(&self) -> bool {
        self.names.bytes() >= BYTES_MAX
    }

    pub(super) fn last_name(&self) -> Option<&str> {
        self.len().checked_sub(1).map(|last| self.names.name(last))
    }

    /// Adds a name that comes after all others.
    pub(super) fn push(&mut self, name: &str, newest: Position) {
        self.names.push(name);
        self.newest.push(AtomicU64::new(newest.get()));
    }

    pub(super) fn newest(&self, index: usize) -> Position {
        Position::new(self.newest[index].load(atomic::Ordering::Relaxed)).expect("only positions are put there")
    }

    pub(super) fn set_newest(&self, index: usize, newest: Position) {
        self.newest[index].store(newest.get(), atomic::Ordering::Relaxed);
    }

    /// The first name that is not before this text.
    pub(super) fn from(&self, text: &str) -> usize {
        partition(0..self.len(), |index| self.names.name(index) < text)
    }

    pub(super) fn find(&self, name: &str) -> Option<usize> {
        let index = self.from(name);
        (index < self.len() && self.names.name(index) == name).then_some(index)
    }

    /// Both in one; none if that would be too much. No name is in both.
    pub(super) fn merged(&self, other: &Self) -> Option<Self> {
        let bytes = self.names.bytes() + other.names.bytes();
        if bytes > BYTES_MAX {
            return None;
        }
        let count = self.len() + other.len();
        let mut merged = Self { names: Text::with_capacity(count, bytes), newest: Vec::with_capacity(count) };
        let (mut own, mut others) = (0, 0);
        while own < self.len() || others < other.len() {
            let own_is_next = match (own < self.len(), others < other.len()) {
                (true, true) => self.names.name(own).cmp(other.names.name(others)) == Ordering::Less,
                (own_is_left, _) => own_is_left,
            };
            let (shelf, index) = if own_is_next { (self, &mut own) } else { (other, &mut others) };
            merged.push(shelf.names.name(*index), shelf.newest(*index));
            *index += 1;
        }
        Some(merged)
    }
}
