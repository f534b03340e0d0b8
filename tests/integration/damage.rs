//! Damage of single files: `check` names each and hides none, `check --repair` mends what it can and says what it did,
//! and other commands go on with the intact files.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
    process::Command,
};

use crate::{
    deb_builder::deb,
    sandbox::{Sandbox, age, is_root},
};

/// Two generations, nine seconds apart: with `one`, and with `two` as well.
fn two_generations(sandbox: Sandbox) -> Sandbox {
    let [one, two] = ["one", "two"].map(|name| deb(name).write(sandbox.incoming()));
    sandbox.publish_after(0, &["add", one.to_str().unwrap()]).ok();
    sandbox.publish_after(9, &["add", two.to_str().unwrap()]).ok();
    sandbox
}

/// The folders of the generations, the oldest first.
fn generations(sandbox: &Sandbox) -> Vec<String> {
    let mut all: Vec<String> = sandbox.tree().paths_with("/generations/");
    all.retain(|path| path.ends_with("/published"));
    all.iter().map(|path| path.trim_end_matches("/published").to_owned()).collect()
}

fn cut(sandbox: &Sandbox, path: &str) {
    let bytes = fs::read(sandbox.archive(path)).unwrap();
    fs::write(sandbox.archive(path), &bytes[..bytes.len() / 2]).unwrap();
}

fn flip(sandbox: &Sandbox, path: &str) {
    let mut bytes = fs::read(sandbox.archive(path)).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(sandbox.archive(path), bytes).unwrap();
}

fn check(sandbox: &Sandbox, arguments: &[&str]) -> crate::sandbox::Outcome {
    sandbox.publish_after(60, &[&["check"], arguments].concat())
}

#[track_caller]
fn finds(sandbox: &Sandbox, path: &str) {
    let found = check(sandbox, &[]);
    assert!(found.status == Some(4) && found.stdout.contains(path), "{path}: {found}");
}

fn listed(sandbox: &Sandbox) -> usize {
    sandbox.publish_after(60, &["list"]).ok().stdout.lines().count()
}

/// `Release` and `Release.gpg` are whole and newer than any generation that is left.
#[test]
fn an_intact_pair_is_not_replaced_by_an_older_generation() {
    let sandbox = two_generations(Sandbox::signed());
    let newest = generations(&sandbox).pop().unwrap();
    fs::remove_dir_all(sandbox.archive(newest)).unwrap();
    cut(&sandbox, "dists/stable/InRelease");
    finds(&sandbox, "dists/stable/InRelease");
    check(&sandbox, &["--repair"]).ok().says(["Removed dists/stable/InRelease", "2 packages"]);
    assert_eq!(listed(&sandbox), 2);
    let three = deb("three").write(sandbox.incoming());
    sandbox.publish_after(60, &["add", three.to_str().unwrap()]).ok();
    assert!(sandbox.archive("dists/stable/InRelease").exists());
    check(&sandbox, &[]).ok().says(["3 packages"]);
}

/// Clients find `Release` and `Release.gpg`, but those that ask for `InRelease` alone find nothing.
#[test]
fn a_lost_release_file_is_seen_beside_the_other_form() {
    let sandbox = two_generations(Sandbox::signed());
    let path = "dists/stable/InRelease";
    fs::remove_file(sandbox.archive(path)).unwrap();
    finds(&sandbox, path);
    check(&sandbox, &["--repair"]).ok();
    assert!(sandbox.archive(path).exists());
    check(&sandbox, &[]).ok();
}

