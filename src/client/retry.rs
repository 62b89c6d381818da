//! Trying again: how long to wait before, how to say so once, and when to give up.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::FollowError;

/// How long the first pause may be; it doubles with every failure.
const PAUSE_FIRST: Duration = Duration::from_millis(200);

/// And how long every further one.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// A server that names a time is believed, up to this.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(600);

/// What went wrong with one request.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It may go well the next time.
    Passing {
        why: String,
        /// When the server wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// It will not.
    Final(FollowError),
}

impl Trouble {
    pub(super) fn passing(why: impl Into<String>) -> Self {
        Self::Passing { why: why.into(), retry_after: None }
    }
}

/// Whether the server can be reached. All requests of a follower share it, so that an outage is one line in the log
/// when it begins and one when it is over.
#[derive(Debug, Default)]
pub(super) struct Health {
    failing_since: Mutex<Option<Instant>>,
}

impl Health {
    fn failed(&self, url: &str, why: &str) {
        let mut since = self.failing_since.lock().unwrap_or_else(PoisonError::into_inner);
        if since.is_none() {
            *since = Some(Instant::now());
            tracing::warn!(url, why, "a request failed; it is tried again until it succeeds");
        }
    }

    pub(super) fn succeeded(&self, url: &str) {
        let since = self.failing_since.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(since) = since {
            tracing::info!(url, seconds = since.elapsed().as_secs_f64(), "requests succeed again");
        }
    }
}

/// The attempts at one request.
#[derive(Debug)]
pub(super) struct Attempts<'a> {
    url: &'a str,
    health: &'a Health,
    gives_up_after: Option<Duration>,
    since: Instant,
    failures: u32,
}

impl<'a> Attempts<'a> {
    pub(super) fn at(url: &'a str, health: &'a Health, gives_up_after: Option<Duration>) -> Self {
        Self { url, health, gives_up_after, since: Instant::now(), failures: 0 }
    }

    /// Waits until it is time for the next.
    ///
    /// # Errors
    /// When there is no use in one, or time is up.
    pub(super) async fn failed(&mut self, trouble: Trouble) -> Result<(), FollowError> {
        let (why, retry_after) = match trouble {
            Trouble::Final(error) => return Err(error),
            Trouble::Passing { why, retry_after } => (why, retry_after),
        };
        let pause = pause(self.failures, retry_after, fastrand::f64());
        self.failures += 1;
        let is_over = self.gives_up_after.is_some_and(|time_max| time_max < self.since.elapsed() + pause);
        if is_over {
            return Err(FollowError::Unreachable { url: self.url.to_string(), why });
        }
        tracing::debug!(url = self.url, why, failures = self.failures, ?pause, "a request failed");
        self.health.failed(self.url, &why);
        tokio::time::sleep(pause).await;
        Ok(())
    }
}

/// Exponential back-off with full jitter: a thousand followers of a server that comes back do not all come at once.
/// `chance` is from 0 to 1.
fn pause(failures: u32, retry_after: Option<Duration>, chance: f64) -> Duration {
    let longest = PAUSE_FIRST.saturating_mul(1 << failures.min(16)).min(PAUSE_MAX);
    match retry_after {
        // Not before the time that was named, and not all at that time either.
        Some(time) => time.min(RETRY_AFTER_MAX) + PAUSE_FIRST.mul_f64(chance),
        None => longest.mul_f64(chance),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_limit_and_are_spread_over_all_of_their_length() {
        assert_eq!(pause(0, None, 1.0), PAUSE_FIRST);
        assert_eq!(pause(3, None, 1.0), PAUSE_FIRST * 8);
        assert_eq!(pause(3, None, 0.25), PAUSE_FIRST * 2);
        assert_eq!(pause(3, None, 0.0), Duration::ZERO);
        for failures in [8, 16, 1000, u32::MAX] {
            assert_eq!(pause(failures, None, 1.0), PAUSE_MAX);
        }
    }

    #[test]
    fn a_server_that_names_a_time_is_believed_within_reason() {
        let named = |seconds, chance| pause(9, Some(Duration::from_secs(seconds)), chance);
        assert_eq!(named(7, 0.0), Duration::from_secs(7));
        assert_eq!(named(7, 1.0), Duration::from_secs(7) + PAUSE_FIRST);
        assert_eq!(named(1_000_000, 0.0), RETRY_AFTER_MAX);
    }
}
