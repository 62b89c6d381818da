//! Which media types a producer may send, and what each one's body is.

use crate::event::{InvalidMediaType, MediaType};

/// How a body becomes events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BodyFormat {
    /// The whole body is one event's data, of this media type.
    Opaque(MediaType),
    /// An Atom entry, which is one event.
    Entry,
    /// EventStore's batch: a JSON array of `{eventId, eventType, data, metadata}`.
    Batch,
    /// EventStore's batch as XML.
    BatchXml,
    /// One event a line, as JSON (NDJSON).
    Lines,
    /// One CloudEvent, as JSON.
    CloudEvent,
    /// A JSON array of CloudEvents.
    CloudEvents,
    /// The data of one CloudEvent, of this media type; its attributes are headers.
    CloudEventData(Option<MediaType>),
}

impl BodyFormat {
    /// Whether the event is a member that AtomPub knows (RFC 5023 §9.2): an entry, or media with an entry of ours
    /// beside it. Whoever POSTs one is shown its entry.
    #[must_use]
    pub fn is_member(&self) -> bool {
        match self {
            Self::Entry => true,
            Self::Opaque(media_type) => media_type.is_media(),
            Self::Batch
            | Self::BatchXml
            | Self::Lines
            | Self::CloudEvent
            | Self::CloudEvents
            | Self::CloudEventData(_) => false,
        }
    }
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
    /// JSON is exchanged in UTF-8 (RFC 8259 §8.1), and so are Atom and batches here.
    #[error(
        "JSON, Atom and batches are sent in UTF-8; send it so, with charset=utf-8 or without a charset, instead of \
         charset={0}"
    )]
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

/// What CloudEvents are sent as.
const CLOUDEVENTS: &str = "send one CloudEvent as application/cloudevents+json, several as \
                           application/cloudevents-batch+json, or the data of one under ce- headers";

/// What data of a CloudEvent are sent as that would be documents of their own.
const CLOUDEVENT_DATA: &str = "under ce- headers a body is the data of one CloudEvent; send several CloudEvents as \
                               application/cloudevents-batch+json, and other events without those headers";

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
        ("application", Some("events+xml" | "event+xml")) => {
            return check_charset(&media_type).map(|()| BodyFormat::BatchXml);
        }
        _ if essence == "application/x-ndjson" => return check_charset(&media_type).map(|()| BodyFormat::Lines),
        _ if essence == "application/cloudevents+json" => {
            return check_charset(&media_type).map(|()| BodyFormat::CloudEvent);
        }
        _ if essence == "application/cloudevents-batch+json" => {
            return check_charset(&media_type).map(|()| BodyFormat::CloudEvents);
        }
        (_, Some(_)) => ONE_EVENT,
        _ if essence == "application/atom+xml" && is_entry(&media_type) => {
            return check_charset(&media_type).map(|()| BodyFormat::Entry);
        }
        _ if essence.starts_with("application/cloudevents") => CLOUDEVENTS,
        _ => {
            if media_type.is_json() {
                check_charset(&media_type)?;
            }
            return Ok(BodyFormat::Opaque(media_type));
        }
    };
    Err(UnsupportedBody::Document { media_type: essence, instead })
}

/// The same when headers tell the attributes of a CloudEvent. They count only if the body does not tell them itself.
///
/// # Errors
/// When no body of this type is taken.
pub fn body_format_of_cloudevent(content_type: Option<&str>) -> Result<BodyFormat, UnsupportedBody> {
    match body_format(content_type) {
        Err(UnsupportedBody::Missing) => Ok(BodyFormat::CloudEventData(None)),
        Ok(BodyFormat::Opaque(media_type)) => Ok(BodyFormat::CloudEventData(Some(media_type))),
        Ok(whole @ (BodyFormat::CloudEvent | BodyFormat::CloudEvents)) => Ok(whole),
        Ok(
            BodyFormat::Entry
            | BodyFormat::Batch
            | BodyFormat::BatchXml
            | BodyFormat::Lines
            | BodyFormat::CloudEventData(_),
        ) => Err(UnsupportedBody::Document {
            media_type: content_type.unwrap_or_default().to_string(),
            instead: CLOUDEVENT_DATA,
        }),
        Err(error) => Err(error),
    }
}

