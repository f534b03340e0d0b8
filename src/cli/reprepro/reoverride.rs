//! `reoverride`: applies the override files to what is published.

use super::{call::Call, log::Cause};
use crate::{
    archive::{Matcher, Selection, SuiteEdit},
    cli::failure::Failure,
};

pub(super) async fn run(call: &Call<'_>) -> Result<u8, Failure> {
    let selection = Selection { places: call.places()?, ..Selection::of(Matcher::All) };
    let mut is_done = false;
    for suite in call.suites(call.arguments)?.iter().filter(|suite| !suite.overrides.is_empty()) {
        let edit = SuiteEdit { reoverride: Some(selection.clone()), ..SuiteEdit::default() };
        let report = call.commit(suite, edit, &Cause::default()).await?;
        is_done |= !report.listings.is_empty();
    }
    Ok(call.status(is_done))
}
