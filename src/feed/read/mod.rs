//! What producers POST: which media types are taken, and how a body becomes events. What readers get is [`page`].
//!
//! A body of any media type is one event, stored as sent; JSON is checked first. An Atom entry is one event too,
//! and says itself what happened and under which id. EventStore's batch types are an array of events, or the same as
//! XML; lines of JSON are one each, and CloudEvents are taken in all their forms. Types that are documents of ours or
//! of EventStore's, but not taken in, are refused, so that a document is never stored as if it were an event's data.

mod batch;
mod batch_xml;
mod cloudevents;
mod entry;
mod format;
mod members;
mod ndjson;
pub mod page;
#[cfg(test)]
mod event_tests;
#[cfg(test)]
mod tests;
mod unreadable;

use bytes::Bytes;

pub use format::{BodyFormat, UnsupportedBody, body_format, body_format_of_cloudevent};
pub use unreadable::{BodyFault, BodyPlace, UnreadableBody};

use super::cloudevent::Attributes;
use super::json;
use crate::event::limits::EVENT_BYTES_MAX;
use crate::event::{Content, EventId, EventType, MediaType, NewEvent, TraceParent};

/// What the request's headers say of its events. A batch and lines say it of each event themselves, and of these only
/// `idempotency_key` counts there, as for EventStore, and the trace. A CloudEvent always says all else itself.
#[derive(Debug, Clone, Default)]
pub struct Heading {
    /// The event's type. Default: the media type of the body, without parameters.
    pub event_type: Option<EventType>,
    /// The event's id.
    pub event_id: Option<EventId>,
    /// Gives every event that has no id one that is the same whenever the request is repeated.
    pub idempotency_key: Option<Bytes>,
    /// The attributes of the CloudEvent whose data the body is.
    pub cloudevent: Attributes,
    /// What the producer would call the event (RFC 5023 §9.7). It is kept in the metadata; addresses are made of
    /// numbers alone.
    pub slug: Option<String>,
    /// Which operation of the producer its events came out of; one that says it itself knows better.
    pub trace_parent: Option<TraceParent>,
}

impl Heading {
    /// What an event keeps of it as metadata.
    fn metadata(&self) -> Option<Bytes> {
        let slug = self.slug.as_deref()?;
        Some(serde_json::json!({ "slug": slug }).to_string().into())
    }
}

/// The events of a body, in order; at least one. Data and metadata are slices of the body.
///
/// An event without an id gets one: from the idempotency key, else from `new_id`. The latter are marked
/// (`id_is_fresh`), so that a caller who wants ids from producers can tell.
///
/// # Errors
/// When the body is not what its media type says, or over a limit. Nothing of it may be appended then.
pub fn events(
    format: &BodyFormat,
    body: Bytes,
    heading: &Heading,
    new_id: &mut dyn FnMut() -> EventId,
) -> Result<Vec<NewEvent>, UnreadableBody> {
    let mut events = match format {
        BodyFormat::Entry => vec![entry::event(body, heading, new_id)?],
        BodyFormat::Batch => batch::events(&body, heading.idempotency_key.as_deref(), new_id)?,
        BodyFormat::BatchXml => batch_xml::events(&body, heading.idempotency_key.as_deref(), new_id)?,
        BodyFormat::Lines => ndjson::events(&body, heading.idempotency_key.as_deref(), new_id)?,
        BodyFormat::CloudEvent => vec![cloudevents::one(&body)?],
        BodyFormat::CloudEvents => cloudevents::batch(&body)?,
        BodyFormat::CloudEventData(media_type) => {
            vec![cloudevents::binary(media_type.as_ref(), heading.cloudevent.clone(), body)?]
        }
        BodyFormat::Opaque(media_type) => vec![single(media_type, body, heading, new_id)?],
    };
    for event in &mut events {
        event.content.trace_parent = event.content.trace_parent.or(heading.trace_parent);
    }
    Ok(events)
}

/// The whole body is one event's data.
fn single(
    media_type: &MediaType,
    body: Bytes,
    heading: &Heading,
    new_id: &mut dyn FnMut() -> EventId,
) -> Result<NewEvent, UnreadableBody> {
    let metadata = heading.metadata();
    let bytes = body.len() + metadata.as_ref().map_or(0, Bytes::len);
    if EVENT_BYTES_MAX < bytes {
        return Err(BodyFault::EventTooLarge { bytes }.into());
    }
    check_json(media_type, &body)?;
    let event_type = match &heading.event_type {
        Some(event_type) => event_type.clone(),
        None => EventType::parse(media_type.essence()).map_err(BodyFault::InvalidDefaultType)?,
    };
    let (id, id_is_fresh) = identify(heading.event_id, heading.idempotency_key.as_deref(), 0, new_id);
    let content = Content { media_type: media_type.clone(), data: body, metadata, trace_parent: None };
    Ok(NewEvent { id, id_is_fresh, event_type, content })
}

/// A body that says it is JSON has to be.
fn check_json(media_type: &MediaType, body: &[u8]) -> Result<(), UnreadableBody> {
    if !media_type.is_json() {
        return Ok(());
    }
    json::check(body).map_err(|fault| UnreadableBody::at(body, fault.at, BodyFault::NotJson(fault.why)))
}

/// A media type of JSON that names another charset than JSON has.
fn check_charset(media_type: &MediaType) -> Result<(), BodyFault> {
    let other = media_type.other_charset().filter(|_| media_type.is_json());
    other.map_or(Ok(()), |charset| Err(BodyFault::Charset(charset.to_string())))
}

/// The id of the event at this index, and whether it was made just now.
fn identify(
    given: Option<EventId>,
    idempotency_key: Option<&[u8]>,
    index: usize,
    new_id: &mut dyn FnMut() -> EventId,
) -> (EventId, bool) {
    match (given, idempotency_key) {
        (Some(id), _) => (id, false),
        (None, Some(key)) => (EventId::from_idempotency_key(key, index), false),
        (None, None) => (new_id(), true),
    }
}
