//! The rules of reprepro for uploads whose files are whole: what `include` requires, each with the option that ignores it,
//! and what `processincoming` requires.

use super::{call::Call, status};
use crate::{
    archive::{Artifact, Incoming, Upload},
    cli::failure::Failure,
    config::{Queue, SuiteConfig},
    deb::{FileKind, UploadedFile},
};

/// Checks the rules of `include`.
pub(super) fn check_include(call: &Call<'_>, upload: &Upload) -> Result<(), Failure> {
    let (changes, shown) = (upload.changes(), upload.file().display());
    let refuse = |text: String, kind: &str| {
        if call.options.ignores(kind) {
            return Ok(());
        }
        let hint = format!("add `--ignore={kind}` to include it all the same");
        Err(status::with(status::FAILED, Failure::text(text, Some(hint))))
    };
    if let Some(field) = changes.absent_fields().first() {
        refuse(format!("`{shown}` has no field `{field}`"), "missingfield")?;
    }
    let has_files = |architecture: &&String| {
        let is_of = |listed: &UploadedFile| {
            let is_package = matches!(listed.kind(), FileKind::Package(_) | FileKind::OfSource);
            is_package && listed.architecture() == **architecture
        };
        changes.files().iter().any(is_of)
    };
    if let Some(unused) = changes.architectures().iter().find(|architecture| !has_files(architecture)) {
        refuse(format!("`{shown}` lists the architecture `{unused}` and no file for it"), "unusedarch")?;
    }
    if let Some(name) = unlisted_binary(upload) {
        refuse(format!("`{shown}` does not list the package `{name}` in `Binary`"), "surprisingbinary")?;
    }
    match other_source_version(upload) {
        Some(text) => refuse(text, "wrongsourceversion"),
        None => Ok(()),
    }
}

/// Checks the rules of `processincoming`.
pub(super) fn check_queued(upload: &Upload, queue: &Queue) -> Result<(), Failure> {
    let shown = upload.file().display();
    if let Some(name) = unlisted_binary(upload).filter(|_| !queue.permit_unlisted_binaries) {
        let text = format!("`{shown}` does not list the package `{name}` in `Binary`");
        let hint = "say `Permit: unlisted_binaries` in `conf/incoming` to accept it".to_owned();
        return Err(status::with(status::FAILED, Failure::text(text, Some(hint))));
    }
    other_source_version(upload).map_or(Ok(()), |text| Err(status::text(status::FAILED, text)))
}

/// Refuses a file that neither a suite nor a hook nor the queue keeps.
pub(super) fn check_used(
    upload: &Upload,
    queue: &Queue,
    suites: &[SuiteConfig],
    by_hand: impl Fn(&UploadedFile) -> bool,
) -> Result<(), Failure> {
    if queue.permit_unused_files || queue.logs.is_some() {
        return Ok(());
    }
    let is_unused = |listed: &&UploadedFile| match listed.kind() {
        FileKind::ByHand => !suites.iter().any(|suite| suite.records.by_hand) && !by_hand(listed),
        FileKind::Log => !suites.iter().any(|suite| suite.records.logs),
        _ => false,
    };
    match upload.changes().files().iter().find(is_unused) {
        Some(unused) => {
            let text = format!("`{}` of `{}` is not used", unused.name(), upload.file().display());
            let hint = "say `Permit: unused_files` in `conf/incoming` to accept it, with `Cleanup: unused_files` to delete it, or name a \
                        `LogDir` that keeps it";
            Err(status::with(status::FAILED, Failure::text(text, Some(hint.to_owned()))))
        }
        None => Ok(()),
    }
}

/// A binary package that the upload does not list; the field leaves out the packages with debug symbols.
fn unlisted_binary(upload: &Upload) -> Option<String> {
    let listed = upload.changes().binaries();
    let is_listed = |name: &str| {
        let base = name.strip_suffix("-dbgsym").unwrap_or(name);
        listed.iter().any(|known| known == name || known == base)
    };
    let names = upload.packages().filter_map(|incoming| match &incoming.package {
        Artifact::Binary(package) => Some(package.name().as_str()),
        Artifact::Source(_) => None,
    });
    names.into_iter().find(|name| !is_listed(name)).map(ToOwned::to_owned)
}

/// A package that was built from another version of the source than the upload says.
fn other_source_version(upload: &Upload) -> Option<String> {
    let expected = upload.changes().source_version().as_str();
    let other = |incoming: &Incoming| match &incoming.package {
        Artifact::Binary(package) => {
            let version = package.source_version();
            (version != expected).then_some(version)
        }
        Artifact::Source(_) => None,
    };
    upload.packages().find_map(|incoming| {
        let found = other(incoming)?;
        Some(format!(
            "`{}` is built from version {found} of its source, and `{}` says {expected}",
            incoming.file.display(),
            upload.file().display()
        ))
    })
}
