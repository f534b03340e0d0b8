//! Tests of `publish rollback`: an earlier generation is published again, and clients see it.

use std::{fs, time::Duration};

use publish::archive::{Error, GRACE, Keep};

use crate::{
    apt_client::{Client, Source},
    buckets,
    deb_builder::deb,
    faults::{Faults, Side},
    publisher::{Publisher, left_over},
    sandbox::{CLOCK, Sandbox, fixture, is_root, skipped},
};

/// An archive that had `hello` 1.0 for a minute, and then 2.0 instead.
fn upgraded() -> Sandbox {
    let sandbox = Sandbox::signed();
    deb("hello").write(sandbox.path("one"));
    deb("hello").version("2.0").write(sandbox.path("two"));
    sandbox.configure("Codename: stable\nComponents: main\nArchitectures: amd64\nLimit: 1\n");
    sandbox.publish_after(0, &["add", sandbox.path("one").to_str().unwrap()]).ok();
    sandbox.publish_after(60, &["add", sandbox.path("two").to_str().unwrap()]).ok();
    sandbox
}

/// The name of the generation of a time.
fn state(sandbox: &Sandbox, seconds: u64) -> String {
    let folder = fs::read_dir(sandbox.archive("dists/stable/generations")).unwrap();
    let mut names: Vec<String> =
        folder.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let time = CLOCK.parse::<u64>().unwrap() + seconds;
    let date = sandbox.ask("date", ["-u", "-d", &format!("@{time}"), "+%Y%m%dT%H%M%SZ"]);
    names.into_iter().find(|name| name.starts_with(date.trim())).unwrap()
}

/// The version does not change, but its bytes or its phased percentage do.
#[test]
fn changes_within_one_version_are_reported() {
    let sandbox = Sandbox::signed();
    sandbox.configure("Codename: stable\nComponents: main\nArchitectures: amd64 arm64\nMutable: yes\n");
    for night in ["monday", "tuesday"] {
        deb("hello").architecture("all").payload(night).write(sandbox.path(night));
    }
    let world = deb("world").write(sandbox.incoming());
    let world = world.to_str().unwrap();
    sandbox.publish_after(0, &["add", world, "monday"]).ok();
    sandbox.publish_after(60, &["add", world, "--phased", "30"]).ok();
    sandbox.publish_after(120, &["add", "tuesday", "--replace"]).ok();
    let monday = state(&sandbox, 0);
    sandbox.publish_after(180, &["rollback", "-n", "--to", &monday]).ok().says([
        "Would replace 1 package in suite `stable`",
        "  ! hello 1.0 all (main)",
        "Would offer world 1.0 amd64 to 100 % of machines, instead of 30 %",
    ]);
    let said = sandbox.publish_after(180, &["rollback", "--json"]).ok().stdout;
    let json: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(json["replaced"].as_array().unwrap().len(), 1, "{json}");
    assert_eq!(
        (&json["added"], &json["removed"], &json["phased"]),
        (&json["present"], &json["present"], &json["present"])
    );
}

#[test]
fn clients_see_the_earlier_version_and_the_later_one_again() {
    let sandbox = upgraded();
    let source = Source::folder(sandbox.archive("")).signed_by(fixture("keys/test.pub.asc"));
    let mut clients = Client::all(&sandbox);
    for apt in &mut clients {
        apt.source(&source);
        apt.updates();
        assert_eq!(apt.candidate("hello").as_deref(), Some("2.0"));
    }
    let before = sandbox.tree();
    let said = sandbox.publish_after(120, &["rollback", "--dry-run"]).ok();
    said.says(["Would add 1 package", "  + hello 1.0 amd64 (main)", "  - hello 2.0 amd64 (main)"]);
    assert_eq!(sandbox.tree(), before);
    let said = sandbox.publish_after(120, &["rollback"]).ok();
    said.says(["Published suite `stable`", &state(&sandbox, 0), "--allow-downgrades"]);
    // No published file is missing: the later generation is kept, too.
    sandbox.tree().keeps(&before, &["dists/stable/InRelease", "dists/stable/Release", "dists/stable/main"]);
    for apt in &clients {
        apt.updates();
        assert_eq!(apt.candidate("hello").as_deref(), Some("1.0"), "{}", apt.name);
        assert!(!apt.download("hello").is_empty());
    }
    sandbox.publish_after(120, &["check"]).ok();
    // And forward again.
    sandbox.publish_after(180, &["rollback"]).ok().says(["  + hello 2.0 amd64", &state(&sandbox, 60)]);
    for apt in &clients {
        apt.updates();
        assert_eq!(apt.candidate("hello").as_deref(), Some("2.0"), "{}", apt.name);
    }
}

