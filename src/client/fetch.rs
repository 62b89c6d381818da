//! One page, asked for until it is there in whole and can be read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use reqwest::Url;
use tokio::sync::OwnedSemaphorePermit;

use super::FollowError;
use super::cache::{Cache, Standing};
use super::event::Event;
use super::options::{Following, Prefer};
use super::retry::{Attempts, Health, Trouble};
use super::transport::{Ask, Head, Opened, Reply, Transport};
use crate::feed::read::page::{self, EventContent, Form, Page};

/// What a server may choose from: the form that says most first. Between EventStore's JSON and Atom of one server the
/// former says more, since its Atom has no data.
const ANY_FORM: HeaderValue = HeaderValue::from_static(
    "application/x-ndjson, application/vnd.eventstore.atom+json;q=0.9, application/atom+xml;q=0.8, \
     application/xml;q=0.5, text/xml;q=0.5",
);
const LINES: HeaderValue = HeaderValue::from_static("application/x-ndjson");
const ATOM: HeaderValue = HeaderValue::from_static("application/atom+xml, application/xml;q=0.5, text/xml;q=0.5");
const EVENTSTORE: HeaderValue = HeaderValue::from_static("application/vnd.eventstore.atom+json");

const ES_RESOLVE_LINKS: HeaderName = HeaderName::from_static("es-resolvelinktos");

/// How often a page that is there in whole, but cannot be read, is asked for again.
const UNREADABLE_MAX: u32 = 5;

/// How much content is fetched before it is handed over.
const CONTENT_BYTES: usize = 4 << 20;

/// Gets pages, and says what all of them are asked with.
pub(super) struct Fetcher {
    pub(super) transport: Transport,
    cache: Option<Cache>,
    health: Health,
    gives_up_after: Option<Duration>,
    accept: HeaderValue,
    /// The server speaks EventStore's JSON, whose pages hold the events only if the URL says so.
    embeds: AtomicBool,
    shows_links: bool,
}

/// A page that could be read.
#[derive(Debug)]
pub(super) struct Fetched {
    /// As it was linked.
    pub(super) url: Arc<str>,
    pub(super) head: Head,
    pub(super) page: Page,
    /// No cache had a hand in it.
    pub(super) past_caches: bool,
    /// How long its body was.
    pub(super) bytes: usize,
    /// Its share of the memory for what was fetched ahead.
    pub(super) room: Option<OwnedSemaphorePermit>,
}

impl Fetched {
    /// Whether the page is not expected to change: by its headers, or because it says so itself, as archives do that lie
    /// on a server of files.
    pub(super) fn is_settled(&self) -> bool {
        self.page.is_archive || self.head.is_settled()
    }

    /// Whether events may be missing at its end although it can be read.
    pub(super) fn may_be_cut(&self) -> bool {
        !self.past_caches && self.head.form == Ok(Form::Ndjson)
    }

    /// Where this relation leads, as an absolute URL.
    pub(super) fn link(&self, rel: &str) -> Option<Url> {
        self.page.links.get(rel).and_then(|href| self.head.base.join(href).ok())
    }
}

impl Fetcher {
    pub(super) fn new(following: &Following, home: &Url) -> Result<Self, FollowError> {
        let transport = Transport::new(following, home)?;
        let who = transport.authorization.as_ref().map(HeaderValue::as_bytes);
        let cache = following.cache.clone().map(|directory| Cache::open(directory, who)).transpose()?;
        Ok(Self {
            transport,
            cache,
            health: Health::default(),
            gives_up_after: following.gives_up_after,
            accept: match following.prefer {
                None => ANY_FORM,
                Some(Prefer::Lines) => LINES,
                Some(Prefer::Atom) => ATOM,
                Some(Prefer::EventStore) => EVENTSTORE,
            },
            embeds: AtomicBool::new(false),
            shows_links: following.shows_links,
        })
    }

    /// Asking for this page.
    pub(super) fn ask(&self, url: &Url) -> Ask {
        Ask::of(url.clone(), self.accept.clone())
    }

    /// Counting the attempts at this URL.
    pub(super) fn attempts<'a>(&'a self, url: &'a Url) -> Attempts<'a> {
        Attempts::at(url.as_str(), &self.health, self.gives_up_after)
    }

    /// An attempt went well.
    pub(super) fn succeeded(&self, url: &Url) {
        self.health.succeeded(url.as_str());
    }

