//! Atom: our own documents, those of others, and hostile ones.

use bytes::Bytes;
use proptest::prelude::*;

use super::{in_feed, place, shown, sources, written};
use crate::event;
use crate::feed::read::page::{self, Event, EventContent, EventId, Form, Links, Page, PageFault, UnreadablePage};
use crate::feed::tests_support::any_event;
use crate::feed::{AtomContent, Representation};

const INLINE: Representation = Representation::Atom { content: AtomContent::Inline };
const OUT_OF_LINE: Representation = Representation::Atom { content: AtomContent::OutOfLine };

fn read(text: impl Into<Bytes>) -> Result<Page, UnreadablePage> {
    page::read(Form::Atom, &Links::default(), &text.into())
}

fn fault(text: &str) -> Option<PageFault> {
    read(text.to_string()).err().map(|unreadable| unreadable.fault)
}

/// A feed of entries, each with this in it.
fn feed(entries: &[&str]) -> String {
    let entry = |inside: &&str| {
        format!("<entry><title>t</title><id>urn:x:1</id><updated>2026-01-01T00:00:00Z</updated>{inside}</entry>")
    };
    let entries: Vec<String> = entries.iter().map(entry).collect();
    format!("<feed xmlns='http://www.w3.org/2005/Atom'>{}</feed>", entries.concat())
}

fn only(inside: &str) -> Event {
    let mut page = read(feed(&[inside])).expect("a feed");
    assert_eq!(page.events.len(), 1);
    page.events.remove(0)
}

fn here(media_type: &str, data: &[u8]) -> EventContent {
    EventContent::Here { media_type: media_type.into(), data: Bytes::copy_from_slice(data), metadata: None }
}

fn elsewhere(media_type: Option<&str>, url: &str) -> EventContent {
    EventContent::Elsewhere { media_type: media_type.map(Into::into), url: url.into(), metadata: None }
}

/// What a page of ours gives back of an event. Of removed ones it has no digest, and what is out of line is elsewhere.
fn check_ours(read: &Event, sent: &event::Event, expected: &Event, is_inline: bool) {
    let content = match (&read.content, &expected.content) {
        (EventContent::Removed { .. }, EventContent::Removed { .. }) => {
            EventContent::Removed { digest: None, correlation: None }
        }
        (EventContent::Elsewhere { url, .. }, EventContent::Here { media_type, data, metadata }) => {
            assert!(url.ends_with(&format!("/{}/data", sent.number)), "{url}");
            let is_text = std::str::from_utf8(data).is_ok_and(crate::feed::xml::is_representable);
            let is_medium = media_type.starts_with("image/");
            assert!(!is_inline || is_medium || media_type.starts_with("text/") && !is_text, "{sent:?}");
            let media_type = Some(media_type.clone());
            EventContent::Elsewhere { media_type, url: url.clone(), metadata: metadata.clone() }
        }
        (_, expected) => expected.clone(),
    };
    assert_eq!(*read, Event { content, ..expected.clone() });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_we_write_is_read(events in prop::collection::vec(any_event(), 1..6)) {
        for source in sources(&events[0].stream) {
            let events = in_feed(&source, &events);
            for representation in [INLINE, OUT_OF_LINE] {
                let page = read(written(representation, &source, &events)).expect("a feed");
                prop_assert!(page.feed.is_some_and(|id| id.starts_with("urn:uuid:")));
                prop_assert!(page.links.get("self").is_some());
                let mut expected: Vec<_> = events.iter().enumerate().map(|(index, event)| {
                    (shown(event, place(&source, index, event)), event)
                }).collect();
                expected.sort_by_key(|(event, _)| event.place);
                prop_assert_eq!(page.events.len(), expected.len());
                for (read, (expected, sent)) in page.events.iter().zip(&expected) {
                    check_ours(read, sent, expected, representation == INLINE);
                }
            }
        }
    }

    /// Never fewer events, or others, as if that were all.
    #[test]
    fn what_is_cut_short_is_no_page(event in any_event(), at in any::<prop::sample::Index>()) {
        let document = written(INLINE, &sources(&event.stream)[0], &[event]);
        let whole = document.trim_ascii_end().len();
        prop_assert!(read(document[..at.index(whole)].to_vec()).is_err());
    }

    #[test]
    fn a_document_with_other_bytes_in_it_never_panics(
        at in any::<prop::sample::Index>(),
        length in 0_usize..9,
        other in prop::sample::select(vec!["", "<", ">", "\"", "&", "&#0;", "<a>", "<content>", "</entry>", "xmlns=''", "\0", "é"]),
    ) {
        let mut document = feed(&[
            "<content type='xhtml'><div xmlns='urn:d'>a<b/></div></content><category term='c'/>",
            "<e:event xmlns:e='urn:everfeed:1' id='0190c6a4-7b1e-7f5e-9a52-1f6f2d3c4b5a' stream='s' number='1' position='2'/>",
        ]).into_bytes();
        let at = at.index(document.len());
        let end = (at + length).min(document.len());
        document.splice(at..end, other.bytes());
        let _ = read(document);
    }
}

