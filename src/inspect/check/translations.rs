//! `i18n/Translation-en`: the long descriptions that the indices of packages refer to.

use super::{findings::Findings, report::Remedy};
use crate::{
    dists::{IndexKey, PackagesIndex, translation::Translation},
    package_type::PackageType,
    store::blocking,
    suite::{archive::Archive, error::Error, published::PublishedSuite},
};

impl Archive {
    /// Looks for the description of each package whose stanza names one; only in the form that is written here, since
    /// mirrors leave translations out.
    pub(super) async fn check_descriptions_of_packages(
        &self,
        published: &PublishedSuite,
        findings: &mut Findings,
    ) -> Result<(), Error> {
        if !published.is_of_our_form() {
            return Ok(());
        }
        let keys = published.index_keys();
        for key in &keys {
            let IndexKey::Translation { component, language } = key else { continue };
            // One that cannot be read is a finding of its own.
            let Ok(Some(text)) = published.text(&key.path()).await else { continue };
            if **language != *"en" {
                continue;
            }
            let mut packages = Vec::new();
            for source in &keys {
                if let IndexKey::Packages(of) = source
                    && (&of.component, of.package_type) == (component, PackageType::Deb)
                    && let Ok(Some(text)) = published.text(&source.path()).await
                {
                    packages.push(text);
                }
            }
            let lacking = blocking(move || {
                let translation = Translation::parse(&text);
                let indices =
                    packages.iter().filter_map(|text| PackagesIndex::parse(text, PackageType::Deb).ok());
                let entries = indices.flat_map(|index| index.entries());
                entries.filter(|package| !translation.describes(package)).collect::<Vec<_>>()
            });
            let lacking = lacking.await;
            if let Some(first) = lacking.first() {
                let more = match lacking.len() - 1 {
                    0 => String::new(),
                    more => format!(", nor those of {more} more packages"),
                };
                let (name, version) = (first.name(), first.version());
                let fault = format!("it does not have the description of `{name}` {version}{more}");
                let remedy = Remedy::Export(published.name().clone());
                findings.fault_for(remedy, published.path(&key.path()), fault);
            }
        }
        Ok(())
    }
}
