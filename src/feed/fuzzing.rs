//! The two grammars that everything stands on, as they are fuzzed: what our own strict checks take, other parsers take.

use super::{json, xml};

/// Whether a document is well-formed.
pub(crate) fn xml(case: &[u8]) {
    let Ok(text) = std::str::from_utf8(case) else { return };
    let Ok(outline) = xml::outline(text) else { return };
    check_xml(text);
    let root = &text[outline.root.clone()];
    assert!(root.starts_with('<') && root.ends_with('>'), "{root:?}");
    assert!(outline.root.start < outline.root_name_end && outline.root_name_end <= outline.root.end);
    // The root element alone is a document as well: that is how it is put into another.
    xml::outline(root).expect("the root element stands for itself");
    let mut escaped = b"<a b=\"".to_vec();
    xml::push_attribute(text, &mut escaped);
    escaped.extend_from_slice(b"\">");
    xml::push_text(text, &mut escaped);
    escaped.extend_from_slice(b"</a>");
    let escaped = String::from_utf8(escaped).expect("what was text is text");
    let document = roxmltree::Document::parse(&escaped).expect("what is escaped is well-formed");
    let element = document.root_element();
    assert_eq!((element.attribute("b"), element.text().unwrap_or_default()), (Some(text), text));
}

/// What is XML to us is XML to another parser, and holds no character that XML 1.0 has not.
pub(crate) fn check_xml(text: &str) {
    assert!(xml::is_representable(text), "{text:?}");
    if let Err(error) = roxmltree::Document::parse(text) {
        panic!("it is not well-formed to others: {error}: {text:?}");
    }
}

/// Whether a text is JSON.
pub(crate) fn json(case: &[u8]) {
    let others = std::str::from_utf8(case).ok().map(serde_json::from_str::<serde::de::IgnoredAny>);
    match json::check(case) {
        Ok(()) => {
            assert!(matches!(others, Some(Ok(_))), "it is not JSON to others: {:?}", String::from_utf8_lossy(case));
        }
        Err(fault) => {
            assert!(fault.at <= case.len(), "{fault:?} is somewhere in it");
            // Stricter than others in two places, and in no third.
            let is_ours = matches!(fault.why, json::NotJson::HalfSurrogate | json::NotJson::TooDeep);
            assert!(
                is_ours || !matches!(others, Some(Ok(_))),
                "{fault:?} is nothing to others: {:?}",
                String::from_utf8_lossy(case)
            );
        }
    }
}
