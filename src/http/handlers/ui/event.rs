//! `/ui/streams/{stream}/{place}`: one event, and what there is around it.

use askama::Template;

use crate::access::ReadPermit;
use crate::address::{Form, Place, StreamPath, Suffix, Ui};
use crate::event::{self, Event, Number, Source, StreamName};
use crate::store::{Reach, View};

use super::super::super::Served;
use super::super::super::problem::Problem;
use super::super::super::reply::Reply;
use super::super::super::request::Asked;
use super::super::super::sight::{Reader, Sight};
use super::super::event as events;
use super::follow::Follow;
use super::words::{Display, Shown};
use super::{Frame, HIDDEN, Link, NAME_BYTES_MAX, Root, page, words};

/// What the parts may take of the page, in bytes.
const DATA_BYTES_MAX: usize = 5_000;
const METADATA_BYTES_MAX: usize = 2_000;
const NEIGHBOUR_BYTES_MAX: usize = 60;

/// So many events with the same correlation id are shown, older and newer ones.
const RELATED_MAX: u64 = 4;

#[derive(Template)]
#[template(path = "event.html")]
struct Page<'a> {
    frame: Frame,
    source: Link,
    place: Number,
    event: &'a Event,
    event_type: String,
    moment: String,
    /// It is of a stream that the reader may not read.
    is_hidden: bool,
    /// Its own stream and its place there, where it is shown in another.
    own: Option<(Link, Link)>,
    /// Its place in the whole log.
    in_log: Link,
    digest: String,
    /// None once it was removed.
    content: Option<Shows>,
    /// Other ways to show its data.
    forms: Vec<Link>,
    /// Where it leads, if it is a link.
    leads_to: Option<Link>,
    neighbours: Vec<Link>,
    /// Events that belong together with it.
    related: Option<Related>,
    formats: Vec<Link>,
    follow: Follow,
    /// The Atom entry.
    atom: String,
    bytes: String,
}

/// What an event carries.
struct Shows {
    media_type: String,
    size: String,
    data: Display,
    metadata: Option<Shown>,
}

/// Events with the same correlation id.
struct Related {
    id: String,
    /// Those that are found near it.
    links: Vec<Link>,
    /// The stream of all of them, where the server keeps it.
    all: Option<Link>,
}

/// A page of an event.
pub(crate) async fn get(
    served: &Served,
    asked: &Asked<'_>,
    permit: &ReadPermit,
    place: Place,
    form: Form,
) -> Result<Reply, Problem> {
    let root = Root::OF_EVENT;
    let view = served.store.view();
    let source = permit.source();
    let (number, head) = events::resolve(&view, source, place)?;
    let reader = Reader::of(served, permit);
    let older = number.before().filter(|older| head.visible().from <= *older);
    let newer = head.last().filter(|last| number < *last).map(|_| number.plus(1));
    let around = Some((older.unwrap_or(number), newer.unwrap_or(number)));
    let sight = served.documents.sight(reader, &view, source, around).await?;
    let event = sight.event_at(&view, source, number).await?;
    let path = StreamPath::of(source.name());
    let at = Place::Number(number);
    let shown = Page {
        frame: Frame::of(served, permit.caller(), root),
        source: Link::new(words::line(source.name(), NAME_BYTES_MAX), root.stream(source)),
        place: number,
        event_type: event_type(&event, NAME_BYTES_MAX),
        is_hidden: event.is_hidden(),
        moment: words::moment(event.time),
        own: (source.is_derived() && !event.is_hidden()).then(|| own(&event)),
        in_log: Link::new(words::grouped(event.position.get()), root.event(&Source::All, event.position)),
        digest: event.digest.0.iter().map(|byte| format!("{byte:02x}")).collect(),
        content: event.content.as_ref().map(|content| Shows {
            media_type: words::line(content.media_type.as_str(), NAME_BYTES_MAX),
            size: words::size(content.data.len() as u64),
            data: words::data(content, form, DATA_BYTES_MAX),
            metadata: content
                .metadata
                .as_deref()
                .filter(|metadata| !metadata.is_empty())
                .map(|metadata| words::json(&String::from_utf8_lossy(metadata), METADATA_BYTES_MAX)),
        }),
        forms: forms(source, at, form),
        leads_to: event::Link::of(&event).map(|link| {
            let words = words::line(&format!("{}@{}", link.number, link.stream), NAME_BYTES_MAX);
            Link::new(words, root.event(&Source::named(link.stream), link.number))
        }),
        neighbours: neighbours(&view, &sight, source, newer, older).await?,
        related: related(&view, reader, &event).await?,
        formats: formats(&path, at, &event),
        follow: Follow::after(asked.base, source, number, served.documents.page_size()),
        atom: root.to(&path.event(at, Suffix::Atom)),
        bytes: root.to(&path.data(at)),
        event: &event,
    };
    Ok(page(served, asked, sight.audience(), &shown))
}

