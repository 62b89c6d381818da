//! EventStore's JSON form of Atom feeds and entries, with its embed levels. What is null there is left out.

use std::borrow::Cow;

use crate::address::{At, BaseUrl, Direction, Embed, PageRequest, Paging, Place, Shape, Suffix};
use crate::event::{Event, Number, Source, StreamName, Timestamp};
use crate::feed::json::is_object;

use super::event_json::{put_identity, put_metadata};
use super::json::{Layout, Object, put_line, reindented};
use super::{Document, Feed, LinkTarget};

/// The author of every feed and entry; clients compare it.
const AUTHOR: &str = "EventStore";

/// A feed as EventStore JSON.
pub(super) struct FeedJson<'a> {
    feed: &'a Feed<'a>,
    embed: Embed,
    urls: StreamUrls<'a>,
    has_entries: bool,
}

impl<'a> FeedJson<'a> {
    pub(super) fn new(embed: Embed, feed: &'a Feed<'a>) -> Self {
        Self { feed, embed, urls: StreamUrls::new(feed.base), has_entries: false }
    }

    /// Where an event or a link is listed: in a derived stream at its place there, else where it is.
    fn listed<'e>(&self, event: &'e Event, place: Number) -> (Number, &'e StreamName)
    where
        'a: 'e,
    {
        match self.feed.source {
            Source::Derived(_, name) => (place, name),
            Source::All | Source::Stream(_) => (event.number, &event.stream),
        }
    }
}

impl Document for FeedJson<'_> {
    fn begin(&mut self, out: &mut Vec<u8>) {
        let feed = self.feed;
        let url = feed.base.stream(feed.source, Suffix::None, None);
        let mut object = Object::open(out, Layout::Indented(0));
        let name = match feed.source {
            Source::All => None,
            Source::Stream(stream) | Source::Derived(_, stream) => Some(stream.as_str()),
        };
        match name {
            None => object.text("title", "All events"),
            Some(name) => object.text("title", &format!("Event stream '{name}'")),
        }
        object.text("id", &url);
        object.short_time("updated", updated(feed));
        if let Some(name) = name {
            object.text("streamId", name);
        }
        put_author(&mut object);
        // In `$all` EventStore never says so. It has no decimal positions either: whoever asks by them reads until
        // it is said.
        let may_be_head = name.is_some() || is_by_number(feed.shape);
        object.fact("headOfStream", may_be_head && is_head_of_stream(feed));
        if name.is_some() && !is_forward(feed.shape) {
            object.text("selfUrl", &url);
        }
        if name.is_some()
            && is_head(feed.shape)
            && let Some(etag) = feed.etag
        {
            object.text("eTag", etag);
        }
        let at = At { base: feed.base, source: feed.source, suffix: Suffix::None, embed: None };
        let links = Paging::EventStore.links(&at, feed.shape, feed.visible);
        put_links(&mut object, links.iter().map(|link| (link.rel, link.href.as_str())));
        // Object and array stay open: `end` closes them.
        object.member("entries").push(b'[');
    }

    fn entry(&mut self, event: &Event, place: Number, out: &mut Vec<u8>) {
        if self.has_entries {
            out.push(b',');
        }
        self.has_entries = true;
        put_line(out, 2);
        let mut object = Object::open(out, Layout::Indented(2));
        put_embedded(&mut object, self.embed, event, None, self.listed(event, place));
        let data = if self.embed == Embed::Content { visible_data(event, self.embed) } else { None };
        put_entry(&mut object, &Heading::of(event), self.urls.of(&event.stream), event, data);
        object.close();
    }

    fn link(&mut self, link: &Event, place: Number, target: &LinkTarget, out: &mut Vec<u8>) {
        if self.has_entries {
            out.push(b',');
        }
        self.has_entries = true;
        put_line(out, 2);
        let mut object = Object::open(out, Layout::Indented(2));
        let heading = Heading::of_link(link, target);
        match target {
            LinkTarget::Event(event) => {
                put_embedded(&mut object, self.embed, event, Some(link), self.listed(link, place));
                // As there: a link has no `content`, whatever it leads to.
                put_entry(&mut object, &heading, self.urls.of(&event.stream), event, None);
            }
            LinkTarget::Gone { stream, .. } => put_entry(&mut object, &heading, self.urls.of(stream), link, None),
        }
        object.close();
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        if self.has_entries {
            put_line(out, 1);
        }
        out.push(b']');
        put_line(out, 0);
        out.push(b'}');
    }
}

