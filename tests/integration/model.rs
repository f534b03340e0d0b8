//! Model checking of two concurrent publishers, within bounds: each store operation of both is a step, and all schedules
//! are tried in which one of them is interrupted at most twice.
//!
//! A schedule is run from the same initial stores, one step at a time. After each write the [`Auditor`] checks the archive;
//! at the end all published packages must exist. Concurrent operations of one publisher run in one fixed schedule.
//!
//! Two operations of different publishers are independent unless both touch the same path and one of them writes it; a
//! listing touches all paths below its folder. It does not matter which of two independent operations comes first, so a
//! switch is tried only before an operation that depends on one of the other publisher, and before the first write; all
//! others would only repeat equivalent schedules. Each write leaves other objects behind when its publisher is killed, so a
//! kill is tried before each of them. The second interruption is tried only before writes and before reads of the pointer.
//!
//! Time is simulated: it advances when a publisher waits, and a publisher that waits for the other one continues after the
//! other has run. The initial archive is a month old, so that [`prune`](publish::archive::Archive::prune) has files to
//! delete. The scenarios are in [`model_scenarios`](crate::model_scenarios).

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, mem,
    pin::Pin,
    sync::Arc,
    time::{Duration, SystemTime},
};

use object_store::memory::InMemory;
use publish::store::Store;
use tokio::{
    task::{LocalSet, spawn_local},
    time::sleep,
};

use crate::{
    auditor::Auditor,
    faults::{Faults, Operation, Stepper},
    publisher::{Publisher, memory},
    sandbox::say,
};

/// The largest number of interruptions of a publisher.
const INTERRUPTIONS: usize = 2;

/// A publisher that repeats the same read this often is waiting for the other one.
const POLLS: usize = 2;

/// The resolution of the clock.
const TICK: Duration = Duration::from_millis(1);
/// Longer than any backoff or polling interval.
const BACKOFF: Duration = Duration::from_secs(5);
/// Longer than any wait for a dead publisher.
const LEASE_EXPIRY: Duration = Duration::from_secs(60 * 60);
/// The age of the initial archive.
const AGE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The work of a publisher on the stores of a scenario; an error fails the scenario.
pub(crate) type Work = Pin<Box<dyn Future<Output = Result<(), String>>>>;
pub(crate) type Actor = Box<dyn Fn(Vec<Store>) -> Work>;

/// Two concurrent publishers.
pub(crate) struct Scenario {
    /// The initial stores.
    pub(crate) places: Vec<Place>,
    /// The publishers; each gets all stores.
    pub(crate) actors: [Actor; 2],
    /// Whether the last interruption may be a kill.
    pub(crate) kills: Kills,
    /// Whether both do the same work.
    pub(crate) symmetric: bool,
}

/// Whether a publisher may be killed, and the remedy.
pub(crate) enum Kills {
    None,
    /// The killed publisher is run again, and must succeed without help.
    RunAgain,
    /// After that, this one repairs the names of clients without by-hash.
    Repaired(Actor),
}

/// A store of a scenario.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) name: &'static str,
    pub(crate) objects: Arc<InMemory>,
    /// A client that has seen all published generations.
    pub(crate) auditor: Auditor,
    /// The package lists allowed at the end.
    pub(crate) end: &'static [&'static [&'static str]],
}

/// An event before a step of the active publisher.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Interruption {
    /// The other publisher continues.
    Switch,
    /// The active publisher is killed.
    Kill,
}

/// The publisher that starts, and the interruptions with the numbers of the steps before which they happen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Schedule {
    first: usize,
    interruptions: Vec<(usize, Interruption)>,
}

/// A completed step.
#[derive(Clone)]
struct Step {
    actor: usize,
    operation: Operation,
    /// Whether the other publisher could have continued instead.
    chosen: bool,
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} {}", ["A", "B"][self.actor], self.operation.verb, self.operation.path)
    }
}

/// The schedules run so far.
struct Explorer<'a> {
    scenario: &'a Scenario,
    done: BTreeMap<Schedule, Vec<Step>>,
    /// The paths that each publisher touched in any schedule so far.
    touched: [Touched; 2],
}

#[derive(Clone, Default, PartialEq, Eq)]
struct Touched {
    written: BTreeSet<String>,
    read: BTreeSet<String>,
    /// The folders that were listed.
    listed: BTreeSet<String>,
}

/// The size of an exploration without a fault.
pub(crate) struct Explored {
    schedules: usize,
    steps: usize,
}

