//! What browsers may do with an answer, in headers that nobody else looks at.
//!
//! Whatever is served here strangers have written. A browser that is sent to a feed or to the data of an event makes a
//! document of it, with the rights of this server's pages; and any XML may hold a script, in the words of XHTML. So every
//! document is taken into a sandbox, nothing is put into a frame, no address of ours is told to other sites, and data
//! that could be more than text, picture or sound is offered as a file.

use hyper::StatusCode;
use hyper::header::{
    CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};

use crate::access::Audience;
use crate::event::MediaType;

/// By the Fetch standard: the pages of which sites may take an answer in, as a picture or a script, without asking.
pub(crate) const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Of documents: nothing runs, nothing is fetched, nobody frames them.
const DOCUMENT: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; sandbox");

/// Of pages for people: our own style sheet, script and icon, which are files of this server; the script may ask this
/// server, and forms lead to it. Nothing that stands in a page itself is ever run, and nothing is fetched elsewhere.
const PAGE: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; \
     base-uri 'none'; frame-ancestors 'none'",
);

const SAME_ORIGIN: HeaderValue = HeaderValue::from_static("same-origin");

/// What a browser shows as it is, without making a document of it that could do anything.
const SHOWN: &[&str] = &[
    "application/json",
    "application/x-ndjson",
    "image/avif",
    "image/bmp",
    "image/gif",
    "image/jpeg",
    "image/png",
    "image/webp",
    "text/csv",
    "text/plain",
];

/// For a page of ours.
pub(crate) fn page(headers: &mut HeaderMap) {
    headers.insert(CONTENT_SECURITY_POLICY, PAGE);
    headers.insert(CROSS_ORIGIN_RESOURCE_POLICY, SAME_ORIGIN);
    // Without one, browsers do not say either that a form of ours is ours.
    headers.insert(REFERRER_POLICY, SAME_ORIGIN);
}

/// For the bytes of an event, which are served as what their producer says that they are.
pub(crate) fn data(media_type: &MediaType, headers: &mut HeaderMap) {
    headers.insert(CROSS_ORIGIN_RESOURCE_POLICY, SAME_ORIGIN);
    if !is_shown(media_type) {
        headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    }
}

fn is_shown(media_type: &MediaType) -> bool {
    let essence = media_type.essence().to_ascii_lowercase();
    SHOWN.contains(&essence.as_str())
        || essence.ends_with("+json")
        || ["audio/", "video/"].iter().any(|kind| essence.starts_with(kind) && !essence.ends_with("xml"))
}

/// For an answer that is about to be sent: what holds for all that is not said to be something else.
pub(crate) fn complete(status: StatusCode, audience: Audience, headers: &mut HeaderMap) {
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Whoever is told that nothing has changed goes on with the headers that they have.
    if status == StatusCode::NOT_MODIFIED {
        return;
    }
    headers.entry(REFERRER_POLICY).or_insert(HeaderValue::from_static("no-referrer"));
    if headers.contains_key(CONTENT_TYPE) {
        headers.entry(CONTENT_SECURITY_POLICY).or_insert(DOCUMENT);
    }
    if audience == Audience::Everybody {
        headers.entry(CROSS_ORIGIN_RESOURCE_POLICY).or_insert(SAME_ORIGIN);
    } else {
        // A browser may have sent along who its user is.
        headers.insert(CROSS_ORIGIN_RESOURCE_POLICY, SAME_ORIGIN);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_text_pictures_and_sound_are_shown() {
        let shown = |text| is_shown(&MediaType::parse(text).expect("a media type"));
        for text in
            ["text/plain;charset=utf-7", "Application/JSON", "application/vnd.shop+json", "image/png", "audio/ogg"]
        {
            assert!(shown(text), "{text}");
        }
        for text in [
            "text/html",
            "TEXT/HTML;charset=utf-7",
            "text/html ;x",
            "text/xml",
            "application/xml",
            "application/xhtml+xml",
            "image/svg+xml",
            "video/x+xml",
            "audio/xml",
            "application/atom+xml;type=entry",
            "application/pdf",
            "text/javascript",
            "application/octet-stream",
            "text/vtt",
            "multipart/x-mixed-replace",
            "x/y",
        ] {
            assert!(!shown(text), "{text}");
        }
    }
}
