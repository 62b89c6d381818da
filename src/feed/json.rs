//! JSON as it was sent: checked in one pass and cut into values without copying, never rewritten.
//!
//! Stricter than the grammar in two places, because what is taken in stands in documents that are cached for
//! years: half of a surrogate pair (`"\ud800"`) is no text and stops strict readers, and nesting has a limit.

use std::borrow::Cow;
use std::ops::Range;

use crate::event::limits::JSON_DEPTH_MAX;

/// Where a text stops being JSON, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    /// In bytes from the start of the text.
    pub(crate) at: usize,
    pub(crate) why: NotJson,
}

/// Why a text is not JSON that can be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotJson {
    /// JSON is UTF-8 (RFC 8259 §8.1).
    #[error("it is not UTF-8")]
    NotUtf8,
    /// A mark at the start would end up in the middle of the documents that hold the text.
    #[error("it begins with a byte order mark, which JSON has none of")]
    ByteOrderMark,
    /// The text ends too early.
    #[error("it ends where {0} should stand")]
    EndsBefore(&'static str),
    /// Something else stands where this should.
    #[error("{0} should stand here")]
    Expected(&'static str),
    /// Inside a string.
    #[error("a control character in a string has to be written as an escape")]
    ControlCharacter,
    /// Inside a string.
    #[error("this escape is none of JSON's")]
    UnknownEscape,
    /// Inside a string.
    #[error("this is half of a surrogate pair, which is no character")]
    HalfSurrogate,
    /// Arrays and objects inside each other.
    #[error("it is nested more than {JSON_DEPTH_MAX} deep")]
    TooDeep,
}

/// Whether the bytes are one JSON value and nothing else.
pub(crate) fn check(text: &[u8]) -> Result<(), Fault> {
    let mut scanner = Scanner::new(text)?;
    scanner.value()?;
    scanner.end()
}

/// Whether the text is a JSON object and nothing else.
pub(crate) fn is_object(text: &str) -> bool {
    text.trim_ascii_start().starts_with('{') && check(text.as_bytes()).is_ok()
}

/// Walks over a text from its start, value by value.
#[derive(Debug)]
pub(crate) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

/// How many bytes of a string stand for themselves, up to a quote, a backslash or a control character.
///
/// Eight bytes at a time: most of what producers send is inside strings, and it is walked over on the way in
/// and on the way out.
pub(crate) fn plain_run(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGH_BITS: u64 = u64::from_le_bytes([0x80; 8]);
    let (words, rest) = bytes.as_chunks();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        // The high bit of each byte that is below `bound`; bytes above the lowest such one may be wrong.
        let below = |word: u64, bound: u8| word.wrapping_sub(ONES * u64::from(bound)) & !word;
        let equal = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
        let ends = (below(word, 0x20) | equal(b'"') | equal(b'\\')) & HIGH_BITS;
        if ends != 0 {
            return index * 8 + ends.trailing_zeros() as usize / 8;
        }
    }
    let is_plain = |byte: &&u8| 0x20 <= **byte && **byte != b'"' && **byte != b'\\';
    bytes.len() - rest.len() + rest.iter().take_while(is_plain).count()
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a [u8]) -> Result<Self, Fault> {
        if text.starts_with("\u{FEFF}".as_bytes()) {
            return Err(Fault { at: 0, why: NotJson::ByteOrderMark });
        }
        match std::str::from_utf8(text) {
            Ok(text) => Ok(Self { text, at: 0 }),
            Err(error) => Err(Fault { at: error.valid_up_to(), why: NotJson::NotUtf8 }),
        }
    }

    /// Where the next token begins, in bytes from the start of the text.
    pub(crate) fn at(&mut self) -> usize {
        self.peek();
        self.at
    }

    /// The first byte of the next token.
    pub(crate) fn peek(&mut self) -> Option<u8> {
        loop {
            match self.byte() {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                other => return other,
            }
        }
    }

    /// Takes the next token if it is this one character.
    pub(crate) fn take(&mut self, token: u8) -> bool {
        let is_next = self.peek() == Some(token);
        self.at += usize::from(is_next);
        is_next
    }

    /// Takes the next token, which has to be this one character.
    pub(crate) fn expect(&mut self, token: u8, name: &'static str) -> Result<(), Fault> {
        if self.take(token) { Ok(()) } else { Err(self.expected(name)) }
    }

    /// Takes the next value, and says where it stands.
    pub(crate) fn value(&mut self) -> Result<Range<usize>, Fault> {
        let start = self.at();
        self.skip_value(JSON_DEPTH_MAX)?;
        Ok(start..self.at)
    }

    /// Takes the name of an object's member, with the colon behind it, and says where the name stands.
    pub(crate) fn member_name(&mut self) -> Result<Range<usize>, Fault> {
        let start = self.at();
        self.expect(b'"', "a name in double quotes")?;
        self.skip_string()?;
        let name = start..self.at;
        self.expect(b':', "`:`")?;
        Ok(name)
    }

    /// The text is over.
    pub(crate) fn end(&mut self) -> Result<(), Fault> {
        if self.peek().is_none() { Ok(()) } else { Err(self.expected("the end of the JSON")) }
    }

    /// What the value that was taken at `range` says, if it is a string.
    pub(crate) fn string(&self, range: Range<usize>) -> Option<Cow<'a, str>> {
        let quoted = &self.text[range];
        let inner = quoted.strip_prefix('"')?.strip_suffix('"')?;
        Some(if inner.contains('\\') {
            Cow::Owned(serde_json::from_str(quoted).expect("the scanner has checked the string"))
        } else {
            Cow::Borrowed(inner)
        })
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn expected(&self, name: &'static str) -> Fault {
        let is_over = self.at == self.text.len();
        Fault { at: self.at, why: if is_over { NotJson::EndsBefore(name) } else { NotJson::Expected(name) } }
    }

    /// `depth_left` is how many arrays and objects may still open inside each other.
    fn skip_value(&mut self, depth_left: usize) -> Result<(), Fault> {
        match self.peek() {
            Some(b'"') => {
                self.at += 1;
                self.skip_string()
            }
            Some(b'{' | b'[') if depth_left == 0 => Err(Fault { at: self.at, why: NotJson::TooDeep }),
            Some(b'{') => self.skip_object(depth_left - 1),
            Some(b'[') => self.skip_array(depth_left - 1),
            Some(b'-' | b'0'..=b'9') => self.skip_number(),
            Some(b't') => self.skip_word("true"),
            Some(b'f') => self.skip_word("false"),
            Some(b'n') => self.skip_word("null"),
            _ => Err(self.expected("a JSON value")),
        }
    }

    fn skip_object(&mut self, depth_left: usize) -> Result<(), Fault> {
        self.at += 1;
        if self.take(b'}') {
            return Ok(());
        }
        loop {
            self.member_name()?;
            self.skip_value(depth_left)?;
            if !self.take(b',') {
                return self.expect(b'}', "`,` or `}`");
            }
        }
    }

    fn skip_array(&mut self, depth_left: usize) -> Result<(), Fault> {
        self.at += 1;
        if self.take(b']') {
            return Ok(());
        }
        loop {
            self.skip_value(depth_left)?;
            if !self.take(b',') {
                return self.expect(b']', "`,` or `]`");
            }
        }
    }

    fn skip_word(&mut self, word: &'static str) -> Result<(), Fault> {
        if !self.text[self.at..].starts_with(word) {
            return Err(self.expected("a JSON value"));
        }
        self.at += word.len();
        Ok(())
    }

    fn skip_number(&mut self) -> Result<(), Fault> {
        self.at += usize::from(self.byte() == Some(b'-'));
        if self.byte() == Some(b'0') {
            self.at += 1;
        } else {
            self.skip_digits()?;
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.skip_digits()?;
        }
        if let Some(b'e' | b'E') = self.byte() {
            self.at += 1;
            self.at += usize::from(matches!(self.byte(), Some(b'+' | b'-')));
            self.skip_digits()?;
        }
        Ok(())
    }

    fn skip_digits(&mut self) -> Result<(), Fault> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.byte() {
            self.at += 1;
        }
        if self.at == start { Err(self.expected("a digit")) } else { Ok(()) }
    }

    /// From behind the opening quote to behind the closing one.
    fn skip_string(&mut self) -> Result<(), Fault> {
        loop {
            self.at += plain_run(&self.text.as_bytes()[self.at..]);
            match self.byte() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.skip_escape()?,
                Some(_) => return Err(Fault { at: self.at, why: NotJson::ControlCharacter }),
                None => return Err(self.expected("the closing quote of a string")),
            }
        }
    }

    fn skip_escape(&mut self) -> Result<(), Fault> {
        let start = self.at;
        self.at += 1;
        match self.byte() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 1;
                Ok(())
            }
            Some(b'u') => {
                self.at += 1;
                match self.hex_digits()? {
                    0xD800..0xDC00 => self.low_surrogate(start),
                    0xDC00..0xE000 => Err(Fault { at: start, why: NotJson::HalfSurrogate }),
                    _ => Ok(()),
                }
            }
            Some(_) => Err(Fault { at: start, why: NotJson::UnknownEscape }),
            None => Err(self.expected("the rest of an escape")),
        }
    }

    /// The second half of a pair whose first half stands at `start`.
    fn low_surrogate(&mut self, start: usize) -> Result<(), Fault> {
        let half = Fault { at: start, why: NotJson::HalfSurrogate };
        if !self.text[self.at..].starts_with("\\u") {
            return Err(half);
        }
        self.at += 2;
        if matches!(self.hex_digits()?, 0xDC00..0xE000) { Ok(()) } else { Err(half) }
    }

    fn hex_digits(&mut self) -> Result<u32, Fault> {
        let mut value = 0;
        for _ in 0..4 {
            let digit = self.byte().and_then(|byte| char::from(byte).to_digit(16));
            value = value << 4 | digit.ok_or_else(|| self.expected("a hexadecimal digit"))?;
            self.at += 1;
        }
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn why(text: &str) -> Option<NotJson> {
        check(text.as_bytes()).err().map(|fault| fault.why)
    }

    #[test]
    fn what_is_no_json_is_refused_where_it_goes_wrong() {
        use NotJson::{ControlCharacter, EndsBefore, Expected, HalfSurrogate, UnknownEscape};
        let refused = [
            ("", 0, EndsBefore("a JSON value")),
            (" ", 1, EndsBefore("a JSON value")),
            ("{", 1, EndsBefore("a name in double quotes")),
            ("{'a':1}", 1, Expected("a name in double quotes")),
            ("{a:1}", 1, Expected("a name in double quotes")),
            ("{\"a\" 1}", 5, Expected("`:`")),
            ("{\"a\":1,}", 7, Expected("a name in double quotes")),
            ("{\"a\":1 \"b\":2}", 7, Expected("`,` or `}`")),
            ("[1,]", 3, Expected("a JSON value")),
            ("[1 2]", 3, Expected("`,` or `]`")),
            ("1 2", 2, Expected("the end of the JSON")),
            ("01", 1, Expected("the end of the JSON")),
            ("-", 1, EndsBefore("a digit")),
            ("1.e5", 2, Expected("a digit")),
            ("+1", 0, Expected("a JSON value")),
            ("nul", 0, Expected("a JSON value")),
            ("NaN", 0, Expected("a JSON value")),
            ("\"a", 2, EndsBefore("the closing quote of a string")),
            ("\"a\nb\"", 2, ControlCharacter),
            ("\"\\x\"", 1, UnknownEscape),
            ("\"\\u12g4\"", 5, Expected("a hexadecimal digit")),
            ("\"\\ud800\"", 1, HalfSurrogate),
            ("\"\\ud800\\u0041\"", 1, HalfSurrogate),
            ("\"\\udc00\"", 1, HalfSurrogate),
        ];
        for (text, at, why) in refused {
            assert_eq!(check(text.as_bytes()), Err(Fault { at, why }), "{text}");
        }
        assert_eq!(check(b"[\"a\xff\"]"), Err(Fault { at: 3, why: NotJson::NotUtf8 }));
        assert_eq!(why("\u{FEFF}{}"), Some(NotJson::ByteOrderMark));
    }

    #[test]
    fn json_is_at_most_128_deep() {
        let nested = |depth| "[".repeat(depth) + &"]".repeat(depth);
        assert_eq!(why(&nested(JSON_DEPTH_MAX)), None);
        assert_eq!(why(&nested(JSON_DEPTH_MAX + 1)), Some(NotJson::TooDeep));
        assert_eq!(why(&"{\"a\":".repeat(1_000_000)), Some(NotJson::TooDeep));
    }

    #[test]
    fn a_string_says_what_its_escapes_mean() {
        for (text, says) in [("\"plain\"", "plain"), ("\"\\u00e9\\n\\ud83e\\udd80\"", "é\n🦀"), ("\"\"", "")] {
            let mut scanner = Scanner::new(text.as_bytes()).expect("UTF-8");
            let range = scanner.value().expect("a value");
            assert_eq!(scanner.string(range).as_deref(), Some(says));
        }
    }

    proptest! {
        #[test]
        fn a_plain_run_ends_where_looking_at_each_byte_says(
            bytes in prop::collection::vec(prop::sample::select(vec![0, 0x1f, 0x20, b'!', b'"', b'#', b'[', b'\\', b']', b'a', 0x7f, 0x80, 0xa2, 0xdc, 0xff]), 0..40),
            plain in 0_usize..30,
        ) {
            let bytes = [vec![b'a'; plain], bytes].concat();
            let end = bytes.iter().position(|byte| *byte < 0x20 || [b'"', b'\\'].contains(byte));
            prop_assert_eq!(plain_run(&bytes), end.unwrap_or(bytes.len()));
        }

        /// serde_json is the judge, on texts that are nearly JSON.
        #[test]
        fn it_takes_what_serde_json_takes(
            tokens in prop::collection::vec(
                prop::sample::select(vec![
                    "{", "}", "[", "]", ",", ":", "\"a\"", "\"", "\\", "\\u00e9", "\\ud83e\\udd80", "\\ud83e", "\\n",
                    "1", "-", "0", "-0.5e+3", "1.", "e", "true", "nul", "null", " ", "\n", "é", "\u{1}", "{\"a\":1}",
                    "[1,\"b\"]", "\u{FEFF}",
                ]),
                0..12,
            ),
        ) {
            let text = tokens.concat();
            let judged = serde_json::from_str::<serde_json::Value>(&text);
            prop_assert_eq!(check(text.as_bytes()).is_ok(), judged.is_ok(), "{:?}: {:?}", text, judged.err());
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            if let Err(fault) = check(&bytes) {
                prop_assert!(fault.at <= bytes.len());
            }
        }
    }
}
