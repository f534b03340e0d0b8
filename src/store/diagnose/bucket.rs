//! Answers of an object store.

use super::{answer::Answer, diagnosis::Diagnosis, web};
use crate::store::location::{Bucket, Service};

/// Codes that say that requests arrive too fast.
const TOO_FAST: [&str; 8] = [
    "slowdown",
    "toomanyrequests",
    "requestlimitexceeded",
    "throttl",
    "ratelimitexceeded",
    "rate limit",
    "serverbusy",
    "bandwidthlimitexceeded",
];
/// Words of a store that has no space left for the account.
const FULL: [&str; 7] = [
    "quota",
    "cap exceeded",
    "caps exceeded",
    "storagefull",
    "storage limit",
    "insufficientstorage",
    "storage_cap_exceeded",
];
/// Words of an account that is suspended.
const SUSPENDED: [&str; 6] =
    ["accountproblem", "accountisdisabled", "accountdisabled", "allaccessdisabled", "notsignedup", "billing"];
/// Words of credentials whose time is over.
const EXPIRED: [&str; 5] = [
    "expired",
    "tokenrefreshrequired",
    "not valid in the specified time frame",
    "aadsts7000222",
    "aadsts700024",
];
/// Words of a clock that is wrong.
const CLOCK: [&str; 3] = ["requesttimetooskewed", "request date header too old", "reasonable timeframe"];
/// Codes of credentials that the server does not know.
const UNKNOWN_KEY: [&str; 10] = [
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "SignatureDoesNotMatch",
    "InvalidToken",
    "InvalidIdentityToken",
    "AuthenticationFailed",
    "InvalidAuthenticationInfo",
    "NoAuthenticationInformation",
    "InvalidSecurity",
];
/// Codes of a request to the wrong region, or to the wrong address.
const ELSEWHERE: [&str; 4] = [
    "AuthorizationHeaderMalformed",
    "PermanentRedirect",
    "TemporaryRedirect",
    "IllegalLocationConstraintException",
];

/// Diagnoses an answer.
pub(super) fn explain(answer: &Answer<'_>, bucket: &Bucket) -> Diagnosis {
    let (status, code) = (answer.status, &answer.code[..]);
    let is_too_fast = status == 429 || answer.has(&TOO_FAST);
    let is_full = !is_too_fast && (status == 507 || status >= 400 && answer.has(&FULL));
    let said = if is_too_fast {
        let text = format!("the store limits the rate of requests ({})", answer.described());
        Diagnosis::new(text, Some("run the same command again later; it resumes where it failed".into()))
    } else if is_full {
        let text =
            format!("the store is full, or a quota of the account is used up ({})", answer.described());
        Diagnosis::new(text, Some("raise the quota, or delete old files with `publish prune`".into()))
    } else {
        of_bucket(answer, bucket)
    };
    let is_lasting = is_full || matches!(status, 501 | 505) || ELSEWHERE.contains(&code);
    let transient = is_too_fast || !is_lasting && matches!(status, 408 | 500..);
    Diagnosis { transient, full: is_full, status: Some(status), ..said }
}

