//! The events of a source as they come (`text/event-stream`), after those that the reader has got already.

use std::sync::Arc;

use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderValue};

use crate::access::ReadPermit;
use crate::address::LastEventId;
use crate::event::Status;
use crate::meter::Way;

use super::super::Served;
use super::super::cache_policy::Freshness;
use super::super::event_stream::{EventStream, Listening, Tells};
use super::super::header::X_ACCEL_BUFFERING;
use super::super::live::{self, Waiting};
use super::super::negotiate::EVENT_STREAM;
use super::super::problem::Problem;
use super::super::reply::{Content, Reply, Vary};
use super::super::request::Asked;
use super::feed;

/// GET of a source, by somebody who listens.
pub(crate) fn get(served: &Arc<Served>, asked: &Asked<'_>, permit: &ReadPermit) -> Result<Reply, Problem> {
    Ok(Reply { vary: Vary::Accept, ..listen(served, asked, permit, Tells::Events)? })
}

/// `/ui/news/{stream}`: what tells a page for people that there is something new to be seen.
pub(crate) fn news(served: &Arc<Served>, asked: &Asked<'_>, permit: &ReadPermit) -> Result<Reply, Problem> {
    listen(served, asked, permit, Tells::News)
}

/// What was deleted for ever is all that is refused: anything else may come.
fn listen(served: &Arc<Served>, asked: &Asked<'_>, permit: &ReadPermit, tells: Tells) -> Result<Reply, Problem> {
    let source = permit.source();
    let last = live::last_event_id(asked.headers, asked.target.query.last_event_id)?;
    let head = served.store.view().head(source)?;
    if head.status == Status::HardDeleted {
        feed::readable(source, &head)?;
    }
    let body = if asked.is_head {
        Content::None
    } else {
        let wait = served.waits.begin(asked.address, Waiting::Listener)?;
        let next = last.map_or(head.next, LastEventId::next);
        let listening = Listening {
            store: served.store.clone(),
            source: source.clone(),
            permit: (!served.access.is_open()).then(|| (served.clone(), permit.clone())),
            next,
            messages: served.messages.clone(),
            underway: served.underway.clone(),
            address: asked.address,
            draining: served.draining.clone(),
            stalled_time_max: served.settings.stalled_reader_time_max,
            seen: (tells == Tells::Events).then(|| served.saw(asked, permit, Way::Listen, next)),
            now: served.ambient.now,
            tells,
        };
        Content::Live(EventStream::new(listening, wait))
    };
    Ok(Reply::new(StatusCode::OK, Freshness::Never, body)
        .header(CONTENT_TYPE, HeaderValue::from_static(EVENT_STREAM))
        // nginx hands on what it gets at once when it is told so, whatever its own settings say.
        .header(X_ACCEL_BUFFERING, HeaderValue::from_static("no")))
}
