//! An `add` dies before and after every operation on its store, including reads and listings: in memory, in a folder
//! and on a real S3 server. By-hash clients then find all files that were ever published, and the next `add` needs no
//! help.
//!
//! [`crash`](crate::crash) has more packages and uses real apt; this test covers every step and every kind of store.

use std::{
    collections::BTreeSet,
    env,
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
};

use futures::TryStreamExt as _;
use object_store::{ObjectStore, local::LocalFileSystem, memory::InMemory};
use publish::store::{Limit, Store};

use crate::{
    auditor::Auditor,
    buckets,
    deb_builder::deb,
    faults::{Faults, SIDES, Side},
    publisher::{Publisher, folder, memory},
    sandbox::{Sandbox, say},
    servers,
};

/// The upper bound for the objects of these tests.
const LIMIT: Limit = Limit::mebibytes(64);

/// The variable with the parameters of the process to be killed: LOCATION OPERATION SIDE FIRST-SIGNATURE FILE.
const ORDER: &str = "PUBLISH_TEST_KILL_STEP";

/// An `add` that is tried repeatedly.
struct Trial {
    sandbox: Sandbox,
    /// Whether the suite is unsigned before, and this `add` signs it for the first time.
    signs_first: bool,
    new: Vec<PathBuf>,
    later: Vec<PathBuf>,
}

impl Trial {
    /// An archive of one package in the folder of the sandbox.
    fn new() -> Self {
        Self::of(false)
    }

    /// An unsigned archive of one package, which the next `add` signs.
    fn that_signs_first() -> Self {
        Self::of(true)
    }

    fn of(signs_first: bool) -> Self {
        let sandbox = Sandbox::signed();
        let file = |name: &str| vec![deb(name).write(sandbox.path("debs"))];
        let first = Publisher::on(folder(sandbox.archive("")));
        let first = if signs_first { first.unsigned() } else { first };
        block_on(first.add(&file("hello"))).unwrap();
        Self { new: file("new"), later: file("later"), signs_first, sandbox }
    }

    /// The publisher of the new package.
    fn publisher(&self, store: Store, seconds: u64) -> Publisher {
        let publisher = Publisher::on(store).later(seconds);
        if self.signs_first { publisher.adopting() } else { publisher }
    }

    /// Writes that archive to a store.
    async fn begin(&self, store: &Store) {
        let archive = folder(self.sandbox.archive(""));
        let paths: Vec<_> = archive.walk("").try_collect().await.unwrap();
        let copied = paths.iter().map(|found| async {
            let bytes = archive.read(&found.path, LIMIT).await.unwrap().unwrap().bytes;
            store.replace(&found.path, bytes).await.unwrap();
        });
        futures::future::join_all(copied).await;
    }

    /// The number of operations of an undisturbed `add`.
    fn operations(&self, store: &Store) -> usize {
        block_on(self.begin(store));
        let faults = Faults::none();
        block_on(self.publisher(faults.on(store.clone()), 0).add(&self.new)).unwrap();
        let operations = faults.operations();
        assert!(operations.len() > 20 && operations.iter().any(|operation| operation.verb == "get"));
        operations.len()
    }

    /// Checks the archive after the `add` has died, and after it was run again.
    fn judge(&self, store: &Store, objects: Arc<dyn ObjectStore>, died: impl FnOnce(), when: &str) {
        block_on(self.begin(store));
        let mut auditor = Auditor::of(objects);
        block_on(auditor.audit()).unwrap();
        died();
        let mut look = |packages: &[&[&str]]| {
            block_on(auditor.audit()).unwrap_or_else(|fault| panic!("{when}: {fault}"));
            let sets =
                packages.iter().map(|names| names.iter().map(|name| format!("{name} 1.0 amd64")).collect());
            let sets: Vec<BTreeSet<String>> = sets.collect();
            assert!(sets.contains(&auditor.packages()), "{when}: {:?}", auditor.packages());
        };
        look(&[&["hello"], &["hello", "new"]]);
        block_on(self.publisher(store.clone(), 1).add(&self.new)).unwrap();
        look(&[&["hello", "new"]]);
        let next = Publisher::on(store.clone()).later(2);
        block_on(next.add(&self.later)).unwrap();
        look(&[&["hello", "new", "later"]]);
        assert_eq!(block_on(next.faults()), [], "{when}");
    }

