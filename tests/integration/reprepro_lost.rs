//! Tests of repositories that have lost `dists/`, and of files that only the database of reprepro knows: a command must not
//! take them for garbage.

use std::{fs, path::Path};

use crate::{
    deb_builder::deb,
    reprepro_pair::Pair,
    reprepro_uploads::describe,
    sandbox::{Sandbox, age},
};

const CONF: &str = "Codename: bookworm\nArchitectures: amd64\nComponents: main\n\n\
                    Codename: trixie\nArchitectures: amd64\nComponents: main\n";
const FOO: &str = "pool/main/f/foo/foo_1.0_amd64.deb";

/// A repository without `dists/`, whose pool has a package that is old enough to be deleted.
fn lost(conf: &str) -> Option<Pair> {
    let pair = Pair::new(conf)?;
    for package in [deb("foo"), deb("bar")] {
        package.write(pair.sandbox.path("in"));
    }
    pair.one("ours", &["includedeb", "bookworm", "in/foo_1.0_amd64.deb"]).ok();
    let base = pair.sandbox.path("ours");
    fs::remove_dir_all(base.join("dists")).unwrap();
    age(&base.join("pool"), 30);
    Some(pair)
}

fn publish(sandbox: &Sandbox, words: &[&str]) -> crate::sandbox::Outcome {
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_publish"));
    command.args(words).current_dir(sandbox.path(""));
    sandbox.run(command)
}

#[test]
fn nothing_is_published_or_deleted_without_dists() {
    let Some(pair) = lost(CONF) else { return };
    let base = pair.sandbox.path("ours");
    let says = ["1 package file in `pool/` and no suite in `dists/`", "restore `dists/` from a backup"];
    let same = |words: &str| {
        assert!(base.join(FOO).exists() && !base.join("dists/bookworm/Release").exists(), "{words}");
        assert!(!base.join("dists/trixie/Release").exists(), "{words}");
    };
    for words in [
        "export",
        "export bookworm",
        "gensnapshot bookworm one",
        "deleteunreferenced",
        "dumpunreferenced",
        "deleteifunreferenced pool/main/f/foo/foo_1.0_amd64.deb",
    ] {
        pair.one("ours", &words.split(' ').collect::<Vec<_>>()).fails(255).says(says);
        same(words);
    }
    pair.one("ours", &["clearvanished"]).ok();
    let archive = base.to_str().unwrap();
    publish(&pair.sandbox, &["--archive", archive, "export"]).fails(1).says(says);
    publish(&pair.sandbox, &["--archive", archive, "prune"]).fails(1);
    same("publish");
    // The hint can be pasted.
    let said = pair.one("ours", &["export", "bookworm"]).fails(255);
    let hint = said.stderr.split("`publish ").nth(1).unwrap().split('`').next().unwrap();
    let hint = hint.replace("[SANDBOX]", pair.sandbox.path("").to_str().unwrap().trim_end_matches('/'));
    publish(&pair.sandbox, &hint.split(' ').collect::<Vec<_>>()).ok();
    assert_eq!(pair.one("ours", &["list", "bookworm"]).ok().stdout, "bookworm|main|amd64: foo 1.0\n");
    pair.one("ours", &["export"]).ok();
    pair.one("ours", &["deleteunreferenced"]).ok();
    assert!(base.join(FOO).exists());
}

#[test]
fn a_first_commit_that_was_interrupted_is_finished_by_the_same_command() {
    let Some(pair) = lost(CONF) else { return };
    let same = pair.one("ours", &["includedeb", "bookworm", "in/foo_1.0_amd64.deb"]).ok();
    assert!(!same.stderr.contains("no suite lists"), "{}", same.stderr);
    fs::remove_dir_all(pair.sandbox.path("ours/dists")).unwrap();
    pair.one("ours", &["includedeb", "bookworm", "in/bar_1.0_amd64.deb"])
        .ok()
        .says(["has 1 package file in `pool/` that no suite lists"]);
}

#[test]
fn a_drop_of_the_last_suite_is_no_loss() {
    let sandbox = Sandbox::new();
    deb("foo").write(sandbox.incoming());
    sandbox.publish(["add", "incoming/foo_1.0_amd64.deb"]).ok();
    sandbox.publish(["drop", "stable", "--yes"]).ok();
    age(&sandbox.archive("pool"), 30);
    sandbox.configure("Codename: stable\nArchitectures: amd64\nComponents: main\n");
    sandbox.publish(["export"]).ok();
}

#[test]
fn files_that_tracks_keep_are_not_deleted() {
    for (tracking, first, stays) in [("keep", "foo", true), ("all", "foo", false), ("minimal", "foo", false)]
    {
        let text = format!(
            "Codename: bookworm\nArchitectures: amd64\nComponents: main\nKeepFor: 0\nKeepGenerations: 1\nTracking: {tracking}\n"
        );
        let Some(pair) = Pair::new(&text) else { return };
        for version in ["1.0", "2.0"] {
            let file = deb(first).version(version).write(pair.sandbox.path("in"));
            pair.one("ours", &["includedeb", "bookworm", file.to_str().unwrap()]).ok();
        }
        let base = pair.sandbox.path("ours");
        age(&base, 30);
        let listed = pair.one("ours", &["dumpunreferenced"]).ok().stdout;
        assert_eq!(listed.contains(FOO), !stays, "{tracking}: {listed}");
        let deleted = pair.one("ours", &["deleteunreferenced"]).ok();
        assert_eq!(Path::new(&base.join(FOO)).exists(), stays, "{tracking}");
        if stays {
            deleted.says(["1 file that no suite lists is not deleted: `Tracking: keep` of suite `bookworm`"]);
            pair.one("ours", &["deleteifunreferenced", FOO]).ok();
            assert!(!base.join(FOO).exists());
        }
    }
}

/// Also of a package whose version is not that of its source.
#[test]
fn records_leave_with_the_last_package_of_their_upload() {
    let text = "Codename: bookworm\nArchitectures: amd64\nComponents: main\nTracking: minimal includechanges includebuildinfos\n";
    for (package, version) in
        [(deb("foo").version("1"), "1"), (deb("foo").version("1+b1").source("foo (1)"), "1+b1")]
    {
        let Some(pair) = Pair::new(text) else { return };
        let folder = pair.sandbox.path("in");
        package.write(&folder);
        fs::write(folder.join("foo_1_amd64.buildinfo"), "text").unwrap();
        let file = describe(
            &folder,
            "foo.changes",
            &[("Version: 1", &format!("Version: {version}")), ("Source: foo", "Source: foo (1)")],
        );
        let files = |base: &str| {
            let files = walkdir::WalkDir::new(pair.sandbox.path(base).join("pool"))
                .into_iter()
                .filter_map(Result::ok);
            files.filter(|entry| entry.file_type().is_file()).count()
        };
        pair.status(&["include", "bookworm", &file]);
        assert_eq!([files("real"), files("ours")], [3; 2]);
        pair.status(&["remove", "bookworm", "foo"]);
        pair.run(&["deleteunreferenced"]);
        // Clients with the earlier index find the files for a time, unless the configuration says none.
        assert_eq!([files("real"), files("ours")], [0, 3]);
        fs::write(pair.sandbox.path("ours/conf/distributions"), format!("{text}KeepFor: 0\n")).unwrap();
        let listed = pair.one("ours", &["dumpunreferenced"]).ok().stdout;
        assert_eq!(listed.lines().count(), 3, "{listed}");
        pair.one("ours", &["deleteunreferenced"]).ok();
        assert_eq!(files("ours"), 0);
    }
}