impl Scenario {
    /// Tries every schedule; an error describes the first one with a fault.
    pub(crate) fn explore(&self) -> Result<Explored, String> {
        let mut explorer = Explorer { scenario: self, done: BTreeMap::new(), touched: Default::default() };
        // A path first touched in a late schedule may matter for earlier ones, so repeat up to the fixed point.
        loop {
            let known = explorer.touched.clone();
            // For symmetric publishers it does not matter which one starts.
            for first in 0..if self.symmetric { 1 } else { 2 } {
                explorer.explore(&Schedule { first, interruptions: Vec::new() })?;
            }
            if explorer.touched == known {
                break;
            }
        }
        Ok(Explored { schedules: explorer.done.len(), steps: explorer.done.values().map(Vec::len).sum() })
    }

    /// Explores at least this many schedules without finding a fault.
    #[track_caller]
    pub(crate) fn has_no_fault(&self, least: usize) {
        let explored = self.explore().unwrap_or_else(|fault| panic!("{fault}"));
        let name = std::thread::current().name().unwrap_or_default().to_owned();
        say(&format!("{name}: {} schedules, {} steps, no fault", explored.schedules, explored.steps));
        assert!(explored.schedules >= least, "{} schedules", explored.schedules);
    }

    /// Runs both publishers by one schedule.
    fn run(&self, schedule: &Schedule) -> Result<Vec<Step>, String> {
        let mut steps = Vec::new();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        let run = Run::begin(self).follow(schedule, &mut steps);
        let done = LocalSet::new().block_on(&runtime.unwrap(), run);
        done.map_err(|fault| format!("{fault}\nin {schedule:?}:\n{steps:#?}"))?;
        Ok(steps)
    }
}

impl Explorer<'_> {
    fn explore(&mut self, schedule: &Schedule) -> Result<(), String> {
        if !self.done.contains_key(schedule) {
            let steps = self.scenario.run(schedule)?;
            if let Some(((at, _), earlier)) = schedule.interruptions.split_last() {
                let before = &self.done[&Schedule { interruptions: earlier.to_vec(), ..*schedule }];
                assert_eq!(trace(&steps[..*at]), trace(&before[..*at]), "a run is not deterministic");
            }
            for step in &steps {
                self.touched[step.actor].add(&step.operation);
            }
            self.done.insert(schedule.clone(), steps);
        }
        if schedule.interruptions.len() == INTERRUPTIONS
            || schedule.interruptions.iter().any(|(_, interruption)| *interruption == Interruption::Kill)
        {
            return Ok(());
        }
        let begin = schedule.interruptions.last().map_or(0, |(at, _)| at + 1);
        let mut has_written = [false; 2];
        for at in begin..self.done[schedule].len() {
            let step = self.done[schedule][at].clone();
            let writes = !step.operation.reads();
            let is_first_write = writes && !mem::replace(&mut has_written[step.actor], true);
            if !(schedule.interruptions.is_empty() || is_central(&step)) {
                continue;
            }
            let switch = step.chosen && (is_first_write || self.depends(&step));
            // A kill before a read leaves the same objects as a kill before the next write.
            let kill = !matches!(self.scenario.kills, Kills::None) && writes;
            let possible = [(switch, Interruption::Switch), (kill, Interruption::Kill)];
            for (_, interruption) in possible.into_iter().filter(|(possible, _)| *possible) {
                let mut schedule = schedule.clone();
                schedule.interruptions.push((at, interruption));
                self.explore(&schedule)?;
            }
        }
        Ok(())
    }

    /// Whether an operation of the other publisher before this step may make a difference.
    fn depends(&self, step: &Step) -> bool {
        self.touched[1 - step.actor].depends(&step.operation)
    }
}

impl Touched {
    fn add(&mut self, operation: &Operation) {
        let touched = match operation.verb {
            "list" => &mut self.listed,
            "get" => &mut self.read,
            _ => &mut self.written,
        };
        touched.insert(normalized(&operation.path));
    }

    /// Whether this operation and one of these touch the same path, and one of them writes it.
    fn depends(&self, operation: &Operation) -> bool {
        let path = normalized(&operation.path);
        match operation.verb {
            "list" => self.written.iter().any(|written| is_below(written, &path)),
            "get" => self.written.contains(&path),
            _ => {
                self.written.contains(&path)
                    || self.read.contains(&path)
                    || self.listed.iter().any(|folder| is_below(&path, folder))
            }
        }
    }
}

fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || folder.ends_with('/'))
}

/// A path without the parts that differ between runs: the digest of a signature, and random names.
fn normalized(path: &str) -> String {
    let mut parts: Vec<&str> = path.split('/').collect();
    for at in 1..parts.len() {
        match parts[at - 1] {
            "generations" => parts[at] = parts[at].split('-').next().unwrap(),
            "holds" | "clock" => parts[at] = "*",
            _ => {}
        }
    }
    parts.join("/")
}

/// Whether a second interruption is tried before this step.
fn is_central(step: &Step) -> bool {
    !step.operation.reads() || step.operation.path.ends_with("/stable/InRelease")
}

