//! EventStore's JSON form of Atom feeds, as EventStore and we serve it.
//!
//! With `embed=body` (or more) the entries have the events in them, as texts of JSON. Without it, and for events that
//! are not JSON, an entry says where the event is. Positions it never says. The feed of a stream says which one it is
//! (`streamId`), and so an entry its place there: that of the link, where a link (`$>`) led to the event.

use std::marker::PhantomData;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, SeqAccess, Visitor};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::link_header::short;
use super::time::time;
use super::{Event, EventContent, EventId, Page, PageFault, Shared, UnreadablePage, stands_for_hidden};
use crate::event::limits::PAGE_EVENTS_MAX;
use crate::feed::json;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FeedDocument<'a> {
    id: Option<String>,
    stream_id: Option<String>,
    links: AtMost<Link>,
    #[serde(borrow)]
    entries: AtMost<Entry<'a>>,
}

/// A list that is not read further than [`PAGE_EVENTS_MAX`]: in memory each of its values takes far more than its bytes.
struct AtMost<T>(Vec<T>);

#[derive(Deserialize)]
struct Link {
    uri: String,
    relation: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    title: Option<String>,
    id: String,
    updated: String,
    summary: Option<String>,
    links: Option<AtMost<Link>>,
    #[serde(borrow)]
    content: Option<Content<'a>>,
    // What the levels above `content` add.
    event_id: Option<Uuid>,
    event_type: Option<String>,
    event_number: Option<u64>,
    stream_id: Option<String>,
    position_event_number: Option<u64>,
    position_stream_id: Option<String>,
    is_json: Option<bool>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    meta_data: Option<&'a RawValue>,
}

/// What `embed=content` adds.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Content<'a> {
    event_stream_id: String,
    event_number: u64,
    event_type: String,
    event_id: Uuid,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    metadata: Option<&'a RawValue>,
}

/// What neighbours have in common.
#[derive(Default)]
struct Names {
    stream: Shared,
    event_type: Shared,
    media_type: Shared,
}

/// A feed document.
pub(super) fn read(body: &Bytes) -> Result<Page, UnreadablePage> {
    json::check(body)?;
    let feed: FeedDocument<'_> =
        serde_json::from_slice(body).map_err(|error| UnreadablePage::at(place(body, &error), not_ours(&error)))?;
    let mut page = Page { feed: feed.id.map(Into::into), ..Page::default() };
    for Link { uri, relation } in &feed.links.0 {
        page.links.add(&short(relation), uri);
    }
    let mut names = Names::default();
    // It is always newest first.
    for entry in feed.entries.0.into_iter().rev() {
        let event = entry.event(body, feed.stream_id.as_deref(), &mut names);
        page.events.push(event.map_err(|fault| UnreadablePage::at(0, fault))?);
    }
    Ok(page)
}

fn not_ours(error: &serde_json::Error) -> PageFault {
    PageFault::NotEventStore(error.to_string())
}

/// Where serde has stopped, in bytes.
fn place(body: &[u8], error: &serde_json::Error) -> usize {
    let lines = body.split_inclusive(|byte| *byte == b'\n').take(error.line().saturating_sub(1));
    (lines.map(<[u8]>::len).sum::<usize>() + error.column()).min(body.len())
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for AtMost<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for List<T> {
            type Value = AtMost<T>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = list.next_element()? {
                    if values.len() == PAGE_EVENTS_MAX {
                        return Err(A::Error::custom(PageFault::TooManyEvents));
                    }
                    values.push(value);
                }
                Ok(AtMost(values))
            }
        }
        deserializer.deserialize_seq(List(PhantomData))
    }
}

impl Entry<'_> {
    /// `feed`: the stream whose feed it is.
    fn event(mut self, body: &Bytes, feed: Option<&str>, names: &mut Names) -> Result<Event, PageFault> {
        let content = self.content(body, names)?;
        let invalid_time = PageFault::Invalid { name: "updated", what: "a time such as 2026-01-31T12:00:00Z" };
        let time = time(&self.updated).ok_or(invalid_time)?;
        if let Some(content) = self.content.take() {
            self.event_id = Some(content.event_id);
            self.event_type = Some(content.event_type);
            self.event_number = Some(content.event_number);
            self.stream_id = Some(content.event_stream_id);
        }
        // Without anything embedded the title is what names the event: `{number}@{stream}`.
        let titled = self.title.as_deref().and_then(|title| title.split_once('@'));
        let titled = titled.and_then(|(number, stream)| Some((number.parse::<u64>().ok()?, stream)));
        let number = self.event_number.or(titled.map(|(number, _)| number));
        let stream = self.stream_id.as_deref().or(titled.map(|(_, stream)| stream)).unwrap_or_default();
        let place = match (self.position_event_number, self.position_stream_id.as_deref()) {
            (Some(number), Some(listed)) => Some(number).filter(|_| feed == Some(listed)),
            _ => number.filter(|_| feed == Some(stream)),
        };
        let event_type = self.event_type.as_deref().or(self.summary.as_deref()).unwrap_or("entry");
        // There is nothing to be had where the entry leads.
        let is_hidden = stands_for_hidden(stream, event_type);
        let content = if is_hidden { EventContent::Removed { digest: None, correlation: None } } else { content };
        Ok(Event {
            stream: names.stream.of(stream),
            number,
            position: None,
            place,
            event_type: names.event_type.of(event_type),
            time,
            trace_parent: None,
            content,
            id: self.event_id.map_or_else(|| EventId::Iri(self.id.into()), EventId::Uuid),
        })
    }

    /// The data, if they are JSON; anything else is not in the document, or only as what text can show of it.
    fn content(&self, body: &Bytes, names: &mut Names) -> Result<EventContent, PageFault> {
        let (data, metadata) = match &self.content {
            Some(content) => (content.data.map(|data| body.slice_ref(data.get().as_bytes())), content.metadata),
            None => {
                let data = self.data.map(|data| text_or_json(body, data)).transpose()?;
                let is_json = |data: &Bytes| self.is_json.unwrap_or_else(|| json::check(data).is_ok());
                (data.filter(is_json), self.meta_data)
            }
        };
        let metadata = metadata.map(|metadata| text_or_json(body, metadata)).transpose()?;
        // EventStore's sign that there is none.
        let metadata = metadata.filter(|metadata| !metadata.is_empty());
        Ok(match data {
            Some(data) => EventContent::Here { media_type: names.media_type.of("application/json"), data, metadata },
            None => {
                let mut links = self.links.iter().flat_map(|links| &links.0);
                let alternate = links.find(|link| short(&link.relation) == "alternate");
                let url = alternate.map_or(&self.id, |link| &link.uri).as_str().into();
                EventContent::Elsewhere { media_type: None, url, metadata }
            }
        })
    }
}

/// What a string says, or another value as it stands in the document.
fn text_or_json(body: &Bytes, value: &RawValue) -> Result<Bytes, PageFault> {
    if !value.get().starts_with('"') {
        return Ok(body.slice_ref(value.get().as_bytes()));
    }
    let text: String = serde_json::from_str(value.get()).map_err(|error| not_ours(&error))?;
    Ok(text.into())
}
