//! The names of an archive: suite, component, architecture, package name.
//!
//! Each is checked once, here, and its type proves it: a [`PackageName`] may become part of a path without another
//! check. Rules: Debian Policy 5.6.1 (package names), 11.1 (architectures), and the paths that apt can request.

use std::{fmt, str::FromStr};

/// Why a text cannot be a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} `{}` is not allowed: {why}", text.escape_debug())]
pub struct Error {
    what: &'static str,
    text: String,
    why: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal, $check:path) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(Box<str>);

        impl $type {
            /// Checks a text against the rules of this kind of name.
            pub fn parse(text: &str) -> Result<Self, Error> {
                match $check(text) {
                    Ok(()) => Ok(Self(text.into())),
                    Err(why) => Err(Error { what: $what, text: text.to_owned(), why }),
                }
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = Error;
            fn from_str(text: &str) -> Result<Self, Error> {
                Self::parse(text)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

name!(
    /// The name of a package, as dpkg and apt accept it: Debian Policy 5.6.1, and `_` or a single character as well.
    PackageName,
    "package name",
    package_name
);
name!(
    /// A Debian architecture such as `amd64`, or `all` (Debian Policy 11.1).
    Architecture,
    "architecture",
    architecture
);
name!(
    /// A component of a suite such as `main` or `updates/main`.
    Component,
    "component",
    folder_name
);
name!(
    /// The folder of a suite below `dists/`, such as `stable` or `bookworm/updates`: what a client writes in `Suites:`.
    Suite,
    "suite",
    suite_name
);

impl PackageName {
    /// The rule of Debian Policy that a name breaks, if any; dpkg and apt accept it, and other tools may refuse it.
    #[must_use]
    pub fn policy_fault(&self) -> Option<&'static str> {
        if self.0.contains('_') {
            return Some(
                "only lower case letters, digits, `+`, `-` and `.` are allowed (Debian Policy 5.6.1)",
            );
        }
        (self.0.len() < 2).then_some("it must have at least two characters (Debian Policy 5.6.1)")
    }
}

impl Architecture {
    /// The architecture of packages that run everywhere.
    #[must_use]
    pub fn all() -> Self {
        Self("all".into())
    }

    /// The name under which reprepro and apt list source packages. No binary package has it, and [`Architecture::parse`]
    /// refuses it.
    #[must_use]
    pub fn source() -> Self {
        Self(SOURCE.into())
    }

    /// Whether this is `source`.
    #[must_use]
    pub fn is_source(&self) -> bool {
        &*self.0 == SOURCE
    }

    /// Parses an architecture that selects packages: also `source`.
    pub fn parse_selector(text: &str) -> Result<Self, Error> {
        if text == SOURCE { Ok(Self::source()) } else { Self::parse(text) }
    }

    /// Whether this is `all`.
    #[must_use]
    pub fn is_all(&self) -> bool {
        &*self.0 == "all"
    }

    /// Whether it is a variant of another one, which clients of that one read besides: a name that dpkg does not know, and
    /// that begins with the architecture.
    #[must_use]
    pub(crate) fn is_variant_of(&self, base: &Self) -> bool {
        !self.is_known() && self != base && self.0.starts_with(&*base.0)
    }

    /// Whether dpkg knows it (`dpkg-architecture --list-known`), so that a machine can have it.
    #[must_use]
    pub fn is_known(&self) -> bool {
        let is_cpu = |text: &str| CPUS.contains(&text);
        self.is_all()
            || OTHER_ARCHITECTURES.contains(&&*self.0)
            || is_cpu(&self.0)
            || SYSTEMS.iter().any(|system| self.0.strip_prefix(system).is_some_and(is_cpu))
    }
}

/// The processors that dpkg knows (`cputable`).
const CPUS: [&str; 41] = [
    "alpha",
    "amd64",
    "arc",
    "arm",
    "arm64",
    "armeb",
    "avr32",
    "hppa",
    "i386",
    "ia64",
    "loong64",
    "m32r",
    "m68k",
    "mips",
    "mips64",
    "mips64el",
    "mips64r6",
    "mips64r6el",
    "mipsel",
    "mipsr6",
    "mipsr6el",
    "nios2",
    "or1k",
    "powerpc",
    "powerpcel",
    "ppc64",
    "ppc64el",
    "riscv32",
    "riscv64",
    "s390",
    "s390x",
    "sh3",
    "sh3eb",
    "sh4",
    "sh4eb",
    "sparc",
    "sparc64",
    "sw64",
    "tilegx",
    "armel",
    "armhf",
];
/// The operating systems that dpkg knows, other than Linux with glibc (`ostable`).
const SYSTEMS: [&str; 16] = [
    "uclibc-linux-",
    "musl-linux-",
    "kfreebsd-",
    "knetbsd-",
    "kopensolaris-",
    "hurd-",
    "darwin-",
    "dragonflybsd-",
    "freebsd-",
    "netbsd-",
    "openbsd-",
    "aix-",
    "solaris-",
    "uclinux-",
    "mint-",
    "gnu-linux-",
];
/// Architectures with an ABI of their own (`tupletable`).
const OTHER_ARCHITECTURES: [&str; 7] =
    ["arm64ilp32", "mipsn32", "mipsn32el", "mipsn32r6", "mipsn32r6el", "powerpcspe", "x32"];
const SOURCE: &str = "source";

fn package_name(text: &str) -> Result<(), &'static str> {
    let first = *text.as_bytes().first().ok_or("it is empty")?;
    if text.bytes().any(|b| b.is_ascii_uppercase()) {
        // apt compares names with their case, and dpkg stores them without it.
        return Err("dpkg stores names in lower case, so apt would never find the package installed");
    }
    if !text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'+' | b'-' | b'.' | b'_')) {
        return Err("only lower case letters, digits, `+`, `-` and `.` are allowed (Debian Policy 5.6.1)");
    }
    if !first.is_ascii_alphanumeric() {
        return Err("it must start with a letter or a digit (Debian Policy 5.6.1)");
    }
    Ok(())
}

