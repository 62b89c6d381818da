//! What caches and consumers are told of the feed that a page shows: its address, its headers, its links.

use crate::access::{Audience, ReadPermit};
use crate::address::{Direction, PageRequest, Place, Shape};
use crate::event::{Number, StreamHead};
use crate::feed::{AtomContent, Representation};
use crate::store::View;

use super::super::super::Served;
use super::super::super::cache_policy::Freshness;
use super::super::super::negotiate::Coding;
use super::super::super::request::Asked;
use super::super::super::sight::Reader;
use super::super::super::standing::{Wanted, What};
use super::super::feed as feeds;
use super::{Link, Root};

/// A feed, as its headers tell of it.
pub(super) struct FeedFacts {
    /// Its absolute address.
    pub(super) url: String,
    /// Who may keep it, and for how long, as a sentence.
    pub(super) kept: &'static str,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) links: Vec<Link>,
}

impl FeedFacts {
    /// Of the head feed; of the page that holds an event, if there is one named. None where there is no such feed yet.
    pub(super) async fn of(
        served: &Served,
        asked: &Asked<'_>,
        permit: &ReadPermit,
        view: &View,
        head: StreamHead,
        around: Option<Number>,
    ) -> Option<Self> {
        let documents = &served.documents;
        let shape = match around {
            None => Shape::Head,
            Some(number) => {
                let count = documents.page_size();
                let first = number.get() - number.get() % count.get();
                let from = Place::Number(Number::new(first).expect("below a number"));
                Shape::Page(PageRequest { from, direction: Direction::Forward, count })
            }
        };
        let wanted = Wanted {
            source: permit.source().clone(),
            what: What::Feed(shape),
            representation: Representation::Atom { content: AtomContent::Inline },
            base: asked.base.clone(),
            follows_links: false,
        };
        let standing = documents.standing(view, &wanted, head, Reader::of(served, permit)).await.ok()?;
        let marks = documents.marks(view, &wanted, &standing, Coding::Identity).await.ok()?;
        let freshness = feeds::freshness(&wanted, &standing);
        let audience = permit.audience().max(standing.audience());
        let mut headers =
            vec![("Cache-Control", freshness.cache_control(audience).into_owned()), ("ETag", marks.tag.clone())];
        if let Some(modified) = marks.last_modified {
            headers.push(("Last-Modified", httpdate::fmt_http_date(modified.to_system_time())));
        }
        let mut url = String::new();
        let mut links = Vec::new();
        for link in documents.links(&wanted, &standing, &shape) {
            match link.rel {
                "self" => url = link.href,
                // Those lead to what is on the page already.
                "service" | "metadata" | "current" => {}
                rel => {
                    let path = link.href.strip_prefix(asked.base.as_str()).unwrap_or_default();
                    links.push(Link::new(rel, Root::OF_STREAM.to(path)));
                }
            }
        }
        Some(Self { url, kept: kept(freshness, audience), headers, links })
    }
}

const fn kept(freshness: Freshness, audience: Audience) -> &'static str {
    match (freshness, audience) {
        (_, Audience::Reader) => "What is on it depends on who reads it, so each reader asks anew.",
        (Freshness::Frozen, Audience::Everybody) => "It is complete and never changes: any cache may keep it.",
        (Freshness::Frozen, Audience::Some) => "It is complete and never changes: its readers' own caches may keep it.",
        (Freshness::Live, _) => "It changes with the next event: caches share it for a second.",
        _ => "Caches may keep it for as long as the headers say.",
    }
}
