//! Purges caches once the archive is published.
//!
//! Nothing here decides or reverts a publish: a cache that is not purged serves the previous suite, which stays
//! complete, for as long as `Cache-Control` allows. Credentials come from the environment only, never from a file of
//! the archive.

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

/// The result of a purge.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Purged {
    /// How many URLs each purger received.
    pub urls: usize,
    /// The purgers, for display.
    pub by: Vec<String>,
}

/// Purges the changed URLs with every purger of a destination, in order.
///
/// A failed purger does not stop the others. Without URLs or rules this is a no-op.
///
/// # Errors
///
/// Some purgers failed. The archive is published all the same; the purge may be retried.
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
