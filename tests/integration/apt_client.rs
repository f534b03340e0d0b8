//! Real apt as the test oracle: a Debian 12 (apt 2.6, gpgv) and a Debian 13 (apt 3.0, sqv) that use the archive.
//!
//! The first is the apt of this machine in a private root with its own configuration, sources, lists and package
//! status. The second is a complete Debian 13 that `tests/install` created; each client gets its own copy. Neither
//! reads or changes anything of the machine. See apt.conf(5), sources.list(5).

use std::{
    ffi::OsStr,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use crate::sandbox::{Outcome, Output, Sandbox, is_root, skipped};

/// A machine that uses an archive.
pub(crate) struct Client<'a> {
    sandbox: &'a Sandbox,
    pub(crate) name: &'static str,
    /// The root of its file system.
    root: PathBuf,
    /// Whether its programs run inside that root (Debian 13) or are those of this machine (Debian 12).
    inside: bool,
    options: Vec<String>,
    /// A folder that the client reads with `file:`.
    folder: Option<PathBuf>,
}

/// The contents of `/etc/apt/sources.list.d/archive.sources`.
pub(crate) struct Source {
    uri: String,
    suite: String,
    components: String,
    key: Option<PathBuf>,
    trusted: bool,
}

impl Source {
    /// An archive on the web, suite `stable`, component `main`, without `Signed-By` or `Trusted`.
    pub(crate) fn at(uri: &str) -> Self {
        Self {
            uri: uri.to_owned(),
            suite: "stable".to_owned(),
            components: "main".to_owned(),
            key: None,
            trusted: false,
        }
    }

    /// An archive in a folder of the sandbox.
    pub(crate) fn folder(folder: impl AsRef<Path>) -> Self {
        let folder = folder.as_ref().to_str().unwrap();
        Self::at(&format!("file:{}", folder.trim_end_matches('/')))
    }

    pub(crate) fn suite(self, suite: &str) -> Self {
        Self { suite: suite.to_owned(), ..self }
    }

    pub(crate) fn components(self, components: &str) -> Self {
        Self { components: components.to_owned(), ..self }
    }

    /// `Signed-By` a copy of this public key.
    pub(crate) fn signed_by(self, key: impl Into<PathBuf>) -> Self {
        Self { key: Some(key.into()), ..self }
    }

    /// `Trusted: yes`, for unsigned archives.
    pub(crate) fn trusted(self) -> Self {
        Self { trusted: true, ..self }
    }
}

impl<'a> Client<'a> {
    /// Every client available on this machine; a missing one is reported, and is a failure in CI.
    pub(crate) fn all(sandbox: &'a Sandbox) -> Vec<Self> {
        [Self::debian_12(sandbox), Self::debian_13(sandbox)].into_iter().flatten().collect()
    }

    /// This machine's apt in a private root.
    pub(crate) fn debian_12(sandbox: &'a Sandbox) -> Option<Self> {
        if !Path::new("/usr/bin/apt-get").exists() {
            skipped("no apt on this machine");
            return None;
        }
        let root = fresh_root(sandbox, "debian-12");
        for folder in [
            "etc/apt/apt.conf.d",
            "etc/apt/preferences.d",
            "var/lib/apt/lists/partial",
            "var/lib/dpkg/info",
            "var/lib/dpkg/updates",
            "var/cache/apt/archives/partial",
            "var/log/apt",
            "tmp",
        ] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        // The only package that the real fixtures depend on.
        let libc = "Package: libc6\nStatus: install ok installed\nPriority: optional\nSection: libs\n\
                    Maintainer: Nobody <nobody@example.org>\nArchitecture: amd64\nVersion: 2.36-9\n\
                    Description: stands for the C library\n\n";
        fs::write(root.join("var/lib/dpkg/status"), libc).unwrap();
        fs::write(root.join("var/lib/dpkg/info/libc6.list"), "/.\n").unwrap();
        let client =
            Self { sandbox, name: "Debian 12", inside: false, options: Vec::new(), folder: None, root };
        let at = client.root.display();
        client.write_config(
            "apt.conf",
            &format!(
                "Dir \"{at}\";\nDir::State::status \"{at}/var/lib/dpkg/status\";\nDir::Log \"{at}/var/log/apt\";\n\
                 Dir::Bin::methods \"/usr/lib/apt/methods\";\nAPT::Architecture \"amd64\";\n\
                 APT::Architectures {{ \"amd64\"; }};\n\
                 DPkg::Options {{ \"--root={at}\"; \"--force-script-chrootless\"; \"--force-not-root\"; \
                 \"--log={at}/var/log/dpkg.log\"; }};\n"
            ),
        );
        Some(client)
    }

    /// A private Debian 13.
    pub(crate) fn debian_13(sandbox: &'a Sandbox) -> Option<Self> {
        if !is_root() {
            skipped("Debian 13 needs root, for chroot(2)");
            return None;
        }
        if !made("debian-13").join("usr/bin/apt-get").exists() {
            skipped("no Debian 13; `tests/run` makes it");
            return None;
        }
        Some(Self::inside(sandbox, "Debian 13", "debian-13"))
    }

