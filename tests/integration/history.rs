//! An attacker can write to the archive, has no key, and knows its history: a rollback attack restores older
//! generations or changes retained ones.
//!
//! None of it may be signed, and `check` reports it. Other attacks are in [`super::trust`].

use std::fs;

use publish::{
    archive::Error,
    store::{Cache, Limit, Store},
};

use crate::{
    apt_client::{Client, Source},
    deb_builder::deb,
    publisher::{Publisher, memory},
    sandbox::{Sandbox, fixture, sha256},
};

/// The upper bound for the objects of these tests.
const LIMIT: Limit = Limit::mebibytes(64);

const POINTER: &str = "dists/stable/InRelease";

/// A signed archive with `hello` 1.0, then 2.0 a minute later; and its first generation, as files.
fn two_generations() -> (Sandbox, Sandbox) {
    let (sandbox, old) = (Sandbox::signed(), Sandbox::signed());
    let one = deb("hello").write(sandbox.incoming());
    sandbox.publish(["add".as_ref(), one.as_os_str()]).ok();
    let (from, to) = (sandbox.archive("dists"), old.archive(""));
    sandbox.ask("cp", ["-a".as_ref(), from.as_os_str(), to.as_os_str()]);
    let two = deb("hello").version("2.0").write(sandbox.incoming());
    sandbox.publish_with(&[later(60)], ["add".as_ref(), two.as_os_str()]).ok();
    deb("world").write(sandbox.incoming());
    (sandbox, old)
}

fn later(seconds: u64) -> (&'static str, &'static str) {
    let clock: u64 = crate::sandbox::CLOCK.parse().unwrap();
    ("PUBLISH_DATE", (clock + seconds).to_string().leak())
}

/// Overwrites current files with those of the older generation.
fn put_back(sandbox: &Sandbox, old: &Sandbox, paths: &[&str]) {
    for path in paths {
        fs::copy(old.archive(path), sandbox.archive(path)).unwrap();
    }
}

/// `publish check` reports these faults.
#[track_caller]
fn finds(sandbox: &Sandbox, says: &[&str]) {
    let said = sandbox.publish_with(&[later(120)], ["check"]).fails(4);
    for text in says {
        assert!(said.stdout.contains(text), "no `{text}` in:\n{}", said.stdout);
    }
}

/// Every command that builds on the suite must fail and change nothing.
#[track_caller]
fn refuses_to_build_on(sandbox: &Sandbox, says: &[&str]) {
    let before = sandbox.tree();
    for verb in [&["add", "incoming/world_1.0_amd64.deb"][..], &["remove", "hello"]] {
        sandbox.publish_with(&[later(120)], verb).fails(1).says(says.iter().copied());
    }
    assert_eq!(sandbox.tree(), before);
}

#[test]
fn a_restored_older_pointer_is_not_built_on() {
    let (sandbox, old) = two_generations();
    // All files: judged by signatures and digests alone, this archive has no fault.
    let all = ["InRelease", "Release", "Release.gpg"].map(|file| format!("dists/stable/{file}"));
    put_back(&sandbox, &old, &all.each_ref().map(String::as_str));
    for index in old.tree().paths_with("/Packages") {
        put_back(&sandbox, &old, &[&index]);
    }
    refuses_to_build_on(
        &sandbox,
        &["is older than a published generation", "kept in `dists/stable/generations/", "--trust-existing"],
    );
    finds(&sandbox, &[&format!("{POINTER}: it is older than a published generation")]);
    // If it is intended, the next generation is newer than both, and clients accept it.
    let adopt = ["--trust-existing", "add", "incoming/world_1.0_amd64.deb"];
    sandbox.publish_with(&[later(120)], adopt).ok();
    sandbox.publish_with(&[later(120)], ["check"]).ok();
    sandbox.publish_with(&[later(180)], ["remove", "world"]).ok();
    for mut apt in Client::all(&sandbox) {
        apt.source(&Source::folder(sandbox.archive("")).signed_by(fixture("keys/test.pub.asc")));
        apt.updates();
        assert_eq!(apt.versions("hello"), ["1.0"]);
    }
}

