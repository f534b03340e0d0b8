//! Tests of `publish copy`: packages are promoted from suite `testing` to suite `stable`.

use std::fs;

use crate::{
    apt_client::{Client, Source},
    deb_builder::{DebBuilder, deb},
    sandbox::{Output, Sandbox, fixture},
    servers::{self, Bucket},
};

const COPY: [&str; 5] = ["copy", "--from", "testing", "--to", "stable"];

/// A signed archive of two non-empty suites.
fn archive(stable: &str) -> Sandbox {
    let sandbox = Sandbox::signed();
    sandbox.configure(&format!(
        "Codename: testing\nComponents: main contrib\nArchitectures: amd64 arm64\n\n\
         Codename: stable\nComponents: main contrib\n{stable}\n"
    ));
    add(&sandbox, "testing", &deb("hello"));
    add(&sandbox, "testing", &deb("hello").version("2.0"));
    add(&sandbox, "stable", &deb("other"));
    sandbox
}

const BOTH: &str = "Architectures: amd64 arm64";

fn add(sandbox: &Sandbox, suite: &str, package: &DebBuilder) {
    add_to(sandbox, suite, "main", package);
}

fn add_to(sandbox: &Sandbox, suite: &str, component: &str, package: &DebBuilder) {
    let file = package.write(sandbox.incoming());
    let file = file.to_str().unwrap();
    sandbox.publish(["add", "--suite", suite, "--component", component, file]).ok();
}

fn copy(sandbox: &Sandbox, more: &[&str]) -> crate::sandbox::Outcome {
    sandbox.publish([&COPY, more].concat())
}

/// The command fails and changes nothing.
#[track_caller]
fn refused(sandbox: &Sandbox, more: &[&str], says: &[&str]) {
    let before = sandbox.tree();
    copy(sandbox, more).fails(1).says(says.iter().copied());
    assert_eq!(sandbox.tree(), before);
}

/// `NAME VERSION ARCHITECTURE` of each package of `stable`, except `other`.
fn stable(sandbox: &Sandbox) -> Vec<String> {
    let listed: Output = sandbox.publish(["list", "--suite", "stable"]).ok();
    let row = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        format!("{} {} {}", words[3], words[4], words[2])
    };
    let mut rows: Vec<String> = listed.stdout.lines().map(row).collect();
    rows.retain(|row| row != "other 1.0 amd64");
    rows.sort();
    rows.dedup();
    rows
}

#[test]
fn clients_of_the_other_suite_get_it_and_the_pool_does_not_change() {
    let sandbox = archive(BOTH);
    let before = sandbox.tree();
    copy(&sandbox, &["hello"]).ok().says([
        "Added 1 package to suite `stable`",
        "+ hello 2.0 amd64 (main)",
        "Published suite `stable`",
    ]);
    let after = sandbox.tree();
    assert_eq!(after.paths_with("pool/"), before.paths_with("pool/"));
    after.keeps(&before, &["dists/stable/"]);
    assert_eq!(after.paths_with(".publish/holds"), [""; 0]);
    for mut apt in Client::all(&sandbox) {
        let key = fixture("keys/test.pub.asc");
        apt.source(&Source::folder(sandbox.archive("")).signed_by(key));
        apt.updates();
        assert_eq!(apt.versions("hello"), ["2.0"], "{}", apt.name);
        assert_eq!(apt.download("hello"), deb("hello").version("2.0").bytes(), "{}", apt.name);
        assert_eq!(apt.versions("other"), ["1.0"], "{}", apt.name);
    }
    // The stanza is identical, and so is the pool path.
    let stanza = |suite: &str| sandbox.publish(["show", "--suite", suite, "hello=2.0"]).ok().stdout;
    assert_eq!(stanza("stable"), stanza("testing"));
    sandbox.publish(["check"]).ok();

    // Again, an hour later: a no-op.
    let later = [("PUBLISH_DATE", "1748739600")];
    sandbox.publish_with(&later, [&COPY[..], &["hello"]].concat()).ok().says([
        "hello 2.0 amd64 is already published in suite `stable`, with the same bytes",
        "Nothing to do",
    ]);
    assert_eq!(sandbox.tree(), after);
}

