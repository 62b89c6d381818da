//! Where following begins, as people write it.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::client::Start;
use crate::event::Timestamp;

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begin {
    Beginning,
    New,
    At(Timestamp),
    Ago(Duration),
}

impl Begin {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "beginning" => return Ok(Self::Beginning),
            "new" => return Ok(Self::New),
            _ => (),
        }
        if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            return Ok(Self::At(time.with_timezone(&Utc).into()));
        }
        let expected =
            "beginning, new, a time as 2026-11-24T09:00:00Z, or how long ago as 90s, 15m, 2h or 7d is expected";
        seconds(text).map(Self::Ago).map_err(|_| expected.to_string())
    }

    pub(super) fn start(self) -> Start {
        match self {
            Self::Beginning => Start::Beginning,
            Self::New => Start::New,
            Self::At(time) => Start::Since(time),
            Self::Ago(age) => {
                let age = i64::try_from(age.as_micros()).unwrap_or(i64::MAX);
                Start::Since(Timestamp::from_micros(now().micros().saturating_sub(age)))
            }
        }
    }
}

/// A number and its unit: `90s`, `15m`, `2h`, `7d`.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let expected = || "a number of s, m, h or d is expected, as in 90s".to_string();
    let unit = match text.chars().last() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 60 * 60,
        Some('d') => 24 * 60 * 60,
        _ => return Err(expected()),
    };
    let number: u32 = text[..text.len() - 1].parse().map_err(|_| expected())?;
    Ok(Duration::from_secs(u64::from(number) * unit))
}

#[expect(clippy::disallowed_methods, reason = "how long ago something was is counted from here and now")]
fn now() -> Timestamp {
    Utc::now().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginnings_are_words_times_and_ages() {
        let at = |micros| Ok(Begin::At(Timestamp::from_micros(micros)));
        assert_eq!(Begin::parse("beginning"), Ok(Begin::Beginning));
        assert_eq!(Begin::parse("new"), Ok(Begin::New));
        assert_eq!(Begin::parse("1970-01-01T00:00:01.5Z"), at(1_500_000));
        assert_eq!(Begin::parse("1970-01-01T01:00:00+01:00"), at(0));
        for (text, seconds) in [("90s", 90), ("15m", 900), ("2h", 7_200), ("7d", 604_800)] {
            assert_eq!(Begin::parse(text), Ok(Begin::Ago(Duration::from_secs(seconds))));
        }
        for text in ["", "s", "-1s", "2 h", "1.5h", "yesterday", "2026-11-24", "99999999999d", "1µ"] {
            assert!(Begin::parse(text).is_err(), "{text}");
        }
    }
}