#[test]
fn a_newer_generation_of_an_attacker_is_ignored() {
    let (sandbox, _) = two_generations();
    // An attacker can write a generation; only a signed one of this suite counts.
    let generation = sandbox.archive("dists/stable/generations/20260101T000000Z-00000000");
    fs::create_dir_all(&generation).unwrap();
    let text = sandbox.read(POINTER).replace("Date: Sun, 01 Jun 2025", "Date: Thu, 01 Jan 2026");
    for pointer in [text.as_str(), "nonsense"] {
        fs::write(generation.join("InRelease"), pointer).unwrap();
        fs::write(generation.join("published"), "published\n").unwrap();
        finds(&sandbox, &["dists/stable/generations/20260101T000000Z-00000000: "]);
    }
    // It does not block either: an attacker without a key cannot stop the publisher.
    sandbox.publish_with(&[later(120)], ["add", "incoming/world_1.0_amd64.deb"]).ok();
}

#[test]
fn a_modified_retained_generation_is_found() {
    let (sandbox, _) = two_generations();
    let generations = sandbox.tree().paths_with("/generations/");
    for path in generations.iter().filter(|path| path.ends_with("InRelease")) {
        let bytes = fs::read(sandbox.archive(path)).unwrap();
        let folder = path.strip_suffix("/InRelease").unwrap();
        for changed in [String::from_utf8_lossy(&bytes).replace("main", "evil"), sandbox.read(POINTER) + "\n"]
        {
            fs::write(sandbox.archive(path), changed).unwrap();
            finds(&sandbox, &[folder]);
        }
        fs::write(sandbox.archive(path), bytes).unwrap();
    }
    sandbox.publish_with(&[later(120)], ["check"]).ok();
    // Files that only this generation references: the first index, and the file of a removed package.
    sandbox.publish_with(&[later(120)], ["remove", "hello=1.0"]).ok();
    let package = "pool/main/h/hello/hello_1.0_amd64.deb";
    let bytes = fs::read(sandbox.archive(package)).unwrap();
    fs::write(sandbox.archive(package), "nonsense").unwrap();
    finds(&sandbox, &[package]);
    fs::remove_file(sandbox.archive(package)).unwrap();
    finds(
        &sandbox,
        &[&format!("{package}: it is missing, although a retained generation of the suite references it")],
    );
    fs::write(sandbox.archive(package), bytes).unwrap();
    sandbox.publish_with(&[later(120)], ["check"]).ok();
}

#[test]
fn an_added_foreign_key_is_found_and_removed() {
    let (sandbox, _) = two_generations();
    let ours = sandbox.read("archive-key.asc");
    for evil in [fs::read_to_string(fixture("keys/second.pub.asc")).unwrap(), "nonsense".to_owned()] {
        fs::write(sandbox.archive("archive-key.asc"), evil).unwrap();
        finds(&sandbox, &["archive-key.asc: "]);
    }
    fs::copy(fixture("keys/second.pub.asc"), sandbox.archive("archive-key.asc")).unwrap();
    let said = sandbox.publish_with(&[later(120)], ["add", "incoming/world_1.0_amd64.deb"]).ok();
    said.says(["warning: ", "it signs no suite of this archive"]);
    assert_eq!(sandbox.read("archive-key.asc"), ours);
}

#[test]
fn wrong_bytes_under_a_digest_are_never_referenced() {
    let (sandbox, _) = two_generations();
    // An attacker writes the index of the next edit in advance, with other bytes.
    let copy = Sandbox::signed();
    let (from, to) = (sandbox.archive(""), copy.archive(""));
    copy.ask("cp", ["-a".as_ref(), "-T".as_ref(), from.as_os_str(), to.as_os_str()]);
    let world = sandbox.incoming().join("world_1.0_amd64.deb");
    copy.publish_with(&[later(120)], ["add".as_ref(), world.as_os_str()]).ok();
    let before = sandbox.tree();
    let new: Vec<String> =
        copy.tree().paths_with("/by-hash/").into_iter().filter(|path| !before.has(path)).collect();
    assert_eq!(new.len(), 3);
    for path in &new {
        fs::write(sandbox.archive(path), "Package: evil\n").unwrap();
    }
    sandbox.publish_with(&[later(120)], ["add".as_ref(), world.as_os_str()]).ok();
    for path in &new {
        let bytes = fs::read(sandbox.archive(path)).unwrap();
        assert!(path.ends_with(&sha256(&bytes)), "{path}");
    }
    sandbox.publish_with(&[later(120)], ["check"]).ok();
}

