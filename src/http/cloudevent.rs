//! CloudEvents in binary mode (HTTP binding §3.1): the attributes are `ce-` headers, and the body is the data.

use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode, utf8_percent_encode};

use crate::event::Event;
use crate::feed::cloudevent::{self, Attributes};

use super::problem::Problem;

/// What all names begin with.
const PREFIX: &str = "ce-";

/// What has to be encoded in a value, beside everything that is not ASCII.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'%');

/// The longest attributes that go out as headers, together with their names: a proxy takes some 4 KiB of headers in
/// all, and answers 502 for more.
const ATTRIBUTE_BYTES_MAX: usize = 2 << 10;

/// Whether the headers are those of a CloudEvent.
pub(crate) fn is_told(headers: &HeaderMap) -> bool {
    headers.contains_key("ce-specversion")
}

/// The attributes that the headers tell.
///
/// # Errors
/// When they are none, or one is missing.
pub(crate) fn attributes(headers: &HeaderMap) -> Result<Attributes, Problem> {
    let mut attributes = Attributes::default();
    for (header, value) in headers {
        let Some(name) = header.as_str().strip_prefix(PREFIX) else { continue };
        if name == "datacontenttype" {
            return Err(Problem::invalid_header(header.as_str(), "in this mode Content-Type says it"));
        }
        let text = decoded(value).ok_or_else(|| Problem::invalid_header(header.as_str(), "it is not UTF-8"))?;
        attributes.insert(name, text.into()).map_err(|fault| Problem::invalid_header(header.as_str(), fault))?;
    }
    let missing = |fault: cloudevent::AttributeFault| {
        let cloudevent::AttributeFault::Missing(name) = fault else { return Problem::invalid_header(PREFIX, fault) };
        Problem::invalid_header(&format!("{PREFIX}{name}"), fault)
    };
    attributes.check_required().map_err(missing)?;
    Ok(attributes)
}

/// Tells the attributes of an event whose data are the body, unless they are too long for headers: then it is no
/// CloudEvent, since half of one would be wrong.
pub(crate) fn insert(event: &Event, headers: &mut HeaderMap) {
    let (attributes, _) = cloudevent::of(event);
    let mut told = Vec::new();
    let mut bytes = 0;
    for (name, value) in attributes.iter().filter(|(name, _)| *name != "datacontenttype") {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_string);
        let value = utf8_percent_encode(&text, ENCODED).to_string();
        bytes += PREFIX.len() + name.len() + value.len();
        if ATTRIBUTE_BYTES_MAX < bytes {
            return;
        }
        let header = HeaderName::try_from(format!("{PREFIX}{name}")).expect("names are letters and digits");
        told.push((header, HeaderValue::try_from(value).expect("what is encoded is visible ASCII")));
    }
    headers.extend(told);
}

/// A value, taken out of double quotes if it is in them, then decoded once.
fn decoded(value: &HeaderValue) -> Option<String> {
    let raw = value.as_bytes().trim_ascii();
    let quoted = raw.strip_prefix(b"\"").and_then(|raw| raw.strip_suffix(b"\""));
    let unquoted = quoted.map(|inside| {
        let mut bytes = inside.iter();
        let mut plain = Vec::with_capacity(inside.len());
        while let Some(byte) = bytes.next() {
            plain.push(*if *byte == b'\\' { bytes.next().unwrap_or(byte) } else { byte });
        }
        plain
    });
    String::from_utf8(percent_decode(unquoted.as_deref().unwrap_or(raw)).collect()).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn says(value: &[u8]) -> Option<String> {
        decoded(&HeaderValue::from_bytes(value).expect("a value"))
    }

    #[test]
    fn values_are_unquoted_and_then_decoded_once() {
        for (value, text) in [
            (&b"plain"[..], "plain"),
            (b"Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro \u{20AC} \u{1F600}"),
            (b"\"in quotes\"", "in quotes"),
            (b"\"a \\\"b\\\\\"", "a \"b\\"),
            (b"%2520", "%20"),
            (b"100%", "100%"),
            ("caf\u{E9}".as_bytes(), "caf\u{E9}"),
            (b"", ""),
            (b"\"", "\""),
        ] {
            assert_eq!(says(value).as_deref(), Some(text));
        }
        assert_eq!(says(b"%C0%A0"), None, "an overlong encoding is no UTF-8");
        assert_eq!(says(b"\xE9"), None);
    }

    proptest! {
        #[test]
        fn any_text_comes_back_from_its_header(text in any::<String>()) {
            let value = utf8_percent_encode(&text, ENCODED).to_string();
            prop_assert_eq!(says(value.as_bytes()), Some(text));
        }
    }
}
