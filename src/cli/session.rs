//! The context of a command: archive, configuration, keys, and the selected suite.

use std::{env, path::PathBuf, time::SystemTime};

use super::{
    class::Kind,
    failure::Failure,
    given_keys,
    global::Global,
    hints,
    place::{self, NewFolder, Places},
    replacement::Replacement,
    text::shell_word,
    ui::Ui,
};
use crate::{
    archive::{Archive, Error, Event, Trust, snapshot_of},
    config::{Config, Destinations, SuiteConfig},
    dists::layout::INDEX_PAGE,
    names::Suite,
    nearest::nearest,
    site::page::Page,
    store::{self, Cache, Environment, Location, Store},
    suite::{flat, limits},
};

/// The variable that names the archive, as `--archive` does.
const ARCHIVE: &str = "PUBLISH_ARCHIVE";
/// The default suite of a new archive.
pub(super) const DEFAULT_SUITE: &str = "stable";

/// One run of `publish`.
#[expect(clippy::struct_excessive_bools, reason = "the switches of a command line")]
pub(super) struct Session<'a> {
    /// The output.
    pub ui: &'a Ui,
    /// The time of this run: that of the clock, unless `--date` names another.
    pub now: SystemTime,
    /// The time of the clock.
    pub clock: SystemTime,
    /// The location of the archive.
    pub location: Location,
    /// The store of the archive.
    pub store: Store,
    /// The environment variables, for opening other stores.
    pub environment: Environment,
    /// The configuration; empty if there is none.
    pub config: Config,
    /// The file of the configuration.
    pub config_path: Option<PathBuf>,
    /// Whether the command line names that file.
    pub config_is_named: bool,
    /// The current folder, for relative paths.
    pub current: PathBuf,
    /// The URL under which clients read the archive, from the command line or the environment, else of the destination that
    /// the archive is.
    pub(super) public_url: Option<String>,
    /// The keys of the command line.
    pub(super) sign_with: Vec<String>,
    /// Whether `--trust-existing` is given.
    pub(super) trust_existing: bool,
    /// Whether a suite is built on that is not signed, or that no known key can verify.
    pub(super) builds_on_unverified: bool,
    /// Whether the command prints what it would change, and changes nothing.
    pub(super) plans: bool,
    /// Whether a change that apt asks users to confirm is published.
    pub(super) allow_releaseinfo_change: bool,
    /// Whether a suite is published that has expired before.
    pub(super) allow_expired: bool,
}

impl<'a> Session<'a> {
    /// Reads the configuration, and prints its warnings; `init` may name a file that does not exist yet.
    pub(super) fn open(
        global: Global,
        ui: &'a Ui,
        clock: SystemTime,
        is_init: bool,
        plans: bool,
    ) -> Result<Self, Failure> {
        let session = Self::open_without_warnings(global, ui, clock, is_init, plans)?;
        // They are the same at every run, so a job can turn them off.
        for warning in session.config.warnings.iter().filter(|_| !ui.quiet()) {
            ui.warn(warning);
        }
        if let Some(options) = session
            .location
            .folder()
            .map(|folder| folder.join("conf/options"))
            .filter(|path| !ui.quiet() && path.exists())
        {
            ui.warn(&format!("`{}` is ignored: pass its options on the command line", options.display()));
        }
        Ok(session)
    }

