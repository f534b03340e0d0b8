//! Uploads as reprepro accepts them: verified against the list of uploaders, and restricted by the options.

use std::{
    cell::OnceCell,
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::{call::Call, log, log::Cause, status};
use crate::{
    archive::{Artifact, CommitReport, NewPackage, SuiteEdit, Upload, UploadOptions},
    cli::{failure::Failure, uploads::denied},
    config::SuiteConfig,
    deb::{FileKind, UploadedFile},
    dists::IndexKind,
    names::Architecture,
    package_type::PackageType,
};

/// How an upload is listed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Restrictions {
    /// Packages for all architectures are listed only for the architectures of the upload.
    pub(super) limit_arch_all: bool,
}

/// Requires that the uploader may upload to a suite, if that says who may.
pub(super) fn verify(call: &Call<'_>, upload: &mut Upload, suite: &SuiteConfig) -> Result<(), Failure> {
    match denied(upload, suite, &[], &call.session)? {
        Some(why) if call.options.ignores("uploaders") => {
            call.session.ui.warn(&format!("{}: ignored, as `--ignore=uploaders` is given", reason(&why)));
            Ok(())
        }
        Some(why) => Err(why.with_hint("add `--ignore=uploaders` to include it all the same")),
        None => Ok(()),
    }
}

/// The last cause of a failure.
pub(super) fn reason(failure: &Failure) -> String {
    let causes = failure.errors.iter().map(|problem| problem.causes.last().unwrap_or(&problem.message));
    causes.map(String::as_str).collect::<Vec<_>>().join("; ")
}

/// Publishes an upload in a suite, and reports it to the scripts of `Log`.
pub(super) async fn publish(
    call: &Call<'_>,
    suite: &SuiteConfig,
    upload: &Upload,
    how: Restrictions,
) -> Result<CommitReport, Failure> {
    let edit = edit(call, suite, upload, how)?;
    let cause = Cause { file: Some(upload.file().display().to_string()), ..Cause::default() };
    let report = call.commit(suite, edit, &cause).await?;
    if report.added.is_empty() && report.replaced.is_empty() {
        // It was accepted before, and the scripts were run then.
        return Ok(report);
    }
    let changes = upload.changes();
    let mut words = vec![
        "accepted".to_owned(),
        suite.codename.to_string(),
        changes.source().as_str().to_owned(),
        changes.source_version().to_string(),
        upload.file().display().to_string(),
    ];
    // The description in the pool, if it is kept.
    words.extend(report.records.iter().find(|path| path.ends_with(".changes")).cloned());
    log::accepted(&call.changer(), suite, &words, &cause);
    Ok(report)
}

/// Requires that an upload can be published in a suite; changes nothing.
pub(super) async fn plan(
    call: &Call<'_>,
    suite: &SuiteConfig,
    upload: &Upload,
    how: Restrictions,
) -> Result<(), Failure> {
    call.plan(suite, edit(call, suite, upload, how)?).await
}

/// The edit that publishes the selected packages of an upload.
fn edit(
    call: &Call<'_>,
    suite: &SuiteConfig,
    upload: &Upload,
    how: Restrictions,
) -> Result<SuiteEdit, Failure> {
    let component = call.components()?.into_iter().next();
    let edit = upload.edit(suite, &UploadOptions { component, ..UploadOptions::default() });
    let architectures = call.architectures()?;
    let of_upload: Vec<Architecture> = upload
        .changes()
        .architectures()
        .iter()
        .filter_map(|name| Architecture::parse(name).ok())
        .filter(|name| !name.is_all() && suite.architectures.contains(name))
        .collect();
    let place = |mut new: NewPackage| {
        let (own, kind) = match &new.incoming.package {
            Artifact::Binary(package) => {
                (package.architecture().clone(), IndexKind::of_type(package.package_type()))
            }
            Artifact::Source(_) => (Architecture::source(), IndexKind::Sources),
        };
        let kinds = &call.options.kinds;
        if !kinds.is_empty() && !kinds.contains(&kind) {
            return None;
        }
        new.section = call.options.section.clone().or(new.section);
        new.priority = call.options.priority.clone().or(new.priority);
        new.placement.by_section = true;
        if own.is_all() {
            let mut asked = architectures.clone();
            asked.retain(|name| !name.is_all());
            if !asked.is_empty() && asked.iter().all(Architecture::is_source) {
                return None;
            }
            asked.retain(|name| !name.is_source());
            if asked.is_empty() && how.limit_arch_all {
                asked.clone_from(&of_upload);
            }
            new.placement.architectures = asked;
            return Some(new);
        }
        (architectures.is_empty() || architectures.contains(&own)).then_some(new)
    };
    let add: Vec<NewPackage> = edit.add.into_iter().filter_map(place).collect();
    for new in &add {
        require_place(suite, new.incoming.package.package_type())?;
    }
    if add.is_empty() {
        let text = format!("the options select no package of `{}`", upload.file().display());
        return Err(status::text(status::FAILED, text));
    }
    Ok(SuiteEdit { add, ..edit })
}

