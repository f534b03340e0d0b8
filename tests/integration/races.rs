//! Racing publishers: each is stopped at a chosen write, so races are deterministic.
//!
//! No published package may be lost, no publisher needs help, and the archive is complete afterwards.

use std::{
    path::PathBuf,
    sync::{
        Arc, Barrier as Start,
        atomic::{AtomicBool, Ordering},
    },
};

use publish::{
    archive::{CommitReport, Error, Reason},
    store::{self, Store},
};
use tokio::sync::Barrier;

use crate::{
    apt_client::{Client, Source},
    deb_builder::deb,
    faults::{Faults, Side},
    publisher::{Publisher, folder, memory},
    sandbox::{Sandbox, fixture},
    web::Web,
};

const POINTER: &str = "dists/stable/InRelease";

/// Builds packages to publish.
struct Packages {
    sandbox: Sandbox,
}

impl Packages {
    fn new() -> Self {
        Self { sandbox: Sandbox::signed() }
    }

    fn file(&self, name: &str) -> Vec<PathBuf> {
        vec![deb(name).write(self.sandbox.incoming())]
    }

    /// A new archive with one package: in memory, or in a folder.
    async fn archive(&self, kind: Kind) -> Store {
        let store = match kind {
            Kind::Memory => memory(),
            Kind::Folder => {
                let _ = std::fs::remove_dir_all(self.sandbox.archive(""));
                folder(self.sandbox.archive(""))
            }
        };
        Publisher::on(store.clone()).add(&self.file("first")).await.unwrap();
        store
    }

    /// The number of writes of an `add` of one package, and the position of the swap among them.
    async fn writes(&self, kind: Kind) -> (usize, usize) {
        let faults = Faults::none();
        Publisher::on(faults.on(self.archive(kind).await)).add(&self.file("sample")).await.unwrap();
        let writes = faults.writes();
        let swap = writes.iter().position(|write| write.path == POINTER).unwrap() + 1;
        assert!(swap > 4 && writes.len() > swap, "{writes:?}");
        (writes.len(), swap)
    }
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Memory,
    Folder,
}

const KINDS: [Kind; 2] = [Kind::Memory, Kind::Folder];