/// In the manner of RFC 4287 §1.1.
#[test]
fn rfc4287_a_feed_of_others_is_read() {
    let document = r#"<?xml version="1.0" encoding="utf-8"?>
<feed xmlns="http://www.w3.org/2005/Atom" xmlns:fh="http://purl.org/syndication/history/1.0">
  <title type="text">dive into mark</title>
  <subtitle type="html">A &lt;em&gt;lot&lt;/em&gt; of effort</subtitle>
  <updated>2005-07-31T12:29:29Z</updated>
  <id>
    tag:example.org,2003:3
  </id>
  <author><name>Mark</name><id xmlns="urn:other">not an id</id></author>
  <link rel="alternate" type="text/html" hreflang="en" href="http://example.org/"/>
  <link rel="self" type="application/atom+xml" href="http://example.org/feed.atom"/>
  <link rel="http://www.iana.org/assignments/relation/Next" href="/page/2"/>
  <link href="plain"/>
  <fh:archive/>
  <entry>
    <title>Newer</title>
    <id>tag:example.org,2003:3.2400</id>
    <updated>2005-07-31T12:29:29.25+01:00</updated>
    <published>2003-12-13T08:29:29-04:00</published>
    <category term="robots"/><category term="later"/>
    <content type="xhtml" xml:lang="en" xml:base="http://diveintomark.org/">
      <div xmlns="http://www.w3.org/1999/xhtml"><p><i>[Update: &amp; so on]</i></p></div>
    </content>
  </entry>
  <entry>
    <title>Older</title>
    <link href="http://example.org/2003/older"/>
    <id>tag:example.org,2003:3.2397</id>
    <updated>2003-12-13T18:30:02Z</updated>
    <summary>Some text.</summary>
    <source><id>tag:elsewhere</id><updated>2001-01-01T00:00:00Z</updated></source>
  </entry>
</feed>
"#;
    let page = read(document).expect("a feed");
    assert_eq!(page.feed.as_deref(), Some("tag:example.org,2003:3"));
    assert!(page.is_archive);
    assert_eq!(page.links.get("self"), Some("http://example.org/feed.atom"));
    assert_eq!(page.links.get("next"), Some("/page/2"));
    assert_eq!(page.links.get("alternate"), Some("http://example.org/"), "the first of two");
    let [older, newer] = &page.events[..] else { panic!("two entries") };
    assert_eq!(older.id, EventId::Iri("tag:example.org,2003:3.2397".into()));
    assert_eq!((&*older.event_type, &*older.stream), ("entry", ""));
    assert_eq!((older.number, older.position, older.place), (None, None, None));
    assert_eq!(older.time.to_string(), "2003-12-13T18:30:02.000000Z");
    assert_eq!(older.content, here("text/plain", b"Some text."));
    assert_eq!(&*newer.event_type, "robots");
    assert_eq!(newer.time.to_string(), "2005-07-31T11:29:29.250000Z");
    let div = b"<div xmlns=\"http://www.w3.org/1999/xhtml\"><p><i>[Update: &amp; so on]</i></p></div>";
    assert_eq!(newer.content, here("application/xhtml+xml", div));
}

