//! Each write of an `add` in turn fails or kills the process; a real client judges each result.
//!
//! The client finds either the old suite or the new one, complete with all files that it references. The next `add`
//! repairs the rest, until the archive equals that of an undisturbed `add`, except for the salt of its signatures.

use std::{
    env, fs,
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    apt_client::{Client, Source},
    deb_builder::deb,
    faults::{Faults, Operation, SIDES, Side},
    publisher::{Publisher, folder, memory},
    sandbox::{Sandbox, Tree, fixture},
    web::Web,
};

/// The variable with the parameters of the process to be killed: ARCHIVE:INCOMING:WRITE:SIDE.
const ORDER: &str = "PUBLISH_TEST_KILL";

/// How the publisher ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Fails,
    IsKilled,
}

/// The suite that clients see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Absent,
    Old,
    New,
}

/// An archive on which an `add` is tried repeatedly.
struct Trial {
    sandbox: Sandbox,
    before: Tree,
    undisturbed: Tree,
    writes: Vec<Operation>,
}

impl Trial {
    /// An archive with packages, or an empty one.
    fn new(empty: bool) -> Self {
        let sandbox = Sandbox::signed();
        if !empty {
            let first = sandbox.path("first");
            deb("hello").write(&first);
            deb("hello").architecture("arm64").write(&first);
            deb("hello-doc").architecture("all").write(&first);
            sandbox.publish(["add", "first"]).ok();
        }
        deb("hello").version("2.0").write(sandbox.incoming());
        deb("extra").architecture("all").write(sandbox.incoming());
        fs::rename(sandbox.archive(""), sandbox.path("before")).unwrap();
        let before = Tree::read(&sandbox.path("before"));
        let mut trial = Self { undisturbed: before.clone(), before, writes: Vec::new(), sandbox };
        trial.begin();
        trial.sandbox.publish(["add", "incoming"]).ok();
        trial.sandbox.publish(["check"]).ok();
        trial.undisturbed = trial.sandbox.tree();
        trial.begin();
        let faults = Faults::none();
        block_on(Publisher::on(faults.on(folder(trial.sandbox.archive("")))).add(&trial.incoming())).unwrap();
        trial.is_undisturbed();
        trial.writes = faults.writes();
        trial
    }

    fn incoming(&self) -> Vec<PathBuf> {
        publish::archive::find_files(&[self.sandbox.incoming()]).unwrap()
    }

    /// Restores the archive to its initial contents.
    fn begin(&self) {
        let archive = self.sandbox.archive("");
        let _ = fs::remove_dir_all(&archive);
        let before = self.sandbox.path("before");
        self.sandbox.ask("cp", ["-a".as_ref(), "-T".as_ref(), before.as_os_str(), archive.as_os_str()]);
    }

    /// Runs the `add` that ends at a step.
    fn run(&self, end: End, at: usize, side: Side) {
        let archive = self.sandbox.archive("");
        match end {
            End::Fails => {
                let store = Faults::fail(at, side).on(folder(archive));
                block_on(Publisher::on(store).add(&self.incoming())).expect_err("a write failed");
            }
            End::IsKilled => {
                let status = Command::new(env::current_exe().unwrap())
                    .args(["--exact", "crash::the_process_that_is_killed", "--ignored", "--test-threads=1"])
                    .env(
                        ORDER,
                        format!("{}:{}:{at}:{side:?}", archive.display(), self.sandbox.incoming().display()),
                    )
                    .stdout(Stdio::null())
                    .status()
                    .unwrap();
                assert_eq!(status.signal(), Some(9), "{status}");
            }
        }
    }

    /// Compares the files of the archive with those that are allowed.
    fn judge_files(&self, end: End) {
        let tree = self.sandbox.tree();
        // All files that an older pointer references still exist.
        tree.keeps(&self.before, ALIASES);
        let hidden = tree.paths_with(".publish-");
        match end {
            End::Fails => assert_eq!(hidden, [""; 0]),
            // The number of compatibility files written concurrently.
            End::IsKilled => assert!(hidden.len() <= 8, "{hidden:?}"),
        }
        for path in hidden {
            let name = Path::new(&path).file_name().unwrap().to_str().unwrap();
            assert!(name.starts_with(".publish-"), "{path}");
        }
    }

