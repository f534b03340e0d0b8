//! Executes a key rotation: both keys sign, or only the new one.
//!
//! All requirements are checked before the first write. Then the key is written first, then the configuration, then the
//! suites, so that no interruption loses a key that is in use.

use std::{collections::BTreeMap, time::SystemTime};

use super::{
    next_key::{self, NextKey},
    package::{self, Delivery, Wanted},
    renew::{published, renew},
    rotation::{Change, OVERLAP, SuiteRotation},
    rotation_state::{Named, RotationState, day, day_after},
};
use crate::{
    cli::{
        failure::Failure,
        json::{Publication, Rotated},
        session::{Session, passphrase},
    },
    config::{self, ConfigEdit, SuiteConfig},
    names::Suite,
    signing::{KeySource, Keyring, SigningKeys},
};

impl Change<'_, '_> {
    /// Signs with both keys; `next` has the keys that no suite names yet, each with the key that it replaces.
    pub(super) async fn both(self, next: Vec<(Named, NextKey)>) -> Result<Rotated, Failure> {
        let (args, session) = (self.args, self.session);
        let dry_run = args.asked.dry_run;
        let suites = self.suites();
        let mut keys = public_keys(session)?;
        for (old, new) in &next {
            keys.merge(&new.public);
            tokio::task::block_in_place(|| opens(session, &[old], Some(new)))?;
        }
        for SuiteRotation { state, old, new } in &self.rotations {
            let begins = next.iter().any(|(_, next)| next.word == new.word);
            if !begins && state.keys.iter().all(|key| key.word != new.word) {
                // The suite joins a rotation that is in progress.
                let both: Vec<&Named> = old.iter().chain([new]).collect();
                tokio::task::block_in_place(|| opens(session, &both, None))?;
            }
        }
        let package = self.package(published(session, &suites).await?, keys).await?;
        let kept = next.iter().all(|(_, new)| new.is_kept());
        let edit = self.edit(kept, |rotation| {
            rotation.old.iter().chain([&rotation.new]).map(|key| key.word.clone()).collect()
        })?;
        if let Some(Delivery { wanted, made, suites }) = package.as_ref().filter(|_| !edit.is_empty()) {
            made.would_publish(session, wanted, suites).await?;
        }
        let step = if next.is_empty() { "under way" } else { "begun" };
        let mut report = Rotated::of(step, &self, &edit, package.as_ref());
        report.name_keys(&next, dry_run);
        if dry_run && !edit.is_empty() {
            // The remaining steps need the key, which a dry run does not store.
            self.print_keys(&next);
            self.print_words(&next, &edit);
            self.print_plan(package.as_ref());
            report.finish = Some(day_after(session.now, OVERLAP));
            return Ok(report);
        }
        if !edit.is_empty() {
            let staged = edit.stage().map_err(|error| self.not_written(error, kept))?;
            // After a crash here, the next run reuses this key.
            next.iter().try_for_each(|(_, new)| new.keep())?;
            self.print_keys(&next);
            // After a crash here, the next run finds both keys in the configuration and completes the rotation.
            staged.commit().map_err(|error| self.not_written(error, true))?;
            self.print_words(&next, &edit);
        }
        if !dry_run {
            self.rotations
                .iter()
                .flat_map(|rotation| &rotation.old)
                .for_each(|old| next_key::is_in_use(old, session));
        }
        for rotation in &self.rotations {
            for signed in rotation.state.published.iter().filter(|signed| !signed.admits(&rotation.new)) {
                let hint = admit(&rotation.new.fingerprint());
                session
                    .ui
                    .warn(&format!("`Signed-By` in the release file of suite `{}` does not list the new key, so clients without `Signed-By` of their own reject it: {hint}", signed.suite));
            }
        }
        let session = session.with_config(edit.config().clone());
        let renewed = renew(&session, &suites, package.as_ref(), &args.asked).await?;
        (report.since, report.finish) = self.times().await?;
        if next.is_empty() {
            let since = report.since.as_ref().map(|day| format!(" since {day}")).unwrap_or_default();
            let rest = match (renewed.is_nothing() && edit.is_empty(), dry_run) {
                (true, _) => "",
                (false, true) => "; interrupted steps would be completed",
                (false, false) => "; interrupted steps were completed",
            };
            session.ui.say(&format!("The key rotation is in progress{since}: both keys sign{rest}"));
        }
        report.suites = renewed.outcomes.iter().map(Publication::from).collect();
        if let Some(package) = &package {
            package::print_clients(&session, &package.wanted.name, &package.suites).await?;
        }
        self.print_next(report.finish.as_deref());
        Ok(report)
    }

