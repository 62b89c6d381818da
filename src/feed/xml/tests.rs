//! Our own check against a parser by others, and escaping against parsing.

use proptest::prelude::*;

use super::*;

fn is_well_formed(text: &str) -> bool {
    outline(text).is_ok()
}

#[test]
fn what_lenient_parsers_accept_is_refused() {
    let refused = [
        "",
        "<a>",
        "<a/><b/>",
        "<a/>text",
        "<a>\u{1}</a>",
        "<a>&#0;</a>",
        "<a>&#xD800;</a>",
        "<a>&nbsp;</a>",
        "<p:a/>",
        "<1a/>",
        "<a b='<'/>",
        "<a><!-- -- --></a>",
        "<a>]]></a>",
    ];
    for document in refused {
        assert!(!is_well_formed(document), "{document:?}");
    }
}

#[test]
fn what_strict_parsers_refuse_is_refused() {
    let refused = [
        "text",
        "<a></b>",
        "<a b=c/>",
        "<a b='1' b='2'/>",
        "<a b='1'c='2'/>",
        "<a>&</a>",
        "<a>&lt</a>",
        "<a>&#+65;</a>",
        "<a>&#xFFFF;</a>",
        "<a b='&x;'/>",
        "<a",
        "<a b",
        "<a></a",
        "< a/>",
        "<a><![CDATA[</a>",
        "<![CDATA[]]><a/>",
        "<a><?xml version='1.0'?></a>",
        "<a><?p:q ?></a>",
        " <?xml version='1.0'?><a/>",
        "<?xml version='1.0' encoding='utf-16'?><a/>",
        "<?xml version='1.0' encoding='iso-8859-1'?><a/>",
        "<?xml version='1.1'?><a/>",
        "<?xml encoding='utf-8'?><a/>",
        "<?xml version='1.0' standalone='maybe'?><a/>",
        "<!DOCTYPE a><a/>",
        "<!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;</a>",
        "<a xmlns:p=''/>",
        "<a xmlns:xml='urn:x'/>",
        "<a xmlns:p='http://www.w3.org/XML/1998/namespace'/>",
        "<a xmlns:p='http://www.w3.org/2000/xmlns/'/>",
        "<a xmlns='http://www.w3.org/2000/xmlns/'/>",
        "<a xmlns:xmlns='urn:x'/>",
        "<xmlns:a/>",
        "<a:b:c xmlns:a='urn:a'/>",
        "<a:1 xmlns:a='urn:a'/>",
        "<:a/>",
        "<a><b xmlns:p='urn:p'/><p:c/></a>",
        "<a xmlns:p='urn:x' xmlns:q='urn:x' p:b='' q:b=''/>",
        "<a xmlns:p='urn:x' xmlns:q='urn:&#x78;' p:b='' q:b=''/>",
    ];
    for document in refused {
        assert!(!is_well_formed(document), "{document:?}");
    }
}

#[test]
fn well_formed_documents_are_taken_and_outlined() {
    for document in [
        "<a/>",
        "\u{FEFF}<a/>",
        "<?xml version=\"1.0\" encoding='UTF-8' standalone = 'yes' ?>\r\n<a\n b = '>' c=\"'\"></a\t>\n",
        "<é xmlns:ü='urn:ü' ü:ß='&#x1F980;&amp;'>]] &gt; <ü:b/><![CDATA[<&]]]]></é>",
        "<!-- - --><?p q??><a><?p?><!----></a><!-- - -->",
        "<a xml:lang='de' xmlns:xml='http://www.w3.org/XML/1998/namespace' xmlns=''/>",
        "<p:a xmlns:p='urn:p' p:b='' b=''><p:c xmlns:p='urn:q'/><p:c/></p:a>",
    ] {
        assert_eq!(outline(document).err(), None, "{document}");
    }
    let document = "<?xml version='1.0'?>\n<p:a xmlns:p='urn:p'><b xmlns='urn:b'/></p:a>\n";
    let found = outline(document).unwrap();
    assert_eq!(&document[found.root.clone()], "<p:a xmlns:p='urn:p'><b xmlns='urn:b'/></p:a>");
    assert_eq!(&document[found.root.start..found.root_name_end], "<p:a");
    assert!(!found.declares_default_namespace && found.is_root_alone);
    assert!(outline("<a xmlns=''/>").unwrap().declares_default_namespace);
    for more in ["<!-- --><a/>", "<a/><?p?>", "<a><?p?></a>"] {
        assert!(!outline(more).unwrap().is_root_alone, "{more}");
    }
}

#[test]
fn depth_attributes_and_names_have_limits() {
    let nested = |depth: usize| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
    assert!(is_well_formed(&nested(64)) && !is_well_formed(&nested(65)) && !is_well_formed(&nested(200_000)));
    let attributes = |count: usize| {
        let attributes: String = (0..count).map(|index| format!(" a{index}=''")).collect();
        format!("<a{attributes}/>")
    };
    assert!(is_well_formed(&attributes(64)) && !is_well_formed(&attributes(65)));
    let named = |bytes: usize| format!("<{}/>", "a".repeat(bytes));
    assert!(is_well_formed(&named(256)) && !is_well_formed(&named(257)));
}

