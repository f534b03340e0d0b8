//! The lease under every order of events: a model of a server whose requests wait until the test releases them.
//!
//! Writers are polled by hand, and time advances only when the test moves it. Each swaps once, with retries until it
//! succeeds, and its content names the content that it expects to replace: the server detects a violation.

use std::{
    cell::Cell,
    collections::BTreeMap,
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll},
};

use futures::{
    FutureExt, StreamExt,
    stream::{self, BoxStream},
    task::noop_waker,
};
use object_store::{
    Attributes, CopyOptions, Extensions, GetOptions, GetResult, GetResultPayload, ListResult,
    MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    path::Path,
};

use super::*;
use crate::store::{capabilities::Capabilities, environment::Environment, location::Location};

const POINTER: &str = "dists/stable/InRelease";
/// The step of the clock.
const TICK: Duration = Duration::from_millis(250);
const SETTLING: Duration = Duration::from_millis(500);
const LENGTH: Duration = Duration::from_secs(16);
/// No schedule takes longer, with any deaths and stalls.
const END: Duration = Duration::from_secs(1_800);
const TIMES: LeaseTimes =
    LeaseTimes { settling: SETTLING, length: LENGTH, max_wait: Duration::from_secs(40) };

/// The choices of the server.
#[derive(Clone, Copy)]
struct Kind {
    writers: usize,
    /// The lag of listings, if they lag.
    lag: Duration,
    /// Whether responses wait too, and not only requests.
    answers: bool,
    /// How many writers may die.
    deaths: usize,
    /// How often a writer may be stalled.
    stalls: usize,
}

impl Kind {
    /// The possible stalls in ticks: a moment, or longer than a part of a lease or the whole of it.
    fn stall(self, schedule: &mut impl Schedule) -> u32 {
        let all = [1, 70, 3, 9, 17, 33, 49, 140];
        all[schedule.choose(if self.answers { all.len() } else { 2 })]
    }
}

/// One version of an object and its time; `None` if it was deleted.
type Version = (Instant, Option<(Bytes, SystemTime)>);

struct World {
    kind: Kind,
    began: Instant,
    objects: BTreeMap<String, Vec<Version>>,
    /// For each writer: whether it waits at a gate, and whether it may pass.
    gates: Vec<(bool, bool)>,
    /// The random numbers of choices that the schedule does not make.
    coin: u64,
    lost: Vec<String>,
    swapped: usize,
}

impl World {
    /// Whole seconds, as many servers report them.
    fn time(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + self.began.elapsed().as_secs())
    }

    fn text(&self, path: &str) -> String {
        let version = self.objects.get(path).and_then(|versions| versions.last()?.1.as_ref());
        version.map_or("nothing".into(), |(bytes, _)| String::from_utf8_lossy(bytes).into_owned())
    }

    fn put(&mut self, path: &str, bytes: Bytes) {
        if path == POINTER {
            let new = String::from_utf8_lossy(&bytes).into_owned();
            let current = self.text(path);
            let current = current.split(' ').next().unwrap_or_default();
            if !new.ends_with(&format!(" after {current}")) {
                self.lost.push(format!("{current} was overwritten by {new}"));
            }
            self.swapped += 1;
        }
        let version = (Instant::now(), Some((bytes, self.time())));
        self.objects.entry(path.to_owned()).or_default().push(version);
    }

    fn list(&mut self, prefix: &str) -> Vec<ObjectMeta> {
        let now = Instant::now();
        let mut found = Vec::new();
        for (path, versions) in self.objects.iter().filter(|(path, _)| path.starts_with(prefix)) {
            self.coin = mixed(self.coin);
            let seen = now - if self.coin.is_multiple_of(2) { self.kind.lag } else { Duration::ZERO };
            let version = versions.iter().rev().find(|(since, _)| *since <= seen);
            if let Some((_, Some((bytes, modified)))) = version {
                found.push(meta(path, bytes, *modified));
            }
        }
        found
    }
}

fn meta(path: &str, bytes: &Bytes, modified: SystemTime) -> ObjectMeta {
    ObjectMeta {
        location: Path::parse(path).unwrap(),
        last_modified: modified.into(),
        size: bytes.len() as u64,
        // As on servers whose ETag is a digest: the same bytes have the same.
        e_tag: Some(String::from_utf8_lossy(bytes).into_owned()),
        version: None,
    }
}

/// The server, as seen by one writer.
#[derive(Clone)]
struct Client {
    world: Arc<Mutex<World>>,
    number: usize,
}

