//! Source packages go through every command, and apt reads them.

use std::{ffi::OsStr, fs, path::Path};

use crate::{
    apt_client::Client,
    deb_builder::deb,
    sandbox::{Outcome, Sandbox, age, fixture},
    source_builder::source,
};

const SOURCES: &str = "dists/stable/main/source/Sources";

fn add(sandbox: &Sandbox, file: impl AsRef<Path>) -> Outcome {
    sandbox.publish(["add".as_ref(), file.as_ref().as_os_str()])
}

/// A client that reads source packages of the archive.
fn reads_sources(apt: &mut Client<'_>, sandbox: &Sandbox, suite: &str) {
    apt.source(&crate::apt_client::Source::folder(sandbox.archive("")).trusted().suite(suite));
    let uri = format!("file:{}", sandbox.archive("").display());
    let uri = uri.trim_end_matches('/');
    apt.stanza(&format!(
        "Types: deb deb-src\nURIs: {uri}\nSuites: {suite}\nComponents: main\nTrusted: yes\n"
    ));
    apt.updates();
}

/// Builds a source package in the folder `build` with the real dpkg-source.
fn dpkg_source(sandbox: &Sandbox, folder: &str, format: &str, version: &str) {
    let tree = sandbox.path("build").join(folder);
    fs::create_dir_all(tree.join("debian/source")).unwrap();
    let name = folder.split('-').next().unwrap();
    fs::write(tree.join("README"), "a file\n").unwrap();
    fs::write(tree.join("debian/source/format"), format!("{format}\n")).unwrap();
    fs::write(tree.join("debian/rules"), "#!/usr/bin/make -f\n").unwrap();
    fs::write(
        tree.join("debian/changelog"),
        format!(
            "{name} ({version}) stable; urgency=low\n\n  * Test.\n\n -- Example Team <team@example.org>  \
             Sun, 01 Jun 2025 00:00:00 +0000\n"
        ),
    )
    .unwrap();
    let control = format!(
        "Source: {name}\nSection: net\nPriority: optional\nMaintainer: Example Team <team@example.org>\n\
         Build-Depends: libneeded-dev\nStandards-Version: 4.6.2\n\nPackage: {name}\nArchitecture: any\n\
         Description: test\n"
    );
    fs::write(tree.join("debian/control"), control).unwrap();
    sandbox.ask("env", ["-C", "build", "dpkg-source", "--build", folder]);
}

