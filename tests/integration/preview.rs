//! The preview server as clients see it: raw bytes over a socket, and a real apt.

use std::{
    collections::HashMap,
    fs,
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, SystemTime},
};

use object_store::local::LocalFileSystem;
use publish::cli::Server;
use sequoia_openpgp::{cert::CertBuilder, serialize::SerializeInto as _};
use tempfile::TempDir;

/// The modification time of every file of the test archive, and its HTTP form.
const MODIFIED: Duration = Duration::from_secs(784_111_777);
const MODIFIED_HTTP: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

/// An archive in a folder and a server for it, which stops when dropped.
struct Preview {
    folder: TempDir,
    address: SocketAddr,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Preview {
    fn start() -> Self {
        Self::start_with(|server| server)
    }

    fn start_with(set: fn(Server) -> Server) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(LocalFileSystem::new_with_prefix(folder.path()).unwrap());
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let (listening, address) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            tokio::runtime::Runtime::new().unwrap().block_on(async {
                let server = set(Server::bind("127.0.0.1:0").await.unwrap());
                listening.send(server.address()).unwrap();
                let shutdown = async { stopped.await.unwrap_or(()) };
                server.serve(store, shutdown, |_| {}).await.unwrap();
            });
        });
        Self { folder, address: address.recv().unwrap(), stop: Some(stop), thread: Some(thread) }
    }

    fn write(&self, path: &str, contents: impl AsRef<[u8]>) {
        let path = self.folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, contents).unwrap();
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + MODIFIED).unwrap();
    }

    fn connect(&self) -> Connection {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
        Connection { stream, read: Vec::new() }
    }

    /// Sends one request on its own connection. The path is sent unchanged.
    fn request(&self, method: &str, path: &str, headers: &[&str]) -> Response {
        let mut connection = self.connect();
        connection.send(&request(method, path, headers));
        connection.response(method == "HEAD")
    }

    fn get(&self, path: &str) -> Response {
        self.request("GET", path, &[])
    }

    fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        self.thread.take().unwrap().join().unwrap();
    }
}

impl Drop for Preview {
    fn drop(&mut self) {
        if self.thread.is_some() && !std::thread::panicking() {
            self.stop();
        }
    }
}

fn request(method: &str, path: &str, headers: &[&str]) -> String {
    let lines = [&["Host: preview"], headers, &["", ""]].concat().join("\r\n");
    format!("{method} {path} HTTP/1.1\r\n{lines}")
}

struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Connection {
    fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).unwrap();
    }

    fn more(&mut self) {
        let mut buffer = [0; 1 << 14];
        let count = self.stream.read(&mut buffer).unwrap();
        let shown = &self.read[..self.read.len().min(500)];
        assert_ne!(count, 0, "the server closed the connection after {:?}", String::from_utf8_lossy(shown));
        self.read.extend(&buffer[..count]);
    }

    /// Reads exactly one response, and leaves the following bytes for the next.
    fn response(&mut self, is_to_head: bool) -> Response {
        let end = loop {
            if let Some(end) = memchr::memmem::find(&self.read, b"\r\n\r\n") {
                break end + 4;
            }
            self.more();
        };
        let head: Vec<u8> = self.read.drain(..end).collect();
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: HashMap<String, String> = lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let length = match headers.get("content-length") {
            Some(length) if !is_to_head => length.parse().unwrap(),
            _ => 0,
        };
        while self.read.len() < length {
            self.more();
        }
        let body = self.read.drain(..length).collect();
        Response { status, headers, body }
    }

    /// Reads until the server closes the connection.
    fn rest(mut self) -> Vec<u8> {
        self.stream.read_to_end(&mut self.read).unwrap();
        self.read
    }
}

#[must_use]
#[derive(Debug)]
struct Response {
    status: u16,
    headers: HashMap<String, String>,
    body: Vec<u8>,
}

