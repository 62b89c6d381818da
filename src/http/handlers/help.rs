//! What pages stand on: the explanation behind the `type` of a problem, and the style sheet.

use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderValue};

use super::super::cache_policy::Freshness;
use super::super::problem::{Kind, Problem};
use super::super::reply::{Content, Reply};
use super::super::request::Asked;
use super::{fixed, ui};

const STYLESHEET: &str = include_str!("../../../static/everfeed.css");

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

/// `/ui/everfeed.css`
pub(crate) fn stylesheet(asked: &Asked<'_>) -> Reply {
    let reply = Reply::new(StatusCode::OK, Freshness::Live, Content::Whole(STYLESHEET.into()))
        .header(CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8"));
    fixed::tagged(asked, reply)
}
