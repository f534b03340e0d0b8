//! `Upstream`: a verified source of packages: a suite of this archive or of another one, or an archive without `dists/`.

use std::{collections::BTreeSet, io, time::SystemTime};

use bytes::Bytes;
use jiff::Timestamp;

use super::{copied_package::CopiedPackage, dates::ACCEPTED_AHEAD};
use crate::{
    compression::Compression,
    config::SuiteConfig,
    dists::{PackageEntry, PackagesKey, Release},
    names::{Architecture, Component, Suite},
    package_type::PackageType,
    store::Store,
    suite::{
        base::VerifiedBase,
        discovery,
        error::Error,
        limits,
        published::{PublishedSuite, plain_path, unpack},
        trust::Trust,
    },
};

/// The fields of a release file that a new suite takes from the other archive: clients ask their users before they accept
/// another value.
const FIELDS: [&str; 6] =
    ["Origin", "Label", "Version", "Description", "NotAutomatic", "ButAutomaticUpgrades"];

/// A source of packages.
#[derive(Clone)]
pub(crate) struct Upstream {
    state: PublishedSuite,
    kind: Kind,
    /// Whether it has no release file, so that its indices are read as they are.
    is_unlisted: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A suite of this archive.
    Own,
    /// A suite of another archive.
    Other,
    /// An archive without `dists/`: one index of all packages.
    Flat,
}

impl Upstream {
    /// Opens a suite of this archive.
    pub(crate) async fn own(store: &Store, suite: &Suite, trust: &Trust) -> Result<Self, Error> {
        let state = VerifiedBase::open(store, suite, trust).await?.state().clone();
        Self { state, kind: Kind::Own, is_unlisted: false }.published().await
    }

    /// Opens a suite of another archive.
    pub(crate) async fn other(store: &Store, suite: &Suite, trust: &Trust) -> Result<Self, Error> {
        let state = open_other(store, suite, trust).await?.state().clone();
        Self { state, kind: Kind::Other, is_unlisted: false }.published().await
    }

    /// Opens an archive without `dists/`, whose indices are in a folder; `name` is for messages.
    pub(crate) async fn flat(
        store: &Store,
        name: &Suite,
        folder: &str,
        trust: &Trust,
    ) -> Result<Self, Error> {
        let trust = &trust.clone().of_source();
        let state = PublishedSuite::flat(store, name, folder, trust).await.map_err(|error| match error {
            Error::Untrusted { .. } | Error::NotSigned { .. } | Error::NoPublicKey { .. } => {
                Error::Unverified { suite: name.clone(), source: Box::new(error) }
            }
            error => error,
        })?;
        if let Some(release) = state.release() {
            refuse_expired(release, name, trust)?;
        }
        Self { state, kind: Kind::Flat, is_unlisted: false }.published().await
    }

    /// Opens an archive without `dists/`, which may have no release file if it is taken as it is.
    pub(crate) async fn flat_or_bare(
        store: &Store,
        name: &Suite,
        folder: &str,
        trust: &Trust,
    ) -> Result<Self, Error> {
        match Self::flat(store, name, folder, trust).await {
            Err(Error::NotPublished { .. }) if trust.adopts() => {
                Ok(Self::unlisted(store, name, Some(folder)))
            }
            Err(Error::NotPublished { .. }) => {
                let path = if folder.is_empty() { "Release".to_owned() } else { format!("{folder}/Release") };
                let source = Box::new(Error::NotSigned { path });
                Err(Error::Unverified { suite: name.clone(), source })
            }
            opened => opened,
        }
    }

