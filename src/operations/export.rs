//! `export`: publishes a suite as it is configured: fields, components, architectures, the compressions of its indices.
//! Its packages stay the same, and a suite without packages is begun with empty indices.

use std::collections::BTreeSet;

use super::{edit::SuiteEdit, patches, translations};
use crate::{
    compression::Compression,
    config::SuiteConfig,
    dists::{
        PackageEntry, PackagesKey,
        layout::plain_path,
        translation::{is_long, missing},
    },
    package_type::PackageType,
    suite::{error::Error, published::PublishedSuite},
};

impl SuiteEdit {
    /// Returns an edit that applies the configuration of the suite.
    #[must_use]
    pub fn exporting() -> Self {
        Self { export: true, ..Self::default() }
    }

    /// Returns the published indices that an export writes again, because they are not stored in the configured
    /// compressions.
    pub(super) async fn outdated_forms(
        &self,
        published: &PublishedSuite,
        config: &SuiteConfig,
    ) -> Result<BTreeSet<PackagesKey>, Error> {
        let mut outdated = BTreeSet::new();
        let Some(release) = published.release().filter(|_| self.export && !config.components.is_empty())
        else {
            return Ok(outdated);
        };
        for key in published.edited_keys() {
            // The plain form is listed even if it is not stored.
            let wanted = config.compressions_of(key.package_type).iter().chain([&Compression::Plain]);
            let wanted: BTreeSet<&str> = wanted.map(|compression| compression.extension()).collect();
            let plain = key.path();
            let forms = release.files().range(plain.clone()..).map(|(path, _)| path);
            let forms = forms.take_while(|path| path.starts_with(&plain));
            let listed: BTreeSet<&str> = forms
                .filter(|path| plain_path(path) == plain)
                .filter_map(|path| path.strip_prefix(plain.as_str()))
                .collect();
            if listed != wanted
                || !self.stores_plain(published, config.compressions_of(key.package_type), &plain).await?
                || patches::is_broken(published, &plain).await?
                || has_other_descriptions(published, config, &key).await?
            {
                outdated.insert(key);
            }
        }
        Ok(outdated)
    }

    /// Whether the plain form of an index is stored, if that is configured.
    async fn stores_plain(
        &self,
        published: &PublishedSuite,
        compressions: &[Compression],
        plain: &str,
    ) -> Result<bool, Error> {
        let listed = published.release().and_then(|release| release.files().get(plain));
        let Some(listed) = listed.filter(|_| compressions.contains(&Compression::Plain)) else {
            return Ok(true);
        };
        let store = published.store();
        let by_hash = published.path(&crate::dists::index_file::by_hash_path(plain, &listed.sha256));
        Ok(store.size(&by_hash).await?.is_some() || store.size(&published.path(plain)).await?.is_some())
    }
}

/// Whether the long descriptions of an index are not where the suite is configured to have them.
async fn has_other_descriptions(
    published: &PublishedSuite,
    config: &SuiteConfig,
    key: &PackagesKey,
) -> Result<bool, Error> {
    let is_translated = published.index_keys().contains(&translations::key(&key.component));
    if key.package_type != PackageType::Deb || (!config.translations && !is_translated) {
        return Ok(false);
    }
    let entries = published.index(key).await?.entries();
    let elsewhere = |package: &PackageEntry| {
        if config.translations { is_long(package) } else { missing(package).is_some() }
    };
    Ok(entries.iter().any(elsewhere)
        || translations::is_incomplete(published, &key.component, &entries).await?
        || patches::is_broken(published, &translations::key(&key.component).path()).await?)
}