#[test]
fn apt_reads_source_packages_of_every_format_that_dpkg_source_builds() {
    let sandbox = Sandbox::new();
    for folder in ["old-1.0", "quilt-1.0", "extra"] {
        fs::create_dir_all(sandbox.path("build").join(folder)).unwrap();
        fs::write(sandbox.path("build").join(folder).join("README"), "a file\n").unwrap();
    }
    for (file, folder) in [
        ("old_1.0.orig.tar.gz", "old-1.0"),
        ("quilt_1.0.orig.tar.xz", "quilt-1.0"),
        ("quilt_1.0.orig-extra.tar.bz2", "extra"),
    ] {
        sandbox.ask("tar", ["-C", "build", "-caf", &format!("build/{file}"), folder]);
    }
    fs::rename(sandbox.path("build/extra"), sandbox.path("build/quilt-1.0/extra")).unwrap();
    fs::write(sandbox.path("build/quilt_1.0.orig.tar.xz.asc"), "-----BEGIN PGP SIGNATURE-----\n").unwrap();
    dpkg_source(&sandbox, "old-1.0", "1.0", "1.0-1");
    dpkg_source(&sandbox, "native-2.0", "3.0 (native)", "1:2.0");
    dpkg_source(&sandbox, "quilt-1.0", "3.0 (quilt)", "1.0-2");
    for package in ["build-essential", "libneeded-dev"] {
        deb(package).architecture("all").write(sandbox.path("build"));
    }
    for package in ["build-essential_1.0_all.deb", "libneeded-dev_1.0_all.deb"] {
        add(&sandbox, sandbox.path("build").join(package)).ok();
    }
    for dsc in ["old_1.0-1.dsc", "native_2.0.dsc", "quilt_1.0-2.dsc"] {
        add(&sandbox, sandbox.path("build").join(dsc)).ok().says(["Added 1 package"]);
    }
    sandbox.publish(["check"]).ok();
    let index = sandbox.read(SOURCES);
    for text in
        ["Package: quilt\n", "Section: net\n", "Priority: optional\n", "Directory: pool/main/q/quilt\n"]
    {
        assert!(index.contains(text), "{text}: {index}");
    }
    for by_hash in ["force", "no"] {
        for mut apt in Client::all(&sandbox) {
            apt.option("Acquire::By-Hash", by_hash);
            reads_sources(&mut apt, &sandbox, "stable");
            for name in ["old", "native", "quilt"] {
                apt.run("apt-get", ["source", "--download-only", name]).ok();
            }
            let said = apt.run("apt-get", ["build-dep", "--simulate", "quilt"]).ok();
            assert!(said.stdout.contains("Inst libneeded-dev"), "{}: {}", apt.name, said.stdout);
            for file in ["quilt_1.0.orig-extra.tar.bz2", "quilt_1.0.orig.tar.xz.asc", "old_1.0-1.diff.gz"] {
                let read = fs::read(apt.root().join("tmp").join(file)).unwrap();
                let name = file.split('_').next().unwrap();
                let path = format!("pool/main/{}/{name}/{file}", &name[..1]);
                assert_eq!(read, fs::read(sandbox.archive(path)).unwrap(), "{}: {file}", apt.name);
            }
        }
    }
}

#[test]
fn a_signed_description_is_published_as_it_is() {
    let sandbox = Sandbox::new();
    let dsc = source("hello").write(sandbox.incoming());
    let key = fixture("keys/test.asc");
    sandbox.ask("gpg", ["--batch".as_ref(), "--import".as_ref(), key.as_os_str()]);
    sandbox.ask("gpg", ["--batch".as_ref(), "--clearsign".as_ref(), dsc.as_os_str()]);
    let signed = fs::read(dsc.with_extension("dsc.asc")).unwrap();
    assert!(signed.starts_with(b"-----BEGIN PGP SIGNED MESSAGE-----"));
    fs::write(&dsc, &signed).unwrap();
    add(&sandbox, &dsc).ok();
    assert_eq!(fs::read(sandbox.archive("pool/main/h/hello/hello_1.0-1.dsc")).unwrap(), signed);
    let index = sandbox.read(SOURCES);
    assert!(!index.contains("PGP") && index.contains("Format: 3.0 (quilt)\n"), "{index}");
    if let Some(mut apt) = Client::debian_12(&sandbox) {
        reads_sources(&mut apt, &sandbox, "stable");
        // Unpacks it with dpkg-source.
        apt.run("apt-get", ["source", "hello"]).ok();
        assert!(apt.has("tmp/hello-1.0/debian/control") && apt.has("tmp/hello-1.0/README"));
    }
    sandbox.publish(["check"]).ok();
}

