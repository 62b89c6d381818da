//! Encoding a whole body, or one that is written piece by piece.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::negotiate::Coding;

/// A complete page is compressed once and sent many times, so it may take its time.
const GZIP_LEVEL: u32 = 6;
const ZSTD_LEVEL: i32 = 6;

/// What the streamed encoders use: they work while somebody waits.
const ZSTD_LEVEL_STREAMED: i32 = 1;
const GZIP_LEVEL_STREAMED: u32 = 1;

impl Coding {
    /// The value of Content-Encoding; none for identity.
    pub(crate) const fn name(self) -> Option<&'static str> {
        match self {
            Self::Identity => None,
            Self::Gzip => Some("gzip"),
            Self::Zstd => Some("zstd"),
        }
    }

    /// What is added to an entity tag: the coding and the revision of what we make of it. Encoders of another
    /// release may give other bytes, and then the number goes up.
    pub(crate) const fn tag_suffix(self) -> &'static str {
        match self {
            Self::Identity => "",
            Self::Gzip => "-gz1",
            Self::Zstd => "-zst1",
        }
    }

    /// Encodes a whole body.
    pub(crate) fn encode(self, body: &Bytes) -> Bytes {
        match self {
            Self::Identity => body.clone(),
            Self::Gzip => {
                let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::new(GZIP_LEVEL));
                encoder.write_all(body).and_then(|()| encoder.finish()).expect("memory takes every write").into()
            }
            Self::Zstd => zstd::bulk::compress(body, ZSTD_LEVEL).expect("memory takes every write").into(),
        }
    }
}

/// Encodes a body piece by piece.
pub(crate) enum Encoder {
    Identity,
    Gzip(GzEncoder<Vec<u8>>),
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
}

impl Encoder {
    pub(crate) fn new(coding: Coding) -> std::io::Result<Self> {
        Ok(match coding {
            Coding::Identity => Self::Identity,
            Coding::Gzip => Self::Gzip(GzEncoder::new(Vec::new(), Compression::new(GZIP_LEVEL_STREAMED))),
            Coding::Zstd => Self::Zstd(zstd::stream::write::Encoder::new(Vec::new(), ZSTD_LEVEL_STREAMED)?),
        })
    }

    /// What can be sent after this piece; it may be nothing yet.
    pub(crate) fn push(&mut self, piece: Vec<u8>) -> std::io::Result<Bytes> {
        match self {
            Self::Identity => Ok(piece.into()),
            Self::Gzip(encoder) => {
                encoder.write_all(&piece)?;
                Ok(std::mem::take(encoder.get_mut()).into())
            }
            Self::Zstd(encoder) => {
                encoder.write_all(&piece)?;
                Ok(std::mem::take(encoder.get_mut()).into())
            }
        }
    }

    /// The rest.
    pub(crate) fn finish(self) -> std::io::Result<Bytes> {
        match self {
            Self::Identity => Ok(Bytes::new()),
            Self::Gzip(encoder) => encoder.finish().map(Bytes::from),
            Self::Zstd(encoder) => encoder.finish().map(Bytes::from),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn decode(coding: Coding, encoded: &[u8]) -> Vec<u8> {
        let mut decoded = Vec::new();
        match coding {
            Coding::Identity => decoded.extend_from_slice(encoded),
            Coding::Gzip => {
                flate2::read::GzDecoder::new(encoded).read_to_end(&mut decoded).expect("gzip");
            }
            Coding::Zstd => decoded = zstd::stream::decode_all(encoded).expect("zstd"),
        }
        decoded
    }

    #[test]
    fn what_is_encoded_whole_or_in_pieces_decodes_to_itself() {
        let body: Vec<u8> = (0..300_000_u32).flat_map(|n| (n / 7).to_string().into_bytes()).collect();
        for coding in [Coding::Identity, Coding::Gzip, Coding::Zstd] {
            assert_eq!(decode(coding, &coding.encode(&Bytes::from(body.clone()))), body);
            let mut encoder = Encoder::new(coding).expect("an encoder");
            let mut encoded = Vec::new();
            for piece in body.chunks(10_000) {
                encoded.extend_from_slice(&encoder.push(piece.to_vec()).expect("memory"));
            }
            encoded.extend_from_slice(&encoder.finish().expect("memory"));
            assert_eq!(decode(coding, &encoded), body);
        }
    }

    #[test]
    fn the_same_page_is_encoded_to_the_same_bytes() {
        let body = Bytes::from_static(&[b'a'; 5_000]);
        for coding in [Coding::Gzip, Coding::Zstd] {
            assert_eq!(coding.encode(&body), coding.encode(&body));
        }
    }
}
