//! `Call`: one call of a command, with its options, its session and its suites.

use std::sync::Mutex;

use super::{
    folders::Folders,
    log::{self, Cause, Changer},
    options::Options,
    outlog::OutLog,
    status,
};
use crate::{
    archive::{
        Archive, Change, CommitReport, Error, KeyError, NewPackage, Places, PublishedSuite, Publisher,
        Reason, SuiteEdit, SuiteKeys, Trust,
    },
    cli::{change_args::ChangeArgs, failure::Failure, session::Session},
    compression::Compression,
    config::SuiteConfig,
    names::{Architecture, Component, Suite},
    store,
};

/// One call of a command.
pub(super) struct Call<'a> {
    pub(super) options: &'a Options,
    pub(super) session: Session<'a>,
    /// The name of the command.
    pub(super) word: &'static str,
    /// Its arguments.
    pub(super) arguments: &'a [String],
    /// The suites whose indices are not configured.
    pub(super) default_forms: Vec<Suite>,
    /// The changes of files, for `--outhook`.
    pub(super) outlog: Mutex<OutLog>,
}

impl Call<'_> {
    pub(super) fn folders(&self) -> &Folders {
        &self.options.folders
    }

    pub(super) fn changer(&self) -> Changer<'_> {
        Changer { folders: self.folders(), ui: self.session.ui, word: self.word, now: self.session.now }
    }

    /// Prints a line to stderr, unless `--silent` is given.
    pub(super) fn say(&self, line: &str) {
        self.session.ui.say(line);
    }

    /// Prints lines of data to stdout.
    pub(super) fn print(&self, lines: impl IntoIterator<Item = String>) {
        let mut text = String::new();
        for line in lines {
            text.push_str(&line);
            text.push('\n');
        }
        self.session.ui.text(&text);
    }

    /// Returns a configured suite by its codename or its `Suite`.
    pub(super) fn suite(&self, name: &str) -> Result<SuiteConfig, Failure> {
        self.find(name)?.ok_or_else(|| {
            let path = self.folders().conf.join("distributions");
            status::text(
                status::UNKNOWN,
                format!("cannot find definition of distribution `{name}` in `{}`", path.display()),
            )
        })
    }

    /// The same, where it may be missing. A `Suite` that several suites have names none of them.
    pub(super) fn find(&self, name: &str) -> Result<Option<SuiteConfig>, Failure> {
        let suites = &self.session.config.suites;
        if let Some(found) = suites.iter().find(|suite| suite.codename.as_str() == name) {
            return Ok(Some(found.clone()));
        }
        let named: Vec<&SuiteConfig> =
            suites.iter().filter(|suite| suite.suite.as_deref() == Some(name)).collect();
        if let [_, _, ..] = named[..] {
            let codenames: Vec<&str> = named.iter().map(|suite| suite.codename.as_str()).collect();
            let text = format!(
                "no distribution has `{name}` as codename, but multiple as suite name, thus it cannot be used to determine a \
                 distribution"
            );
            let hint = format!("name one of them: `{}`", codenames.join("`, `"));
            return Err(status::with(status::UNKNOWN, Failure::text(text, Some(hint))));
        }
        Ok(named.first().map(|found| (*found).clone()))
    }

    /// Returns the named suites, else all configured ones.
    pub(super) fn suites(&self, names: &[String]) -> Result<Vec<SuiteConfig>, Failure> {
        if names.is_empty() {
            return Ok(self.session.config.suites.clone());
        }
        names.iter().map(|name| self.suite(name)).collect()
    }

    /// Opens the archive for reading.
    pub(super) fn archive(&self) -> Archive {
        self.session.archive(tokio::task::block_in_place(|| self.session.trust_to_read()))
    }

    /// Reads a suite, which may not be published yet.
    pub(super) async fn published(&self, suite: &Suite) -> Result<PublishedSuite, Failure> {
        Ok(self.archive().suite(suite).await?)
    }

    /// The indices that `-C`, `-A` and `-T` select.
    pub(super) fn places(&self) -> Result<Places, Failure> {
        Ok(Places {
            components: self.components()?,
            architectures: self.architectures()?,
            kinds: self.options.kinds.clone(),
        })
    }

    /// The components of `-C`, which some suite must have.
    pub(super) fn components(&self) -> Result<Vec<Component>, Failure> {
        let known = |name: &str| {
            let suites = self.session.config.suites.iter();
            suites.flat_map(|suite| &suite.components).find(|component| component.as_str() == name).cloned()
        };
        let unknown = |name: &String| self.not_configured("component", name, "-C");
        self.options.components.iter().map(|name| known(name).ok_or_else(|| unknown(name))).collect()
    }

    /// The architectures of `-A`, which some suite must have.
    pub(super) fn architectures(&self) -> Result<Vec<Architecture>, Failure> {
        let known = |name: &str| {
            let suites = self.session.config.suites.iter();
            let is_general = matches!(name, "all" | "source");
            let configured = suites.flat_map(|suite| &suite.architectures);
            let found = configured.into_iter().any(|architecture| architecture.as_str() == name);
            Architecture::parse_selector(name).ok().filter(|_| found || is_general)
        };
        let unknown = |name: &String| self.not_configured("architecture", name, "-A");
        self.options.architectures.iter().map(|name| known(name).ok_or_else(|| unknown(name))).collect()
    }

    fn not_configured(&self, what: &str, name: &str, option: &str) -> Failure {
        let path = self.folders().conf.join("distributions");
        status::text(
            status::FAILED,
            format!("no suite in `{}` has the {what} `{name}` that `{option}` names", path.display()),
        )
    }

    /// The suite with the forms of its indices: in a folder, those that reprepro writes by default, unless the suite has
    /// another one already.
    async fn with_forms(&self, suite: &SuiteConfig) -> Result<SuiteConfig, Failure> {
        let mut suite = suite.clone();
        if self.default_forms.contains(&suite.codename) && self.session.location.folder().is_some() {
            let published = self.published(&suite.codename).await?;
            let mut files = published.release().into_iter().flat_map(crate::dists::Release::own_files);
            // Other files, such as those of command-not-found, have forms of their own.
            let is_other =
                |path: &str| ["/Packages.xz", "/Sources.xz"].iter().any(|name| path.ends_with(name));
            if !files.any(|(path, _)| is_other(path)) {
                suite.compressions = vec![Compression::Plain, Compression::Gzip];
            }
        }
        Ok(suite)
    }

    /// Publishes an edit of a suite, and passes the changes on to `Log` and `--outhook`.
    pub(super) async fn commit(
        &self,
        suite: &SuiteConfig,
        mut edit: SuiteEdit,
        cause: &Cause,
    ) -> Result<CommitReport, Failure> {
        let events = self.session.events();
        let publisher = self.session.publisher(&ChangeArgs { dry_run: false, message: None }, &events)?;
        let suite = &self.with_forms(suite).await?;
        let keys = publisher.keys(suite).await?;
        let begins_to_be_signed = self.sign_or_not(&suite.codename, keys.signing.is_some()).await?;
        let report = self.apply(&publisher, (suite, &keys), &mut edit).await?;
        if begins_to_be_signed {
            let codename = &suite.codename;
            self.session.ui.warn(&format!("suite `{codename}` was not signed, and is signed from now on"));
        }
        let mut all = Some(&report);
        while let Some(one) = all {
            for note in &one.notes {
                self.session.ui.warn(note);
            }
            let config = self.session.config.find(one.suite.as_str()).unwrap_or(suite);
            self.outlog.lock().unwrap_or_else(std::sync::PoisonError::into_inner).add(one, config);
            log::record(&self.changer(), config, one, cause)?;
            all = one.moved.as_ref().map(|moved| &*moved.to);
        }
        Ok(report)
    }

    /// Requires that an edit can be published; changes nothing.
    pub(super) async fn plan(&self, suite: &SuiteConfig, mut edit: SuiteEdit) -> Result<(), Failure> {
        let events = self.session.events();
        let publisher = self.session.publisher(&ChangeArgs { dry_run: true, message: None }, &events)?;
        let suite = &self.with_forms(suite).await?;
        let keys = publisher.keys(suite).await?;
        self.apply(&publisher, (suite, &keys), &mut edit).await.map(drop)
    }

    /// Commits an edit, with paths of their own for packages that need them.
    async fn apply(
        &self,
        publisher: &Publisher<'_>,
        (suite, keys): (&SuiteConfig, &SuiteKeys),
        edit: &mut SuiteEdit,
    ) -> Result<CommitReport, Failure> {
        match publisher.commit(suite, keys, edit).await {
            Err(KeyError::Archive(Error::Refused(refusals)))
                if self.moves_to_own_paths(suite, edit, &refusals).await? =>
            {
                publisher.commit(suite, keys, edit).await.map_err(|error| self.failure(error))
            }
            done => done.map_err(|error| self.failure(error)),
        }
    }

    /// Removes the signature of a suite that no key signs any more, if the user asks for that. Returns whether it is
    /// published without one, and a key signs it.
    async fn sign_or_not(&self, suite: &Suite, has_key: bool) -> Result<bool, Failure> {
        if !self.session.builds_on_unverified && !self.session.trusts_existing() {
            return Ok(false);
        }
        let archive = self.session.archive(Trust::unverified());
        if has_key {
            let published = archive.suite(suite).await?;
            return Ok(published.pointer().is_some_and(|pointer| !pointer.signed));
        }
        if self.session.trusts_existing() && archive.remove_signature(suite).await? {
            self.session.ui.warn(&format!(
                "suite `{suite}` is not signed from now on: apt accepts it only with `Trusted: yes`"
            ));
        }
        Ok(false)
    }

    /// Gives packages whose paths in the pool have the bytes of a removed version paths of their own, so that clients
    /// with an older index find the bytes that it describes. Returns whether that resolves every refusal.
    async fn moves_to_own_paths(
        &self,
        suite: &SuiteConfig,
        edit: &mut SuiteEdit,
        refusals: &[crate::archive::Refusal],
    ) -> Result<bool, Failure> {
        if self.session.location.folder().is_none() && !suite.mutable {
            return Ok(false);
        }
        let (mut occupied, mut records) = (Vec::new(), Vec::new());
        for refusal in refusals {
            match &refusal.source {
                Reason::Pool(store::Error::Occupied { path, .. }) => {
                    let is_record =
                        edit.records.iter().any(|of| of.file.display().to_string() == refusal.subject);
                    if is_record { &mut records } else { &mut occupied }.push((path, &refusal.subject));
                }
                _ => return Ok(false),
            }
        }
        let archive = self.archive();
        for listed in archive.suites().await? {
            let published = archive.suite(&listed).await?;
            for key in published.index_keys().into_iter().filter(crate::dists::IndexKey::has_entries) {
                for entry in published.entries(&key).await? {
                    let names =
                        |path: &str| entry.files.iter().any(|file| file.path.as_deref() == Some(path));
                    if occupied.iter().any(|(path, _)| names(path)) {
                        return Ok(false);
                    }
                }
            }
        }
        let is_meant = |new: &NewPackage| {
            let files = new.incoming.others.iter().map(|other| &other.file).chain([&new.incoming.file]);
            let mut files = files.map(|file| file.display().to_string());
            files.any(|file| occupied.iter().any(|(_, subject)| **subject == file))
        };
        let mut changed = false;
        if occupied.is_empty() {
            // No index names it, and the pool has the one of another upload of the same packages.
            for (path, subject) in records {
                self.session.ui.warn(&format!("`{subject}` is not kept: `{path}` is that of another upload"));
                edit.records.retain(|record| record.file.display().to_string() != *subject);
                changed = true;
            }
        }
        for new in edit.add.iter_mut().filter(|new| is_meant(new)) {
            new.placement.own_path = true;
            changed = true;
        }
        Ok(changed)
    }

    /// The failure of an operation, with a hint that names what works under reprepro's words.
    pub(super) fn failure(&self, error: impl Into<KeyError>) -> Failure {
        let error = error.into();
        let KeyError::Archive(Error::NoKey { suite }) = &error else { return self.session.failure(error) };
        let hint = format!(
            "to sign it, write `SignWith: KEY` in conf/distributions; to publish it without a signature from now on, run \
             `reprepro --trust-existing export {suite}` once"
        );
        Failure::from(error).with_hint(&hint)
    }

    /// The status of a command that changed something, or nothing.
    pub(super) fn status(&self, is_done: bool) -> u8 {
        if is_done || !self.options.nothing_is_error { 0 } else { status::NOTHING }
    }
}

/// A package for a message, as reprepro names the indices that list it.
pub(super) fn place(suite: &SuiteConfig, change: &Change) -> String {
    format!("{}|{}|{}", suite.codename, change.component, change.architecture)
}
