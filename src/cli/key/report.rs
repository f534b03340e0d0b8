//! Reports a key rotation: what was done, what comes next and when.

use super::{
    next_key::NextKey,
    package::Delivery,
    rotation::{Change, OVERLAP, SuiteRotation},
    rotation_state::{Named, day_after},
};
use crate::{
    cli::{
        json::{KeyFile, PackageVersion, Rotated, Rotation},
        session::Session,
    },
    config::ConfigEdit,
};

impl Rotated {
    pub(super) fn of(
        step: &'static str,
        change: &Change<'_, '_>,
        edit: &ConfigEdit,
        package: Option<&Delivery>,
    ) -> Self {
        let changed = |rotation: &SuiteRotation| Rotation {
            suite: rotation.state.config.codename.to_string(),
            old: rotation.old.iter().flat_map(Named::fingerprints).collect(),
            new: rotation.new.fingerprints(),
        };
        Self {
            dry_run: change.args.asked.dry_run,
            step,
            changes: change.rotations.iter().map(changed).collect(),
            made: Vec::new(),
            config: edit.files().map(|file| file.display().to_string()).collect(),
            package: package.map(|package| PackageVersion {
                name: package.wanted.name.to_string(),
                version: package.made.version.to_string(),
            }),
            since: None,
            finish: None,
            suites: Vec::new(),
        }
    }

    /// Adds the files of new keys. A key that only a dry run generated is left out.
    pub(super) fn name_keys(&mut self, next: &[(Named, NextKey)], dry_run: bool) {
        for (_, new) in next {
            if new.is_kept() || !dry_run {
                let fingerprint = new.public.fingerprints().first().cloned().unwrap_or_default();
                let file = new.file().map(|file| file.display().to_string());
                self.made.extend(file.map(|file| KeyFile { fingerprint, file }));
                continue;
            }
            let fingerprints = new.public.fingerprints();
            self.changes
                .iter_mut()
                .filter(|changed| changed.new == fingerprints)
                .for_each(|changed| changed.new.clear());
        }
    }
}

impl Change<'_, '_> {
    pub(super) fn print_keys(&self, next: &[(Named, NextKey)]) {
        let (ui, dry_run) = (self.session.ui, self.args.asked.dry_run);
        for (_, new) in next {
            let end = new.public.reports(self.session.now).into_iter().find_map(|key| key.expires);
            let end = end.map_or_else(|| "never expires".to_owned(), |day| format!("expires on {day}"));
            if dry_run && !new.is_kept() {
                ui.say(&format!("Would generate a new key, which {end}"));
                continue;
            }
            ui.say(&format!("The new key is {}, which {end}", new.word));
            if let Some(file) = new.file() {
                ui.say(&format!("Its secret part is in {}: back it up", file.display()));
            }
        }
    }

    pub(super) fn print_words(&self, next: &[(Named, NextKey)], edit: &ConfigEdit) {
        let dry_run = self.args.asked.dry_run;
        let verb = if dry_run { "Would write" } else { "Wrote" };
        let is_unmade =
            |word: &String| dry_run && next.iter().any(|(_, key)| !key.is_kept() && key.word == *word);
        for rotation in &self.rotations {
            let suite = &rotation.state.config.codename;
            let Some(after) = edit.config().find(suite.as_str()) else { continue };
            if after.sign_with == rotation.state.config.sign_with {
                continue;
            }
            let words: Vec<&str> =
                after.sign_with.iter().map(|word| if is_unmade(word) { "NEW" } else { word }).collect();
            self.session.ui.say(&format!("{verb} `SignWith: {}` for suite `{suite}`", words.join(" ")));
        }
    }

    pub(super) fn print_plan(&self, package: Option<&Delivery>) {
        let ui = self.session.ui;
        let suites = self.rotations.iter().flat_map(|rotation| &rotation.state.published);
        let suites: Vec<String> = suites.map(|signed| format!("`{}`", signed.suite)).collect();
        if !suites.is_empty() {
            ui.say(&format!("Would sign with both keys: {}", suites.join(", ")));
        }
        if let Some(Delivery { wanted, made, .. }) = package {
            let name = &wanted.name;
            ui.say(&format!("Would publish {name} {} with both keys", made.version));
            ui.say("Clients whose `Signed-By:` names its keyring only need to upgrade; all others must install it first");
        }
        self.print_next(Some(&day_after(self.session.now, OVERLAP)));
    }

    pub(super) fn print_next(&self, finish: Option<&str>) {
        let ui = self.session.ui;
        let day = finish.map(|day| format!(", from {day} on")).unwrap_or_default();
        let own = |rotation: &SuiteRotation| usize::from(rotation.state.is_published());
        if self.rotations.iter().any(|rotation| rotation.state.published.len() > own(rotation)) {
            ui.say("\nClients that use only a snapshot do not get the package: give them archive-key.asc");
        }
        ui.say(&format!("\nNext, once clients have the new key{day}: publish key rotate --finish"));
    }

    pub(super) fn print_end(&self, after: &Session<'_>) {
        let mut reported: Vec<String> = Vec::new();
        for old in self.rotations.iter().flat_map(|rotation| &rotation.old) {
            let fingerprint = old.fingerprint();
            let signs = after.config.suites.iter().any(|suite| suite.sign_with.contains(&old.word));
            if signs || reported.contains(&fingerprint) {
                continue;
            }
            let verb = if self.args.asked.dry_run { "would no longer be" } else { "is no longer" };
            let place = match &old.file {
                Some(file) => format!("is in {file}"),
                None => "is in the keyring of gpg".to_owned(),
            };
            self.session.ui.say(&format!(
                "The old key {fingerprint} {verb} used; its secret part {place}: delete it once all clients can update"
            ));
            reported.push(fingerprint);
        }
    }
}
