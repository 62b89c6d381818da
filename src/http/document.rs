//! Documents and their validators: found in the page cache, or rendered and kept there.
//!
//! A complete document is kept under its address alone. One that the next append may change is kept under the
//! address and the head it was made at, so that any number of pollers cost one rendering per append, and
//! nothing ever has to be thrown out.

use std::sync::Arc;

use bytes::Bytes;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, LAST_MODIFIED, LINK};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use sha2::{Digest as _, Sha256};

use crate::access::Audience;
use crate::address::{Extent, Link, Paging, Shape, link_header};
use crate::event::{Count, Event, Number, Order, Source, StreamHead, StreamName, Timestamp, Visible};
use crate::feed::{self, Feed};
use crate::meter::HttpMeters;
use crate::store::View;

use super::access_log::PageCache;
use super::header::{SURROGATE_KEY, XKEY};
use super::links;
use super::mark::Mark;
use super::negotiate::Coding;
use super::problem::{Kind, Problem};
use super::showing;
use super::sight::{Reader, Sight, StreamsOfPages, event_at, places};
use super::standing::{Marks, Standing, Wanted, What, mark_of, marks_by, removed_from_stream};
use super::validator;

/// A page of more content than this is sent event by event, and never kept.
pub(crate) const LARGE_PAGE_BYTES: usize = 16 << 20;

/// A document, ready to be sent: its body is encoded already.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) marks: Marks,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// All documents of a server.
pub(crate) struct Documents {
    page_size: Count,
    streams: StreamsOfPages,
    cache: Cache<Key, Arc<Document>, ByBody>,
    meters: Arc<HttpMeters>,
}

/// Why there is no document to be had in one piece.
#[derive(Debug)]
pub(crate) enum NoDocument {
    /// It is larger than [`LARGE_PAGE_BYTES`].
    Large,
    /// It cannot be made.
    Problem(Box<Problem>),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    wanted: Wanted,
    /// The first number not assigned when it was made; none when that makes no difference.
    made_at: Option<Number>,
    /// What of it was removed when it was made.
    removed: u64,
    /// Where the links on it led then.
    links: Mark,
    /// What of it was hidden from its reader, and who else may have it.
    sight: (Mark, Audience),
    /// Which history it was made of: a replica that is promoted begins another.
    epoch: u32,
    coding: Coding,
}

#[derive(Debug, Clone)]
struct ByBody;

impl Weighter<Key, Arc<Document>> for ByBody {
    fn weight(&self, _: &Key, document: &Arc<Document>) -> u64 {
        document.body.len() as u64 + 1_024
    }
}

impl Documents {
    pub(crate) fn new(page_size: Count, cache_bytes: u64, meters: Arc<HttpMeters>) -> Self {
        // What a document weighs on average only sizes the cache's own tables.
        let documents_about = (cache_bytes / (64 << 10)).max(64) as usize;
        Self {
            page_size,
            streams: StreamsOfPages::new(),
            cache: Cache::with_weighter(documents_about, cache_bytes, ByBody),
            meters,
        }
    }

    /// The count of the pages that head feeds link to.
    pub(crate) const fn page_size(&self) -> Count {
        self.page_size
    }

    /// What of its source the wanted document shows at this head, to this reader.
    pub(crate) async fn standing(
        &self,
        view: &View,
        wanted: &Wanted,
        head: StreamHead,
        reader: Option<Reader<'_>>,
    ) -> Result<Standing, Problem> {
        let extent = match &wanted.what {
            What::Feed(shape) => {
                wanted.representation.paging(self.page_size).extent(&wanted.source, shape, head.visible())
            }
            What::Event(number) => {
                Extent { shown: Some((*number, *number)), gone: None, is_complete: true, is_canonical: true }
            }
        };
        // The source never had such a document, and a cache would keep it.
        if let Some((first, last)) = extent.shown
            && view.is_unexplained(&wanted.source, first, last).await?
        {
            return Err(Problem::catching_up());
        }
        let newest = head.last().map(|last| (last, last));
        let sight = self.sight(reader, view, &wanted.source, extent.shown.or(newest)).await?;
        let (removed, settings) = match &wanted.source {
            Source::Stream(stream) => {
                let settings = view.retention(stream).map(|retention| retention.settings);
                (removed_from_stream(view, stream, &extent, head.visible().from), settings)
            }
            Source::All | Source::Derived(..) => match extent.shown {
                Some((first, last)) => {
                    let mut removed = view.removed(&wanted.source, first, last).await?;
                    removed.retain(|(place, _)| !sight.hides(*place));
                    (mark_of(&removed), None)
                }
                None => (0, None),
            },
        };
        let (representation, follows_links) = (wanted.representation, wanted.follows_links);
        let shown = extent.shown;
        let links = links::find(view, &wanted.source, representation, shown, follows_links, &sight, reader).await?;
        Ok(Standing { identity: view.identity(), head, extent, removed, settings, links, sight })
    }

