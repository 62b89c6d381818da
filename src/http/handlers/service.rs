//! What there is: the service document, and the event types of a stream.

use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderValue};

use crate::access::ReadPermit;
use crate::address::Format;
use crate::event::{Number, Order, Source, StreamName};
use crate::feed::{self, CATEGORIES_TYPE, SERVICE_TYPE};
use crate::store::ReadError;

use super::super::Served;
use super::super::cache_policy::Freshness;
use super::super::negotiate;
use super::super::problem::Problem;
use super::super::reply::{Content, Reply, Vary};
use super::super::request::Asked;
use super::{feed as feeds, fixed};

/// The document lists so many of the newest streams.
const STREAMS_MAX: u64 = 200;

/// As many of the newest entries in `$streams` are looked at for streams that are there.
const LOOKED_AT_MAX: u64 = 1_000;

/// And about so many bytes of what they carry, which has to be read with them.
const LOOKED_AT_BYTES_MAX: usize = 16 << 20;

/// `/`. `permit` is for the stream of streams.
pub(crate) async fn get(served: &Served, asked: &Asked<'_>, permit: &ReadPermit) -> Result<Reply, Problem> {
    let vary = check(asked, Some(Format::Service), "application/atomsvc+xml")?;
    let view = served.store.view();
    let source = permit.source();
    let end = match view.head(source) {
        Ok(head) => head.next.get(),
        // The rest of the document does not wait for the list of streams.
        Err(ReadError::Indexing { .. }) => 0,
        Err(error) => return Err(error.into()),
    };
    let mut streams: Vec<StreamName> = Vec::new();
    let first = end.saturating_sub(LOOKED_AT_MAX);
    if let Some(last) = Number::new(end).unwrap_or_default().before() {
        let first = Number::new(first).unwrap_or_default();
        for event in view.read(source, first, last, Order::NewestFirst, LOOKED_AT_BYTES_MAX).await? {
            if streams.len() as u64 == STREAMS_MAX {
                break;
            }
            if view.head(&Source::Stream(event.stream.clone()))?.exists() {
                streams.push(event.stream);
            }
        }
    }
    let has_more = end > streams.len() as u64;
    let body = feed::service(asked.base, &streams, has_more.then_some(source));
    Ok(document(asked, body, SERVICE_TYPE, vary))
}

/// `/streams/{stream}/categories`
pub(crate) async fn categories(served: &Served, asked: &Asked<'_>, permit: &ReadPermit) -> Result<Reply, Problem> {
    let vary = check(asked, None, "application/atomcat+xml")?;
    let view = served.store.view();
    let head = view.head(permit.source())?;
    feeds::readable(permit.source(), &head)?;
    let types = view.types(&permit.source().stream()).await?;
    Ok(document(asked, feed::categories(&types), CATEGORIES_TYPE, vary))
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
    fixed::tagged(asked, Reply { vary, ..reply })
}
