//! Named points at which a crash test stops the process, or leaves a step out. In a release they are nothing.
//!
//! `EVERFEED_FAILPOINT=seal.file_synced` (with an optional `:N`, for the Nth time it is reached) aborts the
//! process there; `EVERFEED_FAILPOINT=skip.fdatasync` leaves every fdatasync of sled's file out.

#[cfg(feature = "failpoints")]
mod enabled {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

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

    pub(crate) fn skips(name: &str) -> bool {
        point().is_some_and(|point| point.name == name)
    }
}

#[cfg(feature = "failpoints")]
pub(crate) use enabled::{reached, skips};

/// Stops the process here if the test asked for it.
#[cfg(not(feature = "failpoints"))]
#[inline]
pub(crate) fn reached(_name: &str) {}

/// Whether the test asked for this step to be left out.
#[cfg(not(feature = "failpoints"))]
#[inline]
pub(crate) fn skips(_name: &str) -> bool {
    false
}
