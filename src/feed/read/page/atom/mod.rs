//! Atom of any origin: RFC 4287, the archives of RFC 5005, the deleted entries of RFC 6721, and what our own server says
//! of its events.
//!
//! A document is first held to our own strict check, as everywhere: no DOCTYPE, and so no entities; depth, attributes
//! and names have limits; and the lenient parser which then reads it meets nothing that it could understand in its own
//! way. An event that was POSTed as an Atom entry is read as the entry that it is there.

mod attributes;
mod content;
mod entry;
mod walk;

use bytes::Bytes;
use quick_xml::NsReader;
use quick_xml::escape::unescape;
use quick_xml::events;

use super::{Event, Page, PageFault, UnreadablePage};
use crate::feed::xml;
use attributes::Vocabulary;
use walk::Walk;

const BYTE_ORDER_MARK: &str = "\u{FEFF}";

/// A feed document.
pub(super) fn read(body: &Bytes) -> Result<Page, UnreadablePage> {
    let text = std::str::from_utf8(body)
        .map_err(|error| UnreadablePage::at(error.valid_up_to(), PageFault::NotXml("it is not UTF-8")))?;
    xml::outline(text)?;
    let start = if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
    let mut parser = NsReader::from_str(&text[start..]);
    let mut walk = Walk::over(body, text);
    loop {
        let at = start + parser.buffer_position() as usize;
        let place = |fault| UnreadablePage::at(at, fault);
        // What is well-formed and within our limits it reads; but that is for it to say.
        let (vocabulary, event) = match parser.read_resolved_event() {
            Ok((namespace, event)) => (Vocabulary::of(&namespace), event),
            Err(_) => return Err(place(PageFault::NotXml("it cannot be parsed"))),
        };
        let end = start + parser.buffer_position() as usize;
        match event {
            events::Event::Start(tag) => walk.start(at, vocabulary, &tag).map_err(place)?,
            events::Event::Empty(tag) => {
                walk.start(at, vocabulary, &tag).map_err(place)?;
                walk.end(end).map_err(place)?;
            }
            events::Event::End(_) => walk.end(end).map_err(place)?,
            // Line ends are one character to a parser, however they are written.
            events::Event::Text(text) => walk.text(&text.xml10_content()),
            events::Event::CData(text) => walk.text(&text.xml10_content()),
            events::Event::GeneralRef(_) => walk.text(&unescape(&text[at..end]).expect("references were checked")),
            events::Event::Comment(_) | events::Event::Decl(_) | events::Event::PI(_) | events::Event::DocType(_) => {}
            events::Event::Eof => break,
        }
    }
    let mut page = walk.page;
    put_in_order(&mut page.events);
    Ok(page)
}

/// Oldest first. Where the events have places these are the order. Elsewhere it is the times; and since nearly all
/// documents are newest first, of events with one time the later in the document is the older.
fn put_in_order(events: &mut [Event]) {
    if events.iter().all(|event| event.place.is_some()) {
        events.sort_by_key(|event| event.place);
    } else {
        events.reverse();
        events.sort_by_key(|event| event.time);
    }
}
