//! `/ui/`: what this server is, its streams, and how to begin.

use askama::Template;

use crate::access::{Audience, ListPermit};
use crate::address::{StreamList, StreamPath, Suffix, Ui, WhichStreams};
use crate::event::{Source, StreamName, Timestamp};
use crate::store::{Availability, Spans, Summary, View};

use super::super::super::Served;
use super::super::super::problem::Problem;
use super::super::super::reply::Reply;
use super::super::super::request::Asked;
use super::super::super::sight::Reader;
use super::super::super::streams::Streams;
use super::append::Draft;
use super::plot::Sparkline;
use super::{Frame, Link, Root, page, words};

/// So many streams are listed.
const STREAMS_MAX: u16 = 16;

/// The stream of the examples.
const EXAMPLE: &str = "greetings";

/// What a name may take of the page, in bytes, and what the type of an event.
const NAME_BYTES_MAX: usize = 120;
const TYPE_BYTES_MAX: usize = 60;

/// So many seconds say how fast events come now.
const RATE_SAMPLES: usize = 10;

/// What came lately is told by so many spans of so many seconds. They end at multiples of their length, so that the page
/// stays as it is in between.
const SPANS: u16 = 15;
const SPAN_SECONDS: i64 = 120;

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview<'a> {
    frame: Frame,
    base: &'a str,
    /// Why the server takes no appends, if it does not.
    closed: Option<String>,
    facts: Vec<Fact>,
    /// What is looked for.
    search: String,
    /// What the list of streams is, as a sentence.
    found: String,
    streams: Vec<Row>,
    /// All there is.
    everything: Vec<Link>,
    /// The stream of the examples, under the base URL.
    example: StreamPath,
    /// This page, where its forms lead.
    here: String,
    /// What the form begins with; none for those who cannot append.
    append: Option<Draft>,
}

/// A number that says how things stand, perhaps with how it went.
struct Fact {
    name: &'static str,
    value: String,
    spark: Option<Sparkline>,
}

/// A stream and its newest event.
struct Row {
    href: String,
    name: String,
    spark: Option<Sparkline>,
    events: String,
    size: String,
    newest: Link,
    time: Timestamp,
}

impl Row {
    fn new(summary: &Summary, lately: &[u64]) -> Self {
        let root = Root::OF_OVERVIEW;
        let Summary { stream, head, newest, bytes_about } = summary;
        let source = Source::Stream(stream.clone());
        let event_type = words::line(newest.event_type.as_str(), TYPE_BYTES_MAX);
        Self {
            href: root.stream(&source),
            name: words::line(stream.as_str(), NAME_BYTES_MAX),
            spark: Sparkline::of(lately),
            events: words::grouped(head.next.get() - head.visible().from.get()),
            size: words::size(*bytes_about),
            newest: Link::new(event_type, root.event(&source, newest.number)),
            time: newest.time,
        }
    }

    fn moment(&self) -> String {
        words::moment(self.time)
    }
}

