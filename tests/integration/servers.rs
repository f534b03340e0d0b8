//! The servers that `tests/run` started: a new bucket for each test, and a CDN in front of any of them.
//!
//! Nothing here runs `publish`, or uses its code except the type of an environment: buckets are created and inspected
//! with curl and an independent signing script. A failure here is a fault of the test bed.

use std::{
    env, fs,
    io::Write as _,
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant, SystemTime},
};

use publish::store::Environment;
use tempfile::TempDir;

use crate::sandbox::{is_root, skipped};

/// A new bucket, or container, with publicly readable objects.
pub(crate) struct Bucket {
    /// The kind of server, for messages.
    pub(crate) server: &'static str,
    /// Its unique name.
    pub(crate) name: String,
    /// The URL of the server, for clients.
    pub(crate) endpoint: String,
    /// Such as `s3://name`.
    pub(crate) location: String,
    /// `http://127.0.0.1:PORT/…`, without a trailing slash: the public URL of the objects.
    pub(crate) public: String,
    /// The variables with the endpoint and credentials for a client of this kind; for the command line.
    pub(crate) variables: Vec<(&'static str, String)>,
}

impl Bucket {
    /// These variables, and no others.
    pub(crate) fn environment(&self) -> Environment {
        self.variables.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }

    /// The public response for a path, which is sent unchanged: encode it first.
    pub(crate) fn get(&self, path: &str) -> Answer {
        curl(["--path-as-is", &format!("{}/{path}", self.public)], b"")
    }
}

/// S3 by moto, as Amazon documents it; it checks no signature.
pub(crate) fn moto() -> Option<Bucket> {
    Some(s3("moto", variable("PUBLISH_TEST_MOTO")?))
}

/// S3 by Ceph's radosgw, which checks every signature.
pub(crate) fn rgw() -> Option<Bucket> {
    Some(s3("radosgw", variable("PUBLISH_TEST_RGW")?))
}

/// S3 by a server that ignores `If-Match` and `If-None-Match`.
pub(crate) fn ignoring() -> Option<Bucket> {
    Some(s3("the server that ignores conditions", variable("PUBLISH_TEST_S3_IGNORING")?))
}

/// Swift with its own tokens (version 1).
pub(crate) fn swift() -> Option<Bucket> {
    let endpoint = format!("{}/auth/v1.0", variable("PUBLISH_TEST_SWIFT")?);
    let login = curl(["-H", "X-Auth-User: test:tester", "-H", "X-Auth-Key: testing", &endpoint], b"");
    let storage = login.header("x-storage-url").unwrap().to_owned();
    let variables = vec![
        ("ST_AUTH", endpoint.clone()),
        ("ST_USER", "test:tester".to_owned()),
        ("ST_KEY", "testing".to_owned()),
    ];
    Some(container("Swift", endpoint, &storage, login.header("x-auth-token").unwrap(), variables))
}

/// Swift with tokens of Keystone (version 3).
pub(crate) fn keystone() -> Option<Bucket> {
    let endpoint = variable("PUBLISH_TEST_KEYSTONE")?;
    let user = variable("PUBLISH_TEST_KEYSTONE_USER")?;
    let password = variable("PUBLISH_TEST_KEYSTONE_PASSWORD")?;
    let project = variable("PUBLISH_TEST_KEYSTONE_PROJECT")?;
    let domain = serde_json::json!({"name": "Default"});
    let wish = serde_json::json!({"auth": {
        "identity": {
            "methods": ["password"],
            "password": {"user": {"name": user, "domain": domain, "password": password}},
        },
        "scope": {"project": {"name": project, "domain": domain}},
    }});
    let tokens = format!("{endpoint}/auth/tokens");
    let login = curl(
        ["-H", "Content-Type: application/json", "--data-binary", "@-", &tokens],
        wish.to_string().as_bytes(),
    );
    assert_eq!(login.status, 201, "{login:?}");
    let body: serde_json::Value = serde_json::from_slice(&login.body).unwrap();
    let catalogue = body["token"]["catalog"].as_array().unwrap();
    let service = catalogue.iter().find(|service| service["type"] == "object-store").unwrap();
    let storage = service["endpoints"][0]["url"].as_str().unwrap();
    let variables = vec![
        ("OS_AUTH_URL", endpoint.clone()),
        ("OS_IDENTITY_API_VERSION", "3".to_owned()),
        ("OS_USERNAME", user),
        ("OS_PASSWORD", password),
        ("OS_USER_DOMAIN_NAME", "Default".to_owned()),
        ("OS_PROJECT_NAME", project),
        ("OS_PROJECT_DOMAIN_NAME", "Default".to_owned()),
        ("OS_REGION_NAME", "RegionOne".to_owned()),
    ];
    let token = login.header("x-subject-token").unwrap();
    Some(container("Swift with Keystone", endpoint, storage, token, variables))
}

/// Azure's blob storage by azurite.
pub(crate) fn azure() -> Option<Bucket> {
    let endpoint = variable("PUBLISH_TEST_AZURE")?;
    let name = new_name();
    let public = format!("{endpoint}/{name}");
    let made =
        azure_request("PUT", &format!("{public}?restype=container"), &["x-ms-blob-public-access: blob"], b"");
    assert_eq!(made.status, 201, "{made:?}");
    let variables = vec![
        ("AZURE_STORAGE_ACCOUNT_NAME", AZURE_ACCOUNT.to_owned()),
        ("AZURE_STORAGE_ACCOUNT_KEY", AZURE_KEY.to_owned()),
        ("AZURE_STORAGE_ENDPOINT", endpoint.clone()),
    ];
    Some(Bucket { server: "azurite", location: format!("az://{name}"), name, endpoint, public, variables })
}

/// A double of Google Cloud Storage: moto, with the names of its XML API.
pub(crate) fn gcs() -> Option<Bucket> {
    let endpoint = variable("PUBLISH_TEST_GCS")?;
    let name = new_name();
    let public = format!("{endpoint}/{name}");
    let made = curl(["-X", "PUT", "-H", "x-goog-acl: public-read", &public], b"");
    assert_eq!(made.status, 200, "{made:?}");
    let variables = vec![("STORAGE_EMULATOR_HOST", endpoint.clone())];
    Some(Bucket {
        server: "the double of GCS",
        location: format!("gs://{name}"),
        name,
        endpoint,
        public,
        variables,
    })
}

/// The user with write access to a bucket on [`rgw`]; moto accepts any user.
const S3_USER: (&str, &str) = ("TESTKEY", "TESTSECRET");
/// A user of [`rgw`] without write access to the buckets of the tests.
pub(crate) const S3_STRANGER: (&str, &str) = ("OTHERKEY", "OTHERSECRET");
/// The account of azurite, and its key, which is public.
const AZURE_ACCOUNT: &str = "devstoreaccount1";
const AZURE_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

fn s3(server: &'static str, endpoint: String) -> Bucket {
    let name = new_name();
    let public = format!("{endpoint}/{name}");
    let made = s3_request("PUT", &public, &["x-amz-acl: public-read"], b"");
    assert_eq!(made.status, 200, "{made:?}");
    // The policy of the bucket allows listing; each object has its own ACL.
    let policy = serde_json::json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": "*", "Action": ["s3:GetObject"], "Resource": [format!("arn:aws:s3:::{name}/*")],
    }]});
    let opened = s3_request("PUT", &format!("{public}?policy"), &[], policy.to_string().as_bytes());
    assert!(matches!(opened.status, 200 | 204), "{opened:?}");
    let variables = vec![
        ("AWS_ACCESS_KEY_ID", S3_USER.0.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", S3_USER.1.to_owned()),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ENDPOINT_URL_S3", endpoint.clone()),
    ];
    let location = format!("s3://{name}");
    Bucket { server, name, endpoint, location, public, variables }
}

fn container(
    server: &'static str,
    endpoint: String,
    storage: &str,
    token: &str,
    variables: Vec<(&'static str, String)>,
) -> Bucket {
    let name = new_name();
    let public = format!("{storage}/{name}");
    let token = format!("X-Auth-Token: {token}");
    let made = curl(["-X", "PUT", "-H", &token, "-H", "X-Container-Read: .r:*", &public], b"");
    assert_eq!(made.status, 201, "{made:?}");
    Bucket { server, location: format!("swift://{name}"), name, endpoint, public, variables }
}

/// A variable that `tests/run` sets; reports a skipped test if it is not set.
pub(crate) fn variable(name: &str) -> Option<String> {
    let value = env::var(name).ok().filter(|value| !value.is_empty());
    if value.is_none() {
        skipped(&format!("{name} is not set: the server did not start, or `tests/run` did not run this"));
    }
    value
}

/// A name that is unique across tests and runs.
fn new_name() -> String {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_micros();
    // Only letters and digits: Google's client encodes all other characters, and the double does not decode them.
    format!("test{now}x{}x{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed))
}

/// A response of a server.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// Reads a status line, headers, an empty line and a body.
    fn read(bytes: &[u8]) -> Self {
        let text = |bytes| String::from_utf8_lossy(bytes).trim_end_matches('\r').to_owned();
        let mut rest = bytes;
        let mut line = || {
            let end = rest.iter().position(|byte| *byte == b'\n').expect("an answer of HTTP");
            let (line, after) = rest.split_at(end);
            rest = &after[1..];
            text(line)
        };
        let status = line();
        let mut headers = Vec::new();
        loop {
            let line = line();
            let Some((name, value)) = line.split_once(": ") else { break };
            headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        let code = status.split(' ').find_map(|word| word.parse().ok());
        Self { status: code.unwrap_or_else(|| panic!("{status}")), headers, body: rest.to_vec() }
    }

    /// The value of a header, whose name is given in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(named, _)| named == name).map(|(_, value)| value.as_str())
    }
}

/// Sends one request with curl; `--data-binary @-` among its arguments sends the input.
pub(crate) fn curl<'a>(arguments: impl IntoIterator<Item = &'a str>, input: &[u8]) -> Answer {
    let mut command = Command::new("curl");
    // `Expect` would add an interim status before the final one.
    command.args(["-q", "-sS", "-i", "--max-time", "60", "-H", "Expect:"]).args(arguments);
    Answer::read(&output(command, input))
}

/// Sends one request to an S3 server, signed by [`S3_USER`].
pub(crate) fn s3_request(method: &str, url: &str, headers: &[&str], body: &[u8]) -> Answer {
    signed("s3", S3_USER, method, url, headers, body)
}

/// Sends one signed request to azurite.
pub(crate) fn azure_request(method: &str, url: &str, headers: &[&str], body: &[u8]) -> Answer {
    signed("azure", (AZURE_ACCOUNT, AZURE_KEY), method, url, headers, body)
}

fn signed(
    way: &str,
    (user, secret): (&str, &str),
    method: &str,
    url: &str,
    headers: &[&str],
    body: &[u8],
) -> Answer {
    let mut command = Command::new("python3");
    command
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers/signed.py"))
        .args([way, user, secret, method, url])
        .args(headers);
    Answer::read(&output(command, body))
}

/// The output of a program, which must succeed.
fn output(mut command: Command, input: &[u8]) -> Vec<u8> {
    let shown = format!("{command:?}");
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().unwrap_or_else(|error| panic!("{shown}: {error}"));
    // All programs read their input before they write; one that reads nothing closes the pipe.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{shown}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// An nginx, until it is dropped.
pub(crate) struct Nginx {
    server: Child,
    folder: TempDir,
    url: String,
}

/// Starts a CDN in front of the files below a URL, such as [`Bucket::public`]; reports a skipped test if nginx is
/// missing.
///
/// It honours `Cache-Control` of the origin, caches responses without one for ten minutes, and a 404 for one minute.
pub(crate) fn cdn(origin: &str) -> Option<Nginx> {
    // No revalidation: moto would answer 304 for an object replaced within the same second, whatever its ETag is. A
    // variable in `proxy_pass` keeps the path as sent: `%2b` remains `%2b`.
    nginx(&format!(
        "location / {{
            proxy_pass {origin}$request_uri;
            proxy_cache cdn;
            proxy_cache_key $request_uri;
            proxy_cache_valid 200 10m;
            proxy_cache_valid 404 1m;
            proxy_cache_lock on;
            proxy_cache_revalidate off;
            proxy_cache_use_stale error timeout updating;
            proxy_ignore_headers Set-Cookie Vary;
            add_header X-Cache $upstream_cache_status always;
        }}"
    ))
}

/// Starts an nginx with this site; reports a skipped test if nginx is missing.
pub(crate) fn nginx(site: &str) -> Option<Nginx> {
    let nginx = variable("PUBLISH_TEST_NGINX")?;
    // Another program may take the port before nginx does.
    Some((0..5).find_map(|_| Nginx::start(&nginx, site)).expect("no nginx started"))
}

impl Nginx {
    fn start(nginx: &str, site: &str) -> Option<Self> {
        let folder = TempDir::with_prefix("publish-test-").unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let conf = format!(
            "{user}
            daemon off;
            worker_processes 1;
            pid {pid};
            error_log {errors} warn;
            events {{ worker_connections 256; }}
            http {{
                client_body_temp_path {body};
                proxy_temp_path {proxy};
                fastcgi_temp_path {unused};
                uwsgi_temp_path {unused};
                scgi_temp_path {unused};
                log_format cache '$upstream_cache_status $status $request_method $request_uri';
                access_log {log} cache;
                proxy_cache_path {cache} levels=1:2 keys_zone=cdn:4m max_size=1g inactive=7d use_temp_path=off;
                proxy_http_version 1.1;
                limit_conn_zone $binary_remote_addr zone=clients:1m;
                server {{
                    listen {address};
                    {site}
                }}
            }}",
            user = if is_root() { "user root;" } else { "" },
            pid = path("pid"),
            errors = path("errors"),
            log = path("log"),
            cache = path("cache"),
            body = path("body"),
            proxy = path("proxy"),
            unused = path("unused"),
        );
        fs::write(folder.path().join("conf"), conf).unwrap();
        // It must not outlive tests that are killed.
        let server = Command::new("setpriv")
            .args(["--pdeathsig=TERM", nginx, "-c", &path("conf"), "-e", &path("errors")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut started = Self { server, folder, url: format!("http://{address}") };
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(120) && started.server.try_wait().unwrap().is_none() {
            // The file is written once nginx has bound the port.
            if fs::exists(started.folder.path().join("pid")).unwrap() && TcpStream::connect(address).is_ok() {
                return Some(started);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        None
    }

    /// `http://127.0.0.1:PORT`, without a trailing slash.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The folder of its cache.
    pub(crate) fn cache(&self) -> std::path::PathBuf {
        self.folder.path().join("cache")
    }

    /// A line for each request: `HIT`, `MISS` and the like (`-` without a cache), status, method, path.
    pub(crate) fn log(&self) -> Vec<String> {
        let text = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Not `Child::kill`: its worker would keep running.
        let _ = Command::new("kill").arg(self.server.id().to_string()).status();
        let _ = self.server.wait();
    }
}

/// Writes an object whose name has all characters that apt encodes, and reads it as apt would.
fn keeps_an_object(bucket: &Bucket, put: impl Fn(&str, &[&str], &[u8]) -> Answer) {
    let url = format!("{}/pool/main/g/g++_1:2~rc1%20x.deb", bucket.public).replace('+', "%2B");
    let headers =
        ["Content-Type: application/vnd.debian.binary-package", "Cache-Control: public, max-age=60"];
    let written = put(&url, &headers, b"hello");
    assert!(matches!(written.status, 200 | 201), "{}: {written:?}", bucket.server);
    for path in ["pool/main/g/g%2b%2b_1:2%7erc1%20x.deb", "pool/main/g/g%2B%2B_1%3a2~rc1%20x.deb"] {
        let read = bucket.get(path);
        assert_eq!((read.status, read.body.as_slice()), (200, &b"hello"[..]), "{}: {read:?}", bucket.server);
        assert_eq!(read.header("content-type"), Some("application/vnd.debian.binary-package"));
        assert_eq!(read.header("cache-control"), Some("public, max-age=60"), "{}", bucket.server);
    }
    let missing = bucket.get("pool/missing");
    assert_eq!(missing.status, 404, "{}: {missing:?}", bucket.server);
    assert_ne!(new_name(), bucket.name);
    assert!(bucket.location.ends_with(&bucket.name));
    for (name, value) in &bucket.variables {
        assert_eq!(bucket.environment().get(name), Some(value.as_str()));
    }
}

/// Sends one request to Swift.
fn swift_put(token: &str, url: &str, headers: &[&str], body: &[u8]) -> Answer {
    let token = format!("X-Auth-Token: {token}");
    let mut arguments = vec!["-X", "PUT", "-H", &token, "--data-binary", "@-"];
    arguments.extend(headers.iter().flat_map(|header| ["-H", header]));
    arguments.push(url);
    curl(arguments, body)
}

#[test]
fn moto_keeps_conditions() {
    let Some(bucket) = moto() else { return };
    keeps_an_object(&bucket, |url, headers, body| s3_request("PUT", url, headers, body));
    let url = format!("{}/once", bucket.public);
    assert_eq!(s3_request("PUT", &url, &["If-None-Match: *"], b"1").status, 200);
    assert_eq!(s3_request("PUT", &url, &["If-None-Match: *"], b"2").status, 412);
    assert_eq!(bucket.get("once").body, b"1");
}

#[test]
fn a_server_ignores_conditions() {
    let Some(bucket) = ignoring() else { return };
    keeps_an_object(&bucket, |url, headers, body| s3_request("PUT", url, headers, body));
    let url = format!("{}/once", bucket.public);
    assert_eq!(s3_request("PUT", &url, &["If-None-Match: *"], b"1").status, 200);
    assert_eq!(s3_request("PUT", &url, &["If-None-Match: *"], b"2").status, 200);
    assert_eq!(bucket.get("once").body, b"2");
    assert_eq!(s3_request("PUT", &url, &["If-Match: \"stale\""], b"3").status, 200);
    assert_eq!(bucket.get("once").body, b"3");
}

#[test]
fn radosgw_checks_signatures_and_rights() {
    let Some(bucket) = rgw() else { return };
    keeps_an_object(&bucket, |url, headers, body| s3_request("PUT", url, headers, body));
    let url = format!("{}/once", bucket.public);
    assert_eq!(s3_request("PUT", &url, &["If-None-Match: *"], b"1").status, 200);
    assert_eq!(s3_request("PUT", &url, &["If-None-Match: *"], b"2").status, 412);
    let refused = |user, why: &str| {
        let answer = signed("s3", user, "PUT", &url, &[], b"3");
        let said = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(answer.status == 403 && said.contains(why), "{answer:?}: {said}");
    };
    refused((S3_USER.0, "WRONG"), "SignatureDoesNotMatch");
    refused(("NOBODY", "WRONG"), "InvalidAccessKeyId");
    refused(S3_STRANGER, "AccessDenied");
    assert_eq!(curl(["-X", "PUT", "--data-binary", "@-", &url], b"4").status, 403, "unsigned");
    assert_eq!(bucket.get("once").body, b"1");
}

#[test]
fn swift_takes_its_own_tokens() {
    let Some(bucket) = swift() else { return };
    let login = |key: &str| {
        let key = format!("X-Auth-Key: {key}");
        curl(["-H", "X-Auth-User: test:tester", "-H", &key, &bucket.endpoint], b"")
    };
    assert_eq!(login("wrong").status, 401);
    let login = login("testing");
    let token = login.header("x-auth-token").unwrap();
    keeps_an_object(&bucket, |url, headers, body| swift_put(token, url, headers, body));
    let refused = swift_put("AUTH_tkwrong", &format!("{}/x", bucket.public), &[], b"x");
    assert_eq!(refused.status, 401, "{refused:?}");
    assert_eq!(swift_put(token, &format!("{}/x", bucket.public), &["ETag: 00"], b"x").status, 422);
    // The requests that `publish` sends before it uses the store.
    let server = bucket.endpoint.trim_end_matches("/auth/v1.0");
    let parts: serde_json::Value =
        serde_json::from_slice(&curl([&*format!("{server}/info")], b"").body).unwrap();
    for part in ["slo", "bulk_delete", "tempurl", "staticweb", "tempauth"] {
        assert!(parts.get(part).is_some(), "no {part} in {parts}");
    }
}

#[test]
fn swift_takes_tokens_of_keystone() {
    let Some(bucket) = keystone() else { return };
    let project = bucket.public.split('/').find(|part| part.starts_with("KEY_"));
    assert!(project.is_some(), "the catalogue leads to a project: {}", bucket.public);
    // swiftclient has an independent implementation of the login.
    let python = Path::new(&env::var("PUBLISH_TESTBED").unwrap()).join("python/bin/python");
    let client = |arguments: &[&str]| {
        let mut command = Command::new(&python);
        command.args(["-W", "ignore", "-m", "swiftclient.shell", "--auth-version", "3"]).args(arguments);
        command.env_clear().envs(bucket.variables.iter().map(|(name, value)| (name, value)));
        output(command, b"")
    };
    let folder = TempDir::with_prefix("publish-test-").unwrap();
    let file = folder.path().join("file");
    keeps_an_object(&bucket, |url, headers, body| {
        fs::write(&file, body).unwrap();
        let name = url.strip_prefix(&format!("{}/", bucket.public)).unwrap().replace("%2B", "+");
        let name = name.replace("%20", " ");
        let mut arguments = vec!["upload", &bucket.name, file.to_str().unwrap(), "--object-name", &name];
        arguments.extend(headers.iter().flat_map(|header| ["-H", header]));
        client(&arguments);
        bucket.get(url.strip_prefix(&format!("{}/", bucket.public)).unwrap())
    });
    assert_eq!(client(&["list", &bucket.name]), b"pool/main/g/g++_1:2~rc1 x.deb\n");
    let refused = swift_put("wrong", &format!("{}/x", bucket.public), &[], b"x");
    assert_eq!(refused.status, 401, "{refused:?}");
}

#[test]
fn azurite_checks_signatures() {
    let Some(bucket) = azure() else { return };
    let put = |url: &str, headers: &[&str], body: &[u8]| {
        // The stored headers of a blob have names of their own.
        let headers: Vec<_> = headers.iter().map(|text| text.replace("Cache-", "x-ms-blob-cache-")).collect();
        let mut headers: Vec<_> = headers.iter().map(String::as_str).collect();
        headers.push("x-ms-blob-type: BlockBlob");
        azure_request("PUT", url, &headers, body)
    };
    keeps_an_object(&bucket, put);
    let url = format!("{}/once", bucket.public);
    assert_eq!(put(&url, &["If-None-Match: *"], b"1").status, 201);
    assert_eq!(put(&url, &["If-None-Match: *"], b"2").status, 409);
    let wrong = (AZURE_ACCOUNT, "V1JPTkc=");
    let refused = signed("azure", wrong, "PUT", &url, &["x-ms-blob-type: BlockBlob"], b"3");
    assert_eq!(refused.status, 403, "{refused:?}");
    assert_eq!(bucket.get("once").body, b"1");
}

#[test]
fn the_double_of_gcs_keeps_generations() {
    let Some(bucket) = gcs() else { return };
    let put = |url: &str, headers: &[&str], body: &[u8]| {
        let mut arguments = vec!["-X", "PUT", "-H", "Content-Type: text/plain", "--data-binary", "@-"];
        arguments.extend(headers.iter().flat_map(|header| ["-H", header]));
        arguments.push(url);
        curl(arguments, body)
    };
    keeps_an_object(&bucket, |url, headers, body| put(url, headers, body));
    let url = format!("{}/once", bucket.public);
    let condition = |generation: &str| format!("x-goog-if-generation-match: {generation}");
    let written = put(&url, &[&condition("0")], b"1");
    assert_eq!(written.status, 200);
    let generation = written.header("x-goog-generation").unwrap();
    assert_eq!(put(&url, &[&condition("0")], b"2").status, 412);
    assert_eq!(put(&url, &[&condition("12")], b"2").status, 412);
    assert_eq!(put(&url, &[&condition(generation)], b"2").status, 200);
    assert_eq!(put(&url, &[&condition(generation)], b"3").status, 412);
    assert_eq!(bucket.get("once").body, b"2");
}

#[test]
fn a_cdn_caches_responses() {
    let Some(bucket) = moto() else { return };
    let Some(cdn) = cdn(&bucket.public) else { return };
    let put = |name: &str, control: &str, body: &[u8]| {
        let url = format!("{}/{name}", bucket.public);
        assert_eq!(s3_request("PUT", &url, &[&format!("Cache-Control: {control}")], body).status, 200);
    };
    let get = |path: &str, status: u16, cache: &str, body: &[u8]| {
        let answer = curl([&*format!("{}/{path}", cdn.url())], b"");
        assert_eq!((answer.status, answer.header("x-cache")), (status, Some(cache)), "{path}: {answer:?}");
        if status == 200 {
            assert_eq!(answer.body, body, "{path}");
        }
    };
    put("g%2B%2B~1", "public, max-age=600", b"old");
    get("g%2b%2b%7e1", 200, "MISS", b"old");
    put("g%2B%2B~1", "public, max-age=600", b"new");
    get("g%2b%2b%7e1", 200, "HIT", b"old");
    // Another encoding of the same name is another file for the cache.
    get("g++~1", 200, "MISS", b"new");

    put("short", "public, max-age=1", b"old");
    get("short", 200, "MISS", b"old");
    put("short", "public, max-age=1", b"new");
    std::thread::sleep(Duration::from_millis(2100));
    get("short", 200, "EXPIRED", b"new");

    put("never", "no-store", b"old");
    get("never", 200, "MISS", b"old");
    get("never", 200, "MISS", b"old");

    get("later", 404, "MISS", b"");
    put("later", "public, max-age=600", b"here");
    get("later", 404, "HIT", b"");
    assert_eq!(cdn.log()[..2], ["MISS 200 GET /g%2b%2b%7e1", "HIT 200 GET /g%2b%2b%7e1"]);

    let address = cdn.url().trim_start_matches("http://").to_owned();
    drop(cdn);
    assert!(TcpStream::connect(address).is_err(), "it was to end with its owner");
}