fn of_bucket(answer: &Answer<'_>, bucket: &Bucket) -> Diagnosis {
    let (name, noun, said) = (&bucket.name, bucket.service.noun(), answer.described());
    let (text, hint) = match (answer.status, &answer.code[..]) {
        (407, _) => return web::explain(answer),
        (_, "NoSuchBucket" | "ContainerNotFound") | (404, "") => (
            format!("there is no {noun} `{name}`"),
            format!("create the {noun} first, or correct its name; check the endpoint and the region too"),
        ),
        _ if answer.has(&CLOCK) => (
            format!("the server reports that the clock of this machine is wrong ({said})"),
            "set the clock of this machine, such as with `timedatectl set-ntp true`".to_owned(),
        ),
        _ if answer.has(&EXPIRED) => (
            format!("the credentials have expired ({said})"),
            format!("get new ones: {}", credentials(bucket)),
        ),
        (301..=308, _) => elsewhere(answer, bucket),
        (_, code) if ELSEWHERE.contains(&code) => elsewhere(answer, bucket),
        _ if answer.has(&SUSPENDED) => (
            format!("the account is suspended or has no billing ({said})"),
            "check the state of the account in the console of the service; the key itself is valid"
                .to_owned(),
        ),
        (_, "SignatureDoesNotMatch") if bucket.service == Service::S3 => (
            format!("the server rejects the credentials ({said})"),
            format!(
                "{}: the secret does not belong to this key, or contains an extra blank or line",
                secret(bucket)
            ),
        ),
        (_, "InvalidAccessKeyId" | "InvalidClientTokenId") if bucket.service == Service::S3 => (
            format!("the server rejects the credentials ({said})"),
            format!(
                "{}; the server does not know this key: check whether it belongs to another service or endpoint",
                credentials(bucket)
            ),
        ),
        (401, _) => (format!("the server rejects the credentials ({said})"), credentials(bucket)),
        (_, code) if UNKNOWN_KEY.contains(&code) || answer.has(&["failed to authenticate"]) => {
            (format!("the server rejects the credentials ({said})"), credentials(bucket))
        }
        (403, "") => (
            "the server denies access (403): the credentials are wrong or insufficient".to_owned(),
            format!("{}; {}", credentials(bucket), rights(bucket)),
        ),
        (403, _) | (_, "AccessDenied") => {
            (format!("the credentials do not allow this ({said})"), rights(bucket))
        }
        (501, _) => (
            format!("the server does not support this ({said})"),
            "check that the endpoint is that of an S3 interface".to_owned(),
        ),
        (500.., _) => (
            format!("the server failed repeatedly ({})", answer.with_status()),
            "run the same command again later; it resumes where it failed".to_owned(),
        ),
        (_, "invalid_grant" | "invalid_client" | "unauthorized_client") => {
            (format!("the login was refused ({said})"), credentials(bucket))
        }
        _ => return Diagnosis::new(format!("the server answered {}", answer.with_status()), None),
    };
    Diagnosis::new(text, Some(hint))
}

/// The bucket is in another region, or at another address.
fn elsewhere(answer: &Answer<'_>, bucket: &Bucket) -> (String, String) {
    let (name, noun, said) = (&bucket.name, bucket.service.noun(), answer.described());
    let region = answer.element("Region").or_else(|| region_of(answer.element("Endpoint")?));
    match (region, answer.element("Location")) {
        (Some(region), _) => (
            format!("the {noun} `{name}` is in another region, `{region}` ({said})"),
            format!("set the region with `?region={region}` or AWS_REGION={region}"),
        ),
        (None, Some(address)) => (
            format!("the server redirects to `{address}`"),
            format!("use that address as the endpoint: `?endpoint={address}` in the location"),
        ),
        (None, None) => (
            format!("the {noun} `{name}` is in another region ({said})"),
            "set the region with `?region=REGION` or AWS_REGION=REGION".to_owned(),
        ),
    }
}

/// Returns the region in the name of an endpoint, such as `bucket.s3.eu-west-1.amazonaws.com`.
fn region_of(endpoint: &str) -> Option<&str> {
    let host = endpoint.strip_suffix(".amazonaws.com")?;
    let (_, region) = host.rsplit_once("s3.").or_else(|| host.rsplit_once("s3-"))?;
    (!region.is_empty() && !region.contains('.')).then_some(region)
}

