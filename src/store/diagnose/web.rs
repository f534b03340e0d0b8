//! Answers of a web server that is no object store, and those of a proxy.

use super::{answer::Answer, diagnosis::Diagnosis};
use crate::store::proxies::VIA_PROXY;

/// The hint for a proxy that requires a login.
pub(super) const PROXY_LOGIN: &str = "add the user and the password to the URL of the proxy in https_proxy or http_proxy, or exempt the server with no_proxy";

/// Diagnoses an answer.
pub(super) fn explain(answer: &Answer<'_>) -> Diagnosis {
    let status = answer.status;
    let (text, hint, transient) = match status {
        401 | 403 => {
            let hint = "an archive that is read over the web must be public";
            (format!("the web server denies access ({status})"), Some(hint), false)
        }
        407 => ("the proxy refuses the request (407)".to_owned(), Some(PROXY_LOGIN), false),
        408 | 429 | 500 | 502..=504 | 506 | 508.. => {
            let hint = "run the same command again later";
            (format!("the web server failed repeatedly ({status})"), Some(hint), true)
        }
        _ => (format!("the web server answered {status}"), None, false),
    };
    let diagnosis = Diagnosis::new(text, hint.map(ToOwned::to_owned));
    // No request reaches the server.
    Diagnosis { transient, unreachable: status == 407, status: Some(status), ..diagnosis }
}

/// Names the proxy that may have answered in place of the server.
pub(super) fn of_proxy(answer: &Answer<'_>, diagnosis: Diagnosis) -> Diagnosis {
    // A code is that of an object store.
    let Some(proxy) = answer.element(VIA_PROXY).filter(|_| answer.code.is_empty()) else { return diagnosis };
    if answer.status == 407 {
        return Diagnosis { text: format!("the proxy {proxy} refuses the request (407)"), ..diagnosis };
    }
    let text = format!("{}, unless this is the answer of the proxy {proxy}", diagnosis.text);
    let remedy = "a proxy must allow requests to the server, or no_proxy must exempt it";
    let hint = diagnosis.hint.map_or_else(|| remedy.to_owned(), |hint| format!("{hint}; {remedy}"));
    Diagnosis { text, hint: Some(hint), ..diagnosis }
}
