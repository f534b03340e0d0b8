//! Tests of `publish add`.

use std::fs;

use crate::{
    apt_client::{Client, Source},
    deb_builder::deb,
    sandbox::{Sandbox, fixture, sha256},
};

/// Each client updates without errors and sees exactly these versions.
fn clients_see(sandbox: &Sandbox, packages: &[(&str, &[&str])]) {
    for mut apt in Client::all(sandbox) {
        apt.source(&Source::folder(sandbox.archive("")).trusted());
        apt.updates();
        for (name, versions) in packages {
            assert_eq!(apt.versions(name), *versions, "{}: {name}", apt.name);
        }
    }
}

#[test]
fn the_first_package_makes_an_archive() {
    let sandbox = Sandbox::new();
    let hello = deb("hello");
    hello.write(sandbox.incoming());
    let said = sandbox.publish(["add", "incoming/hello_1.0_amd64.deb"]).ok();
    insta::assert_snapshot!(said.stdout, @r"
    Types: deb
    URIs: file:[SANDBOX]/archive
    Suites: stable
    Components: main
    Trusted: yes
    ");
    said.says(["Added 1 package to suite `stable`", "+ hello 1.0 amd64 (main)"]);
    insta::assert_snapshot!(sandbox.tree().names(), @r"
    dists/stable/Release
    dists/stable/generations/[GENERATION]/Release
    dists/stable/generations/[GENERATION]/published
    dists/stable/main/binary-amd64/Packages
    dists/stable/main/binary-amd64/Packages.gz
    dists/stable/main/binary-amd64/Packages.xz
    dists/stable/main/binary-amd64/by-hash/SHA256/[SHA256]
    dists/stable/main/binary-amd64/by-hash/SHA256/[SHA256]
    dists/stable/main/binary-amd64/by-hash/SHA256/[SHA256]
    pool/main/h/hello/hello_1.0_amd64.deb
    ");
    insta::assert_snapshot!(sandbox.read("dists/stable/main/binary-amd64/Packages"), @r"
    Package: hello
    Version: 1.0
    Architecture: amd64
    Maintainer: Nobody <nobody@example.org>
    Installed-Size: 1
    Section: misc
    Priority: optional
    Description: package made for a test
     Nobody needs it.
     .
     It is small.
    Filename: pool/main/h/hello/hello_1.0_amd64.deb
    Size: 640
    MD5sum: 5d94ecb57010ddb93fa67dca6448fa9a
    SHA256: 8823154e7895e31c502f059e0dee7cc95ba11faef8c98cb4bb468c7dcb6eb06c
    ");
    let release = sandbox.read("dists/stable/Release");
    let head: Vec<_> = release.lines().filter(|line| !line.starts_with(' ')).collect();
    insta::assert_snapshot!(head.join("\n"), @r"
    Suite: stable
    Codename: stable
    Date: Sun, 01 Jun 2025 00:00:00 UTC
    Acquire-By-Hash: yes
    Architectures: amd64
    Components: main
    MD5Sum:
    SHA256:
    ");
    for mut apt in Client::all(&sandbox) {
        apt.source(&Source::folder(sandbox.archive("")).trusted());
        apt.updates();
        assert_eq!(apt.candidate("hello").as_deref(), Some("1.0"), "{}", apt.name);
        assert_eq!(apt.download("hello"), hello.bytes(), "{}", apt.name);
    }
}

#[test]
fn a_second_package_is_added_to_the_first() {
    let sandbox = Sandbox::new();
    sandbox.publish(["add".as_ref(), deb("hello").write(sandbox.incoming()).as_os_str()]).ok();
    let before = sandbox.tree();
    let said = sandbox.publish(["add".as_ref(), deb("world").write(sandbox.incoming()).as_os_str()]).ok();
    said.says(["Added 1 package"]);
    assert_eq!(said.stdout, "", "only the first publish prints the stanza for clients");
    clients_see(&sandbox, &[("hello", &["1.0"]), ("world", &["1.0"])]);
    // Files that a client may still request must remain available.
    sandbox.tree().keeps(&before, &["dists/stable/Release", "binary-amd64/Packages"]);
}

#[test]
fn several_versions_are_published_and_apt_takes_the_newest() {
    let sandbox = Sandbox::new();
    for version in ["1.9", "1:0.1", "1.10", "1.10~rc1", "1.10+b1"] {
        deb("hello").version(version).write(sandbox.incoming());
    }
    sandbox.publish(["add", "incoming"]).ok();
    clients_see(&sandbox, &[("hello", &["1:0.1", "1.10+b1", "1.10", "1.10~rc1", "1.9"])]);
}

#[test]
fn an_older_version_is_added_with_a_warning() {
    let sandbox = Sandbox::new();
    let add = |version: &str| {
        let file = deb("hello").version(version).write(sandbox.incoming());
        sandbox.publish(["add".as_ref(), file.as_os_str()]).ok()
    };
    add("2.0");
    add("1.0").says(["1.0", "older"]);
    clients_see(&sandbox, &[("hello", &["2.0", "1.0"])]);
}

#[test]
fn the_same_file_again_changes_nothing() {
    let sandbox = Sandbox::new();
    let file = deb("hello").write(sandbox.incoming());
    sandbox.publish(["add".as_ref(), file.as_os_str()]).ok();
    let before = sandbox.tree();
    // An hour later: the date does not change either.
    let later = [("PUBLISH_DATE", "1748739600")];
    let said = sandbox.publish_with(&later, ["add".as_ref(), file.as_os_str()]).ok();
    said.says(["hello 1.0 amd64 is already published", "Nothing to do"]);
    assert_eq!(sandbox.tree(), before);
    let said = sandbox.publish(["add".as_ref(), file.as_os_str(), file.as_os_str()]).ok();
    said.says(["Nothing to do"]);
    assert_eq!(sandbox.tree(), before);
}

#[test]
fn other_bytes_of_a_published_version_are_refused() {
    let sandbox = Sandbox::new();
    let first = deb("hello").payload("one\n");
    let second = deb("hello").payload("two\n");
    sandbox.publish(["add".as_ref(), first.write(sandbox.incoming()).as_os_str()]).ok();
    let before = sandbox.tree();
    let file = second.write(sandbox.path("other"));
    let said = sandbox.publish(["add".as_ref(), file.as_os_str()]).fails(1);
    said.says(["error: cannot add", "other/hello_1.0_amd64.deb", "`hello` 1.0 amd64", "hint: "]);
    // Both digests are printed, with enough digits to differ.
    said.says([&sha256(&first.bytes())[..8], &sha256(&second.bytes())[..8]]);
    assert_eq!(sandbox.tree(), before);
    clients_see(&sandbox, &[("hello", &["1.0"])]);
}

#[test]
fn if_newer_adds_only_newer_versions() {
    let sandbox = Sandbox::new();
    let add = |version: &str| {
        let file = deb("hello").version(version).write(sandbox.incoming());
        sandbox.publish(["add".as_ref(), "--if-newer".as_ref(), file.as_os_str()])
    };
    add("2.0").ok();
    let before = sandbox.tree();
    let said = add("2.0~rc1").fails(1);
    said.says(["`hello` 2.0~rc1 amd64 is older than 2.0", "hint: omit `--if-newer`"]);
    // Adding the same package again is a no-op.
    add("2.0").ok().says(["already"]);
    assert_eq!(sandbox.tree(), before);
    add("2.0+b1").ok().says(["Added 1 package"]);
}

#[test]
fn a_whole_folder_is_one_commit() {
    let sandbox = Sandbox::new();
    deb("hello").write(sandbox.incoming());
    deb("world").write(sandbox.incoming().join("deeper/still"));
    fs::write(sandbox.incoming().join("README"), "not a package").unwrap();
    sandbox.publish(["add", "incoming"]).ok().says(["Added 2 packages"]);
    clients_see(&sandbox, &[("hello", &["1.0"]), ("world", &["1.0"])]);
    assert_eq!(sandbox.tree().paths_with("/published").len(), 1, "one step");
}

#[test]
fn a_folder_without_packages_is_an_error() {
    let sandbox = Sandbox::new();
    sandbox.publish(["add", "incoming"]).fails(1).says(["incoming", ".deb"]);
    sandbox.publish(["add", "nowhere.deb"]).fails(1).says(["nowhere.deb"]);
    assert_eq!(sandbox.tree().names(), "");
}

#[test]
fn real_packages_keep_their_odd_names() {
    let sandbox = Sandbox::new();
    sandbox.publish(["add".as_ref(), fixture("debs").as_os_str()]).ok();
    insta::assert_snapshot!(sandbox.tree().paths_with("pool/").join("\n"), @r"
    pool/main/a/acpi/acpi_1.7-1.2_amd64.deb
    pool/main/n/node-inherits/libjs-inherits_2.0.4-6_all.deb
    pool/main/n/node-stream-shift/node-stream-shift_1.0.1+~1.0.0-1_all.deb
    pool/main/p/php-msgpack/php-msgpack_2.2.0~rc2-3_amd64.deb
    pool/main/r/rust-tinyvec-macros/librust-tinyvec-macros-dev_0.1.0-1+b1_amd64.deb
    pool/main/s/sample-bz2/sample-bz2_1.0_all.deb
    pool/main/s/sample-gz/sample-gz_1.0_all.deb
    pool/main/s/sample-lzma/sample-lzma_1.0_all.deb
    pool/main/s/sample-none/sample-none_1.0_all.deb
    pool/main/s/sample-xz/sample-xz_1.0_all.deb
    pool/main/s/sample-zst/sample-zst_1.0_all.deb
    ");
    clients_see(
        &sandbox,
        &[
            ("acpi", &["1.7-1.2"]),
            ("php-msgpack", &["1:2.2.0~rc2-3"]),
            ("node-stream-shift", &["1.0.1+~1.0.0-1"]),
            ("librust-tinyvec-macros-dev", &["0.1.0-1+b1"]),
            ("sample-lzma", &["1.0"]),
        ],
    );
}

#[test]
fn the_pool_sorts_by_source() {
    let sandbox = Sandbox::new();
    for package in [
        deb("libfoo1").source("libfoo (1.0-1)"),
        deb("foo-data").source("libfoo"),
        deb("lib"),
        deb("g++").version("4:12.2.0~rc1+b1"),
    ] {
        package.write(sandbox.incoming());
    }
    sandbox.publish(["add", "incoming"]).ok();
    insta::assert_snapshot!(sandbox.tree().paths_with("pool/").join("\n"), @r"
    pool/main/g/g++/g++_12.2.0~rc1+b1_amd64.deb
    pool/main/l/lib/lib_1.0_amd64.deb
    pool/main/libf/libfoo/foo-data_1.0_amd64.deb
    pool/main/libf/libfoo/libfoo1_1.0_amd64.deb
    ");
    clients_see(&sandbox, &[("g++", &["4:12.2.0~rc1+b1"]), ("foo-data", &["1.0"]), ("lib", &["1.0"])]);
}

#[test]
fn an_archive_of_all_packages_only_serves_every_machine() {
    let sandbox = Sandbox::new();
    deb("hello").architecture("all").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok();
    assert!(sandbox.read("dists/stable/Release").contains("\nArchitectures: all\n"));
    assert!(sandbox.tree().has("dists/stable/main/binary-all/Packages.xz"));
    clients_see(&sandbox, &[("hello", &["1.0"])]);

    // Adding a package for one architecture must neither drop nor duplicate `Architecture: all` packages.
    let file = deb("world").write(sandbox.incoming());
    sandbox.publish(["add".as_ref(), file.as_os_str()]).ok();
    clients_see(&sandbox, &[("hello", &["1.0"]), ("world", &["1.0"])]);
    let file = deb("later").architecture("all").write(sandbox.incoming());
    sandbox.publish(["add".as_ref(), file.as_os_str()]).ok();
    clients_see(&sandbox, &[("hello", &["1.0"]), ("world", &["1.0"]), ("later", &["1.0"])]);
    for mut apt in Client::all(&sandbox) {
        apt.source(&Source::folder(sandbox.archive("")).trusted());
        apt.updates();
        // Both indices may list it, but apt must see one version and not two entries.
        let shown = apt.run("apt-cache", ["show", "--all-versions", "hello"]).ok().stdout;
        assert_eq!(shown.matches("Version: ").count(), 1, "{}: {shown}", apt.name);
    }
    sandbox.publish(["check"]).ok();
}

#[test]
fn a_new_architecture_gets_the_packages_for_all() {
    let sandbox = Sandbox::new();
    deb("hello").write(sandbox.incoming());
    deb("hello-doc").architecture("all").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok();
    let file = deb("hello").architecture("arm64").write(sandbox.incoming());
    sandbox.publish(["add".as_ref(), file.as_os_str()]).ok();
    let packages = sandbox.read("dists/stable/main/binary-arm64/Packages");
    let names: Vec<_> = packages.lines().filter(|line| line.starts_with("Package: ")).collect();
    assert_eq!(names, ["Package: hello", "Package: hello-doc"]);
    clients_see(&sandbox, &[("hello", &["1.0"]), ("hello-doc", &["1.0"])]);
    sandbox.publish(["check"]).ok();
}

#[test]
fn components_are_separate() {
    let sandbox = Sandbox::new();
    sandbox.configure("Codename: stable\nComponents: main contrib\nArchitectures: amd64\n");
    let add = |name: &str, component: &str| {
        let file = deb(name).write(sandbox.incoming());
        sandbox.publish(["add".as_ref(), "--component".as_ref(), component.as_ref(), file.as_os_str()]).ok();
    };
    add("hello", "main");
    add("extra", "contrib");
    assert!(sandbox.tree().has("pool/contrib/e/extra/extra_1.0_amd64.deb"));
    for mut apt in Client::all(&sandbox) {
        let source = || Source::folder(sandbox.archive("")).trusted();
        apt.source(&source().components("main contrib"));
        apt.updates();
        assert_eq!(apt.versions("hello"), ["1.0"], "{}", apt.name);
        assert_eq!(apt.versions("extra"), ["1.0"], "{}", apt.name);
        apt.source(&source().components("main"));
        apt.updates();
        assert_eq!(apt.candidate("extra"), None, "{}", apt.name);
    }
}

#[test]
fn suites_are_separate() {
    let sandbox = Sandbox::new();
    sandbox.configure(
        "Codename: bookworm\nSuite: stable\nOrigin: Test\nComponents: main\nArchitectures: amd64\n\n\
         Codename: trixie\nSuite: testing\nOrigin: Test\nComponents: main\nArchitectures: amd64\n",
    );
    let old = deb("hello").write(sandbox.incoming());
    let new = deb("hello").version("2.0").write(sandbox.incoming());
    sandbox.publish(["add".as_ref(), old.as_os_str()]).fails(2).says(["bookworm", "trixie", "--suite"]);
    assert_eq!(sandbox.tree().paths_with("dists/"), [""; 0]);
    sandbox.publish(["add".as_ref(), "--suite".as_ref(), "bookworm".as_ref(), old.as_os_str()]).ok();
    sandbox.publish(["add".as_ref(), "--suite".as_ref(), "trixie".as_ref(), new.as_os_str()]).ok();
    assert!(sandbox.read("dists/bookworm/Release").contains("Origin: Test\n"));
    for mut apt in Client::all(&sandbox) {
        for (suite, version) in [("bookworm", "1.0"), ("trixie", "2.0")] {
            apt.source(&Source::folder(sandbox.archive("")).suite(suite).trusted());
            apt.updates();
            assert_eq!(apt.versions("hello"), [version], "{} {suite}", apt.name);
        }
    }
}

#[test]
fn a_dry_run_writes_nothing() {
    let sandbox = Sandbox::new();
    let file = deb("hello").write(sandbox.incoming());
    let said = sandbox.publish(["add".as_ref(), "--dry-run".as_ref(), file.as_os_str()]).ok();
    said.says(["Would add 1 package"]);
    assert_eq!(sandbox.tree().names(), "");
}

#[test]
fn json_is_one_object() {
    let sandbox = Sandbox::new();
    let file = deb("hello").write(sandbox.incoming());
    let said = sandbox.publish(["--json".as_ref(), "add".as_ref(), file.as_os_str()]).ok();
    let object: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(object["added"][0]["name"], "hello");
    assert_eq!(said.stderr.lines().count(), 1, "{}", said.stderr);
    said.says(["warning: suite `stable` has no signature"]);
}

/// `check` reports the missing file; adding the same package again restores it.
#[test]
fn a_missing_pool_file_is_restored() {
    let sandbox = Sandbox::signed();
    deb("hello").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok();
    let before = sandbox.tree();
    fs::remove_file(sandbox.archive("pool/main/h/hello/hello_1.0_amd64.deb")).unwrap();
    let lost = sandbox.tree();
    sandbox.publish(["add", "--dry-run", "incoming"]).ok().says(["Would restore 1 file"]);
    assert_eq!(sandbox.tree(), lost);
    sandbox.publish(["add", "incoming"]).ok().says(["Restored 1 file"]);
    assert_eq!(sandbox.tree(), before);
    sandbox.publish(["add", "incoming"]).ok().says(["Nothing to do"]);
}

#[test]
fn a_broken_link_in_a_folder_is_not_a_package() {
    let sandbox = Sandbox::new();
    deb("hello").write(sandbox.incoming());
    let link = |name: &str| std::os::unix::fs::symlink("gone", sandbox.incoming().join(name)).unwrap();
    link("latest");
    sandbox.publish(["add", "incoming"]).ok().says(["Added 1 package"]);
    // A broken link with the name of a package is an error.
    link("world.deb");
    let said = sandbox.publish(["add", "incoming"]).fails(1);
    said.says(["incoming/world.deb", "No such file"]);
    assert_eq!(said.stderr.matches("No such file").count(), 1, "{}", said.stderr);
}

/// As other tools write it: `source` among the architectures, and patches for the index.
#[test]
fn other_valid_entries_of_a_foreign_release_are_kept() {
    let sandbox = Sandbox::new();
    deb("hello").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok();
    let path = sandbox.archive("dists/stable/Release");
    let empty = format!(" {} 0 ", sha256(b""));
    let others = format!("{empty}main/binary-amd64/Packages.diff/Index\n{empty}main/source/Sources\n");
    let text = fs::read_to_string(&path).unwrap();
    let text = text.replace("Architectures: amd64", "Architectures: amd64 source") + &others;
    fs::write(&path, text).unwrap();
    assert_eq!(sandbox.publish(["list"]).ok().stdout.lines().count(), 1);
    deb("world").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok();
    let text = sandbox.read("dists/stable/Release");
    assert!(text.contains("Architectures: amd64 source\n"), "{text}");
    assert!(text.contains("main/source/Sources\n"), "{text}");
    assert!(!text.contains(".diff/"), "they lead to another index: {text}");
    sandbox.publish(["add", "incoming"]).ok().says(["Nothing to do"]);
}

#[test]
fn a_date_in_the_future_is_reported() {
    let sandbox = Sandbox::new();
    deb("hello").write(sandbox.incoming());
    let said = sandbox.publish_with(&[("PUBLISH_DATE", "4000000000")], ["add", "incoming"]).ok();
    assert!(!said.stderr.contains("`Date`"), "{}", said.stderr);
    deb("world").write(sandbox.incoming());
    sandbox
        .publish(["add", "incoming"])
        .ok()
        .says(["warning: `Date` stays at the published 2096-10-02T07:06:40Z"]);
}

/// A publisher killed after the swap, before it wrote the files for clients without by-hash.
#[test]
fn a_second_run_completes_a_killed_one() {
    let sandbox = Sandbox::signed();
    deb("hello").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok();
    let names = ["Release", "Release.gpg"].map(|name| sandbox.archive("dists/stable").join(name));
    let before = names.clone().map(|name| fs::read(name).unwrap());
    deb("hello").version("2.0").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok();
    let after = sandbox.tree();
    for (name, bytes) in names.iter().zip(&before) {
        fs::write(name, bytes).unwrap();
    }
    fs::remove_file(sandbox.archive("archive-key.asc")).unwrap();
    sandbox.publish(["check"]).fails(4);

    sandbox.publish(["add", "incoming"]).ok().says(["Nothing to do"]);
    sandbox.publish(["check"]).ok();
    let healed = sandbox.tree();
    // The signature too: it is stored with the generation.
    assert_eq!(healed, after);

    // A third run writes nothing.
    sandbox.publish(["add", "incoming"]).ok();
    assert_eq!(sandbox.tree(), healed);
}

/// As in Debian's security archive, and as `FakeComponentPrefix` of reprepro writes it.
#[test]
fn a_component_with_a_longer_name_keeps_its_index_paths() {
    let sandbox = Sandbox::new();
    deb("hello").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok();
    let path = sandbox.archive("dists/stable/Release");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("Components: main", "Components: updates/main")).unwrap();
    deb("world").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok().says(["+ world 1.0 amd64 (main)"]);
    assert!(!sandbox.read("dists/stable/Release").contains("updates/"));
    clients_see(&sandbox, &[("hello", &["1.0"]), ("world", &["1.0"])]);
}

/// The pool is shared: a file of another suite that was damaged on disk is in the way, and the hint is what restores it.
#[test]
fn a_damaged_file_of_another_suite_is_restored_by_the_command_of_the_hint() {
    let sandbox = Sandbox::signed();
    let suite = |name: &str| format!("Codename: {name}\nComponents: main\nArchitectures: amd64\n");
    sandbox.configure(&[suite("stable"), suite("testing")].join("\n"));
    let file = deb("hello").write_as(sandbox.incoming().join("it's hello.deb"));
    let file = file.to_str().unwrap();
    sandbox.publish(["add", "--suite", "stable", file]).ok();
    let path = "pool/main/h/hello/hello_1.0_amd64.deb";
    fs::write(sandbox.archive(path), &deb("hello").bytes()[..300]).unwrap();
    let said = sandbox.publish(["add", "--suite", "testing", file]).fails(1);
    let hint = r"`publish add --suite stable '[SANDBOX]/incoming/it'\''s hello.deb'`";
    said.says([hint, &format!("the archive has the file as `{path}`, where suite `stable` lists it")]);
    sandbox.publish(["add", "--suite", "stable", file]).ok();
    sandbox.publish(["add", "--suite", "testing", file]).ok();
    sandbox.publish(["check"]).ok();
    // Other bytes than a suite lists are another package.
    let other = deb("hello").payload("other").write(sandbox.incoming());
    sandbox.publish(["add", "--suite", "testing", "--dry-run", other.to_str().unwrap()]).fails(1);
}
