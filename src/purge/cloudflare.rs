//! Cloudflare: purges lists of URLs (<https://developers.cloudflare.com/api/resources/cache/methods/purge/>).

use serde::Deserialize;

use super::{
    error::Cause,
    http::{Service, secret, short},
};
use crate::store::Environment;

/// The most URLs that a request may have with every plan.
const BATCH: usize = 30;

/// The form of every response.
#[derive(Deserialize)]
struct Answer {
    success: bool,
    #[serde(default)]
    errors: Vec<Fault>,
}

#[derive(Deserialize)]
struct Fault {
    code: i64,
    #[serde(default)]
    message: String,
}

pub(super) async fn purge(zone: &str, urls: &[String], environment: &Environment) -> Result<(), Cause> {
    let token = secret(environment, &["CLOUDFLARE_API_TOKEN", "CF_API_TOKEN"])?;
    let base = "https://api.cloudflare.com";
    let service = Service::new("Cloudflare", base, "CLOUDFLARE_API_URL", environment)?;
    let url = service.url(&format!("/client/v4/zones/{zone}/purge_cache"));
    // Sequentially: small plans allow a few requests a minute.
    for files in urls.chunks(BATCH) {
        let body = serde_json::json!({ "files": files }).to_string();
        let make = || {
            let request = service.client().post(&url).bearer_auth(&token);
            let request = request.header("Content-Type", "application/json").body(body.clone());
            request.build().map_err(|error| Cause::Request { url: url.clone(), source: error.into() })
        };
        let answer = service.send(make, error_message).await?;
        // Some refusals have a success status.
        if !serde_json::from_str(&answer).is_ok_and(|answer: Answer| answer.success) {
            return Err(service
                .refused("200 without `success`", error_message(&answer).unwrap_or_else(|| short(&answer))));
        }
    }
    Ok(())
}

fn error_message(answer: &str) -> Option<String> {
    let answer: Answer = serde_json::from_str(answer).ok()?;
    let all: Vec<String> =
        answer.errors.iter().map(|fault| format!("{} ({})", fault.message, fault.code)).collect();
    (!all.is_empty()).then(|| short(&all.join(", ")))
}
