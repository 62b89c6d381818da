//! How much one principal may ask and append in a second, and how much at once after a quiet time.
//!
//! A principal is a user, or the address that somebody unknown comes from (of IPv6 the network of 64 bits, which is what
//! one household has). For each there are three moments, up to which it has used what it may: one for requests, one for
//! events, one for bytes. They run ahead of the clock, by no more than the burst; then the answer is 429, until the clock
//! has caught up. What is appended is known only afterwards: a batch may bring its moment further ahead, and then the
//! next one waits for longer.
//!
//! Nobody is forgotten while a moment of theirs lies ahead. When the table is full of such, all who are new share one
//! account, so that a flood of addresses takes from other newcomers and not from those who are known.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::access::{Caller, network};

use super::problem::Problem;

/// Addresses that have an account of their own; users always have one.
const ADDRESSES_MAX: usize = 65_536;

/// How often a table that is full is looked through for accounts that are even.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// What may be done in a second; nothing limits what is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RateLimits {
    pub(crate) requests: u64,
    pub(crate) events: u64,
    pub(crate) bytes: u64,
    /// Whoever has been quiet for so long may do at once what they could have done meanwhile.
    pub(crate) burst: Duration,
}

/// Accounts of what was used.
#[derive(Debug)]
pub(crate) struct Rates {
    limits: RateLimits,
    began: Instant,
    accounts: Mutex<Accounts>,
}

#[derive(Debug, Default)]
struct Accounts {
    users: HashMap<Arc<str>, Account>,
    addresses: HashMap<IpAddr, Account>,
    /// Of those who found no room.
    newcomers: Account,
    swept: Option<Instant>,
}

/// Moments, in microseconds since the beginning.
#[derive(Debug, Clone, Copy, Default)]
struct Account {
    requests: u64,
    events: u64,
    bytes: u64,
}

impl Rates {
    pub(crate) fn new(limits: RateLimits) -> Self {
        Self { limits, began: Instant::now(), accounts: Mutex::default() }
    }

    /// One more request.
    ///
    /// # Errors
    /// When they come too fast.
    pub(crate) fn request(&self, caller: &Caller, address: IpAddr) -> Result<(), Problem> {
        if self.limits.requests == 0 {
            return Ok(());
        }
        self.with(caller, address, |account, now, limits| {
            limits.check(account.requests, now, "requests", limits.requests)?;
            charge(&mut account.requests, now, 1, limits.requests);
            Ok(())
        })
    }

    /// Whether an append may begin: how much it brings is not known yet.
    ///
    /// # Errors
    /// When too much was appended already.
    pub(crate) fn may_append(&self, caller: &Caller, address: IpAddr) -> Result<(), Problem> {
        if self.limits.events == 0 && self.limits.bytes == 0 {
            return Ok(());
        }
        self.with(caller, address, |account, now, limits| {
            limits.check(account.events, now, "events", limits.events)?;
            limits.check(account.bytes, now, "bytes", limits.bytes)
        })
    }

    /// So many events came, of so many bytes together.
    pub(crate) fn brought(&self, caller: &Caller, address: IpAddr, events: usize, bytes: usize) {
        if self.limits.events == 0 && self.limits.bytes == 0 {
            return;
        }
        self.with(caller, address, |account, now, limits| {
            charge(&mut account.events, now, events as u64, limits.events);
            charge(&mut account.bytes, now, bytes as u64, limits.bytes);
        });
    }

    fn with<T>(&self, caller: &Caller, address: IpAddr, look: impl FnOnce(&mut Account, u64, &RateLimits) -> T) -> T {
        let at = Instant::now();
        let now = at.duration_since(self.began).as_micros() as u64;
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let account = match caller.name() {
            Some(user) => accounts.of_user(user),
            None => accounts.of_address(network(address), at, now),
        };
        look(account, now, &self.limits)
    }
}

impl Accounts {
    fn of_user(&mut self, user: &str) -> &mut Account {
        if !self.users.contains_key(user) {
            self.users.insert(user.into(), Account::default());
        }
        self.users.get_mut(user).expect("it was put in when it was not there")
    }

