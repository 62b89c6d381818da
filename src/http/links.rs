//! Link events on a page of EventStore's JSON: where they lead, and what that means for the page.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use hyper::header::HeaderMap;
use sha2::{Digest as _, Sha256};

use crate::access::Audience;
use crate::event::{Link, Number, Order, Position, Source, StreamName};
use crate::feed::{LinkTarget, Representation};
use crate::store::{ReadError, View};

use super::mark::Mark;
use super::problem::Problem;
use super::request::dialect_header;
use super::sight::{Reader, Right, Sight};

/// The link events among what a document shows.
#[derive(Debug, Default)]
pub(crate) struct Links {
    /// By the place of the link. Empty as well if the reader wants links as they are.
    targets: BTreeMap<Number, Target>,
    /// Others are shown something else in the place of one of them.
    depends_on_reader: bool,
}

/// Where a link leads. What is there is read when it is written: many links may lead to much.
#[derive(Debug)]
struct Target {
    link: Link,
    /// None if it is gone.
    there: Option<There>,
}

#[derive(Debug, Clone, Copy)]
struct There {
    position: Position,
    bytes: usize,
}

impl Links {
    /// What the link at this place leads to; none if there is no link, or it is to be left as it is.
    pub(crate) async fn target(&self, view: &View, place: Number) -> Result<Option<LinkTarget>, ReadError> {
        let Some(Target { link: Link { stream, number }, there }) = self.targets.get(&place) else { return Ok(None) };
        let gone = LinkTarget::Gone { stream: stream.clone(), number: *number };
        if there.is_none() {
            return Ok(Some(gone));
        }
        let source = Source::named(stream.clone());
        let event = view.read(&source, *number, *number, Order::OldestFirst, usize::MAX).await?.pop();
        Ok(Some(event.map_or(gone, |event| LinkTarget::Event(Box::new(event)))))
    }

    /// Whether what is shown of them depends on who reads.
    pub(crate) const fn depends_on_reader(&self) -> bool {
        self.depends_on_reader
    }

    /// The streams of what is there to be shown in their places.
    pub(crate) fn streams(&self) -> impl Iterator<Item = &StreamName> {
        self.targets.values().filter(|target| target.there.is_some()).map(|target| &target.link.stream)
    }

    /// What all they lead to carries.
    pub(crate) fn bytes(&self) -> usize {
        self.targets.values().filter_map(|target| target.there).map(|there| there.bytes).sum()
    }

    /// Where they lead now; nothing if they are left as they are.
    pub(crate) fn mark(&self) -> Mark {
        if self.targets.is_empty() {
            return Mark::NONE;
        }
        let mut hash = Sha256::new();
        for (place, target) in &self.targets {
            hash.update(place.get().to_be_bytes());
            hash.update(target.there.map_or(u64::MAX, |there| there.position.get()).to_be_bytes());
        }
        Mark::of(hash)
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
///
/// Where they lead is checked against the stream there. What everybody may see is the same for everybody: on it a link to
/// what not everybody may read is shown to nobody.
pub(crate) async fn find(
    view: &View,
    source: &Source,
    representation: Representation,
    shown: Option<(Number, Number)>,
    are_wanted: bool,
    sight: &Sight,
    reader: Option<Reader<'_>>,
) -> Result<Option<Arc<Links>>, ReadError> {
    let shows_links = matches!(representation, Representation::EventStore { .. } | Representation::Data);
    let Some((first, last)) = shown.filter(|_| shows_links && view.has_links()) else { return Ok(None) };
    let mut found = Vec::new();
    view.scan(source, first, last, |place, event| {
        found.extend(Link::of(event).filter(|_| !sight.hides(place)).map(|link| (place, link)));
        Ok(())
    })
    .await?;
    if found.is_empty() {
        return Ok(None);
    }
    let mut links = Links::default();
    if are_wanted {
        let is_everybodys = reader.is_none_or(Reader::is_among_everybody) && sight.audience() == Audience::Everybody;
        // Also where links lead nowhere: how long an answer may be kept must not tell what is there.
        links.depends_on_reader = !is_everybodys;
        let mut rights = reader.map(|reader| Rights { reader, is_everybodys, known: HashMap::new() });
        for (place, link) in found {
            let is_shown = match &mut rights {
                Some(rights) => rights.show(view, &link).await?,
                None => true,
            };
            let there = if is_shown { follow(view, &link).await } else { None };
            links.targets.insert(place, Target { link, there });
        }
    }
    Ok(Some(Arc::new(links)))
}

/// Where a link leads: one step, and never an error. What cannot be read now is not there now.
async fn follow(view: &View, link: &Link) -> Option<There> {
    match look(view, link).await {
        Ok(there) => there,
        Err(error) => {
            tracing::warn!(%error, stream = %link.stream, number = %link.number, "a link cannot be followed");
            None
        }
    }
}

/// Of which streams a page may show what links on it lead to. That is asked before a link is followed: how long that takes
/// must not tell what is there.
struct Rights<'a> {
    reader: Reader<'a>,
    /// The page is the same for everybody.
    is_everybodys: bool,
    known: HashMap<StreamName, bool>,
}

impl Rights<'_> {
    /// Whether what a link leads to may be shown: in a source of many streams, both that and the event's own stream.
    async fn show(&mut self, view: &View, Link { stream, number }: &Link) -> Result<bool, ReadError> {
        let source = Source::named(stream.clone());
        let is_shown = self.show_stream(stream).await?;
        if !is_shown || !source.is_derived() {
            return Ok(is_shown);
        }
        match view.read(&source, *number, *number, Order::OldestFirst, usize::MAX).await?.pop() {
            Some(event) => self.show_stream(&event.stream).await,
            None => Ok(true),
        }
    }

    async fn show_stream(&mut self, stream: &StreamName) -> Result<bool, ReadError> {
        if let Some(is_shown) = self.known.get(stream) {
            return Ok(*is_shown);
        }
        let Right { is_the_readers, is_everybodys } = self.reader.right_to(stream).await?;
        let is_shown = if self.is_everybodys { is_everybodys } else { is_the_readers };
        self.known.insert(stream.clone(), is_shown);
        Ok(is_shown)
    }
}

async fn look(view: &View, Link { stream, number }: &Link) -> Result<Option<There>, ReadError> {
    let source = Source::named(stream.clone());
    let visible = view.head(&source)?.visible();
    if *number < visible.from || visible.next <= *number {
        return Ok(None);
    }
    let event = view.read(&source, *number, *number, Order::OldestFirst, usize::MAX).await?.pop();
    Ok(event.and_then(|event| Some(There { position: event.position, bytes: event.content?.len() })))
}
