//! Failed log-ins, and what they cost whoever tries again: first a delay, then a refusal for a while.
//!
//! Each failure fills a bucket that empties by itself, one try after another. There is one for each name at each address,
//! which refuses; one for each address, which refuses names that never logged in from there; and one for each name,
//! which only delays, and only where it never logged in: so whoever guesses a name from many addresses is slowed down,
//! and still keeps nobody out who has the right password somewhere else. A name at an address where it has logged in has
//! a bucket that empties faster: whoever guesses there, behind the same address, delays whose name it is, and keeps nobody
//! out by a try in a second. Buckets are known by keyed hashes, so that no
//! stranger chooses which ones are shared, and their number is bounded.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use quick_cache::sync::Cache;

use super::network;

/// A name at an address: ten tries, of which the first three cost nothing, then one a minute.
const PAIRS: Rule = Rule { free: 3, burst: 10, drip: Duration::from_secs(60) };

/// The same where the name has logged in: two tries in a second go on for ever, and a flood is refused.
const KNOWN_PAIRS: Rule = Rule { free: 3, burst: 60, drip: Duration::from_millis(500) };

/// An address, whatever the names: two hundred tries, then one in ten seconds. Those under way count as well, and behind one
/// address there may be a whole office whose programs all come back at once.
const ADDRESSES: Rule = Rule { free: 200, burst: 200, drip: Duration::from_secs(10) };

/// A name, wherever from: after twenty tries each is delayed.
const NAMES: Rule = Rule { free: 20, burst: u32::MAX, drip: Duration::from_secs(60) };

/// Tokens that are none, from an address. Nobody guesses 256 bits; it is for programs that go on with an old one.
const TOKENS: Rule = Rule { free: 60, burst: 60, drip: Duration::from_secs(1) };

/// The first delay; each next one is twice as long, up to the last.
const DELAY_MIN: Duration = Duration::from_millis(100);
const DELAY_MAX: Duration = Duration::from_secs(5);

/// The most buckets of one kind, and the most names at addresses that are remembered: some 2 MB in all.
const BUCKETS_MAX: usize = 16_384;

/// What one kind of bucket allows.
#[derive(Debug, Clone, Copy)]
struct Rule {
    /// So many tries are not delayed.
    free: u32,
    /// So many are made at all.
    burst: u32,
    /// In this time one of them is forgotten.
    drip: Duration,
}

/// Counts failed log-ins.
#[derive(Debug)]
pub(super) struct Tries {
    keys: RandomState,
    buckets: Mutex<[Buckets; 5]>,
    /// Names that have logged in, each at an address.
    known: Cache<u64, ()>,
}

/// Buckets of one kind, each by when it is empty.
#[derive(Debug)]
struct Buckets {
    rule: Rule,
    empty_at: HashMap<u64, Instant>,
}

/// A try that is under way. It counts as failed until more is known, so that nobody gains by many at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Try {
    pair: u64,
    /// The name had logged in there.
    is_known: bool,
    address: u64,
    name: u64,
    /// How long to wait before it is made.
    pub(super) delay: Duration,
}

impl Tries {
    pub(super) fn new() -> Self {
        Self {
            keys: RandomState::new(),
            buckets: Mutex::new([PAIRS, KNOWN_PAIRS, ADDRESSES, NAMES, TOKENS].map(Buckets::new)),
            known: Cache::new(BUCKETS_MAX),
        }
    }

    /// When to try again, if this name may not be tried from this address now.
    pub(super) fn refusal(&self, peer: IpAddr, name: &str, now: Instant) -> Option<Duration> {
        let (pair, address) = (self.pair(peer, name), self.address(peer));
        let is_known = self.known.get(&pair).is_some();
        let [pairs, known_pairs, addresses, ..] = &*self.lock();
        if is_known {
            return known_pairs.refusal(pair, now);
        }
        pairs.refusal(pair, now).max(addresses.refusal(address, now))
    }

    /// A try begins.
    pub(super) fn begin(&self, peer: IpAddr, name: &str, now: Instant) -> Try {
        let (pair, address, name) = (self.pair(peer, name), self.address(peer), self.keys.hash_one(("name", name)));
        let is_known = self.known.get(&pair).is_some();
        let [pairs, known_pairs, addresses, names, _] = &mut *self.lock();
        addresses.fill(address, now);
        let by_name = names.fill(name, now);
        let delay = if is_known { known_pairs.fill(pair, now) } else { pairs.fill(pair, now).max(by_name) };
        Try { pair, is_known, address, name, delay }
    }

    /// It was no failure.
    pub(super) fn undo(&self, tried: Try) {
        let [pairs, known_pairs, addresses, names, _] = &mut *self.lock();
        if tried.is_known { known_pairs } else { pairs }.drain(tried.pair);
        addresses.drain(tried.address);
        names.drain(tried.name);
    }

