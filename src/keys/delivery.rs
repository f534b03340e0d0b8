//! Delivers the public keys to clients as a package of the suites, so that clients get a new key while they trust the old
//! one.

use std::{
    fs,
    time::{Duration, SystemTime},
};

use super::{
    error::{Error, NoPackageName},
    event::{KeyEvent, KeyEvents},
    keychain::Keychain,
    keyring_package::{
        KeyringContent, KeyringPackage, PublishedKeyring, keyring_package_name, keyring_version,
    },
    publisher::Publisher,
};
use crate::{
    commit::outcome::CommitReport,
    config::SuiteConfig,
    deb::BinaryPackage,
    digest::Digests,
    names::{Component, PackageName, Suite},
    operations::{edit::SuiteEdit, new_package::NewPackage, read_debs::read_packages},
    pool::PoolPath,
    signing::{self, Keyring},
    store,
    suite::{
        archive::{Archive, KEY_FILE},
        event::Event,
    },
    version::Version,
};

/// The content of a keyring package.
struct Wanted {
    name: PackageName,
    owner: String,
    maintainer: Option<String>,
    keys: Keyring,
}

/// A keyring package, and the suites that get it.
#[non_exhaustive]
pub struct Delivery {
    /// Its name.
    pub name: PackageName,
    /// Its version.
    pub version: Version,
    /// Its keys.
    pub keys: Keyring,
    /// The package itself.
    pub deb: Vec<u8>,
    /// The suites whose newest package has the same keys already.
    pub present: Vec<Suite>,
    /// All suites that get it.
    pub suites: Vec<SuiteConfig>,
}

/// The keyring package that `publish key package` asks for.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct DeliveryOptions {
    /// Its name, or text that the name is derived from; by default as published, else from the `Origin`.
    pub name: Option<String>,
    /// Its maintainer; by default as published, else the user ID of the first key.
    pub maintainer: Option<String>,
}

impl Publisher<'_> {
    /// Prepares the package with the public keys of the archive for suites. Writes nothing.
    pub async fn prepare_keyring(
        &self,
        suites: Vec<SuiteConfig>,
        options: &DeliveryOptions,
        events: KeyEvents<'_>,
    ) -> Result<Delivery, Error> {
        let mut keys = match self.blocking(Keychain::public_keys).await {
            Err(Error::Signing(error)) if self.dry_run && error.is_missing_key() => {
                self.keys_to_plan(error).await?
            }
            keys => keys?,
        };
        let archive = self.archive(self.trust_to_read().await);
        let named = options.name.as_deref();
        let (name, owner) = name(&archive, &suites, named, &keys).await?;
        if self.keychain.is_overridden() {
            self.keep_configured(&archive, &suites, &name, &mut keys).await?;
        }
        if named.is_some() {
            report_others(&archive, &suites, &name, &keys, events).await?;
        }
        let wanted = Wanted { name, owner, maintainer: options.maintainer.clone(), keys };
        wanted.make(self, &archive, suites).await
    }

    /// Returns the public keys for a plan without the signing keys: those that can be read, and those that the archive
    /// offers to its clients. `missing` is the error if there are none.
    async fn keys_to_plan(&self, missing: signing::Error) -> Result<Keyring, Error> {
        let mut keys = self.blocking(Keychain::readable_keys).await;
        keys.merge(&self.offered_keys().await?);
        if keys.is_empty() {
            return Err(missing.into());
        }
        (self.events)(Event::Warning(format!(
            "{missing}: the plan has the public keys that can be read, and those in `{KEY_FILE}` of the archive"
        )));
        Ok(keys)
    }

    /// Adds the configured keys that the published package has: a job with one of two keys must not remove the other
    /// from clients.
    async fn keep_configured(
        &self,
        archive: &Archive,
        suites: &[SuiteConfig],
        name: &PackageName,
        keys: &mut Keyring,
    ) -> Result<(), Error> {
        let fingerprints = self.blocking(|keychain| {
            let words = keychain.config.suites.iter().flat_map(|suite| &suite.sign_with);
            words.flat_map(|word| keychain.fingerprints_of(word)).collect::<Vec<_>>()
        });
        let named = fingerprints.await;
        for suite in suites {
            let newest = archive.keyring_packages(&suite.codename, name).await?.into_iter().next();
            if let Some(content) = newest.and_then(|newest| newest.content) {
                keys.merge(&content.keys.only(&named));
            }
        }
        Ok(())
    }
}

