//! Which groups in the raw bytes are of the log.

use super::super::super::format::group::{Encoder, Origin};
use super::super::super::format::row;
use super::super::super::tests_support::event;
use super::*;

fn group(origin: Origin, position: u64) -> Vec<u8> {
    let mut rows = Vec::new();
    let event = event("orders", 0, position);
    row::encode(&event, &mut rows);
    Encoder::new().expect("zstd").encode(origin, event.position, 1, &rows).concat()
}

fn found(bytes: Vec<u8>) -> (Sources, Vec<Position>) {
    found_in(Sources::default(), bytes)
}

/// The sources with what is in these bytes, and where the groups of them begin.
fn found_in(mut sources: Sources, bytes: Vec<u8>) -> (Sources, Vec<Position>) {
    let mut parts = Parts::new();
    sources.search(&bytes.into(), &mut 0, &mut parts);
    sources.choose(parts);
    let positions = sources.groups.keys().copied().collect();
    (sources, positions)
}

const ORIGIN: Origin = Origin { epoch: 1, opening: 1 };

/// Producers can send bytes that look like a group, and what is left of an old copy of them lies in sled's file. One that
/// said to lie at the end of all positions made a repair write lost events for ever.
#[test]
fn a_group_far_beyond_the_log_is_left_out_and_told() {
    let far = Position::MAX.get() - 7;
    let (sources, positions) = found([group(ORIGIN, far), group(ORIGIN, 3)].concat());
    assert_eq!(positions, [place(3)]);
    assert_eq!(sources.unreadable(), [format!("a group at position {far}, far beyond everything else")]);
}

/// Where the store had been closed in order, its tail was taken for a group that cannot be its own if more chunks before it
/// were lost than a gap may be long.
#[test]
fn a_group_at_the_end_of_a_store_that_was_closed_in_order_is_not_far() {
    let last = 3 * GAP_MAX;
    let closed = Sources { closed: Some(place(last + 1)), ..Sources::default() };
    let (sources, positions) = found_in(closed, group(ORIGIN, last));
    assert_eq!(positions, [place(last)]);
    assert!(sources.unreadable().is_empty());
}

/// One of a higher epoch than there can be counted as newer than everything, and left no higher epoch to begin.
#[test]
fn a_group_of_an_epoch_that_cannot_be_is_none() {
    for origin in [Origin { epoch: u32::MAX, ..ORIGIN }, Origin { opening: u32::MAX, ..ORIGIN }] {
        let (sources, positions) = found([group(origin, 3), group(ORIGIN, 3)].concat());
        assert_eq!((positions, sources.epoch, sources.opening), (vec![place(3)], 1, 1));
    }
}

#[test]
fn what_lies_inside_of_a_whole_group_is_data() {
    let mut rows = Vec::new();
    let mut event = event("orders", 0, 3);
    event.content.as_mut().expect("content").data = group(ORIGIN, 5).into();
    row::encode(&event, &mut rows);
    let outer = Encoder::new().expect("zstd").encode(ORIGIN, event.position, 1, &rows).concat();
    assert_eq!(found(outer).1, [place(3)]);
}
