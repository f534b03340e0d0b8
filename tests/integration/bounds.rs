//! Input from others is bounded: links out of the archive are not followed, pipes and devices do not block, and nothing
//! endless or huge fills the memory.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write},
    net::{TcpListener, TcpStream},
    os::unix::fs::symlink,
    path::Path,
};

use crate::{
    deb_builder::deb,
    sandbox::{Sandbox, age, fixture},
};

/// An archive with two packages.
fn archive() -> Sandbox {
    let sandbox = Sandbox::new();
    deb("hello").write(sandbox.incoming());
    deb("world").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok();
    sandbox
}

fn make_pipe(path: &Path) {
    let _ = fs::remove_file(path);
    assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn no_command_follows_a_link_out_of_the_archive() {
    let sandbox = archive();
    let outside = sandbox.path("outside");
    fs::create_dir_all(outside.join("sub")).unwrap();
    for file in ["notes.txt", "sub/deep.deb", "InRelease"] {
        fs::write(outside.join(file), "precious").unwrap();
    }
    age(&outside, 30);
    let by_hash = "dists/stable/main/binary-amd64/by-hash/SHA256/x";
    for link in [by_hash, "pool/main/z", "dists/other", "dists/stable/contrib", "www"] {
        symlink(&outside, sandbox.archive(link)).unwrap();
    }
    symlink(outside.join("notes.txt"), sandbox.archive("index.html")).unwrap();

    sandbox.publish(["prune"]).ok();
    sandbox.publish(["check"]).ok();
    let listed = sandbox.publish(["list"]).ok();
    assert_eq!(listed.stdout.lines().count(), 2, "{}", listed.stdout);
    // The package's path is behind a link.
    fs::remove_file(sandbox.archive("pool/main/z")).unwrap();
    fs::create_dir_all(sandbox.archive("pool/main/z")).unwrap();
    symlink(&outside, sandbox.archive("pool/main/z/zoo")).unwrap();
    let zoo = deb("zoo").write(sandbox.path(""));
    let refused = sandbox.publish(["add".as_ref(), zoo.as_os_str()]).fails(1);
    refused.says(["leads out of the archive"]);
    fs::create_dir(sandbox.path("there")).unwrap();
    sandbox.publish(["sync", "there", "--include", "www/**", "--include", "index.html"]).fails(1);
    sandbox.publish(["sync", "./there"]).ok();
    assert!(!sandbox.path("there/www").exists() && !sandbox.path("there/index.html").exists());
    let server = sandbox.serve();
    for path in ["index.html", "pool/main/z/zoo/notes.txt", "dists/other/InRelease"] {
        let answer = get(&server.url, path);
        assert!(!answer.contains("precious"), "{path}: {answer}");
    }
    let mut left: Vec<_> = fs::read_dir(&outside).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort_unstable();
    assert_eq!(left, ["InRelease", "notes.txt", "sub"]);
    assert!(outside.join("sub/deep.deb").exists());
}

#[test]
fn link_loops_and_broken_links_stop_no_command() {
    let sandbox = archive();
    for (target, link) in [
        ("..", "dists/stable/up"),
        (".", "dists/all"),
        ("circle", "dists/circle"),
        ("gone", "dists/gone"),
        ("../..", "pool/main/h/root"),
        ("gone", "pool/gone.deb"),
    ] {
        symlink(target, sandbox.archive(link)).unwrap();
    }
    sandbox.publish(["list"]).ok();
    sandbox.publish(["check"]).ok();
    sandbox.publish(["prune"]).ok();
    fs::create_dir(sandbox.path("there")).unwrap();
    sandbox.publish(["sync", "./there"]).ok();
    deb("again").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok();
}

#[test]
fn a_path_that_is_not_a_file_is_an_immediate_error() {
    let sandbox = Sandbox::signed();
    deb("hello").write(sandbox.incoming());
    sandbox.configure("Codename: stable\nComponents: main\nArchitectures: amd64\n");
    sandbox.publish(["add", "incoming"]).ok();
    let pipe = sandbox.path("pipe.deb");
    make_pipe(&pipe);
    for (file, why) in
        [(pipe.to_str().unwrap(), "named pipe"), ("/dev/zero", "device"), ("/dev/null", "device")]
    {
        sandbox.publish(["add", file]).fails(1).says([why]);
        sandbox.publish(["--config", file, "list"]).fails(1).says([why]);
        sandbox.publish(["check", "--keyring", file]).fails(1).says([why]);
        sandbox.publish(["--sign-with", file, "add", "incoming"]).fails(1).says([why]);
    }
    let hole = sandbox.path("hole.asc");
    fs::File::create(&hole).unwrap().set_len(1 << 42).unwrap();
    let hole = hole.to_str().unwrap();
    sandbox.publish(["check", "--keyring", hole]).fails(1).says(["hole.asc", "more than 32.00 MiB"]);
    sandbox.publish(["--sign-with", hole, "add", "incoming"]).fails(1).says(["more than 32.00 MiB"]);
    sandbox.publish(["--config", hole, "list"]).fails(1).says(["more than 32.00 MiB"]);
    // The shell passes its own pipe, which has a writer.
    let mut command = sandbox.command("sh");
    let script = "cat \"$1\" | \"$0\" check --keyring /dev/stdin";
    command.args(["-c", script, env!("CARGO_BIN_EXE_publish")]).arg(fixture("keys/test.asc"));
    command.env("PUBLISH_ARCHIVE", sandbox.archive(""));
    sandbox.run(command).ok();
    for path in ["dists/stable/InRelease", "conf/distributions"] {
        let bytes = fs::read(sandbox.archive(path)).unwrap();
        make_pipe(&sandbox.archive(path));
        sandbox.publish(["list"]).fails(1).says(["named pipe"]);
        fs::remove_file(sandbox.archive(path)).unwrap();
        fs::write(sandbox.archive(path), bytes).unwrap();
    }
}

#[test]
fn a_configuration_that_includes_itself_many_times_over_ends() {
    let sandbox = archive();
    sandbox.configure("!include:a.inc\n");
    // Ten nested files, each included a thousand times by the previous one.
    fs::write(sandbox.archive("conf/a.inc"), "!include:a.inc\n".repeat(1000)).unwrap();
    sandbox.publish(["list"]).fails(1).says(["included too deep"]);
    for depth in 0..8 {
        let line = format!("!include:{}.inc\n", depth + 1);
        fs::write(sandbox.archive(format!("conf/{depth}.inc")), line.repeat(1000)).unwrap();
    }
    fs::write(sandbox.archive("conf/8.inc"), "# nothing\n").unwrap();
    sandbox.configure("!include:0.inc\n");
    sandbox.publish(["list"]).fails(1).says(["with its included files", "32.00 MiB"]);
}

#[test]
fn a_decompression_bomb_is_refused() {
    let sandbox = Sandbox::new();
    let piece = vec![b'\n'; 8 << 20];
    let mut packed = Vec::new();
    let mut encoder = xz2::write::XzEncoder::new(&mut packed, 0);
    encoder.write_all(&piece).unwrap();
    encoder.finish().unwrap();
    // 2 GiB in total.
    let bomb = packed.repeat(256);
    sandbox.adopt_files("stable", &[("main/binary-amd64/Packages.xz", &bomb)]);
    let mut command = sandbox.command("sh");
    // In kilobytes: a process that allocates more memory fails.
    let script = "ulimit -v 1500000; exec \"$0\" check";
    command.args(["-c", script, env!("CARGO_BIN_EXE_publish")]);
    command.env("PUBLISH_ARCHIVE", sandbox.archive(""));
    let found = sandbox.run(command).fails(4).stdout;
    assert!(found.contains("it unpacks to more than 128.00 MiB"), "{found}");
}

#[test]
fn an_endless_response_or_a_wrong_length_is_refused() {
    let sandbox = Sandbox::new();
    let huge = answering(|connection, _| {
        connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000000000\r\n\r\n")?;
        connection.write_all(&[b'A'; 4096])
    });
    let found = |url: &str| sandbox.publish(["check", url, "--suite", "stable"]).fails(4).stdout;
    let too_large = "`dists/stable/InRelease` is larger than expected: at most 10485760 bytes are read";
    assert!(found(&huge).contains(too_large));
    let endless = answering(|connection, _| {
        connection.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        loop {
            connection.write_all(b"1000\r\n")?;
            connection.write_all(&[b'A'; 4096])?;
            connection.write_all(b"\r\n")?;
        }
    });
    assert!(found(&endless).contains(too_large));
    let failing = answering(|connection, _| {
        connection.write_all(b"HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        loop {
            connection.write_all(b"1000\r\n")?;
            connection.write_all(&[b'<'; 4096])?;
            connection.write_all(b"\r\n")?;
        }
    });
    assert!(found(&failing).contains("403"));
}

#[test]
fn an_archive_is_read_from_a_server_without_content_length() {
    let sandbox = Sandbox::new();
    // More than the limit for one response in memory.
    let payload: Vec<u8> =
        (0..3_u64 << 20).flat_map(|at| at.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()).collect();
    deb("large").payload(payload).write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok();
    let folder = sandbox.archive("");
    let url = answering(move |connection, path| {
        let Ok(bytes) = fs::read(folder.join(path)) else {
            return connection.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
        };
        connection.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        for piece in bytes.chunks(100_000) {
            write!(connection, "{:x}\r\n", piece.len())?;
            connection.write_all(piece)?;
            connection.write_all(b"\r\n")?;
        }
        connection.write_all(b"0\r\n\r\n")
    });
    sandbox.publish(["check", &url, "--suite", "stable", "--deep"]).ok();
}

/// A server of Swift that sends without end, at the login or at a listing, is given up.
#[tokio::test(flavor = "multi_thread")]
async fn an_endless_response_of_swift_is_refused() {
    let store = |url: &str| {
        let variables = [("ST_AUTH", url), ("ST_USER", "u"), ("ST_KEY", "k")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        crate::buckets::open("swift://container", &variables.into_iter().collect()).unwrap()
    };
    for status in ["200 OK", "401 Unauthorized", "400 Bad Request"] {
        let error = store(&format!("{}/auth/v1.0", endless(status))).list("").await.unwrap_err();
        let said = std::error::Error::source(&error).unwrap().to_string();
        assert!(said.len() < 5000, "{status}: {} bytes", said.len());
    }
    for status in ["200 OK", "400 Bad Request"] {
        let storage = endless(status);
        let login = answering(move |connection, _| {
            write!(
                connection,
                "HTTP/1.1 200 OK\r\nX-Storage-Url: {storage}/v1/a\r\nX-Auth-Token: t\r\nContent-Length: 0\r\n\r\n"
            )
        });
        let error = store(&format!("{login}/auth/v1.0")).list("").await.unwrap_err();
        let said = std::error::Error::source(&error).unwrap().to_string();
        assert!(said.len() < 5000, "{status}: {} bytes", said.len());
    }
}

/// Starts a server whose every response has this status and a body without end.
pub(crate) fn endless(status: &'static str) -> String {
    answering(move |connection, _| {
        write!(connection, "HTTP/1.1 {status}\r\nRetry-After: 0\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        loop {
            connection.write_all(b"1000\r\n")?;
            connection.write_all(&[b'A'; 0x1000])?;
            connection.write_all(b"\r\n")?;
        }
    })
}

/// Starts a server with a response for each path, one connection per request; it ends with the tests.
fn answering(answer: impl Fn(&mut TcpStream, &str) -> std::io::Result<()> + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = std::sync::Arc::new(answer);
    std::thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            let answer = std::sync::Arc::clone(&answer);
            std::thread::spawn(move || {
                let lines = BufReader::new(connection.try_clone().unwrap()).lines().map_while(Result::ok);
                let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
                let mut words = head.first().map_or("", String::as_str).split(' ');
                let (method, path) = (words.next(), words.next().unwrap_or("/"));
                let path = path.trim_start_matches('/').replace("%2b", "+").replace("%7e", "~");
                if method == Some("HEAD") {
                    return connection.write_all(b"HTTP/1.1 405 No\r\nContent-Length: 0\r\n\r\n");
                }
                answer(&mut connection, &path)
            });
        }
    });
    url
}

/// The response of a server, with its head.
fn get(url: &str, path: &str) -> String {
    let mut connection = TcpStream::connect(url.trim_start_matches("http://")).unwrap();
    write!(connection, "GET /{path} HTTP/1.0\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    std::io::Read::read_to_end(&mut connection, &mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}