/// The event's own stream, and its place there.
fn own(event: &Event) -> (Link, Link) {
    let source = Source::Stream(event.stream.clone());
    let root = Root::OF_EVENT;
    (
        Link::new(words::line(source.name(), NAME_BYTES_MAX), root.stream(&source)),
        Link::new(event.number.to_string(), root.event(&source, event.number)),
    )
}

/// The ways to show its data.
fn forms(source: &Source, place: Place, here: Form) -> Vec<Link> {
    let ways = [("Pretty", Form::Pretty), ("Raw", Form::Raw), ("Hex", Form::Hex)];
    let link = |(words, form)| {
        let href = Root::OF_EVENT.page(Ui::Event { source: source.clone(), place, form });
        Link { is_here: form == here, ..Link::new(words, href) }
    };
    ways.into_iter().map(link).collect()
}

/// The event as documents.
fn formats(path: &StreamPath, at: Place, event: &Event) -> Vec<Link> {
    let root = Root::OF_EVENT;
    let plain = path.event(at, Suffix::None);
    let mut formats = vec![Link::new("Atom entry", root.to(&path.event(at, Suffix::Atom)))];
    if event.content.as_ref().is_some_and(|content| content.media_type.is_json()) {
        formats.push(Link::new("JSON", root.to(&format!("{plain}.json"))));
    }
    if event.content.is_some() {
        formats.push(Link::new("CloudEvent", root.to(&format!("{plain}?format=cloudevents"))));
    }
    formats
}

/// The events before and behind it, as far as there are any.
async fn neighbours(
    view: &View,
    sight: &Sight,
    source: &Source,
    newer: Option<Number>,
    older: Option<Number>,
) -> Result<Vec<Link>, Problem> {
    let mut links = Vec::new();
    for (words, rel, number) in [("Newer", "prev", newer), ("Older", "next", older)] {
        let Some(number) = number else { continue };
        let event = sight.event_at(view, source, number).await?;
        let words = format!("{words}: {number}, {}", event_type(&event, NEIGHBOUR_BYTES_MAX));
        links.push(Link::new(words, Root::OF_EVENT.event(source, number)).rel(rel));
    }
    Ok(links)
}

/// What its reader may know of its type.
fn event_type(event: &Event, bytes_max: usize) -> String {
    match event.is_hidden() {
        true => HIDDEN.to_string(),
        false => words::line(event.event_type.as_str(), bytes_max),
    }
}

/// The events with the same correlation id that its reader may read, as far as they are found.
async fn related(view: &View, reader: Option<Reader<'_>>, event: &Event) -> Result<Option<Related>, Problem> {
    let Some(id) = event.correlation().filter(|_| !event.is_hidden()) else { return Ok(None) };
    let Some(found) = view.related(event, RELATED_MAX).await? else { return Ok(None) };
    let mut links = Vec::new();
    for other in &found.events {
        if may_read(reader, &other.stream).await? {
            let kind = event_type(other, NEIGHBOUR_BYTES_MAX);
            let stream = words::line(other.stream.as_str(), NEIGHBOUR_BYTES_MAX);
            let href = Root::OF_EVENT.event(&Source::Stream(other.stream.clone()), other.number);
            links.push(Link::new(format!("{kind}, {}@{stream}", other.number), href));
        }
    }
    let all = match found.reach {
        Reach::Stream(stream) if may_read(reader, &stream).await? => {
            Some(Link::new("All of them", Root::OF_EVENT.stream(&Source::named(stream))))
        }
        Reach::Stream(_) | Reach::Positions(..) => None,
    };
    Ok(Some(Related { id: words::line(&id, NEIGHBOUR_BYTES_MAX), links, all }))
}

async fn may_read(reader: Option<Reader<'_>>, stream: &StreamName) -> Result<bool, Problem> {
    match reader {
        Some(reader) => Ok(reader.right_to(stream).await?.is_the_readers),
        None => Ok(true),
    }
}