/// Without `type` an Atom document may be an entry (RFC 5023 §12).
fn is_entry(media_type: &MediaType) -> bool {
    media_type.parameter("type").is_none_or(|kind| kind.eq_ignore_ascii_case("entry"))
}

fn check_charset(media_type: &MediaType) -> Result<(), UnsupportedBody> {
    media_type.other_charset().map_or(Ok(()), |charset| Err(UnsupportedBody::Charset(charset.to_string())))
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
    fn an_atom_document_is_an_entry_unless_it_says_otherwise() {
        for text in [
            "application/atom+xml",
            "application/ATOM+xml; type=entry",
            "application/atom+xml;type=\"Entry\"; charset=utf-8",
        ] {
            assert_eq!(body_format(Some(text)), Ok(BodyFormat::Entry), "{text}");
        }
        let refused = body_format(Some("application/atom+xml; charset=utf-16"));
        assert_eq!(refused, Err(UnsupportedBody::Charset("utf-16".to_string())));
    }

    #[test]
    fn four_types_are_batches_as_xml() {
        for text in [
            "application/vnd.eventstore.events+xml",
            "application/vnd.eventstore.event+xml; charset=utf-8",
            "application/vnd.kurrent.events+xml",
            "Application/Vnd.Kurrent.Event+XML",
        ] {
            assert_eq!(body_format(Some(text)), Ok(BodyFormat::BatchXml), "{text}");
        }
    }

    #[test]
    fn documents_are_never_stored_as_data() {
        for text in [
            "application/vnd.eventstore.atom+json",
            "application/vnd.kurrent.streamdesc+json; charset=utf-8",
            "text/vnd.kurrent.events+json",
            "application/vnd.eventstore.whatever",
            "application/cloudevents",
            "application/cloudevents+xml",
            "application/cloudevents-batch+xml",
        ] {
            let refused = body_format(Some(text)).expect_err(text);
            assert!(matches!(refused, UnsupportedBody::Document { .. }), "{text}: {refused}");
            assert!(refused.to_string().contains("is not taken here; send "), "{refused}");
        }
    }

    #[test]
    fn cloudevents_and_lines_are_told_by_their_media_types() {
        for (text, format) in [
            ("application/x-ndjson", BodyFormat::Lines),
            ("application/cloudevents+json; charset=UTF-8", BodyFormat::CloudEvent),
            ("Application/CloudEvents-Batch+JSON", BodyFormat::CloudEvents),
        ] {
            assert_eq!(body_format(Some(text)), Ok(format), "{text}");
        }
    }

    #[test]
    fn under_the_headers_of_a_cloudevent_any_body_is_its_data() {
        let png = MediaType::parse("image/png").expect("a media type");
        for (text, format) in [
            (None, BodyFormat::CloudEventData(None)),
            (Some("image/png"), BodyFormat::CloudEventData(Some(png))),
            (Some("application/cloudevents+json"), BodyFormat::CloudEvent),
            (Some("application/cloudevents-batch+json"), BodyFormat::CloudEvents),
        ] {
            assert_eq!(body_format_of_cloudevent(text), Ok(format), "{text:?}");
        }
        for text in ["application/x-ndjson", "application/vnd.eventstore.events+json", "application/atom+xml"] {
            let refused = body_format_of_cloudevent(Some(text)).expect_err(text);
            assert!(matches!(refused, UnsupportedBody::Document { .. }), "{text}: {refused}");
        }
    }

    #[test]
    fn json_in_another_charset_and_no_media_type_are_refused() {
        for text in [
            "application/json; charset=utf-16",
            "application/vnd.eventstore.events+json; charset=latin1",
            "application/x-ndjson; charset=latin1",
            "application/cloudevents+json; charset=utf-16",
        ] {
            assert!(matches!(body_format(Some(text)), Err(UnsupportedBody::Charset(_))), "{text}");
        }
        assert_eq!(body_format(None), Err(UnsupportedBody::Missing));
        assert_eq!(body_format(Some("json")), Err(UnsupportedBody::Malformed(InvalidMediaType::Malformed)));
    }
}
