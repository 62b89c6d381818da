//! JSON, written straight into bytes: objects member by member, texts escaped, and what producers sent as sent.

use std::borrow::Cow;
use std::io::Write as _;

use super::text::{push_decimal, push_time};
use crate::event::Timestamp;
use crate::feed::json;

/// An object on its way out. Names are ours and need no escaping.
pub(super) struct Object<'a> {
    out: &'a mut Vec<u8>,
    layout: Layout,
    is_empty: bool,
}

/// Where the members of an object stand.
#[derive(Debug, Clone, Copy)]
pub(super) enum Layout {
    /// All on one line.
    Line,
    /// Each on its own line; the object itself stands at this level, and each level is two spaces.
    Indented(usize),
}

impl<'a> Object<'a> {
    pub(super) fn open(out: &'a mut Vec<u8>, layout: Layout) -> Self {
        out.push(b'{');
        Self { out, layout, is_empty: true }
    }

    pub(super) fn close(self) {
        if let Layout::Indented(level) = self.layout {
            put_line(self.out, level);
        }
        self.out.push(b'}');
    }

    /// Begins a member; its value is written into what is returned.
    pub(super) fn member(&mut self, name: &str) -> &mut Vec<u8> {
        if !self.is_empty {
            self.out.push(b',');
        }
        self.is_empty = false;
        if let Layout::Indented(level) = self.layout {
            put_line(self.out, level + 1);
        }
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(match self.layout {
            Layout::Line => b"\":",
            Layout::Indented(_) => b"\": ",
        });
        self.out
    }

    pub(super) fn object(&mut self, name: &str) -> Object<'_> {
        let layout = self.layout.deeper();
        Object::open(self.member(name), layout)
    }

    pub(super) fn array(&mut self, name: &str) -> Array<'_> {
        let layout = self.layout.deeper();
        Array::open(self.member(name), layout)
    }

    pub(super) fn text(&mut self, name: &str, value: &str) {
        put_text(self.member(name), value);
    }

    pub(super) fn number(&mut self, name: &str, value: u64) {
        push_decimal(value, self.member(name));
    }

    pub(super) fn time(&mut self, name: &str, time: Timestamp) {
        let out = self.member(name);
        out.push(b'"');
        push_time(time, out);
        out.push(b'"');
    }

    /// A time as EventStore writes it: without the zeros that end its fraction.
    pub(super) fn short_time(&mut self, name: &str, time: Timestamp) {
        let out = self.member(name);
        out.push(b'"');
        let fraction = out.len() + "2026-11-23T09:30:00".len();
        push_time(time, out);
        out.pop();
        while fraction < out.len() && matches!(out.last(), Some(b'0' | b'.')) {
            out.pop();
        }
        out.extend_from_slice(b"Z\"");
    }

    pub(super) fn fact(&mut self, name: &str, value: bool) {
        self.member(name).extend_from_slice(if value { b"true" } else { b"false" });
    }

    /// A value that is JSON already, byte for byte. Everything that is taken in as JSON was checked then; it is
    /// checked again, because one value that is none would spoil a document that is cached for years. Such a
    /// value is written as text.
    pub(super) fn raw(&mut self, name: &str, value: &[u8]) {
        if json::check(value).is_ok() {
            self.member(name).extend_from_slice(value);
        } else {
            self.text(name, &String::from_utf8_lossy(value));
        }
    }
}

/// An array of objects on its way out.
pub(super) struct Array<'a> {
    out: &'a mut Vec<u8>,
    layout: Layout,
    is_empty: bool,
}

impl<'a> Array<'a> {
    pub(super) fn open(out: &'a mut Vec<u8>, layout: Layout) -> Self {
        out.push(b'[');
        Self { out, layout, is_empty: true }
    }

    pub(super) fn object(&mut self) -> Object<'_> {
        if !self.is_empty {
            self.out.push(b',');
        }
        self.is_empty = false;
        let layout = self.layout.deeper();
        if let Layout::Indented(level) = layout {
            put_line(self.out, level);
        }
        Object::open(self.out, layout)
    }

    pub(super) fn close(self) {
        if let (Layout::Indented(level), false) = (self.layout, self.is_empty) {
            put_line(self.out, level);
        }
        self.out.push(b']');
    }
}

impl Layout {
    fn deeper(self) -> Self {
        match self {
            Self::Line => Self::Line,
            Self::Indented(level) => Self::Indented(level + 1),
        }
    }
}

/// A new line, indented to this level.
pub(super) fn put_line(out: &mut Vec<u8>, level: usize) {
    out.push(b'\n');
    for _ in 0..level {
        out.extend_from_slice(b"  ");
    }
}

