//! Atom documents against golden files, and against a parser by others over hostile content.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use proptest::prelude::*;
use roxmltree::Node;

use super::*;
use crate::address::{Address, Target};
use crate::event::{Content, Digest, EventId, EventType, Life, MediaType, Order, Position, StreamName, Visible};
use crate::feed::AtomContent;

const ATOM: &str = "http://www.w3.org/2005/Atom";
const LOG: Uuid = Uuid::from_u128(0x0b5f_2d1a_6f7e_4c55_9a53_1d2c_3b4a_5968);

pub(super) fn event(stream: &str, number: u32, content: Option<Content>) -> Event {
    let event_type = EventType::parse("OrderPlaced").unwrap();
    let shown = content.clone().unwrap_or(Content {
        media_type: MediaType::json(),
        data: Bytes::new(),
        metadata: None,
        trace_parent: None,
    });
    Event {
        stream: StreamName::parse(stream).unwrap(),
        number: number.into(),
        position: Position::from(number * 3 + 1),
        life: Life(0),
        time: Timestamp::from_micros(1_291_191_960_000_000 + i64::from(number) * 1_500_000),
        id: EventId::new(Uuid::from_u128(0x1111_2222_3333_4444_5555_0000_0000_0001 + u128::from(number))).unwrap(),
        digest: Digest::of(&event_type, &shown),
        event_type,
        content,
        kept_correlation: None,
    }
}

fn content(media_type: &str, data: &[u8]) -> Content {
    let media_type = MediaType::parse(media_type).unwrap();
    Content { media_type, data: Bytes::copy_from_slice(data), metadata: None, trace_parent: None }
}

fn order(number: u32) -> Option<Content> {
    let metadata = Some(Bytes::from_static(b"{\"by\":\"shop <1> & 2\"}"));
    Some(Content { metadata, ..content("application/json", format!("{{\"order\":{number}}}").as_bytes()) })
}

pub(super) const INLINE: Representation = Representation::Atom { content: AtomContent::Inline };
pub(super) const OUT_OF_LINE: Representation = Representation::Atom { content: AtomContent::OutOfLine };

/// The document at a path of a stream in which `next` events have been appended.
pub(super) fn document(
    representation: Representation,
    path: &str,
    next: u32,
    event_at: impl Fn(u32) -> Event,
) -> String {
    let base = BaseUrl::parse("https://feeds.example.org/shop").unwrap();
    let (source, shape) = match Target::parse(path, None).unwrap().address {
        Address::Feed(source) => (source, Shape::Head),
        Address::Page { source, request } => (source, Shape::Page(request)),
        other => panic!("{other:?} is no feed"),
    };
    let page_size = Count::new(3).unwrap();
    let shown = representation.paging(page_size).extent(&source, &shape, Visible::all_below(next.into())).shown;
    let mut events: Vec<Event> = match shown {
        Some((first, last)) => {
            (first.get()..=last.get()).map(|number| event_at(u32::try_from(number).unwrap())).collect()
        }
        None => Vec::new(),
    };
    let times = events.first().map(|event| event.time).zip(events.last().map(|event| event.time));
    if representation.order() == Order::NewestFirst {
        events.reverse();
    }
    let about = Feed {
        base: &base,
        log: LOG,
        source: &source,
        shape: &shape,
        visible: Visible::all_below(next.into()),
        page_size,
        times,
        created: Timestamp::from_micros(1_291_191_960_000_000),
        etag: None,
    };
    let mut out = Vec::new();
    let mut document = feed(representation, &about);
    document.begin(&mut out);
    for event in &events {
        document.entry(event, event.number, &mut out);
    }
    document.end(&mut out);
    String::from_utf8(out).unwrap()
}

pub(super) fn entry_document(representation: Representation, event: &Event) -> String {
    let base = BaseUrl::parse("https://feeds.example.org/shop").unwrap();
    let mut out = Vec::new();
    entry(representation, &base, LOG, &Source::Stream(event.stream.clone()), event, event.number, &mut out);
    String::from_utf8(out).unwrap()
}

