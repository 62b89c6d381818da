//! Who was seen reading which stream, and how far.
//!
//! A consumer is known by what its requests say, and by nothing else: the stream; the name that it gives
//! (`Everfeed-Consumer`), or else the program that it is (`User-Agent`); the user that it has signed in as; and, only where
//! it gives no name, the address that it comes from. So two processes of one program on one machine count as one unless
//! they give names, and whoever is answered by a cache in front is not seen at all.
//!
//! How far it has come is what its last answer ended with, not what it has done with that. Whoever goes from page to page
//! may look at the newest events in between, to see how far it is behind: that changes nothing about where it is. Whoever
//! looks at the newest alone is at the end.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// So many are remembered; one more drops the one that was seen longest ago.
const CONSUMERS_MAX: usize = 1_000;

/// Of a name so much is kept, in characters.
const NAME_CHARS_MAX: usize = 100;

/// Who reads, as a request says it.
#[derive(Debug, Clone, Copy)]
pub struct Who<'a> {
    /// Whose events.
    pub stream: &'a str,
    /// The name that it gives, or the program that it is.
    pub name: &'a str,
    /// Whether it is a name that it gives.
    pub is_named: bool,
    /// The user that it has signed in as.
    pub user: Option<&'a str>,
    /// Where it comes from.
    pub address: IpAddr,
}

/// In which way it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Way {
    /// By looking at the newest events alone.
    Newest = 0,
    /// By asking for page after page.
    Poll = 1,
    /// By requests that wait for what comes next.
    Wait = 2,
    /// By one answer that goes on.
    Listen = 3,
}

/// What is known of a consumer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consumer {
    /// Whose events it reads.
    pub stream: String,
    /// The name that it gives, or the program that it is.
    pub name: String,
    /// Whether it is a name that it gives.
    pub is_named: bool,
    /// The user that it has signed in as.
    pub user: Option<String>,
    /// Where it came from, the last time.
    pub address: IpAddr,
    /// In which way it reads.
    pub way: Way,
    /// The first number that it has not got.
    pub next: u64,
    /// Answers that it got; of one that goes on, its pieces.
    pub answers: u64,
    /// When it was seen first, in microseconds since the beginning of 1970.
    pub first_seen_micros: i64,
    /// And last.
    pub last_seen_micros: i64,
}

/// A consumer that is under watch. Whoever goes on sending it events says here how far that has come.
#[derive(Debug)]
pub struct Seen {
    stream: String,
    name: String,
    is_named: bool,
    user: Option<String>,
    address: Mutex<IpAddr>,
    first_seen_micros: i64,
    way: AtomicU8,
    next: AtomicU64,
    answers: AtomicU64,
    last_seen_micros: AtomicI64,
}

/// All that are remembered, by a hash of what they are known by: so a request of a known one copies nothing. The hash has
/// a secret of this process in it, so that nobody can look like somebody else.
#[derive(Debug, Default)]
pub struct Consumers {
    hashing: RandomState,
    seen: Mutex<HashMap<u64, Arc<Seen>>>,
}

impl Consumers {
    /// An answer goes to a consumer, in this way: before `next`, it has everything.
    pub fn saw(&self, who: &Who<'_>, way: Way, next: u64, at_micros: i64) -> Arc<Seen> {
        let address = (!who.is_named).then_some(who.address);
        let key = self.hashing.hash_one((who.stream, who.name, who.is_named, who.user, address));
        let known = self.seen().get(&key).cloned();
        let seen = known.unwrap_or_else(|| {
            let seen = Arc::new(Seen::new(who, at_micros));
            let mut all = self.seen();
            if all.len() >= CONSUMERS_MAX {
                let last_seen = |seen: &Seen| seen.last_seen_micros.load(Ordering::Relaxed);
                let oldest = all.iter().min_by_key(|(_, seen)| last_seen(seen)).map(|(key, _)| *key);
                oldest.and_then(|oldest| all.remove(&oldest));
            }
            all.entry(key).or_insert(seen).clone()
        });
        if who.is_named {
            *seen.address.lock().unwrap_or_else(PoisonError::into_inner) = who.address;
        }
        if way == Way::Newest && seen.way() != Way::Newest {
            seen.reached(seen.next.load(Ordering::Relaxed), at_micros);
        } else {
            seen.way.store(way as u8, Ordering::Relaxed);
            seen.reached(next, at_micros);
        }
        seen
    }

