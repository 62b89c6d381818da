//! Events that are hard to write, through every form and back through another reader.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::value::RawValue;

use super::{EMBEDS, envelope, eventstore, page, stream, written, written_entry};
use crate::address::{Direction, Embed, Place, Shape};
use crate::event::{Content, Event, MediaType, Number, Source};
use crate::feed::tests_support::{any_event, any_name};

/// A JSON value, its bytes as they stand in the document.
type Raw = Box<RawValue>;

/// An event with its envelope, as a client reads it: values by name. (An `Option` would take `null` for absent.)
type Envelope = HashMap<String, Raw>;

fn string(envelope: &Envelope, name: &str) -> Option<String> {
    envelope.get(name).map(|raw| serde_json::from_str(raw.get()).expect("a string"))
}

/// Media type and data, as the producer sent them.
fn content(envelope: &Envelope) -> Option<(MediaType, Vec<u8>)> {
    let media_type = string(envelope, "mediaType").unwrap_or("application/json".into());
    let media_type = MediaType::parse(&media_type).expect("a media type");
    let base64 = string(envelope, "dataBase64").map(|base64| STANDARD.decode(base64).expect("base64"));
    let data = match envelope.get("data") {
        Some(_) if base64.is_some() => panic!("data twice"),
        Some(raw) if media_type.is_json() => raw.get().as_bytes().to_vec(),
        Some(_) => string(envelope, "data")?.into_bytes(),
        None => base64?,
    };
    Some((media_type, data))
}

/// Whether the event is what its media type says; others are never taken in.
fn is_sound(event: &Event) -> bool {
    let unsound = |content: &Content| content.media_type.is_json() && crate::feed::json::check(&content.data).is_err();
    !event.content.as_ref().is_some_and(unsound)
}

/// An entry of a feed, as a client reads it.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    title: String,
    summary: String,
    data: Option<String>,
    meta_data: Option<String>,
    is_json: Option<bool>,
    position_stream_id: Option<String>,
    content: Option<EntryContent>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct EntryContent {
    event_stream_id: String,
    event_number: u64,
    event_type: String,
    event_id: String,
    data: Raw,
    metadata: Raw,
}

#[derive(serde::Deserialize)]
struct FeedDocument {
    entries: Vec<Entry>,
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// All that is not white space between tokens.
fn tokens(json: &str) -> String {
    let mut compact = Vec::new();
    let mut in_string = false;
    let mut escaped = false;
    for byte in json.bytes() {
        if in_string || !byte.is_ascii_whitespace() {
            compact.push(byte);
        }
        in_string = if byte == b'"' && !escaped { !in_string } else { in_string };
        escaped = in_string && byte == b'\\' && !escaped;
    }
    String::from_utf8(compact).expect("whole characters are kept")
}

proptest! {
    #[test]
    fn whatever_an_event_holds_its_envelope_gives_it_back(events in prop::collection::vec(any_event(), 0..5)) {
        let source = Source::Stream(stream("s"));
        let shape = page(Place::Number(Number::ZERO), Direction::Forward, 20);
        let document = written(envelope(), &source, &shape, 9, &events);
        let read: Vec<Envelope> = serde_json::from_str(&document).expect("JSON");
        prop_assert_eq!(read.len(), events.len());
        for (read, event) in read.iter().zip(&events) {
            for (name, text) in [
                ("eventStreamId", event.stream.to_string()),
                ("eventType", event.event_type.to_string()),
                ("eventId", event.id.to_string()),
                ("time", event.time.to_string()),
            ] {
                prop_assert_eq!(string(read, name), Some(text), "{}", name);
            }
            prop_assert_eq!(read["eventNumber"].get(), event.number.to_string());
            prop_assert_eq!(read["position"].get(), event.position.to_string());
            if is_sound(event) {
                let sent = event.content.as_ref().map(|content| {
                    let data = if content.media_type.is_json() { text(&content.data).trim().into() } else { content.data.to_vec() };
                    (content.media_type.clone(), data)
                });
                prop_assert_eq!(content(read), sent);
            }
            let metadata = event.content.as_ref().map(|content| content.metadata.as_deref().map_or("\"\"".into(), text));
            prop_assert_eq!(read.get("metadata").map(|raw| raw.get().to_string()), metadata);
            let alone: Envelope = serde_json::from_str(&written_entry(envelope(), event)).expect("JSON");
            prop_assert_eq!(content(&alone), content(read));
        }
    }

    #[test]
    fn whatever_an_event_holds_every_embed_level_is_json(
        events in prop::collection::vec(any_event(), 0..4),
        name in any_name(),
        embed in prop::sample::select(EMBEDS.to_vec()),
        of_all in any::<bool>(),
    ) {
        let source = if of_all { Source::All } else { Source::Stream(stream(&name)) };
        let document = written(eventstore(embed), &source, &Shape::Head, 9, &events);
        let read: FeedDocument = serde_json::from_str(&document).expect("JSON");
        prop_assert_eq!(read.entries.len(), events.len());
        for (read, event) in read.entries.iter().zip(events.iter().rev()) {
            prop_assert_eq!(&read.title, &format!("{}@{}", event.number, event.stream));
            prop_assert_eq!(&read.summary, event.event_type.as_str());
            let has_facts = !matches!(embed, Embed::None | Embed::Content);
            prop_assert_eq!(read.position_stream_id.as_deref(), has_facts.then_some(event.stream.as_str()));
            let content = event.content.as_ref();
            let json = content.filter(|content| content.media_type.is_json());
            prop_assert_eq!(read.content.is_some(), embed == Embed::Content && json.is_some());
            if embed != Embed::TryHarder {
                prop_assert_eq!(read.is_json, has_facts.then_some(json.is_some()));
            }
            let has_body = matches!(embed, Embed::Body | Embed::Pretty | Embed::TryHarder);
            let shown = if embed == Embed::TryHarder { content } else { json };
            let data = shown.filter(|_| has_body).map(|content| text(&content.data));
            let metadata = content.filter(|_| has_body).and_then(|content| content.metadata.as_deref()).map(text);
            if embed == Embed::Body {
                prop_assert_eq!(&read.data, &data);
                prop_assert_eq!(&read.meta_data, &metadata);
            } else {
                prop_assert_eq!(read.data.as_deref().map(tokens), data.as_deref().map(tokens));
                prop_assert_eq!(read.meta_data.as_deref().map(tokens), metadata.as_deref().map(tokens));
            }
        }
    }

    #[test]
    fn whatever_an_event_holds_its_own_entry_gives_json_back_as_it_was_sent(event in any_event()) {
        let read: Entry = serde_json::from_str(&written_entry(eventstore(Embed::None), &event)).expect("JSON");
        let json = event.content.as_ref().filter(|content| content.media_type.is_json());
        prop_assert_eq!(read.content.is_some(), json.is_some());
        if let (Some(read), Some(sent)) = (read.content, json) {
            prop_assert_eq!(&read.event_stream_id, event.stream.as_str());
            prop_assert_eq!(&read.event_type, event.event_type.as_str());
            prop_assert_eq!((read.event_number, read.event_id), (event.number.get(), event.id.to_string()));
            if is_sound(&event) {
                prop_assert_eq!(read.data.get(), text(&sent.data).trim().to_string());
            }
            prop_assert_eq!(read.metadata.get(), sent.metadata.as_deref().map_or("\"\"".into(), text));
        }
    }
}
