//! The output of `--json` matches `publish help json`, key by key.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::{
    deb_builder::deb,
    sandbox::{Outcome, Sandbox, age, fixture},
};

const DAY: u64 = 24 * 60 * 60;

/// The documentation: the shape that each command prints, and the keys of each shape with the types of their values.
struct Schema {
    commands: BTreeMap<String, String>,
    shapes: BTreeMap<String, BTreeMap<String, String>>,
    kinds: BTreeSet<String>,
    /// The shapes seen in some output.
    seen: BTreeSet<String>,
}

impl Schema {
    /// The text of `publish help json`.
    fn documented() -> Self {
        Self::read(include_str!("../../src/cli/json/schema.md"))
    }

    fn read(text: &str) -> Self {
        let mut schema = Self {
            commands: BTreeMap::new(),
            shapes: BTreeMap::new(),
            kinds: BTreeSet::new(),
            seen: BTreeSet::new(),
        };
        let mut shape = String::new();
        let plain = |cell: &str| cell.trim().trim_matches('`').to_owned();
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("### ") {
                shape = plain(name);
                assert!(schema.shapes.insert(shape.clone(), BTreeMap::new()).is_none(), "`{shape}` twice");
            } else if let Some(other) = line.strip_prefix("As `").and_then(|line| line.split('`').next()) {
                let keys = schema.shapes[other].clone();
                schema.shapes.get_mut(&shape).unwrap().extend(keys);
            }
            let cells: Vec<&str> = line.trim_matches('|').split('|').collect();
            match cells[..] {
                [key, kind, _] if key.contains('`') => {
                    let keys = schema.shapes.get_mut(&shape).unwrap();
                    assert!(keys.insert(plain(key), plain(kind)).is_none(), "{shape}: {key} twice");
                }
                [commands, printed] if printed.contains('`') && shape.is_empty() => {
                    for command in commands.split(',').map(plain) {
                        schema.commands.insert(command, plain(printed));
                    }
                }
                [kind, _] if kind.contains('`') => assert!(schema.kinds.insert(plain(kind))),
                _ => {}
            }
        }
        schema
    }

    /// The output of a command matches the shape documented for it.
    #[track_caller]
    fn printed(&mut self, command: &str, stdout: &str) -> Value {
        let shape =
            self.commands.get(command).unwrap_or_else(|| panic!("`{command}` is not documented")).clone();
        let mut value: Value =
            serde_json::from_str(stdout).unwrap_or_else(|error| panic!("{error}: {stdout}"));
        assert_eq!(value.as_object_mut().unwrap().remove("schema"), Some(1.into()), "{stdout}");
        self.fits(&shape, &value, command);
        value
    }

    fn fits(&mut self, kind: &str, value: &Value, at: &str) {
        if let Some(kind) = kind.strip_suffix('?') {
            if !value.is_null() {
                self.fits(kind, value, at);
            }
            return;
        }
        if let Some(kind) = kind.strip_prefix('[').and_then(|kind| kind.strip_suffix(']')) {
            for one in value.as_array().unwrap_or_else(|| panic!("{at} is no list: {value}")) {
                self.fits(kind, one, at);
            }
            return;
        }
        let is_right = match kind {
            "string" => value.is_string(),
            "integer" => value.is_i64() || value.is_u64(),
            "number" => value.is_number(),
            "boolean" => value.is_boolean(),
            shape => {
                let keys =
                    self.shapes.get(shape).unwrap_or_else(|| panic!("{at}: no shape `{shape}`")).clone();
                let object = value.as_object().unwrap_or_else(|| panic!("{at} is no object: {value}"));
                let (there, documented): (Vec<&String>, Vec<&String>) =
                    (object.keys().collect::<BTreeSet<_>>().into_iter().collect(), keys.keys().collect());
                assert_eq!(there, documented, "{at} is no `{shape}`");
                self.seen.insert(shape.to_owned());
                for (key, kind) in &keys {
                    self.fits(kind, &object[key], &format!("{at}.{key}"));
                }
                true
            }
        };
        assert!(is_right, "{at} is no {kind}: {value}");
    }
}

/// An archive whose surplus versions move to another suite.
fn archive() -> Sandbox {
    let sandbox = Sandbox::new();
    let key = fixture("keys/test.asc");
    let suite =
        |rest: &str| format!("Components: main\nSignWith: {}\nOrigin: Example\n{rest}\n", key.display());
    let (stable, old) = (suite("Limit: 1\nArchive: old\n"), suite(""));
    sandbox.configure(&format!("Codename: stable\n{stable}Codename: old\n{old}"));
    sandbox
}

