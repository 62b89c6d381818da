//! Pages for people, below `/ui/`: complete without a script, and the same for everybody who may see the same.
//!
//! Templates are checked when the program is compiled, and escape whatever is put into them. Pages link relatively, so
//! that they work behind any proxy and under any name. What strangers wrote is shown by `words`, and never as a part of
//! the page itself; the policy of each page forbids the rest. Where the server asks who is calling, a page says who is
//! looking and what they may do, so it is that reader's alone.
//!
//! Reading order: `frame` (what stands around every page), `words` (what people read), the pages `overview`, `stream` and
//! `event` with their parts, `append` (the one form that writes), `account` (logging in and out), `problem`.

mod frame;
mod words;
mod overview;
mod stream;
mod rows;
mod feed_facts;
mod plot;
mod growth;
mod append;
mod event;
mod follow;
mod account;
mod problem;

use askama::Template;
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderValue, LOCATION};

use crate::access::Audience;
use crate::address::{Address, Form, Look, Ui};

use super::super::Served;
use super::super::browser;
use super::super::cache_policy::Freshness;
use super::super::document;
use super::super::negotiate;
use super::super::reply::{Content, Reply, Vary};
use super::super::request::Asked;
use super::fixed;

pub(crate) use account::{log_in, log_out};
pub(crate) use append::post as append;
pub(crate) use event::get as event;
pub(crate) use overview::get as overview;
pub(crate) use problem::{explanation, is_for_people, refusal};
pub(crate) use stream::get as stream;

use frame::{Frame, Link, Root};

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
        Address::Home => (Ui::Overview { search: None }, vec!["application/atomsvc+xml"]),
        Address::Feed(source) => {
            (Ui::Stream { source: source.clone(), look: Look::default() }, negotiate::media_types(Stream))
        }
        Address::Event { source, place } => {
            let (source, place) = (source.clone(), *place);
            (Ui::Event { source, place, form: Form::default() }, negotiate::media_types(Event))
        }
        _ => return None,
    };
    if asked.target.format.is_some() || !negotiate::prefers_html(asked.headers, offered) {
        return None;
    }
    Some(Reply { vary: Vary::Accept, ..see_other(asked, &Address::Ui(ui)) })
}

/// Sends a browser on.
fn see_other(asked: &Asked<'_>, to: &Address) -> Reply {
    let mut reply = Reply::new(StatusCode::SEE_OTHER, Freshness::Never, Content::Whole(bytes::Bytes::new()));
    document::insert(&mut reply.headers, LOCATION, &asked.base.url(to));
    reply
}

/// A page that says how things stand now.
fn page(served: &Served, asked: &Asked<'_>, audience: Audience, template: &impl Template) -> Reply {
    // It says who is looking.
    let audience = if served.access.is_open() { audience } else { Audience::Reader };
    fixed::tagged(asked, html(StatusCode::OK, Freshness::Live, template).to(audience))
}

fn html(status: StatusCode, freshness: Freshness, template: &impl Template) -> Reply {
    let text = template.render().expect("memory takes every write");
    let mut reply = Reply::new(status, freshness, Content::Whole(text.into()))
        .header(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    browser::page(&mut reply.headers);
    reply
}
