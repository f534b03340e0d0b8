//! Bad input is refused with one clear error that names it, and the archive does not change by a byte.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use crate::{
    apt_client::{Client, Source},
    deb_builder::{DebBuilder, Pack, deb},
    sandbox::{Output, Sandbox, Tree, is_root, skipped},
};

/// An archive with one package, and its tree.
fn archive() -> (Sandbox, Tree) {
    let sandbox = Sandbox::new();
    let file = deb("hello").write(sandbox.incoming());
    sandbox.publish(["add".as_ref(), file.as_os_str()]).ok();
    let tree = sandbox.tree();
    (sandbox, tree)
}

fn set_mode(path: impl AsRef<Path>, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Adding these bytes fails with one error that names the file, and changes nothing.
#[track_caller]
fn refuses((sandbox, before): &(Sandbox, Tree), bytes: &[u8]) -> Output {
    let path = sandbox.incoming().join("bad.deb");
    fs::write(&path, bytes).unwrap();
    let said = sandbox.publish(["add", "incoming/bad.deb"]).fails(1);
    one_error(&said);
    said.says(["error: cannot add `incoming/bad.deb`", "caused by: "]);
    assert_eq!(&sandbox.tree(), before);
    said
}

#[track_caller]
fn one_error(said: &Output) {
    let errors = said.stderr.lines().filter(|line| line.starts_with("error: ")).count();
    assert_eq!(errors, 1, "{}", said.stderr);
    assert!(said.stderr.lines().count() <= 6, "too much:\n{}", said.stderr);
    assert!(!said.stderr.contains('\u{1b}'), "{:?}", said.stderr);
}

#[test]
fn a_file_that_is_not_an_ar_archive() {
    let archive = archive();
    for bytes in [&b""[..], b"\n", b"this is no package at all, only text\n", &[0; 4096], b"PK\x03\x04zip"] {
        refuses(&archive, bytes);
    }
}

#[test]
fn a_truncated_file() {
    let archive = archive();
    let whole = deb("other");
    let length = whole.bytes().len();
    let control_end = 8 + 60 + 4 + 60 + whole.control_member().len();
    let data = control_end + control_end % 2;
    for (cut, place) in [
        (4, "the magic"),
        (8, "after the magic"),
        (30, "the first header"),
        (68, "after the first header"),
        (70, "debian-binary"),
        (72, "after debian-binary"),
        (100, "the header of control.tar"),
        (132, "after the header of control.tar"),
        (150, "control.tar"),
        (control_end - 1, "the last byte of control.tar"),
        (data, "after control.tar"),
        (data + 30, "the header of data.tar"),
        (data + 60, "after the header of data.tar"),
        (data + 80, "data.tar"),
        (length - 2, "the last bytes of data.tar"),
    ] {
        let said = refuses(&archive, &whole.clone().truncated(cut).bytes());
        assert_ne!(said.stderr, "", "{place}");
    }
}

#[test]
fn a_missing_or_duplicate_member() {
    let archive = archive();
    let sound = || deb("other");
    refuses(&archive, &sound().without_member("control.tar").bytes()).says(["control.tar"]);
    refuses(&archive, &sound().without_member("data.tar").bytes()).says(["data.tar"]);
    refuses(&archive, &sound().without_member("debian-binary").bytes()).says(["debian-binary"]);
    let second = deb("another").control_member();
    refuses(&archive, &sound().member("control.tar.gz", second.clone()).bytes()).says(["control.tar"]);
    // Before the data member, where a reader would meet it first.
    let twice = sound().without_member("data.tar").member("control.tar.gz", second).member("data.tar", "");
    refuses(&archive, &twice.bytes()).says(["control.tar"]);
}

#[test]
fn a_control_archive_that_decompresses_to_too_much() {
    let archive = archive();
    for pack in [Pack::Gzip, Pack::Xz, Pack::Zstd] {
        let mut text = deb("bomb").stanza().into_bytes();
        text.extend(b"X-Padding: ");
        text.resize(80 << 20, b'a');
        text.push(b'\n');
        let bytes = deb("bomb").compression(pack).control_text(text).bytes();
        assert!(bytes.len() < 1 << 20, "it is small as long as it is packed");
        refuses(&archive, &bytes).says(["MiB"]);
    }
}

#[test]
fn a_stanza_without_required_fields() {
    let archive = archive();
    for field in ["Package", "Version", "Architecture"] {
        refuses(&archive, &deb("other").without(field).bytes()).says([field]);
        refuses(&archive, &deb("other").field(field, "").bytes()).says([field]);
    }
    refuses(&archive, &deb("other").control_text("").bytes());
    refuses(&archive, &deb("other").control_text("no colon\n").bytes());
    refuses(&archive, &deb("other").control_text(" continued: from nothing\n").bytes());
}

/// Illegal characters in a name, version or architecture: most would form a path or break an index.
#[test]
fn a_stanza_with_illegal_values() {
    let archive = archive();
    let everywhere =
        ["../../etc", "a/b", "/etc/passwd", "a b", "a\n b", "a\tb", "a\u{0}b", "a\u{1b}[2Jb", "é", "a%2fb"];
    for value in everywhere {
        for field in ["Package", "Version", "Architecture"] {
            refuses(&archive, &deb("other").field(field, value).bytes());
        }
    }
    for name in ["Upper", "-a", ".a", "+a", "_a", "a:b", "a~b"] {
        refuses(&archive, &deb("other").field("Package", name).bytes());
    }
    for version in [":1", "x:1", "1:", "a", "1_0", "1.0-", "99999999999:1", "1.0/../2"] {
        refuses(&archive, &deb("other").field("Version", version).bytes());
    }
}

#[test]
fn a_duplicate_field() {
    let archive = archive();
    for field in ["Package: other", "Version: 2.0", "Depends: evil", "depends: evil"] {
        let text = format!("{}{field}\n", deb("other").field("Depends", "hello").stanza());
        refuses(&archive, &deb("other").control_text(text).bytes());
    }
}

/// Fields that belong to the index: set by a package, they could point clients elsewhere.
#[test]
fn a_package_that_sets_fields_of_the_index() {
    let archive = archive();
    for (version, field) in [("1", "Filename: ../../etc/passwd"), ("2", "Size: 1"), ("3", "SHA256: 00")] {
        let (name, value) = field.split_once(": ").unwrap();
        let path =
            deb("other").version(version).field(name, value).write_as(archive.0.incoming().join("bad.deb"));
        let outcome = archive.0.publish(["add".as_ref(), path.as_os_str()]);
        if outcome.status == Some(0) {
            let stanza = archive.0.publish(["show", "other"]).ok().stdout;
            assert!(!stanza.contains(&format!("\n{field}\n")), "{stanza}");
            assert_eq!(stanza.matches(&format!("\n{name}: ")).count(), 1, "{stanza}");
            archive.0.publish(["check"]).ok();
            archive.0.publish(["remove", "other"]).ok();
        } else {
            outcome.fails(1).says(["bad.deb", name]);
        }
    }
}

#[test]
fn a_stanza_that_ends_early() {
    let archive = archive();
    let text = format!("{}\nPackage: second\nVersion: 1\nArchitecture: all\n", deb("other").stanza());
    refuses(&archive, &deb("other").control_text(text).bytes());
}

#[test]
fn two_files_that_conflict() {
    let (sandbox, before) = archive();
    let first = deb("twice").payload("one\n").write(sandbox.path("one"));
    let second = deb("twice").payload("two\n").write(sandbox.path("two"));
    let said = sandbox.publish(["add".as_ref(), first.as_os_str(), second.as_os_str()]).fails(1);
    said.says(["one/twice_1.0_amd64.deb", "two/twice_1.0_amd64.deb"]);
    assert_eq!(sandbox.tree(), before);
}

/// File names have no epoch, so both would be the same pool file.
#[test]
fn two_versions_that_differ_in_the_epoch_alone() {
    let (sandbox, before) = archive();
    let other = deb("hello").version("1:1.0").write(sandbox.path("other"));
    let said = sandbox.publish(["add".as_ref(), other.as_os_str()]).fails(1);
    said.says(["1:1.0", "1.0", "epoch"]);
    assert_eq!(sandbox.tree(), before);

    let one = deb("epochs").version("1:1.0").write(sandbox.path("one"));
    let two = deb("epochs").version("2:1.0").write(sandbox.path("two"));
    let said = sandbox.publish(["add".as_ref(), one.as_os_str(), two.as_os_str()]).fails(1);
    said.says(["1:1.0", "2:1.0"]);
    assert_eq!(sandbox.tree(), before);
}

#[test]
fn one_bad_file_stops_all_and_every_bad_file_is_named() {
    let (sandbox, before) = archive();
    let write = |name: &str, deb: &DebBuilder| -> PathBuf { deb.write_as(sandbox.incoming().join(name)) };
    write("good-1.deb", &deb("good-1"));
    write("bad-1.deb", &deb("bad-1").truncated(100));
    write("good-2.deb", &deb("good-2"));
    write("bad-2.deb", &deb("bad-2").field("Version", "../.."));
    write("bad-3.deb", &deb("bad-3").without_member("control.tar"));
    let said = sandbox.publish(["add", "incoming"]).fails(1);
    said.says(["bad-1.deb", "bad-2.deb", "bad-3.deb"]);
    assert!(!said.stderr.contains("good-"), "{}", said.stderr);
    assert_eq!(sandbox.tree(), before);
}

#[test]
fn an_unreadable_file() {
    let (sandbox, _) = archive();
    sandbox.ask("chmod", ["-R".as_ref(), "a+rwX".as_ref(), sandbox.archive("").as_os_str()]);
    let before = sandbox.tree();
    let file = deb("secret").write(sandbox.incoming());
    set_mode(&file, 0);
    let said = sandbox.publish_unprivileged(["add", "incoming/secret_1.0_amd64.deb"]).fails(1);
    one_error(&said);
    said.says(["incoming/secret_1.0_amd64.deb", "Permission denied"]);
    assert_eq!(sandbox.tree(), before);
}

#[test]
fn a_read_only_archive() {
    let (sandbox, before) = archive();
    deb("other").write(sandbox.incoming());
    let folders: Vec<_> = walkdir::WalkDir::new(sandbox.archive(""))
        .into_iter()
        .flatten()
        .filter(|entry| entry.file_type().is_dir())
        .collect();
    for folder in &folders {
        set_mode(folder.path(), 0o555);
    }
    let said = sandbox.publish_unprivileged(["add", "incoming/other_1.0_amd64.deb"]).fails(1);
    for folder in &folders {
        set_mode(folder.path(), 0o755);
    }
    one_error(&said);
    said.says(["Permission denied", "pool/main/o/other/"]);
    assert_eq!(sandbox.tree(), before);
}

#[test]
fn a_folder_or_a_device_that_is_named_as_a_file() {
    let (sandbox, before) = archive();
    sandbox.publish(["add", "/dev/null"]).fails(1).says(["/dev/null"]);
    fs::create_dir(sandbox.path("empty.deb")).unwrap();
    sandbox.publish(["add", "empty.deb"]).fails(1).says(["empty.deb"]);
    assert_eq!(sandbox.tree(), before);
}

#[test]
fn a_pointer_that_does_not_parse() {
    let (sandbox, _) = archive();
    deb("other").write(sandbox.incoming());
    for text in [
        "",
        "no stanza\n",
        "Suite: stable\nSuite: stable\n",
        "Suite: stable\nSHA256:\n not a line of it\n",
        "<html><body>502 Bad Gateway</body></html>\n",
    ] {
        fs::write(sandbox.archive("dists/stable/Release"), text).unwrap();
        let before = sandbox.tree();
        let said = sandbox.publish(["add", "incoming/other_1.0_amd64.deb"]).fails(1);
        said.says(["dists/stable/Release"]);
        assert_eq!(sandbox.tree(), before, "{text:?}");
    }
}

/// Otherwise the suite would restart with only the new package.
#[test]
fn a_suite_without_its_pointer_is_not_recreated() {
    let (sandbox, _) = archive();
    deb("other").write(sandbox.incoming());
    let pointer = sandbox.archive("dists/stable/Release");
    let text = fs::read(&pointer).unwrap();
    fs::remove_file(&pointer).unwrap();
    let before = sandbox.tree();
    for suite in [&["--suite", "stable"][..], &[]] {
        let said = sandbox.publish([&["add", "incoming/other_1.0_amd64.deb"], suite].concat()).fails(1);
        one_error(&said);
        said.says(["dists/stable/generations/", "but no `InRelease` or `Release` file", "--repair"]);
        assert_eq!(sandbox.tree(), before);
    }
    // Archives of other tools have only indices.
    fs::rename(sandbox.archive("dists/stable/generations"), sandbox.path("generations")).unwrap();
    sandbox
        .publish(["add", "incoming/other_1.0_amd64.deb"])
        .fails(1)
        .says(["dists/stable/main/binary-amd64/Packages"]);
    fs::rename(sandbox.path("generations"), sandbox.archive("dists/stable/generations")).unwrap();
    fs::write(&pointer, text).unwrap();
    sandbox.publish(["add", "incoming/other_1.0_amd64.deb"]).ok();
    assert_eq!(sandbox.publish(["list"]).ok().stdout.lines().count(), 2);
}

/// A power loss can leave a file name without its bytes.
#[test]
fn a_damaged_by_hash_file_is_rewritten() {
    let sandbox = Sandbox::new();
    deb("hello").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok();
    let before = sandbox.tree();
    fs::rename(sandbox.archive("dists"), sandbox.path("dists")).unwrap();
    for path in before.paths_with("by-hash/") {
        fs::create_dir_all(sandbox.archive(&path).parent().unwrap()).unwrap();
        fs::write(sandbox.archive(&path), "").unwrap();
    }
    sandbox.publish(["add", "incoming"]).ok();
    assert_eq!(sandbox.tree(), before);
}

#[test]
fn a_missing_suite_or_component() {
    let (sandbox, before) = archive();
    let file = deb("other").write(sandbox.incoming());
    let add = |option: &str, name: &str| {
        sandbox.publish(["add".as_ref(), option.as_ref(), name.as_ref(), file.as_os_str()])
    };
    add("--suite", "nowhere").fails(1).says(["nowhere", "stable"]);
    add("--component", "nothing").fails(1).says(["nothing", "main"]);
    for name in ["../evil", "/evil", "a b", ""] {
        for option in ["--suite", "--component"] {
            let outcome = add(option, name);
            assert!(matches!(outcome.status, Some(1 | 2)), "{outcome}");
        }
    }
    assert_eq!(sandbox.tree(), before);
}

#[test]
fn a_configuration_that_does_not_parse() {
    let (sandbox, _) = archive();
    let file = deb("other").write(sandbox.incoming());
    for text in ["Codename stable\n", "Components: main\n", "Codename: ../evil\nComponents: main\n"] {
        sandbox.configure(text);
        let before = sandbox.tree();
        sandbox.publish(["add".as_ref(), file.as_os_str()]).fails(1).says(["conf/distributions"]);
        assert_eq!(sandbox.tree(), before, "{text:?}");
    }
}

/// A small file system mounted at the archive's folder until it is dropped.
struct SmallDisk<'a> {
    sandbox: &'a Sandbox,
}

