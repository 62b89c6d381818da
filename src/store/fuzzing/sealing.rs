//! Puts the checksums right in whatever lies where a layout has them.

use bytes::Bytes;
use memchr::memmem;

use super::super::format::block::BLOCK_MAGIC;
use super::super::format::chunk::{HEADER_BYTES, TRAILER_BYTES};
use super::super::format::{derived, group};

/// A record's content, with its checksum behind it.
pub(super) fn record(content: &[u8]) -> Vec<u8> {
    [content, &crc32c::crc32c(content).to_be_bytes()].concat()
}

/// A marker's lines, with their checksum as the last one.
pub(super) fn marker(text: &str) -> String {
    let text = text.find("crc-32c ").map_or(text, |end| &text[..end]);
    format!("{text}crc-32c {:08x}\n", crc32c::crc32c(text.as_bytes()))
}

/// Groups and blocks, wherever they lie.
pub(super) fn sealed(case: &[u8]) -> Bytes {
    let mut bytes = case.to_vec();
    for at in places(&bytes, group::MAGIC) {
        let header = if bytes.get(at + 10..at + 12) == Some(&[0, 0]) { 72 } else { 48 };
        seal(&mut bytes, at, 44, 32, header);
    }
    for at in places(&bytes, BLOCK_MAGIC) {
        seal(&mut bytes, at, 20, 4, 24);
    }
    bytes.into()
}

/// A chunk's file: its header, its blocks, its sections, its directory.
pub(super) fn chunk(case: &[u8]) -> Bytes {
    let mut bytes = sealed(case).to_vec();
    if bytes.len() >= HEADER_BYTES {
        put_crc(&mut bytes, 0, HEADER_BYTES - 4, HEADER_BYTES - 4);
    }
    let Some(trailer) = bytes.len().checked_sub(TRAILER_BYTES) else { return bytes.into() };
    let Some(directory) = number(&bytes, trailer, 8).filter(|start| *start <= trailer) else { return bytes.into() };
    for entry in (directory + 4..trailer).step_by(32).filter(|entry| entry + 32 <= trailer) {
        let (offset, length) = (number(&bytes, entry + 4, 8), number(&bytes, entry + 12, 8));
        let end = offset.zip(length).and_then(|(offset, length)| offset.checked_add(length));
        if let Some((start, end)) = offset.zip(end).filter(|(_, end)| *end <= directory) {
            put_crc(&mut bytes, start, end, entry + 28);
        }
    }
    put_crc(&mut bytes, directory, trailer, trailer + 12);
    bytes.into()
}

/// An index file: its header, which says how long it is, and its blocks.
pub(super) fn index(case: &[u8]) -> Bytes {
    let mut bytes = case.to_vec();
    let mut at = derived::HEADER_BYTES;
    while let Some(length) = number(&bytes, at + 4, 4).filter(|length| at + 20 + length <= bytes.len()) {
        seal(&mut bytes, at, 16, 4, 20);
        at += 20 + length;
    }
    if bytes.len() >= derived::HEADER_BYTES {
        let length = (bytes.len() as u64).to_be_bytes();
        bytes[56..64].copy_from_slice(&length);
        put_crc(&mut bytes, 0, 64, 64);
    }
    bytes.into()
}

/// Where this stands.
fn places(bytes: &[u8], magic: &[u8]) -> Vec<usize> {
    memmem::find_iter(bytes, magic).collect()
}

/// Something with a checksum at `crc`, which is of what lies before it and of what lies behind it up to the end of a
/// payload: that begins at `header`, and its length stands at `length`.
fn seal(bytes: &mut [u8], at: usize, crc: usize, length: usize, header: usize) {
    let end = number(bytes, at + length, 4).map(|length| at + header + length);
    if let Some(end) = end.filter(|end| *end <= bytes.len()) {
        let sum = crc32c::crc32c_append(crc32c::crc32c(&bytes[at..at + crc]), &bytes[at + crc + 4..end]);
        bytes[at + crc..at + crc + 4].copy_from_slice(&sum.to_be_bytes());
    }
}

fn put_crc(bytes: &mut [u8], start: usize, end: usize, at: usize) {
    let sum = crc32c::crc32c(&bytes[start..end]);
    bytes[at..at + 4].copy_from_slice(&sum.to_be_bytes());
}

/// The big-endian number of so many bytes.
fn number(bytes: &[u8], at: usize, count: usize) -> Option<usize> {
    let digits = bytes.get(at..at.checked_add(count)?)?;
    digits.iter().try_fold(0_usize, |number, digit| number.checked_mul(256)?.checked_add(usize::from(*digit)))
}
