//! Many processes add packages, one per command, to one suite, while real clients update and download in a loop. The
//! same is repeated while the processes are killed at random and restarted. Nothing is lost, and no client ever sees an
//! inconsistency.
//!
//! The figures are printed. By default there are fewer of both; run `PUBLISH_SOAK=full tests/run soak` before a
//! release.

use std::{
    collections::BTreeSet,
    env,
    path::PathBuf,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use object_store::{ObjectStore, local::LocalFileSystem};

use crate::{
    apt_client::{Client, Source},
    auditor::Auditor,
    deb_builder::{DebBuilder, deb},
    races::Done,
    sandbox::{Sandbox, fixture, say},
    servers::{self, Bucket},
    web::Web,
};

/// The number of concurrent processes, and of packages per process.
fn size() -> (usize, usize) {
    if env::var("PUBLISH_SOAK").is_ok_and(|size| size == "full") { (16, 20) } else { (8, 5) }
}

/// The package that exists at the start.
const FIRST: &str = "soak-first";

/// The archive, and its URL for clients.
struct Place {
    name: &'static str,
    location: String,
    variables: Vec<(&'static str, String)>,
    url: String,
    objects: Arc<dyn ObjectStore>,
}

impl Place {
    fn folder(sandbox: &Sandbox) -> Self {
        let path = sandbox.archive("");
        Self {
            name: "a folder",
            location: path.to_str().unwrap().to_owned(),
            variables: Vec::new(),
            url: Web::of(&path).url,
            objects: Arc::new(LocalFileSystem::new_with_prefix(&path).unwrap()),
        }
    }

    fn bucket(bucket: &Bucket) -> Self {
        let location = format!("{}/apt", bucket.location);
        Self {
            name: bucket.server,
            url: format!("{}/apt", bucket.public),
            variables: bucket.variables.clone(),
            objects: crate::buckets::open(&location, &bucket.environment()).unwrap().objects(),
            location,
        }
    }
}

/// The fewest updates that clients make while packages are published.
const UPDATES: usize = 5;

/// The totals so far.
#[derive(Default)]
struct Figures {
    adds: AtomicUsize,
    lost: AtomicUsize,
    gave_up: AtomicUsize,
    kills: AtomicUsize,
    updates: AtomicUsize,
    downloads: AtomicUsize,
    /// The duration of the last undisturbed add.
    took: AtomicU64,
}

struct Soak<'a> {
    sandbox: &'a Sandbox,
    place: Place,
    /// Whether publishers are killed.
    killed: bool,
    figures: Figures,
}

fn name(job: usize, number: usize) -> String {
    format!("soak-{job:02}-{number:02}")
}

fn package(name: &str) -> DebBuilder {
    deb(name).payload(format!("all that {name} has\n"))
}

impl Soak<'_> {
    /// Runs the whole test.
    fn run(self) {
        let (jobs, each) = size();
        let zero = package(FIRST).write(self.sandbox.incoming());
        assert_eq!(self.add(&zero, None), Some(0));
        let (begin, over) = (Instant::now(), AtomicBool::new(false));
        std::thread::scope(|scope| {
            for client in [Client::debian_12(self.sandbox), Client::debian_13(self.sandbox)] {
                let (soak, over) = (&self, &over);
                scope.spawn(move || client.map(|client| soak.read(client, over)));
            }
            let _over = Done(&over);
            std::thread::scope(|scope| {
                for job in 0..jobs {
                    let soak = &self;
                    scope.spawn(move || {
                        (0..each - 1).for_each(|number| soak.publish(job, number));
                        soak.wait_for_clients();
                        soak.publish(job, each - 1);
                    });
                }
            });
        });
        let took = begin.elapsed();
        self.judge(jobs * each);
        self.report(jobs * each, took);
    }

    /// Waits until the clients have updated often enough, while packages are still to come. However slow the machine is, they
    /// do; if they do not, the report fails.
    fn wait_for_clients(&self) {
        let begin = Instant::now();
        while self.figures.updates.load(Relaxed) < UPDATES && begin.elapsed() < Duration::from_secs(600) {
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Publishes one package, with as many attempts as needed.
    fn publish(&self, job: usize, number: usize) {
        let file = package(&name(job, number)).write(self.sandbox.incoming().join(job.to_string()));
        let mut random = (job * 7919 + number * 104_729) as u64;
        for attempt in 0.. {
            // The first two attempts for each package are killed if they take too long.
            let timeout = (self.killed && attempt < 2).then(|| {
                random =
                    random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                Duration::from_millis((random >> 33) % self.figures.took.load(Relaxed).max(50))
            });
            match self.add(&file, timeout) {
                Some(0) => break,
                // Killed.
                None => self.figures.kills.fetch_add(1, Relaxed),
                Some(3) => self.figures.gave_up.fetch_add(1, Relaxed),
                Some(status) => panic!("{}: status {status}", file.display()),
            };
            assert!(self.killed || self.figures.gave_up.load(Relaxed) == 0, "lost the race too often");
        }
        self.figures.adds.fetch_add(1, Relaxed);
    }

    /// Runs `publish add` once, kills it after the timeout, and returns its status.
    fn add(&self, file: &PathBuf, timeout: Option<Duration>) -> Option<i32> {
        let begin = Instant::now();
        let mut child = self.command().args(["-v", "add"]).arg(file).spawn().unwrap();
        if let Some(timeout) = timeout {
            std::thread::sleep(timeout);
            let _ = child.kill();
        }
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        self.figures.lost.fetch_add(said.matches("lost the race against another publisher").count(), Relaxed);
        let status = output.status.code();
        assert!(matches!(status, None | Some(0 | 3)), "{said}");
        if status == Some(0) {
            let took = u64::try_from(begin.elapsed().as_millis()).unwrap();
            self.figures.took.store(took, Relaxed);
        }
        status
    }

    /// `publish` without a wrapper, so that the signal reaches it; it uses the real clock.
    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_publish"));
        command
            .env_clear()
            .envs(self.place.variables.iter().map(|(name, value)| (name, value)))
            .env("HOME", self.sandbox.path("home"))
            .env("PUBLISH_ARCHIVE", &self.place.location)
            .env("PUBLISH_SIGN_WITH", fixture("keys/test.asc"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// A client that updates and downloads in a loop.
    fn read(&self, mut apt: Client<'_>, over: &AtomicBool) {
        apt.source(&Source::at(&self.place.url).signed_by(fixture("keys/test.pub.asc")));
        while !over.load(Relaxed) {
            apt.updates();
            self.figures.updates.fetch_add(1, Relaxed);
            let seen = apt.run("apt-cache", ["pkgnames"]).ok().stdout;
            let mut seen: Vec<&str> = seen.lines().filter(|name| name.starts_with("soak-")).collect();
            seen.sort_unstable();
            let wanted = seen[self.figures.downloads.fetch_add(1, Relaxed) * 31 % seen.len()];
            assert_eq!(apt.download(wanted), package(wanted).bytes(), "{}: {wanted}", apt.name);
            // A pause, because the publishers need the processor.
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Every published package exists, and so do all files that any generation of the suite referenced.
    fn judge(&self, adds: usize) {
        let (jobs, each) = size();
        let names = (0..jobs).flat_map(|job| (0..each).map(move |number| name(job, number)));
        let expected: BTreeSet<String> =
            names.chain([FIRST.to_owned()]).map(|name| format!("{name} 1.0 amd64")).collect();
        assert_eq!(expected.len(), adds + 1);
        let mut auditor = Auditor::of(self.place.objects.clone());
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            auditor.expect_generations().await.unwrap();
            auditor.audit().await.unwrap();
        });
        assert!(auditor.pointers() > adds, "{} states", auditor.pointers());
        assert_eq!(auditor.packages(), expected);
        let checked = self.command().arg("check").output().unwrap();
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    }

    fn report(&self, adds: usize, took: Duration) {
        let Figures { adds: done, lost, gave_up, kills, updates, downloads, .. } = &self.figures;
        let count = |figure: &AtomicUsize| figure.load(Relaxed);
        assert_eq!(count(done), adds);
        assert!(count(updates) >= UPDATES, "{} updates", count(updates));
        let killed = if self.killed {
            assert!(count(kills) > adds / 4, "{} kills", count(kills));
            format!(", {} killed and {} gave up and were run again", count(kills), count(gave_up))
        } else {
            String::new()
        };
        say(&format!(
            "soak on {}: {adds} packages by {} processes at once in {:.0} s ({:.1} a second){killed}; {} races lost; \
             {} updates and {} downloads by real clients; 0 packages lost, 0 client errors",
            self.place.name,
            size().0,
            took.as_secs_f64(),
            1.0 / (took / u32::try_from(adds).unwrap()).as_secs_f64(),
            count(lost),
            count(updates),
            count(downloads),
        ));
    }
}

/// On a folder and on a server concurrently.
fn everywhere(killed: bool) {
    let (near, far) = (Sandbox::new(), Sandbox::new());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let place = Place::folder(&near);
            Soak { sandbox: &near, place, killed, figures: Figures::default() }.run();
        });
        if let Some(bucket) = servers::rgw() {
            let place = Place::bucket(&bucket);
            Soak { sandbox: &far, place, killed, figures: Figures::default() }.run();
        }
    });
}

#[test]
fn many_add_at_once() {
    everywhere(false);
}

#[test]
fn many_are_killed_while_they_add() {
    everywhere(true);
}