#[test]
fn a_copy_creates_the_suite() {
    let sandbox = Sandbox::signed();
    sandbox.configure(
        "Codename: testing\nComponents: main\n\nCodename: trixie\nSuite: stable\nComponents: main\n",
    );
    add(&sandbox, "testing", &deb("hello"));
    let said = copy(&sandbox, &["--all"]).ok();
    said.says(["Added 1 package to suite `trixie`", "On clients, save this as a `.sources` file"]);
    assert!(said.stdout.contains("Suites: trixie\n"), "{}", said.stdout);
    for mut apt in Client::all(&sandbox) {
        let key = fixture("keys/test.pub.asc");
        apt.source(&Source::folder(sandbox.archive("")).suite("trixie").signed_by(key));
        apt.updates();
        assert_eq!(apt.versions("hello"), ["1.0"], "{}", apt.name);
    }
}

#[test]
fn the_newest_unless_a_version_is_named() {
    let sandbox = archive(BOTH);
    copy(&sandbox, &["hello=1.0"]).ok().says(["+ hello 1.0 amd64"]);
    assert_eq!(stable(&sandbox), ["hello 1.0 amd64"]);
    copy(&sandbox, &["hello"]).ok();
    assert_eq!(stable(&sandbox), ["hello 1.0 amd64", "hello 2.0 amd64"]);
    sandbox.publish(["remove", "--suite", "stable", "hello=1.0"]).ok();
    copy(&sandbox, &["hello=1.0"]).ok().says(["`hello` 1.0 is older than 2.0, which clients will prefer"]);
    // For each architecture its newest version.
    add(&sandbox, "testing", &deb("hello").version("1.5").architecture("arm64"));
    copy(&sandbox, &["hello"]).ok().says(["+ hello 1.5 arm64"]);
    // Both, if both are named.
    sandbox.publish(["remove", "--suite", "stable", "hello"]).ok().says(["Removed 3 packages"]);
    copy(&sandbox, &["hello", "hello=1.0", "--architecture", "amd64"]).ok().says(["Added 2 packages"]);
}

#[test]
fn all_binaries_of_a_source() {
    let sandbox = archive(BOTH);
    for package in [
        deb("libfoo1").version("1.2-3").source("foo"),
        deb("libfoo1").version("1.2-3").source("foo").architecture("arm64"),
        // A rebuild, and a build from an older source.
        deb("foo-tools").version("1.2-3+b1").source("foo (1.2-3)"),
        deb("foo-old").version("0.9").source("foo"),
        deb("foo").version("1.2-3").architecture("all"),
        deb("libfoo1-bar").source("foobar"),
    ] {
        add(&sandbox, "testing", &package);
    }
    copy(&sandbox, &["--source", "foo=1.2-3", "-n"])
        .ok()
        .says(["Would add 4 packages", "foo-tools 1.2-3+b1"]);
    copy(&sandbox, &["--source", "foo=1.2-3", "--architecture", "arm64"]).ok().says(["Added 1 package"]);
    copy(&sandbox, &["--source", "foo=1.2-3"])
        .ok()
        .says(["Added 3 packages", "libfoo1 1.2-3 arm64 is already published"]);
    assert_eq!(
        stable(&sandbox),
        ["foo 1.2-3 all", "foo-tools 1.2-3+b1 amd64", "libfoo1 1.2-3 amd64", "libfoo1 1.2-3 arm64"]
    );
    // An `Architecture: all` package is in every index.
    for architecture in ["amd64", "arm64"] {
        let index = sandbox.read(format!("dists/stable/main/binary-{architecture}/Packages"));
        assert!(index.contains("Package: foo\n"), "{architecture}");
    }
    copy(&sandbox, &["--source", "foo"]).ok().says(["Added 1 package", "+ foo-old 0.9"]);
    refused(
        &sandbox,
        &["--source", "foo=7"],
        &["source package foo=7", "foo-tools 1.2-3+b1 amd64, libfoo1 1.2-3 amd64"],
    );
    sandbox.publish(["check"]).ok();
}