impl<'a> SmallDisk<'a> {
    /// Mounts it with options of tmpfs(5).
    fn of(sandbox: &'a Sandbox, options: &str) -> Option<Self> {
        if !is_root() {
            skipped("a file system that fills up needs root");
            return None;
        }
        let mut command = sandbox.command("mount");
        command.args(["-t", "tmpfs", "-o", options, "publish-test"]).arg(sandbox.archive(""));
        let outcome = sandbox.run(command);
        if outcome.status != Some(0) {
            skipped(&format!("cannot mount a tmpfs: {}", outcome.stderr.trim()));
            return None;
        }
        Some(Self { sandbox })
    }

    /// Uses up all inodes but this many, so that creating one more file fails.
    fn leave(&self, inodes: usize) -> PathBuf {
        let ballast = self.sandbox.archive("ballast");
        fs::create_dir(&ballast).unwrap();
        let file = |number: usize| ballast.join(number.to_string());
        let full = (0..10_000).find(|&number| fs::write(file(number), "").is_err()).unwrap();
        for number in full.saturating_sub(inodes)..full {
            fs::remove_file(file(number)).unwrap();
        }
        ballast
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let mut command = self.sandbox.command("umount");
        command.arg(self.sandbox.archive(""));
        let _ = self.sandbox.run(command).status;
    }
}

