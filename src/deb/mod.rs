//! Input packages: one `.deb`, `.udeb` or `.ddeb`, read in a single pass, with everything that an archive needs to know about it.
//!
//! A package is an `ar` archive (deb(5)) of `debian-binary`, a control archive and a data archive. One read of the file
//! gives its size, its digests and its control stanza; memory stays the same whatever its size, and nothing is unpacked
//! to disk. The rules for the stanza are those of deb-control(5) and Debian Policy 5.3.
//!
//! Packages come from any source. A file that readers would interpret differently is refused here, before it is
//! published under a signature.

use std::{borrow::Cow, fmt, io::Read};

use crate::{
    digest::Digests,
    names::{Architecture, PackageName},
    package_type::PackageType,
    stanza::{self, Stanza},
    version::Version,
};

mod files;
mod data;
mod data_fault;
mod data_member;
mod write;
mod changes;
mod dsc;
mod source_control;
mod source;
mod dsc_files;
mod dsc_fault;
mod changes_fault;
#[cfg(test)]
pub(crate) mod tests;
mod control;
mod control_members;
mod control_text;
mod container;
mod members;
mod ar;
mod lenience;
mod fields;
mod error;
mod control_fault;
mod file_list;
mod listed_files;
pub mod relationship;

use data_member::DataMember;
use lenience::Oddities;
use relationship::Remark;

pub use changes::{Changes, FileKind, UploadedFile};
pub use changes_fault::{CHANGES_LIMIT, ChangesFault};
pub(crate) use container::Container;
pub use control_fault::ControlFault;
pub use data::list_files;
pub use data_fault::{DataFault, HeaderFault};
pub use dsc::SourceDescription;
pub use dsc_fault::{DSC_LIMIT, DscFault, NameFault};
pub use error::{BadField, BadStanza, Error, Layout, LooksLike, Place};
pub use file_list::FileList;
pub use files::{InstalledFile, read_among, read_file};
pub use lenience::Oddity;
pub use listed_files::{FilesFault, ListedFile};
pub use source::{SourceFile, SourcePackage};
pub use source_control::{SourceControl, rank as rank_of_control, read as read_source_control};
pub(crate) use write::gzip;
pub use write::{NewDeb, installed_size};

/// The index fields that describe the file. An index sets them itself, whatever a control file contains.
const INDEX_FIELDS: [&str; 6] = ["Filename", "Size", "MD5sum", "SHA1", "SHA256", "SHA512"];

/// Everything that is known about one `.deb`.
#[derive(Debug, Clone)]
pub struct BinaryPackage {
    package_type: PackageType,
    name: PackageName,
    version: Version,
    architecture: Architecture,
    /// Whether it is for a variant of its architecture, which `control` names; not stored, because many packages are held in
    /// memory.
    is_of_variant: bool,
    /// Only set if it differs from the name.
    source: Option<PackageName>,
    digests: Digests,
    control: Box<[u8]>,
    /// The oddities that dpkg and apt accept in it.
    oddities: Oddities,
    /// Whether its data member must be read whole to know that dpkg can unpack it.
    is_doubtful: bool,
}

/// A remark about a package that does not prevent publishing it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// A field whose value is not UTF-8.
    NotUtf8 {
        /// The name of the field.
        field: String,
    },
    /// Fields that belong to an index and are omitted from it.
    LeftOut {
        /// The names of the fields.
        fields: Vec<String>,
    },
    /// An oddity that dpkg and apt accept and other tools may not.
    Odd(Oddity),
    /// A field with control characters, which some readers take for the end of a line.
    ControlCharacters {
        /// The name of the field.
        field: String,
    },
    /// A name that Debian Policy does not allow.
    Name {
        /// The name of the package.
        name: String,
        /// The rule that it breaks.
        why: &'static str,
    },
    /// A `Source` that is not the name of a source package.
    Source {
        /// Its value.
        text: String,
    },
    /// A value about which apt warns on every client.
    AptWarns {
        /// The name of the field.
        field: &'static str,
        /// Its value.
        text: String,
    },
    /// A remark about a relationship.
    Relationship(Remark),
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUtf8 { field } => {
                write!(f, "field `{field}` is not UTF-8; its bytes are published as they are")
            }
            Self::LeftOut { fields } => {
                write!(f, "omitted, because the index sets them: `{}`", fields.join("`, `"))
            }
            Self::Odd(oddity) => oddity.fmt(f),
            Self::ControlCharacters { field } => {
                write!(
                    f,
                    "field `{field}` has control characters, which some tools read as the end of a line"
                )
            }
            Self::Name { name, why } => {
                write!(f, "the name `{name}` is unusual: {why}; dpkg and apt accept it, some tools do not")
            }
            Self::Source { text } => write!(
                f,
                "`Source: {text}` is not the name of a source package; the path in the pool is that of the package name"
            ),
            Self::AptWarns { field, text } => {
                write!(f, "apt does not know `{field}: {text}`, and warns about it on every client")
            }
            Self::Relationship(remark) => remark.fmt(f),
        }
    }
}

