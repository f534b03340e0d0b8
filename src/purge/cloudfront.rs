//! Amazon `CloudFront`: invalidations
//! (<https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CreateInvalidation.html>).
//!
//! A distribution is asked for paths, not addresses: those that its clients ask for, with the prefix of the public address.

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

/// So many paths of a distribution may be in progress, in one request or in several.
const AT_ONCE: usize = 3000;
/// `CloudFront` is one service for all regions and lives here.
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
    for paths in paths.chunks(AT_ONCE) {
        // The same for each try: a request whose answer was lost is not done twice.
        let body = invalidation(paths, &unique());
        service.send(|| signed(&url, &body, &credential), tell).await?;
    }
    Ok(())
}

/// A request with its signature, which is valid for minutes only: each try gets its own.
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

/// A reference that no other request ever had.
fn unique() -> String {
    format!("publish-{:032x}", rand::random::<u128>())
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// `<Error><Code>…</Code><Message>…</Message></Error>`.
fn tell(answer: &str) -> Option<String> {
    let between = |open: &str, close: &str| {
        let (_, rest) = answer.split_once(open)?;
        Some(rest.split_once(close)?.0)
    };
    let code = between("<Code>", "</Code>")?;
    let message = between("<Message>", "</Message>").unwrap_or_default();
    Some(short(&format!("{code}: {message}")))
}
