//! `publish check --repair` of release files: `Release` with `Release.gpg` as well as `InRelease`.

use std::fs;

use crate::{
    deb_builder::deb,
    sandbox::{Outcome, Sandbox, Tree, fixture},
};

/// More than the maximum size of a release file.
const HUGE: usize = 20 << 20;

/// A suite with only `Release` and `Release.gpg`, as older tools write it, synced to `there`, where its generation is
/// kept.
fn pair() -> Sandbox {
    let sandbox = Sandbox::signed();
    deb("hello").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok();
    fs::remove_file(sandbox.archive("dists/stable/InRelease")).unwrap();
    fs::remove_dir_all(sandbox.archive("dists/stable/generations")).unwrap();
    sandbox.publish(["sync", "./there"]).ok();
    sandbox
}

fn there(sandbox: &Sandbox, arguments: &[&str]) -> Outcome {
    let there = sandbox.path("there").display().to_string();
    sandbox.publish([&["--archive", &there], arguments].concat())
}

#[test]
fn the_release_pair_of_an_older_tool_is_checked_and_repaired() {
    let sandbox = pair();
    there(&sandbox, &["check"]).ok();
    let whole = Tree::read(&sandbox.path("there"));
    assert!(whole.paths_with("/generations/").iter().any(|path| path.ends_with("/Release.gpg")), "{whole:?}");
    for name in ["Release", "Release.gpg"] {
        let path = sandbox.path("there/dists/stable").join(name);
        let bytes = fs::read(&path).unwrap();
        let mut flipped = bytes.clone();
        flipped[bytes.len() / 2] ^= 1;
        for damage in [
            None,
            Some(vec![]),
            Some(bytes[..bytes.len() / 2].to_vec()),
            Some(flipped),
            Some(vec![b'x'; HUGE]),
        ] {
            let shown = format!("{name}, {:?} bytes", damage.as_ref().map(Vec::len));
            match damage {
                None => fs::remove_file(&path).unwrap(),
                Some(damage) => fs::write(&path, damage).unwrap(),
            }
            let found = there(&sandbox, &["check"]);
            assert!(found.status == Some(4) && found.stdout.contains("dists/stable/"), "{shown}: {found}");
            there(&sandbox, &["check", "--repair"]).ok().says(["Repaired dists/stable/Release"]);
            assert_eq!(Tree::read(&sandbox.path("there")), whole, "{shown}");
        }
    }
}

#[test]
fn a_suite_with_only_the_release_pair_is_extended() {
    let sandbox = pair();
    let file = deb("new").write(sandbox.incoming());
    there(&sandbox, &["add", file.to_str().unwrap()]).ok().says(["Added 1 package"]);
    assert!(sandbox.path("there/dists/stable/InRelease").exists());
    there(&sandbox, &["check"]).ok().says(["2 packages"]);
    // Without a retained generation, an unreadable release file is not built on, and a repair does not delete it
    // either.
    let sandbox = pair();
    let path = sandbox.archive("dists/stable/Release");
    let text = fs::read_to_string(&path).unwrap().replace("Suite: stable", "Suite: stapel");
    fs::write(&path, text).unwrap();
    let before = sandbox.tree();
    sandbox
        .publish(["add", file.to_str().unwrap()])
        .fails(1)
        .says(["dists/stable/Release", "is not trusted"]);
    sandbox.publish(["check", "--repair"]).fails(4).says(["cannot be restored"]);
    assert_eq!(sandbox.tree(), before);
}

#[test]
fn a_release_file_that_is_too_large_is_repaired() {
    for (sandbox, name) in [
        (Sandbox::signed(), "InRelease"),
        (Sandbox::signed(), "Release.gpg"),
        (Sandbox::signed(), "Release"),
        (Sandbox::new(), "Release"),
    ] {
        deb("hello").write(sandbox.incoming());
        sandbox.publish(["add", "incoming"]).ok();
        // Damage of one suite does not hide another one.
        sandbox.publish(["snapshot", "one"]).ok();
        let whole = sandbox.tree();
        fs::write(sandbox.archive("dists/stable").join(name), vec![b'x'; HUGE]).unwrap();
        let found = sandbox.publish(["check"]);
        assert!(found.status == Some(4) && found.stdout.contains(&format!("dists/stable/{name}")), "{found}");
        sandbox.publish(["check", "--repair"]).ok();
        assert_eq!(sandbox.tree(), whole, "{name}");
    }
}

