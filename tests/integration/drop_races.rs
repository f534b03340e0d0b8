//! Drops that race with other publishers: each is stopped at each of its writes while the other one runs.

use std::path::PathBuf;

use publish::{
    archive::{Archive, Dropped, Error, Trust},
    names::Suite,
    store::Store,
};

use crate::{
    deb_builder::deb,
    faults::{Faults, SIDES, Side},
    publisher::{Publisher, folder},
    sandbox::Sandbox,
};

fn file(sandbox: &Sandbox, name: &str) -> PathBuf {
    deb(name).write(sandbox.incoming())
}

/// A signed suite `stable` with package `first`.
async fn archive(sandbox: &Sandbox) -> Store {
    let _ = std::fs::remove_dir_all(sandbox.archive(""));
    let store = folder(sandbox.archive(""));
    Publisher::on(store.clone()).add(&[file(sandbox, "first")]).await.unwrap();
    store
}

async fn drop_stable(store: Store) -> Result<Dropped, Error> {
    Archive::new(store, Trust::unverified()).drop_suite(&Suite::parse("stable").unwrap(), false).await
}

/// The suite is not published, and nothing brings it back.
async fn is_gone(store: &Store, at: &str) {
    let archive = Archive::new(store.clone(), Trust::unverified());
    let suite = Suite::parse("stable").unwrap();
    let left: Vec<String> = crate::sandbox::Tree::read(store.location().folder().unwrap())
        .paths_with("dists/stable/")
        .into_iter()
        .filter(|path| !path.contains("/by-hash/") && !path.contains("/generations/"))
        .collect();
    assert_eq!(left, [""; 0], "{at}");
    assert!(archive.suites_to_check().await.unwrap().is_empty(), "{at}");
    archive.repair(&suite).await.unwrap();
    assert!(archive.suite(&suite).await.unwrap().pointer().is_none(), "{at}");
}

/// The suite has exactly these packages and no fault.
async fn has(store: &Store, names: &[&str], at: &str) {
    let publisher = Publisher::on(store.clone()).later(30);
    let expected: Vec<String> = names.iter().map(|name| format!("{name} 1.0 amd64 of amd64")).collect();
    assert_eq!(publisher.packages().await.unwrap(), expected, "{at}");
    assert_eq!(publisher.faults().await, [], "{at}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_add_during_a_drop_is_published_or_fails() {
    let sandbox = Sandbox::signed();
    let faults = Faults::none();
    drop_stable(faults.on(archive(&sandbox).await)).await.unwrap();
    let writes = faults.writes();
    let (mut lost, mut refused) = (0, 0);
    for at in 1..=writes.len() {
        let case = format!("waits before {:?}", writes[at - 1]);
        let store = archive(&sandbox).await;
        let (faults, gate) = Faults::wait(at, Side::Before);
        let slow = faults.on(store.clone());
        let meanwhile = async {
            gate.reached().await;
            let added = Publisher::on(store.clone()).later(1).add(&[file(&sandbox, "late")]).await;
            gate.open();
            added
        };
        let (dropped, added) = tokio::join!(drop_stable(slow), meanwhile);
        match (dropped, added) {
            (Err(Error::RaceLost { .. }), Ok(_)) => {
                lost += 1;
                has(&store, &["first", "late"], &case).await;
            }
            (Ok(_), Err(Error::BeingDropped { .. })) => {
                refused += 1;
                is_gone(&store, &case).await;
            }
            (dropped, added) => panic!("{case}: {dropped:?}, {:?}", added.err()),
        }
    }
    assert!(lost > 0 && refused > 2, "{lost} {refused} {writes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drop_during_an_add_leaves_the_new_suite_or_none() {
    let sandbox = Sandbox::signed();
    let faults = Faults::none();
    Publisher::on(faults.on(archive(&sandbox).await)).later(1).add(&[file(&sandbox, "late")]).await.unwrap();
    let writes = faults.writes();
    let (mut anew, mut gone) = (0, 0);
    for at in 1..=writes.len() {
        let case = format!("waits before {:?}", writes[at - 1]);
        let store = archive(&sandbox).await;
        let (faults, gate) = Faults::wait(at, Side::Before);
        let slow = Publisher::on(faults.on(store.clone())).later(1);
        let meanwhile = async {
            gate.reached().await;
            let dropped = drop_stable(store.clone()).await;
            gate.open();
            dropped
        };
        let late = [file(&sandbox, "late")];
        let (added, dropped) = tokio::join!(slow.add(&late), meanwhile);
        dropped.unwrap();
        match added {
            Ok(_) => {
                anew += 1;
                has(&store, &["late"], &case).await;
            }
            Err(error) => {
                gone += 1;
                assert!(
                    matches!(error, Error::Unfinished { .. } | Error::BeingDropped { .. }),
                    "{case}: {error}"
                );
                is_gone(&store, &case).await;
            }
        }
    }
    assert!(anew > 0 && gone > 0, "{anew} {gone}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drop_that_fails_at_any_write_is_finished_by_the_next_one() {
    let sandbox = Sandbox::signed();
    let faults = Faults::none();
    drop_stable(faults.on(archive(&sandbox).await)).await.unwrap();
    let writes = faults.writes();
    for side in SIDES {
        for at in 1..=writes.len() {
            let case = format!("{side:?} {:?}", writes[at - 1]);
            let store = archive(&sandbox).await;
            let failed = drop_stable(Faults::fail(at, side).on(store.clone())).await;
            match (failed, drop_stable(store.clone()).await) {
                (_, Ok(_) | Err(Error::NotPublished { .. })) => is_gone(&store, &case).await,
                (failed, error) => panic!("{case}: {failed:?} {error:?}"),
            }
        }
    }
}
