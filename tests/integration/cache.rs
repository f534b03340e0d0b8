//! The cache of remote reads: it saves downloads, and correctness does not depend on it.
//!
//! Requests are counted on the wire, between the program and the server.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use crate::{
    deb_builder::deb,
    sandbox::{Outcome, Sandbox},
    servers::{self, Bucket},
    sync_faults::{Fault, Proxy, origin, variables},
};

/// An archive in a bucket, and a machine with a cache folder.
struct Machine {
    sandbox: Sandbox,
    bucket: Bucket,
    proxy: Proxy,
    cache: PathBuf,
}

impl Machine {
    /// Publishes a first package.
    fn new() -> Option<Self> {
        let bucket = servers::moto()?;
        let proxy = Proxy::before(&origin(&bucket), |_, _| Fault::None);
        let sandbox = Sandbox::signed();
        let machine = Self { cache: sandbox.path("cache"), sandbox, bucket, proxy };
        machine.add("first").ok();
        assert!(!machine.written().is_empty());
        Some(machine)
    }

    fn add(&self, name: &str) -> Outcome {
        let file = deb(name).write(self.sandbox.incoming());
        self.publish(&["add", file.to_str().unwrap()])
    }

    fn publish(&self, arguments: &[&str]) -> Outcome {
        let place = format!("{}/apt", self.bucket.location);
        let variables = variables(&self.bucket, &self.proxy);
        let mut variables: Vec<(&str, &str)> =
            variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        variables.push(("PUBLISH_CACHE_DIR", self.cache.to_str().unwrap()));
        self.sandbox.publish_with(&variables, [&["-a", &place], arguments].concat())
    }

    /// The by-hash indices requested with this method since `from`.
    fn indices(&self, method: &str, from: usize) -> BTreeSet<String> {
        let seen = self.proxy.seen();
        let seen =
            seen[from..].iter().filter(|seen| seen.method == method && seen.path.contains("/by-hash/"));
        seen.map(|seen| seen.path.clone()).collect()
    }

    fn written(&self) -> BTreeSet<String> {
        self.indices("PUT", 0)
    }

    /// The indices, of those published now, that an `add` downloads; the `add` must succeed.
    fn downloaded_by_adding(&self, name: &str) -> BTreeSet<String> {
        let (published, from) = (self.written(), self.proxy.seen().len());
        self.add(name).ok();
        self.indices("GET", from).intersection(&published).cloned().collect()
    }

    /// The indices downloaded since `from`, by digest or by name.
    fn downloaded(&self, from: usize) -> Vec<String> {
        let seen = self.proxy.seen();
        let is_index = |path: &str| path.contains("/by-hash/") || path.contains("/Packages");
        let seen = seen[from..].iter().filter(|seen| seen.method == "GET" && is_index(&seen.path));
        seen.map(|seen| seen.path.clone()).collect()
    }

    /// The indices in the local cache.
    fn kept(&self) -> Vec<PathBuf> {
        let kept = fs::read_dir(self.cache.join("objects")).unwrap();
        kept.map(|entry| entry.unwrap().path()).collect()
    }

    fn holds(&self, names: &[&str]) {
        self.publish(&["check"]).ok();
        let listed = self.publish(&["-q", "list"]).ok().stdout;
        let listed: BTreeSet<&str> =
            listed.lines().filter_map(|line| line.split_whitespace().nth(3)).collect();
        assert_eq!(listed, names.iter().copied().collect());
    }
}

#[test]
fn a_second_add_downloads_no_index() {
    let Some(machine) = Machine::new() else { return };
    assert_eq!(machine.downloaded_by_adding("second"), BTreeSet::new());
    // Proves that the cache is the reason.
    fs::remove_dir_all(&machine.cache).unwrap();
    assert_eq!(machine.downloaded_by_adding("third").len(), 1);
    machine.holds(&["first", "second", "third"]);
}

/// Each index is compared by the size and checksum that the store returns.
#[test]
fn nothing_of_three_architectures_is_downloaded_again() {
    let Some(machine) = Machine::new() else { return };
    let add = |names: &[&str], architecture: &str| {
        let written = |name: &&str| deb(name).architecture(architecture).write(machine.sandbox.incoming());
        let files: Vec<PathBuf> = names.iter().map(written).collect();
        let files: Vec<&str> = files.iter().map(|file| file.to_str().unwrap()).collect();
        machine.publish(&[&["add"], &files[..]].concat()).ok()
    };
    add(&["second"], "arm64");
    add(&["third"], "i386");

    let from = machine.proxy.seen().len();
    add(&["third"], "i386").says(["Nothing to do"]);
    assert_eq!(machine.downloaded(from), [""; 0]);

    let from = machine.proxy.seen().len();
    add(&["fourth"], "arm64").says(["Published suite"]);
    assert_eq!(machine.downloaded(from), [""; 0]);
    let written = machine.indices("PUT", from);
    assert!(!written.is_empty() && written.iter().all(|path| path.contains("/binary-arm64/")), "{written:?}");
    machine.holds(&["first", "second", "third", "fourth"]);
}

#[test]
fn a_damaged_cache_entry_is_ignored() {
    let Some(machine) = Machine::new() else { return };
    for path in machine.kept() {
        let mut bytes = fs::read(&path).unwrap();
        bytes[0] ^= 1;
        fs::write(path, bytes).unwrap();
    }
    assert_eq!(machine.downloaded_by_adding("second").len(), 1);
    machine.holds(&["first", "second"]);
}

#[test]
fn processes_share_it() {
    let Some(machine) = Machine::new() else { return };
    let names = ["aa", "bb", "cc", "dd"];
    std::thread::scope(|scope| {
        for name in names {
            let machine = &machine;
            scope.spawn(move || machine.add(name).ok());
        }
    });
    machine.holds(&["aa", "bb", "cc", "dd", "first"]);
    let unfinished = |path: &&PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with(".new-");
    assert_eq!(machine.kept().iter().find(unfinished), None);
}

#[test]
fn it_is_private_and_its_location_is_configurable() {
    use std::os::unix::fs::PermissionsExt as _;
    let Some(machine) = Machine::new() else { return };
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&machine.cache), 0o700);
    for path in machine.kept() {
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    assert!(!machine.sandbox.path("home/.cache").exists());
}

/// A file at the path of the cache folder: even root cannot write there.
#[test]
fn an_unwritable_cache_is_not_an_error() {
    let Some(mut machine) = Machine::new() else { return };
    machine.cache = machine.sandbox.path("file").join("cache");
    fs::write(machine.sandbox.path("file"), "").unwrap();
    let said = machine.add("second").ok();
    assert!(!said.stderr.contains("cache"), "{}", said.stderr);
    machine.holds(&["first", "second"]);
}
