//! An isolated environment for `publish`: nothing of the machine leaks in and nothing leaks out.
//!
//! One temporary folder contains `archive/` (also `$PUBLISH_ARCHIVE`), `incoming/` for packages, and a home. The
//! environment is empty except for the variables set here, and the clock is pinned.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fmt::{self, Write as _},
    fs,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

/// 2025-06-01 00:00:00 UTC: after the keys were created, before the clock of any machine that runs these tests.
pub(crate) const CLOCK: &str = "1748736000";

/// The search path of all programs in the sandbox.
const SEARCH_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The timeout of a command, in seconds.
const TIMEOUT: &str = "120";

/// A temporary folder with an archive in it.
pub(crate) struct Sandbox {
    folder: TempDir,
    sign_with: Option<PathBuf>,
}

impl Sandbox {
    /// An empty archive, unsigned unless a command says otherwise.
    pub(crate) fn new() -> Self {
        let folder = TempDir::with_prefix("publish-test-").unwrap();
        let set_mode =
            |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        set_mode(folder.path(), 0o755);
        for name in ["archive", "incoming", "home", "config", "gnupg"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        set_mode(&folder.path().join("gnupg"), 0o700);
        Self { folder, sign_with: None }
    }

    /// An empty archive that every command signs with `fixtures/keys/test.asc`.
    pub(crate) fn signed() -> Self {
        let mut sandbox = Self::new();
        sandbox.sign_with = Some(fixture("keys/test.asc"));
        sandbox
    }

    /// A path in the sandbox.
    pub(crate) fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(relative)
    }

    /// A path in the archive.
    pub(crate) fn archive(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.path("archive").join(relative)
    }

    /// The folder for packages to be added.
    pub(crate) fn incoming(&self) -> PathBuf {
        self.path("incoming")
    }