/// One entry for each form that content can take.
fn every_form(number: u32) -> Event {
    let kept = match number {
        0 => order(0),
        1 => Some(content("text/plain", "5 < 6 & 7 > 6\r\n\"é\" ]]> \u{1F980}".as_bytes())),
        2 => Some(content("text/csv; charset=utf-8; header=present", b"a,b\n1,2\n")),
        3 => Some(content(
            "application/xml",
            b"<?xml version='1.0' encoding='UTF-8'?>\n<order id='1'><!-- c --></order>\n",
        )),
        4 => Some(content("image/svg+xml", b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>")),
        5 => Some(content("application/octet-stream", &[0, 1, 254, 255])),
        6 => Some(content("text/plain", b"not for XML: \x01")),
        7 => Some(content("text/xml", b"<a><b></a>")),
        8 => Some(content("application/json", &vec![b' '; (64 << 10) + 1])),
        9 => Some(content("multipart/mixed; boundary=\"x\"", b"--x--")),
        10 => None,
        _ => Some(Content {
            metadata: Some(Bytes::from_static("\"\u{FFFF}\"".as_bytes())),
            ..content("text/html", b"<b>bold</b>")
        }),
    };
    event("every form", number, kept)
}

/// What AtomPub's clients POST: an entry with little in it, one with much and prefixes that are ours too, a picture.
fn posted(number: u32) -> Event {
    let kept = match number {
        0 => content(
            "application/atom+xml;type=entry",
            b"<?xml version='1.0'?>\n<entry xmlns='http://www.w3.org/2005/Atom'>\n  <title>Atom-Powered Robots Run Amok</title>\n  \
              <id>urn:uuid:1225c695-cfb8-4ebb-aaaa-80da344efa6a</id>\n  <updated>2003-12-13T18:30:02Z</updated>\n  \
              <author><name>John Doe</name></author>\n  <content>Some text.</content>\n</entry>\n",
        ),
        1 => content(
            "application/atom+xml;type=entry",
            b"<a:entry xmlns:a='http://www.w3.org/2005/Atom' xmlns='http://www.w3.org/1999/xhtml' xmlns:ef='urn:theirs' \
              xmlns:geo='urn:geo' xml:lang='en' xml:base='http://author.example/'><a:title type='html'>&lt;b&gt;Bold</a:title>\
              <a:link href='2026/robots'/><a:link rel='edit' href='theirs'/><a:category term='robots' label='Robots'/>\
              <a:category scheme='urn:everfeed:type' term='OrderPlaced' label='Placed'/><ef:mark/><geo:at x='1'/>\
              <a:summary type='xhtml'><div>Robots <em>run</em></div></a:summary>\
              <a:content type='image/png' src='robots.png'/></a:entry>",
        ),
        _ => content("image/png", b"\x89PNG\r\n\x1A\n"),
    };
    event("posted", number, Some(kept))
}

/// Every golden document: its name, and how it is made.
fn golden() -> Vec<(&'static str, String)> {
    let orders = |number| event("orders/de & at", number, order(number));
    let pages = "/streams/orders%2Fde%20%26%20at";
    vec![
        ("head", document(INLINE, pages, 5, orders)),
        ("complete", document(INLINE, &format!("{pages}/3/forward/3"), 20, orders)),
        ("open", document(INLINE, &format!("{pages}/3/forward/3"), 5, orders)),
        ("empty", document(INLINE, &format!("{pages}/5/forward/3"), 5, orders)),
        ("out_of_line", document(OUT_OF_LINE, &format!("{pages}/4/backward/3"), 20, orders)),
        ("entry", entry_document(INLINE, &orders(4))),
        ("posted", document(INLINE, "/streams/posted/0/forward/3", 3, posted)),
        ("every_form", document(INLINE, "/streams/every%20form/0/forward/12", 13, every_form)),
    ]
}

fn golden_file(name: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/atom/{name}.xml"))
}

/// What caches hold must be what the next release writes. Whoever changes a byte raises the revision.
#[test]
fn documents_are_those_of_their_revision() {
    assert_eq!(INLINE.revision(), 3);
    let mut differences = String::new();
    for (name, document) in golden() {
        let file = golden_file(name);
        let expected = std::fs::read_to_string(&file).unwrap_or_default();
        let (mut was, mut is) = (expected.lines(), document.lines());
        loop {
            match (was.next(), is.next()) {
                (None, None) => break,
                (before, now) if before == now => {}
                (before, now) => {
                    differences +=
                        &format!("{name}\n- {}\n+ {}\n", before.unwrap_or_default(), now.unwrap_or_default());
                }
            }
        }
        assert!(differences.is_empty() == (expected == document), "line by line is enough");
    }
    assert!(differences.is_empty(), "{differences}");
}

/// For whoever has raised the revision.
#[test]
#[ignore = "writes the golden documents anew"]
fn write_the_golden_documents() {
    for (name, document) in golden() {
        std::fs::write(golden_file(name), document).unwrap();
    }
}

pub(super) fn child<'a>(node: Node<'a, 'a>, name: &str) -> Option<Node<'a, 'a>> {
    node.children().find(|child| child.has_tag_name((ATOM, name)))
}

pub(super) fn ef<'a>(node: Node<'a, 'a>, name: &str) -> Option<Node<'a, 'a>> {
    node.children().find(|child| child.has_tag_name(("urn:everfeed:1", name)))
}

