//! Names of streams that began in the tail, in the order of their first events. They are taken from its segments when
//! somebody asks, and only those that came since somebody asked last.

use std::sync::Arc;

use crate::event::Position;

use super::super::View;
use super::text::Text;

/// So many names are copied at once: appends wait for the segment meanwhile.
const SLICE_NAMES: usize = 256;

pub(super) struct Young {
    /// Copied only if somebody is looking through them.
    names: Arc<Text>,
    /// The position of each stream's first event.
    firsts: Vec<Position>,
    /// Every stream that began below is here or on a shelf.
    until: Position,
}

impl Young {
    pub(super) fn new(until: Position) -> Self {
        Self { names: Arc::default(), firsts: Vec::new(), until }
    }

    pub(super) fn names(&self) -> Arc<Text> {
        self.names.clone()
    }

    /// Adds the names of streams that this view shows and that are not here yet.
    pub(super) fn catch_up(&mut self, view: &View) {
        for segment in view.state.tail.iter() {
            loop {
                let (begun, until) = segment.begun(self.until, view.state.log, SLICE_NAMES);
                if until <= self.until {
                    break;
                }
                for (name, first) in begun {
                    Arc::make_mut(&mut self.names).push(name.as_str());
                    self.firsts.push(first);
                }
                self.until = until;
            }
        }
    }

    /// Lets go of what is on a shelf by now.
    pub(super) fn forget_before(&mut self, end: Position) {
        let gone = self.firsts.partition_point(|first| *first < end);
        self.until = self.until.max(end);
        if gone > 0 {
            let mut left = Text::default();
            self.names.iter().skip(gone).for_each(|name| left.push(name));
            self.names = Arc::new(left);
            self.firsts.drain(..gone);
        }
    }
}