/// One event as an entry of its own: with its content, whatever `embed` says, if its data is JSON.
pub(super) fn entry(embed: Embed, base: &BaseUrl, event: &Event, out: &mut Vec<u8>) {
    let mut object = Object::open(out, Layout::Indented(0));
    let data = visible_data(event, embed);
    put_entry(&mut object, &Heading::of(event), StreamUrls::new(base).of(&event.stream), event, data);
    object.close();
}

/// What a link event leads to as an entry of its own, with its content.
pub(super) fn link(embed: Embed, base: &BaseUrl, link: &Event, target: &LinkTarget, out: &mut Vec<u8>) {
    let mut object = Object::open(out, Layout::Indented(0));
    let heading = Heading::of_link(link, target);
    let (event, data) = match target {
        LinkTarget::Event(event) => (&**event, visible_data(event, embed)),
        LinkTarget::Gone { .. } => (link, None),
    };
    put_entry(&mut object, &heading, StreamUrls::new(base).of(heading.stream), event, data);
    object.close();
}

/// What an entry says of itself.
struct Heading<'a> {
    number: Number,
    stream: &'a StreamName,
    time: Timestamp,
    summary: &'a str,
}

impl<'a> Heading<'a> {
    fn of(event: &'a Event) -> Self {
        let Event { number, stream, time, event_type, .. } = event;
        Self { number: *number, stream, time: *time, summary: event_type.as_str() }
    }

    /// The name and address of what it leads to; the time and type of the link itself.
    fn of_link(link: &'a Event, target: &'a LinkTarget) -> Self {
        let (number, stream) = match target {
            LinkTarget::Event(event) => (event.number, &event.stream),
            LinkTarget::Gone { stream, number } => (*number, stream),
        };
        Self { number, stream, time: link.time, summary: link.event_type.as_str() }
    }
}

/// The newest time on the page; on a forward page the oldest. EventStore says year 1 for an empty page; we say
/// when the stream began.
fn updated(feed: &Feed<'_>) -> Timestamp {
    let (oldest, newest) = feed.times.unwrap_or((feed.created, feed.created));
    let is_forward_of_stream = is_forward(feed.shape) && *feed.source != Source::All;
    if is_forward_of_stream { oldest } else { newest }
}

fn is_forward(shape: &Shape) -> bool {
    matches!(shape, Shape::Page(PageRequest { direction: Direction::Forward, .. }))
}

fn is_by_number(shape: &Shape) -> bool {
    matches!(shape, Shape::Page(PageRequest { from: Place::Number(_), .. }))
}

/// The newest page, asked for without a number.
fn is_head(shape: &Shape) -> bool {
    matches!(shape, Shape::Head | Shape::Page(PageRequest { from: Place::Head, .. }))
}

/// A forward page that reaches the end; backward, only the newest page itself.
fn is_head_of_stream(feed: &Feed<'_>) -> bool {
    match feed.shape {
        Shape::Page(PageRequest { from: Place::Number(first), direction: Direction::Forward, count }) => {
            feed.visible.next <= first.plus(count.get())
        }
        shape => is_head(shape),
    }
}

