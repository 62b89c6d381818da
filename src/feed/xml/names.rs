//! Names: XML 1.0 (fifth edition) §2.3 and Namespaces in XML 1.0 §4.

use crate::event::limits::XML_NAME_BYTES_MAX;

/// A name, in its two parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Name<'a> {
    /// As it stands in the document.
    pub(super) whole: &'a str,
    /// Before the colon; empty without one.
    pub(super) prefix: &'a str,
    /// After the colon.
    pub(super) local: &'a str,
}

impl<'a> Name<'a> {
    /// The name at the start of a text: up to the first character that cannot be part of one.
    pub(super) fn at_start_of(text: &'a str) -> Result<Self, &'static str> {
        let ascii = text.bytes().position(|byte| !is_ascii_name_char(byte)).unwrap_or(text.len());
        // Most names are ASCII; the others go on from where that ends.
        let end = ascii + text[ascii..].find(|c| !is_name_char(c)).unwrap_or(text.len() - ascii);
        let whole = &text[..end];
        if whole.is_empty() {
            return Err("a name is missing");
        }
        if whole.len() > XML_NAME_BYTES_MAX {
            return Err("a name is too long");
        }
        let (prefix, local) = whole.split_once(':').unwrap_or(("", whole));
        let is_ncname = |part: &str| part.starts_with(is_name_start) && !part.contains(':');
        if !is_ncname(local) || (whole.contains(':') && !is_ncname(prefix)) {
            return Err("a name is malformed");
        }
        Ok(Self { whole, prefix, local })
    }
}

const fn is_ascii_name_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b':')
}

pub(crate) fn is_name_start(c: char) -> bool {
    matches!(c,
        'a'..='z' | 'A'..='Z' | '_'
        | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}' | '\u{370}'..='\u{37D}'
        | '\u{37F}'..='\u{1FFF}' | '\u{200C}'..='\u{200D}' | '\u{2070}'..='\u{218F}' | '\u{2C00}'..='\u{2FEF}'
        | '\u{3001}'..='\u{D7FF}' | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}' | '\u{10000}'..='\u{EFFFF}')
}

pub(crate) fn is_name_char(c: char) -> bool {
    is_name_start(c)
        || matches!(c, '0'..='9' | '-' | '.' | ':' | '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}')
}
