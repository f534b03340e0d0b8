//! `Contents`: the indices of the files in packages, carried on by every edit of the packages that they describe.
//!
//! An edit of one package changes the lines of that package alone: the published index is verified, and its other lines
//! are copied. An index that another tool wrote is rewritten once, at the first edit of its packages. An index is made
//! from nothing where it is configured or asked for and not published.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;
use rayon::prelude::*;

use super::{
    commands::{self, CommandsDraft},
    edited_packages::{Packages, edited, stored_forms},
    patches::{self, Texts},
};
use crate::{
    compression::Compression,
    config::ContentsConfig,
    dists::{
        IndexFile, IndexKey, PackageEntry, PackagesIndex, PackagesKey,
        blocks::{self, Before},
        contents::{self, ContentsEdit},
        index_key::ContentsOf,
    },
    names::{Architecture, Component},
    store::blocking,
    suite::{
        damage,
        error::Error,
        file_lists::{self, FileLists, Found, Given, Wanted},
    },
};

/// The settings of the derived indices of an edit.
pub(crate) struct Derivation<'a> {
    /// The configured indices, or those that the command line asks for.
    pub(super) contents: Option<ContentsConfig>,
    /// Whether indices of commands are wanted; `None` for those that are published.
    pub(super) commands: Option<bool>,
    /// Whether forms that are not configured are written again.
    pub(super) is_export: bool,
    pub(super) lists: &'a FileLists<'a>,
    /// The files of packages that the pool may not have yet.
    pub(super) given: Given,
}

/// The new derived indices of an edit.
#[derive(Default)]
pub(super) struct Derived {
    pub(super) files: Vec<IndexFile>,
    /// The texts of those that were published before.
    pub(super) texts: Vec<Texts>,
    /// The uncompressed paths of indices that are no longer configured.
    pub(super) dropped: BTreeSet<String>,
    /// The uncompressed paths of listed indices that describe the new packages as well.
    pub(super) current: BTreeSet<String>,
    /// The file lists that were read.
    pub(super) lists: Found,
}

/// An index of files.
struct Target {
    key: IndexKey,
    /// The indices of the packages that it describes.
    sources: Vec<IndexKey>,
    compressions: Vec<Compression>,
    is_wanted: bool,
    is_listed: bool,
}

/// A new index, before the file lists are known.
struct Draft {
    key: IndexKey,
    compressions: Vec<Compression>,
    /// The text to edit; empty for a new index.
    text: Bytes,
    /// Whether that is the published text.
    is_published: bool,
    /// The published compressed forms of that text.
    before: HashMap<Compression, Bytes>,
    added: Vec<PackageEntry>,
    /// Labels to remove, each with the versions that stay.
    removed: Vec<(String, Vec<PackageEntry>)>,
}

/// The packages with one label, by their files.
type Labelled = BTreeMap<String, BTreeMap<String, PackageEntry>>;

