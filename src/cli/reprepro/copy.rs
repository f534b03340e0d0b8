//! `copy*`, `move*` and `restore*`: lists packages of another suite, or of a snapshot, in the same indices of a suite.

use std::collections::BTreeSet;

use super::{
    call::Call,
    log::Cause,
    matchers::{formula, name, selections, source},
    status,
    words::Word,
};
use crate::{
    archive::{CommitReport, Copies, Matcher, Selection, SuiteEdit, name_of_snapshot},
    cli::failure::Failure,
    config::SuiteConfig,
    glob::Glob,
};

pub(super) async fn copy(call: &Call<'_>, word: Word) -> Result<u8, Failure> {
    let (to, from) = (call.suite(&call.arguments[0])?, call.suite(&call.arguments[1])?);
    let matchers = matchers(word, &call.arguments[2..])?;
    let report = bring(call, &to, &from, matchers).await?;
    Ok(call.status(is_changed(&report)))
}

pub(super) async fn restore(call: &Call<'_>, word: Word) -> Result<u8, Failure> {
    let to = call.suite(&call.arguments[0])?;
    let snapshot = name_of_snapshot(&to.codename, &call.arguments[1]);
    let snapshot = snapshot.map_err(|error| status::with(status::FAILED, Failure::of(&error, None)))?;
    let from = to.snapshot(snapshot);
    let matchers = matchers(word, &call.arguments[2..])?;
    let report = bring(call, &to, &from, matchers).await?;
    Ok(call.status(is_changed(&report)))
}

/// Copies, then removes exactly the copied listings from the other suite. A crash in between leaves packages in both.
pub(super) async fn move_away(call: &Call<'_>, word: Word) -> Result<u8, Failure> {
    let (to, from) = (call.suite(&call.arguments[0])?, call.suite(&call.arguments[1])?);
    if to.codename == from.codename {
        return Err(status::text(status::FAILED, "the two suites of a move are the same"));
    }
    if from.read_only {
        let error = crate::archive::Error::ReadOnly { suite: from.codename.clone() };
        return Err(error.into());
    }
    let report = bring(call, &to, &from, matchers(word, &call.arguments[2..])?).await?;
    let moved = report.added.iter().chain(&report.present).chain(&report.replaced);
    let moved: BTreeSet<(&str, &str)> = moved.map(|new| (&*new.name, &*new.version)).collect();
    let gone = moved
        .into_iter()
        .map(|(name, version)| Matcher::Name { name: name.to_owned(), version: Some(version.to_owned()) });
    let remove_selected: Vec<Selection> = selections(gone.collect(), &call.places()?, false);
    if remove_selected.is_empty() {
        return Ok(call.status(false));
    }
    let edit = SuiteEdit { remove_selected, ..SuiteEdit::default() };
    call.commit(&from, edit, &Cause::default()).await?;
    Ok(call.status(true))
}

fn is_changed(report: &CommitReport) -> bool {
    !report.added.is_empty() || !report.replaced.is_empty() || !report.present.is_empty()
}

/// The packages that the arguments of a command select.
fn matchers(word: Word, rest: &[String]) -> Result<Vec<Matcher>, Failure> {
    Ok(match word {
        Word::Copy | Word::Move | Word::Restore => rest.iter().map(|text| name(text)).collect(),
        Word::CopySource | Word::MoveSource | Word::RestoreSource => vec![source(&rest[0], &rest[1..])],
        Word::CopyMatched | Word::MoveMatched | Word::RestoreMatched => {
            vec![Matcher::Pattern(Glob::new(&rest[0]))]
        }
        _ => vec![formula(&rest[0])?],
    })
}

/// Copies the selected packages.
async fn bring(
    call: &Call<'_>,
    to: &SuiteConfig,
    from: &SuiteConfig,
    matchers: Vec<Matcher>,
) -> Result<CommitReport, Failure> {
    let newest = matches!(matchers.first(), Some(Matcher::Name { .. }));
    let selected = selections(matchers.clone(), &call.places()?, newest);
    let mut copies = Copies::new(from.codename.clone(), call.trust_to_copy(to, from).await?);
    copies.selected = selected;
    let edit = if call.published(&from.codename).await?.pointer().is_some() {
        SuiteEdit { copy: Some(copies), downgrade: true, ..SuiteEdit::default() }
    } else {
        SuiteEdit::default()
    };
    let cause = Cause { from: Some(from.codename.to_string()), ..Cause::default() };
    let report = call.commit(to, edit, &cause).await?;
    say(call, &matchers, &report);
    Ok(report)
}

/// Says which names were not found, and which packages became older.
fn say(call: &Call<'_>, matchers: &[Matcher], report: &CommitReport) {
    let found = || report.added.iter().chain(&report.present).chain(&report.replaced);
    let missing: Vec<&str> = matchers
        .iter()
        .filter_map(|matcher| match matcher {
            Matcher::Name { name, .. } => (!found().any(|change| change.name == *name)).then_some(&**name),
            _ => None,
        })
        .collect();
    if !missing.is_empty() {
        call.say(&format!("Will not copy as not found: {}.", missing.join(", ")));
    } else if found().next().is_none() {
        call.say("Nothing to do: no package is selected");
    }
    for listing in report.listings.iter().filter(|listing| !listing.is_new) {
        let older = report.listings.iter().find(|new| {
            new.is_new
                && new.index == listing.index
                && new.entry.name == listing.entry.name
                && new.entry.order_of_versions(&listing.entry).is_lt()
        });
        if let Some(new) = older {
            call.session.ui.warn(&format!(
                "`{}` goes back from {} to {} in suite `{}`: clients that have the newer version keep it",
                new.entry.name, listing.entry.version, new.entry.version, report.suite
            ));
        }
    }
}

impl Call<'_> {
    /// The trust policy for a suite to copy from.
    pub(super) async fn trust_to_copy(
        &self,
        to: &SuiteConfig,
        from: &SuiteConfig,
    ) -> Result<crate::archive::Trust, Failure> {
        let keys = self.session.keys_to_publish(to).await?;
        Ok(tokio::task::block_in_place(|| self.session.trust_to_copy_from(from, &keys.trust)))
    }
}
