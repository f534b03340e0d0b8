//! Package tracking. No database tracks sources here: the published indices and the retained generations decide which
//! files stay.

use std::collections::BTreeMap;

use super::{call::Call, status, targets::selected};
use crate::{
    archive::{Matcher, Selection},
    cli::failure::Failure,
    config::SuiteConfig,
    dists::{Entry, IndexKind},
};

/// Prints the files of each published source.
pub(super) async fn dump(call: &Call<'_>) -> Result<u8, Failure> {
    let mut is_done = false;
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
        is_done |= !tracks.is_empty();
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
    Ok(call.status(is_done))
}

/// Forgets a source: there is nothing to forget, since only published packages and retained generations keep files. As
/// with reprepro, one that the suite does not have is an error.
pub(super) async fn remove(call: &Call<'_>) -> Result<u8, Failure> {
    let suite = call.suite(&call.arguments[0])?;
    require_tracking(&suite)?;
    let [name, version] = [&call.arguments[1], &call.arguments[2]];
    let published = call.published(&suite.codename).await?;
    let all = selected(&published, &suite, &Selection::of(Matcher::All)).await?;
    let is_meant = |entry: &Entry| {
        let source = entry.source();
        source.name == name && source.version == version
    };
    if !all.iter().flat_map(|(_, entries)| entries).any(is_meant) {
        let text = format!("suite `{}` has no package of source `{name}` {version}", suite.codename);
        return Err(status::text(status::FAILED, text));
    }
    let is_kept = suite.tracking.iter().flat_map(|words| words.split_whitespace()).any(|word| word == "keep");
    let meaning = if is_kept {
        "with `Tracking: keep` every file stays; `deleteifunreferenced FILE` deletes one"
    } else {
        "`deleteunreferenced` deletes what no current or retained generation references"
    };
    call.say(&format!("No database tracks the sources of suite `{}`: {meaning}", suite.codename));
    Ok(0)
}

/// Forgets all sources, which reprepro refuses without `--delete` where the suite still has tracking.
pub(super) fn remove_all(call: &Call<'_>) -> Result<u8, Failure> {
    let suites = call.suites(call.arguments)?;
    let tracked = suites.iter().find(|suite| suite.tracking.is_some());
    if let Some(suite) = tracked.filter(|_| call.options.delete == 0) {
        let text = format!("suite `{}` still has tracking", suite.codename);
        let hint = "take `Tracking` out of conf/distributions first, or add `--delete`".to_owned();
        return Err(status::with(status::FAILED, Failure::text(text, Some(hint))));
    }
    Ok(call.status(tracked.is_some()))
}

/// Looks for sources without packages: there are none.
pub(super) fn tidy(call: &Call<'_>) -> Result<u8, Failure> {
    let suites = call.suites(call.arguments)?;
    Ok(call.status(suites.iter().any(|suite| suite.tracking.is_some())))
}

fn require_tracking(suite: &SuiteConfig) -> Result<(), Failure> {
    if suite.tracking.is_some() {
        return Ok(());
    }
    let text = format!("suite `{}` has no field `Tracking` in conf/distributions", suite.codename);
    Err(status::text(status::FAILED, text))
}