    /// Refuses a name of a component or an architecture that the release file does not list: it is mistyped.
    pub(crate) fn refuse_unknown(
        &self,
        components: &[Component],
        architectures: &[Architecture],
    ) -> Result<(), Error> {
        let Some(release) = self.state.release().filter(|_| self.kind != Kind::Flat) else { return Ok(()) };
        let words_of = |field: &str| -> Vec<String> {
            let words = release.field(field).unwrap_or_default().split_whitespace();
            // `main` is the folder of `updates/main` in some suites.
            words.map(|word| word.rsplit('/').next().unwrap_or(word).to_owned()).collect()
        };
        let components = components.iter().map(|name| ("component", "Components", name.to_string()));
        let architectures = architectures.iter().filter(|name| !name.is_all() && !name.is_source());
        let architectures = architectures.map(|name| ("architecture", "Architectures", name.to_string()));
        for (what, field, name) in components.chain(architectures) {
            let known = words_of(field);
            let last = name.rsplit('/').next().unwrap_or(&name);
            if !known.is_empty() && !known.iter().any(|known| known == last) {
                return Err(Error::UnknownPart { what, name, known });
            }
        }
        Ok(())
    }

    /// The settings of a new suite that takes its packages: those that its clients depend on.
    pub(crate) fn settings_for(&self, to: SuiteConfig) -> SuiteConfig {
        let Some(release) = self.state.release() else { return to };
        let field = |name: &'static str| Some((name, release.field(name)?.to_owned()));
        let copied = FIELDS.into_iter().filter_map(field).collect();
        if self.kind == Kind::Flat {
            return SuiteConfig { copied, ..to };
        }
        let suite = release.field("Suite").filter(|name| *name != to.codename.as_str());
        let with_index: BTreeSet<_> =
            self.state.packages_keys().into_iter().map(|key| key.component).collect();
        // Some archives list `updates/main` for the component whose indices are in `main`.
        let is_own = |name: &Component| with_index.contains(name) || !name.as_str().contains('/');
        let mut components = release.components().unwrap_or_default();
        components.retain(is_own);
        components
            .extend(with_index.iter().filter(|name| !components.contains(name)).cloned().collect::<Vec<_>>());
        let architectures = Release::architectures(release).unwrap_or_default();
        SuiteConfig {
            suite: suite.map(ToOwned::to_owned),
            components,
            architectures: architectures.into_iter().filter(|name| !name.is_all()).collect(),
            copied,
            ..to
        }
    }

    /// The suite, for reading.
    pub(crate) fn into_state(self) -> PublishedSuite {
        self.state
    }

    /// A suite, or an archive without `dists/`, whose release file is not read.
    pub(crate) fn unlisted(store: &Store, name: &Suite, folder: Option<&str>) -> Self {
        let (kind, folder) = match folder {
            Some(folder) => (Kind::Flat, folder.to_owned()),
            None => (Kind::Other, format!("dists/{name}")),
        };
        Self { state: PublishedSuite::unread(store, name, folder), kind, is_unlisted: true }
    }

    async fn published(self) -> Result<Self, Error> {
        match (self.state.pointer(), self.kind) {
            (Some(_), _) => Ok(self),
            (None, Kind::Flat) => Err(Error::not_published(self.state.name())),
            (None, _) => Err(discovery::not_published(self.state.store(), self.state.name()).await),
        }
    }

    /// Reads the text of an index; `None` if the source has no such index.
    pub(crate) async fn text(&self, key: &PackagesKey) -> Result<Option<Bytes>, Error> {
        let plain = self.path(key);
        if !self.is_unlisted {
            return self.state.carried_text(&plain).await;
        }
        for compression in [Compression::Xz, Compression::Gzip, Compression::Plain] {
            let path = self.state.path(&format!("{plain}{}", compression.extension()));
            let read = self.state.store().read(&path, limits::UNLISTED_TEXT).await;
            if let Some(object) = self.state.store().unless_refused(read)? {
                return Ok(Some(unpack(path, object.bytes, compression, None).await?));
            }
        }
        Ok(None)
    }

