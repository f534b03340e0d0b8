//! Links in `dists/`: one suite with two names, also after `sync` into another folder.

use std::{fs, os::unix::fs::symlink};

use crate::{
    deb_builder::deb,
    sandbox::{Outcome, Sandbox},
};

fn add(sandbox: &Sandbox, archive: &str, version: &str) -> Outcome {
    let file = deb("foo").version(version).write(sandbox.incoming());
    sandbox.publish(["-a", archive, "add", "--suite", "bookworm", "--new-suite", file.to_str().unwrap()])
}

fn index(sandbox: &Sandbox, suite: &str) -> String {
    let path = format!("mirror/dists/{suite}/main/binary-amd64/Packages");
    fs::read_to_string(sandbox.path(path)).unwrap()
}

#[test]
fn both_names_are_one_suite_after_a_sync_into_a_folder() {
    let sandbox = Sandbox::new();
    add(&sandbox, "archive", "1").ok();
    symlink("bookworm", sandbox.archive("dists/stable")).unwrap();
    sandbox.publish(["sync", "./mirror", "--dry-run"]).ok();
    assert!(!sandbox.path("mirror/dists").exists());
    sandbox.publish(["sync", "./mirror"]).ok().says(["Linked suite `stable` to `bookworm`"]);
    add(&sandbox, "mirror", "2").ok();
    assert!(index(&sandbox, "stable").contains("Version: 2"));
    // Again, after a change here, and after the link leads elsewhere.
    sandbox.publish_after(60, &["sync", "./mirror", "--allow-older"]).ok();
    assert_eq!(index(&sandbox, "stable"), index(&sandbox, "bookworm"));
    let file = deb("other").write(sandbox.incoming());
    sandbox.publish(["add", "--suite", "trixie", "--new-suite", file.to_str().unwrap()]).ok();
    fs::remove_file(sandbox.archive("dists/stable")).unwrap();
    symlink("trixie", sandbox.archive("dists/stable")).unwrap();
    sandbox.publish(["sync", "./mirror"]).ok().says(["Linked suite `stable` to `trixie`"]);
    assert!(index(&sandbox, "stable").contains("Package: other"));
    sandbox.publish(["-a", "mirror", "check"]).ok();
}

/// A copy from an earlier version stays a copy, and follows the suite.
#[test]
fn a_name_with_files_of_its_own_is_copied() {
    let sandbox = Sandbox::new();
    add(&sandbox, "archive", "1").ok();
    sandbox.publish(["sync", "./mirror"]).ok();
    fs::rename(sandbox.path("mirror/dists/bookworm"), sandbox.path("mirror/dists/stable")).unwrap();
    symlink("bookworm", sandbox.archive("dists/stable")).unwrap();
    sandbox.publish(["sync", "./mirror"]).ok();
    assert!(!sandbox.path("mirror/dists/stable").is_symlink());
    assert_eq!(index(&sandbox, "stable"), index(&sandbox, "bookworm"));
}

#[test]
fn no_archive_begins_beside_one_without_dists() {
    let sandbox = Sandbox::new();
    let package = deb("foo");
    fs::write(sandbox.archive("Packages.gz"), "").unwrap();
    let file = package.write(sandbox.incoming());
    let before = sandbox.tree();
    sandbox
        .publish(["add", file.to_str().unwrap()])
        .fails(1)
        .says(["holds an archive without `dists/`", "`Packages.gz`"]);
    assert_eq!(sandbox.tree(), before);
    fs::remove_file(sandbox.archive("Packages.gz")).unwrap();
    sandbox.publish(["add", file.to_str().unwrap()]).ok();
    // Once it has begun, such a file is no obstacle.
    fs::write(sandbox.archive("Packages.gz"), "").unwrap();
    let file = deb("bar").write(sandbox.incoming());
    sandbox.publish(["add", file.to_str().unwrap()]).ok();
}
