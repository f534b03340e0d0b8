//! Every way in which two publishers may meet, within bounds: each store operation of both is a step, and all orders of
//! steps are tried in which one of them is interrupted at most twice.
//!
//! An order is tried by running both from the same state, one step at a time. After each write the [`Auditor`] looks at
//! the archive; in the end everything that was published is there. What two steps of one publisher do at once is done in
//! one order. Whether the other comes before or after a read matters only if he writes what is read: such reads and all
//! writes are where interruptions are tried, and all else would be the same orders under other names. Time stands still,
//! so that who waits for a moment after a lost race waits for nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::PathBuf,
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use futures::TryStreamExt as _;
use object_store::memory::InMemory;
use publish::store::Store;
use tokio::task::{LocalSet, spawn_local};

use crate::{
    auditor::Auditor,
    deb_builder::deb,
    faults::{Faults, Operation, Turns},
    publisher::{Publisher, memory},
    sandbox::{Sandbox, say},
};

/// How often a publisher is interrupted, at most.
const INTERRUPTIONS: usize = 2;

/// Longer than anybody waits after a lost race.
const LONG: Duration = Duration::from_secs(60 * 60);

/// What somebody does with the stores of a story: an error fails the story.
type Work = Pin<Box<dyn Future<Output = Result<(), String>>>>;
type Actor = Box<dyn Fn(Vec<Store>) -> Work>;

/// Two who meet.
struct Story {
    /// The stores as they are in the beginning, and who has seen them since they are there.
    begin: Vec<(InMemory, Auditor)>,
    actors: [Actor; 2],
    /// Whether the last interruption may be an end; who was killed is run again when all is over.
    mortal: bool,
    /// What is published in each store in the end.
    end: Vec<&'static [&'static str]>,
}

/// What happens instead of the next step of whoever is at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    /// The other goes on.
    Switch,
    /// He is killed.
    Kill,
}

/// Who begins, and what happens before which steps.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Order {
    first: usize,
    turns: Vec<(usize, Turn)>,
}

/// A step that was done.
#[derive(Clone)]
struct Step {
    actor: usize,
    operation: Operation,
    /// Whether the other could have gone on instead.
    chosen: bool,
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} {}", ["A", "B"][self.actor], self.operation.verb, self.operation.path)
    }
}

/// What was found out.
struct Explorer<'a> {
    story: &'a Story,
    done: BTreeMap<Order, Vec<Step>>,
    /// What each writes, in any order so far.
    writes: [BTreeSet<String>; 2],
}

/// A story without a fault: in how many orders it was told, and in how many steps.
struct Told {
    orders: usize,
    steps: usize,
}

impl Story {
    /// Tries every order; an error tells the first that is bad.
    fn told(&self) -> Result<Told, String> {
        let mut explorer =
            Explorer { story: self, done: BTreeMap::new(), writes: [const { BTreeSet::new() }; 2] };
        // What one writes in a late order may matter where it was not known yet.
        loop {
            let known = explorer.writes.clone();
            for first in 0..2 {
                explorer.explore(&Order { first, turns: Vec::new() })?;
            }
            if explorer.writes == known {
                break;
            }
        }
        Ok(Told { orders: explorer.done.len(), steps: explorer.done.values().map(Vec::len).sum() })
    }

    /// It must be without a fault, in this many orders at least.
    #[track_caller]
    fn is_without_fault(&self, least: usize) {
        let told = self.told().unwrap_or_else(|fault| panic!("{fault}"));
        let name = std::thread::current().name().unwrap_or_default().to_owned();
        say(&format!("{name}: {} orders, {} steps, no fault", told.orders, told.steps));
        assert!(told.orders >= least, "{} orders", told.orders);
    }

    /// Runs both in one order.
    fn run(&self, order: &Order) -> Result<Vec<Step>, String> {
        let mut steps = Vec::new();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        let run = Run::begin(self).in_order(order, &mut steps);
        let done = LocalSet::new().block_on(&runtime.unwrap(), run);
        done.map_err(|fault| format!("{fault}\nin {order:?}:\n{steps:#?}"))?;
        Ok(steps)
    }
}

