//! How far a follower is behind, without anybody's clock: by the newest event of the feed, looked at now and then.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::event::Timestamp;

/// How far behind.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Lag {
    /// How many events are still to come, where events have places and the newest one's is known.
    pub events: Option<u64>,
    /// How much older the last event that was taken is than the newest there is, counting on since that was seen.
    pub seconds: f64,
}

/// What a follower and its tasks know of how far it is.
#[derive(Debug, Default)]
pub(super) struct Progress {
    places: Mutex<Places>,
    /// How many events have been handed over to be taken.
    handed_over: AtomicU64,
    /// There was nothing after them when the feed was last looked at.
    is_at_the_end: AtomicBool,
}

#[derive(Debug, Default)]
struct Places {
    /// The event that was handed over last, or the one to begin after.
    last: Option<(Option<u64>, Timestamp)>,
    newest: Option<Newest>,
}

#[derive(Debug, Clone, Copy)]
struct Newest {
    place: Option<u64>,
    time: Timestamp,
    seen_at: Instant,
}

impl Progress {
    /// Following begins after an event of this place and time.
    pub(super) fn after(place: Option<u64>, time: Timestamp) -> Self {
        Self { places: Mutex::new(Places { last: Some((place, time)), newest: None }), ..Self::default() }
    }

    /// So many events are handed over, the last of this place and time.
    pub(super) fn hand_over(
        &self,
        events: usize,
        place: Option<u64>,
        time: Timestamp,
        is_at_the_end: bool,
        now: Instant,
    ) {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).last = Some((place, time));
        self.seen(place, time, now);
        self.handed_over.fetch_add(events as u64, Ordering::AcqRel);
        self.is_at_the_end.store(is_at_the_end, Ordering::Release);
    }

    pub(super) fn at_the_end(&self) {
        self.is_at_the_end.store(true, Ordering::Release);
    }

    pub(super) fn is_at_the_end(&self) -> bool {
        self.is_at_the_end.load(Ordering::Acquire)
    }

    pub(super) fn handed_over(&self) -> u64 {
        self.handed_over.load(Ordering::Acquire)
    }

    /// The feed has this event.
    pub(super) fn seen(&self, place: Option<u64>, time: Timestamp, now: Instant) {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        // A cache may show an older state of the feed.
        if places.newest.is_none_or(|newest| newest.time <= time) {
            places.newest = Some(Newest { place, time, seen_at: now });
        }
    }

    /// How far behind is whoever has taken so many events, the last of this time.
    pub(super) fn lag(&self, taken: u64, time: Option<Timestamp>, now: Instant) -> Lag {
        let untaken = self.handed_over().saturating_sub(taken);
        if self.is_at_the_end() && untaken == 0 {
            return Lag { events: Some(0), seconds: 0.0 };
        }
        let places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(newest) = places.newest else { return Lag::default() };
        let (last, last_time) = places.last.unzip();
        let ahead = newest.place.zip(last.flatten()).map(|(newest, last)| newest.saturating_sub(last));
        let micros = time.or(last_time).map_or(0, |time| newest.time.micros() - time.micros());
        let seconds =
            Duration::from_micros(micros.try_into().unwrap_or(0)) + now.saturating_duration_since(newest.seen_at);
        Lag { events: ahead.map(|ahead| ahead + untaken), seconds: seconds.as_secs_f64() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn a_lag_counts_what_is_not_taken_and_what_is_not_even_fetched() {
        let now = Instant::now();
        let progress = Progress::after(Some(9), time(100));
        assert_eq!(progress.lag(0, None, now), Lag::default());
        progress.seen(Some(999), time(300), now);
        assert_eq!(progress.lag(0, None, now), Lag { events: Some(990), seconds: 200.0 });
        progress.hand_over(10, Some(19), time(150), false, now);
        assert_eq!(progress.lag(4, Some(time(120)), now), Lag { events: Some(986), seconds: 180.0 });
        let later = now + Duration::from_secs(7);
        assert_eq!(progress.lag(10, Some(time(150)), later), Lag { events: Some(980), seconds: 157.0 });
        // What a cache shows may be older than what is known.
        progress.seen(Some(500), time(200), later);
        assert_eq!(progress.lag(10, Some(time(150)), later), Lag { events: Some(980), seconds: 157.0 });
        progress.hand_over(980, Some(999), time(300), true, later);
        assert_eq!(progress.lag(990, Some(time(300)), later), Lag { events: Some(0), seconds: 0.0 });
    }
}
