//! The packages that the arguments of a command select.

use super::status;
use crate::{
    archive::{Matcher, Places, Selection},
    cli::failure::Failure,
    formula::Formula,
};

/// `NAME` or `NAME=VERSION`.
pub(super) fn name(text: &str) -> Matcher {
    match text.split_once('=') {
        Some((name, version)) => Matcher::Name { name: name.to_owned(), version: Some(version.to_owned()) },
        None => Matcher::Name { name: text.to_owned(), version: None },
    }
}

/// The packages of a source, or of some versions of it.
pub(super) fn source(name: &str, versions: &[String]) -> Matcher {
    Matcher::Source { name: name.to_owned(), versions: versions.to_vec() }
}

/// The packages that a formula selects.
pub(super) fn formula(text: &str) -> Result<Matcher, Failure> {
    let formula = Formula::parse(text).map_err(|error| Failure::of(&error, None));
    Ok(Matcher::Formula(formula.map_err(|failure| status::with(status::FAILED, failure))?))
}

/// Applies each matcher to the indices that the options name.
pub(super) fn selections(matchers: Vec<Matcher>, places: &Places, newest: bool) -> Vec<Selection> {
    matchers.into_iter().map(|matcher| Selection { places: places.clone(), matcher, newest }).collect()
}
