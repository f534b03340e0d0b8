//! `rollback`: publishes the content of an earlier generation of a suite as a new one.
//!
//! The earlier pointer itself cannot be restored: apt ignores a `Date` older than the one it has, and the next
//! operation would report a rollback attack. So its content is published with a new `Date` and a new signature.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use jiff::Timestamp;

use super::{
    adopt, dates,
    patches::{PatchFiles, Texts},
    plan::{Change, Phased, Plan},
};
use crate::{
    config::SuiteConfig,
    dists::{Entry, IndexKey, Release, index_file::by_hash_path, layout::patched_by, patches::history::Text},
    gc::live_set::{self, Needs},
    names::{Component, Suite},
    store::Store,
    suite::{
        base::VerifiedBase,
        damage,
        error::{Error, chain},
        freshness, generations,
        published::{PublishedSuite, plain_path},
        references::{self, PoolFiles},
        release_info::stops_apt,
        trust::Trust,
    },
};

/// Plans to publish the content of a generation; without a name, of the newest one with different content.
pub(crate) async fn plan(
    store: &Store,
    trust: &Trust,
    published: &VerifiedBase,
    config: &SuiteConfig,
    to: Option<&str>,
    now: Timestamp,
) -> Result<Plan, Error> {
    let Some(current) = published.release() else {
        return Err(Error::not_published(published.name()));
    };
    let mut notes = Vec::new();
    let (name, state) = match to {
        Some(asked) => {
            let name = find(store, published.name(), asked).await?;
            let state = generations::open_to_build_on(store, published.name(), &name, trust).await?;
            (name, state)
        }
        None => before(store, trust, published, current, &mut notes).await?,
    };
    let Some(earlier) = state.release() else { return Ok(Plan::default()) };
    let mut plan = Plan { based_on: Some(name.clone()), notes, ..Plan::default() };
    // The rollback discards everything that was published since, so on another base it is another change.
    plan.resolved
        .insert(format!("roll back from `{}` to `{name}`", published.generation().unwrap_or_default()));
    if earlier.content().eq(current.content()) {
        return Ok(plan);
    }
    let lacks = |files: Vec<String>| {
        if files.is_empty() {
            return Ok(());
        }
        Err(Error::IncompleteGeneration { suite: published.name().clone(), generation: name.clone(), files })
    };
    // Signing would vouch for damaged files, so each one is read: first the indices, which reference the others.
    let mut indices = needed_indices(store, published, current, &state, earlier).await?;
    let others = other_files(store, published, current, &state, earlier).await?;
    indices.extend(others.needs);
    lacks(live_set::verify(store, &indices).await?)?;
    let mut difference = Difference::between(published, current, &state, earlier).await?;
    lacks(live_set::verify(store, &difference.needs).await?)?;
    difference.needs.extend(indices);
    (plan.added, plan.removed) = (difference.added, difference.removed);
    (plan.replaced, plan.phased) = (difference.replaced, difference.phased);
    plan.needs = difference.needs;
    let mut new = earlier.clone();
    new.retain(|path| !others.gone.contains(plain_path(path)));
    plan.notes.extend(others.gone.iter().map(|path| {
        format!(
            "`{path}` of `generations/{name}` is not stored any more: the new generation does not list it"
        )
    }));
    if !state.is_of_our_form() {
        plan.notes.extend(adopt::verify(&state, &mut new, &[]).await?);
    }
    plan.patches = PatchFiles::new(published, config, difference.texts, (now, false)).await?;
    carry_on_patches(&mut new, current);
    plan.patches.list_in(&mut new, config, |index| earlier.files().get(index) != current.files().get(index));
    // A release file of another tool may not have the field; its files have by-hash names now.
    new.set("Acquire-By-Hash", Some("yes".into()));
    dates::set(&mut new, published, config, now, &mut plan.notes)?;
    plan.stops_apt = stops_apt(current, &new);
    plan.release = Some(new);
    Ok(plan)
}

/// Replaces the lists of patches of the earlier generation, which do not lead from the current texts to the earlier ones. The
/// current list of an index that does not change goes on.
fn carry_on_patches(new: &mut Release, current: &Release) {
    new.retain(|path| patched_by(plain_path(path)).is_none());
    for (path, listed) in current.files() {
        let index = patched_by(plain_path(path));
        if index.is_some_and(|index| new.files().get(index) == current.files().get(index)) {
            new.list(path.clone(), *listed);
        }
    }
}