pub(super) fn text<'a>(node: Node<'a, 'a>) -> &'a str {
    assert!(node.children().count() <= 1, "text alone");
    node.text().unwrap_or_default()
}

/// Whether two elements mean the same: names, attributes, texts and children.
pub(super) fn mean_the_same(one: Node<'_, '_>, other: Node<'_, '_>) -> bool {
    let attributes = |node: Node<'_, '_>| {
        let mut all: Vec<_> = node
            .attributes()
            .map(|attribute| {
                (attribute.namespace().map(str::to_string), attribute.name().to_string(), attribute.value().to_string())
            })
            .collect();
        all.sort();
        all
    };
    one.node_type() == other.node_type()
        && one.tag_name().name() == other.tag_name().name()
        // `xmlns=""` is the same as none.
        && one.tag_name().namespace().unwrap_or_default() == other.tag_name().namespace().unwrap_or_default()
        && one.text() == other.text()
        && attributes(one) == attributes(other)
        && one.children().count() == other.children().count()
        && one.children().zip(other.children()).all(|(one, other)| mean_the_same(one, other))
}

/// Reads an entry as RFC 4287 tells readers to, and compares it with the event.
fn check_entry(entry: Node<'_, '_>, event: &Event) {
    let title = format!("{}@{}", event.number, event.stream);
    assert_eq!(text(child(entry, "title").unwrap()), title);
    assert_eq!(text(child(entry, "summary").unwrap()), event.event_type.as_str());
    assert_eq!(child(entry, "category").unwrap().attribute("term"), Some(event.event_type.as_str()));
    let facts = ef(entry, "event").unwrap();
    assert_eq!(facts.attribute("stream"), Some(event.stream.as_str()));
    assert_eq!(facts.attribute("position"), Some(event.position.to_string().as_str()));

    let Some(kept) = &event.content else {
        assert!(child(entry, "content").is_none() && ef(entry, "metadata").is_none());
        return;
    };
    let metadata = ef(entry, "metadata").map(|node| match node.attribute("encoding") {
        Some(encoding) => {
            assert_eq!(encoding, "base64");
            STANDARD.decode(text(node)).unwrap()
        }
        None => text(node).as_bytes().to_vec(),
    });
    assert_eq!(metadata.as_deref(), kept.metadata.as_deref());

    let content = child(entry, "content").unwrap();
    if let Some(source) = content.attribute("src") {
        assert!(!content.has_children());
        assert!(source.ends_with(&format!("/{}/data", event.number)));
        assert_eq!(content.attribute("type").unwrap_or(kept.media_type.as_str()), kept.media_type.as_str());
        return;
    }
    match content.attribute("type").unwrap() {
        "text" => assert_eq!(text(content).as_bytes(), &kept.data[..]),
        _ if kept.media_type.is_xml() => {
            let original = roxmltree::Document::parse(std::str::from_utf8(&kept.data).unwrap()).unwrap();
            assert_eq!(content.children().count(), 1);
            assert!(mean_the_same(content.first_child().unwrap(), original.root_element()));
        }
        media_type => {
            assert_eq!(media_type, kept.media_type.as_str());
            let is_text = kept.media_type.is_text();
            let data =
                if is_text { text(content).as_bytes().to_vec() } else { STANDARD.decode(text(content)).unwrap() };
            assert_eq!(data, &kept.data[..]);
        }
    }
}

#[test]
fn every_form_of_content_can_be_read_back() {
    let page = document(INLINE, "/streams/every%20form/0/forward/12", 13, every_form);
    let parsed = roxmltree::Document::parse(&page).unwrap();
    let entries: Vec<_> = parsed.root_element().children().filter(|node| node.has_tag_name((ATOM, "entry"))).collect();
    assert_eq!(entries.len(), 12);
    let mut out_of_line = Vec::new();
    for (entry, number) in entries.into_iter().zip((0..12).rev()) {
        check_entry(entry, &every_form(number));
        if child(entry, "content").is_some_and(|content| content.has_attribute("src")) {
            out_of_line.push(number);
        }
    }
    assert_eq!(out_of_line, [9, 8, 7, 6, 4]);
}

