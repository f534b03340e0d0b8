//! `Upload`: a `.changes` file whose files have all been read and match it, and the edit that publishes it.
//!
//! An upload is accepted as a whole or not at all: nothing of it is published if one file is missing, differs, or is not
//! of this upload, or if its signature is not valid. The caller decides the suites; for each, it verifies the signature
//! ([`Upload::verify`]), asks the list of uploaders ([`Upload::require_allowed`]) and commits [`Upload::edit`]. It also
//! requires the version of the source ([`Upload::require_source_version`]), which `reprepro` has an option to ignore.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
    time::SystemTime,
};

use rayon::prelude::*;

use super::{
    edit::{SuiteEdit, UploadRecord},
    new_package::NewPackage,
    read_debs::{Artifact, Incoming, read_package, warn},
};
use crate::{
    config::{Records, Signed, SigningKey, SuiteConfig, UploadFacts, Uploaders},
    deb::{CHANGES_LIMIT, Changes, ChangesFault, FileKind, FilesFault, SourceFile, UploadedFile},
    digest::{Digests, SourceDigests},
    names::{Architecture, Component},
    package_type::PackageType,
    signing::{Distrust, Keyring},
    store::FileStamp,
    suite::{
        error::Error,
        event::Events,
        refusal::{Reason, Refusal},
    },
};

/// An upload whose files have all been read and match it.
#[derive(Debug)]
pub struct Upload {
    file: PathBuf,
    bytes: Vec<u8>,
    itself: (Digests, FileStamp),
    changes: Changes,
    packages: Vec<(UploadedFile, Incoming)>,
    records: Vec<(UploadedFile, Digests, FileStamp)>,
    /// The keys with valid signatures, once it was verified.
    signers: Vec<SigningKey>,
}

/// The options of the edit that publishes an upload.
#[derive(Debug, Clone, Default)]
pub struct UploadOptions {
    /// The component of its packages; by default it follows from their sections.
    pub component: Option<Component>,
    /// The files of the upload that are kept beside its packages, besides those that the configuration names.
    pub records: Records,
}

/// Whether an upload may have packages of architectures that it does not list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UnlistedArchitectures {
    Accepted,
    Refused,
}

/// A file of an upload after it was read.
enum ReadFile {
    Package(Box<Incoming>),
    Other(Digests, FileStamp),
}

impl Upload {
    /// Reads a `.changes` file and all files that it lists, which are in the same folder.
    ///
    /// # Errors
    /// [`Error::Refused`] with every file that is missing, differs from its description, cannot be published or is not of
    /// this upload.
    pub fn read(path: &Path, events: Events<'_>) -> Result<Self, Error> {
        Self::read_as(path, UnlistedArchitectures::Refused, events)
    }

    /// Reads it as [`Upload::read`] does, where packages may be of architectures that it does not list.
    ///
    /// # Errors
    /// Those of [`Upload::read`].
    pub(crate) fn read_as(
        path: &Path,
        unlisted: UnlistedArchitectures,
        events: Events<'_>,
    ) -> Result<Self, Error> {
        let refused = |source: Reason| Error::Refused(vec![refusal(path, source)]);
        let opened = crate::regular::open(path).map_err(|error| refused(Reason::Unreadable(error)))?;
        let (bytes, stamp) = read_text(&opened).map_err(refused)?;
        let changes = Changes::parse(&bytes).map_err(|fault| refused(fault.into()))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let read: Vec<_> = changes.files().par_iter().map(|listed| read_file(folder, listed)).collect();
        let (mut packages, mut records, mut faults) = (Vec::new(), Vec::new(), Vec::new());
        for (listed, read) in changes.files().iter().zip(read) {
            match read {
                Ok(ReadFile::Package(incoming)) => packages.push((listed.clone(), *incoming)),
                Ok(ReadFile::Other(digests, stamp)) => records.push((listed.clone(), digests, stamp)),
                // The file itself is at fault, or its description is.
                Err(reason @ Reason::Changes(_)) => faults.push(refusal(path, reason)),
                Err(reason) => faults.push(refusal(&folder.join(listed.name()), reason)),
            }
        }
        if faults.is_empty() {
            let fault = check_identities(&changes, &packages, unlisted)
                .and_then(|()| check_sources(&packages, &records));
            faults.extend(fault.err().map(|fault| refusal(path, fault.into())));
        }
        if !faults.is_empty() {
            return Err(Error::Refused(faults));
        }
        for (_, incoming) in &packages {
            warn(incoming, events);
        }
        let itself = (Digests::of(&bytes), stamp);
        Ok(Self { file: path.to_owned(), bytes, itself, changes, packages, records, signers: Vec::new() })
    }