impl Response {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

#[test]
fn a_file_comes_with_what_caches_and_clients_need() {
    let preview = Preview::start();
    preview.write("pool/main/h/hello/hello_1_amd64.deb", "a package");
    preview.write("dists/stable/InRelease", "signed");

    let deb = preview.get("/pool/main/h/hello/hello_1_amd64.deb?from=here");
    assert_eq!((deb.status, deb.text()), (200, "a package"));
    assert_eq!(deb.header("content-type"), "application/vnd.debian.binary-package");
    assert_eq!(deb.header("content-length"), "9");
    assert_eq!(deb.header("accept-ranges"), "bytes");
    assert_eq!(deb.header("last-modified"), MODIFIED_HTTP);
    assert_eq!(deb.header("cache-control"), "public, max-age=31536000, immutable");
    assert!(deb.header("etag").starts_with('"'), "{deb:?}");
    assert_eq!(deb.headers.get("content-encoding"), None);

    let pointer = preview.get("/dists/stable/InRelease");
    assert_eq!(pointer.header("cache-control"), "max-age=60, must-revalidate");
    assert_eq!(pointer.header("content-type"), "text/plain; charset=utf-8");

    let head = preview.request("HEAD", "/pool/main/h/hello/hello_1_amd64.deb", &[]);
    assert_eq!((head.status, head.header("content-length")), (200, "9"));
    assert_eq!(head.header("etag"), deb.header("etag"));
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let preview = Preview::start();
    let big = vec![b'x'; 3 << 20];
    preview.write("pool/big.deb", &big);
    preview.write("pool/one.deb", "1");
    preview.write("pool/two.deb", "22");
    let mut connection = preview.connect();
    let all = [
        request("GET", "/pool/big.deb", &[]),
        request("GET", "/pool/one.deb", &[]),
        request("HEAD", "/pool/big.deb", &[]),
        request("GET", "/pool/missing.deb", &[]),
        request("GET", "/pool/two.deb", &["Range: bytes=1-"]),
    ];
    connection.send(&all.concat());
    let answers: Vec<_> = [false, false, true, false, false]
        .into_iter()
        .map(|is_to_head| connection.response(is_to_head))
        .map(|answer| (answer.status, answer.body.len()))
        .collect();
    assert_eq!(answers, [(200, big.len()), (200, 1), (200, 0), (404, 14), (206, 1)]);

    // The connection is still open, and a client that closes its side gets its last response.
    connection.send(&request("GET", "/pool/one.deb", &[]));
    connection.stream.shutdown(Shutdown::Write).unwrap();
    let rest = connection.rest();
    assert!(rest.ends_with(b"\r\n\r\n1"), "{}", String::from_utf8_lossy(&rest));
}

#[test]
fn ranges_let_a_client_resume() {
    let preview = Preview::start();
    preview.write("pool/a.deb", "0123456789");
    preview.write("pool/empty.deb", "");
    let etag = preview.get("/pool/a.deb").header("etag").to_owned();
    let ranged = |headers: &[&str]| {
        let answer = preview.request("GET", "/pool/a.deb", headers);
        let range = answer.header("content-range").to_owned();
        let length: usize = answer.header("content-length").parse().unwrap();
        assert_eq!(answer.body.len(), length, "{answer:?}");
        (answer.status, range, answer.text().to_owned())
    };
    let part = |range: &str, text: &str| (206, format!("bytes {range}/10"), text.to_owned());
    let whole = (200, String::new(), "0123456789".to_owned());
    let unsatisfiable = (416, "bytes */10".to_owned(), "416 Range Not Satisfiable\n".to_owned());

    assert_eq!(ranged(&["Range: bytes=2-4"]), part("2-4", "234"));
    assert_eq!(ranged(&["Range: bytes=7-"]), part("7-9", "789"));
    assert_eq!(ranged(&["Range: bytes=-2"]), part("8-9", "89"));
    assert_eq!(ranged(&["Range: bytes=0-100"]), part("0-9", "0123456789"));
    assert_eq!(ranged(&["Range: bytes=10-"]), unsatisfiable);
    assert_eq!(ranged(&["Range: bytes=0-1,4-5"]), whole);
    assert_eq!(ranged(&["Range: lines=0-1"]), whole);
    let known = format!("If-Range: {MODIFIED_HTTP}");
    assert_eq!(ranged(&["Range: bytes=7-", &known]), part("7-9", "789"));
    assert_eq!(ranged(&["Range: bytes=7-", &format!("If-Range: {etag}")]), part("7-9", "789"));
    assert_eq!(ranged(&["Range: bytes=7-", "If-Range: \"other\""]), whole);

    assert_eq!(preview.request("GET", "/pool/empty.deb", &["Range: bytes=0-"]).status, 416);
    assert_eq!(preview.get("/pool/empty.deb").header("content-length"), "0");
}

#[test]
fn unmodified_files_are_not_sent_again() {
    let preview = Preview::start();
    preview.write("dists/stable/InRelease", "signed");
    let etag = preview.get("/dists/stable/InRelease").header("etag").to_owned();
    for (header, status) in [
        (format!("If-Modified-Since: {MODIFIED_HTTP}"), 304),
        ("If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT".to_owned(), 200),
        (format!("If-None-Match: {etag}"), 304),
        (format!("If-None-Match: W/{etag}, \"x\""), 304),
        ("If-None-Match: \"x\"".to_owned(), 200),
        ("If-Match: \"x\"".to_owned(), 412),
    ] {
        for method in ["GET", "HEAD"] {
            let answer = preview.request(method, "/dists/stable/InRelease", &[&header]);
            assert_eq!(answer.status, status, "{method} {header}");
            if status == 304 {
                assert_eq!(answer.header("etag"), etag);
                assert!(answer.body.is_empty());
            }
        }
    }
}

#[test]
fn odd_names_survive() {
    let preview = Preview::start();
    for name in ["a+b~rc1_1:2.0_all.deb", "é%41.deb", "sp ace#x.deb", "[q]?&.deb"] {
        preview.write(&format!("pool/main/{name}"), name);
    }
    for encoded in [
        "a%2bb%7erc1_1%3a2.0_all.deb",
        "a+b~rc1_1:2.0_all.deb",
        "%c3%a9%2541.deb",
        "%C3%A9%2541.deb",
        "sp%20ace%23x.deb",
        "%5bq%5d%3f%26.deb",
    ] {
        let answer = preview.get(&format!("/pool/main/{encoded}"));
        assert_eq!(answer.status, 200, "{encoded}");
    }
    assert_eq!(preview.get("/pool/main/%c3%a9A.deb").status, 404, "decoded once only");

    let page = preview.get("/pool/main/");
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    for link in [
        "<a href=\"a%2bb%7erc1_1%3a2.0_all.deb\">a+b~rc1_1:2.0_all.deb</a>",
        "<a href=\"%c3%a9%2541.deb\">é%41.deb</a>",
        "<a href=\"%5bq%5d%3f%26.deb\">[q]?&amp;.deb</a>",
    ] {
        assert!(page.text().contains(link), "{link} in\n{}", page.text());
    }
}

#[test]
fn a_browser_can_navigate() {
    let preview = Preview::start();
    let empty = preview.get("/");
    assert_eq!(empty.status, 200, "an archive without a package yet");

    preview.write("pool/main/h/hello/hello_1_amd64.deb", "a package");
    preview.write("conf/distributions", "Codename: stable\n");
    let page = preview.get("/");
    assert!(page.text().contains("<a href=\"pool/\">pool/</a>"), "{}", page.text());
    assert!(!page.text().contains("conf"), "{}", page.text());

    let moved = preview.get("/pool/main");
    assert_eq!((moved.status, moved.header("location")), (301, "/pool/main/"));
    let head = preview.request("HEAD", "/pool/main/", &[]);
    let page = preview.get("/pool/main/");
    assert_eq!(page.status, 200);
    assert_eq!(head.header("content-length"), page.body.len().to_string());
    assert_eq!(preview.get("/pool/nothing/").status, 404);
    assert_eq!(preview.get("/pool/main/h/hello/hello_1_amd64.deb/").status, 404);
    assert_eq!(preview.get("/pool/main/h/hello/hello_1_amd64.deb/x").status, 404);
    assert_eq!(preview.get(&format!("/pool/{}", "x".repeat(300))).status, 404);
}

#[test]
fn nothing_but_the_archive_is_shown() {
    let preview = Preview::start();
    let outside = preview.folder.path().parent().unwrap().join("publish-serve-outside");
    fs::write(&outside, "outside").unwrap();
    for path in
        ["conf/distributions", "db/x.db", ".lock", "pool/.staged/x", "dists/stable/.lock", "notes.txt"]
    {
        preview.write(path, "SECRET");
    }
    preview.write("pool/x.deb", "x");
    preview.write("pool/x.deb#1", "SECRET");
    for path in [
        "/../publish-serve-outside",
        "/pool/../../publish-serve-outside",
        "/pool/%2e%2e/%2e%2e/publish-serve-outside",
        "/pool/..%2f..%2fpublish-serve-outside",
        "/pool/..%5c..%5cpublish-serve-outside",
        "//etc/passwd",
        "/pool//etc/passwd",
        "/pool/%00",
        "/pool/%",
        "/pool/../conf/distributions",
        "/conf/distributions",
        "/%63onf/distributions",
        "/conf",
        "/conf/",
        "/db/x.db",
        "/.lock",
        "/notes.txt",
        "/pool/.staged/x",
        "/pool/.staged/",
        "/dists/stable/.lock",
        "/pool/x.deb%231",
    ] {
        let answer = preview.get(path);
        assert!(matches!(answer.status, 400 | 404), "{path}: {}", answer.status);
        assert!(!answer.text().contains("SECRET") && !answer.text().contains("outside"), "{path}");
    }
    assert!(!preview.get("/pool/").text().contains("x.deb#1"));
    fs::remove_file(outside).unwrap();

    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"] {
        let refused = preview.request(method, "/pool/x.deb", &["Content-Length: 0"]);
        assert_eq!((refused.status, refused.header("allow")), (405, "GET, HEAD"), "{method}");
    }
    assert_eq!(preview.get("/pool/x.deb").status, 200);
}

