//! The derived streams of a segment of the tail, or of a chunk that is being indexed: the offsets of their events.
//!
//! First numbers are not kept here: they follow from what lies before the segment, and whoever needs them adds up.
//! So an event costs one look-up by text for each kind that is kept, and nothing of what lies before is looked up
//! while it is appended.

use std::collections::HashMap;

use crate::event::{Derived, Event, StreamName};

use super::{KINDS, Kinds};

/// The offsets of the events of each derived stream, by what its name has behind the prefix.
pub(crate) struct Places {
    kinds: Kinds,
    offsets: [HashMap<Box<str>, Vec<u16>>; KINDS],
}

impl Places {
    pub(crate) fn new(kinds: Kinds) -> Self {
        Self { kinds, offsets: Default::default() }
    }

    /// Adds an event, so far behind the first position. A chunk has at most 65,536 events, so it fits.
    pub(crate) fn push(&mut self, event: &Event, offset: u16) {
        for kind in self.kinds.iter() {
            let Some(key) = kind.key_of(event) else { continue };
            let streams = &mut self.offsets[kind as usize];
            if let Some(offsets) = streams.get_mut(&*key) {
                offsets.push(offset);
            } else if StreamName::parse(&[kind.prefix(), &key].concat()).is_ok() {
                streams.insert(key.into(), vec![offset]);
            }
        }
    }

    /// The offsets of a stream's events, in the order in which they were added.
    pub(crate) fn of(&self, kind: Derived, key: &str) -> &[u16] {
        self.offsets[kind as usize].get(key).map_or(&[], Vec::as_slice)
    }

    /// Every stream of a kind with its offsets, in the order of keys.
    pub(crate) fn sorted(&self, kind: Derived) -> Vec<(Box<str>, Vec<u16>)> {
        let streams = self.offsets[kind as usize].iter();
        let mut sorted: Vec<_> = streams.map(|(key, offsets)| (key.clone(), offsets.clone())).collect();
        sorted.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        sorted
    }
}
