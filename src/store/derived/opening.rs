//! How far the chunks are indexed, found out when a store is opened. An index can be built again from the chunks, so
//! one that is not whole is no damage: it counts as far as it is, and the rest is built in the background.

use std::collections::HashMap;
use std::path::Path;

use uuid::Uuid;

use crate::event::{Derived, Position};

use super::super::OpenError;
use super::super::door::Door;
use super::super::format::derived::code;
use super::super::format::{DerivedRecord, IndexRecord, Key, Malformed, all_derived_prefix};
use super::super::view::Sealed;
use super::{Indexed, files};

/// How many runs sled has for a chunk and a kind, and of how many events.
type Named = HashMap<(Derived, Position), (u32, u32)>;

/// How far sled says that the chunks are indexed.
pub(crate) fn recorded(door: &Door) -> Result<Indexed, OpenError> {
    let mut indexed = Indexed::default();
    for kind in Derived::ALL {
        if let Some(value) = door.get(&Key::Index { kind }.encode())? {
            indexed.set(kind, IndexRecord::decode(&value).map_err(malformed)?.until);
        }
    }
    Ok(indexed)
}

/// How far they are: as far as sled names all that the index files hold. Should it have lost some without a word,
/// their streams would look as if they ended earlier.
pub(crate) fn read_indexed(door: &Door, dir: &Path, log: Uuid, sealed: &Sealed) -> Result<Indexed, OpenError> {
    let recorded = recorded(door)?;
    let named = named(door)?;
    let mut indexed = Indexed::default();
    for kind in Derived::ALL {
        for chunk in sealed.chunks.iter().take_while(|chunk| chunk.first < recorded.until(kind)) {
            let (streams, events) = named.get(&(kind, chunk.first)).copied().unwrap_or_default();
            let is_whole = files::read_header(dir, chunk.first, kind).is_ok_and(|header| {
                (header.log, header.first, header.end) == (log, chunk.first, chunk.end)
                    && (header.streams, header.events) == (streams, events)
            });
            if !is_whole {
                let name = format!("chunks/{}.{}", chunk.first, code(kind));
                tracing::warn!(name, "an index of derived streams is not whole; it is built anew");
                break;
            }
            indexed.set(kind, chunk.end);
        }
    }
    Ok(indexed)
}

fn named(door: &Door) -> Result<Named, OpenError> {
    let mut named = Named::new();
    let mut failed = None;
    door.scan(&all_derived_prefix(), &all_derived_prefix(), |key, value| {
        match (Key::decode(key), DerivedRecord::decode(value)) {
            (Ok(Key::Derived { stream, .. }), Ok(run)) => {
                if let Some(kind) = Derived::named(&stream) {
                    let (streams, events) = named.entry((kind, run.chunk)).or_default();
                    *streams += 1;
                    *events = events.saturating_add(run.events);
                }
            }
            (Err(error), _) | (_, Err(error)) => failed = Some(error),
            (Ok(_), Ok(_)) => failed = Some(Malformed("key")),
        }
        failed.is_none()
    })?;
    failed.map_or(Ok(named), |error| Err(malformed(error)))
}

fn malformed(error: Malformed) -> OpenError {
    OpenError::Damaged { what: error.to_string() }
}
