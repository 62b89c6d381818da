//! The few answers of EventStore that would surprise everybody else (`eventstore.strict`). Off by default.

use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};

use crate::address::{Address, Shape};
use crate::event::{Source, StreamName};
use crate::feed::read::{BodyFormat, Heading};

use super::super::Served;
use super::super::cache_policy::Freshness;
use super::super::document;
use super::super::negotiate;
use super::super::problem::{Kind, Problem};
use super::super::reply::{Content, Reply};
use super::super::request::Asked;

const NO_TYPE: &str = "Must include an event type with the request either in body or as ES-EventType header.";

/// Where an event without an id has to be sent once more: to an address that names one, so that sending it there
/// again is safe. Settings have no such address, and events in a batch say themselves who they are.
///
/// # Errors
/// When the event has no type; it is not said here what that would be.
pub(crate) fn incoming(
    served: &Served,
    asked: &Asked<'_>,
    stream: &StreamName,
    format: &BodyFormat,
    heading: &Heading,
) -> Result<Option<Reply>, Problem> {
    let is_one_event = matches!(format, BodyFormat::Opaque(_));
    if !is_one_event || stream.with_settings().is_some() {
        return Ok(None);
    }
    if heading.event_type.is_none() {
        return Err(Problem::new(Kind::InvalidHeader, NO_TYPE).reason(NO_TYPE).member("header", "ES-EventType"));
    }
    if heading.event_id.is_some() || heading.idempotency_key.is_some() {
        return Ok(None);
    }
    let address = Address::Incoming { stream: stream.clone(), id: (served.ambient.new_id)() };
    let body = Content::Whole("Forwarding to idempotent URI".into());
    let mut reply = Reply::new(StatusCode::TEMPORARY_REDIRECT, Freshness::Never, body)
        .header(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    document::insert(&mut reply.headers, LOCATION, &format!("{}{}", asked.base, address.path()));
    Ok(Some(reply))
}

/// Whether this is answered with a description of the stream instead of the stream. Pages and `$all` are not.
pub(crate) fn wants_description(headers: &HeaderMap, source: &Source, shape: &Shape) -> bool {
    let would_be_chosen = negotiate::begins_with_anything(headers, &negotiate::media_types(negotiate::Asked::Stream));
    would_be_chosen && *shape == Shape::Head && *source != Source::All
}