impl BinaryPackage {
    /// Reads one ordinary package completely.
    pub fn read(reader: impl Read) -> Result<Self, Error> {
        Self::read_as(reader, PackageType::Deb)
    }

    /// Reads one package of the type that its file name says.
    ///
    /// # Errors
    /// The control file says another type, and the errors of [`BinaryPackage::read`].
    pub fn read_as(mut reader: impl Read, package_type: PackageType) -> Result<Self, Error> {
        Self::read_members(&mut reader, package_type)
    }

    fn read_members(reader: &mut dyn Read, package_type: PackageType) -> Result<Self, Error> {
        let mut archive = ar::Archive::open(reader)?;
        members::check_first(archive.next_member()?.ok_or(Error::Layout(Layout::Empty))?)?;
        check_format(&mut archive)?;

        let member = archive.next_relevant()?.ok_or(Error::Layout(Layout::NoControl))?;
        let control = control::read(&mut archive, members::control_format(member)?)?;
        let facts = Facts::parse(&control.text, package_type)?;
        let mut oddities = control.oddities;
        if facts.is_rewritten {
            oddities.insert(Oddity::Rewritten);
        }

        let member = archive.next_relevant()?.ok_or(Error::Layout(Layout::NoData))?;
        let format = members::data_format(member)?;
        if archive.begins_as_other(format)? {
            return Err(Error::Layout(Layout::Content(member.shown())));
        }
        let mut data = DataMember::new(format);
        archive.pass_member(|piece| data.pass(piece))?;
        if !ends_here(&mut archive)? {
            oddities.insert(Oddity::AfterMembers);
        }
        Ok(Self {
            package_type,
            name: facts.name,
            version: facts.version,
            architecture: facts.architecture,
            is_of_variant: facts.variant.is_some(),
            source: facts.source,
            digests: archive.finish(),
            control: facts.control,
            oddities,
            is_doubtful: !data.looks_whole(),
        })
    }

    /// Whether its data member must be read whole to know that dpkg can unpack it ([`list_files`]).
    pub(crate) fn is_doubtful(&self) -> bool {
        self.is_doubtful
    }

    /// The type.
    #[must_use]
    pub fn package_type(&self) -> PackageType {
        self.package_type
    }

    /// The name, from `Package`.
    #[must_use]
    pub fn name(&self) -> &PackageName {
        &self.name
    }

    /// The version.
    #[must_use]
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// The architecture, which may be `all`.
    #[must_use]
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// The architecture whose index lists it: its variant, such as `amd64v3`, or else its architecture.
    #[must_use]
    pub fn index_architecture(&self) -> Architecture {
        let stanza = if self.is_of_variant { self.stanza() } else { None };
        let variant = stanza.and_then(|stanza| variant(&stanza, &self.architecture).ok().flatten());
        variant.unwrap_or_else(|| self.architecture.clone())
    }

    /// The name of the source package: `Source` without a version, with the package's own name as the default.
    #[must_use]
    pub fn source(&self) -> &PackageName {
        self.source.as_ref().unwrap_or(&self.name)
    }

    /// The version of the source package: that in `Source: NAME (VERSION)`, with the package's own version as the default.
    #[must_use]
    pub fn source_version(&self) -> String {
        let field = self.field("Source").map(String::from_utf8_lossy).unwrap_or_default();
        let version = field.split_once('(').map(|(_, rest)| rest.trim_end_matches([')', ' ', '\t']).trim());
        version.unwrap_or(self.version.as_str()).to_owned()
    }

    /// The value of `Section`, unless it is missing, empty or not UTF-8.
    #[must_use]
    pub fn section(&self) -> Option<&str> {
        let value = self.field("Section")?;
        std::str::from_utf8(value).ok().filter(|text| !text.is_empty())
    }

    /// The size and digests of the whole file.
    #[must_use]
    pub fn digests(&self) -> &Digests {
        &self.digests
    }

    /// The control stanza byte for byte as in the package, from its first field to exactly one final newline; only what an
    /// index must not have is omitted ([`Oddity::Rewritten`]).
    #[must_use]
    pub fn control(&self) -> &[u8] {
        &self.control
    }

