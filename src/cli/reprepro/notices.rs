//! Notices for a user of reprepro, printed once: the differences, and the fields without an effect.

use std::{collections::BTreeSet, path::PathBuf};

use super::options::Options;
use crate::{cli::session::Session, digest::Digests, redact::redact};

/// The file that keeps which notices were printed: private to the archive.
const PRINTED: &str = ".publish/notices";
/// It holds a line for each notice.
const LONGEST: u64 = 1 << 20;

/// Prints the notices that were not printed for this repository before. Without a folder to keep that, each is printed.
pub(super) fn print(options: &Options, session: &Session<'_>) {
    if session.ui.quiet() {
        return;
    }
    let mut notices = Vec::new();
    let database = &options.folders.database;
    if database.join("packages.db").exists() {
        notices.push(format!(
            "`{}` is the database of reprepro, which is not read: `dists/` and `pool/` are continued. Do not run reprepro \
             here any more, since its next command would drop what is added from now on",
            database.display()
        ));
    }
    if session.config.suites.iter().any(|suite| suite.limit == Some(1)) {
        notices.push(
            "a newer version replaces the older ones, as with reprepro, unless `Limit:` says otherwise; the files of the \
             older ones stay for clients with an older index until `deleteunreferenced`, after `KeepFor:` (7 days)"
                .to_owned(),
        );
    }
    // These commands run the scripts of `Log`, and follow the rules.
    let is_used = |warning: &str| {
        ["Log", "Update", "Pull", "ByHandHooks"]
            .iter()
            .any(|name| warning.contains(&format!("field `{name}`")))
    };
    let fields = session.config.warnings.iter().filter(|warning| !is_used(warning));
    notices.extend(fields.cloned());
    let file = file(session);
    let known = file.as_ref().and_then(|file| crate::regular::read_within(file, LONGEST).ok());
    let known = String::from_utf8_lossy(&known.unwrap_or_default()).into_owned();
    let mut printed: BTreeSet<&str> = known.lines().collect();
    let ids: Vec<String> = notices.iter().map(|text| id(text)).collect();
    let mut is_new = false;
    for (id, notice) in ids.iter().zip(&notices) {
        if printed.insert(id) {
            session.ui.warn(&redact(notice));
            is_new = true;
        }
    }
    if let (Some(file), true) = (file, is_new) {
        // Best effort: it is only printed again.
        let _ = file.parent().map(std::fs::create_dir_all);
        let _ = std::fs::write(file, printed.into_iter().collect::<Vec<_>>().join("\n"));
    }
}

fn file(session: &Session<'_>) -> Option<PathBuf> {
    Some(session.location.folder()?.join(PRINTED))
}

fn id(text: &str) -> String {
    Digests::of(text.as_bytes()).sha256.to_string()[..16].to_owned()
}
