//! Entries that were POSTed come back as they were sent, by the account of a parser by others.

use bytes::Bytes;
use proptest::prelude::*;
use roxmltree::{Document as Parsed, Node};

use super::atom_tests::{INLINE, OUT_OF_LINE, child, document, ef, entry_document, event, mean_the_same, text};
use super::*;
use crate::event::{Content, EventType, MediaType};
use crate::feed::atom_entry::{APP, ATOM, EVERFEED};
use crate::feed::tests_support::any_entry;

const XML: &str = "http://www.w3.org/XML/1998/namespace";
const DATA: &str = "https://feeds.example.org/shop/streams/s/2/data";

fn posted(entry: &str) -> Event {
    let data = Bytes::copy_from_slice(entry.as_bytes());
    let content = Content { media_type: MediaType::atom_entry(), data, metadata: None, trace_parent: None };
    Event { event_type: EventType::parse("a").unwrap(), ..event("s", 2, Some(content)) }
}

/// What is true of a place in a document for all that stands there, as far as XML knows: language, white space, base.
fn inherited(node: Node<'_, '_>) -> [Option<String>; 3] {
    ["lang", "space", "base"].map(|name| {
        let says = |node: Node<'_, '_>| node.attribute((XML, name)).map(str::to_string);
        node.parent().and_then(|parent| parent.ancestors().find_map(says))
    })
}

/// Whether an element of an entry is the author's to say.
fn is_authors(node: Node<'_, '_>) -> bool {
    let name = node.tag_name();
    match (name.namespace(), name.name()) {
        (Some(ATOM), "id" | "published" | "updated") | (Some(APP | EVERFEED), _) => false,
        (Some(ATOM), "category") => {
            node.attribute("scheme") != Some("urn:everfeed:type") || node.attribute("term") == Some("a")
        }
        (Some(ATOM), "link") => {
            let rel = node.attribute("rel").unwrap_or_default();
            let rel = rel.trim_start_matches("http://www.iana.org/assignments/relation/");
            !["edit", "self", "edit-media"].iter().any(|ours| rel.eq_ignore_ascii_case(ours))
        }
        _ => true,
    }
}

fn elements<'a>(node: Node<'a, 'a>) -> Vec<Node<'a, 'a>> {
    node.children().filter(Node::is_element).collect()
}

