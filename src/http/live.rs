//! Waiting for events: how long a long poll may, after which event a listener goes on, and how many may wait at once.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::header::HeaderMap;

use crate::access::network;
use crate::address::LastEventId;

use super::header::{LAST_EVENT_ID, PREFER};
use super::problem::Problem;
use super::request;

/// How many requests may wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WaitLimits {
    pub(crate) time_max: Duration,
    pub(crate) waits_max: usize,
    pub(crate) waits_max_per_address: usize,
}

/// How long a request asks to wait: `?wait=`, `ES-LongPoll`, `Kurrent-LongPoll` or `Prefer: wait=`, all in
/// seconds. None if it does not.
///
/// # Errors
/// For an `ES-LongPoll` that is no whole number of seconds from 1.
pub(crate) fn wait_asked(
    headers: &HeaderMap,
    in_query: Option<u64>,
    limits: &WaitLimits,
) -> Result<Option<Duration>, Problem> {
    let in_header = request::dialect_header(headers, "es-longpoll", "kurrent-longpoll")?;
    let seconds =
        match in_header {
            Some(text) => {
                let seconds = text.trim().parse().ok().filter(|seconds: &u64| *seconds > 0);
                Some(seconds.ok_or_else(|| {
                    Problem::invalid_header("ES-LongPoll", "it holds a whole number of seconds, from 1")
                })?)
            }
            None => in_query.or_else(|| preferred(headers)),
        };
    Ok(seconds.filter(|seconds| *seconds > 0).map(|seconds| Duration::from_secs(seconds).min(limits.time_max)))
}

/// Whether a request asks to wait, as far as that can be told at a glance.
pub(crate) fn asks_to_wait(headers: &HeaderMap, in_query: Option<u64>) -> bool {
    let in_header = || headers.contains_key("es-longpoll") || headers.contains_key("kurrent-longpoll");
    in_query.or_else(|| preferred(headers)).is_some_and(|seconds| seconds > 0) || in_header()
}

/// RFC 7240 §4.3. A preference that cannot be read is ignored, as that standard has it.
fn preferred(headers: &HeaderMap) -> Option<u64> {
    headers
        .get_all(PREFER)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split([',', ';']))
        .find_map(|preference| {
            let (name, value) = preference.split_once('=')?;
            name.trim().eq_ignore_ascii_case("wait").then(|| value.trim().trim_matches('"').parse().ok())?
        })
}

/// The event that a listener has got last: as the header says, which browsers send when they come again, or else as the
/// address does, which stays as it was. None if neither does.
///
/// # Errors
/// For a header that names none.
pub(crate) fn last_event_id(
    headers: &HeaderMap,
    in_query: Option<LastEventId>,
) -> Result<Option<LastEventId>, Problem> {
    let Some(value) = headers.get(LAST_EVENT_ID) else { return Ok(in_query) };
    let last = value.to_str().ok().and_then(|text| LastEventId::parse(text.trim()));
    let invalid = || Problem::invalid_header("Last-Event-ID", "it is the number of an event, or -1 for all events");
    Ok(Some(last.ok_or_else(invalid)?))
}

/// For what somebody waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// For one answer.
    LongPoll,
    /// For one event after the other.
    Listener,
}

/// Counts who waits.
#[derive(Debug)]
pub(crate) struct Waits {
    limits: WaitLimits,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    listeners: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// A place among those who wait.
#[derive(Debug)]
pub(crate) struct Wait {
    waits: Arc<Waits>,
    address: IpAddr,
    waiting: Waiting,
}

impl Waits {
    pub(crate) fn new(limits: WaitLimits) -> Arc<Self> {
        Arc::new(Self { limits, counts: Mutex::default() })
    }

    pub(crate) fn limits(&self) -> &WaitLimits {
        &self.limits
    }

    /// Begins to wait.
    ///
    /// # Errors
    /// When too many wait already.
    pub(crate) fn begin(self: &Arc<Self>, address: IpAddr, waiting: Waiting) -> Result<Wait, Problem> {
        let address = network(address);
        let mut counts = self.counts();
        if counts.all >= self.limits.waits_max {
            return Err(Problem::too_many_waits(&format!("{} requests are waiting, as many as may", counts.all)));
        }
        let here = counts.by_address.get(&address).copied().unwrap_or_default();
        if here >= self.limits.waits_max_per_address {
            return Err(Problem::too_many_waits(&format!(
                "{here} requests from this address are waiting, as many as may"
            )));
        }
        counts.by_address.insert(address, here + 1);
        counts.all += 1;
        counts.listeners += usize::from(waiting == Waiting::Listener);
        Ok(Wait { waits: self.clone(), address, waiting })
    }

    /// How many requests wait, and how many of them listen.
    pub(crate) fn waiting(&self) -> (usize, usize) {
        let counts = self.counts();
        (counts.all, counts.listeners)
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        let mut counts = self.waits.counts();
        counts.all -= 1;
        counts.listeners -= usize::from(self.waiting == Waiting::Listener);
        if let Some(here) = counts.by_address.get_mut(&self.address) {
            *here -= 1;
            if *here == 0 {
                counts.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::{HeaderName, HeaderValue};

    use super::*;

    const LIMITS: WaitLimits = WaitLimits { time_max: Duration::from_secs(60), waits_max: 3, waits_max_per_address: 2 };

    fn asked(name: &'static str, value: &str, in_query: Option<u64>) -> Result<Option<u64>, u16> {
        let headers =
            HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value"))]);
        wait_asked(&headers, in_query, &LIMITS)
            .map(|time| time.map(|time| time.as_secs()))
            .map_err(|problem| problem.status.as_u16())
    }

    #[test]
    fn a_wait_is_asked_for_in_three_ways_and_is_never_longer_than_the_limit() {
        assert_eq!(asked("prefer", "wait=5", None), Ok(Some(5)));
        assert_eq!(asked("prefer", "respond-async, Wait = \"7\"; foo", None), Ok(Some(7)));
        assert_eq!(asked("prefer", "wait=soon", None), Ok(None));
        assert_eq!(asked("es-longpoll", "10", None), Ok(Some(10)));
        assert_eq!(asked("kurrent-longpoll", "1000", None), Ok(Some(60)));
        assert_eq!(asked("accept", "*/*", Some(30)), Ok(Some(30)));
        assert_eq!(asked("accept", "*/*", Some(0)), Ok(None));
        for value in ["0", "-1", "1.5", "x", ""] {
            assert_eq!(asked("es-longpoll", value, None), Err(400), "{value}");
        }
    }

    #[test]
    fn as_many_wait_as_may_in_all_and_from_one_address() {
        let waits = Waits::new(LIMITS);
        let (one, two) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let begin = |address| waits.begin(address, Waiting::Listener);
        let first = begin(one).expect("the first");
        let _second = begin(one).expect("the second");
        assert!(begin(one).is_err(), "a third from one address");
        let _third = begin(two).expect("from another");
        assert!(begin(two).is_err(), "a fourth in all");
        assert_eq!(waits.waiting(), (3, 3));
        drop(first);
        assert_eq!(waits.waiting(), (2, 2));
        assert!(begin(two).is_ok());
    }
}