/// Prepares the package with these keys; `known` are all keys whose package keeps its name.
pub(super) async fn prepare(
    publisher: &Publisher<'_>,
    archive: &Archive,
    (suites, keys, known): (Vec<SuiteConfig>, Keyring, &Keyring),
    named: Option<&str>,
    events: KeyEvents<'_>,
) -> Result<Delivery, Error> {
    let (name, owner) = name(archive, &suites, named, known).await?;
    if named.is_some() {
        report_others(archive, &suites, &name, known, events).await?;
    }
    Wanted { name, owner, maintainer: None, keys }.make(publisher, archive, suites).await
}

/// Returns the name of the package and the owner of the archive.
async fn name(
    archive: &Archive,
    suites: &[SuiteConfig],
    requested: Option<&str>,
    keys: &Keyring,
) -> Result<(PackageName, String), Error> {
    let mut origins: Vec<String> = Vec::new();
    for suite in suites {
        let configured = suite.copied.iter().find(|(field, _)| *field == "Origin");
        let origin = if let Some((_, origin)) = configured {
            Some(origin.clone())
        } else {
            let published = archive.suite(&suite.codename).await?;
            published.release().and_then(|release| release.field("Origin")).map(ToOwned::to_owned)
        };
        origins.extend(origin.filter(|origin| !origins.contains(origin)));
    }
    let parsed = |text: &str| {
        keyring_package_name(text).map_err(|source| Error::PackageName { text: text.to_owned(), source })
    };
    if let Some(text) = requested {
        return Ok((parsed(text)?, origins.first().cloned().unwrap_or_else(|| text.to_owned())));
    }
    let mut published: Vec<PackageName> = Vec::new();
    for suite in suites {
        for name in archive.keyring_package_names(&suite.codename, keys).await? {
            if !published.contains(&name) {
                published.push(name);
            }
        }
    }
    match (&published[..], &origins[..]) {
        ([name], _) => Ok((name.clone(), origins.first().cloned().unwrap_or_else(|| name.to_string()))),
        ([], [origin]) => Ok((parsed(origin)?, origin.clone())),
        ([], []) => Err(Error::NoPackageName(NoPackageName::NoOrigin)),
        ([], several) => Err(Error::NoPackageName(NoPackageName::SeveralOrigins(several.to_vec()))),
        (several, _) => {
            let names = several.iter().map(ToString::to_string).collect();
            Err(Error::NoPackageName(NoPackageName::SeveralPackages(names)))
        }
    }
}

/// Reports packages of other names with these keys: their clients get no new key.
async fn report_others(
    archive: &Archive,
    suites: &[SuiteConfig],
    name: &PackageName,
    keys: &Keyring,
    events: KeyEvents<'_>,
) -> Result<(), Error> {
    for suite in suites {
        for other in archive.keyring_package_names(&suite.codename, keys).await? {
            if other != *name {
                events(KeyEvent::OtherPackage { suite: &suite.codename, other: &other, name });
            }
        }
    }
    Ok(())
}

impl Wanted {
    /// Returns the newest published package if it has these keys, else renders a new one.
    ///
    /// An old package is not added to another suite: its date is taken as the time since when a suite offers a key.
    async fn make(
        self,
        publisher: &Publisher<'_>,
        archive: &Archive,
        suites: Vec<SuiteConfig>,
    ) -> Result<Delivery, Error> {
        let now = publisher.keychain.now;
        let mut present = Vec::new();
        let mut newest: Option<PublishedKeyring> = None;
        let mut foreign = None;
        for suite in &suites {
            let Some(first) = archive.keyring_packages(&suite.codename, &self.name).await?.into_iter().next()
            else {
                continue;
            };
            if self.is_held_by(&first)?.is_some() {
                present.push(suite.codename.clone());
            }
            if let Some(path) = &first.foreign {
                foreign = Some((suite, first.version.clone(), path.clone()));
            }
            if newest.as_ref().is_none_or(|newest| newest.version < first.version) {
                newest = Some(first);
            }
        }
        if let Some(newest) = &newest
            && let Some(content) = self.is_held_by(newest)?
            && (present.len() == suites.len() || is_young(content, now))
        {
            let (version, deb) = (newest.version.clone(), content.deb.to_vec());
            return Ok(self.delivery((version, deb), present, suites));
        }
        if let Some((suite, version, path)) = foreign {
            let suite = suite.codename.clone();
            return Err(Error::ForeignPackage { name: self.name, version, suite, path });
        }
        // An older package with the same keys does not help: apt installs the newest.
        let named = || {
            let reports = self.keys.reports(now);
            reports.into_iter().find_map(|key| key.user_ids.into_iter().next())
        };
        let before = newest.as_ref().and_then(|newest| newest.maintainer.clone());
        let maintainer = self.maintainer.clone().or(before).or_else(named);
        let newest = newest.map(|newest| newest.version);
        let mut version = keyring_version(newest.as_ref(), now);
        loop {
            let deb = self.render(&version, maintainer.as_deref(), now)?;
            if is_free(archive, &suites, &deb).await? {
                return Ok(self.delivery((version, deb), present, suites));
            }
            // The version was published and removed, or is left over from a crash.
            version = keyring_version(Some(&version), now);
        }
    }