#[test]
fn rfc4287_content_of_every_kind_is_bytes_of_a_media_type() {
    for (inside, expected) in [
        ("<content>a &lt; b<![CDATA[ & <c>]]>\r\n</content>", here("text/plain", b"a < b & <c>\n")),
        ("<content type='text'/>", here("text/plain", b"")),
        ("<content type='html'>&lt;p>x&#13;</content>", here("text/html", b"<p>x\r")),
        ("<content type='text/csv; header=present'>a,b</content>", here("text/csv; header=present", b"a,b")),
        (
            "<content type='application/xml'> <a xmlns=''>x</a> </content>",
            here("application/xml", b"<a xmlns=''>x</a>"),
        ),
        (
            "<content type='application/xml'><a xmlns=\"\"><b xmlns=\"\"/></a></content>",
            here("application/xml", b"<a><b xmlns=\"\"/></a>"),
        ),
        (
            "<content type='image/svg+xml'><svg>x</svg><more/></content>",
            here("image/svg+xml", b"<svg xmlns=\"http://www.w3.org/2005/Atom\">x</svg>"),
        ),
        (
            "<content xmlns:m='urn:&quot;m' xmlns:n='urn:n' type='text/xml'><m:a>x</m:a></content>",
            here("text/xml", b"<m:a xmlns:m=\"urn:&quot;m\" xmlns=\"http://www.w3.org/2005/Atom\">x</m:a>"),
        ),
        ("<content type='text/xml'>&lt;a/></content>", here("text/xml", b"<a/>")),
        ("<content type='image/png'>\nAAEC\n/v8=\n</content>", here("image/png", &[0, 1, 2, 0xFE, 0xFF])),
        ("<content type='application/json'>eyJhIjoxfQ</content>", here("application/json", b"{\"a\":1}")),
        ("<content type='application/json'>{\"a\":1}</content>", here("application/json", b"{\"a\":1}")),
        ("<content type='video/mp4' src='film?a&amp;b'/>", elsewhere(Some("video/mp4"), "film?a&b")),
        ("<content xml:base='http://b/c/' src=' ../x '></content>", elsewhere(None, "http://b/x")),
        ("<link href='there' type='text/html'/><link href='b'/>", elsewhere(Some("text/html"), "there")),
        ("<link rel='related' href='there'/>", here("text/plain", b"t")),
        ("<link href='there'/><summary type='html'>&lt;b></summary>", here("text/html", b"<b>")),
    ] {
        assert_eq!(only(inside).content, expected, "{inside}");
    }
    for (inside, what) in [
        ("<content type='image/png'>?</content>", "base64"),
        ("<content type='application/json'>[1</content><content/>", "base64"),
        ("<content>a<b/></content>", "text alone; there is an element in it"),
        ("<content type='nonsense'/>", "a media type"),
    ] {
        let found = fault(&feed(&[inside]));
        assert!(
            matches!(found, Some(PageFault::Invalid { what: found, .. }) if found == what)
                || found == Some(PageFault::Twice("content")),
            "{inside}: {found:?}"
        );
    }
}

#[test]
fn references_are_resolved_against_xml_base() {
    let document = "<a:feed xmlns:a='http://www.w3.org/2005/Atom' xml:base='http://h/one/'>\
        <a:link rel='next' href='2'/><a:link rel='self' href='' xml:base='two/'/>\
        <a:entry xml:base='entries/'><a:id>x:1</a:id><a:updated>2026-01-01T00:00:00Z</a:updated>\
        <a:link href='../1' xml:base='deep/'/></a:entry></a:feed>";
    let page = read(document).expect("a feed");
    assert_eq!((page.links.get("next"), page.links.get("self")), (Some("http://h/one/2"), Some("http://h/one/two/")));
    assert_eq!(page.events[0].content, elsewhere(None, "http://h/one/entries/1"));
    let relative = document.replace("http://h/one/", "up/");
    assert_eq!(
        read(relative).expect("a feed").links.get("next"),
        Some("up/2"),
        "to be resolved by whoever has read it"
    );
}

