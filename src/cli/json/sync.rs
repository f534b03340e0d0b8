//! The output of `sync`.

use serde::Serialize;

use super::{document::Document, package::File};
use crate::{archive, purge, store};

/// The result of each destination.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Synced {
    pub(in crate::cli) destinations: Vec<Destination>,
}

/// The result of one destination.
#[derive(Debug, Serialize)]
#[expect(clippy::struct_field_names, reason = "the keys of the output")]
pub(in crate::cli) struct Destination {
    destination: String,
    name: Option<String>,
    dry_run: bool,
    suites: Vec<SyncedSuite>,
    sent: Vec<File>,
    deleted: Vec<File>,
    missing: Vec<String>,
    there: usize,
    changed: Vec<String>,
    requests: Requests,
    purged: Option<Purged>,
    seconds: f64,
}

#[derive(Debug, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "the keys of the output")]
struct SyncedSuite {
    suite: String,
    published: bool,
    first: bool,
    components: Vec<String>,
    architectures: Vec<String>,
    signed: bool,
    verified: bool,
}

#[derive(Debug, Serialize)]
struct Requests {
    total: u64,
    listings: u64,
}

#[derive(Debug, Serialize)]
struct Purged {
    urls: usize,
    by: Vec<String>,
}

impl Document for Synced {}

impl Destination {
    pub(in crate::cli) fn new(
        (destination, name): (&str, Option<&str>),
        synced: &archive::Synced,
        requests: store::Requests,
        purged: Option<&purge::Purged>,
        seconds: f64,
    ) -> Self {
        let suite = |suite: &archive::SyncedSuite| SyncedSuite {
            suite: suite.suite.to_string(),
            published: suite.published,
            first: suite.first,
            components: suite.components.clone(),
            architectures: suite.architectures.iter().map(ToString::to_string).collect(),
            signed: suite.signed,
            verified: suite.verified,
        };
        Self {
            destination: destination.to_owned(),
            name: name.map(ToOwned::to_owned),
            dry_run: synced.dry_run,
            suites: synced.suites.iter().map(suite).collect(),
            sent: synced.sent.iter().map(File::from).collect(),
            deleted: synced.deleted.iter().map(File::from).collect(),
            missing: synced.missing.clone(),
            there: synced.there,
            changed: synced.changed.clone(),
            requests: Requests { total: requests.total, listings: requests.listings },
            purged: purged.map(|purged| Purged { urls: purged.urls, by: purged.by.clone() }),
            seconds,
        }
    }
}