    /// What can have been removed of a stream's head feed, in either way of paging, when it ended before `next`.
    pub(crate) fn removed_from_head(&self, view: &View, stream: &StreamName, next: Number) -> [u64; 2] {
        let source = Source::Stream(stream.clone());
        let from = view.retention(stream).map_or(Number::ZERO, |kept| kept.first_visible(next));
        let visible = Visible { from: from.min(next), next };
        [Paging::Grid { page_size: self.page_size }, Paging::EventStore].map(|paging| {
            let extent = paging.extent(&source, &Shape::Head, visible);
            removed_from_stream(view, stream, &extent, from)
        })
    }

    /// What a reader sees of the events between two places of a source.
    pub(crate) async fn sight(
        &self,
        reader: Option<Reader<'_>>,
        view: &View,
        source: &Source,
        range: Option<(Number, Number)>,
    ) -> Result<Sight, Problem> {
        Ok(self.streams.sight(reader, view, source, range).await?)
    }

    /// The document's marks, without rendering it.
    pub(crate) async fn marks(
        &self,
        view: &View,
        wanted: &Wanted,
        standing: &Standing,
        coding: Coding,
    ) -> Result<Marks, Problem> {
        if let Some(kept) = self.cache.get(&key(wanted, standing, coding)) {
            return Ok(kept.marks.clone());
        }
        let newest = standing.extent.shown.map(|(_, last)| last).or(standing.head.last());
        let newest = newest.ok_or_else(|| Problem::stream_not_found(&wanted.source))?;
        let event = standing.sight.event_at(view, &wanted.source, newest).await?;
        Ok(marks_by(newest, &event, wanted, standing, coding))
    }

    /// Whether the document is kept, made as the source stands.
    pub(crate) fn keeps(&self, wanted: &Wanted, standing: &Standing, coding: Coding) -> bool {
        self.cache.peek(&key(wanted, standing, coding)).is_some()
    }

    /// Where the document, made as the source stands, would come from.
    pub(crate) fn page_cache(&self, wanted: &Wanted, standing: &Standing, coding: Coding) -> PageCache {
        if self.keeps(wanted, standing, coding) { PageCache::Hit } else { PageCache::Miss }
    }

    /// The document in this coding: kept, or made now and kept.
    pub(crate) async fn get(
        &self,
        view: &View,
        wanted: &Wanted,
        standing: &Standing,
        coding: Coding,
    ) -> Result<Arc<Document>, NoDocument> {
        if let Some(kept) = self.cache.get(&key(wanted, standing, coding)) {
            self.meters.page_cache_hits.add_one();
            return Ok(kept);
        }
        self.meters.page_cache_misses.add_one();
        self.make(view, wanted, standing, coding).await
    }

    /// The same, for nobody who has asked for it yet.
    pub(crate) async fn make(
        &self,
        view: &View,
        wanted: &Wanted,
        standing: &Standing,
        coding: Coding,
    ) -> Result<Arc<Document>, NoDocument> {
        let key = key(wanted, standing, coding);
        if coding == Coding::Identity {
            return self.cache.get_or_insert_async(&key, self.render(view, wanted, standing)).await;
        }
        let plain = Key { coding: Coding::Identity, ..key.clone() };
        let encode = async {
            let whole = self.cache.get_or_insert_async(&plain, self.render(view, wanted, standing)).await?;
            let encode = move || Arc::new(whole.encoded(coding));
            tokio::task::spawn_blocking(encode).await.map_err(|error| {
                NoDocument::Problem(Box::new(Problem::new(
                    Kind::Internal,
                    format!("a page could not be encoded: {error}"),
                )))
            })
        };
        self.cache.get_or_insert_async(&key, encode).await
    }

