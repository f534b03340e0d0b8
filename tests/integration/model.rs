//! Every way in which two publishers may meet, within bounds: each store operation of both is a step, and all orders of
//! steps are tried in which one of them is interrupted at most twice.
//!
//! An order is tried by running both from the same state, one step at a time. After each write the [`Auditor`] looks at
//! the archive; in the end everything that was published is there. What two steps of one publisher do at once is done in
//! one order. Whether the other comes before or after a read matters only if he writes what is read: such reads and all
//! writes are where interruptions are tried, and all else would be the same orders under other names; the second one is
//! tried before writes and reads of the pointer only.
//!
//! Time is made: it goes on when somebody waits for it, and for what the other does he waits until the other has had his
//! turn. What is there in the beginning is a month old, so that [`prune`](publish::archive::Archive::prune) has work. The
//! stories are in [`model_stories`](crate::model_stories).

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
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
    faults::{Faults, Operation, Turns},
    publisher::{Publisher, memory},
    sandbox::say,
};

/// How often a publisher is interrupted, at most.
const INTERRUPTIONS: usize = 2;

/// How often somebody asks for the same in a row before he is taken to wait.
const PATIENCE: usize = 2;

/// The least that a clock tells.
const MOMENT: Duration = Duration::from_millis(1);
/// Longer than anybody waits after a lost race, or before he looks again.
const AFTER_A_LOST_RACE: Duration = Duration::from_secs(5);
/// Longer than anybody waits for somebody who does not go on.
const UNTIL_THE_DEAD_ARE_DEAD: Duration = Duration::from_secs(60 * 60);
/// How much older the archive is than what happens to it.
const AGE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// What somebody does with the stores of a story: an error fails the story.
pub(crate) type Work = Pin<Box<dyn Future<Output = Result<(), String>>>>;
pub(crate) type Actor = Box<dyn Fn(Vec<Store>) -> Work>;

/// Two who meet.
pub(crate) struct Story {
    /// The stores, as they are in the beginning.
    pub(crate) places: Vec<Place>,
    /// Each is given all stores.
    pub(crate) actors: [Actor; 2],
    /// Whether the last interruption may be an end; who was killed is run again when all is over.
    pub(crate) mortal: bool,
    /// Whether both do the same.
    pub(crate) alike: bool,
}

/// A store of a story.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) name: &'static str,
    pub(crate) objects: Arc<InMemory>,
    /// Who has seen what was published in it.
    pub(crate) auditor: Auditor,
    /// What may be published in it in the end.
    pub(crate) end: &'static [&'static [&'static str]],
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
pub(crate) struct Told {
    orders: usize,
    steps: usize,
}

impl Story {
    /// Tries every order; an error tells the first that is bad.
    pub(crate) fn told(&self) -> Result<Told, String> {
        let mut explorer =
            Explorer { story: self, done: BTreeMap::new(), writes: [const { BTreeSet::new() }; 2] };
        // What one writes in a late order may matter where it was not known yet.
        loop {
            let known = explorer.writes.clone();
            // Two of a kind: who of them begins makes no difference.
            for first in 0..if self.alike { 1 } else { 2 } {
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
    pub(crate) fn is_without_fault(&self, least: usize) {
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
            if !self.matters(&step) || !(order.turns.is_empty() || is_central(&step)) {
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

/// A path without what is another in each run: the digest of a signature, and names that nobody else draws.
fn lasting(path: &str) -> String {
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

/// Whether a second interruption is tried here.
fn is_central(step: &Step) -> bool {
    !step.operation.reads() || step.operation.path.ends_with("/stable/InRelease")
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
        let now = SystemTime::UNIX_EPOCH + SystemTime::UNIX_EPOCH.elapsed().unwrap();
        let places = story.places.iter().map(|place| {
            let objects = Arc::new(place.objects.fork());
            let forked = memory().wrapped(|_| objects.clone());
            (Faults::age(now, AGE).on(forked), place.auditor.moved_to(objects))
        });
        let (stores, auditors) = places.unzip();
        Self { story, stores, auditors }
    }

    async fn in_order(mut self, order: &Order, steps: &mut Vec<Step>) -> Result<(), String> {
        let (turns, tasks): (Vec<Turns>, Vec<_>) = self
            .story
            .actors
            .iter()
            .map(|actor| {
                let turns = Turns::default();
                let named = self.story.places.iter().zip(&self.stores);
                let stores = named.map(|(place, store)| turns.on(place.name, store.clone()));
                let task = spawn_local(actor(stores.collect()));
                (turns, task)
            })
            .unzip();
        let mut alive = [true; 2];
        let mut asked: [Vec<Operation>; 2] = [const { Vec::new() }; 2];
        let mut actor = order.first;
        loop {
            // Time goes on only when nobody can do anything but wait for his turn.
            sleep(MOMENT).await;
            if turns[actor].next().is_none() && alive[actor] && !tasks[actor].is_finished() {
                sleep(AFTER_A_LOST_RACE).await;
            }
            let turn = order.turns.iter().find(|(at, _)| *at == steps.len()).map(|(_, turn)| turn);
            if turn == Some(&Turn::Kill) {
                alive[actor] = false;
            }
            let next = |actor: usize| turns[actor].next().filter(|_| alive[actor]);
            // Who asks for the same again and again waits for something that the other does.
            let waits = |actor: usize| {
                let last = asked[actor].iter().rev().take(PATIENCE);
                last.filter(|asked| asked.reads() && Some(*asked) == next(actor).as_ref()).count() == PATIENCE
            };
            if waits(actor) && (next(1 - actor).is_none() || waits(1 - actor)) {
                sleep(UNTIL_THE_DEAD_ARE_DEAD).await;
            } else if waits(actor) || (turn == Some(&Turn::Switch) && next(1 - actor).is_some()) {
                actor = 1 - actor;
            }
            if next(actor).is_none() {
                actor = 1 - actor;
            }
            let Some(operation) = next(actor) else { break };
            if steps.len() > 1000 {
                return Err("it never ends".to_owned());
            }
            turns[actor].give();
            let chosen = next(1 - actor).is_some();
            asked[actor].push(operation.clone());
            let reads = operation.reads();
            steps.push(Step { actor, operation, chosen });
            if !reads {
                sleep(MOMENT).await;
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
        for (auditor, place) in self.auditors.iter_mut().zip(&self.story.places) {
            auditor.look().await.map_err(|fault| format!("{}: {fault}", place.name))?;
        }
        Ok(())
    }

    async fn end(mut self) -> Result<(), String> {
        self.audit().await?;
        for ((store, auditor), place) in self.stores.iter().zip(&self.auditors).zip(&self.story.places) {
            let published = auditor.packages();
            let is = |names: &[&str]| names.iter().map(|name| format!("{name} 1.0 amd64")).collect();
            if !place.end.iter().any(|names| published == is(names)) {
                return Err(format!("{}: published are {published:?}", place.name));
            }
            let faults = Publisher::on(store.clone()).later(1000).faults().await;
            if !faults.is_empty() {
                return Err(format!("{}: {faults:?}", place.name));
            }
        }
        Ok(())
    }
}
