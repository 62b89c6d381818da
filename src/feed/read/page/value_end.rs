//! Where an array or object ends, sixty-four bytes at a time.
//!
//! Producers' data are most of what a page is made of. They were held to the grammar of JSON before they were kept, so
//! all that a reader has to know of them is where they end: which brackets stand in strings, and which one closes the
//! first. Each question is one bit for each byte of a block, and is answered for the whole block at once.

/// One bit for each byte of it.
type Block = [u8; 64];

/// How many bytes the array or object takes that these begin with; none if it does not end.
pub(super) fn value_end(text: &[u8]) -> Option<usize> {
    let (blocks, rest) = text.as_chunks();
    let mut walk = Walk::default();
    for (index, block) in blocks.iter().enumerate() {
        if let Some(end) = walk.block(block) {
            return Some(index * size_of::<Block>() + end);
        }
    }
    let mut last = [b' '; size_of::<Block>()];
    last[..rest.len()].copy_from_slice(rest);
    walk.block(&last).map(|end| text.len() - rest.len() + end)
}

/// What is known where a block begins.
#[derive(Default)]
struct Walk {
    /// How many brackets are open.
    depth: u32,
    /// All bits, if it begins inside a string.
    in_string: u64,
    /// One, if its first byte stands behind a backslash.
    escaped: u64,
}

impl Walk {
    /// Where the value ends in this block, if it does.
    #[inline]
    fn block(&mut self, block: &Block) -> Option<usize> {
        let quotes = self.unescaped(mask(block, |byte| byte == b'"'), mask(block, |byte| byte == b'\\'));
        // From each opening quote to before its closing one.
        let strings = parity(quotes) ^ self.in_string;
        self.in_string = 0_u64.wrapping_sub(strings >> 63);
        // The two kinds of brackets differ in this one bit.
        let opening = mask(block, |byte| byte | 0x20 == b'{') & !strings;
        let closing = mask(block, |byte| byte | 0x20 == b'}') & !strings;
        if closing.count_ones() < self.depth {
            self.depth = self.depth + opening.count_ones() - closing.count_ones();
            return None;
        }
        let mut brackets = opening | closing;
        while brackets != 0 {
            let lowest = brackets & brackets.wrapping_neg();
            if opening & lowest != 0 {
                self.depth += 1;
            } else {
                self.depth = self.depth.checked_sub(1)?;
                if self.depth == 0 {
                    return Some(lowest.trailing_zeros() as usize + 1);
                }
            }
            brackets ^= lowest;
        }
        None
    }

    /// The quotes that no backslash stands before.
    #[inline]
    fn unescaped(&mut self, quotes: u64, mut backslashes: u64) -> u64 {
        let mut escaped = std::mem::take(&mut self.escaped);
        backslashes &= !escaped;
        while backslashes != 0 {
            let at = backslashes.trailing_zeros();
            let behind = 2_u64.checked_shl(at).unwrap_or(0);
            self.escaped |= u64::from(at == 63);
            escaped |= behind;
            backslashes &= !(1 << at | behind);
        }
        quotes & !escaped
    }
}

/// The bytes of which this is true.
#[inline]
fn mask(block: &Block, is: impl Fn(u8) -> bool) -> u64 {
    let flags: Block = std::array::from_fn(|at| u8::from(is(block[at])));
    let (words, _) = flags.as_chunks();
    // The product moves the flags of eight bytes next to each other, into the highest byte.
    let gathered = |word: &[u8; 8]| u64::from_le_bytes(*word).wrapping_mul(0x0102_0408_1020_4080) >> 56;
    words.iter().rev().fold(0, |mask, word| mask << 8 | gathered(word))
}

/// For each bit, whether the bits up to it, and it, are odd in number.
#[inline]
fn parity(bits: u64) -> u64 {
    [1, 2, 4, 8, 16, 32].into_iter().fold(bits, |bits, shift| bits ^ bits << shift)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::feed::json::Scanner;
    use crate::feed::tests_support::any_json;

    #[test]
    fn a_value_ends_where_its_first_bracket_is_closed() {
        for (text, end) in [
            ("{}", Some(2)),
            ("[]]", Some(2)),
            ("{\"}\":[{}]},", Some(10)),
            ("{\"\\\"}\":1}x", Some(9)),
            ("{\"\\\\\":\"}\"}", Some(10)),
            ("{", None),
            ("{\"}", None),
            ("{\"a\":[}", None),
            ("", None),
            ("]", None),
        ] {
            assert_eq!(value_end(text.as_bytes()), end, "{text}");
        }
    }

    #[test]
    fn a_backslash_counts_across_the_end_of_a_block() {
        for before in 50..80 {
            for backslashes in 0..6 {
                let text = format!("{{\"{}{}\":\"}}\"}}", "a".repeat(before), "\\\\".repeat(backslashes));
                assert_eq!(value_end(text.as_bytes()), Some(text.len()), "{text}");
                let text = format!("{{\"{}{}\\\"}}\":1}}", "a".repeat(before), "\\\\".repeat(backslashes));
                assert_eq!(value_end(text.as_bytes()), Some(text.len()), "{text}");
            }
        }
    }

    proptest! {
        /// The walk that knows all of JSON is the judge.
        #[test]
        fn it_ends_where_the_grammar_says(
            members in prop::collection::vec((any::<String>(), any_json()), 0..8), after in "[\\]}\"a, ]{0,70}",
        ) {
            let members: Vec<_> =
                members.iter().map(|(name, value)| format!("{}:{value}", serde_json::json!(name))).collect();
            let object = format!("{{{}}}", members.join(","));
            let end = Scanner::new(object.as_bytes()).expect("UTF-8").value().expect("JSON").end;
            prop_assert_eq!(value_end(format!("{object}{after}").as_bytes()), Some(end));
            let cut = object.len() - 1;
            prop_assert_eq!(value_end(&object.as_bytes()[..cut]), None);
        }

        #[test]
        fn arbitrary_bytes_never_panic(
            bytes in prop::collection::vec(prop::sample::select(b"{}[]\"\\a".to_vec()), 0..200),
        ) {
            if let Some(end) = value_end(&bytes) {
                prop_assert!(end <= bytes.len());
            }
        }
    }
}
