//! Values that several configuration files have, with the text of what is expected.

use std::time::Duration;

use reqwest::Url;

pub(super) use crate::span::SPAN;
use crate::span::{Unit, parts};

pub(super) const CACHE_CONTROL: &str = "a whole header value, such as `max-age=60, must-revalidate`";
pub(super) const PUBLIC_URL: &str = "the `http://` or `https://` URL of the archive, without a password";
pub(super) const GENERATIONS: &str = "a number from 1 on";

/// A folded value is one line in a header.
pub(super) fn cache_control(value: &str) -> Option<String> {
    let value = value.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    value.bytes().all(|b| b == b' ' || b.is_ascii_graphic()).then_some(value)
}

/// How many generations of a suite are retained: at least the current one.
pub(super) fn generations(value: &str) -> Option<usize> {
    value.parse().ok().filter(|&count| count > 0)
}

/// Parses the number of retained generations, from a command line.
pub fn parse_generations(text: &str) -> Result<usize, String> {
    generations(text).ok_or_else(|| format!("expected {GENERATIONS}"))
}

/// Parses a span of time, from a command line.
pub fn parse_span(text: &str) -> Result<Duration, String> {
    span(text).ok_or_else(|| format!("expected {SPAN}"))
}

/// Parses `12h`, `7d`, `2w`, `1m`, `1y`, or several of them.
///
/// A month has 31 days and a year 365, as in reprepro's `ValidFor`. A number needs a unit: `7` could be hours or days.
pub(super) fn span(text: &str) -> Option<Duration> {
    hours(text, None)
}

/// Parses a span that may be zero: `0`.
pub(super) fn span_or_zero(text: &str) -> Option<Duration> {
    if text.trim() == "0" { Some(Duration::ZERO) } else { span(text) }
}

/// Parses a span in which a number without a unit is a number of days, as reprepro reads `ValidFor`.
pub(super) fn span_in_days(text: &str) -> Option<Duration> {
    hours(text, Some(Unit::Day))
}

/// More than a hundred years is not useful, and the limit prevents overflow in sums with times.
const MOST: u64 = 100 * 366 * 24;

fn hours(text: &str, without_unit: Option<Unit>) -> Option<Duration> {
    let mut sum: u64 = 0;
    for (count, unit) in parts(text)? {
        let hours = unit.or(without_unit)?.hours();
        sum = count.checked_mul(hours).and_then(|more| sum.checked_add(more))?;
    }
    (1..=MOST).contains(&sum).then(|| Duration::from_secs(sum * 3600))
}

/// Whether a text is the URL of an archive for clients: without a user, a password, a query or a fragment. It is published,
/// and paths are appended to it.
pub(crate) fn is_public_url(value: &str) -> bool {
    let plain = value.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'?' | b'#' | b'\\' | b'@'));
    let web = |url: Url| matches!(url.scheme(), "http" | "https") && url.has_host();
    // The parser accepts `https:/host` and `https:///host` too.
    let strict = value.split_once("://").is_some_and(|(_, rest)| !rest.starts_with('/'));
    plain && strict && Url::parse(value).is_ok_and(web)
}

/// The URL of an archive for clients, without a final slash.
pub(super) fn public_url(value: &str) -> Option<String> {
    is_public_url(value).then(|| value.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_one_grammar() {
        for (text, hours) in [
            ("12h", 12),
            ("7d", 7 * 24),
            ("2w", 14 * 24),
            ("1m", 31 * 24),
            ("1y", 365 * 24),
            ("2w 12h", 14 * 24 + 12),
            ("1m3d", 34 * 24),
            (" 7 d ", 7 * 24),
        ] {
            let expected = Some(Duration::from_secs(hours * 3600));
            assert_eq!(span(text), expected, "{text}");
            assert_eq!(span_in_days(text), expected, "{text}");
        }
        for bad in
            ["", "0d", "d", "7x", "7dd", "-1d", "1.5d", "101y", "99999999999999999999d", "7d soon", "7é"]
        {
            assert_eq!((span(bad), span_in_days(bad)), (None, None), "{bad}");
        }
        assert_eq!((span("7"), span_in_days("7")), (None, span("7d")));
    }
}
