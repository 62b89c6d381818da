use proptest::prelude::*;

use super::*;

const OPEN: &str = "<entry xmlns=\"http://www.w3.org/2005/Atom\" xmlns:h=\"http://www.w3.org/1999/xhtml\">";

fn entry(inside: &str) -> String {
    format!("{OPEN}{inside}</entry>")
}

#[test]
fn an_entry_has_as_many_elements_as_the_limit_and_no_more() {
    let most = crate::event::limits::ENTRY_ELEMENTS_MAX;
    let of = |count| entry(&"<category term='t'/>".repeat(count));
    assert_eq!(read(of(most).as_bytes()).map(|entry| entry.elements.len()), Ok(most));
    let refused = read(of(most + 1).as_bytes()).expect_err("one too many");
    assert_eq!(refused.why, InvalidEntry::TooManyElements);
}

#[test]
fn what_is_no_entry_is_refused_with_the_place() {
    let div = "<h:div/>";
    for (inside, place, why) in [
        ("<title>", "<title></", "it is not well-formed: an end tag does not match its start tag"),
        ("<title>&nbsp;</title>", "&nbsp;", "it is not well-formed: a reference leads to nothing"),
        ("stray", "stray", "there is text between the elements of the entry"),
        (
            "<a xmlns='urn:ever&#102;eed:1'/>",
            "<a",
            "a namespace of Atom's or of this server is written with references",
        ),
        ("<subtitle/>", "<subtitle", "an entry has no such element of Atom's"),
        ("<entry/>", "<entry/>", "an entry has no such element of Atom's"),
        ("<title/><title/>", "<title/></", "title stands twice"),
        ("<summary/><a xmlns='urn:a'/><summary/>", "<summary/></", "summary stands twice"),
        ("<content/><content/>", "<content/></", "content stands twice"),
        ("<id>a:b</id><id>a:b</id>", "<id>a:b</id></", "id stands twice"),
        ("<link href='a'/><link href='b'/>", "<link href='b'", "two alternate links have the same type and language"),
        ("<link rel='related'/>", "<link", "a link has no href"),
        ("<category label='x'/>", "<category", "a category has no term"),
        ("<author/>", "<author", "an author has no name"),
        ("<contributor><uri>a:b</uri></contributor>", "<contributor", "a contributor has no name"),
        ("<author><name>a</name><name>b</name></author>", "<name>b", "the name of a person stands twice"),
        ("<author><name>a</name><url/></author>", "<url", "an entry has no such element of Atom's"),
        ("<id> </id>", "<id>", "an id is an absolute IRI, such as urn:uuid:0190c6a4-7b1e-7f5e-9a52-1f6f2d3c4b5a"),
        ("<id>7</id>", "<id>", "an id is an absolute IRI, such as urn:uuid:0190c6a4-7b1e-7f5e-9a52-1f6f2d3c4b5a"),
        ("<updated>today</updated>", "<updated>", "updated is a time such as 2026-01-31T12:00:00Z"),
        ("<published>2026-01-31</published>", "<published>", "published is a time such as 2026-01-31T12:00:00Z"),
        ("<title type='text/plain'/>", "<title", "the type of title is text, html or xhtml"),
        ("<rights type='HTML'/>", "<rights", "the type of rights is text, html or xhtml"),
        (
            "<title>a <b/></title>",
            "<b/>",
            "what this type holds is text, and in it there is an element; escape its markup",
        ),
        (
            "<content type='text/csv'><b/></content>",
            "<b/>",
            "what this type holds is text, and in it there is an element; escape its markup",
        ),
        (
            "<summary type='xhtml'>text</summary>",
            "text<",
            "what type xhtml holds is one div of http://www.w3.org/1999/xhtml, and nothing beside it",
        ),
        (
            "<content type='xhtml'><div/></content>",
            "<div",
            "what type xhtml holds is one div of http://www.w3.org/1999/xhtml, and nothing beside it",
        ),
        (
            &format!("<content type='xhtml'>{div}{div}</content>"),
            "<h:div/></",
            "what type xhtml holds is one div of http://www.w3.org/1999/xhtml, and nothing beside it",
        ),
        (
            "<content type='xhtml'/>",
            "<content",
            "what type xhtml holds is one div of http://www.w3.org/1999/xhtml, and nothing beside it",
        ),
        (
            "<content type='markdown'/>",
            "<content",
            "the type of content is text, html, xhtml or a media type that is not made of parts",
        ),
        (
            "<content type='multipart/mixed'/>",
            "<content",
            "the type of content is text, html, xhtml or a media type that is not made of parts",
        ),
        ("<content src='a' type='html'/>", "<content", "content that has a src is empty, and its type is a media type"),
        ("<content src='a'>b</content>", "b</", "content that has a src is empty, and its type is a media type"),
        ("<content type='image/png'>a*</content>", "<content", "content of this media type is base64, and this is not"),
    ] {
        let document = entry(inside);
        let Fault { at, why: found } = read(document.as_bytes()).expect_err(inside);
        assert_eq!(found.to_string(), why, "{inside}");
        let expected = document.rfind(place).expect("it is there");
        // Our own check stops behind what it minds.
        let is_right = matches!(found, InvalidEntry::IllFormed(_)) || at == expected;
        assert!(is_right, "{inside}: {}", &document[at..]);
    }
}

