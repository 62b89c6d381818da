//! Bodies of requests that come compressed (RFC 9110 §8.4): one coding, unpacked within limits while it arrives.
//!
//! A few bytes can stand for any number of them. So what a body comes to is limited in all, and by how many times as much
//! it is as what has arrived.

use bytes::Bytes;
use flate2::{Decompress, FlushDecompress, Status};
use hyper::header::{ACCEPT_ENCODING, CONTENT_ENCODING, HeaderMap, HeaderValue};
use zstd::stream::raw::{DParameter, Decoder as ZstdDecoder, InBuffer, Operation, OutBuffer};

use super::negotiate::Coding;
use super::problem::{Kind, Problem};

/// What is no more than this is no bomb, whatever it was made of.
const ALWAYS_BYTES: u64 = 64 << 10;

/// What is unpacked in one step, at most.
const STEP_BYTES: usize = 32 << 10;

/// So many steps are taken at once, before other requests have their turn.
const STEPS_AT_ONCE: usize = 8;

/// What gzip looks back on, always (as a power of two).
const GZIP_WINDOW_LOG: u8 = 15;

/// The window of zstd may be no larger than this (as a power of two): RFC 9659 asks for it, and it is memory.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// What a compressed body may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CompressedLimits {
    /// As it comes.
    pub(crate) bytes_max: u64,
    /// Unpacked, how many times as much.
    pub(crate) ratio_max: u64,
}

/// The coding of a body.
///
/// # Errors
/// 415 for one that is not known here, or for several, one around the other.
pub(crate) fn coding(headers: &HeaderMap) -> Result<Coding, Problem> {
    let mut lines = headers.get_all(CONTENT_ENCODING).iter();
    let Some(line) = lines.next() else { return Ok(Coding::Identity) };
    let coding = line.as_bytes().trim_ascii();
    let is = |name: &str| coding.eq_ignore_ascii_case(name.as_bytes());
    match lines.next() {
        None if is("identity") => Ok(Coding::Identity),
        None if is("gzip") || is("x-gzip") => Ok(Coding::Gzip),
        None if is("zstd") => Ok(Coding::Zstd),
        _ => Err(Problem::new(
            Kind::UnsupportedCoding,
            "the codings that a body may have are gzip and zstd, one of them, once",
        )
        .header(ACCEPT_ENCODING, HeaderValue::from_static("gzip, zstd"))),
    }
}

/// Unpacks a body.
pub(crate) struct Decoder {
    packed: Packed,
    unpacked: Vec<u8>,
    /// Its end has been seen, with the checksum before it.
    is_complete: bool,
    limits: CompressedLimits,
    /// What all of it may come to.
    whole_bytes_max: u64,
    received: u64,
}

