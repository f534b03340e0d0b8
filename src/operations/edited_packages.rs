//! `Packages`: the packages of a suite before and after an edit, for the indices that are derived from them.

use std::{borrow::Cow, collections::BTreeMap};

use crate::package_type::PackageType;
use crate::{
    compression::Compression,
    dists::{IndexKey, PackagesIndex, PackagesKey, Release},
    names::{Architecture, Component},
    suite::{base::VerifiedBase, error::Error},
};

/// The compressions in which an index can be written.
const WRITTEN: [Compression; 5] =
    [Compression::Plain, Compression::Gzip, Compression::Xz, Compression::Zstd, Compression::Bzip2];

/// The packages of a suite before and after an edit.
pub(super) struct Packages<'a> {
    pub(super) published: &'a VerifiedBase,
    pub(super) changed: &'a BTreeMap<PackagesKey, PackagesIndex>,
    /// Those of the suite after the edit.
    pub(super) components: &'a [Component],
    pub(super) architectures: &'a [Architecture],
}

impl Packages<'_> {
    /// Returns an index after the edit, and whether the edit has read it.
    pub(super) async fn index(&self, source: &IndexKey) -> Result<(Cow<'_, PackagesIndex>, bool), Error> {
        if let Some(index) = edited(source).and_then(|key| self.changed.get(&key)) {
            return Ok((Cow::Borrowed(index), true));
        }
        let plain = source.path();
        let Some(text) = self.published.text(&plain).await? else { return Ok((Cow::default(), false)) };
        let parsed = PackagesIndex::parse(&text, source.kind().of_packages().unwrap_or(PackageType::Deb));
        let index = parsed.map_err(|source| Error::Index { path: self.published.path(&plain), source })?;
        Ok((Cow::Owned(index), false))
    }
}

/// The index as edits know it; `None` if they do not write it.
pub(super) fn edited(source: &IndexKey) -> Option<PackagesKey> {
    source.clone().into_edited()
}

/// The forms of a listed index that are written again; the uncompressed one may be listed without being stored.
pub(super) fn stored_forms(release: Option<&Release>, plain: &str) -> Vec<Compression> {
    let is_listed = |form: &Compression| {
        let path = format!("{plain}{}", form.extension());
        release.is_some_and(|release| release.files().contains_key(&path))
    };
    let mut forms: Vec<Compression> = WRITTEN.into_iter().filter(is_listed).collect();
    if forms.len() > 1 {
        forms.retain(|form| *form != Compression::Plain);
    }
    if forms.is_empty() { vec![Compression::Gzip] } else { forms }
}
