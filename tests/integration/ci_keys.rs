//! Keys and passphrases as CI systems hand them over, missing secrets, and secrets that must not be printed.

use std::{fmt::Write as _, fs, os::unix::fs::PermissionsExt as _, path::Path};

use crate::{
    apt_client::{Client, Source},
    deb_builder::deb,
    sandbox::{Outcome, Sandbox, fixture},
    web::Web,
};

const CONF: &str = "Codename: stable\nComponents: main\nOrigin: Example\n";
const TEST_KEY: &str = "BFC1A23D36AB2A68CF4B91ADD96D3E00B6033669";

fn key(name: &str) -> String {
    fs::read_to_string(fixture("keys").join(name)).unwrap()
}

/// A sandbox with one package to add.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    deb("hello").write(sandbox.incoming());
    sandbox
}

fn base64(sandbox: &Sandbox, text: &str) -> String {
    fs::write(sandbox.path("plain"), text).unwrap();
    sandbox.ask("base64", ["-w0", "plain"]).trim().to_owned()
}

/// Environment variables and arguments of a command.
type Call<'a> = (Vec<(&'a str, &'a str)>, Vec<&'a str>);

/// The fingerprints in a file of keys.
fn keys_in(sandbox: &Sandbox, file: &Path) -> Vec<String> {
    let said = sandbox
        .ask("gpg", ["--batch".as_ref(), "--show-keys".as_ref(), "--with-colons".as_ref(), file.as_os_str()]);
    let mut lines = said.lines();
    let mut found = Vec::new();
    while lines.by_ref().any(|line| line.starts_with("pub")) {
        let line = lines.find(|line| line.starts_with("fpr")).unwrap();
        found.push(line.split(':').nth(9).unwrap().to_owned());
    }
    found
}

#[test]
fn a_variable_that_is_set_and_empty_is_an_error_that_names_it() {
    let sandbox = sandbox();
    let before = sandbox.tree();
    for name in [
        "PUBLISH_SIGNING_KEY",
        "PUBLISH_SIGN_WITH",
        "PUBLISH_SIGNING_KEY_FILE",
        "PUBLISH_PASSPHRASE",
        "PUBLISH_PASSPHRASE_FILE",
    ] {
        for value in ["", " ", "\n"] {
            let said = sandbox.publish_with(&[(name, value)], ["add", "incoming"]).fails(2);
            said.says([&format!("error: {name} is set, but empty")[..], "hint: "]);
            assert_eq!(sandbox.tree(), before);
        }
        // Without a key, no passphrase is needed.
        let status = if name.contains("PASSPHRASE") { 1 } else { 2 };
        sandbox.publish_with(&[(name, "")], ["key", "package"]).fails(status);
        // A plan needs no key, and a command that only reads none either.
        sandbox.publish_with(&[(name, "")], ["add", "--dry-run", "incoming"]).ok();
    }
    let said = sandbox.publish_with(&[("PUBLISH_SIGNING_KEY", "")], ["add", "--dry-run", "incoming"]).ok();
    said.says(["warning: PUBLISH_SIGNING_KEY is set, but empty: without `--dry-run` this command fails"]);
    assert_eq!(sandbox.tree(), before);
    // The option overrides the variables.
    let test_key = fixture("keys/test.asc").display().to_string();
    let arguments = ["--sign-with", &test_key, "add", "incoming"];
    sandbox.publish_with(&[("PUBLISH_SIGNING_KEY", ""), ("PUBLISH_SIGN_WITH", "")], arguments).ok();
    for name in ["PUBLISH_SIGNING_KEY", "PUBLISH_SIGN_WITH", "PUBLISH_PASSPHRASE"] {
        sandbox.publish_with(&[(name, "")], ["list"]).ok();
    }
    for name in ["PUBLISH_ARCHIVE", "PUBLISH_CONFIG", "PUBLISH_DATE"] {
        let mut command = sandbox.command(env!("CARGO_BIN_EXE_publish"));
        command.arg("list").env("PUBLISH_ARCHIVE", sandbox.archive("")).env(name, "");
        let said = sandbox.run(command).fails(2);
        said.says([&*format!("error: {name} is set, but empty"), &*format!("run `unset {name}`")]);
    }
    let said = sandbox.publish_with(&[("PUBLISH_DATE", "yesterday")], ["list"]).fails(2);
    said.says(["error: the value of PUBLISH_DATE is not valid", "2025-06-01T12:00:00Z"]);
    let said = sandbox.publish_with(&[("PUBLISH_DATE", "")], ["list", "--date", "yesterday"]).fails(2);
    assert!(!said.stderr.contains("PUBLISH_DATE"), "{}", said.stderr);
}

