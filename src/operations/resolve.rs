//! Where a package belongs, and what is there of it: the one place that decides whether something published would change.

use super::{addition::Addition, edit::SuiteEdit, edited_indices::Indices};
use crate::{
    dists::{PackageEntry, PackagesKey},
    pool::PoolPath,
    suite::refusal::Reason,
};

/// What has to be done for a package to be where it belongs.
pub(crate) struct Placed {
    /// Its stanza, the same in every index.
    pub(crate) stanza: PackageEntry,
    /// The indices that it is put into.
    pub(crate) into: Vec<PackagesKey>,
    /// What that means.
    pub(crate) change: PlaceChange,
    /// Where its file is, if it is published already.
    pub(crate) path: Option<PoolPath>,
}

/// What becomes of a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PlaceChange {
    /// It is there, as it is to be.
    None,
    /// It comes, at least into some index.
    Added,
    /// It takes the place of other bytes.
    Replaced {
        /// The share of machines that those were offered to, in per cent.
        from: u8,
        /// Its own.
        to: u8,
    },
    /// Another share of machines is offered it.
    Phased {
        /// In per cent.
        from: u8,
        /// In per cent.
        to: u8,
    },
}

impl SuiteEdit {
    /// Decides what has to be done; an error if it would change something that is published and is not to change.
    pub(crate) fn place(
        &self,
        addition: &Addition,
        targets: &[PackagesKey],
        indices: &Indices,
    ) -> Result<Placed, Reason> {
        let Addition { entry, component, path, .. } = addition;
        let shown = describe(entry);
        let (mut lacking, mut holding, mut outdated) = (Vec::new(), Vec::new(), Vec::new());
        let mut there: Option<PackageEntry> = None;
        let mut share_before = 100;
        for target in targets {
            let index = indices.all.get(target);
            let Some(published) = index.and_then(|index| index.find(entry)) else {
                let twin = index.into_iter().flat_map(|index| index.named(entry.name()));
                if let Some(twin) = twin.into_iter().find(|twin| twin.filename() == Some(path.as_str())) {
                    let (package, other, path) = (shown, describe(&twin), path.as_str().to_owned());
                    return Err(Reason::SameFile { package, other, path });
                }
                lacking.push(target.clone());
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
        let mut others = indices.all.iter().filter(|(name, _)| name.component != *component);
        if let Some((name, published)) = others.find_map(|(name, index)| Some((name, index.find(entry)?))) {
            if addition.is_surplus() && same_bytes(&published, entry) {
                // It was to be kept, and it is.
                let stanza = published;
                return Ok(Placed { stanza, into: Vec::new(), change: PlaceChange::None, path: None });
            }
            return Err(Reason::OtherComponent { package: shown, component: name.component.clone() });
        }
        // Other tools may keep it elsewhere in the pool than we would.
        let path = there.as_ref().and_then(|published| PoolPath::parse(published.filename()?).ok());
        // One stanza for one package, whatever index it stands in.
        let mut stanza = there.unwrap_or_else(|| entry.clone());
        let (from, to) = (stanza.phased(), self.phased.unwrap_or(stanza.phased()));
        let change = match (&lacking[..], &outdated[..]) {
            (_, [_, ..]) => PlaceChange::Replaced { from: share_before, to },
            ([_, ..], []) => PlaceChange::Added,
            ([], []) if from != to => PlaceChange::Phased { from, to },
            ([], []) => PlaceChange::None,
        };
        let mut into = lacking;
        into.extend(outdated);
        if from != to {
            stanza = stanza.with_phased(to);
            into.extend(holding);
        }
        Ok(Placed { stanza, into, change, path })
    }
}

/// Whether two stanzas are of one file; archives of old may know it by MD5 alone.
pub(crate) fn same_bytes(published: &PackageEntry, new: &PackageEntry) -> bool {
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
    match (entry.sha256(), entry.md5()) {
        (Some(digest), _) => format!("SHA256 {digest}"),
        (None, Some(digest)) => format!("MD5 {digest} and no SHA256"),
        (None, None) => "no SHA256".into(),
    }
}

pub(crate) fn describe(entry: &PackageEntry) -> String {
    format!("`{}` {} {}", entry.name(), entry.version(), entry.architecture())
}
