//! Archives of other tools: every referenced file is checked, kept and synced, and contradictory indices are not
//! signed.

use std::{fmt::Write as _, fs};

use crate::{
    deb_builder::{Pack, deb, pack},
    sandbox::{Sandbox, age, sha256},
};

const SOURCES: &str = "main/source/Sources";
const INSTALLER: &str = "main/debian-installer/binary-amd64/Packages";

/// Files that an index lists, with their bytes; one is outside `pool/`, and one has an unusual ending.
const FILES: [(&str, &[u8]); 5] = [
    ("packages/old_1.0_amd64.deb", b"the package"),
    ("pool/main/d/disk/disk_1.0_amd64.udeb", b"the one of the installer"),
    ("pool/main/o/old/old_1.0.dsc", b"the description"),
    ("pool/main/o/old/old_1.0.tar.xz", b"the source"),
    ("pool/main/o/old/old_1.0.signature", b"its signature"),
];

/// Files of the suite that no index lists.
const UNLISTED: [&str; 3] = [
    "dists/stable/main/installer-amd64/current/images/netboot/mini.iso",
    "dists/stable/main/binary-amd64/Packages.diff/2023-01-01.gz",
    "dists/stable/main/binary-i386/Packages.diff/by-hash/SHA256/0f0f",
];

fn package(name: &str, file: usize) -> String {
    let (path, bytes) = FILES[file];
    format!(
        "Package: {name}\nVersion: 1.0\nArchitecture: amd64\nFilename: {path}\nSize: {}\nSHA256: {}\n\n",
        bytes.len(),
        sha256(bytes)
    )
}

fn source() -> String {
    let mut text =
        "Package: old\nVersion: 1.0\nArchitecture: any\nDirectory: pool/main/o/old\nChecksums-Sha256:\n"
            .to_owned();
    for (path, bytes) in &FILES[2..] {
        let name = path.rsplit('/').next().unwrap();
        writeln!(text, " {} {} {name}", sha256(bytes), bytes.len()).unwrap();
    }
    text + "\n"
}

/// A suite of another tool with every kind of listed file.
fn adopt(sandbox: &Sandbox) {
    let (packages, installer, sources) = (package("old", 0), package("disk", 1), source());
    let packed = [Pack::Gzip, Pack::Xz].map(|form| pack(form, sources.as_bytes()));
    sandbox.adopt_files(
        "stable",
        &[
            ("main/binary-amd64/Packages", packages.as_bytes()),
            (INSTALLER, installer.as_bytes()),
            (SOURCES, sources.as_bytes()),
            ("main/source/Sources.gz", &packed[0]),
            ("main/source/Sources.xz", &packed[1]),
            ("main/Contents-amd64.gz", b"contents"),
            ("main/i18n/Translation-en.xz", b"translation"),
            ("main/dep11/Components-amd64.yml.gz", b"components"),
            ("main/dep11/icons-64x64.tar.gz", b"icons"),
            ("main/installer-amd64/current/images/SHA256SUMS", b"sums"),
        ],
    );
    let unlisted = UNLISTED.map(|path| (path, &b"not listed"[..]));
    for (path, bytes) in FILES.into_iter().chain(unlisted) {
        write(sandbox, path, bytes);
    }
}

