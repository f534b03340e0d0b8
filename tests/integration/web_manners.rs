//! A mirror as a client of a web server: few requests where nothing is new, few connections, proxies, and its progress.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _, copy},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    time::Duration,
};

use crate::{
    deb_builder::deb,
    sandbox::{Sandbox, fixture, is_installed, skipped},
    servers::{Nginx, nginx},
};

/// An archive of another publisher in `other/`, with these packages.
fn sandbox(packages: &[&str]) -> Sandbox {
    let sandbox = Sandbox::signed();
    for name in packages {
        add(&sandbox, name, "1748736000");
    }
    sandbox
}

fn add(sandbox: &Sandbox, name: &str, clock: &str) {
    let (file, key) = (deb(name).write(sandbox.incoming()), fixture("keys/second.asc"));
    let (file, key) = (file.to_str().unwrap(), key.to_str().unwrap());
    sandbox.publish_with(&[("PUBLISH_DATE", clock)], ["-a", "other", "--sign-with", key, "add", file]).ok();
}

/// An nginx that serves `other/`, with more lines for its configuration.
fn serve(sandbox: &Sandbox, more: &str) -> Option<Nginx> {
    nginx(&format!("location / {{ root {}; {more} }}", sandbox.path("other").display()))
}

/// Runs `sync` or `pull`, with these variables.
fn run(sandbox: &Sandbox, command: &str, url: &str, variables: &[(&str, &str)]) {
    let key = fixture("keys/second.pub.asc").display().to_string();
    let arguments: Vec<&str> = match command {
        "sync" => vec!["-a", url, "sync", "./sync", "--suite", "stable", "--keyring", &key],
        _ => vec!["-a", "pull", "pull", "stable", "--all", "--from", url, "--keyring", &key],
    };
    sandbox.publish_with(variables, arguments).ok();
}

/// The requests since the last call.
fn requests(nginx: &Nginx, seen: &mut usize) -> Vec<String> {
    let log = nginx.log();
    let new = log[*seen..].to_vec();
    *seen = log.len();
    new
}

#[test]
fn with_nothing_new_the_release_file_is_asked_for_and_nothing_else() {
    let sandbox = sandbox(&["hello", "world"]);
    let Some(nginx) = serve(&sandbox, "") else { return };
    let mut seen = 0;
    let unchanged = ["- 304 GET /dists/stable/InRelease"];
    // A file that has just changed may change again without a new ETag.
    std::thread::sleep(Duration::from_millis(2100));
    for command in ["sync", "pull"] {
        run(&sandbox, command, nginx.url(), &[]);
        let first = requests(&nginx, &mut seen);
        assert!(first.len() <= 30 && first.iter().any(|line| line.contains("/pool/")), "{first:#?}");
        for _ in 0..2 {
            run(&sandbox, command, nginx.url(), &[]);
            assert_eq!(requests(&nginx, &mut seen), unchanged, "{command}");
        }
    }
    add(&sandbox, "more", "1748736060");
    for command in ["sync", "pull"] {
        run(&sandbox, command, nginx.url(), &[]);
        let new = requests(&nginx, &mut seen);
        // The second command may find in the cache what the first one has read.
        assert!(new[0].ends_with(" GET /dists/stable/InRelease"), "{new:#?}");
        let packages = new.iter().filter(|line| line.contains("/pool/")).count();
        assert_eq!(packages, 1, "{new:#?}");
    }
    // It changed within the last seconds: it is read whole, and still nothing else is asked for.
    run(&sandbox, "sync", nginx.url(), &[]);
    let again = requests(&nginx, &mut seen);
    assert!(again.len() == 1 && again[0].ends_with(" GET /dists/stable/InRelease"), "{again:?}");
}

/// A file of the cache is verified like one that has arrived.
#[test]
fn an_unchanged_release_file_is_verified_again() {
    let sandbox = sandbox(&["hello"]);
    let Some(nginx) = serve(&sandbox, "") else { return };
    std::thread::sleep(Duration::from_millis(2100));
    run(&sandbox, "sync", nginx.url(), &[]);
    let with = |keys: &str| {
        let key = fixture(keys).display().to_string();
        sandbox.publish(["-a", nginx.url(), "sync", "./sync", "--suite", "stable", "--keyring", &key])
    };
    with("keys/second.pub.asc").ok();
    // With another key it is refused, and a damaged file of the cache is read from the server.
    with("keys/test.pub.asc").fails(1);
    let cached = sandbox.path("home/.cache/publish/objects");
    for entry in fs::read_dir(cached).unwrap().flatten() {
        fs::write(entry.path(), "damaged").unwrap();
    }
    let before = nginx.log().len();
    with("keys/second.pub.asc").ok();
    assert_eq!(nginx.log()[before..], ["- 200 GET /dists/stable/InRelease"]);
    // A destination that lost its release file gets everything again.
    fs::remove_file(sandbox.path("sync/dists/stable/InRelease")).unwrap();
    with("keys/second.pub.asc").ok();
    assert!(sandbox.path("sync/dists/stable/InRelease").exists());
}

#[test]
fn a_server_sees_no_more_connections_than_set() {
    let names = ["a1", "b2", "c3", "d4", "e5", "f6", "g7", "h8"];
    let sandbox = sandbox(&names);
    // Each response takes a while, so that they overlap.
    let Some(nginx) = serve(&sandbox, "limit_conn clients 2; limit_rate 4k;") else { return };
    for command in ["sync", "pull"] {
        run(&sandbox, command, nginx.url(), &[("PUBLISH_CONNECTIONS", "2")]);
        let log = nginx.log();
        assert!(log.iter().all(|line| !line.contains(" 503 ")), "{log:#?}");
    }
    let said = sandbox.publish_with(&[("PUBLISH_CONNECTIONS", "none")], ["-a", nginx.url(), "list"]).fails(1);
    said.says(["PUBLISH_CONNECTIONS is `none`, not a number from 1 to 64"]);
}

