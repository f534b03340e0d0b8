//! `dumpreferences`, `dumpunreferenced` and `deleteunreferenced`: the files of the pool, and what references them.

use std::{collections::BTreeSet, path::Path};

use super::{call::Call, targets};
use crate::{
    archive::{Archive, GRACE, Keep, Prune, Pruned, snapshot_of},
    cli::failure::Failure,
    config::SuiteConfig,
};

/// Prints each file with each index or snapshot that names it.
pub(super) async fn references(call: &Call<'_>) -> Result<u8, Failure> {
    let archive = call.archive();
    let mut lines = BTreeSet::new();
    for suite in &call.session.config.suites {
        let mut all = vec![archive.suite(&suite.codename).await?];
        all.extend(archive.snapshots(&suite.codename).await?);
        for published in all {
            let snapshot = snapshot_of(published.name()).is_some();
            let name = published.name().as_str().rsplit('/').next().unwrap_or_default().to_owned();
            for key in targets::of(&published, suite) {
                let identifier = if snapshot {
                    format!("s={}={name}", suite.codename)
                } else {
                    targets::identifier(&suite.codename, &key)
                };
                for file in published.entries(&key).await?.into_iter().flat_map(|entry| entry.files) {
                    lines.extend(file.path.map(|path| (path, identifier.clone())));
                }
            }
        }
    }
    call.print(lines.iter().map(|(path, by)| format!("{by} {path}")));
    Ok(0)
}

/// Prints the files of the pool that `deleteunreferenced` would delete.
pub(super) async fn unreferenced(call: &Call<'_>) -> Result<u8, Failure> {
    let pruned = prune(call, true).await?;
    let files = pruned.deleted.iter().filter(|file| file.path.starts_with("pool/"));
    call.print(files.map(|file| file.path.clone()));
    Ok(0)
}

/// Deletes the files that neither a current nor a retained generation references.
pub(super) async fn delete(call: &Call<'_>) -> Result<u8, Failure> {
    if let (Some(morgue), Some(root)) = (&call.folders().morgue, call.session.location.folder()) {
        for file in prune(call, true).await?.deleted.iter().filter(|file| file.path.starts_with("pool/")) {
            keep_in(morgue, &root.join(&file.path))?;
        }
    }
    let pruned = prune(call, false).await?;
    let paths: Vec<&str> =
        pruned.deleted.iter().map(|file| &*file.path).filter(|path| path.starts_with("pool/")).collect();
    for path in &paths {
        call.session.ui.detail(&format!("deleting and forgetting {path}"));
    }
    call.outlog.lock().unwrap_or_else(std::sync::PoisonError::into_inner).delete(&paths);
    Ok(call.status(!paths.is_empty()))
}

/// Copies a file of the pool to the folder of deleted files.
fn keep_in(morgue: &Path, file: &Path) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::file(&error, file, "keep a copy of");
    std::fs::create_dir_all(morgue).map_err(failed)?;
    let Some(name) = file.file_name() else { return Ok(()) };
    let mut to = morgue.join(name);
    let mut number = 0;
    while to.exists() {
        number += 1;
        to = morgue.join(format!("{}-{number}", name.to_string_lossy()));
    }
    std::fs::copy(file, &to).map_err(failed)?;
    Ok(())
}

async fn prune(call: &Call<'_>, dry_run: bool) -> Result<Pruned, Failure> {
    let session = &call.session;
    let events = session.events();
    let keep =
        |suite: &SuiteConfig| (suite.codename.clone(), Keep::of(suite.keep_generations, suite.keep_for));
    let how = Prune {
        keep: session.config.suites.iter().map(keep).collect(),
        otherwise: Some(Keep::default()),
        grace: GRACE,
        // That of a dry run: a pinned time is about what is published.
        now: session.clock,
        dry_run,
        events: &events,
        stop: Some(session.ui.stop()),
    };
    let trust = tokio::task::block_in_place(|| session.trust_to_read());
    Ok(Archive::new(session.store.clone(), trust).prune(&how).await?)
}
