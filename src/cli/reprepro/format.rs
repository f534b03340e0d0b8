//! `--list-format`: the properties of a package that only reprepro's words know.

use super::{call::Call, targets};
use crate::{
    cli::format::{Format, value_of},
    config::SuiteConfig,
    dists::{Entry, IndexKey},
};

/// Renders one package of an index.
pub(super) fn render(
    format: &Format,
    call: &Call<'_>,
    suite: &SuiteConfig,
    key: &IndexKey,
    entry: &Entry,
) -> String {
    format.with(|name| match name {
        "$identifier" => targets::identifier(&suite.codename, key),
        "$architecture" => targets::architecture(key).to_owned(),
        "$component" => key.component().map(ToString::to_string).unwrap_or_default(),
        "$type" => key.kind().package_type().to_owned(),
        "$codename" => suite.codename.to_string(),
        "$fullfilename" => format!("{}/{}", call.folders().out, value_of(entry, "$filekey")),
        name => value_of(entry, name),
    })
}
