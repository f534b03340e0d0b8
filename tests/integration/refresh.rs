//! Tests of `publish refresh`: a suite that expires is signed again, and nothing else changes.

use crate::{
    apt_client::{Client, Source},
    deb_builder::deb,
    sandbox::{Sandbox, fixture},
};

const DAY: u64 = 24 * 60 * 60;

/// A sandbox with a signed suite that is valid for a week, and the system time, which apt uses.
fn weekly() -> (Sandbox, u64) {
    let sandbox = Sandbox::signed();
    sandbox.configure("Codename: stable\nComponents: main\nArchitectures: amd64\nValidFor: 7d\n");
    deb("hello").write(sandbox.incoming());
    let now = sandbox.ask("date", ["+%s"]).trim().parse().unwrap();
    (sandbox, now)
}

fn at(sandbox: &Sandbox, time: u64, arguments: &[&str]) -> crate::sandbox::Outcome {
    sandbox.publish_with(&[("PUBLISH_DATE", &time.to_string())], arguments)
}

#[test]
fn apt_accepts_an_expired_suite_again() {
    let (sandbox, now) = weekly();
    at(&sandbox, now - 8 * DAY, &["add", "incoming"]).ok();
    let source = Source::folder(sandbox.archive("")).signed_by(fixture("keys/test.pub.asc"));
    let mut clients = Client::all(&sandbox);
    for apt in &mut clients {
        apt.source(&source);
        apt.update().fails(100).says(["is expired"]);
    }
    let before = sandbox.tree();
    at(&sandbox, now, &["refresh", "--dry-run"]).ok().says(["Would re-sign suite `stable`"]);
    assert_eq!(sandbox.tree(), before);
    at(&sandbox, now, &["refresh"]).ok().says(["Re-signed suite `stable`: it is valid until "]);
    for apt in &clients {
        apt.updates();
        assert_eq!(apt.candidate("hello").as_deref(), Some("1.0"), "{}", apt.name);
    }
    // The pointer and its other forms, and the retained generation.
    let mut after = sandbox.tree();
    let pointers = ["dists/stable/InRelease", "dists/stable/Release", "dists/stable/Release.gpg"];
    after.keeps(&before, &pointers);
    assert_eq!(after.paths_with("/generations/").len(), 2 * before.paths_with("/generations/").len());
    after.forget("/generations/");
    let mut old = before;
    old.forget("/generations/");
    assert_eq!(after.names(), old.names());
    at(&sandbox, now, &["check"]).ok();
}

#[test]
fn a_suite_that_is_not_due_does_not_change() {
    let (sandbox, now) = weekly();
    at(&sandbox, now, &["add", "incoming"]).ok();
    let before = sandbox.tree();
    for (days, arguments) in [(3, &["refresh"][..]), (3, &["refresh", "--within", "3d"])] {
        let said = at(&sandbox, now + days * DAY, arguments).ok();
        said.says(["Suite `stable` is valid until ", "nothing is due"]);
        assert_eq!(sandbox.tree(), before);
    }
    for (days, arguments) in [
        (4, &["refresh"][..]),
        (5, &["refresh", "--within", "6d"]),
        (5, &["refresh", "--force", "--suite", "stable"]),
    ] {
        at(&sandbox, now + days * DAY + 60, arguments).ok().says(["Re-signed suite `stable`"]);
        at(&sandbox, now + days * DAY + 60, &["refresh"]).ok().says(["nothing is due"]);
    }
    // Another period is configured.
    let text = sandbox.read("conf/distributions");
    sandbox.configure(&text.replace("ValidFor: 7d", "ValidFor: 14d"));
    at(&sandbox, now + 6 * DAY, &["refresh"]).ok().says(["Re-signed suite `stable`"]);
    let until = sandbox.ask("date", ["-u", "-d", &format!("@{}", now + 20 * DAY), "+%Y-%m-%dT%H:%M:%SZ"]);
    at(&sandbox, now + 7 * DAY, &["refresh"]).ok().says([until.trim()]);
    let said = at(&sandbox, now + 7 * DAY, &["--json", "refresh"]).ok();
    let said: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(said["suites"][0]["valid_until"], until.trim());
    assert_eq!(said["suites"][0]["published"], false);
}

#[test]
fn suites_without_expiry_and_read_only_suites_are_never_due() {
    let (sandbox, now) = weekly();
    at(&sandbox, now, &["add", "incoming"]).ok();
    let text = sandbox.read("conf/distributions");
    let forever = text.replace("ValidFor: 7d\n", "").replace("Codename: stable", "Codename: forever");
    sandbox.configure(&format!("{text}\n{forever}"));
    at(&sandbox, now, &["add", "incoming", "--suite", "forever"]).ok();
    sandbox.configure(&format!("{}ReadOnly: yes\n\n{forever}", text.trim_start()));
    let before = sandbox.tree();
    let said = at(&sandbox, now + 6 * DAY, &["refresh"]).ok();
    said.says(["Suite `forever` does not expire: nothing is due"]);
    assert!(!said.stderr.contains("stable"), "{}", said.stderr);
    let said = at(&sandbox, now + 6 * DAY, &["refresh", "--suite", "stable"]).fails(1);
    said.says(["`ReadOnly: yes`"]);
    assert_eq!(sandbox.tree(), before);
    let said = at(&sandbox, now, &["refresh", "--suite", "unknown"]).fails(1);
    said.says(["there is no suite `unknown`"]);
}
