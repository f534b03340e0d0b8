//! The cache headers of each file, judged for the caches between a web server and its clients.
//!
//! A cache that keeps the pointer for hours shows clients a generation that is hours old, and one that keeps a
//! canonical index name serves files of one generation beside the pointer of another. Immutable files may be kept for
//! ever, and should be. See RFC 9111.

use std::time::Duration;

use indicatif::HumanDuration;

use crate::store::ResponseHeaders;

/// The longest time that caches may keep a file that changes.
const LONGEST: Duration = Duration::from_secs(60 * 60);
/// The shortest time that caches should keep an immutable file.
const LONG: Duration = Duration::from_secs(24 * 60 * 60);

/// Whether a file of an archive changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Changes {
    /// The pointer, and the files under canonical names.
    Often,
    /// The pool, and the by-hash files.
    Never,
}

/// Findings that are reported once, with a count, and not for each file.
#[derive(Debug, Default)]
pub(super) struct Caches {
    /// Files that change and have no cache headers.
    silent: Sample,
    /// The number of immutable files.
    fixed: usize,
    /// Immutable files that may not be kept for long.
    short: Sample,
}

/// The number of files, and one example.
#[derive(Debug, Default)]
struct Sample {
    number: usize,
    first: Option<String>,
}

impl Sample {
    fn add(&mut self, path: &str) {
        self.merge(Self { number: 1, first: Some(path.to_owned()) });
    }

    /// The example is the same in whichever order the files were answered.
    fn merge(&mut self, other: Self) {
        self.number += other.number;
        self.first = self.first.take().into_iter().chain(other.first).min();
    }
}

impl Caches {
    pub(super) fn merge(&mut self, other: Self) {
        self.silent.merge(other.silent);
        self.fixed += other.fixed;
        self.short.merge(other.short);
    }

    /// Checks the response headers of a file; returns the problems.
    pub(super) fn served(&mut self, path: &str, changes: Changes, served: &ResponseHeaders) -> Vec<String> {
        let mut wrong = Vec::new();
        if let Some(encoding) = &served.content_encoding {
            wrong.push(format!(
                "it is served with `Content-Encoding: {encoding}`: clients that honour it unpack the file and find other bytes than those listed"
            ));
        }
        let control = served.cache_control.as_deref().unwrap_or("Expires");
        match (changes, Keeping::of(served)) {
            (Changes::Often, None) => self.silent.add(path),
            (Changes::Often, Some(Keeping { immutable: true, .. })) => {
                wrong.push(format!("caches keep it indefinitely (`{control}`), but it changes"));
            }
            (Changes::Often, Some(Keeping { time, .. })) if time > LONGEST => {
                let time = HumanDuration(time);
                wrong.push(format!(
                    "caches may keep it for {time} (`{control}`): clients see a new version that much later"
                ));
            }
            (Changes::Often, _) => {}
            (Changes::Never, keeping) => {
                self.fixed += 1;
                if keeping.is_none_or(|keeping| !keeping.immutable && keeping.time < LONG) {
                    self.short.add(path);
                }
            }
        }
        wrong
    }

    /// Returns the findings about all files together.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(path) = &self.silent.first {
            notes.push(format!(
                "{} that can change: served without `Cache-Control`, such as `{path}`: each cache guesses how long it may keep them; send `max-age=60, must-revalidate`",
                files(self.silent.number)
            ));
        }
        if let Some(path) = &self.short.first {
            notes.push(format!(
                "{} of {} that never change (pool and by-hash) may be kept only briefly, such as `{path}`: caches fetch them repeatedly; send `max-age=31536000, immutable`",
                self.short.number,
                files(self.fixed)
            ));
        }
        notes
    }
}

fn files(number: usize) -> String {
    if number == 1 { "1 file".to_owned() } else { format!("{} files", indicatif::HumanCount(number as u64)) }
}

/// How long a cache may serve a file without revalidation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Keeping {
    pub(super) time: Duration,
    /// Not even a client that reloads revalidates.
    pub(super) immutable: bool,
}

