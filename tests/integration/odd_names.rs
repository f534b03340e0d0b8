//! Names in the archive that something else than a file has, and limits of the system: each ends at once with an error
//! that names the file.

use std::{fs, os::unix::fs::symlink, path::Path, time::Instant};

use crate::{
    deb_builder::deb,
    sandbox::{Outcome, Sandbox, is_root, skipped},
};

fn archive() -> Sandbox {
    let sandbox = Sandbox::signed();
    add(&sandbox, "hello").ok();
    sandbox
}

fn add(sandbox: &Sandbox, name: &str) -> Outcome {
    let file = deb(name).write(sandbox.incoming());
    sandbox.publish(["add".as_ref(), file.as_os_str()])
}

/// The regular files of the archive with their digests.
fn files(sandbox: &Sandbox) -> String {
    sandbox.ask("sh", ["-c", "find archive -type f ! -name .publish-lock -exec sha256sum {} + | sort"])
}

/// Everything that can have a name beside a regular file.
fn each_kind(sandbox: &Sandbox, path: &Path, test: impl Fn(&str)) {
    fs::create_dir(path).unwrap();
    test("a folder");
    fs::remove_dir(path).unwrap();
    symlink("nowhere", path).unwrap();
    test("a dangling link");
    fs::remove_file(path).unwrap();
    sandbox.ask("mkfifo", [path]);
    test("a named pipe");
    fs::remove_file(path).unwrap();
}

#[test]
fn a_lock_that_is_no_file_is_an_error_at_once() {
    let sandbox = archive();
    let lock = sandbox.archive(".publish-lock");
    let _ = fs::remove_file(&lock);
    let begun = Instant::now();
    each_kind(&sandbox, &lock, |what| {
        let before = sandbox.read("dists/stable/InRelease");
        add(&sandbox, "other").fails(1).says([".publish-lock` is not a regular file"]);
        assert_eq!(sandbox.read("dists/stable/InRelease"), before, "{what}");
    });
    assert!(begun.elapsed().as_secs() < 60, "{:?}", begun.elapsed());
    add(&sandbox, "other").ok();
}

#[test]
fn a_release_file_that_is_no_file_is_an_error_at_once() {
    for file in ["InRelease", "Release"] {
        let sandbox = if file == "InRelease" { archive() } else { Sandbox::new() };
        add(&sandbox, "hello").ok();
        let path = sandbox.archive("dists/stable").join(file);
        fs::rename(&path, sandbox.path("kept")).unwrap();
        each_kind(&sandbox, &path, |_| {
            let before = files(&sandbox);
            let said = add(&sandbox, "other").fails(1);
            said.says([&format!("dists/stable/{file}`") as &str, "not a file"]);
            assert_eq!(files(&sandbox), before);
        });
        fs::rename(sandbox.path("kept"), &path).unwrap();
        add(&sandbox, "other").ok();
    }
}

#[test]
fn an_immutable_name_that_is_no_file_is_an_error_at_once() {
    // The names that the next commit writes.
    let sandbox = archive();
    let before = sandbox.tree();
    sandbox.ask("cp", ["-a", "archive", "before"]);
    add(&sandbox, "other").ok();
    let after = sandbox.tree();
    let new = |part: &str| after.paths_with(part).into_iter().find(|path| !before.has(path)).unwrap();
    for path in [new("/by-hash/"), new("pool/")] {
        fs::remove_dir_all(sandbox.archive("")).unwrap();
        sandbox.ask("cp", ["-a", "before", "archive"]);
        let at = sandbox.archive(&path);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        let pointer = sandbox.read("dists/stable/InRelease");
        each_kind(&sandbox, &at, |what| {
            add(&sandbox, "other").fails(1).says([&format!("`{path}`") as &str]);
            assert_eq!(sandbox.read("dists/stable/InRelease"), pointer, "{what}");
        });
        add(&sandbox, "other").ok();
        sandbox.publish(["check"]).ok();
    }
}

#[test]
fn a_folder_that_is_a_file_is_named() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.archive("pool"), "").unwrap();
    add(&sandbox, "hello").fails(1).says(["/pool` is not a folder"]);
}

#[test]
fn a_grown_pool_file_is_not_read() {
    let sandbox = archive();
    let path = "pool/main/o/other/other_1.0_amd64.deb";
    fs::create_dir_all(sandbox.archive(path).parent().unwrap()).unwrap();
    fs::File::create(sandbox.archive(path)).unwrap().set_len(1 << 40).unwrap();
    let begun = Instant::now();
    add(&sandbox, "other")
        .fails(1)
        .says([path, "already exists with different contents: 1099511627776 bytes"]);
    assert!(begun.elapsed().as_secs() < 60, "{:?}", begun.elapsed());
}

#[test]
fn few_file_descriptors_end_in_an_error() {
    let sandbox = archive();
    for number in 0..40 {
        deb(&format!("p{number}")).write(sandbox.incoming());
    }
    for limit in ["8", "12", "16", "20", "24", "32", "64"] {
        for command in ["add incoming", "check", "list", "sync ./there", "prune"] {
            let script = format!("ulimit -n {limit}; exec \"$0\" -a archive {command}");
            let mut run = sandbox.command("sh");
            run.args(["-c", &script, env!("CARGO_BIN_EXE_publish")]);
            ends_well(sandbox.run(run), &format!("{command} with {limit} descriptors"));
        }
        sandbox.publish(["check"]).ok();
    }
}

#[test]
fn few_threads_end_in_an_error() {
    if !is_root() {
        return skipped("another user is needed, whose processes are counted");
    }
    let sandbox = archive();
    sandbox.ask("chmod", ["-R", "a+rwX", "archive"]);
    // The program may be in a folder that others cannot read. Another process copies it: a child that another test starts
    // meanwhile would hold the file open for writing, and the kernel then refuses to run it.
    sandbox.ask("cp", [env!("CARGO_BIN_EXE_publish").as_ref(), sandbox.path("publish").as_os_str()]);
    let mut succeeded = 0;
    for limit in ["1", "2", "3", "4", "5", "6", "8", "12", "20"] {
        for command in ["list", "check", "sync ./archive-copy"] {
            // No other process has this user.
            let limits = format!("--nproc={limit}");
            let mut run = sandbox.command("setpriv");
            run.args(["--reuid=64321", "--regid=65534", "--clear-groups", "prlimit", &limits]);
            run.arg(sandbox.path("publish")).args(["-a", "archive"]).args(command.split(' '));
            let outcome = sandbox.run(run);
            succeeded += usize::from(outcome.status == Some(0));
            if limit == "1" {
                assert!(outcome.stderr.contains("threads"), "{outcome}");
            }
            ends_well(outcome, &format!("{command} with {limit} threads"));
        }
    }
    assert!(succeeded > 0);
}

/// Checks that a command has succeeded, or failed with an error and without a panic or a timeout.
#[track_caller]
fn ends_well(outcome: Outcome, what: &str) {
    match outcome.status {
        Some(0) => drop(outcome.ok()),
        Some(status @ (1 | 3 | 4)) => drop(outcome.fails(status)),
        _ => panic!("{what}: {outcome}"),
    }
}