    /// How many documents are kept, and about how many bytes they take.
    pub(crate) fn kept(&self) -> (u64, u64) {
        (self.cache.len() as u64, self.cache.weight())
    }

    async fn render(&self, view: &View, wanted: &Wanted, standing: &Standing) -> Result<Arc<Document>, NoDocument> {
        let Wanted { source, what, representation, base, .. } = wanted;
        let mut body = Vec::new();
        let (marks, headers) = match what {
            What::Feed(shape) => {
                let order = representation.order();
                let events = match standing.extent.shown {
                    Some((first, last)) => {
                        let events = standing.sight.read(view, source, first, last, order, LARGE_PAGE_BYTES).await;
                        let events = events.map_err(Problem::from)?;
                        let links_bytes = standing.links.as_ref().map_or(0, |links| links.bytes());
                        if (events.len() as u64) < last.get() - first.get() + 1 || links_bytes > LARGE_PAGE_BYTES {
                            return Err(NoDocument::Large);
                        }
                        events
                    }
                    None => Vec::new(),
                };
                let ends = match order {
                    Order::OldestFirst => events.first().zip(events.last()),
                    Order::NewestFirst => events.last().zip(events.first()),
                };
                // The newest event has just been read with all others.
                let marks = match ends.zip(standing.extent.shown) {
                    Some(((_, newest), (_, last))) => marks_by(last, newest, wanted, standing, Coding::Identity),
                    None => self.marks(view, wanted, standing, Coding::Identity).await?,
                };
                let mut headers = self.headers(wanted, standing, &marks);
                let times = ends.map(|(oldest, newest)| (oldest.time, newest.time));
                let feed = self.feed(view, wanted, shape, standing, times, &marks).await?;
                body.reserve(events.iter().map(event_bytes_about).sum::<usize>() + 4_096);
                let mut document = feed::feed(*representation, &feed);
                if source.is_derived() {
                    let shown = events.iter().filter(|event| !event.is_hidden());
                    insert_purge_keys(&mut headers, shown.map(|event| &event.stream));
                }
                document.begin(&mut body);
                let places = standing.extent.shown.map(|(first, last)| places(order, first, last));
                for (event, place) in events.iter().zip(places.into_iter().flatten()) {
                    showing::write(view, wanted, standing, event, place, &mut *document, &mut body)
                        .await
                        .map_err(Problem::from)?;
                }
                showing::write_gone(view, wanted, standing, &mut *document, &mut body).await?;
                document.end(&mut body);
                drop(document);
                (marks, headers)
            }
            What::Event(number) => {
                let marks = self.marks(view, wanted, standing, Coding::Identity).await?;
                let mut headers = self.headers(wanted, standing, &marks);
                let event = standing.sight.event_at(view, source, *number).await?;
                if source.is_derived() && !event.is_hidden() {
                    insert_purge_keys(&mut headers, [&event.stream]);
                }
                let log = standing.identity.log;
                let target = match &standing.links {
                    Some(links) => links.target(view, *number).await.map_err(Problem::from)?,
                    None => None,
                };
                match target {
                    Some(target) => feed::link(*representation, base, &event, &target, &mut body),
                    None => feed::entry(*representation, base, log, source, &event, *number, &mut body),
                }
                (marks, headers)
            }
        };
        Ok(Arc::new(Document { marks, headers, body: body.into() }))
    }

