//! The published suites of an archive without a configuration.

use crate::{
    archive::{PublishedSuite, snapshot_of},
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
