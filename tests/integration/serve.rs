//! Tests of `publish serve`: apt over HTTP, and the parts of HTTP that apt, proxies and browsers rely on.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use crate::{
    apt_client::{Client, Source},
    deb_builder::deb,
    sandbox::{Sandbox, Server},
};

const POOL: &str = "/pool/main/g/g++/g++_1.0~rc1_amd64.deb";

/// Paths that are not in their simplest form, and the status with which nginx answers them too.
pub(crate) const ODD_PATHS: [(&str, u16); 11] = [
    ("//dists/stable/InRelease", 200),
    ("/dists//stable///InRelease", 200),
    ("/./dists/./stable/InRelease", 200),
    ("/pool/../dists/stable/InRelease", 200),
    ("/%2fdists%2Fstable/%2e/InRelease", 200),
    ("//dists//stable/nothing", 404),
    ("//conf/distributions", 404),
    ("/dists/../conf//distributions", 404),
    ("/dists/%2e%2e/conf/distributions", 404),
    ("/../dists/stable/InRelease", 400),
    ("//dists/../..//dists/stable/InRelease", 400),
];

fn archive() -> Sandbox {
    let sandbox = Sandbox::new();
    deb("hello").write(sandbox.incoming());
    deb("g++").version("1:1.0~rc1").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok();
    sandbox
}

