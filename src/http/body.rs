//! Reading a request's body: bounded in size, in time and in slowness.

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

/// Reads the whole body. A body that comes in one piece is not copied.
///
/// # Errors
/// 413 as soon as it is known to be too large, 408 when it takes too long, 400 when it breaks off.
pub(crate) async fn read(mut body: Incoming, limits: &BodyLimits) -> Result<Bytes, Problem> {
    let too_large = || {
        let bytes_max = limits.bytes_max;
        Problem::new(Kind::BodyTooLarge, format!("the request body is over {bytes_max} bytes"))
            .member("limit", bytes_max)
    };
    if body.size_hint().lower() > limits.bytes_max {
        return Err(too_large());
    }
    let started = Instant::now();
    let mut first: Option<Bytes> = None;
    let mut rest = BytesMut::new();
    let mut received = 0_u64;
    loop {
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
        received += data.len() as u64;
        if received > limits.bytes_max {
            return Err(too_large());
        }
        match &first {
            None => first = Some(data),
            Some(_) => rest.extend_from_slice(&data),
        }
    }
    match first {
        Some(first) if rest.is_empty() => Ok(first),
        Some(first) => {
            let mut whole = BytesMut::with_capacity(first.len() + rest.len());
            whole.extend_from_slice(&first);
            whole.extend_from_slice(&rest);
            Ok(whole.freeze())
        }
        None => Ok(Bytes::new()),
    }
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