    /// Whether the release file lists an index, which a mirror of a part may leave out all the same.
    pub(crate) fn lists(&self, key: &PackagesKey) -> bool {
        let plain = self.path(key);
        let files = self.state.release().map(Release::files);
        files.is_some_and(|files| files.keys().any(|path| plain_path(path) == plain))
    }

    fn path(&self, key: &PackagesKey) -> String {
        match (self.kind, key.package_type) {
            (Kind::Flat, PackageType::Dsc) => "Sources".to_owned(),
            (Kind::Flat, _) => "Packages".to_owned(),
            _ => key.path(),
        }
    }

    /// The path of an index in the store, for messages.
    pub(crate) fn shown(&self, key: &PackagesKey) -> String {
        self.state.path(&self.path(key))
    }

    /// The suite, if it is one of this archive.
    pub(crate) fn own_suite(&self) -> Option<&Suite> {
        (self.kind == Kind::Own).then(|| self.state.name())
    }

    /// Whether it is an archive without `dists/`.
    pub(crate) fn is_flat(&self) -> bool {
        self.kind == Kind::Flat
    }

    /// The package to copy, which an index lists.
    pub(crate) fn copied(&self, entry: &PackageEntry, key: &PackagesKey) -> Result<CopiedPackage, Error> {
        match self.kind {
            Kind::Own => CopiedPackage::of(entry.clone(), key, &self.state),
            Kind::Other | Kind::Flat => CopiedPackage::of_other_archive(entry, key, &self.state, ""),
        }
    }

    /// The error for an index that is not one.
    pub(crate) fn not_an_index(&self, key: &PackagesKey, source: crate::dists::packages::Error) -> Error {
        Error::Index { path: self.shown(key), source }
    }

    /// The error for an index that the source does not have.
    pub(crate) fn missing(&self, key: &PackagesKey) -> Error {
        Error::Missing { path: self.shown(key) }
    }

    /// The error for an index that a hook could not change.
    pub(crate) fn not_hooked(&self, key: &PackagesKey, source: io::Error) -> Error {
        Error::Input { path: self.shown(key), source }
    }
}

/// Opens and verifies a suite of another archive, and that it has not expired.
pub(crate) async fn open_other(store: &Store, suite: &Suite, trust: &Trust) -> Result<VerifiedBase, Error> {
    let opened = VerifiedBase::open(store, suite, &trust.clone().of_source()).await;
    let opened = opened.map_err(|error| match error {
        Error::Untrusted { .. }
        | Error::NotSigned { .. }
        | Error::NoKey { .. }
        | Error::NoPublicKey { .. }
        | Error::OtherSuite { .. } => Error::Unverified { suite: suite.clone(), source: Box::new(error) },
        error => error,
    })?;
    if let Some(release) = opened.release() {
        refuse_expired(release, suite, trust)?;
    }
    Ok(opened)
}

/// Refuses a suite of another archive that apt refuses for its times, unless it is taken as it is: `Valid-Until` has passed or
/// is no date, or `Date` is in the future.
pub(crate) fn refuse_expired(release: &Release, suite: &Suite, trust: &Trust) -> Result<(), Error> {
    if trust.adopts() {
        return Ok(());
    }
    let time = |at: Option<SystemTime>| at.and_then(|at| Timestamp::try_from(at).ok());
    let (now, present) = (time(trust.now), time(trust.present()));
    let suite = suite.clone();
    match release.valid_until() {
        Err(_) => {
            let found = release.field("Valid-Until").unwrap_or_default().to_owned();
            return Err(Error::UnreadableExpiry { suite, found });
        }
        Ok(Some(until)) if now.is_some_and(|now| until < now) => {
            return Err(Error::Expired { suite, until });
        }
        Ok(_) => {}
    }
    match release.date().ok().zip(present) {
        Some((date, now)) if date.duration_since(now) > ACCEPTED_AHEAD => {
            Err(Error::NotYetValid { suite, date, now })
        }
        _ => Ok(()),
    }
}
