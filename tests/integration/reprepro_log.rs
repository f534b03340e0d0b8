//! Tests of the scripts of `Log`, beside the real reprepro.

use std::{fs, os::unix::fs::PermissionsExt as _};

use crate::{deb_builder::deb, reprepro_pair::Pair, reprepro_uploads::describe};

/// The lines that the scripts wrote, sorted.
fn told(pair: &Pair, base: &str) -> Vec<String> {
    let text = fs::read_to_string(pair.sandbox.path(base).join("told")).unwrap();
    let mut lines: Vec<String> = text.lines().map(ToOwned::to_owned).collect();
    lines.sort();
    lines
}

#[test]
fn a_script_may_be_for_one_command_and_knows_the_kept_description() {
    let scripts = "Log: l.log\n --via=rerunnotifiers told-rerun\n --via=processincoming told-queue\n \
                   --via=include told-include\n --via include --changes told-upload\n \
                   --changes --via=processincoming told-queued\n --via=nosuch told-never\n";
    let suite = |name: &str, more: &str| {
        format!("Codename: {name}\nArchitectures: amd64 i386\nComponents: main\n{more}{scripts}")
    };
    let kept = suite("bookworm", "Tracking: minimal includechanges\n");
    let Some(pair) = Pair::new(&[kept, suite("trixie", "")].join("\n")) else { return };
    pair.conf("incoming", "Name: q\nIncomingDir: queue\nTempDir: tmp\nAllow: bookworm bookworm>trixie\n");
    for base in ["real", "ours"] {
        let base = pair.sandbox.path(base);
        for folder in ["queue", "tmp"] {
            fs::create_dir_all(base.join(folder)).unwrap();
        }
        for name in ["rerun", "queue", "include", "upload", "queued", "never"] {
            let path = base.join("conf").join(format!("told-{name}"));
            let told = base.join("told");
            // The folder of the upload is another one in a queue.
            let text = format!(
                "#!/bin/sh\n(printf '%s' '{name} '; echo \"$#: $*\" | sed 's, [^ ]*/foo.changes, foo.changes,') >>{}\n",
                told.display()
            );
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        deb("foo").version("1").write(base.join("queue"));
        describe(base.join("queue"), "foo.changes", &[]);
    }
    deb("foo").version("1").write(pair.sandbox.path("in"));
    deb("bar").write(pair.sandbox.path("other"));
    let changes = describe(pair.sandbox.path("in"), "foo.changes", &[]);
    pair.status(&["includedeb", "bookworm", "other/bar_1.0_amd64.deb"]);
    pair.status(&["include", "bookworm", &changes]);
    pair.status(&["--ignore=wrongdistribution", "include", "trixie", &changes]);
    pair.status(&["removematched", "bookworm", "*"]);
    pair.status(&["processincoming", "q"]);
    pair.status(&["rerunnotifiers"]);
    let told = |base: &str| told(&pair, base);
    assert_eq!(told("ours"), told("real"));
    let six = |line: &&String| line.starts_with("upload 6: ") && line.ends_with(".changes");
    assert_eq!(told("ours").iter().filter(six).count(), 1, "{:?}", told("ours"));
    pair.one("ours", &["remove", "bookworm", "foo"]).ok().says(["`--via=nosuch` names no command"]);
}

#[test]
fn scripts_know_the_rule_and_an_upload_is_accepted_once() {
    let suite = |name: &str, more: &str| {
        format!("Codename: {name}\nArchitectures: amd64 i386\nComponents: main # contrib\n{more}")
    };
    let log = "Log: l.log\n told\n --changes told\n";
    let suites = [suite("bookworm", log), suite("trixie", &format!("Pull: p # q\n{log}"))];
    let Some(pair) = Pair::new(&suites.join("\n")) else { return };
    pair.conf("pulls", "Name: p # the rule\nFrom: bookworm\nFilterFormula: Package (== foo) # | x\n");
    for base in ["real", "ours"] {
        let base = pair.sandbox.path(base);
        for name in ["told", "out"] {
            let path = base.join("conf").join(name);
            let text = format!(
                "#!/bin/sh\necho \"{name} $1 r=$REPREPRO_CAUSING_RULE f=$REPREPRO_FROM $REPREPRO_CAUSING_FILE\" | sed 's,out [^ ]*,out,' >>{}\n",
                base.join("told").display()
            );
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
    for package in [deb("foo").version("1"), deb("bar")] {
        package.write(pair.sandbox.path("in"));
    }
    deb("foo").version("2").write(pair.sandbox.path("up"));
    let changes = describe(pair.sandbox.path("up"), "foo.changes", &[("Version: 1", "Version: 2")]);
    pair.status(&[
        "--outhook",
        "out",
        "includedeb",
        "bookworm",
        "in/foo_1_amd64.deb",
        "in/bar_1.0_amd64.deb",
    ]);
    pair.status(&["--outhook", "out", "pull", "trixie"]);
    pair.status(&["include", "bookworm", &changes]);
    // It is there already.
    pair.status(&["include", "bookworm", &changes]);
    let told = |base: &str| told(&pair, base);
    assert_eq!(told("ours"), told("real"));
    assert!(told("ours").contains(&"told add r=p f=bookworm ".to_owned()), "{:?}", told("ours"));
}

#[test]
fn names_that_no_suite_has_stop_a_pull_and_not_an_update() {
    let suite = |name: &str| format!("Codename: {name}\nArchitectures: amd64\nComponents: main\nPull: p\n");
    let Some(pair) = Pair::new(&[suite("bookworm"), suite("trixie")].join("\n")) else { return };
    deb("foo").write(pair.sandbox.path("in"));
    pair.status(&["includedeb", "bookworm", "in/foo_1.0_amd64.deb"]);
    pair.status(&["pull", "nosuch"]);
    for field in [
        "Components: mian",
        "Architectures: arm64",
        "Components: main>nosuch",
        "Components: nosuch>main",
        "Architectures: amd64>arm64",
        "UDebComponents: mian",
        "Architectures: source amd64",
    ] {
        pair.conf("pulls", &format!("Name: p\nFrom: bookworm\n{field}\n"));
        pair.status(&["pull", "trixie"]);
        pair.status(&["pull", "nosuch"]);
        pair.lists(&["list", "trixie"]);
    }
}
