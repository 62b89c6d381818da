//! Counters and gauges. No order between them is promised: whoever reads two sees each as it was at about that moment.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts up, from 0 at the start of the process.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

/// How much there is of something.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

/// A counter for each of a fixed set of names: what may stand in a label.
#[derive(Debug)]
pub struct Counters {
    names: Vec<&'static str>,
    counters: Vec<Counter>,
}

impl Counter {
    /// One more.
    pub fn add_one(&self) {
        self.add(1);
    }

    /// So many more.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// How many there were.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Gauge {
    /// It is this much now.
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// One more.
    pub fn rise(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// One less. There was one: whoever calls this has called [`Self::rise`].
    pub fn fall(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    /// How much there is.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counters {
    /// One for each of these names.
    #[must_use]
    pub fn new(names: Vec<&'static str>) -> Self {
        let counters = names.iter().map(|_| Counter::default()).collect();
        Self { names, counters }
    }

    /// The counter of the name at this place.
    #[must_use]
    pub fn at(&self, place: usize) -> &Counter {
        &self.counters[place]
    }

    /// Each name, and what was counted under it.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.names.iter().copied().zip(self.counters.iter().map(Counter::get))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_threads_count_together_and_nothing_is_lost() {
        let (counter, gauge) = (Counter::default(), Gauge::default());
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..10_000 {
                        counter.add(3);
                        gauge.rise();
                    }
                    for _ in 0..9_999 {
                        gauge.fall();
                    }
                });
            }
        });
        assert_eq!((counter.get(), gauge.get()), (120_000, 4));
    }

    #[test]
    fn each_name_has_a_counter_of_its_own() {
        let counters = Counters::new(vec!["a", "b"]);
        counters.at(1).add_one();
        assert_eq!(counters.iter().collect::<Vec<_>>(), [("a", 0), ("b", 1)]);
    }
}
