//! Sends the requests of `object_store` with reqwest.
//!
//! `object_store` has such code too, behind a feature that brings HTTP/2, which no store needs: fewer lines of code
//! read the responses of servers.

use std::{error::Error, io::ErrorKind};

use http_body_util::BodyExt as _;
use object_store::client::{HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody};
use reqwest::Url;

/// Sends a request, and returns the response once its head has arrived.
pub(super) async fn send(client: &reqwest::Client, request: HttpRequest) -> Result<HttpResponse, HttpError> {
    let (head, body) = request.into_parts();
    let url = Url::parse(&head.uri.to_string());
    let url = url.map_err(|error| HttpError::new(HttpErrorKind::Unknown, error))?;
    let mut request = reqwest::Request::new(head.method, url);
    *request.headers_mut() = head.headers;
    // A body of one piece can be sent again on another connection.
    *request.body_mut() = Some(match body.as_bytes() {
        Some(bytes) => bytes.clone().into(),
        None => reqwest::Body::wrap(body),
    });
    let response = client.execute(request).await.map_err(classified)?;
    let (head, body) = hyper::Response::<reqwest::Body>::from(response).into_parts();
    Ok(HttpResponse::from_parts(head, HttpResponseBody::new(body.map_err(classified))))
}

/// Classifies an error; `object_store` decides by the kind whether it sends the request again.
fn classified(error: reqwest::Error) -> HttpError {
    let kind = if error.is_timeout() {
        HttpErrorKind::Timeout
    } else if error.is_connect() {
        HttpErrorKind::Connect
    } else if error.is_decode() {
        HttpErrorKind::Decode
    } else {
        kind_among_causes(&error).unwrap_or(HttpErrorKind::Unknown)
    };
    // The URL is shown by `object_store`, unless it is secret.
    HttpError::new(kind, error.without_url())
}

fn kind_among_causes(error: &dyn Error) -> Option<HttpErrorKind> {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(kind) = kind_of(inner) {
            return Some(kind);
        }
        cause = inner.source();
    }
    None
}

/// Returns the kind that a cause of an error implies.
fn kind_of(cause: &(dyn Error + 'static)) -> Option<HttpErrorKind> {
    if let Some(error) = cause.downcast_ref::<hyper::Error>() {
        if error.is_closed() || error.is_incomplete_message() || error.is_body_write_aborted() {
            return Some(HttpErrorKind::Request);
        }
        if error.is_timeout() {
            return Some(HttpErrorKind::Timeout);
        }
    }
    match cause.downcast_ref::<std::io::Error>()?.kind() {
        ErrorKind::TimedOut => Some(HttpErrorKind::Timeout),
        ErrorKind::ConnectionAborted
        | ErrorKind::ConnectionReset
        | ErrorKind::BrokenPipe
        | ErrorKind::UnexpectedEof => Some(HttpErrorKind::Interrupted),
        _ => None,
    }
}
