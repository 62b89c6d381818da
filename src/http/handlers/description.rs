//! EventStore's description of a stream: where it is, and in which formats. Served to whoever asks for it by name.

use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use serde_json::json;

use crate::address::{Address, Shape, Suffix};
use crate::event::Source;
use crate::feed::Label;

use super::super::Served;
use super::super::cache_policy::Freshness;
use super::super::negotiate;
use super::super::reply::{Content, Reply, Vary};
use super::super::request::Asked;
use super::strict;

const LEGACY: &str = "application/vnd.eventstore.streamdesc+json";
const KURRENT: &str = "application/vnd.kurrent.streamdesc+json";

/// The description, if that is what the request for a feed asks for. The stream need not be there.
pub(crate) fn answer(served: &Served, asked: &Asked<'_>, shape: &Shape) -> Option<Reply> {
    let (Address::Feed(source) | Address::Page { source, .. }) = &asked.target.address else { return None };
    let named = asked.target.format.is_none();
    if named && let Some(label) = negotiate::description(asked.headers) {
        return Some(describe(asked, source, label, StatusCode::OK));
    }
    let is_asked_strictly = named && served.settings.eventstore_strict;
    (is_asked_strictly && strict::wants_description(asked.headers, source, shape))
        .then(|| describe(asked, source, Label::EventStore, StatusCode::NOT_ACCEPTABLE))
}

fn describe(asked: &Asked<'_>, source: &Source, label: Label, status: StatusCode) -> Reply {
    let media_type = match label {
        Label::Kurrent => KURRENT,
        Label::EventStore | Label::Plain => LEGACY,
    };
    let url = asked.base.stream(source, Suffix::None, None);
    // These links are relative to the server's root, unlike all others.
    let path = url.splitn(4, '/').nth(3).unwrap_or_default();
    let description = json!({
        "title": format!("Description document for '{source}'"),
        "description": "The description document will be presented when no accept header is present or it was requested",
        "_links": {
            "self": {
                "href": format!("/{path}"),
                "supportedContentTypes": [media_type],
            },
            "stream": {
                "href": format!("/{path}"),
                "supportedContentTypes": [
                    "application/atom+xml",
                    "application/vnd.eventstore.atom+json",
                    "application/vnd.kurrent.atom+json",
                ],
            },
        },
    });
    let content_type = match label {
        Label::Kurrent => "application/vnd.kurrent.streamdesc+json; charset=utf-8",
        Label::EventStore | Label::Plain => "application/vnd.eventstore.streamdesc+json; charset=utf-8",
    };
    let reply = Reply::new(status, Freshness::Never, Content::Whole(format!("{description:#}").into()))
        .header(CONTENT_TYPE, HeaderValue::from_static(content_type));
    Reply { reason: Some("Description Document"), vary: Vary::Accept, ..reply }
}
