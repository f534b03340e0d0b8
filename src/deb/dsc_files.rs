//! The files of a source package as dpkg-source knows them, by name: it unpacks none with another file, or without a
//! required one.

use super::{
    dsc_fault::{DscFault, NameFault},
    listed_files::ListedFile,
};
use crate::{names::PackageName, version::Version};

/// The extensions of compressed tarballs.
const PACKED: [&str; 5] = ["gz", "xz", "bz2", "zst", "lzma"];

/// The names that files of one version can have.
struct Names {
    /// `NAME_VERSION`.
    own: String,
    /// `NAME_VERSION` without the revision, for files of the upstream version.
    upstream: String,
}

/// Checks the names of the files against the fields `Source`, `Version` and `Format`.
pub(super) fn check(
    format: &str,
    name: &PackageName,
    version: &Version,
    files: &[ListedFile],
) -> Result<(), DscFault> {
    let own = version.without_epoch();
    let upstream = own.rsplit_once('-').map_or(own, |(upstream, _)| upstream);
    let names = Names { own: format!("{name}_{own}"), upstream: format!("{name}_{upstream}") };
    let Some(known) = names.of_format(format) else { return Ok(()) };
    for file in files {
        if !known.iter().any(|form| form.fits(file.name())) {
            let why = NameFault::OtherVersion {
                version: version.to_string(),
                format: format.to_owned(),
                known: known.iter().map(|form| format!("`{form}`")).collect::<Vec<_>>().join(", "),
            };
            return Err(DscFault::Name { name: file.name().to_owned(), why });
        }
    }
    for form in known.iter().filter(|form| form.required) {
        // In format 1.0 either tarball will do.
        let replaces = |other: &&Form| format == "1.0" && other.required;
        let mut forms = known.iter().filter(replaces).chain([form]);
        if !forms.any(|form| files.iter().any(|file| form.fits(file.name()))) {
            return Err(DscFault::NoFile { form: form.to_string(), format: format.to_owned() });
        }
    }
    Ok(())
}

/// The form of a name.
struct Form {
    /// The beginning.
    start: String,
    /// Whether a name of a component follows, after a `-`.
    component: bool,
    /// The end; for a tarball without the extension of its compression.
    end: &'static str,
    packed: bool,
    required: bool,
}

impl std::fmt::Display for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let component = if self.component { "-COMPONENT" } else { "" };
        write!(f, "{}{component}{}{}", self.start, self.end, if self.packed { ".*" } else { "" })
    }
}

impl Form {
    fn new(start: &str, end: &'static str) -> Self {
        Self { start: start.to_owned(), component: false, end, packed: false, required: false }
    }

    fn required(self) -> Self {
        Self { required: true, ..self }
    }

    fn packed(self) -> Self {
        Self { packed: true, ..self }
    }

    fn of_component(self) -> Self {
        Self { component: true, ..self }
    }

    /// Whether a name has this form; a tarball may have a signature.
    fn fits(&self, name: &str) -> bool {
        let Some(mut rest) = name.strip_prefix(&self.start) else { return false };
        if self.packed || self.end == ".tar.gz" {
            rest = rest.strip_suffix(".asc").unwrap_or(rest);
        }
        if self.packed {
            let Some((before, extension)) = rest.rsplit_once('.') else { return false };
            if !PACKED.contains(&extension) {
                return false;
            }
            rest = before;
        }
        let Some(component) = rest.strip_suffix(self.end) else { return false };
        match component.strip_prefix('-').filter(|_| self.component) {
            Some(component) => {
                !component.is_empty() && component.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            }
            None => component.is_empty() && !self.component,
        }
    }
}

impl Names {
    /// The files of a format; `None` if dpkg-source unpacks no package of it.
    fn of_format(&self, format: &str) -> Option<Vec<Form>> {
        let own = |end| Form::new(&self.own, end);
        let original = format!("{}.orig", self.upstream);
        let original = |end| Form::new(&original, end);
        Some(match format {
            "1.0" => vec![original(".tar.gz").required(), own(".tar.gz").required(), own(".diff.gz")],
            "2.0" | "3.0 (quilt)" => vec![
                original(".tar").packed().required(),
                original(".tar").packed().of_component(),
                own(".debian.tar").packed().required(),
            ],
            "3.0 (native)" => vec![own(".tar").packed().required()],
            "3.0 (git)" => vec![own(".git").required(), own(".gitshallow")],
            "3.0 (bzr)" => vec![own(".bzr.tar").packed().required()],
            _ => return None,
        })
    }
}