    /// The library's own check finds faults only in the files for clients without by-hash.
    fn judge_by_check(&self, state: State) {
        let faults = block_on(Publisher::on(folder(self.sandbox.archive(""))).faults());
        for fault in &faults {
            // The keys for clients are a derived output of the first commit too.
            let is_late = fault.path == publish::archive::KEY_FILE
                || ALIASES.iter().any(|part| fault.path.contains(part));
            assert!(is_late, "{fault:?}");
            // The first commit writes `Release` before it is signed, which no client accepts.
            if state == State::Absent && self.sandbox.archive("dists/stable/Release").exists() {
                continue;
            }
            assert_eq!(state, State::New, "nothing of the old suite is touched: {fault:?}");
        }
    }

    /// Runs the same `add` again with the program: it succeeds without help and leaves the same files as an undisturbed
    /// one.
    fn heal(&self) {
        self.sandbox.publish(["add", "incoming"]).ok();
        self.sandbox.publish(["check"]).ok();
        self.is_undisturbed();
    }

    /// The archive equals that of an undisturbed `add`, except for hidden files and for signatures, which always
    /// differ.
    fn is_undisturbed(&self) {
        let tree = self.sandbox.tree();
        tree.keeps(&self.undisturbed, SIGNATURES);
        self.undisturbed.keeps(&tree, &[SIGNATURES, &[".publish-"]].concat());
    }

    /// Tries both sides of every step; `judge` returns the suite that clients see.
    fn every_step(&self, end: End, judge: impl Fn(&Step<'_>) -> State) {
        let mut seen = Vec::new();
        for (number, write) in self.writes.iter().enumerate() {
            for side in SIDES {
                self.begin();
                self.run(end, number + 1, side);
                self.judge_files(end);
                let state = judge(&Step { write, side });
                self.judge_by_check(state);
                self.heal();
                seen.push(state);
            }
        }
        assert!(seen.len() > 16, "{:?}", self.writes);
        // It changes once, at the swap.
        let pointer = self.writes.iter().position(|write| write.path == POINTER).unwrap();
        let before = if self.before.has(POINTER) { State::Old } else { State::Absent };
        let expected: Vec<State> =
            (0..seen.len()).map(|at| if at <= 2 * pointer { before } else { State::New }).collect();
        assert_eq!(seen, expected, "{:?}", self.writes);
    }
}

struct Step<'a> {
    write: &'a Operation,
    side: Side,
}

const POINTER: &str = "dists/stable/InRelease";

/// The files that are written after the swap, and may lag behind.
const ALIASES: &[&str] = &["stable/InRelease", "stable/Release", "/Packages"];

/// The files with signatures.
const SIGNATURES: &[&str] = &["InRelease", "Release.gpg", "/published"];

/// A new client reads the archive and returns the suite that it sees; an incomplete suite is a failure.
fn state_seen_by_apt(trial: &Trial, apt: &mut Client<'_>) -> State {
    if !trial.sandbox.archive(POINTER).exists() {
        assert_ne!(apt.update().status, Some(0), "{}", apt.name);
        return State::Absent;
    }
    apt.updates();
    let (state, packages): (_, &[(&str, &str)]) =
        match (apt.candidate("hello").as_deref(), apt.candidate("extra").as_deref()) {
            (Some("1.0"), None) => (State::Old, &[("hello", "first/hello_1.0_amd64.deb")]),
            (Some("2.0"), Some("1.0")) => (
                State::New,
                &[("hello", "incoming/hello_2.0_amd64.deb"), ("extra", "incoming/extra_1.0_all.deb")],
            ),
            other => panic!("{}: neither the old suite nor the new: {other:?}", apt.name),
        };
    for (package, file) in packages {
        assert_eq!(apt.download(package), fs::read(trial.sandbox.path(file)).unwrap(), "{}", apt.name);
    }
    state
}

fn source(trial: &Trial) -> Source {
    Source::folder(trial.sandbox.archive("")).signed_by(fixture("keys/test.pub.asc"))
}

