//! Tests against a real Swift and a real Keystone.
//!
//! [`proxy`] injects faults. No server with a version 2 login or with Cloud Files' CDN is available any more, so the
//! proxy answers these requests itself; all storage behind it is real.

mod faults;
mod large;
mod login;
mod objects;
mod proxy;

use std::{
    collections::BTreeMap,
    io::Write as _,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::{ObjectStore, ObjectStoreExt, path::Path};

use super::{
    client::Request,
    error::Error,
    handle::{Limits, Swift},
};
use crate::store::{environment::Environment, requests::Watch, retry::RetryPolicy};

/// Returns the URL of the real server, if there is one.
fn server() -> Option<String> {
    variable("PUBLISH_TEST_SWIFT")
}

/// Reads a variable of the test run; a test without it prints that it was skipped, which fails in CI.
fn variable(name: &str) -> Option<String> {
    let value = std::env::var(name).ok().filter(|value| !value.is_empty());
    if value.is_none() {
        skipped(&format!("{name} is not set"));
    }
    value
}

fn skipped(why: &str) {
    let thread = std::thread::current();
    let line = format!("SKIPPED {}: {why}", thread.name().unwrap_or("a test"));
    let _ = writeln!(std::io::stderr(), "\n{line}");
    if let Some(path) = std::env::var_os("PUBLISH_TEST_SKIPS") {
        let mut file = std::fs::File::options().append(true).create(true).open(path).unwrap();
        writeln!(file, "{line}").unwrap();
    }
    let strict = ["CI", "PUBLISH_TEST_STRICT"].map(|name| std::env::var(name).unwrap_or_default());
    assert!(strict[0] != "true" && strict[1] != "1", "{line}");
}

/// Returns an HTTP client for the tests themselves.
fn http() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

/// Returns the name of a new container.
fn new_container() -> String {
    format!("publish-test-{:016x}", rand::random::<u64>())
}

fn environment(variables: &[(&str, &str)]) -> Environment {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Returns the variables of a version 1 login.
fn v1(server: &str) -> Vec<(String, String)> {
    [
        ("ST_AUTH", format!("{server}/auth/v1.0")),
        ("ST_USER", "test:tester".into()),
        ("ST_KEY", "testing".into()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// A retry policy for tests, with short pauses.
fn short_pauses() -> RetryPolicy {
    RetryPolicy { pause: Duration::from_millis(20), ..RetryPolicy::default() }
}

/// The parameters to open a container.
struct Opening {
    container: String,
    prefix: String,
    options: BTreeMap<String, String>,
    variables: Vec<(String, String)>,
    limits: Limits,
    retry: RetryPolicy,
}

impl Opening {
    fn new(server: &str) -> Self {
        Self {
            container: new_container(),
            prefix: String::new(),
            options: BTreeMap::new(),
            variables: v1(server),
            limits: Limits::default(),
            retry: short_pauses(),
        }
    }

    fn set(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    fn option(mut self, name: &str, value: &str) -> Self {
        self.options.insert(name.to_owned(), value.to_owned());
        self
    }

    fn try_open(&self) -> Result<Swift, Error> {
        let environment = self.variables.iter().cloned().collect();
        Swift::with(
            &self.container,
            &self.prefix,
            &self.options,
            &environment,
            self.limits,
            self.retry,
            &Watch::default(),
        )
    }

    fn open(&self) -> Swift {
        self.try_open().unwrap()
    }
}

/// Parses a path.
fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

async fn put(swift: &Swift, at: &str, bytes: impl Into<Bytes>) {
    swift.put(&path(at), bytes.into().into()).await.unwrap();
}

async fn get(swift: &Swift, at: &str) -> Bytes {
    swift.get(&path(at)).await.unwrap().bytes().await.unwrap()
}

async fn names(swift: &Swift, prefix: Option<&str>) -> Vec<String> {
    let prefix = prefix.map(path);
    let all: Vec<_> = swift.list(prefix.as_ref()).try_collect().await.unwrap();
    all.into_iter().map(|meta| meta.location.to_string()).collect()
}

/// Returns the names in the container of segments.
async fn segments(swift: &Swift) -> Vec<String> {
    let page = swift.0.page(&swift.0.segments, "", false, "").await.unwrap().unwrap_or_default();
    let name = |entry| match entry {
        super::listing::Entry::Object(object) => object.name,
        super::listing::Entry::Folder { subdir } => subdir,
    };
    page.into_iter().map(name).collect()
}

/// Sends a request as the owner of the account, past the object store.
async fn raw(swift: &Swift, request: Request) -> super::wire::Answer {
    swift.0.client.send(&request).await.unwrap()
}

/// Reads an object without a token.
async fn anonymous(swift: &Swift, key: &str) -> (u16, Bytes) {
    let storage = swift.0.client.storage().await.unwrap();
    let slash = if key.is_empty() { "" } else { "/" };
    let response = http().get(format!("{storage}/{}{slash}{key}", swift.0.container)).send().await.unwrap();
    (response.status().as_u16(), response.bytes().await.unwrap())
}

/// Returns the Swift error inside an error of an object store.
fn cause(error: &object_store::Error) -> &Error {
    let mut inner: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(cause) = inner {
        if let Some(found) = cause.downcast_ref() {
            return found;
        }
        inner = cause.source();
    }
    panic!("{error:?}")
}

/// Returns bytes in which no two parts are the same.
fn noise(size: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..size).map(|_| next()).collect()
}

#[test]
fn pauses_grow_and_end() {
    let retry = RetryPolicy::default();
    let since = tokio::time::Instant::now();
    for (tries, least, most) in [(1, 150, 300), (2, 300, 600), (5, 2400, 4800)] {
        let pause = retry.wait(tries, since, None).unwrap().as_millis();
        assert!((least..=most).contains(&pause), "{tries}: {pause}");
    }
    assert_eq!(retry.wait(6, since, None), None);
    let requested = |seconds| retry.wait(1, since, Some(Duration::from_secs(seconds)));
    assert_eq!(requested(7), Some(Duration::from_secs(7)));
    assert_eq!(requested(86_400), Some(retry.longest), "a server cannot stop us for a day");
    let late = Instant::now().checked_sub(Duration::from_secs(59)).unwrap();
    assert_eq!(retry.wait(1, late.into(), Some(Duration::from_secs(5))), None);
}

#[test]
fn names_that_are_no_containers() {
    for bad in ["", "a/b", "..", &"x".repeat(248), "a\nb"] {
        let opening = Opening { container: bad.to_owned(), ..Opening::new("http://127.0.0.1:1") };
        assert!(matches!(opening.try_open(), Err(Error::BadValue { .. })), "{bad:?}");
    }
    let error = Swift::open("c", "", &BTreeMap::new(), &environment(&[]), &Watch::default()).unwrap_err();
    let said = error.to_string();
    assert_eq!(said, "no account of OpenStack Swift is set in the environment");
    assert!(error.hint().unwrap().contains("ST_AUTH"));
}
