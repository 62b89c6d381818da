//! Waiting for what must come, for no longer than it takes.

use std::thread;
use std::time::{Duration, Instant};

use super::PATIENCE;

/// Asks again until it is so.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < PATIENCE, "it did not come to this: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}
