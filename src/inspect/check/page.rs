//! Checks the archive's page: whether it shows the suites as they are, and whether its parts are whole.

use super::{
    fetch::Got,
    findings::Findings,
    report::{Remedy, SuiteReport},
};
use crate::{
    digest::Sha256Digest,
    dists::layout::{INDEX_PAGE, page_path},
    site::{
        page::{Page, PageSuite},
        parts::{self, Manifest},
    },
    suite::{archive::Archive, damage, error::Error, limits},
};

impl Archive {
    /// Checks what the page shows of these suites. On the web only its lists are read: one request for each suite.
    pub(super) async fn check_page(
        &self,
        suites: &[SuiteReport],
        findings: &mut Findings,
    ) -> Result<(), Error> {
        let read = match self.store.read(INDEX_PAGE, limits::PAGE).await {
            Err(error) if self.is_on_the_web() && !error.is_unreachable() => return Ok(()),
            read => damage::unless_damaged(&self.store, read)?,
        };
        let Some(page) = read.filter(|page| Page::is_ours(&page.bytes)) else { return Ok(()) };
        findings.files += 1;
        let page = Page::parse(&page.bytes);
        if page.suites.is_empty() {
            findings.fault_for(Remedy::Repair, INDEX_PAGE, "its data cannot be read");
        }
        for SuiteReport { suite, .. } in suites {
            let Some(shown) = page.suites.get(suite.as_str()) else { continue };
            // A suite that cannot be read is a fault of its own.
            let Ok(published) = self.suite(suite).await else { continue };
            let digest = published.pointer().map(|pointer| Sha256Digest::of(&pointer.bytes).to_string());
            if digest.as_ref() != Some(&shown.of) {
                findings.note(format!("`{INDEX_PAGE}` shows an earlier state of suite `{suite}`"));
                findings.remedies.insert(Remedy::Repair);
            }
            self.check_parts(shown, findings).await?;
        }
        Ok(())
    }

    async fn check_parts(&self, shown: &PageSuite, findings: &mut Findings) -> Result<(), Error> {
        let Some(list) = self.check_part(&shown.manifest, findings).await? else { return Ok(()) };
        let Some(manifest) = parts::unpack::<Manifest>(&shown.manifest, &list) else { return Ok(()) };
        if self.is_on_the_web() {
            return Ok(());
        }
        for digest in manifest.digests() {
            self.check_part(&digest.to_string(), findings).await?;
        }
        Ok(())
    }

    /// Reads a part, and compares it with its name.
    async fn check_part(&self, digest: &str, findings: &mut Findings) -> Result<Option<bytes::Bytes>, Error> {
        let path = page_path(digest);
        let bytes = match self.store.read(&path, limits::PAGE).await {
            Ok(Some(object)) => object.bytes,
            Ok(None) => {
                findings.fault(path, format!("it is missing, and `{INDEX_PAGE}` uses it"));
                return Ok(None);
            }
            Err(error) => {
                let got: Got<bytes::Bytes> = self.refused(&path, error, findings)?;
                return Ok(got.there());
            }
        };
        findings.files += 1;
        if Sha256Digest::of(&bytes).to_string() != digest {
            findings.fault(path, "its contents do not match its name");
            return Ok(None);
        }
        Ok(Some(bytes))
    }
}
