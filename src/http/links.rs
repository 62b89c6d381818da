//! Link events on a page of EventStore's JSON: where they lead, and what that means for the page.

use std::collections::BTreeMap;
use std::sync::Arc;

use hyper::header::HeaderMap;
use sha2::{Digest as _, Sha256};

use crate::event::{Link, Number, Order, Source};
use crate::feed::{LinkTarget, Representation};
use crate::store::{ReadError, View};

use super::problem::Problem;
use super::request::dialect_header;

/// The link events among what a document shows.
#[derive(Debug, Default)]
pub(crate) struct Links {
    /// By the place of the link. Empty as well if the reader wants links as they are.
    targets: BTreeMap<Number, LinkTarget>,
}

impl Links {
    pub(crate) fn target(&self, place: Number) -> Option<&LinkTarget> {
        self.targets.get(&place)
    }

    /// One number for where they lead now; 0 if they are left as they are.
    pub(crate) fn mark(&self) -> u64 {
        if self.targets.is_empty() {
            return 0;
        }
        let mut hash = Sha256::new();
        for (place, target) in &self.targets {
            let position = match target {
                LinkTarget::Event(event) => event.position.get(),
                LinkTarget::Gone { .. } => u64::MAX,
            };
            hash.update(place.get().to_be_bytes());
            hash.update(position.to_be_bytes());
        }
        u64::from_be_bytes(hash.finalize()[..8].try_into().expect("a digest has 32 bytes"))
    }
}

/// Whether the request wants to see what links lead to. By default that is so for streams, and not for `$all` and
/// settings. Only EventStore's JSON shows it at all.
pub(crate) fn are_wanted(
    headers: &HeaderMap,
    source: &Source,
    representation: Representation,
) -> Result<bool, Problem> {
    let named = match dialect_header(headers, "es-resolvelinktos", "kurrent-resolvelinktos")? {
        None => None,
        Some(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Some(text) if text.eq_ignore_ascii_case("false") => Some(false),
        Some(_) => return Err(Problem::invalid_header("ES-ResolveLinkTos", "it is neither True nor False")),
    };
    let by_default = match source {
        Source::Stream(stream) => !stream.as_str().starts_with("$$"),
        Source::All | Source::Derived(..) => false,
    };
    let shows_links = matches!(representation, Representation::EventStore { .. } | Representation::Data);
    Ok(shows_links && named.unwrap_or(by_default))
}

/// The links between two places; none if there are none. Stores in which nobody ever wrote a link are not searched.
pub(crate) async fn find(
    view: &View,
    source: &Source,
    representation: Representation,
    shown: Option<(Number, Number)>,
    are_wanted: bool,
) -> Result<Option<Arc<Links>>, ReadError> {
    let shows_links = matches!(representation, Representation::EventStore { .. } | Representation::Data);
    let Some((first, last)) = shown.filter(|_| shows_links && view.has_links()) else { return Ok(None) };
    let mut found = Vec::new();
    for (event, offset) in view.read(source, first, last, Order::OldestFirst, usize::MAX).await?.iter().zip(0..) {
        if let Some(link) = Link::of(event) {
            found.push((first.plus(offset), link));
        }
    }
    if found.is_empty() {
        return Ok(None);
    }
    let mut links = Links::default();
    if are_wanted {
        for (place, link) in found {
            links.targets.insert(place, follow(view, link).await?);
        }
    }
    Ok(Some(Arc::new(links)))
}

/// What a link leads to: one step, and never an error.
async fn follow(view: &View, link: Link) -> Result<LinkTarget, ReadError> {
    let Link { stream, number } = link;
    let source = Source::named(stream.clone());
    let visible = view.head(&source)?.visible();
    if visible.from <= number && number < visible.next {
        let event = view.read(&source, number, number, Order::OldestFirst, usize::MAX).await?.pop();
        if let Some(event) = event.filter(|event| event.content.is_some()) {
            return Ok(LinkTarget::Event(Box::new(event)));
        }
    }
    Ok(LinkTarget::Gone { stream, number })
}
