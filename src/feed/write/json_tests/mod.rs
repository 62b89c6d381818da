//! The JSON documents: golden ones, and hostile events through every form.

mod golden;
mod golden_events;
mod hostile;

use uuid::Uuid;

use crate::address::{BaseUrl, Direction, Embed, PageRequest, Place, Shape};
use crate::event::{Count, Event, Order, Source, StreamName, Timestamp, Visible};
use crate::feed::{Feed, Label, Representation, entry, feed};

const EMBEDS: [Embed; 6] = [Embed::None, Embed::Content, Embed::Rich, Embed::Body, Embed::Pretty, Embed::TryHarder];

fn base() -> BaseUrl {
    BaseUrl::parse("http://127.0.0.1:2113").expect("a base URL")
}

fn stream(name: &str) -> StreamName {
    StreamName::parse(name).expect("a name")
}

fn page(from: Place, direction: Direction, count: u64) -> Shape {
    Shape::Page(PageRequest { from, direction, count: Count::new(count).expect("a count") })
}

/// The document of these events, which are given oldest first.
fn written(representation: Representation, source: &Source, shape: &Shape, next: u32, events: &[Event]) -> String {
    let base = base();
    let times = events.first().zip(events.last()).map(|(oldest, newest)| (oldest.time, newest.time));
    let about = Feed {
        base: &base,
        log: Uuid::from_u128(7),
        source,
        shape,
        visible: Visible::all_below(next.into()),
        page_size: Count::new(100).expect("a count"),
        times,
        created: Timestamp::from_micros(1_795_426_200_000_000),
        etag: Some("24;1234"),
    };
    let mut document = feed(representation, &about);
    let mut out = Vec::new();
    document.begin(&mut out);
    let mut put = |event: &Event| document.entry(event, event.number, &mut out);
    match representation.order() {
        Order::OldestFirst => events.iter().for_each(&mut put),
        Order::NewestFirst => events.iter().rev().for_each(&mut put),
    }
    document.end(&mut out);
    String::from_utf8(out).expect("documents are UTF-8")
}

fn written_entry(representation: Representation, event: &Event) -> String {
    let mut out = Vec::new();
    entry(
        representation,
        &base(),
        Uuid::from_u128(7),
        &Source::Stream(event.stream.clone()),
        event,
        event.number,
        &mut out,
    );
    String::from_utf8(out).expect("documents are UTF-8")
}

fn eventstore(embed: Embed) -> Representation {
    Representation::EventStore { label: Label::EventStore, embed }
}

fn envelope() -> Representation {
    Representation::Envelope { label: Label::EventStore }
}
