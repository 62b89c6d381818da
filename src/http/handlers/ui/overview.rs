//! `/ui/`: what this server is, its streams, and how to begin.

use askama::Template;

use crate::access::ListPermit;
use crate::address::{StreamPath, Suffix, Ui};
use crate::event::{Number, Position, Source, StreamHead, StreamName, Timestamp};
use crate::store::{Availability, ReadError};

use super::super::super::Served;
use super::super::super::listing::{Limits, Listing};
use super::super::super::problem::Problem;
use super::super::super::reply::Reply;
use super::super::super::request::Asked;
use super::super::super::sight::event_at;
use super::append::Draft;
use super::{CONTENT_BYTES_MAX, Frame, Link, Root, page, words};

/// So many streams are listed.
const LIMITS: Limits = Limits { streams_max: 20, looked_at_max: 200, looked_at_bytes_max: CONTENT_BYTES_MAX };

/// The stream of the examples.
const EXAMPLE: &str = "greetings";

/// What a name may take of the page, in bytes.
const NAME_BYTES_MAX: usize = 120;

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

/// A number that says how things stand.
struct Fact {
    name: &'static str,
    value: String,
}

/// A stream and its newest event.
struct Row {
    href: String,
    name: String,
    events: String,
    newest: Link,
    time: Timestamp,
}

impl Row {
    fn new(source: &Source, head: &StreamHead, newest: Number, time: Timestamp) -> Self {
        let root = Root::OF_OVERVIEW;
        Self {
            href: root.stream(source),
            name: words::line(source.name(), NAME_BYTES_MAX),
            events: words::grouped(head.next.get() - head.visible().from.get()),
            newest: Link::new(newest.to_string(), root.event(source, newest)),
            time,
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
    let events = view.log().next.get();
    let every = Source::named(StreamName::streams());
    // A list that is still being built keeps nobody from looking at the rest.
    let (list, building) = match view.head(&every) {
        Ok(list) => (list, None),
        Err(ReadError::Indexing { done, of, .. }) => (StreamHead::default(), Some((done, of))),
        Err(error) => return Err(error.into()),
    };
    let listing = Listing::newest(served, &view, permit, list.next, LIMITS).await?;
    let leads_to_all = listing.leads_to(served, permit, &Source::All).await?;
    let leads_to_every = listing.leads_to(served, permit, &every).await?;
    let mut streams = Vec::with_capacity(listing.streams.len());
    for (stream, head) in &listing.streams {
        let source = Source::Stream(stream.clone());
        if let Some(newest) = head.last() {
            streams.push(Row::new(&source, head, newest, event_at(&view, &source, newest).await?.time));
        }
    }
    let found = match building.filter(|_| leads_to_all) {
        Some((done, of)) => progress(done, of),
        None if streams.is_empty() => "No stream is listed yet.".to_string(),
        None => "The newest streams.".to_string(),
    };
    let mut everything = Vec::new();
    if leads_to_every && list.exists() {
        everything.push(Link::new("All streams", root.stream(&every)));
    }
    if leads_to_all && events > 0 {
        everything.push(Link::new("All events", root.stream(&Source::All)));
        let atom = StreamPath::of(Source::All.name()).feed(Suffix::Atom, None);
        everything.push(Link::new("All events as Atom", root.to(&atom)));
    }
    let overview = Overview {
        frame: Frame::of(served, permit.caller(), root),
        base: asked.base.as_str(),
        closed: closed(served),
        // How many events there are is what the newest position says, to those who may know it.
        facts: leads_to_all.then(|| Fact { name: "Events", value: words::grouped(events) }).into_iter().collect(),
        search: words::line(search.unwrap_or_default(), NAME_BYTES_MAX),
        found,
        streams,
        everything,
        example: StreamPath::under(asked.base, EXAMPLE),
        here: root.page(Ui::Overview { search: None }),
        append: Draft::to(served, permit.caller(), EXAMPLE).await?,
    };
    Ok(page(served, asked, listing.audience(), &overview))
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

fn progress(done: Position, of: Position) -> String {
    let (done, of) = (words::grouped(done.get()), words::grouped(of.get()));
    format!("The list of streams is being built: {done} of {of} events are in it.")
}
