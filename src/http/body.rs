//! Reading a request's body: bounded in size, in time and in slowness.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::time::{Instant, timeout_at};

use super::problem::{Kind, Problem};

/// How slow a body may begin before its rate counts.
const RATE_GRACE: Duration = Duration::from_secs(10);

/// What a body may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BodyLimits {
    pub(crate) bytes_max: u64,
    pub(crate) time_max: Duration,
    pub(crate) bytes_per_second_min: u64,
}

/// What all bodies that are being read may take together, in bytes: however many are sent at once, and however
/// slowly, they cannot fill the memory.
const ALL_BYTES_MAX: u64 = 256 << 20;

/// A body that comes in pieces gets this much room at once, if it is as large as that; its length is only
/// announced.
const ROOM_BYTES_MAX: u64 = 1 << 20;

/// Counts the bytes of all bodies that are being read.
#[derive(Debug, Default)]
pub(crate) struct Bodies {
    bytes: AtomicU64,
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
        if all > ALL_BYTES_MAX { Err(Problem::too_many_bodies()) } else { Ok(()) }
    }
}

impl Drop for Part<'_> {
    fn drop(&mut self) {
        self.bodies.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Reads the whole body. A body that comes in one piece is not copied.
///
/// # Errors
/// 413 as soon as it is known to be too large, 408 when it takes too long, 400 when it breaks off, 503 when too
/// much is being sent at once.
pub(crate) async fn read(mut body: Incoming, limits: &BodyLimits, bodies: &Bodies) -> Result<Bytes, Problem> {
    let too_large = || {
        let bytes_max = limits.bytes_max;
        Problem::new(Kind::BodyTooLarge, format!("the request body is over {bytes_max} bytes"))
            .member("limit", bytes_max)
    };
    let announced = body.size_hint().lower();
    if announced > limits.bytes_max {
        return Err(too_large());
    }
    let started = Instant::now();
    let mut part = Part { bodies, bytes: 0 };
    let mut first = Bytes::new();
    let mut whole = BytesMut::new();
    loop {
        let received = part.bytes;
        let frame = timeout_at(started + limits.time_for(received), body.frame()).await;
        let frame = frame.map_err(|_| {
            Problem::new(Kind::SlowBody, format!("its time was over when {received} bytes of it had arrived"))
        })?;
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|_| {
            Problem::new(
                Kind::IncompleteBody,
                format!("the body broke off, or its framing is wrong, after {received} bytes"),
            )
        })?;
        let Ok(data) = frame.into_data() else { continue };
        part.grow(data.len() as u64)?;
        if part.bytes > limits.bytes_max {
            return Err(too_large());
        }
        if received == 0 {
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

impl BodyLimits {
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
        let limits = BodyLimits { bytes_max: 1, time_max: Duration::from_secs(60), bytes_per_second_min: 1_024 };
        assert_eq!(limits.time_for(0), Duration::from_secs(10));
        assert_eq!(limits.time_for(20 * 1_024), Duration::from_secs(30));
        assert_eq!(limits.time_for(1 << 40), Duration::from_secs(60));
        let unhurried = BodyLimits { bytes_per_second_min: 0, ..limits };
        assert_eq!(unhurried.time_for(0), Duration::from_secs(60));
    }
}
