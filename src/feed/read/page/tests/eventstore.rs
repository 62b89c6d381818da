//! EventStore's JSON: ours, and as EventStore writes it.

use bytes::Bytes;
use proptest::prelude::*;

use super::{in_feed, place, shown, sources, written};
use crate::address::Embed;
use crate::event::{Event as Sent, Source};
use crate::feed::read::page::{self, Event, EventContent, EventId, Form, Links, Page, PageFault, UnreadablePage};
use crate::feed::tests_support::any_event;
use crate::feed::{Label, Representation};

fn read(text: impl Into<Bytes>) -> Result<Page, UnreadablePage> {
    page::read(Form::EventStore, &Links::default(), &text.into())
}

fn eventstore(embed: Embed) -> Representation {
    Representation::EventStore { label: Label::EventStore, embed }
}

/// Of all events what this form has: data that are JSON, and no positions.
fn expected(event: &Sent, source: &Source, index: usize) -> Event {
    let place = match source {
        Source::All => None,
        Source::Stream(_) | Source::Derived(..) => Some(place(source, index, event).get()),
    };
    Event { position: None, place, trace_parent: None, ..shown(event, 0.into()) }
}

fn url(content: &EventContent) -> Option<String> {
    match content {
        EventContent::Elsewhere { url, .. } => Some(url.to_string()),
        EventContent::Here { .. } | EventContent::Removed { .. } => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_we_write_is_read(events in prop::collection::vec(any_event(), 1..6)) {
        for source in sources(&events[0].stream) {
            let events = in_feed(&source, &events);
            let page = read(written(eventstore(Embed::Body), &source, &events)).expect("a feed");
            prop_assert_eq!(page.links.get("self"), page.feed.as_deref());
            prop_assert_eq!(page.events.len(), events.len());
            for (index, (read, sent)) in page.events.iter().zip(&events).enumerate() {
                let mut expected = expected(sent, &source, index);
                let content = sent.content.as_ref();
                let metadata = content.and_then(|content| content.metadata.clone());
                expected.content = match content.filter(|content| content.media_type.is_json()) {
                    Some(content) => EventContent::Here {
                        media_type: "application/json".into(),
                        data: String::from_utf8_lossy(&content.data).into_owned().into(),
                        metadata,
                    },
                    None => {
                        let url = url(&read.content).unwrap_or_default();
                        prop_assert!(url.ends_with(&format!("/{}", sent.number)), "{}", url);
                        EventContent::Elsewhere { media_type: None, url: url.into(), metadata }
                    }
                };
                prop_assert_eq!(read, &expected);
            }
        }
    }

    #[test]
    fn without_anything_embedded_an_entry_says_where_the_event_is(event in any_event()) {
        let source = &sources(&event.stream)[0];
        let page = read(written(eventstore(Embed::None), source, std::slice::from_ref(&event))).expect("a feed");
        let read = &page.events[0];
        let address = url(&read.content).unwrap_or_default();
        prop_assert_eq!(&read.id, &EventId::Iri(address.as_str().into()));
        prop_assert_eq!((&*read.stream, &*read.event_type), (event.stream.as_str(), event.event_type.as_str()));
        prop_assert_eq!((read.number, read.place), (Some(event.number.get()), Some(event.number.get())));
    }

    #[test]
    fn what_is_cut_short_is_no_page(event in any_event(), at in any::<prop::sample::Index>()) {
        let document = written(eventstore(Embed::Body), &sources(&event.stream)[0], &[event]);
        prop_assert!(read(document[..at.index(document.len())].to_vec()).is_err());
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        let _ = read(bytes);
    }
}

/// A page of a category as EventStore has it: one link is resolved, what the other led to is gone.
const CATEGORY: &str = r#"{
  "title": "Event stream '$ce-order'",
  "id": "http://127.0.0.1:2113/streams/%24ce-order",
  "updated": "2019-01-01T10:00:00.1234567Z",
  "streamId": "$ce-order",
  "author": { "name": "EventStore" },
  "headOfStream": true,
  "selfUrl": "http://127.0.0.1:2113/streams/%24ce-order",
  "eTag": "1;248368668",
  "links": [
    { "uri": "http://127.0.0.1:2113/streams/%24ce-order", "relation": "self", "type": null },
    { "uri": "http://127.0.0.1:2113/streams/%24ce-order/2/forward/20", "relation": "previous", "type": null }
  ],
  "entries": [
    {
      "eventId": "0190c6a4-7b1e-7f5e-9a52-1f6f2d3c4b5a",
      "eventType": "Placed",
      "eventNumber": 0,
      "data": "{\n  \"a\": 1\n}",
      "metaData": "{\"$correlationId\":\"c\"}",
      "linkMetaData": "{}",
      "streamId": "order-1@x",
      "isJson": true,
      "isMetaData": true,
      "isLinkMetaData": true,
      "positionEventNumber": 1,
      "positionStreamId": "$ce-order",
      "title": "0@order-1@x",
      "id": "http://127.0.0.1:2113/streams/order-1%40x/0",
      "updated": "2019-01-01T10:00:00.1234567Z",
      "author": { "name": "EventStore" },
      "summary": "$>",
      "content": null,
      "links": [
        { "uri": "http://127.0.0.1:2113/streams/order-1%40x/0", "relation": "edit", "type": null },
        { "uri": "http://127.0.0.1:2113/streams/order-1%40x/0", "relation": "alternate", "type": null }
      ]
    },
    {
      "title": "7@order-2",
      "id": "http://127.0.0.1:2113/streams/order-2/7",
      "updated": "2019-01-01T09:00:00Z",
      "author": { "name": "EventStore" },
      "summary": "$>",
      "links": []
    }
  ]
}"#;