#[test]
fn entries_come_oldest_first_and_of_one_time_the_later_in_the_document_is_the_older() {
    let entry = |id: u32, second: u32| {
        format!("<entry><id>x:{id}</id><updated>2026-01-01T00:00:{second:02}Z</updated><content/></entry>")
    };
    let entries = [entry(5, 3), entry(4, 2), entry(3, 2), entry(1, 1), entry(2, 2)].concat();
    let page = read(format!("<feed xmlns='http://www.w3.org/2005/Atom'>{entries}</feed>")).expect("a feed");
    let ids: Vec<String> = page.events.iter().map(|event| event.id.to_string()).collect();
    assert_eq!(ids, ["x:1", "x:2", "x:3", "x:4", "x:5"]);
}

#[test]
fn rfc6721_a_deleted_entry_is_a_removed_event() {
    let document = "<feed xmlns='http://www.w3.org/2005/Atom' xmlns:at='http://purl.org/atompub/tombstones/1.0'>\
        <at:deleted-entry ref='tag:x,2026:1' when='2026-01-02T00:00:00Z'><at:comment>why</at:comment></at:deleted-entry>\
        </feed>";
    let page = read(document).expect("a feed");
    assert_eq!(page.events[0].id, EventId::Iri("tag:x,2026:1".into()));
    assert_eq!(page.events[0].time.to_string(), "2026-01-02T00:00:00.000000Z");
    assert_eq!(page.events[0].content, EventContent::Removed { digest: None, correlation: None });
    assert_eq!(fault(&document.replace("when=", "then=")), Some(PageFault::Lacks("time at which it was deleted")));
    assert_eq!(fault(&document.replace("ref=", "r=")), Some(PageFault::Lacks("ref")));
}

#[test]
fn what_the_header_says_comes_after_what_the_document_says() {
    let mut header = Links::default();
    header.add("next", "of-header");
    header.add("previous", "of-header");
    let document = "<feed xmlns='http://www.w3.org/2005/Atom'><link rel='next' href='of-document'/></feed>";
    let page = page::read(Form::Atom, &header, &Bytes::from(document)).expect("a feed");
    assert_eq!((page.links.get("next"), page.links.get("previous")), (Some("of-document"), Some("of-header")));
}

#[test]
fn what_is_no_feed_is_refused() {
    assert_eq!(fault("<feed/>"), Some(PageFault::NotAFeed));
    assert_eq!(fault("<entry xmlns='http://www.w3.org/2005/Atom'/>"), Some(PageFault::NotAFeed));
    assert_eq!(fault("<html xmlns='http://www.w3.org/1999/xhtml'/>"), Some(PageFault::NotAFeed));
    assert_eq!(fault(""), Some(PageFault::NotXml("the root element is missing")));
    assert_eq!(fault(&feed(&["<id>x:2</id>"])), Some(PageFault::Twice("id")));
    let of = |inside: &str| format!("<feed xmlns='http://www.w3.org/2005/Atom'><entry>{inside}</entry></feed>");
    assert_eq!(fault(&of("<id>x:1</id>")), Some(PageFault::Lacks("updated")));
    assert_eq!(fault(&of("<updated>2026-01-01T00:00:00Z</updated>")), Some(PageFault::Lacks("id")));
    assert_eq!(
        fault(&of("<updated>yesterday</updated>")),
        Some(PageFault::Invalid { name: "updated", what: "a time such as 2026-01-31T12:00:00Z" })
    );
    let ours = "<e:event xmlns:e='urn:everfeed:1' id='0190c6a4-7b1e-7f5e-9a52-1f6f2d3c4b5a' stream='s' number='1' position='2'/>";
    assert_eq!((only(ours).number, only(ours).place), (Some(1), Some(1)));
    for (from, to) in [("'1'", "'+1'"), ("'1'", "''"), ("'2'", "'9223372036854775808'"), ("0190c6a4", "019")] {
        assert!(matches!(fault(&feed(&[&ours.replace(from, to)])), Some(PageFault::Invalid { .. })), "{to}");
    }
    assert_eq!(fault(&feed(&[&ours.replace("stream", "streams")])), Some(PageFault::Lacks("stream")));
    assert_eq!(fault(&feed(&[&[ours, ours].concat()])), Some(PageFault::Twice("our `event`")));
}

