//! An attacker can write to the archive but has no key: nothing of it may ever be signed.

use std::fs;

use publish::{
    archive::{Archive, CommitOptions, Error, Named, Removal, SuiteEdit, Trust},
    config::SuiteConfig,
    names::Suite,
    signing::Keyring,
    store::Store,
};

use crate::{
    deb_builder::{Pack, deb, pack},
    publisher::{Publisher, memory},
    sandbox::{CLOCK, Sandbox, fixture, sha256},
};

fn signed_archive() -> Sandbox {
    let sandbox = Sandbox::signed();
    let file = deb("hello").write(sandbox.incoming());
    sandbox.publish(["add".as_ref(), file.as_os_str()]).ok();
    deb("world").write(sandbox.incoming());
    sandbox
}

/// Every command that builds on the suite must fail and change nothing.
#[track_caller]
fn refuses_to_build_on(sandbox: &Sandbox, named: &str) {
    let before = sandbox.tree();
    sandbox.publish(["add", "incoming/world_1.0_amd64.deb"]).fails(1).says(["error: ", named]);
    sandbox.publish(["remove", "hello"]).fails(1).says(["error: ", named]);
    assert_eq!(sandbox.tree(), before);
}

/// An archive of the same suite with a malicious package, signed by another key or unsigned.
fn foreign_archive(key: Option<&str>) -> Sandbox {
    let sandbox = Sandbox::new();
    deb("hello").version("6.6.6").write(sandbox.incoming());
    match key {
        Some(key) => {
            let key = fixture(key);
            let arguments = ["--sign-with".as_ref(), key.as_os_str(), "add".as_ref(), "incoming".as_ref()];
            sandbox.publish(arguments).ok();
        }
        None => {
            sandbox.publish(["add", "incoming"]).ok();
        }
    }
    sandbox
}

fn replace_dists(sandbox: &Sandbox, by: &Sandbox) {
    fs::remove_dir_all(sandbox.archive("dists")).unwrap();
    for part in ["dists", "pool", "archive-key.asc"] {
        if by.archive(part).exists() {
            let from = by.archive(part);
            sandbox.ask("cp", ["-a".as_ref(), from.as_os_str(), sandbox.archive("").as_os_str()]);
        }
    }
}

#[test]
fn an_index_with_other_packages_is_not_built_on() {
    let sandbox = signed_archive();
    let index = "dists/stable/main/binary-amd64";
    let evil = sandbox.read(format!("{index}/Packages")).replace("Version: 1.0", "Version: 6.6");
    for path in sandbox.tree().paths_with("binary-amd64/") {
        let bytes = fs::read(sandbox.archive(&path)).unwrap();
        let kind = match bytes.first() {
            Some(0x1f) => Pack::Gzip,
            Some(0xfd) => Pack::Xz,
            _ => Pack::None,
        };
        fs::write(sandbox.archive(&path), pack(kind, evil.as_bytes())).unwrap();
    }
    refuses_to_build_on(&sandbox, index);
    // Trusting the pointer is no reason to trust an index that it does not list.
    sandbox.publish(["--trust-existing", "add", "incoming/world_1.0_amd64.deb"]).fails(1);
}

#[test]
fn a_missing_index_is_not_treated_as_empty() {
    let sandbox = signed_archive();
    fs::remove_dir_all(sandbox.archive("dists/stable/main")).unwrap();
    refuses_to_build_on(&sandbox, "Packages");
}

#[test]
fn a_changed_inrelease_is_not_built_on() {
    let sandbox = signed_archive();
    let path = sandbox.archive("dists/stable/InRelease");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("Suite: stable\n", "Suite: stable\nLabel: Evil\n")).unwrap();
    refuses_to_build_on(&sandbox, "dists/stable/InRelease");
}

#[test]
fn text_around_the_signed_part_is_not_trusted() {
    for (before, after) in [("Suite: evil\n\n", ""), ("", "\nSuite: evil\n")] {
        let sandbox = signed_archive();
        let path = sandbox.archive("dists/stable/InRelease");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{before}{text}{after}")).unwrap();
        refuses_to_build_on(&sandbox, "dists/stable/InRelease");
    }
}

#[test]
fn a_suite_signed_by_another_key_is_not_built_on() {
    let sandbox = signed_archive();
    // The key at the archive's root is the attacker's too, because it needs the same write access.
    replace_dists(&sandbox, &foreign_archive(Some("keys/second.asc")));
    refuses_to_build_on(&sandbox, "dists/stable/InRelease");
}

