//! What there is to be given back: sled's runs tell which chunks hold numbers that are truncated, deleted or erased.

use std::collections::{BTreeMap, HashMap};

use crate::event::{Event, Number, Position, Source, StreamName};

use super::super::erasures::Erasures;
use super::super::format::{ChunkRecord, run_prefix};
use super::super::runs::decode_run;
use super::super::view::View;
use super::super::{ReadError, view::Sealed};
use super::Thoroughness;

/// One in so many events of what a chunk still holds must have gone for it to be worthwhile.
const SHARE_WORTHWHILE: u64 = 5;

/// What of which chunks goes.
pub(super) struct Plan {
    /// The first number that stays, of each stream that has lost any.
    first_visible: HashMap<StreamName, Number>,
    /// And what was erased of others.
    erasures: Erasures,
    /// By first position, with how many of its events are truncated, deleted or erased.
    pub(super) chunks: Vec<(Position, u64)>,
}

impl Plan {
    pub(super) fn of(view: &View, thoroughness: Thoroughness) -> Result<Self, ReadError> {
        let sealed = &view.state.sealed;
        let mut first_visible = HashMap::new();
        let mut removed: BTreeMap<Position, u64> = BTreeMap::new();
        for (stream, _) in view.retentions() {
            let stays = view.head(&Source::Stream(stream.clone()))?.first_visible;
            if stays > Number::ZERO {
                count(view, stream, stays, &mut removed)?;
                first_visible.insert(stream.clone(), stays);
            }
        }
        for (stream, numbers) in view.state.erasures.iter() {
            let stays = first_visible.get(stream).copied().unwrap_or_default();
            for number in numbers.range(stays..) {
                if let Some(chunk) = view.chunk_of_number(stream, *number)? {
                    *removed.entry(chunk).or_default() += 1;
                }
            }
        }
        let is_due = |(first, removed): &(Position, u64)| {
            record(sealed, *first).is_some_and(|record| is_due(record, *removed, thoroughness))
        };
        let erasures = view.state.erasures.clone();
        Ok(Self { first_visible, erasures, chunks: removed.into_iter().filter(is_due).collect() })
    }

    /// Whether this event's content goes.
    pub(super) fn removes(&self, event: &Event) -> bool {
        self.first_visible.get(&event.stream).is_some_and(|stays| event.number < *stays)
            || self.erasures.contains(&event.stream, event.number)
    }
}

/// Counts the stream's numbers below `stays` in each chunk.
fn count(
    view: &View,
    stream: &StreamName,
    stays: Number,
    removed: &mut BTreeMap<Position, u64>,
) -> Result<(), ReadError> {
    let prefix = run_prefix(stream);
    let mut failed = None;
    view.shared.door.scan(&prefix, &prefix, |key, value| match decode_run(key, value) {
        Ok((first, run)) if first < stays && run.chunk < view.state.sealed.end() => {
            *removed.entry(run.chunk).or_default() += u64::from(run.events).min(stays.get() - first.get());
            true
        }
        Ok(_) => false,
        Err(error) => {
            failed = Some(error);
            false
        }
    })?;
    failed.map_or(Ok(()), Err)
}

fn record(sealed: &Sealed, first: Position) -> Option<&ChunkRecord> {
    sealed.chunk_index(first).map(|index| &sealed.chunks[index])
}

fn is_due(record: &ChunkRecord, removed: u64, thoroughness: Thoroughness) -> bool {
    let goes = removed.saturating_sub(record.removed_events);
    let holds = (record.end.get() - record.first.get()).saturating_sub(record.removed_events);
    match thoroughness {
        Thoroughness::Everything | Thoroughness::NoTrace => goes > 0,
        Thoroughness::Worthwhile => goes > 0 && goes * SHARE_WORTHWHILE >= holds,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Timestamp;

    #[test]
    fn a_chunk_is_due_when_enough_of_what_it_still_holds_has_gone() {
        let record = |removed_events| ChunkRecord {
            first: Position::ZERO,
            end: Position::from(1_000),
            generation: 0,
            time: Timestamp::default(),
            file_bytes: 1,
            raw_bytes: 1,
            removed_events,
        };
        for (before, now, worthwhile, everything) in [
            (0, 0, false, false),
            (0, 1, false, true),
            (0, 199, false, true),
            (0, 200, true, true),
            (500, 500, false, false),
            (500, 599, false, true),
            (500, 600, true, true),
            (999, 1_000, true, true),
            (1_000, 1_000, false, false),
        ] {
            let record = record(before);
            assert_eq!(is_due(&record, now, Thoroughness::Worthwhile), worthwhile, "{before} {now}");
            assert_eq!(is_due(&record, now, Thoroughness::Everything), everything, "{before} {now}");
        }
    }
}
