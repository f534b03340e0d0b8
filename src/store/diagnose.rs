//! Diagnosis of server errors: classifies an error and gives it one text and one hint.
//!
//! `object_store` keeps the response only as text, so that text is parsed here; the integration tests check each case
//! against a real server.

use std::{error::Error, fmt};

use object_store::client::HttpError;

use super::{
    location::{Bucket, Location, Service},
    swift,
};

/// A classified server error, with a hint.
#[derive(Debug)]
pub(super) struct Diagnosis {
    text: String,
    pub(super) hint: Option<String>,
    /// Whether the server could not be reached at all.
    pub(super) unreachable: bool,
    /// Whether the same request may succeed later.
    pub(super) transient: bool,
}

impl Diagnosis {
    fn new(text: impl Into<String>, hint: Option<String>) -> Self {
        Self { text: text.into(), hint, unreachable: false, transient: false }
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for Diagnosis {}

/// A response of the server.
struct Answer<'a> {
    status: u16,
    /// The error code, such as `NoSuchBucket`.
    code: &'a str,
    message: &'a str,
    whole: &'a str,
}

impl<'a> Answer<'a> {
    /// Finds the response in the text of an error.
    fn find(text: &'a str) -> Option<Self> {
        let whole = text.rsplit_once("status code: ").map(|(_, after)| after);
        // A bulk delete reports an error for each object.
        let one = || text.split_once("(code: ").map(|(_, after)| after.trim_end_matches(')'));
        let Some(whole) = whole else {
            let code = one()?;
            return Some(Self { status: 0, code, message: "", whole: text });
        };
        let status = whole.get(..3)?.parse().ok()?;
        let element = |name: &str| {
            let (_, after) = whole.split_once(&format!("<{name}>"))?;
            Some(after.split_once('<')?.0)
        };
        let code = element("Code").unwrap_or_default();
        Some(Self { status, code, message: element("Message").unwrap_or_default(), whole })
    }
}

/// Returns whether an error says that the bucket itself does not exist, not only an object in it.
pub(super) fn no_bucket(error: &object_store::Error) -> bool {
    let text = error.to_string();
    Answer::find(&text).is_some_and(|answer| ["NoSuchBucket", "ContainerNotFound"].contains(&answer.code))
}

/// Returns the status of the response, if there was one.
pub(super) fn status(error: &object_store::Error) -> Option<u16> {
    Answer::find(&error.to_string()).map(|answer| answer.status)
}

/// Diagnoses an error of a bucket or a web server; `None` for a folder.
pub(super) fn explain(error: &object_store::Error, location: &Location) -> Option<Diagnosis> {
    if let Some(error) = swift_cause(error) {
        return Some(Diagnosis {
            transient: error.is_transient(),
            ..Diagnosis::new(error.to_string(), error.hint())
        });
    }
    let text = everything(error);
    let request = request(error);
    let unreachable =
        request.is_some_and(|error| error.is_connect() || error.is_timeout() && !error.is_body());
    let say = |text: String, hint: String| {
        Some(Diagnosis { text, hint: Some(hint), unreachable, transient: unreachable })
    };
    if matches!(location, Location::Folder(_) | Location::Memory) {
        return None;
    }
    if ["169.254.169.254", "169.254.170.2", "metadata.google.internal"].iter().any(|host| text.contains(host))
    {
        let bucket = location.bucket()?;
        return say(format!("there are no credentials for `{bucket}`"), credentials(bucket));
    }
    if let Some(answer) = Answer::find(&text) {
        let diagnosis = match location {
            Location::Bucket(bucket) => of_bucket(&answer, bucket),
            _ => of_web(&answer),
        };
        return Some(Diagnosis { transient: matches!(answer.status, 429 | 500..), ..diagnosis });
    }
    let server = server(&text, location);
    if text.contains("redirect without LOCATION") {
        return say(
            format!("`{server}` sent a redirect without a location"),
            "the region may be wrong: set it with `?region=REGION` or AWS_REGION=REGION".into(),
        );
    }
    if request.is_some_and(reqwest::Error::is_redirect) {
        let hint = "run `curl -IL URL` with the URL of this file to see the redirects";
        return say(format!("`{server}` sent too many redirects"), hint.into());
    }
    // Only the texts of the connection error: the whole text contains the URL, and packages have names such as
    // `ca-certificates`.
    let (broken, last) = connection(error)?;
    let has = |words: &[&str]| words.iter().any(|word| broken.contains(word));
    if has(&["dns error", "failed to lookup", "name or service not known"]) {
        let hint = "check the host name in the location and the endpoint, and the network";
        return say(format!("there is no server `{server}`"), hint.into());
    }
    if has(&["certificate", "handshake", "invalidcontenttype", "corrupt message"]) {
        let hint = "set AWS_CA_BUNDLE or SSL_CERT_FILE to the file of the authority's certificate; \
                    a server without TLS needs an endpoint with http://";
        return say(format!("`{server}` has no TLS certificate that is trusted here: {last}"), hint.into());
    }
    let hint = "run the same command again when the server and the network are available";
    let diagnosis = say(format!("no connection to `{server}`: {last}"), hint.into());
    diagnosis.map(|diagnosis| Diagnosis { transient: true, ..diagnosis })
}

/// Finds the error of the Swift client, which has texts of its own.
fn swift_cause(error: &object_store::Error) -> Option<&swift::Error> {
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

fn of_bucket(answer: &Answer<'_>, bucket: &Bucket) -> Diagnosis {
    let (name, noun) = (&bucket.name, bucket.service.noun());
    let said = match (answer.code, answer.message) {
        ("", _) => format!("{}", answer.status),
        (code, "") => code.to_owned(),
        (code, message) => format!("{code}: {}", message.lines().next().unwrap_or_default()),
    };
    let (text, hint) = match (answer.status, answer.code) {
        (_, "NoSuchBucket" | "ContainerNotFound") | (404, "") => (
            format!("there is no {noun} `{name}`"),
            format!("create the {noun} first, or correct its name; check the endpoint and the region too"),
        ),
        (_, "RequestTimeTooSkewed") => (
            format!("the server reports that the clock of this machine is wrong ({said})"),
            "set the clock of this machine, such as with `timedatectl set-ntp true`".to_owned(),
        ),
        (_, "ExpiredToken" | "TokenRefreshRequired") => {
            (format!("the credentials have expired ({said})"), credentials(bucket))
        }
        (
            _,
            "AuthorizationHeaderMalformed"
            | "PermanentRedirect"
            | "TemporaryRedirect"
            | "IllegalLocationConstraintException",
        )
        | (301 | 307, _) => {
            let region = answer.whole.split_once("<Region>").and_then(|(_, after)| after.split('<').next());
            let region = region.map_or_else(|| "REGION".to_owned(), ToOwned::to_owned);
            (
                format!("the {noun} `{name}` is in another region ({said})"),
                format!("set the region with `?region={region}` or AWS_REGION={region}"),
            )
        }
        (
            _,
            "InvalidAccessKeyId"
            | "SignatureDoesNotMatch"
            | "InvalidToken"
            | "AuthenticationFailed"
            | "InvalidAuthenticationInfo"
            | "NoAuthenticationInformation"
            | "InvalidSecurity",
        )
        | (401, _) => (format!("the server rejects the credentials ({said})"), credentials(bucket)),
        _ if answer.message.contains("failed to authenticate") => {
            (format!("the server rejects the credentials ({said})"), credentials(bucket))
        }
        (403, "") => (
            "the server denies access (403): the credentials are wrong or insufficient".to_owned(),
            format!("{}; {}", credentials(bucket), rights(bucket)),
        ),
        (403, _) | (_, "AccessDenied") => {
            (format!("the credentials do not allow this ({said})"), rights(bucket))
        }
        (429 | 500.., _) => (
            format!("the server failed repeatedly ({} {said})", answer.status),
            "run the same command again later; it resumes where it failed".to_owned(),
        ),
        (400, _) if answer.whole.contains("invalid_grant") || answer.whole.contains("invalid_client") => {
            ("the login was refused".to_owned(), credentials(bucket))
        }
        _ => return Diagnosis::new(format!("the server answered {} {said}", answer.status), None),
    };
    Diagnosis::new(text, Some(hint))
}

fn of_web(answer: &Answer<'_>) -> Diagnosis {
    let (text, hint) = match answer.status {
        401 | 403 => (
            format!("the web server denies access ({})", answer.status),
            Some("an archive that is read over the web must be public".to_owned()),
        ),
        429 | 500.. => (
            format!("the web server failed repeatedly ({})", answer.status),
            Some("run the same command again later".to_owned()),
        ),
        status => (format!("the web server answered {status}"), None),
    };
    Diagnosis::new(text, hint)
}

/// Returns a hint on how to set credentials.
pub(super) fn credentials(bucket: &Bucket) -> String {
    match bucket.service {
        Service::S3 => match bucket.options.get("profile") {
            Some(profile) => format!("check profile `{profile}` in ~/.aws/credentials and ~/.aws/config"),
            None => "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN if there is one), or \
                     AWS_PROFILE"
                .to_owned(),
        },
        Service::Gcs => "set GOOGLE_APPLICATION_CREDENTIALS to the key file of a service account, or run `gcloud auth \
                         application-default login`"
            .to_owned(),
        Service::Azure => "set AZURE_STORAGE_ACCOUNT_NAME with AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN, \
                           AZURE_STORAGE_CONNECTION_STRING, or AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET"
            .to_owned(),
        Service::Swift => "set ST_AUTH, ST_USER and ST_KEY, or OS_AUTH_URL, OS_USERNAME, OS_PASSWORD and \
                           OS_PROJECT_NAME"
            .to_owned(),
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

/// Returns the server of the request: from the text, else from the location.
fn server(text: &str, location: &Location) -> String {
    let url = text.split_once("://").map(|(before, after)| {
        let scheme = before.rsplit(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        format!("{scheme}://{}", after.split(['/', '?', ' ', ')']).next().unwrap_or_default())
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