    fn delivery(
        self,
        (version, deb): (Version, Vec<u8>),
        present: Vec<Suite>,
        suites: Vec<SuiteConfig>,
    ) -> Delivery {
        Delivery { name: self.name, version, keys: self.keys, deb, present, suites }
    }

    fn is_held_by<'a>(&self, published: &'a PublishedKeyring) -> Result<Option<&'a KeyringContent>, Error> {
        let Some(content) = &published.content else { return Ok(None) };
        Ok(self.keys.is_same(&content.keys)?.then_some(content))
    }

    fn render(&self, version: &Version, maintainer: Option<&str>, now: SystemTime) -> Result<Vec<u8>, Error> {
        let Self { name, owner, keys, .. } = self;
        Ok(KeyringPackage { name, version, owner, maintainer, keys, now }.render()?)
    }
}

/// Whether a package is less than a day old: it may be from a job that was killed between two suites.
fn is_young(content: &KeyringContent, now: SystemTime) -> bool {
    now.duration_since(content.made).is_ok_and(|age| age < Duration::from_secs(24 * 60 * 60))
}

/// Whether the path of a package is free in the pool, or has the same bytes.
async fn is_free(archive: &Archive, suites: &[SuiteConfig], deb: &[u8]) -> Result<bool, Error> {
    let package = BinaryPackage::read(deb).map_err(|source| Error::Package { source })?;
    let main = Component::parse("main").unwrap_or_else(|error| unreachable!("{error}"));
    for suite in suites {
        let path = PoolPath::of(suite.components.first().unwrap_or(&main), &package);
        match archive.store().check_put(path.as_str(), &Digests::of(deb)).await {
            Ok(_) => {}
            Err(store::Error::Occupied { .. }) => return Ok(false),
            Err(error) => return Err(Error::Archive(error.into())),
        }
    }
    Ok(true)
}

impl Delivery {
    /// Adds the package to those of its suites that do not have it; `suites` are the same suites as configured now.
    pub async fn publish(
        &self,
        publisher: &Publisher<'_>,
        suites: &[SuiteConfig],
        events: KeyEvents<'_>,
    ) -> Result<Vec<CommitReport>, Error> {
        let mut outcomes = Vec::new();
        for suite in suites.iter().filter(|suite| !self.present.contains(&suite.codename)) {
            let keys = publisher.keys(suite).await?;
            let (edit, _folder) = self.edit(publisher)?;
            let outcome = publisher.commit(suite, &keys, &edit).await?;
            events(KeyEvent::Published(&outcome));
            outcomes.push(outcome);
        }
        Ok(outcomes)
    }

    /// Checks that the package can be published, before the first write.
    pub(super) async fn would_publish(&self, publisher: &Publisher<'_>) -> Result<(), Error> {
        let planner = Publisher { dry_run: true, ..publisher.clone() };
        self.publish(&planner, &self.suites, &|_| ()).await.map(drop)
    }

    /// Returns the edit that adds it, and the temporary folder that must outlive the edit.
    fn edit(&self, publisher: &Publisher<'_>) -> Result<(SuiteEdit, tempfile::TempDir), Error> {
        let failed = |source| Error::Temporary { source };
        let folder = tempfile::Builder::new().prefix("publish-keyring-").tempdir().map_err(failed)?;
        let file = folder.path().join(format!("{}_{}_all.deb", self.name, self.version.without_epoch()));
        fs::write(&file, &self.deb).map_err(failed)?;
        let read = read_packages(vec![file], publisher.events)?;
        let add = read.into_iter().map(NewPackage::from).collect();
        Ok((SuiteEdit { add, ..SuiteEdit::default() }, folder))
    }
}
