//! `/ui/`: what this server is, the streams it got last, and how to begin.

use askama::Template;

use crate::access::ReadPermit;
use crate::address::{Place, StreamPath, Suffix};
use crate::event::{Number, Order, Position, Source, StreamHead, Timestamp};
use crate::store::{Availability, ReadError, View};

use super::super::super::Served;
use super::super::super::document::event_at;
use super::super::super::problem::Problem;
use super::super::super::reply::Reply;
use super::super::super::request::Asked;
use super::{CONTENT_BYTES_MAX, Root, page, words};

/// So many streams are listed.
const STREAMS_MAX: usize = 20;

/// As many of the newest entries in `$streams` are looked at for streams that are there.
const LOOKED_AT_MAX: u64 = 200;

/// What a name may take of the page, in bytes.
const NAME_BYTES_MAX: usize = 120;

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview<'a> {
    root: Root,
    version: &'static str,
    base: &'a str,
    events: String,
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
    fn moment(&self) -> String {
        words::moment(self.time)
    }
}

/// `permit` is for `$streams`.
pub(super) async fn get(served: &Served, asked: &Asked<'_>, permit: &ReadPermit) -> Result<Reply, Problem> {
    let root = Root::OF_OVERVIEW;
    let view = served.store.view();
    let events = view.log().next.get();
    let closed = match served.store.availability() {
        _ if served.is_draining() => Some("it is shutting down".to_string()),
        Availability::ReadOnly { reason } => Some(words::line(&reason, 500)),
        Availability::Writable => None,
    };
    // A list that is still being built keeps nobody from looking at the rest.
    let (list, building) = match view.head(permit.source()) {
        Ok(list) => (list, None),
        Err(ReadError::Indexing { done, of, .. }) => (StreamHead::default(), Some(progress(done, of))),
        Err(error) => return Err(error.into()),
    };
    let overview = Overview {
        root,
        version: env!("CARGO_PKG_VERSION"),
        base: asked.base.as_str(),
        events: words::count(events, "event", "events"),
        closed,
        building,
        streams: newest(&view, permit.source(), list.next).await?,
        all: (events > 0).then(|| root.stream(&Source::All)),
        every: list.exists().then(|| root.stream(permit.source())),
        example: StreamPath::under(asked.base, "greetings"),
        atom: root.to(&StreamPath::of(Source::All.name()).feed(Suffix::Atom, None)),
        service: root.to("/?format=atomsvc"),
    };
    Ok(page(asked, &overview))
}

fn progress(done: Position, of: Position) -> String {
    let (done, of) = (words::grouped(done.get()), words::grouped(of.get()));
    format!("The list of streams is being built: {done} of {of} events are in it.")
}

/// The newest streams that are there, of a list that ends at this number.
async fn newest(view: &View, list: &Source, end: Number) -> Result<Vec<Row>, Problem> {
    let Some(last) = end.before() else { return Ok(Vec::new()) };
    let first = Number::new(end.get().saturating_sub(LOOKED_AT_MAX)).expect("below a number");
    let mut rows = Vec::new();
    for event in view.read(list, first, last, Order::NewestFirst, CONTENT_BYTES_MAX).await? {
        let source = Source::Stream(event.stream);
        let head = view.head(&source)?;
        let Some(newest) = head.last().filter(|_| head.exists()) else { continue };
        rows.push(Row {
            href: Root::OF_OVERVIEW.stream(&source),
            name: words::line(source.name(), NAME_BYTES_MAX),
            newest,
            newest_href: Root::OF_OVERVIEW.event(&source, Place::Number(newest)),
            time: event_at(view, &source, newest).await?.time,
        });
        if rows.len() == STREAMS_MAX {
            break;
        }
    }
    Ok(rows)
}
