//! The package `NAME-archive-keyring`: the public keys of an archive, as a package of the archive itself, so that
//! clients receive a new key while they still trust the old one.
//!
//! The keys are installed as `/usr/share/keyrings/NAME-archive-keyring.gpg`, the folder of Debian's own keys, which
//! sources.list(5) recommends for `Signed-By`. The binary form works with every apt that supports `Signed-By`, and with
//! gpgv, debootstrap and mmdebstrap. The keys of a published package are read from the package itself, not from its
//! index entry.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use jiff::Timestamp;

use crate::{
    deb::{self, NewDeb, gzip, installed_size},
    digest::Sha256Digest,
    dists::PackageEntry,
    names::{self, PackageName, Suite},
    pool::PoolPath,
    signing::{KeyReport, Keyring},
    store,
    suite::{archive::Archive, error::Error},
    version::Version,
};

/// The suffix of the names of keyring packages.
const END: &str = "-archive-keyring";
/// The maximal length of `NAME`: the paths in the package must fit into a tar header.
const LONGEST: usize = 40;
/// A larger package is not read.
const SIZE_LIMIT: u64 = 1 << 20;

/// A keyring package to build.
#[derive(Debug)]
#[non_exhaustive]
pub struct KeyringPackage<'a> {
    /// Its name.
    pub name: &'a PackageName,
    /// Its version.
    pub version: &'a Version,
    /// The owner of the archive, as free text.
    pub owner: &'a str,
    /// The maintainer; by default the owner.
    pub maintainer: Option<&'a str>,
    /// The keys.
    pub keys: &'a Keyring,
    /// The build time.
    pub now: SystemTime,
}

impl<'a> KeyringPackage<'a> {
    /// Returns a keyring package without a maintainer of its own.
    #[must_use]
    pub fn new(
        (name, version): (&'a PackageName, &'a Version),
        owner: &'a str,
        keys: &'a Keyring,
        now: SystemTime,
    ) -> Self {
        Self { name, version, owner, maintainer: None, keys, now }
    }
}

/// A keyring package that is published in a suite.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PublishedKeyring {
    /// Its version.
    pub version: Version,
    /// Its maintainer.
    pub maintainer: Option<String>,
    /// Its contents; `None` if its file cannot be read.
    pub content: Option<KeyringContent>,
    /// A path that it installs and a [`KeyringPackage`] does not: it was built by another tool.
    pub foreign: Option<String>,
}

/// The contents of a keyring package.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct KeyringContent {
    /// The package itself.
    pub deb: Bytes,
    /// The keys that it installs.
    pub keys: Keyring,
    /// Its build time as recorded in the package, which the signature of the suite covers.
    pub made: SystemTime,
}

/// Derives the name of the keyring package of an archive: for `Example, Inc.` it is `example-inc-archive-keyring`.
pub fn keyring_package_name(text: &str) -> Result<PackageName, names::Error> {
    let lower = text.trim().to_lowercase();
    let lower = lower.strip_suffix(END).unwrap_or(&lower);
    let mut name = String::new();
    for c in lower.chars() {
        match c {
            'a'..='z' | '0'..='9' | '+' | '.' => name.push(c),
            _ if name.ends_with('-') => {}
            _ => name.push('-'),
        }
    }
    let name = name.trim_matches(['-', '.', '+']);
    let name = name[..name.len().min(LONGEST)].trim_end_matches(['-', '.', '+']);
    // Without a letter or digit the name is empty, and parsing it returns the error.
    PackageName::parse(&if name.is_empty() { String::new() } else { format!("{name}{END}") })
}

/// Returns the path at which a keyring package installs its keys.
#[must_use]
pub fn keyring_path(package: &PackageName) -> String {
    format!("usr/share/keyrings/{package}.gpg")
}

/// Returns the version of a new keyring package: the day, with a number appended if that is not newer than the newest
/// one.
#[must_use]
pub fn keyring_version(newest: Option<&Version>, now: SystemTime) -> Version {
    let day = timestamp(now).strftime("%Y.%m.%d").to_string();
    let today = parse_version(&day);
    match newest {
        Some(newest) if today <= *newest => {
            let last = newest.as_str().strip_prefix(&day).and_then(|rest| rest.strip_prefix('.'));
            match last.and_then(|number| number.parse::<u32>().ok()?.checked_add(1)) {
                Some(number) => parse_version(&format!("{day}.{number}")),
                None => parse_version(&format!("{newest}.1")),
            }
        }
        _ => today,
    }
}

/// Parses a version that is valid by construction.
fn parse_version(text: &str) -> Version {
    Version::parse(text).unwrap_or_else(|error| unreachable!("{error}"))
}

