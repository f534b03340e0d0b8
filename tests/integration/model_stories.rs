//! The stories of two who meet, for the [`model`](crate::model) to tell in every order: each is a few lines.

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
    model::{Actor, Place, Story},
    publisher::{Publisher, memory},
    sandbox::Sandbox,
};

/// No object of these tests has more bytes.
const LIMIT: Limit = Limit::mebibytes(64);

/// Who tells stories: packages to publish, and archives that begin with some.
struct Teller {
    sandbox: Sandbox,
}

impl Teller {
    fn new() -> Self {
        Self { sandbox: Sandbox::new() }
    }

    fn file(&self, name: &str) -> Vec<PathBuf> {
        vec![deb(name).write(self.sandbox.incoming())]
    }

    /// An archive to which these were added one after the other.
    fn archive(&self, names: &[&str]) -> Place {
        let objects = Arc::new(InMemory::new());
        let auditor = Auditor::of(objects.clone());
        self.extended(&Place { name: "archive", objects, auditor, end: &[] }, names)
    }

    /// An archive, and what was added to it.
    fn extended(&self, place: &Place, names: &[&str]) -> Place {
        let (store, mut place) = place.forked();
        block_on(async {
            for name in names {
                let second = place.auditor.pointers() as u64;
                publisher(&store, second).add(&self.file(name)).await.unwrap();
                place.auditor.look().await.unwrap();
            }
            place.auditor.promise_generations().await.unwrap();
            place.auditor.look().await.unwrap();
        });
        place
    }

    /// Adds a package to the first store.
    fn adds(&self, name: &str) -> Actor {
        let file = self.file(name);
        Box::new(move |stores| {
            let file = file.clone();
            Box::pin(async move { told(publisher(&stores[0], 10).add(&file).await) })
        })
    }

    /// An archive that had one more package a month ago, whose file is still in the pool.
    fn archive_without(&self, name: &str, names: &[&str]) -> Place {
        let (store, mut place) = self.archive(&[&[name], names].concat()).forked();
        block_on(async {
            publisher(&store, 9).remove(name).await.unwrap();
            // Nobody has seen what was there before.
            place.auditor = Auditor::of(place.objects.clone());
            place.auditor.look().await.unwrap();
        });
        place
    }

    /// An archive whose suite `testing` has a package.
    fn archive_with_testing(&self, name: &str, names: &[&str]) -> Place {
        let (store, place) = self.archive(names).forked();
        block_on(publisher(&store, 0).of("testing").add(&self.file(name))).unwrap();
        place
    }

    /// Promotes a package, unless it has gone.
    fn copies(name: &'static str) -> Actor {
        Box::new(move |stores| {
            Box::pin(async move { unless_gone(publisher(&stores[0], 10).copy("testing", name).await) })
        })
    }

    /// Removes a package from `testing`, and deletes what no state of `testing` leads to, nor one of the last week.
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
        Box::new(move |stores| Box::pin(async move { told(publisher(&stores[0], 10).remove(name).await) }))
    }
}

impl Place {
    fn forked(&self) -> (Store, Self) {
        let objects = Arc::new(self.objects.fork());
        let auditor = self.auditor.moved_to(objects.clone());
        (memory().wrapped(|_| objects.clone()), Self { objects, auditor, ..self.clone() })
    }

    fn named(self, name: &'static str) -> Self {
        Self { name, ..self }
    }

