//! Times, numbers and base64, written straight into bytes: a replay writes millions of them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::event::Timestamp;

/// Writes RFC 3339 with six digits and `Z`, as [`Timestamp`] displays itself.
pub(super) fn push_time(time: Timestamp, out: &mut Vec<u8>) {
    let micros = time.micros().unsigned_abs();
    let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let mut text = *b"0000-00-00T00:00:00.000000Z";
    for (at, digits, value) in [
        (0, 4, year),
        (5, 2, month),
        (8, 2, day),
        (11, 2, second / 3_600),
        (14, 2, second / 60 % 60),
        (17, 2, second % 60),
        (20, 6, micros),
    ] {
        let mut value = value;
        for digit in text[at..at + digits].iter_mut().rev() {
            *digit = b'0' + (value % 10) as u8;
            value /= 10;
        }
    }
    out.extend_from_slice(&text);
}

/// The date of a day, counted from 1970-01-01. Years are counted from March, so that the leap day is the last
/// one, and in spans of 400 years, which are all alike.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (span, day_of_span) = (days / 146_097, days % 146_097);
    let year_of_span = (day_of_span - day_of_span / 1_460 + day_of_span / 36_524 - day_of_span / 146_096) / 365;
    let day_of_year = day_of_span - (365 * year_of_span + year_of_span / 4 - year_of_span / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (span * 400 + year_of_span + u64::from(month <= 2), month, day)
}

/// Writes a number in decimal.
pub(super) fn push_decimal(mut value: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

/// Writes base64 in one line (RFC 4648 §4).
pub(super) fn push_base64(data: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + data.len().div_ceil(3) * 4, 0);
    STANDARD.encode_slice(data, &mut out[start..]).expect("four characters for each three bytes begun");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = b"> ".to_vec();
        write(&mut out);
        String::from_utf8(out).expect("text").split_off(2)
    }

    proptest! {
        #[test]
        fn times_are_written_as_they_display_themselves(micros in 0_i64..253_402_300_800_000_000) {
            let time = Timestamp::from_micros(micros);
            prop_assert_eq!(written(|out| push_time(time, out)), time.to_string());
        }

        #[test]
        fn numbers_are_written_in_decimal(value in any::<u64>(), shift in 0_u32..64) {
            prop_assert_eq!(written(|out| push_decimal(value >> shift, out)), (value >> shift).to_string());
        }

        #[test]
        fn base64_is_that_of_everybody(data in prop::collection::vec(any::<u8>(), 0..50)) {
            prop_assert_eq!(written(|out| push_base64(&data, out)), STANDARD.encode(&data));
        }
    }

    #[test]
    fn leap_days_and_the_ends_of_time_are_right() {
        for micros in [0, 951_782_400_000_000, 951_868_799_999_999, 4_107_542_400_000_000, 253_402_300_799_999_999] {
            let time = Timestamp::from_micros(micros);
            assert_eq!(written(|out| push_time(time, out)), time.to_string());
        }
        assert_eq!(written(|out| push_decimal(0, out)), "0");
    }
}
