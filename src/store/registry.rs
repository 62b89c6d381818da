//! What sled holds beside events, as one checksum.
//!
//! sled notices a changed bit, and then may go on without what it cannot read: from a page as it was earlier, or without
//! all that was written later. Of events and chunks that is seen, since they follow each other without gaps. Of the rest
//! only this tells: what was taken down when the store was closed is compared when it is opened.

use super::door::{Door, Failure};
use super::format::registry_prefixes;

pub(crate) fn checksum(door: &Door) -> Result<u32, Failure> {
    let mut crc = 0;
    for prefix in registry_prefixes() {
        door.scan(&prefix, &prefix, |key, value| {
            // The key's length, so that no byte of a value passes for one of a key.
            crc = crc32c::crc32c_append(crc, &(key.len() as u32).to_be_bytes());
            crc = crc32c::crc32c_append(crc, key);
            crc = crc32c::crc32c_append(crc, value);
            true
        })?;
    }
    Ok(crc)
}
