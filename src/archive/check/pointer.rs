//! The pointer: who signed it, how long it holds, and whether clients of old read the same.

use jiff::Timestamp;

use super::{Report, chain};
use crate::{
    archive::{Archive, Error, Pointer, PublishedSuite, suite::other_name},
    signing::{KeyReport, Level},
};

impl Archive {
    /// Holds the pointer of a suite to what clients ask of it.
    pub(super) async fn check_pointer(
        &self,
        published: &PublishedSuite,
        pointer: &Pointer,
        report: &mut Report,
    ) -> Result<(), Error> {
        let path = published.path(pointer.file);
        let release = &pointer.release;
        match (pointer.signed, &pointer.signers[..]) {
            (false, _) if self.trust.signs && !self.trust.unsigned.contains(published.name()) => {
                report.fault(path.clone(), "it is not signed, although a key is configured");
            }
            (false, _) => report.notes.push(format!("`{path}` is not signed")),
            (true, []) => report
                .notes
                .push(format!("the signature of `{path}` was not checked: no public key is known")),
            (true, signers) => {
                if let Some(why) = self.refused_by_clients(signers) {
                    report.fault(path.clone(), why);
                }
            }
        }
        if let Some(named) = other_name(published.name(), release) {
            report.notes.push(format!(
                "`{path}` calls itself `{named}`: apt warns of a conflicting distribution, and nothing is built on it if it is signed"
            ));
        }
        let now = self.trust.now.and_then(|now| Timestamp::try_from(now).ok());
        if let (Some(now), Ok(Some(until))) = (now, release.valid_until())
            && until < now
        {
            report.fault(path.clone(), format!("clients refuse it since {until}: `Valid-Until` has passed"));
        }
        if let (Some(now), Ok(date)) = (now, release.date())
            && date > now
        {
            report.fault(path.clone(), format!("clients refuse it until {date}: `Date` lies in the future"));
        }
        if pointer.file == "InRelease" {
            self.check_old_pointer(published, pointer.signers.is_empty(), report).await?;
        }
        Ok(())
    }

    /// Why clients refuse every key that signed. One that they accept is enough for them; and one that has expired since
    /// it signed is good for us alone.
    fn refused_by_clients(&self, signers: &[String]) -> Option<String> {
        let mut keys = self.trust.keyring.reports(self.trust.now?);
        keys.retain(|key| signers.contains(&key.fingerprint));
        let refusal = |key: &KeyReport| {
            let mut now = key.verdicts.iter().filter(|verdict| verdict.when == "now");
            let verdict = now.find(|verdict| verdict.level == Level::Refused)?;
            Some(format!("{} {} (key {})", verdict.reader, verdict.text, key.fingerprint))
        };
        let refusals: Option<Vec<String>> = keys.iter().map(refusal).collect();
        refusals.filter(|all| !all.is_empty()).map(|all| all.join("; "))
    }

    /// `Release` and `Release.gpg`, which clients of old read, must say what `InRelease` says.
    async fn check_old_pointer(
        &self,
        published: &PublishedSuite,
        unknown: bool,
        report: &mut Report,
    ) -> Result<(), Error> {
        let Some(pointer) = published.pointer() else { return Ok(()) };
        let path = published.path("Release");
        let Some(release) = self.store.read(&path).await? else {
            report.fault(path, "it is missing; clients that do not know `InRelease` find nothing");
            return Ok(());
        };
        if crate::signing::unverified_text(&pointer.bytes).is_ok_and(|text| release.bytes != text) {
            report.fault(
                path.clone(),
                "it is not what `InRelease` says; clients that read it see another state",
            );
        }
        let signature_path = published.path("Release.gpg");
        match (self.store.read(&signature_path).await?, self.trust.now) {
            (None, _) => report.fault(
                signature_path,
                "it is missing; clients that do not know `InRelease` refuse the suite",
            ),
            (Some(signature), Some(now)) if !unknown => {
                if let Err(error) = self.trust.keyring.verify_detached(&release.bytes, &signature.bytes, now)
                {
                    report.fault(signature_path, chain(&error));
                }
            }
            _ => {}
        }
        Ok(())
    }
}
