//! Digests of what a document shows and hides: whole in keys of caches, in short in entity tags.

use sha2::{Digest as _, Sha256};

/// What tells one state of something from all others. Two that differ in what is hidden must never meet in a cache, though
/// people choose what is in them: so caches go by all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Mark([u8; 32]);

impl Mark {
    /// Where there is nothing to tell.
    pub(crate) const NONE: Self = Self([0; 32]);

    pub(crate) fn of(hash: Sha256) -> Self {
        Self(hash.finalize().into())
    }

    /// As entity tags have it: nobody is shown what they may not see by one, since it is compared with that of a document
    /// that the reader may have.
    pub(crate) fn in_tag(self) -> u64 {
        u64::from_be_bytes(self.0[..8].try_into().expect("a digest has 32 bytes"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_alike_in_a_tag_is_still_told_apart_in_a_cache() {
        let mark = Mark::of(Sha256::new_with_prefix("what is hidden"));
        let Mark(mut other) = mark;
        other[31] ^= 1;
        assert_eq!(mark.in_tag(), Mark(other).in_tag());
        assert_ne!(mark, Mark(other));
        assert_eq!(Mark::NONE.in_tag(), 0);
    }
}
