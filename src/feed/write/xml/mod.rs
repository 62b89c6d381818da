//! XML 1.0, as far as a writer needs it: which text can stand in a document, and how it is escaped.
//!
//! A page is cached for a year, so nothing ill-formed may ever get into one.

mod names;
#[cfg(test)]
mod tests;
mod well_formed;

pub(crate) use well_formed::{Outline, outline};

/// The text in these bytes, if a document can hold all of it: UTF-8 of nothing but characters of XML 1.0.
pub(crate) fn text(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok().filter(|text| is_representable(text))
}

/// XML 1.0 §2.2, `Char`. What is excluded cannot even be written as a reference.
pub(crate) fn is_representable(text: &str) -> bool {
    let bytes = text.as_bytes();
    let has_control = bytes.iter().any(|byte| *byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r'));
    // U+FFFE and U+FFFF; surrogates cannot occur in UTF-8.
    let is_noncharacter = |at: usize| matches!(bytes.get(at + 1..at + 3), Some([0xBF, 0xBE | 0xBF]));
    !has_control && !memchr::memchr_iter(0xEF, bytes).any(is_noncharacter)
}

/// Writes text between tags. A carriage return becomes a reference, or parsers would read a line feed.
pub(crate) fn push_text(text: &str, out: &mut Vec<u8>) {
    push_escaped(text, out, |byte| match byte {
        b'&' => Some(b"&amp;"),
        b'<' => Some(b"&lt;"),
        b'>' => Some(b"&gt;"),
        b'\r' => Some(b"&#13;"),
        _ => None,
    });
}

/// Writes the value of an attribute, between double quotes. White space other than the space becomes
/// references, or parsers would read spaces.
pub(crate) fn push_attribute(text: &str, out: &mut Vec<u8>) {
    push_escaped(text, out, |byte| match byte {
        b'&' => Some(b"&amp;"),
        b'<' => Some(b"&lt;"),
        b'>' => Some(b"&gt;"),
        b'"' => Some(b"&quot;"),
        b'\t' => Some(b"&#9;"),
        b'\n' => Some(b"&#10;"),
        b'\r' => Some(b"&#13;"),
        _ => None,
    });
}

/// Copies run by run, not byte by byte.
fn push_escaped(text: &str, out: &mut Vec<u8>, escape: impl Fn(u8) -> Option<&'static [u8]>) {
    let mut rest = text.as_bytes();
    while let Some((at, escaped)) = rest.iter().enumerate().find_map(|(at, byte)| Some((at, escape(*byte)?))) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(escaped);
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}
