//! Which versions a suite keeps and removes, and that surplus versions reach their next suite before they leave.

use std::{fs, path::PathBuf};

use serde_json::Value;

use crate::{
    apt_client::{Client, Source},
    deb_builder::deb,
    faults::{Faults, SIDES},
    publisher::{Publisher, memory},
    sandbox::{CLOCK, Outcome, Sandbox, age, fixture, sha256},
    servers::{self, Bucket},
};

/// One version of each package in `stable`, at most two older ones in `old`, and the rest in `older`.
const CHAIN: &str = "Codename: stable\nComponents: main\nArchitectures: amd64\nLimit: 1\nArchive: old\n\n\
    Codename: old\nComponents: main\nArchitectures: amd64\nLimit: 2\nArchive: older\n\n\
    Codename: older\nComponents: main\nArchitectures: amd64\n";

fn add(sandbox: &Sandbox, version: &str) -> Outcome {
    let file = deb("hello").version(version).write(sandbox.incoming());
    sandbox.publish(["add".as_ref(), "--suite".as_ref(), "stable".as_ref(), file.as_os_str()])
}

fn versions(sandbox: &Sandbox, suite: &str) -> Vec<String> {
    let listed = sandbox.publish(["list", "--suite", suite, "hello"]).ok().stdout;
    listed.lines().map(|line| line.split_whitespace().last().unwrap().to_owned()).collect()
}

/// The system time, which determines the age of an archive's files.
fn now(sandbox: &Sandbox) -> String {
    sandbox.ask("date", ["+%s"]).trim().to_owned()
}

#[test]
fn old_versions_are_removed_but_never_the_newest() {
    let sandbox = Sandbox::signed();
    for version in ["1.0", "2.0", "3.0"] {
        deb("hello").version(version).write(sandbox.incoming());
        deb("lib-hello").version(version).write(sandbox.incoming());
    }
    deb("lonely").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok();
    age(&sandbox.archive("pool"), 100);
    let young = sandbox.archive("pool/main/h/hello/hello_2.0_amd64.deb");
    fs::write(&young, fs::read(&young).unwrap()).unwrap();

    let clock = now(&sandbox);
    let prune =
        |more: &[&str]| sandbox.publish_with(&[("PUBLISH_DATE", &clock)], [&["prune"], more].concat());
    prune(&["--older-than", "101d"]).ok().says(["Nothing to delete"]);
    prune(&["--older-than", "90d", "--keep", "3"]).ok().says(["Nothing to delete"]);
    let before = sandbox.tree();
    prune(&["-n", "--older-than", "90d"]).ok().says(["Would remove 3 packages", "- lib-hello 2.0 amd64"]);
    assert_eq!(sandbox.tree(), before);

    prune(&["--older-than", "90d", "--package", "[gh]*"]).ok().says(["Removed 1 package", "hello 1.0 amd64"]);
    assert_eq!(versions(&sandbox, "stable"), ["2.0", "3.0"]);
    // The newest two are kept, whatever their age.
    prune(&["--older-than", "90d", "--keep", "2"]).ok().says(["Removed 1 package", "lib-hello 1.0 amd64"]);
    prune(&["--older-than", "90d"]).ok().says(["Removed 1 package", "lib-hello 2.0 amd64"]);
    prune(&["--keep", "1", "--package", "lib*", "--package", "lone?y"]).ok().says(["Nothing to delete"]);
    assert_eq!(versions(&sandbox, "stable"), ["2.0", "3.0"]);
    sandbox.publish_with(&[("PUBLISH_DATE", &clock)], ["check"]).ok();

    prune(&["--package", "h*"]).fails(2).says(["--keep NUMBER", "--older-than TIME"]);
    prune(&["--older-than", "90"]).fails(2).says(["7d"]);
    // The age of a missing file is unknown.
    fs::remove_file(&young).unwrap();
    prune(&["--older-than", "1h"]).ok().says(["Nothing to delete"]);
}

