//! A network between `publish sync` and its destination that fails once, at each request in turn, or permanently; and a
//! process that is killed during a sync.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    process::Stdio,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::StreamExt as _;
use publish::store::{Environment, Limit, Store};

use crate::{
    buckets,
    deb_builder::deb,
    publisher::{Publisher, folder},
    sandbox::Sandbox,
    servers::{self, Bucket},
};

/// The upper bound for the objects of these tests.
const LIMIT: Limit = Limit::mebibytes(64);

/// The fate of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// The connection is closed before the server receives the request.
    Closed,
    /// The server handles the request, and the connection is closed before the response.
    Lost,
    /// The response is truncated.
    Cut,
    /// The response is delayed.
    Late,
    /// A proxy in front of the server refuses it.
    Refused(&'static str),
}

const FAULTS: [Fault; 7] = [
    Fault::Closed,
    Fault::Lost,
    Fault::Cut,
    Fault::Late,
    Fault::Refused("500 Internal Server Error"),
    Fault::Refused("503 Service Unavailable\r\nRetry-After: 1"),
    Fault::Refused("429 Too Many Requests"),
];

/// A request that was passed on, and whether the server had handled it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    /// The size of its body.
    pub(crate) sent: usize,
    done: bool,
}

/// A proxy in front of a server.
pub(crate) struct Proxy {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    /// The number of pending requests.
    under_way: Arc<AtomicUsize>,
}