/// A string, with its quotes.
pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    loop {
        let (plain, other) = rest.split_at(json::plain_run(rest));
        out.extend_from_slice(plain);
        let Some((&byte, after)) = other.split_first() else { break };
        put_escape(out, byte);
        rest = after;
    }
    out.push(b'"');
}

fn put_escape(out: &mut Vec<u8>, byte: u8) {
    match byte {
        b'"' => out.extend_from_slice(b"\\\""),
        b'\\' => out.extend_from_slice(b"\\\\"),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        _ => write!(out, "\\u{byte:04x}").expect("memory takes every write"),
    }
}

/// JSON objects indented by two spaces a level; everything else as it is. Only white space changes: numbers,
/// escapes and doubled names stay as the producer wrote them.
pub(super) fn reindented(text: Cow<'_, str>) -> Cow<'_, str> {
    if json::is_object(&text) { Cow::Owned(reindent(&text)) } else { text }
}

/// Any JSON indented like that; none if the text is something else. For pages that people read.
#[cfg(feature = "server")]
pub(crate) fn indented(text: &str) -> Option<String> {
    json::check(text.as_bytes()).ok()?;
    Some(reindent(text))
}

/// `json` is well-formed.
fn reindent(json: &str) -> String {
    let mut out = Vec::with_capacity(json.len() * 3 / 2);
    let mut level = 0_usize;
    let mut rest = json.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b' ' | b'\n' | b'\r' | b'\t' => {}
            b'{' | b'[' => {
                out.push(byte);
                let inner = rest.trim_ascii_start();
                if let Some((&close @ (b'}' | b']'), after)) = inner.split_first() {
                    out.push(close);
                    rest = after;
                } else {
                    level += 1;
                    put_line(&mut out, level);
                }
            }
            b'}' | b']' => {
                level -= 1;
                put_line(&mut out, level);
                out.push(byte);
            }
            b',' => {
                out.push(byte);
                put_line(&mut out, level);
            }
            b':' => out.extend_from_slice(b": "),
            b'"' => {
                let inside = string_bytes(rest);
                out.push(byte);
                out.extend_from_slice(&rest[..inside]);
                rest = &rest[inside..];
            }
            _ => out.push(byte),
        }
    }
    String::from_utf8(out).expect("only white space was changed")
}

/// How many bytes a string has from behind its opening quote to behind its closing one.
fn string_bytes(rest: &[u8]) -> usize {
    let mut at = 0;
    loop {
        match rest[at] {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn objects_are_indented_and_nothing_else_is_changed() {
        let sent = r#"{"a" :1.10, "a":[1 ,{"b":{}, "c": [ ]}],"d":"\u0041 , {\"","e":-1E400}"#;
        let pretty = r#"{
  "a": 1.10,
  "a": [
    1,
    {
      "b": {},
      "c": []
    }
  ],
  "d": "\u0041 , {\"",
  "e": -1E400
}"#;
        assert_eq!(reindented(sent.into()), pretty);
        assert_eq!(reindented(pretty.into()), pretty);
        for unchanged in ["[1 , 2]", " 1", "{broken", "\"{}\"", ""] {
            assert_eq!(reindented(unchanged.into()), unchanged);
        }
    }

    #[test]
    fn times_are_written_without_the_zeros_at_the_end() {
        for (micros, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (1, "1970-01-01T00:00:00.000001Z"),
            (10_500_000, "1970-01-01T00:00:10.5Z"),
            (600_000_000, "1970-01-01T00:10:00Z"),
        ] {
            let mut out = Vec::new();
            let mut object = Object::open(&mut out, Layout::Line);
            object.short_time("at", Timestamp::from_micros(micros));
            object.close();
            assert_eq!(out, format!("{{\"at\":\"{text}\"}}").as_bytes());
        }
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in any::<String>()) {
            let mut out = Vec::new();
            put_text(&mut out, &text);
            prop_assert_eq!(serde_json::from_slice::<String>(&out).expect("a string"), text);
        }

        #[test]
        fn indenting_takes_only_white_space_away_and_adds_it(
            members in prop::collection::vec((any::<String>(), any::<Option<i64>>(), any::<String>()), 0..6),
        ) {
            let object: serde_json::Map<_, _> =
                members.into_iter().map(|(name, number, text)| (name, serde_json::json!([number, {"t": text}]))).collect();
            let value = serde_json::Value::Object(object);
            let pretty = reindented(value.to_string().into()).into_owned();
            prop_assert_eq!(&pretty, &serde_json::to_string_pretty(&value).expect("values are JSON"));
        }
    }
}