#[test]
fn versions_share_a_tarball_and_the_same_package_again_is_no_change() {
    let sandbox = Sandbox::new();
    let folder = sandbox.incoming();
    let first = source("hello").write(&folder);
    add(&sandbox, &first).ok().says(["Added 1 package to suite `stable`", "+ hello 1.0-1 source (main)"]);
    let before = sandbox.tree();
    add(&sandbox, &first).ok().says(["already", "Nothing to do"]);
    assert_eq!(sandbox.tree(), before);
    let second = source("hello").version("1.0-2").write(&folder);
    let said =
        sandbox.publish(["add".as_ref(), "--dry-run".as_ref(), "-v".as_ref(), second.as_os_str()]).ok();
    said.says(["hello_1.0-2.debian.tar.xz", "hello_1.0-2.dsc"]);
    assert!(!said.stderr.contains("orig"), "{}", said.stderr);
    // Both at once into a new archive: the shared file is written once.
    let said = sandbox.publish([
        "--archive".as_ref(),
        sandbox.path("other").as_os_str(),
        "--json".as_ref(),
        "add".as_ref(),
        folder.as_os_str(),
    ]);
    let said = said.ok();
    assert_eq!(said.stdout.matches("hello_1.0.orig.tar.gz").count(), 1, "{}", said.stdout);
    assert_eq!(said.stdout.matches("pool/main/h/hello/hello_1.0-2.dsc").count(), 2, "{}", said.stdout);
    add(&sandbox, &second).ok().says(["Added 1 package"]);
    sandbox.publish(["check"]).ok();
    let said = sandbox.publish(["list"]).ok();
    assert_eq!(said.stdout, "stable main source hello 1.0-1\nstable main source hello 1.0-2\n");
    sandbox.publish(["show", "hello=1.0-2"]).ok();
}

#[test]
fn other_bytes_under_a_published_name_are_refused() {
    let sandbox = Sandbox::new();
    add(&sandbox, source("hello").write(sandbox.incoming())).ok();
    let before = sandbox.tree();
    let other = |folder: &str| sandbox.path(folder);
    for (built, text) in [
        (
            source("hello").changes("others\n").write(other("a")),
            "`hello` 1.0-1 source is published with other contents",
        ),
        (source("hello").version("1.0-2").upstream("others\n").write(other("b")), "hello_1.0.orig.tar.gz"),
        (source("hello").version("1:1.0-1").write(other("c")), "would share the file"),
    ] {
        add(&sandbox, built).fails(1).says([text]);
        assert_eq!(sandbox.tree(), before, "{text}");
    }
    // Also among those of one command.
    source("both").write(other("d"));
    source("both").version("1.0-2").upstream("others\n").write(other("e"));
    let both = ["d/both_1.0-1.dsc", "e/both_1.0-2.dsc"].map(|file| sandbox.path(file));
    let [one, two] = both.each_ref().map(|path| path.as_os_str());
    sandbox
        .publish(["add".as_ref(), one, two])
        .fails(1)
        .says(["with different contents", "both_1.0.orig.tar.gz"]);
    assert_eq!(sandbox.tree(), before);
    // A lost file of the pool is restored.
    fs::remove_file(sandbox.archive("pool/main/h/hello/hello_1.0.orig.tar.gz")).unwrap();
    sandbox.publish(["check"]).fails(4);
    add(&sandbox, sandbox.path("incoming/hello_1.0-1.dsc")).ok().says(["Restored 1 file"]);
    assert_eq!(sandbox.tree(), before);
}

#[test]
fn a_description_whose_files_do_not_match_publishes_nothing() {
    type Change = fn(&Path);
    let change: [(&str, Change); 9] = [
        ("neither in the same folder nor, with the listed digests, at `pool/main/h/hello/", |folder| {
            fs::remove_file(folder.join("hello_1.0.orig.tar.gz")).unwrap();
        }),
        ("cannot be read", |folder| {
            fs::remove_file(folder.join("hello_1.0.orig.tar.gz")).unwrap();
            fs::create_dir(folder.join("hello_1.0.orig.tar.gz")).unwrap();
        }),
        ("and it is listed with", |folder| {
            let file = folder.join("hello_1.0.orig.tar.gz");
            let mut bytes = fs::read(&file).unwrap();
            bytes.push(0);
            fs::write(file, bytes).unwrap();
        }),
        ("SHA256", |folder| {
            let file = folder.join("hello_1.0.orig.tar.gz");
            let mut bytes = fs::read(&file).unwrap();
            *bytes.last_mut().unwrap() ^= 1;
            fs::write(file, bytes).unwrap();
        }),
        ("is not allowed", |folder| edit(folder, "hello_1.0.orig.tar.gz", "../hello_1.0.orig.tar.gz")),
        ("is not allowed", |folder| edit(folder, "hello_1.0.orig.tar.gz", "/etc/passwd")),
        ("do not agree", |folder| {
            edit(folder, "Files:\n", "Files:\n d41d8cd98f00b204e9800998ecf8427e 0 hello_2.tar.gz\n");
        }),
        (".changes", |folder| edit(folder, "Binary:", "Changes:")),
        ("more than", |folder| fs::write(folder.join("hello_1.0-1.dsc"), vec![b'x'; 9 << 20]).unwrap()),
    ];
    let sandbox = Sandbox::new();
    let before = sandbox.tree();
    for (text, change) in change {
        let _ = fs::remove_dir_all(sandbox.path("bad"));
        let dsc = source("hello").write(sandbox.path("bad"));
        deb("good").write(sandbox.path("bad"));
        change(&sandbox.path("bad"));
        add(&sandbox, &dsc).fails(1).says([text]);
        // Together with a sound package: all of them or none.
        add(&sandbox, sandbox.path("bad")).fails(1).says([text]);
        assert_eq!(sandbox.tree(), before, "{text}");
    }
}