    /// What the feed says of itself.
    pub(crate) async fn feed<'a>(
        &self,
        view: &View,
        wanted: &'a Wanted,
        shape: &'a Shape,
        standing: &Standing,
        times: Option<(Timestamp, Timestamp)>,
        marks: &'a Marks,
    ) -> Result<Feed<'a>, Problem> {
        // Only an empty page is dated with the stream's beginning.
        let created = match times {
            Some((oldest, _)) => oldest,
            None => event_at(view, &wanted.source, Number::ZERO).await?.time,
        };
        Ok(Feed {
            base: &wanted.base,
            log: standing.identity.log,
            source: &wanted.source,
            shape,
            visible: standing.head.visible(),
            page_size: self.page_size,
            times,
            created,
            etag: Some(marks.identity_tag.trim_matches('"')),
        })
    }

    /// Where a feed leads, itself first.
    pub(crate) fn links(&self, wanted: &Wanted, standing: &Standing, shape: &Shape) -> Vec<Link> {
        let at = wanted.representation.at(&wanted.base, &wanted.source);
        wanted.representation.paging(self.page_size).links(&at, shape, standing.head.visible())
    }

    /// The headers that say what the document is. Those that say who may keep it come later.
    pub(crate) fn headers(&self, wanted: &Wanted, standing: &Standing, marks: &Marks) -> HeaderMap {
        let Wanted { source, what, representation, base, .. } = wanted;
        let mut headers = HeaderMap::with_capacity(12);
        let (media_type, address) = match what {
            What::Feed(shape) => {
                insert(&mut headers, LINK, &link_header(&self.links(wanted, standing, shape)));
                let suffix = representation.suffix();
                let address = match shape {
                    Shape::Head => base.stream(source, suffix, None),
                    Shape::Page(request) => base.page(source, request, suffix, None),
                };
                (representation.feed_type(), address)
            }
            What::Event(number) => (representation.entry_type(), base.event(source, *number, representation.suffix())),
        };
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        insert(&mut headers, ETAG, &marks.tag);
        if let Some(modified) = marks.last_modified {
            insert(&mut headers, LAST_MODIFIED, &httpdate::fmt_http_date(modified.to_system_time()));
        }
        let keys = [stream_key(source.name()), page_key(address.trim_start_matches(base.as_str()))].join(" ");
        insert(&mut headers, SURROGATE_KEY, &keys);
        insert(&mut headers, XKEY, &keys);
        if let Some(links) = &standing.links {
            insert_purge_keys(&mut headers, links.streams());
        }
        headers
    }
}

impl Document {
    fn encoded(&self, coding: Coding) -> Self {
        let tag = validator::with_suffix(&self.marks.tag, coding.tag_suffix());
        let is_eventstore = self.marks.identity_tag.contains(';');
        let tag = if is_eventstore { self.marks.tag.clone() } else { tag };
        let mut headers = self.headers.clone();
        insert(&mut headers, ETAG, &tag);
        if let Some(name) = coding.name() {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(name));
        }
        Self { marks: Marks { tag, ..self.marks.clone() }, headers, body: coding.encode(&self.body) }
    }
}

impl From<Problem> for NoDocument {
    fn from(problem: Problem) -> Self {
        Self::Problem(Box::new(problem))
    }
}

fn key(wanted: &Wanted, standing: &Standing, coding: Coding) -> Key {
    let made_at = (!standing.extent.is_complete).then_some(standing.head.next);
    let epoch = standing.identity.epoch;
    let sight = (standing.sight_mark(), standing.audience());
    let (removed, links) = (standing.removed, standing.links_mark());
    Key { wanted: wanted.clone(), made_at, removed, links, sight, epoch, coding }
}

/// About what an event takes in a document: base64 adds a third, and names and links their part.
fn event_bytes_about(event: &Event) -> usize {
    event.content.as_ref().map_or(0, |content| content.len() * 4 / 3) + 1_536
}

/// A page of many streams names so many of them.
const PURGE_KEYS_MAX: usize = 100;

/// Names the streams that a document is about, beside what it names already, so that a cache can be told to forget
/// it when something of theirs is removed.
pub(crate) fn insert_purge_keys<'s>(headers: &mut HeaderMap, streams: impl IntoIterator<Item = &'s StreamName>) {
    let mut names: Vec<&str> = Vec::new();
    for stream in streams {
        if names.len() < PURGE_KEYS_MAX && !names.contains(&stream.as_str()) {
            names.push(stream.as_str());
        }
    }
    let mut keys = headers.get(SURROGATE_KEY).and_then(|keys| keys.to_str().ok()).unwrap_or_default().to_string();
    for name in names {
        keys.push_str(if keys.is_empty() { "" } else { " " });
        keys.push_str(&stream_key(name));
    }
    insert(headers, SURROGATE_KEY, &keys);
    insert(headers, XKEY, &keys);
}

/// By what caches that can purge by key find all that shows events of a stream.
pub(crate) fn stream_key(name: &str) -> String {
    format!("s-{}", purge_key(name))
}

/// And one document, by its address behind the base URL.
pub(crate) fn page_key(address: &str) -> String {
    format!("p-{}", purge_key(address))
}

fn purge_key(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Sets a header to a text of our own making.
pub(crate) fn insert(headers: &mut HeaderMap, name: hyper::header::HeaderName, value: &str) {
    headers.insert(name, HeaderValue::from_str(value).expect("what we make holds visible ASCII alone"));
}
