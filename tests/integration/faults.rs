//! A store where the n-th write fails, waits or kills; and a list of all that was asked of it.
//!
//! It stands between [`Store`] and its objects ([`Store::wrapped`]), so whatever a publisher does goes through it. Writes
//! are counted from 1: each put, copy and delete, and of a file that is sent in parts its beginning, each part and its end;
//! with [`Faults::of_all`] reads and listings count too.

use std::{
    collections::BTreeMap,
    fmt,
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

/// On which side of a write something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Nothing of it took effect.
    Before,
    /// It took effect, and nobody was told.
    After,
}

/// Both sides.
pub(crate) const SIDES: [Side; 2] = [Side::Before, Side::After];

/// What happens.
enum What {
    Nothing,
    /// It fails as if the connection broke.
    Break,
    /// It is refused, as the repetition of a write is whose first answer got lost.
    Refuse,
    /// It is answered as the repetition of an upload's end is, which is no upload any more.
    Gone,
    /// The process ends, without a chance to do anything about it.
    Kill,
    /// It waits for all others at the same barrier.
    Meet(Arc<Barrier>),
    /// It waits until somebody lets it go on.
    Wait(Gate),
    /// It never ends, nor does anything that comes after it.
    Stop(Gate),
    /// Each operation waits for its turn; the name of the store is put before its path.
    Turns(Turns, &'static str),
    /// What was written before a time seems to be so much older.
    Age(SystemTime, Duration),
    /// What is to be written only if nobody came in between is written in any case.
    Ignore,
}

/// Where a write waits.
#[derive(Clone)]
pub(crate) struct Gate(Arc<(Semaphore, Semaphore)>);

impl Gate {
    /// Returns when the write has come here.
    pub(crate) async fn reached(&self) {
        self.0.0.acquire().await.unwrap().forget();
    }

    /// Lets the write go on.
    pub(crate) fn open(&self) {
        self.0.1.add_permits(1);
    }
}

/// Where each operation of somebody waits until it is its turn.
#[derive(Clone, Default)]
pub(crate) struct Turns(Arc<Mutex<Queue>>);

#[derive(Default)]
struct Queue {
    came: usize,
    given: usize,
    /// By how many turns had been given when they came: whoever waits longest is next, however long others sleep.
    waiting: BTreeMap<(usize, Operation, usize), oneshot::Sender<()>>,
}

impl Turns {
    /// The operation that would be next: of several at once, always the same one.
    pub(crate) fn next(&self) -> Option<Operation> {
        self.0.lock().unwrap().waiting.keys().next().map(|(_, operation, _)| operation.clone())
    }

    /// Lets that one go on.
    pub(crate) fn give(&self) {
        let next = {
            let mut queue = self.0.lock().unwrap();
            queue.given += 1;
            queue.waiting.pop_first()
        };
        // Whoever has gone away does not need it.
        let _ = next.unwrap().1.send(());
    }

    /// A store of this name, where each operation, reads and listings too, waits for its turn.
    pub(crate) fn on(&self, name: &'static str, store: Store) -> Store {
        Faults::new(0, Side::Before, What::Turns(self.clone(), name)).of_all().on(store)
    }

    async fn wait(&self, operation: Operation) {
        let (turn, given) = oneshot::channel();
        {
            let mut queue = self.0.lock().unwrap();
            queue.came += 1;
            let key = (queue.given, operation, queue.came);
            queue.waiting.insert(key, turn);
        }
        given.await.unwrap();
    }
}

/// One thing that was asked of the store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Operation {
    /// `create`, `overwrite`, `swap`, `copy`, `delete`, `begin`, `part`, `end`; `get` and `list` write nothing.
    pub(crate) verb: &'static str,
    pub(crate) path: String,
}

impl Operation {
    /// Whether it changes nothing.
    pub(crate) fn reads(&self) -> bool {
        ["get", "list"].contains(&self.verb)
    }
}

/// What goes wrong, and what was asked.
#[derive(Clone)]
pub(crate) struct Faults(Arc<State>);

struct State {
    at: usize,
    side: Side,
    what: What,
    /// Whether reads and listings count.
    all: bool,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    operations: Vec<Operation>,
    /// How many of them count.
    number: usize,
    /// The largest piece that was put at once.
    largest: usize,
    /// Parts that were handed over and are not sent yet: now, and at most.
    parts: (usize, usize),
}

impl Faults {
    fn new(at: usize, side: Side, what: What) -> Self {
        Self(Arc::new(State { at, side, what, all: false, seen: Mutex::default() }))
    }

    /// The same, where reads and listings count too. To be said before it is used.
    pub(crate) fn of_all(self) -> Self {
        let state = Arc::into_inner(self.0).expect("nobody uses it yet");
        Self(Arc::new(State { all: true, ..state }))
    }

    /// Nothing goes wrong; what is asked is noted.
    pub(crate) fn none() -> Self {
        Self::new(0, Side::Before, What::Nothing)
    }

    /// The n-th write fails: the connection broke.
    pub(crate) fn fail(at: usize, side: Side) -> Self {
        Self::new(at, side, What::Break)
    }

    /// The n-th write takes effect, and what comes back is the refusal of a repetition.
    pub(crate) fn refuse_after(at: usize) -> Self {
        Self::new(at, Side::After, What::Refuse)
    }

    /// The n-th write takes effect, and what comes back is that there is no such upload.
    pub(crate) fn gone_after(at: usize) -> Self {
        Self::new(at, Side::After, What::Gone)
    }

    /// The n-th write kills this process.
    pub(crate) fn kill(at: usize, side: Side) -> Self {
        Self::new(at, side, What::Kill)
    }