#[test]
fn a_secret_key_is_not_shown_whatever_its_name() {
    let preview = Preview::start();
    let (cert, _) = CertBuilder::new().add_userid("Test <test@example.org>").generate().unwrap();
    preview.write("public.asc", cert.armored().to_vec().unwrap());
    preview.write("public.gpg", cert.to_vec().unwrap());
    preview.write("archive.asc", cert.as_tsk().armored().to_vec().unwrap());
    preview.write("archive.gpg", cert.as_tsk().to_vec().unwrap());
    preview.write("ssh.pub", "-----BEGIN OPENSSH PRIVATE KEY-----\n");

    let public = preview.get("/public.asc");
    assert_eq!((public.status, public.header("content-type")), (200, "application/pgp-keys"));
    let part = preview.request("GET", "/public.asc", &["Range: bytes=0-9"]);
    assert_eq!((part.status, part.text()), (206, "-----BEGIN"));
    assert_eq!(preview.request("HEAD", "/public.gpg", &[]).status, 200);
    for secret in ["/archive.asc", "/archive.gpg", "/ssh.pub"] {
        assert_eq!(preview.get(secret).status, 404, "{secret}");
        assert_eq!(preview.request("GET", secret, &["Range: bytes=1-"]).status, 404, "{secret}");
        assert_eq!(preview.request("HEAD", secret, &[]).status, 404, "{secret}");
    }
    let page = preview.get("/");
    assert!(page.text().contains("public.gpg") && !page.text().contains("archive."), "{}", page.text());
}

