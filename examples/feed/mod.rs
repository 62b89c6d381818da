//! Pages of a feed as a consumer sees them: links to go on by, and events. It builds no address itself.

use std::error::Error;

use base64::prelude::{BASE64_STANDARD, Engine};
use serde::Deserialize;

/// Whatever went wrong; an example only has to say it.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// The largest document that is read.
const DOCUMENT_BYTES_MAX: u64 = 64 << 20;

/// A page of a feed, whatever form it came in.
pub(crate) struct Page {
    /// Where it was found.
    pub(crate) url: String,
    /// Where the oldest page of its feed is.
    pub(crate) oldest: Option<String>,
    /// Where the page after it is; none at the end of the feed.
    pub(crate) newer: Option<String>,
    /// Oldest first.
    pub(crate) events: Vec<Event>,
}

/// What a consumer wants to know of an event.
pub(crate) struct Event {
    pub(crate) event_type: String,
    pub(crate) data: Vec<u8>,
}

/// The two forms in which a feed can be read: the standard's, and the one that clients of EventStore know.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Form {
    Atom,
    EventStoreJson,
}

impl Form {
    /// The page at `url`; where nothing has been written yet, an empty one. If it is empty and may `wait`, the
    /// server holds its answer back until there is an event, or for half a minute.
    pub(crate) fn page(self, agent: &ureq::Agent, url: &str, wait: bool) -> Result<Page, Failure> {
        let mut request = match self {
            Self::Atom => agent.get(url).header("Accept", "application/atom+xml"),
            Self::EventStoreJson => {
                agent.get(url).query("embed", "body").header("Accept", "application/vnd.eventstore.atom+json")
            }
        };
        if wait {
            request = request.header("Prefer", "wait=30");
        }
        let mut answer = request.call()?;
        let (links, events) = match answer.status().as_u16() {
            200 => self.parse(agent, &text(&mut answer)?)?,
            404 => (Vec::new(), Vec::new()),
            status => return Err(format!("{url} answered {status}: {}", text(&mut answer)?).into()),
        };
        let link = |relation| links.iter().find(|link| link.relation == relation).map(|link| link.url.clone());
        Ok(Page { url: url.to_string(), oldest: link("last"), newer: link("previous"), events })
    }

    /// Links and events of a document. Feeds show the newest entry first, so both forms are read from the end.
    fn parse(self, agent: &ureq::Agent, document: &str) -> Result<(Vec<Link>, Vec<Event>), Failure> {
        let mut events = Vec::new();
        let links = match self {
            Self::Atom => {
                let feed: AtomFeed = quick_xml::de::from_str(document)?;
                for AtomEntry { category, content } in feed.entries.into_iter().rev() {
                    // Large content is not in the page but behind a link.
                    let data = match content.source {
                        Some(url) => text(&mut agent.get(&url).call()?)?.into_bytes(),
                        None => BASE64_STANDARD.decode(content.base64)?,
                    };
                    events.push(Event { event_type: category.term, data });
                }
                feed.links
            }
            Self::EventStoreJson => {
                let feed: JsonFeed = serde_json::from_str(document)?;
                for entry in feed.entries.into_iter().rev() {
                    events.push(Event { event_type: entry.event_type, data: entry.data.into_bytes() });
                }
                feed.links
            }
        };
        Ok((links, events))
    }
}

fn text(answer: &mut ureq::http::Response<ureq::Body>) -> Result<String, Failure> {
    Ok(answer.body_mut().with_config().limit(DOCUMENT_BYTES_MAX).read_to_string()?)
}

#[derive(Deserialize)]
struct Link {
    #[serde(rename = "@rel", alias = "relation")]
    relation: String,
    #[serde(rename = "@href", alias = "uri")]
    url: String,
}

#[derive(Deserialize)]
struct AtomFeed {
    #[serde(rename = "link")]
    links: Vec<Link>,
    #[serde(rename = "entry", default)]
    entries: Vec<AtomEntry>,
}

#[derive(Deserialize)]
struct AtomEntry {
    category: AtomCategory,
    content: AtomContent,
}

#[derive(Deserialize)]
struct AtomCategory {
    #[serde(rename = "@term")]
    term: String,
}

#[derive(Deserialize)]
struct AtomContent {
    #[serde(rename = "@src")]
    source: Option<String>,
    #[serde(rename = "$text", default)]
    base64: String,
}

#[derive(Deserialize)]
struct JsonFeed {
    links: Vec<Link>,
    entries: Vec<JsonEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonEntry {
    event_type: String,
    /// JSON in a string, as that API has it.
    data: String,
}
