//! `publish add --replace`: nightly builds whose contents change under one version, while every client gets the bytes
//! that its index lists.

use serde_json::Value;

use crate::{
    apt_client::{Client, Source},
    deb_builder::{DebBuilder, deb},
    sandbox::{CLOCK, Outcome, Sandbox, fixture, sha256},
    servers,
};

const NIGHTLY: &str = "Codename: stable\nComponents: main contrib\nArchitectures: amd64 arm64\nMutable: yes\n\n\
    Codename: other\nComponents: main\nArchitectures: amd64\n";

fn nightlies() -> Sandbox {
    let sandbox = Sandbox::signed();
    sandbox.configure(NIGHTLY);
    sandbox
}

/// One night's build of version 1.0.
fn build(night: &str) -> DebBuilder {
    deb("hello").payload(night.repeat(100))
}

fn add(sandbox: &Sandbox, night: &str, seconds: u64, more: &[&str]) -> Outcome {
    let file = build(night).write(sandbox.path(night));
    sandbox.publish_after(seconds, &[&["add", "--suite", "stable", file.to_str().unwrap()], more].concat())
}

#[test]
fn every_client_gets_the_bytes_of_its_index() {
    let sandbox = nightlies();
    add(&sandbox, "monday", 0, &[]).ok();
    let source = Source::folder(sandbox.archive("")).signed_by(fixture("keys/test.pub.asc"));
    let mut clients = Client::all(&sandbox);
    for apt in &mut clients {
        apt.source(&source);
        apt.updates();
        assert_eq!(apt.download("hello"), build("monday").bytes());
    }
    let before = sandbox.tree();
    add(&sandbox, "tuesday", 60, &["--replace", "-n"])
        .ok()
        .says(["Would replace 1 package in suite `stable`"]);
    assert_eq!(sandbox.tree(), before);
    add(&sandbox, "tuesday", 60, &["--replace"])
        .ok()
        .says(["Replaced 1 package in suite `stable`", "  ! hello 1.0 amd64 (main)"]);
    sandbox.tree().keeps(&before, &["dists/stable/", "archive-key.asc"]);
    for apt in &clients {
        // A client with the previous index, and then with the new one.
        assert_eq!(apt.download("hello"), build("monday").bytes(), "{}", apt.name);
        apt.updates();
        assert_eq!(apt.download("hello"), build("tuesday").bytes(), "{}", apt.name);
        assert_eq!(apt.versions("hello"), ["1.0"]);
    }
    let digest = sha256(&build("tuesday").bytes());
    let path = format!("pool/main/h/hello/{}/hello_1.0_amd64.deb", &digest[..16]);
    assert!(sandbox.tree().has(&path), "{}", sandbox.tree().names());
    // The same bytes again, with and without the option.
    for more in [&["--replace"][..], &[]] {
        add(&sandbox, "tuesday", 70, more)
            .ok()
            .says(["already published in suite `stable`, with the same bytes", "Nothing to do"]);
    }
    add(&sandbox, "wednesday", 80, &["--replace"]).ok();
    sandbox.publish_after(90, &["check"]).ok();
    let log = sandbox.publish_after(90, &["log", "stable", "--limit", "1"]).ok().stdout;
    assert!(log.contains("! hello 1.0 amd64 (main); different contents"), "{log}");
    // Roll back to the build of the night before.
    sandbox.publish_after(120, &["rollback", "stable"]).ok();
    for apt in &clients {
        apt.updates();
        assert_eq!(apt.download("hello"), build("tuesday").bytes(), "{}", apt.name);
    }
}

#[test]
fn nothing_else_is_replaced() {
    let sandbox = nightlies();
    add(&sandbox, "monday", 0, &[]).ok();
    let refused = |outcome: Outcome, says: &[&str]| {
        outcome.fails(1).says(says.iter().copied());
        sandbox.publish(["check"]).ok();
    };
    let before = sandbox.tree();
    refused(add(&sandbox, "tuesday", 60, &[]), &["is published with other contents"]);
    // In a suite that does not allow it.
    let tuesday = sandbox.path("tuesday/hello_1.0_amd64.deb");
    let into_other = ["add", "--replace", "--suite", "other", tuesday.to_str().unwrap()];
    refused(sandbox.publish(into_other), &["cannot replace packages in suite `other`", "Mutable: yes"]);
    // Two builds of one version at once, and one in another component.
    build("tuesday").write_as(sandbox.path("two/a.deb"));
    build("wednesday").write_as(sandbox.path("two/b.deb"));
    let two = ["add", "--replace", "--suite", "stable", "two"];
    refused(sandbox.publish(two), &["is also in `", "with other contents"]);
    let elsewhere = add(&sandbox, "tuesday", 60, &["--replace", "--component", "contrib"]);
    refused(elsewhere, &["is already published in component `main`"]);
    assert_eq!(sandbox.tree(), before);

    sandbox.configure(&NIGHTLY.replace("Mutable: yes", "Mutable: maybe"));
    sandbox.publish(["add", "two"]).fails(1).says(["field `Mutable` is `maybe`; expected `yes` or `no`"]);
}