impl Derivation<'_> {
    /// Renders the indices of files that the edit changes.
    pub(super) async fn render(&self, packages: &Packages<'_>) -> Result<Derived, Error> {
        let mut derived = Derived::default();
        let mut drafts = Vec::new();
        for target in self.targets(packages, &mut derived.dropped) {
            drafts.extend(self.draft(target, packages, &mut derived.current).await?);
        }
        let new = |package: &PackageEntry| Wanted { package: package.clone(), may_be_stored: false };
        let kept = |package: &PackageEntry| Wanted { package: package.clone(), may_be_stored: true };
        let commands = commands::drafts(
            (self.commands, self.is_export),
            packages,
            (&mut derived.dropped, &mut derived.current),
        )
        .await?;
        let mut wanted: Vec<Wanted> = commands.iter().flat_map(CommandsDraft::wanted).collect();
        for draft in &drafts {
            wanted.extend(draft.added.iter().map(new));
            wanted.extend(draft.removed.iter().flat_map(|(_, stay)| stay).map(kept));
        }
        let found = self.lists.load(packages.published.store(), wanted, &self.given).await?;
        let texts: Vec<_> = drafts.into_iter().map(|draft| draft.edit(&found)).collect();
        let made = blocking(move || {
            let made = texts.into_par_iter().map(|(draft, edit)| draft.render(&edit));
            made.collect::<Result<Vec<_>, Error>>()
        });
        for (files, texts) in made.await? {
            derived.files.extend(files);
            derived.texts.extend(texts);
        }
        for draft in &commands {
            derived.files.extend(draft.render(&found)?);
        }
        derived.lists = found;
        Ok(derived)
    }

    /// Returns the indices that the suite has or gets.
    fn targets(&self, packages: &Packages<'_>, dropped: &mut BTreeSet<String>) -> Vec<Target> {
        let published = packages.published;
        let keys_before = published.packages_keys();
        let mut keys = published.index_keys();
        let listed: BTreeSet<IndexKey> =
            keys.iter().filter(|key| matches!(key, IndexKey::Contents { .. })).cloned().collect();
        keys.extend(packages.changed.keys().cloned().map(PackagesKey::into_index_key));
        let mut wanted = self.contents.as_ref().map(|config| packages.configured(config)).unwrap_or_default();
        let like = listed.iter().find(|key| key.component().is_some()).filter(|_| self.contents.is_none());
        if like.is_some() {
            // A component or an architecture that begins has what the others have.
            let begun = packages.changed.keys().filter(|key| {
                !keys_before.contains(key) && key.package_type == crate::package_type::PackageType::Deb
            });
            wanted.extend(begun.map(|key| IndexKey::Contents {
                component: Some(key.component.clone()),
                of: ContentsOf::Binaries(key.architecture.clone()),
            }));
        }
        let mut targets = Vec::new();
        for key in listed.union(&wanted) {
            let IndexKey::Contents { component, of } = key else { continue };
            let (is_wanted, is_listed) = (wanted.contains(key), listed.contains(key));
            if !is_wanted && self.contents.as_ref().is_some_and(|config| is_off(config, of)) {
                dropped.insert(key.path());
                continue;
            }
            let sources = packages.sources(component.as_ref(), of, &keys);
            if sources.is_empty() {
                continue;
            }
            let compressions = if let Some(config) = self.contents.as_ref().filter(|_| is_wanted) {
                config.compressions.clone()
            } else {
                let like = like.filter(|_| is_wanted).unwrap_or(key);
                stored_forms(published.release(), &like.path())
            };
            targets.push(Target { key: key.clone(), sources, compressions, is_wanted, is_listed });
        }
        targets
    }

    /// Decides the changes of an index; `None` if it stays as it is.
    async fn draft(
        &self,
        target: Target,
        packages: &Packages<'_>,
        current: &mut BTreeSet<String>,
    ) -> Result<Option<Draft>, Error> {
        let (published, plain) = (packages.published, target.key.path());
        let names = packages.edited_names(&target);
        let (mut before, mut after) = (Labelled::new(), Labelled::new());
        for source in target.sources.iter().filter(|_| !names.is_empty()) {
            let (index, edited) = packages.index(source).await?;
            for name in &names {
                collect(&mut before, if edited { index.named_before(name) } else { index.named(name) });
                collect(&mut after, index.named(name));
            }
        }
        let changes = Changes::between(&before, &after);
        let has_other_forms = target.is_listed
            && self.is_export
            && target.is_wanted
            && stored_forms(published.release(), &plain) != comparable(&target.compressions);
        let is_unchanged = target.is_listed && changes.is_empty() && !has_other_forms;
        if is_unchanged && !self.is_export {
            current.insert(plain);
            return Ok(None);
        }
        // An export also restores one that is lost.
        let text = match published.text(&plain).await {
            Err(error) if damage::is_damage(published.store(), &error) => None,
            text => text?,
        };
        if is_unchanged && text.is_some() && !patches::is_broken(published, &plain).await? {
            current.insert(plain);
            return Ok(None);
        }
        let mut draft = Draft {
            key: target.key.clone(),
            compressions: target.compressions.clone(),
            text: Bytes::new(),
            is_published: false,
            before: HashMap::new(),
            added: changes.added,
            removed: changes.removed,
        };
        match text {
            // It cannot be read, so one of another tool is no longer listed.
            None if !target.is_wanted && !published.was_published_here() => return Ok(None),
            None => {
                let mut all = Vec::new();
                for source in &target.sources {
                    all.extend(packages.index(source).await?.0.entries());
                }
                (draft.added, draft.removed) = (all, Vec::new());
            }
            Some(text) if published.was_published_here() && is_ours(&text).await => {
                for &compression in &target.compressions {
                    let path = format!("{plain}{}", compression.extension());
                    let Some(listed) = published.release().and_then(|release| release.files().get(&path))
                    else {
                        continue;
                    };
                    if let Ok(Some((_, file))) = published.listed_file(&path, listed).await {
                        draft.before.insert(compression, file);
                    }
                }
                (draft.text, draft.is_published) = (text, true);
            }
            Some(text) => {
                let mut all = Vec::new();
                for source in &target.sources {
                    let (index, edited) = packages.index(source).await?;
                    all.extend(if edited { index.entries_before() } else { index.entries() });
                }
                let known = all.clone();
                let adopted = blocking(move || contents::adopt(&text, &known)).await;
                draft.text = adopted.text;
                // A package without any file is rare, so these were forgotten.
                let gone = |package: &PackageEntry| {
                    let label = contents::label(package);
                    draft.removed.iter().any(|(removed, stay)| *removed == label && stay.is_empty())
                };
                all.retain(|package| !adopted.described.contains(package.name()) && !gone(package));
                draft.added.extend(all);
            }
        }
        Ok(Some(draft))
    }
}