impl Client {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// Waits until the test opens the gate.
    async fn gate(&self) {
        poll_fn(|_| {
            let mut world = self.world();
            let (waits, may_pass) = &mut world.gates[self.number];
            *waits = !*may_pass;
            if std::mem::take(may_pass) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    async fn request<T>(&self, work: impl FnOnce(&mut World) -> T) -> T {
        self.gate().await;
        let (done, answers) = {
            let mut world = self.world();
            (work(&mut world), world.kind.answers)
        };
        if answers {
            self.gate().await;
        }
        done
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "writer {}", self.number)
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

#[async_trait::async_trait]
impl ObjectStore for Client {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        _: PutOptions,
    ) -> object_store::Result<PutResult> {
        self.request(|world| world.put(location.as_ref(), payload.into())).await;
        Ok(PutResult { e_tag: None, version: None, extensions: Extensions::default() })
    }

    async fn put_multipart_opts(
        &self,
        _: &Path,
        _: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        unreachable!()
    }

    async fn get_opts(&self, location: &Path, _: GetOptions) -> object_store::Result<GetResult> {
        let path = location.as_ref();
        let current =
            self.request(|world| world.objects.get(path).and_then(|versions| versions.last()?.1.clone()));
        let Some((bytes, modified)) = current.await else {
            let (path, source) = (path.to_owned(), "nothing is current".into());
            return Err(object_store::Error::NotFound { path, source });
        };
        Ok(GetResult {
            meta: meta(path, &bytes, modified),
            range: 0..bytes.len() as u64,
            payload: GetResultPayload::Stream(stream::iter([Ok(bytes)]).boxed()),
            attributes: Attributes::default(),
            extensions: Extensions::default(),
        })
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        let client = self.clone();
        let delete = move |location: object_store::Result<Path>| {
            let client = client.clone();
            async move {
                let location = location?;
                let delete = |world: &mut World| {
                    if let Some(versions) = world.objects.get_mut(location.as_ref()) {
                        versions.push((Instant::now(), None));
                    }
                };
                client.request(delete).await;
                Ok(location)
            }
        };
        locations.then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        let (client, prefix) = (self.clone(), format!("{}/", prefix.unwrap()));
        let found = async move { client.request(|world| world.list(&prefix)).await };
        found.map(|found| stream::iter(found.into_iter().map(Ok))).flatten_stream().boxed()
    }

    async fn list_with_delimiter(&self, _: Option<&Path>) -> object_store::Result<ListResult> {
        unreachable!()
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> object_store::Result<()> {
        unreachable!()
    }
}

fn mixed(seed: u64) -> u64 {
    // SplitMix64.
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

thread_local! {
    static DRAWN: Cell<u64> = const { Cell::new(0) };
}

/// The same numbers in each run of the same schedule.
fn random() -> u64 {
    DRAWN.with(|drawn| {
        drawn.set(drawn.get() + 1);
        mixed(drawn.get())
    })
}

fn store(client: Client) -> Store {
    let store = Store::open(&Location::Memory, &Environment::default()).unwrap();
    let mut store = store.wrapped(|_| Arc::new(client)).with_lease_times(TIMES);
    store.capabilities = Capabilities::by_lease();
    store.lease.random = random;
    store
}

/// Swaps once, with retries; `false` if the swap never happens.
async fn writer(client: Client) -> bool {
    let name = client.number.to_string();
    let store = store(client);
    for _ in 0..20 {
        // The response of the read does not matter here; but a stalled write may be visible by now.
        let Ok(current) = store.read(POINTER, crate::store::Limit::mebibytes(1)).await else { return false };
        let text =
            current.as_ref().map_or("nothing".into(), |current| String::from_utf8_lossy(&current.bytes));
        let there_is = text.split(' ').next().unwrap_or_default().to_owned();
        if there_is == name {
            return true;
        }
        let bytes = Bytes::from(format!("{name} after {there_is}"));
        if store.swap(POINTER, bytes, current.as_ref().map(|current| &current.revision)).await.is_ok() {
            return true;
        }
    }
    false
}

/// Chooses the next event out of `count`.
trait Schedule {
    fn choose(&mut self, of: usize) -> usize;

    /// Returns whether a rare event happens.
    fn rare_event(&mut self) -> bool {
        self.choose(2) == 1
    }
}

/// Enumerates all schedules.
#[derive(Default)]
struct Every {
    chosen: Vec<(usize, usize)>,
    at: usize,
}

impl Schedule for Every {
    fn choose(&mut self, of: usize) -> usize {
        if self.at == self.chosen.len() {
            self.chosen.push((0, of));
        }
        let (choice, before) = self.chosen[self.at];
        assert_eq!(before, of, "the same choices lead to the same");
        self.at += 1;
        choice
    }
}

impl Every {
    /// Advances to the next schedule; `false` after the last.
    fn next(&mut self) -> bool {
        self.at = 0;
        while let Some((choice, of)) = self.chosen.pop() {
            if choice + 1 < of {
                self.chosen.push((choice + 1, of));
                return true;
            }
        }
        false
    }
}

/// A random schedule: some writers are slow for long.
struct Any(u64);

impl Schedule for Any {
    fn choose(&mut self, of: usize) -> usize {
        self.0 = mixed(self.0);
        usize::try_from(self.0 % of as u64).unwrap()
    }

    fn rare_event(&mut self) -> bool {
        self.choose(8) == 1
    }
}

type Running = Pin<Box<dyn Future<Output = bool>>>;

/// The result of a schedule.
#[derive(Debug)]
struct Outcome {
    /// Writes that replaced other content than expected.
    lost: Vec<String>,
    /// The number of live writers that did not swap.
    failed: usize,
    swapped: usize,
    died: usize,
}

/// Runs writers by a schedule until all are done or dead.
fn run(kind: Kind, schedule: &mut impl Schedule, seed: u64) -> Outcome {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    DRAWN.set(mixed(seed));
    runtime.block_on(async {
        let world = Arc::new(Mutex::new(World {
            kind,
            began: Instant::now(),
            objects: BTreeMap::new(),
            gates: vec![(false, false); kind.writers],
            coin: seed,
            lost: Vec::new(),
            swapped: 0,
        }));
        let make = |number| {
            let client = Client { world: Arc::clone(&world), number };
            let running: Running = Box::pin(tokio::task::unconstrained(writer(client)));
            Some(running)
        };
        let mut writers: Vec<Option<Running>> = (0..kind.writers).map(make).collect();
        let (mut failed, mut died, mut stalls) = (0, 0, kind.stalls);
        let mut poll = |writer: &mut Option<Running>| {
            let waker = noop_waker();
            let polled =
                writer.as_mut().map(|running| running.as_mut().poll(&mut Context::from_waker(&waker)));
            if let Some(Poll::Ready(done)) = polled {
                failed += usize::from(!done);
                *writer = None;
            }
        };
        writers.iter_mut().for_each(&mut poll);
        let began = Instant::now();
        // The end of each writer's stall.
        let mut held = vec![began; kind.writers];
        while writers.iter().any(Option::is_some) {
            assert!(began.elapsed() < END, "no publisher continues");
            let now = Instant::now();
            let waiting: Vec<usize> = (0..kind.writers)
                .filter(|number| writers[*number].is_some() && held[*number] <= now)
                .filter(|number| world.lock().unwrap().gates[*number].0)
                .collect();
            if waiting.is_empty() {
                tokio::time::advance(TICK).await;
                writers.iter_mut().for_each(&mut poll);
                continue;
            }
            let number = waiting[schedule.choose(waiting.len())];
            if stalls > 0 && schedule.rare_event() {
                stalls -= 1;
                held[number] = now + TICK * kind.stall(schedule);
            } else if died < kind.deaths && schedule.rare_event() {
                died += 1;
                writers[number] = None;
            } else {
                world.lock().unwrap().gates[number].1 = true;
                poll(&mut writers[number]);
            }
        }
        let world = world.lock().unwrap();
        Outcome { lost: world.lost.clone(), failed, swapped: world.swapped, died }
    })
}

fn sound(outcome: &Outcome, kind: Kind) {
    assert!(outcome.lost.is_empty() && outcome.failed == 0, "{outcome:?}");
    assert!(outcome.swapped >= kind.writers - outcome.died, "{outcome:?}");
}

/// Returns the number of schedules, all of which passed.
fn every(kind: Kind) -> usize {
    let (mut schedule, mut count) = (Every::default(), 0);
    loop {
        sound(&run(kind, &mut schedule, 1), kind);
        count += 1;
        if !schedule.next() {
            return count;
        }
    }
}

const CALM: Kind = Kind { writers: 2, lag: Duration::ZERO, answers: false, deaths: 0, stalls: 0 };

#[test]
fn two_writers_in_every_order() {
    for lag in [Duration::ZERO, SETTLING] {
        let count = every(Kind { lag, ..CALM });
        assert!(count > 10, "{count}");
    }
}

#[test]
fn two_writers_in_every_order_with_a_stall_or_a_death() {
    for (stalls, deaths) in [(1, 0), (0, 1)] {
        let count = every(Kind { lag: SETTLING, stalls, deaths, ..CALM });
        assert!(count > 500, "{count}");
    }
}

#[test]
fn three_writers_in_any_order() {
    for seed in 0..600 {
        let deaths = usize::try_from(seed % 3).unwrap();
        let kind = Kind { writers: 3, lag: SETTLING, answers: true, deaths, stalls: 16 };
        sound(&run(kind, &mut Any(seed), seed), kind);
    }
}

/// The model detects violations: listings that lag for longer than the settling time let two writers write at once.
#[test]
fn a_listing_that_lags_for_too_long_is_noticed() {
    let kind = Kind { writers: 3, lag: 4 * SETTLING, answers: true, deaths: 0, stalls: 16 };
    let lost = (0..600).filter(|seed| !run(kind, &mut Any(*seed), *seed).lost.is_empty()).count();
    assert!(lost > 0, "{lost}");
}
