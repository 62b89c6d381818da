//! What views show of names: found by what people type, in their order, and by when their streams got an event last.
//!
//! Streams that are deleted are left out; those of the server too, unless they are asked for by their `$`.

use std::cmp::Reverse;

use crate::event::{Position, Source, StreamName};

use super::super::{ReadError, View};
use super::AllNames;
use super::finding::{Fit, Fitting, Wanted};

/// Of what people type so many names are looked at for streams that are there.
const LOOKED_AT_MAX: usize = 10_000;

/// Streams are taken from the tail and from the shelves so many at a time.
const AT_ONCE: usize = 64;

/// Streams whose names have what was looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Those that fit best come first: the whole name, its beginning, the beginning of one of its words, anything else;
    /// among equals by name.
    pub streams: Vec<StreamName>,
    /// There may be more, and they do not fit better.
    pub is_cut: bool,
}

impl AllNames {
    /// The best `count_max` names that have this text, of streams that may be gone or newer than the view. Not for
    /// an empty text.
    pub(super) fn search(&self, text: &str, count_max: usize) -> Found {
        let wanted = Wanted::new(text);
        let Fitting { names: mut fitting, mut is_cut, .. } = wanted.anywhere(&self.young, count_max);
        for shelf in &self.shelves {
            let found = wanted.beginnings(shelf, count_max);
            fitting.extend(found.names);
            is_cut |= found.is_cut;
        }
        if fitting.iter().filter(|(fit, _)| *fit <= Fit::Beginning).count() < count_max {
            for shelf in &self.shelves {
                let found = wanted.inside(shelf.names(), count_max);
                fitting.extend(found.names);
                is_cut |= found.is_cut;
            }
        } else {
            is_cut = true;
        }
        fitting.sort_unstable();
        is_cut |= fitting.len() > count_max;
        fitting.truncate(count_max);
        Found { streams: fitting.into_iter().map(|(_, name)| known(name)).collect(), is_cut }
    }

    /// The next `count_max` names that begin with `prefix` and come after `after`, in the order of their bytes.
    pub(super) fn in_order(&self, prefix: &str, after: &str, count_max: usize) -> Vec<StreamName> {
        let is_wanted = |name: &&str| is_listed(name, prefix) && name.starts_with(prefix) && *name > after;
        let mut names: Vec<&str> = self.young.iter().filter(is_wanted).collect();
        for shelf in &self.shelves {
            let mut index = shelf.from(prefix.max(after));
            let mut found = 0;
            while index < shelf.len() && found < count_max {
                let name = shelf.names().name(index);
                if !name.starts_with(prefix) && name > prefix {
                    break;
                }
                if !is_listed(name, prefix) {
                    // They all lie together.
                    index = shelf.from("%");
                    continue;
                }
                if is_wanted(&name) {
                    names.push(name);
                    found += 1;
                }
                index += 1;
            }
        }
        names.sort_unstable();
        names.truncate(count_max);
        names.into_iter().map(known).collect()
    }

    /// The `count_max` streams whose newest events in the chunks come last, of those below this position; newest first.
    pub(super) fn newest_below(&self, below: Position, count_max: usize) -> Vec<(Position, StreamName)> {
        /// The best of so many are kept, again and again: one pass, however names and positions go together.
        const SORTED_AT_ONCE: usize = 4_096;
        let sorted_at_once = SORTED_AT_ONCE.max(2 * count_max);
        let (mut kept, mut least) = (Vec::with_capacity(sorted_at_once), Position::ZERO);
        for (shelf, names) in self.shelves.iter().enumerate() {
            for index in 0..names.len() {
                let position = names.newest(index);
                if position < least || below <= position || !is_listed(names.names().name(index), "") {
                    continue;
                }
                kept.push((Reverse(position), shelf, index));
                if kept.len() == sorted_at_once {
                    kept.select_nth_unstable(count_max);
                    kept.truncate(count_max);
                    least = kept.iter().map(|(Reverse(position), ..)| *position).min().unwrap_or_default();
                }
            }
        }
        kept.sort_unstable();
        kept.truncate(count_max);
        let named = |(Reverse(position), shelf, index): (Reverse<Position>, usize, usize)| {
            (position, known(self.shelves[shelf].names().name(index)))
        };
        kept.into_iter().map(named).collect()
    }
}

fn known(name: &str) -> StreamName {
    StreamName::parse(name).expect("only names are kept")
}

/// Names of the server are listed for those alone who ask for them.
fn is_listed(name: &str, asked: &str) -> bool {
    asked.starts_with('$') || !name.starts_with('$')
}

impl View {
    /// Streams that have this text in their names, wherever it is and in upper or lower case (of ASCII): at most
    /// `count_max` of them. None for an empty text.
    ///
    /// # Errors
    /// When the store's index cannot be read.
    pub async fn search(&self, text: &str, count_max: usize) -> Result<Found, ReadError> {
        let (view, text) = (self.clone(), text.to_string());
        blocking(move || view.search_blocking(&text, count_max)).await
    }

