//! Head feeds and pages: the answer now, or a moment after the next event.

use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{ETAG, HeaderMap};
use tokio::time::{Instant, timeout_at};

use crate::access::ReadPermit;
use crate::address::{Address, Direction, Shape};
use crate::event::{Number, Source, Status, StreamHead};
use crate::feed::Representation;
use crate::meter::Way;
use crate::store::View;

use super::super::access_log;
use super::super::cache_policy::Freshness;
use super::super::document::{self, NoDocument};
use super::super::links;
use super::super::live::{self, Wait, Waiting};
use super::super::negotiate::{self, Chosen, Coding};
use super::super::problem::{Kind, Problem};
use super::super::reply::{Content, Reply, Vary};
use super::super::request::Asked;
use super::super::rights::Reading;
use super::super::sight::Reader;
use super::super::standing::{Marks, Standing, Wanted, What};
use super::super::{Served, conditional, large};
use super::{description, listen};

/// An answer, and whether the next event would change it.
struct Answer {
    result: Result<Reply, Problem>,
    /// There is nothing new in it: an empty page at the end, a 304, a stream that nobody has written to.
    is_quiet: bool,
    /// Below this number its reader has everything, if the answer is one by which streams are read in order.
    reached: Option<Number>,
}

/// GET of a feed.
pub(crate) async fn get(
    served: &Arc<Served>,
    asked: &Asked<'_>,
    permit: &ReadPermit,
    shape: Shape,
) -> Result<Reply, Problem> {
    if let Some(description) = description::answer(served, asked, &shape) {
        return Ok(description);
    }
    let target = asked.target;
    let of_what = match shape {
        Shape::Head if target.format.is_none() && negotiate::wants_events(asked.headers) => {
            return listen::get(served, asked, permit);
        }
        Shape::Head => negotiate::Asked::Stream,
        Shape::Page(_) => negotiate::Asked::Page,
    };
    let chosen = negotiate::representation(asked.headers, of_what, target.format, target.query.embed)?;
    let coding = negotiate::coding(asked.headers);
    let wanted = Wanted {
        source: permit.source().clone(),
        what: What::Feed(shape),
        representation: chosen.representation,
        base: asked.base.clone(),
        follows_links: links::are_wanted(asked.headers, permit.source(), chosen.representation)?,
    };
    let time = live::wait_asked(asked.headers, target.query.wait_seconds, served.waits.limits())?;
    let Some(time) = time else {
        let answer = answer(served, asked, permit, &served.store.view(), &wanted, chosen, coding).await;
        return answer.seen(served, asked, permit, Way::Poll).result;
    };
    let result = Box::pin(answer_after_waiting(served, asked, permit, wanted, chosen, coding, time)).await;
    // What somebody waited for is an answer to that wait, not a page for others.
    match result {
        Ok(reply) => Ok(Reply { freshness: Freshness::Never, ..reply }),
        Err(problem) => Err(problem.freshness(Freshness::Never)),
    }
}

/// The answer once there is something new in it, or when the time is over. Nothing but a place among those who
/// wait is held meanwhile: there may be thousands.
///
/// Whoever may not read it any more when it comes does not get it.
async fn answer_after_waiting(
    served: &Arc<Served>,
    asked: &Asked<'_>,
    permit: &ReadPermit,
    mut wanted: Wanted,
    chosen: Chosen,
    coding: Coding,
    time: Duration,
) -> Result<Reply, Problem> {
    let mut wait: Option<(Wait, Instant)> = None;
    // HEAD gets the headers of the same GET, but never waits for them.
    let mut is_over = asked.is_head;
    let mut permit = permit.clone();
    loop {
        // The watch comes before the view: an event between the two then ends the wait at once.
        let mut watch = served.store.watch(&wanted.source);
        let view = served.store.view();
        let answer = Box::pin(answer(served, asked, &permit, &view, &wanted, chosen, coding)).await;
        let answer = answer.seen(served, asked, &permit, Way::Wait);
        drop(view);
        if !answer.is_quiet || is_over || served.is_draining() {
            return answer.result;
        }
        drop(answer);
        let until = match &wait {
            Some((_, until)) => *until,
            None => {
                let place = served.waits.begin(asked.address, Waiting::LongPoll)?;
                wait.insert((place, Instant::now() + time)).1
            }
        };
        let news = async {
            tokio::select! { () = watch.changed() => (), () = served.draining() => () }
        };
        is_over = timeout_at(until, news).await.is_err();
        let caller = served.still_let_in(permit.caller()).ok_or_else(Problem::let_in_no_more)?;
        // Nobody else gets the answer to a wait, whatever the audience.
        permit = served.may_read(&caller, permit.source().clone(), &mut Reading::default()).await?;
        wanted.source = permit.source().clone();
    }
}

impl Answer {
    fn refused(problem: Problem, is_quiet: bool) -> Self {
        Self { result: Err(problem), is_quiet, reached: None }
    }

    /// Takes note of who gets it.
    fn seen(self, served: &Served, asked: &Asked<'_>, permit: &ReadPermit, way: Way) -> Self {
        if let Some(reached) = self.reached.filter(|_| !asked.is_head) {
            let is_head_feed = matches!(asked.target.address, Address::Feed(_));
            served.saw(asked, permit, if is_head_feed { Way::Newest } else { way }, reached);
        }
        self
    }
}

