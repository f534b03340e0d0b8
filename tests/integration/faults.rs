//! Fault injection: a store whose n-th write fails, waits or kills the process, and that records all operations.
//!
//! It wraps the objects of a [`Store`] ([`Store::wrapped`]), so it sees every operation of a publisher. Writes are counted
//! from 1: each put, copy and delete, and for a multipart upload its start, each part and its completion; with
//! [`Faults::counting_reads`] reads and listings count too.

use std::{
    collections::BTreeMap,
    fmt,
    future::ready,
    process::Command,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream, stream::BoxStream};
use object_store::{
    CopyMode, CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt as _, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    Result, UploadPart, path::Path,
};
use publish::store::Store;
use tokio::sync::{Barrier, Semaphore, oneshot};

/// The side of a write on which the fault is injected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The write had no effect.
    Before,
    /// The write took effect, and the response is lost.
    After,
}

/// Both sides.
pub(crate) const SIDES: [Side; 2] = [Side::Before, Side::After];

/// The injected fault.
enum Effect {
    Nothing,
    /// The write fails as if the connection broke.
    Break,
    /// The write is refused, like a retry after the first response was lost.
    Refuse,
    /// The upload does not exist, as for a retry of its completion.
    Gone,
    /// The process is killed.
    Kill,
    /// The write waits at a barrier.
    Meet(Arc<Barrier>),
    /// The write waits until the gate is opened.
    Wait(Gate),
    /// This operation and all later ones never end.
    Stop(Gate),
    /// Each operation waits for the stepper; its path is prefixed with the name of the store.
    Step(Stepper, &'static str),
    /// Objects written before a time appear this much older.
    Age(SystemTime, Duration),
    /// The conditions of writes are ignored.
    Ignore,
}

/// A gate at which a write waits.
#[derive(Clone)]
pub(crate) struct Gate(Arc<(Semaphore, Semaphore)>);

impl Gate {
    /// Returns when the write has reached the gate.
    pub(crate) async fn reached(&self) {
        self.0.0.acquire().await.unwrap().forget();
    }

    /// Lets the write continue.
    pub(crate) fn open(&self) {
        self.0.1.add_permits(1);
    }
}

/// Runs the operations of one publisher step by step: each waits until it is released.
#[derive(Clone, Default)]
pub(crate) struct Stepper(Arc<Mutex<Queue>>);

#[derive(Default)]
struct Queue {
    arrived: usize,
    released: usize,
    /// Ordered by the number of operations released before their arrival: first in, first out, independent of time.
    waiting: BTreeMap<(usize, Operation, usize), oneshot::Sender<()>>,
}

impl Stepper {
    /// The operation that would be released next: of several concurrent ones, always the same one.
    pub(crate) fn next(&self) -> Option<Operation> {
        self.0.lock().unwrap().waiting.keys().next().map(|(_, operation, _)| operation.clone())
    }

    /// Releases that operation.
    pub(crate) fn step(&self) {
        let next = {
            let mut queue = self.0.lock().unwrap();
            queue.released += 1;
            queue.waiting.pop_first()
        };
        // The receiver is gone if its task was dropped.
        let _ = next.unwrap().1.send(());
    }

    /// Wraps a store under this name, so that each operation, including reads and listings, waits to be released.
    pub(crate) fn on(&self, name: &'static str, store: Store) -> Store {
        Faults::new(0, Side::Before, Effect::Step(self.clone(), name)).counting_reads().on(store)
    }

    async fn wait(&self, operation: Operation) {
        let (release, released) = oneshot::channel();
        {
            let mut queue = self.0.lock().unwrap();
            queue.arrived += 1;
            let key = (queue.released, operation, queue.arrived);
            queue.waiting.insert(key, release);
        }
        released.await.unwrap();
    }
}

/// An operation on the store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Operation {
    /// `create`, `overwrite`, `swap`, `copy`, `delete`, `begin`, `part` or `end`; `get` and `list` are reads.
    pub(crate) verb: &'static str,
    pub(crate) path: String,
}

impl Operation {
    /// Whether this is a read.
    pub(crate) fn reads(&self) -> bool {
        ["get", "list"].contains(&self.verb)
    }
}

/// The injected fault, and the recorded operations.
#[derive(Clone)]
pub(crate) struct Faults(Arc<State>);

struct State {
    at: usize,
    side: Side,
    effect: Effect,
    /// Whether reads and listings count.
    all: bool,
    recorded: Mutex<Recorded>,
}

#[derive(Default)]
struct Recorded {
    operations: Vec<Operation>,
    /// The number of counted operations.
    number: usize,
    /// The size of the largest single payload.
    largest: usize,
    /// The number of parts in flight: now, and at most.
    parts: (usize, usize),
}

impl Faults {
    fn new(at: usize, side: Side, effect: Effect) -> Self {
        Self(Arc::new(State { at, side, effect, all: false, recorded: Mutex::default() }))
    }

