//! Times: UTC, in microseconds.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};

/// A moment in microseconds since 1970-01-01T00:00:00Z, written with six digits and `Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The last moment of the year 9999: what RFC 3339 can write with four digits.
    const MICROS_MAX: i64 = 253_402_300_799_999_999;

    /// From microseconds since 1970; outside the years 1970 to 9999 the nearest moment within.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        if micros < 0 {
            Self(0)
        } else if micros > Self::MICROS_MAX {
            Self(Self::MICROS_MAX)
        } else {
            Self(micros)
        }
    }

    /// Microseconds since 1970.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// The same moment for calendar arithmetic.
    #[must_use]
    pub fn to_utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0).expect("the constructor keeps to the years 1970 to 9999")
    }

    /// The same moment for HTTP dates.
    #[must_use]
    pub fn to_system_time(self) -> std::time::SystemTime {
        self.to_utc().into()
    }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(moment: DateTime<Utc>) -> Self {
        Self::from_micros(moment.timestamp_micros())
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339, always with six digits: `2026-11-23T09:30:00.000000Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_utc().to_rfc3339_opts(SecondsFormat::Micros, true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_always_have_six_digits_and_a_z() {
        assert_eq!(Timestamp::from_micros(0).to_string(), "1970-01-01T00:00:00.000000Z");
        assert_eq!(Timestamp::from_micros(1_291_191_960_000_001).to_string(), "2010-12-01T08:26:00.000001Z");
        assert_eq!(Timestamp::from_micros(i64::MAX).to_string(), "9999-12-31T23:59:59.999999Z");
        assert_eq!(Timestamp::from_micros(-1).to_string(), "1970-01-01T00:00:00.000000Z");
    }
}