#[test]
fn one_bad_client_does_not_affect_others() {
    let preview = Preview::start();
    preview.write("pool/x.deb", vec![b'x'; 8 << 20]);
    let mut silent = preview.connect();
    silent.send("GET /pool/x.deb HT");
    let mut deaf = preview.connect();
    deaf.send(&request("GET", "/pool/x.deb", &[]));
    let mut gone = preview.connect();
    gone.send(&request("GET", "/pool/x.deb", &[]));
    drop(gone);
    let mut rude = preview.connect();
    rude.send("\u{1}\u{2}\u{3}\r\n\r\n");
    rude.rest();
    let mut confused = preview.connect();
    confused.send("GET / HTTP/1.1\r\nno header\r\n\r\n");
    assert_eq!(confused.response(false).status, 400);
    let mut endless = preview.connect();
    endless.send(&request("GET", "/", &[&format!("X: {}", "x".repeat(100_000))]));
    assert_eq!(endless.response(false).status, 431);
    assert_eq!(preview.get("/pool/x.deb").body.len(), 8 << 20);
}

#[test]
fn a_response_in_flight_completes_before_shutdown() {
    // A loaded machine may need longer for the rest of the response than a user waits for.
    let mut preview = Preview::start_with(|server| server.with_shutdown_timeout(Duration::from_secs(120)));
    preview.write("pool/x.deb", vec![b'x'; 16 << 20]);
    let address = preview.address;
    let idle = preview.connect();
    let mut connection = preview.connect();
    connection.send(&request("GET", "/pool/x.deb", &[]));
    connection.more();
    let reader = std::thread::spawn(move || connection.response(false).body.len());
    preview.stop();
    assert_eq!(reader.join().unwrap(), 16 << 20);
    assert_eq!(idle.rest(), b"");
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn a_public_address_has_a_warning() {
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let local = Server::bind("127.0.0.1:0").await.unwrap();
        assert_eq!(local.url(), format!("http://127.0.0.1:{}/", local.address().port()));
        assert_eq!(local.warning(), None);
        let open = Server::bind("0.0.0.0:0").await.unwrap();
        assert!(open.warning().unwrap().contains("other machines"));
        let taken = Server::bind(&local.address().to_string()).await.unwrap_err();
        assert_eq!(taken.to_string(), format!("cannot listen on `{}`", local.address()));
    });
}

