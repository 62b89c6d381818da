//! Names, one behind the other in one piece of memory, so that a million of them are looked through in milliseconds.

use std::ops::Range;

/// Stands behind every name. No name holds a control character, so nothing that is looked for lies across two of them.
pub(super) const END: char = '\0';

/// What may lie in one piece, in bytes. Where names end is kept in 32 bits.
pub(super) const BYTES_MAX: usize = 1 << 30;

#[derive(Debug, Clone, Default)]
pub(super) struct Text {
    text: String,
    /// Where the [`END`] of each name lies.
    ends: Vec<u32>,
}

impl Text {
    pub(super) fn with_capacity(names: usize, bytes: usize) -> Self {
        Self { text: String::with_capacity(bytes), ends: Vec::with_capacity(names) }
    }

    /// Gives back the memory that growing took in advance.
    pub(super) fn shrink(&mut self) {
        self.text.shrink_to_fit();
        self.ends.shrink_to_fit();
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// What all names take together.
    pub(super) fn bytes(&self) -> usize {
        self.text.len()
    }

    pub(super) fn push(&mut self, name: &str) {
        self.text.push_str(name);
        self.ends.push(self.text.len() as u32);
        self.text.push(END);
    }

    pub(super) fn name(&self, index: usize) -> &str {
        &self.text[self.start(index)..self.end(index)]
    }

    pub(super) fn start(&self, index: usize) -> usize {
        index.checked_sub(1).map_or(0, |before| self.end(before) + END.len_utf8())
    }

    /// Where the name ends; what marks that lies there.
    pub(super) fn end(&self, index: usize) -> usize {
        self.ends[index] as usize
    }

    /// Some names that follow each other, with what stands behind them.
    pub(super) fn piece(&self, names: Range<usize>) -> &str {
        &self.text[self.start(names.start)..self.start(names.end)]
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|index| self.name(index))
    }
}

/// The first index that is not before what is looked for; all that are before come first.
pub(super) fn partition(range: Range<usize>, is_before: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (range.start, range.end);
    while low < high {
        let middle = low + (high - low) / 2;
        if is_before(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}
