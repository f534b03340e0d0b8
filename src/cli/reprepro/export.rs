//! `export` and `createsymlinks`: publishes suites as they are configured, and links from their `Suite` names.

use std::{collections::BTreeMap, os::unix::fs::symlink, path::Path};

use super::{call::Call, log::Cause, status};
use crate::{archive::SuiteEdit, cli::failure::Failure, config::SuiteConfig};

pub(super) async fn run(call: &Call<'_>) -> Result<u8, Failure> {
    let suites = call.suites(call.arguments)?;
    let mut failures = Vec::new();
    // Without a name, such suites are left out.
    let is_named = !call.arguments.is_empty();
    for suite in suites.iter().filter(|suite| is_named || !suite.read_only) {
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
    let has_names = links.keys().any(|name| !name.is_empty());
    let mut failures = Vec::new();
    for (name, suites) in links.into_iter().filter(|(name, _)| !name.is_empty()) {
        // The links are independent.
        let linked = if let [suite] = suites[..] {
            link(call, &dists, name, suite)
        } else {
            let codenames: Vec<&str> = suites.iter().map(|suite| suite.codename.as_str()).collect();
            let text = format!(
                "`{}` is not linked: several suites have this name: `{}`",
                dists.join(name).display(),
                codenames.join("`, `")
            );
            let hint = format!("name the one to link to: `reprepro createsymlinks {}`", codenames[0]);
            Err(status::with(status::FAILED, Failure::text(text, Some(hint))))
        };
        failures.extend(linked.err());
    }
    // The first failure sets the status.
    failures.into_iter().reduce(Failure::and).map_or_else(|| Ok(call.status(has_names)), Err)
}

/// Makes one link. An existing one that leads elsewhere is replaced with `--delete`.
fn link(call: &Call<'_>, dists: &Path, name: &str, suite: &SuiteConfig) -> Result<(), Failure> {
    if crate::names::Suite::parse(name).is_err() {
        call.session.ui.warn(&format!("`Suite: {name}` cannot be the name of a folder: it gets no link"));
        return Ok(());
    }
    let at = dists.join(name);
    // Below a link that leads to the folder of its codename, it is there already.
    if let Some((first, rest)) = name.split_once('/')
        && let Ok(target) = dists.join(first).read_link()
    {
        if target.join(rest) != Path::new(suite.codename.as_str()) {
            call.session.ui.warn(&format!(
                "`{}` is not linked to `{}`: `{first}` is a link to `{}`",
                at.display(),
                suite.codename,
                target.display()
            ));
        }
        return Ok(());
    }
    // From `dists/a/b` the codename is above.
    let up = "../".repeat(name.matches('/').count());
    let target = format!("{up}{}", suite.codename);
    let failed = |error: std::io::Error| Failure::file(&error, &at, "create");
    let stays = |text: String, hint: Option<String>| {
        let text = format!("cannot create `{}`: {text}", at.display());
        Err(status::with(status::FAILED, Failure::text(text, hint)))
    };
    match at.read_link() {
        Ok(found) if found == Path::new(&target) => return Ok(()),
        Ok(found) if call.options.delete == 0 => {
            let text = format!("it leads to `{}` instead of `{target}`", found.display());
            let hint = format!("replace it with `reprepro --delete createsymlinks {}`", suite.codename);
            return stays(text, Some(hint));
        }
        Ok(_) => std::fs::remove_file(&at).map_err(failed)?,
        Err(_) if at.symlink_metadata().is_ok() => {
            let stays = stays("it exists, and is not a link".to_owned(), None);
            return stays.map_err(|failure| status::with(status::NO_LINK, failure));
        }
        Err(_) => {}
    }
    if let Some(parent) = at.parent() {
        std::fs::create_dir_all(parent).map_err(failed)?;
    }
    symlink(&target, &at).map_err(failed)
}
