//! The pointer: its signatures and which clients accept them, its validity, and whether clients without `InRelease`
//! read the same.

use indicatif::HumanDuration;
use jiff::{SignedDuration, Timestamp};

use super::{
    caches::{Changes, Keeping},
    fetch::Got,
    findings::Findings,
    report::{Remedy, SuiteReport},
};
use crate::{
    dists::layout::ReleaseForm,
    names::Suite,
    operations::dates::ACCEPTED_AHEAD,
    signing::{Distrust, Level, READERS, SignatureReport},
    suite::{
        archive::Archive,
        error::{Error, chain},
        first_signing, limits,
        published::{Pointer, PublishedSuite, other_name},
    },
};

/// How many days before its expiry a key is reported.
const NOTICE_DAYS: i64 = 30;

impl Archive {
    /// Checks the pointer of a suite against the rules of clients.
    pub(super) async fn check_pointer(
        &self,
        published: &PublishedSuite,
        pointer: &Pointer,
        seen: &mut SuiteReport,
        findings: &mut Findings,
    ) -> Result<(), Error> {
        let path = published.path(pointer.file());
        let release = &pointer.release;
        findings.served(&path, Changes::Often, pointer.served.as_ref());
        seen.pointer = Some(path.clone());
        seen.signed = pointer.signed;
        if let Some(served) = &pointer.served {
            seen.cache_control.clone_from(&served.cache_control);
            seen.cacheable_seconds = Keeping::of(served).map(|keeping| keeping.time.as_secs());
            seen.age_seconds = served.age.map(|age| age.as_secs());
        }
        match (pointer.signed, &pointer.signers[..]) {
            (false, _) if self.trust.demands_signature_of(published.name()) => {
                findings.fault(path.clone(), "it is not signed, although a key is configured");
            }
            (false, _) => findings.note(format!("`{path}` is not signed")),
            (true, []) => {
                findings.note(format!("the signature of `{path}` was not checked: no public key is known"));
            }
            (true, _) => {
                seen.signed_by = self.judge(published.name(), pointer, findings).await?;
                check_signatures(&path, &seen.signed_by, findings);
            }
        }
        if let Some(named) = other_name(published.name(), release) {
            findings.note(format!(
                "`{path}` names the suite `{named}`: apt warns of a conflicting distribution, and a signed one cannot be used as a base"
            ));
        }
        let now = self.trust.now.and_then(|now| Timestamp::try_from(now).ok());
        check_dates(&path, pointer, now, seen, findings);
        if pointer.is_in_release() {
            self.check_old_pointer(published, pointer.signers.is_empty(), findings).await?;
        }
        Ok(())
    }

    /// The verdict of each client on the signatures.
    async fn judge(
        &self,
        suite: &Suite,
        pointer: &Pointer,
        findings: &mut Findings,
    ) -> Result<Vec<SignatureReport>, Error> {
        let Some(now) = self.trust.now else { return Ok(Vec::new()) };
        let keyring = &self.trust.keyring;
        let judged = if pointer.is_in_release() {
            keyring.judge_in_release(&pointer.bytes, now)
        } else {
            let path = format!("dists/{suite}/Release.gpg");
            match self.fetch(&path, limits::RELEASE, Changes::Often, findings).await? {
                Got::There(signature) => keyring.judge_detached(&pointer.bytes, &signature, now),
                Got::Missing | Got::Refused => Ok(Vec::new()),
            }
        };
        // An unreadable pointer is not trusted either, and has been reported.
        Ok(judged.unwrap_or_default())
    }

    /// Reports the verdict of each client on a pointer that is not trusted.
    pub(super) async fn judge_untrusted(
        &self,
        suite: &Suite,
        path: &str,
        distrust: &Distrust,
        seen: &mut SuiteReport,
        findings: &mut Findings,
    ) -> Result<(), Error> {
        let why = match distrust {
            Distrust::Unverifiable { .. } => distrust.to_string(),
            _ => format!("its signature is not trusted: {distrust}"),
        };
        findings.fault(path, why);
        seen.pointer = Some(path.to_owned());
        seen.signed = true;
        let Some(now) = self.trust.now else { return Ok(()) };
        let Some(bytes) = self.fetch(path, limits::RELEASE, Changes::Often, findings).await?.there() else {
            return Ok(());
        };
        let judged = if ReleaseForm::of_path(path) == Some(ReleaseForm::InRelease) {
            self.trust.keyring.judge_in_release(&bytes, now)
        } else {
            let path = format!("dists/{suite}/Release.gpg");
            let signature = self
                .fetch(&path, limits::RELEASE, Changes::Often, findings)
                .await?
                .there()
                .unwrap_or_default();
            self.trust.keyring.judge_detached(&bytes, &signature, now)
        };
        seen.signed_by = judged.unwrap_or_default();
        // An unknown key or a signature that does not match fails for every client alike.
        if let Distrust::NotBelieved { .. } = distrust {
            check_signatures(path, &seen.signed_by, findings);
        }
        Ok(())
    }

