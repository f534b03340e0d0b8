//! The output of `doctor`.

use serde::Serialize;

use super::document::Document;

/// All findings.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Diagnosis {
    pub(in crate::cli) fault_count: usize,
    pub(in crate::cli) warning_count: usize,
    pub(in crate::cli) findings: Vec<Finding>,
}

/// One finding.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Finding {
    pub(in crate::cli) topic: String,
    pub(in crate::cli) level: &'static str,
    pub(in crate::cli) text: String,
    pub(in crate::cli) fix: Option<String>,
}

impl Document for Diagnosis {}
