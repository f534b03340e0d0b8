//! The published suites of an archive without a configuration.

use std::collections::BTreeSet;

use crate::{
    archive::{PublishedSuite, archive_name, snapshot_of},
    cli::session::Session,
    names::Suite,
    store::Location,
};

/// A published suite, and how it is signed.
pub(super) struct Published {
    pub(super) name: Suite,
    pub(super) signed: bool,
    /// The known keys that signed it.
    pub(super) signers: Vec<String>,
}

/// Whether the configuration says how the keyring package is called: by the only `Origin` of its suites.
pub(super) fn has_origin(session: &Session<'_>) -> bool {
    let origins: BTreeSet<&str> =
        session.config.suites.iter().filter_map(|suite| suite.copied_field("Origin")).collect();
    origins.len() == 1
}

/// The name to choose for the keyring package, if neither a published package nor the only `Origin` gives one.
pub(super) async fn package_name(session: &Session<'_>) -> Option<String> {
    if has_origin(session) {
        return None;
    }
    let archive = session.archive(tokio::task::block_in_place(|| session.trust_to_read()));
    let mut origins = BTreeSet::new();
    for name in archive.suites().await.unwrap_or_default() {
        let named = archive.keyring_package_names(&name, archive.trust.keys()).await.unwrap_or_default();
        if !named.is_empty() {
            return None;
        }
        let Ok(suite) = archive.suite(&name).await else { continue };
        let configured = session.config.find(name.as_str()).and_then(|suite| suite.copied_field("Origin"));
        let published = suite.release().and_then(|release| release.field("Origin"));
        origins.extend(configured.or(published).map(ToOwned::to_owned));
    }
    if origins.len() == 1 {
        return None;
    }
    let url = session.public_url_of(session.config.suites.first());
    let host = url.as_deref().and_then(|url| url.split_once("://")?.1.split('/').next());
    let location = session.location.to_string();
    let last = location.trim_end_matches('/').rsplit('/').next();
    archive_name(origins.iter().map(String::as_str).chain(host).chain(last).chain(["archive"]))
}

/// The suites of an archive that can be listed and read; why another cannot is found later.
pub(super) async fn unconfigured(session: &Session<'_>) -> Vec<Published> {
    if let Location::Web(_) = session.location {
        return Vec::new();
    }
    let archive = session.archive(tokio::task::block_in_place(|| session.trust_to_read()));
    let mut all = Vec::new();
    for name in archive.suites().await.unwrap_or_default() {
        if snapshot_of(&name).is_some() {
            continue;
        }
        let suite = archive.suite(&name).await.ok();
        if let Some(pointer) = suite.as_ref().and_then(PublishedSuite::pointer) {
            all.push(Published { name, signed: pointer.signed, signers: pointer.signers.clone() });
        }
    }
    all
}
