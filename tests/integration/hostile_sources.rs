//! A web server as the source of `sync`, `pull` and `import` that sends too much, other bytes, or refusals: nothing is published,
//! and nothing is read beyond what is listed.

use std::{fs, thread};

use crate::{
    deb_builder::deb,
    sandbox::{Outcome, Sandbox, fixture},
    web::{Reply, Web},
};

const KEY: &str = "keys/second.asc";
const PACKAGE: &str = "hello_1.0_amd64.deb";

/// An archive of another publisher in `other/`.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::signed();
    let (file, key) = (deb("hello").write(sandbox.incoming()), fixture(KEY));
    let base = ["-a", "other", "--sign-with", key.to_str().unwrap(), "add", file.to_str().unwrap()];
    sandbox.publish(base).ok();
    sandbox
}

/// Runs a command on a source at this URL; each writes to a folder of its own.
fn run(sandbox: &Sandbox, command: &str, url: &str) -> Outcome {
    let key = fixture("keys/second.pub.asc").display().to_string();
    let arguments: &[&str] = match command {
        "sync" => &["-a", url, "sync", "./sync", "--suite", "stable"],
        "pull" => &["-a", "pull", "pull", "stable", "--from", url, "hello"],
        _ => &["-a", "import", "import", url, "--suite", "stable"],
    };
    sandbox.publish_after(60, &[arguments, &["--keyring", &key]].concat())
}

#[test]
fn a_faulty_source_publishes_nothing() {
    type Fault = (&'static str, fn(&str, &mut Reply), &'static str);
    let faults: [Fault; 7] = [
        (
            "an endless release file",
            |path, reply| {
                if path.ends_with("InRelease") {
                    reply.body = vec![b'A'; 11 << 20]
                }
            },
            "InRelease",
        ),
        (
            "a changed release file",
            |path, reply| {
                if path.ends_with("InRelease") {
                    let text =
                        String::from_utf8_lossy(&reply.body).replace("Codename: stable", "Codename: stablf");
                    reply.body = text.into_bytes();
                }
            },
            "InRelease",
        ),
        (
            "a longer index",
            |path, reply| {
                if path.contains("binary-amd64") {
                    reply.body = vec![b'A'; 4 << 20]
                }
            },
            "binary-amd64",
        ),
        (
            "another index of the same size",
            |path, reply| {
                if path.contains("binary-amd64") {
                    reply.body.iter_mut().for_each(|byte| *byte ^= 1)
                }
            },
            "binary-amd64",
        ),
        (
            "a longer package",
            |path, reply| {
                if path.ends_with(PACKAGE) {
                    reply.body = vec![b'A'; 4 << 20]
                }
            },
            PACKAGE,
        ),
        (
            "another package of the same size",
            |path, reply| {
                if path.ends_with(PACKAGE) {
                    reply.body.iter_mut().for_each(|byte| *byte ^= 1)
                }
            },
            PACKAGE,
        ),
        (
            "a refused package",
            |path, reply| {
                if path.ends_with(PACKAGE) {
                    reply.says("403 Forbidden")
                }
            },
            PACKAGE,
        ),
    ];
    thread::scope(|scope| {
        for (name, change, says) in faults {
            scope.spawn(move || {
                let sandbox = sandbox();
                let web = Web::with(sandbox.path("other"), move |request, reply| {
                    let path = request.split_whitespace().last().unwrap_or_default();
                    // A HEAD request has no body, and some servers answer it wrongly.
                    change(path, reply);
                });
                for command in ["sync", "pull", "import"] {
                    let outcome = run(&sandbox, command, &web.url);
                    assert_eq!(outcome.status, Some(1), "{name}, {command}: {outcome}");
                    assert!(outcome.stderr.contains(says), "{name}, {command}: {outcome}");
                    for file in ["InRelease", "Release"] {
                        let path = sandbox.path(command).join("dists/stable").join(file);
                        assert!(!path.exists(), "{name}, {command}");
                    }
                    let pool = walkdir::WalkDir::new(sandbox.path(command)).into_iter().flatten();
                    let bad = pool.filter(|entry| {
                        entry.file_name() == PACKAGE
                            && fs::read(entry.path()).unwrap() != deb("hello").bytes()
                    });
                    assert_eq!(bad.count(), 0, "{name}, {command}");
                }
                // The same source without the fault.
                let web = Web::of(sandbox.path("other"));
                for command in ["sync", "pull", "import"] {
                    run(&sandbox, command, &web.url).ok();
                    let key = if command == "sync" { "keys/second.pub.asc" } else { "keys/test.pub.asc" };
                    let key = fixture(key).display().to_string();
                    sandbox.publish_after(60, &["-a", command, "check", "--keyring", &key]).ok();
                }
            });
        }
    });
}
