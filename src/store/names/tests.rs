//! Lists of names against the plain definition: look at all of them.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::format::{Key, RunRecord};
use super::super::tests_support::stream;
use super::finding::Fit;
use super::*;
use crate::event::{Life, Number};

/// Names with where their newest events are. Few letters, so that there is much to be found.
fn some_names() -> impl Strategy<Value = BTreeMap<String, u32>> {
    prop::collection::btree_map("[aAbB$é/1 -]{1,6}", 0_u32..10_000, 0..60)
}

/// Each name where its position says: on one of some shelves, or among the young.
fn laid_out(names: &BTreeMap<String, u32>, shelves: u32) -> AllNames {
    let mut all = AllNames { shelves: Vec::new(), young: Arc::default() };
    let mut young = Text::default();
    let mut laid: Vec<Shelf> = (0..shelves).map(|_| Shelf::default()).collect();
    for (name, newest) in names {
        match laid.get_mut((newest % (shelves + 1)) as usize) {
            Some(shelf) => shelf.push(name, (*newest).into()),
            None => young.push(name),
        }
    }
    all.shelves.extend(laid.into_iter().map(Arc::new));
    all.young = Arc::new(young);
    all
}

fn fit(name: &str, text: &str) -> Option<Fit> {
    let (name, text) = (name.to_ascii_lowercase(), text.to_ascii_lowercase());
    let is_of_the_server = name.starts_with('$') && !text.starts_with('$');
    if is_of_the_server || !name.contains(&text) {
        return None;
    }
    if name.starts_with(&text) {
        return Some(if name == text { Fit::Whole } else { Fit::Beginning });
    }
    let begins_a_word = name.char_indices().any(|(at, _)| {
        let before = name[..at].chars().next_back();
        name[at..].starts_with(&text) && before.is_some_and(|before| before.is_ascii() && !before.is_alphanumeric())
    });
    Some(if begins_a_word { Fit::Word } else { Fit::Inside })
}

fn texts(streams: &[StreamName]) -> Vec<&str> {
    streams.iter().map(StreamName::as_str).collect()
}

proptest! {
    #[test]
    fn the_best_are_found_wherever_they_lie(
        names in some_names(),
        text in "[aAbB$é/1 -]{1,3}",
        shelves in 1_u32..4,
        count_max in 1_usize..70,
    ) {
        let found = laid_out(&names, shelves).search(&text, count_max);
        let mut expected: Vec<_> = names.keys().filter_map(|name| Some((fit(name, &text)?, name.as_str()))).collect();
        expected.sort_unstable();
        let count = expected.len();
        expected.truncate(count_max);
        prop_assert_eq!(texts(&found.streams), expected.into_iter().map(|(_, name)| name).collect::<Vec<_>>());
        prop_assert!(found.is_cut || count <= count_max, "what was cut is told");
        prop_assert!(!found.is_cut || count >= count_max, "nothing was cut before there were enough");
    }

    #[test]
    fn names_come_in_order_behind_one_and_with_their_beginning(
        names in some_names(),
        prefix in "[aAb$]{0,2}",
        after in "[aAb$]{0,3}",
        shelves in 1_u32..4,
        count_max in 1_usize..70,
    ) {
        let found = laid_out(&names, shelves).in_order(&prefix, &after, count_max);
        let is_wanted = |name: &&String| {
            let is_listed = prefix.starts_with('$') || !name.starts_with('$');
            is_listed && name.starts_with(&prefix) && **name > after
        };
        let expected: Vec<&str> = names.keys().filter(is_wanted).take(count_max).map(String::as_str).collect();
        prop_assert_eq!(texts(&found), expected);
    }

    #[test]
    fn those_that_got_an_event_last_come_first(
        names in some_names(),
        below in 0_u32..10_000,
        shelves in 1_u32..4,
        count_max in 1_usize..70,
    ) {
        let is_young = |newest: u32| newest % (shelves + 1) == shelves;
        let found = laid_out(&names, shelves).newest_below(below.into(), count_max);
        let mut expected: Vec<(u32, &str)> = names
            .iter()
            .filter(|(name, newest)| !name.starts_with('$') && **newest < below && !is_young(**newest))
            .map(|(name, newest)| (*newest, name.as_str()))
            .collect();
        expected.sort_unstable_by_key(|(newest, _)| std::cmp::Reverse(*newest));
        expected.truncate(count_max);
        // Positions are all different in a log; here two names may share one.
        let positions: Vec<_> = found.iter().map(|(newest, _)| *newest).collect();
        prop_assert_eq!(positions, expected.iter().map(|(newest, _)| Position::from(*newest)).collect::<Vec<_>>());
        for (newest, name) in found {
            prop_assert_eq!(names.get(name.as_str()).map(|newest| Position::from(*newest)), Some(newest));
        }
    }

    #[test]
    fn segments_are_put_on_shelves_as_if_all_had_been_there_at_once(
        segments in prop::collection::vec(prop::collection::btree_set("[abc]{1,3}", 0..12), 0..20),
    ) {
        let names = Names::new(SealedNames::default(), Position::ZERO);
        let mut expected: BTreeMap<String, Position> = BTreeMap::new();
        for (segment, first) in segments.iter().zip((0_u32..).step_by(100)) {
            let streams = segment.iter().zip(first..).map(|(name, newest)| SealedStream {
                name: stream(name),
                begins_here: !expected.contains_key(name),
                newest: newest.into(),
            });
            let streams: Vec<_> = streams.collect();
            expected.extend(streams.iter().map(|stream| (stream.name.to_string(), stream.newest)));
            names.shelve(streams, (first + 100).into());
        }
        let shelves = names.lock().shelves.clone();
        prop_assert!(shelves.windows(2).all(|two| two[0].len() > 2 * two[1].len()), "there are few of them");
        let found: BTreeMap<String, Position> = shelves
            .iter()
            .flat_map(|shelf| (0..shelf.len()).map(|index| (shelf.names().name(index).to_string(), shelf.newest(index))))
            .collect();
        prop_assert_eq!(shelves.iter().map(|shelf| shelf.len()).sum::<usize>(), expected.len(), "each name once");
        prop_assert_eq!(found, expected);
    }
}

#[test]
fn a_stream_of_many_runs_is_one_name_with_the_place_of_the_last() {
    let mut names = SealedNames::default();
    for (name, first, chunk, ordinal, events) in
        [("a", 0, 0, 3, 2), ("a", 2, 100, 0, 1), ("a b", 0, 100, 1, 4), ("b", 0, 0, 7, 1)]
    {
        let key = Key::Run { stream: stream(name), first: Number::from(first) }.encode();
        let chunk = Position::from(chunk);
        let run = RunRecord { chunk, events, ordinal, life: Life(0), life_start: Number::ZERO };
        names.take(&key, &run).expect("a run");
    }
    let shelves = names.into_shelves();
    let found: Vec<_> = (0..3).map(|index| (shelves[0].names().name(index), shelves[0].newest(index).get())).collect();
    assert_eq!(found, [("a", 100), ("a b", 104), ("b", 7)]);
}
