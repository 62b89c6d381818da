//! The settings of a stream. This server has no stream settings, so every stream that exists has none.

use hyper::StatusCode;
use serde_json::json;

use crate::access::ReadPermit;

use super::super::Served;
use super::super::cache_policy::Freshness;
use super::super::problem::Problem;
use super::super::reply::Reply;
use super::super::request::Asked;
use super::{feed, fixed};

/// GET of the settings.
pub(crate) fn get(served: &Served, asked: &Asked<'_>, permit: &ReadPermit) -> Result<Reply, Problem> {
    let source = permit.source();
    feed::readable(source, &served.store.view().head(source)?)?;
    Ok(fixed::tagged(asked, Reply { freshness: Freshness::Live, ..Reply::json(StatusCode::OK, &json!({})) }))
}
