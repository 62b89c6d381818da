//! CloudEvents 1.0: what of one is the event itself, and what the event's metadata keep of it.
//!
//! `type` is the event's type, `datacontenttype` its media type, and `id` its id if it is a UUID. Everything else
//! stands in the metadata under one name, in the order in which it was told:
//!
//! ```json
//! {"cloudevent":{"specversion":"1.0","source":"/shop","id":"order-1","time":"2026-11-24T18:30:00Z"}}
//! ```
//!
//! There too stands whatever the event says otherwise: an `id` or `datacontenttype` in another spelling, `null` for
//! a `datacontenttype` that was not given, and in `data` the form of the data where it is not the usual one. So a
//! CloudEvent comes out as the one that came in. An event of any other origin comes out as one about itself.

mod attributes;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value, json};

pub use attributes::{AttributeFault, Attributes};

use super::json;
use crate::address::StreamPath;
use crate::event::{Content, Event, EventId, MediaType};

/// The extension for distributed tracing: which operation of its producer the event came out of.
const TRACE_PARENT: &str = "traceparent";

/// How the data stand in a CloudEvent that is written as JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Not at all.
    Absent,
    /// As JSON in `data`.
    Json,
    /// As a string in `data`, which is text of another kind.
    Text,
    /// As base64 in `data_base64`.
    Base64,
}

impl Form {
    const WORDS: [(&'static str, Self); 4] =
        [("absent", Self::Absent), ("json", Self::Json), ("text", Self::Text), ("base64", Self::Base64)];

    /// The form of data of which nothing else is known: JSON as it is, text as a string, all else as base64.
    pub(crate) fn usual(media_type: &MediaType, data: &[u8]) -> Self {
        if media_type.is_json() && json::check(data).is_ok() {
            Self::Json
        } else if media_type.is_text() && Self::Text.suits(media_type, data) {
            Self::Text
        } else {
            Self::Base64
        }
    }

    /// Whether data can have this form, and be read from it again just as they are.
    pub(crate) fn suits(self, media_type: &MediaType, data: &[u8]) -> bool {
        match self {
            Self::Absent => matches!(data, b"" | b"null"),
            Self::Json => media_type.is_json() && json::check(data).is_ok(),
            // A string is text in UTF-8, whatever the charset says.
            Self::Text => {
                !media_type.is_json() && media_type.other_charset().is_none() && std::str::from_utf8(data).is_ok()
            }
            Self::Base64 => true,
        }
    }

    /// The media type that data of this form have when none is given.
    pub(crate) fn implied_media_type(self) -> MediaType {
        match self {
            Self::Absent | Self::Json | Self::Text => MediaType::json(),
            Self::Base64 => MediaType::octet_stream(),
        }
    }

    fn word(self) -> &'static str {
        Self::WORDS.into_iter().find(|(_, form)| *form == self).expect("every form has its word").0
    }

    fn named(word: &str) -> Option<Self> {
        Self::WORDS.into_iter().find(|(known, _)| *known == word).map(|(_, form)| form)
    }
}

/// What the metadata of an event keep of the CloudEvent that it was.
pub(crate) fn kept(attributes: Attributes, id: EventId, media_type: &MediaType, unusual: Option<Form>) -> Bytes {
    let mut kept = attributes.into_map();
    kept.shift_remove("type");
    if kept.get("id").and_then(Value::as_str) == Some(&id.to_string()) {
        kept.shift_remove("id");
    }
    match kept.get("datacontenttype").and_then(Value::as_str) {
        None => {
            kept.insert("datacontenttype".into(), Value::Null);
        }
        Some(text) if text == media_type.as_str() => {
            kept.shift_remove("datacontenttype");
        }
        Some(_) => {}
    }
    if let Some(form) = unusual {
        kept.insert("data".into(), form.word().into());
    }
    json!({"cloudevent": kept}).to_string().into()
}

/// The event as a CloudEvent: its attributes, and the form of its data.
pub(crate) fn of(event: &Event) -> (Attributes, Form) {
    event.content.as_ref().and_then(|content| as_it_came(event, content)).unwrap_or_else(|| about(event))
}

/// Metadata that keep a CloudEvent.
#[derive(Deserialize)]
struct Metadata {
    cloudevent: Map<String, Value>,
}

/// The CloudEvent that the event was. None if it was none: anybody may send metadata of this shape, so whatever
/// would not make a valid one again is no CloudEvent.
fn as_it_came(event: &Event, content: &Content) -> Option<(Attributes, Form)> {
    let Metadata { cloudevent: mut kept } = serde_json::from_slice(content.metadata.as_ref()?).ok()?;
    let form = match kept.shift_remove("data") {
        None => Form::usual(&content.media_type, &content.data),
        Some(word) => Form::named(word.as_str()?).filter(|form| form.suits(&content.media_type, &content.data))?,
    };
    let mut attributes = Attributes::default();
    attributes.insert("specversion", kept.shift_remove("specversion")?).ok()?;
    attributes.insert("id", kept.shift_remove("id").unwrap_or_else(|| event.id.to_string().into())).ok()?;
    attributes.insert("source", kept.shift_remove("source")?).ok()?;
    attributes.insert("type", event.event_type.as_str().into()).ok()?;
    match kept.shift_remove("datacontenttype") {
        None => attributes.insert("datacontenttype", content.media_type.as_str().into()).ok()?,
        Some(Value::Null) if content.media_type == form.implied_media_type() => {}
        Some(other) if MediaType::parse(other.as_str()?).ok()? == content.media_type => {
            attributes.insert("datacontenttype", other).ok()?;
        }
        Some(_) => return None,
    }
    for (name, value) in kept {
        attributes.insert(&name, value).ok()?;
    }
    // Of the request that it came with, unless it says so itself.
    if let Some(trace_parent) = content.trace_parent.filter(|_| !attributes.has(TRACE_PARENT)) {
        let _ = attributes.insert(TRACE_PARENT, trace_parent.to_string().into());
    }
    Some((attributes, form))
}

/// A CloudEvent about an event that was none. Where it stands is told in extensions of our own; the numbers as
/// strings, because the numbers of CloudEvents have 32 bits. Its metadata are one too, if they can be: a string
/// there has no line breaks.
fn about(event: &Event) -> (Attributes, Form) {
    let mut attributes = Attributes::default();
    attributes.put("specversion", "1.0");
    attributes.put("id", event.id.to_string());
    attributes.put("source", StreamPath::of(event.stream.as_str()).as_str());
    attributes.put("type", event.event_type.as_str());
    if let Some(content) = &event.content {
        attributes.put("datacontenttype", content.media_type.as_str());
    }
    attributes.put("time", event.time.to_string());
    if let Some(trace_parent) = event.content.as_ref().and_then(|content| content.trace_parent) {
        attributes.put(TRACE_PARENT, trace_parent.to_string());
    }
    attributes.put("evfstream", event.stream.as_str());
    attributes.put("evfnumber", event.number.to_string());
    attributes.put("evfposition", event.position.to_string());
    let Some(content) = &event.content else {
        attributes.put("evfremoved", true);
        return (attributes, Form::Absent);
    };
    let metadata = content.metadata.as_deref().and_then(|metadata| std::str::from_utf8(metadata).ok());
    if let Some(metadata) = metadata.filter(|metadata| attributes::is_text(metadata)) {
        attributes.put("evfmetadata", metadata);
    }
    (attributes, Form::usual(&content.media_type, &content.data))
}