/// Returns a hint on how to set credentials.
pub(crate) fn credentials(bucket: &Bucket) -> String {
    match bucket.service {
        Service::S3 => match bucket.options.get("profile") {
            Some(profile) => format!("check profile `{profile}` in ~/.aws/credentials and ~/.aws/config"),
            None => "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN if there is one), or \
                     AWS_PROFILE"
                .to_owned(),
        },
        Service::Gcs => "set GOOGLE_APPLICATION_CREDENTIALS to the key file of a service account or of a workload \
                         identity, or GOOGLE_OAUTH_ACCESS_TOKEN to the output of `gcloud auth print-access-token`, or run \
                         `gcloud auth application-default login`"
            .to_owned(),
        Service::Azure => "set AZURE_STORAGE_ACCOUNT_NAME with AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN, \
                           AZURE_STORAGE_CONNECTION_STRING, or AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET"
            .to_owned(),
        Service::Swift => "set ST_AUTH, ST_USER and ST_KEY, or OS_AUTH_URL, OS_USERNAME, OS_PASSWORD and \
                           OS_PROJECT_NAME"
            .to_owned(),
    }
}

/// Returns a hint on where the secret of a key is set.
fn secret(bucket: &Bucket) -> String {
    match bucket.options.get("profile") {
        Some(profile) => {
            format!("check `aws_secret_access_key` of profile `{profile}` in ~/.aws/credentials")
        }
        None => "check AWS_SECRET_ACCESS_KEY".to_owned(),
    }
}