enum Packed {
    Gzip(Decompress),
    Zstd(ZstdDecoder<'static>),
}

impl Decoder {
    /// None for a body that comes as it is.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub(crate) fn new(coding: Coding, limits: CompressedLimits, whole_bytes_max: u64) -> Result<Option<Self>, Problem> {
        let packed = match coding {
            Coding::Identity => return Ok(None),
            Coding::Gzip => Packed::Gzip(Decompress::new_gzip(GZIP_WINDOW_LOG)),
            Coding::Zstd => {
                let mut decoder = ZstdDecoder::new().map_err(wrong)?;
                decoder.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG_MAX)).map_err(wrong)?;
                Packed::Zstd(decoder)
            }
        };
        Ok(Some(Self { packed, unpacked: Vec::new(), is_complete: false, limits, whole_bytes_max, received: 0 }))
    }

    /// Takes in the next piece. `grow` is told of every byte that it comes to, and may refuse it.
    ///
    /// # Errors
    /// 413 as soon as it is too much, 400 when it cannot be unpacked.
    pub(crate) async fn push(
        &mut self,
        mut piece: &[u8],
        mut grow: impl FnMut(u64) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        self.received += piece.len() as u64;
        if self.received > self.limits.bytes_max {
            return Err(self.limits.too_long());
        }
        for steps in 1_usize.. {
            if self.is_complete {
                break;
            }
            let (taken, grown) = self.step(piece)?;
            piece = &piece[taken..];
            grow(grown as u64)?;
            self.check()?;
            // A step that was not filled has unpacked all that there was.
            if piece.is_empty() && grown < STEP_BYTES {
                break;
            }
            if taken == 0 && grown == 0 && !self.is_complete {
                return Err(wrong("it does not go on"));
            }
            if steps.is_multiple_of(STEPS_AT_ONCE) {
                tokio::task::yield_now().await;
            }
        }
        if piece.is_empty() { Ok(()) } else { Err(wrong("something follows its end")) }
    }

    /// Unpacks a little of this, and says how much of it that took and what it came to.
    fn step(&mut self, piece: &[u8]) -> Result<(usize, usize), Problem> {
        let mut step = [0; STEP_BYTES];
        let (taken, grown) = match &mut self.packed {
            Packed::Gzip(decoder) => {
                let (before_in, before_out) = (decoder.total_in(), decoder.total_out());
                let status = decoder.decompress(piece, &mut step, FlushDecompress::None).map_err(wrong)?;
                self.is_complete = status == Status::StreamEnd;
                ((decoder.total_in() - before_in) as usize, (decoder.total_out() - before_out) as usize)
            }
            Packed::Zstd(decoder) => {
                let mut input = InBuffer::around(piece);
                let mut output = OutBuffer::around(&mut step[..]);
                self.is_complete = decoder.run(&mut input, &mut output).map_err(wrong)? == 0;
                (input.pos(), output.pos())
            }
        };
        self.unpacked.extend_from_slice(&step[..grown]);
        Ok((taken, grown))
    }

    fn check(&self) -> Result<(), Problem> {
        let (unpacked, ratio_max) = (self.unpacked.len() as u64, self.limits.ratio_max);
        if unpacked > self.whole_bytes_max {
            let bytes_max = self.whole_bytes_max;
            let detail = format!("unpacked, the request body is over {bytes_max} bytes");
            return Err(Problem::new(Kind::BodyTooLarge, detail).member("limit", bytes_max));
        }
        if unpacked > ALWAYS_BYTES.max(self.received.saturating_mul(ratio_max)) {
            let detail = format!("unpacked, the request body is over {ratio_max} times as long as it came");
            return Err(Problem::new(Kind::ExpandsTooFar, detail).member("limit", ratio_max));
        }
        Ok(())
    }

    /// All of it, at its end.
    ///
    /// # Errors
    /// 400 when that is not its end.
    pub(crate) fn finish(self) -> Result<Bytes, Problem> {
        if self.is_complete { Ok(self.unpacked.into()) } else { Err(wrong("it ends too soon")) }
    }
}

impl CompressedLimits {
    pub(crate) fn too_long(&self) -> Problem {
        let bytes_max = self.bytes_max;
        Problem::new(Kind::BodyTooLarge, format!("the compressed request body is over {bytes_max} bytes"))
            .member("limit", bytes_max)
    }
}

