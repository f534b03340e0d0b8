//! `dumpreferences`, `dumpunreferenced` and `deleteunreferenced`: the files of the pool, and what references them.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Read as _},
    path::Path,
};

use super::{call::Call, status, targets, tracked::Tracked};
use crate::{
    archive::{Archive, GRACE, Keep, Prune, Pruned, own_name, snapshot_of},
    cli::{failure::Failure, ui},
    config::SuiteConfig,
};

/// The limit on a list of files from the input.
const LONGEST_INPUT: u64 = 64 << 20;

/// Prints each file with each index or snapshot that names it.
pub(super) async fn references(call: &Call<'_>) -> Result<u8, Failure> {
    let archive = call.archive();
    let mut lines = BTreeSet::new();
    for suite in &call.session.config.suites {
        let mut all = vec![archive.suite(&suite.codename).await?];
        all.extend(archive.snapshots(&suite.codename).await?);
        for published in all {
            let is_tracked = suite.tracking.is_some() && published.name() == &suite.codename;
            let snapshot = snapshot_of(published.name()).is_some();
            let name = own_name(published.name()).to_owned();
            for key in targets::of(&published, suite) {
                let identifier = if snapshot {
                    format!("s={}={name}", suite.codename)
                } else {
                    targets::identifier(&suite.codename, &key)
                };
                for entry in published.entries(&key).await? {
                    let source = entry.source();
                    let track = format!("{} {} {}", suite.codename, source.name, source.version);
                    for path in entry.files.iter().filter_map(|file| file.path.as_ref()) {
                        lines.insert((path.clone(), identifier.clone()));
                        lines.extend(is_tracked.then(|| (path.clone(), track.clone())));
                    }
                }
            }
        }
    }
    call.print(lines.iter().map(|(path, by)| format!("{by} {path}")));
    Ok(0)
}

/// Prints the files of the pool that `deleteunreferenced` would delete.
pub(super) async fn unreferenced(call: &Call<'_>) -> Result<u8, Failure> {
    let (pruned, tracked) = (prune(call, true, None).await?, Tracked::of(call).await?);
    let files = pruned.deleted.iter().map(|file| &file.path).filter(|path| path.starts_with("pool/"));
    let files: Vec<String> = files.filter(|path| tracked.why(path).is_none()).cloned().collect();
    let is_done = !files.is_empty();
    call.print(files);
    Ok(call.status(is_done))
}

/// Deletes the files that neither a current nor a retained generation references.
pub(super) async fn delete(call: &Call<'_>, only: Option<&BTreeSet<String>>) -> Result<u8, Failure> {
    let untracked = if only.is_none() { untracked(call).await? } else { None };
    let only = only.or(untracked.as_ref());
    if let (Some(morgue), Some(root)) = (&call.folders().morgue, call.session.location.folder()) {
        for file in
            prune(call, true, only).await?.deleted.iter().filter(|file| file.path.starts_with("pool/"))
        {
            keep_in(morgue, &root.join(&file.path))?;
        }
    }
    let pruned = prune(call, false, only).await?;
    let paths: Vec<&str> =
        pruned.deleted.iter().map(|file| &*file.path).filter(|path| path.starts_with("pool/")).collect();
    for path in &paths {
        call.session.ui.detail(&format!("deleting and forgetting {path}"));
    }
    call.outlog.lock().unwrap_or_else(std::sync::PoisonError::into_inner).delete(&paths);
    Ok(call.status(!paths.is_empty()))
}

/// The files to delete where `Tracking` keeps others; `None` if it keeps none.
async fn untracked(call: &Call<'_>) -> Result<Option<BTreeSet<String>>, Failure> {
    let tracked = Tracked::of(call).await?;
    if tracked.is_empty() {
        return Ok(None);
    }
    let (mut gone, mut kept) = (BTreeSet::new(), BTreeMap::<String, usize>::new());
    for file in prune(call, true, None).await?.deleted {
        match tracked.why(&file.path) {
            Some(why) => *kept.entry(why).or_default() += 1,
            None => drop(gone.insert(file.path)),
        }
    }
    for (why, count) in &kept {
        call.session.ui.warn(&format!(
            "{} that no suite lists {} not deleted: {why}; `reprepro deleteifunreferenced FILE` deletes one",
            ui::count(*count, "file"),
            if *count == 1 { "is" } else { "are" },
        ));
    }
    Ok((!kept.is_empty()).then_some(gone))
}

/// Deletes those of the named files, else of those that the input names, that nothing references.
pub(super) async fn delete_these(call: &Call<'_>) -> Result<u8, Failure> {
    let mut named: BTreeSet<String> = call.arguments.iter().cloned().collect();
    if named.is_empty() {
        let mut text = String::new();
        let read = io::stdin().lock().take(LONGEST_INPUT).read_to_string(&mut text);
        read.map_err(|error| status::text(status::FAILED, format!("cannot read the input: {error}")))?;
        named.extend(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(ToOwned::to_owned));
    }
    for path in &named {
        // Also a text that is no path of the pool.
        let is_there =
            path.starts_with("pool/") && call.session.store.size(path).await.is_ok_and(|size| size.is_some());
        if !is_there {
            return Err(status::text(status::UNKNOWN, format!("the pool has no file `{path}`")));
        }
    }
    delete(call, Some(&named)).await
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

async fn prune(call: &Call<'_>, dry_run: bool, only: Option<&BTreeSet<String>>) -> Result<Pruned, Failure> {
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
        only,
        events: &events,
        stop: Some(session.ui.stop()),
    };
    let trust = tokio::task::block_in_place(|| session.trust_to_read());
    let pruned = Archive::new(session.store.clone(), trust).prune(&how).await;
    pruned.map_err(|error| session.failure(error))
}