    /// Counts reads and listings too; must be called before the first use.
    pub(crate) fn counting_reads(self) -> Self {
        let state = Arc::into_inner(self.0).expect("not in use yet");
        Self(Arc::new(State { all: true, ..state }))
    }

    /// No fault; operations are recorded.
    pub(crate) fn none() -> Self {
        Self::new(0, Side::Before, Effect::Nothing)
    }

    /// The n-th write fails with a broken connection.
    pub(crate) fn fail(at: usize, side: Side) -> Self {
        Self::new(at, side, Effect::Break)
    }

    /// The n-th write takes effect, and the response is a failed precondition, as for a retry.
    pub(crate) fn refuse_after(at: usize) -> Self {
        Self::new(at, Side::After, Effect::Refuse)
    }

    /// The n-th write takes effect, and the response is that the upload does not exist.
    pub(crate) fn gone_after(at: usize) -> Self {
        Self::new(at, Side::After, Effect::Gone)
    }

    /// The n-th write kills this process.
    pub(crate) fn kill(at: usize, side: Side) -> Self {
        Self::new(at, side, Effect::Kill)
    }

    /// The n-th write waits at a barrier before it takes effect.
    pub(crate) fn meet(at: usize, barrier: &Arc<Barrier>) -> Self {
        Self::new(at, Side::Before, Effect::Meet(Arc::clone(barrier)))
    }

    /// The n-th write waits at a gate.
    pub(crate) fn wait(at: usize, side: Side) -> (Self, Gate) {
        let gate = Gate(Arc::new((Semaphore::new(0), Semaphore::new(0))));
        (Self::new(at, side, Effect::Wait(gate.clone())), gate)
    }

    /// The n-th operation and all later ones never end; the gate reports when it is reached.
    pub(crate) fn stop(at: usize, side: Side) -> (Self, Gate) {
        let gate = Gate(Arc::new((Semaphore::new(0), Semaphore::new(0))));
        (Self::new(at, side, Effect::Stop(gate.clone())), gate)
    }

    /// Objects written before a time appear this much older.
    pub(crate) fn age(before: SystemTime, by: Duration) -> Self {
        Self::new(0, Side::Before, Effect::Age(before, by))
    }

    /// The store ignores the conditions of a swap, as some servers do.
    pub(crate) fn ignore_conditions() -> Self {
        Self::new(0, Side::Before, Effect::Ignore)
    }

    /// Wraps a store.
    pub(crate) fn on(&self, store: Store) -> Store {
        store.wrapped(|inner| Arc::new(Faulty { inner, faults: self.clone() }))
    }

    /// All operations so far, in order.
    pub(crate) fn operations(&self) -> Vec<Operation> {
        self.0.recorded.lock().unwrap().operations.clone()
    }

    /// All writes so far, in order.
    pub(crate) fn writes(&self) -> Vec<Operation> {
        let mut operations = self.operations();
        operations.retain(|operation| !operation.reads());
        operations
    }

    /// The size of the largest single payload.
    pub(crate) fn largest(&self) -> usize {
        self.0.recorded.lock().unwrap().largest
    }

    /// The largest number of parts in flight.
    pub(crate) fn most_parts(&self) -> usize {
        self.0.recorded.lock().unwrap().parts.1
    }

    fn record(&self, verb: &'static str, path: &Path) {
        let path = path.to_string();
        self.0.recorded.lock().unwrap().operations.push(Operation { verb, path });
    }

    fn aged(&self, mut found: ObjectMeta) -> ObjectMeta {
        if let Effect::Age(before, by) = self.0.effect
            && SystemTime::from(found.last_modified) < before
        {
            found.last_modified -= by;
        }
        found
    }

    async fn read<T>(
        &self,
        verb: &'static str,
        path: &Path,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        if self.0.all {
            return self.write(verb, path, work).await;
        }
        self.record(verb, path);
        work.await
    }

    async fn write<T>(
        &self,
        verb: &'static str,
        path: &Path,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        self.record(verb, path);
        if let Effect::Step(stepper, name) = &self.0.effect {
            stepper.wait(Operation { verb, path: format!("{name}/{path}") }).await;
            return work.await;
        }
        let number = {
            let mut recorded = self.0.recorded.lock().unwrap();
            recorded.number += 1;
            recorded.number
        };
        if matches!(self.0.effect, Effect::Kill | Effect::Stop(_)) && number > self.0.at {
            // Another task of the process that is about to end.
            return std::future::pending().await;
        }
        let hit = |side| number == self.0.at && self.0.side == side;
        if hit(Side::Before) {
            self.inject(path).await?;
        }
        let result = work.await;
        if hit(Side::After) {
            self.inject(path).await?;
        }
        result
    }

