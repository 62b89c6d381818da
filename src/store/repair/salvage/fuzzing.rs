//! Finding groups in raw bytes, as it is fuzzed.

use super::*;

/// What a repair makes of these bytes of sled's file, if it is not too much for a case of a fuzzer: the position and the
/// event of each, where there is one.
pub(in crate::store) fn groups_in(bytes: &Bytes, positions_max: u64) -> Option<Vec<(Position, Option<Event>)>> {
    let mut sources = Sources::default();
    let mut parts = Parts::new();
    sources.search(bytes, &mut 0, &mut parts);
    sources.choose(parts);
    let end = sources.groups.iter().map(|(first, parts)| first.plus(u64::from(parts[0].events))).max();
    if end.is_some_and(|end| end.get() > positions_max) {
        return None;
    }
    let mut found = Vec::new();
    let walked = sources.walk(&mut |salvage| {
        found.push(match salvage {
            Salvage::Event(event) => (event.position, Some(*event)),
            Salvage::Lost { position, .. } => (position, None),
        });
    });
    walked.ok().map(|()| found)
}