fn edit(folder: &Path, from: &str, to: &str) {
    let file = folder.join("hello_1.0-1.dsc");
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains(from), "{from}");
    fs::write(file, text.replace(from, to)).unwrap();
}

#[test]
fn the_configuration_decides_whether_a_suite_has_sources() {
    let sandbox = Sandbox::new();
    sandbox.configure("Codename: stable\nComponents: main contrib\nArchitectures: amd64\n");
    let dsc = source("hello").section("contrib/net").write(sandbox.incoming());
    deb("hello").write(sandbox.incoming());
    let before = sandbox.tree();
    add(&sandbox, &dsc)
        .fails(1)
        .says(["architecture `source` is not one of the suite's: `amd64`", "add it to `Architectures:`"]);
    assert_eq!(sandbox.tree(), before);
    // Beside the packages in a folder of builds it is left out.
    add(&sandbox, sandbox.incoming()).ok().says([
        "Added 1 package",
        "hello_1.0-1.dsc` is left out: suite `stable` is configured without `source`",
    ]);
    assert_eq!(sandbox.tree().paths_with("Sources"), [""; 0]);

    sandbox.configure("Codename: stable\nComponents: main contrib\nArchitectures: amd64 source\n");
    add(&sandbox, sandbox.incoming()).ok().says(["+ hello 1.0-1 source (contrib)"]);
    assert_eq!(sandbox.read(SOURCES), "");
    assert!(sandbox.read("dists/stable/contrib/source/Sources").contains("Package: hello\n"));
    assert!(sandbox.tree().has("dists/stable/contrib/source/Sources.xz"));
    sandbox.publish(["check"]).ok();
    // A published suite keeps them.
    sandbox.configure("Codename: stable\nComponents: main contrib\nArchitectures: amd64\n");
    add(&sandbox, source("more").write(sandbox.path("more"))).ok().says(["Added 1 package"]);
}

#[test]
fn removal_takes_a_source_alone_or_with_its_binaries() {
    let sandbox = Sandbox::new();
    let folder = sandbox.incoming();
    source("hello").write(&folder);
    source("hello").version("1.0-2").write(&folder);
    deb("hello").version("1.0-1").write(&folder);
    deb("libhello").version("1.0-2").source("hello").write(&folder);
    deb("other").write(&folder);
    let begin = || {
        let _ = fs::remove_dir_all(sandbox.archive("dists"));
        add(&sandbox, &folder).ok().says(["Added 5 packages"]);
    };
    for (arguments, removed) in [
        (&["hello"][..], 3),
        (&["hello=1.0-1"], 2),
        (&["hello", "--architecture", "source"], 2),
        (&["hello", "--architecture", "amd64"], 1),
        (&["--source", "hello=1.0-2"], 2),
        (&["--source", "hello"], 4),
        (&["--source", "hello", "--architecture", "source"], 2),
        (&["*hello"], 4),
    ] {
        begin();
        let text = format!("Removed {removed} package");
        sandbox.publish([&["remove"], arguments].concat()).ok().says([text.as_str()]);
        let said = sandbox.publish(["list"]).ok();
        assert_eq!(said.stdout.lines().count(), 5 - removed, "{arguments:?}: {}", said.stdout);
        sandbox.publish(["check"]).ok();
    }
    begin();
    sandbox
        .publish(["remove", "--source", "hello=3"])
        .fails(1)
        .says(["cannot remove `source package hello=3` from suite `stable`", "hello 1.0-1 source"]);
}

