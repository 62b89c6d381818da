//! What a server does by itself, now and then: it truncates streams by age, gives space back, and looks at the disk.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};

use crate::config::Config;
use crate::event::Timestamp;
use crate::store::{Aging, AppendError, Store, Thoroughness};

use super::{new_id, now, until};

/// Begins all of it; it ends when the server is told to stop.
pub(super) fn start(store: &Store, config: &Config, draining: &watch::Receiver<bool>) {
    if config.read_only {
        return;
    }
    tokio::spawn(until(draining.clone(), look_at_disk(store.clone())));
    if !config.max_age.interval.is_zero() {
        tokio::spawn(until(draining.clone(), age(store.clone(), config.max_age.interval)));
    }
    if !config.scavenge.interval.is_zero() {
        tokio::spawn(until(draining.clone(), scavenge(store.clone(), config.scavenge.interval)));
    }
}

/// How often to look whether the disk is nearly full, so that the log says so before somebody is refused.
const LOOK_AT_DISK_EVERY: Duration = Duration::from_secs(10);

async fn look_at_disk(store: Store) {
    let mut ticks = tokio::time::interval(LOOK_AT_DISK_EVERY);
    loop {
        ticks.tick().await;
        // Whoever looks makes the store tell the log what has changed.
        let _ = store.unwritable();
    }
}

async fn age(store: Store, interval: Duration) {
    let (mut aging, mut belief) = (Aging::default(), Belief::default());
    let mut ticks = ticks(interval);
    loop {
        ticks.tick().await;
        let now = belief.in_clock(now(), Instant::now());
        // A replica is told by its source what is too old.
        if store.replica_of().is_some() {
            continue;
        }
        match aging.look(&store, now).await {
            Ok(0) => {}
            Ok(streams) => tracing::info!(streams, "truncated by age"),
            Err(error) => tell("truncating by age", &error),
        }
    }
}

/// How far the clock may run ahead of the time that has passed.
const AHEAD_MAX: Duration = Duration::from_secs(60);

/// A clock that has jumped ahead is believed when it has stood there for so long.
const DOUBTED_FOR: Duration = Duration::from_secs(3_600);

/// What is truncated by age does not come back, so a clock that jumps ahead, and maybe back, is not believed at once.
#[derive(Debug, Default)]
struct Belief {
    /// What the clock said when it was believed last.
    at: Option<(Timestamp, Instant)>,
    doubted_since: Option<Instant>,
}

impl Belief {
    /// The time by which events are too old, when the clock says `now`.
    fn in_clock(&mut self, now: Timestamp, instant: Instant) -> Timestamp {
        if let Some((then, at)) = self.at {
            let after = |time: Duration| Timestamp::from_micros(then.micros() + time.as_micros() as i64);
            let passed = instant.duration_since(at);
            if after(passed + AHEAD_MAX) < now {
                let since = *self.doubted_since.get_or_insert_with(|| {
                    tracing::warn!(clock = %now, expected = %after(passed), "the clock has jumped ahead; for an hour \
                        nothing is truncated by it");
                    instant
                });
                if instant.duration_since(since) < DOUBTED_FOR {
                    return after(passed);
                }
            }
        }
        self.doubted_since = None;
        self.at = Some((now, instant));
        now
    }
}

async fn scavenge(store: Store, interval: Duration) {
    let mut ticks = ticks(interval);
    loop {
        ticks.tick().await;
        if store.scavenging().running.is_none()
            && let Err(error) = store.scavenge(new_id().uuid(), now(), Thoroughness::Worthwhile)
        {
            tell("giving space back", &error);
        }
    }
}

/// The first after one interval. What was missed is not made up for.
fn ticks(interval: Duration) -> tokio::time::Interval {
    let mut ticks = tokio::time::interval_at(Instant::now() + interval, interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

fn tell(what: &str, error: &AppendError) {
    // Whoever appends is told so as well, and the next time it may have passed.
    match error.is_for_everybody() {
        true => tracing::debug!(%error, "{what} has to wait"),
        false => tracing::warn!(%error, "{what} failed; it is tried again"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_jumps_ahead_is_believed_when_it_stays_there() {
        let (start, mut belief) = (Instant::now(), Belief::default());
        let mut look = |clock_seconds: i64, passed_seconds: u64| {
            let now = Timestamp::from_micros(clock_seconds * 1_000_000);
            belief.in_clock(now, start + Duration::from_secs(passed_seconds)).micros() / 1_000_000
        };
        const DAY: i64 = 86_400;
        assert_eq!(look(DAY + 1_000, 0), DAY + 1_000);
        assert_eq!(look(DAY + 1_070, 60), DAY + 1_070, "a little ahead is as clocks are");
        assert_eq!(look(2 * DAY + 1_130, 120), DAY + 1_130, "a day ahead is not");
        assert_eq!(look(DAY + 1_190, 180), DAY + 1_190, "and it came back");
        assert_eq!(look(1_250, 240), 1_250, "behind truncates nothing");
        assert_eq!(look(DAY + 1_310, 300), 1_310, "so this is a jump as well");
        assert_eq!(look(DAY + 1_310 + 3_600, 300 + 3_600), DAY + 1_310 + 3_600, "which has stayed");
    }
}