    /// The path of the `.changes` file.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The parsed `.changes` file.
    #[must_use]
    pub fn changes(&self) -> &Changes {
        &self.changes
    }

    /// The packages of the upload.
    pub fn packages(&self) -> impl Iterator<Item = &Incoming> {
        self.packages.iter().map(|(_, incoming)| incoming)
    }

    /// The paths of all of its files, first the `.changes` file: those to be moved or deleted once it is published.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let folder = self.file.parent().unwrap_or(Path::new(""));
        let listed = self.changes.files().iter().map(|listed| folder.join(listed.name()));
        [self.file.clone()].into_iter().chain(listed).collect()
    }

    /// The names of its files that are not published and that an administrator handles.
    pub fn by_hand(&self) -> impl Iterator<Item = &str> {
        let is_by_hand = |listed: &&UploadedFile| listed.kind() == FileKind::ByHand;
        self.changes.files().iter().filter(is_by_hand).map(UploadedFile::name)
    }

    /// The keys, fingerprints or key ids, that have signed it and are not in a keyring.
    #[must_use]
    pub fn strangers(&self, keys: &Keyring) -> Vec<String> {
        keys.unknown_signers(self.bytes.trim_ascii_start()).unwrap_or_default()
    }

    /// Requires that each binary package was built from the version of the source that it names.
    ///
    /// # Errors
    /// One was built from another version.
    pub fn require_source_version(&self) -> Result<(), Error> {
        let listed = self.changes.source_version();
        for (uploaded, incoming) in &self.packages {
            let Artifact::Binary(package) = &incoming.package else { continue };
            let found = package.source_version();
            if found != listed.as_str() {
                let [file, found, listed] = [uploaded.name(), &found, listed.as_str()].map(ToOwned::to_owned);
                return Err(self.refused(ChangesFault::Other {
                    file,
                    part: "source version",
                    found,
                    listed,
                }));
            }
        }
        Ok(())
    }

    /// Verifies its signature with the keys of uploaders. A signature of unknown keys alone counts as none of them.
    ///
    /// # Errors
    /// The signature of a known key is not valid.
    pub fn verify(&mut self, keys: &Keyring, now: SystemTime) -> Result<(), Error> {
        self.signers.clear();
        if !self.changes.is_signed() {
            return Ok(());
        }
        match keys.verify_in_release(self.bytes.trim_ascii_start(), now) {
            Ok(verified) => {
                let key = |(key, certificate)| SigningKey { key, certificate };
                self.signers = verified.keys.into_iter().map(key).collect();
                Ok(())
            }
            Err(Distrust::UnknownSigners { .. }) => Ok(()),
            Err(why) => Err(self.refused(ChangesFault::Signature(why))),
        }
    }

    /// Requires a valid signature of one of the keys that it was verified with.
    ///
    /// # Errors
    /// It has none.
    pub fn require_signature(&self) -> Result<(), Error> {
        if !self.changes.is_signed() {
            return Err(self.refused(ChangesFault::Unsigned));
        }
        if self.signers.is_empty() {
            let signers = self.strangers(&Keyring::new());
            return Err(self.refused(ChangesFault::Signature(Distrust::UnknownSigners { signers })));
        }
        Ok(())
    }

    /// Requires that a list of uploaders allows it for a suite.
    ///
    /// # Errors
    /// The list does not allow it.
    pub fn require_allowed(&self, uploaders: &Uploaders, suite: &SuiteConfig) -> Result<(), Error> {
        let signed = if self.changes.is_signed() { Signed::By(&self.signers) } else { Signed::No };
        if uploaders.allow(&self.facts(suite), signed) {
            return Ok(());
        }
        let by = match (&self.signers[..], self.changes.is_signed()) {
            (_, false) => "it has no signature".to_owned(),
            ([], true) => {
                format!(
                    "it is signed by keys that are not known: {}",
                    self.strangers(&Keyring::new()).join(", ")
                )
            }
            (known, true) => {
                let keys: Vec<&str> = known.iter().map(|signer| signer.key.as_str()).collect();
                format!("it is signed by {}", keys.join(", "))
            }
        };
        let (list, suite) = (uploaders.path().display().to_string(), suite.codename.to_string());
        Err(self.refused(ChangesFault::NotAllowed { list, suite, by }))
    }

    /// The edit that publishes it in a suite: sections and priorities are those of the `.changes` file.
    #[must_use]
    pub fn edit(&self, suite: &SuiteConfig, options: &UploadOptions) -> SuiteEdit {
        let new = |(listed, incoming): &(UploadedFile, Incoming)| NewPackage {
            component: options.component.clone(),
            section: listed.section().map(ToOwned::to_owned),
            priority: listed.priority().map(ToOwned::to_owned),
            ..NewPackage::from(incoming.clone())
        };
        let add = self.packages.iter().map(new).collect();
        let keep = |one: fn(&Records) -> bool| one(&options.records) || one(&suite.records);
        let folder = self.file.parent().unwrap_or(Path::new(""));
        let is_kept = |kind| match kind {
            FileKind::Buildinfo => keep(|records| records.buildinfos),
            FileKind::Log => keep(|records| records.logs),
            FileKind::ByHand => keep(|records| records.by_hand),
            FileKind::Package(_) | FileKind::OfSource => false,
        };
        let name = format!("{}_{}", self.changes.source(), self.changes.source_version());
        let by_hand_of = |kind| (kind == FileKind::ByHand).then(|| name.clone());
        let kept = self.records.iter().filter(|(listed, ..)| is_kept(listed.kind()));
        let mut records: Vec<UploadRecord> = kept
            .map(|(listed, digests, stamp)| UploadRecord {
                name: listed.name().to_owned(),
                by_hand_of: by_hand_of(listed.kind()),
                file: folder.join(listed.name()),
                digests: *digests,
                stamp: *stamp,
            })
            .collect();
        if keep(|records| records.changes) {
            let ((digests, stamp), name) = (self.itself, self.changes.record_name());
            records.push(UploadRecord { name, by_hand_of: None, file: self.file.clone(), digests, stamp });
        }
        SuiteEdit { add, records, ..SuiteEdit::default() }
    }

    fn facts<'a>(&'a self, suite: &'a SuiteConfig) -> UploadFacts<'a> {
        let of_packages = || self.packages.iter().map(|(listed, _)| listed);
        let by_hand = self.changes.files().iter().filter(|listed| listed.kind() == FileKind::ByHand);
        let is_binary = |listed: &&UploadedFile| listed.kind() != FileKind::Package(PackageType::Dsc);
        UploadFacts {
            codename: suite.codename.as_str(),
            source: self.changes.source().as_str(),
            sections: of_packages().filter_map(UploadedFile::section).collect(),
            binaries: of_packages().filter(is_binary).map(UploadedFile::package).collect(),
            architectures: of_packages().map(UploadedFile::architecture).collect(),
            by_hand: by_hand.filter_map(UploadedFile::section).collect(),
        }
    }

    fn refused(&self, fault: ChangesFault) -> Error {
        Error::Refused(vec![refusal(&self.file, fault.into())])
    }
}

