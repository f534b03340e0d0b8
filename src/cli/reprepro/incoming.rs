//! `processincoming`: publishes the uploads that a folder holds, by the rules of `conf/incoming`.
//!
//! Each upload is published as a whole or not at all; one that cannot be published does not stop the others. The files
//! leave the folder only after they are published, so a call that is interrupted is repeated by the next one.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use super::{
    by_hand,
    call::Call,
    signatures, status, upload_rules,
    uploads::{self, Morgue, Restrictions},
};
use crate::{
    archive::{Error, Reason, Upload},
    cli::{failure::Failure, uploads::denied},
    config::{Queue, SuiteConfig},
    deb::{ChangesFault, FileKind, FilesFault},
};

/// Why an upload is not published.
enum Refused {
    /// It is not allowed.
    Denied(Failure),
    /// It is damaged, or cannot be published.
    Faulty(Failure),
    /// A file has not arrived yet.
    Incomplete(Failure),
}

pub(super) async fn run(call: &Call<'_>) -> Result<u8, Failure> {
    let path = call.folders().conf.join("incoming");
    if !path.exists() {
        return Err(status::text(status::FILE, format!("there is no `{}`", path.display())));
    }
    let name = &call.arguments[0];
    let queues = Queue::read(&path)?;
    if let Some((queue, field)) = queues.iter().find_map(|queue| Some((queue, queue.missing.first()?))) {
        let text = format!("`{}`: field `{field}` is missing in the stanza `{}`", path.display(), queue.name);
        return Err(status::text(status::UNKNOWN, text));
    }
    for queue in queues.iter().filter(|_| !call.options.ignores("unknownfield")) {
        if let Some(unknown) = queue.unknown.first() {
            let text =
                format!("`{}` has the unknown {unknown} in the stanza `{}`", path.display(), queue.name);
            let hint = "correct it, or add `--ignore=unknownfield` to go on without it".to_owned();
            return Err(status::with(status::FIELD, Failure::text(text, Some(hint))));
        }
    }
    let queue = queues.into_iter().find(|queue| queue.name == *name);
    let unknown = || format!("no stanza of `{}` has the name `{name}`", path.display());
    let queue = queue.ok_or_else(|| status::text(status::UNKNOWN, unknown()))?;
    let folder = call.folders().below_base(&queue.folder);
    // Before any upload is published.
    for (from, to) in &queue.allow {
        suite_of(call, to)
            .map_err(|failure| failure.while_doing(format!("cannot use `Allow: {from}` of `{name}`")))?;
    }
    let default = queue.default.as_ref().map(|default| suite_of(call, default)).transpose();
    default.map_err(|failure| failure.while_doing(format!("cannot use `Default` of `{name}`")))?;
    let morgue = queue.morgue.as_ref().map(|morgue| Morgue::new(call.folders().below_base(morgue)));
    let rules = Rules { queue: &queue, morgue };
    // A call that meets another one waits for it: both would take the same files.
    let lock = File::open(&folder);
    let lock = lock.map_err(|error| status::with(status::FILE, Failure::file(&error, &folder, "open")))?;
    tokio::task::block_in_place(|| lock.lock()).map_err(|error| Failure::file(&error, &folder, "lock"))?;
    let mut failures = Vec::new();
    let mut is_done = false;
    for file in uploads_in(call, &folder)? {
        match process(call, &rules, &file).await {
            Ok(is_new) => is_done |= is_new,
            Err(Refused::Denied(failure)) => {
                clean(call, &rules, queue.cleanup.on_deny, &file);
                failures.push(status::with(status::UPLOADS, failure));
            }
            Err(Refused::Faulty(failure)) => {
                clean(call, &rules, queue.cleanup.on_error, &file);
                failures.push(failure);
            }
            Err(Refused::Incomplete(failure)) => failures.push(status::with(status::UNKNOWN, failure)),
        }
    }
    // The first failure sets the status.
    let status = failures.first().map(status::of);
    match (status, failures.into_iter().reduce(Failure::and)) {
        (Some(status), Some(failure)) => Err(status::with(status, failure)),
        _ => Ok(call.status(is_done)),
    }
}

