//! Formats and parses times and durations.

use std::ops::Range;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Formats a time as in RFC 3339, in UTC, to the microsecond: `2026-01-31T23:59:59.000001Z`.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    let micros = match time.duration_since(UNIX_EPOCH) {
        Ok(since) => i128::try_from(since.as_micros()),
        Err(before) => i128::try_from(before.duration().as_micros()).map(|micros| -micros),
    };
    let micros = micros.unwrap_or_default();
    let second = second(micros.div_euclid(1_000_000));
    format!("{second}.{:06}Z", micros.rem_euclid(1_000_000))
}

/// Formats a time as in RFC 3339, in UTC and exactly, with 0, 3, 6 or 9 digits of a second's fraction:
/// `2026-01-31T23:59:59Z`, `2026-01-31T23:59:59.500Z`.
pub(crate) fn exact(time: SystemTime) -> String {
    let nanos = match time.duration_since(UNIX_EPOCH) {
        Ok(since) => i128::try_from(since.as_nanos()),
        Err(before) => i128::try_from(before.duration().as_nanos()).map(|nanos| -nanos),
    };
    let nanos = nanos.unwrap_or_default();
    let second = second(nanos.div_euclid(1_000_000_000));
    match nanos.rem_euclid(1_000_000_000) {
        0 => format!("{second}Z"),
        nanos if nanos % 1_000_000 == 0 => format!("{second}.{:03}Z", nanos / 1_000_000),
        nanos if nanos % 1_000 == 0 => format!("{second}.{:06}Z", nanos / 1_000),
        nanos => format!("{second}.{nanos:09}Z"),
    }
}

/// `2026-01-31T23:59:59`, from the number of seconds since 1970.
fn second(seconds: i128) -> String {
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
}

