//! The house itself: arrows go down only, and the words that users read.

use std::{fs, path::Path};

use crate::sandbox::Sandbox;

/// What each room of `src/` may use of the others; the order of `lib.rs`, top to bottom.
const MAY_USE: [(&str, &[&str]); 14] = [
    (
        "archive",
        &[
            "config",
            "deb",
            "pool",
            "dists",
            "signing",
            "store",
            "names",
            "stanza",
            "version",
            "digest",
            "compression",
        ],
    ),
    ("purge", &["config", "store"]),
    ("deb", &["names", "stanza", "version", "digest", "compression"]),
    ("config", &["names", "stanza", "compression", "regular"]),
    ("pool", &["deb", "names"]),
    ("dists", &["deb", "pool", "names", "stanza", "version", "digest", "compression"]),
    ("signing", &[]),
    ("store", &["digest", "regular"]),
    ("regular", &[]),
    ("names", &[]),
    ("stanza", &[]),
    ("version", &[]),
    ("digest", &[]),
    ("compression", &[]),
];

fn source_files(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            source_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The modules of the crate that a text names: `crate::a::…`, and `crate::{a::…, b}`.
fn used(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    for after in text.split("crate::").skip(1) {
        let Some(group) = after.strip_prefix('{') else {
            found.push(word(after));
            continue;
        };
        let mut depth = 0;
        let mut at_start = true;
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => at_start = true,
                c if at_start && depth == 0 && c.is_alphabetic() => {
                    found.push(word(&group[at..]));
                    at_start = false;
                }
                _ => {}
            }
        }
    }
    found
}

#[test]
fn arrows_go_down_only() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut looked_at = 0;
    for (room, may_use) in MAY_USE {
        let mut files = Vec::new();
        match src.join(room) {
            folder if folder.is_dir() => source_files(&folder, &mut files),
            _ => files.push(src.join(format!("{room}.rs"))),
        }
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            // Tests may reach further.
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            if file.ends_with("tests.rs") {
                continue;
            }
            for name in used(code) {
                assert!(name == room || may_use.contains(&name.as_str()), "{} uses `{name}`", file.display());
                looked_at += 1;
            }
        }
    }
    assert!(looked_at > 50, "{looked_at}");
}

#[test]
fn the_summary_names_every_command() {
    let sandbox = Sandbox::new();
    let said = sandbox.publish(["--help"]).ok();
    let commands: Vec<&str> = said
        .stdout
        .lines()
        .skip_while(|line| *line != "Commands:")
        .take_while(|line| !line.is_empty())
        .collect();
    insta::assert_snapshot!(commands.join("\n"), @r"
    Commands:
      init      Writes conf/distributions for a suite and, unless --unsigned, makes a key
      add       Adds packages to a suite: all of them in one step, or none
      copy      Copies packages from one suite to another: all of them in one step, or none
      remove    Removes packages from a suite: all that are named in one step, or none
      rollback  Goes back to an earlier state of a suite: publishes its content as a new state
      list      Lists the packages of the archive: suite, component, architecture, name, version
      show      Shows the published stanzas of a package
      log       Shows the states of a suite that are kept: when, who, what was added and removed
      diff      Compares two suites, or two states of a suite, package by package
      check     Reads the archive as a client would: signature, every digest, every pool file
      prune     Takes old versions out of the suites, then deletes what no client can still need
      refresh   Signs suites anew that near their `Valid-Until`, for a daily job: nothing else changes
      snapshot  Keeps a suite as it is now, for good, as a suite of its own: SUITE/snapshots/NAME
      sync      Makes another store serve this archive: a bucket, a container, a folder
      serve     Previews the archive over HTTP, for a client to try it
      key       Makes, shows and exports signing keys; publishes and changes them
      help      Explains a topic: `json`, the output for scripts, field by field
    ");
    assert!(said.stdout.contains("Exit codes: 0 done or nothing to do, 1 failed, 2 usage, 3 lost the race"));
    sandbox.publish(["add"]).fails(2);
    sandbox.publish(["bogus"]).fails(2);
    sandbox.publish(["--version"]).ok();
}

#[test]
fn the_readme_names_every_command_and_field() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    for command in [
        "init", "add", "copy", "remove", "rollback", "list", "log", "diff", "check", "prune", "refresh",
        "snapshot", "sync", "serve", "key",
    ] {
        assert!(readme.contains(&format!("| `{command} ")), "{command}");
    }
    for field in [
        "TrustedKeys",
        "ValidFor",
        "DebIndices",
        "Limit",
        "ReadOnly",
        "SignWith",
        "KeepFor",
        "KeepGenerations",
    ] {
        assert!(readme.contains(&format!("`{field}`")), "{field}");
    }
}
