//! One package of a `Packages` or `Sources` index: its stanza as in the index, and its identity.

use std::{cmp::Ordering, ops::Range};

use bytes::Bytes;

use crate::{
    deb::{BinaryPackage, SourcePackage},
    digest::{Digests, Md5Digest, Sha256Digest},
    package_type::PackageType,
    pool::PoolPath,
    version::Version,
};

/// The percentage of machines to which apt offers an upgrade (apt-get(8), `APT::Get::Always-Include-Phased-Updates`).
const PHASED: &str = "Phased-Update-Percentage";

/// The architecture of source packages in reprepro and apt.
pub(super) const SOURCE: &str = "source";

/// One package of an index: its stanza, and the ranges of the three parts of its identity.
#[derive(Clone)]
pub struct PackageEntry {
    /// With its last newline, without empty lines.
    stanza: Bytes,
    parts: Parts,
    package_type: PackageType,
}

/// The ranges of the parts of an identity in a stanza.
#[derive(Clone)]
struct Parts {
    name: Range<u32>,
    version: Range<u32>,
    /// `None` for a source package.
    architecture: Option<Range<u32>>,
}

/// The source that a package was built from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its version, which may differ from the package's.
    pub version: &'a str,
}

/// The identity of a package. No index has two packages with the same one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity<'a> {
    pub(super) name: &'a str,
    version: &'a str,
    architecture: &'a str,
}

/// Why a stanza of an index is not a package.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A required field is missing.
    #[error("the stanza at line {line} has no field `{field}`")]
    Lacks {
        /// The line on which the stanza begins.
        line: usize,
        /// The field.
        field: &'static str,
    },
    /// A field that is read as text is not UTF-8.
    #[error("the stanza at line {line} has a `{field}` that is not UTF-8")]
    NotText {
        /// The line on which the stanza begins.
        line: usize,
        /// The field.
        field: &'static str,
    },
}

impl PackageEntry {
    /// Builds the stanza of a .deb: its control fields unchanged, then those that the index adds.
    #[must_use]
    pub fn of(package: &BinaryPackage, path: &PoolPath) -> Self {
        let Digests { size, md5, sha256 } = package.digests();
        let control = package.control_for_index();
        let added = format!("Filename: {}\nSize: {size}\nMD5sum: {md5}\nSHA256: {sha256}\n", path.as_str());
        let text = [&*control, added.as_bytes()].concat();
        // A package that was read has these fields, so its stanza has them.
        Self::read(text.into(), 1, package.package_type())
            .unwrap_or_else(|error| unreachable!("the stanza of a .deb: {error}"))
    }

    /// Builds the stanza of a source package whose files are in this folder.
    #[must_use]
    pub fn of_source(package: &SourcePackage, folder: &str) -> Self {
        let text = package.stanza_for_index(folder);
        Self::read(text.into(), 1, PackageType::Dsc)
            .unwrap_or_else(|error| unreachable!("the stanza of a .dsc: {error}"))
    }

    pub(super) fn read(stanza: Bytes, line: usize, package_type: PackageType) -> Result<Self, Error> {
        let parts = Parts::find(&stanza, line, package_type)?;
        Ok(Self { stanza, parts, package_type })
    }

    /// The type of the package, which is that of the index.
    #[must_use]
    pub fn package_type(&self) -> PackageType {
        self.package_type
    }

