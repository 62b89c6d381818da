//! Cases without end: seeds, changed in a few places.

use crate::workload::Random;

/// The longest case, in bytes.
const BYTES_MAX: usize = 4 << 10;

/// What means something to one parser or another.
const WORDS: &[&[u8]] = &[
    b"\0",
    b"\r\n",
    b"\n",
    b"\t",
    b" ",
    b"\"",
    b"'",
    b"\\",
    b"/",
    b"//",
    b"..",
    b"%",
    b"%2F",
    b"%00",
    b"%zz",
    b"%C3",
    b"?",
    b"&",
    b"=",
    b";",
    b",",
    b":",
    b"*",
    b"W/\"",
    b"q=0",
    b";q=0.001",
    b"-1",
    b"01",
    b"1e400",
    b"-0",
    b"4096",
    b"9223372036854775807",
    b"9223372036854775808",
    b"18446744073709551616",
    b"{",
    b"}",
    b"[",
    b"]",
    b"null",
    b"true",
    b"\"\":",
    b"\\u0000",
    b"\\ud800",
    b"\\ud83d\\ude00",
    b"<",
    b">",
    b"</",
    b"/>",
    b"<a>",
    b"</a>",
    b"&amp;",
    b"&#0;",
    b"&#xD800;",
    b"&#x10FFFF;",
    b"&lol;",
    b"<!DOCTYPE",
    b"<!--",
    b"-->",
    b"<![CDATA[",
    b"]]>",
    b"<?x ?>",
    b"xmlns=''",
    b"xmlns:x='u'",
    b"xml:base='a'",
    b"xml:lang=''",
    b"\xEF\xBB\xBF",
    b"\xFF",
    b"\xC0\xAF",
    b"\xED\xA0\x80",
    "\u{FFFE}".as_bytes(),
    "\u{85}".as_bytes(),
    "\u{2028}".as_bytes(),
    "\u{1F980}".as_bytes(),
    b"localhost",
    b"[::1]",
    b"@",
    b"EVFGROUP",
    b"EVFB",
    b"EVFI",
    b"\x28\xB5\x2F\xFD",
    b"\xFF\xFF\xFF\xFF",
    b"\x7F\xFF\xFF\xFF",
    b"\0\0\0\0",
    b"\x80\x80\x80\x80\x10",
];

/// The cases that come of these seeds and this chance.
pub(super) struct Cases<'a> {
    seeds: &'a [Vec<u8>],
    random: Random,
}

impl<'a> Cases<'a> {
    pub(super) fn new(seeds: &'a [Vec<u8>], random: Random) -> Self {
        Self { seeds, random }
    }

    fn below(&mut self, end: usize) -> usize {
        self.random.below(end.max(1) as u64) as usize
    }

    fn change(&mut self, case: &mut Vec<u8>) {
        let at = self.below(case.len() + 1);
        let end = at + self.below((case.len() - at).min(32) + 1);
        match self.below(8) {
            0 if at < case.len() => case[at] ^= 1 << self.below(8),
            1 if at < case.len() => case[at] = self.random.next() as u8,
            2 => drop(case.drain(at..end)),
            3 => case.truncate(at),
            4 => {
                let again = case[at..end].repeat(1 + self.below(40));
                case.splice(at..at, again);
            }
            5 => {
                let other = self.random.pick(self.seeds);
                let from = self.below(other.len());
                let until = from + self.below((other.len() - from).min(64) + 1);
                case.splice(at..end, other[from..until].iter().copied());
            }
            6 => {
                let count = self.below(9);
                case.splice(at..end, self.random.bytes(count));
            }
            _ => {
                let word = *self.random.pick(WORDS);
                case.splice(at..at, word.iter().copied());
            }
        }
    }
}

impl Iterator for Cases<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut case = match self.below(16) {
            0 => {
                let count = self.below(300);
                self.random.bytes(count)
            }
            _ => self.random.pick(self.seeds).clone(),
        };
        for _ in 0..=self.below(5) {
            self.change(&mut case);
        }
        case.truncate(BYTES_MAX);
        Some(case)
    }
}
