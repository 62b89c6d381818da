//! JSON as XML: the elements inside `data` and `metadata` of an event, and the names that they go by.
//!
//! - A member of an object is an element with its name; one whose value is an array is an element for each item.
//! - An item of an array that has no name of its own, in another array or at the top, is an `item`.
//! - Text, numbers, `true` and `false` are text, digit for digit as they were sent; `null` is an empty element.
//! - What cannot stand in a name is written `_x0024_`, by its code point, and so is an `_` that would be taken
//!   for the beginning of that; the empty name is `_x_`.
//! - JSON whose elements would take more than sixteen times its own bytes stays text. (A long name on an array of
//!   many short items would otherwise make gigabytes of a few kilobytes.)
//! - Text with characters that XML excludes is base64, and its element says so: `encoding="base64"`.

use crate::feed::json::{self, Scanner};

use super::text::push_base64;
use super::xml;

/// How many times its own bytes the elements of a JSON text may take.
const GROWTH_MAX: usize = 16;
/// What they may take in any case.
const BYTES_MIN: usize = 4 << 10;

/// One element with this name around any JSON value. None, and nothing written, if the text is not JSON or would take
/// too much.
pub(in crate::feed) fn push_element(name: &str, text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    json::check(text).ok()?;
    let text = std::str::from_utf8(text).ok()?;
    let (start, bytes_max) = (out.len(), BYTES_MIN.max(text.len() * GROWTH_MAX));
    let scanner = Scanner::new(text.as_bytes()).ok()?;
    let written = Elements { text, scanner, end_max: start + bytes_max, out }.element(name);
    if written.is_none() {
        out.truncate(start);
    }
    written
}

/// One element with this name around text.
pub(super) fn push_text_element(name: &str, text: &str, out: &mut Vec<u8>) {
    if xml::is_representable(text) {
        push_tag(b"<", name, out);
        xml::push_text(text, out);
    } else {
        out.push(b'<');
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b" encoding=\"base64\">");
        push_base64(text.as_bytes(), out);
    }
    push_tag(b"</", name, out);
}

struct Elements<'a, 'o> {
    text: &'a str,
    scanner: Scanner<'a>,
    /// How long the document may be with them.
    end_max: usize,
    out: &'o mut Vec<u8>,
}

impl Elements<'_, '_> {
    /// The next value as one element.
    fn element(&mut self, name: &str) -> Option<()> {
        match self.scanner.peek() {
            Some(b'{') => {
                push_tag(b"<", name, self.out);
                self.members()?;
                push_tag(b"</", name, self.out);
            }
            Some(b'[') => {
                push_tag(b"<", name, self.out);
                self.items("item")?;
                push_tag(b"</", name, self.out);
            }
            _ => {
                let range = self.scanner.value().ok()?;
                match self.scanner.string(range.clone()) {
                    Some(text) => push_text_element(name, &text, self.out),
                    None if &self.text[range.clone()] == "null" => {
                        self.out.push(b'<');
                        self.out.extend_from_slice(name.as_bytes());
                        self.out.extend_from_slice(b"/>");
                    }
                    None => push_text_element(name, &self.text[range], self.out),
                }
            }
        }
        (self.out.len() <= self.end_max).then_some(())
    }

    fn members(&mut self) -> Option<()> {
        self.scanner.expect(b'{', "`{`").ok()?;
        if self.scanner.take(b'}') {
            return Some(());
        }
        loop {
            let name = self.scanner.member_name().ok()?;
            let name = encoded_name(&self.scanner.string(name).unwrap_or_default());
            if self.scanner.peek() == Some(b'[') {
                self.items(&name)?;
            } else {
                self.element(&name)?;
            }
            if !self.scanner.take(b',') {
                return self.scanner.expect(b'}', "`}`").ok();
            }
        }
    }

    /// An element with this name for each item of the next array.
    fn items(&mut self, name: &str) -> Option<()> {
        self.scanner.expect(b'[', "`[`").ok()?;
        if self.scanner.take(b']') {
            return Some(());
        }
        loop {
            self.element(name)?;
            if !self.scanner.take(b',') {
                return self.scanner.expect(b']', "`]`").ok();
            }
        }
    }
}