/// If the newer generations in the bucket were deleted, this machine still remembers them.
#[tokio::test]
async fn the_latest_generation_of_a_bucket_is_remembered() {
    let Some(bucket) = crate::buckets::moto() else { return };
    let sandbox = Sandbox::signed();
    let files = ["one", "two", "three"].map(|name| [deb(name).write(sandbox.incoming())]);
    let cache = |name: &str| Some(Cache::new(&sandbox.path(name), 1 << 20));
    let store: Store = bucket.store();
    let mine = || Publisher::on(store.clone().with_cache(cache("mine")));
    mine().add(&files[0]).await.unwrap();
    let old = store.read(POINTER, LIMIT).await.unwrap().unwrap().bytes;
    mine().later(60).add(&files[1]).await.unwrap();
    let new = store.read(POINTER, LIMIT).await.unwrap().unwrap().bytes;
    // Everything that proves a newer generation.
    store.replace(POINTER, old).await.unwrap();
    let kept: Vec<String> = {
        use futures::TryStreamExt as _;
        let files: Vec<_> = store.walk("dists/stable/generations").try_collect().await.unwrap();
        files.into_iter().map(|found| found.path).filter(|path| path.contains("T000100Z")).collect()
    };
    assert_eq!(kept.len(), 3, "{kept:?}");
    store.delete_all(&kept).await.unwrap();
    let error = mine().later(120).add(&files[2]).await.unwrap_err();
    assert!(
        matches!(&error, Error::RolledBack { witness, .. } if witness.contains("this machine")),
        "{error}"
    );
    assert!(!mine().later(120).faults().await.is_empty());
    // Another machine has not seen it: such an attack cannot be detected.
    Publisher::on(store.clone().with_cache(cache("other"))).later(120).faults().await;
    store.replace(POINTER, new).await.unwrap();
    mine().later(120).add(&files[2]).await.unwrap();
}

/// This machine remembers only buckets: the owner of a folder may restore it from a backup.
#[tokio::test]
async fn an_unpublished_newer_generation_is_ignored() {
    let sandbox = Sandbox::signed();
    let (one, two) = ([deb("one").write(sandbox.incoming())], [deb("two").write(sandbox.incoming())]);
    let store = memory();
    Publisher::on(store.clone()).add(&one).await.unwrap();
    // Killed, or a lost race, before the swap: its generation exists, signed, with a later date.
    let faults = crate::faults::Faults::fail(6, crate::faults::Side::Before);
    let edit = Publisher::on(faults.on(store.clone())).later(600);
    edit.add(&two).await.unwrap_err();
    let generations = store.list("dists/stable/generations").await.unwrap().0;
    assert_eq!(generations.len(), 2, "{generations:?}: the write that failed was not the one after it");
    Publisher::on(store.clone()).later(60).add(&two).await.unwrap();
    assert_eq!(Publisher::on(store).later(60).faults().await, []);
}

/// A power loss leaves a file empty or truncated, or a disk flips a bit.
#[test]
fn a_damaged_release_file_is_restored() {
    let (signed, _) = two_generations();
    let unsigned = Sandbox::new();
    let hello = deb("hello").write(unsigned.incoming());
    unsigned.publish_with(&[later(60)], ["add".as_ref(), hello.as_os_str()]).ok();
    for (sandbox, path) in [(&signed, POINTER), (&unsigned, "dists/stable/Release")] {
        let whole = sandbox.tree();
        let bytes = fs::read(sandbox.archive(path)).unwrap();
        let half = &bytes[..bytes.len() / 2];
        for damaged in [&b""[..], &bytes[..20], half, b"this is no stanza\n", &[0; 300]] {
            if path != POINTER && damaged == half {
                // Half of an unsigned file may be a valid one.
                continue;
            }
            fs::write(sandbox.archive(path), damaged).unwrap();
            let said = sandbox.publish_with(&[later(120)], ["remove", "hello"]).fails(1);
            said.says(["publish check --repair"]);
            let said = sandbox.publish_with(&[later(120)], ["check", "--repair"]).ok();
            said.says([&*format!("Repaired {path}")]);
            assert_eq!(sandbox.tree(), whole);
        }
    }
    // Complete, and signed by an unknown key: that is not damage.
    let other = Sandbox::new();
    deb("hello").write(other.incoming());
    let key = crate::sandbox::fixture("keys/second.asc");
    other.publish(["--sign-with".as_ref(), key.as_os_str(), "add".as_ref(), "incoming".as_ref()]).ok();
    fs::copy(other.archive(POINTER), signed.archive(POINTER)).unwrap();
    let before = signed.tree();
    signed.publish_with(&[later(120)], ["check", "--repair"]).fails(1).says(["keys that are not configured"]);
    assert_eq!(signed.tree(), before);
    // No retained generation is trusted, and the other forms are damaged too, so nothing replaces it.
    fs::write(signed.archive(POINTER), "").unwrap();
    fs::write(signed.archive("dists/stable/Release.gpg"), "").unwrap();
    fs::remove_dir_all(signed.archive("dists/stable/generations")).unwrap();
    let said = signed.publish_with(&[later(120)], ["check", "--repair"]).fails(4);
    said.says([&*format!("`{POINTER}` cannot be restored: no intact copy was found")]);
}

