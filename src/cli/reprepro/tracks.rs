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
        // Each file once, with the number of indices that list it.
        let mut tracks: BTreeMap<(String, String), Vec<(String, usize)>> = BTreeMap::new();
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
                    let line = format!(" {path} {kind}");
                    match files.iter_mut().find(|(known, _)| *known == line) {
                        Some((_, count)) => *count += 1,
                        None => files.push((line, 1)),
                    }
                }
            }
        }
        let lines = tracks.into_iter().map(|((name, version), files)| {
            let files = files.into_iter().map(|(line, count)| format!("{line} {count}"));
            format!(
                "Distribution: {}\nSource: {name}\nVersion: {version}\nFiles:\n{}\n",
                suite.codename,
                files.collect::<Vec<_>>().join("\n")
            )
        });
        call.print(lines);
    }
    Ok(0)
}

/// Forgets a source: there is nothing to forget, since only published packages and retained generations keep files.
pub(super) fn remove(call: &Call<'_>) -> Result<u8, Failure> {
    let suite = call.suite(&call.arguments[0])?;
    let is_kept = suite.tracking.iter().flat_map(|words| words.split_whitespace()).any(|word| word == "keep");
    let meaning = if is_kept {
        "with `Tracking: keep` every file stays; `deleteifunreferenced FILE` deletes one"
    } else {
        "`deleteunreferenced` deletes what no current or retained generation references"
    };
    call.say(&format!("No database tracks the sources of suite `{}`: {meaning}", suite.codename));
    Ok(0)
}
