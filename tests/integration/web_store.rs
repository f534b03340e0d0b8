//! Any web server as a read-only store.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
    sync::{Arc, Mutex},
};

use futures::TryStreamExt as _;
use publish::{
    digest::Digests,
    store::{Content, Environment, Error, Limit, Store},
};
use tempfile::TempDir;

use crate::{buckets::open, web::Web};

/// The upper bound for the objects of these tests.
const LIMIT: Limit = Limit::mebibytes(64);

fn store(url: &str) -> Store {
    open(url, &Environment::default()).unwrap()
}

/// A server that gives prepared responses, one for each connection, and records the request lines.
///
/// No real server can be made to give exactly these.
pub(crate) struct Script {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Script {
    pub(crate) fn of(answers: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answers: Vec<String> = answers.iter().map(|answer| answer.replace("URL", &url)).collect();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        std::thread::spawn(move || {
            for answer in answers {
                let (mut connection, _) = listener.accept().unwrap();
                let mut reader = BufReader::new(connection.try_clone().unwrap());
                let mut head = Vec::new();
                let mut length = 0;
                for line in reader.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty())
                {
                    if let Some(value) = line.to_lowercase().strip_prefix("content-length: ") {
                        length = value.parse().unwrap();
                    }
                    head.push(line);
                }
                let mut body = vec![0; length];
                reader.read_exact(&mut body).unwrap();
                log.lock().unwrap().push(head.first().cloned().unwrap_or_default());
                let _ = connection.write_all(answer.as_bytes());
            }
        });
        Self { url, asked }
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dumb_server_is_enough_to_read() {
    let folder = TempDir::with_prefix("publish-test-").unwrap();
    fs::create_dir_all(folder.path().join("debian/pool")).unwrap();
    let names = ["g++_1.0~rc1+b1_amd64.deb", "a_1%3a2_all.deb", "a b", "é", "a:b&c=d"];
    for name in names {
        fs::write(folder.path().join("debian/pool").join(name), name).unwrap();
    }
    let web = Web::of(folder.path());
    let store = store(&format!("{}/debian/", web.url));
    for name in names {
        let path = format!("pool/{name}");
        let object = store.read(&path, LIMIT).await.unwrap().unwrap();
        assert_eq!(object.bytes, name.as_bytes());
        assert_eq!(store.digests(&path, LIMIT).await.unwrap(), Some(Digests::of(name.as_bytes())));
    }
    assert_eq!(web.requests()[0], "/debian/pool/g%2b%2b_1.0%7erc1%2bb1_amd64.deb");
    assert!(store.read("pool/none", LIMIT).await.unwrap().is_none());
    assert!(store.digests("pool/none", LIMIT).await.unwrap().is_none());
    assert_eq!(store.requests().listings, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn unsupported_operations_are_reported() {
    let store = store("https://deb.example.org/debian");
    let content = Content::Bytes("x".into(), Digests::of(b"x"));
    let read_only = |error: Error| {
        assert!(matches!(error, Error::ReadOnly { .. }), "{error:?}");
        assert!(error.to_string().contains("`https://deb.example.org/debian` is read-only"), "{error}");
    };
    read_only(store.put_new("a", &content).await.unwrap_err());
    read_only(store.replace("a", "x".into()).await.unwrap_err());
    read_only(store.replace_with("a", &content).await.unwrap_err());
    read_only(store.swap("a", "x".into(), None).await.unwrap_err());
    read_only(store.copy("a", "b").await.unwrap_err());
    read_only(store.delete("a").await.unwrap_err());
    for error in [
        store.list("dists").await.unwrap_err(),
        store.walk("pool").try_collect::<Vec<_>>().await.unwrap_err(),
    ] {
        assert!(matches!(error, Error::Unlistable { .. }), "{error:?}");
        assert!(error.to_string().contains("cannot be listed"), "{error}");
    }
    assert_eq!(store.requests().total, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_server_is_retried() {
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\none";
    let failed =
        |status: &str| format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let script = Script::of(&[&failed("503 Slow Down"), &failed("429 Too Many"), "", &failed("500 Oh"), ok]);
    let asked = store(&script.url);
    assert_eq!(asked.read("a", LIMIT).await.unwrap().unwrap().bytes, "one");
    assert_eq!((script.asked().len(), asked.requests().total), (5, 5));

    let script = Script::of(&[&failed("503 Slow Down")[..]; 9]);
    let asked = store(&script.url);
    let error = asked.read("a", LIMIT).await.unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(cause, "the web server failed repeatedly (503)");
    assert_eq!((script.asked().len(), asked.requests().total), (7, 7));

    // A retry would not help.
    let script = Script::of(&[&failed("403 Forbidden")]);
    let error = store(&script.url).read("a", LIMIT).await.unwrap_err();
    assert!(error.hint().unwrap().contains("must be public"), "{error:?}");
    assert_eq!(script.asked().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_may_omit_sizes() {
    let chunked =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\none\r\n0\r\n\r\n";
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
    let refused = "HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let script = Script::of(&[chunked, head, chunked, refused, chunked]);
    let store = store(&script.url);
    assert_eq!(store.read("a", LIMIT).await.unwrap().unwrap().bytes, "one");
    assert_eq!(store.size("a").await.unwrap(), Some(3));
    assert_eq!(store.size("a").await.unwrap(), Some(3));
    let verbs: Vec<String> =
        script.asked().iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(verbs, ["GET", "HEAD", "GET", "HEAD", "GET"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_are_followed() {
    let away =
        "HTTP/1.1 302 Found\r\nLocation: URL/mirror/a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\none";
    let script = Script::of(&[away, ok]);
    assert_eq!(store(&script.url).read("a", LIMIT).await.unwrap().unwrap().bytes, "one");
    assert_eq!(script.asked()[1], "GET /mirror/a HTTP/1.1");
}

/// A truncated body is not an object.
#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_body_is_an_error() {
    let short = "HTTP/1.1 200 OK\r\nContent-Length: 30\r\nConnection: close\r\n\r\none";
    let script = Script::of(&[short; 9]);
    let error = store(&script.url).read("a", LIMIT).await.unwrap_err();
    assert!(matches!(error, Error::Failed { .. }), "{error:?}");
}
