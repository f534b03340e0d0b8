//! Tests of `publish init` and `publish key`: a configuration, a key, and clients that use them.

use std::{fs, os::unix::fs::PermissionsExt};

use crate::{
    apt_client::{Client, Source},
    deb_builder::deb,
    sandbox::{Sandbox, fixture},
};

/// The only key file that `init` or `key generate` left in the home of the sandbox.
fn key_file(sandbox: &Sandbox) -> std::path::PathBuf {
    let found = sandbox
        .ask("find", [sandbox.path("").as_os_str(), "-path".as_ref(), "*/publish/keys/*.asc".as_ref()]);
    let mut lines = found.lines();
    let only = lines.next().expect("a key file").to_owned();
    assert_eq!(lines.next(), None, "one key only");
    only.replace("[SANDBOX]", sandbox.path("").to_str().unwrap().trim_end_matches('/')).into()
}

#[test]
fn from_nothing_to_a_signed_archive_that_apt_installs_from() {
    let sandbox = Sandbox::new();
    let said = sandbox.publish(["init", "--origin", "Example", "--label", "Test"]).ok();
    said.says(["Wrote suite `stable`", "Generated key ", "back it up", "Next: publish --archive"]);
    let key = key_file(&sandbox);
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!sandbox.tree().paths_with("").iter().any(|path| sandbox.read(path).contains("PRIVATE KEY")));
    let fingerprint = key.file_stem().unwrap().to_str().unwrap();
    assert_eq!(
        sandbox.read("conf/distributions"),
        format!(
            "Codename: stable\nOrigin: Example\nLabel: Test\nComponents: main\nSignWith: {fingerprint}\nWebPage: yes\n"
        )
    );

    let public = sandbox.read("archive-key.asc");
    deb("hello").write(sandbox.incoming());
    let said = sandbox.publish(["add", "incoming"]).ok();
    assert!(said.stdout.contains("Signed-By: [SANDBOX]/archive/archive-key.asc\n"), "{}", said.stdout);
    assert_eq!(sandbox.read("archive-key.asc"), public);
    assert!(
        sandbox.read("dists/stable/Release").starts_with("Origin: Example\nLabel: Test\nCodename: stable\n")
    );
    for mut apt in Client::all(&sandbox) {
        apt.source(&Source::folder(sandbox.archive("")).signed_by(sandbox.archive("archive-key.asc")));
        apt.updates();
        apt.install(&["hello"]).ok();
    }
}