/// Incompressible bytes.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1u64;
    let step = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(step).take(length).collect()
}

#[test]
fn a_disk_that_is_too_small_for_the_package() {
    let sandbox = Sandbox::new();
    let Some(_disk) = SmallDisk::of(&sandbox, "size=256k") else { return };
    let file = deb("hello").write(sandbox.incoming());
    sandbox.publish(["add".as_ref(), file.as_os_str()]).ok();
    let before = sandbox.tree();
    let big = deb("big").payload(noise(1 << 20)).write(sandbox.incoming());
    let said = sandbox.publish(["add".as_ref(), big.as_os_str()]).fails(1);
    one_error(&said);
    said.says(["free", "[SANDBOX]/archive"]);
    assert_eq!(sandbox.tree(), before);
}

#[test]
fn the_free_space_of_a_pool_on_another_disk_is_checked() {
    let sandbox = Sandbox::new();
    let Some(_disk) = SmallDisk::of(&sandbox, "size=256k") else { return };
    fs::create_dir(sandbox.path("large")).unwrap();
    std::os::unix::fs::symlink(sandbox.path("large"), sandbox.archive("pool")).unwrap();
    deb("big").payload(noise(1 << 20)).write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok();
    sandbox.publish(["check"]).ok();
    assert!(sandbox.path("large/main/b/big/big_1.0_amd64.deb").exists());
}