#[test]
fn a_repair_that_goes_back_says_so() {
    for (sandbox, file) in [(Sandbox::signed(), "InRelease"), (Sandbox::new(), "Release")] {
        let sandbox = two_generations(sandbox);
        let newest = generations(&sandbox).pop().unwrap();
        fs::remove_dir_all(sandbox.archive(newest)).unwrap();
        cut(&sandbox, &format!("dists/stable/{file}"));
        if file == "InRelease" {
            fs::write(sandbox.archive("dists/stable/Release.gpg"), "").unwrap();
        }
        let said = check(&sandbox, &["--repair", "--json"]).ok().stdout;
        let said: serde_json::Value = serde_json::from_str(&said).unwrap();
        let back = &said["rolled_back"][0];
        assert_eq!(back["from"], "2025-06-01T00:00:09Z", "{said}");
        assert_eq!(back["to"], "2025-06-01T00:00:00Z", "{said}");
        assert_eq!(back["suite"], "stable", "{said}");
        assert_eq!(listed(&sandbox), 1);
    }
    // A damaged newest generation is passed over, and the message is for people as well.
    let sandbox = two_generations(Sandbox::new());
    cut(&sandbox, &format!("{}/Release", generations(&sandbox)[1]));
    fs::remove_file(sandbox.archive("dists/stable/Release")).unwrap();
    let said = check(&sandbox, &["--repair"]);
    assert!(said.stderr.contains("was restored from the generation of 2025-06-01T00:00:09Z to `"), "{said}");
    // A file that is restored as it was is not moved away.
    let sandbox = two_generations(Sandbox::signed());
    fs::write(sandbox.archive("dists/stable/InRelease"), "").unwrap();
    let said = check(&sandbox, &["--repair"]).ok();
    assert!(!said.stderr.contains("went back") && said.stderr.contains("Repaired"), "{}", said.stderr);
}

#[test]
fn a_damaged_signature_of_a_generation_replaces_no_intact_one() {
    let sandbox = two_generations(Sandbox::signed());
    let (whole, all) = (sandbox.tree(), generations(&sandbox));
    let two = sandbox.incoming().join("two_1.0_amd64.deb");
    let kept = format!("{}/Release.gpg", all[1]);
    for damage in [cut as fn(&Sandbox, &str), flip, |sandbox, path| {
        fs::remove_file(sandbox.archive(path)).unwrap();
        assert!(Command::new("mkfifo").arg(sandbox.archive(path)).status().unwrap().success());
    }] {
        damage(&sandbox, &kept);
        finds(&sandbox, &kept);
        // A commit that finishes earlier ones leaves the published signature.
        sandbox.publish_after(60, &["add", two.to_str().unwrap()]).ok();
        let published = fs::read(sandbox.archive("dists/stable/Release.gpg")).unwrap();
        assert!(published.ends_with(b"-----END PGP SIGNATURE-----\n"));
        check(&sandbox, &["--repair"]).ok();
        assert_eq!(sandbox.tree(), whole);
    }
    // Both are damaged, in different ways: the intact one wins wherever it is.
    flip(&sandbox, "dists/stable/Release.gpg");
    check(&sandbox, &["--repair"]).ok();
    assert_eq!(sandbox.tree(), whole);
    // That of an old generation is only reported.
    cut(&sandbox, &format!("{}/Release.gpg", all[0]));
    finds(&sandbox, &all[0]);
}

#[test]
fn a_damaged_current_generation_is_mended() {
    for sandbox in [Sandbox::signed(), Sandbox::new()] {
        let sandbox = two_generations(sandbox);
        let (whole, newest) = (sandbox.tree(), generations(&sandbox).pop().unwrap());
        let name = if sandbox.archive("dists/stable/InRelease").exists() { "InRelease" } else { "Release" };
        let path = format!("{newest}/{name}");
        let two = sandbox.incoming().join("two_1.0_amd64.deb");
        let commands: [&[&str]; 2] = [&["check", "--repair"], &["add", two.to_str().unwrap()]];
        for command in commands {
            for damage in [cut as fn(&Sandbox, &str), flip] {
                damage(&sandbox, &path);
                finds(&sandbox, &newest);
                sandbox.publish_after(60, command).ok();
                assert_eq!(sandbox.tree(), whole, "{command:?}");
            }
        }
    }
}