    /// The text of a file of the archive.
    pub(crate) fn read(&self, relative: impl AsRef<Path>) -> String {
        let path = self.archive(relative);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Writes `conf/distributions`.
    pub(crate) fn configure(&self, text: &str) {
        fs::create_dir_all(self.archive("conf")).unwrap();
        fs::write(self.archive("conf/distributions"), text).unwrap();
    }

    /// Writes an unsigned suite, as by another tool, with only this index.
    pub(crate) fn adopt_index(&self, packages: &str) {
        self.adopt_files("stable", &[("main/binary-amd64/Packages", packages.as_bytes())]);
    }

    /// Writes an unsigned suite, as by another tool, with only these listed files.
    pub(crate) fn adopt_files(&self, suite: &str, files: &[(&str, &[u8])]) {
        let mut release = format!(
            "Codename: {suite}\nDate: Sun, 01 Jan 2023 00:00:00 UTC\nArchitectures: amd64\nComponents: main\nSHA256:\n"
        );
        for (path, bytes) in files {
            writeln!(release, " {} {} {path}", sha256(bytes), bytes.len()).unwrap();
            let path = self.archive("dists").join(suite).join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        fs::create_dir_all(self.archive("dists").join(suite)).unwrap();
        fs::write(self.archive("dists").join(suite).join("Release"), release).unwrap();
    }

    /// Runs `publish` on the archive.
    pub(crate) fn publish<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Outcome {
        self.publish_with(&[], arguments)
    }

    /// Runs `publish` with additional environment variables.
    pub(crate) fn publish_with<A: AsRef<OsStr>>(
        &self,
        environment: &[(&str, &str)],
        arguments: impl IntoIterator<Item = A>,
    ) -> Outcome {
        let mut command = self.command(env!("CARGO_BIN_EXE_publish"));
        command.args(arguments).envs(environment.iter().copied()).env("PUBLISH_ARCHIVE", self.archive(""));
        if let Some(key) = &self.sign_with {
            command.env("PUBLISH_SIGN_WITH", key);
        }
        self.run(command)
    }

    /// Runs `publish` this many seconds after the time of the sandbox.
    pub(crate) fn publish_after(&self, seconds: u64, arguments: &[&str]) -> Outcome {
        let time = CLOCK.parse::<u64>().unwrap() + seconds;
        self.publish_with(&[("PUBLISH_DATE", &time.to_string())], arguments)
    }

    /// Runs `publish` at the real time, at which gpg signs.
    pub(crate) fn publish_now(&self, arguments: &[&str]) -> Outcome {
        let now = self.ask("date", ["+%s"]);
        self.publish_with(&[("PUBLISH_DATE", now.trim())], arguments)
    }

    /// Runs `publish` as an unprivileged user: as `nobody` if the tests run as root, else as the same user.
    pub(crate) fn publish_unprivileged<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Outcome {
        if !is_root() {
            return self.publish(arguments);
        }
        // The build folder may be in a home that is not accessible to others.
        let program = self.path("publish");
        let built = env!("CARGO_BIN_EXE_publish");
        if !program.exists() && fs::hard_link(built, &program).is_err() {
            // In a process of its own: a test that starts a program meanwhile would inherit the open file, and nothing can
            // run a file that is open for writing.
            assert!(Command::new("cp").arg(built).arg(&program).status().unwrap().success());
        }
        let home = self.path("nobody");
        fs::create_dir_all(&home).unwrap();
        fs::set_permissions(&home, fs::Permissions::from_mode(0o777)).unwrap();
        let mut command = self.command("setpriv");
        command
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(program)
            .args(arguments)
            .env("HOME", &home)
            .env("XDG_CONFIG_HOME", &home)
            .env("PUBLISH_ARCHIVE", self.archive(""));
        self.run(command)
    }

    /// Prepares a program in the environment of the sandbox; pass it to [`Sandbox::run`].
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("timeout");
        command
            .args(["--kill-after=5", TIMEOUT])
            .arg(program)
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", SEARCH_PATH)
            .env("LC_ALL", "C.UTF-8")
            .env("HOME", self.path("home"))
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env("GNUPGHOME", self.path("gnupg"))
            .env("PUBLISH_DATE", CLOCK)
            // Suites with `ValidFor:` have expired since.
            .env("PUBLISH_ALLOW_EXPIRED", "1")
            // As in a build job; other tools use it, and `publish` does not.
            .env("SOURCE_DATE_EPOCH", "1")
            .stdin(Stdio::null());
        command
    }

    /// Runs a program to its end.
    pub(crate) fn run(&self, mut command: Command) -> Outcome {
        let shown = format!("{command:?}");
        let output = command.output().unwrap_or_else(|error| panic!("{shown}: {error}"));
        let plain = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes);
            text.replace(&*self.folder.path().to_string_lossy(), "[SANDBOX]")
        };
        Outcome {
            status: output.status.code(),
            stdout: plain(&output.stdout),
            stderr: plain(&output.stderr),
            command: shown,
        }
    }

    /// Runs a program with arguments and returns its output; for oracles such as dpkg-deb.
    pub(crate) fn ask<A: AsRef<OsStr>>(
        &self,
        program: &str,
        arguments: impl IntoIterator<Item = A>,
    ) -> String {
        let mut command = self.command(program);
        command.args(arguments);
        self.run(command).ok().stdout
    }

    /// Serves the archive with `publish serve`, until the returned server is dropped.
    pub(crate) fn serve(&self) -> Server {
        self.try_serve_on(0)
            .unwrap_or_else(|said| panic!("`publish serve` named no address; it said: {said}"))
    }

    /// Serves the archive on this port; fails with what it said if another program has the port.
    pub(crate) fn try_serve_on(&self, port: u16) -> Result<Server, String> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_publish"));
        command
            .args(["serve", "--listen", &format!("127.0.0.1:{port}")])
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", SEARCH_PATH)
            .env("HOME", self.path("home"))
            .env("PUBLISH_ARCHIVE", self.archive(""))
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        Server::start(command)
    }

    /// Every file of the archive with the digest of its bytes.
    pub(crate) fn tree(&self) -> Tree {
        Tree::read(&self.archive(""))
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if std::thread::panicking() && std::env::var_os("PUBLISH_TEST_KEEP").is_some() {
            self.folder.disable_cleanup(true);
            say(&format!("kept {}", self.folder.path().display()));
        }
    }
}

/// The output and exit status of a program, to be checked with [`Outcome::ok`] or [`Outcome::fails`].
#[must_use = "say how it must have ended: `.ok()` or `.fails(code)`"]
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    command: String,
}

/// The output of a program with a checked exit status.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    /// Checks for success.
    #[track_caller]
    pub(crate) fn ok(self) -> Output {
        self.ends(0)
    }

    /// Checks for this exit status and an error text.
    #[track_caller]
    pub(crate) fn fails(self, status: i32) -> Output {
        assert_ne!(status, 0, "0 is no failure");
        let output = self.ends(status);
        assert_ne!(output.stderr.trim(), "", "it failed without a word");
        output
    }

    #[track_caller]
    fn ends(self, status: i32) -> Output {
        assert_eq!(self.status, Some(status), "{self}");
        assert!(!self.stderr.contains("panicked at"), "{self}");
        Output { stdout: self.stdout, stderr: self.stderr }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}\nended with {:?}\n--- stdout\n{}\n--- stderr\n{}",
            self.command, self.status, self.stdout, self.stderr
        )
    }
}

impl Output {
    /// Checks that stderr contains each of these texts.
    #[track_caller]
    pub(crate) fn says<'a>(&self, texts: impl IntoIterator<Item = &'a str>) -> &Self {
        for text in texts {
            assert!(self.stderr.contains(text), "no `{text}` in:\n{}", self.stderr);
        }
        self
    }
}

/// The files of a folder: path → size and SHA256, or the target of a symbolic link.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Tree(BTreeMap<String, String>);