#[test]
fn a_copy_takes_the_source_along() {
    let sandbox = Sandbox::new();
    let folder = sandbox.incoming();
    source("hello").write(&folder);
    deb("libhello").version("1.0-1").source("hello").write(&folder);
    sandbox.publish(["add", "--suite", "testing", "incoming"]).ok();
    let copy = |to: &str, more: &[&str]| {
        sandbox.publish([&["copy", "--from", "testing", "--to", to], more].concat())
    };
    sandbox.configure(
        "Codename: testing\nComponents: main\n\nCodename: stable\nComponents: main\n\n\
                       Codename: binary\nComponents: main\nArchitectures: amd64\n",
    );
    let before = sandbox.tree();
    copy("stable", &["--source", "hello"]).ok().says([
        "Added 2 packages",
        "+ hello 1.0-1 source",
        "+ libhello 1.0-1 amd64",
    ]);
    let after = sandbox.tree();
    assert_eq!(before.paths_with("pool/"), after.paths_with("pool/"));
    assert_eq!(sandbox.read(SOURCES), sandbox.read("dists/testing/main/source/Sources"));
    copy("stable", &["--all"]).ok().says(["Nothing to do"]);
    // A suite without sources gets the binaries alone, and refuses what has no others.
    copy("binary", &["--source", "hello"])
        .ok()
        .says(["Added 1 package", "source package `hello 1.0-1 source` is left out: suite `binary`"]);
    copy("binary", &["hello"]).fails(1).says(["architecture `source` is not one of the suite's"]);
    for mut apt in Client::all(&sandbox) {
        reads_sources(&mut apt, &sandbox, "stable");
        apt.run("apt-get", ["source", "--download-only", "hello"]).ok();
    }
    sandbox.publish(["check"]).ok();
}

#[test]
fn rollback_snapshot_sync_and_prune_keep_all_files_of_a_source() {
    let sandbox = Sandbox::signed();
    let folder = sandbox.incoming();
    add(&sandbox, source("hello").write(&folder)).ok();
    sandbox.publish(["snapshot", "one"]).ok();
    add(&sandbox, source("hello").version("2.0-1").write(&folder)).ok();
    sandbox.publish(["log"]).ok().says([""]);
    let said = sandbox.publish(["diff", "stable@1", "stable"]).ok();
    assert!(said.stdout.contains("hello") && said.stdout.contains("source"), "{}", said.stdout);
    sandbox.publish(["rollback"]).ok().says(["- hello 2.0-1 source"]);
    let said = sandbox.publish(["list", "--suite", "stable"]).ok();
    assert_eq!(said.stdout, "stable main source hello 1.0-1\n");
    sandbox.publish(["sync", "./there"]).ok();
    let there = |path: &str| sandbox.path("there").join(path).exists();
    assert!(there("pool/main/h/hello/hello_1.0.orig.tar.gz") && there(SOURCES));
    assert!(!there("pool/main/h/hello/hello_2.0.orig.tar.gz"));
    sandbox.publish(["check", "./there"]).ok();

    age(&sandbox.archive(""), 9);
    sandbox.publish(["prune", "--keep-generations", "1"]).ok().says(["Deleted "]);
    let tree = sandbox.tree();
    assert_eq!(tree.paths_with("pool/").len(), 3, "{:?}", tree.paths_with("pool/"));
    sandbox.publish(["check"]).ok();
    // The snapshot alone keeps them as well.
    sandbox.publish(["remove", "hello", "--suite", "stable"]).ok();
    age(&sandbox.archive(""), 9);
    sandbox.publish(["prune", "--keep-generations", "1"]).ok();
    assert_eq!(sandbox.tree().paths_with("pool/").len(), 3);
    sandbox.publish(["snapshot", "--remove", "one"]).ok();
    age(&sandbox.archive(""), 9);
    sandbox.publish(["prune", "--keep-generations", "1"]).ok();
    assert_eq!(sandbox.tree().paths_with("pool/"), [""; 0]);
}