    /// The value of one field of the control stanza; the name is compared without regard to case.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&[u8]> {
        self.stanza()?.get(name)
    }

    /// The control stanza without the fields that an index sets itself; otherwise byte for byte.
    #[must_use]
    pub fn control_for_index(&self) -> Cow<'_, [u8]> {
        match self.stanza() {
            Some(stanza) if stanza.fields().iter().any(is_index_field) => {
                let kept = stanza.fields().iter().filter(|field| !is_index_field(field));
                Cow::Owned(kept.flat_map(|field| field.raw).copied().collect())
            }
            _ => Cow::Borrowed(&self.control),
        }
    }

    /// The file name in an archive: `NAME_VERSION_ARCH.deb`, the version without its epoch, the variant instead of the
    /// architecture if it has one, and with the extension of its type.
    #[must_use]
    pub fn file_name(&self) -> String {
        file_name(&self.name, &self.version, &self.index_architecture(), self.package_type)
    }

    /// Remarks for the author of the package.
    #[must_use]
    pub fn warnings(&self) -> Vec<Warning> {
        let Some(stanza) = self.stanza() else {
            return Vec::new();
        };
        let fields = stanza.fields().iter();
        let mut warnings: Vec<_> = fields
            .clone()
            .filter(|field| std::str::from_utf8(field.value).is_err())
            .map(|field| Warning::NotUtf8 { field: field.name.to_owned() })
            .collect();
        let left_out: Vec<_> =
            fields.filter(|field| is_index_field(field)).map(|field| field.name.to_owned()).collect();
        if !left_out.is_empty() {
            warnings.push(Warning::LeftOut { fields: left_out });
        }
        warnings.extend(self.oddities.iter().map(Warning::Odd));
        let is_control = |b: &u8| b.is_ascii_control() && !matches!(b, b'\n' | b'\t');
        let odd = stanza.fields().iter().filter(|field| field.value.iter().any(is_control));
        warnings.extend(odd.map(|field| Warning::ControlCharacters { field: field.name.to_owned() }));
        if let Some(why) = self.name.policy_fault() {
            warnings.push(Warning::Name { name: self.name.to_string(), why });
        }
        let source = stanza.text_of("Source").filter(|text| !text.is_empty());
        if let Some(text) = source.filter(|text| source_name(text).is_none()) {
            warnings.push(Warning::Source { text: text.escape_debug().to_string() });
        }
        let apt = fields::apt_warns_about(&stanza).into_iter();
        warnings.extend(apt.map(|(field, text)| Warning::AptWarns { field, text }));
        let remarks = relationship::check(&self.control).unwrap_or_default();
        warnings.extend(remarks.into_iter().map(Warning::Relationship));
        warnings
    }

    /// Always `Some`, since [`BinaryPackage::read`] has parsed it; stored as text because many packages are held in
    /// memory.
    fn stanza(&self) -> Option<Stanza<'_>> {
        Stanza::parse_control(&self.control).ok()
    }
}

fn is_index_field(field: &stanza::Field<'_>) -> bool {
    INDEX_FIELDS.iter().any(|name| field.name.eq_ignore_ascii_case(name))
}

fn file_name(
    name: &PackageName,
    version: &Version,
    architecture: &Architecture,
    package_type: PackageType,
) -> String {
    format!("{name}_{}_{architecture}.{package_type}", version.without_epoch())
}

/// Checks a stanza of an index of binary packages, which any tool may have written.
///
/// # Errors
/// The field with which dpkg never installs the package, or apt reads no index.
pub fn check_stanza(text: &[u8]) -> Result<(), BadStanza> {
    relationship::check(text)?;
    let stanza = match Stanza::parse_control(text) {
        Ok(stanza) => stanza,
        Err(error) => {
            return match error.kind {
                stanza::ErrorKind::Twice(name) => Err(BadStanza::Twice(name)),
                _ => Ok(()),
            };
        }
    };
    if stanza.get("SHA256").is_some_and(|digest| digest.iter().any(u8::is_ascii_uppercase)) {
        return Err(BadStanza::UpperCase);
    }
    let is_for_all = stanza.get("Architecture") == Some(b"all");
    let bad = |(field, why)| BadStanza::Field { field, why };
    // An adopted package may have capitals in its name, which dpkg reads.
    if let Some(name) = stanza.text_of("Package")
        && let Err(why) = PackageName::parse(&name.to_ascii_lowercase())
    {
        return Err(bad(("Package", why.into())));
    }
    if let Some(version) = stanza.text_of("Version")
        && let Err(why) = Version::parse(&version)
    {
        return Err(bad(("Version", why.into())));
    }
    // No client has another one.
    if let Some(architecture) = stanza.text_of("Architecture")
        && let Err(why) = Architecture::parse(&architecture)
    {
        return Err(bad(("Architecture", why.into())));
    }
    fields::check_values(&stanza, is_for_all).map_err(bad)
}

