//! Errors for common mistakes with buckets: one text and one hint each, from real servers.

use std::{
    error::Error as _,
    fs,
    net::{TcpListener, TcpStream},
    process::{Child, Command},
    time::{Duration, Instant},
};

use futures::TryStreamExt as _;
use publish::store::{Environment, Error, Store};
use tempfile::TempDir;

use crate::{
    buckets::{self, open},
    servers::{self, Bucket},
    web_store::Script,
};

/// The bucket's store, with some variables replaced.
fn store_with(bucket: &Bucket, other: &[(&str, &str)]) -> Store {
    open(&bucket.location, &environment(bucket, other)).unwrap()
}

fn environment(bucket: &Bucket, other: &[(&str, &str)]) -> Environment {
    let said = bucket.variables.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    said.chain(other.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))).collect()
}

fn variables(of: &[(&str, &str)]) -> Environment {
    of.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// An error as the command line prints it, with its causes, and its hint.
fn printed(error: &Error) -> (String, String) {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    (text, error.hint().unwrap_or_default())
}

/// Every operation of a store fails with the same text and hint.
async fn every_operation_fails_with(store: &Store, words: &str, hint: &str) {
    let failed = [
        store.read("a/b", publish::store::Limit::mebibytes(64)).await.err(),
        store.replace("a/b", "x".into()).await.err(),
        store.swap("a/b", "x".into(), None).await.err(),
        store.list("a").await.err(),
        store.walk("").try_collect::<Vec<_>>().await.err(),
    ];
    for (number, error) in failed.iter().enumerate() {
        let (text, printed_hint) = printed(error.as_ref().unwrap_or_else(|| panic!("verb {number} is done")));
        assert!(text.contains(words) && printed_hint.contains(hint), "verb {number}: {text}\n{printed_hint}");
        assert!(!text.contains('<') && !text.contains("retr"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_is_reported() {
    let Some(bucket) = buckets::rgw() else { return };
    let words = "the server rejects the credentials";
    for wrong in [("AWS_SECRET_ACCESS_KEY", "wrong"), ("AWS_ACCESS_KEY_ID", "NOBODY")] {
        every_operation_fails_with(&store_with(&bucket, &[wrong]), words, "AWS_SECRET_ACCESS_KEY").await;
    }
    // A response without a body has no further details.
    let error = store_with(&bucket, &[("AWS_SECRET_ACCESS_KEY", "wrong")]).head("a").await.unwrap_err();
    assert!(printed(&error).0.contains("403"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_of_azure_is_reported() {
    let Some(bucket) = buckets::azure() else { return };
    // A publicly readable object is read with any key.
    let closed =
        servers::azure_request("PUT", &format!("{}?restype=container&comp=acl", bucket.public), &[], b"");
    assert_eq!(closed.status, 200, "{closed:?}");
    let store = store_with(&bucket, &[("AZURE_STORAGE_ACCOUNT_KEY", "d3Jvbmc=")]);
    every_operation_fails_with(&store, "the server rejects the credentials", "AZURE_STORAGE_ACCOUNT_KEY")
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_bucket_is_reported() {
    // A missing Swift container is created.
    for bucket in buckets::each().filter(|bucket| bucket.server != "Swift") {
        let noun = if bucket.location.starts_with("az:") { "container" } else { "bucket" };
        let missing = format!("{}z", bucket.name);
        let location = bucket.location.replace(&bucket.name, &missing);
        let store = open(&location, &bucket.environment()).unwrap();
        every_operation_fails_with(&store, &format!("there is no {noun} `{missing}`"), "or correct its name")
            .await;
        let large = vec![7; 17 << 20];
        let error = store.replace("large", large.into()).await.unwrap_err();
        assert!(printed(&error).0.contains("there is no"), "{}: {error:?}", bucket.server);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_permissions_are_reported() {
    let Some(bucket) = buckets::rgw() else { return };
    let store = bucket.store();
    store.replace("a", "x".into()).await.unwrap();
    let server = &bucket.endpoint;
    let policy = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Deny","Principal":"*","Action":
        ["s3:PutObject","s3:DeleteObject","s3:ListBucket"],
        "Resource":["arn:aws:s3:::{0}","arn:aws:s3:::{0}/*"]}}]}}"#,
        bucket.name
    );
    let url = format!("{server}/{}?policy", bucket.name);
    let set = servers::s3_request("PUT", &url, &[], policy.as_bytes());
    assert!(matches!(set.status, 200 | 204), "{set:?}");
    for error in [
        store.replace("a", "y".into()).await.unwrap_err(),
        store.list("").await.unwrap_err(),
        store.delete("a").await.unwrap_err(),
    ] {
        let (text, hint) = printed(&error);
        assert!(text.contains("the credentials do not allow this (AccessDenied"), "{text}");
        assert!(hint.contains("allow s3:GetObject, s3:PutObject"), "{hint}");
    }
    assert!(
        store.read("a", publish::store::Limit::mebibytes(64)).await.unwrap().is_some(),
        "reading is allowed still"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_server_is_reported() {
    let keys = [("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")];
    let store = open("s3://bucket?endpoint=https://nowhere.invalid", &variables(&keys)).unwrap();
    let error = store.read("a", publish::store::Limit::mebibytes(64)).await.unwrap_err();
    let (text, hint) = printed(&error);
    assert!(text.contains("there is no server `https://nowhere.invalid`"), "{text}");
    assert!(hint.contains("check the host name"), "{hint}");

    // A port without a listener.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let store = open(&format!("s3://bucket?endpoint=http://{free}"), &variables(&keys)).unwrap();
    // The name of a package must not be mistaken for a connection error.
    let (text, _) = printed(
        &store.read("pool/ca-certificates.deb", publish::store::Limit::mebibytes(64)).await.unwrap_err(),
    );
    assert!(text.contains(&format!("no connection to `http://{free}`")), "{text}");
    // Retried, and each attempt is counted.
    assert_eq!(store.requests().total, 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_credentials_are_reported_quickly() {
    for (location, other, variable) in [
        ("s3://bucket", &[][..], "AWS_ACCESS_KEY_ID"),
        ("gs://bucket", &[][..], "GOOGLE_APPLICATION_CREDENTIALS"),
        ("az://container", &[("AZURE_STORAGE_ACCOUNT_NAME", "apt")][..], "AZURE_STORAGE_ACCOUNT_KEY"),
    ] {
        let store = open(location, &variables(other)).unwrap();
        let error = store.read("a", publish::store::Limit::mebibytes(64)).await.unwrap_err();
        let (text, hint) = printed(&error);
        assert!(text.contains(&format!("there are no credentials for `{location}`")), "{text}");
        assert!(hint.contains(variable), "{hint}");
        // Each source of credentials is tried once.
        let asked = store.requests().total;
        assert!(asked <= 3, "{location}: {asked} requests");
    }
    // Immediately, if no other source is possible.
    for (location, other) in [
        ("az://container", &[][..]),
        ("s3://bucket", &[("AWS_EC2_METADATA_DISABLED", "true")][..]),
        ("s3://bucket", &[("AWS_ACCESS_KEY_ID", "a")][..]),
        ("s3://bucket?profile=nobody", &[][..]),
        ("s3://bucket", &[("AWS_PROFILE", "nobody")][..]),
        ("s3://bucket", &[("AWS_CA_BUNDLE", "/nowhere/ca.pem")][..]),
        ("s3://bucket", &[("AWS_ENDPOINT_URL", "example.org")][..]),
        ("gs://bucket", &[("GOOGLE_SERVICE_ACCOUNT", "/nowhere/key.json")][..]),
    ] {
        let error = open(location, &variables(other)).err().unwrap();
        assert!(matches!(error, Error::Unusable { .. }), "{error:?}");
        assert!(error.hint().is_some(), "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_is_enough() {
    let Some(bucket) = buckets::rgw() else { return };
    let server = &bucket.endpoint;
    let home = TempDir::with_prefix("publish-test-").unwrap();
    fs::create_dir(home.path().join(".aws")).unwrap();
    let config = format!(
        "[profile cdn]\nregion = us-east-1\nendpoint_url = {server}\ns3 =\n  addressing_style = path\n"
    );
    fs::write(home.path().join(".aws/config"), config).unwrap();
    let keys = "[cdn]\naws_access_key_id = TESTKEY\naws_secret_access_key = TESTSECRET\n";
    fs::write(home.path().join(".aws/credentials"), keys).unwrap();
    let home = home.path().to_str().unwrap();

    let by_variable = open(&bucket.location, &variables(&[("HOME", home), ("AWS_PROFILE", "cdn")])).unwrap();
    by_variable.replace("a", "x".into()).await.unwrap();
    // The profile in the location takes precedence over the keys in the environment.
    let wrong = [("HOME", home), ("AWS_ACCESS_KEY_ID", "wrong"), ("AWS_SECRET_ACCESS_KEY", "wrong")];
    let by_location = open(&format!("{}?profile=cdn", bucket.location), &variables(&wrong)).unwrap();
    assert!(by_location.read("a", publish::store::Limit::mebibytes(64)).await.unwrap().is_some());
    assert!(
        open(&format!("{}?endpoint={server}", bucket.location), &variables(&wrong))
            .unwrap()
            .read("a", publish::store::Limit::mebibytes(64))
            .await
            .is_err()
    );
}

/// Further variables, with the same meaning as those in [`buckets`].
#[tokio::test(flavor = "multi_thread")]
async fn every_source_of_credentials_works() {
    let mut stores = Vec::new();
    if let Some(bucket) = buckets::azure() {
        let [account, key] = [0, 1].map(|at| &bucket.variables[at].1);
        let endpoint = &bucket.endpoint;
        let text = format!("AccountName={account};AccountKey={key};BlobEndpoint={endpoint}/;");
        let said = variables(&[("AZURE_STORAGE_CONNECTION_STRING", &text)]);
        stores.push(open(&bucket.location, &said).unwrap());
        let location = format!("{}?account={account}&endpoint={endpoint}", bucket.location);
        stores.push(open(&location, &variables(&[("AZURE_STORAGE_KEY", key)])).unwrap());
    }
    let folder = TempDir::with_prefix("publish-test-").unwrap();
    if let Some(bucket) = buckets::gcs() {
        // The double needs no token, but the choice of the file can still be observed.
        let key = r#"{"client_email":"","private_key":"","private_key_id":"","disable_oauth":true}"#;
        let path = folder.path().join("key.json");
        fs::write(&path, key).unwrap();
        let location = format!("{}?endpoint={}", bucket.location, bucket.endpoint);
        let said = [("GOOGLE_SERVICE_ACCOUNT_KEY", key), ("GOOGLE_SERVICE_ACCOUNT", path.to_str().unwrap())];
        for one in said {
            stores.push(open(&location, &variables(&[one])).unwrap());
        }
    }
    for store in stores {
        store.replace("a", "x".into()).await.unwrap();
        assert!(
            store.read("a", publish::store::Limit::mebibytes(64)).await.unwrap().is_some(),
            "{}",
            store.location()
        );
    }
}

/// Checks the requested host, with a proxy, which receives the full URL.
#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_is_part_of_the_path_or_of_the_host() {
    let absent = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    for (location, url) in [
        ("s3://apt/x?endpoint=http://s3.example.org", "http://s3.example.org/apt/x/a~b"),
        ("s3://apt/x?endpoint=http://s3.example.org&style=virtual", "http://apt.s3.example.org/x/a~b"),
        ("gs://apt/x?endpoint=http://gs.example.org", "http://gs.example.org/apt/x%2Fa%7Eb"),
        ("az://apt/x?endpoint=http://az.example.org", "http://az.example.org/apt/x/a~b"),
    ] {
        let proxy = Script::of(&[absent; 2]);
        let said = [
            ("http_proxy", &proxy.url[..]),
            ("AWS_ACCESS_KEY_ID", "a"),
            ("AWS_SECRET_ACCESS_KEY", "b"),
            ("AZURE_STORAGE_ACCOUNT_NAME", "a"),
            ("AZURE_STORAGE_ACCOUNT_KEY", "YQ=="),
            ("STORAGE_EMULATOR_HOST", "elsewhere"),
        ];
        let store = open(location, &variables(&said)).unwrap();
        assert!(store.read("a~b", publish::store::Limit::mebibytes(64)).await.unwrap().is_none());
        store.copy("a", "a~b").await.unwrap_err();
        // Azure does not copy on the server. Google's client encodes more than necessary.
        let (verb, copied) = match url.strip_suffix("a~b") {
            Some(url) if location.starts_with("az:") => ("GET", format!("{url}a")),
            _ => ("PUT", url.replace("%2F", "/").replace("%7E", "~")),
        };
        assert_eq!(proxy.asked(), [format!("GET {url} HTTP/1.1"), format!("{verb} {copied} HTTP/1.1")]);
    }
}

/// An nginx for one test, in front of another server.
pub(crate) struct Nginx {
    pub(crate) port: u16,
    process: Child,
    pub(crate) folder: TempDir,
}

impl Nginx {
    /// Starts nginx with a line for its `http` block and one for its `server` block; `FOLDER` in them is replaced by
    /// its own folder.
    pub(crate) fn before(origin: &str, http: &str, listen: &str, server: &str) -> Option<Self> {
        let program = servers::variable("PUBLISH_TEST_NGINX")?;
        let folder = TempDir::with_prefix("publish-test-").unwrap();
        let path = folder.path().display().to_string();
        if listen == "ssl" {
            // A self-signed certificate: clients trust it only if configured to.
            let openssl = format!(
                "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -keyout {path}/key.pem -out {path}/cert.pem \
                 -subj /CN=test -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE 2>&1"
            );
            let output = Command::new("sh").args(["-c", &openssl]).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {path}/{kind};"))
            .concat();
        let config = format!(
            "daemon off; master_process off; pid {path}/pid; error_log {path}/error.log; events {{}}
             http {{ access_log off; client_max_body_size 0; {temporary} {http}
             server {{ listen 127.0.0.1:{port} {listen}; {server}
             proxy_set_header Host $http_host; location / {{ proxy_pass {origin}$request_uri; }} }} }}"
        );
        fs::write(folder.path().join("nginx.conf"), config.replace("FOLDER", &path)).unwrap();
        let process = Command::new(program)
            .args(["-c", &format!("{path}/nginx.conf"), "-e", &format!("{path}/error.log")])
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_secs(120);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "nginx does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(Self { port, process, folder })
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Ceph's gateway does not accept a quoted `ETag`; this server accepts only those. Both must work.
#[tokio::test(flavor = "multi_thread")]
async fn a_swap_uses_the_etag_form_of_the_server() {
    let Some(bucket) = buckets::moto() else { return };
    let http = r#"map $http_if_match $tag { default "\"none\""; "" ""; "~^\"" $http_if_match; }"#;
    let origin = &bucket.endpoint;
    let Some(nginx) = Nginx::before(origin, http, "", "proxy_set_header If-Match $tag;") else { return };
    let store = store_with(&bucket, &[("AWS_ENDPOINT_URL_S3", &format!("http://127.0.0.1:{}", nginx.port))]);
    store.swap("a", "one".into(), None).await.unwrap();
    let one = store.read("a", publish::store::Limit::mebibytes(64)).await.unwrap().unwrap().revision;
    let before = store.requests().total;
    store.swap("a", "two".into(), Some(&one)).await.unwrap();
    assert_eq!(store.requests().total - before, 3, "refused, read, and done");
    let lost = store.swap("a", "three".into(), Some(&one)).await;
    assert!(matches!(lost, Err(Error::Conflict { .. })), "{lost:?}");
    assert_eq!(store.read("a", publish::store::Limit::mebibytes(64)).await.unwrap().unwrap().bytes, "two");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_must_be_trusted() {
    let Some(bucket) = buckets::moto() else { return };
    let server = "ssl_certificate FOLDER/cert.pem; ssl_certificate_key FOLDER/key.pem;";
    let Some(tls) = Nginx::before(&bucket.endpoint, "", "ssl", server) else { return };
    let certificate = tls.folder.path().join("cert.pem").display().to_string();
    let location = format!("{}?endpoint=https://127.0.0.1:{}", bucket.location, tls.port);
    let store = open(&location, &bucket.environment()).unwrap();
    let (text, hint) = printed(&store.read("a", publish::store::Limit::mebibytes(64)).await.unwrap_err());
    assert!(text.contains("has no TLS certificate that is trusted here"), "{text}");
    assert!(hint.contains("AWS_CA_BUNDLE"), "{hint}");
    assert_eq!(store.requests().total, 1, "it is not asked again and again");

    for variable in ["AWS_CA_BUNDLE", "SSL_CERT_FILE"] {
        let store = open(&location, &environment(&bucket, &[(variable, &certificate)])).unwrap();
        store.replace("a", "x".into()).await.unwrap();
        assert!(store.read("a", publish::store::Limit::mebibytes(64)).await.unwrap().is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_or_untrusted_tls_is_reported() {
    let Some(bucket) = buckets::moto() else { return };
    let endpoint = bucket.endpoint.replace("http:", "https:");
    let store = open(&format!("{}?endpoint={endpoint}", bucket.location), &bucket.environment()).unwrap();
    let (text, hint) = printed(&store.read("a", publish::store::Limit::mebibytes(64)).await.unwrap_err());
    assert!(text.contains("has no TLS certificate that is trusted here"), "{text}");
    assert!(hint.contains("AWS_CA_BUNDLE"), "{hint}");
}