#[test]
fn a_mutable_suite_replaces_a_source_and_keeps_its_files() {
    let sandbox = Sandbox::new();
    sandbox.configure("Codename: stable\nComponents: main\nMutable: yes\n");
    add(&sandbox, source("hello").write(sandbox.incoming())).ok();
    let before = sandbox.tree();
    let other = source("hello").changes("others\n").upstream("others\n").write(sandbox.path("other"));
    let replace =
        ["add".as_ref(), "--replace".as_ref(), "--phased".as_ref(), "10".as_ref(), other.as_os_str()];
    sandbox.publish(replace).ok().says(["Replaced 1 package", "! hello 1.0-1 source"]);
    let index = sandbox.read(SOURCES);
    assert!(!index.contains("Phased") && !index.contains("Directory: pool/main/h/hello\n"), "{index}");
    for path in before.paths_with("pool/") {
        assert!(sandbox.tree().has(&path), "{path}");
    }
    sandbox.publish(["check"]).ok();
    sandbox.publish(replace).ok().says(["Nothing to do"]);
}

#[test]
fn limit_counts_versions_of_a_source() {
    let sandbox = Sandbox::new();
    sandbox.configure(
        "Codename: stable\nComponents: main\nLimit: 1\nArchive: old\n\nCodename: old\nComponents: main\n",
    );
    let folder = sandbox.incoming();
    for version in ["1.0-1", "1.0-2"] {
        let dsc = source("hello").version(version).write(&folder);
        sandbox.publish(["add".as_ref(), "--suite".as_ref(), "stable".as_ref(), dsc.as_os_str()]).ok();
    }
    // Binaries of the same name have versions of their own.
    let deb = deb("hello").version("3.0").write(&folder);
    sandbox.publish(["add".as_ref(), "--suite".as_ref(), "stable".as_ref(), deb.as_os_str()]).ok();
    let said = sandbox.publish(["list"]).ok();
    let listed: Vec<_> =
        said.stdout.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(
        listed,
        ["old main source hello 1.0-1", "stable main amd64 hello 3.0", "stable main source hello 1.0-2"]
    );
    sandbox.publish(["check"]).ok();
}

#[test]
fn a_pile_of_builds_keeps_the_shared_tarball() {
    let sandbox = Sandbox::new();
    sandbox.configure("Codename: stable\nComponents: main contrib\nLimit: 1\n");
    let folder = sandbox.incoming();
    for version in ["1.0-1", "1.0-2", "1.0-3"] {
        source("hello").version(version).section("contrib/net").write(&folder);
    }
    // The version of a source is that of its binaries.
    deb("hello").version("1.0-3").architecture("all").write(&folder);
    for _ in 0..2 {
        add(&sandbox, &folder).ok();
        let said = sandbox.publish(["list"]).ok();
        let mut listed: Vec<Vec<_>> =
            said.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
        listed.sort();
        assert_eq!(
            listed,
            [["stable", "contrib", "source", "hello", "1.0-3"], ["stable", "main", "all", "hello", "1.0-3"]]
        );
        sandbox.publish(["check"]).ok();
    }
    let pool = sandbox.tree().paths_with("pool/contrib/");
    assert_eq!(pool.len(), 3, "{pool:?}");
    // A new version stays in its component.
    let moved = source("hello").version("2.0-1").write(sandbox.path("moved"));
    add(&sandbox, moved).ok().says(["stays in component `contrib`", "+ hello 2.0-1 source (contrib)"]);
    sandbox.publish(["check"]).ok();
}