#[test]
fn by_pattern_or_everything() {
    let sandbox = archive(BOTH);
    add(&sandbox, "testing", &deb("hello-doc").architecture("all"));
    add_to(&sandbox, "testing", "contrib", &deb("extra"));
    copy(&sandbox, &["hell?"]).ok().says(["Added 1 package", "hello 2.0"]);
    copy(&sandbox, &["hello[!-]doc", "--dry-run"]).fails(1).says(["no such package is published"]);
    copy(&sandbox, &["[a-h]ello*"]).ok().says(["Added 1 package", "hello-doc 1.0 all (main)"]);
    copy(&sandbox, &["--all"]).ok().says([
        "Added 1 package",
        "+ extra 1.0 amd64 (contrib)",
        "2 packages are",
    ]);
    assert_eq!(stable(&sandbox), ["extra 1.0 amd64", "hello 2.0 amd64", "hello-doc 1.0 all"]);
    refused(&sandbox, &["w*"], &["cannot copy `w*` from suite `testing`", "no such package is published"]);
}

#[test]
fn one_wrong_name_fails_the_command() {
    let sandbox = archive(BOTH);
    refused(&sandbox, &["hello", "world"], &["cannot copy `world` from suite `testing`", "publish list"]);
    refused(&sandbox, &["hello=9"], &["cannot copy `hello=9`", "published versions: 1.0 amd64, 2.0 amd64"]);
    refused(&sandbox, &["hello", "--architecture", "arm64"], &["published versions: 1.0 amd64, 2.0 amd64"]);
    refused(&sandbox, &["hello=9", "world"], &["2 packages cannot be copied; nothing was published"]);
}

#[test]
fn usage() {
    let sandbox = archive(BOTH);
    copy(&sandbox, &[]).fails(2).says(["NAME"]);
    copy(&sandbox, &["--all", "hello"]).fails(2);
    sandbox.publish(["copy", "hello", "--from", "testing"]).fails(2).says(["--to"]);
    let same = ["copy", "hello", "--from", "testing", "--to", "testing"];
    sandbox.publish(same).fails(2).says(["are the same suite"]);
    let lost = ["copy", "hello", "--from", "nowhere", "--to", "stable"];
    sandbox.publish(lost).fails(1).says(["there is no suite `nowhere`"]);
    let lost = ["copy", "hello", "--from", "testing", "--to", "nowhere"];
    sandbox.publish(lost).fails(1).says(["there is no suite `nowhere`"]);
}

#[test]
fn a_dry_run_writes_nothing_and_json_is_one_object() {
    let sandbox = archive(BOTH);
    let before = sandbox.tree();
    copy(&sandbox, &["hello", "-n"])
        .ok()
        .says(["Would add 1 package to suite `stable`", "nothing was written"]);
    let parse = |said: Output| serde_json::from_str::<serde_json::Value>(&said.stdout).unwrap();
    let plan = parse(copy(&sandbox, &["hello", "-n", "--json"]).ok());
    assert_eq!(sandbox.tree(), before);
    let done = parse(copy(&sandbox, &["hello", "--json"]).ok());
    // Except for the names of generations, which depend on the signatures.
    let sizes = |object: &serde_json::Value| -> Vec<u64> {
        object["written"].as_array().unwrap().iter().map(|file| file["size"].as_u64().unwrap()).collect()
    };
    assert_eq!(sizes(&plan), sizes(&done));
    assert_eq!((&plan["published"], &done["published"]), (&false.into(), &true.into()));
    let added = &done["added"][0];
    assert_eq!((&added["name"], &added["version"]), (&"hello".into(), &"2.0".into()));
    let written = done["written"].as_array().unwrap();
    assert!(written.iter().all(|file| file["path"].as_str().unwrap().starts_with("dists/stable/")), "{done}");
}