#[test]
fn a_read_only_suite_is_skipped_unless_named() {
    let sandbox = Sandbox::signed();
    add(&sandbox, "1.0").ok();
    add(&sandbox, "2.0").ok();
    sandbox.configure("Codename: stable\nComponents: main\nReadOnly: yes\n");
    sandbox.publish(["prune", "--keep", "1"]).ok().says(["Nothing to delete"]);
    sandbox
        .publish(["prune", "--keep", "1", "--suite", "stable"])
        .fails(1)
        .says(["suite `stable` is read-only"]);
    assert_eq!(versions(&sandbox, "stable"), ["1.0", "2.0"]);
}

#[test]
fn surplus_versions_are_moved_before_they_are_removed() {
    let sandbox = Sandbox::signed();
    sandbox.configure(CHAIN);
    add(&sandbox, "1.0").ok();
    let plan = sandbox.tree();
    let file = deb("hello").version("2.0").write(sandbox.incoming());
    let add_two = ["add".as_ref(), "-n".as_ref(), "--suite".as_ref(), "stable".as_ref(), file.as_os_str()];
    sandbox.publish(add_two).ok().says([
        "Would add 1 package to suite `stable`",
        "Would move 1 package from suite `stable` to suite `old`",
        "  > hello 1.0 amd64 (main)",
        "nothing was written",
    ]);
    assert_eq!(sandbox.tree(), plan);

    let said = add(&sandbox, "2.0").ok();
    said.says(["Moved 1 package from suite `stable` to suite `old`", "Published suite `old`: "]);
    assert!(!said.stderr.contains("Removed"), "{}", said.stderr);
    add(&sandbox, "3.0").ok();
    let file = deb("hello").version("4.0").write(sandbox.incoming());
    let output = sandbox
        .publish(["--json".as_ref(), "add".as_ref(), "--suite".as_ref(), "stable".as_ref(), file.as_os_str()])
        .ok();
    let json: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(json["removed"], json["moved"]["packages"]);
    let old = &json["moved"]["to"];
    assert_eq!((&old["suite"], &old["added"][0]["version"]), (&"old".into(), &"3.0".into()));
    let older = &old["moved"]["to"];
    assert_eq!((&older["suite"], &older["added"][0]["version"]), (&"older".into(), &"1.0".into()));

    assert_eq!(versions(&sandbox, "stable"), ["4.0"]);
    assert_eq!(versions(&sandbox, "old"), ["2.0", "3.0"]);
    assert_eq!(versions(&sandbox, "older"), ["1.0"]);
    sandbox.publish(["check"]).ok();
    for mut apt in Client::all(&sandbox) {
        let all = Source::folder(sandbox.archive("")).suite("stable old older");
        apt.source(&all.signed_by(fixture("keys/test.pub.asc")));
        apt.updates();
        let mut versions = apt.versions("hello");
        versions.sort();
        assert_eq!(versions, ["1.0", "2.0", "3.0", "4.0"], "{}", apt.name);
        assert!(!apt.download("hello=1.0").is_empty());
    }
}

#[test]
fn versions_beyond_two_suites_move_to_the_third() {
    let sandbox = Sandbox::signed();
    sandbox.configure(CHAIN);
    for version in ["2.0", "3.0", "4.0"] {
        add(&sandbox, version).ok();
    }
    // It is the newest neither in `stable` nor in `old`.
    sandbox.configure(&CHAIN.replacen("Limit: 1\nArchive: old\n", "", 1));
    add(&sandbox, "1.0").ok();
    sandbox.configure(CHAIN);
    sandbox.publish(["prune"]).ok().says([
        "Moved 1 package from suite `stable` to suite `old`",
        "Moved 1 package from suite `old` to suite `older`",
        "  > hello 1.0 amd64 (main)",
    ]);
    assert_eq!(versions(&sandbox, "stable"), ["4.0"]);
    assert_eq!(versions(&sandbox, "old"), ["2.0", "3.0"]);
    assert_eq!(versions(&sandbox, "older"), ["1.0"]);
    // Adding it to a suite that keeps only newer versions is still an error.
    add(&sandbox, "0.5").fails(1).says(["`Limit: 1` keeps newer versions only"]);
    sandbox.publish(["check"]).ok();
}

