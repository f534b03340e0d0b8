//! Tests of `publish key package`: the public keys as a package of the archive itself.

use std::fs;

use crate::{
    apt_client::{Client, Source},
    deb_builder::deb,
    sandbox::{CLOCK, Output, Sandbox, fixture, is_root, skipped},
};

const DAY: u64 = 24 * 60 * 60;
const NAME: &str = "example-archive-keyring";
const KEYRING: &str = "usr/share/keyrings/example-archive-keyring.gpg";
const CONF: &str = "Codename: stable\nComponents: main\nArchitectures: amd64\nOrigin: Example\n";

fn archive() -> Sandbox {
    let sandbox = Sandbox::signed();
    sandbox.configure(CONF);
    deb("hello").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok();
    sandbox
}

/// Signs with these keys instead of the key of the sandbox.
fn sign_with(sandbox: &Sandbox, seconds: u64, keys: &[&str], arguments: &[&str]) -> crate::sandbox::Outcome {
    let time = (CLOCK.parse::<u64>().unwrap() + seconds).to_string();
    let keys: Vec<String> =
        keys.iter().map(|key| fixture(&format!("keys/{key}.asc")).display().to_string()).collect();
    let mut arguments: Vec<&str> = arguments.to_vec();
    for key in &keys {
        arguments.extend(["--sign-with", key]);
    }
    sandbox.publish_with(&[("PUBLISH_DATE", &time)], arguments)
}

