//! SIGINT and SIGTERM in every phase of a command: one line reports what is published, and the next command carries on.

use std::{
    fs,
    os::unix::{fs::PermissionsExt as _, process::ExitStatusExt as _},
    process::{Child, Command, ExitStatus, Stdio},
    thread::sleep,
    time::Duration,
};

use serde_json::Value;

use crate::{
    deb_builder::deb,
    sandbox::{CLOCK, Sandbox, age, fixture},
};

/// Starts `publish` itself, so that a signal to its process reaches it.
fn start(sandbox: &Sandbox, arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_publish"))
        .args(arguments)
        .current_dir(sandbox.path(""))
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("HOME", sandbox.path("home"))
        .env("GNUPGHOME", sandbox.path("gnupg"))
        .env("PUBLISH_DATE", CLOCK)
        .env("PUBLISH_ARCHIVE", sandbox.archive(""))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn send(signal: &str, child: &Child) {
    let _ = Command::new("sh").args(["-c", &format!("kill -{signal} {} 2>/dev/null", child.id())]).status();
}

/// Waits for the end of a process; returns its status and both outputs.
fn end(child: Child) -> (ExitStatus, String, String) {
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status, text(&output.stdout), text(&output.stderr))
}

fn run(sandbox: &Sandbox, arguments: &[&str]) -> (Option<i32>, String, String) {
    let (status, stdout, stderr) = end(start(sandbox, arguments));
    (status.code(), stdout, stderr)
}

