//! Indexing a chunk: when it is sealed, or later, from its file, when a kind was switched on since.

use std::io;

use crate::event::{Derived, Number, Position, StreamName};

use super::super::format::derived::{Entry, Header};
use super::super::segment::Segment;
use super::super::{ReadError, Shared, View};
use super::files::{self, WrittenIndex};
use super::{Places, key_in};

/// Why a chunk could not be indexed. It can be tried again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IndexError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Write(#[from] io::Error),
}

/// Writes the index files of a segment that is sealed, of all kinds that are indexed up to it. The others have their
/// turn after the chunks before it.
pub(crate) fn of_segment(view: &View, segment: &Segment) -> Result<Vec<WrittenIndex>, IndexError> {
    let sealed = &view.state.sealed;
    let up_to_date = |kind: &Derived| sealed.indexed.until(*kind) == sealed.end();
    let mut written = Vec::new();
    for kind in view.shared.kinds.iter().filter(up_to_date) {
        let next = |name: &StreamName| view.derived_next_before(kind, name, segment.first());
        let streams = segment.derived_streams(kind);
        written.push(write(&view.shared, kind, segment.first(), segment.end(), streams, next)?);
    }
    Ok(written)
}

/// Writes the index file of one kind for a chunk that is sealed. All chunks before it are indexed.
pub(super) fn of_places(
    view: &View,
    kind: Derived,
    first: Position,
    end: Position,
    places: &Places,
) -> Result<WrittenIndex, IndexError> {
    let next = |name: &StreamName| view.derived_indexed_next(kind, name, first);
    write(&view.shared, kind, first, end, places.sorted(kind), next)
}

fn write(
    shared: &Shared,
    kind: Derived,
    first: Position,
    end: Position,
    streams: Vec<(Box<str>, Vec<u16>)>,
    next: impl Fn(&StreamName) -> Result<Number, ReadError>,
) -> Result<WrittenIndex, IndexError> {
    let mut entries = Vec::with_capacity(streams.len());
    for (key, mut offsets) in streams {
        // Of a chunk's file they come in the order of its ordinals.
        offsets.sort_unstable();
        let name = StreamName::parse(&[kind.prefix(), &key].concat()).expect("only names are taken in");
        debug_assert_eq!(key_in(kind, &name), &*key);
        entries.push(Entry { first: next(&name)?, key, offsets });
    }
    let log = shared.log;
    let header = Header { kind, log, first, end, streams: 0, events: 0, bytes: 0 };
    Ok(files::write(shared.chunks.dir(), header, &entries)?)
}