#[test]
fn a_suite_that_begins_without_a_signature_says_so_unless_that_is_configured() {
    let line = "warning: suite `stable` has no signature, so apt accepts it only with `Trusted: yes`";
    let new = sandbox();
    new.publish(["add", "incoming"]).ok().says([line, "--sign-with KEY", "`SignWith: no`"]);
    deb("world").write(new.incoming());
    let said = new.publish(["add", "incoming"]).ok();
    assert!(!said.stderr.contains("has no signature"), "{}", said.stderr);
    let with_json = sandbox();
    with_json.publish(["add", "--json", "incoming"]).ok().says([line]);

    let unsigned = sandbox();
    unsigned.publish(["init", "--unsigned"]).ok();
    assert!(unsigned.read("conf/distributions").contains("\nSignWith: no\n"));
    let said = unsigned.publish(["add", "incoming"]).ok();
    assert!(!said.stderr.contains("has no signature"), "{}", said.stderr);
    assert!(!unsigned.archive("dists/stable/InRelease").exists());
    let signed = Sandbox::signed();
    deb("hello").write(signed.incoming());
    let said = signed.publish(["add", "incoming"]).ok();
    assert!(!said.stderr.contains("has no signature"), "{}", said.stderr);
}

#[test]
fn keys_come_in_every_form_of_a_ci_secret() {
    let first = sandbox();
    let armored = key("test.asc");
    let encoded = base64(&first, &armored);
    for form in [
        armored.replace('\n', "\\n"),
        armored.replace('\n', "\r\n"),
        armored.replace('\n', " "),
        format!("\"{armored}\""),
        encoded.clone(),
        format!("'{encoded}'\n"),
    ] {
        let sandbox = sandbox();
        sandbox.publish_with(&[("PUBLISH_SIGNING_KEY", &form)], ["add", "incoming"]).ok();
        assert_eq!(keys_in(&sandbox, &sandbox.archive("archive-key.asc")), [TEST_KEY]);
    }
    // In a file, also through a pipe of the shell, relative to the current folder.
    for form in [armored.clone(), armored.replace('\n', "\r\n"), encoded] {
        let sandbox = sandbox();
        fs::write(sandbox.path("ci-key"), form).unwrap();
        sandbox.publish_with(&[("PUBLISH_SIGNING_KEY_FILE", "ci-key")], ["add", "incoming"]).ok();
        assert_eq!(keys_in(&sandbox, &sandbox.archive("archive-key.asc")), [TEST_KEY]);
    }
    // Two keys sign together.
    let two = sandbox();
    let both = format!("{armored}{}", key("second.asc")).replace('\n', "\\n");
    two.publish_with(&[("PUBLISH_SIGNING_KEY", &both)], ["add", "incoming"]).ok();
    assert_eq!(keys_in(&two, &two.archive("archive-key.asc")).len(), 2);
    for public in ["test.pub.asc", "second.pub.asc"] {
        for mut apt in Client::all(&two) {
            apt.source(&Source::folder(two.archive("")).signed_by(fixture("keys").join(public)));
            apt.updates();
        }
    }
    let missing = sandbox();
    missing
        .publish_with(&[("PUBLISH_SIGNING_KEY_FILE", "no-such-file")], ["add", "incoming"])
        .fails(1)
        .says(["PUBLISH_SIGNING_KEY_FILE", "no-such-file"]);
}