    /// A private Debian testing, whose apt knows variants of architectures. Debian does not promise that it can be made on
    /// every day, so a test without it is not an error.
    pub(crate) fn debian_testing(sandbox: &'a Sandbox) -> Option<Self> {
        if !is_root() || !made("debian-testing").join("usr/bin/apt-get").exists() {
            return None;
        }
        Some(Self::inside(sandbox, "Debian testing", "debian-testing"))
    }

    fn inside(sandbox: &'a Sandbox, name: &'static str, folder: &str) -> Self {
        let root = fresh_root(sandbox, folder);
        clone_root(sandbox, &made(folder), &root);
        let _ = fs::remove_file(root.join("etc/apt/sources.list"));
        let client = Self { sandbox, name, inside: true, options: Vec::new(), folder: None, root };
        client.write_config("etc/apt/apt.conf.d/99test", "");
        client
    }

    /// Options of both clients; `Check-Date` and `Check-Valid-Until` are defaults that some machines switch off.
    fn write_config(&self, path: &str, more: &str) {
        let text = "Acquire::Languages \"none\";\nAPT::Sandbox::User \"root\";\nAcquire::Retries \"0\";\n\
                    Acquire::http::Proxy \"DIRECT\";\nAcquire::Check-Date \"true\";\n\
                    Acquire::Check-Valid-Until \"true\";\nDpkg::Use-Pty \"0\";\n";
        fs::write(self.root.join(path), format!("{text}{more}")).unwrap();
    }

    /// Sets an option of apt.conf(5) for all later commands.
    pub(crate) fn option(&mut self, name: &str, value: &str) {
        self.options.push(format!("-o{name}={value}"));
    }

    /// Replaces the source.
    pub(crate) fn source(&mut self, source: &Source) {
        let mut more = String::new();
        if let Some(key) = &source.key {
            let name = "etc/apt/keyrings/archive-key.asc";
            fs::create_dir_all(self.root.join("etc/apt/keyrings")).unwrap();
            fs::copy(key, self.root.join(name)).unwrap();
            more = self.signed_by(name);
        }
        if source.trusted {
            more += "Trusted: yes\n";
        }
        self.source_with(source, &more);
    }

    /// Replaces the source by one that uses a keyring installed by a package.
    pub(crate) fn source_by_keyring(&mut self, source: &Source, path: &str) {
        self.source_with(source, &self.signed_by(path));
    }

    /// Trusts a key for every source without `Signed-By`, as was usual before `Signed-By`.
    pub(crate) fn trusts(&self, key: &Path) {
        let folder = self.root.join("etc/apt/trusted.gpg.d");
        fs::create_dir_all(&folder).unwrap();
        fs::copy(key, folder.join("archive-key.asc")).unwrap();
    }

    /// `Signed-By` a file of the client.
    fn signed_by(&self, path: &str) -> String {
        let named = if self.inside { Path::new("/").join(path) } else { self.root.join(path) };
        format!("Signed-By: {}\n", named.display())
    }

    fn source_with(&mut self, source: &Source, more: &str) {
        let folder = source.uri.strip_prefix("file:").map(PathBuf::from);
        self.folder = folder.filter(|_| self.inside);
        self.stanza(&format!(
            "Types: deb\nURIs: {}\nSuites: {}\nComponents: {}\n{more}",
            source.uri, source.suite, source.components
        ));
    }

    /// Replaces the source by a stanza, unchanged.
    pub(crate) fn stanza(&self, text: &str) {
        let sources = self.root.join("etc/apt/sources.list.d");
        fs::create_dir_all(&sources).unwrap();
        fs::write(sources.join("archive.sources"), text).unwrap();
    }

    /// Deletes everything that the client has downloaded.
    pub(crate) fn forgets(&self) {
        let lists = self.root.join("var/lib/apt/lists");
        let _ = fs::remove_dir_all(&lists);
        fs::create_dir_all(lists.join("partial")).unwrap();
        for cache in ["pkgcache.bin", "srcpkgcache.bin"] {
            let _ = fs::remove_file(self.root.join("var/cache/apt").join(cache));
        }
    }

    /// `apt-get update`, which must fetch everything and may not even warn.
    #[track_caller]
    pub(crate) fn updates(&self) -> Output {
        let output = self.update().ok();
        let all = format!("{}{}", output.stdout, output.stderr);
        let bad = all.lines().find(|line| ["W:", "E:", "Err:"].iter().any(|start| line.starts_with(start)));
        assert_eq!(bad, None, "{}: {all}", self.name);
        output
    }

    /// `apt-get update`.
    pub(crate) fn update(&self) -> Outcome {
        self.run("apt-get", ["update", "--error-on=any"])
    }

    /// The versions of a package, as `apt-cache madison` lists them: newest first.
    ///
    /// The output has a line for each index, so an `Architecture: all` package may appear twice.
    pub(crate) fn versions(&self, package: &str) -> Vec<String> {
        let listed = self.run("apt-cache", ["madison", package]).ok().stdout;
        let versions = listed.lines().filter_map(|line| line.split('|').nth(1));
        let mut versions: Vec<_> = versions.map(|version| version.trim().to_owned()).collect();
        versions.dedup();
        versions
    }

