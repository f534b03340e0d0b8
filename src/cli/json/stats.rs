//! The output of `stats`.

use serde::Serialize;

use super::document::Document;
use crate::access_log::{Count, Row};

/// Downloads in access logs.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Stats {
    pub(in crate::cli) lines: u64,
    pub(in crate::cli) unreadable: u64,
    pub(in crate::cli) by_archive: bool,
    pub(in crate::cli) downloads: u64,
    pub(in crate::cli) by_apt: u64,
    pub(in crate::cli) left_out: LeftOut,
    pub(in crate::cli) rows: Vec<StatsRow>,
}

/// Requests for packages that are no downloads.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct LeftOut {
    pub(in crate::cli) repeated: u64,
    pub(in crate::cli) partial: u64,
    pub(in crate::cli) unchanged: u64,
    pub(in crate::cli) other_methods: u64,
    pub(in crate::cli) failed: u64,
}

/// The downloads of one row.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct StatsRow {
    day: Option<String>,
    package: Option<String>,
    version: Option<String>,
    architecture: Option<String>,
    downloads: u64,
    by_apt: u64,
}

impl Document for Stats {}

impl StatsRow {
    pub(in crate::cli) fn new(row: &Row, count: Count) -> Self {
        let Row { day, package, version, architecture } = row.clone();
        Self { day, package, version, architecture, downloads: count.all, by_apt: count.apt }
    }
}
