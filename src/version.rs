//! Versions of packages, ordered as dpkg orders them.
//!
//! Follows Debian Policy 5.6.12 and deb-version(7). The order is dpkg's to the letter (an absent number counts as 0, `~`
//! sorts before the end of a part); a property test compares it with `dpkg --compare-versions`.

use std::{cmp::Ordering, fmt};

/// A version `[epoch:]upstream[-revision]` that Debian Policy allows.
///
/// Two versions can be equal in order and still differ as text (`1.0` and `1.0-0`): equality here is of the order, as in
/// dpkg; compare [`Version::as_str`] where the text matters.
#[derive(Debug, Clone)]
pub struct Version {
    text: Box<str>,
    epoch: u32,
    upstream: usize,
    revision: usize,
}

/// Why a text cannot be a version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("version `{}` is not allowed: {why}", text.escape_debug())]
pub struct Error {
    text: String,
    why: &'static str,
}

impl Version {
    /// Checks a text against deb-version(7): with an epoch, `:` is allowed in the upstream version too.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Self::checked(text).map_err(|why| Error { text: text.to_owned(), why })
    }

    fn checked(text: &str) -> Result<Self, &'static str> {
        if text.is_empty() {
            return Err("it is empty");
        }
        let (epoch, upstream) = match text.find(':') {
            None => (0, 0),
            Some(colon) => {
                let digits = &text[..colon];
                if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
                    return Err("the epoch before `:` must be a number");
                }
                let epoch = digits.parse::<u32>().ok().filter(|&n| i32::try_from(n).is_ok());
                (epoch.ok_or("the epoch before `:` is too large")?, colon + 1)
            }
        };
        let hyphen = text[upstream..].rfind('-').map_or(text.len(), |at| upstream + at);
        let (up, rev) = (&text[upstream..hyphen], text.get(hyphen + 1..));
        if !up.starts_with(|c: char| c.is_ascii_digit()) {
            return Err("the upstream version must start with a digit (deb-version(7))");
        }
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'+' | b'~' | b'-' | b':');
        if !up.bytes().all(fits) {
            return Err("only letters, digits, `.`, `+`, `-` and `~` are allowed (Debian Policy 5.6.12)");
        }
        if let Some(rev) = rev {
            if rev.is_empty() {
                return Err("the revision after `-` is empty");
            }
            if !rev.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'+' | b'~')) {
                return Err(
                    "only letters, digits, `.`, `+` and `~` are allowed in the revision (Debian Policy 5.6.12)",
                );
            }
        }
        Ok(Self { text: text.into(), epoch, upstream, revision: hyphen })
    }

    /// The version as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The version without its epoch, as in file names.
    #[must_use]
    pub fn without_epoch(&self) -> &str {
        &self.text[self.upstream..]
    }

    fn upstream(&self) -> &[u8] {
        &self.text.as_bytes()[self.upstream..self.revision]
    }

    fn revision(&self) -> &[u8] {
        self.text.as_bytes().get(self.revision + 1..).unwrap_or_default()
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.epoch
            .cmp(&other.epoch)
            .then_with(|| compare_parts(self.upstream(), other.upstream()))
            .then_with(|| compare_parts(self.revision(), other.revision()))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Version {}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

/// Compares two upstream versions or two revisions: stretches of non-digits and numbers in turn.
fn compare_parts(mut a: &[u8], mut b: &[u8]) -> Ordering {
    while !a.is_empty() || !b.is_empty() {
        // A stretch of non-digits; past its end each side counts as a character of weight 0.
        loop {
            let (x, y) = (letter(a), letter(b));
            if x.is_none() && y.is_none() {
                break;
            }
            let order = weight(x).cmp(&weight(y));
            if order.is_ne() {
                return order;
            }
            // Equal weights are equal characters, so neither side has ended here.
            (a, b) = (&a[1..], &b[1..]);
        }
        let (x, rest_a) = number(a);
        let (y, rest_b) = number(b);
        let order = x.len().cmp(&y.len()).then_with(|| x.cmp(y));
        if order.is_ne() {
            return order;
        }
        (a, b) = (rest_a, rest_b);
    }
    Ordering::Equal
}

/// The first character, if it is not a digit.
fn letter(part: &[u8]) -> Option<u8> {
    part.first().copied().filter(|b| !b.is_ascii_digit())
}

/// `~` sorts before the end of a part, letters before all other characters.
fn weight(character: Option<u8>) -> i32 {
    match character {
        None => 0,
        Some(b'~') => -1,
        Some(b) if b.is_ascii_alphabetic() => i32::from(b),
        Some(b) => i32::from(b) + 256,
    }
}

/// The leading digits without leading zeros (no digits count as 0), and the rest.
fn number(part: &[u8]) -> (&[u8], &[u8]) {
    let end = part.iter().position(|b| !b.is_ascii_digit()).unwrap_or(part.len());
    let digits = &part[..end];
    let zeros = digits.iter().position(|&b| b != b'0').unwrap_or(digits.len());
    (&digits[zeros..], &part[end..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn v(text: &str) -> Version {
        Version::parse(text).unwrap()
    }

    #[test]
    fn orders_as_policy_says() {
        for (smaller, larger) in [
            ("1.0~rc1", "1.0"),
            ("1.0~~", "1.0~"),
            ("1.0", "1.0a"),
            ("1.0a", "1.0+b"),
            ("1.9", "1.10"),
            ("2.0", "1:0.1"),
            ("1.0", "1.0-1"),
            ("1.0-1~bpo", "1.0-1"),
            ("1.0~~", "1."),
        ] {
            assert!(v(smaller) < v(larger), "{smaller} {larger}");
        }
        for (a, b) in [("1.0", "1.0-0"), ("1.01", "1.1"), ("0:1", "1"), ("1.0-1~", "1.0-1~0")] {
            assert_eq!(v(a), v(b));
        }
    }

    #[test]
    fn file_names_have_no_epoch() {
        assert_eq!(v("1:2.0~rc1+b1-3").without_epoch(), "2.0~rc1+b1-3");
        assert_eq!(v("2.0").without_epoch(), "2.0");
        assert_eq!(v("1:2:3-4").without_epoch(), "2:3-4");
    }

    #[test]
    fn refuses_what_policy_forbids() {
        for bad in
            ["", "1.0-", "-1", "a1", ":1", "x:1", "1:", "1 0", "1/0", "1.0\n", "1_0", "../1", "9999999999:1"]
        {
            assert!(Version::parse(bad).is_err(), "{bad:?}");
        }
    }

    /// Calls the real dpkg; without it, `tests/run` has not been run and the test fails.
    fn dpkg(a: &str, relation: &str, b: &str) -> bool {
        let status = std::process::Command::new("dpkg").args(["--compare-versions", a, relation, b]).status();
        status.expect("dpkg is needed for this test").success()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn orders_as_dpkg_does(
            a in "([01]:)?[0-9][0-9a-b.+~]{0,5}(-[0-9a-b.+~]{1,3})?",
            b in "([01]:)?[0-9][0-9a-b.+~]{0,5}(-[0-9a-b.+~]{1,3})?",
        ) {
            let ours = v(&a).cmp(&v(&b));
            prop_assert_eq!(ours.is_lt(), dpkg(&a, "lt", &b), "{} lt {}", a, b);
            prop_assert_eq!(ours.is_eq(), dpkg(&a, "eq", &b), "{} eq {}", a, b);
        }
    }
}
