//! The grammar of spans of time, in configuration files and on the command line: `12h`, `7d`, `2w`, `1m`, `1y`, or several
//! of them.

/// The expected form, for errors.
pub(crate) const SPAN: &str = "a span such as `12h`, `7d`, `2w`, `1m` or `1y`";

/// A unit of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Hour,
    Day,
    Week,
    Month,
    Year,
}

impl Unit {
    fn parse(letter: u8) -> Option<Self> {
        Some(match letter {
            b'h' => Self::Hour,
            b'd' => Self::Day,
            b'w' => Self::Week,
            b'm' => Self::Month,
            b'y' => Self::Year,
            _ => return None,
        })
    }

    /// Its hours, where spans have a fixed length: a month has 31 days and a year 365, as in reprepro's `ValidFor`.
    pub(crate) fn hours(self) -> u64 {
        match self {
            Self::Hour => 1,
            Self::Day => 24,
            Self::Week => 7 * 24,
            Self::Month => 31 * 24,
            Self::Year => 365 * 24,
        }
    }
}

/// Splits a span into its numbers and units; only a number at the end may have no unit.
pub(crate) fn parts(text: &str) -> Option<Vec<(u64, Option<Unit>)>> {
    let mut parts = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let count = rest[..digits].parse().ok()?;
        rest = rest[digits..].trim_start();
        let unit = match rest.bytes().next() {
            Some(letter) => Some(Unit::parse(letter)?),
            None => None,
        };
        parts.push((count, unit));
        rest = rest.get(1..).unwrap_or_default().trim_start();
    }
    Some(parts)
}
