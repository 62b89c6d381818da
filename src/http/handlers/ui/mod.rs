//! Pages for people, below `/ui/`: complete without a script, and the same for everybody who may see the same.
//!
//! Templates are checked when the program is compiled, and escape whatever is put into them. Pages link relatively, so
//! that they work behind any proxy and under any name. What strangers wrote is shown by `words`, and never as a part of
//! the page itself; the policy of each page forbids the rest.

mod event;
mod overview;
mod problem;
mod stream;
mod words;

use askama::Template;
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderValue, LOCATION};

use crate::access::Audience;
use crate::address::{Address, Place, Ui};
use crate::event::Source;

use super::super::browser;
use super::super::cache_policy::Freshness;
use super::super::document;
use super::super::negotiate;
use super::super::reply::{Content, Reply, Vary};
use super::super::request::Asked;
use super::fixed;

pub(crate) use event::get as event;
pub(crate) use overview::get as overview;
pub(crate) use problem::{explanation, is_for_people, refusal};
pub(crate) use stream::get as stream;

/// What is shown in the place of a type that its reader may not see.
const HIDDEN: &str = "Hidden";

/// What the name of the stream or the type that a page is about may take of it, in bytes.
const NAME_BYTES_MAX: usize = 500;

/// A list ends behind the event that brings the content of its events over this.
const CONTENT_BYTES_MAX: usize = 4 << 20;

/// Sends whoever would rather look at a page there, from the documents that there is a page for.
pub(crate) fn redirect(asked: &Asked<'_>) -> Option<Reply> {
    use negotiate::Asked::{Event, Stream};
    let (ui, offered) = match &asked.target.address {
        Address::Home => (Ui::Overview, vec!["application/atomsvc+xml"]),
        Address::Feed(source) => {
            (Ui::Stream { source: source.clone(), from: Place::Head }, negotiate::media_types(Stream))
        }
        Address::Event { source, place } => {
            (Ui::Event { source: source.clone(), place: *place }, negotiate::media_types(Event))
        }
        _ => return None,
    };
    if asked.target.format.is_some() || !negotiate::prefers_html(asked.headers, offered) {
        return None;
    }
    let mut reply = Reply::new(StatusCode::SEE_OTHER, Freshness::Never, Content::Whole(bytes::Bytes::new()));
    document::insert(&mut reply.headers, LOCATION, &asked.base.url(&Address::Ui(ui)));
    Some(Reply { vary: Vary::Accept, ..reply })
}

/// A page that says how things stand now.
fn page(asked: &Asked<'_>, audience: Audience, template: &impl Template) -> Reply {
    fixed::tagged(asked, html(StatusCode::OK, Freshness::Live, template).to(audience))
}

fn html(status: StatusCode, freshness: Freshness, template: &impl Template) -> Reply {
    let text = template.render().expect("memory takes every write");
    let mut reply = Reply::new(status, freshness, Content::Whole(text.into()))
        .header(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    browser::page(&mut reply.headers);
    reply
}

/// Where a page lies, seen from which all links begin: `../` for each step up to the base URL.
#[derive(Debug, Clone, Copy)]
struct Root(&'static str);

impl Root {
    /// Of `/ui/`.
    const OF_OVERVIEW: Self = Self("../");
    /// Of `/ui/streams/{stream}`, and of `/ui/problems/{kind}`.
    const OF_STREAM: Self = Self("../../");
    /// Of `/ui/streams/{stream}/{place}`.
    const OF_EVENT: Self = Self("../../../");

    /// A path, as it stands behind a base URL.
    fn to(self, path: &str) -> String {
        format!("{self}{}", path.trim_start_matches('/'))
    }

    fn stream(self, source: &Source) -> String {
        self.stream_from(source, Place::Head)
    }

    fn stream_from(self, source: &Source, from: Place) -> String {
        self.to(&Address::Ui(Ui::Stream { source: source.clone(), from }).path())
    }

    fn event(self, source: &Source, place: Place) -> String {
        self.to(&Address::Ui(Ui::Event { source: source.clone(), place }).path())
    }
}

impl std::fmt::Display for Root {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

/// A link with its words.
#[derive(Debug)]
struct Link {
    href: String,
    words: String,
}

impl Link {
    fn new(words: impl Into<String>, href: String) -> Self {
        Self { href, words: words.into() }
    }
}