fn push_tag(open: &[u8], name: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(open);
    out.extend_from_slice(name.as_bytes());
    out.push(b'>');
}

/// A name without a colon, so that it never asks for a namespace.
fn encoded_name(name: &str) -> String {
    if name.is_empty() {
        return "_x_".to_string();
    }
    let mut encoded = String::with_capacity(name.len());
    for (at, c) in name.char_indices() {
        let can_stand = if at == 0 { xml::is_name_start(c) } else { can_go_on(c) };
        if can_stand && !(c == '_' && is_escape(&name[at..])) {
            encoded.push(c);
        } else {
            encoded.push_str(&format!("_x{:04X}_", u32::from(c)));
        }
    }
    encoded
}

/// Whether the text, once encoded, begins with what stands for a character: `_x`, digits or none, `_`.
fn is_escape(text: &str) -> bool {
    let after = |rest: &str| rest.trim_start_matches(|c: char| c.is_ascii_hexdigit()).chars().next();
    text.strip_prefix("_x").and_then(after).is_some_and(|c| c == '_' || !can_go_on(c))
}

fn can_go_on(c: char) -> bool {
    xml::is_name_char(c) && c != ':'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::feed::tests_support::any_json;

    fn element(json: &str) -> String {
        let mut out = Vec::new();
        push_element("data", json.as_bytes(), &mut out).expect("it is JSON");
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn every_json_value_has_its_elements() {
        for (json, xml) in [
            ("{\"a\":1}", "<data><a>1</a></data>"),
            (
                "{ \"n\": 1.10, \"big\": 12345678901234567890123, \"t\": true, \"z\": null, \"s\": \"\" }",
                "<data><n>1.10</n><big>12345678901234567890123</big><t>true</t><z/><s></s></data>",
            ),
            (
                "{\"a\":[1,{\"b\":2},[3,[]]],\"c\":[]}",
                "<data><a>1</a><a><b>2</b></a><a><item>3</item><item></item></a></data>",
            ),
            ("[1,\"two\",null]", "<data><item>1</item><item>two</item><item/></data>"),
            ("[]", "<data></data>"),
            ("{}", "<data></data>"),
            ("7", "<data>7</data>"),
            ("\"a<b>\\r&\\u00e9\"", "<data>a&lt;b&gt;&#13;&amp;é</data>"),
            ("null", "<data/>"),
            ("\"\\u0007\"", "<data encoding=\"base64\">Bw==</data>"),
            (
                "{\"$type\":1,\"1\":2,\"a b\":3,\"@x:y\":4}",
                "<data><_x0024_type>1</_x0024_type><_x0031_>2</_x0031_><a_x0020_b>3</a_x0020_b><_x0040_x_x003A_y>4</_x0040_x_x003A_y></data>",
            ),
            (
                "{\"\":1,\"_x_\":2,\"_x0024_\":3,\"_xy_\":4,\"\u{1F4E6}\":5}",
                "<data><_x_>1</_x_><_x005F_x_>2</_x005F_x_><_x005F_x0024_>3</_x005F_x0024_><_xy_>4</_xy_><\u{1F4E6}>5</\u{1F4E6}></data>",
            ),
        ] {
            assert_eq!(element(json), xml, "{json}");
        }
        assert_eq!(push_element("data", b"{", &mut Vec::new()), None);
    }

    #[test]
    fn a_long_name_on_many_items_does_not_grow_beyond_bounds() {
        let json = |name: usize, items: usize| format!("{{\"{}\":[1{}]}}", "n".repeat(name), ",1".repeat(items));
        let mut out = b"before".to_vec();
        assert_eq!(push_element("data", json(1_000, 1_000).as_bytes(), &mut out), None);
        assert_eq!(out, b"before");
        assert!(element(&json(10, 100_000)).len() > 2_000_000, "names as they are");
        assert!(element(&json(100, 15)).len() > 3_000, "a small event");
    }

    proptest! {
        #[test]
        fn whatever_the_json_is_the_element_is_well_formed(json in any_json()) {
            let xml = element(&json);
            let parsed = roxmltree::Document::parse(&xml);
            prop_assert!(parsed.is_ok_and(|document| document.root_element().has_tag_name("data")), "{xml}");
        }
    }
}
