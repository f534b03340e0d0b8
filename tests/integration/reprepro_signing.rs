//! Tests of signatures under reprepro's command line: whether a suite is signed follows its configuration, as with the real
//! reprepro, where the configuration lies in the archive.

use std::{fs, os::unix::fs::PermissionsExt as _};

use crate::{
    deb_builder::deb,
    reprepro_pair::Pair,
    sandbox::{Sandbox, fixture},
};

/// The fields that every suite of these tests has.
const FIELDS: &str = "Architectures: amd64\nComponents: main\n";

/// The configuration of suites with these names and further fields.
fn suites(all: &[(&str, &str)]) -> String {
    let stanza = |(name, more): &(&str, &str)| format!("Codename: {name}\n{FIELDS}{more}\n");
    all.iter().map(stanza).collect::<Vec<_>>().join("\n")
}

/// Gives the user of a sandbox a secret key in gpg; returns `SignWith` with it.
fn sign_with(sandbox: &Sandbox) -> String {
    let gpg = |arguments: &[&str]| {
        let mut command = sandbox.command("gpg");
        command.args(["--batch", "--quiet"]).args(arguments);
        sandbox.run(command).ok().stdout
    };
    gpg(&["--import", fixture("keys/test.asc").to_str().unwrap()]);
    let listed = gpg(&["--with-colons", "--list-secret-keys"]);
    let line = listed.lines().find(|line| line.starts_with("fpr:")).unwrap();
    format!("SignWith: {}\n", line.trim_end_matches(':').rsplit(':').next().unwrap())
}

/// Two repositories whose user has a key, and `SignWith` with it.
fn pair() -> Option<(Pair, String)> {
    let pair = Pair::new("")?;
    let key = sign_with(&pair.sandbox);
    for package in [deb("foo"), deb("bar")] {
        package.write(pair.sandbox.path("in"));
    }
    Some((pair, key))
}

/// Both have the same signatures of a suite.
#[track_caller]
fn same_forms(pair: &Pair, suite: &str, expected: &[&str]) {
    for base in ["real", "ours"] {
        let folder = pair.sandbox.path(base).join("dists").join(suite);
        let is_there = |name: &&&str| folder.join(name).exists();
        let found: Vec<&&str> = ["InRelease", "Release", "Release.gpg"].iter().filter(is_there).collect();
        assert_eq!(found, expected.iter().collect::<Vec<_>>(), "{base}");
    }
}

const SIGNED: [&str; 3] = ["InRelease", "Release", "Release.gpg"];

#[test]
fn an_unsigned_suite_feeds_a_signed_one_beside_it() {
    let Some((pair, key)) = pair() else { return };
    let prod = format!("Pull: p\n{key}");
    let text = suites(&[("dev", ""), ("prod", &prod)]);
    pair.conf("distributions", &text);
    pair.conf("pulls", "Name: p\nFrom: dev\n");
    pair.status(&["includedeb", "dev", "in/foo_1.0_amd64.deb"]);
    pair.status(&["copy", "prod", "dev", "foo"]);
    pair.status(&["includedeb", "dev", "in/bar_1.0_amd64.deb"]);
    pair.status(&["pull", "prod"]);
    pair.lists(&["list", "prod"]);
    pair.same("prod");
    pair.status(&["gensnapshot", "prod", "one"]);
    // The real one of this version has no such word.
    pair.one("ours", &["move", "prod", "dev", "bar"]).ok();
    same_forms(&pair, "prod", &SIGNED);
    // Who can write the archive here cannot write the configuration.
    let outside = pair.sandbox.path("outside");
    fs::create_dir_all(&outside).unwrap();
    for (name, text) in [("distributions", text.as_str()), ("pulls", "Name: p\nFrom: dev\n")] {
        fs::write(outside.join(name), text).unwrap();
    }
    let conf = ["--confdir", outside.to_str().unwrap()];
    let run = |arguments: &[&str]| pair.one("ours", &[&conf, arguments].concat());
    for command in [&["copy", "prod", "dev", "foo"][..], &["pull", "prod"]] {
        run(command).fails(255).says(["`dev` is not signed and `prod` is", "--trust-existing"]);
    }
    run(&["--trust-existing", "copy", "prod", "dev", "foo"]).ok();
    // Nor does our own command take what is not signed.
    let mut command = pair.sandbox.command(env!("CARGO_BIN_EXE_publish"));
    command.args(["-a", "ours", "copy", "--from", "dev", "--to", "prod", "foo"]);
    let said = pair.sandbox.run(command).fails(1);
    said.says(["`dev` is not signed and `prod` is"]);
    assert!(!said.stderr.contains("although a key is configured"), "{}", said.stderr);
}

