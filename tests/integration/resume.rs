//! Downloads from the web that are cut off: they go on where they were, in the same run and in the next one.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Child,
    sync::{Arc, Mutex},
    time::Duration,
};

use crate::{
    deb_builder::deb,
    sandbox::{Outcome, Sandbox, fixture, sha256},
};

const PACKAGE: &str = "large_1.0_amd64.deb";
/// The size of the large package, at least.
const SIZE: usize = 12 << 20;
/// The commands that download.
const FROM: [&str; 2] = ["sync", "pull"];

/// How a server identifies the version of a file, and whether it sends parts of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Tag,
    Date,
    Nothing,
    NoRanges,
}

/// How a response with a package ends.
#[derive(Clone, Copy)]
enum Cut {
    /// The connection ends after so many bytes of each response.
    Each(usize),
    /// Only of the first one.
    First(usize),
    /// The first response stays open after so many bytes.
    Hang(usize),
}

/// A web server that cuts off responses with packages: no real one can be told to.
struct Flaky {
    url: String,
    /// The `Range` of each request for a package.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Flaky {
    fn new(folder: PathBuf, kind: Kind, cut: Cut) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let (folder, log) = (folder.clone(), Arc::clone(&log));
                std::thread::spawn(move || answer(&connection, &folder, kind, cut, &log));
            }
        });
        Self { url, asked }
    }

    /// The ranges that were asked for since the last call.
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

/// Answers one request, and closes the connection.
fn answer(mut connection: &TcpStream, folder: &Path, kind: Kind, cut: Cut, log: &Mutex<Vec<String>>) {
    let lines: Vec<String> = BufReader::new(connection)
        .lines()
        .map_while(Result::ok)
        .take_while(|line| !line.is_empty())
        .collect();
    let path = lines.first().and_then(|line| line.split(' ').nth(1)).unwrap_or("/").to_owned();
    let range = lines.iter().find_map(|line| line.to_lowercase().strip_prefix("range: ").map(str::to_owned));
    let close = "Connection: close\r\n";
    let Ok(body) = fs::read(folder.join(path.trim_start_matches('/'))) else {
        let _ = write!(connection, "HTTP/1.1 404 Not Found\r\n{close}Content-Length: 0\r\n\r\n");
        return;
    };
    let is_package = Path::new(&path).extension().is_some_and(|extension| extension == "deb");
    let number = if is_package {
        let mut log = log.lock().unwrap();
        log.push(range.clone().unwrap_or_default());
        log.len()
    } else {
        0
    };
    let tags = match kind {
        Kind::Tag => format!("ETag: \"{}\"\r\n", sha256(&body)),
        Kind::Date => "Last-Modified: Sun, 01 Jun 2025 00:00:00 GMT\r\n".to_owned(),
        Kind::Nothing | Kind::NoRanges => String::new(),
    };
    let start = range.and_then(|range| range.strip_prefix("bytes=")?.split('-').next()?.parse().ok());
    let from = start.filter(|_| kind != Kind::NoRanges);
    let rest = &body[from.unwrap_or(0)..];
    let status = match from {
        Some(from) => {
            let (end, size) = (body.len() - 1, body.len());
            format!("206 Partial Content\r\nContent-Range: bytes {from}-{end}/{size}")
        }
        None => "200 OK".to_owned(),
    };
    let most = match cut {
        Cut::Each(most) if is_package => most,
        Cut::First(most) | Cut::Hang(most) if number == 1 => most,
        _ => usize::MAX,
    };
    let head = format!("HTTP/1.1 {status}\r\n{close}{tags}Content-Length: {}\r\n\r\n", rest.len());
    let _ = connection.write_all(head.as_bytes());
    let _ = connection.write_all(&rest[..rest.len().min(most)]);
    if let Cut::Hang(_) = cut
        && number == 1
    {
        // The client is killed meanwhile.
        std::thread::sleep(Duration::from_secs(120));
    }
}

/// An archive in `other/` with a large package, and one in which packages are published.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::signed();
    // Not compressible, and the same at each run.
    let mut state = 1_u64;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_be_bytes()[0]
    });
    let file = deb("large").payload(noise.take(SIZE).collect::<Vec<u8>>()).write(sandbox.incoming());
    sandbox.publish(["-a", "other", "add", file.to_str().unwrap()]).ok();
    sandbox
}

/// The arguments of a command that copies the package from this URL.
fn arguments(command: &str, url: &str) -> Vec<String> {
    let key = fixture("keys/test.pub.asc").display().to_string();
    let arguments = match command {
        "sync" => ["-a", url, "sync", "./sync", "--suite", "stable", "--keyring", &key].to_vec(),
        _ => ["-a", "pull", "pull", "stable", "--from", url, "large", "--keyring", &key].to_vec(),
    };
    arguments.into_iter().map(str::to_owned).collect()
}

fn run(sandbox: &Sandbox, command: &str, url: &str) -> Outcome {
    sandbox.publish(arguments(command, url))
}