#[test]
fn repair_restores_what_it_can_and_reports_the_rest() {
    let (sandbox, _) = two_generations();
    let repair = || sandbox.publish_with(&[later(120)], ["check", "--repair"]);
    let whole = sandbox.tree();
    let current: Vec<String> = {
        let release = sandbox.read("dists/stable/Release");
        whole
            .paths_with("/by-hash/")
            .into_iter()
            .filter(|path| release.contains(&path[path.len() - 64..]))
            .collect()
    };
    assert_eq!(current.len(), 3);
    // Each index by its digest, lost or damaged; all names; the retained generation; the pointer itself.
    for path in &current {
        fs::remove_file(sandbox.archive(path)).unwrap();
        repair().ok().says([&format!("Repaired {path}") as &str]);
        fs::write(sandbox.archive(path), "nonsense").unwrap();
        repair().ok().says([&format!("Repaired {path}") as &str]);
        assert_eq!(sandbox.tree(), whole, "{path}");
    }
    // Also if its name is missing too: rebuilt from another form. The plain form need not be stored.
    for form in ["Packages.gz", "Packages.xz"] {
        let name = format!("dists/stable/main/binary-amd64/{form}");
        let digest = sha256(&fs::read(sandbox.archive(&name)).unwrap());
        let path = format!("dists/stable/main/binary-amd64/by-hash/SHA256/{digest}");
        fs::remove_file(sandbox.archive(&path)).unwrap();
        fs::remove_file(sandbox.archive(&name)).unwrap();
        repair().ok().says([&format!("Repaired {path}") as &str, &format!("Repaired {name}")]);
        assert_eq!(sandbox.tree(), whole, "{path}");
    }
    let kept = whole.paths_with("/generations/20250601T000100Z");
    assert_eq!(kept.len(), 3);
    for paths in
        [&kept[..], &kept[2..], &[POINTER.to_owned()], &[POINTER.to_owned(), "dists/stable/Release".into()]]
    {
        for path in paths {
            fs::remove_file(sandbox.archive(path)).unwrap();
        }
        repair().ok();
        assert_eq!(sandbox.tree(), whole, "{paths:?}");
    }
    // The restored pointer is the newest one that a trusted key signed.
    let evil = sandbox.archive("dists/stable/generations/20260101T000000Z-00000000");
    fs::create_dir_all(&evil).unwrap();
    fs::write(evil.join("InRelease"), sandbox.read(POINTER).replace("main", "evil")).unwrap();
    fs::write(evil.join("published"), "published\n").unwrap();
    fs::remove_file(sandbox.archive(POINTER)).unwrap();
    fs::remove_file(sandbox.archive("dists/stable/Release")).unwrap();
    repair().fails(4).says(["Repaired dists/stable/InRelease"]);
    fs::remove_dir_all(&evil).unwrap();
    assert_eq!(sandbox.tree(), whole);

    // Files without any copy.
    for path in current.iter().chain(&whole.paths_with("binary-amd64/Packages")) {
        fs::write(sandbox.archive(path), "nonsense").unwrap();
    }
    let package = "pool/main/h/hello/hello_2.0_amd64.deb";
    fs::remove_file(sandbox.archive(package)).unwrap();
    let said = repair().fails(4);
    for path in &current {
        said.says([&format!("`{path}` cannot be restored: no intact copy was found") as &str]);
    }
}