/// The page.
pub(crate) async fn get(
    served: &Served,
    asked: &Asked<'_>,
    permit: &ListPermit,
    search: Option<&str>,
) -> Result<Reply, Problem> {
    let root = Root::OF_OVERVIEW;
    let view = served.store.view();
    let which = match search {
        Some(text) => WhichStreams::Fitting { text: text.to_string() },
        None => WhichStreams::Recent { before: None },
    };
    let list = StreamList { which, limit: STREAMS_MAX };
    let Streams { streams, is_cut, audience, .. } = Streams::list(served, &view, permit, &list).await?;
    let every = Source::named(StreamName::streams());
    let (leads_to_all, leads_to_every) =
        (may_read(served, permit, &Source::All).await?, may_read(served, permit, &every).await?);
    // The list of all streams may still be being built.
    let count = view.head(&every).map_or(0, |head| head.next.get());
    let mut sources: Vec<Source> = streams.iter().map(|summary| Source::Stream(summary.stream.clone())).collect();
    sources.push(Source::All);
    let mut lately = view.activity(sources, spans((served.ambient.now)())).await?;
    let in_all = lately.pop().unwrap_or_default();
    let mut facts = Vec::new();
    let mut everything = Vec::new();
    // How many events there are, and how fast they come, is for those who may read them all.
    if leads_to_all {
        facts = figures(served, &view, &in_all);
    }
    if leads_to_every && count > 0 {
        facts.push(Fact { name: "Streams", value: words::grouped(count), spark: None });
        everything.push(Link::new("All streams", root.stream(&every)));
    }
    if leads_to_all && view.log().next.get() > 0 {
        everything.push(Link::new("All events", root.stream(&Source::All)));
        let atom = StreamPath::of(Source::All.name()).feed(Suffix::Atom, None);
        everything.push(Link::new("All events as Atom", root.to(&atom)));
    }
    let overview = Overview {
        frame: Frame::of(served, permit.caller(), root),
        base: asked.base.as_str(),
        closed: closed(served),
        facts,
        search: words::line(search.unwrap_or_default(), NAME_BYTES_MAX),
        found: found(search, streams.len(), is_cut),
        streams: streams.iter().zip(&lately).map(|(summary, lately)| Row::new(summary, lately)).collect(),
        everything,
        example: StreamPath::under(asked.base, EXAMPLE),
        here: root.page(Ui::Overview { search: None }),
        append: Draft::to(served, permit.caller(), EXAMPLE).await?,
    };
    Ok(page(served, asked, audience, &overview))
}

async fn may_read(served: &Served, permit: &ListPermit, source: &Source) -> Result<bool, Problem> {
    match Reader::who(served, permit.caller(), Audience::Everybody) {
        Some(reader) => Ok(reader.right_to(&source.stream()).await?.is_the_readers),
        None => Ok(true),
    }
}

/// What came lately is told of these spans.
fn spans(now: Timestamp) -> Spans {
    let length = SPAN_SECONDS * 1_000_000;
    let until = (now.micros() / length + 1) * length;
    let from = until - length * i64::from(SPANS);
    Spans { from: Timestamp::from_micros(from), until: Timestamp::from_micros(until), count: SPANS }
}

/// How many events there are, and how they come.
fn figures(served: &Served, view: &View, lately: &[u64]) -> Vec<Fact> {
    let events = Fact { name: "Events", value: words::grouped(view.log().next.get()), spark: None };
    let (mut came, mut seconds) = (0, 0.0);
    for second in served.metering.history().seconds().iter().rev().take(RATE_SAMPLES) {
        came += second.events;
        seconds += second.span.as_secs_f64();
    }
    let a_second = if seconds > 0.0 { came as f64 / seconds } else { 0.0 };
    let value = if a_second < 10.0 { format!("{a_second:.1}") } else { words::grouped(a_second as u64) };
    vec![events, Fact { name: "Events a second", value, spark: Sparkline::of(lately) }]
}

fn found(search: Option<&str>, count: usize, is_cut: bool) -> String {
    let text = search.map(|text| words::line(text, NAME_BYTES_MAX));
    let streams = words::count(count as u64, "stream", "streams");
    match (text, count, is_cut) {
        (None, 0, _) => "There is no stream yet.".to_string(),
        (None, _, false) => "The one that got an event last comes first.".to_string(),
        (None, _, true) => format!("The {streams} that got an event last."),
        (Some(text), 0, _) => format!("No stream has {text} in its name."),
        (Some(text), 1, false) => format!("One stream has {text} in its name."),
        (Some(text), _, false) => format!("{streams} have {text} in their names."),
        (Some(text), _, true) => format!("{streams} of more that have {text} in their names."),
    }
}

fn closed(served: &Served) -> Option<String> {
    match served.store.availability() {
        _ if served.is_draining() => Some("it is shutting down".to_string()),
        // The reason may tell of the machine.
        Availability::ReadOnly { .. } if !served.access.is_open() => Some("/health/ready tells operators why".into()),
        Availability::ReadOnly { reason } => Some(words::line(&reason, 500)),
        Availability::Writable => None,
    }
}