#[test]
fn init_appends_a_stanza_for_a_second_suite() {
    let sandbox = Sandbox::new();
    sandbox.publish(["init", "--unsigned", "--architecture", "amd64"]).ok();
    sandbox
        .publish(["init", "--unsigned", "--suite", "testing", "--component", "main", "--component", "extra"])
        .ok();
    insta::assert_snapshot!(sandbox.read("conf/distributions"), @r"
    Codename: stable
    Components: main
    Architectures: amd64
    SignWith: no
    WebPage: yes

    Codename: testing
    Components: main extra
    SignWith: no
    WebPage: yes
    ");
    let before = sandbox.tree();
    sandbox.publish(["init", "--unsigned"]).fails(1).says(["suite `stable` is already configured", "hint: "]);
    assert_eq!(sandbox.tree(), before);
}

#[test]
fn init_keeps_the_fields_of_a_published_suite() {
    let sandbox = Sandbox::new();
    deb("hello").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok();
    sandbox.publish(["init", "--unsigned", "--origin", "Example"]).ok();
    assert!(sandbox.read("conf/distributions").contains("Suite: stable\n"));
    // A configuration change that apt refuses.
    deb("world").write(sandbox.incoming());
    let said = sandbox.publish(["add", "incoming"]).fails(1);
    said.says(["`Origin` changes from nothing to `Example`", "--allow-releaseinfo-change"]);
}

#[test]
fn a_key_is_generated_shown_and_exported() {
    let sandbox = Sandbox::new();
    let said =
        sandbox.publish(["key", "generate", "--name", "Example <x@example.org>", "--expires", "90d"]).ok();
    said.says(["Generated key ", "SignWith: ", "Back up the file"]);
    let key = key_file(&sandbox);
    let fingerprint = key.file_stem().unwrap().to_str().unwrap().to_owned();
    let said = sandbox.publish(["key", "show", &fingerprint]).ok();
    for text in [&fingerprint, "(in 90 days)", "apt 2 (gpgv)", "apt 3 (sqv)"] {
        assert!(said.stdout.contains(text), "{text}: {}", said.stdout);
    }
    let said = sandbox.publish(["--json", "key", "show", &fingerprint]).ok();
    assert!(said.stdout.contains(&format!("\"fingerprint\": \"{fingerprint}\"")), "{}", said.stdout);
    let said = sandbox.publish(["key", "export", &fingerprint]).ok();
    assert!(said.stdout.starts_with("-----BEGIN PGP PUBLIC KEY BLOCK-----"), "{}", said.stdout);
    assert!(!said.stdout.contains("PRIVATE"));
    sandbox.publish(["key", "show", "no-such-key.asc"]).fails(1).says(["no-such-key.asc"]);
}

#[test]
fn the_environment_can_hold_the_key() {
    let sandbox = Sandbox::new();
    deb("hello").write(sandbox.incoming());
    let key = fs::read_to_string(fixture("keys/protected.asc")).unwrap();
    let with = |passphrase| [("PUBLISH_SIGNING_KEY", key.as_str()), ("PUBLISH_PASSPHRASE", passphrase)];
    let before = sandbox.tree();
    let said = sandbox.publish_with(&with("wrong"), ["add", "incoming"]).fails(1);
    said.says(["PUBLISH_SIGNING_KEY", "passphrase", "hint: "]);
    assert_eq!(sandbox.tree(), before);
    sandbox.publish_with(&with("correct horse"), ["add", "incoming"]).ok();
    for mut apt in Client::all(&sandbox) {
        apt.source(&Source::folder(sandbox.archive("")).signed_by(fixture("keys/protected.pub.asc")));
        apt.updates();
    }
}

#[test]
fn a_command_signs_and_its_key_is_named_for_trust() {
    let sandbox = Sandbox::new();
    let gpg = |arguments: &[&str]| {
        let mut command = sandbox.command("gpg");
        command.args(["--batch", "--quiet"]).args(arguments);
        sandbox.run(command).ok()
    };
    gpg(&[
        "--passphrase",
        "",
        "--faked-system-time",
        "20250101T000000!",
        "--quick-generate-key",
        "Script <s@example.org>",
        "ed25519",
        "sign",
        "never",
    ]);
    let public = gpg(&["--armor", "--export"]).stdout;
    sandbox.configure("Codename: stable\nComponents: main\nArchitectures: amd64\nSignWith: ! sign.sh\n");
    let script = sandbox.archive("conf/sign.sh");
    let text = "#!/bin/sh -e\ngpg --batch --clearsign -o \"$2\" \"$1\"\ngpg --batch --armor --detach-sign -o \"$3\" \"$1\"\n";
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    deb("hello").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok();
    // No known key verifies the signature, so the suite is not built on…
    deb("world").write(sandbox.incoming());
    let before = sandbox.tree();
    sandbox.publish(["add", "incoming"]).fails(1).says(["no public key is known", "TrustedKeys"]);
    assert_eq!(sandbox.tree(), before);
    // …until a key is named.
    fs::write(sandbox.archive("conf/script.asc"), public).unwrap();
    let config = sandbox.read("conf/distributions") + "TrustedKeys: script.asc\n";
    sandbox.configure(&config);
    sandbox.publish(["add", "incoming"]).ok();
    sandbox.publish_now(&["check"]).ok();
    for mut apt in Client::all(&sandbox) {
        apt.source(&Source::folder(sandbox.archive("")).signed_by(sandbox.archive("conf/script.asc")));
        apt.updates();
        assert_eq!(apt.candidate("world").as_deref(), Some("1.0"));
    }
}

#[test]
fn keys_of_gpg_sign() {
    let sandbox = Sandbox::new();
    let mut gpg = sandbox.command("gpg");
    gpg.args(["--batch", "--quiet", "--passphrase", "", "--faked-system-time", "20250101T000000!"]);
    gpg.args(["--quick-generate-key", "Release <r@example.org>", "ed25519", "sign", "never"]);
    sandbox.run(gpg).ok();
    sandbox.configure("Codename: stable\nComponents: main\nArchitectures: amd64\nSignWith: yes\n");
    for name in ["hello", "world"] {
        let file = deb(name).write(sandbox.incoming());
        sandbox.publish(["add".as_ref(), file.as_os_str()]).ok();
    }
    sandbox.publish(["--sign-with", "r@example.org", "remove", "world"]).ok();
    for mut apt in Client::all(&sandbox) {
        apt.source(&Source::folder(sandbox.archive("")).signed_by(sandbox.archive("archive-key.asc")));
        apt.updates();
        assert_eq!(apt.candidate("hello").as_deref(), Some("1.0"));
        assert_eq!(apt.candidate("world"), None);
    }
}
