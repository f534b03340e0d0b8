//! The scenarios of two concurrent publishers, which the [`model`](crate::model) runs in every schedule.

use std::{path::PathBuf, sync::Arc, time::Duration};

use futures::TryStreamExt as _;
use object_store::memory::InMemory;
use publish::{
    archive::{CommitReport, Error, GRACE, Keep, Pruned, Reason},
    store::{Limit, Store},
};

use crate::{
    auditor::Auditor,
    deb_builder::deb,
    faults::Faults,
    model::{Actor, Kills, Place, Scenario},
    publisher::{Publisher, memory},
    sandbox::Sandbox,
};

/// The upper bound for the objects of these tests.
const LIMIT: Limit = Limit::mebibytes(64);

/// Builds packages to publish, and initial archives.
pub(crate) struct Setup {
    sandbox: Sandbox,
}

impl Setup {
    pub(crate) fn new() -> Self {
        Self { sandbox: Sandbox::new() }
    }

    pub(crate) fn file(&self, name: &str) -> Vec<PathBuf> {
        vec![deb(name).write(self.sandbox.incoming())]
    }

    /// An archive to which these packages were added one after the other.
    fn archive(&self, names: &[&str]) -> Place {
        let objects = Arc::new(InMemory::new());
        let auditor = Auditor::of(objects.clone());
        self.extended(&Place { name: "archive", objects, auditor, end: &[] }, names)
    }

    /// A copy of an archive with more packages.
    fn extended(&self, place: &Place, names: &[&str]) -> Place {
        let (store, mut place) = place.forked();
        block_on(async {
            for name in names {
                let second = place.auditor.pointers() as u64;
                publisher(&store, second).add(&self.file(name)).await.unwrap();
                place.auditor.audit().await.unwrap();
            }
            place.auditor.expect_generations().await.unwrap();
            place.auditor.audit().await.unwrap();
        });
        place
    }

    /// Adds a package to the first store.
    fn adds(&self, name: &str) -> Actor {
        let file = self.file(name);
        Box::new(move |stores| {
            let file = file.clone();
            Box::pin(async move { outcome(publisher(&stores[0], 10).add(&file).await) })
        })
    }

    /// An archive that had one more package a month ago, whose file is still in the pool.
    fn archive_without(&self, name: &str, names: &[&str]) -> Place {
        let (store, mut place) = self.archive(&[&[name], names].concat()).forked();
        block_on(async {
            publisher(&store, 9).remove(name).await.unwrap();
            // No client has seen the earlier generations.
            place.auditor = Auditor::of(place.objects.clone());
            place.auditor.audit().await.unwrap();
        });
        place
    }

    /// An archive whose suite `testing` has a package.
    fn archive_with_testing(&self, name: &str, names: &[&str]) -> Place {
        let (store, place) = self.archive(names).forked();
        block_on(publisher(&store, 0).of("testing").add(&self.file(name))).unwrap();
        place
    }

    /// Promotes a package, unless it was removed.
    fn copies(name: &'static str) -> Actor {
        Box::new(move |stores| {
            Box::pin(async move { unless_gone(publisher(&stores[0], 10).copy("testing", name).await) })
        })
    }

    /// Removes a package from `testing`, and deletes all files that no retained generation references.
    fn removes_from_testing_and_prunes(name: &'static str) -> Actor {
        Box::new(move |stores| {
            Box::pin(async move {
                let testing = publisher(&stores[0], 10).of("testing");
                unless_gone(testing.remove(name).await)?;
                pruned(testing.prune_all_of_this(WEEK, GRACE).await)
            })
        })
    }

    /// Removes a package from the first store.
    fn removes(name: &'static str) -> Actor {
        Box::new(move |stores| Box::pin(async move { outcome(publisher(&stores[0], 10).remove(name).await) }))
    }
}

impl Place {
    pub(crate) fn forked(&self) -> (Store, Self) {
        let objects = Arc::new(self.objects.fork());
        let auditor = self.auditor.moved_to(objects.clone());
        (memory().wrapped(|_| objects.clone()), Self { objects, auditor, ..self.clone() })
    }

    pub(crate) fn named(self, name: &'static str) -> Self {
        Self { name, ..self }
    }