#[test]
fn a_suite_begins_and_ceases_to_be_signed() {
    let Some((pair, key)) = pair() else { return };
    let unsigned = suites(&[("bookworm", "")]);
    pair.conf("distributions", &unsigned);
    pair.status(&["includedeb", "bookworm", "in/foo_1.0_amd64.deb"]);
    same_forms(&pair, "bookworm", &["Release"]);
    pair.conf("distributions", &suites(&[("bookworm", &key)]));
    let said = pair.run(&["export"]).ours;
    assert!(said.stderr.contains("suite `bookworm` was not signed"), "{said}");
    let said = pair.run(&["export"]).ours;
    assert!(!said.stderr.contains("was not signed"), "{said}");
    same_forms(&pair, "bookworm", &SIGNED);
    pair.conf("distributions", &unsigned);
    pair.one("real", &["includedeb", "bookworm", "in/bar_1.0_amd64.deb"]).ok();
    let include = ["includedeb", "bookworm", "in/bar_1.0_amd64.deb"];
    let way = "--trust-existing export bookworm";
    pair.one("ours", &include).fails(255).says(["no key is configured", way]);
    pair.one("ours", &way.split(' ').collect::<Vec<_>>()).ok().says(["is not signed from now on"]);
    pair.one("ours", &include).ok();
    same_forms(&pair, "bookworm", &["Release"]);
    pair.same("bookworm");
    pair.one("ours", &["checkpool"]).ok();
    // A key of the command line, for one call.
    let named = key.trim().rsplit(' ').next().unwrap();
    pair.one("ours", &["--sign-with", named, "export"]).ok();
    assert!(pair.sandbox.path("ours/dists/bookworm/InRelease").exists());
}

#[test]
fn what_lies_outside_the_archive_decides_only_what_it_can_verify() {
    let sandbox = Sandbox::new();
    let key = sign_with(&sandbox);
    deb("foo").write(sandbox.incoming());
    let conf = sandbox.path("conf");
    fs::create_dir_all(&conf).unwrap();
    let configure = |more: &str| fs::write(conf.join("distributions"), suites(&[("dev", more)])).unwrap();
    let run = |arguments: &[&str]| {
        let all = [&["reprepro", "-b", "archive", "--confdir", conf.to_str().unwrap()], arguments].concat();
        sandbox.publish(all)
    };
    configure("");
    run(&["includedeb", "dev", "incoming/foo_1.0_amd64.deb"]).ok();
    configure(&key);
    run(&["export"]).fails(255).says(["is not signed, although a key is configured", "--trust-existing"]);
    run(&["--trust-existing", "export"]).ok();
    run(&["export"]).ok();
    // A link out of the archive is no configuration in it.
    std::os::unix::fs::symlink(&conf, sandbox.archive("conf")).unwrap();
    fs::remove_file(sandbox.archive("dists/dev/InRelease")).unwrap();
    fs::remove_file(sandbox.archive("dists/dev/Release.gpg")).unwrap();
    sandbox.publish(["reprepro", "-b", "archive", "export"]).fails(255).says(["is not signed"]);
}

#[test]
fn a_script_that_signs_needs_no_public_key() {
    let Some((pair, _)) = pair() else { return };
    pair.conf("distributions", &suites(&[("dev", "SignWith: ! sign.sh\n"), ("prod", "")]));
    let script = "#!/bin/sh\nset -e\n[ -z \"$2\" ] || gpg --batch -q --yes --clearsign -o \"$2\" \"$1\"\n\
                  [ -z \"$3\" ] || gpg --batch -q --yes -a -b -o \"$3\" \"$1\"\n";
    for base in ["real", "ours"] {
        let path = pair.sandbox.path(base).join("conf/sign.sh");
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    for package in ["foo", "bar"] {
        pair.status(&["includedeb", "dev", &format!("in/{package}_1.0_amd64.deb")]);
    }
    pair.status(&["copy", "prod", "dev", "foo"]);
    pair.lists(&["list", "prod"]);
    pair.same("dev");
    same_forms(&pair, "dev", &SIGNED);
}

#[test]
fn a_script_that_signs_knows_the_folders() {
    let Some((pair, key)) = pair() else { return };
    pair.conf("distributions", &suites(&[("dev", "SignWith: ! sign.sh\n")]));
    pair.conf("key", key.trim_start_matches("SignWith: "));
    let script = "#!/bin/sh\n[ \"$REPREPRO_CAUSING_COMMAND\" = includedeb ] && [ -d \"$REPREPRO_BASE_DIR\" ] || exit 3\n\
                  key=$(cat \"$REPREPRO_CONFIG_DIR/key\") || exit 4\n\
                  [ -z \"$2\" ] || gpg --batch -q --yes -u \"$key\" --clearsign -o \"$2\" \"$1\"\n\
                  [ -z \"$3\" ] || gpg --batch -q --yes -u \"$key\" -a -b -o \"$3\" \"$1\"\n";
    for base in ["real", "ours"] {
        let path = pair.sandbox.path(base).join("conf/sign.sh");
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    pair.status(&["includedeb", "dev", "in/foo_1.0_amd64.deb"]);
    same_forms(&pair, "dev", &SIGNED);
}

#[test]
fn older_versions_of_an_unsigned_suite_move_to_a_signed_one() {
    let sandbox = Sandbox::new();
    let key = sign_with(&sandbox);
    sandbox.configure(&suites(&[("dev", "Limit: 1\nArchive: old\n"), ("old", &key)]));
    let run = |arguments: &[&str]| sandbox.publish([&["reprepro", "-b", "archive"], arguments].concat());
    for version in ["1", "2"] {
        deb("foo").version(version).write(sandbox.incoming());
        run(&["includedeb", "dev", &format!("incoming/foo_{version}_amd64.deb")]).ok();
    }
    assert_eq!(run(&["list", "old"]).ok().stdout, "old|main|amd64: foo 1\n");
}
