//! Executes a key rotation: both keys sign, or only the new one.
//!
//! All requirements are checked before the first write. Then the key is written first, then the configuration, then the
//! suites, so that no interruption loses a key that is in use.

use std::{collections::BTreeMap, time::SystemTime};

use super::{
    delivery::{self, Delivery},
    error::{Early, Error},
    event::KeyEvent,
    keychain::Keychain,
    next_key::{self, NextKey},
    renew::{published, renew},
    report::{DroppedKey, KeyChange, Rotated, Step},
    rotation::{Change, OVERLAP, SuiteRotation},
    rotation_state::{Named, RotationState, day, day_after},
};
use crate::{
    config::{self, Config, ConfigEdit, SuiteConfig},
    names::Suite,
    signing::{Keyring, SigningKeys},
};

impl Change<'_> {
    /// Signs with both keys; `next` has the keys that no suite names yet, each with the key that it replaces.
    pub(super) async fn both(self, next: Vec<(Named, NextKey)>) -> Result<Rotated, Error> {
        let (publisher, now) = (self.context.publisher, self.context.now());
        let dry_run = publisher.dry_run;
        let suites = self.suites();
        let mut keys = publisher.blocking(Keychain::public_keys).await?;
        for (old, new) in &next {
            keys.merge(&new.public);
            self.opens(vec![old.word.clone()], Some(new.clone())).await?;
        }
        for SuiteRotation { state, old, new } in &self.rotations {
            let begins = next.iter().any(|(_, next)| next.word == new.word);
            if !begins && state.keys.iter().all(|key| key.word != new.word) {
                // The suite joins a rotation that is in progress.
                let both = old.iter().chain([new]).map(|key| key.word.clone()).collect();
                self.opens(both, None).await?;
            }
        }
        let package = self.package(published(publisher, &suites).await?, keys).await?;
        let kept = next.iter().all(|(_, new)| new.is_kept());
        let edit = self.edit(kept, |rotation| {
            rotation.old.iter().chain([&rotation.new]).map(|key| key.word.clone()).collect()
        })?;
        if let Some(package) = package.as_ref().filter(|_| !edit.is_empty()) {
            package.would_publish(publisher).await?;
        }
        let step = if next.is_empty() { Step::UnderWay } else { Step::Begun };
        let mut report = self.report(step, &edit, package.as_ref());
        for (_, new) in &next {
            self.report_new_key(&mut report, new);
        }
        if dry_run && !edit.is_empty() {
            // The remaining steps need the key, which a dry run does not store.
            self.send_keys(&next);
            self.send_words(&next, edit.config());
            let signed = self.rotations.iter().flat_map(|rotation| &rotation.state.published);
            report.planned = Some(signed.map(|signed| signed.suite.clone()).collect());
            report.finish = Some(day_after(now, OVERLAP));
            return Ok(report);
        }
        if !edit.is_empty() {
            let staged = edit.stage().map_err(|error| self.not_written(error, kept))?;
            // After a crash here, the next run reuses this key.
            next.iter().try_for_each(|(_, new)| new.keep())?;
            self.send_keys(&next);
            // After a crash here, the next run finds both keys in the configuration and completes the rotation.
            staged.commit().map_err(|error| self.not_written(error, true))?;
            self.send_words(&next, edit.config());
        }
        if !dry_run {
            let old = self.rotations.iter().flat_map(|rotation| &rotation.old);
            old.for_each(|old| next_key::is_in_use(old, &publisher.keychain));
        }
        for rotation in &self.rotations {
            for signed in rotation.state.published.iter().filter(|signed| !signed.admits(&rotation.new)) {
                let key = rotation.new.fingerprint();
                (self.context.events)(KeyEvent::NotAdmitted { suite: &signed.suite, key });
            }
        }
        let after = publisher.with_config(edit.config().clone());
        let renewed = renew(&after, &suites, package.as_ref(), self.context.events).await?;
        (report.since, report.finish) = self.times().await?;
        report.completes = !(renewed.is_nothing() && edit.is_empty());
        report.suites = renewed.outcomes;
        Ok(report)
    }

    /// Signs with the new key only; completes suites in `alone` that a killed run configured but did not sign.
    pub(super) async fn new_alone(self, alone: &[RotationState]) -> Result<Rotated, Error> {
        let publisher = self.context.publisher;
        for SuiteRotation { state, new, .. } in &self.rotations {
            let key = new.fingerprint();
            if let Some(unsigned) = state.published.iter().find(|signed| !signed.is_by_also(new)) {
                return Err(Error::NotYetSigned { suite: unsigned.suite.clone(), key });
            }
            if let Some(signed) = state.published.iter().find(|signed| !signed.admits(new)) {
                return Err(Error::NotAdmitted { suite: signed.suite.clone(), key });
            }
        }
        self.wait().await?;
        for rotation in &self.rotations {
            self.opens(vec![rotation.new.word.clone()], None).await?;
        }
        let edit = self.edit(true, |rotation| vec![rotation.new.word.clone()])?;
        let after = publisher.with_config(edit.config().clone());
        let mut suites = self.suites();
        let has_rotated = |state: &&RotationState| {
            self.rotations.iter().any(|rotation| state.keys.iter().all(|key| key.is(&rotation.new.public)))
        };
        suites.extend(alone.iter().filter(has_rotated).map(|state| state.config.clone()));
        let keys = after.blocking(Keychain::public_keys).await?;
        let package = self.package(published(publisher, &suites).await?, keys).await?;
        let mut report = self.report(Step::Finished, &edit, package.as_ref());
        let staged = edit.stage().map_err(|error| self.not_written(error, true))?;
        if !publisher.dry_run {
            // After a crash here, the next run only has to re-sign.
            staged.commit().map_err(|error| self.not_written(error, true))?;
        }
        self.send_words(&[], edit.config());
        let renewed = renew(&after, &suites, package.as_ref(), self.context.events).await?;
        report.suites = renewed.outcomes;
        report.dropped = self.dropped(edit.config());
        Ok(report)
    }

    /// Completes what a killed run left of the last rotation; the configuration shows none in progress.
    pub(super) async fn carry_on(self, alone: &[RotationState]) -> Result<Rotated, Error> {
        let publisher = self.context.publisher;
        let suites: Vec<SuiteConfig> = alone.iter().map(|state| state.config.clone()).collect();
        let keys = publisher.blocking(Keychain::public_keys).await?;
        let mut there = published(publisher, &suites).await?;
        let mut without = Vec::new();
        for suite in &there {
            if self.archive.keyring_package_names(&suite.codename, &keys).await?.is_empty() {
                without.push(suite.codename.clone());
            }
        }
        // These suites never had a keyring package.
        there.retain(|suite| !without.contains(&suite.codename));
        let package = self.package(there, keys).await?;
        let renewed = renew(publisher, &suites, package.as_ref(), self.context.events).await?;
        let step = if renewed.is_nothing() { Step::Nothing } else { Step::Finished };
        let edit = self.edit(true, |_| Vec::new())?;
        let mut report = self.report(step, &edit, package.as_ref());
        report.completes = step == Step::Finished;
        report.suites = renewed.outcomes;
        Ok(report)
    }

    fn suites(&self) -> Vec<SuiteConfig> {
        self.rotations.iter().map(|rotation| rotation.state.config.clone()).collect()
    }

    /// Prepares the keyring package for suites.
    async fn package(&self, suites: Vec<SuiteConfig>, keys: Keyring) -> Result<Option<Delivery>, Error> {
        if suites.is_empty() {
            return Ok(None);
        }
        // The name under which the old keys are published.
        let mut known = keys.clone();
        for key in self.rotations.iter().flat_map(|rotation| rotation.old.iter().chain([&rotation.new])) {
            known.merge(&key.public);
        }
        let (context, name) = (self.context, self.context.options.name.as_deref());
        let delivered = (suites, keys, &known);
        delivery::prepare(context.publisher, &self.archive, delivered, name, context.events).await.map(Some)
    }

    /// Plans the new `SignWith:` of each suite.
    fn edit(
        &self,
        is_kept: bool,
        words: impl Fn(&SuiteRotation) -> Vec<String>,
    ) -> Result<ConfigEdit, Error> {
        let wanted: BTreeMap<Suite, Vec<String>> = self
            .rotations
            .iter()
            .map(|rotation| (rotation.state.config.codename.clone(), words(rotation)))
            .collect();
        ConfigEdit::sign_with(&self.context.options.config, &wanted)
            .map_err(|error| self.not_written(error, is_kept))
    }

    /// Says which words the configuration needs; the new key may have been stored before the failure.
    fn not_written(&self, source: config::Error, is_kept: bool) -> Error {
        let finish = self.context.options.finish;
        let rotation = self.rotations.first();
        let old = rotation.filter(|_| !finish).map(|rotation| &rotation.old[..]).unwrap_or_default();
        let new = rotation.map(|rotation| rotation.new.word.as_str()).filter(|_| is_kept).unwrap_or("NEW");
        let words = old.iter().map(|key| key.word.as_str()).chain([new]).map(ToOwned::to_owned).collect();
        Error::NotWritten { source, words, is_kept, finish }
    }

    /// Checks that all signing keys can be opened and are accepted by apt.
    async fn opens(&self, words: Vec<String>, new: Option<NextKey>) -> Result<(), Error> {
        let open = move |keychain: &Keychain| {
            let mut sources = words.iter().map(|word| keychain.parse(word)).collect::<Result<Vec<_>, _>>()?;
            if let Some(new) = new {
                sources.push(new.source(keychain)?);
            }
            SigningKeys::open(&sources, keychain.passphrase.as_ref(), keychain.now).map(drop)
        };
        match self.context.publisher.blocking(open).await {
            // A plan needs no secret.
            Err(error) if self.context.publisher.dry_run && error.is_missing_key() => Ok(()),
            opened => Ok(opened?),
        }
    }

    /// Returns since when all clients can get the new key, and when the old one may be dropped.
    async fn times(&self) -> Result<(Option<String>, Option<String>), Error> {
        let mut since: Option<SystemTime> = None;
        for rotation in self.rotations.iter().filter(|rotation| rotation.state.is_published()) {
            let Some(time) = rotation.state.offers_since(&self.archive, &rotation.new).await? else {
                return Ok((None, None));
            };
            since = Some(since.map_or(time, |since| since.max(time)));
        }
        // An expired old key verifies nothing, so there is nothing to wait for.
        let old = self.rotations.iter().flat_map(|rotation| &rotation.old);
        let expires = old.filter_map(|key| key.expires(self.context.now()));
        let finish = since.map(|since| day_after(since, OVERLAP)).into_iter().chain(expires).min();
        Ok((since.map(day), finish))
    }

    /// Fails if clients have not had enough time to get the new key.
    async fn wait(&self) -> Result<(), Error> {
        let (now, after) = (self.context.now(), self.context.options.after);
        for rotation in self.rotations.iter().filter(|rotation| rotation.state.is_published()) {
            // An expired old key verifies nothing, so there is nothing to wait for.
            if rotation.old.iter().all(|old| old.has_expired(now)) {
                continue;
            }
            let since = rotation.state.offers_since(&self.archive, &rotation.new).await?;
            let over = |span| since.and_then(|since| since.checked_add(span)).is_some_and(|end| end <= now);
            if over(after) && over(OVERLAP) {
                continue;
            }
            let early = Early { suite: rotation.state.config.codename.clone(), since: since.map(day) };
            if over(after) || after.is_zero() {
                (self.context.events)(KeyEvent::Early(&early));
                continue;
            }
            return Err(Error::TooEarly { early, again: since.map(|since| day_after(since, after)) });
        }
        Ok(())
    }

    fn report(&self, step: Step, edit: &ConfigEdit, package: Option<&Delivery>) -> Rotated {
        let changed = |rotation: &SuiteRotation| KeyChange {
            suite: rotation.state.config.codename.clone(),
            old: rotation.old.iter().flat_map(Named::fingerprints).collect(),
            new: rotation.new.fingerprints(),
        };
        let own = |rotation: &SuiteRotation| usize::from(rotation.state.is_published());
        Rotated {
            dry_run: self.context.publisher.dry_run,
            step,
            changes: self.rotations.iter().map(changed).collect(),
            new_keys: Vec::new(),
            config: edit.files().map(ToOwned::to_owned).collect(),
            package: package
                .map(|package| (package.name.clone(), package.version.clone(), package.suites.clone())),
            since: None,
            finish: None,
            planned: None,
            has_snapshots: self
                .rotations
                .iter()
                .any(|rotation| rotation.state.published.len() > own(rotation)),
            completes: false,
            dropped: Vec::new(),
            suites: Vec::new(),
        }
    }

    /// Adds the file of a new key. A key that only a dry run generated is left out.
    fn report_new_key(&self, report: &mut Rotated, new: &NextKey) {
        let key = new.report(self.context.now(), report.dry_run);
        if !key.is_planned {
            report.new_keys.extend(Some(key).filter(|key| key.file.is_some()));
            return;
        }
        let fingerprints = new.public.fingerprints();
        let changed = report.changes.iter_mut().filter(|changed| changed.new == fingerprints);
        changed.for_each(|changed| changed.new.clear());
    }

    fn send_keys(&self, next: &[(Named, NextKey)]) {
        for (_, new) in next {
            let key = new.report(self.context.now(), self.context.publisher.dry_run);
            (self.context.events)(KeyEvent::NewKey(&key));
        }
    }

    fn send_words(&self, next: &[(Named, NextKey)], after: &Config) {
        let dry_run = self.context.publisher.dry_run;
        let is_unmade =
            |word: &String| dry_run && next.iter().any(|(_, key)| !key.is_kept() && key.word == *word);
        for rotation in &self.rotations {
            let suite = &rotation.state.config.codename;
            let Some(after) = after.find(suite.as_str()) else { continue };
            if after.sign_with == rotation.state.config.sign_with {
                continue;
            }
            let shown = |word: &String| if is_unmade(word) { "NEW".to_owned() } else { word.clone() };
            let words = after.sign_with.iter().map(shown).collect();
            (self.context.events)(KeyEvent::SignWith { suite, words, dry_run });
        }
    }

    /// Returns the old keys that no suite uses after the change.
    fn dropped(&self, after: &Config) -> Vec<DroppedKey> {
        let mut dropped: Vec<DroppedKey> = Vec::new();
        for old in self.rotations.iter().flat_map(|rotation| &rotation.old) {
            let fingerprint = old.fingerprint();
            let signs = after.suites.iter().any(|suite| suite.sign_with.contains(&old.word));
            if !signs && dropped.iter().all(|key| key.fingerprint != fingerprint) {
                dropped.push(DroppedKey { fingerprint, file: old.file.clone() });
            }
        }
        dropped
    }
}