impl Keeping {
    /// Reads the headers; `None` if they set no lifetime.
    pub(super) fn of(served: &ResponseHeaders) -> Option<Self> {
        let nothing = Self { time: Duration::ZERO, immutable: false };
        let Some(text) = &served.cache_control else {
            return served.expires_in.map(|time| Self { time, ..nothing });
        };
        let (mut own, mut shared, mut beyond, mut immutable) = (None, None, Duration::ZERO, false);
        for directive in text.split(',') {
            let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
            let time = || seconds(value.trim().trim_matches('"')).map(Duration::from_secs);
            match &name.trim().to_ascii_lowercase()[..] {
                "no-store" | "no-cache" => return Some(nothing),
                "max-age" => own = time(),
                "s-maxage" => shared = time(),
                // During that time the stale file is still served.
                "stale-while-revalidate" => beyond = time().unwrap_or_default(),
                "immutable" => immutable = true,
                _ => {}
            }
        }
        if own.is_none() && shared.is_none() && !immutable {
            return served.expires_in.map(|time| Self { time, ..nothing });
        }
        let time = own.into_iter().chain(shared).max().unwrap_or_default().saturating_add(beyond);
        Some(Self { time, immutable })
    }
}

/// A number of seconds; one that is too large saturates (RFC 9111, section 1.2.2).
fn seconds(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keeping(text: &str) -> Option<(u64, bool)> {
        let served = ResponseHeaders { cache_control: Some(text.to_owned()), ..ResponseHeaders::default() };
        Keeping::of(&served).map(|keeping| (keeping.time.as_secs(), keeping.immutable))
    }

    #[test]
    fn directives_in_every_spelling() {
        for (text, seconds, immutable) in [
            ("max-age=60", 60, false),
            ("public, Max-Age = 60 , must-revalidate", 60, false),
            ("max-age=\"60\"", 60, false),
            ("max-age=0, s-maxage=86400", 86400, false),
            ("max-age=86400, s-maxage=60", 86400, false),
            ("max-age=60, stale-while-revalidate=3600", 3660, false),
            ("public, max-age=31536000, immutable", 31_536_000, true),
            ("immutable", 0, true),
            ("max-age=99999999999999999999999, stale-while-revalidate=1", u64::MAX, false),
            ("no-cache", 0, false),
            ("max-age=86400, no-cache", 0, false),
            ("no-store, immutable", 0, false),
        ] {
            assert_eq!(keeping(text), Some((seconds, immutable)), "{text}");
        }
        for silent in ["", "public", "must-revalidate", "max-age=soon"] {
            assert_eq!(keeping(silent), None, "{silent}");
        }
    }

    #[test]
    fn expires_counts_where_nothing_else_does() {
        let hour = Some(Duration::from_secs(3600));
        let served = |text: Option<&str>| ResponseHeaders {
            cache_control: text.map(str::to_owned),
            expires_in: hour,
            ..ResponseHeaders::default()
        };
        let time = |text| Keeping::of(&served(text)).map(|keeping| keeping.time.as_secs());
        assert_eq!(time(None), Some(3600));
        assert_eq!(time(Some("public")), Some(3600));
        assert_eq!(time(Some("max-age=60")), Some(60));
    }

    #[test]
    fn each_kind_of_file_is_held_to_its_own() {
        let served = |text: &str| ResponseHeaders {
            cache_control: Some(text.to_owned()),
            ..ResponseHeaders::default()
        };
        let (mut caches, mut faults) = (Caches::default(), Vec::new());
        for (path, changes, text) in [
            ("a", Changes::Often, "max-age=3600"),
            ("b", Changes::Often, "max-age=3601"),
            ("c", Changes::Often, "max-age=1, immutable"),
            ("d", Changes::Never, "max-age=31536000"),
            ("f", Changes::Never, "max-age=60"),
            ("e", Changes::Never, "no-cache"),
        ] {
            faults.extend(caches.served(path, changes, &served(text)).into_iter().map(|_| path));
        }
        assert_eq!(caches.served("g", Changes::Often, &ResponseHeaders::default()), [""; 0]);
        assert_eq!(faults, ["b", "c"]);
        let notes = caches.notes();
        assert!(notes[0].starts_with("1 file that can change") && notes[0].contains("`g`"), "{notes:?}");
        assert!(notes[1].starts_with("2 of 3 files") && notes[1].contains("`e`"), "{notes:?}");
    }
}
