//! The URL under which clients read the archive: from the command line, the environment, or the configuration.

use std::env;

use super::{class::Kind, failure::Failure, session::Session};
use crate::{
    archive::Site,
    config::{SuiteConfig, is_public_url},
    store::Location,
};

/// The variable with the URL.
const VARIABLE: &str = "PUBLISH_PUBLIC_URL";

/// Returns the URL of the command line, else that of the environment.
pub(super) fn given(option: Option<&str>) -> Result<Option<String>, Failure> {
    if let Some(url) = option {
        return checked(url, "--public-url").map(Some);
    }
    match env::var(VARIABLE) {
        Ok(url) if !url.is_empty() => checked(&url, VARIABLE).map(Some),
        _ => Ok(None),
    }
}

/// Checks a URL from a command line or a variable.
pub(super) fn checked(url: &str, origin: &str) -> Result<String, Failure> {
    if is_public_url(url) {
        return Ok(url.trim_end_matches('/').to_owned());
    }
    let failure = Failure::usage(format!(
        "`{origin} {url}` is not the `http://` or `https://` URL of an archive; it must have no user name, no password and no query"
    ));
    Err(if origin == VARIABLE { failure.kind(Kind::Config) } else { failure })
}

impl Session<'_> {
    /// How the files for clients are written in the archive itself.
    #[must_use]
    pub(super) fn site(&self) -> Site {
        let suite = self.config.suites.first();
        let configured = || self.config.suites.iter().find_map(|suite| suite.public_url.clone());
        let name = suite.and_then(|suite| self.config.site_name(suite));
        Site::new(self.public_url.clone().or_else(configured), name)
    }

    /// Returns the URL under which clients read a suite, if it is known.
    #[must_use]
    pub(super) fn public_url_of(&self, suite: Option<&SuiteConfig>) -> Option<String> {
        let configured = || suite.and_then(|suite| suite.public_url.clone());
        let any = || self.config.suites.iter().find_map(|suite| suite.public_url.clone());
        let served = || match &self.location {
            Location::Web(url) => Some(url.clone()),
            _ => self.store.public_url(),
        };
        let url = self.public_url.clone().or_else(configured).or_else(any).or_else(served)?;
        Some(url.trim_end_matches('/').to_owned())
    }
}
