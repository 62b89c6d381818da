//! Reads lines of JSON until the real reader is there.
use std::sync::Arc;

use base64::Engine as _;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::event::Timestamp;
use crate::feed::read::page::{Event, EventContent, EventId, Links, Page};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Lines,
    EventStore,
    Atom,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    stream: String,
    number: u64,
    position: u64,
    id: uuid::Uuid,
    r#type: String,
    media_type: Option<String>,
    time: String,
    #[serde(borrow)]
    metadata: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    data_base64: Option<String>,
}

pub(crate) fn read(form: Form, links: Links, body: Bytes) -> Result<Page, String> {
    if form != Form::Lines {
        return Err("not yet".into());
    }
    if !body.is_empty() && !body.ends_with(b"\n") {
        return Err("cut".into());
    }
    let is_archive = links.get("next-archive").is_some();
    let mut events = Vec::new();
    let raw = |raw: &RawValue| Bytes::copy_from_slice(raw.get().as_bytes());
    for line in body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let line: Line<'_> = serde_json::from_slice(line).map_err(|error| error.to_string())?;
        let content = match line.media_type {
            Some(media_type) => EventContent::Here {
                media_type: media_type.into(),
                data: match line.data_base64 {
                    Some(text) => {
                        base64::engine::general_purpose::STANDARD.decode(text).map_err(|e| e.to_string())?.into()
                    }
                    None => raw(line.data.ok_or("no data")?),
                },
                metadata: line.metadata.map(raw),
            },
            None => EventContent::Removed { digest: None, correlation: None },
        };
        let is_all = links.get("self").is_some_and(|href| href.contains("%24all"));
        events.push(Event {
            id: EventId::Uuid(line.id),
            stream: Arc::from(line.stream),
            number: Some(line.number),
            position: Some(line.position),
            place: Some(if is_all { line.position } else { line.number }),
            event_type: line.r#type.into(),
            time: Timestamp::from(
                chrono::DateTime::parse_from_rfc3339(&line.time).map_err(|e| e.to_string())?.to_utc(),
            ),
            content,
        });
    }
    Ok(Page { feed: None, links, is_archive, events })
}
