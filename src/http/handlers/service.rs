//! What there is: the service document, and the event types of a stream.

use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderValue};

use crate::access::{ListPermit, ReadPermit};
use crate::address::Format;
use crate::event::{Number, Source, StreamName};
use crate::feed::{self, CATEGORIES_TYPE, SERVICE_TYPE};
use crate::store::ReadError;

use super::super::Served;
use super::super::cache_policy::Freshness;
use super::super::listing::{Limits, Listing};
use super::super::negotiate;
use super::super::problem::Problem;
use super::super::reply::{Content, Reply, Vary};
use super::super::request::Asked;
use super::feed as feeds;
use super::fixed::tagged;

/// The document lists so many of the newest streams.
const LIMITS: Limits = Limits { streams_max: 200, looked_at_max: 1_000, looked_at_bytes_max: 16 << 20 };

/// `/`
pub(crate) async fn get(served: &Served, asked: &Asked<'_>, permit: &ListPermit) -> Result<Reply, Problem> {
    let vary = check(asked, Some(Format::Service), "application/atomsvc+xml")?;
    let view = served.store.view();
    let source = Source::named(StreamName::streams());
    let end = match view.head(&source) {
        Ok(head) => head.next,
        // The rest of the document does not wait for the list of streams.
        Err(ReadError::Indexing { .. }) => Number::ZERO,
        Err(error) => return Err(error.into()),
    };
    let listing = Listing::newest(served, &view, permit, end, LIMITS).await?;
    let has_more = end.get() > listing.streams.len() as u64 && listing.leads_to(served, permit, &source).await?;
    let streams: Vec<StreamName> = listing.streams.iter().map(|(stream, _)| stream.clone()).collect();
    let body = feed::service(asked.base, &streams, has_more.then_some(&source));
    Ok(tagged(asked, document(asked, body, SERVICE_TYPE, vary).to(listing.audience())))
}

/// `/streams/{stream}/categories`
pub(crate) async fn categories(served: &Served, asked: &Asked<'_>, permit: &ReadPermit) -> Result<Reply, Problem> {
    let vary = check(asked, None, "application/atomcat+xml")?;
    let view = served.store.view();
    let head = view.head(permit.source())?;
    feeds::readable(permit.source(), &head)?;
    let types = view.types(&permit.source().stream()).await?;
    Ok(tagged(asked, document(asked, feed::categories(&types), CATEGORIES_TYPE, vary)))
}

/// There is one format. Whoever asks for another by name does not get it.
fn check(asked: &Asked<'_>, format: Option<Format>, media_type: &'static str) -> Result<Vary, Problem> {
    match asked.target.format {
        named @ Some(_) if named == format => Ok(Vary::Nothing),
        Some(_) => Err(negotiate::only(media_type)),
        None => negotiate::check(asked.headers, media_type).map(|()| Vary::Accept),
    }
}

fn document(asked: &Asked<'_>, body: Vec<u8>, media_type: &'static str, vary: Vary) -> Reply {
    let freshness = if asked.target.is_canonical { Freshness::Overview } else { Freshness::Live };
    let reply = Reply::new(StatusCode::OK, freshness, Content::Whole(body.into()))
        .header(CONTENT_TYPE, HeaderValue::from_static(media_type));
    Reply { vary, ..reply }
}
