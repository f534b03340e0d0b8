//! Tests of a purge: the requests to the services, the input of a command, and the errors.
//!
//! `CloudFront`, Fastly and Cloudflare cannot be run locally: a server that records its requests, over real
//! connections, replaces them. So these tests do not show how the services respond, only that each request is the
//! documented one; the AWS signature is verified by independent code. One test uses moto instead, which implements
//! `CloudFront` and stores the invalidations, but checks no signature.

use std::{
    collections::BTreeSet,
    fs,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use http_body_util::{BodyExt as _, Full};
use hyper::{
    HeaderMap, Request, Response, body::Bytes, body::Incoming, server::conn::http1, service::service_fn,
};
use hyper_util::rt::TokioIo;
use publish::{
    config::{Destinations, PurgeRule},
    purge::{Error, Purged, purge, urls},
    store::Environment,
};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::sandbox::{sha256, skipped};

/// A request that the server received.
#[derive(Debug, Clone)]
struct Asked {
    method: String,
    target: String,
    headers: HeaderMap,
    body: String,
}

impl Asked {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// A response of the server.
struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: &'static str,
    after: Duration,
}

fn answer(status: u16, body: &'static str) -> Answer {
    Answer { status, headers: Vec::new(), body, after: Duration::ZERO }
}

impl Answer {
    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    fn after(self, after: Duration) -> Self {
        Self { after, ..self }
    }
}

/// A server that records its requests.
struct Recorder {
    url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    most_at_once: Arc<AtomicUsize>,
}

impl Recorder {
    /// Responds to the n-th request, counted from 0, with the result of the script; `None` closes the connection.
    async fn new(script: impl Fn(usize) -> Option<Answer> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let recorder = Self { url, asked: Arc::default(), most_at_once: Arc::default() };
        let (asked, most) = (Arc::clone(&recorder.asked), Arc::clone(&recorder.most_at_once));
        let (script, now) = (Arc::new(script), Arc::new(AtomicUsize::new(0)));
        let respond = move |request: Request<Incoming>| {
            let (asked, most) = (Arc::clone(&asked), Arc::clone(&most));
            let (script, now) = (Arc::clone(&script), Arc::clone(&now));
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                let (head, body) = request.into_parts();
                let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
                let (method, target) = (head.method.to_string(), head.uri.to_string());
                let number = {
                    let mut all = asked.lock().unwrap();
                    all.push(Asked { method, target, headers: head.headers, body });
                    all.len() - 1
                };
                let said = script(number);
                if let Some(answer) = &said {
                    tokio::time::sleep(answer.after).await;
                }
                now.fetch_sub(1, Ordering::SeqCst);
                let Some(said) = said else { return Err("cut") };
                let mut response = Response::builder().status(said.status);
                for (name, value) in said.headers {
                    response = response.header(name, value);
                }
                Ok(response.body(Full::new(Bytes::from_static(said.body.as_bytes()))).unwrap())
            }
        };
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let respond = respond.clone();
                tokio::spawn(async move {
                    let service = service_fn(respond);
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(connection), service).await;
                });
            }
        });
        recorder
    }

    /// Gives every request the same response.
    async fn always(status: u16, body: &'static str) -> Self {
        Self::new(move |_| Some(answer(status, body))).await
    }

    /// The requests since the last call.
    fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

const AWS_KEY: &str = "AKIDEXAMPLE";
const AWS_SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const CLOUDFLARE_DONE: &str = r#"{"success":true,"errors":[],"messages":[],"result":{"id":"023e105f"}}"#;
const FASTLY_DONE: &str = r#"{"status":"ok","id":"108-1391560174-974124"}"#;

