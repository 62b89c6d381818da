//! Events that are hard to write: what the property tests of both directions draw from.

use bytes::Bytes;
use proptest::prelude::*;
use uuid::Uuid;

use crate::event::{
    Content, Digest, Event, EventId, EventType, Life, MediaType, Number, Position, StreamName, Timestamp, TraceParent,
};

/// Any JSON, written in odd but correct ways.
pub(crate) fn any_json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_string()),
        any::<f64>().prop_filter("JSON has no other numbers", |n| n.is_finite()).prop_map(|n| format!("{n:e}")),
        any::<String>().prop_map(|text| serde_json::json!(text).to_string()),
        Just("\"\\ud83e\\udd80\\u0000\\/\"".to_string()),
        Just("123456789012345678901234567890.5".to_string()),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|values| format!("[ {} ]", values.join(" ,\n"))),
            prop::collection::vec((any::<String>(), inner), 0..4).prop_map(|members| {
                let members: Vec<_> =
                    members.iter().map(|(name, value)| format!("{} :\t{value}", serde_json::json!(name))).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

/// What can be the name of a stream or a type, with everything in it that documents have to escape.
pub(crate) fn any_name() -> impl Strategy<Value = String> {
    prop_oneof!["[^\\p{C}/.]{1,20}", "[-\"\\\\'<>&%$@?# é\u{2028}]{1,10}"]
}

/// JSON, text and bytes that are neither, also some that are not what their media type says.
fn any_content() -> impl Strategy<Value = Content> {
    let media_type =
        prop::sample::select(vec!["application/json", "application/vnd.shop+json; v=\"2\"", "text/plain", "image/png"]);
    let data = prop_oneof![
        3 => any_json().prop_map(String::into_bytes),
        1 => any::<String>().prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ];
    let trace = prop::option::of((1_u128.., 1_u64..));
    (media_type, data, prop::option::of(any_json()), trace).prop_map(|(media_type, data, metadata, trace)| Content {
        media_type: MediaType::parse(media_type).expect("a media type"),
        data: data.into(),
        metadata: metadata.map(Bytes::from),
        trace_parent: trace.and_then(|(trace, span)| TraceParent::parse(&format!("00-{trace:032x}-{span:016x}-01"))),
    })
}

/// Any event that a store could hold.
pub(crate) fn any_event() -> impl Strategy<Value = Event> {
    let place = (0_u64..=i64::MAX as u64, 0_u64..=i64::MAX as u64, any::<i64>(), 1_u128..);
    (any_name(), any_name(), place, prop::option::weighted(0.9, any_content())).prop_map(
        |(stream, event_type, (number, position, time, id), content)| Event {
            stream: StreamName::parse(&stream).expect("a name"),
            number: Number::new(number).expect("in range"),
            position: Position::new(position).expect("in range"),
            life: Life(0),
            time: Timestamp::from_micros(time),
            id: EventId::new(Uuid::from_u128(id)).expect("not nil"),
            event_type: EventType::parse(&event_type).expect("a type"),
            digest: Digest([0; 16]),
            content,
            kept_correlation: None,
        },
    )
}

/// How the same entry can be written: the prefix of Atom's elements, and what the root element declares. The last
/// two bind the prefixes that our own documents use to something else.
const SPELLINGS: [(&str, &str); 5] = [
    ("", "xmlns='http://www.w3.org/2005/Atom' xmlns:fh='urn:fh'"),
    ("a:", "xmlns:a='http://www.w3.org/2005/Atom'"),
    ("a:", "xmlns='urn:mine' xmlns:a='http://www.w3.org/2005/Atom'"),
    ("", "xmlns:ef='urn:a&amp;b' xmlns='http://www.w3.org/2005/Atom' xmlns:app='http://www.w3.org/1999/xhtml'"),
    ("ef:", "xmlns:ef='http://www.w3.org/2005/Atom' xmlns='http://www.w3.org/1999/xhtml' xmlns:app='urn:\"app\"'"),
];

/// Text as it can stand in XML, with what is hard about it.
pub(crate) fn any_xml_text() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "&#13;",
        "\r",
        "\r\n",
        "\t",
        "]]&gt;",
        "<![CDATA[<b>&amp;]]>",
        "&amp;lt;",
        "&quot;'",
        "\u{202E}abc\u{2066}",
        "\u{1F980}",
        "é",
        "&#x85;\u{2028}",
        "<!-- c -->",
        "<?p i?>",
        " ",
        "plain",
    ]);
    prop::collection::vec(pieces, 0..5).prop_map(|pieces| pieces.concat())
}

