//! A change of keys whose suites and keys are known: both keys sign, or the new one alone.
//!
//! Whatever can be found out is found out before a byte is written. Then the order is that of what may be lost: the key,
//! the configuration, the suites.

use std::{collections::BTreeMap, time::SystemTime};

use super::{
    next_key::{self, NextKey},
    package::{self, Delivery, Wanted},
    renew::{published, renew},
    standing::{Named, Standing, day, day_after},
    turn::{Change, PATIENCE, Turn},
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
    /// Both keys sign; `next` are the keys that no suite names yet, each with the one from which it takes over.
    pub(super) async fn both(self, next: Vec<(Named, NextKey)>) -> Result<Rotated, Failure> {
        let (args, session) = (self.args, self.session);
        let dry_run = args.asked.dry_run;
        let suites = self.suites();
        let mut keys = public_keys(session)?;
        for (old, new) in &next {
            keys.merge(&new.public);
            tokio::task::block_in_place(|| opens(session, &[old], Some(new)))?;
        }
        for Turn { standing, old, new } in &self.turns {
            let begins = next.iter().any(|(_, next)| next.word == new.word);
            if !begins && standing.keys.iter().all(|key| key.word != new.word) {
                // It joins a change that is under way.
                let both: Vec<&Named> = old.iter().chain([new]).collect();
                tokio::task::block_in_place(|| opens(session, &both, None))?;
            }
        }
        let package = self.package(published(session, &suites).await?, keys).await?;
        let kept = next.iter().all(|(_, new)| new.is_kept());
        let edit =
            self.edit(kept, |turn| turn.old.iter().chain([&turn.new]).map(|key| key.word.clone()).collect())?;
        if let Some(Delivery { wanted, made, suites }) = package.as_ref().filter(|_| !edit.is_empty()) {
            made.would_publish(session, wanted, suites).await?;
        }
        let step = if next.is_empty() { "under way" } else { "begun" };
        let mut report = Rotated::of(step, &self, &edit, package.as_ref());
        report.name_keys(&next, dry_run);
        if dry_run && !edit.is_empty() {
            // The rest needs the key, and there is none.
            self.tell_keys(&next);
            self.tell_words(&next, &edit);
            self.tell_plan(package.as_ref());
            report.finish = Some(day_after(session.now, PATIENCE));
            return Ok(report);
        }
        if !edit.is_empty() {
            let staged = edit.stage().map_err(|error| self.not_written(error, kept))?;
            // Die after this: the next run takes the same key.
            next.iter().try_for_each(|(_, new)| new.keep())?;
            self.tell_keys(&next);
            // Die after this: the next run finds both keys there, and does the rest.
            staged.commit().map_err(|error| self.not_written(error, true))?;
            self.tell_words(&next, &edit);
        }
        if !dry_run {
            self.turns.iter().flat_map(|turn| &turn.old).for_each(|old| next_key::is_in_use(old, session));
        }
        for turn in &self.turns {
            for signed in turn.standing.published.iter().filter(|signed| !signed.admits(&turn.new)) {
                let hint = admit(&turn.new.fingerprint());
                session
                    .ui
                    .warn(&format!("by `Signed-By` of suite `{}`, clients that have none of their own take no other key: {hint}", signed.suite));
            }
        }
        let session = session.with_config(edit.config().clone());
        let renewed = renew(&session, &suites, package.as_ref(), &args.asked).await?;
        (report.since, report.finish) = self.times().await?;
        if next.is_empty() {
            let since = report.since.as_ref().map(|day| format!(" since {day}")).unwrap_or_default();
            let rest = match (renewed.is_nothing() && edit.is_empty(), dry_run) {
                (true, _) => "",
                (false, true) => "; what was left undone would be done",
                (false, false) => "; what was left undone is done",
            };
            session.ui.say(&format!("The change of keys is under way{since}: both keys sign{rest}"));
        }
        report.suites = renewed.outcomes.iter().map(Publication::from).collect();
        if let Some(package) = &package {
            package::tell_clients(&session, &package.wanted.name, &package.suites).await?;
        }
        self.tell_next(report.finish.as_deref());
        Ok(report)
    }

    /// The new key signs alone; of suites whose configuration says so already, one who was killed may have signed none.
    pub(super) async fn new_alone(self, alone: &[Standing]) -> Result<Rotated, Failure> {
        let (args, session) = (self.args, self.session);
        for turn in &self.turns {
            if let Some(lacks) = turn.standing.published.iter().find(|signed| !signed.is_by_also(&turn.new)) {
                let new = turn.new.fingerprint();
                let error = format!("suite `{}` is not signed with the new key {new} yet", lacks.suite);
                return Err(Failure::text(error, Some("`publish key rotate` signs it with both".to_owned())));
            }
            if let Some(signed) = turn.standing.published.iter().find(|signed| !signed.admits(&turn.new)) {
                let error =
                    format!("`Signed-By` of suite `{}` does not admit the new key alone", signed.suite);
                return Err(Failure::text(error, Some(admit(&turn.new.fingerprint()))));
            }
        }
        self.wait().await?;
        for turn in &self.turns {
            tokio::task::block_in_place(|| opens(session, &[&turn.new], None))?;
        }
        let edit = self.edit(true, |turn| vec![turn.new.word.clone()])?;
        let after = session.with_config(edit.config().clone());
        let mut suites = self.suites();
        let has_turned = |standing: &&Standing| {
            self.turns.iter().any(|turn| standing.keys.iter().all(|key| key.is(&turn.new.public)))
        };
        suites.extend(alone.iter().filter(has_turned).map(|standing| standing.config.clone()));
        let package = self.package(published(session, &suites).await?, public_keys(&after)?).await?;
        let mut report = Rotated::of("finished", &self, &edit, package.as_ref());
        let staged = edit.stage().map_err(|error| self.not_written(error, true))?;
        if !args.asked.dry_run {
            // Die after this: the next run has but to renew.
            staged.commit().map_err(|error| self.not_written(error, true))?;
        }
        self.tell_words(&[], &edit);
        let renewed = renew(&after, &suites, package.as_ref(), &args.asked).await?;
        report.suites = renewed.outcomes.iter().map(Publication::from).collect();
        self.tell_end(&after);
        Ok(report)
    }

    /// No suite is changing its key by the configuration: what one who was killed left of the last change is done.
    pub(super) async fn carry_on(self, alone: &[Standing]) -> Result<Rotated, Failure> {
        let (args, session) = (self.args, self.session);
        let suites: Vec<SuiteConfig> = alone.iter().map(|standing| standing.config.clone()).collect();
        let keys = public_keys(session)?;
        let mut there = published(session, &suites).await?;
        let mut without = Vec::new();
        for suite in &there {
            if self.archive.keyring_package_names(&suite.codename, &keys).await?.is_empty() {
                without.push(suite.codename.clone());
            }
        }
        // Nobody asked for one there.
        there.retain(|suite| !without.contains(&suite.codename));
        let package = self.package(there, keys).await?;
        let renewed = renew(session, &suites, package.as_ref(), &args.asked).await?;
        let (step, said) = match (renewed.is_nothing(), args.asked.dry_run) {
            (true, _) => ("nothing", "Nothing to do: no suite is changing its key"),
            (false, true) => ("finished", "The change of keys would be finished"),
            (false, false) => ("finished", "The change of keys is finished: what was left undone is done"),
        };
        session.ui.say(said);
        let edit = self.edit(true, |_| Vec::new())?;
        let mut report = Rotated::of(step, &self, &edit, package.as_ref());
        report.suites = renewed.outcomes.iter().map(Publication::from).collect();
        Ok(report)
    }

    fn suites(&self) -> Vec<SuiteConfig> {
        self.turns.iter().map(|turn| turn.standing.config.clone()).collect()
    }

    /// The keyring package that suites are to have.
    async fn package(&self, suites: Vec<SuiteConfig>, keys: Keyring) -> Result<Option<Delivery>, Failure> {
        if suites.is_empty() {
            return Ok(None);
        }
        // Under what name the old keys are published.
        let mut known = keys.clone();
        for key in self.turns.iter().flat_map(|turn| turn.old.iter().chain([&turn.new])) {
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

    /// The configuration with other words for the suites.
    fn edit(&self, is_kept: bool, words: impl Fn(&Turn) -> Vec<String>) -> Result<ConfigEdit, Failure> {
        let wanted: BTreeMap<Suite, Vec<String>> =
            self.turns.iter().map(|turn| (turn.standing.config.codename.clone(), words(turn))).collect();
        ConfigEdit::sign_with(&self.config, &wanted).map_err(|error| self.not_written(error, is_kept))
    }

    /// Says what to write by hand, where it cannot be written; the new key has perhaps been kept before that was found out.
    fn not_written(&self, error: config::Error, is_kept: bool) -> Failure {
        let mut failure = Failure::from(error);
        let finish = if self.args.finish { " --finish" } else { "" };
        let turn = self.turns.first();
        let old = turn.filter(|_| !self.args.finish).map(|turn| &turn.old[..]).unwrap_or_default();
        let new = turn.map(|turn| turn.new.word.as_str()).filter(|_| is_kept).unwrap_or("NEW");
        let words: Vec<&str> = old.iter().map(|key| key.word.as_str()).chain([new]).collect();
        let made = if is_kept { "" } else { ", NEW being a key that `publish key generate` makes," };
        for problem in &mut failure.errors {
            problem.hint = Some(format!(
                "write `SignWith: {}`{made} there yourself; `publish key rotate{finish}` then does the rest",
                words.join(" ")
            ));
        }
        failure.while_doing("cannot change `SignWith:` of the configuration")
    }

    /// Since when all clients can have the new key, and from when on the old one may be dropped.
    async fn times(&self) -> Result<(Option<String>, Option<String>), Failure> {
        let mut since: Option<SystemTime> = None;
        for turn in self.turns.iter().filter(|turn| turn.standing.is_published()) {
            let Some(time) = turn.standing.offers_since(&self.archive, &turn.new).await? else {
                return Ok((None, None));
            };
            since = Some(since.map_or(time, |since| since.max(time)));
        }
        // An old key that has expired helps nobody.
        let old = self.turns.iter().flat_map(|turn| &turn.old);
        let expires = old.filter_map(|key| key.expires(self.session.now));
        let finish = since.map(|since| day_after(since, PATIENCE)).into_iter().chain(expires).min();
        Ok((since.map(day), finish))
    }

    /// Refuses to drop a key before clients have had the time.
    async fn wait(&self) -> Result<(), Failure> {
        let (session, after) = (self.session, self.args.after.unwrap_or(PATIENCE));
        for turn in self.turns.iter().filter(|turn| turn.standing.is_published()) {
            // What has expired helps nobody.
            if turn.old.iter().all(|old| old.has_expired(session.now)) {
                continue;
            }
            let suite = &turn.standing.config.codename;
            let since = turn.standing.offers_since(&self.archive, &turn.new).await?;
            let over =
                |span| since.and_then(|since| since.checked_add(span)).is_some_and(|end| end <= session.now);
            if over(after) && over(PATIENCE) {
                continue;
            }
            let told = match since {
                Some(since) => {
                    format!("clients of suite `{suite}` can have the new key since {} only", day(since))
                }
                None => format!("no keyring package in suite `{suite}` has the new key"),
            };
            if over(after) || after.is_zero() {
                session.ui.warn(&format!("{told}: those that do not have it refuse the archive from now on"));
                continue;
            }
            let first = match since {
                Some(since) => format!("run it again on {}", day_after(since, after)),
                None => "`publish key rotate` publishes one".to_owned(),
            };
            let hint = format!(
                "{first}; if the old key is in wrong hands, `--after 0d`: clients without the new one then refuse the archive"
            );
            return Err(Failure::text(told, Some(hint)));
        }
        Ok(())
    }
}

/// How clients come to take a key where `Release` names those that they are to demand.
fn admit(new: &str) -> String {
    format!(
        "add `{new}` to `Signed-By:` in the configuration, separated by a comma, publish any change of the suite, and \
         drop the old key once clients have read that"
    )
}

/// All keys that are to sign must open, and be such as apt accepts, before anything relies on them.
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