    /// The version that apt would install, if any: `apt-cache policy`.
    pub(crate) fn candidate(&self, package: &str) -> Option<String> {
        let policy = self.run("apt-cache", ["policy", package]).ok().stdout;
        let line = policy.lines().find_map(|line| line.trim().strip_prefix("Candidate: "))?;
        (line != "(none)").then(|| line.to_owned())
    }

    /// The bytes of a package, fetched by `apt-get download NAME[=VERSION]`.
    #[track_caller]
    pub(crate) fn download(&self, package: &str) -> Vec<u8> {
        self.try_download(package).ok();
        let folder = self.root.join("tmp/download");
        let files: Vec<_> = fs::read_dir(&folder).unwrap().flatten().collect();
        assert_eq!(files.len(), 1, "{}: {files:?}", self.name);
        fs::read(files[0].path()).unwrap()
    }

    /// `apt-get download NAME[=VERSION]`.
    pub(crate) fn try_download(&self, package: &str) -> Outcome {
        let folder = self.root.join("tmp/download");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        self.run_in("tmp/download", "apt-get", ["download", package])
    }

    /// `apt-get install`, for real, into the client's root. Needs root.
    pub(crate) fn install(&self, packages: &[&str]) -> Outcome {
        self.run("apt-get", ["install", "-y"].iter().chain(packages))
    }

    /// The root of its file system.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Whether this file exists on the client.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.root.join(path).exists()
    }

    /// Runs a program of apt on this client.
    pub(crate) fn run<A: AsRef<OsStr>>(
        &self,
        program: &str,
        arguments: impl IntoIterator<Item = A>,
    ) -> Outcome {
        self.run_in("tmp", program, arguments)
    }

    fn run_in<A: AsRef<OsStr>>(
        &self,
        folder: &str,
        program: &str,
        arguments: impl IntoIterator<Item = A>,
    ) -> Outcome {
        let mut command = if self.inside {
            self.copy_folder();
            let mut command = self.sandbox.command("chroot");
            command.arg(&self.root).args(["env", "-C"]);
            command.arg(Path::new("/").join(folder));
            command.env("HOME", "/root");
            command
        } else {
            let mut command = self.sandbox.command("env");
            command.arg("-C").arg(self.root.join(folder));
            command.env("APT_CONFIG", self.root.join("apt.conf"));
            command
        };
        // If it is set, apt installs every phased update at once, as reproducible builds need.
        command.env_remove("PUBLISH_DATE").env_remove("SOURCE_DATE_EPOCH");
        command.env("DEBIAN_FRONTEND", "noninteractive").arg(program).args(&self.options).args(arguments);
        self.sandbox.run(command)
    }

    /// Copies the folder that is read with `file:` to the same path inside the client.
    fn copy_folder(&self) {
        let Some(folder) = &self.folder else { return };
        let copy = self.root.join(folder.strip_prefix("/").unwrap());
        let _ = fs::remove_dir_all(&copy);
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        let arguments = ["-a".as_ref(), "-T".as_ref(), folder.as_os_str(), copy.as_os_str()];
        self.sandbox.ask("cp", arguments);
    }
}

/// The folder of an installed system, which `tests/run` makes once, and copies to where the tests work if that is another file
/// system.
fn made(name: &str) -> PathBuf {
    let folder = |variable| std::env::var_os(variable).map(PathBuf::from);
    let testbed = folder("PUBLISH_TEST_ROOTS").or_else(|| folder("PUBLISH_TESTBED"));
    let made = testbed.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(".testbed")).join(name);
    // A copy of a link would not be a copy of the system.
    made.canonicalize().unwrap_or(made)
}

/// Creates an empty folder for another client of a sandbox.
fn fresh_root(sandbox: &Sandbox, name: &str) -> PathBuf {
    let clients = sandbox.path("clients");
    fs::create_dir_all(&clients).unwrap();
    let number = fs::read_dir(&clients).unwrap().count();
    let root = clients.join(format!("{name}.{number}"));
    fs::create_dir(&root).unwrap();
    fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).unwrap();
    root
}

/// Clones a file system; the original does not change.
///
/// Programs are hard links: dpkg replaces them only by renaming. `etc` and `var`, which programs write in place, are
/// copied.
fn clone_root(sandbox: &Sandbox, made: &Path, root: &Path) {
    fs::remove_dir(root).unwrap();
    let copy = |options: &[&str], from: &Path, to: &Path| {
        let mut command = sandbox.command("cp");
        command.args(options).arg("-T").arg(from).arg(to);
        sandbox.run(command)
    };
    if copy(&["-a", "--link"], made, root).status != Some(0) {
        // Hard links fail across file systems.
        let _ = fs::remove_dir_all(root);
        copy(&["-a", "--reflink=auto"], made, root).ok();
        return;
    }
    for folder in ["etc", "var"] {
        fs::remove_dir_all(root.join(folder)).unwrap();
        copy(&["-a", "--reflink=auto"], &made.join(folder), &root.join(folder)).ok();
    }
}