/// The package at the destination has the bytes of the source, nothing else is beside it, and no part is left.
#[track_caller]
fn is_complete(sandbox: &Sandbox, command: &str) {
    let at = |folder: &str| sandbox.path(format!("{folder}/pool/main/l/large/{PACKAGE}"));
    assert!(fs::read(at(command)).unwrap() == fs::read(at("other")).unwrap(), "{command}");
    let names: Vec<_> = fs::read_dir(at(command).parent().unwrap()).unwrap().flatten().collect();
    assert_eq!(names.len(), 1, "{names:?}");
    assert_eq!(parts(sandbox), Vec::<PathBuf>::new());
}

/// The parts in the cache.
fn parts(sandbox: &Sandbox) -> Vec<PathBuf> {
    let folder = sandbox.path("home/.cache/publish/partial");
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

#[test]
fn a_download_goes_on_where_the_connection_broke() {
    for command in FROM {
        for kind in [Kind::Tag, Kind::Date, Kind::Nothing] {
            let sandbox = sandbox();
            let server = Flaky::new(sandbox.path("other"), kind, Cut::Each(5 << 20));
            run(&sandbox, command, &server.url).ok();
            is_complete(&sandbox, command);
            let asked = server.asked();
            let starts: Vec<usize> = asked
                .iter()
                .map(|range| {
                    range.trim_start_matches("bytes=").split('-').next().unwrap().parse().unwrap_or(0)
                })
                .collect();
            // Bytes that arrived are not asked for again; the last ones before a cut may be lost.
            assert_eq!(starts.len(), 3, "{command} {kind:?}: {asked:?}");
            assert!(starts[0] == 0 && starts[1] > 4 << 20 && starts[2] > 8 << 20, "{command}: {asked:?}");
        }
    }
}

#[test]
fn a_server_without_ranges_sends_the_file_again() {
    for command in FROM {
        let sandbox = sandbox();
        let server = Flaky::new(sandbox.path("other"), Kind::NoRanges, Cut::First(5 << 20));
        run(&sandbox, command, &server.url).ok();
        is_complete(&sandbox, command);
        assert_eq!(server.asked().last().map(String::as_str), Some(""));
    }
}

/// Kills a command while the package arrives; returns the part that has arrived.
fn killed(sandbox: &Sandbox, command: &str) -> PathBuf {
    let server = Flaky::new(sandbox.path("other"), Kind::Tag, Cut::Hang(7 << 20));
    let mut program = sandbox.command(env!("CARGO_BIN_EXE_publish"));
    let mut child: Child = program.args(arguments(command, &server.url)).spawn().unwrap();
    let part = loop {
        let part = parts(sandbox).into_iter().find(|part| fs::metadata(part).unwrap().len() >= 6 << 20);
        if let Some(part) = part {
            break part;
        }
        assert!(child.try_wait().unwrap().is_none(), "it ended too early");
        std::thread::sleep(Duration::from_millis(20));
    };
    // `timeout` passes no SIGKILL on, so the program itself is killed.
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", child.id())).unwrap();
    let program = children.split_whitespace().next().unwrap();
    sandbox.ask("kill", ["-KILL", program]);
    let _ = child.wait();
    part
}

#[test]
fn a_killed_download_goes_on_in_the_next_run() {
    for command in FROM {
        let sandbox = sandbox();
        let part = killed(&sandbox, command);
        assert!(!sandbox.path(command).join(format!("pool/main/l/large/{PACKAGE}")).exists());
        let has = fs::metadata(&part).unwrap().len();
        let server = Flaky::new(sandbox.path("other"), Kind::Tag, Cut::Each(usize::MAX));
        run(&sandbox, command, &server.url).ok();
        assert_eq!(server.asked(), [format!("bytes={has}-")], "{command}");
        is_complete(&sandbox, command);
    }
}

/// Changes the part that has arrived.
type Damage = fn(&Path);

#[test]
fn a_damaged_part_is_replaced_by_a_whole_download() {
    let damages: [(Damage, usize); 4] = [
        // Other bytes.
        (
            |part| {
                let mut bytes = fs::read(part).unwrap();
                bytes[1000] ^= 1;
                fs::write(part, bytes).unwrap();
            },
            2,
        ),
        // All of them, and others.
        (
            |part| {
                let more = vec![b'x'; fs::read(part).unwrap().len() + (9 << 20)];
                fs::write(part, more).unwrap();
            },
            1,
        ),
        (|part| fs::write(part, "").unwrap(), 1),
        (
            |part| {
                fs::remove_file(part).unwrap();
                std::os::unix::fs::symlink("/etc/passwd", part).unwrap();
            },
            1,
        ),
    ];
    for (number, (damage, requests)) in damages.into_iter().enumerate() {
        let sandbox = sandbox();
        let part = killed(&sandbox, "sync");
        damage(&part);
        let server = Flaky::new(sandbox.path("other"), Kind::Tag, Cut::Each(usize::MAX));
        run(&sandbox, "sync", &server.url).ok();
        assert_eq!(server.asked().len(), requests, "{number}");
        if number == 3 {
            // A link is left alone.
            fs::remove_file(&part).unwrap();
        }
        is_complete(&sandbox, "sync");
    }
}
