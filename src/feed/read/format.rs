//! Which media types a producer may send, and what each one's body is.

use crate::event::{InvalidMediaType, MediaType};

/// How a body becomes events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BodyFormat {
    /// The whole body is one event's data, of this media type.
    Opaque(MediaType),
    /// EventStore's batch: a JSON array of `{eventId, eventType, data, metadata}`.
    Batch,
}

/// Why a body of this type is not taken. Each sentence says what to send instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnsupportedBody {
    /// RFC 9110 §8.3 would allow a guess, but a guessed media type would be stored for ever.
    #[error(
        "the request has no Content-Type; send the event's own media type, such as application/json, or \
         application/octet-stream for bytes of which nothing is known"
    )]
    Missing,
    /// Not a media type.
    #[error("the Content-Type is no media type: {0}")]
    Malformed(#[from] InvalidMediaType),
    /// JSON is exchanged in UTF-8 (RFC 8259 §8.1).
    #[error("JSON is sent in UTF-8; send it so, with charset=utf-8 or without a charset, instead of charset={0}")]
    Charset(String),
    /// A document type that is not taken in; storing it as opaque data would hide what it says.
    #[error("{media_type} is not taken here; {instead}")]
    Document {
        /// What was sent, without parameters.
        media_type: String,
        /// What to send.
        instead: &'static str,
    },
}

/// What one event is sent as.
const ONE_EVENT: &str = "send one event as its data in the data's own media type, such as application/json, with its \
                         type in ES-EventType, or several as application/vnd.eventstore.events+json";

/// What lines of JSON and CloudEvents batches are sent as.
const SEVERAL_EVENTS: &str = "send several events as application/vnd.eventstore.events+json: a JSON array of \
                              {eventId, eventType, data, metadata}";

/// What the body of a request with this `Content-Type` is.
///
/// # Errors
/// When no body of this type is taken.
pub fn body_format(content_type: Option<&str>) -> Result<BodyFormat, UnsupportedBody> {
    let media_type = MediaType::parse(content_type.ok_or(UnsupportedBody::Missing)?)?;
    let essence = media_type.essence().to_ascii_lowercase();
    let (kind, subtype) = essence.split_once('/').unwrap_or((&essence, ""));
    let vendor = subtype.strip_prefix("vnd.eventstore.").or_else(|| subtype.strip_prefix("vnd.kurrent."));
    let instead = match (kind, vendor) {
        ("application", Some("events+json" | "event+json")) => {
            return check_charset(&media_type).map(|()| BodyFormat::Batch);
        }
        (_, Some(_)) => ONE_EVENT,
        _ if essence == "application/atom+xml" && is_entry(&media_type) => ONE_EVENT,
        _ if essence.starts_with("application/cloudevents-batch") || essence == "application/x-ndjson" => {
            SEVERAL_EVENTS
        }
        _ if essence.starts_with("application/cloudevents") => ONE_EVENT,
        _ => {
            if media_type.is_json() {
                check_charset(&media_type)?;
            }
            return Ok(BodyFormat::Opaque(media_type));
        }
    };
    Err(UnsupportedBody::Document { media_type: essence, instead })
}

/// Without `type` an Atom document may be an entry (RFC 5023 §12).
fn is_entry(media_type: &MediaType) -> bool {
    media_type.parameter("type").is_none_or(|kind| kind.eq_ignore_ascii_case("entry"))
}

fn check_charset(media_type: &MediaType) -> Result<(), UnsupportedBody> {
    match media_type.parameter("charset") {
        Some(charset) if !charset.eq_ignore_ascii_case("utf-8") && !charset.eq_ignore_ascii_case("utf8") => {
            Err(UnsupportedBody::Charset(charset.to_string()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_media_type_is_one_event_and_kept_as_sent() {
        for text in [
            "application/json",
            "application/JSON; charset=\"UTF-8\"",
            "application/vnd.shop.order+json",
            "text/plain; charset=iso-8859-1",
            "image/png",
            "application/xml",
            "application/atom+xml; type=feed",
            "multipart/form-data; boundary=x",
            "application/vnd.eventstoreish+json",
        ] {
            let media_type = MediaType::parse(text).expect("a media type");
            assert_eq!(media_type.as_str(), text);
            assert_eq!(body_format(Some(text)), Ok(BodyFormat::Opaque(media_type)));
        }
    }

    #[test]
    fn four_types_are_batches() {
        for text in [
            "application/vnd.eventstore.events+json",
            "application/vnd.eventstore.event+json",
            "application/vnd.kurrent.events+json;charset=utf-8",
            "Application/Vnd.Kurrent.Event+JSON; charset=UTF8",
        ] {
            assert_eq!(body_format(Some(text)), Ok(BodyFormat::Batch), "{text}");
        }
    }

    #[test]
    fn documents_are_never_stored_as_data() {
        for text in [
            "application/vnd.eventstore.events+xml",
            "application/vnd.eventstore.atom+json",
            "application/vnd.kurrent.streamdesc+json; charset=utf-8",
            "text/vnd.kurrent.events+json",
            "application/vnd.eventstore.whatever",
            "application/atom+xml",
            "application/ATOM+xml; type=entry",
            "application/atom+xml;type=\"entry\"",
            "application/cloudevents+json",
            "application/cloudevents-batch+json",
            "application/x-ndjson",
        ] {
            let refused = body_format(Some(text)).expect_err(text);
            assert!(matches!(refused, UnsupportedBody::Document { .. }), "{text}: {refused}");
            assert!(refused.to_string().contains("is not taken here; send "), "{refused}");
        }
    }

    #[test]
    fn json_in_another_charset_and_no_media_type_are_refused() {
        for text in ["application/json; charset=utf-16", "application/vnd.eventstore.events+json; charset=latin1"] {
            assert!(matches!(body_format(Some(text)), Err(UnsupportedBody::Charset(_))), "{text}");
        }
        assert_eq!(body_format(None), Err(UnsupportedBody::Missing));
        assert_eq!(body_format(Some("json")), Err(UnsupportedBody::Malformed(InvalidMediaType::Malformed)));
    }
}