fn timestamp(time: SystemTime) -> Timestamp {
    Timestamp::try_from(time).unwrap_or(Timestamp::UNIX_EPOCH)
}

impl KeyringPackage<'_> {
    /// Renders the `.deb`. The result is deterministic.
    pub fn render(&self) -> Result<Vec<u8>, Error> {
        let (name, reports) = (self.name, self.keys.reports(self.now));
        let failed = |source| Error::Input { path: name.to_string(), source };
        let keys = self.keys.binary().map_err(|source| Error::Keys { source })?;
        // As in Policy 12.3 and 12.7.
        let files = [
            (
                format!("usr/share/doc/{name}/changelog.gz"),
                gzip(self.changelog(&reports).as_bytes()).map_err(failed)?,
            ),
            (format!("usr/share/doc/{name}/copyright"), self.copyright().into_bytes()),
            (keyring_path(name), keys),
        ];
        let time = self.now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        NewDeb { control: &self.control(&reports, &files), files: &files, time }.render().map_err(failed)
    }

    fn control(&self, reports: &[KeyReport], files: &[(String, Vec<u8>)]) -> String {
        let Self { name, version, .. } = self;
        let (owner, size) = (line(self.owner), installed_size(files));
        let maintainer = line(self.maintainer.unwrap_or(self.owner));
        let mut text = format!(
            "Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: {maintainer}\nInstalled-Size: {size}\n\
             Section: misc\nPriority: optional\nMulti-Arch: foreign\n\
             Description: public keys of the archive of {owner}\n \
             The indices of the archive are signed with these keys. A source of apt\n \
             trusts them with this line:\n .\n  Signed-By: /{path}\n .\n Keys:\n",
            path = keyring_path(name),
        );
        for key in reports {
            let _ = writeln!(text, "  {}", described(key));
        }
        text
    }

    fn changelog(&self, reports: &[KeyReport]) -> String {
        let mut text = format!("{} ({}) unstable; urgency=medium\n\n", self.name, self.version);
        for key in reports {
            let _ = writeln!(text, "  * Key {}", described(key));
        }
        let maintainer = line(self.maintainer.unwrap_or(self.owner));
        // The form is fixed (deb-changelog(5)): a name, then an address, which may be empty.
        let address = if maintainer.ends_with('>') { "" } else { " <>" };
        let date = timestamp(self.now).strftime("%a, %d %b %Y %H:%M:%S +0000");
        let _ = write!(text, "\n -- {maintainer}{address}  {date}\n");
        text
    }

    fn copyright(&self) -> String {
        format!(
            "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\
             Upstream-Name: {}\n\n\
             Files: *\n\
             Copyright: none\n\
             License: public-domain\n \
             The keys in this package do not fall under any copyright. Everything else\n \
             in it is generated from them, and may be used without restriction.\n",
            line(self.owner)
        )
    }
}

/// Renders a key on one line; its user ID is untrusted text.
fn described(key: &KeyReport) -> String {
    let name = key.user_ids.first().map(|name| format!(" {}", line(name))).unwrap_or_default();
    let end = key.expires.as_ref().map(|day| format!(" (expires {day})")).unwrap_or_default();
    format!("{}{name}{end}", key.fingerprint)
}

/// Cleans untrusted text so that it fits on one line of a control file.
fn line(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let text = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.is_empty() { "unknown".to_owned() } else { text }
}

impl Archive {
    /// Returns the keyring packages of a name in a suite with their contents, the newest first.
    pub async fn keyring_packages(
        &self,
        suite: &Suite,
        package: &PackageName,
    ) -> Result<Vec<PublishedKeyring>, Error> {
        let published = self.suite(suite).await?;
        let mut found: Vec<PublishedKeyring> = Vec::new();
        for name in published.packages_keys() {
            for entry in published.index(&name).await?.named(package.as_str()) {
                let Ok(version) = Version::parse(entry.version()) else { continue };
                // The index of each architecture lists it.
                if !found.iter().any(|other| other.version.as_str() == version.as_str()) {
                    let maintainer = entry.field("Maintainer").map(String::from_utf8_lossy);
                    let maintainer = maintainer.map(std::borrow::Cow::into_owned);
                    let (content, foreign) = self.content(package, &entry).await?;
                    found.push(PublishedKeyring { version, maintainer, content, foreign });
                }
            }
        }
        found.sort_by(|one, other| other.version.cmp(&one.version));
        Ok(found)
    }

