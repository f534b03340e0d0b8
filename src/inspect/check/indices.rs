//! The files that a pointer lists: each form under its canonical and its by-hash name, and the entries of the indices.

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;

use super::{
    caches::Changes,
    fetch::Got,
    findings::Findings,
    pool::{Named, Pool, name_file, shown},
    report::{Remedy, differs},
};
use crate::{
    compression::Compression,
    deb,
    digest::Digests,
    dists::{
        Entry, IndexKey, IndexKind, commands, entries::EntryFile, index_file::by_hash_path, release::Listed,
    },
    store::blocking,
    suite::{
        archive::Archive,
        error::{Error, chain},
        limits,
        published::{PublishedSuite, is_listed, unpack},
        references::{self, Expected},
    },
};

impl Archive {
    /// Reads every form of a listed file, by both names; returns the entries of an index. `stores_all` says that the
    /// archive stores every form that it lists, except for uncompressed ones beside others.
    pub(super) async fn check_listed(
        &self,
        published: &PublishedSuite,
        (plain, stores_all): (&str, bool),
        findings: &mut Findings,
    ) -> Result<Option<Vec<Entry>>, Error> {
        let Some(release) = published.release() else { return Ok(None) };
        let by_hash_promised = release.field("Acquire-By-Hash") == Some("yes");
        let key = IndexKey::parse(plain);
        let is_index = key.has_entries();
        let plain_listed = release.files().get(plain).copied();
        // The installer only reads a compressed form.
        if matches!(key.kind(), IndexKind::Packages | IndexKind::Debug | IndexKind::Sources)
            && plain_listed.is_none()
        {
            findings.fault(
                published.path(plain),
                "the uncompressed index is not listed; apt then shows no packages and reports no error",
            );
        }
        let (mut text, mut there, mut missing) = (None, false, Vec::new());
        for compression in Compression::ALL {
            let path = format!("{plain}{}", compression.extension());
            let Some(listed) = release.files().get(&path) else { continue };
            let by_hash = published.path(&by_hash_path(&path, &listed.sha256));
            let name = published.path(&path);
            // Clients only use by-hash where the pointer promises it; otherwise a bucket on the web may answer 403
            // instead of 404.
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
                    let problem = "it is missing, although `Acquire-By-Hash` promises it";
                    findings.fault_for(Remedy::Repair, by_hash, problem);
                }
                (None, Some(_)) => {
                    let problem = "it is missing; clients without by-hash support find no index";
                    findings.fault_for(Remedy::Repair, name.clone(), problem);
                }
                (None, None) if stores_all && compression != Compression::Plain => missing.push(name.clone()),
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
        // Other tools list files that they do not store, such as the Contents of an architecture that a mirror leaves out.
        if there {
            for name in missing {
                findings.fault(name, "it is listed but missing; clients that choose this form find none");
            }
        } else if (is_index || stores_all) && plain_listed.is_none_or(|listed| listed.size > 0) {
            findings.fault(published.path(plain), "it is listed but missing in every compression");
            let is_derived = matches!(key, IndexKey::Contents { .. } | IndexKey::Translation { .. })
                || commands::parse_path(plain).is_some();
            findings.remedies.extend(is_derived.then(|| Remedy::Export(published.name().clone())));
        }
        let Some(text) = text else { return Ok(None) };
        let path = published.path(plain);
        match blocking(move || references::entries(&key, &path, &text)).await {
            Ok(entries) => Ok(Some(entries)),
            Err(error) => {
                findings.fault(published.path(plain), chain(&error));
                Ok(None)
            }
        }
    }

    /// The bytes of a file if it exists; `Err` if they differ from the listed ones or are refused, which is noted.
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

/// Checks the entries of an index, and collects the files that they name.
pub(super) fn check(
    path: &str,
    entries: &[Entry],
    pool: &mut Pool,
    packages: &mut BTreeSet<(String, String, String)>,
    findings: &mut Findings,
) {
    let index: Arc<str> = path.into();
    let identity =
        |entry: &Entry| (entry.name.to_string(), entry.version.to_string(), entry.architecture.to_string());
    let mut previous = None;
    for entry in entries {
        let this = identity(entry);
        if previous.as_ref() == Some(&this) {
            findings.fault(path, format!("{} is listed twice in it; apt may use either entry", shown(entry)));
        }
        previous = Some(this.clone());
        if entry.kind != IndexKind::Sources
            && let Err(bad) = deb::check_stanza(&entry.stanza)
        {
            findings.fault(path, format!("{} cannot be installed: {bad}", shown(entry)));
        }
        packages.insert(this);
        for file in &entry.files {
            match named(entry, file) {
                Ok((file, expected)) => {
                    name_file(pool, file, Named::new(expected, entry, &index), findings);
                }
                Err(problem) => findings.fault(path, format!("{} {problem}", shown(entry))),
            }
        }
    }
}

/// The path and expected digests of a file that an entry names, or why no client can download it.
fn named(entry: &Entry, file: &EntryFile) -> Result<(String, Expected), String> {
    let EntryFile { path, size, sha256, md5 } = file;
    // Old tools name the files of a source package by MD5 alone.
    let has_digest = sha256.is_some() || (entry.kind == IndexKind::Sources && md5.is_some());
    let Some(size) = size.filter(|_| has_digest) else {
        return Err("has no `Size` or no `SHA256`; apt does not download it".to_owned());
    };
    let Some(path) = path else { return Err("has no `Filename`; apt does not download it".to_owned()) };
    if let Err(error) = references::listed_path(path) {
        let (path, why) = (path.escape_debug(), error.why());
        return Err(format!("references `{path}`, which is no path of a package: {why}"));
    }
    Ok((path.clone(), Expected { size, sha256: *sha256, md5: *md5 }))
}