    /// Reads the configuration.
    pub(super) fn open_without_warnings(
        global: Global,
        ui: &'a Ui,
        clock: SystemTime,
        is_init: bool,
        plans: bool,
    ) -> Result<Self, Failure> {
        let current = place::current()?;
        if global.archive.is_empty() && env::var_os(ARCHIVE).is_some_and(|value| value.is_empty()) {
            return Err(Failure::empty_variable(ARCHIVE));
        }
        let beside = global.config.as_deref().and_then(|path| Some(current.join(path).parent()?.to_owned()));
        let archive = Places::new(beside.as_deref(), None, &current);
        let archive = archive.find(&global.archive, NewFolder::Allowed)?;
        let location = archive.location;
        let config_is_named = global.config.is_some();
        let config_path = match global.config {
            Some(path) => Some(current.join(path)),
            None => place::default_config(&location, &current),
        };
        let config = match config_path.as_deref() {
            Some(path) if !is_init || path.exists() => Config::read(path)?,
            _ => Config::default(),
        };
        let environment = Environment::of_process();
        let store = Store::open(&location, &environment)?.with_cache(Cache::of(&environment));
        Ok(Self {
            ui,
            now: global.date.unwrap_or(clock),
            clock,
            location,
            store,
            environment,
            config,
            config_path,
            config_is_named,
            current,
            public_url: archive
                .destination
                .and_then(|destination| Some(destination.public_url?.trim_end_matches('/').to_owned())),
            sign_with: global.sign_with,
            trust_existing: global.trust_existing,
            builds_on_unverified: false,
            plans,
            allow_releaseinfo_change: global.allow_releaseinfo_change,
            allow_expired: global.allow_expired,
        })
    }

    /// Reads the location of another archive, which may be a name in conf/destinations.
    pub(super) fn location_of(&self, text: &str) -> Result<Location, Failure> {
        Ok(self.places().find(text, NewFolder::Refused)?.location)
    }

    /// Reads conf/destinations: beside the configuration that is read, else in the archive, else in the current folder.
    pub(super) fn destinations(&self) -> Result<Destinations, Failure> {
        self.places().destinations(Some(self.ui))
    }