impl Tree {
    /// Reads a folder. A lock file of the store is not part of the archive.
    pub(crate) fn read(folder: &Path) -> Self {
        let files = walkdir::WalkDir::new(folder).into_iter().filter_map(|entry| {
            let entry = entry.unwrap();
            let path = entry.path().strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
            if entry.file_type().is_dir() || path == ".publish-lock" {
                return None;
            }
            let content = if entry.file_type().is_symlink() {
                format!("-> {}", fs::read_link(entry.path()).unwrap().display())
            } else {
                let bytes = fs::read(entry.path()).unwrap();
                format!("{} {}", bytes.len(), sha256(&bytes))
            };
            Some((path, content))
        });
        Self(files.collect())
    }

    /// The paths, one per line; digests shown as `[SHA256]`, generations as `[GENERATION]`.
    pub(crate) fn names(&self) -> String {
        let mut names: Vec<String> = self.0.keys().map(|path| shorten(path)).collect();
        names.sort();
        names.iter().fold(String::new(), |mut text, name| {
            writeln!(text, "{name}").unwrap();
            text
        })
    }

    /// The paths that contain this text.
    pub(crate) fn paths_with(&self, part: &str) -> Vec<String> {
        self.0.keys().filter(|path| path.contains(part)).cloned().collect()
    }

    /// Removes the files whose paths contain a text.
    pub(crate) fn forget(&mut self, part: &str) {
        self.0.retain(|path, _| !path.contains(part));
    }

    /// Whether a file exists at this path.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }

    /// Checks that every file of `earlier` still exists with the same bytes, unless its path contains one of `but`.
    #[track_caller]
    pub(crate) fn keeps(&self, earlier: &Self, but: &[&str]) {
        for (path, content) in &earlier.0 {
            if !but.iter().any(|part| path.contains(part)) {
                assert_eq!(self.0.get(path), Some(content), "{path}");
            }
        }
    }
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(&self.0).finish()
    }
}

fn shorten(path: &str) -> String {
    let mut parts: Vec<&str> = path.split('/').collect();
    for at in 0..parts.len() {
        if parts[at].len() == 64 && parts[at].bytes().all(|b| b.is_ascii_hexdigit()) {
            parts[at] = "[SHA256]";
        }
        if at > 0 && parts[at - 1] == "generations" {
            parts[at] = "[GENERATION]";
        }
    }
    parts.join("/")
}

/// A `publish serve` that is stopped when dropped.
pub(crate) struct Server {
    child: Child,
    /// `http://127.0.0.1:PORT`, without a trailing slash.
    pub(crate) url: String,
}

impl Server {
    pub(crate) fn start(mut command: Command) -> Result<Self, String> {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            // Read to the end, or the server would block on a full pipe.
            for line in lines.map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let mut said = String::new();
        let url = loop {
            let Ok(line) = receiver.recv_timeout(Duration::from_secs(120)) else {
                let _ = child.kill();
                let _ = child.wait();
                return Err(said);
            };
            if let Some(at) = line.find("http://127.0.0.1:") {
                let url = line[at..].split_whitespace().next().unwrap();
                break url.trim_end_matches(['/', '`', '.']).to_owned();
            }
            said.push_str(&line);
        };
        Ok(Self { child, url })
    }

    /// The `HOST:PORT` to connect to.
    pub(crate) fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A file of `fixtures/`.
pub(crate) fn fixture(relative: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(relative);
    assert!(path.exists(), "no fixture {}", path.display());
    path
}

/// Makes everything below a folder this many days older.
pub(crate) fn age(path: &Path, days: u64) {
    for entry in fs::read_dir(path).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            age(&entry.path(), days);
            continue;
        }
        let file = fs::File::open(entry.path()).unwrap();
        let modified = file.metadata().unwrap().modified().unwrap();
        file.set_modified(modified - std::time::Duration::from_secs(days * 24 * 60 * 60)).unwrap();
    }
}

/// The hexadecimal SHA256 of some bytes.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// Whether the tests run as root.
pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// Whether a program of the machine can be found, for tests that are skipped without it.
pub(crate) fn is_installed(program: &str) -> bool {
    SEARCH_PATH.split(':').any(|folder| Path::new(folder).join(program).exists())
}

/// Prints that a test was skipped; in CI this is a failure.
///
/// Always followed by `return`, because the test framework has no support for skipping.
#[track_caller]
pub(crate) fn skipped(why: &str) {
    let current = std::thread::current();
    let line = format!("SKIPPED {}: {why}", current.name().unwrap_or("a test"));
    say(&line);
    if let Some(path) = std::env::var_os("PUBLISH_TEST_SKIPS") {
        let mut file = fs::File::options().append(true).create(true).open(path).unwrap();
        writeln!(file, "{line}").unwrap();
    }
    let set = |name: &str, to: &str| std::env::var(name).is_ok_and(|value| value == to);
    assert!(!set("CI", "true") && !set("PUBLISH_TEST_STRICT", "1"), "{line}");
}

/// Bypasses the output capture of the test framework, so that the line is visible when the test passes.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "\n{line}");
}
