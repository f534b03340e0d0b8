//! `cnf/Commands`: the indices of commands for command-not-found, carried on by every edit of the packages that they
//! describe, like `Contents`.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::edited_packages::{Packages, stored_forms};
use crate::package_type::PackageType;
use crate::{
    compression::Compression,
    dists::{IndexFile, IndexKey, PackageEntry, PackagesIndex, PackagesKey, blocks, commands},
    suite::{
        damage,
        error::Error,
        file_lists::{Found, Wanted, id},
    },
};

/// A new index, before the file lists are known.
pub(super) struct CommandsDraft {
    plain: String,
    header: String,
    text: Bytes,
    /// The newest version of each changed package; `None` if it is gone.
    newest: BTreeMap<String, Option<PackageEntry>>,
    compressions: Vec<Compression>,
}

/// Decides the changes of the indices of commands; `wanted` is `None` for those that are published. An export also restores
/// those that are lost. Those that are dropped, and those that stay as they are, are added to the sets.
pub(super) async fn drafts(
    (wanted, is_export): (Option<bool>, bool),
    packages: &Packages<'_>,
    (dropped, current): (&mut BTreeSet<String>, &mut BTreeSet<String>),
) -> Result<Vec<CommandsDraft>, Error> {
    let published = packages.published;
    let mut sources = published.packages_keys();
    sources.extend(packages.changed.keys().filter(|key| key.package_type == PackageType::Deb).cloned());
    let mut listed = BTreeSet::new();
    for key in published.index_keys() {
        if let IndexKey::Other(path) = &key
            && let Some((component, architecture)) = commands::parse_path(path)
        {
            listed.insert(PackagesKey { component, architecture, package_type: PackageType::Deb });
        }
    }
    let mut drafts = Vec::new();
    for source in sources {
        let is_listed = listed.contains(&source);
        let plain = commands::path(&source.component, &source.architecture);
        let is_current = packages.components.contains(&source.component)
            && packages.architectures.contains(&source.architecture);
        if !is_current || (!is_listed && wanted != Some(true)) {
            continue;
        }
        if wanted == Some(false) {
            dropped.insert(plain);
            continue;
        }
        let names = packages.changed.get(&source).map(changed_names).unwrap_or_default();
        let is_unchanged = is_listed && names.is_empty();
        if is_unchanged && !is_export {
            current.insert(plain);
            continue;
        }
        let text = match packages.published.text(&plain).await {
            Err(error) if damage::is_damage(published.store(), &error) => None,
            text => text?,
        };
        if is_unchanged && text.is_some() {
            current.insert(plain);
            continue;
        }
        let is_wanted = wanted == Some(true) || published.was_published_here();
        drafts.extend(draft(&source, (plain, is_listed, text), is_wanted, names, packages).await?);
    }
    Ok(drafts)
}

async fn draft(
    source: &PackagesKey,
    (plain, is_listed, text): (String, bool, Option<Bytes>),
    is_wanted: bool,
    mut names: BTreeSet<String>,
    packages: &Packages<'_>,
) -> Result<Option<CommandsDraft>, Error> {
    let published = packages.published;
    let (index, _) = packages.index(&IndexKey::Packages(source.clone())).await?;
    match &text {
        // It cannot be read, so one of another tool is no longer listed.
        None if !is_wanted => return Ok(None),
        None => names.extend(index.entries().iter().map(|package| package.name().to_owned())),
        // Another tool may have left packages in it that are gone.
        Some(text) => names.extend(commands::names(text).into_iter().filter(|name| !index.has(name))),
    }
    let newest = names.into_iter().map(|name| (name.clone(), newest(index.named(&name)))).collect();
    let compressions =
        if is_listed { stored_forms(published.release(), &plain) } else { vec![Compression::Xz] };
    let header = commands::header(published.name(), &source.component, &source.architecture);
    Ok(Some(CommandsDraft { plain, header, text: text.unwrap_or_default(), newest, compressions }))
}

/// The names of packages whose newest version an edit changes.
fn changed_names(index: &PackagesIndex) -> BTreeSet<String> {
    let identity = |packages| newest(packages).map(|package| (package.version().to_owned(), id(&package)));
    let is_changed = |name: &&str| identity(index.named_before(name)) != identity(index.named(name));
    index.edited_names().filter(is_changed).map(str::to_owned).collect()
}

fn newest(packages: Vec<PackageEntry>) -> Option<PackageEntry> {
    packages.into_iter().max_by(PackageEntry::order_of_versions)
}

impl CommandsDraft {
    /// The packages whose file lists are needed.
    pub(super) fn wanted(&self) -> impl Iterator<Item = Wanted> {
        let newest = self.newest.values().flatten();
        newest.map(|package| Wanted { package: package.clone(), may_be_stored: false })
    }

    /// Renders the index in every form.
    pub(super) fn render(&self, found: &Found) -> Result<Vec<IndexFile>, Error> {
        let stanza = |package: &PackageEntry| commands::stanza(package, found.of(package)?);
        let changes =
            self.newest.iter().map(|(name, newest)| (name.clone(), newest.as_ref().and_then(stanza)));
        let text = commands::edit(&self.text, &self.header, &changes.collect());
        let mut forms = vec![Compression::Plain];
        forms.extend(self.compressions.iter().filter(|&&form| form != Compression::Plain));
        let files = forms.into_iter().map(|compression| {
            let path = format!("{}{}", self.plain, compression.extension());
            let bytes = blocks::compress(&text, compression, None)
                .map_err(|source| Error::Unpack { path: path.clone(), source })?;
            let file = IndexFile::new(path, bytes);
            Ok(if self.compressions.contains(&compression) { file } else { file.listed_only() })
        });
        files.collect()
    }
}
