//! How it went: a quarter of an hour by the second, a day by the minute. And what follows from that about tomorrow.

use std::time::Duration;

use super::{Levels, Machine, Ring, Sample, Totals};

/// So many seconds are kept: 15 minutes.
pub const SECONDS_KEPT: usize = 900;

/// So many minutes are kept: a day.
pub const MINUTES_KEPT: usize = 1_440;

const MINUTE: Duration = Duration::from_secs(60);

/// How fast a disk fills up is told from no less than this: at first there are caches to fill and files to begin.
const GROWTH_TIME_MIN: Duration = Duration::from_secs(600);

/// The samples of a server, since it was started.
#[derive(Debug)]
pub struct History {
    seconds: Ring<Sample>,
    minutes: Ring<Sample>,
    /// At the newest sample.
    second_began: Totals,
    /// At the newest sample of a minute, and how long ago that is.
    minute_began: Totals,
    minute: Duration,
}

impl Default for History {
    fn default() -> Self {
        Self {
            seconds: Ring::new(SECONDS_KEPT),
            minutes: Ring::new(MINUTES_KEPT),
            second_began: Totals::default(),
            minute_began: Totals::default(),
            minute: Duration::ZERO,
        }
    }
}

impl History {
    /// A second is over, or however long it has been since the last tick: `elapsed`, by a clock that only goes forward.
    /// `at_micros` is what the clock on the wall says.
    pub fn tick(&mut self, at_micros: i64, elapsed: Duration, totals: Totals, levels: Levels, machine: Machine) {
        let sample = totals.since(&self.second_began, at_micros, elapsed);
        self.seconds.push(Sample { levels, machine, ..sample });
        self.minute += elapsed;
        if self.minute >= MINUTE {
            let sample = totals.since(&self.minute_began, at_micros, self.minute);
            self.minutes.push(Sample { levels, machine, ..sample });
            self.minute_began = totals.clone();
            self.minute = Duration::ZERO;
        }
        self.second_began = totals;
    }

    /// The last quarter of an hour, by the second.
    #[must_use]
    pub const fn seconds(&self) -> &Ring<Sample> {
        &self.seconds
    }

    /// The last day, by the minute.
    #[must_use]
    pub const fn minutes(&self) -> &Ring<Sample> {
        &self.minutes
    }

    /// How much more the data directory takes in a day, in bytes, if it goes on as it did for up to a day. None while it
    /// is not known, or has not grown.
    #[must_use]
    pub fn growth_per_day(&self) -> Option<f64> {
        let used = |sample: &Sample| sample.machine.disk_used_bytes;
        let known = || self.minutes.iter().filter(|sample| used(sample).is_some());
        let (first, last) = (known().next().and_then(used)?, known().next_back().and_then(used)?);
        let time: Duration = known().skip(1).map(|sample| sample.span).sum();
        if time < GROWTH_TIME_MIN {
            return None;
        }
        let growth = last.checked_sub(first).filter(|growth| *growth > 0)?;
        Some(growth as f64 / time.as_secs_f64() * 86_400.0)
    }

    /// In how many days so much is used up that appends are refused, if it goes on like this.
    #[must_use]
    pub fn days_left(&self) -> Option<f64> {
        let Machine { disk_free_bytes, disk_floor_bytes, .. } = self.seconds.newest()?.machine;
        let left = disk_free_bytes?.saturating_sub(disk_floor_bytes.unwrap_or_default());
        Some(left as f64 / self.growth_per_day()?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{HttpMeters, Resource, StoreMeters};
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn tick(history: &mut History, second: i64, store: &StoreMeters, http: &HttpMeters, used: Option<u64>) {
        let machine = Machine {
            disk_used_bytes: used,
            disk_free_bytes: used.map(|used| 100_000_000 - used),
            disk_floor_bytes: Some(10_000_000),
            ..Machine::default()
        };
        let levels = Levels { waits: second as u64, ..Levels::default() };
        history.tick(second * 1_000_000, SECOND, Totals::of(store, http), levels, machine);
    }

    #[test]
    fn each_second_has_what_came_in_it_and_each_minute_the_sum() {
        let (mut history, store, http) = (History::default(), StoreMeters::default(), HttpMeters::new(Vec::new()));
        for second in 1..=130 {
            store.events.add(second as u64);
            store.append_micros.take(if second == 60 { 5_000 } else { 70 });
            http.answered(Resource::Page, 304, 10);
            tick(&mut history, second, &store, &http, None);
        }
        let seconds: Vec<_> = history.seconds().iter().map(|sample| sample.events).collect();
        assert_eq!(seconds, (1..=130).collect::<Vec<_>>());
        let newest = history.seconds().newest().expect("there is one");
        assert_eq!((newest.at_micros, newest.requests, newest.not_modified), (130_000_000, 1, 1));
        assert_eq!((newest.levels.waits, newest.per_second(newest.events)), (130, 130.0));
        let minutes: Vec<_> = history.minutes().iter().map(|sample| (sample.events, sample.levels.waits)).collect();
        assert_eq!(minutes, [((1..=60).sum(), 60), ((61..=120).sum(), 120)]);
        let slowest = |minute: &Sample| minute.append_p99.expect("there were appends") > 1_000.0;
        assert_eq!(history.minutes().iter().map(slowest).collect::<Vec<_>>(), [true, false]);
    }

    #[test]
    fn no_more_is_kept_than_there_is_room_for() {
        let (mut history, store, http) = (History::default(), StoreMeters::default(), HttpMeters::new(Vec::new()));
        for minute in 0..1_500 {
            let totals = Totals::of(&store, &http);
            history.tick(minute, MINUTE, totals, Levels::default(), Machine::default());
        }
        assert_eq!((history.seconds().iter().len(), history.minutes().iter().len()), (SECONDS_KEPT, MINUTES_KEPT));
        assert_eq!(history.days_left(), None, "nobody says how much is free");
    }

    #[test]
    fn a_disk_that_fills_up_has_days_left_once_there_is_enough_to_tell_from() {
        let (mut history, store, http) = (History::default(), StoreMeters::default(), HttpMeters::new(Vec::new()));
        let used = |second: i64| Some(1_000_000 + second as u64 * 100);
        for second in 0..600 {
            tick(&mut history, second, &store, &http, used(second));
        }
        assert_eq!((history.growth_per_day(), history.days_left()), (None, None), "ten minutes have not passed");
        for second in 600..1_200 {
            tick(&mut history, second, &store, &http, used(second));
        }
        assert_eq!(history.growth_per_day(), Some(8_640_000.0));
        let left = 90_000_000.0 - used(1_199).expect("known") as f64;
        assert_eq!(history.days_left(), Some(left / 8_640_000.0));
        let mut still = History::default();
        (0..1_200).for_each(|second| tick(&mut still, second, &store, &http, Some(5)));
        assert_eq!(still.days_left(), None, "what does not grow lasts for ever");
    }
}
