//! What the store's own tests share: events, appends, and a store in a directory of its own.

use bytes::Bytes;
use uuid::Uuid;

use crate::event::{
    Content, Digest, Event, EventId, EventType, ExpectedVersion, Life, MediaType, NewEvent, Number, Order, Position,
    Receipt, Source, StreamName, Timestamp,
};

use super::{Append, AppendError, OpenError, Options, Store};

pub(crate) fn stream(name: &str) -> StreamName {
    StreamName::parse(name).expect("a name")
}

pub(crate) fn event(name: &str, number: u64, position: u64) -> Event {
    let event_type = EventType::parse("t").expect("a type");
    let content = Content {
        media_type: MediaType::json(),
        data: Bytes::from(format!("{{\"n\":{number}}}")),
        metadata: None,
        trace_parent: None,
    };
    Event {
        stream: stream(name),
        number: Number::new(number).expect("in range"),
        position: Position::new(position).expect("in range"),
        life: Life(0),
        time: Timestamp::from_micros(1_000_000),
        id: EventId::new(Uuid::from_u128(u128::from(position) + 1)).expect("not nil"),
        digest: Digest::of(&event_type, &content),
        event_type,
        content: Some(content),
        kept_correlation: None,
    }
}

pub(crate) fn new_event(id: u128, data: impl Into<Bytes>) -> NewEvent {
    NewEvent {
        id: EventId::new(Uuid::from_u128(id)).expect("not nil"),
        id_is_fresh: false,
        event_type: EventType::parse("t").expect("a type"),
        content: Content { media_type: MediaType::json(), data: data.into(), metadata: None, trace_parent: None },
    }
}

/// Bytes that do not compress, the same for the same seed.
pub(crate) fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..bytes).map(next).collect()
}

pub(crate) fn options(data: &std::path::Path) -> Options {
    Options { free_space_floor_bytes: 0, ..Options::new(data) }
}

pub(crate) fn try_open(data: &std::path::Path) -> Result<Store, OpenError> {
    Store::open(&options(data), Uuid::from_u128(42), Timestamp::from_micros(1)).map(|(store, _)| store)
}

pub(crate) fn open(data: &std::path::Path) -> Store {
    try_open(data).expect("it opens")
}

pub(crate) async fn append(store: &Store, name: &str, events: Vec<NewEvent>) -> Result<Receipt, AppendError> {
    let now = Timestamp::from_micros(1_000_000);
    store.append(Append { stream: stream(name), events, expected: ExpectedVersion::Any, ids_alone: false, now }).await
}

pub(crate) fn read(store: &Store, source: &Source) -> Vec<Event> {
    let view = store.view();
    view.read_blocking(source, Number::ZERO, Number::MAX, Order::OldestFirst, usize::MAX).expect("it reads")
}

/// Waits until all complete segments are sealed and nothing is under way.
pub(crate) async fn sealed(store: &Store, chunks: usize) {
    for _ in 0..6_000 {
        if store.view().state.sealed.chunks.len() >= chunks {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("the sealer did not come to {chunks} chunks");
}