/// Runs a program, which must succeed, and returns its output.
fn run(command: &mut Command) -> String {
    let output = command.env("LC_ALL", "C").output().unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{text}", output.status);
    text
}

const VERSIONS: [&str; 3] = ["1.0~rc1+b1", "1.0", "1:0.9"];
const POOL: &str = "pool/main/h/hello";

/// Creates packages and a suite of them with other tools; the index exists only by hash.
fn publish_by_hand(preview: &Preview) {
    let archive = preview.folder.path();
    let build = tempfile::tempdir().unwrap();
    fs::create_dir_all(archive.join(POOL)).unwrap();
    for version in VERSIONS {
        for name in ["hello", "libhello++"] {
            let tree = build.path().join(format!("{name}-{version}"));
            fs::create_dir_all(tree.join("DEBIAN")).unwrap();
            let control = format!(
                "Package: {name}\nVersion: {version}\nArchitecture: amd64\nMaintainer: Test <test@example.org>\n\
                 Description: greets\n"
            );
            fs::write(tree.join("DEBIAN/control"), control).unwrap();
            fs::write(tree.join("payload"), vec![b'x'; 100_000]).unwrap();
            let version = version.rsplit(':').next().unwrap();
            let deb = archive.join(format!("{POOL}/{name}_{version}_amd64.deb"));
            run(Command::new("dpkg-deb").args(["-Znone", "--root-owner-group", "-b"]).args([tree, deb]));
        }
    }
    let scan = ["-m", "pool"];
    let index = Command::new("dpkg-scanpackages").args(scan).current_dir(archive).output().unwrap().stdout;
    let digest = publish::digest::Sha256Digest::of(&index);
    let release = format!(
        "Suite: stable\nArchitectures: amd64\nComponents: main\nDate: Sun, 22 Nov 2020 20:00:00 UTC\n\
         Acquire-By-Hash: yes\nSHA256:\n {digest} {} main/binary-amd64/Packages\n",
        index.len()
    );
    preview.write("dists/stable/Release", release);
    preview.write(&format!("dists/stable/main/binary-amd64/by-hash/SHA256/{digest}"), index);
}

