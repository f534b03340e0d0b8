//! `publish prune`: which files are deleted and which are kept, and that recent clients are not affected.

use std::{fs, time::Duration};

use publish::{
    archive::{GRACE, Keep},
    store::Store,
};

use crate::{
    apt_client::{Client, Source},
    buckets,
    deb_builder::deb,
    faults::{Faults, Side},
    publisher::{Publisher, left_over},
    sandbox::{Sandbox, age, fixture},
};

fn pool(name: &str, version: &str) -> String {
    format!("pool/main/{}/{name}/{name}_{version}_amd64.deb", &name[..1])
}

/// An archive in which `hello` 1.0 was replaced by 2.0 and removed, days ago.
fn archive(configuration: &str) -> Sandbox {
    let sandbox = Sandbox::signed();
    if !configuration.is_empty() {
        sandbox.configure(configuration);
    }
    let add = |version: &str| {
        let file = deb("hello").version(version).write(sandbox.incoming());
        sandbox.publish(["add".as_ref(), file.as_os_str()]).ok();
    };
    add("1.0");
    add("2.0");
    sandbox.publish(["remove", "hello=1.0"]).ok();
    sandbox
}

#[test]
fn unreferenced_files_are_deleted_and_a_dry_run_explains_it() {
    let sandbox = archive("");
    let (old, new) = (pool("hello", "1.0"), pool("hello", "2.0"));
    let prune = |more: &[&str]| sandbox.publish([&["prune", "--keep-generations", "1"], more].concat());
    // Recent: clients may have any of the three generations.
    prune(&[]).ok().says(["Nothing to delete"]);
    age(&sandbox.archive(""), 6);
    prune(&[]).ok().says(["Nothing to delete"]);
    age(&sandbox.archive(""), 2);
    // As many generations as are kept by default, whatever their age.
    sandbox.publish(["prune"]).ok().says(["Nothing to delete"]);
    prune(&["--keep-for", "9d"]).ok().says(["Nothing to delete"]);

    let before = sandbox.tree();
    let clock = sandbox.ask("date", ["+%s"]).trim().to_owned();
    let plan = ["prune", "-n", "--keep-generations", "1"];
    sandbox.publish_with(&[("PUBLISH_DATE", &clock)], plan).ok().says([
        "Would delete",
        &format!("{old} (") as &str,
        "no retained generation references it",
        "an old generation of suite `stable`",
    ]);
    assert_eq!(sandbox.tree(), before);

    prune(&[]).ok().says(["Deleted "]);
    let after = sandbox.tree();
    assert!(!after.has(&old) && after.has(&new));
    // The pointer, its signature, and the record that it was published.
    assert_eq!(after.paths_with("/generations/").len(), 3);
    assert_eq!(after.paths_with("/by-hash/").len(), 3);
    assert_eq!(after.paths_with(".publish"), [""; 0]);
    assert!(!sandbox.archive("pool/main/h/hello").join("hello_1.0_amd64.deb").exists());
    sandbox.publish(["check"]).ok();
    prune(&[]).ok().says(["Nothing to delete"]);
    for mut apt in Client::all(&sandbox) {
        apt.source(&Source::folder(sandbox.archive("")).signed_by(fixture("keys/test.pub.asc")));
        apt.updates();
        assert_eq!(apt.versions("hello"), ["2.0"]);
    }
    // It can be added again.
    sandbox.publish(["add".as_ref(), sandbox.incoming().join("hello_1.0_amd64.deb").as_os_str()]).ok();
    sandbox.publish(["check"]).ok();
}

#[test]
fn the_configuration_sets_the_retention() {
    let sandbox = archive(
        "Codename: stable\nComponents: main\nArchitectures: amd64\nKeepFor: 20d\nKeepGenerations: 2\n",
    );
    age(&sandbox.archive(""), 19);
    sandbox.publish(["prune"]).ok().says(["Nothing to delete"]);
    age(&sandbox.archive(""), 2);
    sandbox.publish(["prune"]).ok().says(["Deleted "]);
    // Two of three generations are kept, and the second references both versions.
    assert!(sandbox.tree().has(&pool("hello", "1.0")));
    assert_eq!(sandbox.tree().paths_with("/published").len(), 2);
    sandbox.publish(["prune", "--keep-generations", "1"]).ok();
    assert!(!sandbox.tree().has(&pool("hello", "1.0")));
    sandbox.publish(["prune", "--keep-generations", "0"]).fails(2).says(["a number from 1 on"]);
    sandbox.publish(["prune", "--keep-for", "soon"]).fails(2).says(["7d"]);
}

