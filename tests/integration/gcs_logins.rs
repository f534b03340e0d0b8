//! Logins at Google Cloud Storage: workload identity federation, and access tokens.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use publish::store::{Environment, Error, Limit, Store};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    buckets::open,
    double::{Double, Said, Seen},
};

/// The path of the impersonation of a service account.
const IMPERSONATION: &str =
    "/v1/projects/-/serviceAccounts/apt@project.iam.gserviceaccount.com:generateAccessToken";

/// A double of the servers of GitHub and of Google, which are told apart by their paths.
async fn google(refuse: impl Fn(&Seen) -> Option<Said> + Send + Sync + 'static) -> Double {
    Double::new(move |seen| {
        if let Some(said) = refuse(seen) {
            return said;
        }
        let is_authorized = |token: &str| seen.header("authorization") == Some(&format!("Bearer {token}"));
        match seen.target.split('?').next().unwrap() {
            "/identity" if is_authorized("of the job") => Said::new(200, r#"{"count":1,"value":"IDENTITY"}"#),
            "/v1/token" if seen.text().contains("subject_token=IDENTITY") => {
                Said::new(200, r#"{"access_token":"FEDERATED","token_type":"Bearer","expires_in":3599}"#)
            }
            IMPERSONATION if is_authorized("FEDERATED") => {
                Said::new(200, r#"{"accessToken":"ACCOUNT","expireTime":"2030-01-01T00:00:00Z"}"#)
            }
            path if path.starts_with("/bkt/") => {
                Said::new(200, seen.header("authorization").unwrap_or("none").to_owned())
                    .with("etag", "\"e\"")
                    .with("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT")
            }
            _ => Said::new(400, r#"{"error":"invalid_request","error_description":"unexpected"}"#),
        }
    })
    .await
}

/// The file that `google-github-actions/auth` writes.
fn file(url: &str) -> Value {
    json!({
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/github",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": format!("{url}/v1/token"),
        "service_account_impersonation_url": format!("{url}{IMPERSONATION}"),
        "credential_source": {
            "url": format!("{url}/identity?audience=x"),
            "headers": {"Authorization": "Bearer of the job"},
            "format": {"type": "json", "subject_token_field_name": "value"},
        },
    })
}

fn store_with(double: &Double, variables: &[(&str, &str)]) -> Result<Store, Error> {
    let variables: Environment =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    open(&format!("gs://bkt?endpoint={}", double.url), &variables)
}

fn store_of(double: &Double, folder: &Path, file: &Value) -> Result<Store, Error> {
    let path = folder.join("gha-creds.json");
    fs::write(&path, file.to_string()).unwrap();
    store_with(double, &[("GOOGLE_APPLICATION_CREDENTIALS", path.to_str().unwrap())])
}

/// The authorization with which an object is read.
async fn authorization(store: &Store) -> String {
    let object = store.read("a", Limit::mebibytes(1)).await.unwrap().unwrap();
    String::from_utf8(object.bytes.to_vec()).unwrap()
}

/// The causes of a failed read, and its hint.
async fn failure(store: &Store) -> (String, String, bool) {
    let error = store.read("a", Limit::mebibytes(1)).await.unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    (cause, error.hint().unwrap_or_default(), error.is_transient())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_of_github_logs_in_once() {
    let (double, folder) = (google(|_| None).await, TempDir::with_prefix("publish-test-").unwrap());
    let store = store_of(&double, folder.path(), &file(&double.url)).unwrap();
    let both = futures::join!(authorization(&store), authorization(&store));
    assert_eq!(both, ("Bearer ACCOUNT".to_owned(), "Bearer ACCOUNT".to_owned()));
    let seen = double.seen();
    let logins: Vec<&Seen> = seen.iter().filter(|seen| !seen.target.starts_with("/bkt/")).collect();
    let [identity, exchange, impersonation] = logins[..] else { panic!("{logins:#?}") };
    assert_eq!((&identity.method[..], &identity.target[..]), ("GET", "/identity?audience=x"));
    assert_eq!(exchange.header("content-type"), Some("application/x-www-form-urlencoded"));
    for field in [
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange",
        "requested_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token",
        "subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Ajwt",
        "audience=%2F%2Fiam.googleapis.com%2Fprojects%2F1%2Flocations",
        "scope=https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fcloud-platform",
    ] {
        assert!(exchange.text().contains(field), "{field}: {}", exchange.text());
    }
    let wanted: Value = serde_json::from_str(&impersonation.text()).unwrap();
    assert_eq!(wanted["lifetime"], "3600s");
    assert_eq!(wanted["scope"], json!(["https://www.googleapis.com/auth/cloud-platform"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_identity_may_be_in_a_file_and_need_no_account() {
    let (double, folder) = (google(|_| None).await, TempDir::with_prefix("publish-test-").unwrap());
    let token = folder.path().join("token");
    let mut direct = file(&double.url);
    direct.as_object_mut().unwrap().remove("service_account_impersonation_url");
    for (text, format) in [
        ("IDENTITY\n", json!({})),
        ("IDENTITY", json!({"type": "text"})),
        (r#"{"token":"IDENTITY"}"#, json!({"type": "json", "subject_token_field_name": "token"})),
    ] {
        fs::write(&token, text).unwrap();
        direct["credential_source"] = json!({"file": token, "format": format});
        let store = store_of(&double, folder.path(), &direct).unwrap();
        assert_eq!(authorization(&store).await, "Bearer FEDERATED");
    }
    // A pipe has no end.
    fs::remove_file(&token).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&token).status().unwrap().success());
    let store = store_of(&double, folder.path(), &direct).unwrap();
    let (cause, ..) = failure(&store).await;
    assert!(cause.contains("it is a named pipe"), "{cause}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_retried() {
    let failures = Arc::new(AtomicUsize::new(0));
    let double = google(move |seen| {
        let fails = seen.target == "/v1/token" && failures.fetch_add(1, SeqCst) < 2;
        fails.then(|| Said::new(503, "<html>"))
    })
    .await;
    let folder = TempDir::with_prefix("publish-test-").unwrap();
    let store = store_of(&double, folder.path(), &file(&double.url)).unwrap();
    assert_eq!(authorization(&store).await, "Bearer ACCOUNT");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_login_says_at_which_step() {
    let folder = TempDir::with_prefix("publish-test-").unwrap();
    for (path, status, body, text, hint) in [
        ("/identity", 403, "", "cannot get the identity token of this job", "id-token: write"),
        ("/identity", 200, r#"{"other":"x"}"#, "the response contains none", "id-token: write"),
        (
            "/v1/token",
            400,
            r#"{"error":"invalid_grant","error_description":"The audience is wrong."}"#,
            "400 Bad Request: invalid_grant: The audience is wrong.",
            "attribute condition",
        ),
        ("/v1/token", 200, "[", "the answer is invalid at line 1", "audience"),
        (
            IMPERSONATION,
            403,
            r#"{"error":{"code":403,"message":"Permission denied","status":"PERMISSION_DENIED"}}"#,
            "PERMISSION_DENIED: Permission denied",
            "roles/iam.workloadIdentityUser",
        ),
    ] {
        let refuse = move |seen: &Seen| seen.target.starts_with(path).then(|| Said::new(status, body));
        let double = google(refuse).await;
        let store = store_of(&double, folder.path(), &file(&double.url)).unwrap();
        let (cause, told, transient) = failure(&store).await;
        assert!(cause.contains(text) && told.contains(hint) && !transient, "{cause}\n{told}");
    }
    // A server that cannot be reached is no refusal.
    let double = google(|_| None).await;
    let mut away = file(&double.url);
    away["token_url"] = "http://127.0.0.1:1/v1/token".into();
    let store = store_of(&double, folder.path(), &away).unwrap();
    let (cause, _, transient) = failure(&store).await;
    assert!(cause.contains("no connection to `http://127.0.0.1:1`") && transient, "{cause}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_used_is_refused() {
    let (double, folder) = (google(|_| None).await, TempDir::with_prefix("publish-test-").unwrap());
    let refused = |file: &Value| {
        let error = store_of(&double, folder.path(), file).err().unwrap();
        assert!(error.hint().is_some(), "{error:?}");
        error.to_string()
    };
    let with = |key: &str, value: Value| {
        let mut changed = file("http://127.0.0.1:1");
        changed[key] = value;
        changed
    };
    let source = |value| with("credential_source", value);
    for (file, text) in [
        (source(json!({"executable": {"command": "x"}})), "by `executable`, which is not supported"),
        (source(json!({"environment_id": "aws1"})), "by `environment_id`, which is not supported"),
        (source(json!({})), "names neither a `file` nor a `url`"),
        (source(json!({"url": "ftp://x/"})), "names `ftp://x/`, which is not an"),
        (with("token_url", "sts".into()), "names `sts`, which is not an"),
        (with("audience", Value::Null), "is not a file of a workload identity"),
        (with("type", "impersonated_service_account".into()), "of type `impersonated_service_account`"),
        (json!({}), "it has no `type`"),
        (json!("secret"), "it has no `type`"),
    ] {
        let said = refused(&file);
        assert!(said.contains(text), "{said}");
    }
    let path = folder.path().join("text");
    fs::write(&path, "secret = hush").unwrap();
    let said =
        store_with(&double, &[("GOOGLE_APPLICATION_CREDENTIALS", path.to_str().unwrap())]).err().unwrap();
    assert!(said.to_string().contains("is not JSON, at line 1"), "{said}");
    assert!(!said.to_string().contains("hush"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_access_token_is_used_as_it_is() {
    let (double, folder) = (google(|_| None).await, TempDir::with_prefix("publish-test-").unwrap());
    let path = folder.path().join("token");
    fs::write(&path, "TOKEN\n").unwrap();
    for name in ["GOOGLE_OAUTH_ACCESS_TOKEN", "CLOUDSDK_AUTH_ACCESS_TOKEN"] {
        let store = store_with(&double, &[(name, "TOKEN"), ("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere")]);
        assert_eq!(authorization(&store.unwrap()).await, "Bearer TOKEN");
    }
    let store = store_with(&double, &[("CLOUDSDK_AUTH_ACCESS_TOKEN_FILE", path.to_str().unwrap())]).unwrap();
    assert_eq!(authorization(&store).await, "Bearer TOKEN");
    let error = store_with(&double, &[("GOOGLE_OAUTH_ACCESS_TOKEN", "a secret")]).err().unwrap();
    assert!(!error.to_string().contains("secret") && error.hint().unwrap().contains("print-access-token"));
}

/// Files of credentials are read up to a limit, and only if they are files.
#[test]
fn files_of_credentials_are_limited() {
    let folder = TempDir::with_prefix("publish-test-").unwrap();
    let sparse = folder.path().join("sparse");
    fs::File::create(&sparse).unwrap().set_len(1 << 40).unwrap();
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for (path, why) in [(&sparse, "it has more than 1.00 MiB"), (&pipe, "it is a named pipe")] {
        let path = path.to_str().unwrap();
        for (location, variables) in [
            ("gs://bkt", vec![("GOOGLE_APPLICATION_CREDENTIALS", path)]),
            ("gs://bkt", vec![("GOOGLE_SERVICE_ACCOUNT", path)]),
            ("gs://bkt", vec![("CLOUDSDK_AUTH_ACCESS_TOKEN_FILE", path)]),
            (
                "s3://bkt",
                vec![("AWS_WEB_IDENTITY_TOKEN_FILE", path), ("AWS_ROLE_ARN", "arn:aws:iam::1:role/x")],
            ),
            (
                "s3://bkt",
                vec![
                    ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/"),
                    ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", path),
                ],
            ),
            (
                "az://container",
                vec![
                    ("AZURE_STORAGE_ACCOUNT_NAME", "apt"),
                    ("AZURE_CLIENT_ID", "c"),
                    ("AZURE_TENANT_ID", "t"),
                    ("AZURE_FEDERATED_TOKEN_FILE", path),
                ],
            ),
        ] {
            let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            let error = open(location, &variables.collect()).err().unwrap_or_else(|| panic!("{location}"));
            assert!(error.to_string().contains(why) && error.hint().is_some(), "{error}");
        }
    }
}