impl Packages<'_> {
    /// The indices of files that a suite is configured to have.
    fn configured(&self, config: &ContentsConfig) -> BTreeSet<IndexKey> {
        let mut keys = BTreeSet::new();
        let is_in = |only: &Option<Vec<Component>>, component: &Component| {
            only.as_ref().is_none_or(|only| only.contains(component))
        };
        let named = |architecture: &&Architecture| {
            config.architectures.as_ref().is_none_or(|only| only.contains(architecture))
        };
        for architecture in self.architectures.iter().filter(named) {
            for of in [
                config.debs.then(|| ContentsOf::Binaries(architecture.clone())),
                config.udebs.then(|| ContentsOf::Installer(architecture.clone())),
            ]
            .into_iter()
            .flatten()
            {
                if config.all_components {
                    let of = match &of {
                        ContentsOf::Installer(architecture) => ContentsOf::Udebs(architecture.clone()),
                        of => of.clone(),
                    };
                    keys.insert(IndexKey::Contents { component: None, of });
                }
                let only = if of.is_of_udebs() { &config.udeb_components } else { &config.components };
                let components = self.components.iter().filter(|component| is_in(only, component));
                keys.extend(components.filter(|_| config.per_component).map(|component| {
                    IndexKey::Contents { component: Some(component.clone()), of: of.clone() }
                }));
            }
        }
        keys
    }

    /// The indices of the packages that an index of files describes.
    fn sources(
        &self,
        component: Option<&Component>,
        of: &ContentsOf,
        keys: &BTreeSet<IndexKey>,
    ) -> Vec<IndexKey> {
        let is_source = |key: &&IndexKey| {
            let architecture = of.architecture();
            let is_in = key.component().is_some_and(|own| match component {
                Some(component) => own == component,
                None => self.components.contains(own),
            });
            of.is_kind_of(key)
                && is_in
                && key.architecture() == architecture
                && self.architectures.iter().any(|known| Some(known) == architecture)
        };
        keys.iter().filter(is_source).cloned().collect()
    }

    /// The names of packages that the edit changes in the sources of an index.
    fn edited_names(&self, target: &Target) -> BTreeSet<String> {
        let changed = target.sources.iter().filter_map(|source| self.changed.get(&edited(source)?));
        changed.flat_map(PackagesIndex::edited_names).map(str::to_owned).collect()
    }
}

