//! Tests of `publish export`: a suite is published as it is configured, and its packages stay the same.

use std::fs;

use crate::{
    apt_client::{Client, Source},
    deb_builder::deb,
    sandbox::{Sandbox, fixture},
};

const HOUR: u64 = 60 * 60;

const SUITE: &str = "Codename: stable\nComponents: main\nArchitectures: amd64\n";

/// The value of a field of the published `Release`.
fn field(sandbox: &Sandbox, name: &str) -> String {
    let text = sandbox.read("dists/stable/Release");
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
    line.unwrap_or_default().to_owned()
}

/// Adds these packages, each `NAME ARCHITECTURE`.
fn add(sandbox: &Sandbox, packages: &[&str]) {
    for package in packages {
        let (name, architecture) = package.split_once(' ').unwrap();
        deb(name).architecture(architecture).write(sandbox.incoming());
    }
    sandbox.publish(["add", "incoming"]).ok();
    fs::remove_dir_all(sandbox.incoming()).unwrap();
    fs::create_dir(sandbox.incoming()).unwrap();
}

#[test]
fn a_suite_without_packages_is_published_and_apt_reads_it() {
    let sandbox = Sandbox::new();
    sandbox.configure(&format!("{SUITE}\nCodename: testing\nComponents: main contrib\n"));
    let before = sandbox.tree();
    sandbox.publish(["export", "--dry-run"]).ok().says(["Would publish suite `stable`", "`testing`"]);
    assert_eq!(sandbox.tree(), before);
    sandbox.publish(["export"]).ok().says(["Published suite `stable` as configured"]);
    assert_eq!(field(&sandbox, "Architectures"), "amd64");
    for mut apt in Client::all(&sandbox) {
        apt.source(&Source::folder(sandbox.archive("")).trusted());
        apt.updates();
        apt.source(
            &Source::folder(sandbox.archive("")).trusted().suite("testing").components("main contrib"),
        );
        apt.updates();
    }
    let published = sandbox.tree();
    sandbox.publish_after(60, &["export"]).ok().says([
        "Suite `stable` is published as configured: nothing to do",
        "Suite `testing` is published as configured: nothing to do",
    ]);
    assert_eq!(sandbox.tree(), published);
    sandbox.publish_after(HOUR, &["check"]).ok();
    deb("hello").write(sandbox.incoming());
    sandbox.publish_after(60, &["add", "incoming", "-s", "testing"]).ok();
    assert!(sandbox.read("dists/testing/Release").contains("\nArchitectures: amd64\n"), "`all` was empty");
}

#[test]
fn a_changed_configuration_is_applied_and_packages_stay() {
    let sandbox = Sandbox::new();
    sandbox.configure(SUITE);
    add(&sandbox, &["hello amd64", "doc all"]);
    let packages = sandbox.publish(["list"]).ok().stdout;
    sandbox.configure(
        "Codename: stable\nComponents: main contrib\nArchitectures: amd64 arm64\nDescription: new\nValidFor: 7d\n\
         DebIndices: Packages Release . .gz .zst\n",
    );
    let said = sandbox.publish_after(60, &["export"]).ok();
    said.says([
        "`Components` changes from `main` to `main contrib`",
        "`Architectures` changes from `amd64` to `amd64 arm64`",
        "`Description` changes from nothing to `new`",
        "`Valid-Until` changes from nothing",
    ]);
    assert!(sandbox.read("dists/stable/main/binary-arm64/Packages").contains("Package: doc\n"));
    let release = sandbox.read("dists/stable/Release");
    assert!(release.contains("main/binary-amd64/Packages.zst\n"), "{release}");
    assert!(!release.contains("Packages.xz"), "{release}");
    let listed = sandbox.publish(["list"]).ok().stdout;
    assert_eq!(listed.lines().collect::<Vec<_>>(), packages.lines().collect::<Vec<_>>());
    let published = sandbox.tree();
    sandbox.publish_after(120, &["export", "stable"]).ok().says(["nothing to do"]);
    assert_eq!(sandbox.tree(), published);
    let json = sandbox.publish_after(120, &["--json", "export"]).ok().stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["suites"][0]["published"], false);
    // Fields that stop apt need the same consent as everywhere.
    sandbox.configure(&format!("{SUITE}Origin: Other\n"));
    sandbox.publish_after(180, &["export"]).fails(1).says(["`Origin` changes from nothing to `Other`"]);
    assert_eq!(sandbox.tree().paths_with("/generations/"), published.paths_with("/generations/"));
    sandbox.publish_after(180, &["export", "--allow-releaseinfo-change"]).ok();
    sandbox.publish_after(HOUR, &["check"]).ok();
}

