//! Diagnosis of server errors: classifies an error and gives it one text and one hint.
//!
//! `object_store` keeps the response only as text, so that text is parsed here; the integration tests check each case
//! against a real server.

mod bucket;
mod web;
mod answer;
mod diagnosis;

use std::error::Error;

use object_store::client::HttpError;

use super::{
    authorities::{self, NoAuthorities},
    location::Location,
    login::LoginError,
    proxies::ProxyError,
    swift,
};
use answer::Answer;

pub(super) use bucket::credentials;
pub(super) use diagnosis::Diagnosis;

/// Returns whether an error says that the bucket itself does not exist, not only an object in it.
pub(super) fn no_bucket(error: &object_store::Error) -> bool {
    let text = error.to_string();
    Answer::find(&text)
        .is_some_and(|answer| ["NoSuchBucket", "ContainerNotFound"].contains(&answer.code.as_ref()))
}

/// Returns the status of the response, if there was one.
pub(super) fn status(error: &object_store::Error) -> Option<u16> {
    Answer::find(&error.to_string()).map(|answer| answer.status)
}

/// Diagnoses an error of a bucket or a web server; `None` for a folder.
pub(super) fn explain(error: &object_store::Error, location: &Location) -> Option<Diagnosis> {
    if let Some(error) = cause_of::<swift::Error>(error) {
        let diagnosis = Diagnosis::new(error.to_string(), error.hint());
        return Some(Diagnosis { transient: error.is_transient(), ..diagnosis });
    }
    if let Some(error) = cause_of::<LoginError>(error) {
        let diagnosis = Diagnosis::new(error.to_string(), Some(error.hint.clone()));
        return Some(Diagnosis { transient: error.transient, ..diagnosis });
    }
    if matches!(location, Location::Folder(_) | Location::Memory) {
        return None;
    }
    let text = everything(error);
    if ["169.254.169.254", "169.254.170.2", "metadata.google.internal"].iter().any(|host| text.contains(host))
    {
        let bucket = location.bucket()?;
        let diagnosis =
            Diagnosis::new(format!("there are no credentials for `{bucket}`"), Some(credentials(bucket)));
        return Some(Diagnosis { unreachable: true, ..diagnosis });
    }
    if let Some(answer) = Answer::find(&text) {
        let diagnosis = match location {
            Location::Bucket(bucket) => bucket::explain(&answer, bucket),
            _ => web::explain(&answer),
        };
        return Some(web::of_proxy(&answer, diagnosis));
    }
    without_answer(error, &text, location)
}

/// Diagnoses an error of the connection.
fn without_answer(error: &object_store::Error, text: &str, location: &Location) -> Option<Diagnosis> {
    let request = request(error);
    let unreachable =
        request.is_some_and(|error| error.is_connect() || error.is_timeout() && !error.is_body());
    let say = |text: String, hint: &str, transient: bool| {
        Some(Diagnosis { unreachable, transient, ..Diagnosis::new(text, Some(hint.to_owned())) })
    };
    let server = server(text, location);
    if text.contains("redirect without LOCATION") {
        let hint = "the region may be wrong: set it with `?region=REGION` or AWS_REGION=REGION";
        return say(format!("`{server}` sent a redirect without a location"), hint, false);
    }
    if request.is_some_and(reqwest::Error::is_redirect) {
        let hint = "run `curl -IL URL` with the URL of this file to see the redirects";
        return say(format!("`{server}` sent too many redirects"), hint, false);
    }
    // Only the texts of the connection error: the whole text contains the URL, and packages have names such as
    // `ca-certificates`.
    let (broken, last) = connection(error)?;
    let has = |words: &[&str]| words.iter().any(|word| broken.contains(word));
    let via = cause_of::<ProxyError>(error).map(|error| &error.via);
    let name = via.map_or_else(|| "the proxy".to_owned(), |via| format!("the proxy {via}"));
    if has(&["proxy authorization required"]) {
        return say(format!("{name} refuses the connection to `{server}` (407)"), web::PROXY_LOGIN, false);
    }
    if has(&["tunnel error: unsuccessful"]) {
        let hint = "allow the server in the proxy, or exempt it from the proxy with no_proxy";
        return say(format!("{name} refuses the connection to `{server}`"), hint, true);
    }
    if let Some(without) = cause_of::<NoAuthorities>(error) {
        return say(format!("`{server}` cannot be verified: {without}"), authorities::INSTALL, false);
    }
    if has(&["certificate", "handshake", "invalidcontenttype", "corrupt message"]) {
        let hint = "set AWS_CA_BUNDLE or SSL_CERT_FILE to the file of the authority's certificate; \
                    a server without TLS needs an endpoint with http://";
        return say(format!("`{server}` has no TLS certificate that is trusted here: {last}"), hint, false);
    }
    // A proxy that cannot be reached looks like a server that cannot be reached.
    if has(&["dns error", "failed to lookup", "name or service not known"]) {
        if let Some(via) = via {
            let hint = "check the host name of the proxy, and the network";
            return say(format!("no connection to `{server}`: its proxy {via} has no address"), hint, true);
        }
        let hint = "check the host name in the location and the endpoint, and the network";
        return say(format!("there is no server `{server}`"), hint, true);
    }
    let hint = if via.is_none() {
        "run the same command again when the server and the network are available"
    } else {
        "check that the proxy is available, or exempt the server from it with no_proxy; then run the same command again"
    };
    let proxy = via.map(|via| format!(" (its proxy is {via})")).unwrap_or_default();
    say(format!("no connection to `{server}`: {last}{proxy}"), hint, true)
}

/// Finds an error of a type with texts of its own among the causes.
fn cause_of<T: Error + 'static>(error: &object_store::Error) -> Option<&T> {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(inner) = cause {
        if let Some(error) = inner.downcast_ref() {
            return Some(error);
        }
        cause = inner.source();
    }
    None
}

/// Finds the innermost error of the HTTP client, which knows the failed step.
fn request(error: &object_store::Error) -> Option<&reqwest::Error> {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    let mut found = None;
    while let Some(inner) = cause {
        found = inner.downcast_ref().or(found);
        cause = inner.source();
    }
    found
}

/// Returns the texts of a connection error in lower case, and its innermost cause, which is the useful part for a
/// user.
fn connection(error: &object_store::Error) -> Option<(String, String)> {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(inner) = cause.filter(|inner| !inner.is::<HttpError>()) {
        cause = inner.source();
    }
    let (mut all, mut last) = (String::new(), String::new());
    while let Some(inner) = cause {
        last = inner.to_string();
        all.push_str(&last.to_lowercase());
        cause = inner.source();
    }
    (!all.is_empty()).then_some((all, last))
}

/// Returns the server of the request: from the text, else from the location.
fn server(text: &str, location: &Location) -> String {
    let url = text.split_once("://").map(|(before, after)| {
        let scheme = before.rsplit(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        format!("{scheme}://{}", after.split(['/', '?', ' ', ')', '`']).next().unwrap_or_default())
    });
    url.unwrap_or_else(|| location.to_string())
}

/// Returns the text of an error with all of its causes.
fn everything(error: &object_store::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let more = inner.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = inner.source();
    }
    text
}