fn write(sandbox: &Sandbox, path: &str, bytes: &[u8]) {
    let path = sandbox.archive(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn add(sandbox: &Sandbox, name: &str) -> crate::sandbox::Outcome {
    let file = deb(name).write(sandbox.incoming());
    sandbox.publish(["add".as_ref(), file.as_os_str()])
}

#[test]
fn check_covers_the_files_of_every_kind_of_index() {
    let sandbox = Sandbox::new();
    adopt(&sandbox);
    sandbox.publish(["check"]).ok().says(["1 suite, 3 packages"]);
    let server = sandbox.serve();
    for ((path, bytes), says) in FILES.into_iter().zip([
        ["`old` 1.0 amd64", "main/binary-amd64/Packages"],
        ["`disk` 1.0 amd64", INSTALLER],
        ["`old` 1.0 source", SOURCES],
        ["`old` 1.0 source", SOURCES],
        ["`old` 1.0 source", SOURCES],
    ]) {
        for damage in [None, Some(&bytes[1..]), Some(&*bytes.to_ascii_uppercase())] {
            match damage {
                None => fs::remove_file(sandbox.archive(path)).unwrap(),
                Some(damage) => write(&sandbox, path, damage),
            }
            let deep = ["check", &server.url, "--suite", "stable", "--deep"];
            let mut looks = vec![sandbox.publish(["check"])];
            // A web server shows only the folders of an archive.
            if path.starts_with("pool/") {
                looks.push(sandbox.publish(deep));
                if damage.is_none_or(|damage| damage.len() != bytes.len()) {
                    looks.push(sandbox.publish(&deep[..4]));
                }
            }
            for found in looks {
                assert_eq!(found.status, Some(4), "{found}");
                let line = found.stdout.lines().find(|line| line.starts_with(path));
                let line = line.unwrap_or_else(|| panic!("{path}: {found}"));
                assert!(says.iter().all(|text| line.contains(text)), "{line}");
            }
        }
        write(&sandbox, path, bytes);
    }
    sandbox.publish(["check"]).ok();
}

#[test]
fn a_path_outside_the_archive_is_a_fault() {
    for path in ["../old.deb", "/old.deb", "conf/old.deb", "pool/../../old.deb", "dists/stable/Release"] {
        let sandbox = Sandbox::new();
        sandbox.adopt_index(&package("old", 0).replace(FILES[0].0, path));
        let found = sandbox.publish(["check"]);
        assert!(
            found.status == Some(4) && found.stdout.contains("which is no path of a package"),
            "{path}: {found}"
        );
    }
    let sandbox = Sandbox::new();
    sandbox.adopt_index(&package("old", 0).replace("Filename", "Nothing"));
    let found = sandbox.publish(["check"]);
    assert!(found.status == Some(4) && found.stdout.contains("has no `Filename`"), "{found}");
}

#[test]
fn an_adopted_archive_is_not_pruned_and_all_listed_files_are_synced() {
    let sandbox = Sandbox::new();
    adopt(&sandbox);
    let before = sandbox.tree();
    add(&sandbox, "new").ok();
    age(&sandbox.archive(""), 30);
    // The adopted generation is no longer retained, but files that it shares with the current one are.
    add(&sandbox, "newer").ok();
    age(&sandbox.archive(""), 30);
    sandbox.publish(["prune", "--keep-generations", "1"]).ok().says(["Deleted "]);
    // These describe the packages before, and are listed no longer.
    let stale = ["main/Contents-amd64", "main/dep11/"];
    let changed = ["dists/stable/Release", "main/binary-amd64/Packages", stale[0], stale[1]];
    sandbox.tree().keeps(&before, &changed);
    for path in UNLISTED {
        assert!(sandbox.tree().has(path), "{path}");
    }
    sandbox.publish(["check"]).ok();
    sandbox.publish(["sync", "./there"]).ok();
    let listed =
        before.paths_with("dists/stable/main/").into_iter().filter(|path| !UNLISTED.contains(&&**path));
    for path in listed.chain(FILES.map(|(path, _)| path.to_owned())) {
        let is_stale = stale.iter().any(|stale| path.contains(stale));
        if !is_stale && (!path.contains("binary-amd64/Packages") || path.contains("installer")) {
            assert_eq!(
                fs::read(sandbox.path("there").join(&path)).unwrap(),
                fs::read(sandbox.archive(&path)).unwrap(),
                "{path}"
            );
        }
    }
    let there = sandbox.path("there");
    sandbox.publish(["--archive".as_ref(), there.as_os_str(), "check".as_ref()]).ok().says(["5 packages"]);
    add(&sandbox, "newest").ok();
    sandbox.publish(["check"]).ok().says(["6 packages"]);
    sandbox.publish(["rollback", "stable"]).ok();
    sandbox.publish(["check"]).ok().says(["5 packages"]);
}

/// The other form of `Sources` differs, whatever form it is, and whether the plain form is listed or stored.
#[test]
fn an_index_whose_forms_contradict_each_other_is_not_signed() {
    let other = source().replace("old_1.0.tar.xz", "old_1.0.tar.gz");
    for (form, ending) in [
        (Pack::Gzip, "gz"),
        (Pack::Xz, "xz"),
        (Pack::Bzip2, "bz2"),
        (Pack::Zstd, "zst"),
        (Pack::Lzma, "lzma"),
    ] {
        let (packed, path) = (pack(form, other.as_bytes()), format!("{SOURCES}.{ending}"));
        let right = pack(Pack::Gzip, source().as_bytes());
        for first in [(SOURCES, source().into_bytes()), ("main/source/Sources.gz", right)] {
            if first.0 == path {
                continue;
            }
            let sandbox = Sandbox::new();
            let packages = ("main/binary-amd64/Packages", &b""[..]);
            sandbox.adopt_files("stable", &[packages, (first.0, &first.1), (&path, &packed)]);
            let before = sandbox.tree();
            let file = deb("new").write(sandbox.incoming());
            for arguments in [&["add", "--dry-run"][..], &["add"], &["--trust-existing", "add"]] {
                let arguments: Vec<_> =
                    arguments.iter().map(AsRef::as_ref).chain([file.as_os_str()]).collect();
                let said = sandbox.publish(arguments).fails(1);
                said.says([&format!("dists/stable/{path}") as &str, &format!("`dists/stable/{}`", first.0)]);
                said.says(["have different contents", "regenerate the indices and the `Release`"]);
            }
            assert_eq!(sandbox.tree(), before);
            // `check --repair` retains the generation, but does not vouch for it.
            sandbox.publish(["check", "--repair"]).fails(4);
            add(&sandbox, "new").fails(1).says(["have different contents"]);
            for command in [&["snapshot", "one"][..], &["refresh", "--force"]] {
                sandbox.publish(command).fails(1).says(["have different contents"]);
            }
        }
    }
}

#[test]
fn forms_that_are_listed_and_not_stored_are_no_contradiction() {
    let sandbox = Sandbox::new();
    adopt(&sandbox);
    for path in [SOURCES, "main/source/Sources.gz", "main/i18n/Translation-en.xz"] {
        fs::remove_file(sandbox.archive("dists/stable").join(path)).unwrap();
    }
    add(&sandbox, "new").ok().says(["listed and not stored are no longer listed"]);
    let release = sandbox.read("dists/stable/Release");
    // Only the uncompressed form, without which apt shows no packages, may be listed without being stored.
    for (path, is_listed) in
        [(SOURCES, true), ("main/source/Sources.gz", false), ("main/i18n/Translation-en.xz", false)]
    {
        assert_eq!(release.contains(&format!(" {path}\n")), is_listed, "{path}");
    }
}

#[test]
fn a_changed_form_is_refused_and_another_changed_file_is_no_longer_listed() {
    let sandbox = Sandbox::new();
    adopt(&sandbox);
    let path = "dists/stable/main/source/Sources.gz";
    let whole = fs::read(sandbox.archive(path)).unwrap();
    for damaged in [&whole[..9], &pack(Pack::Gzip, b"others")] {
        write(&sandbox, path, damaged);
        add(&sandbox, "new").fails(1).says([path, "does not match the release file"]);
    }
    write(&sandbox, path, &whole);
    write(&sandbox, "dists/stable/main/i18n/Translation-en.xz", b"of later");
    add(&sandbox, "new").ok().says(["main/i18n/Translation-en.xz", "it is no longer listed"]);
    let release = sandbox.read("dists/stable/Release");
    assert!(!release.contains("Translation-en"), "{release}");
    assert!(release.contains("main/source/Sources.gz\n"), "{release}");
    assert_eq!(fs::read(sandbox.archive("dists/stable/main/i18n/Translation-en.xz")).unwrap(), b"of later");
    sandbox.publish(["check"]).ok();
}

#[test]
fn a_nested_suite_without_its_release_file_keeps_everything() {
    let sandbox = Sandbox::new();
    let (packages, sources) = (package("old", 0).replace("packages/", "pool/"), source());
    sandbox.adopt_files("stable/updates", &[("main/binary-amd64/Packages", packages.as_bytes())]);
    sandbox.adopt_files("stable/security", &[(SOURCES, sources.as_bytes())]);
    write(&sandbox, "pool/old_1.0_amd64.deb", FILES[0].1);
    for (path, bytes) in &FILES[2..] {
        write(&sandbox, path, bytes);
    }
    add(&sandbox, "new").fails(2);
    let file = sandbox.incoming().join("new_1.0_amd64.deb");
    sandbox.configure("Codename: stable\nComponents: main\nArchitectures: amd64\n");
    sandbox.publish(["add".as_ref(), "--suite".as_ref(), "stable".as_ref(), file.as_os_str()]).ok();
    age(&sandbox.archive(""), 30);
    let before = sandbox.tree();
    for suite in ["updates", "security"] {
        let release = sandbox.archive(format!("dists/stable/{suite}/Release"));
        let text = fs::read(&release).unwrap();
        fs::remove_file(&release).unwrap();
        for arguments in [&["prune"][..], &["prune", "--dry-run"]] {
            sandbox
                .publish(arguments)
                .fails(1)
                .says([&format!("suite `stable/{suite}` has indices") as &str]);
        }
        fs::write(&release, text).unwrap();
    }
    assert_eq!(sandbox.tree(), before);
    sandbox.publish(["prune"]).ok();
    sandbox.tree().keeps(&before, &[]);
}

/// An unlisted file at the path of a package: the hint says how to resolve it, and that works.
#[test]
fn prune_deletes_an_unlisted_file_at_the_path_of_a_package() {
    let sandbox = Sandbox::new();
    add(&sandbox, "other").ok();
    let path = "pool/main/n/new/new_1.0_amd64.deb";
    write(&sandbox, path, b"half of it");
    add(&sandbox, "new").fails(1).says([
        "already exists with different contents",
        "`publish prune` deletes it",
        "two days old",
    ]);
    sandbox.publish(["prune"]).ok();
    assert!(sandbox.tree().has(path), "an edit may be about to lead to it");
    age(&sandbox.archive("pool"), 3);
    sandbox.publish(["prune"]).ok().says([path]);
    add(&sandbox, "new").ok();
    sandbox.publish(["check"]).ok();
}

#[test]
fn prune_deletes_an_unlisted_file_at_a_destination() {
    let sandbox = Sandbox::new();
    add(&sandbox, "one").ok();
    sandbox.publish(["sync", "./there"]).ok();
    add(&sandbox, "two").ok();
    let path = sandbox.path("there/pool/main/t/two/two_1.0_amd64.deb");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, "half of it").unwrap();
    sandbox.publish(["sync", "./there"]).fails(1).says(["`publish prune --archive DESTINATION` deletes it"]);
    age(&sandbox.path("there/pool"), 3);
    sandbox.publish(["prune", "--archive", "there"]).ok().says(["two_1.0_amd64.deb"]);
    sandbox.publish(["sync", "./there"]).ok();
    sandbox.publish(["check", "--archive", "there"]).ok();
}

#[test]
fn a_file_of_a_retained_generation_is_not_overwritten() {
    let sandbox = Sandbox::new();
    add(&sandbox, "new").ok();
    sandbox.publish_after(1, &["remove", "new"]).ok();
    age(&sandbox.archive("pool"), 3);
    let before = sandbox.tree();
    let file = deb("new").payload("other").write(sandbox.incoming());
    sandbox.publish(["add".as_ref(), file.as_os_str()]).fails(1).says(["is unreferenced"]);
    sandbox.publish(["prune"]).ok().says(["Nothing to delete"]);
    assert_eq!(sandbox.tree(), before);
}