#[test]
fn a_plain_index_that_was_not_stored_is_stored() {
    let sandbox = Sandbox::new();
    sandbox.configure(&format!("{SUITE}DebIndices: Packages Release .gz\n"));
    add(&sandbox, &["hello amd64"]);
    assert!(!sandbox.archive("dists/stable/main/binary-amd64/Packages").exists());
    sandbox.configure(&format!("{SUITE}DebIndices: Packages Release . .gz\n"));
    sandbox.publish_after(60, &["export"]).ok().says(["Published suite `stable`"]);
    assert!(sandbox.archive("dists/stable/main/binary-amd64/Packages").exists());
    sandbox.publish_after(120, &["export"]).ok().says(["nothing to do"]);
}

#[test]
fn other_keys_sign_the_same_content() {
    let sandbox = Sandbox::new();
    let keys = |names: &[&str]| {
        let words: Vec<String> = names.iter().map(|name| fixture(name).display().to_string()).collect();
        sandbox.configure(&format!("{SUITE}SignWith: {}\n", words.join(" ")));
    };
    keys(&["keys/test.asc"]);
    add(&sandbox, &["hello amd64"]);
    let index = sandbox.read("dists/stable/main/binary-amd64/Packages");
    sandbox.publish_after(60, &["export"]).ok().says(["nothing to do"]);
    keys(&["keys/test.asc", "keys/second.asc"]);
    let said = sandbox.publish_after(60, &["export"]).ok();
    said.says(["the suite is signed with the configured keys"]);
    for name in ["keys/test.pub.asc", "keys/second.pub.asc"] {
        let key = fixture(name).display().to_string();
        let said = sandbox.publish_after(HOUR, &["check", "--keyring", &key]);
        assert_eq!(said.status, Some(0), "{said}");
    }
    keys(&["keys/second.asc"]);
    sandbox.publish_after(120, &["export"]).ok().says(["signed with the configured keys"]);
    sandbox.publish_after(180, &["export"]).ok().says(["nothing to do"]);
    assert_eq!(sandbox.read("dists/stable/main/binary-amd64/Packages"), index);
}

#[test]
fn an_unsigned_suite_is_signed_once_it_is_trusted() {
    let sandbox = Sandbox::new();
    sandbox.configure(SUITE);
    add(&sandbox, &["hello amd64"]);
    sandbox.configure(&format!("{SUITE}SignWith: {}\n", fixture("keys/test.asc").display()));
    let before = sandbox.tree();
    sandbox.publish_after(60, &["export"]).fails(1).says(["is not signed", "--trust-existing"]);
    assert_eq!(sandbox.tree(), before);
    sandbox.publish_after(60, &["export", "--trust-existing"]).ok();
    assert!(sandbox.archive("dists/stable/InRelease").exists());
    sandbox.publish_after(120, &["export"]).ok().says(["nothing to do"]);
    sandbox.publish_after(HOUR, &["check"]).ok();
}

#[test]
fn an_architecture_leaves_when_it_is_neither_configured_nor_used() {
    let sandbox = Sandbox::new();
    sandbox.configure("Codename: stable\nComponents: main contrib\nArchitectures: amd64 i386\n");
    add(&sandbox, &["hello amd64", "old i386", "doc all"]);
    sandbox.configure(SUITE);
    // With a package of its own it stays, and every command says so; the empty component leaves.
    let said = sandbox.publish_after(60, &["export"]).ok();
    said.says(["architecture `i386` is not in `Architectures:`", "because it has 1 package"]);
    said.says(["component `contrib` is no longer configured and has no packages"]);
    assert_eq!(field(&sandbox, "Architectures"), "amd64 i386");
    assert_eq!(field(&sandbox, "Components"), "main");
    sandbox.publish_after(60, &["export"]).ok().says(["`i386`", "nothing to do"]);
    // It leaves with its last package, although its index lists `doc`.
    let said = sandbox.publish_after(120, &["remove", "old"]).ok();
    said.says(["architecture `i386` is no longer configured and has no packages"]);
    assert_eq!(field(&sandbox, "Architectures"), "amd64");
    let release = sandbox.read("dists/stable/Release");
    assert!(!release.contains("i386") && !release.contains("contrib"), "{release}");
    sandbox.publish_after(HOUR, &["check"]).ok();
    for mut apt in Client::all(&sandbox) {
        apt.source(&Source::folder(sandbox.archive("")).trusted());
        apt.updates();
        assert_eq!(apt.versions("doc"), ["1.0"], "{}", apt.name);
    }
}