#[test]
fn the_downgrade_of_clients_is_explained() {
    if !is_root() {
        skipped("an installation needs root");
        return;
    }
    let sandbox = upgraded();
    let source = Source::folder(sandbox.archive("")).signed_by(fixture("keys/test.pub.asc"));
    let mut clients = Client::all(&sandbox);
    for apt in &mut clients {
        apt.source(&source);
        apt.updates();
        apt.install(&["hello"]).ok();
    }
    sandbox.publish_after(120, &["rollback"]).ok();
    for apt in &clients {
        apt.updates();
        assert_eq!(apt.candidate("hello").as_deref(), Some("2.0"), "{}: what is installed stays", apt.name);
        apt.install(&["--allow-downgrades", "hello=1.0"]).ok();
        assert_eq!(apt.candidate("hello").as_deref(), Some("1.0"), "{}", apt.name);
    }
}

#[test]
fn a_generation_is_named_by_its_prefix() {
    let sandbox = upgraded();
    let before = sandbox.tree();
    let (first, second) = (state(&sandbox, 0), state(&sandbox, 60));
    let said = sandbox.publish_after(120, &["rollback", "--to", "1999"]).fails(1);
    said.says(["no generation `1999` of suite `stable` is retained", &first, &second, "hint: "]);
    sandbox.publish_after(120, &["rollback", "--to", "2"]).fails(1).says([
        "more than one generation",
        &first,
        &second,
    ]);
    let said = sandbox.publish_after(120, &["rollback", "--to", &second]).ok();
    said.says(["Nothing to do", "already"]);
    sandbox.publish_after(120, &["rollback", "no-such-suite"]).fails(1);
    sandbox.publish_after(120, &["rollback", "stable", "--suite", "stable"]).fails(2);
    let as_logged = format!("stable@{first}");
    for arguments in
        [&["--to", &as_logged][..], &["stable", "--to", &as_logged], &["--suite", "stable", "--to", &first]]
    {
        let said = sandbox.publish_after(120, &[&["rollback", "--dry-run"], arguments].concat()).ok();
        said.says(["It would have the content of generations/", &first]);
    }
    let other = format!("testing@{first}");
    sandbox
        .publish_after(120, &["rollback", "stable", "--to", &other])
        .fails(2)
        .says(["names a generation of suite `testing`, and the suite to change is `stable`"]);
    assert_eq!(sandbox.tree(), before);
    let said = sandbox.publish_after(120, &["--json", "rollback", "stable", "--to", &first[..16]]).ok();
    let said: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!((&said["published"], said["based_on"].as_str()), (&true.into(), Some(&first[..])));
    // A re-signed generation does not count as another one.
    sandbox.publish_after(180, &["refresh", "--force"]).ok();
    sandbox.publish_after(240, &["rollback"]).ok().says(["  + hello 2.0 amd64"]);
}

