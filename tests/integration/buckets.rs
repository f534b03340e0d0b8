//! Buckets on the servers of the test run, each made for one test by plain HTTP.
//!
//! moto knows the rules of S3 best and checks no signature; Ceph's gateway is a real one and does; Azurite is Microsoft's own
//! emulator. Of Google's service there is none that could be had: a double made of nginx and moto stands for its XML API.

use std::{
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

use publish::store::{Environment, Location, Store};

use crate::sandbox::{sha256, skipped};

/// The account of every Azure emulator.
const AZURE_ACCOUNT: &str = "devstoreaccount1";
const AZURE_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// A new bucket of one test.
pub(crate) struct TestBucket {
    /// What the server is called.
    pub(crate) server: &'static str,
    pub(crate) name: String,
    /// Where a store is opened; within a folder of the bucket, so that prefixes are tried too.
    pub(crate) location: String,
    /// What must be known to open it.
    pub(crate) variables: Vec<(&'static str, String)>,
}

impl TestBucket {
    pub(crate) fn environment(&self) -> Environment {
        self.variables.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }

    pub(crate) fn store(&self) -> Store {
        open(&self.location, &self.environment()).unwrap()
    }
}

/// Opens the store at a location.
pub(crate) fn open(location: &str, environment: &Environment) -> Result<Store, publish::store::Error> {
    let location = Location::parse(location, std::path::Path::new("/nowhere")).unwrap();
    Store::open(&location, environment)
}

/// A new bucket on every server.
pub(crate) fn each() -> impl Iterator<Item = TestBucket> {
    [moto, rgw, azure, gcs, swift].into_iter().filter_map(|make| make())
}

pub(crate) fn moto() -> Option<TestBucket> {
    let (server, name) = (server("moto", "PUBLISH_TEST_MOTO")?, unique());
    curl(&["-X", "PUT", &format!("{server}/{name}")]);
    Some(s3("moto", server, name, ("anybody", "anything")))
}

pub(crate) fn rgw() -> Option<TestBucket> {
    let (server, name) = (server("Ceph's radosgw", "PUBLISH_TEST_RGW")?, unique());
    rgw_put(&format!("{server}/{name}"), "");
    Some(s3("radosgw", server, name, ("TESTKEY", "TESTSECRET")))
}

fn s3(kind: &'static str, server: String, name: String, (id, secret): (&str, &str)) -> TestBucket {
    let variables = vec![
        ("AWS_ENDPOINT_URL_S3", server),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", id.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", secret.to_owned()),
    ];
    TestBucket { server: kind, location: format!("s3://{name}/a/b~c"), name, variables }
}

pub(crate) fn azure() -> Option<TestBucket> {
    // Shared keys sign a text of their own kind, which curl does not know.
    const MAKE: &str = "
import sys, hmac, hashlib, base64, urllib.request, email.utils
url, account, key, name = sys.argv[1:]
headers = {'x-ms-date': email.utils.formatdate(usegmt=True), 'x-ms-version': '2021-12-02'}
lines = ''.join(f'{name}:{value}\\n' for name, value in sorted(headers.items()))
text = 'PUT' + '\\n' * 12 + lines + f'/{account}/{account}/{name}\\nrestype:container'
signature = base64.b64encode(hmac.new(base64.b64decode(key), text.encode(), hashlib.sha256).digest()).decode()
headers |= {'Authorization': f'SharedKey {account}:{signature}', 'Content-Length': '0'}
urllib.request.urlopen(urllib.request.Request(f'{url}/{name}?restype=container', method='PUT', headers=headers))
";
    let (server, name) = (server("Azurite", "PUBLISH_TEST_AZURE")?, unique());
    let made = Command::new("python3").args(["-c", MAKE, &server, AZURE_ACCOUNT, AZURE_KEY, &name]).status();
    assert!(made.unwrap().success(), "no container could be made on {server}");
    let variables = vec![
        ("AZURE_STORAGE_ENDPOINT", server),
        ("AZURE_STORAGE_ACCOUNT_NAME", AZURE_ACCOUNT.to_owned()),
        ("AZURE_STORAGE_ACCOUNT_KEY", AZURE_KEY.to_owned()),
    ];
    Some(TestBucket { server: "Azurite", location: format!("az://{name}/a/b~c"), name, variables })
}

pub(crate) fn gcs() -> Option<TestBucket> {
    let (server, name) = (server("the double of Google's storage", "PUBLISH_TEST_GCS")?, unique());
    curl(&["-X", "PUT", &format!("{server}/{name}")]);
    let variables = vec![("STORAGE_EMULATOR_HOST", server)];
    Some(TestBucket { server: "GCS double", location: format!("gs://{name}/a/b~c"), name, variables })
}

/// A container that the first write makes.
pub(crate) fn swift() -> Option<TestBucket> {
    let (server, name) = (server("OpenStack Swift", "PUBLISH_TEST_SWIFT")?, unique());
    let variables = vec![
        ("ST_AUTH", format!("{server}/auth/v1.0")),
        ("ST_USER", "test:tester".to_owned()),
        ("ST_KEY", "testing".to_owned()),
    ];
    Some(TestBucket { server: "Swift", location: format!("swift://{name}/a/b~c"), name, variables })
}

/// The URL of a server, or a skip.
pub(crate) fn server(what: &str, variable: &str) -> Option<String> {
    let url = std::env::var(variable).ok().filter(|url| !url.is_empty());
    if url.is_none() {
        skipped(&format!("{what} is not there ({variable})"));
    }
    url
}

fn unique() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_micros();
    // Nothing but letters and digits: Google's client encodes all else, and the double does not decode it.
    format!("t{}x{now:x}x{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// What curl prints; it fails where the server refuses.
pub(crate) fn curl(arguments: &[&str]) -> String {
    let done = Command::new("curl").args(["-fsS", "--max-time", "60"]).args(arguments).output().unwrap();
    assert!(done.status.success(), "curl {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

/// A PUT that is signed with the key of the test user of Ceph's gateway.
pub(crate) fn rgw_put(url: &str, body: &str) {
    let digest = format!("x-amz-content-sha256: {}", sha256(body.as_bytes()));
    let signed = ["--aws-sigv4", "aws:amz:us-east-1:s3", "--user", "TESTKEY:TESTSECRET", "-H", &digest];
    let body = if body.is_empty() { vec![] } else { vec!["--data-binary", body] };
    curl(&[&signed[..], &body, &["-X", "PUT", url]].concat());
}