#[test]
fn moved_versions_are_kept_by_the_other_suite() {
    let sandbox = Sandbox::signed();
    sandbox.configure(&CHAIN.replacen("Limit: 1\n", "", 1).replacen("Limit: 2\n", "", 1));
    for version in ["1.0", "2.0", "3.0", "4.0"] {
        add(&sandbox, version).ok();
    }
    sandbox
        .publish(["prune", "--keep", "2"])
        .ok()
        .says(["Moved 2 packages from suite `stable` to suite `old`"]);
    sandbox
        .publish(["prune", "--keep", "1"])
        .ok()
        .says(["Moved 1 package from suite `stable` to suite `old`"]);
    assert_eq!(versions(&sandbox, "old"), ["1.0", "2.0", "3.0"]);
    sandbox.publish(["prune", "--keep", "1", "--suite", "old"]).ok().says(["Moved 2 packages"]);
    assert_eq!(versions(&sandbox, "old"), ["3.0"]);
    assert_eq!(versions(&sandbox, "older"), ["1.0", "2.0"]);
}

#[test]
fn a_version_that_cannot_be_moved_is_kept() {
    let sandbox = Sandbox::signed();
    sandbox.configure(CHAIN);
    add(&sandbox, "1.0").ok();
    let refused = |configuration: &str, says: &[&str]| {
        sandbox.configure(configuration);
        let before = sandbox.tree();
        let outcome = add(&sandbox, "2.0").fails(1);
        outcome.says(says.iter().copied());
        // A failed edit may leave unreferenced files.
        sandbox.tree().keeps(&before, &[]);
        sandbox.configure(CHAIN);
        assert_eq!(versions(&sandbox, "stable"), ["1.0"]);
    };
    let (stable, rest) = CHAIN.split_once("Codename: old\n").unwrap();
    refused(
        &format!("{stable}Codename: old\nReadOnly: yes\n{rest}"),
        &["suite `old` is read-only (`ReadOnly: yes`)"],
    );
    let elsewhere = rest.replacen("main", "contrib", 1);
    refused(&format!("{stable}Codename: old\n{elsewhere}"), &["suite `old`", "`main`", "`contrib`"]);
    let elsewhere = rest.replacen("amd64", "arm64", 1);
    refused(
        &format!("{stable}Codename: old\n{elsewhere}"),
        &["cannot move `hello 1.0 amd64` to suite `old`", "`amd64` is not one of the suite's"],
    );
    refused(stable, &["field `Archive` names `old`, which is not the codename of any suite"]);
    let circle = format!("{CHAIN}Limit: 1\nArchive: stable\n");
    refused(&circle, &["`conf/distributions`", "forms a circle"].map(|text| text.trim_start_matches('`')));
    add(&sandbox, "2.0").ok();
}

/// A version that leaves the archive entirely is reported as such, and not only as moved.
#[test]
fn versions_removed_from_the_other_suite_are_reported() {
    let sandbox = Sandbox::signed();
    sandbox.configure(&CHAIN.replacen("Limit: 2\nArchive: older\n", "Limit: 1\n", 1));
    add(&sandbox, "1.0").ok();
    add(&sandbox, "2.0").ok();
    add(&sandbox, "3.0").ok().says([
        "Moved 1 package from suite `stable` to suite `old`",
        "  > hello 2.0 amd64 (main)",
        "Removed 1 package from suite `old`",
        "  - hello 1.0 amd64 (main)",
    ]);
    sandbox.publish(["remove", "--suite", "stable", "hello"]).ok();
    add(&sandbox, "0.1").ok();
    add(&sandbox, "0.2").ok().says([
        "Moved 1 package from suite `stable` to suite `old`",
        "  > hello 0.1 amd64 (main)",
        "Removed 1 package from suite `old`",
        "  - hello 0.1 amd64 (main)",
    ]);
    assert_eq!(versions(&sandbox, "old"), ["2.0"]);
}