    /// Signs with the new key only; completes suites in `alone` that a killed run configured but did not sign.
    pub(super) async fn new_alone(self, alone: &[RotationState]) -> Result<Rotated, Failure> {
        let (args, session) = (self.args, self.session);
        for rotation in &self.rotations {
            if let Some(lacks) =
                rotation.state.published.iter().find(|signed| !signed.is_by_also(&rotation.new))
            {
                let new = rotation.new.fingerprint();
                let error = format!("suite `{}` is not yet signed with the new key {new}", lacks.suite);
                return Err(Failure::text(
                    error,
                    Some("sign it with both keys: `publish key rotate`".to_owned()),
                ));
            }
            if let Some(signed) = rotation.state.published.iter().find(|signed| !signed.admits(&rotation.new))
            {
                let error = format!("`Signed-By` of suite `{}` does not list the new key", signed.suite);
                return Err(Failure::text(error, Some(admit(&rotation.new.fingerprint()))));
            }
        }
        self.wait().await?;
        for rotation in &self.rotations {
            tokio::task::block_in_place(|| opens(session, &[&rotation.new], None))?;
        }
        let edit = self.edit(true, |rotation| vec![rotation.new.word.clone()])?;
        let after = session.with_config(edit.config().clone());
        let mut suites = self.suites();
        let has_rotated = |state: &&RotationState| {
            self.rotations.iter().any(|rotation| state.keys.iter().all(|key| key.is(&rotation.new.public)))
        };
        suites.extend(alone.iter().filter(has_rotated).map(|state| state.config.clone()));
        let package = self.package(published(session, &suites).await?, public_keys(&after)?).await?;
        let mut report = Rotated::of("finished", &self, &edit, package.as_ref());
        let staged = edit.stage().map_err(|error| self.not_written(error, true))?;
        if !args.asked.dry_run {
            // After a crash here, the next run only has to re-sign.
            staged.commit().map_err(|error| self.not_written(error, true))?;
        }
        self.print_words(&[], &edit);
        let renewed = renew(&after, &suites, package.as_ref(), &args.asked).await?;
        report.suites = renewed.outcomes.iter().map(Publication::from).collect();
        self.print_end(&after);
        Ok(report)
    }

    /// Completes what a killed run left of the last rotation; the configuration shows none in progress.
    pub(super) async fn carry_on(self, alone: &[RotationState]) -> Result<Rotated, Failure> {
        let (args, session) = (self.args, self.session);
        let suites: Vec<SuiteConfig> = alone.iter().map(|state| state.config.clone()).collect();
        let keys = public_keys(session)?;
        let mut there = published(session, &suites).await?;
        let mut without = Vec::new();
        for suite in &there {
            if self.archive.keyring_package_names(&suite.codename, &keys).await?.is_empty() {
                without.push(suite.codename.clone());
            }
        }
        // These suites never had a keyring package.
        there.retain(|suite| !without.contains(&suite.codename));
        let package = self.package(there, keys).await?;
        let renewed = renew(session, &suites, package.as_ref(), &args.asked).await?;
        let (step, said) = match (renewed.is_nothing(), args.asked.dry_run) {
            (true, _) => ("nothing", "Nothing to do: no key rotation is in progress"),
            (false, true) => ("finished", "The key rotation would be finished"),
            (false, false) => ("finished", "The key rotation is finished: interrupted steps were completed"),
        };
        session.ui.say(said);
        let edit = self.edit(true, |_| Vec::new())?;
        let mut report = Rotated::of(step, &self, &edit, package.as_ref());
        report.suites = renewed.outcomes.iter().map(Publication::from).collect();
        Ok(report)
    }

    fn suites(&self) -> Vec<SuiteConfig> {
        self.rotations.iter().map(|rotation| rotation.state.config.clone()).collect()
    }

    /// Prepares the keyring package for suites.
    async fn package(&self, suites: Vec<SuiteConfig>, keys: Keyring) -> Result<Option<Delivery>, Failure> {
        if suites.is_empty() {
            return Ok(None);
        }
        // The name under which the old keys are published.
        let mut known = keys.clone();
        for key in self.rotations.iter().flat_map(|rotation| rotation.old.iter().chain([&rotation.new])) {
            known.merge(&key.public);
        }
        let asked = self.args.name.as_deref();
        let (name, owner) = package::name(&self.archive, &suites, asked, &known).await?;
        if asked.is_some() {
            package::warn_of_others(self.session, &self.archive, &suites, &name, &known).await?;
        }
        let wanted = Wanted { name, owner, maintainer: None, keys };
        let made = wanted.make(self.session, &self.archive, &suites).await?;
        Ok(Some(Delivery { wanted, made, suites }))
    }

