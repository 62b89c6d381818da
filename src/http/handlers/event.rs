//! Single events, as documents.

use hyper::StatusCode;
use hyper::header::LAST_MODIFIED;

use crate::access::ReadPermit;
use crate::address::Place;
use crate::event::{Number, Settings, Source, StreamHead};
use crate::feed::{LinkTarget, Representation};
use crate::store::View;

use super::super::access_log;
use super::super::cache_policy::Freshness;
use super::super::document::NoDocument;
use super::super::links;
use super::super::negotiate;
use super::super::problem::{Kind, Problem};
use super::super::reply::{Content, Reply, Vary};
use super::super::request::Asked;
use super::super::sight::Reader;
use super::super::standing::{Marks, Wanted, What};
use super::super::{Served, conditional};
use super::{data, feed};

/// GET of one event, or of the newest.
pub(crate) async fn get(
    served: &Served,
    asked: &Asked<'_>,
    permit: &ReadPermit,
    place: Place,
) -> Result<Reply, Problem> {
    let target = asked.target;
    let chosen = negotiate::representation(asked.headers, negotiate::Asked::Event, target.format, target.query.embed)?;
    let kind = match chosen.representation {
        Representation::Data => {
            let follows_links = links::are_wanted(asked.headers, permit.source(), chosen.representation)?;
            Some(data::Kind::Json { follows_links })
        }
        Representation::Bytes => Some(data::Kind::Bytes),
        _ => None,
    };
    if let Some(kind) = kind {
        let vary = if chosen.varies_by_accept { Vary::Accept } else { Vary::Nothing };
        return data::send(served, asked, permit, place, kind, vary).await;
    }
    let coding = negotiate::coding(asked.headers);
    let vary = if chosen.varies_by_accept { Vary::AcceptAndEncoding } else { Vary::Encoding };
    let view = served.store.view();
    let (number, head) = resolve(&view, permit.source(), place)?;
    let representation = chosen.representation;
    let wanted = Wanted {
        source: permit.source().clone(),
        what: What::Event(number),
        representation,
        base: asked.base.clone(),
        follows_links: links::are_wanted(asked.headers, permit.source(), representation)?,
    };
    let standing = served.documents.standing(&view, &wanted, head, Reader::of(served, permit)).await?;
    let vary = if standing.links.is_some() { vary.and_links() } else { vary };
    if let Some(links) = &standing.links
        && let Some(LinkTarget::Gone { stream, number }) = links.target(&view, number).await?
    {
        return Err(Problem::event_removed(&Source::named(stream), number));
    }
    let is_eventstore = matches!(representation, Representation::EventStore { .. });
    let freshness = freshness(asked, place, is_eventstore, standing.settings.as_ref());
    let freshness = if standing.links.is_some() { freshness.of_what_others_may_change() } else { freshness };
    if conditional::is_conditional(asked.headers) {
        let marks = served.documents.marks(&view, &wanted, &standing, coding).await?;
        let marks = Marks { last_modified: marks.last_modified.filter(|_| is_dated(place)), ..marks };
        if conditional::is_not_modified(asked.headers, &marks.validators()) {
            return Ok(feed::not_modified(&marks, freshness, vary).to(standing.audience()));
        }
    }
    let cache = access_log::is_on().then(|| served.documents.page_cache(&wanted, &standing, coding));
    match served.documents.get(&view, &wanted, &standing, coding).await {
        Ok(document) => {
            let mut headers = document.headers.clone();
            if !is_dated(place) {
                headers.remove(LAST_MODIFIED);
            }
            let body = Content::Whole(document.body.clone());
            Ok(Reply { vary, headers, cache, ..Reply::new(StatusCode::OK, freshness, body) }.to(standing.audience()))
        }
        Err(NoDocument::Problem(problem)) => Err(*problem),
        Err(NoDocument::Large) => Err(Problem::new(Kind::Internal, "one event is never too large")),
    }
}

/// The number that is asked for, of an event that exists.
pub(crate) fn resolve(view: &View, source: &Source, place: Place) -> Result<(Number, StreamHead), Problem> {
    let head = view.head(source)?;
    feed::readable(source, &head)?;
    match place {
        Place::Number(number) if number < head.first_visible || is_erased(view, source, number) => {
            Err(Problem::event_removed(source, number))
        }
        Place::Number(number) if number < head.next => Ok((number, head)),
        Place::Number(number) => Err(Problem::event_not_found(source, number, head.next)),
        Place::Head => match head.last() {
            Some(last) if head.first_visible <= last && !is_erased(view, source, last) => Ok((last, head)),
            last => Err(Problem::event_removed(source, last.unwrap_or_default())),
        },
        Place::Hex(_) => {
            Err(Problem::new(Kind::InvalidAddress, "a single event is asked for by its position in decimal"))
        }
    }
}

/// Whether its own stream has nothing to show of it any more.
fn is_erased(view: &View, source: &Source, number: Number) -> bool {
    matches!(source, Source::Stream(stream) if view.is_erased(stream, number))
}

/// Whether a date tells this document from others at its address: the newest event may change twice in a second.
pub(crate) fn is_dated(place: Place) -> bool {
    place != Place::Head
}

/// An event never changes; which one is the newest does.
pub(crate) fn freshness(
    asked: &Asked<'_>,
    place: Place,
    is_eventstore: bool,
    settings: Option<&Settings>,
) -> Freshness {
    let freshness = match (place, is_eventstore) {
        (Place::Head, false) => Freshness::Live,
        (Place::Head, true) => Freshness::EventStoreLive,
        (Place::Number(_) | Place::Hex(_), false) => Freshness::Frozen,
        (Place::Number(_) | Place::Hex(_), true) => Freshness::EventStoreFrozen,
    };
    let freshness = settings.map_or(freshness, |settings| freshness.of_a_stream_with(settings));
    if asked.target.is_canonical { freshness } else { freshness.of_another_spelling() }
}
