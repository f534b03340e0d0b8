//! The least web server that apt accepts: files of a folder, requests in a row on one connection, and a list of them.
//!
//! It stands for the dumb hosts and CDNs that archives lie on; `publish serve` has tests of its own.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

/// A web server on a free port. Its thread ends with the tests.
pub(crate) struct Web {
    /// `http://127.0.0.1:PORT`, without a slash at the end.
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Web {
    /// Serves a folder.
    pub(crate) fn of(folder: impl Into<PathBuf>) -> Self {
        let folder = folder.into();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&requests);
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let (folder, log) = (folder.clone(), Arc::clone(&log));
                std::thread::spawn(move || answer(&connection, &folder, &log));
            }
        });
        Self { url, requests }
    }

    /// The paths that were asked for since the last call, as they were asked.
    pub(crate) fn requests(&self) -> Vec<String> {
        std::mem::take(&mut *self.requests.lock().unwrap())
    }
}

fn answer(connection: &TcpStream, folder: &Path, log: &Mutex<Vec<String>>) {
    let mut writer = connection;
    let mut lines = BufReader::new(connection).lines().map_while(Result::ok);
    while let Some(request) = lines.next() {
        // The headers do not matter here.
        lines.by_ref().take_while(|line| !line.is_empty()).for_each(drop);
        let path = request.split(' ').nth(1).unwrap_or("/").to_owned();
        let file = fs::read(folder.join(decode(&path).trim_start_matches('/')));
        log.lock().unwrap().push(path);
        let (status, body) = match &file {
            Ok(bytes) => ("200 OK", bytes.as_slice()),
            Err(_) => ("404 Not Found", &b""[..]),
        };
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len());
        if writer.write_all(head.as_bytes()).is_err() || writer.write_all(body).is_err() {
            return;
        }
    }
}

/// Undoes percent-encoding.
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
