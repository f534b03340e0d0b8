//! S3: Amazon's, and every compatible service.
//!
//! Variables and files are those of Amazon's own tools
//! (<https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html>).

use std::sync::Arc;

use object_store::{
    aws::{AmazonS3Builder, AmazonS3ConfigKey as Key, AwsAuthorizer, AwsCredentialProvider, Checksum},
    client::{HttpConnector, HttpRequest},
};

use super::{
    checksums::Checksums,
    copy::{Copying, Place, Sign},
    credentials_file,
    opened::{Objects, OpenError},
    profile::{Profile, Profiles},
};
use crate::store::{
    environment::Environment,
    http::Http,
    location::{self, Bucket},
};

pub(super) fn open(bucket: &Bucket, environment: &Environment, http: Http) -> Result<Objects, OpenError> {
    let option = |name: &str| bucket.options.get(name).map(String::as_str);
    let profile = Profiles::read(environment)?.choose(option("profile"), environment)?;
    let endpoint = option("endpoint")
        .or_else(|| environment.first_of(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]))
        .or(profile.endpoint_url.as_deref())
        .map(|endpoint| endpoint.trim_end_matches('/'));
    if let Some(endpoint) = endpoint {
        location::check_endpoint(endpoint).map_err(|why| {
            OpenError::new(why, "correct AWS_ENDPOINT_URL, or `endpoint_url` of the profile")
        })?;
    }
    let region = option("region")
        .or_else(|| environment.first_of(&["AWS_REGION", "AWS_DEFAULT_REGION"]))
        .or(profile.region.as_deref())
        .unwrap_or("us-east-1");
    if region.is_empty() || !region.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) {
        let why = format!("`{}` cannot be a region", region.escape_debug());
        return Err(OpenError::new(why, "set it with `?region=REGION` or AWS_REGION=REGION"));
    }
    let requested = option("style").or(profile.addressing_style.as_deref()).filter(|style| *style != "auto");
    let virtual_hosted = match (requested, endpoint) {
        (Some(style), _) => style == "virtual",
        // A certificate for `*.s3.amazonaws.com` does not match a name with dots.
        (None, None) => !bucket.name.contains('.'),
        (None, Some(_)) => false,
    };
    let server = endpoint.map_or_else(|| format!("https://s3.{region}.amazonaws.com"), ToOwned::to_owned);
    let url = match server.split_once("://") {
        Some((scheme, host)) if virtual_hosted => format!("{scheme}://{}.{host}", bucket.name),
        _ => format!("{server}/{}", bucket.name),
    };
    http.require_roots(endpoint)?;
    let client = http.connect(&Http::options(endpoint))?;
    let with_checksums = sends_checksums(&profile, environment)?;
    let checksums = Checksums::new(http, with_checksums);
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&bucket.name)
        .with_http_connector(checksums.clone())
        .with_client_options(Http::options(endpoint))
        .with_retry(Http::retry())
        .with_region(region)
        .with_virtual_hosted_style_request(virtual_hosted)
        .with_endpoint(if virtual_hosted { url.clone() } else { server });
    if with_checksums {
        builder = builder.with_checksum_algorithm(Checksum::SHA256);
    }
    let objects = with_credentials(builder, &profile, option("profile").is_some(), environment)?.build()?;
    let signer = Signature { credentials: Arc::clone(objects.credentials()), region: region.to_owned() };
    checksums.sign_with(signer.clone());
    let place = Place { bucket: bucket.name.clone(), url, dialect: "x-amz-" };
    Ok((Arc::new(Copying { objects, signer, http: client, place }), endpoint.map(ToOwned::to_owned)))
}

/// Returns whether checksums are sent where no operation requires them: as the setting of Amazon's tools says, else yes.
fn sends_checksums(profile: &Profile, environment: &Environment) -> Result<bool, OpenError> {
    let variable = environment.get("AWS_REQUEST_CHECKSUM_CALCULATION");
    let Some(set) = variable.or(profile.request_checksum_calculation.as_deref()) else { return Ok(true) };
    match &set.to_ascii_lowercase()[..] {
        "when_supported" => Ok(true),
        "when_required" => Ok(false),
        _ => Err(OpenError::new(
            format!("the calculation of checksums cannot be `{set}`"),
            "set AWS_REQUEST_CHECKSUM_CALCULATION, or `request_checksum_calculation` of the profile, to `when_supported` \
             or `when_required`",
        )),
    }
}