#[test]
fn a_damaged_old_generation_stops_no_command() {
    let sandbox = Sandbox::signed();
    let [one, two, three] = ["one", "two", "three"].map(|name| deb(name).write(sandbox.incoming()));
    sandbox.publish_after(0, &["add", one.to_str().unwrap()]).ok();
    sandbox.publish_after(9, &["remove", "one"]).ok();
    sandbox.publish_after(18, &["add", two.to_str().unwrap()]).ok();
    sandbox.publish_after(27, &["add", three.to_str().unwrap()]).ok();
    let old = &generations(&sandbox)[2];
    cut(&sandbox, &format!("{old}/InRelease"));
    finds(&sandbox, old);
    let found = check(&sandbox, &["--repair"]);
    assert!(found.status == Some(4) && found.stdout.contains(old.as_str()), "{found}");
    // The generation before that one has neither of the two.
    let back = sandbox.publish_after(60, &["rollback", "--dry-run"]).ok();
    back.says(["was skipped", "  - three 1.0", "  - two 1.0"]);
    sandbox.publish_after(60, &["diff", "stable@1", "stable"]).fails(1).says(["choose another generation"]);
    // A file that it may reference stays, until it has expired.
    age(&sandbox.archive(""), 30);
    let prune = |keep: &str| {
        let said = sandbox.publish(["prune", "-v", "--keep-for", "1h", "--keep-generations", keep]).ok();
        (said.stderr, sandbox.archive("pool/main/o/one/one_1.0_amd64.deb").exists())
    };
    let (said, is_there) = prune("2");
    assert!(is_there && said.contains(&format!("the damaged generation `{old}` may reference it")), "{said}");
    let (said, is_there) = prune("1");
    assert!(!is_there && !sandbox.archive(old).join("InRelease").exists(), "{said}");
    check(&sandbox, &[]).ok();
}

/// A kind of damage: its name, and the function that does it to a file.
type Damage<'a> = (&'a str, &'a dyn Fn(&Path));

