//! What is under way at once, of all clients together: requests, and the bytes of answers that nobody has taken yet.
//!
//! A page that many read is in memory once, and counts once. It counts also while the page cache holds it: what the cache
//! drops stays in memory until the last of its readers has it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::problem::Problem;

/// Smaller answers are as little as the request that they are for, and those are counted.
const COUNTED_BYTES_MIN: usize = 4 << 10;

/// What may be under way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UnderwayLimits {
    pub(crate) requests_max: usize,
    pub(crate) unsent_bytes_max: u64,
}

/// Counts what is under way.
#[derive(Debug)]
pub(crate) struct Underway {
    limits: UnderwayLimits,
    requests: AtomicUsize,
    unsent: Mutex<Unsent>,
}

#[derive(Debug, Default)]
struct Unsent {
    bytes: u64,
    /// How many answers hold the bytes at this address, and how many bytes of these count.
    answers: HashMap<usize, (usize, u64)>,
}

/// A place among the requests. Given back when the answer is with the socket.
#[derive(Debug)]
pub(crate) struct Place(Arc<Underway>);

/// Bytes on their way to a reader.
struct Held {
    bytes: Bytes,
    underway: Arc<Underway>,
}

impl Underway {
    pub(crate) fn new(limits: UnderwayLimits) -> Arc<Self> {
        Arc::new(Self { limits, requests: AtomicUsize::new(0), unsent: Mutex::default() })
    }

    /// Begins a request.
    ///
    /// # Errors
    /// When as many are under way as may be.
    pub(crate) fn begin(self: &Arc<Self>) -> Result<Place, Problem> {
        let place = Place(self.clone());
        if self.requests.fetch_add(1, Ordering::Relaxed) < self.limits.requests_max {
            Ok(place)
        } else {
            Err(Problem::too_busy(self.limits.requests_max))
        }
    }

    /// Counts these bytes until their reader has them.
    ///
    /// # Errors
    /// When more is on its way than may be. One answer alone always goes.
    pub(crate) fn hold(self: &Arc<Self>, bytes: Bytes) -> Result<Bytes, Problem> {
        let length = bytes.len() as u64;
        if bytes.len() < COUNTED_BYTES_MIN {
            return Ok(bytes);
        }
        let address = bytes.as_ptr() as usize;
        let mut unsent = self.unsent();
        if let Some((answers, _)) = unsent.answers.get_mut(&address) {
            *answers += 1;
        } else {
            if unsent.bytes > 0 && unsent.bytes + length > self.limits.unsent_bytes_max {
                return Err(Problem::too_much_unsent());
            }
            unsent.bytes += length;
            unsent.answers.insert(address, (1, length));
        }
        drop(unsent);
        Ok(Bytes::from_owner(Held { bytes, underway: self.clone() }))
    }

    fn unsent(&self) -> MutexGuard<'_, Unsent> {
        self.unsent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let address = self.bytes.as_ptr() as usize;
        let mut unsent = self.underway.unsent();
        let (answers, counted) = unsent.answers.get_mut(&address).expect("it was counted when it was held");
        *answers -= 1;
        if *answers == 0 {
            // Whoever had it last may have had another part of it than whoever had it first.
            let counted = *counted;
            unsent.answers.remove(&address);
            unsent.bytes -= counted;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn underway() -> Arc<Underway> {
        Underway::new(UnderwayLimits { requests_max: 2, unsent_bytes_max: 20_000 })
    }

    #[test]
    fn as_many_requests_as_may_and_then_no_more() {
        let underway = underway();
        let first = underway.begin().expect("one");
        let _second = underway.begin().expect("two");
        assert!(underway.begin().is_err() && underway.begin().is_err());
        drop(first);
        assert!(underway.begin().is_ok(), "those who were refused take no place");
    }

    #[test]
    fn a_part_of_what_is_sent_leaves_the_count_as_it_was() {
        let underway = underway();
        let page = Bytes::from(vec![1; 15_000]);
        let whole = underway.hold(page.clone()).expect("there is room");
        let part = underway.hold(page.slice(..10_000)).expect("it begins at the same place");
        drop(whole);
        drop(part);
        assert_eq!(underway.unsent().bytes, 0);
    }

    #[test]
    fn what_many_read_counts_once_until_the_last_has_it() {
        let underway = underway();
        let page = Bytes::from(vec![1; 15_000]);
        let one = underway.hold(page.clone()).expect("there is room");
        let two = underway.hold(page.clone()).expect("it is the same");
        assert_eq!(one, page);
        let other = Bytes::from(vec![2; 15_000]);
        assert!(underway.hold(other.clone()).is_err());
        assert!(underway.hold(Bytes::from(vec![3; 4_000])).is_ok(), "what is small always goes");
        drop(one);
        let rest = two.slice(14_000..);
        drop(two);
        assert!(underway.hold(other.clone()).is_err(), "a part of it is on its way");
        drop(rest);
        assert!(underway.hold(other).is_ok());
        assert!(underway.hold(Bytes::from(vec![4; 50_000])).is_ok(), "one alone always goes");
    }
}