#[test]
fn missing_and_foreign_generations_are_refused() {
    let sandbox = upgraded();
    let first = state(&sandbox, 0);
    let file = sandbox.archive("pool/main/h/hello/hello_1.0_amd64.deb");
    let bytes = fs::read(&file).unwrap();
    for damage in [None, Some(&bytes[1..])] {
        fs::remove_file(&file).unwrap();
        if let Some(bytes) = damage {
            fs::write(&file, bytes).unwrap();
        }
        let before = sandbox.tree();
        let said = sandbox.publish_after(120, &["rollback"]).fails(1);
        said.says(["cannot roll suite", &first, "hello_1.0_amd64.deb", "hint: "]);
        assert_eq!(sandbox.tree(), before);
        fs::write(&file, &bytes).unwrap();
    }
    // An attacker without the key writes a generation with a matching name.
    let forged = b"Codename: stable\nDate: Sun, 01 Jun 2025 00:00:30 UTC\nArchitectures: amd64\nComponents: main\nSHA256:\n";
    let name = format!("20250601T000030Z-{}", &crate::sandbox::sha256(forged)[..8]);
    let folder = sandbox.archive("dists/stable/generations").join(&name);
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("Release"), forged).unwrap();
    fs::write(folder.join("published"), "published\n").unwrap();
    let before = sandbox.tree();
    sandbox.publish_after(120, &["rollback", "--to", &name]).fails(1).says(["is not signed"]);
    // A modified one is refused too.
    let pointer = sandbox.archive("dists/stable/generations").join(&first).join("InRelease");
    let text = fs::read_to_string(&pointer).unwrap();
    fs::write(&pointer, text.replace("Codename: stable", "Codename: stabl3")).unwrap();
    sandbox.publish_after(120, &["rollback", "--to", &first]).fails(1).says(["does not match its name"]);
    fs::write(&pointer, text).unwrap();
    assert_eq!(sandbox.tree(), before);
}

/// Each form of each index and each package of a retained generation, with one bit changed: the size does not reveal
/// it.
#[test]
fn damaged_generations_are_refused() {
    let sandbox = upgraded();
    let (first, now) = (state(&sandbox, 0), sandbox.read("dists/stable/Release"));
    let mut files = sandbox.tree().paths_with("/by-hash/");
    files.retain(|path| !now.contains(&path[path.len() - 64..]));
    assert_eq!(files.len(), 3);
    let package = "pool/main/h/hello/hello_1.0_amd64.deb".to_owned();
    files.push(package.clone());
    for path in files {
        let file = sandbox.archive(&path);
        let whole = fs::read(&file).unwrap();
        let mut rotten = whole.clone();
        rotten[whole.len() / 2] ^= 1;
        fs::write(&file, rotten).unwrap();
        let before = sandbox.tree();
        // The cache of this machine would hide the change in the archive.
        fs::remove_dir_all(sandbox.path("cache")).ok();
        let said = sandbox.publish_after(120, &["rollback"]).fails(1);
        said.says(["cannot roll suite", &first, "missing or damaged", &path, "hint: "]);
        assert_eq!(sandbox.tree(), before);
        // Only a rollback reads the packages of old generations.
        if path != package {
            let found = sandbox.publish_after(120, &["check"]).fails(4).stdout;
            assert!(found.contains(&format!("{path}: its bytes differ")), "{found}");
        }
        fs::write(&file, whole).unwrap();
    }
    sandbox.publish_after(120, &["check"]).ok();
    sandbox.publish_after(120, &["rollback"]).ok();
    sandbox.publish_after(120, &["check"]).ok();
}

/// A version that was removed, deleted from the pool by hand, and added with other bytes at the same path.
/// Files that are listed beside the indices are held to their digests too; one that is stored no more is not listed.
#[test]
fn other_files_of_a_generation_are_verified() {
    let sandbox = Sandbox::new();
    deb("hello").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok();
    let attach = |content: &str, seconds: u64| {
        fs::write(sandbox.path("extra"), content).unwrap();
        let attach = ["attach", "extra", "--as", "main/dep11/Components-amd64.yml", "--compress", "gz"];
        sandbox.publish_after(seconds, &attach).ok();
    };
    attach("first", 60);
    let listed: Vec<String> = sandbox.tree().paths_with("dep11/by-hash/");
    assert!(!listed.is_empty());
    attach("second", 120);
    for path in &listed {
        fs::write(sandbox.archive(path), "other bytes").unwrap();
    }
    let before = sandbox.tree();
    sandbox.publish_after(180, &["rollback"]).fails(1).says([&*listed[0]]);
    assert_eq!(sandbox.tree(), before);
    for path in &listed {
        fs::remove_file(sandbox.archive(path)).unwrap();
    }
    sandbox.publish_after(240, &["rollback"]).ok().says(["is not stored any more"]);
    let release = fs::read_to_string(sandbox.archive("dists/stable/Release")).unwrap();
    assert!(!release.contains("dep11") && release.contains("main/binary-amd64/Packages"), "{release}");
    sandbox.publish_after(240, &["check"]).ok();
}