/// A named pipe, a file that is too large, and one that may not be read: each is a fault of its own.
#[test]
fn an_odd_file_hides_no_fault() {
    let pipe = |path: &Path| {
        fs::remove_file(path).unwrap();
        assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    };
    let large = |path: &Path| fs::File::create(path).unwrap().set_len(20 << 20).unwrap();
    let unreadable = |path: &Path| fs::set_permissions(path, fs::Permissions::from_mode(0o000)).unwrap();
    let odd: [Damage<'_>; 3] = [("pipe", &pipe), ("large", &large), ("unreadable", &unreadable)];
    let sandbox = two_generations(Sandbox::signed());
    let by_hash = sandbox.tree().paths_with("by-hash/SHA256/").pop().unwrap();
    let old = generations(&sandbox)[0].clone();
    let paths = [
        "pool/main/t/two/two_1.0_amd64.deb",
        "archive-key.asc",
        "dists/stable/main/binary-amd64/Packages",
        "dists/stable/main/binary-amd64/Packages.gz",
        "dists/stable/Release",
        "dists/stable/Release.gpg",
        "dists/stable/InRelease",
        &by_hash,
        &format!("{old}/InRelease"),
        &format!("{old}/Release.gpg"),
    ];
    let other = "pool/main/o/one/one_1.0_amd64.deb";
    for path in paths {
        for (name, make) in odd {
            let sandbox = two_generations(Sandbox::signed());
            let path = if path == by_hash {
                sandbox.tree().paths_with("by-hash/SHA256/").pop().unwrap()
            } else {
                path.to_owned()
            };
            // It is listed before the damage: the harness reads every file, and a pipe has no end.
            let first = generations(&sandbox)[0].clone();
            let path = match path.strip_prefix(&*old) {
                Some(below) => format!("{first}{below}"),
                None => path,
            };
            fs::write(sandbox.archive(other), "!<arch>\n").unwrap();
            make(&sandbox.archive(&path));
            let run = |arguments: &[&str]| {
                if name == "unreadable" && is_root() {
                    sandbox.publish_unprivileged(arguments)
                } else {
                    sandbox.publish_after(60, arguments)
                }
            };
            let found = run(&["check"]);
            assert_eq!(found.status, Some(4), "{name} {path}: {found}");
            let shown = path.trim_end_matches("/InRelease");
            assert!(found.stdout.contains(shown), "{name} {path}: {found}");
            // Below a release file that cannot be read nothing is known.
            assert!(
                path == "dists/stable/InRelease" || found.stdout.contains(other),
                "{name} {path}: {found}"
            );
            if name != "unreadable" {
                let found = run(&["check", "--repair"]);
                assert!(found.status == Some(4) && found.stdout.contains(other), "{name} {path}: {found}");
                let is_lost = path.starts_with("pool/") || path.starts_with(&*first);
                let is_named = found.stdout.lines().any(|line| line.starts_with(shown));
                assert_eq!(is_named, is_lost, "{name} {path}: {found}");
            }
        }
    }
}

#[test]
fn a_suite_that_cannot_be_read_hides_no_other_one_from_list() {
    let sandbox = two_generations(Sandbox::new());
    sandbox.publish(["snapshot", "first"]).ok();
    let file = sandbox.incoming().join("one_1.0_amd64.deb");
    sandbox.configure("Codename: stable\nComponents: main\n\nCodename: testing\nComponents: main\n");
    sandbox.publish(["add", "--suite", "testing", file.to_str().unwrap()]).ok();
    fs::File::create(sandbox.archive("dists/testing/Release")).unwrap().set_len(20 << 20).unwrap();
    let listed = sandbox.publish(["list"]);
    assert!(listed.status == Some(1) && listed.stdout.lines().count() == 2, "{listed}");
    assert!(listed.stderr.contains("dists/testing/Release"), "{listed}");
    sandbox.publish(["list", "--suite", "stable"]).ok();
}

#[test]
fn the_key_file_is_restored() {
    let sandbox = two_generations(Sandbox::signed());
    let whole = sandbox.tree();
    let path = sandbox.archive("archive-key.asc");
    for damage in [None, Some(0), Some(100), Some(8 << 20)] {
        match damage {
            None => fs::remove_file(&path).unwrap(),
            Some(length) => fs::File::options().write(true).open(&path).unwrap().set_len(length).unwrap(),
        }
        finds(&sandbox, "archive-key.asc");
        check(&sandbox, &["--repair"]).ok().says(["Repaired archive-key.asc"]);
        assert_eq!(sandbox.tree(), whole, "{damage:?}");
    }
    // A commit replaces one that cannot be read as well.
    fs::File::options().write(true).open(&path).unwrap().set_len(8 << 20).unwrap();
    let file = sandbox.incoming().join("two_1.0_amd64.deb");
    sandbox.publish_after(60, &["add", file.to_str().unwrap()]).ok();
    assert_eq!(sandbox.tree(), whole);
    // Without a key nothing is restored, and an unsigned archive needs none.
    check(&two_generations(Sandbox::new()), &["--repair"]).ok();
}

/// A package that only an earlier generation has, with one bit changed.
#[test]
fn the_bytes_of_retained_packages_are_compared() {
    let sandbox = two_generations(Sandbox::signed());
    sandbox.publish_after(18, &["remove", "two"]).ok();
    check(&sandbox, &[]).ok();
    flip(&sandbox, "pool/main/t/two/two_1.0_amd64.deb");
    finds(&sandbox, "pool/main/t/two/two_1.0_amd64.deb: its bytes differ");
}

/// Two signers of the same second write the same `InRelease` and may write different detached signatures.
#[test]
fn another_detached_signature_of_the_same_second_is_no_obstacle() {
    let sandbox = Sandbox::signed();
    let file = deb("one").write(sandbox.incoming());
    sandbox.publish(["add".as_ref(), file.as_os_str()]).ok();
    let (whole, generation) = (sandbox.tree(), generations(&sandbox).pop().unwrap());
    for name in ["InRelease", "Release", "Release.gpg"] {
        fs::rename(sandbox.archive("dists/stable").join(name), sandbox.path(name)).unwrap();
    }
    // It signs the same text with the same bytes.
    let command = format!("!{}", sandbox.path("sign").display());
    let script = "#!/bin/sh\nhere=$(dirname \"$0\")\ncp \"$here/InRelease\" \"$2\" && cp \"$here/Release.gpg\" \"$3\"\n";
    fs::write(sandbox.path("sign"), script).unwrap();
    fs::set_permissions(sandbox.path("sign"), fs::Permissions::from_mode(0o755)).unwrap();
    for path in sandbox.tree().paths_with("/binary-amd64/") {
        fs::remove_file(sandbox.archive(path)).unwrap();
    }
    for name in ["InRelease", "published"] {
        fs::remove_file(sandbox.archive(&generation).join(name)).unwrap();
    }
    fs::write(sandbox.archive(&generation).join("Release.gpg"), "another signature").unwrap();
    let add = ["--sign-with".as_ref(), command.as_ref(), "add".as_ref(), file.as_os_str()];
    sandbox.publish(add).ok();
    assert_eq!(sandbox.tree(), whole);
}

/// A power failure may leave it empty.
#[test]
fn the_mark_of_a_generation_counts_by_its_existence() {
    let sandbox = two_generations(Sandbox::signed());
    let whole = sandbox.tree();
    let mark = format!("{}/published", generations(&sandbox).pop().unwrap());
    fs::write(sandbox.archive(mark), "").unwrap();
    fs::remove_file(sandbox.archive("archive-key.asc")).unwrap();
    check(&sandbox, &["--repair"]).ok().says(["Repaired archive-key.asc"]);
    assert_eq!(sandbox.tree().names(), whole.names());
}

/// The earlier state is kept to be rolled back to.
#[test]
fn a_lost_form_of_a_retained_index_is_a_fault() {
    let sandbox = two_generations(Sandbox::signed());
    let folder = "dists/stable/main/binary-amd64/by-hash/SHA256";
    let current = fs::read(sandbox.archive("dists/stable/main/binary-amd64/Packages.xz")).unwrap();
    let all: Vec<String> = sandbox.tree().paths_with(folder);
    let old = all.iter().filter(|path| {
        let bytes = fs::read(sandbox.archive(path)).unwrap();
        bytes.starts_with(b"\xfd7zXZ") && bytes != current
    });
    let old: Vec<String> = old.cloned().collect();
    assert_eq!(old.len(), 1);
    fs::remove_file(sandbox.archive(&old[0])).unwrap();
    finds(&sandbox, &format!("{}: it is missing, although a retained generation", old[0]));
}

/// A page that cannot be one of ours is another tool's, and stays.
#[test]
fn a_page_that_cannot_be_read_stops_no_command() {
    let sandbox = Sandbox::signed();
    sandbox.configure("Codename: stable\nComponents: main\nArchitectures: amd64\nWebPage: yes\n");
    let [one, two] = ["one", "two"].map(|name| deb(name).write(sandbox.incoming()));
    sandbox.publish_after(0, &["add", one.to_str().unwrap()]).ok();
    let page = fs::File::options().write(true).open(sandbox.archive("index.html")).unwrap();
    page.set_len(8 << 30).unwrap();
    sandbox.publish_after(9, &["add", two.to_str().unwrap()]).ok().says(["index.html"]);
    check(&sandbox, &["--repair"]).ok();
    assert_eq!(page.metadata().unwrap().len(), 8 << 30);
}

const TWO_SUITES: &str = "Codename: stable\nComponents: main\n\nCodename: testing\nComponents: main\n";

#[test]
fn an_interrupted_drop_is_a_fault_and_no_suite() {
    let sandbox = two_generations(Sandbox::signed());
    let file = sandbox.incoming().join("one_1.0_amd64.deb").display().to_string();
    sandbox.publish(["add", "--suite", "testing", "--new-suite", &file]).ok();
    fs::write(sandbox.archive("dists/stable/InRelease"), "This suite was dropped.\n").unwrap();
    finds(&sandbox, "the suite is being dropped, or its removal was interrupted");
    check(&sandbox, &[])
        .fails(4)
        .says(["hint: if no `publish drop` is running, finish the removal with `publish drop stable`"]);
    sandbox.configure(TWO_SUITES);
    let doctor = sandbox.publish(["doctor"]);
    assert!(doctor.stdout.contains(" drop stable\n"), "{doctor}");
    sandbox.publish(["sync", "./mirror"]).ok();
    assert!(!sandbox.path("mirror/dists/stable").exists());
    sandbox.publish(["drop", "stable"]).ok();
    check(&sandbox, &[]).ok();
}

/// Snapshots stay when their suite is dropped.
#[test]
fn an_archive_of_snapshots_alone_is_pruned_and_listed() {
    let sandbox = two_generations(Sandbox::signed());
    sandbox.publish_after(18, &["snapshot", "1"]).ok();
    sandbox.publish_after(18, &["drop", "stable"]).ok();
    sandbox.publish(["prune"]).ok();
    let snapshot = "stable/snapshots/1";
    sandbox.publish(["list"]).fails(1).says(["only snapshots", "--suite stable/snapshots/1"]);
    assert_eq!(sandbox.publish(["list", "--suite", snapshot]).ok().stdout.lines().count(), 2);
    check(&sandbox, &[]).ok();
}

/// The links that lead out of the archive hide no other fault.
#[test]
fn a_folder_of_generations_that_leads_out_hides_no_fault() {
    let sandbox = two_generations(Sandbox::signed());
    let three = deb("three").write(sandbox.incoming()).display().to_string();
    sandbox.publish_after(9, &["add", "--suite", "testing", "--new-suite", &three]).ok();
    fs::rename(sandbox.archive("dists/stable/generations"), sandbox.path("elsewhere")).unwrap();
    symlink(sandbox.path("elsewhere"), sandbox.archive("dists/stable/generations")).unwrap();
    fs::remove_file(sandbox.archive("pool/main/t/three/three_1.0_amd64.deb")).unwrap();
    let found = check(&sandbox, &[]);
    assert!(found.status == Some(4), "{found}");
    for fault in ["leads out of the archive", "three_1.0_amd64.deb: it is missing"] {
        assert!(found.stdout.contains(fault), "{found}");
    }
}

/// A listing does not show the suite, and other commands fail at it.
#[test]
fn a_configured_suite_that_leads_out_hides_no_fault() {
    let sandbox = two_generations(Sandbox::signed());
    let three = deb("three").write(sandbox.incoming()).display().to_string();
    sandbox.publish_after(9, &["add", "--suite", "testing", "--new-suite", &three]).ok();
    fs::rename(sandbox.archive("dists/stable"), sandbox.path("elsewhere")).unwrap();
    symlink(sandbox.path("elsewhere"), sandbox.archive("dists/stable")).unwrap();
    sandbox.configure(TWO_SUITES);
    fs::remove_file(sandbox.archive("pool/main/t/three/three_1.0_amd64.deb")).unwrap();
    let found = check(&sandbox, &[]);
    assert!(found.status == Some(4), "{found}");
    for fault in [
        "dists/stable/InRelease` is a link that leads out of the archive",
        "three_1.0_amd64.deb: it is missing",
    ] {
        assert!(found.stdout.contains(fault), "{found}");
    }
}

/// A reader of an archive on the web cannot repair it.
#[test]
fn the_hint_for_a_reader_is_no_repair() {
    let sandbox = two_generations(Sandbox::signed());
    let path = sandbox.archive("dists/stable/InRelease");
    fs::write(&path, &fs::read(&path).unwrap()[..200]).unwrap();
    sandbox.publish(["list"]).fails(1).says(["publish check --repair"]);
    let server = sandbox.serve();
    let read = sandbox.publish(["--archive", &server.url, "list", "--suite", "stable"]);
    let read = read.fails(1);
    read.says(["only the publisher of the archive can repair it"]);
    assert!(!read.stderr.contains("--repair"), "{}", read.stderr);
}
