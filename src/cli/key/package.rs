//! `publish key package`: publishes the public keys as a package, so that clients get a new key while they trust the old one.

use std::{
    fs,
    path::PathBuf,
    process::ExitCode,
    time::{Duration, SystemTime},
};

use crate::{
    archive::{
        Archive, CommitReport, KeyringContent, KeyringPackage, NewPackage, PublishedKeyring, SuiteEdit,
        Trust, keyring_package_name, keyring_path, keyring_version, read_packages,
    },
    cli::{
        change_args::ChangeArgs,
        failure::Failure,
        json::{KeyPackage, Publication},
        session::Session,
        sources,
    },
    config::SuiteConfig,
    deb::BinaryPackage,
    digest::Digests,
    names::{Component, PackageName, Suite},
    pool::PoolPath,
    signing::Keyring,
    store,
    version::Version,
};

/// Publish the public keys as the package NAME-archive-keyring
///
/// The package installs /usr/share/keyrings/NAME-archive-keyring.gpg with the keys of all suites, for `Signed-By`. It is added
/// to every signed suite whose newest keyring package has different keys.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:\n\
\x20 publish key package\n\
\x20 publish key package --name example --output example-archive-keyring.deb")]
pub(crate) struct Args {
    /// Package name without -archive-keyring [default: as published, else from the `Origin` of the suites]
    #[arg(long)]
    name: Option<String>,

    /// Maintainer, such as "Example <packages@example.org>" [default: as published, else the user ID of the first key]
    #[arg(long, value_name = "TEXT")]
    maintainer: Option<String>,

    /// Add it only to this suite; repeatable [default: all published signed suites except those with `ReadOnly:`]
    #[arg(short, long)]
    suite: Vec<String>,

    /// Write the package to FILE and publish nothing
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["suite", "dry_run", "message"])]
    output: Option<PathBuf>,

    #[command(flatten)]
    asked: ChangeArgs,
}

/// The content of a keyring package.
pub(super) struct Wanted {
    pub(super) name: PackageName,
    pub(super) owner: String,
    pub(super) maintainer: Option<String>,
    pub(super) keys: Keyring,
}

/// A rendered keyring package.
pub(super) struct Made {
    pub(super) version: Version,
    deb: Vec<u8>,
    /// The suites whose newest package has the same keys.
    pub(super) present: Vec<Suite>,
}

/// A keyring package, and its target suites.
pub(super) struct Delivery {
    pub(super) wanted: Wanted,
    pub(super) made: Made,
    pub(super) suites: Vec<SuiteConfig>,
}

