//! CloudEvents and lines: what comes in goes out again, and what is wrong is named.

mod cloudevents;
mod lines;

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::Value;
use uuid::Uuid;

use self::cloudevents::any_cloudevent;
use super::*;
use crate::address::BaseUrl;
use crate::event::{Event, Life, Number, Position, Source, StreamName, Timestamp};
use crate::feed::{Representation, entry};

fn read(format: &BodyFormat, body: &[u8]) -> Result<Vec<NewEvent>, UnreadableBody> {
    let mut count = 0;
    let mut new_id = || {
        count += 1;
        EventId::new(Uuid::from_u128(count)).expect("not nil")
    };
    events(format, Bytes::copy_from_slice(body), &Heading::default(), &mut new_id)
}

fn cloudevent(body: &Value) -> Result<NewEvent, String> {
    let read = read(&BodyFormat::CloudEvent, body.to_string().as_bytes());
    read.map(|events| events.into_iter().next().expect("one")).map_err(|error| error.to_string())
}

/// The event as it stands in a log.
fn stored(event: NewEvent) -> Event {
    Event {
        stream: StreamName::parse("s").expect("a name"),
        number: Number::from(7),
        position: Position::from(9),
        life: Life(0),
        time: Timestamp::from_micros(1_795_426_200_250_000),
        id: event.id,
        digest: event.digest(),
        event_type: event.event_type,
        kept_correlation: None,
        content: Some(event.content),
    }
}

fn written(representation: Representation, event: &Event) -> Vec<u8> {
    let base = BaseUrl::parse("http://127.0.0.1:2113").expect("a base URL");
    let mut out = Vec::new();
    entry(
        representation,
        &base,
        Uuid::from_u128(7),
        &Source::Stream(event.stream.clone()),
        event,
        event.number,
        &mut out,
    );
    out
}

/// Whether the event is what its media type says; others are never taken in.
fn is_sound(event: &Event) -> bool {
    event.content.as_ref().is_some_and(|content| !content.media_type.is_json() || json::check(&content.data).is_ok())
}

proptest! {
    #[test]
    fn arbitrary_bodies_never_panic(
        body in prop::collection::vec(any::<u8>(), 0..80),
        start in prop::sample::select(vec![
            "", "{", "[{", "{\"type\":\"t\",\"data\":", "{\"data_base64\":\"", "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/\",\"type\":\"t\",",
        ]),
    ) {
        let body = [start.as_bytes(), &body].concat();
        let of_json = BodyFormat::CloudEventData(Some(MediaType::json()));
        for format in [BodyFormat::Lines, BodyFormat::CloudEvent, BodyFormat::CloudEvents, of_json] {
            if let Err(error) = read(&format, &body) {
                prop_assert!(!error.to_string().is_empty());
            }
        }
    }

    /// A body that is damaged is refused or says something; it never panics.
    #[test]
    fn damaged_bodies_never_panic(sent in any_cloudevent(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let event = stored(cloudevent(&sent).map_err(TestCaseError::fail)?);
        let line = written(Representation::Ndjson, &event);
        for (format, mut body) in [(BodyFormat::CloudEvent, sent.to_string().into_bytes()), (BodyFormat::Lines, line)] {
            let at = at.index(body.len());
            body[at] = byte;
            if let Ok(events) = read(&format, &body) {
                prop_assert!(!events.is_empty());
            }
        }
    }
}
