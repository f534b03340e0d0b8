//! `export` and `createsymlinks`: publishes suites as they are configured, and links from their `Suite` names.

use std::{collections::BTreeMap, os::unix::fs::symlink, path::Path};

use super::{call::Call, log::Cause, status};
use crate::{archive::SuiteEdit, cli::failure::Failure, config::SuiteConfig};

pub(super) async fn run(call: &Call<'_>) -> Result<u8, Failure> {
    let suites = call.suites(call.arguments)?;
    let mut failures = Vec::new();
    for suite in suites.iter().filter(|suite| !suite.read_only) {
        // Suites are independent: one that cannot be published must not stop the others.
        if let Err(failure) = call.commit(suite, SuiteEdit::exporting(), &Cause::default()).await {
            failures.push(failure);
        }
    }
    failures.into_iter().reduce(Failure::and).map_or(Ok(0), Err)
}

/// Links from the `Suite` of each suite to its codename, for clients that name the suite so.
pub(super) fn create_links(call: &Call<'_>) -> Result<u8, Failure> {
    let suites = call.suites(call.arguments)?;
    let Some(root) = call.session.location.folder() else {
        let text = format!("`{}` is no folder, and only a folder has symbolic links", call.session.location);
        let hint = "clients name the codename in `Suites:`".to_owned();
        return Err(status::with(status::FAILED, Failure::text(text, Some(hint))));
    };
    let mut links: BTreeMap<&str, Vec<&SuiteConfig>> = BTreeMap::new();
    for suite in &suites {
        let name = suite.suite.as_deref().filter(|name| *name != suite.codename.as_str());
        links.entry(name.unwrap_or_default()).or_default().push(suite);
    }
    let dists = root.join("dists");
    let mut is_done = false;
    for (name, suites) in links.into_iter().filter(|(name, _)| !name.is_empty()) {
        match suites[..] {
            [suite] => is_done |= link(call, &dists, name, suite)?,
            _ => call.say(&format!(
                "Not linking {name}, as several suites have this name: {}",
                suites.iter().map(|suite| suite.codename.to_string()).collect::<Vec<_>>().join(", ")
            )),
        }
    }
    Ok(call.status(is_done))
}

/// Makes one link. An existing one that leads elsewhere is replaced with `--delete`.
fn link(call: &Call<'_>, dists: &Path, name: &str, suite: &SuiteConfig) -> Result<bool, Failure> {
    if crate::names::Suite::parse(name).is_err() {
        call.session.ui.warn(&format!("`Suite: {name}` cannot be the name of a folder: it gets no link"));
        return Ok(false);
    }
    let at = dists.join(name);
    // From `dists/a/b` the codename is above.
    let up = "../".repeat(name.matches('/').count());
    let target = format!("{up}{}", suite.codename);
    let failed = |error: std::io::Error| Failure::file(&error, &at, "create");
    match at.read_link() {
        Ok(found) if found == Path::new(&target) => return Ok(false),
        Ok(_) if call.options.delete == 0 => {
            call.session.ui.warn(&format!(
                "`{}` leads elsewhere and stays; replace it with `reprepro --delete createsymlinks`",
                at.display()
            ));
            return Ok(false);
        }
        Ok(_) => std::fs::remove_file(&at).map_err(failed)?,
        Err(_) if at.symlink_metadata().is_ok() => {
            call.session.ui.warn(&format!("`{}` is not a link, and stays", at.display()));
            return Ok(false);
        }
        Err(_) => {}
    }
    if let Some(parent) = at.parent() {
        std::fs::create_dir_all(parent).map_err(failed)?;
    }
    symlink(&target, &at).map_err(failed)?;
    Ok(true)
}
