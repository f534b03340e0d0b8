//! `publish add FILE.changes`: publishes uploads in the suites that they name.

use std::path::{Path, PathBuf};

use super::{change_args::ChangeArgs, failure::Failure, json::Publications, session::Session, sources};
use crate::{
    archive::{Error, Reason, Refusal, SuiteEdit, Upload, UploadOptions},
    config::{Records, SuiteConfig, Uploaders},
    deb::ChangesFault,
    names::Component,
    signing::{Distrust, Gpg, Keyring},
};

/// The options of the command line.
pub(super) struct Wanted<'a> {
    pub(super) files: &'a [PathBuf],
    pub(super) suite: Option<&'a str>,
    pub(super) new_suite: bool,
    pub(super) component: Option<&'a Component>,
    pub(super) keep_buildinfo: bool,
    pub(super) uploader_keys: &'a [PathBuf],
    pub(super) asked: &'a ChangeArgs,
    /// Adds the options to an edit.
    pub(super) options_of: &'a dyn Fn(SuiteEdit) -> SuiteEdit,
}

/// Whether a file is named as the description of an upload.
pub(super) fn is_upload(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("changes"))
}

/// Publishes uploads: all of them or none, unless another publisher interferes between two suites.
pub(super) async fn run(args: &Wanted<'_>, session: &Session<'_>) -> Result<(), Failure> {
    if let Some(other) = args.files.iter().find(|file| !is_upload(file)) {
        let text = format!("`{}` is not a `.changes` file, and the other files are", other.display());
        let hint = "add uploads and packages by separate commands".to_owned();
        return Err(Failure::text(text, Some(hint)).into_usage());
    }
    let mut edits: Vec<(SuiteConfig, SuiteEdit)> = Vec::new();
    for file in args.files {
        let events = session.events();
        let mut upload = tokio::task::block_in_place(|| Upload::read(file, &events))?;
        upload.require_source_version()?;
        let mut keeps_by_hand = false;
        let named = upload.changes().distributions().to_vec();
        for name in args.suite.map_or(named, |suite| vec![suite.to_owned()]) {
            let suite = session.suite_to_extend(Some(&name), args.new_suite).await?;
            let denied =
                tokio::task::block_in_place(|| denied(&mut upload, &suite, args.uploader_keys, session))?;
            if let Some(why) = denied {
                return Err(why);
            }
            keeps_by_hand |= suite.records.by_hand;
            let records = Records { buildinfos: args.keep_buildinfo, ..Records::default() };
            let edit = upload.edit(&suite, &UploadOptions { component: args.component.cloned(), records });
            match edits.iter_mut().find(|(other, _)| other.codename == suite.codename) {
                Some((_, other)) => {
                    other.add.extend(edit.add);
                    other.records.extend(edit.records);
                }
                None => edits.push((suite, (args.options_of)(edit))),
            }
        }
        for name in upload.by_hand().filter(|_| !keeps_by_hand) {
            session.ui.warn(&format!("`{name}` of `{}` is not published", file.display()));
        }
    }
    if edits.len() > 1 && !args.asked.dry_run {
        // A file that one suite refuses is published in none.
        let plan = ChangeArgs { dry_run: true, message: None };
        for (suite, edit) in &edits {
            session.publish(suite, session.keys_to_publish(suite).await?, edit, &plan).await?;
        }
    }
    let is_one = edits.len() == 1;
    let (mut outcomes, mut all_keys) = (Vec::new(), Keyring::new());
    let mut report = Publications { suites: Vec::new() };
    for (suite, edit) in &edits {
        let keys = session.keys_to_publish(suite).await?;
        let client_keys = keys.trust.client_keys().keyring.clone();
        if is_one || !session.ui.json() {
            let outcome = session.commit(suite, keys, edit, args.asked).await?;
            all_keys.merge(&client_keys);
            outcomes.push(outcome);
        } else {
            let outcome = session.publish(suite, keys, edit, args.asked).await?;
            outcome.notes.iter().for_each(|note| session.ui.warn(note));
            report.suites.push((&outcome).into());
        }
    }
    sources::print_first(session, &outcomes, &all_keys)?;
    if !is_one && session.ui.json() {
        session.ui.object(&report);
    }
    Ok(())
}

/// Why the uploader may not upload to a suite, if its configuration or a given file says who may; the error is a damaged
/// upload.
pub(super) fn denied(
    upload: &mut Upload,
    suite: &SuiteConfig,
    given: &[PathBuf],
    session: &Session<'_>,
) -> Result<Option<Failure>, Failure> {
    let given = given.iter().map(|path| session.current.join(path));
    let files: Vec<PathBuf> = given.chain(suite.uploader_keys.iter().cloned()).collect();
    let list = suite.uploaders.as_deref();
    if files.is_empty() && list.is_none() {
        return Ok(None);
    }
    let mut keys = Keyring::new();
    for path in &files {
        let bytes = crate::regular::read(path).map_err(|error| Failure::file(&error, path, "read"))?;
        keys.add_bytes(&path.display().to_string(), &bytes)?;
    }
    let uploaders = list.map(|list| Uploaders::read(list, &session.config.folder)).transpose()?;
    if uploaders.is_some() && files.is_empty() {
        // As in reprepro, the list names keys of gpg.
        keys.merge(&Gpg::default().public_keys(&upload.strangers(&keys)));
    }
    let verified = upload.verify(&keys, session.clock).and_then(|()| match &uploaders {
        Some(uploaders) => upload.require_allowed(uploaders, suite),
        None => upload.require_signature(),
    });
    match verified {
        Ok(()) => Ok(None),
        Err(error) if is_damaged(&error) => Err(error.into()),
        Err(error) => Ok(Some(error.into())),
    }
}

fn is_damaged(error: &Error) -> bool {
    let is = |refusal: &Refusal| {
        let Reason::Changes(fault) = &refusal.source else { return false };
        matches!(fault, ChangesFault::Signature(Distrust::Damaged { .. }))
    };
    matches!(error, Error::Refused(all) if all.iter().any(is))
}