#[test]
fn a_generation_that_does_not_match_its_name_is_not_restored() {
    let sandbox = Sandbox::new();
    let one = deb("one").write(sandbox.incoming());
    let two = deb("two").write(sandbox.incoming());
    sandbox.publish(["add".as_ref(), one.as_os_str()]).ok();
    let first = sandbox.read("dists/stable/Release");
    sandbox.publish_after(9, &["add", two.to_str().unwrap()]).ok();
    let newest = sandbox.tree().paths_with("/generations/");
    let newest = newest.iter().rfind(|path| path.ends_with("/Release")).unwrap();
    let changed = sandbox.read(newest).replace("Suite: stable", "Suite: stable\nLabel: evil");
    fs::write(sandbox.archive(newest), changed).unwrap();
    fs::remove_file(sandbox.archive("dists/stable/Release")).unwrap();
    let said = sandbox.publish(["check", "--repair"]);
    assert_eq!(said.status, Some(4), "the damaged state is still found: {said}");
    assert_eq!(sandbox.read("dists/stable/Release"), first);
}

/// Leaves the suite as a signer does that was killed between its two conditional writes.
fn interrupted_first_signing(sandbox: &Sandbox) -> Vec<u8> {
    for name in ["Release.gpg", "archive-key.asc"] {
        let folder = if name == "Release.gpg" { "dists/stable" } else { "." };
        fs::remove_file(sandbox.archive(folder).join(name)).unwrap();
    }
    for path in sandbox.tree().paths_with("/published") {
        fs::remove_file(sandbox.archive(path)).unwrap();
    }
    let in_release = fs::read(sandbox.archive("dists/stable/InRelease")).unwrap();
    fs::remove_file(sandbox.archive("dists/stable/InRelease")).unwrap();
    in_release
}

#[test]
fn a_first_commit_that_was_killed_before_it_was_signed_is_finished() {
    let sandbox = Sandbox::signed();
    let file = deb("hello").write(sandbox.incoming());
    let other = deb("other").write(sandbox.incoming());
    sandbox.publish(["add".as_ref(), file.as_os_str()]).ok();
    let whole = sandbox.tree();
    interrupted_first_signing(&sandbox);
    sandbox.publish(["check"]).fails(4).says(["not signed"]);
    sandbox.publish(["add", "--dry-run", other.to_str().unwrap()]).fails(1);
    let said = sandbox.publish(["check", "--repair"]);
    assert!(said.stderr.contains("Repaired dists/stable/InRelease"), "{said}");
    sandbox.publish(["add".as_ref(), file.as_os_str()]).ok();
    assert_eq!(sandbox.tree(), whole);
    // The next commit finishes it as well; an unsigned change since then does not get signed.
    interrupted_first_signing(&sandbox);
    sandbox.publish(["add".as_ref(), other.as_os_str()]).ok().says(["Added 1 package"]);
    sandbox.publish(["check"]).ok().says(["2 packages"]);
    let sandbox = Sandbox::signed();
    sandbox.publish(["add".as_ref(), file.as_os_str()]).ok();
    interrupted_first_signing(&sandbox);
    let path = sandbox.archive("dists/stable/Release");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("Suite: stable", "Suite: stable\nLabel: evil")).unwrap();
    let before = sandbox.tree();
    sandbox.publish(["add".as_ref(), other.as_os_str()]).fails(1).says(["is not signed"]);
    assert_eq!(sandbox.tree(), before);
}

/// A publisher without a key has changed `Release` while a signer wrote `InRelease`: neither change is lost.
#[test]
fn a_suite_with_a_signed_and_an_unsigned_commit_loses_neither() {
    let sandbox = Sandbox::new();
    let [one, two, three] = ["one", "two", "three"].map(|name| deb(name).write(sandbox.incoming()));
    let key = fixture("keys/test.asc");
    let add = |file: &std::path::Path, signed: bool| {
        let key = ["--sign-with".as_ref(), key.as_os_str()];
        let add = ["add".as_ref(), file.as_os_str()];
        if signed { sandbox.publish([key, add].concat()) } else { sandbox.publish(add) }
    };
    add(&one, true).ok();
    let in_release = interrupted_first_signing(&sandbox);
    add(&two, false).ok();
    fs::write(sandbox.archive("dists/stable/InRelease"), in_release).unwrap();
    let before = ["InRelease", "Release"].map(|name| sandbox.read(format!("dists/stable/{name}")));
    let hint = "`publish refresh --suite stable --trust-existing`";
    add(&three, true).fails(1).says(["with and without a signature at the same time", hint]);
    let sign = ["--sign-with", key.to_str().unwrap()];
    let found = sandbox.publish([&sign[..], &["check", "--repair"]].concat());
    assert!(found.status == Some(4) && found.stderr.contains(hint), "{found}");
    let after = ["InRelease", "Release"].map(|name| sandbox.read(format!("dists/stable/{name}")));
    assert_eq!(after, before, "a repair loses neither");
    sandbox.publish([&sign[..], &["refresh", "--suite", "stable", "--trust-existing"]].concat()).ok();
    add(&three, true).ok();
    sandbox.publish([&sign[..], &["check"]].concat()).ok().says(["3 packages"]);
    let listed = sandbox.publish(["list"]).ok().stdout;
    assert!(["one", "two", "three"].iter().all(|name| listed.contains(name)), "{listed}");
}

