//! Atom XML: RFC 4287, with the archive documents of RFC 5005 and the `edited` of RFC 5023.
//!
//! Everything in a page follows from its events and the base URL: no clock, no version, no setting. Changing a
//! byte here means raising the representation's revision.

use uuid::Uuid;

use crate::address::{BaseUrl, Shape, StreamPath};
use crate::event::{Event, Number, Source, StreamName};
use crate::feed::atom_entry::Kind;
use crate::feed::{AtomContent, Representation};

use super::posted::Posted;
use super::text::{push_base64, push_decimal, push_time};
use super::{Document, Feed, atom_content, place_in, service, xml};

const DECLARATION: &[u8] = b"<?xml version=\"1.0\" encoding=\"utf-8\"?>\n";
const NAMESPACES: &[u8] =
    b" xmlns=\"http://www.w3.org/2005/Atom\" xmlns:app=\"http://www.w3.org/2007/app\" xmlns:ef=\"urn:everfeed:1\"";
const HISTORY: &[u8] = b" xmlns:fh=\"http://purl.org/syndication/history/1.0\"";
const AUTHOR: &[u8] = b"<author><name>Everfeed</name></author>";

/// A feed as Atom XML.
pub(super) struct FeedXml<'a> {
    content: AtomContent,
    feed: &'a Feed<'a>,
    stream: Option<StreamForms>,
}

impl<'a> FeedXml<'a> {
    pub(super) fn new(content: AtomContent, feed: &'a Feed<'a>) -> Self {
        Self { content, feed, stream: None }
    }
}

impl Document for FeedXml<'_> {
    fn begin(&mut self, out: &mut Vec<u8>) {
        let Feed { base, log, source, shape, visible, page_size, times, created, etag: _ } = *self.feed;
        let representation = Representation::Atom { content: self.content };
        let paging = representation.paging(page_size);
        let extent = paging.extent(source, shape, visible);

        out.extend_from_slice(DECLARATION);
        out.extend_from_slice(b"<feed");
        out.extend_from_slice(NAMESPACES);
        out.extend_from_slice(HISTORY);
        out.extend_from_slice(b">\n<title>");
        xml::push_text(source.name(), out);
        out.extend_from_slice(b"</title>\n<id>");
        push_urn(log, "stream", source.name(), out);
        out.extend_from_slice(b"</id>\n<updated>");
        push_time(times.map_or(created, |(_oldest, newest)| newest), out);
        out.extend_from_slice(b"</updated>\n");
        out.extend_from_slice(AUTHOR);
        out.extend_from_slice(b"\n<generator>Everfeed</generator>\n");
        if extent.is_complete && extent.is_canonical {
            out.extend_from_slice(b"<fh:archive/>\n");
        }
        for link in paging.links(&representation.at(base, source), shape, visible) {
            push_link(link.rel, link.media_type, &[link.href.as_str()], out);
            out.push(b'\n');
        }
        if matches!((shape, source), (Shape::Head, Source::Stream(stream)) if !stream.is_system()) {
            service::push_collection("app:", source, base, out);
            out.push(b'\n');
        }
    }

    fn entry(&mut self, event: &Event, place: Number, out: &mut Vec<u8>) {
        let Feed { base, log, source, .. } = *self.feed;
        // In `$all` neighbours are of different streams; everywhere else this happens once.
        let stream = match self.stream.take() {
            Some(forms) if forms.name == event.stream => forms,
            _ => StreamForms::new(base, &event.stream),
        };
        out.extend_from_slice(b"<entry");
        push_entry(self.content, log, self.stream.insert(stream), place_in(source, place), event, b"", out);
        out.extend_from_slice(b"</entry>\n");
    }

    /// RFC 6721. A feed of streams tells of streams, whose first event may be gone while they are there.
    fn deleted(&mut self, event: &Event, place: Number, out: &mut Vec<u8>) {
        let Feed { base, log, source, .. } = *self.feed;
        let stream = StreamForms::new(base, &event.stream);
        out.extend_from_slice(b"<at:deleted-entry xmlns:at=\"http://purl.org/atompub/tombstones/1.0\" ref=\"");
        let (mut number, mut position) = (Vec::with_capacity(20), Vec::with_capacity(20));
        push_decimal(event.number.get(), &mut number);
        push_decimal(event.position.get(), &mut position);
        let digits = |digits: &[u8]| std::str::from_utf8(digits).expect("digits").to_string();
        let (number, position) = (digits(&number), digits(&position));
        push_urn(log, "event", &position, out);
        // When it was removed is not part of the log's past; the time of the event itself is the same everywhere.
        out.extend_from_slice(b"\" when=\"");
        push_time(event.time, out);
        out.extend_from_slice(b"\">");
        push_identity(&stream, event, &number, &position, place_in(source, place), out);
        out.extend_from_slice(b"</at:deleted-entry>\n");
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"</feed>\n");
    }
}

