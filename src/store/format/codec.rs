//! Integers and byte strings, as all layouts write them.

use bytes::Bytes;

use super::RAW_BYTES_MAX;

/// Bytes that are not of the layout that was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed {0}")]
pub(crate) struct Malformed(pub(crate) &'static str);

/// Decompresses what is said to be this long.
pub(crate) fn decompress(payload: &[u8], raw_bytes: u64, what: &'static str) -> Result<Bytes, Malformed> {
    let raw_bytes = usize::try_from(raw_bytes).ok().filter(|bytes| *bytes <= RAW_BYTES_MAX).ok_or(Malformed(what))?;
    zstd::bulk::decompress(payload, raw_bytes).map(Bytes::from).map_err(|_| Malformed(what))
}

/// LEB128: seven bits a byte, lowest first.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value as u8) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Its length as a varint, then the bytes.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Reads what the functions above wrote, never past the end.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    bytes: &'a Bytes,
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a Bytes) -> Self {
        Self { bytes, at: 0 }
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// The next `count` bytes, shared with the source.
    pub(crate) fn take(&mut self, count: usize) -> Result<Bytes, Malformed> {
        let start = self.advance(count)?;
        Ok(self.bytes.slice(start..start + count))
    }

    /// The next `count` bytes, borrowed.
    pub(crate) fn peek(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let start = self.advance(count)?;
        Ok(&self.bytes[start..start + count])
    }

    fn advance(&mut self, count: usize) -> Result<usize, Malformed> {
        let start = self.at;
        let end = start.checked_add(count).filter(|end| *end <= self.bytes.len());
        self.at = end.ok_or(Malformed("record: it ends early"))?;
        Ok(start)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        Ok(self.peek(N)?.try_into().expect("peek returns as many bytes as asked"))
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(self.array::<1>()?[0])
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Malformed> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Malformed> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Malformed> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    pub(crate) fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(Malformed("integer: over 64 bits"));
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Malformed("integer: over ten bytes"))
    }

    pub(crate) fn varint_u32(&mut self) -> Result<u32, Malformed> {
        u32::try_from(self.varint()?).map_err(|_| Malformed("integer: over 32 bits"))
    }

    /// A byte string, shared with the source.
    pub(crate) fn bytes(&mut self) -> Result<Bytes, Malformed> {
        let length = self.length()?;
        self.take(length)
    }

    /// A text, borrowed.
    pub(crate) fn text(&mut self) -> Result<&'a str, Malformed> {
        let length = self.length()?;
        std::str::from_utf8(self.peek(length)?).map_err(|_| Malformed("text: not UTF-8"))
    }

    fn length(&mut self) -> Result<usize, Malformed> {
        usize::try_from(self.varint()?).map_err(|_| Malformed("length"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn integers_and_bytes_come_back(values in prop::collection::vec(any::<u64>(), 0..20), text in ".{0,40}") {
            let mut out = Vec::new();
            for value in &values {
                put_varint(&mut out, *value);
            }
            put_bytes(&mut out, text.as_bytes());
            let bytes = Bytes::from(out);
            let mut reader = Reader::new(&bytes);
            for value in &values {
                prop_assert_eq!(reader.varint(), Ok(*value));
            }
            prop_assert_eq!(reader.text(), Ok(text.as_str()));
            prop_assert!(reader.is_at_end());
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let bytes = Bytes::from(bytes);
            let mut reader = Reader::new(&bytes);
            while !reader.is_at_end() {
                if reader.bytes().is_err() || reader.varint().is_err() || reader.text().is_err() {
                    break;
                }
            }
        }
    }
}