/// Signature version 4.
#[derive(Debug, Clone)]
struct Signature {
    credentials: AwsCredentialProvider,
    region: String,
}

#[async_trait::async_trait]
impl Sign for Signature {
    async fn sign(&self, request: &mut HttpRequest) -> object_store::Result<()> {
        let credential = self.credentials.get_credential().await?;
        // The digest of a body is known if the request was signed before.
        let digest = request.headers().get(DIGEST_HEADER).and_then(|value| from_hex(value.as_bytes()));
        let digest = digest.as_ref().map(|digest| &digest[..]);
        AwsAuthorizer::new(&credential, "s3", &self.region).try_authorize(request, digest)
    }
}

/// The header of the SHA-256 of the body.
const DIGEST_HEADER: &str = "x-amz-content-sha256";

/// Reads a SHA-256 in hexadecimal.
fn from_hex(text: &[u8]) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

/// Takes the first available of: keys in the environment, keys of the profile (before the environment if the location
/// names the profile), a web identity, the credentials of the container, those of the machine.
fn with_credentials(
    builder: AmazonS3Builder,
    profile: &Profile,
    profile_first: bool,
    environment: &Environment,
) -> Result<AmazonS3Builder, OpenError> {
    let variable = |name| environment.get(name).map(ToOwned::to_owned);
    if !profile_first {
        match (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY")) {
            (Some(id), Some(secret)) => {
                return Ok(with_keys(builder, &id, &secret, environment.get("AWS_SESSION_TOKEN")));
            }
            (None, None) => {}
            (Some(_), None) => return Err(incomplete("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID")),
            (None, Some(_)) => return Err(incomplete("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")),
        }
    }
    if let Some((id, secret)) = profile.keys()? {
        return Ok(with_keys(builder, id, secret, profile.session_token.as_deref()));
    }
    let identities = [
        (profile.web_identity_token_file.clone(), profile.role_arn.clone()),
        (variable("AWS_WEB_IDENTITY_TOKEN_FILE"), variable("AWS_ROLE_ARN")),
    ];
    for (token, role) in identities {
        if let (Some(token), Some(role)) = (token, role) {
            credentials_file::check(&token, "the web identity token")?;
            let mut builder =
                builder.with_config(Key::WebIdentityTokenFile, token).with_config(Key::RoleArn, role);
            if let Some(name) = variable("AWS_ROLE_SESSION_NAME") {
                builder = builder.with_config(Key::RoleSessionName, name);
            }
            return Ok(builder);
        }
    }
    if let Some(why) = &profile.unsupported_source {
        return Err(OpenError::new(
            why,
            "give it static keys, or set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, as \
             `aws configure export-credentials --format env` prints them",
        ));
    }
    if let Some(uri) = variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
        return Ok(builder.with_config(Key::ContainerCredentialsRelativeUri, uri));
    }
    if let (Some(uri), Some(file)) =
        (variable("AWS_CONTAINER_CREDENTIALS_FULL_URI"), variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"))
    {
        credentials_file::check(&file, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")?;
        return Ok(builder
            .with_config(Key::ContainerCredentialsFullUri, uri)
            .with_config(Key::ContainerAuthorizationTokenFile, file));
    }
    if variable("AWS_EC2_METADATA_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Err(OpenError { why: "there are no credentials".into(), hint: None });
    }
    Ok(builder)
}

fn with_keys(builder: AmazonS3Builder, id: &str, secret: &str, token: Option<&str>) -> AmazonS3Builder {
    let builder = builder.with_access_key_id(id).with_secret_access_key(secret);
    match token {
        Some(token) => builder.with_token(token),
        None => builder,
    }
}

fn incomplete(name: &str, other: &str) -> OpenError {
    OpenError::new(format!("{other} is set and {name} is not"), "set both, or neither")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_in_hexadecimal() {
        assert_eq!(from_hex("0f".repeat(32).as_bytes()), Some([15; 32]));
        for none in ["UNSIGNED-PAYLOAD", "", &"0f".repeat(31), &"0g".repeat(32), &"é".repeat(32)] {
            assert_eq!(from_hex(none.as_bytes()), None, "{none}");
        }
    }
}