#[test]
fn what_is_another_document_is_refused() {
    for (document, why) in [
        (&b""[..], "it is not well-formed: the root element is missing"),
        (b"1", "it is not well-formed: the root element is missing"),
        (b"\xFF\xFE<\0", "it is not UTF-8"),
        (
            b"<!DOCTYPE entry><entry xmlns='http://www.w3.org/2005/Atom'/>",
            "it is not well-formed: a DOCTYPE is not taken",
        ),
        (
            b"<?xml version='1.0' encoding='latin1'?><entry xmlns='http://www.w3.org/2005/Atom'/>",
            "it is not well-formed: only XML 1.0 in UTF-8 is taken",
        ),
        (b"<entry/>", "its root element is not the `entry` of http://www.w3.org/2005/Atom"),
        (
            b"<a:entry xmlns:a='http://purl.org/atom/ns#'/>",
            "its root element is not the `entry` of http://www.w3.org/2005/Atom",
        ),
        (
            b"<feed xmlns='http://www.w3.org/2005/Atom'/>",
            "it is a feed; one entry is one event, and a feed that is to be kept as the data of an event is sent as \
             application/atom+xml;type=feed",
        ),
    ] {
        let fault = read(document).expect_err("it is none");
        assert_eq!(fault.why.to_string(), why, "{}", String::from_utf8_lossy(document));
    }
}

#[test]
fn an_entry_is_told_apart_into_its_elements() {
    let document = "\u{FEFF}<?xml version='1.0'?><!-- by hand -->\n<a:entry xmlns:a='http://www.w3.org/2005/Atom' \
        xmlns='urn:mine' xml:lang='de' xml:base='http://example.org/?a&amp;b' lang='x'>\n\
        <a:id>\n tag:example.org,2026:<![CDATA[a&b]]>&#33; </a:id>\
        <a:link rel='http://www.iana.org/assignments/relation/Edit' href='x'/>\
        <a:link href='b' type='text/html' hreflang='en'/><a:link href='c' type='text/html'/>\
        <a:category scheme='urn:everfeed:type' term='OrderPlaced'/><a:category term='&lt;x>'/>\
        <a:author><a:name>A</a:name><mine/></a:author><mine a='1'><a:id>not this one</a:id></mine>\
        <a:source><a:id>x</a:id><a:author><a:name>S</a:name></a:author></a:source>\
        <e:event xmlns:e='urn:everfeed:1'/>\
        <a:content type='image/png'> iVBO\n Rw== </a:content><a:updated> 2003-12-13T18:30:02.25+01:00 </a:updated>\
        </a:entry>\n<!-- end -->";
    let entry = read(document.as_bytes()).expect("a valid entry");
    let pair = |one: &str, other: &str| (one.to_string(), other.to_string());
    assert_eq!(
        entry.scope,
        Scope {
            base: Some("http://example.org/?a&b".to_string()),
            of_text: vec![pair("xml:lang", "de")],
            namespaces: vec![pair("a", ATOM), pair("", "urn:mine")],
        }
    );
    let link = |rel: &str, media_type: Option<&str>, language: Option<&str>| {
        let text = |text: Option<&str>| text.map(str::to_string);
        Kind::Link(Link { rel: rel.to_string(), media_type: text(media_type), language: text(language) })
    };
    let category = |scheme: Option<&str>, term: &str| Kind::Category {
        scheme: scheme.map(str::to_string),
        term: term.to_string(),
    };
    let kinds: Vec<_> = entry.elements.iter().map(|element| element.kind.clone()).collect();
    assert_eq!(
        kinds,
        [
            Kind::Id("tag:example.org,2026:a&b!".to_string()),
            link("edit", None, None),
            link("alternate", Some("text/html"), Some("en")),
            link("alternate", Some("text/html"), None),
            category(Some(TYPE_SCHEME), "OrderPlaced"),
            category(None, "<x>"),
            Kind::Author,
            Kind::Foreign,
            Kind::Source { has_author: true },
            Kind::OfServer,
            Kind::Content { needs_summary: true },
            Kind::Updated,
        ]
    );
    let foreign = &entry.elements[7];
    assert_eq!(foreign.text, "<mine a='1'><a:id>not this one</a:id></mine>");
    assert_eq!(foreign.text.split_at(foreign.name_end), ("<mine", " a='1'><a:id>not this one</a:id></mine>"));
    assert_eq!(entry.elements[9].declares, ["e"]);
}

#[test]
fn base64_of_content_may_be_laid_out_and_unpadded() {
    for text in ["", "QQ==", "QQ", "Q\nQ = =", "QUI=", "&#81;<![CDATA[Q]]>=="] {
        assert!(read(entry(&format!("<content type='a/b'>{text}</content>")).as_bytes()).is_ok(), "{text}");
    }
}

#[test]
fn limits_hold() {
    let declarations = |count: usize| {
        let each: String = (0..count).map(|n| format!(" xmlns:n{n}='urn:{n}'")).collect();
        format!("<a xmlns='urn:a'{each}/>")
    };
    assert!(read(entry(&declarations(63)).as_bytes()).is_ok());
    assert_eq!(
        read(entry(&declarations(64)).as_bytes()).expect_err("too many").why,
        InvalidEntry::IllFormed("an element has too many attributes")
    );
    let nested = |open: usize| {
        let each: String =
            (0..open).map(|n| declarations(60).replace("<a", &format!("<a{n}")).replace("/>", ">")).collect();
        let close: String = (0..open).rev().map(|n| format!("</a{n}>")).collect();
        entry(&format!("{each}{close}"))
    };
    assert!(read(nested(2).as_bytes()).is_ok());
    assert_eq!(
        read(nested(3).as_bytes()).expect_err("too many").why,
        InvalidEntry::IllFormed("too many namespaces are declared")
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_at_all_make_it_panic(data in prop::collection::vec(any::<u8>(), 0..60)) {
        prop_assert!(read(&data).is_err(), "60 random bytes are no entry");
    }
}