/// Returns the only published generation with this prefix.
async fn find(store: &Store, suite: &Suite, asked: &str) -> Result<String, Error> {
    let asked_for = asked.trim_start_matches("generations/");
    if !store.is_listable() {
        let name = generations::is_name(asked_for).then(|| asked_for.to_owned());
        return name.ok_or_else(|| Error::UnlistedGenerations { suite: suite.clone() });
    }
    let known = freshness::published_after(store, suite, Timestamp::UNIX_EPOCH).await?;
    let mut fit = known.iter().filter(|name| name.starts_with(asked_for));
    match (fit.next(), fit.next()) {
        (Some(only), None) => Ok(only.clone()),
        // A full name is never a prefix of another one.
        _ => Err(Error::NoGeneration { suite: suite.clone(), requested: Some(asked.to_owned()), known }),
    }
}

/// Returns the newest earlier generation with different content; passes over damaged ones.
async fn before(
    store: &Store,
    trust: &Trust,
    published: &PublishedSuite,
    current: &Release,
    notes: &mut Vec<String>,
) -> Result<(String, PublishedSuite), Error> {
    let suite = published.name();
    if !store.is_listable() {
        return Err(Error::UnlistedGenerations { suite: suite.clone() });
    }
    let known = freshness::published_after(store, suite, Timestamp::UNIX_EPOCH).await?;
    let end = published.pointer().map(|pointer| format!("-{}", generations::short_digest(&pointer.bytes)));
    for name in known.iter().rev().filter(|name| !end.as_ref().is_some_and(|end| name.ends_with(end))) {
        let state = match generations::open_to_build_on(store, suite, name, trust).await {
            Err(error) if damage::is_damage(store, &error) => {
                notes.push(format!("`generations/{name}` is damaged and was skipped: {}", chain(&error)));
                continue;
            }
            state => state?,
        };
        // A generation that was only re-signed has the same content.
        if state.release().is_some_and(|release| !release.content().eq(current.content())) {
            return Ok((name.clone(), state));
        }
    }
    Err(Error::NoGeneration { suite: suite.clone(), requested: None, known })
}

/// Returns the package indices of both generations.
fn all_indices(published: &PublishedSuite, state: &PublishedSuite) -> BTreeSet<IndexKey> {
    state.pool_index_keys().union(&published.pool_index_keys()).cloned().collect()
}

/// Returns the by-hash indices of an earlier generation that the current one does not list.
async fn needed_indices(
    store: &Store,
    published: &PublishedSuite,
    current: &Release,
    state: &PublishedSuite,
    earlier: &Release,
) -> Result<Needs, Error> {
    let indices = all_indices(published, state);
    let mut needs = Needs::new();
    for (path, listed) in earlier.own_files() {
        let plain = plain_path(path);
        // Other files may be listed without being stored; apt does not need them.
        let is_needed = indices.contains(&IndexKey::parse(plain)) && listed.size > 0;
        if !is_needed || current.files().get(path) == Some(listed) {
            continue;
        }
        let by_hash = state.path(&by_hash_path(path, &listed.sha256));
        // The uncompressed form need not be stored.
        if path != plain || store.size(&by_hash).await?.is_some() {
            needs.insert(by_hash, listed.into());
        }
    }
    Ok(needs)
}

/// The listed files of an earlier generation besides its indices of packages.
#[derive(Default)]
struct OtherFiles {
    /// Those that are stored.
    needs: Needs,
    /// Those that are stored in no form, by their uncompressed paths.
    gone: BTreeSet<String>,
}

/// Returns the other files of an earlier generation that the current one does not list. One that is stored in some forms
/// was stored in all compressed ones.
async fn other_files(
    store: &Store,
    published: &PublishedSuite,
    current: &Release,
    state: &PublishedSuite,
    earlier: &Release,
) -> Result<OtherFiles, Error> {
    let indices = all_indices(published, state);
    let (mut others, mut stored, mut lost) = (OtherFiles::default(), BTreeSet::new(), Vec::new());
    for (path, listed) in earlier.own_files() {
        let plain = plain_path(path);
        let is_patched = patched_by(path).is_some();
        if is_patched || listed.size == 0 || indices.contains(&IndexKey::parse(plain)) {
            continue;
        }
        if current.files().get(path) == Some(listed) {
            stored.insert(plain);
            continue;
        }
        let by_hash = state.path(&by_hash_path(path, &listed.sha256));
        if store.size(&by_hash).await?.is_some() {
            stored.insert(plain);
            others.needs.insert(by_hash, listed.into());
        } else if store.size(&state.path(path)).await? == Some(listed.size) {
            // Another tool stores it under its own name alone.
            stored.insert(plain);
            others.needs.insert(state.path(path), listed.into());
        } else {
            lost.push((path, plain, by_hash, listed));
        }
    }
    for (path, plain, by_hash, listed) in lost {
        if !stored.contains(plain) {
            others.gone.insert(plain.to_owned());
        } else if path != plain {
            others.needs.insert(by_hash, listed.into());
        }
    }
    Ok(others)
}