/// If packages are named, the suite for surplus versions keeps all others, like every suite.
#[test]
fn only_named_packages_leave_the_other_suite() {
    let sandbox = Sandbox::signed();
    let unlimited = CHAIN.replacen("Limit: 2\nArchive: older\n", "", 1);
    sandbox.configure(&unlimited);
    for version in ["1.0", "2.0"] {
        deb("hello").version(version).write(sandbox.incoming());
        deb("world").version(version).write(sandbox.incoming());
    }
    sandbox.publish(["add", "--suite", "old", "incoming"]).ok();
    sandbox.configure(&CHAIN.replacen("Limit: 2\nArchive: older\n", "Limit: 1\n", 1));
    sandbox
        .publish(["prune", "--keep", "1", "--package", "world"])
        .ok()
        .says(["Removed 1 package from suite `old`", "  - world 1.0 amd64"]);
    assert_eq!(versions(&sandbox, "old"), ["1.0", "2.0"]);
    sandbox.publish(["prune", "--keep", "1"]).ok().says(["  - hello 1.0 amd64"]);
}

#[test]
fn a_removal_does_not_create_a_suite() {
    let sandbox = Sandbox::signed();
    sandbox.configure(CHAIN);
    add(&sandbox, "1.0").ok();
    let before = sandbox.tree();
    for dry in [&["-n"][..], &[]] {
        let prune = [&["prune", "--suite", "old", "--keep", "1"], dry].concat();
        let said = sandbox.publish(prune).ok();
        assert!(!said.stderr.contains("suite `old`"), "{}", said.stderr);
    }
    assert_eq!(sandbox.tree(), before);
}

/// Other tools write `./pool/…`, which apt normalizes to `pool/…` and a store would not.
#[test]
fn the_age_of_a_file_is_found_in_foreign_indices() {
    let sandbox = Sandbox::new();
    let stanza = |version: &str| {
        let path = sandbox.archive("pool");
        let file = deb("hello").version(version).write(&path);
        let bytes = fs::read(file).unwrap();
        format!(
            "Package: hello\nVersion: {version}\nArchitecture: amd64\nFilename: ./pool/hello_{version}_amd64.deb\nSize: {}\nSHA256: {}\n\n",
            bytes.len(),
            sha256(&bytes)
        )
    };
    sandbox.adopt_index(&(stanza("1.0") + &stanza("2.0") + &stanza("3.0")));
    age(&sandbox.archive("pool"), 100);
    let clock = now(&sandbox);
    sandbox
        .publish_with(&[("PUBLISH_DATE", &clock)], ["prune", "--older-than", "90d", "--keep", "2"])
        .ok()
        .says(["Removed 1 package", "  - hello 1.0 amd64"]);
    assert_eq!(versions(&sandbox, "stable"), ["2.0", "3.0"]);
}

/// A removal moves nothing, and needs no key of the other suite.
#[test]
fn a_removal_needs_the_keys_of_one_suite() {
    let sandbox = Sandbox::new();
    let key = fixture("keys/test.asc");
    let signed = |other: &str| {
        let text = CHAIN.replacen("Limit: 1\n", &format!("SignWith: {}\nLimit: 1\n", key.display()), 1);
        text.replacen("Limit: 2\n", &format!("SignWith: {other}\nLimit: 2\n"), 1)
    };
    sandbox.configure(&signed(key.to_str().unwrap()));
    add(&sandbox, "1.0").ok();
    sandbox.configure(&signed("not-here.asc"));
    add(&sandbox, "2.0").fails(1).says(["there is no key file", "not-here.asc"]);
    sandbox.publish(["remove", "--suite", "stable", "hello"]).ok().says(["Removed 1 package"]);
}

/// As with `copy`: packages of an unsigned suite, which any writer may have added, are not signed elsewhere.
#[test]
fn unsigned_packages_are_not_signed_by_a_move() {
    let sandbox = Sandbox::new();
    let signs = format!("SignWith: {}\nLimit: 2\n", fixture("keys/test.asc").display());
    sandbox.configure(&CHAIN.replacen("Limit: 2\nArchive: older\n", &signs, 1));
    add(&sandbox, "1.0").ok();
    let copy = ["copy", "hello", "--from", "stable", "--to", "old"];
    sandbox.publish(copy).fails(1).says(["is not signed"]);
    add(&sandbox, "2.0").fails(1).says([
        "cannot move surplus versions of suite `stable` to suite `old`: `stable` is not signed and `old` is",
        "hint: sign both suites",
    ]);
    assert_eq!(versions(&sandbox, "stable"), ["1.0"]);
    let file = sandbox.incoming().join("hello_2.0_amd64.deb");
    let trusting = ["--trust-existing", "add", "--suite", "stable", file.to_str().unwrap()];
    sandbox.publish(trusting).ok().says(["Moved 1 package from suite `stable` to suite `old`"]);
}

