//! Shell-like patterns for names of packages and files: `*`, `?` and `[…]`, as in reprepro's `listmatched` and in its
//! formulas. `*` and `?` also match a slash.

/// A pattern that a whole text has to match; upper and lower case differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// This character.
    Exactly(char),
    /// Any one character.
    One,
    /// Any text, also none.
    Many,
    /// One character in one of the ranges, or in none of them.
    Class { ranges: Vec<(char, char)>, negated: bool },
}

impl Glob {
    /// Reads a pattern; every text is one. A `[` without its `]` stands for itself.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut rest = text.chars();
        while let Some(first) = rest.next() {
            parts.push(match first {
                '*' => Part::Many,
                '?' => Part::One,
                '[' => match class(rest.as_str()) {
                    Some((class, after)) => {
                        rest = after.chars();
                        class
                    }
                    None => Part::Exactly('['),
                },
                other => Part::Exactly(other),
            });
        }
        parts.dedup_by(|one, other| *one == Part::Many && *other == Part::Many);
        Self { parts }
    }

    /// Whether a text has a character that a pattern gives a meaning; others match only themselves.
    #[must_use]
    pub fn is_pattern(text: &str) -> bool {
        text.contains(['*', '?', '['])
    }

    /// Whether the whole text matches. The time is at most the product of both lengths.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let (mut at, mut rest) = (0, text.chars());
        // The last `*`, and the text that it has not consumed yet.
        let mut retry: Option<(usize, std::str::Chars<'_>)> = None;
        loop {
            let mut after = rest.clone();
            let next = after.next();
            match (self.parts.get(at), next) {
                (None, None) => return true,
                (Some(Part::Many), _) => {
                    retry = Some((at + 1, rest.clone()));
                    at += 1;
                    continue;
                }
                (Some(part), Some(char)) if part.accepts(char) => {
                    (at, rest) = (at + 1, after);
                    continue;
                }
                _ => {}
            }
            let Some((from, unread)) = &mut retry else { return false };
            if unread.next().is_none() {
                return false;
            }
            (at, rest) = (*from, unread.clone());
        }
    }
}

impl Part {
    fn accepts(&self, char: char) -> bool {
        match self {
            Self::Exactly(own) => *own == char,
            Self::One => true,
            Self::Many => false,
            Self::Class { ranges, negated } => {
                ranges.iter().any(|(from, to)| (*from..=*to).contains(&char)) != *negated
            }
        }
    }
}

/// Reads the text after a `[`: the class, and the text after its `]`. A `]` that comes first belongs to the class.
fn class(text: &str) -> Option<(Part, &str)> {
    let negated = text.starts_with(['!', '^']);
    let body = if negated { &text[1..] } else { text };
    let first = body.chars().next()?.len_utf8();
    let end = first + body[first..].find(']')?;
    let chars: Vec<char> = body[..end].chars().collect();
    let mut ranges = Vec::new();
    let mut at = 0;
    while let Some(&from) = chars.get(at) {
        let to = chars.get(at + 2).filter(|_| chars[at + 1] == '-');
        ranges.push((from, to.copied().unwrap_or(from)));
        at += if to.is_some() { 3 } else { 1 };
    }
    Some((Part::Class { ranges, negated }, &body[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_texts() {
        for (pattern, matching, other) in [
            ("foo", &["foo"][..], &["", "fo", "fooo", "FOO"][..]),
            ("*", &["", "foo", "ö"], &[]),
            ("f*", &["f", "foo"], &["", "xf"]),
            ("*o", &["o", "foo"], &["of"]),
            ("f**o", &["fo", "foo", "fxo"], &["f", "ox"]),
            ("?o?", &["foo", "öo "], &["fo", "fooo"]),
            ("*a*b", &["ab", "aab", "xaybb"], &["ba", "abc"]),
            ("lib*-dev", &["libfoo-dev", "lib-dev-dev"], &["libfoo-devel", "libdev"]),
            ("[a-f]oo", &["foo", "aoo"], &["goo", "oo"]),
            ("[!f]oo", &["goo"], &["foo", "oo"]),
            ("[^f]oo", &["goo"], &["foo"]),
            ("[]f]oo", &["]oo", "foo"], &["xoo"]),
            ("[-f]oo", &["-oo", "foo"], &["goo"]),
            ("[f-]oo", &["-oo", "foo"], &["goo"]),
            ("[f", &["[f"], &["f"]),
            ("[]", &["[]"], &["x"]),
            ("a[", &["a["], &["a"]),
            ("www/*", &["www/", "www/a/b.html"], &["www", "x/www/a"]),
            ("f\\o", &["f\\o"], &["fo"]),
            ("", &[""], &["x"]),
        ] {
            let glob = Glob::new(pattern);
            for text in matching {
                assert!(glob.matches(text), "`{pattern}` should match `{text}`");
            }
            for text in other {
                assert!(!glob.matches(text), "`{pattern}` should not match `{text}`");
            }
        }
    }

    /// An exponential search would not end.
    #[test]
    fn many_stars_end_soon() {
        let glob = Glob::new(&"*a".repeat(50));
        assert!(!glob.matches(&format!("{}b", "a".repeat(5000))));
    }
}