#[test]
fn into_another_component() {
    let sandbox = archive(BOTH);
    copy(&sandbox, &["hello", "-c", "contrib"]).ok().says(["+ hello 2.0 amd64 (contrib)"]);
    for mut apt in Client::all(&sandbox) {
        let key = fixture("keys/test.pub.asc");
        apt.source(&Source::folder(sandbox.archive("")).components("contrib").signed_by(key));
        apt.updates();
        assert_eq!(apt.versions("hello"), ["2.0"], "{}", apt.name);
        assert_eq!(apt.download("hello"), deb("hello").version("2.0").bytes(), "{}", apt.name);
    }
    sandbox.publish(["check"]).ok();
    // A package is in one component of a suite.
    copy(&sandbox, &["hello"]).ok().says(["stays in component `contrib`", "already"]);
    refused(
        &sandbox,
        &["hello", "-c", "main"],
        &["cannot copy `hello 2.0 amd64` to suite `stable`", "already published in component `contrib`"],
    );
    refused(&sandbox, &["hello", "-c", "non-free"], &["no component `non-free`; it has `main`, `contrib`"]);
}

#[test]
fn conflicts_are_refused_as_by_add() {
    let sandbox = archive("Architectures: amd64\nLimit: 1");
    // The same version with other bytes, which the pool may hold for another component.
    add_to(&sandbox, "testing", "contrib", &deb("other").payload("other\n"));
    refused(
        &sandbox,
        &["other", "-c", "main"],
        &["cannot copy `other 1.0 amd64` to suite `stable`", "is published with other contents: SHA256"],
    );
    add(&sandbox, "testing", &deb("hello").version("1.5").architecture("arm64"));
    refused(
        &sandbox,
        &["hello"],
        &["hello 1.5 arm64", "architecture `arm64` is not one of the suite's: `amd64`"],
    );
    // The limit removes the older version, and refuses a version that it would remove at once.
    copy(&sandbox, &["hello=1.0"]).ok();
    copy(&sandbox, &["hello=2.0"]).ok().says(["Added 1 package", "Removed 1 package", "- hello 1.0 amd64"]);
    refused(
        &sandbox,
        &["hello=1.0"],
        &["cannot copy `hello 1.0 amd64`", "`Limit: 1` keeps newer versions only"],
    );
    assert_eq!(stable(&sandbox), ["hello 2.0 amd64"]);
    sandbox.publish(["check"]).ok();

    let text = sandbox.read("conf/distributions").replace("Limit: 1", "ReadOnly: yes");
    sandbox.configure(&text);
    refused(&sandbox, &["hello=1.0"], &["suite `stable` is read-only"]);
}

#[test]
fn a_missing_or_truncated_pool_file_is_named() {
    let sandbox = archive(BOTH);
    let path = "pool/main/h/hello/hello_2.0_amd64.deb";
    let bytes = fs::read(sandbox.archive(path)).unwrap();
    fs::write(sandbox.archive(path), &bytes[..100]).unwrap();
    let short = format!("`{path}` has 100 bytes instead of {}", bytes.len());
    refused(&sandbox, &["hello"], &["cannot copy `hello 2.0 amd64` to suite `stable`", &short]);
    fs::remove_file(sandbox.archive(path)).unwrap();
    let gone = format!("`{path}` is missing");
    refused(&sandbox, &["hello"], &[&gone, "publish add"]);
    refused(&sandbox, &["hello", "-n"], &[&gone]);
    add(&sandbox, "testing", &deb("hello").version("2.0"));
    copy(&sandbox, &["hello"]).ok();
    sandbox.publish(["check"]).ok();
}