/// A package may have been in another component before; the suite that keeps it need not have it twice.
#[test]
fn a_version_in_another_component_of_the_other_suite_is_kept() {
    let sandbox = Sandbox::signed();
    let with_contrib = |text: &str| text.replace("Components: main", "Components: main contrib");
    sandbox.configure(&with_contrib(CHAIN));
    let add = |version: &str, component: &str| {
        let file = deb("hello").version(version).write(sandbox.incoming());
        let file = file.to_str().unwrap();
        sandbox.publish(["add", "--suite", "stable", "--component", component, file])
    };
    add("1.0", "contrib").ok();
    add("2.0", "contrib").ok();
    sandbox.publish(["remove", "--suite", "stable", "hello"]).ok();
    add("1.0", "main").ok();
    add("2.0", "main").ok().says(["Moved 1 package from suite `stable` to suite `old`"]);
    let listed = sandbox.publish(["list", "hello"]).ok().stdout;
    assert_eq!(listed, "old contrib amd64 hello 1.0\nstable main amd64 hello 2.0\n");
    sandbox.publish(["check"]).ok();
}

#[test]
fn a_lost_file_is_not_moved() {
    let sandbox = Sandbox::signed();
    sandbox.configure(CHAIN);
    add(&sandbox, "1.0").ok();
    fs::remove_file(sandbox.archive("pool/main/h/hello/hello_1.0_amd64.deb")).unwrap();
    add(&sandbox, "2.0").fails(1).says(["cannot move `hello 1.0 amd64` to suite `old`", "is missing"]);
    add(&sandbox, "1.0").ok().says(["Restored 1 file"]);
    add(&sandbox, "2.0").ok().says(["Moved 1 package"]);
}

/// The same version already exists with other bytes.
#[test]
fn other_bytes_in_the_other_suite_are_not_overwritten() {
    let sandbox = Sandbox::signed();
    sandbox.configure(CHAIN);
    let other = deb("hello").version("1.0").source("elsewhere").write(sandbox.path("elsewhere"));
    sandbox.publish(["add".as_ref(), "--suite".as_ref(), "old".as_ref(), other.as_os_str()]).ok();
    add(&sandbox, "1.0").ok();
    add(&sandbox, "2.0").fails(1).says([
        "cannot move `hello 1.0 amd64`",
        "is published with other contents",
        "remove one of the two with `publish remove`: the one in suite `old`",
    ]);
    assert_eq!(versions(&sandbox, "stable"), ["1.0"]);
}

/// Many concurrent jobs: every added version is in one of the two suites, and the newest is in the right one.
#[test]
fn concurrent_jobs_lose_nothing() {
    let sandbox = Sandbox::signed();
    sandbox.configure(&CHAIN.replace("Limit: 2\nArchive: older\n", ""));
    let files: Vec<PathBuf> = (1..=6)
        .map(|number| deb("hello").version(&format!("{number}.0")).write(sandbox.incoming()))
        .collect();
    let late = std::thread::scope(|scope| {
        let jobs = files.iter().map(|file| {
            scope.spawn(|| {
                sandbox.publish(["add".as_ref(), "--suite".as_ref(), "stable".as_ref(), file.as_os_str()])
            })
        });
        let jobs: Vec<_> = jobs.collect();
        jobs.into_iter()
            .map(|job| job.join().unwrap())
            .filter(|job| job.status != Some(0))
            .collect::<Vec<_>>()
    });
    // A job that adds an older version than the newest gets an error.
    for job in &late {
        assert!(job.stderr.contains("`Limit: 1` keeps newer versions only"), "{job}");
    }
    assert_eq!(versions(&sandbox, "stable"), ["6.0"]);
    let old = if late.len() == 5 { Vec::new() } else { versions(&sandbox, "old") };
    assert_eq!(old.len(), 5 - late.len(), "{old:?}");
    sandbox.publish(["check"]).ok();
}