#[test]
fn out_of_line_nothing_is_embedded() {
    let page = document(OUT_OF_LINE, "/streams/every%20form/0/forward/12", 13, every_form);
    let parsed = roxmltree::Document::parse(&page).unwrap();
    let contents = parsed.descendants().filter(|node| node.has_tag_name((ATOM, "content")));
    assert_eq!(contents.inspect(|content| assert!(content.has_attribute("src"))).count(), 11);
}

#[test]
fn ids_are_the_same_on_every_page_and_differ_between_logs_streams_and_events() {
    let id = |log: Uuid, event: &Event| {
        let base = BaseUrl::parse("http://h").unwrap();
        let mut out = Vec::new();
        entry(INLINE, &base, log, &Source::All, event, event.position.into(), &mut out);
        let document = String::from_utf8(out).unwrap();
        let parsed = roxmltree::Document::parse(&document).unwrap();
        text(child(parsed.root_element(), "id").unwrap()).to_string()
    };
    let event = every_form(1);
    let from_page = document(INLINE, "/streams/every%20form/0/forward/3", 13, every_form);
    assert!(from_page.contains(&format!("<id>{}</id>", id(LOG, &event))));
    assert!(id(LOG, &event).starts_with("urn:uuid:"));
    assert_ne!(id(LOG, &event), id(Uuid::from_u128(1), &event));
    assert_ne!(id(LOG, &event), id(LOG, &every_form(2)));
}

fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop::sample::select(vec![
        "</content>",
        "]]>",
        "<![CDATA[",
        "<a>",
        "</a>",
        "<a xmlns:ef='urn:x'>",
        "<ef:b/>",
        "&",
        "&lt;",
        "&#0;",
        "\"",
        "'",
        "\r",
        "\n",
        "\t",
        "\u{0}",
        "\u{FFFF}",
        "<!DOCTYPE a>",
        "<?xml version='1.0'?>",
        "<?p?>",
        "<!--",
        "-->",
        "<feed/>",
        "é",
        "{\"a\":1}",
        "\u{202E}\u{5D0}\u{2066}",
        "\u{85}\u{2028}\u{FDD0}",
        "e\u{301}\u{1F980}",
        " ",
    ]);
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..30),
        prop::collection::vec(pieces.clone(), 0..6).prop_map(|pieces| pieces.concat().into_bytes()),
        prop::collection::vec(pieces, 0..4).prop_map(|pieces| format!("<a b=''>{}</a>", pieces.concat()).into_bytes()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_in_the_events_the_page_gives_it_back(
        name in "[^\u{0}-\u{1F}\u{7F}-\u{9F}\u{FFFE}\u{FFFF}/]{3,10}",
        event_type in "[^\u{0}-\u{1F}\u{7F}-\u{9F}\u{FFFE}\u{FFFF}/]{3,10}",
        contents in prop::collection::vec((
            prop::sample::select(vec!["text/plain", "text/html", "text/plain; charset=\"utf-8\"", "text/plain;charset=latin1", "application/xml",
                "text/xml;x=\"<&>\"", "a/b+xml", "application/json", "a/b", "message/rfc822", "multipart/mixed;boundary=x",
                "image/svg+xml", "video/mp4", "application/atom+xml;type=feed"]),
            hostile(), prop::option::of(hostile()),
        ), 3),
    ) {
        prop_assume!(StreamName::parse(&name).is_ok() && EventType::parse(&event_type).is_ok());
        let hostile_event = |number: u32| {
            let (media_type, data, metadata) = &contents[number as usize];
            let kept = Content { metadata: metadata.clone().map(Bytes::from), ..content(media_type, data) };
            Event { event_type: EventType::parse(&event_type).unwrap(), ..event(&name, number, Some(kept)) }
        };
        let stream = Source::Stream(StreamName::parse(&name).unwrap());
        let path = format!("{}/0/forward/3", Address::Feed(stream).path());
        let page = document(INLINE, &path, 3, hostile_event);
        prop_assert!(xml::outline(&page).is_ok());
        let parsed = roxmltree::Document::parse(&page).unwrap();
        prop_assert_eq!(text(child(parsed.root_element(), "title").unwrap()), name.as_str());
        let entries = parsed.root_element().children().filter(|node| node.has_tag_name((ATOM, "entry")));
        prop_assert_eq!(entries.zip((0..3).rev()).map(|(entry, number)| check_entry(entry, &hostile_event(number))).count(), 3);
    }
}
