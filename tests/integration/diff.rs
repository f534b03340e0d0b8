//! Tests of `publish diff`.

use std::fs;

use publish::store::Store;

use crate::{
    deb_builder::deb,
    faults::{Faults, Side},
    publisher::{Publisher, folder},
    sandbox::{CLOCK, Output, Sandbox, fixture, sha256},
    servers::{self, Bucket},
    web::Web,
};

const TWO_SUITES: &str = "Codename: stable\nComponents: main extra\nArchitectures: amd64 arm64\n\nCodename: testing\nComponents: main extra\nArchitectures: amd64 arm64\n";

/// `PUBLISH_DATE`, this many seconds after the time of the sandbox.
pub(crate) fn later(seconds: u64) -> (&'static str, &'static str) {
    ("PUBLISH_DATE", (CLOCK.parse::<u64>().unwrap() + seconds).to_string().leak())
}

/// Runs `publish` this many seconds after the time of the sandbox.
pub(crate) fn publish(sandbox: &Sandbox, seconds: u64, arguments: &[&str]) -> Output {
    sandbox.publish_with(&[later(seconds)], arguments).ok()
}

/// The names of the existing generations, oldest first.
pub(crate) fn generations(sandbox: &Sandbox) -> Vec<String> {
    let mut names: Vec<String> = sandbox
        .tree()
        .paths_with("/generations/")
        .into_iter()
        .map(|path| path.split('/').nth(3).unwrap().to_owned())
        .collect();
    names.dedup();
    names
}

fn json(output: &Output) -> serde_json::Value {
    serde_json::from_str(&output.stdout).unwrap()
}

/// `stable` and `testing`, which differ in every way.
fn two_suites() -> Sandbox {
    let sandbox = Sandbox::signed();
    sandbox.configure(TWO_SUITES);
    let both = [
        deb("same"),
        deb("for-all").architecture("all"),
        deb("hello"),
        deb("hello").architecture("arm64"),
        deb("lib").version("2.0"),
    ];
    for package in both {
        package.write(sandbox.path("both"));
    }
    for suite in ["stable", "testing"] {
        publish(&sandbox, 0, &["add", "--suite", suite, "both"]);
    }
    deb("hello").version("1:0.5").write(sandbox.path("new"));
    deb("lib").version("1.9").write(sandbox.path("new"));
    deb("new").write(sandbox.path("new"));
    publish(&sandbox, 60, &["add", "--suite", "testing", "new"]);
    publish(&sandbox, 60, &["remove", "--suite", "testing", "lib=2.0", "for-all"]);
    let other = deb("moved").write(sandbox.incoming());
    let other = other.to_str().unwrap();
    publish(&sandbox, 60, &["add", "--suite", "stable", "--component", "extra", other]);
    publish(&sandbox, 60, &["add", "--suite", "testing", other]);
    sandbox
}

