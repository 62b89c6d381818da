//! Messages of an event stream (`text/event-stream`, HTML §9.2): one for each event, whose data are its line of JSON.
//!
//! Every message is called `event`, whatever the type of its event: one called `error` would fire the handler that
//! browsers have for errors. The type stands in the line. The id is the event's number in the stream that is listened
//! to, so that a reader who was cut off goes on right after it.

use std::io::Write;

use super::{ndjson, place_in};
use crate::event::{Event, Number, Source};

/// Writes the message of one event. `place` is its number in the source that is listened to.
pub fn message(source: &Source, event: &Event, place: Number, out: &mut Vec<u8>) {
    write!(out, "event: event\nid: {place}\ndata: ").expect("memory takes every write");
    // A line of JSON has its line break, and no other.
    ndjson::entry(event, place_in(source, place), out);
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::feed::tests_support::any_event;

    proptest! {
        #[test]
        fn whatever_an_event_holds_its_message_has_each_field_once_and_its_line_parses(
            event in any_event(),
            place in 0..=i64::MAX as u64,
        ) {
            let mut out = Vec::new();
            message(&Source::All, &event, Number::new(place).expect("in range"), &mut out);
            let text = String::from_utf8(out).expect("text");
            // Readers end lines at each of these three.
            let lines: Vec<&str> = text.split("\r\n").flat_map(|part| part.split(['\r', '\n'])).collect();
            let id = format!("id: {place}");
            prop_assert_eq!((lines.len(), lines[0], lines[1]), (5, "event: event", id.as_str()));
            prop_assert_eq!((lines[3], lines[4]), ("", ""));
            let line = lines[2].strip_prefix("data: ").expect("the data");
            let told: Value = serde_json::from_str(line).expect("JSON");
            prop_assert_eq!(&told["type"], event.event_type.as_str());
            prop_assert_eq!(&told["stream"], event.stream.as_str());
            prop_assert_eq!(&told["position"], event.position.get());
        }
    }
}