/// Returns a hint on the permissions that publishing needs.
fn rights(bucket: &Bucket) -> String {
    let name = &bucket.name;
    match bucket.service {
        Service::S3 => format!(
            "allow s3:GetObject, s3:PutObject, s3:DeleteObject and s3:AbortMultipartUpload on `{name}/*`, and \
             s3:ListBucket on `{name}`: without it, a missing object is reported as forbidden"
        ),
        Service::Gcs => format!("give the account the role `Storage Object User` on `{name}`"),
        Service::Azure => format!("give the identity the role `Storage Blob Data Contributor` on `{name}`"),
        Service::Swift => format!("use an account that may write to `{name}`"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::store::Location;

    fn diagnosed(location: &str, body: &str) -> (String, String, bool) {
        let location = Location::parse(location, Path::new("/")).unwrap();
        let text = format!("Server returned non-2xx status code: {body}");
        let said = explain(&Answer::find(&text).unwrap(), location.bucket().unwrap());
        (said.to_string(), said.hint.unwrap_or_default(), said.transient)
    }

    fn xml(status: &str, code: &str, message: &str) -> String {
        format!("{status}: <Error><Code>{code}</Code><Message>{message}</Message></Error>")
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn an_error_is_reported_as_what_it_is() {
        for (location, body, text, hint, again) in [
            (
                "s3://apt",
                xml("403 Forbidden", "InvalidAccessKeyId", "No such key."),
                "rejects the credentials (InvalidAccessKeyId",
                "AWS_ACCESS_KEY_ID",
                false,
            ),
            (
                "s3://apt",
                xml("403 Forbidden", "SignatureDoesNotMatch", "Check."),
                "rejects the credentials (SignatureDoesNotMatch",
                "check AWS_SECRET_ACCESS_KEY",
                false,
            ),
            (
                "s3://apt?profile=cdn",
                xml("403 Forbidden", "SignatureDoesNotMatch", "Check."),
                "rejects the credentials",
                "of profile `cdn`",
                false,
            ),
            (
                "s3://apt",
                xml("403 Forbidden", "RequestTimeTooSkewed", "Too large."),
                "the clock of this machine is wrong",
                "set the clock",
                false,
            ),
            (
                "az://apt",
                xml("403 Forbidden", "AuthenticationFailed", "Request date header too old: x"),
                "the clock of this machine",
                "set the clock",
                false,
            ),
            (
                "s3://apt",
                xml("400 Bad Request", "ExpiredToken", "The provided token has expired."),
                "have expired",
                "AWS_SESSION_TOKEN",
                false,
            ),
            (
                "az://apt",
                xml(
                    "403 Forbidden",
                    "AuthenticationFailed",
                    "Signature not valid in the specified time frame",
                ),
                "have expired",
                "AZURE_STORAGE_SAS_TOKEN",
                false,
            ),
            (
                "gs://apt",
                xml("401 Unauthorized", "AuthenticationRequired", "Required."),
                "rejects the credentials",
                "GOOGLE_OAUTH_ACCESS_TOKEN",
                false,
            ),
            (
                "s3://apt",
                xml("403 Forbidden", "QuotaExceeded", "Unable."),
                "quota of the account is used up",
                "publish prune",
                false,
            ),
            (
                "s3://apt",
                xml("403 Forbidden", "AccessDenied", "Cannot upload files, storage cap exceeded."),
                "quota of the account",
                "publish prune",
                false,
            ),
            (
                "s3://apt",
                "507 Insufficient Storage: ".to_owned(),
                "the store is full",
                "publish prune",
                false,
            ),
            (
                "gs://apt",
                r#"403 Forbidden: {"error":{"message":"Full","errors":[{"reason":"quotaExceeded"}]}}"#
                    .to_owned(),
                "quota of the account",
                "quota",
                false,
            ),
            (
                "gs://apt",
                r#"403 Forbidden: {"error":{"message":"Fast","errors":[{"reason":"rateLimitExceeded"}]}}"#
                    .to_owned(),
                "limits the rate of requests",
                "again later",
                true,
            ),
            (
                "gs://apt",
                xml("429 Too Many Requests", "SlowDown", "The quota of writes."),
                "limits the rate",
                "again later",
                true,
            ),
            (
                "s3://apt",
                xml("503 Service Unavailable", "SlowDown", "Reduce."),
                "limits the rate",
                "again later",
                true,
            ),
            (
                "gs://apt",
                xml("403 Forbidden", "UserProjectAccountProblem", "The billing account is absent."),
                "suspended or has no billing",
                "account",
                false,
            ),
            (
                "s3://apt",
                xml("503 Service Unavailable", "ServiceUnavailable", "No."),
                "failed repeatedly (503",
                "again later",
                true,
            ),
            (
                "s3://apt",
                xml("501 Not Implemented", "NotImplemented", "A header."),
                "does not support this",
                "endpoint",
                false,
            ),
            (
                "s3://apt",
                "407 Proxy Authentication Required: <html>".to_owned(),
                "the proxy refuses",
                "https_proxy",
                false,
            ),
            (
                "s3://apt",
                xml("403 Forbidden", "AccessDenied", "No."),
                "do not allow this",
                "s3:PutObject",
                false,
            ),
            (
                "s3://apt",
                "404 Not Found: ".to_owned(),
                "there is no bucket `apt`",
                "create the bucket",
                false,
            ),
        ] {
            let (said, told, transient) = diagnosed(location, &body);
            assert!(said.contains(text) && told.contains(hint), "{body}: {said}\n{told}");
            assert_eq!(transient, again, "{body}");
        }
    }

    #[test]
    fn the_region_that_an_answer_names_is_in_the_hint() {
        let body =
            |more: &str| format!("421 Misdirected: <Error><Code>PermanentRedirect</Code>{more}</Error>");
        for (more, hint) in [
            ("<Region>eu-west-1</Region>", "`?region=eu-west-1` or AWS_REGION=eu-west-1"),
            ("<Endpoint>apt.s3.eu-west-1.amazonaws.com</Endpoint>", "`?region=eu-west-1`"),
            ("<Endpoint>apt.s3-eu-west-1.amazonaws.com</Endpoint>", "`?region=eu-west-1`"),
            ("<Endpoint>s3.amazonaws.com</Endpoint>", "`?region=REGION`"),
            ("<Location>https://s3.example.org</Location>", "`?endpoint=https://s3.example.org`"),
            ("", "`?region=REGION`"),
        ] {
            let (_, told, transient) = diagnosed("s3://apt", &body(more));
            assert!(told.contains(hint) && !transient, "{more}: {told}");
        }
        let (said, told, _) = diagnosed(
            "s3://apt",
            "400 Bad Request: <Code>AuthorizationHeaderMalformed</Code><Message>wrong</Message><Region>eu</Region>",
        );
        assert!(said.contains("another region, `eu`") && told.contains("?region=eu"), "{said}\n{told}");
    }
}
