//! Reads an archive as clients would, and tells all that is missing or differs.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use futures::{StreamExt, stream};
use jiff::Timestamp;

use super::{
    Archive, Error, Event, Events, PublishedSuite,
    suite::{is_listed, other_name, plain_path, unpack},
};
use crate::{
    compression::Compression,
    digest::Digests,
    dists::{IndexName, PackageEntry, PackagesIndex, index_file::by_hash_path, release::Listed},
    names::Suite,
    pool::PoolPath,
    signing::{KeyReport, Level},
    store::Store,
};

/// How many files are read at once.
const AT_ONCE: usize = 8;

/// What a check of an archive found.
#[derive(Debug, Default, serde::Serialize)]
pub struct Report {
    /// The suites that were looked at.
    pub suites: Vec<Suite>,
    /// How many packages they hold, each counted once for a suite.
    pub packages: usize,
    /// How many files were read and compared.
    pub files: usize,
    /// All that is wrong.
    pub faults: Vec<Fault>,
    /// What a user should know, though no client fails.
    pub notes: Vec<String>,
}

/// Something that is wrong with an archive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Fault {
    /// The file.
    pub path: String,
    /// What is wrong with it, and who suffers.
    pub problem: String,
}

impl Archive {
    /// Reads the pointer, every listed index in every form, and every pool file of the suites.
    pub async fn check(&self, suites: &[Suite], events: Events<'_>) -> Result<Report, Error> {
        let mut report = Report { suites: suites.to_vec(), ..Report::default() };
        let mut pool: BTreeMap<PoolPath, Listed> = BTreeMap::new();
        for suite in suites {
            // A fault of the pointer ends the look at this suite: nothing below it can be believed.
            match self.suite(suite).await {
                Ok(published) => {
                    self.check_suite(&published, &mut pool, &mut report).await?;
                    self.check_history(&published, &pool, &mut report).await?;
                }
                Err(error @ Error::Store(_)) => return Err(error),
                Err(error) => report.fault(format!("dists/{suite}"), chain(&error)),
            }
        }
        self.check_keys(&mut report).await?;
        check_pool(&self.store, pool, &mut report, events).await?;
        report.faults.sort();
        report.faults.dedup();
        Ok(report)
    }

