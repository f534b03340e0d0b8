//! Tests of `publish check`: each kind of damage is found and named.

use std::fs;

use crate::{
    deb_builder::deb,
    sandbox::{Sandbox, fixture},
};

const INDEX: &str = "dists/stable/main/binary-amd64";

fn sound(sandbox: Sandbox) -> Sandbox {
    deb("hello").write(sandbox.incoming());
    deb("hello-doc").architecture("all").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok();
    sandbox.publish(["check"]).ok();
    sandbox
}

/// Damages a sound archive and checks that `check` reports the path.
#[track_caller]
fn finds(sandbox: &Sandbox, path: &str, damage: impl FnOnce(&Sandbox)) {
    damage(sandbox);
    let before = sandbox.tree();
    let outcome = sandbox.publish(["check"]);
    assert_eq!(outcome.status, Some(4), "{outcome}");
    assert!(outcome.stdout.lines().any(|line| line.contains(path)), "{path}: {outcome}");
    assert_eq!(sandbox.tree(), before, "looking changes nothing");
}

fn remove(sandbox: &Sandbox, path: &str) {
    fs::remove_file(sandbox.archive(path)).unwrap();
}

/// Changes one byte and keeps the size.
fn flip(sandbox: &Sandbox, path: &str) {
    let mut bytes = fs::read(sandbox.archive(path)).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(sandbox.archive(path), bytes).unwrap();
}

fn by_hash(sandbox: &Sandbox) -> String {
    sandbox.tree().paths_with("by-hash/SHA256/").remove(0)
}

#[test]
fn a_sound_archive_is_sound() {
    sound(Sandbox::new());
    sound(Sandbox::signed());
}

#[test]
fn a_missing_pool_file_is_found() {
    let pool = "pool/main/h/hello/hello_1.0_amd64.deb";
    finds(&sound(Sandbox::new()), pool, |archive| remove(archive, pool));
}

#[test]
fn other_bytes_of_a_pool_file_are_found() {
    let pool = "pool/main/h/hello/hello_1.0_amd64.deb";
    finds(&sound(Sandbox::new()), pool, |archive| flip(archive, pool));
}

#[test]
fn a_shortened_pool_file_is_found() {
    let pool = "pool/main/h/hello/hello_1.0_amd64.deb";
    finds(&sound(Sandbox::new()), pool, |archive| fs::write(archive.archive(pool), "!<arch>\n").unwrap());
}

#[test]
fn a_missing_index_is_found() {
    for name in ["Packages", "Packages.gz", "Packages.xz"] {
        let path = format!("{INDEX}/{name}");
        finds(&sound(Sandbox::new()), &path, |archive| remove(archive, &path));
    }
}

#[test]
fn other_bytes_of_an_index_are_found() {
    for name in ["Packages", "Packages.gz", "Packages.xz"] {
        let path = format!("{INDEX}/{name}");
        finds(&sound(Sandbox::new()), &path, |archive| flip(archive, &path));
    }
}

#[test]
fn a_missing_by_hash_file_is_found() {
    let sandbox = sound(Sandbox::new());
    let path = by_hash(&sandbox);
    finds(&sandbox, &path, |archive| remove(archive, &path));
}

#[test]
fn other_bytes_of_a_by_hash_file_are_found() {
    let sandbox = sound(Sandbox::new());
    let path = by_hash(&sandbox);
    finds(&sandbox, &path, |archive| flip(archive, &path));
}

#[test]
fn an_index_missing_in_every_form_is_found() {
    finds(&sound(Sandbox::new()), INDEX, |archive| fs::remove_dir_all(archive.archive(INDEX)).unwrap());
}

#[test]
fn a_release_that_differs_from_inrelease_is_found() {
    finds(&sound(Sandbox::signed()), "dists/stable/Release", |archive| {
        let path = archive.archive("dists/stable/Release");
        fs::write(&path, fs::read_to_string(&path).unwrap().replace("Suite: stable", "Suite: stapel"))
            .unwrap();
    });
}

#[test]
fn a_missing_old_style_signature_is_found() {
    let path = "dists/stable/Release.gpg";
    finds(&sound(Sandbox::signed()), path, |archive| remove(archive, path));
}

#[test]
fn another_old_style_signature_is_found() {
    finds(&sound(Sandbox::signed()), "dists/stable/Release.gpg", |archive| {
        let other = sound(Sandbox::signed());
        let file = deb("other").write(other.incoming());
        other.publish(["add".as_ref(), file.as_os_str()]).ok();
        fs::copy(other.archive("dists/stable/Release.gpg"), archive.archive("dists/stable/Release.gpg"))
            .unwrap();
    });
}

#[test]
fn a_changed_inrelease_is_found() {
    finds(&sound(Sandbox::signed()), "dists/stable", |archive| {
        let path = archive.archive("dists/stable/InRelease");
        fs::write(&path, fs::read_to_string(&path).unwrap().replace("Suite: stable", "Suite: stapel"))
            .unwrap();
    });
}

