//! Formats a time.

use std::time::{SystemTime, UNIX_EPOCH};

/// Formats a time as in RFC 3339, in UTC, to the microsecond: `2026-01-31T23:59:59.000001Z`.
pub(super) fn rfc3339(time: SystemTime) -> String {
    let micros = match time.duration_since(UNIX_EPOCH) {
        Ok(since) => i128::try_from(since.as_micros()),
        Err(before) => i128::try_from(before.duration().as_micros()).map(|micros| -micros),
    };
    let micros = micros.unwrap_or_default();
    let (seconds, micro) = (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micro:06}Z")
}

/// Returns the year, month and day of the Gregorian calendar, from the number of days since 1970-01-01.
fn date(days: i128) -> (i128, i128, i128) {
    // Days are counted from March 1 of the year 0, so that a leap day is the last day of a year, and in
    // spans of 400 years, which all have the same number of days.
    const SPAN: i128 = 146_097;
    let days = days + 719_468;
    let (span, day) = (days.div_euclid(SPAN), days.rem_euclid(SPAN));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // March to July and August to December have 153 days each.
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (span * 400 + year + i128::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::{date, rfc3339};

    #[test]
    fn time_is_formatted_as_in_rfc3339() {
        // From `date -u -d @…`.
        let cases = [
            (0, "1970-01-01T00:00:00.000000Z"),
            (951_782_399, "2000-02-28T23:59:59.000000Z"),
            (951_782_400, "2000-02-29T00:00:00.000000Z"),
            (1_709_251_199, "2024-02-29T23:59:59.000000Z"),
            (1_767_225_599, "2025-12-31T23:59:59.000000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000000Z"),
            (253_402_300_799, "9999-12-31T23:59:59.000000Z"),
        ];
        for (seconds, text) in cases {
            assert_eq!(rfc3339(UNIX_EPOCH + Duration::from_secs(seconds)), text);
        }
        let micros = Duration::from_nanos(1_999);
        assert_eq!(rfc3339(UNIX_EPOCH + micros), "1970-01-01T00:00:00.000001Z");
        assert_eq!(rfc3339(UNIX_EPOCH - micros), "1969-12-31T23:59:59.999999Z");
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let (mut year, mut month, mut day) = (1600, 1, 1);
        for days in -135_140..200_000 {
            assert_eq!(date(days), (year, month, day), "{days}");
            let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let last = match month {
                2 if is_leap => 29,
                2 => 28,
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            day += 1;
            if day > last {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
    }
}
