//! Named points at which a crash test stops the process, or leaves a step out. In a release they are nothing.
//!
//! `EVERFEED_FAILPOINT=seal.file_synced` (with an optional `:N`, for the Nth time it is reached) aborts the
//! process there; `EVERFEED_FAILPOINT=skip.fdatasync` leaves every fdatasync of sled's file out.
//! `EVERFEED_CHUNK_EVENTS=500` cuts chunks after so many events, so that a test sees many of them.

use super::format::CHUNK_EVENTS_MAX;

#[cfg(feature = "failpoints")]
mod enabled {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::CHUNK_EVENTS_MAX;

    struct Point {
        name: String,
        countdown: AtomicU64,
    }

    fn point() -> Option<&'static Point> {
        static POINT: OnceLock<Option<Point>> = OnceLock::new();
        #[expect(clippy::disallowed_methods, reason = "a switch for crash tests, not a setting")]
        POINT
            .get_or_init(|| {
                let text = std::env::var("EVERFEED_FAILPOINT").ok()?;
                let (name, times) = text.split_once(':').unwrap_or((&text, "1"));
                let times = times.parse().expect("EVERFEED_FAILPOINT=name:times");
                Some(Point { name: name.to_string(), countdown: AtomicU64::new(times) })
            })
            .as_ref()
    }

    pub(crate) fn reached(name: &str) {
        if let Some(point) = point()
            && point.name == name
            && point.countdown.fetch_sub(1, Ordering::SeqCst) == 1
        {
            std::process::abort();
        }
    }

    pub(crate) fn reached_in(work: &str, step: &str) {
        if point().is_some_and(|point| point.name.split_once('.') == Some((work, step))) {
            reached(&format!("{work}.{step}"));
        }
    }

    pub(crate) fn skips(name: &str) -> bool {
        point().is_some_and(|point| point.name == name)
    }

    pub(crate) fn chunk_events_max() -> u32 {
        static MAX: OnceLock<u32> = OnceLock::new();
        #[expect(clippy::disallowed_methods, reason = "a switch for crash tests, not a setting")]
        *MAX.get_or_init(|| match std::env::var("EVERFEED_CHUNK_EVENTS") {
            Ok(text) => text.parse().expect("EVERFEED_CHUNK_EVENTS=events"),
            Err(_) => CHUNK_EVENTS_MAX,
        })
    }
}

#[cfg(feature = "failpoints")]
pub(crate) use enabled::{chunk_events_max, reached, reached_in, skips};

/// Stops the process here if the test asked for it.
#[cfg(not(feature = "failpoints"))]
#[inline]
pub(crate) fn reached(_name: &str) {}

/// As [`reached`], at a step that several kinds of work have: `{work}.{step}`.
#[cfg(not(feature = "failpoints"))]
#[inline]
pub(crate) fn reached_in(_work: &str, _step: &str) {}

/// Whether the test asked for this step to be left out.
#[cfg(not(feature = "failpoints"))]
#[inline]
pub(crate) fn skips(_name: &str) -> bool {
    false
}

/// The most events in one chunk.
#[cfg(not(feature = "failpoints"))]
#[inline]
pub(crate) fn chunk_events_max() -> u32 {
    CHUNK_EVENTS_MAX
}