/// What the embed levels above `content` put before the plain entry. `link`: the link that led to the event; `listed`:
/// the place of what is listed, and in which stream.
fn put_embedded(
    object: &mut Object<'_>,
    embed: Embed,
    event: &Event,
    link: Option<&Event>,
    listed: (Number, &StreamName),
) {
    if matches!(embed, Embed::None | Embed::Content) {
        return;
    }
    let data = visible_data(event, embed);
    let metadata_of = |event: &'_ Event| {
        let metadata = event.content.as_ref().and_then(|content| content.metadata.clone());
        metadata.filter(|_| embed != Embed::Rich)
    };
    let (metadata, link_metadata) = (metadata_of(event), link.and_then(metadata_of));
    object.text("eventId", &event.id.to_string());
    object.text("eventType", event.event_type.as_str());
    object.number("eventNumber", event.number.get());
    let is_json = data.as_ref().is_some_and(|data| data.is_json);
    if let Some(data) = data.filter(|_| embed != Embed::Rich) {
        object.text("data", &laid_out(embed, data.text));
    }
    if let Some(metadata) = &metadata {
        object.text("metaData", &laid_out(embed, String::from_utf8_lossy(metadata)));
    }
    if let Some(metadata) = &link_metadata {
        object.text("linkMetaData", &laid_out(embed, String::from_utf8_lossy(metadata)));
    }
    object.text("streamId", event.stream.as_str());
    object.fact("isJson", is_json);
    object.fact("isMetaData", metadata.is_some());
    object.fact("isLinkMetaData", link_metadata.is_some());
    object.number("positionEventNumber", listed.0.get());
    object.text("positionStreamId", listed.1.as_str());
}

fn laid_out(embed: Embed, text: Cow<'_, str>) -> Cow<'_, str> {
    if embed == Embed::Body { text } else { reindented(text) }
}

/// The plain entry, with `content` if there is data to show in it.
fn put_entry(
    object: &mut Object<'_>,
    heading: &Heading<'_>,
    stream_url: &str,
    event: &Event,
    data: Option<VisibleData<'_>>,
) {
    let url = format!("{stream_url}/{}", heading.number);
    object.text("title", &format!("{}@{}", heading.number, heading.stream));
    object.text("id", &url);
    object.short_time("updated", heading.time);
    put_author(object);
    object.text("summary", heading.summary);
    if let (Some(data), Some(content)) = (data, &event.content) {
        let mut inner = object.object("content");
        put_identity(&mut inner, event);
        if data.is_json {
            inner.raw("data", data.text.as_bytes());
        } else {
            inner.text("data", &data.text);
        }
        put_metadata(&mut inner, content);
        inner.close();
    }
    put_links(object, [("edit", &*url), ("alternate", &*url)]);
}

fn put_author(object: &mut Object<'_>) {
    let mut author = object.object("author");
    author.text("name", AUTHOR);
    author.close();
}

fn put_links<'l>(object: &mut Object<'_>, links: impl IntoIterator<Item = (&'l str, &'l str)>) {
    let mut array = object.array("links");
    for (rel, href) in links {
        let mut link = array.object();
        link.text("uri", href);
        link.text("relation", rel);
        link.close();
    }
    array.close();
}

/// Data that these documents can show. There is no base64 in them.
struct VisibleData<'a> {
    text: Cow<'a, str>,
    is_json: bool,
}

/// JSON; at `tryharder` anything, as far as text can show it, and a JSON object under another media type as
/// what it is.
fn visible_data(event: &Event, embed: Embed) -> Option<VisibleData<'_>> {
    let content = event.content.as_ref()?;
    let text = String::from_utf8_lossy(&content.data);
    if content.media_type.is_json() {
        Some(VisibleData { text, is_json: true })
    } else if embed == Embed::TryHarder {
        let is_json = is_object(&text);
        Some(VisibleData { text, is_json })
    } else {
        None
    }
}

/// The URLs of streams, each printed once for a run of its events.
struct StreamUrls<'a> {
    base: &'a BaseUrl,
    newest: Option<(StreamName, String)>,
}

impl<'a> StreamUrls<'a> {
    fn new(base: &'a BaseUrl) -> Self {
        Self { base, newest: None }
    }

    fn of(&mut self, stream: &StreamName) -> &str {
        if self.newest.as_ref().is_none_or(|(newest, _)| newest != stream) {
            self.newest = None;
        }
        let (_, url) = self.newest.get_or_insert_with(|| {
            (stream.clone(), self.base.stream(&Source::Stream(stream.clone()), Suffix::None, None))
        });
        url
    }
}
