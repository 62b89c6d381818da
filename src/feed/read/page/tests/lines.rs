//! Lines of JSON.

use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;

use super::{in_feed, place, shown, sources, written};
use crate::event::{self, Digest, StreamName};
use crate::feed::Representation;
use crate::feed::read::page::{self, Event, EventContent, Form, Links, PageFault, UnreadablePage};
use crate::feed::tests_support::any_event;

const LINE: &str = r#"{"stream":"orders","number":7,"position":9,"id":"0190c6a4-7b1e-7f5e-9a52-1f6f2d3c4b5a","type":"Placed","mediaType":"application/json","time":"2026-11-23T09:30:00.250000Z","metadata":{"a":1},"data":{"b":[2,"}"]}}"#;

fn read(text: impl Into<Bytes>) -> Result<Vec<Event>, UnreadablePage> {
    page::read(Form::Ndjson, &Links::default(), &text.into()).map(|page| page.events)
}

fn fault(line: &str) -> Option<String> {
    read(format!("{line}\n")).err().map(|unreadable| unreadable.to_string())
}

/// Any event, with what removed ones keep.
fn any_row() -> impl Strategy<Value = event::Event> {
    (any_event(), any::<[u8; 16]>(), prop::option::of(any::<String>())).prop_map(|(event, digest, correlation)| {
        let kept_correlation = correlation.filter(|_| event.content.is_none()).map(Into::into);
        event::Event { digest: Digest(digest), kept_correlation, ..event }
    })
}

