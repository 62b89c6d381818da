//! `/ui/streams/{stream}`: a stream, its newest events first, and all that holds for it.

use std::collections::BTreeSet;

use askama::Template;

use crate::access::{Action, Audience, ReadPermit, governing};
use crate::address::{Address, Begin, Look, StreamPath, Suffix, Ui};
use crate::event::{EventType, Number, Settings, Source, StreamName, Timestamp};
use crate::store::View;

use super::super::super::Served;
use super::super::super::problem::Problem;
use super::super::super::reply::Reply;
use super::super::super::request::Asked;
use super::super::super::sight::Reader;
use super::super::feed as feeds;
use super::append::Draft;
use super::feed_facts::FeedFacts;
use super::plot::Plot;
use super::rows::{Carried, Row};
use super::{Frame, Link, NAME_BYTES_MAX, Root, growth, page, rows, words};

/// So many types are offered to choose from.
const TYPES_MAX: usize = 12;

#[derive(Template)]
#[template(path = "stream.html")]
struct Stream {
    frame: Frame,
    name: String,
    /// How many events there are and since when, as a sentence.
    extent: String,
    /// What of it is gone, as a sentence.
    gone: Option<String>,
    /// What tells the script that there is something new; none where nothing new would be seen.
    news: Option<String>,
    /// This page with its newest events, where its forms lead.
    here: String,
    /// Of which type the events are that are shown; empty for all.
    event_type: String,
    types: Vec<String>,
    /// The same without a choice by type.
    unfiltered: Option<String>,
    last: Number,
    /// How many events were looked at for those of the type.
    looked: Option<String>,
    rows: Vec<Row>,
    /// Events are of many streams.
    shows_streams: bool,
    /// Other places in the stream.
    walks: Vec<Link>,
    /// About how many bytes it takes; none where its events are those of other streams.
    size: Option<String>,
    growth: Option<Plot>,
    keeps: Vec<String>,
    rights: String,
    feed: Option<FeedFacts>,
    /// The same as documents.
    formats: Vec<Link>,
    /// What the form begins with; none where nothing can be appended.
    append: Option<Draft>,
    /// The Atom feed, for feed readers.
    atom: String,
}

/// A page of a source.
pub(crate) async fn get(
    served: &Served,
    asked: &Asked<'_>,
    permit: &ReadPermit,
    look: &Look,
) -> Result<Reply, Problem> {
    let view = served.store.view();
    let source = permit.source();
    let head = view.head(source)?;
    feeds::readable(source, &head)?;
    let (first, last) = (head.visible().from, head.last().expect("a stream that exists has an event"));
    let top = top(&view, source, look.from, (first, last)).await?;
    let range = (first <= top).then(|| (rows::lowest(look, first, top), top));
    let reader = Reader::of(served, permit);
    let sight = served.documents.sight(reader, &view, source, range).await?;
    let wanted = look.event_type.as_ref();
    let chosen = match range {
        Some(range) => rows::choose(&view, &sight, source, range, wanted).await?,
        None => rows::Chosen { rows: Vec::new(), bottom: None },
    };
    let path = StreamPath::of(source.name());
    let root = Root::OF_STREAM;
    let feed = FeedFacts::of(served, asked, permit, &view, head, (look.from != Begin::Newest).then_some(top)).await;
    let stream = Stream {
        frame: Frame::of(served, permit.caller(), root),
        name: words::line(source.name(), NAME_BYTES_MAX),
        extent: extent(first, last),
        gone: (first > Number::ZERO).then(|| gone(first, last)),
        news: (look.from == Begin::Newest)
            .then(|| format!("{}?last-event-id={last}", root.page(Ui::News { source: source.clone() }))),
        here: root.stream(source),
        event_type: wanted.map(|wanted| words::line(wanted.as_str(), NAME_BYTES_MAX)).unwrap_or_default(),
        types: types(&chosen.rows),
        unfiltered: wanted
            .map(|_| root.page(Ui::Stream { source: source.clone(), look: Look { event_type: None, ..look.clone() } })),
        last,
        looked: wanted.zip(chosen.bottom).map(|(wanted, bottom)| looked(chosen.rows.len(), wanted, (bottom, top))),
        shows_streams: source.is_derived(),
        walks: rows::walks(source, look, (first, last), (top, chosen.bottom)),
        rows: chosen.rows,
        size: view.bytes_about(source).await?.filter(|_| first <= last).map(words::size),
        growth: growth::plot(&view, source, first).await?,
        keeps: match source {
            Source::Stream(stream) if may_read_settings(served, permit, stream).await? => {
                view.retention(stream).map(|known| limits(&known.settings)).unwrap_or_default()
            }
            Source::Stream(_) | Source::All | Source::Derived(..) => Vec::new(),
        },
        rights: rights(served, permit).await?,
        feed,
        formats: formats(source, &path),
        append: Draft::for_reader(served, permit).await?,
        atom: root.to(&path.feed(Suffix::Atom, None)),
    };
    Ok(page(served, asked, sight.audience(), &stream))
}

/// The newest event to be shown.
async fn top(view: &View, source: &Source, begin: Begin, (first, last): (Number, Number)) -> Result<Number, Problem> {
    Ok(match begin {
        Begin::Newest => last,
        Begin::Number(number) => number.min(last),
        // The newest that is not newer; if all are, the oldest.
        Begin::Time(time) => {
            let newer = view.number_at(source, Timestamp::from_micros(time.micros() + 1)).await?;
            newer.map_or(last, |newer| newer.before().unwrap_or(newer).max(first))
        }
    })
}

/// Whether the page may say what the settings are. It is its reader's alone where rights count.
async fn may_read_settings(served: &Served, permit: &ReadPermit, stream: &StreamName) -> Result<bool, Problem> {
    Ok(served.rights(&governing(stream)).await?.allow(permit.caller(), Action::ReadSettings))
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

/// How far a search for events of one type has come.
fn looked(found: usize, wanted: &EventType, (bottom, top): (Number, Number)) -> String {
    let found = words::count(found as u64, "event", "events");
    let wanted = words::line(wanted.as_str(), NAME_BYTES_MAX);
    format!("{found} of the type {wanted} among numbers {bottom} to {top}.")
}

/// The types of these rows, each once.
fn types(rows: &[Row]) -> Vec<String> {
    let shown = rows.iter().filter(|row| !matches!(row.content, Carried::Hidden));
    let types: BTreeSet<&String> = shown.map(|row| &row.event_type).collect();
    types.into_iter().take(TYPES_MAX).cloned().collect()
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

/// What the reader may do, and who else may read.
async fn rights(served: &Served, permit: &ReadPermit) -> Result<String, Problem> {
    let source = permit.source();
    let is_for_writing = matches!(source, Source::Stream(stream) if !stream.is_system());
    if served.access.is_open() {
        let may = if is_for_writing { "read it and append to it" } else { "read it" };
        return Ok(format!("This server is open: everybody may {may}."));
    }
    let rights = served.rights(&governing(&source.stream())).await?;
    let mut may = vec!["read it"];
    for (action, what) in [
        (Action::Write, "append to it"),
        (Action::Delete, "delete it"),
        (Action::ReadSettings, "read its settings"),
        (Action::WriteSettings, "change its settings"),
    ] {
        if is_for_writing && rights.allow(permit.caller(), action) {
            may.push(what);
        }
    }
    let others = match permit.audience() {
        Audience::Everybody => "Everybody may read it.",
        Audience::Some | Audience::Reader => "Not everybody may read it.",
    };
    Ok(format!("You may {}. {others}", words::listed(&may)))
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