/// A package of another suite occupies the usual path with other bytes: that is not a conflict here.
#[test]
fn a_package_of_another_suite_may_have_the_usual_path() {
    let sandbox = nightlies();
    let monday = build("monday").write(sandbox.path("monday"));
    sandbox.publish(["add", "--suite", "other", monday.to_str().unwrap()]).ok();
    add(&sandbox, "tuesday", 60, &[]).fails(1).says(["hello_1.0_amd64.deb"]);
    add(&sandbox, "tuesday", 60, &["--replace"]).ok().says(["Added 1 package to suite `stable`"]);
    // An `Architecture: all` package is replaced in every index.
    for (night, verb) in [("monday", "Added"), ("tuesday", "Replaced")] {
        let file = deb("hello-doc").architecture("all").payload(night).write(sandbox.path(night));
        let said = sandbox.publish_after(
            if verb == "Added" { 70 } else { 80 },
            &["add", "--replace", "--suite", "stable", "--json", file.to_str().unwrap()],
        );
        let json: Value = serde_json::from_str(&said.ok().stdout).unwrap();
        assert_eq!(json[verb.to_lowercase()].as_array().unwrap().len(), 1, "{json}");
    }
    for architecture in ["amd64", "arm64"] {
        let index = sandbox.read(format!("dists/stable/main/binary-{architecture}/Packages"));
        assert_eq!(index.matches("Package: hello-doc\n").count(), 1, "{index}");
    }
    // A nightly build is promoted unchanged.
    sandbox.publish_after(90, &["remove", "--suite", "other", "hello"]).ok();
    sandbox.publish_after(100, &["copy", "hello", "--from", "stable", "--to", "other"]).ok();
    let index = sandbox.read("dists/other/main/binary-amd64/Packages");
    assert!(index.contains(&sha256(&build("tuesday").bytes())), "{index}");
    sandbox.publish_after(110, &["check"]).ok();
}

/// A stopped phased update is not released without a warning.
#[test]
fn a_changed_percentage_is_reported() {
    let sandbox = nightlies();
    let warning =
        "`hello` 1.0 amd64 is offered to 100 % of machines; the build that it replaces was offered to 0 %";
    add(&sandbox, "monday", 0, &["--phased", "0"]).ok();
    let said = add(&sandbox, "tuesday", 60, &["--replace", "--phased", "5"]).ok();
    assert!(!said.stderr.contains("of machines"), "{}", said.stderr);
    add(&sandbox, "tuesday", 120, &["--phased", "0"]).ok();
    add(&sandbox, "wednesday", 180, &["--replace"]).ok().says([warning]);
    let said = add(&sandbox, "thursday", 240, &["--replace"]).ok();
    assert!(!said.stderr.contains("of machines"), "{}", said.stderr);
}

#[test]
fn concurrent_replacements_leave_one_build() {
    let sandbox = nightlies();
    add(&sandbox, "monday", 0, &[]).ok();
    let nights: Vec<String> = (0..4).map(|number| format!("night{number}")).collect();
    std::thread::scope(|scope| {
        for night in &nights {
            scope.spawn(|| add(&sandbox, night, 60, &["--replace"]).ok().stderr.len());
        }
    });
    let index = sandbox.read("dists/stable/main/binary-amd64/Packages");
    let is_there = |night: &&String| index.contains(&sha256(&build(night).bytes()));
    assert_eq!(nights.iter().filter(is_there).count(), 1, "{index}");
    sandbox.publish_after(600, &["check"]).ok();
}

#[test]
fn in_buckets() {
    let sandbox = nightlies();
    let servers = [servers::moto, servers::rgw, servers::azure, servers::gcs, servers::swift];
    for bucket in servers.into_iter().filter_map(|make| make()) {
        let place = bucket.place();
        let conf = sandbox.archive("conf/distributions");
        let run = |seconds: u64, night: &str, more: &[&str]| {
            let clock = (CLOCK.parse::<u64>().unwrap() + seconds).to_string();
            let file = build(night).write(sandbox.path(night));
            let base = ["-a", &place, "--config", conf.to_str().unwrap(), "add", "--suite", "stable"];
            bucket.publish(&sandbox, &clock, &[&base, more, &[file.to_str().unwrap()]].concat())
        };
        run(0, "monday", &[]).ok();
        run(10, "tuesday", &["--replace"]).ok().says(["Replaced 1 package"]);
        run(20, "tuesday", &["--phased", "20"]).ok().says(["to 20 % of machines, instead of 100 %"]);
        if let Some(mut apt) = Client::debian_12(&sandbox) {
            apt.source(&Source::at(&bucket.url()).signed_by(fixture("keys/test.pub.asc")));
            apt.updates();
            assert_eq!(apt.download("hello"), build("tuesday").bytes(), "{}", bucket.location);
        }
    }
}
