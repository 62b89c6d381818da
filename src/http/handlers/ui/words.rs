//! What people read: sizes, times and counts in words, and what strangers wrote so that it can be looked at.

use crate::address::Form;
use crate::event::{Content, Timestamp};
use crate::feed;

/// JSON and XML over this many bytes are shown as they were sent: indented, they could grow to a hundred times their size.
const INDENTED_BYTES_MAX: usize = 64 << 10;

/// So many bytes of what is no text are shown.
const DUMPED_BYTES_MAX: usize = 256;

/// A text that can be put into a page.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) text: String,
    /// It is all there.
    pub(super) is_whole: bool,
}

/// The text as far as it takes no more than `bytes_max` bytes once it is escaped. What cannot stand in a page is
/// replaced by what can be seen; what turns the direction of a text around is seen too, instead of doing so.
pub(super) fn shown(text: &str, bytes_max: usize) -> Shown {
    let mut bytes = 0;
    let mut out = String::with_capacity(text.len().min(bytes_max));
    for c in text.chars() {
        let c = match c {
            '\n' | '\t' => c,
            '\0'..='\u{1F}' => char::from_u32(0x2400 + u32::from(c)).expect("a picture for each control character"),
            '\u{7F}' => '\u{2421}',
            '\u{80}'..='\u{9F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => char::REPLACEMENT_CHARACTER,
            '\u{FFFE}' | '\u{FFFF}' => char::REPLACEMENT_CHARACTER,
            _ => c,
        };
        bytes += match c {
            '&' | '<' | '>' | '"' | '\'' => "&#38;".len(),
            _ => c.len_utf8(),
        };
        if bytes > bytes_max {
            return Shown { text: out, is_whole: false };
        }
        out.push(c);
    }
    Shown { text: out, is_whole: true }
}

/// One line: white space of any kind is one space, and `…` stands for what there is no room for.
pub(super) fn line(text: &str, bytes_max: usize) -> String {
    let mut joined = String::with_capacity(text.len().min(bytes_max));
    for word in text.split_whitespace() {
        if joined.len() > bytes_max {
            break;
        }
        if !joined.is_empty() {
            joined.push(' ');
        }
        joined.extend(word.chars().take(bytes_max + 1));
    }
    let Shown { mut text, is_whole } = shown(&joined, bytes_max);
    if !is_whole {
        text.push('…');
    }
    text
}

/// The data of an event in one line; none of bytes that are no text.
pub(super) fn data_line(data: &[u8], bytes_max: usize) -> Option<String> {
    text_of(data).map(|text| line(text, bytes_max))
}

/// How data are shown.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Display {
    /// There are none.
    Nothing,
    /// As text; JSON indented.
    Text(Shown),
    /// As bytes in hexadecimal.
    Dump(Shown),
}

/// The data of an event, to be read.
pub(super) fn data(content: &Content, form: Form, bytes_max: usize) -> Display {
    let data = &content.data;
    if data.is_empty() {
        return Display::Nothing;
    }
    match (text_of(data), form) {
        (Some(text), Form::Pretty) if content.media_type.is_json() => Display::Text(json(text, bytes_max)),
        (Some(text), Form::Pretty) if content.media_type.is_xml() => {
            Display::Text(indented(text, feed::indented_xml, bytes_max))
        }
        (Some(text), Form::Pretty | Form::Raw) => Display::Text(shown(text, bytes_max)),
        (None, _) | (_, Form::Hex) => {
            Display::Dump(Shown { text: dump(data), is_whole: data.len() <= DUMPED_BYTES_MAX })
        }
    }
}

/// JSON, indented; what claims to be JSON and is not, as it is.
pub(super) fn json(text: &str, bytes_max: usize) -> Shown {
    indented(text, feed::indented, bytes_max)
}

fn indented(text: &str, indent: fn(&str) -> Option<String>, bytes_max: usize) -> Shown {
    let indented = if text.len() > INDENTED_BYTES_MAX { None } else { indent(text) };
    shown(indented.as_deref().unwrap_or(text), bytes_max)
}

/// UTF-8 that holds no more control characters than text does.
fn text_of(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok().filter(|text| !text.contains('\0'))
}

/// The first bytes: where, what, and what of it are letters.
fn dump(data: &[u8]) -> String {
    let mut out = String::new();
    for (line, bytes) in data[..data.len().min(DUMPED_BYTES_MAX)].chunks(16).enumerate() {
        out.push_str(&format!("{:04x} ", line * 16));
        for at in 0..16 {
            if at % 8 == 0 {
                out.push(' ');
            }
            match bytes.get(at) {
                Some(byte) => out.push_str(&format!("{byte:02x} ")),
                None => out.push_str("   "),
            }
        }
        out.push(' ');
        out.extend(bytes.iter().map(|byte| if matches!(byte, b' '..=b'~') { char::from(*byte) } else { '·' }));
        out.push('\n');
    }
    out
}