    fn search_blocking(&self, text: &str, count_max: usize) -> Result<Found, ReadError> {
        if text.is_empty() || text.chars().any(char::is_control) {
            return Ok(Found::default());
        }
        let names = self.shared.names.upto(self);
        // One more than are wanted, to know whether there is one.
        let mut looked_at = (count_max + 1).min(LOOKED_AT_MAX);
        loop {
            let Found { streams, is_cut } = names.search(text, looked_at);
            let mut there = Vec::new();
            for stream in streams {
                if self.is_there(&stream)? {
                    there.push(stream);
                }
            }
            if there.len() > count_max {
                there.truncate(count_max);
                return Ok(Found { streams: there, is_cut: true });
            }
            if !is_cut || looked_at == LOOKED_AT_MAX {
                return Ok(Found { streams: there, is_cut });
            }
            // Many of them are deleted.
            looked_at = (looked_at.max(AT_ONCE) * 4).min(LOOKED_AT_MAX);
        }
    }

    /// The next `count_max` streams whose names begin with `prefix` and come after `after`, in the order of their bytes.
    /// Fewer mean that there are no more.
    ///
    /// # Errors
    /// When the store's index cannot be read.
    pub async fn streams_by_name(
        &self,
        prefix: &str,
        after: &str,
        count_max: usize,
    ) -> Result<Vec<StreamName>, ReadError> {
        let (view, prefix, mut after) = (self.clone(), prefix.to_string(), after.to_string());
        blocking(move || {
            let names = view.shared.names.upto(&view);
            let mut there = Vec::with_capacity(count_max);
            while there.len() < count_max {
                let streams = names.in_order(&prefix, &after, count_max.max(AT_ONCE));
                let Some(last) = streams.last() else { break };
                after = last.to_string();
                for stream in streams {
                    if there.len() < count_max && view.is_there(&stream)? {
                        there.push(stream);
                    }
                }
            }
            Ok(there)
        })
        .await
    }

    /// The streams that got an event last, newest first, each with the position of its newest event: the next
    /// `count_max` of those below a position. Fewer mean that there are no more. A stream that gets an event while
    /// somebody goes through the list moves to its front, and may be missed further down.
    ///
    /// # Errors
    /// When the store's index cannot be read.
    pub async fn streams_by_activity(
        &self,
        below: Position,
        count_max: usize,
    ) -> Result<Vec<(StreamName, Position)>, ReadError> {
        let view = self.clone();
        blocking(move || {
            let mut there = Vec::with_capacity(count_max);
            view.active_in_tail(below, count_max, &mut there)?;
            view.active_in_chunks(below, count_max, &mut there)?;
            Ok(there)
        })
        .await
    }

    fn active_in_tail(
        &self,
        below: Position,
        count_max: usize,
        there: &mut Vec<(StreamName, Position)>,
    ) -> Result<(), ReadError> {
        let mut below = below.min(self.state.log.next);
        for (index, segment) in self.state.tail.iter().enumerate().rev() {
            while there.len() < count_max && segment.first() < below {
                let (streams, until) = segment.newest_below(below, self.state.log, AT_ONCE);
                for (stream, position) in streams {
                    let goes_on = self.state.tail[index + 1..].iter().any(|later| later.shows(&stream, self.state.log));
                    if there.len() < count_max && !goes_on && !stream.is_system() && self.is_there(&stream)? {
                        there.push((stream, position));
                    }
                }
                below = until;
            }
        }
        Ok(())
    }

    fn active_in_chunks(
        &self,
        below: Position,
        count_max: usize,
        there: &mut Vec<(StreamName, Position)>,
    ) -> Result<(), ReadError> {
        let names = self.shared.names.upto(self);
        let mut below = below.min(self.state.sealed.end());
        let mut at_once = (2 * count_max).max(AT_ONCE);
        while there.len() < count_max {
            let streams = names.newest_below(below, at_once);
            let Some((last, _)) = streams.last() else { break };
            below = *last;
            for (position, stream) in streams {
                let goes_on = self.state.tail.iter().any(|segment| segment.shows(&stream, self.state.log));
                if there.len() < count_max && !goes_on && self.is_there(&stream)? {
                    there.push((stream, position));
                }
            }
            // Each time all names are gone through again.
            at_once *= 4;
        }
        Ok(())
    }

    /// Whether a stream that has an event is there, and not deleted.
    fn is_there(&self, stream: &StreamName) -> Result<bool, ReadError> {
        if !stream.is_system() && self.state.retentions.get(stream).is_none() {
            return Ok(true);
        }
        Ok(self.head(&Source::Stream(stream.clone()))?.exists())
    }
}

/// On a thread for blocking work.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ReadError> + Send + 'static,
) -> Result<T, ReadError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| ReadError::Io(error.to_string()))?
}