#[test]
fn every_command_prints_its_documented_shape() {
    let sandbox = archive();
    let mut schema = Schema::documented();
    let mut clock = 0;
    let mut run = |arguments: &[&str]| -> Outcome {
        clock += 60;
        sandbox.publish_after(clock, &[&["--json"], arguments].concat())
    };
    for (package, version) in [("hello", "1.0"), ("hello", "2.0"), ("world", "1.0")] {
        deb(package).version(version).write(sandbox.path(format!("{package}-{version}")));
    }

    // Commands that publish.
    let to_stable = ["--suite", "stable"];
    let add = |more: &[&'static str]| [&["add"], &to_stable[..], more].concat();
    schema.printed("add", &run(&add(&["hello-1.0", "--message", "the first"])).ok().stdout);
    let moved = schema.printed("add", &run(&add(&["hello-2.0"])).ok().stdout);
    assert_eq!(moved["moved"]["to"]["added"][0]["source"]["version"], "1.0");
    schema.printed("add", &run(&add(&["world-1.0", "--phased", "10"])).ok().stdout);
    schema.printed("add", &run(&add(&["world-1.0", "--phased", "50"])).ok().stdout);
    schema.printed("copy", &run(&["copy", "world", "--from", "stable", "--to", "old"]).ok().stdout);
    schema.printed("remove", &run(&["remove", "hello", "--suite", "stable"]).ok().stdout);
    let back = schema.printed("rollback", &run(&["rollback", "stable"]).ok().stdout);
    schema.printed("refresh", &run(&["refresh", "--force"]).ok().stdout);
    schema.printed("export", &run(&["export"]).ok().stdout);
    fs::write(sandbox.path("metadata.yml"), "---\n").unwrap();
    let attach = ["attach", "metadata.yml", "--as", "main/dep11/Components-amd64.yml", "--suite", "stable"];
    schema.printed("attach", &run(&attach).ok().stdout);
    schema.printed("snapshot NAME", &run(&["snapshot", "one", "--suite", "stable"]).ok().stdout);
    schema.printed("snapshot --list", &run(&["snapshot", "--list", "--suite", "stable"]).ok().stdout);

    // Commands that read. A package and a generation have the same shape everywhere.
    let listed = schema.printed("list", &run(&["list", "hello"]).ok().stdout);
    let mut hello =
        listed["packages"].as_array().unwrap().iter().find(|row| row["suite"] == "stable").unwrap().clone();
    for key in ["suite", "index"] {
        hello.as_object_mut().unwrap().remove(key);
    }
    assert_eq!(back["added"][0], hello);
    schema.printed("show", &run(&["show", "hello"]).ok().stdout);
    let log = schema.printed("log", &run(&["log", "stable"]).ok().stdout);
    let names: Vec<&Value> =
        log["generations"].as_array().unwrap().iter().map(|one| &one["generation"]).collect();
    assert!(names.contains(&&back["generation"]) && names.contains(&&back["based_on"]), "{names:?}");
    let diff = schema.printed("diff", &run(&["diff", "stable@1", "old"]).ok().stdout);
    assert_eq!(&diff["a"]["generation"], names[1]);
    sandbox.adopt_files("one", &[("main/Contents-amd64", b"one")]);
    sandbox.adopt_files("two", &[("main/Contents-amd64", b"two")]);
    schema.printed("diff", &run(&["diff", "one", "two"]).ok().stdout);
    let place = sandbox.archive("").display().to_string();
    schema.printed("check", &run(&["check", "--suite", "stable", "--origin", &place]).ok().stdout);
    let newest = sandbox.tree().paths_with("dists/old/generations/").pop().unwrap();
    fs::remove_dir_all(sandbox.archive(newest).parent().unwrap()).unwrap();
    for name in ["InRelease", "Release.gpg"] {
        fs::write(sandbox.archive("dists/old").join(name), "").unwrap();
    }
    schema.printed("check", &run(&["check", "--repair", "--suite", "old"]).ok().stdout);
    fs::remove_dir_all(sandbox.archive("dists/one")).unwrap();
    fs::remove_dir_all(sandbox.archive("dists/two")).unwrap();

    // Everything around the archive.
    let diagnosis = schema.printed("doctor", &run(&["doctor", "--suite", "stable"]).ok().stdout);
    assert_eq!(diagnosis["fault_count"], 0, "{diagnosis}");
    let request = "GET /pool/main/h/hello/hello_2.0_amd64.deb HTTP/1.1";
    let line = format!("192.0.2.1 - - [01/Jun/2025:10:00:00 +0000] \"{request}\" 200 1 \"-\" \"curl\"\n");
    fs::write(sandbox.path("access.log"), line).unwrap();
    let stats = schema.printed("stats", &run(&["stats", "access.log"]).ok().stdout);
    assert_eq!((&stats["downloads"], &stats["rows"][0]["version"]), (&1.into(), &"2.0".into()));

    // Destinations.
    let there = format!(
        "Name: cdn\nLocation: {}\nPublic-Url: https://apt.example\nPurge:\n !true\n",
        sandbox.path("there").display()
    );
    fs::write(sandbox.archive("conf/destinations"), there).unwrap();
    schema.printed("sync", &run(&["sync", "cdn"]).ok().stdout);
    schema.printed("client", &run(&["client", "--public-url", "https://apt.example"]).ok().stdout);
    schema.printed("serve", &served(&sandbox));

    // Keys.
    schema.printed("key package", &run(&["key", "package"]).ok().stdout);
    schema.printed("key rotate", &run(&["key", "rotate"]).ok().stdout);
    schema.printed("key generate", &run(&["key", "generate", "--output", "new.asc"]).ok().stdout);
    schema.printed("key show", &run(&["key", "show", "new.asc"]).ok().stdout);
    schema.printed("key export", &run(&["key", "export", "new.asc"]).ok().stdout);
    schema.printed("key export", &run(&["key", "export", "new.asc", "--output", "public.asc"]).ok().stdout);
    schema.printed(FAILS, &run(&["key", "export", "new.asc", "--binary"]).fails(2).stdout);
    let empty = sandbox.path("empty").display().to_string();
    schema.printed("init", &run(&["--archive", &empty, "init"]).ok().stdout);

    // Deletions and losses.
    run(&["add", "world-1.0", "--new-suite", "--suite", "gone"]).ok();
    schema.printed("drop", &run(&["drop", "gone", "--yes"]).ok().stdout);
    schema.printed(
        "snapshot NAME --remove",
        &run(&["snapshot", "one", "--suite", "stable", "--remove"]).ok().stdout,
    );
    age(&sandbox.archive(""), 30);
    let later = sandbox.publish_after(
        30 * DAY,
        &["--json", "prune", "--keep", "1", "--keep-for", "1d", "--keep-generations", "1"],
    );
    schema.printed("prune", &later.ok().stdout);
    fs::remove_file(sandbox.archive("pool/main/h/hello/hello_2.0_amd64.deb")).unwrap();
    let checked = run(&["check"]);
    assert_eq!(checked.status, Some(4), "{checked}");
    let check = schema.printed("check", &checked.stdout);
    assert_eq!(check["faults"][0]["path"], "pool/main/h/hello/hello_2.0_amd64.deb");
    schema.printed(FAILS, &run(&["add", "nothing.deb", "--suite", "stable"]).fails(1).stdout);

    let unseen: Vec<&String> = schema.shapes.keys().filter(|shape| !schema.seen.contains(*shape)).collect();
    assert!(unseen.is_empty(), "no output has {unseen:?}");
    schema.documents_every_command(&sandbox);
}

impl Schema {
    /// Every command of the help is documented, but for those that print what another tool prints.
    fn documents_every_command(&self, sandbox: &Sandbox) {
        let help = sandbox.publish(["--help"]).ok().stdout;
        let commands =
            help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
        // Long summaries go on in the next line.
        let commands = commands.filter(|line| !line.starts_with("   "));
        for command in commands
            .filter_map(|line| line.split_whitespace().next())
            .filter(|name| !["help", "completions", "reprepro"].contains(name))
        {
            let is_documented = |known: &String| known.split(' ').next() == Some(command);
            assert!(self.commands.keys().any(is_documented), "`{command}` is not documented");
        }
    }
}

/// The entry of the documentation for errors.
const FAILS: &str = "any that fails";

/// The line that `serve` prints once it accepts connections.
fn served(sandbox: &Sandbox) -> String {
    let mut child = Command::new(env!("CARGO_BIN_EXE_publish"))
        .args(["--json", "serve", "--listen", "127.0.0.1:0"])
        .env_clear()
        .env("PUBLISH_ARCHIVE", sandbox.archive(""))
        .current_dir(sandbox.path(""))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let objects = serde_json::Deserializer::from_reader(child.stdout.take().unwrap());
    let first: Value = objects.into_iter().next().unwrap().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    first.to_string()
}

#[test]
fn errors_have_a_kind_a_file_and_a_retry_flag() {
    let sandbox = Sandbox::signed();
    let mut schema = Schema::documented();
    let kinds = schema.kinds.clone();
    let mut error = |status: i32, arguments: &[&str]| -> Value {
        let said = sandbox.publish([arguments, &["--json"]].concat()).fails(status);
        let failed = schema.printed(FAILS, &said.stdout);
        assert_eq!(failed["status"], status);
        let error = failed["errors"][0].clone();
        assert!(kinds.contains(error["kind"].as_str().unwrap()), "{error}");
        assert!(said.stderr.contains(error["message"].as_str().unwrap()), "{error}: {}", said.stderr);
        error
    };
    let parts = |error: &Value| (error["kind"].clone(), error["file"].clone(), error["retry"].clone());

    fs::write(sandbox.incoming().join("bad.deb"), "no deb").unwrap();
    let bad = error(1, &["add", "incoming/bad.deb"]);
    assert_eq!(parts(&bad), ("input".into(), "incoming/bad.deb".into(), false.into()));
    let missing = error(1, &["add", "incoming/missing.deb"]);
    assert_eq!(parts(&missing), ("input".into(), "incoming/missing.deb".into(), false.into()));
    assert_eq!(parts(&error(1, &["list"])).0, "not-found");

    let file = deb("hello").write(sandbox.incoming()).display().to_string();
    sandbox.publish(["add", &file]).ok();
    deb("hello").payload("other bytes").write(sandbox.incoming());
    let other = error(1, &["add", &file]);
    assert_eq!(parts(&other).0, "conflict");
    assert!(other["file"].as_str().unwrap().ends_with("hello_1.0_amd64.deb"), "{other}");
    assert!(other["hint"].as_str().unwrap().contains("new version"), "{other}");
    assert_eq!(parts(&error(1, &["remove", "nothing"])).0, "not-found");
    assert_eq!(parts(&error(1, &["--sign-with", "no.asc", "remove", "hello"])).0, "signing");
    let untrusted = fixture("keys/second.asc").display().to_string();
    let foreign = error(1, &["--sign-with", &untrusted, "remove", "hello"]);
    assert_eq!(parts(&foreign), ("untrusted".into(), "dists/stable/InRelease".into(), false.into()));
    sandbox.configure("Codename: stable\nBad\n");
    assert_eq!(parts(&error(1, &["list"])).0, "config");
}

#[test]
fn server_errors_can_be_retried() {
    let sandbox = Sandbox::new();
    let mut schema = Schema::documented();
    // No server listens there.
    let arguments = ["--json", "check", "--suite", "stable", "--archive", "http://127.0.0.1:9/"];
    let said = sandbox.publish(arguments);
    let failed = schema.printed(FAILS, &said.fails(5).stdout);
    assert_eq!(
        (&failed["errors"][0]["kind"], &failed["errors"][0]["retry"]),
        (&"store".into(), &true.into())
    );
}

#[test]
fn usage_errors_are_objects_too() {
    let sandbox = Sandbox::new();
    let mut schema = Schema::documented();
    for arguments in [
        &["add"][..],
        &["bogus"],
        &["list", "--sweet", "x"],
        &["prune", "--keep", "none"],
        &["copy", "x", "--from", "a", "--to", "a"],
        &[],
    ] {
        let said = sandbox.publish([&["--json"], arguments].concat()).fails(2);
        let failed = schema.printed(FAILS, &said.stdout);
        let error = &failed["errors"][0];
        assert_eq!(
            (&failed["status"], &error["kind"], &error["retry"]),
            (&2.into(), &"usage".into(), &false.into())
        );
        assert!(!error["message"].as_str().unwrap().is_empty(), "{error}");
    }
    let said = sandbox.publish(["--json", "list", "--suit", "x"]).fails(2);
    let failed = schema.printed(FAILS, &said.stdout);
    assert_eq!(failed["errors"][0]["hint"], "a similar argument exists: '--suite'");
    // Without `--json` before `--`, the output is text.
    assert_eq!(sandbox.publish(["list", "--sweet"]).fails(2).stdout, "");
    assert_eq!(sandbox.publish(["bogus", "--", "--json"]).fails(2).stdout, "");
}

#[test]
fn the_version_in_short_and_in_long() {
    let sandbox = Sandbox::new();
    let short = format!("publish {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(sandbox.publish(["-V"]).ok().stdout, short);
    let long = sandbox.publish(["--version"]).ok().stdout;
    assert!(
        long.starts_with(&short) && long.contains("\ncommit: ") && long.contains("\nOpenPGP: "),
        "{long}"
    );
}
