//! The whole caching rule. The only place that writes `Cache-Control`; handlers say what an answer *is*, and the permit
//! that it was made with says who else may have it.
//!
//! `public, max-age=1, stale-while-revalidate=2` instead of `no-cache` for what changes: a shared second lets
//! any number of pollers cost the origin one request a second, while proxies turn `no-cache` into no
//! coalescing and full answers to every conditional request. `s-maxage` would forbid the stale answers.
//!
//! Whether an answer is `public` follows from the rights alone and never from what a request carries: a cache may keep
//! a public answer to a request that had credentials, and must not keep a private one to a request that had none.

use std::borrow::Cow;

use hyper::header::{CACHE_CONTROL, HeaderMap, HeaderValue};

use crate::access::Audience;
use crate::event::Settings;

/// What may be truncated is kept this long.
const TRUNCATABLE_SECONDS: u32 = 3_600;

/// What an answer is, as far as caches are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// A complete canonical page, a single event by its number, its data: the same bytes for ever.
    Frozen,
    /// A complete page off the grid: it never changes either, but there is one for every place to start at.
    OffGrid,
    /// Whatever the next append may change.
    Live,
    /// What there is: service and category documents.
    Overview,
    /// What a later truncation may change, and what a stream's settings (`$cacheControl`) give so many seconds to.
    Seconds(u32),
    /// A complete page or an event as EventStore JSON, in that API's words.
    EventStoreFrozen,
    /// Anything else as EventStore JSON.
    EventStoreLive,
    /// Not found, and may come at any moment.
    MayCome,
    /// Gone for good.
    Gone,
    /// A redirect that holds for ever.
    Moved,
    /// Answers to POST, to long polls, problems, health: for this caller, now.
    Never,
}

impl Freshness {
    /// All of them; one for all numbers of seconds.
    #[cfg(test)]
    const ALL: [Self; 11] = [
        Self::Frozen,
        Self::OffGrid,
        Self::Live,
        Self::Overview,
        Self::Seconds(7),
        Self::EventStoreFrozen,
        Self::EventStoreLive,
        Self::MayCome,
        Self::Gone,
        Self::Moved,
        Self::Never,
    ];

    /// For a spelling of an address that our own links never use. It gets the same bytes, but strangers cannot
    /// fill caches with it.
    pub(crate) fn of_another_spelling(self) -> Self {
        match self {
            Self::Frozen | Self::OffGrid => Self::Live,
            Self::EventStoreFrozen => Self::EventStoreLive,
            Self::Seconds(_) | Self::Overview => Self::Live,
            Self::Live | Self::EventStoreLive | Self::MayCome | Self::Gone | Self::Moved | Self::Never => self,
        }
    }

    /// For what shows events of other streams by link: they may be removed.
    pub(crate) fn of_what_others_may_change(self) -> Self {
        match self {
            Self::Frozen | Self::OffGrid | Self::EventStoreFrozen => Self::Seconds(TRUNCATABLE_SECONDS),
            other => other,
        }
    }

    /// For a stream with these settings: what may be truncated must not be kept for ever, and what changes may be
    /// kept as long as its owners say.
    pub(crate) fn of_a_stream_with(self, settings: &Settings) -> Self {
        match (self, settings.cache_control) {
            (Self::Frozen | Self::OffGrid | Self::EventStoreFrozen, _) if settings.has_limits() => {
                Self::Seconds(TRUNCATABLE_SECONDS)
            }
            (Self::Live | Self::EventStoreLive, Some(seconds)) => Self::Seconds(seconds),
            _ => self,
        }
    }

    /// What caches are told.
    pub(crate) fn cache_control(self, audience: Audience) -> Cow<'static, str> {
        match (audience, self) {
            (Audience::Everybody, _) => self.for_everybody(),
            (Audience::Some, _) => self.for_some(),
            (Audience::Reader, Self::Never) => self.for_some(),
            // Another reader, or the same one with other rights, gets something else at the same address.
            (Audience::Reader, _) => "private, no-cache".into(),
        }
    }

    fn for_everybody(self) -> Cow<'static, str> {
        let fixed = match self {
            Self::Seconds(seconds) => return format!("public, max-age={seconds}").into(),
            Self::Frozen => "public, max-age=31536000, immutable",
            Self::OffGrid => "public, max-age=3600",
            Self::Overview => "public, max-age=10, stale-while-revalidate=60, stale-if-error=86400",
            Self::Live => "public, max-age=1, stale-while-revalidate=2, stale-if-error=86400",
            Self::EventStoreFrozen | Self::Moved => "max-age=31536000, public",
            Self::EventStoreLive => "max-age=0, no-cache, must-revalidate",
            Self::MayCome => "public, max-age=1",
            Self::Gone => "public, max-age=60",
            Self::Never => "no-store",
        };
        fixed.into()
    }

    /// Nothing is kept by caches that serve more than one; what changes is asked after each time, since the right may
    /// end before it does.
    fn for_some(self) -> Cow<'static, str> {
        let fixed = match self {
            Self::Seconds(seconds) => return format!("private, max-age={seconds}").into(),
            Self::Frozen => "private, max-age=31536000, immutable",
            Self::OffGrid => "private, max-age=3600",
            Self::EventStoreFrozen | Self::Moved => "max-age=31536000, private",
            Self::EventStoreLive => "max-age=0, private, no-cache, must-revalidate",
            Self::Overview | Self::Live | Self::MayCome => "private, no-cache",
            Self::Gone => "private, max-age=60",
            Self::Never => "no-store",
        };
        fixed.into()
    }
}

/// Writes the header.
pub(crate) fn apply(freshness: Freshness, audience: Audience, headers: &mut HeaderMap) {
    let value = match freshness.cache_control(audience) {
        Cow::Borrowed(value) => HeaderValue::from_static(value),
        Cow::Owned(value) => HeaderValue::from_str(&value).expect("words and digits"),
    };
    headers.insert(CACHE_CONTROL, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_spelling_never_lives_longer_than_a_second_in_a_shared_cache() {
        use Freshness::{EventStoreFrozen, EventStoreLive, Frozen, Gone, Live, MayCome, Never, OffGrid};
        for freshness in [Frozen, OffGrid, Live, EventStoreFrozen, EventStoreLive, MayCome, Never] {
            let value = freshness.of_another_spelling().for_everybody();
            assert!(!value.contains("max-age=3"), "{value}");
        }
        assert_eq!(Gone.of_another_spelling(), Gone);
    }

    #[test]
    fn what_not_everybody_may_have_is_kept_by_no_shared_cache() {
        for freshness in Freshness::ALL {
            let value = freshness.cache_control(Audience::Some);
            let words: Vec<&str> = value.split(", ").collect();
            let is_kept_from_others = words.contains(&"private") || words == ["no-store"];
            assert!(is_kept_from_others, "{freshness:?}: {value}");
            for word in ["public", "stale-while-revalidate", "stale-if-error", "s-maxage"] {
                assert!(!value.contains(word), "{freshness:?}: {value}");
            }
            // How long it lives otherwise is the same, or it is asked after each time.
            let lives = |value: &str| value.split(", ").find(|word| word.starts_with("max-age=")).map(String::from);
            let is_asked_after = words.contains(&"no-cache");
            let is_as_for_everybody = lives(&value) == lives(&freshness.for_everybody());
            assert!(is_asked_after || is_as_for_everybody, "{freshness:?}: {value}");
            let of_a_reader = freshness.cache_control(Audience::Reader);
            assert!(matches!(&*of_a_reader, "private, no-cache" | "no-store"), "{freshness:?}: {of_a_reader}");
        }
    }
}
