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
    /// A name, a part of the paths of the files that are faulty, and the fault.
    type Fault = (&'static str, &'static str, fn(&mut Reply));
    let other = |reply: &mut Reply| reply.body.iter_mut().for_each(|byte| *byte ^= 1);
    let faults: [Fault; 7] = [
        ("an endless release file", "InRelease", |reply| reply.body = vec![b'A'; 11 << 20]),
        ("a changed release file", "InRelease", |reply| {
            let text = String::from_utf8_lossy(&reply.body).replace("Codename: stable", "Codename: stablf");
            reply.body = text.into_bytes();
        }),
        ("a longer index", "binary-amd64", |reply| reply.body = vec![b'A'; 4 << 20]),
        ("another index of the same size", "binary-amd64", other),
        ("a longer package", PACKAGE, |reply| reply.body = vec![b'A'; 4 << 20]),
        ("another package of the same size", PACKAGE, other),
        ("a refused package", PACKAGE, |reply| reply.says("403 Forbidden")),
    ];
    thread::scope(|scope| {
        for (name, part, change) in faults {
            scope.spawn(move || {
                let sandbox = sandbox();
                let web = Web::with(sandbox.path("other"), move |request, reply| {
                    let path = request.split_whitespace().last().unwrap_or_default();
                    // A HEAD request has no body, and some servers answer it wrongly.
                    if path.contains(part) {
                        change(reply);
                    }
                });
                for command in ["sync", "pull", "import"] {
                    let outcome = run(&sandbox, command, &web.url);
                    assert_eq!(outcome.status, Some(1), "{name}, {command}: {outcome}");
                    assert!(outcome.stderr.contains(part), "{name}, {command}: {outcome}");
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