/// The suite of a target, as `Allow` and `Default` name it.
fn suite_of(call: &Call<'_>, name: &str) -> Result<SuiteConfig, Failure> {
    let found = call.find(name).map(|found| found.or_else(|| call.session.config.find(name).cloned()));
    let found = found.and_then(|found| found.map_or_else(|| call.suite(name), Ok));
    found.map_err(|failure| status::with(status::FAILED, failure))
}

/// Returns the named upload, else all uploads of the folder, by name.
fn uploads_in(call: &Call<'_>, folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    if let Some(name) = call.arguments.get(1) {
        if name.contains('/') {
            let text = format!("`{name}` is not the name of a file in `{}`", folder.display());
            return Err(status::text(status::FAILED, text));
        }
        let file = folder.join(name);
        // One that another call has taken is none.
        return Ok(if file.exists() { vec![file] } else { Vec::new() });
    }
    let failed = |error: std::io::Error| Failure::file(&error, folder, "read the folder");
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "changes") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The rules of a call.
struct Rules<'a> {
    queue: &'a Queue,
    morgue: Option<Morgue>,
}

/// Publishes an upload; returns whether the suites did not have all of it already.
async fn process(call: &Call<'_>, rules: &Rules<'_>, file: &Path) -> Result<bool, Refused> {
    let queue = rules.queue;
    signatures::check_queued(call, file).map_err(Refused::Faulty)?;
    let events = call.session.events();
    let read = tokio::task::block_in_place(|| Upload::read(file, &events));
    let mut upload = read.map_err(|error| {
        let is_incomplete = is_incomplete(&error);
        // Files that are not those of the description have the status of a wrong checksum.
        let is_refused = matches!(error, Error::Refused(_));
        let failure = Failure::from(error);
        let failure = if is_refused { status::with(status::FILE, failure) } else { failure };
        if is_incomplete { Refused::Incomplete(failure) } else { Refused::Faulty(failure) }
    })?;
    let suites = allowed(call, queue, &mut upload)?;
    upload_rules::check_queued(&upload, queue).map_err(Refused::Faulty)?;
    let is_taken = |listed: &crate::deb::UploadedFile| by_hand::takes(&suites, listed);
    upload_rules::check_used(&upload, queue, &suites, is_taken).map_err(Refused::Faulty)?;
    let how = Restrictions { limit_arch_all: queue.limit_arch_all };
    let older = |failure: &Failure| queue.permit_older && is_older(failure);
    if suites.len() > 1 {
        // An upload that one suite refuses is published in none.
        for suite in &suites {
            match uploads::plan(call, suite, &upload, how).await {
                Err(failure) if !older(&failure) => return Err(Refused::Faulty(failure)),
                _ => {}
            }
        }
    }
    let mut is_new = false;
    for suite in &suites {
        by_hand::run(call, suite, &upload).map_err(Refused::Faulty)?;
        match uploads::publish(call, suite, &upload, how).await {
            Err(failure) if older(&failure) => {
                call.session.ui.warn(&format!(
                    "`{}` is older than what suite `{}` has",
                    file.display(),
                    suite.codename
                ));
            }
            published => {
                let report = published.map_err(Refused::Faulty)?;
                is_new |= !report.added.is_empty() || !report.replaced.is_empty();
            }
        }
    }
    let (used, unused) = uploads::split(&upload, &suites, is_taken);
    if let Some(logs) = &queue.logs {
        let kept = [file.to_owned()].into_iter().chain(unused.iter().map(|(path, _)| path.clone()));
        let name = upload.changes().record_name();
        let name = name.strip_suffix(".changes").unwrap_or(&name);
        keep(&call.folders().below_base(logs), name, kept).map_err(Refused::Faulty)?;
    }
    let used = used.into_iter().map(|(path, _)| path);
    let used: Vec<PathBuf> = [file.to_owned()].into_iter().chain(used).collect();
    uploads::take_away(call, &used, None);
    let is_cleaned = |kind| {
        let cleanup = queue.cleanup;
        queue.logs.is_some()
            || cleanup.unused_files
            || cleanup.unused_buildinfos && kind == FileKind::Buildinfo
    };
    let unused: Vec<PathBuf> =
        unused.into_iter().filter(|(_, kind)| is_cleaned(*kind)).map(|(path, _)| path).collect();
    // The folder of the queue has them already.
    let morgue = rules.morgue.as_ref().filter(|_| queue.logs.is_none());
    uploads::take_away(call, &unused, morgue);
    Ok(is_new)
}