/// Reads the members after the data, which dpkg ignores; whether the file ends with one.
///
/// # Errors
/// A second member of the control or the data: readers that look members up by name may find it.
fn ends_here(archive: &mut ar::Archive<'_>) -> Result<bool, Error> {
    loop {
        match archive.next_member() {
            Ok(None) => return Ok(true),
            Ok(Some(member)) => members::check_later(member)?,
            Err(Error::Damaged { .. } | Error::Truncated { .. }) => {
                archive.pass_file()?;
                return Ok(false);
            }
            Err(error) => return Err(error),
        }
    }
}

/// Reads `debian-binary`: `2.` and a minor number, which readers ignore. More lines may follow (deb(5)).
fn check_format(archive: &mut ar::Archive<'_>) -> Result<(), Error> {
    let mut text = Vec::new();
    // A few bytes in every package; a long text is another kind of file.
    if let Err(error) = archive.by_ref().take(members::FORMAT_LIMIT).read_to_end(&mut text) {
        return Err(archive.take_failure().unwrap_or(Error::Read(error)));
    }
    members::check_format(&text, archive.left() == 0)
}

/// The fields of a control file.
struct Facts {
    name: PackageName,
    version: Version,
    architecture: Architecture,
    variant: Option<Architecture>,
    source: Option<PackageName>,
    control: Box<[u8]>,
    is_rewritten: bool,
}

impl Facts {
    fn parse(text: &[u8], package_type: PackageType) -> Result<Self, Error> {
        let text = control_text::read(text).map_err(Error::Stanza)?;
        let stanza = Stanza::parse_control(&text.bytes).map_err(Error::Stanza)?;
        if let Some((field, lines)) = stanza.fields_with_lines().find(|(field, _)| field.name.len() < 2) {
            // Names of one character are refused by dpkg.
            let kind = stanza::ErrorKind::BadName(field.name.to_owned());
            return Err(Error::Stanza(stanza::Error { line: lines + 1, kind }));
        }
        let name = required(&stanza, "Package", PackageName::parse)?;
        let version = required(&stanza, "Version", Version::parse)?;
        let architecture = required(&stanza, "Architecture", Architecture::parse)?;
        let variant = variant(&stanza, &architecture)?;
        let source = stanza.text_of("Source").and_then(|text| source_name(&text));
        let source = source.filter(|source| *source != name);
        let file = file_name(&name, &version, variant.as_ref().unwrap_or(&architecture), package_type);
        if file.len() > 255 {
            return Err(bad("Version")(BadField::TooLong(file)));
        }
        fields::check(&stanza, architecture.is_all(), package_type)?;
        relationship::check(stanza.as_bytes())?;
        let control = stanza.as_bytes().into();
        let is_rewritten = text.is_rewritten;
        Ok(Self { name, version, architecture, variant, source, control, is_rewritten })
    }
}

/// The variant of an architecture that a package is built for; its name begins with that of the architecture.
fn variant(stanza: &Stanza<'_>, architecture: &Architecture) -> Result<Option<Architecture>, Error> {
    let Some(text) = value(stanza, fields::VARIANT)?.filter(|text| *text != architecture.as_str()) else {
        return Ok(None);
    };
    let variant = Architecture::parse(text).map_err(|why| bad(fields::VARIANT)(why.into()))?;
    if architecture.is_all() || !text.starts_with(architecture.as_str()) || variant.is_known() {
        return Err(Error::Variant { variant, architecture: architecture.clone() });
    }
    Ok(Some(variant))
}

fn bad(field: &'static str) -> impl Fn(BadField) -> Error {
    move |why| Error::BadField { field, why }
}

/// The value of a field that must be text; an empty one counts as missing, as in dpkg.
fn value<'a>(stanza: &Stanza<'a>, field: &'static str) -> Result<Option<&'a str>, Error> {
    match stanza.get(field).map(std::str::from_utf8) {
        None | Some(Ok("")) => Ok(None),
        Some(Ok(text)) => Ok(Some(text)),
        Some(Err(_)) => Err(bad(field)(BadField::NotUtf8)),
    }
}

fn required<T, E: Into<BadField>>(
    stanza: &Stanza<'_>,
    field: &'static str,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<T, Error> {
    let text = value(stanza, field)?.ok_or(Error::NoField(field))?;
    parse(text).map_err(|why| bad(field)(why.into()))
}

/// The name in `NAME` or `NAME (VERSION)` (Debian Policy 5.6.1); `None` if it is neither, which dpkg and apt accept.
fn source_name(text: &str) -> Option<PackageName> {
    let (name, rest) = text.split_at(text.find([' ', '\t', '(']).unwrap_or(text.len()));
    let rest = rest.trim_matches([' ', '\t']);
    let is_version = rest.is_empty() || (rest.starts_with('(') && rest.ends_with(')'));
    // reprepro and dak accept a name of one character.
    PackageName::parse(name).ok().filter(|name| is_version && !name.as_str().contains('_'))
}
