//! The documents of RFC 5023 that tell clients what there is: the service document and category documents.

use crate::address::{Address, BaseUrl, Suffix};
use crate::event::{EventType, Source, StreamName};

use super::xml;
use crate::feed::atom_entry::TYPE_SCHEME;

/// The media type of [`service`].
pub const SERVICE_TYPE: &str = "application/atomsvc+xml; charset=utf-8";

/// The media type of [`categories`].
pub const CATEGORIES_TYPE: &str = "application/atomcat+xml; charset=utf-8";

/// What a collection takes: entries, and anything else as the data of one event (RFC 5023 §8.3.4).
const ACCEPTS: [&str; 2] = ["application/atom+xml;type=entry", "*/*"];

/// RFC 5023 §8: one workspace, in which each stream is a collection. `more` is the stream of all streams, if it
/// shows more than these.
#[must_use]
pub fn service(base: &BaseUrl, streams: &[StreamName], more: Option<&Source>) -> Vec<u8> {
    let mut out = Vec::with_capacity(512 + streams.len() * 320);
    out.extend_from_slice(
        b"<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<service xmlns=\"http://www.w3.org/2007/app\" \
          xmlns:atom=\"http://www.w3.org/2005/Atom\">\n<workspace>\n<atom:title>Everfeed</atom:title>\n",
    );
    if let Some(more) = more {
        out.extend_from_slice(
            b"<atom:link rel=\"related\" type=\"application/atom+xml\" title=\"all streams\" href=\"",
        );
        xml::push_attribute(&base.stream(more, Suffix::Atom, None), &mut out);
        out.extend_from_slice(b"\"/>\n");
    }
    for stream in streams {
        push_collection("", &Source::Stream(stream.clone()), base, &mut out);
        out.push(b'\n');
    }
    out.extend_from_slice(b"</workspace>\n</service>\n");
    out
}

/// RFC 5023 §8.3.3. Also in the head feed of a stream, where `prefix` is `app:`.
pub(super) fn push_collection(prefix: &str, source: &Source, base: &BaseUrl, out: &mut Vec<u8>) {
    let open = |name: &str, out: &mut Vec<u8>| out.extend_from_slice(["<", prefix, name].concat().as_bytes());
    let close = |name: &str, out: &mut Vec<u8>| out.extend_from_slice(["</", prefix, name, ">"].concat().as_bytes());
    open("collection", out);
    out.extend_from_slice(b" href=\"");
    xml::push_attribute(&base.stream(source, Suffix::None, None), out);
    out.extend_from_slice(b"\">");
    // In a feed Atom is the namespace of names without a prefix.
    let title = if prefix.is_empty() { "atom:title" } else { "title" };
    out.extend_from_slice(["<", title, ">"].concat().as_bytes());
    xml::push_text(source.name(), out);
    out.extend_from_slice(["</", title, ">"].concat().as_bytes());
    for accepted in ACCEPTS {
        open("accept>", out);
        out.extend_from_slice(accepted.as_bytes());
        close("accept", out);
    }
    open("categories", out);
    out.extend_from_slice(b" href=\"");
    xml::push_attribute(&base.url(&Address::Categories { stream: source.stream() }), out);
    out.extend_from_slice(b"\"/>");
    close("collection", out);
}

/// RFC 5023 §7: the types that a stream's events have. Not fixed: an event may bring a new one.
#[must_use]
pub fn categories(types: &[EventType]) -> Vec<u8> {
    let mut out = Vec::with_capacity(256 + types.len() * 64);
    out.extend_from_slice(
        b"<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<app:categories xmlns:app=\"http://www.w3.org/2007/app\" \
          xmlns=\"http://www.w3.org/2005/Atom\" fixed=\"no\" scheme=\"",
    );
    xml::push_attribute(TYPE_SCHEME, &mut out);
    out.extend_from_slice(b"\">\n");
    for event_type in types {
        out.extend_from_slice(b"<category term=\"");
        xml::push_attribute(event_type.as_str(), &mut out);
        out.extend_from_slice(b"\"/>\n");
    }
    out.extend_from_slice(b"</app:categories>\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(document: &[u8]) -> String {
        String::from_utf8(document.to_vec()).expect("documents are UTF-8")
    }

    #[test]
    fn every_stream_is_a_collection_that_says_what_it_takes() {
        let base = BaseUrl::parse("http://h/p").expect("a base");
        let streams = ["orders", "a/b <&\" c"].map(|name| StreamName::parse(name).expect("a name"));
        let more = Source::named(StreamName::parse("$streams").expect("a name"));
        let text = parsed(&service(&base, &streams, Some(&more)));
        let document = roxmltree::Document::parse(&text).expect("well-formed");
        let collections: Vec<_> = document
            .descendants()
            .filter(|node| node.has_tag_name(("http://www.w3.org/2007/app", "collection")))
            .map(|node| (node.attribute("href"), node.first_element_child().and_then(|title| title.text())))
            .collect();
        let expected = [
            (Some("http://h/p/streams/orders"), Some("orders")),
            (Some("http://h/p/streams/a%2Fb%20%3C%26%22%20c"), Some("a/b <&\" c")),
        ];
        assert_eq!(collections, expected);
        assert!(text.contains("<accept>application/atom+xml;type=entry</accept><accept>*/*</accept>"));
        assert!(text.contains("href=\"http://h/p/streams/orders/categories\""));
        assert!(text.contains("href=\"http://h/p/streams/%24streams?format=atom\""));
    }

    #[test]
    fn the_types_of_a_stream_are_categories_of_our_scheme() {
        let types = ["OrderPlaced", "a<b"].map(|text| EventType::parse(text).expect("a type"));
        let text = parsed(&categories(&types));
        let document = roxmltree::Document::parse(&text).expect("well-formed");
        let terms: Vec<_> = document.root_element().children().filter_map(|node| node.attribute("term")).collect();
        assert_eq!(terms, ["OrderPlaced", "a<b"]);
        assert_eq!(document.root_element().attribute("scheme"), Some("urn:everfeed:type"));
    }
}