#[test]
fn a_pointer_that_does_not_parse_is_found() {
    finds(&sound(Sandbox::new()), "dists/stable", |archive| {
        fs::write(archive.archive("dists/stable/Release"), "this is no stanza\n").unwrap();
    });
}

#[test]
fn an_invalid_valid_until_is_found() {
    finds(&sound(Sandbox::new()), "`Valid-Until` cannot be read", |archive| {
        let path = archive.archive("dists/stable/Release");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace("Date: ", "Valid-Until: soon\nDate: ")).unwrap();
    });
}

#[test]
fn a_suite_that_clients_no_longer_accept_is_found() {
    let sandbox = Sandbox::new();
    sandbox.configure("Codename: stable\nComponents: main\nArchitectures: amd64\nValidFor: 1d\n");
    deb("hello").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok();
    sandbox.publish(["check"]).ok();
    let outcome = sandbox.publish_with(&[("PUBLISH_DATE", "1749000000")], ["check"]);
    assert_eq!(outcome.status, Some(4), "{outcome}");
    assert!(outcome.stdout.contains("Valid-Until"), "{outcome}");
}

#[test]
fn a_suite_signed_by_an_unknown_key_is_found() {
    let sandbox = sound(Sandbox::signed());
    let key = fixture("keys/second.asc");
    let other = sound(Sandbox::new());
    fs::remove_dir_all(other.archive("dists")).unwrap();
    other.publish(["--sign-with".as_ref(), key.as_os_str(), "add".as_ref(), "incoming".as_ref()]).ok();
    finds(&sandbox, "dists/stable", |archive| {
        for name in ["InRelease", "Release", "Release.gpg"] {
            let path = format!("dists/stable/{name}");
            fs::copy(other.archive(&path), archive.archive(&path)).unwrap();
        }
    });
}

#[test]
fn the_missing_steps_of_a_killed_publisher_are_repaired() {
    let sandbox = sound(Sandbox::signed());
    let whole = sandbox.tree();
    flip(&sandbox, &format!("{INDEX}/Packages"));
    remove(&sandbox, &format!("{INDEX}/Packages.gz"));
    sandbox.publish(["check"]).fails(4);
    sandbox.publish(["check", "--repair"]).ok();
    assert_eq!(sandbox.tree(), whole);
}

/// The same for `Release` and `Release.gpg`; no key is needed, because the signature was stored.
#[test]
fn the_pair_of_release_and_signature_is_repaired() {
    let sandbox = sound(Sandbox::signed());
    let suite = sandbox.archive("dists/stable");
    let old = ["Release", "Release.gpg"].map(|name| fs::read(suite.join(name)).unwrap());
    let other = deb("other").write(sandbox.incoming());
    sandbox.publish(["add".as_ref(), other.as_os_str()]).ok();
    let whole = sandbox.tree();
    // Before the first of the two is written, between them, and before the second.
    let cases: [&dyn Fn(); 3] = [
        &|| {
            fs::write(suite.join("Release"), &old[0]).unwrap();
            fs::write(suite.join("Release.gpg"), &old[1]).unwrap();
        },
        &|| fs::write(suite.join("Release.gpg"), &old[1]).unwrap(),
        &|| fs::remove_file(suite.join("Release.gpg")).unwrap(),
    ];
    for leave in cases {
        leave();
        let found = sandbox.publish(["check"]);
        assert_eq!(found.status, Some(4), "{found}");
        sandbox.publish(["check", "--repair"]).ok();
        assert_eq!(sandbox.tree(), whole);
        leave();
        sandbox.publish(["add".as_ref(), other.as_os_str()]).ok();
        assert_eq!(sandbox.tree(), whole);
    }
}

#[test]
fn a_signed_and_an_unsigned_suite_may_coexist() {
    let sandbox = Sandbox::new();
    let key = fixture("keys/protected.asc");
    sandbox.configure(&format!(
        "Codename: stable\nComponents: main\nSignWith: {}\n\nCodename: nightly\nComponents: main\n\n\
         Codename: stable/updates\nComponents: main\n",
        key.display()
    ));
    let file = deb("hello").write(sandbox.incoming());
    for suite in ["stable", "nightly", "stable/updates"] {
        let arguments = ["add".as_ref(), "-s".as_ref(), suite.as_ref(), file.as_os_str()];
        sandbox.publish_with(&[("PUBLISH_PASSPHRASE", "correct horse")], arguments).ok();
    }
    // Checking needs no passphrase; a suite inside another one is found by its name.
    let said = sandbox.publish(["check"]).ok();
    assert!(!said.stderr.contains("not checked"), "{}", said.stderr);
    assert_eq!(sandbox.publish(["list", "-s", "stable/updates"]).ok().stdout.lines().count(), 1);
    sandbox.publish(["check", "-s", "stable/updates"]).ok();
    assert_eq!(sandbox.publish(["list"]).ok().stdout.lines().count(), 3);
    // A missing signature is still a fault.
    for name in ["InRelease", "Release.gpg"] {
        fs::remove_file(sandbox.archive("dists/stable").join(name)).unwrap();
    }
    let outcome = sandbox.publish(["check"]);
    assert!(outcome.status == Some(4) && outcome.stdout.contains("dists/stable/Release"), "{outcome}");
}

