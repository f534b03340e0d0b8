//! Copies that race with other publishers: each is stopped at each of its writes while the other one runs.

use std::{fs, time::Duration};

use publish::{
    archive::{CommitReport, Error, GRACE, Keep, Reason},
    store::Store,
};

use crate::{
    buckets,
    deb_builder::deb,
    faults::{Faults, Operation, Side},
    publisher::{Publisher, folder},
    sandbox::{Sandbox, age},
};

/// A folder, a month old, in which `testing` has packages `one` and `two`, and `stable` has package `first`.
async fn archive(sandbox: &Sandbox) -> Store {
    let _ = fs::remove_dir_all(sandbox.archive(""));
    let store = folder(sandbox.archive(""));
    fill(sandbox, &store).await;
    age(&sandbox.archive(""), 30);
    store
}

async fn fill(sandbox: &Sandbox, store: &Store) {
    let file = |name: &str| deb(name).write(sandbox.incoming());
    Publisher::on(store.clone()).of("testing").add(&[file("one"), file("two")]).await.unwrap();
    Publisher::on(store.clone()).add(&[file("first")]).await.unwrap();
}

/// The writes of an undisturbed copy.
async fn writes(sandbox: &Sandbox) -> Vec<Operation> {
    let faults = Faults::none();
    Publisher::on(faults.on(archive(sandbox).await)).copy("testing", "one").await.unwrap();
    let writes = faults.writes();
    assert!(writes.iter().all(|write| !write.path.starts_with("pool/")), "{writes:?}");
    assert!(writes.iter().any(|write| write.path.starts_with(".publish/holds/")), "{writes:?}");
    writes
}

/// `stable` has no fault and exactly these packages.
async fn holds(store: &Store, names: &[&str], at: &str) {
    let publisher = Publisher::on(store.clone()).later(30);
    let expected: Vec<String> = names.iter().map(|name| format!("{name} 1.0 amd64 of amd64")).collect();
    assert_eq!(publisher.packages().await.unwrap(), expected, "{at}");
    assert_eq!(publisher.faults().await, [], "{at}");
}

/// Copies a package, and runs something else while the copy waits before one of its writes.
async fn copy_while(
    sandbox: &Sandbox,
    at: usize,
    other: impl AsyncFnOnce(Store),
) -> (Store, Result<CommitReport, Error>) {
    let store = archive(sandbox).await;
    let (faults, gate) = Faults::wait(at, Side::Before);
    let slow = Publisher::on(faults.on(store.clone()));
    let meanwhile = async {
        gate.reached().await;
        other(store.clone()).await;
        gate.open();
    };
    let (copied, ()) = tokio::join!(slow.copy("testing", "one"), meanwhile);
    (store, copied)
}

#[tokio::test(flavor = "multi_thread")]
async fn another_copy() {
    let sandbox = Sandbox::signed();
    let writes = writes(&sandbox).await;
    for at in 1..=writes.len() {
        let (store, copied) = copy_while(&sandbox, at, async |store| {
            Publisher::on(store).later(1).copy("testing", "two").await.unwrap();
        })
        .await;
        assert!(copied.unwrap().published);
        holds(&store, &["first", "one", "two"], &format!("waits before {:?}", writes[at - 1])).await;
    }
}

/// The package is removed from the source suite, and all unreferenced files are deleted.
#[tokio::test(flavor = "multi_thread")]
async fn a_removal_and_a_prune() {
    let sandbox = Sandbox::signed();
    let writes = writes(&sandbox).await;
    let keep = Keep { generations: 1, span: Duration::ZERO };
    let mut refused = 0;
    for at in 1..=writes.len() {
        let (store, copied) = copy_while(&sandbox, at, async |store| {
            let other = Publisher::on(store).later(10).of("testing");
            other.remove("one").await.unwrap();
            Box::pin(other.prune(keep, GRACE)).await.unwrap();
        })
        .await;
        let case = format!("waits before {:?}", writes[at - 1]);
        match copied {
            Ok(_) => holds(&store, &["first", "one"], &case).await,
            // The copy has not yet announced its files, and then finds that the file was deleted.
            Err(Error::Refused(all)) => {
                assert!(matches!(&all[..], [only] if matches!(only.source, Reason::Lost { .. })), "{case}");
                refused += 1;
                holds(&store, &["first"], &case).await;
            }
            Err(error) => panic!("{case}: {error}"),
        }
    }
    assert!((1..writes.len()).contains(&refused), "{refused} of {writes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_gets_no_package_twice() {
    let sandbox = Sandbox::signed();
    for bucket in buckets::each() {
        let store = bucket.store();
        fill(&sandbox, &store).await;
        let faults = Faults::none();
        let outcome = Publisher::on(faults.on(store.clone())).later(10).copy("testing", "*").await.unwrap();
        assert_eq!(outcome.added.len(), 2, "{}", bucket.location);
        let writes = faults.writes();
        assert!(writes.iter().all(|write| !write.path.starts_with("pool/")), "{writes:?}");
        holds(&store, &["first", "one", "two"], &bucket.location).await;
    }
}
