//! Times of access logs.

use jiff::{Timestamp, civil, tz::TimeZone};

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Parses `01/Nov/2026:10:00:00 +0000`.
pub(super) fn bracketed(text: &str) -> Option<i64> {
    let (time, zone) = text.split_once(' ')?;
    let (date, time) = time.split_once(':')?;
    let mut parts = date.split('/');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    let month = MONTHS.iter().position(|name| name.eq_ignore_ascii_case(month))? + 1;
    let seconds = seconds(year.parse().ok()?, i8::try_from(month).ok()?, day.parse().ok()?, time)?;
    let (sign, digits) = match zone.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let zone: i64 = digits.parse().ok().filter(|_| digits.len() == 4)?;
    Some(seconds - sign * (zone / 100 * 3600 + zone % 100 * 60))
}

/// Parses `2026-11-01` and `10:00:00`, in UTC.
pub(super) fn of_date_and_time(date: &str, time: &str) -> Option<i64> {
    let mut parts = date.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    seconds(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?, time)
}

fn seconds(year: i16, month: i8, day: i8, time: &str) -> Option<i64> {
    let mut parts = time.split(':');
    let (hour, minute) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    // S3 may log fractions.
    let second: i8 = parts.next()?.split('.').next()?.parse().ok()?;
    let time = civil::DateTime::new(year, month, day, hour, minute, second.min(59), 0).ok()?;
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second())
}

/// The day of a time, in UTC.
pub(crate) fn day_of(time: i64) -> String {
    Timestamp::from_second(time).map(|time| time.strftime("%Y-%m-%d").to_string()).unwrap_or_default()
}

/// The first second of a day such as `2026-11-01`, in UTC.
pub(crate) fn start_of_day(day: &str) -> Option<i64> {
    of_date_and_time(day, "00:00:00")
}
