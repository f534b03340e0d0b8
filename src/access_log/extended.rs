//! Lines in the extended log file format of the W3C, whose columns a `#Fields` line names: `CloudFront`, and others.

use super::{access::Access, escapes::decoded, times};

/// The places of the columns that are read.
#[derive(Debug)]
pub(super) struct Fields {
    date: Option<usize>,
    time: Option<usize>,
    client: Option<usize>,
    method: Option<usize>,
    path: Option<usize>,
    status: Option<usize>,
    agent: Option<usize>,
}

impl Fields {
    /// Parses the names after `#Fields:`.
    pub(super) fn parse(names: &str) -> Self {
        let names: Vec<&str> = names.split_whitespace().collect();
        let at = |wanted: &str| names.iter().position(|name| name.eq_ignore_ascii_case(wanted));
        Self {
            date: at("date"),
            time: at("time"),
            client: at("c-ip"),
            method: at("cs-method"),
            path: at("cs-uri-stem").or_else(|| at("cs-uri")),
            status: at("sc-status"),
            agent: at("cs(User-Agent)"),
        }
    }

    /// Reads a line with these columns.
    pub(super) fn access(&self, line: &str) -> Option<Access> {
        let values: Vec<&str> =
            if line.contains('\t') { line.split('\t').collect() } else { line.split(' ').collect() };
        let value = |at: Option<usize>| at.and_then(|at| values.get(at).copied());
        Some(Access {
            time: times::of_date_and_time(value(self.date)?, value(self.time)?)?,
            client: value(self.client)?.to_owned(),
            method: value(self.method)?.to_owned(),
            path: value(self.path)?.to_owned(),
            status: value(self.status)?.parse().ok()?,
            agent: value(self.agent).map(|agent| decoded(&agent.replace('+', " "))).unwrap_or_default(),
        })
    }
}