#[test]
fn sources_that_reprepro_published_are_extended() {
    let sandbox = Sandbox::new();
    sandbox.configure("Codename: stable\nComponents: main\nArchitectures: amd64 source\n");
    let folder = sandbox.incoming();
    for name in ["old", "hello"] {
        let dsc = source(name).write(&folder);
        let mut reprepro = sandbox.command("reprepro");
        reprepro.args(["--silent", "-b"]).arg(sandbox.archive(""));
        reprepro.args(["-S", "misc", "-P", "optional", "includedsc", "stable"]).arg(dsc);
        sandbox.run(reprepro).ok();
    }
    let now = sandbox.ask("date", ["+%s"]);
    let clock = [("PUBLISH_DATE", now.trim()), ("SOURCE_DATE_EPOCH", now.trim())];
    let run = |arguments: &[&OsStr]| sandbox.publish_with(&clock, arguments);
    let again = folder.join("old_1.0-1.dsc");
    run(&["add".as_ref(), again.as_os_str()]).ok().says(["already"]);
    let new = source("old").version("1.0-2").write(&folder);
    run(&["add".as_ref(), new.as_os_str()]).ok().says(["Added 1 package"]);
    run(&["remove".as_ref(), "hello".as_ref()]).ok().says(["Removed 1 package"]);
    run(&["check".as_ref()]).ok();
    for mut apt in Client::all(&sandbox) {
        reads_sources(&mut apt, &sandbox, "stable");
        for version in ["old=1.0-1", "old=1.0-2"] {
            apt.run("apt-get", ["source", "--download-only", version]).ok();
        }
    }
    let said = run(&["list".as_ref()]).ok();
    assert_eq!(said.stdout.lines().count(), 2, "{}", said.stdout);
    // The release file of reprepro lists `Sources`, which it did not store; that name has the text of a later state now.
    let state = "stable@2";
    run(&["snapshot".as_ref(), "adopted".as_ref(), "--suite".as_ref(), state.as_ref()]).ok();
    run(&["rollback".as_ref(), state.as_ref()]).ok();
    let said = run(&["list".as_ref()]).ok();
    assert_eq!(said.stdout.matches("1.0-1").count(), 2, "{}", said.stdout);
    run(&["check".as_ref()]).ok();
    for suite in ["stable", "stable/snapshots/adopted"] {
        for mut apt in Client::all(&sandbox) {
            reads_sources(&mut apt, &sandbox, suite);
            apt.run("apt-get", ["source", "--download-only", "hello=1.0-1"]).ok();
        }
    }
}

/// As for dak and reprepro, a later revision comes without the tarball of its upstream version.
#[test]
fn a_tarball_that_only_the_archive_has_is_not_needed_again() {
    let sandbox = Sandbox::new();
    let orig = "hello_1.0.orig.tar.gz";
    let revision = |version: &str, folder: &str, upstream: &str| {
        let dsc = source("hello").version(version).upstream(upstream).write(sandbox.path(folder));
        fs::remove_file(sandbox.path(folder).join(orig)).unwrap();
        dsc
    };
    let second = revision("1.0-2", "second", "upstream\n");
    let without = "neither in the same folder nor, with the listed digests, at `pool/main/h/hello/";
    add(&sandbox, &second).fails(1).says([without, "dget"]);
    add(&sandbox, source("hello").write(sandbox.incoming())).ok();
    let other = revision("1.0-3", "third", "other\n");
    let before = sandbox.tree();
    add(&sandbox, &other).fails(1).says([without]);
    assert_eq!(sandbox.tree(), before);
    add(&sandbox, &second).ok().says(["+ hello 1.0-2 source (main)"]);
    add(&sandbox, &second).ok().says(["Nothing to do"]);
    assert!(sandbox.read(SOURCES).matches(orig).count() >= 6);
    sandbox.publish(["check"]).ok();
    if let Some(mut apt) = Client::debian_12(&sandbox) {
        reads_sources(&mut apt, &sandbox, "stable");
        apt.run("apt-get", ["source", "hello=1.0-2"]).ok();
        assert!(apt.has("tmp/hello-1.0/debian/control"));
    }
    // The pool must have the listed bytes.
    fs::write(sandbox.archive("pool/main/h/hello").join(orig), "x").unwrap();
    add(&sandbox, revision("1.0-4", "fourth", "upstream\n")).fails(1).says([without]);
    // Another revision that is added at the same time may bring it.
    let new = sandbox.path("new");
    let both = [source("hello").write(sandbox.incoming()), second];
    let arguments =
        ["-a".as_ref(), new.as_os_str(), "add".as_ref(), both[1].as_os_str(), both[0].as_os_str()];
    sandbox.publish(arguments).ok().says(["Added 2 packages"]);
    sandbox.publish(["check".as_ref(), new.as_os_str()]).ok();
}