    /// Plans the new `SignWith:` of each suite.
    fn edit(
        &self,
        is_kept: bool,
        words: impl Fn(&SuiteRotation) -> Vec<String>,
    ) -> Result<ConfigEdit, Failure> {
        let wanted: BTreeMap<Suite, Vec<String>> = self
            .rotations
            .iter()
            .map(|rotation| (rotation.state.config.codename.clone(), words(rotation)))
            .collect();
        ConfigEdit::sign_with(&self.config, &wanted).map_err(|error| self.not_written(error, is_kept))
    }

    /// Explains how to edit the configuration by hand; the new key may have been stored before the failure.
    fn not_written(&self, error: config::Error, is_kept: bool) -> Failure {
        let mut failure = Failure::from(error);
        let finish = if self.args.finish { " --finish" } else { "" };
        let rotation = self.rotations.first();
        let old =
            rotation.filter(|_| !self.args.finish).map(|rotation| &rotation.old[..]).unwrap_or_default();
        let new = rotation.map(|rotation| rotation.new.word.as_str()).filter(|_| is_kept).unwrap_or("NEW");
        let words: Vec<&str> = old.iter().map(|key| key.word.as_str()).chain([new]).collect();
        let made = if is_kept { "" } else { " (create NEW with `publish key generate`)" };
        for problem in &mut failure.errors {
            problem.hint = Some(format!(
                "write `SignWith: {}`{made} there by hand, then run `publish key rotate{finish}`",
                words.join(" ")
            ));
        }
        failure.while_doing("cannot change `SignWith:` of the configuration")
    }

    /// Returns since when all clients can get the new key, and when the old one may be dropped.
    async fn times(&self) -> Result<(Option<String>, Option<String>), Failure> {
        let mut since: Option<SystemTime> = None;
        for rotation in self.rotations.iter().filter(|rotation| rotation.state.is_published()) {
            let Some(time) = rotation.state.offers_since(&self.archive, &rotation.new).await? else {
                return Ok((None, None));
            };
            since = Some(since.map_or(time, |since| since.max(time)));
        }
        // An expired old key verifies nothing, so there is nothing to wait for.
        let old = self.rotations.iter().flat_map(|rotation| &rotation.old);
        let expires = old.filter_map(|key| key.expires(self.session.now));
        let finish = since.map(|since| day_after(since, OVERLAP)).into_iter().chain(expires).min();
        Ok((since.map(day), finish))
    }

    /// Fails if clients have not had enough time to get the new key.
    async fn wait(&self) -> Result<(), Failure> {
        let (session, after) = (self.session, self.args.after.unwrap_or(OVERLAP));
        for rotation in self.rotations.iter().filter(|rotation| rotation.state.is_published()) {
            // An expired old key verifies nothing, so there is nothing to wait for.
            if rotation.old.iter().all(|old| old.has_expired(session.now)) {
                continue;
            }
            let suite = &rotation.state.config.codename;
            let since = rotation.state.offers_since(&self.archive, &rotation.new).await?;
            let over =
                |span| since.and_then(|since| since.checked_add(span)).is_some_and(|end| end <= session.now);
            if over(after) && over(OVERLAP) {
                continue;
            }
            let reported = match since {
                Some(since) => {
                    format!("clients of suite `{suite}` could get the new key only since {}", day(since))
                }
                None => format!("no keyring package in suite `{suite}` contains the new key"),
            };
            if over(after) || after.is_zero() {
                session.ui.warn(&format!("{reported}: clients without it now reject the archive"));
                continue;
            }
            let first = match since {
                Some(since) => format!("run it again on {}", day_after(since, after)),
                None => "publish one with `publish key rotate`".to_owned(),
            };
            let hint = format!(
                "{first}; if the old key is compromised, add `--after 0d`: clients without the new key then reject the archive"
            );
            return Err(Failure::text(reported, Some(hint)));
        }
        Ok(())
    }
}

/// Returns the hint for a `Signed-By` in `Release` that does not list the new key.
fn admit(new: &str) -> String {
    format!(
        "add `{new}` to `Signed-By:` in conf/distributions, separated by a comma, publish the suite, and drop the old key \
         once clients have updated"
    )
}

/// Checks that all signing keys can be opened and are accepted by apt.
fn opens(session: &Session<'_>, named: &[&Named], new: Option<&NextKey>) -> Result<(), Failure> {
    let keys = session.key_folder().unwrap_or_default();
    let mut sources = named
        .iter()
        .map(|key| KeySource::parse(&key.word, &session.config.folder, &keys))
        .collect::<Result<Vec<_>, _>>()?;
    if let Some(new) = new {
        sources.push(new.source(session)?);
    }
    SigningKeys::open(&sources, passphrase()?.as_ref(), session.now)?;
    Ok(())
}

fn public_keys(session: &Session<'_>) -> Result<Keyring, Failure> {
    tokio::task::block_in_place(|| session.public_keys())
}