#[test]
fn a_variable_and_the_file_of_another_one_must_agree() {
    let test = sandbox();
    let (own, protected) = (key("test.asc"), key("protected.asc"));
    fs::write(test.path("own-key"), base64(&test, &own)).unwrap();
    fs::write(test.path("other-key"), &protected).unwrap();
    fs::write(test.path("right"), "correct horse\n").unwrap();
    fs::write(test.path("wrong"), "battery staple\n").unwrap();
    let passphrase = |value, file| {
        let variables = [
            ("PUBLISH_SIGNING_KEY", &*protected),
            ("PUBLISH_PASSPHRASE", value),
            ("PUBLISH_PASSPHRASE_FILE", file),
        ];
        test.publish_with(&variables, ["add", "incoming"])
    };
    let signing_key = |file| {
        let variables = [("PUBLISH_SIGNING_KEY", &*own), ("PUBLISH_SIGNING_KEY_FILE", file)];
        test.publish_with(&variables, ["add", "incoming"])
    };
    let before = test.tree();
    for (outcome, value) in [
        (passphrase("correct horse", "wrong"), "PUBLISH_PASSPHRASE"),
        (passphrase("battery staple", "right"), "PUBLISH_PASSPHRASE"),
        (passphrase("correct horse", "missing"), "PUBLISH_PASSPHRASE"),
        (signing_key("other-key"), "PUBLISH_SIGNING_KEY"),
        (signing_key("missing"), "PUBLISH_SIGNING_KEY"),
    ] {
        let both = format!("{value} and {value}_FILE are both set");
        let said = outcome.fails(2);
        said.says([&*both, &format!("`unset {value}_FILE`"), &format!("`unset {value}`")]);
        assert!(!said.stderr.contains("horse") && !said.stderr.contains("staple"), "{}", said.stderr);
    }
    assert_eq!(test.tree(), before);
    passphrase("correct horse\n", "right").ok();
    let test = sandbox();
    fs::write(test.path("own-key"), base64(&test, &own)).unwrap();
    let variables = [("PUBLISH_SIGNING_KEY", &*own), ("PUBLISH_SIGNING_KEY_FILE", "own-key")];
    test.publish_with(&variables, ["add", "incoming"]).ok();
}

#[test]
fn a_passphrase_may_end_in_a_line_end() {
    let test = sandbox();
    let protected = key("protected.asc");
    fs::write(test.path("passphrase"), "correct horse\r\nand more\n").unwrap();
    for (name, value) in [
        ("PUBLISH_PASSPHRASE", "correct horse"),
        ("PUBLISH_PASSPHRASE", "correct horse\n"),
        ("PUBLISH_PASSPHRASE_FILE", "passphrase"),
    ] {
        let environment = [("PUBLISH_SIGNING_KEY", protected.as_str()), (name, value)];
        let again = sandbox();
        fs::copy(test.path("passphrase"), again.path("passphrase")).unwrap();
        again.publish_with(&environment, ["add", "incoming"]).ok();
    }
    fs::write(test.path("empty"), "\n").unwrap();
    let environment = [("PUBLISH_SIGNING_KEY", protected.as_str()), ("PUBLISH_PASSPHRASE_FILE", "empty")];
    test.publish_with(&environment, ["add", "incoming"])
        .fails(1)
        .says(["PUBLISH_PASSPHRASE_FILE names has no"]);
}

/// Parts of a secret that no output may contain, in any spelling.
fn assert_hidden(said: &Outcome, secrets: &[String]) {
    let (stdout, stderr) = (&said.stdout, &said.stderr);
    let all: String = format!("{stdout}\n{stderr}").replace("\\n", "").split_whitespace().collect();
    for secret in secrets {
        let secret: String = secret.split_whitespace().collect();
        assert!(!all.contains(&secret), "`{secret}` is printed:\n{stdout}\n{stderr}");
    }
}

