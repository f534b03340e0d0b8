//! Tests of `publish snapshot`: the content of a suite remains readable, whatever happens to the suite.

use std::{fs, time::Duration};

use publish::archive::{Error, GRACE, Keep};

use crate::{
    apt_client::{Client, Source},
    buckets,
    deb_builder::deb,
    faults::{Faults, Side},
    publisher::{Publisher, a_month_ago},
    sandbox::{Sandbox, age, fixture},
};

/// An archive with a snapshot `1` of a suite that has changed since: `hello` was replaced, and a week has passed.
fn with_later_changes() -> Sandbox {
    let sandbox = Sandbox::signed();
    sandbox.configure("Codename: stable\nComponents: main\nArchitectures: amd64\nLimit: 1\nValidFor: 7d\n");
    deb("hello").write(sandbox.path("one"));
    deb("hello").version("2.0").write(sandbox.path("two"));
    sandbox.publish_after(0, &["add", sandbox.path("one").to_str().unwrap()]).ok();
    let before = sandbox.tree();
    sandbox.publish_after(30, &["snapshot", "1", "--dry-run"]).ok().says(["Would write"]);
    assert_eq!(sandbox.tree(), before);
    let said = sandbox.publish_after(30, &["snapshot", "1"]).ok();
    said.says(["Published suite `stable/snapshots/1`", "Suites: stable/snapshots/1"]);
    sandbox.tree().keeps(&before, &[]);
    sandbox.publish_after(60, &["add", sandbox.path("two").to_str().unwrap()]).ok();
    sandbox
}

#[test]
fn clients_read_a_snapshot_after_a_prune_and_a_sync() {
    let sandbox = with_later_changes();
    age(&sandbox.archive(""), 30);
    let later = 20 * 24 * 60 * 60;
    sandbox.publish_after(later, &["refresh"]).ok().says(["Re-signed suite `stable`"]);
    sandbox.publish_after(later, &["prune", "--keep-for", "1d", "--keep-generations", "1"]).ok();
    sandbox.publish_after(later, &["check"]).ok().says(["Checked 2 suites"]);
    sandbox.publish_after(later, &["sync", "./there"]).ok().says(["Published suite `stable/snapshots/1`"]);
    for folder in [sandbox.archive(""), sandbox.path("there")] {
        for mut apt in Client::all(&sandbox) {
            let source = Source::folder(&folder).signed_by(fixture("keys/test.pub.asc"));
            apt.source(&source.suite("stable/snapshots/1"));
            apt.updates();
            assert_eq!(apt.candidate("hello").as_deref(), Some("1.0"), "{}", apt.name);
            assert!(!apt.download("hello").is_empty());
        }
    }
    let release = sandbox.read("dists/stable/snapshots/1/Release");
    assert!(!release.contains("Valid-Until"), "{release}");
}

#[test]
fn a_snapshot_does_not_change() {
    let sandbox = with_later_changes();
    let before = sandbox.tree();
    let two = sandbox.path("two");
    for arguments in [
        &["add", two.to_str().unwrap(), "--suite", "stable/snapshots/1"][..],
        &["remove", "hello", "--suite", "stable/snapshots/1"],
        &["rollback", "stable/snapshots/1"],
    ] {
        sandbox.publish_after(90, arguments).fails(1).says(["is a snapshot and cannot be changed", "hint: "]);
    }
    let said = sandbox.publish_after(90, &["snapshot", "1"]).fails(1);
    said.says(["snapshot `stable/snapshots/1` already exists with different content"]);
    for bad in ["a//b", "..", "", "a b"] {
        sandbox.publish_after(90, &["snapshot", bad]).fails(2);
    }
    sandbox.publish_after(90, &["snapshot", "--remove", "2"]).fails(1);
    assert_eq!(sandbox.tree(), before);
    // The same content again is not another snapshot.
    sandbox.publish_after(90, &["snapshot", "2"]).ok();
    sandbox.publish_after(120, &["snapshot", "2"]).ok().says(["Nothing to do"]);
    // A later snapshot may be signed with another key.
    sandbox
        .publish_after(150, &["refresh", "--force", "--suite", "stable/snapshots/1"])
        .ok()
        .says(["Re-signed suite"]);
    sandbox.publish_after(150, &["check"]).ok();
}

#[test]
fn a_snapshot_lists_only_files_that_it_has() {
    let sandbox = Sandbox::new();
    // Another tool lists a form of an index and a file that it does not store.
    let there: [(&str, &[u8]); 2] = [
        ("main/binary-amd64/Packages", b"Package: hello\nVersion: 1.0\nArchitecture: amd64\nFilename: pool/hello.deb\nSize: 4\nSHA256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\n"),
        ("main/Contents-amd64.gz", b"never read"),
    ];
    sandbox.adopt_files("stable", &there);
    fs::create_dir_all(sandbox.archive("pool")).unwrap();
    fs::write(sandbox.archive("pool/hello.deb"), "test").unwrap();
    fs::remove_file(sandbox.archive("dists/stable/main/Contents-amd64.gz")).unwrap();
    let take = ["snapshot", "1", "--suite", "stable"];
    sandbox.publish_after(0, &take).ok();
    sandbox.publish_after(60, &take).ok();
    let release = sandbox.read("dists/stable/snapshots/1/Release");
    assert!(release.contains("Packages") && !release.contains("Contents"), "{release}");
    sandbox.publish_after(60, &["check", "--suite", "stable/snapshots/1"]).ok();
    // A form that is lost is a fault, as it is in a suite.
    let sandbox = with_later_changes();
    let snapshot = sandbox.archive("dists/stable/snapshots/1/main/binary-amd64");
    fs::remove_file(snapshot.join("Packages.xz")).unwrap();
    fs::remove_dir_all(snapshot.join("by-hash")).unwrap();
    let found = sandbox.publish_after(90, &["check"]).fails(4);
    assert!(found.stdout.contains("Packages.xz: it is listed but missing"), "{}", found.stdout);
}