/// Compares an entry of ours with the one that was POSTed.
fn check(ours: Node<'_, '_>, sent: &str, is_in_feed: bool) {
    let sent = Parsed::parse(sent).unwrap();
    let sent = sent.root_element();
    let theirs: Vec<_> = elements(sent).into_iter().filter(|node| is_authors(*node)).collect();
    let all = elements(ours);
    let (own, kept) = all.split_at(all.len() - theirs.len());
    for (kept, theirs) in kept.iter().zip(&theirs) {
        assert!(mean_the_same(*kept, *theirs), "{}", ours.document().input_text());
        let [language, space, base] = inherited(*theirs);
        let base = match base.as_deref() {
            None => DATA.to_string(),
            Some("../up/?a") => "https://feeds.example.org/shop/streams/s/up/?a".to_string(),
            Some("http://example.org/?a&b") => "http://example.org/?a&b".to_string(),
            Some(mutated) => crate::feed::base::resolve(DATA, mutated),
        };
        assert_eq!(inherited(*kept), [language, space, Some(base)]);
        for namespace in theirs.namespaces().filter(|namespace| !namespace.uri().is_empty()) {
            assert_eq!(kept.lookup_namespace_uri(namespace.name()), Some(namespace.uri()), "{theirs:?}");
        }
    }

    // What an entry has once, it has once.
    let atom = |name: &str| all.iter().filter(|node| node.has_tag_name((ATOM, name))).count();
    for name in ["id", "title", "published", "updated"] {
        assert_eq!(atom(name), 1, "{name}");
    }
    // RFC 4287 §4.1.2: without a summary readers could show nothing of such content.
    let is_base64 = |media_type: MediaType| !media_type.is_text() && !media_type.is_xml();
    let is_opaque = |content: Node<'_, '_>| {
        let media_type = content.attribute("type").and_then(|media_type| MediaType::parse(media_type).ok());
        content.has_attribute("src") || media_type.is_some_and(is_base64)
    };
    let needs_summary = child(sent, "summary").is_some() || child(sent, "content").is_some_and(is_opaque);
    assert_eq!(atom("summary"), usize::from(needs_summary));
    assert_eq!(own.iter().filter(|node| node.has_tag_name((APP, "edited"))).count(), 1);
    assert_eq!(ef(ours, "event").unwrap().attribute("number"), Some("2"));
    assert_eq!(elements(ours).iter().filter(|node| node.tag_name().namespace() == Some(EVERFEED)).count(), 1);
    assert!(text(child(ours, "id").unwrap()).starts_with("urn:uuid:"));
    let type_categories: Vec<_> = all
        .iter()
        .filter(|node| node.has_tag_name((ATOM, "category")) && node.attribute("scheme") == Some("urn:everfeed:type"))
        .map(|node| node.attribute("term"))
        .collect();
    assert!(!type_categories.is_empty() && type_categories.iter().all(|term| *term == Some("a")));

    let links = |rel: &str| {
        let links = all.iter().filter(|node| node.has_tag_name((ATOM, "link")));
        links.filter(|node| node.attribute("rel").unwrap_or("alternate") == rel).copied().collect::<Vec<_>>()
    };
    for rel in ["edit", "self"] {
        let hrefs: Vec<_> = links(rel).iter().filter_map(|node| node.attribute("href")).collect();
        assert!(
            matches!(hrefs[..], [href] if href.starts_with("https://feeds.example.org/shop/streams/s/2")),
            "{hrefs:?}"
        );
    }
    let mut alternates: Vec<_> =
        links("alternate").iter().map(|node| (node.attribute("type"), node.attribute("hreflang"))).collect();
    let count = alternates.len();
    alternates.sort_unstable();
    alternates.dedup();
    assert!(count == alternates.len() && alternates.contains(&(None, None)), "{alternates:?}");

    let has_author = |node: Node<'_, '_>| child(node, "author").is_some();
    let sent_author = has_author(sent) || child(sent, "source").is_some_and(has_author);
    // In a feed an entry without one has the feed's.
    assert_eq!(has_author(ours), has_author(sent) || (!sent_author && !is_in_feed));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn an_entry_comes_back_as_it_was_sent(entry in any_entry()) {
        let event = posted(&entry);
        let alone = entry_document(INLINE, &event);
        prop_assert!(xml::outline(&alone).is_ok());
        check(Parsed::parse(&alone).unwrap().root_element(), &entry, false);

        let page = document(INLINE, "/streams/s/2/forward/3", 3, |_| posted(&entry));
        prop_assert!(xml::outline(&page).is_ok());
        let parsed = Parsed::parse(&page).unwrap();
        check(child(parsed.root_element(), "entry").unwrap(), &entry, true);

        let page = document(OUT_OF_LINE, "/streams/s/2/forward/3", 3, |_| posted(&entry));
        let parsed = Parsed::parse(&page).unwrap();
        let content = child(child(parsed.root_element(), "entry").unwrap(), "content");
        prop_assert!(content.is_none_or(|content| content.attribute("src") == Some(DATA) && !content.has_children()));
    }

    #[test]
    fn a_mutated_entry_is_refused_or_comes_back(
        entry in any_entry(),
        at in any::<prop::sample::Index>(),
        mutation in prop::sample::select(vec![
            "", "<", ">", "&", "'", "\"", "/>", "</", "]]>", "<!--", "-->", "<?", "&#0;", "&#x110000;", "\u{0}", "\u{FFFF}",
            ":", " xmlns='urn:x'", " xmlns:m=''", " xml:base='../up/?a'", "<x>", "</x>", "<content/>", "<title/>", "x",
        ]),
        removed in 0_usize..8,
    ) {
        let mut bytes = entry.into_bytes();
        let start = at.index(bytes.len());
        let end = (start + removed).min(bytes.len());
        bytes.splice(start..end, mutation.bytes());
        let content = Content { media_type: MediaType::atom_entry(), data: bytes.clone().into(), metadata: None, trace_parent: None };
        let event = Event { event_type: EventType::parse("a").unwrap(), ..event("s", 2, Some(content)) };
        // Whatever a store holds under this media type, the document is one.
        let alone = entry_document(INLINE, &event);
        prop_assert!(xml::outline(&alone).is_ok(), "{}", alone);
        let parsed = Parsed::parse(&alone).unwrap();
        if crate::feed::atom_entry::read(&bytes).is_ok() && posted::Posted::of(&event, &[]).is_some() {
            check(parsed.root_element(), std::str::from_utf8(&bytes).unwrap(), false);
        }
    }
}

#[test]
fn what_no_page_can_hold_as_it_is_stands_whole_in_its_content() {
    let invalid = "<entry xmlns='http://www.w3.org/2005/Atom' xml:base='sub/'><title/><title/></entry>";
    let document = entry_document(INLINE, &posted(invalid));
    let parsed = Parsed::parse(&document).unwrap();
    let content = child(parsed.root_element(), "content").unwrap();
    assert_eq!(content.attribute("type"), Some("application/atom+xml;type=entry"));
    assert_eq!(content.attribute((XML, "base")), Some(DATA));
    assert!(mean_the_same(content.first_element_child().unwrap(), Parsed::parse(invalid).unwrap().root_element()));
    assert_eq!(text(child(parsed.root_element(), "title").unwrap()), "2@s");

    // 60 kB that would be 300 MB, if each element were told the namespace again.
    let namespace = "x".repeat(30_000);
    let multiplied = format!(
        "<a:entry xmlns:a='http://www.w3.org/2005/Atom' xmlns='urn:{namespace}'>{}</a:entry>",
        "<b/>".repeat(7_000)
    );
    let document = entry_document(INLINE, &posted(&multiplied));
    assert!(document.len() < 64 << 10, "{}", document.len());
    let parsed = Parsed::parse(&document).unwrap();
    let content = child(parsed.root_element(), "content").unwrap();
    assert_eq!(content.attribute("type"), Some("application/atom+xml;type=entry"));

    let large = format!("<entry xmlns='http://www.w3.org/2005/Atom'><title>{}</title></entry>", "x".repeat(64 << 10));
    let document = entry_document(INLINE, &posted(&large));
    let parsed = Parsed::parse(&document).unwrap();
    let content = child(parsed.root_element(), "content").unwrap();
    assert_eq!(content.attribute("src"), Some(DATA));
    assert_eq!(text(child(parsed.root_element(), "title").unwrap()), "2@s");
}