    /// `Release` and `Release.gpg`, which old clients read, must match `InRelease`.
    async fn check_old_pointer(
        &self,
        published: &PublishedSuite,
        unknown: bool,
        findings: &mut Findings,
    ) -> Result<(), Error> {
        let Some(pointer) = published.pointer() else { return Ok(()) };
        let path = published.path("Release");
        let release = match self.fetch(&path, limits::RELEASE, Changes::Often, findings).await? {
            Got::There(release) => release,
            Got::Refused => return Ok(()),
            Got::Missing => {
                findings.fault(path, "it is missing; clients without `InRelease` support find no suite");
                return Ok(());
            }
        };
        if crate::signing::unverified_text(&pointer.bytes)
            .is_ok_and(|text| !crate::signing::says_the_same(&release, &text))
        {
            if !self.is_on_the_web() && first_signing::is_crossed_now(published).await? {
                let problem = "it has changes of a publisher without a key that `InRelease` does not have";
                findings.fault_for(Remedy::Sign(published.name().clone()), path, problem);
            } else {
                let problem = "it differs from `InRelease`; clients that read it see another generation";
                findings.fault_for(Remedy::Repair, path, problem);
            }
        }
        let path = published.path("Release.gpg");
        match (self.fetch(&path, limits::RELEASE, Changes::Often, findings).await?, self.trust.now) {
            (Got::Missing, _) => {
                findings.fault(path, "it is missing; clients without `InRelease` support refuse the suite");
            }
            (Got::There(signature), Some(now)) if !unknown => {
                if let Err(error) = self.trust.keyring.verify_detached(&release, &signature, now) {
                    findings.fault(path, chain(&error));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// One accepted signature is enough for a client; but every client must accept one.
fn check_signatures(path: &str, signatures: &[SignatureReport], findings: &mut Findings) {
    for reader in READERS {
        let verdicts: Vec<_> =
            signatures.iter().filter_map(|one| Some((one, one.verdict_of(reader)?))).collect();
        let best = verdicts.iter().map(|(_, verdict)| verdict.level).min();
        let all = || {
            let said = verdicts.iter().filter(|(_, verdict)| Some(verdict.level) == best);
            let said =
                said.map(|(signature, verdict)| format!("{reader} {} (key {})", verdict.text, signature.key));
            said.collect::<Vec<_>>().join("; ")
        };
        match best {
            Some(Level::Refused) => findings.fault(path, all()),
            Some(Level::Unknown) => findings.note(format!("`{path}`: {}", all())),
            Some(Level::Ok | Level::Warn) | None => {}
        }
    }
    for signature in signatures {
        if let (Some(day), Some(days @ 0..=NOTICE_DAYS)) = (&signature.expires, signature.days_left) {
            findings.note(format!(
                "the key {}, which signed `{path}`, expires on {day}, in {days} days: clients need the renewed key before then",
                signature.key
            ));
        }
    }
}

/// Whether clients accept it now, and for some time after this report.
fn check_dates(
    path: &str,
    pointer: &Pointer,
    now: Option<Timestamp>,
    seen: &mut SuiteReport,
    findings: &mut Findings,
) {
    let date = pointer.release.date().ok();
    let until = pointer.release.valid_until();
    seen.date = date.map(|date| date.to_string());
    if let Ok(until) = until {
        seen.valid_until = until.map(|until| until.to_string());
    } else {
        findings.fault(path, "clients refuse it: `Valid-Until` cannot be read");
    }
    let (Some(now), Some(date)) = (now, date) else { return };
    if date.duration_since(now) > ACCEPTED_AHEAD {
        findings.fault(path, format!("clients refuse it until {date}: `Date` is in the future"));
    }
    let Ok(Some(until)) = until else { return };
    let (left, span) = (until.duration_since(now), until.duration_since(date));
    if left < SignedDuration::ZERO {
        findings.fault(path, format!("clients refuse it since {until}: `Valid-Until` has passed"));
    } else if left < span / 4 {
        let left = HumanDuration(left.unsigned_abs());
        findings.note(format!(
            "clients refuse `{path}` from {until} on, in {left}: less than a quarter of its validity is left; re-sign the suite"
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signing::Verdict;

    /// A signature that the readers accept or not, in the order of [`READERS`].
    fn signature(key: &str, accepted: [bool; 2], days_left: Option<i64>) -> SignatureReport {
        let verdict = |(reader, accepted)| Verdict {
            reader,
            when: "now",
            level: if accepted { Level::Ok } else { Level::Refused },
            text: if accepted { "accepts it" } else { "refuses it: so" }.to_owned(),
        };
        SignatureReport {
            key: key.to_owned(),
            user_ids: Vec::new(),
            known: true,
            hash: "SHA512".to_owned(),
            expires: days_left.map(|_| "a day".to_owned()),
            days_left,
            verdicts: READERS.into_iter().zip(accepted).map(verdict).collect(),
        }
    }

    fn found(signatures: &[SignatureReport]) -> (Vec<String>, usize) {
        let mut findings = Findings::default();
        check_signatures("path", signatures, &mut findings);
        (findings.faults.into_iter().map(|fault| fault.problem).collect(), findings.notes.len())
    }

    #[test]
    fn every_client_must_find_one_signature_that_it_accepts() {
        let none: Vec<String> = Vec::new();
        let (one, other) = (signature("A", [true, false], None), signature("B", [false, true], None));
        assert_eq!(found(&[one.clone(), other.clone()]), (none.clone(), 0));
        assert_eq!(found(&[signature("C", [true, true], None), other.clone()]), (none, 0));
        let (faults, _) = found(&[other.clone(), signature("D", [false, true], None)]);
        assert_eq!(faults, ["apt 2 (gpgv) refuses it: so (key B); apt 2 (gpgv) refuses it: so (key D)"]);
        assert_eq!(found(&[one]).0, ["apt 3 (sqv) refuses it: so (key A)"]);
    }

    #[test]
    fn a_key_is_reported_a_month_before_it_expires() {
        for (days, notes) in [(31, 0), (30, 1), (0, 1), (-1, 0)] {
            assert_eq!(found(&[signature("A", [true, true], Some(days))]).1, notes, "{days}");
        }
    }
}