/// Every command that takes a key, with a secret in every place where a key, a file or a passphrase is named.
#[test]
fn no_output_contains_a_secret() {
    let sandbox = sandbox();
    sandbox.configure(CONF);
    let armored = key("test.asc");
    let encoded = base64(&sandbox, &armored);
    let mut secrets: Vec<String> = armored
        .lines()
        .filter(|line| line.len() > 20 && !line.contains(['-', ':']))
        .map(str::to_owned)
        .collect();
    secrets.extend(encoded.as_bytes().chunks(40).map(|part| String::from_utf8(part.to_vec()).unwrap()));
    secrets.push("hunter2-and-more".to_owned());
    let truncated = encoded[..200].to_owned();
    let one_line = armored.replace('\n', "\\n");
    for secret in [&armored, &encoded, &truncated, &one_line] {
        let mut all: Vec<Call<'_>> = Vec::new();
        for arguments in [
            &["add", "incoming"][..],
            &["--json", "add", "incoming"],
            &["-v", "add", "-n", "incoming"],
            &["list"],
            &["check"],
            &["refresh", "--force"],
            &["init", "--suite", "stable"],
            &["-a", "elsewhere", "init"],
            &["key", "show"],
            &["key", "export"],
            &["key", "package"],
            &["key", "rotate"],
            &["key", "generate", "-o", "new.asc"],
        ] {
            all.push((vec![("PUBLISH_SIGN_WITH", secret)], arguments.to_vec()));
            all.push((vec![("PUBLISH_SIGNING_KEY_FILE", secret)], arguments.to_vec()));
            all.push((
                vec![("PUBLISH_PASSPHRASE_FILE", secret), ("PUBLISH_SIGN_WITH", "no-such.asc")],
                arguments.to_vec(),
            ));
            all.push((vec![("PUBLISH_PASSPHRASE_FILE", "hunter2-and-more")], arguments.to_vec()));
            all.push((
                vec![("PUBLISH_PASSPHRASE", "hunter2-and-more"), ("PUBLISH_SIGN_WITH", "hunter2-and-more")],
                arguments.to_vec(),
            ));
            all.push((vec![("PUBLISH_SIGNING_KEY", &secret[..secret.len() / 2])], arguments.to_vec()));
        }
        for arguments in [
            &["--sign-with", secret, "add", "incoming"][..],
            &["--json", "--sign-with", secret, "add", "incoming"],
            &["add", "incoming", secret],
            &["add", "--suite", secret, "incoming"],
            &["key", "show", secret],
            &["key", "show", "--", secret],
            &["--json", "key", "show", secret],
            &["key", "export", secret],
            &["key", "rotate", "--to", secret],
            &["key", "generate", "--expires", secret],
            &["--config", secret, "list"],
            &["list", secret, secret],
        ] {
            all.push((Vec::new(), arguments.to_vec()));
        }
        for (environment, arguments) in all {
            let said = sandbox.publish_with(&environment, &arguments);
            assert_hidden(&said, &secrets);
        }
    }
    // `init` does not write it into the configuration either.
    assert_eq!(sandbox.read("conf/distributions"), CONF);
    let said = sandbox.publish_with(&[("PUBLISH_SIGN_WITH", &armored)], ["add", "incoming"]).fails(1);
    said.says([
        "error: the name of the signing key is a secret key itself, which is not printed here",
        "hint: pass the key itself in PUBLISH_SIGNING_KEY",
    ]);
    // The words of an unquoted variable.
    let words: Vec<&str> = armored.split_whitespace().collect();
    for command in [&["key", "show"][..], &["add"], &["--sign-with"]] {
        let said = sandbox.publish([command, &words].concat());
        assert_hidden(&said, &secrets);
    }
}

