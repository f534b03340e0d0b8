//! `check` and `checkpool`: verifies suites and the files of their packages.

use super::{call::Call, status};
use crate::{
    archive::{Check, Fault},
    cli::{failure::Failure, text::plain},
    names::Suite,
};

pub(super) async fn suites(call: &Call<'_>) -> Result<u8, Failure> {
    let archive = call.archive();
    let mut published = Vec::new();
    for suite in call.suites(call.arguments)? {
        if archive.suite(&suite.codename).await?.pointer().is_some() {
            published.push(suite.codename);
        }
    }
    verify(call, &published, false).await
}

/// Verifies every suite and snapshot; with `fast` only the sizes of the files where their digests cost a download.
pub(super) async fn pool(call: &Call<'_>) -> Result<u8, Failure> {
    let is_fast = match call.arguments.first().map(String::as_str) {
        None => false,
        Some("fast") => true,
        Some(other) => {
            let text = format!("argument `{other}` of `checkpool` is unknown; expected `fast`");
            return Err(status::text(status::FAILED, text));
        }
    };
    let suites = call.archive().suites_to_check().await?;
    verify(call, &suites, !is_fast).await
}

async fn verify(call: &Call<'_>, suites: &[Suite], deep: bool) -> Result<u8, Failure> {
    if suites.is_empty() {
        return Ok(0);
    }
    let mut check = Check::new(suites);
    check.deep = deep;
    let report = call.archive().check(&check, &call.session.events()).await?;
    // An unsigned suite is meant to be one.
    let faults: Vec<&Fault> = report.faults.iter().collect();
    for fault in &faults {
        call.say(&format!("{}: {}", plain(&fault.path), plain(&fault.problem)));
    }
    if faults.is_empty() {
        return Ok(0);
    }
    Err(status::text(status::FAILED, format!("the check found {} faults", faults.len())))
}