#[test]
fn untrusted_packages_are_not_signed() {
    let sandbox = archive(BOTH);
    let pointer = sandbox.archive("dists/testing/InRelease");
    let sound = fs::read(&pointer).unwrap();
    // Modified, of another suite, unsigned.
    fs::write(&pointer, String::from_utf8_lossy(&sound).replace("contrib", "evil")).unwrap();
    refused(&sandbox, &["hello"], &["the signature of `dists/testing/InRelease` is not trusted"]);
    fs::copy(sandbox.archive("dists/stable/InRelease"), &pointer).unwrap();
    refused(&sandbox, &["other"], &["`dists/testing/InRelease` was not made for suite `testing`"]);
    fs::remove_file(&pointer).unwrap();
    let detached = sandbox.archive("dists/testing/Release.gpg");
    let signature = fs::read(&detached).unwrap();
    fs::remove_file(&detached).unwrap();
    refused(&sandbox, &["hello"], &["`testing` is not signed and `stable` is"]);
    fs::write(&detached, signature).unwrap();
    fs::write(&pointer, &sound).unwrap();
    // An index that is not the listed one.
    for path in sandbox.tree().paths_with("dists/testing/main/binary-amd64/") {
        let bytes = fs::read(sandbox.archive(&path)).unwrap();
        fs::write(sandbox.archive(&path), [&bytes[..], b"\n"].concat()).unwrap();
    }
    refused(&sandbox, &["hello"], &["does not match the release file"]);
}

#[test]
fn a_suite_rolled_back_by_an_attacker_is_not_copied_from() {
    let sandbox = archive(BOTH);
    let old = ["InRelease", "Release", "Release.gpg"].map(|name| {
        let path = sandbox.archive("dists/testing").join(name);
        (path.clone(), fs::read(path).unwrap())
    });
    let later = [("PUBLISH_DATE", "1748739600")];
    sandbox.publish_with(&later, ["remove", "--suite", "testing", "hello=2.0"]).ok();
    for (path, bytes) in old {
        fs::write(path, bytes).unwrap();
    }
    refused(&sandbox, &["hello"], &["`dists/testing/InRelease` is older than a published generation"]);
    copy(&sandbox, &["hello", "--trust-existing"]).ok();
}

/// Each suite has its own key, and a job has the secret part of only one.
#[test]
fn suites_may_be_signed_by_different_keys() {
    let sandbox = Sandbox::new();
    sandbox.publish(["init", "--suite", "testing"]).ok();
    add(&sandbox, "testing", &deb("hello"));
    let testing = sandbox.read("conf/distributions");
    let key = fixture("keys/test.asc");
    let stable = format!("\n\nCodename: stable\nComponents: main\nSignWith: {}\n", key.display());
    sandbox.configure(&format!("{testing}{stable}"));
    copy(&sandbox, &["hello"]).ok().says(["Added 1 package"]);
    // The other key is not available, so the signer of the suite is unknown.
    let keys = sandbox.path("config/publish/keys");
    fs::rename(&keys, sandbox.path("elsewhere")).unwrap();
    sandbox.publish(["remove", "--suite", "stable", "hello"]).ok();
    refused(
        &sandbox,
        &["hello"],
        &["the signature of `dists/testing/InRelease` is not trusted", "TrustedKeys"],
    );
    let public = testing.replace("SignWith:", "TrustedKeys: ../archive-key.asc\nSignWith:");
    sandbox.configure(&format!("{public}{stable}"));
    copy(&sandbox, &["hello"]).ok().says(["Added 1 package"]);
}

#[test]
fn nothing_has_to_be_signed_or_configured() {
    let sandbox = Sandbox::new();
    add(&sandbox, "testing", &deb("hello"));
    // An unknown suite is not created by mistake.
    copy(&sandbox, &["hello"]).fails(1).says(["there is no suite `stable`; there are: `testing`"]);
    sandbox.configure("Codename: stable\nComponents: main\n");
    copy(&sandbox, &["hello"]).ok().says(["Added 1 package"]);
    assert_eq!(stable(&sandbox), ["hello 1.0 amd64"]);
}

