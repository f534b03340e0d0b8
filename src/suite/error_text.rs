//! Texts of errors that are more than one sentence with names in it.

use super::{
    refusal::{Refusal, list},
    release_info::ReleaseInfo,
};
use crate::names::Suite;

pub(super) fn generations(planned_on: Option<&str>, now: Option<&str>) -> String {
    let shown = |name: Option<&str>| name.map_or_else(|| "none".to_owned(), |name| format!("`{name}`"));
    format!(" (planned on generation {}, published is {})", shown(planned_on), shown(now))
}

pub(super) fn refusals(all: &[Refusal]) -> String {
    match all {
        [only] => only.to_string(),
        [first, ..] => {
            let done = match first.action {
                "remove" => "removed",
                "copy" => "copied",
                _ => "added",
            };
            format!("{} packages cannot be {done}; nothing was published", all.len())
        }
        [] => "nothing was published".into(),
    }
}

/// Counts files.
pub(super) fn files(count: usize) -> String {
    if count == 1 { "1 file".to_owned() } else { format!("{count} files") }
}

/// Counts the files of packages in a pool.
pub(crate) fn package_files(count: usize) -> String {
    if count == 1 { "1 package file".to_owned() } else { format!("{count} package files") }
}

pub(super) fn there_are(known: &[Suite]) -> String {
    let names: Vec<&str> = known.iter().map(Suite::as_str).collect();
    if names.is_empty() { String::new() } else { format!("; there are: `{}`", names.join("`, `")) }
}

pub(super) fn no_generation(suite: &Suite, requested: Option<&str>, known: &[String]) -> String {
    let kept = if known.is_empty() { "none".to_owned() } else { list(known) };
    match requested {
        None => {
            format!(
                "no earlier generation of suite `{suite}` with different content is retained; retained: {kept}"
            )
        }
        Some(requested) if known.iter().any(|name| name.starts_with(requested)) => {
            format!("more than one generation of suite `{suite}` begins with `{requested}`; retained: {kept}")
        }
        Some(requested) => {
            format!("no generation `{requested}` of suite `{suite}` is retained; retained: {kept}")
        }
    }
}

/// Lists the first three files and counts the others.
pub(super) fn few(files: &[String]) -> String {
    let more = files.len().saturating_sub(3);
    let first = list(&files[..files.len() - more]);
    if more > 0 { format!("{first} and {more} more") } else { first }
}

pub(super) fn changed(changes: &[ReleaseInfo]) -> String {
    changes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