/// The hint about a suite that is signed at the destination but not here works.
#[test]
fn an_unsigned_suite_is_signed_again() {
    let sandbox = Sandbox::new();
    let file = deb("hello").write(sandbox.incoming());
    let key = fixture("keys/test.asc");
    sandbox.publish(["--sign-with".as_ref(), key.as_os_str(), "add".as_ref(), file.as_os_str()]).ok();
    sandbox.publish(["sync", "./there"]).ok();
    fs::remove_dir_all(sandbox.archive("dists")).unwrap();
    sandbox.publish(["add".as_ref(), file.as_os_str()]).ok();
    let before = Tree::read(&sandbox.path("there"));
    sandbox
        .publish(["sync", "./there"])
        .fails(1)
        .says(["is signed in", "`publish refresh --suite NAME --sign-with KEY`"]);
    assert_eq!(Tree::read(&sandbox.path("there")), before);
    let signed = ["refresh", "--suite", "stable", "--trust-existing", "--sign-with", key.to_str().unwrap()];
    sandbox.publish_after(9, &signed).ok();
    sandbox.publish(["sync", "./there"]).ok();
}

#[test]
fn a_listed_file_that_is_lost_in_a_form_is_a_fault() {
    let sandbox = Sandbox::new();
    sandbox.configure(
        "Codename: stable\nComponents: main\nArchitectures: amd64\nContents: .gz\nTranslations: en\n",
    );
    deb("hello").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok();
    let data = sandbox.path("data.yml");
    for (name, compress) in [("one", "xz"), ("two", "none")] {
        fs::write(&data, name).unwrap();
        let name = format!("main/dep11/{name}.yml");
        let mut attach = vec!["attach".as_ref(), data.as_os_str(), "--as".as_ref(), name.as_ref()];
        if compress != "none" {
            attach.extend(["--compress".as_ref(), compress.as_ref() as &std::ffi::OsStr]);
        }
        sandbox.publish(attach).ok();
    }
    sandbox.publish(["check"]).ok();
    let whole = sandbox.tree();
    let release = sandbox.read("dists/stable/Release");
    let delete = |path: &str| {
        let digests = release.split("SHA256:\n").nth(1).unwrap();
        let line = digests.lines().find(|line| line.ends_with(&format!(" {path}"))).unwrap();
        let (folder, _) = path.rsplit_once('/').unwrap();
        let by_hash = format!("{folder}/by-hash/SHA256/{}", line.split_whitespace().next().unwrap());
        [path, by_hash.as_str()].map(|file| {
            let file = sandbox.archive("dists/stable").join(file);
            let bytes = fs::read(&file).unwrap();
            fs::remove_file(&file).unwrap();
            (file, bytes)
        })
    };
    for (path, is_restored) in [
        ("main/Contents-amd64.gz", false),
        ("main/dep11/two.yml", false),
        ("main/i18n/Translation-en.gz", true),
        ("main/binary-amd64/Packages.xz", true),
    ] {
        let lost = delete(path);
        let found = sandbox.publish(["check"]);
        let plain = path.trim_end_matches(".gz");
        assert!(
            found.status == Some(4)
                && found.stdout.contains(plain)
                && found.stdout.contains("it is listed but missing"),
            "{path}: {found}"
        );
        let repaired = sandbox.publish(["check", "--repair"]);
        if is_restored {
            repaired.ok();
        } else {
            repaired.fails(4);
            for (file, bytes) in lost {
                fs::write(file, bytes).unwrap();
            }
        }
        assert_eq!(sandbox.tree(), whole, "{path}");
    }
}