    /// Asks until there is an answer.
    pub(super) async fn open(&self, ask: &Ask) -> Result<Reply, FollowError> {
        let mut attempts = self.attempts(&ask.url);
        loop {
            match self.try_open(ask).await {
                Ok(reply) => {
                    self.succeeded(&ask.url);
                    return Ok(reply);
                }
                Err(trouble) => attempts.failed(trouble).await?,
            }
        }
    }

    async fn try_open(&self, ask: &Ask) -> Result<Reply, Trouble> {
        let mut ask = ask.clone();
        if self.shows_links {
            ask.headers.insert(ES_RESOLVE_LINKS, HeaderValue::from_static("False"));
        }
        if self.embeds.load(Ordering::Relaxed) {
            embed(&mut ask.url);
        }
        let reply = self.open_by_cache(&ask).await?;
        let is_eventstore = matches!(&reply, Reply::Page(opened) if opened.head.is_eventstore());
        if is_eventstore && !self.embeds.swap(true, Ordering::Relaxed) {
            // The first page of this form came without its events.
            embed(&mut ask.url);
            return self.open_by_cache(&ask).await;
        }
        Ok(reply)
    }

    async fn open_by_cache(&self, ask: &Ask) -> Result<Reply, Trouble> {
        let asked = self.cache.as_ref().zip(ask.of_cache());
        let Some((cache, request)) = asked else { return self.transport.open(ask).await };
        let kept = cache.find(&request).await;
        let known = match kept.as_ref().map(|kept| kept.standing(&request)) {
            Some(Standing::Fresh(headers, body)) => {
                return Ok(Reply::Page(Box::new(Opened::kept(ask.url.clone(), headers, body))));
            }
            Some(Standing::Stale(tag)) => tag,
            None => None,
        };
        match self.transport.open(&Ask { known, ..ask.clone() }).await? {
            Reply::Unchanged(headers) => {
                let kept = kept.ok_or_else(|| Trouble::passing("304, although nothing was known"))?;
                let (headers, body, keeping) = kept.renewed(request, &headers);
                cache.keep(keeping, body.clone()).await;
                Ok(Reply::Page(Box::new(Opened::kept(ask.url.clone(), headers, body))))
            }
            Reply::Page(mut opened) => {
                // Where a redirection led may change.
                if opened.head.base == ask.url {
                    opened.keeping = cache.may_keep(request, &opened.headers);
                }
                Ok(Reply::Page(opened))
            }
            Reply::Absent(why) => Ok(Reply::Absent(why)),
        }
    }

    /// The rest of a page. If it is cut, or cannot be read, it is asked for again, past all caches; so this is for pages
    /// whose head stays what it is, or whose head has not been used yet.
    ///
    /// None when it is not there any more.
    pub(super) async fn read(&self, ask: &Ask, opened: Opened) -> Result<Option<Fetched>, FollowError> {
        let mut attempts = self.attempts(&ask.url);
        let mut unreadable = 0;
        let mut opened = Some(opened);
        let mut past_caches = ask.past_caches;
        let again = Ask { past_caches: true, wait: None, known: None, ..ask.clone() };
        loop {
            let attempt = async {
                let mut opened = match opened.take() {
                    Some(opened) => opened,
                    None => match self.try_open(&again).await? {
                        Reply::Page(opened) => {
                            past_caches = true;
                            *opened
                        }
                        Reply::Unchanged(_) | Reply::Absent(_) => return Ok(None),
                    },
                };
                let (head, keeping) = (opened.head.clone(), opened.keeping.take());
                let body = opened.body().await?;
                Ok::<_, Trouble>(Some((head, body, keeping)))
            };
            let (head, body, keeping) = match attempt.await {
                Ok(Some(read)) => read,
                Ok(None) => return Ok(None),
                Err(trouble) => {
                    attempts.failed(trouble).await?;
                    continue;
                }
            };
            self.succeeded(&ask.url);
            let bytes = body.len();
            match parse(&head, &body) {
                // A page of lines that was cut before the first looks like one of which nothing is left.
                Ok(page) if !past_caches && head.form == Ok(Form::Ndjson) && is_passed_over(&page) => continue,
                Ok(mut page) => {
                    if let (Some(cache), Some(keeping)) = (&self.cache, keeping) {
                        cache.keep(keeping, body).await;
                    }
                    make_absolute(&head, &mut page);
                    return Ok(Some(Fetched {
                        url: ask.url.as_str().into(),
                        head,
                        page,
                        past_caches,
                        bytes,
                        room: None,
                    }));
                }
                Err(why) => {
                    unreadable += 1;
                    if UNREADABLE_MAX <= unreadable {
                        return Err(FollowError::Unreadable { url: ask.url.to_string(), why });
                    }
                    attempts.failed(Trouble::passing(format!("the page cannot be read: {why}"))).await?;
                }
            }
        }
    }

