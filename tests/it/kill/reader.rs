//! A reader that keeps what it is told it may keep: complete pages, as a cache would.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use super::STREAMS;
use crate::support::{Reply, exchange};
use crate::workload::Random;

/// What a cache asks with.
type Form = (&'static str, &'static str, &'static str);

/// Suffix, Accept and Accept-Encoding.
const FORMS: [Form; 4] = [
    (".atom", "*/*", "identity"),
    (".atom", "*/*", "gzip"),
    ("", "application/vnd.eventstore.atom+json", "identity"),
    ("?embed=body", "application/vnd.eventstore.atom+json", "zstd"),
];

const COUNTS: [u64; 2] = [10, 25];

/// Whatever a cache keeps of an answer.
const KEPT_HEADERS: [&str; 7] =
    ["etag", "last-modified", "cache-control", "content-type", "content-encoding", "vary", "link"];

#[derive(Debug, PartialEq, Eq)]
struct Kept {
    headers: [Option<String>; KEPT_HEADERS.len()],
    body: Vec<u8>,
}

#[derive(Default)]
pub(crate) struct Reader {
    kept: BTreeMap<(String, Form), Kept>,
    /// Where each walk goes on.
    next: BTreeMap<(&'static str, u64, Form), u64>,
}

impl Reader {
    pub(crate) fn pages(&self) -> usize {
        self.kept.len()
    }

    /// Walks forward through complete pages while they come into being, and looks back at what it has, until the
    /// server is gone.
    pub(crate) fn run(&mut self, to: SocketAddr, random: &mut Random, is_dying: &AtomicBool) {
        loop {
            let is_alive = if random.below(4) == 0 { self.look_back(to, random) } else { self.walk(to, random) };
            if !is_alive {
                assert!(is_dying.load(Ordering::SeqCst), "a read failed before the server was killed");
                return;
            }
        }
    }

    fn walk(&mut self, to: SocketAddr, random: &mut Random) -> bool {
        let source = if random.below(4) == 0 { "$all" } else { *random.pick(&STREAMS) };
        let (count, form) = (*random.pick(&COUNTS), *random.pick(&FORMS));
        let next = self.next.entry((source, count, form)).or_default();
        let (suffix, _, _) = form;
        let path = format!("/streams/{source}/{next}/forward/{count}{suffix}");
        let Ok(reply) = fetch(to, &path, form, None) else { return false };
        // A stream that nobody has written to yet is the one thing that is not there.
        assert!(reply.status == 200 || reply.status == 404, "{path}: {reply:?}");
        let is_complete = reply.header("cache-control").is_some_and(|rule| rule.contains("max-age=31536000"));
        if reply.status == 200 && is_complete {
            assert!(!reply.body.is_empty(), "{path}: an empty document");
            *next += count;
            self.kept.insert((path, form), Kept::of(&reply));
        }
        true
    }

    fn look_back(&self, to: SocketAddr, random: &mut Random) -> bool {
        let Some(index) = (!self.kept.is_empty()).then(|| random.below(self.kept.len() as u64) as usize) else {
            return true;
        };
        let ((path, form), kept) = self.kept.iter().nth(index).expect("there are more");
        check(to, path, *form, kept)
    }

    /// Every page that was ever kept is what it was, and still has its tag.
    pub(crate) fn check_all(&self, to: SocketAddr) {
        for ((path, form), kept) in &self.kept {
            assert!(check(to, path, *form, kept), "{path}: no answer");
        }
    }

    /// So many of them.
    pub(crate) fn check_some(&self, to: SocketAddr, pages: usize, random: &mut Random) {
        for _ in 0..pages.min(self.kept.len()) {
            assert!(self.look_back(to, random), "no answer");
        }
    }
}

/// Asks once in full and once with the tag; false when the server is gone.
fn check(to: SocketAddr, path: &str, form: Form, kept: &Kept) -> bool {
    let Ok(reply) = fetch(to, path, form, None) else { return false };
    let again = Kept::of(&reply);
    assert!(again.headers == kept.headers, "{path} {form:?} had {:?}, and now {:?}", kept.headers, again.headers);
    assert!(again.body == kept.body, "{path} {form:?} has other bytes than before");
    let Ok(reply) = fetch(to, path, form, kept.headers[0].as_deref()) else { return false };
    assert_eq!(reply.status, 304, "{path} {form:?}: {reply:?}");
    true
}

fn fetch(to: SocketAddr, path: &str, (_, accept, coding): Form, tag: Option<&str>) -> std::io::Result<Reply> {
    let condition = tag.map(|tag| format!("If-None-Match: {tag}\r\n")).unwrap_or_default();
    let raw = format!(
        "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nAccept: {accept}\r\nAccept-Encoding: {coding}\r\n\
         {condition}\r\n"
    );
    exchange(to, raw.as_bytes())
}

impl Kept {
    fn of(reply: &Reply) -> Self {
        Self { headers: KEPT_HEADERS.map(|name| reply.header(name).map(str::to_string)), body: reply.body.clone() }
    }
}
