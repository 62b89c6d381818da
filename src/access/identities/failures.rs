//! Log lines about log-ins that failed: enough to see that somebody tries, and no more of them than anybody reads.

use std::net::IpAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The most lines in a while.
const LINES_MAX: u64 = 30;
const WHILE: Duration = Duration::from_secs(60);

/// Says what failed.
#[derive(Debug, Default)]
pub(super) struct Failures {
    current: Mutex<Option<While>>,
}

#[derive(Debug)]
struct While {
    began: Instant,
    lines: u64,
    left_out: u64,
}

impl Failures {
    /// Somebody at this address could not log in; as whom is said only of users that there are.
    pub(super) fn note(&self, peer: IpAddr, user: Option<&str>, why: &'static str, now: Instant) {
        let (is_told, left_out) = self.count(now);
        if 0 < left_out {
            tracing::warn!(left_out, "more log-ins failed than are told of");
        }
        if is_told {
            tracing::warn!(%peer, user, why, "a log-in failed");
        }
    }

    /// Whether to tell of one more, and how many were left out in a while that has ended.
    fn count(&self, now: Instant) -> (bool, u64) {
        let mut current = self.current.lock().expect("nobody panics while counting");
        let ended = current.take_if(|current| WHILE <= now.saturating_duration_since(current.began));
        let current = current.get_or_insert(While { began: now, lines: 0, left_out: 0 });
        let is_told = current.lines < LINES_MAX;
        *(if is_told { &mut current.lines } else { &mut current.left_out }) += 1;
        (is_told, ended.map_or(0, |ended| ended.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_told_than_is_read_and_how_much_is_left_out_is_told_later() {
        let (failures, now) = (Failures::default(), Instant::now());
        let counted: Vec<_> = (0..100).map(|_| failures.count(now)).collect();
        assert_eq!(counted.iter().filter(|(is_told, _)| *is_told).count(), 30);
        assert!(counted.iter().all(|(_, left_out)| *left_out == 0));
        assert_eq!(failures.count(now + WHILE), (true, 70));
        assert_eq!(failures.count(now + WHILE), (true, 0));
    }
}
