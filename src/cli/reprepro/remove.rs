//! `remove`, `removesrc`, `removesrcs`, `removematched` and `removefilter`: removes packages, index by index.

use super::{
    call::Call,
    log::Cause,
    matchers::{formula, name, selections, source},
    words::Word,
};
use crate::{
    archive::{CommitReport, Matcher, SuiteEdit},
    cli::failure::Failure,
    glob::Glob,
};

pub(super) async fn run(call: &Call<'_>, word: Word) -> Result<u8, Failure> {
    let suite = call.suite(&call.arguments[0])?;
    let rest = &call.arguments[1..];
    let selected = match word {
        Word::Remove => rest.iter().map(|text| name(text)).collect(),
        Word::RemoveSource => vec![source(&rest[0], &rest[1..])],
        Word::RemoveSources => rest
            .iter()
            .map(|text| match text.split_once('=') {
                Some((name, version)) => source(name, &[version.to_owned()]),
                None => source(text, &[]),
            })
            .collect(),
        Word::RemoveMatched => vec![Matcher::Pattern(Glob::new(&rest[0]))],
        _ => vec![formula(&rest[0])?],
    };
    let selections = selections(selected.clone(), &call.places()?, word == Word::Remove);
    let edit = SuiteEdit { remove_selected: selections, ..SuiteEdit::default() };
    let report = call.commit(&suite, edit, &Cause::default()).await?;
    let missing: Vec<&str> = selected.iter().filter_map(|matcher| unmatched(matcher, &report)).collect();
    match word {
        Word::Remove if !missing.is_empty() => {
            call.say(&format!("Not removed as not found: {}", missing.join(", ")));
        }
        Word::RemoveSource | Word::RemoveSources => {
            for name in missing {
                call.say(&format!("No package from source '{name}' found."));
            }
        }
        _ => {}
    }
    // With `--nothingiserror`, reprepro ends with an error only where tracks say that there is nothing.
    let is_tracked = suite.tracking.is_some() && matches!(word, Word::RemoveSource | Word::RemoveSources);
    Ok(if is_tracked { call.status(!report.removed.is_empty()) } else { 0 })
}

/// The name of a matcher without a match.
fn unmatched<'a>(matcher: &'a Matcher, report: &CommitReport) -> Option<&'a str> {
    let mut gone = report.listings.iter().filter(|listing| !listing.is_new).map(|listing| &listing.entry);
    match matcher {
        Matcher::Name { name, version } => {
            let is = |version: &String, found: &str| version == found;
            let found = gone.any(|entry| {
                &*entry.name == name && version.as_ref().is_none_or(|version| is(version, &entry.version))
            });
            (!found).then_some(name)
        }
        Matcher::Source { name, .. } => {
            let found = gone.any(|entry| entry.source().name == name);
            (!found).then_some(name)
        }
        _ => None,
    }
}
