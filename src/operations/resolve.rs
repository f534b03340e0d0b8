//! Resolves one package against the published indices: the only place that decides whether a published package changes.

use super::{
    addition::Addition,
    edit::SuiteEdit,
    lookup::{Lookup, describe, main_path},
};
use crate::{
    dists::{Entry, PackageEntry, PackagesKey},
    pool::PoolPath,
    suite::refusal::Reason,
};

/// The changes that one package requires.
pub(crate) struct Resolution {
    /// Its stanza, the same in every index.
    pub(crate) stanza: PackageEntry,
    /// The indices that the stanza is inserted into.
    pub(crate) into: Vec<PackagesKey>,
    /// The kind of the change.
    pub(crate) change: ResolvedChange,
    /// The path of its file, if it is already published.
    pub(crate) path: Option<PoolPath>,
}

/// The kind of change that a package requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResolvedChange {
    /// It is already published as requested.
    None,
    /// It is added to at least one index.
    Added,
    /// It replaces other bytes.
    Replaced {
        /// The phase of the replaced package, in per cent.
        from: u8,
        /// The phase of the new package, in per cent.
        to: u8,
    },
    /// Its phase changes.
    Phased {
        /// The published phase, in per cent.
        from: u8,
        /// The new phase, in per cent.
        to: u8,
    },
}

impl SuiteEdit {
    /// Resolves one package; refuses a change of a published package that must not change.
    pub(crate) fn resolve(
        &self,
        addition: &Addition,
        targets: &[PackagesKey],
        lookup: &mut Lookup<'_>,
    ) -> Result<Resolution, Reason> {
        let indices = lookup.indices;
        let Addition { entry, component, path, .. } = addition;
        let shown = describe(entry);
        let (mut missing, mut holding, mut outdated) = (Vec::new(), Vec::new(), Vec::new());
        let mut there: Option<PackageEntry> = None;
        let mut share_before = 100;
        for target in targets {
            let index = indices.all.get(target);
            let Some(published) = index.and_then(|index| index.find(entry)) else {
                lookup.check_beside(entry, path.as_str(), target, addition.is_surplus())?;
                missing.push(target.clone());
                continue;
            };
            if same_bytes(&published, entry) {
                holding.push(target.clone());
                there = Some(published);
            } else if self.replace {
                outdated.push(target.clone());
                share_before = published.phased();
            } else {
                let (published, new) = (digest_of(&published), digest_of(entry));
                return Err(Reason::OtherContents { package: shown, published, new });
            }
        }
        let is_other =
            |name: &PackagesKey| name.component != *component && name.package_type == entry.package_type();
        let mut others = indices.all.iter().filter(|(name, _)| is_other(name));
        if let Some((name, published)) = others.find_map(|(name, index)| Some((name, index.find(entry)?))) {
            if addition.is_surplus() && same_bytes(&published, entry) {
                // It was moved here to be kept, and it already is, in another component.
                let stanza = published;
                return Ok(Resolution { stanza, into: Vec::new(), change: ResolvedChange::None, path: None });
            }
            // The caller chose the component, and clients find the same file in both.
            let is_chosen = self.given(addition).is_some_and(|new| new.placement.by_section);
            if !is_chosen || !same_bytes(&published, entry) {
                return Err(Reason::OtherComponent { package: shown, component: name.component.clone() });
            }
        }
        // Other tools may use another path in the pool.
        let path = there.as_ref().and_then(main_path);
        // A package has the same stanza in every index.
        let mut stanza = there.unwrap_or_else(|| entry.clone());
        // Machines do not upgrade to source packages.
        let phased = self.phased.filter(|_| !stanza.is_source());
        let (from, to) = (stanza.phased(), phased.unwrap_or(stanza.phased()));
        let change = match (&missing[..], &outdated[..]) {
            (_, [_, ..]) => ResolvedChange::Replaced { from: share_before, to },
            ([_, ..], []) => ResolvedChange::Added,
            ([], []) if from != to => ResolvedChange::Phased { from, to },
            ([], []) => ResolvedChange::None,
        };
        let mut into = missing;
        into.extend(outdated);
        if from != to {
            stanza = stanza.with_phased(to);
            into.extend(holding);
        }
        Ok(Resolution { stanza, into, change, path })
    }
}

/// Whether two stanzas describe the same files; old archives may list MD5 alone.
pub(crate) fn same_bytes(published: &PackageEntry, new: &PackageEntry) -> bool {
    if published.is_source() || new.is_source() {
        let same = |(published, new): (Entry, Entry)| published.is_same_file(&new);
        return Entry::of(published).ok().zip(Entry::of(new).ok()).is_some_and(same);
    }
    let same_size = match (published.size(), new.size()) {
        (Some(published), Some(new)) => published == new,
        _ => true,
    };
    let same_digest = match (published.sha256(), new.sha256()) {
        (Some(published), Some(new)) => published == new,
        _ => published.md5().is_some_and(|published| new.md5() == Some(published)),
    };
    same_size && same_digest
}

pub(crate) fn digest_of(entry: &PackageEntry) -> String {
    let source = Entry::of(entry).ok().filter(|_| entry.is_source());
    let main = source.as_ref().and_then(Entry::main_file);
    match main.map_or_else(|| (entry.sha256(), entry.md5()), |file| (file.sha256, file.md5)) {
        (Some(digest), _) => format!("SHA256 {digest}"),
        (None, Some(digest)) => format!("MD5 {digest} and no SHA256"),
        (None, None) => "no SHA256".into(),
    }
}
