//! Packages of the installer (udebs) and of debug symbols (ddebs) have indices of their own, in every command.

use std::{fs, path::Path};

use crate::{
    apt_client::{Client, Source},
    deb_builder::{DebBuilder, deb},
    sandbox::{Outcome, Sandbox, age},
    source_builder::source,
};

const INSTALLER: &str = "dists/stable/main/debian-installer/binary-amd64/Packages";
const DEBUG: &str = "dists/stable/main/debug/binary-amd64/Packages";
const PLAIN: &str = "dists/stable/main/binary-amd64/Packages";

fn add(sandbox: &Sandbox, file: impl AsRef<Path>) -> Outcome {
    sandbox.publish(["add".as_ref(), file.as_ref().as_os_str()])
}

fn listed(sandbox: &Sandbox) -> Vec<String> {
    let said = sandbox.publish(["list"]).ok();
    said.stdout.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// Packages of each type with one name and version.
fn one_of_each() -> [DebBuilder; 3] {
    [deb("disk"), deb("disk").udeb(), deb("disk").ddeb()]
}

#[test]
fn each_type_goes_to_its_own_index_and_keeps_its_extension() {
    let sandbox = Sandbox::new();
    for package in one_of_each() {
        package.write(sandbox.incoming());
    }
    let said = add(&sandbox, sandbox.incoming()).ok();
    said.says([
        "Added 3 packages",
        "+ disk 1.0 amd64 (main)",
        "+ disk 1.0 amd64 (main|debian-installer)",
        "+ disk 1.0 amd64 (main|debug)",
    ]);
    for (index, extension) in [(PLAIN, "deb"), (INSTALLER, "udeb"), (DEBUG, "ddeb")] {
        let text = sandbox.read(index);
        let file = format!("pool/main/d/disk/disk_1.0_amd64.{extension}");
        assert_eq!(text.matches("Package: ").count(), 1, "{index}");
        assert!(text.contains(&format!("Filename: {file}\n")), "{text}");
        assert!(sandbox.tree().has(&file) && sandbox.tree().has(&format!("{index}.xz")), "{file}");
    }
    let release = sandbox.read("dists/stable/Release");
    assert!(release.contains("\nComponents: main main/debug\n"), "{release}");
    add(&sandbox, sandbox.incoming()).ok().says(["3 packages are already published"]);
    assert_eq!(
        listed(&sandbox),
        [
            "stable main amd64 disk 1.0",
            "stable main|debian-installer amd64 disk 1.0",
            "stable main|debug amd64 disk 1.0"
        ]
    );
    let said = sandbox.publish(["--json", "list", "--filter", "$PackageType (== ddeb)"]).ok();
    assert!(said.stdout.contains(r#""type": "ddeb""#) && !said.stdout.contains("udeb"), "{}", said.stdout);
    let said = sandbox.publish(["show", "disk"]).ok();
    for extension in ["deb", "udeb", "ddeb"] {
        assert!(said.stdout.contains(&format!("disk_1.0_amd64.{extension}\n")), "{}", said.stdout);
    }
    sandbox.publish(["check"]).ok();
}

#[test]
fn apt_sees_debug_symbols_in_their_component_and_no_package_of_the_installer() {
    let sandbox = Sandbox::signed();
    for package in [deb("hello"), deb("hello-dbgsym").ddeb(), deb("hello-udeb").udeb()] {
        add(&sandbox, package.write(sandbox.incoming())).ok();
    }
    for mut apt in Client::all(&sandbox) {
        let key = sandbox.archive("archive-key.asc");
        for (components, sees) in [("main", false), ("main main/debug", true)] {
            apt.source(&Source::folder(sandbox.archive("")).components(components).signed_by(&key));
            apt.updates();
            let said = apt.run("apt-cache", ["dumpavail"]).ok();
            assert!(said.stdout.contains("Package: hello\n"), "{}", said.stdout);
            assert_eq!(said.stdout.contains("hello-dbgsym"), sees, "{}: {components}", apt.name);
            assert!(!said.stdout.contains("hello-udeb"), "{}", apt.name);
        }
        apt.run("apt-get", ["download", "hello-dbgsym"]).ok();
    }
    // The stanza for clients names the components of ordinary packages.
    let other = Sandbox::new();
    let said = add(&other, deb("x-dbgsym").ddeb().write(other.incoming())).ok();
    assert!(said.stdout.contains("Components: main\n"), "{}", said.stdout);
}

#[test]
fn a_file_whose_name_and_contents_disagree_is_refused() {
    let sandbox = Sandbox::new();
    let typed = |package_type: &str| deb("odd").field("Package-Type", package_type);
    for (package, name, says) in [
        (typed("udeb"), "odd.deb", "has `Package-Type: udeb`, and the file name ends in `.deb`"),
        (typed("deb"), "odd.udeb", "has `Package-Type: deb`, and the file name ends in `.udeb`"),
        (typed("ddeb"), "ODD.UDEB", "has `Package-Type: ddeb`, and the file name ends in `.udeb`"),
        (typed("udeb"), "odd.ddeb", "has `Package-Type: udeb`, and the file name ends in `.ddeb`"),
        (deb("odd").udeb(), "odd.deb", "has `Section: debian-installer`"),
        (deb("odd").udeb(), "odd.ddeb", "has `Section: debian-installer`"),
        (typed("tdeb"), "odd.deb", "packages of type `tdeb` are not known"),
    ] {
        let file = package.write_as(sandbox.path(name));
        let before = sandbox.tree();
        add(&sandbox, file).fails(1).says([says]);
        assert_eq!(sandbox.tree(), before, "{says}");
    }
    // One without a type is what its name says.
    add(&sandbox, deb("plain").write_as(sandbox.path("plain.udeb"))).ok().says(["(main|debian-installer)"]);
    add(&sandbox, typed("UDEB").write_as(sandbox.path("odd.UDEB"))).ok().says(["(main|debian-installer)"]);
    assert!(sandbox.tree().has("pool/main/o/odd/odd_1.0_amd64.udeb"));
}

#[test]
fn the_configuration_names_the_components_and_the_compressions() {
    let sandbox = Sandbox::new();
    let suite = "Codename: stable\nComponents: main contrib\nArchitectures: amd64 i386 source\n\
                 UDebIndices: Packages .gz\nDDebIndices: Packages . .xz\nDscIndices: Sources Release .gz\n";
    sandbox.configure(&format!("{suite}UDebComponents: contrib\nDDebComponents: contrib\n"));
    sandbox.publish(["export"]).ok();
    let tree = sandbox.tree();
    for architecture in ["amd64", "i386"] {
        let of = |folder: &str| format!("dists/stable/{folder}/binary-{architecture}/Packages");
        let forms = |path: String| ["", ".gz", ".xz"].map(|form| tree.has(&format!("{path}{form}")));
        assert_eq!(forms(of("contrib/debian-installer")), [false, true, false]);
        assert_eq!(forms(of("contrib/debug")), [true, false, true]);
        assert_eq!(forms(of("main/debian-installer")), [false; 3]);
        assert_eq!(forms(of("main")), [true; 3]);
    }
    assert!(tree.has("dists/stable/main/source/Sources.gz") && !tree.has("dists/stable/main/source/Sources"));
    sandbox.publish(["export"]).ok().says(["nothing to do"]);
    let udeb = deb("disk").udeb().architecture("all").write(sandbox.incoming());
    sandbox
        .publish(["add".as_ref(), "--component".as_ref(), "main".as_ref(), udeb.as_os_str()])
        .fails(1)
        .says(["component `main` is configured without packages of type `udeb`", "`UDebComponents:`"]);
    // The section decides among the components that have them.
    add(&sandbox, &udeb).ok().says(["+ disk 1.0 all (contrib|debian-installer)"]);
    for architecture in ["amd64", "i386"] {
        let path = format!("dists/stable/contrib/debian-installer/binary-{architecture}/by-hash");
        assert!(sandbox.tree().paths_with(&path).len() > 1, "{architecture}");
    }
    sandbox.publish(["check"]).ok();

    // Without them they are refused, and left out of a folder.
    sandbox.configure(&format!("{suite}UDebComponents:\n"));
    let other = Sandbox::new();
    other.configure(&format!("{suite}UDebComponents:\n"));
    let udeb = deb("disk").udeb().write(other.incoming());
    deb("hello").write(other.incoming());
    add(&other, udeb).fails(1).says(["configured without packages of type `udeb`"]);
    add(&other, other.incoming()).ok().says(["Added 1 package", "disk_1.0_amd64.udeb` is left out"]);
    // The published ones stay.
    add(&sandbox, deb("more").udeb().write(sandbox.path("more"))).ok().says(["(contrib|debian-installer)"]);

    for (field, says) in [
        ("UDebComponents: other", "names `other`, which is not in `Components`"),
        ("DscIndices: Packages .gz", "must begin with `Sources`"),
        ("DDebIndices: Packages", "names no compression"),
    ] {
        sandbox.configure(&format!("Codename: stable\nComponents: main\n{field}\n"));
        sandbox.publish(["list"]).fails(1).says([says]);
    }
    sandbox.configure("Codename: stable\nComponents: main main/debug\n");
    sandbox.publish(["list"]).fails(1).says(["`main/debug` is the place of the packages of type `ddeb`"]);
}

#[test]
fn the_folder_of_another_type_is_no_component() {
    let sandbox = Sandbox::new();
    let file = deb("hello").write(sandbox.incoming());
    for component in ["main/debug", "main/debian-installer"] {
        let before = sandbox.tree();
        sandbox
            .publish(["add".as_ref(), "--component".as_ref(), component.as_ref(), file.as_os_str()])
            .fails(1)
            .says([&*format!("component `{component}` is the place of the packages of type")]);
        assert_eq!(sandbox.tree(), before);
    }
    // An archive of another tool may name it: its index is extended, not begun anew.
    let stanza = "Package: old-dbgsym\nVersion: 1\nArchitecture: amd64\nFilename: pool/old.ddeb\nSize: 3\nSHA256: \
                  ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n";
    sandbox.adopt_files(
        "stable",
        &[("main/binary-amd64/Packages", b""), ("main/debug/binary-amd64/Packages", stanza.as_bytes())],
    );
    let release = sandbox.archive("dists/stable/Release");
    let text =
        sandbox.read("dists/stable/Release").replace("Components: main", "Components: main main/debug");
    fs::write(release, text).unwrap();
    add(&sandbox, file).ok();
    assert!(sandbox.read(DEBUG).contains("old-dbgsym"));
    add(&sandbox, deb("new-dbgsym").ddeb().write(sandbox.incoming())).ok();
    let index = sandbox.read(DEBUG);
    assert!(index.contains("old-dbgsym") && index.contains("new-dbgsym"), "{index}");
    assert!(sandbox.read("dists/stable/Release").contains("\nComponents: main main/debug\n"));
}

#[test]
fn copy_remove_rollback_snapshot_sync_and_prune_know_them() {
    let sandbox = Sandbox::signed();
    for package in one_of_each() {
        package.source("disks").write(sandbox.incoming());
    }
    add(&sandbox, sandbox.incoming()).ok();
    sandbox.publish(["snapshot", "one"]).ok();
    let copy = ["copy", "--from", "stable", "--to", "testing", "--new-suite"];
    sandbox.publish([&copy[..], &["--source", "disks"]].concat()).ok().says(["Added 3 packages"]);
    for index in [PLAIN, INSTALLER, DEBUG] {
        assert_eq!(sandbox.read(index), sandbox.read(index.replace("stable", "testing")));
    }
    let remove = ["remove", "--suite", "stable", "disk"];
    sandbox.publish(remove).ok().says(["Removed 3 packages", "- disk 1.0 amd64 (main|debug)"]);
    assert_eq!(sandbox.read(INSTALLER), "");
    let said = sandbox.publish(["diff", "stable@1", "stable"]).ok();
    assert_eq!(said.stdout.lines().count(), 3, "{}", said.stdout);
    sandbox
        .publish(["rollback", "--suite", "stable"])
        .ok()
        .says(["+ disk 1.0 amd64 (main|debian-installer)"]);
    sandbox.publish(["sync", "./there"]).ok();
    sandbox.publish(["check", "./there"]).ok();
    assert!(sandbox.path("there/pool/main/d/disks/disk_1.0_amd64.udeb").exists());

    for suite in ["stable", "testing"] {
        sandbox.publish(["remove", "--suite", suite, "disk"]).ok();
    }
    age(&sandbox.archive(""), 9);
    sandbox.publish(["prune", "--keep-generations", "1"]).ok();
    // The snapshot keeps them.
    assert_eq!(sandbox.tree().paths_with("pool/").len(), 3);
    sandbox.publish(["snapshot", "--remove", "one", "--suite", "stable"]).ok();
    age(&sandbox.archive(""), 9);
    sandbox.publish(["prune", "--keep-generations", "1"]).ok();
    assert_eq!(sandbox.tree().paths_with("pool/"), [""; 0]);
}

#[test]
fn limit_and_components_of_each_type_are_separate() {
    let sandbox = Sandbox::new();
    sandbox.configure(
        "Codename: stable\nComponents: main contrib\nArchitectures: amd64 i386\nLimit: 1\nArchive: old\n\n\
         Codename: old\nComponents: main contrib\nArchitectures: amd64 i386\n",
    );
    let add = |package: DebBuilder, more: &[&str]| {
        let file = package.write(sandbox.incoming());
        let arguments = [&["add", "--suite", "stable"], more].concat();
        let arguments = arguments.iter().map(std::ffi::OsStr::new).chain([file.as_os_str()]);
        sandbox.publish(arguments).ok()
    };
    add(deb("disk").udeb(), &["--component", "contrib"]);
    add(deb("disk").version("2.0"), &[]).says(["+ disk 2.0 amd64 (main)"]);
    add(deb("disk").udeb().version("3.0"), &[]).says([
        "stays in component `contrib`",
        "Moved 1 package",
        "> disk 1.0 amd64 (contrib|debian-installer)",
    ]);
    assert_eq!(
        listed(&sandbox),
        [
            "old contrib|debian-installer amd64 disk 1.0",
            "stable main amd64 disk 2.0",
            "stable contrib|debian-installer amd64 disk 3.0"
        ]
    );
    // A package for all architectures is listed in each.
    add(deb("any").udeb().architecture("all"), &["--component", "main"]);
    for architecture in ["amd64", "i386"] {
        let index = format!("dists/stable/main/debian-installer/binary-{architecture}/Packages");
        assert!(sandbox.read(index).contains("Package: any\n"), "{architecture}");
    }
    sandbox.publish(["check"]).ok();
}

#[test]
fn a_suite_of_sources_alone() {
    let sandbox = Sandbox::new();
    sandbox.configure("Codename: stable\nComponents: main\nArchitectures: source\n");
    let dsc = source("hello").write(sandbox.incoming());
    let debs = [
        deb("hello").write(sandbox.path("debs")),
        deb("any").architecture("all").write(sandbox.path("debs")),
    ];
    for file in &debs {
        add(&sandbox, file).fails(1).says(["is not one of the suite's"]);
    }
    sandbox.publish(["export"]).ok();
    add(&sandbox, dsc).ok().says(["+ hello 1.0-1 source"]);
    let release = sandbox.read("dists/stable/Release");
    assert!(release.contains("\nArchitectures: source\n") && !release.contains("Packages"), "{release}");
    for file in &debs {
        add(&sandbox, file).fails(1).says(["is not one of the suite's"]);
    }
    sandbox.publish(["check"]).ok();
    for mut apt in Client::all(&sandbox) {
        apt.source(&Source::folder(sandbox.archive("")).trusted());
        let uri = format!("file:{}", sandbox.archive("").display());
        let uri = uri.trim_end_matches('/');
        apt.stanza(&format!("Types: deb-src\nURIs: {uri}\nSuites: stable\nComponents: main\nTrusted: yes\n"));
        apt.updates();
        apt.run("apt-get", ["source", "--download-only", "hello"]).ok();
    }
}

#[test]
fn an_archive_of_reprepro_keeps_its_installer() {
    let sandbox = Sandbox::new();
    sandbox
        .configure("Codename: stable\nComponents: main\nArchitectures: amd64 i386\nUDebComponents: main\n");
    let old = deb("old").udeb().write(sandbox.incoming());
    let mut reprepro = sandbox.command("reprepro");
    reprepro.args(["--silent", "-b"]).arg(sandbox.archive("")).args(["includeudeb", "stable"]).arg(old);
    sandbox.run(reprepro).ok();
    let now = sandbox.ask("date", ["+%s"]);
    let clock = [("PUBLISH_DATE", now.trim()), ("SOURCE_DATE_EPOCH", now.trim())];
    let run = |arguments: &[&std::ffi::OsStr]| sandbox.publish_with(&clock, arguments).ok();
    let new = deb("new").udeb().write(sandbox.incoming());
    run(&["add".as_ref(), new.as_os_str()]).says(["+ new 1.0 amd64 (main|debian-installer)"]);
    let again = sandbox.incoming().join("old_1.0_amd64.udeb");
    run(&["add".as_ref(), again.as_os_str()]).says(["already"]);
    let index = sandbox.read(INSTALLER);
    assert!(index.contains("Package: old\n") && index.contains("Package: new\n"), "{index}");
    run(&["check".as_ref()]);
}