pub(super) async fn run(args: &Args, session: &Session<'_>) -> Result<ExitCode, Failure> {
    let suites = signed_suites(session, &args.suite).await?;
    let mut keys = tokio::task::block_in_place(|| session.public_keys())?;
    let archive = session.archive(tokio::task::block_in_place(|| session.trust_to_read()));
    let (name, owner) = name(&archive, &suites, args.name.as_deref(), &keys).await?;
    if session.signs() {
        keep_configured(session, &archive, &suites, &name, &mut keys).await?;
    }
    if args.name.is_some() && args.output.is_none() {
        warn_of_others(session, &archive, &suites, &name, &keys).await?;
    }
    let wanted = Wanted { name, owner, maintainer: args.maintainer.clone(), keys };
    let made = wanted.make(session, &archive, &suites).await?;
    let mut report = KeyPackage {
        dry_run: args.asked.dry_run,
        name: wanted.name.to_string(),
        version: made.version.to_string(),
        keys: wanted.keys.fingerprints(),
        output: args.output.as_deref().map(|file| file.display().to_string()),
        present: made.present.iter().map(ToString::to_string).collect(),
        suites: Vec::new(),
    };
    if let Some(file) = &args.output {
        super::write_public(file, &made.deb)?;
        session.ui.say(&format!("Wrote {} {} to {}", wanted.name, made.version, file.display()));
    } else {
        let outcomes = made.publish(session, &wanted, &suites, &args.asked).await?;
        report.suites = outcomes.iter().map(Publication::from).collect();
        if suites.len() == made.present.len() {
            session.ui.say(&format!(
                "Nothing to do: {} {} is already published, with the same keys",
                wanted.name, made.version
            ));
        }
        print_clients(session, &wanted.name, &suites).await?;
    }
    if session.ui.json() {
        session.ui.object(&report);
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns the suites that get the package.
async fn signed_suites(session: &Session<'_>, asked: &[String]) -> Result<Vec<SuiteConfig>, Failure> {
    let is_signed = |suite: &SuiteConfig| session.signs() || !suite.sign_with.is_empty();
    if !asked.is_empty() {
        let suites = session.suites_as_configured(asked).await?;
        return match suites.iter().find(|suite| !is_signed(suite)) {
            None => Ok(suites),
            Some(suite) => Err(Failure::text(
                format!("suite `{}` is not signed, so there is no key for its clients", suite.codename),
                Some("name the key with `--sign-with`, or in `SignWith:` of conf/distributions".to_owned()),
            )),
        };
    }
    let mut suites = if session.archive(Trust::unverified()).suites().await?.is_empty() {
        // The archive is empty.
        vec![session.suite_to_change(None).await?]
    } else {
        session.suites_as_configured(&[]).await?
    };
    suites.retain(|suite| is_signed(suite) && !suite.read_only);
    if suites.is_empty() {
        let hint = "name a key with `--sign-with`, or in `SignWith:` of conf/distributions".to_owned();
        return Err(Failure::text("no suite of the archive is signed", Some(hint)));
    }
    Ok(suites)
}

/// Returns the name of the package and the owner of the archive.
pub(super) async fn name(
    archive: &Archive,
    suites: &[SuiteConfig],
    asked: Option<&str>,
    keys: &Keyring,
) -> Result<(PackageName, String), Failure> {
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
        keyring_package_name(text).map_err(|error| {
            Failure::usage(format!("cannot derive a package name from `{text}`: {error}; give `--name NAME`"))
        })
    };
    if let Some(text) = asked {
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
        _ => {
            let why = match (&published[..], &origins[..]) {
                ([], []) => "the suites have no `Origin`".to_owned(),
                ([], several) => format!("the suites have several origins: `{}`", several.join("`, `")),
                (several, _) => {
                    let names: Vec<&str> = several.iter().map(PackageName::as_str).collect();
                    format!("several packages contain its keys: `{}`", names.join("`, `"))
                }
            };
            let hint = if published.is_empty() {
                "give `--name NAME`: the package is then called NAME-archive-keyring"
            } else {
                "select the suites of one of them with `--suite`, or publish NAME-archive-keyring to all with `--name NAME`; \
                 clients of the other packages then get no new key"
            };
            let error = format!("cannot determine the name of the keyring package: {why}");
            Err(Failure::text(error, Some(hint.to_owned())))
        }
    }
}

/// Adds the configured keys that the published package has: a job with one of two keys must not remove the other from clients.
async fn keep_configured(
    session: &Session<'_>,
    archive: &Archive,
    suites: &[SuiteConfig],
    name: &PackageName,
    keys: &mut Keyring,
) -> Result<(), Failure> {
    let words = session.config.suites.iter().flat_map(|suite| &suite.sign_with);
    let named: Vec<String> = words.flat_map(|word| session.fingerprints_of(word)).collect();
    for suite in suites {
        let newest = archive.keyring_packages(&suite.codename, name).await?.into_iter().next();
        if let Some(content) = newest.and_then(|newest| newest.content) {
            keys.merge(&content.keys.only(&named));
        }
    }
    Ok(())
}

/// Warns about packages of other names with these keys: their clients get no new key.
pub(super) async fn warn_of_others(
    session: &Session<'_>,
    archive: &Archive,
    suites: &[SuiteConfig],
    name: &PackageName,
    keys: &Keyring,
) -> Result<(), Failure> {
    for suite in suites {
        for other in archive.keyring_package_names(&suite.codename, keys).await? {
            if other != *name {
                session.ui.warn(&format!(
                    "suite `{}` also has `{other}`, which is not updated: its clients get new keys only by installing `{name}`",
                    suite.codename
                ));
            }
        }
    }
    Ok(())
}

impl Wanted {
    /// Returns the newest published package if it has these keys, else renders a new one.
    ///
    /// An old package is not added to another suite: its date is taken as the time since when a suite offers a key.
    pub(super) async fn make(
        &self,
        session: &Session<'_>,
        archive: &Archive,
        suites: &[SuiteConfig],
    ) -> Result<Made, Failure> {
        let mut present = Vec::new();
        let mut newest: Option<PublishedKeyring> = None;
        let mut foreign = None;
        for suite in suites {
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
            && (present.len() == suites.len() || is_young(content, session.now))
        {
            return Ok(Made { version: newest.version.clone(), deb: content.deb.to_vec(), present });
        }
        if let Some((suite, version, path)) = foreign {
            let (suite, name) = (&suite.codename, &self.name);
            let error = format!(
                "`{name}` {version} of suite `{suite}` was made by another tool: it installs `/{path}`, which a new version would remove from clients"
            );
            let hint = "publish a package of another name with `--name NAME`";
            return Err(Failure::text(error, Some(hint.to_owned())));
        }
        // An older package with the same keys does not help: apt installs the newest.
        let named = || {
            let reports = self.keys.reports(session.now);
            reports.into_iter().find_map(|key| key.user_ids.into_iter().next())
        };
        let before = newest.as_ref().and_then(|newest| newest.maintainer.clone());
        let maintainer = self.maintainer.clone().or(before).or_else(named);
        let newest = newest.map(|newest| newest.version);
        let mut version = keyring_version(newest.as_ref(), session.now);
        loop {
            let deb = self.render(&version, maintainer.as_deref(), session.now)?;
            if is_free(archive, suites, &deb).await? {
                return Ok(Made { version, deb, present });
            }
            // The version was published and removed, or is left over from a crash.
            version = keyring_version(Some(&version), session.now);
        }
    }

    fn is_held_by<'a>(&self, published: &'a PublishedKeyring) -> Result<Option<&'a KeyringContent>, Failure> {
        let Some(content) = &published.content else { return Ok(None) };
        Ok(self.keys.is_same(&content.keys)?.then_some(content))
    }

    fn render(
        &self,
        version: &Version,
        maintainer: Option<&str>,
        now: SystemTime,
    ) -> Result<Vec<u8>, Failure> {
        let Self { name, owner, keys, .. } = self;
        Ok(KeyringPackage { name, version, owner, maintainer, keys, now }.render()?)
    }
}

