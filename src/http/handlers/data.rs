//! The bytes of an event, as its producer sent them, in their own media type.

use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, ETAG, HeaderMap, LAST_MODIFIED};

use crate::access::{Audience, ReadPermit};
use crate::address::Place;
use crate::event::{MediaType, Source};
use crate::feed::{LinkTarget, Representation};

use super::super::browser;
use super::super::cloudevent;
use super::super::document;
use super::super::links;
use super::super::problem::{Kind as ProblemKind, Problem};
use super::super::reply::{Content, Reply, Vary};
use super::super::request::Asked;
use super::super::sight::{Reader, Sight, event_at};
use super::super::standing::Marks;
use super::super::validator::{self, Facts, Form};
use super::super::{Served, conditional};
use super::{event, feed};

/// What the data may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Anything: the caller asked for the bytes.
    Any,
    /// Only JSON: the caller asked for `application/json`.
    Json {
        /// Of a link event, what it leads to.
        follows_links: bool,
    },
    /// Anything, as bytes of which nothing is known: the caller asked for `application/octet-stream`.
    Bytes,
}

/// GET of the bytes of one event.
pub(crate) async fn get(
    served: &Served,
    asked: &Asked<'_>,
    permit: &ReadPermit,
    place: Place,
) -> Result<Reply, Problem> {
    send(served, asked, permit, place, Kind::Any, Vary::Nothing).await
}

/// The bytes of one event, if they are of this kind.
pub(crate) async fn send(
    served: &Served,
    asked: &Asked<'_>,
    permit: &ReadPermit,
    place: Place,
    kind: Kind,
    vary: Vary,
) -> Result<Reply, Problem> {
    let view = served.store.view();
    let source = permit.source();
    let (number, _) = event::resolve(&view, source, place)?;
    let reader = Reader::of(served, permit);
    let mut event = event_at(&view, source, number).await?;
    let sight = Sight::of_event(reader, source, number, &event).await?;
    if sight.hides(number) {
        return Err(Problem::event_hidden(permit.caller(), source, number));
    }
    let links = match kind {
        Kind::Json { follows_links } => {
            let shown = Some((number, number));
            links::find(&view, source, Representation::Data, shown, follows_links, &sight, reader).await?
        }
        Kind::Any | Kind::Bytes => None,
    };
    let target = match &links {
        Some(links) => links.target(&view, number).await?,
        None => None,
    };
    match target {
        Some(LinkTarget::Event(target)) => event = *target,
        Some(LinkTarget::Gone { stream, number }) => {
            return Err(Problem::event_removed(&Source::named(stream), number));
        }
        None => {}
    }
    let vary = if links.is_some() { vary.and_links() } else { vary };
    let Some(content) = &event.content else {
        return Err(Problem::event_removed(source, number));
    };
    let is_json = matches!(kind, Kind::Json { .. });
    if is_json && !content.media_type.is_json() {
        let media_type = content.media_type.as_str();
        let detail = format!(
            "event {number}@{source} is {media_type}; ask for application/atom+xml, or for its bytes at …/{number}/data"
        );
        return Err(Problem::new(ProblemKind::NotAcceptable, detail));
    }
    let representation = match kind {
        Kind::Any | Kind::Json { .. } => Representation::Data,
        Kind::Bytes => Representation::Bytes,
    };
    let media_type = match kind {
        Kind::Any | Kind::Json { .. } => content.media_type.as_str(),
        Kind::Bytes => representation.entry_type(),
    };
    let facts = Facts {
        identity: served.store.identity(),
        life: event.life,
        removed: 0,
        links: links.as_ref().map_or(0, |links| links.mark().in_tag()),
        sight: sight.mark().in_tag(),
        newest: (number, event.position),
        representation,
        base: asked.base,
    };
    let tag = validator::tag(Form::Ours, &facts);
    let depends_on_reader = links.as_ref().is_some_and(|links| links.depends_on_reader());
    let audience = if depends_on_reader { Audience::Reader } else { sight.audience() };
    let is_dated = event::is_dated(place) && audience == Audience::Everybody;
    let marks = Marks { identity_tag: tag.clone(), tag, last_modified: Some(event.time).filter(|_| is_dated) };
    let settings = view.retention(&event.stream).map(|retention| retention.settings);
    let freshness = event::freshness(asked, place, is_json, settings.as_ref());
    let freshness = if links.is_some() { freshness.of_what_others_may_change() } else { freshness };
    if conditional::is_conditional(asked.headers) && conditional::is_not_modified(asked.headers, &marks.validators()) {
        return Ok(feed::not_modified(&marks, freshness, vary).to(audience));
    }
    let mut headers = HeaderMap::new();
    document::insert(&mut headers, CONTENT_TYPE, media_type);
    document::insert(&mut headers, ETAG, &marks.tag);
    if let Some(modified) = marks.last_modified {
        document::insert(&mut headers, LAST_MODIFIED, &httpdate::fmt_http_date(modified.to_system_time()));
    }
    if kind == Kind::Any {
        cloudevent::insert(&event, &mut headers);
    }
    let served_as = match kind {
        Kind::Any | Kind::Json { .. } => &content.media_type,
        Kind::Bytes => &MediaType::octet_stream(),
    };
    document::insert_purge_keys(&mut headers, [&source.stream(), &event.stream]);
    browser::data(served_as, &mut headers);
    let body = Content::Whole(content.data.clone());
    Ok(Reply { vary, headers, ..Reply::new(StatusCode::OK, freshness, body) }.to(audience))
}
