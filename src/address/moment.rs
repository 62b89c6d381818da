//! Times in addresses, as people type them and as browsers send them.

use chrono::NaiveDateTime;

use crate::event::Timestamp;

/// The last moment of what a text names in UTC: of a day, a minute or a second, or the very microsecond. So whatever
/// happened in the second that somebody copied from a page is not newer than what they look for.
pub(super) fn last_moment(text: &str) -> Option<Timestamp> {
    let text = text.strip_suffix(['Z', 'z']).unwrap_or(text).replacen([' ', 't'], "T", 1);
    // The forms are told apart by their lengths: chrono would take years of any number of digits.
    let (text, micros) = match text.len() {
        10 => (text + "T23:59:59", 999_999),
        16 => (text + ":59", 999_999),
        19 => (text, 999_999),
        21..=29 => (text, 0),
        _ => return None,
    };
    let is_year = text.as_bytes().iter().take(4).all(u8::is_ascii_digit);
    let time = NaiveDateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S%.f").ok().filter(|_| is_year)?;
    Some(Timestamp::from_micros(Timestamp::from(time.and_utc()).micros() + micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_a_minute_and_a_second_are_meant_to_their_ends() {
        for (text, expected) in [
            ("2026-11-24", "2026-11-24T23:59:59.999999Z"),
            ("2026-11-24T16:04", "2026-11-24T16:04:59.999999Z"),
            ("2026-11-24 16:04:05", "2026-11-24T16:04:05.999999Z"),
            ("2026-11-24T16:04:05Z", "2026-11-24T16:04:05.999999Z"),
            ("2026-11-24t16:04:05.25z", "2026-11-24T16:04:05.250000Z"),
            ("2026-11-24T16:04:05.193884Z", "2026-11-24T16:04:05.193884Z"),
        ] {
            assert_eq!(last_moment(text).map(|time| time.to_string()).as_deref(), Some(expected), "{text}");
        }
        for wrong in
            ["", "now", "2026", "2026-13-01", "2026-11-24T25:00", "+026-11-24", "2026-11-24T16:04:05+01:00", "-"]
        {
            assert_eq!(last_moment(wrong), None, "{wrong}");
        }
    }
}