    pub(crate) fn ends_with(self, end: &'static [&'static [&'static str]]) -> Self {
        Self { end, ..self }
    }

    /// A new store, synced from this one.
    pub(crate) fn mirrored(&self) -> Self {
        let objects = Arc::new(InMemory::new());
        let mut auditor = Auditor::of(objects.clone());
        let destination = memory().wrapped(|_| objects.clone());
        block_on(async {
            sync(&self.forked().0, &destination).await.unwrap();
            auditor.audit().await.unwrap();
        });
        Self { objects, auditor, ..self.clone() }
    }
}

/// A publisher this many seconds after the start.
pub(crate) fn publisher(store: &Store, second: u64) -> Publisher {
    Publisher::on(store.clone()).later(second).without_xz()
}

/// Rolls the suite back to its earlier generation; a refusal after a lost race is no error.
pub(crate) fn rolls_back(publisher: fn(&Store, u64) -> Publisher) -> Actor {
    Box::new(move |stores| {
        Box::pin(async move {
            match publisher(&stores[0], 10).roll_back().await {
                Err(Error::Overtaken { .. }) => Ok(()),
                done => outcome(done),
            }
        })
    })
}

/// The ends of a rollback of `bad` and an addition of `other`: the rollback happens before the addition, is refused, or
/// reverts the addition; `zero` alone is never the result.
pub(crate) const ROLLED_BACK: &[&[&str]] = &[&["zero", "other"], &["zero", "bad", "other"], &["zero", "bad"]];

/// Syncs an archive to another store; it is not an error if another sync has written a newer generation.
pub(crate) async fn sync(source: &Store, destination: &Store) -> Result<(), String> {
    let synced = publisher(source, 20).sync(destination).await.map_err(|error| format!("{error:?}"))?;
    let bad = synced.errors.iter().find(|error| !matches!(error, Error::Older { .. }));
    if bad.is_some() || !synced.failed.is_empty() {
        return Err(format!("{synced:?}"));
    }
    Ok(())
}

/// Deletes all files of the first store that no generation of the last week references.
pub(crate) fn prunes() -> Actor {
    Box::new(|stores| Box::pin(async move { pruned(publisher(&stores[0], 10).prune(WEEK, GRACE).await) }))
}

const WEEK: Keep = Keep { generations: 1, span: Duration::from_secs(7 * 24 * 60 * 60) };

fn pruned(pruned: Result<Pruned, Error>) -> Result<(), String> {
    match pruned {
        // The marker of the killed prune has not expired yet.
        Err(Error::Pruning { .. }) => Ok(()),
        pruned => outcome(pruned),
    }
}

/// Accepts the error that another publisher has removed the package.
fn unless_gone(done: Result<CommitReport, Error>) -> Result<(), String> {
    match done {
        Err(Error::Refused(all)) if all.iter().all(|refusal| is_gone(&refusal.source)) => Ok(()),
        done => outcome(done),
    }
}

fn is_gone(reason: &Reason) -> bool {
    matches!(reason, Reason::NotPublished { .. } | Reason::Lost { found: None, .. })
}

/// A killed sync may have written an index over that of a faster one. The next sync finds that only with `--verify`: to
/// check each index again costs requests, and only clients without by-hash read it.
pub(crate) fn verified(from: usize, to: usize) -> Kills {
    Kills::Repaired(Box::new(move |stores| {
        Box::pin(async move {
            let synced = publisher(&stores[from], 30).sync_verified(&stores[to]).await;
            let synced = synced.map_err(|error| format!("{error:?}"))?;
            if synced.errors.is_empty() && synced.failed.is_empty() {
                Ok(())
            } else {
                Err(format!("{synced:?}"))
            }
        })
    }))
}

/// Syncs one store of a scenario to another.
pub(crate) fn syncs(from: usize, to: usize) -> Actor {
    Box::new(move |stores| Box::pin(async move { sync(&stores[from], &stores[to]).await }))
}

pub(crate) fn outcome<T>(result: Result<T, Error>) -> Result<(), String> {
    result.map(drop).map_err(|error| format!("{error:?}"))
}

pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

#[test]
fn two_adds_race_and_one_may_be_killed() {
    let setup = Setup::new();
    Scenario {
        places: vec![setup.archive(&["zero", "first"]).ends_with(&[&["zero", "first", "one", "two"]])],
        actors: [setup.adds("one"), setup.adds("two")],
        kills: Kills::RunAgain,
        symmetric: true,
    }
    .has_no_fault(500);
}

#[test]
fn an_add_and_a_removal_race() {
    let setup = Setup::new();
    Scenario {
        places: vec![setup.archive(&["zero", "first"]).ends_with(&[&["zero", "one"]])],
        actors: [setup.adds("one"), Setup::removes("first")],
        kills: Kills::None,
        symmetric: false,
    }
    .has_no_fault(300);
}

/// A package that was removed long ago is added again while its file is about to be deleted.
#[test]
fn a_second_add_and_a_prune_race_and_one_may_be_killed() {
    let setup = Setup::new();
    let places = vec![setup.archive_without("gone", &["zero"]).ends_with(&[&["zero", "gone"]])];
    Scenario { places, actors: [setup.adds("gone"), prunes()], kills: Kills::RunAgain, symmetric: false }
        .has_no_fault(100);
}

#[test]
fn an_add_and_a_prune_race() {
    let setup = Setup::new();
    let places = vec![setup.archive_without("gone", &["zero"]).ends_with(&[&["zero", "one"]])];
    Scenario { places, actors: [setup.adds("one"), prunes()], kills: Kills::None, symmetric: false }
        .has_no_fault(100);
}

/// A package is removed from the suite that it is promoted from, and its file is about to be deleted.
#[test]
fn a_copy_and_a_prune_race() {
    let setup = Setup::new();
    let ends: &[&[&str]] = &[&["zero", "one"], &["zero"]];
    Scenario {
        places: vec![setup.archive_with_testing("one", &["zero"]).ends_with(ends)],
        actors: [Setup::copies("one"), Setup::removes_from_testing_and_prunes("one")],
        kills: Kills::None,
        symmetric: false,
    }
    .has_no_fault(100);
}

/// An unsigned suite is signed for the first time while a job without a key adds a package. A job that finds the suite
/// signed gets a key.
#[test]
fn a_change_of_an_unsigned_suite_and_its_first_signature_race() {
    let setup = Setup::new();
    let objects = Arc::new(InMemory::new());
    let store = memory().wrapped(|_| objects.clone());
    block_on(publisher(&store, 0).unsigned().add(&setup.file("zero"))).unwrap();
    let mut auditor = Auditor::of(objects.clone());
    block_on(auditor.audit()).unwrap();
    let place = Place { name: "archive", objects, auditor, end: &[&["zero", "one", "two"]] };
    let (one, two) = (setup.file("one"), setup.file("two"));
    let signs: Actor = Box::new(move |stores| {
        let file = one.clone();
        Box::pin(async move { outcome(publisher(&stores[0], 10).adopting().add(&file).await) })
    });
    let changes: Actor = Box::new(move |stores| {
        let file = two.clone();
        Box::pin(async move {
            match publisher(&stores[0], 10).unsigned().add(&file).await {
                Err(Error::NoKey { .. }) => outcome(publisher(&stores[0], 10).add(&file).await),
                done => outcome(done),
            }
        })
    });
    Scenario { places: vec![place], actors: [signs, changes], kills: Kills::RunAgain, symmetric: false }
        .has_no_fault(300);
}

/// Two jobs begin a suite at once, one with a key and one without. The key is not allowed to sign the other job's package
/// unseen: the job with the key fails with nothing of its own published, or reports that it is published. Then, as the
/// hint says, both packages are signed.
#[test]
fn a_signed_and_an_unsigned_first_commit_race() {
    let setup = Setup::new();
    let objects = Arc::new(InMemory::new());
    let auditor = Auditor::of(objects.clone());
    let place = Place { name: "archive", objects, auditor, end: &[&["one", "two"]] };
    let (one, two) = (setup.file("one"), setup.file("two"));
    let signs: Actor = Box::new(move |stores| {
        let file = one.clone();
        Box::pin(async move { outcome(add_signed(&stores[0], &file).await) })
    });
    let begins: Actor = Box::new(move |stores| {
        let file = two.clone();
        Box::pin(async move {
            match publisher(&stores[0], 10).unsigned().add(&file).await {
                Err(Error::NoKey { .. }) => outcome(add_signed(&stores[0], &file).await),
                done => outcome(done),
            }
        })
    });
    Scenario { places: vec![place], actors: [signs, begins], kills: Kills::RunAgain, symmetric: false }
        .has_no_fault(100);
}

/// Adds a package with a key; where the suite has an unsigned change, adopts it.
async fn add_signed(store: &Store, file: &[PathBuf]) -> Result<CommitReport, Error> {
    let is_crossed = |error: &Error| matches!(error, Error::Crossed { .. });
    match publisher(store, 10).add(file).await {
        Err(Error::NotSigned { .. }) => {
            let signed = store.size("dists/stable/InRelease").await?;
            assert_eq!(signed, None, "a job that fails has published nothing");
        }
        Err(Error::Unfinished { source, .. }) if is_crossed(&source) => {
            let signed = store.read("dists/stable/InRelease", LIMIT).await?;
            assert!(signed.is_some(), "it is published");
        }
        Err(error) if is_crossed(&error) => {}
        done => return done,
    }
    publisher(store, 10).adopting().add(file).await
}

/// A signed and an unsigned archive are synced to one new destination at once.
#[test]
fn a_signed_and_an_unsigned_first_sync_race() {
    let setup = Setup::new();
    let signed = setup.archive(&["one"]).named("signed").ends_with(&[&["one"]]);
    let objects = Arc::new(InMemory::new());
    let store = memory().wrapped(|_| objects.clone());
    block_on(publisher(&store, 0).unsigned().add(&setup.file("two"))).unwrap();
    let mut auditor = Auditor::of(objects.clone());
    block_on(auditor.audit()).unwrap();
    let unsigned = Place { name: "unsigned", objects, auditor, end: &[&["two"]] };
    let objects = Arc::new(InMemory::new());
    let auditor = Auditor::of(objects.clone());
    let destination = Place { name: "destination", objects, auditor, end: &[&["one"]] };
    let syncs_unsigned: Actor = Box::new(|stores| {
        Box::pin(async move {
            let synced = publisher(&stores[1], 20).unsigned().sync(&stores[2]).await;
            let synced = synced.map_err(|error| format!("{error:?}"))?;
            match &synced.errors[..] {
                // Clients refuse a suite that is no longer signed: only the signed archive is synced from now on.
                [Error::NoLongerSigned { .. }] => sync(&stores[0], &stores[2]).await,
                [] if synced.failed.is_empty() => Ok(()),
                _ => Err(format!("{synced:?}")),
            }
        })
    });
    Scenario {
        places: vec![signed, unsigned, destination],
        actors: [syncs(0, 2), syncs_unsigned],
        kills: verified(0, 2),
        symmetric: false,
    }
    .has_no_fault(100);
}

/// A rollback relative to another generation than the one it read would remove the package added concurrently.
#[test]
fn a_rollback_and_an_add_race() {
    let setup = Setup::new();
    Scenario {
        places: vec![setup.archive(&["zero", "bad"]).ends_with(ROLLED_BACK)],
        actors: [rolls_back(publisher), setup.adds("other")],
        kills: Kills::None,
        symmetric: false,
    }
    .has_no_fault(100);
}

/// A suite and another one below it are independent.
#[test]
fn an_add_and_an_add_to_the_suite_below_race() {
    let setup = Setup::new();
    let file = setup.file("below");
    let adds_below: Actor = Box::new(move |stores| {
        let file = file.clone();
        Box::pin(async move { outcome(publisher(&stores[0], 10).of("stable/updates").add(&file).await) })
    });
    Scenario {
        places: vec![setup.archive(&["zero"]).ends_with(&[&["zero", "one"]])],
        actors: [setup.adds("one"), adds_below],
        kills: Kills::RunAgain,
        symmetric: false,
    }
    .has_no_fault(300);
}

#[test]
fn an_add_and_a_sync_race() {
    let setup = Setup::new();
    let old = setup.archive(&["zero"]);
    let source = setup.extended(&old, &["first"]).named("source").ends_with(&[&["zero", "first", "one"]]);
    let ends: &[&[&str]] = &[&["zero", "first"], &["zero", "first", "one"]];
    let destination = old.mirrored().named("destination").ends_with(ends);
    Scenario {
        places: vec![source, destination],
        actors: [setup.adds("one"), syncs(0, 1)],
        kills: Kills::None,
        symmetric: false,
    }
    .has_no_fault(90);
}

#[test]
fn two_syncs_race() {
    let setup = Setup::new();
    let old = setup.archive(&["zero"]);
    let source = setup.extended(&old, &["first"]).named("source").ends_with(&[&["zero", "first"]]);
    let destination = old.mirrored().named("destination").ends_with(&[&["zero", "first"]]);
    Scenario {
        places: vec![source, destination],
        actors: [syncs(0, 1), syncs(0, 1)],
        kills: Kills::RunAgain,
        symmetric: true,
    }
    .has_no_fault(100);
}

/// One sync copies yesterday's archive to a destination while another one copies today's.
#[test]
fn a_sync_of_old_and_a_sync_of_new_race() {
    let setup = Setup::new();
    let oldest = setup.archive(&["zero"]);
    let destination = oldest.mirrored().named("destination").ends_with(&[&["zero", "first", "second"]]);
    let old = setup.extended(&oldest, &["first"]).named("old").ends_with(&[&["zero", "first"]]);
    let new = setup.extended(&old, &["second"]).named("new").ends_with(&[&["zero", "first", "second"]]);
    Scenario {
        places: vec![old, new, destination],
        actors: [syncs(0, 2), syncs(1, 2)],
        kills: verified(1, 2),
        symmetric: false,
    }
    .has_no_fault(100);
}

/// A test of the model itself, with a store that ignores the conditions of a swap.
#[test]
fn a_store_that_ignores_conditions_is_detected() {
    let setup = Setup::new();
    let on_bad_store = |actor: Actor| -> Actor {
        Box::new(move |stores| actor(vec![Faults::ignore_conditions().on(stores[0].clone())]))
    };
    let scenario = Scenario {
        places: vec![setup.archive(&["first"]).ends_with(&[&["first", "one", "two"]])],
        actors: [on_bad_store(setup.adds("one")), on_bad_store(setup.adds("two"))],
        kills: Kills::None,
        symmetric: false,
    };
    let fault = scenario.explore().err().unwrap();
    assert!(fault.starts_with("archive: published are "), "{fault}");
}

/// Another test of the model, with a publisher that builds the archive elsewhere and uploads changed files in its own order.
#[test]
fn a_publisher_that_writes_the_pointer_first_is_detected() {
    let setup = Setup::new();
    let uploads = |name: &str, pointer_first: bool| -> Actor {
        let file = setup.file(name);
        Box::new(move |stores| {
            let (file, store) = (file.clone(), stores[0].clone());
            Box::pin(async move { outcome(upload(&store, &file, pointer_first).await) })
        })
    };
    let idle: fn() -> Actor = || Box::new(|_| Box::pin(async { Ok(()) }));
    for (pointer_first, fault_found) in
        [(false, None), (true, Some("archive: `main/binary-amd64/Packages` is not there as"))]
    {
        let scenario = Scenario {
            places: vec![setup.archive(&["first"]).ends_with(&[&["first", "one"]])],
            actors: [uploads("one", pointer_first), idle()],
            kills: Kills::None,
            symmetric: false,
        };
        match (scenario.explore().err(), fault_found) {
            (None, None) => {}
            (Some(fault), Some(expected)) => assert!(fault.starts_with(expected), "{fault}"),
            (fault, _) => panic!("{fault:?}"),
        }
    }
}

async fn upload(store: &Store, file: &[PathBuf], pointer_first: bool) -> Result<(), Error> {
    let copy = memory();
    for path in paths(store).await? {
        copy.replace(&path, store.read(&path, LIMIT).await?.unwrap().bytes).await?;
    }
    publisher(&copy, 10).add(file).await?;
    let mut paths = paths(&copy).await?;
    paths.sort_by_key(|path| path.ends_with("/stable/InRelease") != pointer_first);
    for path in paths {
        let new = copy.read(&path, LIMIT).await?.unwrap().bytes;
        if store.read(&path, LIMIT).await?.is_none_or(|there| there.bytes != new) {
            store.replace(&path, new).await?;
        }
    }
    Ok(())
}

async fn paths(store: &Store) -> Result<Vec<String>, publish::store::Error> {
    store.walk("").map_ok(|found| found.path).try_collect().await
}