/// The archive has no fault and contains exactly these packages and the first one.
async fn holds(store: &Store, names: &[&str]) {
    let publisher = Publisher::on(store.clone()).later(10);
    let mut expected: Vec<String> = names.iter().map(|name| format!("{name} 1.0 amd64 of amd64")).collect();
    expected.sort();
    assert_eq!(publisher.packages().await.unwrap(), expected);
    assert_eq!(publisher.faults().await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_adds_race_before_each_write() {
    let packages = Packages::new();
    let (one, two) = (packages.file("one"), packages.file("two"));
    for kind in KINDS {
        let (_, swap) = packages.writes(kind).await;
        for at in 1..=swap {
            let store = packages.archive(kind).await;
            let barrier = Arc::new(Barrier::new(2));
            let publisher = || Publisher::on(Faults::meet(at, &barrier).on(store.clone()));
            let (first, second) = (publisher(), publisher());
            let (a, b) = tokio::join!(first.add(&one), second.add(&two));
            let (a, b) = (a.unwrap(), b.unwrap());
            assert!(a.published && b.published);
            assert_eq!(first.lost() + second.lost(), 1, "{kind:?}: exactly one lost at write {at}");
            holds(&store, &["first", "one", "two"]).await;
        }
    }
}

/// The operation of the interrupted publisher.
#[derive(Clone, Copy, Debug)]
enum Verb {
    Add,
    Remove,
    Copy,
    RollBack,
    Snapshot,
}

impl Verb {
    async fn run(self, publisher: &Publisher, file: &[PathBuf]) -> Result<CommitReport, Error> {
        match self {
            Self::Add => publisher.add(file).await,
            Self::Remove => publisher.remove("first").await,
            Self::Copy => publisher.copy("testing", "other").await,
            Self::RollBack => publisher.roll_back().await,
            Self::Snapshot => publisher.snapshot("1.0").await,
        }
    }
}

/// Reads and listings too: another publisher commits between any two operations of each verb, up to its swap.
#[tokio::test(flavor = "multi_thread")]
async fn one_publishes_between_any_two_operations_of_another() {
    let packages = Packages::new();
    let [one, two, other, more] = ["one", "two", "other", "more"].map(|name| packages.file(name));
    let begun = async |is_there: bool| {
        let store = memory();
        Publisher::on(store.clone()).of("testing").add(&other).await.unwrap();
        if is_there {
            Publisher::on(store.clone()).add(&packages.file("first")).await.unwrap();
            Publisher::on(store.clone()).later(1).add(&more).await.unwrap();
        }
        store
    };
    let verbs =
        [Verb::Add, Verb::Remove, Verb::Copy, Verb::RollBack, Verb::Snapshot].map(|verb| (true, verb));
    // The suite may also be created concurrently.
    for (is_there, verb) in verbs.into_iter().chain([(false, Verb::Add), (false, Verb::Copy)]) {
        let faults = Faults::none();
        verb.run(&Publisher::on(faults.on(begun(is_there).await)).later(2), &one).await.unwrap();
        let operations = faults.operations();
        let is_swap = |path: &str| path.ends_with("/InRelease") && !path.contains("/generations/");
        let swap = operations.iter().position(|done| is_swap(&done.path) && !done.reads()).unwrap();
        assert!(swap > 8, "{operations:?}");
        for at in 1..=swap + 1 {
            let when = format!("{verb:?} before {:?}", operations[at - 1]);
            let store = begun(is_there).await;
            let (faults, gate) = Faults::wait(at, Side::Before);
            let slow = Publisher::on(faults.counting_reads().on(store.clone())).later(2);
            let quick = Publisher::on(store.clone()).later(3);
            let meanwhile = async {
                gate.reached().await;
                quick.add(&two).await.unwrap_or_else(|error| panic!("{when}: {error}"));
                gate.open();
            };
            let (done, ()) = tokio::join!(verb.run(&slow, &one), meanwhile);
            // A rollback relative to another generation would be a different change, so nothing is done.
            let overtaken = matches!(verb, Verb::RollBack) && matches!(done, Err(Error::Overtaken { .. }));
            if !overtaken {
                done.unwrap_or_else(|error| panic!("{when}: {error}"));
            }
            let publisher = Publisher::on(store.clone()).later(10);
            let there = publisher.packages().await.unwrap();
            let has = |name: &str| there.contains(&format!("{name} 1.0 amd64 of amd64"));
            // A rollback that began on the generation with `two` restores the one before it.
            assert!(has("two") || (matches!(verb, Verb::RollBack) && has("more")), "{when}: {there:?}");
            match verb {
                Verb::Add => assert!(has("one"), "{when}: {there:?}"),
                Verb::Copy => assert!(has("other"), "{when}: {there:?}"),
                Verb::Remove => assert!(!has("first"), "{when}: {there:?}"),
                Verb::RollBack => {
                    assert!(has("first"), "{when}: {there:?}");
                    assert_eq!(has("two") && has("more"), overtaken, "{when}: {there:?}");
                }
                Verb::Snapshot => {}
            }
            assert_eq!(publisher.faults().await, [], "{when}");
        }
    }
}

/// The canonical index names are compared in this case, and may change between any two reads.
#[tokio::test(flavor = "multi_thread")]
async fn one_publishes_while_another_finds_nothing_to_do() {
    let packages = Packages::new();
    let [first, two] = ["first", "two"].map(|name| packages.file(name));
    let begun = async || {
        let store = memory();
        Publisher::on(store.clone()).add(&first).await.unwrap();
        store
    };
    let faults = Faults::none();
    let again = Publisher::on(faults.on(begun().await)).later(1).add(&first).await.unwrap();
    assert!(!again.published);
    let operations = faults.operations();
    assert!(operations.len() > 8, "{operations:?}");
    for at in 1..=operations.len() {
        let when = format!("before {:?}", operations[at - 1]);
        let store = begun().await;
        let (faults, gate) = Faults::wait(at, Side::Before);
        let slow = Publisher::on(faults.counting_reads().on(store.clone())).later(1);
        let quick = Publisher::on(store.clone()).later(2);
        let meanwhile = async {
            gate.reached().await;
            quick.add(&two).await.unwrap();
            gate.open();
        };
        let (done, ()) = tokio::join!(slow.add(&first), meanwhile);
        assert!(!done.unwrap_or_else(|error| panic!("{when}: {error}")).published, "{when}");
        assert_eq!(Publisher::on(store.clone()).later(10).faults().await, [], "{when}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_publishes_while_another_waits_at_each_write() {
    let packages = Packages::new();
    let (one, two) = (packages.file("one"), packages.file("two"));
    for kind in KINDS {
        let (writes, swap) = packages.writes(kind).await;
        // Also while the last response is pending.
        for (at, side) in (1..=writes).map(|at| (at, Side::Before)).chain([(swap, Side::After)]) {
            let store = packages.archive(kind).await;
            let (faults, gate) = Faults::wait(at, side);
            let slow = Publisher::on(faults.on(store.clone()));
            let quick = Publisher::on(store.clone()).later(1);
            let meanwhile = async {
                gate.reached().await;
                quick.add(&two).await.unwrap();
                gate.open();
            };
            let (slow_ended, ()) = tokio::join!(slow.add(&one), meanwhile);
            slow_ended.unwrap();
            assert_eq!(quick.lost(), 0);
            // A publisher that has swapped has won, and only writes the files for clients without by-hash.
            let before = at <= swap && side == Side::Before;
            assert_eq!(slow.lost(), u32::from(before), "{kind:?}: {side:?} write {at} of {writes}");
            holds(&store, &["first", "one", "two"]).await;
        }
    }
}

/// Both have swapped, one after the other, and now both write the files for clients without by-hash.
#[tokio::test(flavor = "multi_thread")]
async fn two_publishers_write_aliases_concurrently() {
    let packages = Packages::new();
    let (one, two) = (packages.file("one"), packages.file("two"));
    let (writes, swap) = packages.writes(Kind::Memory).await;
    // The first waits before `Release`, `Release.gpg`, the first index and the last; the second before each.
    for first_at in [swap + 1, swap + 2, swap + 3, writes] {
        for second_at in swap + 1..=writes {
            for first_ends_first in [true, false] {
                let store = packages.archive(Kind::Memory).await;
                let (faults, first_gate) = Faults::wait(first_at, Side::Before);
                let first = Publisher::on(faults.on(store.clone()));
                let (faults, second_gate) = Faults::wait(second_at, Side::Before);
                let second = Publisher::on(faults.on(store.clone()));
                let first_adds = async {
                    first.add(&one).await.unwrap();
                    second_gate.open();
                };
                let second_adds = async {
                    first_gate.reached().await;
                    let order = async {
                        second_gate.reached().await;
                        if first_ends_first {
                            first_gate.open();
                        } else {
                            second_gate.open();
                        }
                    };
                    let (added, ()) = tokio::join!(second.add(&two), order);
                    added.unwrap();
                    first_gate.open();
                };
                tokio::join!(first_adds, second_adds);
                assert_eq!((first.lost(), second.lost()), (0, 0));
                holds(&store, &["first", "one", "two"]).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_add_races_with_a_removal() {
    let packages = Packages::new();
    let one = packages.file("one");
    for kind in KINDS {
        // The removal writes no pool file: its swap is one write earlier.
        let (_, swap) = packages.writes(kind).await;
        let store = packages.archive(kind).await;
        Publisher::on(store.clone()).add(&packages.file("old")).await.unwrap();
        let barrier = Arc::new(Barrier::new(2));
        let first = Publisher::on(Faults::meet(swap, &barrier).on(store.clone()));
        let second = Publisher::on(Faults::meet(swap - 1, &barrier).on(store.clone()));
        let (added, removed) = tokio::join!(first.add(&one), second.remove("old"));
        assert_eq!(added.unwrap().added.len(), 1);
        assert_eq!(removed.unwrap().removed.len(), 1);
        assert_eq!(first.lost() + second.lost(), 1, "{kind:?}");
        holds(&store, &["first", "one"]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_add_the_same_file() {
    let packages = Packages::new();
    let one = packages.file("one");
    for kind in KINDS {
        let (_, swap) = packages.writes(kind).await;
        for at in 1..=swap {
            let store = packages.archive(kind).await;
            let barrier = Arc::new(Barrier::new(2));
            let publisher = || Publisher::on(Faults::meet(at, &barrier).on(store.clone()));
            let (first, second) = (publisher(), publisher());
            let (a, b) = tokio::join!(first.add(&one), second.add(&one));
            let (a, b) = (a.unwrap(), b.unwrap());
            let summary =
                |outcome: &CommitReport| (outcome.added.len(), outcome.present.len(), outcome.published);
            let mut both = [summary(&a), summary(&b)];
            both.sort_unstable();
            assert_eq!(both, [(0, 1, false), (1, 0, true)], "{kind:?} at write {at}");
            assert_eq!(first.lost() + second.lost(), 1);
            holds(&store, &["first", "one"]).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_add_other_bytes_under_one_name() {
    let packages = Packages::new();
    let one = packages.file("one");
    let other = vec![
        deb("one")
            .payload("something else")
            .write_as(packages.sandbox.path("other").join("one_1.0_amd64.deb")),
    ];
    for kind in KINDS {
        // At the pool file, the first write. The second publisher stops if the path is occupied.
        for (at, waits) in [(1, false), (1, true), (2, true), (5, true), (7, true)] {
            let store = packages.archive(kind).await;
            let (a, b) = if waits {
                let (faults, gate) = Faults::wait(at, Side::Before);
                let slow = Publisher::on(faults.on(store.clone()));
                let quick = Publisher::on(store.clone()).later(1);
                let meanwhile = async {
                    gate.reached().await;
                    let ended = quick.add(&other).await;
                    gate.open();
                    ended
                };
                tokio::join!(slow.add(&one), meanwhile)
            } else {
                let barrier = Arc::new(Barrier::new(2));
                let publisher = || Publisher::on(Faults::meet(at, &barrier).on(store.clone()));
                let (first, second) = (publisher(), publisher());
                tokio::join!(first.add(&one), second.add(&other))
            };
            let refused = match (a, b) {
                (Ok(_), Err(error)) | (Err(error), Ok(_)) => error,
                (Ok(_), Ok(_)) => panic!("{kind:?}: both were taken"),
                (Err(a), Err(b)) => panic!("{kind:?}: both were refused: {a}; {b}"),
            };
            let other_bytes = match &refused {
                Error::Store(store::Error::Occupied { .. }) => true,
                Error::Refused(all) => all.iter().all(|refusal| {
                    matches!(
                        refusal.source,
                        Reason::OtherContents { .. } | Reason::Pool(store::Error::Occupied { .. })
                    )
                }),
                _ => false,
            };
            assert!(other_bytes, "{refused:?}");
            holds(&store, &["first", "one"]).await;
        }
    }
}

/// The store committed the write, the response was lost, and the retry of a lower layer was refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_response_of_the_swap_is_a_success() {
    let packages = Packages::new();
    let one = packages.file("one");
    for kind in KINDS {
        let (_, swap) = packages.writes(kind).await;
        let store = packages.archive(kind).await;
        let publisher = Publisher::on(Faults::refuse_after(swap).on(store.clone()));
        let outcome = publisher.add(&one).await.unwrap();
        assert!(outcome.published && outcome.added.len() == 1);
        assert_eq!(publisher.lost(), 0);
        holds(&store, &["first", "one"]).await;
        // The same for the first pointer, which is created.
        let faults = Faults::none();
        Publisher::on(faults.on(memory())).add(&one).await.unwrap();
        let swap = faults.writes().iter().position(|write| write.path == POINTER).unwrap() + 1;
        let store = memory();
        let publisher = Publisher::on(Faults::refuse_after(swap).on(store.clone()));
        assert!(publisher.add(&one).await.unwrap().first);
        assert_eq!(publisher.lost(), 0);
        holds(&store, &["one"]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_publish_the_first_suite() {
    let packages = Packages::new();
    let (one, two) = (packages.file("one"), packages.file("two"));
    let faults = Faults::none();
    Publisher::on(faults.on(memory())).add(&one).await.unwrap();
    let swap = faults.writes().iter().position(|write| write.path == POINTER).unwrap() + 1;
    for kind in KINDS {
        for at in 1..=swap {
            let store = match kind {
                Kind::Memory => memory(),
                Kind::Folder => folder(packages.sandbox.path(format!("new{at}"))),
            };
            let barrier = Arc::new(Barrier::new(2));
            let publisher = || Publisher::on(Faults::meet(at, &barrier).on(store.clone()));
            let (first, second) = (publisher(), publisher());
            let (a, b) = tokio::join!(first.add(&one), second.add(&two));
            assert_eq!(usize::from(a.unwrap().first) + usize::from(b.unwrap().first), 1);
            assert_eq!(first.lost() + second.lost(), 1, "{kind:?}: exactly one lost at write {at}");
            holds(&store, &["one", "two"]).await;
        }
    }
}

#[test]
fn eight_processes_add_at_once() {
    let packages = Packages::new();
    let sandbox = &packages.sandbox;
    let mut names = vec!["first".to_owned()];
    sandbox.publish(["add".as_ref(), packages.file("first")[0].as_os_str()]).ok();
    let web = Web::of(sandbox.archive(""));
    let published = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // A client updates continuously, and never sees an inconsistency.
        scope.spawn(|| {
            let Some(mut apt) = Client::debian_12(sandbox) else { return };
            apt.source(&Source::at(&web.url).signed_by(fixture("keys/test.pub.asc")));
            while !published.load(Ordering::Relaxed) {
                apt.updates();
                assert_eq!(apt.versions("first"), ["1.0"]);
            }
        });
        let _done = Done(&published);
        for round in 0..3 {
            let start = Start::new(8);
            std::thread::scope(|scope| {
                for number in 0..8 {
                    let name = format!("p{round}-{number}");
                    let file = packages.file(&name).remove(0);
                    names.push(name);
                    let start = &start;
                    scope.spawn(move || {
                        start.wait();
                        sandbox.publish(["add".as_ref(), file.as_os_str()]).ok();
                    });
                }
            });
            sandbox.publish(["check"]).ok();
        }
    });
    let index = sandbox.read("dists/stable/main/binary-amd64/Packages");
    let published: Vec<&str> = index.lines().filter_map(|line| line.strip_prefix("Package: ")).collect();
    names.sort();
    assert_eq!(published, names);
    assert_eq!(sandbox.tree().paths_with(".publish-"), [""; 0]);
    // At least one generation for each publisher: no commit contains another's packages.
    assert!(sandbox.tree().paths_with("generations/").len() >= names.len());
}

/// Sets the flag when dropped, also on a panic.
pub(crate) struct Done<'a>(pub(crate) &'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A check during a publish finds no fault.
#[tokio::test(flavor = "multi_thread")]
async fn a_check_races_with_a_publisher_at_each_read() {
    let packages = Packages::new();
    let one = packages.file("one");
    let faults = Faults::none();
    let store = packages.archive(Kind::Memory).await;
    assert_eq!(Publisher::on(faults.on(store)).later(9).faults().await, []);
    let operations = faults.operations();
    for at in 1..=operations.len() {
        let store = packages.archive(Kind::Memory).await;
        let (faults, gate) = Faults::wait(at, Side::Before);
        let looking = Publisher::on(faults.counting_reads().on(store.clone())).later(9);
        let meanwhile = async {
            gate.reached().await;
            Publisher::on(store.clone()).later(1).add(&one).await.unwrap();
            gate.open();
        };
        let (found, ()) = tokio::join!(looking.faults(), meanwhile);
        assert_eq!(found, [], "before {:?}", operations[at - 1]);
    }
}

/// A sync during a publish copies one complete generation.
#[tokio::test(flavor = "multi_thread")]
async fn a_sync_races_with_a_publisher_at_each_read() {
    let packages = Packages::new();
    let one = packages.file("one");
    let faults = Faults::none();
    let store = packages.archive(Kind::Memory).await;
    Publisher::on(faults.on(store)).sync(&memory()).await.unwrap();
    let operations = faults.operations();
    assert!(operations.len() > 4, "{operations:?}");
    for at in 1..=operations.len() {
        let when = format!("before {:?}", operations[at - 1]);
        let store = packages.archive(Kind::Memory).await;
        let (faults, gate) = Faults::wait(at, Side::Before);
        let carrying = Publisher::on(faults.counting_reads().on(store.clone()));
        let destination = memory();
        let meanwhile = async {
            gate.reached().await;
            Publisher::on(store.clone()).later(1).add(&one).await.unwrap();
            gate.open();
        };
        let (synced, ()) = tokio::join!(carrying.sync(&destination), meanwhile);
        let synced = synced.unwrap_or_else(|error| panic!("{when}: {error}"));
        assert!(synced.failed.is_empty(), "{when}: {:?}", synced.failed);
        let there = Publisher::on(destination.clone()).later(9);
        assert_eq!(there.faults().await, [], "{when}");
        Publisher::on(store.clone()).later(9).sync(&destination).await.unwrap();
        holds(&destination, &["first", "one"]).await;
    }
}