/// For each failing write and side: every version is in one of the two suites at any time.
#[tokio::test]
async fn killed_anywhere_no_version_is_lost() {
    let sandbox = Sandbox::new();
    let file = |version: &str| vec![deb("hello").version(version).write(sandbox.incoming())];
    let (one, two) = (file("1.0"), file("2.0"));
    let begun = async |faults: &Faults| {
        let store = memory();
        Publisher::on(store.clone()).giving_to("old").add(&one).await.unwrap();
        (Publisher::on(faults.on(store.clone())).later(5).giving_to("old"), store)
    };
    let faults = Faults::none();
    begun(&faults).await.0.add(&two).await.unwrap();
    let writes = faults.writes();
    let swaps = writes.iter().filter(|write| write.path.ends_with("/InRelease"));
    assert!(swaps.count() >= 2, "{writes:?}");
    for at in 1..=writes.len() {
        for side in SIDES {
            let when = format!("{side:?} {:?}", writes[at - 1]);
            let (publisher, store) = begun(&Faults::fail(at, side)).await;
            let added = publisher.add(&two).await;
            let of = async |suite: &str| {
                let packages = Publisher::on(store.clone()).later(9).of(suite).packages().await;
                packages.unwrap_or_default()
            };
            let (one, new) = ("hello 1.0 amd64 of amd64".to_owned(), "hello 2.0 amd64 of amd64".to_owned());
            let (stable, old) = (of("stable").await, of("old").await);
            assert!(stable.contains(&one) || old.contains(&one), "{when}: {added:?}");
            // In the order that the protocol requires.
            assert!(!stable.contains(&new) || old.contains(&one), "{when}: {added:?}");
            let again = Publisher::on(store.clone()).later(9).giving_to("old");
            again.add(&two).await.unwrap();
            assert_eq!((of("stable").await, of("old").await), (vec![new], vec![one]), "{when}");
            assert_eq!(again.faults().await, [], "{when}");
        }
    }
}

fn in_a_bucket(bucket: Option<Bucket>) {
    let Some(bucket) = bucket else { return };
    let sandbox = Sandbox::signed();
    let conf = sandbox.path("distributions");
    fs::write(&conf, CHAIN).unwrap();
    let place = bucket.place();
    let run = |seconds: u64, arguments: &[&str]| {
        let clock = CLOCK.parse::<u64>().unwrap() + seconds;
        let base = ["-a", &place, "--config", conf.to_str().unwrap()];
        bucket.publish(&sandbox, &clock.to_string(), &[&base, arguments].concat())
    };
    for (seconds, version) in [(0, "1.0"), (10, "2.0")] {
        let file = deb("hello").version(version).write(sandbox.incoming());
        run(seconds, &["add", "--suite", "stable", file.to_str().unwrap()]).ok();
    }
    for mut apt in Client::all(&sandbox) {
        apt.source(&Source::at(&bucket.url()).suite("old").signed_by(fixture("keys/test.pub.asc")));
        apt.updates();
        assert_eq!(apt.versions("hello"), ["1.0"], "{} by {}", bucket.server, apt.name);
        assert!(!apt.download("hello").is_empty());
    }
    // All is younger than a day by the clock of the store, and older by one that is a year ahead.
    run(20, &["add", "--suite", "old", sandbox.incoming().join("hello_2.0_amd64.deb").to_str().unwrap()])
        .ok();
    let ahead = now(&sandbox).parse::<u64>().unwrap() + 366 * 24 * 60 * 60 - CLOCK.parse::<u64>().unwrap();
    let prune = ["prune", "--suite", "old", "--keep", "1", "--older-than", "365d"];
    run(30, &prune).ok().says(["Nothing to delete"]);
    run(ahead, &prune).ok().says(["Moved 1 package from suite `old` to suite `older`"]);
}

#[test]
fn in_a_bucket_of_s3() {
    in_a_bucket(servers::moto());
}

#[test]
fn in_a_container_of_swift() {
    in_a_bucket(servers::swift());
}