#[test]
fn a_suite_that_was_signed_for_another_name_is_not_built_on() {
    let sandbox = Sandbox::new();
    let key = fixture("keys/test.asc");
    let stanza = |name: &str| format!("Codename: {name}\nComponents: main\nSignWith: {}\n", key.display());
    sandbox.configure(&format!("{}\n{}", stanza("stable"), stanza("unstable")));
    let hello = deb("hello").write(sandbox.incoming());
    let beta = deb("hello").version("2.0~beta").write(sandbox.incoming());
    sandbox.publish(["add".as_ref(), "-s".as_ref(), "stable".as_ref(), hello.as_os_str()]).ok();
    sandbox.publish(["add".as_ref(), "-s".as_ref(), "unstable".as_ref(), beta.as_os_str()]).ok();
    deb("world").write(sandbox.incoming());
    let add = ["add", "-s", "stable", "incoming/world_1.0_amd64.deb"];

    fs::remove_dir_all(sandbox.archive("dists/stable")).unwrap();
    let (from, to) = (sandbox.archive("dists/unstable"), sandbox.archive("dists/stable"));
    sandbox.ask("cp", ["-a".as_ref(), from.as_os_str(), to.as_os_str()]);
    let before = sandbox.tree();
    let said = sandbox.publish(add).fails(1);
    said.says(["dists/stable/InRelease", "`unstable`", "--trust-existing"]);
    // The same with `Release` and `Release.gpg`.
    fs::remove_file(sandbox.archive("dists/stable/InRelease")).unwrap();
    sandbox.publish(add).fails(1).says(["dists/stable/Release", "`unstable`"]);
    fs::copy(sandbox.archive("dists/unstable/InRelease"), sandbox.archive("dists/stable/InRelease")).unwrap();
    assert_eq!(sandbox.tree(), before);
    sandbox.publish(["check"]).ok().says(["names the suite `unstable`"]);
    // It can be accepted explicitly, once; clients that refuse the other name are a separate question.
    sandbox.publish(["--trust-existing"].into_iter().chain(add)).fails(1).says(["`Codename` changes"]);
    assert_eq!(sandbox.tree(), before);
    let adopted = ["--trust-existing", "--allow-releaseinfo-change"].into_iter().chain(add);
    sandbox.publish(adopted).ok().says(["warning: `Codename` changes from `unstable` to `stable`"]);
    sandbox.publish(["remove", "-s", "stable", "world"]).ok();
}

#[test]
fn a_new_key_is_accepted_where_the_old_one_is_named() {
    let sandbox = Sandbox::new();
    let stanza =
        |key: &str| format!("Codename: stable\nComponents: main\nSignWith: {}\n", fixture(key).display());
    sandbox.configure(&stanza("keys/test.asc"));
    let file = deb("hello").write(sandbox.incoming());
    sandbox.publish(["add".as_ref(), file.as_os_str()]).ok();
    deb("world").write(sandbox.incoming());
    sandbox.configure(&stanza("keys/second.asc"));
    refuses_to_build_on(&sandbox, "`TrustedKeys:`");
    let old = fixture("keys/test.pub.asc");
    sandbox.configure(&format!("{}TrustedKeys: {}\n", stanza("keys/second.asc"), old.display()));
    sandbox.publish(["add", "incoming/world_1.0_amd64.deb"]).ok();
    sandbox.publish(["check"]).ok();
}

#[test]
fn an_unsigned_suite_in_place_of_a_signed_one_is_not_built_on() {
    let sandbox = signed_archive();
    replace_dists(&sandbox, &foreign_archive(None));
    refuses_to_build_on(&sandbox, "dists/stable/Release");
}

#[test]
fn a_suite_that_lost_its_signature_is_not_built_on() {
    let sandbox = signed_archive();
    for name in ["InRelease", "Release.gpg"] {
        fs::remove_file(sandbox.archive("dists/stable").join(name)).unwrap();
    }
    refuses_to_build_on(&sandbox, "dists/stable/Release");
}

#[test]
fn a_signed_suite_is_not_made_an_unsigned_one() {
    let sandbox = signed_archive();
    let before = sandbox.tree();
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_publish"));
    command.args(["add", "incoming/world_1.0_amd64.deb"]).env("PUBLISH_ARCHIVE", sandbox.archive(""));
    sandbox.run(command).fails(1).says(["signed", "key"]);
    assert_eq!(sandbox.tree(), before);
}

#[test]
fn trust_existing_adopts_an_archive() {
    for key in [None, Some("keys/second.asc")] {
        let sandbox = signed_archive();
        let theirs = foreign_archive(key);
        fs::remove_dir_all(sandbox.archive("pool")).unwrap();
        replace_dists(&sandbox, &theirs);
        sandbox.publish(["--trust-existing", "add", "incoming/world_1.0_amd64.deb"]).ok();
        let listed = sandbox.publish(["list"]).ok().stdout;
        assert!(listed.contains("6.6.6") && listed.contains("world"), "{listed}");
        sandbox.publish(["check"]).ok();
        // After adoption, the suite is signed.
        sandbox.publish(["remove", "world"]).ok();
    }
}