#[test]
fn a_proxy_is_used_as_its_variables_say() {
    let sandbox = sandbox(&["hello"]);
    let Some(origin) = serve(&sandbox, "") else { return };
    let Some(proxy) = nginx("location / { proxy_pass http://$http_host$request_uri; }") else { return };
    let (through, mut seen) = (proxy.url().to_owned(), 0);
    for (variables, is_used) in [
        (vec![("http_proxy", &*through)], true),
        (vec![("all_proxy", &*through)], true),
        (vec![("ALL_PROXY", &*through)], true),
        (vec![("https_proxy", &*through)], false),
        (vec![("http_proxy", &*through), ("no_proxy", "127.0.0.1")], false),
        (vec![("all_proxy", &*through), ("NO_PROXY", "example.org,127.0.0.0/8")], false),
        (vec![("http_proxy", &*through), ("no_proxy", "example.org")], true),
    ] {
        let _ = fs::remove_dir_all(sandbox.path("sync"));
        run(&sandbox, "sync", origin.url(), &variables);
        let count = requests(&proxy, &mut seen).len();
        assert_eq!(count > 0, is_used, "{variables:?}: {count}");
        assert!(sandbox.path("sync/pool/main/h/hello/hello_1.0_amd64.deb").exists());
    }
}

/// A proxy for connections with TLS, which logs where they lead.
fn tunnel() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let mut lines = BufReader::new(client.try_clone().unwrap()).lines().map_while(Result::ok);
            let request = lines.next().unwrap_or_default();
            lines.take_while(|line| !line.is_empty()).for_each(drop);
            log.lock().unwrap().push(request.clone());
            let Some(server) = request.split(' ').nth(1).and_then(|to| TcpStream::connect(to).ok()) else {
                continue;
            };
            let mut to_client = client.try_clone().unwrap();
            to_client.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").unwrap();
            let (mut from_client, mut from_server) = (client, server.try_clone().unwrap());
            let mut to_server = server;
            std::thread::spawn(move || copy(&mut from_client, &mut to_server));
            std::thread::spawn(move || copy(&mut from_server, &mut to_client));
        }
    });
    (url, asked)
}

#[test]
fn a_server_with_tls_is_reached_through_a_proxy() {
    if !is_installed("openssl") {
        return skipped("no openssl on this machine");
    }
    let sandbox = sandbox(&["hello"]);
    let (key, certificate) = (sandbox.path("tls.key"), sandbox.path("tls.pem"));
    let (key, certificate) = (key.to_str().unwrap(), certificate.to_str().unwrap());
    let make = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30000", "-subj", "/CN=localhost"];
    let names = [
        "-addext",
        "basicConstraints=critical,CA:FALSE",
        "-addext",
        "subjectAltName=IP:127.0.0.1",
        "-keyout",
        key,
        "-out",
        certificate,
    ];
    sandbox.ask("openssl", make.iter().chain(&names));
    let other = sandbox.path("other").display().to_string();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let site = format!(
        "listen {address} ssl; ssl_certificate {certificate}; ssl_certificate_key {key}; location / {{ root {other}; }}"
    );
    let Some(_origin) = nginx(&site) else { return };
    let (through, asked) = tunnel();
    let variables = [("https_proxy", &*through), ("SSL_CERT_FILE", certificate)];
    run(&sandbox, "sync", &format!("https://{address}"), &variables);
    assert!(sandbox.path("sync/pool/main/h/hello/hello_1.0_amd64.deb").exists());
    let asked = asked.lock().unwrap();
    assert!(!asked.is_empty() && asked.iter().all(|line| *line == format!("CONNECT {address} HTTP/1.1")));
}

#[test]
fn a_terminal_shows_what_has_arrived_and_the_time_left() {
    if !is_installed("script") {
        return skipped("no script on this machine");
    }
    let sandbox = Sandbox::signed();
    let noise: Vec<u8> =
        (0..3_000_000_u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_be_bytes()).collect();
    let file = deb("large").payload(noise).write(sandbox.incoming());
    sandbox.publish(["-a", "other", "add", file.to_str().unwrap()]).ok();
    // So that it takes a second or two, and arrives in many pieces.
    let Some(nginx) = serve(&sandbox, "limit_rate 4m;") else { return };
    let (program, key) = (env!("CARGO_BIN_EXE_publish"), fixture("keys/test.pub.asc"));
    let key = key.display();
    for (to, command) in [
        ("sync", format!("{program} -a {} sync ./sync --suite stable --keyring {key}", nginx.url())),
        ("pull", format!("{program} -a pull pull stable --from {} large --keyring {key}", nginx.url())),
    ] {
        let mut script = sandbox.command("script");
        script.args(["-qec", &command, "/dev/null"]).env("TERM", "xterm").env("COLUMNS", "100");
        let shown = sandbox.run(script).ok().stdout;
        let frames: Vec<&str> = shown.split('\r').filter(|frame| frame.contains("Storing")).collect();
        let is_between =
            |frame: &&&str| frame.contains("MiB/s") && !frame.contains(" 0 B/") && frame.contains("left");
        assert!(frames.iter().filter(is_between).count() >= 2, "{to}: {frames:#?}");
        fs::remove_dir_all(sandbox.path(to)).unwrap();
        let mut quiet = sandbox.command("sh");
        quiet.args(["-c", &command]).env("CI", "true");
        let said = sandbox.run(quiet).ok();
        assert!(!said.stderr.contains("Storing") && !said.stderr.contains('\r'), "{}", said.stderr);
    }
}