    async fn check_suite(
        &self,
        published: &PublishedSuite,
        pool: &mut BTreeMap<PoolPath, Listed>,
        report: &mut Report,
    ) -> Result<(), Error> {
        let Some(pointer) = published.pointer() else { return Ok(()) };
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
        let listed: BTreeSet<&str> = release.files().keys().map(|path| plain_path(path)).collect();
        let mut packages = BTreeSet::new();
        for plain in listed {
            if let Some(index) = self.check_listed(published, plain, report).await? {
                check_index(&published.path(plain), &index, pool, &mut packages, report);
            }
        }
        report.packages += packages.len();
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

    /// Reads every form of one listed file, by its name and by its digest; returns it as an index if it is one.
    async fn check_listed(
        &self,
        published: &PublishedSuite,
        plain: &str,
        report: &mut Report,
    ) -> Result<Option<PackagesIndex>, Error> {
        let Some(release) = published.release() else { return Ok(None) };
        let by_hash_promised = release.field("Acquire-By-Hash") == Some("yes");
        let is_index = IndexName::parse(plain).is_some();
        let plain_listed = release.files().get(plain).copied();
        if is_index && plain_listed.is_none() {
            report.fault(
                published.path(plain),
                "the uncompressed index is not listed; apt shows no packages without saying why",
            );
        }
        let (mut text, mut there) = (None, false);
        for compression in Compression::ALL {
            let path = format!("{plain}{}", compression.extension());
            let Some(listed) = release.files().get(&path) else { continue };
            let by_hash = published.path(&by_hash_path(&path, &listed.sha256));
            let name = published.path(&path);
            let (named, hashed) = (
                self.read_listed(&name, listed, report).await?,
                self.read_listed(&by_hash, listed, report).await?,
            );
            there |= named.is_some() || hashed.is_some();
            match (&named, &hashed) {
                (Some(_), None) if by_hash_promised => {
                    report.fault(by_hash, "it is missing, although `Acquire-By-Hash` promises it");
                }
                (None, Some(_)) => {
                    report
                        .fault(name.clone(), "it is missing; clients that do not know by-hash find nothing");
                }
                _ => {}
            }
            let Some(Ok(bytes)) = [hashed, named].into_iter().flatten().find(Result::is_ok) else { continue };
            if is_index {
                match unpack(name, bytes, compression, plain_listed).await {
                    Ok(unpacked) => text = Some(unpacked),
                    Err(error) => report.fault(published.path(&path), chain(&error)),
                }
            }
        }
        // Other files (Contents of an architecture, say) may be listed and not be there; apt then does without.
        if is_index && !there && plain_listed.is_none_or(|listed| listed.size > 0) {
            report.fault(published.path(plain), "it is listed and is not there, in any compression");
        }
        match text.map(|text| PackagesIndex::parse(&text)) {
            Some(Ok(index)) => Ok(Some(index)),
            Some(Err(error)) => {
                report.fault(published.path(plain), chain(&error));
                Ok(None)
            }
            None => Ok(None),
        }
    }

    /// The bytes of a file if it is there: `Err` where they are not the listed ones, which is noted.
    async fn read_listed(
        &self,
        path: &str,
        listed: &Listed,
        report: &mut Report,
    ) -> Result<Option<Result<Bytes, ()>>, Error> {
        let Some(object) = self.store.read(path).await? else { return Ok(None) };
        report.files += 1;
        let found = Digests::of(&object.bytes);
        if is_listed(listed, &found) && listed.md5.is_none_or(|md5| md5 == found.md5) {
            return Ok(Some(Ok(object.bytes)));
        }
        report.fault(path.to_owned(), differs(listed, &found));
        Ok(Some(Err(())))
    }
}

/// Looks at the stanzas of one index, and notes the pool files that they name.
fn check_index(
    path: &str,
    index: &PackagesIndex,
    pool: &mut BTreeMap<PoolPath, Listed>,
    packages: &mut BTreeSet<(String, String, String)>,
    report: &mut Report,
) {
    let mut previous: Option<PackageEntry> = None;
    for entry in index.entries() {
        let shown = format!("`{}` {} {}", entry.name(), entry.version(), entry.architecture());
        if previous.is_some_and(|previous| previous.is_same_package(&entry)) {
            report.fault(path.to_owned(), format!("{shown} stands twice in it; apt takes either"));
        }
        previous = Some(entry.clone());
        packages.insert((entry.name().into(), entry.version().into(), entry.architecture().into()));
        let (Some(size), Some(sha256)) = (entry.size(), entry.sha256()) else {
            report.fault(
                path.to_owned(),
                format!("{shown} has no `Size` or no `SHA256`; apt does not download it"),
            );
            continue;
        };
        let Some(Ok(file)) = entry.filename().map(PoolPath::parse) else {
            report.fault(path.to_owned(), format!("{shown} has no `Filename`, or one that apt cannot fetch"));
            continue;
        };
        let listed = Listed { size, sha256, md5: None };
        if let Some(other) = pool.get(&file).filter(|other| **other != listed) {
            let problem = format!("indices disagree about its bytes: SHA256 {} and {sha256}", other.sha256);
            report.fault(file.as_str().to_owned(), problem);
        }
        pool.insert(file, listed);
    }
}

async fn check_pool(
    store: &Store,
    pool: BTreeMap<PoolPath, Listed>,
    report: &mut Report,
    events: Events<'_>,
) -> Result<(), Error> {
    let total = pool.len();
    let found = stream::iter(pool).map(|(path, listed)| async move {
        let found = store.digests(path.as_str()).await;
        (path, listed, found)
    });
    let mut found = found.buffer_unordered(AT_ONCE).enumerate();
    while let Some((done, (path, listed, found))) = found.next().await {
        let path = path.as_str().to_owned();
        match found? {
            Some(found) if is_listed(&listed, &found) => {}
            Some(found) => report.fault(path, differs(&listed, &found)),
            None => report.fault(path, "it is missing, although an index names it"),
        }
        report.files += 1;
        events(Event::Read { done: done + 1, total });
    }
    Ok(())
}

impl Report {
    pub(super) fn fault(&mut self, path: String, problem: impl Into<String>) {
        self.faults.push(Fault { path, problem: problem.into() });
    }
}

fn differs(listed: &Listed, found: &Digests) -> String {
    let (size, sha256) = (listed.size, listed.sha256);
    format!(
        "listed are {size} bytes with SHA256 {sha256}, found {} bytes with SHA256 {}",
        found.size, found.sha256
    )
}

/// An error with its causes, in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