    fn of_address(&mut self, address: IpAddr, at: Instant, now: u64) -> &mut Account {
        let is_new = !self.addresses.contains_key(&address);
        if is_new
            && self.addresses.len() >= ADDRESSES_MAX
            && self.swept.is_none_or(|swept| swept + SWEEP_INTERVAL <= at)
        {
            self.swept = Some(at);
            self.addresses.retain(|_, account| !account.is_even(now));
        }
        if is_new && self.addresses.len() >= ADDRESSES_MAX {
            return &mut self.newcomers;
        }
        self.addresses.entry(address).or_default()
    }
}

impl Account {
    /// Whether nothing is lost when it is forgotten.
    fn is_even(&self, now: u64) -> bool {
        self.requests.max(self.events).max(self.bytes) <= now
    }
}

impl RateLimits {
    fn check(&self, moment: u64, now: u64, what: &str, per_second: u64) -> Result<(), Problem> {
        let (ahead, burst) = (moment.saturating_sub(now), self.burst.as_micros() as u64);
        if per_second == 0 || ahead < burst {
            return Ok(());
        }
        let seconds = (ahead - burst).div_ceil(1_000_000).max(1);
        Err(Problem::too_fast(what, per_second, u16::try_from(seconds).unwrap_or(u16::MAX)))
    }
}

/// Brings the moment ahead by what so much takes.
fn charge(moment: &mut u64, now: u64, cost: u64, per_second: u64) {
    if per_second > 0 {
        let micros = u128::from(cost) * 1_000_000 / u128::from(per_second);
        *moment = (*moment).max(now).saturating_add(u64::try_from(micros).unwrap_or(u64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::super::problem::Kind;
    use super::*;

    const LIMITS: RateLimits = RateLimits { requests: 1, events: 1, bytes: 1_000, burst: Duration::from_secs(600) };

    fn address(n: u32) -> IpAddr {
        IpAddr::from(n.to_be_bytes())
    }

    fn nobody() -> Caller {
        Caller::anonymous()
    }

    #[test]
    fn whoever_was_quiet_has_a_burst_and_then_waits() {
        let rates = Rates::new(LIMITS);
        let asked = (0..700).filter(|_| rates.request(&nobody(), address(1)).is_ok()).count();
        // Time goes on meanwhile.
        assert!((600..=602).contains(&asked), "{asked}");
        let refused = rates.request(&nobody(), address(1)).expect_err("too fast");
        assert_eq!(refused.kind, Kind::TooFast);
        assert!(refused.headers.contains_key("retry-after"));
        assert!(rates.request(&nobody(), address(2)).is_ok(), "another address");
        let user = Caller::user("ada".into(), [].into());
        assert!(rates.request(&user, address(1)).is_ok(), "a user from that address");
        assert!(rates.may_append(&nobody(), address(1)).is_ok(), "appends have accounts of their own");
    }

    #[test]
    fn a_large_batch_is_taken_and_the_next_waits_the_longer() {
        let rates = Rates::new(LIMITS);
        assert!(rates.may_append(&nobody(), address(1)).is_ok());
        rates.brought(&nobody(), address(1), 10_000, 10);
        let refused = rates.may_append(&nobody(), address(1)).expect_err("it brought too many");
        let seconds: u64 = refused.headers["retry-after"].to_str().expect("text").parse().expect("seconds");
        assert!((9_300..=9_400).contains(&seconds), "{seconds}");
        rates.brought(&nobody(), address(2), 1, 600_100);
        assert!(rates.may_append(&nobody(), address(2)).is_err(), "bytes count as well");
    }

    #[test]
    fn no_flood_of_addresses_makes_the_table_forget_or_grow() {
        let rates = Rates::new(LIMITS);
        let may = |n| rates.may_append(&nobody(), address(n)).is_ok();
        rates.brought(&nobody(), address(0), 10_000, 1);
        rates.brought(&nobody(), address(1), 300, 1);
        for n in 2..ADDRESSES_MAX as u32 + 2_000 {
            rates.brought(&nobody(), address(n), 10_000, 1);
        }
        assert!(!may(0), "it is remembered");
        assert!(may(1), "who came before is not touched");
        assert!(!may(u32::MAX), "who comes new shares with the flood");
        let accounts = rates.accounts.lock().expect("nobody panics");
        assert_eq!(accounts.addresses.len(), ADDRESSES_MAX);
    }
}