/// `--suite` prints a stanza, with which apt reads the preview as it is.
#[test]
fn the_preview_prints_the_stanza_of_a_suite() {
    let sandbox = Sandbox::signed();
    sandbox.configure("Codename: stable\nComponents: main\n\nCodename: testing\nComponents: main\n");
    deb("hello").write(sandbox.incoming());
    sandbox.publish(["add", "incoming", "-s", "stable"]).ok();
    sandbox.publish(["add", "incoming", "-s", "testing"]).ok();
    sandbox
        .publish(["serve", "--listen", "127.0.0.1:0", "-s", "stabel"])
        .fails(1)
        .says(["did you mean `stable`?"]);
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_publish"));
    command
        .args(["serve", "--listen", "127.0.0.1:0", "-s", "testing"])
        .env("PUBLISH_ARCHIVE", sandbox.archive(""))
        .stdout(std::fs::File::create(sandbox.path("stanza")).unwrap());
    let server = Server::start(command).unwrap();
    // It is printed after the URL.
    let stanza = loop {
        let text = std::fs::read_to_string(sandbox.path("stanza")).unwrap();
        if text.contains("-----END") {
            break text;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(stanza.contains(&format!("URIs: {}\nSuites: testing\n", server.url)), "{stanza}");
    for apt in Client::all(&sandbox) {
        apt.stanza(&stanza);
        apt.updates();
        assert_eq!(apt.candidate("hello").as_deref(), Some("1.0"), "{}", apt.name);
    }
}

struct Response {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Response {
    fn header(&self, name: &str) -> Option<&str> {
        let of_name =
            |line: &&str| line.split_once(':').is_some_and(|(key, _)| key.eq_ignore_ascii_case(name));
        self.head.lines().find(of_name).map(|line| line[name.len() + 1..].trim())
    }
}

/// Sends pipelined requests on one connection and reads as many responses.
fn ask(server: &Server, requests: &[(&str, &str, &str)]) -> Vec<Response> {
    let mut connection = TcpStream::connect(server.address()).unwrap();
    connection.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
    let mut text = String::new();
    for (number, (method, path, headers)) in requests.iter().enumerate() {
        let last = if number + 1 == requests.len() { "Connection: close\r\n" } else { "" };
        text.extend([method, " ", path, " HTTP/1.1\r\nHost: localhost\r\n", headers, last, "\r\n"]);
    }
    connection.write_all(text.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    connection.read_to_end(&mut bytes).unwrap();
    let mut rest = bytes.as_slice();
    requests.iter().map(|(method, path, _)| response(&mut rest, method, path)).collect()
}

fn response(rest: &mut &[u8], method: &str, path: &str) -> Response {
    let end = rest.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("no response to {method} {path}"));
    let head = String::from_utf8(rest[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    *rest = &rest[end + 4..];
    let mut response = Response { status, head, body: Vec::new() };
    if method != "HEAD" && status != 304 {
        let length = response.header("Content-Length").map_or(0, |length| length.parse().unwrap());
        response.body = rest[..length].to_vec();
        *rest = &rest[length..];
    }
    response
}

fn get(server: &Server, path: &str, headers: &str) -> Response {
    ask(server, &[("GET", path, headers)]).remove(0)
}

#[test]
fn apt_updates_and_downloads_over_http() {
    let sandbox = archive();
    let server = sandbox.serve();
    let package = deb("g++").version("1:1.0~rc1").bytes();
    for mut apt in Client::all(&sandbox) {
        apt.source(&Source::at(&server.url).trusted());
        apt.updates();
        assert_eq!(apt.candidate("g++").as_deref(), Some("1:1.0~rc1"), "{}", apt.name);
        assert_eq!(apt.download("g++"), package, "{}", apt.name);
        let again = apt.updates();
        assert!(again.stdout.contains("Hit:"), "{}: {}", apt.name, again.stdout);
    }
}

/// apt merges the slashes of `URIs: http://host//`, and no others.
#[test]
fn slashes_are_merged_as_nginx_does() {
    let sandbox = archive();
    let server = sandbox.serve();
    let package = deb("g++").version("1:1.0~rc1").bytes();
    for mut apt in Client::all(&sandbox) {
        apt.source(&Source::at(&format!("{}/.//", server.url)).trusted());
        apt.updates();
        assert_eq!(apt.download("g++"), package, "{}", apt.name);
    }
    let sandbox = Sandbox::signed();
    deb("hello").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok();
    sandbox.configure("Codename: stable\nComponents: main\nArchitectures: amd64\n");
    let server = sandbox.serve();
    for (path, status) in ODD_PATHS {
        let response = get(&server, path, "");
        assert_eq!(response.status, status, "{path}: {}", response.head);
    }
    // A client that follows it must not take the first folder for a host.
    assert_eq!(get(&server, "//dists", "").header("Location"), Some("/dists/"));
}

#[test]
fn files_are_served_unchanged_under_encoded_names_too() {
    let sandbox = archive();
    let server = sandbox.serve();
    let package = deb("g++").version("1:1.0~rc1").bytes();
    for path in [POOL, "/pool/main/g/g%2b%2b/g%2b%2b_1.0%7erc1_amd64.deb"] {
        let response = get(&server, path, "");
        assert_eq!((response.status, response.body == package), (200, true), "{path}: {}", response.head);
        assert_eq!(response.header("Content-Encoding"), None);
    }
    let head = ask(&server, &[("HEAD", POOL, "")]).remove(0);
    assert_eq!(head.header("Content-Length"), Some(package.len().to_string().as_str()), "{}", head.head);
    assert_eq!(get(&server, "/pool/nothing", "").status, 404);
    assert_eq!(ask(&server, &[("DELETE", POOL, "")])[0].status, 405);
}

#[test]
fn a_broken_download_can_be_resumed() {
    let sandbox = archive();
    let server = sandbox.serve();
    let package = deb("g++").version("1:1.0~rc1").bytes();
    let size = package.len();
    let part = get(&server, POOL, "Range: bytes=100-\r\n");
    assert_eq!((part.status, &part.body[..]), (206, &package[100..]));
    assert_eq!(
        part.header("Content-Range"),
        Some(format!("bytes 100-{}/{size}", size - 1).as_str()),
        "{}",
        part.head
    );
    let part = get(&server, POOL, "Range: bytes=0-9\r\n");
    assert_eq!((part.status, &part.body[..]), (206, &package[..10]));
    let part = get(&server, POOL, "Range: bytes=-10\r\n");
    assert_eq!((part.status, &part.body[..]), (206, &package[size - 10..]));
    let beyond = get(&server, POOL, &format!("Range: bytes={size}-\r\n"));
    assert_eq!(beyond.status, 416, "{}", beyond.head);
    // The file has changed: the whole file is sent, not a part that does not match.
    let whole = get(&server, POOL, "Range: bytes=100-\r\nIf-Range: Sat, 01 Jan 2000 00:00:00 GMT\r\n");
    assert_eq!((whole.status, whole.body.len()), (200, size), "{}", whole.head);
}

#[test]
fn unmodified_files_are_not_sent_again() {
    let sandbox = archive();
    let server = sandbox.serve();
    let path = "/dists/stable/Release";
    let first = get(&server, path, "");
    let date = first.header("Last-Modified").unwrap();
    let again = get(&server, path, &format!("If-Modified-Since: {date}\r\n"));
    assert_eq!((again.status, again.body.len()), (304, 0), "{}", again.head);
    let older = get(&server, path, "If-Modified-Since: Sat, 01 Jan 2000 00:00:00 GMT\r\n");
    assert_eq!(older.status, 200, "{}", older.head);
    if let Some(tag) = first.header("ETag") {
        let again = get(&server, path, &format!("If-None-Match: {tag}\r\n"));
        assert_eq!(again.status, 304, "{}", again.head);
    }
}

#[test]
fn one_connection_serves_several_requests() {
    let sandbox = archive();
    let server = sandbox.serve();
    let requests = [
        ("GET", "/dists/stable/Release", ""),
        ("GET", "/nothing", ""),
        ("HEAD", POOL, ""),
        ("GET", POOL, ""),
    ];
    let responses = ask(&server, &requests);
    let statuses: Vec<u16> = responses.iter().map(|response| response.status).collect();
    assert_eq!(statuses, [200, 404, 200, 200]);
    assert_eq!(responses[0].body, sandbox.read("dists/stable/Release").into_bytes());
    assert_eq!(responses[3].body, deb("g++").version("1:1.0~rc1").bytes());
}

#[test]
fn nothing_but_the_archive_is_shown() {
    let sandbox = archive();
    sandbox.configure("Codename: stable\nComponents: main\nArchitectures: amd64\n");
    std::fs::write(sandbox.path("secret"), "secret").unwrap();
    std::fs::write(sandbox.archive("private.asc"), "secret").unwrap();
    let server = sandbox.serve();
    for path in [
        "/conf/distributions",
        "/conf/",
        "/private.asc",
        "/.publish-lock",
        "/../secret",
        "/%2e%2e/secret",
        "/pool/../conf/distributions",
        "/pool/%2e%2e/%2e%2e/secret",
        "/pool/..%2f..%2fsecret",
        "//conf/distributions",
        "/dists/../../secret",
    ] {
        let response = get(&server, path, "");
        assert!((400..500).contains(&response.status), "{path}: {}", response.head);
        assert!(!String::from_utf8_lossy(&response.body).contains("secret\n"), "{path}");
    }
}

#[test]
fn a_new_generation_is_served_without_a_restart() {
    let sandbox = archive();
    let server = sandbox.serve();
    for mut apt in Client::all(&sandbox) {
        apt.source(&Source::at(&server.url).trusted());
        apt.updates();
        // HTTP dates have a resolution of a second: a change within the same second would not be visible.
        std::thread::sleep(Duration::from_millis(1100));
        let name = if apt.name == "Debian 12" { "first-news" } else { "second-news" };
        let file = deb(name).write(sandbox.incoming());
        sandbox.publish(["add".as_ref(), file.as_os_str()]).ok();
        apt.updates();
        assert_eq!(apt.versions(name), ["1.0"], "{}", apt.name);
    }
}