/// Whether a package is less than a day old: it may be from a job that was killed between two suites.
fn is_young(content: &KeyringContent, now: SystemTime) -> bool {
    now.duration_since(content.made).is_ok_and(|age| age < Duration::from_secs(24 * 60 * 60))
}

/// Whether the path of a package is free in the pool, or has the same bytes.
async fn is_free(archive: &Archive, suites: &[SuiteConfig], deb: &[u8]) -> Result<bool, Failure> {
    let package = BinaryPackage::read(deb)
        .map_err(|error| Failure::of(&error, None).while_doing("cannot make the keyring package"))?;
    let main = Component::parse("main").unwrap_or_else(|error| unreachable!("{error}"));
    for suite in suites {
        let path = PoolPath::of(suite.components.first().unwrap_or(&main), &package);
        match archive.store().check_put(path.as_str(), &Digests::of(deb)).await {
            Ok(_) => {}
            Err(store::Error::Occupied { .. }) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(true)
}

impl Made {
    /// Adds the package to the suites that do not have it.
    pub(super) async fn publish(
        &self,
        session: &Session<'_>,
        wanted: &Wanted,
        suites: &[SuiteConfig],
        asked: &ChangeArgs,
    ) -> Result<Vec<CommitReport>, Failure> {
        let mut outcomes = Vec::new();
        for suite in suites.iter().filter(|suite| !self.present.contains(&suite.codename)) {
            let keys = session.keys_to_publish(suite).await?;
            let edit = self.edit(session, wanted)?;
            let outcome = session.publish(suite, keys, &edit.0, asked).await?;
            if session.ui.json() {
                outcome.notes.iter().for_each(|note| session.ui.warn(note));
            } else {
                session.ui.outcome(&outcome);
            }
            outcomes.push(outcome);
        }
        Ok(outcomes)
    }

    /// Checks that the package can be published, before the first write.
    pub(super) async fn would_publish(
        &self,
        session: &Session<'_>,
        wanted: &Wanted,
        suites: &[SuiteConfig],
    ) -> Result<(), Failure> {
        let plan = ChangeArgs { dry_run: true, message: None };
        for suite in suites.iter().filter(|suite| !self.present.contains(&suite.codename)) {
            let keys = session.keys_to_publish(suite).await?;
            let edit = self.edit(session, wanted)?;
            session.publish(suite, keys, &edit.0, &plan).await?;
        }
        Ok(())
    }

    /// Returns the edit that adds it, and the temporary folder that must outlive the edit.
    fn edit(
        &self,
        session: &Session<'_>,
        wanted: &Wanted,
    ) -> Result<(SuiteEdit, tempfile::TempDir), Failure> {
        let failed = |error: std::io::Error| {
            Failure::of(&error, None).while_doing("cannot write the keyring package to a temporary folder")
        };
        let folder = tempfile::Builder::new().prefix("publish-keyring-").tempdir().map_err(failed)?;
        let file = folder.path().join(format!("{}_{}_all.deb", wanted.name, self.version.without_epoch()));
        fs::write(&file, &self.deb).map_err(failed)?;
        let read = tokio::task::block_in_place(|| read_packages(vec![file], &session.events()))?;
        let add = read.into_iter().map(|incoming| NewPackage::from(incoming)).collect();
        Ok((SuiteEdit { add, ..SuiteEdit::default() }, folder))
    }
}

/// Prints the `.sources` stanzas for clients that have the package.
pub(super) async fn print_clients(
    session: &Session<'_>,
    package: &PackageName,
    suites: &[SuiteConfig],
) -> Result<(), Failure> {
    if session.ui.json() || session.ui.quiet() {
        return Ok(());
    }
    let archive = session.archive(Trust::unverified());
    let mut groups: Vec<(Vec<String>, Vec<&Suite>)> = Vec::new();
    for SuiteConfig { codename, components, .. } in suites {
        let components = if components.is_empty() {
            let published = archive.suite(codename).await?;
            let named = published.release().and_then(|release| release.field("Components")).unwrap_or("main");
            named.split_whitespace().map(ToOwned::to_owned).collect()
        } else {
            components.iter().map(ToString::to_string).collect()
        };
        match groups.iter_mut().find(|(same, _)| *same == components) {
            Some((_, suites)) => suites.push(codename),
            None => groups.push((components, vec![codename])),
        }
    }
    session.ui.say(&format!("\nOn clients, run `apt install {package}`, then use this `.sources` stanza:\n"));
    let path = format!("/{}", keyring_path(package));
    let stanzas: Vec<String> = groups
        .iter()
        .map(|(components, suites)| sources::stanza_by_keyring(&session.location, suites, components, &path))
        .collect();
    session.ui.stanza(&stanzas.join("\n"));
    Ok(())
}
