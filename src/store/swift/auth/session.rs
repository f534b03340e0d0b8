//! The result of a login, and the checks of its parts.

use std::time::Duration;

use reqwest::{Url, header::HeaderValue};

use crate::store::{environment::Environment, swift::error::Error};

/// The result of a login.
pub(crate) struct Session {
    /// The token sent with every request.
    pub(crate) token: HeaderValue,
    /// The URL of the account, without a trailing slash.
    pub(crate) storage: String,
    /// The URL of the account's CDN management, if there is one.
    pub(crate) cdn: Option<String>,
    /// The lifetime of the token, if the server reports it.
    pub(crate) life: Option<Duration>,
}

/// Returns a variable that a login method requires.
pub(super) fn need<'a>(
    environment: &'a Environment,
    way: &'static str,
    names: &[&'static str],
) -> Result<&'a str, Error> {
    let missing = names.first().copied().unwrap_or_default();
    environment.first_of(names).ok_or(Error::Incomplete { way, missing })
}

/// Checks a URL and strips trailing slashes.
pub(super) fn address(name: &str, text: &str) -> Result<String, Error> {
    let bad = |why: String| Error::BadValue { name: name.into(), value: text.into(), why };
    let url = Url::parse(text).map_err(|error| bad(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(bad("it must begin with `https://` or `http://`".into()));
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// Checks a URL that a login returned.
pub(super) fn given_address(url: &str, text: &str) -> Result<String, Error> {
    address("X-Storage-Url", text).map_err(|error| Error::Login { url: url.into(), why: error.to_string() })
}

/// Returns a token as a header value that is redacted in logs.
pub(super) fn token(url: &str, text: &str) -> Result<HeaderValue, Error> {
    let mut token = HeaderValue::from_str(text)
        .map_err(|_| Error::Login { url: url.into(), why: "the token is not text".into() })?;
    token.set_sensitive(true);
    Ok(token)
}