    /// A page in whole; none if it is not there, or is known already.
    pub(super) async fn page(&self, ask: &Ask) -> Result<Option<Fetched>, FollowError> {
        match self.open(ask).await? {
            Reply::Page(opened) => self.read(ask, *opened).await,
            Reply::Unchanged(_) | Reply::Absent(_) => Ok(None),
        }
    }

    /// The next of these events with what they carry, until that is much: what is elsewhere is fetched.
    pub(super) async fn with_content(&self, events: &mut std::vec::IntoIter<Event>) -> Result<Vec<Event>, FollowError> {
        if events.as_slice().iter().all(|event| event.elsewhere().is_none()) {
            return Ok(events.collect());
        }
        let (mut complete, mut bytes) = (Vec::new(), 0);
        while bytes < CONTENT_BYTES
            && let Some(mut event) = events.next()
        {
            if let Some((url, media_type)) = event.elsewhere() {
                let found = self.content(url, media_type).await?;
                event.put(found);
            }
            bytes += event.data().map_or(0, Bytes::len);
            complete.push(event);
        }
        Ok(complete)
    }

    /// What is there, and its media type as far as that is said. None if it was removed since the page was written.
    async fn content(
        &self,
        url: &str,
        media_type: Option<&str>,
    ) -> Result<Option<(Option<Arc<str>>, Bytes)>, FollowError> {
        let unreadable = |why: String| FollowError::Unreadable { url: url.to_string(), why };
        let url = Url::parse(url).map_err(|error| unreadable(error.to_string()))?;
        // As it is stored: EventStore's addresses of events give other things as well.
        let accept = media_type.map_or_else(
            || "application/octet-stream, */*;q=0.1".to_string(),
            |media_type| format!("{media_type}, application/octet-stream;q=0.9, */*;q=0.1"),
        );
        let ask = Ask::of(url, HeaderValue::try_from(accept).unwrap_or(HeaderValue::from_static("*/*")));
        self.bytes(&ask).await
    }

    /// What is there, in whole, and its media type; none if nothing is.
    pub(super) async fn bytes(&self, ask: &Ask) -> Result<Option<(Option<Arc<str>>, Bytes)>, FollowError> {
        let mut attempts = self.attempts(&ask.url);
        loop {
            let attempt = async {
                let opened = match self.transport.open(ask).await {
                    Ok(Reply::Page(opened)) => *opened,
                    Ok(Reply::Unchanged(_) | Reply::Absent(_)) | Err(Trouble::Final(FollowError::Gone { .. })) => {
                        return Ok(None);
                    }
                    Err(trouble) => return Err(trouble),
                };
                let said = opened.media_type();
                Ok(Some((said, opened.body().await?)))
            };
            match attempt.await {
                Ok(found) => {
                    self.succeeded(&ask.url);
                    return Ok(found);
                }
                Err(trouble) => attempts.failed(trouble).await?,
            }
        }
    }
}

/// Whether it has no events and leads on.
fn is_passed_over(page: &Page) -> bool {
    page.events.is_empty() && page.links.get("previous").is_some()
}

fn parse(head: &Head, body: &Bytes) -> Result<Page, String> {
    let form = head.form.as_ref().map_err(ToString::to_string)?;
    page::read(*form, &head.links, body).map_err(|error| error.to_string())
}

/// Where content is, whoever asks for it.
fn make_absolute(head: &Head, page: &mut Page) {
    for event in &mut page.events {
        if let EventContent::Elsewhere { url, .. } = &mut event.content
            && let Ok(absolute) = head.base.join(url)
        {
            *url = absolute.as_str().into();
        }
    }
}

/// EventStore's pages hold the events only if asked to.
fn embed(url: &mut Url) {
    if !url.query_pairs().any(|(name, _)| name == "embed") {
        url.query_pairs_mut().append_pair("embed", "body");
    }
}