    /// All of them, the one that was seen last first.
    #[must_use]
    pub fn all(&self) -> Vec<Consumer> {
        let seen: Vec<_> = self.seen().values().cloned().collect();
        let mut all: Vec<_> = seen.iter().map(|seen| seen.get()).collect();
        all.sort_by(|one, other| {
            let newest_first = other.last_seen_micros.cmp(&one.last_seen_micros);
            newest_first.then_with(|| (&one.stream, &one.name).cmp(&(&other.stream, &other.name)))
        });
        all
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<u64, Arc<Seen>>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn new(who: &Who<'_>, at_micros: i64) -> Self {
        let printable = who.name.chars().map(|c| if c.is_control() { ' ' } else { c });
        Self {
            stream: who.stream.to_string(),
            name: printable.take(NAME_CHARS_MAX).collect(),
            is_named: who.is_named,
            user: who.user.map(str::to_string),
            address: Mutex::new(who.address),
            first_seen_micros: at_micros,
            way: AtomicU8::new(Way::Newest as u8),
            next: AtomicU64::new(0),
            answers: AtomicU64::new(0),
            last_seen_micros: AtomicI64::new(at_micros),
        }
    }

    /// It has got more, or nothing new: before `next`, it has everything.
    pub fn reached(&self, next: u64, at_micros: i64) {
        self.next.store(next, Ordering::Relaxed);
        self.answers.fetch_add(1, Ordering::Relaxed);
        self.last_seen_micros.store(at_micros, Ordering::Relaxed);
    }

    fn way(&self) -> Way {
        match self.way.load(Ordering::Relaxed) {
            0 => Way::Newest,
            1 => Way::Poll,
            2 => Way::Wait,
            _ => Way::Listen,
        }
    }

    fn get(&self) -> Consumer {
        Consumer {
            stream: self.stream.clone(),
            name: self.name.clone(),
            is_named: self.is_named,
            user: self.user.clone(),
            address: *self.address.lock().unwrap_or_else(PoisonError::into_inner),
            way: self.way(),
            next: self.next.load(Ordering::Relaxed),
            answers: self.answers.load(Ordering::Relaxed),
            first_seen_micros: self.first_seen_micros,
            last_seen_micros: self.last_seen_micros.load(Ordering::Relaxed),
        }
    }
}

impl Way {
    /// As documents name it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Newest => "newest",
            Self::Poll => "poll",
            Self::Wait => "wait",
            Self::Listen => "listen",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who<'a>(stream: &'a str, name: &'a str, last: u8) -> Who<'a> {
        Who { stream, name, is_named: false, user: None, address: IpAddr::from([10, 0, 0, last]) }
    }

    #[test]
    fn whoever_says_the_same_is_the_same_and_is_where_the_last_answer_ended() {
        let consumers = Consumers::default();
        consumers.saw(&who("orders", "curl/8", 1), Way::Poll, 100, 10);
        consumers.saw(&who("orders", "curl/8", 1), Way::Wait, 40, 20);
        let all = consumers.all();
        let [consumer] = &all[..] else { panic!("{all:?}") };
        assert_eq!((consumer.next, consumer.answers, consumer.way), (40, 2, Way::Wait));
        assert_eq!((consumer.first_seen_micros, consumer.last_seen_micros), (10, 20));
    }

    #[test]
    fn a_look_at_the_newest_moves_nobody_who_goes_from_page_to_page() {
        let consumers = Consumers::default();
        let saw = |way, next| {
            consumers.saw(&who("orders", "curl/8", 1), way, next, 1);
            let all = consumers.all();
            (all[0].way, all[0].next)
        };
        assert_eq!(saw(Way::Newest, 70), (Way::Newest, 70));
        assert_eq!(saw(Way::Newest, 80), (Way::Newest, 80), "that is all it wants");
        assert_eq!(saw(Way::Poll, 20), (Way::Poll, 20));
        assert_eq!(saw(Way::Newest, 90), (Way::Poll, 20), "it only wanted to see how far it is behind");
    }

    #[test]
    fn another_stream_program_user_or_address_is_another_consumer() {
        let consumers = Consumers::default();
        let one = who("orders", "curl/8", 1);
        for other in [
            one,
            who("items", "curl/8", 1),
            who("orders", "curl/9", 1),
            who("orders", "curl/8", 2),
            Who { user: Some("ann"), ..one },
            Who { is_named: true, ..one },
        ] {
            consumers.saw(&other, Way::Poll, 1, 1);
        }
        assert_eq!(consumers.all().len(), 6);
    }

    #[test]
    fn a_name_is_enough_wherever_it_comes_from() {
        let consumers = Consumers::default();
        for last in 1..=3 {
            consumers.saw(&Who { is_named: true, ..who("orders", "search", last) }, Way::Listen, 7, i64::from(last));
        }
        let all = consumers.all();
        assert_eq!((all.len(), all[0].address), (1, IpAddr::from([10, 0, 0, 3])), "the last place it was seen at");
    }

    #[test]
    fn the_one_seen_longest_ago_goes_first_and_a_name_does_not_fill_the_memory() {
        let consumers = Consumers::default();
        let listener = consumers.saw(&who("orders", "listener", 1), Way::Listen, 0, 0);
        for number in 1..=CONSUMERS_MAX as i64 {
            listener.reached(number as u64, number);
            consumers.saw(&who("orders", &format!("{number}\n{}", "x".repeat(1_000)), 1), Way::Poll, 1, number);
        }
        let all = consumers.all();
        assert_eq!(all.len(), CONSUMERS_MAX);
        assert!(all.iter().any(|consumer| consumer.name == "listener"), "it is sent events all the while");
        assert!(!all.iter().any(|consumer| consumer.name.starts_with("1 ")), "it was seen longest ago");
        assert!(all.iter().all(|consumer| consumer.name.chars().count() <= NAME_CHARS_MAX));
    }
}