    pub(super) fn identity(&self) -> Identity<'_> {
        self.parts.of(&self.stanza)
    }

    /// The value of `Package`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.identity().name
    }

    /// The value of `Version`.
    #[must_use]
    pub fn version(&self) -> &str {
        self.identity().version
    }

    /// The value of `Architecture`; `source` for a source package.
    #[must_use]
    pub fn architecture(&self) -> &str {
        self.identity().architecture
    }

    /// The architecture whose index lists it: its variant (`Architecture-Variant`), or else its architecture.
    #[must_use]
    pub fn index_architecture(&self) -> &str {
        let variant = || std::str::from_utf8(self.field("Architecture-Variant")?).ok();
        let of_binary = Some(()).filter(|()| !self.is_source());
        of_binary
            .and_then(|()| variant())
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| self.architecture())
    }

    /// Whether it is a source package.
    #[must_use]
    pub fn is_source(&self) -> bool {
        self.parts.architecture.is_none()
    }

    /// The source that it was built from: `Source: NAME (VERSION)`, with the package's own name or version as the
    /// default; for a source package, itself.
    #[must_use]
    pub fn source(&self) -> Source<'_> {
        let Identity { name, version, .. } = self.identity();
        let package = Source { name, version };
        if self.is_source() { package } else { source_of(&self.stanza, package) }
    }

    /// The value of any other field.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&[u8]> {
        field_of(&self.stanza, name).map(|range| &self.stanza[range])
    }

    /// The value of a field, sharing the memory of the index.
    pub(super) fn shared_field(&self, name: &str) -> Option<Bytes> {
        field_of(&self.stanza, name).map(|range| self.stanza.slice(range))
    }

    /// The same package with another text of one field, which may begin further fields, and without another field.
    pub(super) fn with_replaced(&self, field: &str, text: &[u8], removed: &str) -> Self {
        let mut stanza = Vec::with_capacity(self.stanza.len() + text.len());
        let mut is_left_out = false;
        for line in self.stanza.split_inclusive(|&b| b == b'\n') {
            // A folded line belongs to the field before it.
            if !line.starts_with(b" ") && !line.starts_with(b"\t") {
                let is_field = field_of(line, field).is_some();
                if is_field {
                    stanza.extend_from_slice(&[field.as_bytes(), b": ", text, b"\n"].concat());
                }
                is_left_out = is_field || field_of(line, removed).is_some();
            }
            if !is_left_out {
                stanza.extend_from_slice(line);
            }
        }
        Self::read(stanza.into(), 1, self.package_type)
            .unwrap_or_else(|error| unreachable!("a stanza that was read: {error}"))
    }

    /// The value of `Filename`, if it is text.
    #[must_use]
    pub fn filename(&self) -> Option<&str> {
        std::str::from_utf8(self.field("Filename")?).ok()
    }

    /// The value of `Size`.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        std::str::from_utf8(self.field("Size")?).ok()?.parse().ok()
    }

    /// The value of `SHA256`.
    #[must_use]
    pub fn sha256(&self) -> Option<Sha256Digest> {
        std::str::from_utf8(self.field("SHA256")?).ok()?.parse().ok()
    }

    /// The value of `MD5sum`.
    #[must_use]
    pub fn md5(&self) -> Option<Md5Digest> {
        std::str::from_utf8(self.field("MD5sum")?).ok()?.parse().ok()
    }

    /// The percentage of machines that this version is offered to; 100 if it is not phased.
    #[must_use]
    pub fn phased(&self) -> u8 {
        phased_of(&self.stanza)
    }

    /// The same package with another percentage.
    #[must_use]
    pub fn with_phased(&self, percent: u8) -> Self {
        let without = self.with_field(PHASED, None);
        if percent < 100 { without.with_field(PHASED, Some(&percent.to_string())) } else { without }
    }

    /// The same package with this value of a field, in its place or else as the last one; without the field if there is no
    /// value. A value is one line; the caller ensures that the field is not part of the identity.
    #[must_use]
    pub(crate) fn with_field(&self, name: &str, value: Option<&str>) -> Self {
        let value = value.map(|value| value.split_whitespace().collect::<Vec<_>>().join(" "));
        let mut text =
            Vec::with_capacity(self.stanza.len() + name.len() + value.as_ref().map_or(0, String::len) + 3);
        let mut new = value.map(|value| format!("{name}: {value}\n"));
        let mut is_left_out = false;
        for line in self.stanza.split_inclusive(|&b| b == b'\n') {
            // A folded line belongs to the field before it.
            if !line.starts_with(b" ") && !line.starts_with(b"\t") {
                is_left_out = field_of(line, name).is_some();
                if is_left_out && let Some(new) = new.take() {
                    text.extend_from_slice(new.as_bytes());
                }
            }
            if !is_left_out {
                text.extend_from_slice(line);
            }
        }
        text.extend_from_slice(new.unwrap_or_default().as_bytes());
        // Nothing else has changed.
        Self::read(text.into(), 1, self.package_type)
            .unwrap_or_else(|error| unreachable!("a stanza that was read: {error}"))
    }

    /// The stanza as in the index.
    #[must_use]
    pub fn stanza(&self) -> &[u8] {
        &self.stanza
    }

    /// The stanza, sharing the memory of the index.
    pub(super) fn shared_stanza(&self) -> Bytes {
        self.stanza.clone()
    }

    /// Whether this is the same package: equal type, and equal name, version and architecture as text.
    #[must_use]
    pub fn is_same_package(&self, other: &Self) -> bool {
        self.package_type == other.package_type && self.identity() == other.identity()
    }

    /// The order of packages in an index.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        self.identity().order(&other.identity())
    }

    /// Compares versions as dpkg does; versions that Policy does not allow come first, in the order of their text.
    #[must_use]
    pub fn order_of_versions(&self, other: &Self) -> Ordering {
        order_of_versions(self.version(), other.version())
    }
}

