//! Bodies of appends: what is taken can be shown in every representation, and comes back from those that keep all of it.

use bytes::Bytes;
use uuid::Uuid;

use crate::address::{BaseUrl, Embed, Shape};
use crate::event::limits::{BATCH_EVENTS_MAX, EVENT_BYTES_MAX};
use crate::event::{Count, Event, EventId, Life, NewEvent, Number, Position, Source, StreamName, Timestamp, Visible};
use crate::feed::fuzzing::check_xml;
use crate::feed::read::page::{self, EventContent, Form, Links};
use crate::feed::read::{BodyFormat, Heading, body_format, body_format_of_cloudevent, events};
use crate::feed::{self, AtomContent, Feed, Label, NamedFor, Representation, XmlLabel};

use super::{check_json, is_plain};

/// Of a batch as many as show everything that there is to see.
const SHOWN_MAX: usize = 4;

/// An Atom entry.
pub(super) fn entry(case: &[u8]) {
    body(&BodyFormat::Entry, case);
}

/// EventStore's batch as JSON.
pub(super) fn batch_json(case: &[u8]) {
    body(&BodyFormat::Batch, case);
}

/// EventStore's batch as XML.
pub(super) fn batch_xml(case: &[u8]) {
    body(&BodyFormat::BatchXml, case);
}

/// Lines of JSON.
pub(super) fn ndjson(case: &[u8]) {
    body(&BodyFormat::Lines, case);
}

/// A CloudEvent as JSON.
pub(super) fn cloudevent(case: &[u8]) {
    body(&BodyFormat::CloudEvent, case);
}

/// A batch of CloudEvents.
pub(super) fn cloudevents(case: &[u8]) {
    body(&BodyFormat::CloudEvents, case);
}

/// A `Content-Type`, then a line break, then what it says the body is.
pub(super) fn content_type(case: &[u8]) {
    let end = memchr::memchr(b'\n', case).unwrap_or(case.len());
    let Ok(content_type) = std::str::from_utf8(&case[..end]) else { return };
    let data = case.get(end + 1..).unwrap_or_default();
    let _ = body_format_of_cloudevent(Some(content_type));
    match body_format(Some(content_type)) {
        Ok(format) => body(&format, data),
        Err(refusal) => assert!(is_plain(&refusal.to_string()), "{refusal}"),
    }
}

fn body(format: &BodyFormat, case: &[u8]) {
    let mut made = 0;
    let mut new_id = || {
        made += 1;
        EventId::new(Uuid::from_u128(made)).expect("not nil")
    };
    match events(format, Bytes::copy_from_slice(case), &Heading::default(), &mut new_id) {
        Ok(events) => {
            assert!((1..=BATCH_EVENTS_MAX).contains(&events.len()));
            check(&events[..events.len().min(SHOWN_MAX)]);
        }
        Err(refusal) => assert!(is_plain(&refusal.to_string()), "{refusal}"),
    }
}

/// As a store would have them.
fn stored(events: &[NewEvent]) -> Vec<Event> {
    let stream = StreamName::parse("orders & <more>/é").expect("a name");
    let place = |index| Number::new(index).expect("in range");
    let stored = |(event, index): (&NewEvent, u64)| Event {
        stream: stream.clone(),
        number: place(index),
        position: Position::new(index + 1_000).expect("in range"),
        life: Life(0),
        time: Timestamp::from_micros(1_000_000 + index as i64),
        id: event.id,
        event_type: event.event_type.clone(),
        digest: event.digest(),
        content: Some(event.content.clone()),
        kept_correlation: None,
    };
    events.iter().zip(0..).map(stored).collect()
}

