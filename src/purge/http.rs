//! Requests to the services, with retries for transient errors only.

use std::time::Duration;

use reqwest::{
    Client, Request, Response, Url,
    header::{DATE, HeaderMap, RETRY_AFTER},
};

use tokio::time::{Instant, sleep};

use super::error::Cause;
use crate::store::{Environment, RetryPolicy, is_retryable};

/// A purge may wait for longer than a transfer: services limit the rate of purges.
const RETRY: RetryPolicy = RetryPolicy {
    tries: 4,
    pause: Duration::from_millis(500),
    longest: Duration::from_secs(60),
    whole: Duration::from_secs(300),
    silence: Duration::from_secs(60),
};
/// The size limit of a response: those of a purge are a few lines.
const ANSWER: usize = 1 << 20;
/// How much of a response is shown.
pub(super) const SHOWN: usize = 500;

/// A service and its address.
pub(super) struct Service {
    name: &'static str,
    base: String,
    client: Client,
}

impl Service {
    /// The service at its own address, or at the one in a variable, for a proxy or a test.
    pub(super) fn new(
        name: &'static str,
        base: &str,
        variable: &'static str,
        environment: &Environment,
    ) -> Result<Self, Cause> {
        let base = environment.get(variable).unwrap_or(base).trim_end_matches('/').to_owned();
        let web = |url: Url| matches!(url.scheme(), "http" | "https") && url.has_host();
        if !Url::parse(&base).is_ok_and(web) {
            return Err(Cause::BadVariable { variable, expected: "an `https://` address" });
        }
        // A provider that is already installed is used.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .user_agent(concat!("publish/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(10))
            .timeout(RETRY.silence)
            // A purge and its credentials are for this service only.
            .redirect(reqwest::redirect::Policy::none())
            .build();
        match client {
            Ok(client) => Ok(Self { name, base, client }),
            Err(error) => Err(Cause::Request { url: base, source: error.into() }),
        }
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// The URL of a path of this service.
    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// Sends a request, built again for each try, until it succeeds; returns the text of the response.
    ///
    /// `error_message` extracts the reason from the text of a failure.
    pub(super) async fn send(
        &self,
        make: impl Fn() -> Result<Request, Cause>,
        error_message: impl Fn(&str) -> Option<String>,
    ) -> Result<String, Cause> {
        let (since, mut tries) = (Instant::now(), 0);
        loop {
            tries += 1;
            let request = make()?;
            let host = request.url().host_str().unwrap_or_default().to_owned();
            let (failure, requested) = match self.client.execute(request).await {
                Ok(response) => {
                    let (status, requested) = (response.status(), retry_after(response.headers()));
                    match text_of(response).await {
                        Ok(text) if status.is_success() && text.len() > ANSWER => {
                            let why =
                                format!("a response of more than {}", crate::size::bytes(ANSWER as u64));
                            return Err(self.refused(&status.to_string(), why));
                        }
                        Ok(text) if status.is_success() => return Ok(text),
                        Ok(text) => {
                            let text = error_message(&text).unwrap_or_else(|| short(&text));
                            let refused = self.refused(&status.to_string(), text);
                            if !is_retryable(status) {
                                return Err(refused);
                            }
                            (refused, requested)
                        }
                        Err(source) => (Cause::NoAnswer { host, tries, source }, requested),
                    }
                }
                Err(source) if source.is_builder() => return Err(Cause::NoAnswer { host, tries, source }),
                Err(source) => (Cause::NoAnswer { host, tries, source }, None),
            };
            match RETRY.wait(tries, since, requested) {
                Some(pause) => sleep(pause).await,
                None => return Err(failure),
            }
        }
    }

    pub(super) fn refused(&self, status: &str, text: String) -> Cause {
        let text = if text.is_empty() { "no error message".into() } else { text };
        Cause::Answer { service: self.name, status: status.to_owned(), text }
    }
}

/// Reads the text of a response, up to the chunk in which it exceeds the limit.
async fn text_of(mut response: Response) -> reqwest::Result<String> {
    let mut bytes = Vec::new();
    while bytes.len() <= ANSWER
        && let Some(piece) = response.chunk().await?
    {
        bytes.extend_from_slice(&piece);
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// `Retry-After` (RFC 9110, 10.2.3): seconds, or a date, which is compared with the clock of the service.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let then = httpdate::parse_http_date(text).ok()?;
    let now = headers.get(DATE)?.to_str().ok()?;
    Some(then.duration_since(httpdate::parse_http_date(now).ok()?).unwrap_or_default())
}

/// The beginning of a text in one line, without control characters, which could affect a terminal.
pub(super) fn short(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line: String = words.join(" ").chars().filter(|c| !c.is_control()).collect();
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// The value of a required variable, which must be valid in a header.
pub(super) fn secret(environment: &Environment, names: &[&'static str]) -> Result<String, Cause> {
    // Files that hold secrets end in a newline.
    let found = names.iter().find_map(|&name| Some((name, environment.get(name)?.trim())));
    match found {
        Some((_, value)) if value.bytes().all(|b| b.is_ascii_graphic()) => Ok(value.to_owned()),
        Some((variable, _)) => {
            Err(Cause::BadVariable { variable, expected: "letters, digits and signs, without blanks" })
        }
        None => Err(Cause::Missing { variable: names.first().copied().unwrap_or_default() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_asked_for_in_seconds_or_by_the_clock_of_the_service() {
        let delay = |headers: &[(_, &'static str)]| {
            let headers = headers.iter().map(|(name, value)| (name, value.parse().unwrap()));
            retry_after(&headers.map(|(name, value)| (Clone::clone(name), value)).collect())
        };
        let long_ago = "Sun, 06 Nov 1994 08:49:37 GMT";
        assert_eq!(delay(&[(RETRY_AFTER, " 7 ")]), Some(Duration::from_secs(7)));
        let a_second_later = [(RETRY_AFTER, "Sun, 06 Nov 1994 08:49:38 GMT"), (DATE, long_ago)];
        assert_eq!(delay(&a_second_later), Some(Duration::from_secs(1)));
        let past = [(RETRY_AFTER, long_ago), (DATE, "Sun, 06 Nov 1994 08:49:38 GMT")];
        assert_eq!(delay(&past), Some(Duration::ZERO));
        for nothing in [&[][..], &[(RETRY_AFTER, long_ago)], &[(RETRY_AFTER, "soon"), (DATE, long_ago)]] {
            assert_eq!(delay(nothing), None);
        }
    }
}
