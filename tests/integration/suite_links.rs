//! Links in `dists/`: one suite with two names, also after `sync` into another folder.

use std::{fs, os::unix::fs::symlink};

use publish::{
    archive::{Archive, Error, Trust},
    names::Suite,
};

use crate::{
    buckets,
    deb_builder::deb,
    publisher::{Publisher, memory},
    sandbox::{Outcome, Sandbox, Tree, age},
    web::Web,
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

/// A commit under the name of a link would rename the suite.
#[test]
fn no_command_commits_under_the_name_of_a_link() {
    for sandbox in [Sandbox::new(), Sandbox::signed()] {
        add(&sandbox, "archive", "1").ok();
        add(&sandbox, "archive", "2").ok();
        symlink("bookworm", sandbox.archive("dists/later")).unwrap();
        let before = sandbox.tree();
        let file = deb("zz").write(sandbox.incoming()).display().to_string();
        let commands: [&[&str]; 3] =
            [&["rollback", "later"], &["add", "--suite", "later", &file], &["export", "later"]];
        for command in commands {
            for more in [&[][..], &["--trust-existing"], &["--trust-existing", "--allow-releaseinfo-change"]]
            {
                sandbox
                    .publish([command, more].concat())
                    .fails(1)
                    .says(["suite `later` is another name of suite `bookworm`", "--suite bookworm"]);
                assert_eq!(sandbox.tree(), before);
            }
        }
    }
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
    // A change there reaches both names, and is made under the name of the suite.
    let file = deb("later").write(sandbox.incoming()).display().to_string();
    let later = |suite: &str| sandbox.publish_after(60, &["-a", "mirror", "add", "--suite", suite, &file]);
    later("stable").fails(1).says(["suite `stable` is another name of suite `bookworm`", "--suite bookworm"]);
    later("bookworm").ok();
    assert!(index(&sandbox, "bookworm").contains("Package: later"));
    let file =
        |suite: &str, name: &str| fs::read(sandbox.path("mirror/dists").join(suite).join(name)).unwrap();
    assert_eq!(file("stable", "Release"), file("bookworm", "Release"));
    assert_eq!(index(&sandbox, "stable"), index(&sandbox, "bookworm"));
    sandbox.publish_after(60, &["-a", "mirror", "check"]).ok();
    // The records of the names outlive all generations of their time.
    age(&sandbox.path("mirror"), 30);
    sandbox.publish_after(30 * 24 * 60 * 60, &["-a", "mirror", "prune"]).ok();
    for record in ["bookworm/generations/names/stable", "stable/generations/name-of/bookworm"] {
        assert!(sandbox.path("mirror/dists").join(record).exists(), "{record}");
    }
    sandbox.publish_after(60, &["-a", "mirror", "check"]).ok();
    // A name that leads elsewhere is forgotten.
    let other = deb("other").write(sandbox.incoming()).display().to_string();
    sandbox.publish_after(90, &["add", "--suite", "trixie", "--new-suite", &other]).ok();
    fs::remove_file(sandbox.archive("dists/stable")).unwrap();
    symlink("trixie", sandbox.archive("dists/stable")).unwrap();
    sandbox.publish_after(99, &["sync", "./mirror", "--allow-older"]).ok();
    assert_eq!(index(&sandbox, "stable"), index(&sandbox, "trixie"));
    let file = deb("more").write(sandbox.incoming()).display().to_string();
    sandbox.publish_after(120, &["-a", "mirror", "add", "--suite", "bookworm", &file]).ok();
    assert_eq!(index(&sandbox, "stable"), index(&sandbox, "trixie"));
    sandbox.publish_after(120, &["-a", "mirror", "add", "--suite", "trixie", &file]).ok();
    assert!(index(&sandbox, "stable").contains("Package: more"));
}

/// Where no link is, records tell later commands that both names are one suite.
#[test]
fn names_that_are_copies_are_carried_on_and_dropped() {
    let sandbox = Sandbox::new();
    add(&sandbox, "archive", "1").ok();
    sandbox.publish(["sync", "./mirror"]).ok();
    fs::rename(sandbox.path("mirror/dists/bookworm"), sandbox.path("mirror/dists/stable")).unwrap();
    symlink("bookworm", sandbox.archive("dists/stable")).unwrap();
    sandbox.publish(["sync", "./mirror"]).ok();
    assert!(!sandbox.path("mirror/dists/stable").is_symlink());
    // From there on.
    sandbox.publish(["-a", "mirror", "sync", "./back"]).ok().says(["Linked suite `stable` to `bookworm`"]);
    let file = deb("later").write(sandbox.incoming()).display().to_string();
    let later = |archive: &str, suite: &str| {
        sandbox.publish_after(60, &["-a", archive, "add", "--suite", suite, &file])
    };
    later("back", "bookworm").ok();
    let listed =
        |archive: &str, suite: &str| sandbox.publish(["-a", archive, "list", "-s", suite]).ok().stdout;
    assert_eq!(listed("back", "stable").replace("stable", "bookworm"), listed("back", "bookworm"));
    let drop = |suite: &str| sandbox.publish(["-a", "mirror", "drop", suite, "--yes"]);
    drop("bookworm").fails(1).says(["is also published as `stable`", "`publish drop stable`"]);
    drop("stable").ok();
    later("mirror", "bookworm").ok();
    assert!(!sandbox.path("mirror/dists/stable/Release").exists());
    drop("bookworm").ok();
}

#[tokio::test]
async fn both_names_in_a_bucket_agree_after_publishers_that_meet() {
    let (sandbox, store) = (Sandbox::new(), memory());
    let on = |seconds: u64| Publisher::on(store.clone()).later(seconds).of("bookworm");
    let package = |name: &str| [deb(name).write(sandbox.incoming())];
    on(0).add(&package("one")).await.unwrap();
    let suite = |name: &str| Suite::parse(name).unwrap();
    let archive = Archive::new(store.clone(), Trust::unverified());
    archive.record_other_name(&suite("bookworm"), &suite("stable")).await.unwrap();
    let read = async |name: &str| {
        let published = archive.suite(&suite(name)).await.unwrap();
        published.pointer().map(|pointer| pointer.bytes.clone()).unwrap_or_default()
    };
    on(60).add(&package("two")).await.unwrap();
    assert_eq!(read("stable").await, read("bookworm").await);
    let (three, four) = (package("three"), package("four"));
    let (one, other) = (on(120), on(120));
    let (one, other) = tokio::join!(one.add(&three), other.add(&four));
    one.unwrap();
    other.unwrap();
    assert_eq!(read("stable").await, read("bookworm").await);
    let error = Publisher::on(store.clone()).later(180).add(&package("five")).await.unwrap_err();
    assert!(matches!(error, Error::OtherName { .. }), "{error}");
    let check = publish::archive::Check::new(&[]);
    assert!(archive.check(&check, &|_| ()).await.unwrap().faults.is_empty());
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
    sandbox
        .publish(["init", "--suite", "z", "--unsigned"])
        .fails(1)
        .says(["holds an archive without `dists/`"]);
    sandbox.publish(["list"]).fails(1).says(["but one without", "import"]);
    assert_eq!(sandbox.tree(), before);
    fs::remove_file(sandbox.archive("Packages.gz")).unwrap();
    sandbox.publish(["add", file.to_str().unwrap()]).ok();
    // Once it has begun, such a file is no obstacle.
    fs::write(sandbox.archive("Packages.gz"), "").unwrap();
    let file = deb("bar").write(sandbox.incoming());
    sandbox.publish(["add", file.to_str().unwrap()]).ok();
}

/// A bucket has no links: a sync that names one of the names brings all of them that are there.
#[test]
fn a_sync_of_one_name_publishes_all_that_the_bucket_has() {
    let Some(bucket) = buckets::moto() else { return };
    let sandbox = Sandbox::new();
    add(&sandbox, "archive", "1").ok();
    symlink("bookworm", sandbox.archive("dists/stable")).unwrap();
    let at = |seconds: u64| (1_748_736_000 + seconds).to_string();
    let sync = |seconds: u64, place: &str, more: &[&str]| {
        bucket.publish(&sandbox, &at(seconds), &[&["sync", place], more].concat())
    };
    let change = |seconds: u64, name: &str| {
        let file = deb(name).write(sandbox.incoming()).display().to_string();
        sandbox.publish_after(seconds, &["add", "--suite", "bookworm", &file]).ok();
    };
    let listed = |place: &str, suite: &str| {
        let listed = bucket.publish(&sandbox, &at(900), &["-a", place, "list", "-s", suite]).ok().stdout;
        listed.replace("stable", "bookworm")
    };
    let is_one = |place: &str, name: &str| {
        let names = ["bookworm", "stable"].map(|suite| listed(place, suite));
        assert_eq!(names[0], names[1]);
        assert!(names[0].contains(name), "{}", names[0]);
    };
    let (both, each) = (format!("{}/both", bucket.location), format!("{}/each", bucket.location));
    sync(0, &both, &[]).ok();
    for (seconds, name, suite) in [(60, "one", "bookworm"), (120, "two", "stable")] {
        change(seconds, name);
        sync(seconds, &both, &["--suite", suite]).ok();
        is_one(&both, name);
    }
    // Two first syncs, each of one name; then a commit there.
    sync(180, &each, &["--suite", "stable"]).ok();
    sync(180, &each, &["--suite", "bookworm"]).ok();
    let file = deb("there").write(sandbox.incoming()).display().to_string();
    bucket.publish(&sandbox, &at(240), &["-a", &each, "add", "--suite", "bookworm", &file]).ok();
    is_one(&each, "there");
    // From one bucket to another, and from an archive that does not know of the other name.
    change(300, "three");
    sync(300, &both, &["--suite", "bookworm"]).ok();
    let from = ["-a", &both, "sync", &each, "--allow-older", "--suite", "bookworm"];
    bucket.publish(&sandbox, &at(360), &from).ok();
    is_one(&each, "three");
    fs::remove_file(sandbox.archive("dists/stable")).unwrap();
    change(420, "four");
    sync(420, &each, &["--suite", "bookworm"]).ok().says(["`stable`", "another name of `bookworm`"]);
    is_one(&each, "four");
    let checked = bucket.publish(&sandbox, &at(480), &["-a", &each, "check"]).ok();
    checked.says(["no faults"]);
}

/// An archive on the web that is no folder here: only the destination knows which names are one suite.
#[test]
fn a_name_alone_is_refused_where_the_suite_would_stay_behind() {
    let sandbox = Sandbox::new();
    add(&sandbox, "archive", "1").ok();
    symlink("bookworm", sandbox.archive("dists/stable")).unwrap();
    let web = Web::of(sandbox.archive(""));
    let sync = |seconds: u64, suites: &[&str]| {
        let named: Vec<&str> = suites.iter().flat_map(|suite| ["--suite", *suite]).collect();
        sandbox.publish_after(seconds, &[&["-a", &web.url, "sync", "./mirror"], &named[..]].concat())
    };
    sync(0, &["stable"]).ok();
    sync(0, &["bookworm"]).ok();
    // A copy of the folder records what the web does not show.
    sandbox.publish(["sync", "./mirror"]).ok();
    let other = deb("other").write(sandbox.incoming()).display().to_string();
    sandbox.publish_after(60, &["add", "--suite", "bookworm", &other]).ok();
    let before = Tree::read(&sandbox.path("mirror"));
    sync(60, &["stable"])
        .fails(1)
        .says(["suite `stable` is another name of suite `bookworm`", "`--suite bookworm`"]);
    assert_eq!(Tree::read(&sandbox.path("mirror")), before);
    sync(60, &["bookworm"]).ok().says(["Published suite `stable`"]);
    assert_eq!(index(&sandbox, "stable"), index(&sandbox, "bookworm"));
    assert!(index(&sandbox, "stable").contains("Package: other"));
    sandbox.publish_after(60, &["check", "./mirror"]).ok();
}