/// reprepro publishes all of them, and `apt-get source` then fails in dpkg-source.
#[test]
fn a_description_of_other_files_is_refused_as_dpkg_source_does() {
    let sandbox = Sandbox::new();
    let dsc = source("hello").write(sandbox.incoming());
    let text = fs::read_to_string(&dsc).unwrap();
    for (from, to, refused) in [
        ("", "", None),
        ("Version: 1.0-1", "Version: 7:1.0-1", None),
        ("3.0 (quilt)", "2.0", None),
        ("Version: 1.0-1", "Version: 2.0-1", Some("`hello_1.0-1.debian.tar.xz` is not allowed")),
        ("Version: 1.0-1", "Version: 1.0-2", Some("`hello_1.0-1.debian.tar.xz` is not allowed")),
        ("Version: 1.0-1", "Version: 1.0", Some("`Version: 1.0`")),
        ("3.0 (quilt)", "1.0", Some("`Format: 1.0`")),
        ("3.0 (quilt)", "3.0 (native)", Some("`hello_1.0-1.tar.*`")),
        ("3.0 (quilt)", "3.0 (bzr)", Some("`hello_1.0-1.bzr.tar.*`")),
    ] {
        fs::write(&dsc, text.replace(from, to)).unwrap();
        let _ = fs::remove_dir_all(sandbox.path("unpacked"));
        let mut real = sandbox.command("dpkg-source");
        real.args(["-x", dsc.to_str().unwrap(), "unpacked"]);
        let unpacks = sandbox.run(real).status == Some(0);
        assert_eq!(unpacks, refused.is_none(), "dpkg-source on {to}");
        let added = sandbox.publish(["add", "--dry-run", dsc.to_str().unwrap()]);
        match refused {
            None => drop(added.ok()),
            Some(why) => drop(added.fails(1).says([why, "build the source package again"])),
        }
    }
}

#[test]
fn a_source_in_the_format_of_git_can_be_downloaded() {
    let sandbox = Sandbox::new();
    let dsc = source("hello").write(sandbox.incoming());
    let text = fs::read_to_string(&dsc).unwrap();
    let text =
        text.replace("3.0 (quilt)", "3.0 (git)").replace("hello_1.0-1.debian.tar.xz", "hello_1.0-1.git");
    let lines = text.split_inclusive('\n').filter(|line| !line.ends_with(".orig.tar.gz\n"));
    fs::write(&dsc, lines.collect::<String>()).unwrap();
    fs::rename(sandbox.path("incoming/hello_1.0-1.debian.tar.xz"), sandbox.path("incoming/hello_1.0-1.git"))
        .unwrap();
    add(&sandbox, &dsc).ok();
    for mut apt in Client::all(&sandbox) {
        reads_sources(&mut apt, &sandbox, "stable");
        apt.run("apt-get", ["source", "--download-only", "hello"]).ok();
        assert!(apt.has("tmp/hello_1.0-1.git"), "{}", apt.name);
    }
}