/// A number with its thousands apart.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// So many of something.
pub(super) fn count(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

/// A size in bytes, three digits of it.
pub(super) fn size(bytes: u64) -> String {
    let units = ["kB", "MB", "GB", "TB", "PB", "EB"];
    let mut size = bytes as f64 / 1e3;
    if bytes < 1_000 {
        return format!("{bytes} B");
    }
    for unit in units {
        // What would be rounded up to four digits is of the next unit.
        if size < 999.95 {
            return if size < 99.95 { format!("{size:.1} {unit}") } else { format!("{size:.0} {unit}") };
        }
        size /= 1e3;
    }
    format!("{size:.0} ZB")
}

/// One after the other: `a, b and c`.
pub(super) fn listed(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_string(),
        [before @ .., last] => format!("{} and {last}", before.join(", ")),
    }
}

/// A moment to the second. Times are UTC, and the page says so once.
pub(super) fn moment(time: Timestamp) -> String {
    time.to_utc().format("%Y-%m-%d %H:%M:%S").to_string()
}

/// A span of time in the largest unit that it is a multiple of.
pub(super) fn span(seconds: u64) -> String {
    match seconds {
        0 => "0 seconds".to_string(),
        _ if seconds.is_multiple_of(86_400) => count(seconds / 86_400, "day", "days"),
        _ if seconds.is_multiple_of(3_600) => count(seconds / 3_600, "hour", "hours"),
        _ if seconds.is_multiple_of(60) => count(seconds / 60, "minute", "minutes"),
        _ => count(seconds, "second", "seconds"),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::event::MediaType;

    fn content(media_type: &str, data: &'static [u8]) -> Content {
        let media_type = MediaType::parse(media_type).expect("a media type");
        Content { media_type, data: Bytes::from_static(data), metadata: None, trace_parent: None }
    }

    #[test]
    fn what_cannot_stand_in_a_page_is_replaced_by_what_can_be_seen() {
        let Shown { text, is_whole } = shown("a\u{0}b\u{1b}[31m\tc\nd\r\u{202e}e\u{ffff}\u{85}", 1_000);
        assert_eq!(text, "a␀b␛[31m\tc\nd␍\u{fffd}e\u{fffd}\u{fffd}");
        assert!(is_whole);
    }

    #[test]
    fn a_text_takes_no_more_than_its_share_once_it_is_escaped() {
        assert_eq!(shown("<<<", 11), Shown { text: "<<".into(), is_whole: false });
        assert_eq!(shown("<<", 10), Shown { text: "<<".into(), is_whole: true });
        assert_eq!(shown("üü", 3), Shown { text: "ü".into(), is_whole: false });
        assert_eq!(line(" a\n\n b\t", 100), "a b");
        assert_eq!(line(&"x".repeat(200), 10), "xxxxxxxxxx…");
    }

    #[test]
    fn json_is_indented_text_is_left_alone_and_bytes_are_dumped() {
        let text = |content: Content| match data(&content, Form::Pretty, 1_000) {
            Display::Text(Shown { text, is_whole: true }) => text,
            other => panic!("{other:?}"),
        };
        assert_eq!(text(content("application/json", b"[1.10,{}]")), "[\n  1.10,\n  {}\n]");
        assert_eq!(text(content("application/json", b"{no json")), "{no json");
        assert_eq!(text(content("image/svg+xml", b"<svg><g/></svg>")), "<svg>\n  <g/>\n</svg>");
        assert_eq!(text(content("text/xml", b"no xml")), "no xml");
        let compact = content("application/json", b"[1]");
        assert_eq!(data(&compact, Form::Raw, 10), Display::Text(Shown { text: "[1]".into(), is_whole: true }));
        assert!(
            matches!(data(&compact, Form::Hex, 10), Display::Dump(shown) if shown.text.starts_with("0000  5b 31 5d"))
        );
        assert_eq!(data(&content("text/plain", b""), Form::Hex, 10), Display::Nothing);
        let png = content("image/png", b"\x89PNG\r\n\x1a\n\0\0 abcdefg");
        let Display::Dump(Shown { text, is_whole }) = data(&png, Form::Raw, 10) else { panic!("a dump") };
        assert!(is_whole);
        assert_eq!(
            text,
            "0000  89 50 4e 47 0d 0a 1a 0a  00 00 20 61 62 63 64 65  ·PNG······ abcde\n\
             0010  66 67                                             fg\n"
        );
        assert_eq!((data_line(b"\xff\x00", 10), data_line(b"a\nb", 10)), (None, Some("a b".to_string())));
    }

    #[test]
    fn numbers_have_words() {
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(grouped(999), "999");
        assert_eq!(count(1, "event", "events"), "1 event");
        assert_eq!([size(7), size(1_234), size(4_194_304)], ["7 B", "1.2 kB", "4.2 MB"]);
        assert_eq!([size(123_456), size(999_960), size(5_000_000_000)], ["123 kB", "1.0 MB", "5.0 GB"]);
        assert_eq!([listed(&["a"]), listed(&["a", "b", "c"])], ["a", "a, b and c"]);
        assert_eq!([span(86_400), span(7_200), span(90), span(0)], ["1 day", "2 hours", "90 seconds", "0 seconds"]);
    }
}