fn collect(labelled: &mut Labelled, packages: Vec<PackageEntry>) {
    for package in packages {
        labelled.entry(contents::label(&package)).or_default().insert(file_lists::id(&package), package);
    }
}

/// The changes of the packages of an index.
#[derive(Default)]
struct Changes {
    added: Vec<PackageEntry>,
    removed: Vec<(String, Vec<PackageEntry>)>,
}

impl Changes {
    fn between(before: &Labelled, after: &Labelled) -> Self {
        let mut changes = Self::default();
        let none = BTreeMap::new();
        let labels: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        for label in labels {
            let (old, new) = (before.get(label).unwrap_or(&none), after.get(label).unwrap_or(&none));
            let added = new.iter().filter(|(id, _)| !old.contains_key(*id)).map(|(_, package)| package);
            changes.added.extend(added.cloned());
            if old.keys().any(|id| !new.contains_key(id)) {
                let stay = new.iter().filter(|(id, _)| old.contains_key(*id)).map(|(_, package)| package);
                changes.removed.push((label.clone(), stay.cloned().collect()));
            }
        }
        changes
    }

    fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty()
    }
}

impl Draft {
    /// Returns the edit of the lines.
    fn edit(self, found: &Found) -> (Self, ContentsEdit) {
        let mut edit = ContentsEdit::default();
        for package in &self.added {
            if let Some(files) = found.of(package) {
                edit.add(&contents::label(package), files);
            }
        }
        for (label, stay) in &self.removed {
            // Without the list of a version that stays, no line is removed: it may be one of that version.
            if let Some(stay) = stay.iter().map(|package| found.perhaps_stored(package).cloned()).collect() {
                edit.remove(label, stay);
            }
        }
        (self, edit)
    }

    /// Renders the index in every form.
    fn render(&self, edit: &ContentsEdit) -> Result<(Vec<IndexFile>, Option<Texts>), Error> {
        let plain = self.key.path();
        let text = if edit.is_empty() { self.text.clone() } else { edit.apply(&self.text) };
        let mut forms = vec![Compression::Plain];
        forms.extend(self.compressions.iter().filter(|&&form| form != Compression::Plain));
        let files = forms.into_par_iter().map(|compression| {
            let path = format!("{plain}{}", compression.extension());
            let before = self.before.get(&compression);
            let before = before.map(|file| Before { text: self.text.clone(), file: file.clone() });
            let bytes = blocks::compress_units(&text, compression, before.as_ref(), self.key.unit())
                .map_err(|source| Error::Unpack { path: path.clone(), source })?;
            let file = IndexFile::new(path, bytes);
            Ok(if self.compressions.contains(&compression) { file } else { file.listed_only() })
        });
        let files: Vec<IndexFile> = files.collect::<Result<_, Error>>()?;
        let texts = Texts::of_files(self.key.clone(), self.is_published.then(|| self.text.clone()), &files);
        Ok((files, texts))
    }
}

/// Configured forms as [`stored_forms`] returns them.
fn comparable(forms: &[Compression]) -> Vec<Compression> {
    let is_only = forms.len() == 1;
    forms.iter().copied().filter(|&form| is_only || form != Compression::Plain).collect()
}

async fn is_ours(text: &Bytes) -> bool {
    let text = text.clone();
    blocking(move || contents::is_of_our_form(&text)).await
}

/// Whether the configuration says that such indices are not written.
fn is_off(config: &ContentsConfig, of: &ContentsOf) -> bool {
    match of {
        ContentsOf::Binaries(_) => !config.debs,
        ContentsOf::Installer(_) | ContentsOf::Udebs(_) => !config.udebs,
        ContentsOf::Sources => false,
    }
}
