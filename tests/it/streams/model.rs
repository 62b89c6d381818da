//! Random appends, deletions and restarts, while chunks are sealed, against a plain list.
//!
//! `EVERFEED_SEED` brings a failing run back.

use std::collections::BTreeMap;
use std::path::Path;

use super::{append, names_of, walk};
use crate::support::TestServer;
use crate::workload::Random;

/// Chunks are cut after so many events.
const CHUNK_EVENTS: &str = "12";
const STEPS: u32 = 300;

const NAMES: [&str; 14] = [
    "order-1",
    "Order-2",
    "ORDER-10",
    "order",
    "re-order",
    "reorder",
    "b.order",
    "border",
    "x",
    "X",
    "order-1-note",
    "invoice",
    "invoice-order",
    "z~1",
];

/// What a list should know of a stream.
#[derive(Debug, Clone, Copy, Default)]
struct Known {
    /// The position of its newest event.
    newest: u64,
    /// It is there.
    is_there: bool,
    is_gone_for_ever: bool,
}

fn start(data: &Path) -> TestServer {
    let mut command = TestServer::command(data, &[]);
    command.env("EVERFEED_CHUNK_EVENTS", CHUNK_EVENTS);
    TestServer::spawn(command).unwrap_or_else(|log| panic!("the server did not start: {log:#?}"))
}

/// How well a name fits what was typed, the best first.
fn fit(name: &str, text: &str) -> Option<u8> {
    let (name, text) = (name.to_ascii_lowercase(), text.to_ascii_lowercase());
    let begins_a_word = |(at, _): (usize, &str)| at > 0 && !name.as_bytes()[at - 1].is_ascii_alphanumeric();
    if name == text {
        Some(0)
    } else if name.starts_with(&text) {
        Some(1)
    } else if name.match_indices(&text).any(begins_a_word) {
        Some(2)
    } else {
        name.contains(&text).then_some(3)
    }
}

#[track_caller]
fn check_lists(server: &TestServer, streams: &BTreeMap<&'static str, Known>, random: &mut Random) {
    let there: Vec<(&str, Known)> =
        streams.iter().filter(|(_, known)| known.is_there).map(|(name, known)| (*name, *known)).collect();
    let limit = 1 + random.below(6);
    let get = |path: &str| server.get(path, &[]);

    let mut by_activity = there.clone();
    by_activity.sort_unstable_by_key(|(_, known)| std::cmp::Reverse(known.newest));
    let expected: Vec<&str> = by_activity.iter().map(|(name, _)| *name).collect();
    assert_eq!(walk(get, &format!("/admin/streams?limit={limit}")), expected);

    let prefix = *random.pick(&["", "o", "order", "O", "re", "nothing"]);
    let after = *random.pick(&["", "Order-2", "order-1", "p", "zz"]);
    let is_wanted = |name: &&str| name.starts_with(prefix) && *name > after;
    let expected: Vec<&str> = there.iter().map(|(name, _)| *name).filter(is_wanted).collect();
    let path = format!("/admin/streams?order=name&prefix={prefix}&after={after}&limit={limit}");
    assert_eq!(walk(get, &path), expected, "{path}");

    let text = *random.pick(&["order", "ORDER", "r", "x", "-", "1", "order-1", "note", "nothing"]);
    let mut fitting: Vec<(u8, &str)> = there.iter().filter_map(|(name, _)| Some((fit(name, text)?, *name))).collect();
    fitting.sort_unstable();
    let is_complete = fitting.len() <= limit as usize;
    fitting.truncate(limit as usize);
    let path = format!("/admin/streams?search={text}&limit={limit}");
    let page = get(&path).json();
    assert_eq!(names_of(&page), fitting.iter().map(|(_, name)| *name).collect::<Vec<_>>(), "{path}");
    assert_eq!(page["complete"], is_complete, "{path}");
}

#[test]
fn lists_are_what_a_look_at_every_event_would_show_whatever_happens_meanwhile() {
    let mut random = Random::seeded("lists of streams");
    let data = tempfile::tempdir().expect("a directory");
    let mut server = start(data.path());
    let mut streams: BTreeMap<&str, Known> = BTreeMap::new();
    for _ in 0..STEPS {
        let name = *random.pick(&NAMES);
        let known = streams.entry(name).or_default();
        match random.below(40) {
            0 if known.is_there => {
                let reply = crate::support::request(server.address, "DELETE", &format!("/streams/{name}"), &[], b"");
                assert_eq!(reply.status, 204, "{}", reply.text());
                known.is_there = false;
            }
            1 if known.is_there => {
                let headers = [("ES-HardDelete", "true")];
                let reply =
                    crate::support::request(server.address, "DELETE", &format!("/streams/{name}"), &headers, b"");
                assert_eq!(reply.status, 204, "{}", reply.text());
                *known = Known { is_there: false, is_gone_for_ever: true, ..*known };
            }
            2 => {
                assert_eq!(server.stop(), Some(0));
                server = start(data.path());
            }
            3 => {
                server.kill();
                server = start(data.path());
            }
            4..10 => check_lists(&server, &streams, &mut random),
            _ if !known.is_gone_for_ever => {
                known.newest = append(&server, name, "t");
                known.is_there = true;
            }
            _ => {}
        }
    }
    check_lists(&server, &streams, &mut random);
    assert!(crate::support::store::chunk_files(data.path()).len() > 5, "there are chunks");
    server.assert_no_panic();
}
