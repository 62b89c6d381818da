//! Whatever is in the events, every Atom document is XML to a parser by others and gives back exactly what went in.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use roxmltree::{Document, Node};

use crate::support::{TestServer, check};

const ATOM: &str = "http://www.w3.org/2005/Atom";
const EVENT_BYTES_MAX: usize = 4 << 20;

const MEDIA_TYPES: [&str; 16] = [
    "text/plain",
    "text/plain; charset=\"utf-8\"",
    "text/plain;charset=iso-8859-1",
    "text/html",
    "text/csv; header=present",
    "text/xml",
    "application/xml; x=\"<&>'\"",
    "application/vnd.shop+xml",
    "application/xhtml+xml",
    "application/atom+xml;type=feed",
    "application/octet-stream",
    "application/x-www-form-urlencoded",
    "image/svg+xml",
    "video/mp4",
    "multipart/mixed; boundary=x",
    "message/rfc822",
];

fn hostile() -> Vec<Vec<u8>> {
    let texts = [
        "",
        " ",
        "plain",
        "\r",
        "a\rb\r\nc\nd\te",
        "\n\n",
        "]]>",
        "<![CDATA[x]]>",
        "&amp; & &#0; &nbsp;",
        "\"'`",
        "\u{0}",
        "\u{1}\u{8}\u{b}\u{1f}",
        "\u{7f}\u{85}\u{9f}\u{2028}\u{2029}",
        "\u{fffe}\u{ffff}",
        "\u{fdd0}\u{1fffe}\u{10ffff}",
        "\u{feff}with a mark",
        "\u{202e}txet\u{202c} \u{2066}isolated\u{2069} \u{5d0}\u{627}",
        "e\u{301} \u{1f980} \u{1f1e9}\u{1f1ea}",
        "</content></entry></feed>",
        "<script>alert(1)</script>",
        "<p>unclosed<br>",
        "<a>",
        "<a/>",
        "<?xml version='1.0'?><a b='&#10;'>\r\n<c xmlns='urn:c'/><d/></a>",
        "<a xmlns='http://www.w3.org/2005/Atom' xmlns:ef='urn:x'><ef:entry/><id>x</id></a>",
        "<entry xmlns='http://www.w3.org/2005/Atom'><id>tag:x</id></entry>",
        "<?xml-stylesheet href='x'?><a/>",
        "<a><?php x?></a>",
        "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
        "<a xmlns:b=''/>",
        "<a b='1' b='2'/>",
        "<a xml:base='http://evil.example/' xml:lang='x'/>",
        "--><!-- -->",
        "{\"a\": [1, null]}",
    ];
    let mut all: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    all.push(vec![0xff, 0xfe, b'<', 0, b'a', 0]);
    all.push(vec![0xc3]);
    all.push(vec![0xed, 0xa0, 0x80]);
    all.push((0..=255).collect());
    all
}

fn child<'a>(node: Node<'a, 'a>, name: &str) -> Node<'a, 'a> {
    node.children().find(|child| child.has_tag_name((ATOM, name))).unwrap_or_else(|| panic!("no {name}"))
}

/// Whether two elements mean the same to whoever parses them.
fn mean_the_same(one: Node<'_, '_>, other: Node<'_, '_>) -> bool {
    let name = |node: Node<'_, '_>| {
        let tag = node.tag_name();
        (tag.namespace().unwrap_or_default().to_string(), tag.name().to_string())
    };
    let attributes = |node: Node<'_, '_>| {
        let all = node.attributes().map(|attribute| {
            let namespace = attribute.namespace().unwrap_or_default().to_string();
            (namespace, attribute.name().to_string(), attribute.value().to_string())
        });
        all.collect::<std::collections::BTreeSet<_>>()
    };
    one.node_type() == other.node_type()
        && name(one) == name(other)
        && attributes(one) == attributes(other)
        && one.text() == other.text()
        && one.children().count() == other.children().count()
        && one.children().zip(other.children()).all(|(one, other)| mean_the_same(one, other))
}

