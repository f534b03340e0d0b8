//! Server-side copies: the bytes are not sent again, and the cache headers are those of the new name.

use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use publish::{
    digest::Digests,
    store::{Content, Environment, Error, Put, Store},
};

use crate::{
    buckets::{self, open},
    deb_builder::deb,
    sandbox::Sandbox,
    servers::{self, Bucket},
    sync_faults::{Fault, Proxy, origin, variables},
    web_store::Script,
};

/// Names with characters that are hard for servers and signatures, and their URL encoding.
const FROM: &str = "dists/by-hash/libstdc++6_1%3a2~rc1:x&y=z";
const TO: &str = "dists/libstdc++6_1%3a2~rc1:x.deb";
const TO_ENCODED: &str = "dists/libstdc%2B%2B6_1%253a2~rc1:x.deb";

const IMMUTABLE: &str = "public, max-age=31536000, immutable";
const SHORT: &str = "public, max-age=60, must-revalidate";

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.') {
        Some((_, "deb")) => "application/vnd.debian.binary-package",
        _ => "application/octet-stream",
    }
}

/// A store with a source at [`FROM`].
async fn with_source(store: Store, bytes: &Bytes) -> Store {
    let store = store.with_content_type(content_type);
    let content = Content::Bytes(bytes.clone(), Digests::of(bytes));
    assert_eq!(store.put_new(FROM, &content).await.unwrap(), Put::Created);
    store
}

/// Whether clients get the content type and cache policy of the file's kind.
fn is_served(bucket: &Bucket, path: &str, bytes: &[u8], kind: &str, cache: &str) {
    let folder = bucket.location.splitn(4, '/').nth(3).unwrap_or_default();
    let answer = bucket.get(format!("{folder}/{path}").trim_start_matches('/'));
    let context = format!("{} {path}: {answer:?}", bucket.location);
    assert_eq!((answer.status, &answer.body[..]), (200, bytes), "{context}");
    assert_eq!(answer.header("content-type"), Some(kind), "{context}");
    assert_eq!(answer.header("cache-control"), Some(cache), "{context}");
    assert_eq!(answer.header("content-encoding"), None, "{context}");
}

/// The store in a bucket, through a proxy.
fn through(bucket: &Bucket, proxy: &Proxy) -> Store {
    let variables = variables(bucket, proxy).into_iter().map(|(name, value)| (name.to_owned(), value));
    open(&bucket.location, &variables.collect::<Environment>()).unwrap()
}