fn refusal(file: &Path, source: Reason) -> Refusal {
    Refusal { action: "add", preposition: "to", subject: file.display().to_string(), suite: None, source }
}

fn read_text(mut opened: &File) -> Result<(Vec<u8>, FileStamp), Reason> {
    let metadata = opened.metadata().map_err(Reason::Unreadable)?;
    let mut bytes = Vec::new();
    opened.by_ref().take(CHANGES_LIMIT + 1).read_to_end(&mut bytes).map_err(Reason::Unreadable)?;
    if bytes.len() as u64 > CHANGES_LIMIT {
        return Err(ChangesFault::TooLarge.into());
    }
    Ok((bytes, FileStamp::of(&metadata)))
}

/// Reads a file of an upload, no further than its described size, and compares it with its description.
fn read_file(folder: &Path, uploaded: &UploadedFile) -> Result<ReadFile, Reason> {
    let listed = uploaded.listed();
    let path = folder.join(listed.name());
    let refused = |fault: FilesFault| Reason::from(ChangesFault::from(fault));
    let failed = |source| refused(listed.unreadable(source));
    let opened = crate::regular::open(&path).map_err(failed)?;
    let metadata = opened.metadata().map_err(failed)?;
    listed.check_size(metadata.len()).map_err(refused)?;
    if let FileKind::Package(_) = uploaded.kind() {
        let incoming = read_package(&path)?;
        let (digests, sha1) = match &incoming.package {
            Artifact::Binary(package) => (package.digests(), None),
            Artifact::Source(package) => {
                let SourceDigests { digests, sha1 } = package.description().digests();
                (digests, Some(*sha1))
            }
        };
        listed.check(digests, sha1).map_err(refused)?;
        return Ok(ReadFile::Package(Box::new(incoming)));
    }
    let found = SourceDigests::read((&opened).take(listed.size() + 1)).map_err(failed)?;
    listed.check(&found.digests, Some(found.sha1)).map_err(refused)?;
    Ok(ReadFile::Other(found.digests, FileStamp::of(&metadata)))
}

