//! Long polls: how long a request may wait for the next event, and how many may wait at once.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::header::HeaderMap;
use tokio::time::Instant;

use super::header::PREFER;
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

/// Counts who waits.
#[derive(Debug)]
pub(crate) struct Waits {
    limits: WaitLimits,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// A place among those who wait.
#[derive(Debug)]
pub(crate) struct Wait {
    waits: Arc<Waits>,
    address: IpAddr,
    pub(crate) until: Instant,
}

impl Waits {
    pub(crate) fn new(limits: WaitLimits) -> Arc<Self> {
        Arc::new(Self { limits, waiting: Mutex::default() })
    }

    pub(crate) fn limits(&self) -> &WaitLimits {
        &self.limits
    }

    /// Begins to wait.
    ///
    /// # Errors
    /// When too many wait already.
    pub(crate) fn begin(self: &Arc<Self>, address: IpAddr, time: Duration) -> Result<Wait, Problem> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = &mut *waiting;
        if waiting.all >= self.limits.waits_max {
            return Err(Problem::too_many_waits(&format!("{} requests are waiting, as many as may", waiting.all)));
        }
        let here = waiting.by_address.get(&address).copied().unwrap_or_default();
        if here >= self.limits.waits_max_per_address {
            return Err(Problem::too_many_waits(&format!(
                "{here} requests from this address are waiting, as many as may"
            )));
        }
        waiting.by_address.insert(address, here + 1);
        waiting.all += 1;
        Ok(Wait { waits: self.clone(), address, until: Instant::now() + time })
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        let mut waiting = self.waits.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.all -= 1;
        if let Some(here) = waiting.by_address.get_mut(&self.address) {
            *here -= 1;
            if *here == 0 {
                waiting.by_address.remove(&self.address);
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
        let begin = |address| waits.begin(address, Duration::from_secs(1));
        let first = begin(one).expect("the first");
        let _second = begin(one).expect("the second");
        assert!(begin(one).is_err(), "a third from one address");
        let _third = begin(two).expect("from another");
        assert!(begin(two).is_err(), "a fourth in all");
        drop(first);
        assert!(begin(two).is_ok());
    }
}
