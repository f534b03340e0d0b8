//! Package tracking. No database tracks sources here: the published indices and the retained generations decide which
//! files stay.

use std::collections::BTreeMap;

use super::{call::Call, targets::selected};
use crate::{
    archive::{Matcher, Selection},
    cli::failure::Failure,
    dists::IndexKind,
};

/// Prints the files of each published source.
pub(super) async fn dump(call: &Call<'_>) -> Result<u8, Failure> {
    for suite in call.suites(call.arguments)? {
        if suite.tracking.is_none() {
            continue;
        }
        let published = call.published(&suite.codename).await?;
        let mut tracks: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
        for (key, entries) in selected(&published, &suite, &Selection::of(Matcher::All)).await? {
            for entry in entries {
                let kind = match key.kind() {
                    IndexKind::Sources => "s",
                    _ if &*entry.architecture == "all" => "a",
                    _ => "b",
                };
                let source = entry.source();
                let files = tracks.entry((source.name.to_owned(), source.version.to_owned())).or_default();
                for path in entry.files.iter().filter_map(|file| file.path.as_ref()) {
                    let line = format!(" {path} {kind} 1");
                    if !files.contains(&line) {
                        files.push(line);
                    }
                }
            }
        }
        let lines = tracks.into_iter().map(|((name, version), files)| {
            format!(
                "Distribution: {}\nSource: {name}\nVersion: {version}\nFiles:\n{}\n",
                suite.codename,
                files.join("\n")
            )
        });
        call.print(lines);
    }
    Ok(0)
}

/// Forgets a source: there is nothing to forget, since only published packages and retained generations keep files.
pub(super) fn remove(call: &Call<'_>) -> Result<u8, Failure> {
    let suite = call.suite(&call.arguments[0])?;
    call.say(&format!(
        "No database tracks the sources of suite `{}`: `deleteunreferenced` deletes what no current or retained generation references",
        suite.codename
    ));
    Ok(0)
}
