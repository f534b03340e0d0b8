//! `gensnapshot` and `unreferencesnapshot`.

use super::{call::Call, log::Cause, status};
use crate::{
    archive::{Error, SuiteEdit, name_of_snapshot},
    cli::{change_args::ChangeArgs, failure::Failure},
};

/// Keeps the current content of a suite as `CODENAME/snapshots/NAME`.
pub(super) async fn make(call: &Call<'_>) -> Result<u8, Failure> {
    let suite = call.suite(&call.arguments[0])?;
    let name = name_of_snapshot(&suite.codename, &call.arguments[1]);
    let name = name.map_err(|error| status::with(status::FAILED, Failure::of(&error, None)))?;
    if call.published(&suite.codename).await?.pointer().is_none() {
        // As with reprepro, a suite that has no packages yet has a snapshot without packages.
        call.commit(&suite, SuiteEdit::exporting(), &Cause::default()).await?;
    }
    let kept = suite.snapshot(name);
    let keys = call.session.keys_to_publish(&kept).await?;
    let asked = ChangeArgs { dry_run: false, message: None };
    let report = call.session.snapshot(&kept, (&suite.codename, None), keys, &asked).await?;
    report.notes.iter().for_each(|note| call.session.ui.warn(note));
    call.outlog.lock().unwrap_or_else(std::sync::PoisonError::into_inner).add(&report, &kept);
    Ok(call.status(report.published))
}

/// Removes a snapshot, so that `deleteunreferenced` may delete its files. One that does not exist is no error: scripts
/// delete its folder before.
pub(super) async fn remove(call: &Call<'_>) -> Result<u8, Failure> {
    let suite = call.suite(&call.arguments[0])?;
    let name = name_of_snapshot(&suite.codename, &call.arguments[1]);
    let name = name.map_err(|error| status::with(status::FAILED, Failure::of(&error, None)))?;
    match call.archive().remove_snapshot(&name, false).await {
        Ok(removed) => Ok(call.status(!removed.is_empty())),
        Err(Error::NotPublished { .. }) => Ok(call.status(false)),
        Err(error) => Err(error.into()),
    }
}
