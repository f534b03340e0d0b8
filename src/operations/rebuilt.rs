//! Packages of another archive whose stanzas are read from their files again, since the tool that wrote its indices has
//! changed them, as deb-s3 does.
//!
//! Each file is verified against the index first. Files of a folder are read where they are; those of other stores are
//! downloaded to a folder, in which a later run finds them again.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use futures::{StreamExt as _, stream};

use super::{
    copied_package::CopiedPackage,
    new_package::{NewPackage, Placement},
    read_debs::read_packages,
    remote::RemoteFile,
};
use crate::{
    digest::{Digests, HashingReader},
    store::{Content, Limit, Loaded, blocking},
    suite::{
        error::Error,
        event::{Event, Events},
        failed::{Failed, FailedBecause},
    },
};

/// The number of connections to the other archive.
const AT_ONCE: usize = 8;
/// A larger file is not held in memory.
const IN_MEMORY: u64 = 8 << 20;
/// After this many failures the remaining files are not tried: they would fail too.
const MAX_FAILURES: usize = 20;

/// Downloads the files of packages to a folder, and reads the packages from them.
pub(crate) async fn packages(
    copied: &[CopiedPackage],
    folder: &Path,
    events: Events<'_>,
) -> Result<Vec<NewPackage>, Error> {
    let files: Vec<(PathBuf, RemoteFile)> = copied
        .iter()
        .flat_map(|package| {
            // The files of a source package are in one folder, as its description expects.
            let digest = package.remote.first().and_then(|file| file.expected.sha256);
            let own = folder.join(digest.map(|digest| digest.to_string()).unwrap_or_default());
            package.remote.iter().map(move |file| (own.clone(), file.clone()))
        })
        .collect();
    let total = files.iter().map(|(_, file)| file.expected.size).sum();
    let sizes: Vec<u64> = files.iter().map(|(_, file)| file.expected.size).collect();
    let mut downloads = stream::iter(files)
        .map(|(own, file)| async move {
            let path = file.path.clone();
            download(&file, own).await.map_err(|source| Failed { path, source })
        })
        .buffered(AT_ONCE);
    let (mut done, mut paths, mut failed) = (0, Vec::new(), Vec::new());
    for size in sizes {
        match downloads.next().await {
            Some(Ok(path)) => paths.push(path),
            Some(Err(problem)) => failed.push(problem),
            None => break,
        }
        if failed.len() >= MAX_FAILURES {
            break;
        }
        done += size;
        events(Event::Stored { done, total });
    }
    drop(downloads);
    if !failed.is_empty() {
        return Err(Error::NotCarried(failed));
    }
    let mut rest = paths.into_iter();
    let mut main = Vec::new();
    for package in copied {
        main.extend(rest.next());
        rest.by_ref().take(package.remote.len().saturating_sub(1)).for_each(drop);
    }
    let read = tokio::task::block_in_place(|| read_packages(main, events))?;
    let new = |(incoming, package): (_, &CopiedPackage)| {
        let architectures = package.only.iter().flatten().cloned().collect();
        let placement = Placement { architectures, ..Placement::default() };
        NewPackage { component: Some(package.component.clone()), placement, ..NewPackage::from(incoming) }
    };
    Ok(read.into_iter().zip(copied).map(new).collect())
}

/// Returns the path of a verified copy of a file.
async fn download(file: &RemoteFile, folder: PathBuf) -> Result<PathBuf, FailedBecause> {
    let expected = file.expected;
    let name = file.path.rsplit('/').next().unwrap_or_default();
    let target = folder.join(name);
    let known = target.clone();
    let is_there = blocking(move || digests_of(&known).is_ok_and(|found| expected.is(&found))).await;
    if is_there {
        return Ok(target);
    }
    let loaded = load(file).await?.ok_or(FailedBecause::Absent)?;
    let found = *loaded.content.digests();
    if !expected.is(&found) {
        let (listed, sha256) = (expected.size, expected.sha256);
        return Err(FailedBecause::Differs { listed, sha256, found: Box::new(found) });
    }
    if let (Content::File(local), Some(_)) = (&loaded.content, file.store.location().folder()) {
        return Ok(local.file.clone());
    }
    let at = target.clone();
    let kept = blocking(move || keep(&loaded.content, &folder, &at)).await;
    kept.map_err(|source| FailedBecause::Local { path: target.display().to_string(), source })?;
    Ok(target)
}

/// Reads a file; some tools encode its name in the index, and not in the store.
async fn load(file: &RemoteFile) -> Result<Option<Loaded>, FailedBecause> {
    let limit = Limit::bytes(file.expected.size);
    let mut refused = None;
    for path in [Some(file.path.clone()), file.path_without_encoding()].into_iter().flatten() {
        match file.store.load(&path, IN_MEMORY, limit).await {
            Err(error) if file.store.may_be_missing(&error) => refused = Some(error),
            Ok(None) => {}
            read => return Ok(read?),
        }
    }
    refused.map_or(Ok(None), |error| Err(error.into()))
}

/// Writes a file under its name in one step: a later run finds it complete or not at all.
fn keep(content: &Content, folder: &Path, target: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    match content {
        Content::Bytes(bytes, _) => new.write_all(bytes)?,
        Content::File(local) => {
            io::copy(&mut fs::File::open(&local.file)?, &mut new)?;
        }
    }
    new.persist(target)?;
    Ok(())
}

fn digests_of(path: &Path) -> io::Result<Digests> {
    let mut reader = HashingReader::new(crate::regular::open(path)?);
    io::copy(&mut reader, &mut io::sink())?;
    Ok(reader.finish())
}
