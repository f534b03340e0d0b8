//! The format of `list --format`: the language of reprepro's `--list-format`.

use super::format::{Format, value_of};
use crate::{
    dists::Entry,
    names::{Component, Suite},
};

/// A line for each package.
#[derive(Debug, Clone)]
pub(super) struct ListFormat(String);

/// The properties that a format can name besides the fields of the stanza.
const PROPERTIES: [&str; 9] = [
    "$suite",
    "$component",
    "$architecture",
    "$type",
    "$source",
    "$sourceversion",
    "$basename",
    "$filekey",
    "$size",
];

impl ListFormat {
    /// Checks the properties of a format: a mistyped one would be an empty column.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        for name in text.split("${").skip(1).filter_map(|rest| rest.split(['}', ';']).next()) {
            let name = name.trim().to_ascii_lowercase();
            if name.starts_with('$') && !PROPERTIES.contains(&&*name) {
                let known = PROPERTIES.map(|name| format!("`${{{name}}}`")).join(", ");
                return Err(format!("there is no property `${{{name}}}`; there are: {known}"));
            }
        }
        // Each package is a line, unless the format says otherwise.
        let end = if text.ends_with("\\n") || text.ends_with('\n') { "" } else { "\n" };
        Ok(Self(format!("{text}{end}")))
    }

    /// The parsed format.
    pub(super) fn format(&self) -> Format {
        Format::parse(&self.0)
    }
}

/// Renders one package of a suite.
pub(super) fn render(
    format: &Format,
    (suite, component, architecture): (&Suite, &Component, &str),
    entry: &Entry,
) -> String {
    let size = || entry.main_file().and_then(|file| file.size);
    format.with(|name| match name {
        "$suite" => suite.to_string(),
        "$component" => component.to_string(),
        "$architecture" => architecture.to_owned(),
        "$type" => entry.kind.package_type().to_owned(),
        "$size" => size().map(|size| size.to_string()).unwrap_or_default(),
        name => value_of(entry, name),
    })
}