#[test]
fn clients_install_it_and_trust_its_keys() {
    let sandbox = archive();
    let said = sandbox.publish(["key", "package"]).ok();
    said.says([
        "+ example-archive-keyring 2025.06.01 all (main)",
        "On clients, run `apt install example-archive-keyring`",
    ]);
    insta::assert_snapshot!(said.stdout, @r"
    Types: deb
    URIs: file:[SANDBOX]/archive
    Suites: stable
    Components: main
    Signed-By: /usr/share/keyrings/example-archive-keyring.gpg
    ");
    if !is_root() {
        return skipped("an installation needs root");
    }
    for mut apt in Client::all(&sandbox) {
        let source = Source::folder(sandbox.archive(""));
        apt.source(&Source::folder(sandbox.archive("")).signed_by(fixture("keys/test.pub.asc")));
        apt.updates();
        apt.install(&[NAME]).ok();
        assert!(apt.has("usr/share/doc/example-archive-keyring/copyright"), "{}", apt.name);
        apt.forgets();
        apt.source_by_keyring(&source, KEYRING);
        apt.updates();
        assert_eq!(apt.candidate("hello").as_deref(), Some("1.0"), "{}", apt.name);
    }
}

#[test]
fn dpkg_accepts_it() {
    let sandbox = archive();
    let said = sandbox
        .publish(["key", "package", "--output", "one.deb", "--maintainer", "Me <me@example.org>"])
        .ok();
    said.says(["Wrote example-archive-keyring 2025.06.01 to one.deb"]);
    assert_eq!(sandbox.tree().paths_with("keyring"), [""; 0], "nothing is published");
    insta::assert_snapshot!(sandbox.ask("dpkg-deb", ["--field", "one.deb"]), @r"
    Package: example-archive-keyring
    Version: 2025.06.01
    Architecture: all
    Maintainer: Me <me@example.org>
    Installed-Size: 8
    Section: misc
    Priority: optional
    Multi-Arch: foreign
    Description: public keys of the archive of Example
     The indices of the archive are signed with these keys. A source of apt
     trusts them with this line:
     .
      Signed-By: /usr/share/keyrings/example-archive-keyring.gpg
     .
     Keys:
      BFC1A23D36AB2A68CF4B91ADD96D3E00B6033669 publish fixture test <test@example.org>
    ");
    let listed = sandbox.ask("dpkg-deb", ["--contents", "one.deb"]);
    let listed: Vec<_> = listed.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).collect();
    assert!(listed.iter().all(|words| words[1] == "root/root" && words[3] == "2025-06-01"), "{listed:?}");
    let named: Vec<_> = listed.iter().map(|words| format!("{} {}", words[0], words[5])).collect();
    insta::assert_snapshot!(named.join("\n"), @r"
    drwxr-xr-x ./
    drwxr-xr-x ./usr/
    drwxr-xr-x ./usr/share/
    drwxr-xr-x ./usr/share/doc/
    drwxr-xr-x ./usr/share/doc/example-archive-keyring/
    -rw-r--r-- ./usr/share/doc/example-archive-keyring/changelog.gz
    -rw-r--r-- ./usr/share/doc/example-archive-keyring/copyright
    drwxr-xr-x ./usr/share/keyrings/
    -rw-r--r-- ./usr/share/keyrings/example-archive-keyring.gpg
    ");
    sandbox.ask("dpkg-deb", ["-x", "one.deb", "unpacked"]);
    sandbox.ask("dpkg-deb", ["-e", "one.deb", "unpacked"]);
    let sums = sandbox.ask("sh", ["-c", "cd unpacked && md5sum -c md5sums"]);
    assert_eq!(sums.matches(": OK\n").count(), 3, "{sums}");
    sandbox.ask("gzip", ["-d", "unpacked/usr/share/doc/example-archive-keyring/changelog.gz"]);
    let changes = ["-l", "unpacked/usr/share/doc/example-archive-keyring/changelog"];
    let changes = sandbox.ask("dpkg-parsechangelog", changes);
    for line in
        ["Maintainer: Me <me@example.org>", "Version: 2025.06.01", "Date: Sun, 01 Jun 2025 00:00:00 +0000"]
    {
        assert!(changes.contains(line), "{changes}");
    }
    // The same keys and the same time give the same bytes.
    sandbox.publish(["key", "package", "-o", "two.deb", "--maintainer", "Me <me@example.org>"]).ok();
    assert_eq!(fs::read(sandbox.path("one.deb")).unwrap(), fs::read(sandbox.path("two.deb")).unwrap());
}

#[test]
fn one_version_for_each_set_of_keys() {
    let sandbox = archive();
    let before = sandbox.tree();
    sign_with(&sandbox, 0, &["test"], &["key", "package", "-n"]).ok().says(["Would add 1 package"]);
    assert_eq!(sandbox.tree(), before);
    let published = |seconds, keys: &[&str]| -> serde_json::Value {
        let said = sign_with(&sandbox, seconds, keys, &["--json", "key", "package"]).ok();
        serde_json::from_str(&said.stdout).unwrap()
    };
    let said = published(0, &["test"]);
    assert_eq!((&said["version"], &said["suites"][0]["published"]), (&"2025.06.01".into(), &true.into()));
    // On any later day, in any order: the same keys.
    let before = sandbox.tree();
    let said = published(3 * DAY, &["test"]);
    assert_eq!((&said["version"], &said["present_in"][0]), (&"2025.06.01".into(), &"stable".into()));
    assert_eq!(sandbox.tree(), before);
    assert_eq!(published(0, &["test", "second"])["version"], "2025.06.01.1");
    assert_eq!(published(DAY, &["second", "test"])["version"], "2025.06.01.1");
    assert_eq!(published(3 * DAY, &["second"])["version"], "2025.06.04");
    // The clock is behind.
    assert_eq!(published(2 * DAY, &["test", "second"])["version"], "2025.06.04.1");
    // A published version never changes, even if no generation references it.
    sign_with(&sandbox, 3 * DAY, &["test", "second"], &["remove", NAME]).ok();
    let said = published(3 * DAY, &["second", "test"]);
    assert_eq!(said["version"], "2025.06.04.2", "2025.06.04 held another key, 2025.06.04.1 had another time");
    sign_with(&sandbox, 3 * DAY, &["test", "second"], &["check"]).ok();
}

#[test]
fn every_signed_suite_gets_the_same() {
    let sandbox = Sandbox::new();
    let key = fixture("keys/test.asc");
    let stanza = |name: &str, more: &str| {
        format!("Codename: {name}\nComponents: main\nArchitectures: amd64\n{more}\n")
    };
    let signed = format!("SignWith: {}\n", key.display());
    let frozen = format!("{signed}ReadOnly: yes\n");
    let all = |frozen: &str| {
        [stanza("one", &signed), stanza("two", &signed), stanza("open", ""), stanza("frozen", frozen)]
            .concat()
    };
    sandbox.configure(&all(&signed));
    deb("hello").write(sandbox.incoming());
    for suite in ["one", "two", "open", "frozen"] {
        sandbox.publish(["add", "incoming", "--suite", suite]).ok();
    }
    sandbox.configure(&all(&frozen));
    sandbox
        .publish(["key", "package"])
        .fails(1)
        .says(["the suites have no `Origin`", "hint: choose a name with `--name NAME`"]);
    // As if a job had been killed between the two suites.
    sandbox.publish(["key", "package", "--name", "Example", "--suite", "one"]).ok();
    // Its name is known now.
    let said = sandbox.publish_after(DAY - 1, &["key", "package"]).ok();
    said.says(["Added 1 package to suite `two`", "example-archive-keyring 2025.06.01 all"]);
    assert!(!said.stderr.contains("suite `one`"), "{}", said.stderr);
    assert!(said.stdout.contains("\nSuites: one two\n"), "{}", said.stdout);
    let listed = sandbox.publish(["list", NAME]).ok().stdout;
    assert_eq!(listed.lines().count(), 2, "{listed}");
    assert_eq!(sandbox.tree().paths_with("pool/main/e/").len(), 1);
    // Much later it is another version, whose timestamp says since when its clients can have the keys.
    sandbox.publish_after(DAY, &["remove", NAME, "--suite", "two"]).ok();
    let said = sandbox.publish_after(5 * DAY, &["key", "package"]).ok();
    said.says(["Added 1 package to suite `two`", "example-archive-keyring 2025.06.06 all"]);
    let said = sandbox.publish_after(6 * DAY, &["key", "package"]).ok();
    said.says(["Nothing to do: example-archive-keyring 2025.06.06 is already published"]);
    sandbox.publish(["key", "package", "--suite", "open"]).fails(1).says(["suite `open` is not signed"]);
}

/// The upgrade would remove the file that clients name in `Signed-By`.
#[test]
fn a_package_made_by_hand_is_not_replaced() {
    let sandbox = archive();
    let by_hand = sandbox.path("by-hand/example-archive-keyring");
    for (path, bytes) in [
        ("DEBIAN/control", &deb(NAME).architecture("all").stanza().into_bytes()),
        ("usr/share/keyrings/example.asc", &fs::read(fixture("keys/test.pub.asc")).unwrap()),
    ] {
        let path = by_hand.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    let file = sandbox.path("by-hand.deb");
    sandbox.ask(
        "dpkg-deb",
        ["--root-owner-group".as_ref(), "-b".as_ref(), by_hand.as_os_str(), file.as_os_str()],
    );
    sandbox.publish(["add", file.to_str().unwrap()]).ok();
    let before = sandbox.tree();
    sandbox.publish(["key", "package"]).fails(1).says([
        "`example-archive-keyring` 1.0 of suite `stable` was made by another tool",
        "it installs `/usr/share/keyrings/example.asc`",
        "hint: publish a package of another name with `--name NAME`",
    ]);
    assert_eq!(sandbox.tree(), before);
    sandbox.publish(["key", "package", "--name", "own"]).ok().says(["+ own-archive-keyring 2025.06.01 all"]);
}

#[test]
fn the_first_package_of_an_archive() {
    let sandbox = Sandbox::new();
    sandbox.publish(["init", "--origin", "Example"]).ok();
    sandbox.publish(["key", "package"]).ok().says(["Published suite `stable`"]);
    sandbox.publish(["check"]).ok();
}

#[test]
fn failures_have_a_reason() {
    let says = |output: Output, texts: &[&str]| {
        output.says(texts.iter().copied());
    };
    let sandbox = Sandbox::new();
    sandbox.configure(CONF);
    says(sandbox.publish(["key", "package"]).fails(1), &["no suite of the archive is signed", "--sign-with"]);
    let sandbox = archive();
    says(
        sandbox.publish(["key", "package", "--name", "…"]).fails(2),
        &["cannot derive a package name from `…`"],
    );
    says(sandbox.publish(["key", "package", "-o", "no/such/folder.deb"]).fails(1), &["cannot write"]);
    says(sandbox.publish(["key", "package", "-n", "-o", "x.deb"]).fails(2), &["cannot be used with"]);
    // The key of a signing command is unknown.
    let command = sandbox.path("sign.sh");
    fs::write(&command, "#!/bin/sh\nexit 1\n").unwrap();
    let by_command = format!("!{}", command.display());
    says(sandbox.publish(["key", "package", "--sign-with", &by_command]).fails(1), &["sign.sh"]);
}