fn environment(recorder: &Recorder, more: &[(&str, &str)]) -> Environment {
    let at = ["AWS_ENDPOINT_URL_CLOUDFRONT", "FASTLY_API_URL", "CLOUDFLARE_API_URL"];
    let at = at.into_iter().map(|name| (name, recorder.url.as_str()));
    at.chain(more.iter().copied()).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn with_aws(recorder: &Recorder) -> Environment {
    environment(recorder, &[("AWS_ACCESS_KEY_ID", AWS_KEY), ("AWS_SECRET_ACCESS_KEY", AWS_SECRET)])
}

/// The rules of these lines of `conf/distributions`.
fn rules(lines: &str) -> Vec<PurgeRule> {
    let folder = TempDir::with_prefix("publish-test-").unwrap();
    let file = folder.path().join("destinations");
    fs::write(&file, format!("Name: cdn\nLocation: x\nPurge:\n {}\n", lines.replace('\n', "\n "))).unwrap();
    Destinations::read(&file).unwrap().find("cdn").unwrap().purge.clone()
}

fn numbered(count: usize) -> Vec<String> {
    let paths: Vec<String> = (0..count).map(|number| format!("dists/stable/{number}")).collect();
    urls("https://packages.example.org/apt", &paths)
}

async fn ask(rule: &str, urls: &[String], environment: &Environment) -> Result<Purged, Error> {
    purge(&rules(rule), urls, "cdn", environment).await
}

/// The first failure, with its causes.
fn chain(error: &Error) -> String {
    use std::error::Error as _;
    let mut parts = Vec::new();
    let mut cause = error.source();
    while let Some(inner) = cause {
        parts.push(inner.to_string());
        cause = inner.source();
    }
    parts.join(" / ")
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut block = [0; 64];
    block[..key.len()].copy_from_slice(key);
    let padded = |with: u8| block.map(|byte| byte ^ with);
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(text).finalize();
    Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize().to_vec()
}

/// The signature of a request by the rules of AWS Signature Version 4.
fn signature(asked: &Asked, date: &str, region: &str, service: &str, signed: &str) -> String {
    let headers: String = signed.split(';').flat_map(|name| [name, ":", asked.header(name), "\n"]).collect();
    let (method, path) = (&asked.method, &asked.target);
    let request = format!("{method}\n{path}\n\n{headers}\n{signed}\n{}", sha256(asked.body.as_bytes()));
    let day = &date[..8];
    let scope = format!("{day}/{region}/{service}/aws4_request");
    let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", sha256(request.as_bytes()));
    let mut key = format!("AWS4{AWS_SECRET}").into_bytes();
    for part in [day, region, service, "aws4_request", &text] {
        key = hmac(&key, part);
    }
    key.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

/// The verification of signatures is tested with an example of AWS, `get-vanilla` of the published test suite.
#[test]
fn the_signature_of_the_published_example_is_found() {
    let mut headers = HeaderMap::new();
    headers.insert("host", "example.amazonaws.com".parse().unwrap());
    headers.insert("x-amz-date", "20150830T123600Z".parse().unwrap());
    let asked = Asked { method: "GET".into(), target: "/".into(), headers, body: String::new() };
    assert_eq!(
        signature(&asked, "20150830T123600Z", "us-east-1", "service", "host;x-amz-date"),
        "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
    );
}

/// Fails unless the request is signed with the key of [`with_aws`].
fn is_signed(asked: &Asked) {
    let date = asked.header("x-amz-date");
    let scope = format!("{}/us-east-1/cloudfront/aws4_request", &date[..8]);
    let rest = asked.header("authorization");
    let rest = rest.strip_prefix(&format!("AWS4-HMAC-SHA256 Credential={AWS_KEY}/{scope}, SignedHeaders="));
    let (signed, found) = rest.expect("the head of the signature").split_once(", Signature=").unwrap();
    for needed in ["host", "content-type", "x-amz-content-sha256", "x-amz-date"] {
        assert!(signed.split(';').any(|name| name == needed), "{needed} is not signed: {signed}");
    }
    assert_eq!(asked.header("x-amz-content-sha256"), sha256(asked.body.as_bytes()));
    assert_eq!(found, signature(asked, date, "us-east-1", "cloudfront", signed));
}

fn between<'a>(text: &'a str, open: &str, close: &str) -> Vec<&'a str> {
    text.split(open).skip(1).map(|rest| rest.split(close).next().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn cloudfront_gets_signed_invalidations() {
    let recorder = Recorder::always(201, "<Invalidation/>").await;
    let mut all = urls("https://h/a&b", &["dists/x/InRelease".into(), "pool/g++".into()]);
    // Another host of the same distribution has the same paths.
    all.extend(urls("https://other/a&b", &["pool/g++".into()]));
    let purged = ask("cloudfront E2QWRU", &all, &with_aws(&recorder)).await.unwrap();
    assert_eq!((purged.urls, purged.by), (5, vec!["CloudFront distribution `E2QWRU`".to_owned()]));
    let asked = recorder.asked();
    let [only] = &asked[..] else { panic!("{asked:?}") };
    is_signed(only);
    assert_eq!((only.method.as_str(), only.header("content-type")), ("POST", "application/xml"));
    assert_eq!(only.target, "/2020-05-31/distribution/E2QWRU/invalidation");
    assert_eq!(only.header("x-amz-security-token"), "");
    let reference = between(&only.body, "<CallerReference>", "</CallerReference>")[0];
    assert_eq!(
        only.body.replace(reference, "REFERENCE"),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <InvalidationBatch xmlns=\"http://cloudfront.amazonaws.com/doc/2020-05-31/\">\
         <CallerReference>REFERENCE</CallerReference><Paths><Items><Path>/a&amp;b/dists/x/InRelease</Path>\
         <Path>/a&amp;b/pool/g++</Path><Path>/a&amp;b/pool/g%2b%2b</Path></Items><Quantity>3</Quantity></Paths>\
         </InvalidationBatch>"
    );
}

/// A minimal distribution.
const DISTRIBUTION: &str = "<DistributionConfig xmlns=\"http://cloudfront.amazonaws.com/doc/2020-05-31/\">\
    <CallerReference>REFERENCE</CallerReference><Comment></Comment><Enabled>true</Enabled>\
    <Origins><Quantity>1</Quantity><Items><Origin><Id>o</Id><DomainName>b.s3.amazonaws.com</DomainName>\
    <S3OriginConfig><OriginAccessIdentity></OriginAccessIdentity></S3OriginConfig></Origin></Items></Origins>\
    <DefaultCacheBehavior><TargetOriginId>o</TargetOriginId><ViewerProtocolPolicy>allow-all</ViewerProtocolPolicy>\
    </DefaultCacheBehavior></DistributionConfig>";

#[tokio::test(flavor = "multi_thread")]
async fn moto_makes_the_invalidations() {
    let Ok(moto) = std::env::var("PUBLISH_TEST_MOTO") else {
        return skipped("no moto");
    };
    // moto selects its service by the scope of the signature.
    let ask_moto = |method, path: String, body: String| {
        let scope =
            "Credential=key/20250601/us-east-1/cloudfront/aws4_request, SignedHeaders=host, Signature=0";
        let request = reqwest::Client::new().request(method, format!("{moto}/2020-05-31/distribution{path}"));
        let request = request.header("authorization", format!("AWS4-HMAC-SHA256 {scope}")).body(body);
        async { request.send().await.unwrap().text().await.unwrap() }
    };
    let _ = rustls::crypto::ring::default_provider().install_default();
    let reference = TempDir::with_prefix("publish-test-").unwrap().path().display().to_string();
    let made =
        ask_moto(reqwest::Method::POST, String::new(), DISTRIBUTION.replace("REFERENCE", &reference)).await;
    let distribution = between(&made, "<Id>", "</Id>")[0].to_owned();
    let variables = [
        ("AWS_ENDPOINT_URL_CLOUDFRONT", moto.as_str()),
        ("AWS_ACCESS_KEY_ID", AWS_KEY),
        ("AWS_SECRET_ACCESS_KEY", AWS_SECRET),
    ];
    let environment =
        variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect();
    let all = urls("https://h/a&b", &["dists/x/InRelease".into(), "pool/g++".into()]);
    ask(&format!("cloudfront {distribution}"), &all, &environment).await.unwrap();

    let get = |path: String| ask_moto(reqwest::Method::GET, path, String::new());
    let listed = get(format!("/{distribution}/invalidation")).await;
    let ids = between(&listed, "<Id>", "</Id>");
    let [id] = ids[..] else { panic!("{listed}") };
    let kept = get(format!("/{distribution}/invalidation/{id}")).await;
    assert_eq!(
        between(&kept, "<Path>", "</Path>"),
        ["/a&amp;b/dists/x/InRelease", "/a&amp;b/pool/g++", "/a&amp;b/pool/g%2b%2b"]
    );
    assert_eq!(between(&kept, "<Quantity>", "</Quantity>"), ["3"]);

    let error = ask("cloudfront ENOSUCH", &all, &environment).await.unwrap_err();
    assert!(
        chain(&error).contains("CloudFront answered 404 Not Found: NoSuchDistribution: "),
        "{}",
        chain(&error)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn cloudfront_gets_3000_paths_per_request_and_a_session_token() {
    let recorder = Recorder::always(201, "").await;
    let all = numbered(6001);
    let variables = [
        ("AWS_ACCESS_KEY_ID", AWS_KEY),
        ("AWS_SECRET_ACCESS_KEY", AWS_SECRET),
        ("AWS_SESSION_TOKEN", "session/token=="),
    ];
    ask("cloudfront E1", &all, &environment(&recorder, &variables)).await.unwrap();
    let asked = recorder.asked();
    let mut paths = Vec::new();
    let mut references = BTreeSet::new();
    for (one, count) in asked.iter().zip([3000, 3000, 1]) {
        is_signed(one);
        assert_eq!(one.header("x-amz-security-token"), "session/token==");
        assert!(one.header("authorization").contains(";x-amz-security-token,"));
        assert_eq!(between(&one.body, "<Quantity>", "</Quantity>"), [count.to_string()]);
        let items = between(&one.body, "<Path>", "</Path>");
        assert_eq!(items.len(), count);
        paths.extend(items.into_iter().map(|path| format!("https://packages.example.org{path}")));
        references.extend(between(&one.body, "<CallerReference>", "</CallerReference>"));
    }
    assert_eq!((asked.len(), references.len()), (3, 3));
    assert_eq!(paths, all);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_of_cloudfront_is_the_same_invalidation() {
    let script =
        |number| Some(if number < 2 { answer(503, "").with("retry-after", "0") } else { answer(201, "") });
    let recorder = Recorder::new(script).await;
    ask("cloudfront E1", &numbered(1), &with_aws(&recorder)).await.unwrap();
    let asked = recorder.asked();
    assert_eq!(asked.len(), 3);
    for one in &asked {
        is_signed(one);
        assert_eq!(one.body, asked[0].body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fastly_gets_one_request_per_url_eight_concurrently() {
    let script = |_| Some(answer(200, FASTLY_DONE).after(Duration::from_millis(200)));
    let recorder = Recorder::new(script).await;
    let mut all = numbered(40);
    all.extend(urls("https://packages.example.org/apt/", &["pool/g++_1~2.deb".into()]));
    let environment = environment(&recorder, &[("FASTLY_API_TOKEN", "fastly-token\n")]);
    let purged = ask("fastly SU1Z0", &all, &environment).await.unwrap();
    assert_eq!((purged.urls, purged.by), (42, vec!["Fastly service `SU1Z0`".to_owned()]));
    let asked = recorder.asked();
    let targets: BTreeSet<&str> = asked.iter().map(|one| one.target.as_str()).collect();
    let wanted: Vec<String> = all.iter().map(|url| url.replace("https://", "/purge/")).collect();
    assert_eq!(asked.len(), 42);
    assert_eq!(targets, wanted.iter().map(String::as_str).collect());
    assert!(targets.contains("/purge/packages.example.org/apt/pool/g%2b%2b_1%7e2.deb"));
    for one in &asked {
        assert_eq!(
            (one.method.as_str(), one.header("fastly-key"), one.body.as_str()),
            ("POST", "fastly-token", "")
        );
    }
    assert!(asked.iter().all(|one| one.headers.get_all("content-length").iter().eq(["0"])));
    assert_eq!(recorder.most_at_once.load(Ordering::SeqCst), 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn cloudflare_gets_thirty_urls_per_request() {
    let recorder = Recorder::always(200, CLOUDFLARE_DONE).await;
    let all = numbered(61);
    for variable in ["CLOUDFLARE_API_TOKEN", "CF_API_TOKEN"] {
        let environment = environment(&recorder, &[(variable, "cloudflare-token")]);
        let purged = ask("cloudflare 023e105f", &all, &environment).await.unwrap();
        assert_eq!((purged.urls, purged.by), (61, vec!["Cloudflare zone `023e105f`".to_owned()]));
        let asked = recorder.asked();
        let mut files: Vec<String> = Vec::new();
        for (one, count) in asked.iter().zip([30, 30, 1]) {
            assert_eq!((one.method.as_str(), one.header("content-type")), ("POST", "application/json"));
            assert_eq!(one.target, "/client/v4/zones/023e105f/purge_cache");
            assert_eq!(one.header("authorization"), "Bearer cloudflare-token");
            let body: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&one.body).unwrap();
            assert_eq!(body.keys().collect::<Vec<_>>(), ["files"]);
            let some: Vec<String> = serde_json::from_value(body["files"].clone()).unwrap();
            assert_eq!(some.len(), count);
            files.extend(some);
        }
        assert_eq!((asked.len(), files), (3, all.clone()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn transient_errors_are_retried_after_the_requested_wait() {
    let script = |number| {
        Some(match number {
            0 => answer(429, "slow down").with("retry-after", "1"),
            1 => answer(500, "")
                .with("retry-after", "Sun, 06 Nov 1994 08:49:38 GMT")
                .with("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
            2 => return None,
            _ => answer(200, CLOUDFLARE_DONE),
        })
    };
    let recorder = Recorder::new(script).await;
    let environment = environment(&recorder, &[("CF_API_TOKEN", "t")]);
    let begun = Instant::now();
    ask("cloudflare z", &numbered(1), &environment).await.unwrap();
    // Two waits of a second, as requested by the server, and then at least half of the third backoff of our own.
    assert!(begun.elapsed() >= Duration::from_secs(3), "{:?}", begun.elapsed());
    let asked = recorder.asked();
    assert_eq!(asked.len(), 4);
    assert!(asked.iter().all(|one| one.body == asked[0].body));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_persistent_error_is_reported_after_four_attempts() {
    let script = |_| Some(answer(503, "<h1>over\n capacity\u{1b}[31m</h1>").with("retry-after", "0"));
    let recorder = Recorder::new(script).await;
    let environment = environment(&recorder, &[("FASTLY_API_TOKEN", "t")]);
    let error = ask("fastly s", &numbered(1), &environment).await.unwrap_err();
    assert_eq!(recorder.asked().len(), 4);
    assert_eq!(
        error.to_string(),
        "the archive is published, but caches may serve the previous generation for as long as its Cache-Control allows"
    );
    assert_eq!(
        chain(&error),
        "the purge of Fastly service `s` failed / Fastly answered 503 Service Unavailable: <h1>over capacity[31m</h1>"
    );
}

/// A service may be anything that answers: its responses are read up to a limit, whether it succeeds or fails.
#[tokio::test(flavor = "multi_thread")]
async fn a_response_is_read_up_to_a_limit() {
    let huge: &'static str = "a".repeat((1 << 20) + 1).leak();
    for (rule, token) in [("fastly s", "FASTLY_API_TOKEN"), ("cloudflare z", "CLOUDFLARE_API_TOKEN")] {
        let recorder = Recorder::always(200, huge).await;
        let error = ask(rule, &numbered(1), &environment(&recorder, &[(token, "t")])).await.unwrap_err();
        assert!(chain(&error).ends_with("of more than 1.00 MiB"), "{}", chain(&error));
        assert_eq!(recorder.asked().len(), 1);
    }
    for status in ["200 OK", "503 Busy", "403 No"] {
        let url = crate::bounds::endless(status);
        let variables = [("FASTLY_API_URL", url.as_str()), ("FASTLY_API_TOKEN", "t")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let error = ask("fastly s", &numbered(1), &variables.into_iter().collect()).await.unwrap_err();
        let said = chain(&error);
        assert!(said.contains(&status[..3]) && said.len() < 2000, "{status}: {} bytes", said.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_connection_is_reported_after_four_attempts() {
    let recorder = Recorder::new(|_| None).await;
    let variables = [("FASTLY_API_TOKEN", "t"), ("CF_API_TOKEN", "t")];
    let mut environment = environment(&recorder, &variables);
    let error = ask("fastly s", &numbered(1), &environment).await.unwrap_err();
    assert!(chain(&error).contains("`127.0.0.1` did not respond after 4 tries / "), "{}", chain(&error));
    assert_eq!(recorder.asked().len(), 4);

    // A port without a listener.
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let there = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    environment = [("FASTLY_API_URL", format!("http://{free}").as_str()), ("FASTLY_API_TOKEN", "t")]
        .map(there)
        .into_iter()
        .collect();
    let error = ask("fastly s", &numbered(1), &environment).await.unwrap_err();
    assert!(chain(&error).contains("did not respond after 4 tries / "), "{}", chain(&error));
    assert!(chain(&error).to_lowercase().contains("connection refused"), "{}", chain(&error));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_reported_at_once_with_the_text_of_the_service() {
    let denied = "<?xml version=\"1.0\"?>\n<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>\
        <Message>User: me is not authorized</Message></Error></ErrorResponse>";
    let many = r#"{"success":false,"errors":[{"code":1016,"message":"bad file"},{"code":7003,"message":"no zone"}]}"#;
    let fastly = r#"{"msg":"Provided credentials are missing or invalid","detail":"look there"}"#;
    for (rule, status, body, text, hinted) in [
        (
            "cloudfront E1",
            403,
            denied,
            "CloudFront answered 403 Forbidden: AccessDenied: User: me is not authorized",
            true,
        ),
        ("cloudfront E1", 404, "", "CloudFront answered 404 Not Found: no error message", false),
        (
            "cloudflare z",
            400,
            many,
            "Cloudflare answered 400 Bad Request: bad file (1016), no zone (7003)",
            false,
        ),
        (
            "cloudflare z",
            200,
            many,
            "Cloudflare answered 200 without `success`: bad file (1016), no zone (7003)",
            false,
        ),
        ("cloudflare z", 200, "<html>", "Cloudflare answered 200 without `success`: <html>", false),
        (
            "fastly s",
            401,
            fastly,
            "Fastly answered 401 Unauthorized: Provided credentials are missing or invalid: look there",
            true,
        ),
        ("fastly s", 302, "elsewhere", "Fastly answered 302 Found: elsewhere", false),
    ] {
        let elsewhere = Recorder::always(200, FASTLY_DONE).await;
        let location = elsewhere.url.clone();
        let recorder = Recorder::new(move |_| Some(answer(status, body).with("location", &location))).await;
        let variables = [
            ("AWS_ACCESS_KEY_ID", AWS_KEY),
            ("AWS_SECRET_ACCESS_KEY", AWS_SECRET),
            ("FASTLY_API_TOKEN", "t"),
            ("CLOUDFLARE_API_TOKEN", "t"),
        ];
        let error = ask(rule, &numbered(1), &environment(&recorder, &variables)).await.unwrap_err();
        assert!(chain(&error).ends_with(&format!(" failed / {text}")), "{}", chain(&error));
        assert_eq!(recorder.asked().len(), 1, "{rule} {status}");
        assert_eq!(elsewhere.asked().len(), 0, "a token went elsewhere");
        assert_eq!(error.failures[0].hint().is_some(), hinted, "{rule} {status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_credentials_no_request_is_sent() {
    let recorder = Recorder::always(200, "").await;
    for (rule, variables, expected) in [
        ("cloudfront E1", vec![], "the environment variable `AWS_ACCESS_KEY_ID` is not set"),
        (
            "cloudfront E1",
            vec![("AWS_ACCESS_KEY_ID", "k")],
            "the environment variable `AWS_SECRET_ACCESS_KEY` is not set",
        ),
        ("fastly s", vec![("CF_API_TOKEN", "t")], "the environment variable `FASTLY_API_TOKEN` is not set"),
        (
            "cloudflare z",
            vec![("FASTLY_API_TOKEN", "t")],
            "the environment variable `CLOUDFLARE_API_TOKEN` is not set",
        ),
        (
            "cloudflare z",
            vec![("CF_API_TOKEN", "a secret\n")],
            "the environment variable `CF_API_TOKEN` is invalid",
        ),
        (
            "cloudfront E1",
            vec![("AWS_ACCESS_KEY_ID", "k"), ("AWS_SECRET_ACCESS_KEY", "s"), ("AWS_SESSION_TOKEN", "a\nb")],
            "the environment variable `AWS_SESSION_TOKEN` is invalid",
        ),
    ] {
        let error = ask(rule, &numbered(1), &environment(&recorder, &variables)).await.unwrap_err();
        assert!(chain(&error).contains(&format!(" failed / {expected}")), "{}", chain(&error));
        assert!(!chain(&error).contains("secret\n"));
    }
    let odd = [("FASTLY_API_URL", "not an address"), ("FASTLY_API_TOKEN", "t")];
    let odd = odd.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect();
    let error = ask("fastly s", &numbered(1), &odd).await.unwrap_err();
    assert!(chain(&error).contains("`FASTLY_API_URL` is invalid; expected"), "{}", chain(&error));
    assert_eq!(recorder.asked().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_gets_exactly_the_urls() {
    let folder = TempDir::with_prefix("publish-test-").unwrap();
    let place = folder.path().display();
    let all = urls("https://h/apt", &["dists/stable/InRelease".into(), "pool/g++~1".into()]);
    let commands =
        format!("! cat >{place}/urls\nprintf %s \"$PUBLISH_DESTINATION\" >{place}/name; echo no >&1");
    let purged = purge(&rules(&commands), &all, "my-cdn", &Environment::default()).await.unwrap();
    assert_eq!(purged.by.len(), 2);
    assert_eq!(
        fs::read_to_string(folder.path().join("urls")).unwrap(),
        "https://h/apt/dists/stable/InRelease\nhttps://h/apt/pool/g++~1\nhttps://h/apt/pool/g%2b%2b%7e1\n"
    );
    assert_eq!(fs::read_to_string(folder.path().join("name")).unwrap(), "my-cdn");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_may_ignore_its_input_and_write_much() {
    let folder = TempDir::with_prefix("publish-test-").unwrap();
    let place = folder.path().display();
    // It ends when the file exists, or after a minute.
    let left = format!(
        "(for i in $(seq 600); do [ ! -e {place}/go ] || break; sleep 0.1; done; touch {place}/ended) &"
    );
    let all = numbered(20_000);
    ask(&format!("true\nseq 200000 >&2\n{left}"), &all, &Environment::default()).await.unwrap();
    assert!(!folder.path().join("ended").exists(), "what it leaves running is not waited for");
    fs::write(folder.path().join("go"), "").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_command_is_reported_and_stops_no_other_purge() {
    let recorder = Recorder::always(200, CLOUDFLARE_DONE).await;
    let environment = environment(&recorder, &[("CF_API_TOKEN", "t")]);
    let lines =
        "seq 9999 >&2; echo 'no such  zone' >&2; exit 7\nfastly s\ncloudflare z\nexit 1\nno-such-program";
    let error = ask(lines, &numbered(1), &environment).await.unwrap_err();
    assert_eq!(recorder.asked().len(), 1);
    let failed: Vec<String> = error.failures.iter().map(ToString::to_string).collect();
    assert_eq!(
        failed,
        [
            "the purge command `seq …` failed",
            "the purge of Fastly service `s` failed",
            "the purge command `exit …` failed",
            "the purge command `no-such-program` failed",
        ]
    );
    let causes: Vec<String> = error.failures.iter().map(|failure| failure.cause.to_string()).collect();
    assert!(
        causes[0].starts_with("exit status: 7: ") && causes[0].ends_with("9998 9999 no such zone"),
        "{causes:?}"
    );
    assert_eq!(causes[2], "exit status: 1: it printed no error");
    assert!(
        causes[3].starts_with("exit status: 127: ") && causes[3].contains("no-such-program"),
        "{causes:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_changes_no_purge_is_sent() {
    let recorder = Recorder::always(200, CLOUDFLARE_DONE).await;
    let environment = environment(&recorder, &[("CF_API_TOKEN", "t")]);
    let purged = ask("cloudflare z\nexit 1", &[], &environment).await.unwrap();
    assert_eq!((purged.urls, purged.by.len(), recorder.asked().len()), (0, 0, 0));
    let none = purge(&[], &numbered(3), "cdn", &environment).await.unwrap();
    assert_eq!((none.by.len(), recorder.asked().len()), (0, 0));
}
