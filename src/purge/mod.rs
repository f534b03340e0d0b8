//! Tells caches which addresses changed, once the archive is published.
//!
//! Nothing here decides what is published or undoes it: a cache that is not told serves the old suite, which stays whole,
//! for as long as `Cache-Control` lets it. Credentials come from the environment alone, never from a file of the archive.

mod cloudflare;
mod cloudfront;
mod command;
mod fastly;
mod http;
mod error;
mod urls;

pub use error::{Cause, Error, NotPurged};
pub use urls::urls;

use crate::{config::PurgeRule, store::Environment};

/// What was purged.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Purged {
    /// How many addresses each purger was told.
    pub urls: usize,
    /// The purgers, for people.
    pub by: Vec<String>,
}

/// Tells every purger of a destination, in their order, which addresses changed.
///
/// One that fails keeps no other from its work. Without addresses, or without rules, nothing is asked of anybody.
///
/// # Errors
/// Some were not told. The archive is published all the same; the same purge may be tried again.
pub async fn purge(
    rules: &[PurgeRule],
    urls: &[String],
    destination: &str,
    environment: &Environment,
) -> Result<Purged, Error> {
    let mut purged = Purged { urls: urls.len(), by: Vec::new() };
    if urls.is_empty() {
        return Ok(purged);
    }
    let mut failures = Vec::new();
    for rule in rules {
        let done = match rule {
            PurgeRule::Command(command) => command::run(command, urls, destination).await,
            PurgeRule::CloudFront { distribution } => {
                cloudfront::purge(distribution, urls, environment).await
            }
            PurgeRule::Fastly { .. } => fastly::purge(urls, environment).await,
            PurgeRule::Cloudflare { zone } => cloudflare::purge(zone, urls, environment).await,
        };
        match done {
            Ok(()) => purged.by.push(rule.to_string()),
            Err(cause) => failures.push(NotPurged { rule: rule.clone(), cause }),
        }
    }
    if failures.is_empty() { Ok(purged) } else { Err(Error { failures }) }
}
