//! The name of every stream, in memory: what people type is looked for in all of them, and lists go by them.
//!
//! Names of sealed streams lie on shelves, in the order of their bytes, each with the position of the stream's newest
//! event in the chunks; younger ones are taken from the tail when somebody asks. An append does nothing for it: the
//! sealer puts a segment's streams on the shelves before its chunk is named, so whatever a view has in chunks is there.
//!
//! A name takes its own bytes and 13 more. What of this is to be seen, a view decides: names never go, streams do.
//!
//! Reading order: `text` (names, one behind the other), `shelf`, `young`, `opening` (from sled's index), `finding` (what
//! people type), `listing` (what views show).

mod finding;
mod listing;
mod opening;
mod shelf;
#[cfg(test)]
mod tests;
mod text;
mod young;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::event::{Position, StreamName};

use super::View;

use self::shelf::Shelf;
use self::text::Text;
use self::young::Young;

pub use listing::Found;
pub(crate) use opening::SealedNames;

/// All names of a store.
pub(crate) struct Names {
    contents: Mutex<Contents>,
}

struct Contents {
    /// The largest first, each of them more than twice as large as the next.
    shelves: Vec<Arc<Shelf>>,
    young: Young,
}

/// All names at one moment.
struct AllNames {
    shelves: Vec<Arc<Shelf>>,
    /// In the order of their streams' first events.
    young: Arc<Text>,
}

/// A stream of a segment that is sealed.
pub(crate) struct SealedStream {
    pub(crate) name: StreamName,
    /// Whether its first event is in this segment.
    pub(crate) begins_here: bool,
    /// The position of its newest event there.
    pub(crate) newest: Position,
}

impl Names {
    /// From what opening found in the chunks, which end at this position.
    pub(crate) fn new(sealed: SealedNames, end: Position) -> Self {
        let shelves = sealed.into_shelves().into_iter().map(Arc::new).collect();
        Self { contents: Mutex::new(Contents { shelves, young: Young::new(end) }) }
    }

    fn lock(&self) -> MutexGuard<'_, Contents> {
        // Whatever panics while it holds the lock leaves names that are whole: they are put in place in one piece.
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All names as of this view, or a little later.
    fn upto(&self, view: &View) -> AllNames {
        let mut contents = self.lock();
        contents.young.catch_up(view);
        AllNames { shelves: contents.shelves.clone(), young: contents.young.names() }
    }

    /// Takes in a segment that is complete and durable, and ends at this position. Only the sealer does, so shelves
    /// change under nobody's hands but its own.
    pub(crate) fn shelve(&self, mut streams: Vec<SealedStream>, end: Position) {
        // In the order of names, so that each look-up begins near the one before it.
        streams.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        let mut shelves = self.lock().shelves.clone();
        let mut new = Shelf::default();
        for SealedStream { name, begins_here, newest } in &streams {
            if *begins_here {
                new.push(name.as_str(), *newest);
            } else if let Some((shelf, index)) =
                shelves.iter().find_map(|shelf| Some((shelf, shelf.find(name.as_str())?)))
            {
                shelf.set_newest(index, *newest);
            }
        }
        if !new.is_empty() {
            shelves.push(Arc::new(new));
        }
        while let [.., larger, last] = &shelves[..]
            && larger.len() <= 2 * last.len()
            && let Some(merged) = larger.merged(last)
        {
            shelves.truncate(shelves.len() - 2);
            shelves.push(Arc::new(merged));
        }
        let mut contents = self.lock();
        contents.shelves = shelves;
        contents.young.forget_before(end);
    }
}
