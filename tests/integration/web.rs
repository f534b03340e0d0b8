//! The smallest web server that apt accepts: files of a folder, several requests per connection, and a log of them.
//!
//! It represents the simple hosts and CDNs that serve archives, and with [`Web::with`] misconfigured ones; `publish
//! serve` has its own tests.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

/// A web server on a free port. Its thread ends with the tests.
pub(crate) struct Web {
    /// `http://127.0.0.1:PORT`, without a trailing slash.
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

/// The response about to be sent.
pub(crate) struct Reply {
    /// Such as `200 OK`.
    pub(crate) status: String,
    /// Lines such as `Age: 1`, in addition to the length.
    pub(crate) headers: Vec<String>,
    /// The body, which is not sent for HEAD.
    pub(crate) body: Vec<u8>,
    /// Closes the connection without a response.
    pub(crate) hangs_up: bool,
}

impl Reply {
    /// Replaces the status and the body.
    pub(crate) fn says(&mut self, status: &str) {
        status.clone_into(&mut self.status);
        self.body.clear();
    }

    /// Adds a header.
    pub(crate) fn header(&mut self, line: &str) {
        self.headers.push(line.to_owned());
    }
}

/// Changes the response to a request (`GET /path`) before it is sent.
type Change = dyn Fn(&str, &mut Reply) + Send + Sync;

impl Web {
    /// Serves a folder.
    pub(crate) fn of(folder: impl Into<PathBuf>) -> Self {
        Self::with(folder, |_, _| ())
    }

    /// Serves a folder, and knows no file by an encoded path.
    pub(crate) fn strict(folder: impl Into<PathBuf>) -> Self {
        Self::start(folder.into(), false, Arc::new(|_: &str, _: &mut Reply| ()))
    }

    /// Serves a folder, and changes the responses.
    pub(crate) fn with(
        folder: impl Into<PathBuf>,
        change: impl Fn(&str, &mut Reply) + Send + Sync + 'static,
    ) -> Self {
        Self::start(folder.into(), true, Arc::new(change))
    }

    fn start(folder: PathBuf, unescapes: bool, change: Arc<Change>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&requests);
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let (folder, log, change) = (folder.clone(), Arc::clone(&log), Arc::clone(&change));
                std::thread::spawn(move || answer(&connection, &folder, unescapes, &log, &*change));
            }
        });
        Self { url, requests }
    }

    /// The requested paths since the last call, still encoded.
    pub(crate) fn requests(&self) -> Vec<String> {
        std::mem::take(&mut *self.requests.lock().unwrap())
    }
}

fn answer(connection: &TcpStream, folder: &Path, unescapes: bool, log: &Mutex<Vec<String>>, change: &Change) {
    let mut writer = connection;
    let mut lines = BufReader::new(connection).lines().map_while(Result::ok);
    while let Some(request) = lines.next() {
        // The headers are not needed.
        lines.by_ref().take_while(|line| !line.is_empty()).for_each(drop);
        let (method, path) = request.split_once(' ').unwrap_or(("GET", "/"));
        let path = path.split(' ').next().unwrap_or("/").to_owned();
        let decoded = if unescapes { decode(&path) } else { path.clone() };
        let mut reply = match fs::read(folder.join(decoded.trim_start_matches('/'))) {
            Ok(body) => Reply { status: "200 OK".to_owned(), headers: Vec::new(), body, hangs_up: false },
            Err(_) => Reply {
                status: "404 Not Found".to_owned(),
                headers: Vec::new(),
                body: Vec::new(),
                hangs_up: false,
            },
        };
        log.lock().unwrap().push(path);
        change(&format!("{method} {decoded}"), &mut reply);
        if reply.hangs_up {
            return;
        }
        let mut head =
            vec![format!("HTTP/1.1 {}", reply.status), format!("Content-Length: {}", reply.body.len())];
        head.extend(reply.headers);
        let head = head.join("\r\n") + "\r\n\r\n";
        let body = if method == "HEAD" { &[][..] } else { &reply.body };
        if writer.write_all(head.as_bytes()).is_err() || writer.write_all(body).is_err() {
            return;
        }
    }
}

/// Decodes percent-encoding.
fn decode(path: &str) -> String {
    let mut parts = path.split('%');
    let mut out = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let byte = part.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        out.extend(byte);
        out.extend_from_slice(part.get(2..).unwrap_or_default().as_bytes());
    }
    String::from_utf8_lossy(&out).into_owned()
}