#[test]
fn a_plan_needs_neither_key_nor_write_access() {
    let sandbox = sandbox();
    let test_key = fixture("keys/test.asc").display().to_string();
    let public = fixture("keys/test.pub.asc").display().to_string();
    let conf = |more: &str| {
        sandbox.configure(&format!("Codename: stable\nComponents: main\nArchitectures: amd64\n{more}"));
    };
    conf(&format!("SignWith: {test_key}\n"));
    sandbox.publish(["add", "incoming"]).ok();
    deb("world").write(sandbox.incoming());
    let with_key = sandbox.publish(["add", "--dry-run", "incoming"]).ok();
    let plan = |said: &str| {
        let lines = said.lines().filter(|line| line.contains("Would") || line.starts_with("  +"));
        // Without the key, the signature has no size.
        lines.map(|line| line.split(", ").next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let before = sandbox.tree();
    let web = Web::of(sandbox.archive(""));
    let conf_file = sandbox.archive("conf/distributions").display().to_string();
    for more in [
        format!("SignWith: {test_key}.elsewhere\nTrustedKeys: {public}\n"),
        format!("SignWith: {public}\n"),
        format!("SignWith: {TEST_KEY}\nTrustedKeys: {public}\n"),
        format!("SignWith: {TEST_KEY}\n"),
        format!("TrustedKeys: {public}\n"),
        format!("SignWith: ! no-such-command\nTrustedKeys: {public}\n"),
        String::new(),
    ] {
        conf(&more);
        let before = sandbox.tree();
        let said = sandbox.publish(["add", "--dry-run", "incoming"]).ok();
        assert_eq!(plan(&said.stderr), plan(&with_key.stderr), "{more}");
        for arguments in [
            &["remove", "-n", "hello"][..],
            &["refresh", "-n", "--force"],
            &["snapshot", "-n", "1.0"],
            &["prune", "-n"],
        ] {
            sandbox.publish(arguments.iter()).ok();
        }
        for arguments in [
            &["add", "-n", "incoming"][..],
            &["remove", "-n", "hello"],
            &["refresh", "-n", "--force", "-s", "stable"],
        ] {
            let all = [&["--archive", &web.url, "--config", &conf_file], arguments].concat();
            let said = sandbox.publish(all).ok();
            if arguments[0] == "add" {
                assert_eq!(plan(&said.stderr), plan(&with_key.stderr), "{more}");
            }
        }
        assert_eq!(sandbox.tree(), before, "{more}");
        // Without the option, nothing is published.
        sandbox.publish(["add", "incoming"]).fails(1);
        sandbox.publish(["--archive", &web.url, "--config", &conf_file, "add", "incoming"]).fails(1);
    }
    conf(&format!("SignWith: {test_key}\n"));
    assert_eq!(sandbox.tree(), before);
    // A suite that a known key did not sign is refused in a plan as well.
    conf(&format!("SignWith: {}\n", fixture("keys/second.pub.asc").display()));
    sandbox.publish(["add", "--dry-run", "incoming"]).fails(1).says(["keys that are not configured"]);
}

#[test]
fn every_plan_works_without_a_key_on_the_web_too() {
    let sandbox = sandbox();
    let signed = format!("SignWith: {}\n", fixture("keys/test.asc").display());
    let conf = |sign: &str| {
        let suite = |name| {
            format!("Codename: {name}\nOrigin: Example\nComponents: main\nArchitectures: amd64\n{sign}")
        };
        sandbox.configure(&format!("{}\n{}", suite("stable"), suite("next")));
    };
    conf(&signed);
    sandbox.publish(["add", "-s", "stable", "incoming"]).ok();
    let world = deb("world").write(sandbox.path("more"));
    sandbox.publish(["add", "-s", "next", world.to_str().unwrap()]).ok();
    let first = fs::read_dir(sandbox.archive("dists/stable/generations")).unwrap().next().unwrap();
    let first = first.unwrap().file_name().into_string().unwrap();
    sandbox.publish(["copy", "world", "--from", "next", "--to", "stable"]).ok();
    let write = |name: &str, text: &str| {
        fs::write(sandbox.path(name), text).unwrap();
        sandbox.path(name).display().to_string()
    };
    let (data, empty) = (write("data.yml", "a: b\n"), write("empty", ""));
    let from = format!("{}#next", sandbox.archive("").display());
    conf(&format!("SignWith: {TEST_KEY}\n"));
    let web = Web::of(sandbox.archive(""));
    let config = sandbox.archive("conf/distributions").display().to_string();
    let before = sandbox.tree();
    for config in [&config, &empty] {
        for (arguments, says) in [
            (&["add", "-n", "-s", "new", "--new-suite", "incoming"][..], "Would"),
            (&["copy", "-n", "hello", "--from", "stable", "--to", "next"], "Would"),
            (&["copy", "-n", "hello", "--from", "stable", "--to", "new", "--new-suite"], "Would"),
            (&["remove", "-n", "-s", "stable", "hello"], "Would"),
            (&["rollback", "-n", "-s", "stable", "--to", &first], "Would"),
            (&["export", "-n", "stable"], "Suite `stable`"),
            (&["attach", "-n", &data, "--as", "main/x/data.yml", "-s", "stable"], "Would"),
            (&["pull", "-n", "--from", &from, "stable", "world"], ""),
            (&["drop", "-n", "stable"], "Would drop suite `stable`: "),
            (&["key", "package", "-n", "-s", "stable"], "Would"),
        ] {
            for archive in [&web.url, &sandbox.archive("").display().to_string()] {
                let said = sandbox.publish([&["-a", archive, "--config", config], arguments].concat());
                let text = said.ok().stderr;
                assert!(text.contains(says), "{archive} {arguments:?}: {text}");
            }
        }
    }
    let on_web = |arguments: &[&str]| sandbox.publish([&["-a", &web.url], arguments].concat());
    // Nothing lists the generations and the files there.
    on_web(&["rollback", "-n", "-s", "stable"])
        .fails(1)
        .says(["no list of the generations", "--to GENERATION"]);
    on_web(&["rollback", "-n", "-s", "stable", "--to", "2025"]).fails(1).says(["no list of the generations"]);
    on_web(&["prune", "-n"]).fails(1).says(["has no list of files", "--archive s3://"]);
    on_web(&["drop", "stable", "--yes"]).fails(1).says(["is read-only"]);
    assert_eq!(sandbox.tree(), before);
}

#[test]
fn a_plan_works_in_a_read_only_folder() {
    let sandbox = sandbox();
    sandbox.publish(["add", "incoming"]).ok();
    deb("world").write(sandbox.incoming());
    sandbox.publish_unprivileged(["add", "--dry-run", "incoming"]).ok().says(["Would add 1 package"]);
}

/// Two jobs, each with the key of its suite, and no configuration that names both.
#[test]
fn a_job_keeps_the_keys_of_other_suites_for_clients() {
    let sandbox = sandbox();
    sandbox.configure("Codename: stable\nComponents: main\n\nCodename: other\nComponents: main\n");
    let with = |name: &str, suite: &str| {
        let file = deb(&format!("from-{suite}")).write(sandbox.path("job"));
        let key = fixture("keys").join(name).display().to_string();
        sandbox.publish(["--sign-with", &key, "add", "-s", suite, file.to_str().unwrap()]).ok();
    };
    with("test.asc", "stable");
    with("second.asc", "other");
    let keys = |sandbox: &Sandbox| keys_in(sandbox, &sandbox.archive("archive-key.asc"));
    assert_eq!(keys(&sandbox).len(), 2);
    for suite in ["stable", "other"] {
        for mut apt in Client::all(&sandbox) {
            let source = Source::folder(sandbox.archive("")).suite(suite);
            apt.source(&source.signed_by(sandbox.archive("archive-key.asc")));
            apt.updates();
        }
    }
    // A suite of the configuration that is published by another job, and one that is not configured at all.
    let test_key = fixture("keys/test.asc").display().to_string();
    sandbox.configure(&format!("Codename: stable\nComponents: main\nSignWith: {test_key}\n"));
    deb("more").write(sandbox.incoming());
    sandbox.publish(["add", "-s", "stable", "incoming"]).ok();
    assert_eq!(keys(&sandbox).len(), 2);
    // A key that signs no suite goes.
    let file = sandbox.archive("archive-key.asc");
    let foreign = key("expired.pub.asc");
    fs::write(&file, fs::read_to_string(&file).unwrap() + &foreign).unwrap();
    assert_eq!(keys(&sandbox).len(), 3);
    deb("even-more").write(sandbox.incoming());
    sandbox
        .publish(["add", "-s", "stable", "incoming"])
        .ok()
        .says(["removed key 1898FBBB4B2A44FAE960B4DB96C0144FD36825A4"]);
    assert_eq!(keys(&sandbox).len(), 2);
}

/// A home of gpg in the sandbox, with keys of these user IDs.
fn gpg(sandbox: &Sandbox, home: &str, arguments: &[&str]) -> String {
    fs::create_dir_all(sandbox.path(home)).unwrap();
    fs::set_permissions(sandbox.path(home), fs::Permissions::from_mode(0o700)).unwrap();
    let mut command = sandbox.command("gpg");
    command.env("GNUPGHOME", sandbox.path(home));
    command.args(["--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""]).args(arguments);
    sandbox.run(command).ok().stdout
}

fn make(sandbox: &Sandbox, home: &str, name: &str, algorithm: &str) -> String {
    let time = ["--faked-system-time", "20250101T000000!"];
    gpg(sandbox, home, &[&time[..], &["--quick-generate-key", name, algorithm, "sign", "never"]].concat());
    let said = gpg(sandbox, home, &["--with-colons", "--list-keys", name]);
    said.lines().find(|line| line.starts_with("fpr")).unwrap().split(':').nth(9).unwrap().to_owned()
}

/// Anyone can make a key with the same user ID; it must not reach clients.
#[test]
fn clients_get_only_the_key_that_signs() {
    let sandbox = sandbox();
    let ours = make(&sandbox, "gnupg", "Release <rel@example.org>", "ed25519");
    make(&sandbox, "theirs", "Other Team <rel@example.org>", "ed25519");
    let theirs = gpg(&sandbox, "theirs", &["--armor", "--export"]);
    fs::write(sandbox.path("theirs.asc"), &theirs).unwrap();
    gpg(&sandbox, "gnupg", &["--import", sandbox.path("theirs.asc").to_str().unwrap()]);
    let stanza = "Codename: stable\nOrigin: Ex\nComponents: main\nArchitectures: amd64\nSignWith: ";
    sandbox.configure(&format!("{stanza}rel@example.org\n"));
    sandbox.publish(["add", "incoming"]).ok();
    sandbox.publish(["key", "package"]).ok();
    sandbox.publish(["key", "export", "-o", "exported.asc"]).ok();
    let installed = sandbox.path("ring.gpg");
    let package = sandbox.archive("pool/main/e/ex-archive-keyring");
    let package = fs::read_dir(package).unwrap().next().unwrap().unwrap().path();
    sandbox.ask("dpkg-deb", ["-x".as_ref(), package.as_os_str(), "unpacked".as_ref()]);
    fs::copy(sandbox.path("unpacked/usr/share/keyrings/ex-archive-keyring.gpg"), &installed).unwrap();
    for file in [installed, sandbox.path("exported.asc"), sandbox.archive("archive-key.asc")] {
        assert_eq!(keys_in(&sandbox, &file), std::slice::from_ref(&ours), "{}", file.display());
    }
    // A public key beside the secret one in a file does not sign either.
    let mut file = gpg(&sandbox, "gnupg", &["--armor", "--export-secret-keys", &ours]);
    let _ = write!(file, "{theirs}");
    fs::write(sandbox.path("both.asc"), file).unwrap();
    sandbox.publish(["--sign-with", "both.asc", "key", "export", "-o", "from-file.asc"]).ok();
    assert_eq!(keys_in(&sandbox, &sandbox.path("from-file.asc")), std::slice::from_ref(&ours));
    // A machine without the secret key knows it by its fingerprint only.
    gpg(&sandbox, "public", &["--import", sandbox.path("exported.asc").to_str().unwrap()]);
    let public = sandbox.path("public").display().to_string();
    let without = [("GNUPGHOME", public.as_str())];
    sandbox.publish_with(&without, ["key", "export"]).fails(1).says(["gpg has no usable secret key"]);
    sandbox.publish_with(&without, ["key", "export", &ours]).ok();
}

#[test]
fn curves_that_some_apt_refuses_are_refused_or_said() {
    let sandbox = sandbox();
    for (curve, text) in [
        ("nistp521", "it is NIST P-521, which apt of Ubuntu 24.04 (2.8) does not accept"),
        ("nistp256", "later versions accept only RSA, Ed25519 and Ed448, it is nistp256"),
        ("nistp384", "later versions accept only RSA, Ed25519 and Ed448, it is nistp384"),
    ] {
        let fingerprint = make(&sandbox, "gnupg", curve, curve);
        let secret = gpg(&sandbox, "gnupg", &["--armor", "--export-secret-keys", &fingerprint]);
        fs::write(sandbox.path("nist.asc"), secret).unwrap();
        let shown = sandbox.publish(["key", "show", "nist.asc"]).ok().stdout;
        assert!(shown.contains(text), "{shown}");
        for key in ["nist.asc", &fingerprint] {
            let said = sandbox.publish(["--sign-with", key, "add", "-s", curve, "incoming"]);
            if curve == "nistp521" {
                said.fails(1).says([text]);
            } else {
                said.ok().says(["warning: the key", text]);
                fs::remove_dir_all(sandbox.archive("dists")).unwrap();
            }
        }
    }
}

#[test]
fn an_expired_subkey_is_named_with_its_remedy() {
    let sandbox = sandbox();
    let time = ["--faked-system-time", "20240101T000000!"];
    gpg(
        &sandbox,
        "gnupg",
        &[&time[..], &["--quick-generate-key", "old@example.org", "ed25519", "cert", "never"]].concat(),
    );
    let listed = gpg(&sandbox, "gnupg", &["--with-colons", "--list-keys"]);
    let fingerprint =
        listed.lines().find(|line| line.starts_with("fpr")).unwrap().split(':').nth(9).unwrap().to_owned();
    gpg(
        &sandbox,
        "gnupg",
        &[&time[..], &["--quick-add-key", &fingerprint, "ed25519", "sign", "1y"]].concat(),
    );
    let listed = gpg(&sandbox, "gnupg", &["--with-colons", "--list-keys"]);
    let subkey =
        listed.lines().filter(|line| line.starts_with("fpr")).nth(1).unwrap().split(':').nth(9).unwrap();
    let secret = gpg(&sandbox, "gnupg", &["--armor", "--export-secret-keys"]);
    fs::write(sandbox.path("old.asc"), secret).unwrap();
    for key in ["old.asc", &fingerprint] {
        sandbox.publish(["--sign-with", key, "add", "incoming"]).fails(1).says([
            &format!("its signing subkey {subkey} expired on 2024-12-31")[..],
            &format!("`gpg --quick-set-expire {fingerprint} 3y {subkey}`"),
        ]);
    }
}

/// A signing command whose result clients would refuse; nothing of it is published.
#[test]
fn the_output_of_a_command_is_verified_before_it_is_published() {
    let sandbox = sandbox();
    for (home, name) in [("gnupg", "right@example.org"), ("theirs", "other@example.org")] {
        make(&sandbox, home, name, "ed25519");
    }
    fs::write(sandbox.path("right.asc"), gpg(&sandbox, "gnupg", &["--armor", "--export"])).unwrap();
    let script = sandbox.archive("conf/sign");
    let conf = |trusted: bool| {
        let trusted = if trusted {
            format!("TrustedKeys: {}\n", sandbox.path("right.asc").display())
        } else {
            String::new()
        };
        sandbox.configure(&format!(
            "Codename: stable\nComponents: main\nArchitectures: amd64\nSignWith: !sign\n{trusted}"
        ));
    };
    let writes = |text: &str| {
        let text = format!(
            "#!/bin/sh\nset -e\nright() {{ gpg --batch -q --yes \"$@\"; }}\nother() {{ GNUPGHOME={} gpg --batch -q --yes \"$@\"; }}\n{text}\n",
            sandbox.path("theirs").display()
        );
        fs::write(&script, text).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    };
    conf(true);
    writes("right --clearsign -o \"$2\" \"$1\"; right -a -b -o \"$3\" \"$1\"");
    sandbox.publish(["add", "incoming"]).ok();
    deb("world").write(sandbox.incoming());
    let both = |how: &str| format!("{how} --clearsign -o \"$2\" \"$1\"; {how} -a -b -o \"$3\" \"$1\"");
    for (trusted, text, expected) in [
        (true, both("other"), "wrote an InRelease that clients refuse"),
        (true, "right --clearsign -o \"$2\" \"$1\"; other -a -b -o \"$3\" \"$1\"".to_owned(), "with different keys"),
        (false, "right --clearsign -o \"$2\" \"$1\"; other -a -b -o \"$3\" \"$1\"".to_owned(), "with different keys"),
        (true, both("right --digest-algo SHA1"), "SHA1, which apt refuses"),
        (true, "right --clearsign -o \"$2\" \"$1\"; echo x | right -a -b -o \"$3\"".to_owned(), "over other bytes"),
        (false, "right --clearsign -o \"$2\" \"$1\"; echo x | right -a -b -o \"$3\"".to_owned(), "over other bytes"),
        (true, "right --clearsign -o \"$2\" \"$1\"; sed -i 's/amd64/arm64/' \"$2\"; right -a -b -o \"$3\" \"$1\"".to_owned(), "differs from the Release"),
        (true, "right -a -b -o \"$2\" \"$1\"; right -a -b -o \"$3\" \"$1\"".to_owned(), "wrote a bad InRelease"),
    ] {
        conf(trusted);
        writes(&text);
        let before = sandbox.tree();
        // Without a trusted key, the command cannot verify the published suite either.
        sandbox.publish(["--trust-existing", "add", "incoming"]).fails(1).says([expected]);
        assert_eq!(sandbox.tree(), before, "{text}");
    }
}

#[test]
fn a_passphrase_that_gpg_needs_is_named() {
    let sandbox = sandbox();
    let mut make = sandbox.command("gpg");
    make.args(["--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", "correct horse"]);
    make.args(["--faked-system-time", "20250101T000000!"]);
    make.args(["--quick-generate-key", "p@example.org", "ed25519", "sign", "never"]);
    sandbox.run(make).ok();
    fs::write(sandbox.path("gnupg/gpg-agent.conf"), "pinentry-program /nowhere/pinentry\n").unwrap();
    let forget = || {
        let mut kill = sandbox.command("gpgconf");
        kill.args(["--kill", "all"]);
        sandbox.run(kill).ok();
    };
    forget();
    let arguments = ["--sign-with", "p@example.org", "add", "incoming"];
    sandbox.publish(arguments).fails(1).says(["set PUBLISH_PASSPHRASE to", "PUBLISH_PASSPHRASE_FILE"]);
    forget();
    let wrong = [("PUBLISH_PASSPHRASE", "wrong")];
    sandbox.publish_with(&wrong, arguments).fails(1).says(["check PUBLISH_PASSPHRASE"]);
    forget();
    sandbox.publish_with(&[("PUBLISH_PASSPHRASE", "correct horse")], arguments).ok();
    forget();
}
