//! `include`: publishes an upload, which a `.changes` file describes.

use std::path::Path;

use super::{
    call::Call,
    signatures, status, upload_rules,
    uploads::{self, Restrictions},
};
use crate::{
    archive::{Artifact, Error, Reason, Upload},
    cli::failure::Failure,
    deb::{ChangesFault, FileKind},
    operations::upload::UnlistedArchitectures,
};

pub(super) async fn run(call: &Call<'_>) -> Result<u8, Failure> {
    let suite = call.suite(&call.arguments[0])?;
    let path = Path::new(&call.arguments[1]);
    let is_changes = path.extension().is_some_and(|extension| extension == "changes");
    if !is_changes && !call.options.ignores("extension") {
        let text = format!("`include` expects a file that ends in `.changes`, not `{}`", path.display());
        let hint = "add `--ignore=extension` to include it all the same".to_owned();
        return Err(status::with(status::FAILED, Failure::text(text, Some(hint))));
    }
    if let Err(error) = path.metadata() {
        return Err(status::with(status::FILE, Failure::file(&error, path, "open")));
    }
    signatures::check(call, path)?;
    let events = call.session.events();
    let unlisted = if call.options.ignores("surprisingarch") {
        UnlistedArchitectures::Accepted
    } else {
        UnlistedArchitectures::Refused
    };
    let read = tokio::task::block_in_place(|| Upload::read_as(path, unlisted, &events));
    let mut upload = read.map_err(|error| {
        let is_unlisted = has_unlisted(&error);
        let failure = Failure::from(error);
        if is_unlisted {
            failure.with_hint("add `--ignore=surprisingarch` to include it all the same")
        } else {
            failure
        }
    })?;
    if !uploads::names(&upload, &suite) && !call.options.ignores("wrongdistribution") {
        let named = upload.changes().distributions().join("`, `");
        let text = format!("`{}` is for `{named}`, not for suite `{}`", path.display(), suite.codename);
        let hint =
            "add `--ignore=wrongdistribution` to include it all the same, or name it in `AlsoAcceptFor:`";
        return Err(status::with(status::FAILED, Failure::text(text, Some(hint.to_owned()))));
    }
    let is_listed = |asked: &&String| upload.changes().architectures().contains(*asked);
    if let Some(asked) = call.options.architectures.iter().find(|asked| !is_listed(asked))
        && !call.options.ignores("surprisingarch")
    {
        let text = format!("`{}` does not list the architecture `{asked}` of `-A`", path.display());
        let hint = "add `--ignore=surprisingarch` to include it all the same".to_owned();
        return Err(status::with(status::UNKNOWN, Failure::text(text, Some(hint))));
    }
    tokio::task::block_in_place(|| uploads::verify(call, &mut upload, &suite))?;
    upload_rules::check_include(call, &upload)?;
    for source in upload.packages().filter(|incoming| matches!(incoming.package, Artifact::Source(_))) {
        signatures::check(call, &source.file)?;
    }
    let by_hand: Vec<&str> = upload.by_hand().collect();
    if !by_hand.is_empty() && !suite.records.by_hand {
        call.session.ui.warn(&format!("not published from `{}`: {}", path.display(), by_hand.join(", ")));
    }
    let report = uploads::publish(call, &suite, &upload, Restrictions::default()).await?;
    let is_done = !report.added.is_empty() || !report.replaced.is_empty();
    if call.options.delete > u8::from(!is_done) {
        // As with reprepro: what is not taken in stays, and kept records leave with the option twice, or the description
        // that is kept.
        let is_twice = call.options.delete > 1;
        let (used, _) = uploads::split(&upload, std::slice::from_ref(&suite), |_| false);
        let leaves = |kind: &FileKind| {
            is_twice || !matches!(kind, FileKind::Buildinfo | FileKind::Log | FileKind::ByHand)
        };
        let gone = used.into_iter().filter(|(_, kind)| leaves(kind)).map(|(path, _)| path);
        let description = (is_twice || suite.records.changes).then(|| upload.file().to_owned());
        uploads::take_away(call, &gone.chain(description).collect::<Vec<_>>(), None);
    }
    // As with reprepro also with `--nothingiserror`, where all of it was there already.
    Ok(0)
}

/// Whether all that is wrong is a package of an architecture that is not listed.
fn has_unlisted(error: &Error) -> bool {
    let is =
        |reason: &Reason| matches!(reason, Reason::Changes(ChangesFault::Other { part: "architecture", .. }));
    matches!(error, Error::Refused(all) if all.iter().all(|refusal| is(&refusal.source)))
}