impl Explorer<'_> {
    fn explore(&mut self, order: &Order) -> Result<(), String> {
        if !self.done.contains_key(order) {
            let steps = self.story.run(order)?;
            if let Some(((at, _), earlier)) = order.turns.split_last() {
                let before = &self.done[&Order { turns: earlier.to_vec(), ..*order }];
                assert_eq!(shown(&steps[..*at]), shown(&before[..*at]), "a run does not repeat itself");
            }
            for step in steps.iter().filter(|step| !step.operation.reads()) {
                self.writes[step.actor].insert(lasting(&step.operation.path));
            }
            self.done.insert(order.clone(), steps);
        }
        if order.turns.len() == INTERRUPTIONS || order.turns.iter().any(|(_, turn)| *turn == Turn::Kill) {
            return Ok(());
        }
        let begin = order.turns.last().map_or(0, |(at, _)| at + 1);
        for at in begin..self.done[order].len() {
            let step = self.done[order][at].clone();
            if !self.matters(&step) {
                continue;
            }
            // Who is killed before a read leaves what he would leave before the next write.
            let kill = self.story.mortal && !step.operation.reads();
            let turns = [(step.chosen, Turn::Switch), (kill, Turn::Kill)];
            for (_, turn) in turns.into_iter().filter(|(possible, _)| *possible) {
                let mut order = order.clone();
                order.turns.push((at, turn));
                self.explore(&order)?;
            }
        }
        Ok(())
    }

    /// Whether it is another order if the other comes first.
    fn matters(&self, step: &Step) -> bool {
        let Operation { verb, path } = &step.operation;
        *verb != "get" || self.writes[1 - step.actor].contains(&lasting(path))
    }
}

/// A path without what is another in each run: the digest of a signature, the name of a hold.
fn lasting(path: &str) -> String {
    let mut parts: Vec<&str> = path.split('/').collect();
    for at in 1..parts.len() {
        if parts[at - 1] == "generations" {
            parts[at] = parts[at].split('-').next().unwrap();
        }
        if parts[at - 1] == "holds" {
            parts[at] = "HOLD";
        }
    }
    parts.join("/")
}

fn shown(steps: &[Step]) -> Vec<(usize, &'static str, String)> {
    let shown = |step: &Step| (step.actor, step.operation.verb, lasting(&step.operation.path));
    steps.iter().map(shown).collect()
}

/// One run of a story.
struct Run<'a> {
    story: &'a Story,
    stores: Vec<Store>,
    auditors: Vec<Auditor>,
}

impl<'a> Run<'a> {
    fn begin(story: &'a Story) -> Self {
        let forked = story.begin.iter().map(|(objects, auditor)| {
            let objects = Arc::new(objects.fork());
            (memory().wrapped(|_| objects.clone()), auditor.moved_to(objects))
        });
        let (stores, auditors) = forked.unzip();
        Self { story, stores, auditors }
    }

    async fn in_order(mut self, order: &Order, steps: &mut Vec<Step>) -> Result<(), String> {
        let (turns, tasks): (Vec<Turns>, Vec<_>) = self
            .story
            .actors
            .iter()
            .map(|actor| {
                let (faults, turns) = Faults::turns();
                let stores = self.stores.iter().map(|store| faults.on(store.clone())).collect();
                (turns, spawn_local(actor(stores)))
            })
            .unzip();
        let mut alive = [true; 2];
        let mut actor = order.first;
        loop {
            // Time goes on only when nobody can do anything but wait for his turn.
            tokio::time::sleep(LONG).await;
            let next = |actor: usize| turns[actor].next().filter(|_| alive[actor]);
            match order.turns.iter().find(|(at, _)| *at == steps.len()).map(|(_, turn)| turn) {
                Some(Turn::Switch) if next(1 - actor).is_some() => actor = 1 - actor,
                Some(Turn::Kill) if alive[actor] => {
                    alive[actor] = false;
                    actor = 1 - actor;
                }
                _ => {}
            }
            let next = |actor: usize| turns[actor].next().filter(|_| alive[actor]);
            if next(actor).is_none() {
                actor = 1 - actor;
            }
            let Some(operation) = next(actor) else { break };
            turns[actor].give();
            let chosen = next(1 - actor).is_some();
            let reads = operation.reads();
            steps.push(Step { actor, operation, chosen });
            if !reads {
                tokio::time::sleep(LONG).await;
                self.audit().await?;
            }
        }
        for (actor, task) in tasks.into_iter().enumerate() {
            if alive[actor] {
                assert!(task.is_finished(), "{} waits for what is no store", ["A", "B"][actor]);
                task.await.unwrap()?;
            }
        }
        // Whoever was killed is run again, and needs no help.
        for (actor, _) in alive.iter().enumerate().filter(|(_, alive)| !**alive) {
            self.story.actors[actor](self.stores.clone()).await?;
            self.audit().await?;
        }
        self.end().await
    }

    async fn audit(&mut self) -> Result<(), String> {
        for auditor in &mut self.auditors {
            auditor.look().await?;
        }
        Ok(())
    }

