//! `SUITE[@STATE]` on the command line: a suite, or one of its retained generations.

use super::{
    failure::Failure,
    session::{Session, parse_suite},
};
use crate::{
    archive::{Archive, Error, PublishedSuite, Trust, Which},
    names::Suite,
    signing::Distrust,
    store::Store,
};

/// Splits `SUITE[@STATE]`.
pub(super) fn split(text: &str) -> Result<(&str, Option<Which>), Failure> {
    let Some((suite, which)) = text.split_once('@') else { return Ok((text, None)) };
    let which = which.parse().map_err(|error| {
        Failure::usage(format!("{error}; `publish log {suite}` lists the retained generations"))
    })?;
    Ok((suite, Some(which)))
}

/// Parses `SUITE[@STATE]`.
pub(super) fn parse(text: &str) -> Result<(Suite, Option<Which>), Failure> {
    let (suite, which) = split(text)?;
    Ok((parse_suite(suite)?, which))
}

/// Reads a suite or one of its generations; one that is signed by unknown keys is read with a warning.
pub(super) async fn open(
    store: &Store,
    trust: &Trust,
    suite: &Suite,
    which: Option<&Which>,
    session: &Session<'_>,
) -> Result<PublishedSuite, Failure> {
    let which = which.unwrap_or(&Which::Back(0));
    let read = |trust| async { Archive::new(store.clone(), trust).state(suite, which).await };
    let opened = match read(trust.clone()).await {
        Err(Error::Untrusted { source: source @ Distrust::UnknownSigners { .. }, path }) => {
            session.ui.warn(&format!("`{path}` in `{}`: {source}", store.location()));
            read(Trust::unverified()).await
        }
        opened => opened,
    };
    opened.map_err(|error| {
        Failure::from(error).while_doing(format!("cannot read suite `{suite}` of `{}`", store.location()))
    })
}