    /// The n-th write waits for others at a barrier before it is done.
    pub(crate) fn meet(at: usize, barrier: &Arc<Barrier>) -> Self {
        Self::new(at, Side::Before, What::Meet(Arc::clone(barrier)))
    }

    /// The n-th write waits at a gate.
    pub(crate) fn wait(at: usize, side: Side) -> (Self, Gate) {
        let gate = Gate(Arc::new((Semaphore::new(0), Semaphore::new(0))));
        (Self::new(at, side, What::Wait(gate.clone())), gate)
    }

    /// The n-th operation never ends, and nothing after it is done; the gate tells when it has come to that.
    pub(crate) fn stop(at: usize, side: Side) -> (Self, Gate) {
        let gate = Gate(Arc::new((Semaphore::new(0), Semaphore::new(0))));
        (Self::new(at, side, What::Stop(gate.clone())), gate)
    }

    /// What was written before a time seems to be so much older.
    pub(crate) fn age(before: SystemTime, by: Duration) -> Self {
        Self::new(0, Side::Before, What::Age(before, by))
    }

    /// The store ignores the conditions of a swap, as some servers do.
    pub(crate) fn ignore_conditions() -> Self {
        Self::new(0, Side::Before, What::Ignore)
    }

    /// The store with this between it and its objects.
    pub(crate) fn on(&self, store: Store) -> Store {
        store.wrapped(|inner| Arc::new(Faulty { inner, faults: self.clone() }))
    }

    /// All that was asked so far, in order.
    pub(crate) fn operations(&self) -> Vec<Operation> {
        self.0.seen.lock().unwrap().operations.clone()
    }

    /// What was asked so far and writes, in order.
    pub(crate) fn writes(&self) -> Vec<Operation> {
        let mut operations = self.operations();
        operations.retain(|operation| !operation.reads());
        operations
    }

    /// How many bytes were handed over at once, at most.
    pub(crate) fn largest(&self) -> usize {
        self.0.seen.lock().unwrap().largest
    }

    /// How many parts were on their way at once, at most.
    pub(crate) fn most_parts(&self) -> usize {
        self.0.seen.lock().unwrap().parts.1
    }

    fn note(&self, verb: &'static str, path: &Path) {
        let path = path.to_string();
        self.0.seen.lock().unwrap().operations.push(Operation { verb, path });
    }

    fn seems(&self, mut told: ObjectMeta) -> ObjectMeta {
        if let What::Age(before, by) = self.0.what
            && SystemTime::from(told.last_modified) < before
        {
            told.last_modified -= by;
        }
        told
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
        self.note(verb, path);
        work.await
    }

    async fn write<T>(
        &self,
        verb: &'static str,
        path: &Path,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        self.note(verb, path);
        if let What::Turns(turns, name) = &self.0.what {
            turns.wait(Operation { verb, path: format!("{name}/{path}") }).await;
            return work.await;
        }
        let number = {
            let mut seen = self.0.seen.lock().unwrap();
            seen.number += 1;
            seen.number
        };
        if matches!(self.0.what, What::Kill | What::Stop(_)) && number > self.0.at {
            // Another task came here while the process is about to end.
            return std::future::pending().await;
        }
        let hit = |side| number == self.0.at && self.0.side == side;
        if hit(Side::Before) {
            self.strike(path).await?;
        }
        let result = work.await;
        if hit(Side::After) {
            self.strike(path).await?;
        }
        result
    }

    async fn strike(&self, path: &Path) -> Result<()> {
        match &self.0.what {
            What::Nothing | What::Turns(..) | What::Ignore | What::Age(..) => Ok(()),
            What::Break => {
                Err(Error::Generic { store: "test", source: "the connection broke, on purpose".into() })
            }
            What::Refuse => Err(Error::Precondition {
                path: path.to_string(),
                source: "refused though it was done, on purpose".into(),
            }),
            What::Gone => Err(Error::NotFound {
                path: path.to_string(),
                source: "there is no such upload, on purpose".into(),
            }),
            What::Kill => {
                // The signal that nobody can catch, by the shell: no safe function of std sends it to oneself.
                let _ = Command::new("sh").args(["-c", "kill -KILL $PPID"]).status();
                std::future::pending().await
            }
            What::Meet(barrier) => {
                barrier.wait().await;
                Ok(())
            }
            What::Wait(Gate(gate)) => {
                gate.0.add_permits(1);
                gate.1.acquire().await.unwrap().forget();
                Ok(())
            }
            What::Stop(Gate(gate)) => {
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
            let mut seen = self.faults.0.seen.lock().unwrap();
            seen.largest = seen.largest.max(payload.content_length());
        }
        if let (What::Ignore, PutMode::Update(_)) = (&self.faults.0.what, &options.mode) {
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
        got.meta = self.faults.seems(got.meta);
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
            Ok::<_, Error>(listed.map_ok(move |told| faults.seems(told)))
        };
        stream::once(list).try_flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let listed = self.inner.list_with_delimiter(prefix);
        let mut listed = self.faults.read("list", prefix.unwrap_or(&Path::default()), listed).await?;
        listed.objects = listed.objects.into_iter().map(|told| self.faults.seems(told)).collect();
        Ok(listed)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let verb = if options.mode == CopyMode::Create { "create" } else { "copy" };
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
            let mut seen = faults.0.seen.lock().unwrap();
            seen.largest = seen.largest.max(size);
            seen.parts.0 += 1;
            seen.parts.1 = seen.parts.1.max(seen.parts.0);
        }
        async move {
            // Memory is done at once; a server takes its time.
            tokio::time::sleep(Duration::from_millis(5)).await;
            let sent = faults.write("part", &path, sent).await;
            faults.0.seen.lock().unwrap().parts.0 -= 1;
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
