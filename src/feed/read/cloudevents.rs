//! CloudEvents 1.0 as producers send them: one as JSON, an array of them, or data whose attributes are headers.

use std::ops::Range;

use bytes::Bytes;
use serde_json::Value;

use super::members::{Placed, array, decoded, members};
use super::{BodyFault, UnreadableBody, check_charset, check_json};
use crate::event::limits::EVENT_BYTES_MAX;
use crate::event::{Content, EventId, EventType, MediaType, NewEvent, TraceParent};
use crate::feed::cloudevent::{self, Attributes, Form};
use crate::feed::json::{self, Scanner};

/// What is said of anything else in the place of one.
const WHAT: &str = "a CloudEvent is an object, with its attributes and its data as members";

/// Reads the JSON of one.
pub(super) fn one(body: &Bytes) -> Result<NewEvent, UnreadableBody> {
    let read = || {
        let mut scanner = Scanner::new(body)?;
        let event = event(&mut scanner, body)?;
        scanner.end()?;
        Ok(event)
    };
    read().map_err(|placed: Placed| placed.in_body(body))
}

/// Reads an array of them.
pub(super) fn batch(body: &Bytes) -> Result<Vec<NewEvent>, UnreadableBody> {
    array(body, |scanner, _| event(scanner, body)).map_err(|placed| placed.in_body(body))
}

/// Takes the body as the data of one whose attributes came as headers. HTTP does not tell data that are absent from
/// data that are empty, so an empty body is none.
pub(super) fn binary(
    media_type: Option<&MediaType>,
    mut attributes: Attributes,
    body: Bytes,
) -> Result<NewEvent, UnreadableBody> {
    if let Some(media_type) = media_type {
        attributes.insert("datacontenttype", media_type.as_str().into()).map_err(BodyFault::from)?;
    }
    let form = match media_type {
        _ if body.is_empty() => Form::Absent,
        None => Form::Base64,
        Some(media_type) => {
            check_json(media_type, &body)?;
            Form::usual(media_type, &body)
        }
    };
    Ok(made(attributes, form, body)?)
}

/// The object that comes next.
fn event(scanner: &mut Scanner<'_>, body: &Bytes) -> Result<NewEvent, Placed> {
    let start = scanner.at();
    let mut attributes = Attributes::default();
    let (mut data, mut base64) = (None, None);
    members(scanner, WHAT, |scanner, member| {
        let data = match &*member.name {
            "data" => &mut data,
            "data_base64" => &mut base64,
            name => {
                let at = member.value.start;
                let value = value(scanner, member.value, body);
                // An attribute that is not there may stand there as `null`.
                let told = if value.is_null() { Ok(()) } else { attributes.insert(name, value) };
                return told.map_err(|fault| Placed::at(at, fault));
            }
        };
        let twice = Placed::at(member.at, BodyFault::Twice(member.name.into_owned()));
        if data.replace(member.value).is_some() { Err(twice) } else { Ok(()) }
    })?;
    let (form, data) = match (data, base64) {
        (None, None) => (Form::Absent, Bytes::new()),
        (Some(data), None) => written_out(scanner, data, attributes.text("datacontenttype"), body)?,
        (None, Some(base64)) => (Form::Base64, decoded(scanner, "data_base64", base64)?),
        (Some(_), Some(base64)) => return Err(Placed::at(base64.start, BodyFault::Both("data", "data_base64"))),
    };
    made(attributes, form, data).map_err(|fault| Placed::at(start, fault))
}

/// The value of an attribute. Of an array or object it makes no difference what is in it: no attribute is one.
fn value(scanner: &Scanner<'_>, range: Range<usize>, body: &Bytes) -> Value {
    match body[range.start] {
        b'"' => scanner.string(range).unwrap_or_default().into(),
        b'[' | b'{' => Value::Array(Vec::new()),
        _ => serde_json::from_slice(&body[range]).unwrap_or(Value::Array(Vec::new())),
    }
}

/// What stands in `data`: JSON, unless the media type is another one, and then text.
fn written_out(
    scanner: &Scanner<'_>,
    range: Range<usize>,
    datacontenttype: Option<&str>,
    body: &Bytes,
) -> Result<(Form, Bytes), Placed> {
    let media_type = datacontenttype.and_then(|text| MediaType::parse(text).ok()).unwrap_or_else(MediaType::json);
    if media_type.is_json() {
        return Ok((Form::Json, body.slice(range)));
    }
    let at = range.start;
    match scanner.string(range) {
        Some(text) if Form::Text.suits(&media_type, text.as_bytes()) => {
            Ok((Form::Text, text.into_owned().into_bytes().into()))
        }
        _ => Err(Placed::at(at, BodyFault::NotText(media_type.to_string(), "data_base64"))),
    }
}

/// The event that a CloudEvent becomes.
fn made(attributes: Attributes, form: Form, data: Bytes) -> Result<NewEvent, BodyFault> {
    attributes.check_required()?;
    let required = |name| attributes.text(name).expect("it is there and was checked as it was told");
    let id = EventId::from_cloudevent(required("source"), required("id"));
    let event_type = EventType::parse(required("type")).expect("it was checked as it was told");
    let media_type = attributes.text("datacontenttype").map_or_else(
        || form.implied_media_type(),
        |text| MediaType::parse(text).expect("it was checked as it was told"),
    );
    check_charset(&media_type)?;
    // What is not given is `null`, so that whatever is stored as JSON is JSON.
    let data = if form == Form::Absent && media_type.is_json() { Bytes::from_static(b"null") } else { data };
    // All else that says it is JSON was found to be.
    if media_type.is_json() && form == Form::Base64 {
        json::check(&data).map_err(|fault| fault.why)?;
    }
    let unusual = Some(form).filter(|form| *form != Form::usual(&media_type, &data));
    // What the producer says of the event outlives whatever carried it here.
    let trace_parent = attributes.text("traceparent").and_then(TraceParent::parse);
    let metadata = Some(cloudevent::kept(attributes, id, &media_type, unusual));
    let content = Content { media_type, data, metadata, trace_parent };
    if EVENT_BYTES_MAX < content.len() {
        return Err(BodyFault::EventTooLarge { bytes: content.len() });
    }
    Ok(NewEvent { id, id_is_fresh: false, event_type, content })
}