#[test]
fn hostile_documents_are_refused_within_the_limits() {
    let laughs =
        "<!DOCTYPE feed [<!ENTITY a 'ha'><!ENTITY b '&a;&a;'>]><feed xmlns='http://www.w3.org/2005/Atom'>&b;</feed>";
    assert_eq!(fault(laughs), Some(PageFault::NotXml("a DOCTYPE is not taken")));
    assert_eq!(fault(&feed(&["<content>&b;</content>"])), Some(PageFault::NotXml("a reference leads to nothing")));
    let deep = feed(&[&["<a>".repeat(70), "</a>".repeat(70)].concat()]);
    assert_eq!(fault(&deep), Some(PageFault::NotXml("elements are nested too deeply")));
    let attributes: String = (0..65).map(|n| format!(" a{n}=''")).collect();
    let many = feed(&[&format!("<a{attributes}/>")]);
    assert_eq!(fault(&many), Some(PageFault::NotXml("an element has too many attributes")));
    let odd = "<feed xmlns='http://www.w3.org/2005/Ato&#109;'/>";
    assert_eq!(fault(odd), Some(PageFault::OddNamespace));
    let most = crate::event::limits::PAGE_EVENTS_MAX;
    assert_eq!(read(feed(&vec![""; most])).map(|page| page.events.len()), Ok(most));
    assert_eq!(fault(&feed(&vec![""; most + 1])), Some(PageFault::TooManyEvents));
}

/// In `$streams` it is an entry all the same, since the stream is there. An event that was POSTed as an entry without
/// content is no removed one, whatever it says.
#[test]
fn an_entry_of_ours_that_says_so_is_a_removed_event() {
    let ours = "<category scheme='urn:everfeed:type' term='Placed'/><summary>Placed</summary>\
        <e:event xmlns:e='urn:everfeed:1' id='0190c6a4-7b1e-7f5e-9a52-1f6f2d3c4b5a' stream='s' number='0' position='2' \
        place='1' removed='true'/>";
    let event = only(ours);
    assert_eq!((event.content, event.place), (EventContent::Removed { digest: None, correlation: None }, Some(1)));
    assert_eq!(only(&ours.replace("removed='true'", "")).content, here("text/plain", b"Placed"));
}

/// What a feed says once for all of its entries is in memory once for each.
#[test]
fn a_small_document_is_not_made_huge() {
    let large = "x".repeat(100_000);
    let documents = |inside: &str, around: &str| {
        let feed = feed(&vec![inside; 1_000]);
        feed.replacen("<feed ", &format!("<feed {around} "), 1)
    };
    let namespaces = documents("<content type='xhtml'><p:div/></content>", &format!("xmlns:p='urn:{large}'"));
    assert_eq!(fault(&namespaces), Some(PageFault::TooMuchWrittenOut));
    for inside in ["<link href='a'/>", "<content src='a'/>", "<link xml:base='a' href='http://b/'/>"] {
        assert_eq!(
            fault(&documents(inside, &format!("xml:base='http://h/{large}/'"))),
            Some(PageFault::TooMuchWrittenOut)
        );
    }
    assert_eq!(fault(&documents("<link href='a'/>", "xml:base='http://example.org/feeds/'")), None);
}
