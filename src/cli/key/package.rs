//! `publish key package`: the public keys as a package of the archive, which brings clients a new key while they believe the
//! old one.

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

/// Publishes the public keys as the package NAME-archive-keyring
///
/// It installs /usr/share/keyrings/NAME-archive-keyring.gpg with the keys of all suites, for `Signed-By`, and is added to every
/// suite that is signed. Where the newest one that is published holds the same keys, nothing is done.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What the package is called [default: as it is published already, else by the `Origin` of the suites]
    #[arg(long)]
    name: Option<String>,

    /// Who answers for it, such as "Example <packages@example.org>" [default: as before, else the name on the first key]
    #[arg(long, value_name = "TEXT")]
    maintainer: Option<String>,

    /// Only into this suite; may be repeated [default: all that are published and signed, but those with `ReadOnly:`]
    #[arg(short, long)]
    suite: Vec<String>,

    /// Writes the package into this file, and publishes nothing
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["suite", "dry_run", "message"])]
    output: Option<PathBuf>,

    #[command(flatten)]
    asked: ChangeArgs,
}

/// What a keyring package is to be.
pub(super) struct Wanted {
    pub(super) name: PackageName,
    pub(super) owner: String,
    pub(super) maintainer: Option<String>,
    pub(super) keys: Keyring,
}

/// A keyring package for suites.
pub(super) struct Made {
    pub(super) version: Version,
    deb: Vec<u8>,
    /// The suites whose newest one holds the same keys already.
    pub(super) present: Vec<Suite>,
}

/// A keyring package, and the suites that are to have it.
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
                "Nothing to do: {} {} is published already, with the same keys",
                wanted.name, made.version
            ));
        }
        tell_clients(session, &wanted.name, &suites).await?;
    }
    if session.ui.json() {
        session.ui.object(&report);
    }
    Ok(ExitCode::SUCCESS)
}

/// The suites that the package goes into.
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
        // The first package of the archive.
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

/// What the package is called, and whose archive it is.
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
            Failure::usage(format!("no package can be named after `{text}`: {error}; give `--name NAME`"))
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
                    format!("several packages hold its keys: `{}`", names.join("`, `"))
                }
            };
            let hint = if published.is_empty() {
                "give `--name NAME`: the package is then called NAME-archive-keyring"
            } else {
                "name the suites of one of them with `--suite`; with `--name NAME` all get NAME-archive-keyring, and the \
                 others no new key"
            };
            let error = format!("it is not known what the archive is called: {why}");
            Err(Failure::text(error, Some(hint.to_owned())))
        }
    }
}

/// Adds what clients have already of the keys that the configuration names: a job that is given one of two keys takes the other
/// from nobody.
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

/// Tells of packages of other names that hold these keys: clients who have one of them get no new key from it.
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
                    "suite `{}` has `{other}` too, which stays as it is: clients who have that one get new keys only if they install `{name}`",
                    suite.codename
                ));
            }
        }
    }
    Ok(())
}

impl Wanted {
    /// The package that the suites are to have: the newest that one of them has, if it holds these keys, else a new one.
    ///
    /// An old one is not put into a further suite: its time says since when the clients of a suite can have a key.
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
                "`{name}` {version} of suite `{suite}` was made by somebody else: it installs `/{path}`, which a newer one would take from clients"
            );
            let hint = "`--name NAME` publishes a package of another name, which clients install besides";
            return Err(Failure::text(error, Some(hint.to_owned())));
        }
        // An older one that holds the same keys is not what apt installs.
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
            // Published once, and removed; or left by a job that was killed.
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

/// Whether a package was made just now: by a job that was killed between two suites, and is gone on with.
fn is_young(content: &KeyringContent, now: SystemTime) -> bool {
    now.duration_since(content.made).is_ok_and(|age| age < Duration::from_secs(24 * 60 * 60))
}

/// Whether a package can be put into the pool, where nothing changes.
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
    /// Adds the package to the suites that lack it.
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

    /// Finds out what refuses it, before anything is changed that it needs.
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

    /// The edit that adds it, from a file that is there as long as the folder.
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
        let add = read.into_iter().map(|incoming| NewPackage { incoming, component: None }).collect();
        Ok((SuiteEdit { add, ..SuiteEdit::default() }, folder))
    }
}

/// Tells what clients write once they have the package.
pub(super) async fn tell_clients(
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
    session.ui.say(&format!("\nClients: `apt install {package}`, and then read the archive with\n"));
    let path = format!("/{}", keyring_path(package));
    let stanzas: Vec<String> = groups
        .iter()
        .map(|(components, suites)| sources::stanza_by_keyring(&session.location, suites, components, &path))
        .collect();
    session.ui.data(stanzas.join("\n").as_bytes());
    Ok(())
}