/// Refuses packages of the installer where no component has them. The commands of `publish` accept them in any.
pub(super) fn require_place(suite: &SuiteConfig, package_type: PackageType) -> Result<(), Failure> {
    if package_type != PackageType::Udeb || suite.separate.contains_key(&package_type) {
        return Ok(());
    }
    let text = format!("no component of suite `{}` has packages of the installer (`.udeb`)", suite.codename);
    let hint = "name those that have them in `UDebComponents:` in conf/distributions".to_owned();
    Err(status::with(status::FAILED, Failure::text(text, Some(hint))))
}

/// A file of an upload.
pub(super) type UploadFile = (PathBuf, FileKind);

/// The files that a published upload lists: those that are used, and the others.
pub(super) fn split(
    upload: &Upload,
    suites: &[SuiteConfig],
    by_hand: impl Fn(&UploadedFile) -> bool,
) -> (Vec<UploadFile>, Vec<UploadFile>) {
    let folder = upload.file().parent().unwrap_or(Path::new(""));
    let is_used = |listed: &&UploadedFile| match listed.kind() {
        FileKind::Buildinfo => suites.iter().any(|suite| suite.records.buildinfos),
        FileKind::Log => suites.iter().any(|suite| suite.records.logs),
        FileKind::ByHand => suites.iter().any(|suite| suite.records.by_hand) || by_hand(listed),
        _ => true,
    };
    let (used, unused): (Vec<_>, Vec<_>) = upload.changes().files().iter().partition(is_used);
    let files = |all: Vec<&UploadedFile>| {
        all.into_iter().map(|listed| (folder.join(listed.name()), listed.kind())).collect()
    };
    (files(used), files(unused))
}

/// Whether an upload names a suite among its distributions.
pub(super) fn names(upload: &Upload, suite: &SuiteConfig) -> bool {
    upload.changes().distributions().iter().any(|name| {
        name == suite.codename.as_str()
            || suite.suite.as_ref() == Some(name)
            || suite.also_accept_for.contains(name)
    })
}

/// A folder that keeps the files of a queue that are not published: those of each call in a folder of their own.
pub(super) struct Morgue {
    folder: PathBuf,
    made: OnceCell<PathBuf>,
}

impl Morgue {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, made: OnceCell::new() }
    }

    /// Makes the folder of this call, named `DATE-NUMBER`, if it is not made yet.
    fn made(&self, now: SystemTime) -> std::io::Result<&Path> {
        if let Some(made) = self.made.get() {
            return Ok(made);
        }
        let date = jiff::Timestamp::try_from(now).unwrap_or(jiff::Timestamp::UNIX_EPOCH).strftime("%Y-%m-%d");
        std::fs::create_dir_all(&self.folder)?;
        let mut number = 0;
        let made = loop {
            let made = self.folder.join(format!("{date}-{number}"));
            match std::fs::create_dir(&made) {
                Ok(()) => break made,
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(error),
            }
        };
        Ok(self.made.get_or_init(|| made))
    }
}

/// Deletes files, or moves them to a folder.
pub(super) fn take_away(call: &Call<'_>, files: &[PathBuf], morgue: Option<&Morgue>) {
    for file in files {
        let moved = morgue.filter(|_| file.exists()).map(|morgue| -> std::io::Result<()> {
            let morgue = morgue.made(call.session.clock)?;
            let mut to = morgue.join(file.file_name().unwrap_or_default());
            let mut number = 0;
            while to.exists() {
                number += 1;
                to = morgue
                    .join(format!("{}-{number}", file.file_name().unwrap_or_default().to_string_lossy()));
            }
            std::fs::copy(file, to)?;
            Ok(())
        });
        let done = moved.unwrap_or(Ok(())).and_then(|()| std::fs::remove_file(file));
        if let Err(error) = done.or_else(|error| match error.kind() {
            // A file of two uploads, such as an upstream archive.
            std::io::ErrorKind::NotFound => Ok(()),
            _ => Err(error),
        }) {
            call.session.ui.warn(&format!("cannot take `{}` away: {error}", file.display()));
        }
    }
}