    fn ends_with(self, end: &'static [&'static [&'static str]]) -> Self {
        Self { end, ..self }
    }

    /// A new store to which it was carried.
    fn mirrored(&self) -> Self {
        let objects = Arc::new(InMemory::new());
        let mut auditor = Auditor::of(objects.clone());
        let destination = memory().wrapped(|_| objects.clone());
        block_on(async {
            sync(&self.forked().0, &destination).await.unwrap();
            auditor.look().await.unwrap();
        });
        Self { objects, auditor, ..self.clone() }
    }
}

/// Who publishes, so many seconds after the beginning.
fn publisher(store: &Store, second: u64) -> Publisher {
    Publisher::on(store.clone()).later(second).without_xz()
}

/// Carries an archive to another store. That another sync has carried a newer one is fine.
async fn sync(source: &Store, destination: &Store) -> Result<(), String> {
    let synced = publisher(source, 20).sync(destination).await.map_err(|error| format!("{error:?}"))?;
    let bad = synced.errors.iter().find(|error| !matches!(error, Error::Older { .. }));
    if bad.is_some() || !synced.failed.is_empty() {
        return Err(format!("{synced:?}"));
    }
    Ok(())
}

/// Deletes from the first store what no state of the last week leads to.
fn prunes() -> Actor {
    Box::new(|stores| Box::pin(async move { pruned(publisher(&stores[0], 10).prune(WEEK, GRACE).await) }))
}

const WEEK: Keep = Keep { generations: 1, span: Duration::from_secs(7 * 24 * 60 * 60) };

fn pruned(pruned: Result<Pruned, Error>) -> Result<(), String> {
    match pruned {
        // The one that was killed a moment ago still counts.
        Err(Error::Pruning { .. }) => Ok(()),
        pruned => told(pruned),
    }
}

/// What somebody else has removed, or deleted, can neither be removed nor copied.
fn unless_gone(done: Result<CommitReport, Error>) -> Result<(), String> {
    match done {
        Err(Error::Refused(all)) if all.iter().all(|refusal| is_gone(&refusal.source)) => Ok(()),
        done => told(done),
    }
}

fn is_gone(reason: &Reason) -> bool {
    matches!(reason, Reason::NotPublished { .. } | Reason::Lost { found: None, .. })
}

/// Carries one store of a story to another.
fn syncs(from: usize, to: usize) -> Actor {
    Box::new(move |stores| Box::pin(async move { sync(&stores[from], &stores[to]).await }))
}

fn told<T>(result: Result<T, Error>) -> Result<(), String> {
    result.map(drop).map_err(|error| format!("{error:?}"))
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

#[test]
fn two_adds_meet_and_one_of_them_may_be_killed() {
    let teller = Teller::new();
    Story {
        places: vec![teller.archive(&["zero", "first"]).ends_with(&[&["zero", "first", "one", "two"]])],
        actors: [teller.adds("one"), teller.adds("two")],
        mortal: true,
        alike: true,
    }
    .is_without_fault(600);
}

#[test]
fn an_add_and_a_removal_meet() {
    let teller = Teller::new();
    Story {
        places: vec![teller.archive(&["zero", "first"]).ends_with(&[&["zero", "one"]])],
        actors: [teller.adds("one"), Teller::removes("first")],
        mortal: false,
        alike: false,
    }
    .is_without_fault(300);
}

/// What was removed long ago comes back while its file is about to be deleted.
#[test]
fn a_return_and_a_prune_meet_and_one_of_them_may_be_killed() {
    let teller = Teller::new();
    let places = vec![teller.archive_without("gone", &["zero"]).ends_with(&[&["zero", "gone"]])];
    Story { places, actors: [teller.adds("gone"), prunes()], mortal: true, alike: false }
        .is_without_fault(100);
}

#[test]
fn an_add_and_a_prune_meet() {
    let teller = Teller::new();
    let places = vec![teller.archive_without("gone", &["zero"]).ends_with(&[&["zero", "one"]])];
    Story { places, actors: [teller.adds("one"), prunes()], mortal: false, alike: false }
        .is_without_fault(100);
}

/// A package leaves the suite that it is promoted from, and its file is about to be deleted.
#[test]
fn a_copy_and_a_prune_meet() {
    let teller = Teller::new();
    let ends: &[&[&str]] = &[&["zero", "one"], &["zero"]];
    Story {
        places: vec![teller.archive_with_testing("one", &["zero"]).ends_with(ends)],
        actors: [Teller::copies("one"), Teller::removes_from_testing_and_prunes("one")],
        mortal: false,
        alike: false,
    }
    .is_without_fault(100);
}

/// A suite that is not signed begins to be, while a job without a key adds a package. A job that finds it signed gets a key.
#[test]
fn a_change_of_an_unsigned_suite_and_its_first_signature_meet() {
    let teller = Teller::new();
    let objects = Arc::new(InMemory::new());
    let store = memory().wrapped(|_| objects.clone());
    block_on(publisher(&store, 0).unsigned().add(&teller.file("zero"))).unwrap();
    let mut auditor = Auditor::of(objects.clone());
    block_on(auditor.look()).unwrap();
    let place = Place { name: "archive", objects, auditor, end: &[&["zero", "one", "two"]] };
    let (one, two) = (teller.file("one"), teller.file("two"));
    let signs: Actor = Box::new(move |stores| {
        let file = one.clone();
        Box::pin(async move { told(publisher(&stores[0], 10).adopting().add(&file).await) })
    });
    let changes: Actor = Box::new(move |stores| {
        let file = two.clone();
        Box::pin(async move {
            match publisher(&stores[0], 10).unsigned().add(&file).await {
                Err(Error::NoKey { .. }) => told(publisher(&stores[0], 10).add(&file).await),
                done => told(done),
            }
        })
    });
    Story { places: vec![place], actors: [signs, changes], mortal: true, alike: false }.is_without_fault(300);
}

/// To go back from another state than the one that was looked at would take out what was added meanwhile.
#[test]
fn a_rollback_and_an_add_meet() {
    let teller = Teller::new();
    let rolls_back: Actor = Box::new(|stores| {
        Box::pin(async move {
            match publisher(&stores[0], 10).roll_back().await {
                Err(Error::Overtaken { .. }) => Ok(()),
                done => told(done),
            }
        })
    });
    // It goes back before the addition, is refused, or goes back from it: but never does it end with `zero` alone.
    let ends: &[&[&str]] = &[&["zero", "other"], &["zero", "bad", "other"], &["zero", "bad"]];
    Story {
        places: vec![teller.archive(&["zero", "bad"]).ends_with(ends)],
        actors: [rolls_back, teller.adds("other")],
        mortal: false,
        alike: false,
    }
    .is_without_fault(100);
}

/// A suite and another one below it are independent.
#[test]
fn an_add_and_an_add_to_the_suite_below_meet() {
    let teller = Teller::new();
    let file = teller.file("below");
    let adds_below: Actor = Box::new(move |stores| {
        let file = file.clone();
        Box::pin(async move { told(publisher(&stores[0], 10).of("stable/updates").add(&file).await) })
    });
    Story {
        places: vec![teller.archive(&["zero"]).ends_with(&[&["zero", "one"]])],
        actors: [teller.adds("one"), adds_below],
        mortal: true,
        alike: false,
    }
    .is_without_fault(300);
}

#[test]
fn an_add_and_a_sync_meet() {
    let teller = Teller::new();
    let old = teller.archive(&["zero"]);
    let source = teller.extended(&old, &["first"]).named("source").ends_with(&[&["zero", "first", "one"]]);
    let ends: &[&[&str]] = &[&["zero", "first"], &["zero", "first", "one"]];
    let destination = old.mirrored().named("destination").ends_with(ends);
    Story {
        places: vec![source, destination],
        actors: [teller.adds("one"), syncs(0, 1)],
        mortal: false,
        alike: false,
    }
    .is_without_fault(100);
}

#[test]
fn two_syncs_meet() {
    let teller = Teller::new();
    let old = teller.archive(&["zero"]);
    let source = teller.extended(&old, &["first"]).named("source").ends_with(&[&["zero", "first"]]);
    let destination = old.mirrored().named("destination").ends_with(&[&["zero", "first"]]);
    Story {
        places: vec![source, destination],
        actors: [syncs(0, 1), syncs(0, 1)],
        mortal: false,
        alike: true,
    }
    .is_without_fault(100);
}

/// Somebody carries a copy of yesterday to where somebody else carries that of today.
#[test]
fn a_sync_of_old_and_a_sync_of_new_meet() {
    let teller = Teller::new();
    let oldest = teller.archive(&["zero"]);
    let destination = oldest.mirrored().named("destination").ends_with(&[&["zero", "first", "second"]]);
    let old = teller.extended(&oldest, &["first"]).named("old").ends_with(&[&["zero", "first"]]);
    let new = teller.extended(&old, &["second"]).named("new").ends_with(&[&["zero", "first", "second"]]);
    Story {
        places: vec![old, new, destination],
        actors: [syncs(0, 2), syncs(1, 2)],
        mortal: false,
        alike: false,
    }
    .is_without_fault(100);
}

/// The model itself is tried: on a store that swaps whatever was published in between.
#[test]
fn a_store_that_ignores_conditions_is_found_guilty() {
    let teller = Teller::new();
    let on_bad_store = |actor: Actor| -> Actor {
        Box::new(move |stores| actor(vec![Faults::ignore_conditions().on(stores[0].clone())]))
    };
    let story = Story {
        places: vec![teller.archive(&["first"]).ends_with(&[&["first", "one", "two"]])],
        actors: [on_bad_store(teller.adds("one")), on_bad_store(teller.adds("two"))],
        mortal: false,
        alike: false,
    };
    let fault = story.told().err().unwrap();
    assert!(fault.starts_with("archive: published are "), "{fault}");
}

/// And on a publisher who makes the archive anew elsewhere, and uploads what is another in an order of his own.
#[test]
fn a_publisher_who_writes_the_pointer_first_is_found_guilty() {
    let teller = Teller::new();
    let uploads = |name: &str, pointer_first: bool| -> Actor {
        let file = teller.file(name);
        Box::new(move |stores| {
            let (file, store) = (file.clone(), stores[0].clone());
            Box::pin(async move { told(upload(&store, &file, pointer_first).await) })
        })
    };
    let nobody: fn() -> Actor = || Box::new(|_| Box::pin(async { Ok(()) }));
    for (pointer_first, guilty) in
        [(false, None), (true, Some("archive: `main/binary-amd64/Packages` is not there as"))]
    {
        let story = Story {
            places: vec![teller.archive(&["first"]).ends_with(&[&["first", "one"]])],
            actors: [uploads("one", pointer_first), nobody()],
            mortal: false,
            alike: false,
        };
        match (story.told().err(), guilty) {
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