/// Whether the description is sound, and a file has not arrived yet.
fn is_incomplete(error: &Error) -> bool {
    let is_missing = |reason: &Reason| match reason {
        Reason::Changes(ChangesFault::Files(FilesFault::Missing { .. })) => true,
        Reason::Unreadable(error) => error.kind() == std::io::ErrorKind::NotFound,
        _ => false,
    };
    matches!(error, Error::Refused(all) if all.iter().any(|refusal| is_missing(&refusal.source)))
}

fn is_older(failure: &Failure) -> bool {
    failure.errors.iter().all(|problem| problem.class.kind == crate::cli::class::Kind::Refused)
}

/// Returns the suites that an upload goes to: those of its distributions, in the order in which it names them.
fn targets(call: &Call<'_>, queue: &Queue, upload: &Upload) -> Result<Vec<SuiteConfig>, Refused> {
    let named = upload.changes().distributions();
    let mut suites: Vec<SuiteConfig> = Vec::new();
    let target = |name: &String| queue.allow.iter().find(|(from, _)| from == name).map(|(_, to)| to);
    for to in named.iter().filter_map(target) {
        let suite = suite_of(call, to).map_err(Refused::Faulty)?;
        if !suites.iter().any(|other| other.codename == suite.codename) {
            suites.push(suite);
        }
    }
    if suites.is_empty()
        && let Some(default) = &queue.default
    {
        suites.push(suite_of(call, default).map_err(Refused::Faulty)?);
    }
    if suites.is_empty() {
        let text = format!(
            "`{}` is for `{}`, which `{}` does not allow",
            upload.file().display(),
            named.join("`, `"),
            queue.name
        );
        return Err(Refused::Denied(status::text(status::FAILED, text)));
    }
    Ok(suites)
}

/// Returns the suites of an upload that accept its uploader: with `Multiple: yes` all of them, else the first.
fn allowed(call: &Call<'_>, queue: &Queue, upload: &mut Upload) -> Result<Vec<SuiteConfig>, Refused> {
    let (mut suites, mut refusals) = (Vec::new(), Vec::new());
    for suite in targets(call, queue, upload)? {
        let denied = tokio::task::block_in_place(|| denied(upload, &suite, &[], &call.session));
        match denied.map_err(Refused::Faulty)? {
            None => suites.push(suite),
            Some(why) => refusals.push((suite, why)),
        }
        if !queue.multiple && !suites.is_empty() {
            break;
        }
    }
    if suites.is_empty() {
        let why = refusals.into_iter().map(|(_, why)| why).reduce(Failure::and);
        return why.map_or(Ok(suites), |why| Err(Refused::Denied(why)));
    }
    for (suite, why) in &refusals {
        let (file, why) = (upload.file().display(), uploads::reason(why));
        call.session.ui.warn(&format!("`{file}` is not published in suite `{}`: {why}", suite.codename));
    }
    Ok(suites)
}

/// Takes the files of an upload away that is not published: the description, and those beside it that it lists.
fn clean(call: &Call<'_>, rules: &Rules<'_>, is_asked: bool, file: &Path) {
    if !is_asked {
        return;
    }
    let folder = file.parent().unwrap_or(Path::new(""));
    let listed = crate::regular::read(file).ok().and_then(|bytes| crate::deb::Changes::parse(&bytes).ok());
    let listed = listed.iter().flat_map(crate::deb::Changes::files).map(|listed| folder.join(listed.name()));
    let files: Vec<PathBuf> = [file.to_owned()].into_iter().chain(listed).collect();
    uploads::take_away(call, &files, rules.morgue.as_ref());
}

/// Copies the description of an accepted upload, and the files that are not used, to a new folder of the queue.
fn keep(logs: &Path, name: &str, files: impl Iterator<Item = PathBuf>) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::file(&error, logs, "write to");
    let mut number = 0;
    let folder = loop {
        let folder = logs.join(format!("{name}.{number:07}"));
        match fs::create_dir_all(logs).and_then(|()| fs::create_dir(&folder)) {
            Ok(()) => break folder,
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(failed(error)),
        }
    };
    for file in files {
        fs::copy(&file, folder.join(file.file_name().unwrap_or_default())).map_err(failed)?;
    }
    Ok(())
}
