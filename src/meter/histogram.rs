//! How large the values were of which there are many: counted in fixed buckets, without a lock.

use super::Counter;

/// Counts values by size. A value costs a search among a dozen bounds and two additions.
#[derive(Debug)]
pub struct Histogram {
    /// The largest value of each bucket but the last, rising.
    bounds: &'static [u64],
    /// One more than bounds: the last bucket takes what is larger than all of them.
    counts: Box<[Counter]>,
    sum: Counter,
}

/// What a histogram held at one moment, or took in between two.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Distribution {
    bounds: &'static [u64],
    counts: Vec<u64>,
    sum: u64,
}

impl Histogram {
    /// Times in microseconds, from 50 µs to 10 s.
    pub const MICROS: &'static [u64] = &[
        50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000,
        2_000_000, 5_000_000, 10_000_000,
    ];

    /// How many of something came together.
    pub const COUNTS: &'static [u64] = &[1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000];

    /// Sizes in bytes, from 256 bytes to 16 MiB.
    pub const BYTES: &'static [u64] = &[1 << 8, 1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18, 1 << 20, 1 << 22, 1 << 24];

    /// An empty one with these bounds, which rise.
    #[must_use]
    pub fn new(bounds: &'static [u64]) -> Self {
        let counts = (0..=bounds.len()).map(|_| Counter::default()).collect();
        Self { bounds, counts, sum: Counter::default() }
    }

    /// Takes in a value.
    pub fn take(&self, value: u64) {
        self.take_many(value, 1);
    }

    /// Takes in the same value so many times.
    pub fn take_many(&self, value: u64, times: u64) {
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        self.counts[bucket].add(times);
        self.sum.add(value.saturating_mul(times));
    }

    /// What it holds.
    #[must_use]
    pub fn get(&self) -> Distribution {
        let counts = self.counts.iter().map(Counter::get).collect();
        Distribution { bounds: self.bounds, counts, sum: self.sum.get() }
    }
}

impl Distribution {
    /// How many values there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// What they come to together.
    #[must_use]
    pub const fn sum(&self) -> u64 {
        self.sum
    }

    /// Their mean; none of no values.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        let count = self.count();
        (count > 0).then(|| self.sum as f64 / count as f64)
    }

    /// How many values are at most this large, for each bound; the last one is all of them, and has none.
    pub fn cumulative(&self) -> impl Iterator<Item = (Option<u64>, u64)> {
        let bounds = self.bounds.iter().copied().map(Some).chain([None]);
        let mut so_far = 0;
        bounds.zip(&self.counts).map(move |(bound, count)| {
            so_far += count;
            (bound, so_far)
        })
    }

    /// What came in since `earlier`, which is of the same histogram, or of none.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let before = |bucket: usize| earlier.counts.get(bucket).copied().unwrap_or_default();
        let counts = self.counts.iter().enumerate().map(|(bucket, count)| count.saturating_sub(before(bucket)));
        Self { bounds: self.bounds, counts: counts.collect(), sum: self.sum.saturating_sub(earlier.sum) }
    }

    /// About the value that this part of all values does not exceed; none of no values. Inside of a bucket values are
    /// taken to lie evenly, so this is as exact as the bounds are close. What lies above all bounds counts as the last.
    #[must_use]
    pub fn quantile(&self, part: f64) -> Option<f64> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        let rank = (part * count as f64).max(1.0);
        let mut below = 0;
        for (bucket, here) in self.counts.iter().enumerate() {
            if rank <= (below + here) as f64 {
                let lower = if bucket == 0 { 0 } else { self.bounds[bucket - 1] };
                let upper = self.bounds.get(bucket).copied().unwrap_or(lower);
                let inside = (rank - below as f64) / *here as f64;
                return Some(lower as f64 + inside * (upper - lower) as f64);
            }
            below += here;
        }
        self.bounds.last().map(|bound| *bound as f64)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_value_counts_in_the_bucket_whose_bound_it_does_not_exceed() {
        let histogram = Histogram::new(&[10, 20]);
        for value in [0, 10, 11, 20, 21, 1_000] {
            histogram.take(value);
        }
        histogram.take_many(15, 2);
        let held = histogram.get();
        assert_eq!(held.cumulative().collect::<Vec<_>>(), [(Some(10), 2), (Some(20), 6), (None, 8)]);
        assert_eq!((held.count(), held.sum()), (8, 1_092));
    }

    #[test]
    fn what_came_in_between_two_looks_is_told_alone() {
        let histogram = Histogram::new(&[10, 20]);
        histogram.take(5);
        let earlier = histogram.get();
        histogram.take(15);
        let since = histogram.get().since(&earlier);
        assert_eq!((since.count(), since.sum(), since.mean()), (1, 15, Some(15.0)));
        assert_eq!(earlier.since(&Distribution::default()), earlier);
        assert_eq!(earlier.since(&earlier).mean(), None);
    }

    #[test]
    fn of_no_values_there_is_no_quantile_and_of_huge_ones_it_is_the_last_bound() {
        let histogram = Histogram::new(Histogram::COUNTS);
        assert_eq!(histogram.get().quantile(0.5), None);
        histogram.take(1_000_000);
        assert_eq!(histogram.get().quantile(0.99), Some(10_000.0));
    }

    proptest! {
        #[test]
        fn a_quantile_lies_in_the_bucket_of_the_value_that_it_stands_for(
            mut values in prop::collection::vec(0..10_000_000_u64, 1..200),
            percent in 0..=100_usize,
        ) {
            let histogram = Histogram::new(Histogram::MICROS);
            values.iter().for_each(|value| histogram.take(*value));
            values.sort_unstable();
            let part = percent as f64 / 100.0;
            let rank = (part * values.len() as f64).max(1.0).ceil() as usize;
            let exact = values[rank - 1];
            let about = histogram.get().quantile(part).expect("there are values");
            let bucket = Histogram::MICROS.partition_point(|bound| *bound < exact);
            let lower = bucket.checked_sub(1).map_or(0, |below| Histogram::MICROS[below]);
            prop_assert!(lower as f64 <= about && about <= Histogram::MICROS[bucket] as f64, "{exact} {about}");
        }
    }
}
