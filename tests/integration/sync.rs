//! Another store becomes a copy of the archive: which files are copied, in which order, and the result of an
//! interruption.

use std::{fs, path::Path};

use crate::{
    apt_client::{Client, Source},
    deb_builder::deb,
    faults::{Faults, Operation, SIDES},
    publisher::{Publisher, folder, memory},
    sandbox::{Sandbox, Tree, age, fixture},
};

/// The upper bound for the objects of these tests.
const LIMIT: publish::store::Limit = publish::store::Limit::mebibytes(64);

/// An archive with three packages, for two architectures.
fn three() -> Sandbox {
    let sandbox = Sandbox::signed();
    deb("hello").version("1:2.0~rc1+b1").write(sandbox.incoming());
    deb("hello").architecture("arm64").write(sandbox.incoming());
    deb("hello-doc").architecture("all").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok();
    sandbox
}

/// The tree at the destination.
fn there(sandbox: &Sandbox) -> Tree {
    Tree::read(&sandbox.path("there"))
}

#[test]
fn exactly_the_reachable_files_are_copied() {
    let sandbox = three();
    let published = sandbox.tree();
    // Other files in archives of other tools, and private ones.
    for (path, bytes) in [
        ("conf/distributions", &b"Codename: stable\nComponents: main\n"[..]),
        ("conf/options", b"verbose\n"),
        ("db/packages.db", b"db"),
        ("lists/x", b"x"),
        ("pool/main/h/hello/stray_1_amd64.deb", b"no index names it"),
        ("pool/main/h/hello/.publish-abc.tmp", b"half a file"),
        ("dists/stable/main/binary-amd64/Packages.new", b"half an index"),
        ("dists/stable/main/binary-amd64/by-hash/SHA256/abc", b"an index of old"),
        (".git/config", b"git"),
        ("signing-key.asc", b"-----BEGIN PGP PRIVATE KEY BLOCK-----\n"),
        ("notes.txt", b"mine"),
    ] {
        let path = sandbox.archive(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    let said = sandbox.publish(["sync", "./there"]).ok();
    said.says(["Published suite `stable`", "Sent "]);
    assert_eq!(there(&sandbox), published);
    assert!(
        said.stdout.contains("URIs: file:[SANDBOX]/there\nSuites: stable\nComponents: main\n"),
        "{}",
        said.stdout
    );
    for by_hash in ["force", "no"] {
        for mut apt in Client::all(&sandbox) {
            apt.option("Acquire::By-Hash", by_hash);
            let key = sandbox.path("there/archive-key.asc");
            apt.source(&Source::folder(sandbox.path("there")).signed_by(key));
            apt.updates();
            assert_eq!(apt.candidate("hello").as_deref(), Some("1:2.0~rc1+b1"), "{}", apt.name);
            assert!(!apt.download("hello").is_empty());
        }
    }
}

#[test]
fn a_no_op_is_reported_and_writes_nothing() {
    let sandbox = three();
    sandbox.publish(["sync", "./there"]).ok();
    let before = there(&sandbox);
    let said = sandbox.publish(["sync", "./there"]).ok();
    said.says(["Nothing to do"]);
    assert_eq!(said.stdout, "", "the stanza is told once");
    assert_eq!(there(&sandbox), before);
    // A fresh checkout of the same archive, with other mtimes.
    sandbox.ask("cp", ["-r".as_ref(), sandbox.archive("").as_os_str(), sandbox.path("checkout").as_os_str()]);
    sandbox.publish(["-a", "checkout", "sync", "./there"]).ok().says(["Nothing to do"]);
}

#[test]
fn a_dry_run_writes_nothing() {
    let sandbox = three();
    let said = sandbox.publish(["sync", "-n", "-v", "./there"]).ok();
    said.says(["Would send ", "pool/main/h/hello/hello_2.0~rc1+b1_amd64.deb", "nothing was sent"]);
    assert!(!sandbox.path("there").exists());
    let json = sandbox.publish(["sync", "-n", "--json", "./there"]).ok();
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    let json = &json["destinations"][0];
    assert_eq!(json["dry_run"], true);
    assert!(json["sent"].as_array().unwrap().len() > 10, "{json}");
}

/// The stage of a commit that a write belongs to.
fn stage(operation: &Operation) -> usize {
    let path = operation.path.as_str();
    let name = path.rsplit('/').next().unwrap();
    match () {
        // A client that sees a suite must be able to verify it.
        () if path == "archive-key.asc" => 0,
        () if path.starts_with("pool/") => 1,
        () if path.contains("/by-hash/") => 2,
        () if name == "published" => 5,
        () if path.contains("/generations/") => 3,
        // The first commit of a suite claims both names of the release file.
        () if name == "InRelease" || (name == "Release" && operation.verb == "create") => 4,
        () if name.starts_with("Packages") => 6,
        () if name == "Release.gpg" => 7,
        () if name == "Release" => 8,
        () => 9,
    }
}

#[tokio::test]
async fn referenced_files_are_written_before_the_pointer_and_aliases_after_it() {
    let sandbox = three();
    let (faults, source) = (Faults::none(), folder(sandbox.archive("")));
    let destination = faults.on(memory());
    Publisher::on(source.clone()).sync(&destination).await.unwrap();
    let writes = faults.writes();
    let stages: Vec<usize> = writes.iter().map(stage).collect();
    assert!(stages.is_sorted(), "{writes:#?}");
    assert_eq!(stages.iter().filter(|&&stage| stage == 4).count(), 2, "{writes:#?}");
    assert!((0..=8).all(|stage| stages.contains(&stage)), "{writes:#?}");

    // One more package: only the files that it changes, and no listing but that of the records of other names.
    let file = deb("extra").write(sandbox.path("more"));
    let publisher = Publisher::on(source).later(60);
    publisher.add(&[file]).await.unwrap();
    let faults = Faults::none();
    publisher.sync(&faults.on(destination)).await.unwrap();
    let operations = faults.operations();
    assert_eq!(listings(&operations), ["dists/stable/generations"], "{operations:#?}");
    assert!(operations.iter().all(|operation| !operation.path.contains("arm64")), "{operations:#?}");
    assert!(operations.len() <= 19, "{} {operations:#?}", operations.len());
}

fn listings(operations: &[Operation]) -> Vec<&str> {
    let listings = operations.iter().filter(|operation| operation.verb == "list");
    listings.map(|operation| operation.path.as_str()).collect()
}

#[tokio::test]
async fn one_package_more_takes_few_requests() {
    let sandbox = Sandbox::signed();
    deb("hello").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok();
    let (source, destination) = (folder(sandbox.archive("")), memory());
    Publisher::on(source.clone()).sync(&destination).await.unwrap();
    let publisher = Publisher::on(source).later(60);
    publisher.add(&[deb("extra").write(sandbox.path("more"))]).await.unwrap();
    let faults = Faults::none();
    publisher.sync(&faults.on(destination.clone())).await.unwrap();
    let operations = faults.operations();
    // One of them looks for the record of a copy of a part.
    assert!(operations.len() <= 18, "{} {operations:#?}", operations.len());
    // The only listing is that of the records of other names, beside the generations.
    assert_eq!(listings(&operations), ["dists/stable/generations"], "{operations:#?}");
    // A no-op takes few requests: the pointer, the record of a part, the last canonical name, the key.
    let faults = Faults::none();
    publisher.sync(&faults.on(destination)).await.unwrap();
    assert!(faults.operations().len() <= 5, "{:#?}", faults.operations());
    assert_eq!(faults.writes(), []);
}

/// Whichever write is the last one, the destination serves the old suite or the new one; the next run completes the
/// work and sends no file again.
#[tokio::test]
async fn an_interrupted_sync_is_resumed() {
    for first in [true, false] {
        let sandbox = three();
        let source = folder(sandbox.archive(""));
        let old = Publisher::on(source.clone());
        let before = memory();
        if !first {
            old.sync(&before).await.unwrap();
        }
        let new = if first { old } else { old.later(60) };
        if !first {
            new.add(&[deb("extra").write(sandbox.path("more"))]).await.unwrap();
        }
        let old_packages = Publisher::on(before.clone()).packages().await;
        let new_packages = new.packages().await;
        let faults = Faults::none();
        new.sync(&faults.on(copy_of(&before).await)).await.unwrap();
        let all = faults.writes();
        assert!(all.len() > 10, "{all:#?}");
        for number in 1..=all.len() {
            for side in SIDES {
                let destination = copy_of(&before).await;
                let faults = Faults::fail(number, side);
                let failed = match new.sync(&faults.on(destination.clone())).await {
                    Err(_) => true,
                    Ok(synced) => !synced.failed.is_empty() || !synced.errors.is_empty(),
                };
                let context = format!("{faults:?} {:?}", faults.writes().last());
                let reader = Publisher::on(destination.clone()).later(60);
                let packages = reader.packages().await;
                assert!(packages == old_packages || packages == new_packages, "{context}: {packages:?}");
                if packages.is_some() {
                    for fault in reader.faults().await {
                        // By-hash clients miss nothing; the canonical names may lag behind.
                        assert!(!fault.path.starts_with("pool/"), "{context}: {fault:?}");
                        assert!(!fault.path.contains("/by-hash/"), "{context}: {fault:?}");
                    }
                }
                // The response of the swap may be lost, and the swap recognized as done.
                assert!(failed || stage(&all[number - 1]) == 4, "{context}");
                let done: Vec<Operation> = faults.writes();
                let faults = Faults::none();
                let synced = new.sync(&faults.on(destination)).await.unwrap();
                assert!(synced.failed.is_empty());
                assert_eq!(reader.packages().await, new_packages, "{context}");
                assert_eq!(reader.faults().await, [], "{context}");
                if side == crate::faults::Side::After {
                    for operation in faults.writes().iter().filter(|operation| stage(operation) == 1) {
                        // At most the files in flight at the interruption are sent again.
                        let sent = done.iter().filter(|before| before.path == operation.path).count();
                        assert!(sent == 0 || first || done.len() < all.len(), "{context}: {operation:?}");
                    }
                }
            }
        }
    }
}

/// A store in memory with the same objects.
async fn copy_of(store: &publish::store::Store) -> publish::store::Store {
    use futures::TryStreamExt as _;
    let copy = memory();
    let objects: Vec<_> = store.objects().list(None).try_collect().await.unwrap();
    for object in objects {
        let path = object.location.as_ref();
        copy.replace(path, store.read(path, LIMIT).await.unwrap().unwrap().bytes).await.unwrap();
    }
    copy
}

#[test]
fn files_sent_before_an_interruption_are_not_sent_again() {
    let sandbox = Sandbox::signed();
    for number in 0..60 {
        deb(&format!("package{number:02}")).write(sandbox.incoming());
    }
    sandbox.publish(["add", "incoming"]).ok();
    // Half of the pool has arrived.
    for number in 0..30 {
        let path = format!("pool/main/p/package{number:02}/package{number:02}_1.0_amd64.deb");
        fs::create_dir_all(sandbox.path("there").join(&path).parent().unwrap()).unwrap();
        fs::copy(sandbox.archive(&path), sandbox.path("there").join(&path)).unwrap();
    }
    let json = sandbox.publish(["sync", "--json", "./there"]).ok();
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    let json = &json["destinations"][0];
    let sent: Vec<&str> =
        json["sent"].as_array().unwrap().iter().map(|sent| sent["path"].as_str().unwrap()).collect();
    assert_eq!(sent.iter().filter(|path| path.starts_with("pool/")).count(), 30, "{sent:?}");
    assert_eq!(json["there"], 30);
}

#[test]
fn a_missing_or_changed_source_file_leaves_the_destination_unchanged() {
    let sandbox = three();
    sandbox.publish(["sync", "./there"]).ok();
    let before = there(&sandbox);
    let file = deb("extra").write(sandbox.path("more"));
    let clock = [("PUBLISH_DATE", "1748736060")];
    sandbox.publish_with(&clock, ["add".as_ref(), file.as_os_str()]).ok();
    let lost = sandbox.archive("pool/main/e/extra/extra_1.0_amd64.deb");
    let bytes = fs::read(&lost).unwrap();
    for damage in ["lost", "changed"] {
        match damage {
            "lost" => fs::remove_file(&lost).unwrap(),
            _ => fs::write(&lost, [&bytes[..bytes.len() - 1], b"x"].concat()).unwrap(),
        }
        let said = sandbox.publish(["sync", "./there"]).fails(1);
        said.says(["cannot copy `pool/main/e/extra/extra_1.0_amd64.deb`", "hint: "]);
        let after = there(&sandbox);
        assert_eq!(after, before, "{damage}");
    }
    fs::write(&lost, bytes).unwrap();
    sandbox.publish(["sync", "./there"]).ok();
    assert_eq!(there(&sandbox), sandbox.tree());
}

#[test]
fn a_package_path_with_other_bytes_is_not_overwritten() {
    let sandbox = three();
    let path = "pool/main/h/hello/hello_1.0_arm64.deb";
    let there = sandbox.path("there").join(path);
    fs::create_dir_all(there.parent().unwrap()).unwrap();
    // Of the same size, so that only the bytes differ.
    let other = vec![b'x'; fs::read(sandbox.archive(path)).unwrap().len()];
    fs::write(&there, &other).unwrap();
    let said = sandbox.publish(["sync", "./there"]).fails(1);
    said.says([
        &format!("cannot copy `{path}`")[..],
        "already exists with different contents",
        "--archive DESTINATION",
    ]);
    assert_eq!(fs::read(&there).unwrap(), other);
    assert!(!sandbox.path("there/dists/stable/InRelease").exists());
}

#[test]
fn a_newer_destination_is_not_rolled_back() {
    let sandbox = three();
    sandbox.ask("cp", ["-a".as_ref(), sandbox.archive("").as_os_str(), sandbox.path("old").as_os_str()]);
    let file = deb("extra").write(sandbox.path("more"));
    let clock = [("PUBLISH_DATE", "1748736060")];
    sandbox.publish_with(&clock, ["add".as_ref(), file.as_os_str()]).ok();
    sandbox.publish(["sync", "./there"]).ok();
    let before = there(&sandbox);
    let said = sandbox.publish(["-a", "old", "sync", "./there"]).fails(1);
    said.says(["suite `stable` in `[SANDBOX]/there` is newer", "--allow-older"]);
    assert_eq!(there(&sandbox), before);
    sandbox.publish(["-a", "old", "sync", "--allow-older", "./there"]).ok();
    let listed = sandbox.publish(["-a", "there", "list"]).ok();
    assert!(!listed.stdout.contains("extra"), "{}", listed.stdout);
    // Files of the newer generation are kept.
    assert!(sandbox.path("there/pool/main/e/extra/extra_1.0_amd64.deb").exists());
}

#[test]
fn a_signed_suite_does_not_become_unsigned() {
    let sandbox = three();
    sandbox.publish(["sync", "./there"]).ok();
    let other = Sandbox::new();
    deb("hello").version("9").write(other.incoming());
    other.publish_with(&[("PUBLISH_DATE", "1748739999")], ["add", "incoming"]).ok();
    let destination = sandbox.path("there");
    let said = other.publish(["sync".as_ref(), destination.as_os_str()]).fails(1);
    said.says(["suite `stable` is signed in", "not here"]);
}

#[test]
fn several_suites_and_their_aliases() {
    let sandbox = three();
    let file = deb("beta").write(sandbox.path("more"));
    sandbox.configure("Codename: stable\nComponents: main\n\nCodename: testing\nComponents: main\n");
    sandbox.publish(["add".as_ref(), "--suite=testing".as_ref(), file.as_os_str()]).ok();
    std::os::unix::fs::symlink("stable", sandbox.archive("dists/bookworm")).unwrap();
    sandbox.publish(["sync", "--suite", "testing", "./there"]).ok();
    assert!(sandbox.path("there/dists/testing/InRelease").exists());
    assert!(!sandbox.path("there/dists/stable").exists());
    sandbox
        .publish(["sync", "./there"])
        .ok()
        .says(["Linked suite `bookworm` to `stable`", "Published suite `stable`"]);
    let read = |path: &str| fs::read(sandbox.path(path)).unwrap();
    assert_eq!(read("there/dists/bookworm/InRelease"), read("there/dists/stable/InRelease"));
    sandbox
        .publish(["sync", "--suite", "nonsense", "./there"])
        .fails(1)
        .says(["there is no suite `nonsense`"]);
}

/// Interrupted between two suites, the destination has the moved packages in both.
#[test]
fn moved_versions_arrive_before_they_are_removed() {
    let sandbox = Sandbox::signed();
    sandbox.configure(
        "Codename: a\nComponents: main\nLimit: 1\nArchive: b\n\nCodename: b\nComponents: main\nLimit: 1\nArchive: c\n\n\
         Codename: c\nComponents: main\n",
    );
    for version in ["1.0", "2.0", "3.0"] {
        let file = deb("hello").version(version).write(sandbox.incoming());
        sandbox.publish(["add".as_ref(), "--suite=a".as_ref(), file.as_os_str()]).ok();
    }
    let json = sandbox.publish(["sync", "--json", "./there"]).ok();
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    let sent = json["destinations"][0]["sent"].as_array().unwrap().iter();
    let pointers: Vec<&str> = sent
        .map(|sent| sent["path"].as_str().unwrap())
        .filter(|path| path.matches('/').count() == 2)
        .collect();
    let swapped: Vec<&&str> = pointers.iter().filter(|path| path.ends_with("/InRelease")).collect();
    assert_eq!(swapped, [&"dists/c/InRelease", &"dists/b/InRelease", &"dists/a/InRelease"]);
}

#[test]
fn further_files_on_request() {
    let sandbox = three();
    for (path, text) in [
        ("index.html", "<h1>Packages</h1>"),
        ("install/setup.sh", "#!/bin/sh\n"),
        ("install/readme.txt", "read me"),
        ("conf/distributions", "Codename: stable\nComponents: main\n"),
        ("secret.txt", "-----BEGIN PGP PRIVATE KEY BLOCK-----\n"),
    ] {
        fs::create_dir_all(sandbox.archive(path).parent().unwrap()).unwrap();
        fs::write(sandbox.archive(path), text).unwrap();
    }
    sandbox.publish(["sync", "./there", "--include", "index.html", "--include", "install/[a-z]*.sh"]).ok();
    let tree = there(&sandbox);
    assert!(tree.has("index.html") && tree.has("install/setup.sh") && !tree.has("install/readme.txt"));
    fs::write(sandbox.archive("index.html"), "<h1>Other</h1>").unwrap();
    sandbox.publish(["sync", "./there", "--include", "index.html"]).ok().says(["Sent 1 object"]);
    for (include, text) in [
        ("conf/distributions", "are private"),
        ("../x", "are private"),
        ("absent.txt", "there is no file `absent.txt`"),
        ("secret.txt", "contains a secret key"),
    ] {
        sandbox.publish(["sync", "./there", "--include", include]).fails(1).says([text]);
    }
    assert!(!there(&sandbox).has("conf/distributions"));
    sandbox.publish(["sync", "./there", "--include", "*"]).fails(1).says(["secret.txt"]);
}

#[test]
fn bad_destinations() {
    let sandbox = three();
    sandbox.publish(["sync", "./archive"]).fails(2).says(["is the archive itself"]);
    // In any spelling, into it or around it, and through links.
    std::os::unix::fs::symlink("archive", sandbox.path("link")).unwrap();
    fs::create_dir(sandbox.path("shared")).unwrap();
    std::os::unix::fs::symlink("../archive/pool", sandbox.path("shared/pool")).unwrap();
    let before = sandbox.tree();
    for inside in [
        "./archive/dists",
        "./archive/pool/x",
        "./archive/new/../x",
        "./incoming/../archive",
        ".",
        "./link",
        "./link/new",
        "./shared",
    ] {
        sandbox.publish(["sync", inside]).fails(2).says(["is inside it or contains it"]);
        assert_eq!(sandbox.tree(), before, "{inside}");
    }
    assert!(!sandbox.path("dists").exists());
    sandbox.publish(["sync"]).fails(2);
    sandbox.publish(["sync", "nonsense://x"]).fails(2);
    fs::write(sandbox.path("file"), "x").unwrap();
    sandbox.publish(["sync", "./file"]).fails(1);
    fs::create_dir_all(sandbox.path("there/dists/stable")).unwrap();
    fs::write(sandbox.path("there/dists/stable/InRelease"), "nonsense").unwrap();
    sandbox.publish(["sync", "./there"]).fails(1).says(["dists/stable/InRelease"]);
    sandbox
        .publish(["sync", "--verify", "./there"])
        .ok()
        .says(["`dists/stable/InRelease` is damaged at the destination"]);
    sandbox.publish(["-a", "there", "check"]).ok();
}

/// Archives of other tools, without by-hash and unsigned: by-hash clients find the files at the destination.
#[test]
fn archives_of_other_tools() {
    let sandbox = Sandbox::new();
    let given = sandbox.path("given");
    fs::create_dir(&given).unwrap();
    deb("old").version("1:1.0~rc1").write(&given);
    deb("old-doc").architecture("all").write(&given);
    sandbox.configure("Codename: bookworm\nSuite: stable\nComponents: main\nArchitectures: amd64 source\nDebIndices: Packages Release . .gz\n");
    let mut reprepro = sandbox.command("reprepro");
    reprepro.args(["--silent", "-b"]).arg(sandbox.archive("")).args(["includedeb", "bookworm"]);
    reprepro.arg(given.join("old_1.0~rc1_amd64.deb")).arg(given.join("old-doc_1.0_all.deb"));
    sandbox.run(reprepro).ok();
    source_package(&sandbox, &given);
    let mut reprepro = sandbox.command("reprepro");
    reprepro.args(["--silent", "-b"]).arg(sandbox.archive("")).args(["includedsc", "bookworm"]);
    reprepro.arg(given.join("tool_1.0.dsc"));
    sandbox.run(reprepro).ok();
    sandbox.publish(["sync", "./there"]).ok();
    let tree = there(&sandbox);
    for path in ["conf/distributions", "db/packages.db"] {
        assert!(sandbox.archive(path).exists() && !tree.has(path), "{path}");
    }
    assert!(tree.has("pool/main/t/tool/tool_1.0.tar.xz"));
    assert!(tree.has("dists/bookworm/main/binary-amd64/Release"));
    for mut apt in Client::all(&sandbox) {
        apt.source(&Source::folder(sandbox.path("there")).trusted().suite("bookworm"));
        apt.updates();
        assert_eq!(apt.candidate("old").as_deref(), Some("1:1.0~rc1"), "{}", apt.name);
        assert!(!apt.download("old-doc").is_empty());
    }
    // Changed by the other tool, and synced again.
    let mut reprepro = sandbox.command("reprepro");
    reprepro.args(["--silent", "-b"]).arg(sandbox.archive("")).args(["includedeb", "bookworm"]);
    reprepro.arg(deb("newer").write(&given));
    std::thread::sleep(std::time::Duration::from_secs(1));
    sandbox.run(reprepro).ok();
    sandbox.publish(["sync", "./there"]).ok().says(["Published suite `bookworm`"]);
    let listed = sandbox.publish(["-a", "there", "list"]).ok();
    assert!(listed.stdout.contains("newer"), "{}", listed.stdout);
}

/// A source package, made by hand.
fn source_package(sandbox: &Sandbox, folder: &Path) {
    let tree = sandbox.path("tool-1.0");
    fs::create_dir_all(&tree).unwrap();
    fs::write(tree.join("README"), "a tool\n").unwrap();
    let tar = folder.join("tool_1.0.tar.xz");
    sandbox.ask(
        "tar",
        ["-C".as_ref(), sandbox.path("").as_os_str(), "-cJf".as_ref(), tar.as_os_str(), "tool-1.0".as_ref()],
    );
    let bytes = fs::read(&tar).unwrap();
    let md5 = sandbox.ask("md5sum", [tar.as_os_str()]);
    let (md5, sha256) = (md5.split(' ').next().unwrap(), crate::sandbox::sha256(&bytes));
    let sha1 = sandbox.ask("sha1sum", [tar.as_os_str()]);
    let (sha1, size) = (sha1.split(' ').next().unwrap(), bytes.len());
    let dsc = format!(
        "Format: 3.0 (native)\nSource: tool\nBinary: tool\nArchitecture: any\nVersion: 1.0\n\
         Maintainer: A <a@example.org>\nStandards-Version: 4.6.2\nSection: utils\nPriority: optional\n\
         Checksums-Sha1:\n {sha1} {size} tool_1.0.tar.xz\nChecksums-Sha256:\n {sha256} {size} tool_1.0.tar.xz\n\
         Files:\n {md5} {size} tool_1.0.tar.xz\n"
    );
    fs::write(folder.join("tool_1.0.dsc"), dsc).unwrap();
}

/// A publish at the destination during a sync: the sync loses the race, and the newer generation is not undone.
#[tokio::test]
async fn a_sync_loses_the_race_with_a_publish() {
    let sandbox = three();
    let source = folder(sandbox.archive(""));
    let destination = memory();
    Publisher::on(source.clone()).sync(&destination).await.unwrap();
    let publisher = Publisher::on(source).later(60);
    publisher.add(&[deb("extra").write(sandbox.path("more"))]).await.unwrap();
    // The swap is the write after one pool file, three indices and two files of the generation.
    let (faults, gate) = Faults::wait(7, crate::faults::Side::Before);
    let slow = faults.on(destination.clone());
    let syncing = async {
        let synced = publisher.sync(&slow).await;
        (synced, faults.writes())
    };
    let other = async {
        gate.reached().await;
        let direct = Publisher::on(destination.clone()).later(3600);
        direct.add(&[deb("direct").write(sandbox.path("other"))]).await.unwrap();
        gate.open();
    };
    let ((synced, writes), ()) = tokio::join!(syncing, other);
    assert_eq!(stage(&writes[6]), 4, "{writes:#?}");
    let errors = synced.unwrap().errors;
    assert!(matches!(errors[..], [publish::archive::Error::Older { .. }]), "{errors:?}");
    let packages = Publisher::on(destination).packages().await.unwrap();
    assert!(packages.iter().any(|package| package.starts_with("direct ")), "{packages:?}");
}

#[test]
fn the_fixtures_are_synced_byte_for_byte() {
    let sandbox = Sandbox::signed();
    sandbox.publish(["add".as_ref(), fixture("debs").as_os_str()]).ok();
    sandbox.publish(["sync", "--concurrency", "1", "./there"]).ok();
    assert_eq!(there(&sandbox), sandbox.tree());
}

#[test]
fn verify_resends_damaged_or_lost_files() {
    let sandbox = three();
    sandbox.publish(["sync", "./there"]).ok();
    let whole = there(&sandbox);
    let lost = "pool/main/h/hello/hello_1.0_arm64.deb";
    let changed = "pool/main/h/hello-doc/hello-doc_1.0_all.deb";
    fs::remove_file(sandbox.path("there").join(lost)).unwrap();
    let bytes = fs::read(sandbox.path("there").join(changed)).unwrap();
    fs::write(sandbox.path("there").join(changed), vec![b'x'; bytes.len()]).unwrap();
    let by_hash =
        sandbox.ask("sh", ["-c", "ls -d there/dists/stable/main/binary-arm64/by-hash/SHA256/* | head -1"]);
    fs::write(sandbox.path(by_hash.trim()), "nonsense").unwrap();
    fs::remove_file(sandbox.path("there/dists/stable/main/binary-amd64/Packages.gz")).unwrap();
    // Without `--deep`, the damage is not detected: the pointers are the same.
    sandbox.publish(["sync", "./there"]).ok().says(["Nothing to do"]);
    sandbox.publish(["sync", "-n", "--verify", "-v", "./there"]).ok().says([
        "Would send 4 objects",
        lost,
        changed,
    ]);
    let said = sandbox.publish(["sync", "--verify", "./there"]).ok();
    said.says(["Sent 4 objects"]);
    assert_eq!(there(&sandbox), whole);
    sandbox.publish(["sync", "--verify", "./there"]).ok().says(["Nothing to do"]);
}

#[test]
fn files_that_clients_may_still_need_are_not_deleted() {
    let sandbox = three();
    let sync = |more: &[&str]| sandbox.publish([&["sync", "--delete", "./there"], more].concat()).ok();
    let gone = "pool/main/h/hello-doc/hello-doc_1.0_all.deb";
    sandbox.publish(["sync", "./there"]).ok();
    sandbox.publish(["remove", "hello-doc"]).ok();
    // Immediately afterwards, while clients may have the old generation, nothing is deleted.
    sync(&["--keep-generations", "1"]);
    assert!(there(&sandbox).has(gone));
    age(&sandbox.path("there"), 6);
    sync(&["--keep-generations", "1"]).says(["Nothing to do"]);
    assert!(there(&sandbox).has(gone));
    // As many generations as requested are kept, whatever their age.
    age(&sandbox.path("there"), 2);
    sync(&[]).says(["Nothing to do"]);
    assert!(there(&sandbox).has(gone));
    let before = there(&sandbox);
    let clock = sandbox.ask("date", ["+%s"]);
    let plan = ["sync", "-n", "--delete", "--keep-generations", "1", "-v", "./there"];
    let said = sandbox.publish_with(&[("PUBLISH_DATE", clock.trim())], plan).ok();
    said.says(["Would delete 10 objects", gone]);
    assert_eq!(there(&sandbox), before);
    sync(&["--keep-generations", "1"]).says(["Deleted "]);
    assert!(!there(&sandbox).has(gone));
    assert!(sandbox.archive(gone).exists(), "the source is not touched");
    // All published files exist.
    sandbox.publish(["-a", "there", "check"]).ok();
    assert_eq!(there(&sandbox).paths_with("/generations/").len(), 3);
    sync(&["--keep-generations", "1"]).says(["Nothing to do"]);
}

#[test]
fn a_file_that_is_referenced_again_is_not_deleted() {
    let sandbox = three();
    sandbox.publish(["sync", "./there"]).ok();
    let path = "pool/main/h/hello-doc/hello-doc_1.0_all.deb";
    sandbox.publish(["remove", "hello-doc"]).ok();
    sandbox.publish(["sync", "./there"]).ok();
    age(&sandbox.path("there"), 8);
    sandbox.publish(["add".as_ref(), sandbox.archive(path).as_os_str()]).ok();
    sandbox.publish(["sync", "-v", "--delete", "--keep-generations", "1", "./there"]).ok();
    assert!(there(&sandbox).has(path));
    sandbox.publish(["-a", "there", "check"]).ok();
}

#[test]
fn destinations_have_names() {
    let sandbox = three();
    let destinations = "Name: near\nLocation: near\nSuites: stable\nInclude: index.html\n\n\
        Name: far\nLocation: ./far\nPublic-Url: https://packages.example.org/apt/\nPurge:\n cat > purged\n !env > environment\n";
    fs::create_dir_all(sandbox.archive("conf")).unwrap();
    fs::write(sandbox.archive("conf/destinations"), destinations).unwrap();
    fs::write(sandbox.archive("index.html"), "<h1>Packages</h1>").unwrap();
    sandbox.publish(["sync", "near"]).ok();
    assert!(Tree::read(&sandbox.path("near")).has("index.html"));
    assert!(!sandbox.path("far").exists());
    let said = sandbox.publish(["sync", "--all"]).ok();
    said.says(["Nothing to do: [SANDBOX]/near", "Published suite `stable` in [SANDBOX]/far", "Purged "]);
    assert!(said.stdout.contains("URIs: https://packages.example.org/apt\n"), "{}", said.stdout);
    let purged = fs::read_to_string(sandbox.path("purged")).unwrap();
    let urls: Vec<&str> = purged.lines().collect();
    assert!(urls.contains(&"https://packages.example.org/apt/dists/stable/InRelease"), "{purged}");
    assert!(urls.contains(&"https://packages.example.org/apt/dists/stable/main/binary-amd64/Packages.xz"));
    assert!(urls.iter().all(|url| !url.contains("/pool/") && !url.contains("by-hash")), "{purged}");
    assert!(fs::read_to_string(sandbox.path("environment")).unwrap().contains("PUBLISH_DESTINATION=far\n"));
    fs::remove_file(sandbox.path("purged")).unwrap();
    sandbox.publish(["sync", "far"]).ok().says(["Nothing to do"]);
    assert!(!sandbox.path("purged").exists(), "nothing changed");

    sandbox.publish(["sync", "nowhere"]).fails(1).says([
        "there is no destination `nowhere`",
        "`near`, `far`",
        "write `./nowhere`",
    ]);
    fs::remove_file(sandbox.archive("conf/destinations")).unwrap();
    sandbox.publish(["sync", "nowhere"]).fails(1).says(["conf/destinations names none", "write `./nowhere`"]);
    assert!(!sandbox.path("nowhere").exists(), "a mistyped name must not create a folder");
    fs::create_dir(sandbox.path("empty")).unwrap();
    sandbox.publish(["sync", "empty"]).ok().says(["Published suite `stable`"]);
    sandbox.publish(["sync", "--all", "near"]).fails(2);
    // A failed destination does not stop the others.
    let text = "Name: broken\nLocation: broken\n\nName: sound\nLocation: sound\n";
    fs::write(sandbox.archive("conf/destinations"), text).unwrap();
    fs::write(sandbox.path("broken"), "a file").unwrap();
    sandbox.publish(["sync", "--all"]).fails(1);
    assert_eq!(Tree::read(&sandbox.path("sound")).paths_with("pool/").len(), 3);
    let text = "Name: far\nLocation: far\nPurge: cat\n";
    fs::write(sandbox.archive("conf/destinations"), text).unwrap();
    sandbox.publish(["sync", "far"]).fails(1).says(["has `Purge:` and no `Public-Url:`"]);
    // A failed purge is reported, and the published suite is kept.
    let text = "Name: far\nLocation: late\nPublic-Url: http://localhost/\nPurge: false\n";
    fs::write(sandbox.archive("conf/destinations"), text).unwrap();
    sandbox.publish(["sync", "far"]).fails(1).says(["the archive is published"]);
    assert_eq!(Tree::read(&sandbox.path("late")).paths_with("pool/").len(), 3);
}

#[test]
fn an_archive_on_the_web_is_mirrored() {
    let sandbox = three();
    let web = crate::web::Web::of(sandbox.archive(""));
    let said = sandbox.publish(["-a", &web.url, "sync", "--suite", "stable", "./there"]).ok();
    said.says(["Published suite `stable`"]);
    let mut expected = sandbox.tree();
    let mut found = there(&sandbox);
    // The name of the generation follows from `Date` alone.
    for tree in [&mut expected, &mut found] {
        tree.forget("/generations/");
    }
    assert_eq!(found, expected);
    let listed = sandbox.publish(["-a", &web.url, "list", "--suite", "stable"]).ok();
    assert_eq!(listed.stdout.lines().count(), 3, "{}", listed.stdout);
    sandbox.publish(["-a", &web.url, "check", "--suite", "stable"]).ok();
    sandbox.publish(["-a", &web.url, "list"]).fails(2).says(["--suite"]);
    web.requests();
    sandbox.publish(["-a", &web.url, "sync", "--suite", "stable", "./there"]).ok().says(["Nothing to do"]);
    sandbox.publish(["-a", &web.url, "sync", "./there"]).fails(2).says(["no suite given", "--suite NAME"]);
    sandbox.publish(["sync", &web.url]).fails(2).says(["is read-only"]);
    sandbox.publish(["-a", "there", "check"]).ok();
}
