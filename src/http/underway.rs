//! What is under way at once, of all clients together: requests, and the bytes of answers that nobody has taken yet.
//!
//! A page that many read is in memory once, and counts once. It counts also while the page cache holds it: what the cache
//! drops stays in memory until the last of its readers has it. What the readers at one address have not taken counts for
//! that address as well: a few of them who read slowly cannot take the room of all others.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::access::network;

use super::problem::Problem;

/// Smaller answers are as little as the request that they are for, and those are counted.
const COUNTED_BYTES_MIN: usize = 4 << 10;

/// What may be under way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UnderwayLimits {
    pub(crate) requests_max: usize,
    pub(crate) unsent_bytes_max: u64,
    pub(crate) unsent_bytes_max_per_address: u64,
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
    all: Pile,
    by_client: HashMap<IpAddr, Pile>,
}

/// Answers, each of which counts once.
#[derive(Debug, Default)]
struct Pile {
    bytes: u64,
    /// By where in memory they begin: on their way to how many readers, and how many bytes of them count.
    answers: HashMap<usize, (usize, u64)>,
}

/// A place among the requests. Given back when the answer is with the socket.
#[derive(Debug)]
pub(crate) struct Place(Arc<Underway>);

/// Bytes on their way to a reader.
struct Held {
    bytes: Bytes,
    client: IpAddr,
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

    /// Counts these bytes until their reader, at this address, has them.
    ///
    /// # Errors
    /// When more is on its way than may be, in all or to there. One answer alone always goes.
    pub(crate) fn hold(self: &Arc<Self>, bytes: Bytes, client: IpAddr) -> Result<Bytes, Problem> {
        if bytes.len() < COUNTED_BYTES_MIN {
            return Ok(bytes);
        }
        let client = network(client);
        let UnderwayLimits { unsent_bytes_max, unsent_bytes_max_per_address, .. } = self.limits;
        let mut unsent = self.unsent();
        let has_room = unsent.all.has_room(&bytes, unsent_bytes_max);
        let has_room_there =
            unsent.by_client.get(&client).is_none_or(|pile| pile.has_room(&bytes, unsent_bytes_max_per_address));
        if !has_room || !has_room_there {
            return Err(Problem::too_much_unsent());
        }
        unsent.all.add(&bytes);
        unsent.by_client.entry(client).or_default().add(&bytes);
        drop(unsent);
        Ok(Bytes::from_owner(Held { bytes, client, underway: self.clone() }))
    }

    fn unsent(&self) -> MutexGuard<'_, Unsent> {
        self.unsent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pile {
    fn has_room(&self, bytes: &Bytes, bytes_max: u64) -> bool {
        self.answers.is_empty()
            || self.answers.contains_key(&beginning(bytes))
            || self.bytes + bytes.len() as u64 <= bytes_max
    }

    fn add(&mut self, bytes: &Bytes) {
        let (readers, counted) = self.answers.entry(beginning(bytes)).or_default();
        if *readers == 0 {
            *counted = bytes.len() as u64;
            self.bytes += *counted;
        }
        *readers += 1;
    }

    fn remove(&mut self, bytes: &Bytes) {
        let (readers, counted) = self.answers.get_mut(&beginning(bytes)).expect("it was counted when it was held");
        *readers -= 1;
        if *readers == 0 {
            // Whoever had it last may have had another part of it than whoever had it first.
            self.bytes -= *counted;
            self.answers.remove(&beginning(bytes));
        }
    }
}

fn beginning(bytes: &Bytes) -> usize {
    bytes.as_ptr() as usize
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
        let mut unsent = self.underway.unsent();
        unsent.all.remove(&self.bytes);
        let there = unsent.by_client.get_mut(&self.client).expect("it was counted when it was held");
        there.remove(&self.bytes);
        if there.answers.is_empty() {
            unsent.by_client.remove(&self.client);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const BOB: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    fn underway() -> Arc<Underway> {
        Underway::new(UnderwayLimits {
            requests_max: 2,
            unsent_bytes_max: 40_000,
            unsent_bytes_max_per_address: 20_000,
        })
    }

    fn page(bytes: usize) -> Bytes {
        Bytes::from(vec![1; bytes])
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
        let page = page(15_000);
        let whole = underway.hold(page.clone(), ANN).expect("there is room");
        let part = underway.hold(page.slice(..10_000), ANN).expect("it begins at the same place");
        drop(whole);
        drop(part);
        let unsent = underway.unsent();
        assert_eq!((unsent.all.bytes, unsent.by_client.len()), (0, 0));
    }

    #[test]
    fn what_many_read_counts_once_until_the_last_has_it() {
        let underway = underway();
        let shared = page(15_000);
        let one = underway.hold(shared.clone(), ANN).expect("there is room");
        let two = underway.hold(shared.clone(), ANN).expect("it is the same");
        assert_eq!(one, shared);
        assert!(underway.hold(page(15_000), ANN).is_err());
        assert!(underway.hold(page(4_000), ANN).is_ok(), "what is small always goes");
        drop(one);
        let rest = two.slice(14_000..);
        drop(two);
        assert!(underway.hold(page(15_000), ANN).is_err(), "a part of it is on its way");
        drop(rest);
        assert!(underway.hold(page(15_000), ANN).is_ok());
        assert!(underway.hold(page(50_000), ANN).is_ok(), "one alone always goes");
    }

    /// There was one budget for all, and a few who read a little now and then held it for as long as they liked.
    #[test]
    fn those_at_one_address_take_no_more_than_their_share() {
        let underway = underway();
        let pages: Vec<Bytes> = (0..2).map(|_| page(10_000)).collect();
        let of_ann: Vec<Bytes> =
            pages.iter().map(|page| underway.hold(page.clone(), ANN).expect("there is room")).collect();
        assert!(underway.hold(page(5_000), ANN).is_err(), "that is her share");
        let _of_bob = underway.hold(page(20_000), BOB).expect("there is room for others");
        let carl = IpAddr::from([192, 0, 2, 3]);
        assert!(underway.hold(page(5_000), carl).is_err(), "there is none in all");
        let too = underway.hold(pages[0].clone(), carl).expect("it is in memory already");
        drop(of_ann);
        assert!(underway.hold(page(11_000), ANN).is_err(), "another one still has one of hers");
        drop(too);
        assert!(underway.hold(page(20_000), ANN).is_ok());
    }
}