/// Whether each package is one that the upload describes.
fn check_identities(
    changes: &Changes,
    packages: &[(UploadedFile, Incoming)],
    unlisted: UnlistedArchitectures,
) -> Result<(), ChangesFault> {
    if packages.is_empty() {
        return Err(ChangesFault::Empty);
    }
    for (listed, incoming) in packages {
        let is = |part: &'static str, found: &str, expected: &str| {
            if found == expected {
                return Ok(());
            }
            let [file, found, listed] = [listed.name(), found, expected].map(ToOwned::to_owned);
            Err(ChangesFault::Other { file, part, found, listed })
        };
        let source = changes.source().as_str();
        let architecture = match &incoming.package {
            Artifact::Binary(package) => {
                is("source", package.source().as_str(), source)?;
                package.architecture().clone()
            }
            Artifact::Source(package) => {
                is("source", package.name().as_str(), source)?;
                is("version", package.version().as_str(), changes.source_version().as_str())?;
                Architecture::source()
            }
        };
        let is_listed = changes.architectures().iter().any(|listed| listed == architecture.as_str());
        if !is_listed && unlisted == UnlistedArchitectures::Refused {
            is("architecture", architecture.as_str(), &changes.architectures().join(" "))?;
        }
    }
    Ok(())
}

/// Whether each file of a source package is one that a `.dsc` of the upload lists; those were compared with it.
fn check_sources(
    packages: &[(UploadedFile, Incoming)],
    others: &[(UploadedFile, Digests, FileStamp)],
) -> Result<(), ChangesFault> {
    let sources = packages.iter().filter_map(|(_, incoming)| match &incoming.package {
        Artifact::Source(package) => Some(package.files()),
        Artifact::Binary(_) => None,
    });
    let known: Vec<&str> = sources.flatten().map(SourceFile::name).collect();
    let of_source = others.iter().filter(|(listed, ..)| listed.kind() == FileKind::OfSource);
    match of_source.map(|(listed, ..)| listed.name()).find(|name| !known.contains(name)) {
        Some(name) => Err(ChangesFault::WithoutDescription { file: name.to_owned() }),
        None => Ok(()),
    }
}