#[test]
fn old_versions_are_removed_first_and_never_the_newest() {
    let sandbox = Sandbox::signed();
    for version in ["1.0", "2.0~rc1", "2.0", "1:0.1"] {
        deb("hello").version(version).write(sandbox.incoming());
    }
    deb("other").write(sandbox.incoming());
    sandbox.publish(["add".as_ref(), sandbox.incoming().as_os_str()]).ok();
    sandbox.publish(["prune", "-n", "--keep", "2"]).ok().says(["Would remove 2 packages", "hello 1.0 amd64"]);
    sandbox.publish(["prune", "--keep", "2"]).ok().says(["Removed 2 packages", "hello 2.0~rc1 amd64"]);
    let versions = |sandbox: &Sandbox| {
        let listed = sandbox.publish(["list"]).ok().stdout;
        listed.lines().map(|line| line.split_whitespace().last().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(versions(&sandbox), ["2.0", "1:0.1", "1.0"]);
    // Their files are kept as long as a client may request them.
    assert!(sandbox.tree().has(&pool("hello", "1.0")));
    sandbox.publish(["prune", "--keep", "0"]).fails(2);
    sandbox.configure("Codename: stable\nComponents: main\nArchitectures: amd64\nLimit: 1\n");
    sandbox.publish(["prune"]).ok().says(["Removed 1 package "]);
    assert_eq!(versions(&sandbox), ["1:0.1", "1.0"]);
    sandbox.publish(["check"]).ok();
}

#[test]
fn an_unreadable_suite_keeps_everything() {
    let sandbox = archive("");
    age(&sandbox.archive(""), 30);
    let prune = ["prune", "--keep-generations", "1"];
    let refused = |says: &str| {
        let before = sandbox.tree();
        sandbox.publish(prune).fails(1).says([says]);
        assert_eq!(sandbox.tree(), before);
    };
    // An index of another suite, whose pointer is missing.
    let lost = sandbox.archive("dists/testing/main/binary-amd64");
    fs::create_dir_all(&lost).unwrap();
    fs::write(lost.join("Packages"), "").unwrap();
    refused("suite `testing` has indices");
    fs::remove_dir_all(sandbox.archive("dists/testing")).unwrap();
    // A modified pointer, and a missing one.
    let pointer = sandbox.archive("dists/stable/InRelease");
    let bytes = fs::read(&pointer).unwrap();
    fs::write(&pointer, String::from_utf8_lossy(&bytes).replace("main", "evil")).unwrap();
    refused("the signature of `dists/stable/InRelease` is not trusted");
    fs::write(&pointer, &bytes).unwrap();
    // The pointer of one of two suites is missing.
    let file = sandbox.incoming().join("hello_1.0_amd64.deb");
    sandbox.configure(
        "Codename: stable\nComponents: main\nArchitectures: amd64\n\n\
         Codename: testing\nComponents: main\nArchitectures: amd64\n",
    );
    sandbox.publish(["add".as_ref(), "--suite".as_ref(), "testing".as_ref(), file.as_os_str()]).ok();
    fs::remove_file(&pointer).unwrap();
    fs::remove_file(sandbox.archive("dists/stable/Release")).unwrap();
    refused("suite `stable` has indices");
    sandbox.publish(["check"]).fails(4);
    sandbox.publish(["check", "--repair"]).ok().says(["Repaired dists/stable/InRelease"]);
    assert_eq!(fs::read(&pointer).unwrap(), bytes);
    sandbox.publish(prune).ok().says(["Deleted "]);
    sandbox.publish(["check"]).ok();
}

#[test]
fn other_files_and_files_of_other_suites_are_kept() {
    let sandbox = archive("");
    let others = [
        "pool/README",
        "pool/main/h/hello/notes.txt",
        "conf/distributions",
        "dists/stable/Contents-amd64.gz",
    ];
    for path in others {
        fs::create_dir_all(sandbox.archive(path).parent().unwrap()).unwrap();
        fs::write(sandbox.archive(path), "").unwrap();
    }
    fs::remove_file(sandbox.archive("conf/distributions")).unwrap();
    sandbox.configure("Codename: stable\nComponents: main\nArchitectures: amd64\n\nCodename: old/stable\nComponents: main\nArchitectures: amd64\n");
    let file = sandbox.incoming().join("hello_1.0_amd64.deb");
    sandbox.publish(["add".as_ref(), "--suite".as_ref(), "old/stable".as_ref(), file.as_os_str()]).ok();
    age(&sandbox.archive(""), 30);
    sandbox.publish(["prune", "--keep-generations", "1"]).ok().says(["Deleted "]);
    let tree = sandbox.tree();
    assert!(tree.has(&pool("hello", "1.0")), "the other suite leads to it");
    for path in others {
        assert!(tree.has(path), "{path}");
    }
    sandbox.publish(["check"]).ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_is_pruned_too() {
    let sandbox = Sandbox::signed();
    let (one, two) = (deb("one").write(sandbox.incoming()), deb("two").write(sandbox.incoming()));
    for bucket in buckets::each() {
        let store = bucket.store();
        let publisher = Publisher::on(store.clone());
        publisher.add(std::slice::from_ref(&one)).await.unwrap();
        let publisher = publisher.later(10);
        publisher.add(std::slice::from_ref(&two)).await.unwrap();
        let publisher = publisher.later(10);
        publisher.remove("one").await.unwrap();
        // No other publisher is active, so all may be deleted at once, except files written in this second.
        let keep = Keep { generations: 1, span: Duration::ZERO };
        while store.size("pool/main/o/one/one_1.0_amd64.deb").await.unwrap().is_some() {
            publisher.prune(keep, Duration::ZERO).await.unwrap();
        }
        assert_eq!(publisher.packages().await.unwrap(), ["two 1.0 amd64 of amd64"], "{}", bucket.location);
        assert_eq!(publisher.faults().await, []);
    }
}

/// The package is added again while its file is about to be deleted: each side is stopped at each of its writes while
/// the other one runs.
#[tokio::test(flavor = "multi_thread")]
async fn an_edit_and_a_prune_race_for_one_file() {
    let sandbox = Sandbox::signed();
    let one = [deb("one").write(sandbox.incoming())];
    deb("two").write(sandbox.incoming());
    let keep = Keep { generations: 1, span: Duration::from_secs(60 * 60) };
    let whole = async |store: &Store, at: &str| {
        let publisher = Publisher::on(store.clone()).later(30);
        assert_eq!(publisher.faults().await, [], "{at}");
        assert_eq!(publisher.packages().await.unwrap().len(), 2, "{at}");
    };

    let faults = Faults::none();
    Publisher::on(faults.on(left_over(&sandbox).await)).later(20).add(&one).await.unwrap();
    let writes = faults.writes();
    assert!(writes.iter().any(|write| write.path.starts_with(".publish/holds/")), "{writes:?}");
    for at in 1..=writes.len() {
        let store = left_over(&sandbox).await;
        let (faults, gate) = Faults::wait(at, Side::Before);
        let edit = Publisher::on(faults.on(store.clone())).later(20);
        let meanwhile = async {
            gate.reached().await;
            Publisher::on(store.clone()).later(20).prune(keep, GRACE).await.unwrap();
            gate.open();
        };
        let (added, ()) = tokio::join!(edit.add(&one), meanwhile);
        added.unwrap();
        whole(&store, &format!("the edit waits before {:?}", writes[at - 1])).await;
    }

    let faults = Faults::none();
    let pruned =
        Publisher::on(faults.on(left_over(&sandbox).await)).later(20).prune(keep, GRACE).await.unwrap();
    assert!(pruned.deleted.iter().any(|swept| swept.path.ends_with("/one_1.0_amd64.deb")));
    let writes = faults.writes();
    for at in 1..=writes.len() {
        let store = left_over(&sandbox).await;
        let (faults, gate) = Faults::wait(at, Side::Before);
        let pruning = Publisher::on(faults.on(store.clone())).later(20);
        let edit = async {
            gate.reached().await;
            // It may have to wait for the prune.
            let publisher = Publisher::on(store.clone()).later(20);
            let (added, ()) = tokio::join!(publisher.add(&one), async { gate.open() });
            added.unwrap();
        };
        let (pruned, ()) = tokio::join!(pruning.prune(keep, GRACE), edit);
        pruned.unwrap();
        whole(&store, &format!("the prune waits before {:?}", writes[at - 1])).await;
    }
}

#[tokio::test]
async fn only_one_prune_runs_at_once() {
    let sandbox = archive("");
    fs::create_dir_all(sandbox.archive(".publish")).unwrap();
    fs::write(sandbox.archive(".publish/prune"), "somebody\n").unwrap();
    sandbox.publish(["prune"]).fails(3).says(["another `prune` is running", "15 minutes"]);
    age(&sandbox.archive(".publish"), 1);
    sandbox.publish(["prune"]).ok();
    assert!(!sandbox.archive(".publish/prune").exists());
}