/// A command that sends a signal to the `publish` that runs it, and then waits.
fn signing_command(sandbox: &Sandbox, signal: &str) -> String {
    let file = sandbox.path(format!("sign-{signal}"));
    fs::write(&file, format!("#!/bin/sh\nkill -{signal} $PPID\nexec sleep 60 >/dev/null 2>&1\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    file.display().to_string()
}

const SIGNALS: [(&str, i32); 2] = [("INT", 130), ("TERM", 143)];

#[test]
fn before_the_upload_nothing_is_published() {
    for (signal, status) in SIGNALS {
        let sandbox = Sandbox::new();
        deb("hello").write(sandbox.incoming());
        let command = signing_command(&sandbox, signal);
        let sign_with = format!("!{command}");
        let (code, stdout, stderr) =
            run(&sandbox, &["--quiet", "--sign-with", &sign_with, "add", "incoming"]);
        // A warning of the unknown key comes first.
        let line = format!("error: interrupted by SIG{signal}: no new generation was published");
        assert_eq!((code, &*stdout, stderr.lines().last()), (Some(status), "", Some(&*line)));
        assert!(!sandbox.archive("dists").exists());

        let (code, stdout, _) = run(&sandbox, &["--json", "--sign-with", &sign_with, "add", "incoming"]);
        let failed: Value = serde_json::from_str(&stdout).unwrap();
        assert_eq!((code, failed["status"].as_i64()), (Some(status), Some(status.into())));
        assert_eq!(failed["errors"][0]["kind"], "interrupted");
        assert_eq!(failed["errors"][0]["retry"], true);
        sandbox.publish(["add", "incoming"]).ok();
        sandbox.publish(["check"]).ok();
    }
}

/// Of several suites, the first is published and the second is not.
#[test]
fn between_two_suites_the_first_is_published() {
    for (signal, status) in SIGNALS {
        let sandbox = Sandbox::new();
        deb("hello").write(sandbox.incoming());
        let key = fixture("keys/test.asc");
        let configure = |second: &str| {
            sandbox.configure(&format!(
                "Codename: first\nComponents: main\nSignWith: {key}\n\nCodename: second\nComponents: main\nSignWith: {second}\n",
                key = key.display()
            ));
        };
        configure(&key.display().to_string());
        for suite in ["first", "second"] {
            sandbox.publish(["add", "incoming", "--suite", suite]).ok();
        }
        configure(&format!("!{}", signing_command(&sandbox, signal)));
        let before = fs::read(sandbox.archive("dists/second/InRelease")).unwrap();
        let (code, _, stderr) = run(&sandbox, &["--quiet", "--trust-existing", "refresh", "--force"]);
        assert_eq!(code, Some(status), "{stderr}");
        let line = stderr.lines().last().unwrap();
        assert_eq!(
            line,
            format!(
                "error: interrupted by SIG{signal}: suite `first` is published and nothing else; its last steps are finished by the next command"
            )
        );
        assert_eq!(fs::read(sandbox.archive("dists/second/InRelease")).unwrap(), before);
        configure(&key.display().to_string());
        sandbox.publish_after(60, &["refresh", "--force"]).ok();
        sandbox.publish_after(60, &["check"]).ok();
    }
}

/// The purge command of a destination runs after the commit there.
#[test]
fn after_the_swap_the_suite_is_published() {
    for (signal, status) in SIGNALS {
        let sandbox = Sandbox::new();
        deb("hello").write(sandbox.incoming());
        sandbox.publish(["add", "incoming"]).ok();
        fs::create_dir_all(sandbox.archive("conf")).unwrap();
        let destination = format!(
            "Name: far\nLocation: ./far\nPublic-Url: https://example.org\nPurge: !kill -{signal} $PPID; sleep 60\n"
        );
        fs::write(sandbox.archive("conf/destinations"), destination).unwrap();
        let (code, _, stderr) = run(&sandbox, &["--quiet", "sync", "far"]);
        let far = sandbox.path("far");
        let line = format!(
            "error: interrupted by SIG{signal}: suite `stable` in {} is published and nothing else; its last steps are finished by the next command\n",
            far.display()
        );
        assert_eq!((code, stderr), (Some(status), line));
        fs::remove_file(sandbox.archive("conf/destinations")).unwrap();
        sandbox.publish(["sync", "./far"]).ok();
        sandbox.publish(["check", "./far"]).ok();
    }
}

/// A conditional write that is in flight is completed, because only its result shows whether the suite is published.
#[test]
fn during_the_swap_its_result_is_awaited() {
    for (signal, status) in SIGNALS {
        let sandbox = Sandbox::new();
        deb("hello").write(sandbox.path("first"));
        deb("hello").version("2.0").write(sandbox.incoming());
        sandbox.publish(["add", "first"]).ok();
        // The lock of the swap.
        let lock = fs::File::create(sandbox.archive(".publish-lock")).unwrap();
        lock.lock().unwrap();
        let child = start(&sandbox, &["--quiet", "add", "incoming"]);
        let generations = sandbox.archive("dists/stable/generations");
        let count = || fs::read_dir(&generations).map_or(0, Iterator::count);
        // The generation is written before the swap.
        while count() < 2 {
            sleep(Duration::from_millis(10));
        }
        sleep(Duration::from_millis(300));
        send(signal, &child);
        sleep(Duration::from_millis(300));
        drop(lock);
        let (code, _, stderr) = end(child);
        let listed = sandbox.publish(["list"]).ok().stdout;
        if code.code() == Some(0) {
            // It was fast enough to complete.
            assert_eq!(stderr, "");
        } else {
            assert_eq!(code.code(), Some(status), "{stderr}");
            assert!(stderr.contains("suite `stable` is published and nothing else"), "{stderr}");
        }
        assert!(listed.contains("hello 2.0"), "{listed}{stderr}");
        sandbox.publish(["add", "incoming"]).ok();
        sandbox.publish(["check"]).ok();
    }
}

/// Wherever the signal arrives, the report is true, and the same command completes the rest.
#[test]
fn at_any_time_the_report_is_true() {
    let sandbox = Sandbox::new();
    deb("first").write(sandbox.path("first"));
    sandbox.publish(["add", "first"]).ok();
    let mut ended = 0;
    for step in 0..14_u64 {
        let (signal, status) = SIGNALS[usize::try_from(step % 2).unwrap()];
        let name = format!("package-{step}");
        let folder = format!("new-{step}");
        for number in 0..20 {
            deb(&format!("{name}-{number}")).write(sandbox.path(&folder));
        }
        let child = start(&sandbox, &["--quiet", "add", &folder]);
        sleep(Duration::from_millis(5 + step * step * 4));
        send(signal, &child);
        let (code, _, stderr) = end(child);
        let is_listed = sandbox.publish(["list", &format!("{name}-*")]).ok().stdout.contains(&name);
        match code.code() {
            Some(0) => assert!(is_listed, "{stderr}"),
            Some(other) => {
                assert_eq!(other, status, "{stderr}");
                assert_eq!(stderr.lines().count(), 1, "{stderr}");
                assert_eq!(stderr.contains("suite `stable` is published"), is_listed, "{stderr}");
                assert_eq!(stderr.contains("no new generation was published"), !is_listed, "{stderr}");
                ended += 1;
            }
            // Before it listens.
            None => assert!(matches!(code.signal(), Some(2 | 15)) && !is_listed, "{code}"),
        }
        sandbox.publish(["add", &folder]).ok();
        sandbox.publish(["check"]).ok();
    }
    assert!(ended > 0, "no signal arrived in time");
}

/// A marker that is left behind would make others wait for 15 minutes.
#[test]
fn an_interrupted_prune_leaves_no_marker() {
    let sandbox = Sandbox::new();
    deb("hello").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok();
    let folder = sandbox.archive("pool/main/s/stray");
    for step in 0..10_u64 {
        fs::create_dir_all(&folder).unwrap();
        for number in 0..1500 {
            fs::write(folder.join(format!("stray_{number}_amd64.deb")), "stray").unwrap();
        }
        age(&sandbox.archive(""), 30);
        let (signal, status) = SIGNALS[usize::try_from(step % 2).unwrap()];
        let child = start(&sandbox, &["--quiet", "prune"]);
        sleep(Duration::from_millis(10 + step * step * 5));
        send(signal, &child);
        let (code, _, stderr) = end(child);
        match code.code() {
            Some(0) => {}
            Some(other) => {
                assert_eq!(other, status, "{stderr}");
                assert!(stderr.starts_with("error: interrupted by SIG"), "{stderr}");
            }
            None => assert!(matches!(code.signal(), Some(2 | 15)), "{code}"),
        }
        assert!(!sandbox.archive(".publish/prune").exists(), "after {step}: {stderr}");
        sandbox.publish(["prune"]).ok();
        sandbox.publish(["check"]).ok();
    }
}

/// Shells set this for background jobs, and `nohup` for all.
#[test]
fn a_signal_that_the_parent_ignores_is_ignored() {
    let sandbox = Sandbox::new();
    deb("hello").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok();
    fs::create_dir_all(sandbox.archive("conf")).unwrap();
    let destination =
        "Name: far\nLocation: ./far\nPublic-Url: https://example.org\nPurge: !kill -INT $PPID; sleep 0.3\n";
    fs::write(sandbox.archive("conf/destinations"), destination).unwrap();
    let mut command = sandbox.command("sh");
    command
        .args(["-c", "trap '' INT; exec \"$0\" sync far", env!("CARGO_BIN_EXE_publish")])
        .env("PUBLISH_ARCHIVE", sandbox.archive(""));
    sandbox.run(command).ok().says(["Purged "]);
}

/// A reader that ends early, such as `head`, is no error.
#[test]
fn a_closed_pipe_is_quiet() {
    let sandbox = Sandbox::new();
    deb("hello").write(sandbox.incoming());
    for command in [
        "-v add incoming",
        "list",
        "show hello",
        "log",
        "check -v",
        "--json check",
        "diff stable stable",
        "help json",
        "--help",
        "--version",
        "key show",
        "bogus",
    ] {
        let mut shell = sandbox.command("bash");
        let line = format!("trap '' PIPE; {{ \"$0\" {command} 2>&1; echo $? >status; }} | true; cat status");
        shell.args(["-c", &line, env!("CARGO_BIN_EXE_publish")]).env("PUBLISH_ARCHIVE", sandbox.archive(""));
        let said = sandbox.run(shell).ok();
        let expected = match command {
            "bogus" => "2\n",
            "key show" => "1\n",
            _ => "0\n",
        };
        assert_eq!((&*said.stdout, &*said.stderr), (expected, ""), "{command}");
    }
}