    /// Returns the names of the keyring packages of a suite that contain one of these keys. A suite may have others,
    /// such as Debian's own.
    pub async fn keyring_package_names(
        &self,
        suite: &Suite,
        keys: &Keyring,
    ) -> Result<Vec<PackageName>, Error> {
        let published = self.suite(suite).await?;
        let mut seen = BTreeSet::new();
        for name in published.packages_keys() {
            let entries = published.index(&name).await?.entries();
            seen.extend(
                entries.iter().map(PackageEntry::name).filter(|name| name.ends_with(END)).map(str::to_owned),
            );
        }
        let (ours, mut names) = (keys.fingerprints(), Vec::new());
        for name in seen {
            let Ok(name) = PackageName::parse(&name) else { continue };
            let packages = self.keyring_packages(suite, &name).await?;
            let mut held =
                packages.iter().filter_map(|package| Some(package.content.as_ref()?.keys.fingerprints()));
            if held.any(|held| held.iter().any(|key| ours.contains(key))) {
                names.push(name);
            }
        }
        Ok(names)
    }

    /// Reads the contents of a published keyring package, if possible, and a foreign path that it installs.
    async fn content(
        &self,
        package: &PackageName,
        entry: &PackageEntry,
    ) -> Result<(Option<KeyringContent>, Option<String>), Error> {
        let nothing = (None, None);
        let path = entry.filename().and_then(|name| PoolPath::parse(name).ok());
        let (Some(path), Some(listed), Some(..=SIZE_LIMIT)) = (path, entry.sha256(), entry.size()) else {
            return Ok(nothing);
        };
        let Some(object) =
            store::unless_larger(self.store.read(path.as_str(), store::Limit::bytes(SIZE_LIMIT)).await)?
        else {
            return Ok(nothing);
        };
        if Sha256Digest::of(&object.bytes) != listed {
            return Ok(nothing);
        }
        let Ok((file, others)) = deb::read_among(&object.bytes, &keyring_path(package)) else {
            return Ok(nothing);
        };
        let foreign = others.into_iter().find(|path| !path.starts_with("usr/share/doc/"));
        let Some(file) = file else { return Ok((None, foreign)) };
        let mut keys = Keyring::new();
        // A file that is not a keyring counts as one without keys.
        let _ = keys.add_bytes(path.as_str(), &file.bytes);
        let made = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(file.time));
        Ok((made.map(|made| KeyringContent { deb: object.bytes, keys, made }), foreign))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{deb::BinaryPackage, signing::NewKey};

    /// 2025-06-01 00:00:00 UTC.
    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_748_736_000)
    }

    #[test]
    fn names_are_derived_from_the_owner() {
        for (text, name) in [
            ("Example", "example-archive-keyring"),
            ("  Example, Inc. ", "example-inc-archive-keyring"),
            ("Bücher & More", "b-cher-more-archive-keyring"),
            ("c++.org", "c++.org-archive-keyring"),
            ("My-Archive-Keyring", "my-archive-keyring"),
        ] {
            assert_eq!(keyring_package_name(text).unwrap().as_str(), name, "{text}");
        }
        let long = keyring_package_name(&"x".repeat(300)).unwrap();
        assert_eq!(long.as_str().len(), LONGEST + END.len());
        for text in ["", " ", "-", "…", "日本"] {
            assert!(keyring_package_name(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_new_version_is_always_higher() {
        for (newest, version) in [
            (None, "2025.06.01"),
            (Some("2025.05.31.7"), "2025.06.01"),
            (Some("2025.06.01"), "2025.06.01.1"),
            (Some("2025.06.01.9"), "2025.06.01.10"),
            (Some("2026.01.01"), "2026.01.01.1"),
            (Some("1:1-1"), "1:1-1.1"),
            (Some("2025.06.01.99999999999"), "2025.06.01.99999999999.1"),
        ] {
            let newest = newest.map(parse_version);
            let made = keyring_version(newest.as_ref(), now());
            assert_eq!(made.as_str(), version);
            assert!(newest.is_none_or(|newest| newest < made), "{version}");
        }
    }

    #[test]
    fn a_package_is_deterministic_and_untrusted_text_adds_no_fields() {
        let new = NewKey::new("Evil <e@example.org>", now());
        let keys = new.generate().unwrap().public;
        let package = KeyringPackage {
            name: &keyring_package_name("example").unwrap(),
            version: &parse_version("2025.06.01"),
            owner: "Ex\nDepends: evil",
            maintainer: None,
            keys: &keys,
            now: now(),
        };
        let deb = package.render().unwrap();
        assert_eq!(deb, package.render().unwrap());
        let read = BinaryPackage::read(&deb[..]).unwrap();
        assert_eq!(read.field("Maintainer"), Some(&b"Ex Depends: evil"[..]));
        assert_eq!(read.field("Depends"), None);
        let file = deb::read_file(&deb, "usr/share/keyrings/example-archive-keyring.gpg").unwrap().unwrap();
        assert_eq!(file.bytes, keys.binary().unwrap());
    }
}
