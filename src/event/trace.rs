//! Which operation of another program an event came out of: W3C Trace Context, as producers send it in `traceparent`.
//!
//! It is kept beside the event so that whoever handles it later can join the trace. It says nothing of what happened, so
//! a repeat may come in another trace: the first one stays.

use std::fmt;

/// A place in a trace: `00-{trace}-{span}-{flags}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceParent {
    trace: [u8; 16],
    span: [u8; 8],
    flags: u8,
}

/// What it takes as bytes, in the stored format.
pub const TRACE_PARENT_BYTES: usize = 25;

/// The one flag that version 00 knows: whoever sent it keeps what it recorded.
const SAMPLED: u8 = 1;

impl TraceParent {
    /// What the header says. None if it says nothing that counts: the standard has it ignored then, never refused. Of a
    /// later version that is read which this one knows.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let version = hex::<1>(bytes.get(..2)?)?[0];
        let has_dashes = [2, 35, 52].into_iter().all(|at| bytes.get(at) == Some(&b'-'));
        let is_whole = match version {
            0 => bytes.len() == 55,
            0xff => false,
            _ => bytes.len() == 55 || bytes.get(55) == Some(&b'-'),
        };
        if !has_dashes || !is_whole {
            return None;
        }
        let (trace, span) = (hex(&bytes[3..35])?, hex(&bytes[36..52])?);
        let flags = hex::<1>(&bytes[53..55])?[0];
        (trace != [0; 16] && span != [0; 8]).then_some(Self { trace, span, flags: flags & SAMPLED })
    }

    /// As it is stored.
    #[must_use]
    pub fn to_bytes(self) -> [u8; TRACE_PARENT_BYTES] {
        let mut bytes = [self.flags; TRACE_PARENT_BYTES];
        bytes[..16].copy_from_slice(&self.trace);
        bytes[16..24].copy_from_slice(&self.span);
        bytes
    }

    /// From how it is stored; none if it is not how.
    #[must_use]
    pub fn from_bytes(bytes: [u8; TRACE_PARENT_BYTES]) -> Option<Self> {
        let mut read = Self { trace: [0; 16], span: [0; 8], flags: bytes[24] };
        read.trace.copy_from_slice(&bytes[..16]);
        read.span.copy_from_slice(&bytes[16..24]);
        (read.trace != [0; 16] && read.span != [0; 8] && read.flags <= SAMPLED).then_some(read)
    }

    /// The trace, in hex.
    #[must_use]
    pub fn trace(self) -> String {
        self.to_string()[3..35].to_string()
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (trace, span) = (u128::from_be_bytes(self.trace), u64::from_be_bytes(self.span));
        write!(f, "00-{trace:032x}-{span:016x}-{:02x}", self.flags)
    }
}

/// Lower-case digits alone, as the standard has it.
fn hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ONE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn what_counts_is_read_and_all_else_is_passed_over() {
        let said = |text: &str| TraceParent::parse(text).map(|parent| parent.to_string());
        for (text, expected) in [
            (ONE, Some(ONE)),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff", Some(ONE)),
            ("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", Some(ONE)),
            ("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what.comes.later", Some(ONE)),
            ("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01what", None),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more", None),
            ("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", None),
            ("00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", None),
            ("00-00000000000000000000000000000000-b7ad6b7169203331-01", None),
            ("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", None),
            ("00_0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331_01", None),
            (&ONE[..54], None),
            ("", None),
            ("é", None),
        ] {
            assert_eq!(said(text).as_deref(), expected, "{text:?}");
        }
        assert_eq!(TraceParent::parse(ONE).map(TraceParent::trace).as_deref(), Some(&ONE[3..35]));
    }

    #[test]
    fn the_stored_form_is_part_of_the_format() {
        let bytes = TraceParent::parse(ONE).expect("one").to_bytes();
        assert_eq!((bytes[0], bytes[15], bytes[16], bytes[23], bytes[24]), (0x0a, 0x9c, 0xb7, 0x31, 1));
        assert_eq!(TraceParent::from_bytes([0; TRACE_PARENT_BYTES]), None);
        assert_eq!(TraceParent::from_bytes([2; TRACE_PARENT_BYTES]), None, "a flag that nobody has set");
    }

    proptest! {
        #[test]
        fn every_one_comes_back_from_its_text_and_its_bytes(trace in 1_u128.., span in 1_u64.., sampled: bool) {
            let text = format!("00-{trace:032x}-{span:016x}-{:02x}", u8::from(sampled));
            let parent = TraceParent::parse(&text).expect("one");
            prop_assert_eq!(parent.to_string(), text);
            prop_assert_eq!(TraceParent::from_bytes(parent.to_bytes()), Some(parent));
        }

        #[test]
        fn no_text_makes_it_panic(text in any::<String>()) {
            if let Some(parent) = TraceParent::parse(&text) {
                prop_assert_eq!(TraceParent::parse(&parent.to_string()), Some(parent));
            }
        }
    }
}