#[test]
fn a_key_that_has_expired_since_is_found() {
    let sandbox = Sandbox::new();
    let key = fixture("keys/expired.asc");
    deb("hello").write(sandbox.incoming());
    let earlier = [("PUBLISH_DATE", "1590000000"), ("PUBLISH_SIGN_WITH", key.to_str().unwrap())];
    sandbox.publish_with(&earlier, ["add", "incoming"]).ok();
    sandbox.publish_with(&earlier, ["check"]).ok();
    let outcome = sandbox.publish_with(&earlier[1..], ["check"]);
    assert!(outcome.status == Some(4) && outcome.stdout.contains("it expired on 2021-01-01"), "{outcome}");
}

#[test]
fn the_archive_can_be_named_as_an_argument() {
    let sandbox = sound(Sandbox::signed());
    let archive = sandbox.archive("");
    let arguments = ["--archive".as_ref(), "/nonexistent".as_ref(), "check".as_ref(), archive.as_os_str()];
    sandbox.publish(arguments).ok().says(["no faults"]);
}

/// They are not configured, as in a mirror, and the inner suite is published first.
#[test]
fn a_suite_below_another_is_seen_by_every_command() {
    let sandbox = Sandbox::new();
    sandbox.configure(
        "Codename: stable/updates\nComponents: main\nArchitectures: amd64\n\n\
         Codename: stable\nComponents: main\nArchitectures: amd64\n",
    );
    for (suite, name) in [("stable/updates", "fix"), ("stable", "hello")] {
        let file = deb(name).write(sandbox.incoming());
        sandbox.publish(["add".as_ref(), "--suite".as_ref(), suite.as_ref(), file.as_os_str()]).ok();
    }
    fs::remove_dir_all(sandbox.archive("conf")).unwrap();
    let said = sandbox.publish(["list"]).ok();
    assert_eq!(
        said.stdout, "stable main amd64 hello 1.0\nstable/updates main amd64 fix 1.0\n",
        "{}",
        said.stdout
    );
    sandbox.publish(["sync", "./there"]).ok();
    assert!(sandbox.path("there/dists/stable/updates/Release").exists());
    remove(&sandbox, "pool/main/f/fix/fix_1.0_amd64.deb");
    let found = sandbox.publish(["check"]);
    assert!(found.status == Some(4) && found.stdout.contains("fix_1.0_amd64.deb"), "{found}");
}

#[test]
fn a_damaged_snapshot_hides_no_other_damage() {
    let sandbox = sound(Sandbox::signed());
    sandbox.publish(["snapshot", "one"]).ok();
    flip(&sandbox, "dists/stable/snapshots/one/InRelease");
    fs::write(sandbox.archive("pool/main/h/hello/hello_1.0_amd64.deb"), "").unwrap();
    let found = sandbox.publish(["check"]);
    assert_eq!(found.status, Some(4), "{found}");
    for path in ["dists/stable/snapshots/one/InRelease", "pool/main/h/hello/hello_1.0_amd64.deb"] {
        assert!(found.stdout.contains(path), "{path}: {found}");
    }
}

#[test]
fn a_truncated_or_missing_key_file_is_found() {
    finds(&sound(Sandbox::signed()), "archive-key.asc", |sandbox| {
        let key = fs::read(sandbox.archive("archive-key.asc")).unwrap();
        fs::write(sandbox.archive("archive-key.asc"), &key[..key.len() / 2]).unwrap();
    });
    finds(&sound(Sandbox::signed()), "archive-key.asc", |sandbox| remove(sandbox, "archive-key.asc"));
}

#[test]
fn adding_it_again_repairs_a_damaged_pool_file() {
    let sandbox = sound(Sandbox::signed());
    let (whole, pool) = (sandbox.tree(), "pool/main/h/hello/hello_1.0_amd64.deb");
    for damage in [&|sandbox: &Sandbox| flip(sandbox, pool), &|sandbox: &Sandbox| {
        fs::write(sandbox.archive(pool), "!<arch>\n").unwrap();
    }] as [&dyn Fn(&Sandbox); 2]
    {
        damage(&sandbox);
        sandbox.publish(["add", "incoming"]).ok();
        assert_eq!(sandbox.tree(), whole);
    }
}