    /// Runs the process that is killed at an operation.
    fn kill(&self, location: &str, variables: &[(&str, String)], at: usize, side: Side) {
        let status = Command::new(env::current_exe().unwrap())
            .args(["--exact", "crash_steps::the_process_that_is_killed", "--ignored", "--test-threads=1"])
            .env(ORDER, format!("{location} {at} {side:?} {} {}", self.signs_first, self.new[0].display()))
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert_eq!(status.signal(), Some(9), "{side:?} operation {at} in {location}: {status}");
    }
}

/// Tries both sides of every operation, several concurrently.
fn every_step(operations: usize, at_once: usize, attempt: impl Fn(usize, Side) + std::marker::Sync) {
    let steps = (1..=operations).flat_map(|at| SIDES.map(|side| (at, side)));
    let steps = Mutex::new(steps);
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                loop {
                    let next = steps.lock().unwrap().next();
                    let Some((at, side)) = next else { break };
                    attempt(at, side);
                }
            });
        }
    });
    let name = std::thread::current().name().unwrap_or_default().to_owned();
    say(&format!("{name}: both sides of {operations} operations, nothing lost"));
}

#[test]
fn an_add_ends_at_any_step_in_memory() {
    ends_at_any_step_in_memory(&Trial::new());
}

#[test]
fn the_first_signature_ends_at_any_step_in_memory() {
    ends_at_any_step_in_memory(&Trial::that_signs_first());
}

fn ends_at_any_step_in_memory(trial: &Trial) {
    let operations = trial.operations(&memory());
    every_step(operations, 2, |at, side| {
        let objects = Arc::new(InMemory::new());
        let store = memory().wrapped(|_| objects.clone());
        let died = || {
            let (faults, gate) = Faults::stop(at, side);
            let publisher = trial.publisher(faults.counting_reads().on(store.clone()), 0);
            // Dropping the runtime ends all tasks.
            block_on(async {
                tokio::select! {
                    added = publisher.add(&trial.new) => panic!("{side:?} operation {at}: {added:?}"),
                    () = gate.reached() => {}
                }
            });
        };
        trial.judge(&store, objects.clone(), died, &format!("{side:?} operation {at}"));
    });
}

#[test]
fn an_add_is_killed_at_any_step_in_a_folder() {
    is_killed_at_any_step_in_a_folder(&Trial::new());
}

#[test]
fn the_first_signature_is_killed_at_any_step_in_a_folder() {
    is_killed_at_any_step_in_a_folder(&Trial::that_signs_first());
}

fn is_killed_at_any_step_in_a_folder(trial: &Trial) {
    let operations = trial.operations(&folder(trial.sandbox.path("undisturbed")));
    every_step(operations, 2, |at, side| {
        let path = trial.sandbox.path(format!("{at}-{side:?}"));
        std::fs::create_dir(&path).unwrap();
        let objects = Arc::new(LocalFileSystem::new_with_prefix(&path).unwrap());
        let died = || trial.kill(path.to_str().unwrap(), &[], at, side);
        trial.judge(&folder(&path), objects, died, &format!("{side:?} operation {at}"));
    });
}

#[test]
fn an_add_is_killed_at_any_step_on_radosgw() {
    let Some(bucket) = servers::rgw() else { return };
    let at = |folder: &str| format!("{}/{folder}", bucket.location);
    let open = |folder: &str| buckets::open(&at(folder), &bucket.environment()).unwrap();
    let trial = Trial::new();
    let operations = trial.operations(&open("undisturbed"));
    every_step(operations, 8, |number, side| {
        let folder = format!("{number}-{side:?}");
        let store = open(&folder);
        let died = || trial.kill(&at(&folder), &bucket.variables, number, side);
        trial.judge(&store, store.objects(), died, &format!("{side:?} operation {number}"));
    });
}

#[test]
#[ignore = "run by the tests above, as a process of its own"]
fn the_process_that_is_killed() {
    let Ok(order) = env::var(ORDER) else { return };
    let parts: Vec<&str> = order.split(' ').collect();
    let [location, at, side, signs_first, file] = parts[..] else { panic!("{order}") };
    let side = if side == "Before" { Side::Before } else { Side::After };
    let store = buckets::open(location, &env::vars().collect()).unwrap();
    let store = Faults::kill(at.parse().unwrap(), side).counting_reads().on(store);
    let publisher = Publisher::on(store);
    let publisher = if signs_first == "true" { publisher.adopting() } else { publisher };
    block_on(publisher.add(&[Path::new(file).to_owned()])).unwrap();
}

/// Runs the future on its own runtime, which ends all remaining tasks.
fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}
