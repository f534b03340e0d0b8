//! The files that a pointer lists: each form under its name and its digest, and what the indices say of packages.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::{caches::Changes, chain, differs, fetch::Got, findings::Findings};
use crate::{
    archive::{
        Archive, Error, PublishedSuite, limits,
        suite::{is_listed, unpack},
    },
    compression::Compression,
    digest::Digests,
    dists::{IndexKey, IndexKind, PackageEntry, PackagesIndex, index_file::by_hash_path, release::Listed},
    pool::PoolPath,
    store::blocking,
};

impl Archive {
    /// Reads every form of one listed file, by its name and by its digest; returns it as an index if it is one.
    pub(super) async fn check_listed(
        &self,
        published: &PublishedSuite,
        plain: &str,
        findings: &mut Findings,
    ) -> Result<Option<PackagesIndex>, Error> {
        let Some(release) = published.release() else { return Ok(None) };
        let by_hash_promised = release.field("Acquire-By-Hash") == Some("yes");
        let is_index = IndexKey::parse(plain).kind() == IndexKind::Packages;
        let plain_listed = release.files().get(plain).copied();
        if is_index && plain_listed.is_none() {
            findings.fault(
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
            // Clients ask for no digest where none is promised; a bucket on the web may then answer 403 instead of 404.
            let asks_by_hash = by_hash_promised || !self.is_on_the_web();
            let (mut of_name, mut of_digest) = (Findings::default(), Findings::default());
            let (named, hashed) =
                futures::join!(self.read_listed(&name, listed, Changes::Often, &mut of_name), async {
                    if asks_by_hash {
                        self.read_listed(&by_hash, listed, Changes::Never, &mut of_digest).await
                    } else {
                        Ok(None)
                    }
                },);
            let (named, hashed) = (named?, hashed?);
            findings.merge(of_name);
            findings.merge(of_digest);
            there |= named.is_some() || hashed.is_some();
            match (&named, &hashed) {
                (Some(_), None) if by_hash_promised => {
                    findings.fault(by_hash, "it is missing, although `Acquire-By-Hash` promises it");
                }
                (None, Some(_)) => {
                    findings
                        .fault(name.clone(), "it is missing; clients that do not know by-hash find nothing");
                }
                _ => {}
            }
            let Some(Ok(bytes)) = [hashed, named].into_iter().flatten().find(Result::is_ok) else { continue };
            if is_index {
                match unpack(name, bytes, compression, plain_listed).await {
                    Ok(unpacked) => text = Some(unpacked),
                    Err(error) => findings.fault(published.path(&path), chain(&error)),
                }
            }
        }
        // Other files (Contents of an architecture, say) may be listed and not be there; apt then does without.
        if is_index && !there && plain_listed.is_none_or(|listed| listed.size > 0) {
            findings.fault(published.path(plain), "it is listed and is not there, in any compression");
        }
        match text.map(|text| PackagesIndex::parse(&text)) {
            Some(Ok(index)) => Ok(Some(index)),
            Some(Err(error)) => {
                findings.fault(published.path(plain), chain(&error));
                Ok(None)
            }
            None => Ok(None),
        }
    }

    /// The bytes of a file if it is there: `Err` where they are not the listed ones or are refused, which is noted.
    async fn read_listed(
        &self,
        path: &str,
        listed: &Listed,
        changes: Changes,
        findings: &mut Findings,
    ) -> Result<Option<Result<Bytes, ()>>, Error> {
        let bytes = match self.fetch(path, limits::compared(listed.size), changes, findings).await? {
            Got::There(bytes) => bytes,
            Got::Missing => return Ok(None),
            Got::Refused => return Ok(Some(Err(()))),
        };
        findings.files += 1;
        let hashed = bytes.clone();
        let found = blocking(move || Digests::of(&hashed)).await;
        if is_listed(listed, &found) && listed.md5.is_none_or(|md5| md5 == found.md5) {
            return Ok(Some(Ok(bytes)));
        }
        findings.fault(path, differs(listed, &found));
        Ok(Some(Err(())))
    }
}

/// Looks at the stanzas of one index, and notes the pool files that they name.
pub(super) fn check(
    path: &str,
    index: &PackagesIndex,
    pool: &mut BTreeMap<PoolPath, Listed>,
    packages: &mut BTreeSet<(String, String, String)>,
    findings: &mut Findings,
) {
    let mut previous: Option<PackageEntry> = None;
    for entry in index.entries() {
        let shown = format!("`{}` {} {}", entry.name(), entry.version(), entry.architecture());
        if previous.is_some_and(|previous| previous.is_same_package(&entry)) {
            findings.fault(path.to_owned(), format!("{shown} stands twice in it; apt takes either"));
        }
        previous = Some(entry.clone());
        packages.insert((entry.name().into(), entry.version().into(), entry.architecture().into()));
        let (Some(size), Some(sha256)) = (entry.size(), entry.sha256()) else {
            findings.fault(
                path.to_owned(),
                format!("{shown} has no `Size` or no `SHA256`; apt does not download it"),
            );
            continue;
        };
        let Some(Ok(file)) = entry.filename().map(PoolPath::parse) else {
            findings
                .fault(path.to_owned(), format!("{shown} has no `Filename`, or one that apt cannot fetch"));
            continue;
        };
        let listed = Listed { size, sha256, md5: None };
        name_file(pool, file, listed, findings);
    }
}

/// Notes a file of the pool, of which every index of the archive must say the same.
pub(super) fn name_file(
    pool: &mut BTreeMap<PoolPath, Listed>,
    file: PoolPath,
    listed: Listed,
    findings: &mut Findings,
) {
    if let Some(other) = pool.get(&file).filter(|other| **other != listed) {
        let problem =
            format!("indices disagree about its bytes: SHA256 {} and {}", other.sha256, listed.sha256);
        findings.fault(file.as_str(), problem);
    }
    pool.insert(file, listed);
}
