//! Event ids: UUIDs of any version, and how identities that are not UUIDs become one.

use std::fmt;

use uuid::Uuid;
use uuid::fmt::Hyphenated;

use super::{Number, Position, StreamName};

/// The id that a producer gave an event, or the server made for it. Any UUID but the nil one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId(Uuid);

/// The nil UUID names nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the nil UUID (all zeros) is no event id")]
pub struct NilEventId;

/// The namespace of ids that are derived from identities of another kind. Part of the stored format: it
/// decides which repeats are recognised, so it never changes.
const DERIVED: Uuid = Uuid::from_u128(0x5f3c_1b9e_8a07_5d54_9c1e_0e6b_77c2_41d8);

impl EventId {
    /// # Errors
    /// For the nil UUID.
    pub fn new(uuid: Uuid) -> Result<Self, NilEventId> {
        if uuid.is_nil() { Err(NilEventId) } else { Ok(Self(uuid)) }
    }

    /// The id of event `index` of the batch that was sent under this `Idempotency-Key`.
    #[must_use]
    pub fn from_idempotency_key(key: &[u8], index: usize) -> Self {
        Self::derived(&[b"key", key, index.to_string().as_bytes()])
    }

    /// The id of an event that the server itself writes, such as the settings that a deletion leaves: each number
    /// of a stream is written once.
    #[must_use]
    pub fn of_server(stream: &StreamName, number: Number) -> Self {
        Self::derived(&[b"server", stream.as_str().as_bytes(), number.to_string().as_bytes()])
    }

    /// The id of the CloudEvent with this `source` and `id`. An `id` that is a UUID, as five groups of hex digits, is
    /// the id itself; any other identifies its event only together with the source.
    #[must_use]
    pub fn from_cloudevent(source: &str, id: &str) -> Self {
        let uuid = Some(id).filter(|id| id.len() == Hyphenated::LENGTH).and_then(|id| Uuid::try_parse(id).ok());
        uuid.and_then(|uuid| Self::new(uuid).ok())
            .unwrap_or_else(|| Self::derived(&[b"ce", source.as_bytes(), id.as_bytes()]))
    }

    /// The id of the event that was sent as the Atom entry with this `id`, an IRI that is no UUID.
    #[must_use]
    pub fn from_atom_id(iri: &str) -> Self {
        Self::derived(&[b"atom", iri.as_bytes()])
    }

    /// The id of the event that a repair puts at a position whose own event is lost.
    #[must_use]
    pub fn of_lost(log: Uuid, position: Position) -> Self {
        Self::derived(&[b"lost", log.as_bytes(), position.to_string().as_bytes()])
    }

    /// The id under which an event is shown to those who may not read its stream. It tells no more than the position,
    /// which they are shown as well.
    #[must_use]
    pub fn of_hidden(log: Uuid, position: Position) -> Self {
        Self::derived(&[b"hidden", log.as_bytes(), position.to_string().as_bytes()])
    }

    /// UUIDv5 over the parts, each preceded by its length (32 bits, big-endian), so that no two lists of
    /// parts are alike.
    fn derived(parts: &[&[u8]]) -> Self {
        let mut name = Vec::with_capacity(parts.iter().map(|part| part.len() + 4).sum());
        for part in parts {
            let bytes = u32::try_from(part.len()).expect("identities are shorter than a request");
            name.extend_from_slice(&bytes.to_be_bytes());
            name.extend_from_slice(part);
        }
        Self(Uuid::new_v5(&DERIVED, &name))
    }

    /// The id as a UUID.
    #[must_use]
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_ids_are_part_of_the_format() {
        let of_key = EventId::from_idempotency_key(b"order-1", 0);
        assert_eq!(of_key.to_string(), "bbb79915-3b46-5007-88b0-e29475ccd242");
        assert_ne!(EventId::from_idempotency_key(b"order-1", 0), EventId::from_idempotency_key(b"order-1", 1));
        assert_eq!(EventId::from_atom_id("tag:example.org,2026:1").to_string(), "d8cc107b-948c-501e-b6e6-b94a4f02eb50");
        assert_ne!(EventId::derived(&[b"a", b"bc"]), EventId::derived(&[b"ab", b"c"]));
    }

    #[test]
    fn the_id_of_a_cloudevent_is_part_of_the_format() {
        let uuid = "0190c6a4-7b1e-7f5e-9a52-1f6f2d3c4b5a";
        let derived = "fc445b23-2dde-55b0-9448-3c790e7d27b1";
        let id = |source: &str, id: &str| EventId::from_cloudevent(source, id).to_string();
        assert_eq!(id("/shop", uuid), uuid);
        assert_eq!(id("/shop", &uuid.to_uppercase()), uuid);
        assert_eq!(id("/shop", "order-1"), derived);
        assert_ne!(id("/other", "order-1"), derived, "an id says nothing without its source");
        for no_uuid in [&uuid.replace('-', ""), &format!("urn:uuid:{uuid}"), &Uuid::nil().to_string()] {
            assert_eq!(EventId::from_cloudevent("/shop", no_uuid).uuid().get_version_num(), 5, "{no_uuid}");
        }
    }

    #[test]
    fn the_nil_uuid_is_refused() {
        assert_eq!(EventId::new(Uuid::nil()), Err(NilEventId));
    }
}