#[test]
fn links_that_were_resolved_have_their_own_place() {
    let page = read(CATEGORY).expect("a feed");
    assert_eq!(page.feed.as_deref(), Some("http://127.0.0.1:2113/streams/%24ce-order"));
    assert_eq!(page.links.get("previous"), Some("http://127.0.0.1:2113/streams/%24ce-order/2/forward/20"));
    let [gone, placed] = &page.events[..] else { panic!("two entries") };
    assert_eq!((&*placed.stream, placed.number, placed.place), ("order-1@x", Some(0), Some(1)));
    assert_eq!((&*placed.event_type, placed.time.to_string()), ("Placed", "2019-01-01T10:00:00.123456Z".to_string()));
    let EventContent::Here { data, metadata, .. } = &placed.content else { panic!("it is embedded") };
    assert_eq!((&data[..], metadata.as_deref()), (&b"{\n  \"a\": 1\n}"[..], Some(&b"{\"$correlationId\":\"c\"}"[..])));
    assert_eq!((&*gone.stream, gone.number, gone.place, &*gone.event_type), ("order-2", Some(7), None, "$>"));
    assert_eq!(url(&gone.content).as_deref(), Some("http://127.0.0.1:2113/streams/order-2/7"));
}

#[test]
fn data_are_texts_or_json_and_other_data_are_elsewhere() {
    let data = |from: &str, to: &str| read(CATEGORY.replace(from, to)).expect("a feed").events.remove(1).content;
    let embedded = "\"data\": \"{\\n  \\\"a\\\": 1\\n}\"";
    assert!(CATEGORY.contains(embedded));
    let bytes = |content| match content {
        EventContent::Here { data, .. } => Some(data),
        EventContent::Elsewhere { .. } | EventContent::Removed { .. } => None,
    };
    assert_eq!(bytes(data(embedded, "\"data\": {\"b\": [2 ]}")), Some(Bytes::from("{\"b\": [2 ]}")));
    assert_eq!(bytes(data("\"isJson\": true", "\"isJson\": false")), None);
    assert_eq!(bytes(data("\"isJson\": true,", "")), Some(Bytes::from("{\n  \"a\": 1\n}")));
    assert_eq!(bytes(data(embedded, "\"data\": null")), None);
    let content = r#""content": {"eventStreamId": "order-1", "eventNumber": 3, "eventType": "T", "eventId": "0190c6a4-7b1e-7f5e-9a52-1f6f2d3c4b5b", "data": "text", "metadata": ""}"#;
    let event = read(CATEGORY.replace("\"content\": null", content)).expect("a feed").events.remove(1);
    assert_eq!((event.number, &*event.stream), (Some(3), "order-1"));
    let expected =
        EventContent::Here { media_type: "application/json".into(), data: "\"text\"".into(), metadata: None };
    assert_eq!(event.content, expected);
}

#[test]
fn what_is_no_feed_is_refused() {
    for (text, at) in [("[]", 2), ("{}", 2), ("{\"links\":[],\n\"entries\":7}", 25)] {
        let unreadable = read(text).expect_err("no feed");
        assert!(matches!(unreadable.fault, PageFault::NotEventStore(_)), "{unreadable}");
        assert!(unreadable.at <= at, "{unreadable}");
    }
    assert!(matches!(read("nonsense").map_err(|unreadable| unreadable.fault), Err(PageFault::NotJson(_))));
    let odd = CATEGORY.replace("2019-01-01T09:00:00Z", "once");
    assert!(matches!(read(odd).map_err(|unreadable| unreadable.fault), Err(PageFault::Invalid { .. })));
    let entry = r#"{"id":"i","updated":"2019-01-01T09:00:00Z"}"#;
    let of = |count| format!("{{\"links\":[],\"entries\":[{}]}}", vec![entry; count].join(","));
    let most = crate::event::limits::PAGE_EVENTS_MAX;
    assert_eq!(read(of(most)).map(|page| page.events.len()), Ok(most));
    let refused = read(of(most + 1)).expect_err("one too many").to_string();
    assert!(refused.contains(&PageFault::TooManyEvents.to_string()), "{refused}");
}
