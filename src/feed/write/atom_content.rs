//! The `content` of an Atom entry (RFC 4287 §4.1.3): which form an event's data can take there.

use crate::event::limits::INLINE_CONTENT_BYTES_MAX;
use crate::event::{Content, MediaType};
use crate::feed::AtomContent;

use super::text::push_base64;
use super::xml;

/// How an event's data stands in its entry.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Form<'a> {
    /// As text. Plain text is `type="text"`, any other keeps its media type, which RFC 4287 reads as text too.
    Text(&'a str),
    /// As an element.
    Element { document: &'a str, outline: xml::Outline },
    /// In base64.
    Base64,
    /// At the event's `/data`. Besides what is large, and pictures, sound and fonts, which are members of their own
    /// (RFC 5023 §9.6), this is what RFC 4287 leaves for text and XML that no
    /// document can hold as such: under their media types, base64 would be taken for the text itself.
    OutOfLine,
}

impl<'a> Form<'a> {
    pub(super) fn of(content: &'a Content, wanted: AtomContent) -> Self {
        let Content { media_type, data, .. } = content;
        let is_elsewhere = wanted == AtomContent::OutOfLine || media_type.is_composite() || media_type.is_media();
        if is_elsewhere || data.len() > INLINE_CONTENT_BYTES_MAX {
            return Self::OutOfLine;
        }
        let is_xml = media_type.is_xml();
        if !is_xml && !media_type.is_text() {
            return Self::Base64;
        }
        let Some(text) = xml::text(data).filter(|_| is_utf8(media_type)) else { return Self::OutOfLine };
        if !is_xml {
            return Self::Text(text);
        }
        match xml::outline(text) {
            // What stands beside the root element would be lost, and instructions could reach a browser.
            Ok(outline) if outline.is_root_alone => Self::Element { document: text, outline },
            Ok(_) | Err(_) => Self::OutOfLine,
        }
    }
}

/// Writes the `content` element. `data_url` needs no escaping.
pub(super) fn push(content: &Content, wanted: AtomContent, data_url: &[&str], out: &mut Vec<u8>) {
    let media_type = &content.media_type;
    out.extend_from_slice(b"<content");
    match Form::of(content, wanted) {
        Form::Text(text) => {
            let is_plain = media_type.as_str().eq_ignore_ascii_case("text/plain");
            push_type(if is_plain { "text" } else { media_type.as_str() }, out);
            out.push(b'>');
            xml::push_text(text, out);
        }
        Form::Base64 => {
            push_type(media_type.as_str(), out);
            out.push(b'>');
            push_base64(&content.data, out);
        }
        Form::Element { document, outline } => {
            push_type(media_type.as_str(), out);
            // Relative references in it keep leading where they lead in the document itself.
            push_url(b" xml:base=\"", data_url, out);
            out.push(b'>');
            out.extend_from_slice(&document.as_bytes()[outline.root.start..outline.root_name_end]);
            // Or its elements without a namespace would be taken for Atom's.
            if !outline.declares_default_namespace {
                out.extend_from_slice(b" xmlns=\"\"");
            }
            out.extend_from_slice(&document.as_bytes()[outline.root_name_end..outline.root.end]);
        }
        Form::OutOfLine => {
            // RFC 4287 §4.1.3.1 forbids composite types; without one, the answer's own type counts.
            if !media_type.is_composite() {
                push_type(media_type.as_str(), out);
            }
            push_url(b" src=\"", data_url, out);
            out.push(b'>');
        }
    }
    out.extend_from_slice(b"</content>");
}

fn push_type(media_type: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b" type=\"");
    xml::push_attribute(media_type, out);
    out.push(b'"');
}

fn push_url(name: &[u8], url: &[&str], out: &mut Vec<u8>) {
    out.extend_from_slice(name);
    for part in url {
        out.extend_from_slice(part.as_bytes());
    }
    out.push(b'"');
}

/// Text in another encoding would be read wrongly, even where its bytes happen to be UTF-8.
pub(super) fn is_utf8(media_type: &MediaType) -> bool {
    media_type
        .parameter("charset")
        .is_none_or(|charset| charset.eq_ignore_ascii_case("utf-8") || charset.eq_ignore_ascii_case("us-ascii"))
}