/// Reads an entry's content as RFC 4287 §4.1.3.3 tells readers to, and compares it with what was sent.
#[track_caller]
fn check_content(server: &TestServer, entry: Node<'_, '_>, media_type: &str, data: &[u8]) {
    let what = format!("{media_type} {:?}", String::from_utf8_lossy(&data[..data.len().min(80)]));
    let content = child(entry, "content");
    if let Some(source) = content.attribute("src") {
        assert!(!content.has_children(), "{what}");
        assert!(content.attribute("type").is_none_or(|of_content| of_content == media_type), "{what}");
        let path = source.strip_prefix(&format!("http://{}", server.address)).expect("this server");
        let read = server.get(path, &[]);
        check(&read, path);
        assert_eq!(read.header("content-type"), Some(media_type), "{what}");
        assert!(read.body == data, "{what}");
        return;
    }
    assert!(content.children().count() <= 1, "{what}");
    let text = content.text().unwrap_or_default();
    let essence = media_type.split(';').next().expect("a type").trim();
    match content.attribute("type").expect("a type") {
        "text" => assert!(essence == "text/plain" && text.as_bytes() == data, "{what}"),
        _ if essence.ends_with("/xml") || essence.ends_with("+xml") => {
            let sent = std::str::from_utf8(data).expect("XML");
            let sent = Document::parse(sent).expect("XML");
            let first = content.first_child().expect("an element");
            assert!(mean_the_same(first, sent.root_element()), "{what}");
        }
        of_content => {
            assert_eq!(of_content, media_type);
            let read = if essence.starts_with("text/") {
                text.as_bytes().to_vec()
            } else {
                STANDARD.decode(text).unwrap_or_else(|error| panic!("{error} {what}"))
            };
            assert!(read == data, "{what}");
        }
    }
}

#[test]
fn every_media_type_gives_back_every_data() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(data.path(), &[]);
    let hostile = hostile();
    for (stream, media_type) in MEDIA_TYPES.iter().enumerate() {
        for data in &hostile {
            let reply = server.post(&format!("/streams/{stream}"), &[("Content-Type", media_type)], data);
            check(&reply, media_type);
            assert_eq!(reply.status, 201, "{media_type} {data:?}");
        }
        let page = server.get(&format!("/streams/{stream}/0/forward/{}.atom", hostile.len()), &[]);
        check(&page, media_type);
        let document = Document::parse(page.text()).unwrap_or_else(|error| panic!("{error} {media_type}"));
        let entries: Vec<_> =
            document.root_element().children().filter(|node| node.has_tag_name((ATOM, "entry"))).collect();
        assert_eq!(entries.len(), hostile.len());
        for (number, (entry, data)) in entries.into_iter().rev().zip(&hostile).enumerate() {
            check_content(&server, entry, media_type, data);
            let alone = server.get(&format!("/streams/{stream}/{number}.atom"), &[]);
            check(&alone, media_type);
            let document = Document::parse(alone.text()).unwrap_or_else(|error| panic!("{error} {media_type}"));
            check_content(&server, document.root_element(), media_type, data);
        }
    }
    server.assert_no_panic();
}

#[test]
fn the_largest_events_come_back_whole() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(data.path(), &[]);
    let filled = |start: &str, filling: &str, end: &str| {
        let bytes = EVENT_BYTES_MAX - start.len() - end.len();
        let filling = filling.repeat(bytes / filling.len()) + &"x".repeat(bytes % filling.len());
        format!("{start}{filling}{end}").into_bytes()
    };
    let atom = "<entry xmlns='http://www.w3.org/2005/Atom'><title>large</title><content type='html'>";
    let events = [
        ("text/plain", filled("", "]]>&<\r\u{202e}\u{1}", "")),
        ("application/xml", filled("<a>", "<b c='&#13;'/>", "</a>")),
        ("application/octet-stream", filled("", "\u{0}\u{7f}\n", "")),
        ("application/atom+xml;type=entry", filled(atom, "&lt;br&gt;\r", "</content></entry>")),
    ];
    for (media_type, data) in &events {
        let reply = server.post("/streams/large", &[("Content-Type", media_type)], data);
        check(&reply, media_type);
        assert_eq!((reply.status, data.len()), (201, EVENT_BYTES_MAX), "{media_type}");
    }
    let page = server.get("/streams/large/0/forward/4.atom", &[]);
    check(&page, "a page of 16 MiB");
    let document = Document::parse(page.text()).expect("XML");
    let entries = document.root_element().children().filter(|node| node.has_tag_name((ATOM, "entry")));
    let entries: Vec<_> = entries.collect();
    assert_eq!(entries.len(), events.len());
    for (entry, (media_type, data)) in entries.into_iter().rev().zip(&events) {
        check_content(&server, entry, media_type, data);
    }
    server.assert_no_panic();
}