fn trace(steps: &[Step]) -> Vec<(usize, &'static str, String)> {
    let trace = |step: &Step| (step.actor, step.operation.verb, normalized(&step.operation.path));
    steps.iter().map(trace).collect()
}

/// One run of a scenario.
struct Run<'a> {
    scenario: &'a Scenario,
    stores: Vec<Store>,
    auditors: Vec<Auditor>,
}

impl<'a> Run<'a> {
    fn begin(scenario: &'a Scenario) -> Self {
        let now = SystemTime::UNIX_EPOCH + SystemTime::UNIX_EPOCH.elapsed().unwrap();
        let places = scenario.places.iter().map(|place| {
            let objects = Arc::new(place.objects.fork());
            let forked = memory().wrapped(|_| objects.clone());
            (Faults::age(now, AGE).on(forked), place.auditor.moved_to(objects))
        });
        let (stores, auditors) = places.unzip();
        Self { scenario, stores, auditors }
    }

    async fn follow(mut self, schedule: &Schedule, steps: &mut Vec<Step>) -> Result<(), String> {
        let (steppers, tasks): (Vec<Stepper>, Vec<_>) = self
            .scenario
            .actors
            .iter()
            .map(|actor| {
                let stepper = Stepper::default();
                let named = self.scenario.places.iter().zip(&self.stores);
                let stores = named.map(|(place, store)| stepper.on(place.name, store.clone()));
                let task = spawn_local(actor(stores.collect()));
                (stepper, task)
            })
            .unzip();
        let mut alive = [true; 2];
        let mut released: [Vec<Operation>; 2] = [const { Vec::new() }; 2];
        let mut actor = schedule.first;
        loop {
            // The simulated time advances only when all tasks wait.
            sleep(TICK).await;
            if steppers[actor].next().is_none() && alive[actor] && !tasks[actor].is_finished() {
                sleep(BACKOFF).await;
            }
            let due = schedule.interruptions.iter().find(|(at, _)| *at == steps.len());
            let due = due.map(|(_, interruption)| interruption);
            if due == Some(&Interruption::Kill) {
                alive[actor] = false;
            }
            let next = |actor: usize| steppers[actor].next().filter(|_| alive[actor]);
            // A publisher that repeats the same read is waiting for the other one.
            let waits = |actor: usize| {
                let last = released[actor].iter().rev().take(POLLS);
                last.filter(|last| last.reads() && Some(*last) == next(actor).as_ref()).count() == POLLS
            };
            if waits(actor) && (next(1 - actor).is_none() || waits(1 - actor)) {
                sleep(LEASE_EXPIRY).await;
            } else if waits(actor) || (due == Some(&Interruption::Switch) && next(1 - actor).is_some()) {
                actor = 1 - actor;
            }
            if next(actor).is_none() {
                actor = 1 - actor;
            }
            let Some(operation) = next(actor) else { break };
            if steps.len() > 1000 {
                return Err("it never ends".to_owned());
            }
            steppers[actor].step();
            let chosen = next(1 - actor).is_some();
            released[actor].push(operation.clone());
            let reads = operation.reads();
            steps.push(Step { actor, operation, chosen });
            if !reads {
                sleep(TICK).await;
                self.audit().await?;
            }
        }
        for (actor, task) in tasks.into_iter().enumerate() {
            if alive[actor] {
                assert!(task.is_finished(), "{} waits for something other than a store", ["A", "B"][actor]);
                task.await.unwrap()?;
            }
        }
        // A killed publisher is run again, and must succeed without help.
        for (actor, _) in alive.iter().enumerate().filter(|(_, alive)| !**alive) {
            self.scenario.actors[actor](self.stores.clone()).await?;
            self.audit().await?;
            if let Kills::Repaired(repair) = &self.scenario.kills {
                repair(self.stores.clone()).await?;
            }
        }
        self.end().await
    }

    async fn audit(&mut self) -> Result<(), String> {
        for (auditor, place) in self.auditors.iter_mut().zip(&self.scenario.places) {
            auditor.audit().await.map_err(|fault| format!("{}: {fault}", place.name))?;
        }
        Ok(())
    }

    async fn end(mut self) -> Result<(), String> {
        self.audit().await?;
        for ((store, auditor), place) in self.stores.iter().zip(&self.auditors).zip(&self.scenario.places) {
            let packages = auditor.packages();
            let is = |names: &[&str]| names.iter().map(|name| format!("{name} 1.0 amd64")).collect();
            if !place.end.iter().any(|names| packages == is(names)) {
                return Err(format!("{}: published are {packages:?}", place.name));
            }
            let publisher = Publisher::on(store.clone()).later(1000);
            let publisher = if place.name == "unsigned" { publisher.unsigned() } else { publisher };
            let faults = publisher.faults().await;
            if !faults.is_empty() {
                return Err(format!("{}: {faults:?}", place.name));
            }
        }
        Ok(())
    }
}
