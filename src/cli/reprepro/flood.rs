//! `flood`: lists the packages for all architectures in the index of each architecture.

use super::{
    call::{Call, Cause},
    status,
};
use crate::{
    archive::{Copies, Matcher, Older, Selection, SuiteEdit},
    cli::failure::Failure,
    formula::Formula,
    names::Architecture,
};

/// Selects packages for all architectures by their own field: `$Architecture` is that of the index.
const FOR_ALL: &str = "Architecture (== all)";

pub(super) async fn run(call: &Call<'_>) -> Result<u8, Failure> {
    let suite = call.suite(&call.arguments[0])?;
    let targets = match call.arguments.get(1) {
        None => suite.architectures.clone(),
        Some(name) => {
            let known: Option<&Architecture> =
                suite.architectures.iter().find(|architecture| architecture.as_str() == name);
            let unknown = || format!("suite `{}` has no architecture `{name}`", suite.codename);
            vec![known.cloned().ok_or_else(|| status::text(status::FAILED, unknown()))?]
        }
    };
    if call.published(&suite.codename).await?.pointer().is_none() {
        return Ok(call.status(false));
    }
    let formula = Formula::parse(FOR_ALL).map_err(|error| Failure::of(&error, None))?;
    let selection = Selection { places: call.places()?, matcher: Matcher::Formula(formula), newest: true };
    let mut is_done = false;
    for target in targets {
        // One architecture at a time: an index that has a newer version keeps it, whatever the others have.
        let mut copies = Copies::new(suite.codename.clone(), call.trust_to_copy(&suite, &suite).await?);
        copies.selected = vec![selection.clone()];
        copies.into = vec![target];
        let edit = SuiteEdit { copy: Some(copies), older: Older::Skip, ..SuiteEdit::default() };
        let report = call.commit(&suite, edit, &Cause::default()).await?;
        is_done |= !report.added.is_empty();
    }
    Ok(call.status(is_done))
}