#[test]
fn an_expired_key_does_not_sign() {
    let sandbox = Sandbox::new();
    deb("hello").write(sandbox.incoming());
    let key = fixture("keys/expired.asc");
    let arguments = ["--sign-with".as_ref(), key.as_os_str(), "add".as_ref(), "incoming".as_ref()];
    sandbox.publish(arguments).fails(1).says(["expired"]);
    assert_eq!(sandbox.tree().names(), "");
}

#[test]
fn a_key_with_a_passphrase_needs_it() {
    let sandbox = Sandbox::new();
    deb("hello").write(sandbox.incoming());
    let key = fixture("keys/protected.asc");
    let arguments = ["--sign-with".as_ref(), key.as_os_str(), "add".as_ref(), "incoming".as_ref()];
    sandbox.publish(arguments).fails(1).says(["passphrase"]);
    sandbox.publish_with(&[("PUBLISH_PASSPHRASE", "wrong")], arguments).fails(1).says(["passphrase"]);
    assert_eq!(sandbox.tree().names(), "");
    sandbox.publish_with(&[("PUBLISH_PASSPHRASE", "correct horse")], arguments).ok();
}

/// A by-hash name is a promise about the bytes behind it.
#[test]
fn every_by_hash_file_has_the_digest_of_its_name() {
    let sandbox = signed_archive();
    sandbox.publish(["add", "incoming"]).ok();
    let paths = sandbox.tree().paths_with("by-hash/SHA256/");
    assert!(paths.len() >= 6, "{paths:?}");
    for path in paths {
        assert!(path.ends_with(&sha256(&fs::read(sandbox.archive(&path)).unwrap())), "{path}");
    }
}

/// Reads suite `stable` with this policy.
async fn read(store: &Store, trust: Trust) -> Result<(), Error> {
    Archive::new(store.clone(), trust).suite(&Suite::parse("stable").unwrap()).await.map(drop)
}

#[tokio::test]
async fn the_library_trusts_only_signed_suites_by_default() {
    let sandbox = Sandbox::new();
    let file = deb("hello").write(sandbox.incoming());
    let (signed, unsigned) = (memory(), memory());
    Publisher::on(signed.clone()).add(std::slice::from_ref(&file)).await.unwrap();
    Publisher::on(unsigned.clone()).unsigned().add(&[file]).await.unwrap();
    let now = std::time::UNIX_EPOCH + std::time::Duration::from_secs(CLOCK.parse().unwrap());
    let with_key = |name: &str| {
        let mut keyring = Keyring::new();
        keyring.add_bytes(name, &fs::read(fixture(name)).unwrap()).unwrap();
        Trust::keyring(keyring, now)
    };
    let (ours, foreign) = (with_key("keys/test.pub.asc"), with_key("keys/second.pub.asc"));
    let named = |name: &str| ours.clone().allow_unsigned_suites([Suite::parse(name).unwrap()]);

    for trust in [ours.clone(), foreign.clone(), Trust::default(), named("testing")] {
        let refused = read(&unsigned, trust).await;
        assert!(matches!(refused, Err(Error::NotSigned { .. })), "{refused:?}");
    }
    for trust in [ours.clone().allow_unsigned(), named("stable"), Trust::unsigned(), Trust::unverified()] {
        read(&unsigned, trust).await.unwrap();
    }
    for trust in [foreign.clone(), foreign.clone().allow_unsigned(), foreign.clone().read_unverified()] {
        let refused = read(&signed, trust).await;
        assert!(matches!(refused, Err(Error::Untrusted { .. })), "{refused:?}");
    }
    assert!(matches!(read(&signed, Trust::default()).await, Err(Error::NoPublicKey { .. })));
    for trust in [ours.clone(), Trust::unverified(), foreign.clone().adopt_existing()] {
        read(&signed, trust).await.unwrap();
    }

    // Reading a suite is not building on it.
    let config = SuiteConfig::unconfigured(Suite::parse("stable").unwrap());
    let removal = Removal { named: Named::Package("hello".into()), version: None, architecture: None };
    let (edit, how) = (SuiteEdit::removing([removal]), CommitOptions::new(&config, now).dry_run());
    for (store, trust) in
        [(&signed, Trust::unverified()), (&unsigned, Trust::unverified()), (&unsigned, ours)]
    {
        let refused = Archive::new(store.clone(), trust).commit(&edit, &how).await;
        assert!(matches!(refused, Err(Error::NoPublicKey { .. } | Error::NotSigned { .. })), "{refused:?}");
    }
    Archive::new(unsigned, Trust::unsigned()).commit(&edit, &how).await.unwrap();
}
