//! `/ui/streams/{stream}`: a stream, its newest events first.

use askama::Template;

use crate::access::ReadPermit;
use crate::address::{Address, Place, StreamPath, Suffix};
use crate::event::{Event, Number, Order, Settings, Source, Timestamp};

use super::super::super::Served;
use super::super::super::problem::Problem;
use super::super::super::reply::Reply;
use super::super::super::request::Asked;
use super::super::super::sight::{Reader, places};
use super::super::feed as feeds;
use super::{CONTENT_BYTES_MAX, HIDDEN, Link, NAME_BYTES_MAX, Root, page, words};

/// A page has so many events.
const ROWS_MAX: u64 = 20;

/// What the parts of a row may take of the page, in bytes.
const WORDS_BYTES_MAX: usize = 80;
const LINE_BYTES_MAX: usize = 160;

#[derive(Template)]
#[template(path = "stream.html")]
struct Stream {
    root: Root,
    name: String,
    /// How many events there are and since when, as a sentence.
    extent: String,
    /// What of it is gone, as a sentence.
    gone: Option<String>,
    settings: Vec<String>,
    rows: Vec<Row>,
    /// Other places in the stream.
    walks: Vec<Link>,
    /// The same as documents.
    formats: Vec<Link>,
    /// The Atom feed, for feed readers.
    atom: String,
}

/// An event in a list.
struct Row {
    href: String,
    place: Number,
    event_type: String,
    /// It is of a stream that the reader may not read.
    is_hidden: bool,
    /// Where it is from, in a list of events of many streams.
    stream: Option<Link>,
    time: Timestamp,
    /// Media type and size, and the beginning of the data; none once they were removed.
    content: Option<(String, String)>,
}

impl Row {
    fn new(source: &Source, place: Number, event: &Event) -> Self {
        let root = Root::OF_STREAM;
        let own = Source::Stream(event.stream.clone());
        Self {
            href: root.event(source, Place::Number(place)),
            place,
            event_type: match event.is_hidden() {
                true => HIDDEN.to_string(),
                false => words::line(event.event_type.as_str(), WORDS_BYTES_MAX),
            },
            is_hidden: event.is_hidden(),
            stream: (source.is_derived() && !event.is_hidden())
                .then(|| Link::new(words::line(event.stream.as_str(), WORDS_BYTES_MAX), root.stream(&own))),
            time: event.time,
            content: event.content.as_ref().map(|content| {
                let media_type = words::line(content.media_type.essence(), WORDS_BYTES_MAX);
                let facts = format!("{media_type} · {}", words::size(content.data.len()));
                (facts, words::data_line(&content.data, LINE_BYTES_MAX))
            }),
        }
    }

    fn moment(&self) -> String {
        words::moment(self.time)
    }
}

/// A page of a source.
pub(crate) async fn get(
    served: &Served,
    asked: &Asked<'_>,
    permit: &ReadPermit,
    from: Place,
) -> Result<Reply, Problem> {
    let view = served.store.view();
    let source = permit.source();
    let head = view.head(source)?;
    feeds::readable(source, &head)?;
    let first = head.visible().from;
    let last = head.last().expect("a stream that exists has an event");
    let top = match from {
        Place::Number(number) => number.min(last),
        Place::Head | Place::Hex(_) => last,
    };
    let bottom = Number::new(top.get().saturating_sub(ROWS_MAX - 1)).expect("below a number").max(first);
    let shown = (first <= top).then_some((bottom, top));
    let sight = served.documents.sight(Reader::of(served, permit), &view, source, shown).await?;
    let events = match shown {
        Some((bottom, top)) => sight.read(&view, source, bottom, top, Order::NewestFirst, CONTENT_BYTES_MAX).await?,
        None => Vec::new(),
    };
    let rows: Vec<Row> = events
        .iter()
        .zip(places(Order::NewestFirst, Number::ZERO, top))
        .map(|(event, place)| Row::new(source, place, event))
        .collect();
    let path = StreamPath::of(source.name());
    let root = Root::OF_STREAM;
    let stream = Stream {
        root,
        name: words::line(source.name(), NAME_BYTES_MAX),
        extent: extent(first, last),
        gone: (first > Number::ZERO).then(|| gone(first, last)),
        settings: match source {
            Source::Stream(stream) => view.retention(stream).map(|known| limits(&known.settings)).unwrap_or_default(),
            Source::All | Source::Derived(..) => Vec::new(),
        },
        walks: walks(source, first, last, top, rows.last().map(|row| row.place)),
        formats: formats(source, &path),
        atom: root.to(&path.feed(Suffix::Atom, None)),
        rows,
    };
    Ok(page(asked, sight.audience(), &stream))
}

fn extent(first: Number, last: Number) -> String {
    if last < first {
        return "No event is left of it.".to_string();
    }
    let events = words::count(last.get() + 1 - first.get(), "event", "events");
    if first == last { format!("{events}, number {first}.") } else { format!("{events}, numbers {first} to {last}.") }
}

/// What was truncated keeps its numbers.
fn gone(first: Number, last: Number) -> String {
    if last < first {
        format!("All events up to number {last} were truncated.")
    } else {
        format!("Everything below number {first} was truncated.")
    }
}

/// What the settings of the stream say, one sentence each.
fn limits(settings: &Settings) -> Vec<String> {
    let Settings { max_age, max_count, truncate_before, cache_control } = settings;
    [
        max_count.map(|count| format!("Keeps its newest {}.", words::count(count, "event", "events"))),
        max_age.map(|age| format!("Keeps events for {}.", words::span(age.as_secs()))),
        (*truncate_before > Number::ZERO).then(|| format!("Keeps nothing below number {truncate_before}.")),
        cache_control.map(|seconds| format!("Caches may keep its head for {}.", words::span(seconds.into()))),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Links to other places: only those that lead to something else than what is shown.
fn walks(source: &Source, first: Number, last: Number, top: Number, bottom: Option<Number>) -> Vec<Link> {
    let link = |words, from| Link::new(words, Root::OF_STREAM.stream_from(source, from));
    let from_or_head = |number: Number| if number < last { Place::Number(number) } else { Place::Head };
    let mut walks = Vec::new();
    if top < last {
        walks.push(link("Newest", Place::Head));
        walks.push(link("Newer", from_or_head(top.plus(ROWS_MAX).max(first))));
    }
    if let Some(older) = bottom.filter(|bottom| first < *bottom).and_then(Number::before) {
        walks.push(link("Older", Place::Number(older)));
        walks.push(link("Oldest", from_or_head(first.plus(ROWS_MAX - 1))));
    }
    walks
}

/// The stream as documents.
fn formats(source: &Source, path: &StreamPath) -> Vec<Link> {
    let root = Root::OF_STREAM;
    let mut formats = vec![
        Link::new("Atom feed", root.to(&path.feed(Suffix::Atom, None))),
        Link::new("JSON feed", root.to(&format!("{path}?format=json"))),
        Link::new("Lines of JSON", root.to(&format!("{path}?format=ndjson"))),
    ];
    if let Source::Stream(stream) = source {
        let stream = stream.clone();
        formats.push(Link::new("Event types", root.to(&Address::Categories { stream: stream.clone() }.path())));
        if !stream.is_system() {
            formats.push(Link::new("Settings", root.to(&format!("{path}/metadata?format=json"))));
        }
    }
    formats
}