    async fn inject(&self, path: &Path) -> Result<()> {
        match &self.0.effect {
            Effect::Nothing | Effect::Step(..) | Effect::Ignore | Effect::Age(..) => Ok(()),
            Effect::Break => {
                Err(Error::Generic { store: "test", source: "the connection broke, on purpose".into() })
            }
            Effect::Refuse => Err(Error::Precondition {
                path: path.to_string(),
                source: "refused though it was done, on purpose".into(),
            }),
            Effect::Gone => Err(Error::NotFound {
                path: path.to_string(),
                source: "there is no such upload, on purpose".into(),
            }),
            Effect::Kill => {
                // SIGKILL by the shell: std has no safe function to send a signal to this process.
                let _ = Command::new("sh").args(["-c", "kill -KILL $PPID"]).status();
                std::future::pending().await
            }
            Effect::Meet(barrier) => {
                barrier.wait().await;
                Ok(())
            }
            Effect::Wait(Gate(gate)) => {
                gate.0.add_permits(1);
                gate.1.acquire().await.unwrap().forget();
                Ok(())
            }
            Effect::Stop(Gate(gate)) => {
                gate.0.add_permits(1);
                std::future::pending().await
            }
        }
    }
}

struct Faulty {
    inner: Arc<dyn ObjectStore>,
    faults: Faults,
}

impl fmt::Debug for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "faults on {:?}", self.inner)
    }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "faults on {}", self.inner)
    }
}

#[async_trait::async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        mut options: PutOptions,
    ) -> Result<PutResult> {
        let verb = match options.mode {
            PutMode::Create => "create",
            PutMode::Overwrite => "overwrite",
            PutMode::Update(_) => "swap",
        };
        {
            let mut recorded = self.faults.0.recorded.lock().unwrap();
            recorded.largest = recorded.largest.max(payload.content_length());
        }
        if let (Effect::Ignore, PutMode::Update(_)) = (&self.faults.0.effect, &options.mode) {
            options.mode = PutMode::Overwrite;
        }
        self.faults.write(verb, location, self.inner.put_opts(location, payload, options)).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let begun = self.inner.put_multipart_opts(location, options);
        let inner = self.faults.write("begin", location, begun).await?;
        Ok(Box::new(FaultyParts { inner, path: location.clone(), faults: self.faults.clone() }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let mut got = self.faults.read("get", location, self.inner.get_opts(location, options)).await?;
        got.meta = self.faults.aged(got.meta);
        Ok(got)
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let (inner, faults) = (Arc::clone(&self.inner), self.faults.clone());
        let delete = move |location: Result<Path>| {
            let (inner, faults) = (Arc::clone(&inner), faults.clone());
            async move {
                let location = location?;
                faults.write("delete", &location, inner.delete(&location)).await?;
                Ok(location)
            }
        };
        locations.then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (inner, faults, prefix) = (Arc::clone(&self.inner), self.faults.clone(), prefix.cloned());
        let list = async move {
            let listed = async { Ok(inner.list(prefix.as_ref())) };
            let listed = faults.read("list", prefix.as_ref().unwrap_or(&Path::default()), listed).await?;
            Ok::<_, Error>(listed.map_ok(move |found| faults.aged(found)))
        };
        stream::once(list).try_flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let listed = self.inner.list_with_delimiter(prefix);
        let mut listed = self.faults.read("list", prefix.unwrap_or(&Path::default()), listed).await?;
        listed.objects = listed.objects.into_iter().map(|found| self.faults.aged(found)).collect();
        Ok(listed)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let verb = if options.mode == CopyMode::Create { "create" } else { "copy" };
        if let Effect::Step(..) = self.faults.0.effect {
            // The source of a copy is read.
            self.faults.read("get", from, ready(Ok(()))).await?;
        }
        self.faults.write(verb, to, self.inner.copy_opts(from, to, options)).await
    }
}

#[derive(Debug)]
struct FaultyParts {
    inner: Box<dyn MultipartUpload>,
    path: Path,
    faults: Faults,
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} write {}", self.0.side, self.0.at)
    }
}

#[async_trait::async_trait]
impl MultipartUpload for FaultyParts {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let (faults, path, size) = (self.faults.clone(), self.path.clone(), data.content_length());
        let sent = self.inner.put_part(data);
        {
            let mut recorded = faults.0.recorded.lock().unwrap();
            recorded.largest = recorded.largest.max(size);
            recorded.parts.0 += 1;
            recorded.parts.1 = recorded.parts.1.max(recorded.parts.0);
        }
        async move {
            // A write to memory is immediate; a server is slower than the next part is read, also on a busy machine.
            tokio::time::sleep(Duration::from_millis(100)).await;
            let sent = faults.write("part", &path, sent).await;
            faults.0.recorded.lock().unwrap().parts.0 -= 1;
            sent
        }
        .boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        self.faults.write("end", &self.path, self.inner.complete()).await
    }

    async fn abort(&mut self) -> Result<()> {
        self.inner.abort().await
    }
}