    /// It had success: what failed before it at this address is forgiven.
    pub(super) fn succeed(&self, tried: Try) {
        self.undo(tried);
        let [pairs, known_pairs, ..] = &mut *self.lock();
        if tried.is_known { known_pairs } else { pairs }.empty_at.remove(&tried.pair);
        self.known.insert(tried.pair, ());
    }

    /// A token was none. When to try again, if there were too many.
    pub(super) fn token_failed(&self, peer: IpAddr, now: Instant) -> Option<Duration> {
        let address = self.address(peer);
        let [.., tokens] = &mut *self.lock();
        let refusal = tokens.refusal(address, now);
        if refusal.is_none() {
            tokens.fill(address, now);
        }
        refusal
    }

    fn pair(&self, peer: IpAddr, name: &str) -> u64 {
        self.keys.hash_one((network(peer), name))
    }

    fn address(&self, peer: IpAddr) -> u64 {
        self.keys.hash_one(network(peer))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, [Buckets; 5]> {
        self.buckets.lock().expect("nobody panics while counting")
    }
}

impl Buckets {
    fn new(rule: Rule) -> Self {
        Self { rule, empty_at: HashMap::new() }
    }

    /// How long until there is room for one more; none if there is.
    fn refusal(&self, key: u64, now: Instant) -> Option<Duration> {
        let filled = self.empty_at.get(&key)?.saturating_duration_since(now);
        let room_at = self.rule.drip.checked_mul(self.rule.burst - 1)?;
        filled.checked_sub(room_at).filter(|wait| !wait.is_zero())
    }

    /// Adds one, and says what delay that costs.
    fn fill(&mut self, key: u64, now: Instant) -> Duration {
        if BUCKETS_MAX <= self.empty_at.len() && !self.empty_at.contains_key(&key) {
            self.make_room(now);
        }
        let empty_at = self.empty_at.entry(key).or_insert(now);
        *empty_at = now.max(*empty_at) + self.rule.drip;
        let level = empty_at.duration_since(now).as_millis().div_ceil(self.rule.drip.as_millis());
        match u32::try_from(level).unwrap_or(u32::MAX).checked_sub(self.rule.free + 1) {
            None => Duration::ZERO,
            Some(over) => DELAY_MIN.saturating_mul(2_u32.saturating_pow(over)).min(DELAY_MAX),
        }
    }

    fn drain(&mut self, key: u64) {
        if let Some(empty_at) = self.empty_at.get_mut(&key) {
            // The clock may not reach back so far just after the machine was started.
            *empty_at = empty_at.checked_sub(self.rule.drip).unwrap_or(*empty_at);
        }
    }

