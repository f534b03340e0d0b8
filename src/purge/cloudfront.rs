//! Amazon `CloudFront`: invalidations
//! (<https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CreateInvalidation.html>).
//!
//! A distribution expects paths, not URLs: those that its clients request, with the prefix of the public URL.

use std::collections::HashSet;

use hyper::Request;
use object_store::{
    aws::{AwsAuthorizer, AwsCredential},
    client::HttpRequestBody,
};

use super::{
    error::Cause,
    http::{Service, secret, short},
    urls::host_and_path,
};
use crate::store::Environment;

/// The most paths of a distribution that may be in progress, in all requests together.
const BATCH: usize = 3000;
/// `CloudFront` is one service for all regions, in this one.
const REGION: &str = "us-east-1";

pub(super) async fn purge(
    distribution: &str,
    urls: &[String],
    environment: &Environment,
) -> Result<(), Cause> {
    let credential = AwsCredential {
        key_id: secret(environment, &["AWS_ACCESS_KEY_ID"])?,
        secret_key: secret(environment, &["AWS_SECRET_ACCESS_KEY"])?,
        token: environment
            .get("AWS_SESSION_TOKEN")
            .map(|_| secret(environment, &["AWS_SESSION_TOKEN"]))
            .transpose()?,
    };
    let base = "https://cloudfront.amazonaws.com";
    let service = Service::new("CloudFront", base, "AWS_ENDPOINT_URL_CLOUDFRONT", environment)?;
    let url = service.url(&format!("/2020-05-31/distribution/{distribution}/invalidation"));
    let mut seen = HashSet::new();
    let paths: Vec<&str> =
        urls.iter().map(|url| host_and_path(url).1).filter(|path| seen.insert(*path)).collect();
    for paths in paths.chunks(BATCH) {
        // The same for each retry, so that a request whose response was lost is idempotent.
        let body = invalidation(paths, &unique());
        service.send(|| signed(&url, &body, &credential), error_message).await?;
    }
    Ok(())
}

/// A signed request; the signature is valid for minutes only, so each retry gets a new one.
fn signed(url: &str, body: &str, credential: &AwsCredential) -> Result<reqwest::Request, Cause> {
    let failed = |source| Cause::Request { url: url.to_owned(), source };
    let request = Request::post(url).header("content-type", "application/xml");
    let mut request =
        request.body(HttpRequestBody::from(body.to_owned())).map_err(|error| failed(error.into()))?;
    AwsAuthorizer::new(credential, "cloudfront", REGION)
        .try_authorize(&mut request, None)
        .map_err(|error| failed(error.into()))?;
    let request = request.map(|_| body.to_owned());
    reqwest::Request::try_from(request).map_err(|error| failed(error.into()))
}

fn invalidation(paths: &[&str], reference: &str) -> String {
    let escaped = paths.iter().map(|path| escape(path));
    let items: String = escaped.flat_map(|path| ["<Path>".into(), path, "</Path>".into()]).collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <InvalidationBatch xmlns=\"http://cloudfront.amazonaws.com/doc/2020-05-31/\">\
         <CallerReference>{reference}</CallerReference>\
         <Paths><Items>{items}</Items><Quantity>{}</Quantity></Paths></InvalidationBatch>",
        paths.len()
    )
}

/// A reference that no other request uses.
fn unique() -> String {
    format!("publish-{:032x}", rand::random::<u128>())
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// `<Error><Code>…</Code><Message>…</Message></Error>`.
fn error_message(answer: &str) -> Option<String> {
    let between = |open: &str, close: &str| {
        let (_, rest) = answer.split_once(open)?;
        Some(rest.split_once(close)?.0)
    };
    let code = between("<Code>", "</Code>")?;
    let message = between("<Message>", "</Message>").unwrap_or_default();
    Some(short(&format!("{code}: {message}")))
}
