//! Times as pages have them: RFC 3339 in all its spellings.

use chrono::{DateTime, NaiveDate};

use crate::event::Timestamp;

/// The moment that a text names. Between microseconds it is the earlier one.
pub(super) fn time(text: &str) -> Option<Timestamp> {
    ours(text.as_bytes()).or_else(|| Some(DateTime::parse_from_rfc3339(text).ok()?.to_utc().into()))
}

/// Our own spelling, `2026-11-23T09:30:00.000000Z`: nearly all that are read.
fn ours(text: &[u8]) -> Option<Timestamp> {
    let text: &[u8; 27] = text.try_into().ok()?;
    for (at, mark) in [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':'), (19, b'.'), (26, b'Z')] {
        if text[at] != mark {
            return None;
        }
    }
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + u32::from(digit - b'0')))
    };
    let year = number(&text[..4])?.cast_signed();
    let date = NaiveDate::from_ymd_opt(year, number(&text[5..7])?, number(&text[8..10])?)?;
    let [hour, minute, second] = [number(&text[11..13])?, number(&text[14..16])?, number(&text[17..19])?];
    Some(date.and_hms_micro_opt(hour, minute, second, number(&text[20..26])?)?.and_utc().into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rfc3339_every_spelling_is_read() {
        let noon = time("2026-11-23T12:00:00.000000Z").expect("a time");
        assert_eq!(noon.to_string(), "2026-11-23T12:00:00.000000Z");
        for same in [
            "2026-11-23T12:00:00Z",
            "2026-11-23t12:00:00z",
            "2026-11-23T12:00:00.0Z",
            "2026-11-23T12:00:00.0000009Z",
            "2026-11-23T12:00:00.000000000000Z",
            "2026-11-23T13:30:00+01:30",
            "2026-11-23T04:00:00-08:00",
            "2026-11-23T12:00:00-00:00",
        ] {
            assert_eq!(time(same), Some(noon), "{same}");
        }
        assert_eq!(time("2003-12-13T18:30:02.25+01:00").expect("a time").to_string(), "2003-12-13T17:30:02.250000Z");
        assert_eq!(time("1990-12-31T23:59:60Z").expect("a leap second").to_string(), "1991-01-01T00:00:00.000000Z");
        assert_eq!(time("0001-01-01T00:00:00Z"), Some(Timestamp::from_micros(0)), "the earliest there is");
    }

    #[test]
    fn what_is_no_moment_is_none() {
        for text in [
            "",
            "2026-11-23",
            "2026-11-23T12:00:00",
            "2026-11-23T12:00:00.000000",
            "2026-13-23T12:00:00.000000Z",
            "2026-02-29T12:00:00.000000Z",
            "2026-11-23T24:00:00.000000Z",
            "2026-11-23T12:60:00.000000Z",
            "2026-11-23T12:00:00.+00000Z",
            "2026-11-23T12:00:00.00000éZ",
            "Tue, 24 Nov 2026 12:00:00 GMT",
        ] {
            assert_eq!(time(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_we_write_is_read(micros in 0_i64..253_402_300_800_000_000) {
            let moment = Timestamp::from_micros(micros);
            prop_assert_eq!(ours(moment.to_string().as_bytes()), Some(moment));
        }
    }
}
