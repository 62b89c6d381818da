//! Refusals as pages: what was wrong here, and what that kind of refusal means.

use askama::Template;
use hyper::StatusCode;

use crate::address::{Address, Target, Ui};

use super::super::super::cache_policy::Freshness;
use super::super::super::problem::{Kind, Problem};
use super::super::super::reply::Reply;
use super::super::super::request::{Asked, RequestId};
use super::{Frame, Link, NAME_BYTES_MAX, Root, fixed, html, words};

/// What was wrong may take so much of the page, in bytes.
const DETAIL_BYTES_MAX: usize = 2_000;

#[derive(Template)]
#[template(path = "problem.html")]
struct Page {
    frame: Frame,
    title: &'static str,
    status: StatusCode,
    slug: &'static str,
    /// What was wrong; none on the page that explains the kind.
    detail: Option<Vec<Span>>,
    explanation: Vec<Span>,
    /// The name of the request in the log.
    request_id: Option<String>,
    /// The stream in which an event is missing.
    stream: Option<Link>,
}

/// A piece of a sentence.
struct Span {
    text: String,
    is_code: bool,
}

/// What stands between backquotes is code.
fn spans(text: &str) -> Vec<Span> {
    text.split('`').enumerate().map(|(at, text)| Span { text: text.to_string(), is_code: at % 2 == 1 }).collect()
}

/// What was wrong, as a sentence: a problem's detail begins in lower case and ends without a stop.
fn sentence(detail: &str) -> String {
    let line = words::line(detail, DETAIL_BYTES_MAX);
    let mut rest = line.chars();
    let first: String = rest.next().into_iter().flat_map(char::to_uppercase).collect();
    let stop = if line.ends_with(['.', '…']) { "" } else { "." };
    format!("{first}{}{stop}", rest.as_str())
}

/// The stream of an event that is not there, if the stream is.
fn stream_around(problem: &Problem, path: &str) -> Option<Link> {
    match (problem.kind, Target::parse(path, None).ok()?.address) {
        (Kind::EventNotFound | Kind::EventRemoved, Address::Ui(Ui::Event { source, .. })) => {
            let words = words::line(source.name(), NAME_BYTES_MAX);
            Some(Link::new(words, Root::OF_EVENT.stream(&source)))
        }
        _ => None,
    }
}

/// Whether people look at what is at this path, so that a refusal is a page as well.
pub(crate) fn is_for_people(path: &str) -> bool {
    path.starts_with("/ui/")
}

/// A refusal of something below `/ui/`.
pub(crate) fn refusal(problem: &Problem, path: &str, id: &RequestId) -> Reply {
    let page = Page {
        frame: Frame::plain(Root::of_path(path)),
        title: problem.kind.title(),
        status: problem.status,
        slug: problem.kind.slug(),
        detail: Some(spans(&sentence(&problem.detail))),
        explanation: spans(problem.kind.explanation()),
        // A page that caches may keep is the same for everybody.
        request_id: problem.status.is_server_error().then(|| id.to_string()),
        stream: stream_around(problem, path),
    };
    let reply = html(problem.status, problem.freshness, &page);
    let mut headers = problem.headers.clone();
    headers.extend(reply.headers);
    Reply { headers, reason: problem.reason, audience: problem.audience, ..reply }
}

/// `/ui/problems/{kind}`: what a kind of refusal means.
pub(crate) fn explanation(asked: &Asked<'_>, kind: Kind) -> Reply {
    let page = Page {
        frame: Frame::plain(Root::OF_STREAM),
        title: kind.title(),
        status: kind.status(),
        slug: kind.slug(),
        detail: None,
        explanation: spans(kind.explanation()),
        request_id: None,
        stream: None,
    };
    fixed::tagged(asked, html(StatusCode::OK, Freshness::Live, &page))
}