/// One event as an Atom entry document.
pub(super) fn entry(
    content: AtomContent,
    base: &BaseUrl,
    log: Uuid,
    place: Option<Number>,
    event: &Event,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(DECLARATION);
    out.extend_from_slice(b"<entry");
    out.extend_from_slice(NAMESPACES);
    push_entry(content, log, &StreamForms::new(base, &event.stream), place, event, AUTHOR, out);
    out.extend_from_slice(b"</entry>\n");
}

/// A stream's name in the forms that every one of its entries needs.
struct StreamForms {
    name: StreamName,
    /// For attributes, and so for text as well.
    escaped: Vec<u8>,
    /// Needs no escaping.
    url: StreamPath,
}

impl StreamForms {
    fn new(base: &BaseUrl, name: &StreamName) -> Self {
        let mut escaped = Vec::with_capacity(name.as_str().len());
        xml::push_attribute(name.as_str(), &mut escaped);
        Self { name: name.clone(), escaped, url: StreamPath::under(base, name.as_str()) }
    }
}

/// What follows `<entry`, up to the end tag. Links lead to the event in its own stream, also from a page of a
/// derived one, in which it has a place of its own. An event that was POSTed as an entry has its own words for much
/// of it.
fn push_entry(
    content: AtomContent,
    log: Uuid,
    stream: &StreamForms,
    place: Option<Number>,
    event: &Event,
    author: &[u8],
    out: &mut Vec<u8>,
) {
    let (mut number, mut position) = (Vec::with_capacity(20), Vec::with_capacity(20));
    push_decimal(event.number.get(), &mut number);
    push_decimal(event.position.get(), &mut position);
    let number = std::str::from_utf8(&number).expect("digits");
    let position = std::str::from_utf8(&position).expect("digits");
    let url = stream.url.as_str();
    let data_url = [url, "/", number, "/data"];
    let posted = Posted::of(event, &data_url);
    let says = |is: fn(&Kind) -> bool| posted.as_ref().is_some_and(|posted| posted.says(is));

    if let Some(posted) = &posted {
        posted.push_scope(out);
    }
    out.push(b'>');
    if !says(|kind| matches!(kind, Kind::Title)) {
        out.extend_from_slice(b"<title>");
        out.extend_from_slice(number.as_bytes());
        out.push(b'@');
        out.extend_from_slice(&stream.escaped);
        out.extend_from_slice(b"</title>");
    }
    out.extend_from_slice(b"<id>");
    push_urn(log, "event", position, out);
    out.extend_from_slice(b"</id>");
    for name in ["published", "updated", "app:edited"] {
        push_tag(b"<", name, out);
        push_time(event.time, out);
        push_tag(b"</", name, out);
    }
    if !says(Kind::names_author) {
        out.extend_from_slice(author);
    }
    if !posted.as_ref().is_some_and(Posted::says_type) {
        out.extend_from_slice(b"<category scheme=\"urn:everfeed:type\" term=\"");
        xml::push_attribute(event.event_type.as_str(), out);
        out.extend_from_slice(b"\"/>");
    }
    if !posted.as_ref().is_some_and(|posted| posted.is_summed_up(content)) {
        out.extend_from_slice(b"<summary>");
        xml::push_text(event.event_type.as_str(), out);
        out.extend_from_slice(b"</summary>");
    }
    // Clients fetch the first two as JSON, so these leave the representation open.
    push_link("edit", None, &[url, "/", number], out);
    // RFC 4287 §4.1.2 allows one alternate without type and language.
    if !says(|kind| matches!(kind, Kind::Link(link) if link.is_plain_alternate())) {
        push_link("alternate", None, &[url, "/", number], out);
    }
    push_link("self", Some("application/atom+xml"), &[url, "/", number, ".atom"], out);
    if event.content.as_ref().is_some_and(|kept| kept.media_type.is_media()) {
        push_link("edit-media", None, &data_url, out);
    }

    push_identity(stream, event, number, position, place, out);

    if let Some(kept) = &event.content {
        if let Some(metadata) = &kept.metadata {
            push_metadata(metadata, out);
        }
        match &posted {
            Some(posted) => posted.push(kept, content, out),
            None => atom_content::push(kept, content, &data_url, out),
        }
    }
}