/// Copies through a proxy; returns the requests and the number of bytes sent.
async fn requests_of_a_copy(store: &Store, proxy: &Proxy) -> (Vec<String>, usize) {
    let before = proxy.seen().len();
    store.copy(FROM, TO).await.unwrap();
    let seen = proxy.seen().split_off(before);
    let sent = seen.iter().map(|seen| seen.sent).sum();
    (seen.into_iter().map(|seen| seen.method).collect(), sent)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_has_headers_of_its_own() {
    let makes =
        [servers::moto, servers::rgw, servers::azure, servers::gcs, servers::swift, servers::ignoring];
    let whole = makes.into_iter().filter_map(|make| make());
    for bucket in whole.chain(buckets::each()).chain(buckets::ignoring()) {
        let store = with_source(bucket.store(), &"one".into()).await;
        store.replace(TO, "what was there".into()).await.unwrap();
        // The first copy may check the source, the second does not.
        for _ in 0..2 {
            store.copy(FROM, TO).await.unwrap();
            is_served(&bucket, TO_ENCODED, b"one", content_type(TO), SHORT);
        }
        let of_source = "dists/by-hash/libstdc%2B%2B6_1%253a2~rc1:x%26y=z";
        is_served(&bucket, of_source, b"one", content_type(FROM), IMMUTABLE);
        for store in [&store, &bucket.store()] {
            match store.copy("dists/absent", TO).await.unwrap_err() {
                Error::Failed { action: "read", path, .. } if path == "dists/absent" => {}
                error => panic!("{}: {error:?}", bucket.server),
            }
        }
        is_served(&bucket, TO_ENCODED, b"one", content_type(TO), SHORT);
    }
}

/// The number of bytes and requests: a service that is detected by its responses needs one more request.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_sends_no_bytes() {
    let bytes = Bytes::from(vec![7; 1 << 20]);
    for (make, first, then) in [
        (buckets::moto as fn() -> Option<Bucket>, &["PUT", "HEAD"][..], &["PUT"][..]),
        (buckets::rgw, &["PUT", "HEAD"], &["PUT"]),
        (buckets::gcs, &["PUT", "HEAD"], &["PUT"]),
        (buckets::swift, &["PUT"], &["PUT"]),
        // These servers need the bytes sent.
        (buckets::azure, &["GET", "PUT"], &["GET", "PUT"]),
        (buckets::ignoring, &["PUT", "HEAD", "GET", "PUT"], &["GET", "PUT"]),
    ] {
        let Some(bucket) = make() else { continue };
        let proxy = Proxy::before(&origin(&bucket), |_, _| Fault::None);
        let store = with_source(through(&bucket, &proxy), &bytes).await;
        for expected in [first, then] {
            let (verbs, sent) = requests_of_a_copy(&store, &proxy).await;
            assert_eq!(verbs, expected, "{}", bucket.server);
            assert_eq!(sent, if expected.contains(&"GET") { bytes.len() } else { 0 }, "{}", bucket.server);
        }
        is_served(&bucket, TO_ENCODED, &bytes, content_type(TO), SHORT);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_copies_gets_the_bytes() {
    for status in ["501 Not Implemented", "400 Bad Request", "403 Forbidden", "405 Method Not Allowed"] {
        for make in [buckets::rgw as fn() -> Option<Bucket>, buckets::gcs] {
            let Some(bucket) = make() else { continue };
            let refused = AtomicBool::new(false);
            let proxy = Proxy::before(&origin(&bucket), move |_, line| {
                let copies = line.starts_with("PUT ") && line.contains(".deb");
                if copies && !refused.swap(true, Ordering::Relaxed) {
                    return Fault::Refused(status);
                }
                Fault::None
            });
            let store = with_source(through(&bucket, &proxy), &"one".into()).await;
            for verbs in [&["PUT", "GET", "PUT"][..], &["GET", "PUT"]] {
                assert_eq!(requests_of_a_copy(&store, &proxy).await.0, verbs, "{status}");
                is_served(&bucket, TO_ENCODED, b"one", content_type(TO), SHORT);
            }
        }
    }
}

/// S3 may answer 200 before the copy is complete.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_with_a_late_error_is_retried() {
    let answer = |status: &str, body: &str| {
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
    };
    let failed = "<?xml version=\"1.0\"?>\n<Error><Code>InternalError</Code><Message>again</Message></Error>";
    let done = answer("200 OK", "<CopyObjectResult><ETag>x</ETag></CopyObjectResult>");
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nETag: x\r\nLast-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\n\
         Cache-Control: {SHORT}\r\nContent-Type: application/octet-stream\r\nConnection: close\r\n\r\n"
    );
    let script = Script::of(&[&answer("200 OK", failed), &answer("503 Slow Down", ""), "", &done, &head]);
    let keys = [("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")];
    let keys = keys.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect();
    let store = open(&format!("s3://apt?endpoint={}", script.url), &keys).unwrap();
    store.copy("a", "b").await.unwrap();
    let verbs: Vec<String> = script.asked().iter().map(|line| line[..4].trim().to_owned()).collect();
    assert_eq!(verbs, ["PUT", "PUT", "PUT", "PUT", "HEAD"]);
}

/// An index is uploaded once, by its digest, and its canonical name is copied from that.
#[test]
fn an_index_is_sent_once() {
    for make in [servers::moto as fn() -> Option<Bucket>, servers::rgw, servers::gcs, servers::swift] {
        let Some(bucket) = make() else { continue };
        let sandbox = Sandbox::signed();
        let proxy = Proxy::before(&origin(&bucket), |_, _| Fault::None);
        let variables = variables(&bucket, &proxy);
        let variables: Vec<(&str, &str)> =
            variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let publish = |arguments: &[&str]| sandbox.publish_with(&variables, arguments).ok();
        let sent = |from: usize, name: &str| {
            let seen = proxy.seen().split_off(from);
            seen.iter().filter(|seen| seen.path.contains(name)).map(|seen| seen.sent).sum::<usize>()
        };
        for number in 0..40 {
            deb(&format!("package{number}")).write(sandbox.incoming());
        }
        let place = format!("{}/apt", bucket.location);
        publish(&["-a", &place, "add", sandbox.incoming().to_str().unwrap()]);
        let by_name = sent(0, "Packages");
        assert!(by_name == 0 && sent(0, "SHA256") > 3000, "{}: {by_name}", bucket.server);
        bucket.publish(&sandbox, crate::sandbox::CLOCK, &["-a", &place, "check"]).ok();

        // The same with a sync.
        sandbox.publish(["add", "incoming"]).ok();
        let from = proxy.seen().len();
        publish(&["sync", &format!("{}/other", bucket.location)]);
        let by_name = sent(from, "Packages");
        assert!(by_name == 0 && sent(from, "SHA256") > 3000, "{}: {by_name}", bucket.server);
    }
}