impl Proxy {
    /// Starts a proxy; `fault` is called for each request with its number, from 1, and its first line.
    pub(crate) fn before(server: &str, fault: impl Fn(usize, &str) -> Fault + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let upstream = server.trim_start_matches("http://").to_owned();
        let (seen, fault) = (Arc::new(Mutex::new(Vec::new())), Arc::new(fault));
        let (log, under_way) = (Arc::clone(&seen), Arc::new(AtomicUsize::new(0)));
        let counter = Arc::clone(&under_way);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (upstream, log, fault) = (upstream.clone(), Arc::clone(&log), Arc::clone(&fault));
                let counter = Arc::clone(&counter);
                counter.fetch_add(1, Ordering::SeqCst);
                std::thread::spawn(move || {
                    // Some of these tests need a client that disconnects early.
                    let _ = pass_on(&client, &upstream, &log, &*fault);
                    counter.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { url, seen, under_way }
    }

    /// Returns when every request of a disconnected client has reached the server.
    fn settle(&self) {
        // Connections are accepted in order, so all earlier ones were accepted when this one is closed.
        let mut last = TcpStream::connect(self.url.trim_start_matches("http://")).unwrap();
        last.shutdown(Shutdown::Write).unwrap();
        last.read_to_end(&mut Vec::new()).unwrap();
        while self.under_way.load(Ordering::SeqCst) > 0 {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

/// Forwards one request and its response; each has its own connection.
fn pass_on(
    client: &TcpStream,
    upstream: &str,
    log: &Mutex<Vec<Seen>>,
    fault: &(dyn Fn(usize, &str) -> Fault + Send + Sync),
) -> std::io::Result<()> {
    let mut reader = BufReader::new(client);
    let mut first = String::new();
    if reader.read_line(&mut first)? == 0 {
        return Ok(());
    }
    let (mut head, mut length) = (first.clone(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
        if !lower.starts_with("connection:") {
            head.push_str(&line);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let mut words = first.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let number = {
        let mut log = log.lock().unwrap();
        let (method, path) = (method.to_owned(), path.to_owned());
        log.push(Seen { method, path, sent: length, done: false });
        log.len()
    };
    let mut client = client;
    let fault = fault(number, first.trim());
    match fault {
        Fault::Closed => return Ok(()),
        Fault::Refused(status) => {
            let answer =
                format!("HTTP/1.1 {status}\r\nContent-Length: 6\r\nConnection: close\r\n\r\nbusy\r\n");
            return client.write_all(answer.as_bytes());
        }
        _ => {}
    }
    let mut server = TcpStream::connect(upstream)?;
    server.write_all(head.as_bytes())?;
    server.write_all(b"Connection: close\r\n\r\n")?;
    server.write_all(&body)?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer)?;
    log.lock().unwrap()[number - 1].done = answer.starts_with(b"HTTP/1.1 2");
    match fault {
        Fault::Lost => Ok(()),
        Fault::Cut => client.write_all(&answer[..answer.len() * 2 / 3]),
        Fault::Late => {
            std::thread::sleep(Duration::from_millis(400));
            client.write_all(&answer)
        }
        _ => client.write_all(&answer),
    }
}

/// The store in a bucket, through a proxy.
fn through(bucket: &Bucket, proxy: &Proxy) -> Store {
    let environment: Environment =
        variables(bucket, proxy).into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    open(bucket, &environment)
}

pub(crate) fn variables<'a>(bucket: &'a Bucket, proxy: &Proxy) -> Vec<(&'a str, String)> {
    let server = origin(bucket);
    let set = |(name, value): &(&'a str, String)| (*name, value.replace(&server, &proxy.url));
    bucket.variables.iter().map(set).collect()
}

/// `http://127.0.0.1:PORT` of its server.
pub(crate) fn origin(bucket: &Bucket) -> String {
    bucket.endpoint.split('/').take(3).collect::<Vec<_>>().join("/")
}

fn open(bucket: &Bucket, environment: &Environment) -> Store {
    buckets::open(&format!("{}/apt", bucket.location), environment).unwrap()
}

fn small_archive() -> Sandbox {
    let sandbox = Sandbox::signed();
    deb("hello").version("1:2.0~rc1+b1").write(sandbox.incoming());
    deb("hello-doc").architecture("all").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok();
    sandbox
}

/// Each request of a first sync fails once, in each way: a retry repairs it, and clients never see an incomplete suite.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_request_may_fail_once() {
    if servers::moto().is_none() {
        return;
    }
    let sandbox = small_archive();
    let publisher = Publisher::on(folder(sandbox.archive("")));
    fail_once(servers::moto, &FAULTS, &publisher, None).await;
}

/// The same for one more package, where the destination is also read.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_request_of_an_update_may_break_once() {
    if servers::moto().is_none() {
        return;
    }
    let sandbox = small_archive();
    let old = tempfile::tempdir().unwrap();
    let source = sandbox.archive("");
    sandbox.ask("cp", ["-a".as_ref(), source.as_os_str(), old.path().join("archive").as_os_str()]);
    let publisher = Publisher::on(folder(source)).later(60);
    publisher.add(&[deb("extra").write(sandbox.path("more"))]).await.unwrap();
    // The source has no old generation left: it must be read from the destination.
    fs::remove_dir_all(sandbox.archive("dists/stable/generations")).unwrap();
    let before = Publisher::on(folder(old.path().join("archive")));
    for index in fs::read_dir(sandbox.archive("dists/stable/main/binary-amd64/by-hash/SHA256")).unwrap() {
        let path = index.unwrap().path();
        if old.path().join("archive").join(path.strip_prefix(sandbox.archive("")).unwrap()).exists() {
            fs::remove_file(path).unwrap();
        }
    }
    fail_once(servers::moto, &[Fault::Cut, Fault::Lost, Fault::Closed], &publisher, Some(&before)).await;
}

/// The same for Swift, which has its own client code.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_request_to_swift_may_fail_once() {
    if servers::swift().is_none() {
        return;
    }
    let sandbox = small_archive();
    let publisher = Publisher::on(folder(sandbox.archive("")));
    let busy = Fault::Refused("503 Service Unavailable");
    fail_once(servers::swift, &[Fault::Closed, Fault::Lost, Fault::Cut, busy], &publisher, None).await;
}

async fn fail_once(
    make: fn() -> Option<Bucket>,
    faults: &[Fault],
    publisher: &Publisher,
    before: Option<&Publisher>,
) {
    let prepared = async || {
        let bucket = tokio::task::spawn_blocking(make).await.unwrap().unwrap();
        if let Some(before) = before {
            before.sync(&open(&bucket, &bucket.environment())).await.unwrap();
        }
        bucket
    };
    let bucket = prepared().await;
    let undisturbed = Proxy::before(&origin(&bucket), |_, _| Fault::None);
    publisher.sync(&through(&bucket, &undisturbed)).await.unwrap();
    let requests = undisturbed.seen().len();
    assert!((12..60).contains(&requests), "{:#?}", undisturbed.seen());
    let packages = publisher.packages().await;

    let trials = faults.iter().flat_map(|fault| (1..=requests).map(move |number| (*fault, number)));
    let trials = trials.map(|(fault, at)| {
        let (packages, prepared) = (&packages, &prepared);
        async move {
            let bucket = prepared().await;
            let faults = move |number: usize, _: &str| if number == at { fault } else { Fault::None };
            let proxy = Proxy::before(&origin(&bucket), faults);
            let destination = through(&bucket, &proxy);
            // It takes seconds, or a minute on a busy machine.
            let synced = tokio::time::timeout(Duration::from_secs(600), publisher.sync(&destination));
            let synced = synced.await.unwrap_or_else(|_| panic!("{fault:?} {at}: it hangs")).unwrap();
            let context = format!("{fault:?} {at}: {:?}", proxy.seen().get(at - 1));
            assert!(synced.failed.is_empty() && synced.errors.is_empty(), "{context}: {synced:?}");
            let reader = Publisher::on(open(&bucket, &bucket.environment())).later(60);
            assert_eq!(reader.packages().await, *packages, "{context}");
            assert_eq!(reader.faults().await, [], "{context}");
            let again = publisher.sync(&open(&bucket, &bucket.environment())).await.unwrap();
            assert!(again.sent.is_empty(), "{context}: {:?}", again.sent);
        }
    });
    futures::stream::iter(trials).buffer_unordered(12).collect::<Vec<()>>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn retries_of_a_failing_server_are_limited() {
    let Some(bucket) = servers::moto() else { return };
    let sandbox = small_archive();
    let proxy = Proxy::before(&origin(&bucket), |_, _| Fault::Refused("503 Service Unavailable"));
    let location = format!("{}/apt", bucket.location);
    let variables = variables(&bucket, &proxy);
    let variables: Vec<(&str, &str)> =
        variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let said = sandbox.publish_with(&variables, ["sync", &location]).fails(5);
    said.says(["dists/stable/InRelease", "503", "hint: "]);
    let mut tries: BTreeMap<(String, String), usize> = BTreeMap::new();
    for seen in proxy.seen() {
        *tries.entry((seen.method, seen.path)).or_default() += 1;
    }
    assert!(tries.values().all(|times| *times <= 7), "{tries:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_object_that_cannot_be_sent_is_named_and_the_rest_is_sent() {
    let Some(bucket) = servers::moto() else { return };
    let sandbox = small_archive();
    let bad = |line: &str| line.starts_with("PUT ") && line.contains("hello-doc_1.0_all.deb");
    for (fault, words, status) in
        [(Fault::Refused("403 Forbidden"), "403", 1), (Fault::Refused("500 Internal Server Error"), "500", 5)]
    {
        let proxy =
            Proxy::before(&origin(&bucket), move |_, line| if bad(line) { fault } else { Fault::None });
        let location = format!("{}/apt", bucket.location);
        let variables = variables(&bucket, &proxy);
        let variables: Vec<(&str, &str)> =
            variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let said = sandbox.publish_with(&variables, ["sync", &location]).fails(status);
        said.says([
            "cannot copy `pool/main/h/hello-doc/hello-doc_1.0_all.deb`",
            words,
            "the suites that reference them were not updated there",
        ]);
        let store = open(&bucket, &bucket.environment());
        assert!(store.size("pool/main/h/hello/hello_2.0~rc1+b1_amd64.deb").await.unwrap().is_some());
        assert!(store.read("dists/stable/InRelease", LIMIT).await.unwrap().is_none());
    }
}

/// Killed repeatedly, and restarted until it is done: files that had arrived are not sent again.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_sync_is_resumed() {
    let Some(bucket) = servers::moto() else { return };
    let sandbox = Sandbox::signed();
    for number in 0..40 {
        deb(&format!("package{number:02}")).write(sandbox.incoming());
    }
    sandbox.publish(["add", "incoming"]).ok();
    // Slow enough to be killed during the sync.
    let proxy = Proxy::before(&origin(&bucket), |_, _| {
        std::thread::sleep(Duration::from_millis(20));
        Fault::None
    });
    let location = format!("{}/apt", bucket.location);
    let mut kills = 0;
    for round in 0_u64.. {
        assert!(round < 60, "it never ends");
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_publish"))
            .args(["--quiet", "sync", "--concurrency", "4", &location])
            .env_clear()
            .envs(variables(&bucket, &proxy))
            .env("HOME", sandbox.path("home"))
            .env("PUBLISH_ARCHIVE", sandbox.archive(""))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // From before its first request to after its last, in no order.
        std::thread::sleep(Duration::from_millis(60 + round * 97 % 500));
        if child.try_wait().unwrap().is_none() && round < 20 {
            child.kill().unwrap();
            kills += 1;
        }
        if child.wait().unwrap().success() {
            break;
        }
        proxy.settle();
    }
    assert!(kills >= 5, "it was killed {kills} times");
    // A pending request at the time of the kill may have been handled after all.
    let mut done: BTreeMap<String, usize> = BTreeMap::new();
    for seen in proxy.seen().iter().filter(|seen| seen.method == "PUT" && seen.path.contains("/pool/")) {
        *done.entry(seen.path.clone()).or_default() += usize::from(seen.done);
    }
    assert_eq!(done.len(), 40);
    let twice: BTreeSet<&String> =
        done.iter().filter(|(_, times)| **times != 1).map(|(path, _)| path).collect();
    assert!(twice.is_empty(), "sent again: {twice:?}");
    let reader = Publisher::on(open(&bucket, &bucket.environment()));
    assert_eq!(reader.packages().await.unwrap().len(), 40);
    assert_eq!(reader.faults().await, []);
}

/// Parts of a large package are sent in bounded memory, to servers with different upload protocols.
#[test]
fn a_large_package_takes_little_memory() {
    const PEAK: &str = "import resource, subprocess, sys\n\
        status = subprocess.run(sys.argv[1:]).returncode\n\
        print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\nsys.exit(status)";
    for bucket in [servers::moto(), servers::rgw(), servers::swift()].into_iter().flatten() {
        let sandbox = Sandbox::signed();
        let noise: Vec<u8> =
            (0..80_u32 << 20).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        deb("large").compression(crate::deb_builder::Pack::None).payload(noise).write(sandbox.incoming());
        sandbox.publish(["add", "incoming"]).ok();
        let mut command = sandbox.command("python3");
        command
            .args(["-c", PEAK, env!("CARGO_BIN_EXE_publish"), "sync", &format!("{}/apt", bucket.location)])
            .envs(bucket.variables.iter().map(|(name, value)| (name, value)))
            .env("PUBLISH_ARCHIVE", sandbox.archive(""));
        let said = sandbox.run(command).ok();
        let peak: u64 = said.stdout.lines().last().unwrap().parse().unwrap();
        assert!(peak < 100 << 10, "{}: {peak} KiB", bucket.server);
        let there = bucket.get("apt/pool/main/l/large/large_1.0_amd64.deb");
        let file = fs::read(sandbox.incoming().join("large_1.0_amd64.deb")).unwrap();
        assert!(file.len() > 80 << 20, "{}", file.len());
        assert!(there.body == file, "{}: {} bytes", bucket.server, there.body.len());
    }
}