async fn answer(
    served: &Arc<Served>,
    asked: &Asked<'_>,
    permit: &ReadPermit,
    view: &View,
    wanted: &Wanted,
    chosen: Chosen,
    coding: Coding,
) -> Answer {
    let head = match view.head(&wanted.source) {
        Ok(head) => head,
        Err(error) => return Answer::refused(error.into(), false),
    };
    if let Err(problem) = readable(&wanted.source, &head) {
        let is_quiet = problem.kind == Kind::StreamNotFound;
        return Answer::refused(problem, is_quiet);
    }
    let standing = match served.documents.standing(view, wanted, head, Reader::of(served, permit)).await {
        Ok(standing) => standing,
        Err(problem) => return Answer::refused(problem, false),
    };
    let is_empty_at_end = standing.extent.shown.is_none() && runs_forward(wanted);
    match page(served, asked, permit, view, wanted, &standing, chosen, coding).await {
        Ok(reply) => {
            let is_unchanged = reply.status == StatusCode::NOT_MODIFIED && !standing.extent.is_complete;
            let reached = reached(wanted, &standing);
            Answer { is_quiet: is_unchanged || is_empty_at_end, result: Ok(reply), reached }
        }
        Err(problem) => Answer::refused(problem, false),
    }
}

#[expect(clippy::too_many_arguments, reason = "what is known of one answer, handed on once")]
async fn page(
    served: &Arc<Served>,
    asked: &Asked<'_>,
    permit: &ReadPermit,
    view: &View,
    wanted: &Wanted,
    standing: &Standing,
    chosen: Chosen,
    coding: Coding,
) -> Result<Reply, Problem> {
    let freshness = freshness(wanted, standing);
    let freshness = if asked.target.is_canonical { freshness } else { freshness.of_another_spelling() };
    let vary = if chosen.varies_by_accept { Vary::AcceptAndEncoding } else { Vary::Encoding };
    let vary = if standing.links.is_some() { vary.and_links() } else { vary };
    if conditional::is_conditional(asked.headers) {
        let marks = served.documents.marks(view, wanted, standing, coding).await?;
        if conditional::is_not_modified(asked.headers, &marks.validators()) {
            return Ok(not_modified(&marks, freshness, vary).to(standing.audience()));
        }
    }
    let cache = access_log::is_on().then(|| served.documents.page_cache(wanted, standing, coding));
    served.read_ahead.begin(served, permit, view, wanted, standing, coding);
    let (headers, body) = match served.documents.get(view, wanted, standing, coding).await {
        Ok(document) => (document.headers.clone(), Content::Whole(document.body.clone())),
        Err(NoDocument::Large) => large::send(served, view, wanted, standing, coding).await?,
        Err(NoDocument::Problem(problem)) => return Err(*problem),
    };
    Ok(Reply { vary, headers, cache, ..Reply::new(StatusCode::OK, freshness, body) }.to(standing.audience()))
}

/// RFC 9110 §15.4.5: what the 200 would have said of who may keep it, and nothing else.
pub(crate) fn not_modified(marks: &Marks, freshness: Freshness, vary: Vary) -> Reply {
    let mut headers = HeaderMap::new();
    document::insert(&mut headers, ETAG, &marks.tag);
    Reply { vary, headers, ..Reply::new(StatusCode::NOT_MODIFIED, freshness, Content::None) }
}

/// Whether there is a stream to read.
pub(crate) fn readable(source: &Source, head: &StreamHead) -> Result<(), Problem> {
    match head.status {
        Status::HardDeleted => {
            Err(Problem::new(Kind::StreamDeleted, format!("the stream `{source}` was deleted for ever"))
                .freshness(Freshness::Gone)
                .reason("Deleted"))
        }
        Status::Live if head.exists() => Ok(()),
        Status::SoftDeleted => Err(Problem::stream_soft_deleted(source)),
        Status::Live => Err(Problem::stream_not_found(source)),
    }
}

/// Below which number a reader has everything that goes from page to page in order, or looks at the newest alone.
fn reached(wanted: &Wanted, standing: &Standing) -> Option<Number> {
    let extent = &standing.extent;
    match wanted.what {
        What::Feed(Shape::Head) => Some(standing.head.next),
        What::Feed(Shape::Page(_)) if runs_forward(wanted) => {
            let last = extent.shown.or(extent.gone).map(|(_, last)| last);
            Some(last.map_or(standing.head.next, |last| last.plus(1)))
        }
        What::Feed(Shape::Page(_)) | What::Event(_) => None,
    }
}

fn runs_forward(wanted: &Wanted) -> bool {
    matches!(wanted.what, What::Feed(Shape::Page(request)) if request.direction == Direction::Forward)
}

/// What the document is to caches.
pub(crate) fn freshness(wanted: &Wanted, standing: &Standing) -> Freshness {
    let extent = &standing.extent;
    let freshness = match wanted.representation {
        Representation::EventStore { .. } | Representation::Data | Representation::Bytes if extent.is_complete => {
            Freshness::EventStoreFrozen
        }
        Representation::EventStore { .. } | Representation::Data | Representation::Bytes => Freshness::EventStoreLive,
        Representation::Atom { .. }
        | Representation::Xml { .. }
        | Representation::Envelope { .. }
        | Representation::SingularEnvelopes { .. }
        | Representation::EnvelopeXml { .. }
        | Representation::CloudEvents
        | Representation::Ndjson => match (extent.is_complete, extent.is_canonical) {
            (false, _) => Freshness::Live,
            (true, true) => Freshness::Frozen,
            (true, false) => Freshness::OffGrid,
        },
    };
    let freshness = if standing.links.is_some() { freshness.of_what_others_may_change() } else { freshness };
    standing.settings.as_ref().map_or(freshness, |settings| freshness.of_a_stream_with(settings))
}