    /// Forgets those that are empty, and if that is not enough the eighth that is the nearest to it. So many at once, that
    /// the work is little for each.
    fn make_room(&mut self, now: Instant) {
        self.empty_at.retain(|_, empty_at| now < *empty_at);
        if self.empty_at.len() <= BUCKETS_MAX / 8 * 7 {
            return;
        }
        let mut times: Vec<Instant> = self.empty_at.values().copied().collect();
        let (_, last_forgotten, _) = times.select_nth_unstable(BUCKETS_MAX / 8);
        self.empty_at.retain(|_, empty_at| *last_forgotten < *empty_at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn peer(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    /// Tries until it is refused; how often that was, and the delays.
    fn exhaust(tries: &Tries, peer: IpAddr, names: impl Iterator<Item = String>, now: Instant) -> Vec<Duration> {
        names
            .take_while(|name| tries.refusal(peer, name, now).is_none())
            .map(|name| tries.begin(peer, &name, now).delay)
            .collect()
    }

    fn ann() -> impl Iterator<Item = String> {
        std::iter::repeat_n("ann".to_string(), 1_000)
    }

    #[test]
    fn a_name_is_tried_ten_times_from_an_address_and_then_once_a_minute() {
        let (tries, now) = (Tries::new(), Instant::now());
        let delays = exhaust(&tries, peer("192.0.2.1"), ann(), now);
        let millis: Vec<u128> = delays.iter().map(Duration::as_millis).collect();
        assert_eq!(millis, [0, 0, 0, 100, 200, 400, 800, 1_600, 3_200, 5_000]);
        assert_eq!(tries.refusal(peer("192.0.2.1"), "ann", now), Some(60 * SECOND));
        assert_eq!(tries.refusal(peer("192.0.2.1"), "ann", now + 59 * SECOND), Some(SECOND));
        assert_eq!(exhaust(&tries, peer("192.0.2.1"), ann(), now + 60 * SECOND).len(), 1);
        assert_eq!(exhaust(&tries, peer("192.0.2.1"), ann(), now + 3_600 * SECOND).len(), 10, "all is forgotten");
    }

    #[test]
    fn nobody_keeps_another_address_or_another_name_out() {
        let (tries, now) = (Tries::new(), Instant::now());
        exhaust(&tries, peer("192.0.2.1"), ann(), now);
        for (address, name) in [("192.0.2.2", "ann"), ("192.0.2.1", "bob")] {
            assert_eq!(tries.refusal(peer(address), name, now), None);
            assert_eq!(tries.begin(peer(address), name, now).delay, Duration::ZERO, "{name} at {address}");
        }
    }

    #[test]
    fn many_names_from_one_address_are_two_hundred_tries_but_for_names_that_logged_in_there() {
        let (tries, now) = (Tries::new(), Instant::now());
        tries.succeed(tries.begin(peer("192.0.2.1"), "ann", now));
        let strangers = || (0..1_000).map(|number| format!("stranger {number}"));
        assert_eq!(exhaust(&tries, peer("192.0.2.1"), strangers(), now).len(), 200);
        assert_eq!(tries.refusal(peer("192.0.2.1"), "bob", now), Some(10 * SECOND));
        assert_eq!(tries.refusal(peer("192.0.2.1"), "ann", now), None);
        assert_eq!(tries.refusal(peer("192.0.2.2"), "bob", now), None);
    }

    /// Once a guesser in somebody's own office kept that somebody out, with the right password, for as long as it went on.
    #[test]
    fn a_guesser_behind_the_same_address_keeps_no_name_out_that_logged_in_there() {
        let (tries, mut now) = (Tries::new(), Instant::now());
        tries.succeed(tries.begin(peer("192.0.2.1"), "ann", now));
        for _ in 0..1_000 {
            now += SECOND;
            assert_eq!(tries.refusal(peer("192.0.2.1"), "ann", now), None);
            tries.begin(peer("192.0.2.1"), "ann", now);
        }
        let flood = exhaust(&tries, peer("192.0.2.1"), ann(), now);
        assert!((50..=60).contains(&flood.len()) && flood.ends_with(&[DELAY_MAX]), "{flood:?}");
        assert_eq!(tries.refusal(peer("192.0.2.1"), "ann", now + SECOND), None, "it is over at once");
    }

    #[test]
    fn a_name_that_is_guessed_from_many_addresses_is_slowed_down_except_where_it_logged_in() {
        let (tries, now) = (Tries::new(), Instant::now());
        tries.succeed(tries.begin(peer("192.0.2.1"), "ann", now));
        for last in 0..100 {
            assert_eq!(tries.refusal(peer(&format!("198.51.100.{last}")), "ann", now), None);
            tries.begin(peer(&format!("198.51.100.{last}")), "ann", now);
        }
        assert_eq!(tries.begin(peer("203.0.113.1"), "ann", now).delay, DELAY_MAX);
        assert_eq!(tries.begin(peer("192.0.2.1"), "ann", now).delay, Duration::ZERO);
    }

    #[test]
    fn success_forgives_and_what_was_not_tried_does_not_count() {
        let (tries, now) = (Tries::new(), Instant::now());
        let begin = || tries.begin(peer("192.0.2.1"), "ann", now);
        tries.succeed(begin());
        for _ in 0..59 {
            begin();
        }
        tries.undo(begin());
        tries.succeed(begin());
        assert_eq!(exhaust(&tries, peer("192.0.2.1"), ann(), now).len(), 60);
    }

    #[test]
    fn a_network_of_ipv6_is_one_address_and_so_are_both_ways_of_writing_one_of_ipv4() {
        let (tries, now) = (Tries::new(), Instant::now());
        exhaust(&tries, peer("2001:db8::1"), ann(), now);
        assert!(tries.refusal(peer("2001:db8::ffff:1"), "ann", now).is_some());
        assert!(tries.refusal(peer("2001:db8:0:1::1"), "ann", now).is_none());
        exhaust(&tries, peer("::ffff:192.0.2.1"), ann(), now);
        assert!(tries.refusal(peer("192.0.2.1"), "ann", now).is_some());
        assert!(tries.refusal(peer("192.0.2.2"), "ann", now).is_none());
    }

    #[test]
    fn there_are_never_more_buckets_than_may_be_and_the_fullest_stay() {
        let (tries, now) = (Tries::new(), Instant::now());
        exhaust(&tries, peer("192.0.2.1"), ann(), now);
        for number in 0..3 * BUCKETS_MAX as u32 {
            let address = IpAddr::from(std::net::Ipv4Addr::from_bits(number << 4));
            tries.begin(address, &format!("stranger {number}"), now);
        }
        assert!(tries.lock().iter().all(|buckets| buckets.empty_at.len() <= BUCKETS_MAX));
        assert!(tries.refusal(peer("192.0.2.1"), "ann", now).is_some());
    }

    #[test]
    fn wrong_tokens_are_refused_after_sixty() {
        let (tries, now) = (Tries::new(), Instant::now());
        let refusals = |now| (0..1_000).filter_map(|_| tries.token_failed(peer("192.0.2.1"), now)).collect::<Vec<_>>();
        assert_eq!(refusals(now), [SECOND; 940]);
        assert_eq!(refusals(now + SECOND).len(), 999);
        assert_eq!(tries.token_failed(peer("192.0.2.2"), now), None);
    }
}
