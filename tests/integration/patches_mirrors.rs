//! Programs between an archive with patches and its clients: debmirror, apt-mirror and apt-cacher-ng of Debian.

use std::{
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU16, Ordering},
    time::Duration,
};

use crate::{
    apt_client::Client,
    patches::{Archive, INDEX, LIST, clients, has_the_index, updates, uses_patches},
    sandbox::{Sandbox, Server, Tree, is_installed, skipped},
    web::Web,
};

/// Changes of every kind, one commit each.
const COMMITS: [fn(&mut Archive); 4] = [
    |archive| archive.add_one("aa", "1.0", "The first one."),
    |archive| archive.add_one("dd", "1.0-2", "A newer one, and Überall: ä, 中文"),
    |archive| drop(archive.run(&["remove", "cc", "ff"]).ok()),
    |archive| drop(archive.run(&["rollback"]).ok()),
];

/// Commits in another second than the last time: programs ask only for files that were modified since.
fn commits(archive: &mut Archive, change: fn(&mut Archive)) {
    std::thread::sleep(Duration::from_millis(1100));
    change(archive);
}

/// The mirror has the published index, in both compressed forms.
#[track_caller]
fn has_the_indices(archive: &Archive, mirror: &Path) {
    for (program, ending) in [("gzip", "gz"), ("xz", "xz")] {
        let file = mirror.join(format!("{INDEX}.{ending}"));
        let text = archive.sandbox.ask(program, ["-dc".as_ref(), file.as_os_str()]);
        assert_eq!(text, archive.sandbox.read(INDEX), "{ending}");
    }
}

/// Clients of the mirror get the published index, whichever part of the patches the mirror has.
#[track_caller]
fn serves(archive: &Archive, clients: &[Client<'_>]) {
    for client in clients {
        client.update().ok();
        has_the_index(client, archive);
    }
}

/// debmirror reads only SHA-1 digests of patches, which a list of ours does not have. So it says that the text it makes is
/// not the right one, and downloads the indices, as it does where an archive has no patches.
fn debmirror_follows(mode: &str) {
    if !is_installed("debmirror") {
        return skipped("no debmirror on this machine");
    }
    let mut archive = Archive::new("PDiffs: yes\n");
    // It asks for `//dists`, which `publish serve` refuses and most web servers accept.
    let server = Web::of(archive.sandbox.archive(""));
    let mirror = archive.sandbox.path("debmirror");
    let web = Web::of(&mirror);
    let sandbox = Sandbox::new();
    let clients = clients(&sandbox, &web.url);
    let mirrors = |archive: &Archive| {
        let mut command = archive.sandbox.command("debmirror");
        command.args(["--method=http", "--root=/", "--dist=stable", "--section=main", "--arch=amd64"]);
        command.args(["--nosource", "--no-check-gpg", "--ignore-release-gpg", "--verbose"]);
        command
            .arg(format!("--host={}", server.url.trim_start_matches("http://")))
            .arg(format!("--diff={mode}"))
            .arg(&mirror);
        let said = archive.sandbox.run(command).ok().stdout;
        assert!(said.contains(&format!("Pdiff mode: {mode}")), "{said}");
        assert!(said.contains("Packages.diff/Index... ok"), "{said}");
        has_the_indices(archive, &mirror);
        let own = fs::read_to_string(mirror.join(".temp").join(INDEX)).unwrap();
        assert_eq!(own, archive.sandbox.read(INDEX));
        assert_eq!(mirror.join(LIST).exists(), mode == "mirror");
        serves(archive, &clients);
    };
    archive.add_one("bc", "1.0", "One more, so that there are patches.");
    mirrors(&archive);
    for change in COMMITS {
        change(&mut archive);
        mirrors(&archive);
    }
}

#[test]
fn debmirror_has_the_index_after_each_commit() {
    debmirror_follows("use");
}

#[test]
fn debmirror_copies_the_list_of_patches_and_clients_of_the_mirror_get_the_index() {
    debmirror_follows("mirror");
}

#[test]
fn clients_of_apt_mirror_follow_each_commit() {
    if !is_installed("apt-mirror") {
        return skipped("no apt-mirror on this machine");
    }
    let mut archive = Archive::new("PDiffs: yes\n");
    let server = archive.sandbox.serve();
    let base = archive.sandbox.path("apt-mirror");
    let config = archive.sandbox.path("mirror.list");
    // It finds no files below a URL with a port, so the archive is its proxy.
    let text = format!(
        "set base_path {}\nset nthreads 2\nset run_postmirror 0\nset use_proxy on\nset http_proxy {}\n\
         deb-amd64 http://archive.test stable main\n",
        base.display(),
        server.address()
    );
    fs::write(&config, text).unwrap();
    let mirror = base.join("mirror/archive.test");
    let web = Web::of(&mirror);
    let sandbox = Sandbox::new();
    let clients = clients(&sandbox, &web.url);
    let mirrors = |archive: &Archive| {
        let said = archive.sandbox.ask("apt-mirror", [&config]);
        assert!(said.contains("will be downloaded into archive"), "{said}");
        has_the_indices(archive, &mirror);
        serves(archive, &clients);
        for client in &clients {
            assert!(!client.download("bb").is_empty(), "{}", client.name);
        }
    };
    archive.add_one("bc", "1.0", "One more, so that there are patches.");
    mirrors(&archive);
    for change in COMMITS {
        commits(&mut archive, change);
        mirrors(&archive);
    }
}

/// Free ports below 32768, where the free ones of the system begin: apt-cacher-ng can neither listen on others nor connect
/// to them. No two callers in this process get the same one; another program may take a port first.
fn low_ports() -> impl Iterator<Item = u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Processes that run at the same time begin far from each other.
    let first = u16::try_from(std::process::id() % 170).unwrap() * 100;
    std::iter::repeat_with(move || 15_000 + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 17_000)
        .take(17_000)
        .filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
}

