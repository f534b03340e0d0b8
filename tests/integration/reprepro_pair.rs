//! The real reprepro and this program, which run the same commands on the same inputs.

use std::{collections::BTreeMap, fs, io::Read as _, path::Path};

use crate::sandbox::{Outcome, Sandbox, sha256, skipped};

/// The real program.
pub(crate) const REAL: &str = "/usr/bin/reprepro";
/// Two suites with two components, for two architectures.
pub(crate) const CONF: &str = "\
Origin: Example
Label: Example
Codename: bookworm
Suite: stable
Version: 12
Architectures: amd64 i386 source
Components: main contrib
Description: packages of a test

Codename: trixie
Suite: testing
Architectures: amd64 i386 source
Components: main contrib
";

/// Fields of a stanza that describe its file in further ways, or that index writers order as they like.
const BESIDE: [&str; 6] = ["MD5sum", "SHA1", "SHA256", "Size", "Files", "Checksums-Sha1"];

/// A repository of reprepro and one of this program, with the same configuration.
pub(crate) struct Pair {
    pub(crate) sandbox: Sandbox,
}

/// The output of both.
pub(crate) struct Both {
    pub(crate) real: Outcome,
    pub(crate) ours: Outcome,
}

impl Pair {
    /// Two repositories; `None` without the real reprepro.
    pub(crate) fn new(distributions: &str) -> Option<Self> {
        if !Path::new(REAL).exists() {
            skipped("reprepro is not installed");
            return None;
        }
        let pair = Self { sandbox: Sandbox::new() };
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_publish"), pair.sandbox.path("reprepro")).unwrap();
        pair.conf("distributions", distributions);
        Some(pair)
    }

    /// Writes a file of both configurations.
    pub(crate) fn conf(&self, name: &str, text: &str) {
        for base in ["real", "ours"] {
            let folder = self.sandbox.path(base).join("conf");
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join(name), text).unwrap();
        }
    }

    pub(crate) fn one(&self, base: &str, arguments: &[&str]) -> Outcome {
        self.run_one(base, arguments)
    }

    pub(crate) fn run_one(&self, base: &str, arguments: &[&str]) -> Outcome {
        let link = self.sandbox.path("reprepro");
        let mut command = self.sandbox.command(if base == "real" { Path::new(REAL) } else { &link });
        command.args(["-b", base]).args(arguments).current_dir(self.sandbox.path(""));
        self.sandbox.run(command)
    }

    pub(crate) fn both(&self, arguments: &[&str]) -> Both {
        Both { real: self.run_one("real", arguments), ours: self.run_one("ours", arguments) }
    }

    /// Runs a command; both must succeed, or both must fail.
    #[track_caller]
    pub(crate) fn run(&self, arguments: &[&str]) -> Both {
        let both = self.both(arguments);
        assert_eq!(both.real.status == Some(0), both.ours.status == Some(0), "{}\n{}", both.real, both.ours);
        assert!(!both.ours.stderr.contains("panicked"), "{}", both.ours);
        both
    }

    /// Runs a command whose status scripts compare.
    #[track_caller]
    pub(crate) fn status(&self, arguments: &[&str]) {
        let both = self.run(arguments);
        assert_eq!(both.real.status, both.ours.status, "{}\n{}", both.real, both.ours);
    }

    /// Runs a command that prints a list, whose lines may come in any order.
    #[track_caller]
    pub(crate) fn lists(&self, arguments: &[&str]) {
        let both = self.run(arguments);
        let lines = |text: &str| {
            let mut lines: Vec<String> =
                text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
            lines.sort();
            lines
        };
        assert_eq!(lines(&both.ours.stdout), lines(&both.real.stdout), "{arguments:?}\n{}", both.ours);
    }

    /// Compares all that is published in a suite.
    #[track_caller]
    pub(crate) fn same(&self, suite: &str) {
        let [real, ours] = ["real", "ours"].map(|base| Published::read(&self.sandbox.path(base), suite));
        for (field, value) in &real.release {
            assert_eq!(ours.release.get(field), Some(value), "`{field}` of {suite}");
        }
        assert_eq!(ours.indices, real.indices, "{suite}");
    }

    /// Includes a source package, in which reprepro finds no section.
    #[track_caller]
    pub(crate) fn source(&self, suite: &str, file: &str) {
        self.status(&["-S", "misc", "-P", "optional", "includedsc", suite, file]);
    }

    pub(crate) fn packages(&self, packages: &[crate::deb_builder::DebBuilder]) {
        for package in packages {
            package.write(self.sandbox.path("in"));
        }
    }
}

/// The packages of a suite as clients see them.
pub(crate) struct Published {
    pub(crate) release: BTreeMap<String, String>,
    /// The stanzas of each index: their fields, and the digests of their files.
    pub(crate) indices: BTreeMap<String, Vec<String>>,
}

impl Published {
    pub(crate) fn read(base: &Path, suite: &str) -> Self {
        let folder = base.join("dists").join(suite);
        let text = fs::read_to_string(folder.join("Release")).unwrap();
        let fields = fields(&text);
        let same =
            ["Origin", "Label", "Suite", "Codename", "Version", "Description", "Architectures", "Components"];
        let release = fields.iter().filter(|(name, _)| same.contains(&name.as_str()));
        let mut indices = BTreeMap::new();
        for entry in walkdir::WalkDir::new(&folder) {
            let path = entry.unwrap().into_path();
            let name = path.strip_prefix(&folder).unwrap().to_str().unwrap();
            let plain = name.trim_end_matches(".gz");
            if name.contains("by-hash")
                || name.contains("snapshots/")
                || !plain.ends_with("/Packages") && !plain.ends_with("/Sources")
            {
                continue;
            }
            let mut text = String::new();
            let file = fs::File::open(&path).unwrap();
            if name == plain {
                std::io::BufReader::new(file).read_to_string(&mut text).unwrap();
            } else {
                flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
            }
            let mut stanzas: Vec<String> = text
                .split("\n\n")
                .filter(|stanza| !stanza.trim().is_empty())
                .map(|stanza| describe(base, stanza))
                .collect();
            stanzas.sort();
            indices.insert(plain.to_owned(), stanzas);
        }
        Self { release: release.map(|(name, value)| (name.clone(), value.clone())).collect(), indices }
    }
}

fn fields(text: &str) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    let mut last = String::new();
    for line in text.lines() {
        if line.starts_with(' ') {
            let value: &mut String = fields.get_mut(&last).unwrap();
            value.push('\n');
            value.push_str(line);
        } else if let Some((name, value)) = line.split_once(':') {
            name.clone_into(&mut last);
            fields.insert(last.clone(), value.trim().to_owned());
        }
    }
    fields
}

/// A stanza with the digests of the files that it names.
fn describe(base: &Path, stanza: &str) -> String {
    let fields = fields(stanza);
    let mut paths: Vec<String> = fields.get("Filename").cloned().into_iter().collect();
    if let Some(folder) = fields.get("Directory") {
        let lines = fields["Checksums-Sha256"].lines();
        paths.extend(lines.filter_map(|line| Some(format!("{folder}/{}", line.split_whitespace().nth(2)?))));
    }
    paths.sort();
    let files = paths.iter().map(|path| {
        let bytes = fs::read(base.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        format!("{path} {}", sha256(&bytes))
    });
    let shown =
        fields.iter().filter(|(name, _)| !BESIDE.contains(&name.as_str()) && *name != "Checksums-Sha256");
    let shown = shown.map(|(name, value)| format!("{name}: {value}"));
    shown.chain(files).collect::<Vec<_>>().join("\n")
}