fn architecture(text: &str) -> Result<(), &'static str> {
    if text.is_empty() {
        return Err("it is empty");
    }
    if matches!(text, "any" | "source") || text.split('-').any(|part| part == "any") {
        return Err("a binary package is built for one architecture, or for `all`");
    }
    if !text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-')) || text.starts_with('-') {
        return Err("only lower case letters, digits and `-` are allowed");
    }
    Ok(())
}

/// A folder, or a snapshot in one: `FOLDER/snapshots/NAME`, where the name may have several parts, such as `2026/11`.
fn suite_name(text: &str) -> Result<(), &'static str> {
    match text.split_once("/snapshots/") {
        Some((suite, name)) => folder_name(suite).and_then(|()| folder_name(name)),
        None => folder_name(text),
    }
}

/// One or more words joined by `/`; no part may be hidden, be `..`, or be a name that `publish` uses within a suite.
fn folder_name(text: &str) -> Result<(), &'static str> {
    if text.is_empty() {
        return Err("it is empty");
    }
    if !text
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.' | b'_' | b'~' | b'/'))
    {
        return Err("only letters, digits, `+`, `-`, `.`, `_`, `~` and `/` are allowed");
    }
    for part in text.split('/') {
        if part.is_empty() || part.starts_with(['.', '-']) {
            return Err("each part between `/` must start with a letter, a digit, `_`, `~` or `+`");
        }
        if matches!(part, "by-hash" | "generations" | "snapshots") {
            return Err("`by-hash`, `generations` and `snapshots` are reserved for the archive itself");
        }
        if matches!(part, "InRelease" | "Release" | "Release.gpg") {
            return Err("`InRelease`, `Release` and `Release.gpg` are the names of release files");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_names_follow_policy() {
        for good in ["acpi", "g++", "libstdc++6", "0ad", "r-base.1"] {
            let name = PackageName::parse(good).unwrap();
            assert_eq!((name.as_str(), name.policy_fault()), (good, None));
        }
        for odd in ["a", "foo_bar"] {
            assert!(PackageName::parse(odd).unwrap().policy_fault().is_some(), "{odd}");
        }
        for bad in ["", "Foo", "_x", "../../etc", "foo bar", "foo\nbar", "-foo", "+x", "föö", "a/b"] {
            assert!(PackageName::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn architectures_are_concrete() {
        for good in ["amd64", "all", "kfreebsd-amd64", "i386", "x32"] {
            assert!(Architecture::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "any", "linux-any", "any-arm", "source", "AMD64", "amd64 i386", "-x", "a/b", ".."] {
            assert!(Architecture::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn architectures_that_dpkg_knows() {
        let known = std::process::Command::new("dpkg-architecture").arg("--list-known").output();
        let known = String::from_utf8(known.expect("dpkg-dev is needed for this test").stdout).unwrap();
        assert!(known.lines().count() > 300, "{known}");
        for known in known.lines().chain(["all", "loong64"]) {
            assert!(Architecture::parse(known).unwrap().is_known(), "{known}");
        }
        for other in ["noarch", "x86-64", "aarch64", "armv7l", "none", "amd", "amd64v3", "linux-"] {
            assert!(!Architecture::parse(other).unwrap().is_known(), "{other}");
        }
    }

    #[test]
    fn suites_and_components_stay_below_their_folder() {
        for good in
            ["stable", "a/b", "1.0", "noble-security", "v2_x", "~beta", "a/b/snapshots/1", "a/snapshots/b/c"]
        {
            assert!(Suite::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "/stable",
            "stable/",
            "a//b",
            "..",
            "a/../b",
            ".hidden",
            "a b",
            "stable/by-hash",
            "stable/InRelease",
            "Release",
            "a/Release.gpg/b",
            "-x",
            "é",
            "a/snapshots",
            "snapshots/a",
            "a/snapshots/b/",
            "a/snapshots//b",
            "a/snapshots/b/snapshots/c",
            "a/snapshots/snapshots/b",
        ] {
            assert!(Suite::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_error_shows_the_text_escaped() {
        let error = PackageName::parse("foo\nbar").unwrap_err();
        assert!(error.to_string().starts_with("package name `foo\\nbar` is not allowed: only lower case"));
    }
}
