//! `/openapi.json`: what there is, for programs (OpenAPI 3.1).
//!
//! The document is written by hand, and tests hold it true both ways: every route, method, status, header and media type
//! is in it, requests that are made from it succeed, and no answer that any test sees is other than it says.

use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderValue};

use super::super::cache_policy::Freshness;
use super::super::reply::{Content, Reply};
use super::super::request::Asked;
use super::fixed;

const DOCUMENT: &str = include_str!("../../../static/openapi.json");

/// Where the document, as it stands there, says that the server is. The base URL of each request takes its place.
const ANYWHERE: &str = "http://127.0.0.1:2113";

/// The document, with the base URL that links begin with.
pub(crate) fn get(asked: &Asked<'_>) -> Reply {
    let freshness = if asked.target.is_canonical { Freshness::Overview } else { Freshness::Live };
    // A base URL needs no escape in JSON.
    let document = DOCUMENT.replacen(ANYWHERE, asked.base.as_str(), 1);
    let reply = Reply::new(StatusCode::OK, freshness, Content::Whole(document.into()))
        .header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    fixed::tagged(asked, reply)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use serde_json::Value;

    use super::super::super::problem::Kind;
    use super::*;

    fn document() -> Value {
        serde_json::from_str(DOCUMENT).expect("it is JSON")
    }

    #[test]
    fn it_is_of_this_version_and_says_once_where_it_is() {
        let document = document();
        assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(document["servers"][0]["url"], ANYWHERE);
        assert_eq!(DOCUMENT.matches(ANYWHERE).count(), 1);
    }

    #[test]
    fn every_kind_of_problem_is_in_it_with_its_status() {
        let document = document();
        let responses = document["components"]["responses"].as_object().expect("an object");
        let kinds_of = |response: &Value| -> BTreeSet<String> {
            let kinds = response["x-problems"].as_array().into_iter().flatten();
            kinds.map(|kind| kind.as_str().expect("a text").to_string()).collect()
        };
        let known: BTreeSet<String> = Kind::ALL.iter().map(|kind| kind.slug().to_string()).collect();
        let mut told: BTreeSet<String> = BTreeSet::new();
        let mut of_class: BTreeMap<char, BTreeSet<String>> = BTreeMap::new();
        for response in responses.values() {
            told.extend(kinds_of(response));
        }
        assert_eq!(told, known, "`x-problems` of the responses in static/openapi.json name all kinds and no others");
        for (class, name) in [('4', "Refused"), ('5', "Failed")] {
            of_class.insert(class, kinds_of(&responses[name]));
        }
        for kind in Kind::ALL {
            let class = kind.status().as_str().chars().next().expect("three digits");
            let (slug, kinds) = (kind.slug(), &of_class[&class]);
            assert!(kinds.contains(slug), "add {slug:?} to `x-problems` of Refused (4XX) or Failed (5XX)");
        }
        let pattern = document["components"]["schemas"]["Problem"]["properties"]["type"]["pattern"].as_str();
        let named = pattern.and_then(|pattern| pattern.strip_prefix("/ui/problems/(")?.strip_suffix(")$"));
        let named: BTreeSet<String> = named.expect("all kinds").split('|').map(str::to_string).collect();
        assert_eq!(named, known, "the pattern of `type` in the schema Problem names all kinds");
    }
}