proptest! {
    #[test]
    fn what_we_write_is_read(events in prop::collection::vec(any_row(), 0..8)) {
        let stream = events.first().map_or(StreamName::parse("a").expect("a name"), |event| event.stream.clone());
        for source in &sources(&stream) {
            let events = in_feed(source, &events);
            let document = written(Representation::Ndjson, source, &events);
            let expected: Vec<_> =
                events.iter().enumerate().map(|(index, event)| shown(event, place(source, index, event))).collect();
            prop_assert_eq!(read(document), Ok(expected));
        }
    }

    /// Never fewer events, or others, as if that were all.
    #[test]
    fn what_is_cut_short_is_no_page(events in prop::collection::vec(any_row(), 1..3), at in any::<prop::sample::Index>()) {
        let document = written(Representation::Ndjson, &sources(&events[0].stream)[0], &events);
        let cut = at.index(document.len());
        let whole = document[..cut].iter().filter(|byte| **byte == b'\n').count();
        match read(document[..cut].to_vec()) {
            Ok(read) => prop_assert!(document[..cut].is_empty() || document[cut - 1] == b'\n' && read.len() == whole),
            Err(_) => prop_assert!(document[cut - 1] != b'\n'),
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(bytes);
    }

    #[test]
    fn a_line_with_other_bytes_in_it_never_panics(
        at in any::<prop::sample::Index>(), length in 0_usize..4, other in prop::collection::vec(any::<u8>(), 0..4),
    ) {
        let mut line = format!("{LINE}\n").into_bytes();
        let at = at.index(line.len());
        line.splice(at..(at + length).min(LINE.len()).max(at), other);
        let _ = read(line);
    }
}

#[test]
fn a_line_is_read_in_any_order_and_with_members_that_nobody_knows() {
    let expected = read(format!("{LINE}\n"));
    assert_eq!(expected.as_ref().map(Vec::len), Ok(1));
    let other = r#" { "later" : [{"data":"]"}] , "data":{"b":[2,"}"]},"time":"2026-11-23T10:30:00.25+01:00","metadata":{"a":1}, "new":null,"mediaType":"application\/json","type":"Pl\u0061ced","id":"0190C6A4-7B1E-7F5E-9A52-1F6F2D3C4B5A","position":9,"number":7,"stream":"orders","x":"\\\"","removed":false } "#;
    assert_eq!(read(format!("{other}\r\n")), expected);
    assert_eq!(page::line(&Bytes::from(LINE)).map(|event| vec![event]), expected);
}

#[test]
fn a_place_is_told_or_it_is_the_number() {
    let place = |line: &str| read(format!("{line}\n")).expect("a line")[0].place;
    assert_eq!(place(LINE), Some(7));
    assert_eq!(place(&LINE.replace("\"id\"", "\"place\":3,\"id\"")), Some(3));
}

#[test]
fn neighbours_share_their_names_and_data_are_slices_of_the_page() {
    let body = Bytes::from(format!("{LINE}\n{LINE}\n"));
    let events = read(body.clone()).expect("a page");
    let [first, second] = &events[..] else { panic!("two lines") };
    assert!(Arc::ptr_eq(&first.stream, &second.stream) && Arc::ptr_eq(&first.event_type, &second.event_type));
    let (EventContent::Here { media_type, data, .. }, EventContent::Here { media_type: other, .. }) =
        (&first.content, &second.content)
    else {
        panic!("content")
    };
    assert!(Arc::ptr_eq(media_type, other));
    assert!(body.as_ptr_range().contains(&data.as_ptr()));
}

#[test]
fn what_is_no_line_is_refused_where_it_goes_wrong() {
    let with = |from: &str, to: &str| fault(&LINE.replacen(from, to, 1));
    assert_eq!(fault(LINE), None);
    for (line, why) in [
        ("", "it is not JSON: it ends where `{` should stand, at byte 0"),
        ("[]", "it is not JSON: `{` should stand here, at byte 0"),
        ("{}", "an event has no number, at byte 0"),
        ("{\"a\":1", "it is not JSON: it ends where `,` or `}` should stand, at byte 6"),
        ("{\"a\":01}", "it is not JSON: the end of the JSON should stand here, at byte 6"),
        ("{\"a\":[1", "it is not JSON: it ends where the closing bracket should stand, at byte 5"),
        ("{\"a\":\"\\", "it is not JSON: this escape is none of JSON's, at byte 6"),
        ("{\"a\":\"\t\"}", "it is not JSON: a control character in a string has to be written as an escape, at byte 6"),
    ] {
        assert_eq!(fault(line).as_deref(), Some(why), "{line}");
    }
    for (from, to, why) in [
        ("\"stream\"", "\"streams\"", "an event has no stream"),
        ("\"position\"", "\"p\"", "an event has no position"),
        ("\"id\"", "\"i\"", "an event has no id"),
        ("\"type\"", "\"t\"", "an event has no type"),
        ("\"time\"", "\"t\"", "an event has no time"),
        ("\"mediaType\"", "\"m\"", "an event has no mediaType"),
        ("\"data\"", "\"d\"", "an event has no data"),
        ("\"number\":7", "\"number\":-7", "number is not a whole number below 2^63"),
        ("\"number\":7", "\"number\":07", "number is not a whole number below 2^63"),
        ("\"number\":7", "\"number\":9223372036854775808", "number is not a whole number below 2^63"),
        ("\"number\":7", "\"number\":7.0", "it is not JSON: `,` or `}` should stand here"),
        ("\"number\":7", "\"number\":\"7\"", "number is not a whole number below 2^63"),
        ("\"orders\"", "7", "stream is not a string"),
        ("\"orders\"", "\"\\ud800\"", "it is not JSON: this escape is none of JSON's"),
        ("0190c6a4-7b1e-7f5e", "0190c6a4-7b1e7f5e-", "id is not a UUID"),
        ("09:30:00.250000Z", "09:30:00.250000", "time is not a time such as 2026-01-31T12:00:00.000000Z"),
        ("\"type\"", "\"stream\":\"a\",\"type\"", "a member stands twice"),
        ("\"data\"", "\"dataBase64\":\"\",\"data\"", "the same value, once in base64, stands twice"),
        ("\"metadata\":{\"a\":1}", "\"metadataBase64\":\"?\"", "dataBase64 or metadataBase64 is not base64"),
        ("]}}", "]}", "it is not JSON: it ends where `,` or `}` should stand"),
        ("]}}", "]}}}", "it is not JSON: the end of the line should stand here"),
        ("]}}", "]}},", "it is not JSON: the end of the line should stand here"),
    ] {
        let found = with(from, to).unwrap_or_default();
        assert!(found.starts_with(&format!("{why}, at byte ")), "{from} -> {to}: {found}");
    }
    assert_eq!(read(LINE).map_err(|unreadable| unreadable.fault), Err(PageFault::CutShort));
    assert_eq!(read(b"\xff\n".to_vec()).map_err(|unreadable| unreadable.at), Err(0));
    let second = read(format!("{LINE}\n{{\n")).map_err(|unreadable| unreadable.at);
    assert_eq!(second, Err(LINE.len() + 2), "in bytes from the start of the page");
}

#[test]
fn a_page_has_as_many_events_as_the_limit_and_no_more() {
    let most = crate::event::limits::PAGE_EVENTS_MAX;
    let line = format!("{LINE}\n");
    assert_eq!(read(line.repeat(most)).map(|events| events.len()), Ok(most));
    assert_eq!(read(line.repeat(most + 1)).map_err(|unreadable| unreadable.fault), Err(PageFault::TooManyEvents));
}
