//! How far a follower is behind, without anybody's clock: by the newest event of the feed, looked at now and then.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::event::Timestamp;

/// How often the newest event is looked at while there is something to be caught up with.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How far behind.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Lag {
    /// How many events are still to come, where events have places.
    pub events: Option<u64>,
    /// How much older the last event that was taken is than the newest there is, counting on since that was seen.
    pub seconds: f64,
}

/// The newest event, as far as it is known.
#[derive(Debug, Default)]
pub(super) struct Newest(Mutex<Option<Known>>);

#[derive(Debug, Clone, Copy)]
struct Known {
    place: Option<u64>,
    time: Timestamp,
    at: Instant,
}

impl Newest {
    pub(super) fn seen(&self, place: Option<u64>, time: Timestamp) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A cache may show an older state of the feed.
        if known.is_none_or(|known| known.time <= time) {
            *known = Some(Known { place, time, at: Instant::now() });
        }
    }

    /// How far behind whoever has last taken an event of this place and time.
    pub(super) fn lag(&self, place: Option<u64>, time: Option<Timestamp>) -> Lag {
        let Some(newest) = *self.0.lock().unwrap_or_else(PoisonError::into_inner) else { return Lag::default() };
        // Places begin with 0: before the first event as many are to come as the newest one's place, and it.
        let next = place.map_or(0, |place| place + 1);
        let events = newest.place.map(|newest| (newest + 1).saturating_sub(next));
        let micros = time.map_or(0, |time| newest.time.micros() - time.micros());
        let seconds = Duration::from_micros(micros.try_into().unwrap_or(0)) + newest.at.elapsed();
        Lag { events, seconds: seconds.as_secs_f64() }
    }
}