/// The disk fills up at each step of a publish in turn. It runs out of inodes, because the check of free space cannot
/// predict that: clients see the old suite or the new one, and the next publish succeeds once there is space.
#[test]
fn a_disk_that_is_full_at_any_step() {
    let sandbox = Sandbox::new();
    let Some(disk) = SmallDisk::of(&sandbox, "size=64m,nr_inodes=600") else { return };
    let file = deb("hello").write(sandbox.incoming());
    sandbox.publish(["add".as_ref(), file.as_os_str()]).ok();
    let Some(mut apt) = Client::debian_12(&sandbox) else { return };
    apt.source(&Source::folder(sandbox.archive("")).trusted());
    for inodes in 0..40 {
        let name = format!("package-{inodes}");
        let file = deb(&name).write(sandbox.incoming());
        let before = sandbox.tree();
        let ballast = disk.leave(inodes);
        let outcome = sandbox.publish(["add".as_ref(), file.as_os_str()]);
        fs::remove_dir_all(ballast).unwrap();
        apt.updates();
        assert_eq!(apt.versions("hello"), ["1.0"], "{inodes} left");
        if outcome.status == Some(0) {
            assert_eq!(apt.versions(&name), ["1.0"], "{inodes} left");
            assert!(inodes > 5, "it hardly ever failed");
            return;
        }
        outcome.fails(1).says(["No space left on device"]);
        // No published file is changed, and no temporary file is left.
        let after = sandbox.tree();
        after.keeps(&before, &["dists/stable/Release", "binary-amd64/Packages"]);
        assert_eq!(after.paths_with("/."), [""; 0], "{inodes} left");
        sandbox.publish(["add".as_ref(), file.as_os_str()]).ok();
        sandbox.publish(["check"]).ok();
        assert_eq!(sandbox.publish(["list", &name]).ok().stdout.lines().count(), 1);
    }
    panic!("40 free inodes were never enough");
}