/// Serves an archive on a low port.
fn serve_low(sandbox: &Sandbox) -> Server {
    low_ports().find_map(|port| sandbox.try_serve_on(port).ok()).expect("no port was free")
}

/// An apt-cacher-ng of its own, which ends when dropped.
struct Cacher {
    child: Child,
    folder: tempfile::TempDir,
    url: String,
}

impl Cacher {
    fn start() -> Self {
        low_ports().find_map(Self::on_port).expect("no apt-cacher-ng started")
    }

    fn on_port(port: u16) -> Option<Self> {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let folder = tempfile::TempDir::with_prefix("publish-test-").unwrap();
        let inside = |name: &str| -> PathBuf { folder.path().join(name) };
        fs::create_dir(inside("conf")).unwrap();
        let conf = format!(
            "CacheDir: {}\nLogDir: {}\nSupportDir: /usr/lib/apt-cacher-ng\nSocketPath: {}\nPidFile: {}\n\
             Port: {}\nBindAddress: 127.0.0.1\nForeGround: 1\nReportPage: report.html\nAllowUserPorts: 0\n\
             # Not for 27 seconds, which the test would wait for.\nFreshIndexMaxAge: 0\n",
            inside("cache").display(),
            inside("log").display(),
            inside("socket").display(),
            inside("pid").display(),
            address.port(),
        );
        fs::write(inside("conf/acng.conf"), conf).unwrap();
        // It must not outlive tests that are killed.
        let mut child = Command::new("setpriv")
            .args(["--pdeathsig=TERM", "apt-cacher-ng", "-c"])
            .arg(inside("conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // It writes the file after it has tried to listen, and runs on if it could not.
        while child.try_wait().unwrap().is_none() && !inside("pid").exists() {
            std::thread::sleep(Duration::from_millis(20));
        }
        let cacher = Self { child, folder, url: format!("http://{address}") };
        // Another program may have taken the port, and would answer too.
        (cacher.listens(port) && TcpStream::connect(address).is_ok()).then_some(cacher)
    }

    /// Whether the socket that listens on a port is its own.
    fn listens(&self, port: u16) -> bool {
        let sockets = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
        let address = format!("0100007F:{port:04X}");
        let listening = sockets.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let mut inodes =
            listening.filter(|fields| fields.get(1) == Some(&&*address) && fields.get(3) == Some(&"0A"));
        let Some(inode) =
            inodes.next().and_then(|fields| fields.get(9).map(|inode| format!("socket:[{inode}]")))
        else {
            return false;
        };
        let files = fs::read_dir(format!("/proc/{}/fd", self.child.id())).into_iter().flatten().flatten();
        files.filter_map(|file| fs::read_link(file.path()).ok()).any(|to| to == Path::new(&inode))
    }

    /// The cached files whose paths contain a text.
    fn cached(&self, part: &str) -> Vec<String> {
        Tree::read(&self.folder.path().join("cache")).paths_with(part)
    }
}

impl Drop for Cacher {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn clients_behind_apt_cacher_ng_use_patches() {
    if !is_installed("apt-cacher-ng") {
        return skipped("no apt-cacher-ng on this machine");
    }
    let cacher = Cacher::start();
    let sandbox = Sandbox::new();
    for by_hash in ["yes", "no"] {
        let mut archive = Archive::new("PDiffs: yes\n");
        let server = serve_low(&archive.sandbox);
        let mut clients = clients(&sandbox, &server.url);
        for client in &mut clients {
            client.option("Acquire::http::Proxy", &cacher.url);
            client.option("Acquire::By-Hash", by_hash);
            updates(client, &archive);
        }
        for change in COMMITS {
            commits(&mut archive, change);
            for client in &clients {
                uses_patches(client, &archive);
            }
        }
        // Several patches in one update.
        for name in ["p0", "p1", "p2"] {
            archive.add_one(name, "1.0", "One of several.");
        }
        commits(&mut archive, |archive| archive.add_one("p3", "1.0", "One of several."));
        for client in &clients {
            uses_patches(client, &archive);
        }
        let fetched = cacher.cached("Packages.diff/2");
        for patch in archive.patches() {
            let name = patch.rsplit('/').next().unwrap();
            assert!(fetched.iter().any(|path| path.ends_with(name)), "{name}: {fetched:?}");
        }
    }
}
