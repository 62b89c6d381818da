//! `/ui/streams/{stream}/{place}`: one event, and what there is around it.

use askama::Template;

use crate::access::ReadPermit;
use crate::address::{Place, StreamPath, Suffix};
use crate::event::{self, Event, Number, Source};

use super::super::super::Served;
use super::super::super::problem::Problem;
use super::super::super::reply::Reply;
use super::super::super::request::Asked;
use super::super::super::sight::Reader;
use super::super::event as events;
use super::words::{Display, Shown};
use super::{HIDDEN, Link, NAME_BYTES_MAX, Root, page, words};

/// What the parts may take of the page, in bytes.
const DATA_BYTES_MAX: usize = 6_000;
const METADATA_BYTES_MAX: usize = 2_500;

#[derive(Template)]
#[template(path = "event.html")]
struct Page<'a> {
    root: Root,
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
    /// Where it leads, if it is a link.
    leads_to: Option<Link>,
    neighbours: Vec<Link>,
    formats: Vec<Link>,
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

/// A page of an event.
pub(crate) async fn get(
    served: &Served,
    asked: &Asked<'_>,
    permit: &ReadPermit,
    place: Place,
) -> Result<Reply, Problem> {
    let root = Root::OF_EVENT;
    let view = served.store.view();
    let source = permit.source();
    let (number, head) = events::resolve(&view, source, place)?;
    let reader = Reader::of(served, permit);
    let sight = served.documents.sight(reader, &view, source, Some((number, number))).await?;
    let event = sight.event_at(&view, source, number).await?;
    let path = StreamPath::of(source.name());
    let at = Place::Number(number);
    let is_json = event.content.as_ref().is_some_and(|content| content.media_type.is_json());
    let atom = root.to(&path.event(at, Suffix::Atom));
    let bytes = root.to(&path.data(at));
    let mut formats = vec![Link::new("Atom entry", atom.clone())];
    if is_json {
        formats.push(Link::new("JSON", root.to(&format!("{}.json", path.event(at, Suffix::None)))));
    }
    if event.content.is_some() {
        formats.push(Link::new("CloudEvent", root.to(&format!("{}?format=cloudevents", path.event(at, Suffix::None)))));
        formats.push(Link::new("The bytes", bytes.clone()));
    }
    let shown = Page {
        root,
        source: Link::new(words::line(source.name(), NAME_BYTES_MAX), root.stream(source)),
        place: number,
        event_type: match event.is_hidden() {
            true => HIDDEN.to_string(),
            false => words::line(event.event_type.as_str(), NAME_BYTES_MAX),
        },
        is_hidden: event.is_hidden(),
        moment: words::moment(event.time),
        own: (source.is_derived() && !event.is_hidden()).then(|| own(&event)),
        in_log: Link::new(
            words::grouped(event.position.get()),
            root.event(&Source::All, Place::Number(event.position.into())),
        ),
        digest: event.digest.0.iter().map(|byte| format!("{byte:02x}")).collect(),
        content: event.content.as_ref().map(|content| Shows {
            media_type: words::line(content.media_type.as_str(), NAME_BYTES_MAX),
            size: words::size(content.data.len()),
            data: words::data(content, DATA_BYTES_MAX),
            metadata: content
                .metadata
                .as_deref()
                .filter(|metadata| !metadata.is_empty())
                .map(|metadata| words::json(&String::from_utf8_lossy(metadata), METADATA_BYTES_MAX)),
        }),
        leads_to: event::Link::of(&event).map(|link| {
            let words = words::line(&format!("{}@{}", link.number, link.stream), NAME_BYTES_MAX);
            Link::new(words, root.event(&Source::named(link.stream), Place::Number(link.number)))
        }),
        neighbours: neighbours(source, number, head.visible().from, head.last()),
        formats,
        atom,
        bytes,
        event: &event,
    };
    Ok(page(asked, sight.audience(), &shown))
}

/// The event's own stream, and its place there.
fn own(event: &Event) -> (Link, Link) {
    let source = Source::Stream(event.stream.clone());
    let root = Root::OF_EVENT;
    (
        Link::new(words::line(source.name(), NAME_BYTES_MAX), root.stream(&source)),
        Link::new(event.number.to_string(), root.event(&source, Place::Number(event.number))),
    )
}

/// The events before and behind it, as far as there are any.
fn neighbours(source: &Source, number: Number, first: Number, last: Option<Number>) -> Vec<Link> {
    let link = |words: &str, number: Number| {
        Link::new(format!("{words}: {number}"), Root::OF_EVENT.event(source, Place::Number(number)))
    };
    let older = number.before().filter(|older| first <= *older).map(|older| link("Older", older));
    let newer = last.filter(|last| number < *last).map(|_| link("Newer", number.plus(1)));
    newer.into_iter().chain(older).collect()
}