#[test]
fn snapshots_are_listed_and_removed() {
    let sandbox = with_later_changes();
    let before = sandbox.tree();
    sandbox.publish_after(90, &["snapshot", "longer-name"]).ok();
    let said = sandbox.publish_after(120, &["snapshot", "--list"]).ok();
    insta::assert_snapshot!(said.stdout, @r"
    1 2025-06-01T00:00:30Z
    longer-name 2025-06-01T00:01:30Z
    ");
    let said = sandbox.publish_after(120, &["--json", "snapshot", "--list"]).ok();
    let said: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(said["snapshots"][1]["name"], "longer-name");
    sandbox.publish_after(120, &["snapshot", "--remove", "longer-name", "-n"]).ok().says(["Would remove"]);
    sandbox.publish_after(120, &["snapshot", "--remove", "longer-name"]).ok().says(["Removed snapshot"]);
    assert_eq!(sandbox.tree(), before);
    assert!(!sandbox.archive("dists/stable/snapshots/longer-name").exists());
    sandbox.publish_after(120, &["check"]).ok();
    // Files that only the removed snapshot referenced are deleted by the next prune.
    sandbox.publish_after(120, &["snapshot", "--remove", "1"]).ok();
    age(&sandbox.archive(""), 30);
    let later = 20 * 24 * 60 * 60;
    sandbox.publish_after(later, &["refresh"]).ok().says(["Re-signed suite `stable`"]);
    sandbox.publish_after(later, &["prune", "--keep-for", "1d", "--keep-generations", "1"]).ok();
    assert!(!sandbox.archive("pool/main/h/hello/hello_1.0_amd64.deb").exists());
    sandbox.publish_after(later, &["check"]).ok();
}

#[test]
fn a_concurrently_changed_suite_is_read_again_and_missing_indices_are_reported() {
    let sandbox = with_later_changes();
    fs::remove_dir_all(sandbox.archive("dists/stable/main")).unwrap();
    let before = sandbox.tree();
    sandbox.publish_after(90, &["snapshot", "2"]).fails(1).says(["missing", "hint: "]);
    assert_eq!(sandbox.tree(), before);
}

#[tokio::test]
async fn a_bucket_has_snapshots_too() {
    let sandbox = Sandbox::signed();
    let one = deb("one").write(sandbox.incoming());
    for bucket in buckets::each() {
        let publisher = Publisher::on(bucket.store());
        publisher.add(std::slice::from_ref(&one)).await.unwrap();
        assert!(publisher.snapshot("1").await.unwrap().published, "{}", bucket.location);
        assert!(!publisher.snapshot("1").await.unwrap().published);
        publisher.later(10).remove("one").await.unwrap();
        let publisher = Publisher::on(bucket.store()).later(20);
        publisher.prune(Keep { generations: 1, span: Duration::ZERO }, Duration::ZERO).await.unwrap();
        assert_eq!(publisher.faults().await, [], "{}", bucket.location);
        let store = bucket.store();
        assert!(store.size("pool/main/o/one/one_1.0_amd64.deb").await.unwrap().is_some());
    }
}

/// A package is removed, and its file pruned, during a snapshot of the suite with that package.
#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_races_with_a_removal_and_a_prune() {
    let sandbox = Sandbox::signed();
    deb("one").write(sandbox.incoming());
    deb("two").write(sandbox.incoming());
    let faults = Faults::none();
    Publisher::on(faults.on(a_month_ago(&sandbox).await)).later(20).snapshot("1").await.unwrap();
    let writes = faults.writes();
    for (at, write) in writes.iter().enumerate() {
        let store = a_month_ago(&sandbox).await;
        let (faults, gate) = Faults::wait(at + 1, Side::Before);
        let publisher = Publisher::on(faults.on(store.clone())).later(20);
        let meanwhile = async {
            gate.reached().await;
            let other = Publisher::on(store.clone()).later(30);
            other.remove("one").await.unwrap();
            let keep = Keep { generations: 1, span: Duration::ZERO };
            Publisher::on(store.clone()).later(40).prune(keep, GRACE).await.unwrap();
            gate.open();
        };
        let (made, ()) = tokio::join!(publisher.snapshot("1"), meanwhile);
        match made {
            Ok(made) => assert!(made.published, "{write:?}"),
            // The generation for the snapshot was deleted, and no other one is used instead.
            Err(Error::Overtaken { .. }) => {
                assert_eq!(
                    store.size("dists/stable/snapshots/1/InRelease").await.unwrap(),
                    None,
                    "{write:?}"
                );
            }
            Err(error) => panic!("{write:?}: {error}"),
        }
        assert_eq!(Publisher::on(store.clone()).later(50).faults().await, [], "{write:?}");
    }
}