    fn places(&self) -> Places<'_> {
        Places::new(Some(&self.config.folder), Some(&self.location), &self.current)
    }

    /// Opens the archive with a trust policy.
    #[must_use]
    pub(super) fn archive(&self, trust: Trust) -> Archive {
        Archive::new(self.store.clone(), trust)
    }

    /// Refuses to change an archive on the web; a dry run plans there as well.
    pub(super) fn refuse_web(&self) -> Result<(), Failure> {
        if !matches!(self.location, Location::Web(_)) || self.plans {
            return Ok(());
        }
        let hint = "name the folder or bucket behind the web server, such as `--archive s3://BUCKET/PREFIX`";
        let failure = Failure::text(format!("`{}` is read-only", self.location), Some(hint.to_owned()));
        Err(failure.kind(Kind::Refused))
    }

    /// Returns the suite to change: the named one, else the only one that is configured or published.
    pub(super) async fn suite_to_change(&self, named: Option<&str>) -> Result<SuiteConfig, Failure> {
        self.find_suite(named, None).await
    }

    /// Returns the suite to change, which may be a new one if that is allowed.
    pub(super) async fn suite_to_extend(
        &self,
        named: Option<&str>,
        new_suite: bool,
    ) -> Result<SuiteConfig, Failure> {
        self.find_suite(named, Some(new_suite)).await
    }

    /// `new_suite` is the option of a command that can create a suite.
    async fn find_suite(&self, named: Option<&str>, new_suite: Option<bool>) -> Result<SuiteConfig, Failure> {
        self.refuse_web()?;
        self.ui.step("Reading the archive");
        let archive = self.archive(Trust::unverified());
        let Some(name) = named else {
            if self.config.suites.is_empty()
                && let Location::Web(_) = self.location
            {
                return self.only_suite_on_web(&archive).await;
            }
            return self.only_suite(&archive).await;
        };
        if let Some(suite) = self.config.find(name) {
            return Ok(suite.clone());
        }
        let suite = parse_suite(name)?;
        // One request avoids listing a bucket.
        if archive.suite(&suite).await?.pointer().is_some() {
            // A snapshot is signed with the keys of its suite.
            let of = snapshot_of(&suite).and_then(|of| self.config.find(of.as_str()));
            return Ok(match of {
                Some(of) => of.snapshot(suite),
                None => SuiteConfig::unconfigured(suite),
            });
        }
        let mut known = self.configured();
        let creates = new_suite == Some(true);
        if !creates {
            known.extend(archive.suites().await?);
        }
        if creates || known.is_empty() {
            return Ok(SuiteConfig::unconfigured(suite));
        }
        known.sort_unstable();
        known.dedup();
        let create = new_suite.map(|_| {
            let file = if self.location.folder().is_some() { "" } else { " --config FILE" };
            let archive = shell_word(&self.location.to_string());
            format!(
                "to create it, run the same command with `--new-suite`, or configure it first with `publish --archive \
                 {archive} init{file} --suite {suite}`"
            )
        });
        let near = meant(suite.as_str(), &known);
        let hint = match (near, create) {
            (Some(near), Some(create)) => Some(format!("{near} {create}")),
            (near, create) => near.or(create),
        };
        let text = format!("there is no suite `{suite}`; there are: `{}`", names(&known));
        Err(Failure::text(text, hint).kind(Kind::NotFound))
    }

    /// Returns the only suite that is configured or published; the default suite of an archive without any.
    async fn only_suite(&self, archive: &Archive) -> Result<SuiteConfig, Failure> {
        let mut known = self.configured();
        match archive.suites().await {
            Ok(published) => {
                for suite in published {
                    if !known.contains(&suite) && !self.is_configured_link(archive, &suite).await? {
                        known.push(suite);
                    }
                }
            }
            // A user who may not list the bucket can still publish in the configured suite.
            Err(Error::Store(store::Error::Unlistable { .. })) if !known.is_empty() => {}
            Err(error) => return Err(error.into()),
        }
        match &known[..] {
            [] => Ok(SuiteConfig::unconfigured(parse_suite(DEFAULT_SUITE)?)),
            [only] => Ok(self.as_configured(only.clone())),
            all => Err(no_suite(all)),
        }
    }

    /// Returns the only suite of the page of an archive on the web, else the default suite if it is published: a web server
    /// has no list of suites.
    async fn only_suite_on_web(&self, archive: &Archive) -> Result<SuiteConfig, Failure> {
        match &self.suites_on_page().await?[..] {
            [only] => return Ok(SuiteConfig::unconfigured(only.clone())),
            [] => {}
            all => return Err(no_suite(all)),
        }
        let suite = parse_suite(DEFAULT_SUITE)?;
        if archive.suite(&suite).await?.pointer().is_none() {
            self.require_name_on_web()?;
        }
        Ok(SuiteConfig::unconfigured(suite))
    }

    /// Returns the suites that the page of an archive on the web shows; none of another archive.
    pub(super) async fn suites_on_page(&self) -> Result<Vec<Suite>, Failure> {
        if !matches!(self.location, Location::Web(_)) {
            return Ok(Vec::new());
        }
        let read = self.store.unless_refused(self.store.read(INDEX_PAGE, limits::PAGE).await)?;
        let page = read.filter(|page| Page::is_ours(&page.bytes)).map(|page| Page::parse(&page.bytes));
        let names = page.into_iter().flat_map(|page| page.suites.into_keys());
        Ok(names.filter_map(|name| Suite::parse(&name).ok()).collect())
    }

    fn configured(&self) -> Vec<Suite> {
        self.config.suites.iter().map(|suite| suite.codename.clone()).collect()
    }

    /// Returns the configuration of a suite by its codename.
    fn as_configured(&self, suite: Suite) -> SuiteConfig {
        let found = self.config.find(suite.as_str()).filter(|found| found.codename == suite);
        found.cloned().unwrap_or_else(|| SuiteConfig::unconfigured(suite))
    }

    /// Whether a published suite is configured under the name of a link to it.
    async fn is_configured_link(&self, archive: &Archive, suite: &Suite) -> Result<bool, Failure> {
        let [only] = &self.config.suites[..] else { return Ok(false) };
        let (one, other) = (archive.suite(&only.codename).await?, archive.suite(suite).await?);
        let (Some(one), Some(other)) = (one.pointer(), other.pointer()) else { return Ok(false) };
        Ok(one.revision == other.revision && one.bytes == other.bytes)
    }

    /// Returns the suite to copy from, which may turn out not to exist when it is read.
    pub(super) fn suite_to_copy_from(&self, name: &str) -> Result<SuiteConfig, Failure> {
        match self.config.find(name) {
            Some(suite) => Ok(suite.clone()),
            None => Ok(SuiteConfig::unconfigured(parse_suite(name)?)),
        }
    }

    /// Returns the configuration of the named suites, else of all published ones.
    pub(super) async fn suites_as_configured(&self, named: &[String]) -> Result<Vec<SuiteConfig>, Failure> {
        if !named.is_empty() {
            let mut suites: Vec<SuiteConfig> = Vec::new();
            for name in named {
                let suite = self.suite_to_change(Some(name)).await?;
                if !suites.iter().any(|other| other.codename == suite.codename) {
                    suites.push(suite);
                }
            }
            return Ok(suites);
        }
        let archive = self.archive(Trust::unverified());
        let published = self.suites_to_read(&archive, None).await?;
        Ok(published.into_iter().map(|suite| self.as_configured(suite)).collect())
    }

    /// Returns the configuration of the named suites, else of all configured ones, else of all published ones.
    pub(super) async fn suites_to_export(&self, named: &[String]) -> Result<Vec<SuiteConfig>, Failure> {
        if !named.is_empty() || self.config.suites.is_empty() {
            return self.suites_as_configured(named).await;
        }
        self.refuse_web()?;
        Ok(self.config.suites.iter().filter(|suite| !suite.read_only).cloned().collect())
    }

    /// A web server has no list of suites.
    pub(super) fn require_name_on_web(&self) -> Result<(), Failure> {
        let Location::Web(_) = self.location else { return Ok(()) };
        let hint = "add `--suite NAME`: a web server has no list of suites".to_owned();
        let failure = Failure::text(format!("no suite given for `{}`", self.location), Some(hint));
        Err(failure.into_usage())
    }

    /// Returns the suites to read: the named one, else all published ones.
    pub(super) async fn suites_to_read(
        &self,
        archive: &Archive,
        named: Option<&str>,
    ) -> Result<Vec<Suite>, Failure> {
        if let (Location::Web(_), Some(name)) = (&self.location, named) {
            // A web server has no listing.
            let suite = parse_suite(name)?;
            if archive.suite(&suite).await?.pointer().is_some() {
                return Ok(vec![suite]);
            }
            let failure = Failure::text(format!("there is no suite `{name}` at {}", self.location), None);
            return Err(failure.kind(Kind::NotFound));
        }
        self.require_name_on_web()?;
        let mut published = archive.suites().await?;
        // A suite may be configured under the name of a link.
        for suite in self.config.suites.iter().map(|suite| &suite.codename) {
            if !published.contains(suite) && archive.suite(suite).await?.pointer().is_some() {
                published.push(suite.clone());
            }
        }
        if published.is_empty() {
            // Snapshots stay when their suite is dropped.
            let mut snapshots = archive.suite_folders().await?;
            snapshots.retain(|suite| snapshot_of(suite).is_some());
            if let Some(suite) = named.and_then(|name| snapshots.iter().find(|one| one.as_str() == name)) {
                return Ok(vec![suite.clone()]);
            }
            if let Some(one) = snapshots.first() {
                let text = format!(
                    "no suite is published in `{}`, only snapshots: `{}`",
                    self.location,
                    names(&snapshots)
                );
                let hint = format!("name one of them with `--suite {one}`");
                return Err(Failure::text(text, Some(hint)).kind(Kind::NotFound));
            }
            if flat::has_indices(archive.store()).await? {
                let text =
                    format!("there is no archive with `dists/` in `{}`, but one without", self.location);
                let hint = format!(
                    "take its packages into an archive in another folder with `publish --archive FOLDER import {}`",
                    self.location
                );
                return Err(Failure::text(text, Some(hint)).kind(Kind::NotFound));
            }
            let hint = "name the archive with `--archive`, or create one with `publish add FILE`".to_owned();
            let failure = Failure::text(format!("there is no archive in `{}`", self.location), Some(hint));
            return Err(failure.kind(Kind::NotFound));
        }
        let Some(name) = named else { return Ok(published) };
        let codename = self.config.find(name).map(|suite| suite.codename.clone());
        let suite = codename.map_or_else(|| parse_suite(name), Ok)?;
        if published.contains(&suite) || archive.suite(&suite).await?.pointer().is_some() {
            return Ok(vec![suite]);
        }
        let text = format!("there is no suite `{name}`; there are: `{}`", names(&published));
        Err(Failure::text(text, meant(name, &published)).kind(Kind::NotFound))
    }

    /// Returns the codename of a suite, which may be given by an alias.
    #[must_use]
    pub(super) fn codename(&self, suite: Suite) -> Suite {
        self.config.find(suite.as_str()).map_or(suite, |configured| configured.codename.clone())
    }

    /// A command for this archive, which can be pasted.
    pub(super) fn command(&self, words: &str) -> String {
        format!("{} {words}", self.beginning())
    }

    /// The beginning of a command for this archive.
    fn beginning(&self) -> String {
        let config = match &self.config_path {
            Some(path) if self.config_is_named => {
                format!(" --config {}", shell_word(&path.display().to_string()))
            }
            _ => String::new(),
        };
        format!("publish --archive {}{config}", shell_word(&self.location.to_string()))
    }

    /// How a key of the archive is replaced; `name` is that of the keyring package, if it needs one.
    pub(super) fn replacement(&self, name: Option<&str>) -> Replacement {
        let name = name.map(|name| format!(" --name {}", shell_word(name))).unwrap_or_default();
        if self.config.suites.is_empty() || given_keys::are_given(&self.sign_with) {
            Replacement::by_hand(&self.beginning(), &self.sign_with, self.key_folder().as_deref(), &name)
        } else {
            Replacement { commands: vec![self.command(&format!("key rotate{name}"))], later: None }
        }
    }

    /// Returns a callback that prints events of the library.
    pub(super) fn events(&self) -> impl Fn(Event) + Send + Sync + use<'a> {
        let keys: String = self
            .sign_with
            .iter()
            .flat_map(|key| ["--sign-with ".to_owned(), shell_word(key), " ".to_owned()])
            .collect();
        let (ui, doctor) = (self.ui, self.command(&format!("{keys}doctor")));
        // The doctor reads the archive, which decides how.
        let replace = format!("see how to replace it with `{doctor}`");
        move |event| match event {
            Event::Key(warning) => {
                ui.warn_with_hint(
                    &warning.to_string(),
                    hints::signing::of_warning(&warning, || replace.clone()),
                );
            }
            event => ui.event(event),
        }
    }
}

/// Lists suites for a message.
fn names(suites: &[Suite]) -> String {
    suites.iter().map(ToString::to_string).collect::<Vec<_>>().join("`, `")
}

/// The hint that names the suite that was meant, if one is near.
fn meant(name: &str, known: &[Suite]) -> Option<String> {
    let near = nearest(name, known.iter().map(Suite::as_str));
    near.map(|near| format!("did you mean `{near}`?"))
}

/// The command needs one of these suites.
pub(super) fn no_suite(known: &[Suite]) -> Failure {
    let hint = format!("choose one with `--suite`: `{}`", names(known));
    Failure::text("no suite given", Some(hint)).into_usage()
}

/// Parses the name of a suite from the command line.
pub(super) fn parse_suite(name: &str) -> Result<Suite, Failure> {
    if let Some((suite, _)) = name.split_once('@').filter(|(suite, _)| Suite::parse(suite).is_ok()) {
        let text = format!("`{name}` is a generation; this command needs a suite");
        return Err(Failure::text(text, Some(format!("use `{suite}`"))).into_usage());
    }
    Suite::parse(name).map_err(|error| Failure::usage(error.to_string()))
}