/// The differences between an earlier generation and the current one.
#[derive(Default)]
struct Difference {
    added: Vec<Change>,
    removed: Vec<Change>,
    /// In both, with other bytes.
    replaced: Vec<Change>,
    /// In both, with another phase.
    phased: Vec<Phased>,
    /// Package files that must exist.
    needs: Needs,
    /// The texts of the indices that change.
    texts: Vec<Texts>,
}

impl Difference {
    async fn between(
        published: &PublishedSuite,
        current: &Release,
        state: &PublishedSuite,
        earlier: &Release,
    ) -> Result<Self, Error> {
        let mut difference = Self::default();
        for key in all_indices(published, state) {
            let plain = key.path();
            if earlier.files().get(&plain) != current.files().get(&plain) {
                difference.add_packages(&key, &plain, published, state).await?;
            }
        }
        difference.add_derived(published, current, state, earlier).await;
        let order =
            |change: &Change| (change.name.clone(), change.version.clone(), change.architecture.clone());
        for changes in [&mut difference.added, &mut difference.removed, &mut difference.replaced] {
            changes.sort_by_key(order);
            changes.dedup();
        }
        difference.phased.sort_by_key(|phased| order(&phased.package));
        difference.phased.dedup();
        Ok(difference)
    }

    /// Adds the texts of an index, for its patch.
    fn add_texts(&mut self, key: &IndexKey, old: Bytes, new: Bytes, state: &PublishedSuite) {
        let smallest = smallest_form(state, &key.path());
        let (key, old) = (key.clone(), Some(old).filter(|old| !old.is_empty()));
        self.texts.push(Texts { key, old, to: Text::of(&new), new, smallest });
    }

    /// Reads the texts of derived indices that change. One that cannot be read gets no patch.
    async fn add_derived(
        &mut self,
        published: &PublishedSuite,
        current: &Release,
        state: &PublishedSuite,
        earlier: &Release,
    ) {
        let has_patches = |key: &IndexKey| {
            matches!(key, IndexKey::Contents { .. })
                || matches!(key, IndexKey::Translation { language, .. } if &**language == "en")
        };
        for key in state.index_keys().into_iter().filter(has_patches) {
            let plain = key.path();
            if earlier.files().get(&plain) == current.files().get(&plain) {
                continue;
            }
            let texts = (published.text(&plain).await, state.text(&plain).await);
            if let (Ok(Some(old)), Ok(Some(new))) = texts {
                self.add_texts(&key, old, new, state);
            }
        }
    }

    /// Compares the packages of one index.
    async fn add_packages(
        &mut self,
        key: &IndexKey,
        plain: &str,
        published: &PublishedSuite,
        state: &PublishedSuite,
    ) -> Result<(), Error> {
        let (ours, theirs) =
            (state.text(plain).await?.unwrap_or_default(), published.text(plain).await?.unwrap_or_default());
        let path = state.path(plain);
        let (mut needed, mut there) = (PoolFiles::new(), PoolFiles::new());
        references::pool_files(key, &path, &ours, &mut needed)?;
        references::pool_files(key, &path, &theirs, &mut there)?;
        self.needs.extend(
            needed
                .into_iter()
                // A file at the same path may have been replaced since.
                .filter(|(file, expected)| !there.get(file).is_some_and(|now| now.agrees(expected))),
        );
        if key.clone().into_edited().is_some() {
            self.add_texts(key, theirs.clone(), ours.clone(), state);
        }
        let Some(component) = key.component_of_entries() else { return Ok(()) };
        let packages = |text| -> Result<BTreeMap<Change, Entry>, Error> {
            let entries = references::entries(key, &path, text)?.into_iter();
            Ok(entries.map(|entry| (change(&entry, component), entry)).collect())
        };
        let (ours, mut theirs) = (packages(&ours)?, packages(&theirs)?);
        for (package, entry) in ours {
            let Some(published) = theirs.remove(&package) else {
                self.added.push(package);
                continue;
            };
            let (from, to) = (published.phased(), entry.phased());
            if !published.is_same_file(&entry) {
                self.replaced.push(package);
            } else if from != to {
                self.phased.push(Phased { package, from, to });
            }
        }
        self.removed.extend(theirs.into_keys());
        Ok(())
    }
}

/// The size of the smallest compressed form of an index.
fn smallest_form(state: &PublishedSuite, plain: &str) -> Option<u64> {
    let files = state.release()?.files();
    let forms = files.iter().filter(|(path, _)| path.as_str() != plain && plain_path(path) == plain);
    forms.map(|(_, listed)| listed.size).min()
}

fn change(entry: &Entry, component: &Component) -> Change {
    Change {
        name: entry.name.to_string(),
        version: entry.version.to_string(),
        architecture: entry.architecture.to_string(),
        component: component.clone(),
        package_type: entry.kind.of_packages().unwrap_or_default(),
        file: entry.into(),
    }
}