#[test]
fn a_component_with_packages_stays_and_takes_its_files_along_when_it_leaves() {
    let sandbox = Sandbox::new();
    let contrib = "Package: extra\nVersion: 1.0\nArchitecture: amd64\nFilename: pool/contrib/e/extra/extra_1.0_amd64.deb\nSize: 1\n\
        SHA256: 0000000000000000000000000000000000000000000000000000000000000000\n";
    let files: [(&str, &[u8]); 6] = [
        ("main/binary-amd64/Packages", b""),
        ("contrib/binary-amd64/Packages", contrib.as_bytes()),
        ("contrib/binary-amd64/Release", b"Component: contrib\n"),
        ("contrib/Contents-amd64", b"usr/bin/extra extra\n"),
        ("contrib/debian-installer/binary-amd64/Packages", b""),
        ("contrib-more/binary-amd64/Packages", b""),
    ];
    sandbox.adopt_files("stable", &files);
    let path = sandbox.archive("dists/stable/Release");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("Components: main", "Components: main contrib contrib-more")).unwrap();
    sandbox.configure("Codename: stable\nComponents: main contrib-more\nArchitectures: amd64\n");
    let said = sandbox.publish(["export"]).ok();
    said.says(["component `contrib` is not in `Components:`", "1 package"]);
    assert!(sandbox.read("dists/stable/Release").contains("contrib/binary-amd64/Packages\n"));
    sandbox.publish_after(60, &["remove", "extra"]).ok();
    let text = sandbox.read("dists/stable/Release");
    assert_eq!(field(&sandbox, "Components"), "main contrib-more", "{text}");
    assert!(!text.contains(" contrib/") && text.contains(" contrib-more/"), "{text}");
}

#[test]
fn only_configured_or_published_suites_are_exported() {
    let sandbox = Sandbox::new();
    sandbox.publish(["export"]).fails(1).says(["there is no archive"]);
    sandbox.publish(["export", "stable"]).fails(1).says(["there is no suite `stable`"]);
    sandbox.configure(&format!("{SUITE}ReadOnly: yes\n"));
    sandbox.publish(["export"]).ok().says(["every suite is `ReadOnly: yes`"]);
    sandbox.publish(["export", "stable"]).fails(1).says(["`ReadOnly: yes`"]);
    sandbox.publish(["export", "unknown"]).fails(1).says(["there is no suite `unknown`"]);
    assert!(!sandbox.archive("dists").exists());
    // One suite that cannot be published does not stop the others.
    let missing = "Codename: bad\nComponents: main\nArchitectures: amd64\nSignWith: /nowhere/key.asc\n";
    sandbox.configure(&format!("{missing}\n{SUITE}"));
    sandbox.publish(["export"]).fails(1).says(["/nowhere/key.asc"]);
    assert!(sandbox.archive("dists/stable/Release").exists());
}

#[test]
fn files_derived_from_packages_do_not_go_stale() {
    let sandbox = Sandbox::new();
    let files: [(&str, &[u8]); 7] = [
        ("main/binary-amd64/Packages", b""),
        ("main/Contents-amd64", b"usr/bin/old old\n"),
        ("Contents-amd64", b"usr/bin/old old\n"),
        ("main/Contents-source", b"old old\n"),
        ("main/cnf/Commands-amd64", b"suite: stable\n\nname: old\ncommands: old\n"),
        ("main/dep11/Components-amd64.yml", b"---\n"),
        ("main/i18n/Translation-en", b"Package: old\n"),
    ];
    sandbox.adopt_files("stable", &files);
    let listed = |name: &str| sandbox.read("dists/stable/Release").contains(&format!(" {name}\n"));
    // Without a change of the packages they stay.
    let said = sandbox.publish(["refresh", "--force"]).ok();
    assert!(!said.stderr.contains("Contents"), "{}", said.stderr);
    assert!(files.iter().all(|(name, _)| listed(name)));
    deb("new").write(sandbox.incoming());
    let said = sandbox.publish_after(60, &["add", "incoming"]).ok();
    said.says(["warning: `main/dep11/Components-amd64.yml` describes the packages before this change and is no longer listed"]);
    assert!(!listed("main/dep11/Components-amd64.yml"));
    // These are carried on.
    let commands = sandbox.read("dists/stable/main/cnf/Commands-amd64");
    assert_eq!(commands, "suite: stable\ncomponent: main\narch: amd64\n\n");
    for name in ["main/Contents-amd64", "Contents-amd64"] {
        let text = sandbox.read(format!("dists/stable/{name}"));
        assert_eq!(text, "usr/share/doc/new/README\t\t\t\t    misc/new\n", "{name}");
        assert!(listed(name));
    }
    assert!(listed("main/Contents-source") && listed("main/i18n/Translation-en"));
    let said = sandbox.publish_after(120, &["remove", "new"]).ok();
    assert!(!said.stderr.contains("Contents"), "it is said once: {}", said.stderr);
    sandbox.publish_after(HOUR, &["check"]).ok();
}