impl Parts {
    /// Finds the parts in a stanza that begins on `line`; they must be text.
    fn find(stanza: &[u8], line: usize, package_type: PackageType) -> Result<Self, Error> {
        let part = |field| {
            let value = field_of(stanza, field).ok_or(Error::Lacks { line, field })?;
            if std::str::from_utf8(&stanza[value.clone()]).is_err() {
                return Err(Error::NotText { line, field });
            }
            // A stanza of more than 4 GiB is not part of any index that apt could read.
            let bound = |at| u32::try_from(at).map_err(|_| Error::NotText { line, field });
            Ok(bound(value.start)?..bound(value.end)?)
        };
        // The architectures in the stanza of a source package are not part of its identity.
        let architecture = match package_type {
            PackageType::Dsc => None,
            _ => Some(part("Architecture")?),
        };
        Ok(Self { name: part("Package")?, version: part("Version")?, architecture })
    }

    fn of<'a>(&self, stanza: &'a [u8]) -> Identity<'a> {
        let text = |range: &Range<u32>| {
            // They were validated as UTF-8 when they were found.
            std::str::from_utf8(&stanza[range.start as usize..range.end as usize]).unwrap_or_default()
        };
        Identity {
            name: text(&self.name),
            version: text(&self.version),
            architecture: self.architecture.as_ref().map_or(SOURCE, text),
        }
    }
}

impl<'a> Identity<'a> {
    /// Reads it from a stanza; `None` if it is not a package.
    pub(super) fn read(stanza: &'a [u8], package_type: PackageType) -> Option<Self> {
        let part = |field| std::str::from_utf8(&stanza[field_of(stanza, field)?]).ok();
        let architecture = match package_type {
            PackageType::Dsc => SOURCE,
            _ => part("Architecture")?,
        };
        Some(Self { name: part("Package")?, version: part("Version")?, architecture })
    }

    /// The order of packages in an index.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        let by_name = self.name.cmp(other.name);
        by_name
            .then_with(|| order_of_versions(self.version, other.version))
            .then_with(|| self.version.cmp(other.version))
            .then_with(|| self.architecture.cmp(other.architecture))
    }
}

/// The source that a stanza names; the defaults are those of the package itself.
pub(super) fn source_of<'a>(stanza: &'a [u8], package: Source<'a>) -> Source<'a> {
    let text = field_of(stanza, "Source").and_then(|range| std::str::from_utf8(&stanza[range]).ok());
    let text = text.unwrap_or_default();
    let (named, rest) = text.split_at(text.find([' ', '\t', '(']).unwrap_or(text.len()));
    let rest = rest.trim_matches([' ', '\t']);
    let version = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or(package.version);
    Source { name: if named.is_empty() { package.name } else { named }, version: version.trim() }
}

/// The percentage of machines that a stanza is offered to.
pub(super) fn phased_of(stanza: &[u8]) -> u8 {
    let text = field_of(stanza, PHASED).and_then(|range| std::str::from_utf8(&stanza[range]).ok());
    text.and_then(|text| text.trim().parse().ok()).map_or(100, |percent: u8| percent.min(100))
}

pub(crate) fn order_of_versions(one: &str, other: &str) -> Ordering {
    match (Version::parse(one).ok(), Version::parse(other).ok()) {
        (None, None) => one.cmp(other),
        (one, other) => one.cmp(&other),
    }
}

/// The range of the value of a field in a stanza; reads no more than the names of the fields before it.
pub(super) fn field_of(stanza: &[u8], name: &str) -> Option<Range<usize>> {
    let mut line = 0;
    while line < stanza.len() {
        let end = memchr::memchr(b'\n', &stanza[line..]).map_or(stanza.len(), |at| line + at);
        let text = &stanza[line..end];
        let is_field = text.len() > name.len()
            && text[name.len()] == b':'
            && text[..name.len()].eq_ignore_ascii_case(name.as_bytes());
        if is_field {
            let blank = |b: &u8| matches!(b, b' ' | b'\t');
            let mut stop = end;
            while stanza.get(stop + 1).is_some_and(blank) {
                stop = memchr::memchr(b'\n', &stanza[stop + 1..]).map_or(stanza.len(), |at| stop + 1 + at);
            }
            let mut start = line + name.len() + 1;
            while start < stop && blank(&stanza[start]) {
                start += 1;
            }
            while stop > start && (blank(&stanza[stop - 1]) || stanza[stop - 1] == b'\r') {
                stop -= 1;
            }
            return Some(start..stop);
        }
        line = end + 1;
    }
    None
}
