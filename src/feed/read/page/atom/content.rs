//! What a text construct or the content of an entry says, as bytes of a media type (RFC 4287 §§3.1, 4.1.3).

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;

use super::PageFault;
use crate::event::MediaType;

/// As RFC 4648 §4 has it. Whether it is padded tells nobody anything.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Bytes, and how to read them.
#[derive(Debug, Clone)]
pub(super) struct Content {
    pub(super) media_type: String,
    pub(super) data: Bytes,
}

/// How bytes stand in a document, by the `type` that they have there.
#[derive(Debug, Clone)]
pub(super) struct Written {
    media_type: String,
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    /// As one element.
    Element,
    Base64,
}

impl Written {
    /// A text construct.
    pub(super) fn of_text(kind: Option<&str>) -> Self {
        let (media_type, form) = match kind {
            Some("html") => ("text/html", Form::Text),
            Some("xhtml") => ("application/xhtml+xml", Form::Element),
            _ => ("text/plain", Form::Text),
        };
        Self { media_type: media_type.to_string(), form }
    }

    /// Content.
    pub(super) fn of(kind: Option<&str>) -> Result<Self, PageFault> {
        let (media_type, form) = match kind {
            None | Some("text" | "html" | "xhtml") => return Ok(Self::of_text(kind)),
            Some(named) => {
                let invalid = PageFault::Invalid { name: "the type of content", what: "a media type" };
                let media_type = MediaType::parse(named).map_err(|_| invalid)?;
                let form = if media_type.is_xml() {
                    Form::Element
                } else if media_type.is_text() {
                    Form::Text
                } else {
                    Form::Base64
                };
                (named, form)
            }
        };
        Ok(Self { media_type: media_type.to_string(), form })
    }

    /// The bytes. `element` is the first element inside, as a document of its own; `text` what stands beside it.
    pub(super) fn read(self, text: String, element: Option<Bytes>) -> Result<Content, PageFault> {
        let data = match (self.form, element) {
            (Form::Element, Some(element)) => element,
            // Some publish XML that they have escaped; it is what it says nonetheless.
            (Form::Element | Form::Text, None) => text.into(),
            (Form::Base64, None) => base64(&text)
                .or_else(|| is_json(&self.media_type, &text).then(|| text.into()))
                .ok_or(PageFault::Invalid { name: "content of this media type", what: "base64" })?,
            (Form::Text | Form::Base64, Some(_)) => {
                return Err(PageFault::Invalid {
                    name: "content of this type",
                    what: "text alone; there is an element in it",
                });
            }
        };
        Ok(Content { media_type: self.media_type, data })
    }
}

/// The bytes that a text stands for, lines and all.
pub(super) fn base64(text: &str) -> Option<Bytes> {
    let text: Vec<u8> = text.bytes().filter(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).collect();
    BASE64.decode(text).ok().map(Bytes::from)
}

/// Many publish JSON as it is. An array, an object or a string cannot be taken for base64.
fn is_json(media_type: &str, text: &str) -> bool {
    let is_json = MediaType::parse(media_type).is_ok_and(|media_type| media_type.is_json());
    is_json && text.trim_start().starts_with(['{', '[', '"'])
}