/// Parses a time as in RFC 3339, with any offset from UTC.
pub(crate) fn parse(text: &str) -> Option<SystemTime> {
    let part = |range: Range<usize>| number(text.get(range)?);
    let separated: [(usize, &[u8]); 5] =
        [(4, b"-"), (7, b"-"), (10, b"Tt "), (13, b":"), (16, b":")];
    if !separated.iter().all(|(at, any)| text.as_bytes().get(*at).is_some_and(|b| any.contains(b)))
    {
        return None;
    }
    let (year, month, day) = (part(0..4)?, part(5..7)?, part(8..10)?);
    let (hour, minute, second) = (part(11..13)?, part(14..16)?, part(17..19)?);
    let rest = text.get(19..)?;
    let (nanos, offset) = match rest.strip_prefix('.') {
        None => (0, rest),
        Some(rest) => {
            let end = rest.find(|c: char| !c.is_ascii_digit())?;
            let (digits, offset) = rest.split_at(end);
            // A missing digit is 0; those after the ninth are less than a nanosecond.
            (number(&format!("{digits:0<9}")[..9])?, offset)
        }
    };
    let offset = match offset.split_at_checked(1)? {
        ("Z" | "z", "") => 0,
        (sign @ ("+" | "-"), offset) => {
            let (hours, minutes) = offset.split_once(':')?;
            let (hours, minutes) = (number(hours)?, number(minutes)?);
            let is_valid = offset.len() == 5 && hours < 24 && minutes < 60;
            let seconds = (hours * 60 + minutes) * 60;
            if sign == "+" { is_valid.then_some(seconds)? } else { is_valid.then_some(-seconds)? }
        }
        _ => return None,
    };
    let days = days(year, month, day);
    // Second 60 is a leap second.
    if date(days) != (year, month, day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let seconds = days * 86_400 + hour * 3600 + minute * 60 + second - offset;
    let distance = Duration::from_secs(u64::try_from(seconds.unsigned_abs()).ok()?);
    let time = if seconds < 0 {
        UNIX_EPOCH.checked_sub(distance)
    } else {
        UNIX_EPOCH.checked_add(distance)
    };
    time?.checked_add(Duration::from_nanos(nanos.try_into().ok()?))
}

/// Parses digits alone, without a sign.
fn number(digits: &str) -> Option<i128> {
    digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// Formats a duration exactly, in the largest unit up to seconds: `1.5s`, `20ms`, `0ns`.
pub(crate) fn units(duration: Duration) -> String {
    let nanos = duration.subsec_nanos();
    let (whole, part, width, unit) = match (duration.as_secs(), nanos) {
        (0, 0..1_000) => (nanos.into(), 0, 0, "ns"),
        (0, 0..1_000_000) => ((nanos / 1_000).into(), nanos % 1_000, 3, "us"),
        (0, _) => ((nanos / 1_000_000).into(), nanos % 1_000_000, 6, "ms"),
        (whole, _) => (whole, nanos, 9, "s"),
    };
    let text: &str = &format!("{whole}.{part:0width$}");
    format!("{}{unit}", text.trim_end_matches('0').trim_end_matches('.'))
}

/// Parses a duration written as numbers with units, such as `1h30m`.
pub(crate) fn duration(mut rest: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (digits, more) = rest.split_at(number);
        let unit = more.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(more.len());
        let (unit, more) = more.split_at(unit);
        let nanos: u128 = match unit {
            "ns" => 1,
            "us" | "µs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" | "min" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            "d" => 86_400_000_000_000,
            _ => return None,
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let whole: u128 = whole.parse().ok()?;
        // Fifteen digits resolve a nanosecond of every unit.
        let fraction = &fraction[..fraction.len().min(15)];
        let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
        let fraction: u128 = fraction.parse().ok()?;
        let part = whole.checked_mul(nanos)?.checked_add(fraction * nanos / scale)?;
        let seconds = u64::try_from(part / 1_000_000_000).ok()?;
        let nanos = u32::try_from(part % 1_000_000_000).ok()?;
        total = total.checked_add(Duration::new(seconds, nanos))?;
        rest = more;
    }
    Some(total)
}

/// Returns the number of days since 1970-01-01, the inverse of [`date`].
fn days(year: i128, month: i128, day: i128) -> i128 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + (153 * month + 2) / 5 + day - 1 - 719_468
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

    use super::{date, duration, exact, parse, rfc3339, units};

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
            assert_eq!(super::days(year, month, day), days);
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

    #[test]
    fn exact_time_is_read_back() {
        for (nanos, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (1, "1970-01-01T00:00:00.000000001Z"),
            (1_767_225_599_000_020_000, "2025-12-31T23:59:59.000020Z"),
            (1_767_225_599_500_000_000, "2025-12-31T23:59:59.500Z"),
        ] {
            let time = UNIX_EPOCH + Duration::from_nanos(nanos);
            assert_eq!(exact(time), text);
            assert_eq!(parse(text), Some(time));
        }
        let early = UNIX_EPOCH - Duration::from_nanos(1);
        assert_eq!(exact(early), "1969-12-31T23:59:59.999999999Z");
        assert_eq!(parse("1969-12-31T23:59:59.999999999Z"), Some(early));
    }

    #[test]
    fn other_forms_of_rfc3339_are_read() {
        let second = |seconds| Some(UNIX_EPOCH + Duration::from_secs(seconds));
        for (text, time) in [
            ("1970-01-01 00:00:07z", second(7)),
            ("1970-01-02t01:30:00+01:30", second(86_400)),
            ("1969-12-31T23:00:00-01:00", second(0)),
            ("1970-01-01T00:00:01.000000000999Z", second(1)),
            ("2016-12-31T23:59:60Z", second(1_483_228_800)),
            ("1970-01-01T00:00:00", None),
            ("1970-01-01T00:00:00.", None),
            ("1970-01-01T00:00:00.5", None),
            ("1970-01-01T00:00:00Zz", None),
            ("1970-01-01T00:00:00+1:30", None),
            ("1970-01-01T00:00:00+24:00", None),
            ("1970-01-01T00:00:00+é:00", None),
            ("1970-02-29T00:00:00Z", None),
            ("1970-13-01T00:00:00Z", None),
            ("1970-00-01T00:00:00Z", None),
            ("1970-01-01T24:00:00Z", None),
            ("+970-01-01T00:00:00Z", None),
            ("1970/01/01T00:00:00Z", None),
            ("é970-01-01T00:00:00Z", None),
            ("", None),
        ] {
            assert_eq!(parse(text), time, "{text}");
        }
    }

    #[test]
    fn duration_is_read_back() {
        for (length, text) in [
            (Duration::ZERO, "0ns"),
            (Duration::from_micros(1), "1us"),
            (Duration::from_nanos(20_000_001), "20.000001ms"),
            (Duration::from_millis(1500), "1.5s"),
            (Duration::from_secs(3600), "3600s"),
            (Duration::MAX, "18446744073709551615.999999999s"),
        ] {
            assert_eq!(units(length), text);
            assert_eq!(duration(text), Some(length));
        }
    }
}