    async fn end(mut self) -> Result<(), String> {
        self.audit().await?;
        for ((store, auditor), expected) in self.stores.iter().zip(&self.auditors).zip(&self.story.end) {
            let expected: BTreeSet<String> =
                expected.iter().map(|name| format!("{name} 1.0 amd64")).collect();
            if auditor.packages() != expected {
                return Err(format!("published are {:?}, not {expected:?}", auditor.packages()));
            }
            let faults = Publisher::on(store.clone()).later(60).faults().await;
            if !faults.is_empty() {
                return Err(format!("{faults:?}"));
            }
        }
        Ok(())
    }
}

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
    fn archive(&self, names: &[&str]) -> (InMemory, Auditor) {
        let objects = Arc::new(InMemory::new());
        let store = memory().wrapped(|_| objects.clone());
        let mut auditor = Auditor::of(objects.clone());
        block_on(async {
            for name in names {
                publisher(&store).add(&self.file(name)).await.unwrap();
                auditor.look().await.unwrap();
            }
            auditor.promise_generations().await.unwrap();
            auditor.look().await.unwrap();
        });
        assert_eq!(auditor.pointers(), names.len());
        (objects.fork(), auditor)
    }

    /// Adds a package to the first store.
    fn adds(&self, name: &str) -> Actor {
        let file = self.file(name);
        Box::new(move |stores| {
            let file = file.clone();
            Box::pin(async move { told(publisher(&stores[0]).add(&file).await) })
        })
    }

    /// Removes a package from the first store.
    fn removes(name: &'static str) -> Actor {
        Box::new(move |stores| Box::pin(async move { told(publisher(&stores[0]).remove(name).await) }))
    }
}

fn publisher(store: &Store) -> Publisher {
    Publisher::on(store.clone()).without_xz()
}

fn told<T>(result: Result<T, publish::archive::Error>) -> Result<(), String> {
    result.map(drop).map_err(|error| format!("{error:?}"))
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

#[test]
fn two_adds_meet_and_one_of_them_may_be_killed() {
    let teller = Teller::new();
    Story {
        begin: vec![teller.archive(&["zero", "first"])],
        actors: [teller.adds("one"), teller.adds("two")],
        mortal: true,
        end: vec![&["zero", "first", "one", "two"]],
    }
    .is_without_fault(600);
}

#[test]
fn an_add_and_a_removal_meet() {
    let teller = Teller::new();
    Story {
        begin: vec![teller.archive(&["zero", "first"])],
        actors: [teller.adds("one"), Teller::removes("first")],
        mortal: false,
        end: vec![&["zero", "one"]],
    }
    .is_without_fault(300);
}

/// The model itself is tried: on a store that swaps whatever was published in between.
#[test]
fn a_store_that_ignores_conditions_is_found_guilty() {
    let teller = Teller::new();
    let on_bad_store = |actor: Actor| -> Actor {
        Box::new(move |stores| actor(vec![Faults::ignore_conditions().on(stores[0].clone())]))
    };
    let story = Story {
        begin: vec![teller.archive(&["first"])],
        actors: [on_bad_store(teller.adds("one")), on_bad_store(teller.adds("two"))],
        mortal: false,
        end: vec![&["first", "one", "two"]],
    };
    let fault = story.told().err().unwrap();
    assert!(fault.starts_with("published are "), "{fault}");
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
        [(false, None), (true, Some("`main/binary-amd64/Packages` is not there as"))]
    {
        let story = Story {
            begin: vec![teller.archive(&["first"])],
            actors: [uploads("one", pointer_first), nobody()],
            mortal: false,
            end: vec![&["first", "one"]],
        };
        match (story.told().err(), guilty) {
            (None, None) => {}
            (Some(fault), Some(expected)) => assert!(fault.starts_with(expected), "{fault}"),
            (fault, _) => panic!("{fault:?}"),
        }
    }
}

async fn upload(store: &Store, file: &[PathBuf], pointer_first: bool) -> Result<(), publish::archive::Error> {
    let copy = memory();
    for path in paths(store).await? {
        copy.replace(&path, store.read(&path).await?.unwrap().bytes).await?;
    }
    publisher(&copy).add(file).await?;
    let mut paths = paths(&copy).await?;
    paths.sort_by_key(|path| path.ends_with("/stable/InRelease") != pointer_first);
    for path in paths {
        let new = copy.read(&path).await?.unwrap().bytes;
        if store.read(&path).await?.is_none_or(|there| there.bytes != new) {
            store.replace(&path, new).await?;
        }
    }
    Ok(())
}

async fn paths(store: &Store) -> Result<Vec<String>, publish::store::Error> {
    store.walk("").map_ok(|found| found.path).try_collect().await
}
