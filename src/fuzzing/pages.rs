//! Pages as followers read them, of servers that may send anything.

use bytes::Bytes;

use crate::event::limits::PAGE_EVENTS_MAX;
use crate::feed::read::page::{self, Event, Form, Links};
use crate::feed::write::{LineFor, followed_line};

use super::{check_json, is_plain};

/// Atom of any origin.
pub(super) fn atom(case: &[u8]) {
    if read(Form::Atom, case) {
        crate::feed::fuzzing::check_xml(std::str::from_utf8(case).expect("what was read is text"));
    }
}

/// EventStore's JSON feed.
pub(super) fn eventstore(case: &[u8]) {
    read(Form::EventStore, case);
}

/// Our lines of JSON.
pub(super) fn ndjson(case: &[u8]) {
    read(Form::Ndjson, case);
}

/// Whether it is a page. Then each of its events can be written as a line; one that was a line is the same again.
fn read(form: Form, case: &[u8]) -> bool {
    match page::read(form, &Links::default(), &Bytes::copy_from_slice(case)) {
        Ok(page) => {
            assert!(page.events.len() <= PAGE_EVENTS_MAX);
            for event in &page.events {
                let line = line_of(event);
                if form == Form::Ndjson {
                    assert_eq!(page::line(&line).as_ref(), Ok(event));
                }
            }
            true
        }
        Err(refusal) => {
            assert!(refusal.at <= case.len(), "{refusal:?} is somewhere in it");
            assert!(is_plain(&refusal.to_string()), "{refusal}");
            false
        }
    }
}

/// The event as a line for servers.
fn line_of(event: &Event) -> Bytes {
    let [_, for_servers] = [LineFor::Readers, LineFor::Servers].map(|line_for| {
        let mut line = Vec::new();
        followed_line(event, line_for, &mut line);
        assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1, "it is one line");
        check_json(&line);
        Bytes::from(line)
    });
    for_servers
}

/// The values of Link headers, a line each.
pub(super) fn link_header(case: &[u8]) {
    let Ok(text) = std::str::from_utf8(case) else { return };
    let links = page::link_header(text.lines());
    for rel in ["next", "previous", "self", "prev-archive", "next-archive", "current"] {
        if let Some(href) = links.get(rel) {
            assert!(text.contains(href), "{href:?} stands there as it is");
        }
    }
}
