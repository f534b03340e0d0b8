//! `list`, `listmatched` and `listfilter`: one line for each package of each index.

use super::{call::Call, format::render, matchers::formula, targets::selected, words::Word};
use crate::{
    archive::{Matcher, Selection},
    cli::{failure::Failure, format::Format},
    config::Sources,
    glob::Glob,
    package_type::PackageType,
};

/// The default of `--list-format`.
const DEFAULT: &str = "${$identifier}: ${package} ${version}\\n";

pub(super) async fn run(call: &Call<'_>, word: Word) -> Result<u8, Failure> {
    let suite = call.suite(&call.arguments[0])?;
    let matcher = match (word, call.arguments.get(1)) {
        (_, None) => Matcher::All,
        (Word::List, Some(name)) => Matcher::Name { name: name.clone(), version: None },
        (Word::ListMatched, Some(pattern)) => Matcher::Pattern(Glob::new(pattern)),
        (_, Some(text)) => formula(text)?,
    };
    let selection = Selection { places: call.places()?, matcher, newest: false };
    let format = Format::parse(call.options.list_format.as_deref().unwrap_or(DEFAULT));
    let published = call.published(&suite.codename).await?;
    let mut text = String::new();
    let mut count = 0;
    for (key, entries) in selected(&published, &suite, &selection).await? {
        for entry in entries {
            count += 1;
            let is_shown = count > call.options.list_skip
                && call.options.list_max.is_none_or(|max| count <= call.options.list_skip + max);
            if is_shown {
                text.push_str(&render(&format, call, &suite, &key, &entry));
            }
        }
    }
    // Requested data, whose fields a script parses.
    call.session.ui.data(text.as_bytes());
    // Only a name that is not there is nothing.
    Ok(call.status(count > 0 || word != Word::List || call.arguments.len() < 2))
}

/// `_listcodenames`.
pub(super) fn codenames(call: &Call<'_>) -> u8 {
    let suites = call.session.config.suites.iter();
    call.print(suites.map(|suite| suite.codename.to_string()));
    0
}

/// `_listconfidentifiers`: the names of all configured indices.
pub(super) fn identifiers(call: &Call<'_>) -> Result<u8, Failure> {
    let mut lines = Vec::new();
    for suite in call.suites(call.arguments)? {
        for component in &suite.components {
            let has = |kind| suite.separate.get(&kind).is_some_and(|of| of.contains(component));
            for architecture in &suite.architectures {
                let name = format!("{}|{component}|{architecture}", suite.codename);
                lines.extend(has(PackageType::Ddeb).then(|| format!("d|{name}")));
                lines.extend([name.clone()]);
                lines.extend(has(PackageType::Udeb).then(|| format!("u|{name}")));
            }
            if matches!(suite.sources, Sources::Listed | Sources::Alone) {
                lines.push(format!("{}|{component}|source", suite.codename));
            }
        }
    }
    call.print(lines);
    Ok(0)
}