#[test]
fn a_generation_whose_package_has_other_bytes_now_is_refused() {
    let sandbox = Sandbox::signed();
    for build in ["first", "second"] {
        deb("hello").payload(build).write(sandbox.path(build));
    }
    let file = "pool/main/h/hello/hello_1.0_amd64.deb";
    sandbox.publish_after(0, &["add", "first"]).ok();
    sandbox.publish_after(60, &["remove", "hello"]).ok();
    sandbox.publish_after(60, &["check"]).ok();
    fs::remove_file(sandbox.archive(file)).unwrap();
    sandbox.publish_after(120, &["add", "second"]).ok();
    let first = state(&sandbox, 0);
    let said = sandbox.publish_after(180, &["rollback", "--to", &first]).fails(1);
    said.says(["cannot roll suite", "missing or damaged", file]);
    let found = sandbox.publish_after(180, &["check"]).fails(4).stdout;
    assert!(found.contains(&format!("{file}: retained generations of the suite disagree")), "{found}");
}

#[tokio::test]
async fn a_bucket_is_rolled_back_too() {
    let sandbox = Sandbox::signed();
    let (one, two) = (deb("one").write(sandbox.incoming()), deb("two").write(sandbox.incoming()));
    for bucket in buckets::each() {
        let publisher = Publisher::on(bucket.store());
        publisher.add(std::slice::from_ref(&one)).await.unwrap();
        let publisher = publisher.later(10);
        publisher.add(std::slice::from_ref(&two)).await.unwrap();
        let publisher = publisher.later(10);
        assert!(publisher.roll_back().await.unwrap().published);
        assert_eq!(publisher.packages().await.unwrap(), ["one 1.0 amd64 of amd64"], "{}", bucket.location);
        assert_eq!(publisher.faults().await, []);
    }
}

/// The generation is deleted during a rollback: the rollback is stopped at each of its writes while a prune runs.
#[tokio::test(flavor = "multi_thread")]
async fn a_prune_races_with_a_rollback() {
    let sandbox = Sandbox::signed();
    deb("one").write(sandbox.incoming());
    deb("two").write(sandbox.incoming());
    let keep = Keep { generations: 1, span: Duration::from_secs(60 * 60) };
    let faults = Faults::none();
    Publisher::on(faults.on(left_over(&sandbox).await)).later(20).roll_back().await.unwrap();
    let writes = faults.writes();
    assert!(writes.iter().any(|write| write.path.starts_with(".publish/holds/")), "{writes:?}");
    let mut outcomes = [0, 0];
    for (at, write) in writes.iter().enumerate() {
        let store = left_over(&sandbox).await;
        let (faults, gate) = Faults::wait(at + 1, Side::Before);
        let publisher = Publisher::on(faults.on(store.clone())).later(20);
        let meanwhile = async {
            gate.reached().await;
            Publisher::on(store.clone()).later(20).prune(keep, GRACE).await.unwrap();
            gate.open();
        };
        let (done, ()) = tokio::join!(publisher.roll_back(), meanwhile);
        let publisher = Publisher::on(store.clone()).later(30);
        let expected = match done {
            Ok(outcome) => {
                assert!(outcome.published);
                outcomes[0] += 1;
                2
            }
            Err(Error::NoGeneration { .. } | Error::IncompleteGeneration { .. }) => {
                outcomes[1] += 1;
                1
            }
            Err(error) => panic!("{write:?}: {error}"),
        };
        assert_eq!(publisher.packages().await.unwrap().len(), expected, "{write:?}");
        assert_eq!(publisher.faults().await, [], "{write:?}");
    }
    assert!(outcomes.iter().all(|count| *count > 0), "{outcomes:?}");
}
