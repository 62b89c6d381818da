//! Reading a request's body: bounded in size, in time and in slowness.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::header::HeaderMap;
use tokio::time::{Instant, timeout_at};

use super::decompress::{self, CompressedLimits, Decoder};
use super::problem::{Kind, Problem};

/// How slow a body may begin before its rate counts.
const RATE_GRACE: Duration = Duration::from_secs(10);

/// What a body may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BodyLimits {
    pub(crate) bytes_max: u64,
    pub(crate) compressed: CompressedLimits,
    pub(crate) time_max: Duration,
    pub(crate) bytes_per_second_min: u64,
}

/// A body that comes in pieces gets this much room at once, if it is as large as that; its length is only
/// announced.
const ROOM_BYTES_MAX: u64 = 1 << 20;

/// Counts the bytes of all bodies that are being read: however many are sent at once, and however slowly, they
/// cannot fill the memory.
#[derive(Debug)]
pub(crate) struct Bodies {
    bytes_max: u64,
    bytes: AtomicU64,
}

impl Bodies {
    pub(crate) const fn new(bytes_max: u64) -> Self {
        Self { bytes_max, bytes: AtomicU64::new(0) }
    }
}

/// The part of one body.
struct Part<'a> {
    bodies: &'a Bodies,
    bytes: u64,
}

impl Part<'_> {
    fn grow(&mut self, bytes: u64) -> Result<(), Problem> {
        self.bytes += bytes;
        let all = self.bodies.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if all > self.bodies.bytes_max { Err(Problem::too_many_bodies()) } else { Ok(()) }
    }
}

impl Drop for Part<'_> {
    fn drop(&mut self) {
        self.bodies.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Reads the whole body, and unpacks it if it comes compressed. A body that comes in one piece is not copied.
///
/// # Errors
/// 413 as soon as it is known to be too large, 408 when it takes too long, 400 when it breaks off or cannot be
/// unpacked, 415 when it comes in a coding that is not known here, 503 when too much is being sent at once.
pub(crate) async fn read(
    body: Incoming,
    headers: &HeaderMap,
    limits: &BodyLimits,
    bodies: &Bodies,
) -> Result<Bytes, Problem> {
    let decoder = Decoder::new(decompress::coding(headers)?, limits.compressed, limits.bytes_max)?;
    let arriving = Arriving { body, limits, started: Instant::now(), received: 0 };
    let part = Part { bodies, bytes: 0 };
    match decoder {
        Some(decoder) => unpack(arriving, part, decoder).await,
        None => as_it_is(arriving, part).await,
    }
}

async fn as_it_is(mut arriving: Arriving<'_>, mut part: Part<'_>) -> Result<Bytes, Problem> {
    let limits = arriving.limits;
    let announced = arriving.body.size_hint().lower();
    if announced > limits.bytes_max {
        return Err(limits.too_large());
    }
    let mut first = Bytes::new();
    let mut whole = BytesMut::new();
    while let Some(data) = arriving.next().await? {
        part.grow(data.len() as u64)?;
        if part.bytes > limits.bytes_max {
            return Err(limits.too_large());
        }
        if first.is_empty() && whole.is_empty() {
            first = data;
            continue;
        }
        if whole.is_empty() {
            whole.reserve(announced.min(ROOM_BYTES_MAX) as usize);
            whole.extend_from_slice(&first);
        }
        whole.extend_from_slice(&data);
    }
    Ok(if whole.is_empty() { first } else { whole.freeze() })
}

async fn unpack(mut arriving: Arriving<'_>, mut part: Part<'_>, mut decoder: Decoder) -> Result<Bytes, Problem> {
    let limits = arriving.limits;
    if arriving.body.size_hint().lower() > limits.compressed.bytes_max {
        return Err(limits.compressed.too_long());
    }
    while let Some(data) = arriving.next().await? {
        decoder.push(&data, |bytes| part.grow(bytes)).await?;
    }
    decoder.finish()
}

/// A body on its way to us.
struct Arriving<'a> {
    body: Incoming,
    limits: &'a BodyLimits,
    started: Instant,
    received: u64,
}

impl Arriving<'_> {
    /// The next piece, as long as its time is not over.
    async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        loop {
            let received = self.received;
            let frame = timeout_at(self.started + self.limits.time_for(received), self.body.frame()).await;
            let frame = frame.map_err(|_| {
                Problem::new(Kind::SlowBody, format!("its time was over when {received} bytes of it had arrived"))
            })?;
            let Some(frame) = frame else { return Ok(None) };
            let frame = frame.map_err(|_| {
                Problem::new(
                    Kind::IncompleteBody,
                    format!("the body broke off, or its framing is wrong, after {received} bytes"),
                )
            })?;
            if let Ok(data) = frame.into_data() {
                self.received += data.len() as u64;
                return Ok(Some(data));
            }
        }
    }
}

impl BodyLimits {
    fn too_large(&self) -> Problem {
        let bytes_max = self.bytes_max;
        Problem::new(Kind::BodyTooLarge, format!("the request body is over {bytes_max} bytes"))
            .member("limit", bytes_max)
    }

    /// How long after the start this many bytes must have arrived, and more with them.
    fn time_for(&self, received: u64) -> Duration {
        let earned = received.checked_div(self.bytes_per_second_min).unwrap_or(u64::MAX);
        self.time_max.min(RATE_GRACE.saturating_add(Duration::from_secs(earned)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_earned_by_bytes_up_to_a_limit() {
        let compressed = CompressedLimits { bytes_max: 1, ratio_max: 1 };
        let limits =
            BodyLimits { bytes_max: 1, compressed, time_max: Duration::from_secs(60), bytes_per_second_min: 1_024 };
        assert_eq!(limits.time_for(0), Duration::from_secs(10));
        assert_eq!(limits.time_for(20 * 1_024), Duration::from_secs(30));
        assert_eq!(limits.time_for(1 << 40), Duration::from_secs(60));
        let unhurried = BodyLimits { bytes_per_second_min: 0, ..limits };
        assert_eq!(unhurried.time_for(0), Duration::from_secs(60));
    }
}
