//! `includedeb`, `includeudeb`, `includeddeb` and `includedsc`: adds packages to a suite.

use std::path::{Path, PathBuf};

use super::{
    call::{Call, place},
    log::Cause,
    signatures, status, uploads,
    words::Word,
};
use crate::{
    archive::{Artifact, CommitReport, Incoming, NewPackage, Placement, SuiteEdit},
    cli::failure::Failure,
    config::SuiteConfig,
    deb::{SourceControl, rank_of_control, read_source_control},
    names::Architecture,
    operations::read_debs::read_packages_as,
    package_type::PackageType,
};

pub(super) async fn run(call: &Call<'_>, word: Word) -> Result<u8, Failure> {
    let suite = call.suite(&call.arguments[0])?;
    let package_type = match word {
        Word::IncludeUdeb => PackageType::Udeb,
        Word::IncludeDdeb => PackageType::Ddeb,
        Word::IncludeDsc => PackageType::Dsc,
        _ => PackageType::Deb,
    };
    uploads::require_place(&suite, package_type)?;
    let files: Vec<PathBuf> = call.arguments[1..].iter().map(PathBuf::from).collect();
    for file in &files {
        check_name(call, file, package_type.name())?;
        if word == Word::IncludeDsc {
            signatures::check(call, file)?;
        }
    }
    let events = call.session.events();
    let read = || read_packages_as(files.clone(), Some(package_type), &events);
    let read = tokio::task::block_in_place(read)?;
    // Files of the pool that it lists are not given.
    let others = read.iter().flat_map(|incoming| &incoming.others).filter(|other| other.stamp.is_some());
    let others = others.map(|other| other.file.clone());
    let beside: Vec<PathBuf> =
        others.filter(|other| files.iter().any(|file| file.parent() == other.parent())).collect();
    let of_file = |incoming: &Incoming| {
        let package = match &incoming.package {
            Artifact::Binary(package) => {
                let architecture = package.index_architecture();
                [package.name().as_str(), package.version().as_str(), architecture.as_str()]
                    .map(ToOwned::to_owned)
            }
            Artifact::Source(package) => {
                [package.name().as_str(), package.version().as_str(), "source"].map(ToOwned::to_owned)
            }
        };
        (package, incoming.file.display().to_string())
    };
    let files_of = read.iter().map(of_file).collect();
    let cause = Cause { file: call.arguments.get(1).cloned(), files: files_of, ..Cause::default() };
    let add = read.into_iter().map(|incoming| placed(call, incoming)).collect::<Result<_, _>>()?;
    let edit = SuiteEdit { add, ..SuiteEdit::default() };
    let report = call.commit(&suite, edit, &cause).await?;
    say_skipped(call, &suite, &report);
    let is_done = !report.added.is_empty() || !report.replaced.is_empty();
    if call.options.delete > u8::from(!is_done) {
        for file in files.iter().chain(&beside) {
            delete(call, file);
        }
    }
    Ok(call.status(is_done))
}

fn check_name(call: &Call<'_>, file: &Path, ending: &str) -> Result<(), Failure> {
    let shown = file.display();
    if file.extension().is_none_or(|found| found != ending) && !call.options.ignores("extension") {
        let text = format!("`{}` expects files that end in `.{ending}`, not `{shown}`", call.word);
        let hint = "add `--ignore=extension` to include it all the same".to_owned();
        return Err(status::with(status::FAILED, Failure::text(text, Some(hint))));
    }
    match file.metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(status::with(status::FILE, Failure::file(&error, file, "open")))
        }
        _ => Ok(()),
    }
}

/// Applies the options to a package.
fn placed(call: &Call<'_>, incoming: Incoming) -> Result<NewPackage, Failure> {
    let mut architectures = call.architectures()?;
    let own = match &incoming.package {
        Artifact::Binary(package) => package.architecture().as_str(),
        Artifact::Source(_) => "source",
    };
    if architectures.iter().any(Architecture::is_all) {
        let text = "cannot force a package into the architecture `all`, which no suite has".to_owned();
        let hint = "without `-A` a package for all architectures is listed for each of the suite".to_owned();
        return Err(status::with(status::FAILED, Failure::text(text, Some(hint))));
    }
    if own == "all" {
        if !architectures.is_empty() && architectures.iter().all(Architecture::is_source) {
            let text = format!("`-A source` is not possible with `{}`", call.word);
            return Err(status::text(status::FAILED, text));
        }
        architectures.retain(|architecture| !architecture.is_source());
    } else if !architectures.is_empty() && !architectures.iter().any(|asked| asked.as_str() == own) {
        let text = format!(
            "cannot add `{}`: its architecture is `{own}`, and `-A` names {}",
            incoming.file.display(),
            call.options.architectures.join(", ")
        );
        return Err(status::text(status::FAILED, text));
    }
    let component = call.components()?.into_iter().next();
    let found = match &incoming.package {
        // Its `.dsc` may not list section and priority.
        Artifact::Source(package) if package.section().is_none() => of_control(&incoming),
        _ => SourceControl::default(),
    };
    let section = call.options.section.clone().or(found.section);
    let priority = call.options.priority.clone().or(found.priority);
    let placement = Placement {
        forced: call.options.section.is_some() || call.options.priority.is_some(),
        architectures: if own == "all" { architectures } else { Vec::new() },
        by_section: true,
        own_path: false,
    };
    Ok(NewPackage { component, section, priority, placement, ..incoming.into() })
}

/// Reads section and priority from the control file in a source package; without it, it has neither.
fn of_control(incoming: &Incoming) -> SourceControl {
    let name = |file: &Path| file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let files = incoming.others.iter().map(|other| (name(&other.file), &other.file));
    let mut files: Vec<_> =
        files.filter_map(|(name, file)| Some((rank_of_control(&name)?, name, file))).collect();
    files.sort();
    let read = |(_, name, file): (u8, String, &PathBuf)| {
        let file = crate::regular::open(file).ok()?;
        read_source_control(&name, file).ok()?
    };
    files.into_iter().find_map(read).unwrap_or_default()
}

fn say_skipped(call: &Call<'_>, suite: &SuiteConfig, report: &CommitReport) {
    for change in report.present.iter().chain(&report.skipped) {
        let (name, version) = (&change.name, &change.version);
        call.say(&format!(
            "Skipping inclusion of '{name}' '{version}' in '{}', as it has already '{version}'.",
            place(suite, change)
        ));
    }
}

/// Deletes a file that was included.
fn delete(call: &Call<'_>, file: &Path) {
    if let Err(error) = std::fs::remove_file(file) {
        call.session.ui.warn(&format!("cannot delete `{}`: {error}", file.display()));
    }
}
