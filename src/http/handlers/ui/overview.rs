//! `/ui/`: what this server is, the streams it got last, and how to begin.

use askama::Template;

use crate::access::ListPermit;
use crate::address::{Place, StreamPath, Suffix};
use crate::event::{Number, Position, Source, StreamHead, StreamName, Timestamp};
use crate::store::{Availability, ReadError};

use super::super::super::Served;
use super::super::super::listing::{Limits, Listing};
use super::super::super::problem::Problem;
use super::super::super::reply::Reply;
use super::super::super::request::Asked;
use super::super::super::sight::event_at;
use super::{CONTENT_BYTES_MAX, Root, page, words};

/// So many streams are listed.
const LIMITS: Limits = Limits { streams_max: 20, looked_at_max: 200, looked_at_bytes_max: CONTENT_BYTES_MAX };

/// What a name may take of the page, in bytes.
const NAME_BYTES_MAX: usize = 120;

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview<'a> {
    root: Root,
    version: &'static str,
    base: &'a str,
    events: Option<String>,
    /// Why the server takes no appends, if it does not.
    closed: Option<String>,
    /// How far the list of streams is, if it is still being built.
    building: Option<String>,
    streams: Vec<Row>,
    /// The pages of `$all` and of `$streams`, where there is something on them.
    all: Option<String>,
    every: Option<String>,
    /// The stream of the examples, under the base URL.
    example: StreamPath,
    atom: String,
    service: String,
}

/// A stream and its newest event.
struct Row {
    href: String,
    name: String,
    newest: Number,
    newest_href: String,
    time: Timestamp,
}

impl Row {
    fn new(source: &Source, newest: Number, time: Timestamp) -> Self {
        Self {
            href: Root::OF_OVERVIEW.stream(source),
            name: words::line(source.name(), NAME_BYTES_MAX),
            newest,
            newest_href: Root::OF_OVERVIEW.event(source, Place::Number(newest)),
            time,
        }
    }

    fn moment(&self) -> String {
        words::moment(self.time)
    }
}

/// The page.
pub(crate) async fn get(served: &Served, asked: &Asked<'_>, permit: &ListPermit) -> Result<Reply, Problem> {
    let root = Root::OF_OVERVIEW;
    let view = served.store.view();
    let events = view.log().next.get();
    let closed = match served.store.availability() {
        _ if served.is_draining() => Some("it is shutting down".to_string()),
        // The reason may tell of the machine.
        Availability::ReadOnly { .. } if !served.access.is_open() => Some("/health/ready tells operators why".into()),
        Availability::ReadOnly { reason } => Some(words::line(&reason, 500)),
        Availability::Writable => None,
    };
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
            streams.push(Row::new(&source, newest, event_at(&view, &source, newest).await?.time));
        }
    }
    let overview = Overview {
        root,
        version: env!("CARGO_PKG_VERSION"),
        base: asked.base.as_str(),
        // How many events there are is what the newest position says, to those who may know it.
        events: leads_to_all.then(|| words::count(events, "event", "events")),
        closed,
        building: building.filter(|_| leads_to_all).map(|(done, of)| progress(done, of)),
        streams,
        all: (leads_to_all && events > 0).then(|| root.stream(&Source::All)),
        every: (leads_to_every && list.exists()).then(|| root.stream(&every)),
        example: StreamPath::under(asked.base, "greetings"),
        atom: root.to(&StreamPath::of(Source::All.name()).feed(Suffix::Atom, None)),
        service: root.to("/?format=atomsvc"),
    };
    Ok(page(asked, listing.audience(), &overview))
}

fn progress(done: Position, of: Position) -> String {
    let (done, of) = (words::grouped(done.get()), words::grouped(of.get()));
    format!("The list of streams is being built: {done} of {of} events are in it.")
}