#[test]
fn two_suites_are_compared_package_by_package() {
    let sandbox = two_suites();
    let said = sandbox.publish(["diff", "stable", "testing"]).ok();
    insta::assert_snapshot!(said.stdout, @r"
    - for-all 1.0 all (main)
    ^ hello 1.0 -> 1:0.5 amd64 (main); 1.0 is kept
    v lib 2.0 -> 1.9 amd64 (main)
    - moved 1.0 amd64 (extra)
    + moved 1.0 amd64 (main)
    + new 1.0 amd64 (main)
    ");
    said.says(["6 differences"]);
    let said = sandbox.publish(["diff", "testing", "stable"]).ok();
    insta::assert_snapshot!(said.stdout, @r"
    + for-all 1.0 all (main)
    v hello 1:0.5 -> 1.0 amd64 (main); 1.0 was already published
    ^ lib 1.9 -> 2.0 amd64 (main)
    + moved 1.0 amd64 (extra)
    - moved 1.0 amd64 (main)
    - new 1.0 amd64 (main)
    ");
    // Status 1 means differences, if requested, and nothing else.
    sandbox.publish(["diff", "--exit-code", "stable", "stable"]).ok().says(["No package differs"]);
    assert_eq!(sandbox.publish(["diff", "-q", "stable", "stable"]).ok().stderr, "");
    sandbox.publish(["diff", "--exit-code", "stable", "testing"]).fails(1);
    sandbox.publish(["diff", "--exit-code", "stable", "unstable"]).fails(2).says(["no suite `unstable`"]);
    sandbox.publish(["diff", "stable", "unstable"]).fails(1).says(["no suite `unstable`"]);
}

#[test]
fn scripts_get_an_object() {
    let sandbox = two_suites();
    let said = json(&sandbox.publish(["diff", "--json", "stable", "testing"]).ok());
    assert_eq!(said["a"]["suite"], "stable");
    assert_eq!(said["b"]["suite"], "testing");
    assert_eq!(said["differ"], true);
    let hello = said["changes"]["packages"].as_array().unwrap().iter();
    let hello = hello.clone().find(|found| found["old"]["name"] == "hello").unwrap();
    assert_eq!((&hello["change"], &hello["beside"]), (&"newer".into(), &true.into()));
    assert_eq!((&hello["old"]["version"], &hello["new"]["version"]), (&"1.0".into(), &"1:0.5".into()));
    assert_eq!(hello["new"]["path"], "pool/main/h/hello/hello_0.5_amd64.deb");
    let same = json(&sandbox.publish(["diff", "--json", "stable", "stable"]).ok());
    assert_eq!(same["differ"], false);
    assert_eq!(same["changes"], serde_json::json!({ "packages": [], "files": [] }));
}

#[test]
fn generations_are_named_or_counted() {
    let sandbox = Sandbox::signed();
    for (at, version) in ["1.0", "2.0", "3.0"].into_iter().enumerate() {
        let file = deb("hello").version(version).write(sandbox.incoming());
        publish(&sandbox, 60 * at as u64, &["add", file.to_str().unwrap()]);
    }
    let names = generations(&sandbox);
    assert_eq!(names.len(), 3);
    let diff = |arguments: &[&str]| {
        let said = publish(&sandbox, 200, &[&["diff"], arguments].concat());
        said.stdout.trim_end().to_owned()
    };
    assert_eq!(diff(&["stable@1"]), "^ hello 2.0 -> 3.0 amd64 (main); 2.0 is kept");
    assert_eq!(diff(&["stable@2", "stable@1"]), "^ hello 1.0 -> 2.0 amd64 (main); 1.0 is kept");
    let whole = format!("stable@{}", names[0]);
    assert_eq!(diff(&[&whole]), "^ hello 1.0 -> 3.0 amd64 (main); 1.0 is kept\n+ hello 2.0 amd64 (main)");
    assert_eq!(
        diff(&["stable", "stable@20250601T0001"]),
        "v hello 3.0 -> 2.0 amd64 (main); 2.0 was already published"
    );
    assert_eq!(diff(&["stable@0", "stable"]), "");
    let state = json(&publish(&sandbox, 200, &["diff", "--json", "stable@1"]));
    assert_eq!(state["a"]["generation"], names[1].as_str());
    assert_eq!(state["b"]["generation"], serde_json::Value::Null);

    for (state, status, says) in [
        ("stable@3", 1, "list the retained generations with `publish log`"),
        (
            "stable@2024",
            1,
            "no generation `2024` of suite `stable` is retained; retained: `20250601T000000Z-",
        ),
        ("stable@2025", 1, "more than one generation of suite `stable` begins with `2025`"),
        ("stable@", 2, "is neither a number nor the name of a generation"),
        ("stable@../../stable", 2, "is neither a number nor the name of a generation"),
        ("../stable@1", 2, "suite `../stable` is not allowed"),
        ("stable", 2, "nothing to compare `stable` with"),
    ] {
        sandbox.publish(["diff", state]).fails(status).says([says]);
    }
    // A generation that does not match its name is not trusted.
    let path = format!("dists/stable/generations/{}/InRelease", names[0]);
    fs::write(sandbox.archive(&path), sandbox.read(&path).replace("main", "evil")).unwrap();
    sandbox.publish(["diff", &whole]).fails(1).says(["does not match its name"]);
}

#[test]
fn a_new_architecture_adds_no_architecture_all_packages() {
    let sandbox = Sandbox::new();
    deb("hello").write(sandbox.incoming());
    deb("doc").architecture("all").write(sandbox.incoming());
    publish(&sandbox, 0, &["add", "incoming"]);
    let arm = deb("hello").architecture("arm64").write(sandbox.path("more"));
    publish(&sandbox, 60, &["add", arm.to_str().unwrap()]);
    assert_eq!(publish(&sandbox, 60, &["diff", "stable@1"]).stdout, "+ hello 1.0 arm64 (main)\n");
    assert_eq!(publish(&sandbox, 60, &["diff", "stable", "stable@1"]).stdout, "- hello 1.0 arm64 (main)\n");
}

#[test]
fn another_archive_is_compared_by_its_bytes_too() {
    let (sandbox, other) = (Sandbox::signed(), Sandbox::new());
    for name in ["hello", "world"] {
        deb(name).write(sandbox.incoming());
    }
    deb("hello").payload("other bytes").write(other.incoming());
    deb("world").write(other.incoming());
    deb("more").write(other.incoming());
    for one in [&sandbox, &other] {
        publish(one, 0, &["add", "incoming"]);
    }
    let expected = "! hello 1.0 amd64 (main); different contents\n+ more 1.0 amd64 (main)\n";
    let there = other.archive("").display().to_string();
    assert_eq!(sandbox.publish(["diff", "stable", "--with", &there]).ok().stdout, expected);
    let web = Web::of(other.archive(""));
    assert_eq!(sandbox.publish(["diff", "stable", "stable", "--with", &web.url]).ok().stdout, expected);
    // A web server does not list generations, but serves the one that is requested.
    let state = format!("stable@{}", generations(&other)[0]);
    assert_eq!(sandbox.publish(["diff", "stable", &state, "--with", &web.url]).ok().stdout, expected);
    let said = sandbox.publish(["diff", "stable", "stable@1", "--with", &web.url]).fails(1);
    said.says(["cannot be listed", "stable"]);
    let nowhere = sandbox.path("nowhere").display().to_string();
    sandbox.publish(["diff", "stable", "--with", &nowhere]).fails(1).says(["no suite `stable`", "nowhere"]);
    sandbox.publish(["diff", "stable", "--with", "ftp://x/"]).fails(2).says(["not a location"]);
    // Signed by another key: compared, with a note.
    let signed = Sandbox::new();
    let key = fixture("keys/second.asc");
    let add = ["--sign-with", key.to_str().unwrap(), "add"].map(std::ffi::OsStr::new);
    let files = sandbox.incoming();
    signed.publish(add.into_iter().chain([files.as_os_str()])).ok();
    let there = signed.archive("").display().to_string();
    let said = sandbox.publish(["diff", "stable", "--with", &there]).ok();
    assert_eq!(said.stdout, "");
    said.says(["warning: ", "keys that are not configured here", "No package differs"]);
}

fn in_a_bucket(bucket: Option<Bucket>) {
    let Some(bucket) = bucket else { return };
    let sandbox = Sandbox::signed();
    let place = bucket.place();
    let run = |seconds: u64, arguments: &[&str]| {
        let clock = CLOCK.parse::<u64>().unwrap() + seconds;
        bucket.publish(&sandbox, &clock.to_string(), arguments)
    };
    let one = deb("hello").write(sandbox.incoming());
    let two = deb("hello").version("2.0").write(sandbox.path("more"));
    let (one, two) = (one.to_str().unwrap(), two.to_str().unwrap());
    run(0, &["-a", &place, "add", one]).ok();
    publish(&sandbox, 0, &["add", one]);
    run(10, &["diff", "--exit-code", "stable", "--with", &place]).ok();
    run(20, &["-a", &place, "add", two]).ok();
    let said = run(30, &["diff", "--exit-code", "stable", "--with", &place]).fails(1);
    assert_eq!(said.stdout, "^ hello 1.0 -> 2.0 amd64 (main); 1.0 is kept\n", "{}", bucket.server);
    let said = run(30, &["-a", &place, "diff", "stable@1"]).ok();
    assert_eq!(said.stdout, "^ hello 1.0 -> 2.0 amd64 (main); 1.0 is kept\n", "{}", bucket.server);
    run(30, &["diff", "--exit-code", "stable", "stable@1", "--with", &place]).ok();
}

#[test]
fn moto_is_compared() {
    in_a_bucket(servers::moto());
}

#[test]
fn radosgw_is_compared() {
    in_a_bucket(servers::rgw());
}

/// Killed, or a lost race, before the swap: its generation exists but was never published.
#[tokio::test]
async fn an_unpublished_generation_is_not_found() {
    let sandbox = Sandbox::signed();
    let (one, two) = ([deb("one").write(sandbox.incoming())], [deb("two").write(sandbox.incoming())]);
    let store: Store = folder(sandbox.archive(""));
    Publisher::on(store.clone()).add(&one).await.unwrap();
    let faults = Faults::fail(6, Side::Before);
    Publisher::on(faults.on(store.clone())).later(600).add(&two).await.unwrap_err();
    let names = generations(&sandbox);
    assert_eq!(names.len(), 2, "the write that failed was not the one after the generation");
    let said = sandbox.publish(["diff", &format!("stable@{}", names[1])]).fails(1);
    said.says(["is retained; retained: "]);
    Publisher::on(store).later(60).add(&two).await.unwrap();
    assert_eq!(sandbox.publish(["diff", "stable@1"]).ok().stdout, "+ two 1.0 amd64 (main)\n");
}

/// The indices of a suite of another tool, with one version of everything.
pub(crate) fn of_all_kinds(version: &str) -> Vec<(&'static str, Vec<u8>)> {
    let digest = sha256(version.as_bytes());
    let binary = |file: &str| {
        format!(
            "Package: foo\nVersion: {version}\nArchitecture: amd64\nFilename: {file}\nSize: 1\nSHA256: {digest}\n\n"
        )
    };
    let source = format!(
        "Package: foo\nVersion: {version}\nArchitecture: any\nDirectory: pool/foo\nChecksums-Sha256:\n {digest} 1 foo.dsc\n\n"
    );
    vec![
        ("main/binary-amd64/Packages", binary("pool/foo.deb").into_bytes()),
        ("main/debian-installer/binary-amd64/Packages", binary("pool/foo.udeb").into_bytes()),
        ("main/source/Sources", source.into_bytes()),
        ("main/Contents-amd64", format!("usr/bin/foo-{version} foo\n").into_bytes()),
        ("main/source/Release", format!("Version: {version}\n").into_bytes()),
    ]
}

/// Adopts a suite of the indices above; paths that start with one of `newer` get the newer version.
pub(crate) fn adopt_all_kinds(sandbox: &Sandbox, suite: &str, newer: &[&str]) {
    let (old, new) = (of_all_kinds("1.0"), of_all_kinds("2.0"));
    let files: Vec<(&str, &[u8])> = old
        .iter()
        .zip(&new)
        .map(|(old, new)| if newer.iter().any(|path| old.0.starts_with(path)) { new } else { old })
        .map(|(path, bytes)| (*path, &bytes[..]))
        .collect();
    sandbox.adopt_files(suite, &files);
}

#[test]
fn every_kind_of_index_is_compared() {
    let sandbox = Sandbox::new();
    adopt_all_kinds(&sandbox, "one", &[]);
    adopt_all_kinds(&sandbox, "same", &["main/source/Release"]);
    adopt_all_kinds(&sandbox, "sources", &["main/source/Sources"]);
    adopt_all_kinds(&sandbox, "contents", &["main/Contents"]);
    adopt_all_kinds(&sandbox, "all", &["main"]);
    sandbox.publish(["diff", "one", "same", "--exit-code"]).ok().says(["No package differs"]);
    let differs = |suite: &str| sandbox.publish(["diff", "one", suite, "--exit-code"]).fails(1).stdout;
    insta::assert_snapshot!(differs("sources"), @"^ foo 1.0 -> 2.0 source (main)");
    insta::assert_snapshot!(differs("contents"), @"! main/Contents-amd64; different contents");
    insta::assert_snapshot!(differs("all"), @r"
    ^ foo 1.0 -> 2.0 amd64 (main)
    ^ foo 1.0 -> 2.0 amd64 (main|debian-installer)
    ^ foo 1.0 -> 2.0 source (main)
    ! main/Contents-amd64; different contents
    ");
    let said = json(&sandbox.publish(["diff", "--json", "one", "all"]).ok());
    let kinds: Vec<_> =
        said["changes"]["packages"].as_array().unwrap().iter().map(|found| &found["index"]).collect();
    assert_eq!(kinds, ["packages", "installer", "sources"]);
    let files = serde_json::json!([{ "path": "main/Contents-amd64", "change": "contents" }]);
    assert_eq!(said["changes"]["files"], files);
    // Only one side has them.
    sandbox.adopt_files("none", &[]);
    assert_eq!(differs("none").lines().filter(|line| line.starts_with("- ")).count(), 4);
}