fn wrong(why: impl std::fmt::Display) -> Problem {
    // What a library says of it helps whoever made it no more than that it is wrong.
    tracing::debug!(%why, "a body could not be unpacked");
    Problem::new(
        Kind::InvalidBody,
        "the body is not what its Content-Encoding says: it is cut short, damaged, or followed by something else",
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: CompressedLimits = CompressedLimits { bytes_max: 1 << 20, ratio_max: 100 };

    /// What it comes to when it arrives in pieces of this size; or the kind of the refusal.
    fn unpacked(coding: Coding, body: &[u8], piece_bytes: usize) -> Result<Vec<u8>, Kind> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let unpack = async {
            let mut decoder = Decoder::new(coding, LIMITS, 1 << 20)?.expect("it is packed");
            let mut counted = 0;
            for piece in body.chunks(piece_bytes) {
                decoder
                    .push(piece, |bytes| {
                        counted += bytes;
                        Ok(())
                    })
                    .await?;
            }
            let whole = decoder.finish()?;
            assert_eq!(counted, whole.len() as u64, "every byte was counted");
            Ok(whole.to_vec())
        };
        runtime.block_on(unpack).map_err(|problem: Problem| problem.kind)
    }

    fn packed(coding: Coding, body: &[u8]) -> Vec<u8> {
        coding.encode(&Bytes::copy_from_slice(body)).to_vec()
    }

    proptest! {
        #[test]
        fn what_was_packed_comes_back_in_whatever_pieces_it_arrives(
            body in prop::collection::vec(any::<u8>(), 0..2_000), times in 1_usize..40, piece_bytes in 1_usize..5_000,
        ) {
            let body = body.repeat(times);
            for coding in [Coding::Gzip, Coding::Zstd] {
                prop_assert_eq!(unpacked(coding, &packed(coding, &body), piece_bytes), Ok(body.clone()));
            }
        }

        #[test]
        fn what_is_cut_short_or_goes_on_is_refused(cut in 0_usize..200, more in prop::collection::vec(any::<u8>(), 1..50)) {
            let body: Vec<u8> = (0..200_u8).collect();
            for coding in [Coding::Gzip, Coding::Zstd] {
                let whole = packed(coding, &body);
                let cut = &whole[..cut.min(whole.len() - 1)];
                prop_assert_eq!(unpacked(coding, cut, 7), Err(Kind::InvalidBody));
                prop_assert_eq!(unpacked(coding, &[whole, more.clone()].concat(), 7), Err(Kind::InvalidBody));
            }
        }

        #[test]
        fn noise_is_refused_and_nothing_panics(noise in prop::collection::vec(any::<u8>(), 0..300)) {
            for coding in [Coding::Gzip, Coding::Zstd] {
                let _ = unpacked(coding, &noise, 64);
                let mut damaged = packed(coding, &[b'x'; 500]);
                for (byte, noise) in damaged.iter_mut().skip(4).zip(&noise) {
                    *byte ^= noise;
                }
                let _ = unpacked(coding, &damaged, 64);
            }
        }
    }

    #[test]
    fn bombs_are_refused_before_they_are_unpacked() {
        for coding in [Coding::Gzip, Coding::Zstd] {
            for piece_bytes in [100, 1 << 20] {
                let zeros = packed(coding, &vec![0; 30 << 20]);
                let refused = unpacked(coding, &zeros, piece_bytes);
                assert!(matches!(refused, Err(Kind::ExpandsTooFar | Kind::BodyTooLarge)), "{refused:?}");
                let small = packed(coding, &vec![0; 60_000]);
                assert_eq!(unpacked(coding, &small, piece_bytes).map(|body| body.len()), Ok(60_000));
            }
        }
    }

    #[test]
    fn one_coding_that_is_known_and_no_other() {
        let asked = |lines: &[&'static str]| {
            let headers = lines.iter().map(|line| (CONTENT_ENCODING, HeaderValue::from_static(line))).collect();
            coding(&headers).map_err(|problem| (problem.kind, problem.headers.get(ACCEPT_ENCODING).cloned()))
        };
        assert_eq!(asked(&[]), Ok(Coding::Identity));
        assert_eq!(asked(&["identity"]), Ok(Coding::Identity));
        assert_eq!(asked(&[" GZip "]), Ok(Coding::Gzip));
        assert_eq!(asked(&["x-gzip"]), Ok(Coding::Gzip));
        assert_eq!(asked(&["zstd"]), Ok(Coding::Zstd));
        let offered = Some(HeaderValue::from_static("gzip, zstd"));
        for lines in [&["br"][..], &["gzip, gzip"], &["gzip", "zstd"], &["deflate"], &[""], &["gzip,"], &["aes128gcm"]]
        {
            assert_eq!(asked(lines), Err((Kind::UnsupportedCoding, offered.clone())), "{lines:?}");
        }
    }
}
