//! `clearvanished`: takes suites, components and architectures that are no longer configured out of the archive.

use super::{
    call::Call,
    log::Cause,
    targets::{self, selected},
};
use crate::{
    archive::{Matcher, Places, Selection, SuiteEdit},
    cli::failure::Failure,
    config::{Sources, SuiteConfig},
    dists::{IndexKey, IndexKind},
    names::Architecture,
};

pub(super) async fn run(call: &Call<'_>) -> Result<u8, Failure> {
    let archive = call.archive();
    let configured =
        |name: &str| call.session.config.suites.iter().any(|suite| suite.codename.as_str() == name);
    for suite in archive.suites().await?.into_iter().filter(|suite| !configured(suite.as_str())) {
        let published = archive.suite(&suite).await?;
        let config = SuiteConfig::unconfigured(suite.clone());
        let packages = selected(&published, &config, &Selection::of(Matcher::All)).await?;
        if !packages.is_empty() && call.options.delete == 0 {
            say_kept(call, suite.as_str());
            continue;
        }
        let dropped = archive.drop_suite(&suite, false).await?;
        call.say(&format!("Deleted vanished suite `{}`", dropped.suite));
    }
    for suite in call.session.config.suites.iter().filter(|suite| !suite.read_only) {
        indices(call, suite).await?;
    }
    Ok(0)
}

fn say_kept(call: &Call<'_>, name: &str) {
    call.say(&format!(
        "There are still packages in `{name}`, which is not configured: add `--delete` to remove it anyway"
    ));
}

/// Takes the indices out of a suite whose component or architecture is not configured any more.
async fn indices(call: &Call<'_>, suite: &SuiteConfig) -> Result<(), Failure> {
    let published = call.published(&suite.codename).await?;
    let vanished = targets::of(&published, suite).into_iter().filter(|key| !is_configured(suite, key));
    let (mut is_there, mut remove_selected) = (false, Vec::new());
    for key in vanished {
        is_there = true;
        if published.entries(&key).await?.is_empty() {
            continue;
        }
        if call.options.delete == 0 {
            say_kept(call, &targets::identifier(&suite.codename, &key));
            continue;
        }
        let places = Places {
            components: key.component().cloned().into_iter().collect(),
            architectures: vec![key.architecture().cloned().unwrap_or_else(Architecture::source)],
            kinds: vec![key.kind()],
        };
        remove_selected.push(Selection { places, ..Selection::of(Matcher::All) });
    }
    if !is_there || (remove_selected.is_empty() && call.options.delete == 0) {
        return Ok(());
    }
    // Components and architectures without packages leave the suite with every commit.
    let edit = SuiteEdit { remove_selected, export: true, ..SuiteEdit::default() };
    call.commit(suite, edit, &Cause::default()).await.map(drop)
}

fn is_configured(suite: &SuiteConfig, key: &IndexKey) -> bool {
    let Some(component) = key.component() else { return true };
    let of_kind = crate::package_type::PackageType::parse(key.kind().package_type());
    let separate = of_kind.and_then(|kind| suite.separate.get(&kind));
    // The others have an index only where a field of their own names the component.
    let is_ordinary = matches!(key.kind(), IndexKind::Packages | IndexKind::Sources);
    let has_architecture = match key.architecture() {
        None => !matches!(suite.sources, Sources::Refused),
        Some(name) => suite.architectures.is_empty() || suite.architectures.contains(name),
    };
    suite.components.contains(component)
        && (is_ordinary || separate.is_some_and(|components| components.contains(component)))
        && has_architecture
}