fn every_step_before_apt(trial: &Trial, end: End) {
    let Some(mut apt) = Client::debian_12(&trial.sandbox) else { return };
    apt.option("Acquire::By-Hash", "force");
    apt.option("APT::Architectures", "amd64,arm64");
    apt.source(&source(trial));
    let web = Web::of(trial.sandbox.archive(""));
    let mut newer = (end == End::IsKilled).then(|| Client::debian_13(&trial.sandbox)).flatten();
    if let Some(newer) = &mut newer {
        newer.option("Acquire::By-Hash", "force");
        // Not with `file:`, where apt 3.0 reads the uncompressed alias in the same folder even when it requests by
        // hash.
        newer.source(&Source::at(&web.url).signed_by(fixture("keys/test.pub.asc")));
    }
    let clients = std::cell::RefCell::new((apt, newer));
    trial.every_step(end, |step| {
        let (apt, newer) = &mut *clients.borrow_mut();
        apt.forgets();
        let state = state_seen_by_apt(trial, apt);
        // The newer client only at the most important step.
        if let Some(newer) = newer.as_mut().filter(|_| step.write.path == POINTER) {
            newer.forgets();
            assert_eq!(state_seen_by_apt(trial, newer), state, "{:?} {:?}", step.side, step.write);
        }
        state
    });
}

#[test]
fn a_write_of_an_add_fails() {
    every_step_before_apt(&Trial::new(false), End::Fails);
}

#[test]
fn an_add_is_killed() {
    every_step_before_apt(&Trial::new(false), End::IsKilled);
}

#[test]
fn the_first_add_is_killed() {
    every_step_before_apt(&Trial::new(true), End::IsKilled);
}

#[test]
fn a_write_of_an_add_fails_in_memory() {
    let sandbox = Sandbox::new();
    let old = vec![
        deb("hello").write(sandbox.path("first")),
        deb("hello-doc").architecture("all").write(sandbox.path("first")),
    ];
    let new = vec![
        deb("hello").version("2.0").architecture("arm64").write(sandbox.incoming()),
        deb("extra").architecture("all").write(sandbox.incoming()),
    ];
    block_on(async {
        let prepared = || async {
            let store = memory();
            Publisher::on(store.clone()).add(&old).await.unwrap();
            store
        };
        let store = prepared().await;
        let before = Publisher::on(store.clone()).packages().await;
        let faults = Faults::none();
        Publisher::on(faults.on(store.clone())).add(&new).await.unwrap();
        let after = Publisher::on(store).packages().await;
        let writes = faults.writes();
        assert!(writes.len() > 8, "{writes:?}");
        let pointer = writes.iter().position(|write| write.path == POINTER).unwrap() + 1;
        for number in 1..=writes.len() {
            for side in SIDES {
                let store = prepared().await;
                let error =
                    Publisher::on(Faults::fail(number, side).on(store.clone())).add(&new).await.unwrap_err();
                let publisher = Publisher::on(store);
                let live = number > pointer || number == pointer && side == Side::After;
                let expected = if live { &after } else { &before };
                assert_eq!(&publisher.packages().await, expected, "{side:?} write {number}: {error}");
                for fault in publisher.faults().await {
                    assert!(live && ALIASES.iter().any(|part| fault.path.contains(part)), "{fault:?}");
                }
                publisher.add(&new).await.unwrap();
                assert_eq!(publisher.packages().await, after);
                assert_eq!(publisher.faults().await, [], "{side:?} write {number}");
            }
        }
    });
}

#[test]
#[ignore = "run by the tests above, as a process of its own"]
fn the_process_that_is_killed() {
    let Ok(order) = env::var(ORDER) else { return };
    let parts: Vec<&str> = order.split(':').collect();
    let [archive, incoming, at, side] = parts[..] else { panic!("{order}") };
    let side = if side == "Before" { Side::Before } else { Side::After };
    let files = publish::archive::find_files(&[incoming.into()]).unwrap();
    let store = Faults::kill(at.parse().unwrap(), side).on(folder(archive));
    block_on(Publisher::on(store).add(&files)).unwrap();
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().unwrap().block_on(work)
}