/// A valid Atom entry with any of the constructs that there are, in one of its spellings.
pub(crate) fn any_entry() -> impl Strategy<Value = String> {
    let once = (
        prop::option::of(any_text_construct("title")),
        prop::option::of(any_text_construct("summary")),
        prop::option::of(any_text_construct("rights")),
        prop::option::of(any_entry_content()),
        prop::sample::subsequence(
            vec![
                "<@id>tag:example.org,2026:1</@id>",
                "<@published>2026-01-01T00:00:00Z</@published>",
                "<@updated>2026-01-01T00:00:00.5+01:00</@updated>",
                "<@source><@id>tag:x,2026:f</@id><@author><@name>F</@name></@author><@link rel='self' href='f'/></@source>",
                "<@link href='plain'/>",
                "<@link href='german' hreflang='de' type='text/html'>x</@link>",
            ],
            0..=6,
        ),
    );
    let often = prop::sample::select(vec![
        "<@author><@name>Jörg &amp; Söhne</@name><@uri>../j</@uri><m:x/></@author>",
        "<@contributor xml:lang='fr'><@email>c@example.org</@email><@name/></@contributor>",
        "<@category term='a' label='&lt;A&gt;'/>",
        "<@category scheme='urn:everfeed:type' term='a'/>",
        "<@category scheme='urn:everfeed:type' term='b'/>",
        "<@category scheme='urn:s' term='b'><m:n xmlns:m='urn:n'/></@category>",
        "<@link rel='related' href='?a=1&amp;b=2'/>",
        "<@link rel='edit' href='http://elsewhere.example/'/>",
        "<@link rel='http://www.iana.org/assignments/relation/self' href='x'/>",
        "<m:place at='1'>text<m:in><none xmlns=''/></m:in>&amp;</m:place>",
        "<%mine/>",
        "<none xmlns='urn:own' xmlns:ef='urn:ef' ef:a='1' m:a='2'/>",
        "<app:x xmlns:app='http://www.w3.org/2007/app'/>",
        "<e:event xmlns:e='urn:everfeed:1' number='7'/>",
        "<!-- between -->",
        "<?between?>",
        "\n  ",
    ]);
    let root = (
        prop::sample::select(vec!["", "xml:base='http://example.org/?a&amp;b'", "xml:base='../up/?a'"]),
        prop::sample::subsequence(vec!["xml:lang='de-CH'", "xml:space='preserve'", "m:a='1'"], 0..=3),
    );
    (prop::sample::select(SPELLINGS.to_vec()), once, prop::collection::vec(often, 0..6), root)
        .prop_flat_map(|(spelling, (title, summary, rights, content, more), often, root)| {
            let once = [title, summary, rights, content].into_iter().flatten();
            let all = more.into_iter().chain(often).map(str::to_string).chain(once).collect::<Vec<_>>();
            (Just(spelling), Just(all).prop_shuffle(), Just(root))
        })
        .prop_map(|((prefix, declarations), elements, (base, root))| {
            let elements: String = elements.concat();
            // Where Atom's elements have no prefix, others need one.
            let elements = elements.replace("<%", if prefix.is_empty() { "<m:" } else { "<" });
            let elements = elements.replace("<@", &format!("<{prefix}")).replace("</@", &format!("</{prefix}"));
            let root = format!("{base} {}", root.join(" "));
            format!(
                "<?xml version='1.0'?>\n<{prefix}entry {declarations} xmlns:m='urn:m' {root}>{elements}</{prefix}entry>\n"
            )
        })
}

/// A text construct (RFC 4287 §3.1) of this name.
fn any_text_construct(name: &'static str) -> impl Strategy<Value = String> {
    (any_xml_text(), 0..4).prop_map(move |(text, form)| match form {
        0 => format!("<@{name}>{text}</@{name}>"),
        1 => format!("<@{name} type='text' xml:lang='en'>{text}</@{name}>"),
        2 => format!("<@{name} type=\"html\" xml:base='sub/'>{text}&lt;br&gt;</@{name}>"),
        _ => format!("<@{name} type='xhtml'>{}</@{name}>", div(&text)),
    })
}

/// The content of an entry (RFC 4287 §4.1.3).
fn any_entry_content() -> impl Strategy<Value = String> {
    (any_xml_text(), 0..10).prop_map(|(text, form)| match form {
        0 => "<@content/>".to_string(),
        1 => format!("<@content type='text'>{text}</@content>"),
        2 => format!("<@content type='html' xml:lang='fr'>&lt;p&gt;{text}</@content>"),
        3 => format!("<@content type='xhtml' xml:base='http://b/'>{}</@content>", div(&text)),
        4 => format!("<@content type='application/xml'><m:a xml:base='x'>{text}<none/></m:a></@content>"),
        5 => format!("<@content type='image/svg+xml'><svg xmlns='http://www.w3.org/2000/svg'>{text}</svg></@content>"),
        6 => "<@content type='application/octet-stream'>\nAAEC\n/v8=\n</@content>".to_string(),
        7 => format!("<@content type='text/csv; header=\"present\"'>{text}</@content>"),
        8 => "<@content type='video/mp4' src='film?a&amp;b'/>".to_string(),
        _ => "<@content src='http://elsewhere.example/x'></@content>".to_string(),
    })
}

fn div(text: &str) -> String {
    format!("<d:div xmlns:d='http://www.w3.org/1999/xhtml'>{text}<d:b m:x='1'>b</d:b><none/></d:div>")
}