/// Many jobs promote concurrently; the suite has all that they promoted.
#[test]
fn concurrent_copies_lose_nothing() {
    let sandbox = archive(BOTH);
    let names: Vec<String> = (0..8).map(|number| format!("package-{number}")).collect();
    for name in &names {
        deb(name).write(sandbox.path("many"));
    }
    sandbox.publish(["add", "--suite", "testing", "many"]).ok();
    std::thread::scope(|scope| {
        for name in &names {
            scope.spawn(|| copy(&sandbox, &[name]).ok().says(["Added 1 package"]).stderr.len());
        }
    });
    assert_eq!(stable(&sandbox), names.iter().map(|name| format!("{name} 1.0 amd64")).collect::<Vec<_>>());
    sandbox.publish(["check"]).ok();
}

fn in_a_bucket(bucket: Option<Bucket>) {
    let Some(bucket) = bucket else { return };
    let sandbox = Sandbox::signed();
    let conf = sandbox.path("distributions");
    fs::write(&conf, "Codename: testing\nComponents: main\n\nCodename: stable\nComponents: main\n").unwrap();
    let place = bucket.place();
    let run = |seconds: u64, arguments: &[&str]| {
        let clock = crate::sandbox::CLOCK.parse::<u64>().unwrap() + seconds;
        let base = ["-a", &place, "--config", conf.to_str().unwrap()];
        bucket.publish(&sandbox, &clock.to_string(), &[&base, arguments].concat())
    };
    let file = deb("hello").version("1:2.0~rc1+b1").write(sandbox.incoming());
    run(0, &["add", "--suite", "testing", "incoming"]).ok();
    let said = run(10, &[&COPY[..], &["hello", "--json"]].concat()).ok();
    let done: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    let written = done["written"].as_array().unwrap();
    assert!(written.iter().all(|file| file["path"].as_str().unwrap().starts_with("dists/stable/")), "{done}");
    run(20, &[&COPY[..], &["hello"]].concat())
        .ok()
        .says(["already published in suite `stable`, with the same bytes", "Nothing to do"]);
    for mut apt in Client::all(&sandbox) {
        apt.source(&Source::at(&bucket.url()).signed_by(fixture("keys/test.pub.asc")));
        apt.updates();
        assert_eq!(apt.versions("hello"), ["1:2.0~rc1+b1"], "{} by {}", bucket.server, apt.name);
        assert_eq!(apt.download("hello"), fs::read(&file).unwrap());
    }
    run(20, &["check"]).ok();
}

#[test]
fn in_moto() {
    in_a_bucket(servers::moto());
}

#[test]
fn in_radosgw() {
    in_a_bucket(servers::rgw());
}

#[test]
fn in_swift() {
    in_a_bucket(servers::swift());
}

/// A source package of another tool is copied with its binaries; its files stay where that tool put them.
#[test]
fn a_source_package_of_another_tool_is_copied() {
    let sandbox = Sandbox::new();
    crate::diff::adopt_all_kinds(&sandbox, "testing", &[]);
    for suite in ["stable", "other"] {
        sandbox.adopt_files(suite, &[]);
    }
    fs::create_dir_all(sandbox.archive("pool")).unwrap();
    fs::create_dir_all(sandbox.archive("pool/foo")).unwrap();
    for file in ["foo.deb", "foo.udeb", "foo/foo.dsc"] {
        fs::write(sandbox.archive("pool").join(file), "x").unwrap();
    }
    sandbox.publish(["copy", "--from", "testing", "--to", "stable", "--source", "foo"]).ok().says([
        "Added 3 packages",
        "+ foo 1.0 amd64 (main)",
        "+ foo 1.0 amd64 (main|debian-installer)",
        "+ foo 1.0 source",
    ]);
    assert!(sandbox.read("dists/stable/main/source/Sources").contains("Directory: pool/foo\n"));
    fs::remove_file(sandbox.archive("pool/foo/foo.dsc")).unwrap();
    let said = sandbox.publish(["copy", "--from", "testing", "--to", "other", "foo"]).fails(1);
    said.says(["cannot copy `foo 1.0 source`", "`pool/foo/foo.dsc` is missing"]);
}