/// Pieces that make, in any order, documents near the line between well-formed and not.
fn soup() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "<a>",
        "</a>",
        "<a/>",
        "<p:b xmlns:p='urn:p'>",
        "</p:b>",
        "<p:c/>",
        "<a x='1' y=\"&lt;\">",
        "<a x=''x=''/>",
        "<a xmlns='urn:d' xmlns:q='urn:p' q:x='' x=''>",
        "text",
        " ",
        "\r\n",
        "&amp;",
        "&#65;",
        "&#x0;",
        "&e;",
        "&",
        "<",
        ">",
        "]]>",
        "<![CDATA[",
        "<!--",
        "-->",
        "--",
        "-",
        "<?p q",
        "?>",
        "<?xml version='1.0'?>",
        "\u{FEFF}",
        "é",
        "\u{FFFE}",
        "'",
        "\"",
        "=",
        "/",
        "x=",
        ":",
        "\u{7}",
        "1",
        "xmlns",
        "<a b='",
        "'/>",
    ]);
    prop_oneof![
        prop::collection::vec(pieces.clone(), 0..12).prop_map(|pieces| pieces.concat()),
        prop::collection::vec(pieces, 0..8).prop_map(|pieces| format!("<a>{}</a>", pieces.concat())),
    ]
}

/// A well-formed document, by construction.
fn document() -> impl Strategy<Value = String> {
    let text = "[^\u{0}-\u{8}\u{B}\u{C}\u{E}-\u{1F}\u{FFFE}\u{FFFF}]{0,12}".prop_map(|text| {
        let mut out = Vec::new();
        push_attribute(&text, &mut out);
        String::from_utf8(out).unwrap()
    });
    let leaf = prop_oneof![
        text.clone(),
        Just("<![CDATA[<&]] >]]>".to_string()),
        Just("<!-- & < - -->".to_string()),
        Just("<e xmlns='urn:e'/>".to_string()),
    ];
    let element = leaf.prop_recursive(5, 40, 5, move |inner| {
        ("[a-zé_][a-z0-9.é-]{0,5}", text.clone(), prop::collection::vec(inner, 0..5)).prop_map(
            |(name, value, children)| {
                format!("<{name} x=\"{value}\" xmlns:p='urn:p' p:x=\"{}\">{}</{name}>", value, children.concat())
            },
        )
    });
    element.prop_map(|inner| format!("<root>{inner}</root>"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    /// Neither more nor less: the pieces hold nothing that we alone refuse (DOCTYPE, limits).
    #[test]
    fn what_we_call_well_formed_is_what_a_strict_parser_takes(text in soup()) {
        let found = outline(&text);
        prop_assert_eq!(found.is_ok(), roxmltree::Document::parse(&text).is_ok(), "{:?}: {:?}", &text, &found);
        if let Ok(Outline { root, .. }) = found {
            prop_assert!(roxmltree::Document::parse(&text[root]).is_ok(), "the root element alone parses too");
        }
    }

    #[test]
    fn what_is_mutated_parses_or_is_refused(document in document(), at in any::<prop::sample::Index>(), with in any::<char>(), cut in 0_usize..3) {
        let mut chars: Vec<char> = document.chars().collect();
        let at = at.index(chars.len());
        chars.splice(at..(at + cut).min(chars.len()), [with]);
        let mutated: String = chars.into_iter().collect();
        if is_well_formed(&mutated) {
            prop_assert!(roxmltree::Document::parse(&mutated).is_ok(), "{mutated:?}");
        }
    }
}

proptest! {
    #[test]
    fn what_is_well_formed_is_taken(document in document()) {
        prop_assert!(roxmltree::Document::parse(&document).is_ok());
        prop_assert_eq!(outline(&document).err(), None, "{}", document);
    }

    #[test]
    fn what_is_escaped_is_read_back_exactly(string in any::<String>()) {
        prop_assume!(is_representable(&string));
        let mut out = b"<a b=\"".to_vec();
        push_attribute(&string, &mut out);
        out.extend_from_slice(b"\">");
        push_text(&string, &mut out);
        out.extend_from_slice(b"</a>");
        let written = String::from_utf8(out).unwrap();
        prop_assert!(is_well_formed(&written));
        let parsed = roxmltree::Document::parse(&written).unwrap();
        prop_assert_eq!(parsed.root_element().attribute("b"), Some(string.as_str()));
        prop_assert_eq!(parsed.root_element().text().unwrap_or_default(), string.as_str());
    }

    #[test]
    fn only_what_is_representable_is_text(data in prop::collection::vec(any::<u8>(), 0..20), string in any::<String>()) {
        for data in [data.as_slice(), string.as_bytes()] {
            let is_text = std::str::from_utf8(data).is_ok_and(|text| {
                text.chars().all(|c| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..))
            });
            prop_assert_eq!(text(data).is_some(), is_text);
        }
    }
}

#[test]
fn noncharacters_are_not_text() {
    for string in ["\u{FFFE}", "a\u{FFFF}", "\u{0}", "\u{1F}", "é\u{B}"] {
        assert!(!is_representable(string), "{string:?}");
    }
    for string in ["\u{FFFD}", "\u{FEFF}", "\t\r\n", "\u{7F}\u{85}\u{10FFFF}", "\u{FFBE}"] {
        assert!(is_representable(string), "{string:?}");
    }
}
