//! Values that several configuration files have, with the text of what is expected.

use std::time::Duration;

pub(super) const SPAN: &str = "a span such as `12h`, `7d` or `2w`";
pub(super) const CACHE_CONTROL: &str = "a whole header value, such as `max-age=60, must-revalidate`";
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

/// `12h`, `7d`, `2w`, or several of them; a number alone and `m` (minutes or months) would be ambiguous.
pub fn parse_span(text: &str) -> Result<Duration, String> {
    span(text).ok_or_else(|| format!("expected {SPAN}"))
}

pub(super) fn span(text: &str) -> Option<Duration> {
    let mut hours: u64 = 0;
    for part in text.split_whitespace() {
        let (count, unit) = part.split_at_checked(part.len() - 1)?;
        let unit = match unit {
            "h" => 1,
            "d" => 24,
            "w" => 7 * 24,
            _ => return None,
        };
        let count: u64 = count.bytes().all(|b| b.is_ascii_digit()).then(|| count.parse().ok())??;
        hours = count.checked_mul(unit).and_then(|more| hours.checked_add(more))?;
    }
    // More than a hundred years is not useful, and the limit prevents overflow in sums with times.
    (1..=100 * 366 * 24).contains(&hours).then(|| Duration::from_secs(hours * 3600))
}