/// Which event it is.
fn push_identity(
    stream: &StreamForms,
    event: &Event,
    number: &str,
    position: &str,
    place: Option<Number>,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(b"<ef:event id=\"");
    out.extend_from_slice(event.id.uuid().hyphenated().encode_lower(&mut Uuid::encode_buffer()).as_bytes());
    out.extend_from_slice(b"\" stream=\"");
    out.extend_from_slice(&stream.escaped);
    out.extend_from_slice(b"\" number=\"");
    out.extend_from_slice(number.as_bytes());
    out.extend_from_slice(b"\" position=\"");
    out.extend_from_slice(position.as_bytes());
    if let Some(place) = place {
        out.extend_from_slice(b"\" place=\"");
        push_decimal(place.get(), out);
    }
    if let Some(trace_parent) = event.content.as_ref().and_then(|content| content.trace_parent) {
        out.extend_from_slice(b"\" traceparent=\"");
        out.extend_from_slice(trace_parent.to_string().as_bytes());
    }
    if event.content.is_none() {
        // An entry without content may also be one that was POSTed so, and of a deleted one no category says the type.
        out.extend_from_slice(b"\" type=\"");
        xml::push_attribute(event.event_type.as_str(), out);
        out.extend_from_slice(b"\" removed=\"true");
    }
    out.extend_from_slice(b"\"/>");
}

/// JSON as it was sent, or in base64 if XML has no way to write one of its characters.
fn push_metadata(metadata: &[u8], out: &mut Vec<u8>) {
    match xml::text(metadata) {
        Some(text) => {
            out.extend_from_slice(b"<ef:metadata>");
            xml::push_text(text, out);
        }
        None => {
            out.extend_from_slice(b"<ef:metadata encoding=\"base64\">");
            push_base64(metadata, out);
        }
    }
    out.extend_from_slice(b"</ef:metadata>");
}

/// Ids that are the same behind every host: a UUID of version 5 in the log's own namespace. The kinds differ
/// before their colon, so no stream's name can make an event's id.
fn push_urn(log: Uuid, kind: &str, name: &str, out: &mut Vec<u8>) {
    let id = Uuid::new_v5(&log, [kind, ":", name].concat().as_bytes());
    out.extend_from_slice(id.urn().encode_lower(&mut Uuid::encode_buffer()).as_bytes());
}

fn push_tag(open: &[u8], name: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(open);
    out.extend_from_slice(name.as_bytes());
    out.push(b'>');
}

/// The href comes in parts; `&` is the only character in our URLs that XML wants escaped.
fn push_link(rel: &str, media_type: Option<&str>, href: &[&str], out: &mut Vec<u8>) {
    out.extend_from_slice(b"<link rel=\"");
    out.extend_from_slice(rel.as_bytes());
    if let Some(media_type) = media_type {
        out.extend_from_slice(b"\" type=\"");
        out.extend_from_slice(media_type.as_bytes());
    }
    out.extend_from_slice(b"\" href=\"");
    for part in href {
        xml::push_attribute(part, out);
    }
    out.extend_from_slice(b"\"/>");
}
