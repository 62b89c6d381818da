//! What pages stand on: the explanation behind the `type` of a problem, and the files that pages are made with.

use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderValue};

use crate::address::Asset;

use super::super::cache_policy::Freshness;
use super::super::problem::{Kind, Problem};
use super::super::reply::{Content, Reply};
use super::super::request::Asked;
use super::{fixed, ui};

/// What pages are made with changes with the program alone. Whoever updates it waits no longer for its pages.
const ASSET_SECONDS: u32 = 60;

/// `/ui/problems/{kind}`
pub(crate) fn problem(asked: &Asked<'_>, slug: &str) -> Result<Reply, Problem> {
    match Kind::ALL.iter().find(|kind| kind.slug() == slug) {
        Some(kind) => Ok(ui::explanation(asked, *kind)),
        None => {
            let known: Vec<&str> = Kind::ALL.iter().map(|kind| kind.slug()).collect();
            let detail = format!("the kinds of problems are {}", known.join(", "));
            Err(Problem::new(Kind::UnknownAddress, detail))
        }
    }
}

/// `/ui/everfeed.css`, and what else pages are made with.
pub(crate) fn asset(asked: &Asked<'_>, asset: Asset) -> Reply {
    let (media_type, text) = match asset {
        Asset::Stylesheet => ("text/css; charset=utf-8", include_str!("../../../static/everfeed.css")),
        Asset::Script => ("text/javascript; charset=utf-8", include_str!("../../../static/everfeed.js")),
        Asset::Icon => ("image/svg+xml", include_str!("../../../static/everfeed.svg")),
    };
    // Not `Live`: a browser that shows what is stale and asks again meanwhile complains that a 304 has no type.
    let reply = Reply::new(StatusCode::OK, Freshness::Seconds(ASSET_SECONDS), Content::Whole(text.into()))
        .header(CONTENT_TYPE, HeaderValue::from_static(media_type));
    fixed::tagged(asked, reply)
}