/// apt with its own root: no configuration, lists or packages of the system.
struct Apt {
    root: TempDir,
}

impl Apt {
    fn new(address: SocketAddr) -> Self {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        for folder in [
            "etc/apt/apt.conf.d",
            "etc/apt/preferences.d",
            "etc/apt/sources.list.d",
            "var/lib/apt/lists/partial",
            "var/cache/apt/archives/partial",
        ] {
            fs::create_dir_all(path(folder)).unwrap();
        }
        fs::write(path("status"), "").unwrap();
        let source = format!("deb [trusted=yes] http://{address}/ stable main\n");
        fs::write(path("etc/apt/sources.list"), source).unwrap();
        let dir = root.path().display();
        let configuration = format!(
            "Dir \"{dir}\";\n\
             Dir::State::status \"{dir}/status\";\n\
             Dir::Bin::methods \"/usr/lib/apt/methods\";\n\
             APT::Architecture \"amd64\";\n\
             APT::Architectures {{ \"amd64\"; }};\n\
             APT::Sandbox::User \"\";\n\
             APT::Update::Error-Mode \"any\";\n\
             Acquire::Languages \"none\";\n\
             Acquire::Retries \"0\";\n\
             Acquire::http::Proxy \"DIRECT\";\n\
             Debug::NoLocking \"true\";\n\
             Debug::Acquire::http \"true\";\n"
        );
        fs::write(path("apt.conf"), configuration).unwrap();
        Self { root }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn get(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("apt-get");
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
            .env("APT_CONFIG", self.path("apt.conf"));
        run(command.args(arguments).current_dir(self.root.path()))
    }
}

#[test]
fn a_real_apt_updates_downloads_and_resumes() {
    let needed = ["apt-get", "dpkg-deb", "dpkg-scanpackages"];
    if !needed.iter().all(|program| Path::new("/usr/bin").join(program).exists()) {
        let _ = writeln!(std::io::stderr(), "skipped: needs {}", needed.join(", "));
        return;
    }
    let preview = Preview::start();
    publish_by_hand(&preview);
    let apt = Apt::new(preview.address);

    let first = apt.get(&["update"]);
    assert!(first.contains("Get:") && first.contains("/by-hash/SHA256/"), "{first}");
    let again = apt.get(&["update"]);
    assert!(again.contains("304 Not Modified") && !again.contains("Get:"), "{again}");

    // Several at once, so that apt pipelines. The client's file names include the epoch.
    let wanted = VERSIONS.map(|version| [format!("hello={version}"), format!("libhello++={version}")]);
    let arguments: Vec<_> = wanted.as_flattened().iter().map(String::as_str).collect();
    let log = apt.get(&[&["download"], &arguments[..]].concat());
    for name in ["hello", "libhello++"] {
        for (fetched, published) in [("1.0~rc1+b1", "1.0~rc1+b1"), ("1.0", "1.0"), ("1%3a0.9", "0.9")] {
            let fetched = fs::read(apt.path(&format!("{name}_{fetched}_amd64.deb"))).unwrap();
            let published = format!("{POOL}/{name}_{published}_amd64.deb");
            let published = fs::read(preview.folder.path().join(published)).unwrap();
            assert!(fetched == published, "{log}");
        }
    }

    // An interrupted download: apt requests the rest.
    let deb = "libhello++_1.0_amd64.deb";
    let published = preview.folder.path().join(POOL).join(deb);
    let contents = fs::read(&published).unwrap();
    let partial = apt.path("var/cache/apt/archives/partial").join(deb);
    fs::write(&partial, &contents[..5000]).unwrap();
    let modified = fs::metadata(&published).unwrap().modified().unwrap();
    let partial = fs::File::options().write(true).open(partial).unwrap();
    partial.set_modified(modified).unwrap();
    let log = apt.get(&["--download-only", "--yes", "install", "libhello++=1.0"]);
    assert!(log.contains("206 Partial Content"), "{log}");
    assert!(fs::read(apt.path("var/cache/apt/archives").join(deb)).unwrap() == contents, "{log}");
}
