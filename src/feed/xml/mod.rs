//! XML 1.0, as far as documents need it: which text can stand in one, how it is escaped, and whether what a
//! producer sent is well-formed.
//!
//! A page is cached for a year, so nothing ill-formed may ever get into one.

#[cfg(feature = "server")]
mod indented;
mod names;
#[cfg(test)]
mod tests;
mod well_formed;

#[cfg(feature = "server")]
pub(crate) use indented::indented;
pub(crate) use names::{is_name_char, is_name_start};
pub(crate) use well_formed::{IllFormed, Outline, outline};

/// The text in these bytes, if a document can hold all of it: UTF-8 of nothing but characters of XML 1.0.
pub(crate) fn text(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok().filter(|text| is_representable(text))
}

/// XML 1.0 §2.2, `Char`. What is excluded cannot even be written as a reference.
pub(crate) fn is_representable(text: &str) -> bool {
    let bytes = text.as_bytes();
    // Without leaving early, which is faster for the many texts that have none.
    let has_control =
        bytes.iter().fold(false, |found, byte| found | (*byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r')));
    // U+FFFE and U+FFFF; surrogates cannot occur in UTF-8.
    let is_noncharacter = |at: usize| matches!(bytes.get(at + 1..at + 3), Some([0xBF, 0xBE | 0xBF]));
    !has_control && !memchr::memchr_iter(0xEF, bytes).any(is_noncharacter)
}

/// Writes text between tags. A carriage return becomes a reference, or parsers would read a line feed.
pub(crate) fn push_text(text: &str, out: &mut Vec<u8>) {
    push_escaped(text, &SPECIAL_IN_TEXT, out);
}

/// Writes the value of an attribute, between double quotes. White space other than the space becomes
/// references, or parsers would read spaces.
pub(crate) fn push_attribute(text: &str, out: &mut Vec<u8>) {
    push_escaped(text, &SPECIAL_IN_ATTRIBUTES, out);
}

static SPECIAL_IN_TEXT: [bool; 256] = table(b"&<>\r");
static SPECIAL_IN_ATTRIBUTES: [bool; 256] = table(b"&<>\"\t\n\r");

const fn table(special: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut at = 0;
    while at < special.len() {
        table[special[at] as usize] = true;
        at += 1;
    }
    table
}

/// Copies run by run, not byte by byte.
fn push_escaped(text: &str, special: &[bool; 256], out: &mut Vec<u8>) {
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|byte| special[usize::from(*byte)]) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(match rest[at] {
            b'&' => b"&amp;",
            b'<' => b"&lt;",
            b'>' => b"&gt;",
            b'"' => b"&quot;",
            b'\t' => b"&#9;",
            b'\n' => b"&#10;",
            _ => b"&#13;",
        });
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}
