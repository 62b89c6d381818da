//! Pages that our writers wrote, read back; and pages that nobody should have written.

mod atom;
mod eventstore;
mod lines;

use uuid::Uuid;

use super::{Event, EventContent, EventId};
use crate::address::{BaseUrl, Shape};
use crate::event::{self, Count, Number, Order, Source, StreamName, Timestamp, Visible};
use crate::feed::{Feed, Representation};

/// The feeds in which an event may be shown: that of its own stream, the whole log, and another one.
fn sources(own: &StreamName) -> [Source; 3] {
    let named = |name| Source::named(StreamName::parse(name).expect("a name"));
    [Source::Stream(own.clone()), Source::All, named("$ce-orders")]
}

/// These events as they can be shown in this feed: in that of a stream there are only its own.
fn in_feed(source: &Source, events: &[event::Event]) -> Vec<event::Event> {
    let of = |event: &event::Event| match source {
        Source::Stream(stream) => event::Event { stream: stream.clone(), ..event.clone() },
        Source::All | Source::Derived(..) => event.clone(),
    };
    events.iter().map(of).collect()
}

/// The place of the event at this index of a page, in this feed.
fn place(source: &Source, index: usize, event: &event::Event) -> Number {
    match source {
        Source::All => event.position.into(),
        Source::Stream(_) => event.number,
        Source::Derived(..) => Number::new(index as u64 + 1_000).expect("in range"),
    }
}

/// The document of these events, which are given oldest first.
fn written(representation: Representation, source: &Source, events: &[event::Event]) -> Vec<u8> {
    let base = BaseUrl::parse("http://127.0.0.1:2113").expect("a base URL");
    let times = events.first().zip(events.last()).map(|(oldest, newest)| (oldest.time, newest.time));
    let about = Feed {
        base: &base,
        log: Uuid::from_u128(7),
        source,
        shape: &Shape::Head,
        visible: Visible::all_below(Number::from(9)),
        page_size: Count::new(100).expect("a count"),
        times,
        created: Timestamp::from_micros(0),
        etag: None,
    };
    let mut document = crate::feed::feed(representation, &about);
    let mut out = Vec::new();
    document.begin(&mut out);
    let mut put = |(index, event): (usize, &event::Event)| match event.content {
        Some(_) => document.entry(event, place(source, index, event), &mut out),
        None => document.deleted(event, place(source, index, event), &mut out),
    };
    match representation.order() {
        Order::OldestFirst => events.iter().enumerate().for_each(&mut put),
        Order::NewestFirst => events.iter().enumerate().rev().for_each(&mut put),
    }
    document.end(&mut out);
    out
}

/// What a reader should get of an event that is shown at this place.
fn shown(event: &event::Event, place: Number) -> Event {
    Event {
        id: EventId::Uuid(event.id.uuid()),
        stream: event.stream.as_str().into(),
        number: Some(event.number.get()),
        position: Some(event.position.get()),
        place: Some(place.get()),
        event_type: event.event_type.as_str().into(),
        time: event.time,
        trace_parent: event.content.as_ref().and_then(|content| content.trace_parent),
        content: match &event.content {
            Some(content) => EventContent::Here {
                media_type: content.media_type.as_str().into(),
                data: content.data.clone(),
                metadata: content.metadata.clone(),
            },
            None => EventContent::Removed { digest: Some(event.digest), correlation: event.kept_correlation.clone() },
        },
    }
}
