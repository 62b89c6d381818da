//! One Atom entry (RFC 4287 §4.1.2) as an event. All of it is the event's data, byte for byte.

use bytes::Bytes;
use uuid::Uuid;

use super::{BodyFault, Heading, UnreadableBody, identify};
use crate::event::limits::EVENT_BYTES_MAX;
use crate::event::{Content, EventId, EventType, MediaType, NewEvent};
use crate::feed::atom_entry::{self, Entry, TYPE_SCHEME};

/// The type of an event whose entry has no category.
const TYPE_WITHOUT_CATEGORY: &str = "entry";

/// Reads an entry.
pub(super) fn event(
    body: Bytes,
    heading: &Heading,
    new_id: &mut dyn FnMut() -> EventId,
) -> Result<NewEvent, UnreadableBody> {
    let metadata = heading.metadata();
    let bytes = body.len() + metadata.as_ref().map_or(0, Bytes::len);
    if EVENT_BYTES_MAX < bytes {
        return Err(BodyFault::EventTooLarge { bytes }.into());
    }
    let entry = atom_entry::read(&body)
        .map_err(|fault| UnreadableBody::at(&body, fault.at, BodyFault::InvalidEntry(fault.why)))?;
    let event_type = match &heading.event_type {
        Some(event_type) => event_type.clone(),
        None => event_type(&entry)?,
    };
    let given = match (heading.event_id, entry.id()) {
        (Some(id), _) => Some(id),
        (None, Some(iri)) => Some(event_id(iri)?),
        (None, None) => None,
    };
    let (id, id_is_fresh) = identify(given, heading.idempotency_key.as_deref(), 0, new_id);
    let content = Content { media_type: MediaType::atom_entry(), data: body, metadata, trace_parent: None };
    Ok(NewEvent { id, id_is_fresh, event_type, content })
}

/// What the entry's categories say that happened.
fn event_type(entry: &Entry<'_>) -> Result<EventType, BodyFault> {
    let of_type = entry.categories().find(|(scheme, _)| *scheme == Some(TYPE_SCHEME));
    let term = of_type.or_else(|| entry.categories().next()).map_or(TYPE_WITHOUT_CATEGORY, |(_, term)| term);
    EventType::parse(term).map_err(BodyFault::InvalidCategory)
}

/// A UUID is an event's id as it is; of any other IRI one is made.
fn event_id(iri: &str) -> Result<EventId, BodyFault> {
    const UUID_URN: &str = "urn:uuid:";
    let uuid = iri
        .get(..UUID_URN.len())
        .filter(|start| start.eq_ignore_ascii_case(UUID_URN))
        .and_then(|start| iri.get(start.len()..))
        .filter(|text| text.len() == uuid::fmt::Hyphenated::LENGTH)
        .and_then(|text| Uuid::try_parse(text).ok());
    match uuid {
        Some(uuid) => EventId::new(uuid).map_err(|nil| BodyFault::NilEventId("the id of an entry", nil)),
        None => Ok(EventId::from_atom_id(iri)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::NilEventId;

    const MADE: Uuid = Uuid::from_u128(7);
    const NAMED: Uuid = Uuid::from_u128(0x0190_c6a4_7b1e_7f5e_9a52_1f6f_2d3c_4b5a);

    fn read(inside: &str, heading: &Heading) -> Result<NewEvent, UnreadableBody> {
        let body = Bytes::from(format!("<entry xmlns='http://www.w3.org/2005/Atom'>{inside}</entry>"));
        let event = event(body.clone(), heading, &mut || EventId::new(MADE).expect("not nil"))?;
        assert_eq!(event.content.data, body, "kept as sent");
        assert_eq!(event.content.media_type, MediaType::atom_entry());
        Ok(event)
    }

    fn event_type_of(inside: &str) -> Result<String, BodyFault> {
        let heading = Heading::default();
        read(inside, &heading).map(|event| event.event_type.to_string()).map_err(|refused| refused.fault)
    }

    #[test]
    fn a_category_says_what_happened() {
        let of_type = "<category term='a'/><category term='b' scheme='urn:everfeed:type'/>";
        assert_eq!(event_type_of(of_type).as_deref(), Ok("b"));
        assert_eq!(event_type_of("<category term='a' scheme='x'/><category term='b'/>").as_deref(), Ok("a"));
        assert_eq!(event_type_of("<title>none</title>").as_deref(), Ok("entry"));
        assert!(matches!(event_type_of("<category term=''/>"), Err(BodyFault::InvalidCategory(_))));
        let heading = Heading { event_type: EventType::parse("header").ok(), ..Heading::default() };
        assert_eq!(read("<category term=''/>", &heading).expect("an event").event_type.as_str(), "header");
    }

    #[test]
    fn its_id_is_the_events() {
        let by_default = Heading::default();
        let id = |inside: &str, heading: &Heading| {
            let event = read(inside, heading).expect("an event");
            (event.id.uuid(), event.id_is_fresh)
        };
        let of_urn = format!("<id> urn:UUID:{} </id>", NAMED.hyphenated().to_string().to_uppercase());
        assert_eq!(id(&of_urn, &by_default), (NAMED, false));
        let of_tag = (EventId::from_atom_id("tag:a,2026:b").uuid(), false);
        assert_eq!(id("<id>tag:a,2026:b</id>", &by_default), of_tag);
        let simple = format!("urn:uuid:{}", NAMED.simple());
        let of_text = (EventId::from_atom_id(&simple).uuid(), false);
        assert_eq!(id(&format!("<id>{simple}</id>"), &by_default), of_text, "no UUID as RFC 9562 writes it");
        assert_eq!(id("", &by_default), (MADE, true));

        let named = Heading { event_id: EventId::new(NAMED).ok(), ..Heading::default() };
        assert_eq!(id("<id>tag:a,2026:b</id>", &named), (NAMED, false));
        let keyed = Heading { idempotency_key: Some(Bytes::from_static(b"key")), ..Heading::default() };
        assert_eq!(id("<id>tag:a,2026:b</id>", &keyed), of_tag);
        assert_eq!(id("", &keyed), (EventId::from_idempotency_key(b"key", 0).uuid(), false));

        let nil = read("<id>urn:uuid:00000000-0000-0000-0000-000000000000</id>", &by_default);
        assert_eq!(nil.expect_err("it is nil").fault, BodyFault::NilEventId("the id of an entry", NilEventId));
    }

    #[test]
    fn a_slug_is_kept_as_metadata_and_counts() {
        let heading = Heading { slug: Some("S\u{e8}te \"1\"".to_string()), ..Heading::default() };
        let metadata = read("", &heading).expect("an event").content.metadata.expect("metadata");
        assert_eq!(metadata, "{\"slug\":\"S\u{e8}te \\\"1\\\"\"}".as_bytes());
        let frame = "<entry xmlns='http://www.w3.org/2005/Atom'><title></title></entry>".len();
        let filled = |bytes: usize| format!("<title>{}</title>", "x".repeat(bytes - frame));
        assert!(read(&filled(EVENT_BYTES_MAX), &Heading::default()).is_ok());
        let refused = read(&filled(EVENT_BYTES_MAX), &heading).expect_err("too large");
        assert!(refused.is_too_large());
    }
}
