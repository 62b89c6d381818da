//! A clock that is behind the log: no harm is done, since an event is never dated before the one before it,
//! but all events get one time until the clock has caught up, and somebody should know.

use std::time::{Duration, Instant};

use crate::event::Timestamp;

/// How far behind it may be without a word.
const BEHIND_MAX: Duration = Duration::from_secs(60);

/// How often to say so.
const REPEAT_AFTER: Duration = Duration::from_secs(60);

/// Warns, now and then.
#[derive(Debug, Default)]
pub(crate) struct ClockGuard {
    warned: Option<Instant>,
}

impl ClockGuard {
    /// Compares what a proposal's clock said with the time of the newest event.
    pub(crate) fn look(&mut self, now: Timestamp, newest: Timestamp) {
        let is_due = self.warned.is_none_or(|warned| warned.elapsed() > REPEAT_AFTER);
        if is_behind(now, newest) && is_due {
            tracing::warn!(clock = %now, newest_event = %newest, "the clock is behind the log");
            self.warned = Some(Instant::now());
        }
    }
}

fn is_behind(now: Timestamp, newest: Timestamp) -> bool {
    newest.micros() - now.micros() > BEHIND_MAX.as_micros() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_behind_the_log_is_too_much() {
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        assert!(!is_behind(at(1_000), at(1_060)));
        assert!(is_behind(at(1_000), at(1_061)));
        assert!(!is_behind(at(2_000), at(1_000)));
    }
}
