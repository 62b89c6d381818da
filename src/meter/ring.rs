//! The newest so many of something.

use std::collections::VecDeque;

/// Holds a fixed number of values; one more drops the oldest.
#[derive(Debug, Clone)]
pub struct Ring<T> {
    values: VecDeque<T>,
    kept: usize,
}

impl<T> Ring<T> {
    /// For so many.
    #[must_use]
    pub fn new(kept: usize) -> Self {
        Self { values: VecDeque::with_capacity(kept), kept }
    }

    /// One more.
    pub fn push(&mut self, value: T) {
        if self.values.len() >= self.kept {
            self.values.pop_front();
        }
        if self.kept > 0 {
            self.values.push_back(value);
        }
    }

    /// Oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> + ExactSizeIterator {
        self.values.iter()
    }

    /// The newest.
    #[must_use]
    pub fn newest(&self) -> Option<&T> {
        self.values.back()
    }

    /// The oldest that is left.
    #[must_use]
    pub fn oldest(&self) -> Option<&T> {
        self.values.front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_when_there_is_no_room() {
        let mut ring = Ring::new(3);
        assert_eq!((ring.oldest(), ring.newest()), (None, None));
        (0..5).for_each(|value| ring.push(value));
        assert_eq!(ring.iter().copied().collect::<Vec<_>>(), [2, 3, 4]);
        assert_eq!((ring.oldest(), ring.newest()), (Some(&2), Some(&4)));
        let mut none = Ring::new(0);
        none.push(1);
        assert_eq!(none.iter().len(), 0);
    }
}