fn check(events: &[NewEvent]) {
    for event in events {
        assert!(event.content.len() <= EVENT_BYTES_MAX);
        for json in
            event.content.metadata.iter().chain(event.content.media_type.is_json().then_some(&event.content.data))
        {
            check_json(json);
        }
    }
    let events = stored(events);
    for content in [AtomContent::Inline, AtomContent::OutOfLine] {
        let document = feed(Representation::Atom { content }, &events);
        check_xml(text(&document));
        check_shown(&events, Form::Atom, &document);
    }
    let document = feed(Representation::Ndjson, &events);
    document.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).for_each(check_json);
    check_shown(&events, Form::Ndjson, &document);
    for embed in [Embed::None, Embed::Content, Embed::Rich, Embed::Body, Embed::Pretty, Embed::TryHarder] {
        check_json(&feed(Representation::EventStore { label: Label::EventStore, embed }, &events));
    }
    check_json(&feed(Representation::Envelope { label: Label::Plain }, &events));
    check_json(&feed(Representation::CloudEvents, &events));
    check_xml(text(&feed(Representation::EnvelopeXml { named: NamedFor::Many }, &events)));
    let content = AtomContent::Inline;
    for event in &events {
        check_xml(text(&entry_of(Representation::Atom { content }, event)));
        check_xml(text(&entry_of(Representation::Xml { label: XmlLabel::Text, content }, event)));
        check_xml(text(&entry_of(Representation::EnvelopeXml { named: NamedFor::One }, event)));
        check_json(&entry_of(Representation::CloudEvents, event));
        let mut message = Vec::new();
        feed::message(&Source::All, event, event.number, &mut message);
        let message = String::from_utf8(message).expect("messages are UTF-8");
        assert!(!message.contains('\r') && message.matches('\n').count() == 4, "{message:?} is one message");
    }
}

/// What a page shows is what it was made of, where the content is in the page.
fn check_shown(events: &[Event], form: Form, document: &Bytes) {
    let page = page::read(form, &Links::default(), document).expect("our own page is read");
    assert_eq!(page.events.len(), events.len());
    for (event, shown) in events.iter().zip(&page.events) {
        assert_eq!(shown.id, page::EventId::Uuid(event.id.uuid()));
        assert_eq!((&*shown.stream, &*shown.event_type), (event.stream.as_str(), event.event_type.as_str()));
        assert_eq!((shown.number, shown.position), (Some(event.number.get()), Some(event.position.get())));
        let sent = event.content.as_ref().expect("nothing was removed");
        // What was POSTed as an entry is shown as the entry that it is.
        if form == Form::Atom && sent.media_type.is_atom_entry() {
            continue;
        }
        match &shown.content {
            EventContent::Here { media_type, data, metadata } => {
                assert_eq!(metadata, &sent.metadata);
                // An XML document is shown as its root element, which says all that the document says.
                if form == Form::Atom && sent.media_type.is_xml() {
                    check_xml(text(data));
                } else {
                    assert_eq!(data, &sent.data);
                }
                // Atom has words of its own for some types, and they have one spelling.
                let is_same = media_type.eq_ignore_ascii_case(sent.media_type.as_str());
                assert!(is_same && (form == Form::Atom || **media_type == *sent.media_type.as_str()), "{media_type}");
            }
            EventContent::Elsewhere { media_type, .. } => {
                assert_eq!(media_type.as_deref(), Some(sent.media_type.as_str()));
            }
            EventContent::Removed { .. } => panic!("{event:?} was not removed"),
        }
    }
}

fn base() -> BaseUrl {
    BaseUrl::parse("http://127.0.0.1:2113").expect("a base URL")
}

/// The document of these events, which are given oldest first.
fn feed(representation: Representation, events: &[Event]) -> Bytes {
    let base = base();
    let source = Source::Stream(events[0].stream.clone());
    let about = Feed {
        base: &base,
        log: Uuid::from_u128(7),
        source: &source,
        shape: &Shape::Head,
        visible: Visible::all_below(events[events.len() - 1].number.plus(1)),
        page_size: Count::new(100).expect("a count"),
        times: Some((events[0].time, events[events.len() - 1].time)),
        created: events[0].time,
        etag: None,
    };
    let mut document = feed::feed(representation, &about);
    let mut out = Vec::new();
    document.begin(&mut out);
    match representation.order() {
        crate::event::Order::OldestFirst => {
            events.iter().for_each(|event| document.entry(event, event.number, &mut out));
        }
        crate::event::Order::NewestFirst => {
            events.iter().rev().for_each(|event| document.entry(event, event.number, &mut out));
        }
    }
    document.end(&mut out);
    out.into()
}

fn entry_of(representation: Representation, event: &Event) -> Vec<u8> {
    let mut out = Vec::new();
    let source = Source::Stream(event.stream.clone());
    feed::entry(representation, &base(), Uuid::from_u128(7), &source, event, event.number, &mut out);
    out
}

fn text(document: &[u8]) -> &str {
    std::str::from_utf8(document).expect("documents are UTF-8")
}
