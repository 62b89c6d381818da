//! XML with a line for each element, for pages that people read.

use quick_xml::Reader;
use quick_xml::events::Event;

/// What is nested deeper than this stays as it is: every line would begin with so much of nothing.
const LEVELS_MAX: usize = 32;

/// What stands before the place where something is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Start,
    /// The tag that opens an element.
    Open,
    Text,
    /// An element, a comment or an instruction, all of it.
    Whole,
}

/// A document with its elements on lines of their own. None of what is no XML, and of an element that has text beside
/// elements: there, white space means something.
pub(crate) fn indented(text: &str) -> Option<String> {
    let mut reader = Reader::from_str(text);
    let mut out = String::with_capacity(text.len() * 3 / 2);
    let (mut level, mut before) = (0_usize, Before::Start);
    loop {
        let from = reader.buffer_position() as usize;
        let event = reader.read_event().ok()?;
        let raw = text.get(from..reader.buffer_position() as usize)?;
        let is_blank = raw.bytes().all(|byte| byte.is_ascii_whitespace());
        match event {
            Event::Eof => return (level == 0 && before == Before::Whole).then_some(out),
            Event::Text(_) if is_blank && before != Before::Text => {}
            Event::Text(_) | Event::CData(_) | Event::GeneralRef(_) => {
                if level == 0 || before == Before::Whole {
                    return None;
                }
                out.push_str(raw);
                before = Before::Text;
            }
            Event::End(_) => {
                level = level.checked_sub(1)?;
                if before == Before::Whole {
                    put_line(&mut out, level);
                }
                out.push_str(raw);
                before = Before::Whole;
            }
            Event::Start(_)
            | Event::Empty(_)
            | Event::Comment(_)
            | Event::PI(_)
            | Event::Decl(_)
            | Event::DocType(_) => {
                if before == Before::Text || level == LEVELS_MAX {
                    return None;
                }
                if before != Before::Start {
                    put_line(&mut out, level);
                }
                out.push_str(raw);
                before = Before::Whole;
                if matches!(event, Event::Start(_)) {
                    level += 1;
                    before = Before::Open;
                }
            }
        }
    }
}

fn put_line(out: &mut String, level: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", level));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_have_lines_of_their_own_and_texts_stay_as_they_are() {
        let indent = |text| indented(text).unwrap_or_else(|| panic!("{text}"));
        assert_eq!(indent("<a/>"), "<a/>");
        assert_eq!(
            indent("<?xml version=\"1.0\"?>\n<a x='1'><b>1 &amp; 2 </b>\n\n<!-- c --><d><e/></d><f></f></a>\n"),
            "<?xml version=\"1.0\"?>\n<a x='1'>\n  <b>1 &amp; 2 </b>\n  <!-- c -->\n  <d>\n    <e/>\n  </d>\n  <f></f>\n</a>"
        );
        assert_eq!(indent("<a><![CDATA[ <b> ]]></a>"), "<a><![CDATA[ <b> ]]></a>");
        for mixed in ["<a>1<b/></a>", "<a><b/>1</a>", "<p>so <b>it</b> is</p>", "<a><b/>&lt;</a>"] {
            assert_eq!(indented(mixed), None, "{mixed}: its white space may mean something");
        }
        for wrong in ["", "text", "<a>", "</a>", "<a></b>", "<a/>text", &"<a>".repeat(100)] {
            assert_eq!(indented(wrong), None, "{wrong}");
        }
    }
}
